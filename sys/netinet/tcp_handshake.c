/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments for connections that are not: CLOSED, LISTEN, SYN-SENT (RFC 9293 §3.10.7.1-3), and what
 * happens when a connection comes to be.
 *
 * Theory of operation: a listener stays in LISTEN; handshakes with it are in the SYN cache
 * (tcp_syncache.c) until their last ACK. Of a connection that we asked for, data that comes with the
 * peer's SYN waits in the reassembly queue until ESTABLISHED.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "netinet/in_pcb_af.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_var.h"

#include "kern/names.h"

/* net.inet.tcp.blackhole: 1 keeps silent to SYNs, 2 to everything. */
static bool
tcp_blackholed(const struct tcp_segment *seg)
{
	const uint32_t how = seg->ts_m->m_ns->ns_tcp->tcps_sysctl.blackhole;

	return how >= 2 || (how == 1 && (seg->ts_flags & TH_SYN) != 0);
}

/* RFC 9293 §3.10.7.1. tp: a bound socket that neither listens nor connects, or NULL. */
struct tcp_verdict
tcp_in_closed(struct tcpcb *tp, struct tcp_segment *seg)
{
	const enum drop_reason why = tp == NULL ? DROP_TCP_NOPORT : DROP_TCP_CLOSED;

	TCPSTAT_INC(seg->ts_m->m_ns, noport);
	if ((seg->ts_flags & TH_RST) != 0 || tcp_blackholed(seg))
		return tcp_verdict_drop(why);
	return tcp_verdict(TCP_DROP_RST, why, 0);
}

/* RFC 9293 §3.7.1: the peer's segment size, not below what we can bear. */
static void
tcp_take_mss(struct tcpcb *tp, const struct tcp_opts *to)
{
	const struct tcp_state *ts = tp->t_ns->ns_tcp;
	uint32_t mss = ts->tcps_sysctl.mssdflt;

	if ((to->to_flags & TOF_MSS) != 0)
		mss = to->to_mss;
	if (mss < ts->tcps_sysctl.minmss) {
		TCPSTAT_INC(tp->t_ns, minmssdrops);
		mss = ts->tcps_sysctl.minmss;
	}
	tp->t_peermss = (uint16_t)mss;
	tcp_mss_update(tp);
}

/* The options of a SYN: an extension is used if both ends name it (RFC 7323 §2.2, §3.2; RFC 2018 §2). */
static void
tcp_take_syn_options(struct tcpcb *tp, const struct tcp_opts *to)
{
	tp->snd_scale = tp->rcv_scale = 0;
	if ((to->to_flags & TOF_WSCALE) != 0 && (tp->t_flags & TF_REQ_SCALE) != 0) {
		tp->t_flags |= TF_RCVD_SCALE;
		tp->snd_scale = to->to_wscale;
		tp->rcv_scale = tp->request_r_scale;
	}
	if ((to->to_flags & TOF_TS) != 0 && (tp->t_flags & TF_REQ_TSTMP) != 0) {
		tp->t_flags |= TF_RCVD_TSTMP;
		tp->ts_recent = to->to_tsval;
		tp->ts_recent_age = tcp_ts_age_now(tp);
	}
	if ((to->to_flags & TOF_SACKPERM) != 0 && (tp->t_flags & TF_REQ_SACK) != 0)
		tp->t_flags |= TF_SACK_PERMIT;
	tcp_take_mss(tp, to);
}

