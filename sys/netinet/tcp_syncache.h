/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SYN cache: what a listener's handshakes need before there is a connection. Theory of operation
 * in tcp_syncache.c.
 */
#ifndef NETINET_TCP_SYNCACHE_H
#define NETINET_TCP_SYNCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/pool.h"
#include "kern/queue.h"
#include "netinet/in_afops.h"
#include "netinet/tcp_pcb.h"

struct in_ctlinfo;
struct in_rxinfo;
struct inpcb;
struct netstack;
struct tcp_hdr;
struct tcp_segment;
struct tcp_verdict;

#define TCP_SYNCACHE_HASHSIZE 512u /* a power of two */
#define TCP_SYNCACHE_BUCKETLIMIT 30u
#define TCP_SYNCACHE_CACHELIMIT (TCP_SYNCACHE_HASHSIZE * TCP_SYNCACHE_BUCKETLIMIT)
#define TCP_SYNCACHE_CACHEMAX 65536u /* most that the limit can be set to */
#define TCP_SYNCACHE_REXMTMAX TCP_MAXRXTSHIFT

/* sc_flags */
#define SCF_WINSCALE 0x01
#define SCF_TIMESTAMP 0x02
#define SCF_SACK 0x04
#define SCF_ECN 0x08
#define SCF_NOTIME 0x10  /* the SYN,ACK was sent twice: no round trip is measured by it */
#define SCF_UNREACH 0x20 /* an ICMP error came */
#define SCF_ANSWERED 0x40

struct syncache {
	TAILQ_ENTRY(syncache) sc_hash;   /* of its bucket, oldest first */
	TAILQ_ENTRY(syncache) sc_timerq; /* of those sent again as often, soonest first */
	struct inpcb *sc_listener;
	const struct in_afops *sc_af;
	struct in_endpoint sc_local;
	struct in_endpoint sc_foreign;
	uint64_t sc_deadline_ns; /* of the retransmission */
	uint32_t sc_sent_us;     /* when the SYN,ACK was sent first */
	uint32_t sc_answer_ms;   /* when a segment was last answered, with SCF_ANSWERED */
	tcp_seq sc_iss;
	tcp_seq sc_irs;
	uint32_t sc_tsoff;
	uint32_t sc_tsrecent;
	uint16_t sc_wnd; /* the window of our SYN,ACK */
	uint16_t sc_peermss;
	uint8_t sc_snd_scale;
	uint8_t sc_rcv_scale;
	uint8_t sc_flags;
	uint8_t sc_rxmits;
};
_Static_assert(sizeof(struct syncache) <= 128, "a half-open connection is small");

TAILQ_HEAD(syncache_queue, syncache);

struct tcp_syncache {
	struct pool sch_pool;
	struct syncache_queue *sch_hash;
	struct syncache_queue sch_timerq[TCP_SYNCACHE_REXMTMAX + 1];
	struct callout sch_callout;
	uint32_t sch_hashsize;
	uint32_t sch_count;
	uint8_t sch_key[16];
	uint8_t sch_cookiekey[16];
	uint64_t sch_cookie_ns;        /* when the last cookie was sent, with sch_cookies */
	bool sch_cookies;              /* one was */
	struct syncache sch_stateless; /* the handshake of a cookie, for as long as its segment */
};

/* => ENOMEM: nothing is left to free */
int tcp_syncache_init(struct netstack *ns);
/* Forgets all, without a word. */
void tcp_syncache_fini(struct netstack *ns);
/* A SYN for the listener head: remembered, and answered by the verdict (RFC 9293 §3.10.7.2). */
struct tcp_verdict tcp_syncache_add(struct tcpcb *head, struct tcp_segment *seg);
/* => the handshake that a segment without a connection belongs to, or NULL; one that is too old goes */
struct syncache *tcp_syncache_lookup(struct netstack *ns, const struct tcp_segment *seg);
/*
 * RFC 9293 §3.10.7.4 in SYN-RECEIVED. => TCP_RETRY: the handshake is done, and there is now a
 * connection, still in SYN-RECEIVED, which the segment is for; sc is gone
 */
struct tcp_verdict tcp_syncache_input(struct syncache *sc, struct tcp_segment *seg);
/*
 * An ACK for the listener head that belongs to nothing: is it the answer to a cookie? => TCP_RETRY as
 * above; else why not, answered by RST
 */
struct tcp_verdict tcp_syncache_cookie(struct tcpcb *head, struct tcp_segment *seg);
/* Is a segment, not a SYN, for a handshake here, or the answer to a cookie of this stack? */
bool tcp_syncache_owns(struct netstack *ns, const struct in_rxinfo *rx, const struct tcp_hdr *th);
/* What a verdict that names sc sends: SYN,ACK (TV_OUTPUT), or an ACK if one is due. */
void tcp_syncache_answer(struct syncache *sc, const struct tcp_verdict *tv);
/* The listener goes: its handshakes are reset. */
void tcp_syncache_unlisten(struct tcpcb *head);
/* An ICMP error about one of our SYN,ACKs. */
void tcp_syncache_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci, uint16_t lport,
    uint16_t fport);
/* The index-th entry, or NULL. */
const struct syncache *tcp_syncache_nth(const struct netstack *ns, uint32_t index);

/* tcp_syncookie.c */
#define TCP_SYNCOOKIE_NS (15 * NSEC_PER_SEC) /* a secret's life */
/* The number of our SYN,ACK, which is about to be sent, from which sc can be had again. */
tcp_seq tcp_syncookie_make(struct netstack *ns, const struct syncache *sc);
/* May an answer to one still come? */
bool tcp_syncookie_isout(const struct netstack *ns);
/* The rest of sc, by its endpoints, sc_irs and sc_iss. => false: sc_iss is not of our making */
bool tcp_syncookie_take(const struct netstack *ns, struct syncache *sc);

#endif /* NETINET_TCP_SYNCACHE_H */
