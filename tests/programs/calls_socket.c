/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, naming, connecting and accepting. */
#include "calls.h"

static void
kinds(void)
{
	DO(socket(AF_INET, SOCK_STREAM, 0));
	DO(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
	DO(socket(AF_INET, SOCK_DGRAM, 0));
	DO(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
	DO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	DO(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
	DO(socket(AF_INET, SOCK_STREAM, 254));
	DO(socket(AF_INET, SOCK_STREAM, 100000));
	DO(socket(AF_INET, SOCK_STREAM, -1));
	DO(socket(AF_INET, 0, 0));
	DO(socket(AF_INET, SOCK_SEQPACKET, 0));
	DO(socket(AF_INET, 15, 0));
	DO(socket(AF_INET, SOCK_STREAM | 0x40, 0));
	DO(socket(-1, SOCK_STREAM, 0));
	DO(socket(0, SOCK_STREAM, 0));
	DO(socket(200, SOCK_STREAM, 0));
	DO(socket(AF_INET, SOCK_RAW, 0));
}

/* What the host has and the stack has not (yet). */
static void
other_families(void)
{
	DO_FD(socket(AF_INET6, SOCK_STREAM, 0));
	DO_FD(socket(AF_INET6, SOCK_DGRAM, 0));
	DO_FD(socket(AF_UNIX, SOCK_STREAM, 0));
	DO_FD(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static void
flags(void)
{
	int fd = DO_FD(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	int plain = DO_FD(socket(AF_INET, SOCK_DGRAM, 0));

	DO(fcntl(fd, F_GETFL) & O_NONBLOCK);
	DO(fcntl(fd, F_GETFL) & O_ACCMODE);
	DO(fcntl(fd, F_GETFD));
	DO(fcntl(plain, F_GETFL) & O_NONBLOCK);
	DO(fcntl(plain, F_GETFD));
	DO(fcntl(plain, F_SETFD, FD_CLOEXEC));
	DO(fcntl(plain, F_GETFD));
	DO(fcntl(plain, F_SETFD, 0));
	DO(fcntl(plain, F_GETFD));
	DO(fcntl(plain, 9999, 0));
}

static void
bind_stream(void)
{
	int a = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	int b = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	struct sockaddr_in not_ours = calls_addr("192.0.2.1", 0), any = calls_addr("0.0.0.0", 0);
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in group = calls_addr("224.0.0.1", 0);
	int c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

	DO(bind(a, (struct sockaddr *)&not_ours, ADDRLEN));
	DO(bind(c, (struct sockaddr *)&group, ADDRLEN));
	DO(bind(a, (struct sockaddr *)&six, sizeof(six)));
	DO(bind(a, calls_loopback(0), 4));
	DO(bind(a, NULL, ADDRLEN));
	DO(bind(a, calls_loopback(0), ADDRLEN));
	DO(calls_port(a) != 0);
	DO(bind(a, calls_loopback(0), ADDRLEN));
	DO(bind(b, calls_loopback(calls_port(a)), ADDRLEN));
	any.sin_port = htons((uint16_t)calls_port(a));
	DO(bind(b, (struct sockaddr *)&any, ADDRLEN));
	DO(bind(b, calls_loopback(0), ADDRLEN));
	DO(calls_port(a) != calls_port(b));
	DO(bind(99, calls_loopback(0), ADDRLEN));
}

static void
bind_reuse(void)
{
	int a = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), on = 1, port;
	int b = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	int u = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	int v = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));

	DO(setsockopt(a, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	DO(setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	DO(bind(a, calls_loopback(0), ADDRLEN));
	port = calls_port(a);
	DO(listen(a, 1));
	DO(bind(b, calls_loopback(port), ADDRLEN));
	DO(bind(u, calls_loopback(port), ADDRLEN));
	DO(bind(v, calls_loopback(port), ADDRLEN));
	DO(close(u));
	DO(bind(v, calls_loopback(port), ADDRLEN));
	DO(close(a));
	DO(bind(b, calls_loopback(port), ADDRLEN));
}

/* The listener of before left a connection in TIME-WAIT: only SO_REUSEADDR gets the port. */
static void
bind_time_wait(void)
{
	int listener = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), on = 1, port, c, s, again;

	MUST(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	MUST(bind(listener, calls_loopback(0), ADDRLEN));
	MUST(listen(listener, 1));
	port = calls_port(listener);
	c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(c, calls_loopback(port), ADDRLEN));
	s = (int)MUST(accept(listener, NULL, NULL));
	DO(close(s));
	DO(close(listener));
	(void)printf("the peer polls -> %s\n", calls_wait(c, POLLIN));
	DO(close(c));
	again = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	DO(bind(again, calls_loopback(port), ADDRLEN));
	DO(setsockopt(again, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	DO(bind(again, calls_loopback(port), ADDRLEN));
	DO(listen(again, 1));
}

static void
listening(void)
{
	int a = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	int u = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), fd[2];
	char byte;

	DO(accept(a, NULL, NULL));
	DO(listen(a, 5));
	DO(calls_port(a) != 0);
	DO(listen(a, 0));
	DO(listen(a, -1));
	DO(listen(u, 5));
	DO(accept(u, NULL, NULL));
	DO(listen(99, 5));
	DO(accept(99, NULL, NULL));
	calls_pair(fd);
	DO(listen(fd[0], 1));
	DO(accept(fd[0], NULL, NULL));
	DO(read(a, &byte, 1));
	DO(send(a, "x", 1, MSG_NOSIGNAL));
	DO(connect(a, calls_loopback(calls_port(a)), ADDRLEN));
}

static void
accepting(void)
{
	int listener = calls_listener(5), c[4], s, port = calls_port(listener);
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	DO(fcntl(listener, F_SETFL, O_NONBLOCK));
	DO(accept(listener, NULL, NULL));
	DO(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	DO(accept4(listener, NULL, NULL, 0x40));
	for (int i = 0; i < 4; i++) {
		c[i] = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
		MUST(connect(c[i], calls_loopback(port), ADDRLEN));
	}
	(void)printf("listener polls -> %s\n", calls_wait(listener, POLLIN | POLLOUT));
	s = DO_FD(accept(listener, (struct sockaddr *)&sin, &len));
	DO(len);
	calls_say_name("the peer's name", 0, &sin, calls_port(c[0]), port);
	DO(fcntl(s, F_GETFL) & O_NONBLOCK);
	DO(fcntl(s, F_GETFD));
	s = DO_FD(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	DO(fcntl(s, F_GETFL) & O_NONBLOCK);
	DO(fcntl(s, F_GETFD));
	len = 4;
	memset(&sin, 0xff, sizeof(sin));
	s = DO_FD(accept(listener, (struct sockaddr *)&sin, &len));
	DO(len);
	DO(sin.sin_family);
	DO(sin.sin_addr.s_addr == 0xffffffff);
	DO(accept(listener, (struct sockaddr *)&sin, NULL));
	DO(shutdown(listener, SHUT_RD));
	DO(close(listener));
}

/* A connection that was queued, and lost by the close of its listener. */
static void
listener_close(void)
{
	int listener = calls_listener(5), c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	int late = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), port = calls_port(listener);
	char byte;

	DO(connect(c, calls_loopback(port), ADDRLEN));
	DO(close(listener));
	(void)printf("the queued one polls -> %s\n", calls_wait(c, POLLIN));
	DO(read(c, &byte, 1));
	DO(read(c, &byte, 1));
	DO(connect(late, calls_loopback(port), ADDRLEN));
}

/* The peer is gone before it is accepted: by FIN with data, then by RST. */
static void
peer_gone_before_accept(void)
{
	int listener = calls_listener(5), port = calls_port(listener), c, s;
	struct linger linger = {1, 0};
	char buf[8];

	c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(c, calls_loopback(port), ADDRLEN));
	DO(write(c, "hello", 5));
	DO(close(c));
	s = DO_FD(accept(listener, NULL, NULL));
	DO(recv(s, buf, sizeof(buf), MSG_WAITALL));
	DO(read(s, buf, sizeof(buf)));
	c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(c, calls_loopback(port), ADDRLEN));
	MUST(setsockopt(c, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	DO(close(c));
	MUST(fcntl(listener, F_SETFL, O_NONBLOCK));
	host_sleep_ms(50);
	s = DO_FD(accept(listener, NULL, NULL));
	DO(read(s, buf, sizeof(buf)));
}

static int
dead_port(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), port;

	MUST(bind(fd, calls_loopback(0), ADDRLEN));
	port = calls_port(fd);
	MUST(close(fd));
	return port;
}

static void
connect_blocking(void)
{
	int listener = calls_listener(5), fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), port;
	struct sockaddr_in sin = calls_addr("127.0.0.1", 0);

	port = dead_port();
	sin.sin_family = 77;
	DO(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
	DO(connect(fd, calls_loopback(port), 3));
	DO(connect(fd, NULL, ADDRLEN));
	DO(connect(fd, calls_loopback(port), ADDRLEN));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
	DO(connect(fd, calls_loopback(port), ADDRLEN));
	DO(connect(fd, calls_loopback(calls_port(listener)), ADDRLEN));
	fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	DO(connect(fd, calls_loopback(calls_port(listener)), ADDRLEN));
	DO(connect(fd, calls_loopback(calls_port(listener)), ADDRLEN));
	DO(connect(99, calls_loopback(port), ADDRLEN));
	DO(write(fd, "x", 1));
}

static void
connect_self(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	char buf[4];

	MUST(bind(fd, calls_loopback(0), ADDRLEN));
	DO(connect(fd, calls_loopback(calls_port(fd)), ADDRLEN));
	DO(write(fd, "abc", 3));
	DO(read(fd, buf, sizeof(buf)));
}

static void
connect_nonblocking(void)
{
	int listener = calls_listener(5), port = calls_port(listener);
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));

	DO(connect(fd, calls_loopback(port), ADDRLEN));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLOUT));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
	DO(connect(fd, calls_loopback(port), ADDRLEN));
	DO(connect(fd, calls_loopback(port), ADDRLEN));
	fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	port = dead_port();
	DO(connect(fd, calls_loopback(port), ADDRLEN));
	(void)printf("refused polls -> %s\n", calls_wait(fd, POLLIN | POLLOUT));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
	(void)printf("SO_ERROR again -> %s\n", calls_soerror(fd));
	(void)printf("then polls -> %s\n", calls_wait(fd, POLLIN | POLLOUT));
}

/* The error of a connection that failed is told once, by whichever call comes first. */
static void
connect_refused_told_once(void)
{
	int port = dead_port(), fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	char byte;

	DO(connect(fd, calls_loopback(port), ADDRLEN));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLIN));
	DO(read(fd, &byte, 1));
	DO(read(fd, &byte, 1));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
	fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	DO(connect(fd, calls_loopback(port), ADDRLEN));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLIN));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	DO(connect(fd, calls_loopback(port), ADDRLEN));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLIN));
	DO(connect(fd, calls_loopback(port), ADDRLEN));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
}

