/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 6298 by numbers, and the congestion windows of RFC 5681, 3465, 6582, 6928. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "kern/sysctl.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_wire_testutil.h"

#define START_NS 1000000000ull
#define MS_NS 1000000ull

struct bench {
	struct wire w;
	struct socket *so[2];
	struct tcpcb *tp;
};

static struct bench bench;

static int
setup(void **state)
{
	(void)state;
	wire_start(&bench.w, START_NS);
	wire_pair(&bench.w, bench.so);
	bench.tp = wire_tcpcb(bench.so[0]);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	wire_end(&bench.w);
	return 0;
}

static void
test_rtt_samples(void **state)
{
	struct tcpcb *tp = bench.tp;

	(void)state;
	tcp_rtt_init(tp);
	assert_int_equal(tcp_rto_ns(tp), 1000 * MS_NS); /* (2.1) */
	tcp_rtt_sample(tp, 400000);                     /* (2.2) */
	assert_int_equal(tp->t_srtt_us, 400000);
	assert_int_equal(tp->t_rttvar_us, 200000);
	assert_int_equal(tcp_rto_ns(tp), 1200 * MS_NS);
	tcp_rtt_sample(tp, 800000); /* (2.3): var = 3/4 * 200 + 1/4 * 400, srtt = 7/8 * 400 + 100 */
	assert_int_equal(tp->t_rttvar_us, 250000);
	assert_int_equal(tp->t_srtt_us, 450000);
	assert_int_equal(tcp_rto_ns(tp), 1450 * MS_NS);
	assert_int_equal(tp->t_rttmin_us, 400000);
}

static void
test_rto_limits(void **state)
{
	struct tcpcb *tp = bench.tp;

	(void)state;
	tcp_rtt_init(tp);
	tcp_rtt_sample(tp, 0);
	assert_int_equal(tp->t_srtt_us, 1); /* 0 says that there is no sample */
	assert_int_equal(tcp_rto_ns(tp), 200 * MS_NS);
	for (tp->t_rxtshift = 1; tp->t_rxtshift < 12; tp->t_rxtshift++) {
		uint64_t ms = 200ull << tp->t_rxtshift;

		assert_int_equal(tcp_rto_ns(tp), (ms < 64000 ? ms : 64000) * MS_NS);
	}
	/* A sample ends the backoff. */
	tcp_rtt_sample(tp, UINT32_MAX);
	assert_int_equal(tp->t_rxtshift, 0);
	assert_true(tcp_rto_ns(tp) <= 64000 * MS_NS);
	/* RFC 6298 (5.7): the SYN was lost and nothing was measured. */
	tcp_rtt_init(tp);
	tp->t_flags |= TF_SYN_REXMT;
	assert_int_equal(tcp_rto_ns(tp), 3000 * MS_NS);
}

static void
test_initial_window(void **state)
{
	struct tcpcb *tp = bench.tp;
	uint32_t mss = tp->t_maxseg;

	(void)state;
	assert_int_equal(tcp_initial_window(tp), 10 * mss);
	tp->t_maxseg = 8948;
	assert_int_equal(tcp_initial_window(tp), 2 * 8948);
	tp->t_maxseg = 2000;
	assert_int_equal(tcp_initial_window(tp), 14600);
	tp->t_flags |= TF_SYN_REXMT;
	assert_int_equal(tcp_initial_window(tp), 2000);
	tp->t_maxseg = mss;
}

static void
test_slow_start_and_avoidance(void **state)
{
	struct tcpcb *tp = bench.tp;
	const struct tcp_congctl *cc = &tcp_cc_newreno;

	(void)state;
	tp->t_maxseg = 1000;
	tp->snd_wnd = 1000000;
	cc->cc_init(tp);
	assert_int_equal(tp->snd_cwnd, 10000);
	cc->cc_newack(tp, 1000);
	assert_int_equal(tp->snd_cwnd, 11000);
	cc->cc_newack(tp, 500); /* ACK division gains nothing */
	assert_int_equal(tp->snd_cwnd, 11500);
	cc->cc_newack(tp, 60000); /* a burst that was acknowledged at once */
	assert_int_equal(tp->snd_cwnd, 71500);
	tp->snd_wnd = 1000000;
	cc->cc_newack(tp, 70000); /* L: no more than one */
	assert_int_equal(tp->snd_cwnd, 71500 + tp->t_tsomax);
	bench.w.w_ns[0]->ns_tcp->tcps_sysctl.tso = 0;
	tp->snd_cwnd = 5500;
	cc->cc_newack(tp, 60000); /* else eight segments */
	assert_int_equal(tp->snd_cwnd, 13500);
	tp->snd_ssthresh = 13500;
	cc->cc_newack(tp, 13499);
	assert_int_equal(tp->snd_cwnd, 13500);
	cc->cc_newack(tp, 1);
	assert_int_equal(tp->snd_cwnd, 14500);
	/* A window that is not used does not grow. */
	tp->snd_wnd = 14000;
	cc->cc_newack(tp, 14500);
	assert_int_equal(tp->snd_cwnd, 14500);
	tp->snd_wnd = 60000;
}

