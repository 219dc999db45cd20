/* SPDX-License-Identifier: BSD-2-Clause */
/* The ifnet half of the tap driver, on a host half made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dev/tap/if_tap.h"
#include "dev/tap/tap_host.h"
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "net/net_state.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#define MAXFRAME 65553u

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};

/* The host's half: what it has to give, and what it was given. */
struct tap_host {
	uint32_t th_rxlen[8]; /* frames waiting: byte i of a frame is i & 0xff */
	unsigned th_nrx;
	unsigned th_rxat;
	bool th_gone;
	enum tap_sent th_answer;
	uint32_t th_txlen[8];
	uint8_t th_txmark[8]; /* first byte of each */
	unsigned th_ntx;
	unsigned th_maxpieces;
	const uint8_t *th_rxbytes; /* of every frame, if not those */
	struct tap_meta th_rxmeta; /* goes with every frame */
	struct tap_meta th_txmeta; /* came with the last */
};

long
tap_host_read(struct tap_host *th, struct tap_meta *tm, const struct tap_buf *tb, unsigned ntb)
{
	uint32_t len, done = 0;

	*tm = th->th_rxmeta;
	if (th->th_gone)
		return -1;
	if (th->th_rxat == th->th_nrx)
		return 0;
	len = th->th_rxlen[th->th_rxat++];
	for (unsigned i = 0; i < ntb && done < len; i++) {
		for (size_t j = 0; j < tb[i].tb_len && done < len; j++, done++)
			((uint8_t *)tb[i].tb_base)[j] =
			    th->th_rxbytes != NULL ? th->th_rxbytes[done] : (uint8_t)done;
	}
	return done;
}

enum tap_sent
tap_host_write(struct tap_host *th, const struct tap_meta *tm, const struct tap_buf *tb,
    unsigned ntb)
{
	uint32_t len = 0;

	th->th_txmeta = *tm;
	th->th_maxpieces = KERN_MAX(th->th_maxpieces, ntb);
	if (th->th_answer != TAP_SENT)
		return th->th_answer;
	for (unsigned i = 0; i < ntb; i++)
		len += (uint32_t)tb[i].tb_len;
	th->th_txlen[th->th_ntx] = len;
	th->th_txmark[th->th_ntx++] = *(const uint8_t *)tb[0].tb_base;
	return TAP_SENT;
}

/* What came up the stack. */
static uint32_t uplen[8];
static bool upcluster[8];
static uint16_t upcsum, upsegs; /* of the last */
static unsigned nup;

static void
up(struct ifnet *ifp, struct mbuf *m)
{
	uint8_t bytes[MAXFRAME];

	m_sanity(m);
	assert_ptr_equal(m->m_pkthdr.rcvif, ifp);
	uplen[nup] = m->m_pkthdr.len;
	upcluster[nup++] = (m->m_flags & M_EXT) != 0;
	upcsum = m->m_pkthdr.csum_flags;
	upsegs = m->m_pkthdr.nsegs;
	m_copydata(m, 0, m->m_pkthdr.len, bytes);
	for (uint32_t i = 0; i < m->m_pkthdr.len; i++)
		assert_int_equal(bytes[i], i & 0xff);
	m_freem(m);
}

struct bed {
	struct netstack *ns;
	struct tap_host th;
	struct ifnet *ifp;
	unsigned nwaits;
};

static void
txwait(void *arg)
{
	((struct bed *)arg)->nwaits++;
}

static void
bed_make(struct bed *b, uint32_t mtu, bool offload, bool later)
{
	static const struct domain net_only = {.dom_name = "net",
	    .dom_init = net_init,
	    .dom_fini = net_fini};
	static const struct domain *const domains[] = {&net_only, NULL};
	struct netstack_config nc = test_config();
	struct tap_config tc = {.tc_name = "tap0",
	    .tc_lladdr = mac,
	    .tc_mtu = mtu,
	    .tc_offload = offload,
	    .tc_uso = offload,
	    .tc_txwait = later ? txwait : NULL,
	    .tc_arg = b};

	*b = (struct bed){.th = {.th_answer = TAP_SENT}};
	nup = 0;
	nc.nc_domains = domains;
	b->ns = netstack_create(&nc);
	assert_non_null(b->ns);
	assert_int_equal(tap_attach(b->ns, &tc, &b->th, &b->ifp), 0);
	assert_memory_equal(b->ifp->if_lladdr, mac, 6);
	b->ifp->if_input = up;
}

