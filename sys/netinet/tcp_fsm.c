/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP's states as tables (RFC 9293 §3.3.2, figure 5), and the one door between them.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/trace.h"
#include "netinet/tcp_fsm.h"
#include "netinet/tcp_var.h"

#include <assert.h>

#include "kern/names.h"

static const char *const tcp_state_names[] = {
    [TCPS_CLOSED] = "CLOSED",
    [TCPS_LISTEN] = "LISTEN",
    [TCPS_SYN_SENT] = "SYN_SENT",
    [TCPS_SYN_RECEIVED] = "SYN_RECEIVED",
    [TCPS_ESTABLISHED] = "ESTABLISHED",
    [TCPS_CLOSE_WAIT] = "CLOSE_WAIT",
    [TCPS_FIN_WAIT_1] = "FIN_WAIT_1",
    [TCPS_CLOSING] = "CLOSING",
    [TCPS_LAST_ACK] = "LAST_ACK",
    [TCPS_FIN_WAIT_2] = "FIN_WAIT_2",
    [TCPS_TIME_WAIT] = "TIME_WAIT",
};
static_assert(nitems(tcp_state_names) == TCP_NSTATES, "a name for each state");

#define TO(state) (1u << TCPS_##state)

/* A listener's child goes from CLOSED to SYN-RECEIVED; the listener itself stays in LISTEN. */
static const uint16_t tcp_edges[] = {
    [TCPS_CLOSED] = TO(LISTEN) | TO(SYN_SENT) | TO(SYN_RECEIVED),
    [TCPS_LISTEN] = TO(CLOSED) | TO(SYN_SENT),
    [TCPS_SYN_SENT] = TO(CLOSED) | TO(SYN_RECEIVED) | TO(ESTABLISHED),
    [TCPS_SYN_RECEIVED] = TO(CLOSED) | TO(ESTABLISHED),
    [TCPS_ESTABLISHED] = TO(CLOSED) | TO(CLOSE_WAIT) | TO(FIN_WAIT_1),
    [TCPS_CLOSE_WAIT] = TO(CLOSED) | TO(LAST_ACK),
    [TCPS_FIN_WAIT_1] = TO(CLOSED) | TO(FIN_WAIT_2) | TO(CLOSING),
    [TCPS_CLOSING] = TO(CLOSED) | TO(TIME_WAIT),
    [TCPS_LAST_ACK] = TO(CLOSED),
    [TCPS_FIN_WAIT_2] = TO(CLOSED) | TO(TIME_WAIT),
    [TCPS_TIME_WAIT] = TO(CLOSED),
};
static_assert(nitems(tcp_edges) == TCP_NSTATES, "edges for each state");

static const uint8_t tcp_outflags_table[] = {
    [TCPS_CLOSED] = TH_RST | TH_ACK,
    [TCPS_LISTEN] = 0,
    [TCPS_SYN_SENT] = TH_SYN,
    [TCPS_SYN_RECEIVED] = TH_SYN | TH_ACK,
    [TCPS_ESTABLISHED] = TH_ACK,
    [TCPS_CLOSE_WAIT] = TH_ACK,
    [TCPS_FIN_WAIT_1] = TH_FIN | TH_ACK,
    [TCPS_CLOSING] = TH_FIN | TH_ACK,
    [TCPS_LAST_ACK] = TH_FIN | TH_ACK,
    [TCPS_FIN_WAIT_2] = TH_ACK,
    [TCPS_TIME_WAIT] = TH_ACK,
};
static_assert(nitems(tcp_outflags_table) == TCP_NSTATES, "flags for each state");

const char *
tcp_state_name(enum tcp_fsm_state state)
{
	return state < TCP_NSTATES ? tcp_state_names[state] : "?";
}

bool
tcp_state_legal(enum tcp_fsm_state from, enum tcp_fsm_state to)
{
	return from < TCP_NSTATES && to < TCP_NSTATES && (tcp_edges[from] & (1u << to)) != 0;
}

uint8_t
tcp_outflags(enum tcp_fsm_state state)
{
	return tcp_outflags_table[state];
}

