/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams between two stacks: every byte, in order, whatever the wire does; windows are respected
 * and never shrink; memory may fail anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "netinet/tcp_wire_testutil.h"
#include "wire/tcp_seq.h"

#define START_NS 1000000000ull
#define MINUTE_NS (60 * 1000000000ull)

/* One direction of a transfer. */
struct flow {
	struct wire *f_w;
	struct socket *f_from;
	struct socket *f_to;
	uint32_t f_total;
	uint32_t f_sent;
	uint32_t f_got;
	uint32_t f_maxwrite;
	uint32_t f_maxread;
	bool f_shut;
	bool f_eof;
};

static uint8_t
byte_at(uint32_t off)
{
	return (uint8_t)(off * 2654435761u >> 24);
}

static void
flow_write(struct flow *f)
{
	static uint8_t buf[65536];

	while (f->f_sent < f->f_total) {
		uint32_t n = 1 + wire_rand(f->f_w) % f->f_maxwrite;

		n = KERN_MIN(n, f->f_total - f->f_sent);
		for (uint32_t i = 0; i < n; i++)
			buf[i] = byte_at(f->f_sent + i);
		size_t took = wire_write(f->f_from, buf, n, 0);
		f->f_sent += (uint32_t)took;
		if (took < n)
			return;
	}
	if (!f->f_shut) {
		f->f_shut = true;
		assert_int_equal(soshutdown(f->f_from, BSD_SHUT_WR), 0);
	}
}

static void
flow_read(struct flow *f)
{
	static uint8_t buf[65536];
	size_t n;

	do {
		n = wire_read(f->f_to, buf, 1 + wire_rand(f->f_w) % f->f_maxread, &f->f_eof);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf[i], byte_at(f->f_got + (uint32_t)i));
		f->f_got += (uint32_t)n;
	} while (n > 0);
}

/* Both ways at once; pumped after each event. */
static bool
flows_done(void *arg)
{
	struct flow *f = arg;

	for (unsigned i = 0; i < 2; i++) {
		flow_write(&f[i]);
		flow_read(&f[i]);
	}
	return f[0].f_eof && f[1].f_eof;
}

static void
flows_init(struct wire *w, struct socket *so[2], struct flow f[2], uint32_t forth, uint32_t back)
{
	for (unsigned i = 0; i < 2; i++)
		f[i] = (struct flow){.f_w = w,
		    .f_from = so[i],
		    .f_to = so[1 - i],
		    .f_total = i == 0 ? forth : back,
		    .f_maxwrite = 20000,
		    .f_maxread = 65536};
}

static void
flows_run(struct flow f[2], uint64_t limit_ns)
{
	assert_true(wire_run_until(f[0].f_w, limit_ns, flows_done, f));
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(f[i].f_got, f[i].f_total);
}

/* -- what every segment must keep to --------------------------------------------------------- */

struct watch {
	tcp_seq edge[2]; /* right edge that side announced */
	bool known[2];
	uint8_t shift[2];
	unsigned shrunk;
	unsigned beyond;
	unsigned badack;
};

static bool
watch_windows(struct wire *w, unsigned from, struct tcp_hdr *th, uint8_t *seg, size_t len)
{
	struct watch *wa = w->w_filterarg;
	uint32_t datalen = (uint32_t)len - th->th_off;

	(void)seg;
	if ((th->th_flags & TH_RST) != 0)
		return true;
	if ((th->th_flags & TH_ACK) != 0) {
		uint8_t shift = (th->th_flags & TH_SYN) != 0 ? 0 : wa->shift[from];
		tcp_seq edge = th->th_ack + ((uint32_t)th->th_win << shift);

		/* Scaling may round the edge down by less than one unit (RFC 7323 §2.4). */
		if (wa->known[from] && SEQ_LT(edge + (1u << shift) - 1, wa->edge[from]))
			wa->shrunk++;
		if (!wa->known[from] || SEQ_GT(edge, wa->edge[from]))
			wa->edge[from] = edge;
		wa->known[from] = true;
	}
	/* A probe is one byte beyond. */
	if (wa->known[1 - from] && datalen > 1 && SEQ_GT(th->th_seq + datalen, wa->edge[1 - from]))
		wa->beyond++;
	return true;
}

