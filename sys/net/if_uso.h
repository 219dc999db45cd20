/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams joined, for interfaces that cut them apart again (IFCAP_USO); and such as came joined. */
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

/*
 * The datagrams that a received frame stands for, as if each had come by itself: all but the last of
 * segsz bytes of payload. Their checksums have been seen to (M_CSUM_OK), and so must the frame's have
 * been; the fields hold the pseudo-headers' sums. A frame of one is returned as it is.
 *
 * => l3off is the length of the link header. Consumes m.
 * => a list by m_nextpkt. NULL: it was no such frame, or memory is short; what memory there was
 *    none for is missing. All that is dropped is counted.
 */
struct mbuf *if_uso_split(struct mbuf *m, uint32_t l3off, uint32_t segsz);

#endif /* NET_IF_USO_H */
