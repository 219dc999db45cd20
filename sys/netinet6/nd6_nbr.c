/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbour solicitations and advertisements, in and out (RFC 4861 §7), and addresses being probed
 * before they are used (RFC 4862 §5.4, RFC 7527).
 *
 * A message that is not wholly right is dropped whole (§7.1): from off the link, in fragments (RFC
 * 6980), with a bad option, or with addresses that make no sense together.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/stray.h"
#include "netinet6/ip6_var.h"
#include "wire/print.h"

#define ND_IDGEN_DELAY_NS NSEC_PER_SEC /* RFC 7217 §7: IDGEN_DELAY */

static const uint32_t unspecified[4];

bool
nd6_message(struct mbuf *m, const struct in_rxinfo *rx, size_t min, struct nd_message *nm)
{
	uint8_t *p = nm->nm_bytes;

	nm->nm_len = rx->rx_len;
	if (rx->rx_ttl != 255 || rx->rx_frag || rx->rx_len < min || rx->rx_len > ND_MESSAGE_MAX)
		return false;
	m_copydata(m, rx->rx_hlen, rx->rx_len, p);
	return p[1] == 0 && nd_opts_parse(p + min, rx->rx_len - min, &nm->nm_opts);
}

/* Sends an advertisement of ours. */
static void
nd6_na_send(const struct in6_ifaddr *ia, const uint32_t dst[4], uint32_t flags)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;
	struct icmp6_hdr icmp6 = {.icmp6_type = ICMP6_NA, .icmp6_word = flags};
	uint8_t msg[ND_NA_LEN + ND_OPT_LLA_LEN];
	uint32_t target[4];
	struct mbuf *m;

	memcpy(target, ia->ia_addr, sizeof(target));
	in6_clearzone(target);
	icmp6_emit(msg, &icmp6);
	ip6_addr_put(msg + ND_OFF_TARGET, target);
	(void)nd_opt_lla_emit(msg + ND_NA_LEN, ND_OPT_TLLA, ifp->if_lladdr);
	if ((m = icmp6_message(ifp->if_ns, msg, sizeof(msg))) != NULL)
		(void)icmp6_link_output(m, ifp, ia->ia_addr, dst);
}

void
nd6_ns_send(struct ifnet *ifp, bool unicast, const uint32_t target[4])
{
	const struct in6_ifaddr *ia = in6_selectsrc_ifa(ifp->if_ns, ifp, target);
	struct icmp6_hdr icmp6 = {.icmp6_type = ICMP6_NS};
	uint8_t msg[ND_NS_LEN + ND_OPT_LLA_LEN];
	uint32_t clean[4], group[4];
	struct mbuf *m;

	if (ia == NULL || ia->ia_ifa.ifa_ifp != ifp)
		return;
	memcpy(clean, target, sizeof(clean));
	in6_clearzone(clean);
	ip6_solicited_node(group, target);
	icmp6_emit(msg, &icmp6);
	ip6_addr_put(msg + ND_OFF_TARGET, clean);
	(void)nd_opt_lla_emit(msg + ND_NS_LEN, ND_OPT_SLLA, ifp->if_lladdr);
	if ((m = icmp6_message(ifp->if_ns, msg, sizeof(msg))) != NULL)
		(void)icmp6_link_output(m, ifp, ia->ia_addr, unicast ? target : group);
}

