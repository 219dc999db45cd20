/* SPDX-License-Identifier: BSD-2-Clause */
/* lwps, wait queues, time-outs, interrupts, and processes that end under their calls. */
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

struct world {
	struct netstack *w_ns;
	struct proc *w_p;
};

static int
setup(void **state)
{
	static struct world w;

	w.w_ns = test_netstack();
	w.w_p = test_proc(w.w_ns);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	if (w->w_p != NULL)
		proc_exit(w->w_p);
	test_netstack_end(w->w_ns);
	return 0;
}

struct pingpong {
	struct waitq pp_wq[2];
	unsigned pp_turn;
	unsigned pp_rounds;
	unsigned pp_ended;
	unsigned pp_players;
};

static void
player(struct lwp *l, void *arg)
{
	struct pingpong *pp = arg;
	unsigned me = pp->pp_players++ % 2;
	volatile uint8_t live[256];

	memset((void *)(uintptr_t)live, (int)me, sizeof(live));
	while (pp->pp_turn < pp->pp_rounds) {
		if (pp->pp_turn % 2 != me) {
			assert_int_equal(tsleep(l->l_ns, &pp->pp_wq[me], "turn", 0), 0);
			continue;
		}
		pp->pp_turn++;
		wakeup(&pp->pp_wq[!me]);
	}
	wakeup(&pp->pp_wq[!me]);
	for (unsigned i = 0; i < sizeof(live); i++)
		assert_int_equal(live[i], me);
	pp->pp_ended++;
}

static void
lwps_take_turns(void **state)
{
	struct world *w = *state;
	struct pingpong pp = {.pp_rounds = 10000};

	waitq_init(&pp.pp_wq[0]);
	waitq_init(&pp.pp_wq[1]);
	assert_non_null(lwp_start(w->w_p, player, &pp));
	assert_non_null(lwp_start(w->w_p, player, &pp));
	netstack_run(w->w_ns); /* has an end, even if calls feed each other for ever */
	assert_in_range(pp.pp_turn, 1, 1000);
	assert_int_equal(netstack_deadline(w->w_ns), w->w_ns->ns_now);
	test_run_for(w->w_ns, 0);
	assert_int_equal(pp.pp_turn, 10000);
	assert_int_equal(pp.pp_ended, 2);
	assert_int_equal(w->w_p->p_nlwps, 0);
	assert_int_equal(w->w_ns->ns_nlwps, 0);
	assert_null(lwp_current(w->w_ns));
}

struct nap {
	struct waitq *n_wq;
	uint64_t n_timeout_ns;
	int n_error;
	uint64_t n_woke_ns;
	unsigned n_order;
	unsigned *n_counter;
};

static void
napper(struct lwp *l, void *arg)
{
	struct nap *n = arg;

	n->n_error = tsleep(l->l_ns, n->n_wq, "nap", n->n_timeout_ns);
	n->n_woke_ns = l->l_ns->ns_now;
	if (n->n_counter != NULL)
		n->n_order = ++*n->n_counter;
}

static void
timeouts_come_at_their_time(void **state)
{
	struct world *w = *state;
	struct waitq wq;
	struct nap nap = {.n_wq = &wq, .n_timeout_ns = 123456789, .n_error = -1};
	uint64_t start = w->w_ns->ns_now;

	waitq_init(&wq);
	lwp_run(lwp_start(w->w_p, napper, &nap));
	assert_int_equal(nap.n_error, -1);
	test_run_for(w->w_ns, 123456788);
	assert_int_equal(nap.n_error, -1);
	test_run_for(w->w_ns, 1);
	assert_int_equal(nap.n_error, BSD_EWOULDBLOCK);
	assert_int_equal(nap.n_woke_ns, start + 123456789);
	assert_true(waitq_empty(&wq));
}

static void
a_wakeup_disarms_the_timeout(void **state)
{
	struct world *w = *state;
	struct waitq wq;
	struct nap nap = {.n_wq = &wq, .n_timeout_ns = 1000, .n_error = -1};

	waitq_init(&wq);
	lwp_run(lwp_start(w->w_p, napper, &nap));
	wakeup(&wq);
	assert_int_equal(w->w_ns->ns_callouts.cw_npending, 0);
	test_run_for(w->w_ns, 5000);
	assert_int_equal(nap.n_error, 0);
}

