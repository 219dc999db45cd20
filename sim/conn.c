/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams: clients, servers, and what must hold of the bytes between them. */
#include <stdio.h>
#include <string.h>

#include <rumpus/abi.h>
#include <rumpus/socket.h>

#include "sim/address.h"
#include "sim/host.h"
#include "sim/side.h"
#include "sim/stream.h"

#define BUFFER 65536u
#define RETRY_NS (20 * SIM_MS)
#define HEAD 8u
#define HANDSHAKE_NS (15 * SIM_SECOND) /* three SYN,ACKs again */

static struct world *
side_world(const struct side *s)
{
	return s->s_host->h_world;
}

static void stream_step(struct side *s);

/* -- what the bytes are ----------------------------------------------------------------------- */

static struct stream_id
stream_from(const struct conn *co, const struct world *w, unsigned which)
{
	return (struct stream_id){.si_seed = w->w_plan.pl_seed,
	    .si_conn = co->co_index,
	    .si_from = which};
}

/* What a client begins with. */
static uint64_t
conn_head(const struct world *w, uint32_t index)
{
	return (w->w_plan.pl_seed ^ 0x72756d707573ull) * 0x9e3779b97f4a7c15ull << 8 | index;
}

void
stream_data(const struct side *s, uint64_t offset, uint8_t *buf, size_t len)
{
	struct stream_id si = stream_from(s->s_conn, side_world(s), s->s_which);
	uint64_t head = conn_head(side_world(s), s->s_conn->co_index);

	stream_fill(&si, offset, buf, len);
	for (; s->s_which == 0 && offset < HEAD && len > 0; offset++, len--)
		*buf++ = ((const uint8_t *)&head)[offset];
}

static void
conn_verify(struct side *s, const uint8_t *buf, size_t len)
{
	struct stream_id si = stream_from(s->s_conn, side_world(s), !s->s_which);
	size_t ok = stream_verify(&si, s->s_rx, buf, len);

	if (s->s_rx + len > s->s_conn->co_plan->cp_total[!s->s_which])
		world_fail(side_world(s), "connection %u: more bytes came than were sent",
		    s->s_conn->co_index);
	else if (ok < len)
		world_fail(side_world(s),
		    "connection %u: byte %llu that the %s received is not what was sent",
		    s->s_conn->co_index, (unsigned long long)(s->s_rx + ok),
		    s->s_which == 0 ? "client" : "server");
}

/* -- ends ------------------------------------------------------------------------------------- */

/*
 * SYN cookies (RFC 4987 §3.6). A host that has forgotten a handshake knows it again by its last ACK alone, or
 * the first data, which have the same numbers: if what follows comes first, the host answers as to
 * any ACK for a listener, by RST (RFC 9293 §3.10.7.2). And it knows it again each time that
 * ACK comes, for as long as the secret lasts: late duplicates make a ghost of a connection that is over.
 */
static bool
host_hascookies(const struct host *h)
{
	return (h->h_world->w_plan.pl_hosts[h->h_index].hp_sysctls & HP_ANYCOOKIES) != 0;
}

/*
 * Is there a reason why a connection may be reset under a side? The end of the other side is one, a
 * handshake that took so long that the other side gave it up, or of which it has only a cookie, and
 * a host that lost its memory.
 */
static bool
conn_mayreset(const struct side *s)
{
	const struct conn *co = s->s_conn;
	const struct world *w = side_world(s);

	for (unsigned i = 0; i < 2; i++)
		if (w->w_hosts[co->co_plan->cp_hosts[i]].h_wronged)
			return true;
	if (co->co_sides[1] == NULL && w->w_now_ns - co->co_asked_ns > HANDSHAKE_NS)
		return true;
	/* Such a RST ends the client, and so its server, too; but not once something has come back. */
	if (co->co_sides[0] != NULL && co->co_sides[0]->s_rx == 0 &&
	    host_hascookies(&w->w_hosts[co->co_plan->cp_hosts[1]]))
		return true;
	return co->co_ended[!s->s_which] > SIDE_DONE;
}

