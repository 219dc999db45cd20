/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 output: route, source address, header, fragments (RFC 8200 §4.5, §5).
 *
 * A destination of ours goes to the loopback interface; one that means something on one link only
 * comes back in by that link's interface, which tells which. A TSO packet is one packet here; whoever
 * transmits it splits it. Only the source makes fragments, and only of what the path is known not to
 * take whole; their identifications come from a counter for each pair of ends that starts at random
 * (RFC 7739 §5.3). Packets get no extension headers but that one.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/m_cksum.h"
#include "net/net_state.h"
#include "net/stray.h"
#include "netinet/in_pcb.h"
#include "netinet/ip_var.h"
#include "netinet6/ip6_var.h"
#include "wire/ether.h"

uint32_t
in6_linkmtu(const struct ifnet *ifp)
{
	uint32_t mtu = ifp->if_inet6 != NULL ? ifp->if_inet6->ix_mtu : 0;

	return mtu != 0 && mtu < ifp->if_mtu ? mtu : ifp->if_mtu;
}

/* The interface that groups go out by when nobody names one. */
static struct ifnet *
ip6_defaultif(struct netstack *ns)
{
	struct rt_addr any = {{0, 0, 0, 0}};
	const struct rtentry *rt = rt_find(rt_table(ns, AF_INET6), &any, 0);
	struct ifnet *ifp;

	if (rt != NULL && (rt->rt_ifp->if_flags & IFF_UP) != 0)
		return rt->rt_ifp;
	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list) {
		if (ifp->if_inet6 != NULL && (ifp->if_flags & (IFF_UP | IFF_LOOPBACK)) == IFF_UP)
			return ifp;
	}
	return NULL;
}

/* As if dst, a group or not, were on the link of ifp. */
static int
ip6_route_onlink(const uint32_t dst[4], struct ifnet *ifp, struct ip6_route *ro)
{
	if (ifp == NULL || ifp->if_inet6 == NULL)
		return ENETUNREACH;
	*ro = (struct ip6_route){.ro_ifp = ifp, .ro_mtu = in6_linkmtu(ifp), .ro_direct = true};
	memcpy(ro->ro_nexthop, dst, sizeof(ro->ro_nexthop));
	in6_setzone(ro->ro_nexthop, ifp->if_index);
	return 0;
}

/* The route of the longest prefix that leads out by ifp, or NULL. */
static const struct rtentry *
ip6_route_by(struct netstack *ns, const struct rt_addr *key, const struct ifnet *ifp)
{
	const struct rtentry *rt;

	for (unsigned len = 128; len-- > 0;) {
		rt = rt_find(rt_table(ns, AF_INET6), key, (uint8_t)len);
		if (rt != NULL && rt->rt_ifp == ifp)
			return rt;
	}
	return NULL;
}

/* What the table's entry says of the way to dst. */
static void
ip6_route_fill(struct netstack *ns, const struct rtentry *rt, const struct rt_addr *dst,
    struct ip6_route *ro)
{
	uint32_t mtu;

	*ro = (struct ip6_route){.ro_ifp = rt->rt_ifp,
	    .ro_direct = (rt->rt_flags & RTF_GATEWAY) == 0,
	    .ro_local = (rt->rt_flags & RTF_LOCAL) != 0};
	memcpy(ro->ro_nexthop, ro->ro_direct ? dst->ra_w : rt->rt_gateway.ra_w,
	    sizeof(ro->ro_nexthop));
	if (ro->ro_local) {
		if (!ip6_is_scoped(dst->ra_w))
			ro->ro_ifp = if_loop(ns);
		ro->ro_mtu = if_loop(ns)->if_mtu;
		return;
	}
	ro->ro_mtu = in6_linkmtu(ro->ro_ifp);
	if (rt->rt_mtu != 0 && rt->rt_mtu < ro->ro_mtu)
		ro->ro_mtu = rt->rt_mtu;
	mtu = in_hostcache_mtu(ns, dst->ra_w);
	if (mtu != 0 && mtu < ro->ro_mtu)
		ro->ro_mtu = mtu;
}

