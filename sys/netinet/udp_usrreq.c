/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP (RFC 768, RFC 1122 §4.1): datagrams in and out, and the socket's requests.
 *
 * The address family is reached through in_afops alone. ICMP errors are told to connected sockets,
 * as BSD does, but for those that may pass by themselves (RFC 1122 §3.2.2.1).
 * Deviation: RFC 1122 §4.1.3.3 wants those told, too. Linux does not, and its programs give up at an
 * error; who wants them has IP_RECVERR (udp_test.c: test_soft_errors). A datagram to a broadcast or
 * multicast address goes to every socket that it fits.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/stat.h"
#include "net/if.h"
#include "net/m_cksum.h"
#include "netinet/in_dgram.h"
#include "netinet/in_pcb_af.h"
#include "netinet/udp_var.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/udp.h"

#define UDP_MAXPCBS 65536u
#define UDPSTAT_INC(ns, name) ((void)((ns)->ns_udp->us_stat[UDPSTAT_##name]++))

static const struct sysctl_node udp_stat_nodes[] = {
#define STAT(name, text) STAT_NODE("net.inet.udp.stats.", UDPSTAT_, name, text)
#include "netinet/udp_stat.def"
#undef STAT
};
STAT_TABLE_CHECK(udp_stat_nodes, UDPSTAT_COUNT);

static const struct sysctl_node udp_nodes[] = {
    {
	.sn_name = "net.inet.udp.sendspace",
	.sn_text = "send buffer of new sockets, and so the largest datagram, bytes",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct udp_state, us_sendspace),
	.sn_size = sizeof(uint32_t),
	.sn_min = 2048,
	.sn_max = 1u << 20,
    },
    {
	.sn_name = "net.inet.udp.recvspace",
	.sn_text = "receive buffer of new sockets, bytes",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct udp_state, us_recvspace),
	.sn_size = sizeof(uint32_t),
	.sn_min = 2048,
	.sn_max = 1u << 24,
    },
};

int
udp_init(struct netstack *ns)
{
	struct udp_state *us;
	int error;

	if ((us = kmem_alloc(&ns->ns_fault, sizeof(*us))) == NULL)
		return ENOMEM;
	us->us_sendspace = 65535;
	us->us_recvspace = 131072;
	if ((error = in_pcbtable_init(&us->us_table, ns, "udppcb", UDP_MAXPCBS)) != 0) {
		kmem_free(us, sizeof(*us));
		return error;
	}
	ns->ns_udp = us;
	stat_register(ns, &us->us_stat_sysctls, udp_stat_nodes, UDPSTAT_COUNT, us->us_stat);
	sysctl_register(ns, &us->us_sysctls, udp_nodes, nitems(udp_nodes), us);
	return 0;
}

void
udp_fini(struct netstack *ns)
{
	struct udp_state *us = ns->ns_udp;

	if (us == NULL)
		return;
	sysctl_unregister(ns, &us->us_sysctls);
	sysctl_unregister(ns, &us->us_stat_sysctls);
	in_pcbtable_fini(&us->us_table);
	ns->ns_udp = NULL;
	kmem_free(us, sizeof(*us));
}

/*
 * Lengths, ports and checksum. => the packet trimmed to its datagram, *uh valid; NULL: dropped
 */
static struct mbuf *
udp_input_header(struct netstack *ns, struct mbuf *m, const struct in_rxinfo *rx,
    struct udp_hdr *uh)
{
	uint32_t sum;

