/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams through the door: boundaries, addresses, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/fdsock/fd_dgram_testutil.h"
#include "server/fdsock/fd_testutil.h"

/* Every size, to a name and back to whom it came from. */
static void
test_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 1984, 1985, 2048, 2049, 9000, 65506, UDP_MAX};
	uint16_t port, from;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		dgram_send(a, port, sizes[i], (uint8_t)(i + 1));
		from = dgram_expect(b, sizes[i], (uint8_t)(i + 1));
		dgram_send(b, from, sizes[i], (uint8_t)(i + 101));
		assert_int_equal(dgram_expect(a, sizes[i], (uint8_t)(i + 101)), port);
	}
	(void)close(a);
	(void)close(b);
}

static void
test_too_long(void **state)
{
	static struct fdt_reply rep;
	static struct dgram d;
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);

	(void)state;
	dgram_address(&d.hdr, port);
	assert_int_equal(fdt_request(FDSOCK_OP_SENDTO, a, NULL, &d, sizeof(d.hdr) + UDP_MAX + 1,
			     &rep),
	    EMSGSIZE);
	assert_int_equal(fdt_request(FDSOCK_OP_SENDTO, a, NULL, &d, sizeof(d.hdr) + UDP_MAX, &rep),
	    0);
	(void)dgram_expect(b, UDP_MAX, 0);
	assert_int_equal(fdt_request(FDSOCK_OP_SENDTO, a, NULL, &d, 10, &rep), EINVAL);
	/* By the descriptor the error comes later. */
	dgram_send(a, port, UDP_MAX + 1, 1);
	assert_int_equal(dgram_error(a), EMSGSIZE);
	(void)close(a);
	(void)close(b);
}

static void
test_connected(void **state)
{
	uint16_t port, aport;
	int b = dgram_bound(&port), a = dgram_bound(&aport), other = fdt_socket(SOCK_DGRAM);

	(void)state;
	dgram_send(a, 0, 1, 1);
	assert_int_equal(dgram_error(a), EDESTADDRREQ);
	assert_int_equal(fdt_connect(a, INADDR_LOOPBACK, port), 0);
	dgram_send(a, 0, 10, 1);
	assert_int_equal(dgram_expect(b, 10, 1), aport);
	/* To name the peer is no harm, nor to name another; the peer stays. */
	dgram_send(a, port, 11, 2);
	assert_int_equal(dgram_expect(b, 11, 2), aport);
	assert_int_equal(fdt_bind(other, 0), 0);
	dgram_send(a, fdt_port(other), 12, 2);
	assert_int_equal(dgram_expect(other, 12, 2), aport);
	dgram_send(a, 0, 13, 2);
	assert_int_equal(dgram_expect(b, 13, 2), aport);
	/* Only the peer is heard. */
	dgram_send(other, aport, 5, 3);
	dgram_send(b, aport, 6, 4);
	assert_int_equal(dgram_expect(a, 6, 4), port);
	(void)close(a);
	(void)close(b);
	(void)close(other);
}

/* Records with FDSOCK_DG_MORE are the beginning of one datagram. */
static void
test_pieces(void **state)
{
	static struct fdt_reply rep;
	static struct dgram d;
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM), one = 1, zero = 0, value;

	(void)state;
	dgram_address(&d.hdr, port);
	d.hdr.dg_flags |= FDSOCK_DG_MORE;
	memset(d.data, 5, 100);
	assert_int_equal(send(a, &d, sizeof(d.hdr) + 100, 0), sizeof(d.hdr) + 100);
	dgram_send(a, 0, 50, 5); /* no address is needed any more */
	(void)dgram_expect(b, 150, 5);
	/* By request too; the option comes behind what was written before it. */
	assert_int_equal(fdt_setopt(a, IPPROTO_UDP, UDP_CORK, &one, sizeof(one)), 0);
	assert_int_equal(fdt_getopt(a, IPPROTO_UDP, UDP_CORK, &value), 0);
	assert_int_equal(value, 1);
	d.hdr.dg_flags = FDSOCK_DG_ADDR;
	assert_int_equal(fdt_request(FDSOCK_OP_SENDTO, a, NULL, &d, sizeof(d.hdr) + 7, &rep), 0);
	for (int i = 0; i < 100; i++)
		dgram_send(a, port, 2, 5);
	assert_int_equal(fdt_setopt(a, IPPROTO_UDP, UDP_CORK, &zero, sizeof(zero)), 0);
	(void)dgram_expect(b, 207, 5);
	assert_int_equal(fdt_getopt(a, IPPROTO_UDP, 99, &value), ENOPROTOOPT);
	(void)close(a);
	a = fdt_socket(SOCK_STREAM);
	assert_int_equal(fdt_getopt(a, IPPROTO_UDP, UDP_CORK, &value), EOPNOTSUPP);
	assert_int_equal(fdt_setopt(a, IPPROTO_UDP, UDP_CORK, &one, sizeof(one)), ENOPROTOOPT);
	(void)close(a);
	(void)close(b);
}

