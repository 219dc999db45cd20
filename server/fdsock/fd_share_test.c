/* SPDX-License-Identifier: BSD-2-Clause */
/* Small writes by shared memory: a writer made by hand, well behaved and ill. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rumpus/fdsock_area.h>

#include "server/fdsock/fd_testutil.h"

/* Two ends of a connection, and the area of the first. */
struct writer {
	int sock;
	int peer;
	int memory;
	struct fdsock_area *head;
};

static int
share(int sock, int *memory)
{
	static struct fdt_reply rep;
	int error = fdt_request(FDSOCK_OP_SHARE, sock, NULL, NULL, 0, &rep);

	*memory = rep.fd;
	return error;
}

static void
writer_open(struct writer *w)
{
	int sv[2];

	fdt_pair(sv);
	w->sock = sv[0];
	w->peer = sv[1];
	assert_int_equal(share(w->sock, &w->memory), 0);
	w->head = mmap(NULL, FDSOCK_AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, w->memory, 0);
	assert_ptr_not_equal(w->head, MAP_FAILED);
}

static void
writer_close(struct writer *w)
{
	(void)munmap(w->head, FDSOCK_AREA_BYTES);
	(void)close(w->memory);
	(void)close(w->sock);
	(void)close(w->peer);
	fdt_await("fdsock.areas", 0);
}

static void
put(struct writer *w, int slot, size_t at, const char *text)
{
	memcpy((char *)w->head + FDSOCK_AREA_HEAD + (size_t)slot * FDSOCK_SLOT_BYTES + at, text,
	    strlen(text));
}

/* One byte, with a descriptor or without. */
static void
mark(int sock, uint8_t number, bool attach)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} rights = {0};
	struct iovec iov = {&number, sizeof(number)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (attach) {
		msg.msg_control = rights.bytes;
		msg.msg_controllen = sizeof(rights.bytes);
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
		    .cmsg_level = SOL_SOCKET,
		    .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &sock, sizeof(sock));
	}
	assert_int_equal(sendmsg(sock, &msg, MSG_NOSIGNAL), 1);
}

static void
expect(int sock, const char *text)
{
	char got[64] = {0};

	assert_int_equal(recv(sock, got, strlen(text), MSG_WAITALL), strlen(text));
	assert_string_equal(got, text);
}

/* What stands in a slot has its place among what is written, and the slot is free afterwards. */
static void
test_order(void **state)
{
	struct writer w;

	(void)state;
	writer_open(&w);
	for (int round = 0; round < 3; round++) {
		for (int slot = 0; slot < FDSOCK_SLOTS; slot++) {
			put(&w, slot, 0, "shared");
			atomic_store(&w.head->ar_slot[slot], FDSOCK_SLOT_OPEN | 6);
			assert_int_equal(send(w.sock, "one ", 4, 0), 4);
			mark(w.sock, (uint8_t)slot, true);
			assert_int_equal(send(w.sock, " two\n", 5, 0), 5);
			expect(w.peer, "one shared two\n");
			assert_int_equal(atomic_load(&w.head->ar_slot[slot]), 0);
		}
	}
	assert_int_equal(fdt_sysctl("fdsock.stats.bytes_shared"), 3 * FDSOCK_SLOTS * 6);
	writer_close(&w);
}

/* A byte without a slot is a byte, whatever came with it. */
static void
test_78_no_marker(void **state)
{
	struct writer w;

	(void)state;
	writer_open(&w);
	mark(w.sock, 'a', true);
	expect(w.peer, "a");
	mark(w.sock, 1, true);
	expect(w.peer, "\1");
	atomic_store(&w.head->ar_slot[1], FDSOCK_SLOT_OPEN); /* of no bytes */
	mark(w.sock, 1, true);
	expect(w.peer, "\1");
	put(&w, 1, 0, "xyz");
	atomic_store(&w.head->ar_slot[1], FDSOCK_SLOT_OPEN | 3);
	mark(w.sock, 1, false);
	expect(w.peer, "\1");
	mark(w.sock, 1, true);
	expect(w.peer, "xyz");
	writer_close(&w);
}

/* Who appends while the server is done with the slot frees it; and nobody else has it before. */
static void
test_locked(void **state)
{
	struct writer w;

	(void)state;
	writer_open(&w);
	put(&w, 0, 0, "whole");
	atomic_store(&w.head->ar_slot[0], FDSOCK_SLOT_OPEN | FDSOCK_SLOT_LOCK | 5);
	mark(w.sock, 0, true);
	expect(w.peer, "whole");
	uint32_t word = atomic_load(&w.head->ar_slot[0]);
	assert_int_equal(word & (FDSOCK_SLOT_OPEN | FDSOCK_SLOT_LOCK),
	    FDSOCK_SLOT_OPEN | FDSOCK_SLOT_LOCK);
	assert_int_equal(word & (FDSOCK_SLOT_SHUT | FDSOCK_SLOT_DONE),
	    FDSOCK_SLOT_SHUT | FDSOCK_SLOT_DONE);
	writer_close(&w);
}

