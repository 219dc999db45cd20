/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP headers (RFC 768).
 *
 *   0       2       4      6     8
 *   | sport | dport | ulen | sum | payload
 */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include <stddef.h>
#include <stdint.h>

#define UDP_HDR_LEN 8
#define UDP_PORTS_LEN 4 /* the source's port, the destination's */
#define UDP_OFF_SUM 6   /* where the checksum lies */

struct udp_hdr {
	uint16_t uh_sport;
	uint16_t uh_dport;
	uint16_t uh_ulen; /* bytes, header included */
	uint16_t uh_sum;  /* 0: the sender made none */
};

enum udp_parse_result {
	UDP_PARSE_OK,
	UDP_PARSE_SHORT,   /* fewer than UDP_HDR_LEN bytes */
	UDP_PARSE_LEN,     /* uh_ulen < UDP_HDR_LEN */
	UDP_PARSE_TOOLONG, /* uh_ulen beyond the IP payload */
	UDP_PARSE_NRESULTS
};

/*
 * Reads the header of a datagram that lies in p[0..len).
 * => OK: UDP_HDR_LEN <= uh_ulen <= len; what is behind uh_ulen is to be trimmed
 * => ports and checksum are not judged; *uh is valid except with SHORT
 */
enum udp_parse_result udp_parse(const uint8_t *p, size_t len, struct udp_hdr *uh);

/* The same, with only the first len of the payload_len bytes that IP carries readable. */
enum udp_parse_result udp_parse_partial(const uint8_t *p, size_t len, size_t payload_len,
    struct udp_hdr *uh);

/* What the result means, for people. */
const char *udp_parse_name(enum udp_parse_result result);

/* Writes UDP_HDR_LEN bytes, uh_sum as it is. */
void udp_emit(uint8_t *p, const struct udp_hdr *uh);

#endif /* WIRE_UDP_H */
