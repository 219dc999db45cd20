/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting: poll and select, their time-outs, and readiness at each stage of a socket's life. */
#include "calls.h"

static const char *
at_once(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};

	return poll(&p, 1, 0) < 0 ? calls_errname(errno) : calls_revents(p.revents);
}

static void
stages(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), listener, pair[2];
	int u = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	struct linger linger = {1, 0};
	char buf[8];

	(void)printf("a new one -> %s\n", at_once(fd));
	(void)printf("a new datagram one -> %s\n", at_once(u));
	MUST(bind(fd, calls_loopback(0), ADDRLEN));
	(void)printf("a bound one -> %s\n", at_once(fd));
	listener = calls_listener(1);
	(void)printf("a listener -> %s\n", at_once(listener));
	MUST(connect(fd, calls_loopback(calls_port(listener)), ADDRLEN));
	(void)printf("a connected one -> %s\n", at_once(fd));
	(void)printf("its listener -> %s\n", calls_wait(listener, POLLIN | POLLOUT));
	calls_pair(pair);
	MUST(write(pair[0], "x", 1));
	(void)printf("with data -> %s\n", calls_wait(pair[1], POLLIN));
	(void)printf("with data -> %s\n", at_once(pair[1]));
	MUST(shutdown(pair[0], SHUT_WR));
	(void)printf("who shut -> %s\n", at_once(pair[0]));
	MUST(read(pair[1], buf, 1));
	(void)printf("who was shut out -> %s\n", calls_wait(pair[1], POLLIN));
	(void)printf("who was shut out -> %s\n", at_once(pair[1]));
	MUST(shutdown(pair[1], SHUT_WR));
	(void)printf("both shut -> %s\n", calls_wait(pair[1], POLLHUP));
	(void)printf("both shut -> %s\n", at_once(pair[1]));
	(void)printf("both shut -> %s\n", calls_wait(pair[0], POLLHUP));
	(void)printf("both shut -> %s\n", at_once(pair[0]));
	calls_pair(pair);
	MUST(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	MUST(close(pair[1]));
	(void)printf("reset -> %s\n", calls_wait(pair[0], POLLIN));
	(void)printf("reset -> %s\n", at_once(pair[0]));
	(void)printf("reset, SO_ERROR -> %s\n", calls_soerror(pair[0]));
	(void)printf("reset and told -> %s\n", at_once(pair[0]));
}

static void
several(void)
{
	struct pollfd p[5];
	int a[2], b[2], u[2];

	calls_pair(a);
	calls_pair(b);
	calls_udp_pair(u);
	MUST(write(a[0], "x", 1));
	MUST(sendto(u[0], "x", 1, 0, calls_loopback(calls_port(u[1])), ADDRLEN));
	(void)calls_wait(a[1], POLLIN);
	(void)calls_wait(u[1], POLLIN);
	p[0] = (struct pollfd){.fd = a[1], .events = POLLIN};
	p[1] = (struct pollfd){.fd = b[1], .events = POLLIN, .revents = -1};
	p[2] = (struct pollfd){.fd = u[1], .events = POLLIN};
	p[3] = (struct pollfd){.fd = 99, .events = POLLIN};
	p[4] = (struct pollfd){.fd = -1, .events = POLLIN, .revents = -1};
	DO(poll(p, 5, -1));
	for (int i = 0; i < 5; i++)
		(void)printf("descriptor %d -> %s\n", i, calls_revents(p[i].revents));
	p[0].events = p[2].events = 0;
	DO(poll(p, 3, 0));
	p[0].fd = -2;
	DO(poll(p, 1, 0));
	DO(poll(calls_null, 0, 0));
	DO(poll(calls_null, 1, 0));
}

static void
many(void)
{
	static struct pollfd p[500];
	int fd[2];

	calls_pair(fd);
	for (int i = 0; i < 500; i++)
		p[i] = (struct pollfd){.fd = fd[i % 2], .events = POLLOUT};
	DO(poll(p, 500, -1));
	for (int i = 0; i < 500; i++)
		p[i].events = POLLIN;
	DO(poll(p, 500, 20));
	MUST(write(fd[0], "x", 1));
	(void)calls_wait(fd[1], POLLIN);
	DO(poll(p, 500, -1));
}

static void
time_outs(void)
{
	struct timespec ts = {0, 100000000}, bad = {0, 1000000000};
	struct timeval tv = {0, 100000}, negative = {-1, 0};
	int64_t start = host_now_ms();
	struct pollfd p;
	int fd[2];
	fd_set set;

	calls_pair(fd);
	p = (struct pollfd){.fd = fd[0], .events = POLLIN};
	start = host_now_ms();
	DO(poll(&p, 1, 100));
	DO(host_now_ms() - start >= 99);
	DO(host_now_ms() - start < 1500);
	start = host_now_ms();
	DO(poll(calls_null, 0, 60));
	DO(host_now_ms() - start >= 59);
	start = host_now_ms();
	DO(ppoll(&p, 1, &ts, NULL));
	DO(host_now_ms() - start >= 99);
	DO(ppoll(&p, 1, &bad, NULL));
	FD_ZERO(&set);
	FD_SET(fd[0], &set);
	start = host_now_ms();
	DO(select(fd[0] + 1, &set, NULL, NULL, &tv));
	DO(host_now_ms() - start >= 99);
	DO(host_now_ms() - start < 1500);
	DO(FD_ISSET(fd[0], &set));
	DO(tv.tv_sec + tv.tv_usec);
	start = host_now_ms();
	DO(pselect(0, NULL, NULL, NULL, &ts, NULL));
	DO(host_now_ms() - start >= 99);
	DO(select(0, NULL, NULL, NULL, &negative));
}

