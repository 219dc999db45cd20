/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups that interfaces hear, and reports of them to routers and to switches that snoop (RFC 3810).
 *
 * Theory of operation: a join is reported at once and once more within a second (§6.1), a leave
 * once; a query, whatever it asks for, is answered by one report of all groups at a random time
 * within what it allows, and while an answer is due others change nothing. So an interface has one
 * timer, however many queries come. There are no source filters, so all modes are EXCLUDE nothing.
 *
 * Deviation: version 1 is not spoken; its routers are answered in version 2.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet6/ip6_var.h"

#define MLD_ROBUSTNESS 2
#define MLD_RECORDS_MAX 60 /* of a report: it fits into the smallest MTU */
#define MLD_DELAY_MAX_MS 10000u

static struct in6_multi *
mld_find(const struct ifnet *ifp, const uint32_t group[4])
{
	struct in6_multi *im;

	LIST_FOREACH(im, &ifp->if_inet6->ix_groups, im_list) {
		if (ip6_addr_eq(im->im_group, group))
			return im;
	}
	return NULL;
}

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
	uint32_t g[4];

	if (ifp->if_inet6 == NULL)
		return false;
	if (mld_isallnodes(group))
		return true;
	memcpy(g, group, sizeof(g));
	in6_setzone(g, ifp->if_index);
	return mld_find(ifp, g) != NULL;
}

/* §6: all nodes' group and what stays on the interface is not reported. */
static bool
mld_isreported(const struct in6_ifextra *ix, const uint32_t group[4])
{
	return ix->ix_lltable != NULL && !mld_isallnodes(group) &&
	    ip6_mc_scope(group) >= IP6_SCOPE_LINKLOCAL;
}

struct mld_report {
	uint8_t mr_bytes[MLD2_REPORT_LEN + MLD_RECORDS_MAX * MLD2_RECORD_LEN];
	uint16_t mr_n;
};

/* Sends what has been gathered: from the link-local address, or from none while it is probed. */
static void
mld_flush(struct ifnet *ifp, struct mld_report *mr)
{
	const uint32_t routers[4] = {htobe32(0xff020000), 0, 0, htobe32(0x16)};
	const struct in6_ifaddr *ia = in6_selectsrc_ifa(ifp->if_ns, ifp, routers);
	uint32_t src[4] = {0};
	struct mbuf *m;

	if (mr->mr_n == 0)
		return;
	if (ia != NULL && ip6_is_linklocal(ia->ia_addr))
		memcpy(src, ia->ia_addr, sizeof(src));
	icmp6_emit(mr->mr_bytes,
	    &(struct icmp6_hdr){.icmp6_type = ICMP6_MLD2_REPORT, .icmp6_word = mr->mr_n});
	m = icmp6_message(ifp->if_ns, mr->mr_bytes,
	    MLD2_REPORT_LEN + (size_t)mr->mr_n * MLD2_RECORD_LEN);
	mr->mr_n = 0;
	if (m == NULL)
		return;
	ICMP6STAT_INC(ifp->if_ns, mld_report);
	(void)icmp6_link_output(m, ifp, src, routers);
}

static void
mld_record(struct ifnet *ifp, struct mld_report *mr, uint8_t type, const uint32_t group[4])
{
	uint8_t *p;
	uint32_t clean[4];

	if (mr->mr_n == MLD_RECORDS_MAX)
		mld_flush(ifp, mr);
	p = mr->mr_bytes + MLD2_REPORT_LEN + (size_t)mr->mr_n++ * MLD2_RECORD_LEN;
	memset(p, 0, MLD2_RECORD_LEN);
	p[0] = type;
	memcpy(clean, group, sizeof(clean));
	in6_clearzone(clean);
	ip6_addr_put(p + 4, clean);
}

/* When reports are due next: of joins, or the answer to a query. */
static void
mld_arm(struct in6_ifextra *ix)
{
	struct netstack *ns = ix->ix_ifp->if_ns;
	const struct in6_multi *im;
	uint64_t next = ix->ix_mldquery_ns;

	LIST_FOREACH(im, &ix->ix_groups, im_list) {
		if (im->im_reports == MLD_ROBUSTNESS)
			next = ns->ns_now;
		else if (im->im_reports > 0 && next == 0)
			next = ns->ns_now + rng_below(&ns->ns_rng, NSEC_PER_SEC);
	}
	if (next != 0)
		callout_schedule(&ix->ix_mld, next);
}

