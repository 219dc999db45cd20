/* SPDX-License-Identifier: BSD-2-Clause */
/* Two sister stacks that are one host, and a peer whose packets come to the wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>
#include <rumpus/socket.h>
#include <rumpus/stack.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/testutil.h"
#include "wire/ipv4.h"

#define MTU 1500
#define PORT 7
#define MAXPACKETS 64
#define MAXLEN 4000 /* what is passed on may be larger than what the wire takes */

enum { FIRST, SECOND, PEER, NSTACKS };

/* What a stack has sent, or passed on. */
struct packets {
	unsigned n;
	struct rumpus_stray stray[MAXPACKETS];
	uint8_t bytes[MAXPACKETS][MAXLEN];
};

static struct {
	struct netstack *ns;
	struct rumpus_proc *p;
	struct packets out;
	struct packets strays;
} side[NSTACKS];
static uint64_t now_ns;

static void
output(void *arg, const uint8_t *packet, size_t len)
{
	struct packets *pk = arg;

	assert_true(pk->n < MAXPACKETS && len <= MTU);
	pk->stray[pk->n].rs_len = (uint32_t)len;
	memcpy(pk->bytes[pk->n++], packet, len);
}

static void
pass(void *arg, const struct rumpus_stray *rs, const struct mbuf *m)
{
	struct packets *pk = arg;

	assert_true(pk->n < MAXPACKETS && rs->rs_len <= MAXLEN);
	pk->stray[pk->n] = *rs;
	rumpus_stray_copy(m, pk->bytes[pk->n++]);
}

static int
setup(void **state)
{
	(void)state;
	now_ns = NSEC_PER_SEC;
	for (unsigned i = 0; i < NSTACKS; i++) {
		struct rumpus_config rc = {.rc_seed = {(uint8_t)i}, .rc_now_ns = now_ns};

		memset(&side[i], 0, sizeof(side[i]));
		side[i].ns = rumpus_create(&rc);
		assert_non_null(side[i].ns);
		assert_int_equal(rumpus_ptp_attach(side[i].ns, "ppp0", MTU, output, &side[i].out),
		    0);
		assert_int_equal(rumpus_addr_add(side[i].ns, "ppp0",
				     i == PEER ? "10.0.0.9/24" : "10.0.0.1/24"),
		    0);
		side[i].p = rumpus_proc_create(side[i].ns, "test");
		if (i != PEER)
			rumpus_stray_hook(side[i].ns, pass, &side[i].strays);
	}
	return 0;
}

static void
run(void)
{
	for (unsigned i = 0; i < NSTACKS; i++) {
		rumpus_enter(side[i].ns, now_ns);
		rumpus_run(side[i].ns);
	}
}

/* The sister gets what was passed on; there is nobody behind her. */
static void
carry_strays(void)
{
	for (unsigned i = FIRST; i <= SECOND; i++) {
		struct packets pk = side[i].strays;

		side[i].strays.n = 0;
		for (unsigned n = 0; n < pk.n; n++)
			assert_int_equal(rumpus_stray_input(side[SECOND - i].ns, &pk.stray[n],
					     pk.bytes[n], true),
			    0);
	}
	run();
}

/* What the peer sends comes to `to`, what the host sends to the peer, until all is still. */
static void
carry(unsigned to)
{
	bool moved = true;

	while (moved) {
		moved = false;
		run();
		for (unsigned i = 0; i < NSTACKS; i++) {
			static struct packets pk;

			pk = side[i].out;
			side[i].out.n = 0;
			moved = moved || pk.n > 0;
			for (unsigned n = 0; n < pk.n; n++)
				assert_int_equal(rumpus_ptp_input(side[i == PEER ? to : PEER].ns,
						     "ppp0", pk.bytes[n], pk.stray[n].rs_len),
				    0);
		}
		moved = moved || side[FIRST].strays.n + side[SECOND].strays.n > 0;
		carry_strays();
	}
}

static int
teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NSTACKS; i++)
		rumpus_proc_exit(side[i].p);
	carry(FIRST);
	for (unsigned i = 0; i < 300; i++) {
		now_ns += NSEC_PER_SEC;
		carry(FIRST);
	}
	for (unsigned i = 0; i < NSTACKS; i++) {
		test_pools_empty(side[i].ns);
		rumpus_destroy(side[i].ns);
	}
	return 0;
}

