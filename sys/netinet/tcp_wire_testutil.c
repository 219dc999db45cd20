/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire of tcp_wire_testutil.h. One wire at a time: tests run one after the other. */
#include "netinet/tcp_wire_testutil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/mbuf.h"
#include "kern/protosw.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"
#include "net/if.h"
#include "wire/be.h"
#include "wire/cksum.h"

#define WIRE_HDR 20u /* bytes that stand for a network header */

static struct wire *the_wire;
static struct ifnet the_if[2];

static unsigned
side_of(const struct netstack *ns)
{
	return ns == the_wire->w_ns[1];
}

uint32_t
wire_rand(struct wire *w)
{
	w->w_seed ^= w->w_seed << 13;
	w->w_seed ^= w->w_seed >> 7;
	w->w_seed ^= w->w_seed << 17;
	return (uint32_t)(w->w_seed >> 24);
}

static bool
chance(struct wire *w, unsigned permille)
{
	return permille != 0 && wire_rand(w) % 1000 < permille;
}

/* -- the address family ---------------------------------------------------------------------- */

static int
wire_parse(const struct bsd_sockaddr *sa, struct in_endpoint *ep)
{
	struct bsd_sockaddr_in sin;

	if (sa->sa_len != sizeof(sin))
		return BSD_EINVAL;
	if (sa->sa_family != BSD_AF_INET)
		return BSD_EAFNOSUPPORT;
	memcpy(&sin, sa, sizeof(sin));
	*ep = (struct in_endpoint){.ie_port = betoh16(sin.sin_port)};
	ep->ie_addr.ia_w[0] = sin.sin_addr.s_addr;
	return 0;
}

static void
wire_emit(const struct in_endpoint *ep, union bsd_sockaddr_any *sa)
{
	memset(sa, 0, sizeof(*sa));
	sa->sin.sin_len = sizeof(sa->sin);
	sa->sin.sin_family = BSD_AF_INET;
	sa->sin.sin_port = htobe16(ep->ie_port);
	sa->sin.sin_addr.s_addr = ep->ie_addr.ia_w[0];
}

static bool
wire_islocal(struct netstack *ns, const struct in_addrany *a)
{
	return a->ia_w[0] == WIRE_ADDR(side_of(ns));
}

static bool
wire_ismulticast(const struct in_addrany *a)
{
	return a->ia_w[0] >> 28 == 0xe;
}

static bool
wire_isbroadcast(struct netstack *ns, const struct in_addrany *a)
{
	(void)ns;
	return a->ia_w[0] == 0xffffffff;
}

static int
wire_selectsrc(struct netstack *ns, const struct in_addrany *dst, struct ifnet *ifp,
    struct in_addrany *src)
{
	(void)ifp;
	if (dst->ia_w[0] != WIRE_ADDR(0) && dst->ia_w[0] != WIRE_ADDR(1))
		return BSD_EHOSTUNREACH;
	*src = (struct in_addrany){{WIRE_ADDR(side_of(ns))}};
	return 0;
}

static struct ifnet *
wire_route(struct netstack *ns, const struct in_addrany *dst, struct ifnet *ifp, uint32_t *mtu,
    bool *direct)
{
	(void)ifp;
	if (dst->ia_w[0] != WIRE_ADDR(0) && dst->ia_w[0] != WIRE_ADDR(1))
		return NULL;
	*mtu = the_wire->w_mtu;
	*direct = true;
	the_if[side_of(ns)].if_mtu = the_wire->w_mtu;
	return &the_if[side_of(ns)];
}

static uint32_t
wire_pseudo(const struct in_addrany *src, const struct in_addrany *dst, uint32_t len, uint8_t proto)
{
	return cksum_fold(cksum_pseudo4(src->ia_w[0], dst->ia_w[0], proto, (uint16_t)len));
}

/* -- out ------------------------------------------------------------------------------------- */

static void
wire_queue(struct wire *w, const struct wire_frame *what, uint64_t time_ns)
{
	size_t bytes = sizeof(*what) + what->wf_len;
	struct wire_frame *wf = malloc(bytes), *at;

	assert_non_null(wf);
	memcpy(wf, what, bytes);
	wf->wf_time_ns = time_ns;
	TAILQ_FOREACH(at, &w->w_frames, wf_list) {
		if (at->wf_time_ns > time_ns) {
			TAILQ_INSERT_BEFORE(at, wf, wf_list);
			return;
		}
	}
	TAILQ_INSERT_TAIL(&w->w_frames, wf, wf_list);
}

