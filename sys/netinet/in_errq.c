/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue of errors of a datagram socket, which the host's programs ask for by IP_RECVERR and
 * IPV6_RECVERR: each ICMP error about a datagram of theirs, and each datagram that was too long to be
 * sent, with the addressee, what was sent as far as it came back, and who reported it.
 *
 * Theory of operation: the queue is in what hangs off inp_ppcb. A record is made as those of so_rcv are:
 *
 *     MT_SONAME: the addressee | MT_CONTROL: of the ICMP packet, then IP_RECVERR | MT_DATA
 *
 * The wire fills it, so it is limited by socket and by stack; what finds no place is counted, and
 * still told by so_error. That one follows the queue as on Linux: taking an error makes the next
 * one pending.
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
#include "netinet/ip_var.h"

_Static_assert(BSD_CMSG_SPACE(sizeof(struct bsd_ip_recverr)) + 192 <= MLEN,
    "an error stands behind the control messages of its packet");

bool
in_errq_wanted(const struct inpcb *inp, const struct in_afops *af)
{
	return (inp->inp_flags & (af->af_family == AF_INET6 ? IN6P_RECVERR : INP_RECVERR)) != 0;
}

int
in_errq_enable(struct inpcb *inp, uint32_t flag, bool on)
{
	struct in_dgram *dg = on ? in_dgram_get(inp) : inp->inp_ppcb;

	if (on && dg == NULL)
		return ENOBUFS;
	if (on) {
		dg->dg_errq.mq_maxlen = inp->inp_ns->ns_inet->is_errqlen;
		inp->inp_flags |= flag;
		return 0;
	}
	if (dg != NULL)
		in_errq_drain(inp);
	inp->inp_flags &= ~flag;
	return 0;
}

void
in_errq_drain(struct inpcb *inp)
{
	struct in_dgram *dg = inp->inp_ppcb;

	inp->inp_ns->ns_inet->is_nerrq -= dg->dg_errq.mq_len;
	mbufq_drain(&dg->dg_errq);
}

/* The error stands last in the control messages. */
static struct bsd_ip_recverr
errq_get(const struct mbuf *record)
{
	const struct mbuf *control = record->m_next;
	struct bsd_ip_recverr re;
	size_t off = BSD_CMSG_SPACE(sizeof(re)) - BSD_CMSG_LEN(0);

	memcpy(&re, control->m_data + control->m_len - off, sizeof(re));
	return re;
}

/* A record without data. rx: of the ICMP packet, NULL: ours. => NULL: no memory */
static struct mbuf *
errq_record(const struct inpcb *inp, const struct in_afops *af, const struct in_endpoint *to,
    const struct in_rxinfo *rx, const struct bsd_ip_recverr *re)
{
	struct mbuf *m = m_get(inp->inp_ns, MT_SONAME), *control = NULL;
	const bool v6 = (inp->inp_flags & INP_V6) != 0;
	union bsd_sockaddr_any sa;

	if (m == NULL)
		return NULL;
	in_pcb_emit(inp, af, to, &sa);
	memcpy(m->m_data, &sa, sa.sa.sa_len);
	m->m_len = sa.sa.sa_len;
	if (rx != NULL && in_pcb_savecontrol(inp, rx, &control) != 0) {
		m_freem(m);
		return NULL;
	}
	if (control == NULL && (control = m_get(inp->inp_ns, MT_CONTROL)) == NULL) {
		m_freem(m);
		return NULL;
	}
	m->m_next = control;
	in_cmsg_put(control, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, re,
	    sizeof(*re));
	return m;
}

/* What the router quoted, copied: a packet's storage must not be held by a few bytes of it. */
static bool
errq_quote(struct mbuf *record, const struct in_ctlinfo *ci, size_t skip)
{
	size_t off = ci->ci_off + skip, len = ci->ci_m->m_pkthdr.len;
	struct mbuf *m;

	if (off >= len)
		return true;
	len = KERN_MIN(len - off, (size_t)MLEN);
	if ((m = m_get(record->m_ns, MT_DATA)) == NULL)
		return false;
	m_copydata(ci->ci_m, off, len, m->m_data);
	m->m_len = (uint32_t)len;
	record->m_next->m_next = m;
	return true;
}

static bool
errq_isfull(const struct inpcb *inp)
{
	const struct inet_state *is = inp->inp_ns->ns_inet;
	const struct in_dgram *dg = inp->inp_ppcb;

	return dg->dg_errq.mq_len >= dg->dg_errq.mq_maxlen || is->is_nerrq >= is->is_errqtotal;
}

/* Consumes record; NULL: there was no memory for it. */
static void
errq_append(struct inpcb *inp, struct mbuf *record)
{
	struct in_dgram *dg = inp->inp_ppcb;

	if (record == NULL) {
		inp->inp_ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return;
	}
	(void)mbufq_enqueue(&dg->dg_errq, record);
	inp->inp_ns->ns_inet->is_nerrq++;
}

