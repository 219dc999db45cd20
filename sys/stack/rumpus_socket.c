/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The linked-in door: <rumpus/socket.h> over the table of system calls. A call from the loop runs
 * with an lwp that only carries the process: there is nothing to switch to, so nothing can sleep.
 */
#include <rumpus/socket.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/proc.h"
#include "kern/socketvar.h"
#include "kern/syscall.h"

struct rumpus_proc {
	struct proc *rp_proc;
	struct lwp rp_loop; /* stands for the loop in calls made from it */
};

static void
rumpus_proc_gone(void *door)
{
	kmem_free(door, sizeof(struct rumpus_proc));
}

struct rumpus_proc *
rumpus_proc_create(struct netstack *ns, const char *name)
{
	struct rumpus_proc *p = kmem_alloc(&ns->ns_fault, sizeof(*p));

	if (p == NULL)
		return NULL;
	if (proc_create(ns, name, &copy_engine_direct, NULL, &p->rp_proc) != 0) {
		kmem_free(p, sizeof(*p));
		return NULL;
	}
	p->rp_proc->p_door = p;
	p->rp_proc->p_exited = rumpus_proc_gone;
	p->rp_loop.l_ns = ns;
	p->rp_loop.l_proc = p->rp_proc;
	return p;
}

void
rumpus_proc_exit(struct rumpus_proc *p)
{
	proc_exit(p->rp_proc);
}

uint64_t
rumpus_clock(const struct rumpus_proc *p)
{
	return p->rp_proc->p_ns->ns_now;
}

/* -- tasks ----------------------------------------------------------------------------------- */

static void
rumpus_task_main(struct lwp *l, void *arg)
{
	struct rumpus_task *rt = arg;

	(void)l;
	rt->rt_func(rt);
	rt->rt_done = true;
}

int
rumpus_task_start(struct rumpus_proc *p, struct rumpus_task *rt)
{
	rt->rt_done = false;
	return lwp_start(p->rp_proc, rumpus_task_main, rt) != NULL ? 0 : -EAGAIN;
}

int
rumpus_sleep(struct rumpus_proc *p, uint64_t ns)
{
	struct waitq wq;
	int error;

	if (ns == 0)
		return 0;
	waitq_init(&wq);
	error = tsleep(p->rp_proc->p_ns, &wq, "nanoslp", ns);
	return error == EWOULDBLOCK ? 0 : -error;
}

/* -- calls ----------------------------------------------------------------------------------- */

static struct lwp *
rumpus_lwp(struct rumpus_proc *p)
{
	struct lwp *l = lwp_current(p->rp_proc->p_ns);

	KASSERT(l == NULL || l->l_proc == p->rp_proc); /* a task uses its own process */
	return l != NULL ? l : &p->rp_loop;
}

int64_t
rumpus_syscall(struct rumpus_proc *p, int number, const uint64_t args[8])
{
	const struct sysent *sy = sysent_find(number);
	int64_t retval[2];
	int error;

	if (sy == NULL)
		return -ENOSYS;
	error = syscall_invoke(rumpus_lwp(p), sy, args, retval);
	return error != 0 ? -(int64_t)error : retval[0];
}

