/* SPDX-License-Identifier: BSD-2-Clause */
/* SO_NO_CHECK, SO_RXQ_OVFL, IP_ORIGDSTADDR: what leaves, what is counted, and what is told. */
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
#include "wire/be.h"
#include "wire/ether.h"
#include "wire/udp.h"

#define A ipv4_addr_be(10, 0, 0, 1)
#define B ipv4_addr_be(10, 0, 0, 2)
#define PORT 7

static struct testif ia, ib;
static struct netstack *a, *b;

static int
setup(void **state)
{
	(void)state;
	a = in_teststack();
	b = in_teststack();
	assert_int_equal(testif_attach(a, &ia, 1, A), 0);
	assert_int_equal(testif_attach(b, &ib, 2, B), 0);
	testwire_run_for(&ia, &ib, 10 * NSEC_PER_SEC);
	testif_arp_input(&ia, 2, 1, ARPOP_REQUEST, B, A);
	testif_clear(&ia);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	testwire_run_for(&ia, &ib, 61 * NSEC_PER_SEC);
	test_netstack_end(a);
	test_netstack_end(b);
	return 0;
}

static int
set(struct socket *so, int level, int name, int value)
{
	struct sockopt sopt = {.sopt_level = level, .sopt_name = name, .sopt_size = sizeof(value)};

	memcpy(sopt.sopt_data, &value, sizeof(value));
	return sosetopt(so, &sopt);
}

static int
get(struct socket *so, int level, int name)
{
	struct sockopt sopt = {.sopt_level = level, .sopt_name = name, .sopt_size = sizeof(int)};
	int value;

	assert_int_equal(sogetopt(so, &sopt), 0);
	memcpy(&value, sopt.sopt_data, sizeof(value));
	return value;
}

static struct socket *
receiver(void)
{
	union bsd_sockaddr_any sa = test_sin(B, PORT);
	struct socket *so = test_udpsocket(b);

	assert_int_equal(sobind(so, &sa.sa), 0);
	return so;
}

/* The data of this control message of the first datagram. => false: there is none */
static bool
told(struct socket *so, int level, int type, void *data, size_t len)
{
	struct kvec kv[8];
	struct sodirect_record sr = {.sr_kv = kv, .sr_nkv = nitems(kv)};
	struct bsd_cmsghdr cm;

	assert_true(sodirect_peekrecord(so, 0, &sr));
	for (size_t at = 0; at < sr.sr_control.kv_len; at += BSD_CMSG_ALIGN(cm.cmsg_len)) {
		const uint8_t *p = (const uint8_t *)sr.sr_control.kv_base + at;

		memcpy(&cm, p, sizeof(cm));
		if (cm.cmsg_level != level || cm.cmsg_type != type)
			continue;
		assert_int_equal(cm.cmsg_len, BSD_CMSG_LEN(len));
		memcpy(data, p + BSD_CMSG_LEN(0), len);
		return true;
	}
	return false;
}

/* Each may be set and read on any socket, and is off at first. */
static void
test_values(void **state)
{
	static const int names[] = {BSD_SO_NO_CHECK, BSD_SO_RXQ_OVFL};
	struct socket *so[2] = {test_udpsocket(a)};
	struct sockopt brief = {.sopt_level = BSD_SOL_SOCKET, .sopt_size = 3};

	(void)state;
	assert_int_equal(socreate(a, BSD_AF_INET, BSD_SOCK_DGRAM, BSD_IPPROTO_ICMP, &so[1]), 0);
	for (size_t i = 0; i < nitems(so); i++) {
		for (size_t j = 0; j < nitems(names); j++) {
			assert_int_equal(get(so[i], BSD_SOL_SOCKET, names[j]), 0);
			assert_int_equal(set(so[i], BSD_SOL_SOCKET, names[j], 1), 0);
			assert_int_equal(get(so[i], BSD_SOL_SOCKET, names[j]), 1);
			assert_int_equal(set(so[i], BSD_SOL_SOCKET, names[j], 0), 0);
			assert_int_equal(get(so[i], BSD_SOL_SOCKET, names[j]), 0);
			brief.sopt_name = names[j];
			assert_int_equal(sosetopt(so[i], &brief), BSD_EINVAL);
		}
		soclose(so[i]);
	}
}