static struct bsd_sockaddr_in
host_address(uint16_t port)
{
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin), .sin_family = BSD_AF_INET};
	const uint8_t addr[4] = {10, 0, 0, 1}, portbytes[2] = {(uint8_t)(port >> 8), (uint8_t)port};

	memcpy(&sin.sin_addr, addr, sizeof(addr));
	memcpy(&sin.sin_port, portbytes, sizeof(portbytes));
	return sin;
}

static int
listener(unsigned i)
{
	struct bsd_sockaddr_in sin = host_address(PORT);
	int fd = rumpus_socket(side[i].p, BSD_AF_INET, BSD_SOCK_STREAM, 0);

	assert_int_equal(rumpus_bind(side[i].p, fd, (void *)&sin, sizeof(sin)), 0);
	assert_int_equal(rumpus_listen(side[i].p, fd, 5), 0);
	return fd;
}

static int
dial(uint16_t port)
{
	struct bsd_sockaddr_in sin = host_address(port);
	int fd = rumpus_socket(side[PEER].p, BSD_AF_INET, BSD_SOCK_STREAM, 0);

	assert_int_equal(rumpus_connect(side[PEER].p, fd, (void *)&sin, sizeof(sin)),
	    -BSD_EINPROGRESS);
	return fd;
}

/* What the peer is about to send comes to `to`, and no more. */
static void
syn_to(unsigned to)
{
	run();
	assert_int_equal(side[PEER].out.n, 1);
	side[PEER].out.n = 0;
	assert_int_equal(rumpus_ptp_input(side[to].ns, "ppp0", side[PEER].out.bytes[0],
			     side[PEER].out.stray[0].rs_len),
	    0);
}

/* A connection of the first goes on although all that the peer sends comes to the second. */
static void
test_connection(void **state)
{
	int l = listener(FIRST), c = dial(PORT), fd;
	char text[8] = "";

	(void)state;
	carry(SECOND);
	fd = rumpus_accept(side[FIRST].p, l, NULL, NULL, 0);
	assert_true(fd >= 0);
	assert_int_equal(rumpus_write(side[PEER].p, c, "astray", 6), 6);
	carry(SECOND);
	assert_int_equal(rumpus_read(side[FIRST].p, fd, text, sizeof(text)), 6);
	assert_string_equal(text, "astray");
}

/* Each with a listener of its own: a connection belongs to whom it came to. */
static void
test_twins(void **state)
{
	int l[2] = {listener(FIRST), listener(SECOND)};

	(void)state;
	(void)dial(PORT);
	carry(SECOND);
	assert_int_equal(rumpus_accept(side[FIRST].p, l[FIRST], NULL, NULL, 0), -BSD_EAGAIN);
	assert_true(rumpus_accept(side[SECOND].p, l[SECOND], NULL, NULL, 0) >= 0);
}

static void
goes_on(int l, int c)
{
	int fd = rumpus_accept(side[FIRST].p, l, NULL, NULL, 0);
	char text[8] = "";

	assert_true(fd >= 0);
	assert_int_equal(rumpus_write(side[PEER].p, c, "astray", 6), 6);
	carry(SECOND);
	assert_int_equal(rumpus_read(side[FIRST].p, fd, text, sizeof(text)), 6);
	assert_string_equal(text, "astray");
	now_ns += NSEC_PER_SEC; /* acknowledged meanwhile */
	carry(SECOND);
	assert_int_equal(rumpus_write(side[PEER].p, c, "more", 4), 4);
	carry(FIRST);
	assert_int_equal(rumpus_read(side[FIRST].p, fd, text, sizeof(text)), 4);
}

/* A SYN comes to the first, all else to the second, who has a listener there, too. */
static void
test_twins_stray(void **state)
{
	int l[2] = {listener(FIRST), listener(SECOND)}, c = dial(PORT);

	(void)state;
	syn_to(FIRST);
	carry(SECOND);
	assert_int_equal(rumpus_accept(side[SECOND].p, l[SECOND], NULL, NULL, 0), -BSD_EAGAIN);
	goes_on(l[FIRST], c);
}