static void
bed_open(struct bed *b, uint32_t mtu)
{
	bed_make(b, mtu, false, false);
}

static void
bed_close(struct bed *b)
{
	if (b->ifp != NULL)
		tap_detach(b->ifp);
	test_netstack_end(b->ns);
}

static void
test_receive(void **state)
{
	static const uint32_t lens[] = {14, 60, 200, 201, 1514, 1518};
	struct bed b;

	(void)state;
	bed_open(&b, 1500);
	memcpy(b.th.th_rxlen, lens, sizeof(lens));
	b.th.th_nrx = nitems(lens);
	assert_int_equal(tap_rx(b.ifp, 4), 4); /* the budget holds */
	assert_int_equal(nup, 4);
	assert_int_equal(tap_rx(b.ifp, 64), 2);
	for (unsigned i = 0; i < nitems(lens); i++) {
		assert_int_equal(uplen[i], lens[i]);
		assert_int_equal(upcluster[i], lens[i] > 200);
	}
	bed_close(&b);
}

static void
test_receive_large(void **state)
{
	struct bed b;

	(void)state;
	bed_open(&b, 9000);
	b.th.th_rxlen[0] = 9014;
	b.th.th_rxlen[1] = 3000;
	b.th.th_rxlen[2] = 9018;
	b.th.th_nrx = 3;
	assert_int_equal(tap_rx(b.ifp, 64), 3);
	assert_int_equal(uplen[0], 9014);
	assert_int_equal(uplen[1], 3000);
	assert_int_equal(uplen[2], 9018);
	bed_close(&b);
}

/* Frames of 64 KiB come whole, with what the host says of them; what a short one leaves waits. */
static void
test_receive_offloaded(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, 1500, true, false);
	b.th.th_rxlen[0] = 65535 + 14;
	b.th.th_rxlen[1] = 300;
	b.th.th_rxlen[2] = 65535 + 14;
	b.th.th_nrx = 3;
	b.th.th_rxmeta = (struct tap_meta){.tm_csum = true, .tm_segsz = 1448};
	assert_int_equal(tap_rx(b.ifp, 64), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(uplen[i], b.th.th_rxlen[i]);
	assert_int_equal(upcsum, M_CSUM_OK);
	assert_int_equal(upsegs, 46);
	bed_close(&b);
}

static uint32_t several_len[80];
static unsigned nseveral;

static void
up_several(struct ifnet *ifp, struct mbuf *m)
{
	uint8_t bytes[1500];
	struct ipv4_hdr ip;

	m_sanity(m);
	assert_ptr_equal(m->m_pkthdr.rcvif, ifp);
	assert_null(m->m_nextpkt);
	assert_int_equal(m->m_pkthdr.csum_flags, M_CSUM_OK);
	assert_int_equal(m->m_pkthdr.nsegs, 0);
	several_len[nseveral] = m->m_pkthdr.len;
	m_copydata(m, 0, m->m_pkthdr.len, bytes);
	assert_int_equal(ipv4_parse(bytes + ETHER_HDR_LEN, m->m_pkthdr.len - ETHER_HDR_LEN, &ip),
	    IPV4_PARSE_OK);
	assert_true(ipv4_cksum_ok(bytes + ETHER_HDR_LEN, ip.ip_hl));
	for (uint32_t i = 42; i < m->m_pkthdr.len; i++)
		assert_int_equal(bytes[i], (uint8_t)((nseveral % 40 * 1000 + i - 42) * 7));
	nseveral++;
	m_freem(m);
}