static void
test_recovery(void **state)
{
	struct tcpcb *tp = bench.tp;
	const struct tcp_congctl *cc = &tcp_cc_newreno;
	tcp_seq max = tp->snd_max;

	(void)state;
	tp->t_maxseg = 1000;
	tp->snd_max = tp->snd_una + 20000;
	tp->snd_cwnd = 20000;
	cc->cc_loss(tp);
	assert_int_equal(tp->snd_ssthresh, 10000);
	assert_int_equal(tp->snd_cwnd, 13000);
	assert_int_equal(tp->snd_recover, tp->snd_max);
	assert_true((tp->t_flags & TF_FASTRECOVERY) != 0);
	cc->cc_dupack(tp);
	assert_int_equal(tp->snd_cwnd, 14000);
	cc->cc_partialack(tp, 3000);
	assert_int_equal(tp->snd_cwnd, 12000);
	cc->cc_partialack(tp, 100000); /* never below a segment */
	assert_int_equal(tp->snd_cwnd, 1000);
	tp->snd_max = tp->snd_una + 4000;
	cc->cc_recovered(tp);
	assert_int_equal(tp->snd_cwnd, 5000);
	assert_true((tp->t_flags & TF_FASTRECOVERY) == 0);
	tp->snd_max = tp->snd_una + 1000; /* never a threshold below two */
	cc->cc_loss(tp);
	assert_int_equal(tp->snd_ssthresh, 2000);
	cc->cc_recovered(tp);
	tp->snd_max = max;
}

static void
test_timeout_and_idle(void **state)
{
	struct tcpcb *tp = bench.tp;
	const struct tcp_congctl *cc = &tcp_cc_newreno;
	tcp_seq max = tp->snd_max;

	(void)state;
	tp->t_maxseg = 1000;
	tp->snd_cwnd = 20000;
	tp->snd_max = tp->snd_una + 20000;
	tp->t_rxtshift = 1;
	cc->cc_timeout(tp);
	assert_int_equal(tp->snd_cwnd, 1000);
	assert_int_equal(tp->snd_ssthresh, 10000);
	/* The same segment again: the threshold stays. */
	tp->snd_max = tp->snd_una + 1000;
	tp->t_rxtshift = 2;
	cc->cc_timeout(tp);
	assert_int_equal(tp->snd_ssthresh, 10000);
	/* RFC 3465 §2.3: one segment an ACK after a time-out. */
	tp->snd_recover = tp->snd_una + 5000;
	cc->cc_newack(tp, 5000);
	assert_int_equal(tp->snd_cwnd, 2000);
	tp->snd_recover = tp->snd_una;
	cc->cc_newack(tp, 5000);
	assert_int_equal(tp->snd_cwnd, 7000);
	tp->snd_cwnd = 500000;
	cc->cc_idle(tp);
	assert_int_equal(tp->snd_cwnd, 10000);
	tp->snd_cwnd = 3000;
	cc->cc_idle(tp);
	assert_int_equal(tp->snd_cwnd, 3000);
	tp->t_rxtshift = 0;
	tp->snd_max = max;
}

/* After a pause longer than the RTO tcp_output asks for it (RFC 5681 §4.1). */
static void
test_idle_restart(void **state)
{
	struct tcpcb *tp = bench.tp;

	(void)state;
	assert_int_equal(wire_write(bench.so[0], "x", 1, 0), 1);
	wire_run(&bench.w, 100 * MS_NS);
	tp->snd_cwnd = 500000;
	assert_int_equal(wire_write(bench.so[0], "x", 1, 0), 1);
	assert_int_equal(tp->snd_cwnd, 500000);
	wire_run(&bench.w, 1000 * MS_NS);
	tp->snd_cwnd = 500000;
	assert_int_equal(wire_write(bench.so[0], "x", 1, 0), 1);
	assert_int_equal(tp->snd_cwnd, 10 * tp->t_maxseg);
}

