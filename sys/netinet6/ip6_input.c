/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 input (RFC 8200, RFC 4291): the header is judged once, in this order, before anything relies on
 * it; then the extension headers (ip6_ext.c), fragments (frag6.c), then the transport has it. There
 * is no forwarding: what is not for us is dropped.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/net_state.h"
#include "net/stray.h"
#include "netinet/ip_var.h"
#include "netinet6/ip6_var.h"
#include "wire/ether.h"

/* => OK, or the reason; counts it. */
static enum drop_reason
ip6_parse_reason(struct netstack *ns, enum ip6_parse_result result)
{
	switch (result) {
	case IP6_PARSE_OK:
		return DROP_COUNT;
	case IP6_PARSE_VERSION:
		IP6STAT_INC(ns, badvers);
		return DROP_IP6_VERSION;
	case IP6_PARSE_TRUNCATED:
		IP6STAT_INC(ns, tooshort);
		return DROP_IP6_LEN;
	default:
		IP6STAT_INC(ns, toosmall);
		return DROP_IP6_SHORT;
	}
}

/*
 * The header's lengths. Pulls it up and trims link padding. A payload length of zero is only
 * that: jumbograms (RFC 2675) are not supported, and their option is refused as any that is not known.
 * => the packet, or NULL: dropped
 */
