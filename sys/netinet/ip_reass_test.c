/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly against a model of bytes: any order, repetitions, overlaps, limits, time-outs, lack of
 * memory. The numbers name kinds of hostile input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/testutil.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/ether.h"
#include "wire/icmp4.h"

#define US ipv4_addr_be(10, 0, 0, 1)
#define PEER ipv4_addr_be(10, 0, 0, 9)

static struct testif ti;
static uint8_t data[68000];

static void
got_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	assert_true(ipv4_cksum_ok(m->m_data, rx->rx_hlen));
	test_got_input(m, rx);
}

static const struct in_transport got_transport = {.it_proto = TEST_PROTO, .it_input = got_input};

static int
reass_setup(struct netstack *ns)
{
	uint8_t mac[6];
	int error;

	memset(&test_got, 0, sizeof(test_got));
	if ((error = testif_attach(ns, &ti, 1, US)) != 0)
		return error;
	test_run_for(ns, 10 * NSEC_PER_SEC);
	test_station(mac, 9);
	testif_clear(&ti);
	if ((error = in_neigh_add(&ti.ti_if, PEER, mac)) != 0)
		return error;
	return in_transport_register(ns, &got_transport);
}

static struct netstack *
reass_stack(void)
{
	struct netstack *ns = in_teststack();
	unsigned i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = test_byte(i);
	assert_int_equal(reass_setup(ns), 0);
	return ns;
}

/* Bytes [off, off+len) of data as a fragment of datagram id. */
static void
frag_proto(uint8_t proto, uint32_t src_be, uint16_t id, uint32_t off, uint32_t len, bool mf)
{
	struct ipv4_hdr ip = test_iphdr(proto, src_be, US, len);

	ip.ip_id = id;
	ip.ip_fragoff_bytes = (uint16_t)off;
	ip.ip_mf = mf;
	testif_ip_input(&ti, &ip, data + off, len);
}

static void
frag(uint16_t id, uint32_t off, uint32_t len, bool mf)
{
	frag_proto(TEST_PROTO, PEER, id, off, len, mf);
}

static uint64_t
ipstat(const struct netstack *ns, enum ip_stat which)
{
	return ns->ns_inet->is_ipstat[which];
}

/* No datagram waits. */
static void
reass_end(struct netstack *ns)
{
	test_run_for(ns, 61 * NSEC_PER_SEC);
	assert_int_equal(ns->ns_inet->is_reass.ipr_count, 0);
	assert_int_equal(ns->ns_inet->is_reass.ipr_bytes, 0);
	test_netstack_end(ns);
}

/* Random orders with exact repetitions: every datagram comes whole, once. */
static void
test_model_orders(void **state)
{
	struct netstack *ns = reass_stack();
	struct testpiece pieces[2048];
	unsigned round, i, n, whole = 0;
	uint32_t total;

	(void)state;
	for (round = 0; round < 300; round++) {
		total = 40 + rng_below(&ns->ns_rng, round % 10 == 0 ? 60000 : 5000);
		n = test_cut(ns, total, pieces);
		if (n < 2 || n > 128)
			continue;
		whole++;
		for (i = 0; i < n; i++) {
			frag((uint16_t)round, pieces[i].tp_off, pieces[i].tp_len, pieces[i].tp_mf);
			if (i + 1 < n && rng_below(&ns->ns_rng, 4) == 0)
				frag((uint16_t)round, pieces[i].tp_off, pieces[i].tp_len,
				    pieces[i].tp_mf);
		}
		assert_int_equal(test_got.tg_n, whole);
		assert_int_equal(test_got.tg_len, total);
		assert_memory_equal(test_got.tg_bytes, data, total);
	}
	assert_true(whole > 200);
	assert_int_equal(ipstat(ns, IPSTAT_reassembled), whole);
	assert_int_equal(ns->ns_inet->is_reass.ipr_count, 0);
	reass_end(ns);
}

