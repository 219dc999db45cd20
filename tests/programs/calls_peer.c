/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls whose peer is a Linux host across the wire: calls_argv is an address that nobody has, the
 * peer's address and port, and the wire's broadcast address. The first line sent tells the peer
 * what to do: see PEER in test_calls.py.
 */
#include "calls.h"

#define BIG ((1u << 20) + 1)

static struct sockaddr_in
peer_addr(void)
{
	return calls_addr(calls_argv[1], atoi(calls_argv[2]));
}

static int
ask_peer(const char *what)
{
	struct sockaddr_in sin = peer_addr();
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

	MUST(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
	MUST(write(fd, what, strlen(what)));
	return fd;
}

struct sender {
	int se_fd;
	ssize_t se_result;
};

static void *
sender_main(void *arg)
{
	struct sender *se = arg;
	uint8_t *buf = malloc(BIG);

	calls_fill(buf, BIG, 5);
	se->se_result = write(se->se_fd, buf, BIG);
	free(buf);
	return NULL;
}

static void
echo(void)
{
	struct sender se = {.se_fd = ask_peer("echo\n")};
	pthread_t thread;
	char byte;

	MUST(-pthread_create(&thread, NULL, sender_main, &se));
	DO(calls_expect(se.se_fd, BIG, 5));
	MUST(-pthread_join(thread, NULL));
	DO(se.se_result);
	DO(shutdown(se.se_fd, SHUT_WR));
	DO(read(se.se_fd, &byte, 1));
	DO(read(se.se_fd, &byte, 1));
}

/* "before" and a RST, which comes after a time to read what is there. */
static void
reset(void)
{
	int fd = ask_peer("reset\n");
	char buf[16];

	DO(recv(fd, buf, 6, MSG_WAITALL));
	DO(write(fd, "go\n", 3));
	DO(read(fd, buf, sizeof(buf)));
	DO(read(fd, buf, sizeof(buf)));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLIN | POLLOUT));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
}

/* The peer closes with our data unread: a RST, too. */
static void
close_unread(void)
{
	int fd = ask_peer("unread\nmore that is never read");
	char buf[16];

	DO(read(fd, buf, sizeof(buf)));
	DO(read(fd, buf, sizeof(buf)));
}

static void
fin(void)
{
	int fd = ask_peer("close\n");
	char buf[16];

	DO(recv(fd, buf, sizeof(buf), MSG_WAITALL));
	DO(read(fd, buf, sizeof(buf)));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLIN | POLLOUT));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	(void)printf("polls -> %s\n", calls_wait(fd, POLLERR));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
}

static void
half_close(void)
{
	int fd = ask_peer("count\n");
	uint8_t buf[64] = {0};

	DO(write(fd, "twelve bytes", 12));
	DO(shutdown(fd, SHUT_WR));
	DO(recv(fd, buf, sizeof(buf) - 1, MSG_WAITALL));
	(void)printf("the peer counted -> %s\n", (char *)buf);
	DO(read(fd, buf, 1));
}

static void
urgent(void)
{
	int fd = ask_peer("urgent\n"), mark = -1;
	char buf[16];

	(void)printf("polls -> %s\n", calls_wait(fd, POLLPRI));
	DO(recv(fd, buf, 1, MSG_OOB));
	DO(buf[0]);
	DO(read(fd, buf, sizeof(buf)));
	DO(ioctl(fd, SIOCATMARK, &mark));
	DO(mark);
	DO(write(fd, "go\n", 3));
	DO(read(fd, buf, sizeof(buf)));
	DO(send(fd, "abcY", 4, MSG_OOB));
	DO(recv(fd, buf, 2, MSG_WAITALL));
	DO(buf[0]);
	DO(buf[1]);
}

/* Until it can be written to: the end of a socket may be seen a moment before the room it makes. */
static void
wait_for_room(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	for (int ms = 0; ms < 5000 && (p.revents & POLLOUT) == 0; ms++) {
		(void)poll(&p, 1, 1000);
		if ((p.revents & POLLOUT) == 0)
			host_sleep_ms(1);
	}
}

static void
refused(void)
{
	struct sockaddr_in sin = peer_addr();
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	int u = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	char byte;

	sin.sin_port = htons(1);
	DO(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
	fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	DO(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
	wait_for_room(fd);
	(void)printf("polls -> %s\n", calls_wait(fd, POLLOUT));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd));
	DO(connect(u, (struct sockaddr *)&sin, ADDRLEN));
	DO(write(u, "x", 1));
	DO(read(u, &byte, 1));
	DO(recv(u, &byte, 1, MSG_DONTWAIT));
}

/* Datagrams of every size there and back, in fragments where the wire asks for them. */
static void
datagrams(void)
{
	static const size_t sizes[] = {0, 1, 1471, 1472, 1473, 2960, 9000, 65507};
	struct timeval tv = {5, 0};
	struct sockaddr_in sin = peer_addr();
	static uint8_t out[65507], in[65536];
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), room = 200000;

	MUST(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	DO(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ssize_t sent, got;

		calls_fill(out, sizes[i], (unsigned)i);
		sent = write(fd, out, sizes[i]);
		got = read(fd, in, sizeof(in));
		(void)printf("datagram of %zu -> %zd, %zd, %s\n", sizes[i], sent, got,
		    got >= 0 && memcmp(in, out, (size_t)got) == 0 ? "the same" : "DIFFERENT");
	}
}

/* The peer connects to us. */
static void
called_back(void)
{
	int listener = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), fd, s;
	struct sockaddr_in any = calls_addr("0.0.0.0", 0);
	char line[32], buf[16];

	DO(bind(listener, (struct sockaddr *)&any, ADDRLEN));
	DO(listen(listener, 1));
	(void)snprintf(line, sizeof(line), "call %d\n", calls_port(listener));
	fd = ask_peer(line);
	s = DO_FD(accept(listener, NULL, NULL));
	DO(recv(s, buf, 5, MSG_WAITALL));
	DO(write(s, "answer", 6));
	DO(close(s));
	DO(read(fd, buf, sizeof(buf)));
	DO(close(fd));
}

const struct calls_case calls_cases[] = {
    {"echo", echo},
    {"reset", reset},
    {"close-unread", close_unread},
    {"fin", fin},
    {"half-close", half_close},
    {"urgent", urgent},
    {"refused", refused},
    {"datagrams", datagrams},
    {"called-back", called_back},
    {NULL, NULL},
};
