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

#define CHILDREN 3u

struct family {
	int listener;
	uint16_t port;
	int clients[CHILDREN], conns[CHILDREN];
	uint64_t cookies[CHILDREN];
	unsigned found; /* in the listener's list */
};

static void
family_make(struct family *fa)
{
	fa->listener = fdt_listener(4, &fa->port);
	for (unsigned i = 0; i < CHILDREN; i++) {
		fa->clients[i] = fdt_socket(SOCK_STREAM);
		assert_int_equal(fdt_connect(fa->clients[i], INADDR_LOOPBACK, fa->port), 0);
		fa->conns[i] = fdt_accept(fa->listener);
		fa->cookies[i] = fd_cookie(fa->conns[i]);
	}
}

static void
family_count(struct fd_server *fd, struct netstack *ns, void *arg)
{
	struct family *fa = arg;
	const struct fdsock *head = fd_sock_find(fd, fd_cookie(fa->listener)), *fs;

	(void)ns;
	fa->found = 0;
	LIST_FOREACH(fs, &head->fs_children, fs_sibling) {
		assert_ptr_equal(fs->fs_head, head);
		for (unsigned i = 0; i < CHILDREN; i++)
			fa->found += fs->fs_cookie == fa->cookies[i];
	}
}

static void
family_orphans(struct fd_server *fd, struct netstack *ns, void *arg)
{
	struct family *fa = arg;
	const struct fdsock *fs;

	(void)ns;
	for (unsigned i = 1; i < CHILDREN; i++) {
		assert_non_null(fs = fd_sock_find(fd, fa->cookies[i]));
		assert_null(fs->fs_head);
		assert_false(fd_listen_untaken(fs));
	}
}

/* A listener knows what it has made, so that nobody else is looked at when it ends. */
static void
test_children(void **state)
{
	struct family one = {0}, two = {0};
	uint64_t left;

	(void)state;
	family_make(&one);
	family_make(&two);
	fdt_call(family_count, &one);
	assert_int_equal(one.found, CHILDREN);
	left = fdt_sysctl("fdsock.sockets");
	(void)close(one.conns[0]);
	fdt_await("fdsock.sockets", --left);
	fdt_call(family_count, &one);
	assert_int_equal(one.found, CHILDREN - 1);
	(void)close(one.listener);
	fdt_await("fdsock.sockets", --left);
	fdt_call(family_orphans, &one);
	fdt_call(family_count, &two);
	assert_int_equal(two.found, CHILDREN);
	(void)close(two.listener);
	for (unsigned i = 0; i < CHILDREN; i++) {
		if (i > 0)
			(void)close(one.conns[i]);
		(void)close(one.clients[i]);
		(void)close(two.conns[i]);
		(void)close(two.clients[i]);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fdt_setup, fdt_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_reap),
	    T(test_closed_before),
	    T(test_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