uint64_t
tcp_finwait2_ns(const struct tcpcb *tp)
{
	if (tp->t_linger2_s != 0)
		return tp->t_linger2_s > 0 ? tp->t_linger2_s * NSEC_PER_SEC : 0;
	return tp->t_ns->ns_tcp->tcps_sysctl.finwait2_timeout_ms * NSEC_PER_MSEC;
}

/* Nobody will read what still comes: FIN-WAIT-2 must not last for ever (RFC 9293 §3.6). */
static void
tcp_entered_finwait2(struct tcpcb *tp, struct socket *so)
{
	if (so == NULL || (so->so_state & SS_CANTRCVMORE) == 0)
		return;
	soisdisconnected(so);
	tcp_timer_arm(tp, TCPT_2MSL, tcp_finwait2_ns(tp));
}

static void
tcp_entered_timewait(struct tcpcb *tp, struct socket *so)
{
	tcp_timers_stop(tp);
	tcp_timer_arm(tp, TCPT_2MSL, 2 * (tp->t_ns->ns_tcp->tcps_sysctl.msl_ms * NSEC_PER_MSEC));
	if (so != NULL)
		soisdisconnected(so);
}

/* A listener's new connection may have to wait for data before the listener hears of it. */
static void
tcp_entered_established(struct tcpcb *tp, struct socket *so)
{
	TCPSTAT_INC(tp->t_ns, connects);
	tcp_keepalive_restart(tp);
	tcp_metrics_use(tp);
	if (so != NULL && so->so_onq != SOQ_NONE && tp->t_defer_s != 0)
		tcp_timer_arm(tp, TCPT_DEFER, tp->t_defer_s * NSEC_PER_SEC);
	else if (so != NULL)
		soisconnected(so);
}

void
tcp_undefer(struct tcpcb *tp)
{
	if (!tcp_timer_isarmed(tp, TCPT_DEFER))
		return;
	tcp_timer_disarm(tp, TCPT_DEFER);
	soisconnected(tp->t_inpcb->inp_socket);
}

static void
tcp_entered(struct tcpcb *tp, struct socket *so)
{
	switch (tp->t_state) {
	case TCPS_SYN_SENT:
		TCPSTAT_INC(tp->t_ns, connattempt);
		if (tp->t_syncnt == 0)
			tcp_timer_arm(tp, TCPT_KEEP, tp->t_keepinit_s * NSEC_PER_SEC);
		if (so != NULL)
			soisconnecting(so);
		break;
	case TCPS_SYN_RECEIVED:
		tcp_timer_arm(tp, TCPT_KEEP, tp->t_keepinit_s * NSEC_PER_SEC);
		break;
	case TCPS_ESTABLISHED:
		tcp_entered_established(tp, so);
		break;
	case TCPS_CLOSE_WAIT:
	case TCPS_CLOSING:
		if (so != NULL)
			socantrcvmore(so);
		tcp_undefer(tp);
		break;
	case TCPS_FIN_WAIT_2:
		tcp_entered_finwait2(tp, so);
		break;
	case TCPS_TIME_WAIT:
		tcp_entered_timewait(tp, so);
		break;
	case TCPS_CLOSED:
		tcp_timers_stop(tp);
		break;
	default:
		break;
	}
}

void
tcp_state_note(struct netstack *ns, enum tcp_fsm_state from, enum tcp_fsm_state to, uint16_t lport,
    uint16_t fport)
{
	KASSERT(tcp_state_legal(from, to));
	trace_add(ns, TRACE_TCP_STATE, (uint32_t)from << 16 | (uint32_t)to,
	    (uint64_t)lport << 16 | fport);
	if (to == TCPS_CLOSED && from != TCPS_LISTEN)
		TCPSTAT_INC(ns, closed);
}

void
tcp_set_state(struct tcpcb *tp, enum tcp_fsm_state state)
{
	const struct inpcb *inp = tp->t_inpcb;
	const enum tcp_fsm_state old = tp->t_state;

	if (old == state)
		return;
	tcp_state_note(tp->t_ns, old, state, inp->inp_lport, inp->inp_fport);
	if (old == TCPS_LISTEN)
		tcp_syncache_unlisten(tp);
	tp->t_state = state;
	tcp_entered(tp, inp->inp_socket);
}
