/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP input: parse once, find the connection, hand the segment to the steps, carry out the verdict.
 *
 * Theory of operation: tcp_input reads the header into a struct tcp_segment and never looks at
 * packet bytes again. tcp_segment_arrives is RFC 9293 §3.10.7: it has the only switch on t_state of
 * the input side. Each step either lets the segment pass (TCP_CONTINUE) or says what becomes of it;
 * tcp_verdict_apply alone answers, counts and frees. RFC 9293, 5961, 7323.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/m_cksum.h"
#include "netinet/in_pcb_af.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/tcp_seq.h"

#include "kern/names.h"

static bool
tcp_cksum_ok(const struct mbuf *m, const struct in_rxinfo *rx)
{
	uint32_t sum;

	if ((m->m_pkthdr.csum_flags & M_CSUM_OK) != 0)
		return true;
	sum = rx->rx_af->af_pseudo(&rx->rx_src, &rx->rx_dst, rx->rx_len, rx->rx_proto);
	sum += cksum_fold(m_cksum(m, rx->rx_hlen, rx->rx_len));
	return (sum >> 16) + (sum & 0xffff) == 0xffff;
}

/* Counts and frees a packet of which no segment could be made. => NULL. */
static struct mbuf *
tcp_refuse(struct mbuf *m, enum drop_reason why)
{
	m_drop(m, why);
	return NULL;
}

/* m_pullup that counts; the bytes are known to be there. */
static struct mbuf *
tcp_pullup(struct mbuf *m, size_t len)
{
	struct netstack *ns = m->m_ns;

	m = m_pullup(m, len);
	if (m == NULL) {
		TCPSTAT_INC(ns, rcvmemdrop);
		ns->ns_drops[DROP_TCP_NOBUFS]++;
	}
	return m;
}

/* Header, options and checksum. => the packet, its header contiguous; NULL: dropped. */
static struct mbuf *
tcp_parse_header(struct mbuf *m, const struct in_rxinfo *rx, struct tcp_hdr *th,
    struct tcp_opts *to)
{
	struct netstack *ns = m->m_ns;
	const uint8_t *p;

	if (rx->rx_len < TCP_HDR_LEN || m->m_pkthdr.len < rx->rx_hlen + rx->rx_len) {
		TCPSTAT_INC(ns, rcvshort);
		return tcp_refuse(m, DROP_TCP_SHORT);
	}
	m = tcp_pullup(m, rx->rx_hlen + (size_t)TCP_HDR_LEN);
	if (m == NULL)
		return NULL;
	if (tcp_parse_partial(m->m_data + rx->rx_hlen, TCP_HDR_LEN, rx->rx_len, th) !=
	    TCP_PARSE_OK) {
		TCPSTAT_INC(ns, rcvbadoff);
		return tcp_refuse(m, DROP_TCP_OFF);
	}
	if (!tcp_cksum_ok(m, rx)) {
		TCPSTAT_INC(ns, rcvbadsum);
		return tcp_refuse(m, DROP_TCP_CKSUM);
	}
	m = tcp_pullup(m, rx->rx_hlen + (size_t)th->th_off);
	if (m == NULL)
		return NULL;
	p = m->m_data + rx->rx_hlen;
	/* Broken options count as none: nothing is reset for them (RFC 9293 §3.1, MUST-7). */
	(void)tcp_opts_parse(p + TCP_HDR_LEN, (size_t)th->th_off - TCP_HDR_LEN,
	    (th->th_flags & TH_SYN) != 0, to);
	return m;
}

/* The packet as a segment: m keeps the payload alone. => false: dropped. */
static bool
tcp_make_segment(struct mbuf *m, const struct in_rxinfo *rx, struct tcp_segment *seg)
{
	struct tcp_hdr th;
	uint32_t excess;

	*seg = (struct tcp_segment){.ts_rx = rx};
	m = tcp_parse_header(m, rx, &th, &seg->ts_opts);
	if (m == NULL)
		return false;
	excess = m->m_pkthdr.len - rx->rx_hlen - rx->rx_len;
	if (excess > 0)
		m_adj(m, -(int)excess);
	m_adj(m, rx->rx_hlen + th.th_off);
	seg->ts_m = m;
	seg->ts_seq = th.th_seq;
	seg->ts_ack = th.th_ack;
	seg->ts_len = rx->rx_len - th.th_off;
	seg->ts_wireseq = seg->ts_seq;
	seg->ts_wirelen = seg->ts_len;
	seg->ts_win = th.th_win;
	seg->ts_urp = th.th_urp;
	seg->ts_sport = th.th_sport;
	seg->ts_dport = th.th_dport;
	seg->ts_flags = th.th_flags;
	return true;
}

