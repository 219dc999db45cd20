/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 input against bad headers, addresses and options, and ICMP's answers. The numbers name kinds
 * of hostile input. Each bad packet must raise exactly its own counter and be answered by nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/testutil.h"
#include "net/net_state.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/udp.h"

#define US ipv4_addr_be(10, 0, 0, 1)
#define PEER ipv4_addr_be(10, 0, 0, 9)

static struct testif ti;
static uint8_t payload[1400];

static struct netstack *
ip_stack(void)
{
	struct netstack *ns = in_teststack();
	uint8_t mac[6];

	assert_int_equal(testif_attach(ns, &ti, 1, US), 0);
	test_run_for(ns, 10 * NSEC_PER_SEC);
	test_station(mac, 9);
	assert_int_equal(in_neigh_add(&ti.ti_if, PEER, mac), 0);
	testif_clear(&ti);
	return ns;
}

static uint64_t
drops_all(const struct netstack *ns)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < DROP_COUNT; i++)
		n += ns->ns_drops[i];
	return n;
}

/* The last packet was dropped for why and nothing else happened. */
#define assert_dropped(ns, why, stmt)                                      \
	do {                                                               \
		uint64_t all_ = drops_all(ns), one_ = (ns)->ns_drops[why]; \
		testif_clear(&ti);                                         \
		stmt;                                                      \
		netstack_run(ns);                                          \
		assert_int_equal((ns)->ns_drops[why], one_ + 1);           \
		assert_int_equal(drops_all(ns), all_ + 1);                 \
		assert_int_equal(ti.ti_n, 0);                              \
	} while (0)

static size_t
udp_payload(uint32_t src_be, uint32_t dst_be, size_t len)
{
	return test_udp(payload, src_be, dst_be, 1000, 2000, len);
}

static void
frame_input(uint8_t from0, uint8_t to, uint16_t type, size_t len)
{
	struct ether_hdr eh = {.ether_type = type};
	uint8_t frame[2000] = {0};

	test_station(eh.ether_dhost, to);
	test_station(eh.ether_shost, 9);
	eh.ether_shost[0] = from0;
	ether_emit(frame, &eh);
	testif_input(&ti, frame, len);
}

static void
test_01_frames(void **state)
{
	struct netstack *ns = ip_stack();
	unsigned i;

	(void)state;
	for (i = 0; i < ETHER_HDR_LEN; i++)
		assert_dropped(ns, DROP_ETHER_SHORT, frame_input(2, 1, ETHERTYPE_IP, i));
	assert_dropped(ns, DROP_ETHER_SHORT, frame_input(2, 1, ETHERTYPE_VLAN, 17));
	assert_dropped(ns, DROP_ETHER_VLAN, frame_input(2, 1, ETHERTYPE_VLAN, 60));
	assert_dropped(ns, DROP_ETHER_TYPE, frame_input(2, 1, 46, 60));
	assert_dropped(ns, DROP_ETHER_TYPE, frame_input(2, 1, 0x1234, 60));
	assert_dropped(ns, DROP_IF_OVERSIZE, frame_input(2, 1, ETHERTYPE_IP, 1515));
	assert_dropped(ns, DROP_ETHER_SRC, frame_input(3, 1, ETHERTYPE_IP, 60));
	assert_dropped(ns, DROP_ETHER_NOTFORUS, frame_input(2, 7, ETHERTYPE_IP, 60));
	ti.ti_if.if_flags &= ~(uint32_t)IFF_UP;
	assert_dropped(ns, DROP_IF_DOWN, frame_input(2, 1, ETHERTYPE_IP, 60));
	test_netstack_end(ns);
}

/* A raw IP packet in a frame from station 9 to station `to`. */
static void
raw_input(uint8_t to, const uint8_t *packet, size_t len)
{
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IP};
	uint8_t frame[ETHER_HDR_LEN + 1500];

	test_station(eh.ether_dhost, to);
	test_station(eh.ether_shost, 9);
	ether_emit(frame, &eh);
	memcpy(frame + ETHER_HDR_LEN, packet, len);
	testif_input(&ti, frame, ETHER_HDR_LEN + len);
}

