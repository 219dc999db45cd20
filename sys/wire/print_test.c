/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet printer: a line for each kind of packet, frames cut anywhere, buffers of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/icmp6.h"
#include "wire/icmp4.h"
#include "wire/igmp.h"
#include "wire/ipv4.h"
#include "wire/print.h"
#include "wire/tcp.h"
#include "wire/testutil.h"
#include "wire/testutil_packets.h"
#include "wire/udp.h"

#define STATIONS "02:00:00:00:00:02 > 02:00:00:00:00:01, length "
#define LINE_MAX_LEN 512

/* The line about the bytes, put where nothing is behind them. */
static void
assert_line(const uint8_t *frame, size_t len, const char *line)
{
	uint8_t *p = test_exact(frame, len);
	char buf[LINE_MAX_LEN];

	assert_int_equal(wire_print_frame(buf, sizeof(buf), p, len), strlen(line));
	assert_string_equal(buf, line);
	free(p);
}

static void
assert_ipv4_line(const uint8_t *packet, size_t len, const char *line)
{
	uint8_t *p = test_exact(packet, len);
	char buf[LINE_MAX_LEN];

	assert_int_equal(wire_print_ipv4(buf, sizeof(buf), p, len), strlen(line));
	assert_string_equal(buf, line);
	free(p);
}

/* The line about an IPv4 packet from 10.9.0.2 to 10.9.0.1 with that payload. */
static void
assert_payload_line(uint8_t proto, const void *payload, size_t len, const char *line)
{
	struct ipv4_hdr ip = {.ip_ttl = 64, .ip_p = proto};
	uint8_t packet[256];

	ip.ip_len = (uint16_t)(IPV4_HDR_LEN + len);
	ip.ip_src_be = ipv4_addr_be(10, 9, 0, 2);
	ip.ip_dst_be = ipv4_addr_be(10, 9, 0, 1);
	ipv4_emit(packet, &ip);
	memcpy(packet + IPV4_HDR_LEN, payload, len);
	assert_ipv4_line(packet, ip.ip_len, line);
}

static void
test_real_frames(void **state)
{
	(void)state;
	assert_line(packet_arp_request, sizeof(packet_arp_request),
	    "02:00:00:00:00:02 > ff:ff:ff:ff:ff:ff, length 42: "
	    "ARP, Request who-has 10.9.0.9 tell 10.9.0.2");
	assert_line(packet_udp, sizeof(packet_udp),
	    STATIONS "45: IP 10.9.0.2.4000 > 10.9.0.1.53: UDP, length 3");
	assert_line(packet_syn, sizeof(packet_syn),
	    STATIONS "74: IP 10.9.0.2.40000 > 10.9.0.1.80: Flags [S], seq 3923891238, win 64240, "
		     "options [mss 1460,sackOK,TS val 3937106702 ecr 0,nop,wscale 10], length 0");
	assert_line(packet_echo, sizeof(packet_echo),
	    STATIONS "50: IP 10.9.0.2 > 10.9.0.1: ICMP echo request, id 13502, seq 1, length 16");
	assert_line(packet_fragment, sizeof(packet_fragment),
	    STATIONS "42: IP [cut at 28] 10.9.0.2 > 10.9.0.1: "
		     "frag id 45737, offset 1480, last, proto 17, length 528");
}

static void
test_arp(void **state)
{
	uint8_t frame[sizeof(packet_arp_request)];

	(void)state;
	memcpy(frame, packet_arp_request, sizeof(frame));
	memcpy(frame, frame + 6, 6);
	frame[5] = 1;
	frame[ETHER_HDR_LEN + 7] = ARPOP_REPLY;
	assert_line(frame, sizeof(frame),
	    STATIONS "42: ARP, Reply 10.9.0.2 is-at 02:00:00:00:00:02");
	frame[ETHER_HDR_LEN + 8] = 0x03;
	assert_line(frame, sizeof(frame),
	    STATIONS "42: ARP, Reply 10.9.0.2 is-at 03:00:00:00:00:02 [bad sender]");
	frame[ETHER_HDR_LEN + 7] = 9;
	assert_line(frame, sizeof(frame), STATIONS "42: ARP, [|arp: unknown operation]");
	assert_line(frame, sizeof(frame) - 1, STATIONS "41: ARP, [|arp: short]");
}

