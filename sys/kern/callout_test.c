/* SPDX-License-Identifier: BSD-2-Clause */
/* The timing wheel against a naive model, and its corners one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/callout.h"
#include "kern/cdefs.h"
#include "kern/rng.h"
#include "kern/testutil.h"

#define TICK_NS (1ull << CALLOUT_TICK_SHIFT)
#define NTIMERS 200
#define NOPS 100000
#define LOG_MAX 4096

/* What has fired, in order. */
static struct {
	int id[LOG_MAX];
	size_t n;
} fired;

struct timer {
	struct callout tm_callout;
	int tm_id;
	/* model */
	bool tm_armed;
	uint64_t tm_deadline_ns;
	uint64_t tm_armed_as; /* the how-many-th arming */
	/* What the callback does besides. */
	void (*tm_then)(struct timer *tm);
};

static void
timer_fires(void *arg)
{
	struct timer *tm = arg;

	assert_false(callout_pending(&tm->tm_callout));
	assert_true(tm->tm_callout.c_deadline_ns <= tm->tm_callout.c_ns->ns_now);
	assert_true(fired.n < LOG_MAX);
	fired.id[fired.n++] = tm->tm_id;
	if (tm->tm_then != NULL)
		tm->tm_then(tm);
}

static void
timer_init(struct timer *tm, struct netstack *ns, int id)
{
	*tm = (struct timer){.tm_id = id};
	callout_init(&tm->tm_callout, ns, timer_fires, tm);
}

static void
run_at(struct netstack *ns, uint64_t now_ns)
{
	fired.n = 0;
	netstack_enter(ns, now_ns);
	netstack_run(ns);
}

static void
test_exact(void **state)
{
	static const uint64_t delays[] = {1, 2, TICK_NS - 1, TICK_NS, TICK_NS + 1, 64 * TICK_NS - 1,
	    64 * TICK_NS, 64 * TICK_NS + 1, 4096 * TICK_NS, 200 * NSEC_PER_MSEC, NSEC_PER_SEC,
	    7200 * NSEC_PER_SEC, 7200 * NSEC_PER_SEC + 1, 400ull * 86400 * NSEC_PER_SEC};
	struct netstack *ns = test_netstack();
	struct timer tm;

	(void)state;
	timer_init(&tm, ns, 1);
	for (size_t i = 0; i < nitems(delays); i++) {
		uint64_t due = ns->ns_now + delays[i];

		callout_reset(&tm.tm_callout, delays[i]);
		assert_true(callout_pending(&tm.tm_callout));
		assert_int_equal(netstack_deadline(ns), due); /* alone in its slot: exact */
		run_at(ns, due - 1);
		assert_int_equal(fired.n, 0);
		run_at(ns, due);
		assert_int_equal(fired.n, 1);
		assert_int_equal(netstack_deadline(ns), CALLOUT_NEVER);
		run_at(ns, due + 12345 * i);
		assert_int_equal(fired.n, 0);
	}
	test_netstack_end(ns);
}

static void
test_order(void **state)
{
	static const uint64_t delays[] = {500, 100, 500, 5 * NSEC_PER_SEC, 100, 70 * TICK_NS, 0};
	static const int order[] = {6, 1, 4, 0, 2, 5, 3};
	struct netstack *ns = test_netstack();
	struct timer tm[nitems(delays)];

	(void)state;
	for (size_t i = 0; i < nitems(delays); i++) {
		timer_init(&tm[i], ns, (int)i);
		callout_reset(&tm[i].tm_callout, delays[i]);
	}
	run_at(ns, ns->ns_now + 3600 * NSEC_PER_SEC);
	assert_int_equal(fired.n, nitems(order));
	assert_memory_equal(fired.id, order, sizeof(order));
	test_netstack_end(ns);
}

static void
test_stop_and_rearm(void **state)
{
	struct netstack *ns = test_netstack();
	struct timer tm;

	(void)state;
	timer_init(&tm, ns, 1);
	assert_false(callout_stop(&tm.tm_callout));
	callout_reset(&tm.tm_callout, 1000);
	callout_reset(&tm.tm_callout, NSEC_PER_SEC);
	assert_int_equal(ns->ns_callouts.cw_npending, 1);
	run_at(ns, ns->ns_now + 2000);
	assert_int_equal(fired.n, 0);
	assert_true(callout_stop(&tm.tm_callout));
	assert_false(callout_stop(&tm.tm_callout));
	run_at(ns, ns->ns_now + 2 * NSEC_PER_SEC);
	assert_int_equal(fired.n, 0);
	assert_int_equal(ns->ns_callouts.cw_npending, 0);
	/* a deadline in the past fires at the next run */
	callout_schedule(&tm.tm_callout, 5);
	assert_int_equal(netstack_deadline(ns), ns->ns_now);
	run_at(ns, ns->ns_now);
	assert_int_equal(fired.n, 1);
	/* one that never comes */
	callout_reset(&tm.tm_callout, CALLOUT_NEVER);
	assert_int_equal(netstack_deadline(ns), CALLOUT_NEVER);
	assert_true(callout_stop(&tm.tm_callout));
	test_netstack_end(ns);
}

