/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups of interfaces, and the filters of sockets merged (RFC 3376 §3.2): igmp_var.h has the theory.
 *
 * The merged filter excludes what every excluding socket excludes and no socket includes, if there is
 * an excluding one; else it includes what some socket includes.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/ipv4.h"

#define IN_MAXMULTIS 12288u
#define IN_MAXSOURCES 32768u
#define IN_MAXASKED 256u

int
in_multi_init(struct netstack *ns)
{
	struct in_mcast *mc = &ns->ns_inet->is_mcast;
	int error;

	mc->mc_maxgrpsrc = IN_MAXGRPSRC;
	if ((error = pool_init(&mc->mc_multipool, "in_multi", sizeof(struct in_multi), IN_MAXMULTIS,
		 0, &ns->ns_fault)) != 0)
		return error;
	if ((error = pool_init(&mc->mc_sourcepool, "in_msource", sizeof(struct in_msource),
		 IN_MAXSOURCES, 0, &ns->ns_fault)) != 0)
		goto out;
	if ((error = pool_init(&mc->mc_askedpool, "igmp_asked", sizeof(struct igmp_asked),
		 IN_MAXASKED, 0, &ns->ns_fault)) == 0)
		return 0;
	pool_destroy(&mc->mc_sourcepool);
out:
	pool_destroy(&mc->mc_multipool);
	return error;
}

void
in_multi_fini(struct netstack *ns)
{
	struct in_mcast *mc = &ns->ns_inet->is_mcast;

	pool_destroy(&mc->mc_askedpool);
	pool_destroy(&mc->mc_sourcepool);
	pool_destroy(&mc->mc_multipool);
}

static struct in_multi_list *
inm_bucket(struct netstack *ns, uint32_t ifindex, const struct in_addrany *group)
{
	const struct {
		struct in_addrany group;
		uint32_t ifindex;
	} key = {*group, ifindex};

	_Static_assert(sizeof(key) == 20, "no padding is hashed");
	return &ns->ns_inet->is_mcast
		    .mc_hash[siphash24(ns->ns_inet->is_key, &key, sizeof(key)) % IN_MCASTHASH];
}

struct in_multi *
inm_lookup(const struct ifnet *ifp, const struct in_mproto *mp, const struct in_addrany *group)
{
	struct in_multi *inm;

	LIST_FOREACH(inm, inm_bucket(ifp->if_ns, ifp->if_index, group), inm_hash) {
		if (inm->inm_ifp == ifp && inm->inm_proto == mp &&
		    in_addrany_eq(&inm->inm_group, group))
			return inm;
	}
	return NULL;
}

struct in_multi *
inm_acquire(struct ifnet *ifp, const struct in_mproto *mp, const struct in_addrany *group)
{
	struct pool *pool = &ifp->if_ns->ns_inet->is_mcast.mc_multipool;
	struct in_multi *inm = inm_lookup(ifp, mp, group);

	if (inm == NULL) {
		if ((inm = pool_get_zeroed(pool)) == NULL)
			return NULL;
		inm->inm_ifp = ifp;
		inm->inm_proto = mp;
		inm->inm_group = *group;
		if (mp->mp_attach(inm) != 0) {
			pool_put(pool, inm);
			return NULL;
		}
		LIST_INSERT_HEAD(inm_bucket(ifp->if_ns, ifp->if_index, group), inm, inm_hash);
	}
	inm->inm_refcount++;
	return inm;
}

/* --- sources -------------------------------------------------------------------------------- */

static struct in_msource *
ims_find(const struct in_multi *inm, const struct in_addrany *addr)
{
	struct in_msource *ims;

	LIST_FOREACH(ims, &inm->inm_srcs, ims_list) {
		if (in_addrany_eq(&ims->ims_addr, addr))
			return ims;
	}
	return NULL;
}

static struct in_msource *
ims_get(struct netstack *ns, struct in_multi *inm, const struct in_addrany *addr)
{
	struct in_mcast *mc = &ns->ns_inet->is_mcast;
	struct in_msource *ims = ims_find(inm, addr);

	if (ims != NULL)
		return ims;
	if (inm->inm_nsrcs >= mc->mc_maxgrpsrc ||
	    (ims = pool_get_zeroed(&mc->mc_sourcepool)) == NULL)
		return NULL;
	ims->ims_addr = *addr;
	inm->inm_nsrcs++;
	LIST_INSERT_HEAD(&inm->inm_srcs, ims, ims_list);
	return ims;
}

/* Is the source in the list of the filter as it is merged now? */
static bool
ims_islisted(const struct in_multi *inm, const struct in_msource *ims)
{
	if (inm->inm_nex > 0)
		return ims->ims_nex == inm->inm_nex && ims->ims_nin == 0;
	return ims->ims_nin > 0;
}

/* The first n sources of a filter count once less. */
static void
imf_forget(struct in_multi *inm, const struct in_mfilter *imf, uint32_t n)
{
	struct in_msource *ims;

	for (uint32_t i = 0; i < n; i++) {
		ims = ims_find(inm, &imf->imf_srcs[i]);
		KASSERT(ims != NULL);
		if (imf->imf_fmode == IN_EXCLUDE)
			ims->ims_nex--;
		else
			ims->ims_nin--;
	}
}

int
inm_merge(struct in_multi *inm, const struct in_mfilter *old, const struct in_mfilter *new,
    struct netstack *ns)
{
	struct in_msource *ims;

