/* SPDX-License-Identifier: BSD-2-Clause */
/* IGMP: messages of each version to bytes and back, every length, the codes, records that are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/igmp.h"
#include "wire/testutil.h"

#define GROUP ipv4_addr_be(239, 1, 2, 3)

/* Told by length and code (RFC 3376 §7.1); HOSTILE 30 */
static void
test_versions(void **state)
{
	uint8_t p[40] = {IGMP_HOST_MEMBERSHIP_QUERY};
	struct igmp_hdr igmp;

	(void)state;
	for (size_t len = 0; len <= sizeof(p); len++) {
		uint8_t *q = test_exact(p, len);
		enum igmp_parse_result result = igmp_parse(q, len, &igmp);

		assert_int_equal(result,
		    len < 8                   ? IGMP_PARSE_SHORT
			: len > 8 && len < 12 ? IGMP_PARSE_LEN
					      : IGMP_PARSE_OK);
		if (result == IGMP_PARSE_OK)
			assert_int_equal(igmp.igmp_version, len == 8 ? 1 : 3);
		free(q);
	}
	igmp_emit(p, IGMP_HOST_MEMBERSHIP_QUERY, 33, GROUP);
	assert_true(igmp_cksum_ok(p, IGMP_MINLEN));
	assert_int_equal(igmp_parse(p, IGMP_MINLEN, &igmp), IGMP_PARSE_OK);
	assert_int_equal(igmp.igmp_version, 2);
	assert_int_equal(igmp.igmp_maxresp_ds, 33);
	assert_int_equal(igmp.igmp_group_be, GROUP);
	igmp_emit(p, IGMP_HOST_LEAVE_MESSAGE, 0, GROUP);
	assert_int_equal(igmp_parse(p, IGMP_MINLEN, &igmp), IGMP_PARSE_OK);
	assert_int_equal(igmp.igmp_version, 2);
	p[0] = 0x55;
	assert_int_equal(igmp_parse(p, IGMP_MINLEN, &igmp), IGMP_PARSE_OK);
	assert_int_equal(igmp.igmp_version, 0);
	assert_string_equal(igmp_parse_name(IGMP_PARSE_LEN), "length wrong");
}

/* A query with sources, and one that says to have more than there are; HOSTILE 30 */
static void
test_query_sources(void **state)
{
	const struct igmp_query iq = {.iq_code = 0x8f,
	    .iq_s_qrv = 0x0b,
	    .iq_qqic = 200,
	    .iq_group_be = GROUP};
	const uint32_t srcs[2] = {ipv4_addr_be(10, 0, 0, 1), ipv4_addr_be(10, 0, 0, 2)};
	struct igmp_hdr igmp;
	uint8_t p[32];

	(void)state;
	assert_int_equal(igmp_emit_query(p, &iq, srcs, 2), 20);
	assert_true(igmp_cksum_ok(p, 20));
	assert_int_equal(igmp_parse(p, 20, &igmp), IGMP_PARSE_OK);
	assert_int_equal(igmp.igmp_nsources, 2);
	assert_int_equal(igmp.igmp_qrv, 3);
	assert_int_equal(igmp.igmp_maxresp_ds, 0x1f << 3);
	assert_int_equal(igmp.igmp_qqi_s, (0x18) << 7);
	assert_int_equal(igmp_parse(p, 19, &igmp), IGMP_PARSE_LEN);
	be16_put(p + 10, 0xffff);
	assert_int_equal(igmp_parse(p, 20, &igmp), IGMP_PARSE_LEN);
}

/* RFC 3376 §4.1.1: below 128 the code is the value; the largest is 31744. */
static void
test_codes(void **state)
{
	(void)state;
	assert_int_equal(igmp_decode(0), 0);
	assert_int_equal(igmp_decode(127), 127);
	assert_int_equal(igmp_decode(128), 128);
	assert_int_equal(igmp_decode(255), 31744);
	for (unsigned c = 1; c < 256; c++)
		assert_true(igmp_decode((uint8_t)c) > igmp_decode((uint8_t)(c - 1)));
}

static void
test_records(void **state)
{
	uint8_t p[IGMP_V3_REPORT_MINLEN + 2 * IGMP_GROUPREC_MINLEN + 8];
	struct igmp_record_iter iter;
	struct igmp_record ig;
	size_t len, n;

	(void)state;
	memset(p, 0, sizeof(p));
	igmp_emit_report(p, 2);
	igmp_emit_record(p + 8, IGMP_ALLOW_NEW_SOURCES, GROUP, 1);
	raw32_put(p + 16, ipv4_addr_be(10, 0, 0, 1));
	igmp_emit_record(p + 20, IGMP_CHANGE_TO_INCLUDE_MODE, GROUP, 0);
	p[21] = 1; /* a word of auxiliary data */
	assert_true(igmp_record_first(&iter, p, sizeof(p)));
	assert_true(igmp_record_next(&iter, &ig));
	assert_int_equal(ig.ig_type, IGMP_ALLOW_NEW_SOURCES);
	assert_int_equal(ig.ig_nsources, 1);
	assert_int_equal(raw32_get(ig.ig_sources), ipv4_addr_be(10, 0, 0, 1));
	assert_true(igmp_record_next(&iter, &ig));
	assert_int_equal(ig.ig_group_be, GROUP);
	assert_false(igmp_record_next(&iter, &ig));
	assert_false(iter.ri_malformed);
	for (len = 0; len < sizeof(p); len++) {
		uint8_t *q = test_exact(p, len);

		n = 0;
		if (igmp_record_first(&iter, q, len)) {
			while (igmp_record_next(&iter, &ig))
				n++;
			assert_true(iter.ri_malformed);
		}
		assert_int_equal(n, len >= 20);
		free(q);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_query_sources),
	    cmocka_unit_test(test_codes),
	    cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
