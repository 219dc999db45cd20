/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strays: packets of a host whose flows are spread over several stacks, sisters, with the same
 * addresses.
 *
 * Theory of operation: the driver's queues bring a flow to the same sister again and again, as a
 * rule to the one that has its connection. What comes to another is passed on, from sister to
 * sister, until one knows it or the last has been asked, and that one answers. Sisters have the same
 * listeners: a SYN belongs to whom it comes to, all that follows to who has the connection, the
 * handshake, or made the cookie. What each of them
 * must hear (ARP, ICMP errors) goes to all, and only the first answers. What one of them sends to a
 * group or to everybody has receivers at the others, too: it goes to all, once, as what has gone
 * through the loopback. Who passes it on is ns_stray, the owner's; a stack alone has none.
 */
#ifndef NET_STRAY_H
#define NET_STRAY_H

#include <stdbool.h>
#include <stdint.h>

struct ifnet;
struct mbuf;

enum stray_to { STRAY_NEXT, STRAY_ALL, STRAY_OWN };

/* Does the stack of ifp have sisters whom this packet from the wire, or from another, may concern? */
bool stray_possible(const struct ifnet *ifp, const struct mbuf *m);
/* Has it been to no sister yet? */
bool stray_isfirst(const struct mbuf *m);
/*
 * Passes on a network packet (borrowed) that came in by ifp, or with STRAY_OWN leaves by it and is for
 * receivers of this host. => a stack alone does nothing with the latter
 */
void stray_pass(struct ifnet *ifp, const struct mbuf *m, uint16_t ethertype, enum stray_to to);

#endif /* NET_STRAY_H */
