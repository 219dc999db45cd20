/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TIME-WAIT: RFC 9293 §3.10.7.4 for that state, RFC 1337 (RST is ignored), reopening by a new SYN
 * (RFC 1122 §4.2.2.13, RFC 6191), and the list of connections in it, of which the oldest goes when
 * there are more than net.inet.tcp.maxtcptw.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_var.h"

#include "kern/names.h"

static void
tcp_timewait_recycle(struct tcp_state *ts)
{
	struct tcpcb *oldest = TAILQ_FIRST(&ts->tcps_timewait);

	TCPSTAT_INC(oldest->t_ns, tw_recycled);
	(void)tcp_close(oldest);
}

void
tcp_timewait_enter(struct tcpcb *tp)
{
	struct tcp_state *ts = tp->t_ns->ns_tcp;
	struct inpcb *inp = tp->t_inpcb;
	struct socket *so = inp->inp_socket;

	while (ts->tcps_ntimewait > 0 && ts->tcps_ntimewait >= ts->tcps_sysctl.maxtcptw)
		tcp_timewait_recycle(ts);
	TCPSTAT_INC(tp->t_ns, tw_add);
	tcp_metrics_keep(tp);
	tcp_reass_flush(tp);
	TAILQ_INSERT_TAIL(&ts->tcps_timewait, tp, t_twlist);
	ts->tcps_ntimewait++;
	tp->t_flags |= TF_TIMEWAITQ;
	tcp_set_state(tp, TCPS_TIME_WAIT);
	/* Nobody holds a descriptor: the socket need not wait for the end. */
	if (so != NULL && (so->so_state & SS_NOFDREF) != 0 && so->so_head == NULL) {
		sohold(so);
		in_pcbdetach_socket(inp);
		sorele(so);
	}
}

void
tcp_timewait_leave(struct tcpcb *tp)
{
	struct tcp_state *ts = tp->t_ns->ns_tcp;

	if ((tp->t_flags & TF_TIMEWAITQ) == 0)
		return;
	tp->t_flags &= ~(uint32_t)TF_TIMEWAITQ;
	TAILQ_REMOVE(&ts->tcps_timewait, tp, t_twlist);
	ts->tcps_ntimewait--;
}

/* RFC 6191 §2: can this SYN not be an old one? By the timestamps if both have them. */
static bool
tcp_timewait_reopens(const struct tcpcb *tp, const struct tcp_segment *seg)
{
	const struct tcp_opts *to = &seg->ts_opts;

	if ((tp->t_flags & TF_RCVD_TSTMP) != 0 && (to->to_flags & TOF_TS) != 0 &&
	    to->to_tsval != tp->ts_recent)
		return SEQ_GT(to->to_tsval, tp->ts_recent);
	return SEQ_GT(seg->ts_seq, tp->rcv_nxt);
}

struct tcp_verdict
tcp_in_timewait(struct tcpcb *tp, struct tcp_segment *seg)
{
	const uint32_t msl_ms = tp->t_ns->ns_tcp->tcps_sysctl.msl_ms;
	const uint8_t flags = seg->ts_flags;

	if ((flags & TH_RST) != 0) {
		TCPSTAT_INC(tp->t_ns, badrst);
		return tcp_verdict_drop(DROP_TCP_TIMEWAIT);
	}
	if ((flags & (TH_SYN | TH_ACK)) == TH_SYN && tcp_timewait_reopens(tp, seg)) {
		TCPSTAT_INC(tp->t_ns, tw_reopen);
		(void)tcp_close(tp);
		return tcp_verdict(TCP_RETRY, DROP_TCP_TIMEWAIT, TV_CLOSED);
	}
	if ((flags & (TH_SYN | TH_ACK)) == 0)
		return tcp_verdict_drop(DROP_TCP_NOACK);
	/* The peer's FIN again: our last ACK was lost. */
	if ((flags & TH_FIN) != 0 && seg->ts_seq + seg->ts_len + 1 == tp->rcv_nxt)
		tcp_timer_arm(tp, TCPT_2MSL, 2 * (msl_ms * NSEC_PER_MSEC));
	/* Nothing but an ACK in its place needs no answer. */
	if (seg->ts_len == 0 && (flags & (TH_SYN | TH_FIN)) == 0 && seg->ts_seq == tp->rcv_nxt)
		return tcp_verdict_drop(DROP_TCP_TIMEWAIT);
	return tcp_verdict(TCP_DROP_ACK, DROP_TCP_TIMEWAIT, 0);
}
