/* SPDX-License-Identifier: BSD-2-Clause */
/* TIME-WAIT: what is left of a connection whose socket is gone. Theory of operation in tcp_timewait.c. */
#ifndef NETINET_TCP_TIMEWAIT_H
#define NETINET_TCP_TIMEWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/pool.h"
#include "kern/queue.h"
#include "netinet/in_pcb.h"
#include "netinet/tcp_pcb.h"

struct netstack;
struct tcp_segment;
struct tcp_verdict;

#define TCP_TIMEWAIT_MAX 1000000u /* most that net.inet.tcp.maxtcptw can be set to */

/* tw_flags */
#define TWF_TSTMP 0x01    /* both sent timestamps */
#define TWF_ANSWERED 0x02 /* tw_answer_ms holds */

struct tcptw {
	struct in_pair tw_pair; /* first: what a lookup finds */
	TAILQ_ENTRY(tcptw) tw_list;
	uint64_t tw_expire_ns;
	tcp_seq tw_snd_nxt;
	tcp_seq tw_rcv_nxt;
	uint32_t tw_tsrecent;
	uint32_t tw_tsoff;
	uint32_t tw_answer_ms; /* when a segment was last answered, if its sender may do without */
	uint16_t tw_win;       /* the window as announced, scaled */
	uint8_t tw_flags;
	uint8_t tw_tos;
};
_Static_assert(sizeof(struct tcptw) <= 128, "a connection in TIME-WAIT is small");

TAILQ_HEAD(tcptw_queue, tcptw);

struct tcp_timewait {
	struct pool tws_pool;
	struct tcptw_queue tws_queue; /* in order of time */
	struct callout tws_callout;   /* for the first of them */
	uint32_t tws_count;
};

/* => ENOMEM: nothing is left to free */
int tcp_timewait_init(struct netstack *ns);
/* Forgets all. */
void tcp_timewait_fini(struct netstack *ns);
void tcp_timewait_flush(struct netstack *ns);
/* The connection is over in both directions, and its last ACK may be lost. */
void tcp_timewait_enter(struct tcpcb *tp);
/*
 * A record takes the place of a connection in TIME-WAIT and its pcb, which are freed; without memory
 * they stay. => the state is TIME-WAIT, the socket gone
 */
void tcp_timewait_compact(struct tcpcb *tp);
/* => the record of these endpoints, or NULL */
struct tcptw *tcp_timewait_lookup(struct netstack *ns, const struct in_lookup *il);
/*
 * RFC 9293 §3.10.7.4 in TIME-WAIT, for a connection that is whole and for a record. => TCP_RETRY: it has
 * given way to a new one, for which the segment is
 */
struct tcp_verdict tcp_in_timewait(struct tcpcb *tp, struct tcp_segment *seg);
struct tcp_verdict tcp_tw_input(struct netstack *ns, struct tcptw *tw, struct tcp_segment *seg);
/* What a verdict that names tw sends: an ACK, if one is due. */
void tcp_tw_answer(struct netstack *ns, struct tcptw *tw, const struct tcp_segment *seg);
/* The index-th record, or NULL. */
const struct tcptw *tcp_timewait_nth(const struct netstack *ns, uint32_t index);

#endif /* NETINET_TCP_TIMEWAIT_H */
