/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4's set-up, the addresses of interfaces and the routes that come with them.
 *
 * An address 10.0.0.2/24 makes three routes: 10.0.0.2/32 LOCAL, 10.0.0.0/24 CONNECTED and, on an
 * interface that has broadcast, 10.0.0.255/32 BROADCAST; so one lookup tells all about an address.
 * Two addresses of one network share the latter two; who stays takes them over.
 */
#include "netinet/in_var.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/stat.h"
#include "net/llatbl.h"
#include "net/net_state.h"
#include "netinet/ip_var.h"
#include "netinet/raw_ip.h"
#include "wire/ether.h"

#define IN_MAXADDRS 4096u

static const struct sysctl_node ip_stat_nodes[] = {
#define STAT(name, text) STAT_NODE("net.inet.ip.stats.", IPSTAT_, name, text)
#include "netinet/ip_stat.def"
#undef STAT
};
STAT_TABLE_CHECK(ip_stat_nodes, IPSTAT_COUNT);

static const struct sysctl_node icmp_stat_nodes[] = {
#define STAT(name, text) STAT_NODE("net.inet.icmp.stats.", ICMPSTAT_, name, text)
#include "netinet/icmp_stat.def"
#undef STAT
};
STAT_TABLE_CHECK(icmp_stat_nodes, ICMPSTAT_COUNT);

static const struct sysctl_node arp_stat_nodes[] = {
#define STAT(name, text) STAT_NODE("net.inet.arp.stats.", ARPSTAT_, name, text)
#include "netinet/arp_stat.def"
#undef STAT
};
STAT_TABLE_CHECK(arp_stat_nodes, ARPSTAT_COUNT);

#define IN_NODE(name, text, member, min, max)                                                  \
	{                                                                                      \
		.sn_name = name, .sn_text = text, .sn_type = SYSCTL_U32, .sn_writable = true,  \
		.sn_offset = offsetof(struct inet_state, member), .sn_size = sizeof(uint32_t), \
		.sn_min = min, .sn_max = max                                                   \
	}

static const struct sysctl_node in_nodes[] = {
    IN_NODE("net.inet.ip.ttl", "time to live of packets sent", is_ttl, 1, 255),
    IN_NODE("net.inet.ip.maxfragpackets", "most datagrams being reassembled",
	is_reass.ipr_maxdatagrams, 0, 256),
    IN_NODE("net.inet.ip.maxfragpersource", "most datagrams of one source being reassembled",
	is_reass.ipr_maxpersource, 0, 256),
    IN_NODE("net.inet.ip.maxfragsperpacket", "most fragments of a datagram", is_reass.ipr_maxfrags,
	0, 1024),
    IN_NODE("net.inet.ip.maxfragbytes", "most memory of fragments, bytes", is_reass.ipr_maxbytes, 0,
	1u << 30),
    IN_NODE("net.inet.ip.fragttl", "how long a datagram may be incomplete, ms",
	is_reass.ipr_timeout_ms, 100, 60000),
    IN_NODE("net.inet.ip.errqlen", "most errors queued for a socket (IP_RECVERR)", is_errqlen, 0,
	4096),
    IN_NODE("net.inet.ip.errqtotal", "most errors queued for all sockets", is_errqtotal, 0, 65536),
    IN_NODE("net.inet.ip.mcast.maxmemberships", "most groups that a socket may join",
	is_mcast.mc_maxmembers, 0, 4096),
    IN_NODE("net.inet.ip.mcast.maxgrpsrc", "most sources of a group, over all sockets",
	is_mcast.mc_maxgrpsrc, 0, IN_MAXGRPSRC),
    IN_NODE("net.inet.ip.mcast.maxsocksrc", "most sources in the filter of a membership",
	is_mcast.mc_maxsocksrc, 0, IN_MAXSOCKSRC),
    IN_NODE("net.inet.icmp.errppslimit", "most ICMP errors to one destination, a second",
	is_icmplim, 0, 10000),
    IN_NODE("net.inet.arp.reachable", "how long a neighbour that answered is trusted, s",
	is_arp_reach_s, 1, 3600),
    IN_NODE("net.inet.arp.keep", "how long an unused neighbour is remembered, s", is_arp_stale_s, 1,
	86400),
    IN_NODE("net.inet.arp.down", "how long a neighbour that did not answer is not asked again, s",
	is_arp_down_s, 1, 3600),
    IN_NODE("net.inet.arp.maxtries", "requests before giving up", is_arp_maxtries, 1, 32),
};

