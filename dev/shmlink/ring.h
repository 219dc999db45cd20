/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of frames in memory that two processes share: one puts, the other takes.
 *
 *   shared header       rs_head | rs_tail | rs_idle | rs_full      a cache line each
 *   shared data         ... | record | frame, padded | record | frame ... wrapping anywhere
 *
 * Theory of operation: positions count bytes for ever and wrap at 2^32. The putter alone moves
 * rs_head, the taker alone rs_tail; each believes only its own copy of what it moves, and looks at
 * what the other moves once, checks it, and acts on the checked copy: the other side may be hostile.
 * Bells are rung only for who sleeps: a taker that finds the ring empty says so in rs_idle and looks
 * once more; a putter without room does the same by rs_full.
 */
#ifndef DEV_SHMLINK_RING_H
#define DEV_SHMLINK_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_LINE 64
#define RING_FRAME_MAX (65535u + 18u) /* an IPv4 packet and an ethernet header with a tag */

struct ring_shared {
	_Alignas(RING_LINE) uint32_t rs_head;
	_Alignas(RING_LINE) uint32_t rs_tail;
	_Alignas(RING_LINE) uint32_t rs_idle;
	_Alignas(RING_LINE) uint32_t rs_full;
};

/* What travels before each frame. */
struct ring_record {
	uint32_t rr_len;   /* bytes of the frame */
	uint16_t rr_flags; /* RING_CSUM */
	uint16_t rr_segsz; /* bytes of payload a segment the frame stands for; 0: it is one */
};

#define RING_CSUM 0x0001u /* the transport's checksum was not filled in: nobody need look */

_Static_assert(sizeof(struct ring_record) == 8, "two processes agree on a record");
_Static_assert(sizeof(struct ring_shared) == 4 * RING_LINE, "and on the header");

/* One side's view. */
struct ring {
	struct ring_shared *r_shared;
	uint8_t *r_data;
	uint32_t r_size; /* bytes of data: a power of two */
	uint32_t r_pos;  /* rs_head or rs_tail: the one that this side moves */
	uint32_t r_at;   /* how far the frame in hand has been written or read */
};

/* A view of a fresh ring. => size is a power of two above RING_FRAME_MAX */
void ring_init(struct ring *r, struct ring_shared *rs, uint8_t *data, uint32_t size);

/*
 * Putting: ring_reserve makes sure that the frame fits, ring_write adds its bytes in order,
 * ring_commit shows it to the taker. => ring_reserve: false: no room, and the taker will ring.
 * => ring_commit: true: the taker sleeps, ring its bell
 */
bool ring_reserve(struct ring *r, const struct ring_record *rr);
void ring_write(struct ring *r, const void *bytes, uint32_t len);
bool ring_commit(struct ring *r);

enum ring_next { RING_EMPTY, RING_FRAME, RING_BROKEN };

/*
 * Taking: ring_next tells of the next frame, ring_read copies its bytes in order, ring_release
 * gives its room back. => RING_EMPTY: the putter will ring; RING_BROKEN: what the putter says
 * cannot be: use the ring no more. => ring_release: true: the putter waits, ring its bell
 */
enum ring_next ring_next(struct ring *r, struct ring_record *rr);
void ring_read(struct ring *r, void *bytes, uint32_t len);
bool ring_release(struct ring *r, const struct ring_record *rr);

#endif /* DEV_SHMLINK_RING_H */
