/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams joined: cut as a host cuts them, they are the bytes that they were; and what would not
 * be is left alone. Frames of several, taken apart: they are the datagrams that they were.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/testutil.h"
#include "net/if_uso.h"
#include "net/m_cksum.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#define SRC ipv4_addr_be(10, 0, 0, 1)
#define L4OFF (ETHER_HDR_LEN + IPV4_HDR_LEN)
#define HDRS (L4OFF + UDP_HDR_LEN)
#define PIECES 128u
#define MOST 70u

/* What tells one datagram from the next. */
struct dgram {
	uint32_t dg_len; /* of the payload */
	uint16_t dg_id;
	uint16_t dg_dport;
	uint8_t dg_host; /* last byte of the destination */
	uint8_t dg_ttl;
	uint8_t dg_tos;
	bool dg_df;
	uint8_t dg_mac; /* first byte of the frame */
};

static const struct dgram plain = {.dg_len = 100,
    .dg_id = 0xfffe,
    .dg_dport = 53,
    .dg_host = 2,
    .dg_ttl = 64};

static struct netstack *
netstack_of_many(void)
{
	struct netstack_config nc = test_config();

	nc.nc_nmbufs = 2048;
	nc.nc_nclusters = 512;
	return netstack_create(&nc);
}

/* Headers in an mbuf of their own, as UDP makes it; payload byte i of the n-th is n + i. */
static struct mbuf *
dgram(struct netstack *ns, const struct dgram *dg, unsigned n)
{
	struct ipv4_hdr ip = {.ip_len = (uint16_t)(IPV4_HDR_LEN + UDP_HDR_LEN + dg->dg_len),
	    .ip_id = dg->dg_id,
	    .ip_df = dg->dg_df,
	    .ip_tos = dg->dg_tos,
	    .ip_ttl = dg->dg_ttl,
	    .ip_p = IPV4_PROTO_UDP,
	    .ip_src_be = SRC,
	    .ip_dst_be = ipv4_addr_be(10, 0, 0, dg->dg_host)};
	struct udp_hdr uh = {1000, dg->dg_dport, (uint16_t)(UDP_HDR_LEN + dg->dg_len), 0};
	struct mbuf *m = m_gethdr(ns, MT_DATA), *data = m_getm(ns, dg->dg_len);
	uint8_t bytes[1500];

	assert_true(m != NULL && data != NULL && dg->dg_len <= sizeof(bytes));
	memset(m->m_data, 0xee, ETHER_HDR_LEN);
	m->m_data[0] = dg->dg_mac;
	ipv4_emit(m->m_data + ETHER_HDR_LEN, &ip);
	uh.uh_sum = cksum_fold(cksum_pseudo4(SRC, ip.ip_dst_be, IPV4_PROTO_UDP, uh.uh_ulen));
	udp_emit(m->m_data + L4OFF, &uh);
	m->m_len = m->m_pkthdr.len = HDRS;
	for (uint32_t i = 0; i < dg->dg_len; i++)
		bytes[i] = (uint8_t)(n + i);
	assert_int_equal(m_append(data, dg->dg_len, bytes), 0);
	if (dg->dg_len > 0)
		m_cat(m, data);
	else
		m_freem(data);
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
	m->m_pkthdr.csum_start = L4OFF;
	m->m_pkthdr.csum_offset = UDP_OFF_SUM;
	return m;
}

static uint32_t
flat(struct mbuf *m, uint8_t *bytes)
{
	uint32_t len = m->m_pkthdr.len;

	m_sanity(m);
	m_copydata(m, 0, len, bytes);
	m_freem(m);
	return len;
}

/* The bytes of datagram dg on the wire, its checksum filled in. => how many */
static uint32_t
on_wire(struct netstack *ns, const struct dgram *dg, unsigned n, uint8_t *bytes)
{
	struct mbuf *m = dgram(ns, dg, n);

	assert_int_equal(m_cksum_complete(&m), 0);
	return flat(m, bytes);
}