/* What no connection need be asked about. => DROP_COUNT: fine. */
static enum drop_reason
tcp_segment_insane(const struct tcp_segment *seg)
{
	if (tcp_flags_are_bogus(seg->ts_flags))
		return DROP_TCP_FLAGS;
	if (seg->ts_sport == 0 || seg->ts_dport == 0)
		return DROP_TCP_PORT;
	return DROP_COUNT;
}

/* May a connection begin with this peer, or a RST go there (RFC 1122 §4.2.3.10)? */
static bool
tcp_source_ok(struct netstack *ns, const struct in_rxinfo *rx)
{
	return !in_addrany_isany(&rx->rx_src) && !rx->rx_af->af_ismulticast(&rx->rx_src) &&
	    !rx->rx_af->af_isbroadcast(ns, &rx->rx_src);
}

/* => TCP_CONTINUE: *tpp is the connection, the listener, or NULL. Else it was in TIME-WAIT, or nothing. */
static struct tcp_verdict
tcp_lookup(struct netstack *ns, struct tcp_segment *seg, struct tcpcb **tpp)
{
	const struct in_rxinfo *rx = seg->ts_rx;
	struct inpcbtable *table = &ns->ns_tcp->tcps_table;
	struct in_lookup il = {.il_af = rx->rx_af,
	    .il_laddr = rx->rx_dst,
	    .il_faddr = rx->rx_src,
	    .il_lport = seg->ts_dport,
	    .il_fport = seg->ts_sport,
	    .il_ifindex = rx->rx_ifp->if_index};
	struct inpcb *inp = in_pcblookup_connect(table, &il);

	if (inp == NULL) {
		struct tcptw *tw = tcp_timewait_lookup(ns, &il);

		if (tw != NULL)
			return tcp_tw_input(ns, tw, seg);
		if (!tcp_source_ok(ns, rx)) {
			TCPSTAT_INC(ns, badsyn);
			return tcp_verdict_drop(DROP_TCP_ADDR);
		}
		inp = in_pcblookup_bind(table, &il);
	}
	if (inp != NULL && rx->rx_ttl < in_pcb_minttl(inp, rx->rx_af))
		return tcp_verdict_drop(DROP_IP_MINTTL);
	*tpp = inp != NULL ? intotcpcb(inp) : NULL;
	return tcp_verdict_continue();
}

bool
tcp_owns(const struct mbuf *m, const struct in_rxinfo *rx)
{
	struct inpcbtable *table = &m->m_ns->ns_tcp->tcps_table;
	uint8_t bytes[TCP_HDR_LEN];
	struct in_lookup il = {.il_af = rx->rx_af,
	    .il_laddr = rx->rx_dst,
	    .il_faddr = rx->rx_src,
	    .il_ifindex = rx->rx_ifp->if_index};
	struct tcp_hdr th;

	if (rx->rx_len < sizeof(bytes))
		return true; /* to be judged, and dropped, here */
	m_copydata(m, rx->rx_hlen, sizeof(bytes), bytes);
	if (tcp_parse_partial(bytes, sizeof(bytes), rx->rx_len, &th) != TCP_PARSE_OK)
		return true;
	il.il_fport = th.th_sport;
	il.il_lport = th.th_dport;
	if (in_pcblookup_connect(table, &il) != NULL || in_pairlookup(table, &il) != NULL)
		return true;
	if ((th.th_flags & TH_SYN) != 0)
		return in_pcblookup_bind(table, &il) != NULL;
	return tcp_syncache_owns(m->m_ns, rx, &th);
}

