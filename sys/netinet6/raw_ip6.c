/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw sockets of IPv6 and ICMPv6 sockets (RFC 3542 §3); what they have in common with IPv4's is in
 * netinet/raw_ip.c.
 *
 * A raw socket gets a copy of what is behind the headers of each packet of its protocol that its addresses
 * fit; what it sends gets a header, and a message of ICMPv6 its checksum. An ICMPv6 socket (SOCK_DGRAM,
 * IPPROTO_ICMPV6) sends echo requests; the identifier is its port, and replies with it come back.
 *
 * Deviation: no header can be brought along (IPPROTO_RAW), and no checksum of another protocol is made
 * (IPV6_CHECKSUM).
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_dgram.h"
#include "netinet/in_pcb_af.h"
#include "netinet/raw_ip.h"
#include "netinet6/ip6_var.h"

#define RIP6_MAXPCBS 4096u

int
rip6_init(struct netstack *ns, struct rip6_state *r6)
{
	int error = in_pcbtable_init(&r6->r6_raw, ns, "rawpcb6", RIP6_MAXPCBS);

	if (error != 0)
		return error;
	if ((error = in_pcbtable_init(&r6->r6_icmp, ns, "icmp6pcb", RIP6_MAXPCBS)) != 0)
		in_pcbtable_fini(&r6->r6_raw);
	r6->r6_icmp.it_portlo = 1; /* any identifier but zero */
	return error;
}

void
rip6_fini(struct rip6_state *r6)
{
	in_pcbtable_fini(&r6->r6_icmp);
	in_pcbtable_fini(&r6->r6_raw);
}

/* --- receiving ------------------------------------------------------------------------------ */

/* ICMP6_FILTER: a bit for each type that the socket does not want. */
static bool
rip6_filtered(const struct inpcb *inp, const struct mbuf *m, const struct in_rxinfo *rx)
{
	const struct in_dgram *dg = inp->inp_ppcb;
	uint8_t type;

	if (dg == NULL || rx->rx_proto != IPPROTO_ICMPV6)
		return false;
	m_copydata(m, rx->rx_hlen, 1, &type);
	return (dg->dg_icmp6filter[type / 32] >> type % 32 & 1) != 0;
}

bool
rip6_input(const struct mbuf *m, const struct in_rxinfo *rx)
{
	struct netstack *ns = rx->rx_ifp->if_ns;
	struct inpcb *inp;
	struct mbuf *copy;
	bool taken = false;

	TAILQ_FOREACH(inp, &ns->ns_inet6->i6_rip6.r6_raw.it_queue, inp_queue) {
		if (inp->inp_proto != rx->rx_proto || !rip_wants(inp, rx))
			continue;
		taken = true;
		if (rip6_filtered(inp, m, rx))
			continue;
		if ((copy = m_copym(m, rx->rx_hlen, m->m_pkthdr.len - rx->rx_hlen)) != NULL)
			rip_append(inp, copy, rx);
		else
			ns->ns_drops[DROP_MBUF_NOBUFS]++;
	}
	return taken;
}

void
icmp6_sock_input(struct mbuf *m, const struct in_rxinfo *rx, uint16_t id)
{
	struct inpcbtable *table = &rx->rx_ifp->if_ns->ns_inet6->i6_rip6.r6_icmp;
	struct inpcb *inp = NULL;

	while ((inp = in_pcbnext_port(table, id, inp)) != NULL)
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

/* An error about an echo request: to the ICMPv6 socket that sent it. => false: there is none */
static bool
icmp6_sock_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci)
{
	struct inpcbtable *table = &ns->ns_inet6->i6_rip6.r6_icmp;
	struct inpcb *inp = NULL;
	struct icmp6_hdr icmp6;

	if (icmp6_parse(ci->ci_head, ci->ci_headlen, &icmp6) != 0 ||
	    icmp6.icmp6_type != ICMP6_ECHO || icmp6.icmp6_word >> 16 == 0)
		return false;
	while ((inp = in_pcbnext_port(table, (uint16_t)(icmp6.icmp6_word >> 16), inp)) != NULL) {
		if (in_addrany_isany(&inp->inp_faddr) ||
		    in_addrany_eq(&inp->inp_faddr, &ci->ci_dst)) {
			rip_notify(inp, ci);
			return true;
		}
	}
	return false;
}

bool
rip6_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci, uint8_t proto)
{
	bool taken = proto == IPPROTO_ICMPV6 && icmp6_sock_ctlinput(ns, ci);
	struct inpcb *inp;

	TAILQ_FOREACH(inp, &ns->ns_inet6->i6_rip6.r6_raw.it_queue, inp_queue) {
		if (inp->inp_proto == proto && rip_concerns(inp, ci)) {
			rip_notify(inp, ci);
			taken = true;
		}
	}
	return taken;
}

