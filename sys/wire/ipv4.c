/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 headers and options to and from bytes (RFC 791). */
#include "wire/ipv4.h"

#include <assert.h>
#include <string.h>

#include "wire/cksum.h"
#include "wire/optlen.h"

#define OFF_TOS 1
#define OFF_LEN 2
#define OFF_ID 4
#define OFF_FRAG 6
#define OFF_TTL 8
#define OFF_PROTO 9
#define OFF_SUM 10
#define OFF_SRC 12
#define OFF_DST 16

#define FRAG_DF 0x4000
#define FRAG_MF 0x2000
#define FRAG_OFFMASK 0x1fff

static void
ipv4_read(const uint8_t *p, struct ipv4_hdr *ip)
{
	uint16_t frag = be16_get(p + OFF_FRAG);

	ip->ip_hl = (uint8_t)((p[0] & 0x0f) << 2);
	ip->ip_tos = p[OFF_TOS];
	ip->ip_len = be16_get(p + OFF_LEN);
	ip->ip_id = be16_get(p + OFF_ID);
	ip->ip_df = (frag & FRAG_DF) != 0;
	ip->ip_mf = (frag & FRAG_MF) != 0;
	ip->ip_fragoff_bytes = (uint16_t)((frag & FRAG_OFFMASK) << 3);
	ip->ip_ttl = p[OFF_TTL];
	ip->ip_p = p[OFF_PROTO];
	ip->ip_sum = be16_get(p + OFF_SUM);
	ip->ip_src_be = raw32_get(p + OFF_SRC);
	ip->ip_dst_be = raw32_get(p + OFF_DST);
}

enum ipv4_parse_result
ipv4_parse_partial(const uint8_t *p, size_t len, size_t pkt_len, struct ipv4_hdr *ip)
{
	if (len < IPV4_HDR_LEN || pkt_len < IPV4_HDR_LEN)
		return IPV4_PARSE_SHORT;
	if (p[0] >> 4 != 4)
		return IPV4_PARSE_VERSION;
	ipv4_read(p, ip);
	if (ip->ip_hl < IPV4_HDR_LEN)
		return IPV4_PARSE_HLEN;
	if (ip->ip_hl > pkt_len)
		return IPV4_PARSE_SHORT;
	if (ip->ip_len < ip->ip_hl)
		return IPV4_PARSE_LEN;
	return ip->ip_len > pkt_len ? IPV4_PARSE_TRUNCATED : IPV4_PARSE_OK;
}

enum ipv4_parse_result
ipv4_parse(const uint8_t *p, size_t len, struct ipv4_hdr *ip)
{
	return ipv4_parse_partial(p, len, len, ip);
}

const char *
ipv4_parse_name(enum ipv4_parse_result result)
{
	static const char *const names[] = {
	    [IPV4_PARSE_OK] = "ok",
	    [IPV4_PARSE_SHORT] = "short",
	    [IPV4_PARSE_VERSION] = "not version 4",
	    [IPV4_PARSE_HLEN] = "bad header length",
	    [IPV4_PARSE_LEN] = "length below the header's",
	    [IPV4_PARSE_TRUNCATED] = "length beyond the packet",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == IPV4_PARSE_NRESULTS, "a name each");
	return names[result];
}

bool
ipv4_cksum_ok(const uint8_t *p, size_t ip_hl)
{
	return cksum_finish(cksum_partial(p, ip_hl, 0)) == 0;
}

/* Writes the fixed part, with a checksum over hl bytes: options must be in place already. */
static void
ipv4_write(uint8_t *p, const struct ipv4_hdr *ip, size_t hl)
{
	unsigned frag = ip->ip_fragoff_bytes >> 3;

	frag |= ip->ip_df ? FRAG_DF : 0;
	frag |= ip->ip_mf ? FRAG_MF : 0;
	p[0] = (uint8_t)(4 << 4 | hl >> 2);
	p[OFF_TOS] = ip->ip_tos;
	be16_put(p + OFF_LEN, ip->ip_len);
	be16_put(p + OFF_ID, ip->ip_id);
	be16_put(p + OFF_FRAG, (uint16_t)frag);
	p[OFF_TTL] = ip->ip_ttl;
	p[OFF_PROTO] = ip->ip_p;
	be16_put(p + OFF_SUM, 0);
	raw32_put(p + OFF_SRC, ip->ip_src_be);
	raw32_put(p + OFF_DST, ip->ip_dst_be);
	be16_put(p + OFF_SUM, cksum_finish(cksum_partial(p, hl, 0)));
}

