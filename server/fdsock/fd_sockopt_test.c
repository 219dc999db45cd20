/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of the host that are told without the stack's, or refused as a Linux without them does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/fdsock/fd_impl.h"
#include "server/fdsock/fd_testutil.h"

#define TCPI_PACING_AT 104  /* tcpi_pacing_rate and tcpi_max_pacing_rate, likewise */
#define TCPI_NOTSENT_AT 144 /* tcpi_notsent_bytes, which netinet/tcp.h does not know */

static struct fdt_reply rep;

/* => errno; the value and its length are in rep */
static int
get(int sock, int level, int name, int room)
{
	const int32_t arg[4] = {level, name, room};

	return fdt_request(FDSOCK_OP_GETSOCKOPT, sock, arg, NULL, 0, &rep);
}

static int
setint(int sock, int level, int name, int value)
{
	return fdt_setopt(sock, level, name, &value, sizeof(value));
}

/* Who it is, and who is at the other end. */
static void
test_identity(void **state)
{
	struct sockaddr_in sin, peer;
	struct ucred cred;
	uint64_t cookie, kernels = 0;
	socklen_t len = sizeof(kernels);
	int sv[2], fresh = fdt_socket(SOCK_STREAM);

	(void)state;
	fdt_pair(sv);
	assert_int_equal(get(sv[0], SOL_SOCKET, SO_COOKIE, 8), 0);
	assert_int_equal(rep.hdr.fp_datalen, 8);
	memcpy(&cookie, rep.data, sizeof(cookie));
	assert_int_equal(getsockopt(sv[0], SOL_SOCKET, SO_COOKIE, &kernels, &len), 0);
	assert_true(cookie != 0 && cookie == kernels);
	assert_int_equal(get(sv[0], SOL_SOCKET, SO_COOKIE, 4), EINVAL);
	assert_int_equal(fdt_request(FDSOCK_OP_GETPEERNAME, sv[0], NULL, NULL, 0, &rep), 0);
	memcpy(&peer, rep.data, sizeof(peer));
	assert_int_equal(get(sv[0], SOL_SOCKET, SO_PEERNAME, sizeof(sin)), 0);
	assert_int_equal(rep.hdr.fp_datalen, sizeof(sin));
	memcpy(&sin, rep.data, sizeof(sin));
	assert_int_equal(sin.sin_port, peer.sin_port);
	assert_int_equal(sin.sin_addr.s_addr, peer.sin_addr.s_addr);
	assert_int_equal(get(sv[0], SOL_SOCKET, SO_PEERNAME, sizeof(sin) + 1), EINVAL);
	assert_int_equal(get(fresh, SOL_SOCKET, SO_PEERNAME, sizeof(sin)), ENOTCONN);
	assert_int_equal(get(sv[0], SOL_SOCKET, SO_PEERCRED, sizeof(cred)), 0);
	memcpy(&cred, rep.data, sizeof(cred));
	assert_int_equal(cred.pid, 0);
	assert_int_equal(cred.uid, (uid_t)-1);
	(void)close(fresh);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

/* What was received and does not fit into the pair counts. */
static void
test_meminfo(void **state)
{
	static const uint8_t bytes[65536];
	uint32_t info[SK_MEMINFO_VARS];
	int sv[2];

	(void)state;
	fdt_pair(sv);
	assert_int_equal(get(sv[1], SOL_SOCKET, SO_MEMINFO, 256), 0);
	assert_int_equal(rep.hdr.fp_datalen, sizeof(info));
	memcpy(info, rep.data, sizeof(info));
	assert_int_equal(info[SK_MEMINFO_RMEM_ALLOC], 0);
	assert_true(info[SK_MEMINFO_RCVBUF] > 0 && info[SK_MEMINFO_SNDBUF] > 0);
	for (int i = 0; i < 1000 && info[SK_MEMINFO_RMEM_ALLOC] == 0; i++) {
		(void)fdt_poll(sv[0], POLLOUT);
		assert_true(send(sv[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
		assert_int_equal(get(sv[1], SOL_SOCKET, SO_MEMINFO, sizeof(info)), 0);
		memcpy(info, rep.data, sizeof(info));
	}
	assert_true(info[SK_MEMINFO_RMEM_ALLOC] > 0);
	assert_int_equal(get(sv[1], SOL_SOCKET, SO_MEMINFO, 4), 0);
	assert_int_equal(rep.hdr.fp_datalen, 4);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

/* What a Linux tells that has it switched off, and refuses to whom it does not let. */
static void
test_switched_off(void **state)
{
	static const struct {
		int level, name, get, bytes, set;
	} rows[] = {
	    {SOL_SOCKET, SO_INCOMING_NAPI_ID, 0, 4, ENOPROTOOPT},
	    {SOL_SOCKET, SO_INCOMING_CPU, 0, 4, ENOPROTOOPT},
	    {SOL_SOCKET, SO_PASSCRED, EOPNOTSUPP, 0, EOPNOTSUPP},
	    {SOL_SOCKET, SO_MARK, 0, 4, EPERM},
	    {SOL_SOCKET, SO_DEBUG, 0, 4, EACCES},
	    {SOL_SOCKET, SO_RCVBUFFORCE, ENOPROTOOPT, 0, EPERM},
	    {SOL_SOCKET, SO_BSDCOMPAT, 0, 4, 0},
	    {SOL_SOCKET, SO_ZEROCOPY, 0, 4, EOPNOTSUPP},
	    {SOL_SOCKET, SO_TIMESTAMPING, 0, 8, ENOPROTOOPT},
	    {SOL_SOCKET, SO_TXTIME, 0, 8, EINVAL},
	    {IPPROTO_TCP, TCP_FASTOPEN, 0, 4, ENOPROTOOPT},
	    {IPPROTO_TCP, TCP_SAVE_SYN, 0, 4, ENOPROTOOPT},
	    {IPPROTO_TCP, TCP_SAVED_SYN, 0, 0, ENOPROTOOPT},
	    {IPPROTO_IP, IP_ROUTER_ALERT, 0, 4, EINVAL},
	    {IPPROTO_IP, IP_RECVFRAGSIZE, 0, 4, ENOPROTOOPT},
	    {IPPROTO_IP, IP_UNICAST_IF, 0, 4, EADDRNOTAVAIL},
	    {IPPROTO_IP, IP_OPTIONS, 0, 0, ENOPROTOOPT},
	    {IPPROTO_IP, IP_HDRINCL, 0, 4, ENOPROTOOPT},
	    {IPPROTO_TCP, TCP_REPAIR, 0, 4, EPERM},
	    {IPPROTO_TCP, TCP_ULP, 0, 0, ENOENT},
	    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0, 4, EOPNOTSUPP},
	    {IPPROTO_TCP, TCP_TIMESTAMP, 0, 4, EPERM},
	    {IPPROTO_TCP, TCP_MD5SIG, ENOPROTOOPT, 0, EINVAL},
	    {IPPROTO_TCP, TCP_FASTOPEN_KEY, 0, 0, EINVAL},
	    {IPPROTO_IP, IP_TRANSPARENT, 0, 4, EPERM},
	    {IPPROTO_IP, IP_IPSEC_POLICY, ENOPROTOOPT, 0, EOPNOTSUPP},
	};
	const struct tcp_md5sig sig = {.tcpm_keylen = 1};
	int sock = fdt_socket(SOCK_STREAM), dgram = fdt_socket(SOCK_DGRAM);

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		assert_int_equal(get(sock, rows[i].level, rows[i].name, 256), rows[i].get);
		assert_int_equal(rep.hdr.fp_datalen, rows[i].bytes);
		assert_int_equal(setint(sock, rows[i].level, rows[i].name, 1), rows[i].set);
	}
	/* A key that makes sense has nobody to use it. */
	assert_int_equal(fdt_setopt(sock, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof(sig)), ENOPROTOOPT);
	/* That it is off may be asked for. */
	assert_int_equal(setint(sock, SOL_SOCKET, SO_DEBUG, 0), 0);
	assert_int_equal(setint(sock, SOL_SOCKET, SO_ZEROCOPY, 0), 0);
	assert_int_equal(setint(sock, IPPROTO_TCP, TCP_FASTOPEN, 0), 0);
	assert_int_equal(fdt_setopt(sock, IPPROTO_IP, IP_OPTIONS, NULL, 0), 0);
	assert_int_equal(fdt_setopt(sock, SOL_SOCKET, SO_DEBUG, "x", 1), EINVAL);
	assert_int_equal(get(dgram, IPPROTO_TCP, TCP_ULP, 16), EOPNOTSUPP);
	assert_int_equal(setint(dgram, IPPROTO_TCP, TCP_ULP, 1), ENOPROTOOPT);
	(void)close(sock);
	(void)close(dgram);
}

/* What is about packets, which a stream keeps and a datagram socket carries out. */
static void
test_packets(void **state)
{
	int sock[2] = {fdt_socket(SOCK_STREAM), fdt_socket(SOCK_DGRAM)}, value;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(setint(sock[i], SOL_SOCKET, SO_NO_CHECK, 7), 0);
		assert_int_equal(fdt_getopt(sock[i], SOL_SOCKET, SO_NO_CHECK, &value), 0);
		assert_int_equal(value, 1);
		assert_int_equal(setint(sock[i], SOL_SOCKET, SO_RXQ_OVFL, 1), 0);
		assert_int_equal(fdt_getopt(sock[i], SOL_SOCKET, SO_RXQ_OVFL, &value), 0);
		assert_int_equal(value, 1);
	}
	assert_int_equal(setint(sock[0], IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
	assert_int_equal(fdt_getopt(sock[0], IPPROTO_IP, IP_MTU_DISCOVER, &value), 0);
	assert_int_equal(value, IP_PMTUDISC_DO);
	assert_int_equal(setint(sock[0], IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT), 0);
	assert_int_equal(fdt_getopt(sock[0], IPPROTO_IP, IP_MTU_DISCOVER, &value), 0);
	assert_int_equal(value, IP_PMTUDISC_WANT);
	assert_int_equal(setint(sock[0], IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT),
	    EOPNOTSUPP);
	assert_int_equal(setint(sock[0], IPPROTO_IP, IP_MTU_DISCOVER, 6), EINVAL);
	assert_int_equal(setint(sock[0], IPPROTO_IP, IP_ORIGDSTADDR, 1), ENOPROTOOPT);
	assert_int_equal(setint(sock[1], IPPROTO_IP, IP_ORIGDSTADDR, 1), 0);
	(void)close(sock[0]);
	(void)close(sock[1]);
}

/* Programs of any length that the stack takes; of a stream none. */
static void
test_filter(void **state)
{
	static struct sock_filter code[BPF_MAXINSNS + 1];
	int sock = fdt_socket(SOCK_STREAM), dgram = fdt_socket(SOCK_DGRAM);

	(void)state;
	for (size_t i = 0; i < nitems(code); i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	assert_int_equal(fdt_setopt(dgram, SOL_SOCKET, SO_ATTACH_FILTER, code,
			     sizeof(code[0]) * 512),
	    0);
	assert_int_equal(fdt_setopt(dgram, SOL_SOCKET, SO_ATTACH_FILTER, code, sizeof(code)),
	    ENOMEM);
	assert_int_equal(fdt_setopt(dgram, SOL_SOCKET, SO_ATTACH_FILTER, code, 7), EINVAL);
	assert_int_equal(get(dgram, SOL_SOCKET, SO_GET_FILTER, 256), EACCES);
	assert_int_equal(setint(dgram, SOL_SOCKET, SO_DETACH_FILTER, 0), 0);
	assert_int_equal(get(dgram, SOL_SOCKET, SO_GET_FILTER, 256), 0);
	assert_int_equal(rep.hdr.fp_datalen, 0);
	assert_int_equal(setint(dgram, SOL_SOCKET, SO_DETACH_FILTER, 0), ENOENT);
	assert_int_equal(setint(dgram, SOL_SOCKET, SO_LOCK_FILTER, 1), 0);
	assert_int_equal(fdt_setopt(dgram, SOL_SOCKET, SO_ATTACH_FILTER, code, 8), EPERM);
	assert_int_equal(fdt_setopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, code, 8), ENOPROTOOPT);
	assert_int_equal(setint(sock, SOL_SOCKET, SO_DETACH_FILTER, 0), ENOENT);
	assert_int_equal(get(sock, SOL_SOCKET, SO_BPF_EXTENSIONS, 4), 0);
	/* Any other option's value is short. */
	assert_int_equal(fdt_setopt(dgram, IPPROTO_IP, IP_TOS, code, FDSOCK_OPTION_MAX + 1),
	    EINVAL);
	(void)close(sock);
	(void)close(dgram);
}

/* Writes as long as poll says so, for a while. => bytes */
static size_t
write_by_poll(int sock)
{
	static const uint8_t bytes[1000];
	struct pollfd pfd = {.fd = sock, .events = POLLOUT};
	size_t done = 0;
	ssize_t n;

	while (poll(&pfd, 1, 100) == 1 && (n = send(sock, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		done += (size_t)n;
	return done;
}

static int
outq(int sock, int32_t request)
{
	const int32_t arg[4] = {request};
	int value;

	assert_int_equal(fdt_request(FDSOCK_OP_IOCTL, sock, arg, NULL, 0, &rep), 0);
	memcpy(&value, rep.data, sizeof(value));
	return value;
}

/* Takes so much. */
static void
read_all(int sock, size_t len)
{
	static uint8_t buf[65536];
	ssize_t n;

	for (; len > 0; len -= (size_t)n) {
		n = recv(sock, buf, KERN_MIN(sizeof(buf), len), 0);
		assert_true(n > 0);
	}
}

/* TCP_NOTSENT_LOWAT: pair and stack together hold no more; an accepted socket has its listener's. */
static void
test_notsent_lowat(void **state)
{
	const int limit = 16384;
	uint16_t port;
	int listener = fdt_listener(1, &port), sock = fdt_socket(SOCK_STREAM), conn, value;
	uint32_t notsent;
	size_t done;

	(void)state;
	assert_int_equal(fdt_getopt(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(setint(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, limit), 0);
	assert_int_equal(fdt_setopt(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &limit, 3), EINVAL);
	assert_int_equal(setint(sock, SOL_SOCKET, SO_RCVBUF, 32768), 0);
	assert_int_equal(fdt_connect(sock, INADDR_LOOPBACK, port), 0);
	conn = fdt_accept(listener);
	assert_int_equal(fdt_getopt(conn, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value), 0);
	assert_int_equal(value, limit);
	done = write_by_poll(conn);
	assert_true(outq(conn, SIOCOUTQNSD) >= limit / 4 && outq(conn, SIOCOUTQNSD) <= limit);
	assert_int_equal(outq(conn, SIOCOUTQ), outq(conn, SIOCOUTQNSD)); /* nothing is on its way */
	assert_int_equal(get(conn, IPPROTO_TCP, TCP_INFO, 256), 0);
	memcpy(&notsent, rep.data + TCPI_NOTSENT_AT, sizeof(notsent));
	assert_int_equal(notsent, outq(conn, SIOCOUTQNSD));
	read_all(sock, done); /* and it goes on */
	(void)fdt_poll(conn, POLLOUT);
	done = write_by_poll(conn);
	assert_true(done > (size_t)limit);
	/* Without, there is room for more. */
	assert_int_equal(setint(conn, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0), 0);
	done += write_by_poll(conn);
	assert_true(outq(conn, SIOCOUTQ) > 4 * limit);
	read_all(sock, done);
	(void)close(conn);
	(void)close(sock);
	(void)close(listener);
}

/* TCP_INQ is the client's to carry out: it is kept, and shown to it. */
static void
test_inq(void **state)
{
	uint16_t port;
	int listener = fdt_listener(1, &port), sock = fdt_socket(SOCK_STREAM), conn, value;
	int dgram = fdt_socket(SOCK_DGRAM);
	socklen_t len = sizeof(uint64_t);
	uint64_t tag = 0;

	(void)state;
	assert_int_equal(setint(listener, IPPROTO_TCP, TCP_INQ, 1), 0);
	assert_int_equal(setint(listener, IPPROTO_TCP, TCP_INQ, 2), EINVAL);
	assert_int_equal(setint(listener, IPPROTO_TCP, TCP_INQ, -1), EINVAL);
	assert_int_equal(setint(dgram, IPPROTO_TCP, TCP_INQ, 1), ENOPROTOOPT);
	assert_int_equal(fdt_connect(sock, INADDR_LOOPBACK, port), 0);
	conn = fdt_accept(listener);
	assert_int_equal(fdt_getopt(conn, IPPROTO_TCP, TCP_INQ, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(getsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &tag, &len), 0);
	assert_true((tag & FDSOCK_TAG_INQ) != 0 && (tag & FDSOCK_TAG_CONNECTED) != 0);
	assert_int_equal(setint(conn, IPPROTO_TCP, TCP_INQ, 0), 0);
	assert_int_equal(getsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &tag, &len), 0);
	assert_true((tag & FDSOCK_TAG_INQ) == 0);
	(void)close(dgram);
	(void)close(conn);
	(void)close(sock);
	(void)close(listener);
}

/* Where MSG_PEEK looks from: the pair's own. */
static void
test_peek_offset(void **state)
{
	int sv[2], dgram = fdt_socket(SOCK_DGRAM), value = 0;
	char buf[4];

	(void)state;
	fdt_pair(sv);
	assert_int_equal(fdt_getopt(sv[1], SOL_SOCKET, SO_PEEK_OFF, &value), 0);
	assert_int_equal(value, -1);
	assert_int_equal(setint(sv[1], SOL_SOCKET, SO_PEEK_OFF, 2), 0);
	assert_int_equal(send(sv[0], "abcdef", 6, 0), 6);
	(void)fdt_poll(sv[1], POLLIN);
	assert_int_equal(recv(sv[1], buf, 2, MSG_PEEK), 2);
	assert_memory_equal(buf, "cd", 2);
	assert_int_equal(recv(sv[1], buf, 3, 0), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(recv(sv[1], buf, 2, MSG_PEEK), 2);
	assert_memory_equal(buf, "ef", 2);
	assert_int_equal(setint(dgram, SOL_SOCKET, SO_PEEK_OFF, 0), EOPNOTSUPP);
	assert_int_equal(fdt_getopt(dgram, SOL_SOCKET, SO_PEEK_OFF, &value), EOPNOTSUPP);
	(void)close(dgram);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

static void
test_priority(void **state)
{
	uint16_t port;
	int listener = fdt_listener(1, &port), sock = fdt_socket(SOCK_STREAM), conn, value;

	(void)state;
	assert_int_equal(setint(listener, SOL_SOCKET, SO_PRIORITY, 5), 0);
	assert_int_equal(setint(listener, SOL_SOCKET, SO_PRIORITY, 7), EPERM);
	assert_int_equal(setint(listener, SOL_SOCKET, SO_PRIORITY, -1), EPERM);
	assert_int_equal(setint(sock, IPPROTO_IP, IP_TOS, IPTOS_LOWDELAY | 1), 0);
	assert_int_equal(fdt_getopt(sock, SOL_SOCKET, SO_PRIORITY, &value), 0);
	assert_int_equal(value, 6);
	assert_int_equal(fdt_connect(sock, INADDR_LOOPBACK, port), 0);
	conn = fdt_accept(listener);
	assert_int_equal(fdt_getopt(conn, SOL_SOCKET, SO_PRIORITY, &value), 0);
	assert_int_equal(value, 5); /* its listener's */
	(void)close(conn);
	(void)close(sock);
	(void)close(listener);
}

static uint64_t
rate_of(int sock, int room)
{
	uint64_t rate = 0;

	assert_int_equal(get(sock, SOL_SOCKET, SO_MAX_PACING_RATE, room), 0);
	assert_int_equal(rep.hdr.fp_datalen, room);
	memcpy(&rate, rep.data, (size_t)room);
	return rate;
}

/* In 64 bits or 32, from a listener to its connections, told by TCP_INFO; of TCP only. */
static void
test_pacing_rate(void **state)
{
	uint16_t port;
	const uint64_t wide = 6000000000u, none = UINT64_MAX;
	int listener = fdt_listener(1, &port), sock = fdt_socket(SOCK_STREAM), conn;
	int dgram = fdt_socket(SOCK_DGRAM);
	uint64_t told[2];

	(void)state;
	assert_int_equal(rate_of(sock, 8), UINT64_MAX);
	assert_int_equal(rate_of(sock, 4), UINT32_MAX);
	assert_int_equal(setint(listener, SOL_SOCKET, SO_MAX_PACING_RATE, 250000), 0);
	assert_int_equal(rate_of(listener, 8), 250000);
	assert_int_equal(fdt_setopt(sock, SOL_SOCKET, SO_MAX_PACING_RATE, &wide, sizeof(wide)), 0);
	assert_int_equal(rate_of(sock, 8), wide);
	assert_int_equal(rate_of(sock, 4), UINT32_MAX);
	assert_int_equal(fdt_setopt(sock, SOL_SOCKET, SO_MAX_PACING_RATE, &wide, 3), EINVAL);
	assert_int_equal(fdt_connect(sock, INADDR_LOOPBACK, port), 0);
	conn = fdt_accept(listener);
	assert_int_equal(rate_of(conn, 8), 250000);
	assert_int_equal(get(conn, IPPROTO_TCP, TCP_INFO, 256), 0);
	memcpy(told, rep.data + TCPI_PACING_AT, sizeof(told));
	assert_true(told[0] <= 250000);
	assert_int_equal(told[1], 250000);
	assert_int_equal(setint(conn, SOL_SOCKET, SO_MAX_PACING_RATE, -1), 0);
	assert_int_equal(rate_of(conn, 8), UINT64_MAX);
	assert_int_equal(get(conn, IPPROTO_TCP, TCP_INFO, 256), 0);
	memcpy(told, rep.data + TCPI_PACING_AT, sizeof(told));
	assert_int_equal(told[0], UINT64_MAX);
	assert_int_equal(told[1], UINT64_MAX);
	assert_int_equal(setint(dgram, SOL_SOCKET, SO_MAX_PACING_RATE, 250000), ENOPROTOOPT);
	assert_int_equal(fdt_setopt(dgram, SOL_SOCKET, SO_MAX_PACING_RATE, &none, sizeof(none)), 0);
	assert_int_equal(rate_of(dgram, 8), UINT64_MAX);
	(void)close(dgram);
	(void)close(conn);
	(void)close(sock);
	(void)close(listener);
}

/* After a failed connect a socket is what it was, before it connects again and then. */
static void
test_failed_connect(void **state)
{
	static const struct {
		int level, name, value;
	} opts[] = {{SOL_SOCKET, SO_MAX_PACING_RATE, 250000}, {SOL_SOCKET, SO_KEEPALIVE, 1},
	    {IPPROTO_TCP, TCP_NODELAY, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 77},
	    {IPPROTO_IP, IP_TOS, 0x10}};
	uint16_t port;
	int listener = fdt_listener(1, &port), sock = fdt_socket(SOCK_STREAM), conn, value;

	(void)state;
	assert_int_equal(fdt_bind(sock, 4711), 0);
	assert_int_equal(fdt_setopt(sock, SOL_SOCKET, SO_BINDTODEVICE, "lo0", 3), 0);
	for (size_t i = 0; i < nitems(opts); i++)
		assert_int_equal(setint(sock, opts[i].level, opts[i].name, opts[i].value), 0);
	assert_int_equal(fdt_connect(sock, INADDR_LOOPBACK, 1), ECONNREFUSED);
	for (unsigned again = 0; again < 2; again++) {
		for (size_t i = 0; i < nitems(opts); i++) {
			assert_int_equal(fdt_getopt(sock, opts[i].level, opts[i].name, &value), 0);
			assert_int_equal(value, opts[i].value);
		}
		assert_int_equal(get(sock, SOL_SOCKET, SO_BINDTODEVICE, 16), 0);
		assert_string_equal((const char *)rep.data, "lo0");
		if (again == 0) {
			assert_int_equal(setint(sock, IPPROTO_TCP, TCP_KEEPCNT, 3), 0);
			assert_int_equal(fdt_connect(sock, INADDR_LOOPBACK, port), 0);
		}
	}
	assert_int_equal(fdt_getopt(sock, IPPROTO_TCP, TCP_KEEPCNT, &value), 0);
	assert_int_equal(value, 3);
	assert_int_equal(fdt_port(sock), 4711);
	conn = fdt_accept(listener);
	(void)close(conn);
	(void)close(sock);
	(void)close(listener);
}

static struct sockaddr_storage
storage(uint32_t addr_be, sa_family_t family)
{
	struct sockaddr_in sin = {.sin_family = family, .sin_addr.s_addr = addr_be};
	struct sockaddr_storage ss = {0};

	memcpy(&ss, &sin, sizeof(sin));
	return ss;
}

/* Sources of groups, by address and by interface: the same memberships, with Linux's errno. */
static void
test_group_sources(void **state)
{
	const uint32_t group = htonl(0xef010203), other = htonl(0xef010204),
		       src = htonl(0x0a000001);
	int sock = fdt_socket(SOCK_DGRAM), stream = fdt_socket(SOCK_STREAM);
	struct ip_mreq_source imr = {{group}, {htonl(INADDR_LOOPBACK)}, {src}};
	struct group_source_req gsr = {1, storage(group, AF_INET), storage(src, AF_INET)};
	struct group_req gr = {1, storage(other, AF_INET)};
	struct ip_msfilter msf = {{group}, {htonl(INADDR_LOOPBACK)}, MCAST_INCLUDE, 1, {{src}}};

	(void)state;
#define OPT(name, val, len) fdt_setopt(sock, IPPROTO_IP, name, val, len)
	assert_int_equal(OPT(IP_BLOCK_SOURCE, &imr, sizeof(imr)), EINVAL); /* not joined */
	assert_int_equal(OPT(IP_ADD_SOURCE_MEMBERSHIP, &imr, sizeof(imr) - 1), EINVAL);
	assert_int_equal(OPT(IP_ADD_SOURCE_MEMBERSHIP, &imr, sizeof(imr)), 0);
	assert_int_equal(OPT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr)), EADDRNOTAVAIL);
	assert_int_equal(OPT(MCAST_BLOCK_SOURCE, &gsr, sizeof(gsr)), EINVAL); /* the other mode */
	assert_int_equal(OPT(MCAST_LEAVE_SOURCE_GROUP, &gsr, sizeof(gsr)), 0);
	assert_int_equal(OPT(IP_DROP_SOURCE_MEMBERSHIP, &imr, sizeof(imr)), EINVAL); /* left */
	gsr.gsr_source.ss_family = AF_INET6;
	assert_int_equal(OPT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr)), EADDRNOTAVAIL);
	assert_int_equal(OPT(MCAST_JOIN_GROUP, &gr, sizeof(gr)), 0);
	assert_int_equal(OPT(MCAST_JOIN_GROUP, &gr, sizeof(gr)), EADDRINUSE);
	assert_int_equal(OPT(MCAST_LEAVE_GROUP, &gr, sizeof(gr)), 0);
	gr.gr_group.ss_family = AF_INET6;
	assert_int_equal(OPT(MCAST_JOIN_GROUP, &gr, sizeof(gr)), EINVAL);
	assert_int_equal(OPT(MCAST_JOIN_GROUP, &gr, sizeof(gr) - 1), EINVAL);
	assert_int_equal(OPT(IP_MSFILTER, &msf, IP_MSFILTER_SIZE(1)), EINVAL); /* not joined */
	assert_int_equal(OPT(IP_ADD_SOURCE_MEMBERSHIP, &imr, sizeof(imr)), 0);
	assert_int_equal(OPT(IP_MSFILTER, &msf, IP_MSFILTER_SIZE(1)), 0);
	msf.imsf_fmode = MCAST_EXCLUDE;
	assert_int_equal(OPT(IP_MSFILTER, &msf, IP_MSFILTER_SIZE(1)), 0);
	assert_int_equal(OPT(IP_UNBLOCK_SOURCE, &imr, sizeof(imr)), 0);
	msf.imsf_fmode = 2;
	assert_int_equal(OPT(IP_MSFILTER, &msf, IP_MSFILTER_SIZE(1)), EINVAL);
	msf.imsf_numsrc = UINT32_MAX;
	assert_int_equal(OPT(IP_MSFILTER, &msf, IP_MSFILTER_SIZE(1)), ENOBUFS);
	msf.imsf_numsrc = 2;
	assert_int_equal(OPT(IP_MSFILTER, &msf, IP_MSFILTER_SIZE(1)), EINVAL);
	assert_int_equal(OPT(IP_MSFILTER, &msf, IP_MSFILTER_SIZE(0) - 1), EINVAL);
#undef OPT
	assert_int_not_equal(fdt_setopt(stream, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &imr,
				 sizeof(imr)),
	    0);
	(void)close(sock);
	(void)close(stream);
}

/* What is asked for is in the request; the value is in rep. => errno */
static int
ask(int sock, int name, const void *head, size_t headlen, int room)
{
	const int32_t arg[4] = {IPPROTO_IP, name, room};

	return fdt_request(FDSOCK_OP_GETSOCKOPT, sock, arg, head, headlen, &rep);
}

/* A whole filter read back, by the interface's address: never more than there is room for. */
static void
test_msfilter(void **state)
{
	const uint32_t group = htonl(0xef010203), src = htonl(0x0a000001);
	struct ip_mreq_source imr = {{group}, {htonl(INADDR_LOOPBACK)}, {src}};
	struct ip_msfilter msf = {{group}, {htonl(INADDR_LOOPBACK)}, 7, 1000, {{0}}};
	int sock = fdt_socket(SOCK_DGRAM);

	(void)state;
#define ASK(headlen, room) ask(sock, IP_MSFILTER, &msf, headlen, room)
	assert_int_equal(ASK(IP_MSFILTER_SIZE(0), 64), EADDRNOTAVAIL);
	assert_int_equal(fdt_setopt(sock, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &imr, sizeof(imr)),
	    0);
	assert_int_equal(ASK(IP_MSFILTER_SIZE(0), IP_MSFILTER_SIZE(0) - 1), EINVAL);
	assert_int_equal(ASK(0, 64), EINVAL); /* about no group */
	for (unsigned n = 0; n <= 1; n++) {
		assert_int_equal(ASK(IP_MSFILTER_SIZE(0), (int)IP_MSFILTER_SIZE(n)), 0);
		assert_int_equal(rep.hdr.fp_datalen, IP_MSFILTER_SIZE(n));
		memcpy(&msf, rep.data, rep.hdr.fp_datalen);
		assert_int_equal(msf.imsf_fmode, MCAST_INCLUDE);
		assert_int_equal(msf.imsf_numsrc, 1);
	}
	assert_int_equal(msf.imsf_slist[0].s_addr, src);
	assert_int_equal(get(sock, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, 64), ENOPROTOOPT);
#undef ASK
	(void)close(sock);
}

/* The same, set and read, by the interface's index. */
static void
test_group_filter(void **state)
{
	enum { N = 59 };
	static union {
		struct group_filter gf;
		uint8_t bytes[FDSOCK_OPTION_LONG + 1];
	} f;
	const uint32_t group = htonl(0xef010203);
	struct group_req gr = {1, storage(group, AF_INET)};
	int sock = fdt_socket(SOCK_DGRAM);
	struct sockaddr_storage ss;
	struct sockaddr_in sin;

	(void)state;
	_Static_assert(GROUP_FILTER_SIZE(N) == FDSOCK_OPTION_LONG, "as many as the stack takes");
	fdt_sysctl_set("net.inet.ip.mcast.maxsocksrc", N);
	f.gf = (struct group_filter){1, storage(group, AF_INET), MCAST_EXCLUDE, N, {{0}}};
	for (unsigned i = 0; i < N; i++) {
		ss = storage(htonl(0x0a000000 + i), AF_INET);
		memcpy(f.bytes + GROUP_FILTER_SIZE(i), &ss, sizeof(ss));
	}
#define SET(len) fdt_setopt(sock, IPPROTO_IP, MCAST_MSFILTER, &f, len)
#define ASK(room) ask(sock, MCAST_MSFILTER, &f, GROUP_FILTER_SIZE(0), room)
	assert_int_equal(ASK(FDSOCK_OPTION_LONG), EADDRNOTAVAIL);
	assert_int_equal(fdt_setopt(sock, IPPROTO_IP, MCAST_JOIN_GROUP, &gr, sizeof(gr)), 0);
	assert_int_equal(SET(GROUP_FILTER_SIZE(0) - 1), EINVAL);
	assert_int_equal(SET(GROUP_FILTER_SIZE(N) - 1), EINVAL);
	assert_int_equal(SET(GROUP_FILTER_SIZE(N) + 1), EINVAL); /* no interposer sends that */
	assert_int_equal(SET(GROUP_FILTER_SIZE(N)), 0);
	assert_int_equal(ASK(INT32_MAX), 0);
	assert_int_equal(rep.hdr.fp_datalen, GROUP_FILTER_SIZE(N));
	for (unsigned i = 0; i < N; i++) {
		memcpy(&sin, rep.data + GROUP_FILTER_SIZE(i), sizeof(sin));
		assert_int_equal(sin.sin_family, AF_INET);
		assert_int_equal(sin.sin_addr.s_addr, htonl(0x0a000000 + i));
	}
	assert_int_equal(ASK((int)GROUP_FILTER_SIZE(2) - 1), 0);
	assert_int_equal(rep.hdr.fp_datalen, GROUP_FILTER_SIZE(1));
	f.gf.gf_interface = 0;
	assert_int_equal(ASK(FDSOCK_OPTION_LONG), EADDRNOTAVAIL);
	f.gf.gf_interface = 77;
	assert_int_equal(ASK(FDSOCK_OPTION_LONG), EADDRNOTAVAIL);
	assert_int_equal(SET(GROUP_FILTER_SIZE(N)), ENODEV);
	f.gf.gf_slist[0].ss_family = AF_INET6;
	assert_int_equal(SET(GROUP_FILTER_SIZE(N)), EADDRNOTAVAIL);
	f.gf.gf_numsrc = N + 1;
	f.gf.gf_slist[0].ss_family = AF_INET;
	assert_int_equal(SET(GROUP_FILTER_SIZE(N)), ENOBUFS);
	f.gf.gf_group.ss_family = AF_INET6;
	assert_int_equal(SET(GROUP_FILTER_SIZE(N)), EADDRNOTAVAIL);
	assert_int_equal(ASK(FDSOCK_OPTION_LONG), EINVAL);
#undef SET
#undef ASK
	(void)close(sock);
}

static struct sockaddr_storage
storage6(const char *text, sa_family_t family)
{
	struct sockaddr_in6 sin6 = {.sin6_family = family};
	struct sockaddr_storage ss = {0};

	assert_int_equal(inet_pton(AF_INET6, text, &sin6.sin6_addr), 1);
	memcpy(&ss, &sin6, sizeof(sin6));
	return ss;
}

static int
socket6(void)
{
	const int32_t arg[4] = {AF_INET6, SOCK_DGRAM, 0, 0};

	assert_int_equal(fdt_request(FDSOCK_OP_SOCKET, -1, arg, NULL, 0, &rep), 0);
	return rep.fd;
}

/* Sources of groups of IPv6, with Linux's errno. */
static void
test_group_sources6(void **state)
{
	const sa_family_t six = AF_INET6;
	struct group_source_req gsr = {1, storage6("ff05::7", six), storage6("fd00::1", six)};
	struct group_req gr = {1, storage6("ff05::8", six)};
	int sock = socket6();

	(void)state;
#define OPT(name, val, len) fdt_setopt(sock, IPPROTO_IPV6, name, val, len)
	assert_int_equal(OPT(MCAST_BLOCK_SOURCE, &gsr, sizeof(gsr)), EINVAL); /* not joined */
	assert_int_equal(OPT(MCAST_LEAVE_SOURCE_GROUP, &gsr, sizeof(gsr)), EINVAL);
	assert_int_equal(OPT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr) - 1), EINVAL);
	assert_int_equal(OPT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr)), 0);
	assert_int_equal(OPT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr)), EADDRNOTAVAIL);
	assert_int_equal(OPT(MCAST_BLOCK_SOURCE, &gsr, sizeof(gsr)), EINVAL); /* the other mode */
	assert_int_equal(OPT(MCAST_LEAVE_SOURCE_GROUP, &gsr, sizeof(gsr)), 0);
	gsr.gsr_source.ss_family = AF_INET;
	assert_int_equal(OPT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr)), EADDRNOTAVAIL);
	gsr = (struct group_source_req){1, gr.gr_group, storage6("fd00::1", six)};
	assert_int_equal(OPT(MCAST_JOIN_GROUP, &gr, sizeof(gr)), 0);
	assert_int_equal(OPT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr)), 0); /* no list, no mode */
	assert_int_equal(OPT(MCAST_LEAVE_SOURCE_GROUP, &gsr, sizeof(gsr)), 0);
	assert_int_equal(OPT(MCAST_JOIN_GROUP, &gr, sizeof(gr)), 0);
	assert_int_equal(OPT(MCAST_BLOCK_SOURCE, &gsr, sizeof(gsr)), 0);
	assert_int_equal(OPT(MCAST_BLOCK_SOURCE, &gsr, sizeof(gsr)), EADDRNOTAVAIL);
	assert_int_equal(OPT(MCAST_UNBLOCK_SOURCE, &gsr, sizeof(gsr)), 0);
	assert_int_equal(OPT(MCAST_UNBLOCK_SOURCE, &gsr, sizeof(gsr)), EADDRNOTAVAIL);
	assert_int_equal(get(sock, IPPROTO_IPV6, MCAST_BLOCK_SOURCE, 64), ENOPROTOOPT);
	(void)close(sock);
	sock = fdt_socket(SOCK_DGRAM);
	assert_int_equal(OPT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr)), ENOPROTOOPT);
