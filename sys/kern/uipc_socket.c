/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a socket: create, bind, listen, connect, accept, shutdown, close, free.
 * Data moves in uipc_sosend.c and uipc_soreceive.c.
 *
 * A protocol that has let go of its socket (so_pcb NULL) is not called any more; requests that
 * would need it fail with EINVAL.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"

#include "kern/names.h"

#define SO_SNDLOWAT_DEFAULT 2048u

static const struct pr_usrreqs *
sousrreqs(const struct socket *so)
{
	return so->so_proto->pr_usrreqs;
}

struct socket *
soalloc(struct netstack *ns, const struct protosw *pr)
{
	struct socket *so = pool_get_zeroed(&ns->ns_socketpool);

	if (so == NULL)
		return NULL;
	so->so_ns = ns;
	so->so_proto = pr;
	sb_init(&so->so_rcv);
	sb_init(&so->so_snd);
	waitq_init(&so->so_timeo);
	selinfo_init(&so->so_sel);
	TAILQ_INSERT_TAIL(&ns->ns_sockets, so, so_list);
	trace_add(ns, TRACE_SOCKET, 1, (uint64_t)pr->pr_type);
	return so;
}

int
socreate(struct netstack *ns, int family, int type, int protocol, struct socket **sop)
{
	const struct protosw *pr;
	struct socket *so;
	int error;

	*sop = NULL;
	pr = pffind(ns, family, type, protocol, &error);
	if (pr == NULL)
		return error;
	so = soalloc(ns, pr);
	if (so == NULL)
		return ENOBUFS;
	sohold(so);
	error = sousrreqs(so)->pr_attach(so, protocol);
	if (error != 0) {
		so->so_state |= SS_NOFDREF;
		sorele(so);
		return error;
	}
	so->so_refs--; /* the descriptor to come holds it now */
	*sop = so;
	return 0;
}

int
soreserve(struct socket *so, uint32_t sndcc, uint32_t rcvcc)
{
	int error;

	if (so->so_snd.sb_lowat == 0)
		so->so_snd.sb_lowat = SO_SNDLOWAT_DEFAULT;
	if (so->so_rcv.sb_lowat == 0)
		so->so_rcv.sb_lowat = 1;
	error = sbreserve(so, &so->so_snd, sndcc);
	if (error == 0)
		error = sbreserve(so, &so->so_rcv, rcvcc);
	if (error == 0) {
		so->so_snd.sb_flags |= SB_AUTOSIZE;
		so->so_rcv.sb_flags |= SB_AUTOSIZE;
	}
	return error;
}

int
sobind(struct socket *so, const struct bsd_sockaddr *nam)
{
	if (so->so_pcb == NULL)
		return EINVAL;
	return sousrreqs(so)->pr_bind(so, nam);
}

int
solisten(struct socket *so, int backlog)
{
	int error;

	if ((so->so_proto->pr_flags & PR_LISTEN) == 0)
		return EOPNOTSUPP;
	if (so->so_pcb == NULL ||
	    (so->so_state & (SS_ISCONNECTED | SS_ISCONNECTING | SS_ISDISCONNECTING)) != 0)
		return EINVAL;
	error = sousrreqs(so)->pr_listen(so, backlog);
	if (error != 0)
		return error;
	if (!so->so_listens) {
		sorcvd_forget(so);
		KASSERT(so->so_onq == SOQ_NONE);
		TAILQ_INIT(&so->so_q0);
		TAILQ_INIT(&so->so_q);
		so->so_q0len = 0;
		so->so_listens = true;
	}
	so->so_options |= SO_ACCEPTCONN;
	so->so_qlimit = (uint32_t)(backlog < 0 ? 0 : KERN_MIN(backlog, SOMAXCONN));
	return 0;
}

static int
sodisconnect(struct socket *so)
{
	if (so->so_pcb == NULL || (so->so_state & SS_ISCONNECTED) == 0)
		return ENOTCONN;
	if ((so->so_state & SS_ISDISCONNECTING) != 0)
		return EALREADY;
	return sousrreqs(so)->pr_disconnect(so);
}

