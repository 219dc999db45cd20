/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IGMP, the host's side (RFC 3376 §5 to §7, RFC 2236 §3, RFC 1112 appendix I): what comes from routers and
 * from other members, and when something is answered or told. igmp_var.h has the theory.
 *
 * The version is that of the oldest querier heard of late (RFC 3376 §7.2.1); that is looked up when it
 * matters, no timer waits for it to end: whatever happens next finds that it has (igmp_settle). Queries are
 * hostile until proven: from the link (TTL 1), with Router Alert from version 2 on (§9.1), to an address
 * that fits what they ask, and no more of them a second than net.inet.igmp.querypps. A general query has one
 * answer of the interface however often it comes, a group's one of the group.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/stat.h"
#include "net/if.h"
#include "net/m_cksum.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/cksum.h"
#include "wire/igmp.h"
#include "wire/ipv4.h"

#define IGMP_RV_INIT 2                          /* RFC 3376 §8.1 */
#define IGMP_QI_INIT_S 125                      /* §8.2 */
#define IGMP_V1V2_REPORT_NS (10 * NSEC_PER_SEC) /* RFC 2236 §8.10 */
#define IGMP_V3_REPORT_NS NSEC_PER_SEC          /* RFC 3376 §8.11 */
#define IGMP_DS_NS (NSEC_PER_SEC / IGMP_TIMER_SCALE)
#define IGMP_GENERALPPS 10u /* general queries heeded a second: each concerns every group */

static const struct sysctl_node igmp_stat_nodes[] = {
#define STAT(name, text) STAT_NODE("net.inet.igmp.stats.", IGMPSTAT_, name, text)
#include "netinet/igmp_stat.def"
#undef STAT
};
STAT_TABLE_CHECK(igmp_stat_nodes, IGMPSTAT_COUNT);

#define IGMP_NODE(name, text, member, min, max)                                                \
	{                                                                                      \
		.sn_name = name, .sn_text = text, .sn_type = SYSCTL_U32, .sn_writable = true,  \
		.sn_offset = offsetof(struct igmp_state, member), .sn_size = sizeof(uint32_t), \
		.sn_min = min, .sn_max = max                                                   \
	}

static const struct sysctl_node igmp_nodes[] = {
    IGMP_NODE("net.inet.igmp.default_version", "version to speak where no older querier is heard",
	igs_version, 1, 3),
    IGMP_NODE("net.inet.igmp.sendlocal", "report members of 224.0.0.0/24, too", igs_sendlocal, 0,
	1),
    IGMP_NODE("net.inet.igmp.needra", "heed only queries with Router Alert, from version 2 on",
	igs_needra, 0, 1),
    IGMP_NODE("net.inet.igmp.querypps", "most queries heeded on an interface, a second",
	igs_querypps, 0, 10000),
};

void
igmp_init(struct netstack *ns)
{
	struct igmp_state *igs = &ns->ns_inet->is_igmp;

	igs->igs_version = 3;
	igs->igs_sendlocal = 1;
	igs->igs_needra = 1;
	igs->igs_querypps = 256;
	stat_register(ns, &igs->igs_stat_sysctls, igmp_stat_nodes, IGMPSTAT_COUNT, igs->igs_stat);
	sysctl_register(ns, &igs->igs_sysctls, igmp_nodes, nitems(igmp_nodes), igs);
}

void
igmp_fini(struct netstack *ns)
{
	struct igmp_state *igs = &ns->ns_inet->is_igmp;

	sysctl_unregister(ns, &igs->igs_sysctls);
	sysctl_unregister(ns, &igs->igs_stat_sysctls);
}

/* --- interfaces ----------------------------------------------------------------------------- */

/* Random in (0, most]. */
static uint64_t
igmp_random(struct netstack *ns, uint64_t most_ns)
{
	return (1 + rng_below(&ns->ns_rng, (uint32_t)(most_ns / NSEC_PER_USEC))) * NSEC_PER_USEC;
}

static bool
igmp_ifisup(const struct ifnet *ifp)
{
	return (ifp->if_flags & (IFF_UP | IFF_MULTICAST | IFF_LOOPBACK)) ==
	    (IFF_UP | IFF_MULTICAST);
}

