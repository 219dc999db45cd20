/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets of AF_INET6: their addresses and scopes, IPv4 by mapped ones, who may bind beside whom,
 * which pcb a packet of either family finds, options and control messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"
#include "netinet/in_dgram.h"
#include "netinet/in_pcb_af.h"
#include "netinet/ip_var.h"
#include "netinet6/in6_pcb.h"
#include "netinet6/in6_testutil.h"
#include "netinet6/in6_var.h"
#include "wire/be.h"

#define US ipv4_addr_be(10, 0, 0, 1)

static struct testif ti;
static struct inpcbtable table;

static struct in_addrany
six(const char *text)
{
	struct in_addrany a;

	assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

static const struct protosw six_dgram = {.pr_type = BSD_SOCK_DGRAM,
    .pr_flags = PR_ATOMIC | PR_ADDR,
    .pr_domain = &inet6domain};
static const struct protosw six_stream = {.pr_type = BSD_SOCK_STREAM, .pr_domain = &inet6domain};
static const struct protosw four_dgram = {.pr_type = BSD_SOCK_DGRAM,
    .pr_flags = PR_ATOMIC | PR_ADDR,
    .pr_domain = &test_inetdomain};

/* --- helpers -------------------------------------------------------------------------------- */

static struct netstack *
pcb_stack(void)
{
	struct netstack *ns = in6_teststack(false);

	assert_int_equal(testif6_attach(ns, &ti, 1, "fd00::1"), 0);
	assert_int_equal(in_pcbtable_init(&table, ns, "testpcb", 16), 0);
	return ns;
}

static void
pcb_end(struct netstack *ns)
{
	assert_int_equal(table.it_count, 0);
	in_pcbtable_fini(&table);
	test_netstack_end(ns);
}

static struct inpcb *
pcb(struct netstack *ns, struct socket *so, const struct protosw *pr)
{
	struct inpcb *inp = NULL;

	memset(so, 0, sizeof(*so));
	so->so_ns = ns;
	so->so_proto = pr;
	assert_int_equal(in_pcballoc(&table, so, pr->pr_domain->dom_afops, &inp), 0);
	return inp;
}

/* The sockaddr of a text, of AF_INET6 when it has a colon. */
static union bsd_sockaddr_any
name(const char *text, uint16_t port, uint32_t scope)
{
	union bsd_sockaddr_any sa = {.sin6 = {.sin6_len = sizeof(sa.sin6),
					 .sin6_family = BSD_AF_INET6,
					 .sin6_port = htobe16(port),
					 .sin6_scope_id = scope}};
	uint32_t addr_be;

	if (strchr(text, ':') == NULL) {
		assert_int_equal(inet_pton(AF_INET, text, &addr_be), 1);
		return test_sin(addr_be, port);
	}
	assert_int_equal(inet_pton(AF_INET6, text, &sa.sin6.sin6_addr), 1);
	return sa;
}

static int
bind_to(struct inpcb *inp, const char *text, uint16_t port)
{
	union bsd_sockaddr_any sa = name(text, port, 0);

	return in_pcbbind(inp, &sa.sa);
}

static int
connect_to(struct inpcb *inp, const char *text, uint16_t port)
{
	union bsd_sockaddr_any sa = name(text, port, 0);

	return in_pcbconnect(inp, &sa.sa);
}

static void
assert_sockaddr(const union bsd_sockaddr_any *sa, const char *text, uint16_t port)
{
	char is[INET6_ADDRSTRLEN];

	assert_int_equal(sa->sa.sa_family, BSD_AF_INET6);
	assert_int_equal(sa->sa.sa_len, sizeof(sa->sin6));
	assert_non_null(inet_ntop(AF_INET6, &sa->sin6.sin6_addr, is, sizeof(is)));
	assert_string_equal(is, text);
	if (port != 0)
		assert_int_equal(betoh16(sa->sin6.sin6_port), port);
}

static void
assert_names(const struct inpcb *inp, const char *local, const char *peer)
{
	union bsd_sockaddr_any sa;

	in_pcb_sockaddr(inp, &sa);
	assert_sockaddr(&sa, local, 0);
	in_pcb_peeraddr(inp, &sa);
	assert_sockaddr(&sa, peer, 0);
}

static int
setint(struct inpcb *inp, int level, int opt, int value)
{
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = level,
	    .sopt_name = opt,
	    .sopt_size = sizeof(value)};

	memcpy(sopt.sopt_data, &value, sizeof(value));
	return in_pcb_ctloutput(inp, &sopt);
}

