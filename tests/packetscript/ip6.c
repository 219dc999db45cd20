/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scripts over IPv6: packets are translated where they enter and leave the stack, much as RFC 7915
 * does it, so that all else of the runner, and of a script, knows IPv4 only.
 *
 * An address a.b.c.d is fd3d:a0b:17d6::a.b.c.d, and the MTU is 20 bytes more, for what the header is
 * longer. A script for IPv6 only may have addresses of its own: those with the 96 bits of --local_ip in
 * front are counterparts then. Sums are looked at and made anew: a wrong one stays wrong. What
 * has no counterpart (fragments, options, other messages) is written as it is.
 */
#include <string.h>

#include "run.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define LONGER (IP6_HDR_LEN - IPV4_HDR_LEN)

static const struct {
	uint8_t type4, code4, type6, code6;
} messages[] = {
    {ICMP4_UNREACH, ICMP4_UNREACH_NET, ICMP6_UNREACH, ICMP6_UNREACH_NOROUTE},
    {ICMP4_UNREACH, ICMP4_UNREACH_HOST, ICMP6_UNREACH, ICMP6_UNREACH_ADDR},
    {ICMP4_UNREACH, ICMP4_UNREACH_PORT, ICMP6_UNREACH, ICMP6_UNREACH_PORT},
    {ICMP4_UNREACH, ICMP4_UNREACH_FILTER_PROHIB, ICMP6_UNREACH, ICMP6_UNREACH_ADMIN},
    {ICMP4_UNREACH, ICMP4_UNREACH_PROTOCOL, ICMP6_PARAMPROB, ICMP6_PARAMPROB_NEXTHEADER},
    {ICMP4_UNREACH, ICMP4_UNREACH_NEEDFRAG, ICMP6_TOOBIG, 0},
    {ICMP4_TIMXCEED, ICMP4_TIMXCEED_INTRANS, ICMP6_TIMXCEED, ICMP6_TIMXCEED_INTRANS},
    {ICMP4_TIMXCEED, ICMP4_TIMXCEED_REASS, ICMP6_TIMXCEED, ICMP6_TIMXCEED_REASS},
    {ICMP4_PARAMPROB, ICMP4_PARAMPROB_ERRATPTR, ICMP6_PARAMPROB, ICMP6_PARAMPROB_HEADER},
};

void
ip6_mapped(const struct run *r, uint32_t addr_be, uint32_t a[4])
{
	memcpy(a, r->r_prefix, sizeof(r->r_prefix));
	a[3] = addr_be;
}

static bool
is_mapped(const struct run *r, const uint32_t a[4])
{
	uint32_t want[4];

	ip6_mapped(r, a[3], want);
	return ip6_addr_eq(a, want);
}

static struct ip6_hdr
header6(const struct run *r, const struct ipv4_hdr *ip)
{
	struct ip6_hdr ip6 = {.ip6_tclass = ip->ip_tos,
	    .ip6_plen = (uint16_t)(ip->ip_len - ip->ip_hl),
	    .ip6_nxt = ip->ip_p == IPV4_PROTO_ICMP ? IP6_NXT_ICMP6 : ip->ip_p,
	    .ip6_hlim = ip->ip_ttl};

	ip6_mapped(r, ip->ip_src_be, ip6.ip6_src);
	ip6_mapped(r, ip->ip_dst_be, ip6.ip6_dst);
	return ip6;
}

/* Where the sum of a transport stands. */
static size_t
sum_off(uint8_t proto)
{
	return proto == IP6_NXT_TCP ? TCP_OFF_SUM : proto == IP6_NXT_UDP ? UDP_OFF_SUM : 2;
}

static bool
sum6_ok(const uint8_t *p, size_t len, const struct ip6_hdr *ip6)
{
	uint32_t sum = cksum_pseudo6(ip6->ip6_src, ip6->ip6_dst, ip6->ip6_nxt, (uint32_t)len);

	return cksum_finish(cksum_partial(p, len, sum)) == 0;
}

/* right: a wrong one is to stay wrong */
static void
sum6_put(uint8_t *p, size_t len, const struct ip6_hdr *ip6, bool right)
{
	uint32_t sum = cksum_pseudo6(ip6->ip6_src, ip6->ip6_dst, ip6->ip6_nxt, (uint32_t)len);
	size_t off = sum_off(ip6->ip6_nxt);
	uint16_t cksum;

	if (len < off + 2)
		return;
	be16_put(p + off, 0);
	cksum = cksum_finish(cksum_partial(p, len, sum));
	be16_put(p + off, cksum == 0 && ip6->ip6_nxt == IP6_NXT_UDP ? 0xffff : cksum);
	p[off] ^= !right;
}

