/* SPDX-License-Identifier: BSD-2-Clause */
/* load: request and response, connections opened and closed, connections that idle. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench.h"
#include "door.h"

#define BACKLOG 512

int
load_socket(int type)
{
	const struct timeval tv = {.tv_sec = BENCH_SILENCE_S};
	int fd = socket(AF_INET, type, 0);

	if (fd < 0) {
		(void)failed("socket", NULL, "fewer open files");
		return -1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0)
		return fd;
	(void)failed("time limit of the socket", NULL, "another server");
	(void)close(fd);
	return -1;
}

int
load_server(struct load *l, int type)
{
	socklen_t len = sizeof(l->l_addr);
	char text[INET_ADDRSTRLEN] = "";
	const int one = 1;
	int fd = load_socket(type);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (const struct sockaddr *)&l->l_addr, sizeof(l->l_addr)) != 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) != 0) ||
	    getsockname(fd, (struct sockaddr *)&l->l_addr, &len) != 0) {
		(void)failed(l->l_where, NULL, "another address or port");
		(void)close(fd);
		return -1;
	}
	(void)inet_ntop(AF_INET, &l->l_addr.sin_addr, text, sizeof(text));
	(void)printf("listening %s %u\n", text, ntohs(l->l_addr.sin_port));
	(void)fflush(stdout);
	return fd;
}

int
load_connected(const struct load *l)
{
	int fd = load_socket(SOCK_STREAM);

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&l->l_addr, sizeof(l->l_addr)) == 0)
		return fd;
	(void)failed(l->l_where, NULL, "its server on the other side");
	(void)close(fd);
	return -1;
}

static bool
nodelay(int fd)
{
	const int one = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0;
}

int
mode_echo(struct load *l)
{
	uint8_t *buf;
	uint64_t n = 0;
	int listener, fd;

	if (!door_open() || (listener = load_server(l, SOCK_STREAM)) < 0)
		return EXIT_FAILED;
	fd = accept(listener, NULL, NULL);
	buf = malloc(l->l_size);
	if (fd < 0 || buf == NULL || !nodelay(fd))
		return failed("accept", NULL, "its client on the other side");
	while (read_whole(fd, buf, l->l_size) && write_whole(fd, buf, l->l_size))
		n++;
	(void)close(fd);
	(void)close(listener);
	free(buf);
	(void)printf("{\"mode\": \"echo\", \"count\": %llu, \"cpu_s\": %.6f}\n",
	    (unsigned long long)n, (double)cpu_ns() / 1e9);
	return 0;
}

/* Runs one operation after another for the time; those of the warm-up do not count. */
static int
repeat(const struct load *l, const char *mode, bool (*operation)(const struct load *, void *),
    void *arg)
{
	struct samples sm = {0};
	uint64_t warm = now_ns() + l->l_warmup_ms * 1000000, end = warm + l->l_time_ms * 1000000;
	uint64_t start = 0, before, now = now_ns();

	while (now < end) {
		before = now;
		if (!operation(l, arg))
			return EXIT_FAILED;
		now = now_ns();
		if (before < warm)
			continue;
		start = start == 0 ? before : start;
		if (!samples_add(&sm, now - before))
			return EXIT_FAILED;
	}
	samples_print(&sm, mode, l->l_size, start == 0 ? 0 : (double)(now - start) / 1e9);
	return 0;
}

struct rr {
	int rr_fd;
	uint8_t *rr_buf;
};

static bool
rr_once(const struct load *l, void *arg)
{
	struct rr *rr = arg;

	if (write_whole(rr->rr_fd, rr->rr_buf, l->l_size) &&
	    read_whole(rr->rr_fd, rr->rr_buf, l->l_size))
		return true;
	(void)failed(l->l_where, errno == 0 ? "ended early" : socket_why(), "its echo server");
	return false;
}

int
mode_rr(struct load *l)
{
	struct rr rr;
	int status;

	if (!door_open() || (rr.rr_fd = load_connected(l)) < 0)
		return EXIT_FAILED;
	rr.rr_buf = calloc(1, l->l_size);
	if (rr.rr_buf == NULL || !nodelay(rr.rr_fd))
		return failed("buffer", NULL, "a smaller -s");
	status = repeat(l, "rr", rr_once, &rr);
	(void)close(rr.rr_fd);
	free(rr.rr_buf);
	return status;
}

int
mode_accept(struct load *l)
{
	int listener, fd;

	if (!door_open() || (listener = load_server(l, SOCK_STREAM)) < 0)
		return EXIT_FAILED;
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			(void)close(fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			break;
	}
	(void)close(listener);
	return errno == EAGAIN ? 0 : failed("accept", NULL, "its client on the other side");
}

static bool
connect_once(const struct load *l, void *arg)
{
	uint8_t byte;
	int fd = load_connected(l);
	ssize_t n;

	(void)arg;
	if (fd < 0)
		return false;
	n = read(fd, &byte, 1);
	if (n != 0) {
		(void)failed(l->l_where, n > 0 ? "sends" : socket_why(), "its accept server");
		(void)close(fd);
		return false;
	}
	return close(fd) == 0;
}

int
mode_connect(struct load *l)
{
	return door_open() ? repeat(l, "connect", connect_once, NULL) : EXIT_FAILED;
}

static int
ready(const char *mode, unsigned count, uint64_t start)
{
	(void)printf("{\"mode\": \"%s\", \"count\": %u, \"seconds\": %.6f}\n", mode, count,
	    (double)(now_ns() - start) / 1e9);
	(void)fflush(stdout);
	load_wait();
	return 0;
}

/* The connections are closed by the end of the program. */
int
mode_hold(struct load *l)
{
	uint64_t start = now_ns();
	int listener;

	if (!door_open() || (listener = load_server(l, SOCK_STREAM)) < 0)
		return EXIT_FAILED;
	for (unsigned i = 0; i < l->l_count; i++) {
		if (accept(listener, NULL, NULL) < 0)
			return failed("accept", socket_why(), "fewer connections");
	}
	return ready("hold", l->l_count, start);
}

int
mode_idle(struct load *l)
{
	uint64_t start = now_ns();

	if (!door_open())
		return EXIT_FAILED;
	for (unsigned i = 0; i < l->l_count; i++) {
		if (load_connected(l) < 0)
			return EXIT_FAILED;
	}
	return ready("idle", l->l_count, start);
}

static bool
null_once(const struct load *l, void *arg)
{
	(void)l;
	return fcntl(*(const int *)arg, F_GETFL) >= 0;
}

int
mode_null(struct load *l)
{
	int fd, status;

	if (!door_open() || (fd = load_socket(SOCK_STREAM)) < 0)
		return EXIT_FAILED;
	status = repeat(l, "null", null_once, &fd);
	(void)close(fd);
	return status;
}
