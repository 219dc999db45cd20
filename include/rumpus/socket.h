/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door for programs that link the stack in: its socket calls, on descriptors of a process.
 *
 * Numbers, layouts and errnos are those of <rumpus/abi.h>, as for every other door; a caller with
 * the host's own translates before. Each call returns its value, or the errno negated: -BSD_EAGAIN.
 * All belong to the thread of the stack (stack.h), between rumpus_enter and rumpus_run.
 *
 * From the loop no call waits: what would have to gives -BSD_EAGAIN, connect -BSD_EINPROGRESS, poll
 * what is ready now. In a task (rumpus_task_start), which has a stack of its own, calls on a
 * descriptor without O_NONBLOCK sleep while the loop goes on.
 */
#ifndef RUMPUS_SOCKET_H
#define RUMPUS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct netstack;
struct rumpus_proc;
struct socket;

/* A table of descriptors, and the tasks that use it. => NULL: no memory, or rc_maxprocs reached */
struct rumpus_proc *rumpus_proc_create(struct netstack *ns, const char *name);
/*
 * Closes all descriptors; tasks that sleep are woken, and their calls fail with EINTR until they end.
 * => from the loop; p is gone when its last task is. Must precede rumpus_destroy, with a
 *    rumpus_run between if tasks are left.
 */
void rumpus_proc_exit(struct rumpus_proc *p);

/* A task: the caller's memory, borrowed until rt_done. */
struct rumpus_task {
	void (*rt_func)(struct rumpus_task *rt);
	void *rt_arg; /* rt_func's own */
	bool rt_done;
};

/*
 * Runs rt_func on a stack of its own, at the next rumpus_run. What is on that stack is limited to
 * some 40 KiB. => 0, -BSD_EAGAIN: too many tasks, or p is exiting
 */
int rumpus_task_start(struct rumpus_proc *p, struct rumpus_task *rt);
/* Sleeps. => in a task only; 0, or -BSD_EINTR */
int rumpus_sleep(struct rumpus_proc *p, uint64_t ns);

/* type may carry BSD_SOCK_NONBLOCK and BSD_SOCK_CLOEXEC. */
int rumpus_socket(struct rumpus_proc *p, int domain, int type, int protocol);
int rumpus_bind(struct rumpus_proc *p, int fd, const struct bsd_sockaddr *sa, uint32_t len);
int rumpus_listen(struct rumpus_proc *p, int fd, int backlog);
/* len in: room, out: what is there. sa and len may be NULL. flags: BSD_SOCK_*. */
int rumpus_accept(struct rumpus_proc *p, int fd, struct bsd_sockaddr *sa, uint32_t *len, int flags);
int rumpus_connect(struct rumpus_proc *p, int fd, const struct bsd_sockaddr *sa, uint32_t len);
int rumpus_getsockname(struct rumpus_proc *p, int fd, struct bsd_sockaddr *sa, uint32_t *len);
int rumpus_getpeername(struct rumpus_proc *p, int fd, struct bsd_sockaddr *sa, uint32_t *len);
int rumpus_shutdown(struct rumpus_proc *p, int fd, int how);
int rumpus_close(struct rumpus_proc *p, int fd);
int rumpus_dup(struct rumpus_proc *p, int fd);

/* Values are as BSD has them; TCP_INFO gives a struct bsd_tcp_info. */
int rumpus_setsockopt(struct rumpus_proc *p, int fd, int level, int name, const void *value,
    uint32_t len);
int rumpus_getsockopt(struct rumpus_proc *p, int fd, int level, int name, void *value,
    uint32_t *len);
int rumpus_fcntl(struct rumpus_proc *p, int fd, int cmd, int arg);
int rumpus_ioctl(struct rumpus_proc *p, int fd, uint32_t cmd, void *data);

int64_t rumpus_read(struct rumpus_proc *p, int fd, void *buf, size_t len);
int64_t rumpus_write(struct rumpus_proc *p, int fd, const void *buf, size_t len);
int64_t rumpus_readv(struct rumpus_proc *p, int fd, const struct bsd_iovec *iov, int iovcnt);
int64_t rumpus_writev(struct rumpus_proc *p, int fd, const struct bsd_iovec *iov, int iovcnt);
/* The address, with its length in sa_len; to may be NULL, and so may from. */
int64_t rumpus_sendto(struct rumpus_proc *p, int fd, const void *buf, size_t len, int flags,
    const struct bsd_sockaddr *to);
int64_t rumpus_recvfrom(struct rumpus_proc *p, int fd, void *buf, size_t len, int flags,
    union bsd_sockaddr_any *from);
int64_t rumpus_sendmsg(struct rumpus_proc *p, int fd, const struct bsd_msghdr *msg, int flags);
int64_t rumpus_recvmsg(struct rumpus_proc *p, int fd, struct bsd_msghdr *msg, int flags);

/* => how many have revents; timeout_ms < 0: none. From the loop the time-out is taken as 0. */
int rumpus_poll(struct rumpus_proc *p, struct bsd_pollfd *fds, unsigned n, int timeout_ms);

/*
 * Has upcall called at every change of fd's readiness, from rumpus_run, rumpus_ptp_input or a call,
 * until the socket is closed. upcall NULL: no more. It must not call the stack, except rumpus_poll
 * from the loop later; it may set a flag or write to a descriptor of the host.
 * => 0, -BSD_EBADF, -BSD_ENOTSOCK
 */
int rumpus_upcall(struct rumpus_proc *p, int fd, void (*upcall)(struct socket *so, void *arg),
    void *arg);

/* The present of p's stack, as rumpus_enter told it. */
uint64_t rumpus_clock(const struct rumpus_proc *p);

/* Any call of <rumpus/syscalls.def>: BSD_SYS_*, eight arguments, missing ones 0. */
int64_t rumpus_syscall(struct rumpus_proc *p, int number, const uint64_t args[8]);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* RUMPUS_SOCKET_H */
