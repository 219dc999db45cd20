/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of groups: who hears what, what a join or a leave is refused with, limits, interfaces that go. */
#include <setjmp.h>
#include <stdarg.h>
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

#define A ipv4_addr_be(10, 0, 0, 1)
#define B ipv4_addr_be(10, 0, 0, 2)
#define LOOP ipv4_addr_be(127, 0, 0, 1)
#define GROUP ipv4_addr_be(239, 1, 2, 3)
#define OTHER ipv4_addr_be(239, 1, 2, 4)
#define PORT 7

static struct netstack *a, *b;
static struct testif ia, ib;
static struct socket *snd, *rcv;

static int
setup(void **state)
{
	union bsd_sockaddr_any sa = test_sin(0, PORT);

	(void)state;
	a = in_teststack();
	b = in_teststack();
	assert_int_equal(testif_attach(a, &ia, 1, A), 0);
	assert_int_equal(testif_attach(b, &ib, 2, B), 0);
	ia.ti_if.if_flags |= IFF_BROADCAST | IFF_MULTICAST;
	ib.ti_if.if_flags |= IFF_BROADCAST | IFF_MULTICAST;
	testwire_run_for(&ia, &ib, 10 * NSEC_PER_SEC);
	snd = test_udpsocket(a);
	rcv = test_udpsocket(b);
	assert_int_equal(sobind(rcv, &sa.sa), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	soclose(snd);
	soclose(rcv);
	testwire_run_for(&ia, &ib, 61 * NSEC_PER_SEC);
	test_netstack_end(a);
	test_netstack_end(b);
	return 0;
}

static int
setopt(struct socket *so, int name, const void *value, size_t len)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IP, .sopt_name = name, .sopt_size = len};

	memcpy(sopt.sopt_data, value, len);
	return sosetopt(so, &sopt);
}

/* By address or index of the interface; as ip_mreq when there is no index. */
static int
member(struct socket *so, int name, uint32_t group_be, uint32_t address_be, int ifindex)
{
	struct bsd_ip_mreqn mreq = {group_be, address_be, ifindex};

	return setopt(so, name, &mreq, ifindex != 0 ? sizeof(mreq) : BSD_IP_MREQ_LEN);
}

static int
join(struct socket *so, uint32_t group_be)
{
	return member(so, BSD_IP_ADD_MEMBERSHIP, group_be, 0, 0);
}

static int
leave(struct socket *so, uint32_t group_be)
{
	return member(so, BSD_IP_DROP_MEMBERSHIP, group_be, 0, 0);
}

static bool
hears(struct socket *so)
{
	union bsd_sockaddr_any from;
	uint8_t buf[64];
	size_t n = sizeof(buf);

	return test_udprecv(so, &from, buf, &n) == 0;
}

