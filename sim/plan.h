/* SPDX-License-Identifier: BSD-2-Clause */
/* What a world is to be: hosts, links, applications and troubles, all drawn from its seed. */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/fault/fault.h"

#define PLAN_HOSTS 6u
#define PLAN_CONNS 16u
#define PLAN_TROUBLES 10u
#define PLAN_MTU 1500u
#define PLAN_GROUPS 3u
#define PLAN_MEMBERS 12u
#define PLAN_DATAGRAMS 32u /* of a sender to a group */

/* How an application names the other host. */
enum family {
	FAMILY_4,
	FAMILY_6,
	FAMILY_MAPPED, /* IPv4 by a socket of AF_INET6 */
	FAMILY_LOCAL,  /* IPv6's address of the link */
	FAMILY_COUNT
};

/* A host's addresses of IPv6. */
enum host_ip6 {
	HOST_IP6_NONE,
	HOST_IP6_STATIC,
	HOST_IP6_AUTO /* what the router's advertisements make */
};

struct host_plan {
	struct fault_config hp_up, hp_down; /* its link, until the world heals */
	struct fault_config hp_well;        /* and afterwards, both ways */
	uint32_t hp_nmbufs;
	uint32_t hp_nclusters;
	uint32_t hp_sysctls; /* HP_* */
	enum host_ip6 hp_ip6;
	unsigned hp_probes; /* of an address before it is used (RFC 4862 §5.4) */
	bool hp_dual;       /* its servers have a socket for both families, not one each */
};

/* A router of IPv6 on the link, which is never in trouble itself. */
struct router_plan {
	bool rp_there;
	bool rp_offlink; /* what has its prefix is reached by it, not on the link */
	bool rp_queries; /* it asks for members of groups, of both families */
	uint64_t rp_interval_ns;
	uint32_t rp_mtu; /* that it tells; 0: none */
	uint32_t rp_valid_s;
	uint32_t rp_preferred_s;
};

/* Datagrams for a group: from each of some hosts, and two more when the world is well. */
struct group_plan {
	enum family gp_family;
	uint32_t gp_addr[4]; /* IPv4: the first */
	uint32_t gp_senders; /* hosts as bits */
	uint64_t gp_start_ns;
	uint64_t gp_pause_ns;
	unsigned gp_count; /* before the world is well; at most PLAN_DATAGRAMS - 2 */
	uint32_t gp_len;
	bool gp_loop; /* members of the sender's host get them, too */
};

/* A socket that joins a group; several of a host may. */
struct member_plan {
	unsigned mp_group, mp_host;
	uint64_t mp_join_ns;
	uint64_t mp_leave_ns; /* SIM_NEVER: never */
	bool mp_exclude;      /* it wants all but mp_sources; else: only those */
	uint32_t mp_sources;  /* hosts as bits; IPv4 only */
	bool mp_dual;         /* of AF_INET6, in a group of IPv4 */
};

enum {
	HP_NOSACK = 1,
	HP_NORFC1323 = 2,
	HP_NEWRENO = 4,
	HP_NODELACK = 8,
	HP_SMALLBUFFERS = 16,
	HP_BIGCLUSTERS = 32,
	HP_SMALLPOOLS = 64,
	HP_COOKIES = 128, /* no SYN cache */
	HP_FEWSYNS = 256, /* a SYN cache of one entry; then cookies */
	HP_ANYCOOKIES = HP_COOKIES | HP_FEWSYNS
};

enum conn_kind {
	CONN_BULK,    /* both ways at once, each closed when all is sent */
	CONN_ANSWERS, /* request, response, request ... */
	CONN_SHORT,   /* some bytes, closed at once */
	CONN_HALF,    /* all one way and closed, then all the other way */
	CONN_RESET,   /* bulk, until one side aborts */
	CONN_UDP,     /* datagrams, echoed */
	CONN_TASK,    /* as ANSWERS, by calls that wait */
	CONN_KINDS
};

struct conn_plan {
	enum conn_kind cp_kind;
	enum family cp_family;
	bool cp_bind; /* its client has its host's address of the family, and waits for it */
	unsigned cp_hosts[2]; /* client, server */
	uint64_t cp_start_ns;
	uint64_t cp_total[2];    /* bytes each sends; datagrams of UDP's client */
	uint64_t cp_round[2];    /* ANSWERS: of a request, of a response */
	uint32_t cp_chunk[2];    /* most bytes of a call; length of a datagram */
	uint64_t cp_pause_ns[2]; /* between reads; 0: as fast as they come */
	uint32_t cp_sockbuf[2];  /* of both buffers; 0: as they are */
	bool cp_nodelay;
	unsigned cp_abort_side;
	uint64_t cp_abort_at; /* bytes sent and received by it */
};

enum trouble_kind {
	TROUBLE_CUT,       /* a link carries nothing for a while */
	TROUBLE_LINK,      /* it becomes another one */
	TROUBLE_CRASH,     /* a host loses all it knows; comes back after a while, or never */
	TROUBLE_PATHMTU,   /* its link carries less, and the sender is told by ICMP, or ICMPv6 */
	TROUBLE_MTU,       /* its interface's MTU changes, and its link's */
	TROUBLE_NOMEM,     /* an allocation fails */
	TROUBLE_PARTITION, /* half of the hosts cannot reach the others */
	TROUBLE_BLACKHOLE, /* its link carries less, and nobody is told */
	TROUBLE_KINDS
};

struct trouble {
	enum trouble_kind tr_kind;
	unsigned tr_host;
	uint64_t tr_time_ns;
	uint64_t tr_length_ns; /* SIM_NEVER: until healing, or for ever */
	uint32_t tr_value;     /* MTU; which allocation; the hosts of a partition as bits */
	struct fault_config tr_link;
};

struct plan {
	uint64_t pl_seed;
	unsigned pl_nhosts, pl_nconns, pl_ntroubles;
	struct host_plan pl_hosts[PLAN_HOSTS];
	struct conn_plan pl_conns[PLAN_CONNS];
	struct trouble pl_troubles[PLAN_TROUBLES];
	struct router_plan pl_router;
	unsigned pl_ngroups, pl_nmembers;
	struct group_plan pl_groups[PLAN_GROUPS];
	struct member_plan pl_members[PLAN_MEMBERS];
	uint64_t pl_heal_ns;
};

struct plan_options {
	bool po_small; /* two hosts, few connections and bytes, no troubles but bad links */
};

/* 32 bytes of seed for a part of a world. */
void plan_seed(uint64_t seed, uint32_t part, uint8_t out[32]);
void plan_draw(struct plan *pl, const struct plan_options *po, uint64_t seed);
const char *conn_kind_name(enum conn_kind kind);
const char *family_name(enum family family);
const char *trouble_kind_name(enum trouble_kind kind);

#endif /* SIM_PLAN_H */
