/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 input (RFC 791, RFC 1122 §3.2.1): every field of the header is judged once, in this order,
 * before anything relies on it; then fragments are put together, then the transport has it. There
 * is no forwarding: what is not for us is dropped.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/net_state.h"
#include "net/stray.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "netinet/raw_ip.h"
#include "wire/icmp4.h"
#include "wire/ipv4.h"

/* => OK, or the reason; counts it. */
static enum drop_reason
ip_parse_reason(struct netstack *ns, enum ipv4_parse_result result)
{
	switch (result) {
	case IPV4_PARSE_OK:
		return DROP_COUNT;
	case IPV4_PARSE_VERSION:
		IPSTAT_INC(ns, badvers);
		return DROP_IP_VERSION;
	case IPV4_PARSE_HLEN:
		IPSTAT_INC(ns, badhlen);
		return DROP_IP_HLEN;
	case IPV4_PARSE_LEN:
		IPSTAT_INC(ns, badlen);
		return DROP_IP_LEN;
	case IPV4_PARSE_TRUNCATED:
		IPSTAT_INC(ns, tooshort);
		return DROP_IP_LEN;
	default:
		IPSTAT_INC(ns, toosmall);
		return DROP_IP_SHORT;
	}
}

/*
 * The header: lengths, checksum, TTL. Pulls it up and trims link padding.
 * => the packet, or NULL: dropped
 */
static struct mbuf *
ip_input_header(struct netstack *ns, struct mbuf *m, struct ipv4_hdr *ip)
{
	enum drop_reason why;

	if (m->m_pkthdr.len < IPV4_HDR_LEN) {
		IPSTAT_INC(ns, toosmall);
		m_drop(m, DROP_IP_SHORT);
		return NULL;
	}
	if (m->m_len < IPV4_HDR_LEN && (m = m_pullup(m, IPV4_HDR_LEN)) == NULL)
		goto nobufs;
	why = ip_parse_reason(ns, ipv4_parse_partial(m->m_data, m->m_len, m->m_pkthdr.len, ip));
	if (why != DROP_COUNT) {
		m_drop(m, why);
		return NULL;
	}
	if (m->m_len < ip->ip_hl && (m = m_pullup(m, ip->ip_hl)) == NULL)
		goto nobufs;
	if (!ipv4_cksum_ok(m->m_data, ip->ip_hl)) {
		IPSTAT_INC(ns, badsum);
		m_drop(m, DROP_IP_CKSUM);
		return NULL;
	}
	if (ip->ip_ttl == 0) {
		m_drop(m, DROP_IP_TTL);
		return NULL;
	}
	if (m->m_pkthdr.len > ip->ip_len)
		m_adj(m, -(int)(m->m_pkthdr.len - ip->ip_len));
	return m;
nobufs:
	ns->ns_drops[DROP_MBUF_NOBUFS]++;
	return NULL;
}

/*
 * May a packet come from there? Our own addresses only by ourselves (RFC 1122 §3.2.1.3). Who has no
 * address yet may speak IGMP (RFC 3376 §4.2.13), as switches that ask do (RFC 4541 §2.1.1).
 */
static bool
ip_source_ok(struct netstack *ns, const struct mbuf *m, const struct ipv4_hdr *ip)
{
	uint32_t src_be = ip->ip_src_be;
	struct rt_addr key = in_rtkey(src_be);
	const struct rtentry *rt;
	bool loop = (m->m_flags & M_LOOP) != 0;

	if (src_be == 0 && ip->ip_p == IPV4_PROTO_IGMP && ipv4_is_multicast(ip->ip_dst_be))
		return true;
	if (ipv4_is_martian_source(src_be) && !(loop && ipv4_is_loopback(src_be)))
		return false;
	rt = rt_lookup(rt_table(ns, AF_INET), &key);
	return rt == NULL ||
	    ((rt->rt_flags & RTF_BROADCAST) == 0 && (loop || (rt->rt_flags & RTF_LOCAL) == 0));
}

/*
 * Is it for us? => DROP_COUNT: yes, and *bcast says whether by a broadcast or multicast address
 */
