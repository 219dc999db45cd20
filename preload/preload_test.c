/* SPDX-License-Identifier: BSD-2-Clause */
/* The traps against a scripted server: what they ask, what they return, what they leave behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <unistd.h>

#include <rumpus/fdsock.h>

#include "testutil.h"

/* --- socket and the control connection ------------------------------------------------------ */

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, name, &value, &len), 0);
	assert_int_equal(len, sizeof(value));
	return value;
}

static void
test_socket(void **state)
{
	int low = lowest_free(), fd;

	(void)state;
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(fd, low);
	assert_int_equal(fake.fk_request.fq_arg[0], AF_INET6);
	assert_int_equal(fake.fk_request.fq_arg[1], SOCK_DGRAM | SOCK_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(option(fd, SO_TYPE), SOCK_DGRAM);
	assert_int_equal(option(fd, SO_DOMAIN), AF_INET6);
	assert_int_equal(option(fd, SO_ACCEPTCONN), 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_GETSOCKOPT], 0);
	close_pair(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close_pair(fd);
	assert_int_equal(fake.fk_connections, 1);
	/* the host's */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(option(fd, SO_DOMAIN), AF_UNIX);
	(void)close(fd);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SOCKET], 2);
	assert_int_equal(lowest_free(), low);
}

static void
test_socket_fails(void **state)
{
	int low;

	(void)state;
	fake.fk_error[FDSOCK_OP_SOCKET] = EPROTONOSUPPORT;
	FAILS(socket(AF_INET, SOCK_STREAM, 99), EPROTONOSUPPORT);
	low = lowest_free();
	fake.fk_mute[FDSOCK_OP_SOCKET] = true;
	FAILS(socket(AF_INET, SOCK_STREAM, 0), ENETDOWN);
	assert_int_equal(lowest_free(), low);
}

static void
test_server_restarts(void **state)
{
	int fd = tcp(), low;

	(void)state;
	fake_stop();
	low = lowest_free();
	FAILS(socket(AF_INET, SOCK_STREAM, 0), ENETDOWN);
	FAILS(listen(fd, 1), ECONNRESET);
	assert_int_equal(lowest_free(), low);
	(void)close(fd);
	fake_start();
	close_pair(tcp());
	assert_int_equal(fake.fk_connections, 1);
}

/* The number of the connection to the server. */
static int
control_number(void)
{
	for (int fd = 4095; fd > 3; fd--) { /* a copy is lower */
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);

		if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0 && len > 3 &&
		    fcntl(fd, F_GETFD) == FD_CLOEXEC)
			return fd;
	}
	return -1;
}