/* Another station has, or wants, the address: it is not used. */
static void
nd6_dad_failed(struct in6_ifaddr *ia)
{
	static const char tail[] = " is in use on the link, and not ours";
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;
	char text[IP6_ADDRSTRLEN + sizeof(tail)];
	uint32_t a[4], own[4];
	size_t n;

	ICMP6STAT_INC(ifp->if_ns, nd_dad);
	if (in6_ia_another(ia)) {
		ia->ia_dadleft = ifp->if_ns->ns_inet6->i6_dad_count;
		callout_reset(&ia->ia_dad, ND_IDGEN_DELAY_NS);
		return;
	}
	ia->ia_flags = (ia->ia_flags & ~(uint32_t)IN6_IFF_TENTATIVE) | IN6_IFF_DUPLICATED;
	(void)callout_stop(&ia->ia_dad);
	memcpy(a, ia->ia_addr, sizeof(a));
	in6_clearzone(a);
	/* RFC 4862 §5.4.5: who has the station's own identifier has the station's address, too. */
	ip6_linklocal_eui64(own, ifp->if_lladdr);
	if (ip6_addr_eq(a, own))
		ifp->if_inet6->ix_disabled = true;
	n = ip6_ntop(text, IP6_ADDRSTRLEN, a);
	memcpy(text + n, tail, sizeof(tail));
	host_log(HOST_LOG_WARN, text);
}

static void
nd6_dad_send(struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;
	struct icmp6_hdr icmp6 = {.icmp6_type = ICMP6_NS};
	uint8_t msg[ND_NS_LEN + 2 + ND_NONCE_LEN];
	uint32_t clean[4], group[4];
	struct mbuf *m;

	memcpy(clean, ia->ia_addr, sizeof(clean));
	in6_clearzone(clean);
	ip6_solicited_node(group, clean);
	icmp6_emit(msg, &icmp6);
	ip6_addr_put(msg + ND_OFF_TARGET, clean);
	rng_bytes(&ifp->if_ns->ns_rng, ia->ia_nonce, sizeof(ia->ia_nonce));
	msg[ND_NS_LEN] = ND_OPT_NONCE;
	msg[ND_NS_LEN + 1] = 1;
	memcpy(msg + ND_NS_LEN + 2, ia->ia_nonce, sizeof(ia->ia_nonce));
	if ((m = icmp6_message(ifp->if_ns, msg, sizeof(msg))) != NULL)
		(void)icmp6_link_output(m, ifp, unspecified, group);
}

void
nd6_dad_timer(void *arg)
{
	struct in6_ifaddr *ia = arg;
	const struct ifnet *ifp = ia->ia_ifa.ifa_ifp;

	if ((ifp->if_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING)) {
		callout_reset(&ia->ia_dad, NSEC_PER_SEC);
		return;
	}
	if (ia->ia_dadleft > 0) {
		ia->ia_dadleft--;
		nd6_dad_send(ia);
		callout_reset(&ia->ia_dad, nd6_retrans_ns(ifp));
		return;
	}
	ia->ia_flags &= ~(uint32_t)IN6_IFF_TENTATIVE;
	if (in6_ia_addroutes(ia) != 0) {
		ia->ia_flags |= IN6_IFF_TENTATIVE; /* memory may be there later */
		callout_reset(&ia->ia_dad, NSEC_PER_SEC);
	}
}

void
nd6_dad_start(struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;
	struct netstack *ns = ifp->if_ns;
	uint64_t delay_ns = 0;

	ia->ia_dadleft = ns->ns_inet6->i6_dad_count;
	if (nd6_table(ifp) == NULL || (ifp->if_flags & IFF_NOARP) != 0 || ia->ia_dadleft == 0)
		return;
	ia->ia_flags |= IN6_IFF_TENTATIVE;
	/* §5.4.2: hosts that start together do not speak together. The first is the link-local one. */
	if (ip6_is_linklocal(ia->ia_addr))
		delay_ns = rng_below(&ns->ns_rng, NSEC_PER_SEC);
	callout_reset(&ia->ia_dad, delay_ns);
}

