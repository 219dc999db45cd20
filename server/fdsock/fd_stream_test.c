/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams through the door: two clients of one stack, talking over its loopback interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rumpus/stack.h>

#include "kern/netstack.h"
#include "server/fdsock/fd_testutil.h"

#define EXACT_BYTES (6u * 1024 * 1024)
#define DARK 0x0a090001u /* 10.9.0.1: behind an interface that swallows everything */

/* -- bytes ----------------------------------------------------------------------------------- */

struct way {
	int from;
	int to;
	size_t sent;
	size_t got;
	uint32_t seed;
};

static uint8_t
byte_at(size_t pos, uint32_t seed)
{
	uint64_t x = (uint64_t)(pos + 1) * 0x9e3779b97f4a7c15u + seed;

	return (uint8_t)(x >> 37 ^ x >> 13);
}

static size_t
random_len(uint32_t *rng)
{
	static const size_t most[] = {1, 7, 100, 1500, 9000, 65536, 131072};

	*rng = *rng * 1664525u + 1013904223u;
	return 1 + (*rng >> 8) % most[(*rng >> 4) % 7];
}

static void
way_send(struct way *w, uint32_t *rng)
{
	static uint8_t buf[131072];
	size_t len = random_len(rng);
	ssize_t n;

	if (len > EXACT_BYTES - w->sent)
		len = EXACT_BYTES - w->sent;
	for (size_t i = 0; i < len; i++)
		buf[i] = byte_at(w->sent + i, w->seed);
	n = send(w->from, buf, len, MSG_DONTWAIT);
	if (n > 0)
		w->sent += (size_t)n;
	else
		assert_int_equal(errno, EAGAIN);
	if (w->sent == EXACT_BYTES)
		assert_int_equal(shutdown(w->from, SHUT_WR), 0);
}

/* => true: the end */
static bool
way_receive(struct way *w, uint32_t *rng)
{
	static uint8_t buf[131072];
	ssize_t n = recv(w->to, buf, random_len(rng), MSG_DONTWAIT);

	if (n < 0)
		assert_int_equal(errno, EAGAIN);
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] != byte_at(w->got + (size_t)i, w->seed))
			fail_msg("byte %zu is wrong", w->got + (size_t)i);
	}
	w->got += n > 0 ? (size_t)n : 0;
	return n == 0;
}