static int
getint(struct inpcb *inp, int opt, int *value)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_IPV6,
	    .sopt_name = opt,
	    .sopt_size = sizeof(sopt.sopt_data)};
	int error = in_pcb_ctloutput(inp, &sopt);

	if (error == 0) {
		assert_int_equal(sopt.sopt_size, sizeof(*value));
		memcpy(value, sopt.sopt_data, sizeof(*value));
	}
	return error;
}

static void
v6only(struct inpcb *inp)
{
	assert_int_equal(setint(inp, BSD_IPPROTO_IPV6, BSD_IPV6_V6ONLY, 1), 0);
}

/* --- tests ---------------------------------------------------------------------------------- */

/* A scope goes into the address, comes out again, and is refused where it cannot be told apart. */
static void
test_scopes(void **state)
{
	union bsd_sockaddr_any sa = name("fe80::7", 80, 3), back;
	const struct in_addrany inside = six("fe80:3::7");
	struct in_endpoint ep;

	(void)state;
	assert_int_equal(in6_parse(&sa.sa, &ep), 0);
	assert_true(in_addrany_eq(&ep.ie_addr, &inside));
	assert_int_equal(ep.ie_port, 80);
	in6_emit(&ep, &back);
	assert_memory_equal(&back.sin6, &sa.sin6, sizeof(sa.sin6));
	sa = name("ff02::1", 80, 2);
	assert_int_equal(in6_parse(&sa.sa, &ep), 0);
	assert_int_equal(betoh32(ep.ie_addr.ia_w[0]), 0xff020002);
	sa = name("fd00::7", 80, 3); /* of a global address it means nothing */
	assert_int_equal(in6_parse(&sa.sa, &ep), 0);
	in6_emit(&ep, &back);
	assert_int_equal(back.sin6.sin6_scope_id, 0);
	sa = name("fe80::7", 80, 0x10000);
	assert_int_equal(in6_parse(&sa.sa, &ep), BSD_EINVAL);
	sa = name("fe80:1::7", 80, 0);
	assert_int_equal(in6_parse(&sa.sa, &ep), BSD_EINVAL);
	sa = name("::1", 80, 0);
	sa.sa.sa_len = 24;
	assert_int_equal(in6_parse(&sa.sa, &ep), BSD_EINVAL);
	sa.sa.sa_family = BSD_AF_LOCAL;
	assert_int_equal(in6_parse(&sa.sa, &ep), BSD_EAFNOSUPPORT);
	sa = name("10.0.0.1", 80, 0);
	assert_int_equal(in6_parse(&sa.sa, &ep), BSD_EINVAL);
}

/* As Linux 6.18 has it, without SO_REUSEADDR. only: IPV6_V6ONLY on those of AF_INET6. */
static void
test_bind_matrix(void **state)
{
	static const struct {
		const char *one, *two;
		bool only;
		int error;
	} cases[] = {
	    {"::", "0.0.0.0", false, BSD_EADDRINUSE},
	    {"0.0.0.0", "::", false, BSD_EADDRINUSE},
	    {"::", "127.0.0.1", false, BSD_EADDRINUSE},
	    {"127.0.0.1", "::", false, BSD_EADDRINUSE},
	    {"::1", "127.0.0.1", false, 0},
	    {"::1", "0.0.0.0", false, 0},
	    {"0.0.0.0", "::1", false, 0},
	    {"::", "::1", false, BSD_EADDRINUSE},
	    {"::", "::", false, BSD_EADDRINUSE},
	    {"::1", "::1", false, BSD_EADDRINUSE},
	    {"::1", "fd00::1", false, 0},
	    {"::ffff:127.0.0.1", "127.0.0.1", false, BSD_EADDRINUSE},
	    {"::ffff:127.0.0.1", "10.0.0.1", false, 0},
	    {"::ffff:127.0.0.1", "::", false, BSD_EADDRINUSE},
	    {"::ffff:127.0.0.1", "::1", false, 0},
	    {"::ffff:0.0.0.0", "::", false, BSD_EADDRINUSE},
	    {"::ffff:0.0.0.0", "::1", false, 0},
	    {"::", "0.0.0.0", true, 0},
	    {"0.0.0.0", "::", true, 0},
	    {"127.0.0.1", "::", true, 0},
	    {"::", "::1", true, BSD_EADDRINUSE},
	};
	struct netstack *ns = pcb_stack();
	struct socket s1, s2;
	struct inpcb *one, *two;

	(void)state;
	for (unsigned i = 0; i < nitems(cases); i++) {
		one = pcb(ns, &s1, strchr(cases[i].one, ':') != NULL ? &six_dgram : &four_dgram);
		two = pcb(ns, &s2, strchr(cases[i].two, ':') != NULL ? &six_dgram : &four_dgram);
		if (cases[i].only && (one->inp_flags & INP_V6) != 0)
			v6only(one);
		if (cases[i].only && (two->inp_flags & INP_V6) != 0)
			v6only(two);
		assert_int_equal(bind_to(one, cases[i].one, 80), 0);
		if (bind_to(two, cases[i].two, 80) != cases[i].error)
			fail_msg("%s beside %s: not %d", cases[i].two, cases[i].one,
			    cases[i].error);
		in_pcbfree(one);
		in_pcbfree(two);
	}
	pcb_end(ns);
}

