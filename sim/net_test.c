/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 and groups in the simulator: worlds by hand, whose captures tell what was on the wire; and that
 * the checkers see what is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/address.h"
#include "sim/capture.h"
#include "sim/group.h"
#include "sim/host.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"
#include "wire/udp.h"

#define BULK 200000u
#define ANSWER 100u
#define TOTAL (BULK - 8 + ANSWER) /* what names the connection is not counted */
#define STOP_NS (SIM_START_NS + 60 * SIM_SECOND)

/* -- worlds by hand --------------------------------------------------------------------------- */

/* What a capture has: frames of each kind. */
struct seen {
	unsigned se_ip4, se_ip6, se_arp;
	unsigned se_frags;
	unsigned se_icmp6[256]; /* by type */
};

static void
seen_packet(struct seen *se, const uint8_t *p, size_t len)
{
	struct ip6_hdr ip6;

	assert_int_equal(ip6_parse_partial(p, len, len, &ip6), IP6_PARSE_OK);
	if (ip6.ip6_nxt == IP6_NXT_FRAGMENT)
		se->se_frags++;
	if (ip6.ip6_nxt == IP6_NXT_ICMP6)
		se->se_icmp6[p[IP6_HDR_LEN]]++;
}

/* Reads a capture as a program for captures would (draft-ietf-opsawg-pcapng §4). */
static void
seen_capture(struct seen *se, const char *path)
{
	static uint8_t block[70000];
	FILE *f = fopen(path, "rb");
	uint32_t head[2], caplen;
	struct ether_hdr eh;

	assert_non_null(f);
	while (fread(head, sizeof(head), 1, f) == 1) {
		assert_in_range(head[1], 12, sizeof(block));
		assert_int_equal(fread(block, head[1] - sizeof(head), 1, f), 1);
		assert_memory_equal(block + head[1] - sizeof(head) - 4, &head[1], 4);
		if (head[0] != 6)
			continue;
		memcpy(&caplen, block + 12, sizeof(caplen));
		assert_int_equal(ether_parse(block + 20, caplen, &eh), 0);
		se->se_ip4 += eh.ether_type == ETHERTYPE_IP;
		se->se_ip6 += eh.ether_type == ETHERTYPE_IPV6;
		se->se_arp += eh.ether_type == ETHERTYPE_ARP;
		if (eh.ether_type == ETHERTYPE_IPV6)
			seen_packet(se, block + 20 + ETHER_HDR_LEN, caplen - ETHER_HDR_LEN);
	}
	(void)fclose(f);
}

/* Two hosts on good links, and one bulk transfer from the first. */
static struct plan
plan_of(enum family family, enum host_ip6 first, enum host_ip6 second)
{
	const struct fault_config way = {.fc_delay_ns = SIM_MS};
	struct plan pl = {.pl_seed = 1,
	    .pl_nhosts = 2,
	    .pl_nconns = 1,
	    .pl_heal_ns = SIM_NEVER - 1,
	    .pl_router = {.rp_interval_ns = 40 * SIM_SECOND,
		.rp_valid_s = 3600,
		.rp_preferred_s = 3600}};

	for (unsigned i = 0; i < 2; i++)
		pl.pl_hosts[i] = (struct host_plan){.hp_up = way,
		    .hp_down = way,
		    .hp_well = way,
		    .hp_nmbufs = 4096,
		    .hp_nclusters = 1024,
		    .hp_ip6 = i == 0 ? first : second,
		    .hp_probes = 1};
	pl.pl_conns[0] = (struct conn_plan){.cp_kind = CONN_HALF,
	    .cp_family = family,
	    .cp_bind = true,
	    .cp_hosts = {0, 1},
	    .cp_start_ns = SIM_START_NS,
	    .cp_total = {BULK, ANSWER},
	    .cp_chunk = {4096, 4096}};
	return pl;
}

static struct world_result
run(const struct plan *pl, struct seen *se)
{
	struct world_options wo = {.wo_planned = pl, .wo_mark_ns = STOP_NS, .wo_stop_ns = STOP_NS};
	char path[] = "/tmp/rumpus-sim-XXXXXX";
	int fd = mkstemp(path);
	struct world_result wr;

	*se = (struct seen){0};
	assert_true(fd >= 0);
	(void)close(fd);
	wo.wo_capture = capture_open(path);
	assert_non_null(wo.wo_capture);
	world_run(&wo, 1, &wr);
	capture_close(wo.wo_capture);
	seen_capture(se, path);
	(void)unlink(path);
	if (wr.wr_failed)
		fail_msg("%s", wr.wr_why);
	return wr;
}

