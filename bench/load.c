/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load: the traffic of the evaluation that is no bulk stream. One mode a run; a server's mode on one
 * side, a client's on the other. Built for every door from the same source.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

struct mode {
	const char *m_name;
	int (*m_run)(struct load *l);
	const char *m_text;
};

static const struct mode modes[] = {
    {"echo", mode_echo, "server: sends each message of -s bytes back; one connection"},
    {"rr", mode_rr, "client of echo: a message and its answer at a time; their times"},
    {"accept", mode_accept, "server: accepts and closes"},
    {"connect", mode_connect, "client of accept: connects, reads the end, closes; their times"},
    {"hold", mode_hold, "server: keeps -n connections until its input ends"},
    {"idle", mode_idle, "client of hold: keeps -n connections until its input ends"},
    {"null", mode_null, "the shortest call on a socket, over and over; their times"},
    {"udpin", mode_udpin, "server: counts datagrams until none come"},
    {"udpout", mode_udpout, "client of udpin: sends datagrams as fast as it can"},
};
#define NMODES (sizeof(modes) / sizeof(modes[0]))

static void
help_print(void)
{
	(void)printf("usage: %s MODE [OPTION]...\n\n", program_invocation_short_name);
	for (size_t i = 0; i < NMODES; i++)
		(void)printf("  %-9s %s\n", modes[i].m_name, modes[i].m_text);
	(void)fputs("\n  -a ADDRESS  IPv4 address to bind or to connect to\n"
		    "  -p PORT     of it (default, for a server: any)\n"
		    "  -s BYTES    size of a message (default 1)\n"
		    "  -t SECONDS  how long, fractions allowed (default 1)\n"
		    "  -w SECONDS  before that, not counted\n"
		    "  -n COUNT    connections (default 1)\n"
		    "  -m COUNT    datagrams a system call (default 1: sendto and recv)\n"
		    "\nPrints one line of JSON. Exit: 0 ok, 1 failed, 2 wrong usage.\n",
	    stdout);
}

static void
option(struct load *l, int c)
{
	switch (c) {
	case 'a':
		if (inet_pton(AF_INET, optarg, &l->l_addr.sin_addr) != 1)
			usage("-a", optarg);
		break;
	case 'p':
		l->l_addr.sin_port = htons((uint16_t)parse_size("-p", optarg, 0, 65535));
		break;
	case 's':
		l->l_size = parse_size("-s", optarg, 1, LOAD_SIZE_MAX);
		break;
	case 't':
		l->l_time_ms = parse_ms("-t", optarg);
		break;
	case 'w':
		l->l_warmup_ms = parse_ms("-w", optarg);
		break;
	case 'n':
		l->l_count = (unsigned)parse_size("-n", optarg, 1, 1u << 20);
		break;
	case 'm':
		l->l_batch = (unsigned)parse_size("-m", optarg, 1, LOAD_BATCH_MAX);
		break;
	case 'h':
		help_print();
		exit(EXIT_SUCCESS);
	default:
		exit(EXIT_USAGE);
	}
}

static const struct mode *
mode_find(const char *name)
{
	for (size_t i = 0; i < NMODES; i++) {
		if (strcmp(modes[i].m_name, name) == 0)
			return &modes[i];
	}
	usage("mode", name);
}

void
load_wait(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) > 0)
		continue;
}

int
samples_add(struct samples *sm, uint64_t ns)
{
	if (sm->sm_n == sm->sm_room) {
		size_t room = sm->sm_room == 0 ? 1u << 16 : sm->sm_room * 2;
		uint32_t *more = realloc(sm->sm_ns, room * sizeof(*more));

		if (more == NULL) {
			(void)failed("samples", NULL, "a shorter -t");
			return false;
		}
		sm->sm_ns = more;
		sm->sm_room = room;
	}
	sm->sm_ns[sm->sm_n++] = (uint32_t)(ns < UINT32_MAX ? ns : UINT32_MAX);
	return true;
}

static int
by_size(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void
samples_print(struct samples *sm, const char *mode, size_t size, double seconds)
{
	static const double points[] = {0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.99,
	    100};

	if (sm->sm_n > 0)
		qsort(sm->sm_ns, sm->sm_n, sizeof(*sm->sm_ns), by_size);
	(void)printf("{\"mode\": \"%s\", \"size\": %zu, \"count\": %zu, \"seconds\": %.6f, "
		     "\"per_s\": %.3f, \"cpu_s\": %.6f, \"us\": {",
	    mode, size, sm->sm_n, seconds, seconds > 0 ? (double)sm->sm_n / seconds : 0,
	    (double)cpu_ns() / 1e9);
	for (size_t i = 0; sm->sm_n > 0 && i < sizeof(points) / sizeof(points[0]); i++) {
		size_t at = (size_t)(points[i] / 100 * (double)(sm->sm_n - 1) + 0.5);

		(void)printf("%s\"%g\": %.3f", i == 0 ? "" : ", ", points[i], sm->sm_ns[at] / 1e3);
	}
	(void)puts("}}");
	(void)fflush(stdout);
	free(sm->sm_ns);
	*sm = (struct samples){0};
}

int
main(int argc, char **argv)
{
	struct load l = {
	    .l_addr.sin_family = AF_INET,
	    .l_size = 1,
	    .l_time_ms = 1000,
	    .l_count = 1,
	    .l_batch = 1,
	};
	char text[INET_ADDRSTRLEN] = "";
	int c;

	while ((c = getopt(argc, argv, "a:p:s:t:w:n:m:h")) != -1)
		option(&l, c);
	if (optind + 1 != argc)
		usage("mode", optind == argc ? "(not given)" : argv[optind + 1]);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)inet_ntop(AF_INET, &l.l_addr.sin_addr, text, sizeof(text));
	(void)snprintf(l.l_where, sizeof(l.l_where), "%s:%u", text, ntohs(l.l_addr.sin_port));
	return mode_find(argv[optind])->m_run(&l);
}
