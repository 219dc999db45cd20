/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP segmentation offload, its sending half.
 *
 *   | link | IPv4 | UDP | payload |   | link | IPv4 | UDP | payload |   ...
 *   | link | IPv4 | UDP | payload | payload ...
 *
 * The frame's header is the first datagram's, with the lengths and the pseudo-header sum of the whole. Whoever cuts it
 * counts the IP identification up, so that only datagrams that did so are joined, or such
 * as are never fragmented, whose identification means nothing (RFC 6864 §4.1).
 */
#include "net/if_uso.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "wire/cksum.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#define USO_SEGS 64u /* what every kernel that does it takes */

struct uso {
	struct ipv4_hdr ip;
	struct udp_hdr uh;
	uint32_t hdrlen;
	uint32_t payload;
	uint32_t segsz; /* bytes of payload of all but the last */
	uint32_t nsegs;
};

static bool
uso_parse(const struct mbuf *m, uint32_t l3off, struct uso *u)
{
	const struct pkthdr *ph = &m->m_pkthdr;
	uint32_t l4off = l3off + IPV4_HDR_LEN;
	const uint8_t *p = m->m_data;

	u->hdrlen = l4off + UDP_HDR_LEN;
	if ((ph->csum_flags & ~M_CSUM_USO) != M_CSUM_NEEDED || ph->csum_start != l4off ||
	    ph->csum_offset != UDP_OFF_SUM || m->m_len < u->hdrlen || ph->len <= u->hdrlen)
		return false;
	if (ipv4_parse_partial(p + l3off, u->hdrlen - l3off, ph->len - l3off, &u->ip) !=
		IPV4_PARSE_OK ||
	    u->ip.ip_hl != IPV4_HDR_LEN || u->ip.ip_p != IPV4_PROTO_UDP || u->ip.ip_mf ||
	    u->ip.ip_fragoff_bytes != 0 || u->ip.ip_len != ph->len - l3off ||
	    udp_parse_partial(p + l4off, UDP_HDR_LEN, ph->len - l4off, &u->uh) != UDP_PARSE_OK)
		return false;
	u->payload = ph->len - u->hdrlen;
	u->segsz = (ph->csum_flags & M_CSUM_USO) != 0 ? ph->segsz : u->payload;
	u->nsegs = howmany(u->payload, u->segsz);
	return true;
}

/* May datagram u follow those of h? */
static bool
uso_follows(const struct uso *h, const struct uso *u)
{
	const struct ipv4_hdr *a = &h->ip, *b = &u->ip;

	if (a->ip_src_be != b->ip_src_be || a->ip_dst_be != b->ip_dst_be ||
	    h->uh.uh_sport != u->uh.uh_sport || h->uh.uh_dport != u->uh.uh_dport ||
	    a->ip_tos != b->ip_tos || a->ip_ttl != b->ip_ttl || a->ip_df != b->ip_df)
		return false;
	if (!a->ip_df && b->ip_id != (uint16_t)(a->ip_id + h->nsegs))
		return false;
	return h->payload % h->segsz == 0 && u->payload <= h->segsz && h->nsegs < USO_SEGS &&
	    (uint32_t)a->ip_len + u->payload <= IPV4_LEN_MAX;
}

/* The headers of a frame that is longer by so many bytes of payload. */
static void
uso_grow(struct mbuf *head, uint32_t l3off, struct uso *h, uint32_t payload)
{
	h->ip.ip_len = (uint16_t)(h->ip.ip_len + payload);
	h->uh.uh_ulen = (uint16_t)(h->uh.uh_ulen + payload);
	h->uh.uh_sum = cksum_fold(
	    cksum_pseudo4(h->ip.ip_src_be, h->ip.ip_dst_be, IPV4_PROTO_UDP, h->uh.uh_ulen));
	ipv4_emit(head->m_data + l3off, &h->ip);
	udp_emit(head->m_data + l3off + IPV4_HDR_LEN, &h->uh);
	head->m_pkthdr.csum_flags |= M_CSUM_USO;
	head->m_pkthdr.segsz = (uint16_t)h->segsz;
}

static unsigned
uso_pieces(const struct mbuf *m)
{
	unsigned n = 0;

	for (; m != NULL; m = m->m_next)
		n++;
	return n;
}

bool
if_uso_join(struct mbuf *head, struct mbuf *m, uint32_t l3off, unsigned maxpieces)
{
	struct uso h, u;

	if (!m_writable(head) || !uso_parse(head, l3off, &h) || !uso_parse(m, l3off, &u) ||
	    !uso_follows(&h, &u) || memcmp(head->m_data, m->m_data, l3off) != 0 ||
	    uso_pieces(head) + uso_pieces(m) > maxpieces)
		return false;
	m_adj(m, (int)u.hdrlen);
	while (m->m_len == 0) /* it held the headers */
		m = m_free(m);
	m_cat(head, m);
	uso_grow(head, l3off, &h, u.payload);
	return true;
}
