/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP over the real IPv4: through the loopback interface, and between two stacks over ethernet with
 * ARP, segmentation in software and lost frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/protosw.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "netinet/in_var.h"
#include "netinet/tcp_var.h"
#include "wire/be.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

#define SEC_NS 1000000000ull
#define STEP_NS 1000000ull /* the wire's delay */
#define PORT 4321
#define TOTAL 1500000u

/* One end of the cable: frames sent here come in at the other. */
struct end {
	struct ifnet e_if;
	struct netstack *e_ns;
	struct mbufq e_q;
	unsigned e_n;
	unsigned e_lose;    /* each n-th frame is lost; 0: none */
	uint32_t e_pathmtu; /* longer packets are lost, and nobody is told; 0: none are */
	unsigned e_toolong;
	unsigned e_nodf; /* TCP's packets without DF */
};

static bool
end_passes(struct end *e, const struct mbuf *m)
{
	uint8_t frame[ETHER_HDR_LEN + IPV4_HDR_LEN];
	struct ipv4_hdr ip;

	m_copydata(m, 0, KERN_MIN(m->m_pkthdr.len, sizeof(frame)), frame);
	if (ipv4_parse_partial(frame + ETHER_HDR_LEN, IPV4_HDR_LEN, m->m_pkthdr.len - ETHER_HDR_LEN,
		&ip) == IPV4_PARSE_OK &&
	    ip.ip_p == IPV4_PROTO_TCP && !ip.ip_df)
		e->e_nodf++;
	if (e->e_pathmtu == 0 || m->m_pkthdr.len <= e->e_pathmtu + ETHER_HDR_LEN)
		return true;
	e->e_toolong++;
	return false;
}

static int
end_start(struct ifnet *ifp, struct mbuf *m)
{
	struct end *e = ifp->if_softc;

	assert_true(m->m_pkthdr.len <= 1514);
	assert_int_equal(m->m_pkthdr.csum_flags & (M_CSUM_NEEDED | M_CSUM_TSO), 0);
	if (!end_passes(e, m) || (e->e_lose != 0 && ++e->e_n % e->e_lose == 0))
		m_freem(m);
	else if (!mbufq_enqueue(&e->e_q, m))
		return BSD_ENOBUFS;
	return 0;
}

static struct netstack *
stack_start(void)
{
	static const struct domain *const domains[] = {&inetdomain, NULL};
	struct netstack_config nc = {.nc_now_ns = SEC_NS, .nc_domains = domains};
	struct netstack *ns = netstack_create(&nc);

	assert_non_null(ns);
	return ns;
}

static void
end_join(struct end *e, struct netstack *ns, uint8_t station, unsigned prefixlen)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, station};

	*e = (struct end){.e_ns = ns};
	mbufq_init(&e->e_q, 4096);
	memcpy(e->e_if.if_xname, "cable0", 7);
	e->e_if.if_xname[5] = (char)('0' + station);
	e->e_if.if_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST;
	e->e_if.if_mtu = 1500;
	e->e_if.if_start = end_start;
	e->e_if.if_softc = e;
	assert_int_equal(if_attach(e->e_ns, &e->e_if), 0);
	assert_int_equal(ether_ifattach(&e->e_if, mac), 0);
	assert_int_equal(in_control_addr(e->e_ns, &e->e_if, ipv4_addr_be(10, 0, 0, station),
			     prefixlen),
	    0);
}

static void
end_attach(struct end *e, uint8_t station)
{
	end_join(e, stack_start(), station, 24);
}

static void
end_detach(struct end *e)
{
	ether_ifdetach(&e->e_if);
	if_detach(&e->e_if);
	mbufq_drain(&e->e_q);
}

/* A copy into the other stack's memory: the ends share none. */
static void
end_receive(struct end *to, struct mbuf *m)
{
	static uint8_t frame[2048];
	uint32_t len = m->m_pkthdr.len;
	struct mbuf *n;

	m_copydata(m, 0, len, frame);
	m_freem(m);
	n = m_getm(to->e_ns, len);
	assert_non_null(n);
	assert_int_equal(m_append(n, len, frame), 0);
	n->m_pkthdr.rcvif = &to->e_if;
	to->e_if.if_input(&to->e_if, n);
}

static void
ends_step(struct end e[2])
{
	uint32_t n[2] = {e[0].e_q.mq_len, e[1].e_q.mq_len};
	uint64_t now = e[0].e_ns->ns_now + STEP_NS;

	for (unsigned i = 0; i < 2; i++)
		netstack_enter(e[i].e_ns, now);
	for (unsigned i = 0; i < 2; i++) {
		while (n[i]-- > 0)
			end_receive(&e[1 - i], mbufq_dequeue(&e[i].e_q));
	}
	for (unsigned i = 0; i < 2; i++)
		netstack_run(e[i].e_ns);
}

