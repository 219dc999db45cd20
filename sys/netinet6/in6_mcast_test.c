/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of groups of IPv6: who hears what, what a join or a leave is refused with, interfaces that go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"
#include "netinet6/in6_testutil.h"
#include "netinet6/ip6_var.h"

#define PORT 7

static struct netstack *a, *b;
static struct testif ia, ib;
static struct socket *snd, *rcv;

static struct socket *
udp6(struct netstack *ns)
{
	struct socket *so = NULL;

	assert_int_equal(socreate(ns, BSD_AF_INET6, BSD_SOCK_DGRAM, 0, &so), 0);
	return so;
}

static union bsd_sockaddr_any
name(const char *text, uint32_t scope)
{
	union bsd_sockaddr_any sa = {.sin6 = {.sin6_len = sizeof(sa.sin6),
					 .sin6_family = BSD_AF_INET6,
					 .sin6_port = htobe16(PORT),
					 .sin6_scope_id = scope}};

	assert_int_equal(inet_pton(AF_INET6, text, &sa.sin6.sin6_addr), 1);
	return sa;
}

static int
setup(void **state)
{
	union bsd_sockaddr_any sa = name("::", 0);

	(void)state;
	a = in6_teststack(false);
	b = in6_teststack(false);
	assert_int_equal(testif6_attach(a, &ia, 1, "fd00::1"), 0);
	assert_int_equal(testif6_attach(b, &ib, 2, "fd00::2"), 0);
	ia.ti_if.if_flags |= IFF_BROADCAST | IFF_MULTICAST;
	ib.ti_if.if_flags |= IFF_BROADCAST | IFF_MULTICAST;
	testwire_run_for(&ia, &ib, 10 * NSEC_PER_SEC);
	snd = udp6(a);
	rcv = udp6(b);
	assert_int_equal(sobind(rcv, &sa.sa), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	soclose(snd);
	if (rcv != NULL)
		soclose(rcv);
	testwire_run_for(&ia, &ib, 61 * NSEC_PER_SEC);
	test_netstack_end(a);
	test_netstack_end(b);
	return 0;
}

static int
setopt(struct socket *so, int opt, const void *value, size_t len)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IPV6, .sopt_name = opt, .sopt_size = len};

	memcpy(sopt.sopt_data, value, len);
	return sosetopt(so, &sopt);
}

static int
member(struct socket *so, int opt, const char *group, uint32_t ifindex)
{
	struct bsd_ipv6_mreq mreq = {.ipv6mr_interface = ifindex};

	assert_int_equal(inet_pton(AF_INET6, group, &mreq.ipv6mr_multiaddr), 1);
	return setopt(so, opt, &mreq, sizeof(mreq));
}

static int
join(struct socket *so, const char *group)
{
	return member(so, BSD_IPV6_JOIN_GROUP, group, 0);
}

