/* SPDX-License-Identifier: BSD-2-Clause */
/* Impairments: each happens as often as asked, when asked, and the same again with the same seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dev/fault/fault.h"
#include "kern/cdefs.h"

#define FRAMES 100000u

static const uint8_t seed[32] = {7};

/* Sends FRAMES frames of 100 bytes, one a microsecond. */
static struct fault
run_of(const struct fault_config *fc)
{
	struct fault_fate ff;
	struct fault f;

	fault_init(&f, fc, seed);
	for (uint64_t i = 0; i < FRAMES; i++)
		fault_frame(&f, i * 1000, 100, &ff);
	assert_int_equal(f.f_counts[FAULT_NONE], FRAMES);
	return f;
}

static void
expect_share(const struct fault *f, enum fault_kind kind, unsigned percent)
{
	uint64_t got = f->f_counts[kind];

	assert_in_range(got, FRAMES * percent / 100 * 95 / 100, FRAMES * percent / 100 * 105 / 100);
}

static void
test_perfect(void **state)
{
	static const struct fault_config none;
	struct fault_fate ff;
	struct fault f;

	(void)state;
	fault_init(&f, &none, seed);
	fault_frame(&f, 5, 1, &ff);
	assert_int_equal(ff.ff_ncopies, 1);
	assert_int_equal(ff.ff_due_ns[0], 5);
	assert_false(ff.ff_corrupt);
}

static void
test_shares(void **state)
{
	const struct fault_config fc = {.fc_loss_ppm = 100000,
	    .fc_duplicate_ppm = 200000,
	    .fc_corrupt_ppm = 300000,
	    .fc_reorder_ppm = 400000};
	struct fault f = run_of(&fc), again = run_of(&fc);

	(void)state;
	expect_share(&f, FAULT_LOST, 10);
	expect_share(&f, FAULT_DUPLICATED, 18); /* of what is not lost */
	expect_share(&f, FAULT_CORRUPTED, 27);
	expect_share(&f, FAULT_REORDERED, 43); /* of it and of duplicates */
	assert_memory_equal(f.f_counts, again.f_counts, sizeof(f.f_counts));
}

/* Gilbert: mean burst 1/r, share lost p/(p+r). */
static void
test_bursts(void **state)
{
	const struct fault_config fc = {.fc_burst_ppm = 10000, .fc_burst_end_ppm = 90000};
	unsigned lost = 0, bursts = 0;
	struct fault_fate ff;
	bool before = false;
	struct fault f;

	(void)state;
	fault_init(&f, &fc, seed);
	for (uint64_t i = 0; i < FRAMES; i++) {
		fault_frame(&f, i, 100, &ff);
		lost += ff.ff_ncopies == 0;
		bursts += ff.ff_ncopies == 0 && !before;
		before = ff.ff_ncopies == 0;
	}
	assert_in_range(lost, FRAMES * 8 / 100, FRAMES * 12 / 100);
	assert_in_range(lost / bursts, 10, 12);
}

static void
test_order(void **state)
{
	const struct fault_config fc = {.fc_delay_ns = 1000, .fc_jitter_ns = 100000};
	uint64_t last = 0, most = 0;
	struct fault_fate ff;
	struct fault f;

	(void)state;
	fault_init(&f, &fc, seed);
	for (uint64_t i = 0; i < FRAMES; i++) {
		fault_frame(&f, i * 1000, 100, &ff);
		assert_true(ff.ff_due_ns[0] >= last && ff.ff_due_ns[0] >= i * 1000 + 1000);
		last = ff.ff_due_ns[0];
		most = KERN_MAX(most, last - i * 1000);
	}
	assert_in_range(most, 90000, 101000);
}

static void
test_held_back(void **state)
{
	struct fault_config fc = {.fc_reorder_ppm = FAULT_PPM, .fc_reorder_ns = 50};
	struct fault_fate ff;
	struct fault f;

	(void)state;
	fault_init(&f, &fc, seed);
	fault_frame(&f, 10, 1, &ff);
	assert_int_equal(ff.ff_due_ns[0], 60);
	f.f_config.fc_reorder_ppm = 0;
	fault_frame(&f, 11, 1, &ff);
	assert_int_equal(ff.ff_due_ns[0], 11); /* overtakes */
}

