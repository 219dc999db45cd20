/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only way by which TCP and UDP reach an address family, so that they need not know which.
 *
 * An address is four words as they stand on the wire; IPv4 uses the first, the rest are zero, so
 * that comparing and hashing are blind to the family.
 */
#ifndef NETINET_IN_AFOPS_H
#define NETINET_IN_AFOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>

struct ifnet;
struct inpcb;
struct mbuf;
struct netstack;

struct in_addrany {
	uint32_t ia_w[4];
};

static inline bool
in_addrany_eq(const struct in_addrany *a, const struct in_addrany *b)
{
	return a->ia_w[0] == b->ia_w[0] && a->ia_w[1] == b->ia_w[1] && a->ia_w[2] == b->ia_w[2] &&
	    a->ia_w[3] == b->ia_w[3];
}

static inline bool
in_addrany_isany(const struct in_addrany *a)
{
	return (a->ia_w[0] | a->ia_w[1] | a->ia_w[2] | a->ia_w[3]) == 0;
}

/* An address and a port in host order. */
struct in_endpoint {
	struct in_addrany ie_addr;
	uint16_t ie_port;
};

/*
 * What the network layer tells a transport of a packet it hands up. The mbuf still begins with the
 * network header, rx_hlen bytes of it contiguous; the transport pulls up its own.
 */
struct in_rxinfo {
	const struct in_afops *rx_af;
	struct ifnet *rx_ifp;
	struct in_addrany rx_src;
	struct in_addrany rx_dst;
	uint16_t rx_hlen; /* bytes of network header (with options) at the front of the mbuf */
	uint32_t rx_len;  /* bytes behind it, from the validated length field */
	uint8_t rx_proto;
	uint8_t rx_ttl;
	uint8_t rx_tos; /* traffic class with the ECN bits */
	bool rx_frag;   /* it came in fragments (IPv6) */
	bool rx_bcast;  /* sent to a broadcast or multicast address, or in such a frame */
};

/* How a packet is to leave. */
struct in_txinfo {
	struct netstack *tx_ns;
	const struct in_afops *tx_af; /* of a pcb: the family of the addresses */
	struct in_addrany tx_src;     /* any: chosen by the route */
	struct in_addrany tx_dst;
	struct ifnet *tx_ifp; /* the interface to leave by; NULL: by route */
	bool tx_srcsaid;      /* a control message says source and interface (IPV6_PKTINFO) */
	struct inpcb *tx_inp; /* its route cache is used; NULL: none */
	uint16_t tx_boundif;  /* not 0, and no tx_ifp: the only interface allowed is gone */
	uint8_t tx_proto;
	uint8_t tx_ttl;  /* 0: the stack's default */
	bool tx_ttlsaid; /* it is this packet's alone (the control message IP_TTL) */
	uint8_t tx_tos;
	bool tx_df;          /* do not fragment */
	uint8_t tx_pmtudisc; /* BSD_IP_PMTUDISC_*: DF of datagrams */
	bool tx_bcast;       /* SO_BROADCAST: a broadcast destination is allowed */
	bool tx_dontroute;   /* SO_DONTROUTE: directly attached destinations only */
	bool tx_mcastloop;   /* loop multicast back to ourselves */
	bool tx_hostonly;    /* and do not let it out: IP_MULTICAST_TTL 0 */
};

/* What earlier connections found out about a path (RFC 9040). 0: not known. */
struct in_pathmetrics {
	uint32_t pm_rtt_us;
	uint32_t pm_rttvar_us;
	uint32_t pm_ssthresh; /* bytes */
	uint32_t pm_cwnd;
};

