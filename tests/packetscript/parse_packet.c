/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets: [8080 > 5001] [[ect0]] flags seq:end(len) [ack N] [win N] [urg N] [<options>]; udp (len);
 * icmp kind code [mtu N] [[seq:end(len)] or [udp (len)]]; and those of parse_group.c and parse_icmp6.c.
 */
#include <string.h>

#include "lex.h"
#include "wire/be.h"
#include "wire/icmp4.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#define PACKET_MOST \
	65335u /* bytes, extension headers among them; the rest is for IP and transport */
#define TCPOPT_FASTOPEN 34 /* the stack does not know it */

static bool
parse_flags(struct lex *lx, uint8_t *flags)
{
	static const char letters[] = "FSRP.UEW"; /* from bit 0 on */
	const char *found;

	*flags = 0;
	if (lex_take(lx, "-"))
		return true;
	if (!lex_skip(lx))
		return lex_fail(lx, "packet expected");
	for (; lx->lx_p < lx->lx_end && (found = strchr(letters, *lx->lx_p)) != NULL; lx->lx_p++) {
		if (*found == '\0')
			break;
		*flags |= (uint8_t)(1u << (found - letters));
	}
	return *flags != 0 ? true : lex_fail(lx, "flags expected");
}

/* start:end(len) */
static void
parse_range(struct lex *lx, uint32_t *seq, uint32_t *len)
{
	uint32_t end;

	lex_u32(lx, seq);
	lex_need(lx, ":");
	lex_u32(lx, &end);
	lex_need(lx, "(");
	lex_u32(lx, len);
	lex_need(lx, ")");
	if (!lx->lx_failed && end != *seq + *len)
		lex_fail(lx, "the length is not that of the range");
}

static void
opt_put(struct lex *lx, struct packet *pk, const uint8_t *bytes, size_t len)
{
	if (pk->pk_optlen + len > sizeof(pk->pk_opts)) {
		lex_fail(lx, "more options than fit");
		return;
	}
	memcpy(pk->pk_opts + pk->pk_optlen, bytes, len);
	pk->pk_optlen += (uint8_t)len;
}

static void
parse_opt_ts(struct lex *lx, struct packet *pk)
{
	uint8_t opt[TCPOLEN_TS] = {TCPOPT_TS, TCPOLEN_TS};
	uint32_t val, ecr;

	if (!lex_take_word(lx, "val"))
		lex_fail(lx, "'val' expected");
	lex_u32(lx, &val);
	if (!lex_take_word(lx, "ecr"))
		lex_fail(lx, "'ecr' expected");
	lex_u32(lx, &ecr);
	be32_put(opt + 2, val);
	be32_put(opt + 6, ecr);
	opt_put(lx, pk, opt, sizeof(opt));
}

static void
parse_opt_sack(struct lex *lx, struct packet *pk)
{
	uint8_t opt[TCPOLEN_SACK_HDR + 4 * TCPOLEN_SACK_BLOCK] = {TCPOPT_SACK, TCPOLEN_SACK_HDR};
	uint32_t from, to;

	while (!lx->lx_failed && !lex_peek(lx, ",") && !lex_peek(lx, ">")) {
		if (opt[1] == sizeof(opt)) {
			lex_fail(lx, "more SACK blocks than fit");
			return;
		}
		lex_u32(lx, &from);
		lex_need(lx, ":");
		lex_u32(lx, &to);
		be32_put(opt + opt[1], from);
		be32_put(opt + opt[1] + 4, to);
		opt[1] += TCPOLEN_SACK_BLOCK;
	}
	opt_put(lx, pk, opt, opt[1]);
}

/* An option by its bytes: 0x1e03ff, the length included. */
static void
parse_opt_raw(struct lex *lx, struct packet *pk)
{
	uint8_t byte;
	int digits = 0;

	for (byte = 0; lx->lx_p < lx->lx_end; lx->lx_p++) {
		const char *all = "0123456789abcdef", *found = strchr(all, *lx->lx_p);

		if (found == NULL || *found == '\0')
			break;
		byte = (uint8_t)(byte << 4 | (found - all));
		if (++digits % 2 == 0)
			opt_put(lx, pk, &byte, 1);
	}
	if (digits == 0 || digits % 2 != 0)
		lex_fail(lx, "an even number of hexadecimal digits expected");
}

/* Fast open's cookie, 0 to 16 bytes: FO, FO 0123456789abcdef */
static void
parse_opt_cookie(struct lex *lx, struct packet *pk)
{
	const uint8_t at = pk->pk_optlen;

	opt_put(lx, pk, (const uint8_t[]){TCPOPT_FASTOPEN, 2}, 2);
	if (!lex_peek(lx, ",") && !lex_peek(lx, ">")) {
		parse_opt_raw(lx, pk);
		pk->pk_opts[at + 1] = (uint8_t)(pk->pk_optlen - at);
	}
}

