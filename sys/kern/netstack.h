/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One instance of the stack. Everything hangs off it; two in one process never meet.
 *
 * Theory of operation: whoever runs the stack owns a thread and calls, in this order, for ever:
 * netstack_enter(now) - hand in packets, calls, upcalls - netstack_run - sleep until an event or
 * netstack_deadline. Nothing in here reads a clock or rolls dice: ns_now and the seed come in, and
 * the same inputs give the same outputs, bit for bit.
 */
#ifndef KERN_NETSTACK_H
#define KERN_NETSTACK_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/drop.h"
#include "kern/lwp.h"
#include "kern/pool.h"
#include "kern/queue.h"
#include "kern/rng.h"
#include "kern/socketvar.h"
#include "kern/sysctl.h"
#include "kern/trace.h"
#include "kern/uio.h"

struct domain;
struct ifnet;
struct mbuf;
struct proc;
struct rumpus_stray;
struct net_state;
struct inet_state;
struct in6_state;
struct tcp_state;
struct udp_state;

#define NS_MAXDOMAINS 8

struct netstack_config {
	uint8_t nc_seed[32];
	uint64_t nc_now_ns;
	const struct domain *const *nc_domains; /* NULL-terminated; initialised in this order */
	/* Pool limits; 0 takes the default. */
	uint32_t nc_nmbufs;
	uint32_t nc_nclusters; /* of 2048 bytes, and half as many of 4096 */
	uint32_t nc_njumbos;
	uint32_t nc_maxsockets;
	uint32_t nc_maxlwps;
	uint32_t nc_maxprocs;
};

struct netstack {
	uint64_t ns_now; /* ns; set on entry, constant until the next */
	struct callout_wheel ns_callouts;
	struct rng ns_rng;
	struct alloc_fault ns_fault;

	/* memory (mbuf.c) */
	struct pool ns_mbpool;
	struct pool ns_mcl2pool;
	struct pool ns_mcl4pool;
	struct pool ns_mjpool;
	uint32_t ns_mclbytes;   /* kern.mbuf.mclbytes: 2048 | 4096 */
	uint32_t ns_mclnum;     /* kern.mbuf.mclnum: clusters filled by one copy-in */
	struct waitq ns_mbwait; /* sosend sleeps here for clusters */

	uint32_t ns_maxfilesperproc; /* kern.maxfilesperproc: descriptors of a new process */

	/* lwps (lwp.c) */
	struct pool ns_lwppool;
	struct lwp_list ns_runq;
	struct lwp_list ns_idlelwps;
	struct lwp *ns_curlwp;
	struct host_context *ns_maincontext;
	uint32_t ns_nlwps;
	bool ns_more; /* netstack_run has something to do, or stopped with work left */

	/* sockets, processes, descriptors */
	struct pool ns_socketpool;
	struct pool ns_procpool;
	struct pool ns_filepool;
	struct socket_list ns_sockets;
	struct socket_list ns_rcvdq; /* data was taken, their protocols are to be told */
	TAILQ_HEAD(, proc) ns_procs;
	int32_t ns_nextpid;
	uint32_t ns_sb_max;           /* kern.ipc.maxsockbuf, bytes */
	uint32_t ns_soreceive_batch;  /* kern.soreceive.batch */
	uint32_t ns_soreceive_mclnum; /* kern.soreceive.mclnum: mbufs gathered in one copy-out */
	struct copy_stat ns_copystat;
	/* The reboot call: the owner is asked to end. NULL: refused with EPERM. */
	void (*ns_reboot)(void *arg, int how);
	void *ns_rebootarg;

	/* Passes a packet on to sister stacks (net/stray.h). NULL: there are none. */
	void (*ns_stray)(struct ifnet *ifp, const struct mbuf *m, uint16_t ethertype, int to);
	/* What that makes of it is the owner's (rumpus/stack.h). */
	void (*ns_strayfn)(void *arg, const struct rumpus_stray *rs, const struct mbuf *m);
	void *ns_strayarg;

	/* what the layers above keep */
	const struct domain *ns_domains[NS_MAXDOMAINS];
	uint32_t ns_ndomains;
	struct net_state *ns_net;   /* sys/net: interfaces, routes, netisr queue */
	struct inet_state *ns_inet; /* sys/netinet: addresses, ip, icmp, arp */
	struct in6_state *ns_inet6; /* sys/netinet6: addresses, ip6, icmp6, nd6; NULL: no IPv6 */
	struct tcp_state *ns_tcp;
	struct udp_state *ns_udp;
	/* Run by netstack_run for queued input (loopback); set by sys/net. */
	bool (*ns_netisr)(struct netstack *ns);

	uint64_t ns_drops[DROP_COUNT];
	struct trace ns_trace;
	TAILQ_HEAD(, sysctl_table) ns_sysctls;
	struct sysctl_table ns_kern_sysctls;
	struct sysctl_table ns_drop_sysctls;
};

/*
 * Makes all pools, with the limits of nc, then the stack's own parts, then each domain. => NULL: no
 * memory for the reserves, or a dom_init failed; nothing is left.
 */
struct netstack *netstack_create(const struct netstack_config *nc);
/* The variables of kern.*. => once, by netstack_create. */
void kern_sysctl_init(struct netstack *ns);
/* => no proc, socket, lwp is left; interfaces are detached by the layers' dom_fini. */
void netstack_destroy(struct netstack *ns);

/* Sets the time. It never goes back: an earlier one is taken as the present ns_now. */
static inline void
netstack_enter(struct netstack *ns, uint64_t now_ns)
{
	if (now_ns > ns->ns_now)
		ns->ns_now = now_ns;
}

/*
 * Fires the callouts that are due, then carries out queued input and runnable lwps until none is
 * left, or for so long that others should have a turn: netstack_deadline tells. Callouts that
 * become due by this wait for the next call. => not from an lwp.
 */
void netstack_run(struct netstack *ns);
/* When netstack_run must be called next at the latest, CALLOUT_NEVER, or ns_now: at once. */
uint64_t netstack_deadline(const struct netstack *ns);

#endif /* KERN_NETSTACK_H */
