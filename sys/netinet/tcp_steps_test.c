/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of RFC 9293 §3.10.7.4 one by one: acceptability, PAWS, RST, SYN, ACK range, URG, text
 * and FIN, and what is answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_testutil.h"

static uint8_t zeros[4096];

static struct tcpcb *
start(struct tcp_test *tt, enum tcp_fsm_state state, bool ts)
{
	tcp_test_start(tt);
	tt->tt_ts = ts;
	return tcp_test_in_state(tt, state);
}

static uint64_t
dropped(const struct tcp_test *tt, enum drop_reason why)
{
	return tt->tt_ns->ns_drops[why];
}

/* An answer with ACK alone that tells the peer where we are. */
static void
answered_ack(struct tcp_test *tt)
{
	const struct tcp_test_out *out = tcp_test_sent(tt);

	assert_non_null(out);
	assert_int_equal(out->th.th_flags, TH_ACK);
	assert_int_equal(out->th.th_seq, tt->tt_tp->snd_max);
	assert_int_equal(out->th.th_ack, tt->tt_tp->rcv_nxt);
	assert_int_equal(out->len, 0);
	assert_null(tcp_test_sent(tt));
	tcp_test_forget(tt);
}

/* Sends a segment of the flags, off from the next one, of len bytes. */
static void
send_at(struct tcp_test *tt, int32_t off, uint32_t len, uint8_t flags)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, flags);

	seg.th.th_seq += (uint32_t)off;
	seg.len = len;
	seg.data = zeros;
	tcp_test_input(tt, &seg);
}

/* -- (1) sequence number --------------------------------------------------------------------- */

/* RFC 9293 table 6, each row at its edges, at several places of the sequence space. */
static void
test_acceptability(void **state)
{
	static const struct {
		uint32_t wnd;
		int32_t off;
		uint32_t len;
		uint8_t flags;
		bool ok;
	} cases[] = {
	    /* length 0, window 0 */
	    {0, 0, 0, 0, true},
	    {0, -1, 0, 0, false},
	    {0, 1, 0, 0, false},
	    /* length 0, window > 0 */
	    {100, -1, 0, 0, false},
	    {100, 0, 0, 0, true},
	    {100, 99, 0, 0, true},
	    {100, 100, 0, 0, false},
	    {1, 0, 0, 0, true},
	    {1, 1, 0, 0, false},
	    /* length > 0, window 0 */
	    {0, 0, 1, 0, false},
	    {0, -1, 2, 0, false},
	    {0, 0, 0, TH_FIN, false},
	    /* length > 0, window > 0 */
	    {100, -10, 10, 0, false},
	    {100, -10, 11, 0, true},
	    {100, -10, 10, TH_FIN, true},
	    {100, -10, 9, TH_FIN, false},
	    {100, 0, 1000, 0, true},
	    {100, 99, 1, 0, true},
	    {100, 99, 1000, 0, true},
	    {100, 100, 1, 0, false},
	    {100, -50, 100, 0, true},
	    {100, 99, 0, TH_FIN, true},
	    {100, 100, 0, TH_FIN, false},
	};
	static const tcp_seq bases[] = {0, 5000, 0x7fffffff, 0xffffffff, 0xfffffff0};
	struct tcpcb tp = {0};

	(void)state;
	for (size_t b = 0; b < nitems(bases); b++) {
		for (size_t i = 0; i < nitems(cases); i++) {
			struct tcp_segment seg = {.ts_len = cases[i].len,
			    .ts_flags = (uint8_t)(TH_ACK | cases[i].flags)};

			tp.rcv_nxt = bases[b];
			tp.rcv_adv = bases[b] + cases[i].wnd;
			seg.ts_seq = bases[b] + (uint32_t)cases[i].off;
			if (tcp_seg_acceptable(&tp, &seg) != cases[i].ok)
				fail_msg("base %zu case %zu", b, i);
		}
	}
}

