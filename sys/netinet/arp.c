/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARP (RFC 826, RFC 5227; states as in RFC 4861 §7.3.2).
 *
 * Theory of operation: the first packet for an unknown neighbour makes an INCOMPLETE entry and is
 * held with those that follow; a request goes out once a second, a few times, then the entry is
 * FAILED for a while. Each packet that this costs, then and before the entry is gone, is reported to
 * who sent it by an ICMP error from ourselves, as Linux does, so that it ends an attempt to connect
 * and stands in queues of errors. An answer makes the entry REACHABLE; after some time it is STALE
 * but still used; the first use begins DELAY, then PROBE: the station itself is asked, and if it does
 * not answer the entry starts over. Who asks us, or speaks without being asked, only refreshes what
 * is known already; a request to us also makes an entry (we shall answer it).
 *
 *   INCOMPLETE -reply-> REACHABLE -time-> STALE -use-> DELAY -time-> PROBE -silence-> INCOMPLETE
 *       \-silence-> FAILED -time-> gone                  a reply leads back to REACHABLE
 *
 * A packet that claims our own address is reported, and answered at most every 10 s (RFC 5227
 * §2.4 (c)); the address stays. There is no probing before an address is used.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/if_ether.h"
#include "net/llatbl.h"
#include "net/stray.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/print.h"

#define ARP_RETRY_NS NSEC_PER_SEC
#define ARP_DELAY_NS (5 * NSEC_PER_SEC) /* RFC 4861 DELAY_FIRST_PROBE_TIME */
#define ARP_NPROBES 3
#define ARP_LOCK_NS NSEC_PER_SEC          /* a change of station is not believed again so soon */
#define ARP_DEFEND_NS (10 * NSEC_PER_SEC) /* RFC 5227 DEFEND_INTERVAL */
#define ARP_ANNOUNCE_NUM 2                /* RFC 5227 */
#define ARP_ANNOUNCE_NS (2 * NSEC_PER_SEC)

static const uint8_t ether_broadcast[ETHER_ADDR_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t ether_zero[ETHER_ADDR_LEN];

static void
arp_send(struct ifnet *ifp, const struct arp_pkt *ap, const uint8_t dhost[6])
{
	struct mbuf *m = m_gethdr(ifp->if_ns, MT_DATA);

	if (m == NULL) {
		ifp->if_ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return;
	}
	m->m_data += M_LINKHDR;
	m->m_len = m->m_pkthdr.len = ARP_PKT_LEN;
	arp_emit(m->m_data, ap);
	if (ether_is_broadcast(dhost))
		m->m_flags |= M_BCAST;
	ARPSTAT_INC(ifp->if_ns, sndtotal);
	(void)ether_send(ifp, m, dhost, ETHERTYPE_ARP);
}

/* A request about target; from is ours, or 0. */
static void
arp_request(struct ifnet *ifp, uint32_t from_be, uint32_t target_be, const uint8_t dhost[6])
{
	struct arp_pkt ap = {.ar_op = ARPOP_REQUEST, .ar_spa_be = from_be, .ar_tpa_be = target_be};

	memcpy(ap.ar_sha, ifp->if_lladdr, ETHER_ADDR_LEN);
	memcpy(ap.ar_tha, ether_zero, ETHER_ADDR_LEN);
	arp_send(ifp, &ap, dhost);
}

static void
arp_gratuitous(struct in_ifaddr *ia)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;

	ARPSTAT_INC(ifp->if_ns, sndannounce);
	arp_request(ifp, ia->ia_addr_be, ia->ia_addr_be, ether_broadcast);
}

static void
arp_announce_timer(void *arg)
{
	struct in_ifaddr *ia = arg;

	arp_gratuitous(ia);
	if (--ia->ia_nannounce > 0)
		callout_reset(&ia->ia_announce, ARP_ANNOUNCE_NS);
}

void
arp_announce(struct in_ifaddr *ia)
{
	struct ifnet *ifp = ia->ia_ifa.ifa_ifp;

	callout_init(&ia->ia_announce, ifp->if_ns, arp_announce_timer, ia);
	if (ifp->if_lltable == NULL || (ifp->if_flags & IFF_NOARP) != 0)
		return;
	ia->ia_nannounce = ARP_ANNOUNCE_NUM;
	callout_reset(&ia->ia_announce, 0);
}

