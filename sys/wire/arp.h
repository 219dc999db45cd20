/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARP for IPv4 over Ethernet (RFC 826, RFC 5227); no other pair of protocols.
 *
 *   0     2     4  5  6    8      14     18     24     28
 *   | hrd | pro |hln|pln| op | sha  | spa  | tha  | tpa  |
 */
#ifndef WIRE_ARP_H
#define WIRE_ARP_H

#include <stddef.h>
#include <stdint.h>

#include "wire/ether.h"

#define ARP_PKT_LEN 28
#define ARPHRD_ETHER 1
#define ARPOP_REQUEST 1
#define ARPOP_REPLY 2

struct arp_pkt {
	uint16_t ar_hrd;
	uint16_t ar_pro;
	uint8_t ar_hln;
	uint8_t ar_pln;
	uint16_t ar_op;
	uint8_t ar_sha[ETHER_ADDR_LEN];
	uint32_t ar_spa_be;
	uint8_t ar_tha[ETHER_ADDR_LEN];
	uint32_t ar_tpa_be;
};

enum arp_parse_result {
	ARP_PARSE_OK,
	ARP_PARSE_SHORT,  /* fewer than ARP_PKT_LEN bytes */
	ARP_PARSE_FORMAT, /* hardware or protocol type or length other than Ethernet's and IPv4's */
	ARP_PARSE_OP,     /* neither request nor reply */
	ARP_PARSE_SENDER, /* sender is a group or null station, or an address no host may have */
	ARP_PARSE_NRESULTS
};

/*
 * Reads and validates a packet; bytes behind it (padding) are ignored.
 * => *ap is filled in except with ARP_PARSE_SHORT
 * => a sender address of 0.0.0.0 is a probe (RFC 5227 §1.1) and passes
 */
enum arp_parse_result arp_parse(const uint8_t *p, size_t len, struct arp_pkt *ap);

/* What the result means, for people. */
const char *arp_parse_name(enum arp_parse_result result);

/* Writes ARP_PKT_LEN bytes; ar_hrd, ar_pro, ar_hln and ar_pln are written as Ethernet and IPv4. */
void arp_emit(uint8_t *p, const struct arp_pkt *ap);

#endif /* WIRE_ARP_H */