bool
igmp_isreported(const struct in_multi *inm)
{
	const struct igmp_state *igs = &inm->inm_ifp->if_ns->ns_inet->is_igmp;

	if (inm->inm_group.ia_w[0] == IPV4_ALLHOSTS_BE || !igmp_ifisup(inm->inm_ifp))
		return false;
	return igs->igs_sendlocal != 0 || betoh32(inm->inm_group.ia_w[0]) >> 8 != 0xe00000;
}

static void
igmp_sctimer(void *arg)
{
	struct igmp_ifsoftc *igi = arg;

	if (igmp_settle(igi))
		return;
	igmp_report_changes(igi);
	if (!TAILQ_EMPTY(&igi->igi_changes))
		callout_reset(&igi->igi_sctimer,
		    igmp_random(igi->igi_ifp->if_ns, IGMP_V3_REPORT_NS));
}

static void
igmp_gqtimer(void *arg)
{
	if (!igmp_settle(arg))
		igmp_report_all(arg);
}

struct igmp_ifsoftc *
igmp_ifget(struct ifnet *ifp)
{
	struct netstack *ns = ifp->if_ns;
	struct igmp_ifsoftc *igi = ifp->if_igmp;

	if (igi != NULL)
		return igi;
	if ((igi = kmem_alloc(&ns->ns_fault, sizeof(*igi))) == NULL)
		return NULL;
	igi->igi_ifp = ifp;
	igi->igi_rv = IGMP_RV_INIT;
	igi->igi_qi_s = IGMP_QI_INIT_S;
	TAILQ_INIT(&igi->igi_groups);
	TAILQ_INIT(&igi->igi_changes);
	callout_init(&igi->igi_sctimer, ns, igmp_sctimer, igi);
	callout_init(&igi->igi_gqtimer, ns, igmp_gqtimer, igi);
	igi->igi_pversion = (uint8_t)igmp_version(igi);
	return ifp->if_igmp = igi;
}

void
igmp_ifdetach(struct ifnet *ifp)
{
	struct igmp_ifsoftc *igi = ifp->if_igmp;

	KASSERT(TAILQ_EMPTY(&igi->igi_groups));
	(void)callout_stop(&igi->igi_sctimer);
	(void)callout_stop(&igi->igi_gqtimer);
	ifp->if_igmp = NULL;
	kmem_free(igi, sizeof(*igi));
}

/* --- groups --------------------------------------------------------------------------------- */

static void
inm_stop(struct in_multi *inm)
{
	(void)callout_stop(&inm->inm_timer);
	if (inm->inm_asked != NULL)
		pool_put(&inm->inm_ifp->if_ns->ns_inet->is_mcast.mc_askedpool, inm->inm_asked);
	inm->inm_asked = NULL;
}

static struct in_multi *
igmp_lookup(const struct ifnet *ifp, uint32_t group_be)
{
	return inm_lookup(ifp, &igmp_mproto, &(struct in_addrany){{group_be, 0, 0, 0}});
}

/* A report of version 1 or 2, ours, and its repetition (RFC 2236 §3). */
static void
igmp_report_v1v2(struct in_multi *inm, uint32_t version)
{
	struct ifnet *ifp = inm->inm_ifp;

	inm->inm_reporter = true;
	igmp_send_v1v2(ifp,
	    version == 1 ? IGMP_V1_HOST_MEMBERSHIP_REPORT : IGMP_V2_HOST_MEMBERSHIP_REPORT,
	    inm->inm_group.ia_w[0]);
	if (inm->inm_rv > 0 && --inm->inm_rv > 0)
		callout_reset(&inm->inm_timer, igmp_random(ifp->if_ns, IGMP_V1V2_REPORT_NS));
}

static void
inm_timer(void *arg)
{
	struct in_multi *inm = arg;
	uint32_t version = igmp_version(inm->inm_ifp->if_igmp);

	if (igmp_settle(inm->inm_ifp->if_igmp))
		return;
	if (version == 3)
		igmp_report_group(inm);
	else
		igmp_report_v1v2(inm, version);
	if (!callout_pending(&inm->inm_timer))
		inm_stop(inm);
}

static int
igmp_group_attach(struct in_multi *inm)
{
	if (igmp_ifget(inm->inm_ifp) == NULL)
		return ENOBUFS;
	callout_init(&inm->inm_timer, inm->inm_ifp->if_ns, inm_timer, inm);
	TAILQ_INSERT_TAIL(&inm->inm_ifp->if_igmp->igi_groups, inm, inm_list);
	return 0;
}

