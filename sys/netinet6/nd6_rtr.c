/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routers (RFC 4861 §6.3, RFC 4862 §5.5): they are asked for, and what they say of the link, of
 * themselves and of prefixes is taken, on interfaces that are told to listen (in6_autoconf).
 *
 * Theory of operation: default routers are a list of the stack, oldest first; the default route goes
 * by the first whose station has not failed to answer, and yields to one set by hand. Prefixes on the
 * link are a list of the interface, each with its route. Both have limits, beyond which more are
 * ignored, and one timer an interface forgets them. A router cannot lower the hop limit, nor the
 * MTU below 1280, nor end an address within two hours.
 *
 * Deviation: route information, DNS and preference of routers are not looked at. Redirects are
 * ignored.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/llatbl.h"
#include "net/net_state.h"
#include "netinet6/ip6_var.h"

#define ND_RS_COUNT 3 /* MAX_RTR_SOLICITATIONS */
#define ND_RS_INTERVAL_NS (4 * NSEC_PER_SEC)
#define ND_REACHABLE_MAX_MS 3600000u
#define ND_RETRANS_MIN_MS 100u
#define ND_RETRANS_MAX_MS 60000u
#define ND_TWO_HOURS_NS (7200 * NSEC_PER_SEC)

static const struct rt_addr rt_any;

static uint64_t
nd_deadline(const struct netstack *ns, uint32_t lifetime_s)
{
	return lifetime_s == UINT32_MAX ? IN6_LIFETIME_INFINITE
					: ns->ns_now + lifetime_s * NSEC_PER_SEC;
}

static void
nd6_rs_send(struct ifnet *ifp)
{
	const uint32_t routers[4] = {htobe32(0xff020000), 0, 0, htobe32(2)};
	const struct in6_ifaddr *ia = in6_selectsrc_ifa(ifp->if_ns, ifp, routers);
	struct icmp6_hdr icmp6 = {.icmp6_type = ICMP6_RS};
	uint8_t msg[ND_RS_LEN + ND_OPT_LLA_LEN];
	uint32_t src[4] = {0};
	size_t len = ND_RS_LEN;
	struct mbuf *m;

	icmp6_emit(msg, &icmp6);
	if (ia != NULL) {
		memcpy(src, ia->ia_addr, sizeof(src));
		len += nd_opt_lla_emit(msg + len, ND_OPT_SLLA, ifp->if_lladdr);
	}
	if ((m = icmp6_message(ifp->if_ns, msg, len)) != NULL)
		(void)icmp6_link_output(m, ifp, src, routers);
}

void
nd6_rs_timer(void *arg)
{
	struct in6_ifextra *ix = arg;

	if ((ix->ix_ifp->if_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING)) {
		callout_reset(&ix->ix_rs, NSEC_PER_SEC);
		return;
	}
	nd6_rs_send(ix->ix_ifp);
	if (--ix->ix_rsleft > 0)
		callout_reset(&ix->ix_rs, ND_RS_INTERVAL_NS);
}

void
nd6_rs_start(struct ifnet *ifp)
{
	struct in6_ifextra *ix = ifp->if_inet6;

	ix->ix_rsleft = ND_RS_COUNT;
	callout_reset(&ix->ix_rs, rng_below(&ifp->if_ns->ns_rng, NSEC_PER_SEC));
}

/* Does its station answer, as far as is known? */
static bool
router_ok(const struct nd_defrouter *dr)
{
	const struct llentry *lle = nd6_lookup(dr->dr_ifp, dr->dr_addr);

	return lle == NULL || lle->lle_state != LLE_FAILED;
}

static void
router_uninstall(struct netstack *ns, struct nd_defrouter *dr)
{
	if (!dr->dr_installed)
		return;
	dr->dr_installed = false;
	(void)rt_del(rt_table(ns, AF_INET6), &rt_any, 0);
}

void
nd6_router_choose(struct netstack *ns)
{
	struct in6_state *i6 = ns->ns_inet6;
	struct nd_defrouter *dr, *best = TAILQ_FIRST(&i6->i6_routers), *old = NULL;
	struct rtentry rt = {.rt_flags = RTF_GATEWAY | RTF_DYNAMIC};

	TAILQ_FOREACH(dr, &i6->i6_routers, dr_list) {
		if (dr->dr_installed)
			old = dr;
	}
	if (best == NULL || (old != NULL && router_ok(old)))
		return;
	TAILQ_FOREACH(dr, &i6->i6_routers, dr_list) {
		if (router_ok(dr)) {
			best = dr;
			break;
		}
	}
	if (best == old)
		return;
	if (old != NULL)
		router_uninstall(ns, old);
	rt.rt_gateway = in6_rtkey(best->dr_addr);
	rt.rt_ifp = best->dr_ifp;
	best->dr_installed = rt_add(rt_table(ns, AF_INET6), &rt) == 0;
}