static void
test_other_types(void **state)
{
	uint8_t frame[18] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd};

	(void)state;
	assert_line(frame, 13, "[|ether]");
	assert_line(frame, 14, STATIONS "14: IP6 [|ip6: short]");
	frame[12] = 0x88;
	frame[13] = 0xcc;
	assert_line(frame, 14, STATIONS "14: ethertype 0x88cc");
	frame[12] = 0x00;
	frame[13] = 0x26;
	assert_line(frame, 14, STATIONS "14: 802.3 length 0x0026");
	frame[12] = 0x81;
	frame[13] = 0x00;
	frame[14] = 0xb0;
	frame[15] = 0x07;
	frame[16] = 0x86;
	frame[17] = 0xdd;
	assert_line(frame, 18, STATIONS "18: vlan 7, p 5, DEI, IP6 [|ip6: short]");
	frame[14] = 0x20;
	assert_line(frame, 18, STATIONS "18: vlan 7, p 1, IP6 [|ip6: short]");
	assert_line(frame, 17, STATIONS "17: [|vlan]");
	frame[16] = 0x81; /* a tag in a tag is not followed */
	frame[17] = 0x00;
	assert_line(frame, 18, STATIONS "18: vlan 7, p 1, [|vlan]");
}

/* The line about an IPv6 packet from fe80::2 to ff02::1 with that payload. */
static void
assert_payload6_line(uint8_t nxt, const void *payload, size_t len, const char *line)
{
	struct ip6_hdr ip6 = {.ip6_plen = (uint16_t)len, .ip6_nxt = nxt, .ip6_hlim = 64};
	uint8_t frame[256] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd};
	char buf[LINE_MAX_LEN];
	uint8_t *p;

	assert_int_equal(ip6_pton("fe80::2", ip6.ip6_src), 0);
	assert_int_equal(ip6_pton("ff02::1", ip6.ip6_dst), 0);
	ip6_emit(frame + ETHER_HDR_LEN, &ip6);
	memcpy(frame + ETHER_HDR_LEN + IP6_HDR_LEN, payload, len);
	p = test_exact(frame, ETHER_HDR_LEN + IP6_HDR_LEN + len);
	(void)wire_print_inner(buf, sizeof(buf), p, ETHER_HDR_LEN + IP6_HDR_LEN + len);
	assert_string_equal(buf, line);
	free(p);
}

static void
test_ip6(void **state)
{
	uint8_t p[64] = {ICMP6_NS};

	(void)state;
	assert_int_equal(ip6_pton("fd00::1", (uint32_t *)(void *)(p + 8)), 0);
	assert_payload6_line(IP6_NXT_ICMP6, p, 24,
	    "IP6 fe80::2 > ff02::1: ICMP6, neighbor solicitation, who has fd00::1, length 24");
	assert_payload6_line(IP6_NXT_ICMP6, p, 20,
	    "IP6 fe80::2 > ff02::1: ICMP6, neighbor solicitation, [|nd], length 20");
	p[0] = ICMP6_NA;
	p[4] = 0x60;
	assert_payload6_line(IP6_NXT_ICMP6, p, 24,
	    "IP6 fe80::2 > ff02::1: ICMP6, neighbor advertisement, tgt is fd00::1, Flags [SO], "
	    "length 24");
	memset(p, 0, sizeof(p));
	p[0] = ICMP6_TOOBIG;
	p[6] = 5;
	assert_payload6_line(IP6_NXT_ICMP6, p, 24,
	    "IP6 fe80::2 > ff02::1: ICMP6, packet too big, mtu 1280 (about [|ip6]), length 24");
	memset(p, 0, sizeof(p));
	p[0] = IP6_NXT_FRAGMENT; /* options, a fragment, UDP */
	ip6_frag_emit(p + 8, &(struct ip6_frag){.if_nxt = IP6_NXT_UDP, .if_mf = true, .if_id = 7});
	p[17] = 53;
	p[19] = 99;
	p[21] = 12;
	assert_payload6_line(IP6_NXT_HOPOPTS, p, 28,
	    "IP6 header 0, 8 bytes; frag id 0x00000007, offset 0, more; "
	    "fe80::2.53 > ff02::1.99: UDP, length 4");
	p[10] = 1;
	assert_payload6_line(IP6_NXT_HOPOPTS, p, 28,
	    "IP6 header 0, 8 bytes; frag id 0x00000007, offset 256, more; "
	    "fe80::2 > ff02::1: next-header 17, length 12");
	assert_payload6_line(IP6_NXT_HOPOPTS, p, 7, "IP6 fe80::2 > ff02::1: [|headers]");
	assert_payload6_line(IP6_NXT_NONE, p, 3, "IP6 fe80::2 > ff02::1: next-header 59, length 3");
}