static int
leave(struct socket *so, const char *group)
{
	return member(so, BSD_IPV6_LEAVE_GROUP, group, 0);
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
say(const char *group)
{
	union bsd_sockaddr_any to = name(group, 0);

	assert_int_equal(test_udpsend(snd, &to, 10), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
}

/* Only what was joined is let in, and no longer than until it is left; of a link's groups likewise. */
static void
test_members_hear(void **state)
{
	static const char *const groups[] = {"ff02::7", "ff05::7", "ff0e::7"};

	(void)state;
	for (unsigned i = 0; i < nitems(groups); i++) {
		say(groups[i]);
		assert_false(hears(rcv));
		assert_int_equal(join(rcv, groups[i]), 0);
		say(groups[i]);
		assert_true(hears(rcv));
		say("ff0e::8");
		assert_false(hears(rcv));
		assert_int_equal(leave(rcv, groups[i]), 0);
		say(groups[i]);
		assert_false(hears(rcv));
	}
}

/* What another has joined is heard, too, unless IPV6_MULTICAST_ALL is off; and who closes leaves. */
static void
test_others_groups(void **state)
{
	struct socket *other = udp6(b);
	int off = 0;

	(void)state;
	assert_int_equal(join(other, "ff0e::7"), 0);
	say("ff0e::7");
	assert_true(hears(rcv));
	assert_int_equal(setopt(rcv, BSD_IPV6_MULTICAST_ALL, &off, sizeof(off)), 0);
	say("ff0e::7");
	assert_false(hears(rcv));
	assert_int_equal(join(rcv, "ff0e::7"), 0);
	assert_int_equal(soclose(other), 0);
	say("ff0e::7");
	assert_true(hears(rcv));
	assert_int_equal(soclose(rcv), 0);
	rcv = NULL;
	assert_false(in6_isjoined(&ib.ti_if, test_addr6("ff0e::7").a));
}

static void
test_errors(void **state)
{
	const uint32_t index = ib.ti_if.if_index;
	struct socket *lone;
	char text[16];
	uint32_t n = 0;

	(void)state;
	assert_int_equal(join(rcv, "fd00::7"), BSD_EINVAL);
	assert_int_equal(leave(rcv, "fd00::7"), BSD_EINVAL);
	assert_int_equal(member(rcv, BSD_IPV6_JOIN_GROUP, "ff02::7", 99), BSD_ENODEV);
	assert_int_equal(leave(rcv, "ff02::7"), BSD_EADDRNOTAVAIL);
	assert_int_equal(setopt(rcv, BSD_IPV6_JOIN_GROUP, text, 16), BSD_EINVAL);
	assert_int_equal(member(rcv, BSD_IPV6_JOIN_GROUP, "ff02::7", index), 0);
	assert_int_equal(member(rcv, BSD_IPV6_JOIN_GROUP, "ff02::7", index), BSD_EADDRINUSE);
	assert_int_equal(join(rcv, "ff02::7"), BSD_EADDRINUSE);
	assert_int_equal(member(rcv, BSD_IPV6_LEAVE_GROUP, "ff02::7", index), 0);
	/* net.inet.ip.mcast.maxmemberships */
	do
		(void)snprintf(text, sizeof(text), "ff02::1:%x", ++n);
	while (join(rcv, text) == 0);
	assert_int_equal(n, b->ns_inet->is_mcast.mc_maxmembers + 1);
	assert_int_equal(join(rcv, text), BSD_ENOBUFS);
	testwire_run_for(&ia, &ib, 5 * NSEC_PER_SEC); /* the leave has been told */
	/* Without memory for what a datagram socket keeps, the membership, the interface's group. */
	for (uint64_t at = 1; at <= 3; at++) {
		lone = udp6(b);
		b->ns_fault.af_fail_at = at;
		assert_int_equal(join(lone, "ff02::7"), BSD_ENOBUFS);
		assert_int_equal(b->ns_fault.af_fail_at, 0);
		assert_int_equal(soclose(lone), 0);
	}
	assert_false(in6_isjoined(&ib.ti_if, test_addr6("ff02::7").a));
}

static int
source(struct socket *so, int opt, const char *group, const char *src)
{
	struct bsd_ipv6_mreq_source mrs = {.i6ms_interface = ib.ti_if.if_index};

	assert_int_equal(inet_pton(AF_INET6, group, &mrs.i6ms_multiaddr), 1);
	assert_int_equal(inet_pton(AF_INET6, src, &mrs.i6ms_sourceaddr), 1);
	return setopt(so, opt, &mrs, sizeof(mrs));
}

/* => errno; *msf in: how many are wanted, in so much room */
static int
getfilter(struct socket *so, const char *group, struct bsd_ipv6_msfilter *msf, size_t room)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IPV6,
	    .sopt_name = BSD_IPV6_MSFILTER,
	    .sopt_size = room};
	int error;

	assert_int_equal(inet_pton(AF_INET6, group, &msf->i6mf_multiaddr), 1);
	msf->i6mf_interface = ib.ti_if.if_index;
	memcpy(sopt.sopt_data, msf, sizeof(*msf));
	if ((error = sogetopt(so, &sopt)) == 0)
		memcpy(msf, sopt.sopt_data, sopt.sopt_size);
	return error;
}