/* The same with a cookie, which only who made it can read. */
static void
test_twins_cookie(void **state)
{
	int l[2] = {listener(FIRST), listener(SECOND)}, c = dial(PORT), d;

	(void)state;
	for (unsigned i = FIRST; i <= SECOND; i++)
		assert_int_equal(rumpus_sysctl_set(side[i].ns, "net.inet.tcp.syncookies_only", "1"),
		    0);
	syn_to(FIRST);
	carry(SECOND);
	goes_on(l[FIRST], c);
	/* though the other has cookies out as well */
	d = dial(PORT);
	carry(SECOND);
	assert_true(rumpus_accept(side[SECOND].p, l[SECOND], NULL, NULL, 0) >= 0);
	(void)d;
	c = dial(PORT);
	syn_to(FIRST);
	carry(SECOND);
	goes_on(l[FIRST], c);
}

/* A segment that nobody has looked at is looked at by whom it reaches. */
static void
test_damaged(void **state)
{
	int l = listener(FIRST), c = dial(PORT), fd;
	char text[8];

	(void)state;
	carry(FIRST);
	fd = rumpus_accept(side[FIRST].p, l, NULL, NULL, 0);
	assert_true(fd >= 0);
	assert_int_equal(rumpus_write(side[PEER].p, c, "whole", 5), 5);
	run();
	assert_int_equal(side[PEER].out.n, 1);
	side[PEER].out.bytes[0][side[PEER].out.stray[0].rs_len - 1] ^= 1;
	carry(SECOND);
	assert_int_equal(rumpus_read(side[FIRST].p, fd, text, sizeof(text)), -BSD_EAGAIN);
	now_ns += NSEC_PER_SEC;
	carry(SECOND);
	assert_int_equal(rumpus_read(side[FIRST].p, fd, text, sizeof(text)), 5);
}

/* Nobody's: one reset, from the last who was asked. */
static void
test_nobody(void **state)
{
	int c = dial(PORT), error = 0;
	uint32_t len = sizeof(error);

	(void)state;
	run();
	assert_int_equal(side[PEER].out.n, 1);
	assert_int_equal(rumpus_ptp_input(side[FIRST].ns, "ppp0", side[PEER].out.bytes[0],
			     side[PEER].out.stray[0].rs_len),
	    0);
	side[PEER].out.n = 0;
	assert_int_equal(side[FIRST].strays.n, 1);
	assert_false(side[FIRST].strays.stray[0].rs_all);
	carry_strays();
	assert_int_equal(side[FIRST].out.n, 0);
	assert_int_equal(side[SECOND].strays.n, 0);
	assert_int_equal(side[SECOND].out.n, 1);
	carry(FIRST);
	assert_int_equal(rumpus_getsockopt(side[PEER].p, c, BSD_SOL_SOCKET, BSD_SO_ERROR, &error,
			     &len),
	    0);
	assert_int_equal(error, BSD_ECONNREFUSED);
}

/* Datagrams find their socket; the error about a port that nobody has comes once. */
static void
test_datagrams(void **state)
{
	struct bsd_sockaddr_in sin = host_address(PORT);
	int fd = rumpus_socket(side[FIRST].p, BSD_AF_INET, BSD_SOCK_DGRAM, 0);
	int c = rumpus_socket(side[PEER].p, BSD_AF_INET, BSD_SOCK_DGRAM, 0);
	char text[8];

	(void)state;
	assert_int_equal(rumpus_bind(side[FIRST].p, fd, (void *)&sin, sizeof(sin)), 0);
	assert_int_equal(rumpus_connect(side[PEER].p, c, (void *)&sin, sizeof(sin)), 0);
	assert_int_equal(rumpus_write(side[PEER].p, c, "x", 1), 1);
	carry(SECOND);
	assert_int_equal(rumpus_read(side[FIRST].p, fd, text, sizeof(text)), 1);
	assert_int_equal(rumpus_close(side[FIRST].p, fd), 0);
	assert_int_equal(rumpus_write(side[PEER].p, c, "x", 1), 1);
	carry(SECOND);
	assert_int_equal(rumpus_read(side[PEER].p, c, text, sizeof(text)), -BSD_ECONNREFUSED);
	assert_int_equal(rumpus_read(side[PEER].p, c, text, sizeof(text)), -BSD_EAGAIN);
}

