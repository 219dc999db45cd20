/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memberships of sockets in groups of IPv6 (RFC 3493 §5.2), and which packets for groups they get. What
 * an interface hears, and tells its link of, is in mld6.c.
 *
 * An interface's index is never given to another, so a membership names its own by it: when the
 * interface is gone, so is what it heard.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_dgram.h"
#include "netinet6/in6_pcb.h"
#include "netinet6/ip6_var.h"

static struct in6_member *
member_find(const struct in_dgram *dg, uint32_t ifindex, const struct in_addrany *group)
{
	struct in6_member *i6m;

	LIST_FOREACH(i6m, &dg->dg_members6, i6m_list) {
		if (i6m->i6m_ifindex == ifindex && in_addrany_eq(&i6m->i6m_group, group))
			return i6m;
	}
	return NULL;
}

bool
in6_iswanted(const struct inpcb *inp, const struct in_rxinfo *rx)
{
	const struct in_dgram *dg = in_dgram_find(inp);

	return !ip6_is_multicast(rx->rx_dst.ia_w) || (inp->inp_flags & IN6P_MCASTALL) != 0 ||
	    (dg != NULL && member_find(dg, rx->rx_ifp->if_index, &rx->rx_dst) != NULL);
}

static void
member_free(struct inpcb *inp, struct in6_member *i6m)
{
	struct ifnet *ifp = if_byindex(inp->inp_ns, i6m->i6m_ifindex);

	if (ifp != NULL && ifp->if_inet6 != NULL)
		(void)in6_leavegroup(ifp, i6m->i6m_group.ia_w);
	LIST_REMOVE(i6m, i6m_list);
	pool_put(&inp->inp_ns->ns_inet6->i6_memberpool, i6m);
}

void
in6_leaveall(struct inpcb *inp)
{
	struct in_dgram *dg = inp->inp_ppcb;

	while (!LIST_EMPTY(&dg->dg_members6))
		member_free(inp, LIST_FIRST(&dg->dg_members6));
	in_mcast_leaveall(inp);
}

/* => ENOBUFS; EADDRINUSE: joined there */
static int
member_add(struct inpcb *inp, struct in_dgram *dg, struct ifnet *ifp,
    const struct in_addrany *group)
{
	struct pool *pool = &inp->inp_ns->ns_inet6->i6_memberpool;
	struct in6_member *i6m;
	uint32_t n = 0;
	int error;

	LIST_FOREACH(i6m, &dg->dg_members6, i6m_list)
		n++;
	if (member_find(dg, ifp->if_index, group) != NULL)
		return EADDRINUSE;
	if (n >= inp->inp_ns->ns_inet->is_mcast.mc_maxmembers ||
	    (i6m = pool_get_zeroed(pool)) == NULL)
		return ENOBUFS;
	if ((error = in6_joingroup(ifp, group->ia_w)) != 0) {
		pool_put(pool, i6m);
		return error;
	}
	i6m->i6m_ifindex = ifp->if_index;
	i6m->i6m_group = *group;
	LIST_INSERT_HEAD(&dg->dg_members6, i6m, i6m_list);
	return 0;
}

/*
 * The interface that is named, or else the one that packets for the group leave by. => NULL: there is
 * none that speaks IPv6
 */
static struct ifnet *
mreq_ifp(struct netstack *ns, uint32_t ifindex, const struct in_addrany *group)
{
	struct ifnet *ifp = NULL;
	struct ip6_route ro;

	if (ifindex != 0)
		ifp = if_byindex(ns, ifindex);
	else if (ip6_route(ns, group->ia_w, NULL, &ro) == 0)
		ifp = ro.ro_ifp;
	return ifp != NULL && ifp->if_inet6 != NULL ? ifp : NULL;
}

int
in6_setgroup(struct inpcb *inp, const struct sockopt *sopt)
{
	struct bsd_ipv6_mreq mreq;
	struct in_addrany group;
	struct in6_member *i6m;
	struct in_dgram *dg;
	struct ifnet *ifp;

	if (inp->inp_socket->so_proto->pr_type == SOCK_STREAM)
		return EPROTO;
	if (sopt->sopt_size < sizeof(mreq))
		return EINVAL;
	memcpy(&mreq, sopt->sopt_data, sizeof(mreq));
	memcpy(&group, &mreq.ipv6mr_multiaddr, sizeof(group));
	if (!ip6_is_multicast(group.ia_w) || in6_zone(group.ia_w) != 0)
		return EINVAL;
	if ((ifp = mreq_ifp(inp->inp_ns, mreq.ipv6mr_interface, &group)) == NULL)
		return ENODEV;
	in6_setzone(group.ia_w, ifp->if_index);
	if ((dg = in_dgram_get(inp)) == NULL)
		return ENOBUFS;
	if (sopt->sopt_name == IPV6_JOIN_GROUP)
		return member_add(inp, dg, ifp, &group);
	if ((i6m = member_find(dg, ifp->if_index, &group)) == NULL)
		return EADDRNOTAVAIL;
	member_free(inp, i6m);
	return 0;
}
