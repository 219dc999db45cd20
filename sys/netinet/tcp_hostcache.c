/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What connections to one host have from each other (RFC 9040, temporal sharing): round-trip times
 * and the slow start threshold, as FreeBSD's host cache has them. It is kept by the network layer
 * (af_putmetrics, af_getmetrics).
 *
 * Of what is remembered nothing is taken at its word: the handshake's own sample is mixed in, the
 * threshold is no less than two segments, and the initial window is what it always is.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_var.h"

#define TCP_METRIC_RTT_MAX_US 10000000u /* what is longer is no round trip to count on */

/* RFC 6298 (5.7): of a handshake with retransmissions comes no sample, and nothing makes up for it. */
static void
tcp_metrics_use_rtt(struct tcpcb *tp, const struct in_pathmetrics *pm)
{
	const uint32_t sample_us = tp->t_srtt_us, min_us = tp->t_rttmin_us;

	if (pm->pm_rtt_us == 0 || pm->pm_rtt_us > TCP_METRIC_RTT_MAX_US || tp->t_rttsamples != 1)
		return;
	tp->t_srtt_us = pm->pm_rtt_us;
	tp->t_rttvar_us = pm->pm_rttvar_us != 0 ? KERN_MIN(pm->pm_rttvar_us, TCP_METRIC_RTT_MAX_US)
						: pm->pm_rtt_us / 2;
	tcp_rtt_sample(tp, sample_us);
	tp->t_rttmin_us = min_us;
	tp->t_rttsamples = 1;
	TCPSTAT_INC(tp->t_ns, usedrtt);
}

void
tcp_metrics_use(struct tcpcb *tp)
{
	const struct inpcb *inp = tp->t_inpcb;
	struct in_pathmetrics pm;

	inp->inp_af->af_getmetrics(tp->t_ns, &inp->inp_faddr, &pm);
	tcp_metrics_use_rtt(tp, &pm);
	if (pm.pm_ssthresh == 0)
		return;
	tp->snd_ssthresh = KERN_MIN(KERN_MAX(pm.pm_ssthresh, 2 * tp->t_maxseg), TCP_CC_CWND_MAX);
	TCPSTAT_INC(tp->t_ns, usedssthresh);
}

/* In whole segments, two at least; 0: there was no loss, or none that the peer's window could not explain. */
static uint32_t
tcp_metrics_ssthresh(const struct tcpcb *tp)
{
	const uint32_t mss = tp->t_maxseg;

	if (tp->snd_ssthresh >= tp->max_sndwnd / 2)
		return 0;
	return KERN_MAX((tp->snd_ssthresh + mss / 2) / mss, 2) * mss;
}

void
tcp_metrics_keep(const struct tcpcb *tp)
{
	const struct inpcb *inp = tp->t_inpcb;
	const struct in_pathmetrics pm = {.pm_rtt_us = tp->t_srtt_us,
	    .pm_rttvar_us = tp->t_rttvar_us,
	    .pm_ssthresh = tcp_metrics_ssthresh(tp),
	    .pm_cwnd = tp->snd_cwnd};

	if (!TCPS_HAVEESTABLISHED(tp->t_state) || tp->t_rttsamples < TCP_RTTSAMPLES ||
	    tp->t_srtt_us == 0)
		return;
	inp->inp_af->af_putmetrics(tp->t_ns, &inp->inp_faddr, &pm);
	TCPSTAT_INC(tp->t_ns, cachedrtt);
	if (pm.pm_ssthresh != 0)
		TCPSTAT_INC(tp->t_ns, cachedssthresh);
}
