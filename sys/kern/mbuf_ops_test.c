/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on the bytes of mbuf chains: each at all edges of chains of all shapes, with each
 * allocation failing, and in random sequences against a flat array.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/rng.h"
#include "kern/testutil.h"
#include "kern/testutil_host.h"

#define BYTES_MAX 40000u
#define NMBUFS_MAX 6u
#define EDGES_MAX 40u

static const struct shape {
	const char *kinds; /* see test_chain */
	size_t lens[NMBUFS_MAX + 1];
} shapes[] = {
    {"i", {0}},
    {"i", {1}},
    {"i", {MHLEN}},
    {"ii", {MHLEN, MLEN}},
    {"ii", {5, MLEN}},
    {"iii", {0, 0, 9}},
    {"iiii", {0, 4, 0, 4}},
    {"c", {0}},
    {"c", {2048}},
    {"s", {2048}},
    {"s", {30}},
    {"sis", {50, 20, 60}},
    {"ici", {3, 2048, 7}},
    {"cic", {100, MLEN, 200}},
    {"iscsi", {14, 20, 1000, 300, 1}},
    {"iiiiii", {1, 1, 1, 1, 1, 1}},
};

static uint8_t pattern[BYTES_MAX];

/* A stack, a chain of a shape, its bytes, and the clusters' other users. */
struct fixture {
	struct netstack *ns;
	const struct shape *shape;
	struct mbuf *m;
	struct mbuf *sharers;
	size_t total;
};

static void
begin(struct fixture *f, struct netstack *ns, const struct shape *shape)
{
	*f = (struct fixture){.ns = ns, .shape = shape};
	f->m = test_chain(ns, shape->kinds, shape->lens, &f->sharers);
	f->total = m_length(f->m);
}

/* Nobody wrote to what is shared. */
static void
end(struct fixture *f)
{
	size_t off = 0;
	struct mbuf *s = f->sharers;

	for (size_t i = 0, n = 0; f->shape->kinds[i] != '\0'; i++, n = 0) {
		if (f->shape->kinds[i] == 's') {
			/* they were put in front, one by one */
			for (size_t j = i + 1; f->shape->kinds[j] != '\0'; j++)
				n += f->shape->kinds[j] == 's';
			for (s = f->sharers; n > 0; n--)
				s = s->m_nextpkt;
			assert_memory_equal(s->m_data, pattern + off, s->m_len);
		}
		off += f->shape->lens[i];
	}
	m_freepkts(f->sharers);
	test_pools_empty(f->ns);
}

/* Offsets worth trying in a chain: around each boundary, and around `also`. */
static size_t
edges(const struct fixture *f, size_t also, size_t out[EDGES_MAX])
{
	size_t n = 0, off = 0;

	for (size_t i = 0; i <= strlen(f->shape->kinds); i++) {
		for (int d = -1; d <= 1; d++)
			if ((int64_t)off + d >= 0 && off + (size_t)d <= f->total)
				out[n++] = off + (size_t)d;
		off += f->shape->lens[i];
	}
	if (also <= f->total)
		out[n++] = also;
	out[n++] = f->total / 2;
	assert_true(n <= EDGES_MAX);
	return n;
}

/* Calls body for each shape with a fresh chain, for each of its edges. */
static void
for_each_edge(void (*body)(struct fixture *f, size_t off))
{
	struct netstack *ns = test_netstack();

	for (size_t s = 0; s < nitems(shapes); s++) {
		struct fixture f;
		size_t offs[EDGES_MAX], n;

		begin(&f, ns, &shapes[s]);
		n = edges(&f, MHLEN, offs);
		m_freem(f.m);
		end(&f);
		for (size_t i = 0; i < n; i++) {
			begin(&f, ns, &shapes[s]);
			body(&f, offs[i]);
			end(&f);
		}
	}
	test_netstack_end(ns);
}

