/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * soreceive: from the socket's buffer into the caller's memory, or, as mbufs, to who asked so.
 *
 * Theory of operation: one copy-out gathers up to kern.soreceive.mclnum mbufs, straight from the
 * buffer. It may sleep, while data keeps being appended. The mbufs stay in the buffer meanwhile:
 * sblock keeps other readers off and sbcopy_begin puts a flush off; only what was copied for
 * certain is dropped afterwards. So a copy-out that fails loses nothing, and the window that TCP
 * offers counts the bytes as held until they have been delivered.
 *
 * Order of tidings, as in BSD: data first, then so_error (once), then the end of the stream, for
 * ever. A call that has delivered something succeeds; what ended it meets the next one.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"

#include "kern/names.h"

#define SORECEIVE_FLAGS \
	(MSG_OOB | MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_ERRQUEUE)

struct soreceive_call {
	struct socket *sr_so;
	struct uio *sr_uio;
	union bsd_sockaddr_any *sr_nam;
	struct mbuf **sr_mp;
	struct mbuf **sr_controlp;
	uint64_t sr_deadline; /* SO_RCVTIMEO */
	uint32_t sr_peekoff;  /* stream: bytes looked at so far */
	int sr_flags;
	int sr_outflags;
	bool sr_peek;
	bool sr_wait;
	bool sr_locked;   /* we hold so_rcv */
	bool sr_received; /* something was delivered */
};

/* Sleeps with the buffer unlocked, so that others get on. */
static int
soreceive_sleep(struct soreceive_call *sr)
{
	struct socket *so = sr->sr_so;
	int error;

	sbunlock(&so->so_rcv);
	sr->sr_locked = false;
	error = sbwait_until(so, &so->so_rcv, sr->sr_deadline);
	if (error == 0)
		error = sblock(so, &so->so_rcv, true);
	sr->sr_locked = error == 0;
	return error;
}

/*
 * There is not enough data. Sets *endp when none will come: the call takes what there is.
 * => avail: bytes that wait to be read, though too few.
 */
static int
soreceive_await(struct soreceive_call *sr, uint32_t avail, bool *endp)
{
	struct socket *so = sr->sr_so;
	bool some = avail > 0 || sr->sr_received;
	int error = so->so_error;

	*endp = true;
	if (error != 0) {
		if (some)
			return 0;
		if (!sr->sr_peek)
			so->so_error = 0;
		return error;
	}
	if ((so->so_state & SS_CANTRCVMORE) != 0)
		return 0;
	if ((so->so_state & (SS_ISCONNECTED | SS_ISCONNECTING | SS_ISDISCONNECTING)) == 0 &&
	    (so->so_proto->pr_flags & PR_CONNREQUIRED) != 0)
		return some ? 0 : ENOTCONN;
	if (sr->sr_uio->uio_resid == 0)
		return 0;
	if (!sr->sr_wait)
		return some ? 0 : EWOULDBLOCK;
	error = soreceive_sleep(sr);
	*endp = error != 0;
	return error;
}

/* Bytes of the stream that may be delivered now: up to the urgent mark. */
static uint32_t
soreceive_avail(const struct soreceive_call *sr)
{
	const struct socket *so = sr->sr_so;
	uint32_t avail = so->so_rcv.sb_cc;

	if (so->so_oobmark > 0 && so->so_oobmark < avail)
		avail = so->so_oobmark;
	return avail > sr->sr_peekoff ? avail - sr->sr_peekoff : 0;
}

/* Has this call come up against the urgent mark? Then it ends there. */
static bool
soreceive_atmark(const struct soreceive_call *sr)
{
	const struct socket *so = sr->sr_so;

	if (sr->sr_peek)
		return so->so_oobmark > 0 && sr->sr_peekoff >= so->so_oobmark;
	return sr->sr_received && (so->so_state & SS_RCVATMARK) != 0;
}

/* With how many bytes the call goes on. */
static uint64_t
soreceive_wanted(const struct soreceive_call *sr)
{
	const struct sockbuf *sb = &sr->sr_so->so_rcv;
	uint64_t resid = sr->sr_uio->uio_resid;

	if (sr->sr_so->so_oobmark > 0)
		return 1;
	if (sr->sr_peek && (sr->sr_flags & MSG_WAITALL) != 0)
		return KERN_MIN(resid, sb->sb_hiwat);
	if (sr->sr_received)
		return 1;
	return KERN_MIN(resid, KERN_MIN(sb->sb_lowat, sb->sb_hiwat));
}

