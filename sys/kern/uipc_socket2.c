/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What protocols tell sockets: connection states, queues of listeners, readiness.
 *
 * Upcalls: so_upcall runs on each change of readiness. It may itself cause one (by reading,
 * sending); then it is not entered again but runs once more after it has returned.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"

#include "kern/names.h"

bool
sononblock(const struct socket *so, int flags)
{
	return (flags & MSG_DONTWAIT) != 0 || (so->so_state & SS_NBIO) != 0 ||
	    lwp_current(so->so_ns) == NULL;
}

uint32_t
so_uiocalls(const struct uio *was, const struct uio *is)
{
	const struct bsd_iovec *iov = was->uio_iov;
	uint64_t left = was->uio_resid - is->uio_resid;
	uint64_t off = was->uio_iovoff;
	uint32_t calls = 0;

	for (; left > 0; iov++, off = 0) {
		uint64_t range = KERN_MIN(iov->iov_len - off, left);

		left -= range;
		calls += range > 0;
	}
	return calls;
}

static void
soupcall(struct socket *so)
{
	if (so->so_inupcall) {
		so->so_upcallagain = true;
		return;
	}
	so->so_inupcall = true;
	sohold(so);
	do {
		so->so_upcallagain = false;
		if (so->so_upcall != NULL)
			so->so_upcall(so, so->so_upcallarg);
	} while (so->so_upcallagain);
	so->so_inupcall = false;
	sorele(so);
}

/* => may free so when nothing else holds it. */
static void
sowakeup(struct socket *so, struct sockbuf *sb)
{
	if (sb != NULL)
		wakeup(&sb->sb_wait);
	selnotify(&so->so_sel);
	if (so->so_upcall != NULL)
		soupcall(so);
}

void
sorwakeup(struct socket *so)
{
	sowakeup(so, &so->so_rcv);
}

void
sowwakeup(struct socket *so)
{
	sowakeup(so, &so->so_snd);
}

void
sohasoutofband(struct socket *so)
{
	sowakeup(so, NULL);
}

void
socantsendmore(struct socket *so)
{
	so->so_state |= SS_CANTSENDMORE;
	sowwakeup(so);
}

void
socantrcvmore(struct socket *so)
{
	so->so_state |= SS_CANTRCVMORE;
	sorwakeup(so);
}

/* All who may wait for a change of the connection's state. */
static void
sowakeall(struct socket *so)
{
	wakeup(&so->so_timeo);
	wakeup(&so->so_snd.sb_wait);
	sorwakeup(so);
}

void
soisconnecting(struct socket *so)
{
	/* After a failed attempt the protocol may make another. */
	if ((so->so_state & SS_ISDISCONNECTED) != 0)
		so->so_state &= ~(uint32_t)(SS_CANTRCVMORE | SS_CANTSENDMORE | SS_ISDISCONNECTED);
	so->so_state &= ~(uint32_t)(SS_ISCONNECTED | SS_ISDISCONNECTING);
	so->so_state |= SS_ISCONNECTING;
}

void
soisconnected(struct socket *so)
{
	so->so_state &= ~(uint32_t)(SS_ISCONNECTING | SS_ISDISCONNECTING);
	so->so_state |= SS_ISCONNECTED;
	if (so->so_onq == SOQ_Q0) {
		struct socket *head = so->so_head;

		soqremque(so);
		soqinsque(head, so, SOQ_Q);
		wakeup(&head->so_timeo);
		sorwakeup(head);
		return;
	}
	sowakeall(so);
}

void
soisdisconnecting(struct socket *so)
{
	so->so_state &= ~(uint32_t)SS_ISCONNECTING;
	so->so_state |= SS_ISDISCONNECTING | SS_CANTRCVMORE | SS_CANTSENDMORE;
	sowakeall(so);
}

void
soisdisconnected(struct socket *so)
{
	so->so_state &= ~(uint32_t)(SS_ISCONNECTING | SS_ISCONNECTED | SS_ISDISCONNECTING);
	so->so_state |= SS_CANTRCVMORE | SS_CANTSENDMORE | SS_ISDISCONNECTED;
	sbflush(&so->so_snd);
	sowakeall(so);
}

void
soqinsque(struct socket *head, struct socket *so, uint8_t queue)
{
	KASSERT(so->so_onq == SOQ_NONE && head->so_listens);
	so->so_head = head;
	so->so_onq = queue;
	if (queue == SOQ_Q) {
		TAILQ_INSERT_TAIL(&head->so_q, so, so_qe);
		head->so_qlen++;
	} else {
		TAILQ_INSERT_TAIL(&head->so_q0, so, so_qe);
		head->so_q0len++;
	}
}

void
soqremque(struct socket *so)
{
	struct socket *head = so->so_head;

	KASSERT(so->so_onq != SOQ_NONE);
	if (so->so_onq == SOQ_Q) {
		TAILQ_REMOVE(&head->so_q, so, so_qe);
		head->so_qlen--;
	} else {
		TAILQ_REMOVE(&head->so_q0, so, so_qe);
		head->so_q0len--;
	}
	so->so_onq = SOQ_NONE;
	so->so_head = NULL;
}

/* A connection is what its listener was set up to be. */
static void
soinherit(struct socket *so, const struct socket *head)
{
	so->so_options = head->so_options & ~(uint32_t)SO_ACCEPTCONN;
	so->so_state = SS_NOFDREF | (head->so_state & SS_NBIO);
	so->so_linger_s = head->so_linger_s;
	so->so_priority = head->so_priority;
	so->so_snd.sb_lowat = head->so_snd.sb_lowat;
	so->so_rcv.sb_lowat = head->so_rcv.sb_lowat;
	so->so_snd.sb_timeo_ns = head->so_snd.sb_timeo_ns;
	so->so_rcv.sb_timeo_ns = head->so_rcv.sb_timeo_ns;
}

