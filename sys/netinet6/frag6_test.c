/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 reassembly against a model of bytes: any order, repetitions, overlaps, headers before and behind
 * the fragment header, limits, time-outs, lack of memory. The numbers name kinds of hostile input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/testutil.h"
#include "netinet6/in6_testutil.h"
#include "netinet6/ip6_var.h"

#define OURS "fd00::1"
#define PEER "fd00::9"

static struct testif ti;
static uint8_t data[70000];

static void
got_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	assert_int_equal(be16_get(m->m_data + IP6_OFF_PLEN), m->m_pkthdr.len - IP6_HDR_LEN);
	test_got_input(m, rx);
}

static const struct in_transport got_transport = {.it_proto = TEST_PROTO, .it_input = got_input};

static int
setup(struct netstack *ns)
{
	uint8_t mac[6];
	int error;

	memset(&test_got, 0, sizeof(test_got));
	if ((error = testif6_attach(ns, &ti, 1, OURS)) != 0)
		return error;
	test_run_for(ns, 10 * NSEC_PER_SEC);
	testif_clear(&ti);
	test_station(mac, 9);
	if ((error = in6_neigh_add(&ti.ti_if, test_addr6(PEER).a, mac)) != 0)
		return error;
	return in_transport_register(ns, &got_transport);
}

static struct netstack *
begin(void)
{
	struct netstack *ns = in6_teststack(false);
	unsigned i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = test_byte(i);
	assert_int_equal(setup(ns), 0);
	return ns;
}

/* No datagram waits. */
static void
end(struct netstack *ns)
{
	test_run_for(ns, 61 * NSEC_PER_SEC);
	assert_int_equal(ns->ns_inet6->i6_frag6.f6_count, 0);
	assert_int_equal(ns->ns_inet6->i6_frag6.f6_bytes, 0);
	if_detach(&ti.ti_if);
	test_netstack_end(ns);
}

/* len bytes at p as the fragment at off of datagram id. */
static void
frag_bytes(const char *src, uint32_t id, uint32_t off, const uint8_t *p, uint32_t len, bool mf)
{
	struct ip6_frag fh = {.if_nxt = TEST_PROTO,
	    .if_mf = mf,
	    .if_off_bytes = (uint16_t)off,
	    .if_id = id};
	uint8_t *packet = malloc(IP6_FRAG_LEN + len);
	struct ip6_hdr ip6 = test_ip6hdr(IP6_NXT_FRAGMENT, src, OURS, IP6_FRAG_LEN + len);

	ip6_frag_emit(packet, &fh);
	memcpy(packet + IP6_FRAG_LEN, p, len);
	testif6_input(&ti, &ip6, packet, IP6_FRAG_LEN + len);
	free(packet);
}

static void
frag(uint32_t id, uint32_t off, uint32_t len, bool mf)
{
	frag_bytes(PEER, id, off, data + off, len, mf);
}

static void
assert_error(uint8_t type, uint8_t code, uint32_t word)
{
	struct icmp6_hdr icmp6;
	struct ip6_hdr ip6;
	const uint8_t *p;

	assert_non_null(p = testif6_find(&ti, type, &ip6));
	(void)icmp6_parse(p, ICMP6_HDR_LEN, &icmp6);
	assert_int_equal(icmp6.icmp6_code, code);
	assert_int_equal(icmp6.icmp6_word, word);
	testif_clear(&ti);
}

/* Random orders with exact repetitions: every datagram comes whole, once. */
static void
test_orders(void **state)
{
	struct netstack *ns = begin();
	struct testpiece pieces[8192];
	unsigned round, i, n, whole = 0;
	uint32_t total;

	(void)state;
	for (round = 0; round < 300; round++) {
		total = 40 + rng_below(&ns->ns_rng, round % 10 == 0 ? 60000 : 5000);
		n = test_cut(ns, total, pieces);
		if (n < 2 || n > 128)
			continue;
		whole++;
		for (i = 0; i < n; i++) {
			frag(round, pieces[i].tp_off, pieces[i].tp_len, pieces[i].tp_mf);
			if (i + 1 < n && rng_below(&ns->ns_rng, 4) == 0)
				frag(round, pieces[i].tp_off, pieces[i].tp_len, pieces[i].tp_mf);
		}
		assert_int_equal(test_got.tg_n, whole);
		assert_int_equal(test_got.tg_len, total);
		assert_int_equal(test_got.tg_hlen, IP6_HDR_LEN);
		assert_memory_equal(test_got.tg_bytes, data, total);
	}
	assert_true(whole > 200);
	assert_int_equal(ns->ns_inet6->i6_ip6stat[IP6STAT_reassembled], whole);
	end(ns);
}

