/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * httpd-rump ADDRESS: HTTP/1.0 on the stack, one connection after the other.
 * GET /N gives N bytes, the i-th being i mod 251; anything else is 404.
 */
#include "program.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rumpus/client.h>

#define PATTERN 251u
#define CHUNK (PATTERN * 100)

static bool
send_pattern(int fd, uint64_t left)
{
	static uint8_t chunk[CHUNK];

	for (size_t i = 0; i < sizeof(chunk); i++)
		chunk[i] = (uint8_t)(i % PATTERN);
	while (left > 0) {
		size_t n = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);

		if (!send_whole(fd, chunk, n))
			return false;
		left -= n;
	}
	return true;
}

/* Reads up to the empty line. => false: there was none */
static bool
read_request(int fd, char *text, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		ssize_t n = rumpus_sys_recv(fd, text + len, size - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, "\r\n\r\n") != NULL)
			return true;
	}
	return false;
}

static void
serve(int fd)
{
	static const char no[] = "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	unsigned long long bytes;
	char text[4096], head[128];

	if (!read_request(fd, text, sizeof(text)))
		return;
	if (sscanf(text, "GET /%llu HTTP/1.", &bytes) != 1) {
		(void)send_whole(fd, no, sizeof(no) - 1);
		return;
	}
	(void)snprintf(head, sizeof(head), "HTTP/1.0 200 OK\r\nContent-Length: %llu\r\n\r\n",
	    bytes);
	if (send_whole(fd, head, strlen(head)))
		(void)send_pattern(fd, bytes);
}

int
main(int argc, char **argv)
{
	int listener;

	if (argc != 2)
		return 2;
	program_init();
	listener = listen_any(argv[1]);
	for (;;) {
		int fd = rumpus_sys_accept(listener, NULL, NULL);

		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			die("accept");
		if (fd >= 0) {
			serve(fd);
			(void)rumpus_sys_close(fd);
		}
	}
}
