/* SPDX-License-Identifier: BSD-2-Clause */
/* Drawing a world from its seed. See plan.h. */
#include "sim/plan.h"

#include <string.h>

#include "sim/event.h"

#define nitems(array) (sizeof(array) / sizeof((array)[0]))

static const char *const conn_names[] = {"bulk", "answers", "short", "half", "reset", "udp",
    "task"};
_Static_assert(nitems(conn_names) == CONN_KINDS, "a name for each kind");
static const char *const trouble_names[] = {"cut", "link", "crash", "path-mtu", "mtu", "no-memory",
    "partition", "black-hole"};
_Static_assert(nitems(trouble_names) == TROUBLE_KINDS, "a name for each kind");

const char *
conn_kind_name(enum conn_kind kind)
{
	return conn_names[kind];
}

const char *
trouble_kind_name(enum trouble_kind kind)
{
	return trouble_names[kind];
}

void
plan_seed(uint64_t seed, uint32_t part, uint8_t out[32])
{
	memset(out, 0, 32);
	memcpy(out, &seed, sizeof(seed));
	memcpy(out + sizeof(seed), &part, sizeof(part));
}

/* -- dice ------------------------------------------------------------------------------------- */

/* One in n. */
static bool
draw_once_in(struct rng *rng, uint32_t n)
{
	return rng_below(rng, n) == 0;
}

static uint32_t
draw_of(struct rng *rng, const uint32_t *values, uint32_t n)
{
	return values[rng_below(rng, n)];
}

/* From 1 to most, small numbers as often as large ones. */
static uint64_t
draw_size(struct rng *rng, uint64_t most)
{
	uint64_t limit = 1;

	while (limit < most && !draw_once_in(rng, 12))
		limit *= 4;
	limit = limit < most ? limit : most;
	return 1 + rng_u64(rng) % limit;
}

static uint64_t
draw_time(struct rng *rng, uint64_t most_ns)
{
	return rng_u64(rng) % (most_ns + 1);
}

/* -- links ------------------------------------------------------------------------------------ */

static const uint32_t rates_kbps[] = {0, 0, 256, 2000, 10000, 100000, 1000000};
static const uint32_t delays_us[] = {0, 10, 200, 1000, 5000, 20000, 60000, 150000};
static const uint32_t losses_ppm[] = {0, 0, 1000, 10000, 30000, 100000, 250000};

static struct fault_config
draw_link(struct rng *rng)
{
	struct fault_config fc = {
	    .fc_rate_bps = draw_of(rng, rates_kbps, nitems(rates_kbps)) * 1000ull,
	    .fc_delay_ns = draw_of(rng, delays_us, nitems(delays_us)) * 1000ull,
	    .fc_loss_ppm = draw_of(rng, losses_ppm, nitems(losses_ppm)),
	    .fc_queue_bytes = 3000 + draw_size(rng, 1000000),
	};

	if (draw_once_in(rng, 2))
		fc.fc_jitter_ns = fc.fc_delay_ns / (1 + rng_below(rng, 8));
	if (draw_once_in(rng, 4)) {
		fc.fc_burst_ppm = 1000 + rng_below(rng, 20000);
		fc.fc_burst_end_ppm = 50000 + rng_below(rng, 500000);
	}
	if (draw_once_in(rng, 3))
		fc.fc_duplicate_ppm = rng_below(rng, 100000);
	if (draw_once_in(rng, 3))
		fc.fc_corrupt_ppm = rng_below(rng, 50000);
	if (draw_once_in(rng, 2)) {
		fc.fc_reorder_ppm = rng_below(rng, 200000);
		fc.fc_reorder_ns = 1 + draw_time(rng, 30 * SIM_MS);
	}
	return fc;
}

static struct fault_config
draw_good_link(struct rng *rng)
{
	return (struct fault_config){
	    .fc_rate_bps = draw_once_in(rng, 2) ? 0 : 10000000,
	    .fc_delay_ns = draw_time(rng, 20 * SIM_MS),
	};
}