static void
body_prepend(struct fixture *f, size_t unused)
{
	static uint8_t want[BYTES_MAX];

	(void)unused;
	for (size_t len = 0; len <= MHLEN; len += len < 3 ? 1 : 73) {
		struct mbuf *m = m_dup(f->m);

		m->m_flags |= M_BCAST;
		m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
		m->m_pkthdr.csum_start = 20;
		m = m_prepend(m, len);
		memset(m->m_data, 0xee, len);
		memset(want, 0xee, len);
		memcpy(want + len, pattern, f->total);
		test_chain_is(m, want, len + f->total);
		assert_int_equal(m->m_flags & (M_PKTHDR | M_BCAST), M_PKTHDR | M_BCAST);
		assert_int_equal(m->m_pkthdr.csum_start, 20 + len);
		m_freem(m);
		/* not a packet, and into shared storage never */
		m = m_copym(f->m, 0, f->total);
		m->m_flags &= (uint16_t)~M_PKTHDR;
		m = m_prepend(m, len);
		memset(m->m_data, 0xee, len);
		test_chain_is(m, want, len + f->total);
		assert_int_equal(m->m_flags & M_PKTHDR, 0);
		m_freem(m);
		test_chain_is(f->m, pattern, f->total);
	}
	m_freem(f->m);
}

static void
test_prepend(void **state)
{
	struct netstack *ns = test_netstack();
	struct mbuf *m = m_gethdr(ns, MT_DATA), *n;

	(void)state;
	for_each_edge(body_prepend);
	/* once there is room, it is used; a second header needs no second mbuf */
	m->m_len = m->m_pkthdr.len = 8;
	n = m_prepend(m, 20);
	assert_ptr_not_equal(n, m);
	assert_ptr_equal(m_prepend(n, 14), n);
	assert_ptr_equal(n->m_next, m);
	assert_int_equal(ns->ns_mbpool.pl_nout, 2);
	expect_assert_failure(m_prepend(n, MHLEN + 1));
	/* in a list of packets, the new head takes the place of the old one */
	n->m_nextpkt = m_gethdr(ns, MT_DATA);
	m = n->m_nextpkt;
	n = m_prepend(n, MHLEN);
	assert_ptr_equal(n->m_nextpkt, m);
	m_freem(m);
	n->m_nextpkt = NULL;
	m_sanity(n);
	m_freem(n);
	test_netstack_end(ns);
}

static void
body_pullup(struct fixture *f, size_t off)
{
	size_t len = KERN_MIN(off, MHLEN);
	struct mbuf *m = f->m;

	m->m_flags |= M_MCAST;
	m->m_pkthdr.flowid = 77;
	m = m_pullup(m, len);
	assert_non_null(m);
	test_chain_is(m, pattern, f->total);
	assert_true(m->m_len >= len);
	assert_true(len == 0 || m_writable(m));
	assert_int_equal(m->m_flags & (M_PKTHDR | M_MCAST), M_PKTHDR | M_MCAST);
	assert_int_equal(m->m_pkthdr.flowid, 77);
	if (len > 0)
		memset(m->m_data, 0, len); /* end() sees whether this was somebody's else */
	m_freem(m);
}

static void
test_pullup(void **state)
{
	static const size_t lens[] = {10, 20};
	struct netstack *ns = test_netstack();

	(void)state;
	for_each_edge(body_pullup);
	/* longer than the chain: freed */
	assert_null(m_pullup(test_chain(ns, "ic", lens, NULL), 31));
	test_pools_empty(ns);
	/* nothing to do: the same mbuf */
	struct mbuf *m = test_chain(ns, "ic", lens, NULL), *p = m_pullup(m, 10);
	assert_ptr_equal(m, p);
	/* room behind: no new mbuf */
	p = m_pullup(m, 30);
	assert_ptr_equal(m, p);
	assert_null(p->m_next);
	m_freem(p);
	/* a new first mbuf leaves room for a link header */
	static const size_t full[] = {MHLEN, 20};
	m = test_chain(ns, "ic", full, NULL);
	m_adj(m, MHLEN - 1);
	p = m_pullup(m, 21);
	assert_ptr_not_equal(m, p);
	assert_int_equal(m_leadingspace(p), M_LINKHDR);
	m_freem(p);
	test_netstack_end(ns);
}

