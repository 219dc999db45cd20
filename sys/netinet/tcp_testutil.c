/* SPDX-License-Identifier: BSD-2-Clause */
/* The test bed of TCP's input side; see tcp_testutil.h. */
#include "netinet/tcp_testutil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/mbuf.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "netinet/tcp_inspect.h"
#include "wire/be.h"
#include "wire/cksum.h"

#define TT_HDRLEN 20 /* of the network header, which is all zero */

/* The family's calls know their stack, not their test bed. */
static struct tcp_test *tt_all;
static struct ifnet tt_ifnet;

static struct tcp_test *
tt_of(const struct netstack *ns)
{
	struct tcp_test *tt = tt_all;

	while (tt != NULL && tt->tt_ns != ns)
		tt = tt->tt_next;
	assert_non_null(tt);
	return tt;
}

/* -- the family ------------------------------------------------------------------------------ */

static int
tt_parse(const struct bsd_sockaddr *sa, struct in_endpoint *ep)
{
	const struct bsd_sockaddr_in *sin = (const struct bsd_sockaddr_in *)(const void *)sa;
	uint32_t addr;

	memcpy(&addr, &sin->sin_addr, sizeof(addr));
	*ep = (struct in_endpoint){{{addr, 0, 0, 0}}, be16_get((const uint8_t *)&sin->sin_port)};
	return 0;
}

static void
tt_emit(const struct in_endpoint *ep, union bsd_sockaddr_any *sa)
{
	*sa = (union bsd_sockaddr_any){
	    .sin = {.sin_len = sizeof(sa->sin), .sin_family = BSD_AF_INET}};
	be16_put((uint8_t *)&sa->sin.sin_port, ep->ie_port);
	memcpy(&sa->sin.sin_addr, &ep->ie_addr.ia_w[0], sizeof(uint32_t));
}

static bool
tt_islocal(struct netstack *ns, const struct in_addrany *a)
{
	(void)ns;
	return a->ia_w[0] == TT_US;
}

static bool
tt_ismulticast(const struct in_addrany *a)
{
	return a->ia_w[0] == TT_MCAST;
}

static bool
tt_isbroadcast(struct netstack *ns, const struct in_addrany *a)
{
	(void)ns;
	return a->ia_w[0] == TT_BCAST;
}

static int
tt_selectsrc(struct netstack *ns, const struct in_addrany *dst, struct ifnet *ifp,
    struct in_addrany *src)
{
	(void)ns;
	(void)dst;
	(void)ifp;
	*src = (struct in_addrany){{TT_US, 0, 0, 0}};
	return 0;
}

static struct ifnet *
tt_route(struct netstack *ns, const struct in_addrany *dst, struct ifnet *ifp, uint32_t *mtu,
    bool *direct)
{
	(void)ifp;
	(void)dst;
	*mtu = tt_of(ns)->tt_mtu;
	*direct = true;
	tt_ifnet.if_mtu = *mtu;
	return &tt_ifnet;
}

static uint32_t
tt_pseudo(const struct in_addrany *src, const struct in_addrany *dst, uint32_t len, uint8_t proto)
{
	return cksum_fold(cksum_pseudo4(src->ia_w[0], dst->ia_w[0], proto, (uint16_t)len));
}

static int
tt_output(struct mbuf *m, const struct in_txinfo *tx)
{
	struct tcp_test *tt = tt_of(tx->tx_ns);
	struct tcp_test_out *out = &tt->tt_out[tt->tt_nout];
	const size_t len = m->m_pkthdr.len;
	const bool needed = (m->m_pkthdr.csum_flags & M_CSUM_NEEDED) != 0;
	uint8_t *p = malloc(len);

	m_sanity(m);
	assert_non_null(p);
	m_copydata(m, 0, len, p);
	m_freem(m);
	if (tt->tt_outerror == 0) {
		assert_true(tt->tt_nout < TT_MAXOUT);
		assert_int_equal(tcp_parse(p, len, &out->th), TCP_PARSE_OK);
		assert_true(needed);
		assert_int_equal(be16_get(p + TCP_OFF_SUM),
		    tt_pseudo(&tx->tx_src, &tx->tx_dst, (uint32_t)len, tx->tx_proto));
		out->len = (uint32_t)(len - out->th.th_off);
		out->time_ns = tt->tt_ns->ns_now;
		assert_int_equal(tcp_opts_parse(p + TCP_HDR_LEN, out->th.th_off - TCP_HDR_LEN,
				     (out->th.th_flags & TH_SYN) != 0, &out->opts),
		    0);
		memcpy(out->data, p + out->th.th_off,
		    out->len < sizeof(out->data) ? out->len : sizeof(out->data));
		tt->tt_nout++;
	}
	free(p);
	return tt->tt_outerror;
}

