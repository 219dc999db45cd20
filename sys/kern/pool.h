/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools: fixed-size items with a limit, a reserve and counters. Memory comes from host_alloc in
 * chunks and goes back when the pool is destroyed. No locks: a pool belongs to one stack.
 */
#ifndef KERN_POOL_H
#define KERN_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool_item;
struct pool_chunk;

/*
 * Makes the n-th allocation of a stack fail (tests). One for all pools of a stack.
 * af_fail_at counts down on each pool_get and m_*get; the one that takes it from 1 to 0 fails;
 * 0 means never.
 */
struct alloc_fault {
	uint64_t af_fail_at;
	uint64_t af_count; /* allocations seen */
};

/* Counts an allocation. => true: this one shall fail. fault may be NULL. */
static inline bool
alloc_fault_hit(struct alloc_fault *fault)
{
	if (fault == NULL)
		return false;
	fault->af_count++;
	return fault->af_fail_at != 0 && --fault->af_fail_at == 0;
}

/* Tables of varying size: host_alloc, counted as one allocation of fault. => zeroed, or NULL. */
void *kmem_alloc(struct alloc_fault *fault, size_t len_bytes);
void kmem_free(void *p, size_t len_bytes);

struct pool {
	const char *pl_name;
	size_t pl_item_bytes; /* rounded up to 16 */
	uint32_t pl_limit;    /* most items out at once */
	uint32_t pl_nout;     /* items out now */
	uint32_t pl_hiwat;    /* most items ever out at once */
	uint32_t pl_nfree;    /* items on the free list */
	uint64_t pl_ngets;
	uint64_t pl_nputs;
	uint64_t pl_nfails; /* gets refused: limit, or the host had no memory */
	struct pool_item *pl_free;
	struct pool_chunk *pl_chunks;
	struct alloc_fault *pl_fault;
};

/*
 * Prepares a pool and allocates its reserve.
 * => item_bytes: size of an item; items are aligned to 16 bytes, and to 64 if it is a multiple of 64.
 * => limit: most items at once, at least 1; reserve: items allocated now, <= limit.
 * => fault may be NULL. name is borrowed for the pool's life.
 * => ENOMEM: the reserve could not be had; nothing is left to free.
 */
int pool_init(struct pool *pl, const char *name, size_t item_bytes, uint32_t limit,
    uint32_t reserve, struct alloc_fault *fault);

/* Gives all memory back. => every item has been put back (KASSERT). */
void pool_destroy(struct pool *pl);

/* => NULL at the limit or without memory. The item is not zeroed. Never sleeps. */
void *pool_get(struct pool *pl);
void *pool_get_zeroed(struct pool *pl);

/* => item came from this pool and is out. NULL is not allowed. */
void pool_put(struct pool *pl, void *item);

/* Changes the limit at run time; items already out stay out. */
void pool_setlimit(struct pool *pl, uint32_t limit);

#endif /* KERN_POOL_H */
