/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What sockets of AF_INET6 have of their own: addresses, options, control messages; in6_afops (in6_var.h)
 * points here.
 *
 * A scope is an interface's index. Programs have it in sin6_scope_id; inside the stack it stands in
 * the second 16 bits of an address that needs one, as in KAME's.
 */
#ifndef NETINET6_IN6_PCB_H
#define NETINET6_IN6_PCB_H

#include <stdbool.h>

#include "netinet/in_pcb.h"

/* in_afops.h: af_parse, af_emit. => EINVAL, too: a scope that no interface can have */
int in6_parse(const struct bsd_sockaddr *sa, struct in_endpoint *ep);
void in6_emit(const struct in_endpoint *ep, union bsd_sockaddr_any *sa);
/* af_setscope. A group goes out by the usual interface. */
int in6_setscope(struct in_addrany *a, uint32_t ifindex);
/* af_savecontrol, af_txcontrol: for packets of either family that a socket of AF_INET6 has. */
int in6_savecontrol(const struct inpcb *inp, const struct in_rxinfo *rx, struct mbuf **controlp);
int in6_txcontrol(const struct inpcb *inp, const struct mbuf *control, struct in_txinfo *tx);
/*
 * IPV6_PKTINFO as an option: the source and the interface of datagrams of IPv6 whose control messages
 * do not name them, and of connections (RFC 3542 §6.1, §6.2). => EINVAL: too short, or not the interface
 * that the socket is bound to; ENXIO, EADDRNOTAVAIL: no such interface, address (RFC 3542 §6.6); ENOBUFS
 */
int in6_setpktinfo(struct inpcb *inp, const struct sockopt *sopt);
/* in6_mcast.c: af_iswanted, af_leaveall: of both families */
bool in6_iswanted(const struct inpcb *inp, const struct in_rxinfo *rx);
void in6_leaveall(struct inpcb *inp);
/* The options of groups that are not a number. => errno as Linux's; EPROTO: not for streams */
bool in6_mcast_isopt(int name);
int in6_mcast_setopt(struct inpcb *inp, const struct sockopt *sopt);
int in6_mcast_getopt(const struct inpcb *inp, struct sockopt *sopt);
/* in6_sockopt.c: af_ctloutput. Levels SOL_SOCKET, IPPROTO_IPV6, and IPPROTO_IP for mapped peers. */
int in6_ctloutput(struct inpcb *inp, void *sopt);

#endif /* NETINET6_IN6_PCB_H */
