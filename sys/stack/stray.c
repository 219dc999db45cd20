/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets between sister stacks, as their owner sees them: <rumpus/stack.h>. */
#include <rumpus/stack.h>

#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/net_state.h"
#include "net/stray.h"

static void
stack_stray(struct ifnet *ifp, const struct mbuf *m, uint16_t ethertype, int to)
{
	bool own = to == STRAY_OWN;
	const struct rumpus_stray rs = {.rs_ifindex = ifp->if_index,
	    .rs_len = m->m_pkthdr.len,
	    .rs_ethertype = ethertype,
	    .rs_flags = (uint16_t)((m->m_flags & (M_BCAST | M_MCAST)) | (own ? M_LOOP : 0)),
	    .rs_nsegs = m->m_pkthdr.nsegs,
	    .rs_all = to != STRAY_NEXT,
	    .rs_own = own,
	    .rs_csumok = own || (m->m_pkthdr.csum_flags & M_CSUM_OK) != 0,
	    .rs_hops = m->m_pkthdr.strayhops,
	    .rs_origin = m->m_pkthdr.strayorigin};

	ifp->if_ns->ns_strayfn(ifp->if_ns->ns_strayarg, &rs, m);
}

void
rumpus_stray_copy(const struct mbuf *m, void *bytes)
{
	m_copydata(m, 0, m->m_pkthdr.len, bytes);
}

void
rumpus_stray_hook(struct netstack *ns, rumpus_stray_fn *pass, void *arg)
{
	ns->ns_stray = pass != NULL ? stack_stray : NULL;
	ns->ns_strayfn = pass;
	ns->ns_strayarg = arg;
}

int
rumpus_stray_input(struct netstack *ns, const struct rumpus_stray *rs, const void *bytes, bool last)
{
	const struct netproto *np = net_proto_byether(ns, rs->rs_ethertype);
	struct ifnet *ifp = if_byindex(ns, rs->rs_ifindex);
	struct mbuf *m;

	if (np == NULL || ifp == NULL)
		return ENXIO;
	m = m_getm(ns, rs->rs_len);
	if (m == NULL || m_append(m, rs->rs_len, bytes) != 0) {
		m_freem(m);
		return ENOBUFS;
	}
	m->m_flags |= rs->rs_flags;
	m->m_pkthdr.rcvif = ifp;
	m->m_pkthdr.csum_flags = rs->rs_csumok ? M_CSUM_OK : 0;
	m->m_pkthdr.nsegs = rs->rs_nsegs;
	m->m_pkthdr.stray = last ? M_STRAY_LAST : M_STRAY_MORE;
	m->m_pkthdr.strayhops = rs->rs_hops;
	m->m_pkthdr.strayorigin = rs->rs_origin;
	np->np_input(ifp, m);
	return 0;
}
