/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbour Discovery: neighbours come to be known, are proved and are lost; addresses are probed;
 * routers are heard; and what is not right is dropped whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/sysctl.h"
#include "kern/testutil.h"
#include "net/llatbl.h"
#include "net/net_state.h"
#include "netinet6/in6_testutil.h"
#include "netinet6/ip6_var.h"
#include "wire/ether.h"

#define OURS "fd00::1"
#define PEER "fd00::9"
#define OUR_LL "fe80::ff:fe00:1"
#define PEER_LL "fe80::9"
#define ALLNODES "ff02::1"

static struct testif ti;

static struct netstack *
begin(bool dad, const char *addr)
{
	struct netstack *ns = in6_teststack(dad);

	assert_int_equal(testif6_attach(ns, &ti, 1, addr), 0);
	return ns;
}

static void
end(struct netstack *ns)
{
	if_detach(&ti.ti_if);
	test_netstack_end(ns);
}

static enum lle_state
state_of(const char *addr)
{
	struct addr6 a = test_addr6(addr);
	const struct llentry *lle;

	in6_setzone(a.a, ti.ti_if.if_index);
	lle = nd6_lookup(&ti.ti_if, a.a);
	return lle != NULL ? lle->lle_state : LLE_STATE_COUNT;
}

static uint64_t
drops(const struct netstack *ns, enum drop_reason why)
{
	return ns->ns_drops[why];
}

/* RFC 4861 §7.2.2 to §7.2.5: asked for by its group, answered, used. */
static void
test_resolve(void **state)
{
	struct netstack *ns = begin(false, OURS);
	struct addr6 group = test_addr6("ff02::1:ff00:9");
	struct ether_hdr eh;
	struct ip6_hdr ip6;
	const uint8_t *p;
	uint8_t msg[64];

	(void)state;
	assert_int_equal(test_ip6send(ns, PEER, 100), 0);
	assert_int_equal(state_of(PEER), LLE_INCOMPLETE);
	assert_non_null(p = testif6_find(&ti, ICMP6_NS, &ip6));
	assert_memory_equal(ip6.ip6_dst, group.a, 16);
	assert_memory_equal(ip6.ip6_src, test_addr6(OURS).a, 16);
	assert_int_equal(ip6.ip6_hlim, 255);
	assert_memory_equal(p + ND_OFF_TARGET, test_addr6(PEER).a, 16);
	assert_int_equal(p[ND_NS_LEN], ND_OPT_SLLA);
	(void)ether_parse(ti.ti_frames[ti.ti_n - 1].bytes, ETHER_HDR_LEN, &eh);
	assert_memory_equal(eh.ether_dhost, "\x33\x33\xff\x00\x00\x09", 6);
	testif_clear(&ti);
	testif6_icmp6(&ti, PEER, OURS, 255, msg,
	    test_na(msg, PEER, ND_NA_SOLICITED | ND_NA_OVERRIDE, 9));
	assert_int_equal(state_of(PEER), LLE_REACHABLE);
	assert_int_equal(ti.ti_n, 1);
	(void)testif6_packet(&ti, 0, &ip6);
	assert_int_equal(ip6.ip6_nxt, IP6_NXT_UDP);
	assert_int_equal(ip6.ip6_plen, 100);
	end(ns);
}

/* Who is asked and does not answer is reported to who sent; a scan costs no neighbour. */
static void
test_silence(void **state)
{
	struct netstack *ns = begin(false, OURS);

	(void)state;
	assert_int_equal(test_ip6send(ns, PEER, 100), 0);
	test_run_for(ns, 3 * NSEC_PER_SEC + NSEC_PER_MSEC);
	assert_int_equal(state_of(PEER), LLE_FAILED);
	assert_int_equal(drops(ns, DROP_ND6_TIMEOUT), 1);
	assert_int_equal(ns->ns_inet6->i6_icmp6stat[ICMP6STAT_error], 1);
	test_run_for(ns, 6 * NSEC_PER_SEC);
	assert_int_equal(state_of(PEER), LLE_STATE_COUNT);
	end(ns);
}

