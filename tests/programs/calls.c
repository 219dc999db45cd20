/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame of the programs that compare system calls: main(), printing, pairs of sockets. */
#include "calls.h"

#define WAIT_MS 5000

int calls_argc;
char **calls_argv;
void *volatile calls_null, *volatile calls_wild = (void *)16;

const char *
calls_errname(int error)
{
	const char *name = strerrorname_np(error);

	return error == 0 ? "0" : name != NULL ? name : "an unknown errno";
}

long
calls_say(const char *what, long result)
{
	if (result == -1)
		(void)printf("%s -> %s\n", what, calls_errname(errno));
	else
		(void)printf("%s -> %ld\n", what, result);
	return result;
}

int
calls_say_fd(const char *what, long result)
{
	(void)printf("%s -> %s\n", what, result < 0 ? calls_errname(errno) : "ok");
	return (int)result;
}

long
calls_must(const char *file, int line, const char *what, long result)
{
	if (result < 0) {
		(void)printf("%s:%d: %s failed: %s\n", file, line, what, calls_errname(errno));
		exit(3);
	}
	return result;
}

const char *
calls_soerror(int fd)
{
	int error = -1;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return calls_errname(errno);
	return calls_errname(error);
}

struct sockaddr_in
calls_addr(const char *text, int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, text, &sin.sin_addr) != 1)
		abort();
	return sin;
}

struct sockaddr *
calls_loopback(int port)
{
	static _Thread_local struct sockaddr_in sin;

	sin = calls_addr("127.0.0.1", port);
	return (struct sockaddr *)&sin;
}

int
calls_port(int fd)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	MUST(getsockname(fd, (struct sockaddr *)&sin, &len));
	return ntohs(sin.sin_port);
}

void
calls_say_name(const char *what, int error, const struct sockaddr_in *sin, int a, int b)
{
	char text[INET_ADDRSTRLEN];
	int port = ntohs(sin->sin_port);

	if (error != 0) {
		(void)printf("%s -> %s\n", what, calls_errname(errno));
		return;
	}
	(void)printf("%s -> family %d %s:%s\n", what, sin->sin_family,
	    inet_ntop(AF_INET, &sin->sin_addr, text, sizeof(text)),
	    port == 0       ? "0"
		: port == a ? "a"
		: port == b ? "b"
			    : "?");
}

int
calls_listener(int backlog)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

	MUST(bind(fd, calls_loopback(0), ADDRLEN));
	MUST(listen(fd, backlog));
	return fd;
}

void
calls_pair(int fd[2])
{
	int listener = calls_listener(1);

	fd[0] = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(fd[0], calls_loopback(calls_port(listener)), ADDRLEN));
	fd[1] = (int)MUST(accept(listener, NULL, NULL));
	MUST(close(listener));
}

void
calls_udp_pair(int fd[2])
{
	for (int i = 0; i < 2; i++) {
		fd[i] = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
		MUST(bind(fd[i], calls_loopback(0), ADDRLEN));
	}
}

const char *
calls_revents(short revents)
{
	static const struct {
		short bit;
		const char *name;
	} names[] = {
	    {POLLIN, "IN "},
	    {POLLPRI, "PRI "},
	    {POLLOUT, "OUT "},
	    {POLLERR, "ERR "},
	    {POLLHUP, "HUP "},
	    {POLLNVAL, "NVAL "},
	};
	static _Thread_local char text[64];

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((revents & names[i].bit) != 0)
			(void)strcat(text, names[i].name);
	}
	return text[0] == '\0' ? "nothing" : text;
}

const char *
calls_wait(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	if (poll(&p, 1, WAIT_MS) < 0)
		return calls_errname(errno);
	return calls_revents(p.revents);
}

void
calls_fill(uint8_t *buf, size_t n, unsigned seed)
{
	uint32_t x = seed * 2654435761u + 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		buf[i] = (uint8_t)(x >> 24);
	}
}

bool
calls_expect(int fd, size_t n, unsigned seed)
{
	uint8_t *want = malloc(n + 1), *got = malloc(n + 1);
	size_t have = 0;
	ssize_t r = 1;
	bool same;

	if (want == NULL || got == NULL)
		abort();
	calls_fill(want, n, seed);
	while (have < n && (r = read(fd, got + have, n - have)) > 0)
		have += (size_t)r;
	same = have == n && memcmp(want, got, n) == 0;
	free(want);
	free(got);
	return same;
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct calls_case *cc = calls_cases; argc == 1 && cc->cc_name != NULL; cc++) {
		if (cc->cc_name[0] != '-')
			(void)printf("%s\n", cc->cc_name);
	}
	if (argc == 1)
		return 0;
	if (rumpus_client_init() != 0) {
		(void)printf("no server: %s\n", calls_errname(errno));
		return 3;
	}
	calls_argc = argc - 2;
	calls_argv = argv + 2;
	for (const struct calls_case *cc = calls_cases; cc->cc_name != NULL; cc++) {
		if (strcmp(cc->cc_name, argv[1]) == 0) {
			cc->cc_run();
			return 0;
		}
	}
	(void)printf("no such case: %s\n", argv[1]);
	return 2;
}
