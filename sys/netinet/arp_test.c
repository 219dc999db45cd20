/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP on virtual time, on an interface that keeps what is sent. Numbers name kinds of hostile input. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "net/llatbl.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/ether.h"

#define US ipv4_addr_be(10, 0, 0, 1)
#define PEER ipv4_addr_be(10, 0, 0, 9)
#define PEER_STATION 9

static struct testif ti;

/* A stack whose announcements are over. */
static struct netstack *
arp_stack(void)
{
	struct netstack *ns = in_teststack();

	assert_int_equal(testif_attach(ns, &ti, 1, US), 0);
	test_run_for(ns, 10 * NSEC_PER_SEC);
	testif_clear(&ti);
	return ns;
}

static struct llentry *
entry(uint32_t addr_be)
{
	struct rt_addr key = in_rtkey(addr_be);

	return lle_lookup(ti.ti_if.if_lltable, &key);
}

static void
answer(uint8_t station)
{
	testif_arp_input(&ti, station, 1, ARPOP_REPLY, PEER, US);
}

static uint64_t
icmps_received(const struct netstack *ns)
{
	return ns->ns_inet->is_icmpstat[ICMPSTAT_inhist];
}

static void
end(struct netstack *ns)
{
	while (!TAILQ_EMPTY(&ti.ti_if.if_lltable->llt_unresolved))
		lle_free(TAILQ_FIRST(&ti.ti_if.if_lltable->llt_unresolved), DROP_ARP_TIMEOUT);
	test_netstack_end(ns);
}

static void
test_announces_address(void **state)
{
	struct netstack *ns = in_teststack();
	struct arp_pkt ap;
	unsigned i;

	(void)state;
	assert_int_equal(testif_attach(ns, &ti, 1, US), 0);
	test_run_for(ns, NSEC_PER_SEC);
	assert_int_equal(ti.ti_n, 1);
	test_run_for(ns, 60 * NSEC_PER_SEC);
	assert_int_equal(ti.ti_n, 2);
	for (i = 0; i < 2; i++) {
		ap = testif_arp(&ti, i);
		assert_int_equal(ap.ar_op, ARPOP_REQUEST);
		assert_int_equal(ap.ar_spa_be, US);
		assert_int_equal(ap.ar_tpa_be, US);
		assert_true(ether_is_broadcast(ti.ti_frames[i].bytes));
	}
	end(ns);
}

/* Frames that are short are padded with zero (row 2). */
static void
test_02_padding_is_zero(void **state)
{
	struct netstack *ns = arp_stack();
	unsigned i;

	(void)state;
	assert_int_equal(test_ipsend(ns, PEER, 1), 0);
	answer(PEER_STATION);
	assert_int_equal(ti.ti_n, 2);
	assert_int_equal(ti.ti_frames[0].len, ETHER_MIN_LEN);
	for (i = ETHER_HDR_LEN + ARP_PKT_LEN; i < ETHER_MIN_LEN; i++)
		assert_int_equal(ti.ti_frames[0].bytes[i], 0);
	assert_int_equal(ti.ti_frames[1].len, ETHER_MIN_LEN);
	for (i = ETHER_HDR_LEN + IPV4_HDR_LEN + 1; i < ETHER_MIN_LEN; i++)
		assert_int_equal(ti.ti_frames[1].bytes[i], 0);
	end(ns);
}

static void
test_resolves_and_flushes(void **state)
{
	struct netstack *ns = arp_stack();
	struct arp_pkt ap;
	uint8_t mac[6];

	(void)state;
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	assert_int_equal(test_ipsend(ns, PEER, 101), 0);
	assert_int_equal(ti.ti_n, 1);
	ap = testif_arp(&ti, 0);
	assert_int_equal(ap.ar_op, ARPOP_REQUEST);
	assert_int_equal(ap.ar_tpa_be, PEER);
	assert_int_equal(ap.ar_spa_be, US);
	assert_true(ether_is_broadcast(ti.ti_frames[0].bytes));
	assert_int_equal(entry(PEER)->lle_state, LLE_INCOMPLETE);
	answer(PEER_STATION);
	assert_int_equal(entry(PEER)->lle_state, LLE_REACHABLE);
	assert_int_equal(ti.ti_n, 3);
	test_station(mac, PEER_STATION);
	assert_memory_equal(ti.ti_frames[1].bytes, mac, 6);
	assert_int_equal(ti.ti_frames[1].len, ETHER_HDR_LEN + IPV4_HDR_LEN + 100);
	assert_int_equal(ti.ti_frames[2].len, ETHER_HDR_LEN + IPV4_HDR_LEN + 101);
	assert_int_equal(test_ipsend(ns, PEER, 102), 0);
	assert_int_equal(ti.ti_n, 4);
	end(ns);
}

