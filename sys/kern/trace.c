/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace: a ring of the latest events and a hash over all of them. */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/trace.h"

#define TRACE_HASH_START 0x9e3779b97f4a7c15ull

static const char *const trace_names[] = {
#define TRACE(name, text) [TRACE_##name] = #name,
#include "kern/trace.def"
#undef TRACE
};
_Static_assert(nitems(trace_names) == TRACE_COUNT, "a name for each event");
_Static_assert((TRACE_RING & (TRACE_RING - 1)) == 0, "the ring's index is a mask");

const char *
trace_name(enum trace_event event)
{
	KASSERT(event < TRACE_COUNT);
	return trace_names[event];
}

void
trace_init(struct trace *t)
{
	*t = (struct trace){.t_hash = TRACE_HASH_START};
}

/* Multiplying by an odd number and folding the high half down: every bit moves every later one. */
static uint64_t
hash_step(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0xd6e8feb86659fd93ull;
	return hash ^ (hash >> 32);
}

void
trace_add(struct netstack *ns, enum trace_event event, uint32_t a, uint64_t b)
{
	struct trace *t = &ns->ns_trace;
	struct trace_record *tr = &t->t_ring[t->t_count++ & (TRACE_RING - 1)];

	*tr =
	    (struct trace_record){.tr_now_ns = ns->ns_now, .tr_event = event, .tr_a = a, .tr_b = b};
	t->t_hash = hash_step(t->t_hash, tr->tr_now_ns);
	t->t_hash = hash_step(t->t_hash, (uint64_t)event << 32 | a);
	t->t_hash = hash_step(t->t_hash, b);
}