/* What the host makes of a joined frame: segment n. => bytes */
static uint32_t
cut(const uint8_t *frame, uint32_t framelen, uint32_t segsz, unsigned n, uint8_t *bytes)
{
	uint32_t off = HDRS + n * segsz, len = KERN_MIN(segsz, framelen - off);
	struct ipv4_hdr ip;
	struct udp_hdr uh;

	assert_int_equal(ipv4_parse(frame + ETHER_HDR_LEN, framelen - ETHER_HDR_LEN, &ip),
	    IPV4_PARSE_OK);
	assert_true(ipv4_cksum_ok(frame + ETHER_HDR_LEN, ip.ip_hl));
	assert_int_equal(udp_parse(frame + L4OFF, framelen - L4OFF, &uh), UDP_PARSE_OK);
	assert_int_equal(uh.uh_ulen, framelen - L4OFF);
	assert_int_equal(uh.uh_sum,
	    cksum_fold(cksum_pseudo4(ip.ip_src_be, ip.ip_dst_be, IPV4_PROTO_UDP, uh.uh_ulen)));
	memcpy(bytes, frame, ETHER_HDR_LEN);
	memcpy(bytes + HDRS, frame + off, len);
	ip.ip_len = (uint16_t)(IPV4_HDR_LEN + UDP_HDR_LEN + len);
	ip.ip_id = (uint16_t)(ip.ip_id + n);
	ipv4_emit(bytes + ETHER_HDR_LEN, &ip);
	uh.uh_ulen = (uint16_t)(UDP_HDR_LEN + len);
	uh.uh_sum = 0;
	udp_emit(bytes + L4OFF, &uh);
	uh.uh_sum = cksum_finish(cksum_partial(bytes + L4OFF, uh.uh_ulen,
	    cksum_pseudo4(ip.ip_src_be, ip.ip_dst_be, IPV4_PROTO_UDP, uh.uh_ulen)));
	uh.uh_sum = uh.uh_sum == 0 ? 0xffff : uh.uh_sum;
	udp_emit(bytes + L4OFF, &uh);
	return HDRS + len;
}

/* Joins as many of n datagrams of len bytes, the last of lastlen, as go. => how many those are */
static unsigned
join_case(uint32_t len, uint32_t lastlen, unsigned n)
{
	static uint8_t frame[65536];
	uint8_t got[1600], want[1600];
	struct netstack *ns = netstack_of_many();
	struct dgram dg = plain;
	struct mbuf *head = NULL, *m;
	uint32_t framelen, segsz;
	unsigned joined = 0;

	for (; joined < n; joined++) {
		dg.dg_len = joined + 1 == n ? lastlen : len;
		dg.dg_id = (uint16_t)(plain.dg_id + joined);
		m = dgram(ns, &dg, joined);
		if (head == NULL) {
			head = m;
		} else if (!if_uso_join(head, m, ETHER_HDR_LEN, PIECES)) {
			m_freem(m);
			break;
		}
	}
	segsz = head->m_pkthdr.segsz;
	assert_int_equal(head->m_pkthdr.csum_flags, M_CSUM_NEEDED | M_CSUM_USO);
	assert_int_equal(segsz, len);
	framelen = flat(head, frame);
	assert_true(framelen <= ETHER_HDR_LEN + IPV4_LEN_MAX);
	for (unsigned i = 0; i < joined; i++) {
		dg.dg_len = i + 1 == n ? lastlen : len;
		dg.dg_id = (uint16_t)(plain.dg_id + i);
		assert_int_equal(cut(frame, framelen, segsz, i, got), on_wire(ns, &dg, i, want));
		assert_memory_equal(got, want, HDRS + dg.dg_len);
	}
	test_netstack_end(ns);
	return joined;
}

static void
test_join(void **state)
{
	(void)state;
	assert_int_equal(join_case(100, 100, 2), 2);
	assert_int_equal(join_case(100, 1, 3), 3);
	assert_int_equal(join_case(1472, 1472, 40), 40);
	assert_int_equal(join_case(1472, 1472, MOST), 44); /* 65,535 bytes of IP */
	assert_int_equal(join_case(1, 1, MOST), 64);       /* segments, and mbufs */
}

/* => were b and a joined? */
static bool
joins(const struct dgram *a, const struct dgram *b, unsigned maxpieces)
{
	struct netstack *ns = netstack_of_many();
	struct mbuf *head = dgram(ns, a, 0), *m = dgram(ns, b, 1);
	uint8_t before[1600], after[1600];
	uint32_t len = head->m_pkthdr.len;
	bool joined;

	m_copydata(head, 0, len, before);
	joined = if_uso_join(head, m, ETHER_HDR_LEN, maxpieces);
	if (!joined) {
		m_sanity(m);
		m_freem(m);
		assert_int_equal(flat(head, after), len);
		assert_memory_equal(after, before, len);
	} else {
		m_freem(head);
	}
	test_netstack_end(ns);
	return joined;
}

