/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP output: whether there is something to send, how much, and the segment itself
 * (RFC 9293 §3.8, RFC 1122 §4.2.3, RFC 7323).
 *
 * Theory of operation: tcp_output makes plans, one a segment, until nothing wants sending. A plan
 * is what could be sent from snd_nxt on; the tcp_wants_* predicates say whether it should be. Data
 * are sent in pieces as large as one packet can be (M_CSUM_TSO), or as pacing has them (tcp_pacing.c);
 * sys/net cuts them up.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

#define TCP_OVERRIDE_MS 1000u /* RFC 9293 §3.8.6.2.1: 0.1 to 1 s */

struct tcp_plan {
	struct sockbuf *pl_sb; /* NULL: the socket is gone (TIME-WAIT) */
	uint32_t pl_cc;        /* bytes in it */
	uint32_t pl_off;       /* of the first byte to send, from snd_una */
	uint32_t pl_len;       /* bytes to send */
	uint32_t pl_rwin;      /* window to announce */
	uint32_t pl_segsz;     /* payload of a segment, with the options that it will carry */
	uint8_t pl_flags;      /* TH_* */
	bool pl_idle;          /* nothing was in flight when tcp_output was called */
	bool pl_more;          /* another segment may follow */
};

/* -- the window that we announce ------------------------------------------------------------- */

static uint32_t
tcp_window_offered(const struct tcpcb *tp)
{
	return SEQ_GT(tp->rcv_adv, tp->rcv_nxt) ? tp->rcv_adv - tp->rcv_nxt : 0;
}

uint32_t
tcp_receive_space(const struct tcpcb *tp)
{
	uint32_t space = sbspace(&tp->t_inpcb->inp_socket->so_rcv);

	return tp->t_winclamp != 0 ? KERN_MIN(space, tp->t_winclamp) : space;
}

/* RFC 9293 §3.8.6.2.2: the right edge moves by a worthwhile step or not at all, and never back. */
uint32_t
tcp_receive_window(const struct tcpcb *tp)
{
	const struct socket *so = tp->t_inpcb->inp_socket;
	uint32_t offered = tcp_window_offered(tp);

	if (so == NULL)
		return offered;
	uint32_t space = KERN_MIN(tcp_receive_space(tp), TCP_MAXWIN << tp->rcv_scale);
	uint32_t step = KERN_MIN(so->so_rcv.sb_hiwat / 2, tp->t_maxseg);
	return space < offered + step ? offered : space;
}

/*
 * The window field for a segment with these flags; takes note of what is announced. Rounded up
 * where there is room, so that scaling does not make the right edge creep back (RFC 7323 §2.4).
 */
uint16_t
tcp_window_announce(struct tcpcb *tp, uint8_t flags, uint32_t win)
{
	const struct socket *so = tp->t_inpcb->inp_socket;
	uint8_t shift = (flags & TH_SYN) != 0 ? 0 : tp->rcv_scale;
	uint32_t field = win >> shift;

	if ((flags & TH_RST) != 0)
		return 0;
	if (field << shift < win && so != NULL && (field + 1) << shift <= tcp_receive_space(tp))
		field++;
	field = KERN_MIN(field, TCP_MAXWIN);
	tcp_seq edge = tp->rcv_nxt + (field << shift);
	if (TCPS_HAVERCVDSYN(tp->t_state) && SEQ_GT(edge, tp->rcv_adv))
		tp->rcv_adv = edge;
	return (uint16_t)field;
}

/* -- planning -------------------------------------------------------------------------------- */

/* Is the FIN still to be sent (again) from snd_nxt on? */
static bool
tcp_fin_is_due(const struct tcpcb *tp)
{
	return (tp->t_flags & TF_SENTFIN) == 0 || SEQ_LT(tp->snd_nxt, tp->snd_max);
}

/* May data move? The handshake must be over (RFC 9293 §3.10.2). */
static bool
tcp_may_send_data(const struct tcpcb *tp)
{
	return TCPS_HAVEESTABLISHED(tp->t_state) && tp->t_state != TCPS_TIME_WAIT;
}

/*
 * Bytes from snd_nxt on that the peer and the network take. A probe takes one where none fits;
 * what is sent again by tcp_output_again is not the congestion window's affair.
 */