static void
parse_opt(struct lex *lx, struct packet *pk)
{
	uint8_t opt[4];
	uint32_t value;

	if (lex_take(lx, "0x")) {
		parse_opt_raw(lx, pk);
	} else if (lex_take_word(lx, "nop")) {
		opt_put(lx, pk, (const uint8_t[]){TCPOPT_NOP}, 1);
	} else if (lex_take_word(lx, "eol")) {
		opt_put(lx, pk, (const uint8_t[]){TCPOPT_EOL}, 1);
	} else if (lex_take_word(lx, "sackOK")) {
		opt_put(lx, pk, (const uint8_t[]){TCPOPT_SACKPERM, TCPOLEN_SACKPERM}, 2);
	} else if (lex_take_word(lx, "mss")) {
		lex_u32(lx, &value);
		opt[0] = TCPOPT_MSS;
		opt[1] = TCPOLEN_MSS;
		be16_put(opt + 2, (uint16_t)value);
		opt_put(lx, pk, opt, TCPOLEN_MSS);
	} else if (lex_take_word(lx, "wscale")) {
		lex_u32(lx, &value);
		opt_put(lx, pk, (const uint8_t[]){TCPOPT_WSCALE, TCPOLEN_WSCALE, (uint8_t)value},
		    3);
	} else if (lex_take_word(lx, "TS")) {
		parse_opt_ts(lx, pk);
	} else if (lex_take_word(lx, "sack")) {
		parse_opt_sack(lx, pk);
	} else if (lex_take_word(lx, "FO")) {
		parse_opt_cookie(lx, pk);
	} else {
		lex_fail(lx, "unknown option");
	}
}

static void
parse_opts(struct lex *lx, struct packet *pk)
{
	if (!lex_take(lx, "<"))
		return;
	if (lex_take(lx, "...")) {
		pk->pk_optlen = OPTS_ANY;
		lex_need(lx, ">");
		return;
	}
	do
		parse_opt(lx, pk);
	while (!lx->lx_failed && lex_take(lx, ","));
	lex_need(lx, ">");
	while (!lx->lx_failed && pk->pk_optlen % 4 != 0)
		opt_put(lx, pk, (const uint8_t[]){TCPOPT_EOL}, 1);
}

static void
parse_tcp(struct lex *lx, struct packet *pk)
{
	uint32_t value;

	pk->pk_kind = PK_TCP;
	pk->pk_win = -1;
	if (!parse_flags(lx, &pk->pk_flags))
		return;
	parse_range(lx, &pk->pk_seq, &pk->pk_len);
	if (lex_take_word(lx, "ack"))
		lex_u32(lx, &pk->pk_ack);
	if (lex_take_word(lx, "win")) {
		lex_u32(lx, &value);
		pk->pk_win = (int)value;
	}
	if (lex_take_word(lx, "urg")) {
		lex_u32(lx, &value);
		pk->pk_urp = (int)value;
		pk->pk_flags |= TH_URG;
	}
	parse_opts(lx, pk);
}

static const struct {
	const char *name;
	uint8_t type;
	uint8_t code;
} icmp_kinds[] = {
    {"net_unreachable", ICMP4_UNREACH, ICMP4_UNREACH_NET},
    {"host_unreachable", ICMP4_UNREACH, ICMP4_UNREACH_HOST},
    {"protocol_unreachable", ICMP4_UNREACH, ICMP4_UNREACH_PROTOCOL},
    {"port_unreachable", ICMP4_UNREACH, ICMP4_UNREACH_PORT},
    {"frag_needed", ICMP4_UNREACH, ICMP4_UNREACH_NEEDFRAG},
    {"source_route_failed", ICMP4_UNREACH, ICMP4_UNREACH_SRCFAIL},
    {"net_prohibited", ICMP4_UNREACH, ICMP4_UNREACH_NET_PROHIB},
    {"host_prohibited", ICMP4_UNREACH, ICMP4_UNREACH_HOST_PROHIB},
    {"packet_filtered", ICMP4_UNREACH, ICMP4_UNREACH_FILTER_PROHIB},
    {"ttl_exceeded", ICMP4_TIMXCEED, ICMP4_TIMXCEED_INTRANS},
    {"reassembly_exceeded", ICMP4_TIMXCEED, ICMP4_TIMXCEED_REASS},
    {"bad_header", ICMP4_PARAMPROB, ICMP4_PARAMPROB_ERRATPTR},
    {"quench", ICMP4_SOURCEQUENCH, 0},
};

