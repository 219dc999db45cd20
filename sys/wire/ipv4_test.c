/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4: real headers, every reason to refuse one, options of any shape, classes of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/testutil.h"
#include "wire/testutil_packets.h"

static const uint8_t *const packet = packet_udp + ETHER_HDR_LEN;
#define PACKET_LEN 31

static void
test_parse_real_packet(void **state)
{
	struct ipv4_hdr ip;

	(void)state;
	assert_int_equal(ipv4_parse(packet, PACKET_LEN, &ip), IPV4_PARSE_OK);
	assert_int_equal(ip.ip_hl, 20);
	assert_int_equal(ip.ip_tos, 0);
	assert_int_equal(ip.ip_len, 31);
	assert_int_equal(ip.ip_id, 0xb2a8);
	assert_true(ip.ip_df);
	assert_false(ip.ip_mf);
	assert_int_equal(ip.ip_fragoff_bytes, 0);
	assert_int_equal(ip.ip_ttl, 64);
	assert_int_equal(ip.ip_p, IPV4_PROTO_UDP);
	assert_int_equal(ip.ip_sum, 0x7411);
	assert_int_equal(ip.ip_src_be, ipv4_addr_be(10, 9, 0, 2));
	assert_int_equal(ip.ip_dst_be, ipv4_addr_be(10, 9, 0, 1));
	assert_true(ipv4_cksum_ok(packet, ip.ip_hl));
}

static void
test_parse_real_fragment(void **state)
{
	const uint8_t *p = packet_fragment + ETHER_HDR_LEN;
	size_t len = sizeof(packet_fragment) - ETHER_HDR_LEN;
	struct ipv4_hdr ip;

	(void)state;
	assert_int_equal(ipv4_parse(p, len, &ip), IPV4_PARSE_TRUNCATED);
	assert_int_equal(ipv4_parse_partial(p, len, 548, &ip), IPV4_PARSE_OK);
	assert_int_equal(ip.ip_fragoff_bytes, 1480);
	assert_false(ip.ip_df);
	assert_false(ip.ip_mf);
	assert_int_equal(ip.ip_len, 548);
}

/* The result for the real packet with the byte at off replaced. */
static enum ipv4_parse_result
parse_with(size_t off, uint8_t value)
{
	uint8_t *bytes = test_exact(packet, PACKET_LEN);
	enum ipv4_parse_result result;
	struct ipv4_hdr ip;

	bytes[off] = value;
	result = ipv4_parse(bytes, PACKET_LEN, &ip);
	free(bytes);
	return result;
}

/* HOSTILE 8 */
static void
test_every_refusal(void **state)
{
	struct ipv4_hdr ip;

	(void)state;
	for (size_t len = 0; len < PACKET_LEN; len++) {
		uint8_t *p = test_exact(packet, len);

		assert_int_equal(ipv4_parse(p, len, &ip),
		    len < IPV4_HDR_LEN ? IPV4_PARSE_SHORT : IPV4_PARSE_TRUNCATED);
		free(p);
	}
	assert_int_equal(parse_with(0, 0x55), IPV4_PARSE_VERSION);
	assert_int_equal(parse_with(0, 0x65), IPV4_PARSE_VERSION);
	assert_int_equal(parse_with(0, 0x05), IPV4_PARSE_VERSION);
	for (uint8_t words = 0; words < 16; words++) {
		enum ipv4_parse_result want = IPV4_PARSE_OK;

		if (words < 5)
			want = IPV4_PARSE_HLEN;
		else if (words * 4 > PACKET_LEN)
			want = IPV4_PARSE_SHORT;
		assert_int_equal(parse_with(0, 0x40 | words), want);
	}
	for (unsigned len = 0; len < 256; len++) {
		enum ipv4_parse_result want = IPV4_PARSE_OK;

		if (len < IPV4_HDR_LEN)
			want = IPV4_PARSE_LEN;
		else if (len > PACKET_LEN)
			want = IPV4_PARSE_TRUNCATED;
		assert_int_equal(parse_with(3, (uint8_t)len), want);
	}
	assert_int_equal(parse_with(2, 0xff), IPV4_PARSE_TRUNCATED);
}

