/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the sysproxy door share. */
#ifndef SERVER_SYSPROXY_SP_SESSION_H
#define SERVER_SYSPROXY_SP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <rumpus/sysproxy.h>

#include "kern/lwp.h"
#include "kern/queue.h"
#include "kern/sysctl.h"
#include "kern/uio.h"
#include "server/accept.h"
#include "server/loop.h"

struct proc;
struct sp_server;
struct sp_session;

#define SP_RXBUF (64u * 1024)        /* receive buffer of a session */
#define SP_TXBUF (64u * 1024)        /* queued output beyond which calls wait */
#define SP_TXBUF_HARD (256u * 1024)  /* and beyond which the connection is closed */
#define SP_COPYOUT_MAX (128u * 1024) /* bytes of one COPYOUT: SP_TXBUF and one stay below HARD */
#define SP_TXHOLD (8u * 1024)        /* longest frame that is held back for the next */
#define SP_EVENTS (EPOLLIN | EPOLLRDHUP)
#define SP_COMM_MAX 4096u              /* longest program name taken in a handshake */
#define SP_PREFORKS_MAX 16u            /* preforks of a client not yet claimed */
#define SP_READS_A_TURN 8              /* reads of one answer before others get their turn */
#define SP_SKIP_MAX (KVEC_MAX * 4096u) /* longest answer that is passed over */

struct sp_stat {
	uint64_t sps_clients; /* connections accepted */
	uint64_t sps_refused; /* connections turned away at the limit */
	uint64_t sps_frames_in;
	uint64_t sps_frames_out;
	uint64_t sps_calls;
	uint64_t sps_malformed; /* frames answered with an error, or that closed the connection */
	uint64_t sps_vm_fallbacks; /* sessions whose memory could not be reached directly */
};

TAILQ_HEAD(sp_session_list, sp_session);

struct sp_server {
	struct loop *sp_loop;
	LIST_HEAD(, sp_listener) sp_listeners;
	struct sp_session_list sp_sessions;
	uint32_t sp_nsessions; /* open */
	uint32_t sp_nalive;    /* open, or closed with calls still ending */
	uint32_t sp_maxclients;
	uint32_t sp_vmcopy; /* sysproxy.vmcopy: engine vm where it can be had */
	struct sp_stat sp_stat;
	struct sysctl_table sp_sysctls;
};

/* A place where clients connect. */
struct sp_listener {
	LIST_ENTRY(sp_listener) sl_list;
	struct sp_server *sl_server;
	struct loop_source sl_src;
	struct accept_spare sl_spare;
	bool sl_local; /* unix://: peers have a pid that means something */
	char *sl_path; /* of the socket file, to take away; NULL: none */
};

/* A request of ours that the client has to answer: lives on the stack of the lwp that waits. */
struct sp_pull {
	LIST_ENTRY(sp_pull) pu_list;
	uint64_t pu_reqno;
	struct kvec pu_kv[KVEC_MAX]; /* where the bytes go; advanced as they come */
	unsigned pu_nkv;
	unsigned pu_at;
	uint64_t pu_want; /* bytes; for strings the most */
	uint64_t pu_got;
	bool pu_string;
	bool pu_done;
	int pu_error; /* BSD errno */
	struct waitq pu_wait;
};

struct sp_prefork {
	TAILQ_ENTRY(sp_prefork) pf_list;
	uint32_t pf_auth[4];
	struct proc *pf_proc;
};

enum sp_phase {
	SP_OPENING, /* before its handshake */
	SP_READY,
	SP_DEAD, /* closed; its calls are ending */
	SP_PHASE_COUNT
};

struct sp_session {
	TAILQ_ENTRY(sp_session) ss_list;
	struct sp_server *ss_server;
	struct netstack *ss_ns;
	struct loop_source ss_src;
	enum sp_phase ss_phase;
	struct proc *ss_proc; /* NULL: none yet, or gone */
	pid_t ss_peerpid;     /* 0: unknown */
	bool ss_vm;           /* engine vm may be tried */