static const struct netproto ip_netproto = {
    .np_ethertype = ETHERTYPE_IP,
    .np_family = AF_INET,
    .np_input = ip_input,
    .np_resolve = arp_resolve,
    .np_ifdetach = in_ifdetach,
    .np_ifupdown = igmp_ifupdown,
};

static const struct netproto arp_netproto = {
    .np_ethertype = ETHERTYPE_ARP,
    .np_family = AF_UNSPEC,
    .np_input = arp_input,
};

static void
in_defaults(struct inet_state *is)
{
	is->is_ttl = 64;
	is->is_icmplim = 10;
	is->is_arp_reach_s = 30;
	is->is_arp_stale_s = 1200;
	is->is_arp_down_s = 5;
	is->is_arp_maxtries = 5;
	is->is_errqlen = 128;
	is->is_errqtotal = 2048;
}

/* What has memory of its own. => ENOMEM: nothing is left */
static int
in_init_parts(struct netstack *ns)
{
	struct inet_state *is = ns->ns_inet;
	int error;

	if ((error = pool_init(&is->is_ifapool, "in_ifaddr", sizeof(struct in_ifaddr), IN_MAXADDRS,
		 0, &ns->ns_fault)) != 0)
		return error;
	if ((error = ip_reass_init(ns)) != 0)
		goto out;
	if ((error = ip_hostcache_init(ns)) == 0) {
		if ((error = rip_init(ns)) == 0) {
			if ((error = in_mcast_init(ns)) == 0)
				return 0;
			rip_fini(ns);
		}
		ip_hostcache_fini(ns);
	}
	ip_reass_fini(ns);
out:
	pool_destroy(&is->is_ifapool);
	return error;
}

int
in_init(struct netstack *ns)
{
	struct inet_state *is;
	int error;

	if ((is = kmem_alloc(&ns->ns_fault, sizeof(*is))) == NULL)
		return ENOMEM;
	is->is_ns = ns;
	in_defaults(is);
	rng_bytes(&ns->ns_rng, is->is_key, sizeof(is->is_key));
	rng_bytes(&ns->ns_rng, is->is_ids, sizeof(is->is_ids));
	ns->ns_inet = is;
	if ((error = in_init_parts(ns)) != 0) {
		ns->ns_inet = NULL;
		kmem_free(is, sizeof(*is));
		return error;
	}
	stat_register(ns, &is->is_ipstat_sysctls, ip_stat_nodes, IPSTAT_COUNT, is->is_ipstat);
	stat_register(ns, &is->is_icmpstat_sysctls, icmp_stat_nodes, ICMPSTAT_COUNT,
	    is->is_icmpstat);
	stat_register(ns, &is->is_arpstat_sysctls, arp_stat_nodes, ARPSTAT_COUNT, is->is_arpstat);
	sysctl_register(ns, &is->is_sysctls, in_nodes, nitems(in_nodes), is);
	igmp_init(ns);
	if ((error = in_transport_register(ns, &igmp_transport)) == 0 &&
	    (error = net_proto_register(ns, &ip_netproto)) == 0 &&
	    (error = net_proto_register(ns, &arp_netproto)) == 0)
		error = in_control_addr(ns, if_loop(ns), ipv4_addr_be(127, 0, 0, 1), 8);
	if (error != 0)
		in_fini(ns);
	return error;
}

void
in_fini(struct netstack *ns)
{
	struct inet_state *is = ns->ns_inet;
	struct ifnet *ifp;

	if (is == NULL)
		return;
	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list)
		in_ifdetach(ifp);
	net_proto_unregister(ns, &arp_netproto);
	net_proto_unregister(ns, &ip_netproto);
	rip_fini(ns);
	ip_hostcache_fini(ns);
	ip_reass_fini(ns);
	in_mcast_fini(ns);
	pool_destroy(&is->is_ifapool);
	igmp_fini(ns);
	sysctl_unregister(ns, &is->is_sysctls);
	sysctl_unregister(ns, &is->is_arpstat_sysctls);
	sysctl_unregister(ns, &is->is_icmpstat_sysctls);
	sysctl_unregister(ns, &is->is_ipstat_sysctls);
	ns->ns_inet = NULL;
	kmem_free(is, sizeof(*is));
}

