/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of a datagram socket is done at once, and with how many calls of the host; and what is not to be
 * lost at its ends: the last datagrams, and errors that a call could not tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/fdsock/fd_dgram.h"
#include "server/fdsock/fd_dgram_testutil.h"
#include "server/fdsock/fd_impl.h"
#include "server/fdsock/fd_testutil.h"

/* The server's calls, counted: reads, and writes that did not take all. */
static atomic_uint reads, short_writes;

int
recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags, struct timespec *timeout)
{
	reads++;
	return (int)syscall(SYS_recvmmsg, fd, vec, n, flags, timeout);
}

int
sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
	int sent = (int)syscall(SYS_sendmmsg, fd, vec, n, flags);

	short_writes += sent < (int)n;
	return sent;
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t n = syscall(SYS_sendmsg, fd, msg, flags);

	short_writes += n < 0;
	return n;
}

struct burst {
	int bu_sock;
	struct fdsock_dgram bu_hdr;
	size_t bu_len;                     /* of each record's payload */
	unsigned bu_max;                   /* records, at most */
	void (*bu_run)(struct fdsock *fs); /* is let loose on them */
	unsigned bu_written, bu_reads;     /* records written; calls that it read with */
	uint64_t bu_sent;                  /* datagrams that it sent */
	bool bu_more;                      /* records are left */
};