/* §7.3.3: a neighbour is proved while it is used, and asked directly. */
static void
test_unreachability(void **state)
{
	struct netstack *ns = begin(false, OURS);
	struct ip6_hdr ip6;
	uint8_t msg[64];

	(void)state;
	testif6_icmp6(&ti, PEER, OURS, 255, msg, test_ns(msg, OURS, 9));
	assert_int_equal(state_of(PEER), LLE_DELAY); /* the answer used it */
	testif_clear(&ti);
	test_run_for(ns, 5 * NSEC_PER_SEC + NSEC_PER_MSEC);
	assert_int_equal(state_of(PEER), LLE_PROBE);
	assert_non_null(testif6_find(&ti, ICMP6_NS, &ip6));
	assert_memory_equal(ip6.ip6_dst, test_addr6(PEER).a, 16);
	testif6_icmp6(&ti, PEER, OURS, 255, msg, test_na(msg, PEER, ND_NA_SOLICITED, 0));
	assert_int_equal(state_of(PEER), LLE_REACHABLE);
	test_run_for(ns, 50 * NSEC_PER_SEC);
	assert_int_equal(state_of(PEER), LLE_STALE);
	end(ns);
}

/* §7.2.4: we are asked and answer; who probes is answered for all to hear. */
static void
test_answer(void **state)
{
	struct netstack *ns = begin(false, OURS);
	struct icmp6_hdr icmp6;
	struct ip6_hdr ip6;
	const uint8_t *p;
	uint8_t msg[64];

	(void)state;
	testif6_icmp6(&ti, PEER, "ff02::1:ff00:1", 255, msg, test_ns(msg, OURS, 9));
	assert_non_null(p = testif6_find(&ti, ICMP6_NA, &ip6));
	(void)icmp6_parse(p, ICMP6_HDR_LEN, &icmp6);
	assert_int_equal(icmp6.icmp6_word, ND_NA_SOLICITED | ND_NA_OVERRIDE);
	assert_memory_equal(ip6.ip6_dst, test_addr6(PEER).a, 16);
	testif_clear(&ti);
	testif6_icmp6(&ti, "::", "ff02::1:ff00:1", 255, msg, test_ns(msg, OURS, 0));
	assert_non_null(p = testif6_find(&ti, ICMP6_NA, &ip6));
	(void)icmp6_parse(p, ICMP6_HDR_LEN, &icmp6);
	assert_int_equal(icmp6.icmp6_word, ND_NA_OVERRIDE);
	assert_memory_equal(ip6.ip6_dst, test_addr6(ALLNODES).a, 16);
	end(ns);
}

static void
assert_dropped(struct netstack *ns, const char *src, const char *dst, uint8_t hlim, uint8_t *msg,
    size_t len)
{
	uint64_t before = drops(ns, DROP_ND6_INVALID);
	uint64_t sent = ti.ti_total;

	testif6_icmp6(&ti, src, dst, hlim, msg, len);
	assert_int_equal(drops(ns, DROP_ND6_INVALID), before + 1);
	assert_int_equal(state_of(PEER), LLE_STATE_COUNT);
	assert_int_equal(ti.ti_total, sent);
}

/* HOSTILE 41 */
static void
test_invalid(void **state)
{
	struct netstack *ns = begin(false, OURS);
	uint8_t msg[96] = {0};
	size_t n;

	(void)state;
	n = test_ns(msg, OURS, 9);
	assert_dropped(ns, PEER, OURS, 254, msg, n);
	msg[1] = 1;
	assert_dropped(ns, PEER, OURS, 255, msg, n);
	n = test_ns(msg, OURS, 9);
	msg[ND_NS_LEN + 1] = 0;
	assert_dropped(ns, PEER, OURS, 255, msg, n);
	msg[ND_NS_LEN + 1] = 2;
	assert_dropped(ns, PEER, OURS, 255, msg, n);
	n = test_ns(msg, OURS, 9);
	assert_dropped(ns, PEER, OURS, 255, msg, ND_NS_LEN - 8);
	n = test_ns(msg, "ff02::5", 9);
	assert_dropped(ns, PEER, OURS, 255, msg, n);
	n = test_ns(msg, OURS, 9); /* a probe with a station, or to us alone */
	assert_dropped(ns, "::", "ff02::1:ff00:1", 255, msg, n);
	n = test_ns(msg, OURS, 0);
	assert_dropped(ns, "::", OURS, 255, msg, n);
	n = test_na(msg, PEER, ND_NA_SOLICITED, 9);
	assert_dropped(ns, PEER, ALLNODES, 255, msg, n);
	n = test_na(msg, "ff02::9", 0, 9);
	assert_dropped(ns, PEER, OURS, 255, msg, n);
	n = test_na(msg, PEER, 0, 9);
	assert_dropped(ns, PEER, OURS, 64, msg, n);
	end(ns);
}

