/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP between two stacks in one process: data, fragments, errors, broadcast, loopback; bad
 * datagrams (the numbers name kinds of hostile input); lack of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
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
#include "netinet/udp_var.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/udp.h"

#define A ipv4_addr_be(10, 0, 0, 1)
#define B ipv4_addr_be(10, 0, 0, 2)
#define PEER ipv4_addr_be(10, 0, 0, 9)
#define BCAST ipv4_addr_be(10, 0, 0, 255)
#define LOOP ipv4_addr_be(127, 0, 0, 1)

static struct testif ia, ib;
static struct netstack *a, *b;
static uint8_t buf[70000];

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

static struct socket *
bound(struct netstack *ns, uint32_t addr_be, uint16_t port)
{
	struct socket *so = test_udpsocket(ns);
	union bsd_sockaddr_any sa = test_sin(addr_be, port);

	assert_non_null(so);
	assert_int_equal(sobind(so, &sa.sa), 0);
	return so;
}

/* The next datagram of so has len bytes of the pattern. => who sent it */
static union bsd_sockaddr_any
expect(struct socket *so, size_t len)
{
	union bsd_sockaddr_any from;
	size_t n = sizeof(buf), i;

	assert_int_equal(test_udprecv(so, &from, buf, &n), 0);
	assert_int_equal(n, len);
	for (i = 0; i < len; i++)
		assert_int_equal(buf[i], test_byte(i));
	return from;
}

static void
expect_none(struct socket *so)
{
	union bsd_sockaddr_any from;
	size_t n = sizeof(buf);

	assert_int_equal(test_udprecv(so, &from, buf, &n), BSD_EWOULDBLOCK);
}

/* All sizes, both ways; 65507 bytes go in fragments, one more does not go. */
static void
test_sizes_both_ways(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 999, 1471, 1472, 1473, 2953, 9000, 40001, 65507};
	union bsd_sockaddr_any to = test_sin(B, 7), from;
	struct socket *sa, *sb;
	unsigned i;

	(void)state;
	sa = test_udpsocket(a);
	sb = bound(b, 0, 7);
	for (i = 0; i < nitems(sizes); i++) {
		assert_int_equal(test_udpsend(sa, &to, sizes[i]), 0);
		testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
		from = expect(sb, sizes[i]);
		assert_int_equal(from.sin.sin_addr.s_addr, A);
		assert_int_equal(from.sin.sin_len, 16);
		assert_int_equal(test_udpsend(sb, &from, sizes[i]), 0);
		testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
		from = expect(sa, sizes[i]);
		assert_int_equal(from.sin.sin_addr.s_addr, B);
		assert_int_equal(betoh16(from.sin.sin_port), 7);
	}
	assert_int_equal(a->ns_udp->us_stat[UDPSTAT_badsum], 0);
	assert_int_equal(b->ns_udp->us_stat[UDPSTAT_nosum], 0);
	assert_true(b->ns_inet->is_ipstat[IPSTAT_reassembled] >= 4);
	assert_int_equal(test_udpsend(sa, &to, 65508), BSD_EMSGSIZE);
	soclose(sa);
	soclose(sb);
}