static void
watch_start(struct wire *w, struct watch *wa, struct socket *so[2])
{
	*wa = (struct watch){0};
	for (unsigned i = 0; i < 2; i++)
		wa->shift[i] = wire_tcpcb(so[i])->rcv_scale;
	w->w_filter = watch_windows;
	w->w_filterarg = wa;
}

static void
watch_check(const struct watch *wa)
{
	assert_int_equal(wa->shrunk, 0);
	assert_int_equal(wa->beyond, 0);
}

/* -- streams --------------------------------------------------------------------------------- */

struct weather {
	unsigned loss, dup, reorder;
	uint32_t forth, back;
	uint16_t mtu;
	uint32_t maxread, maxwrite;
	bool plain; /* neither scaling nor timestamps */
	bool notso;
};

static void
transfer(const struct weather *we, uint64_t seed)
{
	struct wire w;
	struct socket *so[2];
	struct flow f[2];
	struct watch wa;

	wire_start(&w, START_NS);
	w.w_seed += seed * 7919;
	w.w_mtu = we->mtu != 0 ? we->mtu : 1500;
	for (unsigned i = 0; i < 2; i++) {
		if (we->plain)
			assert_int_equal(sysctl_set_u64(w.w_ns[i], "net.inet.tcp.rfc1323", 0), 0);
		if (we->notso)
			assert_int_equal(sysctl_set_u64(w.w_ns[i], "net.inet.tcp.tso", 0), 0);
	}
	wire_pair(&w, so);
	watch_start(&w, &wa, so);
	w.w_loss_permille = we->loss;
	w.w_dup_permille = we->dup;
	w.w_reorder_permille = we->reorder;
	flows_init(&w, so, f, we->forth, we->back);
	for (unsigned i = 0; i < 2; i++) {
		f[i].f_maxread = we->maxread != 0 ? we->maxread : 65536;
		f[i].f_maxwrite = we->maxwrite != 0 ? we->maxwrite : 20000;
	}
	flows_run(f, 60 * MINUTE_NS);
	watch_check(&wa);
	w.w_loss_permille = 0;
	assert_int_equal(soclose(so[0]), 0);
	assert_int_equal(soclose(so[1]), 0);
	wire_end(&w);
}

static void
test_clean_wire(void **state)
{
	(void)state;
	transfer(&(struct weather){.forth = 3000000, .back = 700000}, 1);
	transfer(&(struct weather){.forth = 300000, .back = 300000, .notso = true}, 2);
	transfer(&(struct weather){.forth = 300000, .back = 1, .plain = true}, 3);
	transfer(&(struct weather){.forth = 0, .back = 0}, 4);
	transfer(&(struct weather){.forth = 20000, .back = 100, .maxwrite = 3, .maxread = 2}, 5);
	transfer(&(struct weather){.forth = 200000, .back = 5000, .mtu = 296}, 6);
	transfer(&(struct weather){.forth = 2000000, .back = 5000, .mtu = 65000}, 7);
}

static void
test_loss(void **state)
{
	(void)state;
	for (unsigned loss = 5; loss <= 100; loss = loss * 2 + 5) {
		for (uint64_t seed = 0; seed < 4; seed++)
			transfer(&(struct weather){.forth = 400000, .back = 100000, .loss = loss},
			    seed);
	}
	transfer(&(struct weather){.forth = 200000, .loss = 50, .plain = true, .notso = true}, 9);
}

static void
test_bad_weather(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 8; seed++)
		transfer(&(struct weather){.forth = 300000,
			     .back = 200000,
			     .loss = 30,
			     .dup = 50,
			     .reorder = 100,
			     .maxwrite = 5000,
			     .maxread = 3000},
		    seed);
}

