/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMPv6 (RFC 4443) and Neighbour Discovery (RFC 4861):
 *
 *   icmp6 rs [<OPTION, ...>]
 *   icmp6 ra [hlim N] [flags N] [lifetime N] [reachable N] [retrans N] [<OPTION, ...>]
 *   icmp6 ns TARGET [<OPTION, ...>]
 *   icmp6 na TARGET [router] [solicited] [override] [<OPTION, ...>]
 *   icmp6 redirect TARGET DESTINATION [<OPTION, ...>]
 *   icmp6 echo|echoreply id N seq N (BYTES)
 *   icmp6 unreachable|toobig|timexceeded|paramprob [code N] [mtu N | pointer N]
 *   icmp6 type N [code N] 0xBYTES
 *
 * OPTION: slla STATION, tlla STATION, mtu N, prefix PREFIX/LEN [onlink] [auto] valid N preferred N, nonce, or
 * 0xBYTES; <...>: any. A nonce that leaves is the stack's, one that arrives its latest. An error that leaves
 * quotes what has arrived.
 */
#include <stdlib.h>
#include <string.h>

#include "lex.h"
#include "wire/be.h"
#include "wire/icmp6.h"
#include "wire/print.h"

#define RAW_MAX 512u

static void
put_head(struct lex *lx, struct message *ms, uint8_t type, uint32_t code)
{
	message_put8(lx, ms, "type", type);
	message_put8(lx, ms, "code", code);
	message_put16(lx, ms, NULL, 0);
}

/* -- options ---------------------------------------------------------------------------------- */

static void
parse_opt_station(struct lex *lx, struct message *ms, uint8_t type)
{
	uint8_t opt[ND_OPT_LLA_LEN], station[6] = {0};

	lex_station(lx, station);
	(void)nd_opt_lla_emit(opt, type, station);
	message_put(lx, ms, type == ND_OPT_SLLA ? "source station" : "target station", opt,
	    sizeof(opt));
}

/* 2001:db8::/64 */
static void
parse_opt_prefix(struct lex *lx, struct message *ms)
{
	char text[IP6_ADDRSTRLEN + 4] = "", *slash;
	uint8_t opt[ND_OPT_PREFIX_LEN] = {ND_OPT_PREFIX, ND_OPT_PREFIX_LEN / 8};
	uint32_t prefix[4];

	(void)lex_token(lx, text, sizeof(text));
	slash = strchr(text, '/');
	if (slash != NULL)
		*slash = '\0';
	if (slash == NULL || ip6_pton(text, prefix) != 0) {
		lex_fail(lx, "prefix expected");
		return;
	}
	ip6_addr_put(opt + 16, prefix);
	opt[2] = (uint8_t)strtoul(slash + 1, NULL, 10);
	if (lex_take_word(lx, "onlink"))
		opt[3] |= 0x80;
	if (lex_take_word(lx, "auto"))
		opt[3] |= 0x40;
	be32_put(opt + 4, lex_worth(lx, "valid", 2592000));
	be32_put(opt + 8, lex_worth(lx, "preferred", be32_get(opt + 4)));
	message_put(lx, ms, "prefix", opt, sizeof(opt));
}

static void
parse_opt_mtu(struct lex *lx, struct message *ms)
{
	uint8_t opt[ND_OPT_MTU_LEN] = {ND_OPT_MTU, 1};
	uint32_t mtu;

	lex_u32(lx, &mtu);
	be32_put(opt + 4, mtu);
	message_put(lx, ms, "MTU", opt, sizeof(opt));
}

static void
parse_opt_nonce(struct lex *lx, struct message *ms)
{
	static const uint8_t head[2] = {ND_OPT_NONCE, 1}, room[ND_NONCE_LEN];

	message_put(lx, ms, "nonce option", head, sizeof(head));
	ms->ms_nonce = ms->ms_len;
	message_put(lx, ms, NULL, room, sizeof(room));
}

static void
parse_opt(struct lex *lx, struct message *ms)
{
	uint8_t raw[RAW_MAX];
	size_t n;

	if (lex_take_word(lx, "slla"))
		parse_opt_station(lx, ms, ND_OPT_SLLA);
	else if (lex_take_word(lx, "tlla"))
		parse_opt_station(lx, ms, ND_OPT_TLLA);
	else if (lex_take_word(lx, "mtu"))
		parse_opt_mtu(lx, ms);
	else if (lex_take_word(lx, "prefix"))
		parse_opt_prefix(lx, ms);
	else if (lex_take_word(lx, "nonce"))
		parse_opt_nonce(lx, ms);
	else if (lex_peek(lx, "0x") && (n = lex_bytes(lx, raw, sizeof(raw))) > 0)
		message_put(lx, ms, "option", raw, n);
	else
		lex_fail(lx, "unknown option");
}

static void
parse_opts(struct lex *lx, struct message *ms)
{
	if (!lex_take(lx, "<"))
		return;
	if (lex_take(lx, "...")) {
		ms->ms_anytail = true;
	} else {
		do
			parse_opt(lx, ms);
		while (!lx->lx_failed && lex_take(lx, ","));
	}
	lex_need(lx, ">");
}

/* -- Neighbour Discovery ---------------------------------------------------------------------- */

static void
to_default(struct packet *pk, const uint32_t addr[4])
{
	if (!pk->pk_to.ad_given)
		memcpy(pk->pk_to.ad_w, addr, sizeof(pk->pk_to.ad_w));
	pk->pk_to.ad_given = true;
}

