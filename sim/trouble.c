/* SPDX-License-Identifier: BSD-2-Clause */
/* Troubles: what goes wrong in a world, when it comes, when it ends; and when all of them end. */
#include "dev/link/if_port.h"
#include "kern/kern_inspect.h"
#include "sim/host.h"
#include "sim/side.h"

static void
trouble_cut(struct host *h, bool on)
{
	const struct fault_config up = h->h_up.f_config, down = h->h_down.f_config;

	h->h_cuts += on ? 1 : -1u;
	host_setlink(h, &up, &down);
}

static void
trouble_setmtu(struct host *h, uint32_t mtu)
{
	h->h_pathmtu = mtu;
	h->h_blackhole = false;
	if (h->h_ns == NULL)
		return;
	h->h_ifmtu = mtu != 0 ? mtu : PLAN_MTU;
	(void)port_setmtu(h->h_port, h->h_ifmtu);
}

static void
trouble_comes(struct world *w, const struct trouble *tr)
{
	struct host *h = &w->w_hosts[tr->tr_host];

	switch (tr->tr_kind) {
	case TROUBLE_CUT:
		trouble_cut(h, true);
		break;
	case TROUBLE_LINK:
		host_setlink(h, &tr->tr_link, &tr->tr_link);
		break;
	case TROUBLE_CRASH:
		if (h->h_ns != NULL)
			host_crash(h);
		break;
	case TROUBLE_PATHMTU:
	case TROUBLE_BLACKHOLE:
		h->h_pathmtu = tr->tr_value;
		h->h_blackhole = tr->tr_kind == TROUBLE_BLACKHOLE;
		break;
	case TROUBLE_MTU:
		trouble_setmtu(h, tr->tr_value);
		break;
	case TROUBLE_NOMEM:
		h->h_wronged = true;
		if (h->h_ns != NULL)
			kern_inspect_fail_at(h->h_ns, tr->tr_value);
		break;
	case TROUBLE_PARTITION:
		w->w_partition = tr->tr_value;
		break;
	case TROUBLE_KINDS:
		break;
	}
}

static void
trouble_goes(struct world *w, const struct trouble *tr)
{
	const struct host_plan *hp = &w->w_plan.pl_hosts[tr->tr_host];
	struct host *h = &w->w_hosts[tr->tr_host];

	switch (tr->tr_kind) {
	case TROUBLE_CUT:
		trouble_cut(h, false);
		break;
	case TROUBLE_LINK:
		host_setlink(h, &hp->hp_up, &hp->hp_down);
		break;
	case TROUBLE_CRASH:
		if (h->h_ns == NULL)
			host_start(h);
		break;
	case TROUBLE_PATHMTU:
	case TROUBLE_MTU:
	case TROUBLE_BLACKHOLE:
		trouble_setmtu(h, 0);
		break;
	case TROUBLE_PARTITION:
		w->w_partition = 0;
		break;
	case TROUBLE_NOMEM:
	case TROUBLE_KINDS:
		break;
	}
}

static void
trouble_end(struct world *w, void *arg, uint64_t tag)
{
	const struct trouble *tr = arg;

	(void)tag;
	if (w->w_healed)
		return;
	world_say(w, "host %u: %s is over", tr->tr_host, trouble_kind_name(tr->tr_kind));
	trouble_goes(w, tr);
}

static void
trouble_begin(struct world *w, void *arg, uint64_t tag)
{
	const struct trouble *tr = arg;
	const struct event over = {.ev_time_ns = w->w_now_ns + tr->tr_length_ns,
	    .ev_do = trouble_end,
	    .ev_arg = arg};

	(void)tag;
	if (w->w_healed)
		return;
	world_say(w, "host %u: %s", tr->tr_host, trouble_kind_name(tr->tr_kind));
	trouble_comes(w, tr);
	if (tr->tr_length_ns != SIM_NEVER)
		event_add(&w->w_events, &over);
}

void
trouble_schedule(struct world *w)
{
	for (unsigned i = 0; i < w->w_plan.pl_ntroubles; i++) {
		struct trouble *tr = &w->w_plan.pl_troubles[i];
		const struct event ev = {.ev_time_ns = tr->tr_time_ns,
		    .ev_do = trouble_begin,
		    .ev_arg = tr};

		event_add(&w->w_events, &ev);
	}
}

/* Is a host to stay away for ever? */
static bool
host_isdead(const struct world *w, unsigned index)
{
	for (unsigned i = 0; i < w->w_plan.pl_ntroubles; i++) {
		const struct trouble *tr = &w->w_plan.pl_troubles[i];

		if (tr->tr_kind == TROUBLE_CRASH && tr->tr_host == index &&
		    tr->tr_length_ns == SIM_NEVER)
			return true;
	}
	return false;
}

void
trouble_heal(struct world *w)
{
	world_say(w, "the world heals");
	w->w_healed = true;
	w->w_partition = 0;
	w->w_progress_ns = w->w_now_ns;
	for (unsigned i = 0; i < w->w_plan.pl_nhosts; i++) {
		const struct host_plan *hp = &w->w_plan.pl_hosts[i];
		struct host *h = &w->w_hosts[i];

		h->h_cuts = 0;
		host_setlink(h, &hp->hp_well, &hp->hp_well);
		if (h->h_ns == NULL && !host_isdead(w, i))
			host_start(h);
		trouble_setmtu(h, 0);
		if (h->h_ns != NULL && w->w_fail_at == 0)
			kern_inspect_fail_at(h->h_ns, 0);
	}
	/* Datagrams wait for this. */
	for (struct side *s = w->w_sides; s != NULL; s = s->s_next)
		if (s->s_fd >= 0)
			side_mark(s);
}
