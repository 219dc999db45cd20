/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's options about the sources of groups, by address (ip_mreq_source) or by interface and sockaddr
 * (RFC 3678 §5.1 and §5.2), made into the few that the stack has, and whole filters read back:
 *
 *   ip_msfilter   | group | interface's address | mode | number | sources, an address each …
 *   group_filter  | interface's index | group | mode | number | sources, a sockaddr_storage each …
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

/* How many sources a list of len bytes behind a head of headlen has, as far as the stack takes them. */
static uint32_t
fd_msfilter_fit(uint32_t numsrc, size_t len, size_t headlen, size_t each)
{
	return (uint32_t)KERN_MIN((len - headlen) / each,
	    (size_t)KERN_MIN(numsrc, BSD_IP_MSFILTER_MAX));
}

/* => false: too short for a head */
static bool
fd_msfilter_head(const void *val, size_t len, struct bsd_ip_msfilter *msf)
{
	struct ip_msfilter imsf;

	if (len < IP_MSFILTER_SIZE(0))
		return false;
	memcpy(&imsf, val, IP_MSFILTER_SIZE(0));
	*msf = (struct bsd_ip_msfilter){.imsf_multiaddr_be = imsf.imsf_multiaddr.s_addr,
	    .imsf_address_be = imsf.imsf_interface.s_addr,
	    .imsf_fmode = fd_fmode(imsf.imsf_fmode),
	    .imsf_numsrc = imsf.imsf_numsrc};
	return true;
}

/* More than the stack takes, or than there are, it refuses by itself. */
static int
fd_set_msfilter(struct sockopt *sopt, const void *val, size_t len)
{
	struct bsd_ip_msfilter msf;
	uint32_t n;

	if (!fd_msfilter_head(val, len, &msf))
		return EINVAL;
	n = fd_msfilter_fit(msf.imsf_numsrc, len, IP_MSFILTER_SIZE(0), 4);
	memcpy(msf.imsf_slist_be, (const uint8_t *)val + IP_MSFILTER_SIZE(0), 4 * (size_t)n);
	fd_sopt_put(sopt, &msf, BSD_IP_MSFILTER_LEN(n));
	return 0;
}

/* => EINVAL: too short for a head; EADDRNOTAVAIL: a group of another family */
static int
fd_groupfilter_head(const void *val, size_t len, struct bsd_ip_msfilter *msf)
{
	struct group_filter gf;
	uint32_t group_be;

	if (len < GROUP_FILTER_SIZE(0))
		return EINVAL;
	memcpy(&gf, val, GROUP_FILTER_SIZE(0));
	*msf = (struct bsd_ip_msfilter){.imsf_ifindex = (int32_t)gf.gf_interface,
	    .imsf_fmode = fd_fmode(gf.gf_fmode),
	    .imsf_numsrc = gf.gf_numsrc};
	if (!fd_storage_addr(&gf.gf_group, &group_be))
		return EADDRNOTAVAIL;
	msf->imsf_multiaddr_be = group_be;
	return 0;
}

static int
fd_set_groupfilter(struct sockopt *sopt, const void *val, size_t len)
{
	const uint8_t *list = (const uint8_t *)val + GROUP_FILTER_SIZE(0);
	struct sockaddr_storage ss;
	struct bsd_ip_msfilter msf;
	uint32_t n;
	int error = fd_groupfilter_head(val, len, &msf);

	if (error != 0)
		return error;
	n = fd_msfilter_fit(msf.imsf_numsrc, len, GROUP_FILTER_SIZE(0), sizeof(ss));
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&ss, list + i * sizeof(ss), sizeof(ss));
		if (!fd_storage_addr(&ss, &msf.imsf_slist_be[i]))
			return EADDRNOTAVAIL;
	}
	fd_sopt_put(sopt, &msf, BSD_IP_MSFILTER_LEN(n));
	return 0;
}

/* --- read back ------------------------------------------------------------------------------ */

