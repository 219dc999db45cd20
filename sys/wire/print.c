/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet printer: Ethernet, 802.1Q and ARP. What IP carries: print_ip.c, print_ip6.c, print_tcp.c. */
#include "wire/print.h"

#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/print_impl.h"

static void
print_arp(struct fmt *f, const uint8_t *p, size_t len)
{
	enum arp_parse_result result;
	struct arp_pkt ap;

	fmt_str(f, "ARP, ");
	result = arp_parse(p, len, &ap);
	if (result != ARP_PARSE_OK && result != ARP_PARSE_SENDER) {
		fmt_str(f, "[|arp: ");
		fmt_str(f, arp_parse_name(result));
		fmt_char(f, ']');
		return;
	}
	if (ap.ar_op == ARPOP_REQUEST) {
		fmt_str(f, "Request who-has ");
		fmt_ipv4(f, ap.ar_tpa_be);
		fmt_str(f, " tell ");
		fmt_ipv4(f, ap.ar_spa_be);
	} else {
		fmt_str(f, "Reply ");
		fmt_ipv4(f, ap.ar_spa_be);
		fmt_str(f, " is-at ");
		fmt_ether(f, ap.ar_sha);
	}
	if (result == ARP_PARSE_SENDER)
		fmt_str(f, " [bad sender]");
}

/* What a frame carries under a type that is not a tag. */
static void
print_ethertype(struct fmt *f, uint16_t type, const uint8_t *p, size_t len)
{
	switch (type) {
	case ETHERTYPE_IP:
		print_ipv4(f, p, len);
		break;
	case ETHERTYPE_ARP:
		print_arp(f, p, len);
		break;
	case ETHERTYPE_IPV6:
		print_ip6(f, p, len);
		break;
	case ETHERTYPE_VLAN:
		fmt_str(f, "[|vlan]");
		break;
	default:
		fmt_str(f, type < ETHERTYPE_MIN ? "802.3 length 0x" : "ethertype 0x");
		fmt_hex(f, type, 4);
		break;
	}
}

static void
print_inner(struct fmt *f, const uint8_t *p, size_t len)
{
	struct ether_hdr eh;
	struct ether_vlan tag;

	if (ether_parse(p, len, &eh) != 0) {
		fmt_str(f, "[|ether]");
		return;
	}
	p += ETHER_HDR_LEN;
	len -= ETHER_HDR_LEN;
	if (eh.ether_type == ETHERTYPE_VLAN && ether_vlan_parse(p, len, &tag) == 0) {
		fmt_field(f, "vlan ", tag.vlan_vid, ", ");
		fmt_field(f, "p ", tag.vlan_pcp, tag.vlan_dei ? ", DEI, " : ", ");
		eh.ether_type = tag.vlan_type;
		p += ETHER_VLAN_LEN;
		len -= ETHER_VLAN_LEN;
	}
	print_ethertype(f, eh.ether_type, p, len);
}

static void
print_frame(struct fmt *f, const uint8_t *p, size_t len)
{
	struct ether_hdr eh;

	if (ether_parse(p, len, &eh) == 0) {
		fmt_ether(f, eh.ether_shost);
		fmt_str(f, " > ");
		fmt_ether(f, eh.ether_dhost);
		fmt_field(f, ", length ", (uint32_t)len, ": ");
	}
	print_inner(f, p, len);
}

size_t
wire_print_inner(char *buf, size_t space, const uint8_t *frame, size_t len)
{
	struct fmt f;

	fmt_init(&f, buf, space);
	print_inner(&f, frame, len);
	return fmt_end(&f);
}

size_t
wire_print_frame(char *buf, size_t space, const uint8_t *frame, size_t len)
{
	struct fmt f;

	fmt_init(&f, buf, space);
	print_frame(&f, frame, len);
	return fmt_end(&f);
}

size_t
wire_print_ipv4(char *buf, size_t space, const uint8_t *packet, size_t len)
{
	struct fmt f;

	fmt_init(&f, buf, space);
	print_ipv4(&f, packet, len);
	return fmt_end(&f);
}
