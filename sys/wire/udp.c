/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP headers to and from bytes (RFC 768). */
#include "wire/udp.h"

#include <assert.h>

#include "wire/be.h"

#define OFF_DPORT 2
#define OFF_ULEN 4

enum udp_parse_result
udp_parse_partial(const uint8_t *p, size_t len, size_t payload_len, struct udp_hdr *uh)
{
	if (len < UDP_HDR_LEN || payload_len < UDP_HDR_LEN)
		return UDP_PARSE_SHORT;
	uh->uh_sport = be16_get(p);
	uh->uh_dport = be16_get(p + OFF_DPORT);
	uh->uh_ulen = be16_get(p + OFF_ULEN);
	uh->uh_sum = be16_get(p + UDP_OFF_SUM);
	if (uh->uh_ulen < UDP_HDR_LEN)
		return UDP_PARSE_LEN;
	return uh->uh_ulen > payload_len ? UDP_PARSE_TOOLONG : UDP_PARSE_OK;
}

enum udp_parse_result
udp_parse(const uint8_t *p, size_t len, struct udp_hdr *uh)
{
	return udp_parse_partial(p, len, len, uh);
}

const char *
udp_parse_name(enum udp_parse_result result)
{
	static const char *const names[] = {
	    [UDP_PARSE_OK] = "ok",
	    [UDP_PARSE_SHORT] = "short",
	    [UDP_PARSE_LEN] = "length below the header's",
	    [UDP_PARSE_TOOLONG] = "length beyond the packet",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == UDP_PARSE_NRESULTS, "a name each");
	return names[result];
}

void
udp_emit(uint8_t *p, const struct udp_hdr *uh)
{
	be16_put(p, uh->uh_sport);
	be16_put(p + OFF_DPORT, uh->uh_dport);
	be16_put(p + OFF_ULEN, uh->uh_ulen);
	be16_put(p + UDP_OFF_SUM, uh->uh_sum);
}
