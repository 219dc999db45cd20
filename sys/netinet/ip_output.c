/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 output: route, source address, header, fragments (RFC 791, RFC 1122 §3.3, RFC 6864).
 *
 * A destination of ours goes to the loopback interface. A TSO packet is one packet here; whoever
 * transmits it splits it. Packets that may not be fragmented have identification 0 (RFC 6864 §4.1),
 * the others one from a counter for their destination that starts at random.
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
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

/* The interface that multicast and limited broadcast go out by when nobody names one. */
static struct ifnet *
ip_defaultif(struct netstack *ns)
{
	struct rt_addr any = in_rtkey(0);
	const struct rtentry *rt = rt_find(rt_table(ns, AF_INET), &any, 0);
	struct ifnet *ifp;

	if (rt != NULL && (rt->rt_ifp->if_flags & IFF_UP) != 0)
		return rt->rt_ifp;
	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list) {
		if ((ifp->if_flags & (IFF_UP | IFF_BROADCAST)) == (IFF_UP | IFF_BROADCAST) &&
		    in_ifaddr_best(ifp, 0) != NULL)
			return ifp;
	}
	return NULL;
}

static int
ip_route_group(struct netstack *ns, uint32_t dst_be, struct ifnet *ifp, struct ip_route *ir)
{
	if (ifp == NULL)
		ifp = ip_defaultif(ns);
	if (ifp == NULL)
		return ENETUNREACH;
	*ir = (struct ip_route){.ir_ifp = ifp,
	    .ir_ia = in_ifaddr_best(ifp, dst_be),
	    .ir_nexthop_be = dst_be,
	    .ir_mtu = ifp->if_mtu,
	    .ir_direct = true,
	    .ir_bcast = ipv4_is_broadcast_limited(dst_be)};
	return 0;
}

/* The route of the longest prefix that leads out by ifp, or NULL. */
static const struct rtentry *
ip_route_by(struct netstack *ns, uint32_t dst_be, const struct ifnet *ifp)
{
	struct rt_addr key = in_rtkey(dst_be);
	const struct rtentry *rt;

	for (unsigned len = 32; len-- > 0;) {
		rt = rt_find(rt_table(ns, AF_INET), &key, (uint8_t)len);
		if (rt != NULL && rt->rt_ifp == ifp)
			return rt;
	}
	return NULL;
}

int
ip_route(struct netstack *ns, uint32_t dst_be, struct ifnet *ifp, struct ip_route *ir)
{
	struct rt_addr key = in_rtkey(dst_be);
	const struct rtentry *rt;
	uint32_t mtu;

	if (ipv4_is_multicast(dst_be) || ipv4_is_broadcast_limited(dst_be))
		return ip_route_group(ns, dst_be, ifp, ir);
	if (dst_be == 0)
		return ENETUNREACH;
	rt = rt_lookup(rt_table(ns, AF_INET), &key);
	if (rt != NULL && (rt->rt_flags & RTF_REJECT) != 0)
		return EHOSTUNREACH;
	if (ifp != NULL && (rt == NULL || rt->rt_ifp != ifp)) {
		if (rt == NULL || (rt->rt_flags & RTF_LOCAL) == 0)
			rt = ip_route_by(ns, dst_be, ifp);
		else if ((ifp->if_flags & IFF_LOOPBACK) == 0)
			return EHOSTUNREACH; /* our own addresses are not looked for outside */
		if (rt == NULL) /* as Linux: who names the interface has it on the link */
			return ip_route_group(ns, dst_be, ifp, ir);
	}
	if (rt == NULL)
		return ENETUNREACH;
	*ir = (struct ip_route){.ir_ifp = rt->rt_ifp,
	    .ir_ia = rt->rt_ifa != NULL ? ifatoia(rt->rt_ifa) : in_ifaddr_best(rt->rt_ifp, dst_be),
	    .ir_nexthop_be = dst_be,
	    .ir_direct = (rt->rt_flags & RTF_GATEWAY) == 0,
	    .ir_local = (rt->rt_flags & RTF_LOCAL) != 0,
	    .ir_bcast = (rt->rt_flags & RTF_BROADCAST) != 0};
	if (ir->ir_local)
		ir->ir_ifp = if_loop(ns);
	if (!ir->ir_direct)
		ir->ir_nexthop_be = rt->rt_gateway.ra_w[0];
	ir->ir_mtu = ir->ir_ifp->if_mtu;
	if (rt->rt_mtu != 0 && rt->rt_mtu < ir->ir_mtu)
		ir->ir_mtu = rt->rt_mtu;
	mtu = ir->ir_local ? 0 : in_hostcache_mtu(ns, in4_mapped(dst_be).ia_w);
	if (mtu != 0 && mtu < ir->ir_mtu)
		ir->ir_mtu = mtu;
	return 0;
}

