/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A view of a stack from outside, for simulations and tools: its trace and what is out of its pools.
 * Only kern_inspect_fail_at changes anything.
 */
#ifndef KERN_KERN_INSPECT_H
#define KERN_KERN_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/trace.h"

struct netstack;

struct kern_inspect {
	uint64_t ki_trace_hash;
	uint64_t ki_trace_count; /* events since the start */
	uint64_t ki_allocations; /* asked for since the start */
	uint64_t ki_fail_in;     /* so many allocations on, one fails; 0: none */
	uint64_t ki_drops;
	uint32_t ki_callouts; /* armed */
	uint32_t ki_mbufs;    /* out of their pools: */
	uint32_t ki_clusters;
	uint32_t ki_jumbos;
	uint32_t ki_sockets;
	uint32_t ki_files;
	uint32_t ki_lwps;
};

void kern_inspect(const struct netstack *ns, struct kern_inspect *ki);
/* The index-th event since the start. => false: not there, or no longer kept */
bool kern_inspect_event(const struct netstack *ns, uint64_t index, struct trace_record *tr);
/* Makes the n-th allocation from now fail; 0: none. */
void kern_inspect_fail_at(struct netstack *ns, uint64_t n);

#endif /* KERN_KERN_INSPECT_H */
