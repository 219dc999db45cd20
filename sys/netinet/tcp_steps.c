/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of RFC 9293 §3.10.7.4 on a segment for a synchronised connection: sequence number with
 * PAWS (RFC 7323 §5), RST and SYN (RFC 5961 §3, §4), URG (RFC 6093), text, FIN. The fifth, of the
 * ACK field, is tcp_ack.c.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"

#include "kern/names.h"

#define TCP_QUICKACKS 16u /* as Linux: a window to grow with */

/* TS.Recent means nothing after so long without a segment (RFC 7323 §5.5). */
#define TCP_PAWS_IDLE (uint32_t)((24ull * 24 * 3600 * NSEC_PER_SEC) >> TCP_TS_AGE_SHIFT)

bool
tcp_paws_fails(const struct tcpcb *tp, const struct tcp_segment *seg)
{
	return (tp->t_flags & TF_RCVD_TSTMP) != 0 && (seg->ts_opts.to_flags & TOF_TS) != 0 &&
	    TSTMP_LT(seg->ts_opts.to_tsval, tp->ts_recent) &&
	    tcp_ts_age_now(tp) - tp->ts_recent_age < TCP_PAWS_IDLE;
}

/* Sequence numbers that a segment occupies. */
static uint32_t
tcp_seg_len(const struct tcp_segment *seg)
{
	return seg->ts_len + ((seg->ts_flags & TH_SYN) != 0) + ((seg->ts_flags & TH_FIN) != 0);
}

bool
tcp_seg_acceptable(const struct tcpcb *tp, const struct tcp_segment *seg)
{
	const uint32_t wnd = tcp_rcvwnd(tp), len = tcp_seg_len(seg);

	if (len == 0)
		return wnd == 0 ? seg->ts_seq == tp->rcv_nxt
				: seq_within(seg->ts_seq, tp->rcv_nxt, wnd);
	return wnd > 0 &&
	    (seq_within(seg->ts_seq, tp->rcv_nxt, wnd) ||
		seq_within(seg->ts_seq + len - 1, tp->rcv_nxt, wnd));
}

/* Cuts data and FIN off the end: the segment keeps len bytes. */
static void
tcp_trim_tail(struct tcp_segment *seg, uint32_t len)
{
	m_adj(seg->ts_m, -(int)(seg->ts_len - len));
	seg->ts_len = len;
	seg->ts_flags &= (uint8_t) ~(TH_FIN | TH_PUSH);
}

/* Cuts n bytes off the front. => n <= ts_len */
static void
tcp_trim_head(struct tcpcb *tp, struct tcp_segment *seg, uint32_t n)
{
	TCPSTAT_INC(tp->t_ns, rcvpartduppack);
	TCPSTAT_ADD(tp->t_ns, rcvpartdupbyte, n);
	tcp_sackgen_dup(tp, seg->ts_seq, seg->ts_seq + n);
	m_adj(seg->ts_m, (int)n);
	seg->ts_seq += n;
	seg->ts_len -= n;
	if (seg->ts_urp > n)
		seg->ts_urp = (uint16_t)(seg->ts_urp - n);
	else
		seg->ts_flags &= (uint8_t)~TH_URG;
}

/* RFC 9293 §3.10.7.4 (1): leaves what lies in the window. => the segment is acceptable */
static void
tcp_trim(struct tcpcb *tp, struct tcp_segment *seg)
{
	const uint32_t wnd = tcp_rcvwnd(tp);
	uint32_t room;

	if (SEQ_LT(seg->ts_seq, tp->rcv_nxt))
		tcp_trim_head(tp, seg, tp->rcv_nxt - seg->ts_seq);
	room = wnd - (seg->ts_seq - tp->rcv_nxt);
	if (seg->ts_len > room) {
		TCPSTAT_INC(tp->t_ns, rcvpackafterwin);
		TCPSTAT_ADD(tp->t_ns, rcvbyteafterwin, seg->ts_len - room);
		tp->t_flags |= TF_ACKNOW;
		tcp_trim_tail(seg, room);
	} else if (seg->ts_len == room && (seg->ts_flags & TH_FIN) != 0) {
		tp->t_flags |= TF_ACKNOW;
		tcp_trim_tail(seg, room);
	}
}