/* Closes a connection, its end first that was opened here, and both stacks. */
static void
ends_close(struct end e[2], struct socket *so, struct socket *peer, struct socket *head)
{
	(void)soclose(so);
	for (unsigned i = 0; i < 20; i++)
		ends_step(e);
	(void)soclose(peer);
	(void)soclose(head);
	for (unsigned i = 0; i < 100000; i++)
		ends_step(e);
	for (unsigned i = 0; i < 2; i++) {
		end_detach(&e[i]);
		test_netstack_end(e[i].e_ns);
	}
}

/* -- a stream -------------------------------------------------------------------------------- */

static uint8_t
byte_at(uint32_t off)
{
	return (uint8_t)(off * 2654435761u >> 24);
}

static uint32_t
pump_in(struct socket *so, uint32_t sent)
{
	static uint8_t buf[16384];
	struct bsd_iovec iov = {.iov_base = (uint64_t)(uintptr_t)buf};
	struct vmspace vm = {.vm_engine = &copy_engine_direct, .vm_ns = so->so_ns};

	for (;;) {
		uint32_t n = KERN_MIN(TOTAL - sent, (uint32_t)sizeof(buf));
		struct uio uio = {.uio_iov = &iov,
		    .uio_iovcnt = 1,
		    .uio_resid = n,
		    .uio_rw = UIO_WRITE,
		    .uio_vm = &vm};

		for (uint32_t i = 0; i < n; i++)
			buf[i] = byte_at(sent + i);
		iov.iov_len = n;
		if (n == 0 || sosend(so, NULL, &uio, NULL, NULL, BSD_MSG_DONTWAIT) != 0)
			return sent;
		sent += n - (uint32_t)uio.uio_resid;
	}
}

static uint32_t
pump_out(struct socket *so, uint32_t got)
{
	static uint8_t buf[16384];
	struct bsd_iovec iov = {.iov_base = (uint64_t)(uintptr_t)buf, .iov_len = sizeof(buf)};
	struct vmspace vm = {.vm_engine = &copy_engine_direct, .vm_ns = so->so_ns};

	for (;;) {
		struct uio uio = {.uio_iov = &iov,
		    .uio_iovcnt = 1,
		    .uio_resid = sizeof(buf),
		    .uio_rw = UIO_READ,
		    .uio_vm = &vm};
		int flags = BSD_MSG_DONTWAIT;

		if (soreceive(so, NULL, &uio, NULL, NULL, &flags) != 0 ||
		    uio.uio_resid == sizeof(buf))
			return got;
		for (uint32_t i = 0; i < sizeof(buf) - uio.uio_resid; i++)
			assert_int_equal(buf[i], byte_at(got + i));
		got += (uint32_t)(sizeof(buf) - uio.uio_resid);
	}
}

static union bsd_sockaddr_any
name(uint32_t addr_be)
{
	union bsd_sockaddr_any nam = {0};

	nam.sin.sin_len = sizeof(nam.sin);
	nam.sin.sin_family = BSD_AF_INET;
	nam.sin.sin_port = htobe16(PORT);
	nam.sin.sin_addr.s_addr = addr_be;
	return nam;
}

static struct socket *
listener(struct netstack *ns)
{
	union bsd_sockaddr_any any = name(0);
	struct socket *so;

	assert_int_equal(socreate(ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &so), 0);
	assert_int_equal(sobind(so, &any.sa), 0);
	assert_int_equal(solisten(so, 5), 0);
	return so;
}

static struct socket *
caller(struct netstack *ns, uint32_t addr_be)
{
	union bsd_sockaddr_any nam = name(addr_be);
	struct socket *so;

	assert_int_equal(socreate(ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &so), 0);
	assert_int_equal(soconnect(so, &nam.sa), 0);
	return so;
}

static void
test_loopback(void **state)
{
	struct netstack *ns = stack_start();
	struct socket *head = listener(ns), *so = caller(ns, ipv4_addr_be(127, 0, 0, 1)), *peer;
	uint32_t sent = 0, got = 0;

	(void)state;
	netstack_run(ns);
	assert_int_equal(soaccept(head, true, &peer, NULL), 0);
	for (unsigned i = 0; i < 20000 && got < TOTAL; i++) {
		sent = pump_in(so, sent);
		netstack_enter(ns, ns->ns_now + 100000);
		netstack_run(ns);
		got = pump_out(peer, got);
	}
	assert_int_equal(got, TOTAL);
	assert_int_equal(ns->ns_tcp->tcps_stat[TCPSTAT_rexmttimeo], 0);
	(void)soclose(so);
	netstack_run(ns);
	(void)soclose(peer);
	(void)soclose(head);
	test_run_for(ns, 100 * SEC_NS);
	test_netstack_end(ns);
}

