/* SPDX-License-Identifier: BSD-2-Clause */
/* What speaks as a router would. See router.h. */
#include "sim/router.h"

#include <stdlib.h>
#include <string.h>

#include "sim/host.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/igmp.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"

#define ANSWER_NS (500 * SIM_MS) /* MAX_RA_DELAY_TIME */
#define RA_LIFETIME_S 1800
#define RA_MAX (ND_RA_LEN + ND_OPT_LLA_LEN + ND_OPT_MTU_LEN + ND_OPT_PREFIX_LEN)
#define FRAME_MAX (ETHER_HDR_LEN + PLAN_MTU)
#define ROUTER_NUMBER 0xfe /* the last byte of all its addresses */

static const uint8_t station[ETHER_ADDR_LEN] = {2, 0, 0, 0, 0, ROUTER_NUMBER};

struct router {
	struct rng ro_rng;
	bool ro_answering; /* an advertisement is due, as a host has asked */
};

/* -- its addresses ---------------------------------------------------------------------------- */

static void
router_local(uint32_t addr[4])
{
	ip6_linklocal_eui64(addr, station);
}

static void
router_global(uint32_t addr[4])
{
	addr[0] = htobe32(SIM_PREFIX);
	addr[1] = addr[2] = 0;
	addr[3] = htobe32(ROUTER_NUMBER);
}

static bool
router_has(const uint32_t addr[4])
{
	uint32_t own[4];

	router_local(own);
	if (ip6_addr_eq(addr, own))
		return true;
	router_global(own);
	return ip6_addr_eq(addr, own);
}

bool
router_is_station(const struct world *w, const uint8_t lladdr[6])
{
	return w->w_router != NULL && ether_addr_equal(lladdr, station);
}

/* -- messages --------------------------------------------------------------------------------- */

struct message {
	uint32_t me_src[4], me_dst[4];
	struct host *me_to; /* NULL: to all, me_dst is a group */
	uint8_t me_hlim;
};

/* A message of ICMPv6, its sum not yet made. opts: a hop-by-hop header before it, of 8 bytes, or NULL */
static void
router_send6(struct world *w, const struct message *me, uint8_t *icmp6, size_t len,
    const uint8_t *opts)
{
	uint8_t frame[ETHER_HDR_LEN + IP6_MTU_MIN];
	uint8_t *p = frame + ETHER_HDR_LEN + IP6_HDR_LEN;
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IPV6};
	struct ip6_hdr ip6 = {.ip6_plen = (uint16_t)(len + (opts != NULL ? IP6_EXT_UNIT : 0)),
	    .ip6_nxt = opts != NULL ? IP6_NXT_HOPOPTS : IP6_NXT_ICMP6,
	    .ip6_hlim = me->me_hlim};
	uint32_t sum = cksum_pseudo6(me->me_src, me->me_dst, IP6_NXT_ICMP6, (uint32_t)len);

	be16_put(icmp6 + ICMP6_OFF_SUM, 0);
	be16_put(icmp6 + ICMP6_OFF_SUM, cksum_finish(cksum_partial(icmp6, len, sum)));
	memcpy(ip6.ip6_src, me->me_src, sizeof(ip6.ip6_src));
	memcpy(ip6.ip6_dst, me->me_dst, sizeof(ip6.ip6_dst));
	memcpy(eh.ether_shost, station, sizeof(station));
	if (me->me_to != NULL)
		memcpy(eh.ether_dhost, me->me_to->h_lladdr, ETHER_ADDR_LEN);
	else
		ether_map_ip6_multicast(eh.ether_dhost, me->me_dst[3]);
	ether_emit(frame, &eh);
	ip6_emit(frame + ETHER_HDR_LEN, &ip6);
	if (opts != NULL) {
		memcpy(p, opts, IP6_EXT_UNIT);
		p += IP6_EXT_UNIT;
	}
	memcpy(p, icmp6, len);
	wire_inject(w, me->me_to, frame, (size_t)(p - frame) + len);
}

/* -- advertisements --------------------------------------------------------------------------- */

