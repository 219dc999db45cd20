/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MTU of paths: lowered by errors about what was sent, by nothing else; kept to, bounded,
 * forgotten. Numbers name kinds of hostile input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/testutil.h"
#include "net/net_state.h"
#include "net/route.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/udp.h"

#define A ipv4_addr_be(10, 0, 0, 1)
#define PEER ipv4_addr_be(10, 0, 0, 9)

static struct testif ti;

/* A socket connected to the peer, which answers to ARP. */
static struct socket *
connected(struct netstack *ns)
{
	union bsd_sockaddr_any to = test_sin(PEER, 7);
	struct socket *so = test_udpsocket(ns);

	assert_int_equal(soconnect(so, &to.sa), 0);
	return so;
}

static struct netstack *
stack(void)
{
	struct netstack *ns = in_teststack();

	assert_int_equal(testif_attach(ns, &ti, 1, A), 0);
	testif_arp_input(&ti, 9, 1, ARPOP_REQUEST, PEER, A);
	netstack_run(ns);
	return ns;
}

/* Sends len bytes. => frames that came out */
static unsigned
frames_of(struct netstack *ns, struct socket *so, size_t len)
{
	testif_clear(&ti);
	assert_int_equal(test_udpsend(so, NULL, len), 0);
	netstack_run(ns);
	return ti.ti_n;
}

/* The peer says of the packet in frame i that only mtu bytes would pass; its quote's port is moved. */
static void
frag_needed(unsigned i, uint16_t mtu, uint8_t portlie)
{
	uint8_t msg[ICMP4_HDR_LEN + IPV4_HDR_LEN + 8] = {ICMP4_UNREACH, ICMP4_UNREACH_NEEDFRAG};
	struct ipv4_hdr ip = test_iphdr(IPV4_PROTO_ICMP, PEER, A, sizeof(msg));

	msg[6] = (uint8_t)(mtu >> 8);
	msg[7] = (uint8_t)mtu;
	memcpy(msg + ICMP4_HDR_LEN, ti.ti_frames[i].bytes + ETHER_HDR_LEN, IPV4_HDR_LEN + 8);
	msg[ICMP4_HDR_LEN + IPV4_HDR_LEN + 1] ^= portlie;
	be16_put(msg + 2, cksum_finish(cksum_partial(msg, sizeof(msg), 0)));
	testif_ip_input(&ti, &ip, msg, sizeof(msg));
	netstack_run(ti.ti_if.if_ns);
}

/* RFC 1191: what does not pass whole is sent in pieces that do; after ten minutes it is tried. */
static void
test_lowered_and_forgotten(void **state)
{
	struct netstack *ns = stack();
	struct socket *so = connected(ns);
	uint64_t count;

	(void)state;
	assert_int_equal(frames_of(ns, so, 1400), 1);
	frag_needed(0, 1000, 0);
	assert_int_equal(so->so_error, 0);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 1000);
	assert_int_equal(frames_of(ns, so, 1400), 2);
	assert_true(ti.ti_frames[0].len <= ETHER_HDR_LEN + 1000);
	assert_int_equal(sysctl_get_u64(ns, "net.inet.tcp.hostcache.count", &count), 0);
	assert_int_equal(count, 1);
	test_run_for(ns, 601 * NSEC_PER_SEC);
	testif_arp_input(&ti, 9, 1, ARPOP_REQUEST, PEER, A);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 0);
	assert_int_equal(frames_of(ns, so, 1400), 1);
	soclose(so);
	test_netstack_end(ns);
}

/* MTU 0 is a guess downwards, too small is the floor, too large or about others is nothing (27). */
static void
test_27_lies(void **state)
{
	struct netstack *ns = stack();
	struct socket *so = connected(ns);

	(void)state;
	assert_int_equal(frames_of(ns, so, 1400), 1);
	frag_needed(0, 1428, 0);
	frag_needed(0, 60, 0);
	frag_needed(0, 900, 1);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 0);
	frag_needed(0, 0, 0);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 1006);
	frag_needed(0, 1200, 0);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 1006);
	frag_needed(0, 68, 0);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 552);
	soclose(so);
	test_netstack_end(ns);
}

/* However many destinations are told of, the table has its limit, and the newest are in it (27). */
static void
test_27_limit(void **state)
{
	struct netstack *ns = stack();
	uint32_t i;

	(void)state;
	assert_int_equal(sysctl_set_u64(ns, "net.inet.tcp.hostcache.cachelimit", 16), 0);
	for (i = 1; i <= 100; i++)
		in_hostcache_setmtu(ns, in4_mapped(htobe32(0xc0a80000u + i)).ia_w, 1400, 1500);
	assert_int_equal(ns->ns_inet->is_hostcache.hc_count, 16);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(htobe32(0xc0a80000u + 84)).ia_w), 0);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(htobe32(0xc0a80000u + 85)).ia_w), 1400);
	assert_int_equal(sysctl_set_u64(ns, "net.inet.tcp.hostcache.cachelimit", 0), 0);
	in_hostcache_setmtu(ns, in4_mapped(htobe32(0xc0a80000u)).ia_w, 1400, 1500);
	assert_int_equal(ns->ns_inet->is_hostcache.hc_count, 0);
	test_netstack_end(ns);
}