int
in_transport_register(struct netstack *ns, const struct in_transport *it)
{
	struct inet_state *is = ns->ns_inet;

	if (is->is_ntransports == IP_NTRANSPORTS)
		return ENOBUFS;
	is->is_transports[is->is_ntransports++] = it;
	return 0;
}

const struct in_transport *
in_transport_find(const struct netstack *ns, uint8_t proto)
{
	const struct inet_state *is = ns->ns_inet;
	uint32_t i;

	for (i = 0; i < is->is_ntransports; i++)
		if (is->is_transports[i]->it_proto == proto)
			return is->is_transports[i];
	return NULL;
}

/* Adds a route of an address; one that another address of its network has already is fine. */
static int
ia_route(struct in_ifaddr *ia, uint32_t dst_be, uint8_t prefixlen, uint32_t flags)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;
	struct rtentry rt = {.rt_dst = in_rtkey(dst_be),
	    .rt_prefixlen = prefixlen,
	    .rt_flags = flags,
	    .rt_ifp = ifp,
	    .rt_ifa = &ia->ia_ifa};
	int error = rt_add(rt_table(ifp->if_ns, AF_INET), &rt);

	return error == EEXIST ? 0 : error;
}

static int
ia_addroutes(struct in_ifaddr *ia)
{
	uint8_t plen = ia->ia_ifa.ifa_prefixlen;
	int error;

	if ((error = ia_route(ia, ia->ia_addr_be, 32, RTF_LOCAL | RTF_HOST)) == 0 && plen < 32)
		error = ia_route(ia, ia->ia_addr_be & ia->ia_mask_be, plen, RTF_CONNECTED);
	if (error == 0 && ia->ia_bcast_be != 0)
		error = ia_route(ia, ia->ia_bcast_be, 32, RTF_BROADCAST | RTF_HOST);
	return error;
}

struct ia_match {
	const struct ifaddr *ifa;
	struct rtentry found;
};

static int
rt_match_ifa(const struct rtentry *rt, void *arg)
{
	struct ia_match *match = arg;

	if (rt->rt_ifa != match->ifa)
		return 0;
	match->found = *rt;
	return 1;
}

/* Removes every route whose source is ia, and gives shared ones to the addresses that stay. */
static void
ia_delroutes(struct netstack *ns, struct in_ifaddr *ia)
{
	struct rtable *rtb = rt_table(ns, AF_INET);
	struct ia_match match = {.ifa = &ia->ia_ifa};
	struct ifnet *ifp;
	struct ifaddr *ifa;

	while (rt_walk(rtb, rt_match_ifa, &match) != 0)
		(void)rt_del(rtb, &match.found.rt_dst, match.found.rt_prefixlen);
	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list) {
		TAILQ_FOREACH(ifa, &ifp->if_addrs, ifa_list) {
			if (ifa != &ia->ia_ifa && ifa->ifa_addr.sa.sa_family == AF_INET)
				(void)ia_addroutes(ifatoia(ifa));
		}
	}
}

static void
sin_set(union bsd_sockaddr_any *sa, uint32_t addr_be)
{
	memset(sa, 0, sizeof(*sa));
	sa->sin.sin_len = sizeof(sa->sin);
	sa->sin.sin_family = AF_INET;
	sa->sin.sin_addr.s_addr = addr_be;
}

static bool
in_addr_valid(const struct ifnet *ifp, uint32_t addr_be, uint32_t mask_be, uint8_t prefixlen)
{
	if (ipv4_is_this_network(addr_be) || ipv4_is_multicast(addr_be) ||
	    ipv4_is_reserved(addr_be) || prefixlen == 0)
		return false;
	if (ipv4_is_loopback(addr_be) && (ifp->if_flags & IFF_LOOPBACK) == 0)
		return false;
	return prefixlen >= 31 || ((addr_be & ~mask_be) != 0 && (addr_be | mask_be) != UINT32_MAX);
}