void
stream_error(struct side *s, int64_t result)
{
	struct conn *co = s->s_conn;

	if (result == -BSD_ECONNRESET || result == -BSD_EPIPE || result == -BSD_ECONNREFUSED) {
		if (co != NULL && !conn_mayreset(s))
			world_fail(side_world(s),
			    "connection %u: the %s was told errno %d for no reason", co->co_index,
			    s->s_which == 0 ? "client" : "server", (int)-result);
	} else if (result == -BSD_EBADF || result == -BSD_EINVAL || result == -BSD_EFAULT ||
	    result == -BSD_ENOTCONN || result == -BSD_ENOTSOCK) {
		world_fail(side_world(s), "a call on a stream gave errno %d", (int)-result);
	}
	side_finish(s, SIDE_ERROR, (int)-result);
}

/* => true: the side aborts here, as planned */
static bool
stream_aborts(struct side *s)
{
	const struct conn_plan *cp = s->s_conn->co_plan;

	if (cp->cp_kind != CONN_RESET || cp->cp_abort_side != s->s_which ||
	    s->s_tx + s->s_rx < cp->cp_abort_at)
		return false;
	side_finish(s, SIDE_ABORTED, 0);
	return true;
}

/* The end of what the other side sends. */
static void
stream_eof(struct side *s)
{
	const struct conn *co = s->s_conn;
	uint64_t total = co->co_plan->cp_total[!s->s_which];

	s->s_eof = true;
	side_progress(s);
	if (s->s_rx != total)
		world_fail(side_world(s),
		    "connection %u: the %s read the end after %llu of %llu bytes", co->co_index,
		    s->s_which == 0 ? "client" : "server", (unsigned long long)s->s_rx,
		    (unsigned long long)total);
}

void
stream_take(struct side *s, const uint8_t *buf, size_t len)
{
	if (len == 0) {
		stream_eof(s);
		return;
	}
	conn_verify(s, buf, len);
	s->s_rx += len;
	world_received(side_world(s), s->s_conn->co_plan->cp_family, len);
	side_progress(s);
}

/* -- sending ---------------------------------------------------------------------------------- */

/* How much a side may have sent by now. */
static uint64_t
stream_allowed(const struct side *s)
{
	const struct conn_plan *cp = s->s_conn->co_plan;
	uint64_t total = cp->cp_total[s->s_which], rounds, limit;

	if (cp->cp_kind == CONN_HALF && s->s_which == 1 && !s->s_eof)
		return 0;
	if (cp->cp_kind != CONN_ANSWERS && cp->cp_kind != CONN_TASK)
		return total;
	rounds = s->s_rx / cp->cp_round[!s->s_which] + (s->s_which == 0);
	limit = rounds * cp->cp_round[s->s_which];
	return limit < total ? limit : total;
}

/* => false: the side has ended */
static bool
stream_send(struct side *s)
{
	static uint8_t buf[BUFFER];
	const struct conn_plan *cp = s->s_conn->co_plan;
	uint64_t allowed = stream_allowed(s);

	while (s->s_tx < allowed && !s->s_retry) {
		size_t n = allowed - s->s_tx < cp->cp_chunk[s->s_which] ? allowed - s->s_tx
									: cp->cp_chunk[s->s_which];
		int64_t done;

		stream_data(s, s->s_tx, buf, n);
		done = rumpus_write(side_proc(s), s->s_fd, buf, n);
		if (done == -BSD_EAGAIN)
			return true;
		if (side_nomem(done)) {
			side_later(s, RETRY_NS, &s->s_retry);
			return true;
		}
		if (done <= 0 || (uint64_t)done > n) {
			stream_error(s, done);
			return false;
		}
		s->s_tx += (uint64_t)done;
		side_progress(s);
		if (stream_aborts(s))
			return false;
	}
	return true;
}

/* Closes the way out when all is sent. => false: the side has ended */
static bool
stream_shut(struct side *s)
{
	const struct conn_plan *cp = s->s_conn->co_plan;
	int result;

	if (s->s_shut || s->s_tx < cp->cp_total[s->s_which] || (s->s_tx == 0 && !s->s_eof))
		return true;
	if (cp->cp_kind == CONN_SHORT && s->s_which == 0) {
		side_finish(s, SIDE_DONE, 0);
		return false;
	}
	result = rumpus_shutdown(side_proc(s), s->s_fd, BSD_SHUT_WR);
	s->s_shut = true;
	if (result == 0)
		return true;
	/* Reset meanwhile: the error itself is read. */
	if (result != -BSD_ENOTCONN) {
		stream_error(s, result);
		return false;
	}
	return true;
}

/* -- receiving -------------------------------------------------------------------------------- */

