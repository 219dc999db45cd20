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
#define ETHER4 "--ip_version=ipv4\n--interface=ethernet\n--remote_ip=192.168.0.2\n"
#define ETHER6                                      \
	"--ip_version=ipv6\n--interface=ethernet\n" \
	"--local_ip=2001:db8::1\n--remote_ip=2001:db8::2\n"
#define PTP6 "--ip_version=ipv6\n--local_ip=2001:db8::1\n--remote_ip=2001:db8::2\n"
#define JOIN                                                                                    \
	"0 socket(AF_INET, SOCK_DGRAM, 0) = 3\n"                                                \
	"+0 setsockopt(3, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, {imr_multiaddr=\"239.1.2.3\", " \
	"imr_sourceaddr=\"10.0.0.1\", imr_interface=...}, 12) = 0\n"
#define DGRAM6 "0 socket(AF_INET6, SOCK_DGRAM, 0) = 3\n+0 bind(3, ..., ...) = 0\n"
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
	    {"0 < igmp v2 query\n", "IGMP needs --ip_version=ipv4"},
	    {ETHER4 "0 < igmp v4 query\n", "version expected"},
	    {ETHER4 "0 < igmp v1 leave 239.1.2.3\n", "kind of message expected"},
	    {ETHER4 "0 < igmp v2 query code 256\n", "a value beyond its 8 bits"},
	    {ETHER4 "0 < igmp v3 report <to_up 239.1.2.3>\n", "kind of group record expected"},
	    {ETHER4 "0 < igmp v2 report 239.1.2\n", "address of IPv4 expected"},
	    {ETHER4 "0 < [cut 9] igmp v2 query\n", "only a message is cut"},
	    {ETHER4 "0 < [hopopts padn 2] udp (1)\n", "extension headers need --ip_version=ipv6"},
	    {"0 < [from 10.0.0.1] udp (1)\n", "an address needs --ip_version="},
	    {"0 < [ether 02:00:00:00:00:02] udp (1)\n", "stations need --interface=ethernet"},
	    {"0 > mld v2 report <to_ex ff02::2>\n", "MLD needs --ip_version=ipv6"},
	    {"0 > icmp6 rs\n", "ICMPv6 needs --ip_version=ipv6"},
	    {ETHER6 "0 < icmp6 ns 10.0.0.1\n", "address of IPv6 expected"},
	    {ETHER6 "0 < icmp6 ns fe80::1 <slla 02:00>\n", "address of a station expected"},
	    {ETHER6 "0 < icmp6 ns fe80::1 <foo>\n", "unknown option"},
	    {ETHER6 "0 < icmp6 ns fe80::1 <...>\n", "options that arrive must be given"},
	    {ETHER6 "0 < icmp6 paramprob code 0\n", "is written as one of ICMP"},
	    {ETHER6 "0 < icmp6 ra <prefix fd00::1>\n", "prefix expected"},
	    {PTP6 "0 < [fragment 0:8] udp (1)\n", "a fragment that arrives has an id"},
	    {PTP6 "0 < [fragment id 1 4:8] udp (1)\n", "begins at a multiple of 8"},
	    {PTP6 "0 < [dstopts padn 1] udp (1)\n", "such padding has 2 to 257 bytes"},
	    {PTP6 "0 > [dstopts padn 6] . 1:1(0) ack 1\n", "what leaves so has no extension"},
	    {PTP6 "0 < udp (70000)\n", "the packet is too large"},
	    {"--local_ip=fd00::1\n0 close(3) = 0\n", "are of one version"},
	    {"--ip_version=ipv6\n--local_ip=fd00::1\n--remote_ip=fd01::2\n0 close(3) = 0\n",
		"share their first 96 bits"},
	    {"--configure=no\n0 close(3) = 0\n", "--configure=no is for --interface=ethernet"},
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

