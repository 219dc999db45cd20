/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of TCP's input side share among themselves, and with their tests. */
#ifndef NETINET_TCP_INPUT_H
#define NETINET_TCP_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

static inline struct tcp_verdict
tcp_verdict_continue(void)
{
	return (struct tcp_verdict){.tv_what = TCP_CONTINUE, .tv_drop = DROP_TCP_CONSUMED};
}

static inline struct tcp_verdict
tcp_verdict_done(void)
{
	return (struct tcp_verdict){.tv_what = TCP_DONE, .tv_drop = DROP_TCP_CONSUMED};
}

static inline struct tcp_verdict
tcp_verdict_drop(enum drop_reason why)
{
	return (struct tcp_verdict){.tv_what = TCP_DROP, .tv_drop = why};
}

static inline struct tcp_verdict
tcp_verdict(enum tcp_disposition what, enum drop_reason why, uint8_t flags)
{
	return (struct tcp_verdict){.tv_what = what, .tv_drop = why, .tv_flags = flags};
}

/* RCV.WND: what the peer has been told it may send, from RCV.NXT on. Never shrinks. */
static inline uint32_t
tcp_rcvwnd(const struct tcpcb *tp)
{
	return SEQ_GT(tp->rcv_adv, tp->rcv_nxt) ? tp->rcv_adv - tp->rcv_nxt : 0;
}

/* The unit of ts_recent_age. */
#define TCP_TS_AGE_SHIFT 30
static inline uint32_t
tcp_ts_age_now(const struct tcpcb *tp)
{
	return (uint32_t)(tp->t_ns->ns_now >> TCP_TS_AGE_SHIFT);
}

/* tcp_input.c */
#define TCP_OOWACK_MS 500u
/* A clock that begins anew after 49 days: for what is soon over, or may be taken for young once. */
static inline uint32_t
tcp_now_ms(const struct netstack *ns)
{
	return (uint32_t)(ns->ns_now / NSEC_PER_MSEC);
}
/* One answer in TCP_OOWACK_MS to what is out of the window. => true: it is this one */
bool tcp_oowack_allowed(struct tcpcb *tp);

/* Does a segment take up numbers before nxt? Its sender must have missed an ACK of ours. */
bool tcp_seg_isold(const struct tcp_segment *seg, tcp_seq nxt);

/* tcp_handshake.c */
/*
 * Our SYN is acknowledged and the peer's known: everything that begins with a connection, and the
 * state. => snd_una is behind our SYN; the send window is set
 */
void tcp_established(struct tcpcb *tp);

/* tcp_steps.c */
/* RFC 9293 §3.10.7.4 (1), table 6: is any of the segment in the window? */
bool tcp_seg_acceptable(const struct tcpcb *tp, const struct tcp_segment *seg);
/* RFC 7323 §5: is the timestamp of seg older than one seen? */
bool tcp_paws_fails(const struct tcpcb *tp, const struct tcp_segment *seg);
/* What an acceptable segment does whatever it holds: the peer lives. */
void tcp_seq_accepted(struct tcpcb *tp);
/*
 * Takes the next len bytes in sequence: rcv_nxt moves, m goes to the reader (less the urgent byte),
 * or away if nobody reads. => consumes m
 */
void tcp_deliver(struct tcpcb *tp, struct mbuf *m, uint32_t len);
/* Shuts a connection that the peer reset or must be told of: error to the socket. Frees tp. */
void tcp_kill(struct tcpcb *tp, int error);

/* tcp_ack.c */
/* RFC 7323 §4.3 (2): TS.Recent, from a segment whose sequence and ACK are acceptable. */
void tcp_ack_accepted(struct tcpcb *tp, const struct tcp_segment *seg);
/* SND.UNA < SEG.ACK <= SND.MAX: takes acknowledged data away. => our FIN was acknowledged. */
bool tcp_ack_advance(struct tcpcb *tp, const struct tcp_segment *seg);
/* SND.WND by SND.WL1 and SND.WL2. => it changed */
bool tcp_ack_window(struct tcpcb *tp, const struct tcp_segment *seg);
/* An ACK of a SYN of ours: round-trip time, timer, SND.UNA. */
void tcp_ack_syn(struct tcpcb *tp);
/* What pacing held back is due, new data by RFC 3042 among it. */
void tcp_output_paced(struct tcpcb *tp);

#endif /* NETINET_TCP_INPUT_H */
