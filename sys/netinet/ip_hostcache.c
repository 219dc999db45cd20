/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of paths: the MTU that a destination's path was found to have (RFC 1191, RFC 5927),
 * and the round trips and slow start thresholds of TCP's connections there (RFC 9040).
 *
 * Theory of operation: who has made sure that a "fragmentation needed" is about a packet that it
 * sent calls in_hostcache_setmtu; ip_route and ip6_route tell the result to all who send there. An entry only
 * ever lowers what the interface has, is forgotten net.inet.tcp.hostcache.expire after it was last
 * lowered (RFC 1191 §6.3), and the oldest gives way at the limit. A change of an MTU raises the
 * generation of the route table, so that no cached route outlives it. Metrics that come later do not
 * lengthen the life of an entry with an MTU; of one without they do.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/route.h"
#include "netinet/in_pcb.h"
#include "netinet/ip_var.h"
#include "wire/ip6.h"

#define HC_LIMIT 15360u  /* net.inet.tcp.hostcache.cachelimit, as FreeBSD */
#define HC_EXPIRE_S 600u /* RFC 1191 §6.3 */

struct ip_host {
	LIST_ENTRY(ip_host) ih_hash;
	TAILQ_ENTRY(ip_host) ih_queue; /* by ih_since_ns */
	uint32_t ih_dst[4];            /* an IPv4 address as IPv6 maps it */
	uint32_t ih_mtu;               /* 0: not lowered */
	struct in_pathmetrics ih_metrics;
	uint64_t ih_since_ns;
};

static const struct sysctl_node hc_nodes[] = {
    {
	.sn_name = "net.inet.tcp.hostcache.enable",
	.sn_text = "paths are remembered",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct ip_hostcache, hc_enable),
	.sn_size = sizeof(uint32_t),
	.sn_min = 0,
	.sn_max = 1,
    },
    {
	.sn_name = "net.inet.tcp.hostcache.cachelimit",
	.sn_text = "most destinations whose path is remembered",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct ip_hostcache, hc_limit),
	.sn_size = sizeof(uint32_t),
	.sn_min = 0,
	.sn_max = HC_LIMIT,
    },
    {
	.sn_name = "net.inet.tcp.hostcache.expire",
	.sn_text = "how long a path is remembered, s",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct ip_hostcache, hc_expire_s),
	.sn_size = sizeof(uint32_t),
	.sn_min = 1,
	.sn_max = 86400,
    },
    {
	.sn_name = "net.inet.tcp.hostcache.count",
	.sn_text = "destinations whose path is remembered",
	.sn_type = SYSCTL_U32,
	.sn_offset = offsetof(struct ip_hostcache, hc_count),
	.sn_size = sizeof(uint32_t),
    },
};

static void
hc_changed(struct netstack *ns)
{
	rt_table(ns, AF_INET)->rtb_gen++;
	rt_table(ns, AF_INET6)->rtb_gen++;
}

static void
hc_free(struct netstack *ns, struct ip_host *ih)
{
	struct ip_hostcache *hc = &ns->ns_inet->is_hostcache;

	if (ih->ih_mtu != 0)
		hc_changed(ns);
	LIST_REMOVE(ih, ih_hash);
	TAILQ_REMOVE(&hc->hc_queue, ih, ih_queue);
	hc->hc_count--;
	pool_put(&hc->hc_pool, ih);
}

static void
hc_arm(struct ip_hostcache *hc)
{
	const struct ip_host *ih = TAILQ_FIRST(&hc->hc_queue);

	if (ih == NULL)
		(void)callout_stop(&hc->hc_expire);
	else
		callout_schedule(&hc->hc_expire, ih->ih_since_ns + hc->hc_expire_s * NSEC_PER_SEC);
}

static void
hc_expire(void *arg)
{
	struct netstack *ns = arg;
	struct ip_hostcache *hc = &ns->ns_inet->is_hostcache;
	struct ip_host *ih;

	while ((ih = TAILQ_FIRST(&hc->hc_queue)) != NULL &&
	    ns->ns_now - ih->ih_since_ns >= hc->hc_expire_s * NSEC_PER_SEC)
		hc_free(ns, ih);
	hc_arm(hc);
}

int
ip_hostcache_init(struct netstack *ns)
{
	struct ip_hostcache *hc = &ns->ns_inet->is_hostcache;
	int error;

	hc->hc_limit = HC_LIMIT;
	hc->hc_expire_s = HC_EXPIRE_S;
	hc->hc_enable = 1;
	TAILQ_INIT(&hc->hc_queue);
	if ((error = pool_init(&hc->hc_pool, "hostcache", sizeof(struct ip_host), HC_LIMIT, 0,
		 &ns->ns_fault)) != 0)
		return error;
	callout_init(&hc->hc_expire, ns, hc_expire, ns);
	sysctl_register(ns, &hc->hc_sysctls, hc_nodes, nitems(hc_nodes), hc);
	return 0;
}

