/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each option that the C library knows: may it be read, how long is it, may it be set to 1, does
 * it keep that. Defaults differ from host to host and are not printed.
 */
#include "calls.h"

#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

struct option {
	const char *op_text;
	int op_level;
	int op_name;
};

#define S(name)                         \
	{                               \
#name, SOL_SOCKET, name \
	}
#define T(name)                          \
	{                                \
#name, IPPROTO_TCP, name \
	}
#define I(name)                         \
	{                               \
#name, IPPROTO_IP, name \
	}
#define SIX(name)                         \
	{                                 \
#name, IPPROTO_IPV6, name \
	}
#define END                \
	{                  \
		NULL, 0, 0 \
	}

static const struct option socket_options[] = {S(SO_DEBUG), S(SO_REUSEADDR), S(SO_TYPE),
    S(SO_ERROR), S(SO_DONTROUTE), S(SO_BROADCAST), S(SO_SNDBUF), S(SO_RCVBUF), S(SO_SNDBUFFORCE),
    S(SO_RCVBUFFORCE), S(SO_KEEPALIVE), S(SO_OOBINLINE), S(SO_NO_CHECK), S(SO_PRIORITY),
    S(SO_LINGER), S(SO_BSDCOMPAT), S(SO_REUSEPORT), S(SO_PASSCRED), S(SO_PEERCRED), S(SO_RCVLOWAT),
    S(SO_SNDLOWAT), S(SO_RCVTIMEO), S(SO_SNDTIMEO), S(SO_BINDTODEVICE), S(SO_ATTACH_FILTER),
    S(SO_DETACH_FILTER), S(SO_PEERNAME), S(SO_TIMESTAMP), S(SO_ACCEPTCONN), S(SO_PEERSEC),
    S(SO_PASSSEC), S(SO_TIMESTAMPNS), S(SO_MARK), S(SO_TIMESTAMPING), S(SO_PROTOCOL), S(SO_DOMAIN),
    S(SO_RXQ_OVFL), S(SO_WIFI_STATUS), S(SO_PEEK_OFF), S(SO_NOFCS), S(SO_LOCK_FILTER),
    S(SO_SELECT_ERR_QUEUE), S(SO_BUSY_POLL), S(SO_MAX_PACING_RATE), S(SO_BPF_EXTENSIONS),
    S(SO_INCOMING_CPU), S(SO_ATTACH_BPF), S(SO_MEMINFO), S(SO_INCOMING_NAPI_ID), S(SO_COOKIE),
    S(SO_PEERGROUPS), S(SO_ZEROCOPY), S(SO_TXTIME), S(SO_BINDTOIFINDEX), END};

static const struct option dgram_options[] = {S(SO_NO_CHECK), S(SO_RXQ_OVFL), END};

static const struct option tcp_options[] = {T(TCP_NODELAY), T(TCP_MAXSEG), T(TCP_CORK),
    T(TCP_KEEPIDLE), T(TCP_KEEPINTVL), T(TCP_KEEPCNT), T(TCP_SYNCNT), T(TCP_LINGER2),
    T(TCP_DEFER_ACCEPT), T(TCP_WINDOW_CLAMP), T(TCP_INFO), T(TCP_QUICKACK), T(TCP_CONGESTION),
    T(TCP_MD5SIG), T(TCP_COOKIE_TRANSACTIONS), T(TCP_THIN_LINEAR_TIMEOUTS), T(TCP_THIN_DUPACK),
    T(TCP_USER_TIMEOUT), T(TCP_REPAIR), T(TCP_REPAIR_QUEUE), T(TCP_QUEUE_SEQ),
    T(TCP_REPAIR_OPTIONS), T(TCP_FASTOPEN), T(TCP_TIMESTAMP), T(TCP_NOTSENT_LOWAT), T(TCP_CC_INFO),
    T(TCP_SAVE_SYN), T(TCP_SAVED_SYN), T(TCP_REPAIR_WINDOW), T(TCP_FASTOPEN_CONNECT), T(TCP_ULP),
    T(TCP_MD5SIG_EXT), T(TCP_FASTOPEN_KEY), T(TCP_FASTOPEN_NO_COOKIE), T(TCP_ZEROCOPY_RECEIVE),
    T(TCP_INQ), T(TCP_TX_DELAY), END};