static tcp_seq
iss_when_started(uint64_t start_ns, tcp_seq wrap_at, bool run)
{
	struct wire w;
	struct socket *so[2];
	struct flow f[2];
	tcp_seq iss;

	wire_start(&w, start_ns);
	w.w_loss_permille = run ? 20 : 0;
	so[0] = wire_listen(&w, 1, WIRE_PORT);
	(void)soclose(so[0]);
	w.w_loss_permille = 0;
	wire_pair(&w, so);
	iss = wire_tcpcb(so[0])->iss;
	if (run) {
		assert_true(SEQ_LT(iss, wrap_at) && wrap_at - iss < 200000);
		w.w_loss_permille = 20;
		flows_init(&w, so, f, 600000, 600000);
		flows_run(f, 10 * MINUTE_NS);
	}
	w.w_loss_permille = 0;
	wire_end(&w);
	return iss;
}

/* HOSTILE 75: sequence numbers wrap during a transfer, both signed and unsigned. */
static void
test_sequence_wrap(void **state)
{
	const tcp_seq wraps[] = {0, 0x80000000u};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		tcp_seq iss = iss_when_started(START_NS, 0, false);
		uint64_t ticks = (uint32_t)(wraps[i] - 100000 - iss);

		(void)iss_when_started(START_NS + ticks * 4000, wraps[i], true);
	}
}

/* A fast path and a long one: the buffers must grow to fill it. */
static void
test_autotuning(void **state)
{
	struct wire w;
	struct socket *so[2];
	struct flow f[2];

	(void)state;
	wire_start(&w, START_NS);
	w.w_delay_ns = 50 * 1000000;
	wire_pair(&w, so);
	flows_init(&w, so, f, 20000000, 0);
	flows_run(f, 10 * MINUTE_NS);
	assert_true(so[0]->so_snd.sb_hiwat > 256 * 1024);
	assert_true(so[1]->so_rcv.sb_hiwat > 256 * 1024);
	assert_true(so[1]->so_rcv.sb_hiwat <= 4 * 1024 * 1024);
	/* 20 MB in buffers of 32 and 64 KiB would take 30 seconds at least. */
	assert_true(w.w_now_ns - START_NS < 15 * 1000000000ull);
	wire_end(&w);
}

static void
test_autotuning_off(void **state)
{
	struct wire w;
	struct socket *so[2];
	struct flow f[2];

	(void)state;
	wire_start(&w, START_NS);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(sysctl_set_u64(w.w_ns[i], "net.inet.tcp.sendbuf_auto", 0), 0);
		assert_int_equal(sysctl_set_u64(w.w_ns[i], "net.inet.tcp.recvbuf_auto", 0), 0);
	}
	w.w_delay_ns = 50 * 1000000;
	wire_pair(&w, so);
	flows_init(&w, so, f, 2000000, 0);
	flows_run(f, 10 * MINUTE_NS);
	assert_int_equal(so[0]->so_snd.sb_hiwat, 32768);
	assert_int_equal(so[1]->so_rcv.sb_hiwat, 65536);
	wire_end(&w);
}

/* One packet handed down stands for many segments, unless net.inet.tcp.tso says no. */
static void
test_large_segments(void **state)
{
	(void)state;
	for (unsigned tso = 0; tso < 2; tso++) {
		struct wire w;
		struct socket *so[2];
		struct flow f[2];

		wire_start(&w, START_NS);
		assert_int_equal(sysctl_set_u64(w.w_ns[0], "net.inet.tcp.tso", tso), 0);
		wire_pair(&w, so);
		flows_init(&w, so, f, 1000000, 0);
		flows_run(f, MINUTE_NS);
		uint64_t packets = w.w_ns[0]->ns_tcp->tcps_stat[TCPSTAT_sndpack];
		if (tso != 0)
			assert_true(packets < 1000000 / 1448 / 2);
		else
			assert_true(packets >= 1000000 / 1448);
		wire_end(&w);
	}
}

