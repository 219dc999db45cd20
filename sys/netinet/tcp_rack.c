/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RACK-TLP (RFC 8985): losses by time, for connections with SACK.
 *
 * Theory of operation: RFC 8985 keeps the time of each segment. Here t_sendlog keeps a few marks
 * (up to this number, sent between then and then), for what is in flight and was sent once, and each
 * hole of the scoreboard the time when it was last sent again. What was delivered is taken to have been
 * sent at the mark's beginning, what is missing at its end: a loss is found at most a sixth of a round
 * trip later than by exact times, never sooner. One timer serves both, reordering that may yet
 * settle and the tail loss probe; the retransmission timer runs beside it.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

#define RACK_PERSIST 16u           /* recoveries that a wider window outlasts (§6.2 (4)) */
#define RACK_MULT_MAX 8u           /* beyond, min(…, SRTT) decides in any case */
#define TLP_MAXACKDELAY_US 100000u /* §7.2: a lone segment's ACK may be delayed */
#define TLP_LEAST_US 2000u

static struct tcp_sendlog *
rack_log(struct tcpcb *tp, unsigned back)
{
	return &tp->t_sendlog[(tp->t_sendlog_last + TCP_SENDLOG - back) % TCP_SENDLOG];
}

/*
 * It is there while data are in flight. Without memory these are logged no more, but for which RACK
 * finds no losses: three duplicates and the retransmission timer still do.
 */
static bool
rack_log_have(struct tcpcb *tp)
{
	if (tp->snd_max == tp->snd_una) {
		tp->t_nsendlog = 0;
		if (tp->t_sendlog == NULL && tcp_has_sack(tp) && TCPS_HAVEESTABLISHED(tp->t_state))
			tp->t_sendlog = pool_get_zeroed(&tp->t_ns->ns_tcp->tcps_sendlogpool);
	}
	return tp->t_sendlog != NULL;
}

void
tcp_rack_idle(struct tcpcb *tp)
{
	if (tp->t_sendlog != NULL)
		pool_put(&tp->t_ns->ns_tcp->tcps_sendlogpool, tp->t_sendlog);
	tp->t_sendlog = NULL;
	tp->t_nsendlog = 0;
}

void
tcp_rack_sent(struct tcpcb *tp, tcp_seq end)
{
	const uint32_t now = tcp_now_us(tp);
	struct tcp_sendlog *last;

	if (!rack_log_have(tp))
		return;
	last = rack_log(tp, 0);
	if (tp->t_nsendlog > 0 && now - last->se_first_us <= tp->t_srtt_us / 6) {
		last->se_end = end;
		last->se_last_us = now;
		return;
	}
	tp->t_sendlog_last = (uint8_t)((tp->t_sendlog_last + 1u) % TCP_SENDLOG);
	if (tp->t_nsendlog < TCP_SENDLOG)
		tp->t_nsendlog++;
	*rack_log(tp, 0) = (struct tcp_sendlog){end, now, now};
}

/* The mark of the byte before end. What is older than all marks counts as the oldest. */
static const struct tcp_sendlog *
rack_lookup(struct tcpcb *tp, tcp_seq end)
{
	unsigned i = 0;

	while (i + 1u < tp->t_nsendlog && SEQ_LEQ(end, rack_log(tp, i + 1u)->se_end))
		i++;
	return rack_log(tp, i);
}

static bool
rack_sent_after(uint32_t t1, tcp_seq seq1, uint32_t t2, tcp_seq seq2)
{
	return (int32_t)(t1 - t2) > 0 || (t1 == t2 && SEQ_GT(seq1, seq2));
}

/* §6.2 (2): can this not be the ACK of the retransmission that left at time? */
static bool
rack_ambiguous(const struct tcpcb *tp, const struct tcp_segment *seg, uint32_t time, uint32_t rtt)
{
	if ((seg->ts_opts.to_flags & TOF_TS) != 0 && (tp->t_flags & TF_RCVD_TSTMP) != 0 &&
	    TSTMP_LT(seg->ts_opts.to_tsecr, tcp_ts_now(tp) - (tcp_now_us(tp) - time) / 1000 - 1))
		return true;
	return rtt < tp->t_rttmin_us;
}

