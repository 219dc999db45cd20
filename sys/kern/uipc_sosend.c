/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sosend: from the caller's memory into mbufs, and those to the protocol.
 *
 * Theory of operation: a copy-in may be a round trip to another process, so their number is what
 * sending costs. One fill allocates up to kern.mbuf.mclnum clusters of kern.mbuf.mclbytes and one
 * copy-in fills them all:
 *
 *      uio    |<-- resid ------------------------------------------------->|
 *      fill   |<- min(resid, space, mclnum * mclbytes) ->|
 *      chain  [cluster]->[cluster]->...->[cluster, or mbuf if < MINCLSIZE]
 *
 * A stream hands each fill to the protocol at once, so that the wire works while the next copy-in
 * is under way; BSD instead chains clusters until the space is used up and sends then. A datagram
 * is gathered whole, by as many fills as it takes.
 *
 * Anything may happen while a copy-in or a wait sleeps. Therefore the socket's state is checked
 * again after each; bytes count as sent only once the protocol has taken them, and those of a fill
 * that failed are discarded. A call that has sent something succeeds, with uio_resid telling the
 * rest: whatever stopped it stays in place (so_error too) for the next call to meet.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"

#include "kern/names.h"

#define SOSEND_FLAGS (MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE)
#define SOSEND_OOBROOM 1024u /* urgent data may overshoot the buffer by this much, as in BSD */
#define SOSEND_MBRETRY_NS (100 * NSEC_PER_MSEC) /* memory may come back without a wake-up */

struct sosend_call {
	struct socket *ss_so;
	const struct bsd_sockaddr *ss_nam;
	struct uio *ss_uio;
	struct mbuf *ss_top;
	struct mbuf *ss_control;
	uint32_t ss_clen;     /* bytes of control */
	uint64_t ss_resid;    /* bytes the protocol has not taken yet */
	uint64_t ss_deadline; /* SO_SNDTIMEO */
	int ss_flags;
	bool ss_atomic;
	bool ss_wait;
	bool ss_locked;   /* we hold so_snd */
	bool ss_sent;     /* the protocol took something */
	bool ss_heldback; /* it was told that more comes */
};

static int
sosend_checkflags(const struct sosend_call *ss)
{
	if ((ss->ss_flags & ~SOSEND_FLAGS) != 0)
		return EINVAL;
	if (!ss->ss_atomic && (ss->ss_flags & (MSG_EOR | MSG_MORE)) != 0)
		return EINVAL;
	/* BSD ignores it on streams: their route is the connection's. */
	if (!ss->ss_atomic && (ss->ss_flags & MSG_DONTROUTE) != 0)
		return EOPNOTSUPP;
	return 0;
}

/* May the socket send now? so_error is told once, and not by a call that has sent something. */
static int
sosend_check(const struct sosend_call *ss)
{
	struct socket *so = ss->ss_so;
	int error = so->so_error;

	if ((so->so_state & SS_CANTSENDMORE) != 0)
		return EPIPE;
	if (error != 0) {
		if (!ss->ss_sent)
			so->so_error = 0;
		return error;
	}
	if (so->so_pcb == NULL)
		return EINVAL;
	if ((so->so_state & SS_ISCONNECTED) == 0) {
		if ((so->so_proto->pr_flags & PR_CONNREQUIRED) != 0)
			return ENOTCONN;
		if (ss->ss_nam == NULL && (so->so_state & SS_HOLDING) == 0)
			return EDESTADDRREQ;
	}
	if ((ss->ss_atomic && ss->ss_resid > so->so_snd.sb_hiwat) ||
	    ss->ss_clen > so->so_snd.sb_hiwat)
		return EMSGSIZE;
	return 0;
}

/* Clusters that one copy-in fills. */
static uint32_t
sosend_mclnum(const struct netstack *ns)
{
	return KERN_MAX(1u, KERN_MIN(ns->ns_mclnum, (uint32_t)KVEC_MAX));
}

/*
 * The least space worth a fill. Who waits anyway waits for a whole fill, but at most for half the
 * buffer, so that the other half keeps the wire busy; who does not wait takes what poll promised.
 */
