/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours of IPv6 (RFC 4861 §7.2, §7.3).
 *
 * Theory of operation: as ARP's (netinet/arp.c), in tables of the same kind: the first packet for an
 * unknown neighbour makes an INCOMPLETE entry and is held with those that follow; solicitations to its
 * group go out, a few times, then the entry is FAILED for a while, and each packet that this costs is
 * reported to who sent it. A solicited answer makes it REACHABLE; after some time it is STALE but
 * still used; the first use begins DELAY, then PROBE: the station itself is asked. Who speaks without
 * being asked is believed as RFC 4861 §7.2.5 has it: a REACHABLE neighbour's station changes only with
 * the Override flag, and then is STALE.
 *
 *   INCOMPLETE -answer-> REACHABLE -time-> STALE -use-> DELAY -time-> PROBE -silence-> INCOMPLETE
 *       \-silence-> FAILED -time-> gone                  an answer leads back to REACHABLE
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/if_ether.h"
#include "net/llatbl.h"
#include "netinet6/ip6_var.h"
#include "wire/ether.h"

#define ND6_DELAY_NS (5 * NSEC_PER_SEC) /* DELAY_FIRST_PROBE_TIME */

struct lltable *
nd6_table(const struct ifnet *ifp)
{
	return ifp->if_inet6 != NULL ? ifp->if_inet6->ix_lltable : NULL;
}

struct llentry *
nd6_lookup(const struct ifnet *ifp, const uint32_t addr[4])
{
	struct lltable *llt = nd6_table(ifp);
	struct rt_addr key = in6_rtkey(addr);

	return llt != NULL ? lle_lookup(llt, &key) : NULL;
}

uint64_t
nd6_retrans_ns(const struct ifnet *ifp)
{
	uint32_t ms = ifp->if_inet6->ix_retrans_ms;

	return (ms != 0 ? ms : ifp->if_ns->ns_inet6->i6_nd_retrans_ms) * NSEC_PER_MSEC;
}

/* Asks for the neighbour: everybody, or the station that it was. */
static void
nd6_ask(struct llentry *lle)
{
	struct ifnet *ifp = lle->lle_tbl->llt_ifp;

	lle->lle_asked++;
	lle->lle_asked_ns = ifp->if_ns->ns_now;
	callout_reset(&lle->lle_timer, nd6_retrans_ns(ifp));
	nd6_ns_send(ifp, lle_hasaddr(lle), lle->lle_addr.ra_w);
}

/* No station takes m: whoever sent it is told. Consumes m. */
static void
nd6_undeliverable(struct ifnet *ifp, struct mbuf *m)
{
	icmp6_error_self(ifp, m, ICMP6_UNREACH, ICMP6_UNREACH_ADDR);
	m_drop(m, DROP_ND6_TIMEOUT);
}

static void
nd6_fail(struct llentry *lle)
{
	struct ifnet *ifp = lle->lle_tbl->llt_ifp;
	struct netstack *ns = ifp->if_ns;
	struct mbuf *m;

	ICMP6STAT_INC(ns, nd_timeouts);
	while ((m = lle_unhold(lle)) != NULL) {
		ICMP6STAT_INC(ns, nd_dfrdropped);
		nd6_undeliverable(ifp, m);
	}
	lle_set_state(lle, LLE_FAILED);
	callout_reset(&lle->lle_timer, ns->ns_inet6->i6_nd_down_s * NSEC_PER_SEC);
	nd6_router_choose(ns);
}

static void
nd6_enter_stale(struct llentry *lle)
{
	lle_set_state(lle, LLE_STALE);
	callout_reset(&lle->lle_timer,
	    lle->lle_tbl->llt_ifp->if_ns->ns_inet6->i6_nd_stale_s * NSEC_PER_SEC);
}

