/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the fdsock door share. */
#ifndef SERVER_FDSOCK_IMPL_H
#define SERVER_FDSOCK_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <rumpus/abi.h>
#include <rumpus/fdsock.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/queue.h"
#include "server/accept.h"
#include "server/fdsock/fd_capture.h"
#include "server/fdsock/fd_client.h"
#include "server/fdsock/fd_connect.h"
#include "server/fdsock/fd_share.h"
#include "server/fdsock/fd_sister.h"
#include "server/fdsock/fd_translate.h"
#include "server/fdsock/fd_stat.h"
#include "server/loop.h"

#define FD_HASH 16384u /* buckets of sockets by cookie */
#define FD_TOMBS 8192u /* errors that outlive their sockets */
#define FD_TOMBHASH 4096u
#define FD_CLIENTHASH 256u
#define FD_SCRATCH (256u * 1024)
#define FD_READ_MAX (64u * 1024)   /* bytes of one read from a pair */
#define FD_IN_BUDGET (256u * 1024) /* bytes of one socket in a turn, each way */
#define FD_OUT_BUDGET (512u * 1024)
#define FD_DGRAMS_A_TURN 64u
#define FD_ACCEPTS_A_TURN 64u
#define FD_PAIR_SNDBUF (512 * 1024)      /* of either end; Linux doubles it */
#define FD_GATE_SNDBUF 16384             /* of a client's end while it connects; Linux doubles it */
#define FD_REST_NS (30 * NSEC_PER_USEC)  /* small writes come together meanwhile */
#define FD_RETRY_NS (10 * NSEC_PER_MSEC) /* memory was short: look again */

struct fd_server;
struct fd_ctl;
struct sister;

LIST_HEAD(fdsock_hash, fdsock);

enum fd_kind { FD_STREAM, FD_LISTENER, FD_DGRAM, FD_KIND_COUNT };

struct fdsock {
	LIST_ENTRY(fdsock) fs_hash;
	TAILQ_ENTRY(fdsock) fs_list;
	TAILQ_ENTRY(fdsock) fs_work;
	LIST_ENTRY(fdsock) fs_listening; /* a listener's */
	struct fd_server *fs_server;
	struct fd_client *fs_owner;
	uint64_t fs_charged; /* to fc_bytes */
	struct socket *fs_so;
	struct loop_source fs_src; /* our end of the pair */
	uint64_t fs_cookie;        /* of the client's end */
	enum fd_kind fs_kind;
	int fs_domain; /* the host's numbers */
	int fs_protocol;
	bool fs_queued;   /* on fd_work */
	bool fs_canread;  /* the pair may have something for us */
	bool fs_canwrite; /* and may take something */
	bool fs_ending;   /* the client has been seen to send no more */
	bool fs_eof;      /* the client sends no more */
	bool fs_hup;      /* nobody holds the client's end any more, or it is shut both ways */
	bool fs_reset;    /* the client went with data unread */
	bool fs_reaped;   /* looked after before its event came */
	bool fs_finsent;  /* the client was told that the peer sends no more */
	bool fs_discard;  /* the client does not want to read any more */
	bool fs_pri;      /* the pair holds an urgent byte */
	bool fs_bulk;     /* the last read was a large one */
	bool fs_keep;     /* the client shut it down by request: remember it afterwards */
	bool fs_bound;    /* by request, to fs_local */
	bool fs_rebind;   /* the stack has to be asked for it again */
	bool fs_up;       /* the connection was made */
	bool fs_stray;    /* the client wrote without a connection */
	bool fs_dying;    /* the connection failed; what was received goes out first */
	bool fs_held;     /* accepted, but its record waits in the listener's fs_pending */
	int fs_oobout;    /* an urgent byte for the client; -1: none */
	union fd_addr fs_local; /* the last that was known: sa_len 0: none */
	/* connecting */
	bool fs_gate;    /* the pair is stuffed with fs_filler bytes: unwritable */
	bool fs_narrow;  /* the client's end still has its small buffer */
	bool fs_untold;  /* connected, but no call has said so yet */
	bool fs_patient; /* the client waits in connect(): a failure leaves the pair as it is */
	size_t fs_filler;
	int fs_sndbuf;       /* as getsockopt tells it: twice what is to be set */
	uint32_t fs_notsent; /* TCP_NOTSENT_LOWAT; 0: none */
	int fs_waiter; /* where the answer to connect goes when it has ended; -1: nobody waits */
	uint32_t fs_waiterid;
	/* accepting: of a listener, and of what it made */
	uint32_t fs_backlog;
	uint32_t fs_unit;          /* what a record in the pair counts, by SIOCOUTQ */
	struct fdsock *fs_pending; /* accepted from the stack, its record not yet in the pair */
	int fs_pendingfd;
	struct fdsock_accepted fs_pendingrec;
	struct fdsock_hash fs_children; /* those of its making that live */
	LIST_ENTRY(fdsock) fs_sibling;  /* of fs_head's, if it lives */
	struct fdsock *fs_head;
	uint64_t fs_listener; /* cookie of the listener; 0: the client has it for certain */
	uint64_t fs_untakenuntil_ns;
	struct fd_pairopt fs_pairopts[FD_PAIROPTS];
	struct fd_optlog_list fs_optlog; /* what was set before it was up */
	int fs_dgerror; /* datagrams: told by a record, and to SO_ERROR (BSD errno) */
	/* IP_RECVERR, 1, IPV6_RECVERR, 2: the client asks whether what a record told still holds */
	uint8_t fs_recverr;
	bool fs_errmark;         /* and such a record was put into the pair */
	bool fs_errshow;         /* one is due as long as errors are queued */
	bool fs_stampns;         /* time stamps are wanted in nanoseconds */
	bool fs_inq, fs_gro;     /* TCP_INQ, UDP_GRO */
	uint16_t fs_segment;     /* UDP_SEGMENT: bytes; 0: a record is a datagram */
	struct fd_area *fs_area; /* small writes may come by it; NULL */
};
TAILQ_HEAD(fdsock_list, fdsock);

