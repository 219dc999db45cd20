/* SPDX-License-Identifier: BSD-2-Clause */
/* The assembled stack as an embedder sees it: text, settings, packets in and out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>
#include <rumpus/socket.h>
#include <rumpus/stack.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/protosw.h"
#include "kern/testutil.h"
#include "netinet/in_var.h"
#include "wire/cksum.h"
#include "wire/icmp4.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

/* The last packet that an instance sent. */
struct sent {
	unsigned n;
	size_t len;
	uint8_t bytes[2000];
};

static void
keep(void *arg, const uint8_t *packet, size_t len)
{
	struct sent *s = arg;

	assert_true(len <= sizeof(s->bytes));
	s->n++;
	s->len = len;
	memcpy(s->bytes, packet, len);
}

static struct netstack *
instance(uint8_t seed)
{
	struct rumpus_config rc = {.rc_now_ns = NSEC_PER_SEC,
	    .rc_nmbufs = 512,
	    .rc_nclusters = 128};
	struct netstack *ns;

	memset(rc.rc_seed, seed, sizeof(rc.rc_seed));
	ns = rumpus_create(&rc);
	assert_non_null(ns);
	return ns;
}

static void
test_addresses_and_routes(void **state)
{
	static const char *const bad[] = {"", "10.0.0.1/", "10.0.0.1/33", "10.0.0/24",
	    "10.0.0.1/2x", "10.0.0.1/-1", "1.2.3.4.5/8", "255.255.255.255/32", "224.0.0.1/24",
	    "10.0.0.0/24", "10.0.0.255/24", "127.0.0.9/8", "0.0.0.0/0",
	    "10.0.0.1000000000000000000000/24"};
	struct netstack *ns = instance(1);
	struct sent sent = {0};
	unsigned i;

	(void)state;
	assert_int_equal(rumpus_addr_add(ns, "ppp0", "10.0.0.1/24"), BSD_ENXIO);
	assert_int_equal(rumpus_ptp_attach(ns, "ppp0", 100, keep, &sent), BSD_EINVAL);
	assert_int_equal(rumpus_ptp_attach(ns, "", 1500, keep, &sent), BSD_EINVAL);
	assert_int_equal(rumpus_ptp_attach(ns, "a-name-that-is-long", 1500, keep, &sent),
	    BSD_EINVAL);
	assert_int_equal(rumpus_ptp_attach(ns, "ppp0", 1500, keep, &sent), 0);
	assert_int_equal(rumpus_ptp_attach(ns, "ppp0", 1500, keep, &sent), BSD_EEXIST);
	for (i = 0; i < nitems(bad); i++)
		if (rumpus_addr_add(ns, "ppp0", bad[i]) != BSD_EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(rumpus_addr_add(ns, "ppp0", "10.0.0.1/24"), 0);
	assert_int_equal(rumpus_addr_add(ns, "ppp0", "10.0.0.1/24"), BSD_EEXIST);
	assert_int_equal(rumpus_route_add(ns, "default", "10.9.0.1"), BSD_ENETUNREACH);
	assert_int_equal(rumpus_route_add(ns, "default", "nobody"), BSD_EINVAL);
	assert_int_equal(rumpus_route_add(ns, "10.1.0.1/16", "10.0.0.2"), BSD_EINVAL);
	assert_int_equal(rumpus_route_add(ns, "default", "10.0.0.2"), 0);
	assert_int_equal(rumpus_route_add(ns, "10.1.0.0/16", "10.0.0.3"), 0);
	assert_int_equal(rumpus_route_add(ns, "10.1.0.0/16", "10.0.0.3"), BSD_EEXIST);
	assert_int_equal(rumpus_route_del(ns, "10.1.0.0/16"), 0);
	assert_int_equal(rumpus_route_del(ns, "10.1.0.0/16"), BSD_ESRCH);
	/* Not by hand: the connected route. */
	assert_int_equal(rumpus_route_del(ns, "10.0.0.0/24"), BSD_ESRCH);
	assert_int_equal(rumpus_addr_del(ns, "ppp0", "10.0.0.1/24"), 0);
	assert_int_equal(rumpus_addr_del(ns, "ppp0", "10.0.0.1/24"), BSD_EADDRNOTAVAIL);
	/* The default route went with the address it relied on. */
	assert_int_equal(rumpus_route_del(ns, "default"), BSD_ESRCH);
	assert_int_equal(rumpus_if_up(ns, "ppp0", false), 0);
	assert_int_equal(rumpus_if_up(ns, "ppp1", false), BSD_ENXIO);
	test_pools_empty(ns);
	rumpus_destroy(ns);
}

static void
test_addresses_and_routes6(void **state)
{
	static const char *const bad[] = {"fd00::1/129", "fd00::1/", "fd00:::1/64", "ff02::1/64",
	    "::/0", "::1/128", "::ffff:1.2.3.4/96", "fe80::1%no/64", "fe80::1%lo0/64",
	    "fd00::1%ppp0/64", "fd00::1/0"};
	struct netstack *ns = instance(1);
	struct sent sent = {0};

	(void)state;
	assert_int_equal(rumpus_ptp_attach(ns, "ppp1", 1000, keep, &sent), 0);
	assert_int_equal(rumpus_addr_add(ns, "ppp1", "fd00::1/64"), BSD_EINVAL); /* MTU */
	assert_int_equal(rumpus_ptp_attach(ns, "ppp0", 1500, keep, &sent), 0);
	for (unsigned i = 0; i < nitems(bad); i++)
		if (rumpus_addr_add(ns, "ppp0", bad[i]) != BSD_EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(rumpus_addr_add(ns, "ppp0", "fd00::1/64"), 0);
	assert_int_equal(rumpus_addr_add(ns, "ppp0", "fd00:0::1/64"), BSD_EEXIST);
	assert_int_equal(rumpus_addr_add(ns, "ppp2", "fd00::2/64"), BSD_ENXIO);
	assert_int_equal(rumpus_route_add(ns, "default", "fd09::1"), BSD_ENETUNREACH);
	assert_int_equal(rumpus_route_add(ns, "default", "fd00::1/64"), BSD_EINVAL);
	assert_int_equal(rumpus_route_add(ns, "10.0.0.0/8", "fd00::2"), BSD_EINVAL);
	assert_int_equal(rumpus_route_add(ns, "fd01::1/32", "fd00::2"), BSD_EINVAL);
	assert_int_equal(rumpus_route_add(ns, "default", "fd00::2"), 0);
	assert_int_equal(rumpus_route_add(ns, "fd01::/32", "fe80::9%ppp0"), 0);
	assert_int_equal(rumpus_route_add(ns, "fd02::/32", "fe80::9"), BSD_EINVAL);
	assert_int_equal(rumpus_route_del(ns, "fd01::/32"), 0);
	assert_int_equal(rumpus_route_del(ns, "fd01::/32"), BSD_ESRCH);
	assert_int_equal(rumpus_route_del(ns, "fd00::/64"), BSD_ESRCH);
	assert_int_equal(rumpus_route_del(ns, "::/0"), 0);
	assert_int_equal(rumpus_addr_del(ns, "ppp0", "fd00::1/64"), 0);
	assert_int_equal(rumpus_addr_del(ns, "ppp0", "fd00::1/64"), BSD_EADDRNOTAVAIL);
	test_pools_empty(ns);
	rumpus_destroy(ns);
}

static void
test_sysctls(void **state)
{
	struct netstack *ns = instance(1);
	uint64_t value;

	(void)state;
	assert_int_equal(rumpus_sysctl_set(ns, "net.inet.ip.ttl", "17"), 0);
	assert_int_equal(rumpus_sysctl_get(ns, "net.inet.ip.ttl", &value), 0);
	assert_int_equal(value, 17);
	assert_int_equal(rumpus_sysctl_set(ns, "net.inet.ip.ttl", "0"), BSD_EINVAL);
	assert_int_equal(rumpus_sysctl_set(ns, "net.inet.ip.no", "0"), BSD_ENOENT);
	assert_int_equal(rumpus_sysctl_set(ns, "net.inet.udp.stats.badsum", "0"), BSD_EPERM);
	assert_int_equal(rumpus_sysctl_get(ns, "net.route.count", &value), 0);
	assert_int_equal(value, 2); /* 127.0.0.1 and its network */
	rumpus_destroy(ns);
}

/* Every variable has a name and a text, and what can be written takes its own text back. */
static void
test_sysctl_list(void **state)
{
	struct netstack *ns = instance(1);
	char name[256], text[256];
	bool seen = false;
	uint32_t n;
	int error;

	(void)state;
	for (n = 0; rumpus_sysctl_nth(ns, n, name, sizeof(name)) == 0; n++) {
		seen |= strcmp(name, "net.inet.tcp.cc.algorithm") == 0;
		assert_int_equal(rumpus_sysctl_text(ns, name, text, sizeof(text)), 0);
		error = rumpus_sysctl_set(ns, name, text);
		if (error != 0 && error != BSD_EPERM)
			fail_msg("%s refuses its own value %s: %d", name, text, error);
	}
	assert_true(n > 100 && seen);
	assert_int_equal(rumpus_sysctl_nth(ns, n, name, sizeof(name)), BSD_ENOENT);
	assert_int_equal(rumpus_sysctl_nth(ns, 0, name, 3), BSD_ENAMETOOLONG);
	assert_int_equal(rumpus_sysctl_text(ns, "net.no", text, sizeof(text)), BSD_ENOENT);
	assert_int_equal(rumpus_sysctl_set(ns, "net.inet.ip.ttl", "200"), 0);
	assert_int_equal(rumpus_sysctl_text(ns, "net.inet.ip.ttl", text, 3), BSD_ENAMETOOLONG);
	assert_int_equal(rumpus_sysctl_text(ns, "net.inet.ip.ttl", text, 4), 0);
	assert_string_equal(text, "200");
	assert_int_equal(rumpus_sysctl_set(ns, "net.inet6.ip6.stableaddr_secret", "sesame"), 0);
	assert_int_equal(rumpus_sysctl_text(ns, "net.inet6.ip6.stableaddr_secret", text,
			     sizeof(text)),
	    0);
	assert_string_equal(text, ""); /* set, never told */
	rumpus_destroy(ns);
}

static void
test_mtu_and_failures(void **state)
{
	struct netstack *ns = instance(1);
	struct sent sent = {0};
	struct rumpus_ifinfo ri;
	uint32_t n = 0;

	(void)state;
	assert_int_equal(rumpus_ptp_attach(ns, "ppp0", 1500, keep, &sent), 0);
	assert_int_equal(rumpus_ptp_mtu(ns, "ppp0", 1501), BSD_EINVAL);
	assert_int_equal(rumpus_ptp_mtu(ns, "ppp0", 575), BSD_EINVAL);
	assert_int_equal(rumpus_ptp_mtu(ns, "ppp1", 1000), BSD_ENXIO);
	assert_int_equal(rumpus_ptp_mtu(ns, "lo0", 1000), BSD_ENXIO);
	assert_int_equal(rumpus_ptp_mtu(ns, "ppp0", 576), 0);
	do
		assert_int_equal(rumpus_ifinfo(ns, n++, &ri), 0);
	while (strcmp(ri.ri_name, "ppp0") != 0);
	assert_int_equal(ri.ri_mtu, 576);
	assert_int_equal(rumpus_ptp_mtu(ns, "ppp0", 1500), 0);

	assert_int_equal(rumpus_fail_alloc(ns, 1), 0);
	assert_int_equal(rumpus_ptp_attach(ns, "ppp1", 1500, keep, &sent), BSD_ENOMEM);
	assert_int_equal(rumpus_fail_alloc(ns, 1000), 0); /* it happened */
	assert_int_equal(rumpus_ptp_attach(ns, "ppp1", 1500, keep, &sent), 0);
	assert_true(rumpus_fail_alloc(ns, 0) > 900); /* it did not */
	rumpus_destroy(ns);
}

/* The SYN of a connection to port 80 of 10.0.0.2, at a time, from a port. => its number */
static uint32_t
initial_number(int seed, uint64_t now_ns, uint16_t port)
{
	struct netstack *ns = instance(seed);
	struct rumpus_proc *p = rumpus_proc_create(ns, "test");
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin),
	    .sin_family = BSD_AF_INET,
	    .sin_port = htobe16(port),
	    .sin_addr.s_addr = htobe32(0x0a000001)};
	struct sent sent = {0};
	struct tcp_hdr th;
	int fd;

	assert_int_equal(rumpus_ptp_attach(ns, "ppp0", 1500, keep, &sent), 0);
	assert_int_equal(rumpus_addr_add(ns, "ppp0", "10.0.0.1/24"), 0);
	rumpus_enter(ns, now_ns);
	fd = rumpus_socket(p, BSD_AF_INET, BSD_SOCK_STREAM, 0);
	assert_int_equal(rumpus_bind(p, fd, (struct bsd_sockaddr *)&sin, sizeof(sin)), 0);
	sin.sin_addr.s_addr = htobe32(0x0a000002);
	sin.sin_port = htobe16(80);
	assert_int_equal(rumpus_connect(p, fd, (struct bsd_sockaddr *)&sin, sizeof(sin)),
	    -BSD_EINPROGRESS);
	assert_int_equal(tcp_parse(sent.bytes + IPV4_HDR_LEN, sent.len - IPV4_HDR_LEN, &th),
	    TCP_PARSE_OK);
	rumpus_proc_exit(p);
	rumpus_run(ns);
	rumpus_destroy(ns);
	return th.th_seq;
}