static void
igmp_group_detach(struct in_multi *inm)
{
	struct igmp_ifsoftc *igi = inm->inm_ifp->if_igmp;

	inm_stop(inm);
	if (inm->inm_pending)
		TAILQ_REMOVE(&igi->igi_changes, inm, inm_changes);
	inm->inm_pending = false;
	TAILQ_REMOVE(&igi->igi_groups, inm, inm_list);
}

static uint8_t
igmp_robustness(const struct in_multi *inm)
{
	const struct igmp_ifsoftc *igi = inm->inm_ifp->if_igmp;

	return igmp_isreported(inm) && igmp_version(igi) == 3 ? igi->igi_rv : 0;
}

/* Versions 1 and 2 know only that a group is joined or left. */
static void
igmp_change_v1v2(struct in_multi *inm, bool was_heard, uint32_t version)
{
	if (inm->inm_heard == was_heard)
		return;
	inm->inm_rv = 0;
	inm_stop(inm);
	if (inm->inm_heard) {
		inm->inm_rv = inm->inm_ifp->if_igmp->igi_rv;
		igmp_report_v1v2(inm, version);
	} else if (version == 2 && inm->inm_reporter) {
		igmp_send_v1v2(inm->inm_ifp, IGMP_HOST_LEAVE_MESSAGE, inm->inm_group.ia_w[0]);
	}
}

static void
igmp_changed(struct in_multi *inm, bool was_heard)
{
	struct igmp_ifsoftc *igi = inm->inm_ifp->if_igmp;
	uint32_t version = igmp_version(igi);

	if (!inm->inm_heard)
		inm_stop(inm);
	if (!igmp_isreported(inm))
		return;
	if (version != 3) {
		igmp_change_v1v2(inm, was_heard, version);
		return;
	}
	if (!inm_haschanges(inm))
		return;
	if (!inm->inm_pending)
		TAILQ_INSERT_TAIL(&igi->igi_changes, inm, inm_changes);
	inm->inm_pending = true;
	/* What else changes in this run goes with it. */
	callout_reset(&igi->igi_sctimer, 0);
}

/* Nothing is pending any more on the interface. */
static void
igmp_cancel(struct igmp_ifsoftc *igi)
{
	struct in_multi *inm, *next;

	(void)callout_stop(&igi->igi_sctimer);
	(void)callout_stop(&igi->igi_gqtimer);
	TAILQ_FOREACH_SAFE(inm, &igi->igi_groups, inm_list, next) {
		inm_stop(inm);
		inm_forget(igi->igi_ifp->if_ns, inm, &igi->igi_changes);
	}
}

bool
igmp_settle(struct igmp_ifsoftc *igi)
{
	uint8_t version = (uint8_t)igmp_version(igi);

	if (version == igi->igi_pversion)
		return false;
	igi->igi_pversion = version;
	igmp_cancel(igi);
	return true;
}

static void
igmp_group_settle(struct in_multi *inm)
{
	(void)igmp_settle(inm->inm_ifp->if_igmp);
}

const struct in_mproto igmp_mproto = {
    .mp_attach = igmp_group_attach,
    .mp_detach = igmp_group_detach,
    .mp_settle = igmp_group_settle,
    .mp_robustness = igmp_robustness,
    .mp_changed = igmp_changed,
};

void
igmp_ifupdown(struct ifnet *ifp)
{
	struct igmp_ifsoftc *igi = ifp->if_igmp;
	struct in_multi *inm;

	if (igi == NULL)
		return;
	igmp_cancel(igi);
	(void)igmp_settle(igi);
	if ((ifp->if_flags & IFF_UP) == 0)
		return;
	/* Whoever is there now has to be told everything. */
	TAILQ_FOREACH(inm, &igi->igi_groups, inm_list) {
		inm->inm_reporter = false;
		inm->inm_rv = igmp_robustness(inm);
		igmp_changed(inm, false);
	}
}

/* --- queries -------------------------------------------------------------------------------- */

struct igmp_msg {
	struct igmp_hdr im_h;
	struct mbuf *im_m;
	const struct in_rxinfo *im_rx;
	struct igmp_ifsoftc *im_igi;
};

static bool
igmp_hasra(const struct igmp_msg *im)
{
	unsigned found = 0;

	(void)ipv4_opts_scan(im->im_m->m_data + IPV4_HDR_LEN,
	    im->im_rx->rx_hlen - (size_t)IPV4_HDR_LEN, &found);
	return (found & IPV4_OPTF_RA) != 0;
}

