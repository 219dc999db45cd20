/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet, for the protocols that speak it directly (ARP). */
#ifndef NET_IF_ETHER_H
#define NET_IF_ETHER_H

#include <stdint.h>

struct ifnet;
struct mbuf;

/*
 * Puts an Ethernet header before m, pads a short frame with zero, and transmits. Consumes m.
 * => ENOBUFS, and what if_transmit says
 */
int ether_send(struct ifnet *ifp, struct mbuf *m, const uint8_t dhost[6], uint16_t type);

#endif /* NET_IF_ETHER_H */
