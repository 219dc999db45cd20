/* SPDX-License-Identifier: BSD-2-Clause */
/* IGMP, the host's side: what is told of memberships and when, the three versions, hostile queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/testutil.h"
#include "net/net_state.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/igmp.h"

#define A ipv4_addr_be(10, 0, 0, 1)
#define ROUTER ipv4_addr_be(10, 0, 0, 254)
#define GROUP ipv4_addr_be(239, 1, 2, 3)
#define OTHER ipv4_addr_be(239, 1, 2, 4)
#define S1 ipv4_addr_be(10, 9, 0, 1)
#define S2 ipv4_addr_be(10, 9, 0, 2)
#define MAXRECS 600

static struct netstack *ns;
static struct testif ti;
static struct socket *so;

/* What was told, one entry a record (version 3), report or leave. */
static struct told {
	uint8_t type;
	uint32_t group_be;
	uint32_t dst_be;
	unsigned nsrcs;
	uint32_t srcs_be[400];
	uint64_t at_ns;
} told[MAXRECS];
static unsigned ntold;

static int
setup(void **state)
{
	(void)state;
	ns = in_teststack();
	assert_int_equal(testif_attach(ns, &ti, 1, A), 0);
	so = test_udpsocket(ns);
	netstack_enter(ns, ns->ns_now + 10 * NSEC_PER_SEC);
	netstack_run(ns);
	testif_clear(&ti);
	ntold = 0;
	return 0;
}

static void
tell(uint8_t type, uint32_t group_be, uint32_t dst_be)
{
	assert_true(ntold < MAXRECS);
	told[ntold++] = (struct told){.type = type,
	    .group_be = group_be,
	    .dst_be = dst_be,
	    .at_ns = ns->ns_now};
}

static void
take_records(const uint8_t *p, size_t len, uint32_t dst_be)
{
	struct igmp_record_iter iter;
	struct igmp_record ig;

	assert_true(igmp_record_first(&iter, p, len));
	while (igmp_record_next(&iter, &ig)) {
		tell(ig.ig_type, ig.ig_group_be, dst_be);
		for (unsigned i = 0; i < ig.ig_nsources; i++)
			told[ntold - 1].srcs_be[told[ntold - 1].nsrcs++] =
			    raw32_get(ig.ig_sources + 4 * (size_t)i);
	}
	assert_false(iter.ri_malformed);
	assert_int_equal(iter.ri_left, 0);
}

/* Every message is what RFC 3376 §4 wants: TTL 1, TOS 0xc0, Router Alert, right checksums. */
static void
take_message(const uint8_t *frame, size_t len)
{
	uint8_t ether[6];
	struct ipv4_hdr ip;
	unsigned found;
	const uint8_t *p = frame + ETHER_HDR_LEN;

	assert_int_equal(ipv4_parse(p, len - ETHER_HDR_LEN, &ip), IPV4_PARSE_OK);
	if (ip.ip_p != IPV4_PROTO_IGMP)
		return;
	assert_true(ipv4_cksum_ok(p, ip.ip_hl));
	assert_int_equal(ip.ip_ttl, 1);
	assert_int_equal(ip.ip_tos, 0xc0);
	assert_int_equal(ip.ip_hl, 24);
	assert_int_equal(ipv4_opts_scan(p + 20, 4, &found), 0);
	assert_int_equal(found, IPV4_OPTF_RA);
	ether_map_ipv4_multicast(ether, ip.ip_dst_be);
	assert_memory_equal(frame, ether, 6);
	p += ip.ip_hl;
	assert_true(igmp_cksum_ok(p, (size_t)ip.ip_len - ip.ip_hl));
	if (p[0] == IGMP_V3_HOST_MEMBERSHIP_REPORT)
		take_records(p, (size_t)ip.ip_len - ip.ip_hl, ip.ip_dst_be);
	else
		tell(p[0], raw32_get(p + 4), ip.ip_dst_be);
}

