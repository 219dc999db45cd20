/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memberships of sockets in groups of either family, and their source filters (RFC 3376 §3.1, RFC 3810
 * §4.2, RFC 3678): in_mcast.c and in6_mcast.c make the options of each family into these. igmp_var.h has
 * the theory.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/in_pcb.h"
#include "netinet/ip_var.h"

bool
imf_allows(const struct in_mfilter *imf, const struct in_addrany *src)
{
	for (uint32_t i = 0; i < imf->imf_nsrcs; i++) {
		if (in_addrany_eq(&imf->imf_srcs[i], src))
			return imf->imf_fmode == IN_INCLUDE;
	}
	return imf->imf_fmode == IN_EXCLUDE;
}

struct ip_member *
in_member_find(const struct ip_member_list *list, const struct ifnet *ifp,
    const struct in_addrany *group)
{
	struct ip_member *im;

	LIST_FOREACH(im, list, im_list) {
		if (im->im_inm->inm_ifp == ifp && in_addrany_eq(&im->im_inm->inm_group, group))
			return im;
	}
	return NULL;
}

int
in_member_setfilter(struct netstack *ns, struct ip_member *im, const struct in_mfilter *imf)
{
	size_t len = imf->imf_nsrcs * sizeof(struct in_addrany);
	struct in_addrany *srcs = NULL;
	int error;

	if (len > 0) {
		if ((srcs = kmem_alloc(&ns->ns_fault, len)) == NULL)
			return ENOBUFS;
		memcpy(srcs, imf->imf_srcs, len);
	}
	error = inm_merge(im->im_inm, &im->im_filter, imf, ns);
	inm_commit(ns, im->im_inm);
	if (error != 0) {
		kmem_free(srcs, len);
		return error;
	}
	kmem_free(im->im_srcs, im->im_filter.imf_nsrcs * sizeof(struct in_addrany));
	im->im_srcs = srcs;
	im->im_filter = *imf;
	im->im_filter.imf_srcs = srcs;
	im->im_haslist = im->im_haslist || srcs != NULL;
	return 0;
}

void
in_member_free(struct netstack *ns, struct ip_member *im)
{
	static const struct in_mfilter nothing = {.imf_fmode = IN_INCLUDE};
	int error = in_member_setfilter(ns, im, &nothing);

	KASSERT(error == 0); /* needs no memory */
	(void)error;
	LIST_REMOVE(im, im_list);
	inm_release(ns, im->im_inm);
	pool_put(&ns->ns_inet->is_mcast.mc_memberpool, im);
}

void
in_member_freeall(struct netstack *ns, struct ip_member_list *list)
{
	while (!LIST_EMPTY(list))
		in_member_free(ns, LIST_FIRST(list));
}

int
in_member_join(struct ip_member_list *list, struct ifnet *ifp, const struct in_mproto *mp,
    const struct in_addrany *group, const struct in_mfilter *imf, struct ip_member **imp)
{
	struct netstack *ns = ifp->if_ns;
	struct in_mcast *mc = &ns->ns_inet->is_mcast;
	struct ip_member *im;
	uint32_t n = 0;
	int error;

	LIST_FOREACH(im, list, im_list)
		n++;
	if (n >= mc->mc_maxmembers || (im = pool_get_zeroed(&mc->mc_memberpool)) == NULL)
		return ENOBUFS;
	if ((im->im_inm = inm_acquire(ifp, mp, group)) == NULL) {
		pool_put(&mc->mc_memberpool, im);
		return ENOBUFS;
	}
	im->im_ifindex = ifp->if_index;
	im->im_filter.imf_fmode = IN_INCLUDE;
	LIST_INSERT_HEAD(list, im, im_list);
	if ((error = in_member_setfilter(ns, im, imf)) != 0)
		in_member_free(ns, im);
	else
		*imp = im;
	return error;
}

/* --- source filters ------------------------------------------------------------------------- */

/* A copy of imf in that mode, its sources in srcs. */
static struct in_mfilter
imf_edit(const struct in_mfilter *imf, enum in_fmode fmode, struct in_addrany *srcs)
{
	if (imf->imf_nsrcs > 0)
		memcpy(srcs, imf->imf_srcs, imf->imf_nsrcs * sizeof(*srcs));
	return (
	    struct in_mfilter){.imf_fmode = fmode, .imf_nsrcs = imf->imf_nsrcs, .imf_srcs = srcs};
}

/* The place of a source among n, or n. */
static uint32_t
srcs_index(const struct in_addrany *srcs, uint32_t n, const struct in_addrany *src)
{
	uint32_t i;

	for (i = 0; i < n && !in_addrany_eq(&srcs[i], src); i++)
		;
	return i;
}

int
in_member_source(struct netstack *ns, struct ip_member *im, const struct in_addrany *src,
    enum in_fmode fmode, bool add, uint32_t max)
{
	const struct in_mfilter *old = &im->im_filter;
	struct in_addrany srcs[IN_MAXSOCKSRC + 1];
	struct in_mfilter new;
	uint32_t at;

	if (im->im_haslist && old->imf_fmode != fmode)
		return EINVAL;
	at = srcs_index(old->imf_srcs, old->imf_nsrcs, src);
	if ((at < old->imf_nsrcs) == add)
		return EADDRNOTAVAIL;
	new = imf_edit(old, fmode, srcs);
	if (!add) { /* the others keep their order: it is read back */
		new.imf_nsrcs--;
		memmove(&srcs[at], &srcs[at + 1], (new.imf_nsrcs - at) * sizeof(*srcs));
		if (new.imf_nsrcs == 0 && fmode == IN_INCLUDE) {
			in_member_free(ns, im); /* nothing is wanted any more */
			return 0;
		}
		return in_member_setfilter(ns, im, &new);
	}
	if (new.imf_nsrcs >= max)
		return ENOBUFS;
	srcs[new.imf_nsrcs++] = *src;
	return in_member_setfilter(ns, im, &new);
}

int
in_member_replace(struct netstack *ns, struct ip_member *im, enum in_fmode fmode,
    struct in_addrany *srcs, uint32_t n)
{
	struct in_mfilter new = {.imf_fmode = fmode, .imf_srcs = srcs};
	bool leaves = fmode == IN_INCLUDE && n == 0;

	if (im == NULL)
		return leaves ? EADDRNOTAVAIL : EINVAL;
	if (leaves) {
		in_member_free(ns, im);
		return 0;
	}
	im->im_haslist = im->im_haslist && n > 0;
	for (uint32_t i = 0; i < n; i++) {
		if (srcs_index(srcs, new.imf_nsrcs, &srcs[i]) == new.imf_nsrcs)
			srcs[new.imf_nsrcs++] = srcs[i];
	}
	return in_member_setfilter(ns, im, &new);
}
