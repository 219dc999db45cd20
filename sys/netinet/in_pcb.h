/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Internet protocol control blocks: who owns which pair of endpoints.
 *
 * Each transport of a stack has an inpcbtable: one hash over (local, foreign) for connected pcbs and
 * one over the local port for the rest. Both grow with their load, keyed by a secret of the stack, so
 * that lookup cost stays flat and a peer cannot aim at a bucket.
 */
#ifndef NETINET_IN_PCB_H
#define NETINET_IN_PCB_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/mbuf.h"
#include "kern/pool.h"
#include "kern/queue.h"
#include "netinet/in_afops.h"

struct ifnet;
struct netstack;
struct socket;
struct sockopt;

LIST_HEAD(inpcb_list, inpcb);
LIST_HEAD(in_pair_list, in_pair);
LIST_HEAD(ip_member_list, ip_member);

struct inpcb {
	LIST_ENTRY(inpcb) inp_hash;       /* connected: by four-tuple; else by local port */
	LIST_ENTRY(inpcb) inp_lport_hash; /* every bound pcb, by local port */
	TAILQ_ENTRY(inpcb) inp_queue;     /* all of the table */
	struct netstack *inp_ns;
	struct inpcbtable *inp_table;
	const struct in_afops *inp_af;
	struct socket *inp_socket; /* NULL: the socket is gone (TIME-WAIT) */
	void *inp_ppcb; /* the transport's: struct tcpcb; datagrams: struct in_dgram, or NULL */
	struct in_addrany inp_laddr;
	struct in_addrany inp_faddr;
	uint16_t inp_lport; /* host order; 0: not bound */
	uint16_t inp_fport; /* 0: not connected */
	uint32_t inp_flags;
	uint8_t inp_ttl;    /* 0: default */
	uint8_t inp_mttl;   /* multicast */
	uint8_t inp_minttl; /* IP_MINTTL */
	uint8_t inp_tos;
	uint8_t inp_proto;    /* raw sockets: the protocol */
	uint8_t inp_pmtudisc; /* IP_PMTUDISC_* */
	uint16_t inp_boundif; /* index of the only interface to use (in_pcb_if.c); 0: any */
	union {
		uint32_t inp_icmpfilter;    /* raw sockets: ICMP types that are not wanted */
		uint32_t inp_notsent_lowat; /* TCP_NOTSENT_LOWAT; 0: none */
	};
	uint32_t inp_routemtu; /* with inp_route */
	/* As those above, for IPv6 of sockets of AF_INET6; the above are IPv4's. */
	uint8_t in6p_hops; /* 0: default */
	uint8_t in6p_mhops;
	uint8_t in6p_minhops;
	uint8_t in6p_tclass;
	uint8_t in6p_pmtudisc;
	/* IPv4's route cache, valid while ro_gen equals the table's generation (net/route.h). */
	struct {
		uint64_t ro_gen;
		struct ifnet *ro_ifp;
		uint32_t ro_dst_be;
		uint32_t ro_nexthop_be;
	} inp_route;
};

/* inp_flags */
#define INP_CONNECTED 0x0001
#define INP_ANONPORT 0x0002 /* we chose the port */
#define INP_HDRINCL 0x0004
#define INP_RECVDSTADDR 0x0008
#define INP_RECVTTL 0x0010
#define INP_RECVIF 0x0020
#define INP_PKTINFO 0x0040
#define INP_MCASTLOOP 0x0080
#define INP_BOUNDADDR 0x0100 /* bind named an address */
#define INP_RECVTOS 0x0200
#define INP_BINDANY 0x0400    /* may bind to addresses that are not ours */
#define INP_BINDNOPORT 0x0800 /* bind to an address does not choose the port yet */
#define INP_ORPHAN 0x1000     /* no descriptor of the socket is left, and it is counted */
#define INP_RECVERR 0x2000    /* errors are queued */
#define INP_MCASTALL 0x8000   /* also of groups that others on the host have joined */
/* of sockets of AF_INET6 (in_pcb_af.c) */
#define INP_V6 0x00010000      /* is one: addresses of IPv4 are shown mapped */
#define INP_DUAL 0x00020000    /* has neither address nor peer, and takes IPv4, too */
#define INP_V4BOUND 0x00040000 /* bind named an address of IPv4 */
#define IN6P_V6ONLY 0x00080000
#define IN6P_PKTINFO 0x00100000
#define IN6P_HOPLIMIT 0x00200000
#define IN6P_TCLASS 0x00400000
#define IN6P_DONTFRAG 0x00800000
#define IN6P_MCASTLOOP 0x01000000
#define IN6P_MCASTALL 0x02000000
#define IN6P_RECVERR 0x04000000
/* of datagrams */
#define INP_NOCKSUM 0x08000000    /* SO_NO_CHECK */
#define INP_RXQOVFL 0x10000000    /* SO_RXQ_OVFL; dg_ndrops counts */
#define INP_ORIGDST 0x20000000    /* IP_ORIGDSTADDR */
#define INP_FILTERLOCK 0x40000000 /* SO_LOCK_FILTER */

