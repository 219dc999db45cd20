/* SPDX-License-Identifier: BSD-2-Clause */
/* The assembled stack: <rumpus/stack.h> over the layers. Text is parsed here and nowhere below. */
#include <rumpus/stack.h>

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/in_var.h"
#include "netinet6/in6_var.h"
#include "wire/ipv4.h"
#include "wire/print.h"

static const struct domain *const stack_domains[] = {&inetdomain, &inet6domain, NULL};

struct netstack *
rumpus_create(const struct rumpus_config *rc)
{
	struct netstack_config nc = {
	    .nc_now_ns = rc->rc_now_ns,
	    .nc_domains = stack_domains,
	    .nc_nmbufs = rc->rc_nmbufs,
	    .nc_nclusters = rc->rc_nclusters,
	    .nc_njumbos = rc->rc_njumbos,
	    .nc_maxsockets = rc->rc_maxsockets,
	    .nc_maxlwps = rc->rc_maxlwps,
	    .nc_maxprocs = rc->rc_maxprocs,
	};

	memcpy(nc.nc_seed, rc->rc_seed, sizeof(nc.nc_seed));
	return netstack_create(&nc);
}

void
rumpus_destroy(struct netstack *ns)
{
	netstack_destroy(ns);
}

void
rumpus_enter(struct netstack *ns, uint64_t now_ns)
{
	netstack_enter(ns, now_ns);
}

void
rumpus_run(struct netstack *ns)
{
	do {
		netstack_run(ns);
	} while (ns->ns_more);
}

uint64_t
rumpus_deadline(const struct netstack *ns)
{
	return netstack_deadline(ns);
}

/* Decimal digits and nothing else. => -1: not a number up to max */
static int
parse_number(const char *text, int max)
{
	int n = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = 10 * n + (*text - '0');
		if (n > max)
			return -1;
	}
	return n;
}

/* "a.b.c.d/len", or without length, which then is 32. */
static int
parse_cidr(const char *text, uint32_t *addr_be, uint8_t *prefixlen)
{
	char addr[IPV4_ADDRSTRLEN];
	size_t n;
	int len = 32;

	for (n = 0; text[n] != '\0' && text[n] != '/'; n++) {
		if (n + 1 == sizeof(addr))
			return EINVAL;
		addr[n] = text[n];
	}
	addr[n] = '\0';
	if (text[n] == '/' && (len = parse_number(text + n + 1, 32)) < 0)
		return EINVAL;
	*prefixlen = (uint8_t)len;
	return ipv4_pton(addr, addr_be) == 0 ? 0 : EINVAL;
}

int
rumpus_addr_add(struct netstack *ns, const char *ifname, const char *cidr)
{
	struct ifnet *ifp = if_byname(ns, ifname);
	uint32_t addr_be;
	uint8_t plen;
	int error;

	if ((error = parse_cidr(cidr, &addr_be, &plen)) != 0)
		return error;
	return ifp == NULL ? ENXIO : in_control_addr(ns, ifp, addr_be, plen);
}

int
rumpus_addr_del(struct netstack *ns, const char *ifname, const char *cidr)
{
	struct ifnet *ifp = if_byname(ns, ifname);
	uint32_t addr_be;
	uint8_t plen;
	int error;

	if ((error = parse_cidr(cidr, &addr_be, &plen)) != 0)
		return error;
	return ifp == NULL ? ENXIO : in_control_deladdr(ns, ifp, addr_be);
}

static int
parse_dst(const char *dst, uint32_t *dst_be, uint8_t *prefixlen)
{
	static const char any[] = "default";
	size_t i;

	for (i = 0; i < sizeof(any) && dst[i] == any[i]; i++)
		if (any[i] == '\0') {
			*dst_be = 0;
			*prefixlen = 0;
			return 0;
		}
	return parse_cidr(dst, dst_be, prefixlen);
}

int
rumpus_route_add(struct netstack *ns, const char *dst, const char *gateway)
{
	uint32_t dst_be, gw_be;
	uint8_t plen;
	int error;

	if ((error = parse_dst(dst, &dst_be, &plen)) != 0)
		return error;
	if (ipv4_pton(gateway, &gw_be) != 0 || gw_be == 0)
		return EINVAL;
	return in_rtadd(ns, dst_be, plen, gw_be, NULL);
}

int
rumpus_route_del(struct netstack *ns, const char *dst)
{
	uint32_t dst_be;
	uint8_t plen;
	int error;

	if ((error = parse_dst(dst, &dst_be, &plen)) != 0)
		return error;
	return in_rtdel(ns, dst_be, plen);
}

int
rumpus_if_up(struct netstack *ns, const char *ifname, bool up)
{
	struct ifnet *ifp = if_byname(ns, ifname);

	return ifp == NULL ? ENXIO : if_setup(ifp, up);
}