static void
test_v6only(void **state)
{
	struct netstack *ns = pcb_stack();
	struct socket so;
	struct inpcb *inp = pcb(ns, &so, &six_stream);
	int value;

	(void)state;
	assert_int_equal(getint(inp, BSD_IPV6_V6ONLY, &value), 0);
	assert_int_equal(value, 0);
	v6only(inp);
	assert_int_equal(getint(inp, BSD_IPV6_V6ONLY, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(connect_to(inp, "::ffff:127.0.0.1", 80), BSD_ENETUNREACH);
	assert_int_equal(bind_to(inp, "::ffff:127.0.0.1", 80), BSD_EINVAL);
	assert_int_equal(bind_to(inp, "::", 80), 0);
	assert_int_equal(setint(inp, BSD_IPPROTO_IPV6, BSD_IPV6_V6ONLY, 0), BSD_EINVAL);
	assert_int_equal(inp->inp_flags & INP_DUAL, 0);
	in_pcbfree(inp);
	pcb_end(ns);
}

static struct inpcb *
find4_from(const char *dst, uint16_t fport)
{
	struct in_lookup il = {.il_af = &in4_afops, .il_lport = 80, .il_fport = fport};

	assert_int_equal(inet_pton(AF_INET, dst, &il.il_laddr), 1);
	return in_pcblookup_bind(&table, &il);
}

static struct inpcb *
find4(const char *dst)
{
	return find4_from(dst, 9);
}

static struct inpcb *
find6(const char *dst)
{
	struct in_lookup il = {.il_af = &in6_afops,
	    .il_laddr = six(dst),
	    .il_lport = 80,
	    .il_fport = 9};

	return in_pcblookup_bind(&table, &il);
}

/* A listener of both is found by both; one of IPv4 comes before it, one of an address before any. */
static void
test_lookup(void **state)
{
	struct netstack *ns = pcb_stack();
	struct socket s1, s2, s3;
	struct inpcb *dual = pcb(ns, &s1, &six_dgram), *four = pcb(ns, &s2, &four_dgram);
	struct inpcb *exact = pcb(ns, &s3, &six_dgram);

	(void)state;
	s1.so_options = s2.so_options = s3.so_options = BSD_SO_REUSEPORT;
	assert_int_equal(bind_to(dual, "::", 80), 0);
	assert_ptr_equal(find4("10.0.0.1"), dual);
	assert_ptr_equal(find6("fd00::1"), dual);
	assert_int_equal(bind_to(four, "0.0.0.0", 80), 0);
	/* SO_REUSEPORT shares between those of one kind, not with one of both families. */
	for (uint16_t fport = 1; fport < 64; fport++)
		assert_ptr_equal(find4_from("10.0.0.1", fport), four);
	assert_ptr_equal(find6("fd00::1"), dual);
	assert_int_equal(bind_to(exact, "::ffff:10.0.0.1", 80), 0);
	assert_ptr_equal(find4("10.0.0.1"), exact);
	assert_ptr_equal(find4("127.0.0.1"), four);
	in_pcbfree(four);
	in_pcbfree(exact);
	in_pcbfree(dual);
	dual = pcb(ns, &s1, &six_dgram);
	v6only(dual);
	assert_int_equal(bind_to(dual, "::", 80), 0);
	assert_null(find4("10.0.0.1"));
	assert_ptr_equal(find6("fd00::1"), dual);
	in_pcbfree(dual);
	pcb_end(ns);
}

/* The peer of a socket of both decides which it speaks, until it lets go of it. */
static void
test_connect(void **state)
{
	struct netstack *ns = pcb_stack();
	struct socket so;
	struct inpcb *inp = pcb(ns, &so, &six_dgram);
	union bsd_sockaddr_any sin = name("10.0.0.9", 7, 0);

	(void)state;
	assert_int_equal(bind_to(inp, "::", 80), 0);
	assert_int_equal(connect_to(inp, "::ffff:10.0.0.9", 7), 0);
	assert_ptr_equal(inp->inp_af, &in4_afops);
	assert_int_equal(inp->inp_faddr.ia_w[0], sin.sin.sin_addr.s_addr);
	assert_names(inp, "::ffff:10.0.0.1", "::ffff:10.0.0.9");
	assert_null(find4("127.0.0.1"));
	assert_null(find6("::1"));
	in_pcbdisconnect(inp);
	assert_names(inp, "::", "::");
	assert_ptr_equal(find4("127.0.0.1"), inp);
	assert_int_equal(connect_to(inp, "fd00::9", 7), 0);
	assert_names(inp, "fd00::1", "fd00::9");
	assert_null(find4("127.0.0.1"));
	in_pcbdisconnect(inp);
	assert_int_equal(in_pcbconnect(inp, &sin.sa), 0); /* datagrams: a sockaddr_in will do */
	assert_names(inp, "::ffff:10.0.0.1", "::ffff:10.0.0.9");
	in_pcbdisconnect(inp);
	assert_int_equal(connect_to(inp, "::", 7), 0);
	assert_names(inp, "::1", "::1");
	in_pcbdisconnect(inp);
	assert_int_equal(connect_to(inp, "::ffff:0.0.0.0", 7), 0);
	assert_names(inp, "::ffff:127.0.0.1", "::ffff:127.0.0.1");
	in_pcbfree(inp);
	pcb_end(ns);
}

/* Errors as Linux 6.18 gives them. */
static void
test_connect_errors(void **state)
{
	struct netstack *ns = pcb_stack();
	union bsd_sockaddr_any sin = name("10.0.0.9", 7, 0);
	struct socket s1, s2, s3;
	struct inpcb *one = pcb(ns, &s1, &six_dgram), *two = pcb(ns, &s2, &six_stream);
	struct inpcb *any = pcb(ns, &s3, &six_stream);

	(void)state;
	assert_int_equal(bind_to(one, "::1", 80), 0);
	assert_int_equal(connect_to(one, "::ffff:127.0.0.1", 7), BSD_ENETUNREACH);
	assert_int_equal(connect_to(one, "::1", 7), 0);
	in_pcbdisconnect(one);
	assert_names(one, "::1", "::");
	assert_int_equal(connect_to(one, "::ffff:127.0.0.1", 7), BSD_ENETUNREACH);

	assert_int_equal(bind_to(two, "::ffff:127.0.0.1", 80), 0);
	assert_int_equal(connect_to(two, "::1", 7), BSD_EAFNOSUPPORT);
	assert_int_equal(in_pcbconnect(two, &sin.sa), BSD_EINVAL);
	assert_int_equal(connect_to(two, "::", 7), 0);
	assert_names(two, "::ffff:127.0.0.1", "::ffff:127.0.0.1");
	in_pcbdisconnect(two);
	assert_int_equal(connect_to(two, "::1", 7), BSD_EAFNOSUPPORT);

	assert_int_equal(bind_to(any, "::ffff:0.0.0.0", 81), 0);
	assert_names(any, "::ffff:0.0.0.0", "::ffff:0.0.0.0");
	assert_int_equal(connect_to(any, "fd00::9", 7), BSD_EAFNOSUPPORT);
	assert_int_equal(connect_to(any, "::ffff:10.0.0.9", 7), 0);
	in_pcbdisconnect(any);
	assert_int_equal(any->inp_flags & INP_DUAL, 0);
	in_pcbfree(one);
	in_pcbfree(two);
	in_pcbfree(any);
	pcb_end(ns);
}

/* An address of one link needs to be told which, by its scope or the interface it is bound to. */
static void
test_missing_scope(void **state)
{
	struct netstack *ns = pcb_stack();
	union bsd_sockaddr_any nam;
	struct socket so;
	struct inpcb *inp = pcb(ns, &so, &six_dgram);

	(void)state;
	assert_int_equal(connect_to(inp, "fe80::9", 7), BSD_EINVAL);
	assert_int_equal(bind_to(inp, "fe80::9", 7), BSD_EINVAL);
	nam = name("fe80::9", 7, ti.ti_if.if_index);
	assert_int_equal(in_pcbconnect(inp, &nam.sa), 0);
	in_pcb_peeraddr(inp, &nam);
	assert_int_equal(nam.sin6.sin6_scope_id, ti.ti_if.if_index);
	in_pcb_sockaddr(inp, &nam);
	assert_int_equal(nam.sin6.sin6_scope_id, ti.ti_if.if_index);
	in_pcbdisconnect(inp);
	inp->inp_boundif = (uint16_t)ti.ti_if.if_index;
	assert_int_equal(connect_to(inp, "fe80::9", 7), 0);
	in_pcbfree(inp);
	pcb_end(ns);
}

static int
send_piece(struct socket *so, const char *to, int flags)
{
	struct mbuf *m = m_gethdr(so->so_ns, MT_DATA);
	union bsd_sockaddr_any nam = name(to, 9, 0);

	assert_int_equal(m_append(m, 2, "ab"), 0);
	return so->so_proto->pr_usrreqs->pr_send(so, flags, m, &nam.sa, NULL);
}

/* A datagram that is begun to one family and ends when the socket speaks the other keeps to its own. */
static void
test_pieces_across_families(void **state)
{
	struct netstack *ns = pcb_stack();
	union bsd_sockaddr_any nam = name("fd00::1", 7, 0), from;
	struct socket *so = NULL, *rcv = test_udpsocket(ns);
	uint8_t buf[8];
	size_t len = sizeof(buf);

	(void)state;
	assert_int_equal(socreate(ns, BSD_AF_INET6, BSD_SOCK_DGRAM, 0, &so), 0);
	from = test_sin(0, 9);
	assert_int_equal(sobind(rcv, &from.sa), 0);
	assert_int_equal(send_piece(so, "::ffff:127.0.0.1", PRUS_MORETOCOME), 0);
	assert_int_equal(soconnect(so, &nam.sa), 0);
	assert_int_equal(send_piece(so, "::ffff:127.0.0.1", 0), 0);
	netstack_run(ns);
	assert_int_equal(test_udprecv(rcv, &from, buf, &len), 0);
	assert_int_equal(len, 4);
	assert_int_equal(from.sin.sin_addr.s_addr, ipv4_addr_be(127, 0, 0, 1));
	assert_int_equal(soclose(so), 0);
	assert_int_equal(soclose(rcv), 0);
	pcb_end(ns);
}

static void
test_options(void **state)
{
	static const struct {
		int opt, set, error, get;
	} cases[] = {
	    {BSD_IPV6_UNICAST_HOPS, 7, 0, 7},
	    {BSD_IPV6_UNICAST_HOPS, 256, BSD_EINVAL, 7},
	    {BSD_IPV6_UNICAST_HOPS, -2, BSD_EINVAL, 7},
	    {BSD_IPV6_UNICAST_HOPS, -1, 0, 64},
	    {BSD_IPV6_MULTICAST_HOPS, 0, 0, 0},
	    {BSD_IPV6_MULTICAST_HOPS, -1, 0, 1},
	    {BSD_IPV6_MULTICAST_LOOP, 2, BSD_EINVAL, 1},
	    {BSD_IPV6_MULTICAST_LOOP, 0, 0, 0},
	    {BSD_IPV6_MULTICAST_IF, 99, BSD_ENODEV, 0},
	    {BSD_IPV6_TCLASS, 0xb9, 0, 0xb9},
	    {BSD_IPV6_TCLASS, -1, 0, 0},
	    {BSD_IPV6_TCLASS, 256, BSD_EINVAL, 0},
	    {BSD_IPV6_MINHOPCOUNT, 255, 0, 255},
	    {BSD_IPV6_MINHOPCOUNT, -1, BSD_EINVAL, 255},
	    {BSD_IPV6_MTU_DISCOVER, BSD_IP_PMTUDISC_DO, 0, BSD_IP_PMTUDISC_DO},
	    {BSD_IPV6_MTU_DISCOVER, BSD_IP_PMTUDISC_OMIT, 0, BSD_IP_PMTUDISC_OMIT},
	    {BSD_IPV6_MTU_DISCOVER, 6, BSD_EINVAL, BSD_IP_PMTUDISC_OMIT},
	    {BSD_IPV6_RECVPKTINFO, 5, 0, 1},
	    {BSD_IPV6_DONTFRAG, 1, 0, 1},
	};
	struct netstack *ns = pcb_stack();
	struct socket s1, s2, s3;
	struct inpcb *inp = pcb(ns, &s1, &six_dgram), *stream = pcb(ns, &s2, &six_stream);
	struct inpcb *four = pcb(ns, &s3, &four_dgram);
	int value = -1;

	(void)state;
	for (unsigned i = 0; i < nitems(cases); i++) {
		assert_int_equal(setint(inp, BSD_IPPROTO_IPV6, cases[i].opt, cases[i].set),
		    cases[i].error);
		assert_int_equal(getint(inp, cases[i].opt, &value), 0);
		if (value != cases[i].get)
			fail_msg("case %u: %d", i, value);
	}
	assert_int_equal(setint(inp, BSD_IPPROTO_IPV6, 12345, 1), BSD_ENOPROTOOPT);
	assert_int_equal(setint(inp, BSD_IPPROTO_IPV6, BSD_IPV6_MTU, 100), BSD_EINVAL);
	assert_int_equal(getint(inp, BSD_IPV6_MTU, &value), BSD_ENOTCONN);
	assert_int_equal(setint(inp, BSD_IPPROTO_IP, BSD_IP_TTL, 9), 0);
	assert_int_equal(inp->inp_ttl, 9);
	assert_int_equal(setint(four, BSD_IPPROTO_IPV6, BSD_IPV6_TCLASS, 1), BSD_ENOPROTOOPT);
	assert_int_equal(setint(stream, BSD_IPPROTO_IPV6, BSD_IPV6_TCLASS, 0xbb), 0);
	assert_int_equal(stream->in6p_tclass, 0xb8);
	assert_int_equal(setint(stream, BSD_IPPROTO_IPV6, BSD_IPV6_MULTICAST_HOPS, 1),
	    BSD_ENOPROTOOPT);
	assert_int_equal(setint(stream, BSD_IPPROTO_IPV6, BSD_IPV6_RECVPKTINFO, 1),
	    BSD_ENOPROTOOPT);
	in_dgram_detach(&s1);
	in_pcbfree(stream);
	in_pcbfree(four);
	pcb_end(ns);
}

/* Reads the message of a kind out of m. => its length, 0: there is none */
static size_t
told(const struct mbuf *m, int level, int type, void *data)
{
	struct bsd_cmsghdr cm;

	for (size_t at = 0; at < m->m_len; at += BSD_CMSG_ALIGN(cm.cmsg_len)) {
		memcpy(&cm, m->m_data + at, sizeof(cm));
		if (cm.cmsg_level != level || cm.cmsg_type != type)
			continue;
		memcpy(data, m->m_data + at + BSD_CMSG_LEN(0), cm.cmsg_len - BSD_CMSG_LEN(0));
		return cm.cmsg_len - BSD_CMSG_LEN(0);
	}
	return 0;
}

/* Of a packet of IPv6 all that is asked for; of one of IPv4 its own, and the address mapped. */
static void
test_received_control(void **state)
{
	struct netstack *ns = pcb_stack();
	struct in_rxinfo rx = {.rx_af = &in6_afops,
	    .rx_ifp = &ti.ti_if,
	    .rx_dst = six("fe80:2::1"), /* with the scope inside */
	    .rx_ttl = 77,
	    .rx_tos = 0xb9};
	const struct in_addrany linklocal = six("fe80::1"), mapped = six("::ffff:10.0.0.1");
	struct socket so;
	struct inpcb *inp = pcb(ns, &so, &six_dgram);
	struct bsd_in6_pktinfo pi;
	struct mbuf *m;
	uint8_t byte;
	int value;

	(void)state;
	assert_int_equal(in_pcb_savecontrol(inp, &rx, &m), 0);
	assert_null(m);
	assert_int_equal(setint(inp, BSD_IPPROTO_IPV6, BSD_IPV6_RECVPKTINFO, 1), 0);
	assert_int_equal(setint(inp, BSD_IPPROTO_IPV6, BSD_IPV6_RECVHOPLIMIT, 1), 0);
	assert_int_equal(setint(inp, BSD_IPPROTO_IPV6, BSD_IPV6_RECVTCLASS, 1), 0);
	assert_int_equal(setint(inp, BSD_IPPROTO_IP, BSD_IP_RECVTTL, 1), 0);
	assert_int_equal(in_pcb_savecontrol(inp, &rx, &m), 0);
	assert_int_equal(told(m, BSD_IPPROTO_IPV6, BSD_IPV6_PKTINFO, &pi), sizeof(pi));
	assert_memory_equal(&pi.ipi6_addr, &linklocal, 16);
	assert_int_equal(pi.ipi6_ifindex, ti.ti_if.if_index);
	assert_int_equal(told(m, BSD_IPPROTO_IPV6, BSD_IPV6_HOPLIMIT, &value), sizeof(value));
	assert_int_equal(value, 77);
	assert_int_equal(told(m, BSD_IPPROTO_IPV6, BSD_IPV6_TCLASS, &value), sizeof(value));
	assert_int_equal(value, 0xb9);
	assert_int_equal(told(m, BSD_IPPROTO_IP, BSD_IP_RECVTTL, &byte), 0);
	m_freem(m);
	rx.rx_af = &in4_afops;
	rx.rx_dst = in4_any(US);
	assert_int_equal(in_pcb_savecontrol(inp, &rx, &m), 0);
	assert_int_equal(told(m, BSD_IPPROTO_IPV6, BSD_IPV6_PKTINFO, &pi), sizeof(pi));
	assert_memory_equal(&pi.ipi6_addr, &mapped, 16);
	assert_int_equal(told(m, BSD_IPPROTO_IPV6, BSD_IPV6_HOPLIMIT, &value), 0);
	assert_int_equal(told(m, BSD_IPPROTO_IP, BSD_IP_RECVTTL, &byte), 1);
	assert_int_equal(byte, 77);
	m_freem(m);
	in_pcbfree(inp);
	pcb_end(ns);
}

static int
ask(const struct inpcb *inp, struct in_txinfo *tx, int level, int type, const void *data,
    size_t len)
{
	struct mbuf *m = m_get(inp->inp_ns, MT_CONTROL);
	int error;

	in_cmsg_put(m, level, type, data, len);
	error = in_pcb_txcontrol(inp, m, tx);
	m_freem(m);
	return error;
}

static void
test_sent_control(void **state)
{
	struct netstack *ns = pcb_stack();
	struct in_addrany us = six("fd00::1"), other = six("fd00::2");
	struct in_addrany mapped = six("::ffff:10.0.0.1"), four = in4_any(US);
	struct bsd_in6_pktinfo pi = {.ipi6_ifindex = ti.ti_if.if_index};
	struct socket so;
	struct inpcb *inp = pcb(ns, &so, &six_dgram);
	struct in_txinfo tx;
	int value = 9;

	(void)state;
	in_pcb_txinfo(inp, &in6_afops, BSD_IPPROTO_UDP, &tx);
	memcpy(&pi.ipi6_addr, &us, 16);
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_PKTINFO, &pi, sizeof(pi)), 0);
	assert_true(in_addrany_eq(&tx.tx_src, &us));
	assert_ptr_equal(tx.tx_ifp, &ti.ti_if);
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_HOPLIMIT, &value, sizeof(value)), 0);
	assert_int_equal(tx.tx_ttl, 9);
	value = 0xb8;
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_TCLASS, &value, sizeof(value)), 0);
	assert_int_equal(tx.tx_tos, 0xb8);
	value = 256;
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_TCLASS, &value, sizeof(value)), BSD_EINVAL);
	value = 3;
	assert_int_equal(ask(inp, &tx, 0, BSD_IP_TTL, &value, sizeof(value)), 0);
	assert_int_equal(tx.tx_ttl, 9); /* it is about packets of IPv4 */
	memcpy(&pi.ipi6_addr, &other, 16);
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_PKTINFO, &pi, sizeof(pi)), BSD_EINVAL);
	pi.ipi6_ifindex = 99;
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_PKTINFO, &pi, sizeof(pi)), BSD_ENODEV);
	pi.ipi6_ifindex = 0;
	memcpy(&pi.ipi6_addr, &mapped, 16);
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_PKTINFO, &pi, sizeof(pi)), BSD_EINVAL);
	in_pcb_txinfo(inp, &in4_afops, BSD_IPPROTO_UDP, &tx);
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_PKTINFO, &pi, sizeof(pi)), 0);
	assert_true(in_addrany_eq(&tx.tx_src, &four));
	value = 9;
	assert_int_equal(ask(inp, &tx, 0, BSD_IP_TTL, &value, sizeof(value)), 0);
	assert_int_equal(tx.tx_ttl, 9);
	value = 3;
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_HOPLIMIT, &value, sizeof(value)), 0);
	assert_int_equal(tx.tx_ttl, 9);
	in_pcbfree(inp);
	pcb_end(ns);
}