static uint64_t
sosend_wanted(const struct sosend_call *ss, uint64_t resid)
{
	const struct netstack *ns = ss->ss_so->so_ns;
	const struct sockbuf *sb = &ss->ss_so->so_snd;
	uint64_t wanted = KERN_MAX(sb->sb_lowat, 1u);

	if (ss->ss_atomic)
		return resid + ss->ss_clen;
	if (ss->ss_wait && ss->ss_uio != NULL) {
		uint64_t fill = (uint64_t)sosend_mclnum(ns) * ns->ns_mclbytes;

		wanted = KERN_MAX(wanted, KERN_MIN(fill, sb->sb_hiwat / 2));
	}
	return KERN_MIN(wanted, resid) + ss->ss_clen;
}

static uint32_t
sosend_space(const struct sosend_call *ss)
{
	uint32_t space = sbspace(&ss->ss_so->so_snd);

	return space + ((ss->ss_flags & MSG_OOB) != 0 ? SOSEND_OOBROOM : 0);
}

static int
sosend_deliver(struct sosend_call *ss, int flags, struct mbuf *m)
{
	struct socket *so = ss->ss_so;
	struct mbuf *control = ss->ss_control;
	uint32_t dontroute = 0;
	int error;

	ss->ss_control = NULL;
	ss->ss_clen = 0;
	ss->ss_heldback = !ss->ss_atomic && (flags & PRUS_MORETOCOME) != 0;
	if ((ss->ss_flags & MSG_DONTROUTE) != 0)
		dontroute = SO_DONTROUTE & ~so->so_options;
	so->so_options |= dontroute;
	error = so->so_proto->pr_usrreqs->pr_send(so, flags, m, ss->ss_nam, control);
	so->so_options &= ~dontroute;
	return error;
}

/* What was announced does not come now: let the protocol send what it has. */
static void
sosend_push(struct sosend_call *ss)
{
	struct socket *so = ss->ss_so;
	struct mbuf *m;

	if (!ss->ss_heldback)
		return;
	ss->ss_heldback = false;
	if (so->so_pcb == NULL || (so->so_state & SS_CANTSENDMORE) != 0)
		return;
	m = m_get(so->so_ns, MT_DATA);
	if (m != NULL)
		sosend_deliver(ss, 0, m);
}

/* Sleeps with the buffer unlocked, so that others get on. */
static int
sosend_sleep(struct sosend_call *ss)
{
	struct socket *so = ss->ss_so;
	int error;

	sosend_push(ss);
	sbunlock(&so->so_snd);
	ss->ss_locked = false;
	error = sbwait_until(so, &so->so_snd, ss->ss_deadline);
	if (error == 0)
		error = sblock(so, &so->so_snd, true);
	ss->ss_locked = error == 0;
	return error;
}

static bool
sosend_mustwait(const struct sosend_call *ss)
{
	if ((ss->ss_so->so_snd.sb_flags & SB_HELD) != 0 && (ss->ss_flags & MSG_OOB) == 0)
		return true;
	return sosend_space(ss) < sosend_wanted(ss, ss->ss_resid);
}

static int
sosend_await_space(struct sosend_call *ss)
{
	int error;

	while ((error = sosend_check(ss)) == 0 && sosend_mustwait(ss)) {
		error = ss->ss_wait ? sosend_sleep(ss) : EWOULDBLOCK;
		if (error != 0)
			break;
	}
	return error;
}

/* Is the next fill the beginning of a datagram? */
static bool
sosend_startspacket(const struct sosend_call *ss)
{
	return ss->ss_atomic && ss->ss_uio->uio_resid == ss->ss_resid;
}

/* Small payload: one mbuf. A datagram's first has a pkthdr and leaves space for headers in front. */
static struct mbuf *
sosend_getsmall(const struct sosend_call *ss, size_t len)
{
	struct netstack *ns = ss->ss_so->so_ns;
	struct mbuf *m;

	if (!sosend_startspacket(ss))
		return m_get(ns, MT_DATA);
	m = m_gethdr(ns, MT_DATA);
	if (m != NULL)
		m->m_data += (MHLEN - len) & ~(size_t)7;
	return m;
}

