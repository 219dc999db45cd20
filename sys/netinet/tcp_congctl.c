/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of congestion control algorithms, and what they have in common: slow start with byte
 * counting (RFC 5681, RFC 3465), the window in recovery without SACK (RFC 6582), after a time-out
 * and after a pause, and the rate of who is paced.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

#include <string.h>

static const struct tcp_congctl *const tcp_congctls[] = {
    &tcp_cc_cubic,
    &tcp_cc_newreno,
};

const struct tcp_congctl *
tcp_congctl_find(const char *name)
{
	for (size_t i = 0; i < nitems(tcp_congctls); i++) {
		const char *have = tcp_congctls[i]->cc_name;
		size_t n = 0;

		while (n < TCP_CC_NAMELEN - 1 && have[n] != '\0' && have[n] == name[n])
			n++;
		if (have[n] == name[n])
			return tcp_congctls[i];
	}
	return NULL;
}

/* RFC 6928 §2: min(10*MSS, max(2*MSS, 14600)), 10 being configurable; one if the SYN was lost. */
uint32_t
tcp_initial_window(const struct tcpcb *tp)
{
	uint32_t segments = tp->t_ns->ns_tcp->tcps_sysctl.initcwnd_segments;
	uint32_t mss = tp->t_maxseg;

	if ((tp->t_flags & TF_SYN_REXMT) != 0)
		return mss; /* RFC 5681 §3.1 */
	return KERN_MIN(segments * mss, KERN_MAX(2 * mss, segments * 1460));
}

const struct tcp_congctl *
tcp_congctl_default(const struct netstack *ns)
{
	const struct tcp_congctl *cc = tcp_congctl_find(ns->ns_tcp->tcps_sysctl.cc_algorithm);

	KASSERT(cc != NULL); /* the setting was checked */
	return cc;
}

/*
 * SND.UNA stays at a hole while SACK lets new data leave, for the reordering window of RACK or, in
 * a run of losses, for whole round trips: what is unacknowledged then is more than the window.
 */
uint32_t
tcp_cc_flight(const struct tcpcb *tp)
{
	return KERN_MIN(tp->snd_max - tp->snd_una, tp->snd_cwnd);
}

void
tcp_cc_grow(struct tcpcb *tp, uint32_t by)
{
	const uint32_t most = TCP_CC_CWND_MAX;

	tp->snd_cwnd = most - KERN_MIN(tp->snd_cwnd, most) < by ? most : tp->snd_cwnd + by;
}

void
tcp_cc_init(struct tcpcb *tp)
{
	tp->snd_cwnd = tcp_initial_window(tp);
	tp->snd_ssthresh = TCP_CC_CWND_MAX;
	tp->t_bytes_acked = 0;
	tp->t_cc[TCP_CC_AFTER_RTO] = 0;
}

/*
 * RFC 3465 §2.2: as many bytes as one ACK acknowledged, up to L. One segment after a time-out
 * (§2.3). Deviation: otherwise L is not 2 but 8 segments, as RFC 9406 §4.3 has it, and no less than
 * one burst that the interface cuts up, which a peer that gathers segments acknowledges at once;
 * tcp_rtt_test.c holds it.
 */
void
tcp_cc_slowstart(struct tcpcb *tp, uint32_t acked)
{
	uint32_t limit = 8 * tp->t_maxseg;

	/* A window that the peer's keeps from being used has not been tested: let it be. */
	if (tp->snd_cwnd > tp->snd_wnd)
		return;
	if (tp->t_ns->ns_tcp->tcps_sysctl.tso != 0)
		limit = KERN_MAX(limit, tp->t_tsomax);
	if (tp->t_cc[TCP_CC_AFTER_RTO] != 0 && SEQ_GEQ(tp->snd_una, tp->snd_recover))
		tp->t_cc[TCP_CC_AFTER_RTO] = 0;
	if (tp->t_cc[TCP_CC_AFTER_RTO] != 0)
		limit = tp->t_maxseg;
	tcp_cc_grow(tp, KERN_MIN(acked, limit));
}

/* RFC 6582 §3.2 (2), (3) */
void
tcp_cc_enter_recovery(struct tcpcb *tp)
{
	tp->snd_cwnd = tp->snd_ssthresh + 3 * tp->t_maxseg;
	tp->snd_recover = tp->snd_max;
	tp->t_bytes_acked = 0;
	tp->t_flags |= TF_FASTRECOVERY;
}

void
tcp_cc_dupack(struct tcpcb *tp)
{
	tcp_cc_grow(tp, tp->t_maxseg);
}

/* RFC 6582 §3.2 (5), the partial ACK */
void
tcp_cc_partialack(struct tcpcb *tp, uint32_t acked)
{
	tp->snd_cwnd -= KERN_MIN(acked, tp->snd_cwnd);
	if (acked >= tp->t_maxseg || tp->snd_cwnd < tp->t_maxseg)
		tp->snd_cwnd += tp->t_maxseg;
}

/* RFC 6582 §3.2 (5), the full ACK, option (1) */
void
tcp_cc_recovered(struct tcpcb *tp)
{
	uint32_t flight = tp->snd_max - tp->snd_una;

	tp->snd_cwnd = KERN_MIN(tp->snd_ssthresh, KERN_MAX(flight, tp->t_maxseg) + tp->t_maxseg);
	tp->t_bytes_acked = 0;
	tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
}

/* RFC 5681 §3.1: one segment, the loss window. */
void
tcp_cc_restart(struct tcpcb *tp)
{
	tp->snd_cwnd = tp->t_maxseg;
	tp->snd_recover = tp->snd_max;
	tp->t_bytes_acked = 0;
	tp->t_cc[TCP_CC_AFTER_RTO] = 1;
	tp->t_flags &= ~(uint32_t)TF_FASTRECOVERY;
}

/* RFC 5681 §4.1 */
void
tcp_cc_idle(struct tcpcb *tp)
{
	tp->snd_cwnd = KERN_MIN(tp->snd_cwnd, tcp_initial_window(tp));
}

/*
 * A window a round trip, and more, so that it is the window that decides: twice as much while it is
 * to double, a fifth more later (Linux's tcp_pacing_ss_ratio and tcp_pacing_ca_ratio; RFC 9002 §7.7
 * has 1.25).
 */
uint64_t
tcp_cc_pacing(const struct tcpcb *tp)
{
	const uint64_t window = KERN_MAX(tp->snd_cwnd, tp->snd_max - tp->snd_una);
	const uint64_t percent = tp->snd_cwnd < tp->snd_ssthresh / 2 ? 200 : 120;

	if (tp->t_srtt_us == 0)
		return UINT64_MAX;
	return KERN_MAX(window * percent * (1000000 / 100) / tp->t_srtt_us, 1u);
}