void
nd6_timer(struct llentry *lle)
{
	const struct in6_state *i6 = lle->lle_tbl->llt_ifp->if_ns->ns_inet6;

	switch (lle->lle_state) {
	case LLE_INCOMPLETE:
		if (lle->lle_asked < i6->i6_nd_mmaxtries)
			nd6_ask(lle);
		else
			nd6_fail(lle);
		break;
	case LLE_REACHABLE:
		nd6_enter_stale(lle);
		break;
	case LLE_DELAY:
		lle_set_state(lle, LLE_PROBE);
		nd6_ask(lle);
		break;
	case LLE_PROBE:
		if (lle->lle_asked >= i6->i6_nd_umaxtries)
			lle_set_state(lle, LLE_INCOMPLETE);
		nd6_ask(lle);
		break;
	case LLE_STALE:
	case LLE_FAILED:
		lle_free(lle, DROP_ND6_TIMEOUT);
		break;
	case LLE_STATIC:
	case LLE_STATE_COUNT:
		break;
	}
}

/* RFC 4861 §6.3.2: between half and one and a half of the base, at random. */
static void
nd6_enter_reachable(struct llentry *lle)
{
	const struct ifnet *ifp = lle->lle_tbl->llt_ifp;
	struct netstack *ns = ifp->if_ns;
	uint32_t base_ms = ifp->if_inet6->ix_reachable_ms;

	if (base_ms == 0)
		base_ms = ns->ns_inet6->i6_nd_reach_ms;
	lle_set_state(lle, LLE_REACHABLE);
	callout_reset(&lle->lle_timer,
	    (base_ms / 2 + rng_below(&ns->ns_rng, base_ms)) * NSEC_PER_MSEC);
}

static void
nd6_use_stale(struct llentry *lle)
{
	lle_set_state(lle, LLE_DELAY);
	callout_reset(&lle->lle_timer, ND6_DELAY_NS);
}

/* Sends what waited for the neighbour, whose station is known now. */
static void
nd6_flush(struct llentry *lle)
{
	struct ifnet *ifp = lle->lle_tbl->llt_ifp;
	uint8_t lladdr[ETHER_ADDR_LEN];
	struct mbuf *m;

	if (lle->lle_hold.mq_len > 0 && lle->lle_state == LLE_STALE)
		nd6_use_stale(lle);
	memcpy(lladdr, lle->lle_lladdr, sizeof(lladdr));
	while ((m = lle_unhold(lle)) != NULL)
		(void)ether_send(ifp, m, lladdr, ETHERTYPE_IPV6);
}

/* Queues m for an INCOMPLETE neighbour. Consumes m. */
static int
nd6_defer(struct ifnet *ifp, struct llentry *lle, struct mbuf *m)
{
	ICMP6STAT_INC(ifp->if_ns, nd_dfrtotal);
	if (!lle_hold(lle, m)) {
		ICMP6STAT_INC(ifp->if_ns, nd_dfrdropped);
		m_drop(m, DROP_ND6_HOLD);
		return ENOBUFS;
	}
	return EWOULDBLOCK;
}

static int
nd6_resolve_new(struct ifnet *ifp, struct mbuf *m, const struct rt_addr *key)
{
	struct lltable *llt = nd6_table(ifp);
	struct llentry *lle;
	int error;

	if (llt == NULL || (lle = lle_create(llt, key, nd6_retrans_ns(ifp), false)) == NULL) {
		m_drop(m, DROP_ND6_LIMIT);
		return ENOBUFS;
	}
	error = nd6_defer(ifp, lle, m);
	nd6_ask(lle);
	return error;
}

int
nd6_resolve(struct ifnet *ifp, struct mbuf *m, const struct bsd_sockaddr *dst, uint8_t lladdr[6])
{
	struct bsd_sockaddr_in6 sin6;
	struct llentry *lle;
	struct rt_addr key;

	memcpy(&sin6, dst, sizeof(sin6));
	ip6_addr_get(key.ra_w, sin6.sin6_addr.s6_bytes);
	if ((m->m_flags & M_MCAST) != 0) {
		ether_map_ip6_multicast(lladdr, key.ra_w[3]);
		return 0;
	}
	if ((lle = nd6_lookup(ifp, key.ra_w)) == NULL)
		return nd6_resolve_new(ifp, m, &key);
	if (lle->lle_state == LLE_INCOMPLETE)
		return nd6_defer(ifp, lle, m);
	if (lle->lle_state == LLE_FAILED) {
		nd6_undeliverable(ifp, m);
		return EWOULDBLOCK;
	}
	if (lle->lle_state == LLE_STALE)
		nd6_use_stale(lle);
	memcpy(lladdr, lle->lle_lladdr, ETHER_ADDR_LEN);
	return 0;
}

