/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of IPv4 groups (RFC 1112 §7): which groups an interface hears, which of them a socket has joined, and the
 * options that say so. They are not told to routers: there is no IGMP here.
 *
 * Theory of operation: an in_multi is a group on an interface, counted by the memberships of
 * sockets that hold it; ip_input lets in what has one. A socket keeps a list of its ip_members, few of them
 * (net.inet.ip.mcast.maxmemberships). When an interface goes, its in_multis leave the hash and lose
 * if_detach's interface, and stay until the sockets that hold them let go.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_dgram.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/ipv4.h"

#define IN_MAXMULTIS 4096u
#define IN_MAXMEMBERS 16384u

struct in_multi {
	LIST_ENTRY(in_multi) inm_hash;
	struct ifnet *inm_ifp; /* NULL: it is gone */
	uint32_t inm_addr_be;
	uint32_t inm_refcount; /* memberships of sockets */
};

struct ip_member {
	LIST_ENTRY(ip_member) im_list;
	struct in_multi *im_inm;
	uint32_t im_ifindex;
	uint32_t im_address_be; /* what named the interface; 0: the index, or nothing */
};

int
in_mcast_init(struct netstack *ns)
{
	struct in_mcast *mc = &ns->ns_inet->is_mcast;
	int error;

	mc->mc_maxmembers = 20;
	if ((error = pool_init(&mc->mc_multipool, "in_multi", sizeof(struct in_multi), IN_MAXMULTIS,
		 0, &ns->ns_fault)) != 0)
		return error;
	if ((error = pool_init(&mc->mc_memberpool, "ip_member", sizeof(struct ip_member),
		 IN_MAXMEMBERS, 0, &ns->ns_fault)) != 0)
		pool_destroy(&mc->mc_multipool);
	return error;
}

void
in_mcast_fini(struct netstack *ns)
{
	struct in_mcast *mc = &ns->ns_inet->is_mcast;

	pool_destroy(&mc->mc_memberpool);
	pool_destroy(&mc->mc_multipool);
}

/* --- groups of interfaces ------------------------------------------------------------------- */

static struct in_multi_list *
multi_bucket(struct netstack *ns, uint32_t ifindex, uint32_t group_be)
{
	uint32_t key[2] = {ifindex, group_be};

	return &ns->ns_inet->is_mcast
		    .mc_hash[siphash24(ns->ns_inet->is_key, key, sizeof(key)) % IN_MCASTHASH];
}

static struct in_multi *
multi_find(const struct ifnet *ifp, uint32_t group_be)
{
	struct in_multi *inm;

	LIST_FOREACH(inm, multi_bucket(ifp->if_ns, ifp->if_index, group_be), inm_hash) {
		if (inm->inm_ifp == ifp && inm->inm_addr_be == group_be)
			return inm;
	}
	return NULL;
}

bool
in_mcast_isjoined(const struct ifnet *ifp, uint32_t group_be)
{
	if (group_be == IPV4_ALLHOSTS_BE)
		return (ifp->if_flags & IFF_MULTICAST) != 0;
	return multi_find(ifp, group_be) != NULL;
}

/* => NULL: no memory; else one more holds it */
static struct in_multi *
multi_hold(struct ifnet *ifp, uint32_t group_be)
{
	struct in_multi *inm = multi_find(ifp, group_be);

	if (inm == NULL) {
		inm = pool_get_zeroed(&ifp->if_ns->ns_inet->is_mcast.mc_multipool);
		if (inm == NULL)
			return NULL;
		inm->inm_ifp = ifp;
		inm->inm_addr_be = group_be;
		LIST_INSERT_HEAD(multi_bucket(ifp->if_ns, ifp->if_index, group_be), inm, inm_hash);
	}
	inm->inm_refcount++;
	return inm;
}

static void
multi_release(struct netstack *ns, struct in_multi *inm)
{
	if (--inm->inm_refcount > 0)
		return;
	if (inm->inm_ifp != NULL)
		LIST_REMOVE(inm, inm_hash);
	pool_put(&ns->ns_inet->is_mcast.mc_multipool, inm);
}