static const struct option ip_options[] = {I(IP_TOS), I(IP_TTL), I(IP_HDRINCL), I(IP_OPTIONS),
    I(IP_ROUTER_ALERT), I(IP_RECVOPTS), I(IP_RETOPTS), I(IP_PKTINFO), I(IP_PKTOPTIONS),
    I(IP_MTU_DISCOVER), I(IP_RECVERR), I(IP_RECVTTL), I(IP_RECVTOS), I(IP_MTU), I(IP_FREEBIND),
    I(IP_IPSEC_POLICY), I(IP_PASSSEC), I(IP_TRANSPARENT), I(IP_ORIGDSTADDR), I(IP_MINTTL),
    I(IP_NODEFRAG), I(IP_CHECKSUM), I(IP_BIND_ADDRESS_NO_PORT), I(IP_RECVFRAGSIZE),
    I(IP_MULTICAST_IF), I(IP_MULTICAST_TTL), I(IP_MULTICAST_LOOP), I(IP_MULTICAST_ALL),
    I(IP_UNICAST_IF), END};

static const struct option six_options[] = {SIX(IPV6_V6ONLY), SIX(IPV6_UNICAST_HOPS),
    SIX(IPV6_MULTICAST_HOPS), SIX(IPV6_MULTICAST_LOOP), SIX(IPV6_MULTICAST_IF),
    SIX(IPV6_RECVPKTINFO), SIX(IPV6_RECVHOPLIMIT), SIX(IPV6_RECVTCLASS), SIX(IPV6_TCLASS),
    SIX(IPV6_MTU_DISCOVER), SIX(IPV6_MTU), SIX(IPV6_RECVERR), SIX(IPV6_DONTFRAG),
    SIX(IPV6_MULTICAST_ALL), SIX(IPV6_MINHOPCOUNT), SIX(IPV6_FREEBIND), END};

/* What of it holds, as words. */
static void
say(int fd, const struct option *op)
{
	uint8_t value[512] = {0};
	socklen_t len = sizeof(value);
	int one = 1, after = 0;

	(void)printf("%s get -> ", op->op_text);
	if (getsockopt(fd, op->op_level, op->op_name, value, &len) != 0)
		(void)printf("%s\n", calls_errname(errno));
	else if (op->op_name == TCP_INFO && op->op_level == IPPROTO_TCP)
		(void)printf("ok\n"); /* its length grows with the kernel */
	else
		(void)printf("%u bytes\n", len);
	(void)printf("%s set -> ", op->op_text);
	if (setsockopt(fd, op->op_level, op->op_name, &one, sizeof(one)) != 0) {
		(void)printf("%s\n", calls_errname(errno));
		return;
	}
	len = sizeof(after);
	if (getsockopt(fd, op->op_level, op->op_name, &after, &len) != 0)
		(void)printf("ok, then %s\n", calls_errname(errno));
	else
		(void)printf("ok%s\n", after == one ? ", kept" : "");
}

/* Each on a socket of its own, so that none depends on another. */
static void
say_all(int domain, int type, const struct option *op)
{
	for (; op->op_text != NULL; op++) {
		int fd = socket(domain, type, 0);

		if (fd < 0) {
			(void)printf("socket -> %s\n", calls_errname(errno));
			return;
		}
		say(fd, op);
		(void)close(fd);
	}
}

static void
of_sockets(void)
{
	say_all(AF_INET, SOCK_STREAM, socket_options);
}

static void
of_datagrams(void)
{
	say_all(AF_INET, SOCK_DGRAM, dgram_options);
}

static void
of_tcp(void)
{
	say_all(AF_INET, SOCK_STREAM, tcp_options);
}

static void
of_ip(void)
{
	say_all(AF_INET, SOCK_DGRAM, ip_options);
}

static void
of_ipv6(void)
{
	say_all(AF_INET6, SOCK_DGRAM, six_options);
}

static void
of_tcp_connected(void)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int fd[2], state;

	calls_pair(fd);
	DO(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &info, &len));
	state = info.tcpi_state;
	DO(state);
	DO(info.tcpi_snd_mss > 0);
	len = 1;
	DO(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &info, &len));
	DO(len);
}

/* Connections without data are kept from accept: until there are some, or the end, or for so long. */
static void
deferred(void)
{
	int listener = calls_listener(4), one = 1,
	    data = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	int end = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), conn;
	int silent = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	char byte = 0;

	MUST(setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof(one)));
	MUST(connect(data, calls_loopback(calls_port(listener)), ADDRLEN));
	DO(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 200));
	MUST(send(data, "x", 1, 0));
	DO(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 500));
	conn = (int)MUST(accept(listener, NULL, NULL));
	DO(recv(conn, &byte, 1, 0));
	MUST(connect(end, calls_loopback(calls_port(listener)), ADDRLEN));
	MUST(close(end));
	DO(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 500));
	conn = (int)MUST(accept(listener, NULL, NULL));
	DO(recv(conn, &byte, 1, 0));
	MUST(connect(silent, calls_loopback(calls_port(listener)), ADDRLEN));
	DO(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 200));
	DO(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 5000));
}

