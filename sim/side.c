/* SPDX-License-Identifier: BSD-2-Clause */
/* What all applications share: descriptors, marks, timers, ends. */
#include "sim/side.h"

#include <rumpus/abi.h>
#include <rumpus/socket.h>

#include "sim/host.h"

struct rumpus_proc *
side_proc(const struct side *s)
{
	return s->s_host->h_proc;
}

void
side_mark(struct side *s)
{
	struct host *h = s->s_host;

	host_touch(h);
	if (s->s_isdirty || s->s_fd < 0)
		return;
	s->s_isdirty = true;
	s->s_nextdirty = NULL;
	*h->h_lastdirty = s;
	h->h_lastdirty = &s->s_nextdirty;
}

static void
side_upcall(struct socket *so, void *arg)
{
	(void)so;
	side_mark(arg);
}

struct side *
side_new(struct host *h, int fd, void (*step)(struct side *s))
{
	struct world *w = h->h_world;
	struct side *s = sim_alloc(sizeof(*s));

	s->s_host = h;
	s->s_fd = fd;
	s->s_step = step;
	s->s_next = w->w_sides;
	w->w_sides = s;
	(void)rumpus_upcall(h->h_proc, fd, side_upcall, s);
	side_mark(s);
	return s;
}

static void
side_timer(struct world *w, void *arg, uint64_t tag)
{
	struct side *s = arg;

	(void)w;
	(void)tag;
	s->s_paused = s->s_retry = false;
	side_mark(s);
}

void
side_later(struct side *s, uint64_t delay_ns, bool *flag)
{
	const struct event ev = {.ev_time_ns = s->s_host->h_world->w_now_ns + delay_ns,
	    .ev_do = side_timer,
	    .ev_arg = s};

	if (*flag)
		return;
	*flag = true;
	event_add(&s->s_host->h_world->w_events, &ev);
}

bool
side_nomem(int64_t result)
{
	return result == -BSD_ENOBUFS || result == -BSD_ENOMEM || result == -BSD_EMFILE ||
	    result == -BSD_ENFILE;
}

bool
side_noaddress(enum family family, int64_t result)
{
	return (family == FAMILY_6 || family == FAMILY_LOCAL) &&
	    (result == -BSD_EADDRNOTAVAIL || result == -BSD_ENETUNREACH);
}

void
side_progress(struct side *s)
{
	s->s_host->h_world->w_progress_ns = s->s_host->h_world->w_now_ns;
	if (s->s_conn != NULL)
		s->s_conn->co_progress_ns = s->s_host->h_world->w_now_ns;
}

static void
side_ended(struct side *s, enum side_end end, int error)
{
	static const char *const names[] = {"open", "done", "error", "aborted", "crashed"};

	s->s_fd = -1;
	s->s_end = end;
	s->s_errno = error;
	side_progress(s);
	if (s->s_conn != NULL) {
		s->s_conn->co_ended[s->s_which] = end;
		world_say(s->s_host->h_world, "connection %u %s: %s %d, sent %llu, received %llu",
		    s->s_conn->co_index, s->s_which == 0 ? "client" : "server", names[end], error,
		    (unsigned long long)s->s_tx, (unsigned long long)s->s_rx);
	}
}

void
side_finish(struct side *s, enum side_end end, int error)
{
	const struct bsd_linger linger = {.l_onoff = 1};
	int fd = s->s_fd, result;

	if (end == SIDE_ABORTED)
		(void)rumpus_setsockopt(side_proc(s), fd, BSD_SOL_SOCKET, BSD_SO_LINGER, &linger,
		    sizeof(linger));
	side_ended(s, end, error);
	result = rumpus_close(side_proc(s), fd);
	if (result != 0 && result != -BSD_ECONNRESET)
		world_fail(s->s_host->h_world, "close: errno %d", -result);
}

void
side_crash_all(struct host *h)
{
	for (struct side *s = h->h_world->w_sides; s != NULL; s = s->s_next)
		if (s->s_host == h && s->s_fd >= 0)
			side_ended(s, SIDE_CRASHED, 0);
	h->h_dirty = NULL;
	h->h_lastdirty = &h->h_dirty;
}

void
side_sockbuf(struct side *s, uint32_t bytes)
{
	if (bytes == 0)
		return;
	(void)rumpus_setsockopt(side_proc(s), s->s_fd, BSD_SOL_SOCKET, BSD_SO_SNDBUF, &bytes,
	    sizeof(bytes));
	(void)rumpus_setsockopt(side_proc(s), s->s_fd, BSD_SOL_SOCKET, BSD_SO_RCVBUF, &bytes,
	    sizeof(bytes));
}
