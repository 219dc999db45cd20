/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of sockets: each once, however few are asked for at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>
#include <rumpus/stack.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "wire/be.h"

#define DGRAMS 300
#define SAME 40 /* on one port */

static struct netstack *
instance(void)
{
	struct rumpus_config rc = {.rc_now_ns = NSEC_PER_SEC};
	struct netstack *ns = rumpus_create(&rc);

	assert_non_null(ns);
	return ns;
}

static struct bsd_sockaddr_in
loopback(uint16_t port)
{
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin), .sin_family = BSD_AF_INET};
	const uint8_t addr[4] = {127, 0, 0, 1}, bytes[2] = {(uint8_t)(port >> 8), (uint8_t)port};

	memcpy(&sin.sin_addr, addr, sizeof(addr));
	memcpy(&sin.sin_port, bytes, sizeof(bytes));
	return sin;
}

static uint16_t
port_of(const union bsd_sockaddr_any *nam)
{
	uint8_t bytes[2];

	memcpy(bytes, &nam->sin.sin_port, sizeof(bytes));
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static struct socket *
bound(struct netstack *ns, int type, uint16_t port)
{
	struct sockopt reuse = {.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_REUSEPORT,
	    .sopt_size = sizeof(int)};
	struct bsd_sockaddr_in sin = loopback(port);
	struct socket *so;
	int one = 1;

	assert_int_equal(socreate(ns, BSD_AF_INET, type, 0, &so), 0);
	so->so_state |= SS_NBIO;
	memcpy(reuse.sopt_data, &one, sizeof(one));
	assert_int_equal(sosetopt(so, &reuse), 0);
	assert_int_equal(sobind(so, (const struct bsd_sockaddr *)&sin), 0);
	return so;
}

/* How often a local port of a protocol is in the list, asked for `max` at a time. */
static void
count(const struct netstack *ns, unsigned max, int protocol, uint16_t *seen)
{
	struct rumpus_sockpos sp = {0};
	struct rumpus_sockinfo *si = calloc(max, sizeof(*si));

	memset(seen, 0, 65536 * sizeof(*seen));
	for (unsigned turns = 0; sp.sp_part != RUMPUS_SOCKPOS_END; turns++) {
		unsigned n = rumpus_sockinfo(ns, &sp, si, max);

		assert_true(n <= max && turns < 10000);
		for (unsigned i = 0; i < n; i++) {
			if (si[i].si_protocol == protocol)
				seen[port_of(&si[i].si_local)]++;
		}
	}
	assert_int_equal(rumpus_sockinfo(ns, &sp, si, max), 0);
	free(si);
}

static void
test_each_once(void **state)
{
	static uint16_t seen[65536];
	struct socket *so[DGRAMS + SAME], *raw;
	struct netstack *ns = instance();

	(void)state;
	for (unsigned i = 0; i < DGRAMS + SAME; i++)
		so[i] = bound(ns, BSD_SOCK_DGRAM, (uint16_t)(1000 + KERN_MIN(i, (unsigned)DGRAMS)));
	assert_int_equal(socreate(ns, BSD_AF_INET, BSD_SOCK_RAW, 89, &raw), 0);
	for (unsigned max = 1; max < 100; max += 13) {
		count(ns, max, BSD_IPPROTO_UDP, seen);
		for (unsigned i = 0; i < DGRAMS; i++)
			assert_int_equal(seen[1000 + i], 1);
		assert_int_equal(seen[1000 + DGRAMS], SAME);
		count(ns, max, 89, seen);
		assert_int_equal(seen[0], 1);
	}
	for (unsigned i = 0; i < DGRAMS + SAME; i++)
		(void)soclose(so[i]);
	(void)soclose(raw);
	rumpus_destroy(ns);
}

/* => the only entry in that state */
static struct rumpus_sockinfo
entry(const struct netstack *ns, int state)
{
	static struct rumpus_sockinfo si[64];
	struct rumpus_sockinfo found = {0};
	struct rumpus_sockpos sp = {0};
	unsigned n, matching = 0;

	do {
		n = rumpus_sockinfo(ns, &sp, si, nitems(si));
		for (unsigned i = 0; i < n; i++) {
			if (si[i].si_state == state) {
				found = si[i];
				matching++;
			}
		}
	} while (sp.sp_part != RUMPUS_SOCKPOS_END);
	assert_int_equal(matching, 1);
	return found;
}

/* A listener's queue and backlog; a connection's ends, bytes and estimates. */
static void
test_streams(void **state)
{
	struct netstack *ns = instance();
	struct socket *head = bound(ns, BSD_SOCK_STREAM, 80), *so, *conn;
	struct bsd_sockaddr_in sin = loopback(80);
	struct rumpus_sockinfo si;
	struct mbuf *m;
	struct kvec kv;
	unsigned nkv = 1;

	(void)state;
	assert_int_equal(solisten(head, 5), 0);
	assert_int_equal(socreate(ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &so), 0);
	so->so_state |= SS_NBIO;
	assert_int_equal(soconnect(so, (const struct bsd_sockaddr *)&sin), 0);
	si = entry(ns, BSD_TCPS_SYN_SENT);
	assert_ptr_equal(si.si_socket, so);
	assert_int_equal(port_of(&si.si_peer), 80);
	rumpus_run(ns);
	si = entry(ns, BSD_TCPS_LISTEN);
	assert_int_equal(si.si_recvq, 1);
	assert_int_equal(si.si_sendq, 5);
	assert_ptr_equal(si.si_socket, head);
	assert_int_equal(soaccept(head, true, &conn, NULL), 0);
	(void)soclose(head);
	m = sodirect_room(so, 10, &kv, &nkv);
	assert_non_null(m);
	memset(kv.kv_base, 'x', 10);
	assert_int_equal(sodirect_send(so, m, 10, NULL, NULL, BSD_MSG_DONTWAIT), 0);
	rumpus_run(ns);
	(void)soclose(so);
	rumpus_run(ns);
	si = entry(ns, BSD_TCPS_CLOSE_WAIT);
	assert_ptr_equal(si.si_socket, conn);
	assert_int_equal(si.si_recvq, 10);
	assert_int_equal(si.si_tcp.tcpi_bytes_received, 10);
	assert_true(si.si_congctl[0] != '\0' && si.si_tcp.tcpi_snd_mss > 0);
	sodirect_consume(conn, 10);
	(void)soclose(conn);
	rumpus_run(ns);
	si = entry(ns, BSD_TCPS_TIME_WAIT); /* of which there is a record only */
	assert_null(si.si_socket);
	assert_int_equal(port_of(&si.si_peer), 80);
	assert_int_equal(si.si_protocol, BSD_IPPROTO_TCP);
	rumpus_destroy(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_once),
	    cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
