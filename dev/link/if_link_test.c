/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire between two stacks: order, delay, rate, limits, cuts, and nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dev/link/if_link.h"
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "net/net_state.h"
#include "wire/ether.h"

#define MTU 1500u
#define MAXSEEN 64

static const uint8_t mac[LINK_ENDS][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

/* Frames that came in at an end, and when. */
static struct {
	uint64_t now_ns;
	uint32_t len;
	uint8_t mark;
} seen[MAXSEEN];
static unsigned nseen;

struct pair {
	struct netstack *ns[LINK_ENDS];
	struct link *ln;
};

static void
see(struct ifnet *ifp, struct mbuf *m)
{
	assert_true(nseen < MAXSEEN);
	m_sanity(m);
	assert_ptr_equal(m->m_pkthdr.rcvif, ifp);
	assert_int_equal(m->m_pkthdr.len, m_length(m));
	seen[nseen].now_ns = ifp->if_ns->ns_now;
	seen[nseen].len = m->m_pkthdr.len;
	m_copydata(m, m->m_pkthdr.len - 1, 1, &seen[nseen].mark);
	nseen++;
	m_freem(m);
}

/* A stack of interfaces without a network protocol. */
static struct netstack *
net_only_stack(void)
{
	static const struct domain net_only = {.dom_name = "net",
	    .dom_init = net_init,
	    .dom_fini = net_fini};
	static const struct domain *const domains[] = {&net_only, NULL};
	struct netstack_config nc = test_config();
	struct netstack *ns;

	nc.nc_domains = domains;
	ns = netstack_create(&nc);
	assert_non_null(ns);
	return ns;
}

static int
pair_make(struct pair *pr, const struct link_config *lc)
{
	struct link_end_config ends[LINK_ENDS];

	nseen = 0;
	for (unsigned i = 0; i < LINK_ENDS; i++) {
		pr->ns[i] = net_only_stack();
		ends[i] = (struct link_end_config){
		    .le_ns = pr->ns[i],
		    .le_name = "link0",
		    .le_lladdr = mac[i],
		};
	}
	return link_create(lc, ends, &pr->ln);
}

static void
pair_open(struct pair *pr, const struct link_config *lc)
{
	assert_int_equal(pair_make(pr, lc), 0);
	for (unsigned i = 0; i < LINK_ENDS; i++)
		link_ifp(pr->ln, i)->if_input = see;
}

static void
pair_close(struct pair *pr)
{
	if (pr->ln != NULL)
		link_destroy(pr->ln);
	for (unsigned i = 0; i < LINK_ENDS; i++)
		test_netstack_end(pr->ns[i]);
}

/* A frame of len bytes whose last one is mark. */
static int
frame_send(struct pair *pr, unsigned end, uint32_t len, uint8_t mark)
{
	static uint8_t bytes[MTU + ETHER_HDR_LEN];
	struct mbuf *m = m_getm(pr->ns[end], len);

	assert_non_null(m);
	bytes[len - 1] = mark;
	assert_int_equal(m_append(m, len, bytes), 0);
	bytes[len - 1] = 0;
	return if_transmit(link_ifp(pr->ln, end), m);
}

static void
test_delay_and_order(void **state)
{
	const struct link_config lc = {.lc_delay_ns = 5000, .lc_queue = 8, .lc_mtu = MTU};
	struct pair pr;

	(void)state;
	pair_open(&pr, &lc);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(frame_send(&pr, 0, 60u + i, i), 0);
	assert_int_equal(frame_send(&pr, 1, MTU + ETHER_HDR_LEN, 9), 0);
	assert_int_equal(link_turn(pr.ln, TEST_NOW_NS + 4999), TEST_NOW_NS + 5000);
	assert_int_equal(nseen, 0);
	assert_true(link_turn(pr.ln, TEST_NOW_NS + 5000) > TEST_NOW_NS + 5000);
	assert_int_equal(nseen, 4);
	assert_int_equal(seen[0].mark, 9); /* end 0 takes its turn first */
	assert_int_equal(seen[0].len, MTU + ETHER_HDR_LEN);
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(seen[i + 1].mark, i);
		assert_int_equal(seen[i + 1].len, 60u + i);
		assert_int_equal(seen[i + 1].now_ns, TEST_NOW_NS + 5000);
	}
	pair_close(&pr);
}

