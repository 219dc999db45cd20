/* SPDX-License-Identifier: BSD-2-Clause */
/* The bad link in front of an interface: frames late, lost, twice, changed; none left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dev/fault/if_fault.h"
#include "dev/link/if_port.h"
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "net/net_state.h"

#define LEN 1000u

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

struct rig {
	struct netstack *ns;
	struct ifnet *ifp;
	struct if_fault *iff;
	unsigned out, in;
	uint64_t last_ns;
	uint8_t marks[16];
	unsigned bits; /* that differ from what was sent, of all frames */
};
static struct rig rig;

static void
see(const uint8_t *bytes, size_t len)
{
	assert_int_equal(len, LEN);
	rig.last_ns = rig.ns->ns_now;
	rig.marks[(rig.out + rig.in) % 16] = bytes[0];
	for (size_t i = 1; i < len; i++)
		rig.bits += (unsigned)__builtin_popcount(bytes[i] ^ (uint8_t)i);
}

static void
see_out(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	see(frame, len);
	rig.out++;
}

static void
see_in(struct ifnet *ifp, struct mbuf *m)
{
	uint8_t bytes[LEN];

	(void)ifp;
	m_sanity(m);
	m_copydata(m, 0, LEN, bytes);
	see(bytes, m_length(m));
	rig.in++;
	m_freem(m);
}

static void
rig_open(const struct fault_config *fc)
{
	static const struct domain net_only = {.dom_name = "net",
	    .dom_init = net_init,
	    .dom_fini = net_fini};
	static const struct domain *const domains[] = {&net_only, NULL};
	struct netstack_config nc = test_config();
	struct port_config pc = {.pc_name = "p0", .pc_lladdr = mac, .pc_mtu = 1500};
	struct port *port;

	pc.pc_output = see_out;
	nc.nc_domains = domains;
	rig = (struct rig){.ns = netstack_create(&nc)};
	assert_non_null(rig.ns);
	assert_int_equal(port_attach(rig.ns, &pc, &port), 0);
	rig.ifp = if_byname(rig.ns, "p0");
	rig.ifp->if_input = see_in;
	assert_int_equal(fault_attach(rig.ifp, fc, &rig.iff), 0);
}

static void
rig_close(void)
{
	fault_detach(rig.iff);
	assert_null(rig.ifp->if_fault);
	if_detach(rig.ifp);
	test_netstack_end(rig.ns);
}

static struct mbuf *
frame(uint8_t mark)
{
	struct mbuf *m = m_getm(rig.ns, LEN);
	uint8_t bytes[LEN];

	for (unsigned i = 0; i < LEN; i++)
		bytes[i] = (uint8_t)i;
	bytes[0] = mark;
	assert_non_null(m);
	assert_int_equal(m_append(m, LEN, bytes), 0);
	m->m_pkthdr.rcvif = rig.ifp;
	return m;
}

static void
test_both_ways_delayed(void **state)
{
	const struct fault_config fc = {.fc_delay_ns = 1000000};

	(void)state;
	rig_open(&fc);
	assert_int_equal(if_transmit(rig.ifp, frame(2)), 0);
	rig.ifp->if_input(rig.ifp, frame(4));
	test_run_for(rig.ns, 999999);
	assert_int_equal(rig.out + rig.in, 0);
	test_run_for(rig.ns, 1);
	assert_int_equal(rig.out, 1);
	assert_int_equal(rig.in, 1);
	assert_int_equal(rig.bits, 0);
	rig_close();
}

/* A frame held back is overtaken; equal times keep their order. */
static void
test_order(void **state)
{
	const struct fault_config fc = {.fc_delay_ns = 1000, .fc_reorder_ns = 500};

	(void)state;
	rig_open(&fc);
	for (uint8_t i = 0; i < 6; i++) {
		struct fault *f = (struct fault *)(uintptr_t)fault_direction(rig.iff, FAULT_IN);

		f->f_config.fc_reorder_ppm = i == 1 ? FAULT_PPM : 0;
		rig.ifp->if_input(rig.ifp, frame((uint8_t)(2 * i)));
	}
	test_run_for(rig.ns, 5000);
	assert_memory_equal(rig.marks, "\0\4\6\10\12\2", 6);
	rig_close();
}

