/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths that drop what is too long and do not tell (RFC 2923 §2.1, RFC 8899 §4.3): found by
 * time-outs, as FreeBSD does. What ICMP tells of a path's MTU is in tcp_subr.c.
 *
 * Theory of operation: with net.inet.tcp.pmtud_blackhole_detection the second time-out in a row of
 * a segment that is longer than pmtud_blackhole_mss lowers the segment size to that, the fourth (of
 * a shorter one the second) to mssdflt, with which DF is not set any more. The sixth takes it all
 * back: it was no black hole. What has helped stays for as long as the connection does; no other
 * connection is told, for it was a guess.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_var.h"

#define TCP_BH_FIRST 2u /* time-outs in a row */
#define TCP_BH_LEAST 4u
#define TCP_BH_UNDO 6u

/* The most that the segment to be sent again may have. */
static uint32_t
tcp_pmtud_unanswered(const struct tcpcb *tp)
{
	return KERN_MIN(KERN_MIN(tp->snd_max - tp->snd_una, tp->snd_wnd), tp->t_maxseg);
}

static void
tcp_pmtud_lower(struct tcpcb *tp)
{
	const uint32_t first = tp->t_ns->ns_tcp->tcps_sysctl.pmtud_blackhole_mss;
	const uint32_t least = tp->t_ns->ns_tcp->tcps_sysctl.mssdflt;
	const uint32_t len = tcp_pmtud_unanswered(tp);

	if (tp->t_rxtshift == TCP_BH_FIRST && len > first) {
		tp->t_bhmss = (uint16_t)first;
		TCPSTAT_INC(tp->t_ns, pmtud_blackhole_activated);
	} else if (!tp->t_bhleast && len > KERN_MIN(least, first)) {
		tp->t_bhmss = (uint16_t)least;
		tp->t_bhleast = true;
		TCPSTAT_INC(tp->t_ns, pmtud_blackhole_activated_min_mss);
	}
	tcp_mss_update(tp);
}

void
tcp_pmtud_timeout(struct tcpcb *tp)
{
	if (!TCPS_HAVEESTABLISHED(tp->t_state))
		return;
	if (tp->t_rxtshift == TCP_BH_FIRST || tp->t_rxtshift == TCP_BH_LEAST) {
		if (tp->t_ns->ns_tcp->tcps_sysctl.pmtud_blackhole_detection != 0)
			tcp_pmtud_lower(tp);
	} else if (tp->t_rxtshift == TCP_BH_UNDO && tp->t_bhmss != 0) {
		tp->t_bhmss = 0;
		tp->t_bhleast = false;
		TCPSTAT_INC(tp->t_ns, pmtud_blackhole_failed);
		tcp_mss_update(tp);
	}
}
