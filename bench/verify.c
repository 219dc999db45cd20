/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --verify: two known streams at once, one each way over one connection, every byte compared.
 *
 * A thread writes while its maker reads, so two calls on one socket are in flight all the time.
 * After its stream a side sends a trailer and half-closes:
 *
 *  0     4     8           16
 *  +-----+-----+-----------+
 *  |magic| CRC | bytes     |   big-endian
 *  +-----+-----+-----------+
 */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "door.h"

#define TRAILER_LEN 16
#define TRAILER_MAGIC 0x52425431u
#define SEED_TO_CLIENT 0x9e3779b97f4a7c15u
#define SEED_TO_SERVER 0xc2b2ae3d27d4eb4fu

bool
write_whole(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

bool
read_whole(int fd, void *buf, size_t len)
{
	uint8_t *p = buf;
	ssize_t n;

	while (len > 0) {
		n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? 0 : errno;
			return false;
		}
		p += n;
		len -= (size_t)n;
	}
	return true;
}

struct side {
	int sd_fd;
	const struct ask *sd_ask;
	struct stream sd_stream;
	uint64_t sd_sizes; /* state of the random sizes */
	uint64_t sd_calls;
	uint8_t *sd_buf;
	int sd_status;
};

static size_t
random_size(struct side *si, uint64_t left)
{
	uint64_t r = random_next(&si->sd_sizes);
	uint64_t most = si->sd_ask->as_buffer;
	uint64_t n;

	switch (r >> 62) {
	case 0:
		n = 1 + (r & 63);
		break;
	case 1:
		n = 1 + r % 3000;
		break;
	case 2:
		n = 1 + r % most;
		break;
	default:
		n = most;
	}
	n = n < most ? n : most;
	return (size_t)(n < left ? n : left);
}

/* One call of a random kind: in one piece, or in two and an empty one between. */
static ssize_t
random_call(struct side *si, uint8_t *buf, size_t len, bool out)
{
	size_t cut = random_next(&si->sd_sizes) % (len + 1);
	struct iovec iov[] = {{buf, cut}, {buf, 0}, {buf + cut, len - cut}};

	si->sd_calls++;
	if ((random_next(&si->sd_sizes) & 3) == 0)
		return out ? writev(si->sd_fd, iov, 3) : readv(si->sd_fd, iov, 3);
	return out ? write(si->sd_fd, buf, len) : read(si->sd_fd, buf, len);
}

static void
trailer_make(const struct stream *st, uint8_t trailer[TRAILER_LEN])
{
	const uint64_t words[] = {(uint64_t)TRAILER_MAGIC << 32 | st->st_crc, st->st_bytes};

	for (unsigned i = 0; i < TRAILER_LEN; i++)
		trailer[i] = (uint8_t)(words[i / 8] >> (56 - i % 8 * 8));
}

static int
send_side(struct side *si)
{
	uint64_t left = si->sd_ask->as_bytes;
	uint8_t trailer[TRAILER_LEN];

	while (left > 0) {
		size_t len = random_size(si, left), at = 0;

		stream_fill(&si->sd_stream, si->sd_buf, len);
		while (at < len) {
			ssize_t n = random_call(si, si->sd_buf + at, len - at, true);

			if (n < 0 && errno != EINTR)
				return failed("sending", socket_why(), "the peer's message");
			at += n > 0 ? (size_t)n : 0;
		}
		left -= len;
	}
	trailer_make(&si->sd_stream, trailer);
	if (!write_whole(si->sd_fd, trailer, sizeof(trailer)) || shutdown(si->sd_fd, SHUT_WR) != 0)
		return failed("sending the trailer", socket_why(), "the peer's message");
	return 0;
}

static void *
send_thread(void *arg)
{
	struct side *si = arg;

	si->sd_status = send_side(si);
	return NULL;
}

/* Compares what came with what should have. */
static int
check(struct side *si, const uint8_t *got, uint8_t *want, size_t len)
{
	uint64_t at = si->sd_stream.st_bytes;
	char what[64];

	stream_fill(&si->sd_stream, want, len);
	if (memcmp(got, want, len) == 0)
		return 0;
	for (size_t i = 0; i < len && got[i] == want[i]; i++)
		at++;
	(void)snprintf(what, sizeof(what), "byte %" PRIu64, at);
	return failed(what, "differs from what was sent", "tracing the connection");
}

static int
receive_trailer(struct side *si)
{
	uint8_t want[TRAILER_LEN], got[TRAILER_LEN], more;

	trailer_make(&si->sd_stream, want);
	if (!read_whole(si->sd_fd, got, sizeof(got)))
		return failed("trailer", errno == 0 ? "missing" : socket_why(),
		    "the peer's message");
	if (memcmp(got, want, sizeof(got)) != 0)
		return failed("trailer", "count or CRC differ", "tracing the connection");
	if (read_whole(si->sd_fd, &more, 1))
		return failed("end", "more bytes than were sent", "tracing the connection");
	if (errno != 0)
		return failed("end", socket_why(), "the peer's message");
	return 0;
}

static int
receive_side(struct side *si)
{
	uint64_t left = si->sd_ask->as_bytes;
	uint8_t *want = malloc(si->sd_ask->as_buffer);
	int status = want == NULL ? failed("buffer", NULL, "a smaller -b") : 0;

	while (left > 0 && status == 0) {
		ssize_t n = random_call(si, si->sd_buf, random_size(si, left), false);

		if (n == 0)
			status = failed("receiving", "ended early", "the peer's message");
		else if (n < 0 && errno != EINTR)
			status = failed("receiving", socket_why(), "the peer's message");
		else if (n > 0) {
			status = check(si, si->sd_buf, want, (size_t)n);
			left -= (uint64_t)n;
		}
	}
	free(want);
	return status != 0 ? status : receive_trailer(si);
}

static void
side_init(struct side *si, int fd, const struct ask *as, bool to_client)
{
	*si = (struct side){
	    .sd_fd = fd,
	    .sd_ask = as,
	    .sd_sizes = (as->as_seed + (to_client ? 1 : 2)) * SEED_TO_SERVER | 1,
	    .sd_buf = malloc(as->as_buffer),
	};
	stream_init(&si->sd_stream,
	    as->as_seed * 4 + (to_client ? SEED_TO_CLIENT : SEED_TO_SERVER));
}

int
verify_exchange(int fd, const struct ask *as, bool client, struct outcome *ou)
{
	uint64_t start = now_ns(), cpu = cpu_ns();
	struct side out, in;
	pthread_t thread;
	int status = EXIT_FAILED;

	side_init(&out, fd, as, !client);
	side_init(&in, fd, as, client);
	if (out.sd_buf == NULL || in.sd_buf == NULL)
		(void)failed("buffer", "out of memory", "a smaller -b");
	else if ((errno = pthread_create(&thread, NULL, send_thread, &out)) != 0)
		(void)failed("thread", NULL, "raising ulimit -u");
	else {
		status = receive_side(&in);
		if (status != 0)
			(void)shutdown(fd, SHUT_RDWR); /* or the thread might wait for ever */
		(void)pthread_join(thread, NULL);
		status = status != 0 ? status : out.sd_status;
	}
	ou->ou_bytes += in.sd_stream.st_bytes + out.sd_stream.st_bytes;
	ou->ou_calls += in.sd_calls + out.sd_calls;
	ou->ou_ns += now_ns() - start;
	ou->ou_cpu_ns += cpu_ns() - cpu;
	free(out.sd_buf);
	free(in.sd_buf);
	return status;
}