/* One request a second, then the packets are dropped and nobody asks for a while (row 7). */
static void
test_07_silence(void **state)
{
	struct netstack *ns = arp_stack();
	unsigned i;

	(void)state;
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	for (i = 1; i < 5; i++) {
		assert_int_equal(ti.ti_n, i);
		assert_int_equal(test_ipsend(ns, PEER, 100), 0);
		test_run_for(ns, NSEC_PER_SEC);
	}
	assert_int_equal(ti.ti_n, 5);
	test_run_for(ns, NSEC_PER_SEC);
	assert_int_equal(ti.ti_n, 5);
	assert_int_equal(ns->ns_drops[DROP_ARP_TIMEOUT], 5);
	assert_int_equal(entry(PEER)->lle_state, LLE_FAILED);
	/* Each was told of by an error from ourselves; so is what is sent before it is asked again. */
	assert_int_equal(icmps_received(ns), 5);
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	netstack_run(ns);
	assert_int_equal(icmps_received(ns), 6);
	assert_int_equal(ns->ns_drops[DROP_ARP_TIMEOUT], 6);
	assert_int_equal(ti.ti_n, 5);
	test_run_for(ns, 6 * NSEC_PER_SEC);
	assert_null(entry(PEER));
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	assert_int_equal(ti.ti_n, 6);
	end(ns);
}

static void
test_ages_and_probes(void **state)
{
	struct netstack *ns = arp_stack();
	uint8_t mac[6];

	(void)state;
	test_station(mac, PEER_STATION);
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	answer(PEER_STATION);
	test_run_for(ns, 14 * NSEC_PER_SEC);
	assert_int_equal(entry(PEER)->lle_state, LLE_REACHABLE);
	test_run_for(ns, 32 * NSEC_PER_SEC);
	assert_int_equal(entry(PEER)->lle_state, LLE_STALE);
	testif_clear(&ti);
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	assert_int_equal(ti.ti_n, 1);
	assert_int_equal(entry(PEER)->lle_state, LLE_DELAY);
	test_run_for(ns, 5 * NSEC_PER_SEC + NSEC_PER_MSEC);
	assert_int_equal(entry(PEER)->lle_state, LLE_PROBE);
	assert_int_equal(ti.ti_n, 2);
	assert_memory_equal(ti.ti_frames[1].bytes, mac, 6);
	assert_int_equal(testif_arp(&ti, 1).ar_tpa_be, PEER);
	answer(PEER_STATION);
	assert_int_equal(entry(PEER)->lle_state, LLE_REACHABLE);
	/* Silence: three questions to the station, then to everybody. */
	test_run_for(ns, 60 * NSEC_PER_SEC);
	testif_clear(&ti);
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	test_run_for(ns, 5 * NSEC_PER_SEC + 2500 * NSEC_PER_MSEC);
	assert_int_equal(ti.ti_n, 4);
	test_run_for(ns, NSEC_PER_SEC);
	assert_int_equal(ti.ti_n, 5);
	assert_true(ether_is_broadcast(ti.ti_frames[4].bytes));
	assert_int_equal(entry(PEER)->lle_state, LLE_INCOMPLETE);
	end(ns);
}

static void
test_answers_requests(void **state)
{
	struct netstack *ns = arp_stack();
	struct arp_pkt ap;

	(void)state;
	testif_arp_input(&ti, 9, 0xff, ARPOP_REQUEST, PEER, US);
	assert_int_equal(ti.ti_n, 1);
	ap = testif_arp(&ti, 0);
	assert_int_equal(ap.ar_op, ARPOP_REPLY);
	assert_int_equal(ap.ar_spa_be, US);
	assert_int_equal(ap.ar_tpa_be, PEER);
	assert_int_equal(entry(PEER)->lle_state, LLE_STALE);
	/* A probe is answered too, and makes no entry. */
	testif_arp_input(&ti, 8, 0xff, ARPOP_REQUEST, 0, US);
	assert_int_equal(ti.ti_n, 2);
	/* Another's address: no answer, no entry. */
	testif_arp_input(&ti, 8, 0xff, ARPOP_REQUEST, ipv4_addr_be(10, 0, 0, 8),
	    ipv4_addr_be(10, 0, 0, 7));
	assert_int_equal(ti.ti_n, 2);
	assert_null(entry(ipv4_addr_be(10, 0, 0, 8)));
	assert_int_equal(ns->ns_drops[DROP_ARP_NOTFORUS], 1);
	end(ns);
}

