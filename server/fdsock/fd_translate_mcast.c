/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's options about the sources of groups, by address (ip_mreq_source) or by interface and sockaddr
 * (RFC 3678 §5.1), made into the few that the stack has. Reading a filter back is refused.
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static void
fd_sopt_put(struct sockopt *sopt, const void *val, size_t len)
{
	memcpy(sopt->sopt_data, val, len);
	sopt->sopt_size = len;
}

/* => false: another family */
static bool
fd_storage_addr(const struct sockaddr_storage *ss, uint32_t *addr_be)
{
	struct sockaddr_in sin;

	memcpy(&sin, ss, sizeof(sin));
	*addr_be = sin.sin_addr.s_addr;
	return sin.sin_family == AF_INET;
}

static int
fd_set_mreq_source(struct sockopt *sopt, const void *val, size_t len)
{
	struct bsd_ip_mreq_source mrs = {0};
	struct ip_mreq_source imr;

	if (len != sizeof(imr))
		return EINVAL;
	memcpy(&imr, val, sizeof(imr));
	mrs.imr_multiaddr_be = imr.imr_multiaddr.s_addr;
	mrs.imr_sourceaddr_be = imr.imr_sourceaddr.s_addr;
	mrs.imr_address_be = imr.imr_interface.s_addr;
	fd_sopt_put(sopt, &mrs, sizeof(mrs));
	return 0;
}

static int
fd_set_group_req(struct sockopt *sopt, const void *val, size_t len)
{
	struct bsd_ip_mreqn mreq = {0};
	struct group_req gr;

	if (len < sizeof(gr))
		return EINVAL;
	memcpy(&gr, val, sizeof(gr));
	if (!fd_storage_addr(&gr.gr_group, &mreq.imr_multiaddr_be))
		return EINVAL;
	mreq.imr_ifindex = (int)gr.gr_interface;
	fd_sopt_put(sopt, &mreq, sizeof(mreq));
	return 0;
}

static int
fd_set_group_source_req(struct sockopt *sopt, const void *val, size_t len)
{
	struct bsd_ip_mreq_source mrs = {0};
	struct group_source_req gsr;

	if (len != sizeof(gsr))
		return EINVAL;
	memcpy(&gsr, val, sizeof(gsr));
	if (!fd_storage_addr(&gsr.gsr_group, &mrs.imr_multiaddr_be) ||
	    !fd_storage_addr(&gsr.gsr_source, &mrs.imr_sourceaddr_be))
		return EADDRNOTAVAIL;
	mrs.imr_ifindex = (int)gsr.gsr_interface;
	fd_sopt_put(sopt, &mrs, sizeof(mrs));
	return 0;
}

/* Linux's MCAST_INCLUDE and MCAST_EXCLUDE; all else is refused by the stack. */
static uint32_t
fd_fmode(uint32_t fmode)
{
	return fmode == MCAST_INCLUDE ? BSD_MCAST_INCLUDE
	    : fmode == MCAST_EXCLUDE  ? BSD_MCAST_EXCLUDE
				      : 0;
}

static int
fd_set_msfilter(struct sockopt *sopt, const void *val, size_t len)
{
	struct bsd_ip_msfilter msf = {0};
	struct ip_msfilter imsf;

	if (len < IP_MSFILTER_SIZE(0))
		return EINVAL;
	memcpy(&imsf, val, IP_MSFILTER_SIZE(0));
	msf.imsf_multiaddr_be = imsf.imsf_multiaddr.s_addr;
	msf.imsf_address_be = imsf.imsf_interface.s_addr;
	msf.imsf_fmode = fd_fmode(imsf.imsf_fmode);
	msf.imsf_numsrc = imsf.imsf_numsrc;
	if (msf.imsf_numsrc > BSD_IP_MSFILTER_MAX)
		return ENOBUFS;
	if (len < IP_MSFILTER_SIZE(0) + 4 * (size_t)msf.imsf_numsrc)
		return EINVAL;
	memcpy(msf.imsf_slist_be, (const uint8_t *)val + IP_MSFILTER_SIZE(0),
	    4 * (size_t)msf.imsf_numsrc);
	fd_sopt_put(sopt, &msf, BSD_IP_MSFILTER_LEN(msf.imsf_numsrc));
	return 0;
}

int
fd_set_mcast(struct sockopt *sopt, int name, const void *val, size_t len)
{
	switch (name) {
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return fd_set_group_req(sopt, val, len);
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
		return fd_set_group_source_req(sopt, val, len);
	case IP_MSFILTER:
		return fd_set_msfilter(sopt, val, len);
	default:
		return fd_set_mreq_source(sopt, val, len);
	}
}