static void
test_port_unreachable(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 9);
	struct socket *con, *uncon;

	(void)state;
	con = test_udpsocket(a);
	uncon = test_udpsocket(a);
	assert_int_equal(soconnect(con, &to.sa), 0);
	assert_int_equal(test_udpsend(con, NULL, 100), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(b->ns_drops[DROP_UDP_NOPORT], 1);
	assert_int_equal(test_udpsend(con, NULL, 100), BSD_ECONNREFUSED);
	/* Reported once. */
	assert_int_equal(test_udpsend(con, NULL, 100), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(con->so_error, BSD_ECONNREFUSED);
	/* BSD: not to who is not connected. */
	assert_int_equal(test_udpsend(uncon, &to, 100), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(uncon->so_error, 0);
	soclose(con);
	soclose(uncon);
}

static void
test_connected_filter(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 7), bad = test_sin(B, 0), name;
	struct socket *con, *srv, *other;

	(void)state;
	con = test_udpsocket(a);
	srv = bound(b, B, 7);
	other = bound(b, B, 8);
	assert_int_equal(test_udpsend(con, NULL, 1), BSD_EDESTADDRREQ);
	assert_int_equal(soconnect(con, &bad.sa), BSD_EADDRNOTAVAIL);
	assert_int_equal(soconnect(con, &to.sa), 0);
	assert_int_equal(test_udpsend(con, &to, 1), BSD_EISCONN);
	assert_int_equal(udp_usrreqs.pr_sockaddr(con, &name), 0);
	assert_int_equal(name.sin.sin_addr.s_addr, A);
	assert_true(betoh16(name.sin.sin_port) >= 49152);
	assert_int_equal(test_udpsend(con, NULL, 10), 0);
	assert_int_equal(test_udpsend(srv, &name, 11), 0);
	assert_int_equal(test_udpsend(other, &name, 12), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(srv, 10);
	expect(con, 11);
	expect_none(con);
	assert_int_equal(a->ns_drops[DROP_UDP_NOPORT], 1);
	assert_int_equal(udp_usrreqs.pr_disconnect(con), 0);
	assert_int_equal(test_udpsend(other, &name, 12), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(con, 12);
	soclose(con);
	soclose(srv);
	soclose(other);
}

static void
test_broadcast(void **state)
{
	union bsd_sockaddr_any to = test_sin(BCAST, 7), all = test_sin(UINT32_MAX, 7);
	struct socket *snd, *own, *one, *two, *elsewhere;

	(void)state;
	snd = test_udpsocket(a);
	own = bound(a, 0, 7);
	one = test_udpsocket(b);
	two = test_udpsocket(b);
	one->so_options |= BSD_SO_REUSEPORT;
	two->so_options |= BSD_SO_REUSEPORT;
	elsewhere = bound(b, B, 7);
	elsewhere->so_options |= BSD_SO_REUSEPORT;
	assert_int_equal(test_udpsend(snd, &to, 10), BSD_EACCES);
	assert_int_equal(a->ns_drops[DROP_IP_BCAST], 1);
	snd->so_options |= BSD_SO_BROADCAST;
	to = test_sin(0, 7);
	assert_int_equal(sobind(one, &to.sa), 0);
	assert_int_equal(sobind(two, &to.sa), 0);
	to = test_sin(BCAST, 7);
	assert_int_equal(test_udpsend(snd, &to, 10), 0);
	assert_int_equal(test_udpsend(snd, &all, 2000), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(one, 10);
	expect(one, 2000);
	expect(two, 10);
	expect(two, 2000);
	expect(own, 10);
	expect(own, 2000);
	expect_none(elsewhere);
	soclose(snd);
	soclose(own);
	soclose(one);
	soclose(two);
	soclose(elsewhere);
}

static void
set_ip(struct socket *so, int name, int value)
{
	struct sockopt sopt = {.sopt_set = true, .sopt_level = BSD_IPPROTO_IP, .sopt_name = name};

	sopt.sopt_size = sizeof(value);
	memcpy(sopt.sopt_data, &value, sizeof(value));
	assert_int_equal(sosetopt(so, &sopt), 0);
}

/* len bytes of the pattern, from its byte `from` on. => errno */
static int
send_piece(struct socket *so, const union bsd_sockaddr_any *to, size_t from, size_t len, int flags)
{
	struct mbuf *m = m_gethdr(so->so_ns, MT_DATA);
	uint8_t byte;

	assert_non_null(m);
	for (size_t i = from; i < from + len; i++) {
		byte = test_byte(i);
		if (m_append(m, 1, &byte) != 0) {
			m_freem(m);
			return BSD_ENOBUFS;
		}
	}
	return sosend(so, to != NULL ? &to->sa : NULL, NULL, m, NULL, flags | BSD_MSG_DONTWAIT);
}

static int
cork(struct socket *so, int value)
{
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_UDP,
	    .sopt_name = BSD_UDP_CORK,
	    .sopt_size = sizeof(value)};

	memcpy(sopt.sopt_data, &value, sizeof(value));
	return sosetopt(so, &sopt);
}

/* Pieces become one datagram, to where the first one went; a plain send, or the cork, ends it. */
static void
test_pieces(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 7), other = test_sin(B, 8), no = test_sin(B, 0);
	struct socket *snd, *rcv;
	unsigned i;

	(void)state;
	snd = test_udpsocket(a);
	rcv = bound(b, 0, 7);
	assert_int_equal(send_piece(snd, NULL, 0, 1, BSD_MSG_MORE), BSD_EDESTADDRREQ);
	assert_int_equal(send_piece(snd, &no, 0, 1, BSD_MSG_MORE), BSD_EADDRNOTAVAIL);
	assert_int_equal(send_piece(snd, &to, 0, 10, BSD_MSG_MORE), 0);
	assert_int_equal(send_piece(snd, &other, 10, 2000, BSD_MSG_MORE), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect_none(rcv);
	assert_int_equal(send_piece(snd, NULL, 2010, 0, 0), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(rcv, 2010);
	expect_none(rcv);
	assert_int_equal(test_udpsend(snd, NULL, 1), BSD_EDESTADDRREQ);
	assert_int_equal(cork(snd, 1), 0);
	assert_int_equal(send_piece(snd, &to, 0, 3, 0), 0);
	assert_int_equal(send_piece(snd, &to, 3, 4, 0), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect_none(rcv);
	assert_int_equal(cork(snd, 0), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(rcv, 7);
	assert_int_equal(test_udpsend(snd, &to, 5), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(rcv, 5);
	/* Too much for one: all of it is given up. Small pieces hold no more storage than they need. */
	for (i = 0; i < 65507; i += 7)
		assert_int_equal(send_piece(snd, &to, i, KERN_MIN(7u, 65507 - i), BSD_MSG_MORE), 0);
	assert_int_equal(send_piece(snd, &to, i, 1, 0), BSD_EMSGSIZE);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect_none(rcv);
	assert_int_equal(send_piece(snd, &to, 0, 9, 0), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(rcv, 9);
	/* What is held when the socket closes is not sent. */
	assert_int_equal(send_piece(snd, &to, 0, 9, BSD_MSG_MORE), 0);
	soclose(snd);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect_none(rcv);
	soclose(rcv);
}

/* Raw sockets send whole packets only. */
static void
test_pieces_raw(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 0);
	struct socket *so;

	(void)state;
	assert_int_equal(socreate(a, BSD_AF_INET, BSD_SOCK_RAW, 99, &so), 0);
	assert_int_equal(send_piece(so, &to, 0, 9, BSD_MSG_MORE), BSD_EOPNOTSUPP);
	assert_int_equal(cork(so, 1), BSD_ENOPROTOOPT);
	soclose(so);
}

/* RFC 5082 §3 */
static void
test_minttl(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 7);
	struct socket *snd, *rcv;

	(void)state;
	snd = test_udpsocket(a);
	rcv = bound(b, 0, 7);
	set_ip(rcv, BSD_IP_MINTTL, 65);
	assert_int_equal(test_udpsend(snd, &to, 10), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect_none(rcv);
	assert_int_equal(b->ns_drops[DROP_IP_MINTTL], 1);
	set_ip(snd, BSD_IP_TTL, 65);
	assert_int_equal(test_udpsend(snd, &to, 10), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(rcv, 10);
	soclose(snd);
	soclose(rcv);
}

/* All hosts' group: the others get it, and we by IP_MULTICAST_LOOP; with a TTL of 0 only we do. */
static void
test_all_hosts(void **state)
{
	union bsd_sockaddr_any to = test_sin(0, 7);
	struct socket *snd, *own, *other;

	(void)state;
	ia.ti_if.if_flags |= IFF_BROADCAST | IFF_MULTICAST;
	ib.ti_if.if_flags |= IFF_BROADCAST | IFF_MULTICAST;
	snd = test_udpsocket(a);
	own = test_udpsocket(a);
	other = test_udpsocket(b);
	assert_int_equal(sobind(own, &to.sa), 0);
	assert_int_equal(sobind(other, &to.sa), 0);
	to = test_sin(IPV4_ALLHOSTS_BE, 7);
	assert_int_equal(test_udpsend(snd, &to, 10), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(own, 10);
	expect(other, 10);
	set_ip(snd, BSD_IP_MULTICAST_LOOP, 0);
	assert_int_equal(test_udpsend(snd, &to, 20), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect_none(own);
	expect(other, 20);
	set_ip(snd, BSD_IP_MULTICAST_LOOP, 1);
	set_ip(snd, BSD_IP_MULTICAST_TTL, 0);
	assert_int_equal(test_udpsend(snd, &to, 30), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	expect(own, 30);
	expect_none(other);
	soclose(snd);
	soclose(own);
	soclose(other);
}

/* To ourselves: by 127.0.0.1, by our address, by any; also a datagram with no room to be in one. */
static void
test_loopback(void **state)
{
	uint32_t dsts[3] = {LOOP, A, 0};
	union bsd_sockaddr_any to;
	struct socket *snd, *rcv;
	unsigned i;

	(void)state;
	snd = test_udpsocket(a);
	rcv = bound(a, 0, 7);
	for (i = 0; i < 3; i++) {
		to = test_sin(dsts[i], 7);
		assert_int_equal(test_udpsend(snd, &to, 65507), 0);
		expect_none(rcv);
		netstack_run(a);
		to = expect(rcv, 65507);
		assert_int_equal(to.sin.sin_addr.s_addr, dsts[i] == 0 ? LOOP : dsts[i]);
	}
	assert_int_equal(ia.ti_n, 0);
	soclose(snd);
	soclose(rcv);
}

/* Errors to ourselves are not limited. */
static void
test_loopback_unreachable(void **state)
{
	union bsd_sockaddr_any to = test_sin(LOOP, 9);
	struct socket *so;

	(void)state;
	so = test_udpsocket(a);
	assert_int_equal(soconnect(so, &to.sa), 0);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(test_udpsend(so, NULL, 1), 0);
		netstack_run(a);
		assert_int_equal(so->so_error, BSD_ECONNREFUSED);
		so->so_error = 0;
	}
	soclose(so);
}

static void
test_no_route(void **state)
{
	union bsd_sockaddr_any far = test_sin(ipv4_addr_be(192, 0, 2, 1), 7);
	struct socket *so;

	(void)state;
	so = test_udpsocket(a);
	assert_int_equal(test_udpsend(so, &far, 10), BSD_ENETUNREACH);
	assert_int_equal(in_rtadd_default(a, ipv4_addr_be(10, 1, 0, 1)), BSD_ENETUNREACH);
	assert_int_equal(in_rtadd_default(a, B), 0);
	assert_int_equal(in_rtadd_default(a, B), BSD_EEXIST);
	assert_int_equal(test_udpsend(so, &far, 10), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(b->ns_drops[DROP_IP_NOTFORUS], 1);
	so->so_options |= BSD_SO_DONTROUTE;
	assert_int_equal(test_udpsend(so, &far, 10), BSD_ENETUNREACH);
	so->so_options = 0;
	assert_int_equal(in_control_deladdr(a, &ia.ti_if, A), 0);
	assert_int_equal(test_udpsend(so, &far, 10), BSD_ENETUNREACH);
	soclose(so);
}

/* A receive buffer that is full drops, counted; the sender goes on (47). */
static void
test_47_full_buffer(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 7);
	struct socket *snd, *rcv;
	unsigned i, n = 0;
	uint64_t dropped;
	size_t len;

	(void)state;
	snd = test_udpsocket(a);
	rcv = bound(b, 0, 7);
	for (i = 0; i < 300; i++) {
		assert_int_equal(test_udpsend(snd, &to, 1000), 0);
		testwire_run_for(&ia, &ib, 1000);
	}
	dropped = b->ns_drops[DROP_UDP_FULLSOCK];
	assert_true(dropped > 100 && dropped < 300);
	assert_int_equal(b->ns_udp->us_stat[UDPSTAT_fullsock], dropped);
	for (len = sizeof(buf); test_udprecv(rcv, &to, buf, &len) == 0; len = sizeof(buf))
		n++;
	assert_int_equal(n, 300 - dropped);
	soclose(snd);
	soclose(rcv);
}

/* One datagram from PEER to port 7 of A, with some bytes changed. */
static void
bad_datagram(unsigned offset, uint16_t value, size_t iplen, bool fixsum)
{
	uint8_t p[200] = {0};
	size_t n = test_udp(p, PEER, A, 1000, 7, 20);
	struct ipv4_hdr ip = test_iphdr(IPV4_PROTO_UDP, PEER, A, iplen);

	be16_put(p + offset, value);
	if (fixsum) {
		be16_put(p + UDP_OFF_SUM, 0);
		be16_put(p + UDP_OFF_SUM,
		    cksum_finish(
			cksum_partial(p, n, cksum_pseudo4(PEER, A, IPV4_PROTO_UDP, (uint16_t)n))));
	}
	testif_ip_input(&ia, &ip, p, iplen);
}

static void
test_46_48_bad_datagrams(void **state)
{
	struct socket *so;
	unsigned i;

	(void)state;
	so = bound(a, 0, 7);
	for (i = 0; i < UDP_HDR_LEN; i++)
		bad_datagram(6, 0, i, false);
	assert_int_equal(a->ns_drops[DROP_UDP_SHORT], 8);
	for (i = 0; i < UDP_HDR_LEN; i++)
		bad_datagram(4, (uint16_t)i, 28, false);
	assert_int_equal(a->ns_drops[DROP_UDP_LEN], 8);
	bad_datagram(4, 29, 28, false);
	bad_datagram(4, 0xffff, 28, false);
	assert_int_equal(a->ns_drops[DROP_UDP_LEN], 10);
	bad_datagram(8, 0x1234, 28, false);
	bad_datagram(6, 0x1234, 28, false);
	assert_int_equal(a->ns_drops[DROP_UDP_CKSUM], 2);
	bad_datagram(0, 0, 28, true);
	bad_datagram(2, 0, 28, true);
	assert_int_equal(a->ns_drops[DROP_UDP_PORT], 2);
	expect_none(so);
	/* No checksum is allowed over IPv4; bytes beyond the length are trimmed. */
	bad_datagram(6, 0, 40, false);
	expect(so, 20);
	assert_int_equal(a->ns_udp->us_stat[UDPSTAT_nosum], 1);
	soclose(so);
}

static void
test_options(void **state)
{
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_IP,
	    .sopt_name = BSD_IP_TTL,
	    .sopt_size = sizeof(int)};
	union bsd_sockaddr_any to = test_sin(B, 7);
	int ttl = 7, unknown[] = {BSD_IP_OPTIONS, BSD_IP_PKTINFO, 999};
	struct socket *so;
	struct ipv4_hdr ip;
	unsigned i;

	(void)state;
	so = test_udpsocket(a);
	memcpy(sopt.sopt_data, &ttl, sizeof(ttl));
	assert_int_equal(sosetopt(so, &sopt), 0);
	ttl = 256;
	memcpy(sopt.sopt_data, &ttl, sizeof(ttl));
	assert_int_equal(sosetopt(so, &sopt), BSD_EINVAL);
	for (i = 0; i < nitems(unknown); i++) {
		sopt.sopt_name = unknown[i];
		assert_int_equal(sosetopt(so, &sopt), BSD_ENOPROTOOPT);
	}
	/* There are none, and none may be asked for. */
	sopt.sopt_name = BSD_IP_OPTIONS;
	assert_int_equal(sogetopt(so, &sopt), 0);
	assert_int_equal(sopt.sopt_size, 0);
	assert_int_equal(sosetopt(so, &sopt), 0);
	assert_int_equal(test_udpsend(so, &to, 1), 0);
	testwire_pump(&ia, &ib);
	assert_int_equal(test_udpsend(so, &to, 1), 0);
	assert_int_equal(ia.ti_n, 1);
	assert_int_equal(ipv4_parse(ia.ti_frames[0].bytes + ETHER_HDR_LEN, 46, &ip), IPV4_PARSE_OK);
	assert_int_equal(ip.ip_ttl, 7);
	soclose(so);
}

static int
udp_scenario(struct netstack *ns, void *arg)
{
	union bsd_sockaddr_any to = test_sin(B, 7), from;
	struct socket *snd = NULL, *rcv = NULL;
	size_t n = sizeof(buf);
	bool attached;
	int error;

	(void)arg;
	a = ns;
	b = in_teststack();
	assert_int_equal(testif_attach(b, &ib, 2, B), 0);
	rcv = bound(b, 0, 7);
	error = testif_attach(a, &ia, 1, A);
	attached = error == 0;
	if (error == 0 && (snd = test_udpsocket(a)) == NULL)
		error = BSD_ENOBUFS;
	if (error == 0)
		error = test_udpsend(snd, &to, 5000);
	if (error == 0) {
		testwire_run_for(&ia, &ib, 10 * NSEC_PER_SEC);
		error = test_udprecv(rcv, &from, buf, &n);
	}
	if (error == 0 && (error = test_udpsend(rcv, &from, 5000)) == 0) {
		testwire_run_for(&ia, &ib, 10 * NSEC_PER_SEC);
		n = sizeof(buf);
		error = test_udprecv(snd, &from, buf, &n);
	}
	if (attached)
		testwire_run_for(&ia, &ib, 61 * NSEC_PER_SEC);
	soclose(rcv);
	if (snd != NULL)
		soclose(snd);
	test_netstack_end(b);
	return error;
}

static void
test_nomem(void **state)
{
	(void)state;
	memset(&ia, 0, sizeof(ia));
	assert_true(for_each_alloc_failure(in_teststack, udp_scenario, NULL) > 20);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_sizes_both_ways),
	    T(test_port_unreachable),
	    T(test_connected_filter),
	    T(test_broadcast),
	    T(test_all_hosts),
	    T(test_pieces),
	    T(test_pieces_raw),
	    T(test_minttl),
	    T(test_loopback),
	    T(test_loopback_unreachable),
	    T(test_no_route),
	    T(test_47_full_buffer),
	    T(test_46_48_bad_datagrams),
	    T(test_options),
	    cmocka_unit_test(test_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
