/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header prediction beside the steps that it stands for: two stacks of one seed, one of which never
 * predicts, get the same frames, calls and times. After each step both must have sent the same
 * frames, given their programs the same bytes and have the same connections.
 */
#include <string.h>

#include <rumpus/abi.h>

#include "fuzz/fuzz.h"
#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "netinet/tcp_inspect.h"
#include "netinet/tcp_var.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#define US 1
#define THEM 9
#define PORT 80
#define FIRST 1000u /* the peer's port of the first connection */
#define CONNS 3u    /* without options; with timestamps and SACK; with scaled windows besides */
#define MAXSTEPS 300u
#define HASH_PRIME 0x100000001b3u

/* What a step has led to. */
struct outcome {
	uint64_t oc_hash; /* of the frames, and the bytes that were read */
	uint32_t oc_frames;
	uint32_t oc_bytes;
};

static struct twin {
	struct netstack *tw_ns;
	struct fuzz_if tw_if;
	struct socket *tw_listener;
	struct socket *tw_socks[CONNS];
	struct outcome tw_out;
} twins[2];

static uint32_t peer_ts;       /* the peer's clock */
static uint32_t our_ts[CONNS]; /* the last that was seen of ours */

static void
note(struct twin *tw, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		tw->tw_out.oc_hash = (tw->tw_out.oc_hash ^ p[i]) * HASH_PRIME;
}

static void
sent(struct fuzz_if *fz, const uint8_t *frame, size_t len)
{
	struct twin *tw = fz->fz_arg;
	const uint8_t *seg = frame + ETHER_HDR_LEN + IPV4_HDR_LEN;
	struct tcp_opts to;
	struct tcp_hdr th;

	note(tw, frame, len);
	tw->tw_out.oc_frames++;
	if (be16_get(frame + 12) != ETHERTYPE_IP ||
	    tcp_parse(seg, len - ETHER_HDR_LEN - IPV4_HDR_LEN, &th) != TCP_PARSE_OK)
		return;
	(void)tcp_opts_parse(seg + TCP_HDR_LEN, th.th_off - TCP_HDR_LEN, false, &to);
	if ((to.to_flags & TOF_TS) != 0 && th.th_dport - FIRST < CONNS)
		our_ts[th.th_dport - FIRST] = to.to_tsval;
}

/* -- frames: made once, from what the first stack's connection is at ----------------------------- */

static bool
connection(unsigned n, struct tcp_inspect *ti)
{
	for (unsigned i = 0; tcp_inspect_nth(twins[0].tw_ns, i, ti); i++) {
		if (ti->ti_fport == FIRST + n)
			return true;
	}
	return false;
}

/* Into both stacks. */
static void
put_segment(struct tcp_hdr *th, struct tcp_opts *to, size_t len)
{
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IP};
	struct ipv4_hdr ip = {.ip_ttl = 64,
	    .ip_p = IPV4_PROTO_TCP,
	    .ip_src_be = ipv4_addr_be(10, 0, 0, THEM),
	    .ip_dst_be = ipv4_addr_be(10, 0, 0, US)};
	uint8_t frame[FUZZ_FRAME_MAX] = {0}, *seg = frame + ETHER_HDR_LEN + IPV4_HDR_LEN;
	size_t hlen = TCP_HDR_LEN +
	    tcp_opts_emit(seg + TCP_HDR_LEN, TCP_OPTS_LEN_MAX, to, (th->th_flags & TH_SYN) != 0);

	fuzz_station(eh.ether_dhost, US);
	fuzz_station(eh.ether_shost, THEM);
	ether_emit(frame, &eh);
	ip.ip_len = (uint16_t)(IPV4_HDR_LEN + hlen + len);
	ipv4_emit(frame + ETHER_HDR_LEN, &ip);
	th->th_dport = PORT;
	th->th_off = (uint8_t)hlen;
	tcp_emit(seg, th);
	for (size_t i = 0; i < len; i++)
		seg[hlen + i] = (uint8_t)(th->th_seq + i);
	be16_put(seg + TCP_OFF_SUM,
	    cksum_finish(cksum_partial(seg, hlen + len,
		cksum_pseudo4(ip.ip_src_be, ip.ip_dst_be, ip.ip_p, (uint16_t)(hlen + len)))));
	for (unsigned i = 0; i < 2; i++)
		fuzz_if_input(&twins[i].tw_if, frame,
		    (size_t)ETHER_HDR_LEN + IPV4_HDR_LEN + hlen + len);
}

