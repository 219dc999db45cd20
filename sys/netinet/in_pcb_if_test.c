/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that are bound to an interface: what they get, where they send, who else may have the port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"
#include "wire/ether.h"

#define OURS0 ipv4_addr_be(10, 0, 0, 1)
#define OURS1 ipv4_addr_be(10, 1, 0, 1)
#define PEER0 ipv4_addr_be(10, 0, 0, 9)
#define GATE1 ipv4_addr_be(10, 1, 0, 254)
#define FAR ipv4_addr_be(192, 0, 2, 1)
#define LOOP ipv4_addr_be(127, 0, 0, 1)
#define PORT 7

static struct testif if0, if1;
static struct netstack *ns;
static uint8_t buf[2048];

static int
setup(void **state)
{
	(void)state;
	ns = in_teststack();
	assert_int_equal(testif_attach(ns, &if0, 1, OURS0), 0);
	memcpy(if0.ti_if.if_xname, "side0", 6);
	assert_int_equal(testif_attach(ns, &if1, 2, OURS1), 0);
	memcpy(if1.ti_if.if_xname, "side1", 6);
	test_run_for(ns, 10 * NSEC_PER_SEC); /* announced */
	testif_clear(&if0);
	testif_clear(&if1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_run_for(ns, 61 * NSEC_PER_SEC);
	test_netstack_end(ns);
	return 0;
}

static int
setopt(struct socket *so, int name, const void *val, size_t len)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET, .sopt_name = name, .sopt_size = len};

	memcpy(sopt.sopt_data, val, len);
	return sosetopt(so, &sopt);
}

static int
setindex(struct socket *so, int index)
{
	return setopt(so, BSD_SO_BINDTOIFINDEX, &index, sizeof(index));
}

static int
setname(struct socket *so, const char *name)
{
	return setopt(so, BSD_SO_BINDTODEVICE, name, strlen(name));
}

static int
getindex(struct socket *so)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_BINDTOIFINDEX,
	    .sopt_size = sizeof(int)};
	int index;

	assert_int_equal(sogetopt(so, &sopt), 0);
	memcpy(&index, sopt.sopt_data, sizeof(index));
	return index;
}

/* => errno; the value and its length are in sopt */
static int
getname(struct socket *so, size_t room, struct sockopt *sopt)
{
	*sopt = (struct sockopt){.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_BINDTODEVICE,
	    .sopt_size = room};
	return sogetopt(so, sopt);
}

static void
test_options(void **state)
{
	static const char cut[] = "side1\0garbage", endless[] = "a-name-that-no-interface-has";
	struct socket *so = test_udpsocket(ns);
	struct sockopt sopt;

	(void)state;
	assert_int_equal(getindex(so), 0);
	assert_int_equal(getname(so, 0, &sopt), 0);
	assert_int_equal(sopt.sopt_size, 0);
	assert_int_equal(setname(so, "side1"), 0);
	assert_int_equal(getindex(so), if1.ti_if.if_index);
	assert_int_equal(getname(so, IFNAMSIZ, &sopt), 0);
	assert_int_equal(sopt.sopt_size, 6);
	assert_memory_equal(sopt.sopt_data, "side1", 6);
	assert_int_equal(getname(so, IFNAMSIZ - 1, &sopt), BSD_EINVAL);
	/* What is refused changes nothing. */
	assert_int_equal(setname(so, "side2"), BSD_ENODEV);
	assert_int_equal(setopt(so, BSD_SO_BINDTODEVICE, endless, sizeof(endless)), BSD_ENODEV);
	assert_int_equal(setindex(so, -1), BSD_EINVAL);
	assert_int_equal(setindex(so, UINT16_MAX + 1), BSD_ENODEV);
	assert_int_equal(setopt(so, BSD_SO_BINDTOIFINDEX, "\1\0", 2), BSD_EINVAL);
	assert_int_equal(getindex(so), if1.ti_if.if_index);
	assert_int_equal(setname(so, ""), 0);
	assert_int_equal(getindex(so), 0);
	assert_int_equal(setopt(so, BSD_SO_BINDTODEVICE, cut, sizeof(cut)), 0);
	assert_int_equal(getindex(so), if1.ti_if.if_index);
	assert_int_equal(setindex(so, 0), 0);
	/* An index without interface may be set, and has no name. */
	assert_int_equal(setindex(so, 999), 0);
	assert_int_equal(getname(so, IFNAMSIZ, &sopt), BSD_ENODEV);
	soclose(so);
}

