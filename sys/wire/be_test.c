/* SPDX-License-Identifier: BSD-2-Clause */
/* Byte order: the accessors against shifts, at every alignment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/be.h"
#include "wire/testutil.h"

static void
test_get_is_big_endian(void **state)
{
	static const uint8_t p[] = {0x01, 0x02, 0x83, 0x04, 0x05};

	(void)state;
	assert_int_equal(be16_get(p), 0x0102);
	assert_int_equal(be16_get(p + 1), 0x0283);
	assert_int_equal(be32_get(p), 0x01028304);
	assert_int_equal(be32_get(p + 1), 0x02830405);
}

static void
test_put_undoes_get(void **state)
{
	uint8_t in[16], out[16];
	uint32_t rnd = 6;

	(void)state;
	for (size_t at = 0; at < 8; at++) {
		test_random_fill(&rnd, in, sizeof(in));
		memcpy(out, in, sizeof(in));
		memset(out + at, 0, 4);
		be32_put(out + at, be32_get(in + at));
		assert_memory_equal(out, in, sizeof(in));
		memset(out + at, 0, 4);
		raw32_put(out + at, raw32_get(in + at));
		assert_memory_equal(out, in, sizeof(in));
		memset(out + at, 0, 2);
		be16_put(out + at, be16_get(in + at));
		assert_memory_equal(out, in, sizeof(in));
	}
}

static void
test_swaps(void **state)
{
	uint8_t raw[4];

	(void)state;
	assert_int_equal(bswap16(0x1234), 0x3412);
	assert_int_equal(bswap32(0x12345678), 0x78563412);
	raw32_put(raw, htobe32(0x0a090002));
	assert_int_equal(be32_get(raw), 0x0a090002);
	assert_int_equal(betoh32(raw32_get(raw)), 0x0a090002);
	assert_int_equal(betoh16(htobe16(0xbeef)), 0xbeef);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_get_is_big_endian),
	    cmocka_unit_test(test_put_undoes_get),
	    cmocka_unit_test(test_swaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