/* Bytes that began a connection have begun another: a ghost, or the stack is wrong. */
static void
visitor_again(struct side *s, const struct conn *co)
{
	const char *why = NULL;

	if (!host_hascookies(s->s_host))
		why = "its host has no cookies";
	else if (co->co_ended[1] == SIDE_OPEN)
		why = "it is still there";
	if (why != NULL)
		world_fail(side_world(s), "connection %u came again, and %s", co->co_index, why);
	side_finish(s, SIDE_ABORTED, 0);
}

/* Its address must be the client's, as a socket of this family shows it. */
static void
visitor_check(struct side *s, const struct conn *co)
{
	struct host *h = s->s_host;
	const struct host *from = &side_world(s)->w_hosts[co->co_plan->cp_hosts[0]];
	enum family family = co->co_plan->cp_family;
	union bsd_sockaddr_any peer = {0}, want, local;
	uint32_t len = sizeof(peer);

	if (family == FAMILY_4 || family == FAMILY_MAPPED)
		family =
		    side_world(s)->w_plan.pl_hosts[h->h_index].hp_dual ? FAMILY_MAPPED : FAMILY_4;
	address_of(from, family, h->h_ifindex, 0, &want);
	local = want;
	if (family == FAMILY_6 && !co->co_plan->cp_bind)
		address_of(from, FAMILY_LOCAL, h->h_ifindex, 0, &local);
	/* Reset meanwhile, it has no peer any more. */
	if (rumpus_getpeername(h->h_proc, s->s_fd, &peer.sa, &len) == 0 &&
	    !address_same(&peer, &want) && !address_same(&peer, &local))
		world_fail(side_world(s),
		    "connection %u: its server has another peer than its client", co->co_index);
}

/* The first bytes of a visitor: which connection is it? => false: it has ended, or is not known yet */
static bool
visitor_read(struct side *s)
{
	struct world *w = side_world(s);
	int64_t got = rumpus_read(side_proc(s), s->s_fd, s->s_head + s->s_rx, HEAD - s->s_rx);
	uint64_t head;

	if (got == -BSD_EAGAIN)
		return false;
	if (got <= 0) {
		if (got == 0)
			world_fail(w, "a server read the end before the first bytes");
		stream_error(s, got);
		return false;
	}
	s->s_rx += (uint64_t)got;
	if (s->s_rx < HEAD) {
		side_mark(s);
		return false;
	}
	memcpy(&head, s->s_head, sizeof(head));
	for (unsigned i = 0; i < w->w_plan.pl_nconns; i++) {
		struct conn *co = &w->w_conns[i];

		if (head != conn_head(w, i) || !co->co_started ||
		    &w->w_hosts[co->co_plan->cp_hosts[1]] != s->s_host)
			continue;
		if (co->co_sides[1] != NULL) {
			visitor_again(s, co);
			return false;
		}
		s->s_conn = co;
		co->co_sides[1] = s;
		visitor_check(s, co);
		side_sockbuf(s, co->co_plan->cp_sockbuf[1]);
		side_progress(s);
		return true;
	}
	world_fail(w, "host %u: a stream begins with bytes that no client sent",
	    s->s_host->h_index);
	return false;
}

/* => false: the side has ended */
static bool
stream_receive(struct side *s)
{
	static uint8_t buf[BUFFER];
	const struct conn_plan *cp = s->s_conn->co_plan;

	while (!s->s_eof && !s->s_paused && !s->s_retry) {
		int64_t got = rumpus_read(side_proc(s), s->s_fd, buf, cp->cp_chunk[s->s_which]);

		if (got == -BSD_EAGAIN)
			return true;
		if (side_nomem(got)) {
			side_later(s, RETRY_NS, &s->s_retry);
			return true;
		}
		if (got < 0) {
			stream_error(s, got);
			return false;
		}
		stream_take(s, buf, (size_t)got);
		if (s->s_eof)
			return true;
		if (stream_aborts(s))
			return false;
		if (cp->cp_pause_ns[s->s_which] > 0)
			side_later(s, cp->cp_pause_ns[s->s_which], &s->s_paused);
	}
	return true;
}

