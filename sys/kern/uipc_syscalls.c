/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that make sockets and steer them: socket, bind, listen, accept, paccept, connect,
 * getsockname, getpeername, setsockopt, getsockopt, shutdown. Data moves in uipc_msgcalls.c.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/proc.h"
#include "kern/socketvar.h"
#include "kern/sys_calls.h"

#define SOCKADDR_MIN 2u /* length and family */

int
fd_holdsock(struct lwp *l, int fd, struct file **fpp, struct socket **sop)
{
	int error = fd_hold(&l->l_proc->p_fd, fd, fpp);

	if (error != 0)
		return error;
	if ((*fpp)->f_type != DTYPE_SOCKET) {
		fd_release(*fpp);
		return ENOTSOCK;
	}
	*sop = (*fpp)->f_data;
	return 0;
}

int
sockaddr_copyin(struct lwp *l, uint64_t uaddr, uint32_t len, union bsd_sockaddr_any *nam)
{
	int error;

	if (len < SOCKADDR_MIN || len > sizeof(*nam))
		return EINVAL;
	memset(nam, 0, sizeof(*nam));
	error = copyin(&l->l_proc->p_vm, uaddr, nam, len);
	nam->sa.sa_len = (uint8_t)len; /* not what the caller put there */
	return error;
}

int
sockaddr_copyout(struct lwp *l, const union bsd_sockaddr_any *nam, uint64_t uaddr, uint64_t ulenp)
{
	struct vmspace *vm = &l->l_proc->p_vm;
	uint32_t len;
	int error;

	if (ulenp == 0)
		return 0;
	error = copyin(vm, ulenp, &len, sizeof(len));
	if (error != 0)
		return error;
	if (len > INT32_MAX)
		return EINVAL;
	len = uaddr == 0 ? 0 : KERN_MIN(len, (uint32_t)nam->sa.sa_len);
	error = copyout(vm, nam, uaddr, len);
	return error != 0 ? error : copyout(vm, &len, ulenp, sizeof(len));
}

/* Has the close that follows abort the connection. */
static void
so_discard(struct socket *so)
{
	so->so_options |= SO_LINGER;
	so->so_linger_s = 0;
}

/*
 * Gives a new socket its descriptor, with the SOCK_ flags. On failure so is aborted: nobody has
 * used it, and the peer of an accepted one must not read an end that nobody meant.
 * => ENFILE, EMFILE
 */
static int
so_install(struct lwp *l, struct socket *so, int flags, int *fdp)
{
	struct file *fp;
	int error = so_file_alloc(so, &fp);

	if (error != 0) {
		so_discard(so);
		(void)soclose(so);
		return error;
	}
	if ((flags & SOCK_NONBLOCK) != 0) {
		fp->f_flag |= O_NONBLOCK;
		so->so_state |= SS_NBIO;
	}
	if ((flags & SOCK_NOSIGPIPE) != 0)
		so->so_options |= SO_NOSIGPIPE;
	error = fd_install(&l->l_proc->p_fd, fp, 0, (flags & SOCK_CLOEXEC) != 0, fdp);
	if (error != 0) {
		so_discard(so);
		fd_release(fp);
	}
	return error;
}

#define SOCK_FLAGS_KNOWN (SOCK_CLOEXEC | SOCK_NONBLOCK | SOCK_NOSIGPIPE)

int
sys_socket(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	uint32_t type = arg_u32(args, 1);
	int flags = (int)(type & SOCK_FLAGS_KNOWN);
	struct socket *so;
	int fd;
	int error;

	if ((type & SOCK_FLAGS_MASK & ~(uint32_t)SOCK_FLAGS_KNOWN) != 0)
		return EINVAL;
	error = socreate(l->l_ns, arg_int(args, 0), (int)(type & ~SOCK_FLAGS_MASK),
	    arg_int(args, 2), &so);
	if (error != 0)
		return error;
	error = so_install(l, so, flags, &fd);
	if (error == 0)
		retval[0] = fd;
	return error;
}

int
sys_bind(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	union bsd_sockaddr_any nam;
	struct socket *so;
	struct file *fp;
	int error = fd_holdsock(l, arg_int(args, 0), &fp, &so);

	(void)retval;
	if (error != 0)
		return error;
	error = sockaddr_copyin(l, args[1], arg_u32(args, 2), &nam);
	if (error == 0)
		error = sobind(so, &nam.sa);
	fd_release(fp);
	return error;
}

int
sys_listen(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct socket *so;
	struct file *fp;
	int error = fd_holdsock(l, arg_int(args, 0), &fp, &so);

	(void)retval;
	if (error != 0)
		return error;
	error = solisten(so, arg_int(args, 1));
	fd_release(fp);
	return error;
}

/* Connects, waiting for it unless the socket does not block. */
static int
so_connect(struct socket *so, const struct bsd_sockaddr *nam)
{
	int error = soconnect(so, nam);

	if (error != 0)
		return error;
	if ((so->so_state & SS_ISCONNECTING) != 0 && sononblock(so, 0))
		return EINPROGRESS;
	return soconnect_wait(so);
}

int
sys_connect(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	union bsd_sockaddr_any nam;
	struct socket *so;
	struct file *fp;
	int error = fd_holdsock(l, arg_int(args, 0), &fp, &so);

	(void)retval;
	if (error != 0)
		return error;
	error = sockaddr_copyin(l, args[1], arg_u32(args, 2), &nam);
	if (error == 0)
		error = so_connect(so, &nam.sa);
	fd_release(fp);
	return error;
}