	uint8_t *ss_rxbuf;
	size_t ss_rxhead;
	size_t ss_rxtail;
	struct sp_pull *ss_sink; /* whose answer is coming in; NULL: none */
	uint64_t ss_sinkleft;    /* bytes of the frame still to come, to ss_sink or to nowhere */

	uint8_t *ss_txbuf;
	size_t ss_txhead;
	size_t ss_txtail;
	size_t ss_txsize;
	bool ss_txheld; /* the queue is not stuck but held back until the end of the turn */
	struct loop_task ss_txtask;
	struct waitq ss_txwait;

	uint64_t ss_reqno;
	LIST_HEAD(, sp_pull) ss_pulls;
	TAILQ_HEAD(, sp_prefork) ss_preforks;
	uint32_t ss_npreforks;
};

/* sp_listen.c */
void sp_listener_close(struct sp_listener *sl);

/* sp_session.c: a connection's life */
/* Takes over fd; local: its peer's pid can be asked for. */
void sp_session_start(struct sp_server *sp, int fd, bool local);
/* Ends the connection and everything of the client. ss may be freed on return. */
void sp_session_close(struct sp_session *ss);
/* Makes p the session's process: its door, its memory. */
void sp_session_adopt(struct sp_session *ss, struct proc *p);

/* sp_rx.c: bytes to frames */
/* Reads and carries out what has come. ss may be freed on return. */
void sp_rx_ready(struct sp_session *ss);

/* sp_tx.c: frames to bytes; none of these frees ss */
/*
 * Sends a frame: header, then the pieces. Sleeps (in an lwp) while too much is queued; from the
 * loop it never sleeps, and gives the connection up when even SP_TXBUF_HARD is full.
 * => BSD_EINTR: the connection is gone.
 */
int sp_tx_frame(struct sp_session *ss, struct rumpsp_hdr *hdr, const struct kvec *kv, unsigned nkv);
/* The same for a frame that another one will follow in the same turn, most likely. */
int sp_tx_frame_held(struct sp_session *ss, struct rumpsp_hdr *hdr, const struct kvec *kv,
    unsigned nkv);
void sp_tx_turn(struct loop_task *lt);
/* Sends what is queued. => false: the connection failed. */
bool sp_tx_flush(struct sp_session *ss);
int sp_tx_error(struct sp_session *ss, uint64_t reqno, enum rumpsp_error error);
int sp_tx_raise(struct sp_session *ss, int signo);

/* sp_handshake.c */
/* => false: the connection is to be closed. */
bool sp_handshake(struct sp_session *ss, const struct rumpsp_hdr *hdr, const uint8_t *payload,
    size_t len);
void sp_prefork_request(struct sp_session *ss, const struct rumpsp_hdr *hdr);
void sp_prefork_dropall(struct sp_session *ss);

/* sp_call.c: system call requests */
void sp_call_request(struct sp_session *ss, const struct rumpsp_hdr *hdr, const uint8_t *payload,
    size_t len);

/* sp_copy.c: the copy engines */
extern const struct copy_engine sp_engine_socket;
extern const struct copy_engine sp_engine_vm;
/* The engine that a call of ss uses now. */
const struct copy_engine *sp_engine(struct sp_session *ss);
/* The pull that an answer belongs to, or NULL. */
struct sp_pull *sp_pull_find(struct sp_session *ss, uint64_t reqno);
/* Bytes for pu, in order; returns where the next ones may be read to directly. */
void sp_pull_take(struct sp_pull *pu, const uint8_t *bytes, size_t len);
/* The rest of the answer needs no buffer of ours: its pieces, at most max; returns how many. */
unsigned sp_pull_space(const struct sp_pull *pu, struct kvec *kv, unsigned max);
/* len bytes were read to sp_pull_space. */
void sp_pull_advance(struct sp_pull *pu, size_t len);
void sp_pull_finish(struct sp_pull *pu, int error);

#endif /* SERVER_SYSPROXY_SP_SESSION_H */