static struct socket *
bound(const char *ifname, uint32_t addr_be, uint32_t options)
{
	union bsd_sockaddr_any sa = test_sin(addr_be, PORT);
	struct socket *so = test_udpsocket(ns);

	so->so_options |= options;
	assert_int_equal(setname(so, ifname), 0);
	assert_int_equal(sobind(so, &sa.sa), 0);
	return so;
}

static void
datagram(struct testif *ti, uint32_t dst_be)
{
	struct ipv4_hdr ip;
	size_t len = test_udp(buf, PEER0, dst_be, 1000, PORT, 20);

	ip = test_iphdr(IPV4_PROTO_UDP, PEER0, dst_be, len);
	testif_ip_input(ti, &ip, buf, len);
	netstack_run(ns);
}

/* How many datagrams the socket has got. */
static unsigned
received(struct socket *so)
{
	union bsd_sockaddr_any from;
	unsigned count = 0;

	for (size_t n = sizeof(buf); test_udprecv(so, &from, buf, &n) == 0; n = sizeof(buf))
		count++;
	return count;
}

static void
test_receive(void **state)
{
	struct socket *on0 = bound("side0", 0, 0), *on1 = bound("side1", 0, 0), *again, *any;
	union bsd_sockaddr_any sa = test_sin(0, PORT);

	(void)state;
	datagram(&if0, OURS0);
	assert_int_equal(received(on0), 1);
	assert_int_equal(received(on1), 0);
	datagram(&if1, OURS0);
	datagram(&if1, OURS1);
	assert_int_equal(received(on0), 0);
	assert_int_equal(received(on1), 2);
	/* The port is taken there, and for who wants all. */
	again = test_udpsocket(ns);
	assert_int_equal(setname(again, "side1"), 0);
	assert_int_equal(sobind(again, &sa.sa), BSD_EADDRINUSE);
	assert_int_equal(setname(again, ""), 0);
	assert_int_equal(sobind(again, &sa.sa), BSD_EADDRINUSE);
	soclose(on0);
	datagram(&if0, OURS0);
	assert_int_equal(received(on1), 0);
	assert_int_equal(ns->ns_drops[DROP_UDP_NOPORT], 1);
	/* Who is bound to the interface has it before who is not, whoever came first. */
	soclose(on1);
	any = bound("", 0, BSD_SO_REUSEPORT);
	on0 = bound("side0", 0, BSD_SO_REUSEPORT);
	again->so_options |= BSD_SO_REUSEPORT;
	assert_int_equal(sobind(again, &sa.sa), 0);
	datagram(&if0, OURS0);
	assert_int_equal(received(on0), 1);
	datagram(&if1, OURS1);
	assert_int_equal(received(any) + received(again), 1);
	/* Who is bound to the address before both. */
	on1 = bound("", OURS0, BSD_SO_REUSEPORT);
	datagram(&if0, OURS0);
	assert_int_equal(received(on1), 1);
	assert_int_equal(received(on0), 0);
	soclose(on0);
	soclose(on1);
	soclose(any);
	soclose(again);
}

/* To everybody: to all that the interface lets have it. */
static void
test_receive_broadcast(void **state)
{
	struct socket *on0 = bound("side0", 0, BSD_SO_REUSEPORT);
	struct socket *on1 = bound("side1", 0, BSD_SO_REUSEPORT);
	struct socket *any = bound("", 0, BSD_SO_REUSEPORT);

	(void)state;
	datagram(&if1, UINT32_MAX);
	assert_int_equal(received(on0), 0);
	assert_int_equal(received(on1), 1);
	assert_int_equal(received(any), 1);
	soclose(on0);
	soclose(on1);
	soclose(any);
}

/* A connected one hears its peer on its interface only. */
static void
test_receive_connected(void **state)
{
	struct socket *so = bound("side0", OURS0, 0);
	union bsd_sockaddr_any peer = test_sin(PEER0, 1000);

	(void)state;
	assert_int_equal(soconnect(so, &peer.sa), 0);
	datagram(&if1, OURS0);
	assert_int_equal(received(so), 0);
	datagram(&if0, OURS0);
	assert_int_equal(received(so), 1);
	soclose(so);
}