int
in_control_addr(struct netstack *ns, struct ifnet *ifp, uint32_t addr_be, uint8_t prefixlen)
{
	struct in_ifaddr *ia;
	uint32_t mask_be;
	int error;

	if (prefixlen > 32)
		return EINVAL;
	mask_be = ipv4_prefix_mask_be(prefixlen);
	if (!in_addr_valid(ifp, addr_be, mask_be, prefixlen))
		return EINVAL;
	if (in_addr_islocal(ns, addr_be))
		return EEXIST;
	if ((ia = pool_get_zeroed(&ns->ns_inet->is_ifapool)) == NULL)
		return ENOBUFS;
	ia->ia_addr_be = addr_be;
	ia->ia_mask_be = mask_be;
	if ((ifp->if_flags & IFF_BROADCAST) != 0 && prefixlen < 31)
		ia->ia_bcast_be = addr_be | ~mask_be;
	ia->ia_ifa.ifa_ifp = ifp;
	ia->ia_ifa.ifa_prefixlen = prefixlen;
	sin_set(&ia->ia_ifa.ifa_addr, addr_be);
	sin_set(&ia->ia_ifa.ifa_netmask, mask_be);
	sin_set(&ia->ia_ifa.ifa_dstaddr, ia->ia_bcast_be);
	if ((error = ia_addroutes(ia)) != 0) {
		ia_delroutes(ns, ia);
		pool_put(&ns->ns_inet->is_ifapool, ia);
		return error;
	}
	TAILQ_INSERT_TAIL(&ifp->if_addrs, &ia->ia_ifa, ifa_list);
	arp_announce(ia);
	return 0;
}

static void
ia_remove(struct in_ifaddr *ia)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;

	(void)callout_stop(&ia->ia_announce);
	TAILQ_REMOVE(&ifp->if_addrs, &ia->ia_ifa, ifa_list);
	ia_delroutes(ifp->if_ns, ia);
	pool_put(&ifp->if_ns->ns_inet->is_ifapool, ia);
}

int
in_control_deladdr(struct netstack *ns, struct ifnet *ifp, uint32_t addr_be)
{
	struct in_ifaddr *ia = in_ifaddr_find(ns, ifp, addr_be);

	if (ia == NULL)
		return EADDRNOTAVAIL;
	ia_remove(ia);
	return 0;
}

int
in_control_peer(struct netstack *ns, struct ifnet *ifp, uint32_t peer_be)
{
	struct in_ifaddr *ia = in_ifaddr_best(ifp, peer_be);
	struct rtentry rt = {.rt_dst = in_rtkey(peer_be),
	    .rt_prefixlen = 32,
	    .rt_flags = RTF_CONNECTED | RTF_HOST,
	    .rt_ifp = ifp};

	if (ia == NULL || ipv4_is_martian_source(peer_be))
		return EINVAL;
	rt.rt_ifa = &ia->ia_ifa;
	return rt_add(rt_table(ns, AF_INET), &rt);
}

void
in_ifdetach(struct ifnet *ifp)
{
	struct ifaddr *ifa, *next;

	TAILQ_FOREACH_SAFE(ifa, &ifp->if_addrs, ifa_list, next) {
		if (ifa->ifa_addr.sa.sa_family == AF_INET)
			ia_remove(ifatoia(ifa));
	}
	ip_reass_ifdetach(ifp);
	in_mcast_ifdetach(ifp);
}

int
in_rtadd(struct netstack *ns, uint32_t dst_be, uint8_t prefixlen, uint32_t gw_be, struct ifnet *ifp)
{
	struct rtable *rtb = rt_table(ns, AF_INET);
	struct rt_addr gw = in_rtkey(gw_be);
	const struct rtentry *via;
	struct in_ifaddr *ia;
	struct rtentry rt = {.rt_dst = in_rtkey(dst_be),
	    .rt_prefixlen = prefixlen,
	    .rt_flags = RTF_STATIC,
	    .rt_gateway = gw,
	    .rt_ifp = ifp};

	if (prefixlen > 32 || (gw_be == 0 && ifp == NULL) ||
	    (dst_be & ~ipv4_prefix_mask_be(prefixlen)) != 0)
		return EINVAL;
	if (gw_be == 0) {
		ia = in_ifaddr_best(ifp, dst_be);
		rt.rt_ifa = ia != NULL ? &ia->ia_ifa : NULL;
		return rt_add(rtb, &rt);
	}
	via = rt_lookup(rtb, &gw);
	if (via == NULL || (via->rt_flags & RTF_CONNECTED) == 0 ||
	    (ifp != NULL && via->rt_ifp != ifp))
		return ENETUNREACH;
	rt.rt_flags |= RTF_GATEWAY;
	rt.rt_ifp = via->rt_ifp;
	rt.rt_ifa = via->rt_ifa;
	return rt_add(rtb, &rt);
}