/* An error, and the packet that it is about, both with the longer header. => 0: no counterpart */
static size_t
error6(const struct run *r, const uint8_t *in, size_t len, uint8_t *out)
{
	struct icmp6_hdr icmp6 = {0};
	struct icmp4_hdr icmp;
	struct ipv4_hdr ip;
	struct ip6_hdr ip6;
	size_t i, n = sizeof(messages) / sizeof(messages[0]);

	if (icmp4_parse(in, len, &icmp) != 0 || len < ICMP4_HDR_LEN + IPV4_HDR_LEN + 8)
		return 0;
	for (i = 0;
	     i < n && (messages[i].type4 != icmp.icmp_type || messages[i].code4 != icmp.icmp_code);
	     i++)
		;
	if (i == n ||
	    ipv4_parse_partial(in + ICMP4_HDR_LEN, len - ICMP4_HDR_LEN, SIZE_MAX, &ip) !=
		IPV4_PARSE_OK)
		return 0;
	icmp6.icmp6_type = messages[i].type6;
	icmp6.icmp6_code = messages[i].code6;
	if (icmp6.icmp6_type == ICMP6_TOOBIG)
		icmp6.icmp6_word = icmp4_nextmtu(&icmp) + (uint32_t)LONGER;
	icmp6_emit(out, &icmp6);
	ip6 = header6(r, &ip);
	ip6_emit(out + ICMP6_HDR_LEN, &ip6);
	len -= ICMP4_HDR_LEN + (size_t)ip.ip_hl;
	memcpy(out + ICMP6_HDR_LEN + IP6_HDR_LEN, in + ICMP4_HDR_LEN + ip.ip_hl, len);
	return ICMP6_HDR_LEN + IP6_HDR_LEN + len;
}

static bool
sum4_ok(const uint8_t *p, const struct ipv4_hdr *ip)
{
	uint16_t len = (uint16_t)(ip->ip_len - ip->ip_hl);
	uint32_t sum = 0;

	if (ip->ip_p != IPV4_PROTO_ICMP)
		sum = cksum_pseudo4(ip->ip_src_be, ip->ip_dst_be, ip->ip_p, len);
	return cksum_finish(cksum_partial(p, len, sum)) == 0;
}

size_t
ip6_from_ipv4(const struct run *r, const uint8_t *in, size_t len, uint8_t *out)
{
	struct ipv4_hdr ip;
	struct ip6_hdr ip6;
	size_t n;

	if (ipv4_parse(in, len, &ip) != IPV4_PARSE_OK)
		return 0;
	n = (size_t)ip.ip_len - ip.ip_hl;
	ip6 = header6(r, &ip);
	if (ip.ip_p == IPV4_PROTO_ICMP)
		n = error6(r, in + ip.ip_hl, n, out + IP6_HDR_LEN);
	else
		memcpy(out + IP6_HDR_LEN, in + ip.ip_hl, n);
	if (n == 0)
		return 0;
	ip6.ip6_plen = (uint16_t)n;
	ip6_emit(out, &ip6);
	sum6_put(out + IP6_HDR_LEN, n, &ip6, sum4_ok(in + ip.ip_hl, &ip));
	return IP6_HDR_LEN + n;
}

/* As error6, the other way: of what is quoted, as much as an error of IPv4 has. */
static size_t
error4(const uint8_t *in, size_t len, uint8_t *out)
{
	struct icmp4_hdr icmp = {0};
	struct icmp6_hdr icmp6;
	struct icmp6_embedded ie;
	size_t i, n = sizeof(messages) / sizeof(messages[0]);

	if (icmp6_parse(in, len, &icmp6) != 0 ||
	    !icmp6_parse_embedded(in + ICMP6_HDR_LEN, len - ICMP6_HDR_LEN, &ie))
		return 0;
	for (i = 0; i < n &&
	     (messages[i].type6 != icmp6.icmp6_type || messages[i].code6 != icmp6.icmp6_code);
	     i++)
		;
	if (i == n)
		return 0;
	icmp.icmp_type = messages[i].type4;
	icmp.icmp_code = messages[i].code4;
	icmp4_emit(out, &icmp);
	ipv4_emit(out + ICMP4_HDR_LEN,
	    &(struct ipv4_hdr){.ip_len = (uint16_t)(IPV4_HDR_LEN + ie.ie_ip6.ip6_plen),
		.ip_ttl = ie.ie_ip6.ip6_hlim,
		.ip_p = ie.ie_proto,
		.ip_src_be = ie.ie_ip6.ip6_src[3],
		.ip_dst_be = ie.ie_ip6.ip6_dst[3]});
	memcpy(out + ICMP4_HDR_LEN + IPV4_HDR_LEN, in + ICMP6_HDR_LEN + ie.ie_off, 8);
	n = ICMP4_HDR_LEN + IPV4_HDR_LEN + 8;
	icmp.icmp_sum = cksum_finish(cksum_partial(out, n, 0));
	icmp4_emit(out, &icmp);
	return n;
}