static void
draw_host(struct rng *rng, struct host_plan *hp)
{
	hp->hp_well = draw_good_link(rng);
	hp->hp_up = draw_once_in(rng, 4) ? hp->hp_well : draw_link(rng);
	hp->hp_down = draw_once_in(rng, 2) ? hp->hp_up : draw_link(rng);
	hp->hp_nmbufs = 4096;
	hp->hp_nclusters = 1024;
	for (uint32_t bit = HP_NOSACK; bit <= HP_BIGCLUSTERS; bit *= 2)
		if (draw_once_in(rng, 6))
			hp->hp_sysctls |= bit;
	if (draw_once_in(rng, 8)) {
		hp->hp_sysctls |= HP_SMALLPOOLS;
		hp->hp_nmbufs = 512 + rng_below(rng, 512);
		hp->hp_nclusters = 128 + rng_below(rng, 128);
	}
}

/* With dice of their own, so that what else a seed makes is as it was before there were cookies. */
static void
draw_cookies(struct plan *pl)
{
	static const uint32_t how[] = {HP_COOKIES, HP_FEWSYNS, 0, 0, 0, 0};
	struct rng rng;
	uint8_t bytes[32];

	plan_seed(pl->pl_seed, 1, bytes);
	rng_init(&rng, bytes);
	for (unsigned i = 0; i < pl->pl_nhosts; i++)
		pl->pl_hosts[i].hp_sysctls |= draw_of(&rng, how, nitems(how));
}

/* -- applications ----------------------------------------------------------------------------- */

static void
draw_pace(struct rng *rng, struct conn_plan *cp)
{
	for (unsigned i = 0; i < 2; i++) {
		cp->cp_chunk[i] = (uint32_t)draw_size(rng, 65536);
		if (cp->cp_total[0] + cp->cp_total[1] > 2000 * (uint64_t)cp->cp_chunk[i])
			cp->cp_chunk[i] = 4096;
		if (draw_once_in(rng, 6))
			cp->cp_pause_ns[i] = draw_time(rng, 300 * SIM_MS);
		/* A reader who pauses for long reads much at a time: worlds are to end. */
		if (cp->cp_pause_ns[i] > 0 && cp->cp_chunk[i] < 2000)
			cp->cp_chunk[i] = 2000;
		if (draw_once_in(rng, 4))
			cp->cp_sockbuf[i] = 2048u << rng_below(rng, 7);
	}
}

static void
draw_datagrams(struct rng *rng, struct conn_plan *cp)
{
	cp->cp_total[0] = 1 + rng_below(rng, 100);
	cp->cp_chunk[0] = 16 + (uint32_t)draw_size(rng, draw_once_in(rng, 3) ? 8000 : 1400);
	cp->cp_pause_ns[0] = draw_time(rng, 200 * SIM_MS);
}

static void
draw_conn(struct rng *rng, struct plan *pl, struct conn_plan *cp, uint64_t most)
{
	cp->cp_kind = (enum conn_kind)rng_below(rng, CONN_KINDS);
	cp->cp_hosts[0] = rng_below(rng, pl->pl_nhosts);
	cp->cp_hosts[1] = (cp->cp_hosts[0] + 1 + rng_below(rng, pl->pl_nhosts - 1)) % pl->pl_nhosts;
	cp->cp_start_ns = SIM_SECOND + draw_time(rng, pl->pl_heal_ns - SIM_SECOND);
	if (draw_once_in(rng, 2))
		cp->cp_start_ns = SIM_SECOND + draw_time(rng, 100 * SIM_MS);
	cp->cp_total[0] = 8 + draw_size(rng, most);
	cp->cp_total[1] = draw_once_in(rng, 3) ? 0 : draw_size(rng, most);
	cp->cp_nodelay = draw_once_in(rng, 2);
	if (cp->cp_kind == CONN_SHORT) {
		cp->cp_total[0] = 8 + draw_size(rng, 5000);
		cp->cp_total[1] = 0;
	} else if (cp->cp_kind == CONN_ANSWERS || cp->cp_kind == CONN_TASK) {
		uint64_t rounds = 1 + rng_below(rng, 30);

		cp->cp_round[0] = 8 + draw_size(rng, 3000);
		cp->cp_round[1] = draw_size(rng, 10000);
		cp->cp_total[0] = rounds * cp->cp_round[0];
		cp->cp_total[1] = rounds * cp->cp_round[1];
	} else if (cp->cp_kind == CONN_RESET) {
		cp->cp_abort_side = rng_below(rng, 2);
		cp->cp_abort_at = rng_u64(rng) % (cp->cp_total[0] + cp->cp_total[1]);
	}
	draw_pace(rng, cp);
	if (cp->cp_kind == CONN_UDP)
		draw_datagrams(rng, cp);
}