void
in_mcast_ifdetach(const struct ifnet *ifp)
{
	struct in_mcast *mc = &ifp->if_ns->ns_inet->is_mcast;
	struct in_multi *inm, *next;

	for (size_t i = 0; i < IN_MCASTHASH; i++) {
		for (inm = LIST_FIRST(&mc->mc_hash[i]); inm != NULL; inm = next) {
			next = LIST_NEXT(inm, inm_hash);
			if (inm->inm_ifp != ifp)
				continue;
			LIST_REMOVE(inm, inm_hash);
			inm->inm_ifp = NULL;
		}
	}
}

/* --- memberships of sockets ----------------------------------------------------------------- */

bool
in_mcast_wanted(const struct inpcb *inp, const struct in_rxinfo *rx)
{
	uint32_t group_be = rx->rx_dst.ia_w[0];
	const struct ip_member *im;
	const struct in_dgram *dg;

	if (!ipv4_is_multicast(group_be))
		return true;
	if ((dg = in_dgram_find(inp)) != NULL) {
		LIST_FOREACH(im, &dg->dg_members, im_list) {
			if (im->im_inm->inm_addr_be == group_be &&
			    im->im_inm->inm_ifp == rx->rx_ifp)
				return true;
		}
	}
	return (inp->inp_flags & INP_MCASTALL) != 0 && in_mcast_isjoined(rx->rx_ifp, group_be);
}

static void
member_free(struct inpcb *inp, struct ip_member *im)
{
	LIST_REMOVE(im, im_list);
	multi_release(inp->inp_ns, im->im_inm);
	pool_put(&inp->inp_ns->ns_inet->is_mcast.mc_memberpool, im);
}

void
in_mcast_leaveall(struct inpcb *inp)
{
	struct in_dgram *dg = in_dgram_find(inp);

	while (dg != NULL && !LIST_EMPTY(&dg->dg_members))
		member_free(inp, LIST_FIRST(&dg->dg_members));
}

/* The interface that is named, or else the one that packets for the group leave by; or NULL. */
static struct ifnet *
mreq_ifp(struct netstack *ns, const struct bsd_ip_mreqn *mreq)
{
	struct in_ifaddr *ia;
	struct ip_route ir;

	if (mreq->imr_ifindex != 0)
		return if_byindex(ns, (uint32_t)mreq->imr_ifindex);
	if (mreq->imr_address_be != 0) {
		ia = in_ifaddr_find(ns, NULL, mreq->imr_address_be);
		return ia != NULL ? ia->ia_ifa.ifa_ifp : NULL;
	}
	return ip_route(ns, mreq->imr_multiaddr_be, NULL, &ir) == 0 ? ir.ir_ifp : NULL;
}

/* => EINVAL: not a group; ENODEV: no such interface; EADDRINUSE: joined there; ENOBUFS */
static int
mcast_join(struct inpcb *inp, const struct bsd_ip_mreqn *mreq)
{
	struct in_mcast *mc = &inp->inp_ns->ns_inet->is_mcast;
	struct ip_member *im;
	struct in_dgram *dg;
	struct ifnet *ifp;
	uint32_t n = 0;

	if (!ipv4_is_multicast(mreq->imr_multiaddr_be))
		return EINVAL;
	if ((ifp = mreq_ifp(inp->inp_ns, mreq)) == NULL)
		return ENODEV;
	if ((dg = in_dgram_get(inp)) == NULL)
		return ENOBUFS;
	LIST_FOREACH(im, &dg->dg_members, im_list) {
		if (im->im_inm->inm_addr_be == mreq->imr_multiaddr_be && im->im_inm->inm_ifp == ifp)
			return EADDRINUSE;
		n++;
	}
	if (n >= mc->mc_maxmembers || (im = pool_get_zeroed(&mc->mc_memberpool)) == NULL)
		return ENOBUFS;
	if ((im->im_inm = multi_hold(ifp, mreq->imr_multiaddr_be)) == NULL) {
		pool_put(&mc->mc_memberpool, im);
		return ENOBUFS;
	}
	im->im_ifindex = ifp->if_index;
	im->im_address_be = mreq->imr_address_be;
	LIST_INSERT_HEAD(&dg->dg_members, im, im_list);
	return 0;
}

