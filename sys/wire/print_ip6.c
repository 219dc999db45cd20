/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet printer: IPv6, its extension headers, ICMPv6 and Neighbour Discovery. */
#include "wire/icmp6.h"
#include "wire/print_impl.h"

#define EXT_MAX 16 /* extension headers that are passed over */

/* The packet that an error is about, as far as it can be told. */
static void
print_embedded6(struct fmt *f, const uint8_t *p, size_t len)
{
	struct icmp6_embedded ie;
	bool whole = icmp6_parse_embedded(p, len, &ie);
	const struct print_payload inner = {.pp_ip6 = true,
	    .pp_src = ie.ie_ip6.ip6_src,
	    .pp_dst = ie.ie_ip6.ip6_dst};

	fmt_str(f, " (about ");
	if (!whole) {
		fmt_str(f, "[|ip6])");
		return;
	}
	if (ie.ie_proto == IP6_NXT_TCP || ie.ie_proto == IP6_NXT_UDP)
		print_ends_ports(f, &inner, ie.ie_sport, ie.ie_dport);
	else
		print_ends(f, &inner);
	fmt_field(f, ", proto ", ie.ie_proto, ")");
}

/* The name of a type, or NULL. */
static const char *
icmp6_type_name(uint8_t type)
{
	static const struct {
		uint8_t type;
		const char *name;
	} names[] = {
	    {ICMP6_UNREACH, "unreachable"},
	    {ICMP6_TOOBIG, "packet too big"},
	    {ICMP6_TIMXCEED, "time exceeded"},
	    {ICMP6_PARAMPROB, "parameter problem"},
	    {ICMP6_ECHO, "echo request"},
	    {ICMP6_ECHOREPLY, "echo reply"},
	    {ICMP6_MLD_QUERY, "listener query"},
	    {ICMP6_MLD_REPORT, "listener report"},
	    {ICMP6_MLD_DONE, "listener done"},
	    {ICMP6_RS, "router solicitation"},
	    {ICMP6_RA, "router advertisement"},
	    {ICMP6_NS, "neighbor solicitation"},
	    {ICMP6_NA, "neighbor advertisement"},
	    {ICMP6_REDIRECT, "redirect"},
	    {ICMP6_MLD2_REPORT, "listener report v2"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].type == type)
			return names[i].name;
	return NULL;
}

static void
print_nd_target(struct fmt *f, const struct icmp6_hdr *icmp6, const struct print_payload *pp)
{
	uint32_t target[4];

	if (pp->pp_have < ND_NS_LEN) {
		fmt_str(f, ", [|nd]");
		return;
	}
	ip6_addr_get(target, pp->pp_p + ND_OFF_TARGET);
	fmt_str(f, icmp6->icmp6_type == ICMP6_NS ? ", who has " : ", tgt is ");
	fmt_ip6(f, target);
	if (icmp6->icmp6_type == ICMP6_NS)
		return;
	fmt_str(f, ", Flags [");
	if ((icmp6->icmp6_word & ND_NA_ROUTER) != 0)
		fmt_str(f, "R");
	if ((icmp6->icmp6_word & ND_NA_SOLICITED) != 0)
		fmt_str(f, "S");
	if ((icmp6->icmp6_word & ND_NA_OVERRIDE) != 0)
		fmt_str(f, "O");
	fmt_char(f, ']');
}

static void
print_icmp6_detail(struct fmt *f, const struct icmp6_hdr *icmp6, const struct print_payload *pp)
{
	switch (icmp6->icmp6_type) {
	case ICMP6_ECHO:
	case ICMP6_ECHOREPLY:
		fmt_field(f, ", id ", icmp6->icmp6_word >> 16, "");
		fmt_field(f, ", seq ", icmp6->icmp6_word & 0xffff, "");
		break;
	case ICMP6_NS:
	case ICMP6_NA:
		print_nd_target(f, icmp6, pp);
		break;
	case ICMP6_TOOBIG:
		fmt_field(f, ", mtu ", icmp6->icmp6_word, "");
		break;
	case ICMP6_PARAMPROB:
		fmt_field(f, ", code ", icmp6->icmp6_code, "");
		fmt_field(f, ", octet ", icmp6->icmp6_word, "");
		break;
	case ICMP6_UNREACH:
	case ICMP6_TIMXCEED:
		fmt_field(f, ", code ", icmp6->icmp6_code, "");
		break;
	default:
		break;
	}
}

