/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of scripts (IGMP, ICMPv6, any protocol) made into packets, and packets that left compared with
 * them, header by header and field by field. Records of group reports, and the sources of each, may
 * stand in any order: RFC 3376 and RFC 3810 ask for none.
 */
#include <stdio.h>
#include <string.h>

#include "run.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/icmp6.h"
#include "wire/igmp.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"
#include "wire/print.h"

#define HOPS_IN 64 /* of packets that arrive, where neither protocol nor script wants another */
#define QUOTE_MAX (IP6_MTU_MIN - IP6_HDR_LEN - ICMP6_HDR_LEN)

static const uint8_t alert4[4] = {IPV4_OPT_RA, 4, 0, 0};

/* -- ends ------------------------------------------------------------------------------------- */

static void
end_of(const struct run *r, bool ip6, bool local, uint32_t addr[4])
{
	uint32_t addr_be = local ? r->r_localaddr_be : r->r_remoteaddr_be;

	if (ip6)
		ip6_mapped(r, addr_be, addr);
	else
		memcpy(addr, (const uint32_t[4]){addr_be}, 16);
}

/* Routers, and what is told or asked them, have link-local addresses. */
static bool
is_linklocal_talk(const struct message *ms)
{
	uint8_t type = ms->ms_bytes[0];

	return ms->ms_ip6 && ms->ms_proto == IP6_NXT_ICMP6 &&
	    (type == ICMP6_RS || type == ICMP6_RA || type == ICMP6_REDIRECT ||
		type == ICMP6_MLD_QUERY || type == ICMP6_MLD2_REPORT);
}

void
message_from(const struct run *r, const struct packet *pk, bool incoming, uint32_t addr[4])
{
	const struct message *ms = pk->pk_msg;

	if (pk->pk_from.ad_given)
		memcpy(addr, pk->pk_from.ad_w, 16);
	else if (is_linklocal_talk(ms))
		(void)ip6_pton(incoming ? LINKLOCAL_REMOTE : LINKLOCAL_LOCAL, addr);
	else
		end_of(r, ms->ms_ip6, !incoming, addr);
}

void
message_to(const struct run *r, const struct packet *pk, bool incoming, uint32_t addr[4])
{
	if (pk->pk_to.ad_given)
		memcpy(addr, pk->pk_to.ad_w, 16);
	else
		end_of(r, pk->pk_msg->ms_ip6, incoming, addr);
}

/* -- from script to bytes --------------------------------------------------------------------- */

static uint8_t
hops_of(const struct packet *pk)
{
	if (pk->pk_ttl >= 0)
		return (uint8_t)pk->pk_ttl;
	return pk->pk_msg->ms_ttl != 0 ? pk->pk_msg->ms_ttl : HOPS_IN;
}

static int
tos_of(const struct packet *pk)
{
	return pk->pk_tos >= 0 ? pk->pk_tos : pk->pk_msg->ms_tos;
}

static size_t
body_len(const struct packet *pk)
{
	return pk->pk_cut != 0 ? pk->pk_cut : pk->pk_msg->ms_len;
}

/* The message and its checksum; pseudo: of the ends, where it has to do with them. */
static void
body_emit(const struct packet *pk, const uint8_t *nonce, uint32_t pseudo, uint8_t *p)
{
	const struct message *ms = pk->pk_msg;
	size_t len = body_len(pk);

	memcpy(p, ms->ms_bytes, ms->ms_len);
	if (ms->ms_nonce != 0)
		memcpy(p + ms->ms_nonce, nonce, ND_NONCE_LEN);
	if (ms->ms_sumoff != 0 && len >= ms->ms_sumoff + 2)
		be16_put(p + ms->ms_sumoff,
		    cksum_finish(cksum_partial(p, len, pseudo)) ^ pk->pk_badsum);
}