/*
 * Random pieces that may overlap, against the rule: exact repetition is harmless, any other overlap
 * condemns. A datagram is delivered only if no overlap came before it was whole, and then right.
 */
static void
test_14_15_model_overlaps(void **state)
{
	struct netstack *ns = reass_stack();
	struct testpiece pieces[256];
	unsigned round, i, j, n, delivered = 0, condemned = 0;

	(void)state;
	for (round = 0; round < 400; round++) {
		bool bad = false;

		n = test_cut(ns, 3000, pieces);
		if (n < 3)
			continue;
		if (round % 2 == 0) {
			i = rng_below(&ns->ns_rng, n - 1);
			pieces[n] = pieces[i];
			/* A piece that shares some bytes with what comes before and after it. */
			pieces[i] =
			    (struct testpiece){8 * (4 + rng_below(&ns->ns_rng, 300)), 16, true};
			for (bad = true, j = 0; j <= n; j++)
				if (pieces[j].tp_off == pieces[i].tp_off &&
				    pieces[j].tp_len == 16 && j != i)
					bad = false;
			n++;
		}
		test_got.tg_n = 0;
		for (i = 0; i < n; i++)
			frag((uint16_t)round, pieces[i].tp_off, pieces[i].tp_len, pieces[i].tp_mf);
		assert_int_equal(test_got.tg_n, bad ? 0 : 1);
		if (!bad)
			assert_memory_equal(test_got.tg_bytes, data, 3000);
		delivered += !bad;
		condemned += bad;
		if (round % 50 == 0)
			test_run_for(ns, 31 * NSEC_PER_SEC);
	}
	assert_true(delivered > 150 && condemned > 150);
	assert_true(ns->ns_drops[DROP_IP_FRAGOVERLAP] > 150);
	reass_end(ns);
}

/* Same place, other bytes: the datagram goes, and what comes later of it, too. */
static void
test_15_same_offset_different_data(void **state)
{
	struct netstack *ns = reass_stack();

	(void)state;
	frag(1, 0, 800, true);
	data[900] ^= 1;
	frag(1, 800, 800, true);
	data[900] ^= 1;
	frag(1, 800, 800, true);
	frag(1, 1600, 100, false);
	frag(1, 0, 800, true);
	frag(1, 800, 800, true);
	assert_int_equal(test_got.tg_n, 0);
	/* The last one again, with another end. */
	frag(2, 800, 100, false);
	frag(2, 800, 108, false);
	frag(2, 0, 800, true);
	assert_int_equal(test_got.tg_n, 0);
	/* Beyond the end. */
	frag(3, 800, 100, false);
	frag(3, 904, 80, true);
	frag(3, 0, 800, true);
	assert_int_equal(test_got.tg_n, 0);
	reass_end(ns);
	assert_int_equal(ti.ti_n, 0);
}

static void
test_13_ping_of_death(void **state)
{
	struct netstack *ns = reass_stack();

	(void)state;
	frag(1, 0, 1400, true);
	frag(1, 65528, 100, false);
	assert_int_equal(ns->ns_drops[DROP_IP_FRAGLEN], 2);
	assert_int_equal(ns->ns_inet->is_reass.ipr_bytes, 0);
	frag(2, 65528, 8, false);
	assert_int_equal(ns->ns_drops[DROP_IP_FRAGLEN], 3);
	reass_end(ns);
}

static void
test_16_18_tiny_and_uneven(void **state)
{
	struct netstack *ns = reass_stack();

	(void)state;
	frag_proto(IPV4_PROTO_TCP, PEER, 1, 0, 16, true);
	frag_proto(IPV4_PROTO_TCP, PEER, 1, 8, 100, false);
	frag_proto(IPV4_PROTO_UDP, PEER, 1, 0, 0, true);
	assert_int_equal(ns->ns_drops[DROP_IP_FRAGTINY], 2);
	assert_int_equal(ns->ns_drops[DROP_IP_FRAGLEN], 1);
	frag(2, 0, 801, true);
	frag(2, 800, 0, false);
	frag(2, 800, 7, true);
	assert_int_equal(ns->ns_drops[DROP_IP_FRAGLEN], 4);
	assert_int_equal(ns->ns_inet->is_reass.ipr_count, 0);
	reass_end(ns);
}

