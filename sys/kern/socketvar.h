/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets: the kernel's half of a descriptor.
 *
 * Life cycle: socreate -> (bind, connect | listen) -> data -> soclose. A listening socket keeps
 * so_q0 (connections being made) and so_q (made, waiting for accept); sonewconn puts a new socket
 * on so_q0, soisconnected moves it to so_q, soaccept takes it off. soclose with data still to be
 * sent leaves the protocol to finish: the socket stays without descriptor (SS_NOFDREF) until
 * the protocol lets go (sofree).
 *
 * Calls that "may sleep" do so only in an lwp, and never with MSG_DONTWAIT or SS_NBIO.
 */
#ifndef KERN_SOCKETVAR_H
#define KERN_SOCKETVAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>

#include "kern/protosw.h"
#include "kern/queue.h"
#include "kern/select.h"
#include "kern/sockbuf.h"
#include "kern/uio.h"

/* so_state */
#define SS_NOFDREF 0x0001
#define SS_ISCONNECTED 0x0002
#define SS_ISCONNECTING 0x0004
#define SS_ISDISCONNECTING 0x0008
#define SS_CANTSENDMORE 0x0010
#define SS_CANTRCVMORE 0x0020
#define SS_RCVATMARK 0x0040
#define SS_ISABORTING 0x0080
#define SS_NBIO 0x0100
#define SS_ISDISCONNECTED 0x0800
#define SS_HOLDING \
	0x1000 /* the protocol has the beginning of a datagram: the rest needs no address */

TAILQ_HEAD(socket_list, socket);

/* so_onq */
enum { SOQ_NONE, SOQ_Q0, SOQ_Q };

struct socket {
	struct netstack *so_ns;
	const struct protosw *so_proto;
	void *so_pcb;
	uint32_t so_options; /* BSD_SO_* bits */
	uint32_t so_state;
	int so_error;        /* reported once */
	uint32_t so_refs;    /* held by upcalls and sleeping calls (sohold, sorele) */
	uint32_t so_oobmark; /* bytes of so_rcv before the mark */
	uint32_t so_qlen;    /* of a listener: connections that wait for accept */
	uint16_t so_linger_s;
	uint8_t so_priority; /* SO_PRIORITY */
	bool so_listens;     /* or did: so_q0 and so_q hold, which is no connection's */
	uint8_t so_onq;      /* SOQ_*: the queue of so_head that we are on */
	bool so_rcvdlater;   /* on ns_rcvdq */
	bool so_inupcall;    /* running; a change meanwhile makes it run once more */
	bool so_upcallagain;
	struct sockbuf so_rcv;
	struct sockbuf so_snd;
	union {
		struct { /* a listener's */
			struct socket_list so_q0;
			struct socket_list so_q;
			uint32_t so_q0len;
			uint32_t so_qlimit;
		};
		struct {                        /* anyone else's */
			struct socket *so_head; /* the listener we are queued on */
			TAILQ_ENTRY(socket) so_qe;
			TAILQ_ENTRY(socket) so_rcvdqe;
		};
	};
	struct waitq so_timeo; /* connect, accept and linger sleep here */
	/*
	 * Told of every change of readiness (from the loop or an lwp, never re-entered). It must not
	 * sleep or free the socket. NULL: nobody asks.
	 */
	void (*so_upcall)(struct socket *so, void *arg);
	void *so_upcallarg;
	struct selinfo so_sel;       /* polls and selects waiting here */
	TAILQ_ENTRY(socket) so_list; /* of ns_sockets */
};

#define SOCKOPT_MAX 1024u

struct sockopt {
	bool sopt_set; /* else get */
	int sopt_level;
	int sopt_name;
	size_t sopt_size;               /* set: bytes given; get: room, then bytes returned */
	uint8_t sopt_data[SOCKOPT_MAX]; /* get, sockopt_isasked: what was asked, then the answer */
	const void *sopt_long; /* set, SO_ATTACH_FILTER: in place of sopt_data; NULL: it is there */
};
/* => EINVAL: fewer bytes than an int. */
int sockopt_getint(const struct sockopt *sopt, int *value);
/* Fills a get; truncates to the room given. */
void sockopt_put(struct sockopt *sopt, const void *value, size_t len);
void sockopt_putint(struct sockopt *sopt, int value);
/*
 * A rate, in 64 bits, or in 32 where no more are given or have room; all ones of either is UINT64_MAX.
 * => EINVAL: fewer bytes
 */