static void
selects(void)
{
	struct timeval zero = {0, 0}, left = {5, 0};
	fd_set r, w, e;
	int a[2], b[2], top;

	calls_pair(a);
	calls_pair(b);
	top = b[1] + 1;
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(a[0], &r);
	FD_SET(a[1], &r);
	FD_SET(b[0], &w);
	FD_SET(b[1], &e);
	DO(select(top, &r, &w, &e, NULL));
	DO(FD_ISSET(a[0], &r) + FD_ISSET(a[1], &r));
	DO(FD_ISSET(b[0], &w) != 0);
	MUST(send(a[0], "x", 1, 0));
	MUST(send(b[0], "x", 1, MSG_OOB));
	(void)calls_wait(a[1], POLLIN);
	(void)calls_wait(b[1], POLLPRI);
	FD_SET(a[0], &r);
	FD_SET(a[1], &r);
	FD_SET(b[1], &e);
	DO(select(top, &r, &w, &e, &left));
	DO(FD_ISSET(a[0], &r) != 0);
	DO(FD_ISSET(a[1], &r) != 0);
	DO(FD_ISSET(b[1], &e) != 0);
	DO(left.tv_sec >= 4);
	FD_ZERO(&r);
	/* not open, yet within the smallest table that Linux gives a process: it looks no further */
	FD_SET(60, &r);
	DO(select(61, &r, NULL, NULL, &zero));
	DO(select(-1, NULL, NULL, NULL, &zero));
	DO(select(60, &r, NULL, NULL, &zero));
}

static void *
wake_writer(void *arg)
{
	host_sleep_ms(80);
	MUST(write(*(int *)arg, "x", 1));
	return NULL;
}

static void *
wake_closer(void *arg)
{
	host_sleep_ms(80);
	MUST(close(*(int *)arg));
	return NULL;
}

/* Woken by data, by a connection, by the peer's end, by room. */
static void
woken(void)
{
	int fd[2], listener = calls_listener(1), c;
	static uint8_t buf[65536];
	pthread_t thread;
	fd_set r;
	ssize_t n;

	calls_pair(fd);
	MUST(-pthread_create(&thread, NULL, wake_writer, &fd[0]));
	(void)printf("data -> %s\n", calls_wait(fd[1], POLLIN));
	MUST(-pthread_join(thread, NULL));
	MUST(read(fd[1], buf, 1));
	MUST(-pthread_create(&thread, NULL, wake_writer, &fd[0]));
	FD_ZERO(&r);
	FD_SET(fd[1], &r);
	DO(select(fd[1] + 1, &r, NULL, NULL, NULL));
	MUST(-pthread_join(thread, NULL));
	MUST(read(fd[1], buf, 1));
	MUST(-pthread_create(&thread, NULL, wake_closer, &fd[0]));
	(void)printf("end -> %s\n", calls_wait(fd[1], POLLIN));
	MUST(-pthread_join(thread, NULL));
	c = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	DO(connect(c, calls_loopback(calls_port(listener)), ADDRLEN));
	(void)printf("connection -> %s\n", calls_wait(listener, POLLIN));
	(void)printf("connected -> %s\n", calls_wait(c, POLLOUT));
	while (write(c, buf, sizeof(buf)) > 0)
		;
	(void)printf("full -> %s\n", at_once(c));
	fd[0] = (int)MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	(void)calls_wait(fd[0], POLLIN);
	while ((n = read(fd[0], buf, sizeof(buf))) > 0)
		host_sleep_ms(1);
	(void)printf("room -> %s\n", calls_wait(c, POLLOUT));
}

/* Each poll of two is woken by the one that got a byte. */
static void
both_directions(void)
{
	struct pollfd p[2];
	int fd[2];
	char byte;

	calls_pair(fd);
	for (int i = 0; i < 2000; i++) {
		p[0] = (struct pollfd){.fd = fd[0], .events = POLLIN};
		p[1] = (struct pollfd){.fd = fd[1], .events = POLLIN};
		MUST(write(fd[i % 2], "x", 1));
		if (poll(p, 2, 2000) != 1 || p[1 - i % 2].revents != POLLIN) {
			(void)printf("round %d -> %s\n", i, calls_revents(p[1 - i % 2].revents));
			return;
		}
		MUST(read(fd[1 - i % 2], &byte, 1));
	}
	(void)printf("2000 rounds\n");
}

const struct calls_case calls_cases[] = {
    {"stages", stages},
    {"several", several},
    {"many", many},
    {"time-outs", time_outs},
    {"selects", selects},
    {"woken", woken},
    {"both-directions", both_directions},
    {NULL, NULL},
};