/* => errno, negated; 0: bound, or it need not be */
static int
conn_bind(struct side *s)
{
	const struct conn_plan *cp = s->s_conn->co_plan;
	union bsd_sockaddr_any own;
	int error;

	if (!cp->cp_bind || s->s_bound)
		return 0;
	address_of(s->s_host, cp->cp_family, s->s_host->h_ifindex, 0, &own);
	error = rumpus_bind(side_proc(s), s->s_fd, &own.sa, own.sa.sa_len);
	s->s_bound = error == 0;
	return error;
}

int
conn_ask(struct side *s)
{
	struct conn *co = s->s_conn;
	union bsd_sockaddr_any to;
	int result = conn_bind(s);

	address_of(&side_world(s)->w_hosts[co->co_plan->cp_hosts[1]], co->co_plan->cp_family,
	    s->s_host->h_ifindex, SIM_PORT, &to);
	if (result == 0)
		result = rumpus_connect(side_proc(s), s->s_fd, &to.sa, to.sa.sa_len);
	if (!side_noaddress(co->co_plan->cp_family, result))
		co->co_asked_ns = side_world(s)->w_now_ns;
	return result;
}

bool
conn_askonce(struct side *s, int *errorp)
{
	if (s->s_retry)
		return false;
	*errorp = conn_ask(s);
	if (!side_noaddress(s->s_conn->co_plan->cp_family, *errorp))
		return true;
	side_later(s, SIDE_ADDRESS_NS, &s->s_retry);
	return false;
}

/* Asks for the connection once there is an address. => false: not asked, or it has ended */
static bool
stream_ask(struct side *s)
{
	int result;

	if (s->s_asked)
		return true;
	if (!conn_askonce(s, &result))
		return false;
	s->s_asked = true;
	if (result == 0 || result == -BSD_EINPROGRESS)
		return true;
	stream_error(s, result);
	return false;
}

/* => false: not connected yet, or it never will be */
static bool
stream_connected(struct side *s)
{
	struct bsd_pollfd pfd = {.fd = s->s_fd, .events = BSD_POLLOUT};
	int error = 0, result;
	uint32_t len = sizeof(error);

	if (s->s_connected)
		return true;
	if (!stream_ask(s))
		return false;
	if (rumpus_poll(side_proc(s), &pfd, 1, 0) != 1)
		return false;
	result =
	    rumpus_getsockopt(side_proc(s), s->s_fd, BSD_SOL_SOCKET, BSD_SO_ERROR, &error, &len);
	if (result != 0 || error != 0) {
		stream_error(s, result != 0 ? result : -error);
		return false;
	}
	s->s_connected = true;
	side_progress(s);
	return true;
}

static void
stream_step(struct side *s)
{
	uint64_t before;

	if (!stream_connected(s) || (s->s_conn == NULL && !visitor_read(s)))
		return;
	if (stream_aborts(s))
		return;
	do {
		before = s->s_rx + s->s_eof;
		if (!stream_send(s) || !stream_shut(s) || !stream_receive(s))
			return;
	} while (s->s_rx + s->s_eof != before);
	if (s->s_eof && s->s_shut)
		side_finish(s, SIDE_DONE, 0);
}

/* -- beginnings ------------------------------------------------------------------------------- */

void
stream_options(struct side *s, bool nodelay)
{
	static const int on = 1, idle_s = 30, interval_s = 10, count = 6;
	struct rumpus_proc *p = side_proc(s);

	(void)rumpus_setsockopt(p, s->s_fd, BSD_SOL_SOCKET, BSD_SO_KEEPALIVE, &on, sizeof(on));
	(void)rumpus_setsockopt(p, s->s_fd, BSD_IPPROTO_TCP, BSD_TCP_KEEPIDLE, &idle_s,
	    sizeof(idle_s));
	(void)rumpus_setsockopt(p, s->s_fd, BSD_IPPROTO_TCP, BSD_TCP_KEEPINTVL, &interval_s,
	    sizeof(interval_s));
	(void)rumpus_setsockopt(p, s->s_fd, BSD_IPPROTO_TCP, BSD_TCP_KEEPCNT, &count,
	    sizeof(count));
	if (nodelay)
		(void)rumpus_setsockopt(p, s->s_fd, BSD_IPPROTO_TCP, BSD_TCP_NODELAY, &on,
		    sizeof(on));
}

