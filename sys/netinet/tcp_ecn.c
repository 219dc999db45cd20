/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Explicit congestion notification (RFC 3168 §6.1), by net.inet.tcp.ecn.enable: 0 not at all, 1
 * asked for and granted, 2 granted to peers who ask.
 *
 * Theory of operation: routers mark what is sent for the first time as capable of it (ECT) instead
 * of dropping it. A mark (CE) on data has every ACK say so (ECE) until the sender tells that it has
 * reduced its window (CWR), which it does once for a window of data. What is sent again, probes and
 * pure ACKs carry no ECT, so that a mark on them means nothing (§6.1.4, §6.1.5, §6.1.6).
 */
#include "kern/netstack.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_var.h"
#include "wire/ecn.h"

#define TCP_ECN_ASK 1u /* other settings but 0 only grant */

uint8_t
tcp_ecn_syn_flags(struct tcpcb *tp, uint8_t flags)
{
	const struct tcp_state *ts = tp->t_ns->ns_tcp;

	if ((flags & TH_ACK) != 0)
		return (tp->t_ecn & TE_PERMIT) != 0 ? TH_ECE : 0;
	/* §6.1.1.1: a SYN that is not answered may have offended somebody. */
	if (ts->tcps_sysctl.ecn_enable != TCP_ECN_ASK ||
	    tp->t_rxtshift > ts->tcps_sysctl.ecn_maxretries) {
		tp->t_ecn &= (uint8_t)~TE_ASKED;
		return 0;
	}
	tp->t_ecn |= TE_ASKED;
	return TH_ECE | TH_CWR;
}

void
tcp_ecn_syn_received(struct tcpcb *tp, const struct tcp_segment *seg)
{
	const uint8_t said = seg->ts_flags & (TH_ECE | TH_CWR);
	bool granted;

	if ((seg->ts_flags & TH_ACK) != 0)
		granted = said == TH_ECE && (tp->t_ecn & TE_ASKED) != 0;
	else
		granted =
		    said == (TH_ECE | TH_CWR) && tp->t_ns->ns_tcp->tcps_sysctl.ecn_enable != 0;
	if (!granted)
		return;
	tp->t_ecn |= TE_PERMIT;
	TCPSTAT_INC(tp->t_ns, ecn_shs);
}

bool
tcp_ecn_isquiet(const struct tcpcb *tp, const struct tcp_segment *seg)
{
	return (tp->t_ecn & TE_PERMIT) == 0 ||
	    ((seg->ts_flags & (TH_ECE | TH_CWR)) == 0 &&
		(seg->ts_rx->rx_tos & IPTOS_ECN_MASK) != IPTOS_ECN_CE);
}

/* What the peer's data say: its answer to our ECE, and marks of routers. */
static void
tcp_ecn_data(struct tcpcb *tp, const struct tcp_segment *seg)
{
	if ((seg->ts_flags & TH_CWR) != 0) {
		tp->t_ecn &= (uint8_t)~TE_SND_ECE;
		tp->t_flags |= TF_ACKNOW;
	}
	if ((seg->ts_rx->rx_tos & IPTOS_ECN_MASK) == IPTOS_ECN_CE && seg->ts_wirelen > 0) {
		TCPSTAT_INC(tp->t_ns, ecn_ce);
		tp->t_ecn |= TE_SND_ECE;
		tp->t_flags |= TF_ACKNOW; /* the sender hears of it soon, and of its end */
	}
}

/* §6.1.2: as after a loss, but nothing is sent again; at most once for a window of data. */
static void
tcp_ecn_reduce(struct tcpcb *tp, const struct tcp_segment *seg)
{
	const tcp_seq recover = tp->snd_recover;

	if ((tp->t_ecn & TE_REDUCED) != 0 && SEQ_LT(seg->ts_ack, tp->t_ecn_recover))
		return;
	tp->t_ecn |= TE_REDUCED | TE_SND_CWR;
	tp->t_ecn_recover = tp->snd_max;
	if ((tp->t_flags & TF_FASTRECOVERY) != 0)
		return; /* it has just been done */
	TCPSTAT_INC(tp->t_ns, ecn_rcwnd);
	tp->t_congctl->cc_loss(tp);
	tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY; /* nothing is to be recovered */
	tp->snd_recover = recover;
	tp->snd_cwnd = tp->snd_ssthresh;
}

void
tcp_ecn_input(struct tcpcb *tp, const struct tcp_segment *seg)
{
	if ((tp->t_ecn & TE_PERMIT) == 0)
		return;
	tcp_ecn_data(tp, seg);
	if ((seg->ts_flags & (TH_SYN | TH_ECE)) == TH_ECE && tp->snd_una != tp->snd_max)
		tcp_ecn_reduce(tp, seg);
}

uint8_t
tcp_ecn_ack_flags(const struct tcpcb *tp)
{
	return (tp->t_ecn & (TE_PERMIT | TE_SND_ECE)) == (TE_PERMIT | TE_SND_ECE) ? TH_ECE : 0;
}

uint8_t
tcp_ecn_data_flags(struct tcpcb *tp, uint8_t *tos)
{
	uint8_t flags = 0;

	if ((tp->t_ecn & TE_PERMIT) == 0)
		return 0;
	*tos = (uint8_t)((*tos & ~IPTOS_ECN_MASK) | IPTOS_ECN_ECT0);
	TCPSTAT_INC(tp->t_ns, ecn_ect0);
	if ((tp->t_ecn & TE_SND_CWR) != 0)
		flags = TH_CWR;
	tp->t_ecn &= (uint8_t)~TE_SND_CWR;
	return flags;
}
