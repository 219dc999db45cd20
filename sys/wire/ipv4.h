/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 headers, options and address classes (RFC 791, RFC 1122, RFC 6864, RFC 6890).
 *
 *   0    1     2        4    6              8     9   10    12    16    20       ip_hl
 *   |v hl| tos | ip_len | id | 0 DF MF off  | ttl | p | sum | src | dst | options |
 */
#ifndef WIRE_IPV4_H
#define WIRE_IPV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/be.h"
#include "wire/ecn.h"

#define IPV4_HDR_LEN 20     /* without options */
#define IPV4_HDR_LEN_MAX 60 /* with all options that fit */
#define IPV4_OPTS_LEN_MAX 40
#define IPV4_LEN_MAX 65535
#define IPV4_MTU_MIN 68 /* what every link carries (RFC 791 §3.2) */

#define IPV4_PROTO_ICMP 1
#define IPV4_PROTO_IGMP 2
#define IPV4_PROTO_TCP 6
#define IPV4_PROTO_UDP 17
#define IPV4_PROTO_MAX 256

#define IPV4_OPT_EOL 0
#define IPV4_OPT_NOP 1
#define IPV4_OPT_RR 7
#define IPV4_OPT_TS 68
#define IPV4_OPT_LSRR 131
#define IPV4_OPT_SSRR 137
#define IPV4_OPT_RA 148
#define IPV4_OPT_COPIED 0x80 /* bit of the type: goes into every fragment */

struct ipv4_hdr {
	uint8_t ip_hl; /* bytes, options included */
	uint8_t ip_tos;
	uint16_t ip_len; /* bytes, header included */
	uint16_t ip_id;
	bool ip_df;
	bool ip_mf;
	uint16_t ip_fragoff_bytes; /* a multiple of 8 */
	uint8_t ip_ttl;
	uint8_t ip_p;
	uint16_t ip_sum;
	uint32_t ip_src_be;
	uint32_t ip_dst_be;
};

enum ipv4_parse_result {
	IPV4_PARSE_OK,
	IPV4_PARSE_SHORT,     /* fewer than IPV4_HDR_LEN bytes, or than the header says it has */
	IPV4_PARSE_VERSION,   /* not version 4 */
	IPV4_PARSE_HLEN,      /* header length below IPV4_HDR_LEN */
	IPV4_PARSE_LEN,       /* total length below the header's */
	IPV4_PARSE_TRUNCATED, /* total length beyond the packet */
	IPV4_PARSE_NRESULTS
};

/*
 * Reads a header whose whole packet lies in p[0..len) and checks every length in it.
 * => the checksum, TTL and addresses are not judged
 * => OK: IPV4_HDR_LEN <= ip_hl <= ip_len <= len, so differences of these are safe; what is behind
 *    ip_len is link padding
 * => *ip is valid with OK and, for reporting, with TRUNCATED
 */
enum ipv4_parse_result ipv4_parse(const uint8_t *p, size_t len, struct ipv4_hdr *ip);

/*
 * The same, with only the first len of the packet's pkt_len bytes readable (a pulled-up mbuf).
 * => SHORT when pkt_len cannot hold the header or len < IPV4_HDR_LEN; options may lie beyond len
 * => pkt_len SIZE_MAX: accept a packet that was cut (the inner one of an ICMP error)
 */
enum ipv4_parse_result ipv4_parse_partial(const uint8_t *p, size_t len, size_t pkt_len,
    struct ipv4_hdr *ip);

/* What the result means, for people. */
const char *ipv4_parse_name(enum ipv4_parse_result result);

/* Is the checksum over the ip_hl bytes of a header right? => all of them must be readable */
bool ipv4_cksum_ok(const uint8_t *p, size_t ip_hl);

/*
 * Writes IPV4_HDR_LEN bytes, checksum computed; ip_hl and ip_sum of *ip are not looked at.
 * => ip_fragoff_bytes is cut to a multiple of 8
 */
void ipv4_emit(uint8_t *p, const struct ipv4_hdr *ip);

/* Writes the total length into a header of IPV4_HDR_LEN bytes or more; its checksum stays. */
void ipv4_set_len(uint8_t *p, uint16_t len);

