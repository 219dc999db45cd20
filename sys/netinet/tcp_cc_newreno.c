/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NewReno: RFC 5681 with byte counting (RFC 3465) and the recovery of RFC 6582, which is that of
 * all algorithms (tcp_congctl.c). Which segment to send again is tcp_ack.c's business.
 */
#include "kern/cdefs.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_var.h"

/* RFC 5681 §3.1 (4) */
static uint32_t
newreno_half_flight(const struct tcpcb *tp)
{
	return KERN_MAX(tcp_cc_flight(tp) / 2, 2 * tp->t_maxseg);
}

static void
newreno_newack(struct tcpcb *tp, uint32_t acked)
{
	if (tp->snd_cwnd < tp->snd_ssthresh) {
		tcp_cc_slowstart(tp, acked);
		return;
	}
	/* A window that the peer's keeps from being used has not been tested: let it be. */
	if (tp->snd_cwnd > tp->snd_wnd)
		return;
	tp->t_bytes_acked += acked;
	if (tp->t_bytes_acked >= tp->snd_cwnd) {
		tp->t_bytes_acked -= tp->snd_cwnd;
		tcp_cc_grow(tp, tp->t_maxseg);
	}
}

static void
newreno_loss(struct tcpcb *tp)
{
	tp->snd_ssthresh = newreno_half_flight(tp);
	tcp_cc_enter_recovery(tp);
}

/* RFC 5681 §3.1: half the flight at the first time-out only; RFC 6582 §4. */
static void
newreno_timeout(struct tcpcb *tp)
{
	if (tp->t_rxtshift <= 1)
		tp->snd_ssthresh = newreno_half_flight(tp);
	tcp_cc_restart(tp);
}

const struct tcp_congctl tcp_cc_newreno = {
    .cc_name = "newreno",
    .cc_init = tcp_cc_init,
    .cc_newack = newreno_newack,
    .cc_loss = newreno_loss,
    .cc_dupack = tcp_cc_dupack,
    .cc_partialack = tcp_cc_partialack,
    .cc_recovered = tcp_cc_recovered,
    .cc_timeout = newreno_timeout,
    .cc_idle = tcp_cc_idle,
    .cc_pacing = tcp_cc_pacing,
};
