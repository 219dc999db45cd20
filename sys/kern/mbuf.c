/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mbufs: getting them, freeing them, and what can be said about one without changing it.
 *
 * External storage of a pool (clusters, jumbos) is one pool item: the reference count in its first
 * 64 bytes, the buffer behind. Freeing anything wakes those who wait for memory (ns_mbwait).
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"

#define MBUF_RESERVE 2048u
#define MCL2K_RESERVE 1024u
#define MCL4K_RESERVE 256u
#define MBUF_JUMBO_FROM (2u * MCLBYTES_MAX) /* m_getm: more than this in a jumbo, if there is one */

struct cluster {
	struct mext_ref cl_ref;
	_Alignas(64) uint8_t cl_buf[];
};

static const struct pool_plan {
	const char *pp_name;
	size_t pp_pool; /* offset in struct netstack */
	size_t pp_item_bytes;
	uint32_t pp_reserve;
} pool_plans[] = {
    {"mbuf", offsetof(struct netstack, ns_mbpool), MSIZE, MBUF_RESERVE},
    {"mcl2k", offsetof(struct netstack, ns_mcl2pool), sizeof(struct cluster) + MCLBYTES_MIN,
	MCL2K_RESERVE},
    {"mcl4k", offsetof(struct netstack, ns_mcl4pool), sizeof(struct cluster) + MCLBYTES_MAX,
	MCL4K_RESERVE},
    {"jumbo", offsetof(struct netstack, ns_mjpool), sizeof(struct cluster) + MJUMBO_BYTES, 0},
};

static struct pool *
plan_pool(struct netstack *ns, size_t i)
{
	return (void *)((uint8_t *)ns + pool_plans[i].pp_pool);
}

int
mbuf_init(struct netstack *ns, uint32_t nmbufs, uint32_t nclusters, uint32_t njumbos)
{
	const uint32_t limits[] = {nmbufs, nclusters, howmany(nclusters, 2), njumbos};
	int error = 0;
	size_t i;

	_Static_assert(nitems(limits) == nitems(pool_plans), "a limit for each pool");
	ns->ns_mclbytes = MCLBYTES_MIN;
	waitq_init(&ns->ns_mbwait);
	for (i = 0; i < nitems(pool_plans) && error == 0; i++) {
		const struct pool_plan *pp = &pool_plans[i];

		error = pool_init(plan_pool(ns, i), pp->pp_name, pp->pp_item_bytes, limits[i],
		    KERN_MIN(pp->pp_reserve, limits[i]), &ns->ns_fault);
	}
	if (error != 0)
		for (i--; i-- > 0;)
			pool_destroy(plan_pool(ns, i));
	return error;
}

void
mbuf_fini(struct netstack *ns)
{
	KASSERT(waitq_empty(&ns->ns_mbwait));
	for (size_t i = nitems(pool_plans); i-- > 0;)
		pool_destroy(plan_pool(ns, i));
}

struct mbuf *
m_get(struct netstack *ns, enum mbuf_type type)
{
	struct mbuf *m = pool_get(&ns->ns_mbpool);

	if (m == NULL)
		return NULL;
	m->m_next = NULL;
	m->m_nextpkt = NULL;
	m->m_data = m->m_dat;
	m->m_ns = ns;
	m->m_len = 0;
	m->m_flags = 0;
	m->m_type = (uint16_t)type;
	return m;
}

struct mbuf *
m_gethdr(struct netstack *ns, enum mbuf_type type)
{
	struct mbuf *m = m_get(ns, type);

	if (m == NULL)
		return NULL;
	m->m_data = m->m_pktdat;
	m->m_flags = M_PKTHDR;
	m->m_pkthdr = (struct pkthdr){0};
	return m;
}

static struct mbuf *
m_getany(struct netstack *ns, enum mbuf_type type, bool pkthdr)
{
	return pkthdr ? m_gethdr(ns, type) : m_get(ns, type);
}

static void
cluster_free(struct mext_ref *ref)
{
	pool_put(ref->er_arg, container_of(ref, struct cluster, cl_ref));
}

static void
ext_attach(struct mbuf *m, uint8_t *buf, uint32_t len, struct mext_ref *ref)
{
	m->m_flags |= M_EXT;
	m->m_ext.ext_buf = buf;
	m->m_ext.ext_size = len;
	m->m_ext.ext_ref = ref;
	m->m_data = buf;
}

/* An mbuf with a buffer of len bytes out of pl. */
static struct mbuf *
m_getpool(struct pool *pl, uint32_t len, struct mbuf *m)
{
	struct cluster *cl;

	if (m == NULL)
		return NULL;
	cl = pool_get(pl);
	if (cl == NULL) {
		m_free(m);
		return NULL;
	}
	cl->cl_ref = (struct mext_ref){.er_refs = 1, .er_free = cluster_free, .er_arg = pl};
	ext_attach(m, cl->cl_buf, len, &cl->cl_ref);
	return m;
}

struct mbuf *
m_getcl(struct netstack *ns, enum mbuf_type type, bool pkthdr)
{
	struct pool *pl = ns->ns_mclbytes == MCLBYTES_MIN ? &ns->ns_mcl2pool : &ns->ns_mcl4pool;

	return m_getpool(pl, ns->ns_mclbytes, m_getany(ns, type, pkthdr));
}

struct mbuf *
m_getjumbo(struct netstack *ns, enum mbuf_type type, bool pkthdr)
{
	return m_getpool(&ns->ns_mjpool, MJUMBO_BYTES, m_getany(ns, type, pkthdr));
}