/* A filter of as many sources as there may be, and what is read back: in order, without scopes, cut. */
static void
test_filters(void **state)
{
	struct bsd_ipv6_msfilter msf = {0}, back = {.i6mf_numsrc = BSD_IPV6_MSFILTER_MAX};
	size_t len = sizeof(msf);

	(void)state;
	assert_int_equal(getfilter(rcv, "ff0e::7", &back, sizeof(back)), BSD_EADDRNOTAVAIL);
	assert_int_equal(source(rcv, BSD_IPV6_JOIN_SOURCE_GROUP, "ff0e::7", "fe80::9"), 0);
	assert_int_equal(source(rcv, BSD_IPV6_JOIN_SOURCE_GROUP, "ff0e::7", "fd00::9"), 0);
	assert_int_equal(getfilter(rcv, "ff0e::7", &back, sizeof(back)), 0);
	assert_int_equal(back.i6mf_fmode, BSD_MCAST_INCLUDE);
	assert_int_equal(back.i6mf_numsrc, 2);
	assert_memory_equal(&back.i6mf_slist[0], test_addr6("fe80::9").a, 16);
	assert_memory_equal(&back.i6mf_slist[1], test_addr6("fd00::9").a, 16);
	msf.i6mf_multiaddr = back.i6mf_multiaddr;
	msf.i6mf_fmode = BSD_MCAST_EXCLUDE;
	msf.i6mf_numsrc = BSD_IPV6_MSFILTER_MAX;
	for (unsigned i = 0; i < BSD_IPV6_MSFILTER_MAX; i++)
		msf.i6mf_slist[i].s6_bytes[15] = (uint8_t)(i + 1);
	assert_int_equal(setopt(rcv, BSD_IPV6_MSFILTER, &msf, len - 1), BSD_EINVAL);
	assert_int_equal(setopt(rcv, BSD_IPV6_MSFILTER, &msf, len), 0);
	back.i6mf_numsrc = BSD_IPV6_MSFILTER_MAX;
	assert_int_equal(getfilter(rcv, "ff0e::7", &back, BSD_IPV6_MSFILTER_LEN(3)), 0);
	assert_int_equal(back.i6mf_fmode, BSD_MCAST_EXCLUDE);
	assert_int_equal(back.i6mf_numsrc, BSD_IPV6_MSFILTER_MAX);
	assert_memory_equal(back.i6mf_slist, msf.i6mf_slist, 48);
	assert_int_equal(getfilter(rcv, "ff0e::7", &back, 27), BSD_EINVAL);
	assert_int_equal(source(rcv, BSD_IPV6_BLOCK_SOURCE, "ff0e::7", "fd00::9"), BSD_ENOBUFS);
	msf.i6mf_fmode = 3;
	assert_int_equal(setopt(rcv, BSD_IPV6_MSFILTER, &msf, len), BSD_EINVAL);
}

/* Without memory nothing of a filter changes. */
static void
test_filter_nomem(void **state)
{
	struct bsd_ipv6_msfilter back = {.i6mf_numsrc = 2};

	(void)state;
	assert_int_equal(source(rcv, BSD_IPV6_JOIN_SOURCE_GROUP, "ff0e::7", "fd00::8"), 0);
	for (uint64_t at = 1; at <= 2; at++) {
		b->ns_fault.af_fail_at = at;
		assert_int_equal(source(rcv, BSD_IPV6_JOIN_SOURCE_GROUP, "ff0e::7", "fd00::9"),
		    BSD_ENOBUFS);
		assert_int_equal(b->ns_fault.af_fail_at, 0);
		back.i6mf_numsrc = 2;
		assert_int_equal(getfilter(rcv, "ff0e::7", &back, sizeof(back)), 0);
		assert_int_equal(back.i6mf_numsrc, 1);
	}
}

/* The interface goes first: the membership is still there to be left. */
static void
test_interface_goes(void **state)
{
	(void)state;
	assert_int_equal(join(rcv, "ff0e::7"), 0);
	if_detach(&ib.ti_if);
	assert_int_equal(member(rcv, BSD_IPV6_LEAVE_GROUP, "ff0e::7", 0), BSD_ENODEV);
	assert_int_equal(soclose(rcv), 0);
	rcv = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_members_hear, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_others_groups, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_filters, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_filter_nomem, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_interface_goes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
