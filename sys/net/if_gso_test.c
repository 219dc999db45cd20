/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segmentation and checksums in software: segments put together again are the original, every
 * checksum verifies, chains may be cut anywhere, and lack of memory leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "net/if_gso.h"
#include "net/m_cksum.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define SRC ipv4_addr_be(10, 0, 0, 1)
#define DST ipv4_addr_be(10, 0, 0, 2)
#define OPTLEN 12

static struct netstack *
big_netstack(void)
{
	struct netstack_config nc = test_config();
	struct netstack *ns;

	nc.nc_nmbufs = 2048;
	nc.nc_nclusters = 512;
	ns = netstack_create(&nc);
	assert_non_null(ns);
	return ns;
}

/* A frame with len bytes of TCP payload, headers in one mbuf, data in clusters. => NULL: no memory */
static struct mbuf *
tso_frame(struct netstack *ns, uint32_t hdrlen, uint32_t len, uint16_t segsz)
{
	struct tcp_hdr th = {.th_sport = 1000,
	    .th_dport = 80,
	    .th_seq = 0xfffffff0,
	    .th_ack = 7,
	    .th_off = TCP_HDR_LEN + OPTLEN,
	    .th_flags = TH_ACK | TH_PUSH | TH_FIN | TH_CWR,
	    .th_win = 100};
	struct ipv4_hdr ip = {.ip_len = (uint16_t)(IPV4_HDR_LEN + th.th_off + len),
	    .ip_id = 0xfffe,
	    .ip_df = true,
	    .ip_ttl = 64,
	    .ip_p = IPV4_PROTO_TCP,
	    .ip_src_be = SRC,
	    .ip_dst_be = DST};
	struct mbuf *m = m_gethdr(ns, MT_DATA);
	uint8_t byte[1024];
	uint32_t i, n;

	if (m == NULL)
		return NULL;
	memset(m->m_data, 0xee, hdrlen);
	ipv4_emit(m->m_data + hdrlen, &ip);
	th.th_sum =
	    cksum_fold(cksum_pseudo4(SRC, DST, IPV4_PROTO_TCP, (uint16_t)(th.th_off + len)));
	tcp_emit(m->m_data + hdrlen + IPV4_HDR_LEN, &th);
	memset(m->m_data + hdrlen + IPV4_HDR_LEN + TCP_HDR_LEN, 1, OPTLEN);
	m->m_len = m->m_pkthdr.len = hdrlen + IPV4_HDR_LEN + th.th_off;
	for (n = 0; n < len; n += KERN_MIN(len - n, (uint32_t)sizeof(byte))) {
		for (i = 0; i < sizeof(byte); i++)
			byte[i] = test_byte(n + i);
		if (m_append(m, KERN_MIN(len - n, (uint32_t)sizeof(byte)), byte) != 0) {
			m_freem(m);
			return NULL;
		}
	}
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED | M_CSUM_TSO;
	m->m_pkthdr.csum_start = (uint16_t)(hdrlen + IPV4_HDR_LEN);
	m->m_pkthdr.csum_offset = TCP_OFF_SUM;
	m->m_pkthdr.segsz = segsz;
	return m;
}

/* The same frame over IPv6: its first header is another. */
static struct mbuf *
tso6_frame(struct netstack *ns, uint32_t hdrlen, uint32_t len, uint16_t segsz)
{
	struct mbuf *m = tso_frame(ns, hdrlen, len, segsz);
	struct ip6_hdr ip6 = {.ip6_plen = (uint16_t)(TCP_HDR_LEN + OPTLEN + len),
	    .ip6_nxt = IP6_NXT_TCP,
	    .ip6_hlim = 64,
	    .ip6_src = {1, 2, 3, 4},
	    .ip6_dst = {5, 6, 7, 8}};

	assert_non_null(m);
	m_adj(m, (int)(hdrlen + IPV4_HDR_LEN));
	assert_non_null(m = m_prepend(m, hdrlen + IP6_HDR_LEN));
	memset(m->m_data, 0xee, hdrlen);
	ip6_emit(m->m_data + hdrlen, &ip6);
	m->m_pkthdr.csum_start = (uint16_t)(hdrlen + IP6_HDR_LEN);
	return m;
}

