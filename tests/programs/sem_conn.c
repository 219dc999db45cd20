/* SPDX-License-Identifier: BSD-2-Clause */
/* Connecting and accepting, where calls_socket.c does not look. */
#include "calls.h"

#define MANY 16

/* As many connections as the backlog takes are made; the others wait. */
static void
backlog_full(void)
{
	int listener = calls_listener(2), fd[MANY], made = 0, accepted = 0;

	MUST(fcntl(listener, F_SETFL, O_NONBLOCK));
	for (int i = 0; i < MANY; i++) {
		fd[i] = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
		(void)connect(fd[i], calls_loopback(calls_port(listener)), ADDRLEN);
	}
	host_sleep_ms(100);
	for (int i = 0; i < MANY; i++) {
		struct pollfd p = {.fd = fd[i], .events = POLLOUT};

		made += poll(&p, 1, 0) == 1;
	}
	DO(made >= 2);
	DO(made < MANY);
	for (int left = 20; accepted < made && left > 0; left--) {
		accepted += accept(listener, NULL, NULL) >= 0;
		(void)poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 100);
	}
	DO(accepted >= made);
}

static void
accept_flags(void)
{
	int listener = calls_listener(4), s, c, u = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)),
	    value;
	socklen_t len = sizeof(value);

	DO(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &len));
	DO(value);
	for (int i = 0; i < 3; i++) {
		c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
		MUST(connect(c, calls_loopback(calls_port(listener)), ADDRLEN));
	}
	DO(getsockopt(c, SOL_SOCKET, SO_ACCEPTCONN, &value, &len));
	DO(value);
	DO(accept4(listener, NULL, NULL, 0x40000000));
	s = (int)MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	DO(fcntl(s, F_GETFL));
	DO(fcntl(s, F_GETFD));
	MUST(fcntl(listener, F_SETFL, O_NONBLOCK));
	MUST(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 2000));
	s = (int)MUST(accept(listener, NULL, NULL));
	DO(fcntl(s, F_GETFL));
	DO(fcntl(s, F_GETFD));
	MUST(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 2000));
	DO_FD(accept(listener, NULL, NULL));
	DO(accept(listener, NULL, NULL));
	DO(accept(c, NULL, NULL));
	DO(accept(u, NULL, NULL));
	DO(accept(0, NULL, NULL));
	DO(listen(u, 1));
	DO(listen(c, 1));
	DO(listen(listener, 10));
}

/* Two that connect to each other's port. */
static void
crossing(void)
{
	int a = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), pa, pb;
	int b = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));

	MUST(bind(a, calls_loopback(0), ADDRLEN));
	MUST(bind(b, calls_loopback(0), ADDRLEN));
	pa = calls_port(a);
	pb = calls_port(b);
	DO(connect(a, calls_loopback(pb), ADDRLEN));
	(void)printf("the first -> %s\n", calls_wait(a, POLLOUT | POLLERR));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(a));
	DO(connect(b, calls_loopback(pa), ADDRLEN));
}

static void
unbind(void)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int listener = calls_listener(2), fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), s;
	char byte;

	MUST(connect(fd, calls_loopback(calls_port(listener)), ADDRLEN));
	DO(connect(fd, &none, sizeof(none)));
	DO(connect(fd, &none, sizeof(none)));
	DO(connect(fd, calls_loopback(calls_port(listener)), ADDRLEN));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	s = (int)MUST(accept(listener, NULL, NULL));
	DO(read(s, &byte, 1));
	s = (int)MUST(accept(listener, NULL, NULL));
	DO(read(s, &byte, 1));
}

/* What only a connection can do; the listener does not block, so that nothing can wait. */
static void
listening(void)
{
	int listener = calls_listener(2), left;
	char byte;

	MUST(fcntl(listener, F_SETFL, O_NONBLOCK));
	DO(read(listener, &byte, 1));
	DO(recv(listener, &byte, 1, 0));
	DO(connect(listener, calls_loopback(calls_port(listener)), ADDRLEN));
	DO(bind(listener, calls_loopback(0), ADDRLEN));
	DO(ioctl(listener, FIONREAD, &left));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(listener));
	DO(shutdown(listener, SHUT_RD));
	DO(accept(listener, NULL, NULL));
}

/* A socket that is not connected. */
static void
unconnected(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), left;
	char byte;

	DO(read(fd, &byte, 1));
	DO(recv(fd, &byte, 1, 0));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	DO(shutdown(fd, SHUT_RDWR));
	DO(ioctl(fd, FIONREAD, &left));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
}

