/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sisters: the stacks of a server, each with a thread, an event loop, a queue of every tap, and its
 * part of the fdsock door; to the wire they are one host.
 *
 * Theory of operation: the first sister runs in the main thread. It has the control socket and the
 * sysproxy door, so all sockets that programs make are hers. A listening socket has a twin in every
 * other sister, which puts its connections into the same pair; so what the tap's queues spread over
 * the threads stays there, from the handshake to the last byte. Frames that came to the wrong one
 * (rumpus/stack.h, rumpus_stray) and requests about another's descriptor go from sister to sister as
 * messages. They share nothing else, and nobody waits for anybody.
 *
 * What limits it: connections that programs make, and datagrams, are all the first sister's. So are
 * the members of groups: what the host sends to a group stays with her, what comes to another's queue
 * is passed on to her, and routers are told by her, of all.
 */
#ifndef SERVER_SISTER_H
#define SERVER_SISTER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/capture.h"
#include "server/inbox.h"
#include "server/loop.h"
#include "server/options.h"

struct fd_server;
struct iface;
struct netstack;
struct sisters;

struct sister {
	unsigned si_index;
	struct sisters *si_all;
	struct netstack *si_ns;
	struct loop si_loop;
	struct inbox si_inbox;
	struct inbox_msg si_stop; /* the message that ends her thread */
	struct iface *si_ifaces[OPTIONS_MAXIFACES];
	struct capture_list si_captures; /* her part in ss_pcap */
	struct fd_server *si_control; /* NULL until there is one: who reads it is her own thread */
	pthread_t si_thread;
	bool si_started;
	bool si_ready;    /* under ss_lock: she has opened, or failed */
	char si_why[512]; /* empty: she has opened */
};

struct sisters {
	struct options *ss_op;
	struct capture *ss_pcap; /* --pcap, or NULL */
	unsigned ss_n;
	struct sister *ss_members;
	pthread_mutex_t ss_lock;
	pthread_cond_t ss_cond;
};

/* Makes the first sister's stack and loop. => false: why holds "what: why; try: ..." */
bool sisters_init(struct sisters *ss, struct options *op, char *why, size_t whylen);
/* Makes the settings that were asked for. => as above; doors have their variables by now */
bool sister_sysctls(struct sister *si, char *why, size_t whylen);
/* Opens interfaces. => as above */
bool sister_open(struct sister *si, char *why, size_t whylen);
/* Starts the threads of the others; returns when all have opened. => as above */
bool sisters_start(struct sisters *ss, char *why, size_t whylen);
/* Ends the others' threads. */
void sisters_stop(struct sisters *ss);
/* Closes interfaces and stack of the first, and frees all. => doors are closed */
void sisters_fini(struct sisters *ss);

/*
 * Who is asked next about something that nobody of `hops` sisters has known since `origin` had it
 * first: the first of all, then the others in order. => -1: all have been asked
 */
int sister_next(const struct sister *si, unsigned origin, unsigned hops);
void sister_post(struct sister *si, unsigned to, struct inbox_msg *im);

#endif /* SERVER_SISTER_H */
