/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mbufs: operations on the bytes of a chain: copying, growing, trimming, splitting, joining.
 *
 * csum_start is an offset from the start of the packet; whatever moves the start moves it along.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"

#include <string.h>

#define M_HEADFLAGS (M_COPYFLAGS & ~M_EOR) /* belong to the packet, not to its last byte */
#define M_CSUM_REQUEST (M_CSUM_NEEDED | M_CSUM_TSO | M_CSUM_USO)

/* The packet now starts with `to` instead of `from`. */
static void
move_pkthdr(struct mbuf *to, struct mbuf *from)
{
	if ((from->m_flags & M_PKTHDR) != 0)
		to->m_pkthdr = from->m_pkthdr;
	to->m_flags |= from->m_flags & M_HEADFLAGS;
	from->m_flags &= (uint16_t)~M_HEADFLAGS;
	to->m_nextpkt = from->m_nextpkt;
	from->m_nextpkt = NULL;
}

/* An empty mbuf to stand in front of m, with room for a pkthdr if m has one. */
static struct mbuf *
new_head(const struct mbuf *m)
{
	return (m->m_flags & M_PKTHDR) != 0 ? m_gethdr(m->m_ns, m->m_type)
					    : m_get(m->m_ns, m->m_type);
}

/* len bytes were put in front of the packet. */
static void
pkthdr_grow_head(struct mbuf *m, size_t len)
{
	struct pkthdr *ph = &m->m_pkthdr;

	if ((m->m_flags & M_PKTHDR) == 0)
		return;
	ph->len += (uint32_t)len;
	if ((ph->csum_flags & M_CSUM_REQUEST) != 0)
		ph->csum_start = (uint16_t)(ph->csum_start + len);
}

/* len bytes were taken from the front: a request about bytes that are gone is gone too. */
static void
pkthdr_trim_head(struct mbuf *m, size_t len)
{
	struct pkthdr *ph = &m->m_pkthdr;

	if ((m->m_flags & M_PKTHDR) == 0)
		return;
	ph->len -= (uint32_t)len;
	if ((ph->csum_flags & M_CSUM_REQUEST) == 0)
		return;
	if (len <= ph->csum_start)
		ph->csum_start = (uint16_t)(ph->csum_start - len);
	else
		ph->csum_flags &= (uint16_t)~M_CSUM_REQUEST;
}

struct mbuf *
m_prepend(struct mbuf *m, size_t len)
{
	KASSERT(len <= MHLEN);
	if (m_leadingspace(m) < len) {
		struct mbuf *n = new_head(m);

		if (n == NULL) {
			m_freem(m);
			return NULL;
		}
		/* At the end of the storage: the next header goes in front without another mbuf. */
		n->m_data += m_trailingspace(n);
		move_pkthdr(n, m);
		n->m_next = m;
		m = n;
	}
	m->m_data -= len;
	m->m_len += (uint32_t)len;
	pkthdr_grow_head(m, len);
	return m;
}

/* Frees the mbuf behind m; if a record ended there, it ends at m now. */
static void
unlink_next(struct mbuf *m)
{
	m->m_flags |= m->m_next->m_flags & M_EOR;
	m->m_next = m_free(m->m_next);
}

/* Moves the next `want` bytes of the chain to the end of m, which has the room. */
static void
pull_into(struct mbuf *m, size_t want)
{
	while (want > 0) {
		struct mbuf *next = m->m_next;
		uint32_t take = (uint32_t)KERN_MIN(want, next->m_len);

		memcpy(m->m_data + m->m_len, next->m_data, take);
		m->m_len += take;
		next->m_data += take;
		next->m_len -= take;
		want -= take;
		if (next->m_len == 0)
			unlink_next(m);
	}
}

static bool
shorter_than(const struct mbuf *m, size_t len)
{
	size_t have = 0;

	for (; m != NULL && have < len; m = m->m_next)
		have += m->m_len;
	return have < len;
}

struct mbuf *
m_pullup(struct mbuf *m, size_t len)
{
	struct mbuf *n = NULL;

	KASSERT(len <= MHLEN);
	if (m->m_len >= len && (len == 0 || m_writable(m)))
		return m;
	if (shorter_than(m, len)) {
		m_freem(m);
		return NULL;
	}
	if (m->m_len < len && m_trailingspace(m) >= len - m->m_len) {
		pull_into(m, len - m->m_len);
		return m;
	}
	n = new_head(m);
	if (n == NULL) {
		m_freem(m);
		return NULL;
	}
	if (len + M_LINKHDR <= MHLEN)
		n->m_data += M_LINKHDR;
	move_pkthdr(n, m);
	n->m_next = m;
	pull_into(n, len);
	return n;
}

/* n refers to [off, off+len) of m's external storage, too. */
static void
ext_share(struct mbuf *n, const struct mbuf *m, size_t off, size_t len)
{
	n->m_flags |= M_EXT;
	n->m_ext = m->m_ext;
	n->m_ext.ext_ref->er_refs++;
	n->m_data = m->m_data + off;
	n->m_len = (uint32_t)len;
}