/* Somebody asks for an address that we have, or would have. */
static void
nd6_ns_answer(struct in6_ifaddr *ia, const struct in_rxinfo *rx, const struct nd_opts *no,
    bool first)
{
	struct ifnet *ifp = rx->rx_ifp;
	uint32_t all[4] = {htobe32(0xff020000), 0, 0, htobe32(1)};

	if ((ia->ia_flags & IN6_IFF_TENTATIVE) != 0) {
		/* A probe that is not ours come back (RFC 7527). */
		if (ip6_is_unspecified(rx->rx_src.ia_w) &&
		    (no->no_nonce == NULL ||
			memcmp(no->no_nonce + 2, ia->ia_nonce, ND_NONCE_LEN) != 0))
			nd6_dad_failed(ia);
		return;
	}
	if (ip6_is_unspecified(rx->rx_src.ia_w)) {
		if (first)
			nd6_na_send(ia, all, ND_NA_OVERRIDE);
		return;
	}
	if (no->no_slla != NULL)
		nd6_learn(ifp, rx->rx_src.ia_w, no->no_slla + 2);
	if (first)
		nd6_na_send(ia, rx->rx_src.ia_w, ND_NA_SOLICITED | ND_NA_OVERRIDE);
}

/* A solicitation for a group's address, or a probe with a station or not to the right group? */
static bool
nd6_ns_ok(const struct in_rxinfo *rx, const struct nd_message *nm, uint32_t target[4])
{
	uint32_t group[4];

	ip6_addr_get(target, nm->nm_bytes + ND_OFF_TARGET);
	if (ip6_is_multicast(target) || in6_zone(target) != 0)
		return false;
	if (!ip6_is_unspecified(rx->rx_src.ia_w))
		return true;
	ip6_solicited_node(group, target);
	in6_setzone(group, rx->rx_ifp->if_index);
	return ip6_addr_eq(group, rx->rx_dst.ia_w) && nm->nm_opts.no_slla == NULL;
}

void
nd6_ns_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	struct in6_ifaddr *ia;
	struct nd_message nm;
	uint32_t target[4];

	if (!nd6_message(m, rx, ND_NS_LEN, &nm) || !nd6_ns_ok(rx, &nm, target)) {
		ICMP6STAT_INC(ns, nd_badsolicit);
		m_drop(m, DROP_ND6_INVALID);
		return;
	}
	in6_setzone(target, rx->rx_ifp->if_index);
	ia = in6_ifaddr_find(ns, rx->rx_ifp, target);
	if (ia == NULL || (ia->ia_flags & IN6_IFF_DUPLICATED) != 0 ||
	    nd6_table(rx->rx_ifp) == NULL) {
		m_drop(m, DROP_ND6_NOTFORUS);
		return;
	}
	nd6_ns_answer(ia, rx, &nm.nm_opts, stray_isfirst(m));
	m_freem(m);
}

void
nd6_na_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	struct in6_ifaddr *ia;
	struct icmp6_hdr icmp6;
	struct nd_message nm;
	uint32_t target[4];

	if (!nd6_message(m, rx, ND_NA_LEN, &nm)) {
		ICMP6STAT_INC(ns, nd_badadvert);
		m_drop(m, DROP_ND6_INVALID);
		return;
	}
	(void)icmp6_parse(nm.nm_bytes, ICMP6_HDR_LEN, &icmp6);
	ip6_addr_get(target, nm.nm_bytes + ND_OFF_TARGET);
	if (ip6_is_multicast(target) || in6_zone(target) != 0 ||
	    ip6_is_unspecified(rx->rx_src.ia_w) ||
	    (rx->rx_bcast && (icmp6.icmp6_word & ND_NA_SOLICITED) != 0)) {
		ICMP6STAT_INC(ns, nd_badadvert);
		m_drop(m, DROP_ND6_INVALID);
		return;
	}
	in6_setzone(target, rx->rx_ifp->if_index);
	if ((ia = in6_ifaddr_find(ns, rx->rx_ifp, target)) == NULL)
		nd6_advertised(rx->rx_ifp, target,
		    nm.nm_opts.no_tlla != NULL ? nm.nm_opts.no_tlla + 2 : NULL, icmp6.icmp6_word);
	else if ((ia->ia_flags & IN6_IFF_TENTATIVE) != 0)
		nd6_dad_failed(ia);
	m_freem(m);
}