static void
tcp_dispatch(struct netstack *ns, struct tcp_segment *seg)
{
	struct tcpcb *tp = NULL;
	struct tcp_verdict tv;
	bool again = false;

	do {
		tp = NULL;
		tv = tcp_lookup(ns, seg, &tp);
		if (tv.tv_what == TCP_CONTINUE)
			tv = tp != NULL ? tcp_segment_arrives(tp, seg) : tcp_in_closed(NULL, seg);
		/* TIME-WAIT gives way, or a handshake is done: once, as what is found then is neither. */
		again = !again && tv.tv_what == TCP_RETRY;
	} while (again);
	tcp_verdict_apply(ns, tp, seg, tv);
}

void
tcp_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct netstack *ns = m->m_ns;
	struct tcp_segment seg;
	enum drop_reason why;

	TCPSTAT_INC(ns, rcvtotal);
	if (rx->rx_bcast) {
		TCPSTAT_INC(ns, badsyn);
		m_drop(m, DROP_TCP_ADDR);
		return;
	}
	if (!tcp_make_segment(m, rx, &seg))
		return;
	why = tcp_segment_insane(&seg);
	if (why != DROP_COUNT) {
		m_drop(seg.ts_m, why);
		return;
	}
	tcp_dispatch(ns, &seg);
}

/* RFC 9293 §3.10.7.4: the eight checks in their order; security and compartment is not offered. */
static struct tcp_verdict (*const tcp_steps[])(struct tcpcb *, struct tcp_segment *) = {
    tcp_step_seq,  /* first, and RFC 7323 §5 */
    tcp_step_rst,  /* second */
    tcp_step_syn,  /* fourth */
    tcp_step_ack,  /* fifth */
    tcp_step_urg,  /* sixth */
    tcp_step_text, /* seventh */
    tcp_step_fin,  /* eighth */
};
#define TCP_STEP_URG 4u

static struct tcp_verdict
tcp_run_steps(struct tcpcb *tp, struct tcp_segment *seg, size_t first)
{
	for (size_t i = first; i < nitems(tcp_steps); i++) {
		struct tcp_verdict tv = tcp_steps[i](tp, seg);

		if (tv.tv_what != TCP_CONTINUE)
			return tv;
	}
	return tcp_verdict_done();
}

/*
 * Header prediction: the segment that an established connection expects, a pure ACK of new data or
 * the next data and nothing new acknowledged. It is what passes all steps, so that only what they
 * would do is left to do.
 */
static bool
tcp_is_predicted(const struct tcpcb *tp, const struct tcp_segment *seg)
{
	const uint8_t odd = TH_SYN | TH_FIN | TH_RST | TH_URG;
	const uint32_t unusual = TF_FASTRECOVERY | TF_UNDO | TF_TLP;

	if ((seg->ts_flags & (odd | TH_ACK)) != TH_ACK || seg->ts_seq != tp->rcv_nxt ||
	    tp->snd_nxt != tp->snd_max || (tp->t_flags & unusual) != 0 || tcp_sack_any(tp) ||
	    (seg->ts_opts.to_flags & TOF_SACK) != 0 || tp->t_reass != NULL ||
	    seg->ts_win << tp->snd_scale != tp->snd_wnd || !tcp_ecn_isquiet(tp, seg))
		return false;
	if ((tp->t_flags & TF_RCVD_TSTMP) != 0 &&
	    ((seg->ts_opts.to_flags & TOF_TS) == 0 ||
		TSTMP_LT(seg->ts_opts.to_tsval, tp->ts_recent)))
		return false;
	if (seg->ts_len == 0)
		return SEQ_GT(seg->ts_ack, tp->snd_una) && SEQ_LEQ(seg->ts_ack, tp->snd_max);
	return seg->ts_ack == tp->snd_una && seg->ts_len <= tcp_rcvwnd(tp);
}

static struct tcp_verdict
tcp_predicted(struct tcpcb *tp, struct tcp_segment *seg)
{
	tcp_seq_accepted(tp);
	tcp_ack_accepted(tp, seg);
	if (seg->ts_len == 0) {
		TCPSTAT_INC(tp->t_ns, predack);
		tcp_ack_advance(tp, seg);
	} else {
		TCPSTAT_INC(tp->t_ns, preddat);
	}
	tcp_ack_window(tp, seg);
	if (SEQ_GT(tp->rcv_nxt, tp->rcv_up))
		tp->rcv_up = tp->rcv_nxt;
	return seg->ts_len > 0 ? tcp_step_text(tp, seg) : tcp_verdict_done();
}

