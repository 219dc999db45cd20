/* SPDX-License-Identifier: BSD-2-Clause */
/* Help for unit tests; see testutil.h. */
#include "kern/testutil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/mbuf.h"

#define TEST_TURNS_MAX 10000000u

struct netstack_config
test_config(void)
{
	struct netstack_config nc = {.nc_now_ns = TEST_NOW_NS,
	    .nc_nmbufs = TEST_NMBUFS,
	    .nc_nclusters = TEST_NCLUSTERS,
	    .nc_njumbos = TEST_NJUMBOS,
	    .nc_maxsockets = 64,
	    .nc_maxlwps = 16,
	    .nc_maxprocs = 8};

	for (size_t i = 0; i < sizeof(nc.nc_seed); i++)
		nc.nc_seed[i] = (uint8_t)(i * 7 + 1);
	return nc;
}

struct netstack *
test_netstack(void)
{
	struct netstack_config nc = test_config();
	struct netstack *ns = netstack_create(&nc);

	assert_non_null(ns);
	return ns;
}

void
test_pools_empty(const struct netstack *ns)
{
	const struct pool *const pools[] = {&ns->ns_mbpool, &ns->ns_mcl2pool, &ns->ns_mcl4pool,
	    &ns->ns_mjpool, &ns->ns_socketpool, &ns->ns_filepool, &ns->ns_procpool};

	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
		if (pools[i]->pl_nout != 0)
			fail_msg("pool %s: %u left over", pools[i]->pl_name, pools[i]->pl_nout);
}

void
test_netstack_end(struct netstack *ns)
{
	test_pools_empty(ns);
	netstack_destroy(ns);
}

void
test_run_for(struct netstack *ns, uint64_t delay_ns)
{
	uint64_t end = ns->ns_now + delay_ns, next;
	unsigned turns = 0;

	netstack_run(ns);
	while ((next = netstack_deadline(ns)) <= end) {
		netstack_enter(ns, next);
		netstack_run(ns);
		if (++turns == TEST_TURNS_MAX)
			fail_msg("the stack never comes to rest");
	}
	netstack_enter(ns, end);
}

unsigned
for_each_alloc_failure(struct netstack *(*factory)(void),
    int (*scenario)(struct netstack *ns, void *arg), void *arg)
{
	for (unsigned n = 1;; n++) {
		struct netstack *ns = factory != NULL ? factory() : test_netstack();
		uint64_t left;
		int error;

		ns->ns_fault.af_fail_at = n;
		error = scenario(ns, arg);
		left = ns->ns_fault.af_fail_at;
		ns->ns_fault.af_fail_at = 0;
		test_netstack_end(ns);
		if (left != 0) {
			assert_int_equal(error, 0);
			return n - 1;
		}
	}
}

uint8_t
test_byte(size_t off)
{
	return (uint8_t)(off * 31 + (off >> 8) * 7 + 3);
}

struct mbuf *
test_chain(struct netstack *ns, const char *kinds, const size_t *lens, struct mbuf **sharers)
{
	struct mbuf *top = NULL, **tail = &top;
	size_t off = 0;

	for (size_t i = 0; kinds[i] != '\0'; i++) {
		const bool first = i == 0;
		struct mbuf *m = kinds[i] != 'i' ? m_getcl(ns, MT_DATA, first)
		    : first                      ? m_gethdr(ns, MT_DATA)
						 : m_get(ns, MT_DATA);

		assert_non_null(m);
		assert_true(lens[i] <= m_trailingspace(m));
		for (size_t j = 0; j < lens[i]; j++)
			m->m_data[j] = test_byte(off + j);
		m->m_len = (uint32_t)lens[i];
		off += lens[i];
		if (kinds[i] == 's') {
			struct mbuf *s = m_copym(m, 0, m->m_len);

			assert_non_null(s);
			assert_true(m->m_len > 0 && !m_writable(m));
			s->m_nextpkt = *sharers;
			*sharers = s;
		}
		*tail = m;
		tail = &m->m_next;
	}
	top->m_pkthdr.len = (uint32_t)off;
	m_sanity(top);
	return top;
}

void
test_chain_is(const struct mbuf *m, const void *bytes, size_t len)
{
	uint8_t *have = malloc(len + 1);

	assert_non_null(have);
	m_sanity(m);
	assert_int_equal(m_length(m), len);
	m_copydata(m, 0, len, have);
	if (len > 0)
		assert_memory_equal(have, bytes, len);
	free(have);
}
