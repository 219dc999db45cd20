/* SPDX-License-Identifier: BSD-2-Clause */
/* Which addresses are ours, and which of them is the source for a destination (RFC 6724 §5). */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/net_state.h"
#include "netinet6/ip6_var.h"

static struct in6_ifaddr *
ifaddr_among(const struct ifnet *ifp, const uint32_t addr[4])
{
	struct ifaddr *ifa;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, ifa_list) {
		if (ifa->ifa_addr.sa.sa_family == AF_INET6 &&
		    ip6_addr_eq(ifatoia6(ifa)->ia_addr, addr))
			return ifatoia6(ifa);
	}
	return NULL;
}

struct in6_ifaddr *
in6_ifaddr_find(struct netstack *ns, const struct ifnet *ifp, const uint32_t addr[4])
{
	struct in6_ifaddr *ia = NULL;
	const struct ifnet *each;

	if (ifp != NULL)
		return ifaddr_among(ifp, addr);
	TAILQ_FOREACH(each, &ns->ns_net->nst_ifs, if_list) {
		if ((ia = ifaddr_among(each, addr)) != NULL)
			break;
	}
	return ia;
}

bool
in6_addr_islocal(struct netstack *ns, const uint32_t addr[4])
{
	struct rt_addr key = in6_rtkey(addr);
	const struct rtentry *rt = rt_find(rt_table(ns, AF_INET6), &key, 128);

	return rt != NULL && (rt->rt_flags & RTF_LOCAL) != 0;
}

struct ifnet *
in6_if_onlink(struct netstack *ns, const uint32_t addr[4])
{
	struct ifaddr *ifa;
	struct ifnet *ifp;

	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list) {
		TAILQ_FOREACH(ifa, &ifp->if_addrs, ifa_list) {
			if (ifa->ifa_addr.sa.sa_family == AF_INET6 &&
			    ip6_addr_common(ifatoia6(ifa)->ia_addr, addr) >= ifa->ifa_prefixlen)
				return ifp;
		}
	}
	return NULL;
}

static unsigned
addr_scope(const uint32_t a[4])
{
	if (ip6_is_multicast(a))
		return ip6_mc_scope(a);
	return ip6_is_linklocal(a) || ip6_is_loopback(a) ? IP6_SCOPE_LINKLOCAL : IP6_SCOPE_GLOBAL;
}

/* The labels of RFC 6724 §2.1 that are still in use. */
static unsigned
addr_label(const uint32_t a[4])
{
	if (ip6_is_loopback(a))
		return 0;
	if (ip6_is_uniquelocal(a))
		return 13;
	if (betoh32(a[0]) >> 16 == 0x2002)
		return 2;
	if (a[0] == htobe32(0x20010000))
		return 5;
	return 1;
}

struct src_choice {
	const struct ifnet *ifp; /* the packet goes out by it */
	const uint32_t *dst;
	uint64_t now;
};

static unsigned
src_common(const struct in6_ifaddr *ia, const uint32_t dst[4])
{
	unsigned n = ip6_addr_common(ia->ia_addr, dst);

	return KERN_MIN(n, ia->ia_ifa.ifa_prefixlen);
}

/* Is a better than b? By the first rule that tells them apart. */
static bool
src_better(const struct src_choice *sc, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	unsigned sa = addr_scope(a->ia_addr), sb = addr_scope(b->ia_addr);
	unsigned label = addr_label(sc->dst);
	bool x, y;

	x = ip6_addr_eq(a->ia_addr, sc->dst);
	y = ip6_addr_eq(b->ia_addr, sc->dst);
	if (x != y) /* 1 */
		return x;
	if (sa < sb) /* 2 */
		return sa >= addr_scope(sc->dst);
	if (sb < sa)
		return sb < addr_scope(sc->dst);
	x = a->ia_preferred_ns > sc->now;
	y = b->ia_preferred_ns > sc->now;
	if (x != y) /* 3 */
		return x;
	x = a->ia_ifa.ifa_ifp == sc->ifp;
	y = b->ia_ifa.ifa_ifp == sc->ifp;
	if (x != y) /* 5 */
		return x;
	x = addr_label(a->ia_addr) == label;
	y = addr_label(b->ia_addr) == label;
	if (x != y) /* 6 */
		return x;
	return src_common(a, sc->dst) > src_common(b, sc->dst); /* 8 */
}

/* May it be a source at all there? Another link's addresses are for what leaves the link only. */
static bool
src_candidate(const struct src_choice *sc, const struct in6_ifaddr *ia)
{
	if ((ia->ia_flags & (IN6_IFF_TENTATIVE | IN6_IFF_DUPLICATED)) != 0)
		return false;
	if (ia->ia_ifa.ifa_ifp == sc->ifp)
		return true;
	return !ip6_is_scoped(sc->dst) && !ip6_is_linklocal(ia->ia_addr) &&
	    !ip6_is_loopback(ia->ia_addr);
}

struct in6_ifaddr *
in6_selectsrc_ifa(struct netstack *ns, const struct ifnet *ifp, const uint32_t dst[4])
{
	struct src_choice sc = {ifp, dst, ns->ns_now};
	struct in6_ifaddr *best = NULL, *ia;
	const struct ifnet *each;
	struct ifaddr *ifa;

	TAILQ_FOREACH(each, &ns->ns_net->nst_ifs, if_list) {
		TAILQ_FOREACH(ifa, &each->if_addrs, ifa_list) {
			if (ifa->ifa_addr.sa.sa_family != AF_INET6)
				continue;
			ia = ifatoia6(ifa);
			if (src_candidate(&sc, ia) && (best == NULL || src_better(&sc, ia, best)))
				best = ia;
		}
	}
	return best;
}
