/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3.2, RFC 5927): echo is answered, errors about our
 * packets go to their transport, errors about packets to us are sent within limits.
 *
 * Redirects, source quench (RFC 6633), timestamp and mask requests are dropped. The limit on errors
 * is by destination, in buckets that a keyed hash chooses, and its amount is drawn at random for
 * each second, so that no observer can count what somebody else has used of it. Errors to ourselves
 * are not limited: nobody observes them, and programs expect them.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/m_cksum.h"
#include "netinet/in_pcb.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "netinet/raw_ip.h"
#include "wire/cksum.h"
#include "wire/icmp4.h"

#define ICMP_QUOTE_MAX (576 - IPV4_HDR_LEN - ICMP4_HDR_LEN) /* RFC 1812 §4.3.2.3 */

/* What an error says to a transport. => IN_CTL_COUNT: nothing */
static enum in_ctl
icmp_ctl(const struct icmp4_hdr *icmp)
{
	static const uint8_t unreach[] = {
	    [ICMP4_UNREACH_NET] = IN_CTL_NETUNREACH,
	    [ICMP4_UNREACH_HOST] = IN_CTL_HOSTUNREACH,
	    [ICMP4_UNREACH_PROTOCOL] = IN_CTL_PROTOUNREACH,
	    [ICMP4_UNREACH_PORT] = IN_CTL_PORTUNREACH,
	    [ICMP4_UNREACH_NEEDFRAG] = IN_CTL_MSGSIZE,
	    [ICMP4_UNREACH_SRCFAIL] = IN_CTL_HOSTUNREACH,
	    [ICMP4_UNREACH_NET_UNKNOWN] = IN_CTL_NETUNREACH,
	    [ICMP4_UNREACH_HOST_UNKNOWN] = IN_CTL_HOSTUNREACH,
	    [ICMP4_UNREACH_ISOLATED] = IN_CTL_HOSTUNREACH,
	    [ICMP4_UNREACH_NET_PROHIB] = IN_CTL_PROHIB,
	    [ICMP4_UNREACH_HOST_PROHIB] = IN_CTL_PROHIB,
	    [ICMP4_UNREACH_TOSNET] = IN_CTL_NETUNREACH,
	    [ICMP4_UNREACH_TOSHOST] = IN_CTL_HOSTUNREACH,
	    [ICMP4_UNREACH_FILTER_PROHIB] = IN_CTL_PROHIB,
	    [ICMP4_UNREACH_HOST_PRECEDENCE] = IN_CTL_PROHIB,
	    [ICMP4_UNREACH_PRECEDENCE_CUTOFF] = IN_CTL_PROHIB,
	};

	switch (icmp->icmp_type) {
	case ICMP4_UNREACH:
		return icmp->icmp_code < nitems(unreach) ? unreach[icmp->icmp_code] : IN_CTL_COUNT;
	case ICMP4_TIMXCEED:
		return icmp->icmp_code <= ICMP4_TIMXCEED_REASS ? IN_CTL_TIMXCEED : IN_CTL_COUNT;
	case ICMP4_PARAMPROB:
		return icmp->icmp_code <= ICMP4_PARAMPROB_LENGTH ? IN_CTL_PARAMPROB : IN_CTL_COUNT;
	default:
		return IN_CTL_COUNT;
	}
}

/* The errno of an error as Linux tells it to who asks (IP_RECVERR). */
static int
icmp_hosterrno(const struct icmp4_hdr *icmp)
{
	static const uint8_t unreach[] = {
	    [ICMP4_UNREACH_NET] = ENETUNREACH,
	    [ICMP4_UNREACH_HOST] = EHOSTUNREACH,
	    [ICMP4_UNREACH_PROTOCOL] = ENOPROTOOPT,
	    [ICMP4_UNREACH_PORT] = ECONNREFUSED,
	    [ICMP4_UNREACH_NEEDFRAG] = EMSGSIZE,
	    [ICMP4_UNREACH_SRCFAIL] = EOPNOTSUPP,
	    [ICMP4_UNREACH_NET_UNKNOWN] = ENETUNREACH,
	    [ICMP4_UNREACH_HOST_UNKNOWN] = EHOSTDOWN,
	    [ICMP4_UNREACH_ISOLATED] = EHOSTUNREACH, /* ENONET, for which BSD has no word */
	    [ICMP4_UNREACH_NET_PROHIB] = ENETUNREACH,
	    [ICMP4_UNREACH_TOSNET] = ENETUNREACH,
	};

	if (icmp->icmp_type == ICMP4_PARAMPROB)
		return EPROTO;
	if (icmp->icmp_type == ICMP4_UNREACH && icmp->icmp_code < nitems(unreach) &&
	    unreach[icmp->icmp_code] != 0)
		return unreach[icmp->icmp_code];
	return EHOSTUNREACH;
}

