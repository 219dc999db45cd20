/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket calls that move data: sendto, sendmsg, recvfrom, recvmsg. */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/proc.h"
#include "kern/socketvar.h"
#include "kern/sys_calls.h"

#define SEND_FLAGS (MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_DONTWAIT | MSG_NOSIGNAL)
#define RECV_FLAGS (MSG_OOB | MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_ERRQUEUE)
#define CONTROL_ALIGN 8u /* pieces of ancillary data start at multiples of it */

/* Ancillary data of a send, in one mbuf; *mp stays NULL when there is none. */
static int
control_copyin(struct lwp *l, const struct bsd_msghdr *msg, struct mbuf **mp)
{
	struct mbuf *m;
	int error;

	*mp = NULL;
	if (msg->msg_control == 0 || msg->msg_controllen == 0)
		return 0;
	if (msg->msg_controllen > MLEN)
		return EINVAL;
	m = m_get(l->l_ns, MT_CONTROL);
	if (m == NULL)
		return ENOBUFS;
	m->m_len = msg->msg_controllen;
	error = copyin(&l->l_proc->p_vm, msg->msg_control, m->m_data, m->m_len);
	if (error != 0) {
		m_freem(m);
		return error;
	}
	*mp = m;
	return 0;
}

/* Sends a message whose ranges are fetched; name and control are still the caller's. */
static int
send_uio(struct lwp *l, struct socket *so, const struct bsd_msghdr *msg, struct uio *uio, int flags)
{
	union bsd_sockaddr_any nam;
	struct mbuf *control;
	int error = 0;

	if (msg->msg_name != 0)
		error = sockaddr_copyin(l, msg->msg_name, msg->msg_namelen, &nam);
	if (error == 0)
		error = control_copyin(l, msg, &control);
	if (error != 0)
		return error;
	error = sosend(so, msg->msg_name != 0 ? &nam.sa : NULL, uio, NULL, control, flags);
	if (error == EPIPE)
		so_sigpipe(l, so, flags);
	return error;
}

static int
send_common(struct lwp *l, int fd, const struct bsd_msghdr *msg, struct uio *uio, int flags,
    int64_t *retval)
{
	uint64_t asked = uio->uio_resid;
	struct socket *so;
	struct file *fp;
	int error = fd_holdsock(l, fd, &fp, &so);

	if (error != 0)
		return error;
	if ((flags & ~SEND_FLAGS) != 0)
		error = EOPNOTSUPP;
	else
		error = send_uio(l, so, msg, uio, flags);
	fd_release(fp);
	return uio_result(error, asked, uio, retval);
}

int
sys_sendto(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	const struct bsd_iovec iov = {.iov_base = args[1], .iov_len = args[2]};
	const struct bsd_msghdr msg = {.msg_name = args[4], .msg_namelen = arg_u32(args, 5)};
	struct uio uio;
	int error = uio_init(&uio, &iov, 1, UIO_WRITE, &l->l_proc->p_vm);

	if (error != 0)
		return error;
	return send_common(l, arg_int(args, 0), &msg, &uio, arg_int(args, 3), retval);
}

/* Fetches a msghdr and its ranges. => EMSGSIZE: too many. scratch_put(sc) in any case. */
static int
msg_copyin(struct lwp *l, uint64_t umsg, struct bsd_msghdr *msg, struct scratch *sc)
{
	int error;

	sc->sc_p = NULL;
	sc->sc_len = 0;
	error = copyin(&l->l_proc->p_vm, umsg, msg, sizeof(*msg));
	if (error != 0)
		return error;
	if (msg->msg_iovlen < 0 || msg->msg_iovlen > IOV_MAX)
		return EMSGSIZE;
	return iov_copyin(l, msg->msg_iov, (unsigned)msg->msg_iovlen, sc);
}

int
sys_sendmsg(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct bsd_msghdr msg;
	struct scratch sc;
	struct uio uio;
	int error = msg_copyin(l, args[1], &msg, &sc);

	if (error == 0)
		error =
		    uio_init(&uio, sc.sc_p, (unsigned)msg.msg_iovlen, UIO_WRITE, &l->l_proc->p_vm);
	if (error == 0)
		error = send_common(l, arg_int(args, 0), &msg, &uio, arg_int(args, 2), retval);
	scratch_put(&sc);
	return error;
}