static void
take_frames(void)
{
	for (unsigned i = 0; i < ti.ti_n; i++) {
		if (be16_get(ti.ti_frames[i].bytes + 12) == ETHERTYPE_IP)
			take_message(ti.ti_frames[i].bytes, ti.ti_frames[i].len);
	}
	testif_clear(&ti);
}

/* Lets time pass; told has what was said meanwhile, anew. */
static void
pass(uint64_t delay_ns)
{
	uint64_t end = ns->ns_now + delay_ns, next;

	ntold = 0;
	netstack_run(ns);
	take_frames();
	while ((next = netstack_deadline(ns)) <= end) {
		netstack_enter(ns, next);
		netstack_run(ns);
		take_frames();
	}
	netstack_enter(ns, end);
}

static int
teardown(void **state)
{
	(void)state;
	if (so != NULL)
		soclose(so);
	pass(600 * NSEC_PER_SEC);
	assert_int_equal(ns->ns_inet->is_mcast.mc_multipool.pl_nout, 0);
	assert_int_equal(ns->ns_inet->is_mcast.mc_sourcepool.pl_nout, 0);
	assert_int_equal(ns->ns_inet->is_mcast.mc_askedpool.pl_nout, 0);
	test_netstack_end(ns);
	return 0;
}

static int
member(struct socket *s, int name, uint32_t group_be)
{
	struct bsd_ip_mreqn mreq = {group_be, A, 0};
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IP,
	    .sopt_name = name,
	    .sopt_size = BSD_IP_MREQ_LEN};

	memcpy(sopt.sopt_data, &mreq, BSD_IP_MREQ_LEN);
	return sosetopt(s, &sopt);
}

static int
join(struct socket *s, uint32_t group_be)
{
	return member(s, BSD_IP_ADD_MEMBERSHIP, group_be);
}

static int
leave(struct socket *s, uint32_t group_be)
{
	return member(s, BSD_IP_DROP_MEMBERSHIP, group_be);
}

static int
source(struct socket *s, int name, uint32_t group_be, uint32_t src_be)
{
	struct bsd_ip_mreq_source mrs = {group_be, src_be, A, 0};
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IP,
	    .sopt_name = name,
	    .sopt_size = BSD_IP_MREQ_SOURCE_LEN};

	memcpy(sopt.sopt_data, &mrs, BSD_IP_MREQ_SOURCE_LEN);
	return sosetopt(s, &sopt);
}

/* A message of the link as it may come; fields that tests change are in it. */
struct msg {
	uint32_t src_be, dst_be;
	uint8_t ttl;
	bool nora, badsum;
	size_t len;
	uint8_t bytes[1400];
};

static void
put(const struct msg *msg)
{
	static const uint8_t ra[4] = {IPV4_OPT_RA, 4, 0, 0};
	uint8_t frame[1500];
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IP};
	struct ipv4_hdr ip = {.ip_ttl = msg->ttl,
	    .ip_p = IPV4_PROTO_IGMP,
	    .ip_src_be = msg->src_be,
	    .ip_dst_be = msg->dst_be};
	size_t hl;

	test_station(eh.ether_shost, 9);
	if (ipv4_is_multicast(msg->dst_be))
		ether_map_ipv4_multicast(eh.ether_dhost, msg->dst_be);
	else
		test_station(eh.ether_dhost, 1);
	ether_emit(frame, &eh);
	ip.ip_len = (uint16_t)(20 + (msg->nora ? 0 : 4) + msg->len);
	hl = ipv4_emit_opts(frame + ETHER_HDR_LEN, &ip, ra, msg->nora ? 0 : 4);
	memcpy(frame + ETHER_HDR_LEN + hl, msg->bytes, msg->len);
	if (msg->badsum)
		frame[ETHER_HDR_LEN + hl + 2] ^= 1;
	testif_input(&ti, frame, ETHER_HDR_LEN + hl + msg->len);
}

