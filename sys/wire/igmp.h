/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IGMP versions 1, 2 and 3 (RFC 1112 appendix I, RFC 2236 §2, RFC 3376 §4).
 *
 *   0      1      2     4       8              9     10         12
 *   | type | code | sum | group |                                          v1, v2, all reports of these
 *   | 0x11 | code | sum | group | S and QRV | QQIC | sources n | n addresses   v3 query
 *   | 0x22 | 0    | sum | 0     | records n |                                 v3 report; each record:
 *                         (4 and 6)
 *   0      1         2           4       8
 *   | type | aux len | sources n | group | n addresses | aux words
 */
#ifndef WIRE_IGMP_H
#define WIRE_IGMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/ipv4.h"

#define IGMP_MINLEN 8
#define IGMP_V3_QUERY_MINLEN 12
#define IGMP_V3_REPORT_MINLEN 8
#define IGMP_GROUPREC_MINLEN 8

#define IGMP_HOST_MEMBERSHIP_QUERY 0x11
#define IGMP_V1_HOST_MEMBERSHIP_REPORT 0x12
#define IGMP_V2_HOST_MEMBERSHIP_REPORT 0x16
#define IGMP_HOST_LEAVE_MESSAGE 0x17
#define IGMP_V3_HOST_MEMBERSHIP_REPORT 0x22

/* Types of records (RFC 3376 §4.2.12) */
#define IGMP_MODE_IS_INCLUDE 1
#define IGMP_MODE_IS_EXCLUDE 2
#define IGMP_CHANGE_TO_INCLUDE_MODE 3
#define IGMP_CHANGE_TO_EXCLUDE_MODE 4
#define IGMP_ALLOW_NEW_SOURCES 5
#define IGMP_BLOCK_OLD_SOURCES 6

#define IGMP_TIMER_SCALE 10 /* codes of versions 1 to 3 count tenths of a second */
#define IGMP_V1_MAX_RESP 100

/* 224.0.0.2, where leaves of version 2 go, and 224.0.0.22, where reports of version 3 go */
#define IGMP_ALLROUTERS_BE ipv4_addr_be(224, 0, 0, 2)
#define IGMP_ALLREPORTS_BE ipv4_addr_be(224, 0, 0, 22)

/* Any message but a report of version 3. */
struct igmp_hdr {
	uint8_t igmp_type;
	uint8_t igmp_version; /* 1, 2 or 3, told as RFC 3376 §7.1 tells queries; 0: another type */
	uint32_t igmp_maxresp_ds; /* queries: tenths of a second; 100 in version 1 */
	uint32_t igmp_group_be;   /* 0: all */
	uint8_t igmp_qrv;         /* version 3: robustness, 0: more than 7 */
	uint32_t igmp_qqi_s;      /* version 3: query interval */
	uint16_t igmp_nsources;   /* version 3 */
};

enum igmp_parse_result {
	IGMP_PARSE_OK,
	IGMP_PARSE_SHORT, /* fewer than IGMP_MINLEN bytes */
	IGMP_PARSE_LEN,   /* a query of 9 to 11 bytes, or with fewer sources than it says */
	IGMP_PARSE_NRESULTS
};

/*
 * Reads the beginning of a message whose len bytes lie in the packet, the first
 * IGMP_V3_QUERY_MINLEN (or len, when it is less) of them at p.
 * => the checksum is not judged
 * => OK: igmp_nsources sources lie within len
 */
enum igmp_parse_result igmp_parse(const uint8_t *p, size_t len, struct igmp_hdr *igmp);
/* What the result means, for people. */
const char *igmp_parse_name(enum igmp_parse_result result);

/* Is the checksum over the whole message of len bytes right? */
bool igmp_cksum_ok(const uint8_t *p, size_t len);

/* Writes the IGMP_MINLEN bytes of a query of version 1 or 2, a report of these, or a leave. */
void igmp_emit(uint8_t *p, uint8_t type, uint8_t code, uint32_t group_be);

/*
 * Writes a query of version 3 with n sources, IGMP_V3_QUERY_MINLEN + 4 n bytes.
 * => s_qrv: the byte with the S flag and the robustness
 */
struct igmp_query {
	uint8_t iq_code;
	uint8_t iq_s_qrv;
	uint8_t iq_qqic;
	uint32_t iq_group_be;
};
size_t igmp_emit_query(uint8_t *p, const struct igmp_query *iq, const uint32_t *sources_be,
    uint16_t n);

/* Writes the IGMP_V3_REPORT_MINLEN bytes in front of n records; the checksum is to be put in later. */
void igmp_emit_report(uint8_t *p, uint16_t nrecords);
/* Writes the IGMP_GROUPREC_MINLEN bytes in front of a record's n sources. */
void igmp_emit_record(uint8_t *p, uint8_t type, uint32_t group_be, uint16_t nsources);
/* Puts a checksum (cksum_finish's) into a message. */
void igmp_set_cksum(uint8_t *p, uint16_t sum);

struct igmp_record {
	uint8_t ig_type;
	uint32_t ig_group_be;
	uint16_t ig_nsources;
	const uint8_t *ig_sources; /* 4 bytes each */
};

struct igmp_record_iter {
	const uint8_t *ri_p;
	size_t ri_left;
	uint16_t ri_n; /* records not yet seen */
	bool ri_malformed;
};

/* Begins to walk the records of a report of version 3. => false: it is too short to be one */
bool igmp_record_first(struct igmp_record_iter *iter, const uint8_t *p, size_t len);
/* => false at the end; ri_malformed tells whether a record that is cut ended the walk */
bool igmp_record_next(struct igmp_record_iter *iter, struct igmp_record *ig);

/* The floating point codes of RFC 3376 §4.1.1 and §4.1.7. */
uint32_t igmp_decode(uint8_t code);

#endif /* WIRE_IGMP_H */