int
ip_selectsrc(const struct ip_route *ir, uint32_t dst_be, uint32_t *src_be)
{
	if (ir->ir_local) {
		*src_be = dst_be;
		return 0;
	}
	if (ir->ir_ia == NULL)
		return EADDRNOTAVAIL;
	*src_be = ir->ir_ia->ia_addr_be;
	return 0;
}

/* The route of a packet, from its pcb's cache when that is still good. */
static int
ip_output_route(const struct in_txinfo *tx, struct ip_route *ir)
{
	struct netstack *ns = tx->tx_ns;
	uint64_t gen = rt_table(ns, AF_INET)->rtb_gen;
	struct inpcb *inp = tx->tx_inp;
	uint32_t dst_be = tx->tx_dst.ia_w[0];
	int error;

	if (tx->tx_boundif != 0 && tx->tx_ifp == NULL)
		return ENODEV;
	if (inp != NULL && inp->inp_route.ro_gen == gen && tx->tx_ifp == NULL &&
	    inp->inp_route.ro_dst_be == dst_be && tx->tx_src.ia_w[0] != 0) {
		*ir = (struct ip_route){.ir_ifp = inp->inp_route.ro_ifp,
		    .ir_nexthop_be = inp->inp_route.ro_nexthop_be,
		    .ir_mtu = KERN_MIN(inp->inp_routemtu, inp->inp_route.ro_ifp->if_mtu),
		    .ir_direct = inp->inp_route.ro_nexthop_be == dst_be,
		    .ir_local = inp->inp_route.ro_ifp == if_loop(ns)};
		return 0;
	}
	if ((error = ip_route(ns, dst_be, tx->tx_ifp, ir)) != 0)
		return error;
	/* Only plain unicast is kept, and only with a source, which the cache does not tell. */
	if (inp == NULL || tx->tx_ifp != NULL || ir->ir_bcast || ipv4_is_multicast(dst_be) ||
	    tx->tx_src.ia_w[0] == 0)
		return 0;
	inp->inp_route.ro_gen = gen;
	inp->inp_route.ro_dst_be = dst_be;
	inp->inp_route.ro_nexthop_be = ir->ir_nexthop_be;
	inp->inp_route.ro_ifp = ir->ir_ifp;
	inp->inp_routemtu = ir->ir_mtu;
	return 0;
}

static uint16_t
ip_newid(struct netstack *ns, const struct ipv4_hdr *ip)
{
	struct inet_state *is = ns->ns_inet;
	uint8_t key[9];

	raw32_put(key, ip->ip_src_be);
	raw32_put(key + 4, ip->ip_dst_be);
	key[8] = ip->ip_p;
	return ++is->is_ids[siphash24(is->is_key, key, sizeof(key)) % IP_NIDS];
}

static int
ip_oerror(struct netstack *ns, struct mbuf *m, enum drop_reason why, int error)
{
	if (error == ENETUNREACH || error == EHOSTUNREACH)
		IPSTAT_INC(ns, noroute);
	else
		IPSTAT_INC(ns, odropped);
	m_drop(m, why);
	return error;
}

/* One packet that fits to the interface. */
static int
ip_send(struct mbuf *m, const struct ip_route *ir)
{
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin),
	    .sin_family = AF_INET,
	    .sin_addr = {ir->ir_nexthop_be}};

	return ir->ir_ifp->if_output(ir->ir_ifp, m,
	    (const struct bsd_sockaddr *)(const void *)&sin);
}