int sockopt_getrate(const struct sockopt *sopt, uint64_t *rate);
void sockopt_putrate(struct sockopt *sopt, uint64_t rate);
/* Is an option's value asked for by what the caller has put there? */
bool sockopt_isasked(const struct sockopt *sopt);

/* for programs and doors */
int socreate(struct netstack *ns, int family, int type, int protocol, struct socket **sop);
int sobind(struct socket *so, const struct bsd_sockaddr *nam);
int solisten(struct socket *so, int backlog);
/* Starts; the caller waits (soconnect_wait) or polls. => EISCONN, EALREADY, protocol's errors. */
int soconnect(struct socket *so, const struct bsd_sockaddr *nam);
/* Sleeps until connected or failed. => so_error. May sleep. */
int soconnect_wait(struct socket *so);
/*
 * Takes the first connection off so_q; nam may be NULL.
 * => EWOULDBLOCK none and non-blocking, ECONNABORTED. May sleep.
 */
int soaccept(struct socket *head, bool nonblock, struct socket **sop, union bsd_sockaddr_any *nam);
int soshutdown(struct socket *so, int how);
/* The descriptor is gone. May sleep when SO_LINGER asks for it (in an lwp). Consumes so. */
int soclose(struct socket *so);
int sosetopt(struct socket *so, struct sockopt *sopt);
int sogetopt(struct socket *so, struct sockopt *sopt);

/*
 * Sends from a uio, or the chain top (consumed; uio NULL). Fills kern.mbuf.mclnum clusters of
 * kern.mbuf.mclbytes with one copy-in. => nam NULL: connected peer. flags: BSD_MSG_*. May sleep.
 * => partial sends: error 0 and uio_resid tells the rest; what stopped it meets the next call.
 *    EPIPE, EMSGSIZE, ENOTCONN, EDESTADDRREQ, EWOULDBLOCK, ENOBUFS, EFAULT, EINTR, so_error.
 * => EINVAL for flags that sending does not know, and for BSD_MSG_EOR on a stream.
 */
int sosend(struct socket *so, const struct bsd_sockaddr *nam, struct uio *uio, struct mbuf *top,
    struct mbuf *control, int flags);
/*
 * Receives into a uio, gathering up to kern.soreceive.mclnum mbufs in one copy-out, or, mp not
 * NULL, hands the mbufs themselves over (zero copy; uio_resid bytes at most, uio->uio_iov unused).
 * => *nam (if not NULL) gets the sender, sa_len 0 when there is none; *controlp likewise.
 * => *flagsp in: BSD_MSG_*, out: BSD_MSG_TRUNC, EOR, OOB, ERRQUEUE. NULL: none. May sleep.
 * => BSD_MSG_ERRQUEUE: the next of the queue of errors, with the addressee as its name. EWOULDBLOCK: none
 * => a stream ended: error 0, nothing moved. On EFAULT and EINTR nothing is lost: what was not
 *    copied stays in the buffer. EINVAL for flags that receiving does not know.
 */
int soreceive(struct socket *so, union bsd_sockaddr_any *nam, struct uio *uio, struct mbuf **mp,
    struct mbuf **controlp, int *flagsp);

/* BSD_POLL* events of `events` that hold now. */
int sopoll(struct socket *so, int events);
bool soreadable(const struct socket *so);
bool sowritable(const struct socket *so);

/* for a door that moves the bytes itself (uipc_direct.c); none of these sleeps */
/*
 * mbufs with room for at most len bytes, to be read into. => *nkvp in: most pieces, out: pieces.
 * The room may be less than asked for. NULL: no memory. To be given to sodirect_send or _free.
 */
struct mbuf *sodirect_room(struct socket *so, size_t len, struct kvec *kv, unsigned *nkvp);
void sodirect_free(struct mbuf *m);
/* The most that is worth giving at once, at most len: as much as whole packets are. */
size_t sodirect_piece(struct socket *so, size_t len);
/*
 * Sends the first len bytes of the room; consumes m. nam, flags and errors as sosend. control (NULL:
 * none) is the bytes of the control messages, at most SODIRECT_CONTROL_MAX.
 */
#define SODIRECT_CONTROL_MAX 256u
int sodirect_send(struct socket *so, struct mbuf *m, size_t len, const struct bsd_sockaddr *nam,
    const struct kvec *control, int flags);
