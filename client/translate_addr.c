/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket addresses, Linux to BSD and back. BSD's begin with their length; AF_INET6 has another
 * number. Only the families of the stack: a path or a link address is EAFNOSUPPORT.
 */
#include "translate.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

_Static_assert(sizeof(struct sockaddr_in) == sizeof(struct bsd_sockaddr_in), "same size");
_Static_assert(sizeof(struct sockaddr_in6) == sizeof(struct bsd_sockaddr_in6), "same size");
_Static_assert(offsetof(struct sockaddr_in, sin_addr) == offsetof(struct bsd_sockaddr_in, sin_addr),
    "the two differ in length and family only");
_Static_assert(offsetof(struct sockaddr_in6, sin6_scope_id) ==
	offsetof(struct bsd_sockaddr_in6, sin6_scope_id),
    "the two differ in length and family only");

/* Up to here an IPv6 address reached before it had a scope; Linux takes that length. */
#define SIN6_LEN_RFC2133 24

/* Both sides differ in the first two bytes only. */
struct family_map {
	sa_family_t fm_linux;
	uint8_t fm_bsd;
	uint8_t fm_min;
	uint8_t fm_len;
};

static const struct family_map families[] = {
    {AF_UNSPEC, BSD_AF_UNSPEC, sizeof(sa_family_t), sizeof(struct bsd_sockaddr)},
    {AF_INET, BSD_AF_INET, sizeof(struct sockaddr_in), sizeof(struct bsd_sockaddr_in)},
    {AF_INET6, BSD_AF_INET6, SIN6_LEN_RFC2133, sizeof(struct bsd_sockaddr_in6)},
};
#define NFAMILY (sizeof(families) / sizeof(families[0]))

int
linux_to_bsd_domain(int domain, int *out)
{
	for (size_t i = 0; i < NFAMILY; i++) {
		if (families[i].fm_linux == domain && domain != AF_UNSPEC) {
			*out = families[i].fm_bsd;
			return 0;
		}
	}
	return EAFNOSUPPORT;
}

int
linux_to_bsd_sockaddr(const struct sockaddr *sa, socklen_t len, union bsd_sockaddr_any *out,
    uint32_t *blen)
{
	if (len < sizeof(sa_family_t) || len > sizeof(struct sockaddr_storage))
		return EINVAL;
	if (sa == NULL)
		return EFAULT;
	for (size_t i = 0; i < NFAMILY; i++) {
		const struct family_map *fm = &families[i];

		if (fm->fm_linux != sa->sa_family)
			continue;
		if (len < fm->fm_min)
			return EINVAL;
		memset(out, 0, sizeof(*out));
		memcpy(out, sa, len < fm->fm_len ? len : fm->fm_len);
		out->sa.sa_len = fm->fm_len;
		out->sa.sa_family = fm->fm_bsd;
		*blen = fm->fm_len;
		return 0;
	}
	return EAFNOSUPPORT;
}

void
bsd_to_linux_sockaddr(const union bsd_sockaddr_any *sa, uint32_t blen, struct sockaddr *out,
    socklen_t *len)
{
	struct sockaddr_storage ss;
	socklen_t whole = 0;

	memset(&ss, 0, sizeof(ss));
	for (size_t i = 0; i < NFAMILY && blen >= 2; i++) {
		const struct family_map *fm = &families[i];

		if (fm->fm_bsd != sa->sa.sa_family)
			continue;
		memcpy(&ss, sa, blen < fm->fm_len ? blen : fm->fm_len);
		ss.ss_family = fm->fm_linux;
		whole = fm->fm_linux == AF_UNSPEC ? 0 : fm->fm_len;
		break;
	}
	memcpy(out, &ss, *len < whole ? *len : whole);
	*len = whole;
}
