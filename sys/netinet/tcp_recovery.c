/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loss recovery of connections with SACK (RFC 6675 §5), with the window by proportional rate
 * reduction (RFC 6937), and the undoing of reductions that proved needless (RFC 3522, 3708, 4015).
 *
 * Theory of operation: each ACK goes through tcp_recovery_ack, after the scoreboard took it. What
 * is lost is said by RFC 6675's count of what is SACKed above (tcp_sack.c), by three duplicate ACKs
 * and by time (tcp_rack.c). The first loss reduces the window and begins recovery, which lasts
 * until all that was in flight then is acknowledged. tcp_output sends in the order of NextSeg:
 * what is lost, new data, what may be lost, the tail once. A retransmission time-out marks all
 * that is not SACKed as lost, unless the peer has gone back on a SACK: then the scoreboard is
 * thrown away. Connections without SACK recover in tcp_ack.c.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

/* -- undo ------------------------------------------------------------------------------------ */

#define TF_UNDOALL ((uint32_t)(TF_UNDO | TF_EIFEL | TF_UNDO_LAST))

void
tcp_undo_save(struct tcpcb *tp)
{
	if ((tp->t_flags & (TF_UNDO | TF_FASTRECOVERY)) != 0)
		return; /* a second reduction of the same episode: the first is not undone any more */
	tp->t_undo = pool_get(&tp->t_ns->ns_tcp->tcps_undopool);
	if (tp->t_undo == NULL)
		return; /* the reduction stays */
	*tp->t_undo = (struct tcp_undo){.tu_cwnd = tp->snd_cwnd,
	    .tu_ssthresh = tp->snd_ssthresh,
	    .tu_ts = tcp_ts_now(tp),
	    .tu_end = tp->snd_max};
	tp->t_flags |= TF_UNDO | TF_EIFEL;
}

void
tcp_undo_forget(struct tcpcb *tp)
{
	if (tp->t_undo != NULL)
		pool_put(&tp->t_ns->ns_tcp->tcps_undopool, tp->t_undo);
	tp->t_undo = NULL;
	tp->t_flags &= ~TF_UNDOALL;
}

void
tcp_undo_resent(struct tcpcb *tp, uint32_t len)
{
	if (tp->t_undo != NULL)
		tp->t_undo->tu_rexmt += len;
}

/* RFC 4015 §3: as before, what is in flight being in flight still. */
static void
undo(struct tcpcb *tp)
{
	TCPSTAT_INC(tp->t_ns, undone);
	if ((tp->t_flags & TF_FASTRECOVERY) != 0)
		tp->t_flags |= TF_REORDERED;
	tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
	tp->snd_cwnd = KERN_MAX(tp->snd_cwnd, tp->t_undo->tu_cwnd);
	tp->snd_ssthresh = KERN_MAX(tp->snd_ssthresh, tp->t_undo->tu_ssthresh);
	tcp_undo_forget(tp);
	if (tp->t_congctl->cc_undo != NULL)
		tp->t_congctl->cc_undo(tp);
	tp->t_dupacks = tp->t_partialacks = 0;
	if (tcp_sack_any(tp))
		tcp_sack_none_lost(tp);
	tp->snd_nxt = tp->snd_max;
	tp->t_flags |= TF_NEEDOUTPUT;
}

/* RFC 3522 §3.2: the ACK echoes a time before the retransmission: it is the original's. */
static bool
undo_eifel(struct tcpcb *tp, const struct tcp_segment *seg)
{
	bool spurious;

	if ((tp->t_flags & TF_EIFEL) == 0 || SEQ_LEQ(seg->ts_ack, tp->snd_una))
		return false;
	tp->t_flags &= ~(uint32_t)TF_EIFEL;
	spurious = (tp->t_flags & TF_RCVD_TSTMP) != 0 && (seg->ts_opts.to_flags & TOF_TS) != 0 &&
	    seg->ts_opts.to_tsecr != 0 && TSTMP_LT(seg->ts_opts.to_tsecr, tp->t_undo->tu_ts);
	return spurious;
}