static void
test_control(void **state)
{
	int number, pipes[2];
	char c;

	(void)state;
	close_pair(tcp());
	number = control_number();
	assert_true(number > 900);
	/* closed by the program */
	(void)close(number);
	close_pair(tcp());
	assert_int_equal(fake.fk_connections, 2);
	/* closed, and the number used for something else: that is left alone */
	number = control_number();
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	assert_int_equal(dup2(pipes[1], number), number);
	close_pair(tcp());
	assert_int_equal(fake.fk_connections, 3);
	FAILS(read(pipes[0], &c, 1), EAGAIN);
	(void)close(number);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

/* A child shares the connection. One that loses it does not spoil its parent's. */
static void
test_children(void **state)
{
	pid_t child;
	int status;

	(void)state;
	close_pair(tcp());
	for (int i = 0; i < 2; i++) {
		child = fork();
		if (child == 0) {
			if (i == 1)
				(void)close(control_number());
			_exit(socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		assert_int_equal(fake.fk_connections, 1 + i);
	}
	close_pair(tcp());
	assert_int_equal(fake.fk_connections, 2);
}

/* In a child, as the fake server needs numbers of this process. => its exit status */
static int
without_numbers(int fd, int low)
{
	struct rlimit tight;

	if (getrlimit(RLIMIT_NOFILE, &tight) != 0)
		return 1;
	tight.rlim_cur = (rlim_t)low;
	if (setrlimit(RLIMIT_NOFILE, &tight) != 0)
		return 2;
	if (socket(AF_INET, SOCK_STREAM, 0) != -1 || errno != EMFILE)
		return 3;
	if (listen(fd, 7) != 0)
		return 4;
	if (fcntl(0, F_GETFD) < 0 || fcntl(fd, F_GETFD) < 0 || waitpid(-1, NULL, 0) != -1)
		return 5;
	return errno == ECHILD ? 0 : 6;
}

/* Every number is taken: requests about descriptors work, new ones are refused. */
static void
test_no_numbers(void **state)
{
	int fd = tcp(), low = lowest_free(), status;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(without_numbers(fd, low));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(fake.fk_request.fq_op, FDSOCK_OP_LISTEN);
	assert_int_equal(fake.fk_request.fq_arg[0], 7);
	close_pair(fd);
}

/* --- connect -------------------------------------------------------------------------------- */

static void
test_connect(void **state)
{
	int fd = tcp();

	(void)state;
	fake.fk_error[FDSOCK_OP_CONNECT] = EINPROGRESS;
	assert_int_equal(connect_peer(fd), 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 1);
	assert_memory_equal(fake.fk_sent, &peer, sizeof(peer));
	fake.fk_value[FDSOCK_OP_QUERY] = ECONNREFUSED;
	FAILS(connect_peer(fd), ECONNREFUSED);
	fake.fk_error[FDSOCK_OP_CONNECT] = EALREADY;
	FAILS(connect_peer(fd), ECONNREFUSED);
	fake.fk_error[FDSOCK_OP_QUERY] = ENOTSOCK;
	FAILS(connect_peer(fd), ECONNRESET);
	fake.fk_error[FDSOCK_OP_CONNECT] = EISCONN;
	FAILS(connect_peer(fd), EISCONN);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 4);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	fake.fk_error[FDSOCK_OP_CONNECT] = EINPROGRESS;
	FAILS(connect_peer(fd), EINPROGRESS);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 4);
	FAILS(connect(fd, NULL, sizeof(peer)), EFAULT);
	close_pair(fd);
}

/* Takes POLLOUT away, as the server does. */
static void
shut_gate(int fd)
{
	static char filler[65536];

	while (send(fd, filler, sizeof(filler), MSG_DONTWAIT) > 0)
		continue;
}

static void
open_gate(int sig)
{
	static char sink[65536];

	(void)sig;
	while (recv(fake.fk_peer, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		continue;
}

static void
do_nothing(int sig)
{
	(void)sig;
}

static void
alarm_soon(void (*handler)(int), int flags)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
	const struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};

	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
}

/* Answered at once with EINPROGRESS, as in a process without numbers: the pair's gate is waited for. */
static void
test_connect_gate(void **state)
{
	int fd = tcp();

	(void)state;
	fake.fk_error[FDSOCK_OP_CONNECT] = EINPROGRESS;
	shut_gate(fd);
	alarm_soon(do_nothing, 0);
	FAILS(connect_peer(fd), EINTR);
	alarm_soon(open_gate, SA_RESTART);
	assert_int_equal(connect_peer(fd), 0);
	(void)signal(SIGALRM, SIG_DFL);
	close_pair(fd);
}

static void
answer_now(int sig)
{
	(void)sig;
	fake_release();
}

/* The answer is waited for; a signal or SO_SNDTIMEO ends that, unless it has come meanwhile. */
static void
test_connect_waits(void **state)
{
	const struct timeval short_time = {.tv_usec = 20000};
	int fd = tcp(), low = lowest_free();

	(void)state;
	fake.fk_hold = true;
	fake.fk_value[FDSOCK_OP_QUERY] = EINPROGRESS;
	alarm_soon(do_nothing, 0);
	FAILS(connect_peer(fd), EINTR);
	assert_int_equal(fake.fk_request.fq_arg[0], FDSOCK_CONNECT_WAIT);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 1);
	alarm_soon(answer_now, SA_RESTART);
	assert_int_equal(connect_peer(fd), 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 1);
	fake.fk_value[FDSOCK_OP_QUERY] = 0;
	fake.fk_error[FDSOCK_OP_CONNECT] = ECONNREFUSED;
	alarm_soon(answer_now, 0);
	FAILS(connect_peer(fd), ECONNREFUSED);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 2);
	(void)signal(SIGALRM, SIG_DFL);
	fake.fk_value[FDSOCK_OP_QUERY] = EINPROGRESS;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &short_time, sizeof(short_time)),
	    0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SETSOCKOPT], 0); /* the kernel's business */
	FAILS(connect_peer(fd), EINPROGRESS);
	assert_int_equal(lowest_free(), low);
	close_pair(fd);
}

