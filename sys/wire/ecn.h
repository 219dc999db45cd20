/* SPDX-License-Identifier: BSD-2-Clause */
/* The ECN field (RFC 3168 §5): the low two bits of IPv4's TOS and of IPv6's traffic class. */
#ifndef WIRE_ECN_H
#define WIRE_ECN_H

#define IPTOS_ECN_MASK 0x03
#define IPTOS_ECN_NOTECT 0x00
#define IPTOS_ECN_ECT1 0x01
#define IPTOS_ECN_ECT0 0x02
#define IPTOS_ECN_CE 0x03

#endif /* WIRE_ECN_H */
