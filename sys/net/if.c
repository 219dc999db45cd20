/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces: attaching, finding, and the way of a frame to the driver.
 *
 * if_transmit does in software what if_capenable does not have the driver do, in this order:
 * segmentation, then checksums; then it checks the size, counts and calls if_start.
 */
#include "net/if.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/bpf.h"
#include "net/if_gso.h"
#include "net/m_cksum.h"
#include "net/net_state.h"
#include "wire/ether.h"

static bool
name_equal(const char *a, const char *b)
{
	size_t i;

	for (i = 0; i < IFNAMSIZ && a[i] == b[i]; i++)
		if (a[i] == '\0')
			return true;
	return false;
}

int
if_setname(struct ifnet *ifp, const char *name)
{
	for (size_t i = 0; i < IFNAMSIZ; i++) {
		ifp->if_xname[i] = name[i];
		if (name[i] == '\0')
			return i > 0 ? 0 : EINVAL;
	}
	return EINVAL;
}

int
if_attach(struct netstack *ns, struct ifnet *ifp)
{
	struct net_state *nst = ns->ns_net;

	if (if_byname(ns, ifp->if_xname) != NULL)
		return EEXIST;
	ifp->if_ns = ns;
	ifp->if_index = nst->nst_nextindex++;
	ifp->if_lltable = NULL;
	ifp->if_inet6 = NULL;
	ifp->if_needflush = false;
	ifp->if_bpf = NULL;
	memset(&ifp->if_data, 0, sizeof(ifp->if_data));
	TAILQ_INIT(&ifp->if_addrs);
	TAILQ_INSERT_TAIL(&nst->nst_ifs, ifp, if_list);
	return 0;
}

void
if_detach(struct ifnet *ifp)
{
	struct net_state *nst = ifp->if_ns->ns_net;
	uint32_t i;

	ifp->if_flags &= ~(uint32_t)IFF_UP;
	for (i = 0; i < nst->nst_nprotos; i++)
		if (nst->nst_protos[i]->np_ifdetach != NULL)
			nst->nst_protos[i]->np_ifdetach(ifp);
	KASSERT(TAILQ_EMPTY(&ifp->if_addrs));
	rt_ifdetach(&nst->nst_rtable4, ifp);
	rt_ifdetach(&nst->nst_rtable6, ifp);
	loop_purge(ifp->if_ns, ifp);
	bpf_ifdetach(ifp);
	if (ifp->if_lltable != NULL)
		ether_ifdetach(ifp);
	TAILQ_REMOVE(&nst->nst_ifs, ifp, if_list);
	if (ifp->if_detached != NULL)
		ifp->if_detached(ifp);
}

struct ifnet *
if_byname(struct netstack *ns, const char *name)
{
	struct ifnet *ifp;

	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list) {
		if (name_equal(ifp->if_xname, name))
			return ifp;
	}
	return NULL;
}

struct ifnet *
if_byindex(struct netstack *ns, uint32_t index)
{
	struct ifnet *ifp;

	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list) {
		if (ifp->if_index == index)
			return ifp;
	}
	return NULL;
}

int
if_setup(struct ifnet *ifp, bool up)
{
	const struct net_state *nst = ifp->if_ns->ns_net;
	uint32_t old = ifp->if_flags, i;
	int error;

	ifp->if_flags = up ? old | IFF_UP : old & ~(uint32_t)IFF_UP;
	if (ifp->if_flags == old)
		return 0;
	if (ifp->if_ioctl != NULL && (error = ifp->if_ioctl(ifp)) != 0) {
		ifp->if_flags = old;
		return error;
	}
	for (i = 0; i < nst->nst_nprotos; i++)
		if (nst->nst_protos[i]->np_ifupdown != NULL)
			nst->nst_protos[i]->np_ifupdown(ifp);
	return 0;
}

/* A drop whose mbuf the driver has already freed. */
static void
if_countdrop(struct ifnet *ifp, enum drop_reason why, uint32_t len)
{
	ifp->if_ns->ns_drops[why]++;
	trace_add(ifp->if_ns, TRACE_DROP, (uint32_t)why, len);
}