static uint32_t
tcp_send_room(const struct tcpcb *tp, uint32_t off)
{
	uint32_t peer = tp->snd_wnd > off ? tp->snd_wnd - off : 0, pipe;

	if (KERN_MIN(tp->snd_wnd, tp->snd_cwnd) == 0 && (tp->t_flags & TF_FORCE) != 0)
		return off == 0 ? 1 : 0;
	if (tp->t_rexmtlen != 0)
		return KERN_MIN(peer, tp->t_rexmtlen);
	pipe = tcp_pipe(tp);
	return KERN_MIN(peer, tp->snd_cwnd > pipe ? tp->snd_cwnd - pipe : 0);
}

/* RFC 2018 §3: SACK blocks ride on data as well, which makes room, unless hardly any were left. */
static uint32_t
tcp_segment_size(const struct tcpcb *tp)
{
	uint32_t opts = tcp_sackgen_optlen(tp);

	return 2 * opts < tp->t_maxseg ? tp->t_maxseg - opts : tp->t_maxseg;
}

/* Does the FIN fit behind the data into the peer's window? */
static bool
tcp_fin_fits(const struct tcpcb *tp, const struct tcp_plan *pl)
{
	return pl->pl_off + pl->pl_len < tp->snd_wnd ||
	    ((tp->t_flags & TF_FORCE) != 0 && pl->pl_len == 0);
}

/* The most that one packet may carry: one segment, or many for the interface to cut. */
static uint32_t
tcp_burst_max(const struct tcpcb *tp, const struct tcp_plan *pl)
{
	uint32_t max = tp->t_tsomax, hdrs = TCP_HDR_LEN_MAX + tp->t_inpcb->inp_af->af_hdrlen;

	if (tp->t_ns->ns_tcp->tcps_sysctl.tso == 0 || SEQ_GT(tp->snd_up, tp->snd_una) ||
	    (tp->t_ecn & TE_SND_CWR) != 0)
		return pl->pl_segsz;
	return max > hdrs + pl->pl_segsz ? max - hdrs : pl->pl_segsz;
}

/* TCP_NOTSENT_LOWAT keeps the writer from adding to what there is: Nagle would wait for nothing. */
static bool
tcp_output_isheld(const struct tcpcb *tp)
{
	const struct socket *so = tp->t_inpcb->inp_socket;

	return so != NULL && (so->so_snd.sb_flags & SB_HELD) != 0;
}

/* Nagle (RFC 9293 §3.7.4) and TCP_NOPUSH: may a segment shorter than the largest leave? */
static bool
tcp_nagle_allows(const struct tcpcb *tp, const struct tcp_plan *pl)
{
	if ((tp->t_flags & TF_FORCE) != 0 || SEQ_LT(tp->snd_nxt, tp->snd_max))
		return true;
	return (tp->t_flags & (TF_MORETOCOME | TF_NOPUSH)) == 0 &&
	    (pl->pl_idle || (tp->t_flags & TF_NODELAY) != 0 || tcp_output_isheld(tp));
}

/* Cuts pl_len down to one packet; a short tail that must wait is split off. */
static void
tcp_plan_cut(const struct tcpcb *tp, struct tcp_plan *pl)
{
	uint32_t max = tcp_burst_max(tp, pl), tail;

	if (pl->pl_len > max) {
		pl->pl_len = max;
		pl->pl_more = true;
	}
	tail = pl->pl_len % pl->pl_segsz;
	if (pl->pl_len <= pl->pl_segsz || tail == 0)
		return;
	if (pl->pl_off + pl->pl_len < pl->pl_cc || !tcp_nagle_allows(tp, pl)) {
		pl->pl_len -= tail;
		pl->pl_more = true;
	}
}

/* Keeps the FIN only in the segment that empties the buffer, and out of what is to be cut up. */
static void
tcp_plan_fin(const struct tcpcb *tp, struct tcp_plan *pl)
{
	bool last = pl->pl_off + pl->pl_len >= pl->pl_cc;

	if ((pl->pl_flags & TH_FIN) == 0)
		return;
	if (last && tcp_fin_is_due(tp) && tcp_fin_fits(tp, pl) && tcp_may_send_data(tp)) {
		if (pl->pl_len <= pl->pl_segsz)
			return;
		pl->pl_more = true;
	}
	pl->pl_flags &= (uint8_t)~TH_FIN;
}

