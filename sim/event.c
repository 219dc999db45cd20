/* SPDX-License-Identifier: BSD-2-Clause */
/* A binary heap of events. See event.h. */
#include "sim/event.h"

#include <stdio.h>
#include <stdlib.h>

static _Noreturn void
no_memory(void)
{
	(void)fputs("rumpus: sim: out of memory; try: fewer --jobs\n", stderr);
	exit(1);
}

void *
sim_alloc(size_t len)
{
	void *p = calloc(1, len);

	if (p == NULL)
		no_memory();
	return p;
}

static bool
event_before(const struct event *a, const struct event *b)
{
	return a->ev_time_ns != b->ev_time_ns ? a->ev_time_ns < b->ev_time_ns
					      : a->ev_order < b->ev_order;
}

void
event_add(struct event_queue *eq, const struct event *ev)
{
	size_t at = eq->eq_n++;

	if (at == eq->eq_room) {
		eq->eq_room = eq->eq_room * 2 + 64;
		eq->eq_heap = realloc(eq->eq_heap, eq->eq_room * sizeof(*eq->eq_heap));
		if (eq->eq_heap == NULL)
			no_memory();
	}
	eq->eq_heap[at] = *ev;
	eq->eq_heap[at].ev_order = eq->eq_order++;
	while (at > 0 && event_before(&eq->eq_heap[at], &eq->eq_heap[(at - 1) / 2])) {
		struct event up = eq->eq_heap[at];

		eq->eq_heap[at] = eq->eq_heap[(at - 1) / 2];
		at = (at - 1) / 2;
		eq->eq_heap[at] = up;
	}
}

uint64_t
event_next(const struct event_queue *eq)
{
	return eq->eq_n > 0 ? eq->eq_heap[0].ev_time_ns : SIM_NEVER;
}

/* The last one, put at the top, sinks to where it belongs. */
static void
event_sink(struct event_queue *eq)
{
	struct event down = eq->eq_heap[eq->eq_n];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < eq->eq_n) {
		if (child + 1 < eq->eq_n &&
		    event_before(&eq->eq_heap[child + 1], &eq->eq_heap[child]))
			child++;
		if (!event_before(&eq->eq_heap[child], &down))
			break;
		eq->eq_heap[at] = eq->eq_heap[child];
		at = child;
	}
	eq->eq_heap[at] = down;
}

struct event
event_take(struct event_queue *eq)
{
	struct event first = eq->eq_heap[0];

	eq->eq_n--;
	if (eq->eq_n > 0)
		event_sink(eq);
	return first;
}

void
event_queue_free(struct event_queue *eq)
{
	for (size_t i = 0; i < eq->eq_n; i++)
		if (eq->eq_heap[i].ev_owned)
			free(eq->eq_heap[i].ev_arg);
	free(eq->eq_heap);
	*eq = (struct event_queue){0};
}
