/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's options about groups of IPv6 and their sources (RFC 3678 §5.2), by interface and sockaddr, made
 * into those that the stack has, and whole filters read back. As those of IPv4 (translate_mcast.c).
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "translate.h"

/* => false: another family; the address is what lies there */
static bool
storage_addr6(const struct sockaddr_storage *ss, struct bsd_in6_addr *addr)
{
	struct sockaddr_in6 sin6;

	memcpy(&sin6, ss, sizeof(sin6));
	memcpy(addr, &sin6.sin6_addr, sizeof(*addr));
	return sin6.sin6_family == AF_INET6;
}

static int
put_group_req6(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	struct bsd_ipv6_mreq mreq;
	struct group_req gr;

	if (len < sizeof(gr))
		return EINVAL;
	memcpy(&gr, val, sizeof(gr));
	if (!storage_addr6(&gr.gr_group, &mreq.ipv6mr_multiaddr))
		return EADDRNOTAVAIL;
	mreq.ipv6mr_interface = gr.gr_interface;
	memcpy(out->bo_bytes, &mreq, sizeof(mreq));
	*blen = sizeof(mreq);
	return 0;
}

static int
put_group_source_req6(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	struct bsd_ipv6_mreq_source mrs;
	struct group_source_req gsr;

	if (len < sizeof(gsr))
		return EINVAL;
	memcpy(&gsr, val, sizeof(gsr));
	if (!storage_addr6(&gsr.gsr_group, &mrs.i6ms_multiaddr) ||
	    !storage_addr6(&gsr.gsr_source, &mrs.i6ms_sourceaddr))
		return EADDRNOTAVAIL;
	mrs.i6ms_interface = gsr.gsr_interface;
	memcpy(out->bo_bytes, &mrs, sizeof(mrs));
	*blen = sizeof(mrs);
	return 0;
}

/* How many sources a value of len bytes, a head at least, has, as far as the stack takes them. */
static uint32_t
sources_fit6(uint32_t numsrc, size_t len)
{
	size_t n = (len - GROUP_FILTER_SIZE(0)) / sizeof(struct sockaddr_storage);

	if (n > BSD_IPV6_MSFILTER_MAX)
		n = BSD_IPV6_MSFILTER_MAX;
	return n < numsrc ? (uint32_t)n : numsrc;
}

/* => EINVAL: too short for a head; EADDRNOTAVAIL: a group of another family */
static int
get_head6(const void *val, socklen_t len, struct bsd_ipv6_msfilter *msf)
{
	struct group_filter gf;

	if (len < GROUP_FILTER_SIZE(0))
		return EINVAL;
	memcpy(&gf, val, GROUP_FILTER_SIZE(0));
	memset(msf, 0, sizeof(*msf));
	msf->i6mf_interface = gf.gf_interface;
	msf->i6mf_fmode = gf.gf_fmode == MCAST_INCLUDE ? BSD_MCAST_INCLUDE
	    : gf.gf_fmode == MCAST_EXCLUDE             ? BSD_MCAST_EXCLUDE
						       : 0;
	msf->i6mf_numsrc = gf.gf_numsrc;
	return storage_addr6(&gf.gf_group, &msf->i6mf_multiaddr) ? 0 : EADDRNOTAVAIL;
}

/* More than the stack takes, or than there are, it refuses by itself. No family is looked at, as by Linux. */
static int
put_msfilter6(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	const uint8_t *list = (const uint8_t *)val + GROUP_FILTER_SIZE(0);
	struct bsd_ipv6_msfilter *msf = &out->bo_msfilter6;
	struct sockaddr_storage ss;
	uint32_t n;

	if (get_head6(val, len, msf) == EINVAL)
		return EINVAL;
	n = sources_fit6(msf->i6mf_numsrc, len);
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&ss, list + i * sizeof(ss), sizeof(ss));
		(void)storage_addr6(&ss, &msf->i6mf_slist[i]);
	}
	*blen = BSD_IPV6_MSFILTER_LEN(n);
	return 0;
}

int
linux_to_bsd_mcast6(int name, const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	switch (name) {
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return put_group_req6(val, len, out, blen);
	case MCAST_MSFILTER:
		return put_msfilter6(val, len, out, blen);
	default:
		return put_group_source_req6(val, len, out, blen);
	}
}

int
linux_to_bsd_msfilter6_ask(const void *val, socklen_t len, struct bsd_ipv6_msfilter *out)
{
	int error = get_head6(val, len, out);

	if (error != 0)
		return error;
	if (out->i6mf_interface == 0)
		out->i6mf_interface = UINT32_MAX; /* as Linux: no interface is no member here */
	out->i6mf_numsrc = sources_fit6(out->i6mf_numsrc, len);
	return 0;
}

void
bsd_to_linux_msfilter6(const struct bsd_ipv6_msfilter *in, uint32_t blen, void *val, socklen_t *len)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
	struct sockaddr_storage ss = {0};
	struct group_filter gf;
	uint32_t n;

	if (blen < BSD_IPV6_MSFILTER_LEN(0) || *len < GROUP_FILTER_SIZE(0)) {
		*len = 0;
		return;
	}
	n = sources_fit6((blen - BSD_IPV6_MSFILTER_LEN(0)) / 16, *len);
	memcpy(&gf, val, GROUP_FILTER_SIZE(0));
	gf.gf_fmode = in->i6mf_fmode == BSD_MCAST_EXCLUDE ? MCAST_EXCLUDE : MCAST_INCLUDE;
	gf.gf_numsrc = in->i6mf_numsrc;
	memcpy(val, &gf, GROUP_FILTER_SIZE(0));
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&sin6.sin6_addr, &in->i6mf_slist[i], sizeof(sin6.sin6_addr));
		memcpy(&ss, &sin6, sizeof(sin6));
		memcpy((uint8_t *)val + GROUP_FILTER_SIZE(i), &ss, sizeof(ss));
	}
	*len = GROUP_FILTER_SIZE(n);
}