/* The fragment of len payload bytes at off of the packet m, whose header is ip. */
static struct mbuf *
ip_fragment_one(const struct mbuf *m, const struct ipv4_hdr *ip, uint32_t off, uint32_t len)
{
	struct mbuf *f = m_gethdr(m->m_ns, MT_DATA);
	struct ipv4_hdr fip = *ip;

	if (f == NULL)
		return NULL;
	f->m_data += M_LINKHDR;
	if ((f->m_next = m_copym(m, IPV4_HDR_LEN + off, len)) == NULL) {
		m_freem(f);
		return NULL;
	}
	f->m_flags |= m->m_flags & (M_BCAST | M_MCAST);
	f->m_len = IPV4_HDR_LEN;
	f->m_pkthdr.len = IPV4_HDR_LEN + len;
	fip.ip_len = (uint16_t)f->m_pkthdr.len;
	fip.ip_fragoff_bytes = (uint16_t)off;
	fip.ip_mf = IPV4_HDR_LEN + off + len < m->m_pkthdr.len;
	ipv4_emit(f->m_data, &fip);
	return f;
}

/* All fragments or none are made, then sent. Consumes m. */
static int
ip_fragment(struct netstack *ns, struct mbuf *m, const struct ip_route *ir,
    const struct ipv4_hdr *ip)
{
	uint32_t payload = m->m_pkthdr.len - IPV4_HDR_LEN, off, most, len;
	struct mbuf *head = NULL, **tail = &head, *f;
	int error = 0;

	if ((m->m_pkthdr.csum_flags & M_CSUM_NEEDED) != 0 && m_cksum_complete(&m) != 0) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return ENOBUFS;
	}
	most = (ir->ir_mtu - IPV4_HDR_LEN) & ~7u;
	for (off = 0; off < payload; off += len) {
		len = KERN_MIN(most, payload - off);
		if ((f = ip_fragment_one(m, ip, off, len)) == NULL) {
			m_freepkts(head);
			return ip_oerror(ns, m, DROP_MBUF_NOBUFS, ENOBUFS);
		}
		*tail = f;
		tail = &f->m_nextpkt;
	}
	m_freem(m);
	IPSTAT_INC(ns, fragmented);
	while ((f = head) != NULL && error == 0) {
		head = f->m_nextpkt;
		f->m_nextpkt = NULL;
		IPSTAT_INC(ns, ofragments);
		error = ip_send(f, ir);
	}
	m_freepkts(head);
	return error;
}

/* Is this packet allowed to leave by that route? => errno, 0 yes; *why when not */
static int
ip_output_check(const struct in_txinfo *tx, const struct ip_route *ir, uint32_t src_be,
    enum drop_reason *why)
{
	if (ir->ir_bcast && !tx->tx_bcast) {
		*why = DROP_IP_BCAST;
		return EACCES;
	}
	*why = DROP_IP_NOROUTE;
	if (tx->tx_dontroute && !ir->ir_direct)
		return ENETUNREACH;
	if ((ir->ir_ifp->if_flags & IFF_UP) == 0) {
		*why = DROP_IF_DOWN;
		return ENETDOWN;
	}
	*why = DROP_IP_SRC;
	if (ipv4_is_loopback(src_be) && !ir->ir_local && (ir->ir_ifp->if_flags & IFF_LOOPBACK) == 0)
		return EADDRNOTAVAIL;
	return 0;
}

/* A copy is for ourselves too. */
static void
ip_loop_copy(const struct mbuf *m, const struct ip_route *ir)
{
	struct mbuf *copy = m_dup(m);

	if (copy != NULL)
		loop_simloop(ir->ir_ifp, copy);
	else
		m->m_ns->ns_drops[DROP_MBUF_NOBUFS]++;
}

