/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop, on epoll. See loop.h for how a turn goes. */
#include "server/loop.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "host/linux/host_linux.h"
#include "kern/cdefs.h"
#include "kern/netstack.h"

#define LOOP_SPIN_MAX 64u   /* score of a loop for which polling always pays */
#define LOOP_SPIN_RETRY 32u /* with score 0, poll again once in so many sleeps */
#define LOOP_SPIN_DEFAULT_NS 40000u

int
loop_init(struct loop *lp, struct netstack *ns)
{
	*lp = (struct loop){.lp_ns = ns, .lp_spin_ns = LOOP_SPIN_DEFAULT_NS};
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		lp->lp_spin_ns = 0;
	TAILQ_INIT(&lp->lp_tasks);
	lp->lp_epfd = epoll_create1(EPOLL_CLOEXEC);
	return lp->lp_epfd < 0 ? -1 : 0;
}

void
loop_fini(struct loop *lp)
{
	if (lp->lp_epfd >= 0)
		(void)close(lp->lp_epfd);
	lp->lp_epfd = -1;
}

int
loop_add(struct loop *lp, struct loop_source *ls, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = ls};

	ls->ls_events = events;
	return epoll_ctl(lp->lp_epfd, EPOLL_CTL_ADD, ls->ls_fd, &ev);
}

void
loop_events(struct loop *lp, struct loop_source *ls, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = ls};

	if (ls->ls_events == events || ls->ls_fd < 0)
		return;
	ls->ls_events = events;
	(void)epoll_ctl(lp->lp_epfd, EPOLL_CTL_MOD, ls->ls_fd, &ev);
}

void
loop_del(struct loop *lp, struct loop_source *ls)
{
	if (ls->ls_fd >= 0)
		(void)epoll_ctl(lp->lp_epfd, EPOLL_CTL_DEL, ls->ls_fd, NULL);
	for (int i = lp->lp_at; i < lp->lp_nbatch; i++) {
		if (lp->lp_batch[i].data.ptr == ls)
			lp->lp_batch[i].data.ptr = NULL;
	}
}

void
loop_defer(struct loop *lp, struct loop_task *lt)
{
	if (lt->lt_queued)
		return;
	lt->lt_queued = true;
	lt->lt_turn = lp->lp_turn;
	TAILQ_INSERT_TAIL(&lp->lp_tasks, lt, lt_list);
}

void
loop_undefer(struct loop *lp, struct loop_task *lt)
{
	if (lt->lt_queued)
		TAILQ_REMOVE(&lp->lp_tasks, lt, lt_list);
	lt->lt_queued = false;
}

/* Those that are queued now; what they queue waits for the next time. => false: there were none */
static bool
loop_tasks(struct loop *lp)
{
	bool any = !TAILQ_EMPTY(&lp->lp_tasks);
	struct loop_task *lt;

	lp->lp_turn++;
	while ((lt = TAILQ_FIRST(&lp->lp_tasks)) != NULL && lt->lt_turn != lp->lp_turn) {
		loop_undefer(lp, lt);
		lt->lt_run(lt);
	}
	return any;
}

void
loop_stop(struct loop *lp)
{
	lp->lp_stop = true;
}

static int
loop_poll(struct loop *lp, int64_t timeout_ns)
{
	struct timespec ts = {.tv_sec = timeout_ns / 1000000000,
	    .tv_nsec = timeout_ns % 1000000000};

	return epoll_pwait2(lp->lp_epfd, lp->lp_batch, LOOP_MAXEVENTS, timeout_ns < 0 ? NULL : &ts,
	    NULL);
}

/* Is it worth polling for a while before sleeping? */
static bool
loop_should_spin(struct loop *lp)
{
	if (lp->lp_spin_ns == 0)
		return false;
	if (lp->lp_spin_score > 0)
		return true;
	if (++lp->lp_spin_skipped < LOOP_SPIN_RETRY)
		return false;
	lp->lp_spin_skipped = 0;
	return true;
}