static struct mbuf *
ip6_input_header(struct netstack *ns, struct mbuf *m, struct ip6_hdr *ip6)
{
	enum drop_reason why;

	if (m->m_pkthdr.len < IP6_HDR_LEN) {
		IP6STAT_INC(ns, toosmall);
		m_drop(m, DROP_IP6_SHORT);
		return NULL;
	}
	if (m->m_len < IP6_HDR_LEN && (m = m_pullup(m, IP6_HDR_LEN)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	why = ip6_parse_reason(ns, ip6_parse_partial(m->m_data, m->m_len, m->m_pkthdr.len, ip6));
	if (why != DROP_COUNT) {
		m_drop(m, why);
		return NULL;
	}
	if (m->m_pkthdr.len > IP6_HDR_LEN + (uint32_t)ip6->ip6_plen)
		m_adj(m, -(int)(m->m_pkthdr.len - IP6_HDR_LEN - ip6->ip6_plen));
	return m;
}

/* A scope inside the packet is nobody's business but ours. */
static bool
ip6_zones_ok(struct ifnet *ifp, struct ip6_hdr *ip6)
{
	if (in6_zone(ip6->ip6_src) != 0 || in6_zone(ip6->ip6_dst) != 0)
		return false;
	in6_setzone(ip6->ip6_src, ifp->if_index);
	in6_setzone(ip6->ip6_dst, ifp->if_index);
	return true;
}

/*
 * May a packet come from there? Our own addresses only by ourselves; the unspecified one only in
 * ICMPv6, which looks again. One that is being probed is not ours yet.
 */
static bool
ip6_source_ok(struct netstack *ns, const struct mbuf *m, const struct ip6_hdr *ip6)
{
	const uint32_t *src = ip6->ip6_src;

	if (ip6_is_multicast(src) || ip6_is_v4mapped(src) || ip6_is_v4compat(src))
		return false;
	if ((m->m_flags & M_LOOP) != 0)
		return true;
	return !ip6_is_loopback(src) && !in6_addr_islocal(ns, src);
}

/* Is it for us? => DROP_COUNT: yes */
static enum drop_reason
ip6_destination(struct ifnet *ifp, const struct mbuf *m, const uint32_t dst[4])
{
	bool loop = (m->m_flags & M_LOOP) != 0;

	if (ip6_is_unspecified(dst) || ip6_is_v4mapped(dst) || ip6_is_v4compat(dst) ||
	    (ip6_is_loopback(dst) && !loop))
		return DROP_IP6_DST;
	if (ip6_is_multicast(dst)) {
		if (ip6_mc_scope(dst) == 0 || (ip6_mc_scope(dst) == IP6_SCOPE_IFLOCAL && !loop))
			return DROP_IP6_DST;
		/* A sister may be the member. */
		return in6_isjoined(ifp, dst) || (stray_possible(ifp, m) && stray_isfirst(m))
		    ? DROP_COUNT
		    : DROP_IP6_NOTFORUS;
	}
	if (!in6_addr_islocal(ifp->if_ns, dst))
		return DROP_IP6_NOTFORUS;
	/* Unicast in a multicast frame is not to be believed. */
	return (m->m_flags & (M_BCAST | M_MCAST)) != 0 ? DROP_IP6_DST : DROP_COUNT;
}

/* => DROP_COUNT: it is taken; counts why not */
static enum drop_reason
ip6_judge(struct ifnet *ifp, const struct mbuf *m, struct ip6_hdr *ip6)
{
	struct netstack *ns = ifp->if_ns;
	enum drop_reason why;

	if (ifp->if_inet6 == NULL || ifp->if_inet6->ix_disabled)
		return DROP_IP6_DISABLED;
	if (!ip6_zones_ok(ifp, ip6) || !ip6_source_ok(ns, m, ip6)) {
		IP6STAT_INC(ns, badscope);
		return DROP_IP6_SRC;
	}
	why = ip6_destination(ifp, m, ip6->ip6_dst);
	if (why == DROP_IP6_NOTFORUS)
		IP6STAT_INC(ns, cantforward);
	else if (why != DROP_COUNT)
		IP6STAT_INC(ns, badscope);
	return why;
}

/* Hands a whole datagram up; nxtoff is where the header before the transport names it. */
static void
ip6_deliver(struct mbuf *m, const struct in_rxinfo *rx, uint32_t nxtoff)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	const struct in_transport *it = in_transport_find(ns, rx->rx_proto);
	bool taken;

	if (ip6_is_unspecified(rx->rx_src.ia_w) && rx->rx_proto != IP6_NXT_ICMP6) {
		IP6STAT_INC(ns, badscope);
		m_drop(m, DROP_IP6_SRC);
		return;
	}
	if (ip_stray(m, rx, it))
		return;
	if (rx->rx_proto == IP6_NXT_ICMP6) {
		IP6STAT_INC(ns, delivered);
		icmp6_input(m, rx);
		return;
	}
	taken = rip6_input(m, rx);
	if (it != NULL) {
		IP6STAT_INC(ns, delivered);
		it->it_input(m, rx);
		return;
	}
	if (taken) {
		IP6STAT_INC(ns, delivered);
		m_freem(m);
		return;
	}
	IP6STAT_INC(ns, noproto);
	if (ns->ns_stray == NULL && rx->rx_proto != IP6_NXT_ESP && rx->rx_proto != IP6_NXT_AH)
		icmp6_error(rx->rx_ifp, m, ICMP6_PARAMPROB, ICMP6_PARAMPROB_NEXTHEADER, nxtoff);
	m_drop(m, DROP_IP6_NOPROTO);
}

void
ip6_input(struct ifnet *ifp, struct mbuf *m)
{
	struct netstack *ns = ifp->if_ns;
	enum drop_reason why;
	struct ip6_chain ic;
	struct ip6_hdr ip6;

	IP6STAT_INC(ns, total);
	if ((m = ip6_input_header(ns, m, &ip6)) == NULL)
		return;
	if ((why = ip6_judge(ifp, m, &ip6)) != DROP_COUNT) {
		m_drop(m, why);
		return;
	}
	if ((m = ip6_ext_walk(ifp, m, &ip6, &ic)) == NULL)
		return;
	ip6_deliver(m,
	    &(struct in_rxinfo){
		.rx_af = &in6_afops,
		.rx_ifp = ifp,
		.rx_src = in6_any(ip6.ip6_src),
		.rx_dst = in6_any(ip6.ip6_dst),
		.rx_hlen = (uint16_t)ic.ic_off,
		.rx_len = m->m_pkthdr.len - ic.ic_off,
		.rx_proto = ic.ic_nxt,
		.rx_ttl = ip6.ip6_hlim,
		.rx_tos = ip6.ip6_tclass,
		.rx_frag = ic.ic_fragment,
		.rx_bcast = ip6_is_multicast(ip6.ip6_dst),
	    },
	    ic.ic_nxtoff);
}
