/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's options about the sources of groups, by address (ip_mreq_source) or by interface and sockaddr
 * (RFC 3678 §5.1 and §5.2), made into those that the stack has, and whole filters read back:
 *
 *   ip_msfilter   | group | interface's address | mode | number | sources, an address each …
 *   group_filter  | interface's index | group | mode | number | sources, a sockaddr_storage each …
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

/* --- whole filters -------------------------------------------------------------------------- */

/* Linux's MCAST_INCLUDE and MCAST_EXCLUDE; all else is refused by the stack. */
static uint32_t
bsd_fmode(uint32_t fmode)
{
	return fmode == MCAST_INCLUDE ? BSD_MCAST_INCLUDE
	    : fmode == MCAST_EXCLUDE  ? BSD_MCAST_EXCLUDE
				      : 0;
}

static size_t
head_len(int name)
{
	return name == MCAST_MSFILTER ? GROUP_FILTER_SIZE(0) : IP_MSFILTER_SIZE(0);
}

static size_t
source_len(int name)
{
	return name == MCAST_MSFILTER ? sizeof(struct sockaddr_storage) : sizeof(struct in_addr);
}

/* How many sources a value of len bytes has, as far as the stack takes them. */
static uint32_t
sources_fit(int name, uint32_t numsrc, size_t len)
{
	size_t n = len < head_len(name) ? 0 : (len - head_len(name)) / source_len(name);

	if (n > BSD_IP_MSFILTER_MAX)
		n = BSD_IP_MSFILTER_MAX;
	return n < numsrc ? (uint32_t)n : numsrc;
}

/* => EINVAL: too short for a head; EADDRNOTAVAIL: a group of another family */
static int
get_head(int name, const void *val, socklen_t len, struct bsd_ip_msfilter *msf)
{
	struct group_filter gf;
	struct ip_msfilter imsf;
	uint32_t group_be;

	if (len < head_len(name))
		return EINVAL;
	if (name == IP_MSFILTER) {
		memcpy(&imsf, val, IP_MSFILTER_SIZE(0));
		*msf = (struct bsd_ip_msfilter){.imsf_multiaddr_be = imsf.imsf_multiaddr.s_addr,
		    .imsf_address_be = imsf.imsf_interface.s_addr,
		    .imsf_fmode = bsd_fmode(imsf.imsf_fmode),
		    .imsf_numsrc = imsf.imsf_numsrc};
		return 0;
	}
	memcpy(&gf, val, GROUP_FILTER_SIZE(0));
	*msf = (struct bsd_ip_msfilter){.imsf_ifindex = (int32_t)gf.gf_interface,
	    .imsf_fmode = bsd_fmode(gf.gf_fmode),
	    .imsf_numsrc = gf.gf_numsrc};
	if (!storage_addr(&gf.gf_group, &group_be))
		return EADDRNOTAVAIL;
	msf->imsf_multiaddr_be = group_be;
	return 0;
}

/* More than the stack takes, or than there are, it refuses by itself. */
static int
put_msfilter(int name, const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	const uint8_t *list = (const uint8_t *)val + head_len(name);
	struct bsd_ip_msfilter *msf = &out->bo_msfilter;
	struct sockaddr_storage ss;
	uint32_t n;
	int error = get_head(name, val, len, msf);

	if (error != 0)
		return error;
	n = sources_fit(name, msf->imsf_numsrc, len);
	*blen = BSD_IP_MSFILTER_LEN(n);
	if (name == IP_MSFILTER) {
		memcpy(msf->imsf_slist_be, list, n * sizeof(struct in_addr));
		return 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&ss, list + i * sizeof(ss), sizeof(ss));
		if (!storage_addr(&ss, &msf->imsf_slist_be[i]))
			return EADDRNOTAVAIL;
	}
	return 0;
}

int
linux_to_bsd_msfilter_ask(int name, const void *val, socklen_t len, struct bsd_ip_msfilter *out)
{
	if (get_head(name, val, len, out) != 0)
		return EINVAL;
	if (name == MCAST_MSFILTER && out->imsf_ifindex == 0)
		out->imsf_ifindex = -1; /* as Linux: no interface is no member here */
	out->imsf_numsrc = sources_fit(name, out->imsf_numsrc, len);
	return 0;
}

int
msfilter_errno(int name, int error)
{
	return name == MCAST_MSFILTER && error == ENODEV ? EADDRNOTAVAIL : error;
}

static void
put_head(int name, const struct bsd_ip_msfilter *in, void *val)
{
	uint32_t fmode = in->imsf_fmode == BSD_MCAST_EXCLUDE ? MCAST_EXCLUDE : MCAST_INCLUDE;
	struct group_filter gf;
	struct ip_msfilter imsf;

	if (name == IP_MSFILTER) {
		memcpy(&imsf, val, IP_MSFILTER_SIZE(0));
		imsf.imsf_fmode = fmode;
		imsf.imsf_numsrc = in->imsf_numsrc;
		memcpy(val, &imsf, IP_MSFILTER_SIZE(0));
		return;
	}
	memcpy(&gf, val, GROUP_FILTER_SIZE(0));
	gf.gf_fmode = fmode;
	gf.gf_numsrc = in->imsf_numsrc;
	memcpy(val, &gf, GROUP_FILTER_SIZE(0));
}

void
bsd_to_linux_msfilter(int name, const struct bsd_ip_msfilter *in, uint32_t blen, void *val,
    socklen_t *len)
{
	uint32_t told = blen < BSD_IP_MSFILTER_LEN(0) ? 0 : (blen - BSD_IP_MSFILTER_LEN(0)) / 4;
	uint32_t n = sources_fit(name, told, *len);
	uint8_t *list = (uint8_t *)val + head_len(name);

	if (blen < BSD_IP_MSFILTER_LEN(0) || *len < head_len(name)) {
		*len = 0;
		return;
	}
	put_head(name, in, val);
	*len = (socklen_t)(head_len(name) + n * source_len(name));
	if (name == IP_MSFILTER) {
		memcpy(list, in->imsf_slist_be, n * sizeof(struct in_addr));
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct sockaddr_in sin = {.sin_family = AF_INET,
		    .sin_addr.s_addr = in->imsf_slist_be[i]};
		struct sockaddr_storage ss = {0};

		memcpy(&ss, &sin, sizeof(sin));
		memcpy(list + i * sizeof(ss), &ss, sizeof(ss));
	}
}

/* --- all that is set ------------------------------------------------------------------------ */

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
	case IP_MSFILTER:
	case MCAST_MSFILTER:
		return put_msfilter(name, val, len, out, blen);
	default:
		return put_mreq_source(val, len, out, blen);
	}
}
