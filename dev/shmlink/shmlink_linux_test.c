/* SPDX-License-Identifier: BSD-2-Clause */
/* Meeting at a path: two ends, a third, ends that go and come back, and strangers. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dev/shmlink/shmlink_host.h"

static char path[64], why[256];

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/rumpus-shmlink-%d.sock", (int)getpid());
	why[0] = '\0';
	return 0;
}

/* The path goes with who listened there. */
static int
teardown(void **state)
{
	(void)state;
	return unlink(path) == 0 ? -1 : 0;
}

static enum shmlink_event
turn(struct shmlink_host *sh)
{
	struct pollfd pfd = {.fd = shmlink_host_fd(sh), .events = POLLIN};

	(void)poll(&pfd, 1, 5000);
	return shmlink_host_turn(sh, why, sizeof(why));
}

static struct shmlink_host *
first_end(void)
{
	struct shmlink_host *sh = shmlink_host_open(path, why, sizeof(why));

	assert_non_null(sh);
	return sh;
}

static char opener_why[256];

static void *
opener(void *arg)
{
	(void)arg;
	return shmlink_host_open(path, opener_why, sizeof(opener_why));
}

/* Opens an end that waits for `first` to answer. => NULL: refused; *event: what first saw */
static struct shmlink_host *
next_end(struct shmlink_host *first, enum shmlink_event *event)
{
	pthread_t thread;
	void *end;

	assert_int_equal(pthread_create(&thread, NULL, opener, NULL), 0);
	*event = turn(first);
	assert_int_equal(pthread_join(thread, &end), 0);
	return end;
}

/* Both ends see the same memory, each the other's way round. */
static void
expect_shared(struct shmlink_host *a, struct shmlink_host *b)
{
	struct shmlink_map am, bm;

	shmlink_host_map(a, &am);
	shmlink_host_map(b, &bm);
	memset(am.sm_txhdr, 1, SHMLINK_RING_HDR);
	memset(am.sm_txdata, 2, SHMLINK_RING_DATA);
	memset(bm.sm_txhdr, 3, SHMLINK_RING_HDR);
	memset(bm.sm_txdata, 4, SHMLINK_RING_DATA);
	assert_int_equal(((uint8_t *)bm.sm_rxhdr)[SHMLINK_RING_HDR - 1], 1);
	assert_int_equal(bm.sm_rxdata[SHMLINK_RING_DATA - 1], 2);
	assert_int_equal(((uint8_t *)am.sm_rxhdr)[0], 3);
	assert_int_equal(am.sm_rxdata[0], 4);
}

static void
test_two_ends(void **state)
{
	enum shmlink_event event;
	struct shmlink_host *a = first_end(), *b = next_end(a, &event), *c;

	(void)state;
	assert_non_null(b);
	assert_int_equal(event, SHMLINK_UP);
	assert_int_equal(shmlink_host_turn(b, why, sizeof(why)), SHMLINK_UP);
	expect_shared(a, b);
	shmlink_host_bell(a);
	assert_int_equal(poll(&(struct pollfd){.fd = shmlink_host_fd(b), .events = POLLIN}, 1, 0),
	    1);
	assert_int_equal(turn(b), SHMLINK_BELL);
	assert_int_equal(poll(&(struct pollfd){.fd = shmlink_host_fd(b), .events = POLLIN}, 1, 0),
	    0);
	c = next_end(a, &event);
	assert_null(c);
	assert_int_equal(event, SHMLINK_BELL);
	assert_non_null(strstr(opener_why, "two ends already"));
	shmlink_host_close(b);
	shmlink_host_close(a);
}

static void
test_comes_back(void **state)
{
	enum shmlink_event event;
	struct shmlink_host *a = first_end(), *b = next_end(a, &event);

	(void)state;
	assert_non_null(b);
	assert_int_equal(shmlink_host_turn(b, why, sizeof(why)), SHMLINK_UP);
	shmlink_host_close(b);
	assert_int_equal(turn(a), SHMLINK_DOWN);
	assert_true(shmlink_host_again(a, why, sizeof(why)));
	b = next_end(a, &event);
	assert_int_equal(event, SHMLINK_UP);
	assert_int_equal(shmlink_host_turn(b, why, sizeof(why)), SHMLINK_UP);
	/* the one that listened goes: the other takes its place */
	shmlink_host_close(a);
	assert_int_equal(turn(b), SHMLINK_DOWN);
	assert_true(shmlink_host_again(b, why, sizeof(why)));
	a = next_end(b, &event);
	assert_non_null(a);
	assert_int_equal(event, SHMLINK_UP);
	assert_int_equal(shmlink_host_turn(a, why, sizeof(why)), SHMLINK_UP);
	expect_shared(a, b);
	shmlink_host_close(a);
	shmlink_host_close(b);
}

static int
stranger(int listens)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (listens) {
		assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
		assert_int_equal(listen(fd, 4), 0);
	} else
		assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void *
say_nonsense(void *arg)
{
	int fd = accept(*(int *)arg, NULL, NULL);

	assert_int_equal(send(fd, "who are you?", 12, 0), 12);
	(void)close(fd);
	return NULL;
}

static void
test_strangers(void **state)
{
	struct shmlink_host *a = first_end();
	pthread_t thread;
	int fd = stranger(0);

	(void)state;
	/* one that comes, says something and goes: for a moment it is the other end */
	assert_int_equal(turn(a), SHMLINK_UP);
	(void)send(fd, "hello", 5, MSG_NOSIGNAL);
	assert_int_equal(turn(a), SHMLINK_DOWN);
	assert_true(shmlink_host_again(a, why, sizeof(why)));
	(void)close(fd);
	shmlink_host_close(a);
	/* one that listens there, and is none of us */
	fd = stranger(1);
	assert_int_equal(pthread_create(&thread, NULL, say_nonsense, &fd), 0);
	assert_null(shmlink_host_open(path, why, sizeof(why)));
	assert_non_null(strstr(why, "no rumpusd"));
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(fd);
	/* what it left is taken over */
	shmlink_host_close(first_end());
}

static void
test_no_path(void **state)
{
	char deep[200];

	(void)state;
	memset(deep, 'x', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	assert_null(shmlink_host_open(deep, why, sizeof(why)));
	assert_non_null(strstr(why, "try:"));
	assert_null(shmlink_host_open("/nonexistent/wire.sock", why, sizeof(why)));
	assert_non_null(strstr(why, "No such file"));
	assert_null(shmlink_host_open("/tmp", why, sizeof(why)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_two_ends, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_comes_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_path, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
