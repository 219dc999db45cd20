/* SPDX-License-Identifier: BSD-2-Clause */
/* poll, pollts, select and pselect over files whose readiness the test sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/netstack.h"
#include "kern/syscall_testutil.h"
#include "kern/testutil.h"

#define NFILES 60u /* descriptors 3 to 62: both words of a set */
#define IN BSD_POLLRDNORM
#define OUT BSD_POLLWRNORM

struct world {
	struct netstack *w_ns;
	struct proc *w_p;
	struct fakefile w_ff[NFILES];
};

static int
setup(void **state)
{
	static struct world w;

	w.w_ns = test_netstack();
	w.w_p = test_proc(w.w_ns);
	for (unsigned i = 0; i < NFILES; i++)
		assert_int_equal(fakefile_open(w.w_p, &w.w_ff[i]), 3 + i);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < NFILES; i++)
		assert_true(LIST_EMPTY(&w->w_ff[i].ff_sel.si_recs));
	proc_exit(w->w_p);
	test_netstack_end(w->w_ns);
	return 0;
}

/* The file behind a descriptor. */
static struct fakefile *
at(struct world *w, int fd)
{
	return &w->w_ff[fd - 3];
}

static void
poll_reports_what_holds(void **state)
{
	struct world *w = *state;
	struct bsd_pollfd fds[] = {{3, IN, 77}, {4, IN | OUT, 77}, {-1, IN, 77}, {999, IN, 77},
	    {5, 0, 77}, {6, OUT, 77}};

	at(w, 3)->ff_events = IN;
	at(w, 4)->ff_events = OUT | BSD_POLLPRI;
	at(w, 5)->ff_events = BSD_POLLHUP | IN;
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_poll, TC_ARG(fds), 6, TC_ARG(-1))),
	    4);
	assert_int_equal(fds[0].revents, IN);
	assert_int_equal(fds[1].revents, OUT);
	assert_int_equal(fds[2].revents, 0);
	assert_int_equal(fds[3].revents, BSD_POLLNVAL);
	assert_int_equal(fds[4].revents, BSD_POLLHUP);
	assert_int_equal(fds[5].revents, 0);
}

static void
poll_bounds_its_arguments(void **state)
{
	struct world *w = *state;
	struct bsd_pollfd fd = {3, IN, 0};
	struct bsd_timespec bad = {0, 1000000000};
	struct bsd_timespec negative = {-1, 0};

	assert_int_equal(testcall_error(w->w_p,
			     TC_CALL(BSD_SYS_poll, TC_ARG(&fd), PROC_FDLIMIT_DEFAULT + 1, 0)),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_poll, TC_ARG(&fd), 0xffffffffu, 0)),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_poll, 0, 1, 0)), BSD_EFAULT);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_poll, 0, 0, 0)), 0);
	assert_int_equal(testcall_error(w->w_p,
			     TC_CALL(BSD_SYS_pollts, TC_ARG(&fd), 1, TC_ARG(&bad))),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p,
			     TC_CALL(BSD_SYS_pollts, TC_ARG(&fd), 1, TC_ARG(&negative))),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p,
			     TC_CALL(BSD_SYS_pollts, TC_ARG(&fd), 1, 0, TC_ARG(&bad))),
	    BSD_EOPNOTSUPP);
}

