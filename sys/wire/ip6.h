/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 headers, extension headers and address classes (RFC 8200, RFC 4291, RFC 5952).
 *
 *   0        4      6     7      8     24    40          40 + ip6_plen
 *   | v t f  | plen | nxt | hlim | src | dst | payload   |
 *
 * An address is four words as they stand on the wire.
 */
#ifndef WIRE_IP6_H
#define WIRE_IP6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/be.h"
#include "wire/ecn.h"

#define IP6_HDR_LEN 40
#define IP6_PLEN_MAX 65535
#define IP6_MTU_MIN 1280 /* what every link carries (RFC 8200 §5) */
#define IP6_OFF_PLEN 4
#define IP6_OFF_NXT 6
#define IP6_OFF_HLIM 7

#define IP6_EXT_UNIT 8 /* extension headers are multiples of it */
#define IP6_FRAG_LEN 8

#define IP6_NXT_HOPOPTS 0
#define IP6_NXT_TCP 6
#define IP6_NXT_UDP 17
#define IP6_NXT_ROUTING 43
#define IP6_NXT_FRAGMENT 44
#define IP6_NXT_ESP 50
#define IP6_NXT_AH 51
#define IP6_NXT_ICMP6 58
#define IP6_NXT_NONE 59
#define IP6_NXT_DSTOPTS 60

#define IP6_OPT_PAD1 0
#define IP6_OPT_PADN 1
#define IP6_OPT_RALERT 5
#define IP6_OPT_JUMBO 0xc2
/* What to do with an option that is not known (RFC 8200 §4.2): the two highest bits of the type. */
#define IP6_OPT_ACT(type) ((type) >> 6)
#define IP6_OPT_ACT_SKIP 0
#define IP6_OPT_ACT_DISCARD 1
#define IP6_OPT_ACT_FORCEICMP 2 /* parameter problem */
#define IP6_OPT_ACT_ICMP 3      /* parameter problem, unless to a group */

struct ip6_hdr {
	uint8_t ip6_tclass;
	uint32_t ip6_flow; /* 20 bits */
	uint16_t ip6_plen; /* bytes behind the header */
	uint8_t ip6_nxt;
	uint8_t ip6_hlim;
	uint32_t ip6_src[4];
	uint32_t ip6_dst[4];
};

enum ip6_parse_result {
	IP6_PARSE_OK,
	IP6_PARSE_SHORT,     /* fewer than IP6_HDR_LEN bytes */
	IP6_PARSE_VERSION,   /* not version 6 */
	IP6_PARSE_TRUNCATED, /* payload length beyond the packet */
	IP6_PARSE_NRESULTS
};

/*
 * Reads a header, with the first len of the packet's pkt_len bytes readable.
 * => the hop limit and addresses are not judged
 * => OK: IP6_HDR_LEN + ip6_plen <= pkt_len; what is behind is link padding
 * => pkt_len SIZE_MAX: accept a packet that was cut (the inner one of an ICMP error)
 * => *ip6 is valid with OK and, for reporting, with TRUNCATED
 */
enum ip6_parse_result ip6_parse_partial(const uint8_t *p, size_t len, size_t pkt_len,
    struct ip6_hdr *ip6);
/* What the result means, for people. */
const char *ip6_parse_name(enum ip6_parse_result result);
/* Writes IP6_HDR_LEN bytes. */
void ip6_emit(uint8_t *p, const struct ip6_hdr *ip6);

/* The fragment header (RFC 8200 §4.5). */
struct ip6_frag {
	uint8_t if_nxt;
	bool if_mf;
	uint16_t if_off_bytes; /* a multiple of 8 */
	uint32_t if_id;
};

/* Reads IP6_FRAG_LEN bytes, or writes them. */
void ip6_frag_parse(const uint8_t *p, struct ip6_frag *fh);
void ip6_frag_emit(uint8_t *p, const struct ip6_frag *fh);