static void
test_cube_root(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 2000; i++) {
		assert_int_equal(tcp_cubic_root(i * i * i), i);
		assert_int_equal(tcp_cubic_root(i * i * i + 3 * i), i);
		if (i > 0)
			assert_int_equal(tcp_cubic_root(i * i * i - 1), i - 1);
	}
	assert_int_equal(tcp_cubic_root(UINT64_MAX >> 1), (1u << 21) - 1);
}

/* RFC 9438 §4.1, §4.2, §4.6, §4.7 by numbers. */
static void
test_cubic_curve(void **state)
{
	struct tcpcb *tp = bench.tp;
	const struct tcp_congctl *cc = &tcp_cc_cubic;
	tcp_seq max = tp->snd_max;

	(void)state;
	tp->t_maxseg = 1000;
	tp->snd_wnd = 10000000;
	cc->cc_init(tp);
	tp->snd_cwnd = 100000;
	tp->snd_max = tp->snd_una + 100000;
	cc->cc_loss(tp);
	assert_int_equal(tp->snd_ssthresh, 70000);
	assert_true((tp->t_flags & TF_FASTRECOVERY) != 0);
	tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
	tp->snd_cwnd = tp->snd_ssthresh;
	tp->t_srtt_us = 0;
	cc->cc_newack(tp, 1000); /* the epoch begins */
	/* K = cbrt(30 / 0.4) = 4.217 s; at t = 0 the window, at K W_max, at 2 K as far beyond. */
	assert_in_range(tcp_cubic_window(tp, 0), 69900, 70100);
	assert_int_equal(tcp_cubic_window(tp, 4217), 100000);
	assert_in_range(tcp_cubic_window(tp, 8434), 129900, 130100);
	assert_true(tcp_cubic_window(tp, UINT32_MAX) > 1000000);
	/* Lower than the last time: room for others, W_max is less than what was reached. */
	tp->snd_cwnd = 80000;
	tp->snd_max = tp->snd_una + 80000;
	cc->cc_loss(tp);
	assert_int_equal(tp->snd_ssthresh, 56000);
	tp->snd_cwnd = tp->snd_ssthresh;
	cc->cc_newack(tp, 1000);
	assert_in_range(tcp_cubic_window(tp, 2714), 67900, 68000); /* cbrt(12 / 0.4) = 3.107 s */
	assert_int_equal(tcp_cubic_window(tp, 3107), 68000);
	/* §4.2: not more than half as much again in a round trip, however late. */
	wire_run(&bench.w, 3600 * 1000 * MS_NS);
	const uint32_t cwnd = tp->snd_cwnd;
	cc->cc_newack(tp, 1000);
	assert_in_range(tp->snd_cwnd - cwnd, 1, 1000);
	tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
	tp->snd_max = max;
}

/* SACK lets data leave while SND.UNA stays: what is unacknowledged may be twice the window. */
static void
test_loss_with_more_in_flight(void **state)
{
	static const struct tcp_congctl *const ccs[] = {&tcp_cc_newreno, &tcp_cc_cubic};
	static const uint32_t after[] = {50000, 70000};
	struct tcpcb *tp = bench.tp;
	tcp_seq max = tp->snd_max;

	(void)state;
	tp->t_maxseg = 1000;
	for (unsigned i = 0; i < nitems(ccs); i++) {
		ccs[i]->cc_init(tp);
		tp->snd_cwnd = 100000;
		tp->snd_max = tp->snd_una + 200000;
		ccs[i]->cc_loss(tp);
		assert_int_equal(tp->snd_ssthresh, after[i]);
		tp->snd_cwnd = 100000;
		tp->t_rxtshift = 1;
		ccs[i]->cc_timeout(tp);
		assert_int_equal(tp->snd_ssthresh, after[i]);
		tp->t_rxtshift = 0;
	}
	tp->snd_max = max;
}

