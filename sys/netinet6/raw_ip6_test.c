/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw sockets of IPv6 and ICMPv6 sockets: what they get, what they may send, which errors they hear of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"
#include "kern/uio.h"
#include "netinet/in_pcb.h"
#include "netinet/in_var.h"
#include "netinet6/in6_testutil.h"
#include "netinet6/ip6_var.h"
#include "wire/be.h"

#define US "fd00::1"
#define PEER "fd00::9"

static struct netstack *ns;
static struct testif ti;

static int
setup(void **state)
{
	static const struct domain *const domains[] = {&test_inetdomain, &inet6domain, NULL};
	struct netstack_config nc = test_config();

	(void)state;
	nc.nc_domains = domains;
	ns = netstack_create(&nc);
	assert_non_null(ns);
	ns->ns_inet6->i6_dad_count = 0;
	assert_int_equal(testif6_attach(ns, &ti, 1, US), 0);
	netstack_run(ns);
	testif_clear(&ti);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 70; s++) { /* what waits for a neighbour goes */
		netstack_enter(ns, ns->ns_now + NSEC_PER_SEC);
		netstack_run(ns);
	}
	test_netstack_end(ns);
	return 0;
}

static struct socket *
open6(int type, int protocol)
{
	struct socket *so = NULL;

	assert_int_equal(socreate(ns, BSD_AF_INET6, type, protocol, &so), 0);
	return so;
}

static union bsd_sockaddr_any
name(const char *text)
{
	union bsd_sockaddr_any sa = {
	    .sin6 = {.sin6_len = sizeof(sa.sin6), .sin6_family = BSD_AF_INET6}};

	assert_int_equal(inet_pton(AF_INET6, text, &sa.sin6.sin6_addr), 1);
	return sa;
}

static int
sendmsg6(struct socket *so, const char *to, const void *msg, size_t len)
{
	struct mbuf *m = m_gethdr(ns, MT_DATA);
	union bsd_sockaddr_any sa = name(to);
	int error;

	assert_non_null(m);
	assert_int_equal(m_append(m, len, msg), 0);
	error = so->so_proto->pr_usrreqs->pr_send(so, 0, m, &sa.sa, NULL);
	netstack_run(ns);
	return error;
}

/* => bytes; 0: there is nothing */
static size_t
recv6(struct socket *so, void *buf, size_t room, union bsd_sockaddr_any *from)
{
	size_t len = room;

	return test_udprecv(so, from, buf, &len) == 0 ? len : 0;
}

static const uint8_t echo[] = {ICMP6_ECHO, 0, 0, 0, 0x12, 0x34, 0, 5, 'h', 'i'};

/* The identifier is the socket's own, not what was written; a reply to another is nobody's. */
static void
test_echo(void **state)
{
	const uint8_t wrong[] = {ICMP6_NS, 0, 0, 0, 0, 0, 0, 0};
	struct socket *so = open6(BSD_SOCK_DGRAM, BSD_IPPROTO_ICMPV6);
	const struct inpcb *inp = so->so_pcb;
	union bsd_sockaddr_any from, us = name("::1");
	uint8_t buf[64];

	(void)state;
	assert_int_equal(sendmsg6(so, "::1", echo, sizeof(echo)), 0);
	assert_int_equal(recv6(so, buf, sizeof(buf), &from), sizeof(echo));
	assert_int_equal(buf[0], ICMP6_ECHOREPLY);
	assert_int_equal(be16_get(buf + 4), inp->inp_lport);
	assert_memory_equal(buf + 6, echo + 6, sizeof(echo) - 6);
	assert_memory_equal(&from.sin6.sin6_addr, &us.sin6.sin6_addr, 16);
	assert_int_equal(sendmsg6(so, "::1", wrong, sizeof(wrong)), BSD_EINVAL);
	assert_int_equal(sendmsg6(so, "::1", echo, 7), BSD_EINVAL);
	assert_int_equal(sendmsg6(so, "::ffff:127.0.0.1", echo, sizeof(echo)), BSD_ENETUNREACH);
	memcpy(buf, echo, sizeof(echo));
	buf[0] = ICMP6_ECHOREPLY;
	testif6_icmp6(&ti, PEER, US, 64, buf, sizeof(echo));
	assert_int_equal(ns->ns_drops[DROP_ICMP_NOSOCK], 1);
	assert_int_equal(recv6(so, buf, sizeof(buf), &from), 0);
	assert_int_equal(soclose(so), 0);
}

