/* SPDX-License-Identifier: BSD-2-Clause */
/* Taps on each kind of interface, as whoever attaches one sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>
#include <rumpus/bpf.h>
#include <rumpus/socket.h>
#include <rumpus/stack.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

#define MAXSEEN 32

static const uint8_t OURS[6] = {2, 0, 0, 0, 0, 1}, THEIRS[6] = {2, 0, 0, 0, 0, 9};

/* What a tap has seen. */
struct seen {
	bool full; /* takes nothing */
	unsigned n;
	struct rumpus_bpf_packet bp[MAXSEEN];
	uint8_t bytes[MAXSEEN][2048];
};

static bool
see(void *arg, const struct rumpus_bpf_packet *bp)
{
	struct seen *s = arg;

	assert_true(s->n < MAXSEEN && bp->bp_caplen <= bp->bp_len);
	assert_int_equal(bp->bp_len, bp->bp_hdrlen + m_length(bp->bp_m));
	if (s->full)
		return false;
	s->bp[s->n] = *bp;
	if (bp->bp_caplen <= sizeof(s->bytes[0]))
		rumpus_bpf_copy(bp, s->bytes[s->n]);
	s->n++;
	return true;
}

/* An interface whose frames are counted; it may have the segmentation of a driver. */
struct port {
	struct ifnet pt_if;
	unsigned pt_sent;
};

static int
port_start(struct ifnet *ifp, struct mbuf *m)
{
	((struct port *)ifp->if_softc)->pt_sent++;
	m_freem(m);
	return 0;
}

static void
port_input(struct port *port, const uint8_t *frame, size_t len)
{
	struct mbuf *m = m_gethdr(port->pt_if.if_ns, MT_DATA);

	assert_int_equal(m_append(m, len, frame), 0);
	port->pt_if.if_input(&port->pt_if, m);
}

static struct netstack *
instance(struct port *port)
{
	struct rumpus_config rc = {.rc_seed = {7}, .rc_now_ns = NSEC_PER_SEC};
	struct netstack *ns = rumpus_create(&rc);

	assert_non_null(ns);
	*port = (struct port){.pt_if = {.if_flags = IFF_UP | IFF_RUNNING,
				  .if_mtu = 1500,
				  .if_softc = port,
				  .if_start = port_start}};
	assert_int_equal(if_setname(&port->pt_if, "port0"), 0);
	assert_int_equal(if_attach(ns, &port->pt_if), 0);
	assert_int_equal(ether_ifattach(&port->pt_if, OURS), 0);
	assert_int_equal(rumpus_addr_add(ns, "port0", "10.0.0.1/24"), 0);
	test_run_for(ns, 10 * NSEC_PER_SEC); /* its claim to the address */
	port->pt_sent = 0;
	return ns;
}

static struct rumpus_bpf *
tap(struct netstack *ns, const char *ifname, struct seen *s, struct rumpus_bpf_config bc)
{
	struct rumpus_bpf *bd = NULL;

	bc.bc_ifname = ifname;
	bc.bc_fn = see;
	bc.bc_arg = s;
	if (bc.bc_direction == 0)
		bc.bc_direction = RUMPUS_BPF_INOUT;
	assert_int_equal(rumpus_bpf_attach(ns, &bc, &bd), 0);
	return bd;
}

/* An ARP request for us; we answer. */
static void
ask(struct netstack *ns, struct port *port)
{
	const struct ether_hdr eh = {.ether_dhost = {2, 0, 0, 0, 0, 1},
	    .ether_shost = {2, 0, 0, 0, 0, 9},
	    .ether_type = ETHERTYPE_ARP};
	struct arp_pkt ap = {.ar_op = ARPOP_REQUEST,
	    .ar_spa_be = ipv4_addr_be(10, 0, 0, 9),
	    .ar_tpa_be = ipv4_addr_be(10, 0, 0, 1)};
	uint8_t frame[60] = {0};

	memcpy(ap.ar_sha, THEIRS, 6);
	ether_emit(frame, &eh);
	arp_emit(frame + ETHER_HDR_LEN, &ap);
	port_input(port, frame, sizeof(frame));
	rumpus_run(ns);
}