static struct timer *others[3];

static void
then_again(struct timer *tm)
{
	callout_reset(&tm->tm_callout, 0);
}

static void
then_stop_others(struct timer *tm)
{
	(void)tm;
	callout_stop(&others[0]->tm_callout);
	callout_reset(&others[1]->tm_callout, 1000);
	callout_reset(&others[2]->tm_callout, 0);
}

/* A callback may stop or move those that are due with it, and arm itself. */
static void
test_callbacks_change_things(void **state)
{
	struct netstack *ns = test_netstack();
	struct timer tm[4];
	uint64_t now;

	(void)state;
	for (int i = 0; i < 4; i++) {
		timer_init(&tm[i], ns, i);
		callout_reset(&tm[i].tm_callout, 10 + (uint64_t)i);
		if (i > 0)
			others[i - 1] = &tm[i];
	}
	tm[0].tm_then = then_stop_others;
	run_at(ns, ns->ns_now + 100);
	assert_int_equal(fired.n, 1);
	assert_false(callout_pending(&tm[1].tm_callout));
	now = ns->ns_now;
	assert_int_equal(netstack_deadline(ns), now);
	run_at(ns, now);
	assert_int_equal(fired.n, 1);
	assert_int_equal(fired.id[0], 3);
	run_at(ns, now + 1000);
	assert_int_equal(fired.n, 1);
	assert_int_equal(fired.id[0], 2);
	/* arming oneself for now does not hold up the run */
	tm[0].tm_then = then_again;
	callout_reset(&tm[0].tm_callout, 0);
	run_at(ns, ns->ns_now);
	assert_int_equal(fired.n, 1);
	assert_int_equal(netstack_deadline(ns), ns->ns_now);
	assert_true(callout_stop(&tm[0].tm_callout));
	test_netstack_end(ns);
}

static void
free_it(void *arg)
{
	free(arg);
	fired.n++;
}

static void
test_callback_frees_its_own(void **state)
{
	struct netstack *ns = test_netstack();
	struct callout *c = malloc(sizeof(*c));

	(void)state;
	callout_init(c, ns, free_it, c);
	callout_reset(c, 1);
	run_at(ns, ns->ns_now + 1);
	assert_int_equal(fired.n, 1);
	test_netstack_end(ns);
}

/* Around the end of the top level's range (2^58 ns), and from the first nanosecond to the last. */
static void
test_eras(void **state)
{
	const uint64_t era = TICK_NS << (CALLOUT_LEVELS * CALLOUT_SLOT_BITS);
	const uint64_t starts[] = {0, era - 1, era - TICK_NS, era - 3 * TICK_NS,
	    5 * era - 70 * TICK_NS, 7 * era - 3 * NSEC_PER_SEC};
	const uint64_t delays[] = {1, TICK_NS, 2 * TICK_NS, 64 * TICK_NS, 100 * TICK_NS,
	    NSEC_PER_SEC, 5 * NSEC_PER_SEC, era / 64, era, era + 1, 2 * era + 5};

	(void)state;
	for (size_t s = 0; s < nitems(starts); s++) {
		struct netstack_config nc = test_config();
		struct netstack *ns;
		struct timer tm[nitems(delays)];

		nc.nc_now_ns = starts[s];
		ns = netstack_create(&nc);
		assert_non_null(ns);
		for (size_t i = nitems(delays); i-- > 0;) {
			timer_init(&tm[i], ns, (int)i);
			callout_reset(&tm[i].tm_callout, delays[i]);
		}
		for (size_t i = 0; i < nitems(delays); i++) {
			run_at(ns, starts[s] + delays[i] - 1);
			assert_int_equal(fired.n, 0);
			assert_true(netstack_deadline(ns) <= starts[s] + delays[i]);
			run_at(ns, starts[s] + delays[i]);
			assert_int_equal(fired.n, 1);
			assert_int_equal(fired.id[0], i);
		}
		callout_schedule(&tm[0].tm_callout, UINT64_MAX - 1);
		callout_schedule(&tm[1].tm_callout, UINT64_MAX - 2);
		run_at(ns, UINT64_MAX - 3);
		assert_int_equal(fired.n, 0);
		run_at(ns, UINT64_MAX);
		assert_int_equal(fired.n, 2);
		assert_int_equal(fired.id[0], 1);
		test_netstack_end(ns);
	}
}

