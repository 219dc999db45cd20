/* SPDX-License-Identifier: BSD-2-Clause */
/* A world from beginning to end. See world.h. */
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/address.h"
#include "sim/capture.h"
#include "sim/group.h"
#include "sim/host.h"
#include "sim/router.h"
#include "sim/side.h"

/*
 * How long an application may get no further once the world is well. A retransmission or window
 * probe backed off comes within 64 s, and its answer may be lost behind a neighbour's time-out. If
 * the other host was lost, keepalives or the last retransmission find out.
 */
#define STUCK_NS (300 * SIM_SECOND)
#define STUCK_ALONE_NS (3600 * SIM_SECOND)
#define LOOK_NS (20 * SIM_SECOND)
#define QUIET_NS (4 * 3600 * SIM_SECOND) /* within which nothing may be armed any more */
#define TURNS_MAX 1000000u               /* without time going on */

void
world_fail(struct world *w, const char *format, ...)
{
	va_list ap;
	int n;

	if (w->w_failed)
		return;
	w->w_failed = true;
	n = snprintf(w->w_why, sizeof(w->w_why), "at %.6f s: ", (double)w->w_now_ns / 1e9);
	va_start(ap, format);
	(void)vsnprintf(w->w_why + n, sizeof(w->w_why) - (size_t)n, format, ap);
	va_end(ap);
}

void
world_say(const struct world *w, const char *format, ...)
{
	va_list ap;

	if (!w->w_verbose)
		return;
	(void)printf("%12.6f ", (double)w->w_now_ns / 1e9);
	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	(void)putchar('\n');
}

void
world_hash(struct world *w, uint64_t value)
{
	w->w_hash = (w->w_hash ^ value ^ w->w_now_ns << 20) * 0xd6e8feb86659fd93ull;
	w->w_hash ^= w->w_hash >> 32;
}

void
world_received(struct world *w, enum family family, uint64_t bytes)
{
	w->w_bytes += bytes;
	if (family == FAMILY_6 || family == FAMILY_LOCAL)
		w->w_bytes6 += bytes;
}

/* -- making and unmaking ---------------------------------------------------------------------- */

static void
world_make_host(struct world *w, unsigned index)
{
	const struct host_plan *hp = &w->w_plan.pl_hosts[index];
	struct host *h = &w->w_hosts[index];
	uint8_t seed[32];

	*h = (struct host){.h_world = w,
	    .h_index = index,
	    .h_lladdr = {2, 0, 0, 0, 0, (uint8_t)(index + 1)},
	    .h_wronged = (hp->hp_sysctls & HP_SMALLPOOLS) != 0,
	    .h_deadline_ns = SIM_NEVER};
	address_init(h);
	plan_seed(w->w_plan.pl_seed, 10 + index, seed);
	fault_init(&h->h_up, &hp->hp_up, seed);
	plan_seed(w->w_plan.pl_seed, 30 + index, seed);
	fault_init(&h->h_down, &hp->hp_down, seed);
	host_start(h);
}

static void
world_heal(struct world *w, void *arg, uint64_t tag)
{
	(void)arg;
	(void)tag;
	trouble_heal(w);
}

static void
world_mark(struct world *w, void *arg, uint64_t tag)
{
	(void)arg;
	(void)tag;
	w->w_marked_bytes = w->w_bytes;
}

static void
world_make(struct world *w, const struct world_options *wo, uint64_t seed)
{
	struct event ev;

	w->w_capture = wo->wo_capture;
	w->w_verbose = wo->wo_verbose;
	w->w_fail_at = wo->wo_fail_at;
	w->w_fail_host = wo->wo_fail_host;
	w->w_now_ns = SIM_START_NS;
	w->w_stop_ns = SIM_NEVER;
	if (wo->wo_planned != NULL) {
		w->w_plan = *wo->wo_planned;
		w->w_stop_ns = wo->wo_stop_ns;
		ev = (struct event){.ev_time_ns = wo->wo_mark_ns, .ev_do = world_mark};
		event_add(&w->w_events, &ev);
	} else {
		plan_draw(&w->w_plan, &wo->wo_plan, seed);
	}
	router_make(w);
	groups_make(w);
	for (unsigned i = 0; i < w->w_plan.pl_nhosts; i++) {
		world_make_host(w, i);
		if (wo->wo_fail_at != 0 && wo->wo_fail_host == i)
			w->w_hosts[i].h_wronged = true;
	}
	w->w_conns = sim_alloc(w->w_plan.pl_nconns * sizeof(*w->w_conns));
	for (unsigned i = 0; i < w->w_plan.pl_nconns; i++) {
		struct conn *co = &w->w_conns[i];

		co->co_plan = &w->w_plan.pl_conns[i];
		co->co_world = w;
		co->co_index = i;
		ev = (struct event){.ev_time_ns = co->co_plan->cp_start_ns,
		    .ev_do = conn_start,
		    .ev_arg = co};
		event_add(&w->w_events, &ev);
	}
	trouble_schedule(w);
	ev = (struct event){.ev_time_ns = w->w_plan.pl_heal_ns, .ev_do = world_heal};
	event_add(&w->w_events, &ev);
}

static void
world_unmake(struct world *w)
{
	struct side *s;

	for (unsigned i = 0; i < w->w_plan.pl_nhosts; i++)
		if (w->w_hosts[i].h_ns != NULL) {
			side_crash_all(&w->w_hosts[i]);
			if (w->w_stop_ns != SIM_NEVER)
				host_crash(&w->w_hosts[i]);
			else
				host_end(&w->w_hosts[i]);
		}
	event_queue_free(&w->w_events);
	while ((s = w->w_sides) != NULL) {
		w->w_sides = s->s_next;
		free(s->s_buf);
		free(s);
	}
	free(w->w_conns);
	groups_unmake(w);
	router_unmake(w);
}

