/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of congestion control algorithms, and what they have in common. */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_var.h"

#include <string.h>

static const struct tcp_congctl *const tcp_congctls[] = {
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
