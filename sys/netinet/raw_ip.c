/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw sockets and ICMP sockets: whole IP packets of a protocol, and echo requests without
 * privilege.
 *
 * Theory of operation: a raw socket gets a copy of each packet of its protocol, header included,
 * that its addresses fit, before the protocol itself sees it; what it sends gets a header, or with
 * IP_HDRINCL brings one. Protocol IPPROTO_RAW only sends, and brings its header. An ICMP socket
 * (SOCK_DGRAM, IPPROTO_ICMP) sends echo requests; the identifier is its port: bind chooses it, the
 * stack writes it in, and replies with it come back without IP header. Who may have a raw socket is
 * the doors' to decide.
 */
#include "netinet/in_dgram.h"
#include "netinet/raw_ip.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "net/m_cksum.h"
#include "netinet/in_pcb_af.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/cksum.h"
#include "wire/icmp4.h"
#include "wire/ipv4.h"

#define RIP_MAXPCBS 4096u

static const struct sysctl_node rip_nodes[] = {
    {
	.sn_name = "net.inet.raw.maxdgram",
	.sn_text = "send buffer of new raw sockets, and so the largest packet, bytes",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct rip_state, rs_sendspace),
	.sn_size = sizeof(uint32_t),
	.sn_min = 2048,
	.sn_max = 1u << 20,
    },
    {
	.sn_name = "net.inet.raw.recvspace",
	.sn_text = "receive buffer of new raw sockets, bytes",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct rip_state, rs_recvspace),
	.sn_size = sizeof(uint32_t),
	.sn_min = 2048,
	.sn_max = 1u << 24,
    },
};

int
rip_init(struct netstack *ns)
{
	struct rip_state *rs = &ns->ns_inet->is_rip;
	int error;

	rs->rs_sendspace = 65535;
	rs->rs_recvspace = 131072;
	if ((error = in_pcbtable_init(&rs->rs_raw, ns, "rawpcb", RIP_MAXPCBS)) != 0)
		return error;
	if ((error = in_pcbtable_init(&rs->rs_icmp, ns, "icmppcb", RIP_MAXPCBS)) != 0) {
		in_pcbtable_fini(&rs->rs_raw);
		return error;
	}
	rs->rs_icmp.it_portlo = 1; /* any identifier but zero */
	sysctl_register(ns, &rs->rs_sysctls, rip_nodes, nitems(rip_nodes), rs);
	return 0;
}

void
rip_fini(struct netstack *ns)
{
	struct rip_state *rs = &ns->ns_inet->is_rip;

	sysctl_unregister(ns, &rs->rs_sysctls);
	in_pcbtable_fini(&rs->rs_icmp);
	in_pcbtable_fini(&rs->rs_raw);
}

/* --- receiving ------------------------------------------------------------------------------ */

bool
rip_wants(struct inpcb *inp, const struct in_rxinfo *rx)
{
	if (inp->inp_socket == NULL || (inp->inp_socket->so_state & SS_CANTRCVMORE) != 0)
		return false;
	if (!in_addrany_isany(&inp->inp_laddr) && !in_addrany_eq(&inp->inp_laddr, &rx->rx_dst))
		return false;
	if (!in_addrany_isany(&inp->inp_faddr) && !in_addrany_eq(&inp->inp_faddr, &rx->rx_src))
		return false;
	return rx->rx_ttl >= in_pcb_minttl(inp, rx->rx_af) &&
	    in_pcb_hasif(inp, rx->rx_ifp->if_index) && rx->rx_af->af_iswanted(inp, rx);
}

