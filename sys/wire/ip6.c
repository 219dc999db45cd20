/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 headers, fragment headers and options to and from bytes; arithmetic of addresses. */
#include "wire/ip6.h"

#include <string.h>

#define OFF_SRC 8
#define OFF_DST 24
#define VERSION 6

#define FRAG_OFF_OFFSET 2
#define FRAG_OFF_ID 4
#define FRAG_MF 1
#define FRAG_MASK 0xfff8

void
ip6_addr_get(uint32_t a[4], const uint8_t *p)
{
	memcpy(a, p, 16);
}

void
ip6_addr_put(uint8_t *p, const uint32_t a[4])
{
	memcpy(p, a, 16);
}

enum ip6_parse_result
ip6_parse_partial(const uint8_t *p, size_t len, size_t pkt_len, struct ip6_hdr *ip6)
{
	uint32_t vtf;

	if (len < IP6_HDR_LEN)
		return IP6_PARSE_SHORT;
	vtf = be32_get(p);
	if (vtf >> 28 != VERSION)
		return IP6_PARSE_VERSION;
	ip6->ip6_tclass = (uint8_t)(vtf >> 20);
	ip6->ip6_flow = vtf & 0xfffff;
	ip6->ip6_plen = be16_get(p + IP6_OFF_PLEN);
	ip6->ip6_nxt = p[IP6_OFF_NXT];
	ip6->ip6_hlim = p[IP6_OFF_HLIM];
	ip6_addr_get(ip6->ip6_src, p + OFF_SRC);
	ip6_addr_get(ip6->ip6_dst, p + OFF_DST);
	return pkt_len - IP6_HDR_LEN < ip6->ip6_plen ? IP6_PARSE_TRUNCATED : IP6_PARSE_OK;
}

const char *
ip6_parse_name(enum ip6_parse_result result)
{
	static const char *const names[] = {"ok", "short", "bad version", "truncated"};

	_Static_assert(sizeof(names) / sizeof(names[0]) == IP6_PARSE_NRESULTS, "a name for each");
	return names[result];
}

void
ip6_emit(uint8_t *p, const struct ip6_hdr *ip6)
{
	be32_put(p,
	    (uint32_t)VERSION << 28 | (uint32_t)ip6->ip6_tclass << 20 | (ip6->ip6_flow & 0xfffff));
	be16_put(p + IP6_OFF_PLEN, ip6->ip6_plen);
	p[IP6_OFF_NXT] = ip6->ip6_nxt;
	p[IP6_OFF_HLIM] = ip6->ip6_hlim;
	ip6_addr_put(p + OFF_SRC, ip6->ip6_src);
	ip6_addr_put(p + OFF_DST, ip6->ip6_dst);
}

void
ip6_frag_parse(const uint8_t *p, struct ip6_frag *fh)
{
	uint16_t off = be16_get(p + FRAG_OFF_OFFSET);

	fh->if_nxt = p[0];
	fh->if_mf = (off & FRAG_MF) != 0;
	fh->if_off_bytes = off & FRAG_MASK;
	fh->if_id = be32_get(p + FRAG_OFF_ID);
}

void
ip6_frag_emit(uint8_t *p, const struct ip6_frag *fh)
{
	p[0] = fh->if_nxt;
	p[1] = 0;
	be16_put(p + FRAG_OFF_OFFSET,
	    (uint16_t)((fh->if_off_bytes & FRAG_MASK) | (fh->if_mf ? FRAG_MF : 0)));
	be32_put(p + FRAG_OFF_ID, fh->if_id);
}

void
ip6_opt_first(struct ip6_opt_iter *iter, const uint8_t *opts, size_t len)
{
	*iter = (struct ip6_opt_iter){.oi_p = opts, .oi_len = len};
}

bool
ip6_opt_next(struct ip6_opt_iter *iter, struct ip6_opt *opt)
{
	size_t left;

	while (iter->oi_off < iter->oi_len && !iter->oi_malformed) {
		opt->opt_off = iter->oi_off;
		opt->opt_type = iter->oi_p[iter->oi_off];
		if (opt->opt_type == IP6_OPT_PAD1) {
			iter->oi_off++;
			continue;
		}
		left = iter->oi_len - iter->oi_off;
		if (left < 2 || left - 2 < iter->oi_p[iter->oi_off + 1]) {
			iter->oi_malformed = true;
			return false;
		}
		opt->opt_len = iter->oi_p[iter->oi_off + 1];
		iter->oi_off += 2 + (size_t)opt->opt_len;
		if (opt->opt_type != IP6_OPT_PADN)
			return true;
	}
	return false;
}

unsigned
ip6_addr_common(const uint32_t a[4], const uint32_t b[4])
{
	unsigned i;

	for (i = 0; i < 4; i++)
		if (a[i] != b[i])
			return i * 32 + (unsigned)__builtin_clz(betoh32(a[i] ^ b[i]));
	return 128;
}

void
ip6_addr_mask(uint32_t a[4], unsigned bits)
{
	unsigned i, keep;

	for (i = 0; i < 4; i++) {
		keep = bits < 32 ? bits : 32;
		if (keep < 32)
			a[i] &= keep == 0 ? 0 : htobe32(UINT32_MAX << (32 - keep));
		bits -= keep;
	}
}

void
ip6_solicited_node(uint32_t group[4], const uint32_t a[4])
{
	group[0] = htobe32(0xff020000);
	group[1] = 0;
	group[2] = htobe32(1);
	group[3] = htobe32(0xff000000) | (a[3] & htobe32(0x00ffffff));
}

void
ip6_linklocal_eui64(uint32_t a[4], const uint8_t mac[6])
{
	uint8_t id[8] = {(uint8_t)(mac[0] ^ 2), mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};

	a[0] = htobe32(0xfe800000);
	a[1] = 0;
	memcpy(&a[2], id, sizeof(id));
}
