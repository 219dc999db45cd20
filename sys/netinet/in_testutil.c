/* SPDX-License-Identifier: BSD-2-Clause */
/* Help for the tests of IPv4 and its neighbours; see in_testutil.h. */
#include "netinet/in_testutil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/testutil.h"
#include "net/net_state.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "netinet/raw_ip.h"
#include "netinet/udp_var.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/udp.h"

static const struct protosw test_inetsw[] = {
    {
	.pr_type = BSD_SOCK_DGRAM,
	.pr_protocol = BSD_IPPROTO_UDP,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &test_inetdomain,
	.pr_usrreqs = &udp_usrreqs,
	.pr_ctloutput = udp_ctloutput,
    },
    {
	.pr_type = BSD_SOCK_DGRAM,
	.pr_protocol = BSD_IPPROTO_ICMP,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &test_inetdomain,
	.pr_usrreqs = &icmp_usrreqs,
	.pr_ctloutput = rip_ctloutput,
    },
    {
	.pr_type = BSD_SOCK_RAW,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &test_inetdomain,
	.pr_usrreqs = &rip_usrreqs,
	.pr_ctloutput = rip_ctloutput,
    },
};

static void
test_inet_fini(struct netstack *ns)
{
	udp_fini(ns);
	in_fini(ns);
	net_fini(ns);
}

static int
test_inet_init(struct netstack *ns)
{
	int error = net_init(ns);

	if (error == 0 && (error = in_init(ns)) == 0 && (error = udp_init(ns)) == 0)
		error = in_transport_register(ns, &udp_transport);
	if (error != 0)
		test_inet_fini(ns);
	return error;
}

const struct domain test_inetdomain = {
    .dom_family = BSD_AF_INET,
    .dom_name = "internet",
    .dom_protosw = test_inetsw,
    .dom_nprotosw = nitems(test_inetsw),
    .dom_afops = &in4_afops,
    .dom_init = test_inet_init,
    .dom_fini = test_inet_fini,
};

struct netstack *
in_teststack(void)
{
	static const struct domain *const domains[] = {&test_inetdomain, NULL};
	struct netstack_config nc = test_config();
	struct netstack *ns;

	nc.nc_domains = domains;
	nc.nc_nmbufs = 4096;
	nc.nc_nclusters = 1024;
	ns = netstack_create(&nc);
	assert_non_null(ns);
	return ns;
}

void
test_station(uint8_t mac[6], uint8_t station)
{
	memset(mac, station == 0xff ? 0xff : 0, 6);
	if (station != 0xff)
		mac[0] = 2;
	mac[5] = station;
}

static int
testif_start(struct ifnet *ifp, struct mbuf *m)
{
	struct testif *ti = ifp->if_softc;
	struct testframe *f = &ti->ti_frames[ti->ti_n];

	m_sanity(m);
	assert_true(m->m_pkthdr.len >= ETHER_MIN_LEN && m->m_pkthdr.len <= TI_FRAME_MAX);
	ti->ti_total++;
	if (!ti->ti_keepnone) {
		if (ti->ti_n == TI_FRAMES) {
			m_freem(m);
			return BSD_ENOBUFS;
		}
		ti->ti_n++;
		f->len = m->m_pkthdr.len;
		m_copydata(m, 0, f->len, f->bytes);
	}
	m_freem(m);
	return 0;
}

int
testif_attach(struct netstack *ns, struct testif *ti, uint8_t station, uint32_t addr_be)
{
	uint8_t mac[6];
	int error;

	memset(ti, 0, sizeof(*ti));
	memcpy(ti->ti_if.if_xname, "test0", 6);
	ti->ti_if.if_flags = IFF_UP | IFF_RUNNING;
	ti->ti_if.if_mtu = 1500;
	ti->ti_if.if_start = testif_start;
	ti->ti_if.if_softc = ti;
	test_station(mac, station);
	if ((error = if_attach(ns, &ti->ti_if)) != 0)
		return error;
	if ((error = ether_ifattach(&ti->ti_if, mac)) != 0)
		return error;
	return in_control_addr(ns, &ti->ti_if, addr_be, 24);
}

void
testif_input(struct testif *ti, const void *frame, size_t len)
{
	struct mbuf *m = m_gethdr(ti->ti_if.if_ns, MT_DATA);

	if (m == NULL)
		return;
	if (m_append(m, len, frame) != 0) {
		m_freem(m);
		return;
	}
	m_sanity(m);
	ti->ti_if.if_input(&ti->ti_if, m);
}

void
testif_clear(struct testif *ti)
{
	ti->ti_n = 0;
}

