/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw and ICMP sockets and the control messages of datagrams, between two stacks in one process;
 * lack of memory and of room. Numbers name kinds of hostile input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"
#include "net/net_state.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp4.h"

#define A ipv4_addr_be(10, 0, 0, 1)
#define B ipv4_addr_be(10, 0, 0, 2)
#define PROTO 253

static struct testif ia, ib;
static struct netstack *a, *b;

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
opened(struct netstack *ns, int type, int protocol)
{
	struct socket *so;

	assert_int_equal(socreate(ns, BSD_AF_INET, type, protocol, &so), 0);
	return so;
}

static int
setopt(struct socket *so, int level, int name, int value)
{
	struct sockopt sopt = {.sopt_level = level, .sopt_name = name, .sopt_size = sizeof(value)};

	memcpy(sopt.sopt_data, &value, sizeof(value));
	return sosetopt(so, &sopt);
}

/* => -errno */
static int
getopt_int(struct socket *so, int level, int name)
{
	struct sockopt sopt = {.sopt_level = level,
	    .sopt_name = name,
	    .sopt_size = sizeof(sopt.sopt_data)};
	int value, error = sogetopt(so, &sopt);

	if (error != 0)
		return -error;
	memcpy(&value, sopt.sopt_data, sizeof(value));
	return value;
}

/* Sends these bytes with these control messages. => errno */
static int
send_bytes(struct socket *so, const union bsd_sockaddr_any *to, const void *p, size_t len,
    const struct kvec *control)
{
	unsigned nkv = 1;
	struct kvec kv;
	struct mbuf *m = sodirect_room(so, KERN_MAX(len, (size_t)1), &kv, &nkv);

	assert_non_null(m);
	memcpy(kv.kv_base, p, len);
	return sodirect_send(so, m, len, to != NULL ? &to->sa : NULL, control, 0);
}

/* The next record of so, its control messages too. => bytes; -1: none */
static int
recv_bytes(struct socket *so, uint8_t *buf, struct kvec *control)
{
	struct kvec kv[8];
	struct sodirect_record sr = {.sr_kv = kv, .sr_nkv = nitems(kv)};
	size_t off = 0;

	if (!sodirect_peekrecord(so, 0, &sr))
		return -1;
	*control = sr.sr_control;
	for (unsigned i = 0; i < sr.sr_nkv; off += kv[i++].kv_len)
		memcpy(buf + off, kv[i].kv_base, kv[i].kv_len);
	return (int)sr.sr_len;
}

static int
recv_next(struct socket *so, uint8_t *buf)
{
	struct kvec control;
	int len = recv_bytes(so, buf, &control);

	sodirect_droprecord(so);
	return len;
}

static const uint8_t echo[] = {ICMP4_ECHO, 0, 0, 0, 0x12, 0x34, 0, 1, 'd', 'a', 't', 'a'};

/* Each ICMP socket gets the replies to its own requests, without IP header. */
static void
test_icmp_socket(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 0), mine;
	uint8_t buf[2000], other[12];
	struct socket *one, *two;

	(void)state;
	one = opened(a, BSD_SOCK_DGRAM, BSD_IPPROTO_ICMP);
	two = opened(a, BSD_SOCK_DGRAM, BSD_IPPROTO_ICMP);
	mine = test_sin(A, 77);
	assert_int_equal(sobind(two, &mine.sa), 0);
	assert_int_equal(send_bytes(one, &to, echo, sizeof(echo), NULL), 0);
	assert_int_equal(send_bytes(two, &to, echo, sizeof(echo), NULL), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(recv_next(two, buf), sizeof(echo));
	assert_int_equal(buf[0], ICMP4_ECHOREPLY);
	assert_int_equal(be16_get(buf + 4), 77);
	assert_memory_equal(buf + 6, echo + 6, sizeof(echo) - 6);
	assert_int_equal(recv_next(two, buf), -1);
	assert_int_equal(sogetname(one, false, &mine), 0);
	assert_int_equal(recv_next(one, buf), sizeof(echo));
	assert_int_equal(be16_get(buf + 4), betoh16(mine.sin.sin_port));
	/* Nothing but echo requests leaves by it. */
	memcpy(other, echo, sizeof(echo));
	other[0] = ICMP4_TSTAMP;
	assert_int_equal(send_bytes(one, &to, other, sizeof(other), NULL), BSD_EINVAL);
	other[0] = ICMP4_ECHO;
	other[1] = 1;
	assert_int_equal(send_bytes(one, &to, other, sizeof(other), NULL), BSD_EINVAL);
	assert_int_equal(send_bytes(one, &to, echo, 7, NULL), BSD_EINVAL);
	assert_int_equal(send_bytes(one, NULL, echo, 8, NULL), BSD_EDESTADDRREQ);
	soclose(one);
	soclose(two);
}