void
print_icmp6(struct fmt *f, const struct print_payload *pp)
{
	struct icmp6_hdr icmp6;
	const char *name;

	print_ends(f, pp);
	if (icmp6_parse(pp->pp_p, pp->pp_have, &icmp6) != 0) {
		fmt_str(f, ": [|icmp6]");
		return;
	}
	fmt_str(f, ": ICMP6, ");
	name = icmp6_type_name(icmp6.icmp6_type);
	if (name != NULL)
		fmt_str(f, name);
	else
		fmt_field(f, "type ", icmp6.icmp6_type, "");
	print_icmp6_detail(f, &icmp6, pp);
	if (icmp6_is_error(icmp6.icmp6_type))
		print_embedded6(f, pp->pp_p + ICMP6_HDR_LEN, pp->pp_have - ICMP6_HDR_LEN);
	fmt_field(f, ", length ", (uint32_t)pp->pp_len, "");
}

/* => false: the headers are cut */
static bool
print_skip(struct fmt *f, struct print_payload *pp, uint8_t *nxt, bool *later)
{
	size_t len = IP6_FRAG_LEN;
	struct ip6_frag fh;

	if (pp->pp_have < IP6_EXT_UNIT)
		return false;
	if (*nxt == IP6_NXT_FRAGMENT) {
		ip6_frag_parse(pp->pp_p, &fh);
		fmt_str(f, "frag id 0x");
		fmt_hex(f, fh.if_id, 8);
		fmt_field(f, ", offset ", fh.if_off_bytes, fh.if_mf ? ", more; " : ", last; ");
		*later = fh.if_off_bytes != 0;
	} else {
		len = ip6_ext_len(pp->pp_p);
		fmt_field(f, "header ", *nxt, ", ");
		fmt_field(f, "", (uint32_t)len, " bytes; ");
	}
	if (pp->pp_have < len || pp->pp_len < len)
		return false;
	*nxt = pp->pp_p[0];
	pp->pp_p += len;
	pp->pp_have -= len;
	pp->pp_len -= len;
	return true;
}

static bool
isext(uint8_t nxt)
{
	return nxt == IP6_NXT_HOPOPTS || nxt == IP6_NXT_DSTOPTS || nxt == IP6_NXT_ROUTING ||
	    nxt == IP6_NXT_FRAGMENT;
}

static void
print_transport6(struct fmt *f, uint8_t nxt, const struct print_payload *pp)
{
	switch (nxt) {
	case IP6_NXT_TCP:
		print_tcp(f, pp);
		break;
	case IP6_NXT_UDP:
		print_udp(f, pp);
		break;
	case IP6_NXT_ICMP6:
		print_icmp6(f, pp);
		break;
	default:
		print_ends(f, pp);
		fmt_field(f, ": next-header ", nxt, "");
		fmt_field(f, ", length ", (uint32_t)pp->pp_len, "");
		break;
	}
}

/* A fragment that is not the first, or headers without end. */
static void
print_rest6(struct fmt *f, uint8_t nxt, const struct print_payload *pp)
{
	print_ends(f, pp);
	fmt_field(f, ": next-header ", nxt, "");
	fmt_field(f, ", length ", (uint32_t)pp->pp_len, "");
}

void
print_ip6(struct fmt *f, const uint8_t *p, size_t len)
{
	struct ip6_hdr ip6;
	enum ip6_parse_result result = ip6_parse_partial(p, len, len, &ip6);
	struct print_payload pp = {.pp_ip6 = true, .pp_src = ip6.ip6_src, .pp_dst = ip6.ip6_dst};
	bool later = false;
	unsigned n;

	fmt_str(f, "IP6 ");
	if (result != IP6_PARSE_OK && result != IP6_PARSE_TRUNCATED) {
		fmt_str(f, "[|ip6: ");
		fmt_str(f, ip6_parse_name(result));
		fmt_char(f, ']');
		return;
	}
	if (result == IP6_PARSE_TRUNCATED)
		fmt_field(f, "[cut at ", (uint32_t)len, "] ");
	if ((ip6.ip6_tclass & IPTOS_ECN_MASK) == IPTOS_ECN_CE)
		fmt_str(f, "[CE] ");
	pp.pp_p = p + IP6_HDR_LEN;
	pp.pp_len = ip6.ip6_plen;
	pp.pp_have = len - IP6_HDR_LEN < pp.pp_len ? len - IP6_HDR_LEN : pp.pp_len;
	for (n = 0; n < EXT_MAX && isext(ip6.ip6_nxt) && !later; n++) {
		if (!print_skip(f, &pp, &ip6.ip6_nxt, &later)) {
			print_ends(f, &pp);
			fmt_str(f, ": [|headers]");
			return;
		}
	}
	if (later || isext(ip6.ip6_nxt))
		print_rest6(f, ip6.ip6_nxt, &pp);
	else
		print_transport6(f, ip6.ip6_nxt, &pp);
}