/* HOSTILE 41, RFC 6980: in fragments, even in one. */
static void
test_fragmented(void **state)
{
	struct netstack *ns = begin(false, OURS);
	struct ip6_hdr ip6;
	uint8_t packet[IP6_FRAG_LEN + 64];
	size_t n = test_ns(packet + IP6_FRAG_LEN, OURS, 9);

	(void)state;
	test_cksum6(PEER, OURS, IP6_NXT_ICMP6, packet + IP6_FRAG_LEN, n, ICMP6_OFF_SUM);
	ip6_frag_emit(packet, &(struct ip6_frag){.if_nxt = IP6_NXT_ICMP6, .if_id = 1});
	ip6 = test_ip6hdr(IP6_NXT_FRAGMENT, PEER, OURS, IP6_FRAG_LEN + n);
	ip6.ip6_hlim = 255;
	testif6_input(&ti, &ip6, packet, IP6_FRAG_LEN + n);
	assert_int_equal(drops(ns, DROP_ND6_INVALID), 1);
	assert_int_equal(state_of(PEER), LLE_STATE_COUNT);
	end(ns);
}

/* HOSTILE 42, RFC 6583 */
static void
test_scan(void **state)
{
	struct netstack *ns = begin(false, OURS);
	uint8_t msg[64];
	char dst[32];

	(void)state;
	ti.ti_keepnone = true;
	testif6_icmp6(&ti, PEER, OURS, 255, msg, test_ns(msg, OURS, 9));
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(dst, sizeof(dst), "fd00::1:%x", i + 1);
		(void)test_ip6send(ns, dst, 100);
	}
	assert_int_equal(state_of(PEER), LLE_DELAY);
	assert_true(nd6_table(&ti.ti_if)->llt_nunresolved <= LLT_LIMIT_DEFAULT / 2);
	assert_true(drops(ns, DROP_ND6_LIMIT) + drops(ns, DROP_ND6_HOLD) > 4000);
	ti.ti_total = 0;
	assert_int_equal(test_ip6send(ns, PEER, 100), 0);
	assert_int_equal(ti.ti_total, 1);
	end(ns);
}

/* HOSTILE 43, RFC 4861 §7.2.5 */
static void
test_override(void **state)
{
	struct netstack *ns = begin(false, OURS);
	const struct llentry *lle;
	uint8_t msg[64];

	(void)state;
	(void)test_ip6send(ns, PEER, 100);
	testif6_icmp6(&ti, PEER, OURS, 255, msg, test_na(msg, PEER, ND_NA_SOLICITED, 9));
	lle = nd6_lookup(&ti.ti_if, test_addr6(PEER).a);
	assert_int_equal(lle->lle_state, LLE_REACHABLE);
	testif6_icmp6(&ti, PEER, OURS, 255, msg, test_na(msg, PEER, ND_NA_SOLICITED, 66));
	assert_int_equal(lle->lle_state, LLE_STALE); /* doubted, not believed */
	assert_int_equal(lle->lle_lladdr[5], 9);
	testif6_icmp6(&ti, PEER, OURS, 255, msg, test_na(msg, PEER, ND_NA_OVERRIDE, 66));
	assert_int_equal(lle->lle_state, LLE_STALE);
	assert_int_equal(lle->lle_lladdr[5], 66);
	/* Nobody asked for this one. */
	testif6_icmp6(&ti, "fd00::77", OURS, 255, msg,
	    test_na(msg, "fd00::77", ND_NA_OVERRIDE, 66));
	assert_int_equal(state_of("fd00::77"), LLE_STATE_COUNT);
	end(ns);
}