/* IRS, and the sequence variables that begin with it. Takes the SYN off the segment. */
static void
tcp_take_syn(struct tcpcb *tp, struct tcp_segment *seg)
{
	tp->irs = seg->ts_seq;
	tp->rcv_nxt = seg->ts_seq + 1;
	/* The window of a SYN is not scaled (RFC 7323 §2.2). */
	const uint32_t wnd = KERN_MIN(tcp_receive_space(tp), TCP_MAXWIN);
	tp->rcv_adv = tp->rcv_nxt + wnd;
	tp->rcv_up = tp->rcv_nxt;
	tp->last_ack_sent = tp->rcv_nxt;
	tp->t_rfbuf_seq = tp->rcv_nxt;
	tp->t_rcvtime_ns = tp->t_ns->ns_now;
	tcp_take_syn_options(tp, &seg->ts_opts);
	tcp_ecn_syn_received(tp, seg);
	tp->snd_wnd = seg->ts_win;
	tp->max_sndwnd = KERN_MAX(tp->max_sndwnd, tp->snd_wnd);
	tp->snd_wl1 = seg->ts_seq;
	tp->snd_wl2 = seg->ts_ack;
	seg->ts_seq++;
	seg->ts_flags &=
	    (uint8_t) ~(TH_SYN | TH_ECE | TH_CWR); /* of a SYN they mean no congestion */
	if (seg->ts_urp > 1)
		seg->ts_urp--;
	else
		seg->ts_flags &= (uint8_t)~TH_URG;
	if (seg->ts_len > wnd) {
		m_adj(seg->ts_m, -(int)(seg->ts_len - wnd));
		seg->ts_len = wnd;
	}
}

/* Data that came with a SYN waits for the handshake to end. */
static void
tcp_keep_syn_data(struct tcpcb *tp, struct tcp_segment *seg)
{
	if (seg->ts_len > 0)
		(void)tcp_reass(tp, seg);
}

void
tcp_established(struct tcpcb *tp)
{
	tp->snd_recover = tp->iss;
	if (tp->t_congctl != NULL)
		tp->t_congctl->cc_init(tp);
	tcp_pacing_start(tp);
	tp->t_flags |= TF_NEEDOUTPUT;
	tcp_set_state(tp, TCPS_ESTABLISHED);
	if ((tp->t_flags & TF_NEEDFIN) != 0) {
		tp->t_flags &= ~(uint32_t)TF_NEEDFIN;
		tcp_set_state(tp, TCPS_FIN_WAIT_1);
	}
}

/* What a connection has from its listener. */
static void
tcp_inherit(struct tcpcb *tp, const struct tcpcb *head)
{
	const struct inpcb *hinp = head->t_inpcb;
	struct inpcb *inp = tp->t_inpcb;

	inp->inp_flags |= hinp->inp_flags & (uint32_t) ~(INP_CONNECTED | INP_ANONPORT);
	inp->inp_ttl = hinp->inp_ttl;
	inp->inp_minttl = hinp->inp_minttl;
	inp->inp_tos = hinp->inp_tos;
	inp->inp_pmtudisc = hinp->inp_pmtudisc;
	inp->in6p_hops = hinp->in6p_hops;
	inp->in6p_minhops = hinp->in6p_minhops;
	inp->in6p_tclass = hinp->in6p_tclass;
	inp->inp_flags |= hinp->inp_flags & IN6P_V6ONLY;
	inp->inp_boundif = hinp->inp_boundif;
	inp->inp_notsent_lowat = hinp->inp_notsent_lowat;
	tp->t_flags |= head->t_flags & (TF_NODELAY | TF_NOPUSH);
	tp->t_usermss = head->t_usermss;
	tp->t_keepinit_s = head->t_keepinit_s;
	tp->t_keepidle_s = head->t_keepidle_s;
	tp->t_keepintvl_s = head->t_keepintvl_s;
	tp->t_keepcnt = head->t_keepcnt;
	tp->t_usertimeout_ms = head->t_usertimeout_ms;
	tp->t_defer_s = head->t_defer_s;
	tp->t_linger2_s = head->t_linger2_s;
	tp->t_winclamp = head->t_winclamp;
	tp->t_congctl = head->t_congctl;
}