/* Metrics are mixed half and half, live from the last one on, and leave routes and an MTU's end alone. */
static void
test_metrics(void **state)
{
	struct netstack *ns = stack();
	const struct in_pathmetrics one = {1000, 500, 0, 20000}, two = {3000, 500, 8000, 10000};
	struct in_pathmetrics pm;
	uint64_t gen = rt_table(ns, BSD_AF_INET)->rtb_gen;

	(void)state;
	in_hostcache_getmetrics(ns, in4_mapped(PEER).ia_w, &pm);
	assert_int_equal(pm.pm_rtt_us, 0);
	in_hostcache_putmetrics(ns, in4_mapped(PEER).ia_w, &one);
	test_run_for(ns, 400 * NSEC_PER_SEC);
	in_hostcache_putmetrics(ns, in4_mapped(PEER).ia_w, &two);
	test_run_for(ns, 400 * NSEC_PER_SEC);
	in_hostcache_getmetrics(ns, in4_mapped(PEER).ia_w, &pm);
	assert_int_equal(pm.pm_rtt_us, 2000);
	assert_int_equal(pm.pm_rttvar_us, 500);
	assert_int_equal(pm.pm_ssthresh, 8000);
	assert_int_equal(pm.pm_cwnd, 15000);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 0);
	assert_int_equal(rt_table(ns, BSD_AF_INET)->rtb_gen, gen);
	in_hostcache_setmtu(ns, in4_mapped(PEER).ia_w, 1400, 1500);
	assert_true(rt_table(ns, BSD_AF_INET)->rtb_gen > gen);
	test_run_for(ns, 400 * NSEC_PER_SEC);
	in_hostcache_putmetrics(ns, in4_mapped(PEER).ia_w, &two);
	test_run_for(ns, 201 * NSEC_PER_SEC);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 0);
	in_hostcache_getmetrics(ns, in4_mapped(PEER).ia_w, &pm);
	assert_int_equal(pm.pm_rtt_us, 0);
	test_netstack_end(ns);
}

/* An MTU that gives way to others' metrics is no longer kept to by cached routes either. */
static void
test_metrics_evict(void **state)
{
	const struct in_pathmetrics pm = {.pm_rtt_us = 1};
	struct netstack *ns = stack();
	uint64_t gen;

	(void)state;
	assert_int_equal(sysctl_set_u64(ns, "net.inet.tcp.hostcache.cachelimit", 1), 0);
	in_hostcache_setmtu(ns, in4_mapped(PEER).ia_w, 1400, 1500);
	gen = rt_table(ns, BSD_AF_INET)->rtb_gen;
	in_hostcache_putmetrics(ns, in4_mapped(ipv4_addr_be(10, 0, 0, 8)).ia_w, &pm);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 0);
	assert_true(rt_table(ns, BSD_AF_INET)->rtb_gen > gen);
	test_netstack_end(ns);
}

/* net.inet.tcp.hostcache.enable: off, nothing is remembered and nothing that was is told. */
static void
test_disabled(void **state)
{
	const struct in_pathmetrics one = {1000, 500, 0, 20000};
	struct netstack *ns = stack();
	struct in_pathmetrics pm;

	(void)state;
	in_hostcache_setmtu(ns, in4_mapped(PEER).ia_w, 1400, 1500);
	assert_int_equal(sysctl_set_u64(ns, "net.inet.tcp.hostcache.enable", 0), 0);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 0);
	in_hostcache_putmetrics(ns, in4_mapped(ipv4_addr_be(10, 0, 0, 8)).ia_w, &one);
	in_hostcache_getmetrics(ns, in4_mapped(ipv4_addr_be(10, 0, 0, 8)).ia_w, &pm);
	assert_int_equal(pm.pm_rtt_us, 0);
	assert_int_equal(ns->ns_inet->is_hostcache.hc_count, 1);
	test_netstack_end(ns);
}

/* Without memory nothing is remembered, and nothing is lost. */
static void
test_no_memory(void **state)
{
	const struct in_pathmetrics pm = {.pm_rtt_us = 1};
	struct netstack *ns = stack();

	(void)state;
	ns->ns_fault.af_fail_at = 1;
	in_hostcache_setmtu(ns, in4_mapped(PEER).ia_w, 1400, 1500);
	assert_int_equal(in_hostcache_mtu(ns, in4_mapped(PEER).ia_w), 0);
	ns->ns_fault.af_fail_at = 1;
	in_hostcache_putmetrics(ns, in4_mapped(PEER).ia_w, &pm);
	assert_int_equal(ns->ns_inet->is_hostcache.hc_count, 0);
	test_netstack_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lowered_and_forgotten),
	    cmocka_unit_test(test_27_lies),
	    cmocka_unit_test(test_27_limit),
	    cmocka_unit_test(test_metrics),
	    cmocka_unit_test(test_metrics_evict),
	    cmocka_unit_test(test_disabled),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
