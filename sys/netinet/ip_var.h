/* SPDX-License-Identifier: BSD-2-Clause */
/* What IPv4, ICMP and ARP keep for a stack, and the functions by which their files reach each other. */
#ifndef NETINET_IP_VAR_H
#define NETINET_IP_VAR_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/pool.h"
#include "kern/queue.h"
#include "kern/sysctl.h"
#include "netinet/igmp_var.h"
#include "netinet/in_afops.h"
#include "netinet/in_pcb.h"
#include "wire/ipv4.h"

struct ifnet;
struct in_ifaddr;
struct mbuf;
struct netstack;
struct sockopt;

enum ip_stat {
#define STAT(name, text) IPSTAT_##name,
#include "netinet/ip_stat.def"
#undef STAT
	IPSTAT_COUNT
};

enum icmp_stat {
#define STAT(name, text) ICMPSTAT_##name,
#include "netinet/icmp_stat.def"
#undef STAT
	ICMPSTAT_COUNT
};

enum arp_stat {
#define STAT(name, text) ARPSTAT_##name,
#include "netinet/arp_stat.def"
#undef STAT
	ARPSTAT_COUNT
};

#define IPSTAT_INC(ns, name) ((void)((ns)->ns_inet->is_ipstat[IPSTAT_##name]++))
#define ICMPSTAT_INC(ns, name) ((void)((ns)->ns_inet->is_icmpstat[ICMPSTAT_##name]++))
#define ARPSTAT_INC(ns, name) ((void)((ns)->ns_inet->is_arpstat[ARPSTAT_##name]++))

#define IP_NTRANSPORTS 8
#define IP_NIDS 1024 /* counters of identifications, by keyed hash of the destination */

/* Reassembly (ip_reass.c) */
#define IPQ_HASHSIZE 64u
LIST_HEAD(ipq_list, ipq);
TAILQ_HEAD(ipq_queue, ipq);

struct ip_reass {
	struct pool ipr_pool;
	struct ipq_list ipr_hash[IPQ_HASHSIZE];
	struct ipq_queue ipr_queue; /* oldest first */
	uint32_t ipr_count;         /* datagrams */
	uint32_t ipr_bytes;         /* storage held */
	/* net.inet.ip.* */
	uint32_t ipr_maxdatagrams;
	uint32_t ipr_maxpersource;
	uint32_t ipr_maxfrags;
	uint32_t ipr_maxbytes;
	uint32_t ipr_timeout_ms;
};

/* Raw and ICMP sockets (raw_ip.c) */
struct rip_state {
	struct inpcbtable rs_raw;
	struct inpcbtable rs_icmp;
	struct sysctl_table rs_sysctls;
	uint32_t rs_sendspace; /* net.inet.raw.maxdgram */
	uint32_t rs_recvspace;
};

/* What is known of paths (ip_hostcache.c) */
#define HC_HASHSIZE 512u
LIST_HEAD(ip_host_list, ip_host);
TAILQ_HEAD(ip_host_queue, ip_host);

struct ip_hostcache {
	struct pool hc_pool;
	struct ip_host_list hc_hash[HC_HASHSIZE];
	struct ip_host_queue hc_queue;
	struct callout hc_expire;
	struct sysctl_table hc_sysctls;
	uint32_t hc_count;
	uint32_t hc_limit;
	uint32_t hc_expire_s;
	uint32_t hc_enable;
};

/* A limit on ICMP errors to one destination: a bucket by keyed hash (ip_icmp.c). */
#define ICMP_NBUCKETS 256u
struct icmp_bucket {
	uint64_t ib_since_ns;
	uint32_t ib_left; /* errors that may still be sent in this period */
};