/* What was sent before a connect goes to the peer of that time. */
static void
test_connect_behind_records(void **state)
{
	uint16_t port[2], aport;
	int b[2] = {dgram_bound(&port[0]), dgram_bound(&port[1])}, a = dgram_bound(&aport);

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(fdt_connect(a, INADDR_LOOPBACK, port[i % 2]), 0);
		dgram_send(a, 0, 1 + i % 2, 6);
	}
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(dgram_expect(b[i % 2], 1 + i % 2, 6), aport);
	(void)close(a);
	(void)close(b[0]);
	(void)close(b[1]);
}

/* Nobody listens there: told once, by a record or by SO_ERROR. */
static void
test_refused(void **state)
{
	uint16_t port;
	int gone = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);
	struct pollfd pfd = {.fd = a, .events = POLLIN};

	(void)state;
	(void)close(gone);
	fdt_await("fdsock.sockets", 1);
	assert_int_equal(fdt_connect(a, INADDR_LOOPBACK, port), 0);
	dgram_send(a, 0, 1, 1);
	assert_int_equal(dgram_error(a), ECONNREFUSED);
	assert_int_equal(fdt_soerror(a), 0);
	dgram_send(a, 0, 1, 1);
	(void)fdt_poll(a, POLLIN);
	assert_int_equal(fdt_soerror(a), ECONNREFUSED);
	assert_int_equal(fdt_soerror(a), 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	(void)close(a);
}

/* Sends len bytes that tell their place. segment -1: as the socket has it */
static void
send_numbered(int sock, uint16_t port, size_t len, int segment, bool request)
{
	static struct fdt_reply rep;
	static struct dgram d;

	dgram_address(&d.hdr, port);
	if (segment >= 0) {
		d.hdr.dg_flags |= FDSOCK_DG_SEGMENT;
		d.hdr.dg_segment = (uint16_t)segment;
	}
	for (size_t i = 0; i < len; i++)
		d.data[i] = (uint8_t)(i * 31 / 8);
	if (request)
		assert_int_equal(fdt_request(FDSOCK_OP_SENDTO, sock, NULL, &d, sizeof(d.hdr) + len,
				     &rep),
		    0);
	else
		assert_int_equal(send(sock, &d, sizeof(d.hdr) + len, 0), sizeof(d.hdr) + len);
}

static void
expect_numbered(int sock, size_t from, size_t len)
{
	static struct dgram d;

	(void)fdt_poll(sock, POLLIN);
	assert_int_equal(recv(sock, &d, sizeof(d), 0), sizeof(d.hdr) + len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(d.data[i], (uint8_t)((from + i) * 31 / 8));
}

static void
dgram_more(int sock, uint16_t port, size_t len)
{
	struct dgram d;

	memset(d.data, 0, len);
	dgram_address(&d.hdr, port);
	d.hdr.dg_flags |= FDSOCK_DG_MORE;
	assert_int_equal(send(sock, &d, sizeof(d.hdr) + len, 0), sizeof(d.hdr) + len);
}

/* UDP_SEGMENT: one record, several datagrams, by the socket's length or the record's. */
static void
test_segments(void **state)
{
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM), stream = fdt_socket(SOCK_STREAM),
	    value;

	(void)state;
	assert_int_equal(fdt_getopt(a, IPPROTO_UDP, UDP_SEGMENT, &value), 0);
	assert_int_equal(value, 0);
	value = -1;
	assert_int_equal(fdt_setopt(a, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof(value)), EINVAL);
	value = 65536;
	assert_int_equal(fdt_setopt(a, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof(value)), EINVAL);
	value = 1500;
	assert_int_equal(fdt_setopt(a, IPPROTO_UDP, UDP_SEGMENT, &value, 3), EINVAL);
	assert_int_equal(fdt_setopt(stream, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof(value)),
	    ENOPROTOOPT);
	assert_int_equal(fdt_setopt(a, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof(value)), 0);
	assert_int_equal(fdt_getopt(a, IPPROTO_UDP, UDP_SEGMENT, &value), 0);
	assert_int_equal(value, 1500);
	for (int request = 0; request < 2; request++) {
		send_numbered(a, port, 5000, -1, request != 0);
		for (size_t at = 0; at < 4500; at += 1500)
			expect_numbered(b, at, 1500);
		expect_numbered(b, 4500, 500);
		send_numbered(a, port, 200, 99, request != 0);
		expect_numbered(b, 0, 99);
		expect_numbered(b, 99, 99);
		expect_numbered(b, 198, 2);
		send_numbered(a, port, 3000, 0, request != 0); /* for once, none */
		expect_numbered(b, 0, 3000);
		send_numbered(a, port, 1500, -1, request != 0);
		expect_numbered(b, 0, 1500);
		send_numbered(a, port, 0, -1, request != 0);
		expect_numbered(b, 0, 0);
	}
	send_numbered(a, port, 129, 1, false);
	assert_int_equal(dgram_error(a), EINVAL);
	send_numbered(a, port, 128, 1, false);
	for (size_t i = 0; i < 128; i++)
		expect_numbered(b, i, 1);
	assert_int_equal(fdt_setopt(a, IPPROTO_UDP, UDP_SEGMENT, &(int){4}, sizeof(int)), 0);
	dgram_more(a, port, 5);
	assert_int_equal(dgram_error(a), EINVAL);
	(void)close(stream);
	(void)close(a);
	(void)close(b);
}

