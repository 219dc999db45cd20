/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers and keyed hashes against the vectors of their definitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/rng.h"

/* RFC 8439 §2.3.2 */
static void
test_chacha20_block(void **state)
{
	static const uint8_t want[64] = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f,
	    0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03,
	    0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f,
	    0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
	    0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
	static const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
	uint32_t key[8];
	uint8_t out[64];

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		key[i] = 0x03020100 + 0x04040404 * i;
	chacha20_block(key, 1, nonce, out);
	assert_memory_equal(out, want, sizeof(want));
}

/* The first block of an all-zero key, RFC 8439 appendix A.1 #1: its second half is given out. */
static void
test_first_bytes(void **state)
{
	static const uint8_t want[32] = {0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d, 0x77, 0x24,
	    0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4, 0x15, 0x18, 0xa1, 0x1c,
	    0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86};
	static const uint8_t seed[32];
	uint8_t out[32];
	struct rng rng;

	(void)state;
	rng_init(&rng, seed);
	rng_bytes(&rng, out, sizeof(out));
	assert_memory_equal(out, want, sizeof(want));
}

/* The same stream in whatever portions, and nothing given out is left in the state. */
static void
test_portions(void **state)
{
	uint8_t seed[32], whole[1000], parts[1000];
	struct rng a, b;

	(void)state;
	memset(seed, 0x5a, sizeof(seed));
	rng_init(&a, seed);
	rng_init(&b, seed);
	rng_bytes(&a, whole, sizeof(whole));
	for (size_t off = 0, n = 1; off < sizeof(parts); off += n, n = n % 37 + 1) {
		size_t part = KERN_MIN(n, sizeof(parts) - off);
		uint8_t left[64];

		rng_bytes(&b, parts + off, part);
		memcpy(left, b.rng_buf, sizeof(left));
		for (size_t i = 0; i < sizeof(left) - b.rng_left; i++)
			assert_int_equal(left[i], 0);
	}
	assert_memory_equal(whole, parts, sizeof(whole));
	rng_init(&b, seed);
	assert_int_equal(rng_u32(&b),
	    whole[0] | whole[1] << 8 | whole[2] << 16 | (uint32_t)whole[3] << 24);
	seed[31] ^= 1;
	rng_init(&b, seed);
	rng_bytes(&b, parts, sizeof(parts));
	assert_memory_not_equal(whole, parts, 32);
}

static void
test_below(void **state)
{
	static const uint8_t seed[32] = {7};
	unsigned seen[7] = {0};
	struct rng rng;

	(void)state;
	rng_init(&rng, seed);
	for (int i = 0; i < 70000; i++) {
		uint32_t x = rng_below(&rng, 7);

		assert_true(x < 7);
		seen[x]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 9500, 10500);
	/* every third of three quarters of the range: simple remainders would favour the first */
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 30000; i++)
		seen[rng_below(&rng, 3u << 30) >> 30]++;
	for (int i = 0; i < 3; i++)
		assert_in_range(seen[i], 9500, 10500);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(rng_below(&rng, 1), 0);
		assert_true(rng_below(&rng, 0x80000001u) <= 0x80000000u);
	}
}

/* The published vectors: key 00..0f, input of n bytes 00, 01, ... */
static void
test_siphash(void **state)
{
	static const uint64_t want[64] = {
	    0x726fdb47dd0e0e31,
	    0x74f839c593dc67fd,
	    0x0d6c8009d9a94f5a,
	    0x85676696d7fb7e2d,
	    0xcf2794e0277187b7,
	    0x18765564cd99a68d,
	    0xcbc9466e58fee3ce,
	    0xab0200f58b01d137,
	    0x93f5f5799a932462,
	    0x9e0082df0ba9e4b0,
	    0x7a5dbbc594ddb9f3,
	    0xf4b32f46226bada7,
	    0x751e8fbc860ee5fb,
	    0x14ea5627c0843d90,
	    0xf723ca908e7af2ee,
	    0xa129ca6149be45e5,
	    0x3f2acc7f57c29bdb,
	    0x699ae9f52cbe4794,
	    0x4bc1b3f0968dd39c,
	    0xbb6dc91da77961bd,
	    0xbed65cf21aa2ee98,
	    0xd0f2cbb02e3b67c7,
	    0x93536795e3a33e88,
	    0xa80c038ccd5ccec8,
	    0xb8ad50c6f649af94,
	    0xbce192de8a85b8ea,
	    0x17d835b85bbb15f3,
	    0x2f2e6163076bcfad,
	    0xde4daaaca71dc9a5,
	    0xa6a2506687956571,
	    0xad87a3535c49ef28,
	    0x32d892fad841c342,
	    0x7127512f72f27cce,
	    0xa7f32346f95978e3,
	    0x12e0b01abb051238,
	    0x15e034d40fa197ae,
	    0x314dffbe0815a3b4,
	    0x027990f029623981,
	    0xcadcd4e59ef40c4d,
	    0x9abfd8766a33735c,
	    0x0e3ea96b5304a7d0,
	    0xad0c42d6fc585992,
	    0x187306c89bc215a9,
	    0xd4a60abcf3792b95,
	    0xf935451de4f21df2,
	    0xa9538f0419755787,
	    0xdb9acddff56ca510,
	    0xd06c98cd5c0975eb,
	    0xe612a3cb9ecba951,
	    0xc766e62cfcadaf96,
	    0xee64435a9752fe72,
	    0xa192d576b245165a,
	    0x0a8787bf8ecb74b2,
	    0x81b3e73d20b49b6f,
	    0x7fa8220ba3b2ecea,
	    0x245731c13ca42499,
	    0xb78dbfaf3a8d83bd,
	    0xea1ad565322a1a0b,
	    0x60e61c23a3795013,
	    0x6606d7e446282b93,
	    0x6ca4ecb15c5f91e1,
	    0x9f626da15c9625f3,
	    0xe51b38608ef25f57,
	    0x958a324ceb064572,
	};
	uint8_t key[16], in[64];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t n = 0; n < nitems(want); n++)
		assert_int_equal(siphash24(key, in, n), want[n]);
	key[15] ^= 0x80;
	assert_int_not_equal(siphash24(key, in, 8), want[8]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chacha20_block),
	    cmocka_unit_test(test_first_bytes),
	    cmocka_unit_test(test_portions),
	    cmocka_unit_test(test_below),
	    cmocka_unit_test(test_siphash),
	};

	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
