/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stackful contexts: a mapped stack with a guard page below it, and a switch of a few
 * instructions (swap.S); machines without one use ucontext.
 *
 * The struct lies at the top of its own stack, so that a context is one mapping. A few stacks of
 * contexts that ended are kept for the next. Sanitizers are told of every switch; the address
 * sanitizer keeps memory for each stack and gives it back only when the stack itself says that it
 * ends, so a context is entered once more to be destroyed.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host_linux.h"
#include "sanitize.h"

#if defined(__x86_64__) || defined(__aarch64__)
#define HAVE_SWAP 1
#else
#define HAVE_SWAP 0
#include <ucontext.h>
#endif
#if HOST_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if HOST_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define CACHE_MOST 32

struct host_context {
	void *hc_sp; /* where it was left */
	void (*hc_entry)(void *);
	void *hc_arg;
	uint8_t *hc_map; /* the mapping, guard page first; NULL: the caller's own stack */
	size_t hc_map_bytes;
	struct host_context *hc_next; /* in the cache */
#if !HAVE_SWAP
	ucontext_t hc_uc;
#endif
#if HOST_ASAN
	struct host_context *hc_from; /* who switched here */
	const void *hc_bottom;
	size_t hc_bytes;
	void *hc_fake;
	bool hc_started;
	bool hc_dying;
#endif
#if HOST_TSAN
	void *hc_fiber;
#endif
};

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static struct host_context *cache_first;
static unsigned cache_count;

static void context_boot(struct host_context *ctx);

#if HAVE_SWAP
/* Leaves the present stack in *save_sp, goes on at to_sp. The first time, calls boot(to). */
void host_linux_swap(struct host_context *to, void **save_sp, void *to_sp);

#if defined(__x86_64__)
#define FRAME_WORDS 8 /* rbp rbx r12-r15, return address, and 0 for boot to return to */
#define FRAME_PC 6
#else
#define FRAME_WORDS 22 /* x19-x29, lr, pc, pad, d8-d15 */
#define FRAME_PC 12
#endif

static void
frame_init(struct host_context *ctx)
{
	uintptr_t *frame = (uintptr_t *)(void *)ctx - FRAME_WORDS;

	for (unsigned i = 0; i < FRAME_WORDS; i++)
		frame[i] = 0;
	frame[FRAME_PC] = (uintptr_t)context_boot;
	ctx->hc_sp = frame;
}

static void
frame_swap(struct host_context *from, struct host_context *to)
{
	host_linux_swap(to, &from->hc_sp, to->hc_sp);
}
#else
static void
uc_boot(unsigned hi, unsigned lo)
{
	context_boot((struct host_context *)(((uintptr_t)hi << 16 << 16) | lo));
}

static void
frame_init(struct host_context *ctx)
{
	uintptr_t me = (uintptr_t)ctx;
	size_t guard = (size_t)sysconf(_SC_PAGESIZE);

	getcontext(&ctx->hc_uc);
	ctx->hc_uc.uc_stack.ss_sp = ctx->hc_map + guard;
	ctx->hc_uc.uc_stack.ss_size = (size_t)((uint8_t *)ctx - (ctx->hc_map + guard));
	ctx->hc_uc.uc_link = NULL;
	makecontext(&ctx->hc_uc, (void (*)(void))uc_boot, 2, (unsigned)(me >> 16 >> 16),
	    (unsigned)me);
}

static void
frame_swap(struct host_context *from, struct host_context *to)
{
	swapcontext(&from->hc_uc, &to->hc_uc);
}
#endif

#if HOST_ASAN
/* The other end of a switch, on the stack of `me`: learns the bounds of the stack left. */
static void
asan_arrive(struct host_context *me)
{
	struct host_context *from = me->hc_from;
	const void *bottom;
	size_t bytes;

	__sanitizer_finish_switch_fiber(me->hc_fake, &bottom, &bytes);
	from->hc_bottom = bottom;
	from->hc_bytes = bytes;
}

static void
asan_leave(struct host_context *from, struct host_context *to, bool forever)
{
	to->hc_from = from;
	__sanitizer_start_switch_fiber(forever ? NULL : &from->hc_fake, to->hc_bottom,
	    to->hc_bytes);
}

