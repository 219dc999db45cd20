/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and control messages of sockets of AF_INET6 (RFC 3493, RFC 3542 §6): IPV6_PKTINFO,
 * IPV6_HOPLIMIT and IPV6_TCLASS of packets of IPv6; of packets of IPv4 what is asked for at the
 * level of IPv4 (ip_control.c), and IPV6_PKTINFO with a mapped address, as on Linux.
 */
#include "netinet6/in6_pcb.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_dgram.h"
#include "netinet/in_pcb_af.h"
#include "netinet6/ip6_var.h"

#define IN6_CONTROLOPTS (IN6P_PKTINFO | IN6P_HOPLIMIT | IN6P_TCLASS)

/* The scope goes into the address. => EINVAL: no interface's, or something stands there */
static int
addr_embed(struct in_addrany *a, uint32_t scope)
{
	if (!ip6_is_scoped(a->ia_w))
		return 0;
	if (scope > UINT16_MAX || (betoh32(a->ia_w[0]) & 0xffff) != 0)
		return EINVAL;
	a->ia_w[0] |= htobe32(scope);
	return 0;
}

/* => the scope that stood there */
static uint32_t
addr_recover(struct in_addrany *a)
{
	uint32_t scope = in6_zone(a->ia_w);

	in6_clearzone(a->ia_w);
	return scope;
}

int
in6_parse(const struct bsd_sockaddr *sa, struct in_endpoint *ep)
{
	struct bsd_sockaddr_in6 sin6;

	/* A sockaddr_in would be too short, which Linux sees first. */
	if (sa->sa_family == AF_INET)
		return EINVAL;
	if (sa->sa_family != AF_INET6)
		return EAFNOSUPPORT;
	if (sa->sa_len != sizeof(sin6))
		return EINVAL;
	memcpy(&sin6, sa, sizeof(sin6));
	memcpy(&ep->ie_addr, &sin6.sin6_addr, sizeof(ep->ie_addr));
	ep->ie_port = betoh16(sin6.sin6_port);
	return addr_embed(&ep->ie_addr, sin6.sin6_scope_id);
}

int
in6_setscope(struct in_addrany *a, uint32_t ifindex)
{
	if (!ip6_is_scoped(a->ia_w) || in6_zone(a->ia_w) != 0)
		return 0;
	if (ifindex == 0)
		return ip6_is_multicast(a->ia_w) ? 0 : EINVAL;
	in6_setzone(a->ia_w, ifindex);
	return 0;
}

void
in6_emit(const struct in_endpoint *ep, union bsd_sockaddr_any *sa)
{
	struct in_addrany a = ep->ie_addr;

	memset(&sa->sin6, 0, sizeof(sa->sin6));
	sa->sin6.sin6_len = sizeof(sa->sin6);
	sa->sin6.sin6_family = AF_INET6;
	sa->sin6.sin6_port = htobe16(ep->ie_port);
	sa->sin6.sin6_scope_id = addr_recover(&a);
	memcpy(&sa->sin6.sin6_addr, &a, sizeof(sa->sin6.sin6_addr));
}

/* --- control messages: received ------------------------------------------------------------- */

/* Of a packet of IPv4 the address is shown mapped. */
static void
put_pktinfo(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct bsd_in6_pktinfo pi = {.ipi6_ifindex = rx->rx_ifp->if_index};
	struct in_addrany a = rx->rx_dst;

	if (rx->rx_af->af_family == AF_INET)
		a = (struct in_addrany){{0, 0, htobe32(0xffff), a.ia_w[0]}};
	else
		(void)addr_recover(&a);
	memcpy(&pi.ipi6_addr, &a, sizeof(pi.ipi6_addr));
	in_cmsg_put(m, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof(pi));
}

static int
savecontrol_mapped(const struct inpcb *inp, const struct in_rxinfo *rx, struct mbuf **controlp)
{
	int error = rx->rx_af->af_savecontrol(inp, rx, controlp);

	if (error != 0 || (inp->inp_flags & IN6P_PKTINFO) == 0)
		return error;
	if (*controlp == NULL && (error = in_cmsg_begin(inp, true, controlp)) != 0)
		return error;
	put_pktinfo(*controlp, rx);
	return 0;
}

int
in6_savecontrol(const struct inpcb *inp, const struct in_rxinfo *rx, struct mbuf **controlp)
{
	int value, error;

	if (rx->rx_af->af_family == AF_INET)
		return savecontrol_mapped(inp, rx, controlp);
	error = in_cmsg_begin(inp, (inp->inp_flags & IN6_CONTROLOPTS) != 0, controlp);
	if (*controlp == NULL)
		return error;
	if ((inp->inp_flags & IN6P_PKTINFO) != 0)
		put_pktinfo(*controlp, rx);
	value = rx->rx_ttl;
	if ((inp->inp_flags & IN6P_HOPLIMIT) != 0)
		in_cmsg_put(*controlp, IPPROTO_IPV6, IPV6_HOPLIMIT, &value, sizeof(value));
	value = rx->rx_tos;
	if ((inp->inp_flags & IN6P_TCLASS) != 0)
		in_cmsg_put(*controlp, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof(value));
	return 0;
}

