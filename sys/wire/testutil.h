/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests of sys/wire: repeatable random bytes, and copies that end where they end. */
#ifndef WIRE_TESTUTIL_H
#define WIRE_TESTUTIL_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* xorshift32; *state is never 0 */
static inline uint32_t
test_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static inline void
test_random_fill(uint32_t *state, void *buf, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(test_random(state) >> 11);
}

/* A copy without a byte to spare on the heap, so that a sanitizer sees any read past it. */
static inline uint8_t *
test_exact(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	if (len == 0) {
		free(copy);
		return NULL;
	}
	return memcpy(copy, bytes, len);
}

#endif /* WIRE_TESTUTIL_H */