/* Connected, it hears of errors; a reply that nobody waits for is dropped and counted. */
static void
test_icmp_socket_error(void **state)
{
	union bsd_sockaddr_any to = test_sin(ipv4_addr_be(192, 0, 2, 1), 0);
	uint8_t msg[ICMP4_HDR_LEN + IPV4_HDR_LEN + 8] = {ICMP4_UNREACH,
	    ICMP4_UNREACH_FILTER_PROHIB};
	struct ipv4_hdr ip = test_iphdr(IPV4_PROTO_ICMP, B, A, sizeof(msg));
	uint8_t reply[8] = {ICMP4_ECHOREPLY, 0, 0xff, 0xfe, 0, 1};
	struct socket *so;

	(void)state;
	assert_int_equal(in_rtadd_default(a, B), 0);
	so = opened(a, BSD_SOCK_DGRAM, BSD_IPPROTO_ICMP);
	assert_int_equal(soconnect(so, &to.sa), 0);
	testif_arp_input(&ia, 2, 1, ARPOP_REQUEST, B, A);
	testif_clear(&ia);
	assert_int_equal(send_bytes(so, NULL, echo, sizeof(echo), NULL), 0);
	assert_int_equal(ia.ti_n, 1);
	memcpy(msg + 8, ia.ti_frames[0].bytes + ETHER_HDR_LEN, IPV4_HDR_LEN + 8);
	be16_put(msg + 2, cksum_finish(cksum_partial(msg, sizeof(msg), 0)));
	testif_ip_input(&ia, &ip, msg, sizeof(msg));
	assert_int_equal(send_bytes(so, NULL, echo, sizeof(echo), NULL), BSD_EHOSTUNREACH);
	assert_int_equal(send_bytes(so, NULL, echo, sizeof(echo), NULL), 0);
	ip = test_iphdr(IPV4_PROTO_ICMP, B, A, sizeof(reply));
	testif_ip_input(&ia, &ip, reply, sizeof(reply));
	assert_int_equal(a->ns_drops[DROP_ICMP_NOSOCK], 1);
	soclose(so);
}