TAILQ_HEAD(fd_ctl_list, fd_ctl);

struct fd_server {
	struct loop *fd_loop;
	struct sister *fd_sister; /* NULL: there is no other */
	struct netstack *fd_ns;
	struct loop_source fd_src; /* the control socket */
	struct accept_spare fd_spare;
	char *fd_path;
	pid_t fd_pid;
	uid_t fd_uid; /* who started the server */
	struct loop_task fd_task;
	struct callout fd_retry; /* work that waits for memory */
	struct callout fd_rest;  /* and that can wait until more has come */
	struct fdsock_list fd_socks;
	struct fdsock_list fd_work;
	struct fdsock_hash fd_listeners;
	uint32_t fd_nwork;
	struct fd_ctl_list fd_ctls;
	struct fdsock_hash fd_hash[FD_HASH];
	struct fd_client_hash fd_clients[FD_CLIENTHASH];
	struct fd_tomb_hash fd_tombhash[FD_TOMBHASH];
	struct fd_tomb fd_tombs[FD_TOMBS];
	uint32_t fd_nexttomb;
	/* settings and what they limit */
	uint32_t fd_maxsockets;
	uint32_t fd_maxperclient;
	uint32_t fd_maxkbytesperclient;
	uint32_t fd_maxctls;
	uint32_t fd_maxctlsperclient;
	uint32_t fd_maxcaptures;
	uint32_t fd_nsocks;
	uint32_t fd_nctls;
	uint32_t fd_ncaptures;
	uint32_t fd_maxareas; /* 0: writes come by pairs only */
	uint32_t fd_nareas;
	struct fd_captures fd_captures;
	struct fd_stat fd_stat;
	struct sysctl_table fd_sysctls;
	uint8_t fd_scratch[FD_SCRATCH];
};

/* One record of a control connection, with what was attached to it. */
#define FD_ATTACHED_MAX 4 /* two are meant; the kernel drops what is beyond these */
struct fd_record {
	union {
		struct fdsock_request hdr;
		uint8_t bytes[FDSOCK_REQUEST_MAX];
	} re;
	size_t re_len;
	int re_fds[FD_ATTACHED_MAX];
	unsigned re_nfds;
	pid_t re_pid; /* 0: not told */
	uid_t re_uid;
};

/* fd_control.c: control connections */
/*
 * Carries out a request of the process re_pid and answers it; closes what was attached.
 * => false: nobody could be answered
 */
bool fd_record_run(struct fd_server *fd, struct fd_record *re, unsigned origin, unsigned hops);
/* => false: nobody takes it, and whoever waits at the other end sees an end */
bool fd_reply_send(struct fd_server *fd, int to, struct fdsock_reply *rep, const uint8_t *out,
    int outfd);