/* Does the destination fit what is asked (RFC 3376 §4.1.12, §9.1; RFC 2236 §2.4)? */
static bool
igmp_query_dst_ok(const struct igmp_msg *im)
{
	uint32_t dst_be = im->im_rx->rx_dst.ia_w[0], group_be = im->im_h.igmp_group_be;

	if (!ipv4_is_multicast(dst_be))
		return !im->im_rx->rx_bcast && im->im_h.igmp_version == 3;
	return dst_be == (group_be == 0 ? IPV4_ALLHOSTS_BE : group_be);
}

/* => DROP_COUNT: heed it */
static enum drop_reason
igmp_query_reason(const struct igmp_msg *im)
{
	const struct igmp_hdr *h = &im->im_h;
	struct netstack *ns = im->im_rx->rx_ifp->if_ns;

	if (h->igmp_group_be != 0 &&
	    (h->igmp_version == 1 || !ipv4_is_multicast(h->igmp_group_be))) {
		IGMPSTAT_INC(ns, rcv_badqueries);
		return DROP_IGMP_GROUP;
	}
	if ((h->igmp_group_be == 0 && h->igmp_nsources != 0) || !igmp_query_dst_ok(im)) {
		IGMPSTAT_INC(ns, rcv_badqueries);
		return DROP_IGMP_DST;
	}
	if (h->igmp_version != 1 && ns->ns_inet->is_igmp.igs_needra != 0 && !igmp_hasra(im)) {
		IGMPSTAT_INC(ns, rcv_nora);
		return DROP_IGMP_RA;
	}
	return DROP_COUNT;
}

/* Counts a query. => false: there were too many in this second */
static bool
igmp_ratecheck(struct igmp_ifsoftc *igi, bool general)
{
	struct netstack *ns = igi->igi_ifp->if_ns;

	if (ns->ns_now - igi->igi_window_ns >= NSEC_PER_SEC) {
		igi->igi_window_ns = ns->ns_now;
		igi->igi_nqueries = igi->igi_ngeneral = 0;
	}
	igi->igi_nqueries++;
	igi->igi_ngeneral += general;
	return igi->igi_nqueries <= ns->ns_inet->is_igmp.igs_querypps &&
	    (!general || igi->igi_ngeneral <= IGMP_GENERALPPS);
}

/* What a query tells of the querier (RFC 3376 §4.1.6, §7.2.1, §8.12). */
static void
igmp_learn(struct igmp_ifsoftc *igi, const struct igmp_hdr *h)
{
	uint64_t now = igi->igi_ifp->if_ns->ns_now, until;

	if (h->igmp_version == 3) {
		igi->igi_rv = h->igmp_qrv != 0 ? h->igmp_qrv : IGMP_RV_INIT;
		igi->igi_qi_s = h->igmp_qqi_s != 0 ? h->igmp_qqi_s : IGMP_QI_INIT_S;
		return;
	}
	until = now + igi->igi_rv * (uint64_t)igi->igi_qi_s * NSEC_PER_SEC +
	    h->igmp_maxresp_ds * IGMP_DS_NS;
	if (h->igmp_version == 1)
		igi->igi_v1until_ns = until;
	else if (h->igmp_group_be == 0)
		igi->igi_v2until_ns = until;
}

/* Fires then, or earlier when that is so already. */
static void
igmp_hasten(struct callout *c, uint64_t at)
{
	if (!callout_pending(c) || at < c->c_deadline_ns)
		callout_schedule(c, at);
}

/* RFC 2236 §3: a timer that has longer to run than is asked for begins again. */
static void
igmp_query_v1v2(struct in_multi *inm, uint64_t most_ns)
{
	struct netstack *ns = inm->inm_ifp->if_ns;
	struct callout *c = &inm->inm_timer;

	if (!inm->inm_heard || !igmp_isreported(inm))
		return;
	if (!callout_pending(c) || c->c_deadline_ns > ns->ns_now + most_ns)
		callout_reset(c, igmp_random(ns, most_ns));
}

/*
 * The sources of a query join those already asked for. => false: they are too many to remember, or
 * there is no memory: all is told then
 */