static void
test_ethernet(void **state)
{
	static struct seen both, in, out, cut;
	struct rumpus_bpf *bd[4];
	struct port port;
	struct netstack *ns = instance(&port);

	(void)state;
	memset(&both, 0, sizeof(both));
	bd[0] = tap(ns, "port0", &both, (struct rumpus_bpf_config){0});
	bd[1] = tap(ns, "port0", &in, (struct rumpus_bpf_config){.bc_direction = RUMPUS_BPF_IN});
	bd[2] = tap(ns, "port0", &out, (struct rumpus_bpf_config){.bc_direction = RUMPUS_BPF_OUT});
	bd[3] = tap(ns, "port0", &cut, (struct rumpus_bpf_config){.bc_snaplen = 13});
	ask(ns, &port);
	assert_int_equal(port.pt_sent, 1);
	assert_int_equal(both.n, 2);
	assert_int_equal(both.bp[0].bp_direction, RUMPUS_BPF_IN);
	assert_int_equal(both.bp[1].bp_direction, RUMPUS_BPF_OUT);
	assert_int_equal(both.bp[0].bp_len, 60);
	assert_int_equal(both.bp[0].bp_caplen, 60);
	assert_int_equal(both.bp[0].bp_when_ns, ns->ns_now);
	assert_memory_equal(both.bytes[0], OURS, 6);
	assert_memory_equal(both.bytes[1], THEIRS, 6);
	assert_int_equal(in.n, 1);
	assert_memory_equal(in.bytes[0], both.bytes[0], 60);
	assert_int_equal(out.n, 1);
	assert_memory_equal(out.bytes[0], both.bytes[1], 60);
	assert_int_equal(cut.n, 2);
	assert_int_equal(cut.bp[0].bp_caplen, 13);
	assert_int_equal(cut.bp[0].bp_len, 60);
	for (unsigned i = 0; i < 4; i++)
		rumpus_bpf_detach(bd[i]);
	ask(ns, &port);
	assert_int_equal(port.pt_sent, 2);
	assert_int_equal(both.n, 2);
	rumpus_destroy(ns);
}

/* Runts and frames for others are seen, too: nothing has judged them yet. */
static void
test_unjudged(void **state)
{
	static struct seen s;
	static const uint8_t runt[3] = {1, 2, 3}, other[60] = {2, 0, 0, 0, 0, 77};
	struct port port;
	struct netstack *ns = instance(&port);
	struct rumpus_bpf *bd = tap(ns, "port0", &s, (struct rumpus_bpf_config){0});

	(void)state;
	port_input(&port, runt, sizeof(runt));
	port_input(&port, other, sizeof(other));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.bp[0].bp_len, 3);
	assert_memory_equal(s.bytes[1], other, 60);
	rumpus_bpf_detach(bd);
	rumpus_destroy(ns);
}

/* ARP only; then there is no room. */
static void
test_filter_and_drops(void **state)
{
	static const struct rumpus_bpf_insn arp[] = {{0x28, 0, 0, 12}, {0x15, 0, 1, 0x0806},
	    {0x06, 0, 0, 20}, {0x06, 0, 0, 0}};
	static const uint8_t other[60];
	static struct seen s;
	struct rumpus_bpf_stat bs;
	struct port port;
	struct netstack *ns = instance(&port);
	struct rumpus_bpf *bd = tap(ns, "port0", &s,
	    (struct rumpus_bpf_config){.bc_filter = arp, .bc_ninsns = nitems(arp)});

	(void)state;
	port_input(&port, other, sizeof(other));
	ask(ns, &port);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.bp[0].bp_caplen, 20); /* what the program returned */
	s.full = true;
	ask(ns, &port);
	rumpus_bpf_stat(bd, &bs);
	assert_int_equal(bs.bs_recv, 4);
	assert_int_equal(bs.bs_drop, 2);
	rumpus_bpf_detach(bd);
	rumpus_destroy(ns);
}

