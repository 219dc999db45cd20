/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may bind beside whom, ports that are given, and finding one pcb among many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/testutil.h"
#include "netinet/in_pcb.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"

#define US ipv4_addr_be(10, 0, 0, 1)
#define LOOP ipv4_addr_be(127, 0, 0, 1)
#define PEER ipv4_addr_be(10, 0, 0, 9)
#define GROUP ipv4_addr_be(224, 0, 0, 7)
#define NPCBS 10000u

static struct testif ti;
static struct inpcbtable table;
static const struct protosw dgram = {.pr_type = BSD_SOCK_DGRAM};
static const struct protosw stream = {.pr_type = BSD_SOCK_STREAM};

static struct netstack *
pcb_stack(uint32_t limit)
{
	struct netstack *ns = in_teststack();

	assert_int_equal(testif_attach(ns, &ti, 1, US), 0);
	assert_int_equal(in_pcbtable_init(&table, ns, "testpcb", limit), 0);
	return ns;
}

static void
pcb_end(struct netstack *ns)
{
	assert_int_equal(table.it_count, 0);
	assert_int_equal(table.it_pool.pl_nout, 0);
	in_pcbtable_fini(&table);
	test_netstack_end(ns);
}

static struct inpcb *
pcb(struct netstack *ns, struct socket *so, uint32_t options)
{
	struct inpcb *inp = NULL;

	memset(so, 0, sizeof(*so));
	so->so_ns = ns;
	so->so_proto = &dgram;
	so->so_options = options;
	assert_int_equal(in_pcballoc(&table, so, &in4_afops, &inp), 0);
	assert_ptr_equal(so->so_pcb, inp);
	return inp;
}

static int
bind_to(struct inpcb *inp, uint32_t addr_be, uint16_t port)
{
	union bsd_sockaddr_any sa = test_sin(addr_be, port);

	return in_pcbbind(inp, &sa.sa);
}

static int
connect_to(struct inpcb *inp, uint32_t addr_be, uint16_t port)
{
	union bsd_sockaddr_any sa = test_sin(addr_be, port);

	return in_pcbconnect(inp, &sa.sa);
}

/*
 * None, SO_REUSEADDR, SO_REUSEPORT on either side; any, one, another address: BSD's rules of streams,
 * Linux's of datagrams.
 */
static void
test_bind_matrix(void **state)
{
	enum { N = 0, A = BSD_SO_REUSEADDR, P = BSD_SO_REUSEPORT, USED = BSD_EADDRINUSE };
	static const struct protosw *const protos[] = {&stream, &dgram};
	static const uint32_t any = 0;
	const uint32_t us = US, loop = LOOP, group = GROUP;
	const struct {
		uint32_t addr1, opt1, addr2, opt2;
		int error[2]; /* a stream has no group */
	} cases[] = {
	    {any, N, any, N, {USED, USED}},
	    {any, N, us, N, {USED, USED}},
	    {us, N, any, N, {USED, USED}},
	    {us, N, us, N, {USED, USED}},
	    {us, N, loop, N, {0, 0}},
	    {any, A, any, A, {USED, 0}},
	    {us, A, us, A, {USED, 0}},
	    {any, A, us, A, {0, 0}},
	    {any, N, us, A, {0, USED}},
	    {us, N, any, A, {0, USED}},
	    {any, A, us, N, {USED, USED}},
	    {any, P, any, P, {0, 0}},
	    {us, P, us, P, {0, 0}},
	    {any, P, us, P, {0, 0}},
	    {any, P, any, N, {USED, USED}},
	    {any, N, any, P, {USED, USED}},
	    {us, A, us, P, {USED, USED}},
	    {us, P, us, A, {USED, USED}},
	    {us, A | P, us, A, {USED, 0}},
	    {group, A, group, A, {-1, 0}},
	    {group, N, group, A, {-1, USED}},
	    {group, A, group, N, {-1, USED}},
	    {group, A, group, P, {-1, USED}},
	};
	struct netstack *ns = pcb_stack(16);
	struct socket s1, s2;
	struct inpcb *one, *two;
	unsigned i;

	(void)state;
	for (i = 0; i < 2 * nitems(cases); i++) {
		const int error = cases[i / 2].error[i % 2];

		if (error < 0)
			continue;
		one = pcb(ns, &s1, cases[i / 2].opt1);
		two = pcb(ns, &s2, cases[i / 2].opt2);
		s1.so_proto = s2.so_proto = protos[i % 2];
		assert_int_equal(bind_to(one, cases[i / 2].addr1, 80), 0);
		if (bind_to(two, cases[i / 2].addr2, 80) != error)
			fail_msg("case %u, %u: not %d", i / 2, i % 2, error);
		/* Another port is nobody's business. */
		if (error != 0)
			assert_int_equal(bind_to(two, cases[i / 2].addr2, 81), 0);
		in_pcbfree(one);
		in_pcbfree(two);
		assert_null(s1.so_pcb);
	}
	pcb_end(ns);
}

