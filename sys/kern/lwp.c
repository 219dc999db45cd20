/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwps and wait queues: see lwp.h. The pool of lwps belongs to the stack; contexts are made here
 * and stay with their lwp while it is cached.
 */
#include "kern/lwp.h"

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/proc.h"

/* Timeouts beyond this many ns (two years) are none. */
#define TIMEOUT_MAX_NS (1ull << 56)

void
waitq_init(struct waitq *wq)
{
	wq->wq_first = NULL;
}

static void
waitq_insert(struct waitq *wq, struct lwp *l)
{
	struct lwp *first = wq->wq_first;

	if (first == NULL) {
		wq->wq_first = l->l_wnext = l->l_wprev = l;
		return;
	}
	l->l_wnext = first;
	l->l_wprev = first->l_wprev;
	first->l_wprev->l_wnext = l;
	first->l_wprev = l;
}

static void
waitq_remove(struct waitq *wq, struct lwp *l)
{
	l->l_wprev->l_wnext = l->l_wnext;
	l->l_wnext->l_wprev = l->l_wprev;
	if (wq->wq_first == l)
		wq->wq_first = l->l_wnext != l ? l->l_wnext : NULL;
}

/* Back to the loop. */
static void
lwp_switch(struct lwp *l)
{
	host_context_switch(l->l_context, l->l_ns->ns_maincontext);
}

/* The bottom of every lwp's stack: one round a call. */
static void
lwp_main(void *arg)
{
	struct lwp *l = arg;

	for (;;) {
		l->l_func(l, l->l_arg);
		l->l_state = LWP_IDLE;
		lwp_switch(l);
	}
}

static void
lwp_wake(struct lwp *l, int error)
{
	waitq_remove(l->l_wchan, l);
	l->l_wchan = NULL;
	l->l_wmesg = NULL;
	l->l_error = error;
	l->l_state = LWP_RUNNABLE;
	if (callout_pending(&l->l_timeout))
		callout_stop(&l->l_timeout);
	TAILQ_INSERT_TAIL(&l->l_ns->ns_runq, l, l_queue);
}

static void
lwp_timedout(void *arg)
{
	struct lwp *l = arg;

	if (l->l_state == LWP_SLEEPING)
		lwp_wake(l, EWOULDBLOCK);
}

static struct lwp *
lwp_alloc(struct netstack *ns)
{
	struct lwp *l = pool_get_zeroed(&ns->ns_lwppool);

	if (l == NULL)
		return NULL;
	l->l_ns = ns;
	l->l_context = host_context_create(LWP_STACK_BYTES, lwp_main, l);
	if (l->l_context == NULL) {
		pool_put(&ns->ns_lwppool, l);
		return NULL;
	}
	callout_init(&l->l_timeout, ns, lwp_timedout, l);
	return l;
}

static void
lwp_free(struct lwp *l)
{
	host_context_destroy(l->l_context);
	pool_put(&l->l_ns->ns_lwppool, l);
}

/*
 * May p have one more? The last quarter of all is for processes that have none, so that a few with
 * many calls asleep do not keep the others from calling at all.
 */
static bool
lwp_allowed(const struct proc *p)
{
	const struct netstack *ns = p->p_ns;
	uint32_t limit = ns->ns_lwppool.pl_limit;

	if (p->p_exiting || p->p_nlwps >= p->p_lwplimit)
		return false;
	return p->p_nlwps == 0 || ns->ns_nlwps < limit - limit / 4;
}

struct lwp *
lwp_start(struct proc *p, void (*func)(struct lwp *, void *), void *arg)
{
	struct netstack *ns = p->p_ns;
	struct lwp *l;

	if (!lwp_allowed(p))
		return NULL;
	l = TAILQ_FIRST(&ns->ns_idlelwps);
	if (l != NULL)
		TAILQ_REMOVE(&ns->ns_idlelwps, l, l_queue);
	else if ((l = lwp_alloc(ns)) == NULL)
		return NULL;
	l->l_proc = p;
	l->l_error = 0;
	l->l_interrupted = 0;
	l->l_file = NULL;
	l->l_func = func;
	l->l_arg = arg;
	l->l_state = LWP_RUNNABLE;
	LIST_INSERT_HEAD(&p->p_lwps, l, l_siblings);
	p->p_nlwps++;
	ns->ns_nlwps++;
	TAILQ_INSERT_TAIL(&ns->ns_runq, l, l_queue);
	return l;
}

