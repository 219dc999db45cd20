/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TIME-WAIT: RFC 9293 §3.10.7.4 for that state, RFC 1337 (RST is ignored), reopening by a new SYN
 * (RFC 1122 §4.2.2.13, RFC 6191).
 *
 * Theory of operation: a connection whose program still has the socket stays whole, for the
 * program's questions. Once the socket is gone a record of 128 bytes takes the place of tcpcb and
 * pcb: the pair of endpoints, which lookups and bind find as they would find a pcb, and the numbers
 * of which a last ACK is made. Records are in one list in order of time, a last FIN that comes again
 * moves its own to the end, and one callout waits for the first. Of more than net.inet.tcp.maxtcptw
 * the oldest goes.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/in_pcb_af.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"

#include "kern/names.h"

/* -- the list -------------------------------------------------------------------------------- */

static uint64_t
tw_2msl_ns(const struct netstack *ns)
{
	return 2 * (ns->ns_tcp->tcps_sysctl.msl_ms * NSEC_PER_MSEC);
}

/* Last in the list, and so not before the one in front, even if the MSL has become shorter. */
static void
tw_enqueue(struct netstack *ns, struct tcptw *tw, uint64_t expire_ns)
{
	struct tcp_timewait *tws = &ns->ns_tcp->tcps_timewait;
	const struct tcptw *last = TAILQ_LAST(&tws->tws_queue, tcptw_queue);

	tw->tw_expire_ns = last != NULL ? KERN_MAX(expire_ns, last->tw_expire_ns) : expire_ns;
	TAILQ_INSERT_TAIL(&tws->tws_queue, tw, tw_list);
	if (!callout_pending(&tws->tws_callout))
		callout_schedule(&tws->tws_callout, tw->tw_expire_ns);
}

static void
tw_close(struct netstack *ns, struct tcptw *tw)
{
	struct tcp_timewait *tws = &ns->ns_tcp->tcps_timewait;

	tcp_state_note(ns, TCPS_TIME_WAIT, TCPS_CLOSED, tw->tw_pair.ipr_lport,
	    tw->tw_pair.ipr_fport);
	in_pair_leave(&ns->ns_tcp->tcps_table, &tw->tw_pair);
	TAILQ_REMOVE(&tws->tws_queue, tw, tw_list);
	pool_put(&tws->tws_pool, tw);
	if (--tws->tws_count == 0)
		(void)callout_stop(&tws->tws_callout);
}

static void
tw_timer(void *arg)
{
	struct netstack *ns = arg;
	struct tcp_timewait *tws = &ns->ns_tcp->tcps_timewait;
	struct tcptw *tw;

	while ((tw = TAILQ_FIRST(&tws->tws_queue)) != NULL && tw->tw_expire_ns <= ns->ns_now)
		tw_close(ns, tw);
	if (tw != NULL)
		callout_schedule(&tws->tws_callout, tw->tw_expire_ns);
}

int
tcp_timewait_init(struct netstack *ns)
{
	struct tcp_timewait *tws = &ns->ns_tcp->tcps_timewait;

	TAILQ_INIT(&tws->tws_queue);
	callout_init(&tws->tws_callout, ns, tw_timer, ns);
	return pool_init(&tws->tws_pool, "tcptw", sizeof(struct tcptw), TCP_TIMEWAIT_MAX, 0,
	    &ns->ns_fault);
}

void
tcp_timewait_flush(struct netstack *ns)
{
	struct tcptw *tw;

	while ((tw = TAILQ_FIRST(&ns->ns_tcp->tcps_timewait.tws_queue)) != NULL)
		tw_close(ns, tw);
}

void
tcp_timewait_fini(struct netstack *ns)
{
	tcp_timewait_flush(ns);
	pool_destroy(&ns->ns_tcp->tcps_timewait.tws_pool);
}

