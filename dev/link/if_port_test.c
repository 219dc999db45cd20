/* SPDX-License-Identifier: BSD-2-Clause */
/* A port: frames out by the callback, in by the call, each whole; the MTU at work; nothing left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dev/link/if_port.h"
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "net/net_state.h"
#include "wire/ether.h"

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
static uint8_t seen[2000];
static size_t seen_len;

static void
see_out(void *arg, const uint8_t *frame, size_t len)
{
	assert_ptr_equal(arg, seen);
	memcpy(seen, frame, len);
	seen_len = len;
}

static void
see_in(struct ifnet *ifp, struct mbuf *m)
{
	m_sanity(m);
	assert_ptr_equal(m->m_pkthdr.rcvif, ifp);
	seen_len = m_length(m);
	m_copydata(m, 0, seen_len, seen);
	m_freem(m);
}

static struct netstack *
stack(void)
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
attach(struct netstack *ns, const char *name, uint32_t mtu, struct port **port)
{
	const struct port_config pc = {.pc_name = name,
	    .pc_lladdr = mac,
	    .pc_mtu = mtu,
	    .pc_output = see_out,
	    .pc_arg = seen};

	return port_attach(ns, &pc, port);
}

static void
test_out_and_in(void **state)
{
	static const size_t pieces[] = {14, 300, 1200};
	struct netstack *ns = stack();
	struct mbuf *m = test_chain(ns, "icc", pieces, NULL);
	struct port *port;
	struct ifnet *ifp;

	(void)state;
	assert_int_equal(attach(ns, "p0", 1500, &port), 0);
	ifp = if_byname(ns, "p0");
	assert_non_null(ifp);
	assert_int_equal(if_transmit(ifp, m), 0);
	assert_int_equal(seen_len, 1514);
	for (size_t i = 0; i < seen_len; i++)
		assert_int_equal(seen[i], test_byte(i));
	ifp->if_input = see_in;
	memset(seen, 0, sizeof(seen));
	assert_int_equal(port_input(port, (const uint8_t *)"0123456789abcdef", 16), 0);
	assert_int_equal(seen_len, 16);
	assert_memory_equal(seen, "0123456789abcdef", 16);
	ns->ns_fault.af_fail_at = 1;
	assert_int_equal(port_input(port, seen, 16), BSD_ENOBUFS);
	assert_int_equal(ifp->if_data.ifi_iqdrops, 1);
	if_detach(ifp);
	test_netstack_end(ns);
}

static void
test_mtu(void **state)
{
	struct netstack *ns = stack();
	struct port *port;

	(void)state;
	assert_int_equal(attach(ns, "p0", 67, &port), BSD_EINVAL);
	assert_int_equal(attach(ns, "p0", 65536, &port), BSD_EINVAL);
	assert_int_equal(attach(ns, "p0", 1500, &port), 0);
	assert_int_equal(port_setmtu(port, 1501), BSD_EINVAL);
	assert_int_equal(port_setmtu(port, 67), BSD_EINVAL);
	assert_int_equal(port_setmtu(port, 900), 0);
	assert_int_equal(if_byname(ns, "p0")->if_mtu, 900);
	if_detach(if_byname(ns, "p0"));
	test_netstack_end(ns);
}

static void
test_names(void **state)
{
	struct netstack *ns = stack();
	struct port *port, *other;

	(void)state;
	assert_int_equal(attach(ns, "", 1500, &port), BSD_EINVAL);
	assert_int_equal(attach(ns, "0123456789abcdef", 1500, &port), BSD_EINVAL);
	assert_int_equal(attach(ns, "0123456789abcde", 1500, &port), 0);
	assert_int_equal(attach(ns, "0123456789abcde", 1500, &other), BSD_EEXIST);
	if_detach(if_byname(ns, "0123456789abcde"));
	test_netstack_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_out_and_in),
	    cmocka_unit_test(test_mtu),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
