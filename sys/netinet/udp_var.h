/* SPDX-License-Identifier: BSD-2-Clause */
/* What UDP keeps for a stack, and how the domain reaches it. */
#ifndef NETINET_UDP_VAR_H
#define NETINET_UDP_VAR_H

#include <stdint.h>

#include "kern/sysctl.h"
#include "netinet/in_pcb.h"

struct netstack;
struct pr_usrreqs;
struct socket;
struct sockopt;

enum udp_stat {
#define STAT(name, text) UDPSTAT_##name,
#include "netinet/udp_stat.def"
#undef STAT
	UDPSTAT_COUNT
};

struct udp_state {
	struct inpcbtable us_table;
	uint64_t us_stat[UDPSTAT_COUNT];
	struct sysctl_table us_stat_sysctls;
	struct sysctl_table us_sysctls;
	uint32_t us_sendspace; /* net.inet.udp.sendspace: the largest datagram */
	uint32_t us_recvspace;
};

/* After in_init. => ENOMEM, ENOBUFS. udp_fini: all sockets are gone. */
int udp_init(struct netstack *ns);
void udp_fini(struct netstack *ns);
extern const struct pr_usrreqs udp_usrreqs;
int udp_ctloutput(struct socket *so, struct sockopt *sopt);

#endif /* NETINET_UDP_VAR_H */