size_t
message_make(struct run *r, const struct packet *pk, bool incoming, uint8_t *out)
{
	const struct message *ms = pk->pk_msg;
	uint32_t from[4], to[4];
	size_t hlen, len = body_len(pk);
	int tos = tos_of(pk);

	message_from(r, pk, incoming, from);
	message_to(r, pk, incoming, to);
	if (ms->ms_ip6) {
		ip6_emit(out,
		    &(struct ip6_hdr){.ip6_tclass = tos < 0 ? 0 : (uint8_t)tos,
			.ip6_plen = (uint16_t)len,
			.ip6_nxt = ms->ms_proto,
			.ip6_hlim = hops_of(pk),
			.ip6_src = {from[0], from[1], from[2], from[3]},
			.ip6_dst = {to[0], to[1], to[2], to[3]}});
		body_emit(pk, r->r_nonce, cksum_pseudo6(from, to, ms->ms_proto, (uint32_t)len),
		    out + IP6_HDR_LEN);
		return IP6_HDR_LEN + len;
	}
	hlen = IPV4_HDR_LEN + (pk->pk_ra == RA_WITH ? sizeof(alert4) : 0);
	(void)ipv4_emit_opts(out,
	    &(struct ipv4_hdr){.ip_len = (uint16_t)(hlen + len),
		.ip_tos = tos < 0 ? 0 : (uint8_t)tos,
		.ip_ttl = hops_of(pk),
		.ip_p = ms->ms_proto,
		.ip_src_be = from[0],
		.ip_dst_be = to[0]},
	    alert4, hlen - IPV4_HDR_LEN);
	body_emit(pk, NULL, 0, out + hlen);
	return hlen + len;
}

/* -- group records ---------------------------------------------------------------------------- */

struct record {
	const uint8_t *rc_p;
	size_t rc_len;
	size_t rc_nsources;
};

/* => false: there is none, or it is cut */
static bool
record_at(const uint8_t *p, size_t len, size_t addrlen, struct record *rc)
{
	if (len < 4 + addrlen)
		return false;
	rc->rc_p = p;
	rc->rc_nsources = be16_get(p + 2);
	rc->rc_len = 4 + addrlen * (1 + rc->rc_nsources) + 4 * (size_t)p[1];
	return rc->rc_len <= len;
}

static bool
record_has(const struct record *rc, const uint8_t *source, size_t addrlen)
{
	for (size_t i = 0; i < rc->rc_nsources; i++) {
		if (memcmp(rc->rc_p + 4 + addrlen * (1 + i), source, addrlen) == 0)
			return true;
	}
	return false;
}

/* The same kind, group and set of sources; those of `want` differ from each other. */
static bool
record_equal(const struct record *want, const struct record *got, size_t addrlen)
{
	if (want->rc_len != got->rc_len || memcmp(want->rc_p, got->rc_p, 4 + addrlen) != 0)
		return false;
	for (size_t i = 0; i < want->rc_nsources; i++) {
		if (!record_has(got, want->rc_p + 4 + addrlen * (1 + i), addrlen))
			return false;
	}
	return true;
}

/* How many of the records in p are as rc. */
static unsigned
record_count(const struct record *rc, const uint8_t *p, size_t len, size_t addrlen)
{
	struct record other;
	unsigned n = 0;

	for (; record_at(p, len, addrlen, &other); p += other.rc_len, len -= other.rc_len)
		n += record_equal(rc, &other, addrlen);
	return n;
}

/* Both lists have the same number of records. */
static bool
records_match(const uint8_t *want, size_t wantlen, const uint8_t *got, size_t gotlen,
    size_t addrlen)
{
	struct record rc;
	size_t len = wantlen;
	const uint8_t *p = want;

	for (; record_at(p, len, addrlen, &rc); p += rc.rc_len, len -= rc.rc_len) {
		if (record_count(&rc, want, wantlen, addrlen) !=
		    record_count(&rc, got, gotlen, addrlen))
			return false;
	}
	return wantlen == gotlen;
}

/* -- comparing -------------------------------------------------------------------------------- */

/* The quote is the beginning of what arrived, as much of it as fits. */
static bool
quote_match(const struct run *r, const uint8_t *p, size_t len)
{
	const struct injected *in;

	for (in = r->r_injected; in != NULL; in = in->in_next) {
		if (len == (in->in_len < QUOTE_MAX ? in->in_len : QUOTE_MAX) &&
		    memcmp(p, in->in_bytes, len) == 0)
			return true;
	}
	return false;
}

static const char *
body_wrong(struct run *r, const struct message *ms, const uint8_t *p, size_t len)
{
	const struct message_field *mf;
	static char what[60];

	for (mf = ms->ms_fields; mf != NULL; mf = mf->mf_next) {
		if (mf->mf_off + mf->mf_len <= len &&
		    memcmp(p + mf->mf_off, ms->ms_bytes + mf->mf_off, mf->mf_len) == 0)
			continue;
		snprintf(what, sizeof(what), "another message: the %s", mf->mf_name);
		return what;
	}
	if (ms->ms_records != 0 && len >= ms->ms_records &&
	    !records_match(ms->ms_bytes + ms->ms_records, ms->ms_len - ms->ms_records,
		p + ms->ms_records, len - ms->ms_records, ms->ms_ip6 ? 16 : 4))
		return "other group records";
	if (ms->ms_quotes)
		return quote_match(r, p + ms->ms_len, len - ms->ms_len)
		    ? NULL
		    : "an error that quotes no packet that arrived";
	if (!ms->ms_anytail && len != ms->ms_len)
		return "another length";
	if (ms->ms_nonce != 0)
		memcpy(r->r_nonce, p + ms->ms_nonce, ND_NONCE_LEN);
	return NULL;
}