/* A length beyond the slot, a head full of rubbish: the stream is what suffers. */
static void
test_78_rubbish(void **state)
{
	static char sink[FDSOCK_SLOT_BYTES];
	struct writer w;
	size_t got = 0;
	ssize_t n;

	(void)state;
	writer_open(&w);
	memset(w.head, 0xff, FDSOCK_AREA_HEAD);
	atomic_store(&w.head->ar_opening, 0);
	atomic_store(&w.head->ar_slot[1], FDSOCK_SLOT_OPEN | FDSOCK_SLOT_LEN);
	mark(w.sock, 1, true);
	while (got < sizeof(sink) && (n = recv(w.peer, sink, sizeof(sink) - got, 0)) > 0)
		got += (size_t)n;
	assert_int_equal(got, FDSOCK_SLOT_BYTES);
	assert_int_equal(send(w.sock, "end", 3, 0), 3);
	expect(w.peer, "end");
	writer_close(&w);
}

/* A writer that died while it opened a slot keeps nobody from reading for long. */
static void
test_79_dead_writer(void **state)
{
	struct writer w;
	int memory;

	(void)state;
	writer_open(&w);
	atomic_store(&w.head->ar_opening, 1);
	assert_int_equal(send(w.sock, "others", 6, 0), 6);
	expect(w.peer, "others");
	assert_int_equal(atomic_load(&w.head->ar_off), 1);
	assert_int_equal(share(w.sock, &memory), EOPNOTSUPP);
	assert_int_equal(send(w.sock, "again", 5, 0), 5);
	expect(w.peer, "again");
	writer_close(&w);
}

static void
test_refused(void **state)
{
	int sv[2], memory, sock = fdt_socket(SOCK_STREAM), dgram = fdt_socket(SOCK_DGRAM);
	const uint32_t limit = 65536;
	uint16_t port;

	(void)state;
	assert_int_equal(share(sock, &memory), EOPNOTSUPP);
	assert_int_equal(share(dgram, &memory), EOPNOTSUPP);
	(void)close(sock);
	sock = fdt_listener(1, &port);
	assert_int_equal(share(sock, &memory), EOPNOTSUPP);
	fdt_pair(sv);
	fdt_sysctl_set("fdsock.maxareas", 0);
	assert_int_equal(share(sv[0], &memory), EOPNOTSUPP);
	fdt_sysctl_set("fdsock.maxareas", 1);
	assert_int_equal(fdt_setopt(sv[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, &limit, sizeof(limit)),
	    0);
	assert_int_equal(share(sv[0], &memory), EOPNOTSUPP);
	assert_int_equal(share(sv[1], &memory), 0);
	(void)close(memory);
	assert_int_equal(share(sv[0], &memory), EOPNOTSUPP);
	for (int i = 0; i < 2; i++)
		(void)close(sv[i]);
	(void)close(sock);
	(void)close(dgram);
	fdt_await("fdsock.areas", 0);
}

/* The memory is one for all who hold the socket; it cannot be cut off under the server. */
static void
test_memory(void **state)
{
	struct stat first, second;
	struct writer w;
	int memory;

	(void)state;
	writer_open(&w);
	assert_int_equal(share(w.sock, &memory), 0);
	assert_int_equal(fstat(w.memory, &first), 0);
	assert_int_equal(fstat(memory, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	assert_int_equal(ftruncate(memory, 0), -1);
	assert_int_equal(errno, EPERM);
	(void)close(memory);
	writer_close(&w);
}

/* After shutdown, and with a limit of what is not sent, nothing more comes by it; what is there goes. */
static void
test_stopped(void **state)
{
	const uint32_t limit = 65536;
	struct writer w;
	char byte;

	(void)state;
	for (int how = 0; how < 2; how++) {
		writer_open(&w);
		put(&w, 0, 0, "last");
		atomic_store(&w.head->ar_slot[0], FDSOCK_SLOT_OPEN | 4);
		mark(w.sock, 0, true);
		assert_int_equal(how == 0
			? fdt_shutdown(w.sock, SHUT_WR)
			: fdt_setopt(w.sock, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &limit, sizeof(limit)),
		    0);
		assert_int_equal(atomic_load(&w.head->ar_off), 1);
		expect(w.peer, "last");
		if (how == 0)
			assert_int_equal(recv(w.peer, &byte, 1, 0), 0);
		writer_close(&w);
	}
}

/* What waits in slots is counted like what waits in the pair. */
static void
test_outq(void **state)
{
	const int32_t arg[4] = {SIOCOUTQ};
	static struct fdt_reply rep;
	struct writer w;
	int value = 0;

	(void)state;
	writer_open(&w);
	atomic_store(&w.head->ar_slot[0], FDSOCK_SLOT_OPEN | 1000);
	assert_int_equal(fdt_request(FDSOCK_OP_IOCTL, w.sock, arg, NULL, 0, &rep), 0);
	memcpy(&value, rep.data, sizeof(value));
	assert_int_equal(value, 999); /* the marker itself is still to come */
	writer_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_order, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_78_no_marker, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_locked, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_78_rubbish, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_79_dead_writer, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_refused, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_memory, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_stopped, fdt_setup, fdt_teardown),
	    cmocka_unit_test_setup_teardown(test_outq, fdt_setup, fdt_teardown),
	};

	return cmocka_run_group_tests_name("fd_share", tests, NULL, NULL);
}
