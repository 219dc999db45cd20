/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of IPv6 groups (RFC 3493 §5.2) and from whom they want packets (RFC 3678 §5), and the options that
 * say so. What a membership is, is in netinet/in_member.c; what an interface hears, and tells its link of, in
 * mld6.c.
 *
 * Addresses of sources carry their scope, as all do inside the stack: that of the group's interface.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_dgram.h"
#include "netinet/ip_var.h"
#include "netinet6/in6_pcb.h"
#include "netinet6/ip6_var.h"

bool
in6_iswanted(const struct inpcb *inp, const struct in_rxinfo *rx)
{
	const struct in_dgram *dg = in_dgram_find(inp);
	const struct ip_member *im;
	const struct in_multi *inm;

	if (!ip6_is_multicast(rx->rx_dst.ia_w))
		return true;
	if (dg != NULL && (im = in_member_find(&dg->dg_members6, rx->rx_ifp, &rx->rx_dst)) != NULL)
		return imf_allows(&im->im_filter, &rx->rx_src);
	if ((inp->inp_flags & IN6P_MCASTALL) == 0)
		return false;
	inm = inm_lookup(rx->rx_ifp, &mld_mproto, &rx->rx_dst);
	return inm == NULL || inm_allows(inm, &rx->rx_src);
}

void
in6_leaveall(struct inpcb *inp)
{
	struct in_dgram *dg = inp->inp_ppcb;

	in_member_freeall(inp->inp_ns, &dg->dg_members6);
	in_mcast_leaveall(inp);
}

/* A group at an interface, as an option names it. */
struct mreq6 {
	struct in_addrany mr_group; /* with its scope */
	struct ifnet *mr_ifp;
};

/*
 * The interface is the one that is named, or else the one that packets for the group leave by.
 * => EINVAL: not a group; ENODEV: there is none that speaks IPv6
 */
static int
mreq_take(struct netstack *ns, const struct bsd_in6_addr *group, uint32_t ifindex, struct mreq6 *mr)
{
	struct ip6_route ro;

	mr->mr_ifp = NULL;
	memcpy(&mr->mr_group, group, sizeof(mr->mr_group));
	if (!ip6_is_multicast(mr->mr_group.ia_w) || in6_zone(mr->mr_group.ia_w) != 0)
		return EINVAL;
	if (ifindex != 0)
		mr->mr_ifp = if_byindex(ns, ifindex);
	else if (ip6_route(ns, mr->mr_group.ia_w, NULL, &ro) == 0)
		mr->mr_ifp = ro.ro_ifp;
	if (mr->mr_ifp == NULL || mr->mr_ifp->if_inet6 == NULL)
		return ENODEV;
	in6_setzone(mr->mr_group.ia_w, mr->mr_ifp->if_index);
	return 0;
}

/* A source, with the scope of the group's interface. */
static struct in_addrany
mreq_source(const struct mreq6 *mr, const struct bsd_in6_addr *from)
{
	struct in_addrany src;

	memcpy(&src, from, sizeof(src));
	in6_setzone(src.ia_w, mr->mr_ifp->if_index);
	return src;
}

/* The socket's membership there; NULL: it is none. */
static struct ip_member *
mreq_member(const struct inpcb *inp, const struct mreq6 *mr)
{
	const struct in_dgram *dg = in_dgram_find(inp);

	return dg != NULL ? in_member_find(&dg->dg_members6, mr->mr_ifp, &mr->mr_group) : NULL;
}

/* => EADDRINUSE: joined there, *imp; ENOBUFS */
static int
mcast6_join(struct inpcb *inp, const struct mreq6 *mr, const struct in_mfilter *imf,
    struct ip_member **imp)
{
	struct in_dgram *dg = in_dgram_get(inp);

	if (dg == NULL)
		return ENOBUFS;
	if ((*imp = mreq_member(inp, mr)) != NULL)
		return EADDRINUSE;
	return in_member_join(&dg->dg_members6, mr->mr_ifp, &mld_mproto, &mr->mr_group, imf, imp);
}

/* IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP */
static int
mcast6_setgroup(struct inpcb *inp, const struct sockopt *sopt)
{
	static const struct in_mfilter all = {.imf_fmode = IN_EXCLUDE};
	struct bsd_ipv6_mreq mreq;
	struct ip_member *im;
	struct mreq6 mr;
	int error;

	if (sopt->sopt_size < sizeof(mreq))
		return EINVAL;
	memcpy(&mreq, sopt->sopt_data, sizeof(mreq));
	error = mreq_take(inp->inp_ns, &mreq.ipv6mr_multiaddr, mreq.ipv6mr_interface, &mr);
	if (error != 0)
		return error;
	if (sopt->sopt_name == IPV6_JOIN_GROUP)
		return mcast6_join(inp, &mr, &all, &im);
	if ((im = mreq_member(inp, &mr)) == NULL)
		return EADDRNOTAVAIL;
	in_member_free(inp->inp_ns, im);
	return 0;
}

