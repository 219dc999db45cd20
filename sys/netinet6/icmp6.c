/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMPv6 (RFC 4443): echo is answered, errors about our packets go to their transport, errors about
 * packets to us are sent within limits (icmp6_error.c). Neighbour Discovery and listener queries go to
 * their own files. Redirects are ignored, and all else that is not known.
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

#define QUOTE_MAX (IP6_HDR_LEN + IP6_EXT_BYTES_MAX + 64)

/* What an error says to a transport. => IN_CTL_COUNT: nothing */
static enum in_ctl
icmp6_ctl(const struct icmp6_hdr *icmp6)
{
	static const uint8_t unreach[] = {
	    [ICMP6_UNREACH_NOROUTE] = IN_CTL_NETUNREACH,
	    [ICMP6_UNREACH_ADMIN] = IN_CTL_PROHIB,
	    [ICMP6_UNREACH_BEYONDSCOPE] = IN_CTL_HOSTUNREACH,
	    [ICMP6_UNREACH_ADDR] = IN_CTL_HOSTUNREACH,
	    [ICMP6_UNREACH_PORT] = IN_CTL_PORTUNREACH,
	    [ICMP6_UNREACH_POLICY] = IN_CTL_PROHIB,
	    [ICMP6_UNREACH_REJECT] = IN_CTL_PROHIB,
	};

	switch (icmp6->icmp6_type) {
	case ICMP6_UNREACH:
		return icmp6->icmp6_code < nitems(unreach) ? unreach[icmp6->icmp6_code]
							   : IN_CTL_COUNT;
	case ICMP6_TOOBIG:
		return IN_CTL_MSGSIZE;
	case ICMP6_TIMXCEED:
		return icmp6->icmp6_code <= ICMP6_TIMXCEED_REASS ? IN_CTL_TIMXCEED : IN_CTL_COUNT;
	case ICMP6_PARAMPROB:
		if (icmp6->icmp6_code == ICMP6_PARAMPROB_NEXTHEADER)
			return IN_CTL_PROTOUNREACH;
		return icmp6->icmp6_code <= ICMP6_PARAMPROB_FIRSTFRAG ? IN_CTL_PARAMPROB
								      : IN_CTL_COUNT;
	default:
		return IN_CTL_COUNT;
	}
}

/* The errno of an error as Linux tells it to who asks (IPV6_RECVERR). */
static int
icmp6_hosterrno(const struct icmp6_hdr *icmp6)
{
	static const uint8_t unreach[] = {
	    [ICMP6_UNREACH_NOROUTE] = ENETUNREACH,
	    [ICMP6_UNREACH_ADMIN] = EACCES,
	    [ICMP6_UNREACH_BEYONDSCOPE] = EHOSTUNREACH,
	    [ICMP6_UNREACH_ADDR] = EHOSTUNREACH,
	    [ICMP6_UNREACH_PORT] = ECONNREFUSED,
	    [ICMP6_UNREACH_POLICY] = EACCES,
	    [ICMP6_UNREACH_REJECT] = EACCES,
	};

	switch (icmp6->icmp6_type) {
	case ICMP6_UNREACH:
		return icmp6->icmp6_code < nitems(unreach) ? unreach[icmp6->icmp6_code] : EPROTO;
	case ICMP6_TOOBIG:
		return EMSGSIZE;
	case ICMP6_TIMXCEED:
		return EHOSTUNREACH;
	default:
		return EPROTO;
	}
}

/* May it pass, so that a datagram socket is not told (RFC 4443 §3.1, RFC 1122 §3.2.2.1)? As on Linux. */
static bool
icmp6_issoft(const struct icmp6_hdr *icmp6)
{
	if (icmp6->icmp6_type == ICMP6_UNREACH)
		return icmp6->icmp6_code == ICMP6_UNREACH_NOROUTE ||
		    icmp6->icmp6_code == ICMP6_UNREACH_BEYONDSCOPE ||
		    icmp6->icmp6_code == ICMP6_UNREACH_ADDR;
	return icmp6->icmp6_type == ICMP6_TIMXCEED;
}

/*
 * Is a "packet too big" to be believed? Not when it would not have kept the packet from passing, and
 * not below what every link carries: no atomic fragments are ever made (RFC 8021, RFC 8201 §4).
 */