/* What both versions have alike. */
static const char *
ends_wrong(const struct run *r, const struct packet *pk, const uint32_t from[4],
    const uint32_t to[4], size_t words)
{
	uint32_t want[4];

	message_from(r, pk, false, want);
	if (memcmp(want, from, words * 4) != 0)
		return "another source address";
	message_to(r, pk, false, want);
	return memcmp(want, to, words * 4) != 0 ? "another destination address" : NULL;
}

static const char *
hops_wrong(const struct packet *pk, uint8_t hops, uint8_t tos)
{
	uint8_t wanted = pk->pk_msg->ms_ttl;

	if (pk->pk_ttl >= 0)
		wanted = (uint8_t)pk->pk_ttl;
	if ((wanted != 0 || pk->pk_ttl >= 0) && hops != wanted)
		return "another time to live";
	return tos_of(pk) >= 0 && tos != tos_of(pk) ? "another type of service" : NULL;
}

static const char *
wrong4(struct run *r, const struct packet *pk, const struct captured *cp)
{
	const struct message *ms = pk->pk_msg;
	const uint8_t *p = cp->cp_bytes;
	struct ipv4_hdr ip;
	const char *what;
	size_t optlen;

	if (ipv4_parse(p, cp->cp_len, &ip) != IPV4_PARSE_OK || !ipv4_cksum_ok(p, ip.ip_hl))
		return "no IPv4 packet that makes sense";
	if (ip.ip_p != ms->ms_proto)
		return "another protocol";
	what = ends_wrong(r, pk, (const uint32_t[4]){ip.ip_src_be},
	    (const uint32_t[4]){ip.ip_dst_be}, 1);
	if (what == NULL)
		what = hops_wrong(pk, ip.ip_ttl, ip.ip_tos);
	if (what != NULL)
		return what;
	optlen = (size_t)ip.ip_hl - IPV4_HDR_LEN;
	if (optlen != (pk->pk_ra == RA_WITH ? sizeof(alert4) : 0) ||
	    memcmp(p + IPV4_HDR_LEN, alert4, optlen) != 0)
		return "other options of IPv4: the router alert";
	p += ip.ip_hl;
	if (ms->ms_sumoff != 0 &&
	    cksum_finish(cksum_partial(p, (size_t)ip.ip_len - ip.ip_hl, 0)) != 0)
		return "a wrong checksum";
	return body_wrong(r, ms, p, (size_t)ip.ip_len - ip.ip_hl);
}

static const char *
wrong6(struct run *r, const struct packet *pk, const struct captured *cp)
{
	const struct message *ms = pk->pk_msg;
	const uint8_t *p = cp->cp_bytes;
	struct ip6_hdr ip6;
	const char *what;
	uint8_t nxt;
	size_t off, len;

	if (ip6_parse_partial(p, cp->cp_len, cp->cp_len, &ip6) != IP6_PARSE_OK)
		return "no IPv6 packet that makes sense";
	off = ip6_headers(p, cp->cp_len, &nxt);
	len = cp->cp_len - off;
	if (nxt != ms->ms_proto)
		return "another protocol";
	what = ends_wrong(r, pk, ip6.ip6_src, ip6.ip6_dst, 4);
	if (what == NULL)
		what = hops_wrong(pk, ip6.ip6_hlim, ip6.ip6_tclass);
	if (what != NULL)
		return what;
	if (!exthdrs_match(pk->pk_exts, p, cp->cp_len))
		return "other extension headers";
	if (ms->ms_sumoff != 0 &&
	    cksum_finish(cksum_partial(p + off, len,
		cksum_pseudo6(ip6.ip6_src, ip6.ip6_dst, nxt, (uint32_t)len))) != 0)
		return "a wrong checksum";
	return body_wrong(r, ms, p + off, len);
}

const char *
message_wrong(struct run *r, const struct packet *pk, const struct captured *cp)
{
	return pk->pk_msg->ms_ip6 ? wrong6(r, pk, cp) : wrong4(r, pk, cp);
}
