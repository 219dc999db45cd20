/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack's making with every host_alloc failing, its domains, its turn, its repeatability. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/callout.h"
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/protosw.h"
#include "kern/testutil.h"
#include "kern/testutil_host.h"

/* What the domains below did, in order. */
static char story[64];

static void
tell(char c)
{
	size_t n = strlen(story);

	assert_true(n + 1 < sizeof(story));
	story[n] = c;
	story[n + 1] = '\0';
}

static int
b_init(struct netstack *ns)
{
	(void)ns;
	tell('b');
	return 0;
}

static void
b_fini(struct netstack *ns)
{
	(void)ns;
	tell('B');
}

static int
failing_init(struct netstack *ns)
{
	(void)ns;
	tell('x');
	return BSD_ENOMEM;
}

static const struct domain domain_b = {.dom_name = "b", .dom_init = b_init, .dom_fini = b_fini};
static const struct domain domain_c = {.dom_name = "c", .dom_fini = b_fini};
static const struct domain domain_x = {.dom_name = "x",
    .dom_init = failing_init,
    .dom_fini = b_fini};

static void
test_domains_in_order(void **state)
{
	const struct domain *const domains[] = {&domain_b, &domain_c, NULL};
	const struct domain *const broken[] = {&domain_b, &domain_x, &domain_c, NULL};
	struct netstack_config nc = test_config();
	struct netstack *ns;

	(void)state;
	story[0] = '\0';
	nc.nc_domains = domains;
	ns = netstack_create(&nc);
	assert_non_null(ns);
	assert_int_equal(ns->ns_ndomains, 2);
	test_netstack_end(ns);
	assert_string_equal(story, "bBB");
	story[0] = '\0';
	nc.nc_domains = broken;
	assert_null(netstack_create(&nc));
	assert_string_equal(story, "bxB");
	assert_int_equal(test_host_bytes(), 0);
}

static void
test_no_memory_for_the_reserves(void **state)
{
	struct netstack_config nc = test_config();
	unsigned refused = 0;

	(void)state;
	for (uint64_t n = 1;; n++) {
		struct netstack *ns;

		test_host_fail_at(n);
		ns = netstack_create(&nc);
		if (!test_host_failed()) {
			test_host_fail_at(0);
			assert_non_null(ns);
			test_netstack_end(ns);
			break;
		}
		assert_null(ns);
		refused++;
		assert_int_equal(test_host_bytes(), 0);
	}
	assert_true(refused >= 4); /* the stack, mbufs, clusters of two sizes */
	assert_int_equal(test_host_bytes(), 0);
}

static void
test_defaults(void **state)
{
	struct netstack_config nc = {.nc_now_ns = 5};
	struct netstack *ns = netstack_create(&nc);

	(void)state;
	assert_non_null(ns);
	assert_int_equal(ns->ns_now, 5);
	assert_int_equal(ns->ns_mclbytes, 2048);
	assert_true(ns->ns_mclnum >= 1 && ns->ns_soreceive_mclnum >= 1);
	assert_true(ns->ns_mbpool.pl_nfree > 0 && ns->ns_mcl2pool.pl_nfree > 0);
	assert_int_equal(ns->ns_mcl4pool.pl_limit * 2, ns->ns_mcl2pool.pl_limit);
	assert_int_equal(ns->ns_mjpool.pl_nfree, 0);
	test_netstack_end(ns);
	assert_int_equal(test_host_bytes(), 0);
}

static void
test_time_never_goes_back(void **state)
{
	struct netstack *ns = test_netstack();

	(void)state;
	netstack_enter(ns, TEST_NOW_NS + 10);
	assert_int_equal(ns->ns_now, TEST_NOW_NS + 10);
	netstack_enter(ns, TEST_NOW_NS);
	assert_int_equal(ns->ns_now, TEST_NOW_NS + 10);
	assert_int_equal(netstack_deadline(ns), CALLOUT_NEVER);
	test_netstack_end(ns);
}

static int packets_queued;

static bool
netisr(struct netstack *ns)
{
	(void)ns;
	if (packets_queued == 0)
		return false;
	packets_queued--;
	tell('p');
	return true;
}

static void
queue_packets(void *arg)
{
	(void)arg;
	packets_queued = 3;
	tell('t');
}

static void
test_run_until_nothing_is_left(void **state)
{
	struct netstack *ns = test_netstack();
	struct callout c;

	(void)state;
	story[0] = '\0';
	ns->ns_netisr = netisr;
	callout_init(&c, ns, queue_packets, NULL);
	callout_reset(&c, 1000);
	test_run_for(ns, 999);
	assert_string_equal(story, "");
	test_run_for(ns, 1);
	assert_string_equal(story, "tppp");
	test_netstack_end(ns);
}

static int bursts_left;

static bool
netisr_endless(struct netstack *ns)
{
	(void)ns;
	return bursts_left > 0 && bursts_left-- > 0;
}

/* Input that never ends does not keep the caller: it is told to come again at once. */
static void
test_run_without_end(void **state)
{
	struct netstack *ns = test_netstack();
	int left;

	(void)state;
	ns->ns_netisr = netisr_endless;
	bursts_left = 1000000;
	netstack_run(ns);
	left = bursts_left;
	assert_in_range(left, 1, 1000000 - 1);
	assert_int_equal(netstack_deadline(ns), ns->ns_now);
	netstack_run(ns);
	assert_true(bursts_left < left);
	bursts_left = 0;
	netstack_run(ns);
	assert_int_equal(netstack_deadline(ns), CALLOUT_NEVER);
	test_netstack_end(ns);
}

/* The same inputs, the same trace; another input, another one. */
static uint64_t
trace_of(uint8_t seed, uint32_t event_a)
{
	struct netstack_config nc = test_config();
	struct netstack *ns;
	uint64_t hash;

	nc.nc_seed[0] = seed;
	ns = netstack_create(&nc);
	assert_non_null(ns);
	for (uint32_t i = 0; i < 2 * TRACE_RING + 5; i++) {
		netstack_enter(ns, TEST_NOW_NS + i);
		trace_add(ns, TRACE_FRAME_IN, i == 7 ? event_a : i, rng_u64(&ns->ns_rng));
	}
	hash = ns->ns_trace.t_hash;
	assert_int_equal(ns->ns_trace.t_count, 2 * TRACE_RING + 5);
	assert_int_equal(ns->ns_trace.t_ring[4].tr_a, 2 * TRACE_RING + 4);
	assert_int_equal(ns->ns_trace.t_ring[5].tr_a, TRACE_RING + 5);
	test_netstack_end(ns);
	return hash;
}

static void
test_trace(void **state)
{
	(void)state;
	assert_int_equal(trace_of(1, 7), trace_of(1, 7));
	assert_int_not_equal(trace_of(1, 7), trace_of(1, 8)); /* long gone from the ring */
	assert_int_not_equal(trace_of(1, 7), trace_of(2, 7));
	assert_string_equal(trace_name(TRACE_FRAME_IN), "FRAME_IN");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_domains_in_order),
	    cmocka_unit_test(test_no_memory_for_the_reserves),
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_time_never_goes_back),
	    cmocka_unit_test(test_run_until_nothing_is_left),
	    cmocka_unit_test(test_run_without_end),
	    cmocka_unit_test(test_trace),
	};

	return cmocka_run_group_tests_name("netstack", tests, NULL, NULL);
}