	if (inm->inm_ifp != NULL)
		inm->inm_proto->mp_settle(inm);
	for (uint32_t i = 0; i < new->imf_nsrcs; i++) {
		if ((ims = ims_get(ns, inm, &new->imf_srcs[i])) == NULL) {
			imf_forget(inm, new, i);
			return ENOBUFS;
		}
		if (new->imf_fmode == IN_EXCLUDE)
			ims->ims_nex++;
		else
			ims->ims_nin++;
	}
	imf_forget(inm, old, old->imf_nsrcs);
	inm->inm_nex += new->imf_fmode == IN_EXCLUDE;
	inm->inm_nex -= old->imf_fmode == IN_EXCLUDE;
	return 0;
}

bool
inm_allows(const struct in_multi *inm, const struct in_addrany *src)
{
	const struct in_msource *ims = LIST_EMPTY(&inm->inm_srcs) ? NULL : ims_find(inm, src);

	return (ims != NULL && ims->ims_listed) == (inm->inm_fmode == IN_INCLUDE);
}

/* --- changes -------------------------------------------------------------------------------- */

void
inm_commit(struct netstack *ns, struct in_multi *inm)
{
	enum in_fmode fmode = inm->inm_nex > 0 ? IN_EXCLUDE : IN_INCLUDE;
	uint8_t rv = inm->inm_ifp != NULL ? inm->inm_proto->mp_robustness(inm) : 0;
	bool changed = fmode != inm->inm_fmode, was_heard = inm->inm_heard, listed;
	struct in_msource *ims;

	inm->inm_heard = fmode == IN_EXCLUDE;
	LIST_FOREACH(ims, &inm->inm_srcs, ims_list) {
		listed = ims_islisted(inm, ims);
		if (changed)
			ims->ims_rv = 0; /* the new mode's list tells it */
		else if (listed != ims->ims_listed)
			ims->ims_rv = rv;
		ims->ims_listed = listed;
		inm->inm_heard = inm->inm_heard || listed;
	}
	if (changed && rv != 0)
		inm->inm_rv = rv;
	inm->inm_fmode = fmode;
	if (inm->inm_ifp != NULL)
		inm->inm_proto->mp_changed(inm, was_heard);
	inm_reap(ns, inm);
}

void
inm_release(struct netstack *ns, struct in_multi *inm)
{
	inm->inm_refcount--;
	inm_reap(ns, inm);
}

void
inm_reap(struct netstack *ns, struct in_multi *inm)
{
	struct in_mcast *mc = &ns->ns_inet->is_mcast;
	struct in_msource *ims, *next;

	LIST_FOREACH_SAFE(ims, &inm->inm_srcs, ims_list, next) {
		if (ims->ims_nin != 0 || ims->ims_nex != 0 || ims->ims_rv != 0)
			continue;
		LIST_REMOVE(ims, ims_list);
		inm->inm_nsrcs--;
		pool_put(&mc->mc_sourcepool, ims);
	}
	if (inm->inm_refcount > 0 || inm->inm_pending)
		return;
	KASSERT(LIST_EMPTY(&inm->inm_srcs));
	if (inm->inm_ifp != NULL) {
		inm->inm_proto->mp_detach(inm);
		LIST_REMOVE(inm, inm_hash);
	}
	pool_put(&mc->mc_multipool, inm);
}

void
inm_forget(struct netstack *ns, struct in_multi *inm, struct in_multi_queue *changes)
{
	struct in_msource *ims;

	inm->inm_rv = 0;
	LIST_FOREACH(ims, &inm->inm_srcs, ims_list)
		ims->ims_rv = 0;
	if (inm->inm_pending)
		TAILQ_REMOVE(changes, inm, inm_changes);
	inm->inm_pending = false;
	inm_reap(ns, inm);
}

void
inm_ifdetach(struct netstack *ns, struct in_multi_queue *groups)
{
	struct in_multi *inm;
	struct in_msource *ims;

	while ((inm = TAILQ_FIRST(groups)) != NULL) {
		inm->inm_proto->mp_detach(inm);
		LIST_REMOVE(inm, inm_hash);
		inm->inm_ifp = NULL;
		LIST_FOREACH(ims, &inm->inm_srcs, ims_list)
			ims->ims_rv = 0;
		inm_reap(ns, inm);
	}
}

/* --- what is to be told --------------------------------------------------------------------- */

bool
inm_haschanges(const struct in_multi *inm)
{
	const struct in_msource *ims;

	if (inm->inm_rv > 0)
		return true;
	LIST_FOREACH(ims, &inm->inm_srcs, ims_list) {
		if (ims->ims_rv > 0)
			return true;
	}
	return false;
}

bool
inm_told(struct in_multi *inm)
{
	struct in_msource *ims;

	if (inm->inm_rv > 0)
		inm->inm_rv--;
	LIST_FOREACH(ims, &inm->inm_srcs, ims_list) {
		if (ims->ims_rv > 0)
			ims->ims_rv--;
	}
	return inm_haschanges(inm);
}

uint32_t
inm_collect(const struct in_multi *inm, enum ims_which which, struct in_addrany *srcs)
{
	const struct in_msource *ims;
	uint32_t n = 0;
	bool allowed;

	LIST_FOREACH(ims, &inm->inm_srcs, ims_list) {
		allowed = ims->ims_listed == (inm->inm_fmode == IN_INCLUDE);
		if (which == IMS_LISTED ? !ims->ims_listed
					: ims->ims_rv == 0 || allowed != (which == IMS_ALLOW))
			continue;
		if (n < IN_MAXGRPSRC)
			srcs[n++] = ims->ims_addr;
	}
	return n;
}
