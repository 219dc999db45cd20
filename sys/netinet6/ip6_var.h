/* SPDX-License-Identifier: BSD-2-Clause */
/* What IPv6, ICMPv6 and Neighbour Discovery keep for a stack, and how their files reach each other. */
#ifndef NETINET6_IP6_VAR_H
#define NETINET6_IP6_VAR_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/pool.h"
#include "kern/queue.h"
#include "kern/sysctl.h"
#include "netinet/ip_var.h"
#include "netinet6/in6_var.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"

struct llentry;
struct mbuf;

enum ip6_stat {
#define STAT(name, text) IP6STAT_##name,
#include "netinet6/ip6_stat.def"
#undef STAT
	IP6STAT_COUNT
};

enum icmp6_stat {
#define STAT(name, text) ICMP6STAT_##name,
#include "netinet6/icmp6_stat.def"
#undef STAT
	ICMP6STAT_COUNT
};

#define IP6STAT_INC(ns, name) ((void)((ns)->ns_inet6->i6_ip6stat[IP6STAT_##name]++))
#define ICMP6STAT_INC(ns, name) ((void)((ns)->ns_inet6->i6_icmp6stat[ICMP6STAT_##name]++))

#define IP6_NIDS 1024 /* counters of identifications, by keyed hash of the ends (RFC 7739 §5.3) */

/* Most bytes of extension headers of a packet, and most headers (RFC 8504 §5.3). */
#define IP6_EXT_BYTES_MAX 256
#define IP6_EXT_COUNT_MAX 8

/* Reassembly (frag6.c) */
#define IP6Q_HASHSIZE 64u
LIST_HEAD(ip6q_list, ip6q);
TAILQ_HEAD(ip6q_queue, ip6q);
struct frag6 {
	struct pool f6_pool;
	struct ip6q_list f6_hash[IP6Q_HASHSIZE];
	struct ip6q_queue f6_queue; /* oldest first */
	uint32_t f6_count;          /* datagrams */
	uint32_t f6_bytes;          /* storage held */
	/* net.inet6.ip6.* */
	uint32_t f6_maxdatagrams;
	uint32_t f6_maxpersource;
	uint32_t f6_maxfrags;
	uint32_t f6_maxbytes;
	uint32_t f6_timeout_ms;
};

/* Raw and ICMPv6 sockets (raw_ip6.c) */
struct rip6_state {
	struct inpcbtable r6_raw;
	struct inpcbtable r6_icmp;
};

#define IN6_SECRET_MAX 65 /* bytes, with the NUL */

struct in6_state {
	struct netstack *i6_ns;
	struct frag6 i6_frag6;
	uint64_t i6_ip6stat[IP6STAT_COUNT];
	uint64_t i6_icmp6stat[ICMP6STAT_COUNT];
	struct sysctl_table i6_ip6stat_sysctls;
	struct sysctl_table i6_icmp6stat_sysctls;
	struct sysctl_table i6_sysctls;
	struct rip6_state i6_rip6;
	struct pool i6_ifapool;
	struct pool i6_routerpool;
	struct pool i6_prefixpool;
	struct nd_defrouter_list i6_routers;
	uint32_t i6_nrouters;
	uint8_t i6_key[16]; /* of all hashes here */
	uint32_t i6_ids[IP6_NIDS];
	struct icmp_bucket i6_icmpbuckets[ICMP_NBUCKETS];
	/* settings */
	uint32_t i6_hlim;               /* net.inet6.ip6.hlim */
	uint32_t i6_dad_count;          /* net.inet6.ip6.dad_count */
	uint32_t i6_accept_rtadv;       /* net.inet6.ip6.accept_rtadv */
	uint32_t i6_use_stableaddr;     /* net.inet6.ip6.use_stableaddr */
	char i6_secret[IN6_SECRET_MAX]; /* net.inet6.ip6.stableaddr_secret; "": none yet */
	uint32_t i6_maxsocksrc;         /* net.inet6.ip6.mcast.maxsocksrc: of a membership */
	uint32_t i6_maxrouters;
	uint32_t i6_maxprefixes;
	uint32_t i6_maxautoaddrs;
	uint32_t i6_icmplim; /* net.inet6.icmp6.errppslimit: to one destination, a second */
	uint32_t i6_nd_reach_ms;
	uint32_t i6_nd_retrans_ms;
	uint32_t i6_nd_stale_s;
	uint32_t i6_nd_down_s;
	uint32_t i6_nd_mmaxtries; /* net.inet6.icmp6.nd6_mmaxtries */
	uint32_t i6_nd_umaxtries; /* net.inet6.icmp6.nd6_umaxtries */
};