void
rip_append(struct inpcb *inp, struct mbuf *m, const struct in_rxinfo *rx)
{
	struct in_endpoint from = {.ie_addr = rx->rx_src};
	struct socket *so = inp->inp_socket;
	struct mbuf *control = NULL;
	union bsd_sockaddr_any sa;

	rx->rx_af->af_emit(&from, &sa);
	if ((m = in_filter_apply(inp, m, 1)) == NULL)
		return;
	if (in_pcb_savecontrol(inp, rx, &control) != 0 ||
	    !sbappendaddr(&so->so_rcv, &sa, sa.sa.sa_len, m, control)) {
		m_freem(control);
		in_pcb_dropped(inp);
		m_drop(m, DROP_RAW_FULLSOCK);
		return;
	}
	sorwakeup(so);
}

/* Linux's ICMP_FILTER: a bit for each type that the socket does not want. */
static bool
rip_filtered(const struct inpcb *inp, const struct mbuf *m, const struct in_rxinfo *rx)
{
	uint8_t type;

	if (inp->inp_icmpfilter == 0 || rx->rx_proto != IPPROTO_ICMP || rx->rx_len == 0)
		return false;
	m_copydata(m, rx->rx_hlen, 1, &type);
	return type < 32 && (inp->inp_icmpfilter >> type & 1) != 0;
}

bool
rip_input(const struct mbuf *m, const struct in_rxinfo *rx)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	struct inpcb *inp;
	struct mbuf *copy;
	bool taken = false;

	TAILQ_FOREACH(inp, &ns->ns_inet->is_rip.rs_raw.it_queue, inp_queue) {
		if (inp->inp_proto != rx->rx_proto || inp->inp_proto == IPPROTO_RAW ||
		    !rip_wants(inp, rx))
			continue;
		taken = true;
		if (rip_filtered(inp, m, rx))
			continue;
		if ((copy = m_copym(m, 0, m->m_pkthdr.len)) != NULL)
			rip_append(inp, copy, rx);
		else
			ns->ns_drops[DROP_MBUF_NOBUFS]++;
	}
	return taken;
}

void
icmp_sock_input(struct mbuf *m, const struct in_rxinfo *rx, uint16_t id)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	struct inpcb *inp = NULL;

	while ((inp = in_pcbnext_port(&ns->ns_inet->is_rip.rs_icmp, id, inp)) != NULL)
		if (rip_wants(inp, rx))
			break;
	if (inp == NULL || id == 0) {
		m_drop(m, DROP_ICMP_NOSOCK);
		return;
	}
	m_adj(m, rx->rx_hlen);
	rip_append(inp, m, rx);
}

/* --- errors --------------------------------------------------------------------------------- */

void
rip_notify(struct inpcb *inp, const struct in_ctlinfo *ci)
{
	in_dgram_notify(inp, ci, 0, 0, !in_addrany_isany(&inp->inp_faddr));
}

/* An error about an echo request: to the ICMP socket that sent it. => false: there is none */
static bool
icmp_sock_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci)
{
	struct inpcb *inp = NULL;
	struct icmp4_hdr icmp;

	if (icmp4_parse(ci->ci_head, ci->ci_headlen, &icmp) != 0 || icmp.icmp_type != ICMP4_ECHO ||
	    icmp.icmp_id == 0)
		return false;
	while ((inp = in_pcbnext_port(&ns->ns_inet->is_rip.rs_icmp, icmp.icmp_id, inp)) != NULL) {
		if (in_addrany_isany(&inp->inp_faddr) ||
		    in_addrany_eq(&inp->inp_faddr, &ci->ci_dst)) {
			rip_notify(inp, ci);
			return true;
		}
	}
	return false;
}

bool
rip_concerns(const struct inpcb *inp, const struct in_ctlinfo *ci)
{
	if (inp->inp_socket == NULL)
		return false;
	if (in_addrany_isany(&inp->inp_faddr))
		return in_errq_wanted(inp, ci->ci_af) &&
		    (in_addrany_isany(&inp->inp_laddr) ||
			in_addrany_eq(&inp->inp_laddr, &ci->ci_src));
	return in_addrany_eq(&inp->inp_faddr, &ci->ci_dst);
}