static struct msg
query(unsigned version, uint32_t group_be, uint32_t maxresp_ds)
{
	const struct igmp_query iq = {.iq_code = (uint8_t)maxresp_ds,
	    .iq_s_qrv = 2,
	    .iq_qqic = 125,
	    .iq_group_be = group_be};
	struct msg msg = {.src_be = ROUTER,
	    .dst_be = group_be == 0 ? IPV4_ALLHOSTS_BE : group_be,
	    .ttl = 1,
	    .len = IGMP_MINLEN};

	if (version == 3)
		msg.len = igmp_emit_query(msg.bytes, &iq, NULL, 0);
	else
		igmp_emit(msg.bytes, IGMP_HOST_MEMBERSHIP_QUERY,
		    version == 1 ? 0 : (uint8_t)maxresp_ds, group_be);
	return msg;
}

static void
ask(unsigned version, uint32_t group_be, uint32_t maxresp_ds)
{
	struct msg msg = query(version, group_be, maxresp_ds);

	put(&msg);
}

static void
ask_sources(uint32_t group_be, const uint32_t *srcs_be, uint16_t n)
{
	const struct igmp_query iq = {.iq_code = 10,
	    .iq_s_qrv = 2,
	    .iq_qqic = 125,
	    .iq_group_be = group_be};
	struct msg msg = query(3, group_be, 10);

	msg.len = igmp_emit_query(msg.bytes, &iq, srcs_be, n);
	put(&msg);
}

static void
other_reports(uint8_t type, uint32_t src_be, uint32_t group_be)
{
	struct msg msg = {.src_be = src_be, .dst_be = group_be, .ttl = 1, .len = IGMP_MINLEN};

	igmp_emit(msg.bytes, type, 0, group_be);
	put(&msg);
}

static void
assert_told(unsigned i, uint8_t type, uint32_t group_be)
{
	assert_true(i < ntold);
	assert_int_equal(told[i].type, type);
	assert_int_equal(told[i].group_be, group_be);
}

/* RFC 3376 §5.1: a change is told at once, to 224.0.0.22, and once more within a second. */
static void
test_join_leave(void **state)
{
	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	assert_int_equal(join(so, OTHER), 0);
	pass(0);
	assert_int_equal(ntold, 2); /* in one report */
	assert_int_equal(ns->ns_inet->is_igmp.igs_stat[IGMPSTAT_snd_reports], 1);
	assert_told(0, IGMP_CHANGE_TO_EXCLUDE_MODE, GROUP);
	assert_told(1, IGMP_CHANGE_TO_EXCLUDE_MODE, OTHER);
	assert_int_equal(told[0].dst_be, IGMP_ALLREPORTS_BE);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	pass(100 * NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
	assert_int_equal(leave(so, GROUP), 0);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_CHANGE_TO_INCLUDE_MODE, GROUP);
	assert_told(1, IGMP_CHANGE_TO_INCLUDE_MODE, GROUP);
	/* Closing leaves as well. */
	soclose(so);
	so = NULL;
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_CHANGE_TO_INCLUDE_MODE, OTHER);
}