static void
burst_run(struct fd_server *fd, struct netstack *ns, void *arg)
{
	static struct dgram d;
	struct burst *bu = arg;
	struct fdsock *fs = fd_sock_find(fd, fd_cookie(bu->bu_sock));
	char byte;

	(void)ns;
	d.hdr = bu->bu_hdr;
	while (bu->bu_written < bu->bu_max &&
	    send(bu->bu_sock, &d, sizeof(d.hdr) + bu->bu_len, MSG_DONTWAIT) > 0)
		bu->bu_written++;
	fs->fs_canread = true; /* the event is still to come */
	reads = 0;
	bu->bu_run(fs);
	bu->bu_reads = reads;
	bu->bu_more = recv(fs->fs_src.ls_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* As many records as go, or max, to port: what run makes of them. All are sent in the end. */
static struct burst
burst(int sock, uint16_t port, size_t len, uint16_t segment, unsigned max,
    void (*run)(struct fdsock *fs))
{
	struct burst bu = {.bu_sock = sock, .bu_len = len, .bu_max = max, .bu_run = run};
	const char *const stat = "net.inet.udp.stats.opackets";
	uint64_t before = fdt_sysctl(stat), records = fdt_sysctl("fdsock.stats.dgrams_in");

	dgram_address(&bu.bu_hdr, port);
	bu.bu_hdr.dg_flags |= segment != 0 ? FDSOCK_DG_SEGMENT : 0;
	bu.bu_hdr.dg_segment = segment;
	fdt_call(burst_run, &bu);
	fdt_await("fdsock.stats.dgrams_in", records + bu.bu_written);
	bu.bu_sent = fdt_sysctl(stat) - before;
	return bu;
}

static uint64_t sent_at_once;

static void
count_work(struct fdsock *fs)
{
	uint64_t before = fs->fs_server->fd_stat.fds_dgrams_in;

	fd_dgram_work(fs);
	sent_at_once = fs->fs_server->fd_stat.fds_dgrams_in - before;
}

static void
count_settle(struct fdsock *fs)
{
	uint64_t before = fs->fs_server->fd_stat.fds_dgrams_in;

	fd_dgram_settle(fs);
	sent_at_once = fs->fs_server->fd_stat.fds_dgrams_in - before;
}

/* A turn is so many datagrams, in however few records, or so many bytes. */
static void
test_share(void **state)
{
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);
	struct burst bu;

	(void)state;
	bu = burst(a, port, 128, 1, 64, count_work);
	assert_int_equal(bu.bu_written, 64);
	assert_int_equal(sent_at_once, 2); /* records; each is more than a turn's share */
	assert_true(bu.bu_more);
	assert_int_equal(bu.bu_sent, 64 * 128);
	bu = burst(a, port, 1, 0, 100, count_work);
	assert_int_equal(bu.bu_written, 100);
	assert_true(sent_at_once >= 64 && sent_at_once < 70);
	assert_true(bu.bu_more);
	bu = burst(a, port, 0, 0, 3, count_work); /* empty ones count, too */
	assert_int_equal(sent_at_once, 3);
	assert_int_equal(bu.bu_sent, 3);
	(void)close(a);
	(void)close(b);
}

/* A turn's share of bytes: the client's end takes more than the host's default. */
static void
test_share_bytes(void **state)
{
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM), bytes = 4 << 20;
	struct burst bu;

	(void)state;
	if (setsockopt(a, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		skip();
	bu = burst(a, port, 60000, 0, 40, count_work);
	assert_int_equal(bu.bu_written, 40);
	assert_true(sent_at_once >= 5 && sent_at_once <= 8); /* of 256 KiB */
	assert_true(bu.bu_more);
	bu = burst(a, port, 60000, 0, 40, count_settle);
	assert_true(sent_at_once >= 18 && sent_at_once <= 21); /* of 1 MiB */
	assert_true(bu.bu_more);
	(void)close(a);
	(void)close(b);
}

/* A request waits for a pair full of datagrams, but not for any number of them. */
static void
test_share_of_request(void **state)
{
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);
	struct burst bu;

	(void)state;
	bu = burst(a, port, 1400, 0, 1000, count_settle);
	assert_true(bu.bu_written > 50 && bu.bu_written < 1000);
	assert_int_equal(sent_at_once, bu.bu_written);
	bu = burst(a, port, 128, 1, 1000, count_settle);
	assert_true(bu.bu_written > 50);
	assert_true(sent_at_once >= 32 && sent_at_once < 36); /* 4096 datagrams */
	assert_true(bu.bu_more);
	(void)close(a);
	(void)close(b);
}

/* No read to learn that there is nothing more, where that is known. */
static void
test_reads(void **state)
{
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);
	struct burst bu;

	(void)state;
	bu = burst(a, port, 100, 0, 1, count_work);
	assert_int_equal(bu.bu_reads, 1);
	assert_int_equal(sent_at_once, 1);
	bu = burst(a, port, 100, 0, 9, count_work);
	assert_int_equal(bu.bu_reads, 3); /* 2, 4, 3 of 4 */
	assert_int_equal(sent_at_once, 9);
	bu = burst(a, port, 100, 0, 0, count_settle);
	assert_int_equal(bu.bu_reads, 0);
	bu = burst(a, port, 100, 0, 6, count_settle);
	assert_int_equal(bu.bu_reads, 2);
	assert_int_equal(sent_at_once, 6);
	(void)close(a);
	(void)close(b);
}

/* A pair that is full is tried once. */
static void
test_full_once(void **state)
{
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);
	unsigned got = 0;

	(void)state;
	for (int joined = 0; joined < 2; joined++) {
		uint64_t in = fdt_sysctl("fdsock.stats.dgrams_in");

		short_writes = 0;
		for (int i = 0; i < 1000; i++)
			dgram_send(a, port, 1000, 9);
		fdt_await("fdsock.stats.dgrams_in", in + 1000);
		assert_int_equal(short_writes, 1);
		for (struct pollfd pfd = {.fd = b, .events = POLLIN}; poll(&pfd, 1, 100) == 1;
		     got++)
			(void)recv(b, &(struct dgram){0}, sizeof(struct dgram), 0);
		assert_int_equal(fdt_setopt(b, IPPROTO_UDP, UDP_GRO, &(int){1}, sizeof(int)), 0);
	}
	assert_true(got > 50);
	(void)close(a);
	(void)close(b);
}