static void
test_refused(void **state)
{
	struct dgram a = plain, b = plain;

	(void)state;
	b.dg_id++;
	assert_true(joins(&a, &b, PIECES));
	assert_false(joins(&a, &b, 3));
	assert_false(joins(&a, &a, PIECES)); /* the identification that it has would be lost */
	b.dg_id++;
	assert_false(joins(&a, &b, PIECES));
	a.dg_df = b.dg_df = true;
	assert_true(joins(&a, &b, PIECES)); /* and need not be kept */
	b.dg_df = false;
	assert_false(joins(&a, &b, PIECES));
#define REFUSED(field, value)                        \
	do {                                         \
		b = a;                               \
		assert_true(joins(&a, &b, PIECES));  \
		b.field = (value);                   \
		assert_false(joins(&a, &b, PIECES)); \
	} while (0)
	REFUSED(dg_len, 101); /* longer than the one before */
	REFUSED(dg_len, 0);
	REFUSED(dg_dport, 54);
	REFUSED(dg_host, 3);
	REFUSED(dg_ttl, 63);
	REFUSED(dg_tos, 4);
	REFUSED(dg_mac, 2);
#undef REFUSED
}

/* Behind one that is shorter there is none; and none joins what asks for no checksum, or is shared. */
static void
test_refused_by_state(void **state)
{
	struct netstack *ns = netstack_of_many();
	struct dgram dg = plain;
	struct mbuf *head, *m, *shared;

	(void)state;
	dg.dg_df = true;
	head = dgram(ns, &dg, 0);
	dg.dg_len = 99;
	assert_true(if_uso_join(head, dgram(ns, &dg, 1), ETHER_HDR_LEN, PIECES));
	m = dgram(ns, &dg, 2);
	assert_false(if_uso_join(head, m, ETHER_HDR_LEN, PIECES));
	m_freem(head);
	head = dgram(ns, &dg, 0);
	m->m_pkthdr.csum_flags = 0;
	assert_false(if_uso_join(head, m, ETHER_HDR_LEN, PIECES));
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED | M_CSUM_TSO;
	assert_false(if_uso_join(head, m, ETHER_HDR_LEN, PIECES));
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
	m->m_data[ETHER_HDR_LEN + 6] = 0x20; /* more fragments */
	assert_false(if_uso_join(head, m, ETHER_HDR_LEN, PIECES));
	m_freem(m);
	m_freem(head);

	head = m_getcl(ns, MT_DATA, true);
	m = dgram(ns, &dg, 0);
	m_copydata(m, 0, m->m_pkthdr.len, head->m_data);
	head->m_len = head->m_pkthdr.len = m->m_pkthdr.len;
	head->m_pkthdr.csum_flags = M_CSUM_NEEDED;
	head->m_pkthdr.csum_start = L4OFF;
	head->m_pkthdr.csum_offset = UDP_OFF_SUM;
	shared = m_copym(head, 0, head->m_pkthdr.len);
	assert_false(if_uso_join(head, m, ETHER_HDR_LEN, PIECES));
	m_freem(shared);
	assert_true(if_uso_join(head, m, ETHER_HDR_LEN, PIECES));
	m_freem(head);
	test_netstack_end(ns);
}

