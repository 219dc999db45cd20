/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control connection, and requests over it.
 *
 * The connection is one word: its number and the kernel's identity of the socket, compared before
 * each use, since the program may have closed the number and used it again. It lies at a high
 * number. A vfork child that opens another one spoils the word of its parent, which then finds
 * its own again by the address of its peer.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL_HIGH 1024  /* numbers below this one: the kernel's table need not grow */
#define CONTROL_NUMBERS 16 /* that many of them */
#define CONTROL_ATTEMPTS 4 /* connections that turn out dead, before giving up */
#define COOKIE_BITS 40

/* The number in the upper bits, the low bits of the cookie below; 0: none. */
static _Atomic uint64_t control_word;

struct rights {
	_Alignas(struct cmsghdr) char bytes[CMSG_SPACE(2 * sizeof(int))];
};

static void
close_fd(int fd)
{
	int saved = errno;

	(void)syscall(SYS_close, fd);
	errno = saved;
}

/* --- the connection ------------------------------------------------------------------------- */

static uint64_t
word_of(int fd)
{
	uint64_t cookie = descriptor_cookie(fd);

	return cookie == 0
	    ? 0
	    : (uint64_t)fd << COOKIE_BITS | (cookie & ((UINT64_C(1) << COOKIE_BITS) - 1));
}

static int
fd_of(uint64_t word)
{
	return (int)(word >> COOKIE_BITS);
}

static int
high_number(void)
{
	struct rlimit rl = {.rlim_cur = CONTROL_HIGH};
	rlim_t top;

	(void)syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &rl);
	top = rl.rlim_cur < CONTROL_HIGH ? rl.rlim_cur : CONTROL_HIGH;
	return top > CONTROL_NUMBERS + 3 ? (int)top - CONTROL_NUMBERS : 3;
}

static bool
is_control(int fd)
{
	struct sockaddr_un sun;
	socklen_t len = sizeof(sun);
	int type = 0;
	socklen_t typelen = sizeof(type);

	return syscall(SYS_getpeername, fd, &sun, &len) == 0 && sun.sun_family == AF_UNIX &&
	    len > offsetof(struct sockaddr_un, sun_path) &&
	    strncmp(sun.sun_path, settings_server(), sizeof(sun.sun_path)) == 0 &&
	    syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &typelen) == 0 &&
	    type == SOCK_SEQPACKET;
}

static int
dup_from(int fd, int number)
{
	int high = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, number);

	return high >= 0 ? high : (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
}

int
control_beside(int fd)
{
	int base = high_number();

	return dup_from(fd, base > CONTROL_NUMBERS + 3 ? base - CONTROL_NUMBERS : 3);
}

/* One that this process has, though the word does not know. */
static int
control_find(void)
{
	int base = high_number();

	for (int fd = base; fd < base + CONTROL_NUMBERS; fd++) {
		if (is_control(fd))
			return fd;
	}
	return -1;
}

/* => a descriptor, or -1 with errno */
static int
control_connect(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd, high, error;

	strcpy(sun.sun_path, settings_server()); /* settings.c has seen to its length */
	if (sun.sun_path[0] == '\0')
		return fail(ENOENT);
	fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	do {
		error = syscall(SYS_connect, fd, &sun, sizeof(sun)) == 0 ? 0 : errno;
	} while (error == EINTR);
	if (error != 0) {
		close_fd(fd);
		return fail(error);
	}
	high = dup_from(fd, high_number());
	close_fd(fd);
	return high;
}

/* => 0 with the connection's word, or errno */
static int
control_get(uint64_t *wordp)
{
	uint64_t word = atomic_load(&control_word), fresh;
	int fd;

	if (word != 0 && word_of(fd_of(word)) == word) {
		*wordp = word;
		return 0;
	}
	if ((fd = control_find()) < 0 && (fd = control_connect()) < 0)
		return errno;
	fresh = word_of(fd);
	if (!atomic_compare_exchange_strong(&control_word, &word, fresh) && word != fresh &&
	    word_of(fd_of(word)) == word) {
		close_fd(fd); /* another thread was faster */
		fresh = word;
	}
	*wordp = fresh;
	return 0;
}

int
control_open(uint64_t *wordp)
{
	int error = control_get(wordp);

	return error == 0 ? fd_of(*wordp) : fail(error);
}

/* The server has closed it. One thread closes it here: its number may be another's soon. */
static void
control_drop(uint64_t word)
{
	uint64_t expected = word;

	if (atomic_compare_exchange_strong(&control_word, &expected, 0) &&
	    word_of(fd_of(word)) == word)
		close_fd(fd_of(word));
}

/* --- requests ------------------------------------------------------------------------------- */

