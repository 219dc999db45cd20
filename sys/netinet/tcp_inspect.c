/* SPDX-License-Identifier: BSD-2-Clause */
/* The read-only view of connections, and what must hold of them (RFC 9293 §3.3.1). */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "netinet/tcp_inspect.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

#include <string.h>

#include "kern/names.h"

static void
tcp_inspect_socket(const struct inpcb *inp, struct tcp_inspect *ti)
{
	const struct socket *so = inp->inp_socket;

	ti->ti_orphan = so == NULL || (so->so_state & SS_NOFDREF) != 0;
	ti->ti_lport = inp->inp_lport;
	ti->ti_fport = inp->inp_fport;
	memcpy(ti->ti_laddr, inp->inp_laddr.ia_w, sizeof(ti->ti_laddr));
	memcpy(ti->ti_faddr, inp->inp_faddr.ia_w, sizeof(ti->ti_faddr));
	if (so == NULL)
		return;
	ti->ti_sndq = so->so_snd.sb_cc;
	ti->ti_rcvq = so->so_rcv.sb_cc;
}

void
tcp_inspect(const struct tcpcb *tp, struct tcp_inspect *ti)
{
	*ti = (struct tcp_inspect){
	    .ti_state = tp->t_state,
	    .ti_iss = tp->iss,
	    .ti_snd_una = tp->snd_una,
	    .ti_snd_nxt = tp->snd_nxt,
	    .ti_snd_max = tp->snd_max,
	    .ti_snd_wnd = tp->snd_wnd,
	    .ti_irs = tp->irs,
	    .ti_rcv_nxt = tp->rcv_nxt,
	    .ti_rcv_adv = tp->rcv_adv,
	    .ti_cwnd = tp->snd_cwnd,
	    .ti_ssthresh = tp->snd_ssthresh,
	    .ti_maxseg = tp->t_maxseg,
	    .ti_srtt_us = tp->t_srtt_us,
	    .ti_rto_us = tp->t_rto_us,
	    .ti_dupacks = tp->t_dupacks,
	    .ti_reass_segs = tcp_reass_segs(tp),
	    .ti_reass_bytes = tcp_reass_bytes(tp),
	    .ti_recovering = (tp->t_flags & TF_FASTRECOVERY) != 0,
	};
	tcp_inspect_socket(tp->t_inpcb, ti);
}

/* A handshake with a listener: a connection in SYN-RECEIVED, without socket. */
static bool
tcp_inspect_syncache(const struct netstack *ns, uint32_t index, struct tcp_inspect *ti)
{
	const struct syncache *sc = tcp_syncache_nth(ns, index);

	if (sc == NULL)
		return false;
	*ti = (struct tcp_inspect){
	    .ti_state = TCPS_SYN_RECEIVED,
	    .ti_lport = sc->sc_local.ie_port,
	    .ti_fport = sc->sc_foreign.ie_port,
	    .ti_iss = sc->sc_iss,
	    .ti_snd_una = sc->sc_iss,
	    .ti_snd_nxt = sc->sc_iss + 1,
	    .ti_snd_max = sc->sc_iss + 1,
	    .ti_irs = sc->sc_irs,
	    .ti_rcv_nxt = sc->sc_irs + 1,
	    .ti_rcv_adv = sc->sc_irs + 1 + sc->sc_wnd,
	    .ti_orphan = true,
	};
	memcpy(ti->ti_laddr, sc->sc_local.ie_addr.ia_w, sizeof(ti->ti_laddr));
	memcpy(ti->ti_faddr, sc->sc_foreign.ie_addr.ia_w, sizeof(ti->ti_faddr));
	return true;
}

