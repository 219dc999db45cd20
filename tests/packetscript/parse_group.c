/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages about groups, IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810), which differ in the size of
 * addresses and little else:
 *
 *   igmp v1 query; igmp v2 query [code N] [group GROUP]
 *   igmp v3 query [code N] [qrv N] [qqic N] [suppress] [group GROUP] [{SOURCE ...}]
 *   igmp v3 report <TYPE GROUP [{SOURCE ...}], ...>; igmp v1|v2 report GROUP; igmp v2 leave GROUP
 *   mld v1|v2 query as those of igmp v2, v3; mld v2 report <...>; mld v1 report|done GROUP
 *
 * TYPE is is_in, is_ex, to_in, to_ex, allow or block. The code is the byte, or of MLD the two, as on
 * the wire.
 */
#include <string.h>

#include "lex.h"
#include "wire/be.h"
#include "wire/icmp6.h"
#include "wire/igmp.h"

#define IGMP_TOS 0xc0 /* RFC 3376 §4 */
#define SOURCES_MAX 100u
#define QUERY_SUPPRESS 0x08

static void
to_group(struct packet *pk, const uint32_t group[4])
{
	if (pk->pk_to.ad_given)
		return;
	pk->pk_to.ad_given = true;
	memcpy(pk->pk_to.ad_w, group, sizeof(pk->pk_to.ad_w));
}

/* Groups of all nodes, routers or reports' receivers: 224.0.0.N, ff02::N. */
static void
to_wellknown(struct packet *pk, bool mld, uint8_t igmp, uint8_t mldgroup)
{
	const uint32_t group4[4] = {ipv4_addr_be(224, 0, 0, igmp)};
	const uint32_t group6[4] = {htobe32(0xff020000), 0, 0, htobe32(mldgroup)};

	to_group(pk, mld ? group6 : group4);
}

/* {a b c}, which may be missing: their number, then they themselves. => how many there are */
static unsigned
parse_sources(struct lex *lx, bool mld, uint32_t srcs[SOURCES_MAX][4])
{
	unsigned n = 0;

	if (!lex_take(lx, "{"))
		return 0;
	while (!lx->lx_failed && !lex_take(lx, "}")) {
		if (n == SOURCES_MAX)
			lex_fail(lx, "more sources than fit");
		else
			lex_addr(lx, mld, srcs[n++]);
	}
	return n;
}

static void
put_sources(struct lex *lx, struct message *ms, uint32_t srcs[SOURCES_MAX][4], unsigned n)
{
	message_put16(lx, ms, "number of sources", n);
	for (unsigned i = 0; i < n; i++)
		message_putaddr(lx, ms, "source", srcs[i]);
}

static void
parse_record(struct lex *lx, struct message *ms)
{
	static const char *const types[] = {"is_in", "is_ex", "to_in", "to_ex", "allow", "block"};
	uint32_t srcs[SOURCES_MAX][4], group[4];
	uint8_t head[4] = {0};
	unsigned n;

	for (uint8_t i = 0; i < 6 && head[0] == 0; i++) {
		if (lex_take_word(lx, types[i]))
			head[0] = i + 1;
	}
	if (head[0] == 0)
		lex_fail(lx, "kind of group record expected");
	lex_addr(lx, ms->ms_ip6, group);
	n = parse_sources(lx, ms->ms_ip6, srcs);
	be16_put(head + 2, (uint16_t)n);
	message_put(lx, ms, NULL, head, sizeof(head));
	message_putaddr(lx, ms, NULL, group);
	for (unsigned i = 0; i < n; i++)
		message_putaddr(lx, ms, NULL, srcs[i]);
}

static void
parse_records(struct lex *lx, struct packet *pk, struct message *ms, bool mld)
{
	uint32_t n = 0;

	message_put8(lx, ms, "type", mld ? ICMP6_MLD2_REPORT : IGMP_V3_HOST_MEMBERSHIP_REPORT);
	message_put8(lx, ms, "code", 0);
	message_put16(lx, ms, NULL, 0);
	message_put16(lx, ms, "reserved bytes", 0);
	message_put16(lx, ms, "number of records", 0);
	ms->ms_records = ms->ms_len;
	lex_need(lx, "<");
	do {
		parse_record(lx, ms);
		n++;
	} while (!lx->lx_failed && lex_take(lx, ","));
	lex_need(lx, ">");
	if (!lx->lx_failed)
		be16_put(ms->ms_bytes + ms->ms_records - 2, (uint16_t)n);
	to_wellknown(pk, mld, 22, 0x16);
}

