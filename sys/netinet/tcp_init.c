/* SPDX-License-Identifier: BSD-2-Clause */
/* Setting TCP up in a stack and taking it down: pools, keys, settings (net.inet.tcp.*). */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "kern/stat.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_var.h"

#include <string.h>

#define TCP_REASS_MAX 65536u /* out-of-order segments of all connections */
#define TCP_HOLES_MAX 65536u /* of the scoreboards of all connections */
#define TCP_MAXTCPTW 8192u   /* fewer than there are ephemeral ports */
#define TCP_MAXORPHANS 8192u
#define KIB 1024u
#define MIB (1024u * KIB)

#define TCP_NODE(name, member, min, max, text)                                                    \
	{                                                                                         \
		.sn_name = "net.inet.tcp." name, .sn_text = (text), .sn_type = SYSCTL_U32,        \
		.sn_writable = true, .sn_offset = offsetof(struct tcp_state, tcps_sysctl.member), \
		.sn_size = sizeof(uint32_t), .sn_min = (min), .sn_max = (max)                     \
	}

#define TCP_NODE_RO(name, member, text)                                                      \
	{                                                                                    \
		.sn_name = "net.inet.tcp." name, .sn_text = (text), .sn_type = SYSCTL_U32,   \
		.sn_offset = offsetof(struct tcp_state, member), .sn_size = sizeof(uint32_t) \
	}

static int
tcp_check_congctl(struct netstack *ns, const struct sysctl_node *sn, uint64_t value)
{
	(void)ns;
	(void)sn;
	return tcp_congctl_find((const char *)(uintptr_t)value) != NULL ? 0 : ENOENT;
}