/* What is left of a connection in TIME-WAIT; *index counts them. */
static bool
tcp_inspect_timewait(const struct netstack *ns, uint32_t *index, struct tcp_inspect *ti)
{
	const struct tcp_timewait *tws = &ns->ns_tcp->tcps_timewait;
	const struct tcptw *tw;

	if (*index >= tws->tws_count) {
		*index -= tws->tws_count;
		return false;
	}
	tw = tcp_timewait_nth(ns, *index);
	*ti = (struct tcp_inspect){
	    .ti_state = TCPS_TIME_WAIT,
	    .ti_lport = tw->tw_pair.ipr_lport,
	    .ti_fport = tw->tw_pair.ipr_fport,
	    .ti_snd_una = tw->tw_snd_nxt,
	    .ti_snd_nxt = tw->tw_snd_nxt,
	    .ti_snd_max = tw->tw_snd_nxt,
	    .ti_rcv_nxt = tw->tw_rcv_nxt,
	    .ti_rcv_adv = tw->tw_rcv_nxt,
	    .ti_orphan = true,
	};
	memcpy(ti->ti_laddr, tw->tw_pair.ipr_laddr.ia_w, sizeof(ti->ti_laddr));
	memcpy(ti->ti_faddr, tw->tw_pair.ipr_faddr.ia_w, sizeof(ti->ti_faddr));
	return true;
}

bool
tcp_inspect_nth(const struct netstack *ns, uint32_t index, struct tcp_inspect *ti)
{
	const struct inpcb *inp;

	TAILQ_FOREACH(inp, &ns->ns_tcp->tcps_table.it_queue, inp_queue) {
		if (inp->inp_ppcb == NULL)
			continue;
		if (index-- == 0) {
			tcp_inspect(inp->inp_ppcb, ti);
			return true;
		}
	}
	return tcp_inspect_timewait(ns, &index, ti) || tcp_inspect_syncache(ns, index, ti);
}

static const char *
tcp_check_reass(const struct tcpcb *tp)
{
	uint32_t segs = 0, bytes = 0, storage = 0;
	const struct tcp_reass_seg *tq;
	tcp_seq end = tp->rcv_nxt;

	for (tq = tcp_reass_first(tp); tq != NULL; tq = TAILQ_NEXT(tq, tq_list)) {
		if (SEQ_LT(tq->tq_seq, end))
			return "held segments overlap or are old";
		if (tq->tq_len != (tq->tq_m != NULL ? m_length(tq->tq_m) : 0))
			return "a held segment's length is not that of its mbufs";
		if (tq->tq_fin && TAILQ_NEXT(tq, tq_list) != NULL)
			return "data is held beyond a FIN";
		if (tq->tq_m != NULL && tq->tq_storage != m_storage(tq->tq_m))
			return "storage of a held segment is miscounted";
		end = tq->tq_seq + tq->tq_len;
		segs++;
		bytes += tq->tq_len;
		storage += tq->tq_storage;
	}
	if (segs != tcp_reass_segs(tp) || bytes != tcp_reass_bytes(tp) ||
	    storage != tcp_reass_storage(tp) || (segs == 0) != (tp->t_reass == NULL))
		return "the reassembly queue is miscounted";
	tq = tcp_reass_first(tp);
	if (tq != NULL && tq->tq_seq == tp->rcv_nxt && TCPS_HAVEESTABLISHED(tp->t_state))
		return "data in sequence is held back";
	return NULL;
}

/* The scoreboard: holes in order, within what is in flight, sent again within themselves. */
static const char *
tcp_check_holes(const struct tcpcb *tp)
{
	const struct tcp_sackhole *sh;
	tcp_seq end = tp->snd_una;
	uint32_t n = 0;

	if (SEQ_LT(tp->t_sack_end, tp->snd_una) || SEQ_GT(tp->t_sack_end, tp->snd_max))
		return "the scoreboard is not within what is in flight";
	LIST_FOREACH(sh, &tp->t_holes, sh_list) {
		if (SEQ_LT(sh->sh_start, end) || SEQ_GEQ(sh->sh_start, sh->sh_end))
			return "holes overlap or are empty";
		if (SEQ_LT(sh->sh_rxmit, sh->sh_start) || SEQ_GT(sh->sh_rxmit, sh->sh_end))
			return "a hole was sent again beyond its end";
		end = sh->sh_end;
		n++;
	}
	if (SEQ_GT(end, tp->t_sack_end))
		return "a hole lies beyond the scoreboard";
	if (n != tp->t_nholes || n > tp->t_ns->ns_tcp->tcps_sysctl.sack_maxholes)
		return "holes are miscounted, or too many";
	if (n > 0 && SEQ_LT(tp->snd_nxt, tp->t_sack_end))
		return "SND.NXT lies within the scoreboard";
	return NULL;
}