static void
parse_icmp_kind(struct lex *lx, struct packet *pk)
{
	/* The type is said for the reader; the name of the code is enough. */
	(void)(lex_take_word(lx, "unreachable") || lex_take_word(lx, "time_exceeded") ||
	    lex_take_word(lx, "parameter_problem") || lex_take_word(lx, "source"));
	for (size_t i = 0; i < sizeof(icmp_kinds) / sizeof(icmp_kinds[0]); i++) {
		if (lex_take_word(lx, icmp_kinds[i].name)) {
			pk->pk_type = icmp_kinds[i].type;
			pk->pk_code = icmp_kinds[i].code;
			return;
		}
	}
	lex_fail(lx, "unknown kind of ICMP error");
}

static void
parse_icmp(struct lex *lx, struct packet *pk)
{
	uint32_t mtu;

	pk->pk_kind = PK_ICMP;
	parse_icmp_kind(lx, pk);
	if (lex_take_word(lx, "mtu")) {
		lex_u32(lx, &mtu);
		pk->pk_mtu = (uint16_t)mtu;
	}
	if (!lex_take(lx, "["))
		return;
	pk->pk_about = true;
	pk->pk_aboutproto = IPV4_PROTO_TCP;
	if (lex_take_word(lx, "udp")) {
		pk->pk_aboutproto = IPV4_PROTO_UDP;
		lex_need(lx, "(");
		lex_u32(lx, &pk->pk_aboutlen);
		lex_need(lx, ")");
	} else {
		parse_range(lx, &pk->pk_aboutseq, &pk->pk_aboutlen);
	}
	lex_need(lx, "]");
}

static void
parse_ports(struct lex *lx, struct packet *pk)
{
	uint32_t sport, dport;

	if (!lex_skip(lx) || *lx->lx_p < '0' || *lx->lx_p > '9')
		return;
	lex_u32(lx, &sport);
	lex_need(lx, ">");
	lex_u32(lx, &dport);
	pk->pk_sport = (uint16_t)sport;
	pk->pk_dport = (uint16_t)dport;
}

static void
parse_udp(struct lex *lx, struct packet *pk)
{
	pk->pk_kind = PK_UDP;
	lex_need(lx, "(");
	lex_u32(lx, &pk->pk_len);
	lex_need(lx, ")");
}

/* What a packet cannot be. */
static void
packet_look(struct lex *lx, const struct packet *pk, bool incoming)
{
	const bool tcp = pk->pk_kind == PK_TCP;
	const struct exthdr *eh;
	size_t len = pk->pk_len;

	for (eh = pk->pk_exts; eh != NULL; eh = eh->eh_next)
		len += eh->eh_len;
	if (len > PACKET_MOST)
		lex_fail(lx, "the packet is too large");

	if (incoming && pk->pk_kind == PK_ICMP && !pk->pk_about)
		lex_fail(lx, "an ICMP error that arrives must say what it is about");
	if (incoming && pk->pk_tos == TOS_ECT01)
		lex_fail(lx, "what arrives has ect0 or ect1");
	if (incoming && tcp && pk->pk_optlen == OPTS_ANY)
		lex_fail(lx, "options that arrive must be given");
	if (incoming && pk->pk_msg != NULL && pk->pk_msg->ms_anytail)
		lex_fail(lx, "options that arrive must be given");
	if (pk->pk_ra == RA_WITH && (pk->pk_msg == NULL || pk->pk_msg->ms_ip6))
		lex_fail(lx,
		    "only messages over IPv4 have a router alert; those of IPv6 have options");
	if (pk->pk_exts != NULL && !incoming && pk->pk_kind != PK_UDP && pk->pk_kind != PK_MESSAGE)
		lex_fail(lx, "what leaves so has no extension headers");
	if (pk->pk_cut != 0 && (pk->pk_msg == NULL || pk->pk_cut > pk->pk_msg->ms_len))
		lex_fail(lx, "only a message is cut, and to less than it has");
	if (pk->pk_badsum && pk->pk_kind == PK_ICMP)
		lex_fail(lx, "the checksum of an error stays right");
}

struct packet *
parse_packet(struct lex *lx, bool incoming)
{
	struct packet *pk = arena_get(&lx->lx_script->sc_arena, sizeof(*pk));

	pk->pk_tos = pk->pk_ttl = -1;
	parse_ports(lx, pk);
	while (lex_take(lx, "["))
		parse_ip(lx, pk, incoming);
	if (lex_take_word(lx, "udp"))
		parse_udp(lx, pk);
	else if (lex_take_word(lx, "icmp"))
		parse_icmp(lx, pk);
	else if (lex_take_word(lx, "igmp"))
		parse_igmp(lx, pk);
	else if (lex_take_word(lx, "mld"))
		parse_mld(lx, pk);
	else if (lex_take_word(lx, "icmp6"))
		parse_icmp6(lx, pk, incoming);
	else if (lex_take_word(lx, "protocol"))
		parse_proto(lx, pk);
	else
		parse_tcp(lx, pk);
	if (!lx->lx_failed)
		packet_look(lx, pk, incoming);
	return pk;
}