/* One frame as it goes on the wire. Consumes m. */
static int
if_start_one(struct ifnet *ifp, struct mbuf *m)
{
	uint32_t len = m->m_pkthdr.len;
	bool mcast = (m->m_flags & (M_BCAST | M_MCAST)) != 0;
	int error;

	if ((m->m_pkthdr.csum_flags & M_CSUM_TSO) == 0 && len > ifp->if_mtu + ifp->if_hdrlen) {
		ifp->if_data.ifi_oerrors++;
		m_drop(m, DROP_IF_OVERSIZE);
		return EMSGSIZE;
	}
	if ((m->m_pkthdr.csum_flags & M_CSUM_NEEDED) != 0 &&
	    (ifp->if_capenable & IFCAP_CSUM_TX) == 0 && m_cksum_complete(&m) != 0) {
		ifp->if_data.ifi_oqdrops++;
		if_countdrop(ifp, DROP_MBUF_NOBUFS, len);
		return ENOBUFS;
	}
	trace_add(ifp->if_ns, TRACE_FRAME_OUT, len, ifp->if_index);
	bpf_mtap(ifp, m, RUMPUS_BPF_OUT);
	ifp->if_needflush = true;
	if ((error = ifp->if_start(ifp, m)) != 0) {
		ifp->if_data.ifi_oqdrops++;
		if_countdrop(ifp, error == ENOBUFS ? DROP_IF_QUEUEFULL : DROP_IF_OERROR, len);
		return error;
	}
	ifp->if_data.ifi_opackets++;
	ifp->if_data.ifi_obytes += len;
	ifp->if_data.ifi_omcasts += mcast;
	return 0;
}

bool
if_frame_isip6(const struct ifnet *ifp, const struct mbuf *m)
{
	uint8_t version;

	m_copydata(m, ifp->if_hdrlen, 1, &version);
	return version >> 4 == 6;
}

static bool
if_needgso(const struct ifnet *ifp, const struct mbuf *m)
{
	uint32_t most = ifp->if_tsomax != 0 ? ifp->if_tsomax : 65535u, cap;

	if ((m->m_pkthdr.csum_flags & M_CSUM_TSO) == 0)
		return false;
	cap = if_frame_isip6(ifp, m) ? IFCAP_TSO6 : IFCAP_TSO4;
	return (ifp->if_capenable & cap) == 0 || m->m_pkthdr.len - ifp->if_hdrlen > most;
}

/* A last piece with a few bytes of payload is padded as ether_send does it. Consumes m. */
static int
if_start_piece(struct ifnet *ifp, struct mbuf *m)
{
	static const uint8_t zero[ETHER_MIN_LEN];
	uint32_t len = m->m_pkthdr.len;

	if (ifp->if_type == IFT_ETHER && len < ETHER_MIN_LEN &&
	    m_append(m, ETHER_MIN_LEN - len, zero) != 0) {
		ifp->if_data.ifi_oqdrops++;
		m_drop(m, DROP_MBUF_NOBUFS);
		return ENOBUFS;
	}
	return if_start_one(ifp, m);
}

int
if_transmit(struct ifnet *ifp, struct mbuf *m)
{
	struct mbuf *next;
	int error = 0, result = 0;

	if ((ifp->if_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING)) {
		m_drop(m, DROP_IF_DOWN);
		return ENETDOWN;
	}
	if (!if_needgso(ifp, m))
		return if_start_one(ifp, m);
	if ((m = if_gso(ifp, m)) == NULL) {
		ifp->if_data.ifi_oqdrops++;
		return ENOBUFS;
	}
	for (; m != NULL; m = next) {
		next = m->m_nextpkt;
		m->m_nextpkt = NULL;
		if ((error = if_start_piece(ifp, m)) != 0)
			result = error;
	}
	return result;
}

void
if_flush_all(struct netstack *ns)
{
	struct ifnet *ifp;

	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list) {
		if (!ifp->if_needflush)
			continue;
		ifp->if_needflush = false;
		if (ifp->if_flush != NULL)
			ifp->if_flush(ifp);
	}
}
