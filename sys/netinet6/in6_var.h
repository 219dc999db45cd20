/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 addresses of interfaces, the routes that come with them, and what an interface knows of its
 * link.
 *
 * An address that means something on one link only (fe80::/10, ff01::/16, ff02::/16) carries the
 * index of its interface in its second 16 bits everywhere inside the stack, as in KAME's; on the
 * wire, in sockaddrs and in text these bits are zero. So two links' addresses never meet, and routes
 * and hashes need not know of scopes.
 */
#ifndef NETINET6_IN6_VAR_H
#define NETINET6_IN6_VAR_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/queue.h"
#include "net/if.h"
#include "net/route.h"
#include "netinet/igmp_var.h"
#include "netinet/in_afops.h"
#include "wire/ip6.h"

struct netstack;

extern const struct domain inet6domain;

/* The table by which the transports reach IPv6. */
extern const struct in_afops in6_afops;

/* IPv6 as a whole: after the Internet domain. => ENOMEM, ENOBUFS */
int in6_init(struct netstack *ns);
void in6_fini(struct netstack *ns);

#define IN6_LIFETIME_INFINITE UINT64_MAX

/* ia_flags */
#define IN6_IFF_TENTATIVE 0x0002  /* being probed: not yet ours (RFC 4862 §5.4) */
#define IN6_IFF_DUPLICATED 0x0004 /* another station has it */
#define IN6_IFF_AUTOCONF 0x0040   /* made of a router's prefix */
#define IN6_IFF_STABLE 0x0100     /* with an opaque identifier (RFC 7217) */

struct in6_ifaddr {
	struct ifaddr ia_ifa; /* first, so that an ifaddr of AF_INET6 is one of these */
	uint32_t ia_addr[4];  /* with its scope */
	uint32_t ia_flags;
	uint64_t ia_preferred_ns; /* when it is deprecated */
	uint64_t ia_valid_ns;     /* when it goes */
	struct callout ia_expire;
	struct callout ia_dad;
	uint32_t ia_dadleft;   /* probes still to be sent */
	uint32_t ia_conflicts; /* IN6_IFF_STABLE: identifiers that others had */
	uint8_t ia_nonce[6];   /* of the last one (RFC 7527) */
};

/* A router that offers itself as default (RFC 4861 §6.3.4). */
struct nd_defrouter {
	TAILQ_ENTRY(nd_defrouter) dr_list; /* of the stack; oldest first */
	struct ifnet *dr_ifp;
	uint32_t dr_addr[4]; /* with its scope */
	uint64_t dr_expire_ns;
	bool dr_installed; /* the default route goes by it */
};
TAILQ_HEAD(nd_defrouter_list, nd_defrouter);

/* A prefix that a router says is on the link. */
struct nd_onlink {
	LIST_ENTRY(nd_onlink) no_list;
	uint32_t no_prefix[4];
	uint8_t no_len;
	uint64_t no_valid_ns;
};
LIST_HEAD(nd_onlink_list, nd_onlink);

/* What an interface has when it speaks IPv6: ifp->if_inet6. */
struct in6_ifextra {
	struct ifnet *ix_ifp;
	struct lltable *ix_lltable; /* neighbours; NULL: none needed */
	struct in_multi_queue
	    ix_groups; /* that are heard there, or about which something is to be told */
	struct in_multi_queue ix_changes; /* those */
	struct callout ix_mld;            /* reports that are due */
	uint64_t ix_mldquery_ns;          /* when the answer to a query is due; 0: none asked */
	uint64_t ix_mldchange_ns; /* when the next report of changes is due; 0: there are none */
	uint8_t ix_mldrv;         /* how often each is told */
	bool ix_autoconf;         /* routers are listened to */
	bool ix_disabled;         /* the link-local address is another's (RFC 4862 §5.4.5) */
	uint32_t ix_rsleft;       /* solicitations still to be sent */
	struct callout ix_rs;
	struct callout ix_rtexpire; /* routers and prefixes whose time is over */
	struct nd_onlink_list ix_prefixes;
	uint32_t ix_nprefixes;
	uint32_t ix_mtu;          /* as a router says; 0: the interface's */
	uint32_t ix_reachable_ms; /* base; 0: the stack's */
	uint32_t ix_retrans_ms;   /* between solicitations; 0: the stack's */
	uint8_t ix_hlim;          /* 0: the stack's */
};

/*
 * Makes an interface speak IPv6: gives it a link-local address of its station's, by which it joins
 * its link. The first address set by hand does so too. => EINVAL: its MTU is below 1280; ENOMEM, ENOBUFS
 */
int in6_ifattach(struct ifnet *ifp);
/* An interface goes: its addresses go, and what it knew. */
void in6_ifdetach(struct ifnet *ifp);
/* Listens to routers, and asks for them: addresses and default routes by themselves. => as in6_ifattach */
int in6_autoconf(struct ifnet *ifp);

