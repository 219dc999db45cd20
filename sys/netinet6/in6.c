/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6's set-up, the addresses of interfaces and the routes that come with them.
 *
 * Theory of operation: an interface speaks IPv6 once in6_ifattach has been called, which the first
 * address does: until then not a frame of it is sent or taken, so stacks that know IPv4 only stay
 * as they are. An address is TENTATIVE until nobody has answered a probe for it; only then has it
 * routes, and only with its routes is it ours: fd00::2/128 LOCAL and fd00::/64 CONNECTED. One made
 * of a router's prefix has the first only; whether the prefix is on the link the router says apart.
 */
#include "netinet6/in6_var.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/llatbl.h"
#include "net/net_state.h"
#include "netinet6/ip6_var.h"
#include "wire/ether.h"

void
in6_ifdetach(struct ifnet *ifp)
{
	struct in6_ifextra *ix = ifp->if_inet6;
	struct ifaddr *ifa, *next;

	TAILQ_FOREACH_SAFE(ifa, &ifp->if_addrs, ifa_list, next) {
		if (ifa->ifa_addr.sa.sa_family == AF_INET6)
			in6_ia_remove(ifatoia6(ifa));
	}
	if (ix == NULL)
		return;
	nd6_rtr_ifdetach(ifp);
	frag6_ifdetach(ifp);
	mld6_ifdetach(ix);
	if (ix->ix_lltable != NULL)
		lltable_destroy(ix->ix_lltable);
	ifp->if_inet6 = NULL;
	kmem_free(ix, sizeof(*ix));
}

/* The link-local address. */
static int
in6_ifattach_linklocal(struct ifnet *ifp)
{
	uint32_t a[4] = {htobe32(0xfe800000)}, flags;

	if ((ifp->if_flags & IFF_LOOPBACK) != 0)
		return 0;
	flags = in6_ifid_make(ifp, a, 0) ? IN6_IFF_STABLE : 0;
	in6_setzone(a, ifp->if_index);
	if (in6_ifaddr_find(ifp->if_ns, ifp, a) != NULL)
		return 0;
	return in6_ia_add(ifp, a, 64,
	    &(struct in6_ialife){IN6_LIFETIME_INFINITE, IN6_LIFETIME_INFINITE, flags});
}

int
in6_ifattach(struct ifnet *ifp)
{
	struct netstack *ns = ifp->if_ns;
	struct in6_ifextra *ix;
	int error;

	if (ifp->if_inet6 != NULL)
		return 0;
	if (ifp->if_mtu < IP6_MTU_MIN)
		return EINVAL;
	if ((ix = kmem_alloc(&ns->ns_fault, sizeof(*ix))) == NULL)
		return ENOMEM;
	if (ifp->if_lltable != NULL) {
		if ((ix->ix_lltable = lltable_create(ifp)) == NULL) {
			kmem_free(ix, sizeof(*ix));
			return ENOMEM;
		}
		ix->ix_lltable->llt_timer = nd6_timer;
	}
	ix->ix_ifp = ifp;
	mld6_ifattach(ix);
	LIST_INIT(&ix->ix_prefixes);
	callout_init(&ix->ix_rs, ns, nd6_rs_timer, ix);
	callout_init(&ix->ix_rtexpire, ns, nd6_rtr_timer, ix);
	ifp->if_inet6 = ix;
	if ((error = in6_ifattach_linklocal(ifp)) != 0)
		in6_ifdetach(ifp);
	return error;
}

/* Adds a route of an address; one that another address of its network has already is fine. */
static int
ia6_route(struct in6_ifaddr *ia, uint8_t prefixlen, uint32_t flags)
{
	struct rtentry rt = {.rt_dst = in6_rtkey(ia->ia_addr),
	    .rt_prefixlen = prefixlen,
	    .rt_flags = flags,
	    .rt_ifp = ia->ia_ifa.ifa_ifp,
	    .rt_ifa = &ia->ia_ifa};
	int error = rt_add(rt_table(rt.rt_ifp->if_ns, AF_INET6), &rt);

	return error == EEXIST ? 0 : error;
}

