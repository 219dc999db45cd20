/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 as it comes from the wire: lengths, addresses, extension headers, ICMPv6, and what the stack
 * answers. The numbers name kinds of hostile input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/testutil.h"
#include "netinet6/in6_testutil.h"
#include "netinet6/ip6_var.h"
#include "wire/ether.h"

#define OURS "fd00::1"
#define PEER "fd00::9"
#define GROUP "ff02::1"

static struct testif ti;

/* What the transport under test received last. */
static struct {
	unsigned n;
	uint32_t len;
	uint32_t hlen;
	bool frag;
} got;

static void
got_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	m_sanity(m);
	assert_int_equal(m->m_pkthdr.len, rx->rx_hlen + rx->rx_len);
	assert_true(m->m_len >= rx->rx_hlen);
	got.n++;
	got.len = rx->rx_len;
	got.hlen = rx->rx_hlen;
	m_freem(m);
}

static const struct in_transport got_transport = {.it_proto = TEST_PROTO, .it_input = got_input};

static struct netstack *
begin(void)
{
	struct netstack *ns = in6_teststack(false);
	uint8_t mac[6];

	memset(&got, 0, sizeof(got));
	assert_int_equal(testif6_attach(ns, &ti, 1, OURS), 0);
	test_run_for(ns, 10 * NSEC_PER_SEC);
	testif_clear(&ti);
	test_station(mac, 9);
	assert_int_equal(in6_neigh_add(&ti.ti_if, test_addr6(PEER).a, mac), 0);
	assert_int_equal(in_transport_register(ns, &got_transport), 0);
	return ns;
}

static void
end(struct netstack *ns)
{
	if_detach(&ti.ti_if);
	test_netstack_end(ns);
}

static uint64_t
drops(const struct netstack *ns, enum drop_reason why)
{
	return ns->ns_drops[why];
}

static void
input(uint8_t nxt, const char *src, const char *dst, const void *payload, size_t len)
{
	struct ip6_hdr ip6 = test_ip6hdr(nxt, src, dst, len);

	testif6_input(&ti, &ip6, payload, len);
}

/* The one error that was sent says this. */
static void
assert_error(uint8_t type, uint8_t code, uint32_t word)
{
	struct icmp6_hdr icmp6;
	struct ip6_hdr ip6;
	const uint8_t *p;

	assert_non_null(p = testif6_find(&ti, type, &ip6));
	(void)icmp6_parse(p, ICMP6_HDR_LEN, &icmp6);
	assert_int_equal(icmp6.icmp6_code, code);
	assert_int_equal(icmp6.icmp6_word, word);
	assert_int_equal(ip6.ip6_plen <= IP6_MTU_MIN - IP6_HDR_LEN, true);
	assert_memory_equal(ip6.ip6_dst, test_addr6(PEER).a, 16);
	testif_clear(&ti);
}

static void
assert_silent(void)
{
	assert_int_equal(ti.ti_n, 0);
}

/* HOSTILE 31 */
static void
test_lengths(void **state)
{
	static const uint8_t jumbo[16] = {TEST_PROTO, 0, IP6_OPT_JUMBO, 4, 0, 0, 255, 255};
	struct netstack *ns = begin();
	struct ip6_hdr ip6;
	uint8_t data[100] = {0};

	(void)state;
	ip6 = test_ip6hdr(TEST_PROTO, PEER, OURS, 101);
	testif6_input(&ti, &ip6, data, 100);
	assert_int_equal(drops(ns, DROP_IP6_LEN), 1);
	input(TEST_PROTO, PEER, OURS, data, 1); /* padded to the shortest frame */
	assert_int_equal(got.n, 1);
	assert_int_equal(got.len, 1);
	ip6 = test_ip6hdr(IP6_NXT_UDP, PEER, OURS, 0); /* zero is zero */
	testif6_input(&ti, &ip6, data, 100);
	assert_int_equal(drops(ns, DROP_UDP_SHORT), 1);
	input(IP6_NXT_HOPOPTS, PEER, OURS, jumbo, sizeof(jumbo));
	assert_int_equal(drops(ns, DROP_IP6_OPTION), 1);
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_OPTION, IP6_HDR_LEN + 2);
	assert_int_equal(got.n, 1);
	end(ns);
}