static void
an_endless_timeout_is_none(void **state)
{
	struct world *w = *state;
	struct waitq wq;
	struct nap nap = {.n_wq = &wq, .n_timeout_ns = UINT64_MAX, .n_error = -1};

	waitq_init(&wq);
	lwp_run(lwp_start(w->w_p, napper, &nap));
	assert_int_equal(w->w_ns->ns_callouts.cw_npending, 0);
	assert_int_equal(nap.n_error, -1);
	wakeup(&wq);
	netstack_run(w->w_ns);
	assert_int_equal(nap.n_error, 0);
}

static void
wakeup_one_goes_in_order(void **state)
{
	struct world *w = *state;
	struct waitq wq;
	unsigned counter = 0;
	struct nap naps[5];

	waitq_init(&wq);
	for (unsigned i = 0; i < 5; i++) {
		naps[i] = (struct nap){.n_wq = &wq, .n_error = -1, .n_counter = &counter};
		lwp_run(lwp_start(w->w_p, napper, &naps[i]));
	}
	for (unsigned i = 0; i < 3; i++) {
		wakeup_one(&wq);
		lwp_run_all(w->w_ns);
		assert_int_equal(counter, i + 1);
		assert_int_equal(naps[i].n_order, i + 1);
	}
	wakeup(&wq);
	lwp_run_all(w->w_ns);
	assert_int_equal(naps[3].n_order, 4);
	assert_int_equal(naps[4].n_order, 5);
	wakeup_one(&wq);
	assert_true(waitq_empty(&wq));
}

struct twice {
	struct waitq *t_wq;
	int t_error[2];
};

static void
sleep_twice(struct lwp *l, void *arg)
{
	struct twice *t = arg;

	t->t_error[0] = tsleep(l->l_ns, t->t_wq, "first", 0);
	t->t_error[1] = tsleep(l->l_ns, t->t_wq, "second", 1000);
}

static void
an_interrupt_holds_until_the_call_ends(void **state)
{
	struct world *w = *state;
	struct waitq wq;
	struct twice t = {.t_wq = &wq};
	struct nap nap = {.n_wq = &wq, .n_error = -1};
	struct lwp *l;

	waitq_init(&wq);
	l = lwp_start(w->w_p, sleep_twice, &t);
	lwp_run(l);
	lwp_interrupt(l, BSD_EINTR);
	lwp_run_all(w->w_ns);
	assert_int_equal(t.t_error[0], BSD_EINTR);
	assert_int_equal(t.t_error[1], BSD_EINTR);
	lwp_interrupt(l, BSD_EINTR); /* idle: not for the next */
	assert_ptr_equal(lwp_start(w->w_p, napper, &nap), l);
	lwp_run(l);
	wakeup(&wq);
	lwp_run_all(w->w_ns);
	assert_int_equal(nap.n_error, 0);
}

static void
nothing(struct lwp *l, void *arg)
{
	(void)l;
	++*(unsigned *)arg;
}

static void
finished_lwps_are_used_again(void **state)
{
	struct world *w = *state;
	unsigned ran = 0;

	for (unsigned i = 0; i < 1000; i++)
		lwp_run(lwp_start(w->w_p, nothing, &ran));
	assert_int_equal(ran, 1000);
	assert_int_equal(w->w_ns->ns_lwppool.pl_ngets, 1);
	pool_setlimit(&w->w_ns->ns_lwppool, 266); /* a quarter is for others */
	for (unsigned i = 0; i < 200; i++)
		assert_non_null(lwp_start(w->w_p, nothing, &ran));
	assert_null(lwp_start(w->w_p, nothing, &ran));
	assert_int_equal(w->w_ns->ns_lwppool.pl_nout, 200);
	lwp_run_all(w->w_ns);
	assert_int_equal(ran, 1200);
	assert_int_equal(w->w_ns->ns_lwppool.pl_nout, LWP_CACHE_MAX);
}

static void
the_limit_of_a_process_holds(void **state)
{
	struct world *w = *state;
	struct waitq wq;
	struct nap nap = {.n_wq = &wq};

	waitq_init(&wq);
	w->w_p->p_lwplimit = 3;
	for (unsigned i = 0; i < 3; i++)
		lwp_run(lwp_start(w->w_p, napper, &nap));
	assert_null(lwp_start(w->w_p, napper, &nap));
	wakeup(&wq);
	lwp_run_all(w->w_ns);
	assert_non_null(lwp_start(w->w_p, napper, &nap));
	lwp_run_all(w->w_ns);
	wakeup(&wq);
	lwp_run_all(w->w_ns);
}

