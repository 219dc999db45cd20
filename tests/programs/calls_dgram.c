/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams: boundaries, truncation, sizes, connected sockets and what ICMP tells them. */
#include "calls.h"

static void
boundaries(void)
{
	struct sockaddr_in from = {0};
	socklen_t len = sizeof(from);
	char buf[16];
	int fd[2], a, b;

	calls_udp_pair(fd);
	a = calls_port(fd[0]);
	b = calls_port(fd[1]);
	DO(sendto(fd[0], "one", 3, 0, calls_loopback(b), ADDRLEN));
	DO(sendto(fd[0], "", 0, 0, calls_loopback(b), ADDRLEN));
	DO(sendto(fd[0], "three", 5, 0, calls_loopback(b), ADDRLEN));
	DO(recvfrom(fd[1], buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	DO(len);
	calls_say_name("from", 0, &from, a, b);
	len = 6;
	DO(recvfrom(fd[1], buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	DO(len);
	DO(recvfrom(fd[1], buf, sizeof(buf), MSG_WAITALL, NULL, NULL));
	DO(recvfrom(fd[1], buf, sizeof(buf), MSG_DONTWAIT, NULL, NULL));
	DO(read(fd[1], buf, 0));
}

static void
truncation(void)
{
	char buf[4], more[4];
	struct iovec iov[2] = {{buf, 2}, {more, 1}};
	struct sockaddr_in from = {0};
	struct msghdr msg = {.msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_name = &from,
	    .msg_namelen = sizeof(from)};
	int fd[2], b, left = -1;

	calls_udp_pair(fd);
	b = calls_port(fd[1]);
	for (int i = 0; i < 5; i++)
		DO(sendto(fd[0], "abcdef", 6, 0, calls_loopback(b), ADDRLEN));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(recv(fd[1], buf, 2, MSG_PEEK));
	DO(ioctl(fd[1], FIONREAD, &left));
	DO(left);
	DO(recv(fd[1], buf, 2, 0));
	DO(recvmsg(fd[1], &msg, MSG_PEEK));
	DO(msg.msg_flags == MSG_TRUNC);
	DO(recvmsg(fd[1], &msg, 0));
	DO(msg.msg_flags == MSG_TRUNC);
	DO(msg.msg_namelen);
	DO(more[0]);
	DO(recv(fd[1], buf, 0, 0));
	DO(recv(fd[1], buf, 2, MSG_TRUNC));
	(void)printf("polls again -> %s\n", calls_wait(fd[1], POLLIN)); /* the fifth may be late */
	DO(recv(fd[1], buf, 2, MSG_DONTWAIT));
	DO(ioctl(fd[1], FIONREAD, &left));
}

static void
sizes(void)
{
	static const size_t lengths[] = {1, 511, 1471, 1472, 1473, 8191, 8192, 8193, 9216, 9217,
	    16384, 32768, 65506, 65507, 65508, 65535, 65536, 100000};
	static uint8_t out[100000], in[100000];
	int fd[2], b, room = 200000;

	calls_udp_pair(fd);
	b = calls_port(fd[1]);
	DO(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	DO(setsockopt(fd[1], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		ssize_t sent, got = -1;

		calls_fill(out, lengths[i], (unsigned)i);
		sent = sendto(fd[0], out, lengths[i], 0, calls_loopback(b), ADDRLEN);
		if (sent < 0) {
			(void)printf("%zu -> %s\n", lengths[i], calls_errname(errno));
			continue;
		}
		(void)printf("%zu -> %zd, the peer polls %s\n", lengths[i], sent,
		    calls_wait(fd[1], POLLIN));
		got = recv(fd[1], in, sizeof(in), MSG_DONTWAIT);
		(void)printf("got %zd, -> %s\n", got,
		    got == sent && memcmp(in, out, (size_t)got) == 0 ? "the same" : "DIFFERENT");
	}
}

/* A fresh socket's buffers take the largest datagram, without being told to. */
static void
largest_at_once(void)
{
	static uint8_t buf[65508];
	int fd[2], b;

	calls_udp_pair(fd);
	b = calls_port(fd[1]);
	DO(sendto(fd[0], buf, 65507, 0, calls_loopback(b), ADDRLEN));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT));
}

static void
connected(void)
{
	struct sockaddr_in sin = {0}, unspec = {.sin_family = AF_UNSPEC};
	socklen_t len = sizeof(sin);
	int fd[2], third = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), a, b;
	char buf[16];

	calls_udp_pair(fd);
	a = calls_port(fd[0]);
	b = calls_port(fd[1]);
	DO(send(fd[0], "x", 1, 0));
	DO(write(fd[0], "x", 1));
	DO(getpeername(fd[0], (struct sockaddr *)&sin, &len));
	DO(connect(fd[0], calls_loopback(b), ADDRLEN));
	calls_say_name("getpeername", getpeername(fd[0], (struct sockaddr *)&sin, &len), &sin, a,
	    b);
	DO(write(fd[0], "hello", 5));
	DO(read(fd[1], buf, sizeof(buf)));
	DO(sendto(third, "stranger", 8, 0, calls_loopback(a), ADDRLEN));
	DO(sendto(fd[1], "friend", 6, 0, calls_loopback(a), ADDRLEN));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(recv(fd[0], buf, sizeof(buf), MSG_DONTWAIT));
	DO(sendto(fd[0], "elsewhere", 9, 0, calls_loopback(calls_port(third)), ADDRLEN));
	DO(sendto(fd[0], "", 0, 0, NULL, 0));
	DO(read(fd[1], buf, sizeof(buf)));
	DO(connect(fd[0], calls_loopback(calls_port(third)), ADDRLEN));
	DO(connect(fd[0], (struct sockaddr *)&unspec, ADDRLEN));
	DO(getpeername(fd[0], (struct sockaddr *)&sin, &len));
	DO(write(fd[0], "x", 1));
	DO(sendto(fd[0], "x", 1, 0, calls_loopback(0), ADDRLEN));
	DO(sendto(fd[0], "x", 1, 0, calls_loopback(b), 3));
	DO(calls_port(fd[0]) == a);
}

static int
dead_port(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), port;

	MUST(bind(fd, calls_loopback(0), ADDRLEN));
	port = calls_port(fd);
	MUST(close(fd));
	return port;
}

static void
refused(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), port = dead_port();
	int free_one = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	char buf[4];

	DO(connect(fd, calls_loopback(port), ADDRLEN));
	DO(write(fd, "x", 1));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLIN));
	DO(read(fd, buf, sizeof(buf)));
	DO(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	DO(write(fd, "x", 1));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLIN));
	DO(write(fd, "x", 1));
	DO(write(fd, "x", 1));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLIN));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
	DO(sendto(free_one, "x", 1, 0, calls_loopback(port), ADDRLEN));
	host_sleep_ms(50);
	(void)printf("SO_ERROR of an unconnected one -> %s\n", calls_soerror(free_one));
}