struct tcptw *
tcp_timewait_lookup(struct netstack *ns, const struct in_lookup *il)
{
	_Static_assert(offsetof(struct tcptw, tw_pair) == 0, "a pair is its record");
	return (struct tcptw *)in_pairlookup(&ns->ns_tcp->tcps_table, il);
}

const struct tcptw *
tcp_timewait_nth(const struct netstack *ns, uint32_t index)
{
	const struct tcptw *tw;

	TAILQ_FOREACH(tw, &ns->ns_tcp->tcps_timewait.tws_queue, tw_list)
		if (index-- == 0)
			return tw;
	return NULL;
}

/* -- into it --------------------------------------------------------------------------------- */

void
tcp_timewait_enter(struct tcpcb *tp)
{
	struct inpcb *inp = tp->t_inpcb;
	struct socket *so = inp->inp_socket;

	TCPSTAT_INC(tp->t_ns, tw_add);
	tcp_metrics_keep(tp);
	tcp_reass_flush(tp);
	tcp_set_state(tp, TCPS_TIME_WAIT);
	/* Nobody holds a descriptor: the socket need not wait for the end. */
	if (so != NULL && (so->so_state & SS_NOFDREF) != 0 && so->so_onq == SOQ_NONE) {
		sohold(so);
		in_pcbdetach_socket(inp);
		sorele(so);
	}
}

static void
tw_recycle(struct netstack *ns)
{
	TCPSTAT_INC(ns, tw_recycled);
	tw_close(ns, TAILQ_FIRST(&ns->ns_tcp->tcps_timewait.tws_queue));
}

/* A record, if need be the oldest one's. => NULL: there is none, and no memory */
static struct tcptw *
tw_alloc(struct netstack *ns)
{
	struct tcp_timewait *tws = &ns->ns_tcp->tcps_timewait;
	struct tcptw *tw;

	while (tws->tws_count > 0 && tws->tws_count >= ns->ns_tcp->tcps_sysctl.maxtcptw)
		tw_recycle(ns);
	tw = pool_get_zeroed(&tws->tws_pool);
	if (tw != NULL || tws->tws_count == 0)
		return tw;
	tw_recycle(ns);
	return pool_get_zeroed(&tws->tws_pool);
}

static void
tw_fill(struct tcptw *tw, const struct tcpcb *tp)
{
	const struct inpcb *inp = tp->t_inpcb;
	struct in_txinfo tx;

	tw->tw_pair = (struct in_pair){.ipr_af = inp->inp_af,
	    .ipr_laddr = inp->inp_laddr,
	    .ipr_faddr = inp->inp_faddr,
	    .ipr_lport = inp->inp_lport,
	    .ipr_fport = inp->inp_fport,
	    .ipr_boundif = inp->inp_boundif,
	    .ipr_minttl = in_pcb_minttl(inp, inp->inp_af)};
	in_pcb_txinfo(tp->t_inpcb, inp->inp_af, IPPROTO_TCP, &tx);
	tw->tw_pair.ipr_ttl = tx.tx_ttl;
	tw->tw_tos = tx.tx_tos;
	tw->tw_snd_nxt = tp->snd_max;
	tw->tw_rcv_nxt = tp->rcv_nxt;
	tw->tw_win = (uint16_t)KERN_MIN(tcp_rcvwnd(tp) >> tp->rcv_scale, TCP_MAXWIN);
	if ((tp->t_flags & TF_RCVD_TSTMP) != 0) {
		tw->tw_flags = TWF_TSTMP;
		tw->tw_tsrecent = tp->ts_recent;
		tw->tw_tsoff = tp->ts_offset;
	}
}

