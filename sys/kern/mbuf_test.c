/* SPDX-License-Identifier: BSD-2-Clause */
/* mbufs: getting and freeing, external storage, limits, queues of packets, sanity. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/lwp.h"
#include "kern/mbuf.h"
#include "kern/proc.h"
#include "kern/testutil.h"
#include "kern/testutil_host.h"

static void
test_get(void **state)
{
	struct netstack *ns = test_netstack();
	struct mbuf *m = m_get(ns, MT_CONTROL), *h = m_gethdr(ns, MT_DATA);

	(void)state;
	assert_int_equal(m->m_len, 0);
	assert_int_equal(m->m_type, MT_CONTROL);
	assert_int_equal(m->m_flags, 0);
	assert_int_equal(m_leadingspace(m), 0);
	assert_int_equal(m_trailingspace(m), MLEN);
	assert_int_equal(m_storage(m), MSIZE);
	assert_true(m_writable(m));
	assert_int_equal(h->m_flags, M_PKTHDR);
	assert_int_equal(h->m_pkthdr.len, 0);
	assert_null(h->m_pkthdr.rcvif);
	assert_int_equal(m_trailingspace(h), MHLEN);
	memset(m->m_data, 0xa5, MLEN);
	memset(h->m_data, 0x5a, MHLEN);
	m->m_len = MLEN;
	m_sanity(m);
	m_sanity(h);
	assert_int_equal(ns->ns_mbpool.pl_nout, 2);
	m->m_next = m_get(ns, MT_DATA);
	assert_ptr_equal(m_last(m), m->m_next);
	struct mbuf *second = m->m_next;
	assert_ptr_equal(m_free(m), second);
	assert_null(m_free(second));
	m_freem(h);
	m_freem(NULL);
	m_freepkts(NULL);
	test_netstack_end(ns);
}

/* A cluster, written to its last byte, does not touch its neighbours. */
static void
test_clusters(void **state)
{
	struct netstack *ns = test_netstack();
	struct mbuf *m[6];

	(void)state;
	for (int i = 0; i < 6; i++) {
		ns->ns_mclbytes = i < 3 ? MCLBYTES_MIN : MCLBYTES_MAX;
		m[i] = m_getcl(ns, MT_DATA, i % 2 == 0);
		assert_non_null(m[i]);
		assert_int_equal(m_trailingspace(m[i]), ns->ns_mclbytes);
		assert_int_equal(m_leadingspace(m[i]), 0);
		assert_int_equal(m_storage(m[i]), MSIZE + ns->ns_mclbytes);
		assert_int_equal((m[i]->m_flags & M_PKTHDR) != 0, i % 2 == 0);
		memset(m[i]->m_data, i, ns->ns_mclbytes);
	}
	for (int i = 0; i < 6; i++) {
		size_t size = i < 3 ? MCLBYTES_MIN : MCLBYTES_MAX;

		assert_int_equal(m[i]->m_data[0], i);
		assert_int_equal(m[i]->m_data[size - 1], i);
		assert_int_equal(m[i]->m_ext.ext_ref->er_refs, 1);
	}
	assert_int_equal(ns->ns_mcl2pool.pl_nout, 3);
	assert_int_equal(ns->ns_mcl4pool.pl_nout, 3);
	/* each goes back to its own pool, whatever the size is now */
	ns->ns_mclbytes = MCLBYTES_MIN;
	for (int i = 0; i < 6; i++)
		m_freem(m[i]);
	m[0] = m_getjumbo(ns, MT_DATA, true);
	assert_int_equal(m_trailingspace(m[0]), MJUMBO_BYTES);
	memset(m[0]->m_data, 1, MJUMBO_BYTES);
	m_freem(m[0]);
	test_netstack_end(ns);
}

static void
test_limits(void **state)
{
	struct netstack *ns = test_netstack();
	struct mbuf *chain = m_getcl_chain(ns, MT_DATA, TEST_NCLUSTERS - 2), *more,
		    *jumbo[TEST_NJUMBOS];
	size_t n = 0;

	(void)state;
	assert_non_null(chain);
	more = m_getcl_chain(ns, MT_OOBDATA, 5); /* as many as there are */
	assert_int_equal(more->m_type, MT_OOBDATA);
	assert_non_null(more->m_next);
	assert_null(more->m_next->m_next);
	assert_int_equal(more->m_flags, M_EXT);
	assert_int_equal(ns->ns_mcl2pool.pl_nout, TEST_NCLUSTERS);
	assert_null(m_getcl_chain(ns, MT_DATA, 1));
	assert_null(m_getcl(ns, MT_DATA, true));
	assert_null(m_getm(ns, MHLEN + 1));
	m_free(m_free(more));
	assert_null(m_getm(ns, 3 * MCLBYTES_MIN)); /* has two, wants three */
	assert_int_equal(ns->ns_mcl2pool.pl_nout, TEST_NCLUSTERS - 2);
	m_freem(chain);
	for (n = 0; n < TEST_NJUMBOS; n++)
		assert_non_null(jumbo[n] = m_getjumbo(ns, MT_DATA, false));
	assert_null(m_getjumbo(ns, MT_DATA, true));
	while (n > 0)
		m_freem(jumbo[--n]);
	struct mbuf *all = NULL, *m;
	while ((m = m_get(ns, MT_DATA)) != NULL) {
		m->m_next = all;
		all = m;
		n++;
	}
	assert_int_equal(n, TEST_NMBUFS);
	assert_null(m_gethdr(ns, MT_DATA));
	assert_null(m_getcl(ns, MT_DATA, false));
	assert_null(m_getjumbo(ns, MT_DATA, false));
	assert_int_equal(ns->ns_mcl2pool.pl_nout, 0);
	m_freem(all);
	test_netstack_end(ns);
}