static bool
icmp6_mtu_ok(const struct icmp6_hdr *icmp6, const struct ip6_hdr *quoted)
{
	return icmp6->icmp6_word >= IP6_MTU_MIN &&
	    icmp6->icmp6_word < (uint32_t)quoted->ip6_plen + IP6_HDR_LEN;
}

static void
icmp6_ignore(struct mbuf *m)
{
	ICMP6STAT_INC(m->m_ns, ignored);
	m_drop(m, DROP_ICMP6_TYPE);
}

/* Fills in what the transport is told, but for the kind. */
static void
icmp6_ctlinfo(struct in_ctlinfo *ci, const struct icmp6_hdr *icmp6, const struct in_rxinfo *rx,
    struct icmp6_embedded *ie)
{
	in6_setzone(ie->ie_ip6.ip6_src, rx->rx_ifp->if_index);
	in6_setzone(ie->ie_ip6.ip6_dst, rx->rx_ifp->if_index);
	ci->ci_af = &in6_afops;
	ci->ci_pktlen = (uint32_t)ie->ie_ip6.ip6_plen + IP6_HDR_LEN;
	ci->ci_src = in6_any(ie->ie_ip6.ip6_src);
	ci->ci_dst = in6_any(ie->ie_ip6.ip6_dst);
	ci->ci_errno = icmp6_hosterrno(icmp6);
	ci->ci_soft = icmp6_issoft(icmp6);
	ci->ci_type = icmp6->icmp6_type;
	ci->ci_code = icmp6->icmp6_code;
	ci->ci_info = icmp6->icmp6_word;
	ci->ci_rx = rx;
	if (ci->ci_ctl == IN_CTL_MSGSIZE)
		ci->ci_arg = icmp6->icmp6_word;
}

/*
 * An echo reply of ours did not pass. Nothing is kept of them to compare; but no MTU goes below what
 * every link carries, and the table is bounded.
 */
static bool
icmp6_toobig_reply(struct netstack *ns, const struct icmp6_embedded *ie, const uint8_t *quote,
    const struct in_ctlinfo *ci)
{
	if (ie->ie_proto != IP6_NXT_ICMP6 || quote[ie->ie_off] != ICMP6_ECHOREPLY ||
	    ci->ci_ctl != IN_CTL_MSGSIZE)
		return false;
	in6_afops.af_setmtu(ns, &ci->ci_dst, ci->ci_arg, ci->ci_pktlen);
	return true;
}

/* An error about a packet that we sent: to the transport. Consumes m. */
static void
icmp6_input_error(struct mbuf *m, const struct in_rxinfo *rx, const struct icmp6_hdr *icmp6)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	const struct in_transport *it;
	uint8_t quote[QUOTE_MAX];
	struct icmp6_embedded ie;
	struct in_ctlinfo ci = {.ci_ctl = icmp6_ctl(icmp6)};
	size_t off = (size_t)rx->rx_hlen + ICMP6_HDR_LEN;
	size_t len = KERN_MIN(rx->rx_len - (size_t)ICMP6_HDR_LEN, sizeof(quote));
	bool known, taken;

	m_copydata(m, off, len, quote);
	known = icmp6_parse_embedded(quote, len, &ie);
	if (known)
		icmp6_ctlinfo(&ci, icmp6, rx, &ie);
	if (!known || rx->rx_bcast || !in_addrany_eq(&ci.ci_src, &rx->rx_dst)) {
		ICMP6STAT_INC(ns, badlen);
		m_drop(m, DROP_ICMP6_EMBEDDED);
		return;
	}
	it = in_transport_find(ns, ie.ie_proto);
	known = ci.ci_ctl != IN_CTL_COUNT &&
	    (ci.ci_ctl != IN_CTL_MSGSIZE || icmp6_mtu_ok(icmp6, &ie.ie_ip6));
	if (known && ci.ci_ctl == IN_CTL_MSGSIZE)
		ICMP6STAT_INC(ns, pmtuchg);
	if (known && icmp6_toobig_reply(ns, &ie, quote, &ci)) {
		m_freem(m);
		return;
	}
	if (!known) {
		icmp6_ignore(m);
		return;
	}
	ci.ci_head = quote + ie.ie_off;
	ci.ci_headlen = len - ie.ie_off;
	ci.ci_m = m;
	ci.ci_off = off + ie.ie_off;
	taken = rip6_ctlinput(ns, &ci, ie.ie_proto);
	if (it != NULL && it->it_ctlinput != NULL)
		it->it_ctlinput(ns, &ci);
	else if (!taken) {
		icmp6_ignore(m);
		return;
	}
	m_freem(m);
}