/* RFC 9293 §3.10.7.4 (1): "an acknowledgment should be sent in reply (unless the RST bit is set)". */
static struct tcp_verdict
tcp_unacceptable(struct tcpcb *tp, const struct tcp_segment *seg)
{
	struct netstack *ns = tp->t_ns;
	const bool old = SEQ_LT(seg->ts_seq, tp->rcv_nxt);

	if ((seg->ts_flags & TH_RST) != 0) {
		TCPSTAT_INC(ns, badrst);
		return tcp_verdict_drop(DROP_TCP_RST);
	}
	if (old && seg->ts_len > 0) {
		tp->t_quickacks = TCP_QUICKACKS;
		TCPSTAT_INC(ns, rcvduppack);
		TCPSTAT_ADD(ns, rcvdupbyte, seg->ts_len);
		tcp_sackgen_dup(tp, seg->ts_seq, seq_min(seg->ts_seq + seg->ts_len, tp->rcv_nxt));
	} else if (!old) {
		TCPSTAT_INC(ns, rcvpackafterwin);
		TCPSTAT_ADD(ns, rcvbyteafterwin, seg->ts_len);
	}
	return tcp_verdict(TCP_DROP_ACK, old ? DROP_TCP_DUPLICATE : DROP_TCP_OUTOFWINDOW, 0);
}

/*
 * A SYN again in SYN-RECEIVED. Without ACK our SYN,ACK was lost: once more. With it, the peer opened
 * at the same time (RFC 9293 §3.5, figure 7): what follows the SYN is looked at.
 */
static struct tcp_verdict
tcp_syn_again(struct tcpcb *tp, struct tcp_segment *seg)
{
	if ((seg->ts_flags & TH_ACK) == 0) {
		if (!tcp_oowack_allowed(tp))
			return tcp_verdict_drop(DROP_TCP_DUPLICATE);
		tp->snd_nxt = tp->snd_una;
		tp->t_rtttiming = false;
		return tcp_verdict(TCP_DROP, DROP_TCP_DUPLICATE, TV_OUTPUT | TV_ACKNOW);
	}
	seg->ts_seq++;
	seg->ts_flags &= (uint8_t)~TH_SYN;
	if (seg->ts_urp > 1)
		seg->ts_urp--;
	else
		seg->ts_flags &= (uint8_t)~TH_URG;
	tp->t_flags |= TF_ACKNOW;
	return tcp_verdict_continue();
}

void
tcp_seq_accepted(struct tcpcb *tp)
{
	tp->t_rcvtime_ns = tp->t_ns->ns_now;
	if (TCPS_HAVEESTABLISHED(tp->t_state))
		tcp_keepalive_restart(tp);
}

/* RFC 7323 §5.3 (R1), §3.2: RST is exempt from both. */
static struct tcp_verdict
tcp_check_timestamp(struct tcpcb *tp, const struct tcp_segment *seg)
{
	if ((tp->t_flags & TF_RCVD_TSTMP) == 0 || (seg->ts_flags & TH_RST) != 0)
		return tcp_verdict_continue();
	if ((seg->ts_opts.to_flags & TOF_TS) == 0)
		return tcp_verdict_drop(DROP_TCP_NOTS);
	if (tcp_paws_fails(tp, seg)) {
		TCPSTAT_INC(tp->t_ns, pawsdrop);
		return tcp_verdict(TCP_DROP_ACK, DROP_TCP_PAWS, 0);
	}
	return tcp_verdict_continue();
}

