/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue of errors of datagram sockets (IP_RECVERR): what is in it, what is pending beside it,
 * and its limits. Two stacks in one process; routers' errors are made by hand. The numbers name
 * kinds of hostile input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"
#include "net/net_state.h"
#include "netinet/in_pcb.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/udp.h"

#define A ipv4_addr_be(10, 0, 0, 1)
#define B ipv4_addr_be(10, 0, 0, 2)
#define ROUTER ipv4_addr_be(10, 0, 0, 9)

static struct testif ia, ib;
static struct netstack *a, *b;

/* An error as the program takes it. */
struct queued {
	union bsd_sockaddr_any to;
	struct bsd_ip_recverr re;
	int ttl; /* -1: not told */
	uint8_t data[600];
	size_t len;
};

static void
assert_offender(const struct queued *qu, uint32_t addr_be)
{
	assert_memory_equal(qu->re.re_offender, &addr_be, sizeof(addr_be));
}

static int
setup(void **state)
{
	(void)state;
	testwire_begin(&ia, &ib);
	a = ia.ti_if.if_ns;
	b = ib.ti_if.if_ns;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	testwire_end(&ia, &ib);
	return 0;
}

static int
set_int(struct socket *so, int name, int value)
{
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_IP,
	    .sopt_name = name,
	    .sopt_size = sizeof(value)};

	memcpy(sopt.sopt_data, &value, sizeof(value));
	return sosetopt(so, &sopt);
}

static struct socket *
asking(struct netstack *ns, int protocol)
{
	struct socket *so;

	assert_int_equal(socreate(ns, BSD_AF_INET, BSD_SOCK_DGRAM, protocol, &so), 0);
	assert_int_equal(set_int(so, BSD_IP_RECVERR, 1), 0);
	return so;
}

/* => errno; room: bytes that the program has for the data */
static int
take(struct socket *so, struct queued *qu, size_t room)
{
	struct vmspace vm = {.vm_engine = &copy_engine_direct, .vm_ns = so->so_ns};
	struct bsd_iovec iov = {.iov_base = (uintptr_t)qu->data, .iov_len = room};
	int flags = BSD_MSG_ERRQUEUE, error;
	struct mbuf *control;
	struct bsd_cmsghdr cm;
	struct uio uio;

	assert_int_equal(uio_init(&uio, &iov, 1, UIO_READ, &vm), 0);
	error = soreceive(so, &qu->to, &uio, NULL, &control, &flags);
	if (error != 0)
		return error;
	assert_int_equal(flags & BSD_MSG_ERRQUEUE, BSD_MSG_ERRQUEUE);
	qu->len = room - uio.uio_resid;
	qu->ttl = -1;
	for (size_t at = 0; at < control->m_len; at += BSD_CMSG_ALIGN(cm.cmsg_len)) {
		const uint8_t *data = control->m_data + at + BSD_CMSG_LEN(0);

		memcpy(&cm, control->m_data + at, sizeof(cm));
		if (cm.cmsg_type == BSD_IP_RECVERR)
			memcpy(&qu->re, data, sizeof(qu->re));
		else if (cm.cmsg_type == BSD_IP_RECVTTL)
			qu->ttl = *data;
	}
	m_freem(control);
	return 0;
}

static int
pending(struct socket *so)
{
	union bsd_sockaddr_any from;
	uint8_t buf[16];
	size_t n = sizeof(buf);

	return test_udprecv(so, &from, buf, &n);
}