/* The front of the stream from the peek offset on, as at most max pieces and len bytes. */
static unsigned
soreceive_gather(struct mbuf *m, size_t off, uint64_t len, struct kvec *kv, unsigned max)
{
	unsigned nkv = 0;

	for (; m != NULL && off >= m->m_len; m = m->m_next)
		off -= m->m_len;
	for (; m != NULL && len > 0 && nkv < max; m = m->m_next) {
		size_t piece = KERN_MIN(m->m_len - off, (size_t)len);

		if (piece > 0) {
			kv[nkv].kv_base = m->m_data + off;
			kv[nkv++].kv_len = piece;
		}
		len -= piece;
		off = 0;
	}
	return nkv;
}

/*
 * One copy-out of at most len bytes from byte off of a chain at the front of the buffer.
 * => *movedp: what arrived for certain.
 */
static int
soreceive_copyout(struct soreceive_call *sr, struct mbuf *m, size_t off, uint64_t len,
    uint32_t *movedp)
{
	struct netstack *ns = sr->sr_so->so_ns;
	struct uio start = *sr->sr_uio;
	struct kvec kv[KVEC_MAX];
	unsigned max = KERN_MAX(1u, KERN_MIN(ns->ns_soreceive_mclnum, (uint32_t)KVEC_MAX));
	unsigned nkv = soreceive_gather(m, off, KERN_MIN(len, start.uio_resid), kv, max);
	int error;

	error = uiomovev(kv, nkv, sr->sr_uio);
	*movedp = (uint32_t)(start.uio_resid - sr->sr_uio->uio_resid);
	ns->ns_copystat.cs_soreceive_copyouts += so_uiocalls(&start, sr->sr_uio);
	ns->ns_copystat.cs_soreceive_copyout_bytes += *movedp;
	return error;
}

/* len bytes have left the front of the stream, or were looked at. */
static void
soreceive_took(struct soreceive_call *sr, uint32_t len)
{
	struct socket *so = sr->sr_so;

	if (len == 0)
		return;
	sr->sr_received = true;
	if (sr->sr_peek) {
		sr->sr_peekoff += len;
		return;
	}
	so->so_state &= ~(uint32_t)SS_RCVATMARK;
	if (so->so_oobmark > 0) {
		so->so_oobmark -= KERN_MIN(len, so->so_oobmark);
		if (so->so_oobmark == 0)
			so->so_state |= SS_RCVATMARK;
	}
	sorcvd(sr->sr_so);
}

static int
soreceive_streamcopy(struct soreceive_call *sr, uint32_t avail)
{
	struct sockbuf *sb = &sr->sr_so->so_rcv;
	uint32_t moved;
	int error;

	sbcopy_begin(sb);
	error = soreceive_copyout(sr, sb->sb_mb, sr->sr_peekoff, avail, &moved);
	if (!sr->sr_peek)
		sbdrop(sb, moved);
	sbcopy_end(sb);
	soreceive_took(sr, moved);
	return error;
}

/* Hands the mbufs over. */
static int
soreceive_streammbufs(struct soreceive_call *sr, uint32_t avail)
{
	struct sockbuf *sb = &sr->sr_so->so_rcv;
	uint32_t len = (uint32_t)KERN_MIN(avail, sr->sr_uio->uio_resid);
	struct mbuf *m;

	if (sr->sr_peek)
		m = m_copym(sb->sb_mb, sr->sr_peekoff, len);
	else
		m = sbtakestream(sb, len);
	if (m == NULL)
		return ENOBUFS;
	len = (uint32_t)m_length(m);
	if (*sr->sr_mp == NULL)
		*sr->sr_mp = m;
	else
		m_last(*sr->sr_mp)->m_next = m;
	sr->sr_uio->uio_resid -= len;
	soreceive_took(sr, len);
	return 0;
}

/* Delivers what there is now. */
static int
soreceive_drain(struct soreceive_call *sr)
{
	uint32_t avail;
	int error = 0;

	while (error == 0 && sr->sr_uio->uio_resid > 0 && !soreceive_atmark(sr) &&
	    (avail = soreceive_avail(sr)) > 0) {
		if (sr->sr_mp != NULL)
			error = soreceive_streammbufs(sr, avail);
		else
			error = soreceive_streamcopy(sr, avail);
	}
	return error;
}

/* Waits for enough of the stream, or for its end. */
static int
soreceive_streamwait(struct soreceive_call *sr)
{
	bool end = false;
	int error = 0;

	while (error == 0 && !end && soreceive_avail(sr) < soreceive_wanted(sr))
		error = soreceive_await(sr, soreceive_avail(sr), &end);
	return error;
}

