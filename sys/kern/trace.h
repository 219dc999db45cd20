/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace: typed events in a binary ring, and a running hash over all of them since the start.
 * Two runs with the same inputs have the same hash.
 */
#ifndef KERN_TRACE_H
#define KERN_TRACE_H

#include <stdint.h>

struct netstack;

enum trace_event {
#define TRACE(name, text) TRACE_##name,
#include "kern/trace.def"
#undef TRACE
	TRACE_COUNT
};

struct trace_record {
	uint64_t tr_now_ns;
	uint32_t tr_event;
	uint32_t tr_a;
	uint64_t tr_b;
};

#define TRACE_RING 1024u /* records kept */

struct trace {
	uint64_t t_hash;
	uint64_t t_count;
	struct trace_record t_ring[TRACE_RING];
};

const char *trace_name(enum trace_event event);
void trace_init(struct trace *t);
/* Records an event; a and b are its arguments (trace.def says which). */
void trace_add(struct netstack *ns, enum trace_event event, uint32_t a, uint64_t b);

#endif /* KERN_TRACE_H */