/* What the driver under test received. */
struct capture {
	uint32_t hdrlen;
	uint32_t payload; /* bytes so far */
	uint32_t nframes;
	uint32_t total;
	uint32_t segsz;
};

static int
capture_start(struct ifnet *ifp, struct mbuf *m)
{
	struct capture *cap = ifp->if_softc;
	uint8_t buf[2048];
	struct ipv4_hdr ip;
	struct tcp_hdr th;
	uint32_t len = m->m_pkthdr.len, i, data;
	const uint8_t *p = buf + cap->hdrlen;
	bool last;

	m_sanity(m);
	assert_true(len <= sizeof(buf));
	assert_int_equal(m->m_pkthdr.csum_flags, 0);
	m_copydata(m, 0, len, buf);
	len -= cap->hdrlen;
	for (i = 0; i < cap->hdrlen; i++)
		assert_int_equal(buf[i], 0xee);
	assert_int_equal(ipv4_parse(p, len, &ip), IPV4_PARSE_OK);
	assert_int_equal(ip.ip_len, len);
	assert_true(ipv4_cksum_ok(p, ip.ip_hl));
	assert_true(ip.ip_df);
	assert_int_equal(ip.ip_id, (uint16_t)(0xfffe + cap->nframes));
	len -= IPV4_HDR_LEN;
	p += IPV4_HDR_LEN;
	assert_int_equal(cksum_finish(cksum_partial(p, len,
			     cksum_pseudo4(SRC, DST, IPV4_PROTO_TCP, (uint16_t)len))),
	    0);
	assert_int_equal(tcp_parse(p, len, &th), TCP_PARSE_OK);
	data = len - th.th_off;
	last = cap->payload + data == cap->total;
	assert_int_equal(th.th_seq, (uint32_t)(0xfffffff0 + cap->payload));
	assert_int_equal((th.th_flags & TH_CWR) != 0, cap->nframes == 0);
	assert_int_equal((th.th_flags & TH_FIN) != 0, last);
	assert_int_equal((th.th_flags & TH_PUSH) != 0, last);
	assert_true(data == cap->segsz || last);
	for (i = 0; i < OPTLEN; i++)
		assert_int_equal(p[TCP_HDR_LEN + i], 1);
	for (i = 0; i < data; i++)
		assert_int_equal(p[th.th_off + i], test_byte(cap->payload + i));
	cap->payload += data;
	cap->nframes++;
	m_freem(m);
	return 0;
}

/* Each segment is whole, its sum right, and the payload goes on. */
static int
capture6_start(struct ifnet *ifp, struct mbuf *m)
{
	struct capture *cap = ifp->if_softc;
	uint32_t len = m->m_pkthdr.len, i;
	uint8_t buf[2048];
	struct ip6_hdr ip6;
	struct tcp_hdr th;
	const uint8_t *p = buf + cap->hdrlen;

	assert_int_equal(m->m_pkthdr.csum_flags, 0);
	m_copydata(m, 0, len, buf);
	assert_int_equal(ip6_parse_partial(p, len - cap->hdrlen, len - cap->hdrlen, &ip6),
	    IP6_PARSE_OK);
	assert_int_equal(ip6.ip6_plen + IP6_HDR_LEN, len - cap->hdrlen);
	p += IP6_HDR_LEN;
	assert_int_equal(cksum_finish(cksum_partial(p, ip6.ip6_plen,
			     cksum_pseudo6(ip6.ip6_src, ip6.ip6_dst, 6, ip6.ip6_plen))),
	    0);
	assert_int_equal(tcp_parse(p, ip6.ip6_plen, &th), TCP_PARSE_OK);
	assert_int_equal(th.th_seq, (uint32_t)(0xfffffff0 + cap->payload));
	for (i = 0; i < (uint32_t)ip6.ip6_plen - th.th_off; i++)
		assert_int_equal(p[th.th_off + i], test_byte(cap->payload + i));
	cap->payload += i;
	cap->nframes++;
	m_freem(m);
	return 0;
}

static struct ifnet
capture_if(struct netstack *ns, struct capture *cap)
{
	return (struct ifnet){.if_ns = ns,
	    .if_xname = "cap0",
	    .if_hdrlen = (uint8_t)cap->hdrlen,
	    .if_mtu = 1500,
	    .if_flags = IFF_UP | IFF_RUNNING,
	    .if_start = capture_start,
	    .if_softc = cap};
}

