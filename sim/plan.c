/* SPDX-License-Identifier: BSD-2-Clause */
/* Drawing a world from its seed. See plan.h. */
#include "sim/plan.h"

#include <string.h>

#include "sim/event.h"
#include "wire/be.h"

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

static const char *const family_names[] = {"IPv4", "IPv6", "IPv4-mapped", "IPv6 link-local"};
_Static_assert(nitems(family_names) == FAMILY_COUNT, "a name for each family");

const char *
family_name(enum family family)
{
	return family_names[family];
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

/* Dice of their own for a part of a plan: how many are thrown there changes nothing elsewhere. */
static void
dice_init(struct rng *rng, const struct plan *pl, uint32_t part)
{
	uint8_t bytes[32];

	plan_seed(pl->pl_seed, part, bytes);
	rng_init(rng, bytes);
}

static void
draw_cookies(struct plan *pl)
{
	static const uint32_t how[] = {HP_COOKIES, HP_FEWSYNS, 0, 0, 0, 0};
	struct rng rng;

	dice_init(&rng, pl, 1);
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

/* -- families --------------------------------------------------------------------------------- */

static void
draw_router(struct rng *rng, struct router_plan *rp)
{
	static const uint32_t mtus[] = {0, 0, 1500, 1400, 1280};
	static const uint32_t preferred_s[] = {5, 60, 1800};

	rp->rp_there = draw_once_in(rng, 2);
	rp->rp_offlink = draw_once_in(rng, 3);
	rp->rp_queries = draw_once_in(rng, 2);
	rp->rp_interval_ns =
	    (4 + rng_below(rng, 27)) * SIM_SECOND; /* RFC 4861 §6.2.1: from 4 s on */
	rp->rp_mtu = draw_of(rng, mtus, nitems(mtus));
	/* Longer than all of them may be lost. */
	rp->rp_valid_s = draw_once_in(rng, 4) ? UINT32_MAX : 1800 + rng_below(rng, 3600);
	rp->rp_preferred_s = draw_of(rng, preferred_s, nitems(preferred_s));
}

static void
draw_ip6(struct rng *rng, const struct plan *pl, struct host_plan *hp)
{
	static const uint32_t probes[] = {0, 0, 1, 1, 3};

	hp->hp_ip6 = draw_once_in(rng, 8)                    ? HOST_IP6_NONE
	    : pl->pl_router.rp_there && draw_once_in(rng, 2) ? HOST_IP6_AUTO
							     : HOST_IP6_STATIC;
	hp->hp_probes = draw_of(rng, probes, nitems(probes));
	hp->hp_dual = draw_once_in(rng, 2);
}

/* A family that both hosts speak. */
static void
draw_family(struct rng *rng, const struct plan *pl, struct conn_plan *cp)
{
	static const uint32_t families[] = {FAMILY_4, FAMILY_4, FAMILY_6, FAMILY_6, FAMILY_6,
	    FAMILY_6, FAMILY_MAPPED, FAMILY_LOCAL};

	cp->cp_family = (enum family)draw_of(rng, families, nitems(families));
	for (unsigned i = 0; i < 2; i++)
		if ((cp->cp_family == FAMILY_6 || cp->cp_family == FAMILY_LOCAL) &&
		    pl->pl_hosts[cp->cp_hosts[i]].hp_ip6 == HOST_IP6_NONE)
			cp->cp_family = FAMILY_4;
	/*
	 * While an address is probed, another takes its place; but from one of the link nothing gets
	 * beyond a router, and who is asked by one of the link answers by it.
	 */
	cp->cp_bind = draw_once_in(rng, 2) || cp->cp_family == FAMILY_LOCAL ||
	    cp->cp_kind == CONN_UDP || (pl->pl_router.rp_there && pl->pl_router.rp_offlink);
}

/* -- groups ----------------------------------------------------------------------------------- */

static uint32_t
plan_ip6_hosts(const struct plan *pl)
{
	uint32_t hosts = 0;

	for (unsigned i = 0; i < pl->pl_nhosts; i++)
		if (pl->pl_hosts[i].hp_ip6 != HOST_IP6_NONE)
			hosts |= 1u << i;
	return hosts;
}

static void
draw_group(struct rng *rng, const struct plan *pl, struct group_plan *gp, unsigned index)
{
	static const uint32_t scopes[] = {0xff020000, 0xff050000, 0xff0e0000};
	uint32_t all = (1u << pl->pl_nhosts) - 1, six = plan_ip6_hosts(pl);

	gp->gp_family = six != 0 && draw_once_in(rng, 2) ? FAMILY_6 : FAMILY_4;
	gp->gp_addr[0] = htobe32(0xef010200 + index);
	if (gp->gp_family == FAMILY_6) {
		all = six;
		gp->gp_addr[0] = htobe32(draw_of(rng, scopes, nitems(scopes)));
		gp->gp_addr[3] = htobe32(0x00010200 + index);
	}
	while (gp->gp_senders == 0)
		gp->gp_senders = rng_u32(rng) & all;
	gp->gp_start_ns = SIM_SECOND + draw_time(rng, pl->pl_heal_ns - SIM_SECOND);
	if (draw_once_in(rng, 2))
		gp->gp_start_ns = SIM_SECOND + draw_time(rng, 100 * SIM_MS);
	gp->gp_pause_ns = 1 + draw_time(rng, 500 * SIM_MS);
	gp->gp_count = rng_below(rng, PLAN_DATAGRAMS - 2);
	gp->gp_len = 16 + (uint32_t)draw_size(rng, draw_once_in(rng, 3) ? 4000 : 1400);
	gp->gp_loop = draw_once_in(rng, 2);
}

static void
draw_member(struct rng *rng, const struct plan *pl, struct member_plan *mp)
{
	const struct group_plan *gp;

	*mp = (struct member_plan){.mp_group = rng_below(rng, pl->pl_ngroups),
	    .mp_join_ns = SIM_SECOND,
	    .mp_leave_ns = SIM_NEVER,
	    .mp_exclude = true};
	gp = &pl->pl_groups[mp->mp_group];
	do
		mp->mp_host = rng_below(rng, pl->pl_nhosts);
	while (gp->gp_family == FAMILY_6 && (plan_ip6_hosts(pl) & 1u << mp->mp_host) == 0);
	if (draw_once_in(rng, 4))
		mp->mp_join_ns += draw_time(rng, pl->pl_heal_ns - SIM_SECOND);
	if (draw_once_in(rng, 4))
		mp->mp_leave_ns = mp->mp_join_ns + draw_time(rng, 30 * SIM_SECOND);
	if (gp->gp_family == FAMILY_6)
		return;
	mp->mp_dual = draw_once_in(rng, 4);
	if (draw_once_in(rng, 2))
		mp->mp_sources = rng_u32(rng) & ((1u << pl->pl_nhosts) - 1);
	mp->mp_exclude = mp->mp_sources == 0 || draw_once_in(rng, 2);
}

/* What came to worlds after all else: IPv6 and groups. */
static void
draw_net(struct plan *pl, bool small)
{
	struct rng rng;

	dice_init(&rng, pl, 2);
	draw_router(&rng, &pl->pl_router);
	for (unsigned i = 0; i < pl->pl_nhosts; i++)
		draw_ip6(&rng, pl, &pl->pl_hosts[i]);
	for (unsigned i = 0; i < pl->pl_nconns; i++)
		draw_family(&rng, pl, &pl->pl_conns[i]);
	if (draw_once_in(&rng, 2))
		return;
	pl->pl_ngroups = 1 + rng_below(&rng, small ? 1 : PLAN_GROUPS);
	for (unsigned i = 0; i < pl->pl_ngroups; i++)
		draw_group(&rng, pl, &pl->pl_groups[i], i);
	pl->pl_nmembers = 1 + rng_below(&rng, small ? 3 : PLAN_MEMBERS);
	for (unsigned i = 0; i < pl->pl_nmembers; i++)
		draw_member(&rng, pl, &pl->pl_members[i]);
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
	draw_net(pl, po->po_small);
	for (unsigned i = 0; i < pl->pl_ntroubles; i++)
		draw_trouble(&rng, pl, &pl->pl_troubles[i]);
}