/* RFC 4862 §5.4: an address is ours when nobody says that it is his. */
static void
test_dad(void **state)
{
	struct netstack *ns = begin(true, OURS);
	struct ip6_hdr ip6;
	const uint8_t *p;

	(void)state;
	assert_false(in6_addr_islocal(ns, test_addr6(OURS).a));
	test_run_for(ns, 500 * NSEC_PER_MSEC);
	assert_non_null(p = testif6_find(&ti, ICMP6_NS, &ip6));
	assert_true(ip6_is_unspecified(ip6.ip6_src));
	test_run_for(ns, 2 * NSEC_PER_SEC);
	assert_true(in6_addr_islocal(ns, test_addr6(OURS).a));
	end(ns);
}

/* HOSTILE 45: whoever claims it has it; there are no further tries. */
static void
test_dad_attack(void **state)
{
	struct netstack *ns = begin(true, OURS);
	struct addr6 ll = test_addr6(OUR_LL);
	struct ip6_hdr ip6;
	uint8_t msg[64];

	(void)state;
	testif6_icmp6(&ti, "::", "ff02::1:ff00:1", 255, msg, test_ns(msg, OURS, 0));
	test_run_for(ns, 5 * NSEC_PER_SEC);
	assert_false(in6_addr_islocal(ns, test_addr6(OURS).a));
	assert_int_equal(in6_ifaddr_find(ns, NULL, test_addr6(OURS).a)->ia_flags &
		(IN6_IFF_TENTATIVE | IN6_IFF_DUPLICATED),
	    IN6_IFF_DUPLICATED);
	assert_false(ti.ti_if.if_inet6->ix_disabled);
	in6_setzone(ll.a, ti.ti_if.if_index);
	assert_true(in6_addr_islocal(ns, ll.a));
	end(ns);
	/* RFC 4862 §5.4.5: the station's own */
	ns = begin(true, NULL);
	assert_int_equal(in6_ifattach(&ti.ti_if), 0);
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, test_na(msg, OUR_LL, ND_NA_OVERRIDE, 9));
	assert_true(ti.ti_if.if_inet6->ix_disabled);
	testif_clear(&ti);
	assert_int_equal(in6_control_addr(ns, &ti.ti_if, test_addr6(OURS).a, 64), 0);
	test_run_for(ns, 5 * NSEC_PER_SEC);
	assert_null(testif6_find(&ti, ICMP6_NS, &ip6)); /* not even a probe */
	assert_null(testif6_find(&ti, ICMP6_MLD2_REPORT, &ip6));
	end(ns);
}

/* RFC 7527: a probe that comes back is not another's. */
static void
test_dad_loop(void **state)
{
	struct netstack *ns = begin(true, OURS);
	struct testframe echo;

	(void)state;
	netstack_run(ns);
	test_run_for(ns, NSEC_PER_MSEC);
	for (unsigned i = 0; i < ti.ti_n; i++) {
		echo = ti.ti_frames[i];
		testif_input(&ti, echo.bytes, echo.len);
	}
	test_run_for(ns, 3 * NSEC_PER_SEC);
	assert_true(in6_addr_islocal(ns, test_addr6(OURS).a));
	end(ns);
}

/* A router's advertisement with up to one prefix. => its length */
static size_t
test_ra(uint8_t *msg, uint16_t lifetime, const char *prefix, uint8_t plen, uint32_t valid)
{
	memset(msg, 0, ND_RA_LEN + 8 + 32 + 8);
	msg[0] = ICMP6_RA;
	msg[4] = 255;
	be16_put(msg + 6, lifetime);
	msg[ND_RA_LEN] = ND_OPT_MTU;
	msg[ND_RA_LEN + 1] = 1;
	be32_put(msg + ND_RA_LEN + 4, 1400);
	if (prefix == NULL)
		return ND_RA_LEN + 8;
	msg[ND_RA_LEN + 8] = ND_OPT_PREFIX;
	msg[ND_RA_LEN + 9] = 4;
	msg[ND_RA_LEN + 10] = plen;
	msg[ND_RA_LEN + 11] = 0xc0;
	be32_put(msg + ND_RA_LEN + 12, valid);
	be32_put(msg + ND_RA_LEN + 16, valid);
	ip6_addr_put(msg + ND_RA_LEN + 24, test_addr6(prefix).a);
	return ND_RA_LEN + 40;
}