/* A copy of [off, off+len) of the one mbuf m; with room for a pkthdr when pkthdr is true. */
static struct mbuf *
copy_one(const struct mbuf *m, size_t off, size_t len, bool pkthdr)
{
	struct mbuf *n = pkthdr ? m_gethdr(m->m_ns, m->m_type) : m_get(m->m_ns, m->m_type);

	if (n == NULL)
		return NULL;
	if (off + len == m->m_len)
		n->m_flags |= m->m_flags & M_EOR;
	if ((m->m_flags & M_EXT) != 0 && len > 0) {
		ext_share(n, m, off, len);
		return n;
	}
	memcpy(n->m_data, m->m_data + off, len);
	n->m_len = (uint32_t)len;
	return n;
}

struct mbuf *
m_copym(const struct mbuf *m, size_t off, size_t len)
{
	const bool pkthdr = off == 0 && (m->m_flags & M_PKTHDR) != 0;
	const struct mbuf *head = m;
	struct mbuf *top = NULL, **tail = &top;
	const size_t total = len;

	for (; off > 0 && off >= m->m_len && m->m_next != NULL; m = m->m_next)
		off -= m->m_len;
	do {
		KASSERT(m != NULL && off <= m->m_len);
		size_t part = KERN_MIN(len, m->m_len - off);

		*tail = copy_one(m, off, part, pkthdr && m == head);
		if (*tail == NULL) {
			m_freem(top);
			return NULL;
		}
		tail = &(*tail)->m_next;
		len -= part;
		off = 0;
		m = m->m_next;
	} while (len > 0);
	if (pkthdr) {
		top->m_pkthdr = head->m_pkthdr;
		top->m_pkthdr.len = (uint32_t)total;
		top->m_flags |= head->m_flags & M_HEADFLAGS;
	}
	return top;
}

/* Fills a chain of empty mbufs with bytes [off, off+len) of m. => it has the room. */
static void
fill_from(struct mbuf *n, const struct mbuf *m, size_t off, size_t len)
{
	for (; len > 0; n = n->m_next) {
		size_t part = KERN_MIN(len, m_trailingspace(n));

		m_copydata(m, off, part, n->m_data);
		n->m_len = (uint32_t)part;
		off += part;
		len -= part;
	}
}

struct mbuf *
m_dup(const struct mbuf *m)
{
	size_t len = m_length(m);
	struct mbuf *top = m_getm(m->m_ns, len);

	if (top == NULL)
		return NULL;
	if ((m->m_flags & M_PKTHDR) != 0)
		top->m_pkthdr = m->m_pkthdr;
	else
		top->m_flags &= (uint16_t)~M_PKTHDR;
	top->m_flags |= m->m_flags & M_HEADFLAGS;
	for (struct mbuf *n = top; n != NULL; n = n->m_next)
		n->m_type = m->m_type;
	fill_from(top, m, 0, len);
	for (; m->m_next != NULL; m = m->m_next)
		continue;
	m_last(top)->m_flags |= m->m_flags & M_EOR;
	return top;
}

void
m_copydata(const struct mbuf *m, size_t off, size_t len, void *out)
{
	uint8_t *to = out;

	for (; len > 0; m = m->m_next) {
		KASSERT(m != NULL);
		if (off >= m->m_len) {
			off -= m->m_len;
			continue;
		}
		size_t part = KERN_MIN(len, m->m_len - off);

		memcpy(to, m->m_data + off, part);
		to += part;
		len -= part;
		off = 0;
	}
}

void
m_copyback(struct mbuf *m, size_t off, size_t len, const void *in)
{
	const uint8_t *from = in;

	for (; len > 0; m = m->m_next) {
		KASSERT(m != NULL);
		if (off >= m->m_len) {
			off -= m->m_len;
			continue;
		}
		size_t part = KERN_MIN(len, m->m_len - off);

		KASSERT(m_writable(m));
		memcpy(m->m_data + off, from, part);
		from += part;
		len -= part;
		off = 0;
	}
}

int
m_append(struct mbuf *m, size_t len, const void *in)
{
	struct mbuf *last = m_last(m), *n = NULL;
	size_t here = KERN_MIN(len, m_trailingspace(last));
	const uint8_t *from = in;

	if (len > here) {
		n = m_getm(m->m_ns, len - here);
		if (n == NULL)
			return ENOBUFS;
		n->m_flags &= (uint16_t)~M_PKTHDR;
		last->m_next = n;
	}
	if ((m->m_flags & M_PKTHDR) != 0)
		m->m_pkthdr.len += (uint32_t)len;
	if (here > 0)
		memcpy(last->m_data + last->m_len, from, here);
	last->m_len += (uint32_t)here;
	for (len -= here, from += here; len > 0; n = n->m_next) {
		size_t part = KERN_MIN(len, m_trailingspace(n));

		memcpy(n->m_data, from, part);
		n->m_type = m->m_type;
		n->m_len = (uint32_t)part;
		from += part;
		len -= part;
	}
	return 0;
}