/* How many connections, or datagrams, one of them has. */
static int
taken(int fd, int type)
{
	int n = 0, conn;
	char byte;

	if (type == SOCK_DGRAM) {
		while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
			n++;
		return n;
	}
	while ((conn = accept(fd, NULL, NULL)) >= 0) {
		(void)close(conn);
		n++;
	}
	return n;
}

/* Two that share a port share what comes: of 64 each has some. */
static void
shared(int type)
{
	int fd[2], from[64], one = 1, n[2] = {0};
	struct pollfd p[2];

	for (int i = 0; i < 2; i++) {
		fd[i] = (int)MUST(socket(AF_INET, type | SOCK_NONBLOCK, 0));
		MUST(setsockopt(fd[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
		MUST(bind(fd[i], calls_loopback(i == 0 ? 0 : calls_port(fd[0])), ADDRLEN));
		if (type == SOCK_STREAM)
			MUST(listen(fd[i], 64));
	}
	for (int i = 0; i < 64; i++) {
		from[i] = (int)MUST(socket(AF_INET, type, 0));
		MUST(connect(from[i], calls_loopback(calls_port(fd[0])), ADDRLEN));
		if (type == SOCK_DGRAM)
			MUST(send(from[i], "x", 1, 0));
	}
	for (int i = 0; i < 2; i++)
		p[i] = (struct pollfd){.fd = fd[i], .events = POLLIN};
	while (n[0] + n[1] < 64 && poll(p, 2, 2000) > 0) {
		for (int i = 0; i < 2; i++)
			n[i] += taken(fd[i], type);
	}
	DO(n[0] + n[1]);
	DO(n[0] > 8 && n[1] > 8);
}

static void
reuseport(void)
{
	shared(SOCK_STREAM);
	shared(SOCK_DGRAM);
}

static int
udp_sharing(int option, struct sockaddr *sa)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)), one = 1;

	if (option != 0)
		MUST(setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one)));
	if (bind(fd, sa, ADDRLEN) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Which datagram sockets may have one port: options of either, any address and one. */
static void
bind_datagrams(void)
{
	static const int options[] = {0, SO_REUSEADDR, SO_REUSEPORT};
	static const char *const names[] = {"none", "SO_REUSEADDR", "SO_REUSEPORT"};
	static const char *const addrs[] = {"0.0.0.0", "127.0.0.1"};
	int fd[2];

	for (int i = 0; i < 36; i++) {
		struct sockaddr_in sin = calls_addr(addrs[i % 2], 0);

		fd[0] = udp_sharing(options[i / 4 % 3], (struct sockaddr *)&sin);
		sin = calls_addr(addrs[i / 2 % 2], calls_port(fd[0]));
		fd[1] = udp_sharing(options[i / 12], (struct sockaddr *)&sin);
		(void)printf("%s with %s beside %s with %s -> %s\n", addrs[i / 2 % 2],
		    names[i / 12], addrs[i % 2], names[i / 4 % 3],
		    fd[1] >= 0 ? "0" : calls_errname(errno));
		(void)close(fd[0]);
		if (fd[1] >= 0)
			(void)close(fd[1]);
	}
}

/* Of those that share by SO_REUSEADDR the last bound has what comes. */
static void
last_bound(void)
{
	int fd[3], port = 0, from = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	char byte;

	for (int i = 0; i < 3; i++) {
		fd[i] = (int)MUST(udp_sharing(SO_REUSEADDR, calls_loopback(port)));
		port = calls_port(fd[i]);
	}
	MUST(sendto(from, "a", 1, 0, calls_loopback(port), ADDRLEN));
	(void)printf("polls -> %s\n", calls_wait(fd[2], POLLIN));
	for (int i = 0; i < 3; i++)
		DO(recv(fd[i], &byte, 1, 0));
	(void)close(fd[2]);
	MUST(sendto(from, "b", 1, 0, calls_loopback(port), ADDRLEN));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(recv(fd[0], &byte, 1, 0));
	DO(recv(fd[1], &byte, 1, 0));
}

const struct calls_case calls_cases[] = {
    {"reuseport", reuseport},
    {"bind-datagrams", bind_datagrams},
    {"last-bound", last_bound},
    {"backlog-full", backlog_full},
    {"accept-flags", accept_flags},
    {"crossing", crossing},
    {"listening", listening},
    {"unbind", unbind},
    {"unconnected", unconnected},
    {NULL, NULL},
};