int
in_rtadd_default(struct netstack *ns, uint32_t gw_be)
{
	return gw_be == 0 ? EINVAL : in_rtadd(ns, 0, 0, gw_be, NULL);
}

int
in_rtdel(struct netstack *ns, uint32_t dst_be, uint8_t prefixlen)
{
	struct rtable *rtb = rt_table(ns, AF_INET);
	struct rt_addr dst = in_rtkey(dst_be);
	const struct rtentry *rt = rt_find(rtb, &dst, prefixlen);

	if (rt == NULL || (rt->rt_flags & RTF_STATIC) == 0)
		return ESRCH;
	return rt_del(rtb, &dst, prefixlen);
}

struct in_ifaddr *
in_ifaddr_find(struct netstack *ns, const struct ifnet *ifp, uint32_t addr_be)
{
	struct rt_addr key = in_rtkey(addr_be);
	const struct rtentry *rt = rt_find(rt_table(ns, AF_INET), &key, 32);

	if (rt == NULL || (rt->rt_flags & RTF_LOCAL) == 0 || (ifp != NULL && rt->rt_ifp != ifp))
		return NULL;
	return ifatoia(rt->rt_ifa);
}

struct in_ifaddr *
in_ifaddr_best(const struct ifnet *ifp, uint32_t dst_be)
{
	struct in_ifaddr *first = NULL, *ia;
	struct ifaddr *ifa;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, ifa_list) {
		if (ifa->ifa_addr.sa.sa_family != AF_INET)
			continue;
		ia = ifatoia(ifa);
		if (((dst_be ^ ia->ia_addr_be) & ia->ia_mask_be) == 0)
			return ia;
		if (first == NULL)
			first = ia;
	}
	return first;
}

bool
in_addr_islocal(struct netstack *ns, uint32_t addr_be)
{
	return in_ifaddr_find(ns, NULL, addr_be) != NULL;
}

bool
in_addr_isbroadcast(struct netstack *ns, uint32_t addr_be)
{
	struct rt_addr key = in_rtkey(addr_be);
	const struct rtentry *rt;

	if (ipv4_is_broadcast_limited(addr_be))
		return true;
	rt = rt_find(rt_table(ns, AF_INET), &key, 32);
	return rt != NULL && (rt->rt_flags & RTF_BROADCAST) != 0;
}

int
in_neigh_add(struct ifnet *ifp, uint32_t addr_be, const uint8_t lladdr[6])
{
	struct rt_addr key = in_rtkey(addr_be);
	struct llentry *lle;

	if (ifp->if_lltable == NULL || ether_is_multicast(lladdr) || ether_is_zero(lladdr) ||
	    ipv4_is_martian_source(addr_be))
		return EINVAL;
	if ((lle = lle_lookup(ifp->if_lltable, &key)) != NULL)
		lle_free(lle, DROP_ARP_HOLD);
	if ((lle = lle_create(ifp->if_lltable, &key, 0, true)) == NULL)
		return ENOBUFS;
	memcpy(lle->lle_lladdr, lladdr, sizeof(lle->lle_lladdr));
	lle_set_state(lle, LLE_STATIC);
	return 0;
}

int
in_neigh_del(struct ifnet *ifp, uint32_t addr_be)
{
	struct rt_addr key = in_rtkey(addr_be);
	struct llentry *lle;

	if (ifp->if_lltable == NULL || (lle = lle_lookup(ifp->if_lltable, &key)) == NULL)
		return ESRCH;
	lle_free(lle, DROP_ARP_TIMEOUT);
	return 0;
}