/* Messages about groups: each field, each record, the header that must be around them. */
static void
test_groups(void **state)
{
	static const struct row rows[] = {
	    {ETHER4 JOIN "+0 > igmp v3 report <allow 239.1.2.3 {10.0.0.1}>\n"
			 "+0~+1 > igmp v3 report <allow 239.1.2.3 {10.0.0.1}>\n",
		NULL},
	    {ETHER4 JOIN "+0 > igmp v3 report <block 239.1.2.3 {10.0.0.1}>\n",
		"other group records"},
	    {ETHER4 JOIN "+0 > igmp v3 report <allow 239.1.2.4 {10.0.0.1}>\n",
		"other group records"},
	    {ETHER4 JOIN "+0 > igmp v3 report <allow 239.1.2.3 {10.0.0.2}>\n",
		"other group records"},
	    {ETHER4 JOIN "+0 > igmp v3 report <allow 239.1.2.3 {10.0.0.1}, to_ex 239.1.2.3>\n",
		"another message: the number of records"},
	    {ETHER4 JOIN "+0 > igmp v2 report 239.1.2.3\n", "another destination address"},
	    {ETHER4 JOIN "+0 > [to 224.0.0.22] igmp v2 report 239.1.2.3\n",
		"another message: the type"},
	    {ETHER4 JOIN "+0 > [from 10.0.0.9] igmp v3 report <allow 239.1.2.3 {10.0.0.1}>\n",
		"another source address"},
	    {ETHER4 JOIN "+0 > [ttl 2] igmp v3 report <allow 239.1.2.3 {10.0.0.1}>\n",
		"another time to live"},
	    {ETHER4 JOIN "+0 > [tos 0] igmp v3 report <allow 239.1.2.3 {10.0.0.1}>\n",
		"another type of service"},
	    {ETHER4 JOIN "+0 > [nora] igmp v3 report <allow 239.1.2.3 {10.0.0.1}>\n",
		"the router alert"},
	    {ETHER4 JOIN "+0 > udp (10)\n", "another protocol"},
	    {ETHER6 "0 `ip addr add 2001:db8::5/64`\n+0 > mld v2 report <to_in ff02::1:ff00:5>\n",
		"other group records"},
	    {ETHER6 "0 `ip addr add 2001:db8::5/64`\n"
		    "+0 > [hopopts padn 6] mld v2 report <to_ex ff02::1:ff00:5>\n",
		"other extension headers"},
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

#define ASKED ETHER6 DGRAM6 "+0 sendto(3, ..., 10, 0, ..., 16) = 10\n"
#define NS_SLLA "icmp6 ns 2001:db8::2 <slla 02:00:00:00:00:01>\n"
#define ANSWERED \
	ASKED "+0 > " NS_SLLA "+0 < icmp6 na 2001:db8::2 solicited <tlla 02:00:00:00:00:03>\n"

/* Neighbour Discovery: fields, options, the station that a packet goes to. */
static void
test_discovery(void **state)
{
	static const struct row rows[] = {
	    {ANSWERED "+0 > [ether 02:00:00:00:00:03] udp (10)\n", NULL},
	    {ANSWERED "+0 > udp (10)\n", "another station that it goes to"},
	    {ANSWERED "+0 > [ether 02:00:00:00:00:03] udp (11)\n", "another length"},
	    {ANSWERED "+0 > [ether 02:00:00:00:00:03] [to 2001:db8::3] udp (10)\n",
		"another destination address"},
	    {ASKED "+0 > icmp6 ns 2001:db8::2 <...>\n", NULL},
	    {ASKED "+0 > icmp6 ns 2001:db8::2\n", "another length"},
	    {ASKED "+0 > [to ff02::1:ff00:2] icmp6 ns 2001:db8::3 <...>\n",
		"another message: the target"},
	    {ASKED "+0 > icmp6 ns 2001:db8::2 <slla 02:00:00:00:00:02>\n",
		"another message: the source station"},
	    {ASKED "+0 > icmp6 na 2001:db8::2 <...>\n", "another destination address"},
	    {ASKED "+0 > [ttl 1] " NS_SLLA, "another time to live"},
	    {ASKED "+0 > [from ::] " NS_SLLA, "another source address"},
	    {ASKED "+0 > udp (10)\n", "no counterpart in IPv4"},
	    {ASKED, "this packet had left at 0.000000 s\n    IP6 2001:db8::1 > ff02::1:ff00:2"},
	    {ETHER6 "0 `ip addr add 2001:db8::1/64`\n", "ip addr add 2001:db8::1/64: EEXIST"},
	    {ETHER6 "0 `ip addr frob 2001:db8::1/64`\n", "not a command: ip addr frob"},
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Extension headers in both directions, and errors that quote what arrived. */
static void
test_headers(void **state)
{
	static const struct row rows[] = {
	    {PTP6 DGRAM6 "+0 < [dstopts padn 6] udp (10)\n+0 recv(3, ..., 99, 0) = 10\n", NULL},
	    {PTP6 DGRAM6 "+0 < [fragment id 1 0:16] udp (4)\n", "ends behind the packet"},
	    {PTP6 DGRAM6 "+0 sendto(3, ..., 2000, 0, ..., 16) = 2000\n"
			 "+0 > [fragment 0:1448 more] udp (2000)\n"
			 "+0 > [fragment 1448:2008] udp (2000)\n",
		NULL},
	    {PTP6 DGRAM6 "+0 sendto(3, ..., 2000, 0, ..., 16) = 2000\n"
			 "+0 > [fragment 0:1440 more] udp (2000)\n",
		"another length"},
	    {PTP6 DGRAM6 "+0 sendto(3, ..., 2000, 0, ..., 16) = 2000\n"
			 "+0 > [fragment 0:1448] udp (2000)\n",
		"other extension headers"},
	    {PTP6 DGRAM6 "+0 sendto(3, ..., 2000, 0, ..., 16) = 2000\n"
			 "+0 > [fragment 0:1448 more] udp (2001)\n",
		"other bytes of data"},
	    {PTP6 "0 < protocol 253 (8)\n+0 > icmp6 paramprob code 1 pointer 6\n", NULL},
	    {PTP6 "0 < protocol 253 (8)\n+0 > icmp6 paramprob code 1 pointer 7\n",
		"another message: the pointer or MTU"},
	    {PTP6 "0 < protocol 253 (8)\n+0 > icmp6 paramprob code 2 pointer 6\n",
		"another message: the code"},
	    {PTP6 "0 < [fragment id 7 0:8 more] protocol 253 (16)\n"
		  "+0 < [fragment id 7 8:16] protocol 253 (16)\n"
		  "+0 > icmp6 paramprob code 1 pointer 6\n",
		"an error that quotes no packet that arrived"},
	    {PTP6 "0 < icmp6 echo id 1 seq 2 (8)\n+0 > icmp6 echoreply id 1 seq 3 (8)\n",
		"another message: the sequence number"},
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
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_discovery),
	    cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
