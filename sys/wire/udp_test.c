/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP: a real datagram, every reason to refuse one, and the way back to bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/testutil.h"
#include "wire/testutil_packets.h"
#include "wire/udp.h"

static const uint8_t *const datagram = packet_udp + ETHER_HDR_LEN + IPV4_HDR_LEN;
#define DATAGRAM_LEN 11

static void
test_parse_real_datagram(void **state)
{
	uint32_t src = ipv4_addr_be(10, 9, 0, 2), dst = ipv4_addr_be(10, 9, 0, 1);
	struct udp_hdr uh;
	uint32_t sum;

	(void)state;
	assert_int_equal(udp_parse(datagram, DATAGRAM_LEN, &uh), UDP_PARSE_OK);
	assert_int_equal(uh.uh_sport, 4000);
	assert_int_equal(uh.uh_dport, 53);
	assert_int_equal(uh.uh_ulen, DATAGRAM_LEN);
	assert_int_equal(uh.uh_sum, 0x5285);
	sum = cksum_pseudo4(src, dst, IPV4_PROTO_UDP, DATAGRAM_LEN);
	assert_int_equal(cksum_finish(cksum_partial(datagram, DATAGRAM_LEN, sum)), 0);
}

/* HOSTILE 46 */
static void
test_every_refusal(void **state)
{
	uint8_t bytes[DATAGRAM_LEN];
	struct udp_hdr uh;

	(void)state;
	memcpy(bytes, datagram, sizeof(bytes));
	for (size_t len = 0; len < DATAGRAM_LEN; len++) {
		uint8_t *p = test_exact(bytes, len);

		assert_int_equal(udp_parse(p, len, &uh),
		    len < UDP_HDR_LEN ? UDP_PARSE_SHORT : UDP_PARSE_TOOLONG);
		free(p);
	}
	for (uint16_t ulen = 0; ulen < 20; ulen++) {
		be16_put(bytes + 4, ulen);
		if (ulen < UDP_HDR_LEN)
			assert_int_equal(udp_parse(bytes, sizeof(bytes), &uh), UDP_PARSE_LEN);
		else if (ulen > DATAGRAM_LEN)
			assert_int_equal(udp_parse(bytes, sizeof(bytes), &uh), UDP_PARSE_TOOLONG);
		else
			assert_int_equal(udp_parse(bytes, sizeof(bytes), &uh), UDP_PARSE_OK);
	}
}

static void
test_partial(void **state)
{
	uint8_t *p = test_exact(datagram, UDP_HDR_LEN);
	struct udp_hdr uh;

	(void)state;
	assert_int_equal(udp_parse_partial(p, UDP_HDR_LEN, DATAGRAM_LEN, &uh), UDP_PARSE_OK);
	assert_int_equal(udp_parse_partial(p, UDP_HDR_LEN, DATAGRAM_LEN - 1, &uh),
	    UDP_PARSE_TOOLONG);
	assert_int_equal(udp_parse_partial(p, UDP_HDR_LEN, 7, &uh), UDP_PARSE_SHORT);
	assert_int_equal(udp_parse_partial(p, UDP_HDR_LEN - 1, 100, &uh), UDP_PARSE_SHORT);
	free(p);
}

static void
test_round_trip(void **state)
{
	uint8_t bytes[UDP_HDR_LEN], out[UDP_HDR_LEN];
	struct udp_hdr uh;
	uint32_t rnd = 9;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		test_random_fill(&rnd, bytes, sizeof(bytes));
		bytes[5] |= 8;
		assert_int_equal(udp_parse_partial(bytes, 8, 65535, &uh), UDP_PARSE_OK);
		udp_emit(out, &uh);
		assert_memory_equal(out, bytes, sizeof(bytes));
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 0; i < UDP_PARSE_NRESULTS; i++)
		assert_non_null(udp_parse_name((enum udp_parse_result)i));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_real_datagram),
	    cmocka_unit_test(test_every_refusal),
	    cmocka_unit_test(test_partial),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