static bool
igmp_ask(struct in_multi *inm, const struct igmp_msg *im)
{
	struct pool *pool = &inm->inm_ifp->if_ns->ns_inet->is_mcast.mc_askedpool;
	size_t off = (size_t)im->im_rx->rx_hlen + IGMP_V3_QUERY_MINLEN;
	struct igmp_asked *iga = inm->inm_asked;
	uint32_t n = im->im_h.igmp_nsources, addr_be, k;

	if (iga == NULL && (iga = inm->inm_asked = pool_get_zeroed(pool)) == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		m_copydata(im->im_m, off + 4 * (size_t)i, 4, &addr_be);
		for (k = 0; k < iga->iga_n && iga->iga_addrs_be[k] != addr_be; k++)
			;
		if (k == IGMP_NASKED)
			return false;
		iga->iga_addrs_be[k] = addr_be;
		iga->iga_n = KERN_MAX(iga->iga_n, k + 1);
	}
	return true;
}

/* A query of a group, or of sources of it (RFC 3376 §5.2, 1 and 3 to 5). */
static void
igmp_query_group(struct in_multi *inm, const struct igmp_msg *im, uint64_t most_ns)
{
	struct netstack *ns = inm->inm_ifp->if_ns;
	uint64_t at = ns->ns_now + igmp_random(ns, most_ns);
	const struct callout *general = &im->im_igi->igi_gqtimer;
	bool pending = callout_pending(&inm->inm_timer);
	struct pool *pool = &ns->ns_inet->is_mcast.mc_askedpool;
	bool whole = im->im_h.igmp_nsources == 0 || (pending && inm->inm_asked == NULL);

	if (callout_pending(general) && general->c_deadline_ns <= at)
		return; /* that answer tells of the group, too */
	if ((whole || !igmp_ask(inm, im)) && inm->inm_asked != NULL) {
		pool_put(pool, inm->inm_asked);
		inm->inm_asked = NULL;
	}
	igmp_hasten(&inm->inm_timer, at);
}

static void
igmp_query_general(struct igmp_ifsoftc *igi, uint64_t most_ns)
{
	struct netstack *ns = igi->igi_ifp->if_ns;
	struct in_multi *inm;

	if (igmp_version(igi) == 3) {
		if (!TAILQ_EMPTY(&igi->igi_groups))
			igmp_hasten(&igi->igi_gqtimer, ns->ns_now + igmp_random(ns, most_ns));
		return;
	}
	TAILQ_FOREACH(inm, &igi->igi_groups, inm_list)
		igmp_query_v1v2(inm, most_ns);
}

/* => DROP_COUNT: it has been heeded */
static enum drop_reason
igmp_query(struct igmp_msg *im)
{
	const struct igmp_hdr *h = &im->im_h;
	struct ifnet *ifp = im->im_rx->rx_ifp;
	uint64_t most_ns = KERN_MAX(h->igmp_maxresp_ds, 1u) * IGMP_DS_NS;
	enum drop_reason why = igmp_query_reason(im);
	struct in_multi *inm;

	if (why != DROP_COUNT)
		return why;
	if ((im->im_igi = igmp_ifget(ifp)) == NULL)
		return DROP_MBUF_NOBUFS;
	if (!igmp_ratecheck(im->im_igi, h->igmp_group_be == 0)) {
		IGMPSTAT_INC(ifp->if_ns, drop_queries);
		if (h->igmp_nsources != 0)
			IGMPSTAT_INC(ifp->if_ns, drop_gsr_queries);
		return DROP_IGMP_RATE;
	}
	igmp_learn(im->im_igi, h);
	(void)igmp_settle(im->im_igi);
	if (h->igmp_group_be == 0) {
		IGMPSTAT_INC(ifp->if_ns, rcv_gen_queries);
		igmp_query_general(im->im_igi, most_ns);
		return DROP_COUNT;
	}
	if (h->igmp_nsources == 0)
		IGMPSTAT_INC(ifp->if_ns, rcv_group_queries);
	else
		IGMPSTAT_INC(ifp->if_ns, rcv_gsr_queries);
	inm = igmp_lookup(ifp, h->igmp_group_be);
	if (inm == NULL || !inm->inm_heard || !igmp_isreported(inm))
		return DROP_IGMP_NOMEMBER;
	if (igmp_version(im->im_igi) == 3)
		igmp_query_group(inm, im, most_ns);
	else
		igmp_query_v1v2(inm, most_ns);
	return DROP_COUNT;
}

/* --- reports of others ---------------------------------------------------------------------- */