bool
rip_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci, uint8_t proto)
{
	bool taken = proto == IPPROTO_ICMP && icmp_sock_ctlinput(ns, ci);
	struct inpcb *inp;

	TAILQ_FOREACH(inp, &ns->ns_inet->is_rip.rs_raw.it_queue, inp_queue) {
		if (inp->inp_proto == proto && rip_concerns(inp, ci)) {
			rip_notify(inp, ci);
			taken = true;
		}
	}
	return taken;
}

/* --- sending -------------------------------------------------------------------------------- */

/* A raw socket is of one family: a mapped address is none of its. */
static int
rip_parse(const struct inpcb *inp, const struct bsd_sockaddr *nam, struct in_endpoint *ep)
{
	const struct in_afops *af;
	int error = in_pcb_parsedest(inp, nam, ep, &af);

	return error == 0 && af != inp->inp_af ? ENETUNREACH : error;
}

/* Where it goes: nam, or the peer. */
static int
rip_send_dest(struct inpcb *inp, const struct bsd_sockaddr *nam, struct in_txinfo *tx)
{
	const struct in_afops *af = inp->inp_af;
	struct in_endpoint ep = {.ie_addr = inp->inp_faddr};
	int error;

	if (nam != NULL) {
		if ((inp->inp_socket->so_state & SS_ISCONNECTED) != 0)
			return EISCONN;
		if ((error = rip_parse(inp, nam, &ep)) != 0)
			return error;
	} else if ((inp->inp_socket->so_state & SS_ISCONNECTED) == 0) {
		return EDESTADDRREQ;
	}
	if (in_addrany_isany(&ep.ie_addr))
		ep.ie_addr = af->af_loopback();
	in_pcb_txdest(inp, &ep.ie_addr, tx);
	return 0;
}

int
rip_send_txinfo(struct inpcb *inp, int flags, const struct bsd_sockaddr *nam, struct mbuf *control,
    struct in_txinfo *tx)
{
	int error;

	in_pcb_txinfo(inp, inp->inp_af, inp->inp_proto, tx);
	error = (flags & (MSG_OOB | PRUS_MORETOCOME)) != 0 ? EOPNOTSUPP
							   : in_pcb_txcontrol(inp, control, tx);
	m_freem(control);
	return error != 0 ? error : rip_send_dest(inp, nam, tx);
}

static int
rip_send(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	struct inpcb *inp = so->so_pcb;
	struct in_txinfo tx;
	int error = rip_send_txinfo(inp, flags, nam, control, &tx);

	if (error != 0) {
		m_freem(m);
		return error;
	}
	if ((inp->inp_flags & INP_HDRINCL) != 0)
		return in_errq_sent(inp, &tx, inp->inp_fport, ip_output_hdrincl(m, &tx));
	return in_errq_sent(inp, &tx, inp->inp_fport, ip_output(m, &tx));
}

/*
 * The header of what an ICMP socket sends: an echo request with the socket's identifier.
 * => m, or NULL: refused (*error), and freed
 */
static struct mbuf *
icmp_sock_header(const struct inpcb *inp, struct mbuf *m, int *error)
{
	struct icmp4_hdr icmp;

	*error = EINVAL;
	if (m->m_pkthdr.len < ICMP4_HDR_LEN) {
		m_freem(m);
		return NULL;
	}
	if ((m->m_len < ICMP4_HDR_LEN || !m_writable(m)) &&
	    (m = m_pullup(m, ICMP4_HDR_LEN)) == NULL) {
		*error = ENOBUFS;
		return NULL;
	}
	(void)icmp4_parse(m->m_data, m->m_len, &icmp);
	if (icmp.icmp_type != ICMP4_ECHO || icmp.icmp_code != 0) {
		m_freem(m);
		return NULL;
	}
	icmp.icmp_id = inp->inp_lport;
	icmp.icmp_sum = 0;
	icmp4_emit(m->m_data, &icmp);
	icmp.icmp_sum = cksum_finish(m_cksum(m, 0, m->m_pkthdr.len));
	icmp4_emit(m->m_data, &icmp);
	return m;
}

