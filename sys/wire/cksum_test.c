/* SPDX-License-Identifier: BSD-2-Clause */
/* The checksum against a slow one written after RFC 1071, and against packets seen on real wires. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/ipv4.h"
#include "wire/testutil.h"

#define LEN_MAX 300

/* The fold of len bytes, one octet at a time. */
static uint16_t
slow_fold(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
		if (sum > 0xffff)
			sum = (sum & 0xffff) + 1;
	}
	return (uint16_t)sum;
}

static void
test_rfc1071_example(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(cksum_fold(cksum_partial(bytes, sizeof(bytes), 0)), 0xddf2);
	assert_int_equal(cksum_finish(cksum_partial(bytes, sizeof(bytes), 0)), 0x220d);
}

static void
test_edges(void **state)
{
	static const uint8_t zeros[64], one[1] = {0xab};
	uint8_t ones[64];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(cksum_partial(zeros, 0, 0), 0);
	assert_int_equal(cksum_fold(cksum_partial(zeros, 64, 0)), 0);
	assert_int_equal(cksum_finish(cksum_partial(zeros, 64, 0)), 0xffff);
	assert_int_equal(cksum_fold(cksum_partial(ones, 64, 0)), 0xffff);
	assert_int_equal(cksum_fold(cksum_partial(ones, 64, UINT32_MAX)), 0xffff);
	assert_int_equal(cksum_fold(cksum_partial(one, 1, 0)), 0xab00);
	assert_int_equal(cksum_partial(ones, 0, 0x12345678), 0x12345678);
}

static void
test_every_length_and_alignment(void **state)
{
	uint8_t buf[LEN_MAX + 8];
	uint32_t rnd = 1;

	(void)state;
	for (size_t align = 0; align < 8; align++) {
		for (size_t len = 0; len <= LEN_MAX; len++) {
			test_random_fill(&rnd, buf, sizeof(buf));
			if (len % 3 == 0) /* as many carries as there can be */
				memset(buf, 0xff, sizeof(buf));
			assert_int_equal(cksum_fold(cksum_partial(buf + align, len, 0)),
			    slow_fold(buf + align, len));
		}
	}
}

static void
test_reads_nothing_behind(void **state)
{
	uint8_t bytes[64];
	uint32_t rnd = 2;

	(void)state;
	test_random_fill(&rnd, bytes, sizeof(bytes));
	for (size_t len = 1; len <= sizeof(bytes); len++) {
		uint8_t *copy = test_exact(bytes, len);

		assert_int_equal(cksum_fold(cksum_partial(copy, len, 0)), slow_fold(bytes, len));
		free(copy);
	}
}

static void
test_every_split_in_two(void **state)
{
	uint8_t buf[LEN_MAX];
	uint32_t rnd = 3;

	(void)state;
	test_random_fill(&rnd, buf, sizeof(buf));
	for (size_t len = 0; len <= LEN_MAX; len += len < 40 ? 1 : 37) {
		for (size_t cut = 0; cut <= len; cut++) {
			uint32_t sum1 = cksum_partial(buf, cut, 0);
			uint32_t sum2 = cksum_partial(buf + cut, len - cut, 0);

			assert_int_equal(cksum_fold(cksum_combine(sum1, sum2, cut % 2 != 0)),
			    slow_fold(buf, len));
			if (cut % 2 == 0) {
				sum2 = cksum_partial(buf + cut, len - cut, sum1);
				assert_int_equal(cksum_fold(sum2), slow_fold(buf, len));
			}
		}
	}
}

static void
test_chain_of_odd_pieces(void **state)
{
	uint8_t buf[4096];
	uint32_t rnd = 4;

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint32_t sum = 0;
		size_t off = 0;

		test_random_fill(&rnd, buf, sizeof(buf));
		while (off < sizeof(buf)) {
			size_t n = test_random(&rnd) % 97;

			if (n > sizeof(buf) - off)
				n = sizeof(buf) - off;
			sum = cksum_combine(sum, cksum_partial(buf + off, n, 0), off & 1);
			off += n;
		}
		assert_int_equal(cksum_fold(sum), slow_fold(buf, sizeof(buf)));
	}
}

static void
test_pseudo_header(void **state)
{
	/* 192.0.2.1 > 198.51.100.2, the datagram "hi!" from port 4000 to 53 */
	uint8_t udp[] = {0x0f, 0xa0, 0x00, 0x35, 0x00, 0x0b, 0x00, 0x00, 'h', 'i', '!'};
	static const uint8_t pseudo[] = {192, 0, 2, 1, 198, 51, 100, 2, 0, 17, 0, 11};
	uint32_t src = ipv4_addr_be(192, 0, 2, 1), dst = ipv4_addr_be(198, 51, 100, 2);
	uint32_t sum = cksum_pseudo4(src, dst, IPV4_PROTO_UDP, sizeof(udp));

	(void)state;
	assert_int_equal(cksum_fold(sum), slow_fold(pseudo, sizeof(pseudo)));
	be16_put(udp + 6, cksum_finish(cksum_partial(udp, sizeof(udp), sum)));
	assert_int_equal(cksum_finish(cksum_partial(udp, sizeof(udp), sum)), 0);
	sum = cksum_pseudo4(UINT32_MAX, UINT32_MAX, 0xff, 0xffff);
	assert_int_equal(cksum_fold(sum), 0x00ff);
}

static void
test_update16_is_recomputing(void **state)
{
	uint8_t buf[20];
	uint32_t rnd = 5;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t at = (size_t)(test_random(&rnd) % 10) * 2;
		uint16_t before, old_word, new_word = (uint16_t)test_random(&rnd);

		test_random_fill(&rnd, buf, sizeof(buf));
		if (round % 5 == 0)
			new_word = round % 2 ? 0 : 0xffff;
		buf[0] |= 1; /* not all zero, as no real packet is */
		old_word = be16_get(buf + at);
		before = cksum_finish(cksum_partial(buf, sizeof(buf), 0));
		if (at == 0)
			new_word |= 1;
		be16_put(buf + at, new_word);
		assert_int_equal(cksum_update16(before, old_word, new_word),
		    cksum_finish(cksum_partial(buf, sizeof(buf), 0)));
	}
}

static void
test_update16_rfc1624_example(void **state)
{
	(void)state;
	/* §4: HC 0xdd2f, m 0x5555, m' 0x3285 gives 0x0000, where RFC 1141 would give 0xffff */
	assert_int_equal(cksum_update16(0xdd2f, 0x5555, 0x3285), 0x0000);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rfc1071_example),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_every_length_and_alignment),
	    cmocka_unit_test(test_reads_nothing_behind),
	    cmocka_unit_test(test_every_split_in_two),
	    cmocka_unit_test(test_chain_of_odd_pieces),
	    cmocka_unit_test(test_pseudo_header),
	    cmocka_unit_test(test_update16_is_recomputing),
	    cmocka_unit_test(test_update16_rfc1624_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
