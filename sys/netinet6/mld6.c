/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multicast Listener Discovery 2, the host's side (RFC 3810): which groups of IPv6 interfaces hear, and what
 * routers and switches that snoop are told of them. What a group is, and how the filters of its sockets are
 * merged, is in_multi.c's (netinet/igmp_var.h has the theory).
 *
 * Theory of operation: a change is told at once, and again within a second, as often as the querier's
 * robustness says (§6.1); a query, whatever it asks for, is answered by the state of all groups at a random
 * time within what it allows, and while an answer is due others change nothing. So an interface has one
 * timer, however many queries come. A report fits into the smallest MTU of IPv6:
 *
 *   | type … records | record | sources | record | sources | ...
 *   0                8        28
 *
 * Deviation: version 1 is not spoken; its routers are answered in version 2.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/ip_var.h"
#include "netinet6/ip6_var.h"

#define MLD_ROBUSTNESS 2 /* §9.1 */
#define MLD_REPORT_MAX (IP6_MTU_MIN - IP6_HDR_LEN - IP6_EXT_UNIT)
#define MLD_SOURCE_LEN 16u
#define MLD_DELAY_MAX_MS 10000u

/* The mode of a socket, and of the stack itself, that wants all of a group, and of one that has left. */
static const struct in_mfilter mld_all = {.imf_fmode = IN_EXCLUDE},
			       mld_nothing = {.imf_fmode = IN_INCLUDE};

/* ff02::1 and ff01::1 */
static bool
mld_isallnodes(const uint32_t group[4])
{
	return ip6_mc_scope(group) <= IP6_SCOPE_LINKLOCAL && ip6_mc_scope(group) > 0 &&
	    (group[1] | group[2]) == 0 && group[3] == htobe32(1) &&
	    (betoh32(group[0]) >> 16 & 0xf0) == 0;
}

bool
in6_isjoined(const struct ifnet *ifp, const uint32_t group[4])
{
	struct in_addrany g = in6_any(group);
	const struct in_multi *inm;

	if (ifp->if_inet6 == NULL)
		return false;
	if (mld_isallnodes(group))
		return true;
	in6_setzone(g.ia_w, ifp->if_index);
	return (inm = inm_lookup(ifp, &mld_mproto, &g)) != NULL && inm->inm_heard;
}

/* §6: all nodes' group and what stays on the interface is not reported. */
static bool
mld_isreported(const struct in_multi *inm)
{
	const uint32_t *group = inm->inm_group.ia_w;

	return inm->inm_ifp->if_inet6->ix_lltable != NULL && !mld_isallnodes(group) &&
	    ip6_mc_scope(group) >= IP6_SCOPE_LINKLOCAL;
}