struct arp_pkt
testif_arp(const struct testif *ti, unsigned i)
{
	struct ether_hdr eh;
	struct arp_pkt ap;

	assert_true(i < ti->ti_n);
	assert_int_equal(ether_parse(ti->ti_frames[i].bytes, ti->ti_frames[i].len, &eh), 0);
	assert_int_equal(eh.ether_type, ETHERTYPE_ARP);
	assert_memory_equal(eh.ether_shost, ti->ti_if.if_lladdr, 6);
	assert_int_equal(arp_parse(ti->ti_frames[i].bytes + ETHER_HDR_LEN, ARP_PKT_LEN, &ap),
	    ARP_PARSE_OK);
	return ap;
}

static size_t
test_ether(uint8_t *frame, uint8_t from, uint8_t to, uint16_t type)
{
	struct ether_hdr eh = {.ether_type = type};

	test_station(eh.ether_shost, from);
	test_station(eh.ether_dhost, to);
	ether_emit(frame, &eh);
	return ETHER_HDR_LEN;
}

void
testif_arp_input(struct testif *ti, uint8_t from, uint8_t to, uint16_t op, uint32_t spa_be,
    uint32_t tpa_be)
{
	struct arp_pkt ap = {.ar_op = op, .ar_spa_be = spa_be, .ar_tpa_be = tpa_be};
	uint8_t frame[ETHER_MIN_LEN] = {0};

	test_station(ap.ar_sha, from);
	arp_emit(frame + test_ether(frame, from, to, ETHERTYPE_ARP), &ap);
	testif_input(ti, frame, sizeof(frame));
}

struct ipv4_hdr
test_iphdr(uint8_t proto, uint32_t src_be, uint32_t dst_be, size_t len)
{
	return (struct ipv4_hdr){.ip_hl = IPV4_HDR_LEN,
	    .ip_len = (uint16_t)(IPV4_HDR_LEN + len),
	    .ip_ttl = 64,
	    .ip_p = proto,
	    .ip_src_be = src_be,
	    .ip_dst_be = dst_be};
}

void
testif_ip_input(struct testif *ti, const struct ipv4_hdr *ip, const void *payload, size_t len)
{
	uint8_t *frame = malloc(ETHER_HDR_LEN + IPV4_HDR_LEN + len);

	test_ether(frame, 9, ti->ti_if.if_lladdr[5], ETHERTYPE_IP);
	ipv4_emit(frame + ETHER_HDR_LEN, ip);
	memcpy(frame + ETHER_HDR_LEN + IPV4_HDR_LEN, payload, len);
	testif_input(ti, frame, ETHER_HDR_LEN + IPV4_HDR_LEN + len);
	free(frame);
}

size_t
test_udp(uint8_t *buf, uint32_t src_be, uint32_t dst_be, uint16_t sport, uint16_t dport, size_t len)
{
	struct udp_hdr uh = {.uh_sport = sport,
	    .uh_dport = dport,
	    .uh_ulen = (uint16_t)(UDP_HDR_LEN + len)};
	size_t i;

	udp_emit(buf, &uh);
	for (i = 0; i < len; i++)
		buf[UDP_HDR_LEN + i] = test_byte(i);
	uh.uh_sum = cksum_finish(cksum_partial(buf, uh.uh_ulen,
	    cksum_pseudo4(src_be, dst_be, IPV4_PROTO_UDP, uh.uh_ulen)));
	udp_emit(buf, &uh);
	return uh.uh_ulen;
}

int
test_ipsend(struct netstack *ns, uint32_t dst_be, size_t len)
{
	struct in_txinfo tx = {.tx_ns = ns, .tx_dst = in4_any(dst_be), .tx_proto = IPV4_PROTO_UDP};
	uint8_t payload[1500] = {0};
	struct mbuf *m = m_gethdr(ns, MT_DATA);

	if (m == NULL)
		return BSD_ENOBUFS;
	if (m_append(m, len, payload) != 0) {
		m_freem(m);
		return BSD_ENOBUFS;
	}
	return ip_output(m, &tx);
}

/* What one interface sent goes into the other. => true: there was something */
static bool
testwire_move(struct testif *from, struct testif *to)
{
	unsigned i, n = from->ti_n;
	struct testframe *frames;

	if (n == 0)
		return false;
	frames = malloc(n * sizeof(*frames));
	memcpy(frames, from->ti_frames, n * sizeof(*frames));
	from->ti_n = 0;
	for (i = 0; i < n; i++)
		testif_input(to, frames[i].bytes, frames[i].len);
	free(frames);
	return true;
}

void
testwire_pump(struct testif *a, struct testif *b)
{
	bool more = true;

	while (more) {
		netstack_run(a->ti_if.if_ns);
		netstack_run(b->ti_if.if_ns);
		more = testwire_move(a, b);
		more = testwire_move(b, a) || more;
	}
}