static void
test_connect_replaces(void **state)
{
	int fd = tcp(), before = fake.fk_peer, low = lowest_free();

	(void)state;
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	fake.fk_replace = true;
	fake.fk_error[FDSOCK_OP_CONNECT] = EINPROGRESS;
	FAILS(connect_peer(fd), EINPROGRESS);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(send(fake.fk_peer, "x", 1, 0), 1);
	assert_int_equal(ioctl(fd, FIONREAD, &low), 0);
	assert_int_equal(low, 1);
	(void)close(before);
	close_pair(fd);
}

/* --- accept --------------------------------------------------------------------------------- */

static const struct fdsock_accepted record = {.fa_magic = FDSOCK_MAGIC,
    .fa_family = AF_INET,
    .fa_port = 0x3412,
    .fa_addr = {10, 1, 2, 3}};

static void
test_accept(void **state)
{
	struct sockaddr_storage ss;
	struct sockaddr_in *sin = (struct sockaddr_in *)&ss;
	socklen_t len = sizeof(ss);
	int fd = tcp(), listener = fake.fk_peer, low = lowest_free(), got, other;

	(void)state;
	FAILS(accept(fd, NULL, NULL), EINVAL);
	fake_tag(fd, AF_INET, SOCK_STREAM, FDSOCK_TAG_LISTENING);
	assert_int_equal(option(fd, SO_ACCEPTCONN), 1);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	FAILS(accept(fd, NULL, NULL), EAGAIN);
	other = fake_accepted(listener, &record);
	FAILS(accept4(fd, NULL, NULL, 1), EINVAL);
	got = accept(fd, (struct sockaddr *)&ss, &len);
	assert_true(got >= low);
	assert_int_equal(len, sizeof(*sin));
	assert_int_equal(sin->sin_port, record.fa_port);
	assert_memory_equal(&sin->sin_addr, record.fa_addr, 4);
	assert_int_equal(fcntl(got, F_GETFD), 0);
	assert_int_equal(fcntl(got, F_GETFL) & O_NONBLOCK, 0);
	(void)close(got);
	(void)close(other);
	/* an address that does not fit; flags; an IPv4 peer of an IPv6 listener */
	other = fake_accepted(listener, &record);
	memset(&ss, 0x55, sizeof(ss));
	len = 4;
	got = accept4(fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_int_equal(len, sizeof(*sin));
	assert_int_equal(sin->sin_addr.s_addr, 0x55555555);
	assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
	assert_true((fcntl(got, F_GETFL) & O_NONBLOCK) != 0);
	(void)close(got);
	(void)close(other);
	fake_tag(fd, AF_INET6, SOCK_STREAM, FDSOCK_TAG_LISTENING);
	other = fake_accepted(listener, &record);
	len = sizeof(ss);
	got = accept(fd, (struct sockaddr *)&ss, &len);
	assert_int_equal(len, sizeof(struct sockaddr_in6));
	assert_true(IN6_IS_ADDR_V4MAPPED(&((struct sockaddr_in6 *)&ss)->sin6_addr));
	(void)close(got);
	(void)close(other);
	/* shut down */
	(void)close(listener);
	FAILS(accept(fd, NULL, NULL), EINVAL);
	fake.fk_error[FDSOCK_OP_QUERY] = ENOTSOCK;
	FAILS(accept(fd, NULL, NULL), ECONNRESET);
	assert_int_equal(lowest_free(), low < listener ? low : listener);
	(void)close(fd);
}

/* Without a number for it the connection stays where it is. */
static void
test_accept_no_number(void **state)
{
	struct rlimit before, tight;
	int fd = tcp(), listener = fake.fk_peer, other, got;

	(void)state;
	fake_tag(fd, AF_INET, SOCK_STREAM, FDSOCK_TAG_LISTENING);
	other = fake_accepted(listener, &record);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = (rlim_t)lowest_free();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	FAILS(accept(fd, NULL, NULL), EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	got = accept(fd, NULL, NULL);
	assert_true(got >= 0);
	assert_int_equal(send(other, "x", 1, 0), 1);
	assert_int_equal(recv(got, &(char){0}, 1, 0), 1);
	(void)close(got);
	(void)close(other);
	(void)close(listener);
	(void)close(fd);
}

/* --- ends of streams ------------------------------------------------------------------------ */

static void
test_read_end(void **state)
{
	char buf[4];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd = tcp();

	(void)state;
	assert_int_equal(send(fake.fk_peer, "ab", 2, 0), 2);
	assert_int_equal(read(fd, buf, sizeof(buf)), 2);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 0);
	/* Of an end in order there is nothing to ask. */
	assert_int_equal(shutdown(fake.fk_peer, SHUT_WR), 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 0);
	(void)close(fake.fk_peer);
	assert_int_equal(read(fd, buf, 0), 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), 0);
	assert_int_equal(recvmsg(fd, &msg, 0), 0);
	fake.fk_value[FDSOCK_OP_QUERY] = ETIMEDOUT;
	FAILS(read(fd, buf, sizeof(buf)), ETIMEDOUT);
	FAILS(readv(fd, &iov, 1), ETIMEDOUT);
	FAILS(recv(fd, buf, sizeof(buf), 0), ETIMEDOUT);
	FAILS(recvmsg(fd, &msg, 0), ETIMEDOUT);
	fake.fk_error[FDSOCK_OP_QUERY] = ENOTSOCK;
	FAILS(read(fd, buf, sizeof(buf)), ECONNRESET);
	fake.fk_mute[FDSOCK_OP_QUERY] = true;
	FAILS(read(fd, buf, sizeof(buf)), ECONNRESET);
	(void)close(fd);
}