static void
test_refused(void **state)
{
	static const struct rumpus_bpf_insn bad[] = {{0x05, 0, 0, 0xffffffff}, {0x06, 0, 0, 1}};
	struct rumpus_bpf_config bc = {.bc_ifname = "port0",
	    .bc_direction = RUMPUS_BPF_INOUT,
	    .bc_fn = see};
	struct rumpus_bpf *bd;
	struct port port;
	struct netstack *ns = instance(&port);

	(void)state;
	bc.bc_direction = 0;
	assert_int_equal(rumpus_bpf_attach(ns, &bc, &bd), BSD_EINVAL);
	bc.bc_direction = RUMPUS_BPF_INOUT;
	bc.bc_filter = bad;
	bc.bc_ninsns = 2;
	assert_int_equal(rumpus_bpf_attach(ns, &bc, &bd), BSD_EINVAL);
	bc.bc_ninsns = 0;
	bc.bc_ifname = "port1";
	assert_int_equal(rumpus_bpf_attach(ns, &bc, &bd), BSD_ENXIO);
	assert_int_equal(rumpus_bpf_linktype(ns, "port1"), -1);
	assert_int_equal(rumpus_bpf_linktype(ns, "port0"), RUMPUS_LINKTYPE_ETHERNET);
	bc.bc_ifname = "port0";
	(void)rumpus_fail_alloc(ns, 1);
	assert_int_equal(rumpus_bpf_attach(ns, &bc, &bd), BSD_ENOMEM);
	ask(ns, &port);
	assert_int_equal(port.pt_sent, 1);
	rumpus_destroy(ns);
}

/* An interface that goes leaves its taps to their owner; a stack that goes takes them along. */
static void
test_goes(void **state)
{
	static struct seen s;
	struct rumpus_bpf_stat bs;
	struct port port;
	struct netstack *ns = instance(&port);
	struct rumpus_bpf *bd = tap(ns, "port0", &s, (struct rumpus_bpf_config){0});

	(void)state;
	(void)tap(ns, "port0", &s, (struct rumpus_bpf_config){0});
	ask(ns, &port);
	if_detach(if_byname(ns, "port0"));
	rumpus_bpf_stat(bd, &bs);
	assert_int_equal(bs.bs_recv, 2);
	rumpus_bpf_detach(bd);
	(void)tap(ns, "lo0", &s, (struct rumpus_bpf_config){0});
	rumpus_destroy(ns);
}

/* A datagram to ourselves, seen once, as an ethernet frame. */
static void
test_loopback(void **state)
{
	static const struct rumpus_bpf_insn ip[] = {{0x28, 0, 0, 12}, {0x15, 0, 1, 0x0800},
	    {0x06, 0, 0, 0x40000}, {0x06, 0, 0, 0}};
	static const uint8_t zero[12];
	static struct seen s;
	union bsd_sockaddr_any to = {.sin = {.sin_len = sizeof(to.sin),
					 .sin_family = BSD_AF_INET,
					 .sin_port = htobe16(9),
					 .sin_addr.s_addr = ipv4_addr_be(127, 0, 0, 1)}};
	struct port port;
	struct netstack *ns = instance(&port);
	struct rumpus_proc *p = rumpus_proc_create(ns, "test");
	struct rumpus_bpf *bd = tap(ns, "lo0", &s,
	    (struct rumpus_bpf_config){.bc_filter = ip, .bc_ninsns = nitems(ip)});
	int fd = rumpus_socket(p, BSD_AF_INET, BSD_SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(rumpus_bind(p, fd, &to.sa, sizeof(to.sin)), 0);
	assert_int_equal(rumpus_sendto(p, fd, "hello", 5, 0, &to.sa), 5);
	rumpus_run(ns);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.bp[0].bp_direction, RUMPUS_BPF_OUT);
	assert_int_equal(s.bp[0].bp_len, 14 + 20 + 8 + 5);
	assert_memory_equal(s.bytes[0], zero, 12);
	assert_memory_equal(s.bytes[0] + 14 + 28, "hello", 5);
	assert_int_equal(rumpus_bpf_linktype(ns, "lo0"), RUMPUS_LINKTYPE_ETHERNET);
	rumpus_bpf_detach(bd);
	rumpus_proc_exit(p);
	rumpus_destroy(ns);
}

