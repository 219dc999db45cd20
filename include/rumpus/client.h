/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client of a stack that runs in another process: system calls by the sysproxy protocol.
 *
 * Theory of operation: rumpus_client_init() opens one stream connection to the server named by
 * RUMP_SERVER. Each rumpus_sys_X() sends one request and waits for its answer; meanwhile the
 * server copies from and to the caller's memory by requests that whichever thread is reading the
 * connection serves. Any number of threads may have a call in flight.
 *
 * Types, constants and errno are Linux's; the translation to the stack's is done here. What has no
 * counterpart is refused with the errno that Linux gives for it:
 *  - an option without counterpart: ENOPROTOOPT; an ioctl: ENOTTY; a message flag: EOPNOTSUPP;
 *  - MSG_MORE on a stream is a hint and is dropped; on another socket it is refused (EOPNOTSUPP);
 *  - MSG_ERRQUEUE: EAGAIN, as the queue of errors is always empty; MSG_CONFIRM is dropped;
 *  - ancillary data: sending it is EINVAL; receiving yields none, as no option asks for any;
 *  - POLLRDHUP alone is EINVAL; beside POLLIN it is dropped, as end of file makes POLLIN true;
 *  - a signal mask (paccept, pselect, pollts, ppoll): EOPNOTSUPP unless it is NULL.
 *
 * Signals: handlers run while a call waits, and may make calls themselves; the wire knows no
 * abort, so the interrupted call goes on afterwards and never fails with EINTR. A signal
 * sent to one thread waits while another thread reads for it, until its call ends. The server may
 * raise SIGPIPE, SIGURG, SIGIO and SIGSYS only.
 *
 * Memory: a data buffer that cannot be read or written gives EFAULT. The structures that are
 * translated (addresses, option values, msghdr, pollfd) are read as the program would: NULL gives
 * EFAULT, another wild pointer a fault.
 *
 * A lost server: each call in flight and each later one fails with ENETDOWN, whatever its socket;
 * nothing hangs. A later call connects again as rumpus_client_setconnretry() says. A new
 * connection is a new session: descriptors of the old one are gone (EBADF), and their numbers will
 * be given to new ones, so a program should forget them.
 *
 * Environment: RUMP_SERVER; RUMPUS_CLIENT_SPIN_US, microseconds to spin for an answer before
 * sleeping (default: 0 on one processor, else 50, less after spins in vain); RUMPUS_CLIENT_VM=1
 * allows the server's process to reach this one's memory where the system asks for permission
 * (PR_SET_PTRACER), as the server's `vm` copy engine needs.
 */
#ifndef RUMPUS_CLIENT_H
#define RUMPUS_CLIENT_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RUMPUS_CLIENT_API __attribute__((visibility("default")))

/*
 * Connects this process to the server that RUMP_SERVER names, or takes over the connection that
 * rumpus_client_execve() of the program before left (RUMPCLIENT__EXECFD).
 * => RUMP_SERVER is unix:///absolute/path, unix://relative/path or tcp://A.B.C.D:PORT.
 * => 0, also when connected already. -1 with errno: EINVAL for no or a bad RUMP_SERVER,
 *    ENAMETOOLONG, EPROTO if the other side is no server, EACCES if it refuses, ETIMEDOUT if it is
 *    silent, or what socket() and connect() give; rumpus_client_error_text() then says it in words.
 */
RUMPUS_CLIENT_API int rumpus_client_init(void);

/*
 * The last failure of this thread's init, fork or exec as "rumpus: what: why; try: ...".
 * => Valid until the thread's next such call; never NULL.
 */
RUMPUS_CLIENT_API const char *rumpus_client_error_text(void);

/* Policies for a server that went away; any value >= 0 means to try for that many seconds. */
#define RUMPUS_RETRY_INFINITE (-1) /* try each second, for ever */
#define RUMPUS_RETRY_ONCE (-2)     /* try once a call: the default */
#define RUMPUS_RETRY_DIE (-3)      /* print what happened and exit(1) */

/*
 * Sets what a call does that finds the server gone.
 * => -1 with EINVAL for an unknown policy.
 */
RUMPUS_CLIENT_API int rumpus_client_setconnretry(long policy);

/*
 * fork() whose child has a session of its own, sharing the descriptors as after any fork.
 * => Returns as fork(). -1 with errno also if the server refuses.
 * => A child that cannot reach the server gets 0 all the same, and finds the session lost.
 * => The child of a plain fork() finds it lost too: the connection stays the parent's alone.
 */
