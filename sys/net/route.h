/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The route table: longest-prefix match, one table an address family.
 *
 * Theory of operation: a binary trie with compressed paths, so that a lookup looks at most at one
 * node for each bit in which routes differ, whatever their number. Keys are four words as they
 * stand on the wire; IPv4 uses the first, with prefixes up to 32. Each change raises the table's
 * generation; who keeps the result of a lookup keeps the generation with it and looks up again
 * when they differ (in_pcb.h: inp_route). Generation 0 never is one.
 */
#ifndef NET_ROUTE_H
#define NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/pool.h"

struct ifaddr;
struct ifnet;
struct netstack;

struct rt_addr {
	uint32_t ra_w[4]; /* as on the wire */
};

/* rt_flags */
#define RTF_UP 0x0001
#define RTF_GATEWAY 0x0002   /* rt_gateway is the next hop; else the destination is on the link */
#define RTF_HOST 0x0004      /* a full-length prefix */
#define RTF_REJECT 0x0008    /* refuse: EHOSTUNREACH */
#define RTF_CONNECTED 0x0100 /* made for an interface's address */
#define RTF_DYNAMIC 0x0010   /* learned from a router */
#define RTF_STATIC 0x0800    /* added by hand */
#define RTF_LOCAL 0x200000   /* an address of ours; rt_ifp is where it is configured */
#define RTF_BROADCAST 0x400000

struct rtentry {
	struct rt_addr rt_dst; /* bits beyond the prefix are zero */
	uint8_t rt_prefixlen;
	uint32_t rt_flags;
	struct rt_addr rt_gateway;
	struct ifnet *rt_ifp;
	struct ifaddr *rt_ifa; /* whose address is the source; NULL: any of rt_ifp */
	uint32_t rt_mtu;       /* 0: the interface's */
};

struct rtnode;

struct rtable {
	struct rtnode *rtb_root;
	uint64_t rtb_gen;   /* at least 1 */
	uint32_t rtb_count; /* routes */
	uint8_t rtb_maxlen; /* bits of a full-length prefix */
	struct pool *rtb_pool;
};

/* A trie over a pool of rtnodes (rt_pool_init); keys are at most maxlen bits. */
void rtable_init(struct rtable *rtb, struct pool *pool, uint8_t maxlen);
/* Frees all routes. */
void rtable_flush(struct rtable *rtb);
int rt_pool_init(struct pool *pool, uint32_t limit, struct alloc_fault *fault);

/*
 * Adds a copy of *rt; bits of rt_dst beyond the prefix are cleared.
 * => EEXIST: the prefix has a route; EINVAL: prefix too long; ENOBUFS
 */
int rt_add(struct rtable *rtb, const struct rtentry *rt);
/* => ESRCH: no route for exactly this prefix */
int rt_del(struct rtable *rtb, const struct rt_addr *dst, uint8_t prefixlen);
/* The route of the longest prefix that covers dst, or NULL. Valid until the table changes. */
const struct rtentry *rt_lookup(const struct rtable *rtb, const struct rt_addr *dst);
/* The route for exactly this prefix, or NULL. */
const struct rtentry *rt_find(const struct rtable *rtb, const struct rt_addr *dst,
    uint8_t prefixlen);
/*
 * Calls fn for every route in order of prefix. => fn must not change the table; a result that is
 * not 0 ends the walk and is returned
 */
int rt_walk(const struct rtable *rtb, int (*fn)(const struct rtentry *rt, void *arg), void *arg);
/* Removes every route through ifp. */
void rt_ifdetach(struct rtable *rtb, const struct ifnet *ifp);

/* The stack's table for a family, or NULL. */
struct rtable *rt_table(struct netstack *ns, int family);

#endif /* NET_ROUTE_H */