static void
body_copy(struct fixture *f, size_t off)
{
	size_t ends[EDGES_MAX], n = edges(f, MHLEN, ends);
	static uint8_t out[BYTES_MAX];

	f->m->m_flags |= M_BCAST;
	m_last(f->m)->m_flags |= M_EOR;
	for (size_t i = 0; i < n; i++) {
		size_t len = ends[i];
		struct mbuf *c;

		if (off + len > f->total)
			continue;
		c = m_copym(f->m, off, len);
		assert_non_null(c);
		test_chain_is(c, pattern + off, len);
		assert_int_equal(c->m_flags & (M_PKTHDR | M_BCAST),
		    off == 0 ? M_PKTHDR | M_BCAST : 0);
		if (off + len == f->total && len > 0)
			assert_true((m_last(c)->m_flags & M_EOR) != 0);
		m_freem(c);
		memset(out, 0x77, sizeof(out));
		m_copydata(f->m, off, len, out);
		assert_memory_equal(out, pattern + off, len);
		assert_int_equal(out[len], 0x77);
	}
	if (off < f->total) {
		size_t at;
		struct mbuf *p = m_getptr(f->m, off, &at);

		assert_true(at < p->m_len);
		assert_int_equal(p->m_data[at], pattern[off]);
	}
	test_chain_is(f->m, pattern, f->total);
	m_freem(f->m);
}

static void
test_copy(void **state)
{
	static const size_t lens[] = {10, 20};
	struct netstack *ns = test_netstack();
	struct mbuf *m = test_chain(ns, "ic", lens, NULL), *c;
	uint8_t b[40];
	size_t at;

	(void)state;
	for_each_edge(body_copy);
	/* clusters are shared, small data are not */
	c = m_copym(m, 0, 30);
	assert_ptr_not_equal(c->m_data, m->m_data);
	assert_ptr_equal(c->m_next->m_data, m->m_next->m_data);
	assert_int_equal(ns->ns_mcl2pool.pl_nout, 1);
	m_freem(c);
	expect_assert_failure(m_copydata(m, 0, 31, b));
	expect_assert_failure(m_getptr(m, 30, &at));
	m_freem(m);
	test_netstack_end(ns);
}

static void
body_dup_copyback(struct fixture *f, size_t off)
{
	static uint8_t want[BYTES_MAX];
	struct mbuf *d;

	f->m->m_pkthdr.flowid = 5;
	d = m_dup(f->m);
	assert_int_equal(d->m_pkthdr.flowid, 5);
	test_chain_is(d, pattern, f->total);
	memcpy(want, pattern, f->total);
	memset(want + off, 0x11, f->total - off);
	m_copyback(d, off, f->total - off, want + off);
	test_chain_is(d, want, f->total);
	test_chain_is(f->m, pattern, f->total);
	m_freem(d);
	f->m->m_flags &= (uint16_t)~M_PKTHDR;
	d = m_dup(f->m);
	assert_int_equal(d->m_flags & M_PKTHDR, 0);
	test_chain_is(d, pattern, f->total);
	m_freem(d);
	m_freem(f->m);
}

static void
test_dup_copyback(void **state)
{
	static const size_t lens[] = {10};
	struct netstack *ns = test_netstack();
	struct mbuf *sharers = NULL, *m = test_chain(ns, "s", lens, &sharers);

	(void)state;
	for_each_edge(body_dup_copyback);
	expect_assert_failure(m_copyback(m, 0, 1, "x")); /* shared */
	m_freem(sharers);
	m_copyback(m, 9, 1, "x");
	expect_assert_failure(m_copyback(m, 9, 2, "xy")); /* beyond the end */
	m_freem(m);
	test_netstack_end(ns);
}

static void
body_append(struct fixture *f, size_t unused)
{
	static const size_t lens[] = {0, 1, 100, MLEN, 2048, 5000};
	size_t total = f->total;

	(void)unused;
	for (size_t i = 0; i < nitems(lens); i++) {
		assert_int_equal(m_append(f->m, lens[i], pattern + total), 0);
		total += lens[i];
		test_chain_is(f->m, pattern, total);
	}
	m_freem(f->m);
}

static void
test_append(void **state)
{
	(void)state;
	for_each_edge(body_append);
}

static void
body_adj(struct fixture *f, size_t off)
{
	f->m->m_flags |= M_BCAST;
	m_last(f->m)->m_flags |= M_EOR;
	f->m->m_pkthdr.csum_flags = M_CSUM_NEEDED | M_CSUM_OK;
	f->m->m_pkthdr.csum_start = 10;
	m_adj(f->m, (int)off);
	test_chain_is(f->m, pattern + off, f->total - off);
	assert_int_equal(f->m->m_pkthdr.csum_flags,
	    off > 10 ? M_CSUM_OK : M_CSUM_NEEDED | M_CSUM_OK);
	assert_true(off > 10 || f->m->m_pkthdr.csum_start == 10 - off);
	assert_true((m_last(f->m)->m_flags & M_EOR) != 0);
	for (struct mbuf *n = f->m->m_next; n != NULL && off == f->total; n = n->m_next)
		assert_int_equal(n->m_len, 0);
	m_adj(f->m, -(int)((f->total - off) / 2));
	size_t left = f->total - off - (f->total - off) / 2;
	test_chain_is(f->m, pattern + off, left);
	assert_true((m_last(f->m)->m_flags & M_EOR) != 0);
	m_adj(f->m, -(int)left);
	test_chain_is(f->m, NULL, 0);
	assert_null(f->m->m_next);
	assert_true((f->m->m_flags & M_PKTHDR) != 0);
	m_freem(f->m);
}