/* What it says of itself, the link and the prefix. => bytes */
static size_t
ra_emit(const struct router_plan *rp, uint8_t ra[RA_MAX])
{
	const struct icmp6_hdr icmp6 = {.icmp6_type = ICMP6_RA,
	    .icmp6_word = 64u << 24 | RA_LIFETIME_S}; /* hop limit, lifetime */
	uint32_t prefix[4] = {htobe32(SIM_PREFIX), 0, 0, 0};
	uint8_t *p = ra + ND_RA_LEN;

	memset(ra, 0, RA_MAX);
	icmp6_emit(ra, &icmp6);
	p += nd_opt_lla_emit(p, ND_OPT_SLLA, station);
	if (rp->rp_mtu != 0) {
		p[0] = ND_OPT_MTU;
		p[1] = ND_OPT_MTU_LEN / 8;
		be32_put(p + 4, rp->rp_mtu);
		p += ND_OPT_MTU_LEN;
	}
	p[0] = ND_OPT_PREFIX;
	p[1] = ND_OPT_PREFIX_LEN / 8;
	p[2] = 64;
	p[3] = rp->rp_offlink ? 0x40 : 0xc0; /* for addresses; and on the link */
	be32_put(p + 4, rp->rp_valid_s);
	be32_put(p + 8, rp->rp_preferred_s);
	ip6_addr_put(p + 16, prefix);
	return (size_t)(p + ND_OPT_PREFIX_LEN - ra);
}

static void
router_advertise(struct world *w)
{
	struct message me = {.me_dst = {htobe32(0xff020000), 0, 0, htobe32(1)}, .me_hlim = 255};
	uint8_t ra[RA_MAX];
	size_t len = ra_emit(&w->w_plan.pl_router, ra);

	router_local(me.me_src);
	router_send6(w, &me, ra, len, NULL);
}

/* General queries of MLD (RFC 3810 §5.1) and of IGMP (RFC 3376 §4.1): all are to be told within 10 s. */
static void
router_query(struct world *w)
{
	static const uint8_t alert6[IP6_EXT_UNIT] = {IP6_NXT_ICMP6, 0, IP6_OPT_RALERT, 2, 0, 0,
	    IP6_OPT_PADN, 0};
	static const uint8_t alert4[4] = {IPV4_OPT_RA, 4, 0, 0};
	const struct icmp6_hdr icmp6 = {.icmp6_type = ICMP6_MLD_QUERY, .icmp6_word = 10000u << 16};
	const struct igmp_query iq = {.iq_code = 100, .iq_s_qrv = 2, .iq_qqic = 125};
	struct message me = {.me_dst = {htobe32(0xff020000), 0, 0, htobe32(1)}, .me_hlim = 1};
	struct ipv4_hdr ip = {.ip_len = IPV4_HDR_LEN + sizeof(alert4) + IGMP_V3_QUERY_MINLEN,
	    .ip_ttl = 1,
	    .ip_p = IPV4_PROTO_IGMP,
	    .ip_src_be = ipv4_addr_be(10, 0, 0, ROUTER_NUMBER),
	    .ip_dst_be = IPV4_ALLHOSTS_BE};
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IP};
	uint8_t mld[MLD2_QUERY_LEN] = {0}, frame[ETHER_MIN_LEN] = {0};
	size_t off = ETHER_HDR_LEN;

	icmp6_emit(mld, &icmp6);
	router_local(me.me_src);
	router_send6(w, &me, mld, sizeof(mld), alert6);
	memcpy(eh.ether_shost, station, sizeof(station));
	ether_map_ipv4_multicast(eh.ether_dhost, ip.ip_dst_be);
	ether_emit(frame, &eh);
	off += ipv4_emit_opts(frame + off, &ip, alert4, sizeof(alert4));
	(void)igmp_emit_query(frame + off, &iq, NULL, 0);
	wire_inject(w, NULL, frame, sizeof(frame));
}

static void
router_turn(struct world *w, void *arg, uint64_t tag)
{
	const struct router_plan *rp = &w->w_plan.pl_router;
	const struct event next = {.ev_time_ns = w->w_now_ns + rp->rp_interval_ns,
	    .ev_do = router_turn};

	(void)arg;
	(void)tag;
	if (w->w_over) /* it goes, so that all that it said can run out */
		return;
	router_advertise(w);
	if (rp->rp_queries)
		router_query(w);
	event_add(&w->w_events, &next);
}

static void
router_answer(struct world *w, void *arg, uint64_t tag)
{
	struct router *ro = arg;

	(void)tag;
	ro->ro_answering = false;
	if (!w->w_over)
		router_advertise(w);
}

