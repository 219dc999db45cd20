/* SPDX-License-Identifier: BSD-2-Clause */
/* The interfaces and their addresses, as a list for whoever shows them. */
#include <rumpus/stack.h>

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/net_state.h"

static void
ifinfo_interface(const struct ifnet *ifp, struct rumpus_ifinfo *ri)
{
	*ri = (struct rumpus_ifinfo){
	    .ri_index = ifp->if_index,
	    .ri_flags = ifp->if_flags,
	    .ri_mtu = ifp->if_mtu,
	    .ri_lladdrlen = KERN_MIN(ifp->if_addrlen, (uint8_t)sizeof(ifp->if_lladdr)),
	};
	ri->ri_addr.sa.sa_family = AF_LINK;
	memcpy(ri->ri_name, ifp->if_xname, sizeof(ri->ri_name));
	memcpy(ri->ri_lladdr, ifp->if_lladdr, sizeof(ifp->if_lladdr));
}

int
rumpus_ifinfo(struct netstack *ns, uint32_t n, struct rumpus_ifinfo *ri)
{
	struct ifaddr *ifa;
	struct ifnet *ifp;

	TAILQ_FOREACH(ifp, &ns->ns_net->nst_ifs, if_list) {
		if (n-- == 0) {
			ifinfo_interface(ifp, ri);
			return 0;
		}
		TAILQ_FOREACH(ifa, &ifp->if_addrs, ifa_list) {
			if (n-- > 0)
				continue;
			ifinfo_interface(ifp, ri);
			ri->ri_addr = ifa->ifa_addr;
			ri->ri_dstaddr = ifa->ifa_dstaddr;
			ri->ri_prefixlen = ifa->ifa_prefixlen;
			return 0;
		}
	}
	return ENOENT;
}
