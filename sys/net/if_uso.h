/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams joined, for interfaces that cut them apart again (IFCAP_USO). */
#ifndef NET_IF_USO_H
#define NET_IF_USO_H

#include <stdbool.h>
#include <stdint.h>

struct mbuf;

/*
 * Makes datagram m the last of those that head stands for: what the host makes of the frame is the
 * datagrams as they were. They must be of one flow and one size, but for the last, which may be
 * shorter; with checksums asked for, unfragmented, without IP options or
 * extension headers.
 *
 * => l3off is the length of the link header; maxpieces, of head's mbufs afterwards
 * => true: m is consumed, head asks for segmentation (M_CSUM_USO); false: nothing has changed
 */
bool if_uso_join(struct mbuf *head, struct mbuf *m, uint32_t l3off, unsigned maxpieces);

#endif /* NET_IF_USO_H */