/* Nothing is known of a path. */
static void
tt_getmetrics(struct netstack *ns, const struct in_addrany *dst, struct in_pathmetrics *pm)
{
	(void)ns;
	(void)dst;
	*pm = (struct in_pathmetrics){0};
}

static void
tt_putmetrics(struct netstack *ns, const struct in_addrany *dst, const struct in_pathmetrics *pm)
{
	(void)ns;
	(void)dst;
	(void)pm;
}

const struct in_afops tcp_test_afops = {
    .af_getmetrics = tt_getmetrics,
    .af_putmetrics = tt_putmetrics,
    .af_family = BSD_AF_INET,
    .af_hdrlen = TT_HDRLEN,
    .af_addrlen = 4,
    .af_parse = tt_parse,
    .af_emit = tt_emit,
    .af_islocal = tt_islocal,
    .af_ismulticast = tt_ismulticast,
    .af_isbroadcast = tt_isbroadcast,
    .af_selectsrc = tt_selectsrc,
    .af_route = tt_route,
    .af_pseudo = tt_pseudo,
    .af_output = tt_output,
};

/* -- the stack ------------------------------------------------------------------------------- */

static const struct domain tt_domain;

static const struct protosw tt_protosw[] = {{.pr_type = BSD_SOCK_STREAM,
    .pr_protocol = BSD_IPPROTO_TCP,
    .pr_flags = PR_CONNREQUIRED | PR_WANTRCVD | PR_LISTEN,
    .pr_domain = &tt_domain,
    .pr_usrreqs = &tcp_usrreqs,
    .pr_ctloutput = tcp_ctloutput}};

static const struct domain tt_domain = {.dom_family = BSD_AF_INET,
    .dom_name = "test",
    .dom_protosw = tt_protosw,
    .dom_nprotosw = 1,
    .dom_afops = &tcp_test_afops,
    .dom_init = tcp_init,
    .dom_fini = tcp_fini};

static const struct domain *const tt_domains[] = {&tt_domain, NULL};

void
tcp_test_start(struct tcp_test *tt)
{
	tcp_test_start_at(tt, test_config().nc_now_ns);
}

void
tcp_test_start_at(struct tcp_test *tt, uint64_t now_ns)
{
	struct netstack_config nc = test_config();

	nc.nc_now_ns = now_ns;
	nc.nc_domains = tt_domains;
	nc.nc_nmbufs = 4096;
	nc.nc_nclusters = 1024;
	*tt = (struct tcp_test){.tt_peeriss = TT_PEERISS,
	    .tt_wscale = -1,
	    .tt_mss = 1460,
	    .tt_mtu = 1500};
	tt->tt_out = calloc(TT_MAXOUT, sizeof(*tt->tt_out));
	assert_non_null(tt->tt_out);
	tt->tt_next = tt_all;
	tt_all = tt;
	tt->tt_ns = netstack_create(&nc);
	assert_non_null(tt->tt_ns);
	tt->tt_ns->ns_tcp->tcps_sysctl.tso = 0;
}

static void
tt_drop_all(struct tcp_test *tt)
{
	struct inpcbtable *table = &tt->tt_ns->ns_tcp->tcps_table;
	struct inpcb *inp;

	while ((inp = TAILQ_FIRST(&table->it_queue)) != NULL)
		(void)tcp_drop(intotcpcb(inp), 0);
	tcp_timewait_flush(tt->tt_ns);
}

