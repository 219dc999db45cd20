/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 as the transports see it (in_afops.h). */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/in_pcb.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/cksum.h"
#include "wire/icmp4.h"

static int
in4_parse(const struct bsd_sockaddr *sa, struct in_endpoint *ep)
{
	struct bsd_sockaddr_in sin;

	if (sa->sa_family != AF_INET)
		return EAFNOSUPPORT;
	if (sa->sa_len != sizeof(sin))
		return EINVAL;
	memcpy(&sin, sa, sizeof(sin));
	ep->ie_addr = in4_any(sin.sin_addr.s_addr);
	ep->ie_port = betoh16(sin.sin_port);
	return 0;
}

static void
in4_emit(const struct in_endpoint *ep, union bsd_sockaddr_any *sa)
{
	memset(&sa->sin, 0, sizeof(sa->sin));
	sa->sin.sin_len = sizeof(sa->sin);
	sa->sin.sin_family = AF_INET;
	sa->sin.sin_port = htobe16(ep->ie_port);
	sa->sin.sin_addr.s_addr = ep->ie_addr.ia_w[0];
}

static bool
in4_islocal(struct netstack *ns, const struct in_addrany *a)
{
	return in_addr_islocal(ns, a->ia_w[0]);
}

static bool
in4_ismulticast(const struct in_addrany *a)
{
	return ipv4_is_multicast(a->ia_w[0]);
}

static bool
in4_isbroadcast(struct netstack *ns, const struct in_addrany *a)
{
	return in_addr_isbroadcast(ns, a->ia_w[0]);
}

static struct in_addrany
in4_loopback(void)
{
	return in4_any(ipv4_addr_be(127, 0, 0, 1));
}

static int
in4_selectsrc(struct netstack *ns, const struct in_addrany *dst, struct ifnet *ifp,
    struct in_addrany *src)
{
	uint32_t src_be;
	struct ip_route ir;
	int error;

	if ((error = ip_route(ns, dst->ia_w[0], ifp, &ir)) != 0 ||
	    (error = ip_selectsrc(&ir, dst->ia_w[0], &src_be)) != 0)
		return error;
	*src = in4_any(src_be);
	return 0;
}

static struct ifnet *
in4_route(struct netstack *ns, const struct in_addrany *dst, struct ifnet *ifp, uint32_t *mtu,
    bool *direct)
{
	struct ip_route ir;

	if (ip_route(ns, dst->ia_w[0], ifp, &ir) != 0)
		return NULL;
	*mtu = ir.ir_mtu;
	*direct = ir.ir_direct;
	return ir.ir_ifp;
}

static void
in4_setmtu(struct netstack *ns, const struct in_addrany *dst, uint32_t mtu, uint32_t was)
{
	in_hostcache_setmtu(ns, in4_mapped(dst->ia_w[0]).ia_w, mtu, was);
}

static void
in4_getmetrics(struct netstack *ns, const struct in_addrany *dst, struct in_pathmetrics *pm)
{
	in_hostcache_getmetrics(ns, in4_mapped(dst->ia_w[0]).ia_w, pm);
}

static void
in4_putmetrics(struct netstack *ns, const struct in_addrany *dst, const struct in_pathmetrics *pm)
{
	if (!in_addr_islocal(ns, dst->ia_w[0]))
		in_hostcache_putmetrics(ns, in4_mapped(dst->ia_w[0]).ia_w, pm);
}

static uint32_t
in4_pseudo(const struct in_addrany *src, const struct in_addrany *dst, uint32_t len, uint8_t proto)
{
	return cksum_fold(cksum_pseudo4(src->ia_w[0], dst->ia_w[0], proto, (uint16_t)len));
}

static void
in4_unreach_port(struct mbuf *m, const struct in_rxinfo *rx)
{
	if (!rx->rx_bcast)
		icmp_error(rx->rx_ifp->if_ns, m, ICMP4_UNREACH, ICMP4_UNREACH_PORT, 0);
}

const struct in_afops in4_afops = {
    .af_family = AF_INET,
    .af_hdrlen = IPV4_HDR_LEN,
    .af_addrlen = 4,
    .af_parse = in4_parse,
    .af_emit = in4_emit,
    .af_islocal = in4_islocal,
    .af_ismulticast = in4_ismulticast,
    .af_isbroadcast = in4_isbroadcast,
    .af_loopback = in4_loopback,
    .af_selectsrc = in4_selectsrc,
    .af_route = in4_route,
    .af_setmtu = in4_setmtu,
    .af_getmetrics = in4_getmetrics,
    .af_putmetrics = in4_putmetrics,
    .af_pseudo = in4_pseudo,
    .af_output = ip_output,
    .af_unreach_port = in4_unreach_port,
    .af_savecontrol = ip_savecontrol,
    .af_txcontrol = ip_txcontrol,
    .af_iswanted = in_mcast_wanted,
    .af_leaveall = in_mcast_leaveall,
    .af_ctloutput = in4_ctloutput,
};