	if (rx->rx_len < UDP_HDR_LEN) {
		UDPSTAT_INC(ns, hdrops);
		m_drop(m, DROP_UDP_SHORT);
		return NULL;
	}
	if (m->m_len < rx->rx_hlen + (uint32_t)UDP_HDR_LEN &&
	    (m = m_pullup(m, rx->rx_hlen + (size_t)UDP_HDR_LEN)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	if (udp_parse_partial(m->m_data + rx->rx_hlen, m->m_len - rx->rx_hlen, rx->rx_len, uh) !=
	    UDP_PARSE_OK) {
		UDPSTAT_INC(ns, badlen);
		m_drop(m, DROP_UDP_LEN);
		return NULL;
	}
	if (uh->uh_dport == 0 || uh->uh_sport == 0) {
		UDPSTAT_INC(ns, badport);
		m_drop(m, DROP_UDP_PORT);
		return NULL;
	}
	if (uh->uh_sum == 0 && !rx->rx_af->af_udpneedsum) {
		UDPSTAT_INC(ns, nosum);
	} else if ((m->m_pkthdr.csum_flags & M_CSUM_OK) == 0) {
		sum = rx->rx_af->af_pseudo(&rx->rx_src, &rx->rx_dst, uh->uh_ulen, rx->rx_proto);
		sum += cksum_fold(m_cksum(m, rx->rx_hlen, uh->uh_ulen));
		if ((sum & 0xffff) + (sum >> 16) != 0xffff) {
			UDPSTAT_INC(ns, badsum);
			m_drop(m, DROP_UDP_CKSUM);
			return NULL;
		}
	}
	if (uh->uh_ulen < rx->rx_len)
		m_adj(m, -(int)(rx->rx_len - uh->uh_ulen));
	return m;
}

/* Puts the datagram into the socket's buffer. Consumes m. */
static void
udp_append(struct inpcb *inp, struct mbuf *m, const struct in_rxinfo *rx, const struct udp_hdr *uh)
{
	struct in_endpoint from = {rx->rx_src, uh->uh_sport};
	struct socket *so = inp->inp_socket;
	struct mbuf *control = NULL;
	union bsd_sockaddr_any sa;

	if (rx->rx_ttl < in_pcb_minttl(inp, rx->rx_af)) {
		m_drop(m, DROP_IP_MINTTL);
		return;
	}
	in_pcb_emit(inp, rx->rx_af, &from, &sa);
	m_adj(m, rx->rx_hlen);
	if ((m = in_filter_apply(inp, m, UDP_HDR_LEN)) == NULL)
		return;
	m_adj(m, UDP_HDR_LEN);
	if ((so->so_state & SS_CANTRCVMORE) != 0 || in_pcb_savecontrol(inp, rx, &control) != 0 ||
	    !sbappendaddr(&so->so_rcv, &sa, sa.sa.sa_len, m, control)) {
		m_freem(control);
		UDPSTAT_INC(inp->inp_ns, fullsock);
		in_pcb_dropped(inp);
		m_drop(m, DROP_UDP_FULLSOCK);
		return;
	}
	UDPSTAT_INC(inp->inp_ns, delivered);
	sorwakeup(so);
}

static bool
udp_pcb_wants(const struct inpcb *inp, const struct in_rxinfo *rx, const struct udp_hdr *uh)
{
	if (!in_pcb_speaks(inp, rx->rx_af) || inp->inp_socket == NULL ||
	    !in_pcb_hasif(inp, rx->rx_ifp->if_index))
		return false;
	if (!in_addrany_isany(&inp->inp_laddr) && !in_addrany_eq(&inp->inp_laddr, &rx->rx_dst))
		return false;
	if (!rx->rx_af->af_iswanted(inp, rx))
		return false;
	return (inp->inp_flags & INP_CONNECTED) == 0 ||
	    (inp->inp_fport == uh->uh_sport && in_addrany_eq(&inp->inp_faddr, &rx->rx_src));
}

/* To every socket that it fits: copies to all but the last. Consumes m. */
static void
udp_input_group(struct netstack *ns, struct mbuf *m, const struct in_rxinfo *rx,
    const struct udp_hdr *uh)
{
	struct inpcb *inp = NULL, *last = NULL;
	struct mbuf *copy;

	while ((inp = in_pcbnext_port(&ns->ns_udp->us_table, uh->uh_dport, inp)) != NULL) {
		if (!udp_pcb_wants(inp, rx, uh))
			continue;
		if (last != NULL) {
			if ((copy = m_copym(m, 0, m->m_pkthdr.len)) != NULL)
				udp_append(last, copy, rx, uh);
			else
				ns->ns_drops[DROP_MBUF_NOBUFS]++;
		}
		last = inp;
	}
	if (last == NULL) {
		UDPSTAT_INC(ns, noportbcast);
		m_drop(m, DROP_UDP_NOPORT);
		return;
	}
	udp_append(last, m, rx, uh);
}

static void
udp_input(struct mbuf *m, const struct in_rxinfo *rx)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	struct in_lookup il;
	struct udp_hdr uh;
	struct inpcb *inp;

	UDPSTAT_INC(ns, ipackets);
	if ((m = udp_input_header(ns, m, rx, &uh)) == NULL)
		return;
	if (rx->rx_bcast) {
		udp_input_group(ns, m, rx, &uh);
		return;
	}
	il = (struct in_lookup){rx->rx_af, rx->rx_dst, rx->rx_src, uh.uh_dport, uh.uh_sport,
	    rx->rx_ifp->if_index};
	if ((inp = in_pcblookup_connect(&ns->ns_udp->us_table, &il)) == NULL &&
	    (inp = in_pcblookup_bind(&ns->ns_udp->us_table, &il)) == NULL) {
		UDPSTAT_INC(ns, noport);
		rx->rx_af->af_unreach_port(m, rx);
		m_drop(m, DROP_UDP_NOPORT);
		return;
	}
	udp_append(inp, m, rx, &uh);
}

static bool
udp_owns(const struct mbuf *m, const struct in_rxinfo *rx)
{
	struct inpcbtable *table = &m->m_ns->ns_udp->us_table;
	uint8_t ports[UDP_PORTS_LEN];
	struct inpcb *inp = NULL;
	struct in_lookup il;
	struct udp_hdr uh = {0};

	if (rx->rx_len < sizeof(ports))
		return true; /* to be judged, and dropped, here */
	m_copydata(m, rx->rx_hlen, sizeof(ports), ports);
	uh.uh_sport = be16_get(ports);
	uh.uh_dport = be16_get(ports + 2);
	if (rx->rx_bcast) {
		while ((inp = in_pcbnext_port(table, uh.uh_dport, inp)) != NULL &&
		    !udp_pcb_wants(inp, rx, &uh))
			;
		return inp != NULL;
	}
	il = (struct in_lookup){rx->rx_af, rx->rx_dst, rx->rx_src, uh.uh_dport, uh.uh_sport,
	    rx->rx_ifp->if_index};
	return in_pcblookup_connect(table, &il) != NULL || in_pcblookup_bind(table, &il) != NULL;
}

static void
udp_notify(struct inpcb *inp, const struct in_ctlinfo *ci)
{
	in_dgram_notify(inp, ci, be16_get(ci->ci_head + 2), UDP_HDR_LEN,
	    ci->ci_ctl != IN_CTL_MSGSIZE);
}

static void
udp_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci)
{
	struct udp_hdr uh;

	if (udp_parse_partial(ci->ci_head, ci->ci_headlen, SIZE_MAX, &uh) != UDP_PARSE_OK)
		return;
	in_pcbnotify(&ns->ns_udp->us_table, ci, uh.uh_sport, uh.uh_dport, udp_notify);
}