/* A datagram over IPv6: the headers of the n-th are another's only in what is said of it. */
static struct mbuf *
dgram6(struct netstack *ns, unsigned n, uint32_t len, uint8_t hlim, uint8_t host)
{
	struct ip6_hdr ip6 = {.ip6_plen = (uint16_t)(UDP_HDR_LEN + len),
	    .ip6_nxt = IP6_NXT_UDP,
	    .ip6_hlim = hlim,
	    .ip6_src = {1, 2, 3, 4},
	    .ip6_dst = {5, 6, 7, host}};
	struct udp_hdr uh = {1000, 53, (uint16_t)(UDP_HDR_LEN + len), 0};
	struct mbuf *m = m_gethdr(ns, MT_DATA), *data = m_getm(ns, len);

	assert_true(m != NULL && data != NULL);
	memset(m->m_data, 0xee, ETHER_HDR_LEN);
	ip6_emit(m->m_data + ETHER_HDR_LEN, &ip6);
	uh.uh_sum = cksum_fold(cksum_pseudo6(ip6.ip6_src, ip6.ip6_dst, IP6_NXT_UDP, uh.uh_ulen));
	udp_emit(m->m_data + ETHER_HDR_LEN + IP6_HDR_LEN, &uh);
	m->m_len = m->m_pkthdr.len = ETHER_HDR_LEN + IP6_HDR_LEN + UDP_HDR_LEN;
	for (uint32_t i = 0; i < len; i++) {
		const uint8_t byte = (uint8_t)(n + i);

		assert_int_equal(m_append(data, 1, &byte), 0);
	}
	m_cat(m, data);
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
	m->m_pkthdr.csum_start = ETHER_HDR_LEN + IP6_HDR_LEN;
	m->m_pkthdr.csum_offset = UDP_OFF_SUM;
	return m;
}

static void
test_ip6(void **state)
{
	struct netstack *ns = netstack_of_many();
	struct mbuf *head = dgram6(ns, 0, 100, 64, 8), *odd;
	uint8_t bytes[2000];
	struct ip6_hdr ip6;
	struct udp_hdr uh;
	uint32_t len;

	(void)state;
	for (unsigned n = 1; n < 5; n++)
		assert_true(if_uso_join(head, dgram6(ns, n, 100, 64, 8), ETHER_HDR_LEN, PIECES));
	odd = dgram6(ns, 5, 100, 63, 8);
	assert_false(if_uso_join(head, odd, ETHER_HDR_LEN, PIECES));
	m_freem(odd);
	odd = dgram6(ns, 5, 100, 64, 9);
	assert_false(if_uso_join(head, odd, ETHER_HDR_LEN, PIECES));
	m_freem(odd);
	odd = dgram(ns, &plain, 5);
	assert_false(if_uso_join(head, odd, ETHER_HDR_LEN, PIECES));
	m_freem(odd);
	assert_true(if_uso_join(head, dgram6(ns, 5, 7, 64, 8), ETHER_HDR_LEN, PIECES));
	assert_int_equal(head->m_pkthdr.csum_flags, M_CSUM_NEEDED | M_CSUM_USO);
	assert_int_equal(head->m_pkthdr.segsz, 100);
	len = flat(head, bytes) - ETHER_HDR_LEN;
	assert_int_equal(ip6_parse_partial(bytes + ETHER_HDR_LEN, len, len, &ip6), IP6_PARSE_OK);
	assert_int_equal(ip6.ip6_plen, UDP_HDR_LEN + 507);
	assert_int_equal(udp_parse_partial(bytes + ETHER_HDR_LEN + IP6_HDR_LEN, UDP_HDR_LEN,
			     ip6.ip6_plen, &uh),
	    UDP_PARSE_OK);
	assert_int_equal(uh.uh_sum,
	    cksum_fold(cksum_pseudo6(ip6.ip6_src, ip6.ip6_dst, IP6_NXT_UDP, ip6.ip6_plen)));
	for (uint32_t i = 0; i < 507; i++)
		assert_int_equal(bytes[ETHER_HDR_LEN + IP6_HDR_LEN + UDP_HDR_LEN + i],
		    (uint8_t)(i / 100 + i % 100));
	test_netstack_end(ns);
}

/* --- taking apart --------------------------------------------------------------------------- */

/* A frame of several as a host hands it over: n datagrams of len bytes, the last of lastlen. */
static struct mbuf *
several(struct netstack *ns, unsigned n, uint32_t len, uint32_t lastlen, bool isip6)
{
	struct mbuf *head = NULL;

	for (unsigned i = 0; i < n; i++) {
		struct dgram dg = plain;
		struct mbuf *m;

		dg.dg_len = i + 1 == n ? lastlen : len;
		dg.dg_id = (uint16_t)(plain.dg_id + i);
		m = isip6 ? dgram6(ns, i, dg.dg_len, 64, 8) : dgram(ns, &dg, i);
		if (head == NULL)
			head = m;
		else
			assert_true(if_uso_join(head, m, ETHER_HDR_LEN, PIECES));
	}
	head->m_pkthdr.csum_flags = M_CSUM_OK;
	return head;
}