/* UDP_GRO: what one sender sent comes together, but for what is longer, or another's. */
static void
test_joined(void **state)
{
	static struct dgram d;
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM), one = 1, value;

	(void)state;
	assert_int_equal(fdt_getopt(b, IPPROTO_UDP, UDP_GRO, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(fdt_setopt(b, IPPROTO_UDP, UDP_GRO, &one, sizeof(one)), 0);
	assert_int_equal(fdt_getopt(b, IPPROTO_UDP, UDP_GRO, &value), 0);
	assert_int_equal(value, 1);
	send_numbered(a, port, 4300, 1000, true);
	(void)fdt_poll(b, POLLIN);
	assert_int_equal(recv(b, &d, sizeof(d), 0), sizeof(d.hdr) + 4300);
	assert_int_equal(d.hdr.dg_flags, FDSOCK_DG_ADDR | FDSOCK_DG_SEGMENT);
	assert_int_equal(d.hdr.dg_segment, 1000);
	for (size_t i = 0; i < 4300; i++)
		assert_int_equal(d.data[i], (uint8_t)(i * 31 / 8));
	/* More than a record holds, and one that stands alone. */
	send_numbered(a, port, 40, 1, true);
	for (size_t at = 0; at < 40;) {
		ssize_t n;

		(void)fdt_poll(b, POLLIN);
		n = recv(b, &d, sizeof(d), 0) - (ssize_t)sizeof(d.hdr);
		assert_int_equal(n, at == 0 ? 32 : 8);
		at += (size_t)n;
	}
	send_numbered(a, port, 77, 0, true);
	(void)fdt_poll(b, POLLIN);
	assert_int_equal(recv(b, &d, sizeof(d), 0), sizeof(d.hdr) + 77);
	assert_int_equal(d.hdr.dg_flags, FDSOCK_DG_ADDR);
	(void)close(a);
	(void)close(b);
}

/* Each datagram of its own kind: a longer one, an empty one, and another sender's stay apart. */
static void
test_joined_apart(void **state)
{
	static const struct {
		bool other;
		size_t len;
	} sent[] = {{false, 10}, {false, 20}, {true, 20}, {false, 20}, {false, 0}, {false, 20}};
	uint16_t port;
	int b = dgram_bound(&port), a[2] = {fdt_socket(SOCK_DGRAM), fdt_socket(SOCK_DGRAM)},
	    one = 1;

	(void)state;
	assert_int_equal(fdt_setopt(b, IPPROTO_UDP, UDP_GRO, &one, sizeof(one)), 0);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		send_numbered(a[sent[i].other], port, sent[i].len, 0, true);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		expect_numbered(b, 0, sent[i].len);
	(void)close(a[0]);
	(void)close(a[1]);
	(void)close(b);
}

/* Records without a whole header, with flags of tomorrow, of no family: nothing but counted. */
static void
test_bad_records(void **state)
{
	struct fdsock_dgram dg = {.dg_flags = 0x80000000u};
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);

	(void)state;
	assert_int_equal(send(a, "short", 5, 0), 5);
	assert_int_equal(send(a, &dg, sizeof(dg) - 1, 0), sizeof(dg) - 1);
	assert_int_equal(send(a, &dg, sizeof(dg), 0), sizeof(dg));
	assert_int_equal(dgram_error(a), EINVAL);
	dg.dg_flags = FDSOCK_DG_ADDR;
	dg.dg_family = 999;
	assert_int_equal(send(a, &dg, sizeof(dg), 0), sizeof(dg));
	assert_int_equal(dgram_error(a), EAFNOSUPPORT);
	assert_int_equal(fdt_sysctl("fdsock.stats.dgrams_bad"), 2);
	dgram_send(a, port, 7, 7);
	(void)dgram_expect(b, 7, 7);
	(void)close(a);
	(void)close(b);
}

