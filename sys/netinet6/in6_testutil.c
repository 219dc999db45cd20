/* SPDX-License-Identifier: BSD-2-Clause */
/* Help for the tests of IPv6; see in6_testutil.h. */
#include "netinet6/in6_testutil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/protosw.h"
#include "kern/testutil.h"
#include "netinet/in_var.h"
#include "netinet/udp_var.h"
#include "netinet6/in6_var.h"
#include "netinet6/ip6_var.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/print.h"

static const struct domain test_inet6domain;

static const struct protosw test_inet6sw[] = {
    {
	.pr_type = BSD_SOCK_DGRAM,
	.pr_protocol = BSD_IPPROTO_UDP,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &test_inet6domain,
	.pr_usrreqs = &udp_usrreqs,
	.pr_ctloutput = udp_ctloutput,
    },
};

static const struct domain test_inet6domain = {
    .dom_family = BSD_AF_INET6,
    .dom_name = "internet6",
    .dom_protosw = test_inet6sw,
    .dom_nprotosw = nitems(test_inet6sw),
    .dom_afops = &in6_afops,
    .dom_init = in6_init,
    .dom_fini = in6_fini,
};

struct addr6
test_addr6(const char *text)
{
	struct addr6 a;

	assert_int_equal(ip6_pton(text, a.a), 0);
	return a;
}

struct netstack *
in6_teststack(bool dad)
{
	static const struct domain *const domains[] = {&test_inetdomain, &test_inet6domain, NULL};
	struct netstack_config nc = test_config();
	struct netstack *ns;

	nc.nc_domains = domains;
	nc.nc_nmbufs = 4096;
	nc.nc_nclusters = 1024;
	ns = netstack_create(&nc);
	assert_non_null(ns);
	if (!dad)
		ns->ns_inet6->i6_dad_count = 0;
	return ns;
}

int
testif6_attach(struct netstack *ns, struct testif *ti, uint8_t station, const char *addr)
{
	int error = testif_attach(ns, ti, station, ipv4_addr_be(10, 0, 0, station));

	if (error == 0 && addr != NULL)
		error = in6_control_addr(ns, &ti->ti_if, test_addr6(addr).a, 64);
	return error;
}

struct ip6_hdr
test_ip6hdr(uint8_t nxt, const char *src, const char *dst, size_t len)
{
	struct ip6_hdr ip6 = {.ip6_plen = (uint16_t)len, .ip6_nxt = nxt, .ip6_hlim = 64};

	memcpy(ip6.ip6_src, test_addr6(src).a, sizeof(ip6.ip6_src));
	memcpy(ip6.ip6_dst, test_addr6(dst).a, sizeof(ip6.ip6_dst));
	return ip6;
}

void
testif6_input(struct testif *ti, const struct ip6_hdr *ip6, const void *payload, size_t len)
{
	uint8_t *frame = calloc(1, ETHER_MIN_LEN + IP6_HDR_LEN + len);
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IPV6};
	size_t n = ETHER_HDR_LEN + IP6_HDR_LEN + len;

	test_station(eh.ether_shost, 9);
	test_station(eh.ether_dhost, ti->ti_if.if_lladdr[5]);
	if (ip6_is_multicast(ip6->ip6_dst))
		ether_map_ip6_multicast(eh.ether_dhost, ip6->ip6_dst[3]);
	ether_emit(frame, &eh);
	ip6_emit(frame + ETHER_HDR_LEN, ip6);
	memcpy(frame + ETHER_HDR_LEN + IP6_HDR_LEN, payload, len);
	testif_input(ti, frame, n < ETHER_MIN_LEN ? ETHER_MIN_LEN : n);
	free(frame);
}

void
test_cksum6(const char *src, const char *dst, uint8_t nxt, void *msg, size_t len, size_t off)
{
	uint32_t sum = cksum_pseudo6(test_addr6(src).a, test_addr6(dst).a, nxt, (uint32_t)len);

	memset((uint8_t *)msg + off, 0, 2);
	be16_put((uint8_t *)msg + off, cksum_finish(cksum_partial(msg, len, sum)));
}