static int
soreceive_stream(struct soreceive_call *sr)
{
	bool again;
	int error;

	do {
		error = soreceive_streamwait(sr);
		/* Time is up: what came meanwhile, less than SO_RCVLOWAT, is delivered still. */
		if (error == EWOULDBLOCK && !sr->sr_locked && soreceive_avail(sr) > 0) {
			error = sblock(sr->sr_so, &sr->sr_so->so_rcv, false);
			sr->sr_locked = error == 0;
		}
		again = false;
		if (error == 0 && soreceive_avail(sr) > 0) {
			error = soreceive_drain(sr);
			again = (sr->sr_flags & MSG_WAITALL) != 0 && sr->sr_wait && !sr->sr_peek &&
			    sr->sr_uio->uio_resid > 0 && !soreceive_atmark(sr);
		}
	} while (error == 0 && again);
	return sr->sr_received ? 0 : error;
}

/* A record is [MT_SONAME] [MT_CONTROL...] data. => its first mbuf of data, or NULL. */
static struct mbuf *
soreceive_recorddata(struct mbuf *m)
{
	while (m != NULL && (m->m_type == MT_SONAME || m->m_type == MT_CONTROL))
		m = m->m_next;
	return m;
}

static void
soreceive_name(struct soreceive_call *sr, const struct mbuf *record)
{
	if (sr->sr_nam == NULL || record->m_type != MT_SONAME)
		return;
	memcpy(sr->sr_nam, record->m_data, KERN_MIN(record->m_len, sizeof(*sr->sr_nam)));
}

/* Takes the record apart: the name is freed, control handed over. => its data. */
static struct mbuf *
soreceive_disband(struct soreceive_call *sr, struct mbuf *record)
{
	struct mbuf **link = sr->sr_controlp;

	while (record != NULL && record->m_type == MT_SONAME)
		record = m_free(record);
	while (record != NULL && record->m_type == MT_CONTROL) {
		struct mbuf *next = record->m_next;

		if (link == NULL) {
			m_free(record);
		} else {
			record->m_next = NULL;
			*link = record;
			link = &record->m_next;
		}
		record = next;
	}
	return record;
}

/* Copies of the control mbufs for one who only looks. */
static void
soreceive_peekcontrol(struct soreceive_call *sr, const struct mbuf *m)
{
	struct mbuf **link = sr->sr_controlp;

	if (link == NULL)
		return;
	for (; m != NULL && (m->m_type == MT_SONAME || m->m_type == MT_CONTROL); m = m->m_next) {
		if (m->m_type != MT_CONTROL)
			continue;
		*link = m_copym(m, 0, m->m_len);
		if (*link == NULL) {
			sr->sr_outflags |= MSG_CTRUNC;
			return;
		}
		(*link)->m_type = MT_CONTROL;
		link = &(*link)->m_next;
	}
}

/* Copies room bytes of the record out, or hands over copies of its mbufs (PEEK). */
static int
soreceive_recordcopy(struct soreceive_call *sr, struct mbuf *data, size_t room)
{
	size_t off = 0;
	int error = 0;

	if (sr->sr_mp != NULL) {
		if (!sr->sr_peek || room == 0)
			return 0;
		*sr->sr_mp = m_copym(data, 0, room);
		return *sr->sr_mp != NULL ? 0 : ENOBUFS;
	}
	while (error == 0 && off < room) {
		uint32_t moved;

		error = soreceive_copyout(sr, data, off, room - off, &moved);
		off += moved;
	}
	return error;
}

/* Takes the record off the buffer; who asked for mbufs gets room bytes of it. */
static void
soreceive_recordtake(struct soreceive_call *sr, size_t room)
{
	struct mbuf *data = soreceive_disband(sr, sbtakerecord(&sr->sr_so->so_rcv));

	if (sr->sr_mp == NULL || room == 0) {
		m_freem(data);
		return;
	}
	m_adj(data, -(int)(m_length(data) - room));
	*sr->sr_mp = data;
}

/* => the record is delivered, or still the first of the buffer as if nothing had happened. */
static int
soreceive_deliver(struct soreceive_call *sr)
{
	struct sockbuf *sb = &sr->sr_so->so_rcv;
	struct uio start = *sr->sr_uio;
	struct mbuf *record = sb->sb_mb;
	struct mbuf *data = soreceive_recorddata(record);
	size_t len = data != NULL ? m_length(data) : 0;
	size_t room = (size_t)KERN_MIN(len, start.uio_resid);
	int error;

	sbcopy_begin(sb);
	error = soreceive_recordcopy(sr, data, room);
	if (error != 0) {
		*sr->sr_uio = start;
		sbcopy_end(sb);
		return error;
	}
	if (sr->sr_mp != NULL)
		sr->sr_uio->uio_resid -= room;
	soreceive_name(sr, record);
	if (len > room)
		sr->sr_outflags |= MSG_TRUNC;
	if (data != NULL && (m_last(data)->m_flags & M_EOR) != 0)
		sr->sr_outflags |= MSG_EOR;
	if (sr->sr_peek)
		soreceive_peekcontrol(sr, record);
	else
		soreceive_recordtake(sr, room);
	sbcopy_end(sb);
	if (!sr->sr_peek)
		sorcvd(sr->sr_so);
	return 0;
}