static int
icmp_sock_send(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	struct inpcb *inp = so->so_pcb;
	struct in_txinfo tx;
	int error = rip_send_txinfo(inp, flags, nam, control, &tx);

	if (error == 0 && inp->inp_lport == 0)
		error = in_pcbbind(inp, NULL);
	if (error != 0) {
		m_freem(m);
		return error;
	}
	if ((m = icmp_sock_header(inp, m, &error)) == NULL)
		return error;
	return in_errq_sent(inp, &tx, inp->inp_fport, ip_output(m, &tx));
}

/* --- life ----------------------------------------------------------------------------------- */

int
rip_attach_pcb(struct socket *so, struct inpcbtable *table, int protocol)
{
	struct rip_state *rs = &so->so_ns->ns_inet->is_rip;
	struct inpcb *inp;
	int error;

	if ((error = soreserve(so, rs->rs_sendspace, rs->rs_recvspace)) != 0 ||
	    (error = in_pcballoc(table, so, so->so_proto->pr_domain->dom_afops, &inp)) != 0)
		return error;
	inp->inp_proto = (uint8_t)protocol;
	return 0;
}

static int
rip_attach(struct socket *so, int protocol)
{
	int error;

	if (protocol <= 0 || protocol > IPPROTO_RAW)
		return EPROTONOSUPPORT;
	error = rip_attach_pcb(so, &so->so_ns->ns_inet->is_rip.rs_raw, protocol);
	if (error == 0 && protocol == IPPROTO_RAW)
		((struct inpcb *)so->so_pcb)->inp_flags |= INP_HDRINCL;
	return error;
}

static int
icmp_sock_attach(struct socket *so, int protocol)
{
	(void)protocol;
	return rip_attach_pcb(so, &so->so_ns->ns_inet->is_rip.rs_icmp, IPPROTO_ICMP);
}

int
rip_bind(struct socket *so, const struct bsd_sockaddr *nam)
{
	struct inpcb *inp = so->so_pcb;
	const struct in_afops *af;
	struct in_endpoint ep;
	int error;

	if (nam == NULL)
		return EINVAL;
	if ((error = in_pcb_parselocal(inp, nam, &ep, &af)) != 0)
		return error;
	if (af != inp->inp_af || !in_pcbaddr_ok(inp, af, &ep.ie_addr))
		return EADDRNOTAVAIL;
	inp->inp_laddr = ep.ie_addr;
	if (!in_addrany_isany(&ep.ie_addr))
		inp->inp_flags |= INP_BOUNDADDR;
	return 0;
}

int
rip_connect(struct socket *so, const struct bsd_sockaddr *nam)
{
	struct inpcb *inp = so->so_pcb;
	struct in_endpoint ep;
	int error;

	if ((so->so_state & SS_ISCONNECTED) != 0)
		return EISCONN;
	if (inp->inp_boundif != 0 && in_pcb_ifp(inp) == NULL)
		return ENODEV;
	if ((error = rip_parse(inp, nam, &ep)) != 0)
		return error;
	if (in_addrany_isany(&ep.ie_addr))
		ep.ie_addr = inp->inp_af->af_loopback();
	if ((so->so_options & SO_BROADCAST) == 0 &&
	    inp->inp_af->af_isbroadcast(inp->inp_ns, &ep.ie_addr))
		return EACCES;
	if (so->so_proto->pr_type == SOCK_DGRAM && inp->inp_lport == 0 &&
	    (error = in_pcbbind(inp, NULL)) != 0)
		return error;
	if (in_addrany_isany(&inp->inp_laddr) &&
	    (error = inp->inp_af->af_selectsrc(inp->inp_ns, &ep.ie_addr, in_pcb_ifp(inp),
		 &inp->inp_laddr)) != 0)
		return error;
	inp->inp_faddr = ep.ie_addr;
	soisconnected(so);
	return 0;
}