static void
opts_stamp(struct tcp_opts *to, unsigned n)
{
	if (n == 0)
		return;
	to->to_flags |= TOF_TS;
	to->to_tsval = peer_ts;
	to->to_tsecr = our_ts[n];
}

/* The next data, the ACK of a part, or both; now and then something about it is odd. */
static void
step_segment(struct fuzz_in *fi)
{
	unsigned n = fuzz_u8(fi) % CONNS;
	uint8_t what = fuzz_u8(fi), odd = fuzz_u8(fi);
	struct tcp_hdr th = {.th_sport = (uint16_t)(FIRST + n),
	    .th_flags = TH_ACK,
	    .th_win = 60000};
	struct tcp_opts to = {0};
	struct tcp_inspect ti;
	size_t len = (what & 1) != 0 ? fuzz_u16(fi) % 1400u : 0;

	if (!connection(n, &ti))
		return;
	peer_ts += what >> 4;
	opts_stamp(&to, n);
	th.th_seq = ti.ti_rcv_nxt;
	th.th_ack = ti.ti_snd_una;
	if ((what & 2) != 0) /* in 255ths of what is in flight */
		th.th_ack +=
		    (uint32_t)((uint64_t)(ti.ti_snd_max - ti.ti_snd_una) * fuzz_u8(fi) / 255);
	if ((odd & 0x0f) == 1)
		th.th_win = fuzz_u16(fi);
	else if ((odd & 0x0f) == 2)
		th.th_seq += (uint32_t)(int16_t)fuzz_u16(fi);
	else if ((odd & 0x0f) == 3)
		th.th_ack += (uint32_t)(int16_t)fuzz_u16(fi);
	else if ((odd & 0x0f) == 4)
		th.th_flags = fuzz_u8(fi);
	else if ((odd & 0x0f) == 5)
		to.to_tsval += (uint32_t)(int8_t)fuzz_u8(fi);
	else if ((odd & 0x0f) == 6)
		to.to_flags &= (uint8_t)~TOF_TS;
	else if ((odd & 0x0f) == 7) {
		to.to_flags |= TOF_SACK;
		to.to_nsacks = 1;
		to.to_sacks[0].start = ti.ti_snd_una + fuzz_u16(fi);
		to.to_sacks[0].end = to.to_sacks[0].start + fuzz_u16(fi);
	} else if ((odd & 0x0f) == 8)
		th.th_urp = fuzz_u8(fi);
	if ((odd & 0x10) != 0)
		th.th_flags |= TH_PUSH;
	put_segment(&th, &to, len);
}

/* -- programs -------------------------------------------------------------------------------- */

static void
step_write(struct fuzz_in *fi)
{
	static uint8_t bytes[16384];
	unsigned n = fuzz_u8(fi) % CONNS;
	size_t len = fuzz_u16(fi) % sizeof(bytes), done[2];
	int flags = (fuzz_u8(fi) & 0x0f) == 1 ? BSD_MSG_OOB : 0;

	for (unsigned i = 0; i < 2; i++)
		done[i] = twins[i].tw_socks[n] != NULL
		    ? fuzz_write(twins[i].tw_socks[n], NULL, bytes, len, flags)
		    : 0;
	FUZZ_CHECK(done[0] == done[1]);
}

static void
step_read(struct fuzz_in *fi)
{
	static uint8_t bytes[16384];
	unsigned n = fuzz_u8(fi) % CONNS;
	size_t len = fuzz_u16(fi) % sizeof(bytes);

	for (unsigned i = 0; i < 2; i++) {
		size_t done = twins[i].tw_socks[n] != NULL
		    ? fuzz_read(twins[i].tw_socks[n], bytes, len, 0)
		    : 0;

		note(&twins[i], bytes, done);
		twins[i].tw_out.oc_bytes += (uint32_t)done;
	}
}

static void
step_end(struct fuzz_in *fi)
{
	unsigned n = fuzz_u8(fi) % CONNS;
	uint8_t what = fuzz_u8(fi);

	for (unsigned i = 0; i < 2; i++) {
		if (twins[i].tw_socks[n] == NULL)
			continue;
		if (what % 8 != 0)
			(void)soshutdown(twins[i].tw_socks[n], what % 3);
		else {
			(void)soclose(twins[i].tw_socks[n]);
			twins[i].tw_socks[n] = NULL;
		}
	}
}

/* -- the world ------------------------------------------------------------------------------- */

