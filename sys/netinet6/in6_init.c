/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 in a stack: its state, settings and counters, and how it attaches to the link layers. */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/stat.h"
#include "net/net_state.h"
#include "netinet6/in6_pcb.h"
#include "netinet6/ip6_var.h"
#include "wire/ether.h"

#define IN6_MAXADDRS 4096u
#define IN6_MAXROUTERS 64u
#define IN6_MAXPREFIXES 256u

static const struct sysctl_node ip6_stat_nodes[] = {
#define STAT(name, text) STAT_NODE("net.inet6.ip6.stats.", IP6STAT_, name, text)
#include "netinet6/ip6_stat.def"
#undef STAT
};
STAT_TABLE_CHECK(ip6_stat_nodes, IP6STAT_COUNT);

static const struct sysctl_node icmp6_stat_nodes[] = {
#define STAT(name, text) STAT_NODE("net.inet6.icmp6.stats.", ICMP6STAT_, name, text)
#include "netinet6/icmp6_stat.def"
#undef STAT
};
STAT_TABLE_CHECK(icmp6_stat_nodes, ICMP6STAT_COUNT);

#define IN6_NODE(name, text, member, min, max)                                                \
	{                                                                                     \
		.sn_name = name, .sn_text = text, .sn_type = SYSCTL_U32, .sn_writable = true, \
		.sn_offset = offsetof(struct in6_state, member), .sn_size = sizeof(uint32_t), \
		.sn_min = min, .sn_max = max                                                  \
	}

static const struct sysctl_node in6_nodes[] = {
    IN6_NODE("net.inet6.ip6.hlim", "hop limit of packets sent", i6_hlim, 1, 255),
    IN6_NODE("net.inet6.ip6.dad_count", "probes before an address is used; 0: none", i6_dad_count,
	0, 16),
    IN6_NODE("net.inet6.ip6.maxfragpackets", "most datagrams being reassembled",
	i6_frag6.f6_maxdatagrams, 0, 256),
    IN6_NODE("net.inet6.ip6.maxfragpersource", "most datagrams of one source being reassembled",
	i6_frag6.f6_maxpersource, 0, 256),
    IN6_NODE("net.inet6.ip6.maxfragsperpacket", "most fragments of a datagram",
	i6_frag6.f6_maxfrags, 0, 1024),
    IN6_NODE("net.inet6.ip6.maxfragbytes", "most memory of fragments, bytes", i6_frag6.f6_maxbytes,
	0, 1u << 30),
    IN6_NODE("net.inet6.ip6.fraglifetime", "how long a datagram may be incomplete, ms",
	i6_frag6.f6_timeout_ms, 100, 60000),
    IN6_NODE("net.inet6.ip6.accept_rtadv", "interfaces listen to routers where they are told to",
	i6_accept_rtadv, 0, 1),
    IN6_NODE("net.inet6.ip6.use_stableaddr",
	"addresses that the stack makes have opaque identifiers, not the station's (RFC 7217)",
	i6_use_stableaddr, 0, 1),
    {.sn_name = "net.inet6.ip6.stableaddr_secret",
	.sn_text = "what these are made with; random unless it is set; reads as nothing",
	.sn_type = SYSCTL_STRING,
	.sn_writable = true,
	.sn_offset = offsetof(struct in6_state, i6_secret),
	.sn_size = IN6_SECRET_MAX,
	.sn_secret = true},
    IN6_NODE("net.inet6.ip6.mcast.maxsocksrc", "most sources in the filter of a membership",
	i6_maxsocksrc, 0, IN_MAXSOCKSRC),
    IN6_NODE("net.inet6.ip6.maxrouters", "most default routers that are remembered", i6_maxrouters,
	0, IN6_MAXROUTERS),
    IN6_NODE("net.inet6.ip6.maxifprefixes", "most prefixes of an interface by routers",
	i6_maxprefixes, 0, IN6_MAXPREFIXES),
    IN6_NODE("net.inet6.ip6.maxifautoaddrs", "most addresses of an interface by routers' prefixes",
	i6_maxautoaddrs, 0, 256),
    IN6_NODE("net.inet6.icmp6.errppslimit", "most ICMPv6 errors to one destination, a second",
	i6_icmplim, 0, 10000),
    IN6_NODE("net.inet6.icmp6.nd6_reachable", "how long a neighbour that answered is trusted, ms",
	i6_nd_reach_ms, 1000, 3600000),
    IN6_NODE("net.inet6.icmp6.nd6_retrans", "between solicitations of a neighbour, ms",
	i6_nd_retrans_ms, 100, 60000),
    IN6_NODE("net.inet6.icmp6.nd6_gctimer", "how long an unused neighbour is remembered, s",
	i6_nd_stale_s, 1, 86400),
    IN6_NODE("net.inet6.icmp6.nd6_down",
	"how long a neighbour that did not answer is not asked again, s", i6_nd_down_s, 1, 3600),
    IN6_NODE("net.inet6.icmp6.nd6_mmaxtries", "solicitations to all before giving up",
	i6_nd_mmaxtries, 1, 32),
    IN6_NODE("net.inet6.icmp6.nd6_umaxtries", "solicitations to the neighbour before giving up",
	i6_nd_umaxtries, 1, 32),
};

