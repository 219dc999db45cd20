/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of IPv4 groups (RFC 1112 §7, RFC 3376 §2 and §3.1): which groups a socket has joined, from whom it
 * wants their packets, and the options that say so.
 *
 * Theory of operation: a socket keeps a list of its ip_members (in_member.c), few of them
 * (net.inet.ip.mcast.maxmemberships). Each holds a group of an interface (in_multi.c), where its filter
 * is merged with those of others; ip_input lets in what the group wants, in_mcast_wanted what the
 * socket does. When an interface goes, its groups lose it, and stay until the sockets that hold them
 * let go.
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

#define IN_MAXMEMBERS 32768u

int
in_mcast_init(struct netstack *ns)
{
	struct in_mcast *mc = &ns->ns_inet->is_mcast;
	int error;

	mc->mc_maxmembers = 20;
	mc->mc_maxsocksrc = IN_DFLSOCKSRC;
	if ((error = in_multi_init(ns)) != 0)
		return error;
	if ((error = pool_init(&mc->mc_memberpool, "ip_member", sizeof(struct ip_member),
		 IN_MAXMEMBERS, 0, &ns->ns_fault)) != 0)
		in_multi_fini(ns);
	return error;
}

void
in_mcast_fini(struct netstack *ns)
{
	pool_destroy(&ns->ns_inet->is_mcast.mc_memberpool);
	in_multi_fini(ns);
}

bool
in_mcast_isjoined(const struct ifnet *ifp, uint32_t group_be)
{
	const struct in_multi *inm;

	if (group_be == IPV4_ALLHOSTS_BE)
		return (ifp->if_flags & IFF_MULTICAST) != 0;
	inm = inm_lookup(ifp, &igmp_mproto, &(struct in_addrany){{group_be, 0, 0, 0}});
	return inm != NULL && inm->inm_heard;
}

void
in_mcast_ifdetach(struct ifnet *ifp)
{
	if (ifp->if_igmp == NULL)
		return;
	inm_ifdetach(ifp->if_ns, &ifp->if_igmp->igi_groups);
	igmp_ifdetach(ifp);
}

/* --- memberships of sockets ----------------------------------------------------------------- */

bool
in_mcast_wanted(const struct inpcb *inp, const struct in_rxinfo *rx)
{
	uint32_t group_be = rx->rx_dst.ia_w[0];
	const struct ip_member *im;
	const struct in_multi *inm;
	const struct in_dgram *dg;

	if (!ipv4_is_multicast(group_be))
		return true;
	if ((dg = in_dgram_find(inp)) != NULL &&
	    (im = in_member_find(&dg->dg_members, rx->rx_ifp, &rx->rx_dst)) != NULL)
		return imf_allows(&im->im_filter, &rx->rx_src);
	if ((inp->inp_flags & INP_MCASTALL) == 0)
		return false;
	if ((inm = inm_lookup(rx->rx_ifp, &igmp_mproto, &rx->rx_dst)) != NULL)
		return inm_allows(inm, &rx->rx_src);
	return in_mcast_isjoined(rx->rx_ifp, group_be);
}

void
in_mcast_leaveall(struct inpcb *inp)
{
	struct in_dgram *dg = in_dgram_find(inp);

	if (dg != NULL)
		in_member_freeall(inp->inp_ns, &dg->dg_members);
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

/*
 * => EINVAL: not a group; ENODEV: no such interface; EADDRINUSE: joined there, *imp; ENOBUFS
 */
static int
mcast_join_filter(struct inpcb *inp, const struct bsd_ip_mreqn *mreq, const struct in_mfilter *imf,
    struct ip_member **imp)
{
	const struct in_addrany group = {{mreq->imr_multiaddr_be, 0, 0, 0}};
	struct in_dgram *dg;
	struct ifnet *ifp;
	int error;

	if (!ipv4_is_multicast(mreq->imr_multiaddr_be))
		return EINVAL;
	if ((ifp = mreq_ifp(inp->inp_ns, mreq)) == NULL)
		return ENODEV;
	if ((dg = in_dgram_get(inp)) == NULL)
		return ENOBUFS;
	if ((*imp = in_member_find(&dg->dg_members, ifp, &group)) != NULL)
		return EADDRINUSE;
	error = in_member_join(&dg->dg_members, ifp, &igmp_mproto, &group, imf, imp);
	if (error == 0)
		(*imp)->im_address_be = mreq->imr_address_be;
	return error;
}

static int
mcast_join(struct inpcb *inp, const struct bsd_ip_mreqn *mreq)
{
	static const struct in_mfilter all = {.imf_fmode = IN_EXCLUDE};
	struct ip_member *im;

	return mcast_join_filter(inp, mreq, &all, &im);
}

/* Is that the membership meant? By the index, by the address it was joined with, or any. */
static bool
member_matches(const struct ip_member *im, const struct bsd_ip_mreqn *mreq)
{
	if (im->im_inm->inm_group.ia_w[0] != mreq->imr_multiaddr_be)
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
			in_member_free(inp->inp_ns, im);
			return 0;
		}
	}
	return EADDRNOTAVAIL;
}