/* §6.2 (1)-(3) */
void
tcp_rack_delivered(struct tcpcb *tp, const struct tcp_segment *seg, const struct tcp_sackhole *hole,
    tcp_seq end)
{
	const bool again = hole != NULL && SEQ_GT(hole->sh_rxmit, hole->sh_start);
	uint32_t time, rtt;

	if (tp->t_nsendlog == 0)
		return;
	time = again ? hole->sh_time_us : rack_lookup(tp, end)->se_first_us;
	rtt = tcp_now_us(tp) - time;
	if (again && rack_ambiguous(tp, seg, time, rtt))
		return;
	if (!again && hole != NULL && SEQ_LT(end, tp->t_rack_fack))
		tp->t_flags |= TF_REORDERED;
	if (tp->t_rack_rtt_us == 0 || SEQ_GT(end, tp->t_rack_fack))
		tp->t_rack_fack = end;
	if (tp->t_rack_rtt_us != 0 &&
	    !rack_sent_after(time, end, tp->t_rack_time_us, tp->t_rack_end))
		return;
	tp->t_rack_rtt_us = KERN_MAX(rtt, 1u);
	tp->t_rack_time_us = time;
	tp->t_rack_end = end;
}

/* §6.2 (4) */
static uint32_t
rack_window(const struct tcpcb *tp)
{
	const uint32_t mult = KERN_MAX(tp->t_rack_mult, 1u);

	if ((tp->t_flags & TF_REORDERED) == 0 &&
	    ((tp->t_flags & TF_FASTRECOVERY) != 0 || tp->t_dupacks >= TCP_DUPTHRESH ||
		SEQ_LT(tp->snd_una, tp->snd_recover) ||
		tcp_sack_bytes(tp) > (TCP_DUPTHRESH - 1) * tp->t_maxseg))
		return 0;
	return (uint32_t)KERN_MIN((uint64_t)mult * tp->t_rttmin_us / 4, tp->t_srtt_us);
}

/* => 0: lost; else microseconds until it is, UINT32_MAX: nothing sent later was delivered */
static uint32_t
rack_wait(const struct tcpcb *tp, uint32_t time, tcp_seq end, uint32_t window)
{
	const uint32_t age = tcp_now_us(tp) - time, limit = tp->t_rack_rtt_us + window;

	if (!rack_sent_after(tp->t_rack_time_us, tp->t_rack_end, time, end))
		return UINT32_MAX;
	return age >= limit ? 0 : limit - age;
}

/* §6.2 (5), what was sent once and what was sent again. => as rack_wait */
static uint32_t
rack_hole(struct tcpcb *tp, struct tcp_sackhole *sh, uint32_t window)
{
	uint32_t wait = UINT32_MAX, more = UINT32_MAX;

	if (!sh->sh_lost) {
		wait = rack_wait(tp, rack_lookup(tp, sh->sh_end)->se_last_us, sh->sh_end, window);
		sh->sh_lost = wait == 0;
	}
	if (sh->sh_rxmit != sh->sh_start) {
		more = rack_wait(tp, sh->sh_time_us, sh->sh_rxmit, window);
		if (more == 0) {
			TCPSTAT_INC(tp->t_ns, sack_lostrexmt);
			sh->sh_lost = true;
			sh->sh_rxmit = sh->sh_start;
		}
	}
	wait = wait == 0 ? UINT32_MAX : wait;
	more = more == 0 ? UINT32_MAX : more;
	return KERN_MIN(wait, more);
}

void
tcp_rack_detect(struct tcpcb *tp)
{
	uint32_t window = rack_window(tp), wait = UINT32_MAX;
	struct tcp_sackhole *sh;

	if (tp->t_rack_rtt_us == 0 || tp->t_nsendlog == 0)
		return;
	LIST_FOREACH(sh, &tp->t_holes, sh_list) {
		uint32_t one = rack_hole(tp, sh, window);

		wait = KERN_MIN(wait, one);
	}
	if (wait == UINT32_MAX)
		return;
	tp->t_flags &= ~(uint32_t)TF_TLP_ARMED;
	tcp_timer_arm(tp, TCPT_RACK, KERN_MAX(wait, 1u) * NSEC_PER_USEC);
}

/* §6.2 (4): a D-SACK says that the window was too narrow; once a round. */
void
tcp_rack_dsack(struct tcpcb *tp)
{
	if ((tp->t_flags & TF_DSACK_ROUND) != 0 && SEQ_LT(tp->snd_una, tp->t_rack_round))
		return;
	tp->t_flags |= TF_DSACK_ROUND;
	tp->t_rack_round = tp->snd_max;
	tp->t_rack_mult = (uint8_t)KERN_MIN(KERN_MAX(tp->t_rack_mult, 1u) + 1u, RACK_MULT_MAX);
	tp->t_rack_persist = RACK_PERSIST;
}

void
tcp_rack_recovered(struct tcpcb *tp)
{
	if (tp->t_rack_persist > 0 && --tp->t_rack_persist == 0)
		tp->t_rack_mult = 1;
}

/* -- tail loss probes ------------------------------------------------------------------------ */