static void
parse_rs(struct lex *lx, struct packet *pk, struct message *ms)
{
	put_head(lx, ms, ICMP6_RS, 0);
	message_put32(lx, ms, "reserved bytes", 0);
	to_default(pk, (const uint32_t[]){htobe32(0xff020000), 0, 0, htobe32(2)});
}

static void
parse_ra(struct lex *lx, struct packet *pk, struct message *ms)
{
	put_head(lx, ms, ICMP6_RA, 0);
	message_put8(lx, ms, "hop limit", lex_worth(lx, "hlim", 64));
	message_put8(lx, ms, "flags", lex_worth(lx, "flags", 0));
	message_put16(lx, ms, "lifetime", lex_worth(lx, "lifetime", 1800));
	message_put32(lx, ms, "reachable time", lex_worth(lx, "reachable", 0));
	message_put32(lx, ms, "retransmission time", lex_worth(lx, "retrans", 0));
	to_default(pk, (const uint32_t[]){htobe32(0xff020000), 0, 0, htobe32(1)});
}

static void
parse_ns(struct lex *lx, struct packet *pk, struct message *ms)
{
	uint32_t target[4], group[4];

	put_head(lx, ms, ICMP6_NS, 0);
	message_put32(lx, ms, "reserved bytes", 0);
	lex_addr(lx, true, target);
	message_putaddr(lx, ms, "target", target);
	ip6_solicited_node(group, target);
	to_default(pk, group);
}

static void
parse_na(struct lex *lx, struct message *ms)
{
	uint32_t target[4], flags = 0;

	put_head(lx, ms, ICMP6_NA, 0);
	lex_addr(lx, true, target);
	if (lex_take_word(lx, "router"))
		flags |= ND_NA_ROUTER;
	if (lex_take_word(lx, "solicited"))
		flags |= ND_NA_SOLICITED;
	if (lex_take_word(lx, "override"))
		flags |= ND_NA_OVERRIDE;
	message_put32(lx, ms, "flags", flags);
	message_putaddr(lx, ms, "target", target);
}

static void
parse_redirect(struct lex *lx, struct message *ms)
{
	uint32_t addr[4];

	put_head(lx, ms, ICMP6_REDIRECT, 0);
	message_put32(lx, ms, "reserved bytes", 0);
	lex_addr(lx, true, addr);
	message_putaddr(lx, ms, "target", addr);
	lex_addr(lx, true, addr);
	message_putaddr(lx, ms, "destination", addr);
}

/* => false: it is none */
static bool
parse_discovery(struct lex *lx, struct packet *pk, struct message *ms)
{
	if (lex_take_word(lx, "rs"))
		parse_rs(lx, pk, ms);
	else if (lex_take_word(lx, "ra"))
		parse_ra(lx, pk, ms);
	else if (lex_take_word(lx, "ns"))
		parse_ns(lx, pk, ms);
	else if (lex_take_word(lx, "na"))
		parse_na(lx, ms);
	else if (lex_take_word(lx, "redirect"))
		parse_redirect(lx, ms);
	else
		return false;
	ms->ms_ttl = 255;
	parse_opts(lx, ms);
	return true;
}

/* -- the rest --------------------------------------------------------------------------------- */

static bool
parse_echo(struct lex *lx, struct message *ms)
{
	bool reply = lex_take_word(lx, "echoreply");
	uint32_t len = 0;

	if (!reply && !lex_take_word(lx, "echo"))
		return false;
	put_head(lx, ms, reply ? ICMP6_ECHOREPLY : ICMP6_ECHO, 0);
	message_put16(lx, ms, "identifier", lex_worth(lx, "id", 0));
	message_put16(lx, ms, "sequence number", lex_worth(lx, "seq", 0));
	lex_need(lx, "(");
	lex_u32(lx, &len);
	lex_need(lx, ")");
	for (uint32_t i = 0; i < len && !lx->lx_failed; i++)
		message_put8(lx, ms, i == 0 ? "data" : NULL, (i * 37 + 5) & 0xff);
	return true;
}

static bool
parse_error(struct lex *lx, struct message *ms, bool incoming)
{
	static const char *const names[] = {"unreachable", "toobig", "timexceeded", "paramprob"};
	uint32_t code, word;

	for (uint8_t i = 0; i < 4; i++) {
		if (!lex_take_word(lx, names[i]))
			continue;
		code = lex_worth(lx, "code", 0);
		word = lex_worth(lx, "mtu", 0);
		put_head(lx, ms, i + 1, code);
		message_put32(lx, ms, "pointer or MTU", lex_worth(lx, "pointer", word));
		ms->ms_quotes = true;
		if (incoming)
			lex_fail(lx, "an error that arrives is written as one of ICMP");
		return true;
	}
	return false;
}

void
parse_icmp6(struct lex *lx, struct packet *pk, bool incoming)
{
	struct message *ms = message_new(lx, pk, true, IP6_NXT_ICMP6);
	uint8_t raw[RAW_MAX];
	uint32_t type, code;
	size_t n;

	ms->ms_sumoff = ICMP6_OFF_SUM;
	if (!lx->lx_script->sc_only6)
		lex_fail(lx, "ICMPv6 needs --ip_version=ipv6 at the top");
	if (parse_discovery(lx, pk, ms) || parse_echo(lx, ms) || parse_error(lx, ms, incoming))
		return;
	if (!lex_take_word(lx, "type")) {
		lex_fail(lx, "kind of message expected");
		return;
	}
	lex_u32(lx, &type);
	code = lex_worth(lx, "code", 0);
	put_head(lx, ms, (uint8_t)type, code);
	n = lex_bytes(lx, raw, sizeof(raw));
	message_put(lx, ms, "data", raw, n);
}