static void
body_adj_tail(struct fixture *f, size_t off)
{
	m_adj(f->m, -(int)off);
	test_chain_is(f->m, pattern, f->total - off);
	m_adj(f->m, 0);
	test_chain_is(f->m, pattern, f->total - off);
	m_adj(f->m, (int)f->total + 5); /* more than there is */
	test_chain_is(f->m, NULL, 0);
	m_adj(f->m, -5);
	test_chain_is(f->m, NULL, 0);
	m_freem(f->m);
}

static void
test_adj(void **state)
{
	(void)state;
	for_each_edge(body_adj);
	for_each_edge(body_adj_tail);
}

static void
body_split(struct fixture *f, size_t off)
{
	struct mbuf *n;

	f->m->m_pkthdr.flowid = 9;
	f->m->m_pkthdr.csum_flags = M_CSUM_NEEDED | M_CSUM_OK;
	f->m->m_flags |= M_MCAST;
	m_last(f->m)->m_flags |= M_EOR;
	n = m_split(f->m, off);
	assert_non_null(n);
	test_chain_is(f->m, pattern, off);
	test_chain_is(n, pattern + off, f->total - off);
	assert_int_equal(n->m_flags & (M_PKTHDR | M_MCAST), M_PKTHDR | M_MCAST);
	assert_int_equal(n->m_pkthdr.flowid, 9);
	assert_int_equal(n->m_pkthdr.csum_flags, M_CSUM_OK);
	if (off < f->total) {
		assert_int_equal(m_last(f->m)->m_flags & M_EOR, 0);
		assert_true((m_last(n)->m_flags & M_EOR) != 0);
	}
	m_cat(f->m, n);
	test_chain_is(f->m, pattern, f->total);
	m_freem(f->m);
}

/* The same without a pkthdr. */
static void
body_split_plain(struct fixture *f, size_t off)
{
	struct mbuf *n;

	f->m->m_flags &= (uint16_t)~M_PKTHDR;
	n = m_split(f->m, off);
	assert_int_equal(n->m_flags & M_PKTHDR, 0);
	test_chain_is(f->m, pattern, off);
	test_chain_is(n, pattern + off, f->total - off);
	m_cat(f->m, n);
	test_chain_is(f->m, pattern, f->total);
	f->m = m_makepkt(f->m);
	assert_true((f->m->m_flags & M_PKTHDR) != 0);
	assert_int_equal(f->m->m_pkthdr.len, f->total);
	assert_int_equal(f->m->m_pkthdr.csum_flags, 0);
	test_chain_is(f->m, pattern, f->total);
	m_freem(f->m);
}

static void
test_split_cat(void **state)
{
	static const size_t lens[] = {10, MLEN};
	struct netstack *ns = test_netstack();
	struct mbuf *m = test_chain(ns, "ii", lens, NULL), *n;

	(void)state;
	for_each_edge(body_split);
	for_each_edge(body_split_plain);
	/* between two plain mbufs nothing is allocated */
	m->m_flags &= (uint16_t)~M_PKTHDR;
	ns->ns_fault.af_fail_at = 1;
	n = m_split(m, 10);
	assert_non_null(n);
	assert_int_equal(ns->ns_fault.af_fail_at, 1);
	ns->ns_fault.af_fail_at = 0;
	expect_assert_failure(m_split(m, 11));
	m_freem(m);
	m_freem(n);
	/* a plain mbuf's tail that has no room beside a pkthdr takes two mbufs, or leaves none */
	m = test_chain(ns, "ii", lens, NULL);
	for (uint64_t nth = 1; nth <= 2; nth++) {
		ns->ns_fault.af_fail_at = nth;
		assert_null(m_split(m, 11));
		assert_int_equal(ns->ns_mbpool.pl_nout, 2);
		test_chain_is(m, pattern, 10 + MLEN);
	}
	n = m_split(m, 11);
	test_chain_is(n, pattern + 11, MLEN - 1);
	m_freem(n);
	m_freem(m);
	/* at the very end of a cluster there is nothing to share */
	static const size_t one[] = {100};
	m = test_chain(ns, "c", one, NULL);
	n = m_split(m, 100);
	assert_true(m_writable(m));
	m_freem(n);
	m_freem(m);
	test_netstack_end(ns);
}

