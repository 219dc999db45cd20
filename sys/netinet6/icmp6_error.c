/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMPv6 out: messages get their sum and leave; errors keep to RFC 4443 §2.4 (e), and to a limit for
 * each destination that no observer can count (ip_icmp.c has the reasons).
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/m_cksum.h"
#include "netinet/ip_var.h"
#include "netinet6/ip6_var.h"
#include "wire/cksum.h"

/* §2.4 (c): as much of the packet as fits into the smallest MTU. */
#define ICMP6_QUOTE_MAX (IP6_MTU_MIN - IP6_HDR_LEN - ICMP6_HDR_LEN)

/* The sum of the message m between two ends. */
static void
icmp6_sum(struct mbuf *m, const struct in_addrany *src, const struct in_addrany *dst)
{
	uint32_t sum;

	be16_put(m->m_data + ICMP6_OFF_SUM, 0);
	sum = in6_afops.af_pseudo(src, dst, m->m_pkthdr.len, IP6_NXT_ICMP6);
	sum += cksum_fold(m_cksum(m, 0, m->m_pkthdr.len));
	be16_put(m->m_data + ICMP6_OFF_SUM, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
}

int
icmp6_output(struct mbuf *m, const struct in_txinfo *tx)
{
	struct netstack *ns = tx->tx_ns;
	struct in_txinfo full = *tx;
	int error;

	if (in_addrany_isany(&full.tx_src) &&
	    (error = in6_afops.af_selectsrc(ns, &tx->tx_dst, tx->tx_ifp, &full.tx_src)) != 0) {
		m_drop(m, DROP_IP6_SRC);
		return error;
	}
	icmp6_sum(m, &full.tx_src, &full.tx_dst);
	ICMP6STAT_INC(ns, outhist);
	return ip6_output(m, &full);
}

int
icmp6_link_output(struct mbuf *m, struct ifnet *ifp, const uint32_t src[4], const uint32_t dst[4])
{
	static const uint8_t ralert[IP6_EXT_UNIT] = {IP6_NXT_ICMP6, 0, IP6_OPT_RALERT, 2, 0, 0,
	    IP6_OPT_PADN, 0};
	bool mld = m->m_data[0] == ICMP6_MLD2_REPORT;
	struct in_txinfo tx = {.tx_ns = ifp->if_ns,
	    .tx_src = in6_any(src),
	    .tx_dst = in6_any(dst),
	    .tx_ifp = ifp,
	    .tx_ttl = mld ? 1 : 255,
	    .tx_proto = mld ? IP6_NXT_HOPOPTS : IP6_NXT_ICMP6};
	struct ip6_route ro = {.ro_ifp = ifp, .ro_mtu = ifp->if_mtu, .ro_direct = true};

	if (ifp->if_inet6->ix_disabled) { /* RFC 4862 §5.4.5: not a packet */
		m_drop(m, DROP_IP6_DISABLED);
		return ENETUNREACH;
	}
	memcpy(ro.ro_nexthop, dst, sizeof(ro.ro_nexthop));
	in6_setzone(ro.ro_nexthop, ifp->if_index);
	icmp6_sum(m, &tx.tx_src, &tx.tx_dst);
	if (mld) { /* RFC 3810 §5: with a router alert */
		if ((m = m_prepend(m, sizeof(ralert))) == NULL) {
			ifp->if_ns->ns_drops[DROP_MBUF_NOBUFS]++;
			return ENOBUFS;
		}
		memcpy(m->m_data, ralert, sizeof(ralert));
	}
	ICMP6STAT_INC(ifp->if_ns, outhist);
	return ip6_output_packet(m, &tx, &ro, src);
}

struct mbuf *
icmp6_message(struct netstack *ns, const void *msg, size_t len)
{
	struct mbuf *m = len > MHLEN - M_LINKHDR - IP6_HDR_LEN ? m_getcl(ns, MT_DATA, true)
							       : m_gethdr(ns, MT_DATA);

	if (m == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	m->m_data += M_LINKHDR + IP6_HDR_LEN;
	memcpy(m->m_data, msg, len);
	m->m_len = m->m_pkthdr.len = (uint32_t)len;
	return m;
}

/* Is the packet an ICMPv6 error or redirect, or perhaps one? Its headers are walked as they lie. */
static bool
error_about_error(const struct mbuf *m, const struct ip6_hdr *ip6)
{
	uint8_t head[IP6_EXT_UNIT], nxt = ip6->ip6_nxt;
	uint32_t off = IP6_HDR_LEN;
	struct ip6_frag fh;
	unsigned n;

	for (n = 0; n <= IP6_EXT_COUNT_MAX; n++) {
		if (off >= m->m_pkthdr.len || m->m_pkthdr.len - off < sizeof(head))
			return nxt == IP6_NXT_ICMP6;
		m_copydata(m, off, sizeof(head), head);
		if (nxt == IP6_NXT_ICMP6)
			return icmp6_is_error(head[0]) || head[0] == ICMP6_REDIRECT;
		if (nxt == IP6_NXT_FRAGMENT) {
			ip6_frag_parse(head, &fh);
			if (fh.if_off_bytes != 0)
				return fh.if_nxt == IP6_NXT_ICMP6;
			off += IP6_FRAG_LEN;
		} else if (nxt == IP6_NXT_HOPOPTS || nxt == IP6_NXT_DSTOPTS ||
		    nxt == IP6_NXT_ROUTING)
			off += (uint32_t)ip6_ext_len(head);
		else
			return false;
		nxt = head[0];
	}
	return true;
}

/* May an error be sent to where this packet came from (RFC 4443 §2.4 (e))? */
static bool
icmp6_error_allowed(const struct mbuf *m, const struct ip6_hdr *ip6, uint8_t type, uint8_t code)
{
	bool togroup = (m->m_flags & (M_BCAST | M_MCAST)) != 0 || ip6_is_multicast(ip6->ip6_dst);

	if (ip6_is_unspecified(ip6->ip6_src) || ip6_is_multicast(ip6->ip6_src) ||
	    ip6_is_loopback(ip6->ip6_src) != ip6_is_loopback(ip6->ip6_dst))
		return false;
	if (togroup && (type != ICMP6_PARAMPROB || code != ICMP6_PARAMPROB_OPTION))
		return false;
	return !error_about_error(m, ip6);
}

static bool
icmp6_ratelimit(struct netstack *ns, const uint32_t dst[4])
{
	struct in6_state *i6 = ns->ns_inet6;
	uint64_t hash = siphash24(i6->i6_key, dst, 16);

	return icmp_bucket_take(ns, &i6->i6_icmpbuckets[hash % ICMP_NBUCKETS], i6->i6_icmplim);
}

/* The error about m, whose header is ip6, to tx_dst. */
static void
icmp6_error_send(const struct mbuf *m, const struct icmp6_hdr *icmp6, const struct in_txinfo *tx)
{
	uint8_t buf[ICMP6_HDR_LEN + ICMP6_QUOTE_MAX];
	size_t len = KERN_MIN((size_t)m->m_pkthdr.len, (size_t)ICMP6_QUOTE_MAX);
	struct mbuf *n;

	icmp6_emit(buf, icmp6);
	m_copydata(m, 0, len, buf + ICMP6_HDR_LEN);
	if ((n = icmp6_message(tx->tx_ns, buf, ICMP6_HDR_LEN + len)) != NULL)
		(void)icmp6_output(n, tx);
}

void
icmp6_error(struct ifnet *ifp, const struct mbuf *m, uint8_t type, uint8_t code, uint32_t word)
{
	struct icmp6_hdr icmp6 = {.icmp6_type = type, .icmp6_code = code, .icmp6_word = word};
	struct netstack *ns = ifp->if_ns;
	struct in_txinfo tx = {.tx_ns = ns, .tx_proto = IP6_NXT_ICMP6};
	struct ip6_hdr ip6;

	ICMP6STAT_INC(ns, error);
	if (ip6_parse_partial(m->m_data, m->m_len, SIZE_MAX, &ip6) != IP6_PARSE_OK ||
	    !icmp6_error_allowed(m, &ip6, type, code)) {
		ICMP6STAT_INC(ns, canterror);
		return;
	}
	in6_setzone(ip6.ip6_src, ifp->if_index);
	in6_setzone(ip6.ip6_dst, ifp->if_index);
	if ((m->m_flags & M_LOOP) == 0 && !icmp6_ratelimit(ns, ip6.ip6_src)) {
		ICMP6STAT_INC(ns, ratelimited);
		return;
	}
	if (in6_addr_islocal(ns, ip6.ip6_dst))
		tx.tx_src = in6_any(ip6.ip6_dst);
	tx.tx_dst = in6_any(ip6.ip6_src);
	icmp6_error_send(m, &icmp6, &tx);
}

void
icmp6_error_self(struct ifnet *ifp, const struct mbuf *m, uint8_t type, uint8_t code)
{
	struct icmp6_hdr icmp6 = {.icmp6_type = type, .icmp6_code = code};
	struct netstack *ns = ifp->if_ns;
	struct in_txinfo tx = {.tx_ns = ns, .tx_proto = IP6_NXT_ICMP6};
	struct ip6_hdr ip6;

	ICMP6STAT_INC(ns, error);
	if (ip6_parse_partial(m->m_data, m->m_len, SIZE_MAX, &ip6) != IP6_PARSE_OK)
		return;
	in6_setzone(ip6.ip6_src, ifp->if_index);
	if (!in6_addr_islocal(ns, ip6.ip6_src) || error_about_error(m, &ip6)) {
		ICMP6STAT_INC(ns, canterror);
		return;
	}
	tx.tx_src = tx.tx_dst = in6_any(ip6.ip6_src);
	icmp6_error_send(m, &icmp6, &tx);
}