static void
test_out_of_window(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, false);
	const int32_t edge = (int32_t)(tp->rcv_adv - tp->rcv_nxt);

	(void)state;
	send_at(&tt, edge, 10, TH_ACK);
	answered_ack(&tt);
	assert_int_equal(dropped(&tt, DROP_TCP_OUTOFWINDOW), 1);
	/* 61: one in 500 ms */
	send_at(&tt, edge, 10, TH_ACK);
	send_at(&tt, -1, 0, TH_ACK);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_oowacklimit], 2);
	tcp_test_advance(&tt, 500 * 1000000ull);
	send_at(&tt, -1, 0, TH_ACK); /* a keepalive */
	answered_ack(&tt);
	/* an old segment means that our ACK was lost: always */
	send_at(&tt, 0, 100, TH_ACK);
	tt.tt_peernxt += 100;
	tcp_test_advance(&tt, 100 * 1000000ull);
	tcp_test_forget(&tt);
	for (int i = 0; i < 3; i++) {
		send_at(&tt, -100, 100, TH_ACK);
		answered_ack(&tt);
	}
	assert_int_equal(dropped(&tt, DROP_TCP_DUPLICATE), 5);
	send_at(&tt, edge, 0, TH_RST);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	assert_true(tcp_test_alive(&tt));
	tcp_test_end(&tt);
}

/* 74: what is old and what is beyond is cut off. */
static void
test_trim(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, false);
	uint32_t wnd = tcp_rcvwnd(tp), sum = 0;
	const tcp_seq first = tp->rcv_nxt;

	(void)state;
	send_at(&tt, 0, 50, TH_ACK);
	send_at(&tt, 0, 80, TH_ACK);
	assert_int_equal(tp->rcv_nxt - first, 80);
	for (uint32_t off = 80; off < wnd; off += 1000)
		send_at(&tt, (int32_t)off, 1000, TH_ACK | TH_FIN * (off + 1000 >= wnd));
	/* all of the window, not more, and the FIN was beyond it */
	assert_int_equal(tp->rcv_nxt - first, wnd);
	assert_int_equal(tp->t_state, TCPS_ESTABLISHED);
	assert_int_equal(tt.tt_so->so_rcv.sb_cc, wnd);
	assert_true(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_rcvpackafterwin] > 0);
	tcp_test_forget(&tt);
	/* window 0: a probe's data are refused and answered, its ACK counts */
	assert_int_equal(tcp_rcvwnd(tp), 0);
	assert_int_equal(tcp_test_write(&tt, "hello", 5), 0);
	tcp_test_forget(&tt);
	send_at(&tt, (int32_t)wnd, 1, TH_ACK);
	answered_ack(&tt);
	assert_int_equal(tp->snd_una, tp->snd_max);
	assert_int_equal(tp->rcv_nxt - first, wnd);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_rcvwinprobe], 1);
	send_at(&tt, (int32_t)wnd, 0, TH_ACK | TH_FIN); /* a FIN has no room either */
	assert_int_equal(tp->t_state, TCPS_ESTABLISHED);
	while (sum < wnd)
		sum += tcp_test_read(&tt, zeros, sizeof(zeros));
	memset(zeros, 0, sizeof(zeros));
	tcp_test_end(&tt);
}

/* 67, 71: a FIN just behind the window; storage used up although bytes would fit; probes end. */
static void
test_edges(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, false);
	const tcp_seq first = tp->rcv_nxt;

	(void)state;
	tp->t_keepprobes = 3;
	tp->rcv_adv = first + 10;
	send_at(&tt, 0, 10, TH_ACK | TH_FIN);
	assert_int_equal(tp->rcv_nxt, first + 10);
	assert_int_equal(tp->t_state, TCPS_ESTABLISHED);
	assert_int_equal(tp->t_keepprobes, 0);
	tcp_test_forget(&tt);
	tp->rcv_adv = first + 1000;
	tt.tt_so->so_rcv.sb_mbmax = tt.tt_so->so_rcv.sb_mbcnt;
	send_at(&tt, 10, 10, TH_ACK);
	assert_int_equal(dropped(&tt, DROP_SOCK_FULL), 1);
	answered_ack(&tt);
	assert_int_equal(tp->rcv_nxt, first + 10);
	tcp_test_end(&tt);
}