void
testif6_icmp6(struct testif *ti, const char *src, const char *dst, uint8_t hlim, void *msg,
    size_t len)
{
	struct ip6_hdr ip6 = test_ip6hdr(IP6_NXT_ICMP6, src, dst, len);

	ip6.ip6_hlim = hlim;
	test_cksum6(src, dst, IP6_NXT_ICMP6, msg, len, ICMP6_OFF_SUM);
	testif6_input(ti, &ip6, msg, len);
}

const uint8_t *
testif6_packet(const struct testif *ti, unsigned i, struct ip6_hdr *ip6)
{
	const uint8_t *frame = ti->ti_frames[i].bytes;
	uint32_t len = ti->ti_frames[i].len;
	struct ether_hdr eh;

	assert_true(i < ti->ti_n);
	assert_int_equal(ether_parse(frame, len, &eh), 0);
	assert_int_equal(eh.ether_type, ETHERTYPE_IPV6);
	assert_int_equal(ip6_parse_partial(frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN,
			     len - ETHER_HDR_LEN, ip6),
	    IP6_PARSE_OK);
	/* Scopes never leave the stack. */
	assert_int_equal(in6_zone(ip6->ip6_src), 0);
	assert_int_equal(in6_zone(ip6->ip6_dst), 0);
	return frame + ETHER_HDR_LEN + IP6_HDR_LEN;
}

const uint8_t *
testif6_find(const struct testif *ti, uint8_t type, struct ip6_hdr *ip6)
{
	const uint8_t *p;
	struct ether_hdr eh;

	for (unsigned i = ti->ti_n; i-- > 0;) {
		(void)ether_parse(ti->ti_frames[i].bytes, ETHER_HDR_LEN, &eh);
		if (eh.ether_type != ETHERTYPE_IPV6)
			continue;
		p = testif6_packet(ti, i, ip6);
		if (ip6->ip6_nxt == IP6_NXT_HOPOPTS && p[0] == IP6_NXT_ICMP6)
			p += ip6_ext_len(p);
		else if (ip6->ip6_nxt != IP6_NXT_ICMP6)
			continue;
		if (p[0] == type)
			return p;
	}
	return NULL;
}

static size_t
test_nd(uint8_t *msg, uint8_t type, uint32_t word, const char *target)
{
	icmp6_emit(msg, &(struct icmp6_hdr){.icmp6_type = type, .icmp6_word = word});
	ip6_addr_put(msg + ND_OFF_TARGET, test_addr6(target).a);
	return ND_NS_LEN;
}

static size_t
test_nd_option(uint8_t *p, uint8_t type, uint8_t station)
{
	uint8_t mac[6];

	if (station == 0)
		return 0;
	test_station(mac, station);
	return nd_opt_lla_emit(p, type, mac);
}

size_t
test_ns(uint8_t *msg, const char *target, uint8_t station)
{
	size_t n = test_nd(msg, ICMP6_NS, 0, target);

	return n + test_nd_option(msg + n, ND_OPT_SLLA, station);
}

size_t
test_na(uint8_t *msg, const char *target, uint32_t flags, uint8_t station)
{
	size_t n = test_nd(msg, ICMP6_NA, flags, target);

	return n + test_nd_option(msg + n, ND_OPT_TLLA, station);
}

int
test_ip6send(struct netstack *ns, const char *dst, size_t len)
{
	struct in_txinfo tx = {.tx_ns = ns,
	    .tx_dst = in6_any(test_addr6(dst).a),
	    .tx_proto = IP6_NXT_UDP};
	uint8_t *payload = calloc(1, len + 1);
	struct mbuf *m = m_gethdr(ns, MT_DATA);
	int error;

	assert_non_null(m);
	error = m_append(m, len, payload);
	free(payload);
	if (error != 0) {
		m_freem(m);
		return error;
	}
	return ip6_output(m, &tx);
}