/* Both ways at once, by random pieces; each end shuts its half down at its own time. */
static void
test_exact(void **state)
{
	struct way ways[2];
	bool ended[2] = {false, false};
	uint32_t rng = 42;
	int sv[2];

	(void)state;
	fdt_pair(sv);
	ways[0] = (struct way){.from = sv[0], .to = sv[1], .seed = 1};
	ways[1] = (struct way){.from = sv[1], .to = sv[0], .seed = 2};
	while (!ended[0] || !ended[1]) {
		struct pollfd pfd[2] = {{.fd = sv[0]}, {.fd = sv[1]}};

		for (int i = 0; i < 2; i++) {
			pfd[i].events |= ways[i].sent < EXACT_BYTES ? POLLOUT : 0;
			pfd[1 - i].events |= ended[i] ? 0 : POLLIN;
		}
		assert_true(poll(pfd, 2, FDT_PATIENCE_MS) > 0);
		for (int i = 0; i < 2; i++) {
			if ((pfd[i].revents & POLLOUT) != 0 && ways[i].sent < EXACT_BYTES)
				way_send(&ways[i], &rng);
			if ((pfd[1 - i].revents & POLLIN) != 0 && !ended[i])
				ended[i] = way_receive(&ways[i], &rng);
		}
	}
	assert_int_equal(ways[0].got, EXACT_BYTES);
	assert_int_equal(ways[1].got, EXACT_BYTES);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

/* The same with hardly any memory: slower, but whole. */
static int
setup_scarce(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	fdt_start_scarce(24, 1);
	return 0;
}

static void
test_exact_scarce(void **state)
{
	test_exact(state);
	assert_true(fdt_sysctl("fdsock.stats.nomem") > 0);
}

/* A writer is stopped when nobody reads, and goes on when somebody does. */
static void
test_backpressure(void **state)
{
	static uint8_t buf[65536];
	size_t sent = 0;
	int sv[2], error, still = 0;
	ssize_t n;

	(void)state;
	fdt_pair(sv);
	while (still < 50) {
		n = send(sv[0], buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			sent += (size_t)n;
		still = n > 0 ? 0 : still + 1;
		(void)poll(NULL, 0, n > 0 ? 0 : 2);
		assert_true(sent < 64u * 1024 * 1024);
	}
	assert_int_equal(shutdown(sv[0], SHUT_WR), 0);
	assert_int_equal(fdt_drain(sv[1], &error), sent);
	assert_int_equal(error, 0);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

/* Urgent data: at its place, told by the mark, both by the host's own means. */
static void
test_urgent(void **state)
{
	int sv[2], mark = 0;
	char buf[16];

	(void)state;
	fdt_pair(sv);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send(sv[i], "abc", 3, 0), 3);
		assert_int_equal(send(sv[i], "!", 1, MSG_OOB), 1);
		(void)fdt_poll(sv[1 - i], POLLPRI);
		assert_int_equal(send(sv[i], "def", 3, 0), 3);
		assert_int_equal(recv(sv[1 - i], buf, sizeof(buf), MSG_WAITALL), 3);
		assert_memory_equal(buf, "abc", 3);
		assert_int_equal(ioctl(sv[1 - i], SIOCATMARK, &mark), 0);
		assert_int_equal(mark, 1);
		assert_int_equal(recv(sv[1 - i], buf, 1, MSG_OOB), 1);
		assert_int_equal(buf[0], '!');
		assert_int_equal(recv(sv[1 - i], buf, 3, MSG_WAITALL), 3);
		assert_memory_equal(buf, "def", 3);
	}
	(void)close(sv[0]);
	(void)close(sv[1]);
}

/* -- ends ------------------------------------------------------------------------------------ */

/* The urgent byte comes while what is before it is being read: it is still urgent. */
static void
test_urgent_race(void **state)
{
	int sv[2];
	char buf[8];

	(void)state;
	fdt_pair(sv);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(send(sv[0], "abc!", 4, MSG_OOB), 4);
		assert_true((fdt_poll(sv[1], POLLPRI) & POLLPRI) != 0);
		assert_int_equal(recv(sv[1], buf, 1, MSG_OOB), 1);
		assert_int_equal(buf[0], '!');
		assert_int_equal(recv(sv[1], buf, 3, MSG_WAITALL), 3);
		assert_memory_equal(buf, "abc", 3);
	}
	(void)close(sv[0]);
	(void)close(sv[1]);
}

static void
test_half_close(void **state)
{
	int sv[2], error;
	char buf[8];

	(void)state;
	for (int byop = 0; byop < 2; byop++) {
		fdt_pair(sv);
		assert_int_equal(write(sv[0], "hello", 5), 5);
		if (byop)
			assert_int_equal(fdt_shutdown(sv[0], SHUT_WR), 0);
		else
			assert_int_equal(shutdown(sv[0], SHUT_WR), 0);
		assert_int_equal(write(sv[0], "x", 1), -1);
		assert_int_equal(errno, EPIPE);
		assert_int_equal(fdt_drain(sv[1], &error), 5);
		assert_int_equal(error, 0);
		assert_int_equal(read(sv[1], buf, 1), 0);
		/* The other half goes on. */
		assert_int_equal(write(sv[1], "again", 5), 5);
		(void)fdt_poll(sv[0], POLLIN);
		assert_int_equal(read(sv[0], buf, 8), 5);
		(void)close(sv[1]);
		assert_int_equal(fdt_drain(sv[0], &error), 0);
		assert_int_equal(error, 0);
		assert_int_equal(fdt_soerror(sv[0]), 0);
		assert_true(!byop || fdt_port(sv[0]) != 0);
		(void)close(sv[0]);
	}
}

