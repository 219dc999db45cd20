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

struct tcpcb;

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
	/* The last reduction was not called for: the window is restored. NULL: nothing of its own. */
	void (*cc_undo)(struct tcpcb *tp);
};

extern const struct tcp_congctl tcp_cc_newreno;

/* => NULL: no such algorithm. */
const struct tcp_congctl *tcp_congctl_find(const char *name);
/* RFC 6928 initial window in bytes for the present t_maxseg. */
uint32_t tcp_initial_window(const struct tcpcb *tp);

#endif /* NETINET_TCP_CONGCTL_H */