void
ip_hostcache_fini(struct netstack *ns)
{
	struct ip_hostcache *hc = &ns->ns_inet->is_hostcache;
	struct ip_host *ih;

	(void)callout_stop(&hc->hc_expire);
	while ((ih = TAILQ_FIRST(&hc->hc_queue)) != NULL)
		hc_free(ns, ih);
	sysctl_unregister(ns, &hc->hc_sysctls);
	pool_destroy(&hc->hc_pool);
}

static struct ip_host_list *
hc_bucket(struct netstack *ns, const uint32_t dst[4])
{
	return &ns->ns_inet->is_hostcache
		    .hc_hash[siphash24(ns->ns_inet->is_key, dst, 16) % HC_HASHSIZE];
}

static struct ip_host *
hc_find(struct netstack *ns, const uint32_t dst[4])
{
	struct ip_host *ih;

	if (ns->ns_inet->is_hostcache.hc_count == 0 || ns->ns_inet->is_hostcache.hc_enable == 0)
		return NULL;
	LIST_FOREACH(ih, hc_bucket(ns, dst), ih_hash) {
		if (ip6_addr_eq(ih->ih_dst, dst))
			return ih;
	}
	return NULL;
}

uint32_t
in_hostcache_mtu(struct netstack *ns, const uint32_t dst[4])
{
	const struct ip_host *ih = hc_find(ns, dst);

	return ih != NULL ? ih->ih_mtu : 0;
}

static struct ip_host *
hc_new(struct netstack *ns, const uint32_t dst[4])
{
	struct ip_hostcache *hc = &ns->ns_inet->is_hostcache;
	struct ip_host *ih;

	while (hc->hc_count > 0 && hc->hc_count >= hc->hc_limit)
		hc_free(ns, TAILQ_FIRST(&hc->hc_queue));
	if (hc->hc_limit == 0 || hc->hc_enable == 0 || (ih = pool_get_zeroed(&hc->hc_pool)) == NULL)
		return NULL;
	memcpy(ih->ih_dst, dst, sizeof(ih->ih_dst));
	LIST_INSERT_HEAD(hc_bucket(ns, dst), ih, ih_hash);
	TAILQ_INSERT_TAIL(&hc->hc_queue, ih, ih_queue);
	hc->hc_count++;
	return ih;
}

static void
hc_renew(struct netstack *ns, struct ip_host *ih)
{
	struct ip_hostcache *hc = &ns->ns_inet->is_hostcache;

	ih->ih_since_ns = ns->ns_now;
	TAILQ_REMOVE(&hc->hc_queue, ih, ih_queue);
	TAILQ_INSERT_TAIL(&hc->hc_queue, ih, ih_queue);
	hc_arm(hc);
}

void
in_hostcache_setmtu(struct netstack *ns, const uint32_t dst[4], uint32_t mtu, uint32_t was)
{
	struct ip_host *ih = hc_find(ns, dst);

	mtu = in_pmtu_next(mtu, was);
	if (mtu >= was || (ih != NULL && ih->ih_mtu != 0 && mtu >= ih->ih_mtu))
		return;
	if (ih == NULL && (ih = hc_new(ns, dst)) == NULL)
		return;
	ih->ih_mtu = mtu;
	hc_renew(ns, ih);
	hc_changed(ns);
}

void
in_hostcache_getmetrics(struct netstack *ns, const uint32_t dst[4], struct in_pathmetrics *pm)
{
	const struct ip_host *ih = hc_find(ns, dst);

	*pm = ih != NULL ? ih->ih_metrics : (struct in_pathmetrics){0};
}

static uint32_t
hc_mix(uint32_t old, uint32_t new)
{
	if (old == 0 || new == 0)
		return old | new;
	return (uint32_t)(((uint64_t)old + new) / 2);
}

void
in_hostcache_putmetrics(struct netstack *ns, const uint32_t dst[4], const struct in_pathmetrics *pm)
{
	struct ip_host *ih = hc_find(ns, dst);
	struct in_pathmetrics *mine;

	if (ih == NULL && (ih = hc_new(ns, dst)) == NULL)
		return;
	mine = &ih->ih_metrics;
	mine->pm_rtt_us = hc_mix(mine->pm_rtt_us, pm->pm_rtt_us);
	mine->pm_rttvar_us = hc_mix(mine->pm_rttvar_us, pm->pm_rttvar_us);
	mine->pm_ssthresh = hc_mix(mine->pm_ssthresh, pm->pm_ssthresh);
	mine->pm_cwnd = hc_mix(mine->pm_cwnd, pm->pm_cwnd);
	if (ih->ih_mtu == 0)
		hc_renew(ns, ih);
}
