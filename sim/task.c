/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that waits: requests and responses by calls that sleep, in a task with a stack of its
 * own. Its server is as all others are. When its host crashes, the call it sleeps in fails, and it
 * must touch nothing any more.
 */
#include <rumpus/abi.h>
#include <rumpus/socket.h>

#include "sim/host.h"
#include "sim/side.h"

#define BUFFER 8192u
#define RETRY_NS (20 * SIM_MS)

/* A call failed. => 0: again, after a pause for memory; else its errno, negated */
static int64_t
task_again(struct side *s, int64_t result)
{
	if (s->s_end == SIDE_OPEN && side_nomem(result))
		return rumpus_sleep(side_proc(s), RETRY_NS);
	return result;
}

/* => 0, or an errno, negated */
static int64_t
task_write(struct side *s, uint64_t upto)
{
	const uint32_t chunk = s->s_conn->co_plan->cp_chunk[0];
	int64_t n, error;

	while (s->s_tx < upto) {
		uint64_t len = upto - s->s_tx;

		len = len < chunk ? len : chunk;
		len = len < BUFFER ? len : BUFFER;
		stream_data(s, s->s_tx, s->s_buf, len);
		n = rumpus_write(side_proc(s), s->s_fd, s->s_buf, len);
		if (n <= 0) {
			if ((error = task_again(s, n)) != 0)
				return error;
			continue;
		}
		s->s_tx += (uint64_t)n;
		side_progress(s);
	}
	return 0;
}

/* Reads up to there; beyond the total: the end. => 0, or an errno, negated */
static int64_t
task_read(struct side *s, uint64_t upto)
{
	const struct conn_plan *cp = s->s_conn->co_plan;
	int64_t n, error;

	while (s->s_rx < upto && !s->s_eof) {
		uint64_t len = upto - s->s_rx;

		n = rumpus_read(side_proc(s), s->s_fd, s->s_buf, len < BUFFER ? len : BUFFER);
		if (n < 0) {
			if ((error = task_again(s, n)) != 0)
				return error;
			continue;
		}
		stream_take(s, s->s_buf, (size_t)n);
		if (cp->cp_pause_ns[0] > 0 && n > 0 &&
		    (error = rumpus_sleep(side_proc(s), cp->cp_pause_ns[0])) != 0)
			return error;
	}
	return 0;
}

static int64_t
task_talk(struct side *s)
{
	const struct conn_plan *cp = s->s_conn->co_plan;
	int64_t error = 0;

	while (error == 0 && s->s_tx < cp->cp_total[0] && !s->s_eof) {
		error = task_write(s, s->s_tx + cp->cp_round[0]);
		if (error == 0)
			error = task_read(s, s->s_rx + cp->cp_round[1]);
	}
	if (error == 0)
		error = rumpus_shutdown(side_proc(s), s->s_fd, BSD_SHUT_WR);
	return error == 0 ? task_read(s, cp->cp_total[1] + 1) : error;
}

/* Connects, once its host has an address. => 0, or an errno, negated */
static int64_t
task_connect(struct side *s)
{
	int64_t error;

	while (side_noaddress(s->s_conn->co_plan->cp_family, error = conn_ask(s)))
		if ((error = rumpus_sleep(side_proc(s), SIDE_ADDRESS_NS)) != 0)
			break;
	return error;
}

static void
task_main(struct rumpus_task *rt)
{
	struct side *s = rt->rt_arg;
	int64_t error = task_connect(s);

	if (error == 0) {
		s->s_connected = true;
		side_progress(s);
		error = task_talk(s);
	}
	if (s->s_end != SIDE_OPEN)
		return;
	if (error != 0)
		stream_error(s, error);
	else
		side_finish(s, SIDE_DONE, 0);
}

static void
task_step(struct side *s)
{
	(void)s; /* it is woken by the stack itself */
}

void
task_start(struct conn *co, int fd)
{
	struct side *s = side_new(&co->co_world->w_hosts[co->co_plan->cp_hosts[0]], fd, task_step);

	s->s_conn = co;
	co->co_sides[0] = s;
	side_sockbuf(s, co->co_plan->cp_sockbuf[0]);
	stream_options(s, co->co_plan->cp_nodelay);
	s->s_buf = sim_alloc(BUFFER);
	s->s_task = (struct rumpus_task){.rt_func = task_main, .rt_arg = s};
	if (rumpus_task_start(side_proc(s), &s->s_task) != 0)
		side_finish(s, SIDE_ERROR, BSD_EAGAIN);
}