static void
poll_wakes_by_event_and_by_time(void **state)
{
	struct world *w = *state;
	struct bsd_pollfd fds[NFILES];
	struct testcall tc = TC_CALL(BSD_SYS_poll, TC_ARG(fds), NFILES, 50);

	for (unsigned i = 0; i < NFILES; i++)
		fds[i] = (struct bsd_pollfd){3 + (int)i, IN, 0};
	testcall_start(w->w_p, &tc);
	assert_false(tc.tc_done);
	fakefile_set(at(w, 10), OUT); /* not what it asked for: goes on waiting */
	test_run_for(w->w_ns, 20000000);
	assert_false(tc.tc_done);
	fakefile_set(at(w, 40), IN);
	netstack_run(w->w_ns);
	assert_true(tc.tc_done);
	assert_int_equal(tc.tc_retval[0], 1);
	assert_int_equal(fds[37].revents, IN);
	assert_int_equal(w->w_ns->ns_callouts.cw_npending, 0);

	fakefile_set(at(w, 40), 0);
	testcall_start(w->w_p, &tc);
	test_run_for(w->w_ns, 49999999);
	fakefile_set(at(w, 10), 0); /* a wake-up for nothing does not prolong it */
	test_run_for(w->w_ns, 0);
	assert_false(tc.tc_done);
	test_run_for(w->w_ns, 1);
	assert_true(tc.tc_done);
	assert_int_equal(tc.tc_error, 0);
	assert_int_equal(tc.tc_retval[0], 0);
}

static void
poll_of_a_closed_file_ends(void **state)
{
	struct world *w = *state;
	struct bsd_pollfd fds[] = {{3, IN, 0}, {4, IN, 0}};
	struct testcall tc = TC_CALL(BSD_SYS_poll, TC_ARG(fds), 2, TC_ARG(-1));

	testcall_start(w->w_p, &tc);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_close, 4)), 0);
	assert_true(tc.tc_done);
	assert_int_equal(fds[1].revents, BSD_POLLNVAL);
	assert_int_equal(fds[0].revents, 0);
}

static void
a_killed_poll_leaves_no_record(void **state)
{
	struct world *w = *state;
	struct proc *p = test_proc(w->w_ns);
	struct fakefile ff;
	struct bsd_pollfd fd = {fakefile_open(p, &ff), IN, 0};
	struct testcall tc = TC_CALL(BSD_SYS_poll, TC_ARG(&fd), 1, TC_ARG(-1));

	testcall_start(p, &tc);
	proc_exit(p);
	netstack_run(w->w_ns);
	assert_int_equal(tc.tc_error, BSD_EINTR);
	assert_true(LIST_EMPTY(&ff.ff_sel.si_recs));
	assert_int_equal(ff.ff_nclosed, 1);
}

static void
pollts_takes_nanoseconds(void **state)
{
	struct world *w = *state;
	struct bsd_pollfd fd = {3, IN, 0};
	struct bsd_timespec ts = {2, 5};
	struct bsd_timespec ages = {INT64_MAX, 0};
	struct testcall tc = TC_CALL(BSD_SYS_pollts, TC_ARG(&fd), 1, TC_ARG(&ts));

	testcall_start(w->w_p, &tc);
	test_run_for(w->w_ns, 2000000004);
	assert_false(tc.tc_done);
	test_run_for(w->w_ns, 1);
	assert_true(tc.tc_done);
	tc.tc_args[2] = TC_ARG(&ages);
	testcall_start(w->w_p, &tc);
	assert_false(tc.tc_done);
	fakefile_set(at(w, 3), IN);
	netstack_run(w->w_ns);
	assert_int_equal(tc.tc_retval[0], 1);
}

static void
set_fd(uint32_t *bits, unsigned fd)
{
	bits[fd / 32] |= 1u << fd % 32;
}

static void
select_answers_in_its_sets(void **state)
{
	struct world *w = *state;
	uint32_t r[3] = {0, 0, 0xdeadbeef};
	uint32_t wr[2] = {0};
	uint32_t e[2] = {0};
	struct bsd_timeval tv = {0, 0, 0};

	set_fd(r, 3);
	set_fd(r, 33);
	set_fd(r, 62);
	set_fd(wr, 33);
	set_fd(wr, 4);
	set_fd(e, 3);
	set_fd(e, 34);
	at(w, 33)->ff_events = IN | OUT;
	at(w, 62)->ff_events = BSD_POLLHUP;
	at(w, 34)->ff_events = BSD_POLLRDBAND;
	assert_int_equal(testcall_value(w->w_p,
			     TC_CALL(BSD_SYS_select, 63, TC_ARG(r), TC_ARG(wr), TC_ARG(e),
				 TC_ARG(&tv))),
	    4);
	assert_int_equal(r[0], 0);
	assert_int_equal(r[1], 1u << 1 | 1u << 30);
	assert_int_equal(r[2], 0xdeadbeef); /* beyond n: untouched */
	assert_int_equal(wr[0], 0);
	assert_int_equal(wr[1], 1u << 1);
	assert_int_equal(e[0], 0);
	assert_int_equal(e[1], 1u << 2);
}