/* Writes as long as poll says that it may. => bytes */
static long
write_by_poll(int fd)
{
	static const char bytes[1000];
	long done = 0;
	ssize_t n;

	while (poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 100) == 1 &&
	    (n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		done += n;
	return done;
}

/* The writer is held by what was not sent, long before the buffers are full. */
static void
not_sent(void)
{
	int fd[2], limit = 16384, none = 0, value = 0;
	static char buf[65536];
	socklen_t len = sizeof(value);
	long more, held;

	calls_pair(fd);
	DO(getsockopt(fd[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &len));
	DO(value);
	DO(setsockopt(fd[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, &limit, sizeof(limit)));
	DO(setsockopt(fd[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, &limit, 2));
	DO(getsockopt(fd[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &len));
	DO(value);
	held = write_by_poll(fd[0]);
	DO(poll(&(struct pollfd){.fd = fd[0], .events = POLLOUT}, 1, 0));
	/* It goes on when there is less. */
	for (long left = held; left > 0; left -= more)
		more = MUST(read(fd[1], buf, sizeof(buf)));
	DO(poll(&(struct pollfd){.fd = fd[0], .events = POLLOUT}, 1, 2000));
	held = write_by_poll(fd[0]);
	DO(setsockopt(fd[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, &none, sizeof(none)));
	more = write_by_poll(fd[0]);
	DO(more > 4L * limit);
	DO(held > 0);
}

/* Each way to deal with the MTU of a path; a stream's segments have DF in any case. */
static void
mtu_discover(void)
{
	int fd[2] = {(int)MUST(socket(AF_INET, SOCK_DGRAM, 0)),
	    (int)MUST(socket(AF_INET, SOCK_STREAM, 0))};
	socklen_t len = sizeof(int);

	for (int how = -1; how <= 6; how++) {
		for (int i = 0; i < 2; i++) {
			int back = -1;

			if (i == 1 && how != IP_PMTUDISC_WANT && how != IP_PMTUDISC_DO)
				continue;
			DO(setsockopt(fd[i], IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)));
			MUST(getsockopt(fd[i], IPPROTO_IP, IP_MTU_DISCOVER, &back, &len));
			if (how >= 0)
				DO(back);
		}
	}
}

static void
say_inq(int fd, size_t n, int flags)
{
	_Alignas(struct cmsghdr) char control[64];
	char buf[16];
	struct iovec iov = {buf, n};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	int left;

	if (DO(recvmsg(fd, &msg, flags)) < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		memcpy(&left, CMSG_DATA(c), sizeof(left));
		(void)printf("level %d type %d -> %d\n", c->cmsg_level, c->cmsg_type, left);
	}
}

/* What is left to read behind a message. */
static void
in_queue(void)
{
	int fd[2], one = 1, two = 2;

	calls_pair(fd);
	DO(setsockopt(fd[1], IPPROTO_TCP, TCP_INQ, &two, sizeof(two)));
	DO(setsockopt(fd[1], IPPROTO_TCP, TCP_INQ, &one, sizeof(one)));
	MUST(send(fd[0], "hello", 5, 0));
	MUST(poll(&(struct pollfd){.fd = fd[1], .events = POLLIN}, 1, 2000));
	say_inq(fd[1], 2, MSG_PEEK);
	say_inq(fd[1], 2, 0);
	say_inq(fd[1], 3, 0);
	say_inq(fd[1], 3, MSG_DONTWAIT);
	MUST(send(fd[0], "end", 3, 0));
	MUST(shutdown(fd[0], SHUT_WR));
	MUST(poll(&(struct pollfd){.fd = fd[1], .events = POLLRDHUP}, 1, 2000));
	say_inq(fd[1], 3, 0);
	say_inq(fd[1], 3, 0);
	say_inq(fd[1], 3, 0);
}

/* A datagram socket on a port, with a device of its own, beside others. */
static int
on_device(int device, int port)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), one = 1;

	MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	MUST(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, sizeof(device)));
	DO(bind(fd, calls_loopback(port), ADDRLEN));
	return fd;
}

/* Sockets bound to a device: the loopback is the first, and nothing is the 60000th. */
static void
device_options(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), index = -1;
	char lo[IF_NAMESIZE] = "", name[IF_NAMESIZE] = "";
	socklen_t len = sizeof(name);

	MUST(if_indextoname(1, lo) != NULL ? 0 : -1);
	DO(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	DO(len);
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, lo, (socklen_t)strlen(lo)));
	len = sizeof(name);
	DO(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	DO(len == strlen(lo) + 1 && strcmp(name, lo) == 0);
	len = IF_NAMESIZE - 1;
	DO(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	len = sizeof(index);
	DO(getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &len));
	DO(index);
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nothing", 7));
	index = -1;
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)));
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, calls_null, 4));
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	len = sizeof(index);
	DO(getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &len));
	DO(index);
	index = 60000;
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)));
	len = sizeof(name);
	DO(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	DO(connect(fd, calls_loopback(9), ADDRLEN));
}