/* The limits, again after the protocol has set its defaults. */
static int
soinherit_buffers(struct socket *so, const struct socket *head)
{
	uint32_t most = head->so_ns->ns_sb_max;
	int error = soreserve(so, KERN_MIN(head->so_snd.sb_hiwat, most),
	    KERN_MIN(head->so_rcv.sb_hiwat, most));

	so->so_snd.sb_flags = head->so_snd.sb_flags & SB_AUTOSIZE;
	so->so_rcv.sb_flags = head->so_rcv.sb_flags & SB_AUTOSIZE;
	return error;
}

bool
so_acceptq_full(const struct socket *head)
{
	return head->so_qlen > 3 * head->so_qlimit / 2;
}

struct socket *
sonewconn(struct socket *head, uint32_t connstate)
{
	struct socket *so;

	if (so_acceptq_full(head))
		return NULL;
	so = soalloc(head->so_ns, head->so_proto);
	if (so == NULL)
		return NULL;
	soinherit(so, head);
	sohold(so); /* pr_attach may fail after it has called sofree */
	if (soinherit_buffers(so, head) != 0 || so->so_proto->pr_usrreqs->pr_attach(so, 0) != 0 ||
	    soinherit_buffers(so, head) != 0) {
		if (so->so_pcb != NULL)
			so->so_proto->pr_usrreqs->pr_detach(so);
		sorele(so);
		return NULL;
	}
	soqinsque(head, so, connstate != 0 ? SOQ_Q : SOQ_Q0);
	so->so_refs--; /* not sorele: the queue holds it, even before there is a pcb */
	if (connstate != 0) {
		so->so_state |= connstate;
		wakeup(&head->so_timeo);
		sorwakeup(head);
	}
	return so;
}

struct mbuf *
soerrqueue(struct socket *so, bool take)
{
	if (so->so_pcb == NULL || so->so_proto->pr_usrreqs->pr_rcverr == NULL)
		return NULL;
	return so->so_proto->pr_usrreqs->pr_rcverr(so, take);
}

bool
soreadable(const struct socket *so)
{
	const struct sockbuf *sb = &so->so_rcv;

	if (so->so_qlen > 0 || so->so_error != 0 || (so->so_state & SS_CANTRCVMORE) != 0)
		return true;
	if ((so->so_proto->pr_flags & PR_ATOMIC) != 0)
		return sb->sb_mb != NULL;
	return sb->sb_cc > 0 && sb->sb_cc >= KERN_MIN(sb->sb_lowat, sb->sb_hiwat);
}

bool
sowritable(const struct socket *so)
{
	if (so->so_error != 0 || (so->so_state & SS_CANTSENDMORE) != 0)
		return true;
	if ((so->so_state & SS_ISCONNECTED) == 0 && (so->so_proto->pr_flags & PR_CONNREQUIRED) != 0)
		return false;
	return (so->so_snd.sb_flags & SB_HELD) == 0 && sbspace(&so->so_snd) >= so->so_snd.sb_lowat;
}

/* POLLERR and POLLHUP are told unasked, as poll(2) has it. */
int
sopoll(struct socket *so, int events)
{
	const uint32_t bothways = SS_CANTRCVMORE | SS_CANTSENDMORE;
	int revents = 0;

	if (soreadable(so))
		revents |= events & (POLLIN | POLLRDNORM);
	if (sowritable(so))
		revents |= events & (POLLOUT | POLLWRBAND);
	if (so->so_oobmark > 0 || (so->so_state & SS_RCVATMARK) != 0)
		revents |= events & (POLLPRI | POLLRDBAND);
	if (so->so_error != 0)
		revents |= POLLERR;
	if ((so->so_state & bothways) == bothways)
		revents |= POLLHUP;
	return revents;
}

static void
sorcvd_tell(struct socket *so)
{
	if (so->so_pcb != NULL)
		so->so_proto->pr_usrreqs->pr_rcvd(so, 0);
}

/* Is there so much left to read that the peer need not hear of the space yet? */
static bool
sorcvd_plenty(const struct socket *so)
{
	const struct sockbuf *sb = &so->so_rcv;

	return so->so_ns->ns_soreceive_batch != 0 && sb->sb_cc > sb->sb_hiwat / 2 &&
	    sb->sb_cc > sb->sb_lowat;
}

void
sorcvd(struct socket *so)
{
	struct netstack *ns = so->so_ns;

	if ((so->so_proto->pr_flags & PR_WANTRCVD) == 0 || so->so_rcvdlater || sorcvd_plenty(so))
		return;
	if (lwp_current(ns) == NULL && ns->ns_soreceive_batch == 0) {
		sorcvd_tell(so);
		return;
	}
	so->so_rcvdlater = true;
	sohold(so);
	TAILQ_INSERT_TAIL(&ns->ns_rcvdq, so, so_rcvdqe);
}

void
sorcvd_forget(struct socket *so)
{
	if (!so->so_rcvdlater)
		return;
	TAILQ_REMOVE(&so->so_ns->ns_rcvdq, so, so_rcvdqe);
	so->so_rcvdlater = false;
	so->so_refs--; /* the caller holds it, too */
}

bool
sorcvd_run(struct netstack *ns)
{
	struct socket *so;
	bool any = false;

	while ((so = TAILQ_FIRST(&ns->ns_rcvdq)) != NULL) {
		TAILQ_REMOVE(&ns->ns_rcvdq, so, so_rcvdqe);
		so->so_rcvdlater = false;
		sorcvd_tell(so);
		sorele(so);
		any = true;
	}
	return any;
}
