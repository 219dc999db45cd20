/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP options: real ones, hostile ones, and ours in the order that BSD gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"
#include "wire/testutil.h"
#include "wire/testutil_packets.h"

/* Parses the listed bytes from the heap, so that reading past them shows. */
#define PARSE(to, is_syn, ...)                                                              \
	parse_exact((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), \
	    is_syn, to)

static int
parse_exact(const uint8_t *bytes, size_t len, bool is_syn, struct tcp_opts *to)
{
	uint8_t *p = test_exact(bytes, len);
	int error = tcp_opts_parse(p, len, is_syn, to);

	free(p);
	return error;
}

static void
test_parse_linux_syn(void **state)
{
	const uint8_t *opts = packet_syn + ETHER_HDR_LEN + IPV4_HDR_LEN + TCP_HDR_LEN;
	struct tcp_opts to;

	(void)state;
	assert_int_equal(tcp_opts_parse(opts, 20, true, &to), 0);
	assert_int_equal(to.to_flags, TOF_MSS | TOF_SACKPERM | TOF_TS | TOF_WSCALE);
	assert_int_equal(to.to_mss, 1460);
	assert_int_equal(to.to_wscale, 10);
	assert_int_equal(to.to_tsval, 0xeaab7b0e);
	assert_int_equal(to.to_tsecr, 0);
	/* outside a SYN only the timestamp counts */
	assert_int_equal(tcp_opts_parse(opts, 20, false, &to), 0);
	assert_int_equal(to.to_flags, TOF_TS);
	assert_int_equal(to.to_mss | to.to_wscale, 0);
}

/* HOSTILE 50: every truncation keeps what came before it, and reads nothing behind. */
static void
test_parse_every_truncation(void **state)
{
	const uint8_t *opts = packet_syn + ETHER_HDR_LEN + IPV4_HDR_LEN + TCP_HDR_LEN;
	struct tcp_opts to;

	(void)state;
	for (size_t len = 0; len <= 20; len++) {
		bool whole =
		    len == 0 || len == 4 || len == 6 || len == 16 || len == 17 || len == 20;
		unsigned flags = 0;

		flags |= len >= 4 ? TOF_MSS : 0;
		flags |= len >= 6 ? TOF_SACKPERM : 0;
		flags |= len >= 16 ? TOF_TS : 0;
		flags |= len >= 20 ? TOF_WSCALE : 0;
		assert_int_equal(parse_exact(opts, len, true, &to), whole ? 0 : -1);
		assert_int_equal(to.to_flags, flags);
	}
}

static void
test_parse_malformed(void **state)
{
	struct tcp_opts to;

	(void)state;
	assert_int_equal(PARSE(&to, true, 2, 0, 5, 180), -1);
	assert_int_equal(PARSE(&to, true, 2, 1, 5, 180), -1);
	assert_int_equal(PARSE(&to, true, 2), -1);
	assert_int_equal(PARSE(&to, true, 3, 4, 7), -1);
	assert_int_equal(PARSE(&to, true, 254, 255, 0, 0), -1);
	assert_int_equal(to.to_flags, 0);
	/* unknown kinds are passed over; behind EOL nothing is read */
	assert_int_equal(PARSE(&to, true, 253, 4, 1, 2, 1, 3, 3, 7), 0);
	assert_int_equal(to.to_flags, TOF_WSCALE);
	assert_int_equal(PARSE(&to, true, 1, 0, 2, 0, 3, 1), 0);
	assert_int_equal(to.to_flags, 0);
	/* right in itself, wrong for its kind */
	assert_int_equal(PARSE(&to, true, 2, 3, 5, 3, 2, 4, 3, 0, 8, 9, 1, 1, 1, 1, 1, 1, 1), 0);
	assert_int_equal(to.to_flags, 0);
	assert_int_equal(PARSE(&to, true, 2, 5, 5, 180, 0, 3, 3, 1), 0);
	assert_int_equal(to.to_flags, TOF_WSCALE);
}

static void
test_parse_limits(void **state)
{
	struct tcp_opts to;

	(void)state;
	for (unsigned shift = 0; shift < 256; shift++) {
		assert_int_equal(PARSE(&to, true, 3, 3, (uint8_t)shift), 0);
		assert_int_equal(to.to_wscale, shift > 14 ? 14 : shift);
	}
	assert_int_equal(PARSE(&to, true, 2, 4, 0, 0), 0);
	assert_int_equal(to.to_flags, TOF_MSS);
	assert_int_equal(to.to_mss, 0);
	/* of two the first counts */
	assert_int_equal(PARSE(&to, true, 2, 4, 5, 180, 2, 4, 0, 1, 3, 3, 7, 3, 3, 9), 0);
	assert_int_equal(to.to_mss, 1460);
	assert_int_equal(to.to_wscale, 7);
}

