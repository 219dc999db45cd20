/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timing wheel.
 *
 * Time in ticks of 2^16 ns is a number of seven 6-bit digits (and a rest above, the era). A callout
 * lies at the level of the highest digit in which its tick differs from the present one, in the
 * slot named by its own digit there. So everything at a level is due before everything at a higher
 * one, and within a level slots come in the order of their numbers: the next slot is the lowest bit
 * of the lowest non-empty bitmap. When the present reaches a slot of a higher level, its callouts
 * move down. One of a later era waits in the last tick of the present one.
 * Slots of level 0 are kept sorted by deadline, and nothing here reorders equal deadlines.
 */
#include "kern/callout.h"
#include "kern/cdefs.h"
#include "kern/netstack.h"

#define ERA_BITS (CALLOUT_LEVELS * CALLOUT_SLOT_BITS)
#define ERA_MASK ((1ull << ERA_BITS) - 1)

_Static_assert(CALLOUT_SLOTS == 64, "a bitmap of a level is one word");

void
callout_wheel_init(struct callout_wheel *cw, uint64_t now_ns)
{
	cw->cw_now_ns = now_ns;
	cw->cw_npending = 0;
	TAILQ_INIT(&cw->cw_due);
	for (unsigned level = 0; level < CALLOUT_LEVELS; level++) {
		cw->cw_bitmap[level] = 0;
		for (unsigned slot = 0; slot < CALLOUT_SLOTS; slot++)
			TAILQ_INIT(&cw->cw_slots[level][slot]);
	}
}

void
callout_init(struct callout *c, struct netstack *ns, void (*fn)(void *), void *arg)
{
	*c = (struct callout){.c_ns = ns, .c_func = fn, .c_arg = arg};
}

/* Where a deadline belongs at the present time. */
static unsigned
wheel_place(const struct callout_wheel *cw, uint64_t deadline_ns)
{
	uint64_t now = cw->cw_now_ns >> CALLOUT_TICK_SHIFT;
	uint64_t tick = deadline_ns >> CALLOUT_TICK_SHIFT;
	uint64_t differ;
	unsigned level;

	tick = KERN_MAX(tick, now);
	tick = KERN_MIN(tick, now | ERA_MASK);
	differ = tick ^ now;
	level = differ == 0 ? 0 : (63u - (unsigned)__builtin_clzll(differ)) / CALLOUT_SLOT_BITS;
	return level * CALLOUT_SLOTS +
	    (unsigned)((tick >> (level * CALLOUT_SLOT_BITS)) % CALLOUT_SLOTS);
}

/* Behind all that are due no later; new ones mostly belong near the end. */
static void
insert_sorted(struct callout_list *list, struct callout *c)
{
	struct callout *after = NULL, *at;

	if (!TAILQ_EMPTY(list))
		after = container_of(list->tqh_last, struct callout, c_list.tqe_next);
	while (after != NULL && after->c_deadline_ns > c->c_deadline_ns) {
		at = after;
		after = at == TAILQ_FIRST(list)
		    ? NULL
		    : container_of(at->c_list.tqe_prev, struct callout, c_list.tqe_next);
	}
	if (after == NULL) {
		TAILQ_INSERT_HEAD(list, c, c_list);
		return;
	}
	at = TAILQ_NEXT(after, c_list);
	if (at == NULL)
		TAILQ_INSERT_TAIL(list, c, c_list);
	else
		TAILQ_INSERT_BEFORE(at, c, c_list);
}

static void
wheel_insert(struct callout_wheel *cw, struct callout *c)
{
	unsigned place = wheel_place(cw, c->c_deadline_ns);
	unsigned level = place / CALLOUT_SLOTS, slot = place % CALLOUT_SLOTS;
	struct callout_list *list = &cw->cw_slots[level][slot];

	c->c_slot = (uint16_t)place;
	cw->cw_bitmap[level] |= 1ull << slot;
	if (level == 0)
		insert_sorted(list, c);
	else
		TAILQ_INSERT_TAIL(list, c, c_list);
}

static void
wheel_remove(struct callout_wheel *cw, struct callout *c)
{
	unsigned level = c->c_slot / CALLOUT_SLOTS, slot = c->c_slot % CALLOUT_SLOTS;
	struct callout_list *list;

	if (c->c_slot == CALLOUT_SLOT_DUE) {
		TAILQ_REMOVE(&cw->cw_due, c, c_list);
		return;
	}
	list = &cw->cw_slots[level][slot];
	TAILQ_REMOVE(list, c, c_list);
	if (TAILQ_EMPTY(list))
		cw->cw_bitmap[level] &= ~(1ull << slot);
}