static volatile sig_atomic_t pipes_seen;

static void
count_pipe(int sig)
{
	(void)sig;
	pipes_seen++;
}

static void
test_write_end(void **state)
{
	struct iovec iov = {(char[]){"x"}, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd = tcp();

	(void)state;
	(void)close(fake.fk_peer);
	(void)signal(SIGPIPE, count_pipe);
	pipes_seen = 0;
	fake.fk_value[FDSOCK_OP_QUERY] = ECONNRESET;
	FAILS(write(fd, "x", 1), ECONNRESET);
	FAILS(writev(fd, &iov, 1), ECONNRESET);
	FAILS(send(fd, "x", 1, 0), ECONNRESET);
	FAILS(sendmsg(fd, &msg, 0), ECONNRESET);
	assert_int_equal(pipes_seen, 0);
	fake.fk_value[FDSOCK_OP_QUERY] = 0;
	FAILS(write(fd, "x", 1), EPIPE);
	FAILS(writev(fd, &iov, 1), EPIPE);
	FAILS(send(fd, "x", 1, 0), EPIPE);
	FAILS(sendmsg(fd, &msg, 0), EPIPE);
	assert_int_equal(pipes_seen, 4);
	FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	assert_int_equal(pipes_seen, 4);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)close(fd);
}

/* In a child. => its exit status: what a reader sees after the program has confined itself */
static int
confine_and_read(int fd)
{
	struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	const struct sock_fprog allow = {1, all};
	char c;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &allow, 0, 0) != 0)
		return 10;
	return read(fd, &c, 1) == 0 ? 0 : 1;
}