/* What could be sent from snd_nxt on. */
static void
tcp_plan_make(struct tcpcb *tp, struct tcp_plan *pl)
{
	struct socket *so = tp->t_inpcb->inp_socket;

	pl->pl_sb = so != NULL ? &so->so_snd : NULL;
	pl->pl_cc = so != NULL ? so->so_snd.sb_cc : 0;
	pl->pl_off = tp->snd_nxt - tp->snd_una;
	pl->pl_flags = tcp_outflags(tp->t_state);
	pl->pl_len = 0;
	pl->pl_segsz = tcp_segment_size(tp);
	pl->pl_more = false;
	if ((pl->pl_flags & TH_SYN) != 0 && tp->snd_nxt != tp->iss)
		pl->pl_flags &= (uint8_t)~TH_SYN;
	if (tcp_may_send_data(tp)) {
		if (pl->pl_cc > pl->pl_off)
			pl->pl_len =
			    KERN_MIN(pl->pl_cc - pl->pl_off, tcp_send_room(tp, pl->pl_off));
		tcp_plan_cut(tp, pl);
	}
	tcp_plan_fin(tp, pl);
	pl->pl_rwin = tcp_receive_window(tp);
}

/* -- reasons to send ------------------------------------------------------------------------- */

/* RFC 9293 §3.8.6.2.1 (silly window avoidance on the sender's side) with Nagle. */
static bool
tcp_wants_data(const struct tcpcb *tp, const struct tcp_plan *pl)
{
	if (pl->pl_len == 0)
		return false;
	if (pl->pl_len >= pl->pl_segsz || (tp->t_flags & TF_FORCE) != 0)
		return true;
	if (pl->pl_off + pl->pl_len >= pl->pl_cc && tcp_nagle_allows(tp, pl))
		return true;
	if (tp->max_sndwnd > 0 && pl->pl_len >= tp->max_sndwnd / 2)
		return true;
	return SEQ_LT(tp->snd_nxt, tp->snd_max);
}

static bool
tcp_wants_ack(const struct tcpcb *tp)
{
	return (tp->t_flags & TF_ACKNOW) != 0;
}

/* SYN: plan_make has left it only where it is due. FIN likewise. */
static bool
tcp_wants_control(const struct tcp_plan *pl)
{
	return (pl->pl_flags & (TH_SYN | TH_FIN)) != 0;
}

/* Urgent data do not wait for Nagle, their announcement for no window (RFC 9293 §3.8.5). */
static bool
tcp_wants_urgent(const struct tcpcb *tp, const struct tcp_plan *pl)
{
	return SEQ_GT(tp->snd_up, tp->snd_nxt) && (pl->pl_len > 0 || (tp->t_flags & TF_FORCE) != 0);
}

/* Would the right edge move by two segments and a good part of the buffer, or by half of it? */
static bool
tcp_wants_window_update(const struct tcpcb *tp, const struct tcp_plan *pl)
{
	const struct socket *so = tp->t_inpcb->inp_socket;
	uint32_t offered = tcp_window_offered(tp);

	if (so == NULL || !TCPS_HAVEESTABLISHED(tp->t_state) || TCPS_HAVERCVDFIN(tp->t_state))
		return false;
	uint32_t hiwat = so->so_rcv.sb_hiwat;
	if (pl->pl_rwin >> tp->rcv_scale <= offered >> tp->rcv_scale)
		return false;
	uint32_t step = pl->pl_rwin - offered;
	if (2 * (uint64_t)step >= hiwat)
		return true;
	return step >= 2 * tp->t_maxseg &&
	    (step >= hiwat / 4 || pl->pl_rwin <= hiwat / 8 || hiwat <= 8 * tp->t_maxseg);
}

static bool
tcp_plan_wanted(const struct tcpcb *tp, const struct tcp_plan *pl)
{
	return tcp_wants_data(tp, pl) || tcp_wants_ack(tp) || tcp_wants_control(pl) ||
	    tcp_wants_urgent(tp, pl) || tcp_wants_window_update(tp, pl);
}

