/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ACK field: RFC 9293 §3.10.7.4 (5), with the range of RFC 5961 §5, the send window, what an
 * ACK says about the round trip (RFC 6298, 7323) and about losses: fast retransmit and NewReno's
 * recovery (RFC 5681 §3.2, RFC 6582), limited transmit (RFC 3042). How far the congestion window
 * goes is the algorithm's (tcp_congctl.h). Connections with SACK recover in tcp_recovery.c.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"

#include "kern/names.h"

void
tcp_ack_accepted(struct tcpcb *tp, const struct tcp_segment *seg)
{
	if ((tp->t_flags & TF_RCVD_TSTMP) == 0 || (seg->ts_opts.to_flags & TOF_TS) == 0 ||
	    SEQ_GT(seg->ts_wireseq, tp->last_ack_sent))
		return;
	/* PAWS has let an older one through only because TS.Recent is out of date. */
	tp->ts_recent = seg->ts_opts.to_tsval;
	tp->ts_recent_age = tcp_ts_age_now(tp);
}

/* By our own clock if a segment was timed; else by what the peer echoed. */
static void
tcp_ack_rtt(struct tcpcb *tp, const struct tcp_segment *seg)
{
	const uint64_t now = tp->t_ns->ns_now;
	uint32_t ms;

	if (tp->t_rtttiming) {
		if (SEQ_LEQ(seg->ts_ack, tp->t_rtseq))
			return;
		tp->t_rtttiming = false;
		tcp_rtt_sample(tp, (uint32_t)(now / NSEC_PER_USEC) - tp->t_rtstart_us);
		return;
	}
	if ((tp->t_flags & TF_RCVD_TSTMP) == 0 || (seg->ts_opts.to_flags & TOF_TS) == 0 ||
	    seg->ts_opts.to_tsecr == 0)
		return;
	ms = tcp_ts_now(tp) - seg->ts_opts.to_tsecr;
	if (ms < UINT32_MAX / 1000)
		tcp_rtt_sample(tp, KERN_MAX(ms * 1000, 1u));
}

/* To the algorithm goes every echo, to the time-out's estimate one a round trip. */
static void
tcp_ack_echo(struct tcpcb *tp, const struct tcp_segment *seg)
{
	uint32_t ms;

	if (tp->t_congctl->cc_rtt == NULL || (tp->t_flags & TF_RCVD_TSTMP) == 0 ||
	    (seg->ts_opts.to_flags & TOF_TS) == 0 || seg->ts_opts.to_tsecr == 0)
		return;
	ms = tcp_ts_now(tp) - seg->ts_opts.to_tsecr;
	if (ms < UINT32_MAX / 1000)
		tp->t_congctl->cc_rtt(tp, KERN_MAX(ms * 1000, 1u));
}

void
tcp_ack_syn(struct tcpcb *tp)
{
	if (tp->t_rtttiming) {
		tp->t_rtttiming = false;
		tcp_rtt_sample(tp, (uint32_t)(tp->t_ns->ns_now / NSEC_PER_USEC) - tp->t_rtstart_us);
	}
	tcp_timer_disarm(tp, TCPT_REXMT);
	tp->t_rxtshift = 0;
	tp->t_softerror = 0;
	tp->snd_una = tp->t_sack_end = tp->iss + 1;
	tp->snd_nxt = seq_max(tp->snd_nxt, tp->snd_una);
	tp->snd_up = seq_max(tp->snd_up, tp->snd_una);
}

/* Acknowledged data leaves the buffer. => bytes */
static uint32_t
tcp_ack_drop(struct tcpcb *tp, uint32_t acked)
{
	struct socket *so = tp->t_inpcb->inp_socket;
	uint32_t n;

	if (so == NULL)
		return 0;
	n = KERN_MIN(acked, so->so_snd.sb_cc);
	if (n == 0)
		return 0;
	tcp_sndbuf_autotune(tp); /* while its writer still sleeps */
	sbdrop(&so->so_snd, n);
	tp->t_flags |= TF_WWAKEUP;
	return n;
}

