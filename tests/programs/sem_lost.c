/* SPDX-License-Identifier: BSD-2-Clause */
/* The server goes while calls wait; it comes again. The test says when, by lines of input. */
#include "calls.h"

#define CALLS 5

static int pair[2], quiet[2], listener, datagrams;

static const char *
blocked(int which)
{
	struct pollfd p = {.fd = quiet[0], .events = POLLIN};
	char buf[4];
	long r = 0;

	switch (which) {
	case 0:
		r = read(quiet[0], buf, sizeof(buf));
		break;
	case 1:
		r = accept(listener, NULL, NULL);
		break;
	case 2:
		r = poll(&p, 1, -1);
		break;
	case 3:
		r = recv(datagrams, buf, sizeof(buf), 0);
		break;
	default:
		while (r >= 0)
			r = send(pair[1], calls_loopback(0), sizeof(struct sockaddr_in),
			    MSG_NOSIGNAL);
		break;
	}
	return r < 0 ? calls_errname(errno) : r == 0 ? "0" : "some";
}

static void *
blocked_main(void *arg)
{
	static const char *const names[CALLS] = {"read", "accept", "poll", "recv", "send"};
	static const char *results[CALLS];
	size_t which = (size_t)(uintptr_t)arg;

	results[which] = blocked((int)which);
	(void)printf("a blocked %s -> %s\n", names[which], results[which]);
	return NULL;
}

static void
lost(void)
{
	pthread_t thread[CALLS];
	int u[2];

	calls_pair(pair);
	calls_pair(quiet);
	listener = calls_listener(1);
	calls_udp_pair(u);
	datagrams = u[0];
	for (size_t i = 0; i < CALLS; i++)
		MUST(-pthread_create(&thread[i], NULL, blocked_main, (void *)(uintptr_t)i));
	host_sleep_ms(200);
	(void)printf("ready\n");
	for (size_t i = 0; i < CALLS; i++)
		MUST(-pthread_join(thread[i], NULL));
	DO(send(pair[0], "x", 1, MSG_NOSIGNAL));
	DO(getpeername(pair[0], calls_loopback(0), &(socklen_t){ADDRLEN}));
	DO(send(u[1], "x", 1, MSG_NOSIGNAL));
	DO(socket(AF_INET, SOCK_STREAM, 0));
	(void)printf("gone\n");
	(void)host_wait_line();
	DO(close(pair[0]));
	calls_pair(pair);
	DO(write(pair[0], "again", 5));
	DO(calls_wait(pair[1], POLLIN) != NULL);
	DO(read(pair[1], (char[8]){0}, 8));
}

/* --- the same with much going on ----------------------------------------------------------- */

#define WORKERS 8 /* every fourth has datagrams */
#define ROUNDS 20 /* that a worker has to make to be seen at work */
#define BLOCK 8192

struct worker {
	bool wk_dgram;
	_Atomic int wk_rounds;  /* without an error */
	_Atomic int wk_lost;    /* times that an error came */
	_Atomic int wk_strange; /* an errno that it should not be, or 0 */
};

static struct worker workers[WORKERS];

/* => 0, or errno */
static int
open_stream(int fd[2])
{
	int l = socket(AF_INET, SOCK_STREAM, 0), error = 0;
	struct sockaddr_in sin = calls_addr("127.0.0.1", 0);
	socklen_t len = sizeof(sin);

	fd[0] = fd[1] = -1;
	if (l < 0 || bind(l, (struct sockaddr *)&sin, len) != 0 || listen(l, 1) != 0 ||
	    getsockname(l, (struct sockaddr *)&sin, &len) != 0 ||
	    (fd[0] = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
	    connect(fd[0], (struct sockaddr *)&sin, len) != 0 ||
	    (fd[1] = accept(l, NULL, NULL)) < 0 ||
	    setsockopt(fd[1], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) != 0)
		error = errno;
	if (l >= 0)
		(void)close(l);
	return error;
}

static int
open_dgram(int fd[2])
{
	struct sockaddr_in sin = calls_addr("127.0.0.1", 0);
	socklen_t len = sizeof(sin);

	fd[1] = -1;
	if ((fd[0] = socket(AF_INET, SOCK_DGRAM, 0)) < 0 ||
	    bind(fd[0], (struct sockaddr *)&sin, len) != 0 ||
	    getsockname(fd[0], (struct sockaddr *)&sin, &len) != 0 ||
	    (fd[1] = socket(AF_INET, SOCK_DGRAM, 0)) < 0 ||
	    connect(fd[1], (struct sockaddr *)&sin, len) != 0)
		return errno;
	return 0;
}

/* From fd[1] to fd[0]. => 0, or errno; an end is ECONNRESET's brother here */
static int
exchange(const int fd[2])
{
	static const char block[BLOCK];
	char buf[BLOCK];
	ssize_t n = send(fd[1], block, sizeof(block), MSG_NOSIGNAL);

	if (n < 0)
		return errno;
	n = recv(fd[0], buf, sizeof(buf), MSG_WAITALL);
	return n < 0 ? errno : n == 0 ? ECONNRESET : 0;
}

static void *
worker_main(void *arg)
{
	struct worker *wk = arg;

	for (;;) {
		int fd[2], error = wk->wk_dgram ? open_dgram(fd) : open_stream(fd);

		for (int i = 0; i < 16 && error == 0; i++)
			error = exchange(fd);
		for (int i = 0; i < 2; i++) {
			if (fd[i] >= 0)
				(void)close(fd[i]);
		}
		if (error == 0) {
			wk->wk_rounds++;
			continue;
		}
		if (error != ENETDOWN && error != ECONNRESET && error != EPIPE)
			wk->wk_strange = error;
		wk->wk_rounds = 0;
		wk->wk_lost++;
		host_sleep_ms(2);
	}
	return NULL;
}

/* Until each worker is at work, or has lost its server again. => how many are */
static int
workers_wait(bool working, int lost_before[WORKERS])
{
	int n = 0;

	for (int tries = 0; tries < 1000 && n < WORKERS; tries++) {
		n = 0;
		for (int i = 0; i < WORKERS; i++)
			n += working ? workers[i].wk_rounds >= ROUNDS
				     : workers[i].wk_lost > lost_before[i];
		host_sleep_ms(10);
	}
	for (int i = 0; i < WORKERS; i++)
		lost_before[i] = workers[i].wk_lost;
	return n;
}

static void
load(void)
{
	int lost[WORKERS] = {0};
	pthread_t thread;

	for (int i = 0; i < WORKERS; i++) {
		workers[i].wk_dgram = i % 4 == 3;
		MUST(-pthread_create(&thread, NULL, worker_main, &workers[i]));
	}
	do {
		(void)printf("working %d\n", workers_wait(true, lost));
		(void)host_wait_line(); /* the server is gone */
		(void)printf("lost %d\n", workers_wait(false, lost));
		for (int i = 0; i < WORKERS; i++) {
			if (workers[i].wk_strange != 0)
				(void)printf("strange %s\n", calls_errname(workers[i].wk_strange));
		}
	} while (host_wait_line()); /* and back */
	exit(0);
}

const struct calls_case calls_cases[] = {
    {"-load", load},
    {"-lost", lost},
    {NULL, NULL},
};