/* mbufs for at most len bytes: clusters, and a plain mbuf for a short rest. NULL: not even one. */
static struct mbuf *
sosend_getchain(const struct sosend_call *ss, uint64_t len)
{
	struct netstack *ns = ss->ss_so->so_ns;
	uint64_t whole = len / ns->ns_mclbytes;
	uint64_t rest = len % ns->ns_mclbytes;
	struct mbuf *m;

	if (len <= (sosend_startspacket(ss) ? MHLEN : MINCLSIZE - 1))
		return sosend_getsmall(ss, (size_t)len);
	if (rest >= MINCLSIZE || whole == 0) {
		whole++;
		rest = 0;
	}
	if (whole >= KVEC_MAX) { /* clusters have become smaller since len was planned */
		whole = KVEC_MAX;
		rest = 0;
	}
	m = m_getcl_chain(ns, MT_DATA, (unsigned)whole);
	if (m != NULL && rest > 0)
		m_last(m)->m_next = m_get(ns, MT_DATA);
	return m;
}

static int
sosend_await_chain(struct sosend_call *ss, uint64_t len, struct mbuf **mp)
{
	struct netstack *ns = ss->ss_so->so_ns;
	int error = 0;

	while (error == 0 && (*mp = sosend_getchain(ss, len)) == NULL) {
		uint64_t left = ss->ss_deadline - ns->ns_now;

		if (!ss->ss_wait)
			return ENOBUFS;
		if (ss->ss_deadline <= ns->ns_now)
			return EWOULDBLOCK;
		sosend_push(ss);
		error = tsleep(ns, &ns->ns_mbwait, "mclget", KERN_MIN(left, SOSEND_MBRETRY_NS));
		if (error == 0 || error == EWOULDBLOCK)
			error = sosend_check(ss);
	}
	return error;
}

/* Sets the lengths to hold len bytes, or what fits. => pieces; *lenp what they hold. */
static unsigned
sosend_layout(struct mbuf *m, uint64_t len, struct kvec *kv, uint64_t *lenp)
{
	unsigned nkv = 0;

	*lenp = 0;
	for (; m != NULL && *lenp < len; m = m->m_next) {
		size_t piece = KERN_MIN(m_trailingspace(m), (size_t)(len - *lenp));

		KASSERT(nkv < KVEC_MAX);
		m->m_len = (uint32_t)piece;
		kv[nkv].kv_base = m->m_data;
		kv[nkv++].kv_len = piece;
		*lenp += piece;
	}
	return nkv;
}

/* One copy-in of at most len bytes. => *mp: the chain, not empty unless len is 0. */
static int
sosend_fill(struct sosend_call *ss, uint64_t len, struct mbuf **mp)
{
	struct netstack *ns = ss->ss_so->so_ns;
	struct kvec kv[KVEC_MAX];
	struct uio start;
	uint64_t filled;
	unsigned nkv;
	int error;

	len = KERN_MIN(len, (uint64_t)sosend_mclnum(ns) * ns->ns_mclbytes);
	error = sosend_await_chain(ss, len, mp);
	if (error != 0 || len == 0)
		return error;
	nkv = sosend_layout(*mp, len, kv, &filled);
	start = *ss->ss_uio;
	error = uiomovev(kv, nkv, ss->ss_uio);
	ns->ns_copystat.cs_sosend_copyins += so_uiocalls(&start, ss->ss_uio);
	ns->ns_copystat.cs_sosend_copyin_bytes += start.uio_resid - ss->ss_uio->uio_resid;
	if (error == 0)
		error = sosend_check(ss);
	if (error != 0) {
		m_freem(*mp);
		*mp = NULL;
	}
	return error;
}

/* A datagram as one packet. */
static int
sosend_gather(struct sosend_call *ss, struct mbuf **mp)
{
	uint64_t left = ss->ss_resid;
	struct mbuf *m = NULL;
	int error;

	do {
		struct mbuf *n = NULL;

		error = sosend_fill(ss, left, &n);
		left = ss->ss_uio->uio_resid;
		if (error == 0 && m != NULL)
			m_last(m)->m_next = n;
		else if (error == 0)
			m = n;
	} while (error == 0 && left > 0);
	if (error != 0)
		m_freem(m);
	else
		*mp = m;
	return error;
}