static void
test_families(void **state)
{
	static const enum family families[] = {FAMILY_4, FAMILY_6, FAMILY_MAPPED, FAMILY_LOCAL};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		enum family family = families[i / 2];
		bool six = family == FAMILY_6 || family == FAMILY_LOCAL;
		struct plan pl = plan_of(family, HOST_IP6_STATIC, HOST_IP6_STATIC);
		struct world_result wr;
		struct seen se;

		pl.pl_hosts[1].hp_dual = i % 2 != 0;
		wr = run(&pl, &se);
		assert_int_equal(wr.wr_bytes, TOTAL);
		assert_int_equal(wr.wr_bytes6, six ? wr.wr_bytes : 0);
		assert_true((six ? se.se_ip6 : se.se_ip4) > BULK / PLAN_MTU);
		assert_true(se.se_arp > 0);
		assert_int_equal(se.se_icmp6[ICMP6_RA], 0);
	}
}

/* Addresses of a router's prefix; and all of it goes by the router where the prefix is not on the link. */
static void
test_router(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct plan pl = plan_of(FAMILY_6, HOST_IP6_AUTO, HOST_IP6_AUTO);
		struct world_result wr;
		struct seen se;

		pl.pl_router.rp_there = pl.pl_router.rp_queries = true;
		pl.pl_router.rp_offlink = i != 0;
		wr = run(&pl, &se);
		assert_int_equal(wr.wr_bytes6, TOTAL);
		assert_true(se.se_icmp6[ICMP6_RS] > 0);
		assert_true(se.se_icmp6[ICMP6_RA] > 0);
		assert_true(se.se_icmp6[ICMP6_NA] > 0);
	}
}

/* A link carries less from some time on, of IPv6 never less than 1,280 bytes: the sender is told. */
static void
test_packet_too_big(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct plan pl = plan_of(FAMILY_6, HOST_IP6_STATIC, HOST_IP6_STATIC);
		struct world_result wr;
		struct seen se;

		pl.pl_ntroubles = 1;
		pl.pl_troubles[0] = (struct trouble){.tr_kind = TROUBLE_PATHMTU,
		    .tr_host = 1,
		    .tr_time_ns = SIM_START_NS,
		    .tr_length_ns = SIM_NEVER,
		    .tr_value = i == 0 ? 1400 : 600};
		wr = run(&pl, &se);
		assert_int_equal(wr.wr_bytes6, TOTAL);
		assert_true(se.se_icmp6[ICMP6_TOOBIG] > 0);
	}
}

/* Datagrams in fragments, to a group and to a host. */
static void
test_groups(void **state)
{
	struct plan pl = plan_of(FAMILY_6, HOST_IP6_STATIC, HOST_IP6_STATIC);
	struct world_result wr;
	struct seen se;

	(void)state;
	pl.pl_nconns = 0;
	pl.pl_ngroups = 2;
	pl.pl_groups[0] = (struct group_plan){.gp_family = FAMILY_6,
	    .gp_addr = {htobe32(0xff020000), 0, 0, htobe32(0x10200)},
	    .gp_senders = 3,
	    .gp_start_ns = SIM_START_NS + 5 * SIM_SECOND,
	    .gp_pause_ns = 100 * SIM_MS,
	    .gp_count = 10,
	    .gp_len = 3000,
	    .gp_loop = true};
	pl.pl_groups[1] = pl.pl_groups[0];
	pl.pl_groups[1].gp_family = FAMILY_4;
	pl.pl_groups[1].gp_addr[0] = htobe32(0xef010201);
	/* Both senders' by two sockets; of IPv4, the other's, and all but one's own. */
	pl.pl_nmembers = 4;
	for (unsigned i = 0; i < 4; i++)
		pl.pl_members[i] = (struct member_plan){.mp_group = i / 2,
		    .mp_host = i % 2,
		    .mp_join_ns = SIM_START_NS,
		    .mp_leave_ns = SIM_NEVER,
		    .mp_exclude = true};
	pl.pl_members[2].mp_sources = 2;
	pl.pl_members[2].mp_exclude = false;
	pl.pl_members[3].mp_sources = 2;
	wr = run(&pl, &se);
	assert_int_equal(wr.wr_datagrams, 2 * 2 * 10 + 10 + 10);
	assert_int_equal(wr.wr_bytes6, 2 * 2 * 10 * 3000);
	assert_int_equal(se.se_frags, 2 * 10 * 3);
}