/*
 * What pacing leaves of a plan: the data that may go at once, or none, when they go as soon as
 * they may. The FIN stays behind them. => there is a record
 */
static void
tcp_plan_pace(struct tcpcb *tp, struct tcp_plan *pl)
{
	const uint32_t burst = tcp_pacing_burst(tcp_pacing_rate(tp), pl->pl_segsz);
	const uint64_t wait_ns = tcp_pacing_wait_ns(tp);

	if (pl->pl_len == 0 || (wait_ns == 0 && pl->pl_len <= burst))
		return;
	if (wait_ns != 0 && tcp_wants_data(tp, pl))
		tcp_pacing_hold(tp, wait_ns);
	pl->pl_len = wait_ns != 0 ? 0 : burst;
	pl->pl_more = wait_ns == 0;
	pl->pl_flags &= (uint8_t)~TH_FIN;
}

/* -- the persist state ----------------------------------------------------------------------- */

/* A window that is open, but silly, is put up with no longer than the override time-out. */
static uint64_t
tcp_backoff_ns(const struct tcpcb *tp)
{
	uint64_t ms = ((uint64_t)tp->t_rto_us << tp->t_rxtshift) / 1000;
	uint64_t least = tp->t_ns->ns_tcp->tcps_sysctl.persmin_ms;
	uint64_t most = tp->t_ns->ns_tcp->tcps_sysctl.persmax_ms;

	if (tp->snd_wnd > 0)
		most = KERN_MIN(most, TCP_OVERRIDE_MS);
	return KERN_MIN(KERN_MAX(ms, least), most) * NSEC_PER_MSEC;
}

/*
 * RFC 9293 §3.8.6.1: probe a window in which nothing fits, first when it has been closed for the
 * retransmission time-out (SHLD-29), then at growing intervals (SHLD-30).
 */
void
tcp_setpersist(struct tcpcb *tp)
{
	tcp_timer_disarm(tp, TCPT_REXMT);
	if (tp->t_rxtshift == 0)
		tp->t_rxtstart_ns = tp->t_ns->ns_now;
	tcp_timer_arm(tp, TCPT_PERSIST, KERN_MIN(tcp_backoff_ns(tp), tcp_patience_ns(tp)));
	if (tp->t_rxtshift < TCP_MAXRXTSHIFT)
		tp->t_rxtshift++;
}

static bool
tcp_has_unsent(const struct tcpcb *tp, const struct tcp_plan *pl)
{
	bool fin = (tcp_outflags(tp->t_state) & TH_FIN) != 0 && tcp_fin_is_due(tp);

	return tcp_may_send_data(tp) && (pl->pl_off < pl->pl_cc || fin);
}

/*
 * Nothing of what waits may leave: see to it that a timer will find out when it may. With nothing
 * left to wait for, that timer has no business any more.
 */
static void
tcp_persist_check(struct tcpcb *tp, const struct tcp_plan *pl)
{
	if (!tcp_has_unsent(tp, pl) && tp->snd_una == tp->snd_max)
		tcp_timer_disarm(tp, TCPT_PERSIST);
	if (!tcp_has_unsent(tp, pl) || tcp_timer_isarmed(tp, TCPT_PERSIST) || tcp_pacing_holds(tp))
		return;
	if (tp->snd_wnd == 0 && pl->pl_off < pl->pl_cc && pl->pl_off > 0) {
		/* The window closed over what is in flight: probe instead of retransmitting. */
		tcp_timer_disarm(tp, TCPT_REXMT);
		tcp_sack_clear(tp);
		tp->snd_nxt = tp->snd_una;
		tp->t_rtttiming = false;
	}
	if (tcp_timer_isarmed(tp, TCPT_REXMT))
		return;
	tp->t_rxtshift = 0;
	if ((tp->t_flags & TF_NOPUSH) != 0 && pl->pl_len > 0)
		tcp_timer_arm(tp, TCPT_PERSIST, TCP_NOPUSH_NS); /* it is the user who waits */
	else
		tcp_setpersist(tp);
}

/* -- building -------------------------------------------------------------------------------- */

