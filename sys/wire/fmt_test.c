/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses to and from text, and the formatter under them in buffers of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/fmt.h"
#include "wire/ipv4.h"
#include "wire/print.h"
#include "wire/testutil.h"

static void
assert_ntop(uint32_t addr_be, const char *text)
{
	char buf[IPV4_ADDRSTRLEN];

	assert_int_equal(ipv4_ntop(buf, sizeof(buf), addr_be), strlen(text));
	assert_string_equal(buf, text);
}

static void
test_ipv4_ntop(void **state)
{
	(void)state;
	assert_ntop(0, "0.0.0.0");
	assert_ntop(UINT32_MAX, "255.255.255.255");
	assert_ntop(ipv4_addr_be(192, 0, 2, 10), "192.0.2.10");
	assert_int_equal(ipv4_ntop(NULL, 0, UINT32_MAX), 15);
}

static void
test_ipv4_pton(void **state)
{
	static const char *const bad[] = {"", ".", "1", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5",
	    "1.2.3.256", "1.2.3.1000", "01.2.3.4", "1.2.3.00", "1..2.3", ".1.2.3", "1.2.3.4 ",
	    " 1.2.3.4", "1.2.3.-4", "1.2.3.+4", "0x1.2.3.4", "1.2.3.a", "1,2,3,4",
	    "99999999999.1.1.1"};
	uint32_t addr = 0x55555555;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ipv4_pton(bad[i], &addr), -1);
		assert_int_equal(addr, 0x55555555);
	}
	assert_int_equal(ipv4_pton("0.0.0.0", &addr), 0);
	assert_int_equal(addr, 0);
	assert_int_equal(ipv4_pton("255.10.9.200", &addr), 0);
	assert_int_equal(addr, ipv4_addr_be(255, 10, 9, 200));
}

static void
test_ipv4_round_trip(void **state)
{
	char buf[IPV4_ADDRSTRLEN];
	uint32_t rnd = 17;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint32_t addr = test_random(&rnd), back;

		assert_true(ipv4_ntop(buf, sizeof(buf), addr) < sizeof(buf));
		assert_int_equal(ipv4_pton(buf, &back), 0);
		assert_int_equal(back, addr);
	}
}

static void
test_ether(void **state)
{
	static const char *const bad[] = {"", "02", "02:00:00:00:00",
	    "02:00:00:00:00:", "02:00:00:00:00:01:", "02:00:00:00:00:001", "02-00-00-00-00-01",
	    "02:00:00:00:00:0g", ":02:00:00:00:00:01", "02::00:00:00:01", "020000000001",
	    " 02:00:00:00:00:01"};
	static const uint8_t addr[6] = {0x02, 0xab, 0x00, 0x0f, 0xff, 0x10};
	char buf[ETHER_ADDRSTRLEN];
	uint8_t back[6] = {9, 9, 9, 9, 9, 9}, nines[6] = {9, 9, 9, 9, 9, 9};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ether_pton(bad[i], back), -1);
		assert_memory_equal(back, nines, 6);
	}
	assert_int_equal(ether_ntop(buf, sizeof(buf), addr), 17);
	assert_string_equal(buf, "02:ab:00:0f:ff:10");
	assert_int_equal(ether_pton(buf, back), 0);
	assert_memory_equal(back, addr, 6);
	memset(back, 0, sizeof(back));
	assert_int_equal(ether_pton("2:AB:0:f:Ff:10", back), 0);
	assert_memory_equal(back, addr, 6);
}

static size_t
format_something(char *buf, size_t space)
{
	struct fmt f;

	fmt_init(&f, buf, space);
	fmt_field(&f, "a ", 0, "|");
	fmt_dec(&f, UINT32_MAX);
	fmt_char(&f, '|');
	fmt_hex(&f, 0x1a2b3c4d, 8);
	fmt_hex(&f, 0x1f, 1);
	fmt_str(&f, "|\n");
	return fmt_end(&f);
}

static void
test_fmt_in_every_space(void **state)
{
	static const char text[] = "a 0|4294967295|1a2b3c4df|\n";

	(void)state;
	for (size_t space = 0; space <= sizeof(text) + 1; space++) {
		char *buf = malloc(space + 1);
		size_t kept = space > strlen(text) ? strlen(text) : space - 1;

		assert_non_null(buf);
		buf[space] = 'x';
		assert_int_equal(format_something(buf, space), strlen(text));
		assert_int_equal(buf[space], 'x');
		if (space > 0) {
			assert_int_equal(strlen(buf), kept);
			assert_memory_equal(buf, text, kept);
		}
		free(buf);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ipv4_ntop),
	    cmocka_unit_test(test_ipv4_pton),
	    cmocka_unit_test(test_ipv4_round_trip),
	    cmocka_unit_test(test_ether),
	    cmocka_unit_test(test_fmt_in_every_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
