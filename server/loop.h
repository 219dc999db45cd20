/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: one thread that runs one stack and everything that touches it.
 *
 * Theory of operation: each turn lets the stack run until nothing is left to do, then waits for a
 * descriptor or the stack's next deadline, sets the stack's time and calls the sources that are
 * ready. After a turn that did work the loop polls for a short while (spin) before it sleeps,
 * because a round trip to a client is shorter than a wake-up; when polling has not paid off it
 * stops doing so, and an idle server sleeps.
 */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "kern/queue.h"

struct netstack;

#define LOOP_MAXEVENTS 64

struct loop_source {
	int ls_fd; /* -1: not in the loop */
	uint32_t ls_events;
	void (*ls_ready)(struct loop_source *ls, uint32_t events);
	void *ls_arg;
};

/*
 * Something to do once in a turn, after all events and before the loop waits: so that what many
 * packets of a turn cause is done in one go. What events cause is done before the stack runs, whose
 * ACKs then tell of it; what the stack's run causes, after.
 */
struct loop_task {
	TAILQ_ENTRY(loop_task) lt_list;
	void (*lt_run)(struct loop_task *lt);
	bool lt_queued;
	uint64_t lt_turn; /* in which it was queued */
};
TAILQ_HEAD(loop_task_list, loop_task);

struct loop {
	struct netstack *lp_ns;
	struct loop_task_list lp_tasks;
	uint64_t lp_turn;
	int lp_epfd;
	bool lp_stop;
	/* the batch being handed out, so that a source that goes is not called any more */
	struct epoll_event lp_batch[LOOP_MAXEVENTS];
	int lp_nbatch;
	int lp_at;
	uint64_t lp_spin_ns;    /* longest poll before sleeping; 0: never */
	uint32_t lp_spin_score; /* 0 ... LOOP_SPIN_MAX: how well polling has paid off */
	uint32_t lp_spin_skipped;
	uint64_t lp_lost; /* datagrams for full sockets, ever */
	bool lp_yield;
	bool lp_rest; /* at the end of the turn */
	bool lp_look; /* before the stack runs */
};

/* => -1: errno says why. ns is borrowed for the loop's life. */
int loop_init(struct loop *lp, struct netstack *ns);
void loop_fini(struct loop *lp);

/* Adds ls for EPOLL* events (level-triggered). => -1 and errno. */
int loop_add(struct loop *lp, struct loop_source *ls, uint32_t events);
/* Changes what ls waits for; no system call when nothing changes. */
void loop_events(struct loop *lp, struct loop_source *ls, uint32_t events);
/* Takes ls out; it will not be called again. Does not close the descriptor. */
void loop_del(struct loop *lp, struct loop_source *ls);

/* Has lt_run called in this turn. One that defers itself again is called in the next. */
void loop_defer(struct loop *lp, struct loop_task *lt);
/* => it will not be called. */
void loop_undefer(struct loop *lp, struct loop_task *lt);

/*
 * A reader is behind: at the end of this turn, whoever waits for our processor gets it, before more
 * comes that would be lost.
 */
void loop_yield(struct loop *lp);
/* More is to come together: at the end of this turn it sleeps, and does not poll before. */
void loop_rest(struct loop *lp);

/*
 * Packets for ourselves were sent for a client. What it closed before is to be closed before they
 * arrive: events that came since the turn began are handed out before the stack runs.
 */
void loop_look(struct loop *lp);

/* Runs until loop_stop. => -1 when waiting failed (errno). */
int loop_run(struct loop *lp);
void loop_stop(struct loop *lp);

#endif /* SERVER_LOOP_H */