static const struct sysctl_node tcp_nodes[] = {
    {.sn_name = "net.inet.tcp.cc.algorithm",
	.sn_text = "congestion control of new sockets: cubic or newreno",
	.sn_type = SYSCTL_STRING,
	.sn_writable = true,
	.sn_offset = offsetof(struct tcp_state, tcps_sysctl.cc_algorithm),
	.sn_size = TCP_CC_NAMELEN,
	.sn_check = tcp_check_congctl},
    TCP_NODE("sendspace", sendspace, 2 * KIB, 256 * MIB, "send buffer at the start, bytes"),
    TCP_NODE("recvspace", recvspace, 2 * KIB, 256 * MIB, "receive buffer at the start, bytes"),
    TCP_NODE("sendbuf_auto", sendbuf_auto, 0, 1, "send buffers grow by themselves"),
    TCP_NODE("sendbuf_max", sendbuf_max, 2 * KIB, 256 * MIB, "to at most this, bytes"),
    TCP_NODE("sendbuf_inc", sendbuf_inc, 1, 256 * MIB, "in steps of this, bytes"),
    TCP_NODE("recvbuf_auto", recvbuf_auto, 0, 1, "receive buffers grow by themselves"),
    TCP_NODE("recvbuf_max", recvbuf_max, 2 * KIB, 256 * MIB, "to at most this, bytes"),
    TCP_NODE("mssdflt", mssdflt, 64, 65495, "segment size when the peer names none, bytes"),
    TCP_NODE("minmss", minmss, 64, 1460, "smaller offers are raised to this, bytes"),
    TCP_NODE("rfc1323", rfc1323, 0, 1, "offer window scaling and timestamps"),
    TCP_NODE("delayed_ack", delayed_ack, 0, 1, "delay ACKs to carry them with data"),
    TCP_NODE("delacktime", delacktime_ms, 1, 500, "delay an ACK at most this long, ms"),
    TCP_NODE("msl", msl_ms, 1, 120000, "maximum segment lifetime, ms"),
    TCP_NODE("rexmit_min", rexmit_min_ms, 1, 60000, "least retransmission time-out, ms"),
    TCP_NODE("rexmit_initial", rexmit_initial_ms, 1, 60000, "the same before a sample, ms"),
    TCP_NODE("keepinit", keepinit_ms, 1000, 600000, "limit on the handshake, ms"),
    TCP_NODE("keepidle", keepidle_ms, 1000, 2000000000, "idle time before a keepalive, ms"),
    TCP_NODE("keepintvl", keepintvl_ms, 1000, 2000000000, "time between keepalives, ms"),
    TCP_NODE("keepcnt", keepcnt, 1, 127, "keepalives without answer before giving up"),
    TCP_NODE("always_keepalive", always_keepalive, 0, 1, "keepalives without SO_KEEPALIVE"),
    TCP_NODE("finwait2_timeout", finwait2_timeout_ms, 1000, 600000,
	"wait for the peer's FIN after close, ms"),
    TCP_NODE("persmin", persmin_ms, 10, 60000, "least time between window probes, ms"),
    TCP_NODE("persmax", persmax_ms, 10, 600000, "most time between window probes, ms"),
    TCP_NODE("maxorphans", maxorphans, 1, 1000000, "most connections without a descriptor"),
    TCP_NODE("maxtcptw", maxtcptw, 1, TCP_TIMEWAIT_MAX, "most connections in TIME-WAIT"),
    TCP_NODE("reass.maxqueuelen", reass_maxqueuelen, 0, 100000,
	"out-of-order segments a connection may hold"),
    TCP_NODE("blackhole", blackhole, 0, 2, "no RST: 1 to SYNs, 2 to any segment for a closed port"),
    TCP_NODE("initcwnd_segments", initcwnd_segments, 1, 100, "initial window, segments"),
    TCP_NODE("insecure_rst", insecure_rst, 0, 1, "any RST within the window resets (RFC 793)"),
    TCP_NODE("ack_war_timewindow", ack_war_timewindow_ms, 1, 60000,
	"challenge ACKs are counted over this time, ms"),
    TCP_NODE("ack_war_cnt", ack_war_cnt, 1, 10000, "challenge ACKs in that time"),
    TCP_NODE("synlimit", synlimit, 1, 1000000,
	"half-open connections of a listener, beside the limits of the SYN cache"),
    TCP_NODE("syncache.bucketlimit", syncache_bucketlimit, 1, 1000, "entries of a bucket"),
    TCP_NODE("syncache.cachelimit", syncache_cachelimit, 1, TCP_SYNCACHE_CACHEMAX,
	"entries of all"),
    TCP_NODE("syncache.rexmtlimit", syncache_rexmtlimit, 0, TCP_SYNCACHE_REXMTMAX,
	"a SYN,ACK is sent again so many times"),
    TCP_NODE("syncache.rst_on_sock_fail", syncache_rst_on_sock_fail, 0, 1,
	"answer by RST when there is no socket for a finished handshake"),
    TCP_NODE("syncookies", syncookies, 0, 1, "SYN cookies when the SYN cache is full"),
    TCP_NODE("syncookies_only", syncookies_only, 0, 1, "SYN cookies and no SYN cache"),
    TCP_NODE_RO("syncache.hashsize", tcps_syncache.sch_hashsize, "buckets"),
    TCP_NODE_RO("syncache.count", tcps_syncache.sch_count, "entries now"),
    TCP_NODE("tso", tso, 0, 1, "hand down large segments to be cut by the interface"),
    TCP_NODE("sack.enable", sack_enable, 0, 1, "offer selective acknowledgments"),
    TCP_NODE("sack.maxholes", sack_maxholes, 0, 65535, "holes of a connection's scoreboard"),
    TCP_NODE("sack.globalmaxholes", sack_globalmaxholes, 0, TCP_HOLES_MAX, "holes of all"),
    TCP_NODE("ecn.enable", ecn_enable, 0, 2,
	"explicit congestion notification: 1 ask for it and grant it, 2 grant it"),
    TCP_NODE("ecn.maxretries", ecn_maxretries, 0, 12, "SYNs sent again that still ask for it"),
    TCP_NODE("tlp", tlp, 0, 1, "send tail loss probes"),
    TCP_NODE("pacing", pacing, 0, 1,
	"pace new connections by the rate of their congestion control"),
    TCP_NODE("pmtud_blackhole_detection", pmtud_blackhole_detection, 0, 1,
	"smaller segments when time-outs look like a path that drops large ones silently"),
    TCP_NODE("pmtud_blackhole_mss", pmtud_blackhole_mss, 64, 65495,
	"segments at first then, bytes; later mssdflt"),
};

