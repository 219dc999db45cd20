/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet headers and 802.1Q tags to and from bytes. */
#include "wire/ether.h"

#define OFF_SHOST 6
#define OFF_TYPE 12
#define OFF_VLAN_TYPE 2

#define VLAN_PCP_SHIFT 13
#define VLAN_DEI 0x1000
#define VLAN_VID_MASK 0x0fff

int
ether_parse(const uint8_t *p, size_t len, struct ether_hdr *eh)
{
	if (len < ETHER_HDR_LEN)
		return -1;
	memcpy(eh->ether_dhost, p, ETHER_ADDR_LEN);
	memcpy(eh->ether_shost, p + OFF_SHOST, ETHER_ADDR_LEN);
	eh->ether_type = be16_get(p + OFF_TYPE);
	return 0;
}

void
ether_emit(uint8_t *p, const struct ether_hdr *eh)
{
	memcpy(p, eh->ether_dhost, ETHER_ADDR_LEN);
	memcpy(p + OFF_SHOST, eh->ether_shost, ETHER_ADDR_LEN);
	be16_put(p + OFF_TYPE, eh->ether_type);
}

int
ether_vlan_parse(const uint8_t *p, size_t len, struct ether_vlan *tag)
{
	uint16_t tci;

	if (len < ETHER_VLAN_LEN)
		return -1;
	tci = be16_get(p);
	tag->vlan_pcp = (uint8_t)(tci >> VLAN_PCP_SHIFT);
	tag->vlan_dei = (tci & VLAN_DEI) != 0;
	tag->vlan_vid = tci & VLAN_VID_MASK;
	tag->vlan_type = be16_get(p + OFF_VLAN_TYPE);
	return 0;
}

void
ether_vlan_emit(uint8_t *p, const struct ether_vlan *tag)
{
	unsigned tci = (unsigned)(tag->vlan_pcp & 7) << VLAN_PCP_SHIFT;

	tci |= tag->vlan_dei ? VLAN_DEI : 0;
	tci |= tag->vlan_vid & VLAN_VID_MASK;
	be16_put(p, (uint16_t)tci);
	be16_put(p + OFF_VLAN_TYPE, tag->vlan_type);
}

void
ether_map_ipv4_multicast(uint8_t addr[ETHER_ADDR_LEN], uint32_t group_be)
{
	be16_put(addr, 0x0100);
	be32_put(addr + 2, 0x5e000000 | (betoh32(group_be) & 0x007fffff));
}

void
ether_map_ip6_multicast(uint8_t addr[ETHER_ADDR_LEN], uint32_t lastword_be)
{
	be16_put(addr, 0x3333);
	raw32_put(addr + 2, lastword_be);
}
