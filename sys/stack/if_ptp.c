/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The point-to-point interface of embedders: IP packets in by a call, out by a callback, nothing
 * kept in between.
 */
#include <rumpus/stack.h>

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/bpf.h"
#include "net/if.h"
#include "net/net_state.h"

#define PTP_MTU_MIN 576

struct ptp {
	struct ifnet ptp_if;
	rumpus_ptp_output_fn *ptp_output;
	void *ptp_arg;
	size_t ptp_size; /* of this and ptp_buf */
	uint32_t ptp_maxmtu;
	uint8_t ptp_buf[]; /* ptp_maxmtu bytes: a packet made contiguous */
};

static int
ptp_start(struct ifnet *ifp, struct mbuf *m)
{
	struct ptp *ptp = ifp->if_softc;
	size_t len = m->m_pkthdr.len;

	if (m->m_len == len) {
		ptp->ptp_output(ptp->ptp_arg, m->m_data, len);
	} else {
		m_copydata(m, 0, len, ptp->ptp_buf);
		ptp->ptp_output(ptp->ptp_arg, ptp->ptp_buf, len);
	}
	m_freem(m);
	return 0;
}

static int
ptp_ifoutput(struct ifnet *ifp, struct mbuf *m, const struct bsd_sockaddr *dst)
{
	(void)dst;
	return if_transmit(ifp, m);
}

static void
ptp_ifinput(struct ifnet *ifp, struct mbuf *m)
{
	ifp->if_data.ifi_ipackets++;
	ifp->if_data.ifi_ibytes += m->m_pkthdr.len;
	m->m_pkthdr.rcvif = ifp;
	trace_add(ifp->if_ns, TRACE_FRAME_IN, m->m_pkthdr.len, ifp->if_index);
	bpf_mtap(ifp, m, RUMPUS_BPF_IN);
	if ((ifp->if_flags & IFF_UP) == 0)
		m_drop(m, DROP_IF_DOWN);
	else
		net_input_ip(ifp, m);
}

static void
ptp_detached(struct ifnet *ifp)
{
	struct ptp *ptp = ifp->if_softc;

	kmem_free(ptp, ptp->ptp_size);
}

int
rumpus_ptp_attach(struct netstack *ns, const char *ifname, uint32_t mtu,
    rumpus_ptp_output_fn *output, void *arg)
{
	size_t size = sizeof(struct ptp) + mtu;
	struct ptp *ptp;
	int error;

	if (mtu < PTP_MTU_MIN || mtu > 65535)
		return EINVAL;
	if ((ptp = kmem_alloc(&ns->ns_fault, size)) == NULL)
		return ENOMEM;
	ptp->ptp_output = output;
	ptp->ptp_arg = arg;
	ptp->ptp_size = size;
	ptp->ptp_maxmtu = mtu;
	ptp->ptp_if.if_type = IFT_PPP;
	ptp->ptp_if.if_flags = IFF_UP | IFF_RUNNING | IFF_POINTOPOINT | IFF_NOARP;
	ptp->ptp_if.if_mtu = mtu;
	ptp->ptp_if.if_softc = ptp;
	ptp->ptp_if.if_input = ptp_ifinput;
	ptp->ptp_if.if_output = ptp_ifoutput;
	ptp->ptp_if.if_start = ptp_start;
	ptp->ptp_if.if_detached = ptp_detached;
	error = if_setname(&ptp->ptp_if, ifname);
	if (error == 0)
		error = if_attach(ns, &ptp->ptp_if);
	if (error != 0)
		kmem_free(ptp, size);
	return error;
}

int
rumpus_ptp_mtu(struct netstack *ns, const char *ifname, uint32_t mtu)
{
	struct ifnet *ifp = if_byname(ns, ifname);
	const struct ptp *ptp;

	if (ifp == NULL || ifp->if_start != ptp_start)
		return ENXIO;
	ptp = ifp->if_softc;
	if (mtu < PTP_MTU_MIN || mtu > ptp->ptp_maxmtu)
		return EINVAL;
	ifp->if_mtu = mtu;
	return 0;
}

int
rumpus_ptp_input(struct netstack *ns, const char *ifname, const uint8_t *packet, size_t len)
{
	struct ifnet *ifp = if_byname(ns, ifname);
	struct mbuf *m;

	if (ifp == NULL || ifp->if_start != ptp_start)
		return ENXIO;
	if (len > ifp->if_mtu)
		return EMSGSIZE;
	if ((m = m_gethdr(ns, MT_DATA)) == NULL)
		return ENOBUFS;
	if (m_append(m, len, packet) != 0) {
		m_freem(m);
		return ENOBUFS;
	}
	ifp->if_input(ifp, m);
	return 0;
}