void
callout_schedule(struct callout *c, uint64_t deadline_ns)
{
	struct callout_wheel *cw = &c->c_ns->ns_callouts;

	callout_stop(c);
	c->c_deadline_ns = deadline_ns;
	c->c_pending = true;
	cw->cw_npending++;
	wheel_insert(cw, c);
}

void
callout_reset(struct callout *c, uint64_t delay_ns)
{
	uint64_t now = c->c_ns->ns_now;

	callout_schedule(c, delay_ns > CALLOUT_NEVER - now ? CALLOUT_NEVER : now + delay_ns);
}

bool
callout_stop(struct callout *c)
{
	struct callout_wheel *cw = &c->c_ns->ns_callouts;

	if (!c->c_pending)
		return false;
	wheel_remove(cw, c);
	c->c_pending = false;
	cw->cw_npending--;
	return true;
}

/* The next slot to come. => false: none. *start_tick is not before the present tick. */
static bool
wheel_next(const struct callout_wheel *cw, unsigned *place, uint64_t *start_tick)
{
	uint64_t now = cw->cw_now_ns >> CALLOUT_TICK_SHIFT;
	unsigned level = 0, slot, shift;

	while (level < CALLOUT_LEVELS && cw->cw_bitmap[level] == 0)
		level++;
	if (level == CALLOUT_LEVELS)
		return false;
	slot = (unsigned)__builtin_ctzll(cw->cw_bitmap[level]);
	shift = level * CALLOUT_SLOT_BITS;
	*place = level * CALLOUT_SLOTS + slot;
	*start_tick = (now >> (shift + CALLOUT_SLOT_BITS) << (shift + CALLOUT_SLOT_BITS)) |
	    ((uint64_t)slot << shift);
	return true;
}

/* The present has come to a tick: what lay in the slot is placed anew. */
static void
wheel_advance(struct callout_wheel *cw, unsigned place, uint64_t tick)
{
	unsigned level = place / CALLOUT_SLOTS, slot = place % CALLOUT_SLOTS;
	struct callout_list *list = &cw->cw_slots[level][slot], moved;
	struct callout *c;

	TAILQ_INIT(&moved);
	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, c_list);
		TAILQ_INSERT_TAIL(&moved, c, c_list);
	}
	cw->cw_bitmap[level] &= ~(1ull << slot);
	cw->cw_now_ns = KERN_MAX(cw->cw_now_ns, tick << CALLOUT_TICK_SHIFT);
	while ((c = TAILQ_FIRST(&moved)) != NULL) {
		TAILQ_REMOVE(&moved, c, c_list);
		wheel_insert(cw, c);
	}
}

/* Moves all that is due at now_ns to cw_due, in order, and the present to now_ns. */
static void
wheel_collect(struct callout_wheel *cw, uint64_t now_ns)
{
	uint64_t now = now_ns >> CALLOUT_TICK_SHIFT, tick;
	unsigned place;
	struct callout *c;

	while (wheel_next(cw, &place, &tick) && tick <= now) {
		if (place >= CALLOUT_SLOTS) {
			wheel_advance(cw, place, tick);
			continue;
		}
		while ((c = TAILQ_FIRST(&cw->cw_slots[0][place])) != NULL &&
		    c->c_deadline_ns <= now_ns) {
			wheel_remove(cw, c);
			c->c_slot = CALLOUT_SLOT_DUE;
			TAILQ_INSERT_TAIL(&cw->cw_due, c, c_list);
		}
		if (c == NULL)
			continue;
		if (tick == now)
			break;
		wheel_advance(cw, place, tick + 1); /* of the era to come */
	}
	cw->cw_now_ns = KERN_MAX(cw->cw_now_ns, now_ns);
}

void
callout_run(struct netstack *ns)
{
	struct callout_wheel *cw = &ns->ns_callouts;
	struct callout *c;

	KASSERT(TAILQ_EMPTY(&cw->cw_due));
	wheel_collect(cw, ns->ns_now);
	while ((c = TAILQ_FIRST(&cw->cw_due)) != NULL) {
		void (*fn)(void *) = c->c_func;
		void *arg = c->c_arg;

		callout_stop(c);
		fn(arg);
	}
}

uint64_t
callout_next(const struct callout_wheel *cw)
{
	const struct callout *c;
	uint64_t tick;
	unsigned place;

	if (!TAILQ_EMPTY(&cw->cw_due))
		return TAILQ_FIRST(&cw->cw_due)->c_deadline_ns;
	if (!wheel_next(cw, &place, &tick))
		return CALLOUT_NEVER;
	c = TAILQ_FIRST(&cw->cw_slots[place / CALLOUT_SLOTS][place % CALLOUT_SLOTS]);
	if (place < CALLOUT_SLOTS || TAILQ_NEXT(c, c_list) == NULL)
		return c->c_deadline_ns;
	return tick << CALLOUT_TICK_SHIFT;
}