static void
ethernet(struct end e[2], unsigned lose, uint32_t pathmtu)
{
	uint32_t sent = 0, got = 0;
	struct socket *head, *so, *peer = NULL;

	end_attach(&e[0], 1);
	end_attach(&e[1], 2);
	head = listener(e[1].e_ns);
	so = caller(e[0].e_ns, ipv4_addr_be(10, 0, 0, 2));
	for (unsigned i = 0; i < 100 && peer == NULL; i++) {
		ends_step(e);
		(void)soaccept(head, true, &peer, NULL);
	}
	assert_non_null(peer);
	e[0].e_lose = e[1].e_lose = lose;
	e[0].e_pathmtu = pathmtu;
	assert_int_equal(sysctl_set_u64(e[0].e_ns, "net.inet.tcp.pmtud_blackhole_detection", 1), 0);
	for (unsigned i = 0; i < 600000 && got < TOTAL; i++) {
		sent = pump_in(so, sent);
		ends_step(e);
		got = pump_out(peer, got);
	}
	assert_int_equal(got, TOTAL);
	e[0].e_lose = e[1].e_lose = 0;
	ends_close(e, so, peer, head);
}

static void
test_ethernet(void **state)
{
	struct end e[2];

	(void)state;
	ethernet(e, 0, 0);
	assert_int_equal(e[0].e_nodf, 0);
}

static void
test_ethernet_loss(void **state)
{
	struct end e[2];

	(void)state;
	ethernet(e, 100, 0);
	ethernet(e, 17, 0);
}

/*
 * RFC 8899 §4.3: a path that drops silently what is longer than it takes, after the handshake: what
 * one packet handed down stands for is cut at the new size, too. DF goes with the least size only.
 */
static void
test_blackhole(void **state)
{
	struct end e[2];

	(void)state;
	ethernet(e, 0, 1300);
	assert_true(e[0].e_toolong > 0 && e[0].e_toolong < 64);
	assert_int_equal(e[0].e_nodf, 0);
	ethernet(e, 0, 576);
	assert_true(e[0].e_toolong > 0 && e[0].e_toolong < 64);
	assert_true(e[0].e_nodf > TOTAL / 536);
}

/* As on Linux: an address that nobody answers for ends an attempt to connect. */
static void
test_silent_neighbour(void **state)
{
	struct socket *so;
	struct end e;

	(void)state;
	end_attach(&e, 1);
	e.e_lose = 1;
	for (unsigned i = 0; i < 2; i++) { /* the second time it is known to be silent */
		so = caller(e.e_ns, ipv4_addr_be(10, 0, 0, 2));
		test_run_for(e.e_ns, i == 0 ? 4900 * STEP_NS : 0);
		assert_int_equal(so->so_error, i == 0 ? 0 : BSD_EHOSTUNREACH);
		test_run_for(e.e_ns, 200 * STEP_NS);
		assert_int_equal(so->so_error, BSD_EHOSTUNREACH);
		(void)soclose(so);
	}
	ether_ifdetach(&e.e_if);
	if_detach(&e.e_if);
	test_netstack_end(e.e_ns);
}

/* A stack may end while connections are in TIME-WAIT. */
static void
test_end_in_timewait(void **state)
{
	struct netstack *ns = stack_start();
	struct socket *head = listener(ns), *so = caller(ns, ipv4_addr_be(127, 0, 0, 1)), *peer;

	(void)state;
	netstack_run(ns);
	assert_int_equal(soaccept(head, true, &peer, NULL), 0);
	(void)soclose(so);
	netstack_run(ns);
	(void)soclose(peer);
	(void)soclose(head);
	netstack_run(ns);
	assert_int_equal(ns->ns_tcp->tcps_tcpcbpool.pl_nout, 0);
	assert_int_equal(ns->ns_tcp->tcps_timewait.tws_count, 1);
	test_netstack_end(ns);
}

static int
bind_to(struct socket *so, const struct ifnet *ifp)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_BINDTOIFINDEX,
	    .sopt_size = sizeof(int)};

	memcpy(sopt.sopt_data, &ifp->if_index, sizeof(int));
	return sosetopt(so, &sopt);
}

