/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control messages of datagrams (RFC 1122 §4.1.3, §4.1.4): what a socket is told of each packet, by
 * IP_RECVDSTADDR, IP_RECVPKTINFO, IP_RECVTTL, IP_RECVTOS, IP_ORIGDSTADDR, SO_RXQ_OVFL and SO_TIMESTAMP,
 * and what a sender may ask of one: IP_PKTINFO, IP_TTL, IP_TOS.
 *
 *      | bsd_cmsghdr | pad to 8 | data | pad to 8 | bsd_cmsghdr | ...
 *
 * A time stamp is the stack's clock (SCM_MONOTONIC): doors know the time of day.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_dgram.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"

#define IP_CONTROLOPTS (INP_RECVDSTADDR | INP_PKTINFO | INP_RECVTTL | INP_RECVTOS | INP_ORIGDST)

void
in_cmsg_put(struct mbuf *m, int level, int type, const void *data, size_t len)
{
	struct bsd_cmsghdr cm = {(uint32_t)BSD_CMSG_LEN(len), level, type};

	memset(m->m_data + m->m_len, 0, BSD_CMSG_SPACE(len));
	memcpy(m->m_data + m->m_len, &cm, sizeof(cm));
	memcpy(m->m_data + m->m_len + BSD_CMSG_LEN(0), data, len);
	m->m_len += (uint32_t)BSD_CMSG_SPACE(len);
}

/* Datagrams that the socket has lost so far. => 0: none, or it is not to be told */
static uint32_t
cmsg_ndrops(const struct inpcb *inp)
{
	const struct in_dgram *dg = in_dgram_find(inp);

	return (inp->inp_flags & INP_RXQOVFL) != 0 && dg != NULL ? dg->dg_ndrops : 0;
}

int
in_cmsg_begin(const struct inpcb *inp, bool wanted, struct mbuf **controlp)
{
	const struct netstack *ns = inp->inp_ns;
	struct bsd_timespec ts = {(int64_t)(ns->ns_now / NSEC_PER_SEC),
	    (int64_t)(ns->ns_now % NSEC_PER_SEC)};
	bool stamp = (inp->inp_socket->so_options & SO_TIMESTAMP) != 0;
	uint32_t ndrops = cmsg_ndrops(inp);

	*controlp = NULL;
	if (!wanted && !stamp && ndrops == 0)
		return 0;
	if ((*controlp = m_get(inp->inp_ns, MT_CONTROL)) == NULL)
		return ENOBUFS;
	if (stamp)
		in_cmsg_put(*controlp, SOL_SOCKET, SCM_MONOTONIC, &ts, sizeof(ts));
	if (ndrops > 0)
		in_cmsg_put(*controlp, SOL_SOCKET, SO_RXQ_OVFL, &ndrops, sizeof(ndrops));
	return 0;
}

int
ip_savecontrol(const struct inpcb *inp, const struct in_rxinfo *rx, struct mbuf **controlp)
{
	const struct in_endpoint dst = {rx->rx_dst, inp->inp_lport};
	struct bsd_in_pktinfo pi = {rx->rx_dst.ia_w[0], rx->rx_ifp->if_index};
	union bsd_sockaddr_any sa;
	struct mbuf *m;
	int error = in_cmsg_begin(inp, (inp->inp_flags & IP_CONTROLOPTS) != 0, controlp);

	if ((m = *controlp) == NULL)
		return error;
	if ((inp->inp_flags & INP_RECVDSTADDR) != 0)
		in_cmsg_put(m, IPPROTO_IP, IP_RECVDSTADDR, &pi.ipi_addr_be, sizeof(pi.ipi_addr_be));
	if ((inp->inp_flags & INP_PKTINFO) != 0)
		in_cmsg_put(m, IPPROTO_IP, IP_PKTINFO, &pi, sizeof(pi));
	if ((inp->inp_flags & INP_RECVTTL) != 0)
		in_cmsg_put(m, IPPROTO_IP, IP_RECVTTL, &rx->rx_ttl, sizeof(rx->rx_ttl));
	if ((inp->inp_flags & INP_RECVTOS) != 0)
		in_cmsg_put(m, IPPROTO_IP, IP_RECVTOS, &rx->rx_tos, sizeof(rx->rx_tos));
	if ((inp->inp_flags & INP_ORIGDST) != 0) {
		rx->rx_af->af_emit(&dst, &sa);
		in_cmsg_put(m, IPPROTO_IP, IP_ORIGDSTADDR, &sa, sizeof(sa.sin));
	}
	return 0;
}