/* The front of a received stream, up to the urgent mark, left in place. => pieces, *lenp bytes */
unsigned sodirect_peek(const struct socket *so, struct kvec *kv, unsigned max, size_t *lenp);
/* Its first len bytes have been delivered: drops them and tells the protocol. */
void sodirect_consume(struct socket *so, size_t len);
/* Takes the urgent byte. => EINVAL none, EWOULDBLOCK announced but not here */
int sodirect_oob(struct socket *so, uint8_t *byte);
struct sodirect_record {
	union bsd_sockaddr_any sr_nam; /* the sender; sa_len 0: unknown */
	struct kvec sr_control;        /* bytes of control messages */
	struct kvec *sr_kv;            /* the data, in the caller's room */
	unsigned sr_nkv;               /* in: most pieces; out: how many */
	size_t sr_len;                 /* of all data, also when it has more pieces */
};
/* The datagram behind so many others, left in place. => false: there is none */
bool sodirect_peekrecord(const struct socket *so, unsigned behind, struct sodirect_record *sr);
/* Of the first one, the first len bytes of data, however many pieces they are in. */
void sodirect_copyrecord(const struct socket *so, void *buf, size_t len);
void sodirect_droprecord(struct socket *so);
/*
 * Takes the next of the queue of errors: sr_nam is the addressee of the datagram it is about. => NULL:
 * none; else what sr points to lives until sodirect_free of it
 */
struct mbuf *sodirect_errqueue(struct socket *so, struct sodirect_record *sr);
/* Is there one? */
bool sodirect_errwaits(struct socket *so);
/* The socket's own name, or the peer's. => ENOTCONN, EINVAL: the protocol has let go */
int sogetname(struct socket *so, bool peer, union bsd_sockaddr_any *nam);
/*
 * After an attempt to connect has failed and the protocol has let go: a fresh pcb, unbound, with
 * the protocol's defaults. => the protocol's errors
 */
int soreattach(struct socket *so);
/* From now on soclose resets the connection. */
void soabortive(struct socket *so);

/* for protocols */
/* Is there no room for one more that is to be accepted? Those on so_q0 do not count. */
bool so_acceptq_full(const struct socket *head);
/*
 * A socket for a connection that arrived at head. connstate 0: on so_q0 until soisconnected.
 * => NULL: queue full or no memory (the reason is counted by the caller).
 */
struct socket *sonewconn(struct socket *head, uint32_t connstate);
void soisconnecting(struct socket *so);
void soisconnected(struct socket *so);
void soisdisconnecting(struct socket *so);
void soisdisconnected(struct socket *so);
void socantsendmore(struct socket *so);
void socantrcvmore(struct socket *so);
void sohasoutofband(struct socket *so);
/* Wake readers / writers, pollers and the upcall. */
void sorwakeup(struct socket *so);
void sowwakeup(struct socket *so);
/* Reserves both buffers. => ENOBUFS. */
int soreserve(struct socket *so, uint32_t sndcc, uint32_t rcvcc);
/*
 * Data was taken: tells the protocol, which may announce a larger window. What an lwp took is told
 * at the end of netstack_run, once, so that the answer to the reader leaves before the segment.
 * With kern.soreceive.batch it is told only once less than half a buffer is left to read.
 */
void sorcvd(struct socket *so);
/* Forgets, or tells, what sorcvd put off. => false: nothing was. */
void sorcvd_forget(struct socket *so);
bool sorcvd_run(struct netstack *ns);
/* Frees the socket if neither descriptor, pcb, queue nor reference holds it. */
void sofree(struct socket *so);
void sohold(struct socket *so);
void sorele(struct socket *so);

/* within the socket layer */
/* The next of the queue of errors, a record as of so_rcv: takes it, or looks. => NULL: none */
struct mbuf *soerrqueue(struct socket *so, bool take);
/* A bare socket of this protocol, on ns_sockets, not attached. => NULL: ns_socketpool is used up. */
struct socket *soalloc(struct netstack *ns, const struct protosw *pr);
/* Puts a socket on a queue of head, SOQ_Q0 or SOQ_Q / takes it off the one it is on. */
void soqinsque(struct socket *head, struct socket *so, uint8_t queue);
void soqremque(struct socket *so);
/* Ends a connection that nobody accepted. Consumes so, which is on no queue any more. */
void soabort(struct socket *so);
/* Must a call that would wait fail instead? MSG_DONTWAIT, SS_NBIO, or the loop is running. */
bool sononblock(const struct socket *so, int flags);
/* Engine calls that moved a uio from where it was to where it is: one for each range touched. */
uint32_t so_uiocalls(const struct uio *was, const struct uio *is);

#endif /* KERN_SOCKETVAR_H */