static void
tcp_build_options(struct tcpcb *tp, uint8_t flags, struct tcp_opts *to)
{
	bool first = (flags & (TH_SYN | TH_ACK)) == TH_SYN;

	*to = (struct tcp_opts){0};
	if ((flags & TH_SYN) != 0) {
		to->to_flags = TOF_MSS;
		to->to_mss = (uint16_t)tcp_mss_offer(tp);
		if ((tp->t_flags & TF_REQ_SCALE) != 0 &&
		    (first || (tp->t_flags & TF_RCVD_SCALE) != 0)) {
			to->to_flags |= TOF_WSCALE;
			to->to_wscale = tp->request_r_scale;
		}
		if ((tp->t_flags & TF_REQ_SACK) != 0 &&
		    (first || (tp->t_flags & TF_SACK_PERMIT) != 0))
			to->to_flags |= TOF_SACKPERM;
	}
	if ((tp->t_flags & TF_REQ_TSTMP) != 0 && (flags & TH_RST) == 0 &&
	    (first || (tp->t_flags & TF_RCVD_TSTMP) != 0)) {
		to->to_flags |= TOF_TS;
		to->to_tsval = tcp_ts_now(tp);
		to->to_tsecr = first ? 0 : tp->ts_recent;
	}
}

/* A packet with room for every header in front and the plan's payload. => NULL: no memory. */
static struct mbuf *
tcp_build_payload(struct tcpcb *tp, const struct tcp_plan *pl)
{
	struct mbuf *m = m_gethdr(tp->t_ns, MT_HEADER), *n;
	uint32_t moff;

	if (m == NULL)
		return NULL;
	m->m_data += M_LINKHDR + tp->t_inpcb->inp_af->af_hdrlen + TCP_HDR_LEN_MAX;
	if (pl->pl_len == 0)
		return m;
	struct mbuf *from = sb_sndptr(pl->pl_sb, pl->pl_off, &moff);
	if (pl->pl_len <= m_trailingspace(m)) {
		m_copydata(from, moff, pl->pl_len, m->m_data);
		m->m_len = pl->pl_len;
	} else {
		n = m_copym(from, moff, pl->pl_len);
		if (n == NULL) {
			m_freem(m);
			return NULL;
		}
		m->m_next = n;
		n->m_flags &= (uint16_t)~M_PKTHDR;
	}
	m->m_pkthdr.len = pl->pl_len;
	return m;
}

/* RFC 9293 §3.8.5, with the pointer to the byte behind the urgent data as BSD sends it (RFC 6093). */
static void
tcp_build_urgent(struct tcpcb *tp, struct tcp_hdr *th)
{
	if (SEQ_GT(tp->snd_up, th->th_seq)) {
		uint32_t urp = tp->snd_up - th->th_seq;

		th->th_urp = (uint16_t)KERN_MIN(urp, UINT16_MAX);
		th->th_flags |= TH_URG;
	} else if (SEQ_LEQ(tp->snd_up, tp->snd_una)) {
		tp->snd_up = tp->snd_una; /* keep it from falling out of reach of comparison */
	}
}

static void
tcp_build_header(struct tcpcb *tp, const struct tcp_plan *pl, struct tcp_hdr *th)
{
	bool takes_space = pl->pl_len > 0 || (pl->pl_flags & (TH_SYN | TH_FIN)) != 0;

	*th = (struct tcp_hdr){
	    .th_sport = tp->t_inpcb->inp_lport,
	    .th_dport = tp->t_inpcb->inp_fport,
	    .th_seq = takes_space ? tp->snd_nxt : tp->snd_max,
	    .th_flags = pl->pl_flags,
	};
	if ((pl->pl_flags & TH_ACK) != 0)
		th->th_ack = tp->rcv_nxt;
	if (pl->pl_len > 0 && pl->pl_off + pl->pl_len == pl->pl_cc)
		th->th_flags |= TH_PUSH;
	th->th_win = tcp_window_announce(tp, pl->pl_flags, pl->pl_rwin);
	tcp_build_urgent(tp, th);
	if ((pl->pl_flags & TH_SYN) != 0)
		th->th_flags |= tcp_ecn_syn_flags(tp, pl->pl_flags);
	else
		th->th_flags |= tcp_ecn_ack_flags(tp);
}

