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

/* The part of one word that begins at offset. => its length */
static size_t
stream_part(uint64_t base, uint64_t offset, uint8_t *p, size_t len)
{
	uint64_t word = stream_word(base, offset / 8);
	size_t at = offset % 8, n = 8 - at < len ? 8 - at : len;

	memcpy(p, (const uint8_t *)&word + at, n);
	return n;
}

void
stream_fill(const struct stream_id *si, uint64_t offset, void *buf, size_t len)
{
	uint64_t base = stream_base(si), word;
	uint8_t *p = buf, *end = p + len;

	if (offset % 8 != 0) {
		size_t n = stream_part(base, offset, p, len);

		offset += n;
		p += n;
	}
	for (; end - p >= 8; offset += 8, p += 8) {
		word = stream_word(base, offset / 8);
		memcpy(p, &word, sizeof(word));
	}
	if (p < end)
		(void)stream_part(base, offset, p, (size_t)(end - p));
}

size_t
stream_verify(const struct stream_id *si, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *got = buf;
	uint8_t want[256];
	size_t done = 0;

	while (done < len) {
		size_t n = len - done < sizeof(want) ? len - done : sizeof(want);

		stream_fill(si, offset + done, want, n);
		if (memcmp(got + done, want, n) != 0)
			break;
		done += n;
	}
	for (size_t i = 0; done < len && got[done] == want[i]; i++)
		done++; /* up to the first that is wrong */
	return done;
}