void
testwire_run_for(struct testif *a, struct testif *b, uint64_t delay_ns)
{
	struct netstack *x = a->ti_if.if_ns, *y = b->ti_if.if_ns;
	uint64_t end = x->ns_now + delay_ns, next;

	testwire_pump(a, b);
	while ((next = KERN_MIN(netstack_deadline(x), netstack_deadline(y))) <= end) {
		netstack_enter(x, next);
		netstack_enter(y, next);
		testwire_pump(a, b);
	}
	netstack_enter(x, end);
	netstack_enter(y, end);
}

struct testgot test_got;

void
test_got_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	m_sanity(m);
	assert_int_equal(m->m_pkthdr.len, rx->rx_hlen + rx->rx_len);
	assert_true(m->m_len >= rx->rx_hlen);
	test_got.tg_n++;
	test_got.tg_len = rx->rx_len;
	test_got.tg_hlen = rx->rx_hlen;
	m_copydata(m, rx->rx_hlen, rx->rx_len, test_got.tg_bytes);
	m_freem(m);
}

unsigned
test_cut(struct netstack *ns, uint32_t total, struct testpiece *pieces)
{
	unsigned n = 0, i, j;
	uint32_t off, len;
	struct testpiece t;

	for (off = 0; off < total; off += len) {
		len = 8 * (1 + rng_below(&ns->ns_rng, 180));
		if (off == 0 && len < 32)
			len = 32;
		len = KERN_MIN(len, total - off);
		pieces[n++] = (struct testpiece){off, len, off + len < total};
	}
	for (i = n - 1; i > 0; i--) {
		j = rng_below(&ns->ns_rng, i + 1);
		t = pieces[i];
		pieces[i] = pieces[j];
		pieces[j] = t;
	}
	return n;
}

void
testwire_begin(struct testif *a, struct testif *b)
{
	assert_int_equal(testif_attach(in_teststack(), a, 1, ipv4_addr_be(10, 0, 0, 1)), 0);
	assert_int_equal(testif_attach(in_teststack(), b, 2, ipv4_addr_be(10, 0, 0, 2)), 0);
	testwire_run_for(a, b, 10 * NSEC_PER_SEC);
}

void
testwire_end(struct testif *a, struct testif *b)
{
	testwire_run_for(a, b, 61 * NSEC_PER_SEC);
	test_netstack_end(a->ti_if.if_ns);
	test_netstack_end(b->ti_if.if_ns);
}

struct socket *
test_udpsocket(struct netstack *ns)
{
	struct socket *so = NULL;

	if (socreate(ns, BSD_AF_INET, BSD_SOCK_DGRAM, 0, &so) != 0)
		return NULL;
	return so;
}

union bsd_sockaddr_any
test_sin(uint32_t addr_be, uint16_t port)
{
	union bsd_sockaddr_any sa;

	memset(&sa, 0, sizeof(sa));
	sa.sin.sin_len = sizeof(sa.sin);
	sa.sin.sin_family = BSD_AF_INET;
	sa.sin.sin_port = htobe16(port);
	sa.sin.sin_addr.s_addr = addr_be;
	return sa;
}

int
test_udpsend(struct socket *so, const union bsd_sockaddr_any *to, size_t len)
{
	struct vmspace vm = {.vm_engine = &copy_engine_direct, .vm_ns = so->so_ns};
	uint8_t *buf = malloc(len + 1);
	struct bsd_iovec iov = {.iov_base = (uintptr_t)buf, .iov_len = len};
	struct uio uio;
	size_t i;
	int error;

	for (i = 0; i < len; i++)
		buf[i] = test_byte(i);
	assert_int_equal(uio_init(&uio, &iov, 1, UIO_WRITE, &vm), 0);
	error = sosend(so, to != NULL ? &to->sa : NULL, &uio, NULL, NULL, BSD_MSG_DONTWAIT);
	free(buf);
	return error;
}

int
test_udprecv(struct socket *so, union bsd_sockaddr_any *from, uint8_t *buf, size_t *len)
{
	struct vmspace vm = {.vm_engine = &copy_engine_direct, .vm_ns = so->so_ns};
	struct bsd_iovec iov = {.iov_base = (uintptr_t)buf, .iov_len = *len};
	int error, flags = BSD_MSG_DONTWAIT;
	struct uio uio;

	assert_int_equal(uio_init(&uio, &iov, 1, UIO_READ, &vm), 0);
	error = soreceive(so, from, &uio, NULL, NULL, &flags);
	*len -= uio.uio_resid;
	return error;
}