/* May it pass by itself, so that a datagram socket is not to fail by it, as Linux has it? */
static bool
icmp_issoft(const struct icmp4_hdr *icmp)
{
	if (icmp->icmp_type != ICMP4_UNREACH)
		return icmp->icmp_type == ICMP4_TIMXCEED;
	switch (icmp->icmp_code) {
	case ICMP4_UNREACH_NET:
	case ICMP4_UNREACH_HOST:
	case ICMP4_UNREACH_SRCFAIL:
	case ICMP4_UNREACH_TOSNET:
	case ICMP4_UNREACH_TOSHOST:
		return true;
	default:
		return false;
	}
}

/*
 * The next hop's MTU of a "fragmentation needed". => false: not to be believed, since it would not
 * have kept the quoted packet from passing; *mtu 0: the router does not tell
 */
static bool
icmp_nextmtu(const struct icmp4_hdr *icmp, const struct ipv4_hdr *quoted, uint32_t *mtu)
{
	*mtu = icmp4_nextmtu(icmp);
	if (*mtu >= quoted->ip_len || (*mtu != 0 && *mtu < IPV4_MTU_MIN))
		return false;
	if (*mtu != 0)
		*mtu = KERN_MAX(*mtu, IN_PMTU_FLOOR);
	return true;
}

/* To the transport, and to raw sockets. => false: nobody sends packets of that protocol */
static bool
icmp_tell(struct netstack *ns, const struct in_ctlinfo *ci, uint8_t proto)
{
	const struct in_transport *it = in_transport_find(ns, proto);
	bool known = it != NULL && it->it_ctlinput != NULL;

	if (known)
		it->it_ctlinput(ns, ci);
	return rip_ctlinput(ns, ci, proto) || known;
}

/* An error about a packet that we sent: to the transport. Consumes m. */
static void
icmp_input_error(struct netstack *ns, struct mbuf *m, const struct in_rxinfo *rx,
    const struct icmp4_hdr *icmp)
{
	uint8_t quote[IPV4_HDR_LEN_MAX + 64];
	struct icmp4_embedded ie;
	struct in_ctlinfo ci = {.ci_af = &in4_afops, .ci_ctl = icmp_ctl(icmp)};
	size_t len = KERN_MIN(rx->rx_len - (size_t)ICMP4_HDR_LEN, sizeof(quote));

	m_copydata(m, (size_t)rx->rx_hlen + ICMP4_HDR_LEN, len, quote);
	if (rx->rx_bcast || icmp4_parse_embedded(quote, len, &ie) != ICMP4_EMBEDDED_OK ||
	    ie.ie_ip.ip_src_be != rx->rx_dst.ia_w[0]) {
		ICMPSTAT_INC(ns, badlen);
		m_drop(m, DROP_ICMP_EMBEDDED);
		return;
	}
	if (ci.ci_ctl == IN_CTL_COUNT ||
	    (ci.ci_ctl == IN_CTL_MSGSIZE && !icmp_nextmtu(icmp, &ie.ie_ip, &ci.ci_arg))) {
		ICMPSTAT_INC(ns, ignored);
		m_drop(m, DROP_ICMP_TYPE);
		return;
	}
	if (ci.ci_ctl == IN_CTL_MSGSIZE)
		ICMPSTAT_INC(ns, pmtuchg);
	ci.ci_pktlen = ie.ie_ip.ip_len;
	ci.ci_src = in4_any(ie.ie_ip.ip_src_be);
	ci.ci_dst = in4_any(ie.ie_ip.ip_dst_be);
	ci.ci_head = quote + ie.ie_ip.ip_hl;
	ci.ci_headlen = len - ie.ie_ip.ip_hl;
	ci.ci_errno = icmp_hosterrno(icmp);
	ci.ci_soft = icmp_issoft(icmp);
	ci.ci_type = icmp->icmp_type;
	ci.ci_code = icmp->icmp_code;
	if (ci.ci_ctl == IN_CTL_MSGSIZE)
		ci.ci_info = icmp4_nextmtu(icmp);
	else if (icmp->icmp_type == ICMP4_PARAMPROB)
		ci.ci_info = icmp->icmp_id >> 8;
	ci.ci_rx = rx;
	ci.ci_m = m;
	ci.ci_off = (size_t)rx->rx_hlen + ICMP4_HDR_LEN + ie.ie_ip.ip_hl;
	if (!icmp_tell(ns, &ci, ie.ie_ip.ip_p)) {
		ICMPSTAT_INC(ns, ignored);
		m_drop(m, DROP_ICMP_TYPE);
		return;
	}
	m_freem(m);
}