/* What a group's or everybody's packet is marked with; ours, too, get it. */
static void
ip_output_group(struct mbuf *m, const struct in_txinfo *tx, const struct ip_route *ir)
{
	/* What goes out by the loopback comes back in any case. */
	bool lo = (ir->ir_ifp->if_flags & IFF_LOOPBACK) != 0;

	if (ipv4_is_multicast(tx->tx_dst.ia_w[0])) {
		m->m_flags |= M_MCAST;
		if (tx->tx_mcastloop && !lo && in_mcast_isjoined(ir->ir_ifp, tx->tx_dst.ia_w[0]))
			ip_loop_copy(m, ir);
		if (tx->tx_mcastloop || lo)
			stray_pass(ir->ir_ifp, m, ETHERTYPE_IP, STRAY_OWN);
	}
	if (ir->ir_bcast) {
		m->m_flags |= M_BCAST;
		ip_loop_copy(m, ir);
		stray_pass(ir->ir_ifp, m, ETHERTYPE_IP, STRAY_OWN);
	}
}

/* Whether a packet of len bytes is to have DF; from PROBE on, past what the path was found to take. */
static bool
ip_output_df(const struct in_txinfo *tx, struct ip_route *ir, uint32_t len)
{
	switch (tx->tx_pmtudisc) {
	case IP_PMTUDISC_WANT:
		return len <= ir->ir_mtu;
	case IP_PMTUDISC_DO:
		return true;
	case IP_PMTUDISC_PROBE:
		ir->ir_mtu = ir->ir_ifp->if_mtu;
		return true;
	case IP_PMTUDISC_INTERFACE:
	case IP_PMTUDISC_OMIT:
		ir->ir_mtu = ir->ir_ifp->if_mtu;
		return false;
	default:
		return tx->tx_df;
	}
}