/* Is that the membership meant? By the index, by the address it was joined with, or any. */
static bool
member_matches(const struct ip_member *im, const struct bsd_ip_mreqn *mreq)
{
	if (im->im_inm->inm_addr_be != mreq->imr_multiaddr_be)
		return false;
	if (mreq->imr_ifindex != 0)
		return im->im_ifindex == (uint32_t)mreq->imr_ifindex;
	return mreq->imr_address_be == 0 || mreq->imr_address_be == im->im_address_be;
}

static int
mcast_leave(struct inpcb *inp, const struct bsd_ip_mreqn *mreq)
{
	const struct in_dgram *dg = in_dgram_find(inp);
	struct ip_member *im;

	if (dg == NULL)
		return EADDRNOTAVAIL;
	LIST_FOREACH(im, &dg->dg_members, im_list) {
		if (member_matches(im, mreq)) {
			member_free(inp, im);
			return 0;
		}
	}
	return EADDRNOTAVAIL;
}

/* The interface of groups' packets; named by nothing, it is the route's again. */
static int
mcast_setif(struct inpcb *inp, const struct bsd_ip_mreqn *mreq)
{
	struct ifnet *ifp = NULL;
	struct in_dgram *dg;

	if ((mreq->imr_ifindex != 0 || mreq->imr_address_be != 0) &&
	    (ifp = mreq_ifp(inp->inp_ns, mreq)) == NULL)
		return EADDRNOTAVAIL;
	if ((dg = in_dgram_get(inp)) == NULL)
		return ENOBUFS;
	dg->dg_mcastif = ifp != NULL ? ifp->if_index : 0;
	return 0;
}

bool
in_mcast_isopt(int name)
{
	return name == IP_MULTICAST_IF || name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP;
}

int
in_mcast_setopt(struct inpcb *inp, const struct sockopt *sopt)
{
	struct bsd_ip_mreqn mreq = {0};
	bool isif = sopt->sopt_name == IP_MULTICAST_IF;

	if (inp->inp_socket->so_proto->pr_type == SOCK_STREAM)
		return isif ? EINVAL : EPROTO;
	if (isif && sopt->sopt_size >= 4 && sopt->sopt_size < BSD_IP_MREQ_LEN) {
		memcpy(&mreq.imr_address_be, sopt->sopt_data, 4);
		return mcast_setif(inp, &mreq);
	}
	if (sopt->sopt_size < BSD_IP_MREQ_LEN)
		return EINVAL;
	memcpy(&mreq, sopt->sopt_data,
	    sopt->sopt_size < sizeof(mreq) ? BSD_IP_MREQ_LEN : sizeof(mreq));
	if (isif)
		return mcast_setif(inp, &mreq);
	return sopt->sopt_name == IP_ADD_MEMBERSHIP ? mcast_join(inp, &mreq)
						    : mcast_leave(inp, &mreq);
}

int
in_mcast_getopt(const struct inpcb *inp, struct sockopt *sopt)
{
	const struct in_dgram *dg = in_dgram_find(inp);
	const struct in_ifaddr *ia = NULL;
	const struct ifnet *ifp;
	uint32_t addr_be;

	if (sopt->sopt_name != IP_MULTICAST_IF)
		return ENOPROTOOPT;
	if (dg != NULL && (ifp = if_byindex(inp->inp_ns, dg->dg_mcastif)) != NULL)
		ia = in_ifaddr_best(ifp, 0);
	addr_be = ia != NULL ? ia->ia_addr_be : 0;
	sockopt_put(sopt, &addr_be, sizeof(addr_be));
	return 0;
}