/* HOSTILE 32 */
static void
test_chains(void **state)
{
	struct netstack *ns = begin();
	uint8_t chain[1200] = {0};
	size_t i, n;

	(void)state;
	for (n = 1; n <= 100; n++) {
		for (i = 0; i < n; i++)
			chain[8 * i] = i + 1 == n ? TEST_PROTO : IP6_NXT_DSTOPTS;
		input(IP6_NXT_DSTOPTS, PEER, OURS, chain, 8 * n + 20);
	}
	assert_int_equal(got.n, IP6_EXT_COUNT_MAX);
	assert_int_equal(drops(ns, DROP_IP6_EXTHDR), 100 - IP6_EXT_COUNT_MAX);
	/* One that is long, and one whose length goes past the end. */
	memset(chain, 0, sizeof(chain));
	chain[0] = TEST_PROTO;
	chain[1] = IP6_EXT_BYTES_MAX / 8 - 1;
	input(IP6_NXT_DSTOPTS, PEER, OURS, chain, 400);
	assert_int_equal(got.n, IP6_EXT_COUNT_MAX + 1);
	assert_int_equal(got.hlen, IP6_HDR_LEN + IP6_EXT_BYTES_MAX);
	chain[1]++;
	input(IP6_NXT_DSTOPTS, PEER, OURS, chain, 400);
	chain[1] = 255;
	for (i = 1; i < 32; i++)
		input(IP6_NXT_DSTOPTS, PEER, OURS, chain, i);
	assert_int_equal(got.n, IP6_EXT_COUNT_MAX + 1);
	assert_silent();
	/* Hop-by-hop options behind another header, or again */
	memset(chain, 0, sizeof(chain));
	chain[0] = IP6_NXT_HOPOPTS;
	chain[8] = TEST_PROTO;
	input(IP6_NXT_DSTOPTS, PEER, OURS, chain, 32);
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_NEXTHEADER, IP6_HDR_LEN);
	input(IP6_NXT_HOPOPTS, PEER, OURS, chain, 32);
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_NEXTHEADER, IP6_HDR_LEN);
	end(ns);
}

/* HOSTILE 33 */
static void
test_options(void **state)
{
	static const struct {
		uint8_t type;
		bool taken, error, togroup;
	} cases[] = {{0x1e, true, false, false}, {0x5e, false, false, false},
	    {0x9e, false, true, true}, {0xde, false, true, false}};
	struct netstack *ns = begin();
	uint8_t opts[40] = {TEST_PROTO, 0, 0, 2};
	unsigned before;

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		opts[2] = cases[i].type;
		before = got.n;
		input(IP6_NXT_DSTOPTS, PEER, OURS, opts, sizeof(opts));
		assert_int_equal(got.n, before + cases[i].taken);
		if (cases[i].error)
			assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_OPTION, IP6_HDR_LEN + 2);
		assert_silent();
		input(IP6_NXT_DSTOPTS, PEER, GROUP, opts, sizeof(opts));
		if (cases[i].togroup)
			assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_OPTION, IP6_HDR_LEN + 2);
		assert_silent();
	}
	opts[2] = IP6_OPT_PADN; /* padding past the end */
	opts[3] = 5;
	input(IP6_NXT_DSTOPTS, PEER, OURS, opts, sizeof(opts));
	assert_int_equal(drops(ns, DROP_IP6_OPTION), 7);
	assert_silent();
	end(ns);
}

/* HOSTILE 34, RFC 5095 */
static void
test_routing(void **state)
{
	struct netstack *ns = begin();
	uint8_t rh[60] = {TEST_PROTO, 2, 0, 0};

	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		rh[2] = (uint8_t)type;
		rh[3] = 0;
		input(IP6_NXT_ROUTING, PEER, OURS, rh, sizeof(rh));
		assert_int_equal(got.n, type + 1);
		assert_silent();
		rh[3] = 1;
		input(IP6_NXT_ROUTING, PEER, OURS, rh, sizeof(rh));
		if (ti.ti_n > 0)
			assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_HEADER, IP6_HDR_LEN + 2);
		else
			assert_true(type > 4); /* errors are limited */
	}
	assert_int_equal(got.n, 256);
	assert_int_equal(drops(ns, DROP_IP6_ROUTING), 256);
	end(ns);
}

/* HOSTILE 39 */
static void
test_next_header(void **state)
{
	struct netstack *ns = begin();
	uint8_t data[40] = {0};

	(void)state;
	input(201, PEER, OURS, data, sizeof(data));
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_NEXTHEADER, IP6_OFF_NXT);
	data[0] = 201;
	input(IP6_NXT_DSTOPTS, PEER, OURS, data, sizeof(data));
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_NEXTHEADER, IP6_HDR_LEN);
	input(201, PEER, GROUP, data, sizeof(data));
	input(IP6_NXT_ESP, PEER, OURS, data, sizeof(data));
	input(IP6_NXT_AH, PEER, OURS, data, sizeof(data));
	assert_int_equal(drops(ns, DROP_IP6_NOPROTO), 5);
	input(IP6_NXT_NONE, PEER, OURS, data, sizeof(data));
	assert_int_equal(drops(ns, DROP_IP6_NONEXT), 1);
	input(4, PEER, OURS, data, sizeof(data)); /* IPv4 in it */
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_NEXTHEADER, IP6_OFF_NXT);
	assert_silent();
	end(ns);
}