static void
router_free(struct netstack *ns, struct nd_defrouter *dr)
{
	struct in6_state *i6 = ns->ns_inet6;

	router_uninstall(ns, dr);
	TAILQ_REMOVE(&i6->i6_routers, dr, dr_list);
	i6->i6_nrouters--;
	pool_put(&i6->i6_routerpool, dr);
}

static struct nd_defrouter *
router_find(struct netstack *ns, const struct ifnet *ifp, const uint32_t addr[4])
{
	struct nd_defrouter *dr;

	TAILQ_FOREACH(dr, &ns->ns_inet6->i6_routers, dr_list) {
		if (dr->dr_ifp == ifp && ip6_addr_eq(dr->dr_addr, addr))
			return dr;
	}
	return NULL;
}

void
nd6_router_gone(struct ifnet *ifp, const uint32_t addr[4])
{
	struct nd_defrouter *dr = router_find(ifp->if_ns, ifp, addr);

	if (dr == NULL)
		return;
	router_free(ifp->if_ns, dr);
	nd6_router_choose(ifp->if_ns);
}

/* What it says of itself. */
static void
ra_router(struct ifnet *ifp, const uint32_t addr[4], const struct nd_ra *ra)
{
	struct netstack *ns = ifp->if_ns;
	struct in6_state *i6 = ns->ns_inet6;
	struct nd_defrouter *dr = router_find(ns, ifp, addr);

	if (ra->ra_lifetime_s == 0) {
		nd6_router_gone(ifp, addr);
		return;
	}
	if (dr == NULL) {
		if (i6->i6_nrouters >= i6->i6_maxrouters ||
		    (dr = pool_get_zeroed(&i6->i6_routerpool)) == NULL) {
			ICMP6STAT_INC(ns, nd_raignored);
			return;
		}
		dr->dr_ifp = ifp;
		memcpy(dr->dr_addr, addr, sizeof(dr->dr_addr));
		TAILQ_INSERT_TAIL(&i6->i6_routers, dr, dr_list);
		i6->i6_nrouters++;
	}
	dr->dr_expire_ns = nd_deadline(ns, ra->ra_lifetime_s);
	nd6_router_choose(ns);
}

static void
onlink_free(struct in6_ifextra *ix, struct nd_onlink *no)
{
	struct netstack *ns = ix->ix_ifp->if_ns;
	struct rtable *rtb = rt_table(ns, AF_INET6);
	struct rt_addr key = in6_rtkey(no->no_prefix);
	const struct rtentry *rt = rt_find(rtb, &key, no->no_len);

	if (rt != NULL && (rt->rt_flags & RTF_DYNAMIC) != 0 && rt->rt_ifp == ix->ix_ifp)
		(void)rt_del(rtb, &key, no->no_len);
	LIST_REMOVE(no, no_list);
	ix->ix_nprefixes--;
	pool_put(&ns->ns_inet6->i6_prefixpool, no);
}

static struct nd_onlink *
onlink_new(struct in6_ifextra *ix, const struct nd_prefix *pi)
{
	struct in6_state *i6 = ix->ix_ifp->if_ns->ns_inet6;
	struct nd_onlink *no;

	if (ix->ix_nprefixes >= i6->i6_maxprefixes ||
	    (no = pool_get_zeroed(&i6->i6_prefixpool)) == NULL) {
		ICMP6STAT_INC(ix->ix_ifp->if_ns, nd_raignored);
		return NULL;
	}
	memcpy(no->no_prefix, pi->pi_prefix, sizeof(no->no_prefix));
	no->no_len = pi->pi_len;
	LIST_INSERT_HEAD(&ix->ix_prefixes, no, no_list);
	ix->ix_nprefixes++;
	return no;
}