struct tcpcb *
tcp_spawn(struct tcpcb *head, const struct tcp_segment *seg)
{
	const struct in_rxinfo *rx = seg->ts_rx;
	const struct in_endpoint local = {rx->rx_dst, seg->ts_dport};
	const struct in_endpoint foreign = {rx->rx_src, seg->ts_sport};
	struct socket *so = sonewconn(head->t_inpcb->inp_socket, 0);
	struct tcpcb *tp;

	if (so == NULL)
		return NULL;
	tp = intotcpcb(so->so_pcb);
	tcp_inherit(tp, head);
	in_pcb_setaf(tp->t_inpcb, rx->rx_af);
	if (!tcp_pacing_inherit(tp, head) || in_pcbconnect_pair(tp->t_inpcb, &local, &foreign) != 0)
		return tcp_close(tp);
	tcp_window_setup(tp);
	return tp;
}

struct tcp_verdict
tcp_in_listen(struct tcpcb *tp, struct tcp_segment *seg)
{
	const struct in_rxinfo *rx = seg->ts_rx;
	struct syncache *sc = tcp_syncache_lookup(tp->t_ns, seg);

	if (sc != NULL)
		return tcp_syncache_input(sc, seg);
	if ((seg->ts_flags & TH_RST) != 0) /* first */
		return tcp_verdict_drop(DROP_TCP_LISTEN);
	if ((seg->ts_flags & TH_ACK) != 0) /* second */
		return tcp_syncache_cookie(tp, seg);
	if ((seg->ts_flags & TH_SYN) == 0) /* fourth */
		return tcp_verdict_drop(DROP_TCP_LISTEN);
	if (seg->ts_sport == seg->ts_dport && in_addrany_eq(&rx->rx_src, &rx->rx_dst)) {
		TCPSTAT_INC(tp->t_ns, badsyn);
		return tcp_verdict_drop(DROP_TCP_LAND);
	}
	return tcp_syncache_add(tp, seg); /* third */
}

/* RFC 9293 §3.10.7.3 (4): the peer's SYN without an ACK of ours, both called at once. */
static struct tcp_verdict
tcp_simultaneous_open(struct tcpcb *tp, struct tcp_segment *seg)
{
	tp->snd_nxt = tp->snd_una; /* our SYN again, with the ACK */
	tp->t_rtttiming = false;
	tcp_set_state(tp, TCPS_SYN_RECEIVED);
	tcp_keep_syn_data(tp, seg);
	return tcp_verdict(TCP_DONE, DROP_TCP_CONSUMED, TV_OUTPUT | TV_ACKNOW);
}

struct tcp_verdict
tcp_in_syn_sent(struct tcpcb *tp, struct tcp_segment *seg)
{
	const bool ack = (seg->ts_flags & TH_ACK) != 0;

	/* first: ISS < SEG.ACK <= SND.NXT */
	if (ack && (SEQ_LEQ(seg->ts_ack, tp->iss) || SEQ_GT(seg->ts_ack, tp->snd_max)))
		return tcp_verdict(TCP_DROP_RST, DROP_TCP_ACK, 0);
	if ((seg->ts_flags & TH_RST) != 0) { /* second */
		if (!ack) {
			TCPSTAT_INC(tp->t_ns, badrst);
			return tcp_verdict_drop(DROP_TCP_RST);
		}
		TCPSTAT_INC(tp->t_ns, conndrops);
		tcp_kill(tp, ECONNREFUSED);
		return tcp_verdict(TCP_DROP, DROP_TCP_RSTOK, TV_CLOSED);
	}
	if ((seg->ts_flags & TH_SYN) == 0) /* fifth */
		return tcp_verdict_drop(ack ? DROP_TCP_ACK : DROP_TCP_NOACK);
	tcp_take_syn(tp, seg); /* fourth */
	if (!ack)
		return tcp_simultaneous_open(tp, seg);
	tcp_ack_syn(tp);
	tp->t_flags |= TF_ACKNOW;
	tcp_established(tp);
	return tcp_verdict_continue();
}