struct tcp_verdict
tcp_segment_arrives(struct tcpcb *tp, struct tcp_segment *seg)
{
	struct tcp_verdict tv;

	switch (tp->t_state) {
	case TCPS_CLOSED: /* RFC 9293 §3.10.7.1 */
		return tcp_in_closed(tp, seg);
	case TCPS_LISTEN: /* RFC 9293 §3.10.7.2 */
		return tcp_in_listen(tp, seg);
	case TCPS_SYN_SENT: /* RFC 9293 §3.10.7.3, which joins the rest at the sixth step */
		tv = tcp_in_syn_sent(tp, seg);
		return tv.tv_what == TCP_CONTINUE ? tcp_run_steps(tp, seg, TCP_STEP_URG) : tv;
	case TCPS_TIME_WAIT:
		return tcp_in_timewait(tp, seg);
	case TCPS_ESTABLISHED:
		if (tcp_is_predicted(tp, seg) && !tp->t_ns->ns_tcp->tcps_nopredict) {
			tv = tcp_predicted(tp, seg);
			return tv.tv_what == TCP_CONTINUE ? tcp_verdict_done() : tv;
		}
		break;
	default:
		break;
	}
	return tcp_run_steps(tp, seg, 0);
}

bool
tcp_oowack_allowed(struct tcpcb *tp)
{
	const uint32_t now_ms = tcp_now_ms(tp->t_ns);

	if ((tp->t_flags & TF_OOWACKED) != 0 && now_ms - tp->t_oowack_ms < TCP_OOWACK_MS) {
		TCPSTAT_INC(tp->t_ns, oowacklimit);
		return false;
	}
	tp->t_flags |= TF_OOWACKED;
	tp->t_oowack_ms = now_ms;
	return true;
}

bool
tcp_seg_isold(const struct tcp_segment *seg, tcp_seq nxt)
{
	const bool occupies = seg->ts_len > 0 || (seg->ts_flags & TH_FIN) != 0;

	return occupies && (seg->ts_flags & TH_SYN) == 0 && SEQ_LT(seg->ts_seq, nxt);
}

/*
 * Is an ACK due for a segment that the window does not take? At once for old data, whose sender
 * must have missed our ACK; else once in TCP_OOWACK_MS, lest two ends answer each other for ever.
 */
static bool
tcp_oowack_due(struct tcpcb *tp, const struct tcp_segment *seg)
{
	if (tcp_seg_isold(seg, tp->rcv_nxt))
		return true;
	return tcp_oowack_allowed(tp);
}

/*
 * RFC 5961 §7, with a limit for each connection that nobody outside can know: a limit in common, or
 * a fixed one, tells an outsider about connections not his.
 */
