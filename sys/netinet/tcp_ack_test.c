/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ACKs do: taking data off the buffer, duplicate ACKs and recovery (RFC 5681, 6582, 3042), the
 * round trip; and that header prediction does exactly what the steps do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_testutil.h"

#define MS 1000000ull
#define MSS 1460u

static uint8_t bytes[64 * 1024];

static bool with_sack;

static struct tcpcb *
start(struct tcp_test *tt, bool ts)
{
	tcp_test_start(tt);
	tt->tt_sack = with_sack;
	tt->tt_ts = ts;
	return tcp_test_in_state(tt, TCPS_ESTABLISHED);
}

/* A pure ACK of the first n bytes of what is sent from base on. */
static void
ack(struct tcp_test *tt, tcp_seq base, uint32_t n)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, TH_ACK);

	seg.th.th_ack = base + n;
	tcp_test_input(tt, &seg);
}

static void
test_advance(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 5 * MSS), 0);
	assert_int_equal(tcp_test_nsent(&tt), 5);
	assert_true(tcp_timer_isarmed(tp, TCPT_REXMT));
	ack(&tt, base, MSS + 10);
	assert_int_equal(tt.tt_so->so_snd.sb_cc, 4 * MSS - 10);
	assert_int_equal(tp->snd_una, base + MSS + 10);
	assert_true(tcp_timer_isarmed(tp, TCPT_REXMT));
	ack(&tt, base, MSS); /* old: nothing */
	assert_int_equal(tp->snd_una, base + MSS + 10);
	assert_int_equal(tp->t_dupacks, 0);
	ack(&tt, base, 5 * MSS);
	assert_int_equal(tt.tt_so->so_snd.sb_cc, 0);
	assert_false(tcp_timer_isarmed(tp, TCPT_REXMT));
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_rcvackbyte], 5 * MSS);
	tcp_test_end(&tt);
}

/* RFC 5681 §2: only what meets all of the definition counts. */
static void
test_dupack_definition(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;
	struct tcp_test_seg seg;

	(void)state;
	ack(&tt, base, 0); /* nothing is outstanding */
	assert_int_equal(tp->t_dupacks, 0);
	assert_int_equal(tcp_test_write(&tt, bytes, 4 * MSS), 0);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_ack = base;
	seg.len = 10;
	seg.data = bytes;
	tcp_test_input(&tt, &seg); /* data */
	tt.tt_peernxt += 10;
	assert_int_equal(tp->t_dupacks, 0);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_ack = base;
	seg.th.th_win--;
	tcp_test_input(&tt, &seg); /* another window */
	assert_int_equal(tp->t_dupacks, 0);
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->t_dupacks, 1);
	tcp_test_end(&tt);
}

static void
test_recovery(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;
	const struct tcp_test_out *out;
	uint32_t flight = 8 * MSS;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 20 * MSS), 0);
	assert_int_equal(tcp_test_nsent(&tt), 10);
	tcp_test_forget(&tt);
	flight = tp->snd_max - base;
	for (unsigned i = 1; i <= 2; i++) { /* limited transmit: one new segment each */
		ack(&tt, base, 0);
		out = tcp_test_sent(&tt);
		assert_non_null(out);
		assert_int_equal(out->th.th_seq, base + flight);
		assert_int_equal(out->len, MSS);
		assert_null(tcp_test_sent(&tt));
		flight += MSS;
	}
	assert_int_equal(tp->snd_cwnd, 10 * MSS);
	ack(&tt, base, 0); /* the third: the first segment again */
	out = tcp_test_sent(&tt);
	assert_non_null(out);
	assert_int_equal(out->th.th_seq, base);
	assert_int_equal(out->len, MSS);
	assert_null(tcp_test_sent(&tt));
	assert_true((tp->t_flags & TF_FASTRECOVERY) != 0);
	assert_int_equal(tp->snd_recover, base + flight);
	assert_int_equal(tp->snd_nxt, tp->snd_max);
	ack(&tt, base, 3 * MSS); /* partial: the next hole at once */
	out = tcp_test_sent(&tt);
	assert_non_null(out);
	assert_int_equal(out->th.th_seq, base + 3 * MSS);
	assert_true((tp->t_flags & TF_FASTRECOVERY) != 0);
	ack(&tt, base, flight);
	assert_false((tp->t_flags & TF_FASTRECOVERY) != 0);
	assert_true(tp->snd_cwnd <= tp->snd_ssthresh);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_fastrexmit], 1);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_rexmttimeo], 0);
	tcp_test_end(&tt);
}

/* RFC 6582 §3.2 (2): after a time-out, duplicates of before it start nothing. */
static void
test_no_second_recovery(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 6 * MSS), 0);
	tcp_test_advance(&tt, 250 * MS);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_rexmttimeo], 1);
	for (int i = 0; i < 5; i++)
		ack(&tt, base, 0);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_fastrexmit], 0);
	assert_int_equal(tp->snd_una, base);
	tcp_test_end(&tt);
}