/* One process with many calls asleep does not keep another from making its first. */
static void
each_process_gets_one(void **state)
{
	struct world *w = *state;
	struct waitq wq;
	struct nap nap = {.n_wq = &wq};
	struct proc *other;
	unsigned n = 0;

	waitq_init(&wq);
	assert_int_equal(proc_create(w->w_ns, "other", &copy_engine_direct, NULL, &other), 0);
	pool_setlimit(&w->w_ns->ns_lwppool, 8);
	while (lwp_start(w->w_p, napper, &nap) != NULL)
		n++;
	assert_int_equal(n, 6);
	assert_non_null(lwp_start(other, napper, &nap));
	assert_null(lwp_start(other, napper, &nap));
	lwp_run_all(w->w_ns);
	wakeup(&wq);
	lwp_run_all(w->w_ns);
	proc_exit(other);
}

static void
no_memory_for_an_lwp(void **state)
{
	struct world *w = *state;
	unsigned ran = 0;

	w->w_ns->ns_fault.af_fail_at = 1;
	assert_null(lwp_start(w->w_p, nothing, &ran));
	assert_non_null(lwp_start(w->w_p, nothing, &ran));
	lwp_run_all(w->w_ns);
	assert_int_equal(ran, 1);
}

static void
count_exit(void *door)
{
	++*(unsigned *)door;
}

static void
exit_interrupts_and_frees(void **state)
{
	struct world *w = *state;
	struct waitq wq;
	struct twice t = {.t_wq = &wq};
	unsigned exits = 0;
	unsigned ran = 0;

	waitq_init(&wq);
	w->w_p->p_door = &exits;
	w->w_p->p_exited = count_exit;
	lwp_run(lwp_start(w->w_p, sleep_twice, &t));
	assert_non_null(lwp_start(w->w_p, nothing, &ran)); /* has not run yet */
	proc_exit(w->w_p);
	assert_null(lwp_start(w->w_p, nothing, &ran));
	assert_int_equal(exits, 0);
	netstack_run(w->w_ns);
	assert_int_equal(exits, 1);
	assert_int_equal(ran, 1);
	assert_int_equal(t.t_error[1], BSD_EINTR);
	assert_int_equal(w->w_ns->ns_procpool.pl_nout, 0);
	w->w_p = NULL;
}

static void
pids_differ_and_the_pool_limits(void **state)
{
	struct world *w = *state;
	struct proc *child;
	struct proc *more[8];
	unsigned n = 0;

	assert_int_equal(w->w_p->p_pid, 2);
	assert_int_equal(w->w_p->p_ppid, 1);
	assert_int_equal(proc_fork(w->w_p, &child), 0);
	assert_int_equal(child->p_pid, 3);
	assert_int_equal(child->p_ppid, 2);
	assert_string_equal(child->p_comm, "test");
	proc_exec(child, "a name that is longer than what there is room for");
	assert_int_equal(strlen(child->p_comm), MAXCOMLEN - 1);
	w->w_ns->ns_nextpid = INT32_MAX;
	pool_setlimit(&w->w_ns->ns_procpool, 5);
	while (n < 8 && proc_create(w->w_ns, "x", &copy_engine_direct, NULL, &more[n]) == 0)
		n++;
	assert_int_equal(n, 3);
	assert_int_equal(more[0]->p_pid, INT32_MAX);
	assert_int_equal(more[1]->p_pid, 4); /* 2 and 3 are taken */
	assert_int_equal(proc_fork(child, &more[3]), BSD_EAGAIN);
	while (n > 0)
		proc_exit(more[--n]);
	w->w_ns->ns_fault.af_fail_at = 1;
	assert_int_equal(proc_fork(child, &more[3]), BSD_ENOMEM);
	proc_exit(child);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(lwps_take_turns),
	    T(timeouts_come_at_their_time),
	    T(a_wakeup_disarms_the_timeout),
	    T(an_endless_timeout_is_none),
	    T(wakeup_one_goes_in_order),
	    T(an_interrupt_holds_until_the_call_ends),
	    T(finished_lwps_are_used_again),
	    T(the_limit_of_a_process_holds),
	    T(each_process_gets_one),
	    T(no_memory_for_an_lwp),
	    T(exit_interrupts_and_frees),
	    T(pids_differ_and_the_pool_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