/*
 * RFC 6528 §3 (HOSTILE 58): the numbers of a four-tuple go up with the clock, a step every 4 us or
 * so; another port's, or another key's, tell nothing of them.
 */
static void
test_initial_numbers(void **state)
{
	const uint64_t start = 10 * 1000000000ull;
	const uint32_t first = initial_number(1, start, 5000);
	const uint32_t later = initial_number(1, start + 1000000, 5000);
	uint32_t nearest = UINT32_MAX;

	(void)state;
	assert_in_range(later - first, 100, 100000);
	for (uint16_t port = 5001; port < 5041; port++) {
		uint32_t away = initial_number(1, start, port) - first;

		away = away > UINT32_MAX / 2 ? 0 - away : away;
		nearest = away < nearest ? away : nearest;
	}
	assert_true(nearest > 100000);
	assert_true(initial_number(2, start, 5000) != first);
}

static size_t
echo_request(uint8_t *p, size_t len, uint32_t src_be, uint32_t dst_be)
{
	struct ipv4_hdr ip = {.ip_len = (uint16_t)(IPV4_HDR_LEN + ICMP4_HDR_LEN + len),
	    .ip_ttl = 9,
	    .ip_p = IPV4_PROTO_ICMP,
	    .ip_src_be = src_be,
	    .ip_dst_be = dst_be};
	struct icmp4_hdr icmp = {.icmp_type = ICMP4_ECHO, .icmp_id = 3, .icmp_seq = 4};
	uint8_t *q = p + IPV4_HDR_LEN;

	memset(q + ICMP4_HDR_LEN, 0x33, len);
	icmp4_emit(q, &icmp);
	icmp.icmp_sum = cksum_finish(cksum_partial(q, ICMP4_HDR_LEN + len, 0));
	icmp4_emit(q, &icmp);
	ipv4_emit(p, &ip);
	return ip.ip_len;
}

