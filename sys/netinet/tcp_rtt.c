/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Round-trip time and the retransmission time-out (RFC 6298), in microseconds.
 *
 * Deviation: the least time-out is net.inet.tcp.rexmit_min (200 ms), not the 1 s of RFC 6298 (2.4),
 * as in every stack in use; tcp_rtt_test.c holds it.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_var.h"

#define RTO_MAX_US 64000000u
#define RTO_AFTER_SYN_US 3000000u /* RFC 6298 (5.7) */

void
tcp_rtt_init(struct tcpcb *tp)
{
	tp->t_srtt_us = 0;
	tp->t_rttvar_us = 0;
	tp->t_rttmin_us = 0;
	tp->t_rttsamples = 0;
	tp->t_rtttiming = false;
	tp->t_rto_us = tp->t_ns->ns_tcp->tcps_sysctl.rexmit_initial_ms * 1000;
}

/* RFC 6298 (2.2) and (2.3), with alpha 1/8, beta 1/4; a sample ends the backoff (Karn). */
void
tcp_rtt_sample(struct tcpcb *tp, uint32_t rtt_us)
{
	uint32_t rtt = KERN_MIN(KERN_MAX(rtt_us, 1), RTO_MAX_US);

	TCPSTAT_INC(tp->t_ns, rttupdated);
	tp->t_rxtshift = 0;
	if (tp->t_rttsamples < TCP_RTTSAMPLES)
		tp->t_rttsamples++;
	if (tp->t_rttmin_us == 0 || rtt < tp->t_rttmin_us)
		tp->t_rttmin_us = rtt;
	if (tp->t_srtt_us == 0) {
		tp->t_srtt_us = rtt;
		tp->t_rttvar_us = rtt / 2;
	} else {
		uint32_t off = rtt > tp->t_srtt_us ? rtt - tp->t_srtt_us : tp->t_srtt_us - rtt;

		tp->t_rttvar_us = (3 * tp->t_rttvar_us + off) / 4;
		tp->t_srtt_us = KERN_MAX((uint32_t)((7ull * tp->t_srtt_us + rtt) / 8), 1);
	}
	uint32_t rto = tp->t_srtt_us + KERN_MAX(4 * tp->t_rttvar_us, 1);
	uint32_t least = tp->t_ns->ns_tcp->tcps_sysctl.rexmit_min_ms * 1000;
	tp->t_rto_us = KERN_MIN(KERN_MAX(rto, least), RTO_MAX_US);
}

uint64_t
tcp_rto_ns(const struct tcpcb *tp)
{
	uint64_t rto = tp->t_rto_us;

	if (TCPS_HAVEESTABLISHED(tp->t_state) && tp->t_srtt_us == 0 &&
	    (tp->t_flags & TF_SYN_REXMT) != 0)
		rto = KERN_MAX(rto, RTO_AFTER_SYN_US);
	rto <<= KERN_MIN(tp->t_rxtshift, TCP_MAXRXTSHIFT);
	return KERN_MIN(rto, RTO_MAX_US) * NSEC_PER_USEC;
}