static void
test_duplicates_and_bad_bits(void **state)
{
	const struct fault_config fc = {.fc_duplicate_ppm = FAULT_PPM, .fc_corrupt_ppm = FAULT_PPM};
	struct mbuf *m, *shared;

	(void)state;
	rig_open(&fc);
	m = frame(2);
	shared = m_copym(m, 0, LEN); /* as a send buffer would hold it */
	assert_non_null(shared);
	assert_int_equal(if_transmit(rig.ifp, m), 0);
	test_run_for(rig.ns, 1000);
	assert_int_equal(rig.out, 2);
	assert_in_range(rig.bits + (rig.marks[0] != 2 || rig.marks[1] != 2), 1, 1);
	rig.bits = 0;
	see_in(rig.ifp, shared); /* is as it was */
	assert_int_equal(rig.bits, 0);
	rig_close();
}

static void
test_losses_counted(void **state)
{
	const struct fault_config fc = {.fc_loss_ppm = FAULT_PPM};

	(void)state;
	rig_open(&fc);
	assert_int_equal(if_transmit(rig.ifp, frame(2)), 0);
	rig.ifp->if_input(rig.ifp, frame(2));
	assert_int_equal(rig.ns->ns_drops[DROP_FAULT_LOST], 2);
	assert_int_equal(fault_direction(rig.iff, FAULT_OUT)->f_counts[FAULT_LOST], 1);
	rig_close();
}

static void
test_detached_with_frames(void **state)
{
	const struct fault_config fc = {.fc_delay_ns = 1000000};

	(void)state;
	rig_open(&fc);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(if_transmit(rig.ifp, frame(2)), 0);
	rig_close();
	assert_int_equal(rig.out, 0);
}

static void
test_offload_refused(void **state)
{
	const struct fault_config fc = {0};
	struct if_fault *iff;

	(void)state;
	rig_open(&fc);
	fault_detach(rig.iff);
	rig.ifp->if_capenable = IFCAP_TSO4;
	assert_int_equal(fault_attach(rig.ifp, &fc, &iff), BSD_EINVAL);
	rig.ifp->if_capenable = 0;
	assert_int_equal(fault_attach(rig.ifp, &fc, &rig.iff), 0);
	rig_close();
}

static int
with_failures(struct netstack *ns, void *arg)
{
	const struct fault_config fc = {.fc_delay_ns = 1000,
	    .fc_duplicate_ppm = FAULT_PPM,
	    .fc_corrupt_ppm = FAULT_PPM};
	struct ifnet ifnet = {.if_ns = ns, .if_xname = "f0", .if_input = see_in};
	struct if_fault *iff;
	struct mbuf *m;

	(void)arg;
	rig = (struct rig){.ns = ns, .ifp = &ifnet};
	if (fault_attach(&ifnet, &fc, &iff) != 0)
		return -1;
	if ((m = m_getm(ns, LEN)) != NULL) {
		static const uint8_t bytes[LEN];

		if (m_append(m, LEN, bytes) == 0)
			ifnet.if_input(&ifnet, m);
		else
			m_freem(m);
	}
	test_run_for(ns, 5000);
	fault_detach(iff);
	return rig.in == 2 ? 0 : -1;
}

static void
test_no_memory(void **state)
{
	(void)state;
	assert_true(for_each_alloc_failure(NULL, with_failures, NULL) > 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways_delayed),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_duplicates_and_bad_bits),
	    cmocka_unit_test(test_losses_counted),
	    cmocka_unit_test(test_detached_with_frames),
	    cmocka_unit_test(test_offload_refused),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
