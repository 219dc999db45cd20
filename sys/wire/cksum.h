/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071, RFC 1141, RFC 1624).
 *
 * A *partial sum* (uint32_t) is opaque: start from 0, pass it on, never store it or add to it by
 * hand. Every 16-bit value here is in host order: be16_get() reads it from a packet and be16_put()
 * stores it. Typical use, over one buffer:
 *
 *	sum = cksum_pseudo4(src_be, dst_be, IPV4_PROTO_TCP, len);
 *	be16_put(p + TCP_OFF_SUM, cksum_finish(cksum_partial(p, len, sum)));
 *
 * and over a chain, with off counting the bytes so far:
 *
 *	sum = cksum_combine(sum, cksum_partial(m->m_data, m->m_len, 0), off & 1);
 */
#ifndef WIRE_CKSUM_H
#define WIRE_CKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Adds len bytes to a partial sum, as if they began at an even offset of what is summed.
 * => buf may have any alignment, len any parity; an odd last byte is padded with zero
 */
uint32_t cksum_partial(const void *buf, size_t len, uint32_t sum);

/*
 * Joins the sums of two consecutive pieces.
 * => sum2 began at 0; odd_offset says that its piece begins at an odd offset (RFC 1071 §2 (B))
 */
uint32_t cksum_combine(uint32_t sum1, uint32_t sum2, bool odd_offset);

/*
 * The partial sum of the pseudo-header that TCP and UDP add over IPv4 (RFC 9293 §3.1).
 * => addresses as they lie in memory; len in bytes, transport header and payload
 */
uint32_t cksum_pseudo4(uint32_t src_be, uint32_t dst_be, uint8_t proto, uint16_t len);

/* The same over IPv6 (RFC 8200 §8.1), addresses of four words. */
uint32_t cksum_pseudo6(const uint32_t src[4], const uint32_t dst[4], uint8_t proto, uint32_t len);

/*
 * The 16-bit one's complement sum, *not* complemented, in host order.
 * => what M_CSUM_NEEDED wants in the checksum field, given the pseudo-header's sum
 * => over data that includes a right checksum the result is 0xffff
 */
uint16_t cksum_fold(uint32_t sum);

/*
 * The checksum itself: the complement of the fold, in host order.
 * => 0 over data that includes a right checksum; UDP sends 0xffff where this is 0
 */
uint16_t cksum_finish(uint32_t sum);

/*
 * The checksum after one 16-bit word of the data changed (RFC 1624 eqn. 3).
 * => all three in host order, the word at an even offset
 */
uint16_t cksum_update16(uint16_t cksum, uint16_t old_word, uint16_t new_word);

#endif /* WIRE_CKSUM_H */