static void
test_partial(void **state)
{
	uint8_t *p = test_exact(packet, IPV4_HDR_LEN);
	struct ipv4_hdr ip;

	(void)state;
	assert_int_equal(ipv4_parse_partial(p, 20, 31, &ip), IPV4_PARSE_OK);
	assert_int_equal(ipv4_parse_partial(p, 20, 30, &ip), IPV4_PARSE_TRUNCATED);
	assert_int_equal(ipv4_parse_partial(p, 20, SIZE_MAX, &ip), IPV4_PARSE_OK);
	assert_int_equal(ipv4_parse_partial(p, 19, 31, &ip), IPV4_PARSE_SHORT);
	assert_int_equal(ipv4_parse_partial(p, 20, 19, &ip), IPV4_PARSE_SHORT);
	p[0] = 0x46;
	assert_int_equal(ipv4_parse_partial(p, 20, 23, &ip), IPV4_PARSE_SHORT);
	assert_int_equal(ipv4_parse_partial(p, 20, 31, &ip), IPV4_PARSE_OK);
	free(p);
}

/* HOSTILE 9 */
static void
test_checksum(void **state)
{
	uint8_t bytes[IPV4_HDR_LEN];

	(void)state;
	memcpy(bytes, packet, sizeof(bytes));
	for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		assert_false(ipv4_cksum_ok(bytes, sizeof(bytes)));
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	assert_true(ipv4_cksum_ok(bytes, sizeof(bytes)));
}

static void
test_emit_real_packet(void **state)
{
	uint8_t out[IPV4_HDR_LEN];
	struct ipv4_hdr ip;

	(void)state;
	assert_int_equal(ipv4_parse(packet, PACKET_LEN, &ip), IPV4_PARSE_OK);
	ip.ip_sum = 0xdead;
	ip.ip_hl = 0;
	ipv4_emit(out, &ip);
	assert_memory_equal(out, packet, sizeof(out));
}

static void
test_round_trip(void **state)
{
	uint8_t bytes[IPV4_HDR_LEN], out[IPV4_HDR_LEN];
	struct ipv4_hdr ip, again;
	uint32_t rnd = 10;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		test_random_fill(&rnd, bytes, sizeof(bytes));
		bytes[0] = 0x45;
		bytes[2] |= 1;    /* a length that holds the header */
		bytes[6] &= 0x7f; /* the reserved bit is never sent */
		assert_int_equal(ipv4_parse_partial(bytes, 20, 65535, &ip), IPV4_PARSE_OK);
		ipv4_emit(out, &ip);
		assert_true(ipv4_cksum_ok(out, sizeof(out)));
		assert_memory_equal(out, bytes, 10);
		assert_memory_equal(out + 12, bytes + 12, 8);
		assert_int_equal(ipv4_parse_partial(out, 20, 65535, &again), IPV4_PARSE_OK);
		assert_int_equal(again.ip_fragoff_bytes, ip.ip_fragoff_bytes);
	}
}

static void
test_emit_opts(void **state)
{
	static const uint8_t router_alert[] = {148, 4, 0, 0, 1};
	uint8_t opts[IPV4_OPTS_LEN_MAX + 1], out[IPV4_HDR_LEN_MAX];
	struct ipv4_hdr ip = {.ip_len = 100, .ip_ttl = 1, .ip_p = IPV4_PROTO_IGMP}, again;

	(void)state;
	assert_int_equal(ipv4_emit_opts(out, &ip, router_alert, 5), 28);
	assert_int_equal(ipv4_parse_partial(out, 28, 100, &again), IPV4_PARSE_OK);
	assert_int_equal(again.ip_hl, 28);
	assert_true(ipv4_cksum_ok(out, 28));
	assert_memory_equal(out + 20, router_alert, 5);
	assert_int_equal(out[25] | out[26] | out[27], 0);
	assert_int_equal(ipv4_emit_opts(out, &ip, NULL, 0), 20);
	assert_int_equal(out[0], 0x45);
	memset(opts, IPV4_OPT_NOP, sizeof(opts));
	assert_int_equal(ipv4_emit_opts(out, &ip, opts, 40), 60);
	assert_int_equal(out[0], 0x4f);
	assert_true(ipv4_cksum_ok(out, 60));
	memset(out, 0xee, sizeof(out));
	assert_int_equal(ipv4_emit_opts(out, &ip, opts, 41), 0);
	assert_int_equal(out[0], 0xee);
}

