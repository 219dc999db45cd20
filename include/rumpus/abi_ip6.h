/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of <rumpus/abi.h>: options of the level IPPROTO_IPV6, its control messages (RFC 3493, 3542). */
#ifndef RUMPUS_ABI_IP6_H
#define RUMPUS_ABI_IP6_H

#include <stdint.h>

enum {
	BSD_IPV6_UNICAST_HOPS = 4, /* -1: the stack's default */
	BSD_IPV6_MULTICAST_IF = 9,
	BSD_IPV6_MULTICAST_HOPS = 10,
	BSD_IPV6_MULTICAST_LOOP = 11,
	BSD_IPV6_JOIN_GROUP = 12,
	BSD_IPV6_LEAVE_GROUP = 13,
	BSD_IPV6_V6ONLY = 27,
	BSD_IPV6_RECVPKTINFO = 36,
	BSD_IPV6_RECVHOPLIMIT = 37,
	BSD_IPV6_PKTINFO = 46,
	BSD_IPV6_HOPLIMIT = 47,
	BSD_IPV6_RECVTCLASS = 57,
	BSD_IPV6_TCLASS = 61,
	BSD_IPV6_DONTFRAG = 62,
	/* struct bsd_ipv6_msfilter; got, what names the membership and how many are wanted is given */
	BSD_IPV6_MSFILTER = 74,
	BSD_IPV6_JOIN_SOURCE_GROUP = 82, /* these four: struct bsd_ipv6_mreq_source */
	BSD_IPV6_LEAVE_SOURCE_GROUP = 83,
	BSD_IPV6_BLOCK_SOURCE = 84,
	BSD_IPV6_UNBLOCK_SOURCE = 85,
	/* OpenBSD's */
	BSD_IPV6_MINHOPCOUNT = 65, /* what comes with less is dropped (RFC 5082); 0: nothing is */
	/* the host's alone, by numbers that no BSD uses */
	BSD_IPV6_MTU_DISCOVER = 1023, /* BSD_IP_PMTUDISC_* */
	BSD_IPV6_MTU = 1024,
	BSD_IPV6_RECVERR = 1025,      /* datagrams: errors are queued, see struct bsd_ip_recverr */
	BSD_IPV6_MULTICAST_ALL = 1029 /* as BSD_IP_MULTICAST_ALL */
};
enum {
	BSD_ICMP6_FILTER = 18
}; /* level BSD_IPPROTO_ICMPV6: uint32_t[8], a bit for each type not wanted */

struct bsd_in6_addr {
	uint8_t s6_bytes[16];
};

/* IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP */
struct bsd_ipv6_mreq {
	struct bsd_in6_addr ipv6mr_multiaddr;
	uint32_t ipv6mr_interface; /* 0: by route */
};

/* Sources of a group. */
struct bsd_ipv6_mreq_source {
	struct bsd_in6_addr i6ms_multiaddr;
	struct bsd_in6_addr i6ms_sourceaddr;
	uint32_t i6ms_interface; /* 0: by route */
};

#define BSD_IPV6_MSFILTER_MAX 59u
#define BSD_IPV6_MSFILTER_LEN(n) (28u + 16u * (n))
struct bsd_ipv6_msfilter {
	struct bsd_in6_addr i6mf_multiaddr;
	uint32_t i6mf_interface;
	uint32_t i6mf_fmode;  /* BSD_MCAST_* */
	uint32_t i6mf_numsrc; /* got: how many there are, though fewer may follow */
	struct bsd_in6_addr i6mf_slist[BSD_IPV6_MSFILTER_MAX];
};

/* The control message IPV6_PKTINFO: received, the destination; sent, the source. */
struct bsd_in6_pktinfo {
	struct bsd_in6_addr ipi6_addr;
	uint32_t ipi6_ifindex;
};

_Static_assert(sizeof(struct bsd_ipv6_mreq_source) == 36, "ipv6_mreq_source is 36 bytes");
_Static_assert(sizeof(struct bsd_ipv6_msfilter) == BSD_IPV6_MSFILTER_LEN(BSD_IPV6_MSFILTER_MAX),
    "ipv6_msfilter is packed");
_Static_assert(sizeof(struct bsd_ipv6_mreq) == 20, "ipv6_mreq is 20 bytes");
_Static_assert(sizeof(struct bsd_in6_pktinfo) == 20, "in6_pktinfo is 20 bytes");

#endif /* RUMPUS_ABI_IP6_H */