struct tcp_verdict
tcp_step_seq(struct tcpcb *tp, struct tcp_segment *seg)
{
	struct tcp_verdict tv = tcp_check_timestamp(tp, seg);

	if (tv.tv_what != TCP_CONTINUE)
		return tv;
	if (tp->t_state == TCPS_SYN_RECEIVED && (seg->ts_flags & TH_SYN) != 0 &&
	    seg->ts_seq == tp->irs) {
		tv = tcp_syn_again(tp, seg);
		if (tv.tv_what != TCP_CONTINUE)
			return tv;
	}
	if (!tcp_seg_acceptable(tp, seg)) {
		/* A closed window still lets ACK, URG and RST of the next segment through. */
		if (seg->ts_seq != tp->rcv_nxt || tcp_rcvwnd(tp) != 0)
			return tcp_unacceptable(tp, seg);
		TCPSTAT_INC(tp->t_ns, rcvwinprobe);
	}
	if ((seg->ts_flags & (TH_SYN | TH_RST)) == 0) {
		tcp_seq_accepted(tp);
		tcp_trim(tp, seg);
	}
	return tcp_verdict_continue();
}

void
tcp_kill(struct tcpcb *tp, int error)
{
	struct socket *so = tp->t_inpcb->inp_socket;

	if (so != NULL && error != 0)
		so->so_error = error;
	(void)tcp_close(tp);
}

struct tcp_verdict
tcp_step_rst(struct tcpcb *tp, struct tcp_segment *seg)
{
	struct netstack *ns = tp->t_ns;

	if ((seg->ts_flags & TH_RST) == 0)
		return tcp_verdict_continue();
	/* RFC 5961 §3.2: in the window is not enough. */
	if (seg->ts_seq != tp->rcv_nxt && ns->ns_tcp->tcps_sysctl.insecure_rst == 0) {
		TCPSTAT_INC(ns, badrst);
		return tcp_verdict(TCP_DROP_CHALLENGE, DROP_TCP_RST, 0);
	}
	if (tp->t_state == TCPS_SYN_RECEIVED) {
		TCPSTAT_INC(ns, conndrops);
		tcp_kill(tp, ECONNREFUSED);
	} else if (tp->t_state == TCPS_CLOSING || tp->t_state == TCPS_LAST_ACK) {
		tcp_kill(tp, 0);
	} else {
		TCPSTAT_INC(ns, estabresets);
		TCPSTAT_INC(ns, drops);
		tcp_kill(tp, ECONNRESET);
	}
	return tcp_verdict(TCP_DROP, DROP_TCP_RSTOK, TV_CLOSED);
}

struct tcp_verdict
tcp_step_syn(struct tcpcb *tp, struct tcp_segment *seg)
{
	(void)tp;
	/* RFC 5961 §4.2, whatever the sequence number. */
	if ((seg->ts_flags & TH_SYN) != 0)
		return tcp_verdict(TCP_DROP_CHALLENGE, DROP_TCP_SYN, 0);
	return tcp_verdict_continue();
}

/*
 * RFC 6093 §4: the urgent pointer names the number after the urgent byte. The mark is kept inside the
 * receive window; the byte itself is taken out when it arrives in sequence (tcp_deliver).
 */
struct tcp_verdict
tcp_step_urg(struct tcpcb *tp, struct tcp_segment *seg)
{
	struct socket *so = tp->t_inpcb->inp_socket;
	const tcp_seq up = seg->ts_seq + seg->ts_urp;

	if (SEQ_GT(tp->rcv_nxt, tp->rcv_up))
		tp->rcv_up = tp->rcv_nxt;
	if ((seg->ts_flags & TH_URG) == 0 || seg->ts_urp == 0 || so == NULL ||
	    !TCPS_HAVEESTABLISHED(tp->t_state) || TCPS_HAVERCVDFIN(tp->t_state))
		return tcp_verdict_continue();
	if (SEQ_LEQ(up, tp->rcv_up) || up - tp->rcv_nxt > tcp_rcvwnd(tp))
		return tcp_verdict_continue();
	TCPSTAT_INC(tp->t_ns, rcvurg);
	tp->rcv_up = up;
	so->so_oobmark = so->so_rcv.sb_cc + (up - tp->rcv_nxt) - 1;
	if (so->so_oobmark == 0)
		so->so_state |= SS_RCVATMARK;
	tp->t_oobflags = TCPOOB_PENDING;
	sohasoutofband(so);
	return tcp_verdict_continue();
}

