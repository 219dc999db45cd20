/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One instance of the stack: its making, its end, and the turn of the wheel. What a layer keeps is
 * made by its domain's dom_init; here is only what everybody shares.
 */
#include "kern/cdefs.h"
#include "kern/filedesc.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/proc.h"
#include "kern/protosw.h"

#define NMBUFS_DEFAULT 32768u
#define NCLUSTERS_DEFAULT 8192u
#define NJUMBOS_DEFAULT 1024u
#define MAXSOCKETS_DEFAULT 65536u
#define MAXLWPS_DEFAULT 1024u
#define MAXPROCS_DEFAULT 256u
#define MCLNUM_DEFAULT 16u
#define SB_MAX_DEFAULT (4u * 1024 * 1024)
#define SORECEIVE_MCLNUM_DEFAULT 64u
/* Bursts of input and turns of lwps in one run: two calls that feed each other have no end. */
#define RUN_STEPS_MAX 128u

static uint32_t
or_default(uint32_t value, uint32_t otherwise)
{
	return value != 0 ? value : otherwise;
}

/* => ENOMEM: pools already made are left to pools_fini. */
static int
pools_init(struct netstack *ns, const struct netstack_config *nc)
{
	uint32_t nsockets = or_default(nc->nc_maxsockets, MAXSOCKETS_DEFAULT);
	uint32_t nprocs = or_default(nc->nc_maxprocs, MAXPROCS_DEFAULT);
	uint32_t nlwps = or_default(nc->nc_maxlwps, MAXLWPS_DEFAULT);
	struct alloc_fault *fault = &ns->ns_fault;
	int error;

	error = pool_init(&ns->ns_socketpool, "socket", sizeof(struct socket), nsockets, 0, fault);
	if (error == 0)
		error =
		    pool_init(&ns->ns_filepool, "file", sizeof(struct file), nsockets, 0, fault);
	if (error == 0)
		error = pool_init(&ns->ns_procpool, "proc", sizeof(struct proc), nprocs, 0, fault);
	if (error == 0)
		error = pool_init(&ns->ns_lwppool, "lwp", sizeof(struct lwp), nlwps, 0, fault);
	return error;
}

static void
pools_fini(struct netstack *ns)
{
	pool_destroy(&ns->ns_lwppool);
	pool_destroy(&ns->ns_procpool);
	pool_destroy(&ns->ns_filepool);
	pool_destroy(&ns->ns_socketpool);
}

/* What cannot fail. */
static void
state_init(struct netstack *ns, const struct netstack_config *nc)
{
	ns->ns_now = nc->nc_now_ns;
	callout_wheel_init(&ns->ns_callouts, nc->nc_now_ns);
	rng_init(&ns->ns_rng, nc->nc_seed);
	trace_init(&ns->ns_trace);
	TAILQ_INIT(&ns->ns_sysctls);
	TAILQ_INIT(&ns->ns_sockets);
	TAILQ_INIT(&ns->ns_rcvdq);
	TAILQ_INIT(&ns->ns_procs);
	ns->ns_nextpid = 1;
	ns->ns_mclnum = MCLNUM_DEFAULT;
	ns->ns_maxfilesperproc = PROC_FDLIMIT_DEFAULT;
	ns->ns_sb_max = SB_MAX_DEFAULT;
	ns->ns_soreceive_mclnum = SORECEIVE_MCLNUM_DEFAULT;
	kern_sysctl_init(ns);
	drop_sysctl_init(ns);
}

static void
domains_fini(struct netstack *ns)
{
	while (ns->ns_ndomains > 0) {
		const struct domain *dom = ns->ns_domains[--ns->ns_ndomains];

		if (dom->dom_fini != NULL)
			dom->dom_fini(ns);
	}
}

/* => on error those that had been initialised are finished again. */
static int
domains_init(struct netstack *ns, const struct domain *const *domains)
{
	for (; domains != NULL && *domains != NULL; domains++) {
		const struct domain *dom = *domains;
		int error = 0;

		KASSERT(ns->ns_ndomains < NS_MAXDOMAINS);
		if (dom->dom_init != NULL)
			error = dom->dom_init(ns);
		if (error != 0) {
			domains_fini(ns);
			return error;
		}
		ns->ns_domains[ns->ns_ndomains++] = dom;
	}
	return 0;
}

/* The parts that can fail, in order. => on error nothing is left of them. */
static int
parts_init(struct netstack *ns, const struct netstack_config *nc)
{
	int error;

	error = pools_init(ns, nc);
	if (error == 0)
		error = mbuf_init(ns, or_default(nc->nc_nmbufs, NMBUFS_DEFAULT),
		    or_default(nc->nc_nclusters, NCLUSTERS_DEFAULT),
		    or_default(nc->nc_njumbos, NJUMBOS_DEFAULT));
	if (error != 0) {
		pools_fini(ns);
		return error;
	}
	error = lwp_init(ns);
	if (error == 0) {
		error = domains_init(ns, nc->nc_domains);
		if (error != 0)
			lwp_fini(ns);
	}
	if (error != 0) {
		mbuf_fini(ns);
		pools_fini(ns);
	}
	return error;
}

struct netstack *
netstack_create(const struct netstack_config *nc)
{
	struct netstack *ns = host_alloc(sizeof(*ns));

	if (ns == NULL)
		return NULL;
	state_init(ns, nc);
	if (parts_init(ns, nc) != 0) {
		host_free(ns, sizeof(*ns));
		return NULL;
	}
	return ns;
}

void
netstack_destroy(struct netstack *ns)
{
	KASSERT(TAILQ_EMPTY(&ns->ns_procs));
	domains_fini(ns);
	KASSERT(TAILQ_EMPTY(&ns->ns_sockets));
	lwp_fini(ns);
	KASSERT(ns->ns_callouts.cw_npending == 0);
	mbuf_fini(ns);
	pools_fini(ns);
	host_free(ns, sizeof(*ns));
}

void
netstack_run(struct netstack *ns)
{
	unsigned left = RUN_STEPS_MAX;
	bool more = true;

	KASSERT(ns->ns_curlwp == NULL);
	callout_run(ns);
	for (; more && left > 0; left--) {
		more = ns->ns_netisr != NULL && ns->ns_netisr(ns);
		for (; left > 1 && !TAILQ_EMPTY(&ns->ns_runq); left--) {
			lwp_run(TAILQ_FIRST(&ns->ns_runq));
			more = true;
		}
		more |= sorcvd_run(ns);
	}
	ns->ns_more = more;
}

uint64_t
netstack_deadline(const struct netstack *ns)
{
	uint64_t next = callout_next(&ns->ns_callouts);

	if (ns->ns_more || !TAILQ_EMPTY(&ns->ns_runq) || !TAILQ_EMPTY(&ns->ns_rcvdq))
		return ns->ns_now;
	return KERN_MAX(next, ns->ns_now);
}
