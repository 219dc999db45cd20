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

struct host_plan {
	struct fault_config hp_up, hp_down; /* its link, until the world heals */
	struct fault_config hp_well;        /* and afterwards, both ways */
	uint32_t hp_nmbufs;
	uint32_t hp_nclusters;
	uint32_t hp_sysctls; /* HP_* */
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
	TROUBLE_PATHMTU,   /* its link carries less, and the sender is told by ICMP */
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
	uint64_t pl_heal_ns;
};

struct plan_options {
	bool po_small; /* two hosts, few connections and bytes, no troubles but bad links */
};

/* 32 bytes of seed for a part of a world. */
void plan_seed(uint64_t seed, uint32_t part, uint8_t out[32]);
void plan_draw(struct plan *pl, const struct plan_options *po, uint64_t seed);
const char *conn_kind_name(enum conn_kind kind);
const char *trouble_kind_name(enum trouble_kind kind);

#endif /* SIM_PLAN_H */
