/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control: one table an algorithm. They keep their state in tp->t_cc and set snd_cwnd
 * and snd_ssthresh; when to retransmit is decided elsewhere. Whoever calls sets and clears
 * TF_FASTRECOVERY and snd_recover, before the call; snd_una has moved already.
 */
#ifndef NETINET_TCP_CONGCTL_H
#define NETINET_TCP_CONGCTL_H

#include <stdbool.h>
#include <stdint.h>

struct netstack;
struct tcpcb;

#define TCP_CC_CWND_MAX (65535u << 14) /* as the largest window that can be offered */
#define TCP_CC_AFTER_RTO 0             /* t_cc[]: in the slow start that follows a time-out */
#define TCP_CC_OWN 1                   /* what follows is the algorithm's */

#define TCP_CC_NAMELEN 16

struct tcp_congctl {
	char cc_name[TCP_CC_NAMELEN]; /* as TCP_CONGCTL and sysctl name it */
	/* The connection is set up and t_maxseg known: initial window. */
	void (*cc_init)(struct tcpcb *tp);
	/* acked bytes of new data were acknowledged outside of recovery. */
	void (*cc_newack)(struct tcpcb *tp, uint32_t acked);
	/* Third duplicate ACK: reduce, enter recovery. */
	void (*cc_loss)(struct tcpcb *tp);
	/* A further duplicate ACK in recovery. */
	void (*cc_dupack)(struct tcpcb *tp);
	/* A partial ACK in recovery (RFC 6582 §3.2 (5)). */
	void (*cc_partialack)(struct tcpcb *tp, uint32_t acked);
	/* Recovery is over. */
	void (*cc_recovered)(struct tcpcb *tp);
	/* The retransmission timer went off. */
	void (*cc_timeout)(struct tcpcb *tp);
	/* Idle for longer than the RTO (RFC 5681 §4.1). */
	void (*cc_idle)(struct tcpcb *tp);
	/* An ACK of new data echoed a timestamp this old, microseconds (1 ms fine). NULL: of no use. */
	void (*cc_rtt)(struct tcpcb *tp, uint32_t rtt_us);
	/* The last reduction was not called for: the window is restored. NULL: nothing of its own. */
	void (*cc_undo)(struct tcpcb *tp);
	/*
	 * The rate at which a paced connection sends, bytes a second. => UINT64_MAX: not known yet.
	 * NULL: of no limit
	 */
	uint64_t (*cc_pacing)(const struct tcpcb *tp);
};

extern const struct tcp_congctl tcp_cc_cubic;
extern const struct tcp_congctl tcp_cc_newreno;

/* => NULL: no such algorithm. */
const struct tcp_congctl *tcp_congctl_find(const char *name);
/* net.inet.tcp.cc.algorithm: what new sockets begin with. */
const struct tcp_congctl *tcp_congctl_default(const struct netstack *ns);
/* RFC 6928 initial window in bytes for the present t_maxseg. */
uint32_t tcp_initial_window(const struct tcpcb *tp);

/* What the algorithms share (tcp_congctl.c). */
/* What a loss reduces: RFC 5681's FlightSize, but no more than the window. */
uint32_t tcp_cc_flight(const struct tcpcb *tp);
void tcp_cc_grow(struct tcpcb *tp, uint32_t by); /* up to TCP_CC_CWND_MAX */
void tcp_cc_init(struct tcpcb *tp);
void tcp_cc_slowstart(struct tcpcb *tp, uint32_t acked);
void tcp_cc_enter_recovery(struct tcpcb *tp); /* snd_ssthresh is set */
void tcp_cc_dupack(struct tcpcb *tp);
void tcp_cc_partialack(struct tcpcb *tp, uint32_t acked);
void tcp_cc_recovered(struct tcpcb *tp);
void tcp_cc_restart(struct tcpcb *tp); /* after a time-out; snd_ssthresh is set */
void tcp_cc_idle(struct tcpcb *tp);
uint64_t tcp_cc_pacing(const struct tcpcb *tp);

/* CUBIC's arithmetic, for its test. */
uint32_t tcp_cubic_root(uint64_t x);
uint64_t tcp_cubic_window(const struct tcpcb *tp, uint32_t t_ms);

#endif /* NETINET_TCP_CONGCTL_H */
