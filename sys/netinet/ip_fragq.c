/* SPDX-License-Identifier: BSD-2-Clause */
/* The fragments of one datagram (ip_fragq.h). An insert looks at the tail first. */
#include "netinet/ip_fragq.h"

#include <string.h>

#include "kern/cdefs.h"

static bool
frag_same(const struct mbuf *a, const struct mbuf *b)
{
	uint8_t x[64], y[64];
	uint32_t off, n;

	for (off = 0; off < a->m_pkthdr.len; off += n) {
		n = KERN_MIN(a->m_pkthdr.len - off, (uint32_t)sizeof(x));
		m_copydata(a, off, n, x);
		m_copydata(b, off, n, y);
		if (memcmp(x, y, n) != 0)
			return false;
	}
	return true;
}

enum frag_fit
frag_place(const struct fragq *q, const struct mbuf *m, struct mbuf **prevp)
{
	struct mbuf *prev = NULL, *next = q->fq_frags;

	if (q->fq_tail != NULL && frag_off(m) >= frag_end(q->fq_tail)) {
		*prevp = q->fq_tail;
		return FRAG_FITS;
	}
	while (next != NULL && frag_off(next) < frag_off(m)) {
		prev = next;
		next = next->m_nextpkt;
	}
	*prevp = prev;
	if (next != NULL && frag_off(next) == frag_off(m) &&
	    next->m_pkthdr.len == m->m_pkthdr.len && frag_same(next, m))
		return FRAG_REPEATS;
	if ((prev != NULL && frag_end(prev) > frag_off(m)) ||
	    (next != NULL && frag_end(m) > frag_off(next)))
		return FRAG_OVERLAPS;
	return FRAG_FITS;
}

bool
frag_end_ok(struct fragq *q, const struct mbuf *m, bool mf, uint32_t most)
{
	uint32_t end = frag_end(m);

	if (end > most || (q->fq_total != 0 && end > q->fq_total))
		return false;
	if (mf)
		return q->fq_total == 0 || end < q->fq_total;
	if (q->fq_total != 0 ? end != q->fq_total
			     : q->fq_tail != NULL && frag_end(q->fq_tail) > end)
		return false;
	q->fq_total = end;
	return true;
}

uint32_t
frag_insert(struct fragq *q, struct mbuf *m, struct mbuf *prev)
{
	struct mbuf **link = prev != NULL ? &prev->m_nextpkt : &q->fq_frags;
	uint32_t storage = (uint32_t)m_storage(m);

	m->m_nextpkt = *link;
	*link = m;
	if (m->m_nextpkt == NULL)
		q->fq_tail = m;
	q->fq_n++;
	q->fq_got += m->m_pkthdr.len;
	q->fq_bytes += storage;
	return storage;
}

struct mbuf *
fragq_join(struct fragq *q)
{
	struct mbuf *m = q->fq_frags, *n, *next = m->m_nextpkt;
	uint32_t total = q->fq_total;

	m->m_nextpkt = NULL;
	while ((n = next) != NULL) {
		next = n->m_nextpkt;
		n->m_nextpkt = NULL;
		m_cat(m, n);
	}
	*q = (struct fragq){.fq_frags = NULL};
	m->m_pkthdr.len = total;
	m->m_pkthdr.csum_start = 0;
	m->m_pkthdr.csum_flags = 0;
	return m;
}

uint32_t
fragq_purge(struct fragq *q, enum drop_reason why)
{
	uint32_t n = q->fq_n;
	struct mbuf *m;

	while ((m = q->fq_frags) != NULL) {
		q->fq_frags = m->m_nextpkt;
		m->m_nextpkt = NULL;
		m_drop(m, why);
	}
	q->fq_tail = NULL;
	q->fq_bytes = q->fq_got = q->fq_n = 0;
	return n;
}