/* A piece is one packet also without Nagle; more leaves a short one behind. */
static void
test_pieces(void **state)
{
	struct socket *so[2];
	struct wire w;

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	struct tcpcb *tp = wire_tcpcb(so[0]);
	uint64_t *sent = &w.w_ns[0]->ns_tcp->tcps_stat[TCPSTAT_sndpack];
	size_t piece = sodirect_piece(so[0], 65536);
	tp->t_flags |= TF_NODELAY;
	tp->snd_cwnd = tp->snd_wnd = 1 << 20;
	assert_true(piece > 60000);
	for (unsigned i = 0, nkv = 1; i < 2; i++) {
		struct kvec kv;
		struct mbuf *m = sodirect_room(so[0], piece + 500 * i, &kv, &nkv);

		assert_int_equal(sbreserve(so[0], &so[0]->so_snd, 1 << 18), 0);
		assert_int_equal(sodirect_send(so[0], m, kv.kv_len, NULL, NULL, 0), 0);
		assert_int_equal(*sent, 1 + 2 * i);
	}
	wire_end(&w);
}

/* -- windows --------------------------------------------------------------------------------- */

static size_t
fill_window(struct wire *w, struct socket *so)
{
	static uint8_t buf[4096];
	size_t sent = 0, n;

	for (unsigned i = 0; i < 400; i++) {
		for (size_t j = 0; j < sizeof(buf); j++)
			buf[j] = byte_at((uint32_t)(sent + j));
		n = wire_write(so, buf, sizeof(buf), 0);
		sent += n;
		/* A short write leaves the pattern to begin anew at the next. */
		wire_run(w, 20 * 1000000);
	}
	return sent;
}

static void
drain(struct wire *w, struct socket *so, size_t total)
{
	uint8_t buf[4096];
	size_t got = 0;

	for (unsigned i = 0; i < 4000 && got < total; i++) {
		size_t n = wire_read(so, buf, sizeof(buf), NULL);

		for (size_t j = 0; j < n; j++)
			assert_int_equal(buf[j], byte_at((uint32_t)(got + j)));
		got += n;
		if (n == 0)
			wire_run(w, 50 * 1000000);
	}
	assert_int_equal(got, total);
}

/* HOSTILE 71: a closed window is probed, at growing intervals, and the data go on when it opens. */
static void
test_zero_window(void **state)
{
	struct wire w;
	struct socket *so[2];
	struct watch wa;

	(void)state;
	wire_start(&w, START_NS);
	/* Unscaled, so that the window closes to the byte. */
	assert_int_equal(sysctl_set_u64(w.w_ns[1], "net.inet.tcp.rfc1323", 0), 0);
	wire_pair(&w, so);
	watch_start(&w, &wa, so);
	size_t sent = fill_window(&w, so[0]);
	assert_true(sent > 65536);
	assert_int_equal(wire_tcpcb(so[0])->snd_wnd, 0);
	assert_true(tcp_timer_isarmed(wire_tcpcb(so[0]), TCPT_PERSIST));
	unsigned before = w.w_nsent;
	wire_run(&w, 10 * MINUTE_NS);
	/* Once a minute, each answered: not a busy loop, and not dead. */
	assert_in_range(w.w_nsent - before, 10, 60);
	assert_true((so[0]->so_state & SS_ISCONNECTED) != 0);
	drain(&w, so[1], sent);
	watch_check(&wa);
	wire_end(&w);
}

static bool
lose_all_from_1(struct wire *w, unsigned from, struct tcp_hdr *th, uint8_t *seg, size_t len)
{
	(void)w;
	(void)th;
	(void)seg;
	(void)len;
	return from != 1;
}

/* The window update is lost: only the probe finds out. */
static void
test_lost_window_update(void **state)
{
	struct wire w;
	struct socket *so[2];
	uint8_t buf[65536];
	size_t got = 0, n;

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	size_t sent = fill_window(&w, so[0]);
	w.w_filter = lose_all_from_1;
	while ((n = wire_read(so[1], buf, sizeof(buf), NULL)) > 0)
		got += n;
	wire_run(&w, 1000000);
	w.w_filter = NULL;
	for (unsigned i = 0; i < 200 && got < sent; i++) {
		wire_run(&w, 1000000000);
		while ((n = wire_read(so[1], buf, sizeof(buf), NULL)) > 0)
			got += n;
	}
	assert_int_equal(got, sent);
	wire_end(&w);
}

