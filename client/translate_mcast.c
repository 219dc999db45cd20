/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's options about the sources of groups, by address (ip_mreq_source) or by interface and sockaddr
 * (RFC 3678 §5.1), made into those that the stack has. Whole filters are not among them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "translate.h"

static int
put_mreq_source(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	struct bsd_ip_mreq_source mrs = {0};
	struct ip_mreq_source imr;

	if (len != sizeof(imr))
		return EINVAL;
	memcpy(&imr, val, sizeof(imr));
	mrs.imr_multiaddr_be = imr.imr_multiaddr.s_addr;
	mrs.imr_sourceaddr_be = imr.imr_sourceaddr.s_addr;
	mrs.imr_address_be = imr.imr_interface.s_addr;
	memcpy(out->bo_bytes, &mrs, sizeof(mrs));
	*blen = sizeof(mrs);
	return 0;
}

/* => false: another family */
static int
storage_addr(const struct sockaddr_storage *ss, uint32_t *addr_be)
{
	struct sockaddr_in sin;

	memcpy(&sin, ss, sizeof(sin));
	*addr_be = sin.sin_addr.s_addr;
	return sin.sin_family == AF_INET;
}

static int
put_group_req(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	struct bsd_ip_mreqn mreq = {0};
	struct group_req gr;

	if (len < sizeof(gr))
		return EINVAL;
	memcpy(&gr, val, sizeof(gr));
	if (!storage_addr(&gr.gr_group, &mreq.imr_multiaddr_be))
		return EINVAL;
	mreq.imr_ifindex = (int32_t)gr.gr_interface;
	memcpy(out->bo_bytes, &mreq, sizeof(mreq));
	*blen = sizeof(mreq);
	return 0;
}

static int
put_group_source_req(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	struct bsd_ip_mreq_source mrs = {0};
	struct group_source_req gsr;

	if (len != sizeof(gsr))
		return EINVAL;
	memcpy(&gsr, val, sizeof(gsr));
	if (!storage_addr(&gsr.gsr_group, &mrs.imr_multiaddr_be) ||
	    !storage_addr(&gsr.gsr_source, &mrs.imr_sourceaddr_be))
		return EADDRNOTAVAIL;
	mrs.imr_ifindex = (int32_t)gsr.gsr_interface;
	memcpy(out->bo_bytes, &mrs, sizeof(mrs));
	*blen = sizeof(mrs);
	return 0;
}

int
linux_to_bsd_mcast(int name, const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	switch (name) {
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return put_group_req(val, len, out, blen);
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
		return put_group_source_req(val, len, out, blen);
	default:
		return put_mreq_source(val, len, out, blen);
	}
}