static void
device_filters(void)
{
	int all = on_device(0, 0), port = calls_port(all), inside = on_device(1, port);
	int nowhere = on_device(60000, port);
	int from = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), listener = calls_listener(4);
	int conn = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), index = 1;
	socklen_t len = sizeof(index);
	char byte;

	MUST(sendto(from, "x", 1, 0, calls_loopback(port), ADDRLEN));
	DO(poll(&(struct pollfd){.fd = inside, .events = POLLIN}, 1, 2000));
	DO(recv(inside, &byte, 1, MSG_DONTWAIT));
	DO(recv(all, &byte, 1, MSG_DONTWAIT));
	DO(recv(nowhere, &byte, 1, MSG_DONTWAIT));
	/* A listener's is that of the connections it makes. */
	MUST(setsockopt(listener, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)));
	DO(connect(conn, calls_loopback(calls_port(listener)), ADDRLEN));
	conn = (int)MUST(accept(listener, NULL, NULL));
	index = 0;
	DO(getsockopt(conn, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &len));
	DO(index);
	index = 60000;
	MUST(setsockopt(listener, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)));
	conn = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	DO(connect(conn, calls_loopback(calls_port(listener)), ADDRLEN));
	conn = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(setsockopt(conn, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)));
	DO(connect(conn, calls_loopback(calls_port(listener)), ADDRLEN));
}

/* A rate has 64 bits, or 32 for who gives or has no more; all ones of either mean that there is none. */
static void
pacing_rate(void)
{
	int listener = calls_listener(4), conn = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	int dgram = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	uint64_t rate = 6000000000u;
	uint32_t narrow = 250000;
	socklen_t len = sizeof(rate), four = sizeof(narrow);

	DO(setsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)));
	rate = 0;
	DO(getsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len));
	DO(len == sizeof(rate) && rate == 6000000000u);
	DO(getsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, &four));
	DO(four == sizeof(narrow) && narrow == UINT32_MAX);
	DO(setsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, sizeof(narrow)));
	DO(getsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len));
	DO(rate == UINT64_MAX);
	DO(setsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, 3));
	len = 3;
	DO(getsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len));
	DO(len);
	/* A listener's is that of the connections it makes. */
	narrow = 250000;
	DO(setsockopt(listener, SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, sizeof(narrow)));
	MUST(connect(conn, calls_loopback(calls_port(listener)), ADDRLEN));
	conn = (int)MUST(accept(listener, NULL, NULL));
	len = sizeof(rate);
	DO(getsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len));
	DO(rate == 250000);
	rate = 0;
	DO(setsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)));
	rate = 1;
	DO(getsockopt(conn, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len));
	DO(rate == 0);
	DO(getsockopt(dgram, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len));
	DO(rate == UINT64_MAX);
	DO(setsockopt(dgram, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)));
	DO(setsockopt(dgram, SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, sizeof(narrow)));
}

/* Lengths and pointers of the calls themselves. */
static void
arguments(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), value = 1;
	socklen_t len = sizeof(value);

	DO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 1));
	DO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 0));
	DO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, calls_null, sizeof(value)));
	DO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, (socklen_t)-1));
	DO(setsockopt(fd, SOL_SOCKET, 9999, &value, sizeof(value)));
	DO(setsockopt(fd, IPPROTO_TCP, 9999, &value, sizeof(value)));
	DO(setsockopt(fd, IPPROTO_IP, 9999, &value, sizeof(value)));
	DO(setsockopt(fd, 9999, 1, &value, sizeof(value)));
	DO(getsockopt(fd, SOL_SOCKET, 9999, &value, &len));
	DO(getsockopt(fd, IPPROTO_TCP, 9999, &value, &len));
	DO(getsockopt(fd, IPPROTO_IP, 9999, &value, &len));
	DO(getsockopt(fd, 9999, 1, &value, &len));
	len = 0;
	DO(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
	DO(len);
	len = (socklen_t)-1;
	DO(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
	DO(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, calls_null, &len));
	DO(getsockopt(99, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
}

const struct calls_case calls_cases[] = {
    {"socket", of_sockets},
    {"datagrams", of_datagrams},
    {"tcp", of_tcp},
    {"tcp-connected", of_tcp_connected},
    {"ip", of_ip},
    {"ipv6", of_ipv6},
    {"arguments", arguments},
    {"deferred", deferred},
    {"not-sent", not_sent},
    {"in-queue", in_queue},
    {"mtu-discover", mtu_discover},
    {"device-options", device_options},
    {"pacing-rate", pacing_rate},
    {"device-filters", device_filters},
    {NULL, NULL},
};
