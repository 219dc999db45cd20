/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP's states: the table of legal edges, the flags, and that each state can be reached and left. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "netinet/tcp_fsm.h"
#include "netinet/tcp_testutil.h"

/* RFC 9293 figure 5, row from, column to; a child of a listener goes from CLOSED to SYN-RECEIVED. */
static const char *const legal[TCP_NSTATES] = {
    /*                    C L S R E W 1 c K 2 T */
    [TCPS_CLOSED] = "-xxx-------",
    [TCPS_LISTEN] = "x-x--------",
    [TCPS_SYN_SENT] = "x--xx------",
    [TCPS_SYN_RECEIVED] = "x---x------",
    [TCPS_ESTABLISHED] = "x----xx----",
    [TCPS_CLOSE_WAIT] = "x-------x--",
    [TCPS_FIN_WAIT_1] = "x------x-x-",
    [TCPS_CLOSING] = "x---------x",
    [TCPS_LAST_ACK] = "x----------",
    [TCPS_FIN_WAIT_2] = "x---------x",
    [TCPS_TIME_WAIT] = "x----------",
};

static void
test_edges(void **state)
{
	(void)state;
	for (int from = 0; from < TCP_NSTATES; from++) {
		assert_int_equal(strlen(legal[from]), TCP_NSTATES);
		for (int to = 0; to < TCP_NSTATES; to++) {
			if (tcp_state_legal(from, to) != (legal[from][to] == 'x'))
				fail_msg("%s to %s", tcp_state_name(from), tcp_state_name(to));
		}
	}
	assert_false(tcp_state_legal(TCP_NSTATES, TCPS_CLOSED));
	assert_false(tcp_state_legal(TCPS_CLOSED, TCP_NSTATES));
}

static void
test_flags_and_names(void **state)
{
	(void)state;
	assert_int_equal(tcp_outflags(TCPS_SYN_SENT), TH_SYN);
	assert_int_equal(tcp_outflags(TCPS_SYN_RECEIVED), TH_SYN | TH_ACK);
	assert_int_equal(tcp_outflags(TCPS_LAST_ACK), TH_FIN | TH_ACK);
	assert_int_equal(tcp_outflags(TCPS_CLOSE_WAIT), TH_ACK);
	for (int s = 0; s < TCP_NSTATES; s++) {
		assert_non_null(tcp_state_name(s));
		assert_int_equal((tcp_outflags(s) & TH_FIN) != 0,
		    s == TCPS_FIN_WAIT_1 || s == TCPS_CLOSING || s == TCPS_LAST_ACK);
	}
	assert_string_equal(tcp_state_name(TCP_NSTATES), "?");
}

/* Each state is reached by calls and segments, and nothing is left when it is torn down. */
static void
test_constructors(void **state)
{
	(void)state;
	for (int s = 0; s < TCP_NSTATES; s++) {
		struct tcp_test tt;

		tcp_test_start(&tt);
		assert_int_equal(tcp_test_in_state(&tt, s)->t_state, s);
		assert_true(tcp_test_alive(&tt));
		tcp_test_end(&tt);
	}
}

static void
test_state_tells_socket(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp;

	(void)state;
	tcp_test_start(&tt);
	tp = tcp_test_in_state(&tt, TCPS_SYN_SENT);
	assert_true((tt.tt_so->so_state & SS_ISCONNECTING) != 0);
	assert_true(tcp_timer_isarmed(tp, TCPT_KEEP));
	tcp_test_end(&tt);

	tcp_test_start(&tt);
	(void)tcp_test_in_state(&tt, TCPS_ESTABLISHED);
	assert_true((tt.tt_so->so_state & SS_ISCONNECTED) != 0);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_connects], 1);
	tcp_test_end(&tt);

	tcp_test_start(&tt);
	(void)tcp_test_in_state(&tt, TCPS_CLOSE_WAIT);
	assert_true((tt.tt_so->so_state & SS_CANTRCVMORE) != 0);
	assert_false((tt.tt_so->so_state & SS_CANTSENDMORE) != 0);
	tcp_test_end(&tt);

	tcp_test_start(&tt);
	tp = tcp_test_in_state(&tt, TCPS_TIME_WAIT);
	for (int t = 0; t < TCPT_COUNT; t++)
		assert_int_equal(tcp_timer_isarmed(tp, t), t == TCPT_2MSL);
	tcp_test_advance(&tt, 59999 * 1000000ull);
	assert_true(tcp_test_alive(&tt));
	tcp_test_advance(&tt, 2 * 1000000ull);
	assert_false(tcp_test_alive(&tt));
	tcp_test_end(&tt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_flags_and_names),
	    cmocka_unit_test(test_constructors),
	    cmocka_unit_test(test_state_tells_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
