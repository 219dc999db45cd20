/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments that came out of order. Theory of operation in tcp_reass.c. */
#ifndef NETINET_TCP_REASS_H
#define NETINET_TCP_REASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/queue.h"
#include "netinet/tcp_pcb.h"

struct mbuf;
struct tcp_segment;

/* In order of tq_seq, not overlapping. */
struct tcp_reass_seg {
	TAILQ_ENTRY(tcp_reass_seg) tq_list;
	struct mbuf *tq_m;
	struct mbuf *tq_mtail; /* its last mbuf */
	tcp_seq tq_seq;
	uint32_t tq_len;
	uint32_t tq_storage; /* memory that tq_m holds */
	bool tq_fin;
};
TAILQ_HEAD(tcp_reassq, tcp_reass_seg);

#define TCP_RCVSACKS 4u

/* All of a connection, while there are any, and which SACK blocks are the newest (tcp_sackgen.c). */
struct tcp_reass {
	struct tcp_reassq tr_q;
	uint32_t tr_bytes;   /* payload */
	uint32_t tr_storage; /* memory held */
	uint32_t tr_segs;
	tcp_seq tr_sacks[TCP_RCVSACKS]; /* a number in each block, newest first */
	uint8_t tr_nsacks;
};

static inline uint32_t
tcp_reass_bytes(const struct tcpcb *tp)
{
	return tp->t_reass != NULL ? tp->t_reass->tr_bytes : 0;
}

static inline uint32_t
tcp_reass_storage(const struct tcpcb *tp)
{
	return tp->t_reass != NULL ? tp->t_reass->tr_storage : 0;
}

static inline uint32_t
tcp_reass_segs(const struct tcpcb *tp)
{
	return tp->t_reass != NULL ? tp->t_reass->tr_segs : 0;
}

/* => NULL: there is none */
static inline struct tcp_reass_seg *
tcp_reass_first(const struct tcpcb *tp)
{
	return tp->t_reass != NULL ? TAILQ_FIRST(&tp->t_reass->tr_q) : NULL;
}

/* Queues or delivers the payload of seg. => true: a FIN in sequence was reached. Takes seg->ts_m. */
bool tcp_reass(struct tcpcb *tp, struct tcp_segment *seg);
void tcp_reass_flush(struct tcpcb *tp);

#endif /* NETINET_TCP_REASS_H */