static const struct sysctl_node tcp_stat_nodes[] = {
#define STAT(name, text) STAT_NODE("net.inet.tcp.stats.", TCPSTAT_, name, text)
#include "netinet/tcp_stat.def"
#undef STAT
};
STAT_TABLE_CHECK(tcp_stat_nodes, TCPSTAT_COUNT);

static void
tcp_defaults(struct tcp_state *ts)
{
	ts->tcps_sysctl.sendspace = 32 * KIB;
	ts->tcps_sysctl.recvspace = 64 * KIB;
	ts->tcps_sysctl.sendbuf_auto = 1;
	ts->tcps_sysctl.sendbuf_max = 4 * MIB;
	ts->tcps_sysctl.sendbuf_inc = 8 * KIB;
	ts->tcps_sysctl.recvbuf_auto = 1;
	ts->tcps_sysctl.recvbuf_max = 4 * MIB;
	ts->tcps_sysctl.mssdflt = TCP_MSS_DEFAULT;
	ts->tcps_sysctl.minmss = TCP_MSS_FLOOR;
	ts->tcps_sysctl.rfc1323 = 1;
	ts->tcps_sysctl.delayed_ack = 1;
	ts->tcps_sysctl.delacktime_ms = 40;
	ts->tcps_sysctl.msl_ms = 30000;
	ts->tcps_sysctl.rexmit_min_ms = 200;
	ts->tcps_sysctl.rexmit_initial_ms = 1000;
	ts->tcps_sysctl.keepinit_ms = 75000;
	ts->tcps_sysctl.keepidle_ms = 7200000;
	ts->tcps_sysctl.keepintvl_ms = 75000;
	ts->tcps_sysctl.keepcnt = 9;
	ts->tcps_sysctl.finwait2_timeout_ms = 60000;
	ts->tcps_sysctl.persmin_ms = 10; /* not 5 s as in FreeBSD: RFC 9293 SHLD-29 */
	ts->tcps_sysctl.persmax_ms = 60000;
	ts->tcps_sysctl.reass_maxqueuelen = 100;
	ts->tcps_sysctl.initcwnd_segments = 10;
	ts->tcps_sysctl.ack_war_timewindow_ms = 1000;
	ts->tcps_sysctl.ack_war_cnt = 5;
	ts->tcps_sysctl.synlimit = TCP_SYNCACHE_CACHEMAX;
	ts->tcps_sysctl.syncache_bucketlimit = TCP_SYNCACHE_BUCKETLIMIT;
	ts->tcps_sysctl.syncache_cachelimit = TCP_SYNCACHE_CACHELIMIT;
	ts->tcps_sysctl.syncache_rexmtlimit = 3;
	ts->tcps_sysctl.syncookies = 1;
	ts->tcps_sysctl.tso = 1;
	ts->tcps_sysctl.sack_enable = 1;
	ts->tcps_sysctl.sack_maxholes = 128;
	ts->tcps_sysctl.sack_globalmaxholes = TCP_HOLES_MAX;
	ts->tcps_sysctl.tlp = 1;
	ts->tcps_sysctl.pmtud_blackhole_mss = 1200;
	ts->tcps_sysctl.ecn_enable = 2;
	ts->tcps_sysctl.ecn_maxretries = 1;
	memcpy(ts->tcps_sysctl.cc_algorithm, "cubic", sizeof("cubic"));
}