/* The echo goes back as it came, only its type and the sum change. Consumes m. */
static void
icmp6_input_echo(struct mbuf *m, const struct in_rxinfo *rx, const struct icmp6_hdr *icmp6)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	struct in_txinfo tx = {.tx_ns = ns,
	    .tx_dst = rx->rx_src,
	    .tx_proto = IP6_NXT_ICMP6,
	    .tx_tos = rx->rx_tos & (uint8_t)~IPTOS_ECN_MASK};
	struct icmp6_hdr reply = *icmp6;

	if (ip6_is_unspecified(rx->rx_src.ia_w)) {
		m_drop(m, DROP_IP6_SRC);
		return;
	}
	/* RFC 4443 §4.2: to a group is answered by an address of ours. */
	if (!rx->rx_bcast)
		tx.tx_src = rx->rx_dst;
	reply.icmp6_type = ICMP6_ECHOREPLY;
	reply.icmp6_sum = 0;
	m_adj(m, rx->rx_hlen);
	m->m_flags &= (uint16_t) ~(M_BCAST | M_MCAST | M_LOOP);
	m->m_pkthdr.csum_flags = 0;
	m->m_pkthdr.segsz = m->m_pkthdr.nsegs = 0;
	if ((m->m_len < ICMP6_HDR_LEN || !m_writable(m)) &&
	    (m = m_pullup(m, ICMP6_HDR_LEN)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return;
	}
	icmp6_emit(m->m_data, &reply);
	ICMP6STAT_INC(ns, reflect);
	(void)icmp6_output(m, &tx);
}

/* The rest of the messages, by type. Consumes m. */
static void
icmp6_dispatch(struct mbuf *m, const struct in_rxinfo *rx, const struct icmp6_hdr *icmp6)
{
	switch (icmp6->icmp6_type) {
	case ICMP6_ECHO:
		icmp6_input_echo(m, rx, icmp6);
		break;
	case ICMP6_ECHOREPLY:
		icmp6_sock_input(m, rx, (uint16_t)(icmp6->icmp6_word >> 16));
		break;
	case ICMP6_UNREACH:
	case ICMP6_TOOBIG:
	case ICMP6_TIMXCEED:
	case ICMP6_PARAMPROB:
		icmp6_input_error(m, rx, icmp6);
		break;
	case ICMP6_NS:
		nd6_ns_input(m, rx);
		break;
	case ICMP6_NA:
		nd6_na_input(m, rx);
		break;
	case ICMP6_RA:
		nd6_ra_input(m, rx);
		break;
	case ICMP6_MLD_QUERY:
		mld6_query_input(m, rx);
		break;
	case ICMP6_REDIRECT:
		ICMP6STAT_INC(m->m_ns, nd_redirect);
		m_drop(m, DROP_ND6_IGNORED);
		break;
	default:
		icmp6_ignore(m);
		break;
	}
}

void
icmp6_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	uint8_t head[ICMP6_HDR_LEN];
	struct icmp6_hdr icmp6;
	uint32_t sum;

	ICMP6STAT_INC(ns, inhist);
	if (rx->rx_len < ICMP6_HDR_LEN) {
		ICMP6STAT_INC(ns, tooshort);
		m_drop(m, DROP_ICMP6_SHORT);
		return;
	}
	sum = in6_afops.af_pseudo(&rx->rx_src, &rx->rx_dst, rx->rx_len, IP6_NXT_ICMP6);
	sum += cksum_fold(m_cksum(m, rx->rx_hlen, rx->rx_len));
	if ((m->m_pkthdr.csum_flags & M_CSUM_OK) == 0 && (sum & 0xffff) + (sum >> 16) != 0xffff) {
		ICMP6STAT_INC(ns, checksum);
		m_drop(m, DROP_ICMP6_CKSUM);
		return;
	}
	m_copydata(m, rx->rx_hlen, sizeof(head), head);
	(void)icmp6_parse(head, sizeof(head), &icmp6);
	(void)rip6_input(m, rx);
	icmp6_dispatch(m, rx, &icmp6);
}