/* An ICMP error about the first's packet reaches her by the second. */
static void
test_errors_go_to_all(void **state)
{
	struct bsd_sockaddr_in sin = host_address(PORT);
	const uint8_t peer[4] = {10, 0, 0, 9};
	int fd = rumpus_socket(side[FIRST].p, BSD_AF_INET, BSD_SOCK_DGRAM, 0);
	char byte;

	(void)state;
	memcpy(&sin.sin_addr, peer, sizeof(peer));
	assert_int_equal(rumpus_connect(side[FIRST].p, fd, (void *)&sin, sizeof(sin)), 0);
	assert_int_equal(rumpus_write(side[FIRST].p, fd, "x", 1), 1);
	carry(SECOND);
	assert_int_equal(rumpus_read(side[FIRST].p, fd, &byte, 1), -BSD_ECONNREFUSED);
}

/* What comes for a group reaches the members of each, once, whoever it comes to. */
static void
test_groups_go_to_all(void **state)
{
	struct bsd_ip_mreqn mreq = {ipv4_addr_be(239, 1, 2, 3), ipv4_addr_be(10, 0, 0, 1), 0};
	struct bsd_sockaddr_in sin = host_address(PORT);
	int c = rumpus_socket(side[PEER].p, BSD_AF_INET, BSD_SOCK_DGRAM, 0), fd[2];
	uint32_t out = ipv4_addr_be(10, 0, 0, 9);
	char byte;

	(void)state;
	memcpy(&sin.sin_addr, &mreq.imr_multiaddr_be, sizeof(sin.sin_addr));
	for (unsigned i = FIRST; i <= SECOND; i++) {
		fd[i] = rumpus_socket(side[i].p, BSD_AF_INET, BSD_SOCK_DGRAM, 0);
		assert_int_equal(rumpus_bind(side[i].p, fd[i], (void *)&sin, sizeof(sin)), 0);
	}
	assert_int_equal(rumpus_setsockopt(side[PEER].p, c, BSD_IPPROTO_IP, BSD_IP_MULTICAST_IF,
			     &out, sizeof(out)),
	    0);
	assert_int_equal(rumpus_connect(side[PEER].p, c, (void *)&sin, sizeof(sin)), 0);
	for (unsigned members = 0; members <= 2; members++) {
		assert_int_equal(rumpus_write(side[PEER].p, c, "x", 1), 1);
		carry(SECOND);
		for (unsigned i = FIRST; i <= SECOND; i++) {
			assert_int_equal(rumpus_read(side[i].p, fd[i], &byte, 1),
			    i < members ? 1 : -BSD_EAGAIN);
			assert_int_equal(rumpus_read(side[i].p, fd[i], &byte, 1), -BSD_EAGAIN);
		}
		if (members < 2)
			assert_int_equal(rumpus_setsockopt(side[members].p, fd[members],
					     BSD_IPPROTO_IP, BSD_IP_ADD_MEMBERSHIP, &mreq,
					     sizeof(mreq)),
			    0);
	}
}

