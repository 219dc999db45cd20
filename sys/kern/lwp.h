/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwps: stackful coroutines in which system calls may sleep.
 *
 * Theory of operation: a stack has one thread. The loop calls netstack_run, which switches to each
 * runnable lwp in turn; an lwp runs until it sleeps on a wait queue or ends, then control is back
 * in the loop. Nothing preempts it, so there are no locks, but everything may have changed when
 * tsleep returns. Finished lwps are kept for the next call, up to LWP_CACHE_MAX.
 */
#ifndef KERN_LWP_H
#define KERN_LWP_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/queue.h"

struct file;
struct lwp;
struct netstack;
struct proc;
struct host_context;

TAILQ_HEAD(lwp_list, lwp);

/* A place to sleep. No state but the sleepers, in a ring, first come first. */
struct waitq {
	struct lwp *wq_first;
};

enum lwp_state { LWP_IDLE, LWP_RUNNABLE, LWP_RUNNING, LWP_SLEEPING, LWP_STATE_COUNT };

#define LWP_STACK_BYTES (64u * 1024)
#define LWP_CACHE_MAX 64u

struct lwp {
	TAILQ_ENTRY(lwp) l_queue;   /* on the run queue or the idle list */
	LIST_ENTRY(lwp) l_siblings; /* of the proc */
	struct netstack *l_ns;
	struct proc *l_proc;
	enum lwp_state l_state;
	struct waitq *l_wchan; /* asleep there, between l_wnext and l_wprev */
	struct lwp *l_wnext;
	struct lwp *l_wprev;
	const char *l_wmesg;
	int l_error;       /* what tsleep returns */
	int l_interrupted; /* errno that every later sleep fails with; 0: none */
	struct callout l_timeout;
	struct file *l_file; /* held by the present call (fd_hold); its last close wakes us */
	void (*l_func)(struct lwp *, void *);
	void *l_arg;
	struct host_context *l_context;
};

void waitq_init(struct waitq *wq);

static inline bool
waitq_empty(const struct waitq *wq)
{
	return wq->wq_first == NULL;
}

/*
 * Runs func(l, arg) in an lwp of process p, at the next netstack_run (or at once by lwp_run).
 * => NULL: no lwp left (pool limit, p_lwplimit; of the last quarter each process gets one), p is
 *    exiting, or no memory for its stack.
 */
struct lwp *lwp_start(struct proc *p, void (*func)(struct lwp *, void *), void *arg);
/* Switches to a runnable lwp now. => called from the loop, not from an lwp. */
void lwp_run(struct lwp *l);
/* Runs all runnable lwps until none is. => from the loop. */
void lwp_run_all(struct netstack *ns);
/* The lwp that is running, or NULL when the loop is. */
struct lwp *lwp_current(struct netstack *ns);

/*
 * Sleeps until wakeup(wq), the timeout (0: none) or an interrupt.
 * => in an lwp only (KASSERT). Returns 0, EWOULDBLOCK after timeout_ns, or the interrupt's errno.
 */
int tsleep(struct netstack *ns, struct waitq *wq, const char *wmesg, uint64_t timeout_ns);
/* Makes all (or the first) of the sleepers runnable. Does not switch. */
void wakeup(struct waitq *wq);
void wakeup_one(struct waitq *wq);
/*
 * Makes l's present sleep and all later ones, until func returns, fail with error: EINTR when its
 * client vanished, EBADF when another lwp closed the file it sleeps in (until it lets go of it).
 */
void lwp_interrupt(struct lwp *l, int error);

/* Set-up and tear-down with the stack; at the end no lwp may be running or asleep (KASSERT). */
int lwp_init(struct netstack *ns);
void lwp_fini(struct netstack *ns);

#endif /* KERN_LWP_H */