int
in6_ia_addroutes(struct in6_ifaddr *ia)
{
	uint8_t plen = ia->ia_ifa.ifa_prefixlen;
	int error;

	if ((ia->ia_flags & (IN6_IFF_TENTATIVE | IN6_IFF_DUPLICATED)) != 0)
		return 0;
	if ((error = ia6_route(ia, 128, RTF_LOCAL | RTF_HOST)) != 0)
		return error;
	if (plen == 128 || (ia->ia_flags & IN6_IFF_AUTOCONF) != 0)
		return 0;
	return ia6_route(ia, plen, RTF_CONNECTED);
}

struct ia6_match {
	const struct ifaddr *ifa;
	struct rtentry found;
};

static int
rt_match_ifa6(const struct rtentry *rt, void *arg)
{
	struct ia6_match *match = arg;

	if (rt->rt_ifa != match->ifa)
		return 0;
	match->found = *rt;
	return 1;
}

/* Removes every route that is there for ia, and gives shared ones to the addresses that stay. */
static void
ia6_delroutes(struct netstack *ns, struct in6_ifaddr *ia)
{
	struct rtable *rtb = rt_table(ns, AF_INET6);
	struct ia6_match match = {.ifa = &ia->ia_ifa};
	struct ifaddr *ifa;

	while (rt_walk(rtb, rt_match_ifa6, &match) != 0)
		(void)rt_del(rtb, &match.found.rt_dst, match.found.rt_prefixlen);
	TAILQ_FOREACH(ifa, &ia->ia_ifa.ifa_ifp->if_addrs, ifa_list) {
		if (ifa != &ia->ia_ifa && ifa->ifa_addr.sa.sa_family == AF_INET6)
			(void)in6_ia_addroutes(ifatoia6(ifa));
	}
}

static void
sin6_set(union bsd_sockaddr_any *sa, const uint32_t addr[4])
{
	uint32_t a[4];

	memset(sa, 0, sizeof(*sa));
	memcpy(a, addr, sizeof(a));
	sa->sin6.sin6_len = sizeof(sa->sin6);
	sa->sin6.sin6_family = AF_INET6;
	sa->sin6.sin6_scope_id = in6_zone(a);
	in6_clearzone(a);
	ip6_addr_put(sa->sin6.sin6_addr.s6_bytes, a);
}

static bool
in6_hasgroup(const struct ifnet *ifp)
{
	return (ifp->if_flags & IFF_LOOPBACK) == 0;
}

void
in6_ia_remove(struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;
	uint32_t group[4];

	(void)callout_stop(&ia->ia_dad);
	(void)callout_stop(&ia->ia_expire);
	if (in6_hasgroup(ifp)) {
		ip6_solicited_node(group, ia->ia_addr);
		in6_leavegroup(ifp, group);
	}
	TAILQ_REMOVE(&ifp->if_addrs, &ia->ia_ifa, ifa_list);
	ia6_delroutes(ifp->if_ns, ia);
	pool_put(&ifp->if_ns->ns_inet6->i6_ifapool, ia);
}

static void
ia6_expired(void *arg)
{
	in6_ia_remove(arg);
}

void
in6_ia_setlife(struct in6_ifaddr *ia, uint64_t preferred_ns, uint64_t valid_ns)
{
	ia->ia_preferred_ns = preferred_ns;
	ia->ia_valid_ns = valid_ns;
	if (valid_ns == IN6_LIFETIME_INFINITE)
		(void)callout_stop(&ia->ia_expire);
	else
		callout_schedule(&ia->ia_expire, valid_ns);
}

/* Its group is heard, and it is ours at once, or when nobody answers a probe. */
static int
in6_ia_begin(struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;
	uint32_t group[4];
	int error;

	if (in6_hasgroup(ifp)) {
		ip6_solicited_node(group, ia->ia_addr);
		if ((error = in6_joingroup(ifp, group)) != 0)
			return error;
	}
	nd6_dad_start(ia);
	if ((error = in6_ia_addroutes(ia)) != 0 && in6_hasgroup(ifp))
		in6_leavegroup(ifp, group);
	return error;
}