static void
parse_query(struct lex *lx, struct packet *pk, struct message *ms, uint32_t version)
{
	bool mld = ms->ms_ip6, newest = version == (mld ? 2 : 3);
	uint32_t srcs[SOURCES_MAX][4], group[4] = {0};
	uint32_t code = lex_worth(lx, "code", version == 1 && !mld ? 0 : mld ? 10000 : 100);
	uint32_t qrv = lex_worth(lx, "qrv", 2), qqic = lex_worth(lx, "qqic", 125);
	unsigned n;

	if (lex_take_word(lx, "suppress"))
		qrv |= QUERY_SUPPRESS;
	message_put8(lx, ms, "type", mld ? ICMP6_MLD_QUERY : IGMP_HOST_MEMBERSHIP_QUERY);
	message_put8(lx, ms, "code", mld ? 0 : code);
	message_put16(lx, ms, NULL, 0);
	if (mld) {
		message_put16(lx, ms, "delay", code);
		message_put16(lx, ms, "reserved bytes", 0);
	}
	if (lex_take_word(lx, "group"))
		lex_addr(lx, mld, group);
	message_putaddr(lx, ms, "group", group);
	if (newest) {
		message_put8(lx, ms, "robustness", qrv);
		message_put8(lx, ms, "interval", qqic);
		n = parse_sources(lx, mld, srcs);
		put_sources(lx, ms, srcs, n);
	}
	if ((group[0] | group[1] | group[2] | group[3]) != 0)
		to_group(pk, group);
	to_wellknown(pk, mld, 1, 1);
}

/* type, code, sum, of MLD four bytes, group: reports of the older versions, leaves */
static void
parse_older(struct lex *lx, struct packet *pk, struct message *ms, uint8_t type)
{
	uint32_t group[4];

	message_put8(lx, ms, "type", type);
	message_put8(lx, ms, "code", 0);
	message_put16(lx, ms, NULL, 0);
	if (ms->ms_ip6)
		message_put32(lx, ms, "reserved bytes", 0);
	lex_addr(lx, ms->ms_ip6, group);
	message_putaddr(lx, ms, "group", group);
	if (type == IGMP_HOST_LEAVE_MESSAGE || type == ICMP6_MLD_DONE)
		to_wellknown(pk, ms->ms_ip6, 2, 2);
	to_group(pk, group);
}

/* v1, v2, v3 => 0: none of them */
static uint32_t
parse_version(struct lex *lx, uint32_t newest)
{
	static const char *const versions[] = {"v1", "v2", "v3"};

	for (uint32_t i = 0; i < newest; i++) {
		if (lex_take_word(lx, versions[i]))
			return i + 1;
	}
	lex_fail(lx, "version expected");
	return 0;
}

void
parse_igmp(struct lex *lx, struct packet *pk)
{
	struct message *ms = message_new(lx, pk, false, IPV4_PROTO_IGMP);
	uint32_t version = parse_version(lx, 3);

	ms->ms_sumoff = 2;
	ms->ms_ttl = 1;
	ms->ms_tos = IGMP_TOS;
	if (pk->pk_ra == RA_DEFAULT)
		pk->pk_ra = RA_WITH;
	if (!lx->lx_script->sc_only4)
		lex_fail(lx, "IGMP needs --ip_version=ipv4 at the top");
	if (lex_take_word(lx, "query"))
		parse_query(lx, pk, ms, version);
	else if (version == 3 && lex_take_word(lx, "report"))
		parse_records(lx, pk, ms, false);
	else if (lex_take_word(lx, "report"))
		parse_older(lx, pk, ms,
		    version == 1 ? IGMP_V1_HOST_MEMBERSHIP_REPORT : IGMP_V2_HOST_MEMBERSHIP_REPORT);
	else if (version == 2 && lex_take_word(lx, "leave"))
		parse_older(lx, pk, ms, IGMP_HOST_LEAVE_MESSAGE);
	else
		lex_fail(lx, "kind of message expected");
}

/* Where a script gives no headers, those of RFC 3810 §5: hop-by-hop options with a router alert. */
static void
mld_headers(struct lex *lx, struct packet *pk)
{
	static const uint8_t alert[] = {0, 0, IP6_OPT_RALERT, 2, 0, 0, IP6_OPT_PADN, 0};
	struct exthdr *eh;

	if (pk->pk_exts != NULL || pk->pk_ra == RA_WITHOUT)
		return;
	eh = arena_get(&lx->lx_script->sc_arena, sizeof(*eh));
	eh->eh_proto = IP6_NXT_HOPOPTS;
	eh->eh_len = sizeof(alert);
	eh->eh_bytes = arena_get(&lx->lx_script->sc_arena, sizeof(alert));
	memcpy(eh->eh_bytes, alert, sizeof(alert));
	pk->pk_exts = eh;
}

void
parse_mld(struct lex *lx, struct packet *pk)
{
	struct message *ms = message_new(lx, pk, true, IP6_NXT_ICMP6);
	uint32_t version = parse_version(lx, 2);

	ms->ms_sumoff = ICMP6_OFF_SUM;
	ms->ms_ttl = 1;
	mld_headers(lx, pk);
	if (!lx->lx_script->sc_only6)
		lex_fail(lx, "MLD needs --ip_version=ipv6 at the top");
	if (lex_take_word(lx, "query"))
		parse_query(lx, pk, ms, version);
	else if (version == 2 && lex_take_word(lx, "report"))
		parse_records(lx, pk, ms, true);
	else if (version == 1 && lex_take_word(lx, "report"))
		parse_older(lx, pk, ms, ICMP6_MLD_REPORT);
	else if (version == 1 && lex_take_word(lx, "done"))
		parse_older(lx, pk, ms, ICMP6_MLD_DONE);
	else
		lex_fail(lx, "kind of message expected");
}