/* Enters ctx for the last time; it comes straight back, see host_context_switch. */
static void
asan_destroy(struct host_context *ctx)
{
	struct host_context here = {.hc_sp = NULL};

	if (!ctx->hc_started)
		return;
	ctx->hc_dying = true;
	asan_leave(&here, ctx, false);
	frame_swap(&here, ctx);
	__sanitizer_finish_switch_fiber(here.hc_fake, NULL, NULL);
}
#endif

static void
context_boot(struct host_context *ctx)
{
#if HOST_ASAN
	ctx->hc_started = true;
	asan_arrive(ctx);
#endif
	ctx->hc_entry(ctx->hc_arg);
	host_panic(__FILE__, __LINE__, "the entry of a context returned");
}

void
host_context_switch(struct host_context *from, struct host_context *to)
{
#if HOST_TSAN
	__tsan_switch_to_fiber(to->hc_fiber, 0);
#endif
#if HOST_ASAN
	asan_leave(from, to, false);
#endif
	frame_swap(from, to);
#if HOST_ASAN
	asan_arrive(from);
	if (from->hc_dying) {
		asan_leave(from, from->hc_from, true);
		frame_swap(from, from->hc_from);
	}
#endif
}

struct host_context *
host_context_main(void)
{
	struct host_context *ctx = calloc(1, sizeof(*ctx));

#if HOST_TSAN
	if (ctx != NULL)
		ctx->hc_fiber = __tsan_get_current_fiber();
#endif
	return ctx;
}

/* A cached context of that size, or NULL. */
static struct host_context *
cache_get(size_t map_bytes)
{
	struct host_context **where;
	struct host_context *ctx = NULL;

	pthread_mutex_lock(&cache_lock);
	for (where = &cache_first; *where != NULL; where = &(*where)->hc_next) {
		if ((*where)->hc_map_bytes == map_bytes) {
			ctx = *where;
			*where = ctx->hc_next;
			cache_count--;
			break;
		}
	}
	pthread_mutex_unlock(&cache_lock);
	return ctx;
}

static bool
cache_put(struct host_context *ctx)
{
	bool kept;

	pthread_mutex_lock(&cache_lock);
	kept = cache_count < CACHE_MOST;
	if (kept) {
		ctx->hc_next = cache_first;
		cache_first = ctx;
		cache_count++;
	}
	pthread_mutex_unlock(&cache_lock);
	return kept;
}

/* Maps guard page, stack and struct. */
static struct host_context *
context_map(size_t map_bytes, size_t guard)
{
	struct host_context *ctx;
	uint8_t *map;

	map = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	if (mprotect(map, guard, PROT_NONE) != 0) {
		munmap(map, map_bytes);
		return NULL;
	}
	ctx =
	    (struct host_context *)(void *)(map + map_bytes - ((sizeof(*ctx) + 63) & ~(size_t)63));
	ctx->hc_map = map;
	ctx->hc_map_bytes = map_bytes;
	return ctx;
}

struct host_context *
host_context_create(size_t stack_bytes, void (*entry)(void *), void *arg)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t map_bytes =
	    page + ((stack_bytes + sizeof(struct host_context) + page) & ~(page - 1));
	struct host_context *ctx = cache_get(map_bytes);

	if (ctx == NULL)
		ctx = context_map(map_bytes, page);
	if (ctx == NULL)
		return NULL;
	ctx->hc_entry = entry;
	ctx->hc_arg = arg;
	frame_init(ctx);
#if HOST_ASAN
	ctx->hc_bottom = ctx->hc_map + page;
	ctx->hc_bytes = (size_t)((uint8_t *)ctx - (ctx->hc_map + page));
	ctx->hc_fake = NULL;
	ctx->hc_started = ctx->hc_dying = false;
#endif
#if HOST_TSAN
	ctx->hc_fiber = __tsan_create_fiber(0);
#endif
	return ctx;
}

void
host_context_destroy(struct host_context *ctx)
{
	if (ctx == NULL)
		return;
	if (ctx->hc_map == NULL) {
		free(ctx);
		return;
	}
#if HOST_ASAN
	asan_destroy(ctx);
	__asan_unpoison_memory_region(ctx->hc_bottom, ctx->hc_bytes);
#endif
#if HOST_TSAN
	__tsan_destroy_fiber(ctx->hc_fiber);
#endif
	if (!cache_put(ctx))
		munmap(ctx->hc_map, ctx->hc_map_bytes);
}