/* Puts the header on and sends it, whole or in pieces. Consumes m. */
static int
ip_output_packet(struct mbuf *m, const struct in_txinfo *tx, struct ip_route *ir, uint32_t src_be)
{
	struct netstack *ns = tx->tx_ns;
	bool mcast = ipv4_is_multicast(tx->tx_dst.ia_w[0]);
	struct ipv4_hdr ip = {.ip_tos = tx->tx_tos,
	    .ip_len = (uint16_t)(m->m_pkthdr.len + IPV4_HDR_LEN),
	    .ip_df = ip_output_df(tx, ir, m->m_pkthdr.len + IPV4_HDR_LEN),
	    .ip_ttl = tx->tx_ttl,
	    .ip_p = tx->tx_proto,
	    .ip_src_be = src_be,
	    .ip_dst_be = tx->tx_dst.ia_w[0]};

	if ((m = m_prepend(m, IPV4_HDR_LEN)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		IPSTAT_INC(ns, odropped);
		return ENOBUFS;
	}
	if (tx->tx_ttl == 0)
		ip.ip_ttl = mcast ? 1 : (uint8_t)ns->ns_inet->is_ttl;
	if (!ip.ip_df)
		ip.ip_id = ip_newid(ns, &ip);
	ipv4_emit(m->m_data, &ip);
	m->m_pkthdr.csum_start = IPV4_HDR_LEN;
	ip_output_group(m, tx, ir);
	IPSTAT_INC(ns, localout);
	if (tx->tx_hostonly && (ir->ir_ifp->if_flags & IFF_LOOPBACK) == 0) {
		m_freem(m);
		return 0;
	}
	if (m->m_pkthdr.len <= ir->ir_mtu || (m->m_pkthdr.csum_flags & M_CSUM_TSO) != 0)
		return ip_send(m, ir);
	if (ip.ip_df || tx->tx_pmtudisc == IP_PMTUDISC_INTERFACE || ir->ir_mtu < IPV4_MTU_MIN) {
		IPSTAT_INC(ns, cantfrag);
		return ip_oerror(ns, m, DROP_IP_MSGSIZE, EMSGSIZE);
	}
	return ip_fragment(ns, m, ir, &ip);
}

int
ip_output(struct mbuf *m, const struct in_txinfo *tx)
{
	uint32_t src_be = tx->tx_src.ia_w[0], dst_be = tx->tx_dst.ia_w[0];
	struct netstack *ns = tx->tx_ns;
	enum drop_reason why;
	struct ip_route ir;
	int error;

	if (m->m_pkthdr.len > IPV4_LEN_MAX - IPV4_HDR_LEN)
		return ip_oerror(ns, m, DROP_IP_MSGSIZE, EMSGSIZE);
	if ((error = ip_output_route(tx, &ir)) != 0)
		return ip_oerror(ns, m, DROP_IP_NOROUTE, error);
	if (src_be == 0 && (error = ip_selectsrc(&ir, dst_be, &src_be)) != 0)
		return ip_oerror(ns, m, DROP_IP_SRC, error);
	if ((error = ip_output_check(tx, &ir, src_be, &why)) != 0)
		return ip_oerror(ns, m, why, error);
	return ip_output_packet(m, tx, &ir, src_be);
}

/*
 * A program's header, judged as one from the wire, with what is left to us filled in.
 * => m, or NULL: refused (*error) and dropped
 */
static struct mbuf *
ip_hdrincl(struct mbuf *m, const struct in_txinfo *tx, const struct ip_route *ir, int *error)
{
	struct netstack *ns = tx->tx_ns;
	uint8_t opts[IPV4_OPTS_LEN_MAX];
	struct ipv4_hdr ip;
	unsigned found;
	size_t hl;

	*error = EINVAL;
	if (m->m_pkthdr.len < IPV4_HDR_LEN || m->m_pkthdr.len > IPV4_LEN_MAX)
		goto drop;
	m_copydata(m, 0, 1, opts);
	hl = (opts[0] & 0xfu) * 4u;
	if (hl < IPV4_HDR_LEN || hl > m->m_pkthdr.len)
		goto drop;
	if ((m->m_len < hl || !m_writable(m)) && (m = m_pullup(m, hl)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		*error = ENOBUFS;
		return NULL;
	}
	ipv4_set_len(m->m_data, (uint16_t)m->m_pkthdr.len);
	if (ipv4_parse_partial(m->m_data, m->m_len, m->m_pkthdr.len, &ip) != IPV4_PARSE_OK ||
	    ipv4_opts_scan(m->m_data + IPV4_HDR_LEN, hl - IPV4_HDR_LEN, &found) != 0)
		goto drop;
	if (ip.ip_src_be == 0 &&
	    (*error = ip_selectsrc(ir, tx->tx_dst.ia_w[0], &ip.ip_src_be)) != 0)
		goto drop;
	if (ip.ip_id == 0 && !ip.ip_df)
		ip.ip_id = ip_newid(ns, &ip);
	memcpy(opts, m->m_data + IPV4_HDR_LEN, hl - IPV4_HDR_LEN);
	(void)ipv4_emit_opts(m->m_data, &ip, opts, hl - IPV4_HDR_LEN);
	return m;
drop:
	(void)ip_oerror(ns, m, DROP_IP_HDRINCL, *error);
	return NULL;
}

int
ip_output_hdrincl(struct mbuf *m, const struct in_txinfo *tx)
{
	struct netstack *ns = tx->tx_ns;
	enum drop_reason why;
	struct ip_route ir;
	int error;

	error = tx->tx_boundif != 0 && tx->tx_ifp == NULL
	    ? ENODEV
	    : ip_route(ns, tx->tx_dst.ia_w[0], tx->tx_ifp, &ir);
	if (error != 0)
		return ip_oerror(ns, m, DROP_IP_NOROUTE, error);
	if ((error = ip_output_check(tx, &ir, 0, &why)) != 0)
		return ip_oerror(ns, m, why, error);
	if ((m = ip_hdrincl(m, tx, &ir, &error)) == NULL)
		return error;
	if (m->m_pkthdr.len > ir.ir_ifp->if_mtu)
		return ip_oerror(ns, m, DROP_IP_MSGSIZE, EMSGSIZE);
	ip_output_group(m, tx, &ir);
	IPSTAT_INC(ns, rawout);
	return ip_send(m, &ir);
}
