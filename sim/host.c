/* SPDX-License-Identifier: BSD-2-Clause */
/* A host's life: start, run, crash, end. */
#include "sim/host.h"

#include <stdio.h>
#include <string.h>

#include <rumpus/abi.h>
#include <rumpus/socket.h>
#include <rumpus/stack.h>

#include "dev/link/if_port.h"
#include "kern/kern_inspect.h"
#include "sim/group.h"
#include "sim/side.h"

#define TURNS_MAX 10000u /* of a host, without time going on */

static void
host_sysctl(struct host *h, bool wanted, const char *name, const char *value)
{
	int error = wanted ? rumpus_sysctl_set(h->h_ns, name, value) : 0;

	if (error != 0)
		world_fail(h->h_world, "host %u: %s=%s: errno %d", h->h_index, name, value, error);
}

static void
host_sysctls(struct host *h)
{
	const uint32_t bits = h->h_world->w_plan.pl_hosts[h->h_index].hp_sysctls;

	host_sysctl(h, bits & HP_NOSACK, "net.inet.tcp.sack.enable", "0");
	host_sysctl(h, bits & HP_NORFC1323, "net.inet.tcp.rfc1323", "0");
	host_sysctl(h, bits & HP_NEWRENO, "net.inet.tcp.cc.algorithm", "newreno");
	host_sysctl(h, bits & HP_NODELACK, "net.inet.tcp.delayed_ack", "0");
	host_sysctl(h, true, "net.inet.tcp.pmtud_blackhole_detection", "1");
	host_sysctl(h, bits & HP_SMALLBUFFERS, "net.inet.tcp.sendspace", "8192");
	host_sysctl(h, bits & HP_SMALLBUFFERS, "net.inet.tcp.recvspace", "8192");
	host_sysctl(h, bits & HP_BIGCLUSTERS, "kern.mbuf.mclbytes", "4096");
	host_sysctl(h, bits & HP_COOKIES, "net.inet.tcp.syncookies_only", "1");
	host_sysctl(h, bits & HP_FEWSYNS, "net.inet.tcp.syncache.cachelimit", "1");
}

/* The addresses that the plan gives. => errno */
static int
host_address(struct host *h)
{
	const struct host_plan *hp = &h->h_world->w_plan.pl_hosts[h->h_index];
	const char probes[] = {(char)('0' + hp->hp_probes), '\0'};
	char cidr[32];
	int error;

	(void)snprintf(cidr, sizeof(cidr), "10.0.0.%u/24", h->h_index + 1);
	error = rumpus_addr_add(h->h_ns, SIM_IFNAME, cidr);
	if (error != 0 || hp->hp_ip6 == HOST_IP6_NONE)
		return error;
	host_sysctl(h, true, "net.inet6.ip6.dad_count", probes);
	(void)snprintf(cidr, sizeof(cidr), "fd00::%x/64", h->h_index + 1);
	return rumpus_addr_add(h->h_ns, SIM_IFNAME, hp->hp_ip6 == HOST_IP6_AUTO ? "auto" : cidr);
}

static uint32_t
host_ifindex(const struct host *h)
{
	struct rumpus_ifinfo ri;

	for (uint32_t n = 0; rumpus_ifinfo(h->h_ns, n, &ri) == 0; n++)
		if (strcmp(ri.ri_name, SIM_IFNAME) == 0)
			return ri.ri_index;
	return 0;
}

static int
host_attach(struct host *h)
{
	const struct port_config pc = {.pc_name = SIM_IFNAME,
	    .pc_lladdr = h->h_lladdr,
	    .pc_mtu = PLAN_MTU,
	    .pc_output = wire_output,
	    .pc_arg = h};
	int error = port_attach(h->h_ns, &pc, &h->h_port);

	if (error != 0)
		return error;
	h->h_ifmtu = PLAN_MTU;
	h->h_ifindex = host_ifindex(h);
	return host_address(h);
}