static void
say(uint32_t group_be)
{
	union bsd_sockaddr_any to = test_sin(group_be, PORT);

	assert_int_equal(test_udpsend(snd, &to, 10), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
}

/* Only what was joined is let in, and no longer than until it is left. */
static void
test_members_hear(void **state)
{
	(void)state;
	say(GROUP);
	assert_int_equal(b->ns_drops[DROP_IP_NOTFORUS], 1);
	assert_int_equal(join(rcv, GROUP), 0);
	say(GROUP);
	assert_true(hears(rcv));
	say(OTHER);
	assert_false(hears(rcv));
	assert_int_equal(b->ns_drops[DROP_IP_NOTFORUS], 2);
	assert_int_equal(leave(rcv, GROUP), 0);
	say(GROUP);
	assert_false(hears(rcv));
	assert_int_equal(b->ns_drops[DROP_IP_NOTFORUS], 3);
}

/* A socket hears what others on the host have joined, unless it said no by IP_MULTICAST_ALL. */
static void
test_others_groups(void **state)
{
	struct socket *holder = test_udpsocket(b);
	int off = 0;

	(void)state;
	assert_int_equal(join(holder, GROUP), 0);
	say(GROUP);
	assert_true(hears(rcv));
	assert_int_equal(setopt(rcv, BSD_IP_MULTICAST_ALL, &off, sizeof(off)), 0);
	say(GROUP);
	assert_false(hears(rcv));
	assert_int_equal(join(rcv, GROUP), 0);
	say(GROUP);
	assert_true(hears(rcv));
	/* The one's leaving, by closing, is not the other's. */
	soclose(holder);
	say(GROUP);
	assert_true(hears(rcv));
}

/* The same of raw sockets. */
static void
test_raw(void **state)
{
	struct socket *raw;
	int off = 0;

	(void)state;
	assert_int_equal(socreate(b, BSD_AF_INET, BSD_SOCK_RAW, BSD_IPPROTO_UDP, &raw), 0);
	assert_int_equal(join(rcv, GROUP), 0);
	say(GROUP);
	assert_true(hears(raw));
	assert_int_equal(setopt(raw, BSD_IP_MULTICAST_ALL, &off, sizeof(off)), 0);
	say(GROUP);
	assert_false(hears(raw));
	assert_int_equal(join(raw, GROUP), 0);
	say(GROUP);
	assert_true(hears(raw));
	soclose(raw);
}

/* A filter of sources is the socket's own; without a membership, what the host's members want counts. */
static void
test_sources(void **state)
{
	struct bsd_ip_mreq_source only = {GROUP, A, 0, 0};
	struct socket *holder = test_udpsocket(b);

	(void)state;
	only.imr_sourceaddr_be = LOOP; /* somebody else */
	assert_int_equal(setopt(holder, BSD_IP_ADD_SOURCE_MEMBERSHIP, &only, sizeof(only)), 0);
	say(GROUP);
	assert_false(hears(rcv));
	only.imr_sourceaddr_be = A;
	assert_int_equal(setopt(holder, BSD_IP_ADD_SOURCE_MEMBERSHIP, &only, sizeof(only)), 0);
	say(GROUP);
	assert_true(hears(rcv));
	assert_int_equal(join(rcv, GROUP), 0);
	assert_int_equal(setopt(rcv, BSD_IP_BLOCK_SOURCE, &only, sizeof(only)), 0);
	say(GROUP);
	assert_false(hears(rcv));
	assert_int_equal(setopt(rcv, BSD_IP_UNBLOCK_SOURCE, &only, sizeof(only)), 0);
	say(GROUP);
	assert_true(hears(rcv));
	soclose(holder);
}

static int
source(int name, uint32_t group_be, uint32_t src_be)
{
	struct bsd_ip_mreq_source mrs = {group_be, src_be, B, 0};

	return setopt(rcv, name, &mrs, BSD_IP_MREQ_SOURCE_LEN);
}

static int
msfilter(uint32_t group_be, uint32_t fmode, const uint32_t *srcs_be, uint32_t n)
{
	struct bsd_ip_msfilter msf = {group_be, B, 0, fmode, n, {0}};

	memcpy(msf.imsf_slist_be, srcs_be, n * sizeof(*srcs_be));
	return setopt(rcv, BSD_IP_MSFILTER, &msf, BSD_IP_MSFILTER_LEN(n));
}

/* A whole filter at once, and what is refused: the errno are Linux's. */
static void
test_msfilter(void **state)
{
	const uint32_t srcs[3] = {A, LOOP, A};
	const struct in_mcast *mc = &b->ns_inet->is_mcast;

	(void)state;
	assert_int_equal(msfilter(GROUP, BSD_MCAST_INCLUDE, srcs, 1), BSD_EINVAL);
	assert_int_equal(source(BSD_IP_BLOCK_SOURCE, GROUP, A), BSD_EINVAL);
	assert_int_equal(source(BSD_IP_ADD_SOURCE_MEMBERSHIP, B, A), BSD_EINVAL);
	assert_int_equal(join(rcv, GROUP), 0);
	assert_int_equal(source(BSD_IP_UNBLOCK_SOURCE, GROUP, A), BSD_EADDRNOTAVAIL);
	assert_int_equal(source(BSD_IP_BLOCK_SOURCE, GROUP, A), 0);
	assert_int_equal(source(BSD_IP_BLOCK_SOURCE, GROUP, A), BSD_EADDRNOTAVAIL);
	assert_int_equal(source(BSD_IP_ADD_SOURCE_MEMBERSHIP, GROUP, LOOP), BSD_EINVAL);
	assert_int_equal(source(BSD_IP_UNBLOCK_SOURCE, GROUP, A), 0);
	assert_int_equal(msfilter(GROUP, BSD_MCAST_INCLUDE, srcs, 3), 0);
	assert_int_equal(mc->mc_sourcepool.pl_nout, 2);
	say(GROUP);
	assert_true(hears(rcv));
	assert_int_equal(msfilter(GROUP, BSD_MCAST_EXCLUDE, srcs, 2), 0);
	say(GROUP);
	assert_false(hears(rcv));
	assert_int_equal(msfilter(GROUP, 7, srcs, 1), BSD_EINVAL);
	b->ns_inet->is_mcast.mc_maxsocksrc = 2;
	assert_int_equal(msfilter(GROUP, BSD_MCAST_EXCLUDE, srcs, 3), BSD_ENOBUFS);
	assert_int_equal(source(BSD_IP_BLOCK_SOURCE, GROUP, OTHER), BSD_ENOBUFS);
	b->ns_inet->is_mcast.mc_maxsocksrc = 3;
	b->ns_inet->is_mcast.mc_maxgrpsrc = 2;
	assert_int_equal(source(BSD_IP_BLOCK_SOURCE, GROUP, OTHER), BSD_ENOBUFS);
	say(GROUP);
	assert_false(hears(rcv));
	assert_int_equal(msfilter(GROUP, BSD_MCAST_INCLUDE, srcs, 0), 0); /* is to leave */
	assert_int_equal(leave(rcv, GROUP), BSD_EADDRNOTAVAIL);
}

/* Asks for n sources into room for as many; what is told is in *msf. => BSD errno */
static int
getmsfilter(uint32_t group_be, int32_t ifindex, uint32_t n, struct bsd_ip_msfilter *msf)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IP,
	    .sopt_name = BSD_IP_MSFILTER,
	    .sopt_size = BSD_IP_MSFILTER_LEN(n)};
	int error;

	*msf = (struct bsd_ip_msfilter){group_be, ifindex == 0 ? B : 0, ifindex, 7, n, {0}};
	memcpy(sopt.sopt_data, msf, BSD_IP_MSFILTER_LEN(0));
	if ((error = sogetopt(rcv, &sopt)) != 0)
		return error;
	memcpy(msf, sopt.sopt_data, sopt.sopt_size);
	assert_int_equal(sopt.sopt_size, BSD_IP_MSFILTER_LEN(KERN_MIN(n, msf->imsf_numsrc)));
	return 0;
}

