/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Callouts: timers on a hierarchical timing wheel. Arming and cancelling are O(1), nothing ticks
 * while nothing is due, and a callout fires at its exact deadline in virtual time.
 */
#ifndef KERN_CALLOUT_H
#define KERN_CALLOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/queue.h"

struct netstack;

struct callout {
	TAILQ_ENTRY(callout) c_list;
	struct netstack *c_ns;
	void (*c_func)(void *);
	void *c_arg;
	uint64_t c_deadline_ns;
	uint16_t c_slot; /* level * CALLOUT_SLOTS + slot, or CALLOUT_SLOT_DUE */
	bool c_pending;
};

#define CALLOUT_TICK_SHIFT 16 /* a slot of the finest level covers 2^16 ns */
#define CALLOUT_SLOT_BITS 6
#define CALLOUT_SLOTS (1u << CALLOUT_SLOT_BITS)
#define CALLOUT_LEVELS 7
#define CALLOUT_SLOT_DUE (CALLOUT_LEVELS * CALLOUT_SLOTS)
#define CALLOUT_NEVER UINT64_MAX

TAILQ_HEAD(callout_list, callout);

struct callout_wheel {
	uint64_t cw_now_ns; /* everything before this has fired */
	uint32_t cw_npending;
	uint64_t cw_bitmap[CALLOUT_LEVELS];
	struct callout_list cw_due; /* picked by callout_run, not yet fired */
	struct callout_list cw_slots[CALLOUT_LEVELS][CALLOUT_SLOTS];
};

/*
 * => c is not pending. fn(arg) runs from netstack_run, not in an lwp: it must not sleep. It may arm
 * and stop any callout, itself too, and free the memory of its own.
 */
void callout_init(struct callout *c, struct netstack *ns, void (*fn)(void *), void *arg);
/* (Re)arms: fires delay_ns after ns_now. A delay of 0 fires at the next netstack_run. */
void callout_reset(struct callout *c, uint64_t delay_ns);
/* (Re)arms for an absolute time on the stack's clock. */
void callout_schedule(struct callout *c, uint64_t deadline_ns);
/* => true: it was pending and will not fire. */
bool callout_stop(struct callout *c);

static inline bool
callout_pending(const struct callout *c)
{
	return c->c_pending;
}

void callout_wheel_init(struct callout_wheel *cw, uint64_t now_ns);
/*
 * Fires everything due at ns_now, in order of deadline, then of arming. What is armed meanwhile
 * waits for the next callout_run even if it is due.
 */
void callout_run(struct netstack *ns);
/* The time of the next one, or CALLOUT_NEVER. May be early (a cascade), never late. */
uint64_t callout_next(const struct callout_wheel *cw);

#endif /* KERN_CALLOUT_H */