static bool
mld_ifisup(const struct ifnet *ifp)
{
	return (ifp->if_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
}

/* --- reports -------------------------------------------------------------------------------- */

struct mld_report {
	struct ifnet *mr_ifp;
	size_t mr_len; /* 0: nothing in it yet */
	uint16_t mr_nrecords;
	uint8_t mr_bytes[MLD_REPORT_MAX];
};

/* Sends what has been gathered: from the link-local address, or from none while it is probed. */
static void
mld_flush(struct mld_report *mr)
{
	const uint32_t routers[4] = {htobe32(0xff020000), 0, 0, htobe32(0x16)};
	struct ifnet *ifp = mr->mr_ifp;
	const struct in6_ifaddr *ia = in6_selectsrc_ifa(ifp->if_ns, ifp, routers);
	uint32_t src[4] = {0};
	struct mbuf *m;

	if (mr->mr_len == 0)
		return;
	if (ia != NULL && ip6_is_linklocal(ia->ia_addr))
		memcpy(src, ia->ia_addr, sizeof(src));
	icmp6_emit(mr->mr_bytes,
	    &(struct icmp6_hdr){.icmp6_type = ICMP6_MLD2_REPORT, .icmp6_word = mr->mr_nrecords});
	m = icmp6_message(ifp->if_ns, mr->mr_bytes, mr->mr_len);
	mr->mr_len = mr->mr_nrecords = 0;
	if (m == NULL)
		return;
	ICMP6STAT_INC(ifp->if_ns, mld_report);
	(void)icmp6_link_output(m, ifp, src, routers);
}

/* How many sources a record that is added may have. => false: not even its header fits */
static bool
mld_room(const struct mld_report *mr, uint32_t *nsrcs)
{
	size_t len = KERN_MAX(mr->mr_len, (size_t)MLD2_REPORT_LEN) + MLD2_RECORD_LEN;

	*nsrcs = len > sizeof(mr->mr_bytes)
	    ? 0
	    : (uint32_t)((sizeof(mr->mr_bytes) - len) / MLD_SOURCE_LEN);
	return len <= sizeof(mr->mr_bytes);
}

static void
mld_put_addr(uint8_t *p, const struct in_addrany *addr)
{
	struct in_addrany clean = *addr;

	in6_clearzone(clean.ia_w);
	ip6_addr_put(p, clean.ia_w);
}

/* One record, whose n sources fit. */
static void
mld_put(struct mld_report *mr, uint8_t type, const struct in_addrany *group,
    const struct in_addrany *srcs, uint32_t n)
{
	uint8_t *p;

	mr->mr_len = KERN_MAX(mr->mr_len, (size_t)MLD2_REPORT_LEN);
	p = mr->mr_bytes + mr->mr_len;
	memset(p, 0, MLD2_RECORD_LEN);
	p[0] = type;
	be16_put(p + 2, (uint16_t)n);
	mld_put_addr(p + 4, group);
	for (uint32_t i = 0; i < n; i++)
		mld_put_addr(p + MLD2_RECORD_LEN + i * MLD_SOURCE_LEN, &srcs[i]);
	mr->mr_len += MLD2_RECORD_LEN + n * MLD_SOURCE_LEN;
	mr->mr_nrecords++;
}

/*
 * Adds a record, in several reports where it is too large for one. Of a list that excludes, only what
 * fits in one is told (§5.2.15).
 */
static void
mld_add(struct mld_report *mr, uint8_t type, const struct in_addrany *group,
    const struct in_addrany *srcs, uint32_t n)
{
	bool once = type == MLD2_MODE_IS_EXCLUDE || type == MLD2_CHANGE_TO_EXCLUDE;
	uint32_t room;

	if (!mld_room(mr, &room) || room < n)
		mld_flush(mr);
	do {
		(void)mld_room(mr, &room);
		room = KERN_MIN(room, n);
		mld_put(mr, type, group, srcs, room);
		n -= room;
		srcs += room;
		if (n > 0 && !once)
			mld_flush(mr);
	} while (n > 0 && !once);
}

/* The group's state, or that its mode changed. */
static void
mld_add_mode(struct mld_report *mr, const struct in_multi *inm, bool change)
{
	static const uint8_t types[2][2] = {
	    [false] = {[IN_INCLUDE] = MLD2_MODE_IS_INCLUDE, [IN_EXCLUDE] = MLD2_MODE_IS_EXCLUDE},
	    [true] = {[IN_INCLUDE] = MLD2_CHANGE_TO_INCLUDE, [IN_EXCLUDE] = MLD2_CHANGE_TO_EXCLUDE},
	};
	struct in_addrany srcs[IN_MAXGRPSRC];
	uint32_t n = inm_collect(inm, IMS_LISTED, srcs);

	mld_add(mr, types[change][inm->inm_fmode], &inm->inm_group, srcs, n);
}

/* What is pending of a group (§6.1). => false: nothing is left */
static bool
mld_add_change(struct mld_report *mr, struct in_multi *inm)
{
	struct in_addrany srcs[IN_MAXGRPSRC];
	uint32_t n;

	if (inm->inm_rv > 0) {
		mld_add_mode(mr, inm, true);
		return inm_told(inm);
	}
	if ((n = inm_collect(inm, IMS_ALLOW, srcs)) > 0)
		mld_add(mr, MLD2_ALLOW_NEW_SOURCES, &inm->inm_group, srcs, n);
	if ((n = inm_collect(inm, IMS_BLOCK, srcs)) > 0)
		mld_add(mr, MLD2_BLOCK_OLD_SOURCES, &inm->inm_group, srcs, n);
	return inm_told(inm);
}

static void
mld_report_changes(struct in6_ifextra *ix, struct mld_report *mr)
{
	struct in_multi *inm, *next;

	TAILQ_FOREACH_SAFE(inm, &ix->ix_changes, inm_changes, next) {
		if (mld_add_change(mr, inm))
			continue;
		TAILQ_REMOVE(&ix->ix_changes, inm, inm_changes);
		inm->inm_pending = false;
		inm_reap(ix->ix_ifp->if_ns, inm);
	}
}

/* --- when they are due ---------------------------------------------------------------------- */

static void
mld_arm(struct in6_ifextra *ix)
{
	uint64_t change = ix->ix_mldchange_ns, query = ix->ix_mldquery_ns;

	if (change != 0 || query != 0)
		callout_schedule(&ix->ix_mld,
		    change == 0 || (query != 0 && query < change) ? query : change);
	else
		(void)callout_stop(&ix->ix_mld);
}

/* Has it come? Then it is not due any more. */
static bool
mld_isdue(const struct netstack *ns, uint64_t *when_ns)
{
	if (*when_ns == 0 || *when_ns > ns->ns_now)
		return false;
	*when_ns = 0;
	return true;
}

void
mld6_timer(void *arg)
{
	struct in6_ifextra *ix = arg;
	struct ifnet *ifp = ix->ix_ifp;
	struct netstack *ns = ifp->if_ns;
	struct mld_report mr = {.mr_ifp = ifp};
	const struct in_multi *inm;

	if (!mld_ifisup(ifp)) {
		callout_reset(&ix->ix_mld, NSEC_PER_SEC);
		return;
	}
	if (mld_isdue(ns, &ix->ix_mldquery_ns)) {
		TAILQ_FOREACH(inm, &ix->ix_groups, inm_list) {
			if (inm->inm_heard && !inm->inm_pending && mld_isreported(inm))
				mld_add_mode(&mr, inm, false);
		}
		ix->ix_mldchange_ns = TAILQ_EMPTY(&ix->ix_changes) ? 0 : ns->ns_now;
	}
	if (mld_isdue(ns, &ix->ix_mldchange_ns)) {
		mld_report_changes(ix, &mr);
		if (!TAILQ_EMPTY(&ix->ix_changes))
			ix->ix_mldchange_ns = ns->ns_now + 1 + rng_below(&ns->ns_rng, NSEC_PER_SEC);
	}
	mld_flush(&mr);
	mld_arm(ix);
}

/* --- groups --------------------------------------------------------------------------------- */

static int
mld_attach(struct in_multi *inm)
{
	TAILQ_INSERT_HEAD(&inm->inm_ifp->if_inet6->ix_groups, inm, inm_list);
	return 0;
}

static void
mld_detach(struct in_multi *inm)
{
	struct in6_ifextra *ix = inm->inm_ifp->if_inet6;

	if (inm->inm_pending)
		TAILQ_REMOVE(&ix->ix_changes, inm, inm_changes);
	inm->inm_pending = false;
	TAILQ_REMOVE(&ix->ix_groups, inm, inm_list);
}

static void
mld_settle(struct in_multi *inm)
{
	(void)inm; /* there is but one version */
}

static uint8_t
mld_robustness(const struct in_multi *inm)
{
	return mld_isreported(inm) ? inm->inm_ifp->if_inet6->ix_mldrv : 0;
}

static void
mld_changed(struct in_multi *inm, bool was_heard)
{
	struct in6_ifextra *ix = inm->inm_ifp->if_inet6;

	(void)was_heard;
	if (!inm_haschanges(inm))
		return;
	/* Nobody there has to hear of a leave who was not told of the join, or has gone since. */
	if (!inm->inm_heard && !mld_ifisup(inm->inm_ifp)) {
		inm_forget(inm->inm_ifp->if_ns, inm, &ix->ix_changes);
		return;
	}
	if (!inm->inm_pending)
		TAILQ_INSERT_TAIL(&ix->ix_changes, inm, inm_changes);
	inm->inm_pending = true;
	/* What else changes in this run goes with it. */
	ix->ix_mldchange_ns = KERN_MAX(inm->inm_ifp->if_ns->ns_now, 1u);
	mld_arm(ix);
}

const struct in_mproto mld_mproto = {
    .mp_attach = mld_attach,
    .mp_detach = mld_detach,
    .mp_settle = mld_settle,
    .mp_robustness = mld_robustness,
    .mp_changed = mld_changed,
};

int
in6_joingroup(struct ifnet *ifp, const uint32_t group[4])
{
	struct in_addrany g = in6_any(group);
	struct in_multi *inm;

	if (ifp->if_inet6 == NULL || !ip6_is_multicast(group))
		return EINVAL;
	in6_setzone(g.ia_w, ifp->if_index);
	if ((inm = inm_acquire(ifp, &mld_mproto, &g)) == NULL)
		return ENOBUFS;
	(void)inm_merge(inm, &mld_nothing, &mld_all, ifp->if_ns); /* needs no memory */
	inm_commit(ifp->if_ns, inm);
	return 0;
}

void
in6_leavegroup(struct ifnet *ifp, const uint32_t group[4])
{
	struct in_addrany g = in6_any(group);
	struct in_multi *inm;

	in6_setzone(g.ia_w, ifp->if_index);
	if (ifp->if_inet6 == NULL || (inm = inm_lookup(ifp, &mld_mproto, &g)) == NULL)
		return;
	(void)inm_merge(inm, &mld_all, &mld_nothing, ifp->if_ns);
	inm_commit(ifp->if_ns, inm);
	inm_release(ifp->if_ns, inm);
}

/* --- queries -------------------------------------------------------------------------------- */

/* How long an answer may take, from a query's code (§5.1.3). */
static uint32_t
mld_maxdelay_ms(uint16_t code, bool v1)
{
	uint32_t ms = code;

	if (!v1 && code >= 0x8000)
		ms = (code & 0xfffu) | 0x1000u;
	if (!v1 && code >= 0x8000)
		ms <<= (code >> 12 & 7) + 3;
	return KERN_MIN(ms, MLD_DELAY_MAX_MS);
}

void
mld6_query_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct in6_ifextra *ix = rx->rx_ifp->if_inet6;
	struct netstack *ns = rx->rx_ifp->if_ns;
	bool v1 = rx->rx_len == MLD_QUERY_LEN;
	uint8_t bytes[MLD2_QUERY_LEN] = {0}, qrv;
	uint32_t ms;

	if (rx->rx_ttl != 1 || rx->rx_frag || !ip6_is_linklocal(rx->rx_src.ia_w) ||
	    (!v1 && rx->rx_len < MLD2_QUERY_LEN)) {
		ICMP6STAT_INC(ns, mld_badquery);
		m_drop(m, DROP_MLD_INVALID);
		return;
	}
	ICMP6STAT_INC(ns, mld_query);
	m_copydata(m, rx->rx_hlen, v1 ? MLD_QUERY_LEN : MLD2_QUERY_LEN, bytes);
	ms = mld_maxdelay_ms(be16_get(bytes + 4), v1);
	qrv = bytes[MLD_QUERY_LEN] & MLD2_QUERY_QRV;
	if (!v1)
		ix->ix_mldrv = qrv != 0 ? qrv : MLD_ROBUSTNESS;
	if (ix->ix_mldquery_ns == 0) {
		ix->ix_mldquery_ns =
		    ns->ns_now + (1 + rng_below(&ns->ns_rng, ms + 1)) * NSEC_PER_MSEC;
		mld_arm(ix);
	}
	m_freem(m);
}

/* --- interfaces ----------------------------------------------------------------------------- */

void
mld6_ifattach(struct in6_ifextra *ix)
{
	TAILQ_INIT(&ix->ix_groups);
	TAILQ_INIT(&ix->ix_changes);
	ix->ix_mldrv = MLD_ROBUSTNESS;
	callout_init(&ix->ix_mld, ix->ix_ifp->if_ns, mld6_timer, ix);
}

void
mld6_ifdetach(struct in6_ifextra *ix)
{
	inm_ifdetach(ix->ix_ifp->if_ns, &ix->ix_groups);
	(void)callout_stop(&ix->ix_mld);
}