/* Datagram sockets may be connected elsewhere, or with AF_UNSPEC to nowhere, at any time. */
static int
soreconnect(struct socket *so, const struct bsd_sockaddr *nam)
{
	int error = 0;

	if ((so->so_state & SS_ISCONNECTED) != 0)
		error = sodisconnect(so);
	if (error != 0 || nam->sa_family == AF_UNSPEC)
		return error;
	return sousrreqs(so)->pr_connect(so, nam);
}

int
soconnect(struct socket *so, const struct bsd_sockaddr *nam)
{
	int error;

	if ((so->so_options & SO_ACCEPTCONN) != 0)
		return EOPNOTSUPP;
	if ((so->so_state & SS_ISCONNECTING) != 0)
		return EALREADY;
	if ((so->so_proto->pr_flags & PR_CONNREQUIRED) == 0)
		return so->so_pcb == NULL ? EINVAL : soreconnect(so, nam);
	if ((so->so_state & SS_ISCONNECTED) != 0)
		return EISCONN;
	/* How the attempt before this one failed has not been told yet. */
	if (so->so_error != 0) {
		error = so->so_error;
		so->so_error = 0;
		return error;
	}
	return so->so_pcb == NULL ? EINVAL : sousrreqs(so)->pr_connect(so, nam);
}

/* Sleeps on so_timeo until the deadline of a call. */
static int
sosleep(struct socket *so, const char *wmesg, uint64_t deadline_ns)
{
	struct netstack *ns = so->so_ns;
	uint64_t timeout = 0;

	if (deadline_ns != CALLOUT_NEVER) {
		if (deadline_ns <= ns->ns_now)
			return EWOULDBLOCK;
		timeout = deadline_ns - ns->ns_now;
	}
	return tsleep(ns, &so->so_timeo, wmesg, timeout);
}

/* SO_SNDTIMEO bounds the wait: EINPROGRESS then, as the connection is still being made. */
int
soconnect_wait(struct socket *so)
{
	uint64_t deadline = sbdeadline(so, &so->so_snd);
	int error = 0;

	sohold(so);
	while (error == 0 && so->so_error == 0 && (so->so_state & SS_ISCONNECTING) != 0)
		error = sosleep(so, "netcon", deadline);
	if (error == EWOULDBLOCK)
		error = EINPROGRESS;
	if (error == 0) {
		error = so->so_error;
		so->so_error = 0;
	}
	sorele(so);
	return error;
}

static int
soaccept_wait(struct socket *head, bool wait)
{
	uint64_t deadline = sbdeadline(head, &head->so_rcv);
	int error = 0;

	while (error == 0 && head->so_qlen == 0) {
		if (head->so_error != 0) {
			error = head->so_error;
			head->so_error = 0;
		} else if ((head->so_state & SS_CANTRCVMORE) != 0) {
			error = ECONNABORTED;
		} else if (!wait) {
			error = EWOULDBLOCK;
		} else {
			error = sosleep(head, "netcon", deadline);
		}
	}
	return error;
}

int
soaccept(struct socket *head, bool nonblock, struct socket **sop, union bsd_sockaddr_any *nam)
{
	union bsd_sockaddr_any unwanted;
	struct socket *so;
	int error;

	*sop = NULL;
	if (nam == NULL)
		nam = &unwanted;
	memset(nam, 0, sizeof(*nam));
	if ((head->so_proto->pr_flags & PR_LISTEN) == 0)
		return EOPNOTSUPP;
	if ((head->so_options & SO_ACCEPTCONN) == 0)
		return EINVAL;
	sohold(head);
	error = soaccept_wait(head, !nonblock && !sononblock(head, 0));
	if (error == 0) {
		so = TAILQ_FIRST(&head->so_q);
		soqremque(so);
		error = so->so_pcb == NULL ? ECONNABORTED : sousrreqs(so)->pr_accept(so, nam);
		if (error == 0) {
			so->so_state &= ~(uint32_t)SS_NOFDREF;
			*sop = so;
		} else {
			soabort(so);
		}
	}
	sorele(head);
	return error;
}