const struct in_transport udp_transport = {
    .it_proto = IPPROTO_UDP,
    .it_input = udp_input,
    .it_ctlinput = udp_ctlinput,
    .it_owns = udp_owns,
};

/* SO_NO_CHECK. IPv6 has none without (RFC 8200 §8.1). */
static bool
udp_nosum(const struct inpcb *inp, const struct in_txinfo *tx)
{
	return (inp->inp_flags & INP_NOCKSUM) != 0 && tx->tx_af->af_family == AF_INET;
}

/* Header and checksum, then out. tx has the addresses. Consumes m. */
static int
udp_output(struct inpcb *inp, struct mbuf *m, const struct in_txinfo *tx, uint16_t fport)
{
	struct netstack *ns = inp->inp_ns;
	struct udp_hdr uh = {.uh_sport = inp->inp_lport,
	    .uh_dport = fport,
	    .uh_ulen = (uint16_t)(m->m_pkthdr.len + UDP_HDR_LEN)};

	if ((m = m_prepend(m, UDP_HDR_LEN)) == NULL) {
		UDPSTAT_INC(ns, onobufs);
		return ENOBUFS;
	}
	if (!udp_nosum(inp, tx)) {
		uh.uh_sum = (uint16_t)tx->tx_af->af_pseudo(&tx->tx_src, &tx->tx_dst, uh.uh_ulen,
		    IPPROTO_UDP);
		m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
		m->m_pkthdr.csum_offset = UDP_OFF_SUM;
	}
	udp_emit(m->m_data, &uh);
	UDPSTAT_INC(ns, opackets);
	return tx->tx_af->af_output(m, tx);
}