/* The peer closes with data unread: a reset. What had come before it can still be read. */
static void
test_reset(void **state)
{
	int sv[2], error;

	(void)state;
	fdt_pair(sv);
	assert_int_equal(write(sv[0], "unread", 6), 6);
	(void)fdt_poll(sv[1], POLLIN);
	assert_int_equal(write(sv[1], "before", 6), 6);
	(void)fdt_poll(sv[0], POLLIN);
	(void)close(sv[1]);
	(void)fdt_poll(sv[0], POLLHUP);
	assert_int_equal(fdt_drain(sv[0], &error), 6);
	assert_int_equal(error, 0);
	assert_int_equal(fdt_soerror(sv[0]), ECONNRESET);
	assert_int_equal(fdt_soerror(sv[0]), 0);
	assert_int_equal(write(sv[0], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(fdt_shutdown(sv[0], SHUT_WR), ENOTCONN);
	assert_true(fdt_port(sv[0]) != 0);
	(void)close(sv[0]);
}

static void
test_linger_reset(void **state)
{
	const struct linger linger = {.l_onoff = 1};
	int sv[2], error;

	(void)state;
	fdt_pair(sv);
	assert_int_equal(fdt_setopt(sv[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	(void)close(sv[1]);
	(void)fdt_poll(sv[0], POLLHUP);
	assert_int_equal(fdt_drain(sv[0], &error), 0);
	assert_int_equal(fdt_soerror(sv[0]), ECONNRESET);
	(void)close(sv[0]);
}

/* A client goes with much still to be sent: it all arrives. */
static void
test_close_flushes(void **state)
{
	static uint8_t buf[150000];
	int sv[2], error;

	(void)state;
	fdt_pair(sv);
	assert_int_equal(send(sv[0], buf, sizeof(buf), 0), sizeof(buf));
	(void)close(sv[0]);
	assert_int_equal(fdt_drain(sv[1], &error), sizeof(buf));
	assert_int_equal(error, 0);
	(void)close(sv[1]);
}

/* What waits in the server for one process is bounded; nothing of it is lost, nothing hangs. */
static void
test_memory_limit(void **state)
{
	static uint8_t buf[65536];
	size_t sent[4] = {0};
	int sv[4][2], error;

	(void)state;
	/* Buffers that are large from the start, not as time has it. */
	fdt_sysctl_set("net.inet.tcp.recvbuf_auto", 0);
	fdt_sysctl_set("net.inet.tcp.sendbuf_auto", 0);
	fdt_sysctl_set("net.inet.tcp.sendspace", 512 * 1024);
	fdt_sysctl_set("fdsock.maxkbytesperclient", 200);
	for (int i = 0; i < 4; i++)
		fdt_pair(sv[i]);
	for (int i = 0; i < 4; i++) {
		ssize_t n;

		while ((n = send(sv[i][0], buf, sizeof(buf), MSG_DONTWAIT)) > 0 ||
		    poll(&(struct pollfd){.fd = sv[i][0], .events = POLLOUT}, 1, 50) > 0)
			sent[i] += n > 0 ? (size_t)n : 0;
	}
	/* Without the limit, more than 2 MiB. */
	assert_true(fdt_sysctl("fdsock.stats.bytes_in") - fdt_sysctl("fdsock.stats.bytes_out") <
	    400 * 1024);
	assert_int_equal(fdt_socketflags(SOCK_STREAM, &error), -1);
	assert_int_equal(error, ENOBUFS);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(shutdown(sv[i][0], SHUT_WR), 0);
		assert_int_equal(fdt_drain(sv[i][1], &error), sent[i]);
		(void)close(sv[i][0]);
		(void)close(sv[i][1]);
	}
	fdt_await("fdsock.sockets", 0);
	(void)close(fdt_socket(SOCK_STREAM));
}

/* -- connecting ------------------------------------------------------------------------------ */

static void
test_refused(void **state)
{
	uint16_t port;
	int listener = fdt_listener(4, &port);
	int sock = fdt_socket(SOCK_STREAM);
	int conn;

	(void)state;
	assert_int_equal(fdt_connect(sock, INADDR_LOOPBACK, 1), ECONNREFUSED);
	assert_int_equal(fdt_soerror(sock), 0);
	/* As on Linux, the socket can be used again. */
	assert_int_equal(fdt_connect(sock, INADDR_LOOPBACK, port), 0);
	conn = fdt_accept(listener);
	assert_int_equal(fdt_connect_start(sock, INADDR_LOOPBACK, port), 0); /* tells it once */
	assert_int_equal(fdt_connect_start(sock, INADDR_LOOPBACK, port), EISCONN);
	assert_int_equal(fdt_connect_start(listener, INADDR_LOOPBACK, port), EISCONN);
	(void)close(conn);
	(void)close(sock);
	(void)close(listener);
}

static void
swallow(void *arg, const uint8_t *packet, size_t len)
{
	(void)arg;
	(void)packet;
	(void)len;
}

static void
make_dark(struct fd_server *fd, struct netstack *ns, void *arg)
{
	(void)fd;
	(void)arg;
	assert_int_equal(rumpus_ptp_attach(ns, "dark0", 1500, swallow, NULL), 0);
	assert_int_equal(rumpus_addr_add(ns, "dark0", "10.9.0.2/24"), 0);
	assert_int_equal(rumpus_if_up(ns, "dark0", true), 0);
}

/* While the handshake is under way nothing can be written; closing gives it up at once. */
static void
test_gate(void **state)
{
	struct pollfd pfd = {.events = POLLOUT};
	int sock, sndbuf = 0;
	socklen_t len = sizeof(sndbuf);

	(void)state;
	fdt_call(make_dark, NULL);
	sock = fdt_socket(SOCK_STREAM | SOCK_NONBLOCK);
	(void)getsockopt(sock, SOL_SOCKET, SO_SNDBUF, &sndbuf, &len);
	assert_int_equal(fdt_connect_start(sock, DARK, 80), EINPROGRESS);
	pfd.fd = sock;
	assert_int_equal(poll(&pfd, 1, 30), 0);
	assert_int_equal(write(sock, "x", 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fdt_connect_start(sock, DARK, 80), EALREADY);
	assert_int_equal(fdt_soerror(sock), 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(fdt_sysctl("fdsock.sockets"), 1);
	(void)close(sock);
	fdt_await("fdsock.sockets", 0);
}

static void
test_gate_opens(void **state)
{
	uint16_t port;
	int listener = fdt_listener(4, &port);
	int sock = fdt_socket(SOCK_STREAM | SOCK_NONBLOCK);
	int before = 0, after = 0, conn;
	socklen_t len = sizeof(before);
	uint64_t tag = 0;
	char buf[4];

	(void)state;
	(void)getsockopt(sock, SOL_SOCKET, SO_SNDBUF, &before, &len);
	assert_int_equal(fdt_connect_start(sock, INADDR_LOOPBACK, port), EINPROGRESS);
	assert_int_equal(fdt_poll(sock, POLLOUT), POLLOUT);
	/* Nothing of the filler gets to the peer. */
	assert_int_equal(write(sock, "ab", 2), 2);
	conn = fdt_accept(listener);
	(void)fdt_poll(conn, POLLIN);
	assert_int_equal(read(conn, buf, sizeof(buf)), 2);
	assert_memory_equal(buf, "ab", 2);
	assert_int_equal(fdt_connect_start(sock, INADDR_LOOPBACK, port), 0);
	assert_int_equal(fdt_connect_start(sock, INADDR_LOOPBACK, port), EISCONN);
	(void)getsockopt(sock, SOL_SOCKET, SO_SNDBUF, &after, &len);
	assert_int_equal(before, after);
	len = sizeof(tag);
	(void)getsockopt(sock, SOL_SOCKET, SO_MAX_PACING_RATE, &tag, &len);
	assert_true((tag & FDSOCK_TAG_CONNECTED) != 0 && (tag & FDSOCK_TAG_CONNECTING) == 0);
	(void)close(sock);
	(void)close(conn);
	(void)close(listener);
}

/* A connect whose answer is to come when it has ended. => where it comes */
static int
connect_waiting(int sock, uint32_t addr, uint16_t port)
{
	const int32_t wait[4] = {FDSOCK_CONNECT_WAIT};
	struct sockaddr_in sin = fdt_sin(addr, port);

	return fdt_ask(FDSOCK_OP_CONNECT, sock, wait, &sin, sizeof(sin));
}

/* => FDSOCK_OP_QUERY's answer to one who gives up waiting */
static int
give_up(int sock)
{
	static struct fdt_reply rep;
	const int32_t unwait[4] = {3};

	assert_int_equal(fdt_request(FDSOCK_OP_QUERY, sock, unwait, NULL, 0, &rep), 0);
	return rep.hdr.fp_value[0];
}

static void
test_connect_waits(void **state)
{
	static struct fdt_reply rep;
	uint16_t port;
	int listener = fdt_listener(1, &port), sock = fdt_socket(SOCK_STREAM), conn;
	char buf[4];

	(void)state;
	assert_int_equal(fdt_answer(connect_waiting(sock, INADDR_LOOPBACK, 1), &rep), ECONNREFUSED);
	assert_int_equal(fdt_soerror(sock), 0);
	assert_int_equal(fdt_answer(connect_waiting(sock, INADDR_LOOPBACK, port), &rep), 0);
	assert_int_equal(fdt_answer(connect_waiting(sock, INADDR_LOOPBACK, port), &rep), EISCONN);
	assert_int_equal(give_up(sock), 0);
	assert_int_equal(write(sock, "ab", 2), 2);
	conn = fdt_accept(listener);
	(void)fdt_poll(conn, POLLIN);
	assert_int_equal(read(conn, buf, sizeof(buf)), 2);
	(void)close(sock);
	(void)close(conn);
	(void)close(listener);
}

/* One who gives up has the gate; what was written before is not taken for filler. */
static void
test_connect_given_up(void **state)
{
	static struct fdt_reply rep;
	struct pollfd pfd = {.events = POLLOUT};
	int end, sock;

	(void)state;
	fdt_call(make_dark, NULL);
	sock = fdt_socket(SOCK_STREAM);
	pfd.fd = sock;
	end = connect_waiting(sock, DARK, 80);
	assert_int_equal(fdt_poll(sock, POLLOUT), POLLOUT);
	assert_int_equal(give_up(sock), EINPROGRESS);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(fdt_answer(end, &rep), -1);
	assert_int_equal(give_up(sock), 0);
	(void)close(sock);

	sock = fdt_socket(SOCK_STREAM);
	end = connect_waiting(sock, DARK, 80);
	assert_int_equal(fdt_connect_start(sock, DARK, 80), EALREADY); /* another thread */
	pfd.fd = sock;
	assert_int_equal(poll(&pfd, 1, 0), 0);
	(void)close(sock); /* both are gone: nothing is left */
	(void)close(end);

	sock = fdt_socket(SOCK_STREAM);
	end = connect_waiting(sock, DARK, 80);
	assert_int_equal(write(sock, "ab", 2), 2);
	assert_int_equal(give_up(sock), EINPROGRESS);
	assert_int_equal(fdt_poll(sock, POLLOUT), POLLOUT);
	(void)close(sock);
	(void)close(end);
	fdt_await("fdsock.sockets", 0);
}

static void
test_unreachable(void **state)
{
	int sock = fdt_socket(SOCK_STREAM);
	struct pollfd pfd = {.fd = sock, .events = POLLOUT};

	(void)state;
	assert_int_equal(fdt_connect(sock, 0x0a630101, 80), ENETUNREACH);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	(void)close(sock);
}

/* Bytes written without a connection go nowhere; the next write says EPIPE, as the first on Linux. */
static void
test_stray_write(void **state)
{
	static struct fdt_reply rep;
	uint16_t port;
	int listener = fdt_listener(4, &port);
	int sock = fdt_socket(SOCK_STREAM);
	struct sockaddr_in sin = fdt_sin(INADDR_LOOPBACK, port);

	(void)state;
	assert_int_equal(write(sock, "hello", 5), 5);
	(void)fdt_poll(sock, POLLHUP);
	assert_int_equal(write(sock, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(fdt_sysctl("fdsock.stats.stray"), 5);
	/* It can connect still, with another descriptor in its place. */
	assert_int_equal(fdt_request(FDSOCK_OP_CONNECT, sock, NULL, &sin, sizeof(sin), &rep),
	    EINPROGRESS);
	assert_int_equal(rep.hdr.fp_flags, FDSOCK_R_FD | FDSOCK_R_REPLACE);
	assert_int_equal(dup2(rep.fd, sock), sock);
	(void)close(rep.fd);
	(void)fdt_poll(sock, POLLOUT);
	assert_int_equal(fdt_soerror(sock), 0);
	(void)close(fdt_accept(listener));
	(void)close(sock);
	(void)close(listener);
}

/* -- accepting ------------------------------------------------------------------------------- */

#define NTHREADS 4
#define NCONNS 120

struct taker {
	pthread_t thread;
	int listener;
	unsigned n;
};

static void *
taker_main(void *arg)
{
	struct taker *t = arg;

	for (;;) {
		struct fdsock_accepted acc;
		union {
			struct cmsghdr align;
			uint8_t bytes[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = {&acc, sizeof(acc)};
		struct msghdr msg = {.msg_iov = &iov,
		    .msg_iovlen = 1,
		    .msg_control = control.bytes,
		    .msg_controllen = sizeof(control.bytes)};
		int fd;

		if (recvmsg(t->listener, &msg, 0) != (ssize_t)sizeof(acc))
			return NULL;
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
		if (write(fd, "k", 1) != 1)
			return NULL;
		(void)close(fd);
		t->n++;
	}
}

/* Four take from one listener; every connection is taken once. */
static void
test_accept_many(void **state)
{
	struct taker takers[NTHREADS];
	uint16_t port;
	int listener = fdt_listener(128, &port);
	unsigned total = 0;
	int socks[NCONNS];
	char byte;

	(void)state;
	for (int i = 0; i < NTHREADS; i++) {
		takers[i] = (struct taker){.listener = listener};
		assert_int_equal(pthread_create(&takers[i].thread, NULL, taker_main, &takers[i]),
		    0);
	}
	for (int i = 0; i < NCONNS; i++) {
		socks[i] = fdt_socket(SOCK_STREAM);
		assert_int_equal(fdt_connect(socks[i], INADDR_LOOPBACK, port), 0);
	}
	for (int i = 0; i < NCONNS; i++) {
		(void)fdt_poll(socks[i], POLLIN);
		assert_int_equal(read(socks[i], &byte, 1), 1);
		assert_int_equal(read(socks[i], &byte, 1), 0);
		(void)close(socks[i]);
	}
	assert_int_equal(fdt_shutdown(listener, SHUT_RD), 0);
	for (int i = 0; i < NTHREADS; i++) {
		assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
		total += takers[i].n;
	}
	assert_int_equal(total, NCONNS);
	(void)close(listener);
}

/* More than the pair is to hold; then the listener goes with connections that nobody took. */
static void
test_close_listener(void **state)
{
	uint16_t port;
	int listener = fdt_listener(2, &port);
	int socks[4], conn, error;

	(void)state;
	for (int i = 0; i < 4; i++) {
		socks[i] = fdt_socket(SOCK_STREAM);
		assert_int_equal(fdt_connect(socks[i], INADDR_LOOPBACK, port), 0);
	}
	assert_true(fdt_sysctl("fdsock.stats.accepted") <= 2);
	conn = fdt_accept(listener);
	(void)close(listener);
	for (int i = 1; i < 4; i++) {
		(void)fdt_poll(socks[i], POLLHUP);
		assert_int_equal(fdt_drain(socks[i], &error), 0);
		assert_int_equal(fdt_soerror(socks[i]), ECONNRESET);
		(void)close(socks[i]);
	}
	/* The one that was taken lives on. */
	assert_int_equal(write(socks[0], "still", 5), 5);
	(void)close(socks[0]);
	assert_int_equal(fdt_drain(conn, &error), 5);
	assert_int_equal(error, 0);
	(void)close(conn);
}

static void
test_names(void **state)
{
	static struct fdt_reply rep;
	struct sockaddr_in sin;
	int sv[2], fresh = fdt_socket(SOCK_STREAM);

	(void)state;
	fdt_pair(sv);
	assert_int_equal(fdt_request(FDSOCK_OP_GETPEERNAME, sv[0], NULL, NULL, 0, &rep), 0);
	memcpy(&sin, rep.data, sizeof(sin));
	assert_int_equal(sin.sin_family, AF_INET);
	assert_int_equal(ntohl(sin.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(ntohs(sin.sin_port), fdt_port(sv[1]));
	assert_int_equal(fdt_request(FDSOCK_OP_GETPEERNAME, fresh, NULL, NULL, 0, &rep), ENOTCONN);
	assert_int_equal(fdt_port(fresh), 0);
	assert_int_equal(fdt_shutdown(fresh, SHUT_WR), ENOTCONN);
	assert_int_equal(fdt_shutdown(sv[0], 7), EINVAL);
	(void)close(fresh);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fdt_setup, fdt_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_exact),
	    cmocka_unit_test_setup_teardown(test_exact_scarce, setup_scarce, fdt_teardown),
	    T(test_backpressure),
	    T(test_urgent),
	    T(test_urgent_race),
	    T(test_half_close),
	    T(test_reset),
	    T(test_linger_reset),
	    T(test_close_flushes),
	    T(test_memory_limit),
	    T(test_refused),
	    T(test_gate),
	    T(test_gate_opens),
	    T(test_connect_waits),
	    T(test_connect_given_up),
	    T(test_unreachable),
	    T(test_stray_write),
	    T(test_accept_many),
	    T(test_close_listener),
	    T(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
