/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP's counters, one list: tcp_stat.def. They stand in tcp_state.tcps_stat. */
#ifndef NETINET_TCP_STAT_H
#define NETINET_TCP_STAT_H

enum tcp_stat {
#define STAT(name, text) TCPSTAT_##name,
#include "netinet/tcp_stat.def"
#undef STAT
	TCPSTAT_COUNT
};

/* Count, as in TCPSTAT_INC(ns, sndpack); need kern/netstack.h and netinet/tcp_var.h. */
#define TCPSTAT_INC(ns, name) ((void)((ns)->ns_tcp->tcps_stat[TCPSTAT_##name]++))
#define TCPSTAT_ADD(ns, name, n) ((void)((ns)->ns_tcp->tcps_stat[TCPSTAT_##name] += (n)))

#endif /* NETINET_TCP_STAT_H */
