/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's options about groups of IPv6 and their sources (RFC 3678 §5.2), by interface and sockaddr, made
 * into those of the stack, by interface and address; and whole filters read back. As those of IPv4
 * (fd_translate_mcast.c).
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* => false: another family; the address is what lies there */
static bool
fd_storage_addr6(const struct sockaddr_storage *ss, struct bsd_in6_addr *addr)
{
	struct sockaddr_in6 sin6;

	memcpy(&sin6, ss, sizeof(sin6));
	memcpy(addr, &sin6.sin6_addr, sizeof(*addr));
	return sin6.sin6_family == AF_INET6;
}

static void
fd_sopt_put6(struct sockopt *sopt, const void *val, size_t len)
{
	memcpy(sopt->sopt_data, val, len);
	sopt->sopt_size = len;
}

/* An ipv6_mreq by another form. */
static int
fd_set_group_req6(struct sockopt *sopt, const void *val, size_t len)
{
	struct bsd_ipv6_mreq mreq;
	struct group_req gr;

	if (len < sizeof(gr))
		return EINVAL;
	memcpy(&gr, val, sizeof(gr));
	if (!fd_storage_addr6(&gr.gr_group, &mreq.ipv6mr_multiaddr))
		return EADDRNOTAVAIL;
	mreq.ipv6mr_interface = gr.gr_interface;
	fd_sopt_put6(sopt, &mreq, sizeof(mreq));
	return 0;
}

static int
fd_set_group_source_req6(struct sockopt *sopt, const void *val, size_t len)
{
	struct bsd_ipv6_mreq_source mrs;
	struct group_source_req gsr;

	if (len < sizeof(gsr))
		return EINVAL;
	memcpy(&gsr, val, sizeof(gsr));
	if (!fd_storage_addr6(&gsr.gsr_group, &mrs.i6ms_multiaddr) ||
	    !fd_storage_addr6(&gsr.gsr_source, &mrs.i6ms_sourceaddr))
		return EADDRNOTAVAIL;
	mrs.i6ms_interface = gsr.gsr_interface;
	fd_sopt_put6(sopt, &mrs, sizeof(mrs));
	return 0;
}

/* What names the membership. => how many sources lie behind it, as far as the stack takes them */
static uint32_t
fd_groupfilter_head6(const void *val, size_t len, struct bsd_ipv6_msfilter *msf, bool *isfamily)
{
	size_t n = (len - GROUP_FILTER_SIZE(0)) / sizeof(struct sockaddr_storage);
	struct group_filter gf;

	memcpy(&gf, val, GROUP_FILTER_SIZE(0));
	memset(msf, 0, sizeof(*msf));
	*isfamily = fd_storage_addr6(&gf.gf_group, &msf->i6mf_multiaddr);
	msf->i6mf_interface = gf.gf_interface;
	msf->i6mf_fmode = gf.gf_fmode == MCAST_INCLUDE ? BSD_MCAST_INCLUDE
	    : gf.gf_fmode == MCAST_EXCLUDE             ? BSD_MCAST_EXCLUDE
						       : 0;
	msf->i6mf_numsrc = gf.gf_numsrc;
	return (uint32_t)KERN_MIN(n, (size_t)KERN_MIN(gf.gf_numsrc, BSD_IPV6_MSFILTER_MAX));
}

/* More than the stack takes, or than there are, it refuses by itself. No family is looked at, as by Linux. */
static int
fd_set_groupfilter6(struct sockopt *sopt, const void *val, size_t len)
{
	const uint8_t *list = (const uint8_t *)val + GROUP_FILTER_SIZE(0);
	struct bsd_ipv6_msfilter msf;
	struct sockaddr_storage ss;
	bool isfamily;
	uint32_t n;

	if (len < GROUP_FILTER_SIZE(0))
		return EINVAL;
	n = fd_groupfilter_head6(val, len, &msf, &isfamily);
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&ss, list + i * sizeof(ss), sizeof(ss));
		(void)fd_storage_addr6(&ss, &msf.i6mf_slist[i]);
	}
	fd_sopt_put6(sopt, &msf, BSD_IPV6_MSFILTER_LEN(n));
	return 0;
}

int
fd_set_mcast6(struct sockopt *sopt, int name, const void *val, size_t len)
{
	switch (name) {
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return fd_set_group_req6(sopt, val, len);
	case MCAST_MSFILTER:
		return fd_set_groupfilter6(sopt, val, len);
	default:
		return fd_set_group_source_req6(sopt, val, len);
	}
}

/* The head, and the sources that the stack told, into val. => bytes */
static size_t
fd_groupfilter_put6(const struct bsd_ipv6_msfilter *msf, uint32_t n, void *val)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
	struct sockaddr_storage ss = {0};
	struct group_filter gf;

	memcpy(&gf, val, GROUP_FILTER_SIZE(0));
	gf.gf_fmode =
	    msf->i6mf_fmode == BSD_MCAST_EXCLUDE ? MCAST_EXCLUDE : (uint32_t)MCAST_INCLUDE;
	gf.gf_numsrc = msf->i6mf_numsrc;
	memcpy(val, &gf, GROUP_FILTER_SIZE(0));
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&sin6.sin6_addr, &msf->i6mf_slist[i], sizeof(sin6.sin6_addr));
		memcpy(&ss, &sin6, sizeof(sin6));
		memcpy((uint8_t *)val + GROUP_FILTER_SIZE(i), &ss, sizeof(ss));
	}
	return GROUP_FILTER_SIZE(n);
}

/* As Linux, which looks for a membership of that very index here: no interface is no member. */
int
fd_get_mcast6(struct fdsock *fs, int name, void *val, size_t *len)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IPV6, .sopt_name = BSD_IPV6_MSFILTER};
	struct bsd_ipv6_msfilter msf;
	bool isfamily;
	uint32_t n;
	int error;

	if (name != MCAST_MSFILTER)
		return ENOPROTOOPT;
	if (*len < GROUP_FILTER_SIZE(0))
		return EINVAL;
	msf.i6mf_numsrc = fd_groupfilter_head6(val, *len, &msf, &isfamily);
	if (!isfamily)
		return EADDRNOTAVAIL;
	if (msf.i6mf_interface == 0)
		msf.i6mf_interface = UINT32_MAX;
	fd_sopt_put6(&sopt, &msf, sizeof(msf));
	error = sogetopt(fs->fs_so, &sopt);
	if (error != 0)
		return fd_errno(error == BSD_ENODEV ? BSD_EADDRNOTAVAIL : error);
	n = (uint32_t)(sopt.sopt_size - BSD_IPV6_MSFILTER_LEN(0)) / 16;
	memcpy(&msf, sopt.sopt_data, sopt.sopt_size);
	*len = fd_groupfilter_put6(&msf, n, val);
	return 0;
}
