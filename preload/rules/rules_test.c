/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules: what a text means, and what is no text of rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "rules.h"

static struct rules
parsed(const char *text)
{
	struct rules rs = {0};
	struct rules_error re;

	if (rules_parse(&rs, text, &re) != 0)
		fail_msg("line %d: %s", re.re_line, re.re_why);
	return rs;
}

static bool
asks(const struct rules *rs, enum rule_op op, int type, const char *addr, int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, addr, &sin.sin_addr) == 1)
		return rules_stack(rs, op, type, 0, (struct sockaddr *)&sin);
	assert_int_equal(inet_pton(AF_INET6, addr, &sin6.sin6_addr), 1);
	return rules_stack(rs, op, type, 0, (struct sockaddr *)&sin6);
}

static bool
tcp_connect(const struct rules *rs, const char *addr)
{
	return asks(rs, RULE_CONNECT, SOCK_STREAM, addr, 80);
}

static void
test_default(void **state)
{
	struct rules rs = parsed(RULES_DEFAULT);

	(void)state;
	assert_true(tcp_connect(&rs, "10.0.0.1"));
	assert_true(tcp_connect(&rs, "126.255.255.255"));
	assert_false(tcp_connect(&rs, "127.0.0.1"));
	assert_false(tcp_connect(&rs, "127.255.255.255"));
	assert_true(tcp_connect(&rs, "128.0.0.0"));
	assert_false(tcp_connect(&rs, "::1"));
	assert_true(tcp_connect(&rs, "::2"));
	assert_false(tcp_connect(&rs, "::ffff:127.0.0.1"));
	assert_true(tcp_connect(&rs, "2001:db8::1"));
	/* the unspecified address: loopback to connect to, all interfaces to bind to */
	assert_false(tcp_connect(&rs, "0.0.0.0"));
	assert_false(tcp_connect(&rs, "::"));
	assert_true(asks(&rs, RULE_BIND, SOCK_STREAM, "0.0.0.0", 80));
	assert_true(asks(&rs, RULE_BIND, SOCK_DGRAM, "::", 80));
	assert_false(asks(&rs, RULE_BIND, SOCK_DGRAM, "127.0.0.1", 80));
}

static void
test_all(void **state)
{
	struct rules rs = parsed(RULES_ALL);

	(void)state;
	assert_int_equal(rules_parse(&rs, RULES_DEFAULT, NULL), 0);
	assert_true(tcp_connect(&rs, "127.0.0.1"));
	assert_true(tcp_connect(&rs, "::1"));
}

static void
test_first_wins(void **state)
{
	struct rules rs = parsed("# a comment\n\n"
				 "stack 127.0.0.2/32 # one of them\n"
				 "host 127.0.0.0/8; host udp port 53\n"
				 "host tcp connect 10.1.0.0/16 port 8000-8080\n"
				 "host inet6 bind\n"
				 "stack");

	(void)state;
	assert_int_equal(rs.rs_n, 6);
	assert_true(tcp_connect(&rs, "127.0.0.2"));
	assert_false(tcp_connect(&rs, "127.0.0.3"));
	assert_false(asks(&rs, RULE_CONNECT, SOCK_DGRAM, "9.9.9.9", 53));
	assert_true(asks(&rs, RULE_CONNECT, SOCK_DGRAM, "9.9.9.9", 54));
	assert_true(asks(&rs, RULE_CONNECT, SOCK_STREAM, "9.9.9.9", 53));
	assert_true(asks(&rs, RULE_CONNECT, SOCK_STREAM, "10.1.2.3", 7999));
	assert_false(asks(&rs, RULE_CONNECT, SOCK_STREAM, "10.1.2.3", 8000));
	assert_false(asks(&rs, RULE_CONNECT, SOCK_STREAM, "10.1.2.3", 8080));
	assert_true(asks(&rs, RULE_CONNECT, SOCK_STREAM, "10.1.2.3", 8081));
	assert_true(asks(&rs, RULE_BIND, SOCK_STREAM, "10.1.2.3", 8000));
	assert_true(asks(&rs, RULE_CONNECT, SOCK_STREAM, "10.2.2.3", 8000));
	assert_false(asks(&rs, RULE_BIND, SOCK_STREAM, "2001:db8::1", 1));
	assert_true(asks(&rs, RULE_CONNECT, SOCK_STREAM, "2001:db8::1", 1));
}

/* What no rule names stays on the host. */
static void
test_none(void **state)
{
	struct rules rs = parsed("stack 10.0.0.0/9");

	(void)state;
	assert_true(tcp_connect(&rs, "10.127.0.1"));
	assert_false(tcp_connect(&rs, "10.128.0.1"));
}

static void
test_possible(void **state)
{
	struct rules rs = parsed("host udp; host inet6 port 1-9; stack inet");

	(void)state;
	assert_true(rules_possible(&rs, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	assert_false(rules_possible(&rs, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
	assert_false(rules_possible(&rs, AF_INET6, SOCK_STREAM, 0));
	assert_true(rules_possible(&rs, AF_INET, SOCK_RAW, IPPROTO_ICMP));
	rs = parsed("host icmp; host raw; stack");
	assert_false(rules_possible(&rs, AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	assert_false(rules_possible(&rs, AF_INET, SOCK_RAW, 89));
	assert_true(rules_possible(&rs, AF_INET6, SOCK_DGRAM, 0));
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *text;
		int line;
	} wrong[] = {
	    {"allow", 1},
	    {"stack\nhost 300.0.0.1", 2},
	    {"host 10.0.0.0/33", 1},
	    {"host ::/129", 1},
	    {"host 10.0.0.0/", 1},
	    {"host 10.0.0.0/8x", 1},
	    {"# fine\n\nhost port", 3},
	    {"host port 65536", 1},
	    {"host port 9-8", 1},
	    {"host port 8-", 1},
	    {"host port -8", 1},
	    {"host sctp", 1},
	    {"stack; stackx", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct rules rs = {0};
		struct rules_error re = {0};

		assert_int_equal(rules_parse(&rs, wrong[i].text, &re), EINVAL);
		assert_int_equal(re.re_line, wrong[i].line);
		assert_non_null(re.re_why);
	}
}

static void
test_too_many(void **state)
{
	char text[RULES_MAX * 6 + 16] = "";
	struct rules rs = {0};
	struct rules_error re;

	(void)state;
	for (int i = 0; i < RULES_MAX; i++)
		strcat(text, "stack;");
	assert_int_equal(rules_parse(&rs, text, &re), 0);
	assert_int_equal(rs.rs_n, RULES_MAX);
	assert_int_equal(rules_parse(&rs, "host", &re), EINVAL);
	assert_int_equal(rs.rs_n, RULES_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_default),
	    cmocka_unit_test(test_all),
	    cmocka_unit_test(test_first_wins),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_possible),
	    cmocka_unit_test(test_wrong),
	    cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