/*
 * Takes a connection off the listener. The room for a descriptor is looked at before, so that a
 * connection stays queued when there is none.
 */
static int
accept_fd(struct lwp *l, struct file *fp, int flags, union bsd_sockaddr_any *nam, int *fdp)
{
	bool nonblock = (fp->f_flag & O_NONBLOCK) != 0;
	struct socket *so;
	int error;

	if (!fd_available(&l->l_proc->p_fd, 0))
		return EMFILE;
	memset(nam, 0, sizeof(*nam));
	error = soaccept(fp->f_data, nonblock, &so, nam);
	if (error != 0)
		return error;
	so->so_state &= ~(uint32_t)SS_NBIO;
	return so_install(l, so, flags, fdp);
}

static int
accept_common(struct lwp *l, const uint64_t *args, int flags, bool inherit, int64_t *retval)
{
	union bsd_sockaddr_any nam;
	struct socket *head;
	struct file *fp;
	int fd;
	int error = fd_holdsock(l, arg_int(args, 0), &fp, &head);

	if (error != 0)
		return error;
	if (inherit && (fp->f_flag & O_NONBLOCK) != 0)
		flags |= SOCK_NONBLOCK;
	error = accept_fd(l, fp, flags, &nam, &fd);
	fd_release(fp);
	if (error != 0)
		return error;
	error = sockaddr_copyout(l, &nam, args[1], args[2]);
	if (error != 0)
		(void)fd_close(&l->l_proc->p_fd, fd);
	else
		*retval = fd;
	return error;
}

/* As in BSD, the new descriptor does not block if the listener does not; in paccept flags say. */
int
sys_accept(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	return accept_common(l, args, 0, true, retval);
}

/* Deviation: a signal mask is refused; sys_select.c tells why. */
int
sys_paccept(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	int flags = arg_int(args, 4);

	if ((flags & ~SOCK_FLAGS_KNOWN) != 0)
		return EINVAL;
	if (args[3] != 0)
		return EOPNOTSUPP;
	return accept_common(l, args, flags, false, retval);
}

static int
getname(struct lwp *l, const uint64_t *args, bool peer)
{
	union bsd_sockaddr_any nam;
	struct socket *so;
	struct file *fp;
	int error = fd_holdsock(l, arg_int(args, 0), &fp, &so);

	if (error != 0)
		return error;
	memset(&nam, 0, sizeof(nam));
	if (!peer)
		error = so->so_proto->pr_usrreqs->pr_sockaddr(so, &nam);
	else if ((so->so_state & SS_ISCONNECTED) == 0)
		error = ENOTCONN;
	else
		error = so->so_proto->pr_usrreqs->pr_peeraddr(so, &nam);
	if (error == 0)
		error = sockaddr_copyout(l, &nam, args[1], args[2]);
	fd_release(fp);
	return error;
}

int
sys_getsockname(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	(void)retval;
	return getname(l, args, false);
}

int
sys_getpeername(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	(void)retval;
	return getname(l, args, true);
}

int
sys_setsockopt(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = arg_int(args, 1),
	    .sopt_name = arg_int(args, 2),
	    .sopt_size = arg_u32(args, 4)};
	struct socket *so;
	struct file *fp;
	int error = fd_holdsock(l, arg_int(args, 0), &fp, &so);

	(void)retval;
	if (error != 0)
		return error;
	if (sopt.sopt_size > sizeof(sopt.sopt_data))
		error = EINVAL;
	if (error == 0)
		error = copyin(&l->l_proc->p_vm, args[3], sopt.sopt_data, sopt.sopt_size);
	if (error == 0)
		error = sosetopt(so, &sopt);
	fd_release(fp);
	return error;
}

/* Asks for an option into room of *lenp bytes, and stores it. May sleep. */
static int
so_getopt(struct lwp *l, struct socket *so, struct sockopt *sopt, uint64_t uval, uint32_t *lenp)
{
	int error;

	if (*lenp > INT32_MAX)
		return EINVAL;
	sopt->sopt_size = KERN_MIN((size_t)*lenp, sizeof(sopt->sopt_data));
	if (sockopt_isasked(sopt) &&
	    (error = copyin(&l->l_proc->p_vm, uval, sopt->sopt_data, sopt->sopt_size)) != 0)
		return error;
	error = sogetopt(so, sopt);
	if (error != 0)
		return error;
	*lenp = (uint32_t)KERN_MIN(sopt->sopt_size, (size_t)*lenp);
	return copyout(&l->l_proc->p_vm, sopt->sopt_data, uval, *lenp);
}

int
sys_getsockopt(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct sockopt sopt = {.sopt_level = arg_int(args, 1), .sopt_name = arg_int(args, 2)};
	struct vmspace *vm = &l->l_proc->p_vm;
	struct socket *so;
	struct file *fp;
	uint32_t len = 0;
	int error = fd_holdsock(l, arg_int(args, 0), &fp, &so);

	(void)retval;
	if (error != 0)
		return error;
	if (args[3] != 0)
		error = copyin(vm, args[4], &len, sizeof(len));
	if (error == 0)
		error = so_getopt(l, so, &sopt, args[3], &len);
	if (error == 0 && args[3] != 0)
		error = copyout(vm, &len, args[4], sizeof(len));
	fd_release(fp);
	return error;
}

int
sys_shutdown(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct socket *so;
	struct file *fp;
	int error = fd_holdsock(l, arg_int(args, 0), &fp, &so);

	(void)retval;
	if (error != 0)
		return error;
	error = soshutdown(so, arg_int(args, 1));
	fd_release(fp);
	return error;
}
