/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Applications. A side is one socket of one host: an end of a connection, a listener, or the
 * datagram sockets. It never waits: an upcall marks it, and when its stack has run, it is stepped
 * and takes and gives what it can. That is how a program that links the stack in would do it, and
 * an upcall that is missed shows as a connection that gets no further.
 *
 * The first eight bytes that a client sends name its connection to the server.
 */
#ifndef SIM_SIDE_H
#define SIM_SIDE_H

#include <rumpus/abi.h>
#include <rumpus/socket.h>

#include "sim/world.h"

struct member;
struct sender;

enum side_end {
	SIDE_OPEN,
	SIDE_DONE,    /* all was sent, all came */
	SIDE_ERROR,   /* the stack said so: s_errno */
	SIDE_ABORTED, /* by itself, as planned */
	SIDE_CRASHED  /* with its host */
};

struct side {
	struct side *s_next;      /* of w_sides */
	struct side *s_nextdirty; /* of h_dirty */
	struct host *s_host;
	struct conn *s_conn;     /* NULL: a listener, or a visitor who has not said who it is */
	struct member *s_member; /* of a group */
	struct sender *s_sender; /* to a group */
	unsigned s_which;        /* 0: client, 1: server */
	int s_fd;                /* -1: none, closed */
	void (*s_step)(struct side *s);
	enum side_end s_end;
	int s_errno;
	bool s_isdirty;
	bool s_stays; /* it need not end before the world does */
	bool s_bound; /* to its host's address */
	bool s_asked; /* for its connection */
	bool s_connected;
	bool s_shut; /* its FIN is sent or queued */
	bool s_eof;
	bool s_paused;       /* reads again when its timer says so */
	bool s_retry;        /* was out of memory; a timer runs */
	uint64_t s_tx, s_rx; /* bytes; datagrams */
	uint8_t s_head[8];
	struct rumpus_task s_task; /* TASK's client */
	uint8_t *s_buf;
};

struct conn {
	const struct conn_plan *co_plan;
	struct world *co_world;
	uint32_t co_index;
	bool co_started;
	struct side *co_sides[2];
	enum side_end co_ended[2];
	uint64_t co_progress_ns;
	uint64_t co_asked_ns;     /* when its client had an address to ask from; 0: not yet */
	uint64_t co_answers;      /* datagrams that came back */
	uint64_t co_answers_well; /* since the world healed */
	uint64_t co_life[2];      /* of the hosts when it began */
};

/* side.c */
struct side *side_new(struct host *h, int fd, void (*step)(struct side *s));
void side_mark(struct side *s);
/* Steps it again after a while. */
void side_later(struct side *s, uint64_t delay_ns, bool *flag);
/* Ends it: closes its descriptor and says how it went. */
void side_finish(struct side *s, enum side_end end, int error);
/* Ends all sides of a host that is no more. */
void side_crash_all(struct host *h);
void side_progress(struct side *s);
/* => the errno is one that a call gives when memory is short */
bool side_nomem(int64_t result);
/*
 * => the errno is one that a call gives while its host has no address of the family yet: it is to be
 *    made again after SIDE_ADDRESS_NS
 */
#define SIDE_ADDRESS_NS (200 * SIM_MS)
bool side_noaddress(enum family family, int64_t result);
struct rumpus_proc *side_proc(const struct side *s);
void side_sockbuf(struct side *s, uint32_t bytes);

/* conn.c: streams. */
void conn_start(struct world *w, void *conn, uint64_t tag);
void listener_step(struct side *s);
bool conn_ended(const struct conn *co);
void conn_describe(const struct conn *co, char *buf, size_t space);

/* What a side sends from offset on. */
void stream_data(const struct side *s, uint64_t offset, uint8_t *buf, size_t len);
/* Bytes that a side has read, 0: the end; they must be those that were sent. */
void stream_take(struct side *s, const uint8_t *buf, size_t len);
/* A call on a stream failed: the end of the side; there must be a reason. => result is negative */
void stream_error(struct side *s, int64_t result);
/* Keepalives, so that the loss of the other host is found out; and Nagle's algorithm off. */
void stream_options(struct side *s, bool nodelay);
/* Asks for a client's connection; as rumpus_connect, and tells the connection. */
int conn_ask(struct side *s);
/* The same for who cannot wait: while its host has no address, a timer asks again. => false: not asked yet */
bool conn_askonce(struct side *s, int *errorp);

/* task.c: a client on a socket that waits. */
void task_start(struct conn *co, int fd);

/* datagram.c */
void datagram_start(struct conn *co, int fd);
void datagram_serve(struct side *s);

/* server.c: opens a host's servers, now or when there is memory. */
void server_start(struct host *h);

#endif /* SIM_SIDE_H */