/* m_get's whole room is used: no place for a pkthdr in it. */
static void
test_makepkt(void **state)
{
	static const uint32_t lens[] = {0, 1, MHLEN, MHLEN + 1, MLEN};
	struct netstack *ns = test_netstack();

	(void)state;
	for (size_t i = 0; i < nitems(lens); i++) {
		for (int fail = 0; fail < 2; fail++) {
			struct mbuf *m = m_get(ns, MT_DATA);

			memcpy(m->m_data, pattern, lens[i]);
			m->m_len = lens[i];
			m->m_flags |= M_BCAST;
			ns->ns_fault.af_fail_at = (uint64_t)fail;
			m = m_makepkt(m);
			assert_int_equal(m == NULL, fail);
			if (m != NULL) {
				assert_int_equal(m->m_flags & (M_PKTHDR | M_BCAST),
				    M_PKTHDR | M_BCAST);
				test_chain_is(m, pattern, lens[i]);
				if (lens[i] > 0 && lens[i] <= MHLEN)
					assert_null(m->m_next);
			}
			m_freem(m);
			test_pools_empty(ns);
		}
	}
	test_netstack_end(ns);
}

/* All that allocate, in one go, on the shape given. */
static int
scenario_ops(struct netstack *ns, void *arg)
{
	const struct shape *shape = arg;
	uint64_t fail_at = ns->ns_fault.af_fail_at;
	struct fixture f;
	struct mbuf *c = NULL, *d = NULL, *n = NULL;
	int error;

	ns->ns_fault.af_fail_at = 0;
	begin(&f, ns, shape);
	ns->ns_fault.af_fail_at = fail_at;
	size_t len = KERN_MIN(f.total, 100u), total = f.total;
	error = m_append(f.m, 3000, pattern + total);
	total += error == 0 ? 3000 : 0;
	test_chain_is(f.m, pattern, total);
	c = m_copym(f.m, 0, total);
	d = m_dup(f.m);
	if (d != NULL)
		n = m_split(d, len);
	if (d != NULL)
		test_chain_is(d, pattern, n != NULL ? len : total);
	if (c == NULL || d == NULL || n == NULL)
		error = 1;
	if (c != NULL)
		test_chain_is(c, pattern, total);
	f.m = m_pullup(f.m, len);
	if (f.m != NULL)
		f.m = m_prepend(f.m, MHLEN);
	if (f.m == NULL)
		error = 1;
	else
		m_sanity(f.m);
	m_freem(f.m);
	m_freem(c);
	m_freem(d);
	m_freem(n);
	m_freepkts(f.sharers);
	return error;
}

static void
test_failures(void **state)
{
	(void)state;
	for (size_t s = 0; s < nitems(shapes); s++) {
		struct shape shape = shapes[s];

		assert_true(for_each_alloc_failure(NULL, scenario_ops, &shape) >= 5);
	}
	assert_int_equal(test_host_bytes(), 0);
}

/* A chain and the flat array that it must be equal to. */
struct model {
	struct netstack *ns;
	struct rng rng;
	struct mbuf *m;
	uint8_t bytes[BYTES_MAX];
	size_t len;
};

static void
model_restart(struct model *mo)
{
	mo->ns->ns_fault.af_fail_at = 0;
	m_freem(mo->m);
	mo->m = m_gethdr(mo->ns, MT_DATA);
	mo->len = 0;
	assert_non_null(mo->m);
}

static void
model_prepend(struct model *mo, size_t n)
{
	n %= MHLEN + 1;
	mo->m = m_prepend(mo->m, n);
	if (mo->m == NULL) {
		model_restart(mo);
		return;
	}
	rng_bytes(&mo->rng, mo->m->m_data, n);
	memmove(mo->bytes + n, mo->bytes, mo->len);
	memcpy(mo->bytes, mo->m->m_data, n);
	mo->len += n;
}

