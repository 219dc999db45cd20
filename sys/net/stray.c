/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets between sister stacks, as the protocols see them. See stray.h. */
#include "net/stray.h"

#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "net/if.h"

bool
stray_possible(const struct ifnet *ifp, const struct mbuf *m)
{
	return ifp->if_ns->ns_stray != NULL && m->m_pkthdr.stray != M_STRAY_LAST &&
	    (m->m_flags & M_LOOP) == 0;
}

bool
stray_isfirst(const struct mbuf *m)
{
	return m->m_pkthdr.stray == M_STRAY_NONE;
}

void
stray_pass(struct ifnet *ifp, const struct mbuf *m, uint16_t ethertype, enum stray_to to)
{
	if (ifp->if_ns->ns_stray != NULL)
		ifp->if_ns->ns_stray(ifp, m, ethertype, (int)to);
}
