/* SPDX-License-Identifier: BSD-2-Clause */
/* Segmentation in software, for interfaces that do not do it. */
#ifndef NET_IF_GSO_H
#define NET_IF_GSO_H

#include <stdbool.h>

struct ifnet;
struct mbuf;

/*
 * Splits an M_CSUM_TSO frame into frames of segsz bytes of TCP payload, which share its storage
 * and ask for checksums of their own (M_CSUM_NEEDED).
 * => the frame begins with if_hdrlen bytes of link header and an IPv4 header without options, or
 *    an IPv6 header without extension headers
 * => a list by m_nextpkt; or NULL: m was malformed or memory is short, and all was dropped
 */
struct mbuf *if_gso(const struct ifnet *ifp, struct mbuf *m);

#endif /* NET_IF_GSO_H */