/* RFC 6298 (5.2), (5.3); in recovery only the first partial ACK counts (RFC 6582 §3.2 (5)). */
static void
tcp_ack_timer(struct tcpcb *tp)
{
	if (tp->snd_una == tp->snd_max)
		tcp_timer_disarm(tp, TCPT_REXMT);
	else if (!tcp_timer_isarmed(tp, TCPT_PERSIST) && tp->t_partialacks <= 1)
		tcp_timer_arm(tp, TCPT_REXMT, tcp_rto_ns(tp));
	tcp_tlp_schedule(tp);
	if (tp->snd_una == tp->snd_max)
		tcp_rack_idle(tp);
}

/* RFC 6582 §3.2 (5), the full ACK; RFC 6937 §3: with SACK the window is at ssthresh by now. */
static void
tcp_ack_recovered(struct tcpcb *tp)
{
	tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
	tp->t_dupacks = tp->t_partialacks = 0;
	tp->t_congctl->cc_recovered(tp);
	if (!tcp_has_sack(tp))
		return;
	tp->snd_cwnd = tp->snd_ssthresh;
	tcp_rack_recovered(tp);
}

/*
 * RFC 9438 §5.8, RFC 7661 §1: a window that the program did not fill has not been tested. In slow
 * start half of it is enough.
 */
static bool
tcp_cwnd_was_used(const struct tcpcb *tp, uint32_t acked)
{
	const uint64_t flight = (uint64_t)(tp->snd_max - tp->snd_una) + acked;

	if (tp->snd_cwnd < tp->snd_ssthresh)
		return 2 * flight >= tp->snd_cwnd;
	return flight + 2 * tp->t_maxseg >= tp->snd_cwnd;
}

static void
tcp_ack_congestion(struct tcpcb *tp, uint32_t acked)
{
	if ((tp->t_flags & TF_FASTRECOVERY) == 0) {
		tp->t_dupacks = 0;
		/* Once behind us it follows, lest the numbers come round to it. */
		if (SEQ_GT(tp->snd_una - acked, tp->snd_recover))
			tp->snd_recover = tp->snd_una - acked - 1;
		if (acked > 0 && tcp_cwnd_was_used(tp, acked))
			tp->t_congctl->cc_newack(tp, acked);
	} else if (SEQ_GEQ(tp->snd_una, tp->snd_recover)) {
		tcp_ack_recovered(tp);
	} else if (!tcp_has_sack(tp)) {
		if (tp->t_partialacks < UINT8_MAX)
			tp->t_partialacks++;
		tp->t_congctl->cc_partialack(tp, acked);
	}
}

bool
tcp_ack_advance(struct tcpcb *tp, const struct tcp_segment *seg)
{
	const uint32_t acked = seg->ts_ack - tp->snd_una;
	uint32_t n;

	TCPSTAT_INC(tp->t_ns, rcvackpack);
	tcp_ack_rtt(tp, seg);
	n = tcp_ack_drop(tp, acked);
	TCPSTAT_ADD(tp->t_ns, rcvackbyte, n);
	tp->snd_wnd -= KERN_MIN(tp->snd_wnd, acked); /* the right edge stays until we hear of it */
	tp->snd_una = seg->ts_ack;
	tp->t_sack_end = seq_max(tp->t_sack_end, tp->snd_una);
	tp->snd_nxt = seq_max(tp->snd_nxt, tp->snd_una);
	tp->snd_up = seq_max(tp->snd_up, tp->snd_una);
	tp->t_rxtshift = 0;
	tp->t_softerror = 0;
	tcp_ack_echo(tp, seg);
	tcp_ack_congestion(tp, n);
	tcp_ack_timer(tp);
	tp->t_flags |= TF_NEEDOUTPUT;
	return acked > n && (tp->t_flags & TF_SENTFIN) != 0;
}