/* raw_ip6.c; within in6_init, in6_fini. => ENOMEM, ENOBUFS */
int rip6_init(struct netstack *ns, struct rip6_state *r6);
void rip6_fini(struct rip6_state *r6);
/*
 * A copy of m (borrowed, begins with its IPv6 header; its checksum is right) to each that wants it. => false:
 * nobody does
 */
bool rip6_input(const struct mbuf *m, const struct in_rxinfo *rx);
/* An echo reply, to the ICMPv6 socket of that identifier. Consumes m. */
void icmp6_sock_input(struct mbuf *m, const struct in_rxinfo *rx, uint16_t id);
/* An ICMPv6 error about a packet of that protocol. => false: nobody sends such */
bool rip6_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci, uint8_t proto);
extern const struct pr_usrreqs rip6_usrreqs;
extern const struct pr_usrreqs icmp6_usrreqs;
int rip6_ctloutput(struct socket *so, struct sockopt *sopt);

/* in6_ifid.c: the identifier of an address, behind its prefix. => true: opaque, by the number of conflicts */
bool in6_ifid_make(const struct ifnet *ifp, uint32_t a[4], uint32_t conflicts);

/* ip6_input.c */
void ip6_input(struct ifnet *ifp, struct mbuf *m);

/* ip6_ext.c, frag6.c */
/* Where a packet's headers have been walked to. */
struct ip6_chain {
	uint8_t ic_nxt;     /* what stands at ic_off */
	bool ic_fragment;   /* there has been a fragment header */
	uint32_t ic_off;    /* bytes before it, contiguous */
	uint32_t ic_nxtoff; /* of the byte that names it */
	unsigned ic_count;  /* extension headers so far */
};
/*
 * Walks the extension headers of a packet for us; *ip6 is its header, with scopes. => the packet, with
 * ic_off bytes contiguous, ic_nxt no extension header; NULL: kept for reassembly, or dropped
 */
struct mbuf *ip6_ext_walk(struct ifnet *ifp, struct mbuf *m, const struct ip6_hdr *ip6,
    struct ip6_chain *ic);
/*
 * Takes a packet whose fragment header stands at ic_off. => the whole datagram without it, ic_nxt what
 * follows, when it is complete; else NULL: m was kept or dropped
 */
struct mbuf *frag6_input(struct ifnet *ifp, struct mbuf *m, const struct ip6_hdr *ip6,
    struct ip6_chain *ic);

/* => ENOMEM */
int frag6_init(struct netstack *ns, struct frag6 *f6);
void frag6_fini(struct netstack *ns);
/* Forgets the fragments that came in by ifp. */
void frag6_ifdetach(struct ifnet *ifp);

/* ip6_output.c: in_afops.h, af_output */
int ip6_output(struct mbuf *m, const struct in_txinfo *tx);
/* The next hop of a destination. */
struct ip6_route {
	struct ifnet *ro_ifp; /* to send by; lo0, or the link of a scoped address, for ourselves */
	uint32_t ro_nexthop[4];
	uint32_t ro_mtu;
	bool ro_direct; /* no gateway */
	bool ro_local;
};
/*
 * ifp not NULL: out by it, by its best route or, without one, as if dst were on its link.
 * => ENETUNREACH, EHOSTUNREACH
 */
int ip6_route(struct netstack *ns, const uint32_t dst[4], struct ifnet *ifp, struct ip6_route *ro);
/* => EADDRNOTAVAIL: there is no address for it */
int ip6_selectsrc(struct netstack *ns, const struct ip6_route *ro, const uint32_t dst[4],
    uint32_t src[4]);
/*
 * Puts the header on and sends it by that route, whole or in pieces; src may be unspecified. Consumes
 * m. => as ip6_output
 */
int ip6_output_packet(struct mbuf *m, const struct in_txinfo *tx, struct ip6_route *ro,
    const uint32_t src[4]);
/* The MTU of packets on the interface's link. */
uint32_t in6_linkmtu(const struct ifnet *ifp);