static void
test_02_padding_trimmed(void **state)
{
	struct netstack *ns = ip_stack();
	struct socket *so = test_udpsocket(ns);
	union bsd_sockaddr_any sa = test_sin(0, 2000);
	uint8_t packet[100] = {0}, buf[100];
	struct ipv4_hdr ip;
	size_t n;

	(void)state;
	assert_int_equal(sobind(so, &sa.sa), 0);
	n = test_udp(packet + IPV4_HDR_LEN, PEER, US, 1000, 2000, 3);
	ip = test_iphdr(IPV4_PROTO_UDP, PEER, US, n);
	ipv4_emit(packet, &ip);
	memset(packet + IPV4_HDR_LEN + n, 0xaa, 20);
	raw_input(1, packet, IPV4_HDR_LEN + n + 20);
	n = sizeof(buf);
	assert_int_equal(test_udprecv(so, &sa, buf, &n), 0);
	assert_int_equal(n, 3);
	soclose(so);
	test_netstack_end(ns);
}

static void
test_03_unicast_in_broadcast_frame(void **state)
{
	struct netstack *ns = ip_stack();
	uint8_t packet[100];
	struct ipv4_hdr ip;
	size_t n;

	(void)state;
	n = test_udp(packet + IPV4_HDR_LEN, PEER, US, 1000, 2000, 3);
	ip = test_iphdr(IPV4_PROTO_UDP, PEER, US, n);
	ipv4_emit(packet, &ip);
	assert_dropped(ns, DROP_IP_DST, raw_input(0xff, packet, IPV4_HDR_LEN + n));
	test_netstack_end(ns);
}

static void
sum_header(uint8_t *p, size_t hl)
{
	be16_put(p + 10, 0);
	be16_put(p + 10, cksum_finish(cksum_partial(p, hl, 0)));
}

static void
test_08_09_headers(void **state)
{
	static const struct {
		unsigned offset;
		uint8_t value;
		enum drop_reason why;
	} cases[] = {
	    {0, 0x55, DROP_IP_VERSION},
	    {0, 0x05, DROP_IP_VERSION},
	    {0, 0x44, DROP_IP_HLEN},
	    {0, 0x40, DROP_IP_HLEN},
	    {0, 0x4f, DROP_IP_SHORT}, /* header beyond the packet */
	    {3, 19, DROP_IP_LEN},
	    {3, 0, DROP_IP_LEN},
	    {2, 0xff, DROP_IP_LEN},
	    {3, 60, DROP_IP_LEN},
	    {8, 0, DROP_IP_TTL},
	};
	struct netstack *ns = ip_stack();
	uint8_t good[40], bad[40];
	struct ipv4_hdr ip = test_iphdr(IPV4_PROTO_UDP, PEER, US, 20);
	unsigned i;

	(void)state;
	memset(good, 0, sizeof(good));
	ipv4_emit(good, &ip);
	for (i = 0; i < nitems(cases); i++) {
		memcpy(bad, good, sizeof(bad));
		bad[cases[i].offset] = cases[i].value;
		sum_header(bad, 20);
		assert_dropped(ns, cases[i].why, raw_input(1, bad, sizeof(bad)));
	}
	for (i = 0; i < IPV4_HDR_LEN; i++)
		assert_dropped(ns, DROP_IP_SHORT, raw_input(1, good, i));
	for (i = 0; i < IPV4_HDR_LEN * 8; i++) {
		memcpy(bad, good, sizeof(bad));
		bad[i / 8] ^= (uint8_t)(1 << i % 8);
		testif_clear(&ti);
		raw_input(1, bad, sizeof(bad));
		assert_int_equal(ti.ti_n, 0);
	}
	assert_true(ns->ns_drops[DROP_IP_CKSUM] > 120);
	assert_int_equal(ns->ns_inet->is_ipstat[IPSTAT_delivered], 0);
	test_netstack_end(ns);
}

static void
addressed(uint32_t src_be, uint32_t dst_be)
{
	size_t n = udp_payload(src_be, dst_be, 10);
	struct ipv4_hdr ip = test_iphdr(IPV4_PROTO_UDP, src_be, dst_be, n);

	testif_ip_input(&ti, &ip, payload, n);
}