/* A copy without headers of each message, but of types that the filter keeps away; its sum is made. */
static void
test_raw_icmp6(void **state)
{
	struct socket *so = open6(BSD_SOCK_RAW, BSD_IPPROTO_ICMPV6);
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_ICMPV6,
	    .sopt_name = BSD_ICMP6_FILTER,
	    .sopt_size = 32};
	union bsd_sockaddr_any from;
	uint32_t filter[8] = {0};
	uint8_t buf[64], msg[sizeof(echo)];
	struct ip6_hdr ip6;

	(void)state;
	memcpy(msg, echo, sizeof(echo));
	testif6_icmp6(&ti, PEER, US, 64, msg, sizeof(msg));
	assert_int_equal(recv6(so, buf, sizeof(buf), &from), sizeof(echo));
	assert_int_equal(buf[0], ICMP6_ECHO);
	filter[ICMP6_ECHO / 32] = 1u << ICMP6_ECHO % 32;
	memcpy(sopt.sopt_data, filter, sizeof(filter));
	assert_int_equal(sosetopt(so, &sopt), 0);
	testif6_icmp6(&ti, PEER, US, 64, msg, sizeof(msg));
	assert_int_equal(recv6(so, buf, sizeof(buf), &from), 0);
	/* The request is filtered, the stack's reply is not. */
	assert_int_equal(sendmsg6(so, US, echo, sizeof(echo)), 0);
	assert_int_equal(recv6(so, buf, sizeof(buf), &from), sizeof(echo));
	assert_int_equal(buf[0], ICMP6_ECHOREPLY);
	assert_int_equal(be16_get(buf + 4), 0x1234);
	/* What the sum refuses is nobody's. */
	ip6 = test_ip6hdr(IP6_NXT_ICMP6, PEER, US, sizeof(msg));
	msg[0] = ICMP6_ECHOREPLY;
	testif6_input(&ti, &ip6, msg, sizeof(msg));
	assert_int_equal(ns->ns_drops[DROP_ICMP6_CKSUM], 1);
	assert_int_equal(recv6(so, buf, sizeof(buf), &from), 0);
	assert_int_equal(soclose(so), 0);
}

/* Another protocol: what comes is taken and no parameter problem goes out; addresses choose. */
static void
test_raw_other(void **state)
{
	struct socket *so = open6(BSD_SOCK_RAW, 253), *bound = open6(BSD_SOCK_RAW, 253), *none;
	union bsd_sockaddr_any from, nam = name("::1");
	struct ip6_hdr ip6 = test_ip6hdr(253, PEER, US, 5);
	uint8_t buf[64];

	(void)state;
	assert_int_equal(sobind(bound, &nam.sa), 0);
	testif6_input(&ti, &ip6, "five!", 5);
	assert_int_equal(recv6(so, buf, sizeof(buf), &from), 5);
	assert_memory_equal(buf, "five!", 5);
	assert_int_equal(recv6(bound, buf, sizeof(buf), &from), 0);
	assert_null(testif6_find(&ti, ICMP6_PARAMPROB, &ip6));
	assert_int_equal(sendmsg6(so, "::1", "x", 1), 0);
	assert_int_equal(recv6(bound, buf, sizeof(buf), &from), 1);
	nam = name("fd00::2");
	assert_int_equal(soclose(bound), 0);
	bound = open6(BSD_SOCK_RAW, 253);
	assert_int_equal(sobind(bound, &nam.sa), BSD_EADDRNOTAVAIL);
	assert_int_equal(soclose(bound), 0);
	assert_int_equal(soclose(so), 0);
	assert_int_equal(socreate(ns, BSD_AF_INET6, BSD_SOCK_RAW, BSD_IPPROTO_RAW, &none),
	    BSD_EPROTONOSUPPORT);
	ip6 = test_ip6hdr(253, PEER, US, 5);
	testif6_input(&ti, &ip6, "five!", 5);
	assert_int_equal(ns->ns_drops[DROP_IP6_NOPROTO], 1);
}

