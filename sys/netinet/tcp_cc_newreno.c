/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NewReno: RFC 5681 with byte counting (RFC 3465, L = 2 in slow start, 1 after a time-out) and the
 * recovery of RFC 6582. Which segment to send again is tcp_ack.c's business.
 */
#include "kern/cdefs.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

#define CC_AFTER_RTO 0 /* t_cc[]: in the slow start that follows a time-out */

/* RFC 5681 §3.1 (4) */
static uint32_t
newreno_half_flight(const struct tcpcb *tp)
{
	uint32_t flight = tp->snd_max - tp->snd_una;

	return KERN_MAX(flight / 2, 2 * tp->t_maxseg);
}

static void
newreno_grow(struct tcpcb *tp, uint32_t by)
{
	uint32_t most = TCP_MAXWIN << TCP_MAX_WINSHIFT;

	tp->snd_cwnd = most - KERN_MIN(tp->snd_cwnd, most) < by ? most : tp->snd_cwnd + by;
}

static void
newreno_init(struct tcpcb *tp)
{
	tp->snd_cwnd = tcp_initial_window(tp);
	tp->snd_ssthresh = TCP_MAXWIN << TCP_MAX_WINSHIFT;
	tp->t_bytes_acked = 0;
	tp->t_cc[CC_AFTER_RTO] = 0;
}

static void
newreno_newack(struct tcpcb *tp, uint32_t acked)
{
	/* A window that the peer's keeps from being used has not been tested: let it be. */
	if (tp->snd_cwnd > tp->snd_wnd)
		return;
	if (tp->snd_cwnd < tp->snd_ssthresh) {
		if (tp->t_cc[CC_AFTER_RTO] != 0 && SEQ_GEQ(tp->snd_una, tp->snd_recover))
			tp->t_cc[CC_AFTER_RTO] = 0;
		uint32_t limit = tp->t_cc[CC_AFTER_RTO] != 0 ? 1 : 2;
		newreno_grow(tp, KERN_MIN(acked, limit * tp->t_maxseg));
		return;
	}
	tp->t_bytes_acked += acked;
	if (tp->t_bytes_acked >= tp->snd_cwnd) {
		tp->t_bytes_acked -= tp->snd_cwnd;
		newreno_grow(tp, tp->t_maxseg);
	}
}

/* RFC 6582 §3.2 (2), (3) */
static void
newreno_loss(struct tcpcb *tp)
{
	tp->snd_ssthresh = newreno_half_flight(tp);
	tp->snd_cwnd = tp->snd_ssthresh + 3 * tp->t_maxseg;
	tp->snd_recover = tp->snd_max;
	tp->t_bytes_acked = 0;
	tp->t_flags |= TF_FASTRECOVERY;
}

static void
newreno_dupack(struct tcpcb *tp)
{
	newreno_grow(tp, tp->t_maxseg);
}

/* RFC 6582 §3.2 (5), the partial ACK */
static void
newreno_partialack(struct tcpcb *tp, uint32_t acked)
{
	tp->snd_cwnd -= KERN_MIN(acked, tp->snd_cwnd);
	if (acked >= tp->t_maxseg || tp->snd_cwnd < tp->t_maxseg)
		tp->snd_cwnd += tp->t_maxseg;
}

/* RFC 6582 §3.2 (5), the full ACK, option (1) */
static void
newreno_recovered(struct tcpcb *tp)
{
	uint32_t flight = tp->snd_max - tp->snd_una;

	tp->snd_cwnd = KERN_MIN(tp->snd_ssthresh, KERN_MAX(flight, tp->t_maxseg) + tp->t_maxseg);
	tp->t_bytes_acked = 0;
	tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
}

/* RFC 5681 §3.1: half the flight at the first time-out only; RFC 6582 §4. */
static void
newreno_timeout(struct tcpcb *tp)
{
	if (tp->t_rxtshift <= 1)
		tp->snd_ssthresh = newreno_half_flight(tp);
	tp->snd_cwnd = tp->t_maxseg;
	tp->snd_recover = tp->snd_max;
	tp->t_bytes_acked = 0;
	tp->t_cc[CC_AFTER_RTO] = 1;
	tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
}

/* RFC 5681 §4.1 */
static void
newreno_idle(struct tcpcb *tp)
{
	tp->snd_cwnd = KERN_MIN(tp->snd_cwnd, tcp_initial_window(tp));
}

const struct tcp_congctl tcp_cc_newreno = {
    .cc_name = "newreno",
    .cc_init = newreno_init,
    .cc_newack = newreno_newack,
    .cc_loss = newreno_loss,
    .cc_dupack = newreno_dupack,
    .cc_partialack = newreno_partialack,
    .cc_recovered = newreno_recovered,
    .cc_timeout = newreno_timeout,
    .cc_idle = newreno_idle,
};
