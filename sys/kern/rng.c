/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers from a seed: ChaCha20 (RFC 8439) with fast key erasure. Each block's first half is
 * the key of the next block, and its second half is given out and erased as it goes.
 */
#include "kern/cdefs.h"
#include "kern/rng.h"

#include <string.h>

#define RNG_KEYBYTES 32u

static uint32_t
rotl32(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

/* RFC 8439 §2.1 */
static void
quarter_round(uint32_t x[16], int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotl32(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl32(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl32(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl32(x[b] ^ x[c], 7);
}

static void
put_le32(uint8_t *p, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(x >> (8 * i));
}

static uint32_t
get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void
chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64])
{
	uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	uint32_t x[16];

	memcpy(&in[4], key, 32);
	in[12] = counter;
	memcpy(&in[13], nonce, 12);
	memcpy(x, in, sizeof(x));
	for (int i = 0; i < 10; i++) {
		quarter_round(x, 0, 4, 8, 12);
		quarter_round(x, 1, 5, 9, 13);
		quarter_round(x, 2, 6, 10, 14);
		quarter_round(x, 3, 7, 11, 15);
		quarter_round(x, 0, 5, 10, 15);
		quarter_round(x, 1, 6, 11, 12);
		quarter_round(x, 2, 7, 8, 13);
		quarter_round(x, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		put_le32(out + 4 * i, x[i] + in[i]);
}

static void
rng_setkey(struct rng *rng, const uint8_t key[RNG_KEYBYTES])
{
	for (int i = 0; i < 8; i++)
		rng->rng_key[i] = get_le32(key + 4 * i);
}

void
rng_init(struct rng *rng, const uint8_t seed[32])
{
	*rng = (struct rng){0};
	rng_setkey(rng, seed);
}

static void
rng_refill(struct rng *rng)
{
	static const uint32_t nonce[3];

	chacha20_block(rng->rng_key, 0, nonce, rng->rng_buf);
	rng_setkey(rng, rng->rng_buf);
	memset(rng->rng_buf, 0, RNG_KEYBYTES);
	rng->rng_left = sizeof(rng->rng_buf) - RNG_KEYBYTES;
}

void
rng_bytes(struct rng *rng, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len > 0) {
		if (rng->rng_left == 0)
			rng_refill(rng);
		uint8_t *from = rng->rng_buf + sizeof(rng->rng_buf) - rng->rng_left;
		size_t part = KERN_MIN(len, rng->rng_left);

		memcpy(to, from, part);
		memset(from, 0, part);
		rng->rng_left -= (uint32_t)part;
		to += part;
		len -= part;
	}
}

uint32_t
rng_u32(struct rng *rng)
{
	uint8_t b[4];

	rng_bytes(rng, b, sizeof(b));
	return get_le32(b);
}

uint64_t
rng_u64(struct rng *rng)
{
	uint64_t low = rng_u32(rng);

	return low | (uint64_t)rng_u32(rng) << 32;
}

uint32_t
rng_below(struct rng *rng, uint32_t bound)
{
	uint32_t uneven, x;

	KASSERT(bound > 0);
	uneven = -bound % bound; /* 2^32 mod bound: so many values would favour the low results */
	do
		x = rng_u32(rng);
	while (x < uneven);
	return x % bound;
}