/* -- checkers --------------------------------------------------------------------------------- */

static struct host host_one;
static struct world world_one;

static void
one_setup(void)
{
	world_one = (struct world){0};
	world_one.w_plan.pl_hosts[0].hp_ip6 = HOST_IP6_STATIC;
	host_one = (struct host){.h_world = &world_one, .h_lladdr = {2, 0, 0, 0, 0, 1}};
	address_init(&host_one);
}

static bool
frame_refused(const uint8_t *frame, size_t len)
{
	world_one.w_failed = false;
	check_frame(&host_one, frame, len);
	return world_one.w_failed;
}

/* A frame of host_one with a packet to fd00::2 or a group. => its length */
static size_t
frame_of(uint8_t *frame, const struct ip6_hdr *like, const uint8_t *payload, size_t len)
{
	struct ether_hdr eh = {.ether_shost = {2, 0, 0, 0, 0, 1},
	    .ether_dhost = {2, 0, 0, 0, 0, 2},
	    .ether_type = ETHERTYPE_IPV6};
	struct ip6_hdr ip6 = *like;

	if (ip6_is_unspecified(ip6.ip6_dst)) {
		ip6.ip6_dst[0] = htobe32(SIM_PREFIX);
		ip6.ip6_dst[3] = htobe32(2);
	}
	if (ip6_is_multicast(ip6.ip6_dst))
		ether_map_ip6_multicast(eh.ether_dhost, ip6.ip6_dst[3]);
	ip6.ip6_plen = (uint16_t)len;
	ether_emit(frame, &eh);
	ip6_emit(frame + ETHER_HDR_LEN, &ip6);
	memcpy(frame + ETHER_HDR_LEN + IP6_HDR_LEN, payload, len);
	return ETHER_HDR_LEN + IP6_HDR_LEN + len;
}

static void
test_bad_frames_are_seen(void **state)
{
	struct ip6_hdr ip6 = {.ip6_nxt = IP6_NXT_UDP, .ip6_hlim = 64};
	struct udp_hdr uh = {.uh_sport = 7, .uh_dport = 7, .uh_ulen = 16};
	uint32_t to[4] = {htobe32(SIM_PREFIX), 0, 0, htobe32(2)};
	uint8_t udp[16] = {0}, frame[100];
	size_t len;

	(void)state;
	one_setup();
	memcpy(ip6.ip6_src, host_one.h_addr6, sizeof(ip6.ip6_src));
	udp_emit(udp, &uh);
	uh.uh_sum = cksum_finish(cksum_partial(udp, sizeof(udp),
	    cksum_pseudo6(host_one.h_addr6, to, IP6_NXT_UDP, sizeof(udp))));
	udp_emit(udp, &uh);
	len = frame_of(frame, &ip6, udp, sizeof(udp));
	assert_false(frame_refused(frame, len));
	/* Each byte from the source station on, but class, flow and hop limit, which nothing protects. */
	for (unsigned at = 6; at < len; at++) {
		if ((at >= 14 && at < 18) || at == 21)
			continue;
		frame[at] ^= 1;
		assert_true(frame_refused(frame, len));
		frame[at] ^= 1;
	}
	frame[14] ^= 0x10; /* the version */
	assert_true(frame_refused(frame, len));
	frame[14] ^= 0x10;
	frame[0] ^= 1; /* to a group's station, but to no group */
	assert_true(frame_refused(frame, len));
}

static bool
icmp6_refused(const struct ip6_hdr *like, uint8_t type, size_t len)
{
	struct ip6_hdr ip6 = *like;
	uint8_t msg[64] = {type}, frame[200];

	ip6.ip6_nxt = IP6_NXT_ICMP6;
	be16_put(msg + ICMP6_OFF_SUM,
	    cksum_finish(cksum_partial(msg, len,
		cksum_pseudo6(ip6.ip6_src, ip6.ip6_dst, IP6_NXT_ICMP6, (uint32_t)len))));
	return frame_refused(frame, frame_of(frame, &ip6, msg, len));
}