void
mld6_timer(void *arg)
{
	struct in6_ifextra *ix = arg;
	struct ifnet *ifp = ix->ix_ifp;
	bool answer = ix->ix_mldquery_ns != 0 && ix->ix_mldquery_ns <= ifp->if_ns->ns_now;
	struct mld_report mr = {.mr_n = 0};
	struct in6_multi *im;

	if ((ifp->if_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING)) {
		callout_reset(&ix->ix_mld, NSEC_PER_SEC);
		return;
	}
	if (answer)
		ix->ix_mldquery_ns = 0;
	LIST_FOREACH(im, &ix->ix_groups, im_list) {
		if (im->im_reports > 0) {
			im->im_reports--;
			mld_record(ifp, &mr, MLD2_CHANGE_TO_EXCLUDE, im->im_group);
		} else if (answer && mld_isreported(ix, im->im_group))
			mld_record(ifp, &mr, MLD2_MODE_IS_EXCLUDE, im->im_group);
	}
	mld_flush(ifp, &mr);
	mld_arm(ix);
}

int
in6_joingroup(struct ifnet *ifp, const uint32_t group[4])
{
	struct in6_ifextra *ix = ifp->if_inet6;
	struct in6_multi *im;
	uint32_t g[4];

	if (ix == NULL || !ip6_is_multicast(group))
		return EINVAL;
	memcpy(g, group, sizeof(g));
	in6_setzone(g, ifp->if_index);
	if ((im = mld_find(ifp, g)) != NULL) {
		im->im_refs++;
		return 0;
	}
	if ((im = pool_get_zeroed(&ifp->if_ns->ns_inet6->i6_multipool)) == NULL)
		return ENOBUFS;
	memcpy(im->im_group, g, sizeof(g));
	im->im_refs = 1;
	LIST_INSERT_HEAD(&ix->ix_groups, im, im_list);
	if (mld_isreported(ix, g)) {
		im->im_reports = MLD_ROBUSTNESS;
		mld_arm(ix);
	}
	return 0;
}

int
in6_leavegroup(struct ifnet *ifp, const uint32_t group[4])
{
	struct in6_ifextra *ix = ifp->if_inet6;
	struct mld_report mr = {.mr_n = 0};
	struct in6_multi *im;
	uint32_t g[4];

	memcpy(g, group, sizeof(g));
	in6_setzone(g, ifp->if_index);
	if (ix == NULL || (im = mld_find(ifp, g)) == NULL)
		return EADDRNOTAVAIL;
	if (--im->im_refs > 0)
		return 0;
	LIST_REMOVE(im, im_list);
	pool_put(&ifp->if_ns->ns_inet6->i6_multipool, im);
	if (mld_isreported(ix, g) && (ifp->if_flags & IFF_UP) != 0) {
		mld_record(ifp, &mr, MLD2_CHANGE_TO_INCLUDE, g);
		mld_flush(ifp, &mr);
	}
	return 0;
}

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
	uint8_t bytes[ICMP6_HDR_LEN];
	uint32_t ms;

	if (rx->rx_ttl != 1 || rx->rx_frag || !ip6_is_linklocal(rx->rx_src.ia_w) ||
	    (!v1 && rx->rx_len < MLD2_QUERY_LEN)) {
		ICMP6STAT_INC(ns, mld_badquery);
		m_drop(m, DROP_MLD_INVALID);
		return;
	}
	ICMP6STAT_INC(ns, mld_query);
	m_copydata(m, rx->rx_hlen, sizeof(bytes), bytes);
	ms = mld_maxdelay_ms(be16_get(bytes + 4), v1);
	if (ix->ix_mldquery_ns == 0) {
		ix->ix_mldquery_ns =
		    ns->ns_now + (1 + rng_below(&ns->ns_rng, ms + 1)) * NSEC_PER_MSEC;
		mld_arm(ix);
	}
	m_freem(m);
}