static void
gso_case(uint32_t hdrlen, uint32_t total, uint32_t segsz)
{
	struct capture cap = {.hdrlen = hdrlen, .total = total, .segsz = segsz};
	struct netstack *ns = big_netstack();
	struct ifnet ifp = capture_if(ns, &cap);
	struct mbuf *m = tso_frame(ns, hdrlen, total, (uint16_t)segsz);

	assert_non_null(m);
	assert_int_equal(if_transmit(&ifp, m), 0);
	assert_int_equal(cap.payload, total);
	assert_int_equal(cap.nframes, (total + segsz - 1) / segsz);
	assert_int_equal(ifp.if_data.ifi_opackets, cap.nframes);
	test_netstack_end(ns);
}

static void
test_gso_segments(void **state)
{
	static const uint32_t totals[] = {1, 535, 536, 537, 1072, 5000, 65000};
	unsigned i;

	(void)state;
	for (i = 0; i < nitems(totals); i++) {
		gso_case(ETHER_HDR_LEN, totals[i], 536);
		gso_case(0, totals[i], 1448);
		gso_case(ETHER_HDR_LEN, totals[i], 1001);
	}
}

static void
test_gso_ip6(void **state)
{
	struct capture cap = {.hdrlen = ETHER_HDR_LEN, .total = 60000, .segsz = 1428};
	struct netstack *ns = big_netstack();
	struct ifnet ifp = capture_if(ns, &cap);

	(void)state;
	ifp.if_start = capture6_start;
	ifp.if_capenable = IFCAP_TSO4; /* the driver cuts the other version only */
	assert_int_equal(if_transmit(&ifp, tso6_frame(ns, ETHER_HDR_LEN, 60000, 1428)), 0);
	assert_int_equal(cap.payload, 60000);
	assert_int_equal(cap.nframes, 43);
	test_netstack_end(ns);
}

static int
gso_scenario(struct netstack *ns, void *arg)
{
	struct capture cap = {.hdrlen = ETHER_HDR_LEN, .total = 6000, .segsz = 1448};
	struct ifnet ifp = capture_if(ns, &cap);
	struct mbuf *m = tso_frame(ns, ETHER_HDR_LEN, 6000, 1448);

	(void)arg;
	return m == NULL ? BSD_ENOBUFS : if_transmit(&ifp, m);
}

static void
test_gso_nomem(void **state)
{
	(void)state;
	assert_true(for_each_alloc_failure(NULL, gso_scenario, NULL) > 5);
}

/* A header that lies is dropped, not split. */
static void
test_gso_malformed(void **state)
{
	struct capture cap = {.hdrlen = ETHER_HDR_LEN};
	struct netstack *ns = big_netstack();
	struct ifnet ifp = capture_if(ns, &cap);
	struct mbuf *m;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		m = tso_frame(ns, ETHER_HDR_LEN, 3000, 1448);
		assert_non_null(m);
		if (i == 0)
			m->m_data[ETHER_HDR_LEN] = 0x46; /* options */
		else if (i == 1)
			m->m_data[ETHER_HDR_LEN + IPV4_HDR_LEN + 12] = 0x10;
		else if (i == 2)
			m->m_pkthdr.segsz = 0;
		else
			m->m_pkthdr.csum_start = 3;
		assert_int_equal(if_transmit(&ifp, m), BSD_ENOBUFS);
	}
	assert_int_equal(cap.nframes, 0);
	assert_int_equal(ns->ns_drops[DROP_IF_OVERSIZE], 4);
	test_netstack_end(ns);
}

static int
oversize_start(struct ifnet *ifp, struct mbuf *m)
{
	(void)ifp;
	m_freem(m);
	return BSD_ENOBUFS;
}

/* Interface down, frame too long, driver full: refused and counted. */
static int
short_start(struct ifnet *ifp, struct mbuf *m)
{
	uint32_t *shortest = ifp->if_softc;

	*shortest = KERN_MIN(*shortest, m->m_pkthdr.len);
	m_freem(m);
	return 0;
}