/* Datagrams that the host hands over as one frame go up one by one, and count as so many. */
static void
test_receive_several(void **state)
{
	static uint8_t frame[ETHER_HDR_LEN + IPV4_LEN_MAX];
	const uint32_t len = 42 + 39 * 1000 + 5;
	struct ipv4_hdr ip = {.ip_len = (uint16_t)(len - ETHER_HDR_LEN),
	    .ip_ttl = 64,
	    .ip_p = IPV4_PROTO_UDP};
	struct udp_hdr uh = {1, 2, (uint16_t)(len - 34), 0};
	struct bed b;

	(void)state;
	bed_make(&b, 1500, true, false);
	ipv4_emit(frame + ETHER_HDR_LEN, &ip);
	udp_emit(frame + ETHER_HDR_LEN + IPV4_HDR_LEN, &uh);
	for (uint32_t i = 42; i < len; i++)
		frame[i] = (uint8_t)((i - 42) * 7);
	b.ifp->if_input = up_several;
	b.th.th_rxbytes = frame;
	b.th.th_nrx = 4;
	for (unsigned i = 0; i < 4; i++)
		b.th.th_rxlen[i] = len;
	b.th.th_rxmeta = (struct tap_meta){.tm_csum = true, .tm_segsz = 1000, .tm_udp = true};
	nseveral = 0;
	assert_int_equal(tap_rx(b.ifp, 64), 80);
	assert_int_equal(nseveral, 80);
	for (unsigned i = 0; i < 80; i++)
		assert_int_equal(several_len[i], i % 40 == 39 ? 47 : 1042);
	assert_true(b.ns->ns_mjpool.pl_nout <= 1); /* the next frame's */
	b.th.th_rxmeta.tm_segsz = 0;               /* it lies */
	assert_int_equal(tap_rx(b.ifp, 1), 1);
	b.th.th_rxmeta = (struct tap_meta){.tm_segsz = 1000, .tm_udp = true};
	assert_int_equal(tap_rx(b.ifp, 1), 1);
	assert_int_equal(nseveral, 80);
	assert_int_equal(b.ns->ns_drops[DROP_IF_SEGMENTS], 2);
	assert_int_equal(b.ifp->if_data.ifi_ierrors, 2);
	bed_close(&b);
}

/* Two clusters and a jumbo buffer serve all; only what fills a good part of the jumbo takes it along. */
static void
test_receive_storage(void **state)
{
	static const uint32_t lens[] = {3000, 1514, 16000, 40000, 2100};
	struct pool *jumbos;
	struct bed b;

	(void)state;
	bed_make(&b, 1500, true, false);
	jumbos = &b.ns->ns_mjpool;
	b.th.th_nrx = nitems(lens);
	memcpy(b.th.th_rxlen, lens, sizeof(lens));
	assert_int_equal(tap_rx(b.ifp, 3), 3);
	assert_int_equal(jumbos->pl_ngets, 1);
	assert_int_equal(jumbos->pl_nout, 1);
	assert_int_equal(tap_rx(b.ifp, 2), 2);
	assert_int_equal(jumbos->pl_ngets, 2);
	for (unsigned i = 0; i < nitems(lens); i++)
		assert_int_equal(uplen[i], lens[i]);
	bed_close(&b);
}

/* A turn ends after so many bytes, too: what was read is passed on while it is in the cache. */
static void
test_receive_bytes_a_turn(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, 1500, true, false);
	for (unsigned i = 0; i < 8; i++)
		b.th.th_rxlen[i] = 60000;
	b.th.th_nrx = 8;
	assert_int_equal(tap_rx(b.ifp, 64), 5);
	assert_int_equal(tap_rx(b.ifp, 64), 3);
	bed_close(&b);
}

static void
test_receive_without_memory(void **state)
{
	struct bed b;

	(void)state;
	bed_open(&b, 1500);
	b.th.th_rxlen[0] = b.th.th_rxlen[1] = 1000;
	b.th.th_nrx = 2;
	b.ns->ns_fault.af_fail_at = 1;
	assert_int_equal(tap_rx(b.ifp, 64), 2);
	assert_int_equal(nup, 1); /* the first is lost and counted, the second is not */
	assert_int_equal(b.ns->ns_drops[DROP_MBUF_NOBUFS], 1);
	assert_int_equal(b.ifp->if_data.ifi_iqdrops, 1);
	bed_close(&b);
}

static void
test_gone(void **state)
{
	struct bed b;

	(void)state;
	bed_open(&b, 1500);
	b.th.th_gone = true;
	assert_int_equal(tap_rx(b.ifp, 64), -1);
	bed_close(&b);
}

static struct mbuf *
frame(struct bed *b, uint8_t mark)
{
	struct mbuf *m = m_getm(b->ns, 60);
	uint8_t bytes[60] = {mark};

	assert_non_null(m);
	assert_int_equal(m_append(m, sizeof(bytes), bytes), 0);
	return m;
}

