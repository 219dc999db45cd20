/* SPDX-License-Identifier: BSD-2-Clause */
/* The server goes while calls wait; it comes again. The test says when, by lines of input. */
#include "calls.h"

#define CALLS 5

static int pair[2], listener, datagrams;

static const char *
blocked(int which)
{
	struct pollfd p = {.fd = pair[0], .events = POLLIN};
	char buf[4];
	long r = 0;

	switch (which) {
	case 0:
		r = read(pair[0], buf, sizeof(buf));
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

const struct calls_case calls_cases[] = {
    {"-lost", lost},
    {NULL, NULL},
};
