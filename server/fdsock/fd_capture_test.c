/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures for clients: what they get, who asks badly, who does not read, who goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/linux/pcapng.h"
#include "server/capture.h"
#include "server/fdsock/fd_testutil.h"

#define CHUNK 65536u

struct request {
	struct fdsock_capture cp;
	struct rumpus_bpf_insn insns[4];
};

static const struct request everything = {
    .cp = {.cp_name = "lo0", .cp_direction = FDSOCK_CAPTURE_INOUT}};

static struct fdt_reply rep;

/* => errno; 0: rep.fd is the stream */
static int
ask(const struct request *rq, size_t len)
{
	return fdt_request(FDSOCK_OP_CAPTURE, -1, (int32_t[4]){0}, rq, len, &rep);
}

static int
capture(void)
{
	assert_int_equal(ask(&everything, sizeof(everything.cp)), 0);
	assert_true(rep.fd >= 0);
	return rep.fd;
}

/* What a stream held, to its end. */
struct told {
	unsigned interfaces;
	uint64_t packets;
	uint64_t longest;
	bool counted;
	uint64_t recv;
	uint64_t drop;
};

static bool
read_all(int fd, void *buf, size_t len)
{
	return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

static void
block_note(struct told *t, const uint32_t *block)
{
	switch (block[0]) {
	case PCAPNG_IDB:
		t->interfaces++;
		break;
	case PCAPNG_EPB:
		t->packets++;
		t->longest = block[6] > t->longest ? block[6] : t->longest;
		break;
	case PCAPNG_ISB: /* two options of 8 bytes */
		t->counted = true;
		memcpy(&t->recv, &block[6], 8);
		memcpy(&t->drop, &block[9], 8);
		break;
	default:
		break;
	}
}

static struct told
read_to_end(int fd)
{
	static uint32_t block[CHUNK];
	struct told t = {0};

	while (read_all(fd, block, 8)) {
		assert_true(block[1] >= 12 && block[1] <= sizeof(block) && block[1] % 4 == 0);
		assert_true(read_all(fd, block + 2, block[1] - 8));
		assert_int_equal(block[block[1] / 4 - 1], block[1]);
		block_note(&t, block);
	}
	return t;
}

/* Bytes over a connection of the stack with itself. */
static void
transfer(size_t total)
{
	static uint8_t bytes[CHUNK];
	int sv[2];

	fdt_pair(sv);
	for (size_t done = 0; done < total; done += sizeof(bytes)) {
		assert_int_equal(send(sv[0], bytes, sizeof(bytes), 0), sizeof(bytes));
		assert_true(read_all(sv[1], bytes, sizeof(bytes)));
	}
	(void)close(sv[0]);
	(void)close(sv[1]);
}

static void
test_capture(void **state)
{
	int fd = capture();
	struct told t;

	(void)state;
	transfer(4 * CHUNK);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	t = read_to_end(fd);
	assert_int_equal(t.interfaces, 1);
	assert_true(t.packets >= 7 && t.longest > 1500);
	assert_true(t.counted);
	assert_int_equal(t.recv, t.packets);
	assert_int_equal(t.drop, 0);
	(void)close(fd);
	fdt_await("fdsock.captures", 0);
}

static void
test_filter_and_snaplen(void **state)
{
	const struct request udp = {.cp = {.cp_direction = FDSOCK_CAPTURE_INOUT, .cp_ninsns = 4},
	    .insns = {{0x30, 0, 0, 23}, {0x15, 0, 1, 17}, {0x06, 0, 0, 100}, {0x06, 0, 0, 0}}};
	struct request short_ones = everything;
	int fds[2];
	struct told t;

	(void)state;
	assert_int_equal(ask(&udp, sizeof(udp)), 0);
	fds[0] = rep.fd;
	short_ones.cp.cp_snaplen = 60;
	assert_int_equal(ask(&short_ones, sizeof(short_ones.cp)), 0);
	fds[1] = rep.fd;
	transfer(CHUNK);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(shutdown(fds[i], SHUT_WR), 0);
		t = read_to_end(fds[i]);
		assert_true(i == 0 ? t.packets == 0 : t.packets > 5);
		(void)close(fds[i]);
	}
	fdt_await("fdsock.captures", 0);
}