static void
test_10_sources(void **state)
{
	struct netstack *ns = ip_stack();

	(void)state;
	assert_dropped(ns, DROP_IP_SRC, addressed(ipv4_addr_be(224, 0, 0, 1), US));
	assert_dropped(ns, DROP_IP_SRC, addressed(UINT32_MAX, US));
	assert_dropped(ns, DROP_IP_SRC, addressed(ipv4_addr_be(10, 0, 0, 255), US));
	assert_dropped(ns, DROP_IP_SRC, addressed(ipv4_addr_be(127, 0, 0, 1), US));
	assert_dropped(ns, DROP_IP_SRC, addressed(ipv4_addr_be(0, 0, 0, 0), US));
	assert_dropped(ns, DROP_IP_SRC, addressed(ipv4_addr_be(0, 1, 2, 3), US));
	assert_dropped(ns, DROP_IP_SRC, addressed(ipv4_addr_be(240, 0, 0, 1), US));
	/* 11: our own address as source, so also LAND. */
	assert_dropped(ns, DROP_IP_SRC, addressed(US, US));
	test_netstack_end(ns);
}

static void
test_22_not_ours(void **state)
{
	struct netstack *ns = ip_stack();

	(void)state;
	assert_dropped(ns, DROP_IP_NOTFORUS, addressed(PEER, ipv4_addr_be(10, 0, 0, 2)));
	assert_dropped(ns, DROP_IP_NOTFORUS, addressed(PEER, ipv4_addr_be(8, 8, 8, 8)));
	assert_dropped(ns, DROP_IP_NOTFORUS, addressed(PEER, ipv4_addr_be(224, 0, 0, 5)));
	assert_dropped(ns, DROP_IP_DST, addressed(PEER, ipv4_addr_be(127, 0, 0, 1)));
	assert_int_equal(ns->ns_inet->is_ipstat[IPSTAT_cantforward], 3);
	test_netstack_end(ns);
}

static void
with_options(const uint8_t *opts, size_t len)
{
	struct ipv4_hdr ip = test_iphdr(IPV4_PROTO_UDP, PEER, US, 0);
	uint8_t packet[100];
	size_t hl, n;

	ip.ip_len = (uint16_t)(IPV4_HDR_LEN + (len + 3) / 4 * 4 + UDP_HDR_LEN + 4);
	hl = ipv4_emit_opts(packet, &ip, opts, len);
	n = test_udp(packet + hl, PEER, US, 1000, 2000, 4);
	raw_input(1, packet, hl + n);
}

static void
test_12_options(void **state)
{
	static const struct {
		uint8_t len;
		uint8_t opts[12];
	} bad[] = {
	    {4, {IPV4_OPT_RR, 0, 4, 0}},
	    {4, {IPV4_OPT_RR, 1, 4, 0}},
	    {4, {IPV4_OPT_RR, 40, 4, 0}},
	    {4, {1, 1, 1, IPV4_OPT_RR}},
	    {8, {IPV4_OPT_RR, 7, 2, 0, 0, 0, 0, 0}},
	    {12, {IPV4_OPT_LSRR, 7, 4, 10, 0, 0, 2, 0}},
	    {12, {IPV4_OPT_SSRR, 11, 12, 10, 0, 0, 2, 10, 0, 0, 3, 0}},
	    {8, {IPV4_OPT_TS, 8, 3, 0, 0, 0, 0, 0}},
	};
	static const uint8_t good[] = {IPV4_OPT_NOP, IPV4_OPT_RA, 4, 0, 0, IPV4_OPT_EOL, 9, 9};
	struct netstack *ns = ip_stack();
	struct icmp4_embedded ie;
	struct ipv4_hdr ip;
	unsigned i;

	(void)state;
	for (i = 0; i < nitems(bad); i++)
		assert_dropped(ns, DROP_IP_OPTIONS, with_options(bad[i].opts, bad[i].len));
	/* Good ones are passed over; the error that answers carries none of its own. */
	with_options(good, sizeof(good));
	assert_int_equal(ns->ns_drops[DROP_UDP_NOPORT], 1);
	assert_int_equal(ti.ti_n, 1);
	assert_int_equal(ipv4_parse(ti.ti_frames[0].bytes + ETHER_HDR_LEN,
			     ti.ti_frames[0].len - ETHER_HDR_LEN, &ip),
	    IPV4_PARSE_OK);
	assert_int_equal(ip.ip_hl, IPV4_HDR_LEN);
	assert_int_equal(icmp4_parse_embedded(ti.ti_frames[0].bytes + ETHER_HDR_LEN + 28,
			     ip.ip_len - 28u, &ie),
	    ICMP4_EMBEDDED_OK);
	assert_int_equal(ie.ie_dport, 2000);
	test_netstack_end(ns);
}