void
listener_step(struct side *s)
{
	for (;;) {
		int fd = rumpus_accept(side_proc(s), s->s_fd, NULL, NULL, BSD_SOCK_NONBLOCK);
		struct side *visitor;

		if (fd == -BSD_ECONNABORTED)
			continue;
		if (fd < 0) {
			if (side_nomem(fd))
				side_later(s, RETRY_NS, &s->s_retry);
			else if (fd != -BSD_EAGAIN)
				world_fail(side_world(s), "accept: errno %d", -fd);
			return;
		}
		visitor = side_new(s->s_host, fd, stream_step);
		visitor->s_which = 1;
		visitor->s_connected = true;
		stream_options(visitor, (fd & 1) != 0);
	}
}

/* A connection that came to nothing before it had a socket. */
static void
conn_stillborn(struct conn *co, enum side_end end)
{
	co->co_ended[0] = end;
}

/* => a descriptor, or an errno, negated */
static int
conn_socket(struct host *h, const struct conn_plan *cp)
{
	static const int off = 0;
	int type = cp->cp_kind == CONN_UDP ? BSD_SOCK_DGRAM : BSD_SOCK_STREAM, error = 0, fd;

	if (cp->cp_kind != CONN_TASK)
		type |= BSD_SOCK_NONBLOCK;
	fd = rumpus_socket(h->h_proc, address_domain(cp->cp_family), type, 0);
	if (fd >= 0 && cp->cp_family == FAMILY_MAPPED)
		error = rumpus_setsockopt(h->h_proc, fd, BSD_IPPROTO_IPV6, BSD_IPV6_V6ONLY, &off,
		    sizeof(off));
	if (error != 0)
		world_fail(h->h_world, "IPV6_V6ONLY: errno %d", -error);
	return fd;
}

void
conn_start(struct world *w, void *arg, uint64_t tag)
{
	struct conn *co = arg;
	const struct conn_plan *cp = co->co_plan;
	struct host *h = &w->w_hosts[cp->cp_hosts[0]];
	int fd;

	(void)tag;
	co->co_started = true;
	co->co_progress_ns = w->w_now_ns;
	if (h->h_ns == NULL) {
		conn_stillborn(co, SIDE_CRASHED);
		return;
	}
	host_touch(h);
	fd = conn_socket(h, cp);
	if (fd < 0) {
		conn_stillborn(co, SIDE_ERROR);
		if (!side_nomem(fd))
			world_fail(w, "socket: errno %d", -fd);
		return;
	}
	if (cp->cp_kind == CONN_UDP) {
		datagram_start(co, fd);
		return;
	}
	if (cp->cp_kind == CONN_TASK) {
		task_start(co, fd);
		return;
	}
	co->co_sides[0] = side_new(h, fd, stream_step);
	co->co_sides[0]->s_conn = co;
	side_sockbuf(co->co_sides[0], cp->cp_sockbuf[0]);
	stream_options(co->co_sides[0], cp->cp_nodelay);
	world_say(w, "connection %u: host %u to host %u, %s, %s, %llu and %llu bytes", co->co_index,
	    h->h_index, cp->cp_hosts[1], family_name(cp->cp_family), conn_kind_name(cp->cp_kind),
	    (unsigned long long)cp->cp_total[0], (unsigned long long)cp->cp_total[1]);
	(void)stream_ask(co->co_sides[0]);
}

bool
conn_ended(const struct conn *co)
{
	return co->co_started && co->co_ended[0] != SIDE_OPEN &&
	    (co->co_sides[1] == NULL || co->co_ended[1] != SIDE_OPEN);
}

void
conn_describe(const struct conn *co, char *buf, size_t space)
{
	int n = snprintf(buf, space, "connection %u (%s, %s, host %u to %u", co->co_index,
	    family_name(co->co_plan->cp_family), conn_kind_name(co->co_plan->cp_kind),
	    co->co_plan->cp_hosts[0], co->co_plan->cp_hosts[1]);

	for (unsigned i = 0; i < 2; i++) {
		const struct side *s = co->co_sides[i];

		if (s != NULL && n > 0 && (size_t)n < space)
			n += snprintf(buf + n, space - (size_t)n,
			    "; %s%s sent %llu of %llu, received %llu", i == 0 ? "client" : "server",
			    co->co_ended[i] != SIDE_OPEN ? " ended," : "",
			    (unsigned long long)s->s_tx,
			    (unsigned long long)co->co_plan->cp_total[i],
			    (unsigned long long)s->s_rx);
	}
	if (n > 0 && (size_t)n < space)
		(void)snprintf(buf + n, space - (size_t)n, ")");
}