void
router_make(struct world *w)
{
	const struct router_plan *rp = &w->w_plan.pl_router;
	uint8_t seed[32];
	struct event first = {.ev_do = router_turn};

	if (!rp->rp_there)
		return;
	w->w_router = sim_alloc(sizeof(*w->w_router));
	plan_seed(w->w_plan.pl_seed, 3, seed);
	rng_init(&w->w_router->ro_rng, seed);
	first.ev_time_ns = w->w_now_ns + rng_u64(&w->w_router->ro_rng) % rp->rp_interval_ns;
	event_add(&w->w_events, &first);
}

void
router_unmake(struct world *w)
{
	free(w->w_router);
}

/* -- what it is asked ------------------------------------------------------------------------- */

static void
router_solicited(struct world *w)
{
	struct router *ro = w->w_router;
	const struct event answer = {.ev_time_ns = w->w_now_ns + rng_u64(&ro->ro_rng) % ANSWER_NS,
	    .ev_do = router_answer,
	    .ev_arg = ro};

	if (ro->ro_answering)
		return;
	ro->ro_answering = true;
	event_add(&w->w_events, &answer);
}

/* A solicitation of a neighbour: of the router? */
static void
router_asked(struct host *from, const struct ip6_hdr *ip6, const uint8_t *ns, size_t len)
{
	struct icmp6_hdr icmp6 = {.icmp6_type = ICMP6_NA,
	    .icmp6_word = ND_NA_ROUTER | ND_NA_SOLICITED | ND_NA_OVERRIDE};
	struct message me = {.me_to = from, .me_hlim = 255};
	uint8_t na[ND_NA_LEN + ND_OPT_LLA_LEN];
	uint32_t target[4];

	if (len < ND_NS_LEN)
		return;
	ip6_addr_get(target, ns + ND_OFF_TARGET);
	if (!router_has(target) || ip6_is_unspecified(ip6->ip6_src))
		return;
	icmp6_emit(na, &icmp6);
	ip6_addr_put(na + ND_OFF_TARGET, target);
	(void)nd_opt_lla_emit(na + ND_NA_LEN, ND_OPT_TLLA, station);
	memcpy(me.me_src, target, sizeof(target));
	memcpy(me.me_dst, ip6->ip6_src, sizeof(me.me_dst));
	router_send6(from->h_world, &me, na, sizeof(na), NULL);
}

static void
router_icmp6(struct host *from, const struct ip6_hdr *ip6, const uint8_t *p)
{
	uint32_t sum = cksum_pseudo6(ip6->ip6_src, ip6->ip6_dst, IP6_NXT_ICMP6, ip6->ip6_plen);

	if (ip6->ip6_hlim != 255 || ip6->ip6_plen < ICMP6_HDR_LEN ||
	    cksum_finish(cksum_partial(p, ip6->ip6_plen, sum)) != 0)
		return;
	if (p[0] == ICMP6_RS)
		router_solicited(from->h_world);
	else if (p[0] == ICMP6_NS)
		router_asked(from, ip6, p, ip6->ip6_plen);
}

/* Passes a packet on to the host that has its destination, if there is one. */
static void
router_forward(struct host *from, const struct ip6_hdr *ip6, const uint8_t *frame, size_t len)
{
	struct world *w = from->h_world;
	uint8_t next[FRAME_MAX];
	const struct frame fr = {.fr_bytes = next, .fr_len = len};

	if (ip6->ip6_hlim <= 1 || ip6_is_scoped(ip6->ip6_src) || ip6_is_scoped(ip6->ip6_dst) ||
	    len > sizeof(next))
		return;
	for (unsigned i = 0; i < w->w_plan.pl_nhosts; i++) {
		struct host *to = &w->w_hosts[i];

		if (!ip6_addr_eq(ip6->ip6_dst, to->h_addr6))
			continue;
		memcpy(next, frame, len);
		memcpy(next, to->h_lladdr, ETHER_ADDR_LEN);
		memcpy(next + ETHER_ADDR_LEN, station, ETHER_ADDR_LEN);
		next[ETHER_HDR_LEN + IP6_OFF_HLIM]--;
		wire_deliver(from, to, &fr);
	}
}