/* One segment of wire size: loses, delays, duplicates. */
static void
wire_send(struct wire *w, unsigned from, uint8_t *seg, size_t len)
{
	struct wire_frame *wf = malloc(sizeof(*wf) + len);
	struct tcp_hdr th;

	assert_non_null(wf);
	assert_true(len + WIRE_HDR <= w->w_mtu);
	assert_int_equal(tcp_parse(seg, len, &th), TCP_PARSE_OK);
	w->w_nsent++;
	if ((w->w_filter != NULL && !w->w_filter(w, from, &th, seg, len)) ||
	    chance(w, w->w_loss_permille)) {
		w->w_nlost++;
		free(wf);
		return;
	}
	be16_put(seg + TCP_OFF_SUM, 0);
	be16_put(seg + TCP_OFF_SUM,
	    cksum_finish(cksum_partial(seg, len,
		cksum_pseudo4(WIRE_ADDR(from), WIRE_ADDR(1 - from), BSD_IPPROTO_TCP,
		    (uint16_t)len))));
	wf->wf_to = 1 - from;
	wf->wf_len = (uint16_t)len;
	memcpy(wf->wf_bytes, seg, len);
	uint64_t start = w->w_now_ns > w->w_free_ns[from] ? w->w_now_ns : w->w_free_ns[from];
	w->w_free_ns[from] = start + len * w->w_byte_ns;
	uint64_t when = w->w_free_ns[from] + w->w_delay_ns;
	if (chance(w, w->w_reorder_permille))
		when += w->w_delay_ns * (1 + wire_rand(w) % 3);
	wire_queue(w, wf, when);
	if (chance(w, w->w_dup_permille))
		wire_queue(w, wf, when + wire_rand(w) % (w->w_delay_ns + 1));
	free(wf);
}

/* Cuts a large segment as an interface does: header repeated, FIN and PSH on the last. */
static void
wire_cut(struct wire *w, unsigned from, const uint8_t *pkt, size_t len, uint16_t segsz)
{
	struct tcp_hdr th;
	size_t off, n, hlen;
	uint8_t *seg = malloc(len);

	assert_non_null(seg);
	assert_int_equal(tcp_parse(pkt, len, &th), TCP_PARSE_OK);
	hlen = th.th_off;
	assert_int_equal(th.th_flags & (TH_SYN | TH_URG | TH_FIN), 0);
	for (off = hlen; off < len; off += n) {
		struct tcp_hdr part = th;

		n = len - off < segsz ? len - off : segsz;
		part.th_seq += (uint32_t)(off - hlen);
		if (off + n < len)
			part.th_flags &= (uint8_t)~TH_PUSH;
		memcpy(seg, pkt, hlen);
		tcp_emit(seg, &part);
		memcpy(seg + hlen, pkt + off, n);
		wire_send(w, from, seg, hlen + n);
	}
	free(seg);
}

static int
wire_output(struct mbuf *m, const struct in_txinfo *tx)
{
	struct wire *w = the_wire;
	unsigned from = side_of(tx->tx_ns);
	size_t len = m->m_pkthdr.len;
	uint16_t flags = m->m_pkthdr.csum_flags, segsz = m->m_pkthdr.segsz;
	uint8_t *pkt = malloc(len);

	m_sanity(m);
	assert_non_null(pkt);
	assert_int_equal(tx->tx_src.ia_w[0], WIRE_ADDR(from));
	assert_int_equal(tx->tx_dst.ia_w[0], WIRE_ADDR(1 - from));
	assert_true((flags & M_CSUM_NEEDED) != 0 && tx->tx_df);
	assert_int_equal(m->m_pkthdr.csum_offset, TCP_OFF_SUM);
	m_copydata(m, 0, len, pkt);
	m_freem(m);
	assert_int_equal(be16_get(pkt + TCP_OFF_SUM),
	    wire_pseudo(&tx->tx_src, &tx->tx_dst, (uint32_t)len, BSD_IPPROTO_TCP));
	int error = w->w_outerror[from];
	if (error == 0 && (flags & M_CSUM_TSO) == 0 && len + WIRE_HDR > w->w_mtu)
		error = BSD_EMSGSIZE;
	if (error == 0 && (flags & M_CSUM_TSO) != 0)
		wire_cut(w, from, pkt, len, segsz);
	else if (error == 0)
		wire_send(w, from, pkt, len);
	free(pkt);
	return error;
}

