/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What sys/net keeps for a stack, and how network protocols attach to the link layers.
 */
#ifndef NET_NET_STATE_H
#define NET_NET_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/mbuf.h"
#include "kern/sysctl.h"
#include "net/if.h"
#include "net/route.h"

struct netstack;

/* A protocol that runs right above the link layer. */
struct netproto {
	uint16_t np_ethertype;
	int np_family; /* whose next hops np_resolve knows; BSD_AF_UNSPEC: none */
	/* A packet without its link header; M_BCAST, M_MCAST tell how it was addressed. Consumes m. */
	void (*np_input)(struct ifnet *ifp, struct mbuf *m);
	/*
	 * The station of a next hop. => 0: lladdr is filled in; else m was consumed (queued until
	 * the station is known: EWOULDBLOCK; or dropped).
	 */
	int (*np_resolve)(struct ifnet *ifp, struct mbuf *m, const struct bsd_sockaddr *dst,
	    uint8_t lladdr[6]);
	/* An interface goes. NULL: nothing to do. */
	void (*np_ifdetach)(struct ifnet *ifp);
	/* IFF_UP was set or cleared. NULL: nothing to do. */
	void (*np_ifupdown)(struct ifnet *ifp);
};

#define NET_MAXPROTOS 8
#define NET_LOOPQ_MAX 4096

TAILQ_HEAD(ifnet_list, ifnet);

struct net_state {
	struct ifnet_list nst_ifs;
	uint32_t nst_nextindex;
	const struct netproto *nst_protos[NET_MAXPROTOS];
	uint32_t nst_nprotos;
	struct pool nst_rtpool;
	struct rtable nst_rtable4;
	struct rtable nst_rtable6;
	struct ifnet nst_loop;
	struct mbufq nst_loopq;         /* sent to ourselves, not yet received */
	struct rumpus_bpf *nst_bpfgone; /* taps whose interface is gone */
	struct sysctl_table nst_sysctls;
};

/* The first step of dom_init, the last of dom_fini. => ENOMEM. Makes lo0. */
int net_init(struct netstack *ns);
void net_fini(struct netstack *ns);

/* => ENOBUFS: too many. np is borrowed for the stack's life. */
int net_proto_register(struct netstack *ns, const struct netproto *np);
/* => np may not be registered. */
void net_proto_unregister(struct netstack *ns, const struct netproto *np);
const struct netproto *net_proto_byether(const struct netstack *ns, uint16_t ethertype);
const struct netproto *net_proto_byfamily(const struct netstack *ns, int family);
/* A packet of IP, told by its version, that came without link header. Consumes m. */
void net_input_ip(struct ifnet *ifp, struct mbuf *m);

/* if_loop.c */
int loop_attach(struct netstack *ns);
/* Hands queued packets up. => true: there was one. */
bool loop_netisr(struct netstack *ns);
/* A copy of what goes out by ifp comes back in by it (broadcasts to ourselves). Consumes m. */
void loop_simloop(struct ifnet *ifp, struct mbuf *m);
void loop_purge(struct netstack *ns, const struct ifnet *ifp);

#endif /* NET_NET_STATE_H */