static void
write_and_close(struct fd_server *fd, struct netstack *ns, void *arg)
{
	const struct burst *bu = arg;

	(void)fd;
	(void)ns;
	for (uint8_t i = 1; i <= 3; i++)
		dgram_send(bu->bu_sock, bu->bu_hdr.dg_port, 9, i);
	(void)close(bu->bu_sock);
}

/* What a client wrote goes out, though it went without reading all that there was for it. */
static void
test_gone_unread(void **state)
{
	uint16_t port, aport;
	int b = dgram_bound(&port), a = dgram_bound(&aport);
	struct burst bu = {.bu_sock = a, .bu_hdr.dg_port = port};

	(void)state;
	dgram_send(b, aport, 5, 5);
	(void)fdt_poll(a, POLLIN);
	fdt_call(write_and_close, &bu);
	for (uint8_t i = 1; i <= 3; i++)
		assert_int_equal(dgram_expect(b, 9, i), aport);
	(void)close(b);
}

/* An error whose record was taken by a call that could not tell it is told again, once. */
static void
test_untold(void **state)
{
	const struct fdsock_dgram back = {.dg_flags = FDSOCK_DG_ERROR};
	static struct fdt_reply rep;
	uint16_t port;
	int gone = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);
	struct pollfd pfd = {.fd = a, .events = POLLIN};

	(void)state;
	(void)close(gone);
	fdt_await("fdsock.sockets", 1);
	assert_int_equal(fdt_connect(a, INADDR_LOOPBACK, port), 0);
	dgram_send(a, 0, 1, 1);
	assert_int_equal(dgram_error(a), ECONNREFUSED);
	assert_int_equal(fdt_request(FDSOCK_OP_SENDTO, a, NULL, &back, sizeof(back), &rep), 0);
	assert_int_equal(dgram_error(a), ECONNREFUSED);
	assert_int_equal(fdt_soerror(a), 0);
	dgram_send(a, 0, 1, 1);
	assert_int_equal(dgram_error(a), ECONNREFUSED);
	assert_int_equal(fdt_request(FDSOCK_OP_SENDTO, a, NULL, &back, sizeof(back), &rep), 0);
	assert_int_equal(fdt_soerror(a), ECONNREFUSED);
	assert_int_equal(fdt_soerror(a), 0);
	assert_int_equal(fdt_request(FDSOCK_OP_SENDTO, a, NULL, &back, sizeof(back), &rep), 0);
	assert_int_equal(fdt_soerror(a), 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	/* As a record it is none. */
	assert_int_equal(send(a, &back, sizeof(back), 0), sizeof(back));
	assert_int_equal(dgram_error(a), EINVAL);
	(void)close(a);
}

/* The same with a queue of errors: what is queued is shown again. */
static void
test_untold_queued(void **state)
{
	const struct fdsock_dgram back = {.dg_flags = FDSOCK_DG_ERROR};
	static struct fdt_reply rep;
	static struct dgram d;
	uint16_t port;
	int gone = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM), one = 1;

	(void)state;
	(void)close(gone);
	fdt_await("fdsock.sockets", 1);
	assert_int_equal(fdt_setopt(a, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)), 0);
	assert_int_equal(fdt_connect(a, INADDR_LOOPBACK, port), 0);
	dgram_send(a, 0, 1, 1);
	for (int i = 0; i < 2; i++) {
		(void)fdt_poll(a, POLLIN);
		assert_int_equal(recv(a, &d, sizeof(d), 0), sizeof(d.hdr));
		assert_int_equal(d.hdr.dg_flags, FDSOCK_DG_ERROR | FDSOCK_DG_ASK);
		assert_int_equal(fdt_request(FDSOCK_OP_SENDTO, a, NULL, &back, sizeof(back), &rep),
		    0);
	}
	assert_int_equal(fdt_soerror(a), ECONNREFUSED);
	(void)close(a);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fdt_setup, fdt_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_share),
	    T(test_share_bytes),
	    T(test_share_of_request),
	    T(test_reads),
	    T(test_full_once),
	    T(test_gone_unread),
	    T(test_untold),
	    T(test_untold_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
