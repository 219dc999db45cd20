/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pacing: data leave no faster than a rate, in bytes of payload a second. No RFC has it for TCP
 * (RFC 9002 §7.7 has it for QUIC); the rules are those of Linux.
 *
 * Theory of operation: the rate is the least of what the program said (SO_MAX_PACING_RATE) and what
 * the congestion control makes of its window and the round trip (cc_pacing). After len bytes nothing
 * leaves for len/rate. tcp_output asks at each piece: what is wanted but not due is held back, and
 * TCPT_PACE armed for when it is. Only the last piece is remembered, not when the next is due: so a
 * new rate counts at once, also for what is held back. Pure ACKs, SYNs and a FIN without data are not
 * paced. What retransmits by a timer waits for its time there (tcp_timer.c, tcp_rack.c); the first
 * segment of a recovery, which no window holds, is owed until it has left.
 *
 * Time that passes with nothing to send is lost: no burst follows. But what was held back and comes
 * late, because the timer did, is made up for, up to PACING_LATE_NS.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"

#define PACING_LATE_NS (10 * NSEC_PER_MSEC)
#define PACING_BURST_SHIFT 10u /* of a second, as Linux's sk_pacing_shift */
#define PACING_BURST_LEAST 2u  /* segments, as tcp_min_tso_segs */

/* -- arithmetic ------------------------------------------------------------------------------ */

uint64_t
tcp_pacing_ns(uint32_t len, uint64_t rate)
{
	const uint64_t bytes_ns = len * NSEC_PER_SEC;

	return bytes_ns / rate + (bytes_ns % rate != 0);
}

uint32_t
tcp_pacing_burst(uint64_t rate, uint32_t segsz)
{
	const uint64_t bytes = KERN_MIN(rate >> PACING_BURST_SHIFT, UINT32_MAX);

	return (uint32_t)(KERN_MAX(bytes / segsz, PACING_BURST_LEAST) * segsz);
}

/* -- beginning and end ----------------------------------------------------------------------- */

/* => NULL: no memory */
static struct tcp_pacing *
pacing_have(struct tcpcb *tp)
{
	if (tp->t_pacing == NULL) {
		tp->t_pacing = pool_get_zeroed(&tp->t_ns->ns_tcp->tcps_pacingpool);
		if (tp->t_pacing != NULL)
			tp->t_pacing->pa_max = TCP_PACING_NONE;
	}
	return tp->t_pacing;
}

void
tcp_pacing_start(struct tcpcb *tp)
{
	if (tp->t_ns->ns_tcp->tcps_sysctl.pacing != 0 && pacing_have(tp) != NULL)
		tp->t_pacing->pa_cc = true;
}

bool
tcp_pacing_inherit(struct tcpcb *tp, const struct tcpcb *head)
{
	return tcp_pacing_setmax(tp, tcp_pacing_max(head)) == 0;
}

int
tcp_pacing_setmax(struct tcpcb *tp, uint64_t rate)
{
	if (tp->t_pacing == NULL && rate == TCP_PACING_NONE)
		return 0;
	if (pacing_have(tp) == NULL)
		return ENOBUFS;
	tp->t_pacing->pa_max = rate;
	return 0;
}

void
tcp_pacing_trim(struct tcpcb *tp)
{
	const struct tcp_pacing *pa = tp->t_pacing;

	if (pa != NULL && !pa->pa_cc && pa->pa_max == TCP_PACING_NONE)
		tcp_pacing_free(tp);
}

void
tcp_pacing_free(struct tcpcb *tp)
{
	if (tp->t_pacing == NULL)
		return;
	tcp_timer_disarm(tp, TCPT_PACE);
	pool_put(&tp->t_ns->ns_tcp->tcps_pacingpool, tp->t_pacing);
	tp->t_pacing = NULL;
}

/* -- the rate -------------------------------------------------------------------------------- */

uint64_t
tcp_pacing_max(const struct tcpcb *tp)
{
	return tp->t_pacing != NULL ? tp->t_pacing->pa_max : TCP_PACING_NONE;
}

/* A limit of 0 paces nothing, as on Linux. */
uint64_t
tcp_pacing_rate(const struct tcpcb *tp)
{
	const struct tcp_pacing *pa = tp->t_pacing;
	uint64_t rate;

	if (pa == NULL || pa->pa_max == 0 || (!pa->pa_cc && pa->pa_max == TCP_PACING_NONE))
		return TCP_PACING_NONE;
	if (tp->t_congctl->cc_pacing == NULL)
		return pa->pa_max;
	rate = tp->t_congctl->cc_pacing(tp);
	return KERN_MIN(rate, pa->pa_max);
}

/* When the next may leave. */
static uint64_t
pacing_due_ns(const struct tcpcb *tp)
{
	const struct tcp_pacing *pa = tp->t_pacing;
	const uint64_t rate = tcp_pacing_rate(tp);

	return rate == TCP_PACING_NONE ? pa->pa_from_ns
				       : pa->pa_from_ns + tcp_pacing_ns(pa->pa_len, rate);
}

uint64_t
tcp_pacing_wait_ns(const struct tcpcb *tp)
{
	uint64_t due_ns;

	if (tp->t_pacing == NULL)
		return 0;
	due_ns = pacing_due_ns(tp);
	return due_ns > tp->t_ns->ns_now ? due_ns - tp->t_ns->ns_now : 0;
}

/* -- sending --------------------------------------------------------------------------------- */

void
tcp_pacing_begin(struct tcpcb *tp)
{
	struct tcp_pacing *pa = tp->t_pacing;

	pa->pa_waited = pa->pa_waited || pa->pa_holds;
	pa->pa_holds = false;
	if (!pa->pa_owed)
		return;
	pa->pa_owed = false;
	if ((tp->t_flags & TF_FASTRECOVERY) != 0)
		tcp_recovery_send_first(tp);
}

void
tcp_pacing_end(struct tcpcb *tp)
{
	struct tcp_pacing *pa = tp->t_pacing;

	pa->pa_waited = pa->pa_holds;
	if (!pa->pa_holds)
		tcp_timer_disarm(tp, TCPT_PACE);
}

void
tcp_pacing_hold(struct tcpcb *tp, uint64_t wait_ns)
{
	TCPSTAT_INC(tp->t_ns, sndpaced);
	tp->t_pacing->pa_holds = true;
	tcp_timer_arm(tp, TCPT_PACE, wait_ns);
}

void
tcp_pacing_sent(struct tcpcb *tp, uint32_t len)
{
	struct tcp_pacing *pa = tp->t_pacing;
	const uint64_t now_ns = tp->t_ns->ns_now, due_ns = pacing_due_ns(tp);
	uint64_t from_ns = now_ns;

	if (len == 0)
		return;
	if (pa->pa_waited)
		from_ns -= KERN_MIN(now_ns, PACING_LATE_NS);
	pa->pa_from_ns = KERN_MAX(from_ns, due_ns);
	pa->pa_len = len;
}

void
tcp_pacing_owe(struct tcpcb *tp)
{
	if (tcp_pacing_holds(tp))
		tp->t_pacing->pa_owed = true;
}

bool
tcp_pacing_holds(const struct tcpcb *tp)
{
	return tp->t_pacing != NULL && tp->t_pacing->pa_holds;
}
