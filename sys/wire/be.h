/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Big-endian integers: to and from bytes, and between the machine's order and the network's.
 *
 * The accessors take any alignment. A uint32_t whose name ends in _be is the four bytes as they
 * lie in memory (an IPv4 address, as in BSD's in_addr); every other integer is in host order.
 */
#ifndef WIRE_BE_H
#define WIRE_BE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

static inline uint16_t
bswap16(uint16_t v)
{
	return __builtin_bswap16(v);
}

static inline uint32_t
bswap32(uint32_t v)
{
	return __builtin_bswap32(v);
}

/* The parentheses keep a hosted <endian.h> that has macros of these names from expanding them. */
static inline uint16_t(htobe16)(uint16_t v)
{
	return WIRE_LITTLE_ENDIAN ? bswap16(v) : v;
}

static inline uint32_t(htobe32)(uint32_t v)
{
	return WIRE_LITTLE_ENDIAN ? bswap32(v) : v;
}

static inline uint16_t(betoh16)(uint16_t v)
{
	return WIRE_LITTLE_ENDIAN ? bswap16(v) : v;
}

static inline uint32_t(betoh32)(uint32_t v)
{
	return WIRE_LITTLE_ENDIAN ? bswap32(v) : v;
}

static inline uint16_t
be16_get(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return betoh16(v);
}

static inline uint32_t
be32_get(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return betoh32(v);
}

static inline void
be16_put(uint8_t *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void
be32_put(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

/* Four bytes as they lie in memory: how IPv4 addresses travel through the stack. */
static inline uint32_t
raw32_get(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void
raw32_put(uint8_t *p, uint32_t v_be)
{
	memcpy(p, &v_be, sizeof(v_be));
}

#endif /* WIRE_BE_H */