static enum drop_reason
ip_destination(struct ifnet *ifp, const struct mbuf *m, uint32_t dst_be, bool *bcast)
{
	struct rt_addr key = in_rtkey(dst_be);
	const struct rtentry *rt;

	*bcast = true;
	if (ipv4_is_broadcast_limited(dst_be))
		return DROP_COUNT;
	if (ipv4_is_multicast(dst_be)) {
		/* A sister may be the member. */
		return in_mcast_isjoined(ifp, dst_be) ||
			(stray_possible(ifp, m) && stray_isfirst(m))
		    ? DROP_COUNT
		    : DROP_IP_NOTFORUS;
	}
	rt = rt_find(rt_table(ifp->if_ns, AF_INET), &key, 32);
	if (rt != NULL && (rt->rt_flags & RTF_BROADCAST) != 0)
		return rt->rt_ifp == ifp ? DROP_COUNT : DROP_IP_DST;
	*bcast = false;
	if (rt == NULL || (rt->rt_flags & RTF_LOCAL) == 0)
		return DROP_IP_NOTFORUS;
	if (ipv4_is_loopback(dst_be) && (m->m_flags & M_LOOP) == 0)
		return DROP_IP_DST;
	/* RFC 1122 §3.3.6: unicast in a broadcast frame is not to be believed. */
	return (m->m_flags & (M_BCAST | M_MCAST)) != 0 ? DROP_IP_DST : DROP_COUNT;
}

static bool
ip_options_ok(const struct mbuf *m, const struct ipv4_hdr *ip)
{
	unsigned found;

	if (ip->ip_hl == IPV4_HDR_LEN)
		return true;
	return ipv4_opts_scan(m->m_data + IPV4_HDR_LEN, ip->ip_hl - (size_t)IPV4_HDR_LEN, &found) ==
	    0 &&
	    (found & IPV4_OPTF_SRCROUTE) == 0;
}

/* Hands a whole datagram up. */
static void
ip_deliver(struct ifnet *ifp, struct mbuf *m, const struct ipv4_hdr *ip, bool bcast)
{
	struct netstack *ns = ifp->if_ns;
	const struct in_transport *it;
	struct in_rxinfo rx = {
	    .rx_af = &in4_afops,
	    .rx_ifp = ifp,
	    .rx_src = in4_any(ip->ip_src_be),
	    .rx_dst = in4_any(ip->ip_dst_be),
	    .rx_hlen = ip->ip_hl,
	    .rx_len = (uint32_t)ip->ip_len - ip->ip_hl,
	    .rx_proto = ip->ip_p,
	    .rx_ttl = ip->ip_ttl,
	    .rx_tos = ip->ip_tos,
	    .rx_bcast = bcast,
	};
	bool taken;

	it = in_transport_find(ns, ip->ip_p);
	if (ip_stray(m, &rx, it))
		return;
	taken = ns->ns_inet->is_rip.rs_raw.it_count > 0 && rip_input(m, &rx);
	if (ip->ip_p == IPV4_PROTO_ICMP) {
		IPSTAT_INC(ns, delivered);
		icmp_input(m, &rx);
		return;
	}
	if (it != NULL) {
		IPSTAT_INC(ns, delivered);
		it->it_input(m, &rx);
		return;
	}
	if (taken) {
		IPSTAT_INC(ns, delivered);
		m_freem(m);
		return;
	}
	IPSTAT_INC(ns, noproto);
	if (ns->ns_stray == NULL) /* a sister may know it */
		icmp_error(ns, m, ICMP4_UNREACH, ICMP4_UNREACH_PROTOCOL, 0);
	m_drop(m, DROP_IP_NOPROTO);
}

void
ip_input(struct ifnet *ifp, struct mbuf *m)
{
	struct netstack *ns = ifp->if_ns;
	enum drop_reason why;
	struct ipv4_hdr ip;
	bool bcast;

	IPSTAT_INC(ns, total);
	if ((m = ip_input_header(ns, m, &ip)) == NULL)
		return;
	if (!ip_source_ok(ns, m, &ip)) {
		IPSTAT_INC(ns, badaddr);
		m_drop(m, DROP_IP_SRC);
		return;
	}
	if ((why = ip_destination(ifp, m, ip.ip_dst_be, &bcast)) != DROP_COUNT) {
		if (why == DROP_IP_NOTFORUS)
			IPSTAT_INC(ns, cantforward);
		else
			IPSTAT_INC(ns, badaddr);
		m_drop(m, why);
		return;
	}
	if (!ip_options_ok(m, &ip)) {
		IPSTAT_INC(ns, badoptions);
		m_drop(m, DROP_IP_OPTIONS);
		return;
	}
	if (ip.ip_mf || ip.ip_fragoff_bytes != 0) {
		if ((m = ip_reass(ns, m, &ip)) == NULL)
			return;
		(void)ipv4_parse_partial(m->m_data, m->m_len, m->m_pkthdr.len, &ip);
		if (!ip_options_ok(m, &ip)) {
			IPSTAT_INC(ns, badoptions);
			m_drop(m, DROP_IP_OPTIONS);
			return;
		}
	}
	ip_deliver(ifp, m, &ip, bcast);
}