/* What the stack leaves to the host is told beside the frame. */
static void
test_send_offloaded(void **state)
{
	struct mbuf *m;
	struct bed b;

	(void)state;
	bed_make(&b, 1500, true, false);
	assert_int_equal(b.ifp->if_start(b.ifp, frame(&b, 1)), 0);
	assert_false(b.th.th_txmeta.tm_csum);
	m = frame(&b, 2);
	m->m_data[34 + 12] = 0x80; /* a TCP header of 32 bytes */
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED | M_CSUM_TSO;
	m->m_pkthdr.csum_start = 34;
	m->m_pkthdr.csum_offset = 16;
	m->m_pkthdr.segsz = 1448;
	assert_int_equal(b.ifp->if_start(b.ifp, m), 0);
	assert_true(b.th.th_txmeta.tm_csum);
	assert_int_equal(b.th.th_txmeta.tm_csum_start, 34);
	assert_int_equal(b.th.th_txmeta.tm_csum_offset, 16);
	assert_int_equal(b.th.th_txmeta.tm_segsz, 1448);
	assert_int_equal(b.th.th_txmeta.tm_hdrlen, 34 + 32);
	bed_close(&b);
}

static void
test_send_full_and_resume(void **state)
{
	struct bed b;

	(void)state;
	bed_open(&b, 1500);
	assert_int_equal(b.ifp->if_start(b.ifp, frame(&b, 1)), 0);
	b.th.th_answer = TAP_FULL;
	assert_int_equal(b.ifp->if_start(b.ifp, frame(&b, 2)), 0);
	assert_true(tap_tx_pending(b.ifp));
	b.th.th_answer = TAP_SENT;
	assert_int_equal(b.ifp->if_start(b.ifp, frame(&b, 3)), 0); /* behind the one that waits */
	assert_int_equal(b.th.th_ntx, 1);
	assert_true(tap_tx_resume(b.ifp));
	assert_false(tap_tx_pending(b.ifp));
	assert_int_equal(b.th.th_ntx, 3);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(b.th.th_txmark[i], i + 1);
	bed_close(&b);
}

/* Frames wait for the end of the turn, told once, in order; a great many do not wait so long. */
static void
test_send_later(void **state)
{
	struct bed b;
	unsigned n = 0;

	(void)state;
	bed_make(&b, 1500, false, true);
	for (uint8_t i = 1; i <= 3; i++)
		assert_int_equal(b.ifp->if_start(b.ifp, frame(&b, i)), 0);
	assert_int_equal(b.nwaits, 1);
	assert_int_equal(b.th.th_ntx, 0);
	assert_true(tap_tx_resume(b.ifp));
	assert_int_equal(b.th.th_ntx, 3);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(b.th.th_txmark[i], i + 1);
	b.th.th_answer = TAP_REFUSED; /* nobody is told any more, but it is counted */
	while (b.ns->ns_drops[DROP_IF_OERROR] == 0 && n++ < 200)
		assert_int_equal(b.ifp->if_start(b.ifp, frame(&b, 1)), 0);
	assert_true(n > 8 && n < 200);
	assert_int_equal(b.ifp->if_data.ifi_oerrors, n - 1);
	assert_int_equal(b.nwaits, 3);
	bed_close(&b); /* with a frame queued */
}

/* A datagram in an ethernet frame, of len bytes in all. */
static struct mbuf *
datagram(struct bed *b, uint32_t len)
{
	struct ipv4_hdr ip = {.ip_len = (uint16_t)(len - ETHER_HDR_LEN),
	    .ip_df = true,
	    .ip_ttl = 64,
	    .ip_p = IPV4_PROTO_UDP};
	struct udp_hdr uh = {1, 2, (uint16_t)(len - ETHER_HDR_LEN - IPV4_HDR_LEN), 0};
	struct mbuf *m = m_getm(b->ns, len);
	uint8_t bytes[1514] = {0};

	ipv4_emit(bytes + ETHER_HDR_LEN, &ip);
	udp_emit(bytes + ETHER_HDR_LEN + IPV4_HDR_LEN, &uh);
	assert_non_null(m);
	assert_int_equal(m_append(m, len, bytes), 0);
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
	m->m_pkthdr.csum_start = ETHER_HDR_LEN + IPV4_HDR_LEN;
	m->m_pkthdr.csum_offset = UDP_OFF_SUM;
	return m;
}

