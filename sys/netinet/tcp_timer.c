/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP's timers: what happens when one goes off. When they are armed is said where the reason is:
 * tcp_output.c (REXMT, PERSIST), tcp_pacing.c (PACE), tcp_fsm.c (2MSL, KEEP), tcp_steps.c (DELACK).
 * RFC 6298, RFC 9293 §3.8.3, §3.8.4, §3.8.6, RFC 6429.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"

/* A closed socket's data wait this many persmax in all for the peer's window (RFC 6429). */
#define TCP_PERSIST_ORPHAN 4

static void tcp_timer_rexmt(void *arg);
static void tcp_timer_persist(void *arg);
static void tcp_timer_keep(void *arg);
static void tcp_timer_2msl(void *arg);
static void tcp_timer_delack(void *arg);
static void tcp_timer_rack(void *arg);
static void tcp_timer_defer(void *arg);
static void tcp_timer_pace(void *arg);

static void (*const tcp_timer_funcs[])(void *) = {
    [TCPT_REXMT] = tcp_timer_rexmt,
    [TCPT_PERSIST] = tcp_timer_persist,
    [TCPT_KEEP] = tcp_timer_keep,
    [TCPT_2MSL] = tcp_timer_2msl,
    [TCPT_DELACK] = tcp_timer_delack,
    [TCPT_RACK] = tcp_timer_rack,
    [TCPT_DEFER] = tcp_timer_defer,
    [TCPT_PACE] = tcp_timer_pace,
};
_Static_assert(nitems(tcp_timer_funcs) == TCPT_COUNT, "a function for each timer");

/* Where the deadline of each is: two of which never more than one runs share a place. */
static const uint8_t tcp_timer_slots[] = {
    [TCPT_REXMT] = TCPT_REXMT,
    [TCPT_KEEP] = TCPT_KEEP,
    [TCPT_2MSL] = TCPT_2MSL,
    [TCPT_DELACK] = TCPT_DELACK,
    [TCPT_RACK] = TCPT_RACK,
    [TCPT_PERSIST] = TCPT_REXMT,
    [TCPT_DEFER] = TCPT_2MSL,
    [TCPT_PACE] = TCPT_2MSL,
};
_Static_assert(nitems(tcp_timer_slots) == TCPT_COUNT, "a place for each timer");

/* All that have the place of one. */
static const uint8_t tcp_timer_mates[] = {
    [TCPT_REXMT] = 1u << TCPT_REXMT | 1u << TCPT_PERSIST,
    [TCPT_KEEP] = 1u << TCPT_KEEP,
    [TCPT_2MSL] = 1u << TCPT_2MSL | 1u << TCPT_DEFER | 1u << TCPT_PACE,
    [TCPT_DELACK] = 1u << TCPT_DELACK,
    [TCPT_RACK] = 1u << TCPT_RACK,
};
_Static_assert(nitems(tcp_timer_mates) == TCPT_SLOTS, "for each place");
_Static_assert(TCPT_COUNT <= 8, "t_armed has a bit for each timer");

/* => TCPT_COUNT: none is armed. Of two that are due at once the first in order of their names. */
static enum tcp_timer
tcp_timers_first(const struct tcpcb *tp)
{
	enum tcp_timer first = TCPT_COUNT;
	uint64_t soonest_ns = 0;

	for (unsigned left = tp->t_armed; left != 0; left &= left - 1) {
		enum tcp_timer t = (enum tcp_timer)__builtin_ctz(left);
		uint64_t deadline_ns = tp->t_deadline_ns[tcp_timer_slots[t]];

		if (first == TCPT_COUNT || deadline_ns < soonest_ns) {
			first = t;
			soonest_ns = deadline_ns;
		}
	}
	return first;
}

/* Brings the callout in line with what is armed. */
static void
tcp_timers_follow(struct tcpcb *tp)
{
	enum tcp_timer first = tcp_timers_first(tp);

	if (first == TCPT_COUNT)
		(void)callout_stop(&tp->t_callout);
	else
		callout_schedule(&tp->t_callout, tp->t_deadline_ns[tcp_timer_slots[first]]);
}