void
wire_inject(struct wire *w, unsigned from, struct tcp_hdr th, const struct tcp_opts *to,
    const void *data, size_t len)
{
	uint8_t seg[TCP_HDR_LEN_MAX + 2048];
	size_t optlen = 0;

	assert_true(len <= 2048);
	if (to != NULL)
		optlen = tcp_opts_emit(seg + TCP_HDR_LEN, TCP_OPTS_LEN_MAX, to,
		    (th.th_flags & TH_SYN) != 0);
	th.th_off = (uint8_t)(TCP_HDR_LEN + optlen);
	tcp_emit(seg, &th);
	if (len > 0)
		memcpy(seg + th.th_off, data, len);
	wire_send(w, from, seg, th.th_off + len);
}

static void
wire_unreach_port(struct mbuf *m, const struct in_rxinfo *rx)
{
	(void)m;
	(void)rx;
}

static int
wire_ctloutput(struct inpcb *inp, void *sopt)
{
	(void)inp;
	(void)sopt;
	return BSD_ENOPROTOOPT;
}

/* Nothing is known of a path. */
static void
wire_getmetrics(struct netstack *ns, const struct in_addrany *dst, struct in_pathmetrics *pm)
{
	(void)ns;
	(void)dst;
	*pm = (struct in_pathmetrics){0};
}

static void
wire_putmetrics(struct netstack *ns, const struct in_addrany *dst, const struct in_pathmetrics *pm)
{
	(void)ns;
	(void)dst;
	(void)pm;
}

const struct in_afops wire_afops = {
    .af_getmetrics = wire_getmetrics,
    .af_putmetrics = wire_putmetrics,
    .af_family = BSD_AF_INET,
    .af_hdrlen = WIRE_HDR,
    .af_addrlen = 4,
    .af_parse = wire_parse,
    .af_emit = wire_emit,
    .af_islocal = wire_islocal,
    .af_ismulticast = wire_ismulticast,
    .af_isbroadcast = wire_isbroadcast,
    .af_selectsrc = wire_selectsrc,
    .af_route = wire_route,
    .af_pseudo = wire_pseudo,
    .af_output = wire_output,
    .af_unreach_port = wire_unreach_port,
    .af_ctloutput = wire_ctloutput,
};

/* -- in, and time ---------------------------------------------------------------------------- */

static void
wire_deliver(struct wire *w, const struct wire_frame *wf)
{
	static const uint8_t hdr[WIRE_HDR];
	struct netstack *ns = w->w_ns[wf->wf_to];
	struct mbuf *m = m_getm(ns, WIRE_HDR + (size_t)wf->wf_len);
	struct in_rxinfo rx = {
	    .rx_af = &wire_afops,
	    .rx_ifp = &the_if[wf->wf_to],
	    .rx_src = {{WIRE_ADDR(1 - wf->wf_to)}},
	    .rx_dst = {{WIRE_ADDR(wf->wf_to)}},
	    .rx_hlen = WIRE_HDR,
	    .rx_len = wf->wf_len,
	    .rx_proto = BSD_IPPROTO_TCP,
	    .rx_ttl = 64,
	};

	if (m == NULL)
		return;
	if (m_append(m, sizeof(hdr), hdr) != 0 || m_append(m, wf->wf_len, wf->wf_bytes) != 0) {
		m_freem(m);
		return;
	}
	tcp_input(m, &rx);
}

static uint64_t
wire_next(const struct wire *w)
{
	const struct wire_frame *wf = TAILQ_FIRST(&w->w_frames);
	uint64_t next = wf != NULL ? wf->wf_time_ns : CALLOUT_NEVER;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t due = netstack_deadline(w->w_ns[i]);

		next = due < next ? due : next;
	}
	return next;
}