/* Datagrams of a turn go as one frame, in their place among the others. */
static void
test_send_joined(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, 1500, true, true);
	assert_int_equal(b.ifp->if_start(b.ifp, frame(&b, 1)), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(b.ifp->if_start(b.ifp, datagram(&b, 142)), 0);
	assert_int_equal(b.ifp->if_start(b.ifp, frame(&b, 1)), 0);
	assert_int_equal(b.ifp->if_start(b.ifp, datagram(&b, 142)), 0);
	assert_int_equal(b.ifp->if_start(b.ifp, datagram(&b, 92)), 0);
	assert_int_equal(b.nwaits, 1);
	assert_true(tap_tx_resume(b.ifp));
	assert_int_equal(b.th.th_ntx, 4);
	assert_int_equal(b.th.th_txlen[1], 42 + 300);
	assert_int_equal(b.th.th_txlen[2], 60);
	assert_int_equal(b.th.th_txlen[3], 42 + 150);
	assert_true(b.th.th_txmeta.tm_csum && b.th.th_txmeta.tm_udp);
	assert_int_equal(b.th.th_txmeta.tm_segsz, 100);
	assert_int_equal(b.th.th_txmeta.tm_hdrlen, 42);
	bed_close(&b);
}

static void
test_send_limits(void **state)
{
	unsigned refused = 0;
	struct bed b;

	(void)state;
	bed_open(&b, 1500);
	b.th.th_answer = TAP_REFUSED;
	assert_int_equal(if_transmit(b.ifp, frame(&b, 1)), BSD_EIO);
	assert_int_equal(b.ns->ns_drops[DROP_IF_OERROR], 1);
	b.th.th_answer = TAP_FULL;
	assert_int_equal(if_transmit(b.ifp, frame(&b, 1)), 0);
	b.th.th_answer = TAP_REFUSED; /* while it was queued */
	assert_true(tap_tx_resume(b.ifp));
	assert_int_equal(b.ifp->if_data.ifi_oerrors, 1);
	assert_int_equal(b.ns->ns_drops[DROP_IF_OERROR], 2);
	b.th.th_answer = TAP_FULL;
	for (unsigned i = 0; i < TEST_NMBUFS - 8; i++)
		refused += b.ifp->if_start(b.ifp, frame(&b, 1)) != 0;
	assert_int_equal(refused, 0); /* the queue takes more than this test's mbufs */
	assert_false(tap_tx_resume(b.ifp));
	bed_close(&b); /* with frames queued */
}

static void
test_send_many_pieces(void **state)
{
	struct mbuf *m, *tail;
	struct bed b;

	(void)state;
	bed_open(&b, 1500);
	m = tail = frame(&b, 5);
	for (unsigned i = 0; i < 200; i++) {
		tail = tail->m_next = m_get(b.ns, MT_DATA);
		tail->m_len = 1;
		*tail->m_data = (uint8_t)i;
		m->m_pkthdr.len++;
	}
	assert_int_equal(b.ifp->if_start(b.ifp, m), 0);
	assert_int_equal(b.th.th_txlen[0], 260);
	assert_true(b.th.th_maxpieces <= TAP_MAXBUFS);
	bed_close(&b);
}

static void
test_refused(void **state)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};
	struct tap_config bad[] = {
	    {.tc_name = "tap0", .tc_mtu = 1500}, /* taken */
	    {.tc_name = "", .tc_mtu = 1500},
	    {.tc_name = "a-name-of-16-bytes", .tc_mtu = 1500},
	    {.tc_name = "tap1", .tc_mtu = 67},
	    {.tc_name = "tap1", .tc_mtu = 65536},
	    {.tc_name = "tap1", .tc_mtu = 1500, .tc_lladdr = group},
	};
	struct ifnet *ifp;
	struct bed b;

	(void)state;
	bed_open(&b, 1500);
	assert_int_equal(tap_attach(b.ns, &bad[0], &b.th, &ifp), BSD_EEXIST);
	for (unsigned i = 1; i < nitems(bad); i++)
		assert_int_equal(tap_attach(b.ns, &bad[i], &b.th, &ifp), BSD_EINVAL);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_receive),
	    cmocka_unit_test(test_receive_large),
	    cmocka_unit_test(test_receive_offloaded),
	    cmocka_unit_test(test_receive_several),
	    cmocka_unit_test(test_receive_storage),
	    cmocka_unit_test(test_receive_bytes_a_turn),
	    cmocka_unit_test(test_receive_without_memory),
	    cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_send_offloaded),
	    cmocka_unit_test(test_send_full_and_resume),
	    cmocka_unit_test(test_send_later),
	    cmocka_unit_test(test_send_joined),
	    cmocka_unit_test(test_send_limits),
	    cmocka_unit_test(test_send_many_pieces),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