RUMPUS_CLIENT_API pid_t rumpus_client_fork(void);

/*
 * execve() that hands the session to the new program, which takes it up in rumpus_client_init().
 * => Returns only with -1; EBUSY while another thread has a call in flight.
 */
RUMPUS_CLIENT_API int rumpus_client_execve(const char *path, char *const argv[],
    char *const envp[]);

/*
 * Reads or sets a variable of the server by name.
 * => Values are a 32-bit integer, a 64-bit integer or a string with its NUL.
 * => old may be NULL to learn the length; ENOENT for an unknown name.
 */
RUMPUS_CLIENT_API int rumpus_sysctlbyname(const char *name, void *old, size_t *oldlenp,
    const void *new_value, size_t newlen);

/* The system calls of <rumpus/syscalls.def>, each as its Linux namesake but for the list above. */
RUMPUS_CLIENT_API ssize_t rumpus_sys_read(int fd, void *buf, size_t n);
RUMPUS_CLIENT_API ssize_t rumpus_sys_write(int fd, const void *buf, size_t n);
RUMPUS_CLIENT_API int rumpus_sys_close(int fd);
RUMPUS_CLIENT_API pid_t rumpus_sys_getpid(void); /* of the session, in the server */
RUMPUS_CLIENT_API ssize_t rumpus_sys_recvmsg(int fd, struct msghdr *msg, int flags);
RUMPUS_CLIENT_API ssize_t rumpus_sys_sendmsg(int fd, const struct msghdr *msg, int flags);
RUMPUS_CLIENT_API ssize_t rumpus_sys_recvfrom(int fd, void *buf, size_t n, int flags,
    struct sockaddr *from, socklen_t *fromlen);
RUMPUS_CLIENT_API int rumpus_sys_accept(int fd, struct sockaddr *addr, socklen_t *addrlen);
RUMPUS_CLIENT_API int rumpus_sys_getpeername(int fd, struct sockaddr *addr, socklen_t *addrlen);
RUMPUS_CLIENT_API int rumpus_sys_getsockname(int fd, struct sockaddr *addr, socklen_t *addrlen);
RUMPUS_CLIENT_API int rumpus_sys_dup(int fd);
RUMPUS_CLIENT_API int rumpus_sys_ioctl(int fd, unsigned long cmd, void *data);
RUMPUS_CLIENT_API int rumpus_sys_dup2(int from, int to);
RUMPUS_CLIENT_API int rumpus_sys_fcntl(int fd, int cmd, long arg);
RUMPUS_CLIENT_API int rumpus_sys_connect(int fd, const struct sockaddr *addr, socklen_t len);
RUMPUS_CLIENT_API int rumpus_sys_bind(int fd, const struct sockaddr *addr, socklen_t len);
RUMPUS_CLIENT_API int rumpus_sys_setsockopt(int fd, int level, int name, const void *val,
    socklen_t len);
RUMPUS_CLIENT_API int rumpus_sys_listen(int fd, int backlog);
RUMPUS_CLIENT_API int rumpus_sys_getsockopt(int fd, int level, int name, void *val, socklen_t *len);
RUMPUS_CLIENT_API ssize_t rumpus_sys_readv(int fd, const struct iovec *iov, int iovcnt);
RUMPUS_CLIENT_API ssize_t rumpus_sys_writev(int fd, const struct iovec *iov, int iovcnt);
RUMPUS_CLIENT_API ssize_t rumpus_sys_sendto(int fd, const void *buf, size_t n, int flags,
    const struct sockaddr *to, socklen_t tolen);
RUMPUS_CLIENT_API int rumpus_sys_shutdown(int fd, int how);
RUMPUS_CLIENT_API int rumpus_sys___sysctl(const int *name, unsigned namelen, void *old,
    size_t *oldlen, const void *new_value, size_t newlen);
RUMPUS_CLIENT_API int rumpus_sys_reboot(int how, char *str); /* how is BSD's; ends the server */
RUMPUS_CLIENT_API int rumpus_sys_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
RUMPUS_CLIENT_API int rumpus_sys_socket(int domain, int type, int protocol);
RUMPUS_CLIENT_API int rumpus_sys_select(int n, fd_set *r, fd_set *w, fd_set *e,
    struct timeval *timeout);