/* The next of a list is what datagram m was, but for its sum, which nobody looks at. => the rest */
static struct mbuf *
expect_like(struct mbuf *list, struct mbuf *m)
{
	uint8_t got[9100], want[9100];
	struct mbuf *next;
	uint32_t len = m->m_pkthdr.len;

	assert_non_null(list);
	next = list->m_nextpkt;
	list->m_nextpkt = NULL;
	assert_int_equal(list->m_pkthdr.csum_flags, M_CSUM_OK);
	assert_int_equal(list->m_pkthdr.segsz, 0);
	assert_int_equal(list->m_pkthdr.nsegs, 0);
	assert_true(m_storage(list) <= 2 * (len + MSIZE + 2048));
	assert_true(m_writable(list));
	assert_int_equal(flat(list, got), len);
	assert_int_equal(flat(m, want), len); /* with the sum of its pseudo-header */
	assert_memory_equal(got, want, len);
	return next;
}

static void
split_case(unsigned n, uint32_t len, uint32_t lastlen, bool isip6)
{
	struct netstack *ns = netstack_of_many();
	struct mbuf *list = if_uso_split(several(ns, n, len, lastlen, isip6), ETHER_HDR_LEN, len);

	for (unsigned i = 0; i < n; i++) {
		struct dgram dg = plain;

		dg.dg_len = i + 1 == n ? lastlen : len;
		dg.dg_id = (uint16_t)(plain.dg_id + i);
		list =
		    expect_like(list, isip6 ? dgram6(ns, i, dg.dg_len, 64, 8) : dgram(ns, &dg, i));
	}
	assert_null(list);
	test_netstack_end(ns);
}

static void
test_split(void **state)
{
	(void)state;
	for (int isip6 = 0; isip6 < 2; isip6++) {
		split_case(2, 100, 100, isip6 != 0);
		split_case(40, 1400, 1400, isip6 != 0);
		split_case(44, 1400, 3, isip6 != 0);
		split_case(3, 350, 1, isip6 != 0); /* about the size that fits an mbuf */
		split_case(3, 420, 419, isip6 != 0);
		split_case(64, 1, 1, isip6 != 0);
	}
}

/* Datagrams of more than a cluster, as with an MTU of 9000; and as many as a host makes. */
static void
test_split_sizes(void **state)
{
	static const uint8_t bytes[60000];
	struct netstack *ns = netstack_of_many();
	const struct {
		uint32_t len, segsz, n;
	} cases[] = {{60000, 8900, 7}, {60000, 469, 128}, {60000, 468, 0}, {128, 1, 128},
	    {129, 1, 0}};

	(void)state;
	for (unsigned i = 0; i < nitems(cases); i++) {
		struct dgram dg = plain;
		struct mbuf *m, *next;
		uint32_t n = 0, total = 0;

		dg.dg_len = 0;
		m = dgram(ns, &dg, 0);
		assert_int_equal(m_append(m, cases[i].len, bytes), 0);
		be16_put(m->m_data + ETHER_HDR_LEN + 2,
		    (uint16_t)(IPV4_HDR_LEN + UDP_HDR_LEN + cases[i].len));
		be16_put(m->m_data + ETHER_HDR_LEN + 10, 0);
		be16_put(m->m_data + ETHER_HDR_LEN + 10,
		    cksum_finish(cksum_partial(m->m_data + ETHER_HDR_LEN, IPV4_HDR_LEN, 0)));
		be16_put(m->m_data + L4OFF + 4, (uint16_t)(UDP_HDR_LEN + cases[i].len));
		m->m_pkthdr.csum_flags = M_CSUM_OK;
		for (m = if_uso_split(m, ETHER_HDR_LEN, cases[i].segsz); m != NULL; m = next, n++) {
			next = m->m_nextpkt;
			m->m_nextpkt = NULL;
			total += m->m_pkthdr.len - HDRS;
			m_sanity(m);
			m_freem(m);
		}
		assert_int_equal(n, cases[i].n);
		assert_int_equal(total, n > 0 ? cases[i].len : 0);
	}
	assert_int_equal(ns->ns_drops[DROP_IF_SEGMENTS], 2);
	test_netstack_end(ns);
}