/* Takes the byte at off out of a chain. => the chain; unchanged if memory does not allow it */
static struct mbuf *
tcp_pull_byte(struct mbuf *m, size_t off, uint8_t *byte)
{
	struct mbuf *rest = NULL;
	size_t at;
	struct mbuf *n = m_getptr(m, off, &at);

	*byte = n->m_data[at];
	if (at != 0 && at + 1 != n->m_len) {
		rest = m_split(m, off + 1);
		if (rest == NULL)
			return NULL;
		n = m_getptr(m, off, &at);
	}
	if (at == 0)
		n->m_data++;
	n->m_len--;
	if ((m->m_flags & M_PKTHDR) != 0)
		m->m_pkthdr.len--;
	if (rest != NULL)
		m_cat(m, rest);
	return m;
}

/* Is the urgent byte among the next len? Then out of line it comes, unless the reader wants it in. */
static void
tcp_take_urgent(struct tcpcb *tp, struct socket *so, struct mbuf *m, uint32_t len)
{
	uint8_t byte;

	if ((tp->t_oobflags & TCPOOB_PENDING) == 0 || !seq_within(tp->rcv_up - 1, tp->rcv_nxt, len))
		return;
	tp->t_oobflags &= (uint8_t)~TCPOOB_PENDING;
	if ((so->so_options & SO_OOBINLINE) != 0 ||
	    tcp_pull_byte(m, tp->rcv_up - 1 - tp->rcv_nxt, &byte) == NULL)
		return;
	tp->t_iobc = byte;
	tp->t_oobflags |= TCPOOB_HAVEDATA;
	sohasoutofband(so);
}

void
tcp_deliver(struct tcpcb *tp, struct mbuf *m, uint32_t len)
{
	struct socket *so = tp->t_inpcb->inp_socket;

	TCPSTAT_INC(tp->t_ns, rcvpack);
	TCPSTAT_ADD(tp->t_ns, rcvbyte, len);
	tp->t_rcvbytes += len;
	if (so == NULL || (so->so_state & SS_CANTRCVMORE) != 0) {
		tp->rcv_nxt += len;
		m_drop(m, DROP_TCP_AFTERCLOSE);
		return;
	}
	tcp_take_urgent(tp, so, m, len);
	tp->rcv_nxt += len;
	tcp_rcvbuf_autotune(tp, len);
	sbappendstream(&so->so_rcv, m);
	tp->t_flags |= TF_RWAKEUP;
	tcp_undefer(tp);
}

/*
 * The ACK leaves at the end of the turn, one for all that came in it, and carries what the reader's
 * taking it has done to the window; unless something that leaves before says it.
 * Deviation: RFC 5681 §4.2 wants one for every second segment; a turn, which is one instant, may
 * bring more, and an ACK each would cost the peer more than it tells (test_ack_of_a_turn).
 */
static void
tcp_ack_soon(struct tcpcb *tp)
{
	tp->t_flags &= ~(uint32_t)TF_DELACK;
	if (!tcp_timer_isarmed(tp, TCPT_DELACK) ||
	    tp->t_deadline_ns[TCPT_DELACK] > tp->t_ns->ns_now)
		tcp_timer_arm(tp, TCPT_DELACK, 0);
}

/*
 * RFC 9293 §3.8.6.3: an ACK for at least every second segment, the first waits. But not behind a loss:
 * the sender's window is small then, and a segment may be all that it holds.
 */
static void
tcp_delay_ack(struct tcpcb *tp, uint32_t len)
{
	const struct tcp_state *ts = tp->t_ns->ns_tcp;

	if (ts->tcps_sysctl.delayed_ack == 0 || (tp->t_flags & TF_QUICKACK) != 0) {
		tp->t_flags |= TF_ACKNOW;
	} else if (tp->t_quickacks > 0) {
		tp->t_quickacks--;
		tcp_ack_soon(tp);
	} else if (tcp_timer_isarmed(tp, TCPT_DELACK) || len > tp->t_ourmss) {
		tcp_ack_soon(tp);
	} else {
		tp->t_flags |= TF_DELACK;
		tcp_timer_arm(tp, TCPT_DELACK, ts->tcps_sysctl.delacktime_ms * NSEC_PER_MSEC);
	}
}