/* The router's error about packet i of those that left. */
static void
complain(unsigned i, uint8_t type, uint8_t code, uint16_t info)
{
	const uint8_t *packet = ia.ti_frames[i].bytes + ETHER_HDR_LEN;
	uint8_t msg[ICMP4_HDR_LEN + 548];
	size_t len = KERN_MIN((size_t)be16_get(packet + 2), (size_t)548); /* without padding */
	struct icmp4_hdr icmp = {.icmp_type = type, .icmp_code = code, .icmp_seq = info};
	struct ipv4_hdr ip = test_iphdr(IPV4_PROTO_ICMP, ROUTER, A, ICMP4_HDR_LEN + len);

	ip.ip_ttl = 63;
	icmp4_emit(msg, &icmp);
	memcpy(msg + ICMP4_HDR_LEN, packet, len);
	icmp.icmp_sum = cksum_finish(cksum_partial(msg, ICMP4_HDR_LEN + len, 0));
	icmp4_emit(msg, &icmp);
	testif_ip_input(&ia, &ip, msg, ICMP4_HDR_LEN + len);
}

/* So that what A sends to B leaves at once, and is kept. */
static void
know_b(void)
{
	testif_arp_input(&ia, 2, 1, ARPOP_REQUEST, B, A);
	testif_clear(&ia);
}

/* Without a peer, too: what failed, to whom, who says so, and what came back of the data. */
static void
test_port_unreachable(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 9);
	struct socket *so, *deaf;
	struct queued qu;

	(void)state;
	so = asking(a, 0);
	deaf = test_udpsocket(a);
	assert_int_equal(test_udpsend(so, &to, 100), 0);
	assert_int_equal(test_udpsend(deaf, &to, 100), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(pending(deaf), BSD_EWOULDBLOCK);
	assert_int_equal(take(deaf, &qu, 600), BSD_EWOULDBLOCK);
	assert_int_equal(pending(so), BSD_ECONNREFUSED);
	assert_int_equal(pending(so), BSD_EWOULDBLOCK); /* told once; the queue has it still */
	assert_int_equal(take(so, &qu, 600), 0);
	assert_int_equal(qu.to.sin.sin_addr.s_addr, B);
	assert_int_equal(betoh16(qu.to.sin.sin_port), 9);
	assert_int_equal(qu.re.re_errno, BSD_ECONNREFUSED);
	assert_int_equal(qu.re.re_origin, BSD_SO_EE_ORIGIN_ICMP);
	assert_int_equal(qu.re.re_type, ICMP4_UNREACH);
	assert_int_equal(qu.re.re_code, ICMP4_UNREACH_PORT);
	assert_offender(&qu, B);
	assert_int_equal(qu.len, 100);
	for (size_t i = 0; i < qu.len; i++)
		assert_int_equal(qu.data[i], test_byte(i));
	assert_int_equal(take(so, &qu, 600), BSD_EWOULDBLOCK);
	soclose(so);
	soclose(deaf);
}

/* Time exceeded, which nobody is told of otherwise; the next error is pending when one is taken. */
static void
test_order(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 33434);
	struct queued qu;
	struct socket *so;

	(void)state;
	so = asking(a, 0);
	assert_int_equal(set_int(so, BSD_IP_RECVTTL, 1), 0);
	know_b();
	assert_int_equal(test_udpsend(so, &to, 24), 0);
	complain(0, ICMP4_TIMXCEED, 0, 0);
	complain(0, ICMP4_UNREACH, ICMP4_UNREACH_NET_UNKNOWN, 0);
	complain(0, ICMP4_PARAMPROB, 0, 0);
	assert_int_equal(take(so, &qu, 10), 0); /* the data is cut to the room */
	assert_int_equal(qu.len, 10);
	assert_int_equal(qu.re.re_errno, BSD_EHOSTUNREACH);
	assert_int_equal(qu.re.re_type, ICMP4_TIMXCEED);
	assert_offender(&qu, ROUTER);
	assert_int_equal(qu.ttl, 63);
	assert_int_equal(pending(so), BSD_ENETUNREACH);
	assert_int_equal(take(so, &qu, 600), 0);
	assert_int_equal(qu.re.re_errno, BSD_ENETUNREACH);
	assert_int_equal(qu.len, 24);
	assert_int_equal(take(so, &qu, 600), 0);
	assert_int_equal(qu.re.re_errno, BSD_EPROTO);
	assert_int_equal(pending(so), BSD_EWOULDBLOCK); /* with the last one nothing is */
	/* Off, it is emptied, and nothing is told any more. */
	complain(0, ICMP4_TIMXCEED, 0, 0);
	assert_int_equal(set_int(so, BSD_IP_RECVERR, 0), 0);
	assert_int_equal(take(so, &qu, 600), BSD_EWOULDBLOCK);
	assert_int_equal(pending(so), BSD_EHOSTUNREACH);
	complain(0, ICMP4_TIMXCEED, 0, 0);
	assert_int_equal(pending(so), BSD_EWOULDBLOCK);
	soclose(so);
}