/* With nothing in flight: is there something to send, data or a FIN? */
static bool
tcp_has_waiting(const struct tcpcb *tp)
{
	const struct socket *so = tp->t_inpcb->inp_socket;

	if (so == NULL || !TCPS_HAVEESTABLISHED(tp->t_state) || tp->t_state == TCPS_TIME_WAIT)
		return false;
	return so->so_snd.sb_cc > 0 ||
	    ((tcp_outflags(tp->t_state) & TH_FIN) != 0 && (tp->t_flags & TF_SENTFIN) == 0);
}

static const char *
tcp_check_send(const struct tcpcb *tp)
{
	const struct socket *so = tp->t_inpcb->inp_socket;
	const uint32_t flight = tp->snd_max - tp->snd_una;
	const bool syn = tp->t_state == TCPS_SYN_SENT || tp->t_state == TCPS_SYN_RECEIVED;

	if (SEQ_GT(tp->snd_una, tp->snd_nxt) || SEQ_GT(tp->snd_nxt, tp->snd_max))
		return "SND.UNA <= SND.NXT <= SND.MAX does not hold";
	if (so != NULL && flight > so->so_snd.sb_cc + (tp->t_flags & TF_SENTFIN ? 1u : 0u) + syn)
		return "more is in flight than the send buffer holds";
	if (!syn && tp->t_state >= TCPS_ESTABLISHED && tp->snd_cwnd == 0)
		return "the congestion window is zero";
	if (flight > 0 && tp->t_state != TCPS_TIME_WAIT && tp->t_state > TCPS_LISTEN &&
	    !tcp_timer_isarmed(tp, TCPT_REXMT) && !tcp_timer_isarmed(tp, TCPT_PERSIST))
		return "data is in flight and no timer runs";
	if (flight == 0 && tcp_has_waiting(tp) && !tcp_timer_isarmed(tp, TCPT_REXMT) &&
	    !tcp_timer_isarmed(tp, TCPT_PERSIST) && !tcp_timer_isarmed(tp, TCPT_PACE))
		return "data waits and no timer runs";
	if (tcp_timer_isarmed(tp, TCPT_PACE) && (tp->t_pacing == NULL || !tp->t_pacing->pa_holds))
		return "the timer of pacing runs, and nothing is held back";
	return NULL;
}

const char *
tcp_inspect_check(const struct tcpcb *tp)
{
	const char *wrong = NULL;

	if (tp->t_state > TCPS_LISTEN && tp->t_state != TCPS_SYN_SENT)
		wrong = tcp_check_reass(tp);
	if (wrong == NULL && tp->t_state > TCPS_LISTEN)
		wrong = tcp_check_send(tp);
	if (wrong == NULL && tp->t_state > TCPS_LISTEN)
		wrong = tcp_check_holes(tp);
	if (wrong == NULL && (tp->t_undo != NULL) != ((tp->t_flags & TF_UNDO) != 0))
		wrong = "what undoing needs is not there, or needless";
	return wrong;
}

/* The records in order of time, their number right, the callout for the first of them or sooner. */
static const char *
tcp_check_timewait(const struct tcp_state *ts)
{
	const struct tcp_timewait *tws = &ts->tcps_timewait;
	const struct tcptw *tw = TAILQ_FIRST(&tws->tws_queue);
	uint64_t last_ns = 0;
	uint32_t n = 0;

	if (tw != NULL &&
	    (!callout_pending(&tws->tws_callout) ||
		tws->tws_callout.c_deadline_ns > tw->tw_expire_ns))
		return "no timer runs for the records of TIME-WAIT";
	TAILQ_FOREACH(tw, &tws->tws_queue, tw_list) {
		if (tw->tw_expire_ns < last_ns)
			return "the records of TIME-WAIT are not in order of time";
		last_ns = tw->tw_expire_ns;
		n++;
	}
	if (n != tws->tws_count || n != ts->tcps_table.it_npairs || n != tws->tws_pool.pl_nout)
		return "the records of TIME-WAIT are miscounted";
	return NULL;
}

const char *
tcp_inspect_check_all(const struct netstack *ns)
{
	const struct inpcb *inp;
	const char *wrong = tcp_check_timewait(ns->ns_tcp);

	TAILQ_FOREACH(inp, &ns->ns_tcp->tcps_table.it_queue, inp_queue) {
		if (wrong == NULL && inp->inp_ppcb != NULL)
			wrong = tcp_inspect_check(inp->inp_ppcb);
	}
	return wrong;
}