int
rip_disconnect(struct socket *so)
{
	static const struct in_addrany any;
	struct inpcb *inp = so->so_pcb;

	if ((so->so_state & SS_ISCONNECTED) == 0)
		return ENOTCONN;
	inp->inp_faddr = any;
	if ((inp->inp_flags & INP_BOUNDADDR) == 0)
		inp->inp_laddr = any;
	so->so_state &= ~(uint32_t)SS_ISCONNECTED;
	return 0;
}

const struct pr_usrreqs rip_usrreqs = {
    .pr_attach = rip_attach,
    .pr_detach = in_dgram_detach,
    .pr_bind = rip_bind,
    .pr_listen = in_dgram_listen,
    .pr_connect = rip_connect,
    .pr_accept = in_dgram_accept,
    .pr_disconnect = rip_disconnect,
    .pr_abort = in_dgram_abort,
    .pr_shutdown = in_dgram_shutdown,
    .pr_rcvd = in_dgram_rcvd,
    .pr_rcvoob = in_dgram_rcvoob,
    .pr_rcverr = in_errq_next,
    .pr_send = rip_send,
    .pr_sockaddr = in_dgram_sockaddr,
    .pr_peeraddr = in_dgram_peeraddr,
};

const struct pr_usrreqs icmp_usrreqs = {
    .pr_attach = icmp_sock_attach,
    .pr_detach = in_dgram_detach,
    .pr_bind = in_dgram_bind,
    .pr_listen = in_dgram_listen,
    .pr_connect = rip_connect,
    .pr_accept = in_dgram_accept,
    .pr_disconnect = rip_disconnect,
    .pr_abort = in_dgram_abort,
    .pr_shutdown = in_dgram_shutdown,
    .pr_rcvd = in_dgram_rcvd,
    .pr_rcvoob = in_dgram_rcvoob,
    .pr_rcverr = in_errq_next,
    .pr_send = icmp_sock_send,
    .pr_sockaddr = in_dgram_sockaddr,
    .pr_peeraddr = in_dgram_peeraddr,
};

static int
rip_filter_ctloutput(struct inpcb *inp, struct sockopt *sopt)
{
	if (sopt->sopt_name != ICMP_FILTER || inp->inp_proto != IPPROTO_ICMP)
		return sopt->sopt_name != ICMP_FILTER ? ENOPROTOOPT : EOPNOTSUPP;
	if (!sopt->sopt_set) {
		sockopt_put(sopt, &inp->inp_icmpfilter, sizeof(inp->inp_icmpfilter));
		return 0;
	}
	inp->inp_icmpfilter = 0;
	memcpy(&inp->inp_icmpfilter, sopt->sopt_data,
	    KERN_MIN(sopt->sopt_size, sizeof(inp->inp_icmpfilter)));
	return 0;
}

int
rip_ctloutput(struct socket *so, struct sockopt *sopt)
{
	struct inpcb *inp = so->so_pcb;
	int value, error;

	if (sopt->sopt_level == IPPROTO_RAW && so->so_proto->pr_type == SOCK_RAW)
		return rip_filter_ctloutput(inp, sopt);
	if (sopt->sopt_level != IPPROTO_IP || sopt->sopt_name != IP_HDRINCL ||
	    so->so_proto->pr_type != SOCK_RAW)
		return in_pcb_ctloutput(inp, sopt);
	if (!sopt->sopt_set) {
		sockopt_putint(sopt, (inp->inp_flags & INP_HDRINCL) != 0);
		return 0;
	}
	if ((error = sockopt_getint(sopt, &value)) != 0)
		return error;
	if (value != 0)
		inp->inp_flags |= INP_HDRINCL;
	else
		inp->inp_flags &= ~(uint32_t)INP_HDRINCL;
	return 0;
}