TAILQ_HEAD(inpcb_queue, inpcb);

/* Two endpoints that are taken though no pcb has them (TIME-WAIT); within what their owner keeps. */
struct in_pair {
	LIST_ENTRY(in_pair) ipr_hash;       /* by four-tuple */
	LIST_ENTRY(in_pair) ipr_lport_hash; /* by local port */
	const struct in_afops *ipr_af;
	struct in_addrany ipr_laddr;
	struct in_addrany ipr_faddr;
	uint16_t ipr_lport;
	uint16_t ipr_fport;
	uint16_t ipr_boundif; /* as inp_boundif and its like */
	uint8_t ipr_ttl;
	uint8_t ipr_minttl;
};

struct inpcbtable {
	struct netstack *it_ns;
	struct pool it_pool;
	struct inpcb_queue it_queue;
	uint32_t it_count;
	uint32_t it_norphans;      /* pcbs with INP_ORPHAN */
	uint32_t it_connhash_size; /* powers of two */
	uint32_t it_porthash_size;
	struct inpcb_list *it_connhash;
	struct inpcb_list *it_porthash;
	struct in_pair_list *it_pairhash;
	struct in_pair_list *it_pairporthash;
	uint32_t it_pairhash_size; /* of both; 0: there has been no pair */
	uint32_t it_npairs;
	uint8_t it_key[16];
	uint16_t it_portlo; /* net.inet.ip.portrange.first, last: ephemeral ports */
	uint16_t it_porthi;
};

int in_pcbtable_init(struct inpcbtable *table, struct netstack *ns, const char *name,
    uint32_t limit);
void in_pcbtable_fini(struct inpcbtable *table);

/* => so->so_pcb and *inpp are set. ENOBUFS. */
int in_pcballoc(struct inpcbtable *table, struct socket *so, const struct in_afops *af,
    struct inpcb **inpp);
/*
 * BSD's rules for SO_REUSEADDR and SO_REUSEPORT, of datagrams Linux's; port 0 takes a random free one
 * (RFC 6056 algorithm 1, random start). => EINVAL bound already, EADDRNOTAVAIL, EADDRINUSE.
 */
int in_pcbbind(struct inpcb *inp, const struct bsd_sockaddr *nam);
/* Is the address one to be bound? Datagrams may also be received for groups. */
bool in_pcbaddr_ok(const struct inpcb *inp, const struct in_afops *af, const struct in_addrany *a);
/*
 * Sets the foreign endpoint; chooses the local address and port where none is.
 * => EINVAL, EAFNOSUPPORT, EADDRNOTAVAIL (port 0, no local address), EADDRINUSE (same pair exists),
 *    ENETUNREACH, EHOSTUNREACH, EACCES (broadcast without SO_BROADCAST).
 */
int in_pcbconnect(struct inpcb *inp, const struct bsd_sockaddr *nam);
/* Enters a pcb whose four endpoints are already known (a connection that arrived). EADDRINUSE. */
int in_pcbconnect_pair(struct inpcb *inp, const struct in_endpoint *local,
    const struct in_endpoint *foreign);
void in_pcbdisconnect(struct inpcb *inp);
/* Unhashes and frees. The socket's so_pcb is cleared. */
void in_pcbfree(struct inpcb *inp);
/* in_mcast.c: a datagram socket leaves every group that it has joined. */
void in_mcast_leaveall(struct inpcb *inp);
/*
 * The last descriptor of the socket goes, while the connection lives on. => false: there are most
 * such pcbs already
 */
bool in_pcborphan(struct inpcb *inp, uint32_t most);
/* The socket goes, the pcb stays (TIME-WAIT, until its record takes its place). */
void in_pcbdetach_socket(struct inpcb *inp);

struct in_lookup {
	const struct in_afops *il_af;
	struct in_addrany il_laddr;
	struct in_addrany il_faddr;
	uint16_t il_lport;
	uint16_t il_fport;
	uint32_t il_ifindex; /* where the packet came in; 0: whatever a pcb is bound to */
};
/* The connected pcb of exactly these endpoints, or NULL. */
struct inpcb *in_pcblookup_connect(struct inpcbtable *table, const struct in_lookup *il);
/*
 * The best bound, unconnected one: exact local address before any, then interface before any; of several
 * with SO_REUSEPORT the sender's.
 */
struct inpcb *in_pcblookup_bind(struct inpcbtable *table, const struct in_lookup *il);
/*
 * All pcbs that are bound to a port, one after the other: NULL begins. => the next, or NULL; the
 * one given must still be bound.
 */
struct inpcb *in_pcbnext_port(const struct inpcbtable *table, uint16_t lport,
    const struct inpcb *prev);