void
tcp_test_end(struct tcp_test *tt)
{
	struct netstack *ns = tt->tt_ns;
	struct tcp_test **link = &tt_all;

	tt->tt_outerror = BSD_ENETDOWN; /* nothing more is to be seen */
	if (tt->tt_so != NULL && tt->tt_so != tt->tt_listen && tt->tt_ownsso)
		soclose(tt->tt_so);
	if (tt->tt_listen != NULL)
		soclose(tt->tt_listen);
	tt_drop_all(tt);
	netstack_run(ns);
	assert_int_equal(ns->ns_callouts.cw_npending, 0);
	assert_int_equal(ns->ns_tcp->tcps_tcpcbpool.pl_nout, 0);
	assert_int_equal(ns->ns_tcp->tcps_reasspool.pl_nout, 0);
	assert_int_equal(ns->ns_tcp->tcps_sendlogpool.pl_nout, 0);
	assert_int_equal(ns->ns_tcp->tcps_undopool.pl_nout, 0);
	assert_int_equal(ns->ns_tcp->tcps_reassqpool.pl_nout, 0);
	assert_int_equal(ns->ns_tcp->tcps_timewait.tws_count, 0);
	test_netstack_end(ns);
	while (*link != tt)
		link = &(*link)->tt_next;
	*link = tt->tt_next;
	free(tt->tt_out);
}

struct socket *
tcp_test_socket(struct tcp_test *tt)
{
	struct socket *so;

	assert_int_equal(socreate(tt->tt_ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &so), 0);
	so->so_state |= SS_NBIO;
	return so;
}

/* -- segments -------------------------------------------------------------------------------- */

struct tcp_test_seg
tcp_test_seg(const struct tcp_test *tt, uint8_t flags)
{
	struct tcp_test_seg seg = {.th = {.th_sport = TT_PEER,
				       .th_dport = TT_PORT,
				       .th_seq = tt->tt_peernxt,
				       .th_flags = flags,
				       .th_win = TT_PEERWIN},
	    .src = TT_THEM,
	    .dst = TT_US};

	if (tt->tt_tp != NULL) {
		seg.th.th_dport = tt->tt_tp->t_inpcb->inp_lport;
		if ((flags & TH_ACK) != 0)
			seg.th.th_ack = tt->tt_tp->snd_max;
	}
	if ((flags & TH_SYN) != 0) {
		seg.opts.to_flags = TOF_MSS;
		seg.opts.to_mss = tt->tt_mss;
		if (tt->tt_sack)
			seg.opts.to_flags |= TOF_SACKPERM;
		if (tt->tt_wscale >= 0) {
			seg.opts.to_flags |= TOF_WSCALE;
			seg.opts.to_wscale = (uint8_t)tt->tt_wscale;
		}
	}
	if (tt->tt_ts) {
		seg.opts.to_flags |= TOF_TS;
		seg.opts.to_tsval = TT_TSVAL + (uint32_t)(tt->tt_ns->ns_now / 1000000u);
	}
	return seg;
}

static struct mbuf *
tt_packet(struct tcp_test *tt, const struct tcp_test_seg *seg, struct in_rxinfo *rx)
{
	const struct in_addrany src = {{seg->src, 0, 0, 0}}, dst = {{seg->dst, 0, 0, 0}};
	struct tcp_hdr th = seg->th;
	uint8_t hdr[TT_HDRLEN + TCP_HDR_LEN_MAX] = {0};
	uint8_t *p = hdr + TT_HDRLEN;
	struct mbuf *m = m_getm(tt->tt_ns, TT_HDRLEN + TCP_HDR_LEN_MAX + (size_t)seg->len);
	uint32_t sum, len;

	assert_non_null(m);
	th.th_off = (uint8_t)(TCP_HDR_LEN +
	    tcp_opts_emit(p + TCP_HDR_LEN, TCP_OPTS_LEN_MAX, &seg->opts,
		(th.th_flags & TH_SYN) != 0));
	th.th_sum = 0;
	tcp_emit(p, &th);
	len = th.th_off + seg->len;
	*rx = (struct in_rxinfo){.rx_af = &tcp_test_afops,
	    .rx_ifp = &tt_ifnet,
	    .rx_src = src,
	    .rx_dst = dst,
	    .rx_hlen = TT_HDRLEN,
	    .rx_len = len,
	    .rx_proto = BSD_IPPROTO_TCP,
	    .rx_ttl = 64,
	    .rx_bcast = seg->bcast};
	sum = cksum_partial(p, th.th_off,
	    cksum_pseudo4(src.ia_w[0], dst.ia_w[0], BSD_IPPROTO_TCP, (uint16_t)len));
	sum = cksum_partial(seg->data, seg->data != NULL ? seg->len : 0, sum);
	be16_put(p + TCP_OFF_SUM, (uint16_t)(cksum_finish(sum) ^ (seg->badsum ? 0x5555 : 0)));
	assert_int_equal(m_append(m, TT_HDRLEN + (size_t)th.th_off, hdr), 0);
	if (seg->len > 0)
		assert_int_equal(m_append(m, seg->len, seg->data), 0);
	return m;
}