static void
test_parse_sack(void **state)
{
	uint8_t five[42] = {TCPOPT_SACK, 42};
	struct tcp_opts to;

	(void)state;
	assert_int_equal(PARSE(&to, false, 1, 1, 5, 10, 0, 0, 0, 1, 0x80, 0, 0, 2), 0);
	assert_int_equal(to.to_flags, TOF_SACK);
	assert_int_equal(to.to_nsacks, 1);
	assert_int_equal(to.to_sacks[0].start, 1);
	assert_int_equal(to.to_sacks[0].end, 0x80000002);
	assert_int_equal(PARSE(&to, true, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2), 0);
	assert_int_equal(to.to_flags, 0);
	/* no blocks, and part of a block */
	assert_int_equal(PARSE(&to, false, 5, 2), 0);
	assert_int_equal(to.to_flags, 0);
	assert_int_equal(PARSE(&to, false, 5, 9, 0, 0, 0, 1, 0, 0, 0), 0);
	assert_int_equal(to.to_flags, 0);
	assert_int_equal(PARSE(&to, false, 5, 11, 0, 0, 0, 1, 0, 0, 0, 2, 9, 1), 0);
	assert_int_equal(to.to_flags, 0);
	/* more blocks than a header can hold */
	five[2 + 3 * 8] = 4;
	five[2 + 4 * 8] = 5;
	assert_int_equal(parse_exact(five, sizeof(five), false, &to), 0);
	assert_int_equal(to.to_nsacks, 4);
	assert_int_equal(to.to_sacks[3].start, 0x04000000);
}

static void
test_parse_random_bytes(void **state)
{
	uint8_t bytes[TCP_OPTS_LEN_MAX];
	uint32_t rnd = 14;
	int good = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		size_t len = test_random(&rnd) % (sizeof(bytes) + 1);
		struct tcp_opts to;

		test_random_fill(&rnd, bytes, sizeof(bytes));
		for (size_t at = 0; i % 2 == 0 && at < sizeof(bytes); at++)
			bytes[at] %= 11; /* often a known kind or a possible length */
		good += parse_exact(bytes, len, i % 4 < 2, &to) == 0;
		assert_true(to.to_nsacks <= TCP_NSACKS_MAX);
		assert_true(to.to_wscale <= TCP_WSCALE_MAX);
		assert_int_equal(to.to_flags & ~0x1f, 0);
	}
	assert_in_range(good, 1000, 99000); /* both outcomes were tried */
}

static void
test_emit_syn_as_bsd_does(void **state)
{
	static const uint8_t expected[20] = {2, 4, 5, 180, 1, 3, 3, 6, 4, 2, 8, 10, 1, 2, 3, 4, 5,
	    6, 7, 8};
	static const uint8_t no_ts[12] = {2, 4, 5, 180, 1, 3, 3, 6, 4, 2, 0, 0};
	static const uint8_t only_ts[16] = {2, 4, 5, 180, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
	struct tcp_opts to = {.to_flags = TOF_MSS | TOF_WSCALE | TOF_SACKPERM | TOF_TS,
	    .to_mss = 1460,
	    .to_wscale = 6,
	    .to_tsval = 0x01020304,
	    .to_tsecr = 0x05060708};
	uint8_t buf[TCP_OPTS_LEN_MAX];

	(void)state;
	assert_int_equal(tcp_opts_emit(buf, sizeof(buf), &to, true), 20);
	assert_memory_equal(buf, expected, 20);
	to.to_flags = TOF_MSS | TOF_WSCALE | TOF_SACKPERM;
	assert_int_equal(tcp_opts_emit(buf, sizeof(buf), &to, true), 12);
	assert_memory_equal(buf, no_ts, 12);
	to.to_flags = TOF_MSS | TOF_TS;
	assert_int_equal(tcp_opts_emit(buf, sizeof(buf), &to, true), 16);
	assert_memory_equal(buf, only_ts, 16);
	to.to_flags = 0;
	assert_int_equal(tcp_opts_emit(buf, sizeof(buf), &to, true), 0);
}

static void
test_emit_data_segment(void **state)
{
	static const uint8_t ts_sack[24] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0,
	    0, 3, 0, 0, 0, 4};
	struct tcp_opts to = {.to_flags = 0xff,
	    .to_nsacks = 1,
	    .to_tsval = 1,
	    .to_tsecr = 2,
	    .to_sacks = {{3, 4}}};
	uint8_t buf[64];

	(void)state;
	assert_int_equal(tcp_opts_emit(buf, sizeof(buf), &to, false), 24);
	assert_memory_equal(buf, ts_sack, 24);
	/* with timestamps three blocks fit, without four, however many are asked for */
	to.to_nsacks = 4;
	assert_int_equal(tcp_opts_emit(buf, sizeof(buf), &to, false), 40);
	assert_int_equal(buf[15], 2 + 3 * 8);
	to.to_flags = TOF_SACK;
	to.to_nsacks = 255;
	assert_int_equal(tcp_opts_emit(buf, sizeof(buf), &to, false), 36);
	assert_int_equal(buf[3], 2 + 4 * 8);
	to.to_nsacks = 0;
	assert_int_equal(tcp_opts_emit(buf, sizeof(buf), &to, false), 0);
}

