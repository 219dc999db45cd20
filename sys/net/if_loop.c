/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loopback interface. Packets wait in a queue and come back in from netstack_run, so that
 * sending to oneself never recurses. Nothing is ever corrupted on the way, so checksums that were
 * asked for are taken as done, and TSO packets stay whole.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/bpf.h"
#include "net/if.h"
#include "net/net_state.h"
#include "wire/ether.h"

#define LOOP_MTU 65535
#define LOOP_BURST 64

/* => false: the queue is full; m is the caller's. Else netstack_run has something to do. */
static bool
loop_enqueue(struct netstack *ns, struct mbuf *m)
{
	ns->ns_more = true;
	return mbufq_enqueue(&ns->ns_net->nst_loopq, m);
}

static int
loop_output(struct ifnet *ifp, struct mbuf *m, const struct bsd_sockaddr *dst)
{
	struct pkthdr *ph = &m->m_pkthdr;

	if (dst->sa_family != AF_INET && dst->sa_family != AF_INET6) {
		m_drop(m, DROP_IP_VERSION);
		return EAFNOSUPPORT;
	}
	if ((ifp->if_flags & IFF_UP) == 0) {
		m_drop(m, DROP_IF_DOWN);
		return ENETDOWN;
	}
	ifp->if_data.ifi_opackets++;
	ifp->if_data.ifi_obytes += ph->len;
	if (ifp->if_bpf != NULL)
		bpf_tap_ether(ifp, m, dst->sa_family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	if ((ph->csum_flags & M_CSUM_TSO) != 0 && ph->segsz != 0)
		ph->nsegs = (uint16_t)howmany(ph->len, ph->segsz);
	if ((ph->csum_flags & M_CSUM_NEEDED) != 0)
		ph->csum_flags = M_CSUM_OK;
	m->m_flags |= M_LOOP;
	ph->rcvif = ifp;
	if (!loop_enqueue(ifp->if_ns, m)) {
		ifp->if_data.ifi_oqdrops++;
		m_drop(m, DROP_IF_QUEUEFULL);
		return ENOBUFS;
	}
	return 0;
}

static int
loop_start(struct ifnet *ifp, struct mbuf *m)
{
	m->m_pkthdr.rcvif = ifp;
	if (loop_enqueue(ifp->if_ns, m))
		return 0;
	m_freem(m);
	return ENOBUFS;
}

void
loop_simloop(struct ifnet *ifp, struct mbuf *m)
{
	if ((m->m_pkthdr.csum_flags & M_CSUM_NEEDED) != 0)
		m->m_pkthdr.csum_flags = M_CSUM_OK;
	m->m_flags |= M_LOOP;
	m->m_pkthdr.rcvif = ifp;
	if (!loop_enqueue(ifp->if_ns, m))
		m_drop(m, DROP_IF_QUEUEFULL);
}

static void
loop_input(struct ifnet *ifp, struct mbuf *m)
{
	ifp->if_data.ifi_ipackets++;
	ifp->if_data.ifi_ibytes += m->m_pkthdr.len;
	net_input_ip(ifp, m);
}

bool
loop_netisr(struct netstack *ns)
{
	struct net_state *nst = ns->ns_net;
	struct ifnet *ifp;
	struct mbuf *m;
	unsigned n;

	for (n = 0; n < LOOP_BURST && (m = mbufq_dequeue(&nst->nst_loopq)) != NULL; n++) {
		ifp = m->m_pkthdr.rcvif;
		if (ifp == &nst->nst_loop)
			loop_input(ifp, m);
		else
			net_input_ip(ifp, m);
	}
	if (n == 0)
		if_flush_all(ns);
	return n > 0;
}

/* Takes out of the queue what was received on, or is to go back in by, an interface that goes. */
void
loop_purge(struct netstack *ns, const struct ifnet *ifp)
{
	struct mbufq *q = &ns->ns_net->nst_loopq;
	struct mbuf *m;
	uint32_t n;

	for (n = q->mq_len; n > 0; n--) {
		m = mbufq_dequeue(q);
		if (m->m_pkthdr.rcvif == ifp)
			m_drop(m, DROP_IF_DOWN);
		else
			(void)mbufq_enqueue(q, m);
	}
}

int
loop_attach(struct netstack *ns)
{
	struct ifnet *ifp = &ns->ns_net->nst_loop;

	memcpy(ifp->if_xname, "lo0", 4);
	ifp->if_type = IFT_LOOP;
	ifp->if_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
	ifp->if_mtu = LOOP_MTU;
	ifp->if_capenable = IFCAP_CSUM_TX | IFCAP_CSUM_RX | IFCAP_TSO4 | IFCAP_TSO6;
	ifp->if_input = loop_input;
	ifp->if_output = loop_output;
	ifp->if_start = loop_start;
	return if_attach(ns, ifp);
}

struct ifnet *
if_loop(struct netstack *ns)
{
	return &ns->ns_net->nst_loop;
}