/* What is too long for the interface, or the path, is in the queue with the MTU. */
static void
test_too_long(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 7);
	struct queued qu;
	struct socket *so;

	(void)state;
	so = asking(a, 0);
	assert_int_equal(set_int(so, BSD_IP_MTU_DISCOVER, BSD_IP_PMTUDISC_DO), 0);
	know_b();
	assert_int_equal(test_udpsend(so, &to, 1473), BSD_EMSGSIZE);
	assert_int_equal(pending(so), BSD_EWOULDBLOCK);
	assert_int_equal(take(so, &qu, 600), 0);
	assert_int_equal(qu.re.re_errno, BSD_EMSGSIZE);
	assert_int_equal(qu.re.re_origin, BSD_SO_EE_ORIGIN_LOCAL);
	assert_int_equal(qu.re.re_info, 1500);
	assert_int_equal(qu.len, 0);
	assert_int_equal(test_udpsend(so, &to, 1472), 0);
	complain(0, ICMP4_UNREACH, ICMP4_UNREACH_NEEDFRAG, 1400);
	assert_int_equal(take(so, &qu, 600), 0);
	assert_int_equal(qu.re.re_errno, BSD_EMSGSIZE);
	assert_int_equal(qu.re.re_origin, BSD_SO_EE_ORIGIN_ICMP);
	assert_int_equal(qu.re.re_info, 1400);
	assert_int_equal(test_udpsend(so, &to, 1473), BSD_EMSGSIZE);
	assert_int_equal(take(so, &qu, 600), 0);
	assert_int_equal(qu.re.re_info, 1400);
	assert_int_equal(set_int(so, BSD_IP_MTU_DISCOVER, BSD_IP_PMTUDISC_PROBE), 0);
	assert_int_equal(test_udpsend(so, &to, 1473), BSD_EMSGSIZE);
	assert_int_equal(take(so, &qu, 600), 0);
	assert_int_equal(qu.re.re_info, 1500);
	soclose(so);
}

/* Nobody answers for the addressee: an error of our own, after the last request and from then on. */
static void
test_silent_neighbour(void **state)
{
	union bsd_sockaddr_any to = test_sin(ROUTER, 7);
	struct queued qu;
	struct socket *so;

	(void)state;
	so = asking(a, 0);
	assert_int_equal(test_udpsend(so, &to, 2000), 0); /* in two pieces: one error */
	testwire_run_for(&ia, &ib, 4900 * NSEC_PER_MSEC);
	assert_int_equal(take(so, &qu, 600), BSD_EWOULDBLOCK);
	testwire_run_for(&ia, &ib, 200 * NSEC_PER_MSEC);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pending(so), BSD_EHOSTUNREACH);
		assert_int_equal(take(so, &qu, 600), 0);
		assert_int_equal(qu.re.re_errno, BSD_EHOSTUNREACH);
		assert_int_equal(qu.re.re_origin, BSD_SO_EE_ORIGIN_ICMP);
		assert_int_equal(qu.re.re_type, ICMP4_UNREACH);
		assert_int_equal(qu.re.re_code, ICMP4_UNREACH_HOST);
		assert_offender(&qu, A);
		assert_int_equal(qu.to.sin.sin_addr.s_addr, ROUTER);
		assert_int_equal(take(so, &qu, 600), BSD_EWOULDBLOCK);
		assert_int_equal(test_udpsend(so, &to, 100), 0);
		testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	}
	assert_int_equal(take(so, &qu, 600), 0);
	assert_int_equal(qu.len, 100);
	soclose(so);
}