void
tcp_test_input(struct tcp_test *tt, const struct tcp_test_seg *seg)
{
	struct in_rxinfo rx;
	struct mbuf *m = tt_packet(tt, seg, &rx);
	const char *wrong;

	tcp_input(m, &rx);
	wrong = tt->tt_outerror == 0 ? tcp_inspect_check_all(tt->tt_ns) : NULL;
	if (wrong != NULL)
		fail_msg("after segment %u len %u flags %02x: %s", seg->th.th_seq, seg->len,
		    seg->th.th_flags, wrong);
}

void
tcp_test_segment(struct tcp_test *tt, const struct tcp_test_seg *seg, struct in_rxinfo *rx,
    struct tcp_segment *ts)
{
	struct mbuf *m = tt_packet(tt, seg, rx);

	m_adj(m, (int)(m->m_pkthdr.len - seg->len));
	*ts = (struct tcp_segment){.ts_rx = rx,
	    .ts_m = m,
	    .ts_seq = seg->th.th_seq,
	    .ts_ack = seg->th.th_ack,
	    .ts_len = seg->len,
	    .ts_wireseq = seg->th.th_seq,
	    .ts_wirelen = seg->len,
	    .ts_win = seg->th.th_win,
	    .ts_urp = seg->th.th_urp,
	    .ts_sport = seg->th.th_sport,
	    .ts_dport = seg->th.th_dport,
	    .ts_flags = seg->th.th_flags,
	    .ts_opts = seg->opts};
}

const struct tcp_test_out *
tcp_test_sent(struct tcp_test *tt)
{
	return tt->tt_first < tt->tt_nout ? &tt->tt_out[tt->tt_first++] : NULL;
}

unsigned
tcp_test_nsent(const struct tcp_test *tt)
{
	return tt->tt_nout - tt->tt_first;
}

void
tcp_test_forget(struct tcp_test *tt)
{
	tt->tt_nout = tt->tt_first = 0;
}

void
tcp_test_advance(struct tcp_test *tt, uint64_t delta_ns)
{
	test_run_for(tt->tt_ns, delta_ns);
}

/* -- data ------------------------------------------------------------------------------------ */

uint32_t
tcp_test_read(struct tcp_test *tt, void *buf, uint32_t len)
{
	struct bsd_iovec iov = {(uintptr_t)buf, len};
	struct vmspace vm = {.vm_engine = &copy_engine_direct, .vm_ns = tt->tt_ns};
	struct uio uio;
	int flags = BSD_MSG_DONTWAIT, error;

	assert_int_equal(uio_init(&uio, &iov, 1, UIO_READ, &vm), 0);
	error = soreceive(tt->tt_so, NULL, &uio, NULL, NULL, &flags);
	assert_true(error == 0 || error == BSD_EAGAIN);
	return len - (uint32_t)uio.uio_resid;
}

int
tcp_test_write(struct tcp_test *tt, const void *buf, uint32_t len)
{
	struct mbuf *m = m_getm(tt->tt_ns, len);

	assert_non_null(m);
	assert_int_equal(m_append(m, len, buf), 0);
	return sosend(tt->tt_so, NULL, NULL, m, NULL, BSD_MSG_DONTWAIT);
}

bool
tcp_test_alive(const struct tcp_test *tt)
{
	const struct inpcb *inp;

	TAILQ_FOREACH(inp, &tt->tt_ns->ns_tcp->tcps_table.it_queue, inp_queue) {
		if (inp->inp_ppcb == tt->tt_tp)
			return true;
	}
	return false;
}