/* --- source filters ------------------------------------------------------------------------- */

/* The socket's membership of a group at the interface named; NULL: it is none. => EINVAL, ENODEV */
static int
mcast_find(const struct inpcb *inp, const struct bsd_ip_mreqn *mreq, struct ip_member **imp)
{
	const struct in_addrany group = {{mreq->imr_multiaddr_be, 0, 0, 0}};
	const struct in_dgram *dg = in_dgram_find(inp);
	const struct ifnet *ifp;

	if (!ipv4_is_multicast(mreq->imr_multiaddr_be))
		return EINVAL;
	if ((ifp = mreq_ifp(inp->inp_ns, mreq)) == NULL)
		return ENODEV;
	*imp = dg != NULL ? in_member_find(&dg->dg_members, ifp, &group) : NULL;
	return 0;
}

static int
mcast_source(struct inpcb *inp, int name, const struct bsd_ip_mreq_source *mrs)
{
	const struct bsd_ip_mreqn mreq = {.imr_multiaddr_be = mrs->imr_multiaddr_be,
	    .imr_address_be = mrs->imr_address_be,
	    .imr_ifindex = mrs->imr_ifindex};
	const struct in_addrany src = {{mrs->imr_sourceaddr_be, 0, 0, 0}};
	const struct in_mfilter one = {.imf_fmode = IN_INCLUDE, .imf_nsrcs = 1, .imf_srcs = &src};
	uint32_t max = inp->inp_ns->ns_inet->is_mcast.mc_maxsocksrc;
	struct ip_member *im;
	int error;

	if (name == IP_ADD_SOURCE_MEMBERSHIP) {
		if (max == 0)
			return ENOBUFS;
		error = mcast_join_filter(inp, &mreq, &one, &im);
		if (error != EADDRINUSE)
			return error;
	} else if ((error = mcast_find(inp, &mreq, &im)) != 0) {
		return error;
	} else if (im == NULL) {
		return EINVAL;
	}
	return in_member_source(inp->inp_ns, im, &src,
	    name == IP_BLOCK_SOURCE || name == IP_UNBLOCK_SOURCE ? IN_EXCLUDE : IN_INCLUDE,
	    name == IP_ADD_SOURCE_MEMBERSHIP || name == IP_BLOCK_SOURCE, max);
}

static struct bsd_ip_mreqn
msfilter_mreq(const struct bsd_ip_msfilter *msf)
{
	return (struct bsd_ip_mreqn){.imr_multiaddr_be = msf->imsf_multiaddr_be,
	    .imr_address_be = msf->imsf_address_be,
	    .imr_ifindex = msf->imsf_ifindex};
}

/*
 * A whole filter takes the place of another (RFC 3678 §3); that of nothing is to leave. => errno as Linux's:
 * EINVAL: malformed, or not joined; ENODEV; EADDRNOTAVAIL: not joined, to leave; ENOBUFS: too many
 */
static int
mcast_setmsfilter(struct inpcb *inp, const struct sockopt *sopt)
{
	struct bsd_ip_msfilter msf = {0};
	struct in_addrany srcs[BSD_IP_MSFILTER_MAX];
	struct bsd_ip_mreqn mreq;
	struct ip_member *im;
	int error;

	if (sopt->sopt_size < BSD_IP_MSFILTER_LEN(0))
		return EINVAL;
	memcpy(&msf, sopt->sopt_data, KERN_MIN(sopt->sopt_size, sizeof(msf)));
	if (msf.imsf_numsrc > inp->inp_ns->ns_inet->is_mcast.mc_maxsocksrc)
		return ENOBUFS;
	if (sopt->sopt_size < BSD_IP_MSFILTER_LEN(msf.imsf_numsrc) ||
	    (msf.imsf_fmode != BSD_MCAST_INCLUDE && msf.imsf_fmode != BSD_MCAST_EXCLUDE))
		return EINVAL;
	mreq = msfilter_mreq(&msf);
	if ((error = mcast_find(inp, &mreq, &im)) != 0)
		return error;
	for (uint32_t i = 0; i < msf.imsf_numsrc; i++)
		srcs[i] = (struct in_addrany){{msf.imsf_slist_be[i], 0, 0, 0}};
	return in_member_replace(inp->inp_ns, im,
	    msf.imsf_fmode == BSD_MCAST_EXCLUDE ? IN_EXCLUDE : IN_INCLUDE, srcs, msf.imsf_numsrc);
}

