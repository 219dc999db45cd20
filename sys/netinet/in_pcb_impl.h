/* SPDX-License-Identifier: BSD-2-Clause */
/* What in_pcb.c and in_pcb_bind.c share. */
#ifndef NETINET_IN_PCB_IMPL_H
#define NETINET_IN_PCB_IMPL_H

#include "netinet/in_pcb.h"

/* Keyed hashes of a four-tuple and of a port, in the table's secret. */
uint64_t in_pcbhash_pair(const struct inpcbtable *table, const struct in_lookup *il);
uint64_t in_pcbhash_port(const struct inpcbtable *table, uint16_t lport);
/* => no pair is left */
void in_pairs_fini(struct inpcbtable *table);
/* Puts a pcb that was given a port on its chains. => it is on none */
void in_pcbhash_enter(struct inpcb *inp);
/*
 * A local port for a new connection; sets il_lport. Ports of other connections are shared as long
 * as the pairs differ. => EADDRNOTAVAIL: none is left
 */
int in_pcb_connectport(struct inpcbtable *table, struct in_lookup *il);

#endif /* NETINET_IN_PCB_IMPL_H */
