/* SPDX-License-Identifier: BSD-2-Clause */
/* Kept reply pairs, and sockets made ahead, against the scripted server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rumpus/fdsock.h>

#include "testutil.h"

#define MANY 20 /* more than it takes to keep a pair, and to have a socket made ahead */

static void
listen_often(int fd)
{
	for (int i = 0; i < MANY; i++)
		assert_int_equal(listen(fd, i), 0);
}

/* Numbers of kept pairs may be closed and used again, and children have pairs of their own. */
static void
test_replies_kept(void **state)
{
	int fd = tcp(), status, high = 0;
	pid_t child;

	(void)state;
	listen_often(fd);
	for (int number = 900; number < 1100; number++) /* the fake server's are lower */
		(void)close(number);
	for (int number = 900; number < 1100; number++)
		(void)dup2(fd, number);
	listen_often(fd);
	for (int number = 900; number < 1100; number++)
		(void)close(number);
	listen_often(fd);
	child = fork();
	if (child == 0) {
		listen_often(fd);
		_exit(0);
	}
	listen_often(fd);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_LISTEN], 5 * MANY);
	for (int number = 900; number < 1200; number++) /* those in between were taken */
		high += fcntl(number, F_GETFD) >= 0;
	assert_int_equal(high, 4); /* the connection, the pair, and its copy of the connection */
	close_pair(fd);
}

static void *
stop_server(void *arg)
{
	while (fake.fk_count[FDSOCK_OP_CONNECT] == 0)
		(void)sched_yield();
	fake_stop();
	return arg;
}

/* Both ends of a kept pair are here, so that nothing comes to its end with the server. */
static void
test_replies_end(void **state)
{
	int fd = tcp(), end = fake.fk_peer;
	pthread_t thread;

	(void)state;
	listen_often(fd);
	fake.fk_mute[FDSOCK_OP_LISTEN] = true;
	FAILS(listen(fd, 1), ECONNRESET);
	fake.fk_mute[FDSOCK_OP_LISTEN] = false;
	listen_often(fd);
	fake.fk_hold = true;
	assert_int_equal(pthread_create(&thread, NULL, stop_server, NULL), 0);
	FAILS(connect_peer(fd), ECONNRESET);
	(void)pthread_join(thread, NULL);
	fake_start();
	(void)close(fd);
	(void)close(end);
}

/* MANY sockets, each with another request behind it. => the last */
static int
make_often(int type)
{
	int fd = -1;

	fake.fk_keep = true;
	for (int i = 0; i < MANY; i++) {
		if (fd >= 0)
			(void)close(fd);
		fd = socket(AF_INET, type, 0);
		assert_true(fd >= 0);
		assert_int_equal(listen(fd, 1), 0);
	}
	return fd;
}

/* The fake server gets to it when it can. */
static void
await_sockets(int n)
{
	while (fake.fk_count[FDSOCK_OP_SOCKET] < n)
		(void)sched_yield();
}

static void
test_ahead(void **state)
{
	int fd = make_often(SOCK_STREAM), low, other, made;

	(void)state;
	await_sockets(MANY + 1);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	/* another kind is another request */
	other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SOCKET], MANY + 2);
	assert_true((fcntl(other, F_GETFL) & O_NONBLOCK) != 0);
	(void)close(other);
	/* the one that waits is still there, and is the caller's in number and flags */
	low = lowest_free();
	other = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(other, low);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SOCKET], MANY + 2);
	(void)close(other);
	(void)close(fd);
	fd = make_often(SOCK_STREAM | SOCK_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	(void)close(fd);
	/* without room for it there is none, as ever */
	await_sockets(2 * MANY + 4); /* one of the first kind in vain */
	made = fake.fk_count[FDSOCK_OP_SOCKET];
	fake.fk_error[FDSOCK_OP_SOCKET] = ENOBUFS;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* made before */
	assert_int_equal(fake.fk_count[FDSOCK_OP_SOCKET], made);
	assert_int_equal(listen(fd, 1), 0);
	FAILS(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ENOBUFS);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SOCKET], made + 2);
	(void)close(fd);
}

/* The server that made it is gone: there will be one of the new server's. */
static void
test_ahead_restart(void **state)
{
	int fd = make_often(SOCK_STREAM);

	(void)state;
	await_sockets(MANY + 1);
	fake_stop();
	fake_start();
	(void)close(fd);
	fd = tcp();
	assert_int_equal(fake.fk_count[FDSOCK_OP_SOCKET], 1);
	close_pair(fd);
}

/* A child has no part in what its parent has had made. */
static void
test_ahead_children(void **state)
{
	int fd = make_often(SOCK_STREAM), status, made = MANY + 1;
	pid_t child;

	(void)state;
	await_sockets(made);
	child = fork();
	if (child == 0)
		_exit(socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SOCKET], made + 1);
	(void)close(fd);
	(void)close(tcp());
	assert_int_equal(fake.fk_count[FDSOCK_OP_SOCKET], made + 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    T(test_replies_kept),
	    T(test_replies_end),
	    T(test_ahead),
	    T(test_ahead_restart),
	    T(test_ahead_children),
	};
	int failed;

	(void)argc;
	fake_environment(argv);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_environment_end();
	return failed;
}