/* The window along the curve: concave up to W_max, convex beyond; and RFC 9438 §4.3. */
static void
test_cubic_growth(void **state)
{
	struct tcpcb *tp = bench.tp;
	const struct tcp_congctl *cc = &tcp_cc_cubic;
	uint32_t at[10];

	(void)state;
	for (unsigned rtt_ms = 10; rtt_ms <= 100; rtt_ms += 90) {
		tp->t_maxseg = 1000;
		tp->snd_wnd = 100000000;
		cc->cc_init(tp);
		tp->snd_cwnd = 1000000;
		tp->snd_max = tp->snd_una + 1000000;
		cc->cc_loss(tp);
		tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
		tp->snd_max = tp->snd_una;
		tp->snd_cwnd = tp->snd_ssthresh;
		tp->t_srtt_us = rtt_ms * 1000;
		for (unsigned s = 0; s < nitems(at); s++) {
			for (unsigned i = 0; i < 2000 / rtt_ms; i++) {
				wire_run(&bench.w, rtt_ms * MS_NS);
				for (uint32_t w = tp->snd_cwnd; w >= 2000; w -= 2000)
					cc->cc_newack(tp, 2000);
			}
			at[s] = tp->snd_cwnd;
		}
		if (rtt_ms == 10) {
			/* Reno would be faster: a third of a segment a round trip at least. */
			assert_true(at[9] > 2200000); /* by one a round trip from there on */
			assert_true(at[0] >= 700000 + 200 * 500);
			continue;
		}
		/* K = cbrt(300 / 0.4) = 9.086 s */
		assert_in_range(at[3], 990000, 1005000);
		assert_in_range(at[4], 995000, 1010000);
		assert_true(at[1] - at[0] > at[3] - at[2]);
		assert_true(at[9] - at[8] > at[6] - at[5]);
		assert_in_range(at[9], 1450000, 1700000);
	}
}

/* RFC 9406 §4.2 by numbers: a round of 8 samples each. */
static void
hystart_round(struct tcpcb *tp, uint32_t rtt_us)
{
	tp->snd_una = tp->snd_max;
	tp->snd_max += 8000;
	for (unsigned i = 0; i < 8; i++)
		tcp_cc_cubic.cc_rtt(tp, rtt_us + (i % 3) * 100);
}

/* => what 4000 bytes acknowledged make the window grow by */
static uint32_t
hystart_growth(struct tcpcb *tp)
{
	uint32_t cwnd = tp->snd_cwnd;

	tcp_cc_cubic.cc_newack(tp, 4000);
	return tp->snd_cwnd - cwnd;
}

static void
test_hystart(void **state)
{
	struct tcpcb *tp = bench.tp;
	const tcp_seq una = tp->snd_una, max = tp->snd_max;

	(void)state;
	tp->t_maxseg = 1000;
	tp->snd_wnd = 10000000;
	tcp_cc_cubic.cc_init(tp);
	hystart_round(tp, 20000);
	hystart_round(tp, 23900); /* less than 4 ms more */
	assert_int_equal(hystart_growth(tp), 4000);
	hystart_round(tp, 27900);
	assert_int_equal(hystart_growth(tp), 1000);
	hystart_round(tp, 27000); /* it was no queue */
	assert_int_equal(hystart_growth(tp), 4000);
	hystart_round(tp, 200000);
	assert_int_equal(hystart_growth(tp), 1000);
	for (unsigned i = 0; i < 4; i++)
		hystart_round(tp, 200000);
	assert_true(tp->snd_ssthresh > tp->snd_cwnd);
	hystart_round(tp, 200000); /* the fifth in CSS */
	assert_int_equal(tp->snd_ssthresh, tp->snd_cwnd);
	assert_true(hystart_growth(tp) < 1000);
	/* With a threshold there is nothing to find. */
	tp->snd_ssthresh = 1000000;
	tp->snd_cwnd = 10000;
	hystart_round(tp, 20000);
	hystart_round(tp, 90000);
	assert_int_equal(hystart_growth(tp), 4000);
	tp->snd_una = una;
	tp->snd_max = max;
}

static void
test_congctl_names(void **state)
{
	struct netstack *ns = bench.w.w_ns[0];
	struct socket *so;

	(void)state;
	assert_ptr_equal(bench.tp->t_congctl, &tcp_cc_cubic);
	assert_null(tcp_congctl_find("vegas"));
	assert_null(tcp_congctl_find("cubi"));
	assert_null(tcp_congctl_find("cubicc"));
	assert_int_equal(sysctl_set_text(ns, "net.inet.tcp.cc.algorithm", "vegas"), BSD_ENOENT);
	assert_int_equal(sysctl_set_text(ns, "net.inet.tcp.cc.algorithm", "newreno"), 0);
	so = wire_socket(&bench.w, 0);
	assert_ptr_equal(wire_tcpcb(so)->t_congctl, &tcp_cc_newreno);
	(void)soclose(so);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_rtt_samples, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rto_limits, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_initial_window, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_slow_start_and_avoidance, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_recovery, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_timeout_and_idle, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_idle_restart, setup, teardown),
	    cmocka_unit_test(test_cube_root),
	    cmocka_unit_test_setup_teardown(test_cubic_curve, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cubic_growth, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_loss_with_more_in_flight, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hystart, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_congctl_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