struct inet_state {
	struct netstack *is_ns;
	uint64_t is_ipstat[IPSTAT_COUNT];
	uint64_t is_icmpstat[ICMPSTAT_COUNT];
	uint64_t is_arpstat[ARPSTAT_COUNT];
	struct sysctl_table is_ipstat_sysctls;
	struct sysctl_table is_icmpstat_sysctls;
	struct sysctl_table is_arpstat_sysctls;
	struct sysctl_table is_sysctls;
	const struct in_transport *is_transports[IP_NTRANSPORTS];
	uint32_t is_ntransports;
	struct pool is_ifapool;
	struct ip_reass is_reass;
	struct ip_hostcache is_hostcache;
	struct rip_state is_rip;
	struct in_mcast is_mcast;
	struct igmp_state is_igmp;
	uint8_t is_key[16]; /* of all hashes here */
	uint16_t is_ids[IP_NIDS];
	struct icmp_bucket is_icmpbuckets[ICMP_NBUCKETS];
	/* settings */
	uint32_t is_ttl;          /* net.inet.ip.ttl */
	uint32_t is_icmplim;      /* net.inet.icmp.errppslimit: to one destination, a second */
	uint32_t is_arp_reach_s;  /* net.inet.arp.reachable */
	uint32_t is_arp_stale_s;  /* net.inet.arp.keep */
	uint32_t is_arp_down_s;   /* net.inet.arp.down */
	uint32_t is_arp_maxtries; /* net.inet.arp.maxtries */
	uint32_t is_errqlen;      /* net.inet.ip.errqlen: errors queued for a socket */
	uint32_t is_errqtotal;    /* net.inet.ip.errqtotal: and for all */
	uint32_t is_nerrq;
};

/* in.c: IPv4, ICMP and ARP as a whole; before the transports, after net_init. => ENOMEM, ENOBUFS */
int in_init(struct netstack *ns);
void in_fini(struct netstack *ns);
/* A transport takes part. => ENOBUFS: too many */
int in_transport_register(struct netstack *ns, const struct in_transport *it);
const struct in_transport *in_transport_find(const struct netstack *ns, uint8_t proto);

/* ip_input.c */
/*
 * Is a whole datagram another sister's (net/stray.h)? => true: m has been passed on, and consumed.
 * it: its transport, or NULL
 */
bool ip_stray(struct mbuf *m, const struct in_rxinfo *rx, const struct in_transport *it);
/* Is it an echo request, which only one stack of a host is to answer? hlen: bytes before ICMP's header */
bool ip_stray_isecho(const struct mbuf *m, uint8_t proto, uint32_t hlen);
void ip_input(struct ifnet *ifp, struct mbuf *m);

/* ip_reass.c */
int ip_reass_init(struct netstack *ns);
void ip_reass_fini(struct netstack *ns);
/*
 * Takes a fragment (ip: its parsed header, ip_hl bytes of it contiguous). => the whole datagram
 * with one header, when it is complete; else NULL: m was kept or dropped
 */
struct mbuf *ip_reass(struct netstack *ns, struct mbuf *m, const struct ipv4_hdr *ip);
/* Forgets the fragments that came in by ifp. */
void ip_reass_ifdetach(struct ifnet *ifp);

/* ip_hostcache.c */
int ip_hostcache_init(struct netstack *ns);
void ip_hostcache_fini(struct netstack *ns);
/*
 * Of the path to an IPv6 address, or an IPv4 one as IPv6 maps it (in4_mapped).
 * => 0: nothing is known of the path
 */
uint32_t in_hostcache_mtu(struct netstack *ns, const uint32_t dst[4]);
/* in_afops.h: af_setmtu */
void in_hostcache_setmtu(struct netstack *ns, const uint32_t dst[4], uint32_t mtu, uint32_t was);
/* What connections found out, all 0 where nothing is known; each new value counts for half. */
void in_hostcache_getmetrics(struct netstack *ns, const uint32_t dst[4], struct in_pathmetrics *pm);
void in_hostcache_putmetrics(struct netstack *ns, const uint32_t dst[4],
    const struct in_pathmetrics *pm);

/* ip_output.c */
int ip_output(struct mbuf *m, const struct in_txinfo *tx);
/*
 * Sends a packet that begins with an IP header by a program's hand; source, identification, length
 * and checksum are filled in. Consumes m. => EINVAL: not a header; EMSGSIZE: it is never cut
 */
int ip_output_hdrincl(struct mbuf *m, const struct in_txinfo *tx);
/* The next hop of a destination. */
struct ip_route {
	struct ifnet *ir_ifp;    /* to send by; lo0 for ourselves */
	struct in_ifaddr *ir_ia; /* whose address is the source; NULL: of the destination itself */
	uint32_t ir_nexthop_be;
	uint32_t ir_mtu;
	bool ir_direct; /* no gateway */
	bool ir_local;
	bool ir_bcast;
};
/*
 * ifp not NULL: out by it, by its best route or, without one, as if dst were on its link.
 * => ENETUNREACH, EHOSTUNREACH
 */