size_t
ip6_to_ipv4(const struct run *r, const uint8_t *in, size_t len, bool foreign, uint8_t *out)
{
	struct ip6_hdr ip6;
	struct ipv4_hdr ip = {0};
	uint32_t sum;
	uint8_t *p = out + IPV4_HDR_LEN;
	size_t n, off;
	bool right;

	if (ip6_parse_partial(in, len, len, &ip6) != IP6_PARSE_OK ||
	    (!foreign && (!is_mapped(r, ip6.ip6_src) || !is_mapped(r, ip6.ip6_dst))))
		return 0;
	in += IP6_HDR_LEN;
	n = ip6.ip6_plen;
	off = sum_off(ip6.ip6_nxt);
	right = sum6_ok(in, n, &ip6);
	if (ip6.ip6_nxt == IP6_NXT_ICMP6)
		n = error4(in, n, p);
	else if ((ip6.ip6_nxt == IP6_NXT_TCP || ip6.ip6_nxt == IP6_NXT_UDP) && n >= off + 2) {
		memcpy(p, in, n);
		be16_put(p + off, 0);
		sum = cksum_pseudo4(ip6.ip6_src[3], ip6.ip6_dst[3], ip6.ip6_nxt, (uint16_t)n);
		be16_put(p + off, cksum_finish(cksum_partial(p, n, sum)));
	} else
		return 0;
	if (n == 0)
		return 0;
	if (!right)
		p[off] ^= 1;
	ip.ip_len = (uint16_t)(IPV4_HDR_LEN + n);
	ip.ip_df = ip6.ip6_nxt == IP6_NXT_TCP;
	ip.ip_tos = ip6.ip6_tclass;
	ip.ip_ttl = ip6.ip6_hlim;
	ip.ip_p = ip6.ip6_nxt == IP6_NXT_ICMP6 ? IPV4_PROTO_ICMP : ip6.ip6_nxt;
	ip.ip_src_be = ip6.ip6_src[3];
	ip.ip_dst_be = ip6.ip6_dst[3];
	ipv4_emit(out, &ip);
	return ip.ip_len;
}

void
ip6_sockaddr(const struct run *r, const struct bsd_sockaddr_in *sin, union bsd_sockaddr_any *sa)
{
	uint32_t a[4] = {0};

	memset(sa, 0, sizeof(*sa));
	sa->sin6.sin6_len = sizeof(sa->sin6);
	sa->sin6.sin6_family = sin->sin_family == BSD_AF_INET ? BSD_AF_INET6 : sin->sin_family;
	sa->sin6.sin6_port = sin->sin_port;
	if (sin->sin_addr.s_addr != 0)
		ip6_mapped(r, sin->sin_addr.s_addr, a);
	ip6_addr_put(sa->sin6.sin6_addr.s6_bytes, a);
}

void
ip6_sockaddr_back(const struct run *r, union bsd_sockaddr_any *sa)
{
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin),
	    .sin_family = BSD_AF_INET,
	    .sin_port = sa->sin6.sin6_port};
	uint32_t a[4];

	if (sa->sa.sa_family != BSD_AF_INET6)
		return;
	ip6_addr_get(a, sa->sin6.sin6_addr.s6_bytes);
	if (is_mapped(r, a))
		sin.sin_addr.s_addr = a[3];
	sa->sin = sin;
}

void
ip6_readdress(uint8_t *packet, size_t len, const struct address *from, const struct address *to)
{
	struct ip6_hdr ip6;
	bool right;

	if ((!from->ad_given && !to->ad_given) ||
	    ip6_parse_partial(packet, len, len, &ip6) != IP6_PARSE_OK)
		return;
	right = sum6_ok(packet + IP6_HDR_LEN, ip6.ip6_plen, &ip6);
	if (from->ad_given)
		memcpy(ip6.ip6_src, from->ad_w, sizeof(ip6.ip6_src));
	if (to->ad_given)
		memcpy(ip6.ip6_dst, to->ad_w, sizeof(ip6.ip6_dst));
	ip6_emit(packet, &ip6);
	sum6_put(packet + IP6_HDR_LEN, ip6.ip6_plen, &ip6, right);
}