int
soshutdown(struct socket *so, int how)
{
	const uint32_t connected = SS_ISCONNECTED | SS_ISCONNECTING | SS_ISDISCONNECTING;
	int error = 0;

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return EINVAL;
	if ((so->so_options & SO_ACCEPTCONN) != 0 && how == SHUT_RDWR)
		how = SHUT_RD; /* a listener sends nothing: what ends is accept */
	if ((so->so_state & connected) == 0 &&
	    ((so->so_options & SO_ACCEPTCONN) == 0 || how == SHUT_WR))
		return ENOTCONN;
	sohold(so);
	if (how != SHUT_WR) {
		socantrcvmore(so);
		sbflush(&so->so_rcv);
		so->so_oobmark = 0;
		so->so_state &= ~(uint32_t)SS_RCVATMARK;
		wakeup(&so->so_timeo); /* accept */
	}
	if (how != SHUT_RD) {
		if (so->so_pcb == NULL || sousrreqs(so)->pr_shutdown == NULL)
			socantsendmore(so);
		else
			error = sousrreqs(so)->pr_shutdown(so);
	}
	sorele(so);
	return error;
}

void
soabort(struct socket *so)
{
	KASSERT(so->so_onq == SOQ_NONE && (so->so_state & SS_NOFDREF) != 0);
	sohold(so);
	if (so->so_pcb != NULL)
		sousrreqs(so)->pr_abort(so);
	sorele(so);
}

static void
soabort_queue(struct socket_list *queue)
{
	struct socket *so;

	while ((so = TAILQ_FIRST(queue)) != NULL) {
		soqremque(so);
		soabort(so);
	}
}

/*
 * SO_LINGER with a time: waits for the connection to end in order, but not longer. Running out of
 * time is no error, nor is an interrupt: the descriptor is gone either way.
 */
static void
solinger(struct socket *so)
{
	uint64_t deadline = so->so_ns->ns_now + so->so_linger_s * NSEC_PER_SEC;
	int error = 0;

	if (so->so_linger_s == 0 || sononblock(so, 0))
		return;
	while (error == 0 && (so->so_state & SS_ISCONNECTED) != 0)
		error = sosleep(so, "netcls", deadline);
}

int
soclose(struct socket *so)
{
	int error = 0;

	KASSERT((so->so_state & SS_NOFDREF) == 0);
	sohold(so);
	so->so_upcall = NULL;
	so->so_options &= ~(uint32_t)SO_ACCEPTCONN; /* no new ones while we abort the old */
	if (so->so_listens) {
		soabort_queue(&so->so_q0);
		soabort_queue(&so->so_q);
	}
	if (so->so_pcb != NULL && (so->so_state & SS_ISCONNECTED) != 0) {
		if ((so->so_state & SS_ISDISCONNECTING) == 0)
			error = sodisconnect(so);
		if ((so->so_options & SO_LINGER) != 0)
			solinger(so);
	}
	if (so->so_pcb != NULL)
		sousrreqs(so)->pr_detach(so);
	sbflush(&so->so_rcv);
	/* Calls that still sleep in the socket end. */
	so->so_state |= SS_NOFDREF | SS_CANTRCVMORE | SS_CANTSENDMORE;
	wakeup(&so->so_timeo);
	wakeup(&so->so_snd.sb_wait);
	wakeup(&so->so_rcv.sb_wait);
	seldestroy(&so->so_sel);
	sorele(so);
	return error;
}

void
sofree(struct socket *so)
{
	struct netstack *ns = so->so_ns;

	if (so->so_pcb != NULL || (so->so_state & SS_NOFDREF) == 0 || so->so_refs > 0)
		return;
	if (so->so_onq == SOQ_Q)
		return; /* accept will find it, and say ECONNABORTED */
	if (so->so_onq == SOQ_Q0)
		soqremque(so);
	KASSERT(!so->so_listens || (TAILQ_EMPTY(&so->so_q0) && TAILQ_EMPTY(&so->so_q)));
	KASSERT(waitq_empty(&so->so_timeo) && waitq_empty(&so->so_snd.sb_wait));
	seldestroy(&so->so_sel);
	sbflush(&so->so_snd);
	sbflush(&so->so_rcv);
	TAILQ_REMOVE(&ns->ns_sockets, so, so_list);
	trace_add(ns, TRACE_SOCKET, 0, (uint64_t)so->so_proto->pr_type);
	pool_put(&ns->ns_socketpool, so);
}

void
sohold(struct socket *so)
{
	so->so_refs++;
}

void
sorele(struct socket *so)
{
	KASSERT(so->so_refs > 0);
	if (--so->so_refs == 0)
		sofree(so);
}