static void
model_append(struct model *mo, size_t n)
{
	rng_bytes(&mo->rng, mo->bytes + mo->len, n);
	if (m_append(mo->m, n, mo->bytes + mo->len) == 0)
		mo->len += n;
}

static void
model_pullup(struct model *mo, size_t n)
{
	n %= MHLEN + 1;
	mo->m = m_pullup(mo->m, n);
	if (mo->m == NULL)
		model_restart(mo);
	else
		assert_true(mo->m->m_len >= n);
}

static void
model_trim(struct model *mo, size_t n)
{
	if (rng_below(&mo->rng, 2) == 0) {
		m_adj(mo->m, -(int)n);
		mo->len -= KERN_MIN(n, mo->len);
		return;
	}
	m_adj(mo->m, (int)n);
	n = KERN_MIN(n, mo->len);
	mo->len -= n;
	memmove(mo->bytes, mo->bytes + n, mo->len);
}

/* Splits at random, then joins, drops one half, or exchanges them. */
static void
model_split(struct model *mo, size_t n)
{
	struct mbuf *tail;

	n = mo->len == 0 ? 0 : n % (mo->len + 1);
	tail = m_split(mo->m, n);
	if (tail == NULL)
		return;
	test_chain_is(tail, mo->bytes + n, mo->len - n);
	switch (rng_below(&mo->rng, 3)) {
	case 0:
		m_cat(mo->m, tail);
		break;
	case 1:
		m_freem(tail);
		mo->len = n;
		break;
	default:
		m_freem(mo->m);
		mo->m = tail;
		mo->len -= n;
		memmove(mo->bytes, mo->bytes + n, mo->len);
		break;
	}
}

/* Lets a copy take the chain's place; the old one goes now, or is written to first. */
static void
model_copy(struct model *mo, size_t n)
{
	struct mbuf *c;

	n = mo->len == 0 ? 0 : n % (mo->len + 1);
	c = rng_below(&mo->rng, 2) == 0 ? m_dup(mo->m) : m_copym(mo->m, 0, mo->len);
	if (c == NULL)
		return;
	m_adj(mo->m, (int)n);
	m_freem(mo->m);
	mo->m = c;
}

static void
model_copyback(struct model *mo, size_t n)
{
	size_t off = mo->len == 0 ? 0 : n % mo->len;
	size_t len = mo->len == 0 ? 0 : rng_below(&mo->rng, (uint32_t)(mo->len - off) + 1);

	for (struct mbuf *m = mo->m; m != NULL; m = m->m_next)
		if (!m_writable(m))
			return;
	rng_bytes(&mo->rng, mo->bytes + off, len);
	m_copyback(mo->m, off, len, mo->bytes + off);
}

static void
test_model(void **state)
{
	static void (*const ops[])(struct model *, size_t) = {model_prepend, model_append,
	    model_pullup, model_trim, model_split, model_copy, model_copyback};
	static const uint8_t seed[32] = {3, 1, 4, 1, 5};
	static struct model mo;

	(void)state;
	mo.ns = test_netstack();
	rng_init(&mo.rng, seed);
	model_restart(&mo);
	for (int i = 0; i < 30000; i++) {
		size_t n = rng_below(&mo.rng, rng_below(&mo.rng, 3) == 0 ? 6000 : 600);

		if (rng_below(&mo.rng, 5) == 0)
			mo.ns->ns_fault.af_fail_at = 1 + rng_below(&mo.rng, 4);
		if (rng_below(&mo.rng, 50) == 0)
			mo.ns->ns_mclbytes ^= MCLBYTES_MIN ^ MCLBYTES_MAX;
		ops[rng_below(&mo.rng, nitems(ops))](&mo, n);
		mo.ns->ns_fault.af_fail_at = 0;
		test_chain_is(mo.m, mo.bytes, mo.len);
		if (mo.len > 20000)
			model_restart(&mo);
	}
	m_freem(mo.m);
	test_netstack_end(mo.ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prepend),
	    cmocka_unit_test(test_pullup),
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_dup_copyback),
	    cmocka_unit_test(test_append),
	    cmocka_unit_test(test_adj),
	    cmocka_unit_test(test_split_cat),
	    cmocka_unit_test(test_makepkt),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_model),
	};

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = test_byte(i);
	return cmocka_run_group_tests_name("mbuf_ops", tests, NULL, NULL);
}