static int
soreceive_record(struct soreceive_call *sr)
{
	struct sockbuf *sb = &sr->sr_so->so_rcv;
	bool end = false;
	int error = 0;

	while (error == 0 && !end && sb->sb_mb == NULL)
		error = soreceive_await(sr, 0, &end);
	if (error == 0 && sb->sb_mb != NULL)
		error = soreceive_deliver(sr);
	return error;
}

/* The urgent byte. */
static int
soreceive_oob(struct soreceive_call *sr)
{
	struct socket *so = sr->sr_so;
	uint8_t byte;
	int error;

	if (so->so_proto->pr_usrreqs->pr_rcvoob == NULL)
		return EOPNOTSUPP;
	if (so->so_pcb == NULL)
		return ENOTCONN;
	error = so->so_proto->pr_usrreqs->pr_rcvoob(so, &byte, sr->sr_flags & MSG_PEEK);
	if (error != 0 || sr->sr_uio->uio_resid == 0)
		return error;
	sr->sr_outflags |= MSG_OOB;
	if (sr->sr_mp == NULL)
		return uiomove(&byte, 1, sr->sr_uio);
	*sr->sr_mp = m_get(so->so_ns, MT_DATA);
	if (*sr->sr_mp == NULL)
		return ENOBUFS;
	*(*sr->sr_mp)->m_data = byte;
	(*sr->sr_mp)->m_len = 1;
	sr->sr_uio->uio_resid--;
	return 0;
}

/*
 * The next of the queue of errors: never waits. The datagram's addressee is the name. As on Linux
 * (ip_recv_error), an error whose copying out fails is off the queue all the same.
 */
static int
soreceive_errqueue(struct soreceive_call *sr)
{
	struct mbuf *record = soerrqueue(sr->sr_so, true), *data;
	struct kvec kv;
	int error = 0;

	if (record == NULL)
		return EWOULDBLOCK;
	soreceive_name(sr, record);
	data = record->m_next->m_next;
	sr->sr_outflags |= MSG_ERRQUEUE;
	if (data != NULL) {
		kv = (struct kvec){data->m_data, data->m_len};
		if (kv.kv_len > sr->sr_uio->uio_resid) {
			kv.kv_len = (size_t)sr->sr_uio->uio_resid;
			sr->sr_outflags |= MSG_TRUNC;
		}
		if (sr->sr_mp == NULL)
			error = uiomovev(&kv, 1, sr->sr_uio);
	}
	record->m_next->m_next = NULL;
	if (sr->sr_mp != NULL)
		*sr->sr_mp = data;
	else
		m_freem(data);
	if (sr->sr_controlp != NULL) {
		*sr->sr_controlp = record->m_next;
		record->m_next = NULL;
	}
	m_freem(record);
	return error;
}

static int
soreceive_locked(struct soreceive_call *sr)
{
	struct socket *so = sr->sr_so;
	int error = sblock(so, &so->so_rcv, sr->sr_wait);

	if (error != 0)
		return error;
	sr->sr_locked = true;
	if ((so->so_proto->pr_flags & PR_ATOMIC) != 0)
		error = soreceive_record(sr);
	else
		error = soreceive_stream(sr);
	if (sr->sr_locked)
		sbunlock(&so->so_rcv);
	return error;
}

int
soreceive(struct socket *so, union bsd_sockaddr_any *nam, struct uio *uio, struct mbuf **mp,
    struct mbuf **controlp, int *flagsp)
{
	int flags = flagsp != NULL ? *flagsp : 0;
	struct soreceive_call sr = {
	    .sr_so = so,
	    .sr_uio = uio,
	    .sr_nam = nam,
	    .sr_mp = mp,
	    .sr_controlp = controlp,
	    .sr_deadline = sbdeadline(so, &so->so_rcv),
	    .sr_flags = flags,
	    .sr_peek = (flags & MSG_PEEK) != 0,
	    .sr_wait = !sononblock(so, flags),
	};
	int error = EINVAL;

	if (nam != NULL)
		memset(nam, 0, sizeof(*nam));
	if (mp != NULL)
		*mp = NULL;
	if (controlp != NULL)
		*controlp = NULL;
	if ((flags & ~SORECEIVE_FLAGS) == 0) {
		sohold(so);
		if ((flags & MSG_ERRQUEUE) != 0)
			error = soreceive_errqueue(&sr);
		else
			error = (flags & MSG_OOB) != 0 ? soreceive_oob(&sr) : soreceive_locked(&sr);
		sorele(so);
	}
	if (flagsp != NULL)
		*flagsp = sr.sr_outflags;
	return error;
}
