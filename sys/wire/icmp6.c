/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP for IPv6 and Neighbour Discovery to and from bytes. */
#include "wire/icmp6.h"

#include <string.h>

#define OFF_CODE 1
#define OFF_WORD 4

#define EXT_MAX 8 /* extension headers of a quoted packet that are looked behind */

int
icmp6_parse(const uint8_t *p, size_t len, struct icmp6_hdr *icmp6)
{
	if (len < ICMP6_HDR_LEN)
		return -1;
	icmp6->icmp6_type = p[0];
	icmp6->icmp6_code = p[OFF_CODE];
	icmp6->icmp6_sum = be16_get(p + ICMP6_OFF_SUM);
	icmp6->icmp6_word = be32_get(p + OFF_WORD);
	return 0;
}

void
icmp6_emit(uint8_t *p, const struct icmp6_hdr *icmp6)
{
	p[0] = icmp6->icmp6_type;
	p[OFF_CODE] = icmp6->icmp6_code;
	be16_put(p + ICMP6_OFF_SUM, icmp6->icmp6_sum);
	be32_put(p + OFF_WORD, icmp6->icmp6_word);
}

void
nd_ra_parse(const uint8_t *p, struct nd_ra *ra)
{
	ra->ra_hlim = p[4];
	ra->ra_flags = p[5];
	ra->ra_lifetime_s = be16_get(p + 6);
	ra->ra_reachable_ms = be32_get(p + 8);
	ra->ra_retrans_ms = be32_get(p + 12);
}

void
nd_prefix_parse(const uint8_t *p, struct nd_prefix *pi)
{
	pi->pi_len = p[2];
	pi->pi_onlink = (p[3] & 0x80) != 0;
	pi->pi_auto = (p[3] & 0x40) != 0;
	pi->pi_valid_s = be32_get(p + 4);
	pi->pi_preferred_s = be32_get(p + 8);
	ip6_addr_get(pi->pi_prefix, p + 16);
}

/* Bytes that an option of a known type has; 0: any. */
static size_t
nd_opt_size(uint8_t type)
{
	switch (type) {
	case ND_OPT_SLLA:
	case ND_OPT_TLLA:
		return ND_OPT_LLA_LEN;
	case ND_OPT_MTU:
		return ND_OPT_MTU_LEN;
	case ND_OPT_PREFIX:
		return ND_OPT_PREFIX_LEN;
	default:
		return 0;
	}
}

static void
nd_opt_note(struct nd_opts *no, const uint8_t *p, size_t n)
{
	if (p[0] == ND_OPT_SLLA && no->no_slla == NULL)
		no->no_slla = p;
	if (p[0] == ND_OPT_TLLA && no->no_tlla == NULL)
		no->no_tlla = p;
	if (p[0] == ND_OPT_MTU && no->no_mtu == NULL)
		no->no_mtu = p;
	if (p[0] == ND_OPT_NONCE && n == 2 + ND_NONCE_LEN && no->no_nonce == NULL)
		no->no_nonce = p;
	if (p[0] == ND_OPT_PREFIX && no->no_prefixes == NULL)
		no->no_prefixes = p;
}

bool
nd_opts_parse(const uint8_t *p, size_t len, struct nd_opts *no)
{
	size_t off, n, want;

	*no = (struct nd_opts){.no_end = p + len};
	for (off = 0; off < len; off += n) {
		if (len - off < 2)
			return false;
		n = (size_t)p[off + 1] * 8;
		want = nd_opt_size(p[off]);
		if (n == 0 || n > len - off || (want != 0 && n != want))
			return false;
		nd_opt_note(no, p + off, n);
	}
	return true;
}

const uint8_t *
nd_opt_nextprefix(const struct nd_opts *no, const uint8_t *pi)
{
	for (pi += ND_OPT_PREFIX_LEN; pi < no->no_end; pi += (size_t)pi[1] * 8)
		if (pi[0] == ND_OPT_PREFIX)
			return pi;
	return NULL;
}

size_t
nd_opt_lla_emit(uint8_t *p, uint8_t type, const uint8_t mac[6])
{
	p[0] = type;
	p[1] = ND_OPT_LLA_LEN / 8;
	memcpy(p + 2, mac, 6);
	return ND_OPT_LLA_LEN;
}

/* Passes over extension headers from *off on. => false: cut, or not a first fragment */
static bool
embedded_skip(const uint8_t *p, size_t len, size_t *off, uint8_t *nxt)
{
	struct ip6_frag fh;
	unsigned n;
	size_t step;

	for (n = 0; n < EXT_MAX; n++) {
		if (*nxt != IP6_NXT_HOPOPTS && *nxt != IP6_NXT_DSTOPTS && *nxt != IP6_NXT_ROUTING &&
		    *nxt != IP6_NXT_FRAGMENT)
			return true;
		if (len - *off < IP6_EXT_UNIT)
			return false;
		step = IP6_FRAG_LEN;
		if (*nxt != IP6_NXT_FRAGMENT)
			step = ip6_ext_len(p + *off);
		else {
			ip6_frag_parse(p + *off, &fh);
			if (fh.if_off_bytes != 0)
				return false;
		}
		if (len - *off < step)
			return false;
		*nxt = p[*off];
		*off += step;
	}
	return false;
}

bool
icmp6_parse_embedded(const uint8_t *p, size_t len, struct icmp6_embedded *ie)
{
	*ie = (struct icmp6_embedded){.ie_off = IP6_HDR_LEN};
	if (ip6_parse_partial(p, len, SIZE_MAX, &ie->ie_ip6) != IP6_PARSE_OK)
		return false;
	ie->ie_proto = ie->ie_ip6.ip6_nxt;
	if (!embedded_skip(p, len, &ie->ie_off, &ie->ie_proto) || len - ie->ie_off < 8 ||
	    ie->ie_ip6.ip6_plen + (size_t)IP6_HDR_LEN < ie->ie_off + 8)
		return false;
	if (ie->ie_proto == IP6_NXT_TCP || ie->ie_proto == IP6_NXT_UDP) {
		ie->ie_sport = be16_get(p + ie->ie_off);
		ie->ie_dport = be16_get(p + ie->ie_off + 2);
	}
	return true;
}