static const struct rtentry *
default_route(struct netstack *ns)
{
	struct rt_addr any = {{0, 0, 0, 0}};

	return rt_find(rt_table(ns, BSD_AF_INET6), &any, 0);
}

/* RFC 4861 §6.3.4, RFC 4862 §5.5.3 */
static void
test_autoconf(void **state)
{
	struct netstack *ns = begin(false, NULL);
	struct addr6 made = test_addr6("2001:db8::ff:fe00:1"), gw = test_addr6(PEER_LL);
	struct ip6_hdr ip6;
	uint8_t msg[128];

	(void)state;
	assert_int_equal(in6_autoconf(&ti.ti_if), 0);
	test_run_for(ns, 2 * NSEC_PER_SEC);
	assert_non_null(testif6_find(&ti, ICMP6_RS, &ip6));
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, test_ra(msg, 1800, "2001:db8::", 64, 7200));
	assert_true(in6_addr_islocal(ns, made.a));
	assert_non_null(default_route(ns));
	in6_setzone(gw.a, ti.ti_if.if_index);
	assert_memory_equal(default_route(ns)->rt_gateway.ra_w, gw.a, 16);
	assert_int_equal(in6_linkmtu(&ti.ti_if), 1400);
	assert_int_equal(ti.ti_if.if_inet6->ix_hlim, 255);
	/* It goes by what time it was given, and the router by its own. */
	test_run_for(ns, 1801 * NSEC_PER_SEC);
	assert_null(default_route(ns));
	assert_true(in6_addr_islocal(ns, made.a));
	test_run_for(ns, 5400 * NSEC_PER_SEC);
	assert_false(in6_addr_islocal(ns, made.a));
	end(ns);
}

/* The address that a router's prefix makes, with a secret. NULL: as at first */
static struct addr6
stable(const char *secret, const char *prefix, unsigned conflicts)
{
	struct netstack *ns = begin(true, NULL);
	const struct in6_ifaddr *ia = NULL;
	struct addr6 a, p = test_addr6(prefix), station = test_addr6(OUR_LL);
	struct ifaddr *ifa;
	uint8_t msg[128];
	unsigned n = 0;

	assert_int_equal(sysctl_set_u64(ns, "net.inet6.ip6.use_stableaddr", 1), 0);
	if (secret != NULL)
		assert_int_equal(sysctl_set_text(ns, "net.inet6.ip6.stableaddr_secret", secret), 0);
	assert_int_equal(in6_autoconf(&ti.ti_if), 0);
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, test_ra(msg, 1800, prefix, 64, 7200));
	TAILQ_FOREACH(ifa, &ti.ti_if.if_addrs, ifa_list)
		if (ifa->ifa_addr.sa.sa_family == BSD_AF_INET6 &&
		    memcmp(ifatoia6(ifa)->ia_addr, p.a, 8) == 0)
			ia = ifatoia6(ifa);
	assert_non_null(ia);
	in6_setzone(station.a, ti.ti_if.if_index);
	assert_null(in6_ifaddr_find(ns, &ti.ti_if, station.a));
	for (unsigned i = 0; i < conflicts; i++) {
		(void)inet_ntop(AF_INET6, ia->ia_addr, (char *)msg, sizeof(msg));
		testif6_icmp6(&ti, PEER, ALLNODES, 255, msg + 64,
		    test_na(msg + 64, (char *)msg, ND_NA_OVERRIDE, 9));
	}
	memcpy(a.a, ia->ia_addr, sizeof(a.a));
	assert_int_equal(ia->ia_flags & IN6_IFF_DUPLICATED,
	    conflicts > IN6_IDGEN_RETRIES ? IN6_IFF_DUPLICATED : 0);
	test_run_for(ns, 5 * NSEC_PER_SEC);
	assert_int_equal(in6_addr_islocal(ns, a.a), conflicts <= IN6_IDGEN_RETRIES);
	/* The router says so again: it is the same address that lives on. */
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, test_ra(msg, 1800, prefix, 64, 7200));
	TAILQ_FOREACH(ifa, &ti.ti_if.if_addrs, ifa_list)
		n += ifa->ifa_addr.sa.sa_family == BSD_AF_INET6 &&
		    memcmp(ifatoia6(ifa)->ia_addr, p.a, 8) == 0;
	assert_int_equal(n, 1);
	end(ns);
	return a;
}

