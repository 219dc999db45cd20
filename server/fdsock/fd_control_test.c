/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control protocol: who speaks it badly, limits, options, translation. The numbers name kinds
 * of hostile input: 78 malformed records, 79 clients that go or hoard, 80 the server's end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rumpus/stack.h>

#include "kern/netstack.h"
#include "server/fdsock/fd_impl.h"
#include "server/fdsock/fd_testutil.h"
#include "server/fdsock/fdsock.h"

static struct fdt_reply rep;

static void
test_hello(void **state)
{
	const int32_t one[4] = {1}, two[4] = {2};
	struct fdsock_info info;

	(void)state;
	assert_int_equal(fdt_request(FDSOCK_OP_HELLO, -1, one, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_id, 0x1234);
	memcpy(&info, rep.data, sizeof(info));
	assert_int_equal(info.fi_version, 1);
	assert_int_equal(info.fi_pid, getpid());
	assert_int_equal(fdt_request(FDSOCK_OP_HELLO, -1, two, NULL, 0, &rep), EPROTONOSUPPORT);
	assert_int_equal(fdt_request(0, -1, one, NULL, 0, &rep), EOPNOTSUPP);
	assert_int_equal(fdt_request(FDSOCK_OP_COUNT, -1, one, NULL, 0, &rep), EOPNOTSUPP);
	assert_int_equal(fdt_request(UINT32_MAX, -1, one, NULL, 0, &rep), EOPNOTSUPP);
}

/* What the client may see without asking. */
static void
test_tag(void **state)
{
	uint16_t port;
	int listener = fdt_listener(1, &port), dgram = fdt_socket(SOCK_DGRAM);
	uint64_t tag = 0;
	socklen_t len = sizeof(tag);

	(void)state;
	assert_int_equal(getsockopt(listener, SOL_SOCKET, SO_MAX_PACING_RATE, &tag, &len), 0);
	assert_true((tag & FDSOCK_TAG_MASK) == FDSOCK_TAG_MAGIC);
	assert_true((tag & FDSOCK_TAG_LISTENING) != 0);
	assert_int_equal(FDSOCK_TAG_FAMILY(tag), AF_INET);
	assert_int_equal(FDSOCK_TAG_TYPE(tag), SOCK_STREAM);
	assert_int_equal(FDSOCK_TAG_PROTOCOL(tag), IPPROTO_TCP);
	assert_int_equal(getsockopt(dgram, SOL_SOCKET, SO_MAX_PACING_RATE, &tag, &len), 0);
	assert_int_equal(FDSOCK_TAG_TYPE(tag), SOCK_DGRAM);
	assert_int_equal(FDSOCK_TAG_PROTOCOL(tag), IPPROTO_UDP);
	(void)close(listener);
	(void)close(dgram);
}

/* lo0, then its address; from any index on. */
static void
test_ifaddrs(void **state)
{
	const int32_t last[4] = {2}, beyond[4] = {3}, wrong[4] = {-1};
	struct fdsock_ifaddr ia[3];

	(void)state;
	assert_int_equal(fdt_request(FDSOCK_OP_IFADDRS, -1, NULL, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_value[0], 3);
	assert_int_equal(rep.hdr.fp_datalen, sizeof(ia));
	memcpy(ia, rep.data, sizeof(ia));
	assert_string_equal(ia[0].ia_name, "lo0");
	assert_int_equal(ia[0].ia_family, AF_UNSPEC);
	assert_int_equal(ia[0].ia_flags & (IFF_UP | IFF_LOOPBACK | IFF_BROADCAST),
	    IFF_UP | IFF_LOOPBACK);
	assert_int_equal(ia[1].ia_family, AF_INET);
	assert_int_equal(ia[1].ia_prefixlen, 8);
	assert_int_equal(ia[1].ia_ifindex, ia[0].ia_ifindex);
	assert_memory_equal(ia[1].ia_addr, ((uint8_t[4]){127, 0, 0, 1}), 4);
	assert_int_equal(ia[2].ia_family, AF_INET6);
	assert_int_equal(ia[2].ia_prefixlen, 128);
	assert_memory_equal(ia[2].ia_addr, &in6addr_loopback, 16);
	assert_int_equal(fdt_request(FDSOCK_OP_IFADDRS, -1, last, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_datalen, sizeof(ia[2]));
	assert_memory_equal(rep.data, &ia[2], sizeof(ia[2]));
	assert_int_equal(fdt_request(FDSOCK_OP_IFADDRS, -1, beyond, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_datalen, 0);
	assert_int_equal(fdt_request(FDSOCK_OP_IFADDRS, -1, wrong, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_datalen, 0);
}

static void
test_socket_errors(void **state)
{
	static const struct {
		int32_t arg[4];
		int error;
	} bad[] = {
	    {{AF_UNIX, SOCK_STREAM, 0}, EAFNOSUPPORT},
	    {{-1, SOCK_STREAM, 0}, EAFNOSUPPORT},
	    {{AF_INET, SOCK_STREAM, IPPROTO_UDP}, EPROTONOSUPPORT},
	    {{AF_INET, SOCK_STREAM | 0x10000, 0}, EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		assert_int_equal(fdt_request(FDSOCK_OP_SOCKET, -1, bad[i].arg, NULL, 0, &rep),
		    bad[i].error);
		assert_int_equal(rep.fd, -1);
	}
	assert_int_equal(fdt_sysctl("fdsock.sockets"), 0);
}

/* Descriptors that are no sockets of ours: no sockets at all, another process's pair. */
static void
test_not_ours(void **state)
{
	int pipefd[2], sv[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pipefd), 0);
	for (uint32_t op = FDSOCK_OP_BIND; op < FDSOCK_OP_COUNT; op++) {
		if (op == FDSOCK_OP_IFADDRS || op == FDSOCK_OP_CAPTURE || op == FDSOCK_OP_SOCKETS)
			continue;
		assert_int_equal(fdt_request(op, -1, NULL, NULL, 0, &rep), EBADF);
		assert_int_equal(fdt_request(op, pipefd[0], NULL, NULL, 0, &rep), ENOTSOCK);
		assert_int_equal(fdt_request(op, STDIN_FILENO, NULL, NULL, 0, &rep), ENOTSOCK);
	}
	pid = fork();
	if (pid == 0) {
		status = socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
		status |= fdt_request(FDSOCK_OP_QUERY, sv[0], NULL, NULL, 0, &rep) != ENOTSOCK;
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(pipefd[0]);
	(void)close(pipefd[1]);
}

static void
test_addresses(void **state)
{
	struct sockaddr_in sin = fdt_sin(INADDR_LOOPBACK, 0);
	int sock = fdt_socket(SOCK_STREAM);
	uint8_t big[300] = {AF_INET};

	(void)state;
	for (size_t len = 0; len < sizeof(sin); len++)
		assert_int_equal(fdt_request(FDSOCK_OP_BIND, sock, NULL, &sin, len, &rep), EINVAL);
	assert_int_equal(fdt_request(FDSOCK_OP_BIND, sock, NULL, big, sizeof(big), &rep), EINVAL);
	sin.sin_family = AF_UNIX;
	assert_int_equal(fdt_request(FDSOCK_OP_BIND, sock, NULL, &sin, sizeof(sin), &rep),
	    EAFNOSUPPORT);
	sin = fdt_sin(0x0a0b0c0d, 0);
	assert_int_equal(fdt_request(FDSOCK_OP_BIND, sock, NULL, &sin, sizeof(sin), &rep),
	    EADDRNOTAVAIL);
	assert_int_equal(fdt_bind(sock, 0), 0);
	assert_int_equal(fdt_bind(sock, 0), EINVAL);
	(void)close(sock);
}

static void
raw_send(int ctl, const void *bytes, size_t len, const int *fds, unsigned nfds)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;

	if (nfds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	}
	(void)sendmsg(ctl, &msg, MSG_NOSIGNAL);
}

/* 78: a record that nobody can be told about ends its connection, and only that. */
static void
test_garbage_unanswerable(void **state)
{
	static uint8_t noise[4096];
	int pipefd[2];

	(void)state;
	assert_int_equal(pipe(pipefd), 0);
	srand(78);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)rand();
	for (size_t len = 0; len < sizeof(noise); len = len * 3 + 1) {
		int ctl = fdt_control();
		char byte;

		raw_send(ctl, noise, len, pipefd, len % 2); /* a pipe is no place for a reply */
		(void)fdt_poll(ctl, POLLIN);
		assert_true(read(ctl, &byte, 1) <= 0);
		(void)close(ctl);
	}
	assert_int_equal(fdt_request(FDSOCK_OP_HELLO, -1, (int32_t[4]){1}, NULL, 0, &rep), 0);
	fdt_await("fdsock.ctls", 1);
	(void)close(pipefd[0]);
	(void)close(pipefd[1]);
}

/* => the error of the reply */
static int
raw_request(int ctl, const void *bytes, size_t len, unsigned extra)
{
	int sv[2], fds[16], error;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	for (unsigned i = 0; i < 16; i++)
		fds[i] = sv[1];
	raw_send(ctl, bytes, len, fds, 1 + extra);
	(void)close(sv[1]);
	(void)fdt_poll(sv[0], POLLIN);
	error = read(sv[0], &rep.hdr, sizeof(rep.hdr)) == (ssize_t)sizeof(rep.hdr)
	    ? rep.hdr.fp_error
	    : -1;
	(void)close(sv[0]);
	return error;
}

/* 78: wrong magic, lengths that lie, too many descriptors, too long: EINVAL, and it goes on. */
static void
test_garbage_answered(void **state)
{
	static uint8_t big[FDSOCK_REQUEST_MAX + 100];
	struct fdsock_request req = {.fq_magic = FDSOCK_MAGIC,
	    .fq_op = FDSOCK_OP_HELLO,
	    .fq_arg = {1}};
	int ctl = fdt_control();

	(void)state;
	assert_int_equal(raw_request(ctl, &req, sizeof(req), 0), 0);
	for (size_t len = 1; len < sizeof(req); len += 5)
		assert_int_equal(raw_request(ctl, &req, len, 0), EINVAL);
	assert_int_equal(raw_request(ctl, &req, sizeof(req), 2), EINVAL);
	assert_int_equal(raw_request(ctl, &req, sizeof(req), 9), EINVAL);
	req.fq_datalen = 1;
	assert_int_equal(raw_request(ctl, &req, sizeof(req), 0), EINVAL);
	req.fq_datalen = UINT32_MAX;
	assert_int_equal(raw_request(ctl, &req, sizeof(req), 0), EINVAL);
	req.fq_datalen = 0;
	req.fq_magic++;
	assert_int_equal(raw_request(ctl, &req, sizeof(req), 0), EINVAL);
	assert_int_equal(raw_request(ctl, big, sizeof(big), 0), EINVAL);
	req.fq_magic--;
	assert_int_equal(raw_request(ctl, &req, sizeof(req), 0), 0);
	(void)close(ctl);
}

/* In the server's thread, so that the record is there before the connection is accepted. */
static void
connect_and_send(struct fd_server *fd, struct netstack *ns, void *arg)
{
	const struct fdsock_request req = {.fq_magic = FDSOCK_MAGIC,
	    .fq_op = FDSOCK_OP_SOCKET,
	    .fq_arg = {AF_INET, SOCK_RAW, IPPROTO_ICMP}};
	int *fds = arg, sv[2];

	(void)fd;
	(void)ns;
	fds[0] = fdt_control();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	raw_send(fds[0], &req, sizeof(req), &sv[1], 1);
	(void)close(sv[1]);
	fds[1] = sv[0];
}

/* Who asks is known from the first record on, however soon it comes. */
static void
test_credentials(void **state)
{
	int fds[2];

	(void)state;
	fdt_call(connect_and_send, fds);
	(void)fdt_poll(fds[1], POLLIN);
	assert_int_equal(read(fds[1], &rep.hdr, sizeof(rep.hdr)), sizeof(rep.hdr));
	assert_int_equal(rep.hdr.fp_error, 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
	fdt_await("fdsock.sockets", 0);
}

/* 79: who does not take replies, or does not wait for them, harms nobody. */
static void
test_reply_not_taken(void **state)
{
	struct fdsock_request req = {.fq_magic = FDSOCK_MAGIC,
	    .fq_op = FDSOCK_OP_SOCKET,
	    .fq_arg = {AF_INET, SOCK_STREAM, 0}};
	int ctl = fdt_control(), sv[2];

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
		if (i % 2 == 0)
			(void)close(sv[0]);
		raw_send(ctl, &req, sizeof(req), &sv[1], 1);
		(void)close(sv[1]);
		if (i % 2 != 0)
			(void)close(sv[0]);
	}
	(void)close(ctl);
	fdt_await("fdsock.ctls", 1);
	fdt_await("fdsock.sockets", 0);
}

/* 79: limits of a process and of all. */
static void
test_limits(void **state)
{
	const struct fdsock_request hello = {.fq_magic = FDSOCK_MAGIC,
	    .fq_op = FDSOCK_OP_HELLO,
	    .fq_arg = {1}};
	int socks[8], error, n = 0, ctls[4];
	char byte;

	(void)state;
	fdt_sysctl_set("fdsock.maxperclient", 5);
	while (n < 8 && (socks[n] = fdt_socketflags(SOCK_STREAM, &error)) >= 0)
		n++;
	assert_int_equal(n, 5);
	assert_int_equal(error, EMFILE);
	fdt_sysctl_set("fdsock.maxsockets", 5);
	fdt_sysctl_set("fdsock.maxperclient", 100);
	(void)fdt_socketflags(SOCK_STREAM, &error);
	assert_int_equal(error, ENFILE);
	(void)close(socks[--n]);
	fdt_await("fdsock.sockets", 4);
	socks[n++] = fdt_socket(SOCK_DGRAM);
	while (n > 0)
		(void)close(socks[--n]);
	fdt_sysctl_set("fdsock.maxctlsperclient", 3);
	for (int i = 0; i < 4; i++)
		ctls[i] = fdt_control();
	(void)fdt_poll(ctls[2], POLLIN);
	assert_int_equal(read(ctls[2], &byte, 1), 0);
	assert_int_equal(raw_request(ctls[1], &hello, sizeof(hello), 0), 0);
	assert_true(fdt_sysctl("fdsock.stats.refused") >= 4);
	for (int i = 0; i < 4; i++)
		(void)close(ctls[i]);
}

static void
test_options(void **state)
{
	static const struct {
		int level;
		int name;
		int value;
		int got;
	} good[] = {
	    {SOL_SOCKET, SO_REUSEADDR, 5, 1},
	    {SOL_SOCKET, SO_KEEPALIVE, 1, 1},
	    {SOL_SOCKET, SO_KEEPALIVE, 0, 0},
	    {SOL_SOCKET, SO_SNDBUF, 50000, 100000},
	    {SOL_SOCKET, SO_RCVBUF, 30000, 60000},
	    {SOL_SOCKET, SO_SNDBUF, 0, 4608},
	    {SOL_SOCKET, SO_RCVLOWAT, 7, 7},
	    {SOL_SOCKET, SO_OOBINLINE, 1, 1},
	    {IPPROTO_TCP, TCP_NODELAY, 1, 1},
	    {IPPROTO_TCP, TCP_CORK, 1, 1},
	    {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000, 5000},
	    {IPPROTO_TCP, TCP_KEEPIDLE, 100, 100},
	    {IPPROTO_TCP, TCP_KEEPINTVL, 10, 10},
	    {IPPROTO_TCP, TCP_KEEPCNT, 4, 4},
	    {IPPROTO_IP, IP_TTL, 33, 33},
	    {IPPROTO_IP, IP_TOS, 16, 16},
	};
	static const struct {
		int level;
		int name;
	} refused[] = {{SOL_SOCKET, SO_ERROR}, {SOL_SOCKET, SO_TYPE}, {SOL_SOCKET, 9999},
	    {SOL_SOCKET, SO_SNDLOWAT}, {IPPROTO_TCP, 9999}, {9999, 1}};
	int sock = fdt_socket(SOCK_STREAM), value;

	(void)state;
	for (size_t i = 0; i < nitems(good); i++) {
		assert_int_equal(fdt_setopt(sock, good[i].level, good[i].name, &good[i].value,
				     sizeof(int)),
		    0);
		assert_int_equal(fdt_getopt(sock, good[i].level, good[i].name, &value), 0);
		assert_int_equal(value, good[i].got);
		assert_int_equal(fdt_setopt(sock, good[i].level, good[i].name, &value, 0), EINVAL);
	}
	value = 1;
	for (size_t i = 0; i < nitems(refused); i++)
		assert_int_equal(fdt_setopt(sock, refused[i].level, refused[i].name, &value,
				     sizeof(value)),
		    ENOPROTOOPT);
	assert_int_equal(fdt_getopt(sock, SOL_SOCKET, 9999, &value), ENOPROTOOPT);
	assert_int_equal(fdt_getopt(sock, SOL_SOCKET, SO_TYPE, &value), 0);
	assert_int_equal(value, SOCK_STREAM);
	assert_int_equal(fdt_getopt(sock, SOL_SOCKET, SO_ACCEPTCONN, &value), 0);
	assert_int_equal(value, 0);
	(void)close(sock);
}

/* What the host's kernel obeys is set on the descriptor itself. */
static void
test_pair_options(void **state)
{
	const struct timeval tv = {.tv_usec = 20000};
	int sv[2], listener, conn;
	uint16_t port;
	char byte;

	(void)state;
	fdt_pair(sv);
	assert_int_equal(fdt_setopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(read(sv[0], &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(sv[0]);
	(void)close(sv[1]);
	/* A connection has them of its listener, who may have set them without a request. */
	listener = fdt_socket(SOCK_STREAM);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(fdt_listen(listener, 1), 0);
	port = fdt_port(listener);
	sv[0] = fdt_socket(SOCK_STREAM);
	assert_int_equal(fdt_connect(sv[0], INADDR_LOOPBACK, port), 0);
	conn = fdt_accept(listener);
	assert_int_equal(read(conn, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(sv[0]);
	(void)close(conn);
	(void)close(listener);
}

/* The numbers are the host's; a short room cuts. */
static void
test_tcpinfo(void **state)
{
	const int32_t whole[4] = {IPPROTO_TCP, TCP_INFO, FDSOCK_OPTION_MAX},
		      cut[4] = {IPPROTO_TCP, TCP_INFO, 8};
	struct tcp_info ti = {0};
	int sv[2], listener, value = 0;
	uint16_t port;

	(void)state;
	fdt_pair(sv);
	assert_int_equal(write(sv[0], "abc", 3), 3);
	assert_true((fdt_poll(sv[1], POLLIN) & POLLIN) != 0);
	assert_int_equal(fdt_request(FDSOCK_OP_GETSOCKOPT, sv[1], whole, NULL, 0, &rep), 0);
	assert_true(rep.hdr.fp_datalen >= sizeof(ti));
	memcpy(&ti, rep.data, sizeof(ti));
	assert_int_equal(ti.tcpi_state, TCP_ESTABLISHED);
	assert_int_equal(ti.tcpi_options & TCPI_OPT_WSCALE, TCPI_OPT_WSCALE);
	assert_in_range(ti.tcpi_snd_cwnd, 1, 1000);
	assert_int_equal(ti.tcpi_total_retrans, 0);
	assert_int_equal(fdt_request(FDSOCK_OP_GETSOCKOPT, sv[0], cut, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_datalen, 8);
	assert_int_equal(fdt_setopt(sv[0], IPPROTO_TCP, TCP_INFO, &value, sizeof(value)),
	    ENOPROTOOPT);
	listener = fdt_listener(1, &port);
	assert_int_equal(fdt_request(FDSOCK_OP_GETSOCKOPT, listener, whole, NULL, 0, &rep), 0);
	assert_int_equal(rep.data[0], TCP_LISTEN);
	(void)close(listener);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

static void
test_query(void **state)
{
	const int32_t take[4] = {1};
	struct fdsock_state st;
	uint16_t port;
	int listener = fdt_listener(1, &port), sock = fdt_socket(SOCK_STREAM);

	(void)state;
	assert_int_equal(fdt_request(FDSOCK_OP_QUERY, listener, NULL, NULL, 0, &rep), 0);
	memcpy(&st, rep.data, sizeof(st));
	assert_int_equal(st.fs_flags, FDSOCK_S_LISTENING);
	assert_int_equal(st.fs_domain, AF_INET);
	assert_int_equal(fdt_connect_start(sock, INADDR_LOOPBACK, 1), EINPROGRESS);
	(void)fdt_poll(sock, POLLOUT);
	assert_int_equal(fdt_request(FDSOCK_OP_QUERY, sock, NULL, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_value[0], ECONNREFUSED);
	assert_int_equal(fdt_request(FDSOCK_OP_QUERY, sock, take, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_value[0], ECONNREFUSED);
	assert_int_equal(fdt_soerror(sock), 0);
	(void)close(sock);
	(void)close(listener);
}

/* How a blocking connect ends: a reset right behind the handshake is for the next call. */
static void
test_query_connected(void **state)
{
	const int32_t connected[4] = {2};
	uint16_t port;
	int listener = fdt_listener(1, &port), sock = fdt_socket(SOCK_STREAM);

	(void)state;
	assert_int_equal(fdt_connect_start(sock, INADDR_LOOPBACK, 1), EINPROGRESS);
	(void)fdt_poll(sock, POLLOUT);
	assert_int_equal(fdt_request(FDSOCK_OP_QUERY, sock, connected, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_value[0], ECONNREFUSED);
	assert_int_equal(fdt_connect_start(sock, INADDR_LOOPBACK, port), EINPROGRESS);
	(void)fdt_poll(sock, POLLOUT);
	assert_int_equal(fdt_request(FDSOCK_OP_QUERY, sock, connected, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_value[0], 0);
	assert_int_equal(fdt_connect_start(sock, INADDR_LOOPBACK, port), EISCONN);
	(void)close(listener);
	(void)fdt_poll(sock, POLLHUP);
	assert_int_equal(fdt_request(FDSOCK_OP_QUERY, sock, connected, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_value[0], 0);
	assert_int_equal(fdt_soerror(sock), ECONNRESET);
	(void)close(sock);
}

/* => errno; entries in all, of this listener, and the next place */
static int
sockets(struct fdsock_sockets *sk, uint16_t port, unsigned *n, unsigned *listeners)
{
	int error = fdt_request(FDSOCK_OP_SOCKETS, -1, NULL, sk, sizeof(*sk), &rep);
	struct fdsock_sockinfo si;
	size_t stride = (size_t)rep.hdr.fp_value[0];

	if (error != 0)
		return error;
	memcpy(sk, rep.data, sizeof(*sk));
	assert_true(stride >= sizeof(si));
	for (size_t at = sizeof(*sk); at + stride <= rep.hdr.fp_datalen; at += stride, (*n)++) {
		memcpy(&si, rep.data + at, sizeof(si));
		if (si.si_state == TCP_LISTEN && si.si_lport == htons(port) &&
		    si.si_owner == (uint32_t)getpid() && si.si_sendq == 3)
			(*listeners)++;
	}
	return 0;
}

/* 78: the list of sockets, and places in it that there are not. */
static void
test_sockets(void **state)
{
	static const struct fdsock_sockets wrong[] = {{.sk_stack = 1}, {.sk_flags = 4},
	    {.sk_flags = FDSOCK_SOCKETS_END}};
	static const struct fdsock_sockets strange[] = {{.sk_pos = {9}},
	    {.sk_pos = {0, UINT32_MAX}}, {.sk_pos = {UINT32_MAX, UINT32_MAX, UINT32_MAX}},
	    {.sk_pos = {4, 0, UINT32_MAX}}, {.sk_pos = {1, 5, 5}}};
	struct fdsock_sockets sk = {.sk_flags = FDSOCK_SOCKETS_TCPINFO};
	unsigned n = 0, listeners = 0;
	uint16_t port;
	int listener = fdt_listener(3, &port), dgram = fdt_socket(SOCK_DGRAM);

	(void)state;
	assert_int_equal(fdt_bind(dgram, 0), 0);
	do
		assert_int_equal(sockets(&sk, port, &n, &listeners), 0);
	while ((sk.sk_flags & FDSOCK_SOCKETS_END) == 0);
	assert_int_equal(n, 2);
	assert_int_equal(listeners, 1);
	for (size_t i = 0; i < nitems(wrong); i++) {
		sk = wrong[i];
		assert_int_equal(sockets(&sk, port, &n, &listeners), EINVAL);
	}
	for (size_t i = 0; i < nitems(strange); i++) {
		sk = strange[i];
		do
			assert_int_equal(sockets(&sk, port, &n, &listeners), 0);
		while ((sk.sk_flags & FDSOCK_SOCKETS_END) == 0);
	}
	assert_int_equal(fdt_request(FDSOCK_OP_SOCKETS, -1, NULL, &sk, 4, &rep), EINVAL);
	(void)close(dgram);
	(void)close(listener);
}

/* 79: a process that is killed with sockets in every state leaves nothing behind. */
static void
test_killed(void **state)
{
	uint16_t port;
	int listener, sync[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(sync), 0);
	listener = fdt_listener(8, &port);
	pid = fork();
	if (pid == 0) {
		int sv[2];

		fdt_pair(sv);
		(void)fdt_socket(SOCK_STREAM);
		(void)fdt_socket(SOCK_DGRAM);
		(void)fdt_listener(4, &port);
		(void)fdt_connect(fdt_socket(SOCK_STREAM), INADDR_LOOPBACK, port);
		(void)!write(sv[0], "unread", 6);
		(void)!write(sync[1], "x", 1);
		(void)pause();
		_exit(1);
	}
	(void)fdt_poll(sync[0], POLLIN);
	assert_int_equal(read(sync[0], &byte, 1), 1);
	assert_true(fdt_sysctl("fdsock.sockets") >= 7);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fdt_await("fdsock.sockets", 1);
	(void)close(listener);
	(void)close(sync[0]);
	(void)close(sync[1]);
}

/* A second server at the same path is refused; what a killed one left is taken over. */
static void
test_path(void **state)
{
	struct rumpus_config rc = {.rc_now_ns = 1};
	struct netstack *ns = rumpus_create(&rc);
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int left = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct fd_server *fd;
	struct loop lp;
	char why[256] = "";

	(void)state;
	assert_non_null(ns);
	assert_int_equal(loop_init(&lp, ns), 0);
	assert_null(fd_server_open(&lp, fdt_path(), why, sizeof(why)));
	assert_non_null(strstr(why, "in use"));
	assert_int_equal(access(fdt_path(), F_OK), 0);
	assert_null(fd_server_open(&lp, "/nonexistent/x", why, sizeof(why)));
	assert_null(fd_server_open(&lp, "", why, sizeof(why)));
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s.left", fdt_path());
	assert_int_equal(bind(left, (struct sockaddr *)&sun, sizeof(sun)), 0);
	(void)close(left);
	fd = fd_server_open(&lp, sun.sun_path, why, sizeof(why));
	assert_non_null(fd);
	fd_server_close(fd);
	assert_int_equal(access(sun.sun_path, F_OK), -1);
	loop_fini(&lp);
	rumpus_destroy(ns);
}

static void
test_errnos(void **state)
{
	(void)state;
	assert_int_equal(fd_errno(0), 0);
	assert_int_equal(fd_errno(BSD_EAGAIN), EAGAIN);
	assert_int_equal(fd_errno(BSD_ECONNRESET), ECONNRESET);
	assert_int_equal(fd_errno(BSD_ENOTCONN), ENOTCONN);
	assert_int_equal(fd_errno(-3), EIO);
	assert_int_equal(fd_errno(10000), EIO);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fdt_setup, fdt_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_hello),
	    T(test_tag),
	    T(test_ifaddrs),
	    T(test_socket_errors),
	    T(test_not_ours),
	    T(test_addresses),
	    T(test_garbage_unanswerable),
	    T(test_garbage_answered),
	    T(test_credentials),
	    T(test_reply_not_taken),
	    T(test_limits),
	    T(test_options),
	    T(test_pair_options),
	    T(test_tcpinfo),
	    T(test_query),
	    T(test_sockets),
	    T(test_query_connected),
	    T(test_killed),
	    T(test_path),
	    cmocka_unit_test(test_errnos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