/* A program under a filter of its own makes just the calls that it makes. */
static void
test_confined(void **state)
{
	int fd = tcp(), status;
	pid_t child;

	(void)state;
	fake.fk_value[FDSOCK_OP_QUERY] = ETIMEDOUT;
	(void)close(fake.fk_peer);
	child = fork();
	if (child == 0)
		_exit(confine_and_read(fd));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 0);
	FAILS(read(fd, &status, 1), ETIMEDOUT);
	(void)close(fd);
}

/* Files and pipes are written to as ever, also where there are streams. */
static void
test_files(void **state)
{
	int fd = tcp(), pipes[2];
	char buf[4];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], "abc", 3), 3);
	assert_int_equal(read(pipes[0], buf, sizeof(buf)), 3);
	(void)close(pipes[1]);
	assert_int_equal(read(pipes[0], buf, sizeof(buf)), 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 0);
	(void)close(pipes[0]);
	FAILS(read(-1, buf, 1), EBADF);
	FAILS(write(-1, buf, 1), EBADF);
	close_pair(fd);
}

/* --- options and names ---------------------------------------------------------------------- */

static void
test_options(void **state)
{
	struct sock_filter code[2] = {BPF_STMT(BPF_LD | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0)};
	struct sock_fprog prog = {.len = 2, .filter = code}, none = {.len = 0, .filter = code};
	static uint8_t filter[FDSOCK_OPTION_LONG + 100];
	struct sockaddr_in sin;
	int fd = tcp(), value = 7;
	socklen_t len = 2;

	(void)state;
	fake.fk_datalen = 2;
	fake.fk_data[0] = 0x34;
	fake.fk_data[1] = 0x12;
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, 1, &value, &len), 0);
	assert_int_equal(fake.fk_request.fq_arg[2], 2);
	assert_int_equal(len, 2);
	assert_int_equal(value, 0x1234);
	len = (socklen_t)-1;
	FAILS(getsockopt(fd, IPPROTO_TCP, 1, &value, &len), EINVAL);
	len = sizeof(value);
	FAILS(getsockopt(fd, IPPROTO_TCP, 1, NULL, &len), EFAULT);
	FAILS(setsockopt(fd, IPPROTO_TCP, 1, NULL, 4), EFAULT);
	fake.fk_error[FDSOCK_OP_SETSOCKOPT] = ENOPROTOOPT;
	FAILS(setsockopt(fd, IPPROTO_TCP, 99, &value, sizeof(value)), ENOPROTOOPT);
	fake.fk_error[FDSOCK_OP_SETSOCKOPT] = 0;
	/* of a value that asks for something, and of a long one, all that matters is sent */
	assert_int_equal(fake.fk_request.fq_datalen, sizeof(value));
	len = sizeof(value);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, 1, &value, &len), 0);
	assert_int_equal(fake.fk_request.fq_datalen, 0);
	len = sizeof(filter);
	assert_int_equal(getsockopt(fd, IPPROTO_IP, MCAST_MSFILTER, filter, &len), 0);
	assert_int_equal(fake.fk_request.fq_datalen, FDSOCK_OPTION_LONG);
	assert_int_equal(fake.fk_request.fq_arg[2], FDSOCK_OPTION_LONG);
	len = 16;
	assert_int_equal(getsockopt(fd, IPPROTO_IP, IP_MSFILTER, filter, &len), 0);
	assert_int_equal(fake.fk_request.fq_datalen, 16);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, MCAST_MSFILTER, filter, sizeof(filter)), 0);
	assert_int_equal(fake.fk_request.fq_datalen, FDSOCK_OPTION_LONG);
	FAILS(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &value, sizeof(value)), EINVAL);
	FAILS(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof(none)), EINVAL);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
	assert_int_equal(fake.fk_request.fq_datalen, sizeof(code));
	assert_memory_equal(fake.fk_sent, code, sizeof(code));
	memcpy(fake.fk_data, &peer, sizeof(peer));
	fake.fk_datalen = sizeof(peer);
	len = 5;
	memset(&sin, 0, sizeof(sin));
	assert_int_equal(getpeername(fd, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(len, sizeof(sin));
	assert_int_equal(sin.sin_addr.s_addr & 0xff, 10);
	assert_int_equal(sin.sin_addr.s_addr >> 8, 0);
	fake.fk_error[FDSOCK_OP_GETPEERNAME] = ENOTCONN;
	FAILS(getpeername(fd, (struct sockaddr *)&sin, &len), ENOTCONN);
	FAILS(shutdown(-1, SHUT_WR), EBADF);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(fake.fk_request.fq_arg[0], SHUT_WR);
	close_pair(fd);
}

/* TCP_INQ: each message is told what is left behind it, and that there is an end to be read. */
static void
test_inq(void **state)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char buf[8];
	struct iovec iov = {buf, 2};
	struct mmsghdr vec[2] = {{.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}};
	struct msghdr *msg = &vec[0].msg_hdr;
	static const int left[] = {5, 3, 3, 1, 0, 1};
	int fd = tcp(), value;

	(void)state;
	vec[1] = vec[0];
	assert_int_equal(send(fake.fk_peer, "hello67", 7, 0), 7);
	assert_int_equal(recvmsg(fd, msg, MSG_PEEK), 2);
	assert_int_equal(msg->msg_controllen, 0);
	fake_tag(fd, AF_INET, SOCK_STREAM, FDSOCK_TAG_CONNECTED | FDSOCK_TAG_INQ);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		struct cmsghdr *c;

		msg->msg_control = control;
		msg->msg_controllen = sizeof(control);
		iov.iov_len = left[i] == 0 ? 1 : 2;
		if (i == 5)
			assert_int_equal(shutdown(fake.fk_peer, SHUT_WR), 0);
		if (i == 1)
			assert_int_equal(recvmmsg(fd, vec, 2, 0, NULL), 1);
		else
			assert_int_equal(recvmsg(fd, msg, i == 2 ? MSG_PEEK : 0),
			    i == 5 ? 0 : iov.iov_len);
		c = CMSG_FIRSTHDR(msg);
		assert_non_null(c);
		assert_true(c->cmsg_level == IPPROTO_TCP && c->cmsg_type == TCP_CM_INQ);
		assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(value)));
		memcpy(&value, CMSG_DATA(c), sizeof(value));
		assert_int_equal(value, left[i]);
	}
	msg->msg_controllen = 4;
	assert_int_equal(recvmsg(fd, msg, 0), 0);
	assert_true((msg->msg_flags & MSG_CTRUNC) != 0);
	assert_int_equal(msg->msg_controllen, 0);
	close_pair(fd);
}