/* Asks for the neighbour: everybody, or the station that it was. */
static void
arp_ask(struct llentry *lle)
{
	struct ifnet *ifp = lle->lle_tbl->llt_ifp;
	uint32_t target_be = lle->lle_addr.ra_w[0];
	struct in_ifaddr *ia = in_ifaddr_best(ifp, target_be);

	lle->lle_asked++;
	lle->lle_asked_ns = ifp->if_ns->ns_now;
	callout_reset(&lle->lle_timer, ARP_RETRY_NS);
	if (ia == NULL)
		return;
	ARPSTAT_INC(ifp->if_ns, sndrequest);
	arp_request(ifp, ia->ia_addr_be, target_be,
	    lle_hasaddr(lle) ? lle->lle_lladdr : ether_broadcast);
}

/* No station takes m: whoever sent it is told. Consumes m. */
static void
arp_undeliverable(struct netstack *ns, struct mbuf *m)
{
	icmp_error_self(ns, m, ICMP4_UNREACH, ICMP4_UNREACH_HOST);
	m_drop(m, DROP_ARP_TIMEOUT);
}

static void
arp_fail(struct llentry *lle)
{
	struct netstack *ns = lle->lle_tbl->llt_ifp->if_ns;
	struct mbuf *m;

	ARPSTAT_INC(ns, timeouts);
	while ((m = lle_unhold(lle)) != NULL) {
		ARPSTAT_INC(ns, dfrdropped);
		arp_undeliverable(ns, m);
	}
	lle_set_state(lle, LLE_FAILED);
	callout_reset(&lle->lle_timer, ns->ns_inet->is_arp_down_s * NSEC_PER_SEC);
}

static void
arp_timer(struct llentry *lle)
{
	const struct inet_state *is = lle->lle_tbl->llt_ifp->if_ns->ns_inet;

	switch (lle->lle_state) {
	case LLE_INCOMPLETE:
		if (lle->lle_asked < is->is_arp_maxtries)
			arp_ask(lle);
		else
			arp_fail(lle);
		break;
	case LLE_REACHABLE:
		lle_set_state(lle, LLE_STALE);
		callout_reset(&lle->lle_timer, is->is_arp_stale_s * NSEC_PER_SEC);
		break;
	case LLE_DELAY:
		lle_set_state(lle, LLE_PROBE);
		arp_ask(lle);
		break;
	case LLE_PROBE:
		if (lle->lle_asked >= ARP_NPROBES)
			lle_set_state(lle, LLE_INCOMPLETE);
		arp_ask(lle);
		break;
	case LLE_STALE:
	case LLE_FAILED:
		lle_free(lle, DROP_ARP_TIMEOUT);
		break;
	case LLE_STATIC:
	case LLE_STATE_COUNT:
		break;
	}
}

/* Sends what waited for the neighbour. */
static void
arp_flush(struct llentry *lle)
{
	struct ifnet *ifp = lle->lle_tbl->llt_ifp;
	uint8_t lladdr[ETHER_ADDR_LEN];
	struct mbuf *m;

	memcpy(lladdr, lle->lle_lladdr, sizeof(lladdr));
	while ((m = lle_unhold(lle)) != NULL) {
		ARPSTAT_INC(ifp->if_ns, dfrsent);
		(void)ether_send(ifp, m, lladdr, ETHERTYPE_IP);
	}
}

static void
arp_enter_reachable(struct llentry *lle)
{
	struct netstack *ns = lle->lle_tbl->llt_ifp->if_ns;
	uint32_t base_ms = ns->ns_inet->is_arp_reach_s * 1000;

	/* RFC 4861 §6.3.2: between half and one and a half of the base, at random. */
	lle_set_state(lle, LLE_REACHABLE);
	callout_reset(&lle->lle_timer,
	    (base_ms / 2 + rng_below(&ns->ns_rng, base_ms)) * NSEC_PER_MSEC);
}

/* The neighbour is known but unproven: use begins to prove it. */
static void
arp_enter_stale(struct llentry *lle)
{
	struct netstack *ns = lle->lle_tbl->llt_ifp->if_ns;

	lle_set_state(lle, LLE_STALE);
	callout_reset(&lle->lle_timer, ns->ns_inet->is_arp_stale_s * NSEC_PER_SEC);
}

static void
arp_use_stale(struct llentry *lle)
{
	lle_set_state(lle, LLE_DELAY);
	callout_reset(&lle->lle_timer, ARP_DELAY_NS);
}

/* Queues m for an INCOMPLETE neighbour. Consumes m. */
static int
arp_defer(struct ifnet *ifp, struct llentry *lle, struct mbuf *m)
{
	ARPSTAT_INC(ifp->if_ns, dfrtotal);
	if (!lle_hold(lle, m)) {
		ARPSTAT_INC(ifp->if_ns, dfrdropped);
		m_drop(m, DROP_ARP_HOLD);
		return ENOBUFS;
	}
	return EWOULDBLOCK;
}