RUMPUS_CLIENT_API int rumpus_sys_pselect(int n, fd_set *r, fd_set *w, fd_set *e,
    const struct timespec *timeout, const sigset_t *mask);
RUMPUS_CLIENT_API int rumpus_sys_pollts(struct pollfd *fds, nfds_t n,
    const struct timespec *timeout, const sigset_t *mask);
RUMPUS_CLIENT_API int rumpus_sys_dup3(int from, int to, int flags);
RUMPUS_CLIENT_API int rumpus_sys_paccept(int fd, struct sockaddr *addr, socklen_t *addrlen,
    const sigset_t *mask, int flags);

/* Linux's calls that are made of those. */
RUMPUS_CLIENT_API int rumpus_sys_accept4(int fd, struct sockaddr *addr, socklen_t *addrlen,
    int flags);
RUMPUS_CLIENT_API ssize_t rumpus_sys_send(int fd, const void *buf, size_t n, int flags);
RUMPUS_CLIENT_API ssize_t rumpus_sys_recv(int fd, void *buf, size_t n, int flags);
RUMPUS_CLIENT_API int rumpus_sys_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
    const sigset_t *mask);

#ifdef __cplusplus
}
#endif

/*
 * One source, built natively or for the stack: with -DRUMPUS_CLIENT_RENAME, and this header after
 * all others, the calls below go to the stack in that file. All of them do, so descriptors of the
 * host (files, standard input) belong into another file.
 */
#ifdef RUMPUS_CLIENT_RENAME
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#define read(...) rumpus_sys_read(__VA_ARGS__)
#define write(...) rumpus_sys_write(__VA_ARGS__)
#define close(...) rumpus_sys_close(__VA_ARGS__)
#define recvmsg(...) rumpus_sys_recvmsg(__VA_ARGS__)
#define sendmsg(...) rumpus_sys_sendmsg(__VA_ARGS__)
#define recvfrom(...) rumpus_sys_recvfrom(__VA_ARGS__)
#define accept(...) rumpus_sys_accept(__VA_ARGS__)
#define accept4(...) rumpus_sys_accept4(__VA_ARGS__)
#define getpeername(...) rumpus_sys_getpeername(__VA_ARGS__)
#define getsockname(...) rumpus_sys_getsockname(__VA_ARGS__)
#define dup(...) rumpus_sys_dup(__VA_ARGS__)
#define dup2(...) rumpus_sys_dup2(__VA_ARGS__)
#define dup3(...) rumpus_sys_dup3(__VA_ARGS__)
#define ioctl(...) rumpus_sys_ioctl(__VA_ARGS__)
/* fcntl(fd, cmd) has no third argument, fcntl(fd, cmd, arg) has */
#define fcntl(fd, ...) RUMPUS_CLIENT_FCNTL_((fd), __VA_ARGS__, 0, 0)
#define RUMPUS_CLIENT_FCNTL_(fd, cmd, arg, ...) rumpus_sys_fcntl((fd), (cmd), (long)(arg))
#define connect(...) rumpus_sys_connect(__VA_ARGS__)
#define bind(...) rumpus_sys_bind(__VA_ARGS__)
#define setsockopt(...) rumpus_sys_setsockopt(__VA_ARGS__)
#define getsockopt(...) rumpus_sys_getsockopt(__VA_ARGS__)
#define listen(...) rumpus_sys_listen(__VA_ARGS__)
#define readv(...) rumpus_sys_readv(__VA_ARGS__)
#define writev(...) rumpus_sys_writev(__VA_ARGS__)
#define sendto(...) rumpus_sys_sendto(__VA_ARGS__)
#define send(...) rumpus_sys_send(__VA_ARGS__)
#define recv(...) rumpus_sys_recv(__VA_ARGS__)
#define shutdown(...) rumpus_sys_shutdown(__VA_ARGS__)
#define poll(...) rumpus_sys_poll(__VA_ARGS__)
#define ppoll(...) rumpus_sys_ppoll(__VA_ARGS__)
#define socket(...) rumpus_sys_socket(__VA_ARGS__)
#define select(...) rumpus_sys_select(__VA_ARGS__)
#define pselect(...) rumpus_sys_pselect(__VA_ARGS__)
#define fork() rumpus_client_fork()
#define execve(...) rumpus_client_execve(__VA_ARGS__)
#endif /* RUMPUS_CLIENT_RENAME */

#endif /* RUMPUS_CLIENT_H */