/* Joined again before the leaving was told to the end: the newest state is told, so often as it must. */
static void
test_rejoin(void **state)
{
	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(leave(so, GROUP), 0);
	pass(0);
	assert_told(0, IGMP_CHANGE_TO_INCLUDE_MODE, GROUP);
	assert_int_equal(join(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_CHANGE_TO_EXCLUDE_MODE, GROUP);
	assert_told(1, IGMP_CHANGE_TO_EXCLUDE_MODE, GROUP);
}

/* A second member changes nothing, and the first's going neither. */
static void
test_two_sockets(void **state)
{
	struct socket *second = test_udpsocket(ns);

	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(join(second, GROUP), 0);
	assert_int_equal(leave(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
	soclose(second);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
}

/* 224.0.0.1 is never told of; the other local groups by net.inet.igmp.sendlocal. */
static void
test_local_groups(void **state)
{
	(void)state;
	assert_int_equal(join(so, IPV4_ALLHOSTS_BE), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
	assert_int_equal(join(so, ipv4_addr_be(224, 0, 0, 251)), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	ns->ns_inet->is_igmp.igs_sendlocal = 0;
	assert_int_equal(join(so, ipv4_addr_be(224, 0, 0, 252)), 0);
	ask(3, 0, 10);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
}

/* RFC 3376 §5.2: one answer to a general query, within the time given, of all groups. */
static void
test_general_query(void **state)
{
	uint64_t asked;

	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	assert_int_equal(join(so, OTHER), 0);
	pass(2 * NSEC_PER_SEC);
	asked = ns->ns_now;
	ask(3, 0, 100);
	ask(3, 0, 100);
	pass(10 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_MODE_IS_EXCLUDE, GROUP);
	assert_told(1, IGMP_MODE_IS_EXCLUDE, OTHER);
	assert_true(told[0].at_ns > asked && told[0].at_ns <= asked + 10 * NSEC_PER_SEC);
	/* A switch without an address asks from 0.0.0.0. */
	struct msg msg = query(3, 0, 10);

	msg.src_be = 0;
	put(&msg);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
}

/* A group's query has an answer about it alone; one of a group not joined has none. */
static void
test_group_query(void **state)
{
	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	assert_int_equal(join(so, OTHER), 0);
	pass(2 * NSEC_PER_SEC);
	ask(3, GROUP, 10);
	ask(3, GROUP, 10);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_MODE_IS_EXCLUDE, GROUP);
	ask(3, GROUP, 10);
	assert_int_equal(leave(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(1, IGMP_CHANGE_TO_INCLUDE_MODE, GROUP);
}

/* Sources that are asked for, those of two queries together; a plain query in between asks for all. */
static void
test_source_query(void **state)
{
	const uint32_t s1 = S1, s2 = S2;
	uint32_t many[IGMP_NASKED + 1];

	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	ask_sources(GROUP, &s1, 1);
	ask_sources(GROUP, &s2, 1);
	ask_sources(GROUP, &s1, 1);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_MODE_IS_INCLUDE, GROUP);
	assert_int_equal(told[0].nsrcs, 2);
	ask_sources(GROUP, &s1, 1);
	ask(3, GROUP, 10);
	ask_sources(GROUP, &s2, 1);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_MODE_IS_EXCLUDE, GROUP);
	/* More than are remembered: everything is told. */
	for (unsigned i = 0; i <= IGMP_NASKED; i++)
		many[i] = ipv4_addr_be(10, 8, 0, (uint8_t)i);
	ask_sources(GROUP, many, IGMP_NASKED + 1);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_MODE_IS_EXCLUDE, GROUP);
}

/* RFC 3376 §7.2.1: after a query of version 2, reports and leaves are of it, until it is long ago. */
static void
test_version_2(void **state)
{
	(void)state;
	ask(2, 0, 100);
	assert_int_equal(join(so, GROUP), 0);
	pass(10 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_V2_HOST_MEMBERSHIP_REPORT, GROUP);
	assert_told(1, IGMP_V2_HOST_MEMBERSHIP_REPORT, GROUP);
	assert_int_equal(told[0].dst_be, GROUP);
	ask(2, GROUP, 10);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_int_equal(leave(so, GROUP), 0);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_HOST_LEAVE_MESSAGE, GROUP);
	assert_int_equal(told[0].dst_be, IGMP_ALLROUTERS_BE);
	pass(261 * NSEC_PER_SEC); /* robustness times interval, and the response's 10 s */
	assert_int_equal(join(so, GROUP), 0);
	pass(NSEC_PER_SEC);
	assert_told(0, IGMP_CHANGE_TO_EXCLUDE_MODE, GROUP);
}

/* RFC 2236 §3: whoever hears another's report keeps silent, and does not leave aloud; version 3 does. */
static void
test_suppression(void **state)
{
	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	ask(3, GROUP, 10);
	other_reports(IGMP_V2_HOST_MEMBERSHIP_REPORT, ROUTER, GROUP);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	ask(2, 0, 100);
	other_reports(IGMP_V2_HOST_MEMBERSHIP_REPORT, S1, GROUP); /* not of this network */
	pass(10 * NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_V2_HOST_MEMBERSHIP_REPORT, GROUP);
	assert_int_equal(ns->ns_drops[DROP_IGMP_SRC], 1);
	ask(2, 0, 100);
	other_reports(IGMP_V2_HOST_MEMBERSHIP_REPORT, ROUTER, GROUP);
	pass(10 * NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
	assert_int_equal(leave(so, GROUP), 0);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
}

/* RFC 1112: reports of version 1, no leaves. */
static void
test_version_1(void **state)
{
	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	pass(0);
	ask(1, 0, 0); /* what was to be repeated is not */
	pass(10 * NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_V1_HOST_MEMBERSHIP_REPORT, GROUP);
	assert_int_equal(leave(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
}

/* net.inet.igmp.default_version: what is spoken before anybody asked. */
static void
test_default_version(void **state)
{
	(void)state;
	ns->ns_inet->is_igmp.igs_version = 2;
	assert_int_equal(join(so, GROUP), 0);
	pass(0);
	assert_told(0, IGMP_V2_HOST_MEMBERSHIP_REPORT, GROUP);
	/* Changed while a report of version 3 waits. */
	ns->ns_inet->is_igmp.igs_version = 3;
	assert_int_equal(join(so, OTHER), 0);
	pass(0);
	assert_told(0, IGMP_CHANGE_TO_EXCLUDE_MODE, OTHER);
	ns->ns_inet->is_igmp.igs_version = 2;
	pass(NSEC_PER_SEC);
	for (unsigned i = 0; i < ntold; i++)
		assert_int_equal(told[i].type, IGMP_V2_HOST_MEMBERSHIP_REPORT);
}

/* Nothing is said while the interface is down, everything when it is up again. */
static void
test_interface_down(void **state)
{
	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	assert_int_equal(join(so, OTHER), 0);
	pass(0);
	ask(3, GROUP, 10);
	assert_int_equal(if_setup(&ti.ti_if, false), 0);
	assert_int_equal(leave(so, OTHER), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
	assert_int_equal(if_setup(&ti.ti_if, true), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_CHANGE_TO_EXCLUDE_MODE, GROUP);
	/* Without an address, from 0.0.0.0 (RFC 3376 §4.2.13). */
	assert_int_equal(in_control_deladdr(ns, &ti.ti_if, A), 0);
	ask(3, 0, 10);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
}

static void
put_and_expect(const struct msg *msg, enum drop_reason why)
{
	uint64_t before = ns->ns_drops[why];

	put(msg);
	assert_int_equal(ns->ns_drops[why], before + 1);
	pass(10 * NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
}

/* HOSTILE 30: a message that is wrong in one respect is dropped for it, and nothing is answered. */
static void
test_30_malformed(void **state)
{
	const struct igmp_query iq = {.iq_code = 10, .iq_s_qrv = 2};
	const uint32_t s1 = S1;
	struct msg msg;

	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	for (size_t len = 0; len < IGMP_V3_QUERY_MINLEN; len++) {
		if (len == IGMP_MINLEN)
			continue;
		msg = query(3, 0, 10);
		msg.len = len;
		memset(msg.bytes + 2, 0, 2);
		be16_put(msg.bytes + 2, cksum_finish(cksum_partial(msg.bytes, len, 0)));
		put_and_expect(&msg, len < IGMP_MINLEN ? DROP_IGMP_SHORT : DROP_IGMP_LEN);
	}
	msg = query(3, 0, 10);
	msg.badsum = true;
	put_and_expect(&msg, DROP_IGMP_CKSUM);
	msg = query(3, 0, 10);
	msg.ttl = 2;
	put_and_expect(&msg, DROP_IGMP_TTL);
	msg = query(3, 0, 10);
	msg.nora = true;
	put_and_expect(&msg, DROP_IGMP_RA);
	msg = query(3, 0, 10);
	msg.dst_be = GROUP;
	put_and_expect(&msg, DROP_IGMP_DST);
	msg = query(3, GROUP, 10);
	msg.dst_be = IPV4_ALLHOSTS_BE;
	put_and_expect(&msg, DROP_IGMP_DST);
	msg = query(2, 0, 10);
	msg.dst_be = A;
	put_and_expect(&msg, DROP_IGMP_DST);
	msg = query(3, A, 10);
	msg.dst_be = IPV4_ALLHOSTS_BE;
	put_and_expect(&msg, DROP_IGMP_GROUP);
	msg = query(3, 0, 10); /* sources of no group */
	msg.len = igmp_emit_query(msg.bytes, &iq, &s1, 1);
	put_and_expect(&msg, DROP_IGMP_DST);
	be16_put(msg.bytes + 10, 2); /* fewer than it says */
	be16_put(msg.bytes + 2, 0);
	be16_put(msg.bytes + 2, cksum_finish(cksum_partial(msg.bytes, msg.len, 0)));
	put_and_expect(&msg, DROP_IGMP_LEN);
	msg = query(3, 0, 10);
	msg.src_be = A; /* ours, from outside */
	put_and_expect(&msg, DROP_IP_SRC);
	msg = query(2, 0, 10);
	msg.bytes[0] = IGMP_HOST_LEAVE_MESSAGE;
	be16_put(msg.bytes + 2, 0);
	be16_put(msg.bytes + 2, cksum_finish(cksum_partial(msg.bytes, msg.len, 0)));
	put_and_expect(&msg, DROP_IGMP_TYPE);
	assert_true(ns->ns_inet->is_igmp.igs_stat[IGMPSTAT_rcv_badqueries] > 0);
	/* The querier was never believed to be of version 2, and is still answered. */
	ask(3, 0, 10);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_MODE_IS_EXCLUDE, GROUP);
	/* Without Router Alert, when that is set so. */
	ns->ns_inet->is_igmp.igs_needra = 0;
	msg = query(3, 0, 10);
	msg.nora = true;
	put(&msg);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
}

/* HOSTILE 30: storms of queries cost so many answers as there are groups, and are limited. */
static void
test_30_storm(void **state)
{
	uint32_t src_be;

	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	for (unsigned i = 0; i < 1000; i++)
		ask(3, 0, 255);
	assert_int_equal(ns->ns_drops[DROP_IGMP_RATE], 990);
	netstack_enter(ns, ns->ns_now + NSEC_PER_SEC);
	for (unsigned i = 0; i < 1000; i++) {
		src_be = ipv4_addr_be(10, 7, (uint8_t)(i >> 8), (uint8_t)i);
		ask_sources(GROUP, &src_be, 1);
	}
	assert_int_equal(ns->ns_inet->is_mcast.mc_askedpool.pl_hiwat, 1);
	assert_int_equal(ns->ns_drops[DROP_IGMP_RATE], 990 + 1000 - 256);
	pass(4000 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
}

/* RFC 3376 §5.1: sources that come and go are told as ALLOW and BLOCK, the last as well. */
static void
test_include(void **state)
{
	(void)state;
	assert_int_equal(source(so, BSD_IP_ADD_SOURCE_MEMBERSHIP, GROUP, S1), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_ALLOW_NEW_SOURCES, GROUP);
	assert_int_equal(told[0].nsrcs, 1);
	assert_int_equal(told[0].srcs_be[0], S1);
	/* The second while the first's going is still to be repeated. */
	assert_int_equal(source(so, BSD_IP_ADD_SOURCE_MEMBERSHIP, GROUP, S2), 0);
	pass(0);
	assert_int_equal(source(so, BSD_IP_DROP_SOURCE_MEMBERSHIP, GROUP, S1), 0);
	pass(0);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_ALLOW_NEW_SOURCES, GROUP);
	assert_int_equal(told[0].srcs_be[0], S2);
	assert_told(1, IGMP_BLOCK_OLD_SOURCES, GROUP);
	assert_int_equal(told[1].srcs_be[0], S1);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_BLOCK_OLD_SOURCES, GROUP);
	ask(3, 0, 10);
	pass(NSEC_PER_SEC);
	assert_told(0, IGMP_MODE_IS_INCLUDE, GROUP);
	assert_int_equal(told[0].nsrcs, 1);
	assert_int_equal(source(so, BSD_IP_DROP_SOURCE_MEMBERSHIP, GROUP, S2), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_BLOCK_OLD_SOURCES, GROUP);
	assert_int_equal(leave(so, GROUP), BSD_EADDRNOTAVAIL);
}

/* RFC 3376 §3.2: what two sockets want, merged; each change of the mode is told with its list. */
static void
test_merged(void **state)
{
	struct socket *second = test_udpsocket(ns);
	const uint32_t s1 = S1, s2 = S2;

	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	assert_int_equal(source(so, BSD_IP_BLOCK_SOURCE, GROUP, S1), 0);
	assert_int_equal(source(so, BSD_IP_BLOCK_SOURCE, GROUP, S2), 0);
	pass(2 * NSEC_PER_SEC);
	assert_told(0, IGMP_CHANGE_TO_EXCLUDE_MODE, GROUP);
	assert_int_equal(told[0].nsrcs, 2);
	/* The second wants S1 alone: it is no longer excluded. */
	assert_int_equal(source(second, BSD_IP_ADD_SOURCE_MEMBERSHIP, GROUP, S1), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_ALLOW_NEW_SOURCES, GROUP);
	assert_int_equal(told[0].srcs_be[0], S1);
	ask_sources(GROUP, &s2, 1); /* nobody wants it */
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 0);
	ask_sources(GROUP, &s1, 1);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_MODE_IS_INCLUDE, GROUP);
	/* Who excludes goes: only S1 is wanted. */
	assert_int_equal(leave(so, GROUP), 0);
	pass(2 * NSEC_PER_SEC);
	assert_int_equal(ntold, 2);
	assert_told(0, IGMP_CHANGE_TO_INCLUDE_MODE, GROUP);
	assert_int_equal(told[0].nsrcs, 1);
	soclose(second);
}

/* Groups and sources that do not fit in one report come in several, each within the MTU. */
static void
test_large(void **state)
{
	unsigned i, n = 300;

	(void)state;
	ns->ns_inet->is_mcast.mc_maxmembers = n;
	for (i = 0; i < n; i++)
		assert_int_equal(join(so, ipv4_addr_be(239, 7, (uint8_t)(i >> 8), (uint8_t)i)), 0);
	pass(0);
	assert_int_equal(ntold, n);
	assert_int_equal(ns->ns_inet->is_igmp.igs_stat[IGMPSTAT_snd_reports], 2);
}

/* Whatever allocation fails while it is told: it is told again, and what waits for an answer ends. */
static void
test_no_memory(void **state)
{
	const uint32_t s1 = S1;

	(void)state;
	assert_int_equal(join(so, GROUP), 0);
	ns->ns_fault.af_fail_at = 1;
	pass(0);
	assert_int_equal(ntold, 0);
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_CHANGE_TO_EXCLUDE_MODE, GROUP);
	/* The sources asked for cannot be remembered: all is told. The frame takes an mbuf first. */
	ns->ns_fault.af_fail_at = 2;
	ask_sources(GROUP, &s1, 1);
	ns->ns_fault.af_fail_at = 0;
	pass(NSEC_PER_SEC);
	assert_int_equal(ntold, 1);
	assert_told(0, IGMP_MODE_IS_EXCLUDE, GROUP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_join_leave, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rejoin, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_two_sockets, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_local_groups, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_general_query, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_group_query, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_source_query, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_version_2, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_suppression, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_version_1, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_default_version, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_interface_down, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_30_malformed, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_30_storm, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_include, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_merged, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_large, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