bool
tcp_ack_window(struct tcpcb *tp, const struct tcp_segment *seg)
{
	const uint32_t wnd = (uint32_t)seg->ts_win << tp->snd_scale;
	const bool changed = wnd != tp->snd_wnd;

	if (SEQ_LT(seg->ts_ack, tp->snd_una) || SEQ_GT(tp->snd_wl1, seg->ts_seq) ||
	    (tp->snd_wl1 == seg->ts_seq && SEQ_GT(tp->snd_wl2, seg->ts_ack)))
		return false;
	if (changed && tp->snd_wl2 == seg->ts_ack && seg->ts_wirelen == 0)
		TCPSTAT_INC(tp->t_ns, rcvwinupd);
	tp->snd_wl1 = seg->ts_seq;
	tp->snd_wl2 = seg->ts_ack;
	tp->snd_wnd = wnd;
	tp->max_sndwnd = KERN_MAX(tp->max_sndwnd, wnd);
	if (changed)
		tp->t_flags |= TF_NEEDOUTPUT;
	return changed;
}

void
tcp_retransmit_head(struct tcpcb *tp)
{
	tp->t_rtttiming = false; /* Karn */
	if (tcp_output_again(tp, tp->snd_una, tp->t_maxseg) == 0)
		tcp_pacing_owe(tp);
}

/* RFC 5681 §3.2 (2), RFC 6582 §3.2 (2). */
static void
tcp_fast_retransmit(struct tcpcb *tp)
{
	TCPSTAT_INC(tp->t_ns, fastrexmit);
	tcp_undo_save(tp);
	tp->t_flags |= TF_FASTRECOVERY;
	tp->snd_recover = tp->snd_max;
	tp->t_partialacks = 0;
	tp->t_congctl->cc_loss(tp);
	tcp_retransmit_head(tp);
	tcp_timer_arm(tp, TCPT_REXMT, tcp_rto_ns(tp));
}

/* RFC 3042: one new segment for each of the first two. */
static void
tcp_limited_transmit(struct tcpcb *tp)
{
	const uint32_t cwnd = tp->snd_cwnd;

	if (tp->snd_nxt != tp->snd_max)
		return;
	tp->snd_cwnd += (uint32_t)tp->t_dupacks * tp->t_maxseg;
	(void)tcp_output(tp);
	tp->snd_cwnd = cwnd;
}

void
tcp_output_paced(struct tcpcb *tp)
{
	if (!tcp_has_sack(tp) && (tp->t_flags & TF_FASTRECOVERY) == 0 && tp->t_dupacks > 0 &&
	    tp->t_dupacks < TCP_DUPTHRESH && tp->snd_nxt == tp->snd_max)
		tcp_limited_transmit(tp);
	else
		(void)tcp_output(tp);
}

/* RFC 5681 §2: the definition of a duplicate ACK. Answers to window probes are none. */
static bool
tcp_is_dupack(const struct tcpcb *tp, const struct tcp_segment *seg, const struct tcp_ackinfo *ai)
{
	/* RFC 6675 §2: what SACKs something new. HOSTILE 62: nothing else can be one. */
	if (tcp_has_sack(tp))
		return ai->ai_sacknews && seg->ts_ack == tp->snd_una;
	return tcp_timer_isarmed(tp, TCPT_REXMT) && seg->ts_ack == tp->snd_una &&
	    tp->snd_una != tp->snd_max && seg->ts_wirelen == 0 &&
	    (seg->ts_flags & (TH_SYN | TH_FIN)) == 0 &&
	    (uint32_t)seg->ts_win << tp->snd_scale == tp->snd_wnd;
}

static void
tcp_dupack(struct tcpcb *tp)
{
	TCPSTAT_INC(tp->t_ns, rcvdupack);
	/* A segment in flight causes one at most: more are made up. */
	if ((uint32_t)tp->t_dupacks * tp->t_maxseg >
	    tp->snd_max - tp->snd_una + TCP_DUPTHRESH * tp->t_maxseg)
		return;
	if (tp->t_dupacks < UINT16_MAX)
		tp->t_dupacks++;
	if (tcp_has_sack(tp))
		return;
	if ((tp->t_flags & TF_FASTRECOVERY) != 0) {
		tp->t_congctl->cc_dupack(tp);
		tp->t_flags |= TF_NEEDOUTPUT;
	} else if (tp->t_dupacks < TCP_DUPTHRESH) {
		tcp_limited_transmit(tp);
	} else if (tp->t_dupacks == TCP_DUPTHRESH && SEQ_GT(tp->snd_una, tp->snd_recover)) {
		tcp_fast_retransmit(tp);
	}
}