/* The function may free tp: it comes last, and what else is due by then fires next. */
static void
tcp_timers_fire(void *arg)
{
	struct tcpcb *tp = arg;
	enum tcp_timer which = tcp_timers_first(tp);

	tp->t_armed &= (uint8_t) ~(1u << which);
	tcp_timers_follow(tp);
	tcp_timer_funcs[which](tp);
}

void
tcp_timers_init(struct tcpcb *tp)
{
	callout_init(&tp->t_callout, tp->t_ns, tcp_timers_fire, tp);
}

void
tcp_timers_stop(struct tcpcb *tp)
{
	tp->t_armed = 0;
	(void)callout_stop(&tp->t_callout);
}

void
tcp_timer_arm(struct tcpcb *tp, enum tcp_timer which, uint64_t delay_ns)
{
	const unsigned slot = tcp_timer_slots[which];
	const uint8_t mates = tcp_timer_mates[slot];
	const uint64_t deadline_ns = tp->t_ns->ns_now + delay_ns, was_ns = tp->t_deadline_ns[slot];
	const bool first = (tp->t_armed & mates) != 0 && was_ns == tp->t_callout.c_deadline_ns;

	tp->t_armed = (uint8_t)((tp->t_armed & ~mates) | 1u << which);
	tp->t_deadline_ns[slot] = deadline_ns;
	if (!callout_pending(&tp->t_callout) || deadline_ns < tp->t_callout.c_deadline_ns)
		callout_schedule(&tp->t_callout, deadline_ns);
	else if (first && deadline_ns != was_ns)
		tcp_timers_follow(tp);
}

void
tcp_timer_disarm(struct tcpcb *tp, enum tcp_timer which)
{
	if (!tcp_timer_isarmed(tp, which))
		return;
	tp->t_armed &= (uint8_t) ~(1u << which);
	if (tp->t_deadline_ns[tcp_timer_slots[which]] == tp->t_callout.c_deadline_ns)
		tcp_timers_follow(tp);
}

bool
tcp_timer_isarmed(const struct tcpcb *tp, enum tcp_timer which)
{
	return (tp->t_armed & 1u << which) != 0;
}

static void
tcp_timer_trace(const struct tcpcb *tp, enum tcp_timer which)
{
	trace_add(tp->t_ns, TRACE_TCP_TIMER, which,
	    (uint64_t)tp->t_inpcb->inp_lport << 16 | tp->t_inpcb->inp_fport);
}

/* What the timer would send is not due yet: it goes off again when that is. */
static bool
tcp_timer_ispaced(struct tcpcb *tp, enum tcp_timer which)
{
	const uint64_t wait_ns = tcp_pacing_wait_ns(tp);

	if (wait_ns != 0)
		tcp_timer_arm(tp, which, wait_ns);
	return wait_ns != 0;
}

/* Has nobody a descriptor of this connection any more? */
static bool
tcp_is_orphan(const struct tcpcb *tp)
{
	const struct socket *so = tp->t_inpcb->inp_socket;

	return so == NULL || (so->so_state & SS_NOFDREF) != 0;
}

/* The errno for a connection that timed out: what ICMP said, if it said anything. */
static int
tcp_timeout_errno(const struct tcpcb *tp)
{
	return tp->t_softerror != 0 ? tp->t_softerror : ETIMEDOUT;
}

/* -- retransmission -------------------------------------------------------------------------- */

/*
 * R2 of RFC 9293 §3.8.3. Deviation: for a SYN it is keepinit (75 s), as in BSD, not 3 minutes;
 * tcp_e2e_conn_test.c holds it.
 */
static uint32_t
tcp_rexmt_limit(const struct tcpcb *tp)
{
	switch (tp->t_state) {
	case TCPS_SYN_SENT:
		return tp->t_syncnt != 0 ? tp->t_syncnt : TCP_MAXRXTSHIFT_SYN;
	case TCPS_SYN_RECEIVED:
		return TCP_MAXRXTSHIFT_SYNACK;
	default:
		return TCP_MAXRXTSHIFT;
	}
}