/* Packets in, packets out, and the same again gives the same. */
static void
test_ping_by_packets(void **state)
{
	const uint32_t us = ipv4_addr_be(10, 0, 0, 1), peer = ipv4_addr_be(10, 0, 0, 2);
	struct sent sent[2] = {{0}};
	uint8_t packet[1500];
	struct netstack *ns;
	size_t len;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		ns = instance(7);
		assert_int_equal(rumpus_ptp_attach(ns, "ppp0", 1500, keep, &sent[i]), 0);
		assert_int_equal(rumpus_addr_add(ns, "ppp0", "10.0.0.1/24"), 0);
		rumpus_enter(ns, 2 * NSEC_PER_SEC);
		len = echo_request(packet, 700, peer, us);
		assert_int_equal(rumpus_ptp_input(ns, "ppp0", packet, len), 0);
		rumpus_run(ns);
		assert_int_equal(sent[i].n, 1);
		assert_int_equal(sent[i].len, len);
		assert_int_equal(sent[i].bytes[IPV4_HDR_LEN], ICMP4_ECHOREPLY);
		assert_true(ipv4_cksum_ok(sent[i].bytes, IPV4_HDR_LEN));
		assert_true(icmp4_cksum_ok(sent[i].bytes + IPV4_HDR_LEN, len - IPV4_HDR_LEN));
		assert_int_equal(rumpus_ptp_input(ns, "lo0", packet, len), BSD_ENXIO);
		assert_int_equal(rumpus_ptp_input(ns, "ppp0", packet, 1501), BSD_EMSGSIZE);
		assert_int_equal(rumpus_ptp_input(ns, "ppp0", packet, 0), 0);
		packet[0] = 0x55;
		assert_int_equal(rumpus_ptp_input(ns, "ppp0", packet, len), 0);
		assert_int_equal(ns->ns_drops[DROP_IP_VERSION], 1);
		assert_int_equal(ns->ns_drops[DROP_IP_SHORT], 1);
		assert_int_equal(rumpus_deadline(ns), UINT64_MAX);
		test_pools_empty(ns);
		rumpus_destroy(ns);
	}
	assert_memory_equal(sent[0].bytes, sent[1].bytes, sent[0].len);
}

