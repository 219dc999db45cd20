/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP: a real echo, and errors that quote packets truly, cut, or lying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/testutil.h"
#include "wire/testutil_packets.h"

#define ECHO_OFF (ETHER_HDR_LEN + IPV4_HDR_LEN)
#define ECHO_LEN (sizeof(packet_echo) - ECHO_OFF)

static void
test_parse_real_echo(void **state)
{
	struct icmp4_hdr icmp;

	(void)state;
	assert_int_equal(icmp4_parse(packet_echo + ECHO_OFF, ECHO_LEN, &icmp), 0);
	assert_int_equal(icmp.icmp_type, ICMP4_ECHO);
	assert_int_equal(icmp.icmp_code, 0);
	assert_int_equal(icmp.icmp_sum, 0xb730);
	assert_int_equal(icmp.icmp_id, 0x34be);
	assert_int_equal(icmp.icmp_seq, 1);
	assert_true(icmp4_cksum_ok(packet_echo + ECHO_OFF, ECHO_LEN));
	assert_false(icmp4_cksum_ok(packet_echo + ECHO_OFF, ECHO_LEN - 1));
}

/* HOSTILE 23 */
static void
test_parse_short(void **state)
{
	struct icmp4_hdr icmp;

	(void)state;
	for (size_t len = 0; len <= ICMP4_HDR_LEN; len++) {
		uint8_t *p = test_exact(packet_echo + ECHO_OFF, len);

		assert_int_equal(icmp4_parse(p, len, &icmp), len < ICMP4_HDR_LEN ? -1 : 0);
		free(p);
	}
}

static void
test_round_trip(void **state)
{
	uint8_t bytes[ICMP4_HDR_LEN], out[ICMP4_HDR_LEN];
	struct icmp4_hdr icmp;
	uint32_t rnd = 12;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		test_random_fill(&rnd, bytes, sizeof(bytes));
		assert_int_equal(icmp4_parse(bytes, sizeof(bytes), &icmp), 0);
		icmp4_emit(out, &icmp);
		assert_memory_equal(out, bytes, sizeof(bytes));
	}
}

static void
test_second_word(void **state)
{
	static const uint8_t bytes[] = {3, 4, 0, 0, 0x0a, 0x09, 0x05, 0xdc};
	struct icmp4_hdr icmp;

	(void)state;
	assert_int_equal(icmp4_parse(bytes, sizeof(bytes), &icmp), 0);
	assert_int_equal(icmp4_nextmtu(&icmp), 1500);
	assert_int_equal(icmp4_pointer(&icmp), 10);
	assert_int_equal(icmp4_gateway_be(&icmp), ipv4_addr_be(10, 9, 5, 220));
}

static void
test_which_are_errors(void **state)
{
	int errors = 0;

	(void)state;
	for (int type = 0; type < 256; type++)
		errors += icmp4_is_error((uint8_t)type);
	assert_int_equal(errors, 5);
	assert_true(icmp4_is_error(ICMP4_UNREACH));
	assert_true(icmp4_is_error(ICMP4_SOURCEQUENCH));
	assert_true(icmp4_is_error(ICMP4_REDIRECT));
	assert_true(icmp4_is_error(ICMP4_TIMXCEED));
	assert_true(icmp4_is_error(ICMP4_PARAMPROB));
}

static void
test_embedded_tcp_cut_at_every_length(void **state)
{
	const uint8_t *ip = packet_syn + ETHER_HDR_LEN;
	struct icmp4_embedded ie;

	(void)state;
	for (size_t len = 0; len <= sizeof(packet_syn) - ETHER_HDR_LEN; len++) {
		uint8_t *p = test_exact(ip, len);
		enum icmp4_embedded_result result = icmp4_parse_embedded(p, len, &ie);

		free(p);
		if (len < IPV4_HDR_LEN) {
			assert_int_equal(result, ICMP4_EMBEDDED_IP);
			continue;
		}
		assert_int_equal(ie.ie_ip.ip_dst_be, ipv4_addr_be(10, 9, 0, 1));
		if (len < IPV4_HDR_LEN + ICMP4_EMBEDDED_MIN) {
			assert_int_equal(result, ICMP4_EMBEDDED_SHORT);
			assert_int_equal(ie.ie_sport | ie.ie_dport | ie.ie_seq, 0);
			continue;
		}
		assert_int_equal(result, ICMP4_EMBEDDED_OK);
		assert_int_equal(ie.ie_sport, 40000);
		assert_int_equal(ie.ie_dport, 80);
		assert_int_equal(ie.ie_seq, 0xe9e1d426);
	}
}

static void
test_embedded_udp_and_icmp(void **state)
{
	struct icmp4_embedded ie;

	(void)state;
	assert_int_equal(icmp4_parse_embedded(packet_udp + ETHER_HDR_LEN, 28, &ie),
	    ICMP4_EMBEDDED_OK);
	assert_int_equal(ie.ie_sport, 4000);
	assert_int_equal(ie.ie_dport, 53);
	assert_int_equal(ie.ie_seq, 0);
	assert_int_equal(icmp4_parse_embedded(packet_echo + ETHER_HDR_LEN, 28, &ie),
	    ICMP4_EMBEDDED_OK);
	assert_int_equal(ie.ie_sport | ie.ie_dport, 0);
	assert_int_equal(ie.ie_icmp.icmp_type, ICMP4_ECHO);
	assert_int_equal(ie.ie_icmp.icmp_id, 0x34be);
}

static void
test_embedded_refusals(void **state)
{
	uint8_t bytes[28];
	struct icmp4_embedded ie;

	(void)state;
	assert_int_equal(icmp4_parse_embedded(packet_fragment + ETHER_HDR_LEN, 28, &ie),
	    ICMP4_EMBEDDED_FRAGMENT);
	memcpy(bytes, packet_udp + ETHER_HDR_LEN, sizeof(bytes));
	bytes[0] = 0x46; /* options push the ports out */
	assert_int_equal(icmp4_parse_embedded(bytes, sizeof(bytes), &ie), ICMP4_EMBEDDED_SHORT);
	bytes[0] = 0x4f; /* the header itself is cut */
	bytes[3] = 100;
	assert_int_equal(icmp4_parse_embedded(bytes, sizeof(bytes), &ie), ICMP4_EMBEDDED_SHORT);
	bytes[0] = 0x44;
	assert_int_equal(icmp4_parse_embedded(bytes, sizeof(bytes), &ie), ICMP4_EMBEDDED_IP);
	bytes[0] = 0x65;
	assert_int_equal(icmp4_parse_embedded(bytes, sizeof(bytes), &ie), ICMP4_EMBEDDED_IP);
	bytes[0] = 0x45;
	bytes[3] = 27; /* says that it has no ports, whatever follows */
	assert_int_equal(icmp4_parse_embedded(bytes, sizeof(bytes), &ie), ICMP4_EMBEDDED_SHORT);
	bytes[3] = 19;
	assert_int_equal(icmp4_parse_embedded(bytes, sizeof(bytes), &ie), ICMP4_EMBEDDED_IP);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_real_echo),
	    cmocka_unit_test(test_parse_short),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_second_word),
	    cmocka_unit_test(test_which_are_errors),
	    cmocka_unit_test(test_embedded_tcp_cut_at_every_length),
	    cmocka_unit_test(test_embedded_udp_and_icmp),
	    cmocka_unit_test(test_embedded_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