static int
sosend_makerecord(struct sosend_call *ss, struct mbuf **mp)
{
	*mp = m_makepkt(*mp);
	if (*mp == NULL)
		return ENOBUFS;
	if ((ss->ss_flags & MSG_EOR) != 0)
		m_last(*mp)->m_flags |= M_EOR;
	return 0;
}

/* The next chain to hand over, and its length. */
static int
sosend_next(struct sosend_call *ss, struct mbuf **mp, uint64_t *lenp)
{
	uint64_t len = ss->ss_resid;
	int error = 0;

	*mp = NULL;
	if (ss->ss_uio == NULL) {
		*mp = ss->ss_top;
		ss->ss_top = NULL;
		if (*mp == NULL && (*mp = m_gethdr(ss->ss_so->so_ns, MT_DATA)) == NULL)
			error = ENOBUFS;
	} else if (ss->ss_atomic) {
		error = sosend_gather(ss, mp);
	} else {
		uint64_t space = sosend_space(ss);

		error = sosend_fill(ss, KERN_MIN(len, space - ss->ss_clen), mp);
		len = *mp != NULL ? m_length(*mp) : 0;
	}
	if (error == 0 && ss->ss_atomic)
		error = sosend_makerecord(ss, mp);
	*lenp = len;
	return error;
}

/* Will the next fill follow without waiting for space? */
static bool
sosend_morefollows(const struct sosend_call *ss, uint64_t len, uint64_t resid)
{
	uint64_t space = sosend_space(ss);

	return resid > 0 && space >= len + sosend_wanted(ss, resid);
}

/* Waits, fills, hands over: once. => on error the uio is as it was. */
static int
sosend_step(struct sosend_call *ss)
{
	struct uio start = {0};
	struct mbuf *m = NULL;
	uint64_t len = 0;
	int error;
	int flags;

	error = sosend_await_space(ss);
	if (error != 0 || (ss->ss_resid == 0 && !ss->ss_atomic && ss->ss_control == NULL))
		return error;
	if (ss->ss_uio != NULL)
		start = *ss->ss_uio;
	error = sosend_next(ss, &m, &len);
	if (error == 0) {
		uint64_t resid = ss->ss_resid - len;

		flags = sosend_morefollows(ss, len, resid) ? PRUS_MORETOCOME : 0;
		if (resid == 0) /* only the last byte of all is urgent */
			flags |= ss->ss_flags & MSG_OOB;
		if ((ss->ss_flags & MSG_MORE) != 0)
			flags |= PRUS_MORETOCOME;
		error = sosend_deliver(ss, flags, m);
	}
	if (error == 0) {
		ss->ss_resid -= len;
		ss->ss_sent = true;
	} else if (ss->ss_uio != NULL) {
		*ss->ss_uio = start;
	}
	return error;
}

static int
sosend_locked(struct sosend_call *ss)
{
	int error;

	do {
		error = sosend_step(ss);
	} while (error == 0 && ss->ss_resid > 0);
	sosend_push(ss);
	return ss->ss_sent ? 0 : error;
}

int
sosend(struct socket *so, const struct bsd_sockaddr *nam, struct uio *uio, struct mbuf *top,
    struct mbuf *control, int flags)
{
	struct sosend_call ss = {
	    .ss_so = so,
	    .ss_nam = nam,
	    .ss_uio = uio,
	    .ss_top = top,
	    .ss_control = control,
	    .ss_clen = control != NULL ? (uint32_t)m_length(control) : 0,
	    .ss_deadline = sbdeadline(so, &so->so_snd),
	    .ss_flags = flags,
	    .ss_atomic = (so->so_proto->pr_flags & PR_ATOMIC) != 0,
	    .ss_wait = !sononblock(so, flags),
	};
	int error = sosend_checkflags(&ss);

	KASSERT(uio == NULL || top == NULL);
	ss.ss_resid = uio != NULL ? uio->uio_resid : top != NULL ? m_length(top) : 0;
	sohold(so);
	if (error == 0) {
		error = sblock(so, &so->so_snd, ss.ss_wait);
		ss.ss_locked = error == 0;
	}
	if (error == 0)
		error = sosend_locked(&ss);
	if (ss.ss_locked)
		sbunlock(&so->so_snd);
	m_freem(ss.ss_top);
	m_freem(ss.ss_control);
	sorele(so);
	return error;
}