static void
test_rate_and_queue(void **state)
{
	const struct fault_config fc = {.fc_rate_bps = 8000000, .fc_queue_bytes = 1000};
	struct fault_fate ff;
	struct fault f;
	unsigned n;

	(void)state;
	fault_init(&f, &fc, seed);
	for (n = 0; n < 20; n++) {
		fault_frame(&f, 0, 250, &ff);
		if (ff.ff_ncopies == 0)
			break;
		assert_int_equal(ff.ff_due_ns[0], (n + 1) * 250000);
	}
	assert_int_equal(n, 5); /* the first is on the wire when the fifth comes */
	assert_int_equal(ff.ff_why, FAULT_QUEUE);
	fault_frame(&f, 250001, 250, &ff);
	assert_int_equal(ff.ff_ncopies, 1);
}

static void
test_cut_and_oversize(void **state)
{
	struct fault_config fc = {.fc_oversize = 100};
	struct fault_fate ff;
	struct fault f;

	(void)state;
	fault_init(&f, &fc, seed);
	fault_frame(&f, 0, 101, &ff);
	assert_int_equal(ff.ff_ncopies, 0);
	assert_int_equal(ff.ff_why, FAULT_OVERSIZE);
	fault_frame(&f, 0, 100, &ff);
	assert_int_equal(ff.ff_ncopies, 1);
	f.f_config.fc_cut = true;
	fault_frame(&f, 0, 100, &ff);
	assert_int_equal(ff.ff_ncopies, 0);
	assert_int_equal(ff.ff_why, FAULT_CUT);
}

static void
test_text(void **state)
{
	struct fault_config fc = {0};

	(void)state;
	assert_int_equal(fault_parse(&fc, "loss", "0.1%"), FAULT_TEXT_OK);
	assert_int_equal(fc.fc_loss_ppm, 1000);
	assert_int_equal(fault_parse(&fc, "burst", "0.5%/25%"), FAULT_TEXT_OK);
	assert_int_equal(fc.fc_burst_ppm, 5000);
	assert_int_equal(fc.fc_burst_end_ppm, 250000);
	assert_int_equal(fault_parse(&fc, "delay", "12.5ms"), FAULT_TEXT_OK);
	assert_int_equal(fc.fc_delay_ns, 12500000);
	assert_int_equal(fault_parse(&fc, "jitter", "3us"), FAULT_TEXT_OK);
	assert_int_equal(fc.fc_jitter_ns, 3000);
	assert_int_equal(fault_parse(&fc, "rate", "1.5G"), FAULT_TEXT_OK);
	assert_int_equal(fc.fc_rate_bps, 1500000000);
	assert_int_equal(fault_parse(&fc, "reorder", "2%/7ms"), FAULT_TEXT_OK);
	assert_int_equal(fc.fc_reorder_ns, 7000000);
	assert_int_equal(fault_parse(&fc, "queue", "64k"), FAULT_TEXT_OK);
	assert_int_equal(fc.fc_queue_bytes, 65536);
	assert_int_equal(fault_parse(&fc, "dup", "100%"), FAULT_TEXT_OK);
	assert_int_equal(fc.fc_duplicate_ppm, FAULT_PPM);
	assert_int_equal(fault_parse(&fc, "los", "1%"), FAULT_TEXT_UNKNOWN);
	assert_int_equal(fault_parse(&fc, "addr", "1%"), FAULT_TEXT_UNKNOWN);
}

static void
test_bad_text(void **state)
{
	static const char *const bad[][2] = {{"loss", "1"}, {"loss", ""}, {"loss", "101%"},
	    {"loss", "%"}, {"loss", "1%x"}, {"loss", "-1%"}, {"burst", "1%"}, {"burst", "1%/0%"},
	    {"delay", "5"}, {"delay", "1.ms2"}, {"rate", "fast"}, {"reorder", "1%/"},
	    {"delay", "12345678s"}};
	struct fault_config fc = {0};

	(void)state;
	for (unsigned i = 0; i < nitems(bad); i++)
		assert_int_equal(fault_parse(&fc, bad[i][0], bad[i][1]), FAULT_TEXT_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_perfect),
	    cmocka_unit_test(test_shares),
	    cmocka_unit_test(test_bursts),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_held_back),
	    cmocka_unit_test(test_rate_and_queue),
	    cmocka_unit_test(test_cut_and_oversize),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_bad_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