/* What a receive gives besides the data. */
struct received {
	union bsd_sockaddr_any rv_from;
	struct mbuf *rv_control;
	int rv_flags; /* in and out */
};

/* => rv_control is the caller's to free, also after an error. */
static int
recv_common(struct lwp *l, int fd, struct uio *uio, bool control, struct received *rv,
    int64_t *retval)
{
	uint64_t asked = uio->uio_resid;
	struct socket *so;
	struct file *fp;
	int error = fd_holdsock(l, fd, &fp, &so);

	rv->rv_control = NULL;
	if (error != 0)
		return error;
	memset(&rv->rv_from, 0, sizeof(rv->rv_from));
	if ((rv->rv_flags & ~RECV_FLAGS) != 0)
		error = EOPNOTSUPP;
	else
		error = soreceive(so, &rv->rv_from, uio, NULL, control ? &rv->rv_control : NULL,
		    &rv->rv_flags);
	fd_release(fp);
	return uio_result(error, asked, uio, retval);
}

int
sys_recvfrom(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	const struct bsd_iovec iov = {.iov_base = args[1], .iov_len = args[2]};
	struct received rv = {.rv_flags = arg_int(args, 3)};
	struct uio uio;
	int error = uio_init(&uio, &iov, 1, UIO_READ, &l->l_proc->p_vm);

	if (error == 0)
		error = recv_common(l, arg_int(args, 0), &uio, false, &rv, retval);
	if (error == 0 && args[4] != 0)
		error = sockaddr_copyout(l, &rv.rv_from, args[4], args[5]);
	return error;
}

/* Stores ancillary data, one piece an mbuf, and tells how much: MSG_CTRUNC when not all of it. */
static int
control_copyout(struct lwp *l, struct bsd_msghdr *msg, const struct mbuf *control)
{
	uint64_t done = 0;

	for (const struct mbuf *m = control; m != NULL; m = m->m_next) {
		uint64_t room = msg->msg_controllen - KERN_MIN(done, msg->msg_controllen);
		uint64_t len = KERN_MIN((uint64_t)m->m_len, room);
		int error = copyout(&l->l_proc->p_vm, m->m_data, msg->msg_control + done, len);

		if (error != 0)
			return error;
		if (len < m->m_len) {
			msg->msg_flags |= MSG_CTRUNC;
			done += len;
			break;
		}
		done += (len + CONTROL_ALIGN - 1) & ~(uint64_t)(CONTROL_ALIGN - 1);
	}
	msg->msg_controllen = (uint32_t)KERN_MIN(done, msg->msg_controllen);
	return 0;
}

/* Stores all that a msghdr tells: ancillary data, name, then the msghdr itself. */
static int
msg_copyout(struct lwp *l, uint64_t umsg, struct bsd_msghdr *msg, const struct received *rv)
{
	struct vmspace *vm = &l->l_proc->p_vm;
	int error = 0;

	msg->msg_flags = rv->rv_flags & (MSG_OOB | MSG_EOR | MSG_TRUNC | MSG_CTRUNC | MSG_ERRQUEUE);
	if (msg->msg_control != 0)
		error = control_copyout(l, msg, rv->rv_control);
	else
		msg->msg_controllen = 0;
	if (error == 0 && msg->msg_name != 0) {
		msg->msg_namelen = KERN_MIN(msg->msg_namelen, (uint32_t)rv->rv_from.sa.sa_len);
		error = copyout(vm, &rv->rv_from, msg->msg_name, msg->msg_namelen);
	}
	return error != 0 ? error : copyout(vm, msg, umsg, sizeof(*msg));
}

int
sys_recvmsg(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct received rv = {.rv_flags = arg_int(args, 2)};
	struct bsd_msghdr msg;
	struct scratch sc;
	struct uio uio;
	int error = msg_copyin(l, args[1], &msg, &sc);

	if (error == 0)
		error =
		    uio_init(&uio, sc.sc_p, (unsigned)msg.msg_iovlen, UIO_READ, &l->l_proc->p_vm);
	if (error == 0)
		error = recv_common(l, arg_int(args, 0), &uio, msg.msg_control != 0, &rv, retval);
	if (error == 0)
		error = msg_copyout(l, args[1], &msg, &rv);
	m_freem(rv.rv_control);
	scratch_put(&sc);
	return error;
}