/* Who does not care for the path (IP_PMTUDISC_INTERFACE, OMIT) does not believe what is said of it. */
static void
test_path_not_learned(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 7);
	struct socket *so;
	struct ifnet *ifp;
	struct in_addrany dst = in4_any(B);
	uint32_t mtu;
	bool direct;

	(void)state;
	so = test_udpsocket(a);
	assert_int_equal(soconnect(so, &to.sa), 0);
	know_b();
	assert_int_equal(test_udpsend(so, NULL, 1400), 0);
	for (int how = BSD_IP_PMTUDISC_OMIT; how >= BSD_IP_PMTUDISC_PROBE; how--) {
		assert_int_equal(set_int(so, BSD_IP_MTU_DISCOVER, how), 0);
		complain(0, ICMP4_UNREACH, ICMP4_UNREACH_NEEDFRAG, 1000);
		ifp = in4_afops.af_route(a, &dst, NULL, &mtu, &direct);
		assert_non_null(ifp);
		assert_int_equal(mtu, how == BSD_IP_PMTUDISC_PROBE ? 1000 : 1500);
	}
	soclose(so);
}

/* A connected socket without a queue hears of what will not pass by itself, and of that alone. */
static void
test_soft_errors(void **state)
{
	static const struct {
		uint8_t type, code;
		int error;
	} cases[] = {
	    {ICMP4_UNREACH, ICMP4_UNREACH_NET, 0},
	    {ICMP4_UNREACH, ICMP4_UNREACH_HOST, 0},
	    {ICMP4_UNREACH, ICMP4_UNREACH_SRCFAIL, 0},
	    {ICMP4_UNREACH, ICMP4_UNREACH_TOSNET, 0},
	    {ICMP4_UNREACH, ICMP4_UNREACH_TOSHOST, 0},
	    {ICMP4_TIMXCEED, 0, 0},
	    {ICMP4_UNREACH, ICMP4_UNREACH_PORT, BSD_ECONNREFUSED},
	    {ICMP4_UNREACH, ICMP4_UNREACH_NET_UNKNOWN, BSD_ENETUNREACH},
	    {ICMP4_UNREACH, ICMP4_UNREACH_FILTER_PROHIB, BSD_EHOSTUNREACH},
	};
	union bsd_sockaddr_any to = test_sin(B, 9);
	struct socket *so;

	(void)state;
	so = test_udpsocket(a);
	assert_int_equal(soconnect(so, &to.sa), 0);
	know_b();
	assert_int_equal(test_udpsend(so, NULL, 100), 0);
	for (size_t i = 0; i < nitems(cases); i++) {
		complain(0, cases[i].type, cases[i].code, 0);
		assert_int_equal(so->so_error, cases[i].error);
		so->so_error = 0;
	}
	soclose(so);
}

/* An ICMP socket gets the whole message back, its header too. */
static void
test_icmp_socket(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 0), mine = test_sin(A, 77);
	struct queued qu;
	struct socket *so;
	struct mbuf *m;
	static const uint8_t echo[12] = {ICMP4_ECHO, 0, 0, 0, 0, 0, 0, 5, 'd', 'a', 't', 'a'};

	(void)state;
	so = asking(a, BSD_IPPROTO_ICMP);
	assert_int_equal(sobind(so, &mine.sa), 0);
	know_b();
	m = m_gethdr(a, MT_DATA);
	assert_int_equal(m_append(m, sizeof(echo), echo), 0);
	assert_int_equal(sosend(so, &to.sa, NULL, m, NULL, BSD_MSG_DONTWAIT), 0);
	complain(0, ICMP4_UNREACH, ICMP4_UNREACH_HOST, 0);
	assert_int_equal(take(so, &qu, 600), 0);
	assert_int_equal(qu.re.re_errno, BSD_EHOSTUNREACH);
	assert_int_equal(qu.to.sin.sin_addr.s_addr, B);
	assert_int_equal(qu.to.sin.sin_port, 0);
	assert_int_equal(qu.len, sizeof(echo));
	assert_int_equal(be16_get(qu.data + 4), 77);
	assert_memory_equal(qu.data + 6, echo + 6, 6);
	soclose(so);
}