/* What is left of TCP_USER_TIMEOUT. */
uint64_t
tcp_patience_ns(const struct tcpcb *tp)
{
	uint64_t limit_ns = tp->t_usertimeout_ms * NSEC_PER_MSEC;
	uint64_t waited_ns = tp->t_rxtshift > 0 ? tp->t_ns->ns_now - tp->t_rxtstart_ns : 0;

	if (limit_ns == 0)
		return UINT64_MAX;
	return waited_ns < limit_ns ? limit_ns - waited_ns : 0;
}

uint64_t
tcp_rexmt_delay_ns(const struct tcpcb *tp)
{
	return KERN_MIN(tcp_rto_ns(tp), tcp_patience_ns(tp));
}

/* The run of retransmissions began when the timer that has now run out was armed. */
static bool
tcp_rexmt_gives_up(struct tcpcb *tp)
{
	uint64_t limit_ns = tp->t_usertimeout_ms * NSEC_PER_MSEC;

	if (limit_ns > 0 && tp->t_rxtshift == 0)
		tp->t_rxtstart_ns = tp->t_ns->ns_now - KERN_MIN(tcp_rto_ns(tp), limit_ns);
	if (limit_ns > 0 && tp->t_ns->ns_now - tp->t_rxtstart_ns >= limit_ns)
		return true;
	return tp->t_rxtshift >= tcp_rexmt_limit(tp);
}

/*
 * What is to be sent again, and from where: with SACK what is not SACKed, unless the peer seems to
 * have gone back on it (RFC 2018 §8); else everything from SND.UNA on.
 */
static void
tcp_rexmt_what(struct tcpcb *tp)
{
	if (tcp_sack_reneged(tp) || tp->t_rxtshift > 1)
		tcp_sack_clear(tp);
	if (tcp_has_sack(tp) && TCPS_HAVEESTABLISHED(tp->t_state) && tp->snd_wnd > 0 &&
	    tcp_sack_all_lost(tp)) {
		tp->snd_nxt = tp->snd_max;
		return;
	}
	tcp_sack_clear(tp);
	tp->snd_nxt = tp->snd_una;
}

/*
 * RFC 9293 §3.8.6: if the window has closed over what is in flight, that is probed, however long it
 * takes, and not sent again. => false: there is a window, or nothing but a SYN
 */
static bool
tcp_rexmt_persists(struct tcpcb *tp)
{
	if (tp->snd_wnd != 0 || !TCPS_HAVEESTABLISHED(tp->t_state) ||
	    tp->t_inpcb->inp_socket == NULL)
		return false;
	tcp_timer_disarm(tp, TCPT_RACK);
	tp->t_flags &= ~(uint32_t)(TF_TLP | TF_TLP_ARMED);
	tp->t_rtttiming = false;
	tp->t_rxtshift = 0;
	tp->t_rxtstart_ns = tp->t_ns->ns_now;
	return true;
}