/* HOSTILE 40 */
static void
test_addresses(void **state)
{
	static const char *const sources[] = {"ff02::1", "::", "::1", "::ffff:10.0.0.1",
	    "::10.0.0.1", OURS, "fe80:1::9"};
	static const char *const bad[] = {"::", "::1", "::ffff:10.0.0.1", "ff00::1", "ff01::1",
	    "fe80:1::ff:fe00:1", "ff02:1::1"};
	static const char *const others[] = {"fd00::2", "ff02::1234", "fe80::2"};
	struct netstack *ns = begin();
	uint8_t data[40] = {0};
	uint64_t before;

	(void)state;
	for (size_t i = 0; i < nitems(sources); i++)
		input(TEST_PROTO, sources[i], OURS, data, sizeof(data));
	assert_int_equal(drops(ns, DROP_IP6_SRC), nitems(sources));
	before = drops(ns, DROP_IP6_SRC);
	for (size_t i = 0; i < nitems(bad); i++)
		input(TEST_PROTO, PEER, bad[i], data, sizeof(data));
	assert_int_equal(drops(ns, DROP_IP6_SRC) - before + drops(ns, DROP_IP6_DST), nitems(bad));
	for (size_t i = 0; i < nitems(others); i++)
		input(TEST_PROTO, PEER, others[i], data, sizeof(data));
	assert_int_equal(drops(ns, DROP_IP6_NOTFORUS), nitems(others));
	assert_int_equal(got.n, 0);
	assert_silent();
	end(ns);
}

/* RFC 4443 §4.2; HOSTILE 24: to a group is answered by our own address, to nobody never. */
static void
test_echo(void **state)
{
	struct netstack *ns = begin();
	uint8_t echo[100] = {ICMP6_ECHO, 0, 0, 0, 1, 2, 3, 4, 5};
	struct ip6_hdr ip6;
	const uint8_t *p;

	(void)state;
	for (size_t n = ICMP6_HDR_LEN; n <= sizeof(echo); n++) {
		echo[0] = ICMP6_ECHO;
		testif6_icmp6(&ti, PEER, OURS, 64, echo, n);
		assert_non_null(p = testif6_find(&ti, ICMP6_ECHOREPLY, &ip6));
		assert_int_equal(ip6.ip6_plen, n);
		assert_memory_equal(p + 4, echo + 4, n - 4);
		echo[0] = ICMP6_ECHOREPLY;
		test_cksum6(OURS, PEER, IP6_NXT_ICMP6, echo, n, ICMP6_OFF_SUM);
		assert_memory_equal(p, echo, n);
		testif_clear(&ti);
	}
	echo[0] = ICMP6_ECHO;
	testif6_icmp6(&ti, PEER, GROUP, 64, echo, 20);
	assert_non_null(testif6_find(&ti, ICMP6_ECHOREPLY, &ip6));
	assert_memory_equal(ip6.ip6_src, test_addr6(OURS).a, 16);
	testif_clear(&ti);
	testif6_icmp6(&ti, "::", OURS, 64, echo, 20);
	ip6 = test_ip6hdr(IP6_NXT_ICMP6, PEER, OURS, 20); /* a bad sum, and a short message */
	testif6_input(&ti, &ip6, echo, 20);
	input(IP6_NXT_ICMP6, PEER, OURS, echo, 7);
	assert_int_equal(drops(ns, DROP_ICMP6_CKSUM), 1);
	assert_int_equal(drops(ns, DROP_ICMP6_SHORT), 1);
	assert_silent();
	end(ns);
}

/* HOSTILE 25, 29: no error answers an error, and there is a limit of all. */
static void
test_errors_not_sent(void **state)
{
	struct netstack *ns = begin();
	uint8_t data[60] = {ICMP6_UNREACH};
	unsigned n;

	(void)state;
	/* An error with an option that would cost one; behind a header, and in a later fragment */
	memset(data, 0, sizeof(data));
	data[0] = IP6_NXT_ICMP6;
	data[2] = 0xde;
	data[8] = ICMP6_PARAMPROB;
	input(IP6_NXT_DSTOPTS, PEER, OURS, data, sizeof(data));
	data[8] = ICMP6_REDIRECT;
	input(IP6_NXT_DSTOPTS, PEER, OURS, data, sizeof(data));
	assert_int_equal(drops(ns, DROP_IP6_OPTION), 2);
	assert_silent();
	for (n = 0; n < 100; n++)
		input(201, PEER, OURS, data, sizeof(data));
	assert_true(ti.ti_n > 0 && ti.ti_n <= ns->ns_inet6->i6_icmplim);
	assert_int_equal(ns->ns_inet6->i6_icmp6stat[ICMP6STAT_ratelimited], 100 - ti.ti_n);
	end(ns);
}