/* --- to the host ---------------------------------------------------------------------------- */

static void
test_migrate(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, low;

	(void)state;
	low = lowest_free();
	fake.fk_datalen = sizeof(one); /* what every option answers, and a name without a port */
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	fake.fk_data[0] = 1;
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_BIND], 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(sin.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_true(sin.sin_port != 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_GETSOCKNAME], 1);
	assert_int_equal(option(fd, SO_REUSEADDR), 1);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(lowest_free(), low);
	close_pair(fd);
	/* bound on the stack already: it stays there */
	fd = tcp();
	memcpy(fake.fk_data, &peer, sizeof(peer));
	fake.fk_datalen = sizeof(peer);
	fake.fk_error[FDSOCK_OP_CONNECT] = ENETUNREACH;
	FAILS(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), ENETUNREACH);
	close_pair(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    T(test_socket),
	    T(test_socket_fails),
	    T(test_server_restarts),
	    T(test_control),
	    T(test_children),
	    T(test_no_numbers),
	    T(test_connect),
	    T(test_connect_gate),
	    T(test_connect_waits),
	    T(test_connect_replaces),
	    T(test_accept),
	    T(test_accept_no_number),
	    T(test_read_end),
	    T(test_write_end),
	    T(test_confined),
	    T(test_files),
	    T(test_options),
	    T(test_inq),
	    T(test_migrate),
	};
	int failed;

	(void)argc;
	fake_environment(argv);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_environment_end();
	return failed;
}