/* Data for which the program has closed its ears for good (RFC 9293 §3.6.1, RFC 1122 §4.2.2.13). */
static bool
tcp_nobody_reads(const struct tcpcb *tp)
{
	const struct socket *so = tp->t_inpcb->inp_socket;

	return tp->t_state >= TCPS_FIN_WAIT_1 && (so == NULL || (so->so_state & SS_NOFDREF) != 0);
}

static bool
tcp_storage_full(const struct tcpcb *tp)
{
	const struct socket *so = tp->t_inpcb->inp_socket;

	return so != NULL && so->so_rcv.sb_mbcnt >= so->so_rcv.sb_mbmax;
}

/* The payload that may be kept: in sequence to the socket, else to the queue. */
static void
tcp_take_text(struct tcpcb *tp, struct tcp_segment *seg)
{
	if (seg->ts_seq == tp->rcv_nxt && tp->t_reass == NULL) {
		if (seg->ts_len > 0) {
			struct mbuf *m = seg->ts_m;

			seg->ts_m = NULL;
			tcp_delay_ack(tp, seg->ts_len);
			tcp_deliver(tp, m, seg->ts_len);
		}
		if ((seg->ts_flags & TH_FIN) != 0)
			tp->t_flags |= TF_RCVDFIN;
		return;
	}
	/* A hole, or the end of one: the sender wants to know now (RFC 5681 §4.2). */
	if (seg->ts_len > 0 || (seg->ts_flags & TH_FIN) != 0)
		tp->t_flags |= TF_ACKNOW;
	tp->t_quickacks = TCP_QUICKACKS;
	if (tcp_reass(tp, seg))
		tp->t_flags |= TF_RCVDFIN;
}

struct tcp_verdict
tcp_step_text(struct tcpcb *tp, struct tcp_segment *seg)
{
	if (TCPS_HAVERCVDFIN(tp->t_state)) {
		if (seg->ts_len == 0)
			return tcp_verdict_done();
		return tcp_verdict(TCP_DROP_ACK, DROP_TCP_AFTERFIN, 0);
	}
	if (seg->ts_len > 0 && tcp_nobody_reads(tp)) {
		TCPSTAT_INC(tp->t_ns, rcvafterclose);
		tcp_kill(tp, 0);
		return tcp_verdict(TCP_DROP_RST, DROP_TCP_AFTERCLOSE, TV_CLOSED);
	}
	if (seg->ts_len > 0 && tcp_storage_full(tp))
		return tcp_verdict(TCP_DROP, DROP_SOCK_FULL, TV_ACKNOW);
	tcp_take_text(tp, seg);
	return tcp_verdict_continue();
}

/* Where the peer's FIN leads; CLOSED (0): nowhere. */
static const uint8_t tcp_after_fin[TCP_NSTATES] = {
    [TCPS_ESTABLISHED] = TCPS_CLOSE_WAIT,
    [TCPS_FIN_WAIT_1] = TCPS_CLOSING, /* had our FIN been acknowledged, it were FIN-WAIT-2 */
    [TCPS_FIN_WAIT_2] = TCPS_TIME_WAIT,
};

struct tcp_verdict
tcp_step_fin(struct tcpcb *tp, struct tcp_segment *seg)
{
	const enum tcp_fsm_state next = tcp_after_fin[tp->t_state];

	(void)seg;
	if ((tp->t_flags & TF_RCVDFIN) == 0 || next == TCPS_CLOSED)
		return tcp_verdict_done();
	tp->rcv_nxt++;
	tp->t_flags |= TF_ACKNOW;
	if (next == TCPS_TIME_WAIT)
		tcp_timewait_enter(tp);
	else
		tcp_set_state(tp, next);
	return tcp_verdict_done();
}