/* --- sending -------------------------------------------------------------------------------- */

/* With its first ICMP6_HDR_LEN bytes to be written. => NULL: refused (*error), and freed */
static struct mbuf *
icmp6_head(struct mbuf *m, int *error)
{
	*error = EINVAL;
	if (m->m_pkthdr.len < ICMP6_HDR_LEN) {
		m_freem(m);
		return NULL;
	}
	*error = ENOBUFS;
	if (m->m_len < ICMP6_HDR_LEN || !m_writable(m))
		m = m_pullup(m, ICMP6_HDR_LEN);
	return m;
}

static int
rip6_send(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	struct inpcb *inp = so->so_pcb;
	struct in_txinfo tx;
	int error = rip_send_txinfo(inp, flags, nam, control, &tx);

	if (error != 0) {
		m_freem(m);
		return error;
	}
	if (inp->inp_proto != IPPROTO_ICMPV6)
		return in_errq_sent(inp, &tx, 0, ip6_output(m, &tx));
	if ((m = icmp6_head(m, &error)) == NULL)
		return error;
	return in_errq_sent(inp, &tx, 0, icmp6_output(m, &tx));
}

/* An echo request, with the socket's identifier. */
static int
icmp6_sock_send(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	struct inpcb *inp = so->so_pcb;
	struct icmp6_hdr icmp6;
	struct in_txinfo tx;
	int error = rip_send_txinfo(inp, flags, nam, control, &tx);

	if (error == 0 && inp->inp_lport == 0)
		error = in_pcbbind(inp, NULL);
	if (error != 0) {
		m_freem(m);
		return error;
	}
	if ((m = icmp6_head(m, &error)) == NULL)
		return error;
	(void)icmp6_parse(m->m_data, m->m_len, &icmp6);
	if (icmp6.icmp6_type != ICMP6_ECHO || icmp6.icmp6_code != 0) {
		m_freem(m);
		return EINVAL;
	}
	icmp6.icmp6_word = (uint32_t)inp->inp_lport << 16 | (icmp6.icmp6_word & 0xffff);
	icmp6_emit(m->m_data, &icmp6);
	return in_errq_sent(inp, &tx, 0, icmp6_output(m, &tx));
}

/* --- life ----------------------------------------------------------------------------------- */

static int
rip6_attach(struct socket *so, int protocol)
{
	if (protocol <= 0 || protocol >= IPPROTO_RAW)
		return EPROTONOSUPPORT;
	return rip_attach_pcb(so, &so->so_ns->ns_inet6->i6_rip6.r6_raw, protocol);
}

static int
icmp6_sock_attach(struct socket *so, int protocol)
{
	(void)protocol;
	return rip_attach_pcb(so, &so->so_ns->ns_inet6->i6_rip6.r6_icmp, IPPROTO_ICMPV6);
}

const struct pr_usrreqs rip6_usrreqs = {
    .pr_attach = rip6_attach,
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
    .pr_send = rip6_send,
    .pr_sockaddr = in_dgram_sockaddr,
    .pr_peeraddr = in_dgram_peeraddr,
};

const struct pr_usrreqs icmp6_usrreqs = {
    .pr_attach = icmp6_sock_attach,
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
    .pr_send = icmp6_sock_send,
    .pr_sockaddr = in_dgram_sockaddr,
    .pr_peeraddr = in_dgram_peeraddr,
};

/* As Linux: of raw sockets of ICMPv6; less than all of it sets its beginning. */
static int
rip6_filter_ctloutput(struct inpcb *inp, struct sockopt *sopt)
{
	struct in_dgram *dg = in_dgram_get(inp);

	if (sopt->sopt_name != ICMP6_FILTER || inp->inp_proto != IPPROTO_ICMPV6)
		return ENOPROTOOPT;
	if (dg == NULL)
		return ENOBUFS;
	if (sopt->sopt_set)
		memcpy(dg->dg_icmp6filter, sopt->sopt_data,
		    KERN_MIN(sopt->sopt_size, sizeof(dg->dg_icmp6filter)));
	else
		sockopt_put(sopt, dg->dg_icmp6filter, sizeof(dg->dg_icmp6filter));
	return 0;
}

int
rip6_ctloutput(struct socket *so, struct sockopt *sopt)
{
	struct inpcb *inp = so->so_pcb;

	if (sopt->sopt_level == IPPROTO_ICMPV6 && so->so_proto->pr_type == SOCK_RAW)
		return rip6_filter_ctloutput(inp, sopt);
	return in_pcb_ctloutput(inp, sopt);
}
