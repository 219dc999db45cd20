/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams: a client sends them one after the other, the server sends each back. They may be
 * lost, come late or twice, but each is whole; and once the world is well, some come through.
 *
 *   0                8             16
 *   | connection     | its number  | bytes of its own ... |
 */
#include <string.h>

#include <rumpus/abi.h>
#include <rumpus/socket.h>

#include "sim/host.h"
#include "sim/side.h"
#include "sim/stream.h"

#define BUFFER 65536u
#define HEAD 16u
#define AGAIN_NS SIM_SECOND /* when the world is well and nothing has come back yet */

static size_t
datagram_fill(const struct world *w, const struct conn *co, uint64_t number, uint8_t *buf)
{
	struct stream_id si = {.si_seed = w->w_plan.pl_seed, .si_conn = co->co_index, .si_from = 2};
	uint64_t head[2] = {co->co_index, number};
	size_t len = co->co_plan->cp_chunk[0];

	stream_fill(&si, number * BUFFER, buf, len);
	memcpy(buf, head, sizeof(head));
	return len;
}

/* => the connection that a datagram belongs to; NULL: its bytes are not what was sent */
static struct conn *
datagram_verify(struct world *w, const uint8_t *buf, size_t len)
{
	static uint8_t want[BUFFER];
	struct conn *co;
	uint64_t head[2];

	if (len < HEAD)
		return NULL;
	memcpy(head, buf, sizeof(head));
	if (head[0] >= w->w_plan.pl_nconns)
		return NULL;
	co = &w->w_conns[head[0]];
	if (co->co_plan->cp_kind != CONN_UDP || co->co_sides[0] == NULL ||
	    head[1] >= co->co_sides[0]->s_tx)
		return NULL;
	if (datagram_fill(w, co, head[1], want) != len || memcmp(buf, want, len) != 0)
		return NULL;
	return co;
}

/* Takes one. => NULL: there is none; the connection it belongs to */
static struct conn *
datagram_receive(struct side *s, uint8_t *buf, size_t *len, union bsd_sockaddr_any *from)
{
	struct world *w = s->s_host->h_world;
	int64_t got = rumpus_recvfrom(side_proc(s), s->s_fd, buf, BUFFER, 0, from);
	struct conn *co;

	if (side_nomem(got))
		side_later(s, 20 * SIM_MS, &s->s_retry);
	if (got < 0) {
		/* An error that ICMP brought is told once; what came before it is still there. */
		if (got != -BSD_EAGAIN && !side_nomem(got))
			side_mark(s);
		return NULL;
	}
	co = datagram_verify(w, buf, (size_t)got);
	if (co == NULL)
		world_fail(w, "host %u received a datagram of %lld bytes that nobody sent",
		    s->s_host->h_index, (long long)got);
	*len = (size_t)got;
	if (co != NULL)
		world_received(w, co->co_plan->cp_family, (uint64_t)got);
	return co;
}

void
datagram_serve(struct side *s)
{
	static uint8_t buf[BUFFER];
	union bsd_sockaddr_any from;
	size_t len;

	while (datagram_receive(s, buf, &len, &from) != NULL)
		(void)rumpus_sendto(side_proc(s), s->s_fd, buf, len, 0, &from.sa);
}

/* Nothing more is to be sent or waited for. */
static bool
datagram_enough(const struct side *s)
{
	const struct conn *co = s->s_conn;
	const struct world *w = s->s_host->h_world;

	if (s->s_tx < co->co_plan->cp_total[0])
		return false;
	return w->w_healed &&
	    (co->co_answers_well > 0 || w->w_hosts[co->co_plan->cp_hosts[1]].h_ns == NULL);
}

/* Has a peer, once its host has an address. => false: not yet, or it has ended */
static bool
datagram_connected(struct side *s)
{
	int error;

	if (s->s_asked)
		return true;
	if (!conn_askonce(s, &error))
		return false;
	if (error != 0) {
		if (!side_nomem(error))
			world_fail(s->s_host->h_world, "a datagram socket: errno %d", -error);
		side_finish(s, SIDE_ERROR, -error);
		return false;
	}
	s->s_asked = true;
	return true;
}

static void
datagram_step(struct side *s)
{
	static uint8_t buf[BUFFER];
	const struct world *w = s->s_host->h_world;
	struct conn *co = s->s_conn;
	union bsd_sockaddr_any from;
	size_t len;

	if (!datagram_connected(s))
		return;
	while (datagram_receive(s, buf, &len, &from) != NULL) {
		co->co_answers++;
		co->co_answers_well += w->w_healed;
		side_progress(s);
	}
	if (datagram_enough(s)) {
		side_finish(s, SIDE_DONE, 0);
		return;
	}
	if (s->s_paused || s->s_retry)
		return;
	len = datagram_fill(w, co, s->s_tx++, buf);
	(void)rumpus_write(side_proc(s), s->s_fd, buf, len);
	side_later(s,
	    s->s_tx < co->co_plan->cp_total[0] ? co->co_plan->cp_pause_ns[0] + 1000 : AGAIN_NS,
	    &s->s_paused);
}

void
datagram_start(struct conn *co, int fd)
{
	struct side *s =
	    side_new(&co->co_world->w_hosts[co->co_plan->cp_hosts[0]], fd, datagram_step);

	s->s_conn = co;
	co->co_sides[0] = s;
}