struct in_afops {
	int af_family;
	uint8_t af_hdrlen; /* bytes of a network header without options */
	uint8_t af_addrlen;
	bool af_udpneedsum; /* UDP without a checksum is not to be taken (RFC 8200 §8.1) */
	/*
	 * A sockaddr to an endpoint, and back.
	 * => EINVAL: sa_len wrong; EAFNOSUPPORT: another family.
	 */
	int (*af_parse)(const struct bsd_sockaddr *sa, struct in_endpoint *ep);
	void (*af_emit)(const struct in_endpoint *ep, union bsd_sockaddr_any *sa);
	/*
	 * An address that means something on one link only and does not say which gets that of the
	 * interface (0: none is known). => EINVAL: it needs one. NULL: there are no such addresses
	 */
	int (*af_setscope)(struct in_addrany *a, uint32_t ifindex);
	/* Is it an address of an interface of ours / multicast / broadcast anywhere? */
	bool (*af_islocal)(struct netstack *ns, const struct in_addrany *a);
	bool (*af_ismulticast)(const struct in_addrany *a);
	bool (*af_isbroadcast)(struct netstack *ns, const struct in_addrany *a);
	/* What connecting or sending to the unspecified address means: ourselves. */
	struct in_addrany (*af_loopback)(void);
	/*
	 * The source address for a destination: that of the route's interface, or of ifp.
	 * => EHOSTUNREACH or ENETUNREACH: no route; EADDRNOTAVAIL: no address there.
	 */
	int (*af_selectsrc)(struct netstack *ns, const struct in_addrany *dst, struct ifnet *ifp,
	    struct in_addrany *src);
	/*
	 * The interface by which a destination is reached, the path's MTU (bytes of network
	 * packet), and whether the destination is on a directly attached network. ifp: out by it;
	 * NULL: by route. => NULL: no route.
	 */
	struct ifnet *(*af_route)(struct netstack *ns, const struct in_addrany *dst,
	    struct ifnet *ifp, uint32_t *mtu, bool *direct);
	/*
	 * A packet of `was` bytes did not pass on the path to dst, whose next hop takes mtu bytes
	 * (0: not told). From now on af_route tells, and af_output keeps to, what is less than
	 * `was`. => the caller has made sure that the error is about a packet of its own (RFC 5927
	 * §7); nothing is ever raised; without memory nothing is remembered
	 */
	void (*af_setmtu)(struct netstack *ns, const struct in_addrany *dst, uint32_t mtu,
	    uint32_t was);
	/* The metrics of the path to dst, all 0 where nothing is known; and new ones, to be mixed in. */
	void (*af_getmetrics)(struct netstack *ns, const struct in_addrany *dst,
	    struct in_pathmetrics *pm);
	void (*af_putmetrics)(struct netstack *ns, const struct in_addrany *dst,
	    const struct in_pathmetrics *pm);
	/*
	 * The pseudo-header's sum as it stands in the checksum field with M_CSUM_NEEDED: folded,
	 * host order, not complemented. It is a number, not a partial sum of cksum.h.
	 */
	uint32_t (*af_pseudo)(const struct in_addrany *src, const struct in_addrany *dst,
	    uint32_t len, uint8_t proto);
	/*
	 * Prepends the network header and sends. m begins with the transport header, has a pkthdr
	 * and, when M_CSUM_NEEDED, csum_offset from the transport header; csum_start is set here.
	 * Consumes m. => EMSGSIZE (with tx_df), ENETUNREACH, EHOSTUNREACH, ENOBUFS, EACCES, ...
	 */
	int (*af_output)(struct mbuf *m, const struct in_txinfo *tx);
	/* ICMP "port unreachable" for the received packet m (borrowed), rate-limited. */
	void (*af_unreach_port)(struct mbuf *m, const struct in_rxinfo *rx);
	/* Control messages of datagrams; see in_pcb.h. */
	int (*af_savecontrol)(const struct inpcb *inp, const struct in_rxinfo *rx,
	    struct mbuf **controlp);
	int (*af_txcontrol)(const struct inpcb *inp, const struct mbuf *control,
	    struct in_txinfo *tx);
	/* Does a datagram socket's filter of groups let it have the packet? */
	bool (*af_iswanted)(const struct inpcb *inp, const struct in_rxinfo *rx);
	/* A datagram socket goes: it leaves all groups. => inp_ppcb is there */
	void (*af_leaveall)(struct inpcb *inp);
	/* Protocol-level socket options that belong to the network layer (IP_TTL, IP_TOS, ...). */
	int (*af_ctloutput)(struct inpcb *inp, void *sopt);
};

extern const struct in_afops in4_afops;

/* Handlers that a transport offers the network layers, by protocol number. */
enum in_ctl {
	IN_CTL_PORTUNREACH,
	IN_CTL_HOSTUNREACH,
	IN_CTL_NETUNREACH,
	IN_CTL_PROTOUNREACH,
	IN_CTL_PROHIB,
	IN_CTL_MSGSIZE, /* arg: the next hop's MTU, 0 unknown */
	IN_CTL_TIMXCEED,
	IN_CTL_PARAMPROB,
	IN_CTL_COUNT
};

struct in_ctlinfo {
	const struct in_afops *ci_af;
	enum in_ctl ci_ctl;
	uint32_t ci_arg;
	uint32_t ci_pktlen;       /* bytes of the network packet that the error is about */
	struct in_addrany ci_src; /* ours */
	struct in_addrany ci_dst; /* the peer */
	const uint8_t *ci_head;   /* the start of the transport header we sent */
	size_t ci_headlen;        /* at least 8 */
	/* For queues of errors (in_errq.c): the message, who sent it, and what it quotes. */
	int ci_errno; /* as Linux tells it to who asks */
	bool ci_soft; /* it may pass (RFC 1122 §3.2.2.1): only a queue tells it */
	uint8_t ci_type;
	uint8_t ci_code;
	uint32_t ci_info;              /* the MTU, or the pointer of a parameter problem */
	const struct in_rxinfo *ci_rx; /* of the message */
	const struct mbuf *ci_m;       /* ci_head begins at its byte ci_off */
	size_t ci_off;
};

struct in_transport {
	uint8_t it_proto;
	/* Consumes m. rx is borrowed. */
	void (*it_input)(struct mbuf *m, const struct in_rxinfo *rx);
	/* An ICMP error about a packet we sent. ci is borrowed. */
	void (*it_ctlinput)(struct netstack *ns, const struct in_ctlinfo *ci);
	/* Is there a pcb that m, borrowed and not yet checked, is for? NULL: it has none. */
	bool (*it_owns)(const struct mbuf *m, const struct in_rxinfo *rx);
};
/* Tables of udp_usrreq.c and tcp_usrreq.c. */
extern const struct in_transport udp_transport;
extern const struct in_transport tcp_transport;

#endif /* NETINET_IN_AFOPS_H */