/* Whom the one frame that is sent, an ARP request, asks for; 0: another number of frames. */
static uint32_t
asked(struct testif *ti)
{
	uint32_t tpa = 0;

	netstack_run(ns);
	if (ti->ti_n == 1)
		tpa = testif_arp(ti, 0).ar_tpa_be;
	testif_clear(ti);
	return tpa;
}

static int
send_to(struct socket *so, uint32_t addr_be)
{
	union bsd_sockaddr_any to = test_sin(addr_be, 9);

	return test_udpsend(so, &to, 10);
}

static void
test_send(void **state)
{
	struct socket *so = test_udpsocket(ns);

	(void)state;
	assert_int_equal(send_to(so, PEER0), 0);
	assert_int_equal(asked(&if0), PEER0);
	/* Without a route by it, all is on its link, as on Linux. */
	assert_int_equal(setname(so, "side1"), 0);
	assert_int_equal(send_to(so, PEER0), 0);
	assert_int_equal(asked(&if0), 0);
	assert_int_equal(asked(&if1), PEER0);
	assert_int_equal(send_to(so, FAR), 0);
	assert_int_equal(asked(&if1), FAR);
	/* A route by it is taken, though others have a longer prefix; of its own the longest. */
	assert_int_equal(in_rtadd(ns, ipv4_addr_be(10, 0, 0, 0), 8, GATE1, NULL), 0);
	assert_int_equal(send_to(so, ipv4_addr_be(10, 0, 0, 7)), 0);
	assert_int_equal(asked(&if1), GATE1);
	assert_int_equal(send_to(so, ipv4_addr_be(10, 1, 0, 3)), 0);
	assert_int_equal(asked(&if1), ipv4_addr_be(10, 1, 0, 3));
	/* The route that a connection keeps is not that of another interface. */
	assert_int_equal(setname(so, ""), 0);
	assert_int_equal(send_to(so, ipv4_addr_be(10, 0, 0, 6)), 0);
	assert_int_equal(asked(&if0), ipv4_addr_be(10, 0, 0, 6));
	soclose(so);
}

static void
test_send_source(void **state)
{
	struct socket *so = test_udpsocket(ns);
	union bsd_sockaddr_any nam = test_sin(FAR, 9);

	(void)state;
	assert_int_equal(soconnect(so, &nam.sa), BSD_ENETUNREACH);
	assert_int_equal(setname(so, "side1"), 0);
	assert_int_equal(soconnect(so, &nam.sa), 0);
	assert_int_equal(so->so_proto->pr_usrreqs->pr_sockaddr(so, &nam), 0);
	assert_int_equal(nam.sin.sin_addr.s_addr, OURS1);
	soclose(so);
}

/* Ourselves: by the loopback, or by the interface that has the address; no packet leaves for them. */
static void
test_send_local(void **state)
{
	struct socket *so = test_udpsocket(ns);

	(void)state;
	assert_int_equal(setname(so, "side1"), 0);
	assert_int_equal(send_to(so, OURS0), BSD_EHOSTUNREACH);
	assert_int_equal(send_to(so, LOOP), BSD_EHOSTUNREACH);
	assert_int_equal(send_to(so, OURS1), 0);
	assert_int_equal(setname(so, "lo0"), 0);
	assert_int_equal(send_to(so, OURS1), 0);
	assert_int_equal(asked(&if0) | asked(&if1), 0);
	soclose(so);
}

/* What was bound to an interface that goes never leaves by another. */
static void
test_gone(void **state)
{
	struct socket *so = test_udpsocket(ns), *con = test_udpsocket(ns);
	union bsd_sockaddr_any peer = test_sin(PEER0, 9);

	(void)state;
	assert_int_equal(setname(so, "side1"), 0);
	assert_int_equal(setname(con, "side1"), 0);
	assert_int_equal(soconnect(con, &peer.sa), 0);
	ether_ifdetach(&if1.ti_if);
	if_detach(&if1.ti_if);
	assert_int_equal(send_to(so, PEER0), BSD_ENODEV);
	assert_int_equal(test_udpsend(con, NULL, 10), BSD_ENODEV);
	assert_int_equal(soconnect(so, &peer.sa), BSD_ENODEV);
	assert_int_equal(asked(&if0), 0);
	soclose(so);
	soclose(con);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_options),
	    TEST(test_receive),
	    TEST(test_receive_broadcast),
	    TEST(test_receive_connected),
	    TEST(test_send),
	    TEST(test_send_source),
	    TEST(test_send_local),
	    TEST(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
