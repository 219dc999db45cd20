/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The study's write server: takes a read client's request, then sends without end.
 * Built twice: for the host's stack, and (-DRUMPUS_CLIENT_RENAME) for one behind RUMP_SERVER.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"

#define GRACE_NS 5000000000u /* for a client that should have closed */
#define BACKLOG 16

/* Binds, listens and prints where. => the socket, or -1 after saying why */
static int
listen_at(const struct choices *ch)
{
	struct sockaddr_in sin = ch->ch_addr;
	socklen_t len = sizeof(sin);
	char text[INET_ADDRSTRLEN] = "";
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0) {
		(void)failed("socket", NULL, "fewer open files");
		return -1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (const struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) != 0) {
		(void)failed(ch->ch_where, NULL, "another port (-p 0: any), or address");
		(void)close(fd);
		return -1;
	}
	(void)inet_ntop(AF_INET, &sin.sin_addr, text, sizeof(text));
	(void)printf("listening %s %u\n", text, ntohs(sin.sin_port));
	(void)fflush(stdout);
	return fd;
}

/* Sends until the client closes, which is how it ends, or what it asked for is sent. */
static int
write_stream(int fd, const struct ask *as, struct outcome *ou, const uint8_t *buf)
{
	uint64_t start = now_ns(), cpu = cpu_ns(), sent = 0, now = start;
	uint64_t end =
	    as->as_time_ms == 0 ? UINT64_MAX : start + as->as_time_ms * 1000000 + GRACE_NS;
	uint64_t limit = as->as_bytes == 0 ? UINT64_MAX : as->as_bytes;
	ssize_t n = 0;

	while (now < end && sent < limit) {
		uint64_t left = limit - sent;

		n = write(fd, buf, left < as->as_buffer ? left : as->as_buffer);
		if (n < 0 && errno != EINTR)
			break;
		now = now_ns();
		ou->ou_calls++;
		sent += n > 0 ? (uint64_t)n : 0;
	}
	ou->ou_bytes += sent;
	ou->ou_ns += now_ns() - start;
	ou->ou_cpu_ns += cpu_ns() - cpu;
	if (sent >= limit || (n < 0 && (errno == EPIPE || errno == ECONNRESET)))
		return 0;
	if (now >= end)
		return failed("client", "did not close in time", "its message");
	return failed("sending", socket_why(), "the client's message");
}

static int
serve(int fd, struct outcome *ou, bool *verified)
{
	const struct timeval tv = {.tv_sec = BENCH_SILENCE_S};
	uint8_t wire[ASK_LEN];
	struct ask as;
	uint8_t *buf;
	int status;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0)
		return failed("time limit of the socket", NULL, "another server");
	if (!read_whole(fd, wire, sizeof(wire)))
		return failed("request", errno == 0 ? "ended early" : socket_why(), "readclient");
	if (!ask_parse(&as, wire))
		return failed("request", "not understood", "readclient of the same version");
	*verified = as.as_verify;
	if (as.as_verify)
		return verify_exchange(fd, &as, false, ou);
	buf = malloc(as.as_buffer);
	if (buf == NULL)
		return failed("buffer", NULL, "a smaller one");
	memset(buf, 0x5a, as.as_buffer);
	status = write_stream(fd, &as, ou, buf);
	free(buf);
	return status;
}

static int
accept_one(int listener)
{
	struct outcome ou = {.ou_connections = 1};
	bool verified = false;
	int fd, status;

	do {
		fd = accept(listener, NULL, NULL);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return failed("accept", NULL, "fewer open files");
	status = serve(fd, &ou, &verified);
	(void)close(fd);
	if (status == 0)
		outcome_print(&ou, "write", verified);
	return status;
}

int
main(int argc, char **argv)
{
	struct choices ch;
	int listener, status = 0;

	choices_parse(&ch, false, argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!door_open())
		return EXIT_FAILED;
	listener = listen_at(&ch);
	if (listener < 0)
		return EXIT_FAILED;
	for (uint64_t i = 0; ch.ch_count == 0 || i < ch.ch_count; i++) {
		int one = accept_one(listener);

		/* One that serves on goes on; one that counts says how it went. */
		status = one != 0 && ch.ch_count != 0 ? one : status;
	}
	(void)close(listener);
	return status;
}