static void
test_rate(void **state)
{
	const struct link_config lc = {.lc_delay_ns = 1000,
	    .lc_rate_bps = 1000000000,
	    .lc_queue = 8,
	    .lc_mtu = MTU};
	struct pair pr;
	uint64_t now_ns = TEST_NOW_NS;

	(void)state;
	pair_open(&pr, &lc);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(frame_send(&pr, 0, 125, i), 0); /* 1 us each at 1 Gbit/s */
	while (nseen < 3) {
		uint64_t next_ns = link_turn(pr.ln, now_ns);

		assert_true(next_ns > now_ns || nseen == 3);
		now_ns = next_ns;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(seen[i].now_ns, TEST_NOW_NS + 1000 + 1000 * (i + 1));
	pair_close(&pr);
}

static void
test_queue_limit(void **state)
{
	const struct link_config lc = {.lc_delay_ns = 1, .lc_queue = 2, .lc_mtu = MTU};
	struct pair pr;

	(void)state;
	pair_open(&pr, &lc);
	assert_int_equal(frame_send(&pr, 0, 60, 0), 0);
	assert_int_equal(frame_send(&pr, 0, 60, 1), 0);
	assert_int_equal(frame_send(&pr, 0, 60, 2), BSD_ENOBUFS);
	assert_int_equal(pr.ns[0]->ns_drops[DROP_IF_QUEUEFULL], 1);
	assert_int_equal(link_ifp(pr.ln, 0)->if_data.ifi_oqdrops, 1);
	(void)link_turn(pr.ln, TEST_NOW_NS + 1);
	assert_int_equal(nseen, 2);
	assert_int_equal(frame_send(&pr, 0, 60, 3), 0); /* room again */
	pair_close(&pr);                                /* with a frame on the way */
}

static void
test_cut(void **state)
{
	const struct link_config lc = {.lc_delay_ns = 10, .lc_queue = 4, .lc_mtu = MTU};
	struct pair pr;

	(void)state;
	pair_open(&pr, &lc);
	assert_int_equal(frame_send(&pr, 0, 60, 1), 0);
	link_cut(pr.ln, true);
	assert_int_equal(frame_send(&pr, 0, 60, 2), 0);
	assert_int_equal(pr.ns[0]->ns_drops[DROP_LINK_CUT], 1);
	link_cut(pr.ln, false);
	assert_int_equal(frame_send(&pr, 0, 60, 3), 0);
	(void)link_turn(pr.ln, TEST_NOW_NS + 10);
	assert_int_equal(nseen, 2);
	assert_int_equal(seen[0].mark, 1);
	assert_int_equal(seen[1].mark, 3);
	pair_close(&pr);
}

static void
test_no_memory_to_receive(void **state)
{
	const struct link_config lc = {.lc_queue = 4, .lc_mtu = MTU};
	struct pair pr;

	(void)state;
	pair_open(&pr, &lc);
	assert_int_equal(frame_send(&pr, 0, 60, 1), 0);
	pr.ns[1]->ns_fault.af_fail_at = 1;
	(void)link_turn(pr.ln, TEST_NOW_NS);
	assert_int_equal(nseen, 0);
	assert_int_equal(pr.ns[1]->ns_drops[DROP_MBUF_NOBUFS], 1);
	assert_int_equal(link_ifp(pr.ln, 1)->if_data.ifi_iqdrops, 1);
	pair_close(&pr);
}

static void
test_refused(void **state)
{
	static const struct link_config bad[] = {
	    {.lc_queue = 4, .lc_mtu = 67},
	    {.lc_queue = 4, .lc_mtu = 65536},
	    {.lc_queue = 0, .lc_mtu = MTU},
	};

	(void)state;
	for (unsigned i = 0; i < nitems(bad); i++) {
		struct pair pr = {.ln = NULL};

		assert_int_equal(pair_make(&pr, &bad[i]), BSD_EINVAL);
		pair_close(&pr);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_delay_and_order),
	    cmocka_unit_test(test_rate),
	    cmocka_unit_test(test_queue_limit),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_no_memory_to_receive),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