static void
packet_out(void *arg, const uint8_t *packet, size_t len)
{
	assert_int_equal(packet[0] >> 4, 4);
	assert_int_equal(len, 28);
	(*(unsigned *)arg)++;
}

/* Bare packets: an echo request and its reply. */
static void
test_pointtopoint(void **state)
{
	static const uint8_t echo[28] = {0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0x66, 0xd5, 10, 1, 0, 9,
	    10, 1, 0, 1, 8, 0, 0xf7, 0xff};
	static struct seen s;
	struct port port;
	struct netstack *ns = instance(&port);
	struct rumpus_bpf *bd;
	unsigned nsent = 0;

	(void)state;
	assert_int_equal(rumpus_ptp_attach(ns, "ppp0", 1500, packet_out, &nsent), 0);
	assert_int_equal(rumpus_addr_add(ns, "ppp0", "10.1.0.1/24"), 0);
	assert_int_equal(rumpus_bpf_linktype(ns, "ppp0"), RUMPUS_LINKTYPE_RAW);
	bd = tap(ns, "ppp0", &s, (struct rumpus_bpf_config){0});
	assert_int_equal(rumpus_ptp_input(ns, "ppp0", echo, sizeof(echo)), 0);
	rumpus_run(ns);
	assert_int_equal(nsent, 1);
	assert_int_equal(s.n, 2);
	assert_memory_equal(s.bytes[0], echo, sizeof(echo));
	assert_int_equal(s.bp[1].bp_direction, RUMPUS_BPF_OUT);
	assert_int_equal(s.bytes[1][20], 0);
	rumpus_bpf_detach(bd);
	rumpus_destroy(ns);
}

/* What the driver will cut is one frame, of which snaplen bytes are wanted. */
static void
test_offload(void **state)
{
	static uint8_t frame[40000];
	static struct seen s;
	struct port port;
	struct netstack *ns = instance(&port);
	struct rumpus_bpf *bd;
	struct mbuf *m;

	(void)state;
	port.pt_if.if_capenable = IFCAP_CSUM_TX | IFCAP_TSO4;
	bd = tap(ns, "port0", &s, (struct rumpus_bpf_config){.bc_snaplen = 2000});
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = test_byte(i);
	m = m_gethdr(ns, MT_DATA);
	assert_int_equal(m_append(m, sizeof(frame), frame), 0);
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED | M_CSUM_TSO;
	m->m_pkthdr.segsz = 1460;
	assert_int_equal(if_transmit(&port.pt_if, m), 0);
	assert_int_equal(port.pt_sent, 1);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.bp[0].bp_len, sizeof(frame));
	assert_int_equal(s.bp[0].bp_caplen, 2000);
	assert_memory_equal(s.bytes[0], frame, 2000);
	rumpus_bpf_detach(bd);
	rumpus_destroy(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ethernet),
	    cmocka_unit_test(test_unjudged),
	    cmocka_unit_test(test_filter_and_drops),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_goes),
	    cmocka_unit_test(test_loopback),
	    cmocka_unit_test(test_pointtopoint),
	    cmocka_unit_test(test_offload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