unsigned
wire_pending(const struct wire *w)
{
	const struct wire_frame *wf;
	unsigned n = w->w_ns[0]->ns_callouts.cw_npending + w->w_ns[1]->ns_callouts.cw_npending;

	TAILQ_FOREACH(wf, &w->w_frames, wf_list)
		n++;
	return n;
}

/* Goes to a moment and does what is due then. */
static void
wire_moment(struct wire *w, uint64_t now)
{
	struct wire_frame *wf;

	w->w_now_ns = now;
	for (unsigned i = 0; i < 2; i++)
		netstack_enter(w->w_ns[i], now);
	while ((wf = TAILQ_FIRST(&w->w_frames)) != NULL && wf->wf_time_ns <= now) {
		TAILQ_REMOVE(&w->w_frames, wf, wf_list);
		wire_deliver(w, wf);
		free(wf);
	}
	for (unsigned i = 0; i < 2; i++)
		netstack_run(w->w_ns[i]);
}

static bool
never(void *arg)
{
	(void)arg;
	return false;
}

bool
wire_run_until(struct wire *w, uint64_t limit_ns, bool (*done)(void *arg), void *arg)
{
	uint64_t end = w->w_now_ns + limit_ns, next;
	bool is;

	while (!(is = done(arg)) && (next = wire_next(w)) <= end)
		wire_moment(w, next > w->w_now_ns ? next : w->w_now_ns);
	if (!is)
		wire_moment(w, end);
	return is || done(arg);
}

void
wire_run(struct wire *w, uint64_t delta_ns)
{
	(void)wire_run_until(w, delta_ns, never, NULL);
}

/* -- the stacks ------------------------------------------------------------------------------ */

static const struct domain wire_domain;
static const struct protosw wire_protosw[] = {
    {.pr_type = BSD_SOCK_STREAM,
	.pr_protocol = BSD_IPPROTO_TCP,
	.pr_flags = PR_CONNREQUIRED | PR_WANTRCVD | PR_LISTEN,
	.pr_domain = &wire_domain,
	.pr_usrreqs = &tcp_usrreqs,
	.pr_ctloutput = tcp_ctloutput},
};
static const struct domain wire_domain = {
    .dom_family = BSD_AF_INET,
    .dom_name = "wire",
    .dom_protosw = wire_protosw,
    .dom_nprotosw = 1,
    .dom_afops = &wire_afops,
    .dom_init = tcp_init,
    .dom_fini = tcp_fini,
};

void
wire_start(struct wire *w, uint64_t start_ns)
{
	static const struct domain *const domains[] = {&wire_domain, NULL};

	*w = (struct wire){.w_now_ns = start_ns,
	    .w_delay_ns = 5 * 1000000,
	    .w_mtu = 1500,
	    .w_seed = 0x9e3779b97f4a7c15u};
	TAILQ_INIT(&w->w_frames);
	the_wire = w;
	for (unsigned i = 0; i < 2; i++) {
		struct netstack_config nc = {.nc_now_ns = start_ns, .nc_domains = domains};

		memset(nc.nc_seed, (int)i + 1, sizeof(nc.nc_seed));
		w->w_ns[i] = netstack_create(&nc);
		assert_non_null(w->w_ns[i]);
	}
}

static void
wire_abort_all(struct netstack *ns)
{
	struct socket *so, *next;
	bool again = true;

	while (again) {
		again = false;
		TAILQ_FOREACH_SAFE(so, &ns->ns_sockets, so_list, next) {
			if ((so->so_state & SS_NOFDREF) != 0)
				continue;
			so->so_options |= BSD_SO_LINGER;
			so->so_linger_s = 0;
			(void)soclose(so);
			again = true;
			break;
		}
	}
}

void
wire_end(struct wire *w)
{
	for (unsigned i = 0; i < 2; i++)
		wire_abort_all(w->w_ns[i]);
	wire_run(w, 3600 * 1000000000ull);
	assert_int_equal(wire_pending(w), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w->w_ns[i]->ns_tcp->tcps_tcpcbpool.pl_nout, 0);
		assert_int_equal(w->w_ns[i]->ns_tcp->tcps_reasspool.pl_nout, 0);
		assert_int_equal(w->w_ns[i]->ns_tcp->tcps_reassqpool.pl_nout, 0);
		assert_int_equal(w->w_ns[i]->ns_tcp->tcps_undopool.pl_nout, 0);
		assert_int_equal(w->w_ns[i]->ns_tcp->tcps_sendlogpool.pl_nout, 0);
		assert_int_equal(w->w_ns[i]->ns_tcp->tcps_table.it_pool.pl_nout, 0);
		test_netstack_end(w->w_ns[i]);
	}
	the_wire = NULL;
}

