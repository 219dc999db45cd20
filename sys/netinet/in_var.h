/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 addresses of interfaces, the routes that come with them, and the domain itself.
 *
 * A stack with IPv4, UDP and TCP: netstack_create with nc_domains = {&inetdomain, NULL}.
 */
#ifndef NETINET_IN_VAR_H
#define NETINET_IN_VAR_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "net/if.h"
#include "net/route.h"

struct netstack;

extern const struct domain inetdomain;

struct in_ifaddr {
	struct ifaddr ia_ifa; /* first, so that an ifaddr of AF_INET is one of these */
	uint32_t ia_addr_be;
	uint32_t ia_mask_be;
	uint32_t ia_bcast_be; /* 0: none */
	/* RFC 5227: what the address was seen defended against */
	uint64_t ia_lastdefend_ns; /* 0: never */
	uint32_t ia_nconflicts;
	uint32_t ia_nannounce; /* announcements still to be made */
	struct callout ia_announce;
};

/*
 * Gives ifp an address, its connected route, and its broadcast address; announces it (RFC 5227
 * §2.3) on ethernet.
 * => EINVAL: prefix above 32, or an address that no host may have; EEXIST: we have it already;
 *    ENOBUFS
 */
int in_control_addr(struct netstack *ns, struct ifnet *ifp, uint32_t addr_be, uint8_t prefixlen);
/* Takes it away, with its routes. => EADDRNOTAVAIL: ifp does not have it */
int in_control_deladdr(struct netstack *ns, struct ifnet *ifp, uint32_t addr_be);
/* The other end of a point-to-point interface gets a host route. => as in_control_addr */
int in_control_peer(struct netstack *ns, struct ifnet *ifp, uint32_t peer_be);

/*
 * Static routes: by a gateway that is on a connected network, or straight out of ifp (gw_be 0).
 * => ENETUNREACH: the gateway is not on a connected network; EEXIST, EINVAL, ENOBUFS
 */
int in_rtadd(struct netstack *ns, uint32_t dst_be, uint8_t prefixlen, uint32_t gw_be,
    struct ifnet *ifp);
int in_rtadd_default(struct netstack *ns, uint32_t gw_be);
/* => ESRCH */
int in_rtdel(struct netstack *ns, uint32_t dst_be, uint8_t prefixlen);

/* Static neighbour entries. => EINVAL: not an ethernet, or a group address; ENOBUFS, ESRCH */
int in_neigh_add(struct ifnet *ifp, uint32_t addr_be, const uint8_t lladdr[6]);
int in_neigh_del(struct ifnet *ifp, uint32_t addr_be);

/* The address among ifp's, or NULL; ifp NULL: any interface's. */
struct in_ifaddr *in_ifaddr_find(struct netstack *ns, const struct ifnet *ifp, uint32_t addr_be);
/* The first address of ifp, preferring one whose network holds dst. NULL: none. */
struct in_ifaddr *in_ifaddr_best(const struct ifnet *ifp, uint32_t dst_be);
bool in_addr_islocal(struct netstack *ns, uint32_t addr_be);
/* The limited broadcast address, or that of a network of ours. */
bool in_addr_isbroadcast(struct netstack *ns, uint32_t addr_be);

/* An interface goes: its addresses go. */
void in_ifdetach(struct ifnet *ifp);

static inline struct rt_addr
in_rtkey(uint32_t addr_be)
{
	return (struct rt_addr){{addr_be, 0, 0, 0}};
}

static inline struct in_ifaddr *
ifatoia(struct ifaddr *ifa)
{
	return (struct in_ifaddr *)(void *)ifa;
}

#endif /* NETINET_IN_VAR_H */
