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
#include "wire/ip6.h"
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

/* An address of either family, as text has it. */
struct text_addr {
	int ta_family;
	uint32_t ta_w[4]; /* IPv4: the first only */
	uint8_t ta_plen;
};

/*
 * "ADDRESS/len", or without length, which then is all bits; "fe80::1%IFNAME" has the scope in it.
 * => EINVAL
 */
static int
parse_cidr(struct netstack *ns, const char *text, struct text_addr *ta)
{
	char addr[IP6_ADDRSTRLEN + 1 + IFNAMSIZ], *zone = NULL;
	const struct ifnet *ifp;
	size_t n;
	int len;

	*ta = (struct text_addr){.ta_family = AF_INET};
	for (n = 0; text[n] != '\0' && text[n] != '/'; n++) {
		if (n + 1 == sizeof(addr))
			return EINVAL;
		addr[n] = text[n];
		if (text[n] == '%' && zone == NULL) {
			zone = &addr[n + 1];
			addr[n] = '\0';
		}
	}
	addr[n] = '\0';
	if (ipv4_pton(addr, &ta->ta_w[0]) != 0) {
		ta->ta_family = AF_INET6;
		if (ip6_pton(addr, ta->ta_w) != 0)
			return EINVAL;
	}
	len = ta->ta_family == AF_INET ? 32 : 128;
	if (text[n] == '/' && (len = parse_number(text + n + 1, len)) < 0)
		return EINVAL;
	ta->ta_plen = (uint8_t)len;
	if (zone == NULL)
		return 0;
	if (ta->ta_family != AF_INET6 || !ip6_is_scoped(ta->ta_w) ||
	    (ifp = if_byname(ns, zone)) == NULL)
		return EINVAL;
	in6_setzone(ta->ta_w, ifp->if_index);
	return 0;
}

static bool
text_is(const char *text, const char *word)
{
	while (*text == *word && *word != '\0') {
		text++;
		word++;
	}
	return *text == *word;
}

int
rumpus_addr_add(struct netstack *ns, const char *ifname, const char *cidr)
{
	struct ifnet *ifp = if_byname(ns, ifname);
	struct text_addr ta;
	int error;

	if (text_is(cidr, "auto"))
		return ifp == NULL ? ENXIO : in6_autoconf(ifp);
	if ((error = parse_cidr(ns, cidr, &ta)) != 0)
		return error;
	if (ifp == NULL)
		return ENXIO;
	return ta.ta_family == AF_INET ? in_control_addr(ns, ifp, ta.ta_w[0], ta.ta_plen)
				       : in6_control_addr(ns, ifp, ta.ta_w, ta.ta_plen);
}

int
rumpus_addr_del(struct netstack *ns, const char *ifname, const char *cidr)
{
	struct ifnet *ifp = if_byname(ns, ifname);
	struct text_addr ta;
	int error;

	if ((error = parse_cidr(ns, cidr, &ta)) != 0)
		return error;
	if (ifp == NULL)
		return ENXIO;
	return ta.ta_family == AF_INET ? in_control_deladdr(ns, ifp, ta.ta_w[0])
				       : in6_control_deladdr(ns, ifp, ta.ta_w);
}

/* A destination; "default" is of the family of like, or of IPv4. */
static int
parse_dst(struct netstack *ns, const char *dst, const struct text_addr *like, struct text_addr *ta)
{
	if (!text_is(dst, "default"))
		return parse_cidr(ns, dst, ta);
	*ta = (struct text_addr){.ta_family = like != NULL ? like->ta_family : AF_INET};
	return 0;
}

int
rumpus_route_add(struct netstack *ns, const char *dst, const char *gateway)
{
	struct text_addr to, gw;
	int error;

	if (parse_cidr(ns, gateway, &gw) != 0 || gw.ta_plen != (gw.ta_family == AF_INET ? 32 : 128))
		return EINVAL;
	if ((error = parse_dst(ns, dst, &gw, &to)) != 0)
		return error;
	if (to.ta_family != gw.ta_family)
		return EINVAL;
	if (to.ta_family == AF_INET6)
		return in6_rtadd(ns, to.ta_w, to.ta_plen, gw.ta_w, NULL);
	return gw.ta_w[0] == 0 ? EINVAL : in_rtadd(ns, to.ta_w[0], to.ta_plen, gw.ta_w[0], NULL);
}

int
rumpus_route_del(struct netstack *ns, const char *dst)
{
	struct text_addr to;
	int error;

	if ((error = parse_dst(ns, dst, NULL, &to)) != 0)
		return error;
	return to.ta_family == AF_INET ? in_rtdel(ns, to.ta_w[0], to.ta_plen)
				       : in6_rtdel(ns, to.ta_w, to.ta_plen);
}

int
rumpus_if_up(struct netstack *ns, const char *ifname, bool up)
{
	struct ifnet *ifp = if_byname(ns, ifname);

	return ifp == NULL ? ENXIO : if_setup(ifp, up);
}