static const struct netproto ip6_netproto = {
    .np_ethertype = ETHERTYPE_IPV6,
    .np_family = AF_INET6,
    .np_input = ip6_input,
    .np_resolve = nd6_resolve,
    .np_ifdetach = in6_ifdetach,
};

/* The constants of RFC 4861 §10, and limits. */
static void
in6_defaults(struct in6_state *i6)
{
	i6->i6_hlim = 64;
	i6->i6_dad_count = 1;
	i6->i6_accept_rtadv = 1;
	i6->i6_maxsocksrc = IN_MAXSOCKSRC;
	i6->i6_maxrouters = 16;
	i6->i6_maxprefixes = 16;
	i6->i6_maxautoaddrs = 16;
	i6->i6_icmplim = 10;
	i6->i6_nd_reach_ms = 30000;
	i6->i6_nd_retrans_ms = 1000;
	i6->i6_nd_stale_s = 1200;
	i6->i6_nd_down_s = 5;
	i6->i6_nd_mmaxtries = 3;
	i6->i6_nd_umaxtries = 3;
}

/* What has memory of its own. => ENOMEM: nothing is left */
static int
in6_init_pools(struct netstack *ns, struct in6_state *i6)
{
	struct alloc_fault *fault = &ns->ns_fault;
	struct pool *pools[] = {&i6->i6_ifapool, &i6->i6_routerpool, &i6->i6_prefixpool};
	static const struct {
		const char *name;
		size_t size;
		uint32_t limit;
	} specs[] = {
	    {"in6_ifaddr", sizeof(struct in6_ifaddr), IN6_MAXADDRS},
	    {"nd_defrouter", sizeof(struct nd_defrouter), IN6_MAXROUTERS},
	    {"nd_onlink", sizeof(struct nd_onlink), IN6_MAXPREFIXES},
	};
	int error = 0;
	size_t n;

	for (n = 0; n < nitems(pools) && error == 0; n++)
		error = pool_init(pools[n], specs[n].name, specs[n].size, specs[n].limit, 0, fault);
	if (error != 0)
		n--;
	else if ((error = rip6_init(ns, &i6->i6_rip6)) == 0 &&
	    (error = frag6_init(ns, &i6->i6_frag6)) != 0)
		rip6_fini(&i6->i6_rip6);
	while (error != 0 && n-- > 0)
		pool_destroy(pools[n]);
	return error;
}

static void
in6_fini_pools(struct netstack *ns, struct in6_state *i6)
{
	frag6_fini(ns);
	rip6_fini(&i6->i6_rip6);
	pool_destroy(&i6->i6_prefixpool);
	pool_destroy(&i6->i6_routerpool);
	pool_destroy(&i6->i6_ifapool);
}

int
in6_init(struct netstack *ns)
{
	const uint32_t loopback[4] = {0, 0, 0, htobe32(1)};
	struct in6_state *i6;
	int error;

	if ((i6 = kmem_alloc(&ns->ns_fault, sizeof(*i6))) == NULL)
		return ENOMEM;
	i6->i6_ns = ns;
	in6_defaults(i6);
	TAILQ_INIT(&i6->i6_routers);
	if ((error = in6_init_pools(ns, i6)) != 0) {
		kmem_free(i6, sizeof(*i6));
		return error;
	}
	rng_bytes(&ns->ns_rng, i6->i6_key, sizeof(i6->i6_key));
	rng_bytes(&ns->ns_rng, i6->i6_ids, sizeof(i6->i6_ids));
	ns->ns_inet6 = i6;
	stat_register(ns, &i6->i6_ip6stat_sysctls, ip6_stat_nodes, IP6STAT_COUNT, i6->i6_ip6stat);
	stat_register(ns, &i6->i6_icmp6stat_sysctls, icmp6_stat_nodes, ICMP6STAT_COUNT,
	    i6->i6_icmp6stat);
	sysctl_register(ns, &i6->i6_sysctls, in6_nodes, nitems(in6_nodes), i6);
	if ((error = net_proto_register(ns, &ip6_netproto)) == 0)
		error = in6_control_addr(ns, if_loop(ns), loopback, 128);
	if (error != 0)
		in6_fini(ns);
	return error;
}

void
in6_fini(struct netstack *ns)
{
	struct in6_state *i6 = ns->ns_inet6;
	struct ifnet *ifp;

	if (i6 == NULL)
		return;
	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list)
		in6_ifdetach(ifp);
	net_proto_unregister(ns, &ip6_netproto);
	sysctl_unregister(ns, &i6->i6_sysctls);
	sysctl_unregister(ns, &i6->i6_icmp6stat_sysctls);
	sysctl_unregister(ns, &i6->i6_ip6stat_sysctls);
	in6_fini_pools(ns, i6);
	ns->ns_inet6 = NULL;
	kmem_free(i6, sizeof(*i6));
}