/* -- troubles --------------------------------------------------------------------------------- */

static void
draw_trouble(struct rng *rng, const struct plan *pl, struct trouble *tr)
{
	tr->tr_kind = (enum trouble_kind)rng_below(rng, TROUBLE_KINDS);
	tr->tr_host = rng_below(rng, pl->pl_nhosts);
	tr->tr_time_ns = SIM_SECOND + draw_time(rng, pl->pl_heal_ns - SIM_SECOND);
	tr->tr_length_ns = draw_time(rng, draw_once_in(rng, 3) ? 60 * SIM_SECOND : 3 * SIM_SECOND);
	tr->tr_link = draw_link(rng);
	switch (tr->tr_kind) {
	case TROUBLE_CRASH:
		if (draw_once_in(rng, 4))
			tr->tr_length_ns = SIM_NEVER;
		break;
	case TROUBLE_PATHMTU:
	case TROUBLE_MTU:
	case TROUBLE_BLACKHOLE:
		tr->tr_value = 576 + rng_below(rng, PLAN_MTU - 576 + 1);
		break;
	case TROUBLE_NOMEM:
		tr->tr_value = (uint32_t)draw_size(rng, 1000);
		break;
	case TROUBLE_PARTITION:
		tr->tr_value = 1 + rng_below(rng, (1u << pl->pl_nhosts) - 1);
		break;
	default:
		break;
	}
}

void
plan_draw(struct plan *pl, const struct plan_options *po, uint64_t seed)
{
	struct rng rng;
	uint8_t bytes[32];

	*pl = (struct plan){.pl_seed = seed};
	plan_seed(seed, 0, bytes);
	rng_init(&rng, bytes);
	pl->pl_nhosts = po->po_small ? 2 : 2 + rng_below(&rng, PLAN_HOSTS - 1);
	pl->pl_nconns = 1 + rng_below(&rng, po->po_small ? 3 : PLAN_CONNS);
	pl->pl_ntroubles =
	    po->po_small || draw_once_in(&rng, 4) ? 0 : 1 + rng_below(&rng, PLAN_TROUBLES);
	pl->pl_heal_ns = SIM_SECOND * (2 + rng_below(&rng, po->po_small ? 2 : 60));
	for (unsigned i = 0; i < pl->pl_nhosts; i++) {
		draw_host(&rng, &pl->pl_hosts[i]);
		/* Small pools are quickly made. */
		if (po->po_small) {
			pl->pl_hosts[i].hp_nmbufs = 1024;
			pl->pl_hosts[i].hp_nclusters = 96;
		}
	}
	draw_cookies(pl);
	for (unsigned i = 0; i < pl->pl_nconns; i++)
		draw_conn(&rng, pl, &pl->pl_conns[i], po->po_small ? 20000 : 300000);
	for (unsigned i = 0; i < pl->pl_ntroubles; i++)
		draw_trouble(&rng, pl, &pl->pl_troubles[i]);
}