/* Closes it unanswered: the client may hold both ends, so that closing alone ends nothing. */
void fd_reply_none(int to);
void fd_ctl_accept(struct fd_server *fd, int sock);
void fd_ctl_closeall(struct fd_server *fd);

/* fd_sock.c: a socket's life */
/*
 * Makes the pair for so, which is the fdsock's from then on. flags: SOCK_NONBLOCK.
 * => host errno; so is unchanged on failure. *clientfd is the caller's.
 */
int fd_sock_make(struct fd_client *owner, struct socket *so, int domain, int flags,
    struct fdsock **fsp, int *clientfd);
/* The same over an end that there is already: src, with the client's of that cookie. */
int fd_sock_adopt(struct fd_client *owner, struct socket *so, int domain, int src, uint64_t cookie,
    struct fdsock **fsp);
struct fdsock *fd_sock_find(struct fd_server *fd, uint64_t cookie);
/* => 0: not a socket */
uint64_t fd_cookie(int sock);
/* Has fd_sock_work called in this turn. */
void fd_sock_schedule(struct fdsock *fs);
/* The client is gone: closes the socket in order (or as SO_LINGER wants it). Frees fs. */
void fd_sock_release(struct fdsock *fs);
/* The connection has ended: shows it to the client and remembers the error. Frees fs. */
void fd_sock_die(struct fdsock *fs, int error);
/* Asks the stack for the socket's own address, and remembers it. */
void fd_sock_getname(struct fdsock *fs);
/* Writes down in the client's end what it is. */
void fd_sock_tag(const struct fdsock *fs, int clientfd);
/* Sees to the sockets of a port whose clients have closed them, before the event of it comes. */
void fd_sock_reap(struct fd_server *fd, uint16_t port);
/* The same, of listeners alone, which are few. */
void fd_listen_reap(struct fd_server *fd, uint16_t port);
/* The same of one, which may be gone then, and one that waits in its fs_pending, but no other. */
void fd_sock_reap1(struct fdsock *fs);
/* The pair is full: wait until it has room again. */
void fd_sock_full(struct fdsock *fs);
/* Looks at fs again in FD_REST_NS, or a little later. */
void fd_sock_rest(struct fdsock *fs);
/* Looks at fs again soon, when memory may have come back. */
void fd_sock_nomem(struct fdsock *fs);

/* What is to be done once a turn, for all that were scheduled; and after a shortage. */
void fd_server_task(struct loop_task *lt);
void fd_server_retry(void *arg);

/* Each carries out what is to be done, and may free fs. */
void fd_stream_work(struct fdsock *fs);
void fd_listen_work(struct fdsock *fs);

/* fd_stream.c */
/* Reads what the client wrote, while the stack has room. */
void fd_stream_in(struct fdsock *fs);

/* fd_listen.c */
int fd_listen(struct fdsock *fs, int clientfd, int backlog);
/* The listener goes: what it made and nobody took goes with it. */
void fd_listen_gone(struct fdsock *head);
/* What it made goes, or has no listener any more. */
void fd_listen_forget(struct fdsock *fs);
/* Was the client's end of fs never taken out of its listener's pair? */
bool fd_listen_untaken(const struct fdsock *fs);

/* fd_ops.c: one request */
struct fd_call {
	struct fd_server *ca_server;
	struct fd_client *ca_client;
	const struct fdsock_request *ca_req;
	const uint8_t *ca_data;
	uid_t ca_uid;         /* who asks */
	int ca_fd;            /* the descriptor it is about; -1 */
	struct fdsock *ca_fs; /* of ca_fd; NULL: it has ended, see ca_tomb */
	struct fd_tomb *ca_tomb;
	struct fdsock_reply *ca_reply;
	uint8_t *ca_out;         /* fp_datalen bytes at most FDSOCK_REPLY_MAX - header */
	int ca_outfd;            /* to be attached, then closed; -1 */
	bool ca_unknown;         /* out: ca_fd is neither a socket of ours nor one that was */
	struct fdsock *ca_waits; /* out: the answer is given when this has connected */
	int ca_sister;           /* out: it is for her alone; -1 */
};
void fd_call_run(struct fd_call *ca);

#endif /* SERVER_FDSOCK_IMPL_H */