/* icmp6.c, icmp6_error.c */
/* Consumes m, which begins with its IPv6 header (rx_hlen bytes with extension headers). */
void icmp6_input(struct mbuf *m, const struct in_rxinfo *rx);
/*
 * An ICMPv6 error about m (borrowed), which begins with its IPv6 header as on the wire, if RFC 4443
 * §2.4 (e) and the rate limit allow one. word is the second word of the message.
 */
void icmp6_error(struct ifnet *ifp, const struct mbuf *m, uint8_t type, uint8_t code,
    uint32_t word);
/*
 * An ICMPv6 error of ours to ourselves, by the loopback, about m (borrowed), which was to leave by ifp:
 * so whoever sent it hears of it as of a router's error.
 */
void icmp6_error_self(struct ifnet *ifp, const struct mbuf *m, uint8_t type, uint8_t code);
/* A message of len bytes, with room for headers in front. => NULL: no memory, counted */
struct mbuf *icmp6_message(struct netstack *ns, const void *msg, size_t len);
/* Sends a message, its sum made here; its first ICMP6_HDR_LEN bytes can be written. Consumes m. => errno */
int icmp6_output(struct mbuf *m, const struct in_txinfo *tx);
/*
 * The same on the link of ifp, with the hop limit of its protocol, from src, which may be unspecified.
 */
int icmp6_link_output(struct mbuf *m, struct ifnet *ifp, const uint32_t src[4],
    const uint32_t dst[4]);

/* nd6.c: neighbours */
/* net_state.h: np_resolve */
int nd6_resolve(struct ifnet *ifp, struct mbuf *m, const struct bsd_sockaddr *dst,
    uint8_t lladdr[6]);
void nd6_timer(struct llentry *lle);
/* => NULL: the interface has no neighbours */
struct lltable *nd6_table(const struct ifnet *ifp);
struct llentry *nd6_lookup(const struct ifnet *ifp, const uint32_t addr[4]);
/* Between solicitations, and how long an answer may take. */
uint64_t nd6_retrans_ns(const struct ifnet *ifp);
/* What a message tells of its sender's station, unproven (RFC 4861 §7.2.3, §6.3.4). */
void nd6_learn(struct ifnet *ifp, const uint32_t addr[4], const uint8_t lladdr[6]);
/* What an advertisement says (RFC 4861 §7.2.5). lladdr NULL: no station */
void nd6_advertised(struct ifnet *ifp, const uint32_t addr[4], const uint8_t *lladdr,
    uint32_t flags);

/* nd6_nbr.c: solicitations, advertisements, and addresses being probed */
#define ND_MESSAGE_MAX 1500u
struct nd_message {
	size_t nm_len;
	struct nd_opts nm_opts; /* into nm_bytes */
	uint8_t nm_bytes[ND_MESSAGE_MAX];
};
/* Copies out a message that has min bytes before its options. => false: to be dropped whole */
bool nd6_message(struct mbuf *m, const struct in_rxinfo *rx, size_t min, struct nd_message *nm);
/* These consume m. */
void nd6_ns_input(struct mbuf *m, const struct in_rxinfo *rx);
void nd6_na_input(struct mbuf *m, const struct in_rxinfo *rx);
/* Asks for target: everybody, or its station itself. */
void nd6_ns_send(struct ifnet *ifp, bool unicast, const uint32_t target[4]);
/* Begins to probe an address that was just set, where that is done. */
void nd6_dad_start(struct in6_ifaddr *ia);
void nd6_dad_timer(void *arg);

/* nd6_rtr.c: routers */
/* Consumes m. */
void nd6_ra_input(struct mbuf *m, const struct in_rxinfo *rx);
void nd6_rs_start(struct ifnet *ifp);
void nd6_rs_timer(void *arg);
void nd6_rtr_timer(void *arg);
/* Forgets what came from routers by ifp. */
void nd6_rtr_ifdetach(struct ifnet *ifp);
/* A neighbour no longer is a router. */
void nd6_router_gone(struct ifnet *ifp, const uint32_t addr[4]);
/* A router may be better than the one that the default route goes by. */
void nd6_router_choose(struct netstack *ns);

/* mld6.c */
void mld6_query_input(struct mbuf *m, const struct in_rxinfo *rx);
void mld6_timer(void *arg);
extern const struct in_mproto mld_mproto;
/* An interface comes to speak IPv6, or goes. */
void mld6_ifattach(struct in6_ifextra *ix);
void mld6_ifdetach(struct in6_ifextra *ix);

#endif /* NETINET6_IP6_VAR_H */