int
in6_ia_add(struct ifnet *ifp, const uint32_t addr[4], uint8_t prefixlen,
    const struct in6_ialife *life)
{
	struct netstack *ns = ifp->if_ns;
	struct in6_ifaddr *ia;
	uint32_t mask[4];
	int error;

	if ((ia = pool_get_zeroed(&ns->ns_inet6->i6_ifapool)) == NULL)
		return ENOBUFS;
	memcpy(ia->ia_addr, addr, sizeof(ia->ia_addr));
	ia->ia_flags = life->il_flags;
	ia->ia_ifa.ifa_ifp = ifp;
	ia->ia_ifa.ifa_prefixlen = prefixlen;
	sin6_set(&ia->ia_ifa.ifa_addr, addr);
	memset(mask, 0xff, sizeof(mask));
	ip6_addr_mask(mask, prefixlen);
	ip6_addr_put(ia->ia_ifa.ifa_netmask.sin6.sin6_addr.s6_bytes, mask);
	ia->ia_ifa.ifa_netmask.sin6.sin6_family = AF_INET6;
	ia->ia_ifa.ifa_netmask.sin6.sin6_len = sizeof(ia->ia_ifa.ifa_netmask.sin6);
	callout_init(&ia->ia_expire, ns, ia6_expired, ia);
	callout_init(&ia->ia_dad, ns, nd6_dad_timer, ia);
	if ((error = in6_ia_begin(ia)) != 0) {
		(void)callout_stop(&ia->ia_dad);
		ia6_delroutes(ns, ia);
		pool_put(&ns->ns_inet6->i6_ifapool, ia);
		return error;
	}
	TAILQ_INSERT_TAIL(&ifp->if_addrs, &ia->ia_ifa, ifa_list);
	in6_ia_setlife(ia, life->il_preferred_ns, life->il_valid_ns);
	return 0;
}

bool
in6_ia_another(struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;
	uint32_t a[4], group[4];

	if ((ia->ia_flags & IN6_IFF_STABLE) == 0 || ia->ia_conflicts >= IN6_IDGEN_RETRIES)
		return false;
	memcpy(a, ia->ia_addr, sizeof(a));
	in6_clearzone(a);
	if (!in6_ifid_make(ifp, a, ia->ia_conflicts + 1))
		return false;
	ip6_solicited_node(group, a);
	if (in6_hasgroup(ifp) && in6_joingroup(ifp, group) != 0)
		return false;
	ip6_solicited_node(group, ia->ia_addr);
	if (in6_hasgroup(ifp))
		in6_leavegroup(ifp, group);
	if (ip6_is_linklocal(a))
		in6_setzone(a, ifp->if_index);
	memcpy(ia->ia_addr, a, sizeof(a));
	sin6_set(&ia->ia_ifa.ifa_addr, a);
	ia->ia_conflicts++;
	return true;
}

static bool
in6_addr_valid(const struct ifnet *ifp, const uint32_t a[4], uint8_t prefixlen)
{
	if (ip6_is_unspecified(a) || ip6_is_multicast(a) || ip6_is_v4mapped(a) ||
	    ip6_is_v4compat(a) || prefixlen == 0 || prefixlen > 128)
		return false;
	if (ip6_is_loopback(a) && (ifp->if_flags & IFF_LOOPBACK) == 0)
		return false;
	return !ip6_is_linklocal(a) || in6_zone(a) == 0 || in6_zone(a) == ifp->if_index;
}

int
in6_control_addr(struct netstack *ns, struct ifnet *ifp, const uint32_t addr[4], uint8_t prefixlen)
{
	uint32_t a[4];
	int error;

	if (!in6_addr_valid(ifp, addr, prefixlen))
		return EINVAL;
	memcpy(a, addr, sizeof(a));
	in6_setzone(a, ifp->if_index);
	if (in6_ifaddr_find(ns, NULL, a) != NULL)
		return EEXIST;
	if ((error = in6_ifattach(ifp)) != 0)
		return error;
	if (in6_ifaddr_find(ns, ifp, a) != NULL)
		return 0; /* the link-local one that attaching made */
	return in6_ia_add(ifp, a, prefixlen,
	    &(struct in6_ialife){IN6_LIFETIME_INFINITE, IN6_LIFETIME_INFINITE, 0});
}

int
in6_control_deladdr(struct netstack *ns, struct ifnet *ifp, const uint32_t addr[4])
{
	struct in6_ifaddr *ia;
	uint32_t a[4];

	memcpy(a, addr, sizeof(a));
	in6_setzone(a, ifp->if_index);
	if ((ia = in6_ifaddr_find(ns, ifp, a)) == NULL)
		return EADDRNOTAVAIL;
	in6_ia_remove(ia);
	return 0;
}