/* -- timestamps ------------------------------------------------------------------------------ */

static void
send_ts(struct tcp_test *tt, uint32_t len, uint8_t flags, int32_t age)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, flags);

	seg.len = len;
	seg.data = zeros;
	seg.opts.to_tsval = tt->tt_tp->ts_recent - (uint32_t)age;
	tcp_test_input(tt, &seg);
}

static void
test_paws(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, true);
	struct tcp_test_seg seg;
	const tcp_seq first = tp->rcv_nxt;

	(void)state;
	assert_true((tp->t_flags & TF_RCVD_TSTMP) != 0);
	send_ts(&tt, 10, TH_ACK, 1);
	answered_ack(&tt);
	assert_int_equal(dropped(&tt, DROP_TCP_PAWS), 1);
	assert_int_equal(tp->rcv_nxt, first);
	seg = tcp_test_seg(&tt, TH_ACK); /* 60: no timestamp */
	seg.opts.to_flags = 0;
	seg.len = 10;
	seg.data = zeros;
	tcp_test_input(&tt, &seg);
	assert_int_equal(dropped(&tt, DROP_TCP_NOTS), 1);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	send_ts(&tt, 10, TH_ACK, 0);
	assert_int_equal(tp->rcv_nxt, first + 10);
	send_ts(&tt, 0, TH_RST, 1000); /* exempt, out of place: just dropped */
	assert_int_equal(dropped(&tt, DROP_TCP_RST), 1);
	tt.tt_peernxt += 10;
	send_ts(&tt, 0, TH_RST, 1000);
	assert_false(tcp_test_alive(&tt));
	tcp_test_end(&tt);
}

/* RFC 7323 §5.5: after 24 days TS.Recent means nothing. */
static void
test_paws_idle(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, true);
	uint32_t old = tp->ts_recent;

	(void)state;
	tp->ts_recent_age = (uint32_t)(tt.tt_ns->ns_now >> 30);
	netstack_enter(tt.tt_ns, tt.tt_ns->ns_now + (24ull * 86400 - 3) * 1000000000);
	send_ts(&tt, 10, TH_ACK, 5);
	assert_int_equal(dropped(&tt, DROP_TCP_PAWS), 1);
	netstack_enter(tt.tt_ns, tt.tt_ns->ns_now + 5 * 1000000000ull);
	send_ts(&tt, 10, TH_ACK, 5);
	assert_int_equal(dropped(&tt, DROP_TCP_PAWS), 1);
	assert_int_equal(tp->ts_recent, old - 5);
	tcp_test_end(&tt);
}

/* 60: TS.Recent only by what begins at or before Last.ACK.sent, and whose ACK is in range. */
static void
test_ts_recent(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, true);
	uint32_t old = tp->ts_recent;
	struct tcp_test_seg seg = tcp_test_seg(&tt, TH_ACK);

	(void)state;
	seg.th.th_seq += 100; /* beyond a hole */
	seg.len = 10;
	seg.data = zeros;
	seg.opts.to_tsval = old + 5000;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->ts_recent, old);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_ack += 1000; /* of what was never sent */
	seg.opts.to_tsval = old + 0x40000000;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->ts_recent, old);
	send_ts(&tt, 1, TH_ACK, -7);
	assert_int_equal(tp->ts_recent, old + 7);
	tcp_test_end(&tt);
}

/* -- (2) RST, (4) SYN: RFC 5961 -------------------------------------------------------------- */