/* Data that were never sent before, and no probe, say what routers may do with them. */
static void
tcp_build_ecn(struct tcpcb *tp, const struct tcp_plan *pl, struct tcp_hdr *th, uint8_t *tos)
{
	if (pl->pl_len > 0 && SEQ_GEQ(th->th_seq, tp->snd_max) && (tp->t_flags & TF_FORCE) == 0)
		th->th_flags |= tcp_ecn_data_flags(tp, tos);
}

/* -- sending --------------------------------------------------------------------------------- */

static void
tcp_count_sent(struct tcpcb *tp, const struct tcp_plan *pl)
{
	struct netstack *ns = tp->t_ns;

	TCPSTAT_INC(ns, sndtotal);
	if (pl->pl_len == 0) {
		if ((pl->pl_flags & (TH_SYN | TH_FIN)) != 0)
			TCPSTAT_INC(ns, sndctrl);
		else if (SEQ_GT(tp->snd_up, tp->snd_max))
			TCPSTAT_INC(ns, sndurg);
		else if (tcp_wants_ack(tp))
			TCPSTAT_INC(ns, sndacks);
		else
			TCPSTAT_INC(ns, sndwinup);
	} else if ((tp->t_flags & TF_FORCE) != 0 && pl->pl_len == 1) {
		TCPSTAT_INC(ns, sndprobe);
	} else if (SEQ_LT(tp->snd_nxt, tp->snd_max)) {
		TCPSTAT_INC(ns, sndrexmitpack);
		TCPSTAT_ADD(ns, sndrexmitbyte, pl->pl_len);
		tp->t_sndrexmitpack++;
		tp->t_rexmtbytes += pl->pl_len;
		trace_add(ns, TRACE_TCP_REXMT, tp->snd_nxt, pl->pl_len);
	} else {
		TCPSTAT_INC(ns, sndpack);
		TCPSTAT_ADD(ns, sndbyte, pl->pl_len);
		tp->t_sndbytes += pl->pl_len;
	}
}

static void
tcp_start_timing(struct tcpcb *tp, tcp_seq seq)
{
	if (tp->t_rtttiming)
		return;
	tp->t_rtttiming = true;
	tp->t_rtseq = seq;
	tp->t_rtstart_us = (uint32_t)(tp->t_ns->ns_now / NSEC_PER_USEC);
	TCPSTAT_INC(tp->t_ns, segstimed);
}

/* RFC 6298 (5.1), unless this is a probe of the persist state, which has its own timer. */
static void
tcp_start_rexmt(struct tcpcb *tp)
{
	if (tp->snd_nxt == tp->snd_una || tcp_timer_isarmed(tp, TCPT_REXMT))
		return;
	if (tcp_timer_isarmed(tp, TCPT_PERSIST)) {
		tcp_timer_disarm(tp, TCPT_PERSIST);
		tp->t_rxtshift = 0;
	}
	if (tp->t_rxtshift == 0)
		tp->t_rxtstart_ns = tp->t_ns->ns_now;
	tcp_timer_arm(tp, TCPT_REXMT, tcp_rexmt_delay_ns(tp));
}

/* Moves snd_nxt and snd_max over what was just handed down. */
static void
tcp_advance(struct tcpcb *tp, const struct tcp_plan *pl)
{
	tcp_seq start = tp->snd_nxt, end = start + pl->pl_len;
	bool probe = (tp->t_flags & TF_FORCE) != 0 && tp->snd_wnd == 0;

	if ((pl->pl_flags & TH_SYN) != 0)
		end++;
	if ((pl->pl_flags & TH_FIN) != 0) {
		end++;
		tp->t_flags |= TF_SENTFIN;
	}
	if (end == start)
		return;
	tp->t_lastsend_ns = tp->t_ns->ns_now;
	tp->t_prr_out += end - start;
	if (SEQ_GT(end, tp->snd_max)) {
		tcp_rack_sent(tp, end);
		if (!probe && start == tp->snd_max)
			tcp_start_timing(tp, start);
		tp->snd_max = end;
	}
	if (probe)
		return;
	tp->snd_nxt = end;
	tcp_start_rexmt(tp);
}

