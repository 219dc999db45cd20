/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP segmentation offload: datagrams joined on their way out, taken apart on their way in.
 *
 *   | link | IP | UDP | payload |   | link | IP | UDP | payload |   ...
 *   | link | IP | UDP | payload | payload ...
 *
 * The frame's header is the first datagram's, with the lengths and the pseudo-header sum of the whole.
 * Whoever cuts it counts IPv4's identification up, so that only datagrams that did so are joined, or
 * such as are never fragmented, whose identification means nothing (RFC 6864 §4.1).
 *
 * Taken apart, each has its bytes in storage of its own: shared, one datagram that waits in a socket would
 * hold all of a jumbo buffer.
 */
#include "net/if_uso.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "wire/cksum.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#define USO_SEGS 64u     /* what every kernel that does it takes */
#define USO_SEGS_IN 128u /* the most that one makes (Linux's UDP_MAX_SEGMENTS) */
#define USO_ALIGN 2u     /* so that the network header is aligned */

struct uso {
	bool isip6;
	struct ipv4_hdr ip;
	struct ip6_hdr ip6;
	struct udp_hdr uh;
	uint32_t hdrlen;
	uint32_t payload;
	uint32_t segsz; /* bytes of payload of all but the last */
	uint32_t nsegs;
};

/* An IP header without options before a whole datagram, from l3off on. => where UDP begins, 0: not that */
static uint32_t
uso_parse_ip(const struct mbuf *m, uint32_t l3off, struct uso *u)
{
	uint32_t len = m->m_pkthdr.len - l3off, have = m->m_len - l3off;
	const uint8_t *p = m->m_data + l3off;

	u->isip6 = p[0] >> 4 == 6;
	if (u->isip6)
		return ip6_parse_partial(p, have, len, &u->ip6) == IP6_PARSE_OK &&
			u->ip6.ip6_nxt == IP6_NXT_UDP && u->ip6.ip6_plen == len - IP6_HDR_LEN
		    ? l3off + IP6_HDR_LEN
		    : 0;
	if (ipv4_parse_partial(p, have, len, &u->ip) != IPV4_PARSE_OK ||
	    u->ip.ip_hl != IPV4_HDR_LEN || u->ip.ip_p != IPV4_PROTO_UDP || u->ip.ip_mf ||
	    u->ip.ip_fragoff_bytes != 0 || u->ip.ip_len != len)
		return 0;
	return l3off + IPV4_HDR_LEN;
}

/* The headers, contiguous, and what lies behind them. => false: no datagram, or one of no bytes */
static bool
uso_parse_headers(const struct mbuf *m, uint32_t l3off, struct uso *u)
{
	uint32_t len = m->m_pkthdr.len, l4off;

	if (m->m_len < l3off + IPV4_HDR_LEN || (l4off = uso_parse_ip(m, l3off, u)) == 0)
		return false;
	u->hdrlen = l4off + UDP_HDR_LEN;
	if (m->m_len < u->hdrlen || len <= u->hdrlen ||
	    udp_parse_partial(m->m_data + l4off, UDP_HDR_LEN, len - l4off, &u->uh) != UDP_PARSE_OK)
		return false;
	u->payload = len - u->hdrlen;
	return true;
}

static bool
uso_parse(const struct mbuf *m, uint32_t l3off, struct uso *u)
{
	const struct pkthdr *ph = &m->m_pkthdr;

	if ((ph->csum_flags & ~M_CSUM_USO) != M_CSUM_NEEDED || ph->csum_offset != UDP_OFF_SUM ||
	    !uso_parse_headers(m, l3off, u) || ph->csum_start != u->hdrlen - UDP_HDR_LEN)
		return false;
	u->segsz = (ph->csum_flags & M_CSUM_USO) != 0 ? ph->segsz : u->payload;
	u->nsegs = howmany(u->payload, u->segsz);
	return true;
}

/* May a datagram with header b follow n with header a, as far as IP goes? */
static bool
uso_follows4(const struct ipv4_hdr *a, const struct ipv4_hdr *b, uint32_t n)
{
	if (a->ip_src_be != b->ip_src_be || a->ip_dst_be != b->ip_dst_be ||
	    a->ip_tos != b->ip_tos || a->ip_ttl != b->ip_ttl || a->ip_df != b->ip_df)
		return false;
	return a->ip_df || b->ip_id == (uint16_t)(a->ip_id + n);
}

static bool
uso_follows6(const struct ip6_hdr *a, const struct ip6_hdr *b)
{
	return ip6_addr_eq(a->ip6_src, b->ip6_src) && ip6_addr_eq(a->ip6_dst, b->ip6_dst) &&
	    a->ip6_tclass == b->ip6_tclass && a->ip6_flow == b->ip6_flow &&
	    a->ip6_hlim == b->ip6_hlim;
}