static void
test_rst(void **state)
{
	static const struct {
		enum tcp_fsm_state state;
		int error;
	} cases[] = {
	    {TCPS_SYN_RECEIVED, -1},
	    {TCPS_ESTABLISHED, BSD_ECONNRESET},
	    {TCPS_CLOSE_WAIT, BSD_ECONNRESET},
	    {TCPS_FIN_WAIT_1, BSD_ECONNRESET},
	    {TCPS_FIN_WAIT_2, BSD_ECONNRESET},
	    {TCPS_CLOSING, 0},
	    {TCPS_LAST_ACK, 0},
	};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct tcp_test tt;
		struct tcpcb *tp = start(&tt, cases[i].state, false);

		/* 54: in the window, but not the next: challenged */
		send_at(&tt, 1, 0, TH_RST);
		answered_ack(&tt);
		send_at(&tt, (int32_t)tcp_rcvwnd(tp) - 1, 0, TH_RST);
		answered_ack(&tt);
		send_at(&tt, -1, 0, TH_RST);
		send_at(&tt, (int32_t)tcp_rcvwnd(tp), 0, TH_RST);
		assert_int_equal(tcp_test_nsent(&tt), 0);
		assert_true(tcp_test_alive(&tt));
		send_at(&tt, 0, 0, TH_RST);
		assert_int_equal(tcp_test_nsent(&tt), 0);
		assert_false(tcp_test_alive(&tt));
		assert_int_equal(dropped(&tt, DROP_TCP_RSTOK), 1);
		if (cases[i].error >= 0)
			assert_int_equal(tt.tt_so->so_error, cases[i].error);
		tcp_test_end(&tt);
	}
}

/* 55: a SYN gets a challenge, wherever it is. */
static void
test_syn(void **state)
{
	(void)state;
	for (int s = TCPS_ESTABLISHED; s < TCPS_TIME_WAIT; s++) {
		struct tcp_test tt;

		(void)start(&tt, s, false);
		for (int32_t off = -1; off <= 1; off++) {
			send_at(&tt, off, 0, TH_SYN);
			answered_ack(&tt);
			assert_int_equal(tt.tt_tp->t_state, s);
		}
		tcp_test_end(&tt);
	}
}

/* 57: the limit is each connection's own, and not the same in each span. */
static void
test_challenge_limit(void **state)
{
	struct tcp_test tt;
	unsigned seen[20] = {0}, kinds = 0;

	(void)start(&tt, TCPS_ESTABLISHED, false);
	(void)state;
	for (int span = 0; span < 40; span++) {
		for (int i = 0; i < 30; i++)
			send_at(&tt, 5, 0, TH_RST);
		assert_in_range(tcp_test_nsent(&tt), 5, 9);
		seen[tcp_test_nsent(&tt)]++;
		tcp_test_forget(&tt);
		tcp_test_advance(&tt, 1000 * 1000000ull);
	}
	for (size_t i = 0; i < nitems(seen); i++)
		kinds += seen[i] > 0;
	assert_true(kinds > 2);
	tcp_test_end(&tt);
}

/* -- (5) ACK --------------------------------------------------------------------------------- */

/* 56: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT. */
static void
test_ack_range(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, false);
	const tcp_seq first = tp->rcv_nxt;
	struct tcp_test_seg seg = tcp_test_seg(&tt, TH_ACK);
	const uint32_t max = tp->max_sndwnd;

	(void)state;
	seg.len = 1;
	seg.data = zeros;
	seg.th.th_ack = tp->snd_max + 1;
	tcp_test_input(&tt, &seg);
	answered_ack(&tt);
	assert_int_equal(dropped(&tt, DROP_TCP_ACKTOOMUCH), 1);
	seg.th.th_ack = tp->snd_una - max - 1;
	tcp_test_input(&tt, &seg);
	answered_ack(&tt);
	assert_int_equal(dropped(&tt, DROP_TCP_ACK), 1);
	seg.th.th_flags = 0 | TH_FIN; /* no ACK at all */
	tcp_test_input(&tt, &seg);
	assert_int_equal(dropped(&tt, DROP_TCP_NOACK), 1);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	assert_int_equal(tp->rcv_nxt, first);
	seg.th.th_flags = TH_ACK;
	seg.th.th_ack = tp->snd_una - max;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->rcv_nxt, first + 1);
	assert_int_equal(tp->snd_una, tp->snd_max);
	tcp_test_end(&tt);
}

