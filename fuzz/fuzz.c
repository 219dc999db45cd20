/* SPDX-License-Identifier: BSD-2-Clause */
/* Inputs, stacks and interfaces of the fuzz targets: see fuzz.h. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "netinet/in_var.h"
#include "netinet6/in6_var.h"
#include "netinet/ip_var.h"
#include "netinet/tcp_inspect.h"
#include "netinet/tcp_var.h"
#include "wire/be.h"
#include "wire/ipv4.h"

#define FUZZ_TURNS_MAX 1000000u
#define FUZZ_REST_NS (4 * 3600 * NSEC_PER_SEC) /* the longest that anything may live on */

void
fuzz_failed(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

const uint8_t *
fuzz_bytes(struct fuzz_in *fi, size_t len, size_t *lenp)
{
	const uint8_t *p = fi->fi_p;

	*lenp = KERN_MIN(len, fi->fi_left);
	fi->fi_p += *lenp;
	fi->fi_left -= *lenp;
	return p;
}

void
fuzz_fill(struct fuzz_in *fi, void *buf, size_t len)
{
	size_t n;
	const uint8_t *p = fuzz_bytes(fi, len, &n);

	memset(buf, 0, len);
	if (n > 0)
		memcpy(buf, p, n);
}

uint8_t
fuzz_u8(struct fuzz_in *fi)
{
	uint8_t v;

	fuzz_fill(fi, &v, sizeof(v));
	return v;
}

uint16_t
fuzz_u16(struct fuzz_in *fi)
{
	uint16_t v;

	fuzz_fill(fi, &v, sizeof(v));
	return v;
}

uint32_t
fuzz_u32(struct fuzz_in *fi)
{
	uint32_t v;

	fuzz_fill(fi, &v, sizeof(v));
	return v;
}

uint64_t
fuzz_u64(struct fuzz_in *fi)
{
	uint64_t v;

	fuzz_fill(fi, &v, sizeof(v));
	return v;
}

uint64_t
fuzz_delay_ns(struct fuzz_in *fi)
{
	static const uint64_t delays_ms[] = {0, 1, 10, 100, 250, 500, 1000, 3000, 15000, 31000,
	    61000, 125000, 600000, 1800000, 7200000, 7300000};

	return delays_ms[fuzz_u8(fi) % nitems(delays_ms)] * NSEC_PER_MSEC;
}

struct netstack *
fuzz_stack(void)
{
	static const struct domain *const domains[] = {&inetdomain, &inet6domain, NULL};
	struct netstack_config nc = {
	    .nc_seed = {1, 2, 3},
	    .nc_now_ns = NSEC_PER_SEC,
	    .nc_domains = domains,
	    .nc_nmbufs = 2048,
	    .nc_nclusters = 512,
	    .nc_njumbos = 4,
	    .nc_maxsockets = 64,
	    .nc_maxlwps = 32,
	    .nc_maxprocs = 16,
	};
	struct netstack *ns = netstack_create(&nc);

	FUZZ_CHECK(ns != NULL);
	return ns;
}

void
fuzz_run_for(struct netstack *ns, uint64_t delay_ns)
{
	uint64_t end = ns->ns_now + delay_ns;
	unsigned turns = 0;
	uint64_t next;

	netstack_run(ns);
	while ((next = netstack_deadline(ns)) <= end) {
		netstack_enter(ns, next);
		netstack_run(ns);
		FUZZ_CHECK(++turns < FUZZ_TURNS_MAX);
	}
	netstack_enter(ns, end);
}

void
fuzz_check(const struct netstack *ns)
{
	const char *wrong = tcp_inspect_check_all(ns);
	const struct socket *so;

	if (wrong != NULL)
		fuzz_failed("tcp_inspect", 0, wrong);
	TAILQ_FOREACH(so, &ns->ns_sockets, so_list) {
		sb_sanity(&so->so_rcv);
		sb_sanity(&so->so_snd);
	}
}

static struct socket *
fuzz_firstopen(struct netstack *ns)
{
	struct socket *so;

	TAILQ_FOREACH(so, &ns->ns_sockets, so_list) {
		if ((so->so_state & SS_NOFDREF) == 0)
			return so;
	}
	return NULL;
}

static void
fuzz_pools_empty(const struct netstack *ns)
{
	const struct pool *const pools[] = {&ns->ns_mbpool, &ns->ns_mcl2pool, &ns->ns_mcl4pool,
	    &ns->ns_mjpool, &ns->ns_socketpool, &ns->ns_filepool, &ns->ns_procpool,
	    &ns->ns_tcp->tcps_tcpcbpool, &ns->ns_tcp->tcps_reasspool, &ns->ns_tcp->tcps_reassqpool,
	    &ns->ns_tcp->tcps_undopool, &ns->ns_tcp->tcps_timewait.tws_pool,
	    &ns->ns_tcp->tcps_table.it_pool};

	for (size_t i = 0; i < nitems(pools); i++) {
		if (pools[i]->pl_nout != 0)
			fuzz_failed("left over in pool", (int)pools[i]->pl_nout, pools[i]->pl_name);
	}
}

void
fuzz_stack_end(struct netstack *ns)
{
	struct socket *so;

	while ((so = fuzz_firstopen(ns)) != NULL)
		(void)soclose(so);
	fuzz_run_for(ns, FUZZ_REST_NS);
	FUZZ_CHECK(ns->ns_inet->is_reass.ipr_count == 0 && ns->ns_inet->is_reass.ipr_bytes == 0);
	fuzz_pools_empty(ns);
	netstack_destroy(ns);
}

void
fuzz_station(uint8_t mac[6], uint8_t station)
{
	memset(mac, 0, 6);
	mac[0] = 2;
	mac[5] = station;
}

static int
fuzz_if_start(struct ifnet *ifp, struct mbuf *m)
{
	struct fuzz_if *fz = ifp->if_softc;
	size_t len = m->m_pkthdr.len;
	uint8_t frame[FUZZ_FRAME_MAX];

	m_sanity(m);
	FUZZ_CHECK(len <= ifp->if_mtu + 14u && len >= 60);
	m_copydata(m, 0, len, frame);
	m_freem(m);
	if (fz->fz_sent != NULL)
		fz->fz_sent(fz, frame, len);
	return 0;
}

void
fuzz_if_attach(struct fuzz_if *fz, struct netstack *ns, uint8_t station)
{
	uint8_t mac[6];

	memset(&fz->fz_if, 0, sizeof(fz->fz_if));
	memcpy(fz->fz_if.if_xname, "fuzz0", 6);
	fz->fz_if.if_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST;
	fz->fz_if.if_mtu = 1500;
	fz->fz_if.if_start = fuzz_if_start;
	fz->fz_if.if_softc = fz;
	fuzz_station(mac, station);
	FUZZ_CHECK(if_attach(ns, &fz->fz_if) == 0);
	FUZZ_CHECK(ether_ifattach(&fz->fz_if, mac) == 0);
	FUZZ_CHECK(in_control_addr(ns, &fz->fz_if, ipv4_addr_be(10, 0, 0, station), 24) == 0);
	fuzz_run_for(ns, 10 * NSEC_PER_SEC); /* its claim to the address */
}

void
fuzz_if_neighbour(struct fuzz_if *fz, uint8_t station)
{
	uint8_t mac[6];

	fuzz_station(mac, station);
	FUZZ_CHECK(in_neigh_add(&fz->fz_if, ipv4_addr_be(10, 0, 0, station), mac) == 0);
}

void
fuzz_if_input(struct fuzz_if *fz, const void *frame, size_t len)
{
	struct mbuf *m = m_getm(fz->fz_if.if_ns, KERN_MAX(len, 1u));

	if (m == NULL)
		return;
	if (m_append(m, len, frame) != 0) {
		m_freem(m);
		return;
	}
	m->m_pkthdr.rcvif = &fz->fz_if;
	m_sanity(m);
	fz->fz_if.if_input(&fz->fz_if, m);
}

static struct uio
fuzz_uio(struct socket *so, struct vmspace *vm, struct bsd_iovec *iov, enum uio_rw rw)
{
	*vm = (struct vmspace){.vm_engine = &copy_engine_direct, .vm_ns = so->so_ns};
	return (struct uio){.uio_iov = iov,
	    .uio_iovcnt = 1,
	    .uio_resid = iov->iov_len,
	    .uio_rw = rw,
	    .uio_vm = vm};
}

size_t
fuzz_write(struct socket *so, const struct bsd_sockaddr *to, const void *buf, size_t len, int flags)
{
	struct bsd_iovec iov = {.iov_base = (uint64_t)(uintptr_t)buf, .iov_len = len};
	struct vmspace vm;
	struct uio uio = fuzz_uio(so, &vm, &iov, UIO_WRITE);

	if (sosend(so, to, &uio, NULL, NULL, flags | BSD_MSG_DONTWAIT) != 0)
		return 0;
	return len - (size_t)uio.uio_resid;
}

size_t
fuzz_read(struct socket *so, void *buf, size_t len, int flags)
{
	struct bsd_iovec iov = {.iov_base = (uint64_t)(uintptr_t)buf, .iov_len = len};
	union bsd_sockaddr_any from;
	struct vmspace vm;
	struct uio uio = fuzz_uio(so, &vm, &iov, UIO_READ);

	flags |= BSD_MSG_DONTWAIT;
	if (soreceive(so, &from, &uio, NULL, NULL, &flags) != 0)
		return 0;
	return len - (size_t)uio.uio_resid;
}

union bsd_sockaddr_any
fuzz_sin(uint32_t addr_be, uint16_t port)
{
	union bsd_sockaddr_any nam;

	memset(&nam, 0, sizeof(nam));
	nam.sin.sin_len = sizeof(nam.sin);
	nam.sin.sin_family = BSD_AF_INET;
	nam.sin.sin_port = htobe16(port);
	nam.sin.sin_addr.s_addr = addr_be;
	return nam;
}
