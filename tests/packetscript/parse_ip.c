/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a script says of the headers in front of a packet, a bracket each: [ect0], [ce], [tos N],
 * [ttl N]; [from ADDRESS], [to ADDRESS], [ether STATION]; [ra], [nora]; [badsum]; [cut N]; and of
 * IPv6, in their order,
 *
 *   [hopopts OPTION ...] [dstopts OPTION ...]    OPTION: pad1, padn N, ralert N, 0xBYTES; padded
 *   [routing TYPE left N [ADDRESS ...]]
 *   [fragment [id N] [at OFFSET] [FROM:TO] [more]]
 *   [header N 0xBYTES]                           without the first, which names the next header
 */
#include <string.h>

#include "lex.h"
#include "wire/be.h"
#include "wire/ip6.h"

#define EXT_MAX 2056u

static void
parse_address(struct lex *lx, struct address *ad)
{
	const struct script *sc = lx->lx_script;

	ad->ad_given = true;
	if (!sc->sc_only4 && !sc->sc_only6)
		lex_fail(lx, "an address needs --ip_version= at the top");
	lex_addr(lx, sc->sc_only6, ad->ad_w);
}

static struct exthdr *
ext_new(struct lex *lx, struct packet *pk, uint8_t proto)
{
	struct arena *a = &lx->lx_script->sc_arena;
	struct exthdr *eh = arena_get(a, sizeof(*eh)), **next = &pk->pk_exts;

	eh->eh_proto = proto;
	eh->eh_bytes = arena_get(a, EXT_MAX);
	eh->eh_len = 1;
	while (*next != NULL)
		next = &(*next)->eh_next;
	*next = eh;
	if (!lx->lx_script->sc_only6)
		lex_fail(lx, "extension headers need --ip_version=ipv6 at the top");
	return eh;
}

static void
ext_put(struct lex *lx, struct exthdr *eh, const uint8_t *bytes, size_t len)
{
	if (eh->eh_len + len > EXT_MAX) {
		lex_fail(lx, "the header is too long");
		return;
	}
	memcpy(eh->eh_bytes + eh->eh_len, bytes, len);
	eh->eh_len += len;
}

/* => false: no option */
static bool
parse_option(struct lex *lx, struct exthdr *eh)
{
	uint8_t bytes[257] = {0};
	uint32_t value;
	size_t n = 0;

	if (lex_take_word(lx, "pad1")) {
		n = 1;
	} else if (lex_take_word(lx, "padn")) {
		lex_u32(lx, &value);
		if (value < 2 || value > sizeof(bytes))
			return lex_fail(lx, "such padding has 2 to 257 bytes");
		bytes[0] = IP6_OPT_PADN;
		bytes[1] = (uint8_t)(value - 2);
		n = value;
	} else if (lex_take_word(lx, "ralert")) {
		lex_u32(lx, &value);
		bytes[0] = IP6_OPT_RALERT;
		bytes[1] = 2;
		be16_put(bytes + 2, (uint16_t)value);
		n = 4;
	} else if (lex_peek(lx, "0x")) {
		n = lex_bytes(lx, bytes, sizeof(bytes));
	}
	ext_put(lx, eh, bytes, n);
	return n > 0;
}

static void
parse_options(struct lex *lx, struct packet *pk, uint8_t proto)
{
	static const uint8_t zeroes[IP6_EXT_UNIT];
	struct exthdr *eh = ext_new(lx, pk, proto);
	size_t missing;

	eh->eh_len = 2;
	while (!lx->lx_failed && parse_option(lx, eh))
		continue;
	missing = -eh->eh_len % IP6_EXT_UNIT;
	ext_put(lx, eh, zeroes, missing);
	if (missing > 1) {
		eh->eh_bytes[eh->eh_len - missing] = IP6_OPT_PADN;
		eh->eh_bytes[eh->eh_len - missing + 1] = (uint8_t)(missing - 2);
	}
	if (eh->eh_len / IP6_EXT_UNIT > 256)
		lex_fail(lx, "the header is too long");
	eh->eh_bytes[1] = (uint8_t)(eh->eh_len / IP6_EXT_UNIT - 1);
}

static void
parse_routing(struct lex *lx, struct packet *pk)
{
	struct exthdr *eh = ext_new(lx, pk, IP6_NXT_ROUTING);
	uint8_t head[7] = {0}, bytes[16];
	uint32_t type, addr[4];

	lex_u32(lx, &type);
	head[1] = (uint8_t)type;
	head[2] = (uint8_t)lex_worth(lx, "left", 0);
	ext_put(lx, eh, head, sizeof(head));
	while (!lx->lx_failed && !lex_peek(lx, "]")) {
		lex_addr(lx, true, addr);
		ip6_addr_put(bytes, addr);
		ext_put(lx, eh, bytes, sizeof(bytes));
	}
	eh->eh_bytes[1] = (uint8_t)(eh->eh_len / IP6_EXT_UNIT - 1);
}