/* 2. The last piece may be shorter than an ethernet frame: it is padded, not left to the driver. */
static void
test_short_piece(void **state)
{
	struct netstack *ns = big_netstack();
	uint32_t shortest = UINT32_MAX;
	struct ifnet ifp = {.if_ns = ns,
	    .if_type = IFT_ETHER,
	    .if_hdrlen = 2,
	    .if_mtu = 1500,
	    .if_flags = IFF_UP | IFF_RUNNING,
	    .if_start = short_start,
	    .if_softc = &shortest};

	(void)state;
	assert_int_equal(if_transmit(&ifp, tso_frame(ns, ifp.if_hdrlen, 101, 100)), 0);
	assert_int_equal(shortest, ETHER_MIN_LEN);
	test_netstack_end(ns);
}

static void
test_transmit_refusals(void **state)
{
	struct capture cap = {.hdrlen = 0};
	struct netstack *ns = big_netstack();
	struct ifnet ifp = capture_if(ns, &cap);
	struct mbuf *m = tso_frame(ns, 0, 3000, 1448);

	(void)state;
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
	assert_int_equal(if_transmit(&ifp, m), BSD_EMSGSIZE);
	assert_int_equal(ns->ns_drops[DROP_IF_OVERSIZE], 1);
	ifp.if_start = oversize_start;
	assert_int_equal(if_transmit(&ifp, tso_frame(ns, 0, 100, 1448)), BSD_ENOBUFS);
	assert_int_equal(ns->ns_drops[DROP_IF_QUEUEFULL], 1);
	ifp.if_flags &= ~(uint32_t)IFF_UP;
	assert_int_equal(if_transmit(&ifp, tso_frame(ns, 0, 100, 1448)), BSD_ENETDOWN);
	assert_int_equal(ns->ns_drops[DROP_IF_DOWN], 1);
	assert_int_equal(ifp.if_data.ifi_opackets, 0);
	test_netstack_end(ns);
}

/* Any cut of a chain, with odd and empty pieces, gives the sum of the flat bytes. */
static void
test_m_cksum_cuts(void **state)
{
	struct netstack *ns = test_netstack();
	uint8_t flat[400];
	unsigned round, i;

	(void)state;
	for (i = 0; i < sizeof(flat); i++)
		flat[i] = test_byte(i);
	for (round = 0; round < 500; round++) {
		size_t lens[4], off, len;
		struct mbuf *m;

		for (i = 0; i < 4; i++)
			lens[i] = rng_below(&ns->ns_rng, 100);
		m = test_chain(ns, "icic", lens, NULL);
		off = rng_below(&ns->ns_rng, m->m_pkthdr.len + 1);
		len = rng_below(&ns->ns_rng, m->m_pkthdr.len - (uint32_t)off + 1);
		assert_int_equal(cksum_finish(m_cksum(m, off, len)),
		    cksum_finish(cksum_partial(flat + off, len, 0)));
		m_freem(m);
	}
	test_netstack_end(ns);
}

/* A UDP checksum of zero goes out as 0xffff (RFC 768); TCP's stays. Shared storage is not touched. */
static void
test_cksum_complete_zero(void **state)
{
	struct netstack *ns = test_netstack();
	struct mbuf *m, *shared;
	unsigned udp;

	(void)state;
	for (udp = 0; udp < 2; udp++) {
		m = m_getcl(ns, MT_DATA, true);
		memset(m->m_data, 0, 40);
		m->m_len = m->m_pkthdr.len = 40;
		be16_put(m->m_data, 0xffff);
		shared = m_copym(m, 0, 40);
		m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
		m->m_pkthdr.csum_offset = udp ? UDP_OFF_SUM : TCP_OFF_SUM;
		assert_int_equal(m_cksum_complete(&m), 0);
		assert_int_equal(m->m_pkthdr.csum_flags, 0);
		assert_int_equal(be16_get(m->m_data + m->m_pkthdr.csum_offset), udp ? 0xffff : 0);
		assert_int_equal(be16_get(shared->m_data + UDP_OFF_SUM), 0);
		m_freem(shared);
		m_freem(m);
	}
	test_netstack_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_gso_segments),
	    cmocka_unit_test(test_gso_ip6),
	    cmocka_unit_test(test_gso_nomem),
	    cmocka_unit_test(test_gso_malformed),
	    cmocka_unit_test(test_short_piece),
	    cmocka_unit_test(test_transmit_refusals),
	    cmocka_unit_test(test_m_cksum_cuts),
	    cmocka_unit_test(test_cksum_complete_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
