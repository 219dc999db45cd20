/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring in shared memory: order, wrapping, room, bells, and a hostile other side. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dev/shmlink/ring.h"
#include "kern/cdefs.h"

#define SIZE (1u << 17)
#define STRESS_FRAMES 20000u

static struct ring_shared shared;
static uint8_t data[SIZE];

static void
make(struct ring *put, struct ring *take)
{
	memset(&shared, 0, sizeof(shared));
	memset(data, 0xee, sizeof(data));
	ring_init(put, &shared, data, SIZE);
	ring_init(take, &shared, data, SIZE);
}

static uint8_t
byte_of(uint32_t frame, uint32_t i)
{
	return (uint8_t)(frame * 31 + i);
}

static bool
put_frame(struct ring *r, uint32_t frame, uint32_t len, bool *bell)
{
	static uint8_t bytes[RING_FRAME_MAX];
	const struct ring_record rr = {.rr_len = len,
	    .rr_flags = RING_CSUM,
	    .rr_segsz = (uint16_t)frame};

	if (!ring_reserve(r, &rr))
		return false;
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = byte_of(frame, i);
	ring_write(r, bytes, len / 3);
	ring_write(r, bytes + len / 3, len - len / 3);
	*bell = ring_commit(r);
	return true;
}

static bool
take_frame(struct ring *r, uint32_t frame, uint32_t len)
{
	static uint8_t bytes[RING_FRAME_MAX];
	struct ring_record rr;

	assert_int_equal(ring_next(r, &rr), RING_FRAME);
	assert_int_equal(rr.rr_len, len);
	assert_int_equal(rr.rr_segsz, (uint16_t)frame);
	assert_int_equal(rr.rr_flags, RING_CSUM);
	ring_read(r, bytes, len / 2);
	ring_read(r, bytes + len / 2, len - len / 2);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], byte_of(frame, i));
	return ring_release(r, &rr);
}

static void
test_order_and_wrap(void **state)
{
	static const uint32_t lens[] = {1, 60, 1514, RING_FRAME_MAX, 7, 8, 9, 4096, 0, 33000};
	struct ring put, take;
	struct ring_record rr;
	bool bell;

	(void)state;
	make(&put, &take);
	/* positions wrap at 2^32, too */
	put.r_pos = take.r_pos = shared.rs_head = shared.rs_tail = UINT32_MAX - 65535 + 8;
	for (uint32_t i = 0; i < 2000; i++) {
		assert_true(put_frame(&put, i, lens[i % nitems(lens)], &bell));
		(void)take_frame(&take, i, lens[i % nitems(lens)]);
	}
	assert_int_equal(ring_next(&take, &rr), RING_EMPTY);
	assert_int_equal(shared.rs_head, shared.rs_tail);
}

static void
test_bells(void **state)
{
	struct ring put, take;
	struct ring_record rr;
	unsigned n = 0;
	bool bell;

	(void)state;
	make(&put, &take);
	assert_true(put_frame(&put, 0, 100, &bell));
	assert_false(bell); /* the taker has not said that it sleeps */
	assert_false(take_frame(&take, 0, 100));
	assert_int_equal(ring_next(&take, &rr), RING_EMPTY);
	assert_true(put_frame(&put, 1, 100, &bell));
	assert_true(bell);
	assert_true(put_frame(&put, 2, 100, &bell));
	assert_false(bell); /* once is enough */
	assert_false(take_frame(&take, 1, 100));
	assert_false(take_frame(&take, 2, 100));
	while (put_frame(&put, n, 20000, &bell))
		n++;
	assert_int_equal(n, SIZE / (20000 + sizeof(rr)));
	assert_true(take_frame(&take, 0, 20000)); /* the putter waits */
	assert_false(take_frame(&take, 1, 20000));
	assert_true(put_frame(&put, n, 20000, &bell));
	assert_false(bell);
}