/* A prefix is on the link (RFC 4861 §6.3.4). */
static void
ra_onlink(struct in6_ifextra *ix, const struct nd_prefix *pi)
{
	struct netstack *ns = ix->ix_ifp->if_ns;
	struct rtentry rt = {.rt_dst = in6_rtkey(pi->pi_prefix),
	    .rt_prefixlen = pi->pi_len,
	    .rt_flags = RTF_CONNECTED | RTF_DYNAMIC,
	    .rt_ifp = ix->ix_ifp};
	struct nd_onlink *no;

	LIST_FOREACH(no, &ix->ix_prefixes, no_list) {
		if (no->no_len == pi->pi_len && ip6_addr_eq(no->no_prefix, pi->pi_prefix))
			break;
	}
	if (pi->pi_valid_s == 0) {
		if (no != NULL)
			onlink_free(ix, no);
		return;
	}
	if (no == NULL && (no = onlink_new(ix, pi)) == NULL)
		return;
	no->no_valid_ns = nd_deadline(ns, pi->pi_valid_s);
	(void)rt_add(rt_table(ns, AF_INET6), &rt); /* an address of ours may have made it already */
}

/* The address that was made of a prefix. */
static struct in6_ifaddr *
auto_find(const struct ifnet *ifp, const uint32_t prefix[2])
{
	struct ifaddr *ifa;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, ifa_list) {
		if (ifa->ifa_addr.sa.sa_family == AF_INET6 &&
		    (ifatoia6(ifa)->ia_flags & IN6_IFF_AUTOCONF) != 0 &&
		    memcmp(ifatoia6(ifa)->ia_addr, prefix, 2 * sizeof(prefix[0])) == 0)
			return ifatoia6(ifa);
	}
	return NULL;
}

static unsigned
auto_count(const struct ifnet *ifp)
{
	struct ifaddr *ifa;
	unsigned n = 0;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, ifa_list)
		n += ifa->ifa_addr.sa.sa_family == AF_INET6 &&
		    (ifatoia6(ifa)->ia_flags & IN6_IFF_AUTOCONF) != 0;
	return n;
}

/* RFC 4862 §5.5.3 (e): what is left is not cut below two hours. */
static uint64_t
auto_valid(const struct in6_ifaddr *ia, uint64_t now, uint64_t valid_ns)
{
	if (valid_ns == IN6_LIFETIME_INFINITE || valid_ns > now + ND_TWO_HOURS_NS ||
	    valid_ns > ia->ia_valid_ns)
		return valid_ns;
	return KERN_MIN(ia->ia_valid_ns, now + ND_TWO_HOURS_NS);
}

/* An address of ours is made of a prefix, or lives on (RFC 4862 §5.5.3). */
static void
ra_auto(struct ifnet *ifp, const struct nd_prefix *pi)
{
	struct netstack *ns = ifp->if_ns;
	struct in6_ialife life = {nd_deadline(ns, pi->pi_preferred_s),
	    nd_deadline(ns, pi->pi_valid_s), IN6_IFF_AUTOCONF};
	struct in6_ifaddr *ia;
	uint32_t a[4];

	if (pi->pi_len != 64)
		return;
	if ((ia = auto_find(ifp, pi->pi_prefix)) != NULL) {
		in6_ia_setlife(ia, life.il_preferred_ns,
		    auto_valid(ia, ns->ns_now, life.il_valid_ns));
		return;
	}
	if (pi->pi_valid_s == 0)
		return;
	a[0] = pi->pi_prefix[0];
	a[1] = pi->pi_prefix[1];
	life.il_flags |= in6_ifid_make(ifp, a, 0) ? IN6_IFF_STABLE : 0;
	if (in6_ifaddr_find(ns, NULL, a) != NULL)
		return;
	if (auto_count(ifp) >= ns->ns_inet6->i6_maxautoaddrs || in6_ia_add(ifp, a, 64, &life) != 0)
		ICMP6STAT_INC(ns, nd_raignored);
}

static void
ra_prefix(struct ifnet *ifp, const uint8_t *option)
{
	struct nd_prefix pi;

	nd_prefix_parse(option, &pi);
	if (pi.pi_len > 128 || pi.pi_len == 0 || pi.pi_preferred_s > pi.pi_valid_s)
		return;
	ip6_addr_mask(pi.pi_prefix, pi.pi_len);
	if (ip6_is_linklocal(pi.pi_prefix) || ip6_is_multicast(pi.pi_prefix) ||
	    ip6_is_unspecified(pi.pi_prefix) || ip6_is_loopback(pi.pi_prefix) ||
	    ip6_is_v4mapped(pi.pi_prefix))
		return;
	if (pi.pi_onlink)
		ra_onlink(ifp->if_inet6, &pi);
	if (pi.pi_auto)
		ra_auto(ifp, &pi);
}