static int
arp_resolve_new(struct ifnet *ifp, struct mbuf *m, const struct rt_addr *key)
{
	struct llentry *lle = lle_create(ifp->if_lltable, key, ARP_RETRY_NS, false);
	int error;

	if (lle == NULL) {
		m_drop(m, DROP_ARP_LIMIT);
		return ENOBUFS;
	}
	ifp->if_lltable->llt_timer = arp_timer;
	error = arp_defer(ifp, lle, m);
	arp_ask(lle);
	return error;
}

int
arp_resolve(struct ifnet *ifp, struct mbuf *m, const struct bsd_sockaddr *dst, uint8_t lladdr[6])
{
	struct bsd_sockaddr_in sin;
	struct llentry *lle;
	struct rt_addr key;

	memcpy(&sin, dst, sizeof(sin));
	if ((m->m_flags & M_BCAST) != 0) {
		memcpy(lladdr, ether_broadcast, ETHER_ADDR_LEN);
		return 0;
	}
	if ((m->m_flags & M_MCAST) != 0) {
		ether_map_ipv4_multicast(lladdr, sin.sin_addr.s_addr);
		return 0;
	}
	key = in_rtkey(sin.sin_addr.s_addr);
	if ((lle = lle_lookup(ifp->if_lltable, &key)) == NULL)
		return arp_resolve_new(ifp, m, &key);
	if (lle->lle_state == LLE_INCOMPLETE)
		return arp_defer(ifp, lle, m);
	if (lle->lle_state == LLE_FAILED) {
		arp_undeliverable(ifp->if_ns, m);
		return EWOULDBLOCK;
	}
	if (lle->lle_state == LLE_STALE)
		arp_use_stale(lle);
	memcpy(lladdr, lle->lle_lladdr, ETHER_ADDR_LEN);
	return 0;
}

/* Somebody else says that he has our address (RFC 5227 §2.4). */
static void
arp_conflict(struct in_ifaddr *ia, const struct arp_pkt *ap)
{
	static const char tail[] = " claims our address ";
	struct netstack *ns = ia->ia_ifa.ifa_ifp->if_ns;
	char text[ETHER_ADDRSTRLEN + sizeof(tail) + IPV4_ADDRSTRLEN];
	size_t n;

	ARPSTAT_INC(ns, rcvlocalspa);
	ia->ia_nconflicts++;
	if (ia->ia_lastdefend_ns != 0 && ns->ns_now - ia->ia_lastdefend_ns < ARP_DEFEND_NS)
		return;
	ia->ia_lastdefend_ns = KERN_MAX(ns->ns_now, 1u);
	n = ether_ntop(text, ETHER_ADDRSTRLEN, ap->ar_sha);
	memcpy(text + n, tail, sizeof(tail));
	n += sizeof(tail) - 1;
	(void)ipv4_ntop(text + n, sizeof(text) - n, ia->ia_addr_be);
	host_log(HOST_LOG_WARN, text);
	arp_gratuitous(ia);
}

/* What a packet tells about a neighbour that is known. */
static void
arp_update(struct llentry *lle, const struct arp_pkt *ap, bool answer)
{
	struct netstack *ns = lle->lle_tbl->llt_ifp->if_ns;
	bool changed = !ether_addr_equal(lle->lle_lladdr, ap->ar_sha);
	bool known = lle_hasaddr(lle);

	if (lle->lle_state == LLE_STATIC) {
		if (changed)
			ARPSTAT_INC(ns, rcvoverperm);
		return;
	}
	if (known && changed) {
		if (ns->ns_now - lle->lle_updated_ns < ARP_LOCK_NS)
			return;
		ARPSTAT_INC(ns, rcvover);
	}
	/* An answer counts when it was asked for; all else leaves proof to be sought. */
	answer = answer && (lle->lle_state == LLE_INCOMPLETE || lle->lle_state == LLE_PROBE);
	lle->lle_updated_ns = ns->ns_now;
	memcpy(lle->lle_lladdr, ap->ar_sha, ETHER_ADDR_LEN);
	if (answer)
		arp_enter_reachable(lle);
	else if (!known || changed)
		arp_enter_stale(lle);
	if (lle->lle_hold.mq_len == 0)
		return;
	if (lle->lle_state == LLE_STALE)
		arp_use_stale(lle);
	arp_flush(lle);
}

