/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of <rumpus/abi.h>: options of the level IPPROTO_IP, and control messages. */
#ifndef RUMPUS_ABI_IP_H
#define RUMPUS_ABI_IP_H

#include <stddef.h>
#include <stdint.h>

enum {
	BSD_IP_OPTIONS = 1,
	BSD_IP_HDRINCL = 2,
	BSD_IP_TOS = 3,
	BSD_IP_TTL = 4,
	BSD_IP_RECVDSTADDR = 7,
	BSD_IP_MULTICAST_IF = 9,
	BSD_IP_MULTICAST_TTL = 10,
	BSD_IP_MULTICAST_LOOP = 11,
	BSD_IP_ADD_MEMBERSHIP = 12,
	BSD_IP_DROP_MEMBERSHIP = 13,
	BSD_IP_RECVIF = 20,
	BSD_IP_RECVTTL = 23,
	BSD_IP_PKTINFO = 25,
	BSD_IP_RECVPKTINFO = 26,
	/* FreeBSD's, where NetBSD has none */
	BSD_IP_BINDANY = 24,
	BSD_IP_ORIGDSTADDR = 27, /* bsd_sockaddr_in: where it was sent to, with the port */
	BSD_IP_MINTTL = 66,      /* what comes with less is dropped (RFC 5082); 0: nothing is */
	BSD_IP_RECVTOS = 68,
	BSD_IP_ADD_SOURCE_MEMBERSHIP = 70, /* these four: struct bsd_ip_mreq_source */
	BSD_IP_DROP_SOURCE_MEMBERSHIP = 71,
	BSD_IP_BLOCK_SOURCE = 72,
	BSD_IP_UNBLOCK_SOURCE = 73,
	/* struct bsd_ip_msfilter; got, what names the membership and how many sources are wanted is given */
	BSD_IP_MSFILTER = 74,
	/* the host's alone, by numbers that no BSD uses */
	BSD_IP_MTU_DISCOVER = 1010, /* BSD_IP_PMTUDISC_* */
	BSD_IP_RECVERR = 1011,      /* datagrams: errors are queued, see struct bsd_ip_recverr */
	BSD_IP_MTU = 1014,
	BSD_IP_MULTICAST_ALL = 1049, /* 0: only of the groups that the socket itself has joined */
	BSD_IP_BIND_ADDRESS_NO_PORT = 1024 /* the port is chosen by connect */
};
enum {
	BSD_IP_PMTUDISC_DONT = 0,  /* never DF */
	BSD_IP_PMTUDISC_WANT = 1,  /* DF as long as the packet fits the path */
	BSD_IP_PMTUDISC_DO = 2,    /* always DF; EMSGSIZE beyond the path's MTU */
	BSD_IP_PMTUDISC_PROBE = 3, /* always DF, up to the interface's MTU */
	/* never DF, up to the interface's MTU, and nothing is learned of the path */
	BSD_IP_PMTUDISC_INTERFACE = 4,
	BSD_IP_PMTUDISC_OMIT = 5 /* the same, in fragments beyond it */
};
/* IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_IF; without the index it is BSD's ip_mreq. */
#define BSD_IP_MREQ_LEN 8u
struct bsd_ip_mreqn {
	uint32_t imr_multiaddr_be;
	uint32_t imr_address_be; /* of the interface */
	int32_t imr_ifindex;     /* 0: by the address, or by route */
};
/* Sources of a group; without the index it is BSD's ip_mreq_source. */
#define BSD_IP_MREQ_SOURCE_LEN 12u
struct bsd_ip_mreq_source {
	uint32_t imr_multiaddr_be;
	uint32_t imr_sourceaddr_be;
	uint32_t imr_address_be;
	int32_t imr_ifindex;
};
enum { BSD_MCAST_INCLUDE = 1, BSD_MCAST_EXCLUDE = 2 };
#define BSD_IP_MSFILTER_MAX 59u
#define BSD_IP_MSFILTER_LEN(n) (20u + 4u * (n))
struct bsd_ip_msfilter {
	uint32_t imsf_multiaddr_be;
	uint32_t imsf_address_be;
	int32_t imsf_ifindex;
	uint32_t imsf_fmode;  /* BSD_MCAST_* */
	uint32_t imsf_numsrc; /* got: how many there are, though fewer may follow */
	uint32_t imsf_slist_be[BSD_IP_MSFILTER_MAX];
};
enum { BSD_ICMP_FILTER = 1 }; /* level BSD_IPPROTO_RAW: uint32_t, a bit for each type not wanted */

/* A control message: the header, then data at BSD_CMSG_LEN(0); the next at BSD_CMSG_ALIGN. */
struct bsd_cmsghdr {
	uint32_t cmsg_len; /* of header and data */
	int32_t cmsg_level;
	int32_t cmsg_type;
};
#define BSD_CMSG_ALIGN(n) (((size_t)(n) + 7) & ~(size_t)7)
#define BSD_CMSG_LEN(n) (BSD_CMSG_ALIGN(sizeof(struct bsd_cmsghdr)) + (n))
#define BSD_CMSG_SPACE(n) BSD_CMSG_ALIGN(BSD_CMSG_LEN(n))
enum { BSD_SCM_MONOTONIC = 0x06 }; /* bsd_timespec on the stack's clock */

struct bsd_in_pktinfo {
	uint32_t ipi_addr_be; /* received: the destination; sent: the source */
	uint32_t ipi_ifindex;
};

/* of BSD_IPPROTO_UDP, and no BSD's: what is sent is held, as with BSD_MSG_MORE, until it is off */
enum { BSD_UDP_CORK = 1001 };

enum { BSD_SO_EE_ORIGIN_LOCAL = 1, BSD_SO_EE_ORIGIN_ICMP = 2, BSD_SO_EE_ORIGIN_ICMP6 = 3 };

/* The control message BSD_IP_RECVERR, or BSD_IPV6_RECVERR: an error that was queued. */
struct bsd_ip_recverr {
	uint32_t re_errno;
	uint8_t re_origin; /* BSD_SO_EE_ORIGIN_* */
	uint8_t re_type;   /* of the ICMP message */
	uint8_t re_code;
	uint8_t re_pad0;
	uint32_t re_info; /* BSD_EMSGSIZE: the MTU; a parameter problem: where */
	uint32_t re_data;
	/* Who sent the message, not BSD_SO_EE_ORIGIN_LOCAL: an in_addr; or an in6_addr, its scope */
	uint8_t re_offender[16];
	uint32_t re_scope_id;
};

#endif /* RUMPUS_ABI_IP_H */