/* RFC 9293 §3.10.7.4 (5), SYN-RECEIVED: SND.UNA < SEG.ACK <= SND.NXT. */
static struct tcp_verdict
tcp_ack_syn_received(struct tcpcb *tp, const struct tcp_segment *seg)
{
	if (SEQ_LEQ(seg->ts_ack, tp->iss) || SEQ_GT(seg->ts_ack, tp->snd_max))
		return tcp_verdict(TCP_DROP_RST, DROP_TCP_ACK, 0);
	tp->snd_wnd = (uint32_t)seg->ts_win << tp->snd_scale;
	tp->max_sndwnd = KERN_MAX(tp->max_sndwnd, tp->snd_wnd);
	tp->snd_wl1 = seg->ts_seq;
	tp->snd_wl2 = seg->ts_ack;
	tcp_ack_syn(tp);
	tcp_established(tp);
	return tcp_verdict_continue();
}

/* RFC 5961 §5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT. */
static struct tcp_verdict
tcp_ack_range(struct tcpcb *tp, const struct tcp_segment *seg)
{
	if (SEQ_GT(seg->ts_ack, tp->snd_max)) {
		TCPSTAT_INC(tp->t_ns, rcvacktoomuch);
		return tcp_verdict(TCP_DROP_CHALLENGE, DROP_TCP_ACKTOOMUCH, 0);
	}
	if (SEQ_LT(seg->ts_ack, tp->snd_una - tp->max_sndwnd)) {
		TCPSTAT_INC(tp->t_ns, rcvacktooold);
		return tcp_verdict(TCP_DROP_CHALLENGE, DROP_TCP_ACK, 0);
	}
	return tcp_verdict_continue();
}

/* Our FIN is acknowledged. */
static struct tcp_verdict
tcp_ack_fin(struct tcpcb *tp)
{
	if (tp->t_state == TCPS_FIN_WAIT_1) {
		tcp_set_state(tp, TCPS_FIN_WAIT_2);
	} else if (tp->t_state == TCPS_CLOSING) {
		tcp_timewait_enter(tp);
	} else if (tp->t_state == TCPS_LAST_ACK) {
		tcp_kill(tp, 0);
		return tcp_verdict(TCP_DONE, DROP_TCP_CONSUMED, TV_CLOSED);
	}
	return tcp_verdict_continue();
}

struct tcp_verdict
tcp_step_ack(struct tcpcb *tp, struct tcp_segment *seg)
{
	struct tcp_verdict tv = tcp_verdict_continue();
	struct tcp_ackinfo ai;
	bool fin = false, partial;

	if ((seg->ts_flags & TH_ACK) == 0)
		return tcp_verdict_drop(DROP_TCP_NOACK);
	if (tp->t_state == TCPS_SYN_RECEIVED)
		tv = tcp_ack_syn_received(tp, seg);
	if (tv.tv_what == TCP_CONTINUE)
		tv = tcp_ack_range(tp, seg);
	if (tv.tv_what != TCP_CONTINUE)
		return tv;
	tcp_ack_accepted(tp, seg);
	tcp_ecn_input(tp, seg);
	tcp_sack_input(tp, seg, &ai);
	tcp_undo_check(tp, seg, &ai);
	partial = !tcp_has_sack(tp) && (tp->t_flags & TF_FASTRECOVERY) != 0 &&
	    SEQ_GT(seg->ts_ack, tp->snd_una) && SEQ_LT(seg->ts_ack, tp->snd_recover);
	if (SEQ_GT(seg->ts_ack, tp->snd_una))
		fin = tcp_ack_advance(tp, seg);
	else if (tcp_is_dupack(tp, seg, &ai))
		tcp_dupack(tp);
	(void)tcp_ack_window(tp, seg);
	if (tcp_has_sack(tp))
		tcp_recovery_ack(tp, seg, &ai);
	else if (partial)
		tcp_retransmit_head(tp);
	return fin ? tcp_ack_fin(tp) : tv;
}