/*
 * ipv4_emit with options behind it, padded with IPV4_OPT_EOL to a multiple of 4.
 * => the header's length in bytes, or 0 with nothing written when opts_len > IPV4_OPTS_LEN_MAX
 * => ip_len must count the padded options already; opts may not overlap p
 */
size_t ipv4_emit_opts(uint8_t *p, const struct ipv4_hdr *ip, const uint8_t *opts, size_t opts_len);

/* One option; NOP and EOL are never reported. */
struct ipv4_opt {
	uint8_t opt_type;
	uint8_t opt_len;      /* with type and length bytes */
	const uint8_t *opt_p; /* at the type byte */
};

struct ipv4_opt_iter {
	const uint8_t *oi_p;
	size_t oi_left;
	bool oi_malformed; /* a length of 0 or 1, or past the end */
};

/* Begins to walk the len bytes of options at opts. */
void ipv4_opt_first(struct ipv4_opt_iter *iter, const uint8_t *opts, size_t len);

/*
 * Goes to the next option.
 * => false at the end; then oi_malformed tells whether it was a bad option that ended the walk
 * => takes at most len steps, whatever the bytes are
 */
bool ipv4_opt_next(struct ipv4_opt_iter *iter, struct ipv4_opt *opt);

/* What ipv4_opts_scan() found. */
#define IPV4_OPTF_SRCROUTE 0x01 /* LSRR or SSRR */
#define IPV4_OPTF_RR 0x02
#define IPV4_OPTF_TS 0x04
#define IPV4_OPTF_RA 0x08
#define IPV4_OPTF_OTHER 0x10

/*
 * Walks all options and checks lengths and the pointers of RR, TS and source routes.
 * => 0, or -1 when something is malformed; *found has the IPV4_OPTF_ bits seen until then
 */
int ipv4_opts_scan(const uint8_t *opts, size_t len, unsigned *found);

/* An address from its four octets, as it lies in memory. */
static inline uint32_t
ipv4_addr_be(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return htobe32((uint32_t)a << 24 | (uint32_t)b << 16 | (uint32_t)c << 8 | d);
}

/* The netmask of a prefix length 0..32, as it lies in memory. */
static inline uint32_t
ipv4_prefix_mask_be(unsigned prefix_len)
{
	return prefix_len == 0 ? 0 : htobe32(UINT32_MAX << (32 - prefix_len));
}

/* The group that every host is a member of (RFC 1112 §4). */
#define IPV4_ALLHOSTS_BE ipv4_addr_be(224, 0, 0, 1)

/* 224.0.0.0/4 */
static inline bool
ipv4_is_multicast(uint32_t addr_be)
{
	return (betoh32(addr_be) >> 28) == 0xe;
}

/* 127.0.0.0/8 */
static inline bool
ipv4_is_loopback(uint32_t addr_be)
{
	return (betoh32(addr_be) >> 24) == 127;
}

/* 0.0.0.0 */
static inline bool
ipv4_is_unspecified(uint32_t addr_be)
{
	return addr_be == 0;
}

/* 0.0.0.0/8 */
static inline bool
ipv4_is_this_network(uint32_t addr_be)
{
	return (betoh32(addr_be) >> 24) == 0;
}

/* 255.255.255.255 */
static inline bool
ipv4_is_broadcast_limited(uint32_t addr_be)
{
	return addr_be == UINT32_MAX;
}

/* 240.0.0.0/4, the limited broadcast address included */
static inline bool
ipv4_is_reserved(uint32_t addr_be)
{
	return (betoh32(addr_be) >> 28) == 0xf;
}

/* 169.254.0.0/16 */
static inline bool
ipv4_is_link_local(uint32_t addr_be)
{
	return (betoh32(addr_be) >> 16) == 0xa9fe;
}

/*
 * May no packet from a link have this source (RFC 1122 §3.2.1.3)?
 * => subnet broadcast and the host's own addresses are the caller's to know
 */
static inline bool
ipv4_is_martian_source(uint32_t addr_be)
{
	return ipv4_is_this_network(addr_be) || ipv4_is_loopback(addr_be) ||
	    ipv4_is_multicast(addr_be) || ipv4_is_reserved(addr_be);
}

#endif /* WIRE_IPV4_H */