/* A taker that moves its tail where it cannot be gets nothing written over what it still holds. */
static void
test_hostile_taker(void **state)
{
	struct ring put, take;
	const struct ring_record rr = {.rr_len = 100};
	bool bell;

	(void)state;
	make(&put, &take);
	assert_true(put_frame(&put, 0, 100, &bell));
	shared.rs_tail = put.r_pos + 4; /* more taken than was put */
	assert_false(ring_reserve(&put, &rr));
	shared.rs_tail = put.r_pos - SIZE - 8; /* more waits than there is room for */
	assert_false(ring_reserve(&put, &rr));
	shared.rs_tail = 0;
	assert_true(ring_reserve(&put, &rr));
}

static void
test_hostile_putter(void **state)
{
	struct ring put, take;
	struct ring_record rr, lie;
	bool bell;

	(void)state;
	make(&put, &take);
	shared.rs_head = SIZE + 1; /* more than the ring holds */
	assert_int_equal(ring_next(&take, &rr), RING_BROKEN);
	shared.rs_head = 4; /* less than a record */
	assert_int_equal(ring_next(&take, &rr), RING_BROKEN);
	shared.rs_head = 0u - 8; /* backwards */
	assert_int_equal(ring_next(&take, &rr), RING_BROKEN);
	make(&put, &take);
	assert_true(put_frame(&put, 0, 100, &bell));
	lie = (struct ring_record){.rr_len = 105}; /* longer than what was shown */
	memcpy(data, &lie, sizeof(lie));
	assert_int_equal(ring_next(&take, &rr), RING_BROKEN);
	lie.rr_len = RING_FRAME_MAX + 1;
	memcpy(data, &lie, sizeof(lie));
	assert_int_equal(ring_next(&take, &rr), RING_BROKEN);
	lie.rr_len = UINT32_MAX; /* its span would wrap */
	memcpy(data, &lie, sizeof(lie));
	assert_int_equal(ring_next(&take, &rr), RING_BROKEN);
	lie.rr_len = 104; /* as far as the padding is as good */
	memcpy(data, &lie, sizeof(lie));
	assert_int_equal(ring_next(&take, &rr), RING_FRAME);
}

/* The bells, as the two threads hear them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t rung = PTHREAD_COND_INITIALIZER;
static bool put_bell, take_bell;

static void
ring_bell(bool *which)
{
	(void)pthread_mutex_lock(&lock);
	*which = true;
	(void)pthread_cond_broadcast(&rung);
	(void)pthread_mutex_unlock(&lock);
}

static void
hear_bell(bool *which)
{
	(void)pthread_mutex_lock(&lock);
	while (!*which)
		(void)pthread_cond_wait(&rung, &lock);
	*which = false;
	(void)pthread_mutex_unlock(&lock);
}

static uint32_t
stress_len(uint32_t frame)
{
	return frame % 97 == 0 ? RING_FRAME_MAX : frame * 2654435761u % 3000;
}

static void *
putter(void *arg)
{
	bool bell;

	for (uint32_t i = 0; i < STRESS_FRAMES; i++) {
		while (!put_frame(arg, i, stress_len(i), &bell))
			hear_bell(&put_bell);
		if (bell)
			ring_bell(&take_bell);
	}
	return NULL;
}

/* Two threads that sleep for each other's bells: a bell that is lost hangs the test. */
static void
test_two_threads(void **state)
{
	struct ring put, take, look;
	struct ring_record rr;
	pthread_t thread;

	(void)state;
	make(&put, &take);
	assert_int_equal(pthread_create(&thread, NULL, putter, &put), 0);
	for (uint32_t i = 0; i < STRESS_FRAMES;) {
		look = take;
		if (ring_next(&look, &rr) == RING_EMPTY) {
			hear_bell(&take_bell);
			continue;
		}
		if (take_frame(&take, i, stress_len(i)))
			ring_bell(&put_bell);
		i++;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order_and_wrap),
	    cmocka_unit_test(test_bells),
	    cmocka_unit_test(test_hostile_taker),
	    cmocka_unit_test(test_hostile_putter),
	    cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
