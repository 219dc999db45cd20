/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP for IPv4 (RFC 792, RFC 1122 §3.2.2, RFC 1191).
 *
 *   0      1      2     4     6     8
 *   | type | code | sum | id  | seq | data, or the packet that an error is about
 *
 * An error's second word is read as the same two halves: icmp4_nextmtu() and friends name them.
 */
#ifndef WIRE_ICMP4_H
#define WIRE_ICMP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/ipv4.h"

#define ICMP4_HDR_LEN 8
#define ICMP4_EMBEDDED_MIN 8 /* bytes behind the inner IP header that every error carries */

#define ICMP4_ECHOREPLY 0
#define ICMP4_UNREACH 3
#define ICMP4_SOURCEQUENCH 4
#define ICMP4_REDIRECT 5
#define ICMP4_ECHO 8
#define ICMP4_ROUTERADVERT 9
#define ICMP4_ROUTERSOLICIT 10
#define ICMP4_TIMXCEED 11
#define ICMP4_PARAMPROB 12
#define ICMP4_TSTAMP 13
#define ICMP4_TSTAMPREPLY 14
#define ICMP4_MASKREQ 17
#define ICMP4_MASKREPLY 18

#define ICMP4_UNREACH_NET 0
#define ICMP4_UNREACH_HOST 1
#define ICMP4_UNREACH_PROTOCOL 2
#define ICMP4_UNREACH_PORT 3
#define ICMP4_UNREACH_NEEDFRAG 4
#define ICMP4_UNREACH_SRCFAIL 5
#define ICMP4_UNREACH_NET_UNKNOWN 6
#define ICMP4_UNREACH_HOST_UNKNOWN 7
#define ICMP4_UNREACH_ISOLATED 8
#define ICMP4_UNREACH_NET_PROHIB 9
#define ICMP4_UNREACH_HOST_PROHIB 10
#define ICMP4_UNREACH_TOSNET 11
#define ICMP4_UNREACH_TOSHOST 12
#define ICMP4_UNREACH_FILTER_PROHIB 13
#define ICMP4_UNREACH_HOST_PRECEDENCE 14
#define ICMP4_UNREACH_PRECEDENCE_CUTOFF 15

#define ICMP4_TIMXCEED_INTRANS 0
#define ICMP4_TIMXCEED_REASS 1

#define ICMP4_PARAMPROB_ERRATPTR 0
#define ICMP4_PARAMPROB_OPTABSENT 1
#define ICMP4_PARAMPROB_LENGTH 2

struct icmp4_hdr {
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint16_t icmp_sum;
	uint16_t icmp_id;  /* first half of the second word */
	uint16_t icmp_seq; /* second half */
};

/* Reads the header. => 0, or -1 when len < ICMP4_HDR_LEN; the checksum is not judged */
int icmp4_parse(const uint8_t *p, size_t len, struct icmp4_hdr *icmp);

/* Writes ICMP4_HDR_LEN bytes, icmp_sum as it is. */
void icmp4_emit(uint8_t *p, const struct icmp4_hdr *icmp);

/* Is the checksum over the whole message of len bytes right? */
bool icmp4_cksum_ok(const uint8_t *p, size_t len);

/* Is the type one that reports an error, so that no error may answer it? */
bool icmp4_is_error(uint8_t type);

/* The MTU in UNREACH_NEEDFRAG (RFC 1191 §4); 0 from routers that do not tell. */
static inline uint16_t
icmp4_nextmtu(const struct icmp4_hdr *icmp)
{
	return icmp->icmp_seq;
}

/* The offset of the bad octet in PARAMPROB_ERRATPTR. */
static inline uint8_t
icmp4_pointer(const struct icmp4_hdr *icmp)
{
	return (uint8_t)(icmp->icmp_id >> 8);
}

/* The gateway in REDIRECT, as it lies in memory. */
static inline uint32_t
icmp4_gateway_be(const struct icmp4_hdr *icmp)
{
	return htobe32((uint32_t)icmp->icmp_id << 16 | icmp->icmp_seq);
}

enum icmp4_embedded_result {
	ICMP4_EMBEDDED_OK,
	ICMP4_EMBEDDED_IP,       /* no IP header that makes sense */
	ICMP4_EMBEDDED_SHORT,    /* fewer than ICMP4_EMBEDDED_MIN bytes behind it */
	ICMP4_EMBEDDED_FRAGMENT, /* not a first fragment: no transport header */
	ICMP4_EMBEDDED_NRESULTS
};

/* The start of the packet that an error is about. Which members count depends on ie_ip.ip_p. */
struct icmp4_embedded {
	struct ipv4_hdr ie_ip;
	uint16_t ie_sport;        /* TCP, UDP */
	uint16_t ie_dport;        /* TCP, UDP */
	uint32_t ie_seq;          /* TCP: the sequence number, for RFC 5927's check */
	struct icmp4_hdr ie_icmp; /* ICMP */
};

/*
 * Reads what follows the header of an error message; the packet is usually cut.
 * => anything but OK: no connection can be found from it
 * => members that do not count are zero
 */
enum icmp4_embedded_result icmp4_parse_embedded(const uint8_t *p, size_t len,
    struct icmp4_embedded *ie);

#endif /* WIRE_ICMP4_H */
