/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: the host's sockaddr and the protocol's records, to the stack's sockaddr and back. */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define FD_SIN6_MIN 24u /* RFC 2133's sockaddr_in6 had no scope; Linux takes it still */

static const struct {
	int host;
	int bsd;
} fd_domains[] = {
    {AF_UNSPEC, BSD_AF_UNSPEC},
    {AF_INET, BSD_AF_INET},
    {AF_INET6, BSD_AF_INET6},
};

int
fd_domain_in(int domain, int *out)
{
	for (size_t i = 0; i < nitems(fd_domains); i++) {
		if (fd_domains[i].host == domain) {
			*out = fd_domains[i].bsd;
			return 0;
		}
	}
	return EAFNOSUPPORT;
}

int
fd_domain_out(int bsd_family)
{
	for (size_t i = 0; i < nitems(fd_domains); i++) {
		if (fd_domains[i].bsd == bsd_family)
			return fd_domains[i].host;
	}
	return AF_UNSPEC;
}

uint16_t
fd_addr_port(const union fd_addr *addr)
{
	if (addr->sa.sa_len == 0)
		return 0;
	return addr->sa.sa_family == BSD_AF_INET6 ? addr->sin6.sin6_port : addr->sin.sin_port;
}

static int
fd_addr_in4(const void *sa, size_t len, union fd_addr *out)
{
	struct sockaddr_in sin;

	if (len < sizeof(sin))
		return EINVAL;
	memcpy(&sin, sa, sizeof(sin));
	out->sin = (struct bsd_sockaddr_in){.sin_len = sizeof(out->sin),
	    .sin_family = BSD_AF_INET,
	    .sin_port = sin.sin_port,
	    .sin_addr.s_addr = sin.sin_addr.s_addr};
	return 0;
}

static int
fd_addr_in6(const void *sa, size_t len, union fd_addr *out)
{
	struct sockaddr_in6 sin6 = {0};

	if (len < FD_SIN6_MIN)
		return EINVAL;
	memcpy(&sin6, sa, KERN_MIN(len, sizeof(sin6)));
	out->sin6 = (struct bsd_sockaddr_in6){.sin6_len = sizeof(out->sin6),
	    .sin6_family = BSD_AF_INET6,
	    .sin6_port = sin6.sin6_port,
	    .sin6_flowinfo = sin6.sin6_flowinfo,
	    .sin6_scope_id = sin6.sin6_scope_id};
	memcpy(&out->sin6.sin6_addr, &sin6.sin6_addr, sizeof(out->sin6.sin6_addr));
	return 0;
}

int
fd_addr_in(const void *sa, size_t len, union fd_addr *out)
{
	sa_family_t family;

	memset(out, 0, sizeof(*out));
	if (len < sizeof(family) || len > sizeof(struct sockaddr_storage))
		return EINVAL;
	memcpy(&family, sa, sizeof(family));
	switch (family) {
	case AF_UNSPEC:
		out->sa.sa_len = sizeof(out->sa);
		out->sa.sa_family = BSD_AF_UNSPEC;
		return 0;
	case AF_INET:
		return fd_addr_in4(sa, len, out);
	case AF_INET6:
		return fd_addr_in6(sa, len, out);
	default:
		return EAFNOSUPPORT;
	}
}

size_t
fd_addr_out(const struct bsd_sockaddr *sa, void *out)
{
	const union fd_addr *from = (const union fd_addr *)sa;
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
	struct sockaddr_in sin = {.sin_family = AF_INET};

	if (sa->sa_family == BSD_AF_INET6) {
		sin6.sin6_port = from->sin6.sin6_port;
		sin6.sin6_flowinfo = from->sin6.sin6_flowinfo;
		sin6.sin6_scope_id = from->sin6.sin6_scope_id;
		memcpy(&sin6.sin6_addr, &from->sin6.sin6_addr, sizeof(sin6.sin6_addr));
		memcpy(out, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}
	if (sa->sa_family == BSD_AF_INET) {
		sin.sin_port = from->sin.sin_port;
		sin.sin_addr.s_addr = from->sin.sin_addr.s_addr;
	}
	memcpy(out, &sin, sizeof(sin));
	return sizeof(sin);
}

void
fd_addr_split(const struct bsd_sockaddr *sa, uint16_t *family, uint16_t *port, uint8_t *addr,
    uint32_t *scope)
{
	const union fd_addr *from = (const union fd_addr *)sa;

	*family = (uint16_t)fd_domain_out(sa->sa_family);
	if (sa->sa_family == BSD_AF_INET6) {
		*port = from->sin6.sin6_port;
		*scope = from->sin6.sin6_scope_id;
		memcpy(addr, &from->sin6.sin6_addr, 16);
	} else if (sa->sa_family == BSD_AF_INET) {
		*port = from->sin.sin_port;
		memcpy(addr, &from->sin.sin_addr, 4);
	}
}

int
fd_dgram_addr(const struct fdsock_dgram *dg, union fd_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (dg->dg_family == AF_INET) {
		out->sin.sin_len = sizeof(out->sin);
		out->sin.sin_family = BSD_AF_INET;
		out->sin.sin_port = dg->dg_port;
		memcpy(&out->sin.sin_addr, dg->dg_addr, 4);
		return 0;
	}
	if (dg->dg_family == AF_INET6) {
		out->sin6.sin6_len = sizeof(out->sin6);
		out->sin6.sin6_family = BSD_AF_INET6;
		out->sin6.sin6_port = dg->dg_port;
		out->sin6.sin6_flowinfo = dg->dg_flowinfo;
		out->sin6.sin6_scope_id = dg->dg_scope_id;
		memcpy(&out->sin6.sin6_addr, dg->dg_addr, 16);
		return 0;
	}
	return EAFNOSUPPORT;
}