/* -- sockets --------------------------------------------------------------------------------- */

static void
wire_name(unsigned side, uint16_t port, union bsd_sockaddr_any *nam)
{
	struct in_endpoint ep = {.ie_addr = {{WIRE_ADDR(side)}}, .ie_port = port};

	wire_emit(&ep, nam);
}

struct socket *
wire_socket(struct wire *w, unsigned side)
{
	struct socket *so;

	assert_int_equal(socreate(w->w_ns[side], BSD_AF_INET, BSD_SOCK_STREAM, 0, &so), 0);
	return so;
}

struct socket *
wire_listen(struct wire *w, unsigned side, uint16_t port)
{
	struct socket *so = wire_socket(w, side);
	union bsd_sockaddr_any nam;

	wire_name(side, port, &nam);
	assert_int_equal(sobind(so, &nam.sa), 0);
	assert_int_equal(solisten(so, 16), 0);
	return so;
}

int
wire_connect(struct wire *w, struct socket *so, unsigned side, uint16_t port)
{
	union bsd_sockaddr_any nam;

	(void)w;
	wire_name(1 - side, port, &nam);
	return soconnect(so, &nam.sa);
}

struct socket *
wire_accept(struct socket *head)
{
	struct socket *so;

	return soaccept(head, true, &so, NULL) == 0 ? so : NULL;
}

void
wire_pair(struct wire *w, struct socket *so[2])
{
	struct socket *head = wire_listen(w, 1, WIRE_PORT);

	so[0] = wire_socket(w, 0);
	assert_int_equal(wire_connect(w, so[0], 0, WIRE_PORT), 0);
	for (unsigned i = 0; i < 100 && (so[1] = wire_accept(head)) == NULL; i++)
		wire_run(w, w->w_delay_ns + 1000000);
	assert_non_null(so[1]);
	assert_int_equal(soclose(head), 0);
	assert_true((so[0]->so_state & SS_ISCONNECTED) != 0);
}

struct tcpcb *
wire_tcpcb(const struct socket *so)
{
	return so->so_pcb != NULL ? intotcpcb(so->so_pcb) : NULL;
}

static void
wire_uio(struct socket *so, struct uio *uio, struct bsd_iovec *iov, struct vmspace *vm,
    const void *buf, size_t len)
{
	*vm = (struct vmspace){.vm_engine = &copy_engine_direct, .vm_ns = so->so_ns};
	*iov = (struct bsd_iovec){.iov_base = (uint64_t)(uintptr_t)buf, .iov_len = len};
	*uio = (struct uio){.uio_iov = iov, .uio_iovcnt = 1, .uio_resid = len, .uio_vm = vm};
}

size_t
wire_write(struct socket *so, const void *buf, size_t len, int flags)
{
	struct uio uio;
	struct bsd_iovec iov;
	struct vmspace vm;

	wire_uio(so, &uio, &iov, &vm, buf, len);
	uio.uio_rw = UIO_WRITE;
	if (sosend(so, NULL, &uio, NULL, NULL, flags | BSD_MSG_DONTWAIT) != 0)
		return 0;
	return len - (size_t)uio.uio_resid;
}

size_t
wire_read(struct socket *so, void *buf, size_t len, bool *eof)
{
	struct uio uio;
	struct bsd_iovec iov;
	struct vmspace vm;
	int flags = BSD_MSG_DONTWAIT;

	wire_uio(so, &uio, &iov, &vm, buf, len);
	uio.uio_rw = UIO_READ;
	int error = soreceive(so, NULL, &uio, NULL, NULL, &flags);
	if (eof != NULL)
		*eof = error == 0 && uio.uio_resid == len && len > 0;
	return error == 0 ? len - (size_t)uio.uio_resid : 0;
}