static void
test_04_malformed(void **state)
{
	static const struct {
		unsigned offset;
		uint8_t value;
		enum drop_reason why;
	} cases[] = {
	    {1, 6, DROP_ARP_FORMAT},
	    {2, 9, DROP_ARP_FORMAT},
	    {4, 8, DROP_ARP_FORMAT},
	    {5, 16, DROP_ARP_FORMAT},
	    {7, 9, DROP_ARP_OP},
	    {8, 1, DROP_ARP_SENDER},
	    {14, 224, DROP_ARP_SENDER},
	    {14, 255, DROP_ARP_SENDER},
	    {15, 7, DROP_ARP_SENDER}, /* not of our network */
	    {17, 255, DROP_ARP_SENDER},
	};
	struct netstack *ns = arp_stack();
	struct arp_pkt ap = {.ar_op = ARPOP_REQUEST, .ar_spa_be = PEER, .ar_tpa_be = US};
	uint8_t frame[ETHER_HDR_LEN + ARP_PKT_LEN];
	struct ether_hdr eh = {.ether_type = ETHERTYPE_ARP};
	uint64_t before;
	unsigned i;

	(void)state;
	test_station(ap.ar_sha, 9);
	test_station(eh.ether_dhost, 0xff);
	test_station(eh.ether_shost, 9);
	ether_emit(frame, &eh);
	for (i = 0; i < nitems(cases); i++) {
		arp_emit(frame + ETHER_HDR_LEN, &ap);
		frame[ETHER_HDR_LEN + cases[i].offset] = cases[i].value;
		before = ns->ns_drops[cases[i].why];
		testif_input(&ti, frame, sizeof(frame));
		assert_int_equal(ns->ns_drops[cases[i].why], before + 1);
	}
	arp_emit(frame + ETHER_HDR_LEN, &ap);
	for (i = 0; i < ARP_PKT_LEN; i++)
		testif_input(&ti, frame, ETHER_HDR_LEN + i);
	assert_int_equal(ns->ns_drops[DROP_ARP_SHORT], ARP_PKT_LEN);
	assert_int_equal(ti.ti_n, 0);
	assert_null(entry(PEER));
	end(ns);
}

static void
test_05_unsolicited(void **state)
{
	struct netstack *ns = arp_stack();
	uint32_t fixed = ipv4_addr_be(10, 0, 0, 77);
	uint8_t mac[6], station9[6];
	unsigned i;

	(void)state;
	test_station(mac, 0x77);
	test_station(station9, 9);
	assert_int_equal(in_neigh_add(&ti.ti_if, fixed, mac), 0);
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	answer(PEER_STATION);
	testif_clear(&ti);
	for (i = 2; i < 250; i++) {
		testif_arp_input(&ti, 5, 0xff, ARPOP_REPLY, ipv4_addr_be(10, 0, 0, (uint8_t)i),
		    ipv4_addr_be(10, 0, 0, (uint8_t)i));
		testif_arp_input(&ti, 5, 1, ARPOP_REPLY, ipv4_addr_be(10, 0, 0, (uint8_t)i), US);
	}
	assert_int_equal(ti.ti_n, 0);
	assert_int_equal(ti.ti_if.if_lltable->llt_pool.pl_nout, 2);
	assert_int_equal(entry(fixed)->lle_state, LLE_STATIC);
	assert_memory_equal(entry(fixed)->lle_lladdr, mac, 6);
	/* What was just heard is not replaced at once, later it is, and must be proven. */
	assert_memory_equal(entry(PEER)->lle_lladdr, station9, 6);
	test_run_for(ns, 2 * NSEC_PER_SEC);
	testif_arp_input(&ti, 5, 1, ARPOP_REPLY, PEER, US);
	test_station(mac, 5);
	assert_memory_equal(entry(PEER)->lle_lladdr, mac, 6);
	assert_int_equal(entry(PEER)->lle_state, LLE_STALE);
	assert_int_equal(in_neigh_del(&ti.ti_if, fixed), 0);
	assert_int_equal(in_neigh_del(&ti.ti_if, fixed), BSD_ESRCH);
	end(ns);
}