int
ip6_route(struct netstack *ns, const uint32_t dst[4], struct ifnet *ifp, struct ip6_route *ro)
{
	struct rt_addr key = in6_rtkey(dst);
	const struct rtentry *rt;

	if (ip6_is_unspecified(dst))
		return ENETUNREACH;
	if (ip6_is_scoped(dst)) {
		if (ifp == NULL)
			ifp = if_byindex(ns, in6_zone(dst));
		else if (in6_zone(dst) != 0 && in6_zone(dst) != ifp->if_index)
			return EHOSTUNREACH;
		if (ifp != NULL)
			in6_setzone(key.ra_w, ifp->if_index);
	}
	if (ip6_is_multicast(dst))
		return ip6_route_onlink(dst, ifp != NULL ? ifp : ip6_defaultif(ns), ro);
	rt = rt_lookup(rt_table(ns, AF_INET6), &key);
	if (rt != NULL && (rt->rt_flags & RTF_REJECT) != 0)
		return EHOSTUNREACH;
	if (ifp != NULL && (rt == NULL || rt->rt_ifp != ifp)) {
		if (rt == NULL || (rt->rt_flags & RTF_LOCAL) == 0)
			rt = ip6_route_by(ns, &key, ifp);
		else if ((ifp->if_flags & IFF_LOOPBACK) == 0)
			return EHOSTUNREACH; /* our own addresses are not looked for outside */
		if (rt == NULL) /* as Linux: who names the interface has it on the link */
			return ip6_route_onlink(key.ra_w, ifp, ro);
	}
	if (rt == NULL)
		return ENETUNREACH;
	ip6_route_fill(ns, rt, &key, ro);
	return 0;
}

int
ip6_selectsrc(struct netstack *ns, const struct ip6_route *ro, const uint32_t dst[4],
    uint32_t src[4])
{
	const struct in6_ifaddr *ia;

	if (ro->ro_local) {
		memcpy(src, ro->ro_nexthop, 4 * sizeof(src[0]));
		return 0;
	}
	if ((ia = in6_selectsrc_ifa(ns, ro->ro_ifp, dst)) == NULL)
		return EADDRNOTAVAIL;
	memcpy(src, ia->ia_addr, sizeof(ia->ia_addr));
	return 0;
}

static uint32_t
ip6_newid(struct netstack *ns, const struct ip6_hdr *ip6)
{
	struct in6_state *i6 = ns->ns_inet6;
	uint8_t key[32];

	ip6_addr_put(key, ip6->ip6_src);
	ip6_addr_put(key + 16, ip6->ip6_dst);
	return ++i6->i6_ids[siphash24(i6->i6_key, key, sizeof(key)) % IP6_NIDS];
}

static int
ip6_oerror(struct netstack *ns, struct mbuf *m, enum drop_reason why, int error)
{
	if (error == ENETUNREACH || error == EHOSTUNREACH)
		IP6STAT_INC(ns, noroute);
	else
		IP6STAT_INC(ns, odropped);
	m_drop(m, why);
	return error;
}

/* One packet that fits to the interface; the next hop has its scope. */
static int
ip6_send(struct mbuf *m, const struct ip6_route *ro)
{
	struct bsd_sockaddr_in6 sin6 = {.sin6_len = sizeof(sin6), .sin6_family = AF_INET6};

	if (ro->ro_local && (ro->ro_ifp->if_flags & IFF_LOOPBACK) == 0) {
		loop_simloop(ro->ro_ifp, m);
		return 0;
	}
	ip6_addr_put(sin6.sin6_addr.s6_bytes, ro->ro_nexthop);
	return ro->ro_ifp->if_output(ro->ro_ifp, m,
	    (const struct bsd_sockaddr *)(const void *)&sin6);
}

/* The fragment of len payload bytes of the packet m, whose header is ip6. */
static struct mbuf *
ip6_fragment_one(const struct mbuf *m, const struct ip6_hdr *ip6, const struct ip6_frag *fh,
    uint32_t len)
{
	struct mbuf *f = m_gethdr(m->m_ns, MT_DATA);
	struct ip6_hdr fip6 = *ip6;

	if (f == NULL)
		return NULL;
	f->m_data += M_LINKHDR;
	if ((f->m_next = m_copym(m, IP6_HDR_LEN + (size_t)fh->if_off_bytes, len)) == NULL) {
		m_freem(f);
		return NULL;
	}
	f->m_flags |= m->m_flags & (M_BCAST | M_MCAST);
	f->m_len = IP6_HDR_LEN + IP6_FRAG_LEN;
	f->m_pkthdr.len = f->m_len + len;
	fip6.ip6_plen = (uint16_t)(IP6_FRAG_LEN + len);
	fip6.ip6_nxt = IP6_NXT_FRAGMENT;
	ip6_emit(f->m_data, &fip6);
	ip6_frag_emit(f->m_data + IP6_HDR_LEN, fh);
	return f;
}