/*
 * Tells a membership's filter: the mode, how many sources there are, and the first of them, as many as were
 * asked for and have room. => errno as Linux's: EINVAL; ENODEV; EADDRNOTAVAIL: not joined
 */
static int
mcast_getmsfilter(const struct inpcb *inp, struct sockopt *sopt)
{
	struct bsd_ip_msfilter msf = {0};
	struct bsd_ip_mreqn mreq;
	struct ip_member *im;
	uint32_t n;
	int error;

	if (sopt->sopt_size < BSD_IP_MSFILTER_LEN(0))
		return EINVAL;
	memcpy(&msf, sopt->sopt_data, BSD_IP_MSFILTER_LEN(0));
	mreq = msfilter_mreq(&msf);
	if ((error = mcast_find(inp, &mreq, &im)) != 0)
		return error;
	if (im == NULL)
		return EADDRNOTAVAIL;
	n = KERN_MIN(im->im_filter.imf_nsrcs, msf.imsf_numsrc);
	n = KERN_MIN(n, (uint32_t)(sopt->sopt_size - BSD_IP_MSFILTER_LEN(0)) / 4);
	msf.imsf_fmode =
	    im->im_filter.imf_fmode == IN_EXCLUDE ? BSD_MCAST_EXCLUDE : BSD_MCAST_INCLUDE;
	msf.imsf_numsrc = im->im_filter.imf_nsrcs;
	for (uint32_t i = 0; i < n; i++)
		msf.imsf_slist_be[i] = im->im_srcs[i].ia_w[0];
	sockopt_put(sopt, &msf, BSD_IP_MSFILTER_LEN(n));
	return 0;
}

static int
mcast_setsource(struct inpcb *inp, const struct sockopt *sopt)
{
	struct bsd_ip_mreq_source mrs = {0};

	if (sopt->sopt_name == IP_MSFILTER)
		return mcast_setmsfilter(inp, sopt);
	if (sopt->sopt_size < BSD_IP_MREQ_SOURCE_LEN)
		return EINVAL;
	memcpy(&mrs, sopt->sopt_data,
	    sopt->sopt_size < sizeof(mrs) ? BSD_IP_MREQ_SOURCE_LEN : sizeof(mrs));
	return mcast_source(inp, sopt->sopt_name, &mrs);
}

/* --- options -------------------------------------------------------------------------------- */

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
	return name == IP_MULTICAST_IF || name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP ||
	    (name >= IP_ADD_SOURCE_MEMBERSHIP && name <= IP_MSFILTER);
}

int
in_mcast_setopt(struct inpcb *inp, const struct sockopt *sopt)
{
	struct bsd_ip_mreqn mreq = {0};
	bool isif = sopt->sopt_name == IP_MULTICAST_IF;

	/* A stream has no memberships whose filter could be set: so says mcast_setmsfilter. */
	if (inp->inp_socket->so_proto->pr_type == SOCK_STREAM && sopt->sopt_name != IP_MSFILTER)
		return isif ? EINVAL : EPROTO;
	if (sopt->sopt_name >= IP_ADD_SOURCE_MEMBERSHIP)
		return mcast_setsource(inp, sopt);
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

	if (sopt->sopt_name == IP_MSFILTER)
		return mcast_getmsfilter(inp, sopt);
	if (sopt->sopt_name != IP_MULTICAST_IF)
		return ENOPROTOOPT;
	if (dg != NULL && (ifp = if_byindex(inp->inp_ns, dg->dg_mcastif)) != NULL)
		ia = in_ifaddr_best(ifp, 0);
	addr_be = ia != NULL ? ia->ia_addr_be : 0;
	sockopt_put(sopt, &addr_be, sizeof(addr_be));
	return 0;
}
