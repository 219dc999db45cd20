/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum over mbuf chains, at any offset and of any length. */
#ifndef NET_M_CKSUM_H
#define NET_M_CKSUM_H

#include <stddef.h>
#include <stdint.h>

struct mbuf;

/*
 * The partial sum (wire/cksum.h) of len bytes from off on, as if off were even.
 * => the range lies in the chain
 */
uint32_t m_cksum(const struct mbuf *m, size_t off, size_t len);

/*
 * Fills in the checksum that M_CSUM_NEEDED asks for and takes the flag off. A UDP checksum of zero
 * becomes 0xffff. => ENOBUFS: no memory to make the header writable; *mp was freed and is NULL
 */
int m_cksum_complete(struct mbuf **mp);

#endif /* NET_M_CKSUM_H */