/* Asks the stack for what msf names. => the host's errno; *n sources of it are in msf */
static int
fd_msfilter_ask(struct fdsock *fs, struct bsd_ip_msfilter *msf, uint32_t *n)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IP, .sopt_name = BSD_IP_MSFILTER};
	int error;

	fd_sopt_put(&sopt, msf, BSD_IP_MSFILTER_LEN(0));
	sopt.sopt_size = sizeof(*msf);
	error = fd_errno(sogetopt(fs->fs_so, &sopt));
	if (error != 0)
		return error;
	*n = (uint32_t)(sopt.sopt_size - BSD_IP_MSFILTER_LEN(0)) / 4;
	memcpy(msf, sopt.sopt_data, sopt.sopt_size);
	msf->imsf_fmode =
	    msf->imsf_fmode == BSD_MCAST_EXCLUDE ? MCAST_EXCLUDE : (uint32_t)MCAST_INCLUDE;
	return 0;
}

static int
fd_get_msfilter(struct fdsock *fs, void *val, size_t *len)
{
	struct bsd_ip_msfilter msf;
	struct ip_msfilter imsf;
	uint32_t n;
	int error;

	if (!fd_msfilter_head(val, *len, &msf))
		return EINVAL;
	msf.imsf_numsrc = fd_msfilter_fit(msf.imsf_numsrc, *len, IP_MSFILTER_SIZE(0), 4);
	if ((error = fd_msfilter_ask(fs, &msf, &n)) != 0)
		return error;
	memcpy(&imsf, val, IP_MSFILTER_SIZE(0));
	imsf.imsf_fmode = msf.imsf_fmode;
	imsf.imsf_numsrc = msf.imsf_numsrc;
	memcpy(val, &imsf, IP_MSFILTER_SIZE(0));
	memcpy((uint8_t *)val + IP_MSFILTER_SIZE(0), msf.imsf_slist_be, 4 * (size_t)n);
	*len = IP_MSFILTER_SIZE(0) + 4 * (size_t)n;
	return 0;
}

static void
fd_storage_put(uint32_t addr_be, uint8_t *out)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = addr_be};
	struct sockaddr_storage ss = {0};

	memcpy(&ss, &sin, sizeof(sin));
	memcpy(out, &ss, sizeof(ss));
}

/* As Linux, which looks for a membership of that very index here: no interface is no member. */
static int
fd_get_groupfilter(struct fdsock *fs, void *val, size_t *len)
{
	uint8_t *list = (uint8_t *)val + GROUP_FILTER_SIZE(0);
	struct bsd_ip_msfilter msf;
	struct group_filter gf;
	uint32_t n;
	int error = fd_groupfilter_head(val, *len, &msf);

	if (error != 0)
		return EINVAL;
	if (msf.imsf_ifindex == 0)
		msf.imsf_ifindex = -1;
	msf.imsf_numsrc = fd_msfilter_fit(msf.imsf_numsrc, *len, GROUP_FILTER_SIZE(0),
	    sizeof(struct sockaddr_storage));
	if ((error = fd_msfilter_ask(fs, &msf, &n)) != 0)
		return error == ENODEV ? EADDRNOTAVAIL : error;
	memcpy(&gf, val, GROUP_FILTER_SIZE(0));
	gf.gf_fmode = msf.imsf_fmode;
	gf.gf_numsrc = msf.imsf_numsrc;
	memcpy(val, &gf, GROUP_FILTER_SIZE(0));
	for (uint32_t i = 0; i < n; i++)
		fd_storage_put(msf.imsf_slist_be[i], list + i * sizeof(struct sockaddr_storage));
	*len = GROUP_FILTER_SIZE(n);
	return 0;
}

int
fd_get_mcast(struct fdsock *fs, int name, void *val, size_t *len)
{
	switch (name) {
	case IP_MSFILTER:
		return fd_get_msfilter(fs, val, len);
	case MCAST_MSFILTER:
		return fd_get_groupfilter(fs, val, len);
	default:
		return ENOPROTOOPT;
	}
}

/* --- all that is set ------------------------------------------------------------------------ */

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
	case MCAST_MSFILTER:
		return fd_set_groupfilter(sopt, val, len);
	default:
		return fd_set_mreq_source(sopt, val, len);
	}
}