void
host_start(struct host *h)
{
	struct world *w = h->h_world;
	const struct host_plan *hp = &w->w_plan.pl_hosts[h->h_index];
	struct rumpus_config rc = {.rc_now_ns = w->w_now_ns,
	    .rc_nmbufs = hp->hp_nmbufs,
	    .rc_nclusters = hp->hp_nclusters,
	    .rc_njumbos = 2,
	    .rc_maxsockets = 256,
	    .rc_maxlwps = 20,
	    .rc_maxprocs = 4};

	plan_seed(w->w_plan.pl_seed, 100 + h->h_index + 100 * ++h->h_life, rc.rc_seed);
	h->h_ns = rumpus_create(&rc);
	h->h_traced = 0;
	h->h_dying = false;
	h->h_dirty = NULL;
	h->h_lastdirty = &h->h_dirty;
	h->h_proc = h->h_ns != NULL ? rumpus_proc_create(h->h_ns, "sim") : NULL;
	if (h->h_proc == NULL || host_attach(h) != 0) {
		world_fail(w, "host %u: no stack", h->h_index);
		return;
	}
	host_sysctls(h);
	host_touch(h);
	if (w->w_fail_host == h->h_index && h->h_life == 1)
		kern_inspect_fail_at(h->h_ns, w->w_fail_at);
	server_start(h);
	groups_host_started(h);
}

/* Takes the stack's trace into the world's hash, and the stack away. */
static void
host_gone(struct host *h)
{
	struct world *w = h->h_world;
	struct kern_inspect ki;

	kern_inspect(h->h_ns, &ki);
	world_hash(w, ki.ki_trace_hash);
	if (w->w_fail_host == h->h_index && h->h_life == 1)
		w->w_allocations = ki.ki_allocations;
	rumpus_destroy(h->h_ns);
	h->h_ns = NULL;
	h->h_proc = NULL;
	h->h_deadline_ns = SIM_NEVER;
}

void
host_crash(struct host *h)
{
	h->h_dying = true;
	h->h_wronged = true;
	kern_inspect_fail_at(h->h_ns, 0);
	side_crash_all(h);
	rumpus_enter(h->h_ns, h->h_world->w_now_ns);
	rumpus_proc_exit(h->h_proc);
	rumpus_run(h->h_ns);
	host_gone(h);
}

void
host_end(struct host *h)
{
	h->h_dying = true;
	kern_inspect_fail_at(h->h_ns, 0);
	rumpus_enter(h->h_ns, h->h_world->w_now_ns);
	rumpus_proc_exit(h->h_proc);
	rumpus_run(h->h_ns);
	if (!h->h_world->w_failed)
		check_empty(h);
	host_gone(h);
}

void
host_touch(struct host *h)
{
	h->h_touched = true;
	if (h->h_ns != NULL)
		rumpus_enter(h->h_ns, h->h_world->w_now_ns);
}

/* => false: nothing was to be done */
static bool
host_step(struct host *h)
{
	bool any = h->h_dirty != NULL;
	struct side *s;

	while ((s = h->h_dirty) != NULL) {
		h->h_dirty = s->s_nextdirty;
		if (h->h_dirty == NULL)
			h->h_lastdirty = &h->h_dirty;
		s->s_isdirty = false;
		if (s->s_fd >= 0)
			s->s_step(s);
	}
	return any;
}

void
host_run(struct host *h)
{
	unsigned turns = 0;
	bool any;

	host_touch(h);
	do {
		rumpus_run(h->h_ns);
		any = host_step(h);
		h->h_deadline_ns = rumpus_deadline(h->h_ns);
		if (++turns == TURNS_MAX)
			world_fail(h->h_world, "host %u does not come to rest", h->h_index);
	} while ((any || h->h_deadline_ns <= h->h_world->w_now_ns) && !h->h_world->w_failed);
	h->h_touched = false;
	if (h->h_world->w_stop_ns == SIM_NEVER) /* else it is speed that is asked for */
		check_stack(h);
}

void
host_setlink(struct host *h, const struct fault_config *up, const struct fault_config *down)
{
	h->h_up.f_config = *up;
	h->h_down.f_config = *down;
	h->h_up.f_config.fc_cut = h->h_down.f_config.fc_cut = h->h_cuts > 0;
}