static void
test_walk_options(void **state)
{
	static const uint8_t opts[] = {1, 148, 4, 0, 0, 1, 1, 7, 3, 4, 0, 9, 9};
	struct ipv4_opt_iter iter;
	struct ipv4_opt opt;

	(void)state;
	ipv4_opt_first(&iter, opts, sizeof(opts));
	assert_true(ipv4_opt_next(&iter, &opt));
	assert_int_equal(opt.opt_type, IPV4_OPT_RA);
	assert_int_equal(opt.opt_len, 4);
	assert_ptr_equal(opt.opt_p, opts + 1);
	assert_true(ipv4_opt_next(&iter, &opt));
	assert_int_equal(opt.opt_type, IPV4_OPT_RR);
	assert_false(ipv4_opt_next(&iter, &opt)); /* EOL: what follows is not looked at */
	assert_false(iter.oi_malformed);
	assert_false(ipv4_opt_next(&iter, &opt));
}

/* What a scan of the bytes says. */
#define SCAN(found, ...)                                                                       \
	ipv4_opts_scan((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), \
	    found)

/* HOSTILE 12 */
static void
test_scan_options(void **state)
{
	unsigned found;

	(void)state;
	assert_int_equal(ipv4_opts_scan(NULL, 0, &found), 0);
	assert_int_equal(found, 0);
	assert_int_equal(SCAN(&found, 1, 1, 1, 0), 0);
	assert_int_equal(found, 0);
	assert_int_equal(SCAN(&found, 1, 148, 4, 0, 0, 200, 2), 0);
	assert_int_equal(found, IPV4_OPTF_RA | IPV4_OPTF_OTHER);
	/* lengths of 0 and 1, past the end, missing */
	assert_int_equal(SCAN(&found, 200, 0), -1);
	assert_int_equal(SCAN(&found, 200, 1), -1);
	assert_int_equal(SCAN(&found, 200, 3), -1);
	assert_int_equal(SCAN(&found, 200), -1);
	assert_int_equal(SCAN(&found, 148, 3, 0), -1);
	/* what was seen before counts */
	assert_int_equal(SCAN(&found, 131, 7, 4, 1, 2, 3, 4, 7, 0), -1);
	assert_int_equal(found, IPV4_OPTF_SRCROUTE);
}

static void
test_scan_pointers(void **state)
{
	unsigned found;

	(void)state;
	for (unsigned pointer = 0; pointer < 256; pointer++) {
		uint8_t p = (uint8_t)pointer;

		/* one address: pointer at it, or behind it */
		assert_int_equal(SCAN(&found, 131, 7, p, 1, 2, 3, 4), p == 4 || p >= 8 ? 0 : -1);
		assert_int_equal(SCAN(&found, 137, 7, p, 1, 2, 3, 4), p == 4 || p >= 8 ? 0 : -1);
		assert_int_equal(SCAN(&found, 7, 7, p, 1, 2, 3, 4), p == 4 || p >= 8 ? 0 : -1);
		/* one time; one address and time */
		assert_int_equal(SCAN(&found, 68, 8, p, 0, 1, 2, 3, 4), p == 5 || p >= 9 ? 0 : -1);
		assert_int_equal(SCAN(&found, 68, 8, p, 1, 1, 2, 3, 4), p >= 9 ? 0 : -1);
		assert_int_equal(SCAN(&found, 68, 12, p, 0xf1, 1, 2, 3, 4, 5, 6, 7, 8),
		    p == 5 || p >= 13 ? 0 : -1);
	}
	assert_int_equal(SCAN(&found, 131, 2), -1);
	assert_int_equal(SCAN(&found, 7, 3, 4), 0);
	assert_int_equal(found, IPV4_OPTF_RR);
	assert_int_equal(SCAN(&found, 68, 3, 5), -1);
	assert_int_equal(SCAN(&found, 68, 4, 5, 0), 0);
	assert_int_equal(found, IPV4_OPTF_TS);
}