static bool
nd6_lladdr_ok(const uint8_t lladdr[6])
{
	return !ether_is_multicast(lladdr) && !ether_is_zero(lladdr);
}

void
nd6_learn(struct ifnet *ifp, const uint32_t addr[4], const uint8_t lladdr[6])
{
	struct lltable *llt = nd6_table(ifp);
	struct rt_addr key = in6_rtkey(addr);
	struct llentry *lle;

	if (llt == NULL || !nd6_lladdr_ok(lladdr) || ether_addr_equal(lladdr, ifp->if_lladdr))
		return;
	if ((lle = lle_lookup(llt, &key)) == NULL &&
	    (lle = lle_create(llt, &key, nd6_retrans_ns(ifp), true)) == NULL)
		return;
	if (lle->lle_state == LLE_STATIC ||
	    (lle_hasaddr(lle) && ether_addr_equal(lle->lle_lladdr, lladdr)))
		return;
	if (lle_hasaddr(lle))
		ICMP6STAT_INC(ifp->if_ns, nd_rcvover);
	lle->lle_updated_ns = ifp->if_ns->ns_now;
	memcpy(lle->lle_lladdr, lladdr, ETHER_ADDR_LEN);
	nd6_enter_stale(lle);
	nd6_flush(lle);
}

/* The first that is heard of an INCOMPLETE neighbour (RFC 4861 §7.2.5). */
static void
nd6_advertised_first(struct llentry *lle, const uint8_t *lladdr, uint32_t flags)
{
	if (lladdr == NULL || !nd6_lladdr_ok(lladdr))
		return;
	memcpy(lle->lle_lladdr, lladdr, ETHER_ADDR_LEN);
	lle->lle_updated_ns = lle->lle_tbl->llt_ifp->if_ns->ns_now;
	if ((flags & ND_NA_SOLICITED) != 0)
		nd6_enter_reachable(lle);
	else
		nd6_enter_stale(lle);
	nd6_flush(lle);
}

void
nd6_advertised(struct ifnet *ifp, const uint32_t addr[4], const uint8_t *lladdr, uint32_t flags)
{
	struct llentry *lle = nd6_lookup(ifp, addr);
	bool changed;

	if (lle == NULL || lle->lle_state == LLE_STATIC || lle->lle_state == LLE_FAILED)
		return;
	if (lle->lle_state == LLE_INCOMPLETE) {
		nd6_advertised_first(lle, lladdr, flags);
		return;
	}
	changed = lladdr != NULL && !ether_addr_equal(lle->lle_lladdr, lladdr);
	if (changed && ((flags & ND_NA_OVERRIDE) == 0 || !nd6_lladdr_ok(lladdr))) {
		if (lle->lle_state == LLE_REACHABLE && nd6_lladdr_ok(lladdr))
			nd6_enter_stale(lle);
		return;
	}
	if (changed) {
		ICMP6STAT_INC(ifp->if_ns, nd_rcvover);
		memcpy(lle->lle_lladdr, lladdr, ETHER_ADDR_LEN);
		lle->lle_updated_ns = ifp->if_ns->ns_now;
	}
	if ((flags & ND_NA_SOLICITED) != 0)
		nd6_enter_reachable(lle);
	else if (changed)
		nd6_enter_stale(lle);
	/* §7.3.3: who no longer says that it is a router is none. */
	if ((flags & ND_NA_ROUTER) == 0)
		nd6_router_gone(ifp, addr);
}