/* Who reported the error, as the socket's domain shows addresses. */
static void
errq_offender(const struct inpcb *inp, const struct in_ctlinfo *ci, struct bsd_ip_recverr *re)
{
	const struct in_endpoint from = {ci->ci_rx->rx_src, 0};
	union bsd_sockaddr_any sa;

	in_pcb_emit(inp, ci->ci_af, &from, &sa);
	if (sa.sa.sa_family == AF_INET) {
		memcpy(re->re_offender, &sa.sin.sin_addr, sizeof(sa.sin.sin_addr));
		return;
	}
	memcpy(re->re_offender, &sa.sin6.sin6_addr, sizeof(sa.sin6.sin6_addr));
	re->re_scope_id = sa.sin6.sin6_scope_id;
}

static void
errq_append_icmp(struct inpcb *inp, const struct in_ctlinfo *ci, uint16_t fport, size_t skip)
{
	struct in_endpoint to = {ci->ci_dst, fport};
	struct bsd_ip_recverr re = {.re_errno = (uint32_t)ci->ci_errno,
	    .re_origin =
		ci->ci_af->af_family == AF_INET6 ? BSD_SO_EE_ORIGIN_ICMP6 : BSD_SO_EE_ORIGIN_ICMP,
	    .re_type = ci->ci_type,
	    .re_code = ci->ci_code,
	    .re_info = ci->ci_info};
	struct mbuf *record;

	errq_offender(inp, ci, &re);
	record = errq_record(inp, ci->ci_af, &to, ci->ci_rx, &re);
	if (record != NULL && !errq_quote(record, ci, skip)) {
		m_freem(record);
		record = NULL;
	}
	errq_append(inp, record);
}

void
in_errq_icmp(struct inpcb *inp, const struct in_ctlinfo *ci, uint16_t fport, size_t skip)
{
	const uint8_t pmtudisc = in_pcb_pmtudisc(inp, ci->ci_af);
	struct socket *so = inp->inp_socket;

	KASSERT(in_errq_wanted(inp, ci->ci_af));
	if (ci->ci_ctl == IN_CTL_MSGSIZE &&
	    (pmtudisc == IP_PMTUDISC_DONT ||
		(pmtudisc >= IP_PMTUDISC_INTERFACE && ci->ci_af->af_family == AF_INET6)))
		return; /* as on Linux; by IPv4 those that go by the interface are told */
	if (errq_isfull(inp))
		inp->inp_ns->ns_drops[DROP_ICMP_ERRQ]++;
	else
		errq_append_icmp(inp, ci, fport, skip);
	so->so_error = ci->ci_errno;
	sorwakeup(so);
	sowwakeup(so);
}

int
in_errq_sent(struct inpcb *inp, const struct in_txinfo *tx, uint16_t fport, int error)
{
	struct in_endpoint to = {tx->tx_dst, fport};
	struct bsd_ip_recverr re = {.re_errno = EMSGSIZE, .re_origin = BSD_SO_EE_ORIGIN_LOCAL};
	struct ifnet *ifp;
	bool direct;

	if (error != EMSGSIZE || !in_errq_wanted(inp, tx->tx_af))
		return error;
	ifp = tx->tx_af->af_route(inp->inp_ns, &tx->tx_dst, tx->tx_ifp, &re.re_info, &direct);
	if (ifp == NULL)
		return error;
	if (tx->tx_pmtudisc >= IP_PMTUDISC_PROBE)
		re.re_info = ifp->if_mtu;
	if (errq_isfull(inp))
		inp->inp_ns->ns_drops[DROP_ICMP_ERRQ]++;
	else
		errq_append(inp, errq_record(inp, tx->tx_af, &to, NULL, &re));
	return error;
}

static bool
errq_isicmp(const struct bsd_ip_recverr *re)
{
	return re->re_origin == BSD_SO_EE_ORIGIN_ICMP || re->re_origin == BSD_SO_EE_ORIGIN_ICMP6;
}

struct mbuf *
in_errq_next(struct socket *so, bool take)
{
	struct inpcb *inp = so->so_pcb;
	struct in_dgram *dg = inp->inp_ppcb;
	struct bsd_ip_recverr next = {0}, took;
	struct mbuf *m;

	if (dg == NULL || !take)
		return dg != NULL ? dg->dg_errq.mq_head : NULL;
	if ((m = mbufq_dequeue(&dg->dg_errq)) == NULL)
		return NULL;
	inp->inp_ns->ns_inet->is_nerrq--;
	took = errq_get(m);
	if (dg->dg_errq.mq_head != NULL)
		next = errq_get(dg->dg_errq.mq_head);
	if (errq_isicmp(&next))
		so->so_error = (int)next.re_errno;
	else if (errq_isicmp(&took))
		so->so_error = 0;
	if (next.re_origin != 0)
		sorwakeup(so);
	return m;
}