/* Floods: by one source, by many, of many pieces, of much memory. */
static void
test_17_limits(void **state)
{
	struct netstack *ns = reass_stack();
	struct ip_reass *ipr = &ns->ns_inet->is_reass;
	unsigned i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		frag((uint16_t)i, 8, 8, true);
		assert_true(ipr->ipr_count <= ipr->ipr_maxpersource);
	}
	for (i = 0; i < 1000; i++) {
		frag_proto(TEST_PROTO, ipv4_addr_be(10, 9, (uint8_t)(i >> 8), (uint8_t)i), 1, 8, 8,
		    true);
		assert_true(ipr->ipr_count <= ipr->ipr_maxdatagrams);
	}
	assert_true(ns->ns_drops[DROP_IP_FRAGLIMIT] > 1700);
	/* The flood goes on, and a datagram comes through. */
	frag(5000, 0, 800, true);
	frag(5000, 800, 800, false);
	assert_int_equal(test_got.tg_n, 1);
	test_run_for(ns, 61 * NSEC_PER_SEC);
	/* Small ones in reverse order. */
	for (i = 8000; i >= 8; i -= 8) {
		frag(1, i, 8, true);
		assert_true(ipr->ipr_bytes <= ipr->ipr_maxfrags * 4096);
	}
	assert_int_equal(ipr->ipr_bytes, 0);
	ipr->ipr_maxbytes = 8192;
	for (i = 0; i < 100; i++) {
		frag((uint16_t)(100 + i), 8, 1000, true);
		assert_true(ipr->ipr_bytes <= 8192);
	}
	ipr->ipr_maxbytes = 100;
	frag(999, 8, 1000, true);
	assert_int_equal(ipr->ipr_bytes, 0);
	reass_end(ns);
}

/* 30 s; time exceeded goes out only when the first fragment is there. */
/* Beginnings of datagrams, more than there are clusters for: one that is whole comes through. */
static void
test_17_beginnings_leave_memory(void **state)
{
	struct netstack *ns = reass_stack();
	uint32_t n = ns->ns_mcl2pool.pl_limit + 100, off;
	uint16_t id = 0;

	(void)state;
	for (unsigned i = 0; i < n; i++) { /* eight to a datagram, from sixteen sources */
		id = (uint16_t)(i / 8);
		off = i % 8 * 1480;
		frag_proto(TEST_PROTO, ipv4_addr_be(10, 0, 0, (uint8_t)(20 + id % 16)), id, off,
		    1480, true);
	}
	for (off = 0; off < 5 * 1480; off += 1480)
		frag(id, off, 1480, off < 4 * 1480);
	assert_int_equal(test_got.tg_n, 1);
	assert_int_equal(test_got.tg_len, 5 * 1480);
	assert_int_equal(ns->ns_drops[DROP_MBUF_NOBUFS], 0);
	reass_end(ns);
}