/* HOSTILE 70: a peer that answers probes for ever does not hold a closed socket's data for ever. */
static void
test_persist_orphan(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	(void)fill_window(&w, so[0]);
	assert_int_equal(soclose(so[0]), 0);
	wire_run(&w, MINUTE_NS);
	assert_int_equal(w.w_ns[0]->ns_tcp->tcps_tcpcbpool.pl_nout, 1);
	wire_run(&w, 10 * MINUTE_NS);
	assert_int_equal(w.w_ns[0]->ns_tcp->tcps_tcpcbpool.pl_nout, 0);
	assert_int_equal(w.w_ns[0]->ns_tcp->tcps_stat[TCPSTAT_persistdrop], 1);
	assert_int_equal(so[1]->so_error, BSD_ECONNRESET);
	wire_end(&w);
}

/* Reading a byte at a time must not make the sender send bytes. */
static void
test_silly_window(void **state)
{
	struct wire w;
	struct socket *so[2];
	uint8_t byte;

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	(void)fill_window(&w, so[0]);
	unsigned before = w.w_nsent;
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(wire_read(so[1], &byte, 1, NULL), 1);
		wire_run(&w, 1000000);
	}
	assert_true(w.w_nsent - before < 10);
	wire_end(&w);
}

/* -- small segments -------------------------------------------------------------------------- */

static void
test_nagle(void **state)
{
	struct wire w;
	struct socket *so[2];
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_TCP,
	    .sopt_name = BSD_TCP_NODELAY,
	    .sopt_size = sizeof(int)};
	const int on = 1;

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	unsigned before = w.w_nsent;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(wire_write(so[0], "x", 1, 0), 1);
	assert_int_equal(w.w_nsent - before, 1);
	wire_run(&w, 1000000000);
	/* x, its delayed ACK, the other nine at once, their ACK */
	assert_int_equal(w.w_nsent - before, 4);
	assert_int_equal(so[1]->so_rcv.sb_cc, 10);
	memcpy(sopt.sopt_data, &on, sizeof(on));
	assert_int_equal(sosetopt(so[0], &sopt), 0);
	before = w.w_nsent;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(wire_write(so[0], "x", 1, 0), 1);
	assert_int_equal(w.w_nsent - before, 10);
	wire_end(&w);
}

/* The short tail of a large write waits while something is in flight, then goes. */
static void
test_nagle_splits_tail(void **state)
{
	struct wire w;
	struct socket *so[2];
	static uint8_t buf[10000];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	uint32_t mss = wire_tcpcb(so[0])->t_maxseg;
	assert_int_equal(mss, 1448);
	assert_int_equal(wire_write(so[0], "x", 1, 0), 1);
	assert_int_equal(wire_write(so[0], buf, 3 * mss + 10, 0), 3 * mss + 10);
	/* The x was alone; of the rest only whole segments left. */
	assert_int_equal(wire_tcpcb(so[0])->snd_max - wire_tcpcb(so[0])->snd_una, 1 + 3 * mss);
	wire_run(&w, 1000000000);
	assert_int_equal(so[1]->so_rcv.sb_cc, 3 * mss + 11);
	wire_end(&w);
}

