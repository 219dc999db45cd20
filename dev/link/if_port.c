/* SPDX-License-Identifier: BSD-2-Clause */
/* An ethernet interface whose wire is the caller's. See if_port.h. */
#include "dev/link/if_port.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "wire/ether.h"

#define PORT_MTU_MIN 68u
#define PORT_MTU_MAX 65535u

struct port {
	struct ifnet po_if; /* first: if_softc leads here */
	port_output_fn *po_output;
	void *po_arg;
	uint32_t po_mtumax;
	uint8_t po_buf[]; /* a frame of the longest kind, made contiguous */
};

static size_t
port_size(uint32_t mtu)
{
	return sizeof(struct port) + ETHER_HDR_LEN + mtu;
}

static int
port_start(struct ifnet *ifp, struct mbuf *m)
{
	struct port *po = ifp->if_softc;
	uint32_t len = m->m_pkthdr.len;

	if (len > ETHER_HDR_LEN + po->po_mtumax) {
		m_drop(m, DROP_IF_OVERSIZE);
		return 0;
	}
	if (m->m_len == len) {
		po->po_output(po->po_arg, m->m_data, len);
	} else {
		m_copydata(m, 0, len, po->po_buf);
		po->po_output(po->po_arg, po->po_buf, len);
	}
	m_freem(m);
	return 0;
}

int
port_input(struct port *po, const uint8_t *frame, size_t len)
{
	struct ifnet *ifp = &po->po_if;
	struct mbuf *m = m_getm(ifp->if_ns, len);

	if (m != NULL && m_append(m, len, frame) != 0) {
		m_freem(m);
		m = NULL;
	}
	if (m == NULL) {
		ifp->if_data.ifi_iqdrops++;
		ifp->if_ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return ENOBUFS;
	}
	m->m_pkthdr.rcvif = ifp;
	ifp->if_input(ifp, m);
	return 0;
}

int
port_setmtu(struct port *po, uint32_t mtu)
{
	if (mtu < PORT_MTU_MIN || mtu > po->po_mtumax)
		return EINVAL;
	po->po_if.if_mtu = mtu;
	return 0;
}

static void
port_detached(struct ifnet *ifp)
{
	struct port *po = ifp->if_softc;

	kmem_free(po, port_size(po->po_mtumax));
}

/* => the length of the name; 0: none, or too long */
static size_t
port_name(char xname[IFNAMSIZ], const char *name)
{
	for (size_t i = 0; i < IFNAMSIZ; i++) {
		xname[i] = name[i];
		if (name[i] == '\0')
			return i;
	}
	return 0;
}

static int
port_ifattach(struct netstack *ns, struct ifnet *ifp, const uint8_t *lladdr)
{
	int error = if_attach(ns, ifp);

	if (error != 0)
		return error;
	error = ether_ifattach(ifp, lladdr);
	if (error != 0)
		if_detach(ifp);
	return error;
}

int
port_attach(struct netstack *ns, const struct port_config *pc, struct port **portp)
{
	struct port *po;
	int error;

	if (pc->pc_mtu < PORT_MTU_MIN || pc->pc_mtu > PORT_MTU_MAX)
		return EINVAL;
	po = kmem_alloc(&ns->ns_fault, port_size(pc->pc_mtu));
	if (po == NULL)
		return ENOMEM;
	po->po_output = pc->pc_output;
	po->po_arg = pc->pc_arg;
	po->po_mtumax = pc->pc_mtu;
	po->po_if.if_type = IFT_ETHER;
	po->po_if.if_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
	po->po_if.if_mtu = pc->pc_mtu;
	po->po_if.if_softc = po;
	po->po_if.if_start = port_start;
	error = port_name(po->po_if.if_xname, pc->pc_name) == 0
	    ? EINVAL
	    : port_ifattach(ns, &po->po_if, pc->pc_lladdr);
	if (error != 0) {
		kmem_free(po, port_size(pc->pc_mtu));
		return error;
	}
	po->po_if.if_detached = port_detached;
	*portp = po;
	return 0;
}
