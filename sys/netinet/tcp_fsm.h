/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP's states (RFC 9293 §3.3.2), which edges between them are legal, and the one door. */
#ifndef NETINET_TCP_FSM_H
#define NETINET_TCP_FSM_H

#include <stdbool.h>
#include <stdint.h>

struct netstack;
struct tcpcb;

enum tcp_fsm_state {
	TCPS_CLOSED,
	TCPS_LISTEN,
	TCPS_SYN_SENT,
	TCPS_SYN_RECEIVED,
	TCPS_ESTABLISHED,
	TCPS_CLOSE_WAIT,
	TCPS_FIN_WAIT_1,
	TCPS_CLOSING,
	TCPS_LAST_ACK,
	TCPS_FIN_WAIT_2,
	TCPS_TIME_WAIT,
	TCP_NSTATES
};

#define TCPS_HAVERCVDSYN(s) ((s) >= TCPS_SYN_RECEIVED)
#define TCPS_HAVEESTABLISHED(s) ((s) >= TCPS_ESTABLISHED)
#define TCPS_HAVERCVDFIN(s)                                                       \
	((s) == TCPS_CLOSE_WAIT || (s) == TCPS_CLOSING || (s) == TCPS_LAST_ACK || \
	    (s) == TCPS_TIME_WAIT)

const char *tcp_state_name(enum tcp_fsm_state state);
bool tcp_state_legal(enum tcp_fsm_state from, enum tcp_fsm_state to);
/* The flags that an output segment of a state carries. */
uint8_t tcp_outflags(enum tcp_fsm_state state);

/*
 * The one door through which t_state changes: asserts that the edge is legal, traces, counts,
 * arms or stops the timers that belong to the new state, and tells the socket:
 *   SYN-SENT      connattempt; TCPT_KEEP for t_keepinit_s; soisconnecting
 *   SYN-RECEIVED  TCPT_KEEP for t_keepinit_s
 *   ESTABLISHED   connects; tcp_keepalive_restart; soisconnected, if need be by tcp_undefer
 *   CLOSE-WAIT, CLOSING   socantrcvmore
 *   FIN-WAIT-2    if nobody can receive any more: soisdisconnected, TCPT_2MSL for tcp_finwait2_ns
 *   TIME-WAIT     only TCPT_2MSL runs, for 2 MSL; soisdisconnected (use tcp_timewait_enter)
 *   CLOSED        closed; all timers stop
 * => the same state again is allowed and does nothing
 */
void tcp_set_state(struct tcpcb *tp, enum tcp_fsm_state state);
/* Traces and counts an edge; for those that only have a record left (tcp_timewait.c). */
void tcp_state_note(struct netstack *ns, enum tcp_fsm_state from, enum tcp_fsm_state to,
    uint16_t lport, uint16_t fport);
/* How long FIN-WAIT-2 lasts when nobody has the socket any more. */
uint64_t tcp_finwait2_ns(const struct tcpcb *tp);
/* What TCP_DEFER_ACCEPT has kept from accept has data, or its end. */
void tcp_undefer(struct tcpcb *tp);

#endif /* NETINET_TCP_FSM_H */