/* The echo goes back as it came, only its type and the sum change. Consumes m. */
static void
icmp_input_echo(struct netstack *ns, struct mbuf *m, const struct in_rxinfo *rx,
    const struct icmp4_hdr *icmp)
{
	struct in_txinfo tx = {.tx_ns = ns,
	    .tx_src = rx->rx_dst,
	    .tx_dst = rx->rx_src,
	    .tx_proto = IPV4_PROTO_ICMP,
	    .tx_tos = rx->rx_tos & (uint8_t)~IPTOS_ECN_MASK};
	struct icmp4_hdr reply = *icmp;

	if (rx->rx_bcast) {
		ICMPSTAT_INC(ns, bmcastecho);
		m_drop(m, DROP_ICMP_BCAST);
		return;
	}
	reply.icmp_type = ICMP4_ECHOREPLY;
	reply.icmp_sum =
	    cksum_update16(icmp->icmp_sum, (uint16_t)(icmp->icmp_type << 8 | icmp->icmp_code),
		(uint16_t)(ICMP4_ECHOREPLY << 8 | icmp->icmp_code));
	m_adj(m, rx->rx_hlen);
	if ((m->m_len < ICMP4_HDR_LEN || !m_writable(m)) &&
	    (m = m_pullup(m, ICMP4_HDR_LEN)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return;
	}
	icmp4_emit(m->m_data, &reply);
	m->m_flags &= (uint16_t) ~(M_BCAST | M_MCAST | M_LOOP);
	m->m_pkthdr.csum_flags = 0;
	m->m_pkthdr.segsz = m->m_pkthdr.nsegs = 0;
	ICMPSTAT_INC(ns, reflect);
	ICMPSTAT_INC(ns, outhist);
	(void)ip_output(m, &tx);
}

void
icmp_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	uint8_t head[ICMP4_HDR_LEN];
	struct icmp4_hdr icmp;

	ICMPSTAT_INC(ns, inhist);
	if (rx->rx_len < ICMP4_HDR_LEN) {
		ICMPSTAT_INC(ns, tooshort);
		m_drop(m, DROP_ICMP_SHORT);
		return;
	}
	if (cksum_finish(m_cksum(m, rx->rx_hlen, rx->rx_len)) != 0) {
		ICMPSTAT_INC(ns, checksum);
		m_drop(m, DROP_ICMP_CKSUM);
		return;
	}
	m_copydata(m, rx->rx_hlen, sizeof(head), head);
	(void)icmp4_parse(head, sizeof(head), &icmp);
	switch (icmp.icmp_type) {
	case ICMP4_ECHO:
		icmp_input_echo(ns, m, rx, &icmp);
		break;
	case ICMP4_UNREACH:
	case ICMP4_TIMXCEED:
	case ICMP4_PARAMPROB:
		icmp_input_error(ns, m, rx, &icmp);
		break;
	case ICMP4_ECHOREPLY:
		icmp_sock_input(m, rx, icmp.icmp_id);
		break;
	default:
		ICMPSTAT_INC(ns, ignored);
		m_drop(m, DROP_ICMP_TYPE);
		break;
	}
}

/* May the packet be spoken of at all: the first of its fragments, and no error itself? Counts why not. */
static bool
icmp_error_suits(struct netstack *ns, const struct mbuf *m, const struct ipv4_hdr *ip)
{
	uint8_t type;

	if (ip->ip_fragoff_bytes != 0) {
		ICMPSTAT_INC(ns, oldaddr);
		return false;
	}
	if (ip->ip_p != IPV4_PROTO_ICMP)
		return true;
	if (m->m_pkthdr.len <= ip->ip_hl) {
		ICMPSTAT_INC(ns, oldshort);
		return false;
	}
	m_copydata(m, ip->ip_hl, 1, &type);
	if (type != ICMP4_ECHO) {
		ICMPSTAT_INC(ns, oldicmp);
		return false;
	}
	return true;
}

/* May an error be sent to where this packet came from (RFC 1122 §3.2.2)? Counts why not. */
static bool
icmp_error_allowed(struct netstack *ns, const struct mbuf *m, const struct ipv4_hdr *ip)
{
	if ((m->m_flags & (M_BCAST | M_MCAST)) != 0 || ipv4_is_multicast(ip->ip_dst_be) ||
	    in_addr_isbroadcast(ns, ip->ip_dst_be) || !in_addr_islocal(ns, ip->ip_dst_be) ||
	    ipv4_is_this_network(ip->ip_src_be) || ipv4_is_multicast(ip->ip_src_be) ||
	    ipv4_is_reserved(ip->ip_src_be)) {
		ICMPSTAT_INC(ns, oldaddr);
		return false;
	}
	return icmp_error_suits(ns, m, ip);
}

