/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 6298 by numbers, and the congestion windows of RFC 5681, 3465, 6582, 6928. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kern/socketvar.h"
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
	cc->cc_newack(tp, 60000); /* L = 2 */
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
	assert_int_equal(tp->snd_cwnd, 4000);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