#define ARG(v) ((uint64_t)(uintptr_t)(v))
#define CALL(p, name, ...) \
	rumpus_syscall((p), BSD_SYS_##name, (const uint64_t[SYSCALL_MAXARGS]){__VA_ARGS__})

int
rumpus_socket(struct rumpus_proc *p, int domain, int type, int protocol)
{
	return (int)CALL(p, socket, (uint32_t)domain, (uint32_t)type, (uint32_t)protocol);
}

int
rumpus_bind(struct rumpus_proc *p, int fd, const struct bsd_sockaddr *sa, uint32_t len)
{
	return (int)CALL(p, bind, (uint32_t)fd, ARG(sa), len);
}

int
rumpus_listen(struct rumpus_proc *p, int fd, int backlog)
{
	return (int)CALL(p, listen, (uint32_t)fd, (uint32_t)backlog);
}

int
rumpus_accept(struct rumpus_proc *p, int fd, struct bsd_sockaddr *sa, uint32_t *len, int flags)
{
	return (int)CALL(p, paccept, (uint32_t)fd, ARG(sa), ARG(len), 0, (uint32_t)flags);
}

int
rumpus_connect(struct rumpus_proc *p, int fd, const struct bsd_sockaddr *sa, uint32_t len)
{
	return (int)CALL(p, connect, (uint32_t)fd, ARG(sa), len);
}

int
rumpus_getsockname(struct rumpus_proc *p, int fd, struct bsd_sockaddr *sa, uint32_t *len)
{
	return (int)CALL(p, getsockname, (uint32_t)fd, ARG(sa), ARG(len));
}

int
rumpus_getpeername(struct rumpus_proc *p, int fd, struct bsd_sockaddr *sa, uint32_t *len)
{
	return (int)CALL(p, getpeername, (uint32_t)fd, ARG(sa), ARG(len));
}

int
rumpus_shutdown(struct rumpus_proc *p, int fd, int how)
{
	return (int)CALL(p, shutdown, (uint32_t)fd, (uint32_t)how);
}

int
rumpus_close(struct rumpus_proc *p, int fd)
{
	return (int)CALL(p, close, (uint32_t)fd);
}

int
rumpus_dup(struct rumpus_proc *p, int fd)
{
	return (int)CALL(p, dup, (uint32_t)fd);
}

int
rumpus_setsockopt(struct rumpus_proc *p, int fd, int level, int name, const void *value,
    uint32_t len)
{
	return (
	    int)CALL(p, setsockopt, (uint32_t)fd, (uint32_t)level, (uint32_t)name, ARG(value), len);
}

int
rumpus_getsockopt(struct rumpus_proc *p, int fd, int level, int name, void *value, uint32_t *len)
{
	return (int)CALL(p, getsockopt, (uint32_t)fd, (uint32_t)level, (uint32_t)name, ARG(value),
	    ARG(len));
}

int
rumpus_fcntl(struct rumpus_proc *p, int fd, int cmd, int arg)
{
	return (int)CALL(p, fcntl, (uint32_t)fd, (uint32_t)cmd, (uint32_t)arg);
}

int
rumpus_ioctl(struct rumpus_proc *p, int fd, uint32_t cmd, void *data)
{
	return (int)CALL(p, ioctl, (uint32_t)fd, cmd, ARG(data));
}

int64_t
rumpus_read(struct rumpus_proc *p, int fd, void *buf, size_t len)
{
	return CALL(p, read, (uint32_t)fd, ARG(buf), len);
}

int64_t
rumpus_write(struct rumpus_proc *p, int fd, const void *buf, size_t len)
{
	return CALL(p, write, (uint32_t)fd, ARG(buf), len);
}

int64_t
rumpus_readv(struct rumpus_proc *p, int fd, const struct bsd_iovec *iov, int iovcnt)
{
	return CALL(p, readv, (uint32_t)fd, ARG(iov), (uint32_t)iovcnt);
}

int64_t
rumpus_writev(struct rumpus_proc *p, int fd, const struct bsd_iovec *iov, int iovcnt)
{
	return CALL(p, writev, (uint32_t)fd, ARG(iov), (uint32_t)iovcnt);
}

int64_t
rumpus_sendto(struct rumpus_proc *p, int fd, const void *buf, size_t len, int flags,
    const struct bsd_sockaddr *to)
{
	return CALL(p, sendto, (uint32_t)fd, ARG(buf), len, (uint32_t)flags, ARG(to),
	    to != NULL ? to->sa_len : 0);
}

int64_t
rumpus_recvfrom(struct rumpus_proc *p, int fd, void *buf, size_t len, int flags,
    union bsd_sockaddr_any *from)
{
	uint32_t fromlen = sizeof(*from);

	return CALL(p, recvfrom, (uint32_t)fd, ARG(buf), len, (uint32_t)flags, ARG(from),
	    from != NULL ? ARG(&fromlen) : 0);
}

int64_t
rumpus_sendmsg(struct rumpus_proc *p, int fd, const struct bsd_msghdr *msg, int flags)
{
	return CALL(p, sendmsg, (uint32_t)fd, ARG(msg), (uint32_t)flags);
}

int64_t
rumpus_recvmsg(struct rumpus_proc *p, int fd, struct bsd_msghdr *msg, int flags)
{
	return CALL(p, recvmsg, (uint32_t)fd, ARG(msg), (uint32_t)flags);
}

int
rumpus_poll(struct rumpus_proc *p, struct bsd_pollfd *fds, unsigned n, int timeout_ms)
{
	return (int)CALL(p, poll, ARG(fds), n, (uint32_t)timeout_ms);
}

int
rumpus_upcall(struct rumpus_proc *p, int fd, void (*upcall)(struct socket *so, void *arg),
    void *arg)
{
	struct socket *so;
	struct file *fp;
	int error = fd_hold(&p->rp_proc->p_fd, fd, &fp);

	if (error != 0)
		return -error;
	if (fp->f_type == DTYPE_SOCKET) {
		so = fp->f_data;
		so->so_upcall = upcall;
		so->so_upcallarg = arg;
	} else {
		error = ENOTSOCK;
	}
	fd_release(fp);
	return -error;
}