/* What it says of the link. */
static void
ra_link(struct in6_ifextra *ix, const struct nd_ra *ra, const struct nd_opts *no)
{
	struct netstack *ns = ix->ix_ifp->if_ns;
	uint32_t mtu;

	if (ra->ra_hlim > (ix->ix_hlim != 0 ? ix->ix_hlim : ns->ns_inet6->i6_hlim))
		ix->ix_hlim = ra->ra_hlim;
	if (ra->ra_reachable_ms != 0 && ra->ra_reachable_ms <= ND_REACHABLE_MAX_MS)
		ix->ix_reachable_ms = ra->ra_reachable_ms;
	if (ra->ra_retrans_ms >= ND_RETRANS_MIN_MS && ra->ra_retrans_ms <= ND_RETRANS_MAX_MS)
		ix->ix_retrans_ms = ra->ra_retrans_ms;
	if (no->no_mtu == NULL)
		return;
	mtu = be32_get(no->no_mtu + 4);
	if (mtu >= IP6_MTU_MIN && mtu <= ix->ix_ifp->if_mtu)
		ix->ix_mtu = mtu;
}

static void
rtr_arm(struct in6_ifextra *ix)
{
	const struct nd_defrouter *dr;
	uint64_t next = UINT64_MAX;
	const struct nd_onlink *no;

	TAILQ_FOREACH(dr, &ix->ix_ifp->if_ns->ns_inet6->i6_routers, dr_list) {
		if (dr->dr_ifp == ix->ix_ifp)
			next = KERN_MIN(next, dr->dr_expire_ns);
	}
	LIST_FOREACH(no, &ix->ix_prefixes, no_list)
		next = KERN_MIN(next, no->no_valid_ns);
	if (next == UINT64_MAX)
		(void)callout_stop(&ix->ix_rtexpire);
	else
		callout_schedule(&ix->ix_rtexpire, next);
}

/* Forgets what is over by now. */
static void
rtr_expire(struct in6_ifextra *ix, uint64_t now)
{
	struct netstack *ns = ix->ix_ifp->if_ns;
	struct nd_defrouter *dr, *nextdr;
	struct nd_onlink *no, *nextno;

	TAILQ_FOREACH_SAFE(dr, &ns->ns_inet6->i6_routers, dr_list, nextdr) {
		if (dr->dr_ifp == ix->ix_ifp && dr->dr_expire_ns <= now)
			router_free(ns, dr);
	}
	LIST_FOREACH_SAFE(no, &ix->ix_prefixes, no_list, nextno) {
		if (no->no_valid_ns <= now)
			onlink_free(ix, no);
	}
	nd6_router_choose(ns);
}

void
nd6_rtr_timer(void *arg)
{
	struct in6_ifextra *ix = arg;

	rtr_expire(ix, ix->ix_ifp->if_ns->ns_now);
	rtr_arm(ix);
}

void
nd6_rtr_ifdetach(struct ifnet *ifp)
{
	(void)callout_stop(&ifp->if_inet6->ix_rs);
	(void)callout_stop(&ifp->if_inet6->ix_rtexpire);
	rtr_expire(ifp->if_inet6, UINT64_MAX);
}

void
nd6_ra_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct ifnet *ifp = rx->rx_ifp;
	struct in6_ifextra *ix = ifp->if_inet6;
	struct netstack *ns = ifp->if_ns;
	struct nd_message nm;
	const uint8_t *pi;
	struct nd_ra ra;

	if (!nd6_message(m, rx, ND_RA_LEN, &nm) || !ip6_is_linklocal(rx->rx_src.ia_w)) {
		ICMP6STAT_INC(ns, nd_badra);
		m_drop(m, DROP_ND6_INVALID);
		return;
	}
	if (!ix->ix_autoconf || ns->ns_inet6->i6_accept_rtadv == 0) {
		ICMP6STAT_INC(ns, nd_raignored);
		m_drop(m, DROP_ND6_IGNORED);
		return;
	}
	nd_ra_parse(nm.nm_bytes, &ra);
	if (ra.ra_lifetime_s != 0)
		(void)callout_stop(&ix->ix_rs);
	if (nm.nm_opts.no_slla != NULL)
		nd6_learn(ifp, rx->rx_src.ia_w, nm.nm_opts.no_slla + 2);
	ra_link(ix, &ra, &nm.nm_opts);
	ra_router(ifp, rx->rx_src.ia_w, &ra);
	for (pi = nm.nm_opts.no_prefixes; pi != NULL; pi = nd_opt_nextprefix(&nm.nm_opts, pi))
		ra_prefix(ifp, pi);
	rtr_arm(ix);
	m_freem(m);
}