/* A client that does not read costs no more than its buffers. */
static void
test_flood(void **state)
{
	uint16_t port;
	int b = dgram_bound(&port), a = fdt_socket(SOCK_DGRAM);
	unsigned got = 0;

	(void)state;
	for (int i = 0; i < 5000; i++)
		dgram_send(a, port, 1000, 9);
	fdt_await("fdsock.stats.dgrams_in", 5000);
	for (struct pollfd pfd = {.fd = b, .events = POLLIN}; poll(&pfd, 1, 100) == 1; got++)
		(void)dgram_expect(b, 1000, 9);
	assert_true(got >= 50 && got < 5000);
	dgram_send(a, port, 1, 1);
	(void)dgram_expect(b, 1, 1);
	(void)close(a);
	(void)close(b);
}

static int
six(void)
{
	static const int32_t arg[4] = {AF_INET6, SOCK_DGRAM, 0};
	static struct fdt_reply rep;

	assert_int_equal(fdt_request(FDSOCK_OP_SOCKET, -1, arg, NULL, 0, &rep), 0);
	assert_true(rep.fd >= 0);
	return rep.fd;
}

/* The next record of a socket that asked for all there is to be told of IPv6, and of IPv4's TTL. */
static struct fdsock_dgram
told(int sock)
{
	static struct dgram d;

	(void)fdt_poll(sock, POLLIN);
	assert_int_equal(recv(sock, &d, sizeof(d), 0), sizeof(d.hdr) + 1);
	assert_int_equal(d.hdr.dg_family, AF_INET6);
	return d.hdr;
}

/* By a socket of both families: names, and what each is told of a datagram, are those of its family. */
static void
test_inet6(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1};
	const uint32_t of6 = FDSOCK_DG_PKTINFO6 | FDSOCK_DG_HOPLIMIT | FDSOCK_DG_TCLASS;
	const struct {
		int level, name;
	} wanted[] = {{IPPROTO_IPV6, IPV6_RECVPKTINFO}, {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
	    {IPPROTO_IPV6, IPV6_RECVTCLASS}, {IPPROTO_IP, IP_RECVTTL}};
	struct sockaddr_in6 any = {.sin6_family = AF_INET6}, is;
	static struct fdt_reply rep;
	struct dgram *d = calloc(1, sizeof(*d));
	struct fdsock_dgram got;
	int b = six(), a = six(), on = 1;

	(void)state;
	assert_non_null(d);
	assert_int_equal(fdt_request(FDSOCK_OP_BIND, b, NULL, &any, sizeof(any), &rep), 0);
	assert_int_equal(fdt_request(FDSOCK_OP_GETSOCKNAME, b, NULL, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_datalen, sizeof(is));
	memcpy(&is, rep.data, sizeof(is));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(fdt_setopt(b, wanted[i].level, wanted[i].name, &on, sizeof(on)),
		    0);
	d->hdr = (struct fdsock_dgram){.dg_family = AF_INET6,
	    .dg_port = is.sin6_port,
	    .dg_flags = FDSOCK_DG_ADDR | of6,
	    .dg_ttl = 7,
	    .dg_tos = 0x28};
	memcpy(d->hdr.dg_addr, &in6addr_loopback, 16);
	memcpy(d->hdr.dg_local, &in6addr_loopback, 16);
	assert_int_equal(send(a, d, sizeof(d->hdr) + 1, 0), sizeof(d->hdr) + 1);
	got = told(b);
	assert_int_equal(got.dg_flags, FDSOCK_DG_ADDR | of6);
	assert_int_equal(got.dg_ttl, 7);
	assert_int_equal(got.dg_tos, 0x28);
	assert_memory_equal(got.dg_addr, &in6addr_loopback, 16);
	assert_memory_equal(got.dg_local, &in6addr_loopback, 16);
	memcpy(d->hdr.dg_addr, mapped, 16);
	memcpy(d->hdr.dg_local, mapped, 16);
	assert_int_equal(send(a, d, sizeof(d->hdr) + 1, 0), sizeof(d->hdr) + 1);
	got = told(b);
	assert_int_equal(got.dg_flags, FDSOCK_DG_ADDR | FDSOCK_DG_PKTINFO6 | FDSOCK_DG_TTL);
	assert_int_equal(got.dg_ttl, 64); /* a hop limit is IPv6's */
	assert_memory_equal(got.dg_addr, mapped, 16);
	assert_memory_equal(got.dg_local, mapped, 16);
	free(d);
	(void)close(a);
	(void)close(b);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fdt_setup, fdt_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_sizes),
	    T(test_too_long),
	    T(test_connected),
	    T(test_pieces),
	    T(test_connect_behind_records),
	    T(test_refused),
	    T(test_segments),
	    T(test_joined),
	    T(test_joined_apart),
	    T(test_bad_records),
	    T(test_flood),
	    T(test_inet6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
