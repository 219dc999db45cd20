/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet (RFC 894): frames in are checked, stripped of their header and handed to the protocol of
 * their type; packets out get the station of their next hop. No VLANs, no 802.3 encapsulation.
 */
#include "net/if_ether.h"

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/bpf.h"
#include "net/if.h"
#include "net/llatbl.h"
#include "net/net_state.h"
#include "wire/ether.h"

/* The drop reason of a frame that is not to be taken, or DROP_COUNT. Sets m_flags. */
static enum drop_reason
ether_judge(const struct ifnet *ifp, struct mbuf *m, const struct ether_hdr *eh)
{
	bool merged = m->m_pkthdr.nsegs > 1 || (m->m_pkthdr.csum_flags & M_CSUM_TSO) != 0;

	if (m->m_pkthdr.len > ifp->if_mtu + ETHER_HDR_LEN && !merged)
		return DROP_IF_OVERSIZE;
	if (ether_is_multicast(eh->ether_shost))
		return DROP_ETHER_SRC;
	if (ether_is_broadcast(eh->ether_dhost))
		m->m_flags |= M_BCAST;
	else if (ether_is_multicast(eh->ether_dhost))
		m->m_flags |= M_MCAST;
	else if (!ether_addr_equal(eh->ether_dhost, ifp->if_lladdr))
		return DROP_ETHER_NOTFORUS;
	if (eh->ether_type == ETHERTYPE_VLAN)
		return m->m_pkthdr.len < ETHER_HDR_LEN + ETHER_VLAN_LEN ? DROP_ETHER_SHORT
									: DROP_ETHER_VLAN;
	return DROP_COUNT;
}

static void
ether_input(struct ifnet *ifp, struct mbuf *m)
{
	const struct netproto *np;
	enum drop_reason why;
	struct ether_hdr eh;

	ifp->if_data.ifi_ipackets++;
	ifp->if_data.ifi_ibytes += m->m_pkthdr.len;
	trace_add(ifp->if_ns, TRACE_FRAME_IN, m->m_pkthdr.len, ifp->if_index);
	bpf_mtap(ifp, m, RUMPUS_BPF_IN);
	m->m_flags &= (uint16_t) ~(M_BCAST | M_MCAST | M_LOOP);
	m->m_pkthdr.rcvif = ifp;
	if ((ifp->if_flags & IFF_UP) == 0) {
		m_drop(m, DROP_IF_DOWN);
		return;
	}
	if (m->m_pkthdr.len < ETHER_HDR_LEN) {
		ifp->if_data.ifi_ierrors++;
		m_drop(m, DROP_ETHER_SHORT);
		return;
	}
	if (m->m_len < ETHER_HDR_LEN && (m = m_pullup(m, ETHER_HDR_LEN)) == NULL) {
		ifp->if_ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return;
	}
	(void)ether_parse(m->m_data, m->m_len, &eh);
	if ((why = ether_judge(ifp, m, &eh)) != DROP_COUNT) {
		ifp->if_data.ifi_ierrors += why != DROP_ETHER_NOTFORUS;
		m_drop(m, why);
		return;
	}
	if ((np = net_proto_byether(ifp->if_ns, eh.ether_type)) == NULL) {
		m_drop(m, DROP_ETHER_TYPE);
		return;
	}
	ifp->if_data.ifi_imcasts += (m->m_flags & (M_BCAST | M_MCAST)) != 0;
	m_adj(m, ETHER_HDR_LEN);
	np->np_input(ifp, m);
}

int
ether_send(struct ifnet *ifp, struct mbuf *m, const uint8_t dhost[6], uint16_t type)
{
	static const uint8_t zero[ETHER_MIN_LEN];
	struct ether_hdr eh = {.ether_type = type};

	if (m->m_pkthdr.len < ETHER_MIN_LEN - ETHER_HDR_LEN &&
	    m_append(m, ETHER_MIN_LEN - ETHER_HDR_LEN - m->m_pkthdr.len, zero) != 0) {
		m_drop(m, DROP_MBUF_NOBUFS);
		return ENOBUFS;
	}
	if ((m = m_prepend(m, ETHER_HDR_LEN)) == NULL) {
		ifp->if_ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return ENOBUFS;
	}
	memcpy(eh.ether_dhost, dhost, ETHER_ADDR_LEN);
	memcpy(eh.ether_shost, ifp->if_lladdr, ETHER_ADDR_LEN);
	ether_emit(m->m_data, &eh);
	return if_transmit(ifp, m);
}

static int
ether_output(struct ifnet *ifp, struct mbuf *m, const struct bsd_sockaddr *dst)
{
	const struct netproto *np = net_proto_byfamily(ifp->if_ns, dst->sa_family);
	uint8_t dhost[ETHER_ADDR_LEN];
	int error;

	if ((ifp->if_flags & IFF_UP) == 0) {
		m_drop(m, DROP_IF_DOWN);
		return ENETDOWN;
	}
	if (np == NULL || np->np_resolve == NULL) {
		m_drop(m, DROP_ETHER_TYPE);
		return EAFNOSUPPORT;
	}
	if ((error = np->np_resolve(ifp, m, dst, dhost)) != 0)
		return error == EWOULDBLOCK ? 0 : error;
	return ether_send(ifp, m, dhost, np->np_ethertype);
}

int
ether_ifattach(struct ifnet *ifp, const uint8_t lladdr[6])
{
	if ((ifp->if_lltable = lltable_create(ifp)) == NULL)
		return ENOMEM;
	if (lladdr != NULL)
		memcpy(ifp->if_lladdr, lladdr, ETHER_ADDR_LEN);
	else {
		rng_bytes(&ifp->if_ns->ns_rng, ifp->if_lladdr, ETHER_ADDR_LEN);
		/* unicast, locally administered */
		ifp->if_lladdr[0] = (uint8_t)((ifp->if_lladdr[0] & 0xfcu) | 0x02u);
	}
	ifp->if_type = IFT_ETHER;
	ifp->if_addrlen = ETHER_ADDR_LEN;
	ifp->if_hdrlen = ETHER_HDR_LEN;
	ifp->if_flags |= IFF_BROADCAST | IFF_MULTICAST;
	ifp->if_input = ether_input;
	ifp->if_output = ether_output;
	return 0;
}

void
ether_ifdetach(struct ifnet *ifp)
{
	lltable_destroy(ifp->if_lltable);
	ifp->if_lltable = NULL;
}