/* An older segment that comes late does not take the window back (WL1, WL2). */
static void
test_window_order(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, false);
	struct tcp_test_seg seg;

	(void)state;
	assert_int_equal(tp->snd_wnd, TT_PEERWIN);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_seq += 100;
	seg.len = 10;
	seg.data = zeros;
	seg.th.th_win = 2000;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->snd_wnd, 2000);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_win = 9000;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->snd_wnd, 2000);
	seg.th.th_seq += 100;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->snd_wnd, 9000);
	assert_int_equal(tp->max_sndwnd, TT_PEERWIN);
	/* an old segment that acknowledges moves the left edge alone */
	assert_int_equal(tcp_test_write(&tt, zeros, 1000), 0);
	seg = tcp_test_seg(&tt, TH_ACK);
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->snd_una, tp->snd_max);
	assert_int_equal(tp->snd_wnd, 8000);
	tcp_test_end(&tt);
}

/* -- (6) URG --------------------------------------------------------------------------------- */

static void
send_urg(struct tcp_test *tt, uint32_t off, const char *text, uint16_t urp)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, TH_ACK | TH_URG);

	seg.th.th_seq += off;
	seg.th.th_urp = urp;
	seg.data = (const uint8_t *)text;
	seg.len = (uint32_t)strlen(text);
	tcp_test_input(tt, &seg);
}

static uint8_t
oob(struct tcp_test *tt)
{
	uint8_t byte = 0;

	if (tt->tt_so->so_proto->pr_usrreqs->pr_rcvoob(tt->tt_so, &byte, 0) != 0)
		return 0;
	return byte;
}

static void
reads(struct tcp_test *tt, const char *text)
{
	char buf[64] = "";
	uint32_t n = 0, more;

	while ((more = tcp_test_read(tt, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += more;
	buf[n] = '\0';
	assert_string_equal(buf, text);
}

/* 52: one byte out of line, the stream without it, whatever the pointer says. */
static void
test_urgent(void **state)
{
	struct tcp_test tt;

	(void)state;
	(void)start(&tt, TCPS_ESTABLISHED, false);
	send_urg(&tt, 0, "abX", 3);
	assert_int_equal(tt.tt_so->so_oobmark, 2);
	assert_int_equal(oob(&tt), 'X');
	reads(&tt, "ab");
	send_urg(&tt, 3, "Ycd", 1); /* in front */
	assert_int_equal(oob(&tt), 'Y');
	send_urg(&tt, 6, "eZf", 2); /* in the middle */
	assert_int_equal(oob(&tt), 'Z');
	reads(&tt, "cdef");
	send_urg(&tt, 9, "gh", 0);      /* none */
	send_urg(&tt, 11, "ij", 65535); /* far beyond, or beyond the window */
	assert_int_equal(oob(&tt), 0);
	reads(&tt, "ghij");
	tt.tt_tp->rcv_adv = tt.tt_tp->rcv_nxt + 100;
	send_urg(&tt, 13, "kl", 101);
	assert_int_equal(tt.tt_so->so_oobmark, 0);
	tcp_test_end(&tt);

	(void)start(&tt, TCPS_ESTABLISHED, false);
	send_urg(&tt, 0, "ab", 5); /* announced, */
	assert_int_equal(tt.tt_so->so_oobmark, 4);
	assert_int_equal(oob(&tt), 0);
	send_urg(&tt, 3, "dXe", 2); /* arrives behind a hole, */
	assert_int_equal(oob(&tt), 0);
	send_at(&tt, 2, 1, TH_ACK); /* which is filled */
	assert_int_equal(oob(&tt), 'X');
	assert_int_equal(tt.tt_so->so_rcv.sb_cc, 5);
	tcp_test_end(&tt);

	(void)start(&tt, TCPS_ESTABLISHED, false);
	tt.tt_so->so_options |= BSD_SO_OOBINLINE;
	send_urg(&tt, 0, "abX", 3);
	assert_int_equal(oob(&tt), 0);
	assert_int_equal(tcp_test_read(&tt, zeros, 10), 2); /* up to the mark */
	assert_memory_equal(zeros, "ab", 2);
	reads(&tt, "X");
	tcp_test_end(&tt);
}

/* -- (7) text, (8) FIN ----------------------------------------------------------------------- */

static void
test_delayed_ack(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, false);

	(void)state;
	send_at(&tt, 0, 1000, TH_ACK | TH_PUSH);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	assert_true(tcp_timer_isarmed(tp, TCPT_DELACK));
	send_at(&tt, 1000, 1000, TH_ACK);
	tcp_test_advance(&tt, 0);
	answered_ack(&tt); /* every second at once */
	assert_false(tcp_timer_isarmed(tp, TCPT_DELACK));
	send_at(&tt, 2000, 1000, TH_ACK);
	tcp_test_advance(&tt, 39 * 1000000ull);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	tcp_test_advance(&tt, 2 * 1000000ull);
	answered_ack(&tt);
	send_at(&tt, 4000, 10, TH_ACK); /* a hole */
	answered_ack(&tt);
	send_at(&tt, 3000, 1000, TH_ACK); /* filled */
	answered_ack(&tt);
	assert_int_equal(tp->rcv_nxt - (TT_PEERISS + 1), 4010);
	tcp_test_end(&tt);
}

/* What comes in one turn is answered by one ACK, at its end, or by what is sent before. */
static void
test_ack_of_a_turn(void **state)
{
	static const uint8_t byte[1] = "a";
	const struct tcp_test_out *out;
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_ESTABLISHED, false);

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		send_at(&tt, 1000 * i, 1000, TH_ACK);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	tcp_test_advance(&tt, 0);
	answered_ack(&tt);
	assert_int_equal(tp->rcv_nxt - (TT_PEERISS + 1), 5000);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_delack], 0);

	for (uint32_t i = 5; i < 8; i++)
		send_at(&tt, 1000 * i, 1000, TH_ACK);
	assert_int_equal(tcp_test_write(&tt, byte, 1), 0);
	out = tcp_test_sent(&tt);
	assert_non_null(out);
	assert_int_equal(out->th.th_ack, TT_PEERISS + 1 + 8000);
	tcp_test_forget(&tt);
	tcp_test_advance(&tt, 39 * 1000000ull);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	tcp_test_end(&tt);
}