void
tcp_timewait_compact(struct tcpcb *tp)
{
	struct netstack *ns = tp->t_ns;
	struct tcp_timewait *tws = &ns->ns_tcp->tcps_timewait;
	const uint64_t expire_ns = tp->t_deadline_ns[TCPT_2MSL];
	struct tcptw *tw = tw_alloc(ns);

	KASSERT(tp->t_state == TCPS_TIME_WAIT && tp->t_inpcb->inp_socket == NULL);
	if (tw == NULL)
		return;
	tw_fill(tw, tp);
	if (in_pair_enter(&ns->ns_tcp->tcps_table, &tw->tw_pair) != 0) {
		pool_put(&tws->tws_pool, tw);
		return;
	}
	tws->tws_count++;
	tw_enqueue(ns, tw, expire_ns);
	tcp_discardcb(tp);
}

/* -- segments -------------------------------------------------------------------------------- */

/* What a segment is judged by. */
struct tw_view {
	tcp_seq twv_snd_nxt;
	tcp_seq twv_rcv_nxt;
	bool twv_tstmp;
	uint32_t twv_tsrecent;
};

/* RFC 6191 §2: can this SYN not be an old one? By the timestamps if both have them. */
static bool
tw_reopens(const struct tw_view *twv, const struct tcp_segment *seg)
{
	const struct tcp_opts *to = &seg->ts_opts;

	if (twv->twv_tstmp && (to->to_flags & TOF_TS) != 0 && to->to_tsval != twv->twv_tsrecent)
		return SEQ_GT(to->to_tsval, twv->twv_tsrecent);
	return SEQ_GT(seg->ts_seq, twv->twv_rcv_nxt);
}

/* => TCP_RETRY: reopened; the segment knows what numbers must not come again. *again: 2 MSL more */
static struct tcp_verdict
tw_judge(const struct tw_view *twv, struct tcp_segment *seg, bool *again)
{
	struct netstack *ns = seg->ts_m->m_ns;
	const uint8_t flags = seg->ts_flags;

	*again = false;
	if ((flags & TH_RST) != 0) {
		TCPSTAT_INC(ns, badrst);
		return tcp_verdict_drop(DROP_TCP_TIMEWAIT);
	}
	if ((flags & (TH_SYN | TH_ACK)) == TH_SYN && tw_reopens(twv, seg)) {
		TCPSTAT_INC(ns, tw_reopen);
		seg->ts_reopens = true;
		seg->ts_oldnxt = twv->twv_snd_nxt;
		return tcp_verdict(TCP_RETRY, DROP_TCP_TIMEWAIT, TV_CLOSED);
	}
	if ((flags & (TH_SYN | TH_ACK)) == 0)
		return tcp_verdict_drop(DROP_TCP_NOACK);
	/* The peer's FIN again: our last ACK was lost. */
	*again = (flags & TH_FIN) != 0 && seg->ts_seq + seg->ts_len + 1 == twv->twv_rcv_nxt;
	/* Nothing but an ACK in its place needs no answer. */
	if (seg->ts_len == 0 && (flags & (TH_SYN | TH_FIN)) == 0 && seg->ts_seq == twv->twv_rcv_nxt)
		return tcp_verdict_drop(DROP_TCP_TIMEWAIT);
	return tcp_verdict(TCP_DROP_ACK, DROP_TCP_TIMEWAIT, 0);
}

struct tcp_verdict
tcp_in_timewait(struct tcpcb *tp, struct tcp_segment *seg)
{
	const struct tw_view twv = {.twv_snd_nxt = tp->snd_max,
	    .twv_rcv_nxt = tp->rcv_nxt,
	    .twv_tstmp = (tp->t_flags & TF_RCVD_TSTMP) != 0,
	    .twv_tsrecent = tp->ts_recent};
	bool again;
	struct tcp_verdict tv = tw_judge(&twv, seg, &again);

	if (tv.tv_what == TCP_RETRY)
		(void)tcp_close(tp);
	else if (again)
		tcp_timer_arm(tp, TCPT_2MSL, tw_2msl_ns(tp->t_ns));
	return tv;
}

