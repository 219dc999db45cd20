/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world: hosts with a stack each on one wire of many segments, on virtual time, in one process.
 *
 * Theory of operation: everything in a world follows from its seed: the plan (plan.h: hosts, links,
 * applications, troubles and when) and the chance of each frame. world_run goes from event to
 * event: a frame reaches the switch or a host, an application starts, trouble comes or goes, a
 * stack's deadline passes. After each, the stacks that were touched run, their applications take
 * what there is, and the checkers look (check.h). At w_plan.pl_heal_ns all troubles end; from then
 * on every application must get on within bounded time. When all have ended, the world runs on
 * until nothing is armed, and no stack may hold anything.
 *
 *   host --up--> switch --down--> host        up, down: struct fault; the switch knows stations
 *                  router                     of IPv6, in some worlds (router.h)
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/fault/fault.h"
#include "sim/event.h"
#include "sim/plan.h"

struct capture;
struct netstack;
struct port;
struct rumpus_proc;
struct side;
struct world;

#define SIM_PORT 7             /* every host listens there, for streams and datagrams */
#define SIM_GROUP_PORT 8       /* of groups */
#define SIM_PREFIX 0xfd000000u /* fd00::/64, its first word */
#define SIM_IFNAME "eth0"
#define SIM_START_NS SIM_SECOND /* the clock when a world begins */

struct host {
	struct world *h_world;
	unsigned h_index;
	uint32_t h_addr_be;
	uint32_t h_addr6[4]; /* of the network, and of the link; ::: it has none */
	uint32_t h_local6[4];
	uint32_t h_ifindex;
	uint8_t h_lladdr[6];
	struct netstack *h_ns; /* NULL: crashed */
	struct rumpus_proc *h_proc;
	struct port *h_port;
	struct fault h_up, h_down;
	uint32_t h_pathmtu; /* of packets to it; 0: no less than theirs */
	bool h_blackhole;   /* nobody is told of that */
	uint32_t h_ifmtu;   /* of its interface, which takes nothing longer */
	unsigned h_cuts;    /* troubles that cut its link */
	uint32_t h_life;    /* counts its starts */
	bool h_dying;       /* what it still sends is lost */
	bool h_touched;     /* has to run at the present time */
	bool h_wronged;     /* was short of memory, or crashed: its connections may break */
	uint64_t h_deadline_ns;
	uint64_t h_traced;                   /* events of the trace that were looked at */
	struct side *h_dirty, **h_lastdirty; /* to be stepped */
};

struct conn;
struct groups;
struct router;

struct world {
	struct plan w_plan;
	struct rng w_rng;
	uint64_t w_now_ns;
	struct event_queue w_events;
	struct host w_hosts[PLAN_HOSTS];
	struct conn *w_conns;    /* w_plan.pl_nconns */
	struct side *w_sides;    /* all that are open */
	struct groups *w_groups; /* NULL: none */
	struct router *w_router; /* NULL: none */
	uint64_t w_hash;
	uint64_t w_frames, w_bytes; /* sent; received by applications */
	uint64_t w_bytes6;          /* of these, by IPv6 */
	uint64_t w_datagrams;       /* for groups, received by members */
	uint64_t w_marked_bytes;
	uint64_t w_stop_ns;     /* SIM_NEVER: when all is over */
	uint64_t w_progress_ns; /* when any application last got on */
	uint64_t w_lost_ns;     /* when a frame was last lost, or came changed */
	bool w_healed;
	bool w_over;               /* all applications have ended */
	uint64_t w_quiet_ns;       /* then: when nothing may be armed any more */
	uint32_t w_partition;      /* hosts of one part as bits; 0: all are joined */
	struct capture *w_capture; /* NULL: none */
	bool w_verbose;
	/* Counts allocations of a host, and makes its n-th fail. */
	uint64_t w_fail_at;
	unsigned w_fail_host;
	uint64_t w_allocations; /* of that host's first life */
	bool w_failed;
	char w_why[1000];
};

struct world_result {
	uint64_t wr_hash;
	uint64_t wr_frames;
	uint64_t wr_bytes;
	uint64_t wr_bytes6;
	uint64_t wr_datagrams;
	uint64_t wr_marked_bytes;
	uint64_t wr_virtual_ns;
	uint64_t wr_allocations;
	bool wr_failed;
	char wr_why[1000];
};

struct world_options {
	struct plan_options wo_plan;
	struct capture *wo_capture;
	bool wo_verbose;
	uint64_t wo_fail_at; /* of wo_fail_host's allocations; 0: none */
	unsigned wo_fail_host;
	/* Runs this plan instead of drawing one, only until wo_stop_ns, when it need not have ended. */
	const struct plan *wo_planned;
	uint64_t wo_mark_ns, wo_stop_ns; /* wr_marked_bytes: what had come by wo_mark_ns */
};

/* Runs the world of a seed from beginning to end. */
void world_run(const struct world_options *wo, uint64_t seed, struct world_result *wr);

/* Something does not hold: the first such is kept, and ends the world. */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* With -v: what happens. */
void world_say(const struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An application has received bytes. */
void world_received(struct world *w, enum family family, uint64_t bytes);
/* Takes a number into the hash of the run. */
void world_hash(struct world *w, uint64_t value);

#endif /* SIM_WORLD_H */