/* One source of a group. */
static int
mcast6_setsource(struct inpcb *inp, const struct sockopt *sopt)
{
	uint32_t max = inp->inp_ns->ns_inet6->i6_maxsocksrc;
	struct in_mfilter one = {.imf_fmode = IN_INCLUDE, .imf_nsrcs = 1};
	int name = sopt->sopt_name, error;
	struct bsd_ipv6_mreq_source mrs;
	struct in_addrany src;
	struct ip_member *im;
	struct mreq6 mr;

	if (sopt->sopt_size < sizeof(mrs))
		return EINVAL;
	memcpy(&mrs, sopt->sopt_data, sizeof(mrs));
	error = mreq_take(inp->inp_ns, &mrs.i6ms_multiaddr, mrs.i6ms_interface, &mr);
	if (error != 0)
		return error;
	src = mreq_source(&mr, &mrs.i6ms_sourceaddr);
	one.imf_srcs = &src;
	im = mreq_member(inp, &mr);
	if (im == NULL && name != IPV6_JOIN_SOURCE_GROUP)
		return EINVAL;
	if (im == NULL)
		return max == 0 ? ENOBUFS : mcast6_join(inp, &mr, &one, &im);
	return in_member_source(inp->inp_ns, im, &src,
	    name == IPV6_BLOCK_SOURCE || name == IPV6_UNBLOCK_SOURCE ? IN_EXCLUDE : IN_INCLUDE,
	    name == IPV6_JOIN_SOURCE_GROUP || name == IPV6_BLOCK_SOURCE, max);
}

/*
 * A whole filter takes the place of another (RFC 3678 §3); that of nothing is to leave. => errno as Linux's:
 * EINVAL: malformed, or not joined; ENODEV; EADDRNOTAVAIL: not joined, to leave; ENOBUFS: too many
 */
static int
mcast6_setmsfilter(struct inpcb *inp, const struct sockopt *sopt)
{
	struct in_addrany srcs[BSD_IPV6_MSFILTER_MAX];
	struct bsd_ipv6_msfilter msf = {0};
	struct mreq6 mr;
	int error;

	if (sopt->sopt_size < BSD_IPV6_MSFILTER_LEN(0))
		return EINVAL;
	memcpy(&msf, sopt->sopt_data, KERN_MIN(sopt->sopt_size, sizeof(msf)));
	if (msf.i6mf_numsrc > inp->inp_ns->ns_inet6->i6_maxsocksrc)
		return ENOBUFS;
	if (sopt->sopt_size < BSD_IPV6_MSFILTER_LEN(msf.i6mf_numsrc) ||
	    (msf.i6mf_fmode != BSD_MCAST_INCLUDE && msf.i6mf_fmode != BSD_MCAST_EXCLUDE))
		return EINVAL;
	if ((error = mreq_take(inp->inp_ns, &msf.i6mf_multiaddr, msf.i6mf_interface, &mr)) != 0)
		return error;
	for (uint32_t i = 0; i < msf.i6mf_numsrc; i++)
		srcs[i] = mreq_source(&mr, &msf.i6mf_slist[i]);
	return in_member_replace(inp->inp_ns, mreq_member(inp, &mr),
	    msf.i6mf_fmode == BSD_MCAST_EXCLUDE ? IN_EXCLUDE : IN_INCLUDE, srcs, msf.i6mf_numsrc);
}

bool
in6_mcast_isopt(int name)
{
	return name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP || name == IPV6_MSFILTER ||
	    (name >= IPV6_JOIN_SOURCE_GROUP && name <= IPV6_UNBLOCK_SOURCE);
}

int
in6_mcast_setopt(struct inpcb *inp, const struct sockopt *sopt)
{
	/* A stream has no memberships whose filter could be set: so says mcast6_setmsfilter. */
	if (sopt->sopt_name == IPV6_MSFILTER)
		return mcast6_setmsfilter(inp, sopt);
	if (inp->inp_socket->so_proto->pr_type == SOCK_STREAM)
		return EPROTO;
	return sopt->sopt_name == IPV6_JOIN_GROUP || sopt->sopt_name == IPV6_LEAVE_GROUP
	    ? mcast6_setgroup(inp, sopt)
	    : mcast6_setsource(inp, sopt);
}

/*
 * Tells a membership's filter: the mode, how many sources there are, and the first of them, as many as were
 * asked for and have room. => errno as Linux's: EINVAL; ENODEV; EADDRNOTAVAIL: not joined
 */
int
in6_mcast_getopt(const struct inpcb *inp, struct sockopt *sopt)
{
	struct bsd_ipv6_msfilter msf = {0};
	const struct ip_member *im;
	struct in_addrany src;
	struct mreq6 mr;
	uint32_t n;
	int error;

	if (sopt->sopt_name != IPV6_MSFILTER)
		return ENOPROTOOPT;
	if (sopt->sopt_size < BSD_IPV6_MSFILTER_LEN(0))
		return EINVAL;
	memcpy(&msf, sopt->sopt_data, BSD_IPV6_MSFILTER_LEN(0));
	if ((error = mreq_take(inp->inp_ns, &msf.i6mf_multiaddr, msf.i6mf_interface, &mr)) != 0)
		return error;
	if ((im = mreq_member(inp, &mr)) == NULL)
		return EADDRNOTAVAIL;
	n = KERN_MIN(im->im_filter.imf_nsrcs, msf.i6mf_numsrc);
	n = KERN_MIN(n, (uint32_t)(sopt->sopt_size - BSD_IPV6_MSFILTER_LEN(0)) / 16);
	msf.i6mf_fmode =
	    im->im_filter.imf_fmode == IN_EXCLUDE ? BSD_MCAST_EXCLUDE : BSD_MCAST_INCLUDE;
	msf.i6mf_numsrc = im->im_filter.imf_nsrcs;
	for (uint32_t i = 0; i < n; i++) {
		src = im->im_srcs[i];
		in6_clearzone(src.ia_w);
		memcpy(&msf.i6mf_slist[i], &src, sizeof(src));
	}
	sockopt_put(sopt, &msf, BSD_IPV6_MSFILTER_LEN(n));
	return 0;
}
