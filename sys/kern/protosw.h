/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain, protosw and pr_usrreqs: the tables through which the socket layer reaches a protocol,
 * and the only way it does. All are const; state per stack hangs off the netstack.
 */
#ifndef KERN_PROTOSW_H
#define KERN_PROTOSW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>

struct in_afops;
struct mbuf;
struct netstack;
struct socket;
struct sockopt;

#define PR_ATOMIC 0x01       /* one send is one record */
#define PR_ADDR 0x02         /* records carry the sender's address */
#define PR_CONNREQUIRED 0x04 /* must be connected before data moves */
#define PR_WANTRCVD 0x08     /* tell pr_rcvd when data was read */
#define PR_LISTEN 0x10       /* listen and accept make sense */

/*
 * What a socket may ask of its protocol. All run to completion and never sleep; connect only
 * starts a connection. Results are errnos. An address is a sockaddr of sa_len bytes, checked by
 * the socket layer to lie within its buffer, and by the protocol for everything else.
 * => a protocol that lets go of a socket sets so_pcb to NULL (and calls sofree when SS_NOFDREF);
 *    from then on nothing here is called for that socket.
 */
struct pr_usrreqs {
	int (*pr_attach)(struct socket *so, int protocol);
	/* The socket goes; the protocol may live on (TIME-WAIT), without it. */
	void (*pr_detach)(struct socket *so);
	int (*pr_bind)(struct socket *so, const struct bsd_sockaddr *nam);
	int (*pr_listen)(struct socket *so, int backlog);
	int (*pr_connect)(struct socket *so, const struct bsd_sockaddr *nam);
	/* Takes the address of a connection that accept hands out. */
	int (*pr_accept)(struct socket *so, union bsd_sockaddr_any *nam);
	int (*pr_disconnect)(struct socket *so);
	void (*pr_abort)(struct socket *so);
	int (*pr_shutdown)(struct socket *so); /* sending side */
	void (*pr_rcvd)(struct socket *so, int flags);
	int (*pr_rcvoob)(struct socket *so, uint8_t *byte, int flags);
	/* The next of the queue of errors, a record as of so_rcv: takes it, or looks. => NULL: none */
	struct mbuf *(*pr_rcverr)(struct socket *so, bool take);
	/*
	 * Consumes m and control. nam NULL: the connected peer. flags: BSD_MSG_OOB, and
	 * PRUS_MORETOCOME when the socket layer has more in hand. With PR_ATOMIC, m is one packet
	 * with a pkthdr, and PRUS_MORETOCOME (BSD_MSG_MORE) says that the next send is its
	 * continuation, EOPNOTSUPP where that cannot be; else it need not have one and may be
	 * empty: no more comes now, send what PRUS_MORETOCOME held back.
	 */
	int (*pr_send)(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
	    struct mbuf *control);
	/* Bytes of the largest packet that a stream hands down: more is given best in pieces of it. */
	uint32_t (*pr_piece)(struct socket *so);
	int (*pr_sockaddr)(struct socket *so, union bsd_sockaddr_any *nam);
	int (*pr_peeraddr)(struct socket *so, union bsd_sockaddr_any *nam);
};

#define PRUS_MORETOCOME 0x10000

struct protosw {
	int16_t pr_type; /* SOCK_STREAM ... */
	int16_t pr_protocol;
	uint32_t pr_flags;
	const struct domain *pr_domain;
	const struct pr_usrreqs *pr_usrreqs;
	/* Options at protocol levels. => ENOPROTOOPT: not known, or not implemented. */
	int (*pr_ctloutput)(struct socket *so, struct sockopt *sopt);
};

struct domain {
	int dom_family;
	const char *dom_name;
	const struct protosw *dom_protosw;
	size_t dom_nprotosw;
	const struct in_afops *dom_afops; /* Internet domains: their addresses (in_afops.h) */
	/* Once a stack. => ENOMEM. dom_fini: all sockets are gone. Either may be NULL. */
	int (*dom_init)(struct netstack *ns);
	void (*dom_fini)(struct netstack *ns);
};

/* => protocol 0 finds the first of that type. NULL: none; *errorp says EAFNOSUPPORT, ... */
const struct protosw *pffind(struct netstack *ns, int family, int type, int protocol, int *errorp);

#endif /* KERN_PROTOSW_H */
