/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP for IPv4 to and from bytes, and the packets that its errors quote (RFC 792). */
#include "wire/icmp4.h"

#include <string.h>

#include "wire/cksum.h"

#define OFF_CODE 1
#define OFF_SUM 2
#define OFF_ID 4
#define OFF_SEQ 6

/* The parts of TCP and UDP headers that an error quotes. */
#define OFF_SPORT 0
#define OFF_DPORT 2
#define OFF_TCP_SEQ 4

int
icmp4_parse(const uint8_t *p, size_t len, struct icmp4_hdr *icmp)
{
	if (len < ICMP4_HDR_LEN)
		return -1;
	icmp->icmp_type = p[0];
	icmp->icmp_code = p[OFF_CODE];
	icmp->icmp_sum = be16_get(p + OFF_SUM);
	icmp->icmp_id = be16_get(p + OFF_ID);
	icmp->icmp_seq = be16_get(p + OFF_SEQ);
	return 0;
}

void
icmp4_emit(uint8_t *p, const struct icmp4_hdr *icmp)
{
	p[0] = icmp->icmp_type;
	p[OFF_CODE] = icmp->icmp_code;
	be16_put(p + OFF_SUM, icmp->icmp_sum);
	be16_put(p + OFF_ID, icmp->icmp_id);
	be16_put(p + OFF_SEQ, icmp->icmp_seq);
}

bool
icmp4_cksum_ok(const uint8_t *p, size_t len)
{
	return cksum_finish(cksum_partial(p, len, 0)) == 0;
}

bool
icmp4_is_error(uint8_t type)
{
	switch (type) {
	case ICMP4_UNREACH:
	case ICMP4_SOURCEQUENCH:
	case ICMP4_REDIRECT:
	case ICMP4_TIMXCEED:
	case ICMP4_PARAMPROB:
		return true;
	default:
		return false;
	}
}

/* Reads the ICMP4_EMBEDDED_MIN bytes of transport header at p. */
static void
icmp4_read_transport(const uint8_t *p, struct icmp4_embedded *ie)
{
	uint8_t proto = ie->ie_ip.ip_p;

	if (proto == IPV4_PROTO_ICMP)
		(void)icmp4_parse(p, ICMP4_EMBEDDED_MIN, &ie->ie_icmp);
	if (proto != IPV4_PROTO_TCP && proto != IPV4_PROTO_UDP)
		return;
	ie->ie_sport = be16_get(p + OFF_SPORT);
	ie->ie_dport = be16_get(p + OFF_DPORT);
	if (proto == IPV4_PROTO_TCP)
		ie->ie_seq = be32_get(p + OFF_TCP_SEQ);
}

enum icmp4_embedded_result
icmp4_parse_embedded(const uint8_t *p, size_t len, struct icmp4_embedded *ie)
{
	size_t hl;

	memset(ie, 0, sizeof(*ie));
	if (ipv4_parse_partial(p, len, SIZE_MAX, &ie->ie_ip) != IPV4_PARSE_OK)
		return ICMP4_EMBEDDED_IP;
	hl = ie->ie_ip.ip_hl;
	if (ie->ie_ip.ip_fragoff_bytes != 0)
		return ICMP4_EMBEDDED_FRAGMENT;
	if (ie->ie_ip.ip_len < hl + ICMP4_EMBEDDED_MIN || len < hl + ICMP4_EMBEDDED_MIN)
		return ICMP4_EMBEDDED_SHORT;
	icmp4_read_transport(p + hl, ie);
	return ICMP4_EMBEDDED_OK;
}