static void
test_20_tunnels_refused(void **state)
{
	static const uint8_t protos[] = {4, 41, 47, 50, 51, 132};
	struct netstack *ns = ip_stack();
	struct ipv4_hdr ip;
	unsigned i;

	(void)state;
	for (i = 0; i < nitems(protos); i++) {
		ip = test_iphdr(protos[i], PEER, US, 40);
		testif_ip_input(&ti, &ip, payload, 40);
	}
	assert_int_equal(ns->ns_drops[DROP_IP_NOPROTO], nitems(protos));
	assert_true(ti.ti_n >= 1);
	assert_int_equal(ti.ti_frames[0].bytes[ETHER_HDR_LEN + 20], ICMP4_UNREACH);
	assert_int_equal(ti.ti_frames[0].bytes[ETHER_HDR_LEN + 21], ICMP4_UNREACH_PROTOCOL);
	test_netstack_end(ns);
}

/* Headers spread over mbufs of a byte each are put together, whatever their storage. */
static void
test_21_scattered(void **state)
{
	struct netstack *ns = ip_stack();
	struct socket *so = test_udpsocket(ns);
	union bsd_sockaddr_any sa = test_sin(0, 2000);
	uint8_t packet[100], buf[100];
	struct mbuf *m, *n;
	struct ipv4_hdr ip;
	size_t len, i;

	(void)state;
	assert_int_equal(sobind(so, &sa.sa), 0);
	len = test_udp(packet + IPV4_HDR_LEN, PEER, US, 1000, 2000, 3);
	ip = test_iphdr(IPV4_PROTO_UDP, PEER, US, len);
	ipv4_emit(packet, &ip);
	len += IPV4_HDR_LEN;
	m = m_gethdr(ns, MT_DATA);
	m->m_pkthdr.len = (uint32_t)len;
	m->m_pkthdr.rcvif = &ti.ti_if;
	for (i = 0, n = m; i < len; i++) {
		n->m_next = m_get(ns, MT_DATA);
		n = n->m_next;
		n->m_data[0] = packet[i];
		n->m_len = 1;
	}
	ip_input(&ti.ti_if, m);
	i = sizeof(buf);
	assert_int_equal(test_udprecv(so, &sa, buf, &i), 0);
	assert_int_equal(i, 3);
	soclose(so);
	test_netstack_end(ns);
}

/* An ICMP message; the checksum is right unless spoil. */
static void
icmp_in(uint32_t src_be, uint32_t dst_be, uint8_t type, uint8_t code, size_t len, bool spoil)
{
	struct icmp4_hdr icmp = {.icmp_type = type, .icmp_code = code, .icmp_id = 7};
	struct ipv4_hdr ip = test_iphdr(IPV4_PROTO_ICMP, src_be, dst_be, len);
	uint8_t head[ICMP4_HDR_LEN];

	icmp4_emit(head, &icmp);
	memcpy(payload, head, KERN_MIN(len, sizeof(head)));
	if (len >= 4) {
		icmp.icmp_sum = (uint16_t)(cksum_finish(cksum_partial(payload, len, 0)) ^ spoil);
		be16_put(payload + 2, icmp.icmp_sum);
	}
	testif_ip_input(&ti, &ip, payload, len);
}