/* A listener that is bound to an interface: who calls from there, and nobody else; so its children. */
static void
test_bound_to_interface(void **state)
{
	struct socket *head, *so, *inside, *peer = NULL;
	struct end e[2];

	(void)state;
	end_attach(&e[0], 1);
	end_attach(&e[1], 2);
	head = listener(e[1].e_ns);
	assert_int_equal(bind_to(head, &e[1].e_if), 0);
	so = caller(e[0].e_ns, ipv4_addr_be(10, 0, 0, 2));
	for (unsigned i = 0; i < 100 && peer == NULL; i++) {
		ends_step(e);
		(void)soaccept(head, true, &peer, NULL);
	}
	assert_non_null(peer);
	assert_int_equal(((struct inpcb *)peer->so_pcb)->inp_boundif, e[1].e_if.if_index);
	inside = caller(e[1].e_ns, ipv4_addr_be(127, 0, 0, 1));
	ends_step(e);
	assert_int_equal(inside->so_error, BSD_ECONNREFUSED);
	(void)soclose(inside);
	/* What an interface takes is asked again when a connection is bound to it. */
	assert_true(intotcpcb((struct inpcb *)so->so_pcb)->t_maxseg > 960);
	e[0].e_if.if_mtu = 1000;
	assert_int_equal(bind_to(so, &e[0].e_if), 0);
	assert_true(intotcpcb((struct inpcb *)so->so_pcb)->t_maxseg <= 960);
	ends_close(e, so, peer, head);
}

/* A connection of e[0] to e[1], bound to its interface, in TIME-WAIT. => the peer's FIN as it came */
static struct mbuf *
bound_in_timewait(struct end e[2])
{
	union bsd_sockaddr_any nam = name(ipv4_addr_be(10, 0, 0, 2));
	struct socket *head = listener(e[1].e_ns), *so, *peer = NULL;
	struct mbuf *fin;

	assert_int_equal(socreate(e[0].e_ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &so), 0);
	assert_int_equal(bind_to(so, &e[0].e_if), 0);
	assert_int_equal(soconnect(so, &nam.sa), 0);
	for (unsigned i = 0; i < 100 && peer == NULL; i++) {
		ends_step(e);
		(void)soaccept(head, true, &peer, NULL);
	}
	assert_non_null(peer);
	(void)soclose(so);
	for (unsigned i = 0; i < 1000; i++)
		ends_step(e);
	assert_int_equal(e[1].e_q.mq_len, 0);
	(void)soclose(peer);
	(void)soclose(head);
	netstack_run(e[1].e_ns);
	assert_int_equal(e[1].e_q.mq_len, 1);
	fin = mbufq_dequeue(&e[1].e_q);
	end_receive(&e[0], m_dup(fin));
	for (unsigned i = 0; i < 1000; i++)
		ends_step(e);
	assert_int_equal(e[0].e_ns->ns_tcp->tcps_timewait.tws_count, 1);
	return fin;
}

/*
 * What is left of a connection that was bound to an interface hears that one only, and answers by it
 * though the route leads elsewhere; a port is taken for that interface only.
 */
static void
test_timewait_bound_to_interface(void **state)
{
	union bsd_sockaddr_any nam = name(0);
	struct end e[2], other;
	struct mbuf *fin;
	struct socket *so;

	(void)state;
	end_attach(&e[0], 1);
	end_attach(&e[1], 2);
	end_join(&other, e[0].e_ns, 3, 29);
	fin = bound_in_timewait(e);
	end_receive(&e[0], m_dup(fin));
	assert_int_equal(e[0].e_q.mq_len, 1);
	for (unsigned i = 0; i < 1000; i++)
		ends_step(e);
	end_receive(&other, m_dup(fin));
	assert_int_equal(e[0].e_q.mq_len, 0);
	m_freem(fin);
	nam.sin.sin_port =
	    htobe16(e[0].e_ns->ns_tcp->tcps_timewait.tws_queue.tqh_first->tw_pair.ipr_lport);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(socreate(e[0].e_ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &so), 0);
		assert_int_equal(bind_to(so, i == 0 ? &e[0].e_if : &other.e_if), 0);
		assert_int_equal(sobind(so, &nam.sa), i == 0 ? BSD_EADDRINUSE : 0);
		(void)soclose(so);
	}
	netstack_run(e[0].e_ns);
	end_detach(&other);
	for (unsigned i = 0; i < 2; i++) {
		end_detach(&e[i]);
		test_netstack_end(e[i].e_ns);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_loopback),
	    cmocka_unit_test(test_ethernet),
	    cmocka_unit_test(test_ethernet_loss),
	    cmocka_unit_test(test_blackhole),
	    cmocka_unit_test(test_silent_neighbour),
	    cmocka_unit_test(test_end_in_timewait),
	    cmocka_unit_test(test_bound_to_interface),
	    cmocka_unit_test(test_timewait_bound_to_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
