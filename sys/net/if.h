/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ifnet: a network interface, as drivers offer it and the stack uses it.
 *
 * Theory of operation: a driver fills in the members marked (d), calls if_attach (and ether_ifattach
 * for a station address), then hands received packets to ifp->if_input. Out: the network layer
 * calls if_output with the next hop; the link layer prepends its header and calls if_transmit,
 * which fills in checksums and segments in software whatever if_capenable does not have the
 * hardware do, counts, taps and calls the driver's if_start with frames ready for the wire.
 */
#ifndef NET_IF_H
#define NET_IF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>

#include "kern/mbuf.h"
#include "kern/queue.h"

struct if_fault;
struct igmp_ifsoftc;
struct rumpus_bpf;
struct netstack;
struct in6_ifextra;
struct lltable;

#define IFNAMSIZ 16

/* if_flags */
#define IFF_UP 0x0001
#define IFF_BROADCAST 0x0002
#define IFF_LOOPBACK 0x0008
#define IFF_POINTOPOINT 0x0010
#define IFF_RUNNING 0x0040
#define IFF_NOARP 0x0080
#define IFF_PROMISC 0x0100
#define IFF_MULTICAST 0x8000

/* if_capenable: what the driver does itself */
#define IFCAP_CSUM_TX 0x0001 /* fills in M_CSUM_NEEDED */
#define IFCAP_CSUM_RX 0x0002 /* sets M_CSUM_OK */
#define IFCAP_TSO4 0x0004
#define IFCAP_TSO6 0x0008
#define IFCAP_USO 0x0010

#define IFT_ETHER 6
#define IFT_LOOP 24
#define IFT_PPP 23

/* An address of an interface. The family's own data follow in its larger structure. */
struct ifaddr {
	TAILQ_ENTRY(ifaddr) ifa_list;
	struct ifnet *ifa_ifp;
	union bsd_sockaddr_any ifa_addr;
	union bsd_sockaddr_any ifa_netmask;
	union bsd_sockaddr_any ifa_dstaddr; /* broadcast or peer */
	uint8_t ifa_prefixlen;
};

struct if_data {
	uint64_t ifi_ipackets;
	uint64_t ifi_ierrors;
	uint64_t ifi_opackets;
	uint64_t ifi_oerrors;
	uint64_t ifi_ibytes;
	uint64_t ifi_obytes;
	uint64_t ifi_imcasts;
	uint64_t ifi_omcasts;
	uint64_t ifi_iqdrops;
	uint64_t ifi_oqdrops;
};

TAILQ_HEAD(ifaddr_list, ifaddr);

struct ifnet {
	TAILQ_ENTRY(ifnet) if_list;
	struct netstack *if_ns;
	char if_xname[IFNAMSIZ]; /* (d) "tap0" */
	uint32_t if_index;
	uint8_t if_type;       /* (d) IFT_* */
	uint8_t if_addrlen;    /* bytes of a link address; 6 for ethernet */
	uint8_t if_hdrlen;     /* bytes of link header */
	uint8_t if_lladdr[6];  /* (d) ours */
	uint32_t if_flags;     /* (d) */
	uint32_t if_mtu;       /* (d) bytes of network packet */
	uint32_t if_capenable; /* (d) IFCAP_* */
	uint32_t if_tsomax;    /* (d) most bytes of a TSO packet, headers included; 0: 65535 */
	struct ifaddr_list if_addrs;
	struct lltable *if_lltable;   /* IPv4 neighbours; NULL: none needed */
	struct in6_ifextra *if_inet6; /* NULL: it does not speak IPv6 */
	struct igmp_ifsoftc *if_igmp; /* IPv4 groups; NULL: none so far */
	struct if_data if_data;
	struct rumpus_bpf *if_bpf; /* taps (net/bpf.h); NULL: none */
	void *if_softc;            /* (d) the driver's */
	struct if_fault *if_fault; /* the bad link in front of it (dev/fault), or NULL */

	/* A packet from the wire. Consumes m; set by ether_ifattach or by a point-to-point driver. */
	void (*if_input)(struct ifnet *ifp, struct mbuf *m);
	/* Link layer: m is a network packet for next hop dst. Consumes m. => errno, counted. */
	int (*if_output)(struct ifnet *ifp, struct mbuf *m, const struct bsd_sockaddr *dst);
	/*
	 * (d) The driver: send this frame now or queue it. Consumes m. The frame fits the MTU, or
	 * M_CSUM_TSO is set and the driver has IFCAP_TSO. => ENOBUFS: dropped, and counted by if.c.
	 */
	int (*if_start)(struct ifnet *ifp, struct mbuf *m);
	/* (d) End of a burst of if_start: flush what the driver gathered. NULL: nothing to do. */
	void (*if_flush)(struct ifnet *ifp);
	/* (d) Up, down, MTU or promiscuity changed. NULL: nothing to do. => errno refuses it. */
	int (*if_ioctl)(struct ifnet *ifp);
	/* (d) The stack lets go of the interface: free it. NULL: nothing to do. */
	void (*if_detached)(struct ifnet *ifp);
	bool if_needflush; /* set by if_transmit; cleared by if_flush_all */
};

/* Names ifp, before if_attach. => EINVAL: empty, or too long */
int if_setname(struct ifnet *ifp, const char *name);
/*
 * Enters ifp in its stack and gives it an index. => ifp->if_ns and the (d) members are set.
 * EEXIST: the name is taken.
 */
int if_attach(struct netstack *ns, struct ifnet *ifp);
/* Takes it out: addresses, routes, neighbours and queued packets that refer to it go. */
void if_detach(struct ifnet *ifp);
struct ifnet *if_byname(struct netstack *ns, const char *name);
struct ifnet *if_byindex(struct netstack *ns, uint32_t index);
/* Sets or clears IFF_UP. => the driver's errno. */
int if_setup(struct ifnet *ifp, bool up);

/*
 * Makes ifp an ethernet station: if_input, if_output, neighbours. lladdr NULL: a random address,
 * locally administered. => ENOMEM.
 */
int ether_ifattach(struct ifnet *ifp, const uint8_t lladdr[6]);
void ether_ifdetach(struct ifnet *ifp);

/* Is the packet in the frame, behind the link header, one of IPv6? => the frame holds one */
bool if_frame_isip6(const struct ifnet *ifp, const struct mbuf *m);
/* Frame to the driver, after software checksum and segmentation as needed. Consumes m. */
int if_transmit(struct ifnet *ifp, struct mbuf *m);
/* Ends the burst on every interface that was sent to. Called by netstack_run's end. */
void if_flush_all(struct netstack *ns);

/* The loopback interface "lo0"; one is made with each stack. */
struct ifnet *if_loop(struct netstack *ns);

#endif /* NET_IF_H */