static void
test_ipv4_headers(void **state)
{
	static const uint8_t alert[] = {148, 4, 0, 0};
	struct ipv4_hdr ip = {.ip_len = 24, .ip_ttl = 1, .ip_p = IPV4_PROTO_IGMP, .ip_tos = 3};
	uint8_t p[24];

	(void)state;
	assert_int_equal(ipv4_emit_opts(p, &ip, alert, sizeof(alert)), 24);
	assert_ipv4_line(p, 24, "IP [CE] [options, 4 bytes] 0.0.0.0 > 0.0.0.0: [|igmp: too short]");
	p[21] = 1;
	assert_ipv4_line(p, 24,
	    "IP [bad cksum] [CE] [bad options] 0.0.0.0 > 0.0.0.0: [|igmp: too short]");
	assert_ipv4_line(p, 23, "IP [|ip: short]");
	p[3] = 23;
	assert_ipv4_line(p, 24, "IP [|ip: length below the header's]");
	p[0] = 0x44;
	assert_ipv4_line(p, 24, "IP [|ip: bad header length]");
	p[0] = 0x60;
	assert_ipv4_line(p, 24, "IP [|ip: not version 4]");
	assert_payload_line(41, "", 0, "IP 10.9.0.2 > 10.9.0.1: proto 41, length 0");
}

static void
test_fragments(void **state)
{
	struct ipv4_hdr ip = {.ip_len = 28, .ip_id = 7, .ip_mf = true, .ip_p = IPV4_PROTO_TCP};
	uint8_t p[28] = {0};

	(void)state;
	ipv4_emit(p, &ip);
	assert_ipv4_line(p, 28,
	    "IP 0.0.0.0 > 0.0.0.0: frag id 7, offset 0, more, proto 6, length 8");
}

static void
test_igmp(void **state)
{
	const struct igmp_query iq = {.iq_code = 100, .iq_group_be = ipv4_addr_be(239, 1, 2, 3)};
	uint32_t srcs[10];
	uint8_t p[100];
	size_t len;

	(void)state;
	for (uint8_t i = 0; i < 10; i++)
		srcs[i] = ipv4_addr_be(10, 0, 0, i);
#define IGMP "IP 10.9.0.2 > 10.9.0.1: IGMP "
	igmp_emit(p, IGMP_HOST_MEMBERSHIP_QUERY, 0, 0);
	assert_payload_line(2, p, 8, IGMP "v1 query, max resp 100/10 s, length 8");
	igmp_emit(p, IGMP_V2_HOST_MEMBERSHIP_REPORT, 0, iq.iq_group_be);
	assert_payload_line(2, p, 8, IGMP "v2 report 239.1.2.3, length 8");
	igmp_emit(p, IGMP_HOST_LEAVE_MESSAGE, 0, iq.iq_group_be);
	assert_payload_line(2, p, 8, IGMP "v2 leave 239.1.2.3, length 8");
	p[0] = 0x99;
	assert_payload_line(2, p, 8, IGMP "type 153, length 8");
	len = igmp_emit_query(p, &iq, srcs, 2);
	assert_payload_line(2, p, len,
	    IGMP "v3 query, group 239.1.2.3, max resp 100/10 s { 10.0.0.0 10.0.0.1 }, length 20");
	assert_payload_line(2, p, len - 1, "IP 10.9.0.2 > 10.9.0.1: [|igmp: length wrong]");
	igmp_emit_report(p, 2);
	igmp_emit_record(p + 8, IGMP_ALLOW_NEW_SOURCES, iq.iq_group_be, 10);
	memcpy(p + 16, srcs, 40);
	igmp_emit_record(p + 56, 9, iq.iq_group_be, 0);
	assert_payload_line(2, p, 64,
	    IGMP "v3 report, 239.1.2.3 allow { 10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 "
		 "10.0.0.5 10.0.0.6 10.0.0.7 ... }, 239.1.2.3 ? { }, length 64");
	assert_payload_line(2, p, 20, IGMP "v3 report, [|record], length 20");
#undef IGMP
}