/* The same of pairs without a pcb. in_pair_enter: => ENOMEM */
int in_pair_enter(struct inpcbtable *table, struct in_pair *ipr);
void in_pair_leave(struct inpcbtable *table, struct in_pair *ipr);
struct in_pair *in_pairlookup(const struct inpcbtable *table, const struct in_lookup *il);
const struct in_pair *in_pairnext_port(const struct inpcbtable *table, uint16_t lport,
    const struct in_pair *prev);
/*
 * Calls fn for each pcb whose pair matches, for ICMP errors; fn may free it. One without a peer is told
 * when it has a queue of errors.
 */
void in_pcbnotify(struct inpcbtable *table, const struct in_ctlinfo *ci, uint16_t lport,
    uint16_t fport, void (*fn)(struct inpcb *inp, const struct in_ctlinfo *ci));

void in_pcb_sockaddr(const struct inpcb *inp, union bsd_sockaddr_any *nam);
void in_pcb_peeraddr(const struct inpcb *inp, union bsd_sockaddr_any *nam);
/*
 * Fills what every packet of the pcb has in common: addresses, ttl, tos, options of the socket. af: the
 * family of where it goes; if that is another one than inp_af, the source is to be chosen.
 */
void in_pcb_txinfo(struct inpcb *inp, const struct in_afops *af, uint8_t proto,
    struct in_txinfo *tx);

/* The destination of one packet, and what depends on it: ttl and interface of a group's. */
void in_pcb_txdest(const struct inpcb *inp, const struct in_addrany *dst, struct in_txinfo *tx);
/*
 * Control messages: what the socket wants to be told of a packet (*controlp NULL: nothing), and what
 * a sender asked of one (control is borrowed). => ENOBUFS; EINVAL, ENXIO, EADDRNOTAVAIL
 */
int in_pcb_savecontrol(const struct inpcb *inp, const struct in_rxinfo *rx, struct mbuf **controlp);
int in_pcb_txcontrol(const struct inpcb *inp, const struct mbuf *control, struct in_txinfo *tx);
/* Options of the network layer, as the socket's domain has them. */
int in_pcb_ctloutput(struct inpcb *inp, struct sockopt *sopt);

/* in_pcb_if.c: SO_BINDTODEVICE, SO_BINDTOIFINDEX */
/* The interface. => NULL: any; or, inp_boundif not 0, it is gone */
struct ifnet *in_pcb_ifp(const struct inpcb *inp);
/* May it have a packet of that interface? 0: of whichever it is bound to */
static inline bool
in_boundif_has(uint16_t boundif, uint32_t ifindex)
{
	return boundif == 0 || ifindex == 0 || boundif == ifindex;
}
static inline bool
in_pcb_hasif(const struct inpcb *inp, uint32_t ifindex)
{
	return in_boundif_has(inp->inp_boundif, ifindex);
}
/* The two options, and those of in_pcb_opt.c. => ENODEV, EINVAL; ENOPROTOOPT: another one */
int in_pcb_ifopt(struct inpcb *inp, struct sockopt *sopt);

/* in_pcb_opt.c: other options of the level SOL_SOCKET. => ENOPROTOOPT: another one */
int in_pcb_sockopt(struct inpcb *inp, struct sockopt *sopt);
/* A datagram for the socket was dropped. */
void in_pcb_dropped(const struct inpcb *inp);

/* in_errq.c: the queue of errors of a datagram socket */
/*
 * Turns it on (ENOBUFS), or off, which empties it. flag: INP_RECVERR, IN6P_RECVERR: for errors of which
 * family
 */
int in_errq_enable(struct inpcb *inp, uint32_t flag, bool on);
/* Are errors of that family queued? */
bool in_errq_wanted(const struct inpcb *inp, const struct in_afops *af);
/* Empties it. => inp_ppcb is there */
void in_errq_drain(struct inpcb *inp);
/*
 * An ICMP error about what the socket sent to fport of ci_dst: queued, pending, and told. skip: bytes of
 * transport header in front of the socket's own data. => in_errq_wanted
 */
void in_errq_icmp(struct inpcb *inp, const struct in_ctlinfo *ci, uint16_t fport, size_t skip);
/* A datagram to fport met error when it was sent: EMSGSIZE is queued, with the MTU. => error */
int in_errq_sent(struct inpcb *inp, const struct in_txinfo *tx, uint16_t fport, int error);
/* pr_rcverr */
struct mbuf *in_errq_next(struct socket *so, bool take);

/*
 * The MTU of a path that a packet of `was` bytes did not pass: what a router told (0: nothing, the
 * next smaller common one is tried), but no less than is believed (RFC 1191 §3, §7.1).
 */
#define IN_PMTU_FLOOR 552u
uint32_t in_pmtu_next(uint32_t told, uint32_t was);
/* The BSD errno for an ICMP error, 0 when it is not to be reported. */
int in_ctl_errno(enum in_ctl ctl);

#endif /* NETINET_IN_PCB_H */