static void
trim_head(struct mbuf *m, size_t req)
{
	size_t done = KERN_MIN(req, m->m_len), left = req - done;

	m->m_data += done;
	m->m_len -= (uint32_t)done;
	while (left > 0 && m->m_next != NULL) {
		struct mbuf *next = m->m_next;
		size_t part = KERN_MIN(left, next->m_len);

		next->m_data += part;
		next->m_len -= (uint32_t)part;
		left -= part;
		done += part;
		if (next->m_len == 0)
			unlink_next(m);
	}
	pkthdr_trim_head(m, done);
}

static void
trim_tail(struct mbuf *m, size_t req)
{
	size_t len = m_length(m), keep = req < len ? len - req : 0;
	struct mbuf *at = m;

	if ((m->m_flags & M_PKTHDR) != 0)
		m->m_pkthdr.len = (uint32_t)keep;
	for (; keep > at->m_len; at = at->m_next)
		keep -= at->m_len;
	at->m_len = (uint32_t)keep;
	while (at->m_next != NULL)
		unlink_next(at);
}

void
m_adj(struct mbuf *m, int req)
{
	if (req >= 0)
		trim_head(m, (size_t)req);
	else
		trim_tail(m, (size_t) - (int64_t)req);
}

/*
 * An mbuf, or two when one has no room beside the pkthdr, with what follows byte off of m.
 * => m is unchanged.
 */
static struct mbuf *
copy_tail(const struct mbuf *m, size_t off, bool pkthdr)
{
	size_t part = m->m_len - off;
	struct mbuf *n;

	if (!pkthdr || part <= MHLEN || (m->m_flags & M_EXT) != 0)
		return copy_one(m, off, part, pkthdr);
	n = m_gethdr(m->m_ns, m->m_type);
	if (n == NULL)
		return NULL;
	n->m_next = copy_one(m, off, part, false);
	if (n->m_next == NULL) {
		m_free(n);
		return NULL;
	}
	return n;
}

struct mbuf *
m_split(struct mbuf *m, size_t off)
{
	const bool pkthdr = (m->m_flags & M_PKTHDR) != 0;
	struct mbuf *at = m, *n;
	size_t left = off;

	for (; left > at->m_len; at = at->m_next) {
		left -= at->m_len;
		KASSERT(at->m_next != NULL);
	}
	if (!pkthdr && left == at->m_len && at->m_next != NULL) {
		n = at->m_next;
		at->m_next = NULL;
		return n;
	}
	n = copy_tail(at, left, pkthdr);
	if (n == NULL)
		return NULL;
	m_last(n)->m_next = at->m_next;
	at->m_next = NULL;
	if (left < at->m_len)
		at->m_flags &= (uint16_t)~M_EOR;
	else
		n->m_flags &= (uint16_t)~M_EOR;
	at->m_len = (uint32_t)left;
	if (pkthdr) {
		n->m_pkthdr = m->m_pkthdr;
		n->m_pkthdr.len = m->m_pkthdr.len - (uint32_t)off;
		n->m_pkthdr.csum_flags &= (uint16_t)~M_CSUM_REQUEST;
		n->m_flags |= m->m_flags & M_HEADFLAGS;
		m->m_pkthdr.len = (uint32_t)off;
	}
	return n;
}

void
m_cat(struct mbuf *m, struct mbuf *n)
{
	if ((m->m_flags & M_PKTHDR) != 0)
		m->m_pkthdr.len += (uint32_t)m_length(n);
	n->m_flags &= (uint16_t)~M_HEADFLAGS;
	m_last(m)->m_next = n;
}

struct mbuf *
m_makepkt(struct mbuf *m)
{
	size_t len = m_length(m);
	struct mbuf *n = m;

	if ((m->m_flags & M_PKTHDR) == 0) {
		if ((m->m_flags & M_EXT) == 0 && m->m_data < m->m_pktdat) {
			n = m_gethdr(m->m_ns, m->m_type);
			if (n == NULL) {
				m_freem(m);
				return NULL;
			}
			move_pkthdr(n, m);
			n->m_next = m;
			if (m->m_len <= MHLEN)
				pull_into(n, m->m_len);
		}
		n->m_flags |= M_PKTHDR;
		n->m_pkthdr = (struct pkthdr){0};
	}
	n->m_pkthdr.len = (uint32_t)len;
	return n;
}

struct mbuf *
m_getptr(struct mbuf *m, size_t off, size_t *offp)
{
	for (; off >= m->m_len; m = m->m_next) {
		off -= m->m_len;
		KASSERT(m->m_next != NULL);
	}
	*offp = off;
	return m;
}