/* All fragments or none are made, then sent. Consumes m. */
static int
ip6_fragment(struct netstack *ns, struct mbuf *m, const struct ip6_route *ro,
    const struct ip6_hdr *ip6)
{
	uint32_t payload = ip6->ip6_plen, off, most, len;
	struct ip6_frag fh = {.if_nxt = ip6->ip6_nxt, .if_id = ip6_newid(ns, ip6)};
	struct mbuf *head = NULL, **tail = &head, *f;
	int error = 0;

	if ((m->m_pkthdr.csum_flags & M_CSUM_NEEDED) != 0 && m_cksum_complete(&m) != 0) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return ENOBUFS;
	}
	most = (ro->ro_mtu - IP6_HDR_LEN - IP6_FRAG_LEN) & ~7u;
	for (off = 0; off < payload; off += len) {
		len = KERN_MIN(most, payload - off);
		fh.if_off_bytes = (uint16_t)off;
		fh.if_mf = off + len < payload;
		if ((f = ip6_fragment_one(m, ip6, &fh, len)) == NULL) {
			m_freepkts(head);
			return ip6_oerror(ns, m, DROP_MBUF_NOBUFS, ENOBUFS);
		}
		*tail = f;
		tail = &f->m_nextpkt;
	}
	m_freem(m);
	IP6STAT_INC(ns, fragmented);
	while ((f = head) != NULL && error == 0) {
		head = f->m_nextpkt;
		f->m_nextpkt = NULL;
		IP6STAT_INC(ns, ofragments);
		error = ip6_send(f, ro);
	}
	m_freepkts(head);
	return error;
}

/* Is this packet allowed to leave by that route? => errno, 0 yes; *why when not */
static int
ip6_output_check(const struct in_txinfo *tx, const struct ip6_route *ro, const uint32_t src[4],
    enum drop_reason *why)
{
	*why = DROP_IP6_NOROUTE;
	if (tx->tx_dontroute && !ro->ro_direct)
		return ENETUNREACH;
	*why = DROP_IF_DOWN;
	if ((ro->ro_ifp->if_flags & IFF_UP) == 0)
		return ENETDOWN;
	*why = DROP_IP6_DISABLED;
	if (ro->ro_ifp->if_inet6 == NULL || ro->ro_ifp->if_inet6->ix_disabled)
		return ENETUNREACH;
	*why = DROP_IP6_SRC;
	if (ro->ro_local || (ro->ro_ifp->if_flags & IFF_LOOPBACK) != 0)
		return 0;
	if (ip6_is_loopback(src) || ip6_is_multicast(src) ||
	    (ip6_is_linklocal(src) && in6_zone(src) != ro->ro_ifp->if_index))
		return EADDRNOTAVAIL;
	*why = DROP_IP6_DST;
	if (ip6_is_loopback(tx->tx_dst.ia_w) || ip6_is_v4mapped(tx->tx_dst.ia_w))
		return ENETUNREACH;
	return 0;
}

/* What a group's packet is marked with; members among ourselves get a copy. */
static void
ip6_output_group(struct mbuf *m, const struct in_txinfo *tx, const struct ip6_route *ro)
{
	/* What goes out by the loopback comes back in any case. */
	bool lo = (ro->ro_ifp->if_flags & IFF_LOOPBACK) != 0;
	struct mbuf *copy;

	m->m_flags |= M_MCAST;
	if ((tx->tx_mcastloop || lo) && !ip_stray_isecho(m, tx->tx_proto, IP6_HDR_LEN))
		stray_pass(ro->ro_ifp, m, ETHERTYPE_IPV6, STRAY_OWN);
	if (!tx->tx_mcastloop || lo || !in6_isjoined(ro->ro_ifp, ro->ro_nexthop))
		return;
	if ((copy = m_dup(m)) != NULL)
		loop_simloop(ro->ro_ifp, copy);
	else
		m->m_ns->ns_drops[DROP_MBUF_NOBUFS]++;
}

/*
 * May a packet of len bytes be cut? PROBE, INTERFACE and OMIT look past what the path was found to
 * take. As on Linux, where OMIT cuts to what the interface takes.
 */
