/* SPDX-License-Identifier: BSD-2-Clause */
/* The route trie against a naive model, its generation, and what it does without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/rng.h"
#include "net/route.h"
#include "wire/be.h"

#define NPREFIXES 10000u

struct model {
	struct rt_addr dst;
	uint8_t plen;
	uint32_t tag;
	bool present;
};

static struct rng rng;

static void
test_seed(void)
{
	uint8_t seed[32] = {1, 2, 3};

	rng_init(&rng, seed);
}

static bool
model_covers(const struct model *p, const struct rt_addr *a)
{
	const uint8_t *x = (const uint8_t *)&p->dst, *y = (const uint8_t *)a;
	unsigned i;

	for (i = 0; i < p->plen; i++)
		if (((x[i / 8] ^ y[i / 8]) >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

/* Few distinct high bits, so that prefixes nest. */
static struct rt_addr
random_addr(unsigned maxlen)
{
	struct rt_addr a = {{0, 0, 0, 0}};
	unsigned i;

	for (i = 0; i < maxlen / 32; i++)
		a.ra_w[i] = rng_u32(&rng);
	a.ra_w[0] &= htobe32(0x0a0f3fff);
	return a;
}

static void
clear_tail(struct rt_addr *a, unsigned plen)
{
	uint8_t *p = (uint8_t *)a;
	unsigned i;

	for (i = plen; i < 128; i++)
		p[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static const struct model *
model_lookup(const struct model *models, unsigned n, const struct rt_addr *a)
{
	const struct model *best = NULL;
	unsigned i;

	for (i = 0; i < n; i++)
		if (models[i].present && (best == NULL || models[i].plen > best->plen) &&
		    model_covers(&models[i], a))
			best = &models[i];
	return best;
}

static void
check_lookups(const struct rtable *rtb, const struct model *models, unsigned n, unsigned rounds)
{
	const struct rtentry *rt;
	const struct model *want;
	struct rt_addr a;

	while (rounds-- > 0) {
		a = rounds % 2 == 0 ? random_addr(rtb->rtb_maxlen) : models[rng_below(&rng, n)].dst;
		rt = rt_lookup(rtb, &a);
		want = model_lookup(models, n, &a);
		assert_int_equal(rt != NULL, want != NULL);
		if (want != NULL) {
			assert_int_equal(rt->rt_prefixlen, want->plen);
			assert_int_equal(rt->rt_mtu, want->tag);
		}
	}
}

static int
model_find(const struct model *models, unsigned n, const struct rt_addr *dst, uint8_t plen)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (models[i].present && models[i].plen == plen &&
		    memcmp(&models[i].dst, dst, sizeof(*dst)) == 0)
			return (int)i;
	return -1;
}

static void
model_run(uint8_t maxlen, unsigned nprefixes, unsigned lookups)
{
	struct model *models = calloc(nprefixes, sizeof(*models));
	struct rtable rtb;
	struct pool pool;
	unsigned i, n = 0;

	test_seed();
	assert_int_equal(rt_pool_init(&pool, 2 * nprefixes, NULL), 0);
	rtable_init(&rtb, &pool, maxlen);
	for (i = 0; i < nprefixes; i++) {
		struct model *p = &models[i];
		struct rtentry rt = {.rt_mtu = i + 1};
		int dup;

		rt.rt_dst = random_addr(maxlen);
		rt.rt_prefixlen = p->plen = (uint8_t)rng_below(&rng, maxlen + 1u);
		p->dst = rt.rt_dst;
		clear_tail(&p->dst, p->plen);
		p->tag = i + 1;
		dup = model_find(models, i, &p->dst, p->plen);
		p->present = rt_add(&rtb, &rt) == 0;
		assert_int_equal(p->present, dup < 0);
		n += p->present;
	}
	assert_int_equal(rtb.rtb_count, n);
	assert_true(n > nprefixes / 4);
	check_lookups(&rtb, models, nprefixes, lookups);
	for (i = 0; i < nprefixes; i += 2) {
		if (!models[i].present)
			continue;
		assert_int_equal(rt_del(&rtb, &models[i].dst, models[i].plen), 0);
		assert_int_equal(rt_del(&rtb, &models[i].dst, models[i].plen), BSD_ESRCH);
		models[i].present = false;
		n--;
	}
	check_lookups(&rtb, models, nprefixes, lookups);
	assert_int_equal(rtb.rtb_count, n);
	assert_true(pool.pl_nout <= 2 * n);
	rtable_flush(&rtb);
	assert_int_equal(rtb.rtb_count, 0);
	assert_null(rtb.rtb_root);
	assert_int_equal(pool.pl_nout, 0);
	pool_destroy(&pool);
	free(models);
}

static void
test_model_32(void **state)
{
	(void)state;
	model_run(32, NPREFIXES, 2000);
}

static void
test_model_128(void **state)
{
	(void)state;
	model_run(128, 2000, 2000);
}

static void
test_edges(void **state)
{
	struct rtentry rt = {.rt_prefixlen = 33}, dflt = {.rt_prefixlen = 0};
	struct rt_addr one = {{htobe32(0x01020304), 0, 0, 0}};
	struct rtable rtb;
	struct pool pool;
	uint64_t gen;

	(void)state;
	assert_int_equal(rt_pool_init(&pool, 16, NULL), 0);
	rtable_init(&rtb, &pool, 32);
	assert_true(rtb.rtb_gen != 0);
	assert_null(rt_lookup(&rtb, &one));
	assert_int_equal(rt_add(&rtb, &rt), BSD_EINVAL);
	gen = rtb.rtb_gen;
	assert_int_equal(rt_add(&rtb, &dflt), 0);
	assert_true(rtb.rtb_gen != gen);
	assert_int_equal(rt_add(&rtb, &dflt), BSD_EEXIST);
	assert_non_null(rt_lookup(&rtb, &one));
	rt.rt_dst = one;
	rt.rt_prefixlen = 32;
	assert_int_equal(rt_add(&rtb, &rt), 0);
	assert_int_equal(rt_lookup(&rtb, &one)->rt_prefixlen, 32);
	assert_non_null(rt_find(&rtb, &one, 32));
	assert_null(rt_find(&rtb, &one, 31));
	one.ra_w[0] ^= htobe32(1);
	assert_int_equal(rt_lookup(&rtb, &one)->rt_prefixlen, 0);
	gen = rtb.rtb_gen;
	assert_int_equal(rt_del(&rtb, &one, 32), BSD_ESRCH);
	assert_int_equal(rtb.rtb_gen, gen);
	rtable_flush(&rtb);
	assert_int_equal(pool.pl_nout, 0);
	pool_destroy(&pool);
}

/* Without memory an add changes nothing. */
static void
test_nomem(void **state)
{
	struct rtentry a = {.rt_dst = {{htobe32(0x0a000000)}}, .rt_prefixlen = 8};
	struct rtentry b = {.rt_dst = {{htobe32(0x0b000000)}}, .rt_prefixlen = 8};
	struct alloc_fault fault = {0, 0};
	struct rtable rtb;
	struct pool pool;
	unsigned n;

	(void)state;
	assert_int_equal(rt_pool_init(&pool, 16, &fault), 0);
	rtable_init(&rtb, &pool, 32);
	assert_int_equal(rt_add(&rtb, &a), 0);
	for (n = 1; n <= 2; n++) {
		fault.af_fail_at = n;
		assert_int_equal(rt_add(&rtb, &b), BSD_ENOBUFS);
		assert_null(rt_lookup(&rtb, &b.rt_dst));
		assert_non_null(rt_lookup(&rtb, &a.rt_dst));
	}
	fault.af_fail_at = 0;
	assert_int_equal(rt_add(&rtb, &b), 0);
	assert_non_null(rt_lookup(&rtb, &b.rt_dst));
	assert_int_equal(pool.pl_nout, 3);
	rtable_flush(&rtb);
	assert_int_equal(pool.pl_nout, 0);
	pool_destroy(&pool);
}

static int
count_route(const struct rtentry *rt, void *arg)
{
	struct rt_addr *last = arg;

	assert_true(memcmp(last, &rt->rt_dst, sizeof(*last)) <= 0);
	*last = rt->rt_dst;
	return 0;
}

/* The walk is in order of prefix, and detaching an interface takes exactly its routes. */
static void
test_walk_detach(void **state)
{
	struct ifnet *one = (struct ifnet *)(uintptr_t)64, *two = (struct ifnet *)(uintptr_t)128;
	struct rt_addr last = {{0, 0, 0, 0}};
	struct rtable rtb;
	struct pool pool;
	unsigned i;

	(void)state;
	test_seed();
	assert_int_equal(rt_pool_init(&pool, 1024, NULL), 0);
	rtable_init(&rtb, &pool, 32);
	for (i = 0; i < 200; i++) {
		struct rtentry rt = {.rt_dst = {{htobe32(i << 24 | rng_below(&rng, 0xffff) << 8)}},
		    .rt_prefixlen = 24,
		    .rt_ifp = i % 3 == 0 ? one : two};

		assert_int_equal(rt_add(&rtb, &rt), 0);
	}
	assert_int_equal(rt_walk(&rtb, count_route, &last), 0);
	rt_ifdetach(&rtb, one);
	assert_int_equal(rtb.rtb_count, 200 - 67);
	rt_ifdetach(&rtb, two);
	assert_int_equal(rtb.rtb_count, 0);
	assert_int_equal(pool.pl_nout, 0);
	pool_destroy(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_model_32),
	    cmocka_unit_test(test_model_128),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_nomem),
	    cmocka_unit_test(test_walk_detach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