static void
test_udp_refusals(void **state)
{
	uint8_t p[] = {0, 1, 0, 2, 0, 7, 0, 0};

	(void)state;
	assert_payload_line(IPV4_PROTO_UDP, p, 8,
	    "IP 10.9.0.2.1 > 10.9.0.1.2: [|udp: length below the header's]");
	p[5] = 9;
	assert_payload_line(IPV4_PROTO_UDP, p, 8,
	    "IP 10.9.0.2.1 > 10.9.0.1.2: [|udp: length beyond the packet]");
	assert_payload_line(IPV4_PROTO_UDP, p, 7, "IP 10.9.0.2 > 10.9.0.1: [|udp: short]");
}

static void
test_icmp_errors(void **state)
{
	uint8_t p[ICMP4_HDR_LEN + 28];
	struct icmp4_hdr icmp = {.icmp_type = ICMP4_UNREACH, .icmp_code = 4, .icmp_seq = 1400};

	(void)state;
	icmp4_emit(p, &icmp);
	memcpy(p + ICMP4_HDR_LEN, packet_syn + ETHER_HDR_LEN, 28);
	assert_payload_line(IPV4_PROTO_ICMP, p, sizeof(p),
	    "IP 10.9.0.2 > 10.9.0.1: ICMP unreachable, code 4, mtu 1400 "
	    "(about 10.9.0.2.40000 > 10.9.0.1.80, proto 6), length 36");
	p[1] = ICMP4_UNREACH_PORT;
	assert_payload_line(IPV4_PROTO_ICMP, p, 8 + 27,
	    "IP 10.9.0.2 > 10.9.0.1: ICMP unreachable, code 3 "
	    "(about 10.9.0.2 > 10.9.0.1, proto 6), length 35");
	p[0] = ICMP4_REDIRECT;
	memcpy(p + 4, p + 8 + 12, 4);
	assert_payload_line(IPV4_PROTO_ICMP, p, 8,
	    "IP 10.9.0.2 > 10.9.0.1: ICMP redirect, code 3 to 10.9.0.2 (about [|ip]), length 8");
	p[0] = ICMP4_PARAMPROB;
	assert_payload_line(IPV4_PROTO_ICMP, p, 8,
	    "IP 10.9.0.2 > 10.9.0.1: ICMP parameter problem, code 3, octet 10 (about [|ip]), "
	    "length 8");
	assert_payload_line(IPV4_PROTO_ICMP, p, 7, "IP 10.9.0.2 > 10.9.0.1: [|icmp]");
	p[0] = 1; /* never assigned */
	assert_payload_line(IPV4_PROTO_ICMP, p, 8,
	    "IP 10.9.0.2 > 10.9.0.1: ICMP type 1, code 3, length 8");
	p[0] = 255;
	assert_payload_line(IPV4_PROTO_ICMP, p, 8,
	    "IP 10.9.0.2 > 10.9.0.1: ICMP type 255, code 3, length 8");
}

#define TCP_LINE "IP 10.9.0.2.1 > 10.9.0.1.2: "