/* HOSTILE 78: requests that lie about what they hold, or hold what cannot be. */
static void
test_78_requests(void **state)
{
	struct request rq = everything;

	(void)state;
	for (size_t len = 0; len < sizeof(rq.cp); len++)
		assert_int_equal(ask(&rq, len), EINVAL);
	assert_int_equal(ask(&rq, sizeof(rq.cp) + 1), EINVAL);
	rq.cp.cp_ninsns = 1;
	assert_int_equal(ask(&rq, sizeof(rq.cp)), EINVAL);
	assert_int_equal(ask(&rq, sizeof(rq.cp) + 8), EINVAL); /* it does not return */
	rq.insns[0] = (struct rumpus_bpf_insn){0x05, 0, 0, UINT32_MAX};
	rq.insns[1] = (struct rumpus_bpf_insn){0x06, 0, 0, 1};
	rq.cp.cp_ninsns = 2;
	assert_int_equal(ask(&rq, sizeof(rq.cp) + 16), EINVAL); /* it jumps back */
	rq.cp.cp_ninsns = 0x20000000;                           /* 8 times it is 0 in 32 bits */
	assert_int_equal(ask(&rq, sizeof(rq.cp)), EINVAL);
	rq = everything;
	rq.cp.cp_direction = 0;
	assert_int_equal(ask(&rq, sizeof(rq.cp)), EINVAL);
	rq.cp.cp_direction = 7;
	assert_int_equal(ask(&rq, sizeof(rq.cp)), EINVAL);
	rq = everything;
	memset(rq.cp.cp_name, 'x', sizeof(rq.cp.cp_name));
	assert_int_equal(ask(&rq, sizeof(rq.cp)), EINVAL);
	rq.cp.cp_name[15] = '\0';
	assert_int_equal(ask(&rq, sizeof(rq.cp)), ENXIO);
	assert_int_equal(fdt_sysctl("fdsock.captures"), 0);
	transfer(CHUNK);
}

/* HOSTILE 79: who does not read loses frames, and is told; nobody waits for him. */
static void
test_79_slow_reader(void **state)
{
	int fd = capture();
	struct told t;

	(void)state;
	transfer(4 * CAPTURE_BUFFER);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	t = read_to_end(fd);
	assert_true(t.packets > 30);
	assert_true(t.counted && t.drop > 0);
	assert_int_equal(t.recv, t.packets + t.drop);
	(void)close(fd);
	fdt_await("fdsock.captures", 0);
}

/* HOSTILE 79: who goes without a word leaves nothing, whether there was something to read or not. */
static void
test_79_goes(void **state)
{
	(void)state;
	(void)close(capture());
	fdt_await("fdsock.captures", 0);
	for (unsigned i = 0; i < 2; i++) {
		int fd = capture();

		transfer(i == 0 ? CHUNK : 2 * CAPTURE_BUFFER);
		(void)close(fd);
		fdt_await("fdsock.captures", 0);
	}
	fdt_sysctl_set("fdsock.maxcaptures", 1);
	(void)capture();
	assert_int_equal(fdt_request(FDSOCK_OP_CAPTURE, -1, (int32_t[4]){0}, &everything,
			     sizeof(everything.cp), &(struct fdt_reply){0}),
	    ENOBUFS);
	(void)close(rep.fd);
	fdt_await("fdsock.captures", 0);
	(void)close(capture());
}

/* The server ends: so does the stream, with its counts. */
static void
test_server_ends(void **state)
{
	int fd;
	struct told t;

	(void)state;
	fdt_start();
	fd = capture();
	transfer(CHUNK);
	fdt_end();
	t = read_to_end(fd);
	assert_true(t.packets > 5 && t.counted);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_capture, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_filter_and_snaplen, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_78_requests, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_79_slow_reader, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_79_goes, fdt_setup, fdt_teardown),
	    cmocka_unit_test(test_server_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