static void
test_urgent(void **state)
{
	struct wire w;
	struct socket *so[2];
	uint8_t buf[16], oob = 0;

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	assert_int_equal(wire_write(so[0], "abc", 3, 0), 3);
	assert_int_equal(wire_write(so[0], "!", 1, BSD_MSG_OOB), 1);
	assert_int_equal(wire_write(so[0], "def", 3, 0), 3);
	wire_run(&w, 1000000000);
	assert_true((sopoll(so[1], BSD_POLLPRI) & BSD_POLLPRI) != 0);
	assert_int_equal(so[1]->so_proto->pr_usrreqs->pr_rcvoob(so[1], &oob, 0), 0);
	assert_int_equal(oob, '!');
	assert_int_equal(so[1]->so_proto->pr_usrreqs->pr_rcvoob(so[1], &oob, 0), BSD_EINVAL);
	/* Reading stops at the mark. */
	assert_int_equal(wire_read(so[1], buf, sizeof(buf), NULL), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(wire_read(so[1], buf, sizeof(buf), NULL), 3);
	assert_memory_equal(buf, "def", 3);
	wire_end(&w);
}

/* -- errors below ---------------------------------------------------------------------------- */

static void
test_nobufs_below(void **state)
{
	struct wire w;
	struct socket *so[2];
	struct flow f[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	w.w_outerror[0] = BSD_ENOBUFS;
	assert_int_equal(wire_write(so[0], "hello", 5, 0), 5);
	assert_int_equal(so[0]->so_error, 0);
	wire_run(&w, 100 * 1000000);
	w.w_outerror[0] = 0;
	wire_run(&w, 1000000000);
	assert_int_equal(so[1]->so_rcv.sb_cc, 5);
	uint8_t buf[5];
	assert_int_equal(wire_read(so[1], buf, 5, NULL), 5);
	flows_init(&w, so, f, 100000, 1000);
	flows_run(f, MINUTE_NS);
	wire_end(&w);
}

/* RFC 1191: the path's MTU falls; what is in flight is sent again in smaller segments. */
static void
test_mtu_falls(void **state)
{
	struct wire w;
	struct socket *so[2];
	struct flow f[2];

	(void)state;
	wire_start(&w, START_NS);
	assert_int_equal(sysctl_set_u64(w.w_ns[0], "net.inet.tcp.tso", 0), 0);
	wire_pair(&w, so);
	w.w_mtu = 800;
	flows_init(&w, so, f, 200000, 0);
	flows_run(f, MINUTE_NS);
	assert_int_equal(wire_tcpcb(so[0]) == NULL ? 748 : wire_tcpcb(so[0])->t_maxseg, 748);
	wire_end(&w);
}

/* An ICMP error about the first segment in flight. */
static void
send_ctl(struct wire *w, struct socket *so, enum in_ctl ctl, uint32_t arg, int32_t seq_off)
{
	const struct inpcb *inp = so->so_pcb;
	uint8_t head[8];
	struct in_ctlinfo ci = {.ci_af = &wire_afops,
	    .ci_ctl = ctl,
	    .ci_arg = arg,
	    .ci_src = inp->inp_laddr,
	    .ci_dst = inp->inp_faddr,
	    .ci_head = head,
	    .ci_headlen = sizeof(head)};
	uint32_t seq = wire_tcpcb(so)->snd_una + (uint32_t)seq_off;

	(void)w;
	head[0] = (uint8_t)(inp->inp_lport >> 8);
	head[1] = (uint8_t)inp->inp_lport;
	head[2] = (uint8_t)(inp->inp_fport >> 8);
	head[3] = (uint8_t)inp->inp_fport;
	for (unsigned i = 0; i < 4; i++)
		head[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
	tcp_ctlinput(inp->inp_ns, &ci);
}

/* HOSTILE 26, 27 */
static void
test_icmp(void **state)
{
	struct wire w;
	struct socket *so[2];
	static uint8_t buf[4000];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	struct tcpcb *tp = wire_tcpcb(so[0]);
	assert_int_equal(wire_write(so[0], buf, sizeof(buf), 0), sizeof(buf));
	send_ctl(&w, so[0], IN_CTL_MSGSIZE, 1000, 5000); /* not in flight */
	send_ctl(&w, so[0], IN_CTL_MSGSIZE, 1000, -1);
	assert_int_equal(tp->t_maxseg, 1448);
	send_ctl(&w, so[0], IN_CTL_MSGSIZE, 9000, 0); /* never raises */
	assert_int_equal(tp->t_maxseg, 1448);
	send_ctl(&w, so[0], IN_CTL_MSGSIZE, 1000, 0);
	assert_int_equal(tp->t_maxseg, 1000 - 52);
	send_ctl(&w, so[0], IN_CTL_MSGSIZE, 1200, 0);
	assert_int_equal(tp->t_maxseg, 1000 - 52);
	send_ctl(&w, so[0], IN_CTL_MSGSIZE, 68, 0);
	assert_int_equal(tp->t_maxseg, 552 - 52);
	send_ctl(&w, so[0], IN_CTL_MSGSIZE, 0, 0);
	assert_int_equal(tp->t_maxseg, 552 - 52);
	/* Soft in a synchronised state. */
	send_ctl(&w, so[0], IN_CTL_PORTUNREACH, 0, 0);
	assert_int_equal(so[0]->so_error, 0);
	assert_int_equal(tp->t_softerror, BSD_ECONNREFUSED);
	wire_run(&w, 10 * 1000000000ull);
	assert_int_equal(so[1]->so_rcv.sb_cc, sizeof(buf));
	/* Hard while connecting. */
	struct socket *other = wire_socket(&w, 0);
	assert_int_equal(wire_connect(&w, other, 0, 9), 0);
	send_ctl(&w, other, IN_CTL_HOSTUNREACH, 0, 0);
	assert_int_equal(other->so_error, BSD_EHOSTUNREACH);
	assert_null(other->so_pcb);
	wire_end(&w);
}

/* -- memory ---------------------------------------------------------------------------------- */

/* HOSTILE 76: each allocation of a whole connection fails in its turn, on either side. */
static uint64_t
with_failure(unsigned side, uint64_t nth)
{
	struct wire w;
	struct socket *so[2], *head;
	struct flow f[2];
	bool failed;

	wire_start(&w, START_NS);
	head = wire_listen(&w, 1, WIRE_PORT);
	so[0] = wire_socket(&w, 0);
	w.w_ns[side]->ns_fault.af_fail_at = nth;
	w.w_ns[side]->ns_fault.af_count = 0;
	failed = wire_connect(&w, so[0], 0, WIRE_PORT) != 0;
	for (unsigned i = 0; !failed && i < 60; i++) {
		so[1] = wire_accept(head);
		if (so[1] != NULL)
			break;
		wire_run(&w, 1000000000);
	}
	assert_true(failed || so[1] != NULL);
	if (!failed) {
		flows_init(&w, so, f, 30000, 3000);
		w.w_reorder_permille = 100;
		flows_run(f, 5 * MINUTE_NS);
	}
	uint64_t count = w.w_ns[side]->ns_fault.af_count;
	w.w_ns[side]->ns_fault.af_fail_at = 0;
	wire_end(&w);
	return count;
}

/* HOSTILE 76 */
static void
test_each_allocation_fails(void **state)
{
	(void)state;
	for (unsigned side = 0; side < 2; side++) {
		uint64_t n = with_failure(side, 0);

		assert_true(n > 20);
		for (uint64_t nth = 1; nth <= n; nth++)
			(void)with_failure(side, nth);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clean_wire),
	    cmocka_unit_test(test_loss),
	    cmocka_unit_test(test_bad_weather),
	    cmocka_unit_test(test_sequence_wrap),
	    cmocka_unit_test(test_autotuning),
	    cmocka_unit_test(test_autotuning_off),
	    cmocka_unit_test(test_large_segments),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_zero_window),
	    cmocka_unit_test(test_lost_window_update),
	    cmocka_unit_test(test_persist_orphan),
	    cmocka_unit_test(test_silly_window),
	    cmocka_unit_test(test_nagle),
	    cmocka_unit_test(test_nagle_splits_tail),
	    cmocka_unit_test(test_urgent),
	    cmocka_unit_test(test_nobufs_below),
	    cmocka_unit_test(test_mtu_falls),
	    cmocka_unit_test(test_icmp),
	    cmocka_unit_test(test_each_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