static void
test_23_echo(void **state)
{
	static const size_t sizes[] = {8, 9, 64, 1001, 1400};
	struct netstack *ns = ip_stack();
	const uint8_t *p = ti.ti_frames[0].bytes + ETHER_HDR_LEN;
	struct ipv4_hdr ip;
	unsigned i;

	(void)state;
	memset(payload, 0x5a, sizeof(payload));
	for (i = 0; i < nitems(sizes); i++) {
		testif_clear(&ti);
		icmp_in(PEER, US, ICMP4_ECHO, 0, sizes[i], false);
		assert_int_equal(ti.ti_n, 1);
		assert_int_equal(ipv4_parse(p, ti.ti_frames[0].len - ETHER_HDR_LEN, &ip),
		    IPV4_PARSE_OK);
		assert_int_equal(ip.ip_src_be, US);
		assert_int_equal(ip.ip_dst_be, PEER);
		assert_int_equal(ip.ip_len, IPV4_HDR_LEN + sizes[i]);
		assert_int_equal(p[20], ICMP4_ECHOREPLY);
		assert_true(icmp4_cksum_ok(p + 20, sizes[i]));
		assert_memory_equal(p + 24, payload + 4, sizes[i] - 4);
	}
	for (i = 0; i < 8; i++)
		assert_dropped(ns, DROP_ICMP_SHORT, icmp_in(PEER, US, ICMP4_ECHO, 0, i, false));
	assert_dropped(ns, DROP_ICMP_CKSUM, icmp_in(PEER, US, ICMP4_ECHO, 0, 64, true));
	assert_dropped(ns, DROP_ICMP_NOSOCK, icmp_in(PEER, US, ICMP4_ECHOREPLY, 0, 64, false));
	test_netstack_end(ns);
}

static void
test_24_28_not_answered(void **state)
{
	static const uint8_t types[] = {ICMP4_SOURCEQUENCH, ICMP4_REDIRECT, ICMP4_TSTAMP,
	    ICMP4_MASKREQ, ICMP4_ROUTERADVERT, 255};
	struct netstack *ns = ip_stack();
	uint64_t gen = rt_table(ns, BSD_AF_INET)->rtb_gen;
	unsigned i;

	(void)state;
	assert_dropped(ns, DROP_ICMP_BCAST,
	    icmp_in(PEER, ipv4_addr_be(10, 0, 0, 255), ICMP4_ECHO, 0, 64, false));
	assert_dropped(ns, DROP_ICMP_BCAST, icmp_in(PEER, UINT32_MAX, ICMP4_ECHO, 0, 64, false));
	assert_dropped(ns, DROP_ICMP_BCAST,
	    icmp_in(PEER, ipv4_addr_be(224, 0, 0, 1), ICMP4_ECHO, 0, 64, false));
	for (i = 0; i < nitems(types); i++)
		assert_dropped(ns, DROP_ICMP_TYPE, icmp_in(PEER, US, types[i], 0, 64, false));
	assert_int_equal(rt_table(ns, BSD_AF_INET)->rtb_gen, gen);
	test_netstack_end(ns);
}

/* No error about an error, a broadcast or from nobody; embedded packets that lie are dropped. */
static void
test_23_25_embedded(void **state)
{
	struct netstack *ns = ip_stack();
	struct ipv4_hdr inner = test_iphdr(IPV4_PROTO_UDP, US, PEER, 100);
	unsigned i;

	(void)state;
	memset(payload, 0, sizeof(payload));
	ipv4_emit(payload + ICMP4_HDR_LEN, &inner);
	for (i = ICMP4_HDR_LEN; i < ICMP4_HDR_LEN + IPV4_HDR_LEN + ICMP4_EMBEDDED_MIN; i++)
		assert_dropped(ns, DROP_ICMP_EMBEDDED,
		    icmp_in(PEER, US, ICMP4_UNREACH, ICMP4_UNREACH_PORT, i, false));
	inner.ip_src_be = PEER;
	ipv4_emit(payload + ICMP4_HDR_LEN, &inner);
	assert_dropped(ns, DROP_ICMP_EMBEDDED,
	    icmp_in(PEER, US, ICMP4_UNREACH, ICMP4_UNREACH_PORT, 64, false));
	inner.ip_src_be = US;
	inner.ip_p = 99;
	ipv4_emit(payload + ICMP4_HDR_LEN, &inner);
	assert_dropped(ns, DROP_ICMP_TYPE,
	    icmp_in(PEER, US, ICMP4_UNREACH, ICMP4_UNREACH_PORT, 64, false));
	assert_dropped(ns, DROP_ICMP_TYPE, icmp_in(PEER, US, ICMP4_UNREACH, 77, 64, false));
	/* UDP to a broadcast address on a closed port. */
	assert_dropped(ns, DROP_UDP_NOPORT, addressed(PEER, ipv4_addr_be(10, 0, 0, 255)));
	test_netstack_end(ns);
}

