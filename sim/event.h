/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to happen in a world, in order of time, then of being asked for. */
#ifndef SIM_EVENT_H
#define SIM_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_SECOND 1000000000ull
#define SIM_MS 1000000ull
#define SIM_NEVER UINT64_MAX

struct world;

typedef void event_fn(struct world *w, void *arg, uint64_t tag);

struct event {
	uint64_t ev_time_ns;
	uint64_t ev_order;
	event_fn *ev_do;
	void *ev_arg; /* event_queue_free frees it when it never happened and ev_owned */
	uint64_t ev_tag;
	bool ev_owned;
};

struct event_queue {
	struct event *eq_heap;
	size_t eq_n, eq_room;
	uint64_t eq_order;
};

void event_add(struct event_queue *eq, const struct event *ev);
/* => SIM_NEVER: none */
uint64_t event_next(const struct event_queue *eq);
/* Takes out the first. => there is one */
struct event event_take(struct event_queue *eq);
void event_queue_free(struct event_queue *eq);

/* Memory that is there, zeroed; a simulation without it ends. */
void *sim_alloc(size_t len_bytes);

#endif /* SIM_EVENT_H */