/* RFC 7217: nothing of the station, the same each time by the same secret, another for another prefix. */
static void
test_stable(void **state)
{
	struct addr6 a = stable("a", "2001:db8::", 0), b = stable("a", "2001:db8::", 0), c;

	(void)state;
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true((betoh32(a.a[2]) & 0xff) != 0xff || betoh32(a.a[3]) >> 24 != 0xfe);
	b = stable("b", "2001:db8::", 0);
	assert_memory_not_equal(&a.a[2], &b.a[2], 8);
	b = stable("a", "2001:db8:1::", 0);
	assert_memory_not_equal(&a.a[2], &b.a[2], 8);
	b = stable(NULL, "2001:db8::", 0);
	assert_memory_not_equal(&a.a[2], &b.a[2], 8);
	b = stable("a", "2001:db8::", 1);
	c = stable("a", "2001:db8::", 2);
	assert_memory_not_equal(&a.a[2], &b.a[2], 8);
	assert_memory_not_equal(&b.a[2], &c.a[2], 8);
	(void)stable("a", "2001:db8::", IN6_IDGEN_RETRIES + 1);
}

/* HOSTILE 44 */
static void
test_ra_hostile(void **state)
{
	struct netstack *ns = begin(false, NULL);
	struct addr6 made = test_addr6("2001:db8::ff:fe00:1");
	uint8_t msg[128];
	char text[32];
	size_t n;

	(void)state;
	ti.ti_keepnone = true;
	assert_int_equal(in6_ifattach(&ti.ti_if), 0);
	n = test_ra(msg, 1800, "2001:db8::", 64, 7200);
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, n);
	assert_int_equal(drops(ns, DROP_ND6_IGNORED), 1); /* nobody listens */
	assert_int_equal(in6_autoconf(&ti.ti_if), 0);
	testif6_icmp6(&ti, PEER, ALLNODES, 255, msg, n);
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 64, msg, n);
	assert_int_equal(drops(ns, DROP_ND6_INVALID), 2);
	assert_null(default_route(ns));
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, test_ra(msg, 0, "2001:db8::", 48, 7200));
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, test_ra(msg, 0, "2001:db8::", 200, 7200));
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, test_ra(msg, 0, "fe80::", 64, 7200));
	assert_false(in6_addr_islocal(ns, made.a));
	n = test_ra(msg, 0, NULL, 0, 0);
	be32_put(msg + ND_RA_LEN + 4, 576);
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, n);
	assert_true(in6_linkmtu(&ti.ti_if) >= IP6_MTU_MIN);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text), "2001:db8:%x::", i);
		n = test_ra(msg, 1800, text, 64, 7200);
		(void)snprintf(text, sizeof(text), "fe80::%x", i + 2);
		testif6_icmp6(&ti, text, ALLNODES, 255, msg, n);
	}
	assert_int_equal(ns->ns_inet6->i6_nrouters, ns->ns_inet6->i6_maxrouters);
	assert_int_equal(ti.ti_if.if_inet6->ix_nprefixes, ns->ns_inet6->i6_maxprefixes);
	/* Lifetime 0 cannot end an address within two hours. */
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg, test_ra(msg, 0, "2001:db8:0::", 64, 0));
	test_run_for(ns, 7100 * NSEC_PER_SEC);
	assert_true(in6_addr_islocal(ns, made.a));
	end(ns);
}