/* May datagram u follow those of h? */
static bool
uso_follows(const struct uso *h, const struct uso *u)
{
	if (h->isip6 != u->isip6 || h->uh.uh_sport != u->uh.uh_sport ||
	    h->uh.uh_dport != u->uh.uh_dport)
		return false;
	if (h->isip6 ? !uso_follows6(&h->ip6, &u->ip6) : !uso_follows4(&h->ip, &u->ip, h->nsegs))
		return false;
	return h->payload % h->segsz == 0 && u->payload <= h->segsz && h->nsegs < USO_SEGS &&
	    h->hdrlen + h->payload + u->payload <= IPV4_LEN_MAX;
}

/* Writes the headers of a frame with so many bytes of payload; their sum is the pseudo-header's. */
static void
uso_emit(uint8_t *frame, uint32_t l3off, struct uso *h, uint32_t payload)
{
	uint8_t *p = frame + l3off;
	uint32_t sum;

	h->uh.uh_ulen = (uint16_t)(UDP_HDR_LEN + payload);
	if (h->isip6) {
		h->ip6.ip6_plen = h->uh.uh_ulen;
		ip6_emit(p, &h->ip6);
		sum = cksum_pseudo6(h->ip6.ip6_src, h->ip6.ip6_dst, IP6_NXT_UDP, h->uh.uh_ulen);
	} else {
		h->ip.ip_len = (uint16_t)(IPV4_HDR_LEN + h->uh.uh_ulen);
		ipv4_emit(p, &h->ip);
		sum =
		    cksum_pseudo4(h->ip.ip_src_be, h->ip.ip_dst_be, IPV4_PROTO_UDP, h->uh.uh_ulen);
	}
	h->uh.uh_sum = cksum_fold(sum);
	udp_emit(frame + h->hdrlen - UDP_HDR_LEN, &h->uh);
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
	uso_emit(head->m_data, l3off, &h, h.payload + u.payload);
	head->m_pkthdr.csum_flags |= M_CSUM_USO;
	head->m_pkthdr.segsz = (uint16_t)h.segsz;
	return true;
}

/* Bytes [off, off + len) of m behind those of to. => errno, to is the caller's still */
static int
uso_copy(struct mbuf *to, struct mbuf *m, size_t off, size_t len)
{
	int error = 0;

	for (m = m_getptr(m, off, &off); len > 0 && error == 0; m = m->m_next, off = 0) {
		size_t piece = KERN_MIN(m->m_len - off, len);

		error = m_append(to, piece, m->m_data + off);
		len -= piece;
	}
	return error;
}

/* Datagram n of frame m. => NULL: no memory */
static struct mbuf *
uso_cut(const struct uso *u, struct mbuf *m, uint32_t l3off, uint32_t n)
{
	uint32_t off = n * u->segsz, len = KERN_MIN(u->payload - off, u->segsz);
	bool small = USO_ALIGN + u->hdrlen + len <= MHLEN;
	struct mbuf *seg = small ? m_gethdr(m->m_ns, MT_DATA) : m_getcl(m->m_ns, MT_DATA, true);
	struct uso h = *u;

	if (seg == NULL)
		return NULL;
	seg->m_data += USO_ALIGN;
	memcpy(seg->m_data, m->m_data, l3off);
	h.ip.ip_id = (uint16_t)(h.ip.ip_id + n);
	uso_emit(seg->m_data, l3off, &h, len);
	seg->m_len = seg->m_pkthdr.len = u->hdrlen;
	seg->m_pkthdr.rcvif = m->m_pkthdr.rcvif;
	seg->m_pkthdr.csum_flags = M_CSUM_OK;
	if (uso_copy(seg, m, u->hdrlen + off, len) == 0)
		return seg;
	m_freem(seg);
	return NULL;
}

/* A frame that can be taken apart: what else would be found out by a sum is seen to here. */
static bool
uso_parse_several(const struct mbuf *m, uint32_t l3off, uint32_t segsz, struct uso *u)
{
	if ((m->m_pkthdr.csum_flags & M_CSUM_OK) == 0 || segsz == 0 ||
	    !uso_parse_headers(m, l3off, u) || u->uh.uh_ulen != UDP_HDR_LEN + u->payload)
		return false;
	u->segsz = segsz;
	u->nsegs = howmany(u->payload, segsz);
	return u->nsegs <= USO_SEGS_IN &&
	    (u->isip6 || ipv4_cksum_ok(m->m_data + l3off, IPV4_HDR_LEN));
}

struct mbuf *
if_uso_split(struct mbuf *m, uint32_t l3off, uint32_t segsz)
{
	uint32_t want = KERN_MIN(l3off + IP6_HDR_LEN + UDP_HDR_LEN, m->m_pkthdr.len);
	struct mbuf *head = NULL, **tail = &head;
	struct netstack *ns = m->m_ns;
	struct uso u;

	if (m->m_len < want && (m = m_pullup(m, want)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	if (!uso_parse_several(m, l3off, segsz, &u)) {
		m_drop(m, DROP_IF_SEGMENTS);
		return NULL;
	}
	if (u.nsegs == 1)
		return m;
	for (uint32_t n = 0; n < u.nsegs; n++) {
		if ((*tail = uso_cut(&u, m, l3off, n)) != NULL)
			tail = &(*tail)->m_nextpkt;
		else
			ns->ns_drops[DROP_MBUF_NOBUFS]++;
	}
	m_freem(m);
	return head;
}