/* Without checksum on the wire, and taken by who gets it (RFC 768). */
static void
test_no_check(void **state)
{
	struct socket *so = test_udpsocket(a), *rcv = receiver();
	union bsd_sockaddr_any to = test_sin(B, PORT), from;
	const uint8_t *sum = ia.ti_frames[0].bytes + ETHER_HDR_LEN + IPV4_HDR_LEN + UDP_OFF_SUM;
	uint8_t buf[64];
	size_t n = sizeof(buf);

	(void)state;
	assert_int_equal(test_udpsend(so, &to, 10), 0);
	assert_int_equal(ia.ti_n, 1);
	assert_int_not_equal(be16_get(sum), 0);
	testif_clear(&ia);
	assert_int_equal(set(so, BSD_SOL_SOCKET, BSD_SO_NO_CHECK, 1), 0);
	assert_int_equal(test_udpsend(so, &to, 20), 0);
	assert_int_equal(ia.ti_n, 1);
	assert_int_equal(be16_get(sum), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(test_udprecv(rcv, &from, buf, &n), 0);
	assert_int_equal(n, 20);
	soclose(so);
	soclose(rcv);
}

/* The count of those that found no place comes with the next that does, and with those after it. */
static void
test_drops(void **state)
{
	struct socket *so = test_udpsocket(a), *rcv = receiver();
	union bsd_sockaddr_any to = test_sin(B, PORT), from;
	uint32_t drops = 0;
	uint8_t buf[1000];
	size_t n = sizeof(buf);

	(void)state;
	assert_int_equal(set(rcv, BSD_SOL_SOCKET, BSD_SO_RXQ_OVFL, 1), 0);
	assert_int_equal(set(rcv, BSD_SOL_SOCKET, BSD_SO_RCVBUF, 2500), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(test_udpsend(so, &to, 1000), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	for (int i = 0; i < 2; i++) {
		assert_false(told(rcv, BSD_SOL_SOCKET, BSD_SO_RXQ_OVFL, &drops, sizeof(drops)));
		assert_int_equal(test_udprecv(rcv, &from, buf, &n), 0);
	}
	assert_int_equal(test_udprecv(rcv, &from, buf, &n), BSD_EWOULDBLOCK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(test_udpsend(so, &to, 1), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	for (int i = 0; i < 2; i++) {
		drops = 0;
		assert_true(told(rcv, BSD_SOL_SOCKET, BSD_SO_RXQ_OVFL, &drops, sizeof(drops)));
		assert_int_equal(drops, 3);
		n = sizeof(buf);
		assert_int_equal(test_udprecv(rcv, &from, buf, &n), 0);
	}
	assert_int_equal(set(rcv, BSD_SOL_SOCKET, BSD_SO_RXQ_OVFL, 0), 0);
	assert_int_equal(test_udpsend(so, &to, 1), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_false(told(rcv, BSD_SOL_SOCKET, BSD_SO_RXQ_OVFL, &drops, sizeof(drops)));
	soclose(so);
	soclose(rcv);
}

static void
test_original_destination(void **state)
{
	struct socket *so = test_udpsocket(a), *rcv = test_udpsocket(b);
	union bsd_sockaddr_any any = test_sin(0, PORT), to = test_sin(B, PORT);
	struct bsd_sockaddr_in sin;

	(void)state;
	assert_int_equal(sobind(rcv, &any.sa), 0);
	assert_int_equal(set(rcv, BSD_IPPROTO_IP, BSD_IP_ORIGDSTADDR, 1), 0);
	assert_int_equal(get(rcv, BSD_IPPROTO_IP, BSD_IP_ORIGDSTADDR), 1);
	assert_int_equal(test_udpsend(so, &to, 1), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_true(told(rcv, BSD_IPPROTO_IP, BSD_IP_ORIGDSTADDR, &sin, sizeof(sin)));
	assert_memory_equal(&sin, &to.sin, sizeof(sin));
	soclose(so);
	soclose(rcv);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_values),
	    T(test_no_check),
	    T(test_drops),
	    T(test_original_destination),
	};

	return cmocka_run_group_tests_name("in_pcb_opt", tests, NULL, NULL);
}