/* A connection does not keep a listener with SO_REUSEADDR from its port; without, it does. */
static void
test_bind_beside_connection(void **state)
{
	struct netstack *ns = pcb_stack(16);
	struct in_endpoint local = {in4_any(US), 80}, foreign = {in4_any(PEER), 1000};
	struct socket s1, s2, s3;
	struct inpcb *con = pcb(ns, &s1, 0), *plain = pcb(ns, &s2, 0);
	struct inpcb *reuse = pcb(ns, &s3, BSD_SO_REUSEADDR);

	(void)state;
	s1.so_proto = s2.so_proto = s3.so_proto = &stream;
	assert_int_equal(in_pcbconnect_pair(con, &local, &foreign), 0);
	assert_int_equal(bind_to(plain, 0, 80), BSD_EADDRINUSE);
	in_pcbdetach_socket(con);
	assert_null(s1.so_pcb);
	assert_int_equal(bind_to(plain, 0, 80), BSD_EADDRINUSE);
	assert_int_equal(bind_to(reuse, 0, 80), 0);
	assert_int_equal(bind_to(reuse, 0, 81), BSD_EINVAL);
	in_pcbfree(con);
	in_pcbfree(plain);
	in_pcbfree(reuse);
	pcb_end(ns);
}

static void
test_bind_errors(void **state)
{
	struct netstack *ns = pcb_stack(16);
	union bsd_sockaddr_any sa = test_sin(US, 80);
	struct socket so;
	struct inpcb *inp = pcb(ns, &so, 0);

	(void)state;
	sa.sa.sa_len = 15;
	assert_int_equal(in_pcbbind(inp, &sa.sa), BSD_EINVAL);
	sa.sa.sa_len = 16;
	sa.sa.sa_family = BSD_AF_INET6;
	assert_int_equal(in_pcbbind(inp, &sa.sa), BSD_EAFNOSUPPORT);
	assert_int_equal(bind_to(inp, PEER, 80), BSD_EADDRNOTAVAIL);
	so.so_proto = &stream;
	assert_int_equal(bind_to(inp, GROUP, 80), BSD_EADDRNOTAVAIL);
	assert_int_equal(bind_to(inp, UINT32_MAX, 80), BSD_EADDRNOTAVAIL);
	so.so_proto = &dgram;
	assert_int_equal(bind_to(inp, ipv4_addr_be(10, 0, 0, 255), 80), 0);
	in_pcbfree(inp);
	pcb_end(ns);
}

/* An address without a port: connections to elsewhere share one, and there are no more than that. */
static void
test_bind_noport(void **state)
{
	struct netstack *ns = pcb_stack(16);
	struct socket so[3];
	struct inpcb *inp[3];

	(void)state;
	table.it_portlo = table.it_porthi = 50000;
	for (unsigned i = 0; i < 3; i++) {
		inp[i] = pcb(ns, &so[i], 0);
		inp[i]->inp_flags |= INP_BINDNOPORT;
		assert_int_equal(bind_to(inp[i], US, 0), 0);
		assert_int_equal(inp[i]->inp_lport, 0);
		assert_int_equal(bind_to(inp[i], US, 0), BSD_EINVAL);
	}
	assert_int_equal(connect_to(inp[0], PEER, 80), 0);
	assert_int_equal(connect_to(inp[1], PEER, 81), 0);
	assert_int_equal(inp[0]->inp_lport, 50000);
	assert_int_equal(inp[1]->inp_lport, 50000);
	assert_int_equal(connect_to(inp[2], PEER, 80), BSD_EADDRNOTAVAIL);
	in_pcbfree(inp[0]);
	in_pcbfree(inp[1]);
	/* Who does not connect gets one all the same. */
	assert_int_equal(in_pcbbind(inp[2], NULL), 0);
	assert_int_equal(inp[2]->inp_lport, 50000);
	assert_int_equal(inp[2]->inp_laddr.ia_w[0], US);
	in_pcbfree(inp[2]);
	pcb_end(ns);
}

