/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that their clients close: how they are found, and before what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kern/netstack.h"
#include "server/fdsock/fd_impl.h"
#include "server/fdsock/fd_testutil.h"

#define SHARERS 64u

struct reap {
	uint16_t port;
	int socks[SHARERS];
	unsigned polls; /* in the server's thread */
	uint32_t left;
};

/* In place of the host's, which it calls: how often a thread asks that has it counted. */
static _Thread_local unsigned polls;

int
poll(struct pollfd *pfd, nfds_t n, int timeout_ms)
{
	struct timespec ts = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	polls++;
	return ppoll(pfd, n, timeout_ms < 0 ? NULL : &ts, NULL);
}

static int
sharing(int option, uint16_t port)
{
	const int one = 1;
	int sock = fdt_socket(SOCK_DGRAM);

	assert_int_equal(fdt_setopt(sock, SOL_SOCKET, option, &one, sizeof(one)), 0);
	assert_int_equal(fdt_bind(sock, port), 0);
	return sock;
}

/* In the server's thread, so that no event of what is closed comes before it is asked for. */
static void
close_and_reap(struct fd_server *fd, struct netstack *ns, void *arg)
{
	struct reap *re = arg;

	(void)ns;
	for (unsigned i = SHARERS / 2; i < SHARERS; i++)
		(void)close(re->socks[i]);
	polls = 0;
	fd_sock_reap(fd, htons(re->port));
	re->polls = polls;
	re->left = fd->fd_nsocks;
}

/* 79: of many sockets of a port, each is asked once whether its client has closed it. */
static void
test_reap(void **state)
{
	struct reap re = {0};

	(void)state;
	for (unsigned i = 0; i < SHARERS; i++) {
		re.socks[i] = sharing(SO_REUSEPORT, re.port);
		re.port = fdt_port(re.socks[i]);
	}
	fdt_call(close_and_reap, &re);
	assert_int_equal(re.polls, SHARERS);
	assert_int_equal(re.left, SHARERS / 2);
	for (unsigned i = 0; i < SHARERS / 2; i++)
		(void)close(re.socks[i]);
}

struct late {
	int sender, first, last;
	uint16_t port;
};

/*
 * The server has begun with what the sender wrote before: it finds the record though the close before it
 * is an event that nobody has fetched yet.
 */
static void
close_and_send(struct fd_server *fd, struct netstack *ns, void *arg)
{
	const struct late *la = arg;
	struct fdsock *fs = fd_sock_find(fd, fd_cookie(la->sender));
	struct fdsock_dgram dg = {.dg_flags = FDSOCK_DG_ADDR,
	    .dg_family = AF_INET,
	    .dg_port = htons(la->port),
	    .dg_addr = {127, 0, 0, 1}};

	(void)ns;
	(void)close(la->last);
	assert_int_equal(send(la->sender, &dg, sizeof(dg), 0), sizeof(dg));
	fs->fs_canread = true;
	fd_sock_schedule(fs);
}

/* A datagram to the port of a socket that was closed before it was sent is for who has the port now. */
static void
test_closed_before(void **state)
{
	struct late la = {.sender = fdt_socket(SOCK_DGRAM), .first = sharing(SO_REUSEADDR, 0)};
	struct fdsock_dgram dg;

	(void)state;
	la.port = fdt_port(la.first);
	la.last = sharing(SO_REUSEADDR, la.port);
	fdt_call(close_and_send, &la);
	(void)fdt_poll(la.first, POLLIN);
	assert_int_equal(recv(la.first, &dg, sizeof(dg), 0), sizeof(dg));
	(void)close(la.first);
	(void)close(la.sender);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fdt_setup, fdt_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_reap),
	    T(test_closed_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
