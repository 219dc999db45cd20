/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet headers and 802.1Q tags: bytes to values and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/testutil.h"
#include "wire/testutil_packets.h"

static void
test_parse_real_frame(void **state)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t station[6] = {2, 0, 0, 0, 0, 2};
	struct ether_hdr eh;

	(void)state;
	assert_int_equal(ether_parse(packet_arp_request, sizeof(packet_arp_request), &eh), 0);
	assert_memory_equal(eh.ether_dhost, broadcast, 6);
	assert_memory_equal(eh.ether_shost, station, 6);
	assert_int_equal(eh.ether_type, ETHERTYPE_ARP);
}

static void
test_parse_short(void **state)
{
	struct ether_hdr eh;
	struct ether_vlan tag;

	(void)state;
	for (size_t len = 0; len <= ETHER_HDR_LEN; len++) {
		uint8_t *p = test_exact(packet_udp, len);

		assert_int_equal(ether_parse(p, len, &eh), len < ETHER_HDR_LEN ? -1 : 0);
		assert_int_equal(ether_vlan_parse(p, len, &tag), len < ETHER_VLAN_LEN ? -1 : 0);
		free(p);
	}
}

static void
test_round_trip(void **state)
{
	uint8_t bytes[ETHER_HDR_LEN], out[ETHER_HDR_LEN];
	struct ether_hdr eh;
	uint32_t rnd = 7;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		test_random_fill(&rnd, bytes, sizeof(bytes));
		assert_int_equal(ether_parse(bytes, sizeof(bytes), &eh), 0);
		ether_emit(out, &eh);
		assert_memory_equal(out, bytes, sizeof(bytes));
	}
}

static void
test_vlan(void **state)
{
	static const uint8_t bytes[] = {0xb1, 0x23, 0x08, 0x00}; /* 101 1 0001 0010 0011 */
	struct ether_vlan tag;
	uint8_t out[4];

	(void)state;
	assert_int_equal(ether_vlan_parse(bytes, sizeof(bytes), &tag), 0);
	assert_int_equal(tag.vlan_pcp, 5);
	assert_true(tag.vlan_dei);
	assert_int_equal(tag.vlan_vid, 0x123);
	assert_int_equal(tag.vlan_type, ETHERTYPE_IP);
	for (uint32_t tci = 0; tci <= 0xffff; tci++) {
		uint8_t in[4] = {(uint8_t)(tci >> 8), (uint8_t)tci, 0x86, 0xdd};

		assert_int_equal(ether_vlan_parse(in, sizeof(in), &tag), 0);
		ether_vlan_emit(out, &tag);
		assert_memory_equal(out, in, sizeof(in));
	}
}

static void
test_address_classes(void **state)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t nearly[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
	static const uint8_t station[6] = {0x02, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t zero[6] = {0};

	(void)state;
	assert_true(ether_is_broadcast(broadcast));
	assert_true(ether_is_multicast(broadcast));
	assert_false(ether_is_broadcast(nearly));
	assert_true(ether_is_multicast(nearly));
	assert_false(ether_is_multicast(station));
	assert_false(ether_is_broadcast(station));
	assert_true(ether_is_zero(zero));
	assert_false(ether_is_zero(station));
	assert_true(ether_addr_equal(station, station));
	assert_false(ether_addr_equal(broadcast, nearly));
}

static void
test_map_multicast(void **state)
{
	static const uint8_t expected[6] = {0x01, 0x00, 0x5e, 0x7f, 0x02, 0x03};
	uint8_t addr[6];

	(void)state;
	/* 32 groups share an address: the upper 9 bits are not in it */
	ether_map_ipv4_multicast(addr, ipv4_addr_be(224, 127, 2, 3));
	assert_memory_equal(addr, expected, 6);
	ether_map_ipv4_multicast(addr, ipv4_addr_be(239, 255, 2, 3));
	assert_memory_equal(addr, expected, 6);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_real_frame),
	    cmocka_unit_test(test_parse_short),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_vlan),
	    cmocka_unit_test(test_address_classes),
	    cmocka_unit_test(test_map_multicast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