static void
set_quickack(struct tcp_test *tt, int value)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_TCP, .sopt_name = BSD_TCP_QUICKACK};

	sopt.sopt_size = sizeof(value);
	memcpy(sopt.sopt_data, &value, sizeof(value));
	assert_int_equal(sosetopt(tt->tt_so, &sopt), 0);
}

/* TCP_QUICKACK: what was held back leaves, and nothing is held back until it is taken back. */
static void
test_quickack(void **state)
{
	struct tcp_test tt;

	(void)state;
	(void)start(&tt, TCPS_ESTABLISHED, false);
	send_at(&tt, 0, 1000, TH_ACK | TH_PUSH);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	set_quickack(&tt, 1);
	answered_ack(&tt);
	send_at(&tt, 1000, 10, TH_ACK | TH_PUSH);
	answered_ack(&tt);
	set_quickack(&tt, 0);
	send_at(&tt, 1010, 10, TH_ACK | TH_PUSH);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	tcp_test_end(&tt);
}

/* RFC 1122 §4.2.2.13: nobody is there to read; the sender is told. */
static void
test_data_after_close(void **state)
{
	struct tcp_test tt;
	const struct tcp_test_out *out;
	tcp_seq ack;

	(void)state;
	(void)start(&tt, TCPS_FIN_WAIT_2, false);
	assert_int_equal(soclose(tt.tt_so), 0);
	tt.tt_so = NULL;
	tcp_test_forget(&tt);
	ack = tt.tt_tp->snd_max;
	send_at(&tt, 0, 10, TH_ACK);
	out = tcp_test_sent(&tt);
	assert_non_null(out);
	assert_int_equal(out->th.th_flags, TH_RST);
	assert_int_equal(out->th.th_seq, ack);
	assert_false(tcp_test_alive(&tt));
	assert_int_equal(dropped(&tt, DROP_TCP_AFTERCLOSE), 1);
	tcp_test_end(&tt);

	/* shutdown of the sending side alone still reads */
	(void)start(&tt, TCPS_FIN_WAIT_2, false);
	send_at(&tt, 0, 10, TH_ACK);
	assert_int_equal(tt.tt_so->so_rcv.sb_cc, 10);
	tcp_test_end(&tt);
}