/* => 0, EPIPE if the other side is gone, or errno */
static int
request_send(int control, const struct exchange *ex, int reply_end)
{
	struct fdsock_request req = {.fq_magic = FDSOCK_MAGIC, .fq_op = ex->ex_op};
	struct iovec iov[1 + EXCHANGE_VECTORS] = {{&req, sizeof(req)}};
	int fds[2] = {reply_end, ex->ex_about};
	size_t fdslen = (ex->ex_about >= 0 ? 2 : 1) * sizeof(int);
	struct rights rights = {0};
	struct msghdr msg = {.msg_iov = iov,
	    .msg_iovlen = 1 + (size_t)ex->ex_ndata,
	    .msg_control = rights.bytes,
	    .msg_controllen = CMSG_SPACE(fdslen)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	memcpy(req.fq_arg, ex->ex_arg, sizeof(req.fq_arg));
	for (int i = 0; i < ex->ex_ndata; i++) {
		iov[1 + i] = ex->ex_data[i];
		req.fq_datalen += (uint32_t)ex->ex_data[i].iov_len;
	}
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(fdslen);
	memcpy(CMSG_DATA(cmsg), fds, fdslen);
	while (syscall(SYS_sendmsg, control, &msg, MSG_NOSIGNAL) < 0) {
		if (errno == ECONNRESET || errno == ENOTCONN)
			return EPIPE;
		if (errno != EINTR)
			return errno;
	}
	return 0;
}

/* => errno of the way there; *wordp: the connection that the request went by */
static int
request_deliver(const struct exchange *ex, int reply_end, uint64_t *wordp)
{
	int error = EPIPE;

	for (int i = 0; i < CONTROL_ATTEMPTS && error == EPIPE; i++) {
		error = control_get(wordp);
		if (error != 0)
			return error == EMFILE || error == ENFILE ? error : ECONNRESET;
		error = request_send(fd_of(*wordp), ex, reply_end);
		if ((error == EBADF || error == ENOTSOCK) && word_of(fd_of(*wordp)) != *wordp)
			error = EPIPE; /* another thread has closed it meanwhile */
		if (error == EPIPE)
			control_drop(*wordp);
	}
	return error == EPIPE ? ECONNRESET : error;
}

static int
attached_fd(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

static ssize_t
reply_recv(struct exchange *ex, struct msghdr *msg, const struct replies *rp)
{
	int flags = (ex->ex_cloexec ? MSG_CMSG_CLOEXEC : 0) | (rp->rp_kept ? MSG_DONTWAIT : 0);
	ssize_t n;

	do {
		n = syscall(SYS_recvmsg, rp->rp_fd[REPLIES_OURS], msg, flags);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* => errno of the way back */
static int
reply_take(struct exchange *ex, struct replies *rp)
{
	struct iovec iov[2] = {{&ex->ex_reply, sizeof(ex->ex_reply)},
	    {ex->ex_room, ex->ex_roomlen}};
	struct rights rights;
	struct msghdr msg = {.msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_control = rights.bytes,
	    .msg_controllen = sizeof(rights.bytes)};
	ssize_t n = reply_recv(ex, &msg, rp);

	if (n < 0 && errno == EAGAIN && rp->rp_kept) {
		/* The connection has ended: what is in the making comes, else an end shows. */
		replies_only(rp);
		n = reply_recv(ex, &msg, rp);
	}
	if (n < 0)
		return errno;
	ex->ex_fd = attached_fd(&msg);
	if (n < (ssize_t)sizeof(ex->ex_reply) || ex->ex_reply.fp_magic != FDSOCK_MAGIC)
		return ECONNRESET;
	n -= (ssize_t)sizeof(ex->ex_reply);
	if (ex->ex_reply.fp_datalen > (size_t)n)
		ex->ex_reply.fp_datalen = (uint32_t)n;
	ex->ex_answered = true;
	return ex->ex_reply.fp_error;
}

int
control_send(const struct exchange *ex, struct replies *rp)
{
	uint64_t word = 0;
	int error = request_deliver(ex, rp->rp_fd[REPLIES_THEIRS], &word);

	if (!rp->rp_kept || word != rp->rp_connection)
		replies_only(rp);
	return error;
}

int
control_receive(struct exchange *ex, struct replies *rp)
{
	const int end = rp->rp_fd[REPLIES_OURS], watch = rp->rp_fd[REPLIES_WATCH];
	struct pollfd pfd[2] = {{.fd = end, .events = POLLIN}, {.fd = watch}};
	int error = 0;

	ex->ex_answered = false;
	ex->ex_fd = -1;
	if (ex->ex_wait != NULL)
		error = ex->ex_wait(ex, end, watch);
	else if (rp->rp_kept) {
		while (syscall(SYS_ppoll, pfd, 2, NULL, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	return error != 0 ? error : reply_take(ex, rp);
}

/* Closes the reply pair, or keeps it; a descriptor that came moves down into our end's number. */
static void
reply_close(struct exchange *ex, struct replies *rp)
{
	int end = rp->rp_fd[REPLIES_OURS];

	if (rp->rp_kept && ex->ex_answered) {
		replies_put(rp);
		return;
	}
	if (ex->ex_fd > end &&
	    syscall(SYS_dup3, ex->ex_fd, end, ex->ex_cloexec ? O_CLOEXEC : 0) == end) {
		close_fd(ex->ex_fd);
		ex->ex_fd = end;
		rp->rp_fd[REPLIES_OURS] = -1;
	}
	replies_close(rp);
}

static int
exchange_here(struct exchange *ex)
{
	struct replies rp;
	int error = replies_open(&rp);

	ex->ex_answered = false;
	ex->ex_fd = -1;
	if (error != 0)
		return error;
	error = control_send(ex, &rp);
	if (error == 0)
		error = control_receive(ex, &rp);
	reply_close(ex, &rp);
	return error;
}

/* --- requests when every number is taken ---------------------------------------------------- */

#define ELSEWHERE_STACK 16384
#define ELSEWHERE_NUMBERS 4 /* reply pair, connection, and its first number */

struct elsewhere {
	struct exchange *es_ex;
	int es_error;
};

/* Runs in a child that shares the memory but has numbers of its own: some can be given up. */
static int
elsewhere_run(void *arg)
{
	struct elsewhere *es = arg;
	struct exchange *ex = es->es_ex;
	int control = fd_of(atomic_load(&control_word)), top = high_number() + CONTROL_NUMBERS;

	for (int fd = 0, n = 0; fd < top && n < ELSEWHERE_NUMBERS; fd++) {
		if (fd != ex->ex_about && fd != control && syscall(SYS_close, fd) == 0)
			n++;
	}
	es->es_error = exchange_here(ex);
	if (ex->ex_fd >= 0)
		es->es_error = EMFILE; /* it came here, and cannot be handed on */
	ex->ex_fd = -1;
	return 0;
}

/* The child lives as a vfork child does; no wait() of the program sees it. */
static __attribute__((noinline)) int
exchange_elsewhere(struct exchange *ex)
{
	_Alignas(16) char stack[ELSEWHERE_STACK];
	struct elsewhere es = {.es_ex = ex, .es_error = EMFILE};
	const uint64_t all = ~UINT64_C(0);
	uint64_t before;
	int child;

	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	child = clone(elsewhere_run, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, &es);
	if (child > 0) {
		while (syscall(SYS_wait4, child, NULL, __WCLONE, NULL) < 0 && errno == EINTR)
			continue;
	}
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
	return es.es_error;
}

/*
 * A descriptor is to come, so it must be here. When a number is left for it, the soft limit is
 * raised for the moment by what the exchange itself needs.
 */
static int
exchange_beyond(struct exchange *ex)
{
	static atomic_flag busy = ATOMIC_FLAG_INIT;
	int spare = (int)syscall(SYS_fcntl, fd_of(atomic_load(&control_word)), F_DUPFD_CLOEXEC, 0);
	struct rlimit before = {0}, raised;
	int error = EMFILE;

	if (spare < 0 || atomic_flag_test_and_set(&busy)) {
		close_fd(spare);
		return EMFILE;
	}
	close_fd(spare);
	(void)syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &before);
	raised = (struct rlimit){before.rlim_cur + ELSEWHERE_NUMBERS, before.rlim_max};
	if (raised.rlim_cur <= raised.rlim_max &&
	    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &raised, NULL) == 0) {
		error = exchange_here(ex);
		(void)syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &before, NULL);
	}
	atomic_flag_clear(&busy);
	if (ex->ex_fd >= 0 && (rlim_t)ex->ex_fd >= before.rlim_cur) {
		close_fd(ex->ex_fd);
		ex->ex_fd = -1;
		error = EMFILE;
	}
	return error;
}

int
control_exchange(struct exchange *ex)
{
	int error = exchange_here(ex);

	ahead_go();
	if (error != EMFILE || ex->ex_answered)
		return error;
	if (ex->ex_wait != NULL) { /* not there: signals are blocked */
		ex->ex_wait = NULL;
		ex->ex_arg[0] = 0;
	}
	error = ex->ex_op == FDSOCK_OP_SOCKET ? exchange_beyond(ex) : exchange_elsewhere(ex);
	return error;
}

int
control_simple(int op, int about, int arg0, int arg1)
{
	struct exchange ex = {.ex_op = (uint32_t)op, .ex_about = about, .ex_arg = {arg0, arg1}};

	return control_exchange(&ex);
}

int
control_take_error(int fd, int *pendingp, bool *lostp)
{
	struct exchange ex = {.ex_op = FDSOCK_OP_QUERY, .ex_about = fd, .ex_arg = {1}};
	int error = control_exchange(&ex);

	*pendingp = error == 0 ? ex.ex_reply.fp_value[0] : 0;
	*lostp = error == ENOTSOCK || (!ex.ex_answered && error == ECONNRESET);
	return error;
}