static void
arp_reply(struct ifnet *ifp, const struct arp_pkt *ap)
{
	struct arp_pkt reply = {.ar_op = ARPOP_REPLY,
	    .ar_spa_be = ap->ar_tpa_be,
	    .ar_tpa_be = ap->ar_spa_be};

	memcpy(reply.ar_sha, ifp->if_lladdr, ETHER_ADDR_LEN);
	memcpy(reply.ar_tha, ap->ar_sha, ETHER_ADDR_LEN);
	ARPSTAT_INC(ifp->if_ns, sndreply);
	arp_send(ifp, &reply, ap->ar_sha);
}

/* The drop reason of a packet whose sender no neighbour can be, or DROP_COUNT. */
static enum drop_reason
arp_judge(struct ifnet *ifp, const struct arp_pkt *ap)
{
	struct in_ifaddr *ia;

	if (ether_addr_equal(ap->ar_sha, ifp->if_lladdr))
		return DROP_ARP_SENDER;
	if (ap->ar_spa_be == 0)
		return DROP_COUNT;
	if ((ia = in_ifaddr_find(ifp->if_ns, ifp, ap->ar_spa_be)) != NULL) {
		arp_conflict(ia, ap);
		return DROP_ARP_SENDER;
	}
	ia = in_ifaddr_best(ifp, ap->ar_spa_be);
	if (ia == NULL || ((ia->ia_addr_be ^ ap->ar_spa_be) & ia->ia_mask_be) != 0 ||
	    ap->ar_spa_be == ia->ia_bcast_be)
		return DROP_ARP_SENDER;
	return DROP_COUNT;
}

/*
 * A valid packet of a neighbour; first: no sister stack has seen it, and answered.
 * => the reason to drop it for, or DROP_COUNT
 */
static enum drop_reason
arp_process(struct ifnet *ifp, const struct arp_pkt *ap, bool first)
{
	bool forus = in_ifaddr_find(ifp->if_ns, ifp, ap->ar_tpa_be) != NULL;
	struct rt_addr key = in_rtkey(ap->ar_spa_be);
	struct llentry *lle = NULL;

	if (ap->ar_spa_be != 0)
		lle = lle_lookup(ifp->if_lltable, &key);
	if (lle == NULL && !forus)
		return DROP_ARP_NOTFORUS;
	if (lle == NULL && ap->ar_spa_be != 0 && ap->ar_op == ARPOP_REQUEST)
		lle = lle_create(ifp->if_lltable, &key, ARP_RETRY_NS, true);
	if (lle != NULL) {
		ifp->if_lltable->llt_timer = arp_timer;
		arp_update(lle, ap, forus && ap->ar_op == ARPOP_REPLY);
	}
	if (forus && ap->ar_op == ARPOP_REQUEST && first)
		arp_reply(ifp, ap);
	return DROP_COUNT;
}

static enum drop_reason
arp_parse_reason(enum arp_parse_result result)
{
	switch (result) {
	case ARP_PARSE_OK:
		return DROP_COUNT;
	case ARP_PARSE_SHORT:
		return DROP_ARP_SHORT;
	case ARP_PARSE_OP:
		return DROP_ARP_OP;
	case ARP_PARSE_SENDER:
		return DROP_ARP_SENDER;
	default:
		return DROP_ARP_FORMAT;
	}
}

void
arp_input(struct ifnet *ifp, struct mbuf *m)
{
	struct netstack *ns = ifp->if_ns;
	uint8_t buf[ARP_PKT_LEN];
	enum drop_reason why;
	struct arp_pkt ap;
	size_t len = KERN_MIN((size_t)m->m_pkthdr.len, sizeof(buf));

	ARPSTAT_INC(ns, rcvtotal);
	m_copydata(m, 0, len, buf);
	if ((why = arp_parse_reason(arp_parse(buf, len, &ap))) != DROP_COUNT) {
		ARPSTAT_INC(ns, rcvbad);
		m_drop(m, why);
		return;
	}
	if (ifp->if_lltable == NULL || (ifp->if_flags & IFF_NOARP) != 0) {
		m_drop(m, DROP_ARP_NOTFORUS);
		return;
	}
	if (ap.ar_op == ARPOP_REQUEST)
		ARPSTAT_INC(ns, rcvrequest);
	else
		ARPSTAT_INC(ns, rcvreply);
	if (stray_possible(ifp, m) && stray_isfirst(m))
		stray_pass(ifp, m, ETHERTYPE_ARP, STRAY_ALL);
	if ((why = arp_judge(ifp, &ap)) != DROP_COUNT ||
	    (why = arp_process(ifp, &ap, stray_isfirst(m))) != DROP_COUNT) {
		m_drop(m, why);
		return;
	}
	m_freem(m);
}