/* What was set is read back, in its order; of what is cut short the number is told. */
static void
test_read_back(void **state)
{
	const uint32_t srcs[3] = {LOOP, A, OTHER};
	struct bsd_ip_msfilter msf;
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IP,
	    .sopt_name = BSD_IP_MSFILTER,
	    .sopt_size = BSD_IP_MSFILTER_LEN(0) - 1};

	(void)state;
	assert_int_equal(getmsfilter(GROUP, 0, 1, &msf), BSD_EADDRNOTAVAIL);
	assert_int_equal(msfilter(GROUP, BSD_MCAST_INCLUDE, srcs, 0), BSD_EADDRNOTAVAIL);
	assert_int_equal(getmsfilter(A, 0, 1, &msf), BSD_EINVAL);
	assert_int_equal(getmsfilter(GROUP, 99, 1, &msf), BSD_ENODEV);
	assert_int_equal(sogetopt(rcv, &sopt), BSD_EINVAL);
	assert_int_equal(join(rcv, GROUP), 0);
	assert_int_equal(getmsfilter(GROUP, 0, 0, &msf), 0);
	assert_int_equal(msf.imsf_fmode, BSD_MCAST_EXCLUDE);
	assert_int_equal(msf.imsf_numsrc, 0);
	assert_int_equal(msfilter(GROUP, BSD_MCAST_INCLUDE, srcs, 3), 0);
	for (uint32_t n = 0; n <= 3; n++) {
		assert_int_equal(getmsfilter(GROUP, (int)ib.ti_if.if_index, n, &msf), 0);
		assert_int_equal(msf.imsf_fmode, BSD_MCAST_INCLUDE);
		assert_int_equal(msf.imsf_numsrc, 3);
		assert_memory_equal(msf.imsf_slist_be, srcs, n * sizeof(*srcs));
	}
	assert_int_equal(source(BSD_IP_DROP_SOURCE_MEMBERSHIP, GROUP, LOOP), 0);
	assert_int_equal(getmsfilter(GROUP, 0, 2, &msf), 0);
	assert_int_equal(msf.imsf_numsrc, 2);
	assert_memory_equal(msf.imsf_slist_be, srcs + 1, 2 * sizeof(*srcs));
}

