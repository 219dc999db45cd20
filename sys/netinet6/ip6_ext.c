/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extension headers of packets for us (RFC 8200 §4): walked in order, each step bounded, until the
 * transport's header comes. At most IP6_EXT_COUNT_MAX of them with IP6_EXT_BYTES_MAX bytes are
 * looked at (RFC 8504 §5.3); there is no recursion, and the fragment header stands once at most.
 *
 * No option means anything to us but its two highest bits; a routing header only when it is used up.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet6/ip6_var.h"

static struct mbuf *
ext_drop(struct netstack *ns, struct mbuf *m, enum drop_reason why)
{
	IP6STAT_INC(ns, badoptions);
	m_drop(m, why);
	return NULL;
}

/* The parameter problem that it costs, and the drop. => NULL */
static struct mbuf *
ext_problem(struct ifnet *ifp, struct mbuf *m, uint8_t code, uint32_t off, enum drop_reason why)
{
	icmp6_error(ifp, m, ICMP6_PARAMPROB, code, off);
	return ext_drop(ifp->if_ns, m, why);
}

/* Options that are not known say themselves what becomes of the packet, whose header is ip6. */
static struct mbuf *
ext_options(struct ifnet *ifp, struct mbuf *m, const struct ip6_hdr *ip6, uint32_t off, size_t len)
{
	struct ip6_opt_iter iter;
	struct ip6_opt opt;
	uint32_t at;

	ip6_opt_first(&iter, m->m_data + off + 2, len - 2);
	while (ip6_opt_next(&iter, &opt)) {
		at = off + 2 + (uint32_t)opt.opt_off;
		switch (IP6_OPT_ACT(opt.opt_type)) {
		case IP6_OPT_ACT_SKIP:
			break;
		case IP6_OPT_ACT_DISCARD:
			return ext_drop(ifp->if_ns, m, DROP_IP6_OPTION);
		case IP6_OPT_ACT_ICMP:
			if ((m->m_flags & M_MCAST) != 0 || ip6_is_multicast(ip6->ip6_dst))
				return ext_drop(ifp->if_ns, m, DROP_IP6_OPTION);
			return ext_problem(ifp, m, ICMP6_PARAMPROB_OPTION, at, DROP_IP6_OPTION);
		default:
			return ext_problem(ifp, m, ICMP6_PARAMPROB_OPTION, at, DROP_IP6_OPTION);
		}
	}
	return iter.oi_malformed ? ext_drop(ifp->if_ns, m, DROP_IP6_OPTION) : m;
}

/* RFC 8200 §4.4, RFC 5095: type 0 is as any that is not known. */
static struct mbuf *
ext_routing(struct ifnet *ifp, struct mbuf *m, uint32_t off)
{
	if (m->m_data[off + 3] == 0)
		return m;
	return ext_problem(ifp, m, ICMP6_PARAMPROB_HEADER, off + 2, DROP_IP6_ROUTING);
}

static bool
ext_is(uint8_t nxt)
{
	return nxt == IP6_NXT_HOPOPTS || nxt == IP6_NXT_DSTOPTS || nxt == IP6_NXT_ROUTING;
}

/* One header; *ic moves behind it. => NULL: dropped */
static struct mbuf *
ext_one(struct ifnet *ifp, struct mbuf *m, const struct ip6_hdr *ip6, struct ip6_chain *ic)
{
	struct netstack *ns = ifp->if_ns;
	uint32_t off = ic->ic_off;
	uint8_t nxt = ic->ic_nxt;
	size_t len;

	if (m->m_pkthdr.len - off < IP6_EXT_UNIT)
		return ext_drop(ns, m, DROP_IP6_EXTHDR);
	if (m->m_len < off + IP6_EXT_UNIT && (m = m_pullup(m, off + IP6_EXT_UNIT)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	len = ip6_ext_len(m->m_data + off);
	if (len > m->m_pkthdr.len - off)
		return ext_drop(ns, m, DROP_IP6_EXTHDR);
	if (off - IP6_HDR_LEN + len > IP6_EXT_BYTES_MAX || ++ic->ic_count > IP6_EXT_COUNT_MAX) {
		IP6STAT_INC(ns, exthdrtoolong);
		m_drop(m, DROP_IP6_EXTHDR);
		return NULL;
	}
	if (m->m_len < off + len && (m = m_pullup(m, off + len)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	ic->ic_nxt = m->m_data[off];
	ic->ic_nxtoff = off;
	ic->ic_off = off + (uint32_t)len;
	return nxt == IP6_NXT_ROUTING ? ext_routing(ifp, m, off)
				      : ext_options(ifp, m, ip6, off, len);
}

struct mbuf *
ip6_ext_walk(struct ifnet *ifp, struct mbuf *m, const struct ip6_hdr *ip6, struct ip6_chain *ic)
{
	*ic = (struct ip6_chain){.ic_nxt = ip6->ip6_nxt,
	    .ic_off = IP6_HDR_LEN,
	    .ic_nxtoff = IP6_OFF_NXT};
	while (m != NULL) {
		/* Hop-by-hop options stand first or not at all (RFC 8200 §4.3). */
		if (ic->ic_nxt == IP6_NXT_HOPOPTS && ic->ic_off != IP6_HDR_LEN)
			return ext_problem(ifp, m, ICMP6_PARAMPROB_NEXTHEADER, ic->ic_nxtoff,
			    DROP_IP6_EXTHDR);
		if (ext_is(ic->ic_nxt))
			m = ext_one(ifp, m, ip6, ic);
		else if (ic->ic_nxt == IP6_NXT_FRAGMENT)
			m = frag6_input(ifp, m, ip6, ic);
		else
			break;
	}
	if (m != NULL && ic->ic_nxt == IP6_NXT_NONE) {
		IP6STAT_INC(ifp->if_ns, nonext);
		m_drop(m, DROP_IP6_NONEXT);
		return NULL;
	}
	return m;
}