void
ipv4_emit(uint8_t *p, const struct ipv4_hdr *ip)
{
	ipv4_write(p, ip, IPV4_HDR_LEN);
}

void
ipv4_set_len(uint8_t *p, uint16_t len)
{
	be16_put(p + OFF_LEN, len);
}

size_t
ipv4_emit_opts(uint8_t *p, const struct ipv4_hdr *ip, const uint8_t *opts, size_t opts_len)
{
	size_t padded = (opts_len + 3) & ~(size_t)3;

	if (opts_len > IPV4_OPTS_LEN_MAX)
		return 0;
	if (opts_len > 0)
		memcpy(p + IPV4_HDR_LEN, opts, opts_len);
	memset(p + IPV4_HDR_LEN + opts_len, IPV4_OPT_EOL, padded - opts_len);
	ipv4_write(p, ip, IPV4_HDR_LEN + padded);
	return IPV4_HDR_LEN + padded;
}

void
ipv4_opt_first(struct ipv4_opt_iter *iter, const uint8_t *opts, size_t len)
{
	iter->oi_p = opts;
	iter->oi_left = len;
	iter->oi_malformed = false;
}

bool
ipv4_opt_next(struct ipv4_opt_iter *iter, struct ipv4_opt *opt)
{
	while (iter->oi_left > 0 && iter->oi_p[0] != OPT_EOL) {
		size_t n = opt_len_at(iter->oi_p, iter->oi_left);

		if (n == 0) {
			iter->oi_malformed = true;
			break;
		}
		opt->opt_type = iter->oi_p[0];
		opt->opt_len = (uint8_t)n;
		opt->opt_p = iter->oi_p;
		iter->oi_p += n;
		iter->oi_left -= n;
		if (opt->opt_type != OPT_NOP)
			return true;
	}
	iter->oi_left = 0;
	return false;
}

/*
 * Does the pointer octet of an option that holds a list of entries lead to an entry that is wholly
 * inside it, or behind the last one?
 */
static bool
ipv4_opt_pointer_ok(const struct ipv4_opt *opt, unsigned first, unsigned entry_len)
{
	unsigned pointer;

	if (opt->opt_len < first - 1)
		return false;
	pointer = opt->opt_p[2]; /* counts octets from 1 */
	return pointer >= first &&
	    (pointer > opt->opt_len || pointer - 1 + entry_len <= opt->opt_len);
}

/* The IPV4_OPTF_ bit of an option; *ok tells whether its inside makes sense. */
static unsigned
ipv4_opt_check(const struct ipv4_opt *opt, bool *ok)
{
	*ok = true;
	switch (opt->opt_type) {
	case IPV4_OPT_LSRR:
	case IPV4_OPT_SSRR:
		*ok = ipv4_opt_pointer_ok(opt, 4, 4);
		return IPV4_OPTF_SRCROUTE;
	case IPV4_OPT_RR:
		*ok = ipv4_opt_pointer_ok(opt, 4, 4);
		return IPV4_OPTF_RR;
	case IPV4_OPT_TS:
		/* flag 0 records times only; others an address with each (RFC 791 §3.1) */
		*ok = opt->opt_len >= 4 &&
		    ipv4_opt_pointer_ok(opt, 5, (opt->opt_p[3] & 0x0f) == 0 ? 4 : 8);
		return IPV4_OPTF_TS;
	case IPV4_OPT_RA:
		*ok = opt->opt_len == 4;
		return IPV4_OPTF_RA;
	default:
		return IPV4_OPTF_OTHER;
	}
}

int
ipv4_opts_scan(const uint8_t *opts, size_t len, unsigned *found)
{
	struct ipv4_opt_iter iter;
	struct ipv4_opt opt;
	bool ok;

	*found = 0;
	ipv4_opt_first(&iter, opts, len);
	while (ipv4_opt_next(&iter, &opt)) {
		*found |= ipv4_opt_check(&opt, &ok);
		if (!ok)
			return -1;
	}
	return iter.oi_malformed ? -1 : 0;
}
