/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of frames in shared memory. See ring.h. */
#include "dev/shmlink/ring.h"

#include <string.h>

#include "kern/cdefs.h"

/*
 * All in one order that both sides agree on: a side that says it sleeps and then looks once more,
 * and one that moves its end and then looks whether the other sleeps, cannot both miss the other.
 */
static uint32_t
ring_load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void
ring_store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/* Bytes that a record and its frame take. */
static uint32_t
ring_span(uint32_t len)
{
	return (uint32_t)sizeof(struct ring_record) + ((len + 7u) & ~7u);
}

/* After a move that the other side waits for: does it sleep? */
static bool
ring_wake(uint32_t *flag)
{
	return ring_load(flag) != 0 && __atomic_exchange_n(flag, 0, __ATOMIC_SEQ_CST) != 0;
}

void
ring_init(struct ring *r, struct ring_shared *rs, uint8_t *data, uint32_t size)
{
	KASSERT((size & (size - 1)) == 0 && size > RING_FRAME_MAX + sizeof(struct ring_record));
	*r = (struct ring){.r_shared = rs, .r_data = data, .r_size = size};
}

/* Copies between the ring at r_at and bytes, in two pieces where it wraps. */
static void
ring_copy(struct ring *r, uint8_t *out, const uint8_t *in, uint32_t len)
{
	while (len > 0) {
		uint32_t at = r->r_at & (r->r_size - 1);
		uint32_t n = KERN_MIN(len, r->r_size - at);

		if (out != NULL) {
			memcpy(out, r->r_data + at, n);
			out += n;
		} else {
			memcpy(r->r_data + at, in, n);
			in += n;
		}
		r->r_at += n;
		len -= n;
	}
}

static bool
ring_fits(const struct ring *r, uint32_t span)
{
	uint32_t used = r->r_pos - ring_load(&r->r_shared->rs_tail);

	return used <= r->r_size && span <= r->r_size - used;
}

bool
ring_reserve(struct ring *r, const struct ring_record *rr)
{
	uint32_t span = ring_span(rr->rr_len);

	KASSERT(rr->rr_len <= RING_FRAME_MAX);
	if (!ring_fits(r, span)) {
		ring_store(&r->r_shared->rs_full, 1);
		if (!ring_fits(r, span))
			return false;
		ring_store(&r->r_shared->rs_full, 0);
	}
	r->r_at = r->r_pos;
	ring_copy(r, NULL, (const uint8_t *)rr, sizeof(*rr));
	r->r_pos += span;
	return true;
}

void
ring_write(struct ring *r, const void *bytes, uint32_t len)
{
	ring_copy(r, NULL, bytes, len);
}

bool
ring_commit(struct ring *r)
{
	ring_store(&r->r_shared->rs_head, r->r_pos);
	return ring_wake(&r->r_shared->rs_idle);
}

/* Bytes that wait; checked by the caller. */
static uint32_t
ring_avail(const struct ring *r)
{
	return ring_load(&r->r_shared->rs_head) - r->r_pos;
}

enum ring_next
ring_next(struct ring *r, struct ring_record *rr)
{
	uint32_t avail = ring_avail(r);

	if (avail == 0) {
		ring_store(&r->r_shared->rs_idle, 1);
		avail = ring_avail(r);
		if (avail == 0)
			return RING_EMPTY;
		ring_store(&r->r_shared->rs_idle, 0);
	}
	if (avail > r->r_size || avail < sizeof(*rr))
		return RING_BROKEN;
	r->r_at = r->r_pos;
	ring_copy(r, (uint8_t *)rr, NULL, sizeof(*rr));
	if (rr->rr_len > RING_FRAME_MAX || ring_span(rr->rr_len) > avail)
		return RING_BROKEN;
	return RING_FRAME;
}

void
ring_read(struct ring *r, void *bytes, uint32_t len)
{
	ring_copy(r, bytes, NULL, len);
}

bool
ring_release(struct ring *r, const struct ring_record *rr)
{
	r->r_pos += ring_span(rr->rr_len);
	ring_store(&r->r_shared->rs_tail, r->r_pos);
	return ring_wake(&r->r_shared->rs_full);
}
