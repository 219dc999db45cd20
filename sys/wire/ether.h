/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet II frames and 802.1Q tags. 802.3 length fields (ether_type < ETHERTYPE_MIN) are parsed
 * like types and left to the caller to refuse.
 *
 *   0            6            12     14
 *   | dhost      | shost      | type | payload         untagged
 *   | dhost      | shost      | 8100 | tci | type |    tagged: PCP 3, DEI 1, VID 12 bits
 */
#ifndef WIRE_ETHER_H
#define WIRE_ETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire/be.h"

#define ETHER_ADDR_LEN 6
#define ETHER_HDR_LEN 14
#define ETHER_VLAN_LEN 4
#define ETHER_MIN_LEN 60 /* shortest frame, without the CRC; shorter ones are padded with zero */

#define ETHERTYPE_IP 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_MIN 0x0600 /* smaller values are 802.3 lengths */

struct ether_hdr {
	uint8_t ether_dhost[ETHER_ADDR_LEN];
	uint8_t ether_shost[ETHER_ADDR_LEN];
	uint16_t ether_type;
};

/* What follows the type ETHERTYPE_VLAN. */
struct ether_vlan {
	uint8_t vlan_pcp;   /* 0..7 */
	bool vlan_dei;      /* drop eligible */
	uint16_t vlan_vid;  /* 0..4095 */
	uint16_t vlan_type; /* of the payload */
};

/* Reads the header. => 0, or -1 when len < ETHER_HDR_LEN */
int ether_parse(const uint8_t *p, size_t len, struct ether_hdr *eh);

/* Writes ETHER_HDR_LEN bytes. */
void ether_emit(uint8_t *p, const struct ether_hdr *eh);

/* Reads the tag; p is just behind the Ethernet header. => 0, or -1 when len < ETHER_VLAN_LEN */
int ether_vlan_parse(const uint8_t *p, size_t len, struct ether_vlan *tag);

/* Writes ETHER_VLAN_LEN bytes just behind a header whose type is ETHERTYPE_VLAN. */
void ether_vlan_emit(uint8_t *p, const struct ether_vlan *tag);

/* The group bit: multicast or broadcast. */
static inline bool
ether_is_multicast(const uint8_t addr[ETHER_ADDR_LEN])
{
	return (addr[0] & 0x01) != 0;
}

static inline bool
ether_is_broadcast(const uint8_t addr[ETHER_ADDR_LEN])
{
	return (addr[0] & addr[1] & addr[2] & addr[3] & addr[4] & addr[5]) == 0xff;
}

static inline bool
ether_is_zero(const uint8_t addr[ETHER_ADDR_LEN])
{
	return (addr[0] | addr[1] | addr[2] | addr[3] | addr[4] | addr[5]) == 0;
}

static inline bool
ether_addr_equal(const uint8_t a[ETHER_ADDR_LEN], const uint8_t b[ETHER_ADDR_LEN])
{
	return memcmp(a, b, ETHER_ADDR_LEN) == 0;
}

/* The group address of an IPv4 multicast group (RFC 1112 §6.4). */
void ether_map_ipv4_multicast(uint8_t addr[ETHER_ADDR_LEN], uint32_t group_be);

/* That of an IPv6 group (RFC 2464 §7); its last word is enough. */
void ether_map_ip6_multicast(uint8_t addr[ETHER_ADDR_LEN], uint32_t lastword_be);

#endif /* WIRE_ETHER_H */