/* 62: duplicates beyond what is in flight are made up, and open no window. */
static void
test_spoofed_dupacks(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 4 * MSS), 0);
	for (int i = 0; i < 200; i++) {
		ack(&tt, base, 0);
		tcp_test_forget(&tt);
	}
	assert_true(tp->t_dupacks <= 8);
	assert_true(tp->snd_cwnd <= 16 * MSS);
	tcp_test_end(&tt);
}

/* As many of the largest segments as the counter holds: still too many. */
static void
test_dupacks_most(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 4 * MSS), 0);
	tcp_test_forget(&tt);
	tp->t_dupacks = UINT16_MAX - 1;
	tp->t_maxseg = UINT16_MAX;
	ack(&tt, base, 0);
	assert_int_equal(tp->t_dupacks, UINT16_MAX - 1);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	tcp_test_end(&tt);
}

/* An ACK of a window probe is no duplicate. */
static void
test_probe_answers(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	struct tcp_test_seg seg = tcp_test_seg(&tt, TH_ACK);

	(void)state;
	seg.th.th_win = 0;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tcp_test_write(&tt, bytes, 100), 0);
	assert_true(tcp_timer_isarmed(tp, TCPT_PERSIST));
	tcp_test_advance(&tt, 6000 * MS); /* a probe */
	for (int i = 0; i < 5; i++)
		tcp_test_input(&tt, &seg);
	assert_int_equal(tp->t_dupacks, 0);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_fastrexmit], 0);
	tcp_test_forget(&tt);
	seg.th.th_win = 1000; /* it opens */
	tcp_test_input(&tt, &seg);
	assert_int_equal(tcp_test_nsent(&tt), 1);
	assert_false(tcp_timer_isarmed(tp, TCPT_PERSIST));
	tcp_test_end(&tt);
}

static void
test_rtt(void **state)
{
	(void)state;
	for (int ts = 0; ts < 2; ts++) {
		struct tcp_test tt;
		struct tcpcb *tp = start(&tt, ts);
		struct tcp_test_seg seg;

		tp->t_srtt_us = 0;
		assert_int_equal(tcp_test_write(&tt, bytes, 100), 0);
		if (ts) /* lost, sent again: only the echo can tell (RFC 7323 §4) */
			tcp_test_advance(&tt, 1100 * MS);
		tcp_test_advance(&tt, 50 * MS);
		seg = tcp_test_seg(&tt, TH_ACK);
		if (ts)
			seg.opts.to_tsecr = tcp_ts_now(tp) - 20;
		tcp_test_input(&tt, &seg);
		assert_in_range(tp->t_srtt_us, ts ? 19999 : 49999, ts ? 20001 : 50001);
		tcp_test_end(&tt);
	}
}

/* -- header prediction ----------------------------------------------------------------------- */

/* The numbers of a connection that two ways of taking a segment must leave alike. */
static void
same(const struct tcpcb *a, const struct tcpcb *b)
{
	const uint32_t internal = TF_RWAKEUP | TF_WWAKEUP | TF_NEEDOUTPUT;

#define SAME(member)                                                    \
	if (a->member != b->member)                                     \
	fail_msg(#member ": %llu, %llu", (unsigned long long)a->member, \
	    (unsigned long long)b->member)
	SAME(t_state);
	SAME(snd_una);
	SAME(snd_nxt);
	SAME(snd_max);
	SAME(snd_up);
	SAME(snd_wl1);
	SAME(snd_wl2);
	SAME(snd_wnd);
	SAME(max_sndwnd);
	SAME(rcv_nxt);
	SAME(rcv_adv);
	SAME(rcv_up);
	SAME(last_ack_sent);
	SAME(ts_recent);
	SAME(ts_recent_age);
	SAME(t_srtt_us);
	SAME(t_rttvar_us);
	SAME(t_rto_us);
	SAME(t_rtttiming);
	SAME(t_rxtshift);
	SAME(snd_cwnd);
	SAME(snd_ssthresh);
	SAME(t_bytes_acked);
	SAME(snd_recover);
	SAME(t_dupacks);
	SAME(t_sack_end);
	SAME(t_nholes);
	SAME(t_prr_delivered);
	SAME(t_prr_out);
	assert_int_equal(a->t_undo != NULL, b->t_undo != NULL);
	if (a->t_undo != NULL)
		assert_memory_equal(a->t_undo, b->t_undo, sizeof(*a->t_undo));
	SAME(t_rack_time_us);
	SAME(t_rack_end);
	SAME(t_rack_rtt_us);
	SAME(t_rack_fack);
	SAME(t_tlp_end);
	SAME(t_dsack_end);
	SAME(t_rcvtime_ns);
	SAME(t_keepprobes);
	SAME(t_sndbytes);
	SAME(t_rcvbytes);
	SAME(t_inpcb->inp_socket->so_rcv.sb_cc);
	SAME(t_inpcb->inp_socket->so_snd.sb_cc);
#undef SAME
	assert_int_equal(a->t_flags & ~internal, b->t_flags & ~internal);
	for (int t = 0; t < TCPT_COUNT; t++) {
		assert_int_equal(tcp_timer_isarmed(a, t), tcp_timer_isarmed(b, t));
		if (t < TCPT_SLOTS && tcp_timer_isarmed(a, t))
			assert_int_equal(a->t_deadline_ns[t % TCPT_SLOTS],
			    b->t_deadline_ns[t % TCPT_SLOTS]);
	}
}

