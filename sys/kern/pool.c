/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools of fixed-size items.
 *
 * A chunk is one piece from host_alloc: a header of 64 bytes, then items. Free items are linked
 * through their first word, last in first out, so that the warmest is used again first.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/pool.h"

#include <string.h>

#define POOL_CHUNK_BYTES (64u * 1024) /* aimed at; larger items have chunks of one */
#define POOL_ALIGN 64u                /* of the first item of a chunk */
#define POOL_ALIGN_ITEM 16u

struct pool_item {
	struct pool_item *pi_next;
};

struct pool_chunk {
	struct pool_chunk *pc_next;
	size_t pc_bytes;
};

_Static_assert(sizeof(struct pool_chunk) <= POOL_ALIGN, "items follow aligned");

void *
kmem_alloc(struct alloc_fault *fault, size_t len_bytes)
{
	return alloc_fault_hit(fault) ? NULL : host_alloc(len_bytes);
}

void
kmem_free(void *p, size_t len_bytes)
{
	host_free(p, len_bytes);
}

/* Adds a chunk of n items to the free list, lowest address first. => ENOMEM. */
static int
pool_grow(struct pool *pl, uint32_t n)
{
	size_t bytes = POOL_ALIGN + (size_t)n * pl->pl_item_bytes;
	struct pool_chunk *pc = host_alloc(bytes);

	if (pc == NULL)
		return ENOMEM;
	pc->pc_next = pl->pl_chunks;
	pc->pc_bytes = bytes;
	pl->pl_chunks = pc;
	uint8_t *items = (uint8_t *)pc + POOL_ALIGN;
	for (uint32_t i = n; i-- > 0;) {
		struct pool_item *pi = (void *)(items + (size_t)i * pl->pl_item_bytes);

		pi->pi_next = pl->pl_free;
		pl->pl_free = pi;
	}
	pl->pl_nfree += n;
	return 0;
}

int
pool_init(struct pool *pl, const char *name, size_t item_bytes, uint32_t limit, uint32_t reserve,
    struct alloc_fault *fault)
{
	KASSERT(item_bytes > 0 && limit > 0 && reserve <= limit);
	*pl = (struct pool){.pl_name = name,
	    .pl_item_bytes = howmany(item_bytes, POOL_ALIGN_ITEM) * POOL_ALIGN_ITEM,
	    .pl_limit = limit,
	    .pl_fault = fault};
	return reserve == 0 ? 0 : pool_grow(pl, reserve);
}

void
pool_destroy(struct pool *pl)
{
	KASSERT(pl->pl_nout == 0);
	while (pl->pl_chunks != NULL) {
		struct pool_chunk *pc = pl->pl_chunks;

		pl->pl_chunks = pc->pc_next;
		host_free(pc, pc->pc_bytes);
	}
	*pl = (struct pool){.pl_name = pl->pl_name};
}

/* The free list is empty and the limit not reached: more items. */
static int
pool_refill(struct pool *pl)
{
	size_t fit = (POOL_CHUNK_BYTES - POOL_ALIGN) / pl->pl_item_bytes;
	uint32_t n = fit == 0 ? 1 : (uint32_t)fit;

	return pool_grow(pl, KERN_MIN(n, pl->pl_limit - pl->pl_nout));
}

void *
pool_get(struct pool *pl)
{
	if (alloc_fault_hit(pl->pl_fault) || pl->pl_nout >= pl->pl_limit ||
	    (pl->pl_free == NULL && pool_refill(pl) != 0)) {
		pl->pl_nfails++;
		return NULL;
	}
	struct pool_item *pi = pl->pl_free;
	pl->pl_free = pi->pi_next;
	pl->pl_nfree--;
	pl->pl_ngets++;
	if (++pl->pl_nout > pl->pl_hiwat)
		pl->pl_hiwat = pl->pl_nout;
	return pi;
}

void *
pool_get_zeroed(struct pool *pl)
{
	void *item = pool_get(pl);

	if (item != NULL)
		memset(item, 0, pl->pl_item_bytes);
	return item;
}

void
pool_put(struct pool *pl, void *item)
{
	struct pool_item *pi = item;

	KASSERT(pi != NULL && pl->pl_nout > 0);
	pi->pi_next = pl->pl_free;
	pl->pl_free = pi;
	pl->pl_nfree++;
	pl->pl_nout--;
	pl->pl_nputs++;
}

void
pool_setlimit(struct pool *pl, uint32_t limit)
{
	KASSERT(limit > 0);
	pl->pl_limit = limit;
}
