/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a stream. */
#include "sim/stream.h"

#include <string.h>

/* A permutation of 64 bits that leaves no pattern. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 31)) * 0x7fb5d329728ea185ull;
	x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44dull;
	return x ^ (x >> 33);
}

static uint64_t
stream_word(uint64_t base, uint64_t word)
{
	return mix(base + word * 0x9e3779b97f4a7c15ull);
}

static uint64_t
stream_base(const struct stream_id *si)
{
	return mix(mix(si->si_seed) ^ ((uint64_t)si->si_from << 32 | si->si_conn));
}

void
stream_fill(const struct stream_id *si, uint64_t offset, void *buf, size_t len)
{
	uint64_t base = stream_base(si), word;
	uint8_t *p = buf;

	while (len > 0) {
		size_t at = offset % 8, n = 8 - at < len ? 8 - at : len;

		word = stream_word(base, offset / 8);
		memcpy(p, (const uint8_t *)&word + at, n);
		p += n;
		offset += n;
		len -= n;
	}
}

size_t
stream_verify(const struct stream_id *si, uint64_t offset, const void *buf, size_t len)
{
	uint8_t want[256];
	size_t done = 0;

	while (done < len) {
		size_t n = len - done < sizeof(want) ? len - done : sizeof(want);
		const uint8_t *got = (const uint8_t *)buf + done;

		stream_fill(si, offset + done, want, n);
		for (size_t i = 0; i < n; i++)
			if (got[i] != want[i])
				return done + i;
		done += n;
	}
	return len;
}
