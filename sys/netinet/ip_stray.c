/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose is a datagram, when several stacks are one host (net/stray.h)? */
#include "kern/mbuf.h"
#include "kern/names.h"
#include "net/stray.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"

/* An echo request is answered by whom it came to; all else of ICMP may concern each. */
bool
ip_stray_isecho(const struct mbuf *m, uint8_t proto, uint32_t hlen)
{
	uint8_t type;

	if ((proto != IPV4_PROTO_ICMP && proto != IP6_NXT_ICMP6) ||
	    m->m_pkthdr.len < hlen + ICMP4_HDR_LEN)
		return false;
	m_copydata(m, hlen, 1, &type);
	return type == (proto == IPV4_PROTO_ICMP ? ICMP4_ECHO : ICMP6_ECHO);
}

bool
ip_stray(struct mbuf *m, const struct in_rxinfo *rx, const struct in_transport *it)
{
	uint16_t type = rx->rx_af->af_family == AF_INET6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP;

	if (!stray_possible(rx->rx_ifp, m))
		return false;
	/* A group's and everybody's may have a receiver at each. */
	if (it != NULL && it->it_owns != NULL && !rx->rx_bcast) {
		if (it->it_owns(m, rx))
			return false;
		stray_pass(rx->rx_ifp, m, type, STRAY_NEXT);
		m_freem(m);
		return true;
	}
	if (stray_isfirst(m) && !ip_stray_isecho(m, rx->rx_proto, rx->rx_hlen))
		stray_pass(rx->rx_ifp, m, type, STRAY_ALL);
	return false;
}