static uint64_t
reports(void)
{
	uint64_t before = b->ns_inet->is_igmp.igs_stat[IGMPSTAT_snd_reports];

	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	return b->ns_inet->is_igmp.igs_stat[IGMPSTAT_snd_reports] - before;
}

/* Routers are told of a filter that takes another's place by one report, whatever came and went. */
static void
test_replaced_at_once(void **state)
{
	const uint32_t srcs[5] = {A, LOOP, OTHER, GROUP, B};

	(void)state;
	assert_int_equal(join(rcv, GROUP), 0);
	testwire_run_for(&ia, &ib, 10 * NSEC_PER_SEC);
	assert_int_equal(msfilter(GROUP, BSD_MCAST_INCLUDE, srcs, 3), 0);
	assert_int_equal(reports(), 1);
	testwire_run_for(&ia, &ib, 10 * NSEC_PER_SEC);
	assert_int_equal(msfilter(GROUP, BSD_MCAST_INCLUDE, srcs + 2, 3), 0);
	assert_int_equal(reports(), 1);
	testwire_run_for(&ia, &ib, 10 * NSEC_PER_SEC);
	assert_int_equal(msfilter(GROUP, BSD_MCAST_INCLUDE, srcs + 2, 3), 0); /* nothing new */
	assert_int_equal(reports(), 0);
}

/* Whichever allocation of joining for a source fails: it is refused whole. */
static void
test_source_no_memory(void **state)
{
	uint64_t n;

	(void)state;
	for (n = 1;; n++) {
		b->ns_fault.af_fail_at = n;
		if (source(BSD_IP_ADD_SOURCE_MEMBERSHIP, GROUP, A) == 0)
			break;
		b->ns_fault.af_fail_at = 0;
		assert_int_equal(leave(rcv, GROUP), BSD_EADDRNOTAVAIL);
		say(GROUP);
		assert_false(hears(rcv));
	}
	b->ns_fault.af_fail_at = 0;
	assert_true(n > 4);
	say(GROUP);
	assert_true(hears(rcv));
}

/* The sender's own host hears by IP_MULTICAST_LOOP, once. */
static void
test_own_host(void **state)
{
	union bsd_sockaddr_any sa = test_sin(GROUP, PORT);
	struct socket *own = test_udpsocket(a);
	int off = 0;

	(void)state;
	assert_int_equal(sobind(own, &sa.sa), 0);
	assert_int_equal(join(own, GROUP), 0);
	say(GROUP);
	assert_true(hears(own));
	assert_false(hears(own));
	assert_int_equal(setopt(snd, BSD_IP_MULTICAST_LOOP, &off, sizeof(off)), 0);
	say(GROUP);
	assert_false(hears(own));
	soclose(own);
}

/* On the loopback interface, which IP_MULTICAST_IF names, and by it alone; a TTL of 0 is no matter. */
static void
test_loopback(void **state)
{
	union bsd_sockaddr_any sa = test_sin(0, PORT);
	struct socket *own = test_udpsocket(a);
	uint32_t addr = LOOP;
	int zero = 0;

	(void)state;
	assert_int_equal(sobind(own, &sa.sa), 0);
	assert_int_equal(member(own, BSD_IP_ADD_MEMBERSHIP, GROUP, LOOP, 0), 0);
	say(GROUP);
	assert_false(hears(own));
	testif_clear(&ia);
	assert_int_equal(setopt(snd, BSD_IP_MULTICAST_IF, &addr, sizeof(addr)), 0);
	assert_int_equal(setopt(snd, BSD_IP_MULTICAST_TTL, &zero, sizeof(zero)), 0);
	say(GROUP);
	assert_true(hears(own));
	assert_false(hears(own));
	soclose(own);
}

