/* SPDX-License-Identifier: BSD-2-Clause */
/* The runner itself: scripts that must not pass, with what it says of them; and what it accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "script.h"

#define LISTEN                                          \
	"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n" \
	"+0 bind(3, ..., ...) = 0\n"                    \
	"+0 listen(3, 5) = 0\n"
#define ESTABLISHED                                   \
	LISTEN "+0 < S 0:0(0) win 32792 <mss 1000>\n" \
	       "+0 > S. 0:0(0) ack 1 <...>\n"         \
	       "+.1 < . 1:1(0) ack 1 win 32792\n"     \
	       "+0 accept(3, ..., ...) = 4\n"
#define WRITE ESTABLISHED "+0 write(4, ..., 100) = 100\n"

struct row {
	const char *text;
	const char *why; /* a part of what is said; NULL: it passes */
};

/* Reads and, if that can be done, runs a script. => what was said, "" when it passed */
static const char *
outcome(const char *text)
{
	struct script_config sf = {.sf_seed = 7};
	static char why[2000];
	struct script sc;

	why[0] = '\0';
	if (!script_parse(&sc, "t.pkt", text, strlen(text)))
		memcpy(why, sc.sc_error, sizeof(sc.sc_error));
	sf.sf_ip6 = sc.sc_only6;
	if (why[0] == '\0' && script_run(&sc, &sf, why, sizeof(why)) == SCRIPT_OK)
		why[0] = '\0';
	script_free(&sc);
	return why;
}

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *why = outcome(rows[i].text);

		if (rows[i].why == NULL && why[0] != '\0')
			fail_msg("row %zu: %s", i, why);
		if (rows[i].why != NULL && strstr(why, rows[i].why) == NULL)
			fail_msg("row %zu: \"%s\" instead of \"%s\"", i, why, rows[i].why);
	}
}