/* A message about a packet of ours that has the given header. => its length */
static size_t
about(uint8_t *msg, uint8_t type, uint32_t word, const struct ip6_hdr *ip6)
{
	memset(msg, 0, 100);
	icmp6_emit(msg, &(struct icmp6_hdr){.icmp6_type = type, .icmp6_word = word});
	ip6_emit(msg + ICMP6_HDR_LEN, ip6);
	msg[ICMP6_HDR_LEN + IP6_HDR_LEN] = ICMP6_ECHOREPLY;
	return ICMP6_HDR_LEN + IP6_HDR_LEN + 8;
}

static uint32_t
mtu_of(struct netstack *ns, const char *dst)
{
	struct in_addrany a = in6_any(test_addr6(dst).a);
	uint32_t mtu = 0;
	bool direct;

	assert_non_null(in6_afops.af_route(ns, &a, NULL, &mtu, &direct));
	return mtu;
}

/* HOSTILE 36, 27: RFC 8021, RFC 8201 §4 */
static void
test_too_big(void **state)
{
	static const uint32_t lies[] = {0, 68, 1279, 1500, 65535, UINT32_MAX};
	struct netstack *ns = begin();
	struct ip6_hdr ip6 = test_ip6hdr(IP6_NXT_ICMP6, OURS, PEER, 1460);
	uint8_t msg[100];
	size_t n;

	(void)state;
	for (size_t i = 0; i < nitems(lies); i++) {
		n = about(msg, ICMP6_TOOBIG, lies[i], &ip6);
		testif6_icmp6(&ti, PEER, OURS, 64, msg, n);
		assert_int_equal(mtu_of(ns, PEER), 1500);
	}
	n = about(msg, ICMP6_TOOBIG, 1280, &ip6);
	for (size_t i = ICMP6_HDR_LEN; i < n; i++) {
		testif6_icmp6(&ti, PEER, OURS, 64, msg, i);
		assert_int_equal(mtu_of(ns, PEER), 1500);
	}
	testif6_icmp6(&ti, PEER, GROUP, 64, msg, n); /* to a group, about another's packet */
	assert_int_equal(mtu_of(ns, PEER), 1500);
	testif6_icmp6(&ti, "fd00::77", OURS, 64, msg, n); /* by a router on the way */
	assert_int_equal(mtu_of(ns, PEER), 1280);
	n = about(msg, ICMP6_TOOBIG, 1400, &ip6); /* never raised */
	testif6_icmp6(&ti, PEER, OURS, 64, msg, n);
	assert_int_equal(mtu_of(ns, PEER), 1280);
	/* Fragments are made, but none that is alone. */
	testif_clear(&ti);
	assert_int_equal(test_ip6send(ns, PEER, 1240), 0);
	(void)testif6_packet(&ti, 0, &ip6);
	assert_int_equal(ip6.ip6_nxt, IP6_NXT_UDP);
	assert_int_equal(test_ip6send(ns, PEER, 1241), 0);
	assert_int_equal(ti.ti_n, 3);
	(void)testif6_packet(&ti, 1, &ip6);
	assert_int_equal(ip6.ip6_nxt, IP6_NXT_FRAGMENT);
	assert_true(ip6.ip6_plen + IP6_HDR_LEN <= 1280);
	end(ns);
}

/* HOSTILE 46, RFC 8200 §8.1: UDP has a checksum. */
static void
test_udp_checksum(void **state)
{
	struct netstack *ns = begin();
	uint8_t udp[20] = {0, 9, 0, 9, 0, 20};

	(void)state;
	input(IP6_NXT_UDP, PEER, OURS, udp, sizeof(udp));
	assert_int_equal(drops(ns, DROP_UDP_CKSUM), 1);
	assert_silent();
	test_cksum6(PEER, OURS, IP6_NXT_UDP, udp, sizeof(udp), 6);
	input(IP6_NXT_UDP, PEER, OURS, udp, sizeof(udp));
	assert_int_equal(drops(ns, DROP_UDP_NOPORT), 1);
	assert_error(ICMP6_UNREACH, ICMP6_UNREACH_PORT, 0);
	end(ns);
}