int ip_route(struct netstack *ns, uint32_t dst_be, struct ifnet *ifp, struct ip_route *ir);
/* => EADDRNOTAVAIL: the interface has no address */
int ip_selectsrc(const struct ip_route *ir, uint32_t dst_be, uint32_t *src_be);

/* ip_icmp.c */
/* Consumes m, which begins with its IP header (rx_hlen bytes). */
void icmp_input(struct mbuf *m, const struct in_rxinfo *rx);
/*
 * An ICMP error about m (borrowed), which begins with its IP header, if RFC 1122 §3.2.2 and the
 * rate limit allow one. info is the second word of the message.
 */
void icmp_error(struct netstack *ns, const struct mbuf *m, uint8_t type, uint8_t code,
    uint32_t info);
/*
 * An ICMP error of ours to ourselves, by the loopback, about m (borrowed), which was to leave and
 * begins with its IP header: so whoever sent it hears of it as of a router's error.
 */
void icmp_error_self(struct netstack *ns, const struct mbuf *m, uint8_t type, uint8_t code);

/*
 * May one more error go to the destination that this bucket stands for? At most limit a second, and at
 * least half of that, by chance.
 */
bool icmp_bucket_take(struct netstack *ns, struct icmp_bucket *ib, uint32_t limit);

/* arp.c */
void arp_input(struct ifnet *ifp, struct mbuf *m);
/* net_state.h: np_resolve */
int arp_resolve(struct ifnet *ifp, struct mbuf *m, const struct bsd_sockaddr *dst,
    uint8_t lladdr[6]);
/* Begins to announce an address that was just set (RFC 5227 §2.3). */
void arp_announce(struct in_ifaddr *ia);

/* ip_control.c: in_pcb.h's control messages */
int ip_savecontrol(const struct inpcb *inp, const struct in_rxinfo *rx, struct mbuf **controlp);
int ip_txcontrol(const struct inpcb *inp, const struct mbuf *control, struct in_txinfo *tx);
/* For IPv6's, too. Messages for a packet: with what SO_TIMESTAMP asks for; NULL if not even that. */
int in_cmsg_begin(const struct inpcb *inp, bool wanted, struct mbuf **controlp);
/* => there is room: all that can be asked for fits */
void in_cmsg_put(struct mbuf *m, int level, int type, const void *data, size_t len);
/* Gives take each message of control. => EINVAL: malformed; take's errors */
typedef int in_cmsg_fn(const struct inpcb *inp, const struct bsd_cmsghdr *cm, const uint8_t *data,
    struct in_txinfo *tx);
int in_cmsg_walk(const struct inpcb *inp, const struct mbuf *control, struct in_txinfo *tx,
    in_cmsg_fn *take);
in_cmsg_fn ip_cmsg_take;
/* 0..255, of a byte or an int. => EINVAL */
int in_cmsg_int(const uint8_t *data, size_t len, int *value);

/* in_mcast.c */
int in_mcast_init(struct netstack *ns);
void in_mcast_fini(struct netstack *ns);
/* Does the interface hear the group? All do 224.0.0.1 (RFC 1112 §4). */
bool in_mcast_isjoined(const struct ifnet *ifp, uint32_t group_be);
/* in_afops.h: af_iswanted */
bool in_mcast_wanted(const struct inpcb *inp, const struct in_rxinfo *rx);
/* An interface goes: nothing is heard there any more; the sockets still may leave. */
void in_mcast_ifdetach(struct ifnet *ifp);
/* The options of groups that are not a number. => errno as Linux's; EPROTO: not for streams */
bool in_mcast_isopt(int name);
int in_mcast_setopt(struct inpcb *inp, const struct sockopt *sopt);
int in_mcast_getopt(const struct inpcb *inp, struct sockopt *sopt);

/* ip_sockopt.c */
int in4_ctloutput(struct inpcb *inp, void *sopt);

static inline struct in_addrany
in4_any(uint32_t addr_be)
{
	return (struct in_addrany){{addr_be, 0, 0, 0}};
}

/* ::ffff:a.b.c.d */
static inline struct in_addrany
in4_mapped(uint32_t addr_be)
{
	return (struct in_addrany){{0, 0, htobe32(0xffff), addr_be}};
}

#endif /* NETINET_IP_VAR_H */