/* Where a datagram goes: nam, or the peer; and of which family that is. */
static int
udp_addressee(struct inpcb *inp, const struct bsd_sockaddr *nam, struct in_endpoint *ep,
    const struct in_afops **afp)
{
	int error;

	*afp = inp->inp_af;
	*ep = (struct in_endpoint){inp->inp_faddr, inp->inp_fport};
	if (nam != NULL) {
		if ((inp->inp_flags & INP_CONNECTED) != 0)
			return EISCONN;
		if ((error = in_pcb_parsedest(inp, nam, ep, afp)) != 0)
			return error;
		if (ep->ie_port == 0)
			return EADDRNOTAVAIL;
	} else if ((inp->inp_flags & INP_CONNECTED) == 0) {
		return EDESTADDRREQ;
	}
	if (in_addrany_isany(&ep->ie_addr))
		ep->ie_addr = (*afp)->af_loopback();
	return 0;
}

/* What one packet holds behind its headers; the length of IPv6's does not count its own (RFC 8200 §3). */
static uint32_t
udp_maxdata(const struct in_afops *af)
{
	return UINT16_MAX - UDP_HDR_LEN - (af->af_family == AF_INET6 ? 0 : af->af_hdrlen);
}

/* How a datagram to ep, of family af, leaves, as control says, with a source; and from a port. */
static int
udp_send_txinfo(struct inpcb *inp, const struct mbuf *control, const struct in_afops *af,
    const struct in_endpoint *ep, struct in_txinfo *tx)
{
	int error;

	in_pcb_txinfo(inp, af, IPPROTO_UDP, tx);
	if ((error = in_pcb_txcontrol(inp, control, tx)) != 0)
		return error;
	in_pcb_txdest(inp, &ep->ie_addr, tx);
	/* A socket bound to a group sends from an address of the host. */
	if (in_addrany_isany(&tx->tx_src) || af->af_ismulticast(&tx->tx_src) ||
	    af->af_isbroadcast(inp->inp_ns, &tx->tx_src)) {
		error = af->af_selectsrc(inp->inp_ns, &ep->ie_addr, tx->tx_ifp, &tx->tx_src);
		if (error != 0)
			return error;
	}
	return inp->inp_lport == 0 ? in_pcbbind(inp, NULL) : 0;
}

/* --- datagrams in pieces, as Linux has them: BSD_MSG_MORE, UDP_CORK ------------------------- */

/* Begins one: m, what control says, and to, of family af. Consumes m and control. */
static int
udp_hold(struct inpcb *inp, struct mbuf *m, struct mbuf *control, const struct in_afops *af,
    const struct in_endpoint *to)
{
	struct in_dgram *dg = in_dgram_get(inp);

	if (dg == NULL) {
		m_freem(m);
		m_freem(control);
		return ENOBUFS;
	}
	dg->dg_held = m;
	dg->dg_control = control;
	dg->dg_to = *to;
	dg->dg_af = af;
	inp->inp_socket->so_state |= SS_HOLDING;
	return 0;
}

/* Takes what is held. => what to free or send; *control is the caller's, too */
static struct mbuf *
udp_unhold(struct inpcb *inp, struct mbuf **control)
{
	struct in_dgram *dg = inp->inp_ppcb;
	struct mbuf *m = dg->dg_held;

	*control = dg->dg_control;
	dg->dg_held = dg->dg_control = NULL;
	inp->inp_socket->so_state &= ~(uint32_t)SS_HOLDING;
	return m;
}

/* The end of sending: error is that of finding out how. Consumes m and control. */
static int
udp_finish(struct inpcb *inp, struct mbuf *m, struct mbuf *control, const struct in_txinfo *tx,
    uint16_t fport, int error)
{
	m_freem(control);
	if (error != 0) {
		m_freem(m);
		return error;
	}
	return in_errq_sent(inp, tx, fport, udp_output(inp, m, tx, fport));
}

/* Sends what is held. */
static int
udp_push(struct inpcb *inp)
{
	const struct in_dgram *dg = inp->inp_ppcb;
	const struct in_endpoint to = dg->dg_to;
	struct mbuf *control, *m = udp_unhold(inp, &control);
	struct in_txinfo tx;
	int error = udp_send_txinfo(inp, control, dg->dg_af, &to, &tx);

	return udp_finish(inp, m, control, &tx, to.ie_port, error);
}

/* Copied: many small pieces must not hold much storage. */
static int
udp_join(struct mbuf *held, const struct mbuf *m, const struct in_afops *af)
{
	int error = 0;

	if (held->m_pkthdr.len + m->m_pkthdr.len > udp_maxdata(af))
		return EMSGSIZE;
	for (; m != NULL && error == 0; m = m->m_next)
		error = m_append(held, m->m_len, m->m_data);
	return error;
}