/* Ports that are given: in range, all different, in no order; then there are no more (HOSTILE 58, 73). */
static void
test_ephemeral_ports(void **state)
{
	static struct socket so[102];
	struct netstack *ns = pcb_stack(256);
	bool seen[100] = {false};
	unsigned i, ups = 0;
	uint16_t last = 0;

	(void)state;
	table.it_portlo = 50000;
	table.it_porthi = 50099;
	for (i = 0; i < 100; i++) {
		struct inpcb *inp = pcb(ns, &so[i], i % 2 == 0 ? 0 : BSD_SO_REUSEADDR);

		assert_int_equal(in_pcbbind(inp, NULL), 0);
		assert_true(inp->inp_lport >= 50000 && inp->inp_lport < 50100);
		assert_false(seen[inp->inp_lport - 50000]);
		seen[inp->inp_lport - 50000] = true;
		ups += inp->inp_lport == last + 1;
		last = inp->inp_lport;
	}
	assert_true(ups < 60);
	assert_int_equal(in_pcbbind(pcb(ns, &so[100], 0), NULL), BSD_EADDRNOTAVAIL);
	assert_int_equal(connect_to(so[100].so_pcb, PEER, 80), BSD_EADDRNOTAVAIL);
	/* A port of connections is shared by others to elsewhere, not by the same pair. */
	for (i = 0; i < 100; i++) {
		in_pcbfree(so[i].so_pcb);
		assert_int_equal(connect_to(pcb(ns, &so[i], 0), PEER, 80), 0);
	}
	assert_int_equal(connect_to(so[100].so_pcb, PEER, 80), BSD_EADDRNOTAVAIL);
	assert_int_equal(connect_to(so[100].so_pcb, PEER, 81), 0);
	for (i = 0; i < 101; i++)
		in_pcbfree(so[i].so_pcb);
	pcb_end(ns);
}

static void
test_connect_errors(void **state)
{
	struct netstack *ns = pcb_stack(16);
	struct socket s1, s2;
	struct inpcb *one = pcb(ns, &s1, BSD_SO_REUSEPORT), *two = pcb(ns, &s2, BSD_SO_REUSEPORT);

	(void)state;
	assert_int_equal(connect_to(one, PEER, 0), BSD_EADDRNOTAVAIL);
	assert_int_equal(connect_to(one, ipv4_addr_be(192, 0, 2, 1), 80), BSD_ENETUNREACH);
	assert_int_equal(connect_to(one, UINT32_MAX, 80), BSD_EACCES);
	assert_int_equal(connect_to(one, ipv4_addr_be(10, 0, 0, 255), 80), BSD_EACCES);
	assert_int_equal(one->inp_lport, 0);
	assert_int_equal(bind_to(one, US, 1000), 0);
	assert_int_equal(bind_to(two, US, 1000), 0);
	assert_int_equal(connect_to(one, PEER, 80), 0);
	assert_int_equal(connect_to(two, PEER, 80), BSD_EADDRINUSE);
	assert_int_equal(connect_to(two, PEER, 81), 0);
	in_pcbdisconnect(one);
	assert_int_equal(one->inp_laddr.ia_w[0], US);
	assert_int_equal(one->inp_fport, 0);
	in_pcbfree(one);
	in_pcbfree(two);
	/* Any: ourselves. */
	one = pcb(ns, &s1, 0);
	assert_int_equal(connect_to(one, 0, 80), 0);
	assert_int_equal(one->inp_faddr.ia_w[0], LOOP);
	assert_int_equal(one->inp_laddr.ia_w[0], LOOP);
	in_pcbdisconnect(one);
	assert_int_equal(one->inp_laddr.ia_w[0], 0);
	in_pcbfree(one);
	pcb_end(ns);
}

static struct in_lookup
lookup_of(unsigned i)
{
	return (struct in_lookup){.il_af = &in4_afops,
	    .il_laddr = in4_any(US),
	    .il_faddr = in4_any(ipv4_addr_be(10, (uint8_t)(i % 7), 1, (uint8_t)(i % 250))),
	    .il_lport = (uint16_t)(80 + i % 3),
	    .il_fport = (uint16_t)(1 + i)};
}