static bool
tcp_challenge_due(struct tcpcb *tp)
{
	struct netstack *ns = tp->t_ns;
	const uint32_t now_ms = tcp_now_ms(ns);
	const uint32_t cnt = KERN_MAX(ns->ns_tcp->tcps_sysctl.ack_war_cnt, 1u);

	if (tp->t_challenge_limit == 0 ||
	    now_ms - tp->t_challenge_start_ms >= ns->ns_tcp->tcps_sysctl.ack_war_timewindow_ms) {
		tp->t_challenge_start_ms = now_ms;
		tp->t_challenge_count = 0;
		tp->t_challenge_limit = (uint16_t)(cnt + rng_below(&ns->ns_rng, cnt));
	}
	if (tp->t_challenge_count >= tp->t_challenge_limit) {
		TCPSTAT_INC(ns, challengelimit);
		return false;
	}
	tp->t_challenge_count++;
	TCPSTAT_INC(ns, challengeack);
	return true;
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> */
static void
tcp_answer_ack(struct tcpcb *tp, const struct tcp_segment *seg)
{
	const struct tcp_response resp = {.seq = tp->snd_max, .ack = tp->rcv_nxt, .flags = TH_ACK};

	tp->last_ack_sent = tp->rcv_nxt;
	tcp_respond(tp->t_ns, tp, seg, &resp);
}

/* RFC 9293 §3.5.2 and §3.10.7.1. => never in answer to a RST */
static void
tcp_answer_rst(struct netstack *ns, const struct tcp_segment *seg)
{
	struct tcp_response resp = {.seq = seg->ts_ack, .flags = TH_RST};

	if ((seg->ts_flags & TH_RST) != 0)
		return;
	if ((seg->ts_flags & TH_ACK) == 0) {
		resp.seq = 0;
		resp.ack = seg->ts_seq + seg->ts_len + ((seg->ts_flags & TH_SYN) != 0) +
		    ((seg->ts_flags & TH_FIN) != 0);
		resp.flags = TH_RST | TH_ACK;
	}
	TCPSTAT_INC(ns, sndrst);
	tcp_respond(ns, NULL, seg, &resp);
}

/* Wakes each side at most once a segment. => false: the connection went meanwhile. */
static bool
tcp_wakeups(struct tcpcb *tp)
{
	const uint32_t owed = tp->t_flags & (TF_RWAKEUP | TF_WWAKEUP);
	struct socket *so = tp->t_inpcb->inp_socket;
	bool alive;

	tp->t_flags &= ~owed;
	if (owed == 0 || so == NULL)
		return true;
	sohold(so);
	if ((owed & TF_RWAKEUP) != 0)
		sorwakeup(so);
	if ((owed & TF_WWAKEUP) != 0)
		sowwakeup(so);
	alive = so->so_pcb != NULL;
	sorele(so);
	return alive;
}

/* Nothing is left to send; the FIN is answered, the ACK of ours is not. May free tp. */
static void
tcp_finish_timewait(struct tcpcb *tp, const struct tcp_segment *seg)
{
	if ((tp->t_flags & TF_ACKNOW) != 0)
		tcp_answer_ack(tp, seg);
	tp->t_flags &= ~(uint32_t)(TF_ACKNOW | TF_DELACK | TF_NEEDOUTPUT);
	if (tcp_wakeups(tp) && tp->t_inpcb->inp_socket == NULL)
		tcp_timewait_compact(tp);
}

/* The end of a segment's way through a connection: wake, send what became possible. */
static void
tcp_finish(struct tcpcb *tp, const struct tcp_segment *seg, uint8_t tv_flags)
{
	if ((tv_flags & TV_ACKNOW) != 0)
		tp->t_flags |= TF_ACKNOW;
	if (tp->t_state == TCPS_TIME_WAIT) {
		tcp_finish_timewait(tp, seg);
		return;
	}
	if (!tcp_wakeups(tp))
		return;
	if ((tv_flags & TV_OUTPUT) == 0 && (tp->t_flags & (TF_ACKNOW | TF_NEEDOUTPUT)) == 0)
		return;
	tp->t_flags &= ~(uint32_t)TF_NEEDOUTPUT;
	(void)tcp_output(tp);
}

void
tcp_verdict_apply(struct netstack *ns, struct tcpcb *tp, struct tcp_segment *seg,
    struct tcp_verdict tv)
{
	if ((tv.tv_flags & TV_CLOSED) != 0 || tv.tv_sc != NULL || tv.tv_tw != NULL)
		tp = NULL;
	if (tv.tv_sc != NULL)
		tcp_syncache_answer(tv.tv_sc, &tv);
	else if (tv.tv_tw != NULL)
		tcp_tw_answer(ns, tv.tv_tw, seg);
	else if (tv.tv_what == TCP_DROP_RST)
		tcp_answer_rst(ns, seg);
	else if (tv.tv_what == TCP_DROP_ACK && tcp_oowack_due(tp, seg))
		tcp_answer_ack(tp, seg);
	else if (tv.tv_what == TCP_DROP_CHALLENGE && tcp_challenge_due(tp))
		tcp_answer_ack(tp, seg);
	if (seg->ts_m != NULL && tv.tv_what != TCP_DONE)
		m_drop(seg->ts_m, tv.tv_drop);
	else
		m_freem(seg->ts_m);
	seg->ts_m = NULL;
	if (tp != NULL)
		tcp_finish(tp, seg, tv.tv_flags);
}