/* --- control messages: to be sent ----------------------------------------------------------- */

/*
 * The source and the interface of one packet. => ENODEV: no such interface; EINVAL: an address that is not
 * ours, or of the other family
 */
static int
take_pktinfo(const struct inpcb *inp, const struct bsd_in6_pktinfo *pi, struct in_txinfo *tx)
{
	struct in_addrany src;
	bool mapped;

	memcpy(&src, &pi->ipi6_addr, sizeof(src));
	if (pi->ipi6_ifindex != 0 &&
	    (tx->tx_ifp = if_byindex(inp->inp_ns, pi->ipi6_ifindex)) == NULL)
		return ENODEV;
	if (in_addrany_isany(&src))
		return 0;
	mapped = (src.ia_w[0] | src.ia_w[1]) == 0 && src.ia_w[2] == htobe32(0xffff);
	if (mapped != (tx->tx_af->af_family == AF_INET))
		return EINVAL;
	if (mapped)
		src = in4_any(src.ia_w[3]);
	else if (addr_embed(&src, pi->ipi6_ifindex) != 0)
		return EINVAL;
	if (!tx->tx_af->af_islocal(inp->inp_ns, &src) && (inp->inp_flags & INP_BINDANY) == 0)
		return EINVAL;
	tx->tx_src = src;
	return 0;
}

/* An int; -1 is the default (RFC 3542 §6.3, §6.5). */
static int
take_int(const uint8_t *data, size_t len, uint8_t ordinary, uint8_t *out)
{
	int value;

	if (len != sizeof(value))
		return EINVAL;
	memcpy(&value, data, sizeof(value));
	if (value < -1 || value > 255)
		return EINVAL;
	*out = value == -1 ? ordinary : (uint8_t)value;
	return 0;
}

static int
in6_cmsg_take(const struct inpcb *inp, const struct bsd_cmsghdr *cm, const uint8_t *data,
    struct in_txinfo *tx)
{
	const bool v4 = tx->tx_af->af_family == AF_INET;
	size_t len = cm->cmsg_len - BSD_CMSG_LEN(0);
	struct bsd_in6_pktinfo pi;
	int error;

	/* What is about packets of the other family is passed over, as on Linux. */
	if (cm->cmsg_level == IPPROTO_IP)
		return v4 ? ip_cmsg_take(inp, cm, data, tx) : 0;
	if (cm->cmsg_level != IPPROTO_IPV6)
		return EINVAL;
	switch (cm->cmsg_type) {
	case IPV6_PKTINFO:
		if (len != sizeof(pi))
			return EINVAL;
		memcpy(&pi, data, sizeof(pi));
		tx->tx_srcsaid = true;
		return take_pktinfo(inp, &pi, tx);
	case IPV6_HOPLIMIT:
		if (v4)
			return 0;
		error = take_int(data, len, 0, &tx->tx_ttl);
		tx->tx_ttlsaid = tx->tx_ttl != 0;
		return error;
	case IPV6_TCLASS:
		return v4 ? 0 : take_int(data, len, 0, &tx->tx_tos);
	default:
		return EINVAL;
	}
}

int
in6_txcontrol(const struct inpcb *inp, const struct mbuf *control, struct in_txinfo *tx)
{
	const struct in_dgram *dg = in_dgram_find(inp);
	int error = in_cmsg_walk(inp, control, tx, in6_cmsg_take);

	if (error != 0 || dg == NULL || tx->tx_srcsaid || tx->tx_af->af_family == AF_INET)
		return error;
	return take_pktinfo(inp, &dg->dg_pktinfo6, tx);
}

int
in6_setpktinfo(struct inpcb *inp, const struct sockopt *sopt)
{
	struct in_txinfo tx = {.tx_af = in_pcb_domain_af(inp)};
	struct bsd_in6_pktinfo pi;
	struct in_dgram *dg;
	int error;

	if (sopt->sopt_size < sizeof(pi))
		return EINVAL;
	memcpy(&pi, sopt->sopt_data, sizeof(pi));
	if (inp->inp_boundif != 0 && pi.ipi6_ifindex != inp->inp_boundif)
		return EINVAL;
	if ((error = take_pktinfo(inp, &pi, &tx)) != 0)
		return error == ENODEV ? ENXIO : EADDRNOTAVAIL;
	if ((dg = in_dgram_get(inp)) == NULL)
		return ENOBUFS;
	dg->dg_pktinfo6 = pi;
	return 0;
}