/* The source and the interface of one packet. => EINVAL, ENXIO no such interface, EADDRNOTAVAIL */
static int
cmsg_pktinfo(const struct inpcb *inp, const struct bsd_in_pktinfo *pi, struct in_txinfo *tx)
{
	struct in_addrany src = in4_any(pi->ipi_addr_be);

	if (pi->ipi_ifindex != 0 && (tx->tx_ifp = if_byindex(inp->inp_ns, pi->ipi_ifindex)) == NULL)
		return ENXIO;
	if (in_addrany_isany(&src))
		return 0;
	if (!in_addr_islocal(inp->inp_ns, src.ia_w[0]) && (inp->inp_flags & INP_BINDANY) == 0)
		return EADDRNOTAVAIL;
	tx->tx_src = src;
	return 0;
}

int
in_cmsg_int(const uint8_t *data, size_t len, int *value)
{
	if (len == 1)
		*value = *data;
	else if (len == sizeof(*value))
		memcpy(value, data, sizeof(*value));
	else
		return EINVAL;
	return *value < 0 || *value > 255 ? EINVAL : 0;
}

int
ip_cmsg_take(const struct inpcb *inp, const struct bsd_cmsghdr *cm, const uint8_t *data,
    struct in_txinfo *tx)
{
	size_t len = cm->cmsg_len - BSD_CMSG_LEN(0);
	struct bsd_in_pktinfo pi;
	int value, error;

	if (cm->cmsg_level != IPPROTO_IP)
		return EINVAL;
	switch (cm->cmsg_type) {
	case IP_PKTINFO:
		if (len != sizeof(pi))
			return EINVAL;
		memcpy(&pi, data, sizeof(pi));
		return cmsg_pktinfo(inp, &pi, tx);
	case IP_TTL:
		if ((error = in_cmsg_int(data, len, &value)) != 0 || value == 0)
			return EINVAL;
		tx->tx_ttl = (uint8_t)value;
		tx->tx_ttlsaid = true;
		return 0;
	case IP_TOS:
		if ((error = in_cmsg_int(data, len, &value)) != 0)
			return error;
		tx->tx_tos = (uint8_t)value;
		return 0;
	default:
		return EINVAL;
	}
}

int
in_cmsg_walk(const struct inpcb *inp, const struct mbuf *control, struct in_txinfo *tx,
    in_cmsg_fn *take)
{
	struct bsd_cmsghdr cm;
	size_t at = 0, left;
	int error = 0;

	if (control == NULL)
		return 0;
	if (control->m_next != NULL)
		return EINVAL;
	for (; error == 0 && at < control->m_len; at += BSD_CMSG_ALIGN(cm.cmsg_len)) {
		left = control->m_len - at;
		if (left < sizeof(cm))
			return EINVAL;
		memcpy(&cm, control->m_data + at, sizeof(cm));
		if (cm.cmsg_len < BSD_CMSG_LEN(0) || cm.cmsg_len > left)
			return EINVAL;
		error = take(inp, &cm, control->m_data + at + BSD_CMSG_LEN(0), tx);
	}
	return error;
}

int
ip_txcontrol(const struct inpcb *inp, const struct mbuf *control, struct in_txinfo *tx)
{
	return in_cmsg_walk(inp, control, tx, ip_cmsg_take);
}