/* Bytes of a hop-by-hop, destination options or routing header whose first 2 bytes are at p. */
static inline size_t
ip6_ext_len(const uint8_t *p)
{
	return ((size_t)p[1] + 1) * IP6_EXT_UNIT;
}

/* One option of an options header; padding is never reported. */
struct ip6_opt {
	uint8_t opt_type;
	uint8_t opt_len; /* of the data */
	size_t opt_off;  /* of the type byte, from the start of the options */
};

struct ip6_opt_iter {
	const uint8_t *oi_p;
	size_t oi_len;
	size_t oi_off;
	bool oi_malformed; /* an option goes past the end */
};

/* Begins to walk the len bytes of options at opts (behind the header's first 2). */
void ip6_opt_first(struct ip6_opt_iter *iter, const uint8_t *opts, size_t len);
/*
 * Goes to the next option.
 * => false at the end; then oi_malformed tells whether it was a bad option that ended the walk
 * => takes at most len steps, whatever the bytes are
 */
bool ip6_opt_next(struct ip6_opt_iter *iter, struct ip6_opt *opt);

/* An address as it lies at p, and back. */
void ip6_addr_get(uint32_t a[4], const uint8_t *p);
void ip6_addr_put(uint8_t *p, const uint32_t a[4]);

/* How many leading bits two addresses share, 0..128. */
unsigned ip6_addr_common(const uint32_t a[4], const uint32_t b[4]);
/* Keeps the first bits of an address and clears the rest. */
void ip6_addr_mask(uint32_t a[4], unsigned bits);
/* The solicited-node group of an address (RFC 4291 §2.7.1). */
void ip6_solicited_node(uint32_t group[4], const uint32_t a[4]);
/* The modified EUI-64 identifier of a station (RFC 4291 app. A) behind fe80::/64. */
void ip6_linklocal_eui64(uint32_t a[4], const uint8_t mac[6]);

static inline bool
ip6_addr_eq(const uint32_t a[4], const uint32_t b[4])
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/* :: */
static inline bool
ip6_is_unspecified(const uint32_t a[4])
{
	return (a[0] | a[1] | a[2] | a[3]) == 0;
}

/* ::1 */
static inline bool
ip6_is_loopback(const uint32_t a[4])
{
	return (a[0] | a[1] | a[2]) == 0 && a[3] == htobe32(1);
}

/* ff00::/8 */
static inline bool
ip6_is_multicast(const uint32_t a[4])
{
	return betoh32(a[0]) >> 24 == 0xff;
}

/* fe80::/10 */
static inline bool
ip6_is_linklocal(const uint32_t a[4])
{
	return betoh32(a[0]) >> 22 == 0xfe80 >> 6;
}

/* fc00::/7 */
static inline bool
ip6_is_uniquelocal(const uint32_t a[4])
{
	return betoh32(a[0]) >> 25 == 0xfc >> 1;
}

/* ::ffff:0:0/96 */
static inline bool
ip6_is_v4mapped(const uint32_t a[4])
{
	return (a[0] | a[1]) == 0 && a[2] == htobe32(0xffff);
}

/* ::/96, RFC 4291 §2.5.5.1, but :: and ::1 */
static inline bool
ip6_is_v4compat(const uint32_t a[4])
{
	return (a[0] | a[1] | a[2]) == 0 && betoh32(a[3]) > 1;
}

/* The scope of a group (RFC 4291 §2.7). */
#define IP6_SCOPE_IFLOCAL 1
#define IP6_SCOPE_LINKLOCAL 2
#define IP6_SCOPE_SITELOCAL 5
#define IP6_SCOPE_GLOBAL 14
static inline unsigned
ip6_mc_scope(const uint32_t group[4])
{
	return betoh32(group[0]) >> 16 & 0xf;
}

/* Is the address one that means something on one link, or interface, only? */
static inline bool
ip6_is_scoped(const uint32_t a[4])
{
	return ip6_is_linklocal(a) ||
	    (ip6_is_multicast(a) && ip6_mc_scope(a) <= IP6_SCOPE_LINKLOCAL);
}

#endif /* WIRE_IP6_H */