/* One datagram is handed on as it is, however large the size that is said of it. */
static void
test_split_one(void **state)
{
	struct netstack *ns = netstack_of_many();
	struct mbuf *m = several(ns, 3, 100, 100, false);

	(void)state;
	assert_ptr_equal(if_uso_split(m, ETHER_HDR_LEN, 300), m);
	assert_ptr_equal(if_uso_split(m, ETHER_HDR_LEN, 65535), m);
	assert_null(m->m_nextpkt);
	m_freem(m);
	test_netstack_end(ns);
}

/* => was it dropped? With one byte of the frame changed, or cut off behind len bytes. */
static bool
split_refuses(bool isip6, unsigned at, uint8_t value, uint32_t len)
{
	struct netstack *ns = netstack_of_many();
	struct mbuf *m = several(ns, 3, 100, 100, isip6), *list;
	bool refused;

	m->m_data[at] = value;
	if (len < m->m_pkthdr.len)
		m_adj(m, (int)len - (int)m->m_pkthdr.len);
	list = if_uso_split(m, ETHER_HDR_LEN, 100);
	refused = list == NULL;
	assert_int_equal(ns->ns_drops[DROP_IF_SEGMENTS], refused);
	m_freepkts(list);
	test_netstack_end(ns);
	return refused;
}

/* Frames that lie: of another protocol, fragments, with options, of other lengths, cut off anywhere. */
static void
test_46_split_refused(void **state)
{
	static const struct {
		bool isip6;
		unsigned at;
		uint8_t value;
	} lies[] = {
	    {false, 14, 0x46}, /* an option */
	    {false, 14, 0x55}, /* no version of IP */
	    {false, 16, 0x11}, /* its length */
	    {false, 20, 0x20}, /* more fragments */
	    {false, 21, 1},    /* not the first */
	    {false, 22, 63},   /* what its sum does not cover */
	    {false, 23, 6},    /* TCP */
	    {false, 38, 2},    /* UDP's length */
	    {false, 39, 7},
	    {true, 19, 1},  /* its length */
	    {true, 20, 0},  /* an extension header */
	    {true, 20, 44}, /* a fragment */
	    {true, 20, 6},
	    {true, 58, 2},
	};
	struct netstack *ns = netstack_of_many();

	(void)state;
	assert_false(split_refuses(false, 0, 1, 9999));
	assert_false(split_refuses(true, 0, 1, 9999));
	for (unsigned i = 0; i < nitems(lies); i++)
		assert_true(split_refuses(lies[i].isip6, lies[i].at, lies[i].value, 9999));
	for (uint32_t len = 0; len < HDRS + 300; len++)
		assert_true(split_refuses(false, 0, 0, len));
	for (uint32_t len = 0; len < HDRS + 20 + 300; len++)
		assert_true(split_refuses(true, 0, 0, len));
	assert_null(if_uso_split(several(ns, 3, 100, 100, false), ETHER_HDR_LEN, 0));
	for (int isip6 = 0; isip6 < 2; isip6++) { /* nobody has looked at the sum */
		struct mbuf *m = several(ns, 3, 100, 100, isip6 != 0);

		m->m_pkthdr.csum_flags = 0;
		assert_null(if_uso_split(m, ETHER_HDR_LEN, 100));
	}
	assert_int_equal(ns->ns_drops[DROP_IF_SEGMENTS], 3);
	test_netstack_end(ns);
}

/* What there is memory for arrives. */
static void
test_split_without_memory(void **state)
{
	(void)state;
	for (uint32_t fail = 1; fail <= 8; fail++) {
		struct netstack *ns = netstack_of_many();
		struct mbuf *m = several(ns, 3, 1000, 1000, false), *next;
		unsigned n = 0;

		ns->ns_fault.af_fail_at = fail;
		for (m = if_uso_split(m, ETHER_HDR_LEN, 1000); m != NULL; m = next, n++) {
			next = m->m_nextpkt;
			assert_int_equal(m->m_pkthdr.len, HDRS + 1000);
			m_freem(m);
		}
		ns->ns_fault.af_fail_at = 0;
		assert_true(n >= 2);
		assert_int_equal(ns->ns_drops[DROP_MBUF_NOBUFS], 3 - n);
		test_netstack_end(ns);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ip6),
	    cmocka_unit_test(test_join),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_refused_by_state),
	    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_split_sizes),
	    cmocka_unit_test(test_split_one),
	    cmocka_unit_test(test_46_split_refused),
	    cmocka_unit_test(test_split_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
