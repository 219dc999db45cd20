/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket buffers: appending, dropping, the send pointer, sleeping and locking.
 *
 * sb_cc counts data only, not senders' addresses and control; sb_mbcnt counts the storage of
 * everything, so that many small mbufs cannot hold memory far beyond the limit.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/sockbuf.h"

#include "kern/names.h"

/* Data up to this size is copied into the last mbuf rather than queued in an mbuf of its own. */
#define SB_COMPRESS_BYTES (MCLBYTES_MIN / 4)

void
sb_init(struct sockbuf *sb)
{
	memset(sb, 0, sizeof(*sb));
	waitq_init(&sb->sb_wait);
	waitq_init(&sb->sb_lockwait);
}

int
sbreserve(struct socket *so, struct sockbuf *sb, uint32_t cc)
{
	if (cc == 0 || cc > so->so_ns->ns_sb_max)
		return ENOBUFS;
	sb->sb_hiwat = cc;
	sb->sb_mbmax = cc > UINT32_MAX / SB_MBMAX_FACTOR ? UINT32_MAX : cc * SB_MBMAX_FACTOR;
	if (sb->sb_lowat > cc)
		sb->sb_lowat = cc;
	return 0;
}

uint32_t
sbspace(const struct sockbuf *sb)
{
	uint32_t data = sb->sb_hiwat > sb->sb_cc ? sb->sb_hiwat - sb->sb_cc : 0;
	uint32_t storage = sb->sb_mbmax > sb->sb_mbcnt ? sb->sb_mbmax - sb->sb_mbcnt : 0;

	return KERN_MIN(data, storage);
}

static uint32_t
sb_storage(const struct mbuf *m)
{
	return MSIZE + ((m->m_flags & M_EXT) != 0 ? m->m_ext.ext_size : 0);
}

static bool
sb_isdata(const struct mbuf *m)
{
	return m->m_type != MT_SONAME && m->m_type != MT_CONTROL;
}

static void
sballoc(struct sockbuf *sb, const struct mbuf *m)
{
	if (sb_isdata(m))
		sb->sb_cc += m->m_len;
	sb->sb_mbcnt += sb_storage(m);
}

static void
sbfree(struct sockbuf *sb, const struct mbuf *m)
{
	if (sb_isdata(m))
		sb->sb_cc -= m->m_len;
	sb->sb_mbcnt -= sb_storage(m);
	if (sb->sb_sndmb == m)
		sb->sb_sndmb = NULL;
}

/* Copies m behind the last mbuf's data if that pays, and frees it. Empty mbufs always go. */
static bool
sbcompress(struct sockbuf *sb, struct mbuf *m)
{
	struct mbuf *tail = sb->sb_mbtail;

	if (m->m_len > 0) {
		if (tail == NULL || tail->m_type != m->m_type || m->m_len > SB_COMPRESS_BYTES ||
		    m->m_len > m_trailingspace(tail))
			return false;
		memcpy(tail->m_data + tail->m_len, m->m_data, m->m_len);
		tail->m_len += m->m_len;
		sb->sb_cc += m->m_len;
	}
	m_free(m);
	return true;
}

static void
sbappendmbuf(struct sockbuf *sb, struct mbuf *m)
{
	m->m_next = NULL;
	m->m_nextpkt = NULL;
	m->m_flags &= (uint16_t)~M_PKTHDR; /* a stream has no packets */
	if (sbcompress(sb, m))
		return;
	sballoc(sb, m);
	if (sb->sb_mbtail != NULL)
		sb->sb_mbtail->m_next = m;
	else
		sb->sb_mb = sb->sb_lastrecord = m;
	sb->sb_mbtail = m;
}

void
sbappendstream(struct sockbuf *sb, struct mbuf *m)
{
	while (m != NULL) {
		struct mbuf *next = m->m_next;

		sbappendmbuf(sb, m);
		m = next;
	}
}