/* Sockets that share a port share its senders, evenly; each keeps its own. */
static void
test_reuseport(void **state)
{
	enum { N = 4, SENDERS = 4000 };
	struct netstack *ns = pcb_stack(16);
	struct socket so[N + 1];
	struct inpcb *inp[N], *had[SENDERS];
	unsigned count[N] = {0}, moved = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		inp[i] = pcb(ns, &so[i], BSD_SO_REUSEPORT);
		assert_int_equal(bind_to(inp[i], US, 80), 0);
	}
	for (unsigned s = 0; s < SENDERS; s++) {
		struct in_lookup il = lookup_of(3 * s);

		had[s] = in_pcblookup_bind(&table, &il);
		assert_ptr_equal(in_pcblookup_bind(&table, &il), had[s]);
		for (unsigned i = 0; i < N; i++)
			count[i] += had[s] == inp[i];
	}
	for (unsigned i = 0; i < N; i++)
		assert_in_range(count[i], SENDERS / N * 8 / 10, SENDERS / N * 12 / 10);
	/* One goes: hers go to the others. */
	in_pcbfree(inp[0]);
	for (unsigned s = 0; s < SENDERS; s++) {
		struct in_lookup il = lookup_of(3 * s);
		struct inpcb *now = in_pcblookup_bind(&table, &il);

		assert_true(now == inp[1] || now == inp[2] || now == inp[3]);
		moved += now != had[s];
	}
	assert_true(moved >= count[0]);
	for (unsigned i = 1; i < N; i++)
		in_pcbfree(inp[i]);
	pcb_end(ns);
}

static int notified;

static void
notify(struct inpcb *inp, const struct in_ctlinfo *ci)
{
	(void)ci;
	notified++;
	in_pcbfree(inp);
}

static void
test_ten_thousand(void **state)
{
	struct netstack *ns = pcb_stack(2 * NPCBS);
	struct socket *so = calloc(NPCBS + 2, sizeof(*so));
	struct in_ctlinfo ci = {.ci_af = &in4_afops};
	struct inpcb *any, *exact;
	struct in_lookup il;
	unsigned i, longest = 0;

	(void)state;
	any = pcb(ns, &so[NPCBS], BSD_SO_REUSEADDR);
	assert_int_equal(bind_to(any, 0, 80), 0);
	exact = pcb(ns, &so[NPCBS + 1], BSD_SO_REUSEADDR);
	assert_int_equal(bind_to(exact, US, 80), 0);
	for (i = 0; i < NPCBS; i++) {
		struct in_endpoint local, foreign;

		il = lookup_of(i);
		local = (struct in_endpoint){il.il_laddr, il.il_lport};
		foreign = (struct in_endpoint){il.il_faddr, il.il_fport};
		if (i % 1000 == 0)
			ns->ns_fault.af_fail_at = 2; /* growing may fail: nothing is lost */
		assert_int_equal(in_pcbconnect_pair(pcb(ns, &so[i], 0), &local, &foreign), 0);
		ns->ns_fault.af_fail_at = 0;
	}
	assert_true(table.it_connhash_size >= NPCBS / 4);
	for (i = 0; i < NPCBS; i++) {
		il = lookup_of(i);
		assert_ptr_equal(in_pcblookup_connect(&table, &il), so[i].so_pcb);
		il.il_fport = 65535;
		assert_null(in_pcblookup_connect(&table, &il));
		assert_ptr_equal(in_pcblookup_bind(&table, &il), il.il_lport == 80 ? exact : NULL);
		il.il_laddr = in4_any(LOOP);
		assert_ptr_equal(in_pcblookup_bind(&table, &il), il.il_lport == 80 ? any : NULL);
	}
	for (i = 0; i < table.it_connhash_size; i++) {
		unsigned n = 0;
		struct inpcb *inp;

		LIST_FOREACH(inp, &table.it_connhash[i], inp_hash)
			n++;
		longest = KERN_MAX(longest, n);
	}
	assert_true(longest < 20);
	il = lookup_of(77);
	ci.ci_src = il.il_laddr;
	ci.ci_dst = il.il_faddr;
	in_pcbnotify(&table, &ci, il.il_lport, il.il_fport, notify);
	in_pcbnotify(&table, &ci, il.il_lport, il.il_fport, notify);
	assert_int_equal(notified, 1);
	assert_null(so[77].so_pcb);
	for (i = 0; i < NPCBS + 2; i++)
		if (so[i].so_pcb != NULL)
			in_pcbfree(so[i].so_pcb);
	free(so);
	pcb_end(ns);
}