static void
test_tcp_segments(void **state)
{
	struct tcp_hdr th = {.th_sport = 1,
	    .th_dport = 2,
	    .th_seq = UINT32_MAX,
	    .th_ack = 5,
	    .th_off = 20,
	    .th_flags = TH_ACK | TH_PUSH | TH_URG,
	    .th_win = 9,
	    .th_urp = 3};
	uint8_t p[64] = {0};

	(void)state;
	tcp_emit(p, &th);
	assert_payload_line(IPV4_PROTO_TCP, p, 30,
	    TCP_LINE "Flags [P.U], seq 4294967295:9, ack 5, win 9, urg 3, length 10");
	th.th_flags = 0;
	tcp_emit(p, &th);
	assert_payload_line(IPV4_PROTO_TCP, p, 20, TCP_LINE "Flags [none], win 9, length 0");
	th.th_flags = 0xff;
	tcp_emit(p, &th);
	assert_payload_line(IPV4_PROTO_TCP, p, 20,
	    TCP_LINE "Flags [FSRP.UEW], seq 4294967295, ack 5, win 9, urg 3, length 0");
	assert_payload_line(IPV4_PROTO_TCP, p, 19, "IP 10.9.0.2 > 10.9.0.1: [|tcp: short]");
	th.th_off = 24;
	tcp_emit(p, &th);
	assert_payload_line(IPV4_PROTO_TCP, p, 23,
	    TCP_LINE "[|tcp: data offset beyond the segment]");
	th.th_off = 16;
	tcp_emit(p, &th);
	assert_payload_line(IPV4_PROTO_TCP, p, 23, TCP_LINE "[|tcp: bad data offset]");
}

/* The line's options for a segment that has just those bytes as options. */
static void
assert_opts_line(const uint8_t *opts, uint8_t len, const char *line)
{
	struct tcp_hdr th = {.th_sport = 1, .th_dport = 2, .th_flags = TH_ACK};
	uint8_t p[TCP_HDR_LEN_MAX];

	th.th_off = TCP_HDR_LEN + len;
	tcp_emit(p, &th);
	memcpy(p + TCP_HDR_LEN, opts, len);
	assert_payload_line(IPV4_PROTO_TCP, p, th.th_off, line);
}

#define OPTS_LINE(opts) TCP_LINE "Flags [.], ack 0, win 0, options [" opts "], length 0"