static void
select_ignores_bits_beyond_n(void **state)
{
	struct world *w = *state;
	uint32_t r[2] = {0xffffffff, 0xffffffff};
	struct bsd_timeval tv = {0, 0, 0};

	r[0] = 1u << 3 | 1u << 31;
	at(w, 3)->ff_events = IN;
	at(w, 31)->ff_events = IN;
	assert_int_equal(testcall_value(w->w_p,
			     TC_CALL(BSD_SYS_select, 31, TC_ARG(r), 0, 0, TC_ARG(&tv))),
	    1);
	assert_int_equal(r[0], 1u << 3);
	assert_int_equal(r[1], 0xffffffff);
}

static void
select_refuses_what_is_wrong(void **state)
{
	struct world *w = *state;
	uint32_t r[32] = {1u << 2};
	struct bsd_timeval tv = {0, 1000000, 0};
	struct bsd_timespec ts = {0, 0};

	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_select, 3, TC_ARG(r), 0, 0, 0)),
	    BSD_EBADF);
	assert_int_equal(r[0], 1u << 2); /* as it was */
	assert_int_equal(testcall_error(w->w_p,
			     TC_CALL(BSD_SYS_select, PROC_FDLIMIT_DEFAULT + 1, TC_ARG(r), 0, 0, 0)),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_select, TC_ARG(-1), TC_ARG(r))),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_select, 0, 0, 0, 0, TC_ARG(&tv))),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p,
			     TC_CALL(BSD_SYS_pselect, 0, 0, 0, 0, TC_ARG(&ts), TC_ARG(&ts))),
	    BSD_EOPNOTSUPP);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_pselect, 0, 0, 0, 0, TC_ARG(&ts))),
	    0);
}

static void
select_sleeps_and_wakes(void **state)
{
	struct world *w = *state;
	uint32_t r[2] = {0};
	uint32_t e[2] = {0};
	struct bsd_timeval tv = {1, 500000, 0};
	struct testcall tc = TC_CALL(BSD_SYS_select, 64, TC_ARG(r), 0, TC_ARG(e), TC_ARG(&tv));

	set_fd(r, 40);
	set_fd(e, 50);
	testcall_start(w->w_p, &tc);
	fakefile_set(at(w, 50), BSD_POLLHUP); /* says nothing to the third set */
	netstack_run(w->w_ns);
	assert_false(tc.tc_done);
	fakefile_set(at(w, 40), IN);
	netstack_run(w->w_ns);
	assert_true(tc.tc_done);
	assert_int_equal(tc.tc_retval[0], 1);
	assert_int_equal(r[1], 1u << 8);
	assert_int_equal(e[1], 0);

	fakefile_set(at(w, 40), 0);
	testcall_start(w->w_p, &tc);
	test_run_for(w->w_ns, 1499999999);
	assert_false(tc.tc_done);
	test_run_for(w->w_ns, 1);
	assert_true(tc.tc_done);
	assert_int_equal(tc.tc_retval[0], 0);
	assert_int_equal(r[1], 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(poll_reports_what_holds),
	    T(poll_bounds_its_arguments),
	    T(poll_wakes_by_event_and_by_time),
	    T(poll_of_a_closed_file_ends),
	    T(a_killed_poll_leaves_no_record),
	    T(pollts_takes_nanoseconds),
	    T(select_answers_in_its_sets),
	    T(select_ignores_bits_beyond_n),
	    T(select_refuses_what_is_wrong),
	    T(select_sleeps_and_wakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