/* -- states ---------------------------------------------------------------------------------- */

static void
tt_sockaddr(uint32_t addr, uint16_t port, union bsd_sockaddr_any *sa)
{
	const struct in_endpoint ep = {{{addr, 0, 0, 0}}, port};

	tt_emit(&ep, sa);
}

static void
tt_make_listener(struct tcp_test *tt)
{
	union bsd_sockaddr_any sa;

	tt->tt_listen = tcp_test_socket(tt);
	tt_sockaddr(TT_US, TT_PORT, &sa);
	assert_int_equal(sobind(tt->tt_listen, &sa.sa), 0);
	assert_int_equal(solisten(tt->tt_listen, 8), 0);
}

static void
tt_make_synsent(struct tcp_test *tt)
{
	union bsd_sockaddr_any sa;
	int error;

	tt->tt_so = tcp_test_socket(tt);
	tt->tt_ownsso = true;
	tt_sockaddr(TT_THEM, TT_PEER, &sa);
	error = soconnect(tt->tt_so, &sa.sa);
	assert_true(error == 0 || error == BSD_EINPROGRESS);
	tt->tt_tp = intotcpcb(tt->tt_so->so_pcb);
	tt->tt_peernxt = tt->tt_peeriss;
}

static void
tt_send(struct tcp_test *tt, uint8_t flags)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, flags);

	tcp_test_input(tt, &seg);
	tt->tt_peernxt += (flags & (TH_SYN | TH_FIN)) != 0;
}

/* Both call at once; a listener's handshakes have no tcpcb (tcp_syncache.c). */
static void
tt_make_synrcvd(struct tcp_test *tt)
{
	tt_make_synsent(tt);
	tt_send(tt, TH_SYN);
}

/* What to do from ESTABLISHED: 'S' our FIN, 'A' its ACK, 'F' the peer's FIN without ACK of ours. */
static void
tt_walk(struct tcp_test *tt, const char *way)
{
	tcp_seq before;

	tt_make_synsent(tt);
	tt_send(tt, TH_SYN | TH_ACK);
	for (; *way != '\0'; way++) {
		struct tcp_test_seg seg;

		before = tt->tt_tp->snd_una;
		if (*way == 'S') {
			assert_int_equal(soshutdown(tt->tt_so, BSD_SHUT_WR), 0);
		} else if (*way == 'A') {
			tt_send(tt, TH_ACK);
		} else {
			seg = tcp_test_seg(tt, TH_ACK | TH_FIN);
			seg.th.th_ack = before;
			tcp_test_input(tt, &seg);
			tt->tt_peernxt++;
		}
	}
}

struct tcpcb *
tcp_test_in_state(struct tcp_test *tt, enum tcp_fsm_state state)
{
	static const char *const ways[TCP_NSTATES] = {
	    [TCPS_ESTABLISHED] = "",
	    [TCPS_CLOSE_WAIT] = "F",
	    [TCPS_FIN_WAIT_1] = "S",
	    [TCPS_CLOSING] = "SF",
	    [TCPS_LAST_ACK] = "FS",
	    [TCPS_FIN_WAIT_2] = "SA",
	    [TCPS_TIME_WAIT] = "SAF",
	};
	union bsd_sockaddr_any sa;

	if (ways[state] != NULL) {
		tt_walk(tt, ways[state]);
	} else if (state == TCPS_SYN_SENT) {
		tt_make_synsent(tt);
	} else if (state == TCPS_SYN_RECEIVED) {
		tt_make_synrcvd(tt);
	} else if (state == TCPS_LISTEN) {
		tt_make_listener(tt);
		tt->tt_so = tt->tt_listen;
		tt->tt_tp = intotcpcb(tt->tt_so->so_pcb);
	} else {
		tt->tt_so = tcp_test_socket(tt);
		tt->tt_ownsso = true;
		tt_sockaddr(TT_US, TT_PORT, &sa);
		assert_int_equal(sobind(tt->tt_so, &sa.sa), 0);
		tt->tt_tp = intotcpcb(tt->tt_so->so_pcb);
	}
	assert_int_equal(tt->tt_tp->t_state, state);
	tcp_test_forget(tt);
	return tt->tt_tp;
}