static void
test_tcp_options(void **state)
{
	static const uint8_t sack[] = {1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
	static const uint8_t odd[] = {34, 4, 0xab, 0xcd, 2, 3, 7, 5, 3, 0, 9, 2};
	static const uint8_t bad[] = {1, 1, 3, 0};
	static const uint8_t past[] = {1, 1, 8, 10};

	(void)state;
	assert_opts_line(sack, sizeof(sack), OPTS_LINE("nop,nop,sack 2 {1:2}{3:4}"));
	assert_opts_line(odd, sizeof(odd),
	    OPTS_LINE("opt-34 0xabcd,opt-2 0x07,opt-5 0x00,opt-9 0x"));
	assert_opts_line(bad, sizeof(bad), OPTS_LINE("nop,nop,bad"));
	assert_opts_line(past, sizeof(past), OPTS_LINE("nop,nop,bad"));
	assert_opts_line((const uint8_t[]){4, 2, 0, 9}, 4, OPTS_LINE("sackOK,eol"));
}

/* A capture may hold less than the packet had. */
static void
test_cut_captures(void **state)
{
	const uint8_t *p = packet_syn + ETHER_HDR_LEN;

	(void)state;
	assert_ipv4_line(p, 59,
	    "IP [cut at 59] 10.9.0.2.40000 > 10.9.0.1.80: Flags [S], seq 3923891238, win 64240, "
	    "[|options], length 0");
	assert_ipv4_line(p, 39, "IP [cut at 39] 10.9.0.2 > 10.9.0.1: [|tcp: short]");
	assert_ipv4_line(p, 20, "IP [cut at 20] 10.9.0.2 > 10.9.0.1: [|tcp: short]");
}

/* Link padding is no part of the packet, whatever it looks like. */
static void
test_padding_is_not_read(void **state)
{
	struct ipv4_hdr ip = {.ip_len = 27, .ip_p = IPV4_PROTO_ICMP};
	uint8_t p[46] = {0};

	(void)state;
	ipv4_emit(p, &ip);
	assert_ipv4_line(p, sizeof(p), "IP 0.0.0.0 > 0.0.0.0: [|icmp]");
}

static void
test_every_space(void **state)
{
	char whole[LINE_MAX_LEN];
	size_t n = wire_print_frame(whole, sizeof(whole), packet_syn, sizeof(packet_syn));

	(void)state;
	assert_true(n < sizeof(whole));
	for (size_t space = 0; space <= n + 2; space++) {
		char *buf = malloc(space + 1);
		size_t kept = space > n ? n : space - 1;

		assert_non_null(buf);
		buf[space] = 'x';
		assert_int_equal(wire_print_frame(buf, space, packet_syn, sizeof(packet_syn)), n);
		assert_int_equal(buf[space], 'x');
		if (space > 0) {
			assert_int_equal(strlen(buf), kept);
			assert_memory_equal(buf, whole, kept);
		}
		free(buf);
	}
	assert_int_equal(wire_print_frame(NULL, 0, packet_syn, sizeof(packet_syn)), n);
}

static void
test_random_and_damaged_frames(void **state)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
	} seeds[] = {{packet_arp_request, sizeof(packet_arp_request)},
	    {packet_udp, sizeof(packet_udp)}, {packet_syn, sizeof(packet_syn)},
	    {packet_echo, sizeof(packet_echo)}, {packet_fragment, sizeof(packet_fragment)}};
	uint32_t rnd = 18;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		size_t seed = test_random(&rnd) % 5,
		       len = test_random(&rnd) % (seeds[seed].len + 1);
		uint8_t *p = test_exact(seeds[seed].bytes, len);
		char buf[LINE_MAX_LEN], inner[LINE_MAX_LEN];
		size_t n;

		if (len > ETHER_HDR_LEN && test_random(&rnd) % 3 == 0) {
			p[12] = 0x86; /* as if it were IPv6 */
			p[13] = 0xdd;
			p[14] = 0x60;
		}
		for (uint32_t hits = test_random(&rnd) % 8; hits > 0 && len > 0; hits--)
			p[test_random(&rnd) % len] = (uint8_t)test_random(&rnd);
		n = wire_print_frame(buf, sizeof(buf), p, len);
		assert_true(n < sizeof(buf));
		assert_int_equal(strlen(buf), n);
		for (size_t at = 0; at < n; at++)
			assert_true(buf[at] >= ' ' && buf[at] <= '~');
		(void)wire_print_inner(inner, sizeof(inner), p, len);
		assert_true(strlen(inner) <= n && strcmp(buf + n - strlen(inner), inner) == 0);
		free(p);
	}
}

/* Without the stations' addresses: what remains of the line. */
static void
test_inner(void **state)
{
	char buf[LINE_MAX_LEN], inner[LINE_MAX_LEN];

	(void)state;
	(void)wire_print_frame(buf, sizeof(buf), packet_syn, sizeof(packet_syn));
	(void)wire_print_inner(inner, sizeof(inner), packet_syn, sizeof(packet_syn));
	assert_memory_equal(inner, "IP ", 3);
	assert_string_equal(strstr(buf, ": ") + 2, inner);
	assert_int_equal(wire_print_inner(NULL, 0, packet_syn, sizeof(packet_syn)), strlen(inner));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_real_frames),
	    cmocka_unit_test(test_arp),
	    cmocka_unit_test(test_other_types),
	    cmocka_unit_test(test_ip6),
	    cmocka_unit_test(test_ipv4_headers),
	    cmocka_unit_test(test_igmp),
	    cmocka_unit_test(test_fragments),
	    cmocka_unit_test(test_udp_refusals),
	    cmocka_unit_test(test_icmp_errors),
	    cmocka_unit_test(test_tcp_segments),
	    cmocka_unit_test(test_tcp_options),
	    cmocka_unit_test(test_cut_captures),
	    cmocka_unit_test(test_padding_is_not_read),
	    cmocka_unit_test(test_every_space),
	    cmocka_unit_test(test_random_and_damaged_frames),
	    cmocka_unit_test(test_inner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