/* A protocol that nobody has is refused by ICMP, one that a raw socket has is not. */
static void
test_raw_protocol(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 0);
	struct socket *snd, *rcv;
	uint8_t buf[2000];

	(void)state;
	snd = opened(a, BSD_SOCK_RAW, PROTO);
	assert_int_equal(soconnect(snd, &to.sa), 0);
	assert_int_equal(send_bytes(snd, NULL, "oneoneone", 9, NULL), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(b->ns_drops[DROP_IP_NOPROTO], 1);
	assert_int_equal(send_bytes(snd, NULL, "twotwotwo", 9, NULL), BSD_ECONNREFUSED);
	rcv = opened(b, BSD_SOCK_RAW, PROTO);
	assert_int_equal(setopt(snd, BSD_IPPROTO_IP, BSD_IP_TTL, 9), 0);
	assert_int_equal(send_bytes(snd, NULL, "twotwotwo", 9, NULL), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(b->ns_drops[DROP_IP_NOPROTO], 1);
	assert_int_equal(recv_next(rcv, buf), IPV4_HDR_LEN + 9);
	assert_int_equal(buf[8], 9);
	assert_memory_equal(buf + IPV4_HDR_LEN, "twotwotwo", 9);
	/* Bound or connected elsewhere, it does not get it. */
	to = test_sin(ipv4_addr_be(10, 0, 0, 7), 0);
	assert_int_equal(soconnect(rcv, &to.sa), 0);
	assert_int_equal(send_bytes(snd, NULL, "three", 5, NULL), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(recv_next(rcv, buf), -1);
	assert_int_equal(b->ns_drops[DROP_IP_NOPROTO], 2);
	soclose(snd);
	soclose(rcv);
}

/* Raw ICMP sockets see what the stack answers itself; a filter keeps types away. */
static void
test_raw_icmp(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 0);
	uint32_t noecho = 1u << ICMP4_ECHO;
	struct socket *ping, *raw;
	uint8_t buf[2000];

	(void)state;
	ping = opened(a, BSD_SOCK_DGRAM, BSD_IPPROTO_ICMP);
	raw = opened(b, BSD_SOCK_RAW, BSD_IPPROTO_ICMP);
	assert_int_equal(send_bytes(ping, &to, echo, sizeof(echo), NULL), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(recv_next(raw, buf), IPV4_HDR_LEN + sizeof(echo));
	assert_int_equal(recv_next(ping, buf), sizeof(echo));
	assert_int_equal(setopt(raw, BSD_IPPROTO_RAW, BSD_ICMP_FILTER, (int)noecho), 0);
	assert_int_equal(getopt_int(raw, BSD_IPPROTO_RAW, BSD_ICMP_FILTER), noecho);
	assert_int_equal(setopt(ping, BSD_IPPROTO_RAW, BSD_ICMP_FILTER, 1), BSD_ENOPROTOOPT);
	assert_int_equal(send_bytes(ping, &to, echo, sizeof(echo), NULL), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(recv_next(raw, buf), -1);
	assert_int_equal(recv_next(ping, buf), sizeof(echo));
	soclose(ping);
	soclose(raw);
}

/* A header of one's own is completed when it makes sense, and refused when not. */
static void
test_hdrincl(void **state)
{
	uint8_t pkt[1501] = {0x46, 0, 0xff, 0xff, 0, 0, 0, 0, 5, PROTO, 1, 1, 0, 0, 0, 0, 10, 0, 0,
	    2, 1, 1, 1, 0, 'x'};
	union bsd_sockaddr_any to = test_sin(B, 0);
	struct socket *snd, *rcv;
	struct ipv4_hdr ip;
	uint8_t buf[2000];

	(void)state;
	snd = opened(a, BSD_SOCK_RAW, BSD_IPPROTO_RAW);
	rcv = opened(b, BSD_SOCK_RAW, PROTO);
	assert_int_equal(getopt_int(snd, BSD_IPPROTO_IP, BSD_IP_HDRINCL), 1);
	assert_int_equal(send_bytes(snd, &to, pkt, 25, NULL), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(recv_next(rcv, buf), 25);
	assert_int_equal(ipv4_parse(buf, 25, &ip), IPV4_PARSE_OK);
	assert_int_equal(ip.ip_src_be, A);
	assert_int_equal(ip.ip_ttl, 5);
	assert_int_not_equal(ip.ip_id, 0);
	assert_int_equal(send_bytes(snd, &to, pkt, 19, NULL), BSD_EINVAL);
	assert_int_equal(send_bytes(snd, &to, pkt, 23, NULL), BSD_EINVAL);
	assert_int_equal(send_bytes(snd, &to, pkt, 1501, NULL), BSD_EMSGSIZE);
	pkt[20] = IPV4_OPT_RR;
	pkt[21] = 9;
	assert_int_equal(send_bytes(snd, &to, pkt, 25, NULL), BSD_EINVAL);
	pkt[0] = 0x44;
	assert_int_equal(send_bytes(snd, &to, pkt, 25, NULL), BSD_EINVAL);
	pkt[0] = 0x65;
	assert_int_equal(send_bytes(snd, &to, pkt, 25, NULL), BSD_EINVAL);
	assert_int_equal(a->ns_drops[DROP_IP_HDRINCL], 5);
	soclose(snd);
	soclose(rcv);
}

/* A full receive buffer drops, counted; the packet's own protocol has it all the same (47). */
static void
test_47_full(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 0);
	struct socket *ping, *raw;
	uint8_t buf[2000];
	unsigned n = 0, i;

	(void)state;
	ping = opened(a, BSD_SOCK_DGRAM, BSD_IPPROTO_ICMP);
	raw = opened(b, BSD_SOCK_RAW, BSD_IPPROTO_ICMP);
	assert_int_equal(setopt(raw, BSD_SOL_SOCKET, BSD_SO_RCVBUF, 2048), 0);
	for (i = 0; i < 60; i++) {
		assert_int_equal(send_bytes(ping, &to, echo, sizeof(echo), NULL), 0);
		testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	}
	while (recv_next(raw, buf) > 0)
		n++;
	assert_true(n > 0 && n < 60);
	assert_int_equal(b->ns_drops[DROP_RAW_FULLSOCK], 60 - n);
	for (n = 0; recv_next(ping, buf) > 0; n++)
		;
	assert_int_equal(n, 60);
	soclose(ping);
	soclose(raw);
}

/* The control message of this type. => its data, or NULL */
static const uint8_t *
cmsg_find(const struct kvec *control, int type)
{
	const uint8_t *p = control->kv_base;
	struct bsd_cmsghdr cm;

	for (size_t at = 0; at < control->kv_len; at += BSD_CMSG_ALIGN(cm.cmsg_len)) {
		memcpy(&cm, p + at, sizeof(cm));
		if (cm.cmsg_type == type)
			return p + at + BSD_CMSG_LEN(0);
	}
	return NULL;
}

static size_t
cmsg_add(uint8_t *p, size_t at, int type, int value)
{
	struct bsd_cmsghdr cm = {BSD_CMSG_LEN(sizeof(value)), BSD_IPPROTO_IP, type};

	memcpy(p + at, &cm, sizeof(cm));
	memcpy(p + at + BSD_CMSG_LEN(0), &value, sizeof(value));
	return at + BSD_CMSG_SPACE(sizeof(value));
}

/* What one datagram is sent with, and what is told of it (RFC 1122 §4.1.3, §4.1.4). */
static void
test_control(void **state)
{
	static const int wanted[] = {BSD_IP_RECVTTL, BSD_IP_RECVTOS, BSD_IP_RECVPKTINFO,
	    BSD_IP_RECVDSTADDR};
	union bsd_sockaddr_any to = test_sin(B, 7);
	uint8_t bytes[200] = {0}, buf[100];
	struct kvec control = {bytes, 0};
	struct bsd_in_pktinfo pi;
	struct socket *snd, *rcv;
	struct bsd_timespec ts;
	unsigned i;

	(void)state;
	snd = test_udpsocket(a);
	rcv = test_udpsocket(b);
	assert_int_equal(sobind(rcv, &to.sa), 0);
	for (i = 0; i < nitems(wanted); i++)
		assert_int_equal(setopt(rcv, BSD_IPPROTO_IP, wanted[i], 1), 0);
	assert_int_equal(setopt(rcv, BSD_SOL_SOCKET, BSD_SO_TIMESTAMP, 1), 0);
	control.kv_len = cmsg_add(bytes, 0, BSD_IP_TTL, 5);
	control.kv_len = cmsg_add(bytes, control.kv_len, BSD_IP_TOS, 0x28);
	assert_int_equal(send_bytes(snd, &to, "x", 1, &control), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_int_equal(recv_bytes(rcv, buf, &control), 1);
	assert_int_equal(*cmsg_find(&control, BSD_IP_RECVTTL), 5);
	assert_int_equal(*cmsg_find(&control, BSD_IP_RECVTOS), 0x28);
	memcpy(&pi, cmsg_find(&control, BSD_IP_PKTINFO), sizeof(pi));
	assert_int_equal(pi.ipi_addr_be, B);
	assert_int_equal(pi.ipi_ifindex, ib.ti_if.if_index);
	assert_memory_equal(cmsg_find(&control, BSD_IP_RECVDSTADDR), &pi.ipi_addr_be, 4);
	memcpy(&ts, cmsg_find(&control, BSD_SCM_MONOTONIC), sizeof(ts));
	assert_true((uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec <= b->ns_now);
	sodirect_droprecord(rcv);
	soclose(snd);
	soclose(rcv);
}

/* The TTL of one packet to a group is what its control message says, also that of the socket. */
static void
test_group_ttl(void **state)
{
	union bsd_sockaddr_any to = test_sin(ipv4_addr_be(239, 1, 2, 3), 7);
	uint8_t bytes[32] = {0};
	struct kvec control = {bytes, cmsg_add(bytes, 0, BSD_IP_TTL, 9)};
	struct socket *snd;

	(void)state;
	snd = test_udpsocket(a);
	assert_int_equal(setopt(snd, BSD_IPPROTO_IP, BSD_IP_TTL, 9), 0);
	assert_int_equal(setopt(snd, BSD_IPPROTO_IP, BSD_IP_MULTICAST_TTL, 3), 0);
	assert_int_equal(send_bytes(snd, &to, "x", 1, &control), 0);
	assert_int_equal(send_bytes(snd, &to, "x", 1, NULL), 0);
	assert_int_equal(ia.ti_n, 2);
	assert_int_equal(ia.ti_frames[0].bytes[ETHER_HDR_LEN + 8], 9);
	assert_int_equal(ia.ti_frames[1].bytes[ETHER_HDR_LEN + 8], 3);
	soclose(snd);
}

/* Control messages that lie about their length or ask for what cannot be are refused (78). */
static void
test_78_control_lies(void **state)
{
	union bsd_sockaddr_any to = test_sin(B, 7);
	uint8_t bytes[200] = {0};
	struct kvec control = {bytes, 0};
	struct bsd_cmsghdr cm = {0, BSD_IPPROTO_IP, BSD_IP_TTL};
	struct socket *snd;
	static const uint32_t lens[] = {0, 1, 12, 15, 16, 18, 25, 1000, UINT32_MAX};
	unsigned i;

	(void)state;
	snd = test_udpsocket(a);
	for (i = 0; i < nitems(lens); i++) {
		cm.cmsg_len = lens[i];
		memcpy(bytes, &cm, sizeof(cm));
		control.kv_len = 24;
		assert_int_equal(send_bytes(snd, &to, "x", 1, &control), BSD_EINVAL);
	}
	control.kv_len = 11;
	assert_int_equal(send_bytes(snd, &to, "x", 1, &control), BSD_EINVAL);
	control.kv_len = cmsg_add(bytes, 0, BSD_IP_TTL, 256);
	assert_int_equal(send_bytes(snd, &to, "x", 1, &control), BSD_EINVAL);
	control.kv_len = cmsg_add(bytes, 0, BSD_IP_TTL, 0);
	assert_int_equal(send_bytes(snd, &to, "x", 1, &control), BSD_EINVAL);
	control.kv_len = cmsg_add(bytes, 0, 12345, 1);
	assert_int_equal(send_bytes(snd, &to, "x", 1, &control), BSD_EINVAL);
	soclose(snd);
}

/* IP_MTU_DISCOVER: when DF is set, and what happens to packets that are too large. */
static void
test_pmtudisc(void **state)
{
	static const struct {
		int how;
		bool df; /* of a packet that fits */
		int large;
	} rows[] = {{BSD_IP_PMTUDISC_DONT, false, 0}, {BSD_IP_PMTUDISC_WANT, true, 0},
	    {BSD_IP_PMTUDISC_DO, true, BSD_EMSGSIZE}, {BSD_IP_PMTUDISC_PROBE, true, BSD_EMSGSIZE},
	    {BSD_IP_PMTUDISC_INTERFACE, false, BSD_EMSGSIZE}, {BSD_IP_PMTUDISC_OMIT, false, 0}};
	union bsd_sockaddr_any to = test_sin(B, 7);
	struct socket *so;
	struct ipv4_hdr ip;
	unsigned i;

	(void)state;
	so = test_udpsocket(a);
	assert_int_equal(getopt_int(so, BSD_IPPROTO_IP, BSD_IP_MTU), -BSD_ENOTCONN);
	assert_int_equal(soconnect(so, &to.sa), 0);
	assert_int_equal(getopt_int(so, BSD_IPPROTO_IP, BSD_IP_MTU), 1500);
	testif_arp_input(&ia, 2, 1, ARPOP_REQUEST, B, A);
	for (i = 0; i < nitems(rows); i++) {
		assert_int_equal(setopt(so, BSD_IPPROTO_IP, BSD_IP_MTU_DISCOVER, rows[i].how), 0);
		testif_clear(&ia);
		assert_int_equal(test_udpsend(so, NULL, 1472), 0);
		assert_int_equal(ia.ti_n, 1);
		assert_int_equal(ipv4_parse_partial(ia.ti_frames[0].bytes + ETHER_HDR_LEN,
				     IPV4_HDR_LEN, 1500, &ip),
		    IPV4_PARSE_OK);
		assert_int_equal(ip.ip_df, rows[i].df);
		assert_int_equal(test_udpsend(so, NULL, 1473), rows[i].large);
	}
	/* A narrow path: all from PROBE on look past it. */
	in_hostcache_setmtu(a, in4_mapped(B).ia_w, 1000, 1500);
	assert_int_equal(getopt_int(so, BSD_IPPROTO_IP, BSD_IP_MTU), 1000);
	for (i = BSD_IP_PMTUDISC_DONT; i <= BSD_IP_PMTUDISC_OMIT; i++) {
		assert_int_equal(setopt(so, BSD_IPPROTO_IP, BSD_IP_MTU_DISCOVER, (int)i), 0);
		assert_int_equal(getopt_int(so, BSD_IPPROTO_IP, BSD_IP_MTU_DISCOVER), i);
		testif_clear(&ia);
		assert_int_equal(test_udpsend(so, NULL, 1400),
		    i == BSD_IP_PMTUDISC_DO ? BSD_EMSGSIZE : 0);
		assert_int_equal(ia.ti_n,
		    i == BSD_IP_PMTUDISC_DO          ? 0
			: i >= BSD_IP_PMTUDISC_PROBE ? 1
						     : 2);
	}
	assert_int_equal(setopt(so, BSD_IPPROTO_IP, BSD_IP_MTU_DISCOVER, BSD_IP_PMTUDISC_DO), 0);
	assert_int_equal(test_udpsend(so, NULL, 1400), BSD_EMSGSIZE);
	assert_int_equal(setopt(so, BSD_IPPROTO_IP, BSD_IP_MTU_DISCOVER, 6), BSD_EINVAL);
	soclose(so);
}

/* IP_BINDANY: an address that is not ours, yet. */
static void
test_bindany(void **state)
{
	union bsd_sockaddr_any other = test_sin(ipv4_addr_be(10, 9, 9, 9), 7);
	struct socket *so;

	(void)state;
	so = test_udpsocket(a);
	assert_int_equal(sobind(so, &other.sa), BSD_EADDRNOTAVAIL);
	assert_int_equal(setopt(so, BSD_IPPROTO_IP, BSD_IP_BINDANY, 1), 0);
	assert_int_equal(sobind(so, &other.sa), 0);
	soclose(so);
}

static int
scenario(struct netstack *ns, void *arg)
{
	union bsd_sockaddr_any to = test_sin(ipv4_addr_be(127, 0, 0, 1), 0);
	struct socket *ping = NULL, *raw = NULL;
	uint8_t buf[100];
	int error;

	(void)arg;
	if ((error = socreate(ns, BSD_AF_INET, BSD_SOCK_RAW, BSD_IPPROTO_ICMP, &raw)) == 0 &&
	    (error = socreate(ns, BSD_AF_INET, BSD_SOCK_DGRAM, BSD_IPPROTO_ICMP, &ping)) == 0 &&
	    (error = setopt(ping, BSD_IPPROTO_IP, BSD_IP_RECVTTL, 1)) == 0) {
		unsigned nkv = 1;
		struct kvec kv;
		struct mbuf *m = sodirect_room(ping, sizeof(echo), &kv, &nkv);

		error = BSD_ENOBUFS;
		if (m != NULL) {
			memcpy(kv.kv_base, echo, sizeof(echo));
			error = sodirect_send(ping, m, sizeof(echo), &to.sa, NULL, 0);
		}
		test_run_for(ns, NSEC_PER_MSEC);
		if (error == 0 && (recv_next(ping, buf) <= 0 || recv_next(raw, buf) <= 0))
			error = BSD_EIO;
	}
	if (raw != NULL)
		soclose(raw);
	if (ping != NULL)
		soclose(ping);
	return error;
}

static void
test_no_memory(void **state)
{
	(void)state;
	assert_true(for_each_alloc_failure(in_teststack, scenario, NULL) >= 4);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_icmp_socket),
	    T(test_icmp_socket_error),
	    T(test_raw_protocol),
	    T(test_raw_icmp),
	    T(test_hdrincl),
	    T(test_47_full),
	    T(test_control),
	    T(test_group_ttl),
	    T(test_78_control_lies),
	    T(test_pmtudisc),
	    T(test_bindany),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