/* Another member answered for the group (RFC 2236 §3); version 3 does not care (RFC 3376 §7.2.2). */
static enum drop_reason
igmp_heard_report(const struct igmp_msg *im)
{
	uint32_t group_be = im->im_h.igmp_group_be, src_be = im->im_rx->rx_src.ia_w[0];
	struct ifnet *ifp = im->im_rx->rx_ifp;
	const struct in_ifaddr *ia = in_ifaddr_best(ifp, src_be);
	struct in_multi *inm;

	IGMPSTAT_INC(ifp->if_ns, rcv_reports);
	if (!ipv4_is_multicast(group_be) || im->im_rx->rx_dst.ia_w[0] != group_be) {
		IGMPSTAT_INC(ifp->if_ns, rcv_badreports);
		return DROP_IGMP_DST;
	}
	if (src_be != 0 && (ia == NULL || ((ia->ia_addr_be ^ src_be) & ia->ia_mask_be) != 0)) {
		IGMPSTAT_INC(ifp->if_ns, rcv_badreports);
		return DROP_IGMP_SRC;
	}
	if ((inm = igmp_lookup(ifp, group_be)) == NULL || !inm->inm_heard)
		return DROP_IGMP_NOMEMBER;
	IGMPSTAT_INC(ifp->if_ns, rcv_ourreports);
	if (igmp_version(ifp->if_igmp) != 3) {
		inm_stop(inm);
		inm->inm_rv = 0;
		inm->inm_reporter = false;
	}
	return DROP_COUNT;
}

/* --- input ---------------------------------------------------------------------------------- */

static enum drop_reason
igmp_message(struct igmp_msg *im)
{
	struct netstack *ns = im->im_rx->rx_ifp->if_ns;

	switch (im->im_h.igmp_type) {
	case IGMP_HOST_MEMBERSHIP_QUERY:
		if (im->im_h.igmp_version == 3)
			IGMPSTAT_INC(ns, rcv_v3_queries);
		else
			IGMPSTAT_INC(ns, rcv_v1v2_queries);
		return igmp_query(im);
	case IGMP_V1_HOST_MEMBERSHIP_REPORT:
	case IGMP_V2_HOST_MEMBERSHIP_REPORT:
		return igmp_heard_report(im);
	default:
		return DROP_IGMP_TYPE;
	}
}

/* Length, checksum, TTL: what all messages must have. => DROP_COUNT: im_h is filled in */
static enum drop_reason
igmp_check(struct igmp_msg *im)
{
	const struct in_rxinfo *rx = im->im_rx;
	struct netstack *ns = rx->rx_ifp->if_ns;
	enum igmp_parse_result result;
	uint8_t head[IGMP_V3_QUERY_MINLEN];

	if (rx->rx_len < IGMP_MINLEN) {
		IGMPSTAT_INC(ns, rcv_tooshort);
		return DROP_IGMP_SHORT;
	}
	if (cksum_finish(m_cksum(im->im_m, rx->rx_hlen, rx->rx_len)) != 0) {
		IGMPSTAT_INC(ns, rcv_badsum);
		return DROP_IGMP_CKSUM;
	}
	if (rx->rx_ttl != 1) {
		IGMPSTAT_INC(ns, rcv_badttl);
		return DROP_IGMP_TTL;
	}
	m_copydata(im->im_m, rx->rx_hlen, KERN_MIN(rx->rx_len, (uint32_t)sizeof(head)), head);
	result = igmp_parse(head, rx->rx_len, &im->im_h);
	if (result == IGMP_PARSE_OK)
		return DROP_COUNT;
	IGMPSTAT_INC(ns, rcv_tooshort);
	return DROP_IGMP_LEN;
}

static void
igmp_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct igmp_msg im = {.im_m = m, .im_rx = rx};
	enum drop_reason why;

	IGMPSTAT_INC(rx->rx_ifp->if_ns, rcv_total);
	why = igmp_check(&im);
	if (why == DROP_COUNT && !igmp_ifisup(rx->rx_ifp))
		why = DROP_IGMP_NOMEMBER;
	if (why == DROP_COUNT)
		why = igmp_message(&im);
	if (why == DROP_COUNT)
		m_freem(m);
	else
		m_drop(m, why);
}

const struct in_transport igmp_transport = {
    .it_proto = IPV4_PROTO_IGMP,
    .it_input = igmp_input,
};
