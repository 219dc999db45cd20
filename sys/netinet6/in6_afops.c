/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 as the transports see it (in_afops.h). The half that knows sockets is in6_pcb.c. */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/in_pcb.h"
#include "netinet6/in6_pcb.h"
#include "netinet6/ip6_var.h"
#include "wire/cksum.h"

static bool
in6_islocal(struct netstack *ns, const struct in_addrany *a)
{
	return in6_addr_islocal(ns, a->ia_w);
}

static bool
in6_ismulticast(const struct in_addrany *a)
{
	return ip6_is_multicast(a->ia_w);
}

/* There is none. */
static bool
in6_isbroadcast(struct netstack *ns, const struct in_addrany *a)
{
	(void)ns;
	(void)a;
	return false;
}

static struct in_addrany
in6_loopback(void)
{
	return (struct in_addrany){{0, 0, 0, htobe32(1)}};
}

static int
in6_selectsrc(struct netstack *ns, const struct in_addrany *dst, struct ifnet *ifp,
    struct in_addrany *src)
{
	struct ip6_route ro;
	int error;

	if ((error = ip6_route(ns, dst->ia_w, ifp, &ro)) != 0)
		return error;
	return ip6_selectsrc(ns, &ro, dst->ia_w, src->ia_w);
}

static struct ifnet *
in6_route(struct netstack *ns, const struct in_addrany *dst, struct ifnet *ifp, uint32_t *mtu,
    bool *direct)
{
	struct ip6_route ro;

	if (ip6_route(ns, dst->ia_w, ifp, &ro) != 0)
		return NULL;
	*mtu = ro.ro_mtu;
	*direct = ro.ro_direct;
	return ro.ro_ifp;
}

/* No path has less than IP6_MTU_MIN (RFC 8200 §5, RFC 8201 §4). */
static void
in6_setmtu(struct netstack *ns, const struct in_addrany *dst, uint32_t mtu, uint32_t was)
{
	if (mtu == 0)
		mtu = in_pmtu_next(0, was);
	in_hostcache_setmtu(ns, dst->ia_w, KERN_MAX(mtu, (uint32_t)IP6_MTU_MIN), was);
}

static void
in6_getmetrics(struct netstack *ns, const struct in_addrany *dst, struct in_pathmetrics *pm)
{
	in_hostcache_getmetrics(ns, dst->ia_w, pm);
}

static void
in6_putmetrics(struct netstack *ns, const struct in_addrany *dst, const struct in_pathmetrics *pm)
{
	if (!in6_addr_islocal(ns, dst->ia_w))
		in_hostcache_putmetrics(ns, dst->ia_w, pm);
}

/* Scopes are not on the wire, and not in the sum. */
static uint32_t
in6_pseudo(const struct in_addrany *src, const struct in_addrany *dst, uint32_t len, uint8_t proto)
{
	struct in_addrany s = *src, d = *dst;

	in6_clearzone(s.ia_w);
	in6_clearzone(d.ia_w);
	return cksum_fold(cksum_pseudo6(s.ia_w, d.ia_w, proto, len));
}

static void
in6_unreach_port(struct mbuf *m, const struct in_rxinfo *rx)
{
	if (!rx->rx_bcast)
		icmp6_error(rx->rx_ifp, m, ICMP6_UNREACH, ICMP6_UNREACH_PORT, 0);
}

const struct in_afops in6_afops = {
    .af_family = AF_INET6,
    .af_hdrlen = IP6_HDR_LEN,
    .af_addrlen = 16,
    .af_udpneedsum = true,
    .af_parse = in6_parse,
    .af_emit = in6_emit,
    .af_setscope = in6_setscope,
    .af_islocal = in6_islocal,
    .af_ismulticast = in6_ismulticast,
    .af_isbroadcast = in6_isbroadcast,
    .af_loopback = in6_loopback,
    .af_selectsrc = in6_selectsrc,
    .af_route = in6_route,
    .af_setmtu = in6_setmtu,
    .af_getmetrics = in6_getmetrics,
    .af_putmetrics = in6_putmetrics,
    .af_pseudo = in6_pseudo,
    .af_output = ip6_output,
    .af_unreach_port = in6_unreach_port,
    .af_savecontrol = in6_savecontrol,
    .af_txcontrol = in6_txcontrol,
    .af_iswanted = in6_iswanted,
    .af_leaveall = in6_leaveall,
    .af_ctloutput = in6_ctloutput,
};