/* Polls until something is ready or until_ns. => events, 0, or -1. */
static int
loop_spin(struct loop *lp, uint64_t until_ns)
{
	uint64_t start_ns = host_linux_now_ns();
	uint64_t now_ns = start_ns;
	int n = 0;

	while (n == 0 && now_ns - start_ns < lp->lp_spin_ns && now_ns < until_ns) {
		n = loop_poll(lp, 0);
		now_ns = host_linux_now_ns();
	}
	if (n > 0)
		lp->lp_spin_score = KERN_MIN(lp->lp_spin_score + 4, LOOP_SPIN_MAX);
	else if (lp->lp_spin_score > 0)
		lp->lp_spin_score--;
	return n;
}

/* Waits for events or the stack's deadline. => events, 0 at the deadline, or -1. */
static int
loop_wait(struct loop *lp, bool busy)
{
	uint64_t deadline_ns = netstack_deadline(lp->lp_ns);
	uint64_t now_ns;
	int n;

	if (deadline_ns <= lp->lp_ns->ns_now || !TAILQ_EMPTY(&lp->lp_tasks))
		return loop_poll(lp, 0);
	if (busy && !lp->lp_rest && loop_should_spin(lp)) {
		n = loop_spin(lp, deadline_ns);
		if (n != 0)
			return n;
	}
	if (deadline_ns == CALLOUT_NEVER)
		return loop_poll(lp, -1);
	now_ns = host_linux_now_ns();
	return loop_poll(lp, deadline_ns > now_ns ? (int64_t)(deadline_ns - now_ns) : 0);
}

static void
loop_dispatch(struct loop *lp, int nevents)
{
	lp->lp_nbatch = nevents;
	for (lp->lp_at = 0; lp->lp_at < lp->lp_nbatch; lp->lp_at++) {
		struct epoll_event *ev = &lp->lp_batch[lp->lp_at];
		struct loop_source *ls = ev->data.ptr;

		if (ls != NULL)
			ls->ls_ready(ls, ev->events);
	}
	lp->lp_nbatch = 0;
}

void
loop_yield(struct loop *lp)
{
	lp->lp_yield = true;
}

/*
 * A reader of datagrams that is behind may be kept from reading by this loop, which a kernel that
 * receives would leave its processor. So it gets ours: when datagrams were lost for full sockets, and
 * when a door says so (loop_yield), which is before any is lost. Meanwhile packets wait in the
 * interface's queue, where losing them costs nothing.
 */
static void
loop_makeway(struct loop *lp)
{
	const uint64_t *drops = lp->lp_ns->ns_drops;
	uint64_t lost = drops[DROP_UDP_FULLSOCK] + drops[DROP_RAW_FULLSOCK];

	if (lost != lp->lp_lost || lp->lp_yield)
		(void)sched_yield();
	lp->lp_lost = lost;
	lp->lp_yield = false;
}

void
loop_rest(struct loop *lp)
{
	lp->lp_rest = true;
}

void
loop_look(struct loop *lp)
{
	lp->lp_look = true;
}

/* Nothing is late while the stack has nothing to do. */
static void
loop_looknow(struct loop *lp)
{
	const bool look = lp->lp_look && netstack_deadline(lp->lp_ns) <= lp->lp_ns->ns_now;
	int n;

	lp->lp_look = false;
	if (look && (n = loop_poll(lp, 0)) > 0)
		loop_dispatch(lp, n);
}

int
loop_run(struct loop *lp)
{
	int n = 0;

	while (!lp->lp_stop) {
		(void)loop_tasks(lp);
		loop_looknow(lp);
		netstack_run(lp->lp_ns);
		if (loop_tasks(lp)) {
			loop_looknow(lp);
			netstack_run(lp->lp_ns);
		}
		if (lp->lp_stop)
			break;
		loop_makeway(lp);
		n = loop_wait(lp, n > 0);
		lp->lp_rest = false;
		if (n < 0 && errno != EINTR)
			return -1;
		netstack_enter(lp->lp_ns, host_linux_now_ns());
		loop_dispatch(lp, n > 0 ? n : 0);
	}
	return 0;
}