/*
 * Gives ifp an address and its connected route, once no other station of the link is found to have it
 * (RFC 4862 §5.4; net.inet6.ip6.dad_count 0: at once). The scope of a link-local one may be missing.
 * => EINVAL: prefix above 128, or an address that no host may have; EEXIST: we have it already;
 *    ENOBUFS, ENOMEM
 */
int in6_control_addr(struct netstack *ns, struct ifnet *ifp, const uint32_t addr[4],
    uint8_t prefixlen);
/* Takes it away, with its routes. => EADDRNOTAVAIL: ifp does not have it */
int in6_control_deladdr(struct netstack *ns, struct ifnet *ifp, const uint32_t addr[4]);

/*
 * Static routes: by a gateway that is on a connected network (a link-local one: on ifp's link), or
 * straight out of ifp (gw NULL).
 * => ENETUNREACH: the gateway is not on a connected network; EEXIST, EINVAL, ENOBUFS
 */
int in6_rtadd(struct netstack *ns, const uint32_t dst[4], uint8_t prefixlen, const uint32_t *gw,
    struct ifnet *ifp);
/* => ESRCH */
int in6_rtdel(struct netstack *ns, const uint32_t dst[4], uint8_t prefixlen);

/* Static neighbour entries. => EINVAL: not an ethernet, or a group address; ENOBUFS, ESRCH */
int in6_neigh_add(struct ifnet *ifp, const uint32_t addr[4], const uint8_t lladdr[6]);
int in6_neigh_del(struct ifnet *ifp, const uint32_t addr[4]);

/* The address among ifp's, or NULL; ifp NULL: any interface's. Tentative ones count. */
struct in6_ifaddr *in6_ifaddr_find(struct netstack *ns, const struct ifnet *ifp,
    const uint32_t addr[4]);
/* Is it ours, and not tentative? */
bool in6_addr_islocal(struct netstack *ns, const uint32_t addr[4]);
/*
 * The best source for a destination that is reached by ifp (RFC 6724 §5, rules 1 to 3, 5, 6 and 8).
 * => NULL: there is none
 */
struct in6_ifaddr *in6_selectsrc_ifa(struct netstack *ns, const struct ifnet *ifp,
    const uint32_t dst[4]);

/*
 * Another station has an address that is being probed: one with another identifier takes its place
 * (RFC 7217 §6). => false: it has none such, or has tried enough
 */
#define IN6_IDGEN_RETRIES 3
bool in6_ia_another(struct in6_ifaddr *ia);

/* How long an address lives, and its first flags. */
struct in6_ialife {
	uint64_t il_preferred_ns;
	uint64_t il_valid_ns;
	uint32_t il_flags;
};
/* An address that is known to be a good one. => ENOBUFS */
int in6_ia_add(struct ifnet *ifp, const uint32_t addr[4], uint8_t prefixlen,
    const struct in6_ialife *life);
void in6_ia_setlife(struct in6_ifaddr *ia, uint64_t preferred_ns, uint64_t valid_ns);
/* The interface that has an address of addr's network, or NULL. */
struct ifnet *in6_if_onlink(struct netstack *ns, const uint32_t addr[4]);
/* An address becomes usable: its routes are made. => ENOBUFS: it is not */
int in6_ia_addroutes(struct in6_ifaddr *ia);
/* Takes an address away. Frees ia. */
void in6_ia_remove(struct in6_ifaddr *ia);

/*
 * A group is heard for one more, or one fewer, reason of the stack's own; reports go out (mld6.c). The
 * scope may be missing. => ENOBUFS; EINVAL: not a group
 */
int in6_joingroup(struct ifnet *ifp, const uint32_t group[4]);
/* => it was joined so */
void in6_leavegroup(struct ifnet *ifp, const uint32_t group[4]);
/* Does the interface hear the group? All do ff02::1 and ff01::1. */
bool in6_isjoined(const struct ifnet *ifp, const uint32_t group[4]);

/* Scopes. The zone of an address, 0: it has none, or it is missing. */
static inline uint32_t
in6_zone(const uint32_t a[4])
{
	return ip6_is_scoped(a) ? betoh32(a[0]) & 0xffff : 0;
}

/* Puts the zone into an address that needs one. */
static inline void
in6_setzone(uint32_t a[4], uint32_t ifindex)
{
	if (ip6_is_scoped(a))
		a[0] = (a[0] & htobe32(0xffff0000)) | htobe32(ifindex & 0xffff);
}

/* As it is on the wire. */
static inline void
in6_clearzone(uint32_t a[4])
{
	in6_setzone(a, 0);
}

static inline struct in_addrany
in6_any(const uint32_t a[4])
{
	return (struct in_addrany){{a[0], a[1], a[2], a[3]}};
}

static inline struct rt_addr
in6_rtkey(const uint32_t a[4])
{
	return (struct rt_addr){{a[0], a[1], a[2], a[3]}};
}

static inline struct in6_ifaddr *
ifatoia6(struct ifaddr *ifa)
{
	return (struct in6_ifaddr *)(void *)ifa;
}

#endif /* NETINET6_IN6_VAR_H */