/* A flood fills the queue to its limit, is counted, and holds nothing up; so does one on many sockets. */
static void
test_26_flood(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 7), from = test_sin(B, 7);
	struct socket *so[3], *peer;
	uint8_t buf[16];
	size_t n = sizeof(buf);
	struct queued qu;
	unsigned i, taken = 0;

	(void)state;
	a->ns_inet->is_errqlen = 20;
	a->ns_inet->is_errqtotal = 50;
	know_b();
	for (i = 0; i < nitems(so); i++) {
		so[i] = asking(a, 0);
		assert_int_equal(test_udpsend(so[i], &to, 8), 0);
	}
	for (i = 0; i < 3000; i++)
		complain(i % nitems(so), ICMP4_TIMXCEED, 0, 0);
	assert_int_equal(a->ns_inet->is_nerrq, 50);
	assert_int_equal(a->ns_drops[DROP_ICMP_ERRQ], 2950);
	while (take(so[0], &qu, 600) == 0)
		taken++;
	assert_in_range(taken, 10, 20);
	assert_int_equal(a->ns_inet->is_nerrq, 50 - taken);
	/* What it sent still gets its answer. */
	peer = test_udpsocket(b);
	assert_int_equal(sobind(peer, &from.sa), 0);
	assert_int_equal(test_udpsend(so[0], &to, 8), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(test_udprecv(peer, &from, buf, &n), 0);
	assert_int_equal(test_udpsend(peer, &from, 8), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	n = sizeof(buf);
	assert_int_equal(test_udprecv(so[0], &from, buf, &n), 0);
	for (i = 0; i < nitems(so); i++)
		soclose(so[i]);
	assert_int_equal(a->ns_inet->is_nerrq, 0);
	soclose(peer);
}

static int
scenario(struct netstack *ns, void *arg)
{
	union bsd_sockaddr_any to = test_sin(B, 7);
	struct socket *so = NULL;
	struct queued qu;
	int error = testif_attach(ns, &ia, 1, A);

	(void)arg;
	if (error != 0)
		return error;
	know_b();
	error = socreate(ns, BSD_AF_INET, BSD_SOCK_DGRAM, 0, &so);
	if (error == 0)
		error = set_int(so, BSD_IP_RECVERR, 1);
	if (error == 0)
		error = test_udpsend(so, &to, 8);
	if (error == 0 && ia.ti_n == 0)
		error = BSD_ENOBUFS; /* the neighbour was not noted */
	if (error == 0) {
		complain(0, ICMP4_TIMXCEED, 0, 0);
		error = take(so, &qu, 600);
	}
	if (so != NULL)
		soclose(so);
	for (uint64_t end = ns->ns_now + 61 * NSEC_PER_SEC; netstack_deadline(ns) <= end;) {
		netstack_enter(ns, netstack_deadline(ns));
		netstack_run(ns);
	}
	return error;
}

static void
test_nomem(void **state)
{
	(void)state;
	memset(&ia, 0, sizeof(ia));
	assert_true(for_each_alloc_failure(in_teststack, scenario, NULL) > 8);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_port_unreachable),
	    T(test_soft_errors),
	    T(test_path_not_learned),
	    T(test_order),
	    T(test_too_long),
	    T(test_silent_neighbour),
	    T(test_icmp_socket),
	    T(test_26_flood),
	    cmocka_unit_test(test_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