void
sbappendrecord(struct sockbuf *sb, struct mbuf *m)
{
	if (m == NULL)
		return;
	KASSERT(m->m_nextpkt == NULL);
	if (sb->sb_lastrecord != NULL)
		sb->sb_lastrecord->m_nextpkt = m;
	else
		sb->sb_mb = m;
	sb->sb_lastrecord = m;
	for (; m != NULL; m = m->m_next) {
		sballoc(sb, m);
		sb->sb_mbtail = m;
	}
}

static size_t
sb_chainlen(const struct mbuf *m)
{
	return m != NULL ? m_length(m) : 0;
}

/* As in BSD, storage may be overshot by one record: only bytes are compared with the space. */
bool
sbappendaddr(struct sockbuf *sb, const void *sa, uint8_t salen, struct mbuf *m,
    struct mbuf *control)
{
	struct mbuf *of = m != NULL ? m : control;
	struct mbuf *name;

	KASSERT(of != NULL);
	if (salen + sb_chainlen(m) + sb_chainlen(control) > sbspace(sb))
		return false;
	name = m_get(of->m_ns, MT_SONAME);
	if (name == NULL)
		return false;
	memcpy(name->m_data, sa, salen);
	name->m_len = salen;
	if (control != NULL) {
		name->m_next = control;
		m_last(control)->m_next = m;
	} else {
		name->m_next = m;
	}
	sbappendrecord(sb, name);
	return true;
}

/* The front of a stream is m now. */
static void
sb_setfront(struct sockbuf *sb, struct mbuf *m)
{
	sb->sb_mb = m;
	sb->sb_lastrecord = m;
	if (m == NULL)
		sb->sb_mbtail = NULL;
}

static void
sb_advance(struct sockbuf *sb, uint32_t len)
{
	sb->sb_sndmboff = sb->sb_sndmboff > len ? sb->sb_sndmboff - len : 0;
}

void
sbdrop(struct sockbuf *sb, uint32_t len)
{
	struct mbuf *m = sb->sb_mb;
	uint32_t left = len;

	KASSERT(len <= sb->sb_cc);
	while (left > 0 && left >= m->m_len) {
		left -= m->m_len;
		sbfree(sb, m);
		m = m_free(m);
	}
	if (left > 0) {
		m->m_data += left;
		m->m_len -= left;
		sb->sb_cc -= left;
	}
	sb_setfront(sb, m);
	sb_advance(sb, len);
}

struct mbuf *
sbtakestream(struct sockbuf *sb, uint32_t len)
{
	struct mbuf *head = NULL;
	struct mbuf **link = &head;
	uint32_t left = len;

	KASSERT(len <= sb->sb_cc);
	while (left > 0 && left >= sb->sb_mb->m_len) {
		struct mbuf *m = sb->sb_mb;

		left -= m->m_len;
		sbfree(sb, m);
		sb_setfront(sb, m->m_next);
		m->m_next = NULL;
		*link = m;
		link = &m->m_next;
	}
	sb_advance(sb, len - left);
	if (left > 0) {
		*link = m_copym(sb->sb_mb, 0, left);
		if (*link != NULL)
			sbdrop(sb, left);
	}
	return head;
}

struct mbuf *
sbtakerecord(struct sockbuf *sb)
{
	struct mbuf *record = sb->sb_mb;

	if (record == NULL)
		return NULL;
	for (struct mbuf *m = record; m != NULL; m = m->m_next)
		sbfree(sb, m);
	sb->sb_mb = record->m_nextpkt;
	if (sb->sb_mb == NULL)
		sb->sb_mbtail = sb->sb_lastrecord = NULL;
	record->m_nextpkt = NULL;
	return record;
}

void
sbdroprecord(struct sockbuf *sb)
{
	m_freem(sbtakerecord(sb));
}

void
sbflush(struct sockbuf *sb)
{
	struct mbuf *record;

	if ((sb->sb_flags & SB_COPYING) != 0) {
		sb->sb_flags |= SB_FLUSHLATER;
		return;
	}
	while ((record = sbtakerecord(sb)) != NULL)
		m_drop(record, DROP_SOCK_GONE);
}

void
sbcopy_begin(struct sockbuf *sb)
{
	KASSERT((sb->sb_flags & (SB_LOCKED | SB_COPYING)) == SB_LOCKED);
	sb->sb_flags |= SB_COPYING;
}