static int
set_pktinfo(struct inpcb *inp, const char *addr, uint32_t ifindex)
{
	const struct in_addrany a = six(addr);
	struct bsd_in6_pktinfo pi = {.ipi6_ifindex = ifindex};
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_IPV6,
	    .sopt_name = BSD_IPV6_PKTINFO,
	    .sopt_size = sizeof(pi)};

	memcpy(&pi.ipi6_addr, &a, sizeof(a));
	memcpy(sopt.sopt_data, &pi, sizeof(pi));
	return in_pcb_ctloutput(inp, &sopt);
}

/* IPV6_PKTINFO as an option: for datagrams of IPv6 that do not say themselves, and for connections. */
static void
test_sticky_pktinfo(void **state)
{
	struct netstack *ns = pcb_stack();
	const uint32_t loop = if_loop(ns)->if_index, link = ti.ti_if.if_index;
	const struct in_addrany us = six("fd00::1"), second = six("fd01::1");
	struct socket s1, s2;
	struct inpcb *inp = pcb(ns, &s1, &six_dgram), *stream = pcb(ns, &s2, &six_stream);
	const struct bsd_in6_pktinfo none = {0};
	struct in_txinfo tx;
	int value;

	(void)state;
	assert_int_equal(in6_control_addr(ns, &ti.ti_if, second.ia_w, 64), 0);
	assert_int_equal(setint(inp, BSD_IPPROTO_IPV6, BSD_IPV6_PKTINFO, 0), BSD_EINVAL);
	assert_int_equal(set_pktinfo(inp, "fd00::2", 0), BSD_EADDRNOTAVAIL);
	assert_int_equal(set_pktinfo(inp, "::ffff:10.0.0.1", 0), BSD_EADDRNOTAVAIL);
	assert_int_equal(set_pktinfo(inp, "fe80::77", link), BSD_EADDRNOTAVAIL);
	assert_int_equal(set_pktinfo(inp, "::", 99), BSD_ENXIO);
	assert_int_equal(set_pktinfo(stream, "::", 0), BSD_ENOPROTOOPT);
	assert_int_equal(getint(inp, BSD_IPV6_PKTINFO, &value), BSD_ENOPROTOOPT);
	assert_int_equal(set_pktinfo(inp, "fd01::1", link), 0);
	in_pcb_txinfo(inp, &in6_afops, BSD_IPPROTO_UDP, &tx);
	assert_int_equal(in_pcb_txcontrol(inp, NULL, &tx), 0);
	assert_true(in_addrany_eq(&tx.tx_src, &second));
	assert_ptr_equal(tx.tx_ifp, &ti.ti_if);
	in_pcb_txinfo(inp, &in6_afops, BSD_IPPROTO_UDP, &tx);
	assert_int_equal(ask(inp, &tx, 41, BSD_IPV6_PKTINFO, &none, sizeof(none)), 0);
	assert_true(in_addrany_isany(&tx.tx_src));
	assert_null(tx.tx_ifp);
	in_pcb_txinfo(inp, &in4_afops, BSD_IPPROTO_UDP, &tx);
	assert_int_equal(in_pcb_txcontrol(inp, NULL, &tx), 0);
	assert_null(tx.tx_ifp);
	/* The peer answers to where datagrams come from. */
	assert_int_equal(set_pktinfo(inp, "fd01::1", 0), 0);
	assert_int_equal(connect_to(inp, "fd00::9", 80), 0);
	assert_true(in_addrany_eq(&inp->inp_laddr, &second));
	in_pcbdisconnect(inp);
	assert_int_equal(set_pktinfo(inp, "::", 0), 0);
	assert_int_equal(connect_to(inp, "fd00::9", 80), 0);
	assert_true(in_addrany_eq(&inp->inp_laddr, &us));
	inp->inp_boundif = (uint16_t)link;
	assert_int_equal(set_pktinfo(inp, "::", loop), BSD_EINVAL);
	assert_int_equal(set_pktinfo(inp, "::", 0), BSD_EINVAL);
	assert_int_equal(set_pktinfo(inp, "::", link), 0);
	in_pcbfree(stream);
	in_dgram_detach(&s1);
	pcb_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scopes),
	    cmocka_unit_test(test_bind_matrix),
	    cmocka_unit_test(test_v6only),
	    cmocka_unit_test(test_lookup),
	    cmocka_unit_test(test_connect),
	    cmocka_unit_test(test_connect_errors),
	    cmocka_unit_test(test_missing_scope),
	    cmocka_unit_test(test_pieces_across_families),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_received_control),
	    cmocka_unit_test(test_sent_control),
	    cmocka_unit_test(test_sticky_pktinfo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