static void
random_opts(uint32_t *rnd, struct tcp_opts *to)
{
	memset(to, 0, sizeof(*to));
	to->to_flags = test_random(rnd) % 0x20;
	to->to_mss = (uint16_t)test_random(rnd);
	to->to_wscale = test_random(rnd) % 15;
	to->to_tsval = test_random(rnd);
	to->to_tsecr = test_random(rnd);
	to->to_nsacks = 1 + test_random(rnd) % 4;
	test_random_fill(rnd, to->to_sacks, sizeof(to->to_sacks));
}

/* What is in got is as it was in want. */
static void
assert_opts_agree(const struct tcp_opts *got, const struct tcp_opts *want)
{
	if (got->to_flags & TOF_MSS)
		assert_int_equal(got->to_mss, want->to_mss);
	if (got->to_flags & TOF_WSCALE)
		assert_int_equal(got->to_wscale, want->to_wscale);
	if (got->to_flags & TOF_TS) {
		assert_int_equal(got->to_tsval, want->to_tsval);
		assert_int_equal(got->to_tsecr, want->to_tsecr);
	}
	if (got->to_flags & TOF_SACK) {
		assert_in_range(got->to_nsacks, 1, want->to_nsacks);
		assert_memory_equal(got->to_sacks, want->to_sacks,
		    got->to_nsacks * sizeof(got->to_sacks[0]));
	}
}

static void
test_round_trip(void **state)
{
	uint32_t rnd = 15;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		bool is_syn = i % 2 == 0;
		uint8_t may =
		    is_syn ? TOF_MSS | TOF_WSCALE | TOF_SACKPERM | TOF_TS : TOF_TS | TOF_SACK;
		struct tcp_opts to, got;
		uint8_t buf[TCP_OPTS_LEN_MAX];
		size_t len;

		random_opts(&rnd, &to);
		len = tcp_opts_emit(buf, sizeof(buf), &to, is_syn);
		assert_int_equal(len % 4, 0);
		assert_int_equal(parse_exact(buf, len, is_syn, &got), 0);
		assert_int_equal(got.to_flags, to.to_flags & may);
		assert_opts_agree(&got, &to);
	}
}

static void
test_emit_into_every_space(void **state)
{
	uint32_t rnd = 16;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		for (size_t space = 0; space <= 44; space++) {
			uint8_t *buf = malloc(space + 1);
			struct tcp_opts to, got;
			size_t len;

			assert_non_null(buf);
			buf[space] = 0xee;
			random_opts(&rnd, &to);
			len = tcp_opts_emit(buf, space, &to, i % 2 == 0);
			assert_true(len <= space && len <= TCP_OPTS_LEN_MAX && len % 4 == 0);
			assert_int_equal(buf[space], 0xee);
			assert_int_equal(parse_exact(buf, len, i % 2 == 0, &got), 0);
			assert_int_equal(got.to_flags & ~to.to_flags, 0);
			assert_opts_agree(&got, &to);
			free(buf);
		}
	}
}

static void
test_ts_only(void **state)
{
	uint8_t opts[16] = {1, 1, 8, 10, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0};
	uint32_t tsval = 7, tsecr = 7;

	(void)state;
	for (size_t len = 0; len <= sizeof(opts); len++) {
		uint8_t *p = test_exact(opts, len);

		assert_int_equal(tcp_opts_ts_only(p, len, &tsval, &tsecr), len == 12);
		free(p);
	}
	assert_int_equal(tsval, 0x100);
	assert_int_equal(tsecr, 0xfffffffe);
	for (size_t at = 0; at < 4; at++) {
		opts[at] ^= 1;
		assert_false(tcp_opts_ts_only(opts, 12, &tsval, &tsecr));
		opts[at] ^= 1;
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_linux_syn),
	    cmocka_unit_test(test_parse_every_truncation),
	    cmocka_unit_test(test_parse_malformed),
	    cmocka_unit_test(test_parse_limits),
	    cmocka_unit_test(test_parse_sack),
	    cmocka_unit_test(test_parse_random_bytes),
	    cmocka_unit_test(test_emit_syn_as_bsd_does),
	    cmocka_unit_test(test_emit_data_segment),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_emit_into_every_space),
	    cmocka_unit_test(test_ts_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