static void
same(void)
{
	struct tcp_inspect ti[2];
	bool there[2];

	FUZZ_CHECK(twins[0].tw_out.oc_frames == twins[1].tw_out.oc_frames);
	FUZZ_CHECK(twins[0].tw_out.oc_bytes == twins[1].tw_out.oc_bytes);
	FUZZ_CHECK(twins[0].tw_out.oc_hash == twins[1].tw_out.oc_hash);
	for (unsigned n = 0;; n++) {
		for (unsigned i = 0; i < 2; i++) {
			memset(&ti[i], 0, sizeof(ti[i]));
			there[i] = tcp_inspect_nth(twins[i].tw_ns, n, &ti[i]);
		}
		FUZZ_CHECK(there[0] == there[1]);
		if (!there[0])
			break;
		FUZZ_CHECK(memcmp(&ti[0], &ti[1], sizeof(ti[0])) == 0);
	}
	for (unsigned i = 0; i < DROP_COUNT; i++)
		FUZZ_CHECK(twins[0].tw_ns->ns_drops[i] == twins[1].tw_ns->ns_drops[i]);
}

static void
run_for(uint64_t delay_ns)
{
	for (unsigned i = 0; i < 2; i++) {
		fuzz_run_for(twins[i].tw_ns, delay_ns);
		fuzz_check(twins[i].tw_ns);
	}
	same();
}

static void
step(struct fuzz_in *fi)
{
	static void (*const steps[])(struct fuzz_in *) = {step_segment, step_segment, step_segment,
	    step_segment, step_segment, step_segment, step_write, step_write, step_read, step_read,
	    step_end};
	uint8_t which = fuzz_u8(fi);

	if (which % 16 < nitems(steps))
		steps[which % 16](fi);
	run_for(which % 16 < nitems(steps) ? 0 : fuzz_delay_ns(fi) / (1u + (which >> 4) * 16u));
}

static void
twin_start(struct twin *tw)
{
	union bsd_sockaddr_any nam = fuzz_sin(0, PORT);

	memset(tw, 0, sizeof(*tw));
	tw->tw_ns = fuzz_stack();
	tw->tw_ns->ns_tcp->tcps_nopredict = tw == &twins[1];
	tw->tw_if.fz_sent = sent;
	tw->tw_if.fz_arg = tw;
	fuzz_if_attach(&tw->tw_if, tw->tw_ns, US);
	fuzz_if_neighbour(&tw->tw_if, THEM);
	FUZZ_CHECK(socreate(tw->tw_ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &tw->tw_listener) == 0);
	FUZZ_CHECK(sobind(tw->tw_listener, &nam.sa) == 0);
	FUZZ_CHECK(solisten(tw->tw_listener, CONNS) == 0);
}

static void
connect_peer(unsigned n)
{
	struct tcp_hdr th = {.th_sport = (uint16_t)(FIRST + n),
	    .th_flags = TH_SYN,
	    .th_seq = 0xfffffe00u,
	    .th_win = 60000};
	struct tcp_opts syn = {0}, to = {0};
	struct tcp_inspect ti;

	if (n > 0)
		syn.to_flags |= TOF_SACKPERM;
	if (n > 1) {
		syn.to_flags |= TOF_WSCALE;
		syn.to_wscale = 7;
	}
	opts_stamp(&syn, n);
	put_segment(&th, &syn, 0);
	run_for(0);
	FUZZ_CHECK(connection(n, &ti));
	th.th_flags = TH_ACK;
	th.th_seq++;
	th.th_ack = ti.ti_iss + 1;
	opts_stamp(&to, n);
	put_segment(&th, &to, 0);
	run_for(0);
	for (unsigned i = 0; i < 2; i++)
		FUZZ_CHECK(soaccept(twins[i].tw_listener, true, &twins[i].tw_socks[n], NULL) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in fi = {.fi_p = data, .fi_left = size};

	peer_ts = 1;
	memset(our_ts, 0, sizeof(our_ts));
	for (unsigned i = 0; i < 2; i++)
		twin_start(&twins[i]);
	for (unsigned n = 0; n < CONNS; n++)
		connect_peer(n);
	for (unsigned i = 0; i < MAXSTEPS && fi.fi_left > 0; i++)
		step(&fi);
	FUZZ_CHECK(twins[1].tw_ns->ns_tcp->tcps_stat[TCPSTAT_predack] == 0);
	FUZZ_CHECK(twins[1].tw_ns->ns_tcp->tcps_stat[TCPSTAT_preddat] == 0);
	for (unsigned i = 0; i < 2; i++)
		fuzz_stack_end(twins[i].tw_ns);
	return 0;
}