static size_t
room_of(const struct mbuf *m)
{
	size_t room = 0;

	for (; m != NULL; m = m->m_next) {
		assert_int_equal(m->m_len, 0);
		room += m_trailingspace(m);
	}
	return room;
}

static void
test_getm(void **state)
{
	static const size_t lens[] = {0, 1, MHLEN, MHLEN + 1, 2048, 2049, 4096, 4097, 8192, 8193,
	    65536, MJUMBO_BYTES, MJUMBO_BYTES + 1};

	(void)state;
	for (int big = 0; big < 2; big++) {
		struct netstack *ns = test_netstack();

		ns->ns_mclbytes = big ? MCLBYTES_MAX : MCLBYTES_MIN;
		for (size_t i = 0; i < nitems(lens); i++) {
			struct mbuf *m = m_getm(ns, lens[i]);

			assert_non_null(m);
			assert_true((m->m_flags & M_PKTHDR) != 0);
			assert_true(room_of(m) >= lens[i]);
			m_sanity(m);
			m_freem(m);
		}
		assert_int_equal(ns->ns_mjpool.pl_ngets, 3);
		/* without a jumbo, clusters do */
		pool_setlimit(&ns->ns_mjpool, 1);
		struct mbuf *j = m_getjumbo(ns, MT_DATA, false), *m = m_getm(ns, 65536);
		assert_non_null(m->m_next);
		assert_true(room_of(m) >= 65536);
		m_freem(m);
		m_freem(j);
		test_netstack_end(ns);
	}
}

static int freed;

static void
foreign_free(struct mext_ref *ref)
{
	assert_ptr_equal(ref->er_arg, &freed);
	freed++;
}

static void
test_foreign_memory(void **state)
{
	struct netstack *ns = test_netstack();
	uint8_t buf[3000];
	struct mext_ref ref = {.er_refs = 1, .er_free = foreign_free, .er_arg = &freed};
	struct mbuf *m, *c;

	(void)state;
	freed = 0;
	ns->ns_fault.af_fail_at = 1;
	assert_null(m_extget(ns, buf, sizeof(buf), &ref));
	assert_int_equal(ref.er_refs, 1);
	assert_int_equal(freed, 0);
	m = m_extget(ns, buf, sizeof(buf), &ref);
	assert_ptr_equal(m->m_data, buf);
	assert_true(m_writable(m));
	assert_int_equal(m_trailingspace(m), sizeof(buf));
	m->m_len = m->m_pkthdr.len = 1000;
	c = m_copym(m, 10, 500);
	assert_int_equal(ref.er_refs, 2);
	assert_false(m_writable(m));
	assert_false(m_writable(c));
	assert_int_equal(m_trailingspace(m), 0);
	assert_int_equal(m_leadingspace(c), 0);
	m_freem(m);
	assert_int_equal(freed, 0);
	assert_true(m_writable(c));
	assert_int_equal(m_leadingspace(c), 10);
	assert_int_equal(m_trailingspace(c), sizeof(buf) - 510);
	m_freem(c);
	assert_int_equal(freed, 1);
	test_netstack_end(ns);
}

static void
test_drop(void **state)
{
	static const size_t lens[] = {10, 20};
	struct netstack *ns = test_netstack();
	uint64_t hash = ns->ns_trace.t_hash;

	(void)state;
	m_drop(test_chain(ns, "ic", lens, NULL), DROP_TCP_CKSUM);
	assert_int_equal(ns->ns_drops[DROP_TCP_CKSUM], 1);
	assert_int_equal(ns->ns_trace.t_count, 1);
	assert_int_equal(ns->ns_trace.t_ring[0].tr_event, TRACE_DROP);
	assert_int_equal(ns->ns_trace.t_ring[0].tr_a, DROP_TCP_CKSUM);
	assert_int_equal(ns->ns_trace.t_ring[0].tr_b, 30);
	assert_int_not_equal(ns->ns_trace.t_hash, hash);
	test_netstack_end(ns);
}