/* RFC 6298 (5.4)-(5.6), RFC 5681 §3.1 */
static void
tcp_timer_rexmt(void *arg)
{
	struct tcpcb *tp = arg;

	if (tcp_timer_ispaced(tp, TCPT_REXMT))
		return;
	tcp_timer_trace(tp, TCPT_REXMT);
	if (tcp_rexmt_persists(tp)) {
		tcp_timer_persist(tp);
		return;
	}
	if (tcp_rexmt_gives_up(tp)) {
		TCPSTAT_INC(tp->t_ns, timeoutdrop);
		(void)tcp_drop(tp, tcp_timeout_errno(tp));
		return;
	}
	TCPSTAT_INC(tp->t_ns, rexmttimeo);
	tp->t_rxtshift++;
	if (!TCPS_HAVEESTABLISHED(tp->t_state))
		tp->t_flags |= TF_SYN_REXMT;
	if (tp->t_rxtshift > TCP_MAXRXTSHIFT / 4) {
		tp->t_inpcb->inp_route.ro_gen = 0; /* RFC 9293 §3.8.3: R1, ask for another route */
		tp->t_srtt_us = 0;                 /* RFC 6298 §5: old samples are worthless */
		tp->t_rttvar_us = 0;
	}
	tp->t_rtttiming = false;
	tp->t_dupacks = 0;
	tp->t_partialacks = 0;
	tp->t_flags |= TF_ACKNOW;
	if (TCPS_HAVEESTABLISHED(tp->t_state))
		tcp_undo_save(tp);
	tcp_pmtud_timeout(tp);
	tp->t_congctl->cc_timeout(tp);
	tcp_rexmt_what(tp);
	tcp_timer_disarm(tp, TCPT_RACK);
	tp->t_flags &= ~(uint32_t)(TF_TLP | TF_TLP_ARMED);
	(void)tcp_output(tp);
	if (tp->snd_una != tp->snd_max && !tcp_timer_isarmed(tp, TCPT_REXMT) &&
	    !tcp_timer_isarmed(tp, TCPT_PERSIST))
		tcp_timer_arm(tp, TCPT_REXMT, tcp_rto_ns(tp));
}

/* -- persist --------------------------------------------------------------------------------- */

/*
 * Should the wait for the peer's window end? Yes if the peer is silent for long, and, for a socket
 * that nobody has any more, even if it answers (RFC 6429).
 */
static bool
tcp_persist_gives_up(const struct tcpcb *tp)
{
	uint64_t now = tp->t_ns->ns_now;
	uint64_t most_ns = tp->t_ns->ns_tcp->tcps_sysctl.persmax_ms * NSEC_PER_MSEC;

	if (tp->t_rxtshift > 0 && tcp_patience_ns(tp) == 0)
		return true;
	if (tcp_is_orphan(tp) && now - tp->t_rxtstart_ns >= TCP_PERSIST_ORPHAN * most_ns)
		return true;
	return tp->t_rxtshift >= TCP_MAXRXTSHIFT &&
	    now - tp->t_rcvtime_ns >= (TCP_MAXRXTSHIFT / 2) * most_ns;
}

/*
 * A probe is of the window's left edge. What was in flight when it closed has no timer of its own,
 * whatever of it was SACKed meanwhile: it counts as never sent.
 */
static void
tcp_timer_persist(void *arg)
{
	struct tcpcb *tp = arg;

	if (tcp_timer_ispaced(tp, TCPT_PERSIST))
		return;
	tcp_timer_trace(tp, TCPT_PERSIST);
	TCPSTAT_INC(tp->t_ns, persisttimeo);
	if (tcp_persist_gives_up(tp)) {
		TCPSTAT_INC(tp->t_ns, persistdrop);
		(void)tcp_drop(tp, tcp_timeout_errno(tp));
		return;
	}
	tcp_sack_clear(tp);
	tp->snd_nxt = tp->snd_una;
	tcp_setpersist(tp);
	tp->t_flags |= TF_FORCE;
	(void)tcp_output(tp);
	tp->t_flags &= ~(uint32_t)TF_FORCE;
}

/* -- keepalive ------------------------------------------------------------------------------- */

void
tcp_keepalive_restart(struct tcpcb *tp)
{
	tp->t_rcvtime_ns = tp->t_ns->ns_now;
	if (tp->t_keepprobes == 0 || !TCPS_HAVEESTABLISHED(tp->t_state))
		return;
	tp->t_keepprobes = 0;
	tcp_timer_arm(tp, TCPT_KEEP, tp->t_keepidle_s * NSEC_PER_SEC);
}

static bool
tcp_keepalive_wanted(const struct tcpcb *tp)
{
	const struct socket *so = tp->t_inpcb->inp_socket;

	return tp->t_ns->ns_tcp->tcps_sysctl.always_keepalive != 0 ||
	    (so != NULL && (so->so_options & SO_KEEPALIVE) != 0);
}