static void
connect_unreachable(void)
{
	struct sockaddr_in sin = calls_addr("203.0.113.1", 9), zero = calls_addr("127.0.0.1", 0);
	struct sockaddr_in all = calls_addr("255.255.255.255", 9), mc = calls_addr("224.0.0.5", 9);
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	int u = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));

	DO(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
	DO(connect(u, (struct sockaddr *)&sin, ADDRLEN));
	DO(sendto(u, "x", 1, 0, (struct sockaddr *)&sin, ADDRLEN));
	DO(connect(fd, (struct sockaddr *)&zero, ADDRLEN));
	DO(connect(fd, (struct sockaddr *)&all, ADDRLEN));
	DO(connect(fd, (struct sockaddr *)&mc, ADDRLEN));
}

/* An address of the wire that nobody answers for: calls_argv[0]. */
static void
connect_no_neighbour(void)
{
	struct sockaddr_in sin = calls_addr(calls_argv[0], 9);
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	char byte;

	DO(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
	DO(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
	DO(poll(&p, 1, 50));
	DO(read(fd, &byte, 1));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	DO(poll(&p, 1, 6000));
	(void)printf("polls -> %s\n", calls_revents(p.revents));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
}

static void
names(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), s, a, b;
	int listener = calls_listener(1);
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	struct sockaddr *sa = (struct sockaddr *)&sin;

#define NAME(call) calls_say_name(#call, (int)(call), &sin, a, b)
	a = b = calls_port(listener);
	NAME(getsockname(fd, sa, &len));
	NAME(getpeername(fd, sa, &len));
	NAME(getsockname(listener, sa, &len));
	NAME(getpeername(listener, sa, &len));
	MUST(connect(fd, calls_loopback(a), ADDRLEN));
	b = calls_port(fd);
	NAME(getsockname(fd, sa, &len));
	NAME(getpeername(fd, sa, &len));
	s = (int)MUST(accept(listener, NULL, NULL));
	NAME(getsockname(s, sa, &len));
	NAME(getpeername(s, sa, &len));
	DO(shutdown(fd, SHUT_WR));
	NAME(getpeername(fd, sa, &len));
	(void)printf("the accepted polls -> %s\n", calls_wait(s, POLLIN));
	NAME(getpeername(s, sa, &len));
	DO(close(fd));
	host_sleep_ms(50);
	NAME(getpeername(s, sa, &len));
	len = 0;
	DO(getsockname(s, sa, &len));
	DO(len);
	len = (socklen_t)-1;
	DO(getsockname(s, sa, &len));
	len = sizeof(sin);
	DO(getsockname(s, NULL, &len));
	DO(getsockname(s, sa, NULL));
	DO(getsockname(99, sa, &len));
	DO(getpeername(99, sa, &len));
}

const struct calls_case calls_cases[] = {
    {"kinds", kinds},
    {"other-families", other_families},
    {"flags", flags},
    {"bind-stream", bind_stream},
    {"bind-reuse", bind_reuse},
    {"bind-time-wait", bind_time_wait},
    {"listening", listening},
    {"accepting", accepting},
    {"listener-close", listener_close},
    {"peer-gone-before-accept", peer_gone_before_accept},
    {"connect-blocking", connect_blocking},
    {"connect-self", connect_self},
    {"connect-nonblocking", connect_nonblocking},
    {"connect-refused-told-once", connect_refused_told_once},
    {"connect-unreachable", connect_unreachable},
    {"connect-no-neighbour", connect_no_neighbour},
    {"names", names},
    {NULL, NULL},
};