/* HOSTILE 35: RFC 5722, RFC 8200 §4.5 */
static void
test_overlaps(void **state)
{
	struct netstack *ns = begin();
	uint8_t other[800];

	(void)state;
	memset(other, 0xaa, sizeof(other));
	frag(1, 0, 800, true);
	frag_bytes(PEER, 1, 792, other, 80, true);
	frag(1, 800, 800, false);
	frag(1, 0, 800, true);
	frag(1, 800, 800, false);
	assert_int_equal(test_got.tg_n, 0);
	frag(2, 0, 800, true); /* the same place, other bytes */
	frag_bytes(PEER, 2, 0, other, 800, true);
	frag(2, 800, 800, false);
	assert_int_equal(test_got.tg_n, 0);
	frag(3, 800, 96, false); /* another end, and beyond the end */
	frag(3, 800, 104, false);
	frag(3, 0, 800, true);
	frag(4, 800, 96, false);
	frag(4, 904, 80, true);
	frag(4, 0, 800, true);
	assert_int_equal(test_got.tg_n, 0);
	assert_true(ns->ns_drops[DROP_IP6_FRAGOVERLAP] > 8);
	end(ns);
	assert_int_equal(ti.ti_n, 0); /* silently */
}

/* HOSTILE 36: RFC 6946, handled alone, whatever is held under the name */
static void
test_atomic(void **state)
{
	struct netstack *ns = begin();

	(void)state;
	frag(1, 0, 800, true);
	frag(1, 0, 100, false);
	assert_int_equal(test_got.tg_n, 1);
	assert_int_equal(test_got.tg_len, 100);
	frag(1, 800, 800, false);
	assert_int_equal(test_got.tg_n, 2);
	assert_int_equal(test_got.tg_len, 1600);
	assert_int_equal(ns->ns_inet6->i6_ip6stat[IP6STAT_atomicfrags], 1);
	end(ns);
}

/* HOSTILE 37: RFC 7112; nested fragment headers; a chain that goes on behind it */
static void
test_headers(void **state)
{
	struct netstack *ns = begin();
	uint8_t p[600] = {0};
	struct ip6_hdr ip6;

	(void)state;
	/* Destination options, before and behind: all of it comes. */
	p[0] = IP6_NXT_FRAGMENT;
	ip6_frag_emit(p + 8,
	    &(struct ip6_frag){.if_nxt = IP6_NXT_DSTOPTS, .if_mf = true, .if_id = 5});
	p[16] = TEST_PROTO;
	ip6 = test_ip6hdr(IP6_NXT_DSTOPTS, PEER, OURS, 8 + 8 + 80);
	testif6_input(&ti, &ip6, p, 96);
	ip6_frag_emit(p + 8,
	    &(struct ip6_frag){.if_nxt = IP6_NXT_DSTOPTS, .if_off_bytes = 80, .if_id = 5});
	testif6_input(&ti, &ip6, p, 96);
	assert_int_equal(test_got.tg_n, 1);
	assert_int_equal(test_got.tg_len, 152);
	assert_int_equal(test_got.tg_hlen, IP6_HDR_LEN + 16);
	/* A first fragment whose headers do not end in it */
	memset(p, 0, sizeof(p));
	ip6_frag_emit(p, &(struct ip6_frag){.if_nxt = IP6_NXT_DSTOPTS, .if_mf = true, .if_id = 6});
	p[8] = TEST_PROTO;
	p[9] = 1;
	ip6 = test_ip6hdr(IP6_NXT_FRAGMENT, PEER, OURS, 16);
	testif6_input(&ti, &ip6, p, 16);
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_FIRSTFRAG, 0);
	ip6_frag_emit(p, &(struct ip6_frag){.if_nxt = IP6_NXT_TCP, .if_mf = true, .if_id = 7});
	ip6.ip6_plen = 24;
	testif6_input(&ti, &ip6, p, 24);
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_FIRSTFRAG, 0);
	assert_int_equal(ns->ns_drops[DROP_IP6_FRAGHDRS], 2);
	/* A fragment header in a fragment, whole or alone */
	ip6_frag_emit(p, &(struct ip6_frag){.if_nxt = IP6_NXT_FRAGMENT, .if_id = 8});
	ip6_frag_emit(p + 8, &(struct ip6_frag){.if_nxt = TEST_PROTO, .if_id = 9});
	ip6.ip6_plen = 64;
	testif6_input(&ti, &ip6, p, 64);
	assert_int_equal(ns->ns_drops[DROP_IP6_FRAGHDRS], 3);
	assert_int_equal(test_got.tg_n, 1);
	end(ns);
}