/* The loop sleeps until netstack_deadline: it must not be woken often for nothing. */
static void
test_few_wakeups(void **state)
{
	struct netstack *ns = test_netstack();
	struct timer tm[50];
	unsigned turns = 0;
	uint64_t next;

	(void)state;
	for (int i = 0; i < 50; i++) {
		timer_init(&tm[i], ns, i);
		callout_reset(&tm[i].tm_callout, 7200 * NSEC_PER_SEC + (uint64_t)i);
	}
	fired.n = 0;
	while ((next = netstack_deadline(ns)) != CALLOUT_NEVER) {
		netstack_enter(ns, next);
		netstack_run(ns);
		turns++;
	}
	assert_int_equal(fired.n, 50);
	assert_true(turns <= 50 + CALLOUT_LEVELS);
	test_netstack_end(ns);
}

/* The model: which is due next, or NULL. */
static struct timer *
model_next(struct timer *tm)
{
	struct timer *best = NULL;

	for (int i = 0; i < NTIMERS; i++) {
		struct timer *t = &tm[i];

		if (t->tm_armed &&
		    (best == NULL || t->tm_deadline_ns < best->tm_deadline_ns ||
			(t->tm_deadline_ns == best->tm_deadline_ns &&
			    t->tm_armed_as < best->tm_armed_as)))
			best = t;
	}
	return best;
}

/* Delays of every magnitude, often equal. */
static uint64_t
random_delay(struct rng *rng)
{
	unsigned bits = rng_below(rng, 60);
	uint64_t delay = rng_u64(rng) & ((1ull << bits) - 1);

	return rng_below(rng, 4) == 0 ? delay & ~0xfffffull : delay;
}

static void
model_check_run(struct netstack *ns, struct timer *tm, uint64_t now)
{
	run_at(ns, now);
	for (size_t i = 0; i < fired.n; i++) {
		struct timer *t = model_next(tm);

		assert_non_null(t);
		assert_true(t->tm_deadline_ns <= ns->ns_now);
		assert_int_equal(t->tm_id, fired.id[i]);
		t->tm_armed = false;
	}
	struct timer *t = model_next(tm);
	assert_true(t == NULL || t->tm_deadline_ns > ns->ns_now);
	assert_true(netstack_deadline(ns) <= (t == NULL ? CALLOUT_NEVER : t->tm_deadline_ns));
	assert_true(netstack_deadline(ns) > ns->ns_now);
}

static void
test_model(void **state)
{
	static const uint8_t seed[32] = {1, 2, 3};
	static struct timer tm[NTIMERS];
	struct netstack *ns = test_netstack();
	struct rng rng;
	uint32_t npending = 0;

	(void)state;
	rng_init(&rng, seed);
	for (int i = 0; i < NTIMERS; i++)
		timer_init(&tm[i], ns, i);
	for (uint64_t op = 0; op < NOPS; op++) {
		struct timer *t = &tm[rng_below(&rng, NTIMERS)];
		uint32_t what = rng_below(&rng, 10);

		if (what < 5) {
			t->tm_deadline_ns = ns->ns_now + random_delay(&rng);
			t->tm_armed = true;
			t->tm_armed_as = op;
			callout_schedule(&t->tm_callout, t->tm_deadline_ns);
		} else if (what < 6) {
			assert_int_equal(callout_stop(&t->tm_callout), t->tm_armed);
			t->tm_armed = false;
		} else if (what < 8 && netstack_deadline(ns) != CALLOUT_NEVER) {
			model_check_run(ns, tm, netstack_deadline(ns));
		} else {
			model_check_run(ns, tm, ns->ns_now + (random_delay(&rng) >> 12));
		}
		assert_int_equal(callout_pending(&t->tm_callout), t->tm_armed);
	}
	for (int i = 0; i < NTIMERS; i++)
		npending += callout_pending(&tm[i].tm_callout);
	assert_int_equal(ns->ns_callouts.cw_npending, npending);
	for (int i = 0; i < NTIMERS; i++)
		callout_stop(&tm[i].tm_callout);
	for (int i = 0; i < CALLOUT_LEVELS; i++)
		assert_int_equal(ns->ns_callouts.cw_bitmap[i], 0);
	test_netstack_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exact),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_stop_and_rearm),
	    cmocka_unit_test(test_callbacks_change_things),
	    cmocka_unit_test(test_callback_frees_its_own),
	    cmocka_unit_test(test_eras),
	    cmocka_unit_test(test_few_wakeups),
	    cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests_name("callout", tests, NULL, NULL);
}