/* What one of them sends to a group reaches the members of each, once; not with IP_MULTICAST_LOOP off. */
static void
test_own_go_to_all(void **state)
{
	struct bsd_ip_mreqn mreq = {ipv4_addr_be(239, 1, 2, 3), ipv4_addr_be(10, 0, 0, 1), 0};
	struct bsd_sockaddr_in sin = host_address(PORT);
	int c = rumpus_socket(side[SECOND].p, BSD_AF_INET, BSD_SOCK_DGRAM, 0), fd[2], off = 0;
	char text[2000] = "";

	(void)state;
	memcpy(&sin.sin_addr, &mreq.imr_multiaddr_be, sizeof(sin.sin_addr));
	assert_int_equal(rumpus_setsockopt(side[SECOND].p, c, BSD_IPPROTO_IP, BSD_IP_MULTICAST_IF,
			     &mreq.imr_address_be, sizeof(mreq.imr_address_be)),
	    0);
	assert_int_equal(rumpus_connect(side[SECOND].p, c, (void *)&sin, sizeof(sin)), 0);
	for (unsigned i = FIRST; i <= SECOND; i++) {
		fd[i] = rumpus_socket(side[i].p, BSD_AF_INET, BSD_SOCK_DGRAM, 0);
		assert_int_equal(rumpus_bind(side[i].p, fd[i], (void *)&sin, sizeof(sin)), 0);
	}
	for (unsigned members = 0; members <= 2; members++) {
		/* in fragments to the wire, whole to the host's own */
		assert_int_equal(rumpus_write(side[SECOND].p, c, text, sizeof(text)), sizeof(text));
		carry(FIRST);
		for (unsigned i = FIRST; i <= SECOND; i++) {
			assert_int_equal(rumpus_read(side[i].p, fd[i], text, sizeof(text)),
			    i < members ? (int)sizeof(text) : -BSD_EAGAIN);
			assert_int_equal(rumpus_read(side[i].p, fd[i], text, 1), -BSD_EAGAIN);
		}
		if (members < 2)
			assert_int_equal(rumpus_setsockopt(side[members].p, fd[members],
					     BSD_IPPROTO_IP, BSD_IP_ADD_MEMBERSHIP, &mreq,
					     sizeof(mreq)),
			    0);
	}
	assert_int_equal(rumpus_setsockopt(side[SECOND].p, c, BSD_IPPROTO_IP, BSD_IP_MULTICAST_LOOP,
			     &off, sizeof(off)),
	    0);
	assert_int_equal(rumpus_write(side[SECOND].p, c, "x", 1), 1);
	carry(FIRST);
	for (unsigned i = FIRST; i <= SECOND; i++)
		assert_int_equal(rumpus_read(side[i].p, fd[i], text, 1), -BSD_EAGAIN);
}

/* The same with a group of IPv6, which an interface of its own stays within. */
static void
test_own_go_to_all6(void **state)
{
	struct bsd_ipv6_mreq mreq = {.ipv6mr_multiaddr = {{0xff, 0x01, [15] = 0x77}},
	    .ipv6mr_interface = 1}; /* lo0 */
	struct bsd_sockaddr_in6 sin6 = {.sin6_len = sizeof(sin6),
	    .sin6_family = BSD_AF_INET6,
	    .sin6_port = htobe16(PORT),
	    .sin6_scope_id = 1};
	int c = rumpus_socket(side[FIRST].p, BSD_AF_INET6, BSD_SOCK_DGRAM, 0), fd[2];
	char byte;

	(void)state;
	for (unsigned i = FIRST; i <= SECOND; i++) {
		fd[i] = rumpus_socket(side[i].p, BSD_AF_INET6, BSD_SOCK_DGRAM, 0);
		assert_int_equal(rumpus_bind(side[i].p, fd[i], (void *)&sin6, sizeof(sin6)), 0);
		assert_int_equal(rumpus_setsockopt(side[i].p, fd[i], BSD_IPPROTO_IPV6,
				     BSD_IPV6_JOIN_GROUP, &mreq, sizeof(mreq)),
		    0);
	}
	memcpy(&sin6.sin6_addr, &mreq.ipv6mr_multiaddr, sizeof(sin6.sin6_addr));
	assert_int_equal(rumpus_connect(side[FIRST].p, c, (void *)&sin6, sizeof(sin6)), 0);
	assert_int_equal(rumpus_write(side[FIRST].p, c, "x", 1), 1);
	carry(FIRST);
	for (unsigned i = FIRST; i <= SECOND; i++) {
		assert_int_equal(rumpus_read(side[i].p, fd[i], &byte, 1), 1);
		assert_int_equal(rumpus_read(side[i].p, fd[i], &byte, 1), -BSD_EAGAIN);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_connection, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_twins, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_twins_stray, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_twins_cookie, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_datagrams, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_errors_go_to_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_groups_go_to_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_own_go_to_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_own_go_to_all6, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
