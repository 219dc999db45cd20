/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses of a world: 10.0.0.1 and on; fd00::1 and on, or what a router's prefix fd00::/64 and a
 * station make; and the one of the link, which every host that speaks IPv6 has.
 */
#include "sim/address.h"

#include <string.h>

#include "wire/be.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"

int
address_domain(enum family family)
{
	return family == FAMILY_4 ? BSD_AF_INET : BSD_AF_INET6;
}

void
address_any(int domain, uint16_t port, union bsd_sockaddr_any *sa)
{
	memset(sa, 0, sizeof(*sa));
	if (domain == BSD_AF_INET)
		sa->sin = (struct bsd_sockaddr_in){.sin_len = sizeof(sa->sin),
		    .sin_family = BSD_AF_INET,
		    .sin_port = htobe16(port)};
	else
		sa->sin6 = (struct bsd_sockaddr_in6){.sin6_len = sizeof(sa->sin6),
		    .sin6_family = BSD_AF_INET6,
		    .sin6_port = htobe16(port)};
}

void
address_of(const struct host *h, enum family family, uint32_t ifindex, uint16_t port,
    union bsd_sockaddr_any *sa)
{
	const uint32_t mapped[4] = {0, 0, htobe32(0xffff), h->h_addr_be};

	address_any(address_domain(family), port, sa);
	switch (family) {
	case FAMILY_4:
		sa->sin.sin_addr.s_addr = h->h_addr_be;
		break;
	case FAMILY_6:
		ip6_addr_put(sa->sin6.sin6_addr.s6_bytes, h->h_addr6);
		break;
	case FAMILY_MAPPED:
		ip6_addr_put(sa->sin6.sin6_addr.s6_bytes, mapped);
		break;
	case FAMILY_LOCAL:
		ip6_addr_put(sa->sin6.sin6_addr.s6_bytes, h->h_local6);
		sa->sin6.sin6_scope_id = ifindex;
		break;
	case FAMILY_COUNT:
		break;
	}
}

bool
address_same(const union bsd_sockaddr_any *a, const union bsd_sockaddr_any *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == BSD_AF_INET)
		return a->sin.sin_addr.s_addr == b->sin.sin_addr.s_addr;
	return memcmp(&a->sin6.sin6_addr, &b->sin6.sin6_addr, sizeof(a->sin6.sin6_addr)) == 0 &&
	    a->sin6.sin6_scope_id == b->sin6.sin6_scope_id;
}

void
address_init(struct host *h)
{
	const struct host_plan *hp = &h->h_world->w_plan.pl_hosts[h->h_index];

	h->h_addr_be = ipv4_addr_be(10, 0, 0, (uint8_t)(h->h_index + 1));
	if (hp->hp_ip6 == HOST_IP6_NONE)
		return;
	ip6_linklocal_eui64(h->h_local6, h->h_lladdr);
	memcpy(h->h_addr6, h->h_local6, sizeof(h->h_addr6));
	h->h_addr6[0] = htobe32(SIM_PREFIX);
	if (hp->hp_ip6 == HOST_IP6_STATIC) {
		h->h_addr6[2] = 0;
		h->h_addr6[3] = htobe32(h->h_index + 1);
	}
}

bool
address_is_ip6_of(const struct host *h, const uint32_t addr[4])
{
	return !ip6_is_unspecified(addr) &&
	    (ip6_addr_eq(addr, h->h_addr6) || ip6_addr_eq(addr, h->h_local6));
}
