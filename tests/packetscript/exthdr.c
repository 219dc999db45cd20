/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extension headers of scripts (RFC 8200 §4), as bytes. What follows a fragment header that has a range is
 * cut to that range, so that a datagram is written whole in each of its fragments' lines.
 */
#include <string.h>

#include "run.h"
#include "wire/be.h"
#include "wire/ip6.h"

static uint8_t *
ext_emit(uint8_t *p, const struct exthdr *eh)
{
	memcpy(p, eh->eh_bytes, eh->eh_len);
	return p + eh->eh_len;
}

size_t
ip6_extend(const uint8_t *in, size_t len, const struct exthdr *exts, uint8_t *out)
{
	const struct exthdr *eh, *cut = NULL;
	uint8_t *p = out + IP6_HDR_LEN, *nxt = out + IP6_OFF_NXT, *whole = NULL;

	memcpy(out, in, IP6_HDR_LEN);
	for (eh = exts; eh != NULL; eh = eh->eh_next) {
		uint8_t *head = p;

		p = ext_emit(p, eh);
		*nxt = eh->eh_proto;
		nxt = head;
		if (cut == NULL && eh->eh_range) {
			cut = eh;
			whole = p;
		}
	}
	*nxt = in[IP6_OFF_NXT];
	memcpy(p, in + IP6_HDR_LEN, len - IP6_HDR_LEN);
	p += len - IP6_HDR_LEN;
	if (cut != NULL) {
		if (cut->eh_to > (size_t)(p - whole))
			return 0;
		memmove(whole, whole + cut->eh_from, cut->eh_to - cut->eh_from);
		p = whole + (cut->eh_to - cut->eh_from);
	}
	be16_put(out + IP6_OFF_PLEN, (uint16_t)(p - out - IP6_HDR_LEN));
	return (size_t)(p - out);
}

size_t
ip6_headers(const uint8_t *packet, size_t len, uint8_t *nxt)
{
	size_t off = IP6_HDR_LEN, n;

	for (*nxt = packet[IP6_OFF_NXT]; len - off >= IP6_EXT_UNIT; off += n) {
		if (*nxt != IP6_NXT_HOPOPTS && *nxt != IP6_NXT_DSTOPTS && *nxt != IP6_NXT_ROUTING &&
		    *nxt != IP6_NXT_FRAGMENT)
			break;
		n = *nxt == IP6_NXT_FRAGMENT ? IP6_FRAG_LEN : ip6_ext_len(packet + off);
		if (n > len - off)
			break;
		/* Behind a fragment header there may be the middle of anything. */
		if (*nxt == IP6_NXT_FRAGMENT) {
			*nxt = packet[off];
			return off + n;
		}
		*nxt = packet[off];
	}
	return off;
}

/* One header, whose first byte names the next one, but for a fragment's id. */
static bool
ext_match(const struct exthdr *eh, uint8_t nxt, const uint8_t *p)
{
	size_t n = eh->eh_fragment && eh->eh_anyid ? 4 : eh->eh_len;

	return p[0] == nxt && memcmp(p + 1, eh->eh_bytes + 1, n - 1) == 0;
}

bool
exthdrs_match(const struct exthdr *exts, const uint8_t *packet, size_t len)
{
	uint8_t nxt, first = packet[IP6_OFF_NXT];
	size_t end = ip6_headers(packet, len, &nxt), off = IP6_HDR_LEN;
	const struct exthdr *eh;

	for (eh = exts; eh != NULL; off += eh->eh_len, eh = eh->eh_next) {
		uint8_t follows = eh->eh_next != NULL ? eh->eh_next->eh_proto : nxt;

		if (first != eh->eh_proto || eh->eh_len > end - off ||
		    !ext_match(eh, follows, packet + off))
			return false;
		first = packet[off];
	}
	return off == end;
}
