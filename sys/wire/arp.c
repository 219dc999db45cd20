/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP for IPv4 over Ethernet to and from bytes (RFC 826). */
#include "wire/arp.h"

#include <assert.h>
#include <string.h>

#include "wire/be.h"
#include "wire/ipv4.h"

#define IPV4_ADDR_LEN 4

#define OFF_PRO 2
#define OFF_HLN 4
#define OFF_PLN 5
#define OFF_OP 6
#define OFF_SHA 8
#define OFF_SPA 14
#define OFF_THA 18
#define OFF_TPA 24

/* Can no host have this pair of addresses? (RFC 1812 §3.3.2 on group addresses) */
static bool
arp_sender_is_bogus(const struct arp_pkt *ap)
{
	if (ether_is_multicast(ap->ar_sha) || ether_is_zero(ap->ar_sha))
		return true;
	return !ipv4_is_unspecified(ap->ar_spa_be) && ipv4_is_martian_source(ap->ar_spa_be);
}

enum arp_parse_result
arp_parse(const uint8_t *p, size_t len, struct arp_pkt *ap)
{
	if (len < ARP_PKT_LEN)
		return ARP_PARSE_SHORT;
	ap->ar_hrd = be16_get(p);
	ap->ar_pro = be16_get(p + OFF_PRO);
	ap->ar_hln = p[OFF_HLN];
	ap->ar_pln = p[OFF_PLN];
	ap->ar_op = be16_get(p + OFF_OP);
	memcpy(ap->ar_sha, p + OFF_SHA, ETHER_ADDR_LEN);
	ap->ar_spa_be = raw32_get(p + OFF_SPA);
	memcpy(ap->ar_tha, p + OFF_THA, ETHER_ADDR_LEN);
	ap->ar_tpa_be = raw32_get(p + OFF_TPA);
	if (ap->ar_hrd != ARPHRD_ETHER || ap->ar_pro != ETHERTYPE_IP)
		return ARP_PARSE_FORMAT;
	if (ap->ar_hln != ETHER_ADDR_LEN || ap->ar_pln != IPV4_ADDR_LEN)
		return ARP_PARSE_FORMAT;
	if (ap->ar_op != ARPOP_REQUEST && ap->ar_op != ARPOP_REPLY)
		return ARP_PARSE_OP;
	return arp_sender_is_bogus(ap) ? ARP_PARSE_SENDER : ARP_PARSE_OK;
}

const char *
arp_parse_name(enum arp_parse_result result)
{
	static const char *const names[] = {
	    [ARP_PARSE_OK] = "ok",
	    [ARP_PARSE_SHORT] = "short",
	    [ARP_PARSE_FORMAT] = "not IPv4 over Ethernet",
	    [ARP_PARSE_OP] = "unknown operation",
	    [ARP_PARSE_SENDER] = "bad sender address",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == ARP_PARSE_NRESULTS, "a name each");
	return names[result];
}

void
arp_emit(uint8_t *p, const struct arp_pkt *ap)
{
	be16_put(p, ARPHRD_ETHER);
	be16_put(p + OFF_PRO, ETHERTYPE_IP);
	p[OFF_HLN] = ETHER_ADDR_LEN;
	p[OFF_PLN] = IPV4_ADDR_LEN;
	be16_put(p + OFF_OP, ap->ar_op);
	memcpy(p + OFF_SHA, ap->ar_sha, ETHER_ADDR_LEN);
	raw32_put(p + OFF_SPA, ap->ar_spa_be);
	memcpy(p + OFF_THA, ap->ar_tha, ETHER_ADDR_LEN);
	raw32_put(p + OFF_TPA, ap->ar_tpa_be);
}