struct tcp_verdict
tcp_tw_input(struct netstack *ns, struct tcptw *tw, struct tcp_segment *seg)
{
	const struct tw_view twv = {.twv_snd_nxt = tw->tw_snd_nxt,
	    .twv_rcv_nxt = tw->tw_rcv_nxt,
	    .twv_tstmp = (tw->tw_flags & TWF_TSTMP) != 0,
	    .twv_tsrecent = tw->tw_tsrecent};
	bool again;
	struct tcp_verdict tv;

	if (seg->ts_rx->rx_ttl < tw->tw_pair.ipr_minttl)
		return tcp_verdict_drop(DROP_IP_MINTTL);
	tv = tw_judge(&twv, seg, &again);
	if (tv.tv_what == TCP_RETRY) {
		tw_close(ns, tw);
	} else if (again) {
		TAILQ_REMOVE(&ns->ns_tcp->tcps_timewait.tws_queue, tw, tw_list);
		tw_enqueue(ns, tw, ns->ns_now + tw_2msl_ns(ns));
	}
	if (tv.tv_what == TCP_DROP_ACK)
		tv.tv_tw = tw;
	return tv;
}

/* -- the last ACK ---------------------------------------------------------------------------- */

static bool
tw_answer_due(struct netstack *ns, struct tcptw *tw, const struct tcp_segment *seg)
{
	const uint32_t now_ms = tcp_now_ms(ns);

	if (tcp_seg_isold(seg, tw->tw_rcv_nxt))
		return true;
	if ((tw->tw_flags & TWF_ANSWERED) != 0 && now_ms - tw->tw_answer_ms < TCP_OOWACK_MS) {
		TCPSTAT_INC(ns, oowacklimit);
		return false;
	}
	tw->tw_flags |= TWF_ANSWERED;
	tw->tw_answer_ms = now_ms;
	return true;
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> */
static void
tw_respond(struct netstack *ns, const struct tcptw *tw)
{
	const struct in_pair *ipr = &tw->tw_pair;
	struct tcp_hdr th = {.th_sport = ipr->ipr_lport,
	    .th_dport = ipr->ipr_fport,
	    .th_seq = tw->tw_snd_nxt,
	    .th_ack = tw->tw_rcv_nxt,
	    .th_win = tw->tw_win,
	    .th_flags = TH_ACK};
	const struct in_txinfo tx = {.tx_ns = ns,
	    .tx_src = ipr->ipr_laddr,
	    .tx_dst = ipr->ipr_faddr,
	    .tx_ifp = ipr->ipr_boundif == 0 ? NULL : if_byindex(ns, ipr->ipr_boundif),
	    .tx_boundif = ipr->ipr_boundif,
	    .tx_proto = IPPROTO_TCP,
	    .tx_ttl = ipr->ipr_ttl,
	    .tx_tos = tw->tw_tos,
	    .tx_df = true};
	struct tcp_opts to = {0};
	struct mbuf *m = m_gethdr(ns, MT_HEADER);

	if (m == NULL) {
		TCPSTAT_INC(ns, sndnobufs);
		return;
	}
	m->m_data += M_LINKHDR + ipr->ipr_af->af_hdrlen + TCP_HDR_LEN_MAX;
	if ((tw->tw_flags & TWF_TSTMP) != 0) {
		to.to_flags = TOF_TS;
		to.to_tsval = (uint32_t)(ns->ns_now / NSEC_PER_MSEC) + tw->tw_tsoff;
		to.to_tsecr = tw->tw_tsrecent;
	}
	TCPSTAT_INC(ns, sndacks);
	TCPSTAT_INC(ns, sndtotal);
	(void)tcp_transmit(m, ipr->ipr_af, &tx, &th, &to, UINT16_MAX);
}

void
tcp_tw_answer(struct netstack *ns, struct tcptw *tw, const struct tcp_segment *seg)
{
	if (tw_answer_due(ns, tw, seg))
		tw_respond(ns, tw);
}