/* RFC 9293 §3.8.4: one that the peer must answer, its sequence number just left of the window. */
static void
tcp_keepalive_probe(struct tcpcb *tp)
{
	struct tcp_response resp = {
	    .seq = tp->snd_una - 1,
	    .ack = tp->rcv_nxt,
	    .flags = TH_ACK,
	};

	TCPSTAT_INC(tp->t_ns, keepprobe);
	tp->t_keepprobes++;
	tcp_respond(tp->t_ns, tp, NULL, &resp);
	tcp_timer_arm(tp, TCPT_KEEP, tp->t_keepintvl_s * NSEC_PER_SEC);
}

/* As many probes as were to be, or the user's patience at an end; there is one at least. */
static bool
tcp_keepalive_gives_up(const struct tcpcb *tp, uint64_t idle_ns)
{
	if (tp->t_usertimeout_ms != 0)
		return tp->t_keepprobes > 0 && idle_ns >= tp->t_usertimeout_ms * NSEC_PER_MSEC;
	return tp->t_keepprobes >= tp->t_keepcnt;
}

/* Before ESTABLISHED: the limit on the handshake. Later: nothing was heard for keepidle. */
static void
tcp_timer_keep(void *arg)
{
	struct tcpcb *tp = arg;
	uint64_t idle_ns = tp->t_ns->ns_now - tp->t_rcvtime_ns;
	uint64_t keepidle_ns = tp->t_keepidle_s * NSEC_PER_SEC;

	tcp_timer_trace(tp, TCPT_KEEP);
	if (!TCPS_HAVEESTABLISHED(tp->t_state)) {
		TCPSTAT_INC(tp->t_ns, keepdrops);
		(void)tcp_drop(tp, tcp_timeout_errno(tp));
		return;
	}
	if (tp->t_state > TCPS_FIN_WAIT_2)
		return;
	if (tp->t_keepprobes == 0 && (idle_ns < keepidle_ns || !tcp_keepalive_wanted(tp))) {
		tcp_timer_arm(tp, TCPT_KEEP,
		    idle_ns < keepidle_ns ? keepidle_ns - idle_ns : keepidle_ns);
		return;
	}
	TCPSTAT_INC(tp->t_ns, keeptimeo);
	if (!tcp_keepalive_gives_up(tp, idle_ns)) {
		tcp_keepalive_probe(tp);
		return;
	}
	TCPSTAT_INC(tp->t_ns, keepdrops);
	(void)tcp_drop(tp, tcp_timeout_errno(tp));
}

/* -- the end, and delayed ACKs --------------------------------------------------------------- */

/* TIME-WAIT is over, or FIN-WAIT-2 has lasted too long for a user who is gone. */
static void
tcp_timer_2msl(void *arg)
{
	struct tcpcb *tp = arg;

	tcp_timer_trace(tp, TCPT_2MSL);
	if (tp->t_state == TCPS_FIN_WAIT_2)
		TCPSTAT_INC(tp->t_ns, finwait2_drops);
	(void)tcp_close(tp);
}

/* RFC 9293 §3.8.6.3 */
static void
tcp_timer_delack(void *arg)
{
	struct tcpcb *tp = arg;

	tcp_timer_trace(tp, TCPT_DELACK);
	if ((tp->t_flags & TF_DELACK) != 0)
		TCPSTAT_INC(tp->t_ns, delack);
	tp->t_flags = (tp->t_flags & ~(uint32_t)TF_DELACK) | TF_ACKNOW;
	(void)tcp_output(tp);
}

/* RFC 8985 §6.3, §7.3 */
static void
tcp_timer_rack(void *arg)
{
	struct tcpcb *tp = arg;

	tcp_timer_trace(tp, TCPT_RACK);
	tcp_rack_timer(tp);
}

static void
tcp_timer_defer(void *arg)
{
	struct tcpcb *tp = arg;

	tcp_timer_trace(tp, TCPT_DEFER);
	soisconnected(tp->t_inpcb->inp_socket);
}

static void
tcp_timer_pace(void *arg)
{
	struct tcpcb *tp = arg;

	tcp_timer_trace(tp, TCPT_PACE);
	tcp_output_paced(tp);
}