static void
broadcast(void)
{
	struct sockaddr_in all = calls_addr(calls_argv[3], 9);
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), on = 1;

	DO(sendto(fd, "x", 1, 0, (struct sockaddr *)&all, ADDRLEN));
	DO(connect(fd, (struct sockaddr *)&all, ADDRLEN));
	DO(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)));
	DO(sendto(fd, "x", 1, 0, (struct sockaddr *)&all, ADDRLEN));
	DO(connect(fd, (struct sockaddr *)&all, ADDRLEN));
	DO(write(fd, "x", 1));
}

static void
shut(void)
{
	int fd[2], b;
	char buf[4];

	(void)signal(SIGPIPE, SIG_IGN);
	calls_udp_pair(fd);
	b = calls_port(fd[1]);
	DO(shutdown(fd[0], SHUT_WR));
	DO(connect(fd[0], calls_loopback(b), ADDRLEN));
	DO(shutdown(fd[0], SHUT_WR));
	DO(write(fd[0], "x", 1));
	DO(shutdown(fd[0], SHUT_RD));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(recv(fd[1], buf, 1, MSG_OOB | MSG_DONTWAIT));
	DO(sendto(fd[1], "x", 1, MSG_OOB, calls_loopback(b), ADDRLEN));
}

/* More than the receiver's buffer holds is lost, and nothing breaks. */
static void
overflow(void)
{
	static uint8_t buf[8000];
	int fd[2], b, room = 20000;
	unsigned sent = 0, got = 0;

	calls_udp_pair(fd);
	b = calls_port(fd[1]);
	DO(setsockopt(fd[1], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	for (int i = 0; i < 100; i++)
		sent += sendto(fd[0], buf, sizeof(buf), 0, calls_loopback(b), ADDRLEN) ==
		    (ssize_t)sizeof(buf);
	DO(sent);
	host_sleep_ms(50);
	while (recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT) == (ssize_t)sizeof(buf))
		got++;
	DO(got >= 1 && got < 20);
	DO(sendto(fd[0], "after", 5, 0, calls_loopback(b), ADDRLEN));
	DO(recv(fd[1], buf, sizeof(buf), 0));
}

static void
vectors(void)
{
	char a[3] = "abc", b[4] = "defg", in[16];
	struct iovec out[3] = {{a, 3}, {NULL, 0}, {b, 4}}, two[2] = {{in, 2}, {in + 2, 14}};
	int fd[2];

	calls_udp_pair(fd);
	MUST(connect(fd[0], calls_loopback(calls_port(fd[1])), ADDRLEN));
	DO(writev(fd[0], out, 3));
	DO(readv(fd[1], two, 2));
	DO(memcmp(in, "abcdefg", 7));
	DO(writev(fd[0], out, 0));
	(void)printf("an empty datagram -> %s\n",
	    recv(fd[1], in, 1, MSG_DONTWAIT) == 0 ? "came" : "none");
	DO(write(fd[0], a, 0));
	DO(recv(fd[1], in, 1, 0));
	DO(write(fd[0], calls_wild, 10));
	DO(recv(fd[1], in, 1, MSG_DONTWAIT));
	DO(write(fd[0], "abc", 3));
	DO(read(fd[1], calls_wild, 3));
	DO(recv(fd[1], in, 3, MSG_DONTWAIT));
}

const struct calls_case calls_cases[] = {
    {"boundaries", boundaries},
    {"truncation", truncation},
    {"sizes", sizes},
    {"largest-at-once", largest_at_once},
    {"connected", connected},
    {"refused", refused},
    {"broadcast", broadcast},
    {"shut", shut},
    {"overflow", overflow},
    {"vectors", vectors},
    {NULL, NULL},
};