/* The steps one after the other, without the short cut. */
static void
input_by_steps(struct tcp_test *tt, const struct tcp_test_seg *seg)
{
	struct tcp_verdict (*const steps[])(struct tcpcb *, struct tcp_segment *) = {tcp_step_seq,
	    tcp_step_rst, tcp_step_syn, tcp_step_ack, tcp_step_urg, tcp_step_text, tcp_step_fin};
	struct tcp_verdict tv = tcp_verdict_continue();
	struct tcp_segment ts;
	struct in_rxinfo rx;

	tcp_test_segment(tt, seg, &rx, &ts);
	for (size_t i = 0; i < nitems(steps) && tv.tv_what == TCP_CONTINUE; i++)
		tv = steps[i](tt->tt_tp, &ts);
	tcp_verdict_apply(tt->tt_ns, tt->tt_tp, &ts, tv);
}

static uint32_t seed;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * below) >> 32);
}

/* Two connections, the same calls and segments, one through the steps alone. */
static void
twins(uint32_t with, bool ts)
{
	struct tcp_test tt[2];
	uint64_t predicted = 0;

	seed = with;
	for (int i = 0; i < 2; i++)
		(void)start(&tt[i], ts);
	for (int round = 0; round < 300; round++) {
		uint32_t what = rnd(10), len = 1 + rnd(1460), part = rnd(100), win = rnd(2000);
		uint32_t sack = with_sack ? rnd(8) : 1;

		for (int i = 0; i < 2; i++) {
			struct tcpcb *tp = tt[i].tt_tp;
			struct tcp_test_seg seg = tcp_test_seg(&tt[i], TH_ACK);

			seg.opts.to_tsecr = ts ? tcp_ts_now(tp) - 3 : 0;
			seg.th.th_ack = tp->snd_una;
			seg.data = bytes;
			if (sack == 0) {
				const uint32_t flight = tp->snd_max - tp->snd_una;

				seg.opts.to_flags |= TOF_SACK;
				seg.opts.to_nsacks = 1;
				seg.opts.to_sacks[0].start = tp->snd_una + flight * part / 99;
				seg.opts.to_sacks[0].end = tp->snd_max;
			}
			if (what < 3) {
				seg.len = len;
				tt[i].tt_peernxt += len;
			} else if (what < 6) {
				seg.th.th_ack += (tp->snd_max - tp->snd_una) * part / 99;
			} else if (what == 6) {
				seg.th.th_win = (uint16_t)(TT_PEERWIN - win);
			} else if (what == 7) {
				assert_int_equal(tcp_test_write(&tt[i], bytes, len), 0);
			} else if (what == 8) {
				tcp_test_advance(&tt[i], 7 * MS);
			} else {
				while (tcp_test_read(&tt[i], bytes, sizeof(bytes)) > 0)
					continue;
			}
			if (i == 0)
				tcp_test_input(&tt[i], &seg);
			else
				input_by_steps(&tt[i], &seg);
			tcp_test_advance(&tt[i], 0);
		}
		same(tt[0].tt_tp, tt[1].tt_tp);
		assert_int_equal(tcp_test_nsent(&tt[0]), tcp_test_nsent(&tt[1]));
		for (int i = 0; i < 2; i++)
			tcp_test_forget(&tt[i]);
	}
	predicted = tt[0].tt_ns->ns_tcp->tcps_stat[TCPSTAT_preddat];
	assert_true(predicted > (with_sack ? 5 : 20));
	assert_true(tt[0].tt_ns->ns_tcp->tcps_stat[TCPSTAT_predack] > (with_sack ? 5 : 20));
	assert_int_equal(tt[1].tt_ns->ns_tcp->tcps_stat[TCPSTAT_preddat], 0);
	for (int s = 0; s < TCPSTAT_COUNT; s++) {
		if (s != TCPSTAT_preddat && s != TCPSTAT_predack && s != TCPSTAT_rcvtotal)
			assert_int_equal(tt[0].tt_ns->ns_tcp->tcps_stat[s],
			    tt[1].tt_ns->ns_tcp->tcps_stat[s]);
	}
	for (int i = 0; i < 2; i++)
		tcp_test_end(&tt[i]);
}

static void
test_prediction(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 20; i++) {
		with_sack = i % 4 >= 2;
		twins(i, i % 2 == 0);
	}
	with_sack = false;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_advance),
	    cmocka_unit_test(test_dupack_definition),
	    cmocka_unit_test(test_recovery),
	    cmocka_unit_test(test_no_second_recovery),
	    cmocka_unit_test(test_spoofed_dupacks),
	    cmocka_unit_test(test_dupacks_most),
	    cmocka_unit_test(test_probe_answers),
	    cmocka_unit_test(test_rtt),
	    cmocka_unit_test(test_prediction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