#undef OPT
	(void)close(sock);
}

/* Whole filters of IPv6, set and read. */
static void
test_group_filter6(void **state)
{
	enum { N = 59 };
	static union {
		struct group_filter gf;
		uint8_t bytes[FDSOCK_OPTION_LONG];
	} f;
	const int32_t arg[4] = {IPPROTO_IPV6, MCAST_MSFILTER, FDSOCK_OPTION_LONG};
	struct group_req gr = {1, storage6("ff05::7", AF_INET6)};
	struct sockaddr_storage ss = storage6("fd00::", AF_INET6);
	struct sockaddr_in6 sin6;
	int sock = socket6();

	(void)state;
	f.gf = (struct group_filter){1, gr.gr_group, MCAST_EXCLUDE, N, {{0}}};
	for (unsigned i = 0; i < N; i++) {
		memcpy(&sin6, &ss, sizeof(sin6));
		sin6.sin6_addr.s6_addr[15] = (uint8_t)(i + 1);
		memcpy(f.bytes + GROUP_FILTER_SIZE(i), &ss, sizeof(ss));
		memcpy(f.bytes + GROUP_FILTER_SIZE(i), &sin6, sizeof(sin6));
	}
#define SET(len) fdt_setopt(sock, IPPROTO_IPV6, MCAST_MSFILTER, &f, len)
#define ASK() fdt_request(FDSOCK_OP_GETSOCKOPT, sock, arg, &f, GROUP_FILTER_SIZE(0), &rep)
	assert_int_equal(SET(GROUP_FILTER_SIZE(N)), EINVAL); /* not joined */
	assert_int_equal(ASK(), EADDRNOTAVAIL);
	assert_int_equal(fdt_setopt(sock, IPPROTO_IPV6, MCAST_JOIN_GROUP, &gr, sizeof(gr)), 0);
	assert_int_equal(SET(GROUP_FILTER_SIZE(0) - 1), EINVAL);
	assert_int_equal(SET(GROUP_FILTER_SIZE(N) - 1), EINVAL);
	assert_int_equal(SET(GROUP_FILTER_SIZE(N)), 0);
	assert_int_equal(ASK(), 0);
	assert_int_equal(rep.hdr.fp_datalen, GROUP_FILTER_SIZE(N));
	assert_memory_equal(rep.data, &f, rep.hdr.fp_datalen);
	f.gf.gf_interface = 0;
	assert_int_equal(ASK(), EADDRNOTAVAIL);
	f.gf.gf_interface = 77;
	assert_int_equal(ASK(), EADDRNOTAVAIL);
	assert_int_equal(SET(GROUP_FILTER_SIZE(N)), ENODEV);
	f.gf.gf_group.ss_family = AF_INET;
	assert_int_equal(ASK(), EADDRNOTAVAIL);
	f.gf.gf_numsrc = N + 1;
	assert_int_equal(SET(GROUP_FILTER_SIZE(N)), ENOBUFS);
#undef SET
#undef ASK
	(void)close(sock);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fdt_setup, fdt_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_identity),
	    T(test_meminfo),
	    T(test_switched_off),
	    T(test_packets),
	    T(test_filter),
	    T(test_notsent_lowat),
	    T(test_inq),
	    T(test_peek_offset),
	    T(test_priority),
	    T(test_pacing_rate),
	    T(test_failed_connect),
	    T(test_group_sources),
	    T(test_msfilter),
	    T(test_group_filter),
	    T(test_group_sources6),
	    T(test_group_filter6),
	};

	return cmocka_run_group_tests_name("fd_sockopt", tests, NULL, NULL);
}
