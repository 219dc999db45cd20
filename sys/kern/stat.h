/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of a layer from one list. Write netinet/tcp_stat.def, one line a counter (BSD's name,
 * netstat's phrase): STAT(sndpack, "data packets sent"). Then
 *   enum tcp_stat {
 *   #define STAT(name, text) TCPS_##name,
 *   #include "netinet/tcp_stat.def"
 *   #undef STAT
 *           TCPS_COUNT
 *   };
 * in a header, `uint64_t ts_stat[TCPS_COUNT]` and a `struct sysctl_table` in the layer's state,
 *   static const struct sysctl_node tcp_stat_nodes[] = {
 *   #define STAT(name, text) STAT_NODE("net.inet.tcp.stats.", TCPS_, name, text)
 *   #include "netinet/tcp_stat.def"
 *   #undef STAT
 *   };
 *   STAT_TABLE_CHECK(tcp_stat_nodes, TCPS_COUNT);
 * in a .c, stat_register(ns, &ts->ts_stat_sysctls, tcp_stat_nodes, TCPS_COUNT, ts->ts_stat) in
 * dom_init, sysctl_unregister in dom_fini, and count: ts->ts_stat[TCPS_sndpack]++.
 */
#ifndef KERN_STAT_H
#define KERN_STAT_H

#include <stddef.h>
#include <stdint.h>

#include "kern/sysctl.h"

/* A read-only variable PREFIX + name for element ENUM##name of an array of uint64_t. */
#define STAT_NODE(prefix, enum_prefix, name, text)                     \
	{.sn_name = prefix #name,                                      \
	    .sn_text = (text),                                         \
	    .sn_type = SYSCTL_U64,                                     \
	    .sn_offset = (size_t)enum_prefix##name * sizeof(uint64_t), \
	    .sn_size = sizeof(uint64_t)},

#define STAT_TABLE_CHECK(nodes, count) \
	_Static_assert(sizeof(nodes) / sizeof((nodes)[0]) == (count), "a node for each counter")

/* => counters: an array of count, in the order of the nodes, that lives as long as the table. */
static inline void
stat_register(struct netstack *ns, struct sysctl_table *st, const struct sysctl_node *nodes,
    size_t count, uint64_t *counters)
{
	sysctl_register(ns, st, nodes, count, counters);
}

#endif /* KERN_STAT_H */
