/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet printer: IPv4, ICMP and UDP. */
#include "wire/icmp4.h"
#include "wire/print_impl.h"
#include "wire/udp.h"

static void
print_end(struct fmt *f, const struct print_payload *pp, const uint32_t *addr)
{
	if (pp->pp_ip6)
		fmt_ip6(f, addr);
	else
		fmt_ipv4(f, *addr);
}

void
print_ends(struct fmt *f, const struct print_payload *pp)
{
	print_end(f, pp, pp->pp_src);
	fmt_str(f, " > ");
	print_end(f, pp, pp->pp_dst);
}

void
print_ends_ports(struct fmt *f, const struct print_payload *pp, uint16_t sport, uint16_t dport)
{
	print_end(f, pp, pp->pp_src);
	fmt_field(f, ".", sport, " > ");
	print_end(f, pp, pp->pp_dst);
	fmt_field(f, ".", dport, "");
}

void
print_udp(struct fmt *f, const struct print_payload *pp)
{
	enum udp_parse_result result;
	struct udp_hdr uh;

	result = udp_parse_partial(pp->pp_p, pp->pp_have, pp->pp_len, &uh);
	if (result == UDP_PARSE_SHORT)
		print_ends(f, pp);
	else
		print_ends_ports(f, pp, uh.uh_sport, uh.uh_dport);
	if (result == UDP_PARSE_OK) {
		fmt_field(f, ": UDP, length ", (uint32_t)uh.uh_ulen - UDP_HDR_LEN, "");
		return;
	}
	fmt_str(f, ": [|udp: ");
	fmt_str(f, udp_parse_name(result));
	fmt_char(f, ']');
}

/* The packet that an error is about, as far as it can be told. */
static void
print_embedded(struct fmt *f, const uint8_t *p, size_t len)
{
	struct icmp4_embedded ie;
	enum icmp4_embedded_result result = icmp4_parse_embedded(p, len, &ie);
	const struct print_payload inner = {.pp_src = &ie.ie_ip.ip_src_be,
	    .pp_dst = &ie.ie_ip.ip_dst_be};

	fmt_str(f, " (about ");
	if (result == ICMP4_EMBEDDED_IP) {
		fmt_str(f, "[|ip])");
		return;
	}
	if (result == ICMP4_EMBEDDED_OK &&
	    (ie.ie_ip.ip_p == IPV4_PROTO_TCP || ie.ie_ip.ip_p == IPV4_PROTO_UDP))
		print_ends_ports(f, &inner, ie.ie_sport, ie.ie_dport);
	else
		print_ends(f, &inner);
	fmt_field(f, ", proto ", ie.ie_ip.ip_p, ")");
}

/* The name of a type, or NULL. */
static const char *
icmp4_type_name(uint8_t type)
{
	static const char *const names[] = {
	    [ICMP4_ECHOREPLY] = "echo reply",
	    [ICMP4_UNREACH] = "unreachable",
	    [ICMP4_SOURCEQUENCH] = "source quench",
	    [ICMP4_REDIRECT] = "redirect",
	    [ICMP4_ECHO] = "echo request",
	    [ICMP4_ROUTERADVERT] = "router advertisement",
	    [ICMP4_ROUTERSOLICIT] = "router solicitation",
	    [ICMP4_TIMXCEED] = "time exceeded",
	    [ICMP4_PARAMPROB] = "parameter problem",
	    [ICMP4_TSTAMP] = "timestamp request",
	    [ICMP4_TSTAMPREPLY] = "timestamp reply",
	    [ICMP4_MASKREQ] = "mask request",
	    [ICMP4_MASKREPLY] = "mask reply",
	};

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;
}

static void
print_icmp4_detail(struct fmt *f, const struct icmp4_hdr *icmp)
{
	if (icmp->icmp_type == ICMP4_ECHO || icmp->icmp_type == ICMP4_ECHOREPLY) {
		fmt_field(f, ", id ", icmp->icmp_id, "");
		fmt_field(f, ", seq ", icmp->icmp_seq, "");
		return;
	}
	fmt_field(f, ", code ", icmp->icmp_code, "");
	if (icmp->icmp_type == ICMP4_UNREACH && icmp->icmp_code == ICMP4_UNREACH_NEEDFRAG)
		fmt_field(f, ", mtu ", icmp4_nextmtu(icmp), "");
	if (icmp->icmp_type == ICMP4_PARAMPROB)
		fmt_field(f, ", octet ", icmp4_pointer(icmp), "");
	if (icmp->icmp_type == ICMP4_REDIRECT) {
		fmt_str(f, " to ");
		fmt_ipv4(f, icmp4_gateway_be(icmp));
	}
}