/* The next piece. What it cannot be joined to is given up, as on Linux. Consumes m. */
static int
udp_continue(struct inpcb *inp, struct mbuf *m, bool more)
{
	const struct in_dgram *dg = inp->inp_ppcb;
	int error = udp_join(dg->dg_held, m, dg->dg_af);
	struct mbuf *control;

	m_freem(m);
	if (error != 0) {
		m_freem(udp_unhold(inp, &control));
		m_freem(control);
		return error;
	}
	return more ? 0 : udp_push(inp);
}

static int
udp_setcork(struct inpcb *inp, bool on)
{
	struct in_dgram *dg = on ? in_dgram_get(inp) : inp->inp_ppcb;

	if (dg == NULL)
		return on ? ENOBUFS : 0;
	dg->dg_cork = on;
	if (!on && dg->dg_held != NULL)
		(void)udp_push(inp);
	return 0;
}

static int
udp_send(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	struct inpcb *inp = so->so_pcb;
	const struct in_dgram *dg = inp->inp_ppcb;
	bool more = (flags & PRUS_MORETOCOME) != 0 || (dg != NULL && dg->dg_cork);
	const struct in_afops *af = NULL;
	struct in_endpoint to;
	struct in_txinfo tx;
	int error;

	if ((flags & MSG_OOB) != 0) {
		error = EOPNOTSUPP;
	} else if ((so->so_state & SS_HOLDING) != 0) {
		m_freem(control);
		return udp_continue(inp, m, more);
	} else {
		error = udp_addressee(inp, nam, &to, &af);
		if (error == 0 && m->m_pkthdr.len > udp_maxdata(af))
			error = EMSGSIZE;
	}
	if (error == 0)
		error = udp_send_txinfo(inp, control, af, &to, &tx);
	if (error == 0 && more)
		return udp_hold(inp, m, control, af, &to);
	return udp_finish(inp, m, control, &tx, to.ie_port, error);
}

static int
udp_attach(struct socket *so, int protocol)
{
	struct udp_state *us = so->so_ns->ns_udp;
	struct inpcb *inp;
	int error;

	(void)protocol;
	if ((error = soreserve(so, us->us_sendspace, us->us_recvspace)) != 0)
		return error;
	return in_pcballoc(&us->us_table, so, so->so_proto->pr_domain->dom_afops, &inp);
}

static int
udp_connect(struct socket *so, const struct bsd_sockaddr *nam)
{
	struct inpcb *inp = so->so_pcb;
	int error;

	if ((inp->inp_flags & INP_CONNECTED) != 0)
		return EISCONN;
	if ((error = in_pcbconnect(inp, nam)) == 0)
		soisconnected(so);
	return error;
}

static int
udp_disconnect(struct socket *so)
{
	struct inpcb *inp = so->so_pcb;

	if ((inp->inp_flags & INP_CONNECTED) == 0)
		return ENOTCONN;
	in_pcbdisconnect(inp);
	so->so_state &= ~(uint32_t)SS_ISCONNECTED;
	return 0;
}

const struct pr_usrreqs udp_usrreqs = {
    .pr_attach = udp_attach,
    .pr_detach = in_dgram_detach,
    .pr_bind = in_dgram_bind,
    .pr_listen = in_dgram_listen,
    .pr_connect = udp_connect,
    .pr_accept = in_dgram_accept,
    .pr_disconnect = udp_disconnect,
    .pr_abort = in_dgram_abort,
    .pr_shutdown = in_dgram_shutdown,
    .pr_rcvd = in_dgram_rcvd,
    .pr_rcvoob = in_dgram_rcvoob,
    .pr_rcverr = in_errq_next,
    .pr_send = udp_send,
    .pr_sockaddr = in_dgram_sockaddr,
    .pr_peeraddr = in_dgram_peeraddr,
};

int
udp_ctloutput(struct socket *so, struct sockopt *sopt)
{
	struct inpcb *inp = so->so_pcb;
	const struct in_dgram *dg = inp->inp_ppcb;
	int value, error;

	if (sopt->sopt_level != IPPROTO_UDP)
		return in_pcb_ctloutput(inp, sopt);
	if (sopt->sopt_name != UDP_CORK)
		return ENOPROTOOPT;
	if (!sopt->sopt_set) {
		sockopt_putint(sopt, dg != NULL && dg->dg_cork);
		return 0;
	}
	error = sockopt_getint(sopt, &value);
	return error != 0 ? error : udp_setcork(inp, value != 0);
}
