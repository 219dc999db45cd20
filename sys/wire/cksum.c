/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071, RFC 1624).
 *
 * Theory of operation: a partial sum adds the words as the machine loads them, in whatever width:
 * one's complement addition modulo 2^64-1 and 2^32-1 agrees with that modulo 2^16-1, and the order
 * of bytes in a word only rotates the result (RFC 1071 §2 (B)), which cksum_fold() undoes once.
 */
#include "wire/cksum.h"

#include <string.h>

#include "wire/be.h"

/* One's complement addition of 64-bit words: the carry comes round. */
static inline uint64_t
add64(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline uint32_t
add32(uint32_t a, uint32_t b)
{
	a += b;
	return a + (a < b);
}

static inline uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Carries are counted, an instruction a word, and come round at the end. */
struct wide {
	uint64_t w_sum;
	uint64_t w_carries;
};

static inline void
wide_add(struct wide *w, uint64_t v)
{
	w->w_sum += v;
	w->w_carries += w->w_sum < v;
}

/* The last 0..7 bytes as one word, as if zeros followed them. */
static uint64_t
load_tail(const uint8_t *p, size_t len)
{
	uint8_t last[2] = {0, 0};
	uint64_t sum = 0;
	uint32_t v32;
	uint16_t v16;

	if (len & 4) {
		memcpy(&v32, p, sizeof(v32));
		sum += v32;
		p += 4;
	}
	if (len & 2) {
		memcpy(&v16, p, sizeof(v16));
		sum += v16;
		p += 2;
	}
	if (len & 1) {
		last[0] = *p;
		memcpy(&v16, last, sizeof(v16));
		sum += v16;
	}
	return sum;
}

uint32_t
cksum_partial(const void *buf, size_t len, uint32_t sum)
{
	const uint8_t *p = buf;
	struct wide w0 = {sum, 0}, w1 = {0, 0};
	uint64_t even;

	for (; len >= 32; len -= 32, p += 32) {
		wide_add(&w0, load64(p));
		wide_add(&w1, load64(p + 8));
		wide_add(&w0, load64(p + 16));
		wide_add(&w1, load64(p + 24));
	}
	for (; len >= 8; len -= 8, p += 8)
		wide_add(&w0, load64(p));
	even = add64(add64(w0.w_sum, w0.w_carries), add64(w1.w_sum, w1.w_carries));
	even = add64(even, load_tail(p, len));
	return add32((uint32_t)even, (uint32_t)(even >> 32));
}

uint32_t
cksum_combine(uint32_t sum1, uint32_t sum2, bool odd_offset)
{
	if (odd_offset)
		sum2 = sum2 << 8 | sum2 >> 24;
	return add32(sum1, sum2);
}

uint32_t
cksum_pseudo4(uint32_t src_be, uint32_t dst_be, uint8_t proto, uint16_t len)
{
	uint32_t sum = add32(src_be, dst_be);

	return add32(sum, (uint32_t)htobe16(proto) + htobe16(len));
}

uint32_t
cksum_pseudo6(const uint32_t src[4], const uint32_t dst[4], uint8_t proto, uint32_t len)
{
	uint32_t sum = add32(htobe32(proto), htobe32(len));
	unsigned i;

	for (i = 0; i < 4; i++)
		sum = add32(add32(sum, src[i]), dst[i]);
	return sum;
}

uint16_t
cksum_fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return betoh16((uint16_t)sum);
}

uint16_t
cksum_finish(uint32_t sum)
{
	return (uint16_t)~cksum_fold(sum);
}

uint16_t
cksum_update16(uint16_t cksum, uint16_t old_word, uint16_t new_word)
{
	uint32_t sum = (uint16_t)~cksum;

	sum += (uint16_t)~old_word;
	sum += new_word;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}