static void
test_fin(void **state)
{
	static const struct {
		enum tcp_fsm_state from;
		bool ackours;
		enum tcp_fsm_state to;
	} cases[] = {
	    {TCPS_ESTABLISHED, true, TCPS_CLOSE_WAIT},
	    {TCPS_FIN_WAIT_1, false, TCPS_CLOSING},
	    {TCPS_FIN_WAIT_1, true, TCPS_TIME_WAIT},
	    {TCPS_FIN_WAIT_2, true, TCPS_TIME_WAIT},
	};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct tcp_test tt;
		struct tcp_test_seg seg;

		(void)start(&tt, cases[i].from, false);
		seg = tcp_test_seg(&tt, TH_ACK | TH_FIN);
		if (!cases[i].ackours)
			seg.th.th_ack = tt.tt_tp->snd_una;
		seg.len = 7;
		seg.data = zeros;
		tcp_test_input(&tt, &seg);
		assert_int_equal(tt.tt_tp->t_state, cases[i].to);
		answered_ack(&tt);
		assert_int_equal(tt.tt_tp->rcv_nxt, seg.th.th_seq + 8);
		tcp_test_input(&tt, &seg); /* the same again: our ACK was lost */
		answered_ack(&tt);
		assert_int_equal(tt.tt_tp->t_state, cases[i].to);
		/* 74: data behind the FIN */
		if (cases[i].to != TCPS_TIME_WAIT) {
			seg.th.th_seq += 8;
			tcp_test_input(&tt, &seg);
			assert_int_equal(dropped(&tt, DROP_TCP_AFTERFIN), 1);
			assert_int_equal(tt.tt_so->so_rcv.sb_cc, 7);
		}
		tcp_test_end(&tt);
	}
}

static void
test_fin_acked(void **state)
{
	struct tcp_test tt;

	(void)state;
	(void)start(&tt, TCPS_FIN_WAIT_1, false);
	send_at(&tt, 0, 0, TH_ACK);
	assert_int_equal(tt.tt_tp->t_state, TCPS_FIN_WAIT_2);
	tcp_test_end(&tt);
	(void)start(&tt, TCPS_CLOSING, false);
	send_at(&tt, 0, 0, TH_ACK);
	assert_int_equal(tt.tt_tp->t_state, TCPS_TIME_WAIT);
	tcp_test_end(&tt);
	(void)start(&tt, TCPS_LAST_ACK, false);
	send_at(&tt, 0, 0, TH_ACK);
	assert_false(tcp_test_alive(&tt));
	assert_int_equal(tcp_test_nsent(&tt), 0);
	tcp_test_end(&tt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_acceptability),
	    cmocka_unit_test(test_out_of_window),
	    cmocka_unit_test(test_trim),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_paws),
	    cmocka_unit_test(test_paws_idle),
	    cmocka_unit_test(test_ts_recent),
	    cmocka_unit_test(test_rst),
	    cmocka_unit_test(test_syn),
	    cmocka_unit_test(test_challenge_limit),
	    cmocka_unit_test(test_ack_range),
	    cmocka_unit_test(test_window_order),
	    cmocka_unit_test(test_urgent),
	    cmocka_unit_test(test_delayed_ack),
	    cmocka_unit_test(test_ack_of_a_turn),
	    cmocka_unit_test(test_quickack),
	    cmocka_unit_test(test_data_after_close),
	    cmocka_unit_test(test_fin),
	    cmocka_unit_test(test_fin_acked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
