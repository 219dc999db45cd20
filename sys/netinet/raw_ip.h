/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw and ICMP sockets, as the domain, IP and ICMP reach them. */
#ifndef NETINET_RAW_IP_H
#define NETINET_RAW_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "netinet/in_afops.h"

struct mbuf;
struct netstack;
struct pr_usrreqs;
struct socket;
struct sockopt;

/* Within in_init, in_fini. => ENOMEM, ENOBUFS */
int rip_init(struct netstack *ns);
void rip_fini(struct netstack *ns);
/* A copy of m (borrowed, begins with its IP header) to each that wants it. => false: nobody does */
bool rip_input(const struct mbuf *m, const struct in_rxinfo *rx);
/* An echo reply, to the ICMP socket of that identifier. Consumes m. */
void icmp_sock_input(struct mbuf *m, const struct in_rxinfo *rx, uint16_t id);
/* An ICMP error about a packet of that protocol. => false: nobody sends such */
bool rip_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci, uint8_t proto);

extern const struct pr_usrreqs rip_usrreqs;
extern const struct pr_usrreqs icmp_usrreqs;
int rip_ctloutput(struct socket *so, struct sockopt *sopt);

#endif /* NETINET_RAW_IP_H */