static void
test_06_claims_our_address(void **state)
{
	struct netstack *ns = arp_stack();
	unsigned i;

	(void)state;
	for (i = 0; i < 50; i++) {
		testif_arp_input(&ti, 5, 0xff, i % 2 == 0 ? ARPOP_REQUEST : ARPOP_REPLY, US, US);
		test_run_for(ns, 100 * NSEC_PER_MSEC);
	}
	assert_int_equal(ti.ti_n, 1);
	assert_int_equal(testif_arp(&ti, 0).ar_spa_be, US);
	assert_true(ether_is_broadcast(ti.ti_frames[0].bytes));
	assert_true(in_addr_islocal(ns, US));
	test_run_for(ns, 6 * NSEC_PER_SEC);
	testif_arp_input(&ti, 5, 0xff, ARPOP_REQUEST, US, US);
	assert_int_equal(ti.ti_n, 2);
	assert_null(entry(US));
	end(ns);
}

/* 64k neighbours: bounded entries and requests, and a neighbour that works goes on working. */
static void
test_07_scan(void **state)
{
	struct netstack *ns = in_teststack();
	uint64_t before;
	unsigned i;

	(void)state;
	assert_int_equal(testif_attach(ns, &ti, 1, US), 0);
	assert_int_equal(in_control_addr(ns, &ti.ti_if, ipv4_addr_be(10, 1, 0, 1), 16), 0);
	test_run_for(ns, 10 * NSEC_PER_SEC);
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	answer(PEER_STATION);
	ti.ti_keepnone = true;
	before = ti.ti_total;
	for (i = 2; i < 65000; i++)
		(void)test_ipsend(ns, ipv4_addr_be(10, 1, (uint8_t)(i >> 8), (uint8_t)i), 10);
	assert_true(ti.ti_total - before <= LLT_LIMIT_DEFAULT);
	assert_true(ti.ti_if.if_lltable->llt_pool.pl_nout <= LLT_LIMIT_DEFAULT);
	assert_true(ti.ti_if.if_lltable->llt_nheld <= LLT_HOLD_MAX);
	assert_true(ns->ns_drops[DROP_ARP_LIMIT] > 60000);
	assert_int_equal(test_ipsend(ns, PEER, 100), 0);
	assert_int_equal(entry(PEER)->lle_state, LLE_REACHABLE);
	/* A new one comes in as soon as the oldest has waited its second. */
	test_run_for(ns, 1500 * NSEC_PER_MSEC);
	testif_arp_input(&ti, 8, 0xff, ARPOP_REQUEST, ipv4_addr_be(10, 0, 0, 8), US);
	assert_non_null(entry(ipv4_addr_be(10, 0, 0, 8)));
	end(ns);
}

static void
test_hold_limits(void **state)
{
	struct netstack *ns = arp_stack();
	unsigned i;

	(void)state;
	for (i = 0; i < LLE_HOLD_MAX + 5; i++)
		assert_int_equal(test_ipsend(ns, PEER, 10), i < LLE_HOLD_MAX ? 0 : BSD_ENOBUFS);
	assert_int_equal(ns->ns_drops[DROP_ARP_HOLD], 5);
	end(ns);
}

static int
arp_scenario(struct netstack *ns, void *arg)
{
	int error;

	(void)arg;
	if ((error = testif_attach(ns, &ti, 1, US)) != 0)
		return error;
	test_run_for(ns, 3 * NSEC_PER_SEC);
	if ((error = test_ipsend(ns, PEER, 1000)) != 0)
		return error;
	answer(PEER_STATION);
	testif_arp_input(&ti, 8, 0xff, ARPOP_REQUEST, ipv4_addr_be(10, 0, 0, 8), US);
	error = ti.ti_n == 5 ? 0 : BSD_ENOBUFS;
	test_run_for(ns, 60 * NSEC_PER_SEC);
	return error;
}

static void
test_nomem(void **state)
{
	(void)state;
	assert_true(for_each_alloc_failure(in_teststack, arp_scenario, NULL) > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_announces_address),
	    cmocka_unit_test(test_02_padding_is_zero),
	    cmocka_unit_test(test_resolves_and_flushes),
	    cmocka_unit_test(test_07_silence),
	    cmocka_unit_test(test_ages_and_probes),
	    cmocka_unit_test(test_answers_requests),
	    cmocka_unit_test(test_04_malformed),
	    cmocka_unit_test(test_05_unsolicited),
	    cmocka_unit_test(test_06_claims_our_address),
	    cmocka_unit_test(test_07_scan),
	    cmocka_unit_test(test_hold_limits),
	    cmocka_unit_test(test_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
