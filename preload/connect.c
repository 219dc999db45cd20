/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect(). One that blocks waits for the server's answer, which comes when the handshake has
 * ended; a signal or SO_SNDTIMEO ends the waiting, not the connecting.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define NO_TIMEOUT (-1)

static bool
is_nonblocking(int fd)
{
	return (syscall(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK) != 0;
}

/* SO_SNDTIMEO, which the pair itself has. => ms or NO_TIMEOUT */
static int64_t
send_timeout_ms(int fd)
{
	struct timeval tv = {0};
	socklen_t len = sizeof(tv);

	if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &len) != 0 ||
	    (tv.tv_sec == 0 && tv.tv_usec == 0))
		return NO_TIMEOUT;
	return (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What an instruction raises, and no other process: its handler interrupts no wait. */
static bool
is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL;
}

/*
 * A handler has run. poll() is never begun again, but connect() is when the handler was set up
 * with SA_RESTART. Which one ran cannot be told: it is begun again when all are of that kind.
 */
static bool
handlers_restart(void)
{
	struct sigaction sa;
	bool any = false;

	for (int sig = 1; sig < SIGRTMAX; sig++) {
		if (is_fault(sig) || sigaction(sig, NULL, &sa) != 0 || sa.sa_handler == SIG_DFL ||
		    sa.sa_handler == SIG_IGN)
			continue;
		if ((sa.sa_flags & SA_RESTART) == 0)
			return false;
		any = true;
	}
	return any;
}

/*
 * Waits for events at fd, as long as socket says, or for the end of other (-1: none).
 * => 0, EINTR, or ETIMEDOUT
 */
static int
wait_for(int fd, short events, int socket, int other)
{
	int64_t timeout_ms = send_timeout_ms(socket);
	int64_t end_ms = timeout_ms == NO_TIMEOUT ? 0 : now_ms() + timeout_ms;

	for (;;) {
		struct pollfd pfd[2] = {{.fd = fd, .events = events}, {.fd = other}};
		int64_t left_ms = timeout_ms == NO_TIMEOUT ? NO_TIMEOUT : end_ms - now_ms();
		int n;

		if (timeout_ms != NO_TIMEOUT && left_ms < 0)
			return ETIMEDOUT;
		n = poll(pfd, 2, (int)(left_ms > INT32_MAX ? INT32_MAX : left_ms));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return errno;
		if (n < 0 && (timeout_ms != NO_TIMEOUT || !handlers_restart()))
			return EINTR;
	}
}

/* The answer is to come at end. => 0: it is there; else errno: nobody waits for it any more */
static int
connect_wait(const struct exchange *ex, int end, int control)
{
	struct exchange stop = {.ex_op = FDSOCK_OP_QUERY, .ex_about = ex->ex_about, .ex_arg = {3}};
	int error = wait_for(end, POLLIN, ex->ex_about, control);

	if (error == 0)
		return 0;
	if (control_exchange(&stop) == 0 && stop.ex_reply.fp_value[0] == 0)
		return 0; /* it has come meanwhile */
	return error == ETIMEDOUT ? EINPROGRESS : error;
}

/* A connection is under way, as begun says: EINPROGRESS or EALREADY. => errno, of its end */
static int
connect_finish(int fd, int begun)
{
	struct exchange ex = {.ex_op = FDSOCK_OP_QUERY, .ex_about = fd, .ex_arg = {2}};
	int error = wait_for(fd, POLLOUT, fd, -1);

	if (error != 0)
		return error == ETIMEDOUT ? begun : error;
	error = control_exchange(&ex);
	if (error == ENOTSOCK)
		error = ECONNRESET; /* of a server that is gone */
	return error != 0 ? error : ex.ex_reply.fp_value[0];
}

TRAP int
connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	const struct sockaddr *sa = addr.__sockaddr__;
	uint64_t tag = descriptor_tag(fd);
	struct exchange ex = {.ex_op = FDSOCK_OP_CONNECT, .ex_about = fd};
	bool host, waits;
	int error = belongs_to_host(fd, tag, RULE_CONNECT, sa, len, &host), replaced;

	if (error != 0)
		return fail(error);
	if (host)
		return real()->re_connect(fd, sa, len);
	waits = descriptor_is_stream(tag) && !is_nonblocking(fd);
	if (waits) {
		ex.ex_arg[0] = FDSOCK_CONNECT_WAIT;
		ex.ex_wait = connect_wait;
	}
	error = exchange_address(&ex, sa, len);
	if (ex.ex_fd >= 0 && (replaced = descriptor_replace(ex.ex_fd, fd)) != 0)
		error = replaced;
	if (waits && error == 0)
		descriptor_mark(fd, FDSOCK_TAG_CONNECTED);
	if (waits && ex.ex_answered && (error == EINPROGRESS || error == EALREADY))
		error = connect_finish(fd, error);
	return error == 0 ? 0 : fail(error);
}