/* An error about an echo request is its socket's, by the identifier. */
static void
test_error(void **state)
{
	struct socket *so = open6(BSD_SOCK_DGRAM, BSD_IPPROTO_ICMPV6);
	struct inpcb *inp;
	union bsd_sockaddr_any nam = name(PEER);
	struct ip6_hdr ip6 = test_ip6hdr(IP6_NXT_ICMP6, US, PEER, sizeof(echo));
	uint32_t mtu = 0;
	bool direct;
	uint8_t msg[ICMP6_HDR_LEN + IP6_HDR_LEN + sizeof(echo)] = {ICMP6_UNREACH,
	    ICMP6_UNREACH_ADDR};
	uint8_t *inner = msg + ICMP6_HDR_LEN + IP6_HDR_LEN;

	(void)state;
	assert_int_equal(soconnect(so, &nam.sa), 0);
	inp = so->so_pcb;
	ip6_emit(msg + ICMP6_HDR_LEN, &ip6);
	memcpy(inner, echo, sizeof(echo));
	testif6_icmp6(&ti, PEER, US, 64, msg, sizeof(msg));
	assert_int_equal(so->so_error, 0); /* another's */
	be16_put(inner + 4, inp->inp_lport);
	testif6_icmp6(&ti, PEER, US, 64, msg, sizeof(msg));
	assert_int_equal(so->so_error, 0); /* it may pass */
	msg[1] = ICMP6_UNREACH_PORT;
	testif6_icmp6(&ti, PEER, US, 64, msg, sizeof(msg));
	assert_int_equal(so->so_error, BSD_ECONNREFUSED);
	/* The path is learnt, whatever the socket wants of IPv4. */
	inp->inp_pmtudisc = BSD_IP_PMTUDISC_OMIT;
	ip6.ip6_plen = 1460;
	ip6_emit(msg + ICMP6_HDR_LEN, &ip6);
	msg[0] = ICMP6_TOOBIG;
	msg[1] = 0;
	be32_put(msg + 4, 1300);
	testif6_icmp6(&ti, PEER, US, 64, msg, sizeof(msg));
	assert_non_null(inp->inp_af->af_route(so->so_ns, &inp->inp_faddr, NULL, &mtu, &direct));
	assert_int_equal(mtu, 1300);
	assert_int_equal(soclose(so), 0);
}

static int
setint(struct socket *so, int name, int value)
{
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_IPV6,
	    .sopt_name = name,
	    .sopt_size = sizeof(value)};

	memcpy(sopt.sopt_data, &value, sizeof(value));
	return sosetopt(so, &sopt);
}

/* IPV6_MTU_DISCOVER: what becomes of packets that are too large for the path, and for the interface. */
static void
test_pmtudisc(void **state)
{
	static const struct {
		int path, interface;
		unsigned npath, ninterface; /* packets sent */
	} rows[] = {
	    [BSD_IP_PMTUDISC_DONT] = {0, 0, 2, 2},
	    [BSD_IP_PMTUDISC_WANT] = {0, 0, 2, 2},
	    [BSD_IP_PMTUDISC_DO] = {BSD_EMSGSIZE, BSD_EMSGSIZE, 0, 0},
	    [BSD_IP_PMTUDISC_PROBE] = {0, BSD_EMSGSIZE, 1, 0},
	    [BSD_IP_PMTUDISC_INTERFACE] = {0, BSD_EMSGSIZE, 1, 0},
	    [BSD_IP_PMTUDISC_OMIT] = {0, 0, 1, 2},
	};
	static const uint8_t zeros[1600];
	struct socket *so = open6(BSD_SOCK_RAW, 200);
	uint8_t msg[ICMP6_HDR_LEN + IP6_HDR_LEN + 8] = {ICMP6_TOOBIG};
	struct ip6_hdr ip6;
	struct addr6 peer = test_addr6(PEER);
	uint8_t mac[6];

	(void)state;
	in_hostcache_setmtu(ns, peer.a, 1300, 1500);
	test_station(mac, 9);
	assert_int_equal(in6_neigh_add(&ti.ti_if, peer.a, mac), 0);
	for (int how = 0; how < (int)nitems(rows); how++) {
		assert_int_equal(setint(so, BSD_IPV6_MTU_DISCOVER, how), 0);
		testif_clear(&ti);
		assert_int_equal(sendmsg6(so, PEER, zeros, 1400), rows[how].path);
		assert_int_equal(ti.ti_n, rows[how].npath);
		testif_clear(&ti);
		assert_int_equal(sendmsg6(so, PEER, zeros, 1600), rows[how].interface);
		assert_int_equal(ti.ti_n, rows[how].ninterface);
	}
	(void)testif6_packet(&ti, 0, &ip6);
	assert_int_equal(ip6.ip6_plen, 1456); /* the interface's 1500 */
	assert_int_equal(setint(so, BSD_IPV6_MTU_DISCOVER, BSD_IP_PMTUDISC_OMIT + 1), BSD_EINVAL);
	/* Who goes by the interface is not told of the path, either. */
	assert_int_equal(setint(so, BSD_IPV6_RECVERR, 1), 0);
	ip6 = test_ip6hdr(200, US, PEER, 1400);
	be32_put(msg + 4, 1280);
	ip6_emit(msg + ICMP6_HDR_LEN, &ip6);
	for (int how = BSD_IP_PMTUDISC_OMIT; how >= BSD_IP_PMTUDISC_PROBE; how--) {
		assert_int_equal(setint(so, BSD_IPV6_MTU_DISCOVER, how), 0);
		testif6_icmp6(&ti, PEER, US, 64, msg, sizeof(msg));
		assert_int_equal(soerrqueue(so, false) != NULL, how == BSD_IP_PMTUDISC_PROBE);
	}
	assert_int_equal(soclose(so), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_echo, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_raw_icmp6, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_raw_other, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_error, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pmtudisc, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