static void
test_cannot_be_read(void **state)
{
	static const struct row rows[] = {
	    {"", "t.pkt:1: no event"},
	    {"\n\n0 frobnicate(3) = 0\n", "t.pkt:3: unknown call"},
	    {"0 socket(..., SOCK_STRAM, 0) = 3\n", "unknown name"},
	    {"0 close(3) = -1 EFOO\n", "-1 without the name of an errno"},
	    {"0 < S 0:10(9) win 5\n", "the length is not that of the range"},
	    {"0 < S 0:0(0) win 5 <mss 1,bogus 3>\n", "unknown option"},
	    {"0 < S 0:0(0) win 5 <...>\n", "options that arrive must be given"},
	    {"0 < X 0:0(0)\n", "flags expected"},
	    {"0 < icmp unreachable nobody [0:0(0)]\n", "unknown kind of ICMP error"},
	    {"0 < icmp unreachable port_unreachable\n", "must say what it is about"},
	    {"0 < [ect01] S 0:0(0) win 5\n", "what arrives has ect0 or ect1"},
	    {"0 < S 0:0(0) win 5 <FO 012>\n", "an even number of hexadecimal digits"},
	    {"0...1 < S 0:0(0) win 5\n", "only calls can block"},
	    {"2~1 > S 0:0(0)\n", "ends before it starts"},
	    {"0 `sysctl a=b\n", "text without end"},
	    {"/* ...\n", "comment without end"},
	    {"--mtu=1\n0 close(3) = 0\n", "unknown option, or not a value"},
	    {"--no_such=1\n", "unknown option"},
	    {"x", "time expected"},
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
test_differs(void **state)
{
	static const struct row rows[] = {
	    {WRITE "+0 > P. 1:101(100) ack 1\n", NULL},
	    {WRITE "+0 > . 1:101(100) ack 1\n", "other flags"},
	    {WRITE "+0 > P. 2:102(100) ack 1\n", "another sequence number"},
	    {WRITE "+0 > P. 1:100(99) ack 1\n", "another length"},
	    {WRITE "+0 > P. 1:101(100) ack 2\n", "another acknowledgment"},
	    {WRITE "+0 > P. 1:101(100) ack 1 win 7\n", "another window"},
	    {WRITE "+0 > P. 1:101(100) ack 1 <nop,nop,nop,nop>\n", "other options"},
	    {WRITE "+0 > P. 1:101(100) ack 1 urg 5\n", "other flags"},
	    {WRITE "+0 > [ce] P. 1:101(100) ack 1\n", "another type of service"},
	    {WRITE "+0 > [ttl 3] P. 1:101(100) ack 1\n", "another time to live"},
	    {WRITE "+0 > 8080 > 9 P. 1:101(100) ack 1\n", "other ports"},
	    {WRITE "+0 > udp (100)\n", "another protocol"},
	    {WRITE "+.1 > P. 1:101(100) ack 1\n", "the packet left at 0.100000 s instead of"},
	    {WRITE, "t.pkt:8: at 0.100000 s: the script ends, but this packet had left"},
	    {ESTABLISHED "+0 > . 1:1(0) ack 1\n", "a packet was expected, none came"},
	    {ESTABLISHED "+0 read(4, ..., 10) = 0\n", "read blocks"},
	    {ESTABLISHED "+0...1 read(4, ..., 10) = 0\n+2 close(3) = 0\n", "read still blocks"},
	    {ESTABLISHED "+0...1 read(4, ..., 10) = 0\n", "read still blocks"},
	    {ESTABLISHED "+0 listen(4, 1) = 0\n", "listen returned -1 EINVAL instead of 0"},
	    {ESTABLISHED "+0 close(9) = -1 EINVAL\n", "returned -1 EBADF instead of -1 EINVAL"},
	    {ESTABLISHED "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [5], [4]) = 0\n",
		"another value of the option: 0"},
	    {ESTABLISHED "+0 poll([{fd=4, events=POLLOUT, revents=0}], 1, 0) = 1\n",
		"other revents: 0x4"},
	    {ESTABLISHED "+0 write(4) = 1\n", "fewer arguments"},
	    {ESTABLISHED "0 close(4) = 0\n", "the time is before that of the event above"},
	    {ESTABLISHED "+0 %{ assert tcpi_snd_mss == 1 }%\n", "does not hold: 1000 and 1"},
	    {ESTABLISHED "+0 %{ assert tcpi_foo == 1 }%\n", "is unknown to assertions"},
	    {ESTABLISHED "+0 %{ assert state }%\n", "a comparison is missing"},
	    {ESTABLISHED "+0 %{ assert 1 / 0 == 1 }%\n", "division by zero"},
	    {ESTABLISHED "+0 `sysctl net.no=1`\n", "sysctl net.no=1: ENOENT"},
	    {ESTABLISHED "+0 `rm -rf`\n", "not a command"},
	    {ESTABLISHED "+0 `sysctl net.ipv4.tcp_timestamps=0`\n", "tcp_timestamps=0: ENOENT"},
	    {ESTABLISHED "+0 `sysctl net.inet.ip.ttl=9 nonsense`\n", "not a setting: nonsense"},
	    {WRITE "+0 > [ect01] P. 1:101(100) ack 1\n", "another type of service"},
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Payload is compared byte by byte: text in the place of the pattern is seen. */
static void
test_data(void **state)
{
	static const struct row rows[] = {
	    {ESTABLISHED "+0 < P. 1:101(100) ack 1 win 100\n+0 read(4, ..., 200) = 100\n"
			 "+.04 > . 1:1(0) ack 101\n",
		NULL},
	    {ESTABLISHED "+0 < P. 1:4(3) ack 1 win 100\n+0 read(4, \"abc\", 3) = 3\n",
		"other data than the script has"},
	    {ESTABLISHED "+0 < P. 1:101(100) ack 1 win 100\n+0 recv(4, ..., 9, MSG_PEEK) = 9\n"
			 "+0 read(4, ..., 200) = 100\n+.04 > . 1:1(0) ack 101\n",
		NULL},
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* The forms in which times, results and comments may be written. */
static void
test_forms(void **state)
{
	static const struct row rows[] = {
	    {"--tolerance_usecs=100000\n" WRITE "+.05 > P. 1:101(100) ack 1\n", NULL},
	    {"--bind_port=99\n--local_ip=10.1.1.1\n--remote_ip=10.1.1.2\n" WRITE
	     "* > 99 > 40000 P. 1:101(100) ack 1 // remark\n",
		NULL},
	    {"// c\n# c\n/* c\nc */ 0.000 socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0) = 3\n"
	     "0.5 bind(3, {sa_family = AF_INET, sin_port = htons(0x50),\n"
	     "  sin_addr = inet_addr(\"0.0.0.0\")}, 16) = 0\n"
	     "+.5 fcntl(3, F_GETFL) = O_RDWR|O_NONBLOCK (flags)\n"
	     "+0 close(3) = 0 %{ assert 2 * (3 + 4) - 1 == 13 and 6 & 3 == 2, remark }%\n"
	     "+0 socket(..., SOCK_DGRAM, 0) = ...\n",
		NULL},
	    /* As scripts for Linux begin. */
	    {"`../common/defaults.sh\n ../common/set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0 "
	     "/proc/sys/net/ipv4/tcp_fin_timeout=30`\n"
	     "0 `sysctl -q -w net.ipv4.tcp_congestion_control=reno`\n" LISTEN
	     "+0 < S 0:0(0) win 9000 <mss 1000,sackOK,FO,nop,nop>\n"
	     "+0 > S. 0:0(0) ack 1 <mss 1460>\n",
		NULL},
	    {LISTEN "+0 < S 0:0(0) win 9000 <mss 1000,FO 0123456789abcdef,nop,nop>\n"
		    "+0 > S. 0:0(0) ack 1 <mss 1460>\n",
		NULL},
	    {WRITE "+0~+.01 > P. 1:101(100) ack 1\n+.1~+.5 > P. 1:101(100) ack 1\n", NULL},
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cannot_be_read),
	    cmocka_unit_test(test_differs),
	    cmocka_unit_test(test_data),
	    cmocka_unit_test(test_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