/* RFC 4861 §6.3.6: another router when the first does not answer */
static void
test_router_lost(void **state)
{
	struct netstack *ns = begin(false, OURS);
	uint8_t msg[128];

	(void)state;
	assert_int_equal(in6_autoconf(&ti.ti_if), 0);
	testif6_icmp6(&ti, "fe80::a", ALLNODES, 255, msg, test_ra(msg, 1800, NULL, 0, 0));
	testif6_icmp6(&ti, "fe80::b", ALLNODES, 255, msg, test_ra(msg, 1800, NULL, 0, 0));
	assert_int_equal(default_route(ns)->rt_gateway.ra_w[3], htobe32(0xa));
	(void)test_ip6send(ns, "2001:db8::1", 100);
	test_run_for(ns, 4 * NSEC_PER_SEC);
	assert_int_equal(default_route(ns)->rt_gateway.ra_w[3], htobe32(0xb));
	testif6_icmp6(&ti, "fe80::b", ALLNODES, 255, msg, test_ra(msg, 0, NULL, 0, 0));
	assert_int_equal(default_route(ns)->rt_gateway.ra_w[3], htobe32(0xa));
	end(ns);
}

/* RFC 3810: groups are reported when they are joined and when a router asks. HOSTILE 30. */
static void
test_mld(void **state)
{
	struct netstack *ns = begin(false, OURS);
	uint8_t msg[MLD2_QUERY_LEN] = {ICMP6_MLD_QUERY};
	struct ip6_hdr ip6;
	const uint8_t *p;

	(void)state;
	test_run_for(ns, 2 * NSEC_PER_SEC);
	assert_non_null(p = testif6_find(&ti, ICMP6_MLD2_REPORT, &ip6));
	assert_memory_equal(ip6.ip6_dst, test_addr6("ff02::16").a, 16);
	assert_int_equal(ip6.ip6_hlim, 1);
	assert_int_equal(ip6.ip6_nxt, IP6_NXT_HOPOPTS);
	assert_int_equal(be16_get(p + 6), 1); /* one group: both addresses have it */
	assert_memory_equal(p + MLD2_REPORT_LEN + 4, test_addr6("ff02::1:ff00:1").a, 16);
	testif_clear(&ti);
	be16_put(msg + 4, 1000);
	for (unsigned i = 0; i < 1000; i++)
		testif6_icmp6(&ti, PEER_LL, ALLNODES, 1, msg, sizeof(msg));
	test_run_for(ns, 2 * NSEC_PER_SEC);
	assert_int_equal(ti.ti_n, 1);
	testif6_icmp6(&ti, PEER, ALLNODES, 1, msg, sizeof(msg));
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 2, msg, sizeof(msg));
	testif6_icmp6(&ti, PEER_LL, ALLNODES, 1, msg, 20);
	assert_int_equal(drops(ns, DROP_MLD_INVALID), 3);
	end(ns);
}

/* Everything that allocates may fail, and nothing is left behind. */
static void
test_nomem(void **state)
{
	struct netstack *ns = in6_teststack(true);
	uint8_t msg[128];
	uint64_t nth;
	int error;

	(void)state;
	for (nth = 1; nth < 60; nth++) {
		ns->ns_fault.af_fail_at = ns->ns_fault.af_count + nth;
		error = testif6_attach(ns, &ti, 1, OURS);
		if (error == 0) {
			(void)in6_autoconf(&ti.ti_if);
			test_run_for(ns, 3 * NSEC_PER_SEC);
			testif6_icmp6(&ti, PEER_LL, ALLNODES, 255, msg,
			    test_ra(msg, 1800, "2001:db8::", 64, 7200));
			(void)test_ip6send(ns, PEER, 100);
			test_run_for(ns, 5 * NSEC_PER_SEC);
		}
		ns->ns_fault.af_fail_at = 0;
		if (ti.ti_if.if_ns != NULL && if_byname(ns, "test0") != NULL)
			if_detach(&ti.ti_if);
	}
	test_netstack_end(ns);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_resolve),
	    cmocka_unit_test(test_silence),
	    cmocka_unit_test(test_unreachability),
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_fragmented),
	    cmocka_unit_test(test_scan),
	    cmocka_unit_test(test_override),
	    cmocka_unit_test(test_dad),
	    cmocka_unit_test(test_dad_attack),
	    cmocka_unit_test(test_dad_loop),
	    cmocka_unit_test(test_autoconf),
	    cmocka_unit_test(test_stable),
	    cmocka_unit_test(test_ra_hostile),
	    cmocka_unit_test(test_router_lost),
	    cmocka_unit_test(test_mld),
	    cmocka_unit_test(test_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