/* -- going on --------------------------------------------------------------------------------- */

/* When something is to happen next. */
static uint64_t
world_next(const struct world *w)
{
	uint64_t next_ns = event_next(&w->w_events);

	for (unsigned i = 0; i < w->w_plan.pl_nhosts; i++) {
		const struct host *h = &w->w_hosts[i];

		if (h->h_ns != NULL && h->h_deadline_ns < next_ns)
			next_ns = h->h_deadline_ns;
		if (h->h_touched && h->h_ns != NULL)
			return w->w_now_ns;
	}
	return next_ns > w->w_now_ns ? next_ns : w->w_now_ns;
}

/* All that is to happen at one time. */
static void
world_turn(struct world *w)
{
	while (event_next(&w->w_events) <= w->w_now_ns && !w->w_failed) {
		struct event ev = event_take(&w->w_events);

		ev.ev_do(w, ev.ev_arg, ev.ev_tag);
	}
	for (unsigned i = 0; i < w->w_plan.pl_nhosts && !w->w_failed; i++) {
		struct host *h = &w->w_hosts[i];

		if (h->h_ns != NULL && (h->h_touched || h->h_deadline_ns <= w->w_now_ns))
			host_run(h);
	}
}

static uint64_t
conn_patience(const struct world *w, const struct conn *co)
{
	for (unsigned i = 0; i < 2; i++)
		if (w->w_hosts[co->co_plan->cp_hosts[i]].h_wronged || co->co_ended[i] != SIDE_OPEN)
			return STUCK_ALONE_NS;
	return STUCK_NS;
}

/* Does every application get on? */
static void
world_look(struct world *w)
{
	char what[300];

	if (!w->w_healed)
		return;
	groups_look(w);
	for (unsigned i = 0; i < w->w_plan.pl_nconns; i++) {
		const struct conn *co = &w->w_conns[i];
		uint64_t since = co->co_progress_ns;

		if (conn_ended(co) || !co->co_started)
			continue;
		if (since < w->w_plan.pl_heal_ns)
			since = w->w_plan.pl_heal_ns;
		if (w->w_now_ns - since <= conn_patience(w, co))
			continue;
		conn_describe(co, what, sizeof(what));
		world_fail(w, "%s gets no further for %.0f s", what,
		    (double)(w->w_now_ns - since) / 1e9);
	}
}

static bool
world_applications_ended(const struct world *w)
{
	for (unsigned i = 0; i < w->w_plan.pl_nconns; i++)
		if (!conn_ended(&w->w_conns[i]))
			return false;
	for (const struct side *s = w->w_sides; s != NULL; s = s->s_next)
		if (s->s_fd >= 0 && !s->s_stays)
			return false;
	return w->w_healed && groups_ended(w);
}

/* All applications have ended: what is left goes, and so must all that is armed. */
static void
world_over(struct world *w)
{
	world_say(w, "all applications have ended");
	w->w_over = true;
	w->w_quiet_ns = w->w_now_ns + QUIET_NS;
	groups_over(w);
}

/* Looks at all now and then. */
static void
world_watch(struct world *w)
{
	if (!w->w_over && world_applications_ended(w))
		world_over(w);
	else if (!w->w_over)
		world_look(w);
	else if (w->w_now_ns > w->w_quiet_ns)
		world_fail(w, "all has ended, but a timer is armed again and again");
}

/* From event to event, until all applications have ended, then until nothing is armed. */
static void
world_go(struct world *w)
{
	uint64_t look_ns = 0, next_ns;
	unsigned turns = 0;

	while (!w->w_failed) {
		next_ns = world_next(w);
		if (next_ns == SIM_NEVER && !w->w_over && world_applications_ended(w)) {
			world_over(w);
			continue;
		}
		if (next_ns >= w->w_stop_ns)
			break;
		turns = next_ns == w->w_now_ns ? turns + 1 : 0;
		if (turns == TURNS_MAX)
			world_fail(w, "time does not go on");
		w->w_now_ns = next_ns;
		world_turn(w);
		if (w->w_now_ns < look_ns || w->w_failed)
			continue;
		look_ns = w->w_now_ns + LOOK_NS;
		world_watch(w);
	}
	if (!w->w_failed && w->w_stop_ns == SIM_NEVER && !world_applications_ended(w))
		world_fail(w, "nothing is armed, but applications wait");
}

void
world_run(const struct world_options *wo, uint64_t seed, struct world_result *wr)
{
	struct world *w = sim_alloc(sizeof(*w));

	world_make(w, wo, seed);
	world_go(w);
	world_unmake(w);
	*wr = (struct world_result){.wr_hash = w->w_hash,
	    .wr_frames = w->w_frames,
	    .wr_bytes = w->w_bytes,
	    .wr_bytes6 = w->w_bytes6,
	    .wr_datagrams = w->w_datagrams,
	    .wr_marked_bytes = w->w_marked_bytes,
	    .wr_virtual_ns = w->w_now_ns - SIM_START_NS,
	    .wr_allocations = w->w_allocations,
	    .wr_failed = w->w_failed};
	memcpy(wr->wr_why, w->w_why, sizeof(wr->wr_why));
	free(w);
}