static void
parse_fragment(struct lex *lx, struct packet *pk, bool incoming)
{
	struct exthdr *eh = ext_new(lx, pk, IP6_NXT_FRAGMENT);
	struct ip6_frag fh = {0};
	uint32_t at;

	eh->eh_fragment = true;
	eh->eh_anyid = !lex_take_word(lx, "id");
	if (!eh->eh_anyid)
		lex_u32(lx, &fh.if_id);
	else if (incoming)
		lex_fail(lx, "a fragment that arrives has an id");
	at = lex_worth(lx, "at", UINT32_MAX);
	if (!lex_peek(lx, "more") && !lex_peek(lx, "]")) {
		eh->eh_range = true;
		lex_u32(lx, &eh->eh_from);
		lex_need(lx, ":");
		lex_u32(lx, &eh->eh_to);
	}
	fh.if_mf = lex_take_word(lx, "more");
	at = at != UINT32_MAX ? at : eh->eh_from;
	if (!lx->lx_failed && (at % 8 != 0 || at > 65528 || eh->eh_to < eh->eh_from))
		lex_fail(lx, "a fragment begins at a multiple of 8, and ends behind that");
	fh.if_off_bytes = (uint16_t)at;
	ip6_frag_emit(eh->eh_bytes, &fh);
	eh->eh_len = IP6_FRAG_LEN;
}

static void
parse_header(struct lex *lx, struct packet *pk)
{
	uint8_t bytes[EXT_MAX - 1];
	struct exthdr *eh;
	uint32_t proto;
	size_t n;

	lex_u32(lx, &proto);
	eh = ext_new(lx, pk, (uint8_t)proto);
	n = lex_bytes(lx, bytes, sizeof(bytes));
	ext_put(lx, eh, bytes, n);
}

/* => false: the word is about something else */
static bool
parse_ext(struct lex *lx, struct packet *pk, bool incoming)
{
	if (lex_take_word(lx, "hopopts"))
		parse_options(lx, pk, IP6_NXT_HOPOPTS);
	else if (lex_take_word(lx, "dstopts"))
		parse_options(lx, pk, IP6_NXT_DSTOPTS);
	else if (lex_take_word(lx, "routing"))
		parse_routing(lx, pk);
	else if (lex_take_word(lx, "fragment"))
		parse_fragment(lx, pk, incoming);
	else if (lex_take_word(lx, "header"))
		parse_header(lx, pk);
	else
		return false;
	return true;
}

static bool
parse_ecn(struct lex *lx, struct packet *pk)
{
	static const char *const ecn[] = {"noecn", "ect1", "ect0", "ce"};

	for (uint8_t i = 0; i < 4; i++) {
		if (lex_take_word(lx, ecn[i])) {
			pk->pk_tos = i;
			return true;
		}
	}
	if (!lex_take_word(lx, "ect01"))
		return false;
	pk->pk_tos = TOS_ECT01;
	return true;
}

static bool
parse_ends(struct lex *lx, struct packet *pk)
{
	if (lex_take_word(lx, "from")) {
		parse_address(lx, &pk->pk_from);
	} else if (lex_take_word(lx, "to")) {
		parse_address(lx, &pk->pk_to);
	} else if (lex_take_word(lx, "ether")) {
		pk->pk_ether = true;
		lex_station(lx, pk->pk_station);
		if (!lx->lx_script->sc_ether)
			lex_fail(lx, "stations need --interface=ethernet at the top");
	} else {
		return false;
	}
	return true;
}

void
parse_ip(struct lex *lx, struct packet *pk, bool incoming)
{
	uint32_t value = 0;

	if (parse_ecn(lx, pk) || parse_ends(lx, pk) || parse_ext(lx, pk, incoming)) {
		lex_need(lx, "]");
		return;
	}
	if (lex_take_word(lx, "tos")) {
		lex_u32(lx, &value);
		pk->pk_tos = (int)(value & 0xff);
	} else if (lex_take_word(lx, "ttl")) {
		lex_u32(lx, &value);
		pk->pk_ttl = (int)(value & 0xff);
	} else if (lex_take_word(lx, "ra")) {
		pk->pk_ra = RA_WITH;
	} else if (lex_take_word(lx, "nora")) {
		pk->pk_ra = RA_WITHOUT;
	} else if (incoming && lex_take_word(lx, "badsum")) {
		pk->pk_badsum = true;
	} else if (incoming && lex_take_word(lx, "cut")) {
		lex_u32(lx, &value);
		pk->pk_cut = value;
	} else {
		lex_fail(lx, "unknown word about the IP header");
	}
	lex_need(lx, "]");
}