/* HOSTILE 38 */
static void
test_lengths(void **state)
{
	struct netstack *ns = begin();

	(void)state;
	frag(1, 0, 801, true);
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_HEADER, IP6_OFF_PLEN);
	frag(2, 65528, 8, false);
	assert_error(ICMP6_PARAMPROB, ICMP6_PARAMPROB_HEADER, IP6_HDR_LEN + 2);
	frag(3, 800, 0, true);
	frag(3, 800, 0, false);
	assert_int_equal(ns->ns_drops[DROP_IP6_FRAGLEN], 4);
	assert_int_equal(ns->ns_inet6->i6_frag6.f6_count, 0);
	/* The largest that there is */
	for (uint32_t off = 0; off < 65520; off += 1040)
		frag(4, off, 1040, true);
	frag(4, 65520, 15, false);
	assert_int_equal(test_got.tg_n, 1);
	assert_int_equal(test_got.tg_len, 65535);
	assert_memory_equal(test_got.tg_bytes, data, 65535);
	assert_int_equal(ti.ti_n, 0);
	/* Time exceeded is told only of what began. */
	frag(5, 800, 800, false);
	frag(6, 0, 800, true);
	test_run_for(ns, 61 * NSEC_PER_SEC);
	assert_int_equal(ti.ti_n, 1);
	assert_error(ICMP6_TIMXCEED, ICMP6_TIMXCEED_REASS, 0);
	end(ns);
}

/* HOSTILE 17 */
static void
test_limits(void **state)
{
	struct netstack *ns = begin();
	const struct frag6 *f6 = &ns->ns_inet6->i6_frag6;
	char src[32];

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		frag(i, 0, 800, true);
	assert_int_equal(f6->f6_count, f6->f6_maxpersource);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(src, sizeof(src), "fd00::2:%x", i);
		frag_bytes(src, i, 0, data, 800, true);
	}
	assert_true(f6->f6_count <= f6->f6_maxdatagrams);
	assert_true(f6->f6_bytes <= f6->f6_maxbytes);
	for (unsigned i = 0; i < 1000; i++)
		frag(5000, 8 + 16 * i, 8, true);
	frag(5001, 0, 800, true);
	frag(5001, 800, 800, false);
	assert_int_equal(test_got.tg_n, 1);
	end(ns);
}

/* Every allocation fails in turn, and nothing is left behind. */
static void
test_nomem(void **state)
{
	struct netstack *ns = begin();

	(void)state;
	for (uint64_t nth = 1; nth < 40; nth++) {
		ns->ns_fault.af_fail_at = ns->ns_fault.af_count + nth;
		frag((uint32_t)nth, 800, 800, true);
		frag((uint32_t)nth, 0, 800, true);
		frag((uint32_t)nth, 1600, 800, false);
		(void)test_ip6send(ns, PEER, 4000);
		ns->ns_fault.af_fail_at = 0;
		testif_clear(&ti);
	}
	assert_true(test_got.tg_n > 20);
	end(ns);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_orders),
	    cmocka_unit_test(test_overlaps),
	    cmocka_unit_test(test_atomic),
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