/* §7.2: the conditions. */
static bool
tlp_wanted(const struct tcpcb *tp)
{
	return tcp_has_sack(tp) && tp->t_ns->ns_tcp->tcps_sysctl.tlp != 0 &&
	    TCPS_HAVEESTABLISHED(tp->t_state) && tp->snd_max != tp->snd_una && !tcp_sack_any(tp) &&
	    (tp->t_flags & (TF_FASTRECOVERY | TF_TLP)) == 0 &&
	    SEQ_GEQ(tp->snd_una, tp->snd_recover) && tp->t_srtt_us != 0 && tp->t_rxtshift == 0 &&
	    tp->snd_wnd > 0 && tcp_timer_isarmed(tp, TCPT_REXMT);
}

void
tcp_tlp_schedule(struct tcpcb *tp)
{
	uint64_t pto_us = 2 * (uint64_t)tp->t_srtt_us;

	if (!tlp_wanted(tp)) {
		if ((tp->t_flags & TF_TLP_ARMED) != 0 || !tcp_sack_any(tp))
			tcp_timer_disarm(tp, TCPT_RACK);
		tp->t_flags &= ~(uint32_t)TF_TLP_ARMED;
		return;
	}
	if (tp->snd_max - tp->snd_una <= tp->t_maxseg)
		pto_us += TLP_MAXACKDELAY_US;
	pto_us = KERN_MAX(pto_us, TLP_LEAST_US);
	tp->t_flags |= TF_TLP_ARMED;
	/* Later than the retransmission timer: that one will do. */
	if (tp->t_ns->ns_now + pto_us * NSEC_PER_USEC >= tp->t_deadline_ns[TCPT_REXMT])
		tcp_timer_disarm(tp, TCPT_RACK);
	else
		tcp_timer_arm(tp, TCPT_RACK, pto_us * NSEC_PER_USEC);
}

/* §7.3: a new segment if there is one, else the last again. */
static void
tlp_probe(struct tcpcb *tp)
{
	uint32_t len = KERN_MIN(tp->snd_max - tp->snd_una, tp->t_maxseg);

	if (!tlp_wanted(tp))
		return;
	TCPSTAT_INC(tp->t_ns, tlp_probes);
	tp->t_flags &= ~(uint32_t)TF_TLP_REXMT;
	if (!tcp_output_one(tp)) {
		tp->t_rtttiming = false; /* Karn */
		if (tcp_output_again(tp, tp->snd_max - len, len) == 0)
			return;
		tp->t_flags |= TF_TLP_REXMT;
		tcp_undo_resent(tp, len);
	}
	tp->t_flags |= TF_TLP;
	tp->t_tlp_end = tp->snd_max;
	tcp_timer_arm(tp, TCPT_REXMT, tcp_rto_ns(tp));
}

void
tcp_rack_timer(struct tcpcb *tp)
{
	const uint64_t wait_ns = tcp_pacing_wait_ns(tp);

	/* A probe waits for its time; new data that do so already are as good as one. */
	if ((tp->t_flags & TF_TLP_ARMED) != 0 && wait_ns != 0) {
		if (tcp_pacing_holds(tp))
			tp->t_flags &= ~(uint32_t)TF_TLP_ARMED;
		else
			tcp_timer_arm(tp, TCPT_RACK, wait_ns);
		return;
	}
	if ((tp->t_flags & TF_TLP_ARMED) != 0) {
		tp->t_flags &= ~(uint32_t)TF_TLP_ARMED;
		tlp_probe(tp);
		return;
	}
	tcp_rack_detect(tp);
	tcp_recovery_check(tp);
	tp->t_flags &= ~(uint32_t)TF_NEEDOUTPUT;
	(void)tcp_output(tp);
}

void
tcp_tlp_ack(struct tcpcb *tp, const struct tcp_segment *seg, const struct tcp_ackinfo *ai)
{
	if ((tp->t_flags & TF_TLP) == 0 || SEQ_LT(seg->ts_ack, tp->t_tlp_end))
		return;
	if ((tp->t_flags & TF_TLP_REXMT) == 0 || ai->ai_dsack) {
		/* Nothing was lost, or both arrived. */
		tp->t_flags &= ~(uint32_t)TF_TLP;
	} else if (SEQ_GT(seg->ts_ack, tp->t_tlp_end)) {
		/* The probe repaired a loss, which the window has not felt yet. */
		tp->t_flags &= ~(uint32_t)TF_TLP;
		TCPSTAT_INC(tp->t_ns, tlp_repairs);
		if ((tp->t_flags & TF_FASTRECOVERY) == 0 && SEQ_GEQ(tp->snd_una, tp->snd_recover)) {
			tp->t_congctl->cc_loss(tp);
			tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
			tp->snd_cwnd = tp->snd_ssthresh;
		}
	} else if (seg->ts_wirelen == 0 && ai->ai_delivered == 0 && !ai->ai_sacknews) {
		tp->t_flags &= ~(uint32_t)TF_TLP; /* a duplicate ACK without D-SACK at the end */
	}
}