static bool
ip6_output_mayfrag(const struct in_txinfo *tx, struct ip6_route *ro)
{
	if (tx->tx_pmtudisc >= IP_PMTUDISC_PROBE && !ro->ro_local)
		ro->ro_mtu = in6_linkmtu(ro->ro_ifp);
	return !tx->tx_df &&
	    (tx->tx_pmtudisc < IP_PMTUDISC_DO || tx->tx_pmtudisc == IP_PMTUDISC_OMIT);
}

static uint8_t
ip6_output_hlim(const struct in_txinfo *tx, const struct ip6_route *ro)
{
	const struct in6_ifextra *ix = ro->ro_ifp->if_inet6;

	if (tx->tx_ttl != 0)
		return tx->tx_ttl;
	if (ip6_is_multicast(tx->tx_dst.ia_w))
		return 1;
	return ix != NULL && ix->ix_hlim != 0 ? ix->ix_hlim : (uint8_t)tx->tx_ns->ns_inet6->i6_hlim;
}

int
ip6_output_packet(struct mbuf *m, const struct in_txinfo *tx, struct ip6_route *ro,
    const uint32_t src[4])
{
	struct netstack *ns = tx->tx_ns;
	struct ip6_hdr ip6 = {.ip6_tclass = tx->tx_tos,
	    .ip6_plen = (uint16_t)m->m_pkthdr.len,
	    .ip6_nxt = tx->tx_proto,
	    .ip6_hlim = ip6_output_hlim(tx, ro)};
	bool mayfrag = ip6_output_mayfrag(tx, ro);

	memcpy(ip6.ip6_src, src, sizeof(ip6.ip6_src));
	memcpy(ip6.ip6_dst, tx->tx_dst.ia_w, sizeof(ip6.ip6_dst));
	in6_clearzone(ip6.ip6_src);
	in6_clearzone(ip6.ip6_dst);
	if ((m = m_prepend(m, IP6_HDR_LEN)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		IP6STAT_INC(ns, odropped);
		return ENOBUFS;
	}
	ip6_emit(m->m_data, &ip6);
	m->m_pkthdr.csum_start = IP6_HDR_LEN;
	if (ip6_is_multicast(ip6.ip6_dst))
		ip6_output_group(m, tx, ro);
	IP6STAT_INC(ns, localout);
	if ((tx->tx_hostonly ||
		(ip6_is_multicast(ip6.ip6_dst) &&
		    ip6_mc_scope(ip6.ip6_dst) <= IP6_SCOPE_IFLOCAL)) &&
	    (ro->ro_ifp->if_flags & IFF_LOOPBACK) == 0) {
		m_freem(m);
		return 0;
	}
	if (m->m_pkthdr.len <= ro->ro_mtu || (m->m_pkthdr.csum_flags & M_CSUM_TSO) != 0)
		return ip6_send(m, ro);
	if (!mayfrag || ro->ro_mtu < IP6_MTU_MIN) {
		IP6STAT_INC(ns, cantfrag);
		return ip6_oerror(ns, m, DROP_IP6_MSGSIZE, EMSGSIZE);
	}
	return ip6_fragment(ns, m, ro, &ip6);
}

int
ip6_output(struct mbuf *m, const struct in_txinfo *tx)
{
	struct netstack *ns = tx->tx_ns;
	const uint32_t *dst = tx->tx_dst.ia_w;
	enum drop_reason why;
	struct ip6_route ro;
	uint32_t src[4];
	int error;

	if (m->m_pkthdr.len > IP6_PLEN_MAX)
		return ip6_oerror(ns, m, DROP_IP6_MSGSIZE, EMSGSIZE);
	error = tx->tx_boundif != 0 && tx->tx_ifp == NULL ? ENODEV
							  : ip6_route(ns, dst, tx->tx_ifp, &ro);
	if (error != 0)
		return ip6_oerror(ns, m, DROP_IP6_NOROUTE, error);
	memcpy(src, tx->tx_src.ia_w, sizeof(src));
	if (ip6_is_unspecified(src) && (error = ip6_selectsrc(ns, &ro, dst, src)) != 0)
		return ip6_oerror(ns, m, DROP_IP6_SRC, error);
	if ((error = ip6_output_check(tx, &ro, src, &why)) != 0)
		return ip6_oerror(ns, m, why, error);
	return ip6_output_packet(m, tx, &ro, src);
}