/* The segment is on its way: what it told the peer need not be told again. */
static void
tcp_acked(struct tcpcb *tp)
{
	tp->last_ack_sent = tp->rcv_nxt;
	tp->t_flags &= ~(uint32_t)(TF_ACKNOW | TF_DELACK);
	tcp_timer_disarm(tp, TCPT_DELACK);
}

/* Not sent for want of memory, here or below: quietly, with a timer to try again. */
static int
tcp_output_nobufs(struct tcpcb *tp, const struct tcp_plan *pl)
{
	TCPSTAT_INC(tp->t_ns, sndnobufs);
	if (pl->pl_len > 0 && tp->snd_cwnd > tp->t_maxseg)
		tp->snd_cwnd = tp->t_maxseg;
	if (tcp_timer_isarmed(tp, TCPT_REXMT) || tcp_timer_isarmed(tp, TCPT_PERSIST))
		return 0;
	if (pl->pl_len > 0 || (pl->pl_flags & (TH_SYN | TH_FIN)) != 0)
		tcp_timer_arm(tp, TCPT_REXMT, tcp_rto_ns(tp));
	else
		tcp_timer_arm(tp, TCPT_DELACK,
		    tp->t_ns->ns_tcp->tcps_sysctl.delacktime_ms * NSEC_PER_MSEC);
	return 0;
}

/*
 * The network layer refused. => 0: a timer will try again; else for the user. pl_more is set where
 * a smaller segment may pass at once.
 */
static int
tcp_output_error(struct tcpcb *tp, struct tcp_plan *pl, int error)
{
	uint32_t mss = tp->t_maxseg;

	pl->pl_more = false;
	switch (error) {
	case ENOBUFS:
		return tcp_output_nobufs(tp, pl);
	case EMSGSIZE:
		tcp_mss_update(tp);
		if (tp->t_maxseg >= mss)
			return error;
		TCPSTAT_INC(tp->t_ns, mturesent);
		if (tp->t_rexmtlen != 0)
			return 0; /* the scoreboard knows where to go on */
		tcp_sack_clear(tp);
		tp->snd_nxt = tp->snd_una;
		pl->pl_more = true;
		return 0;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		if (!TCPS_HAVERCVDSYN(tp->t_state))
			return error;
		tp->t_softerror = error;
		return 0;
	default:
		tp->t_softerror = error;
		return error;
	}
}

static int
tcp_output_segment(struct tcpcb *tp, struct tcp_plan *pl)
{
	struct tcp_hdr th;
	struct tcp_opts to;
	struct in_txinfo tx;
	tcp_seq start = tp->snd_nxt;
	int error;

	struct mbuf *m = tcp_build_payload(tp, pl);
	if (m == NULL)
		return tcp_output_error(tp, pl, ENOBUFS);
	tcp_build_options(tp, pl->pl_flags, &to);
	if ((pl->pl_flags & (TH_SYN | TH_RST)) == 0 &&
	    (pl->pl_len == 0 || pl->pl_segsz < tp->t_maxseg))
		tcp_sackgen_emit(tp, &to);
	in_pcb_txinfo(tp->t_inpcb, tp->t_inpcb->inp_af, IPPROTO_TCP, &tx);
	tcp_build_header(tp, pl, &th);
	tcp_build_ecn(tp, pl, &th, &tx.tx_tos);
	tcp_count_sent(tp, pl);
	tcp_advance(tp, pl);
	tx.tx_df = !tp->t_bhleast; /* RFC 1191 */
	error = tcp_transmit(m, tp->t_inpcb->inp_af, &tx, &th, &to, (uint16_t)pl->pl_segsz);
	if (error == 0) {
		if (tp->t_pacing != NULL)
			tcp_pacing_sent(tp, pl->pl_len);
		tcp_acked(tp);
		return 0;
	}
	if (pl->pl_len > 0) {
		tp->snd_nxt = start; /* it is known to be lost: send it again first of all */
		tp->t_rtttiming = false;
	}
	return tcp_output_error(tp, pl, error);
}