/* RFC 3708: every byte that was sent again arrived twice. */
static bool
undo_dsack(struct tcpcb *tp, const struct tcp_ackinfo *ai)
{
	uint32_t len = ai->ai_dsack_end - ai->ai_dsack_start;

	if (!ai->ai_dsack || tp->t_undo->tu_rexmt == 0)
		return false;
	tp->t_undo->tu_rexmt -= KERN_MIN(len, tp->t_undo->tu_rexmt);
	return tp->t_undo->tu_rexmt == 0;
}

/* => before snd_una moves */
void
tcp_undo_check(struct tcpcb *tp, const struct tcp_segment *seg, const struct tcp_ackinfo *ai)
{
	if ((tp->t_flags & TF_UNDO) == 0)
		return;
	if (undo_eifel(tp, seg) || undo_dsack(tp, ai)) {
		undo(tp);
		return;
	}
	if (SEQ_LT(seg->ts_ack, tp->t_undo->tu_end) ||
	    ((tp->t_flags & TF_UNDO_LAST) != 0 && seg->ts_ack == tp->t_undo->tu_end))
		return;
	/* D-SACKs of what was sent in recovery may follow for one more round. */
	if ((tp->t_flags & TF_UNDO_LAST) != 0 || !tcp_has_sack(tp) || tp->t_undo->tu_rexmt == 0) {
		tcp_undo_forget(tp);
	} else {
		tp->t_flags |= TF_UNDO_LAST;
		tp->t_undo->tu_end = tp->snd_max;
	}
}

/* -- recovery -------------------------------------------------------------------------------- */

/* => false: nothing left, for want of memory or of the peer's window, or before its time */
static bool
recovery_resend(struct tcpcb *tp, struct tcp_sackhole *sh, uint32_t len)
{
	const uint32_t most = KERN_MIN(len, sh->sh_end - sh->sh_rxmit);
	const uint32_t sent = tcp_output_again(tp, sh->sh_rxmit, most);

	/* A FIN may have come along that the hole does not hold. */
	sh->sh_rxmit += KERN_MIN(sent, most);
	if (sent > 0)
		sh->sh_time_us = tcp_now_us(tp);
	tcp_undo_resent(tp, sent);
	return sent > 0;
}

void
tcp_recovery_send_first(struct tcpcb *tp)
{
	struct tcp_sackhole *sh;

	if (!tcp_has_sack(tp)) {
		tcp_retransmit_head(tp);
		return;
	}
	sh = tcp_sack_next_lost(tp);
	if (sh != NULL && !recovery_resend(tp, sh, tp->t_maxseg))
		tcp_pacing_owe(tp);
}

/* RFC 6675 §5 (4), RFC 6937 §3: the first retransmission leaves whatever the window. */
static void
recovery_enter(struct tcpcb *tp)
{
	const struct tcp_sackhole *first = LIST_FIRST(&tp->t_holes);

	TCPSTAT_INC(tp->t_ns, sack_recovery_episode);
	TCPSTAT_INC(tp->t_ns, fastrexmit);
	tcp_undo_save(tp);
	/* Sent again in the last recovery already: its echo would look like the original's. */
	if (first != NULL && first->sh_rxmit != first->sh_start)
		tcp_undo_forget(tp);
	tp->t_flags |= TF_FASTRECOVERY;
	tp->t_flags &= ~(uint32_t)TF_RESCUED;
	tp->snd_recover = tp->snd_max;
	tp->t_partialacks = 0;
	tp->t_prr_delivered = 0;
	tp->t_prr_out = 0;
	tp->t_prr_flight = KERN_MAX(tp->snd_max - tp->snd_una, 1u);
	tp->t_congctl->cc_loss(tp);
	tp->snd_cwnd = KERN_MAX(tcp_pipe(tp), tp->t_maxseg);
	tp->t_rtttiming = false; /* Karn */
	tcp_recovery_send_first(tp);
	tcp_timer_arm(tp, TCPT_REXMT, tcp_rto_ns(tp));
}

void
tcp_recovery_check(struct tcpcb *tp)
{
	if (!tcp_sack_mark(tp) || tp->snd_nxt != tp->snd_max)
		return;
	tp->t_flags |= TF_NEEDOUTPUT;
	/* RFC 6675 §5.1: not before the recovery point of a time-out. */
	if ((tp->t_flags & TF_FASTRECOVERY) == 0 && SEQ_GEQ(tp->snd_una, tp->snd_recover))
		recovery_enter(tp);
}

