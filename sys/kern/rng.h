/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack's only source of randomness: ChaCha20 (RFC 8439) keyed by the seed given at creation,
 * rekeyed after each block, so that output already given cannot be reconstructed; and SipHash-2-4
 * for keyed hashes (hash tables, initial sequence numbers).
 */
#ifndef KERN_RNG_H
#define KERN_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint32_t rng_key[8];
	uint8_t rng_buf[64];
	uint32_t rng_left; /* bytes at the end of rng_buf not yet given out; the rest is erased */
};

/* One block of ChaCha20's key stream, RFC 8439 §2.3. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
    uint8_t out[64]);

void rng_init(struct rng *rng, const uint8_t seed[32]);
void rng_bytes(struct rng *rng, void *buf, size_t len);
uint32_t rng_u32(struct rng *rng);
uint64_t rng_u64(struct rng *rng);
/* Uniform in [0, bound). => bound > 0. */
uint32_t rng_below(struct rng *rng, uint32_t bound);

uint64_t siphash24(const uint8_t key[16], const void *buf, size_t len);

#endif /* KERN_RNG_H */