/* HOSTILE 28, 45: redirects are ignored. */
static void
test_redirect(void **state)
{
	struct netstack *ns = begin();
	uint8_t msg[40] = {ICMP6_REDIRECT};
	uint32_t routes = rt_table(ns, BSD_AF_INET6)->rtb_count;

	(void)state;
	ip6_addr_put(msg + 8, test_addr6("fe80::9").a);
	ip6_addr_put(msg + 24, test_addr6("fd09::1").a);
	testif6_icmp6(&ti, "fe80::9", OURS, 255, msg, sizeof(msg));
	assert_int_equal(drops(ns, DROP_ND6_IGNORED), 1);
	assert_int_equal(rt_table(ns, BSD_AF_INET6)->rtb_count, routes);
	end(ns);
}

/* An interface that has no address of IPv6 neither hears nor says a word of it. */
static void
test_not_spoken(void **state)
{
	struct netstack *ns = in6_teststack(true);
	uint8_t echo[20] = {ICMP6_ECHO};

	(void)state;
	assert_int_equal(testif6_attach(ns, &ti, 1, NULL), 0);
	test_run_for(ns, 5 * NSEC_PER_SEC);
	testif_clear(&ti);
	testif6_icmp6(&ti, PEER, GROUP, 64, echo, sizeof(echo));
	assert_int_equal(drops(ns, DROP_IP6_DISABLED), 1);
	assert_int_equal(test_ip6send(ns, PEER, 10), BSD_ENETUNREACH);
	test_run_for(ns, 5 * NSEC_PER_SEC);
	assert_silent();
	end(ns);
}

/* Two stacks: to ourselves by each address, and a large datagram in fragments over a wire. */
static void
test_loopback(void **state)
{
	struct netstack *ns = begin();
	uint64_t before;

	(void)state;
	before = ns->ns_inet6->i6_ip6stat[IP6STAT_delivered];
	assert_int_equal(test_ip6send(ns, "::1", 100), 0);
	assert_int_equal(test_ip6send(ns, OURS, 100), 0);
	netstack_run(ns);
	assert_int_equal(ns->ns_inet6->i6_ip6stat[IP6STAT_delivered], before + 2);
	assert_silent();
	end(ns);
}

/* RFC 6724 §5 */
static void
test_source(void **state)
{
	static const struct {
		const char *dst, *src;
	} cases[] = {{"fd00::77", OURS}, {"2001:db8::1", "2001:db8:1::1"},
	    {"2001:db8:2::5", "2001:db8:2::1"}, {"fd77::1", OURS}, {"fe80::5", "fe80::ff:fe00:1"},
	    {"ff02::5", "fe80::ff:fe00:1"}, {"ff0e::5", "2001:db8:1::1"}, {OURS, OURS}};
	struct netstack *ns = begin();
	struct in6_ifaddr *ia;
	struct addr6 dst, src;

	(void)state;
	assert_int_equal(in6_control_addr(ns, &ti.ti_if, test_addr6("2001:db8:1::1").a, 64), 0);
	assert_int_equal(in6_control_addr(ns, &ti.ti_if, test_addr6("2001:db8:2::1").a, 64), 0);
	for (size_t i = 0; i < nitems(cases); i++) {
		dst = test_addr6(cases[i].dst);
		src = test_addr6(cases[i].src);
		in6_setzone(dst.a, ti.ti_if.if_index);
		in6_setzone(src.a, ti.ti_if.if_index);
		assert_non_null(ia = in6_selectsrc_ifa(ns, &ti.ti_if, dst.a));
		if (!ip6_addr_eq(ia->ia_addr, src.a))
			fail_msg("not %s for %s", cases[i].src, cases[i].dst);
	}
	/* Rule 3: a deprecated one only when it must be. */
	dst = test_addr6("2001:db8:2::5");
	src = test_addr6("2001:db8:2::1");
	ia = in6_ifaddr_find(ns, NULL, src.a);
	in6_ia_setlife(ia, ns->ns_now, IN6_LIFETIME_INFINITE);
	assert_false(ip6_addr_eq(in6_selectsrc_ifa(ns, &ti.ti_if, dst.a)->ia_addr, src.a));
	end(ns);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_chains),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_routing),
	    cmocka_unit_test(test_next_header),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_echo),
	    cmocka_unit_test(test_errors_not_sent),
	    cmocka_unit_test(test_too_big),
	    cmocka_unit_test(test_udp_checksum),
	    cmocka_unit_test(test_redirect),
	    cmocka_unit_test(test_not_spoken),
	    cmocka_unit_test(test_loopback),
	    cmocka_unit_test(test_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