static unsigned fail_at;
static uint64_t fail_left;

static int
failing_init(struct netstack *ns)
{
	int error;

	ns->ns_fault.af_fail_at = fail_at;
	error = inetdomain.dom_init(ns);
	fail_left = ns->ns_fault.af_fail_at;
	ns->ns_fault.af_fail_at = 0;
	return error;
}

/* Each allocation of the domain's making fails in turn: no stack, and nothing left over. */
static void
test_init_nomem(void **state)
{
	const struct domain dom = {.dom_init = failing_init, .dom_fini = inetdomain.dom_fini};
	const struct domain *const domains[] = {&dom, NULL};
	struct netstack_config nc = test_config();
	struct netstack *ns = NULL;

	(void)state;
	nc.nc_domains = domains;
	for (fail_at = 1; ns == NULL; fail_at++) {
		assert_true(fail_at < 100);
		ns = netstack_create(&nc);
		assert_true((ns != NULL) == (fail_left != 0));
	}
	assert_true(fail_at > 10);
	netstack_destroy(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses_and_routes),
	    cmocka_unit_test(test_addresses_and_routes6),
	    cmocka_unit_test(test_sysctls),
	    cmocka_unit_test(test_sysctl_list),
	    cmocka_unit_test(test_mtu_and_failures),
	    cmocka_unit_test(test_initial_numbers),
	    cmocka_unit_test(test_ping_by_packets),
	    cmocka_unit_test(test_init_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
