/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP's counters, one list: tcp_stat.def. They stand in tcp_state.tcps_stat. */
#ifndef NETINET_TCP_STAT_H
#define NETINET_TCP_STAT_H

enum tcp_stat {
#define TCPSTAT(suffix, name, text, mib) TCPSTAT_##suffix,
#include "netinet/tcp_stat.def"
#undef TCPSTAT
	TCPSTAT_COUNT
};

/* Count, on struct netstack *ns; needs kern/netstack.h and netinet/tcp_var.h. */
#define TCPSTAT_INC(ns, stat) ((void)((ns)->ns_tcp->tcps_stat[(stat)]++))
#define TCPSTAT_ADD(ns, stat, n) ((void)((ns)->ns_tcp->tcps_stat[(stat)] += (n)))

#endif /* NETINET_TCP_STAT_H */