int
in6_autoconf(struct ifnet *ifp)
{
	int error;

	if ((error = in6_ifattach(ifp)) != 0)
		return error;
	if (ifp->if_inet6->ix_lltable == NULL)
		return EINVAL;
	ifp->if_inet6->ix_autoconf = true;
	nd6_rs_start(ifp);
	return 0;
}

int
in6_rtadd(struct netstack *ns, const uint32_t dst[4], uint8_t prefixlen, const uint32_t *gw,
    struct ifnet *ifp)
{
	struct rtable *rtb = rt_table(ns, AF_INET6);
	struct rtentry rt = {.rt_dst = in6_rtkey(dst),
	    .rt_prefixlen = prefixlen,
	    .rt_flags = RTF_STATIC,
	    .rt_ifp = ifp};
	const struct rtentry *via;
	uint32_t masked[4];

	if (prefixlen > 128 || (gw == NULL && ifp == NULL) || ip6_is_multicast(dst))
		return EINVAL;
	memcpy(masked, dst, sizeof(masked));
	ip6_addr_mask(masked, prefixlen);
	if (!ip6_addr_eq(masked, dst))
		return EINVAL;
	if (gw == NULL)
		return rt_add(rtb, &rt);
	if (ip6_is_unspecified(gw) || ip6_is_multicast(gw) || ip6_is_loopback(gw))
		return EINVAL;
	rt.rt_flags |= RTF_GATEWAY;
	rt.rt_gateway = in6_rtkey(gw);
	if (ip6_is_linklocal(gw)) {
		if (ifp == NULL && (ifp = if_byindex(ns, in6_zone(gw))) == NULL)
			return EINVAL;
		if (ifp->if_inet6 == NULL)
			return ENETUNREACH;
		in6_setzone(rt.rt_gateway.ra_w, ifp->if_index);
		rt.rt_ifp = ifp;
		return rt_add(rtb, &rt);
	}
	via = rt_lookup(rtb, &rt.rt_gateway);
	/* The network of an address that is still being probed will be there. */
	if (via == NULL || (via->rt_flags & RTF_CONNECTED) == 0)
		rt.rt_ifp = in6_if_onlink(ns, gw);
	else
		rt.rt_ifp = via->rt_ifp;
	if (rt.rt_ifp == NULL || (ifp != NULL && rt.rt_ifp != ifp))
		return ENETUNREACH;
	return rt_add(rtb, &rt);
}

int
in6_rtdel(struct netstack *ns, const uint32_t dst[4], uint8_t prefixlen)
{
	struct rtable *rtb = rt_table(ns, AF_INET6);
	struct rt_addr key = in6_rtkey(dst);
	const struct rtentry *rt = rt_find(rtb, &key, prefixlen);

	if (rt == NULL || (rt->rt_flags & RTF_STATIC) == 0)
		return ESRCH;
	return rt_del(rtb, &key, prefixlen);
}

int
in6_neigh_add(struct ifnet *ifp, const uint32_t addr[4], const uint8_t lladdr[6])
{
	struct lltable *llt = nd6_table(ifp);
	struct llentry *lle;
	struct rt_addr key = in6_rtkey(addr);

	if (llt == NULL || ether_is_multicast(lladdr) || ether_is_zero(lladdr) ||
	    ip6_is_multicast(addr) || ip6_is_unspecified(addr) || ip6_is_loopback(addr))
		return EINVAL;
	in6_setzone(key.ra_w, ifp->if_index);
	if ((lle = lle_lookup(llt, &key)) != NULL)
		lle_free(lle, DROP_ND6_HOLD);
	if ((lle = lle_create(llt, &key, 0, true)) == NULL)
		return ENOBUFS;
	memcpy(lle->lle_lladdr, lladdr, sizeof(lle->lle_lladdr));
	lle_set_state(lle, LLE_STATIC);
	return 0;
}

int
in6_neigh_del(struct ifnet *ifp, const uint32_t addr[4])
{
	struct llentry *lle;
	uint32_t a[4];

	memcpy(a, addr, sizeof(a));
	in6_setzone(a, ifp->if_index);
	if ((lle = nd6_lookup(ifp, a)) == NULL)
		return ESRCH;
	lle_free(lle, DROP_ND6_TIMEOUT);
	return 0;
}
