/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagram sockets: what few of them have besides a pcb, and the requests that protocols without
 * connections answer alike.
 */
#ifndef NETINET_IN_DGRAM_H
#define NETINET_IN_DGRAM_H

#include "netinet/in_pcb.h"

struct rumpus_bpf_insn;
struct sockopt;

/* What few datagram sockets have, made when it is first needed: inp_ppcb. */
struct in_dgram {
	struct mbufq dg_errq;             /* in_errq.c */
	struct ip_member_list dg_members; /* groups joined (in_member.c) */
	struct ip_member_list dg_members6;
	uint32_t dg_mcastif;  /* index of the interface that groups are sent by; 0: by route */
	uint32_t dg_mcastif6; /* those of IPv6 */
	struct bsd_in6_pktinfo dg_pktinfo6; /* IPV6_PKTINFO: source and interface, where set */
	uint32_t dg_ndrops;                 /* datagrams that found no place, or were not wanted */
	struct rumpus_bpf_insn *dg_filter;  /* in_filter.c; NULL: there is none */
	uint32_t dg_filterlen;              /* instructions */
	bool dg_cork;                       /* UDP_CORK */
	struct mbuf *dg_held;     /* UDP: the beginning of a datagram, its end is to come */
	struct mbuf *dg_control;  /* what was said of how to send it */
	struct in_endpoint dg_to; /* and where */
	const struct in_afops *dg_af;
	uint32_t dg_icmp6filter[8]; /* ICMP6_FILTER: a bit for each type not wanted */
};

/* => NULL: no memory */
struct in_dgram *in_dgram_get(struct inpcb *inp);
/* => NULL: there is none, or it is a stream */
struct in_dgram *in_dgram_find(const struct inpcb *inp);
/*
 * An ICMP error about what the socket sent to fport of ci_dst, skip bytes of transport header in front of
 * its own data. The path's MTU is learnt; a queue of errors is told, else, with tell, the socket, of an
 * error that does not pass by itself.
 */
void in_dgram_notify(struct inpcb *inp, const struct in_ctlinfo *ci, uint16_t fport, size_t skip,
    bool tell);
/* The requests that protocols without connections answer alike (kern/protosw.h). */
void in_dgram_detach(struct socket *so);
void in_dgram_abort(struct socket *so);
int in_dgram_bind(struct socket *so, const struct bsd_sockaddr *nam);
int in_dgram_listen(struct socket *so, int backlog);
int in_dgram_accept(struct socket *so, union bsd_sockaddr_any *nam);
int in_dgram_shutdown(struct socket *so);
void in_dgram_rcvd(struct socket *so, int flags);
int in_dgram_rcvoob(struct socket *so, uint8_t *byte, int flags);
int in_dgram_sockaddr(struct socket *so, union bsd_sockaddr_any *nam);
int in_dgram_peeraddr(struct socket *so, union bsd_sockaddr_any *nam);

/* in_filter.c: what a datagram socket wants to receive */
/* The three options of it. => EINVAL, ENOMEM, EPERM, ENOENT, EACCES, ENOPROTOOPT */
int in_filter_ctloutput(struct inpcb *inp, struct sockopt *sopt);
/*
 * Shows m, which begins where the filter is to look, to the filter. => what is to be received of it,
 * least bytes or more; NULL: it was not wanted, and is dropped and counted. Consumes m.
 */
struct mbuf *in_filter_apply(const struct inpcb *inp, struct mbuf *m, uint32_t least);
void in_filter_free(struct in_dgram *dg);

#endif /* NETINET_IN_DGRAM_H */