/* In the loop, after l's function returned: keeps l for the next call, or not. */
static void
lwp_ended(struct lwp *l)
{
	struct netstack *ns = l->l_ns;
	struct proc *p = l->l_proc;

	LIST_REMOVE(l, l_siblings);
	l->l_proc = NULL;
	ns->ns_nlwps--;
	if (ns->ns_lwppool.pl_nout - ns->ns_nlwps > LWP_CACHE_MAX)
		lwp_free(l);
	else
		TAILQ_INSERT_HEAD(&ns->ns_idlelwps, l, l_queue);
	if (--p->p_nlwps == 0 && p->p_exiting)
		proc_reap(p);
}

void
lwp_run(struct lwp *l)
{
	struct netstack *ns = l->l_ns;

	KASSERT(ns->ns_curlwp == NULL);
	KASSERT(l->l_state == LWP_RUNNABLE);
	TAILQ_REMOVE(&ns->ns_runq, l, l_queue);
	l->l_state = LWP_RUNNING;
	ns->ns_curlwp = l;
	host_context_switch(ns->ns_maincontext, l->l_context);
	ns->ns_curlwp = NULL;
	if (l->l_state == LWP_IDLE)
		lwp_ended(l);
}

void
lwp_run_all(struct netstack *ns)
{
	struct lwp *l;

	while ((l = TAILQ_FIRST(&ns->ns_runq)) != NULL)
		lwp_run(l);
}

struct lwp *
lwp_current(struct netstack *ns)
{
	return ns->ns_curlwp;
}

int
tsleep(struct netstack *ns, struct waitq *wq, const char *wmesg, uint64_t timeout_ns)
{
	struct lwp *l = ns->ns_curlwp;

	KASSERT(l != NULL);
	if (l->l_interrupted != 0)
		return l->l_interrupted;
	l->l_wchan = wq;
	l->l_wmesg = wmesg;
	l->l_state = LWP_SLEEPING;
	waitq_insert(wq, l);
	if (timeout_ns != 0 && timeout_ns < TIMEOUT_MAX_NS)
		callout_reset(&l->l_timeout, timeout_ns);
	lwp_switch(l);
	return l->l_error;
}

void
wakeup(struct waitq *wq)
{
	struct lwp *l;

	while ((l = wq->wq_first) != NULL)
		lwp_wake(l, 0);
}

void
wakeup_one(struct waitq *wq)
{
	if (wq->wq_first != NULL)
		lwp_wake(wq->wq_first, 0);
}

void
lwp_interrupt(struct lwp *l, int error)
{
	KASSERT(error != 0);
	if (l->l_state == LWP_IDLE)
		return;
	l->l_interrupted = error;
	if (l->l_state == LWP_SLEEPING)
		lwp_wake(l, error);
}

int
lwp_init(struct netstack *ns)
{
	TAILQ_INIT(&ns->ns_runq);
	TAILQ_INIT(&ns->ns_idlelwps);
	ns->ns_curlwp = NULL;
	ns->ns_nlwps = 0;
	ns->ns_maincontext = host_context_main();
	return ns->ns_maincontext == NULL ? ENOMEM : 0;
}

void
lwp_fini(struct netstack *ns)
{
	struct lwp *l;

	KASSERT(ns->ns_nlwps == 0);
	while ((l = TAILQ_FIRST(&ns->ns_idlelwps)) != NULL) {
		TAILQ_REMOVE(&ns->ns_idlelwps, l, l_queue);
		lwp_free(l);
	}
	host_context_destroy(ns->ns_maincontext);
	ns->ns_maincontext = NULL;
}
