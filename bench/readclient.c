/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The study's read client: connects to a write server, asks, reads, and says how fast it came.
 * Built twice: for the host's stack, and (-DRUMPUS_CLIENT_RENAME) for one behind RUMP_SERVER.
 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"

/* => a connected socket on which nothing waits for ever, or -1 after saying why */
static int
connect_server(const struct choices *ch)
{
	const struct timeval tv = {.tv_sec = BENCH_SILENCE_S};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0) {
		(void)failed("socket", NULL, "fewer open files");
		return -1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0)
		(void)failed("time limit of the socket", NULL, "another server");
	else if (connect(fd, (const struct sockaddr *)&ch->ch_addr, sizeof(ch->ch_addr)) != 0)
		(void)failed(ch->ch_where, NULL, "starting writeserver there");
	else
		return fd;
	(void)close(fd);
	return -1;
}

/* Counts what comes, after the warm-up, until time is up or the server ends. */
static int
read_stream(int fd, const struct choices *ch, struct outcome *ou, uint8_t *buf)
{
	const struct ask *as = &ch->ch_ask;
	uint64_t start = now_ns(), cpu = cpu_ns(), got = 0, now = start;
	uint64_t end = as->as_time_ms == 0 ? UINT64_MAX
					   : start + (ch->ch_warmup_ms + as->as_time_ms) * 1000000;
	uint64_t warm = start + ch->ch_warmup_ms * 1000000;
	ssize_t n = 1;

	while (now < end && n != 0) {
		n = read(fd, buf, as->as_buffer);
		if (n < 0 && errno != EINTR)
			return failed(ch->ch_where, socket_why(), "the write server's message");
		now = now_ns();
		ou->ou_calls++;
		got += n > 0 ? (uint64_t)n : 0;
		if (warm != 0 && now >= warm) {
			if (ch->ch_warmup_ms != 0) {
				start = now;
				cpu = cpu_ns();
				end = start + as->as_time_ms * 1000000;
				got = 0;
			}
			warm = 0;
		}
	}
	if (now < end && got != as->as_bytes)
		return failed(ch->ch_where, "ended early", "the write server's message");
	ou->ou_bytes += got;
	ou->ou_ns += now - start;
	ou->ou_cpu_ns += cpu_ns() - cpu;
	return 0;
}

static int
one_connection(const struct choices *ch, struct outcome *ou, uint8_t *buf)
{
	struct ask as = ch->ch_ask;
	uint8_t wire[ASK_LEN];
	int fd = connect_server(ch);
	int status;

	if (fd < 0)
		return EXIT_FAILED;
	if (as.as_time_ms != 0)
		as.as_time_ms += ch->ch_warmup_ms;
	ask_emit(&as, wire);
	ou->ou_connections++;
	if (!write_whole(fd, wire, sizeof(wire)))
		status = failed(ch->ch_where, socket_why(), "the write server's message");
	else if (as.as_verify)
		status = verify_exchange(fd, &as, true, ou);
	else
		status = read_stream(fd, ch, ou, buf);
	if (close(fd) != 0 && status == 0)
		status = failed("close", NULL, "the server's log");
	return status;
}

int
main(int argc, char **argv)
{
	struct choices ch;
	struct outcome ou = {0};
	uint8_t *buf;
	int status = 0;

	choices_parse(&ch, true, argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!door_open())
		return EXIT_FAILED;
	buf = malloc(ch.ch_ask.as_buffer);
	if (buf == NULL)
		return failed("buffer", NULL, "a smaller -b");
	for (uint64_t i = 0; i < ch.ch_count && status == 0; i++)
		status = one_connection(&ch, &ou, buf);
	if (status == 0)
		outcome_print(&ou, "read", ch.ch_ask.as_verify);
	free(buf);
	return status;
}