static void
test_refusals(void **state)
{
	uint32_t none = ipv4_addr_be(10, 9, 9, 9);
	int index = (int)ib.ti_if.if_index;

	(void)state;
	assert_int_equal(join(rcv, B), BSD_EINVAL);
	assert_int_equal(setopt(rcv, BSD_IP_ADD_MEMBERSHIP, &none, 4), BSD_EINVAL);
	assert_int_equal(member(rcv, BSD_IP_ADD_MEMBERSHIP, GROUP, none, 0), BSD_ENODEV);
	assert_int_equal(member(rcv, BSD_IP_ADD_MEMBERSHIP, GROUP, 0, 99), BSD_ENODEV);
	assert_int_equal(leave(rcv, GROUP), BSD_EADDRNOTAVAIL);
	assert_int_equal(member(rcv, BSD_IP_ADD_MEMBERSHIP, GROUP, B, 0), 0);
	assert_int_equal(member(rcv, BSD_IP_ADD_MEMBERSHIP, GROUP, 0, index), BSD_EADDRINUSE);
	assert_int_equal(member(rcv, BSD_IP_ADD_MEMBERSHIP, GROUP, LOOP, 0), 0);
	assert_int_equal(member(rcv, BSD_IP_DROP_MEMBERSHIP, GROUP, none, 0), BSD_EADDRNOTAVAIL);
	assert_int_equal(member(rcv, BSD_IP_DROP_MEMBERSHIP, GROUP, 0, index), 0);
	assert_int_equal(member(rcv, BSD_IP_DROP_MEMBERSHIP, GROUP, 0, index), BSD_EADDRNOTAVAIL);
	assert_int_equal(member(rcv, BSD_IP_DROP_MEMBERSHIP, GROUP, LOOP, 0), 0);
	assert_int_equal(setopt(rcv, BSD_IP_MULTICAST_IF, &none, 4), BSD_EADDRNOTAVAIL);
}

/* So many a socket, and closing it gives all of them back: the pools are empty in the end. */
static void
test_limit(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++)
		assert_int_equal(join(rcv, ipv4_addr_be(239, 0, 0, (uint8_t)i)), 0);
	assert_int_equal(join(rcv, GROUP), BSD_ENOBUFS);
	assert_int_equal(join(rcv, ipv4_addr_be(239, 0, 0, 3)), BSD_EADDRINUSE);
	b->ns_inet->is_mcast.mc_maxmembers = 21;
	assert_int_equal(join(rcv, GROUP), 0);
}

/* The interface goes before its members do: they may still leave, and do so when they close. */
static void
test_interface_goes(void **state)
{
	int index = (int)ib.ti_if.if_index;

	(void)state;
	assert_int_equal(join(rcv, GROUP), 0);
	assert_int_equal(join(rcv, OTHER), 0);
	in_mcast_ifdetach(&ib.ti_if);
	say(GROUP);
	assert_false(hears(rcv));
	assert_int_equal(join(rcv, GROUP), 0); /* the one on what is gone is not in the way */
	say(GROUP);
	assert_true(hears(rcv));
	assert_int_equal(member(rcv, BSD_IP_DROP_MEMBERSHIP, GROUP, 0, index), 0);
	assert_int_equal(member(rcv, BSD_IP_DROP_MEMBERSHIP, GROUP, 0, index), 0);
}

/* Whichever allocation of a join fails: it is refused whole, and the next one succeeds. */
static void
test_no_memory(void **state)
{
	uint64_t n;

	(void)state;
	for (n = 1;; n++) {
		b->ns_fault.af_fail_at = n;
		if (join(rcv, GROUP) == 0)
			break;
		b->ns_fault.af_fail_at = 0;
		assert_int_equal(leave(rcv, GROUP), BSD_EADDRNOTAVAIL);
		say(GROUP);
		assert_false(hears(rcv));
	}
	b->ns_fault.af_fail_at = 0;
	assert_int_equal(n, 4);
	say(GROUP);
	assert_true(hears(rcv));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_members_hear, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_others_groups, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_raw, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_msfilter, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_read_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_replaced_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_source_no_memory, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_own_host, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_loopback, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_interface_goes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
