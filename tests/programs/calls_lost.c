/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client whose server ends under blocked calls, and comes back. It says "ready" when its threads
 * wait; a line on standard input tells that a new server is there.
 */
#include "calls.h"

struct lost {
	int lo_fd[2];
	char lo_call;
	long lo_result;
	int lo_errno;
};

static void *
lost_main(void *arg)
{
	struct lost *lo = arg;
	struct pollfd p = {.fd = lo->lo_fd[0], .events = POLLIN};
	static uint8_t buf[1 << 20];

	if (lo->lo_call == 'r')
		lo->lo_result = read(lo->lo_fd[0], buf, 1);
	else if (lo->lo_call == 'p')
		lo->lo_result = poll(&p, 1, -1);
	else if (lo->lo_call == 'a')
		lo->lo_result = accept(lo->lo_fd[0], NULL, NULL);
	else
		while ((lo->lo_result = write(lo->lo_fd[0], buf, sizeof(buf))) > 0)
			;
	lo->lo_errno = errno;
	return NULL;
}

static void
lost(void)
{
	static const char calls[] = "rpaw";
	struct lost lo[4];
	pthread_t thread[4];
	int fd[2];
	char buf[8];

	for (int i = 0; i < 4; i++) {
		lo[i] = (struct lost){.lo_call = calls[i]};
		if (calls[i] == 'a')
			lo[i].lo_fd[0] = calls_listener(1);
		else
			calls_pair(lo[i].lo_fd);
		MUST(-pthread_create(&thread[i], NULL, lost_main, &lo[i]));
	}
	host_sleep_ms(200);
	(void)alarm(20); /* nothing hangs: the limit of all that follows */
	(void)printf("ready\n");
	for (int i = 0; i < 4; i++) {
		MUST(-pthread_join(thread[i], NULL));
		(void)printf("a blocked %c -> %s\n", calls[i],
		    lo[i].lo_result < 0 ? calls_errname(lo[i].lo_errno) : "some");
	}
	DO(write(lo[0].lo_fd[0], "x", 1));
	DO(socket(AF_INET, SOCK_STREAM, 0));
	(void)printf("gone\n");
	MUST(host_wait_line() ? 0 : -1);
	DO(write(lo[0].lo_fd[0], "x", 1));
	calls_pair(fd);
	DO(write(fd[0], "again", 5));
	DO(recv(fd[1], buf, 5, MSG_WAITALL));
}

const struct calls_case calls_cases[] = {
    {"lost", lost},
    {NULL, NULL},
};