static void
test_timeout(void **state)
{
	struct netstack *ns = reass_stack();
	struct icmp4_embedded ie;
	const uint8_t *p;

	(void)state;
	frag_proto(IPV4_PROTO_UDP, PEER, 1, 800, 800, false);
	test_run_for(ns, 31 * NSEC_PER_SEC);
	assert_int_equal(ti.ti_n, 0);
	assert_int_equal(ipstat(ns, IPSTAT_fragtimeout), 1);
	frag_proto(IPV4_PROTO_UDP, PEER, 2, 0, 800, true);
	test_run_for(ns, 29 * NSEC_PER_SEC);
	assert_int_equal(ti.ti_n, 0);
	test_run_for(ns, 2 * NSEC_PER_SEC);
	assert_int_equal(ti.ti_n, 1);
	assert_int_equal(ti.ti_frames[0].len, ETHER_HDR_LEN + 576);
	p = ti.ti_frames[0].bytes + ETHER_HDR_LEN + IPV4_HDR_LEN;
	assert_int_equal(p[0], ICMP4_TIMXCEED);
	assert_int_equal(p[1], ICMP4_TIMXCEED_REASS);
	assert_true(icmp4_cksum_ok(p, 556));
	assert_int_equal(icmp4_parse_embedded(p + 8, 548, &ie), ICMP4_EMBEDDED_OK);
	assert_int_equal(ie.ie_ip.ip_id, 2);
	assert_int_equal(ns->ns_drops[DROP_IP_FRAGTIMEOUT], 2);
	reass_end(ns);
}

/* Options are those of the first fragment. */
static void
test_19_options(void **state)
{
	static const uint8_t opts[4] = {IPV4_OPT_NOP, IPV4_OPT_NOP, IPV4_OPT_NOP, IPV4_OPT_EOL};
	struct netstack *ns = reass_stack();
	struct ipv4_hdr ip = test_iphdr(TEST_PROTO, PEER, US, 804);
	uint8_t frame[ETHER_HDR_LEN + 24 + 800];

	(void)state;
	ip.ip_mf = true;
	ip.ip_id = 1;
	memset(frame, 0, sizeof(frame));
	test_station(frame, 1);
	test_station(frame + 6, 9);
	be16_put(frame + 12, ETHERTYPE_IP);
	assert_int_equal(ipv4_emit_opts(frame + ETHER_HDR_LEN, &ip, opts, sizeof(opts)), 24);
	memcpy(frame + ETHER_HDR_LEN + 24, data, 800);
	frag(1, 800, 800, false);
	testif_input(&ti, frame, sizeof(frame));
	assert_int_equal(test_got.tg_n, 1);
	assert_int_equal(test_got.tg_hlen, 24);
	assert_int_equal(test_got.tg_len, 1600);
	assert_memory_equal(test_got.tg_bytes, data, 1600);
	reass_end(ns);
}

/* An interface that goes takes its fragments along. */
static void
test_detach(void **state)
{
	struct netstack *ns = reass_stack();

	(void)state;
	frag(1, 0, 800, true);
	frag(2, 800, 800, true);
	if_detach(&ti.ti_if);
	assert_int_equal(ns->ns_inet->is_reass.ipr_count, 0);
	test_netstack_end(ns);
}

static int
reass_scenario(struct netstack *ns, void *arg)
{
	int error;

	(void)arg;
	if ((error = reass_setup(ns)) != 0)
		return error;
	frag(1, 1600, 800, false);
	frag(1, 0, 800, true);
	frag(1, 800, 800, true);
	frag_proto(IPV4_PROTO_UDP, PEER, 2, 0, 800, true);
	test_run_for(ns, 61 * NSEC_PER_SEC);
	return test_got.tg_n == 1 && ti.ti_n == 1 ? 0 : BSD_ENOBUFS;
}

static void
test_nomem(void **state)
{
	(void)state;
	assert_true(for_each_alloc_failure(in_teststack, reass_scenario, NULL) > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_model_orders),
	    cmocka_unit_test(test_14_15_model_overlaps),
	    cmocka_unit_test(test_15_same_offset_different_data),
	    cmocka_unit_test(test_13_ping_of_death),
	    cmocka_unit_test(test_16_18_tiny_and_uneven),
	    cmocka_unit_test(test_17_limits),
	    cmocka_unit_test(test_17_beginnings_leave_memory),
	    cmocka_unit_test(test_timeout),
	    cmocka_unit_test(test_19_options),
	    cmocka_unit_test(test_detach),
	    cmocka_unit_test(test_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
