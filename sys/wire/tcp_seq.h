/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic of TCP sequence numbers and timestamps, modulo 2^32 (RFC 9293 §3.4, RFC 7323 §5.2).
 * Two numbers compare as meant while they are less than 2^31 apart.
 */
#ifndef WIRE_TCP_SEQ_H
#define WIRE_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool
SEQ_LT(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool
SEQ_LEQ(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline bool
SEQ_GT(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static inline bool
SEQ_GEQ(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

/* How far a is ahead of b; negative when behind. */
static inline int32_t
SEQ_SUB(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline uint32_t
seq_max(uint32_t a, uint32_t b)
{
	return SEQ_GT(a, b) ? a : b;
}

static inline uint32_t
seq_min(uint32_t a, uint32_t b)
{
	return SEQ_LT(a, b) ? a : b;
}

/* Is seq one of the len numbers from start on? */
static inline bool
seq_within(uint32_t seq, uint32_t start, uint32_t len)
{
	return seq - start < len;
}

/* The same order on timestamps. */
static inline bool
TSTMP_LT(uint32_t a, uint32_t b)
{
	return SEQ_LT(a, b);
}

static inline bool
TSTMP_GEQ(uint32_t a, uint32_t b)
{
	return SEQ_GEQ(a, b);
}

#endif /* WIRE_TCP_SEQ_H */