void
print_icmp4(struct fmt *f, const struct print_payload *pp)
{
	struct icmp4_hdr icmp;
	const char *name;

	print_ends(f, pp);
	if (icmp4_parse(pp->pp_p, pp->pp_have, &icmp) != 0) {
		fmt_str(f, ": [|icmp]");
		return;
	}
	fmt_str(f, ": ICMP ");
	name = icmp4_type_name(icmp.icmp_type);
	if (name != NULL)
		fmt_str(f, name);
	else
		fmt_field(f, "type ", icmp.icmp_type, "");
	print_icmp4_detail(f, &icmp);
	if (icmp4_is_error(icmp.icmp_type))
		print_embedded(f, pp->pp_p + ICMP4_HDR_LEN, pp->pp_have - ICMP4_HDR_LEN);
	fmt_field(f, ", length ", (uint32_t)pp->pp_len, "");
}

/* What only needs saying when it is there: options, a bad checksum, bytes that are missing. */
static void
print_ipv4_extras(struct fmt *f, const struct ipv4_hdr *ip, const uint8_t *p, size_t len)
{
	unsigned found;

	if (!ipv4_cksum_ok(p, ip->ip_hl))
		fmt_str(f, "[bad cksum] ");
	if (ip->ip_len > len)
		fmt_field(f, "[cut at ", (uint32_t)len, "] ");
	if ((ip->ip_tos & IPTOS_ECN_MASK) == IPTOS_ECN_CE)
		fmt_str(f, "[CE] ");
	if (ip->ip_hl == IPV4_HDR_LEN)
		return;
	if (ipv4_opts_scan(p + IPV4_HDR_LEN, ip->ip_hl - IPV4_HDR_LEN, &found) != 0)
		fmt_str(f, "[bad options] ");
	else
		fmt_field(f, "[options, ", (uint32_t)ip->ip_hl - IPV4_HDR_LEN, " bytes] ");
}

static void
print_fragment(struct fmt *f, const struct ipv4_hdr *ip, const struct print_payload *pp)
{
	print_ends(f, pp);
	fmt_field(f, ": frag id ", ip->ip_id, "");
	fmt_field(f, ", offset ", ip->ip_fragoff_bytes, ip->ip_mf ? ", more" : ", last");
	fmt_field(f, ", proto ", ip->ip_p, "");
	fmt_field(f, ", length ", (uint32_t)ip->ip_len - ip->ip_hl, "");
}

static void
print_transport(struct fmt *f, const struct ipv4_hdr *ip, const struct print_payload *pp)
{
	switch (ip->ip_p) {
	case IPV4_PROTO_TCP:
		print_tcp(f, pp);
		break;
	case IPV4_PROTO_UDP:
		print_udp(f, pp);
		break;
	case IPV4_PROTO_ICMP:
		print_icmp4(f, pp);
		break;
	case IPV4_PROTO_IGMP:
		print_igmp(f, pp);
		break;
	default:
		print_ends(f, pp);
		fmt_field(f, ": proto ", ip->ip_p, "");
		fmt_field(f, ", length ", (uint32_t)pp->pp_len, "");
		break;
	}
}

void
print_ipv4(struct fmt *f, const uint8_t *p, size_t len)
{
	enum ipv4_parse_result result;
	struct print_payload pp;
	struct ipv4_hdr ip;
	size_t have;

	fmt_str(f, "IP ");
	result = ipv4_parse(p, len, &ip);
	if (result != IPV4_PARSE_OK && result != IPV4_PARSE_TRUNCATED) {
		fmt_str(f, "[|ip: ");
		fmt_str(f, ipv4_parse_name(result));
		fmt_char(f, ']');
		return;
	}
	print_ipv4_extras(f, &ip, p, len);
	have = len < ip.ip_len ? len : ip.ip_len;
	pp.pp_ip6 = false;
	pp.pp_src = &ip.ip_src_be;
	pp.pp_dst = &ip.ip_dst_be;
	if (ip.ip_mf || ip.ip_fragoff_bytes != 0) {
		print_fragment(f, &ip, &pp);
		return;
	}
	pp.pp_p = p + ip.ip_hl;
	pp.pp_have = have - ip.ip_hl;
	pp.pp_len = (size_t)ip.ip_len - ip.ip_hl;
	print_transport(f, &ip, &pp);
}
