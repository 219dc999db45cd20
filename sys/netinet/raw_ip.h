/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw and ICMP sockets, as the domain, IP and ICMP reach them. */
#ifndef NETINET_RAW_IP_H
#define NETINET_RAW_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "netinet/in_afops.h"

struct inpcb;
struct inpcbtable;
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

/* For those of IPv6, too (netinet6/raw_ip6.c). Do its addresses let the socket have the packet? */
bool rip_wants(struct inpcb *inp, const struct in_rxinfo *rx);
/* Puts m into the socket's buffer. Consumes m. */
void rip_append(struct inpcb *inp, struct mbuf *m, const struct in_rxinfo *rx);
/* Is an error about what this socket may have sent? Without a peer only a queue of errors tells. */
bool rip_concerns(const struct inpcb *inp, const struct in_ctlinfo *ci);
void rip_notify(struct inpcb *inp, const struct in_ctlinfo *ci);
/* How and where a packet is to leave. Consumes control. */
int rip_send_txinfo(struct inpcb *inp, int flags, const struct bsd_sockaddr *nam,
    struct mbuf *control, struct in_txinfo *tx);
int rip_attach_pcb(struct socket *so, struct inpcbtable *table, int protocol);
int rip_bind(struct socket *so, const struct bsd_sockaddr *nam);
/* The peer's address; ports mean nothing. */
int rip_connect(struct socket *so, const struct bsd_sockaddr *nam);
int rip_disconnect(struct socket *so);

extern const struct pr_usrreqs rip_usrreqs;
extern const struct pr_usrreqs icmp_usrreqs;
int rip_ctloutput(struct socket *so, struct sockopt *sopt);

#endif /* NETINET_RAW_IP_H */