/* A connection a socket, and as many again that are in TIME-WAIT and find no memory for a record. */
static int
tcp_pools_init(struct netstack *ns, struct tcp_state *ts)
{
	uint32_t sockets = ns->ns_socketpool.pl_limit, limit = 2 * sockets;
	int error;

	ts->tcps_sysctl.maxtcptw = KERN_MIN(sockets, TCP_MAXTCPTW);
	ts->tcps_sysctl.maxorphans = KERN_MIN(howmany(sockets, 2), TCP_MAXORPHANS);
	error =
	    pool_init(&ts->tcps_tcpcbpool, "tcpcb", sizeof(struct tcpcb), limit, 0, &ns->ns_fault);
	if (error != 0)
		return error;
	error = pool_init(&ts->tcps_reassqpool, "tcpreassq", sizeof(struct tcp_reass), limit, 0,
	    &ns->ns_fault);
	if (error == 0)
		error = pool_init(&ts->tcps_reasspool, "tcpreass", sizeof(struct tcp_reass_seg),
		    TCP_REASS_MAX, 0, &ns->ns_fault);
	if (error == 0)
		error = pool_init(&ts->tcps_holepool, "tcpsackhole", sizeof(struct tcp_sackhole),
		    TCP_HOLES_MAX, 0, &ns->ns_fault);
	if (error == 0)
		error = pool_init(&ts->tcps_undopool, "tcpundo", sizeof(struct tcp_undo), limit, 0,
		    &ns->ns_fault);
	if (error == 0)
		error = pool_init(&ts->tcps_sendlogpool, "tcpsendlog",
		    TCP_SENDLOG * sizeof(struct tcp_sendlog), limit, 0, &ns->ns_fault);
	if (error == 0)
		error = pool_init(&ts->tcps_pacingpool, "tcppacing", sizeof(struct tcp_pacing),
		    limit, 0, &ns->ns_fault);
	if (error == 0)
		error = in_pcbtable_init(&ts->tcps_table, ns, "tcppcb", limit);
	if (error == 0)
		return 0;
	pool_destroy(&ts->tcps_pacingpool);
	pool_destroy(&ts->tcps_sendlogpool);
	pool_destroy(&ts->tcps_undopool);
	pool_destroy(&ts->tcps_holepool);
	pool_destroy(&ts->tcps_reasspool);
	pool_destroy(&ts->tcps_reassqpool);
	pool_destroy(&ts->tcps_tcpcbpool);
	return error;
}

/* Frees ts with its pools. */
static void
tcp_pools_fini(struct netstack *ns, struct tcp_state *ts)
{
	in_pcbtable_fini(&ts->tcps_table);
	pool_destroy(&ts->tcps_pacingpool);
	pool_destroy(&ts->tcps_sendlogpool);
	pool_destroy(&ts->tcps_undopool);
	pool_destroy(&ts->tcps_holepool);
	pool_destroy(&ts->tcps_reasspool);
	pool_destroy(&ts->tcps_reassqpool);
	pool_destroy(&ts->tcps_tcpcbpool);
	ns->ns_tcp = NULL;
	kmem_free(ts, sizeof(*ts));
}

int
tcp_init(struct netstack *ns)
{
	struct tcp_state *ts = kmem_alloc(&ns->ns_fault, sizeof(*ts));
	int error;

	if (ts == NULL)
		return ENOMEM;
	ts->tcps_ns = ns;
	tcp_defaults(ts);
	error = tcp_pools_init(ns, ts);
	if (error != 0) {
		kmem_free(ts, sizeof(*ts));
		return error;
	}
	ns->ns_tcp = ts;
	error = tcp_timewait_init(ns);
	if (error == 0)
		error = tcp_syncache_init(ns);
	if (error != 0) {
		tcp_timewait_fini(ns);
		tcp_pools_fini(ns, ts);
		return error;
	}
	rng_bytes(&ns->ns_rng, ts->tcps_isskey, sizeof(ts->tcps_isskey));
	rng_bytes(&ns->ns_rng, ts->tcps_tskey, sizeof(ts->tcps_tskey));
	sysctl_register(ns, &ts->tcps_sysctls, tcp_nodes, nitems(tcp_nodes), ts);
	stat_register(ns, &ts->tcps_stat_sysctls, tcp_stat_nodes, TCPSTAT_COUNT, ts->tcps_stat);
	return 0;
}

void
tcp_fini(struct netstack *ns)
{
	struct tcp_state *ts = ns->ns_tcp;
	struct inpcb *inp;

	if (ts == NULL)
		return;
	tcp_syncache_fini(ns);
	while ((inp = TAILQ_FIRST(&ts->tcps_table.it_queue)) != NULL)
		(void)tcp_close(intotcpcb(inp));
	tcp_timewait_fini(ns);
	sysctl_unregister(ns, &ts->tcps_stat_sysctls);
	sysctl_unregister(ns, &ts->tcps_sysctls);
	tcp_pools_fini(ns, ts);
}