static void
test_queue(void **state)
{
	struct netstack *ns = test_netstack();
	struct mbuf *m[3];
	struct mbufq mq;

	(void)state;
	mbufq_init(&mq, 2);
	assert_null(mbufq_dequeue(&mq));
	for (int i = 0; i < 3; i++)
		m[i] = m_gethdr(ns, MT_DATA);
	assert_true(mbufq_enqueue(&mq, m[0]));
	assert_true(mbufq_enqueue(&mq, m[1]));
	assert_false(mbufq_enqueue(&mq, m[2]));
	assert_int_equal(mq.mq_len, 2);
	assert_ptr_equal(mbufq_dequeue(&mq), m[0]);
	assert_null(m[0]->m_nextpkt);
	assert_true(mbufq_enqueue(&mq, m[2]));
	assert_ptr_equal(mbufq_dequeue(&mq), m[1]);
	assert_ptr_equal(mbufq_dequeue(&mq), m[2]);
	assert_null(mbufq_dequeue(&mq));
	assert_true(mbufq_enqueue(&mq, m[1]));
	assert_true(mbufq_enqueue(&mq, m[2]));
	mbufq_drain(&mq);
	assert_int_equal(mq.mq_len, 0);
	assert_int_equal(mq.mq_maxlen, 2);
	assert_int_equal(ns->ns_mbpool.pl_nout, 1);
	assert_true(mbufq_enqueue(&mq, m[0]));
	mbufq_drain(&mq);
	test_netstack_end(ns);
}

static void
test_sanity_finds(void **state)
{
	static const size_t lens[] = {10, 20};
	struct netstack *ns = test_netstack();
	struct mbuf *m = test_chain(ns, "ic", lens, NULL), *n = m->m_next;

	(void)state;
	m->m_pkthdr.len++;
	expect_assert_failure(m_sanity(m));
	m->m_pkthdr.len--;
	n->m_flags |= M_PKTHDR;
	expect_assert_failure(m_sanity(m));
	n->m_flags &= (uint16_t)~M_PKTHDR;
	n->m_data -= 1;
	expect_assert_failure(m_sanity(m));
	n->m_data += 1;
	n->m_len = MCLBYTES_MIN + 1;
	m->m_pkthdr.len = 10 + MCLBYTES_MIN + 1;
	expect_assert_failure(m_sanity(m));
	n->m_len = 20;
	m->m_pkthdr.len = 30;
	n->m_type = MT_FREE;
	expect_assert_failure(m_sanity(m));
	n->m_type = MT_DATA;
	n->m_ext.ext_ref->er_refs = 0;
	expect_assert_failure(m_sanity(m));
	n->m_ext.ext_ref->er_refs = 1;
	n->m_nextpkt = m;
	expect_assert_failure(m_sanity(m));
	n->m_nextpkt = NULL;
	m_sanity(m);
	/* freed twice */
	m->m_next = NULL;
	m_freem(n);
	expect_assert_failure(m_free(n));
	m_freem(m);
	test_netstack_end(ns);
}

static void
wait_for_cluster(struct lwp *l, void *arg)
{
	struct mbuf **mp = arg;
	struct netstack *ns = l->l_ns;

	while ((*mp = m_getcl(ns, MT_DATA, true)) == NULL)
		assert_int_equal(tsleep(ns, &ns->ns_mbwait, "mbwait", 0), 0);
}

/* Who sleeps for a cluster gets the next one that is freed. */
static void
test_wait_for_memory(void **state)
{
	struct netstack *ns = test_netstack();
	struct mbuf *all = m_getcl_chain(ns, MT_DATA, TEST_NCLUSTERS), *got = NULL;
	struct proc *p;

	(void)state;
	assert_int_equal(proc_create(ns, "t", &copy_engine_direct, NULL, &p), 0);
	assert_non_null(lwp_start(p, wait_for_cluster, &got));
	netstack_run(ns);
	assert_null(got);
	assert_false(waitq_empty(&ns->ns_mbwait));
	all = m_free(all);
	netstack_run(ns);
	assert_non_null(got);
	assert_true(waitq_empty(&ns->ns_mbwait));
	m_freem(got);
	m_freem(all);
	proc_exit(p);
	test_netstack_end(ns);
}

static int
scenario_get(struct netstack *ns, void *arg)
{
	struct mbuf *m[6] = {m_getcl(ns, MT_DATA, true), m_getjumbo(ns, MT_DATA, false),
	    m_getm(ns, 100), m_getm(ns, 5000), m_getm(ns, 65536), m_getcl_chain(ns, MT_DATA, 4)};
	int error = 0;

	(void)arg;
	for (size_t i = 0; i < nitems(m); i++) {
		if (m[i] == NULL)
			error = 1;
		else
			m_sanity(m[i]);
		m_freem(m[i]);
	}
	return error;
}

static void
test_failures(void **state)
{
	(void)state;
	/* 2 + 2 + 1 + 3 * 2 + 2 + 4 * 2 allocations */
	assert_int_equal(for_each_alloc_failure(NULL, scenario_get, NULL), 21);
	assert_int_equal(test_host_bytes(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_get),
	    cmocka_unit_test(test_clusters),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_getm),
	    cmocka_unit_test(test_foreign_memory),
	    cmocka_unit_test(test_drop),
	    cmocka_unit_test(test_queue),
	    cmocka_unit_test(test_sanity_finds),
	    cmocka_unit_test(test_wait_for_memory),
	    cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests_name("mbuf", tests, NULL, NULL);
}
