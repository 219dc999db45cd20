/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 headers, options and addresses: text and bits, and bytes of every length and content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"
#include "wire/print.h"
#include "wire/testutil.h"

static void
assert_text(const char *text, const char *shown)
{
	char buf[IP6_ADDRSTRLEN];
	uint32_t a[4];

	assert_int_equal(ip6_pton(text, a), 0);
	assert_int_equal(ip6_ntop(buf, sizeof(buf), a), strlen(shown));
	assert_string_equal(buf, shown);
}

/* RFC 5952 §4 */
static void
test_text(void **state)
{
	static const char *const bad[] = {"", ":", ":::", "1", "1:2", "1:2:3:4:5:6:7",
	    "::1::", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "::g", "1:::2", ":1::2",
	    "::1:", "::1.2.3", "::1.2.3.256", "1:2:3:4:5:6:7:1.2.3.4", "::1%lo", " ::1", "::1 ",
	    "1.2.3.4"};
	uint32_t a[4] = {1, 2, 3, 4};

	(void)state;
	assert_text("::", "::");
	assert_text("::1", "::1");
	assert_text("1::", "1::");
	assert_text("2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
	assert_text("2001:DB8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
	assert_text("2001:db8:0:0:0:0:2:1", "2001:db8::2:1");
	assert_text("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
	assert_text("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8");
	assert_text("::ffff:192.0.2.1", "::ffff:192.0.2.1");
	assert_text("64:ff9b::192.0.2.1", "64:ff9b::c000:201");
	assert_text("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ip6_pton(bad[i], a), -1);
	assert_int_equal(a[0], 1);
	assert_int_equal(a[3], 4);
}

static void
test_text_round_trip(void **state)
{
	uint32_t rnd = 7, a[4], b[4];
	char buf[IP6_ADDRSTRLEN];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		test_random_fill(&rnd, a, sizeof(a));
		for (int g = 0; g < 8; g++)
			if ((test_random(&rnd) & 3) != 0)
				memset((uint8_t *)a + 2 * g, 0, 2);
		assert_true(ip6_ntop(buf, sizeof(buf), a) < sizeof(buf));
		assert_int_equal(ip6_pton(buf, b), 0);
		assert_memory_equal(a, b, sizeof(a));
	}
}

static void
pton(uint32_t a[4], const char *text)
{
	assert_int_equal(ip6_pton(text, a), 0);
}

static void
test_classes(void **state)
{
	uint32_t a[4], b[4], g[4];
	uint8_t mac[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55}, out[6];

	(void)state;
	pton(a, "fe80::1");
	assert_true(ip6_is_linklocal(a) && ip6_is_scoped(a));
	pton(a, "febf::1");
	assert_true(ip6_is_linklocal(a));
	pton(a, "fec0::1");
	assert_false(ip6_is_linklocal(a) || ip6_is_uniquelocal(a));
	pton(a, "fd00::1");
	assert_true(ip6_is_uniquelocal(a));
	pton(a, "ff02::1");
	assert_true(ip6_is_multicast(a) && ip6_is_scoped(a));
	pton(a, "ff05::1");
	assert_false(ip6_is_scoped(a));
	assert_int_equal(ip6_mc_scope(a), IP6_SCOPE_SITELOCAL);
	pton(a, "::1");
	assert_true(ip6_is_loopback(a));
	assert_false(ip6_is_v4compat(a));
	pton(a, "::102:304");
	assert_true(ip6_is_v4compat(a));
	pton(a, "::ffff:1.2.3.4");
	assert_true(ip6_is_v4mapped(a));
	pton(a, "2001:db8::ab12:3456");
	ip6_solicited_node(g, a);
	pton(b, "ff02::1:ff12:3456");
	assert_memory_equal(g, b, sizeof(b));
	ether_map_ip6_multicast(out, g[3]);
	assert_memory_equal(out, "\x33\x33\xff\x12\x34\x56", 6);
	ip6_linklocal_eui64(a, mac);
	pton(b, "fe80::11:22ff:fe33:4455");
	assert_memory_equal(a, b, sizeof(b));
}

static void
test_bits(void **state)
{
	uint32_t a[4], b[4];

	(void)state;
	for (unsigned n = 0; n <= 128; n++) {
		memset(a, 0xff, sizeof(a));
		ip6_addr_mask(a, n);
		memset(b, 0xff, sizeof(b));
		assert_int_equal(ip6_addr_common(a, b), n);
	}
}

static void
test_header(void **state)
{
	uint8_t bytes[IP6_HDR_LEN], out[IP6_HDR_LEN];
	struct ip6_hdr ip6;
	uint32_t rnd = 3;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		test_random_fill(&rnd, bytes, sizeof(bytes));
		bytes[0] = (uint8_t)(0x60 | (bytes[0] & 0xf));
		assert_int_equal(ip6_parse_partial(bytes, sizeof(bytes), SIZE_MAX, &ip6),
		    IP6_PARSE_OK);
		ip6_emit(out, &ip6);
		assert_memory_equal(out, bytes, sizeof(bytes));
	}
	assert_int_equal(ip6_parse_partial(bytes, 39, 39, &ip6), IP6_PARSE_SHORT);
	bytes[0] = 0x45;
	assert_int_equal(ip6_parse_partial(bytes, 40, 40, &ip6), IP6_PARSE_VERSION);
	bytes[0] = 0x60;
	be16_put(bytes + IP6_OFF_PLEN, 8);
	assert_int_equal(ip6_parse_partial(bytes, 40, 47, &ip6), IP6_PARSE_TRUNCATED);
	assert_int_equal(ip6_parse_partial(bytes, 40, 48, &ip6), IP6_PARSE_OK);
}

/* HOSTILE 32, 41: whatever the bytes are, nothing is read behind them. */
static void
test_garbage(void **state)
{
	struct icmp6_embedded ie;
	struct ip6_opt_iter iter;
	struct nd_opts no;
	struct ip6_opt opt;
	uint8_t bytes[200];
	uint32_t rnd = 99;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t len = test_random(&rnd) % sizeof(bytes);
		const uint8_t *pi;
		uint8_t *p;

		test_random_fill(&rnd, bytes, len);
		for (size_t k = 0; k < len; k++)
			if ((test_random(&rnd) & 1) != 0)
				bytes[k] &= 3;
		p = test_exact(bytes, len);
		ip6_opt_first(&iter, p, len);
		while (ip6_opt_next(&iter, &opt))
			assert_true(opt.opt_off + 2 + opt.opt_len <= len);
		if (nd_opts_parse(p, len, &no))
			for (pi = no.no_prefixes; pi != NULL; pi = nd_opt_nextprefix(&no, pi))
				assert_true(pi + ND_OPT_PREFIX_LEN <= p + len);
		if (len > 7) {
			p[0] = 0x60;
			p[6] = (uint8_t)(test_random(&rnd) % 61);
		}
		if (icmp6_parse_embedded(p, len, &ie))
			assert_true(ie.ie_off + 8 <= len);
		free(p);
	}
}

/* RFC 4861 §4.6: lengths of options */
static void
test_nd_options(void **state)
{
	uint8_t opts[16] = {ND_OPT_SLLA, 1, 2, 0, 0, 0, 0, 9, ND_OPT_MTU, 1, 0, 0, 0, 0, 5, 220};
	struct nd_opts no;

	(void)state;
	assert_true(nd_opts_parse(opts, sizeof(opts), &no));
	assert_ptr_equal(no.no_slla, opts);
	assert_ptr_equal(no.no_mtu, opts + 8);
	assert_null(no.no_tlla);
	assert_false(nd_opts_parse(opts, 15, &no));
	opts[9] = 0;
	assert_false(nd_opts_parse(opts, sizeof(opts), &no));
	opts[9] = 2;
	assert_false(nd_opts_parse(opts, sizeof(opts), &no));
	opts[1] = 2; /* a station of 14 bytes is no ethernet's */
	assert_false(nd_opts_parse(opts, sizeof(opts), &no));
}

/* The example of RFC 1071's sum over a pseudo-header, made by hand. */
static void
test_pseudo(void **state)
{
	uint32_t a[4], b[4];

	(void)state;
	pton(a, "1::2");
	pton(b, "3::4");
	assert_int_equal(cksum_fold(cksum_pseudo6(a, b, 58, 0x10020)), 1 + 2 + 3 + 4 + 58 + 1 + 32);
}

static void
test_frag(void **state)
{
	struct ip6_frag fh = {.if_nxt = 17, .if_mf = true, .if_off_bytes = 1448, .if_id = 0xabcdef},
			back;
	uint8_t bytes[IP6_FRAG_LEN];

	(void)state;
	ip6_frag_emit(bytes, &fh);
	assert_memory_equal(bytes, "\x11\x00\x05\xa9\x00\xab\xcd\xef", 8);
	ip6_frag_parse(bytes, &back);
	assert_int_equal(back.if_off_bytes, 1448);
	assert_true(back.if_mf);
	assert_int_equal(back.if_id, 0xabcdef);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_text_round_trip),
	    cmocka_unit_test(test_classes),
	    cmocka_unit_test(test_bits),
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_nd_options),
	    cmocka_unit_test(test_pseudo),
	    cmocka_unit_test(test_frag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
