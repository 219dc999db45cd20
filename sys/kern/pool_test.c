/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools: limits, reserves, counters, alignment, failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/pool.h"
#include "kern/testutil_host.h"

#define ITEMS 1000

static void
test_limit_and_counters(void **state)
{
	struct pool pl;
	void *items[10];

	(void)state;
	assert_int_equal(pool_init(&pl, "t", 24, nitems(items), 0, NULL), 0);
	for (size_t i = 0; i < nitems(items); i++)
		assert_non_null(items[i] = pool_get(&pl));
	assert_null(pool_get(&pl));
	assert_true(
	    test_host_bytes() <= 64 + nitems(items) * 32); /* no more than the limit needs */
	assert_int_equal(pl.pl_nout, nitems(items));
	assert_int_equal(pl.pl_hiwat, nitems(items));
	assert_int_equal(pl.pl_nfails, 1);
	pool_put(&pl, items[3]);
	assert_ptr_equal(pool_get(&pl), items[3]); /* the warmest first */
	for (size_t i = 0; i < nitems(items); i++)
		pool_put(&pl, items[i]);
	assert_int_equal(pl.pl_nout, 0);
	assert_int_equal(pl.pl_hiwat, nitems(items));
	assert_int_equal(pl.pl_ngets, nitems(items) + 1);
	assert_int_equal(pl.pl_nputs, nitems(items) + 1);
	pool_destroy(&pl);
	assert_int_equal(test_host_bytes(), 0);
}

/* Items of every size are aligned and do not overlap, over many chunks. */
static void
test_items_apart(void **state)
{
	static const size_t sizes[] = {1, 8, 16, 17, 63, 64, 65, 512, 2112, 70000};
	static uint8_t *items[ITEMS];

	(void)state;
	for (size_t s = 0; s < nitems(sizes); s++) {
		size_t align = sizes[s] % 64 == 0 ? 64 : 16, n = sizes[s] > 4096 ? 20 : ITEMS;
		struct pool pl;

		assert_int_equal(pool_init(&pl, "t", sizes[s], ITEMS, 3, NULL), 0);
		for (size_t i = 0; i < n; i++) {
			assert_non_null(items[i] = pool_get(&pl));
			assert_int_equal((uintptr_t)items[i] % align, 0);
			memset(items[i], (int)i, sizes[s]);
		}
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(items[i][0], (uint8_t)i);
			assert_int_equal(items[i][sizes[s] - 1], (uint8_t)i);
			pool_put(&pl, items[i]);
		}
		pool_destroy(&pl);
	}
	assert_int_equal(test_host_bytes(), 0);
}

static void
test_zeroed(void **state)
{
	static const uint8_t zero[100];
	struct pool pl;
	void *item;

	(void)state;
	assert_int_equal(pool_init(&pl, "t", sizeof(zero), 1, 1, NULL), 0);
	item = pool_get(&pl);
	memset(item, 0xff, sizeof(zero));
	pool_put(&pl, item);
	assert_ptr_equal(pool_get_zeroed(&pl), item);
	assert_memory_equal(item, zero, sizeof(zero));
	assert_null(pool_get_zeroed(&pl));
	pool_put(&pl, item);
	pool_destroy(&pl);
}

static void
test_host_without_memory(void **state)
{
	struct pool pl;
	void *item;

	(void)state;
	test_host_fail_at(1);
	assert_int_not_equal(pool_init(&pl, "t", 64, 10, 5, NULL), 0);
	assert_int_equal(test_host_bytes(), 0);
	assert_int_equal(pool_init(&pl, "t", 64, 10, 1, NULL), 0);
	item = pool_get(&pl);
	assert_non_null(item);
	test_host_fail_at(1);
	assert_null(pool_get(&pl));
	assert_int_equal(pl.pl_nfails, 1);
	assert_int_equal(pl.pl_nout, 1);
	pool_put(&pl, item);
	pool_destroy(&pl);
	assert_int_equal(test_host_bytes(), 0);
}

static void
test_setlimit(void **state)
{
	struct pool pl;
	void *a, *b;

	(void)state;
	assert_int_equal(pool_init(&pl, "t", 64, 2, 0, NULL), 0);
	a = pool_get(&pl);
	b = pool_get(&pl);
	pool_setlimit(&pl, 1);
	assert_null(pool_get(&pl));
	pool_put(&pl, b);
	assert_null(pool_get(&pl)); /* one is out, and one is the limit */
	pool_setlimit(&pl, 3);
	b = pool_get(&pl);
	void *c = pool_get(&pl);
	assert_non_null(b);
	assert_non_null(c);
	assert_null(pool_get(&pl));
	pool_put(&pl, a);
	pool_put(&pl, b);
	pool_put(&pl, c);
	pool_destroy(&pl);
}

static void
test_fault(void **state)
{
	struct alloc_fault fault = {0};
	struct pool pl;
	void *a, *b, *mem;

	(void)state;
	assert_int_equal(pool_init(&pl, "t", 64, 10, 5, &fault), 0);
	assert_int_equal(fault.af_count, 0); /* the reserve is no allocation of the stack's */
	fault.af_fail_at = 2;
	a = pool_get(&pl);
	assert_null(pool_get(&pl));
	b = pool_get(&pl);
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(fault.af_count, 3);
	fault.af_fail_at = 1;
	assert_null(kmem_alloc(&fault, 100));
	mem = kmem_alloc(&fault, 100);
	assert_non_null(mem);
	assert_int_equal(fault.af_count, 5);
	kmem_free(mem, 100);
	pool_put(&pl, a);
	pool_put(&pl, b);
	pool_destroy(&pl);
	assert_int_equal(test_host_bytes(), 0);
}

static void
test_misuse_is_caught(void **state)
{
	struct pool pl;
	void *item;

	(void)state;
	assert_int_equal(pool_init(&pl, "t", 64, 1, 0, NULL), 0);
	item = pool_get(&pl);
	expect_assert_failure(pool_destroy(&pl)); /* one is out */
	pool_put(&pl, item);
	expect_assert_failure(pool_put(&pl, item)); /* none is out */
	expect_assert_failure(pool_put(&pl, NULL));
	pool_destroy(&pl);
	assert_int_equal(test_host_bytes(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_limit_and_counters),
	    cmocka_unit_test(test_items_apart),
	    cmocka_unit_test(test_zeroed),
	    cmocka_unit_test(test_host_without_memory),
	    cmocka_unit_test(test_setlimit),
	    cmocka_unit_test(test_fault),
	    cmocka_unit_test(test_misuse_is_caught),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