void
sbcopy_end(struct sockbuf *sb)
{
	bool flush = (sb->sb_flags & SB_FLUSHLATER) != 0;

	sb->sb_flags &= ~(SB_COPYING | SB_FLUSHLATER);
	if (flush)
		sbflush(sb);
}

struct mbuf *
sb_sndptr(struct sockbuf *sb, uint32_t off, uint32_t *moff)
{
	struct mbuf *m = sb->sb_sndmb;
	uint32_t start = sb->sb_sndmboff;

	KASSERT(off < sb->sb_cc);
	if (m == NULL || off < start) {
		m = sb->sb_mb;
		start = 0;
	}
	while (off - start >= m->m_len) {
		start += m->m_len;
		m = m->m_next;
	}
	sb->sb_sndmb = m;
	sb->sb_sndmboff = start;
	*moff = off - start;
	return m;
}

uint64_t
sbdeadline(const struct socket *so, const struct sockbuf *sb)
{
	uint64_t now = so->so_ns->ns_now;

	if (sb->sb_timeo_ns == 0 || sb->sb_timeo_ns > CALLOUT_NEVER - now)
		return CALLOUT_NEVER;
	return now + sb->sb_timeo_ns;
}

int
sbwait_until(struct socket *so, struct sockbuf *sb, uint64_t deadline_ns)
{
	struct netstack *ns = so->so_ns;
	uint64_t timeout = 0;

	if (deadline_ns != CALLOUT_NEVER) {
		if (deadline_ns <= ns->ns_now)
			return EWOULDBLOCK;
		timeout = deadline_ns - ns->ns_now;
	}
	return tsleep(ns, &sb->sb_wait, "sbwait", timeout);
}

int
sbwait(struct socket *so, struct sockbuf *sb)
{
	return sbwait_until(so, sb, sbdeadline(so, sb));
}

int
sblock(struct socket *so, struct sockbuf *sb, bool wait)
{
	while ((sb->sb_flags & SB_LOCKED) != 0) {
		int error;

		if (!wait)
			return EWOULDBLOCK;
		error = tsleep(so->so_ns, &sb->sb_lockwait, "sblock", 0);
		if (error != 0) {
			/* The one wake-up may have been ours: pass it on. */
			if ((sb->sb_flags & SB_LOCKED) == 0)
				wakeup_one(&sb->sb_lockwait);
			return error;
		}
	}
	sb->sb_flags |= SB_LOCKED;
	return 0;
}

void
sbunlock(struct sockbuf *sb)
{
	KASSERT((sb->sb_flags & SB_LOCKED) != 0);
	sb->sb_flags &= ~SB_LOCKED;
	wakeup_one(&sb->sb_lockwait);
}

/* Walks one record; adds to what has been counted. */
static void
sb_sanity_record(const struct sockbuf *sb, const struct mbuf *record, struct sockbuf *count)
{
	for (const struct mbuf *m = record; m != NULL; m = m->m_next) {
		if (sb->sb_sndmb == m) {
			KASSERT(sb->sb_sndmboff == count->sb_cc);
			count->sb_sndmb = sb->sb_sndmb;
		}
		sballoc(count, m);
		if (m->m_next == NULL && record->m_nextpkt == NULL)
			KASSERT(m == sb->sb_mbtail);
	}
}

void
sb_sanity(const struct sockbuf *sb)
{
	struct sockbuf count = {0};
	const struct mbuf *last = NULL;

	for (const struct mbuf *record = sb->sb_mb; record != NULL; record = record->m_nextpkt) {
		sb_sanity_record(sb, record, &count);
		last = record;
	}
	KASSERT(sb->sb_cc == count.sb_cc);
	KASSERT(sb->sb_mbcnt == count.sb_mbcnt);
	KASSERT(sb->sb_lastrecord == last);
	KASSERT(sb->sb_mb != NULL || sb->sb_mbtail == NULL);
	KASSERT(sb->sb_sndmb == count.sb_sndmb);
}
