/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP segmentation in software.
 *
 *   | link | IPv4 or IPv6 | TCP and options | payload ............................ |
 *   | the same, fixed up                    | segsz bytes, shared by m_copym |  times n
 *
 * Each segment gets its length, IPv4's identification, sequence number and pseudo-header sum; CWR
 * stays on the first, PUSH and FIN on the last (RFC 3168 §6.1.2).
 */
#include "net/if_gso.h"

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "net/if.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

struct gso {
	const uint8_t *hdr; /* link, IP and TCP header, contiguous */
	uint32_t l3off;
	uint32_t l4off;
	uint32_t hdrlen;
	bool isip6;
	struct ipv4_hdr ip;
	struct ip6_hdr ip6;
	struct tcp_hdr th;
};

/* The IP header, which ends where TCP's begins. */
static bool
gso_parse_ip(struct gso *g, const uint8_t *p, size_t have, size_t len)
{
	g->isip6 = p[0] >> 4 == 6;
	if (g->isip6)
		return ip6_parse_partial(p, have, len, &g->ip6) == IP6_PARSE_OK &&
		    g->ip6.ip6_nxt == IP6_NXT_TCP && g->l3off + IP6_HDR_LEN == g->l4off;
	return ipv4_parse_partial(p, have, len, &g->ip) == IPV4_PARSE_OK &&
	    g->ip.ip_hl == IPV4_HDR_LEN && g->l3off + IPV4_HDR_LEN == g->l4off;
}

/* => NULL: malformed or no memory, dropped */
static struct mbuf *
gso_parse(struct gso *g, uint32_t l3off, struct mbuf *m)
{
	uint32_t len = m->m_pkthdr.len, want;

	g->l3off = l3off;
	g->l4off = m->m_pkthdr.csum_start;
	if (m->m_pkthdr.segsz == 0 || g->l4off < l3off + IPV4_HDR_LEN ||
	    len < g->l4off + TCP_HDR_LEN)
		goto bad;
	want = KERN_MIN(g->l4off + TCP_HDR_LEN_MAX, len);
	if (want > MHLEN)
		goto bad;
	if (m->m_len < want && (m = m_pullup(m, want)) == NULL)
		return NULL;
	g->hdr = m->m_data;
	if (!gso_parse_ip(g, g->hdr + l3off, want - l3off, len - l3off) ||
	    tcp_parse_partial(g->hdr + g->l4off, want - g->l4off, len - g->l4off, &g->th) !=
		TCP_PARSE_OK)
		goto bad;
	g->hdrlen = g->l4off + g->th.th_off;
	return m;
bad:
	m_drop(m, DROP_IF_OVERSIZE);
	return NULL;
}

/* Writes the IP header of a segment whose TCP header and payload are len bytes, n before it. => the sum */
static uint32_t
gso_emit_ip(const struct gso *g, uint8_t *p, uint32_t len, uint32_t n)
{
	struct ipv4_hdr ip = g->ip;
	struct ip6_hdr ip6 = g->ip6;

	if (g->isip6) {
		ip6.ip6_plen = (uint16_t)len;
		ip6_emit(p, &ip6);
		return cksum_pseudo6(ip6.ip6_src, ip6.ip6_dst, IP6_NXT_TCP, len);
	}
	ip.ip_len = (uint16_t)(IPV4_HDR_LEN + len);
	ip.ip_id = (uint16_t)(ip.ip_id + n);
	ipv4_emit(p, &ip);
	return cksum_pseudo4(ip.ip_src_be, ip.ip_dst_be, IPV4_PROTO_TCP, (uint16_t)len);
}

/* One segment: payload bytes [off, off + len) of m. => NULL: no memory. */
static struct mbuf *
gso_segment(const struct gso *g, const struct mbuf *m, uint32_t off, uint32_t len)
{
	struct tcp_hdr th = g->th;
	struct mbuf *seg, *data;
	bool last = g->hdrlen + off + len == m->m_pkthdr.len;

	if ((seg = m_gethdr(m->m_ns, MT_DATA)) == NULL)
		return NULL;
	if ((data = m_copym(m, g->hdrlen + off, len)) == NULL) {
		m_freem(seg);
		return NULL;
	}
	memcpy(seg->m_data, g->hdr, g->hdrlen);
	seg->m_len = g->hdrlen;
	seg->m_next = data;
	seg->m_flags |= m->m_flags & (M_BCAST | M_MCAST | M_LOOP);
	seg->m_pkthdr = m->m_pkthdr;
	seg->m_pkthdr.len = g->hdrlen + len;
	seg->m_pkthdr.segsz = 0;
	seg->m_pkthdr.nsegs = 0;
	seg->m_pkthdr.csum_flags = M_CSUM_NEEDED;
	seg->m_pkthdr.csum_offset = TCP_OFF_SUM;

	th.th_seq += off;
	if (off > 0)
		th.th_flags &= (uint8_t)~TH_CWR;
	if (!last)
		th.th_flags &= (uint8_t) ~(TH_FIN | TH_PUSH);
	th.th_sum = cksum_fold(
	    gso_emit_ip(g, seg->m_data + g->l3off, th.th_off + len, off / m->m_pkthdr.segsz));
	tcp_emit(seg->m_data + g->l4off, &th);
	return seg;
}

struct mbuf *
if_gso(const struct ifnet *ifp, struct mbuf *m)
{
	struct mbuf *head = NULL, **tail = &head, *seg;
	uint32_t off = 0, payload, len;
	struct gso g;

	if ((m = gso_parse(&g, ifp->if_hdrlen, m)) == NULL)
		return NULL;
	payload = m->m_pkthdr.len - g.hdrlen;
	if (payload == 0) {
		m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
		return m;
	}
	do {
		len = KERN_MIN(payload - off, (uint32_t)m->m_pkthdr.segsz);
		if ((seg = gso_segment(&g, m, off, len)) == NULL) {
			m_freepkts(head);
			m_drop(m, DROP_MBUF_NOBUFS);
			return NULL;
		}
		*tail = seg;
		tail = &seg->m_nextpkt;
		off += len;
	} while (off < payload);
	m_freem(m);
	return head;
}
