/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP: a real packet, every reason to refuse one, and the way back to bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/arp.h"
#include "wire/be.h"
#include "wire/ipv4.h"
#include "wire/testutil.h"
#include "wire/testutil_packets.h"

static const uint8_t *const request = packet_arp_request + ETHER_HDR_LEN;

/* The result for the real request with the byte at off replaced. */
static enum arp_parse_result
parse_with(size_t off, uint8_t value)
{
	uint8_t bytes[ARP_PKT_LEN];
	struct arp_pkt ap;

	memcpy(bytes, request, sizeof(bytes));
	bytes[off] = value;
	return arp_parse(bytes, sizeof(bytes), &ap);
}

/* The result for the real request with another sender's address. */
static enum arp_parse_result
parse_from(uint32_t spa_be)
{
	uint8_t bytes[ARP_PKT_LEN];
	struct arp_pkt ap;

	memcpy(bytes, request, sizeof(bytes));
	raw32_put(bytes + 14, spa_be);
	return arp_parse(bytes, sizeof(bytes), &ap);
}

static void
test_parse_real_request(void **state)
{
	static const uint8_t sha[6] = {2, 0, 0, 0, 0, 2};
	struct arp_pkt ap;

	(void)state;
	assert_int_equal(arp_parse(request, ARP_PKT_LEN, &ap), ARP_PARSE_OK);
	assert_int_equal(ap.ar_hrd, ARPHRD_ETHER);
	assert_int_equal(ap.ar_pro, ETHERTYPE_IP);
	assert_int_equal(ap.ar_hln, 6);
	assert_int_equal(ap.ar_pln, 4);
	assert_int_equal(ap.ar_op, ARPOP_REQUEST);
	assert_memory_equal(ap.ar_sha, sha, 6);
	assert_int_equal(ap.ar_spa_be, ipv4_addr_be(10, 9, 0, 2));
	assert_true(ether_is_zero(ap.ar_tha));
	assert_int_equal(ap.ar_tpa_be, ipv4_addr_be(10, 9, 0, 9));
}

/* HOSTILE 4 */
static void
test_every_refusal(void **state)
{
	struct arp_pkt ap;

	(void)state;
	for (size_t len = 0; len < ARP_PKT_LEN; len++) {
		uint8_t *p = test_exact(request, len);

		assert_int_equal(arp_parse(p, len, &ap), ARP_PARSE_SHORT);
		free(p);
	}
	assert_int_equal(parse_with(1, 6), ARP_PARSE_FORMAT);
	assert_int_equal(parse_with(2, 0x86), ARP_PARSE_FORMAT);
	assert_int_equal(parse_with(4, 5), ARP_PARSE_FORMAT);
	assert_int_equal(parse_with(4, 255), ARP_PARSE_FORMAT);
	assert_int_equal(parse_with(5, 0), ARP_PARSE_FORMAT);
	assert_int_equal(parse_with(5, 16), ARP_PARSE_FORMAT);
	assert_int_equal(parse_with(6, 1), ARP_PARSE_OP);
	assert_int_equal(parse_with(7, 0), ARP_PARSE_OP);
	assert_int_equal(parse_with(7, 2), ARP_PARSE_OK);
	assert_int_equal(parse_with(7, 3), ARP_PARSE_OP);
	assert_int_equal(parse_with(8, 3), ARP_PARSE_SENDER);
	assert_int_equal(parse_with(13, 0), ARP_PARSE_OK);
}

static void
test_sender_addresses(void **state)
{
	uint8_t bytes[ARP_PKT_LEN];
	struct arp_pkt ap;

	(void)state;
	assert_int_equal(parse_from(0), ARP_PARSE_OK); /* a probe, RFC 5227 */
	assert_int_equal(parse_from(ipv4_addr_be(0, 0, 0, 1)), ARP_PARSE_SENDER);
	assert_int_equal(parse_from(ipv4_addr_be(127, 0, 0, 1)), ARP_PARSE_SENDER);
	assert_int_equal(parse_from(ipv4_addr_be(224, 0, 0, 1)), ARP_PARSE_SENDER);
	assert_int_equal(parse_from(UINT32_MAX), ARP_PARSE_SENDER);
	assert_int_equal(parse_from(ipv4_addr_be(169, 254, 1, 1)), ARP_PARSE_OK);
	memcpy(bytes, request, sizeof(bytes));
	memset(bytes + 8, 0, 6);
	assert_int_equal(arp_parse(bytes, sizeof(bytes), &ap), ARP_PARSE_SENDER);
}

static void
test_round_trip(void **state)
{
	uint8_t bytes[ARP_PKT_LEN], out[ARP_PKT_LEN];
	struct arp_pkt ap;
	uint32_t rnd = 8;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		memcpy(bytes, request, sizeof(bytes));
		test_random_fill(&rnd, bytes + 8, 20);
		bytes[7] = 1 + i % 2;
		bytes[8] &= 0xfe;
		bytes[13] |= 1;
		bytes[14] = 10;
		assert_int_equal(arp_parse(bytes, sizeof(bytes), &ap), ARP_PARSE_OK);
		ap.ar_hrd = ap.ar_pro = ap.ar_hln = ap.ar_pln = 0; /* written as they must be */
		arp_emit(out, &ap);
		assert_memory_equal(out, bytes, sizeof(bytes));
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 0; i < ARP_PARSE_NRESULTS; i++)
		assert_non_null(arp_parse_name((enum arp_parse_result)i));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_real_request),
	    cmocka_unit_test(test_every_refusal),
	    cmocka_unit_test(test_sender_addresses),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