/* RFC 6937 §3.1: how much may leave for this ACK. */
static void
recovery_prr(struct tcpcb *tp, uint32_t delivered)
{
	const uint32_t pipe = tcp_pipe(tp), ssthresh = tp->snd_ssthresh;
	uint32_t most, room = 0;

	tp->t_prr_delivered += delivered;
	if (pipe > ssthresh) {
		most =
		    (uint32_t)howmany((uint64_t)tp->t_prr_delivered * ssthresh, tp->t_prr_flight);
		room = most > tp->t_prr_out ? most - tp->t_prr_out : 0;
	} else {
		most =
		    tp->t_prr_delivered > tp->t_prr_out ? tp->t_prr_delivered - tp->t_prr_out : 0;
		most = KERN_MAX(most, delivered) + tp->t_maxseg;
		room = KERN_MIN(ssthresh - pipe, most);
	}
	tp->snd_cwnd = KERN_MAX(pipe + room, tp->t_maxseg);
	tp->t_flags |= TF_NEEDOUTPUT;
}

void
tcp_recovery_ack(struct tcpcb *tp, const struct tcp_segment *seg, const struct tcp_ackinfo *ai)
{
	struct tcp_sackhole *first = LIST_FIRST(&tp->t_holes);

	if (ai->ai_dsack)
		tcp_rack_dsack(tp);
	tcp_tlp_ack(tp, seg, ai);
	if (!tcp_sack_any(tp) && (tp->t_flags & TF_FASTRECOVERY) == 0)
		return;
	if (ai->ai_sacknews)
		tp->t_flags |= TF_NEEDOUTPUT; /* limited transmit (RFC 6675 §5 (3)) */
	/* RFC 6675 §5 (1): three duplicates, unless time decides. */
	if (tp->t_dupacks >= TCP_DUPTHRESH && first != NULL && (tp->t_flags & TF_REORDERED) == 0)
		first->sh_lost = true;
	tcp_rack_detect(tp);
	tcp_recovery_check(tp);
	if ((tp->t_flags & TF_FASTRECOVERY) != 0 && ai->ai_delivered > 0)
		recovery_prr(tp, ai->ai_delivered);
}

/* -- sending --------------------------------------------------------------------------------- */

/* The bytes that the window has room for, in whole segments. */
static uint32_t
recovery_room(const struct tcpcb *tp)
{
	const uint32_t pipe = tcp_pipe(tp);

	return tp->snd_cwnd > pipe ? (tp->snd_cwnd - pipe) / tp->t_maxseg * tp->t_maxseg : 0;
}

void
tcp_recovery_send_lost(struct tcpcb *tp)
{
	struct tcp_sackhole *sh;
	uint32_t room;

	while ((sh = tcp_sack_next_lost(tp)) != NULL && (room = recovery_room(tp)) > 0) {
		if (!recovery_resend(tp, sh, room))
			return;
	}
}

/* NextSeg (4): the last segment of what was in flight, of which nothing is known. */
static void
recovery_rescue(struct tcpcb *tp)
{
	const tcp_seq end = seq_min(tp->snd_max, tp->snd_recover);
	uint32_t len;

	if ((tp->t_flags & TF_RESCUED) != 0 || SEQ_LEQ(end, tp->t_sack_end))
		return;
	len = KERN_MIN(end - tp->t_sack_end, tp->t_maxseg);
	if (tcp_output_again(tp, end - len, len) > 0) {
		tp->t_flags |= TF_RESCUED;
		tcp_undo_resent(tp, len);
		TCPSTAT_INC(tp->t_ns, sack_rescue_rexmit);
	}
}

void
tcp_recovery_send_rest(struct tcpcb *tp)
{
	struct tcp_sackhole *sh;

	if ((tp->t_flags & TF_FASTRECOVERY) == 0 || tcp_sack_next_lost(tp) != NULL)
		return;
	LIST_FOREACH(sh, &tp->t_holes, sh_list) {
		const uint32_t room = recovery_room(tp);

		if (room == 0)
			return;
		/* NextSeg (3): below something SACKed, so it may well be lost. */
		if (!sh->sh_lost && sh->sh_rxmit != sh->sh_end &&
		    (tp->t_flags & TF_REORDERED) == 0 && !recovery_resend(tp, sh, room))
			return;
	}
	if (recovery_room(tp) > 0)
		recovery_rescue(tp);
}