/* Pairs that no pcb has: found one by one and by their port, however many, and though growing fails. */
static void
test_pairs(void **state)
{
	struct netstack *ns = pcb_stack(10);
	struct in_pair *pairs = calloc(NPCBS, sizeof(*pairs));
	const struct in_pair *ipr = NULL;
	struct in_lookup il = lookup_of(0);
	unsigned i, longest = 0, ofport = 0;

	(void)state;
	assert_null(in_pairlookup(&table, &il));
	assert_null(in_pairnext_port(&table, 80, NULL));
	for (i = 1; i <= 2; i++) {
		ns->ns_fault.af_fail_at = i;
		assert_int_equal(in_pair_enter(&table, &pairs[0]), BSD_ENOMEM);
	}
	for (i = 0; i < NPCBS; i++) {
		il = lookup_of(i);
		pairs[i] = (struct in_pair){.ipr_af = il.il_af,
		    .ipr_laddr = il.il_laddr,
		    .ipr_faddr = il.il_faddr,
		    .ipr_lport = il.il_lport,
		    .ipr_fport = il.il_fport};
		if (i % 64 == 0 && i > 0)
			ns->ns_fault.af_fail_at = 1 + i / 64 % 2;
		assert_int_equal(in_pair_enter(&table, &pairs[i]), 0);
		ns->ns_fault.af_fail_at = 0;
	}
	for (i = 0; i < NPCBS; i++) {
		il = lookup_of(i);
		assert_ptr_equal(in_pairlookup(&table, &il), &pairs[i]);
		il.il_fport = 65535;
		assert_null(in_pairlookup(&table, &il));
		ofport += il.il_lport == 80;
	}
	while ((ipr = in_pairnext_port(&table, 80, ipr)) != NULL)
		ofport--;
	assert_int_equal(ofport, 0);
	for (i = 0; i < table.it_pairhash_size; i++) {
		unsigned n = 0;

		LIST_FOREACH(ipr, &table.it_pairhash[i], ipr_hash)
			n++;
		longest = KERN_MAX(longest, n);
	}
	assert_true(longest < 20);
	for (i = 0; i < NPCBS; i++)
		in_pair_leave(&table, &pairs[i]);
	il = lookup_of(5);
	assert_null(in_pairlookup(&table, &il));
	free(pairs);
	pcb_end(ns);
}

/* Steps of a walk through the chain of a bucket: to each pcb in it, and to its end. */
struct probes {
	uint64_t found;
	uint64_t none;
	unsigned longest;
};

static struct probes
count_probes(void)
{
	struct probes p = {0, 0, 0};
	const struct inpcb *inp;

	for (uint32_t i = 0; i < table.it_connhash_size; i++) {
		unsigned n = 0;

		LIST_FOREACH(inp, &table.it_connhash[i], inp_hash)
			p.found += ++n;
		p.none += n;
		p.longest = KERN_MAX(p.longest, n);
	}
	return p;
}

/*
 * What a lookup costs, in pcbs looked at: the same with ten connections and a hundred thousand. The
 * table is no larger than that takes, and all of a kind (one peer, one port) spread like any others.
 */
static void
test_lookup_cost(void **state)
{
	const unsigned most = 100000;
	struct netstack *ns = pcb_stack(most);
	struct socket *so = calloc(most, sizeof(*so));
	struct in_lookup il;

	(void)state;
	for (unsigned i = 0, next = 10; i < most; i++) {
		const struct in_endpoint local = {in4_any(US), 80};
		const struct in_endpoint foreign = {in4_any(ipv4_addr_be(10, 1,
							(uint8_t)(i / 60000), 1)),
		    (uint16_t)(1 + i % 60000)};

		assert_int_equal(in_pcbconnect_pair(pcb(ns, &so[i], 0), &local, &foreign), 0);
		if (i + 1 != next)
			continue;
		struct probes p = count_probes();
		assert_true(p.found <= 2u * next + next / 4);       /* 1 + load / 2 each */
		assert_true(p.none <= 2u * table.it_connhash_size); /* the load */
		assert_true(p.longest <= 16);
		assert_true(table.it_connhash_size <= KERN_MAX(next, 64u) * 2);
		next *= 10;
	}
	il = (struct in_lookup){.il_af = &in4_afops,
	    .il_laddr = in4_any(US),
	    .il_faddr = in4_any(ipv4_addr_be(10, 1, 1, 1)),
	    .il_lport = 80,
	    .il_fport = 1 + 99999 % 60000};
	assert_ptr_equal(in_pcblookup_connect(&table, &il), so[99999].so_pcb);
	for (unsigned i = 0; i < most; i++)
		in_pcbfree(so[i].so_pcb);
	free(so);
	pcb_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bind_matrix),
	    cmocka_unit_test(test_bind_beside_connection),
	    cmocka_unit_test(test_bind_errors),
	    cmocka_unit_test(test_bind_noport),
	    cmocka_unit_test(test_ephemeral_ports),
	    cmocka_unit_test(test_connect_errors),
	    cmocka_unit_test(test_reuseport),
	    cmocka_unit_test(test_ten_thousand),
	    cmocka_unit_test(test_pairs),
	    cmocka_unit_test(test_lookup_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