static void
test_scan_random_bytes(void **state)
{
	uint8_t bytes[IPV4_OPTS_LEN_MAX];
	uint32_t rnd = 11;
	int good = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		size_t len = test_random(&rnd) % (sizeof(bytes) + 1);
		struct ipv4_opt_iter iter;
		struct ipv4_opt opt;
		unsigned found;
		size_t steps = 0;
		uint8_t *p;

		test_random_fill(&rnd, bytes, sizeof(bytes));
		for (size_t at = 1; at < sizeof(bytes); at += 3)
			bytes[at] %= 12; /* often a possible length */
		p = test_exact(bytes, len);
		good += ipv4_opts_scan(p, len, &found) == 0;
		ipv4_opt_first(&iter, p, len);
		while (ipv4_opt_next(&iter, &opt)) {
			assert_true(opt.opt_len >= 2);
			assert_true(opt.opt_p + opt.opt_len <= p + len);
			steps++;
		}
		assert_true(steps <= len);
		free(p);
	}
	assert_in_range(good, 100, 99900); /* both outcomes were tried */
}

static void
test_address_classes(void **state)
{
	uint32_t host = ipv4_addr_be(192, 0, 2, 1);

	(void)state;
	assert_false(ipv4_is_martian_source(host));
	assert_false(ipv4_is_martian_source(ipv4_addr_be(169, 254, 0, 1)));
	assert_false(ipv4_is_martian_source(ipv4_addr_be(223, 255, 255, 255)));
	assert_false(ipv4_is_martian_source(ipv4_addr_be(126, 255, 255, 255)));
	assert_false(ipv4_is_martian_source(ipv4_addr_be(1, 0, 0, 0)));
	assert_true(ipv4_is_martian_source(0));
	assert_true(ipv4_is_martian_source(ipv4_addr_be(0, 255, 255, 255)));
	assert_true(ipv4_is_martian_source(ipv4_addr_be(127, 255, 255, 255)));
	assert_true(ipv4_is_martian_source(ipv4_addr_be(224, 0, 0, 0)));
	assert_true(ipv4_is_martian_source(ipv4_addr_be(239, 255, 255, 255)));
	assert_true(ipv4_is_martian_source(ipv4_addr_be(240, 0, 0, 0)));
	assert_true(ipv4_is_martian_source(UINT32_MAX));
	assert_true(ipv4_is_multicast(ipv4_addr_be(224, 0, 0, 1)));
	assert_false(ipv4_is_multicast(ipv4_addr_be(240, 0, 0, 0)));
	assert_true(ipv4_is_loopback(ipv4_addr_be(127, 0, 0, 1)));
	assert_false(ipv4_is_loopback(ipv4_addr_be(128, 0, 0, 1)));
	assert_true(ipv4_is_unspecified(0));
	assert_false(ipv4_is_unspecified(ipv4_addr_be(0, 0, 0, 1)));
	assert_true(ipv4_is_broadcast_limited(UINT32_MAX));
	assert_false(ipv4_is_broadcast_limited(ipv4_addr_be(255, 255, 255, 254)));
	assert_true(ipv4_is_link_local(ipv4_addr_be(169, 254, 9, 9)));
	assert_false(ipv4_is_link_local(ipv4_addr_be(169, 253, 9, 9)));
}

static void
test_prefix_masks(void **state)
{
	(void)state;
	assert_int_equal(ipv4_prefix_mask_be(0), 0);
	assert_int_equal(ipv4_prefix_mask_be(8), ipv4_addr_be(255, 0, 0, 0));
	assert_int_equal(ipv4_prefix_mask_be(23), ipv4_addr_be(255, 255, 254, 0));
	assert_int_equal(ipv4_prefix_mask_be(32), UINT32_MAX);
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 0; i < IPV4_PARSE_NRESULTS; i++)
		assert_non_null(ipv4_parse_name((enum ipv4_parse_result)i));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_real_packet),
	    cmocka_unit_test(test_parse_real_fragment),
	    cmocka_unit_test(test_every_refusal),
	    cmocka_unit_test(test_partial),
	    cmocka_unit_test(test_checksum),
	    cmocka_unit_test(test_emit_real_packet),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_emit_opts),
	    cmocka_unit_test(test_walk_options),
	    cmocka_unit_test(test_scan_options),
	    cmocka_unit_test(test_scan_pointers),
	    cmocka_unit_test(test_scan_random_bytes),
	    cmocka_unit_test(test_address_classes),
	    cmocka_unit_test(test_prefix_masks),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