static void
test_29_rate_limit(void **state)
{
	struct netstack *ns = ip_stack();
	unsigned i;

	(void)state;
	for (i = 0; i < 1000; i++)
		addressed(PEER, US);
	assert_int_equal(ns->ns_drops[DROP_UDP_NOPORT], 1000);
	assert_true(ti.ti_n >= 5 && ti.ti_n <= 10);
	assert_int_equal(ns->ns_inet->is_icmpstat[ICMPSTAT_ratelimited], 1000 - ti.ti_n);
	test_run_for(ns, 2 * NSEC_PER_SEC);
	testif_clear(&ti);
	addressed(PEER, US);
	assert_int_equal(ti.ti_n, 1);
	test_netstack_end(ns);
}

/* The first fragment of an ICMP message; the rest never comes. => frames that answer its end */
static unsigned
abandoned_fragment(struct netstack *ns, uint8_t type)
{
	struct icmp4_hdr icmp = {.icmp_type = type};
	struct ipv4_hdr ip = test_iphdr(IPV4_PROTO_ICMP, PEER, US, 64);

	icmp4_emit(payload, &icmp);
	ip.ip_mf = true;
	ip.ip_id = type;
	testif_clear(&ti);
	testif_ip_input(&ti, &ip, payload, 64);
	test_run_for(ns, 120 * NSEC_PER_SEC);
	return ti.ti_n;
}

/* RFC 1122 §3.2.2: what no error is sent about; each is counted. */
static void
test_25_errors_not_sent(void **state)
{
	const uint32_t many[] = {ipv4_addr_be(10, 0, 0, 255), UINT32_MAX,
	    ipv4_addr_be(224, 0, 0, 1)};
	struct netstack *ns = ip_stack();
	const uint64_t *stat = ns->ns_inet->is_icmpstat;
	struct ipv4_hdr ip;

	(void)state;
	for (unsigned i = 0; i < nitems(many); i++) {
		ip = test_iphdr(47, PEER, many[i], 40);
		assert_dropped(ns, DROP_IP_NOPROTO, testif_ip_input(&ti, &ip, payload, 40));
		assert_int_equal(stat[ICMPSTAT_oldaddr], i + 1);
	}
	/* The time is exceeded of a request, of an answer it is not said. */
	assert_int_equal(abandoned_fragment(ns, ICMP4_ECHO), 1);
	assert_int_equal(ti.ti_frames[0].bytes[ETHER_HDR_LEN + 20], ICMP4_TIMXCEED);
	assert_int_equal(abandoned_fragment(ns, ICMP4_ECHOREPLY), 0);
	assert_int_equal(abandoned_fragment(ns, ICMP4_UNREACH), 0);
	assert_int_equal(stat[ICMPSTAT_oldicmp], 2);
	test_netstack_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_01_frames),
	    cmocka_unit_test(test_02_padding_trimmed),
	    cmocka_unit_test(test_03_unicast_in_broadcast_frame),
	    cmocka_unit_test(test_08_09_headers),
	    cmocka_unit_test(test_10_sources),
	    cmocka_unit_test(test_12_options),
	    cmocka_unit_test(test_20_tunnels_refused),
	    cmocka_unit_test(test_21_scattered),
	    cmocka_unit_test(test_22_not_ours),
	    cmocka_unit_test(test_23_echo),
	    cmocka_unit_test(test_24_28_not_answered),
	    cmocka_unit_test(test_23_25_embedded),
	    cmocka_unit_test(test_25_errors_not_sent),
	    cmocka_unit_test(test_29_rate_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