static void
test_bad_messages_are_seen(void **state)
{
	struct ip6_hdr ip6 = {.ip6_hlim = 255, .ip6_dst = {htobe32(0xff020000), 0, 0, htobe32(2)}};

	(void)state;
	one_setup();
	/* From no address: probes, and asking for routers; no answers. */
	assert_false(icmp6_refused(&ip6, ICMP6_RS, ND_RS_LEN));
	assert_false(icmp6_refused(&ip6, ICMP6_NS, ND_NS_LEN));
	assert_true(icmp6_refused(&ip6, ICMP6_NA, ND_NA_LEN));
	assert_true(icmp6_refused(&ip6, ICMP6_ECHOREPLY, 8));
	memcpy(ip6.ip6_src, host_one.h_local6, sizeof(ip6.ip6_src));
	assert_false(icmp6_refused(&ip6, ICMP6_NA, ND_NA_LEN));
	assert_false(icmp6_refused(&ip6, ICMP6_ECHOREPLY, 8));
	assert_true(icmp6_refused(&ip6, ICMP6_RA, ND_RA_LEN));
	assert_true(icmp6_refused(&ip6, ICMP6_MLD2_REPORT, 8));
	ip6.ip6_hlim = 254;
	assert_true(icmp6_refused(&ip6, ICMP6_NS, ND_NS_LEN));
	ip6.ip6_hlim = 1;
	assert_false(icmp6_refused(&ip6, ICMP6_MLD2_REPORT, 8));
	memcpy(ip6.ip6_src, host_one.h_addr6, sizeof(ip6.ip6_src));
	assert_true(icmp6_refused(&ip6, ICMP6_MLD2_REPORT, 8));
}

static bool
fragment_refused(const struct ip6_frag *fh, size_t len)
{
	struct ip6_hdr ip6 = {.ip6_nxt = IP6_NXT_FRAGMENT, .ip6_hlim = 64};
	uint8_t payload[64] = {0}, frame[200];

	memcpy(ip6.ip6_src, host_one.h_addr6, sizeof(ip6.ip6_src));
	ip6_frag_emit(payload, fh);
	return frame_refused(frame, frame_of(frame, &ip6, payload, IP6_FRAG_LEN + len));
}

static void
test_bad_fragments_are_seen(void **state)
{
	(void)state;
	one_setup();
	assert_false(fragment_refused(&(struct ip6_frag){.if_mf = true}, 16));
	assert_false(fragment_refused(&(struct ip6_frag){.if_off_bytes = 16}, 3));
	assert_true(fragment_refused(&(struct ip6_frag){.if_mf = true}, 12));
	assert_true(fragment_refused(&(struct ip6_frag){.if_mf = false}, 16));
	assert_true(fragment_refused(&(struct ip6_frag){.if_off_bytes = 16}, 0));
}

static void
test_members_are_judged(void **state)
{
	const struct member_plan mp = {.mp_group = 1, .mp_exclude = true, .mp_sources = 4};
	struct host hosts[3] = {{.h_index = 0}, {.h_index = 1}, {.h_index = 2}};
	struct sender se = {.se_group = 1, .se_host = &hosts[1]}, other = se, source = se;
	struct member me = {.me_plan = &mp};
	struct receipt *re = &me.me_receipts[1][5];
	struct note *no = &se.se_notes[5];

	(void)state;
	other.se_group = 0;
	source.se_host = &hosts[2];
	other.se_notes[5].no_tries = source.se_notes[5].no_tries = no->no_tries = 1;
	no->no_sent = true;
	no->no_nfrags = 1;
	re->re_most = me.me_receipts[2][5].re_most = 1;
	assert_non_null(member_took(&me, &other, 5));
	assert_non_null(member_took(&me, &source, 5));
	assert_non_null(member_took(&me, &se, 6)); /* not sent yet */
	assert_null(member_missed(&me, &se, 5));   /* lost on the way */
	re->re_whole = 1;
	assert_non_null(member_missed(&me, &se, 5));
	assert_null(member_took(&me, &se, 5));
	assert_null(member_missed(&me, &se, 5));
	assert_non_null(member_took(&me, &se, 5)); /* once more than it came */
	me.me_left = true;
	re->re_received = 0;
	assert_non_null(member_took(&me, &se, 5));
	/* In three pieces: all of them came, and nothing else was lost. */
	*re = (struct receipt){.re_most = 1, .re_frags = 7};
	no->no_nfrags = 3;
	no->no_fraglen = 1000;
	assert_null(member_missed(&me, &se, 5));
	no->no_calm = true;
	assert_non_null(member_missed(&me, &se, 5));
	re->re_frags = 5;
	assert_null(member_missed(&me, &se, 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_families),
	    cmocka_unit_test(test_router),
	    cmocka_unit_test(test_packet_too_big),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_bad_frames_are_seen),
	    cmocka_unit_test(test_bad_messages_are_seen),
	    cmocka_unit_test(test_bad_fragments_are_seen),
	    cmocka_unit_test(test_members_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
