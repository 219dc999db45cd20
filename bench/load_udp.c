/* SPDX-License-Identifier: BSD-2-Clause */
/* load: datagrams one way, as fast as they go, one or many a system call. */
#include "load.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench.h"
#include "door.h"

#define QUIET_MS 300 /* after the last datagram */

struct batch {
	unsigned b_n;
	struct mmsghdr b_msgs[LOAD_BATCH_MAX];
	struct iovec b_iovs[LOAD_BATCH_MAX];
	uint8_t *b_bytes;
};

static bool
batch_init(struct batch *b, const struct load *l)
{
	*b = (struct batch){.b_n = l->l_batch, .b_bytes = calloc(l->l_batch, l->l_size)};
	if (b->b_bytes == NULL) {
		(void)failed("buffer", NULL, "a smaller -s");
		return false;
	}
	for (unsigned i = 0; i < b->b_n; i++) {
		b->b_iovs[i] = (struct iovec){b->b_bytes + i * l->l_size, l->l_size};
		b->b_msgs[i].msg_hdr.msg_iov = &b->b_iovs[i];
		b->b_msgs[i].msg_hdr.msg_iovlen = 1;
	}
	return true;
}

/* => datagrams, or -1 */
static int
batch_receive(int fd, struct batch *b, const struct load *l)
{
	if (b->b_n == 1)
		return recv(fd, b->b_bytes, l->l_size, 0) < 0 ? -1 : 1;
	return recvmmsg(fd, b->b_msgs, b->b_n, MSG_WAITFORONE, NULL);
}

static int
batch_send(int fd, struct batch *b, const struct load *l)
{
	if (b->b_n == 1)
		return send(fd, b->b_bytes, l->l_size, 0) < 0 ? -1 : 1;
	return sendmmsg(fd, b->b_msgs, b->b_n, 0);
}

static void
print(const char *mode, const struct load *l, uint64_t n, uint64_t ns)
{
	double seconds = (double)ns / 1e9;

	(void)printf("{\"mode\": \"%s\", \"size\": %zu, \"batch\": %u, \"count\": %llu, "
		     "\"seconds\": %.6f, \"per_s\": %.3f, \"cpu_s\": %.6f}\n",
	    mode, l->l_size, l->l_batch, (unsigned long long)n, seconds,
	    seconds > 0 ? (double)n / seconds : 0, (double)cpu_ns() / 1e9);
	(void)fflush(stdout);
}

/* Counts from the first datagram to the last, the first not counted. */
int
mode_udpin(struct load *l)
{
	const struct timeval quiet = {.tv_usec = QUIET_MS * 1000L};
	uint64_t first = 0, last = 0, n = 0;
	struct batch b;
	int fd, got;

	if (!door_open() || (fd = load_server(l, SOCK_DGRAM)) < 0 || !batch_init(&b, l))
		return EXIT_FAILED;
	while ((got = batch_receive(fd, &b, l)) > 0 || (got < 0 && errno == EINTR)) {
		if (got < 0)
			continue;
		last = now_ns();
		if (first == 0) {
			first = last;
			if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof(quiet)) != 0)
				return failed("time limit of the socket", NULL, "another server");
		} else
			n += (unsigned)got;
	}
	if (first == 0 || errno != EAGAIN)
		return failed(l->l_where, socket_why(), "its client's message");
	print("udpin", l, n, last - first);
	(void)close(fd);
	free(b.b_bytes);
	return 0;
}

/* A full queue is no failure of a datagram socket; what was refused is not counted as sent. */
static bool
passing(int error)
{
	return error == EINTR || error == ENOBUFS || error == EAGAIN;
}

int
mode_udpout(struct load *l)
{
	uint64_t start, end, now, n = 0;
	struct batch b;
	int fd, sent;

	if (!door_open() || (fd = load_socket(SOCK_DGRAM)) < 0 || !batch_init(&b, l))
		return EXIT_FAILED;
	if (connect(fd, (const struct sockaddr *)&l->l_addr, sizeof(l->l_addr)) != 0)
		return failed(l->l_where, NULL, "its server on the other side");
	start = now = now_ns();
	end = start + l->l_time_ms * 1000000;
	while (now < end) {
		sent = batch_send(fd, &b, l);
		if (sent < 0 && !passing(errno))
			return failed(l->l_where, NULL, "its server on the other side");
		if (sent < 0)
			door_yield();
		n += sent > 0 ? (unsigned)sent : 0;
		now = now_ns();
	}
	print("udpout", l, n, now - start);
	(void)close(fd);
	free(b.b_bytes);
	return 0;
}
