/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inherited send|recv call|uring MIB: moves that many MiB over the stream socket that is its
 * standard input, by system calls that nothing can interpose: made by syscall() in a program that
 * is started without the preload library, or by io_uring. Checks what it receives, and prints
 * "MiB/s". It ends by a half-close and by waiting for the other's.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>

#define MIB (1024 * 1024)
#define CHUNK (256 * 1024)

static char pattern[2 * MIB]; /* the same MiB twice, so that any place begins a whole one */
static char room[CHUNK];
static struct io_uring ring;

static _Noreturn void
die(const char *what)
{
	(void)fprintf(stderr, "inherited: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
pattern_make(void)
{
	unsigned x = 1;

	for (size_t i = 0; i < MIB; i++) {
		x = x * 1103515245u + 12345u;
		pattern[i] = pattern[i + MIB] = (char)(x >> 16);
	}
}

/* --- the calls ------------------------------------------------------------------------------ */

static ssize_t
by_call(bool send, void *buf, size_t n)
{
	return syscall(send ? SYS_write : SYS_read, 0, buf, n);
}

static ssize_t
by_uring(bool send, void *buf, size_t n)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	struct io_uring_cqe *cqe;
	int result;

	if (send)
		io_uring_prep_send(sqe, 0, buf, n, 0);
	else
		io_uring_prep_recv(sqe, 0, buf, n, 0);
	if ((result = io_uring_submit(&ring)) < 0 ||
	    (result = io_uring_wait_cqe(&ring, &cqe)) < 0) {
		errno = -result;
		return -1;
	}
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	if (result < 0)
		errno = -result;
	return result < 0 ? -1 : result;
}

static ssize_t
move(bool uring, bool send, void *buf, size_t n)
{
	ssize_t done = uring ? by_uring(send, buf, n) : by_call(send, buf, n);

	if (done < 0)
		die(send ? "send" : "recv");
	return done;
}

/* --- the work ------------------------------------------------------------------------------- */

static void
send_all(bool uring, size_t total)
{
	for (size_t at = 0; at < total;)
		at += (size_t)move(uring, true, pattern + at % MIB,
		    total - at < CHUNK ? total - at : CHUNK);
	if (syscall(SYS_shutdown, 0, SHUT_WR) != 0)
		die("shutdown");
	if (move(uring, false, room, sizeof(room)) != 0)
		die("more than an end");
}

static void
recv_all(bool uring, size_t total)
{
	size_t at = 0;
	ssize_t n;

	while ((n = move(uring, false, room, sizeof(room))) > 0) {
		if (memcmp(room, pattern + at % MIB, (size_t)n) != 0) {
			(void)fprintf(stderr, "inherited: wrong bytes at %zu\n", at);
			exit(1);
		}
		at += (size_t)n;
	}
	if (at != total) {
		(void)fprintf(stderr, "inherited: %zu bytes, not %zu\n", at, total);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	bool send = argc == 4 && strcmp(argv[1], "send") == 0;
	bool uring = argc == 4 && strcmp(argv[2], "uring") == 0;
	double begun = now_s();
	size_t mib;

	if (argc != 4)
		return 2;
	mib = strtoul(argv[3], NULL, 10);
	if (uring && (errno = -io_uring_queue_init(4, &ring, 0)) != 0)
		die("io_uring");
	pattern_make();
	if (send)
		send_all(uring, mib * MIB);
	else
		recv_all(uring, mib * MIB);
	(void)printf("%.0f\n", (double)mib / (now_s() - begun));
	return 0;
}
