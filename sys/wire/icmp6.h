/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP for IPv6 (RFC 4443), Neighbour Discovery (RFC 4861) and Multicast Listener reports (RFC 3810).
 *
 *   0      1      2     4             8
 *   | type | code | sum | second word | target address, options, or the packet an error is about
 */
#ifndef WIRE_ICMP6_H
#define WIRE_ICMP6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/ip6.h"

#define ICMP6_HDR_LEN 8
#define ICMP6_OFF_SUM 2

#define ICMP6_UNREACH 1
#define ICMP6_TOOBIG 2
#define ICMP6_TIMXCEED 3
#define ICMP6_PARAMPROB 4
#define ICMP6_ECHO 128
#define ICMP6_ECHOREPLY 129
#define ICMP6_MLD_QUERY 130
#define ICMP6_MLD_REPORT 131
#define ICMP6_MLD_DONE 132
#define ICMP6_RS 133
#define ICMP6_RA 134
#define ICMP6_NS 135
#define ICMP6_NA 136
#define ICMP6_REDIRECT 137
#define ICMP6_MLD2_REPORT 143

#define ICMP6_UNREACH_NOROUTE 0
#define ICMP6_UNREACH_ADMIN 1
#define ICMP6_UNREACH_BEYONDSCOPE 2
#define ICMP6_UNREACH_ADDR 3
#define ICMP6_UNREACH_PORT 4
#define ICMP6_UNREACH_POLICY 5
#define ICMP6_UNREACH_REJECT 6

#define ICMP6_TIMXCEED_INTRANS 0
#define ICMP6_TIMXCEED_REASS 1

#define ICMP6_PARAMPROB_HEADER 0
#define ICMP6_PARAMPROB_NEXTHEADER 1
#define ICMP6_PARAMPROB_OPTION 2
#define ICMP6_PARAMPROB_FIRSTFRAG 3 /* RFC 7112 */

struct icmp6_hdr {
	uint8_t icmp6_type;
	uint8_t icmp6_code;
	uint16_t icmp6_sum;
	uint32_t icmp6_word; /* MTU, pointer, id and seq, flags: host order */
};

/* Reads the header. => 0, or -1 when len < ICMP6_HDR_LEN; the checksum is not judged */
int icmp6_parse(const uint8_t *p, size_t len, struct icmp6_hdr *icmp6);
/* Writes ICMP6_HDR_LEN bytes, icmp6_sum as it is. */
void icmp6_emit(uint8_t *p, const struct icmp6_hdr *icmp6);

/* Types below 128 report errors (RFC 4443 §2.1). */
static inline bool
icmp6_is_error(uint8_t type)
{
	return type < 128;
}

/* Neighbour Discovery. */
#define ND_NS_LEN 24 /* header, target */
#define ND_NA_LEN 24
#define ND_RS_LEN 8
#define ND_RA_LEN 16
#define ND_OFF_TARGET 8

#define ND_NA_ROUTER 0x80000000u
#define ND_NA_SOLICITED 0x40000000u
#define ND_NA_OVERRIDE 0x20000000u

#define ND_OPT_SLLA 1
#define ND_OPT_TLLA 2
#define ND_OPT_PREFIX 3
#define ND_OPT_REDIRECTED 4
#define ND_OPT_MTU 5
#define ND_OPT_NONCE 14 /* RFC 7527 */
#define ND_OPT_LLA_LEN 8
#define ND_OPT_MTU_LEN 8
#define ND_OPT_PREFIX_LEN 32
#define ND_NONCE_LEN 6

#define ND_RA_MANAGED 0x80
#define ND_RA_OTHER 0x40

/* What a router advertises, the numbers in seconds and milliseconds as they stand there. */
struct nd_ra {
	uint8_t ra_hlim;  /* 0: not told */
	uint8_t ra_flags; /* ND_RA_* */
	uint16_t ra_lifetime_s;
	uint32_t ra_reachable_ms; /* 0: not told */
	uint32_t ra_retrans_ms;
};
/* => len is at least ND_RA_LEN */
void nd_ra_parse(const uint8_t *p, struct nd_ra *ra);

struct nd_prefix {
	uint8_t pi_len;
	bool pi_onlink;
	bool pi_auto;
	uint32_t pi_valid_s; /* UINT32_MAX: for ever */
	uint32_t pi_preferred_s;
	uint32_t pi_prefix[4];
};
/* => p has ND_OPT_PREFIX_LEN bytes */
void nd_prefix_parse(const uint8_t *p, struct nd_prefix *pi);

/* The options of a message that the stack looks at; NULL, or where they stand. */
struct nd_opts {
	const uint8_t *no_slla;
	const uint8_t *no_tlla;
	const uint8_t *no_mtu;
	const uint8_t *no_nonce;
	const uint8_t *no_prefixes; /* the first; nd_opt_nextprefix goes on */
	const uint8_t *no_end;
};
/*
 * Checks and finds all options in p[0..len) (RFC 4861 §4.6, §7.1).
 * => false: one has length 0, or goes past the end, or a known one has a length not its own: the message
 *    is to be dropped
 */
bool nd_opts_parse(const uint8_t *p, size_t len, struct nd_opts *no);
/* The prefix option behind pi, or NULL. */
const uint8_t *nd_opt_nextprefix(const struct nd_opts *no, const uint8_t *pi);
/* Writes a link-layer address option. => ND_OPT_LLA_LEN */
size_t nd_opt_lla_emit(uint8_t *p, uint8_t type, const uint8_t mac[6]);

/* The start of the packet that an error is about, its extension headers passed over. */
struct icmp6_embedded {
	struct ip6_hdr ie_ip6;
	uint8_t ie_proto;  /* of the transport */
	size_t ie_off;     /* of the transport's header, from the start of the quoted packet */
	uint16_t ie_sport; /* TCP, UDP */
	uint16_t ie_dport;
};
/*
 * Reads what follows the header of an error message; the packet is usually cut.
 * => false: not enough of it, at least 8 bytes of transport header, to tell whose it was
 */
bool icmp6_parse_embedded(const uint8_t *p, size_t len, struct icmp6_embedded *ie);

/* Multicast Listener Discovery 2 (RFC 3810 §5.2). */
#define MLD2_REPORT_LEN 8
#define MLD2_RECORD_LEN 20
#define MLD2_MODE_IS_INCLUDE 1
#define MLD2_MODE_IS_EXCLUDE 2
#define MLD2_CHANGE_TO_INCLUDE 3
#define MLD2_CHANGE_TO_EXCLUDE 4
#define MLD2_ALLOW_NEW_SOURCES 5
#define MLD2_BLOCK_OLD_SOURCES 6
#define MLD_QUERY_LEN 24 /* version 1 */
#define MLD2_QUERY_LEN 28
#define MLD2_QUERY_QRV 0x07 /* robustness, of the byte behind those of version 1 */

#endif /* WIRE_ICMP6_H */