bool
icmp_bucket_take(struct netstack *ns, struct icmp_bucket *ib, uint32_t limit)
{
	if (ib->ib_since_ns == 0 || ns->ns_now - ib->ib_since_ns >= NSEC_PER_SEC) {
		/* Between half of the limit and all of it, with the start of the second at random. */
		ib->ib_since_ns =
		    ns->ns_now - KERN_MIN(rng_below(&ns->ns_rng, NSEC_PER_SEC / 4), ns->ns_now);
		ib->ib_since_ns = KERN_MAX(ib->ib_since_ns, 1u);
		ib->ib_left = limit - rng_below(&ns->ns_rng, limit / 2 + 1);
	}
	if (ib->ib_left == 0)
		return false;
	ib->ib_left--;
	return true;
}

static bool
icmp_ratelimit(struct netstack *ns, uint32_t dst_be)
{
	struct inet_state *is = ns->ns_inet;
	uint64_t hash = siphash24(is->is_key, &dst_be, sizeof(dst_be));

	return icmp_bucket_take(ns, &is->is_icmpbuckets[hash % ICMP_NBUCKETS], is->is_icmplim);
}

/* The error, its sum not yet made, about m to tx_dst. */
static void
icmp_error_send(const struct mbuf *m, struct icmp4_hdr *icmp, const struct in_txinfo *tx)
{
	uint8_t buf[ICMP4_HDR_LEN + ICMP_QUOTE_MAX];
	struct netstack *ns = tx->tx_ns;
	struct mbuf *n;
	size_t len;

	len = KERN_MIN((size_t)m->m_pkthdr.len, (size_t)ICMP_QUOTE_MAX);
	m_copydata(m, 0, len, buf + ICMP4_HDR_LEN);
	len += ICMP4_HDR_LEN;
	icmp4_emit(buf, icmp);
	icmp->icmp_sum = cksum_finish(cksum_partial(buf, len, 0));
	icmp4_emit(buf, icmp);
	if ((n = m_getcl(ns, MT_DATA, true)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return;
	}
	n->m_data += M_LINKHDR + IPV4_HDR_LEN;
	memcpy(n->m_data, buf, len);
	n->m_len = n->m_pkthdr.len = (uint32_t)len;
	ICMPSTAT_INC(ns, outhist);
	(void)ip_output(n, tx);
}

void
icmp_error(struct netstack *ns, const struct mbuf *m, uint8_t type, uint8_t code, uint32_t info)
{
	struct icmp4_hdr icmp = {.icmp_type = type,
	    .icmp_code = code,
	    .icmp_id = (uint16_t)(info >> 16),
	    .icmp_seq = (uint16_t)info};
	struct in_txinfo tx = {.tx_ns = ns, .tx_proto = IPV4_PROTO_ICMP};
	struct ipv4_hdr ip;

	ICMPSTAT_INC(ns, error);
	if (ipv4_parse_partial(m->m_data, m->m_len, SIZE_MAX, &ip) != IPV4_PARSE_OK ||
	    !icmp_error_allowed(ns, m, &ip))
		return;
	if ((m->m_flags & M_LOOP) == 0 && !icmp_ratelimit(ns, ip.ip_src_be)) {
		ICMPSTAT_INC(ns, ratelimited);
		return;
	}
	tx.tx_src = in4_any(ip.ip_dst_be);
	tx.tx_dst = in4_any(ip.ip_src_be);
	icmp_error_send(m, &icmp, &tx);
}

void
icmp_error_self(struct netstack *ns, const struct mbuf *m, uint8_t type, uint8_t code)
{
	struct icmp4_hdr icmp = {.icmp_type = type, .icmp_code = code};
	struct in_txinfo tx = {.tx_ns = ns, .tx_proto = IPV4_PROTO_ICMP};
	struct ipv4_hdr ip;

	ICMPSTAT_INC(ns, error);
	if (ipv4_parse_partial(m->m_data, m->m_len, SIZE_MAX, &ip) != IPV4_PARSE_OK ||
	    !icmp_error_suits(ns, m, &ip))
		return;
	if (!in_addr_islocal(ns, ip.ip_src_be)) {
		ICMPSTAT_INC(ns, oldaddr);
		return;
	}
	tx.tx_src = tx.tx_dst = in4_any(ip.ip_src_be);
	icmp_error_send(m, &icmp, &tx);
}