struct mbuf *
m_getcl_chain(struct netstack *ns, enum mbuf_type type, unsigned n)
{
	struct mbuf *top = NULL, **tail = &top;

	KASSERT(n > 0);
	for (unsigned i = 0; i < n; i++) {
		*tail = m_getcl(ns, type, false);
		if (*tail == NULL)
			break;
		tail = &(*tail)->m_next;
	}
	return top;
}

struct mbuf *
m_getm(struct netstack *ns, size_t len)
{
	struct mbuf *top, *last;

	if (len <= MHLEN)
		return m_gethdr(ns, MT_DATA);
	if (len > MBUF_JUMBO_FROM && len <= MJUMBO_BYTES) {
		top = m_getjumbo(ns, MT_DATA, true);
		if (top != NULL)
			return top;
	}
	top = last = m_getcl(ns, MT_DATA, true);
	for (size_t space = ns->ns_mclbytes; top != NULL && space < len; space += ns->ns_mclbytes) {
		last->m_next = m_getcl(ns, MT_DATA, false);
		last = last->m_next;
		if (last == NULL) {
			m_freem(top);
			return NULL;
		}
	}
	return top;
}

struct mbuf *
m_extget(struct netstack *ns, uint8_t *buf, uint32_t len, struct mext_ref *ref)
{
	struct mbuf *m = m_gethdr(ns, MT_DATA);

	KASSERT(ref->er_refs > 0 && ref->er_free != NULL);
	if (m != NULL)
		ext_attach(m, buf, len, ref);
	return m;
}

static void
ext_release(struct mext_ref *ref)
{
	KASSERT(ref->er_refs > 0);
	if (--ref->er_refs == 0)
		ref->er_free(ref);
}

struct mbuf *
m_free(struct mbuf *m)
{
	struct netstack *ns = m->m_ns;
	struct mbuf *next = m->m_next;

	KASSERT(m->m_type != MT_FREE);
	m->m_type = MT_FREE;
	if ((m->m_flags & M_EXT) != 0)
		ext_release(m->m_ext.ext_ref);
	pool_put(&ns->ns_mbpool, m);
	if (!waitq_empty(&ns->ns_mbwait))
		wakeup(&ns->ns_mbwait);
	return next;
}

void
m_freem(struct mbuf *m)
{
	while (m != NULL)
		m = m_free(m);
}

void
m_freepkts(struct mbuf *m)
{
	while (m != NULL) {
		struct mbuf *next = m->m_nextpkt;

		m_freem(m);
		m = next;
	}
}

void
m_drop(struct mbuf *m, enum drop_reason why)
{
	KASSERT(why < DROP_COUNT);
	m->m_ns->ns_drops[why]++;
	trace_add(m->m_ns, TRACE_DROP, why, m_length(m));
	m_freem(m);
}

size_t
m_length(const struct mbuf *m)
{
	size_t len = 0;

	for (; m != NULL; m = m->m_next)
		len += m->m_len;
	return len;
}

size_t
m_storage(const struct mbuf *m)
{
	size_t bytes = 0;

	for (; m != NULL; m = m->m_next)
		bytes += MSIZE + ((m->m_flags & M_EXT) != 0 ? m->m_ext.ext_size : 0);
	return bytes;
}

struct mbuf *
m_last(struct mbuf *m)
{
	while (m->m_next != NULL)
		m = m->m_next;
	return m;
}

bool
m_writable(const struct mbuf *m)
{
	return (m->m_flags & M_EXT) == 0 || m->m_ext.ext_ref->er_refs == 1;
}

/* Where m's storage starts, and its size. */
static const uint8_t *
m_buf(const struct mbuf *m, size_t *sizep)
{
	if ((m->m_flags & M_EXT) != 0) {
		*sizep = m->m_ext.ext_size;
		return m->m_ext.ext_buf;
	}
	if ((m->m_flags & M_PKTHDR) != 0) {
		*sizep = MHLEN;
		return m->m_pktdat;
	}
	*sizep = MLEN;
	return m->m_dat;
}

size_t
m_leadingspace(const struct mbuf *m)
{
	size_t size;
	const uint8_t *buf = m_buf(m, &size);

	return m_writable(m) ? (size_t)(m->m_data - buf) : 0;
}

size_t
m_trailingspace(const struct mbuf *m)
{
	size_t size;
	const uint8_t *buf = m_buf(m, &size);

	return m_writable(m) ? (size_t)(buf + size - m->m_data) - m->m_len : 0;
}

void
m_sanity(const struct mbuf *m)
{
	const struct mbuf *first = m;

	for (; m != NULL; m = m->m_next) {
		size_t size;
		const uint8_t *buf = m_buf(m, &size);

		KASSERT(m->m_ns == first->m_ns);
		KASSERT(m->m_type > MT_FREE && m->m_type < MT_COUNT);
		KASSERT((m->m_flags & M_EXT) == 0 || m->m_ext.ext_ref->er_refs > 0);
		KASSERT(m->m_data >= buf && m->m_data <= buf + size);
		KASSERT(m->m_len <= (size_t)(buf + size - m->m_data));
		KASSERT(m == first || (m->m_flags & M_PKTHDR) == 0);
		KASSERT(m == first || m->m_nextpkt == NULL);
	}
	KASSERT((first->m_flags & M_PKTHDR) == 0 || first->m_pkthdr.len == m_length(first));
}