/* RFC 5681 §4.1: after a pause the window says nothing about the network any more. */
static void
tcp_idle_check(struct tcpcb *tp)
{
	if (tp->t_lastsend_ns != 0 && TCPS_HAVEESTABLISHED(tp->t_state) &&
	    tp->t_ns->ns_now - tp->t_lastsend_ns >= tcp_rto_ns(tp))
		tp->t_congctl->cc_idle(tp);
}

/* Was nothing in flight? A writer that has more in hand keeps that verdict for its next piece. */
static bool
tcp_output_idle(struct tcpcb *tp)
{
	bool idle = (tp->t_flags & TF_LASTIDLE) != 0 || tp->snd_max == tp->snd_una;

	if (idle && tp->snd_max == tp->snd_una)
		tcp_idle_check(tp);
	tp->t_flags &= ~(uint32_t)TF_LASTIDLE;
	if (idle && (tp->t_flags & TF_MORETOCOME) != 0)
		tp->t_flags |= TF_LASTIDLE;
	return idle;
}

/* The window is open, if only a little: what a probe sends now is sent for good. */
static void
tcp_persist_end(struct tcpcb *tp)
{
	if (tp->snd_wnd == 0 || !tcp_timer_isarmed(tp, TCPT_PERSIST))
		return;
	tcp_timer_disarm(tp, TCPT_PERSIST);
	tp->t_rxtshift = 0;
}

int
tcp_output(struct tcpcb *tp)
{
	const tcp_seq max = tp->snd_max;
	struct tcp_plan pl = {0};
	bool wanted;
	int error = 0;

	KASSERT(tp->t_state != TCPS_CLOSED && tp->t_state != TCPS_LISTEN);
	if (tp->t_pacing != NULL)
		tcp_pacing_begin(tp);
	if ((tp->t_flags & TF_FORCE) != 0)
		tcp_persist_end(tp);
	pl.pl_idle = tcp_output_idle(tp);
	tcp_sndbuf_autotune(tp);
	if (tp->t_inpcb->inp_notsent_lowat != 0)
		tcp_sndbuf_hold(tp);
	if (tcp_sack_any(tp))
		tcp_recovery_send_lost(tp);
	do {
		tcp_plan_make(tp, &pl);
		if (tp->t_pacing != NULL)
			tcp_plan_pace(tp, &pl);
		wanted = tcp_plan_wanted(tp, &pl);
		if (wanted)
			error = tcp_output_segment(tp, &pl);
	} while (wanted && error == 0 && pl.pl_more);
	/* An ACK may leave while the data behind it may not. */
	if (!wanted || pl.pl_len == 0)
		tcp_persist_check(tp, &pl);
	if (tcp_sack_any(tp) && error == 0)
		tcp_recovery_send_rest(tp);
	if (tp->snd_max != max)
		tcp_tlp_schedule(tp);
	if (tp->t_inpcb->inp_notsent_lowat != 0)
		tcp_sndbuf_hold(tp);
	if (tp->t_pacing != NULL)
		tcp_pacing_end(tp);
	return error;
}

uint32_t
tcp_output_again(struct tcpcb *tp, tcp_seq seq, uint32_t len)
{
	const tcp_seq nxt = tp->snd_nxt;
	struct tcp_plan pl = {0};
	uint32_t sent = 0;

	tp->snd_nxt = seq;
	tp->t_rexmtlen = len;
	tcp_plan_make(tp, &pl);
	if (tp->t_pacing != NULL)
		tcp_plan_pace(tp, &pl);
	if (pl.pl_len > 0 || tcp_wants_control(&pl)) {
		(void)tcp_output_segment(tp, &pl);
		if (SEQ_GT(tp->snd_nxt, seq))
			sent = tp->snd_nxt - seq;
	}
	tp->t_rexmtlen = 0;
	tp->snd_nxt = seq_max(tp->snd_nxt, nxt);
	return sent;
}

bool
tcp_output_one(struct tcpcb *tp)
{
	const struct socket *so = tp->t_inpcb->inp_socket;

	return so != NULL && tp->snd_nxt == tp->snd_max &&
	    so->so_snd.sb_cc > tp->snd_max - tp->snd_una &&
	    tcp_output_again(tp, tp->snd_max, tp->t_maxseg) > 0;
}