void
router_input(struct host *from, const uint8_t *frame, size_t len)
{
	const uint8_t *packet = frame + ETHER_HDR_LEN;
	struct ether_hdr eh;
	struct ip6_hdr ip6;

	if (from->h_world->w_router == NULL || ether_parse(frame, len, &eh) != 0 ||
	    eh.ether_type != ETHERTYPE_IPV6 ||
	    ip6_parse_partial(packet, len - ETHER_HDR_LEN, len - ETHER_HDR_LEN, &ip6) !=
		IP6_PARSE_OK)
		return;
	if (ip6_is_multicast(ip6.ip6_dst) || router_has(ip6.ip6_dst)) {
		if (ip6.ip6_nxt == IP6_NXT_ICMP6)
			router_icmp6(from, &ip6, packet + IP6_HDR_LEN);
	} else if (ether_addr_equal(eh.ether_dhost, station)) {
		router_forward(from, &ip6, frame, len);
	}
}

/* -- what is too long ------------------------------------------------------------------------- */

static void
router_needfrag(struct host *from, const uint8_t *packet, size_t len, uint32_t mtu)
{
	uint8_t answer[ETHER_HDR_LEN + IPV4_HDR_LEN + ICMP4_HDR_LEN + IPV4_HDR_LEN + 8];
	uint8_t *ip = answer + ETHER_HDR_LEN, *icmp = ip + IPV4_HDR_LEN;
	struct icmp4_hdr ih = {.icmp_type = ICMP4_UNREACH,
	    .icmp_code = ICMP4_UNREACH_NEEDFRAG,
	    .icmp_seq = (uint16_t)mtu};
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IP};
	struct ipv4_hdr inner,
	    outer = {.ip_len = sizeof(answer) - ETHER_HDR_LEN,
		.ip_ttl = 64,
		.ip_p = IPV4_PROTO_ICMP,
		.ip_src_be = ipv4_addr_be(10, 0, 0, ROUTER_NUMBER)};

	if (ipv4_parse(packet, len, &inner) != IPV4_PARSE_OK || !inner.ip_df ||
	    inner.ip_hl != IPV4_HDR_LEN || inner.ip_p == IPV4_PROTO_ICMP)
		return;
	memcpy(eh.ether_shost, station, sizeof(station));
	memcpy(eh.ether_dhost, from->h_lladdr, ETHER_ADDR_LEN);
	ether_emit(answer, &eh);
	outer.ip_dst_be = inner.ip_src_be;
	ipv4_emit(ip, &outer);
	icmp4_emit(icmp, &ih);
	memcpy(icmp + ICMP4_HDR_LEN, packet, IPV4_HDR_LEN + 8);
	ih.icmp_sum = cksum_finish(cksum_partial(icmp, ICMP4_HDR_LEN + IPV4_HDR_LEN + 8, 0));
	icmp4_emit(icmp, &ih);
	wire_inject(from->h_world, from, answer, sizeof(answer));
}

/* As much of the packet as fits into the smallest MTU goes with it (RFC 4443 §2.4 (c)). */
static void
router_toobig(struct host *from, const uint8_t *packet, size_t len, uint32_t mtu)
{
	uint8_t answer[IP6_MTU_MIN - IP6_HDR_LEN];
	const struct icmp6_hdr icmp6 = {.icmp6_type = ICMP6_TOOBIG, .icmp6_word = mtu};
	struct message me = {.me_to = from, .me_hlim = 64};
	size_t quote = sizeof(answer) - ICMP6_HDR_LEN;
	struct ip6_hdr inner;

	if (ip6_parse_partial(packet, len, len, &inner) != IP6_PARSE_OK ||
	    inner.ip6_nxt == IP6_NXT_ICMP6)
		return;
	quote = len < quote ? len : quote;
	icmp6_emit(answer, &icmp6);
	memcpy(answer + ICMP6_HDR_LEN, packet, quote);
	memcpy(me.me_dst, inner.ip6_src, sizeof(me.me_dst));
	if (ip6_is_linklocal(inner.ip6_src))
		router_local(me.me_src);
	else
		router_global(me.me_src);
	router_send6(from->h_world, &me, answer, ICMP6_HDR_LEN + quote, NULL);
}

void
router_too_long(struct host *from, const uint8_t *frame, size_t len, uint32_t mtu)
{
	const uint8_t *packet = frame + ETHER_HDR_LEN;
	struct ether_hdr eh;

	if (ether_parse(frame, len, &eh) != 0)
		return;
	if (eh.ether_type == ETHERTYPE_IPV6)
		router_toobig(from, packet, len - ETHER_HDR_LEN, mtu);
	else
		router_needfrag(from, packet, len - ETHER_HDR_LEN, mtu);
}
