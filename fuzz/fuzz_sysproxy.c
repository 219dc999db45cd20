/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sysproxy door in one process, with the input as what its clients do: frames good and bad, in
 * pieces; answers to copy-ins right, short, long, late, of the wrong kind, or none; output left
 * unread; preforks claimed, forged and given up; connections cut anywhere. When all clients are
 * gone nothing may be left of them. Time is virtual: the stack's clock is ahead of the host's, so
 * the loop never moves it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rumpus/abi.h>
#include <rumpus/sysproxy.h>

#include "fuzz/fuzz.h"
#include "kern/cdefs.h"
#include "kern/proc.h"
#include "server/loop.h"
#include "server/sysproxy/sp_session.h"
#include "server/sysproxy/sysproxy.h"

#define NCLIENTS 3
#define MAXSTEPS 200
#define CLOCK_NS (1ull << 62)

struct client {
	int c_fd; /* -1: none */
	uint64_t c_reqno;
	uint8_t c_in[4096]; /* the last bytes of the server, as far as they fit */
	size_t c_inlen;
	struct rumpsp_hdr c_ask; /* its last copy-in request, if rsp_len != 0 */
	uint64_t c_asklen;
	uint32_t c_auth[4]; /* of the last prefork */
};

static struct world {
	struct netstack *w_ns;
	struct loop w_loop;
	struct loop_source w_tick;
	struct sp_server *w_sp;
	struct client w_clients[NCLIENTS];
} world;

/* -- one turn of the loop -------------------------------------------------------------------- */

static void
tick(struct loop_source *ls, uint32_t events)
{
	(void)ls;
	(void)events;
	loop_stop(&world.w_loop);
}

/* The tick is always ready, so the loop never waits and stops after one round. */
static void
turn(void)
{
	world.w_loop.lp_stop = false;
	FUZZ_CHECK(loop_run(&world.w_loop) == 0);
	netstack_run(world.w_ns);
}

static void
world_start(void)
{
	memset(&world, 0, sizeof(world));
	world.w_ns = fuzz_stack();
	netstack_enter(world.w_ns, CLOCK_NS);
	FUZZ_CHECK(loop_init(&world.w_loop, world.w_ns) == 0);
	world.w_loop.lp_spin_ns = 0;
	world.w_tick = (struct loop_source){.ls_fd = eventfd(1, EFD_CLOEXEC), .ls_ready = tick};
	FUZZ_CHECK(loop_add(&world.w_loop, &world.w_tick, EPOLLIN) == 0);
	world.w_sp = sp_server_create(&world.w_loop);
	FUZZ_CHECK(world.w_sp != NULL);
	for (unsigned i = 0; i < NCLIENTS; i++)
		world.w_clients[i].c_fd = -1;
}

/* -- a client -------------------------------------------------------------------------------- */

static void
client_connect(struct client *c)
{
	int pair[2], small = 4096;

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	memset(c, 0, sizeof(*c));
	c->c_fd = pair[0];
	sp_session_start(world.w_sp, pair[1], false);
}

static void
client_close(struct client *c)
{
	if (c->c_fd >= 0)
		(void)close(c->c_fd);
	c->c_fd = -1;
}

static void
client_send(struct client *c, const void *bytes, size_t len)
{
	(void)!send(c->c_fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
client_frame(struct client *c, struct rumpsp_hdr hdr, const void *payload, size_t len)
{
	uint8_t frame[sizeof(hdr) + 8192];

	if (hdr.rsp_len == 0)
		hdr.rsp_len = sizeof(hdr) + len;
	memcpy(frame, &hdr, sizeof(hdr));
	if (len > 0)
		memcpy(frame + sizeof(hdr), payload, len);
	client_send(c, frame, sizeof(hdr) + len);
}

/* Looks at one frame of the server. => its length, 0: not a whole header */
static size_t
client_look(struct client *c, const uint8_t *p, size_t len)
{
	struct rumpsp_hdr hdr;
	struct rumpsp_copydata cp;

	if (len < sizeof(hdr))
		return 0;
	memcpy(&hdr, p, sizeof(hdr));
	FUZZ_CHECK(hdr.rsp_len >= sizeof(hdr) && hdr.rsp_class < RUMPSP_NCLASS);
	FUZZ_CHECK(hdr.rsp_type < RUMPSP_NTYPE);
	if (hdr.rsp_class == RUMPSP_REQUEST && len >= sizeof(hdr) + sizeof(cp) &&
	    (hdr.rsp_type == RUMPSP_COPYIN || hdr.rsp_type == RUMPSP_COPYINSTR)) {
		memcpy(&cp, p + sizeof(hdr), sizeof(cp));
		c->c_ask = hdr;
		c->c_asklen = cp.rcp_len;
	}
	if (hdr.rsp_class == RUMPSP_RESPONSE && hdr.rsp_type == RUMPSP_PREFORK &&
	    len >= sizeof(hdr) + sizeof(c->c_auth))
		memcpy(c->c_auth, p + sizeof(hdr), sizeof(c->c_auth));
	return hdr.rsp_len < len ? (size_t)hdr.rsp_len : len;
}

/* Takes what the server has sent; frames longer than the buffer are passed over. */
static void
client_read(struct client *c)
{
	ssize_t n = recv(c->c_fd, c->c_in, sizeof(c->c_in), MSG_DONTWAIT);
	const uint8_t *p = c->c_in;
	size_t left = n > 0 ? (size_t)n : 0, len;

	if (left > 7 && memcmp(p, "RUMPSP-", 7) == 0) {
		p += sizeof(RUMPSP_BANNER) - 1;
		left -= sizeof(RUMPSP_BANNER) - 1;
	}
	if (c->c_inlen == 0) {
		while ((len = client_look(c, p, left)) > 0) {
			p += len;
			left -= len;
		}
	}
}

/* -- steps ----------------------------------------------------------------------------------- */

static void
step_raw(struct fuzz_in *fi, struct client *c)
{
	size_t len;
	const uint8_t *p = fuzz_bytes(fi, fuzz_u8(fi), &len);

	client_send(c, p, len);
}

static void
step_handshake(struct fuzz_in *fi, struct client *c)
{
	struct rumpsp_hdr hdr = {.rsp_reqno = c->c_reqno++, .rsp_arg = fuzz_u8(fi) % 5};
	struct rumpsp_fork rf = {.rf_cancel = fuzz_u8(fi) & 1};
	const struct client *parent = &world.w_clients[fuzz_u8(fi) % NCLIENTS];

	memcpy(rf.rf_auth, parent->c_auth, sizeof(rf.rf_auth));
	if (hdr.rsp_arg == RUMPSP_HS_FORK)
		client_frame(c, hdr, &rf, sizeof(rf));
	else
		client_frame(c, hdr, "fuzz", 5);
}

static uint64_t
argument(struct fuzz_in *fi)
{
	uint8_t kind = fuzz_u8(fi);

	if (kind < 0xa0)
		return kind % 16;
	return kind < 0xe0 ? fuzz_u16(fi) : fuzz_u64(fi);
}

static void
step_call(struct fuzz_in *fi, struct client *c)
{
	static const uint16_t numbers[] = {BSD_SYS_read, BSD_SYS_write, BSD_SYS_close,
	    BSD_SYS_recvmsg, BSD_SYS_sendmsg, BSD_SYS_recvfrom, BSD_SYS_accept, BSD_SYS_socket,
	    BSD_SYS_socket, BSD_SYS_bind, BSD_SYS_listen, BSD_SYS_connect, BSD_SYS_dup2,
	    BSD_SYS_poll, BSD_SYS_select, BSD_SYS_setsockopt, BSD_SYS_getsockopt, BSD_SYS_sendto,
	    BSD_SYS_readv, BSD_SYS_writev, BSD_SYS___sysctl, BSD_SYS_shutdown, BSD_SYS_ioctl, 42};
	struct rumpsp_hdr hdr = {.rsp_reqno = c->c_reqno++, .rsp_type = RUMPSP_SYSCALL};
	uint64_t args[RUMPSP_MAXARGS];
	unsigned n = fuzz_u8(fi) % (RUMPSP_MAXARGS + 1);

	hdr.rsp_arg = numbers[fuzz_u8(fi) % nitems(numbers)];
	for (unsigned i = 0; i < n; i++)
		args[i] = argument(fi);
	if (hdr.rsp_arg == BSD_SYS_socket && n >= 3) {
		args[0] = BSD_AF_INET;
		args[1] = 1 + args[1] % 2;
		args[2] = 0;
	}
	client_frame(c, hdr, args, n * sizeof(args[0]));
}

/* Answers the last copy-in, or pretends to. */
static void
step_answer(struct fuzz_in *fi, struct client *c)
{
	uint8_t bytes[8192], how = fuzz_u8(fi);
	struct rumpsp_hdr hdr = {.rsp_reqno = c->c_ask.rsp_reqno,
	    .rsp_class = RUMPSP_RESPONSE,
	    .rsp_type = RUMPSP_COPYIN};
	size_t len = c->c_asklen < sizeof(bytes) ? (size_t)c->c_asklen : sizeof(bytes);

	fuzz_fill(fi, bytes, sizeof(bytes) < 64 ? sizeof(bytes) : 64);
	memset(bytes + 64, how, sizeof(bytes) - 64);
	hdr.rsp_len = sizeof(hdr) + c->c_asklen;
	if (how == 1)
		hdr.rsp_class = RUMPSP_ERROR, hdr.rsp_len = sizeof(hdr), len = 0;
	else if (how == 2)
		hdr.rsp_reqno += fuzz_u8(fi);
	else if (how == 3)
		len = hdr.rsp_len = 0;
	else if (how == 4)
		hdr.rsp_len += fuzz_u8(fi);
	else if (how == 5)
		len /= 2;
	else if (how == 6)
		hdr.rsp_type = fuzz_u8(fi);
	client_frame(c, hdr, bytes, len);
}

static void
step_client(struct fuzz_in *fi, uint8_t what, struct client *c)
{
	struct rumpsp_hdr prefork = {.rsp_type = RUMPSP_PREFORK};

	if (c->c_fd < 0)
		client_connect(c);
	else if (what == 0)
		step_raw(fi, c);
	else if (what == 1)
		step_handshake(fi, c);
	else if (what <= 5)
		step_call(fi, c);
	else if (what <= 8)
		step_answer(fi, c);
	else if (what <= 11)
		client_read(c);
	else if (what == 12)
		client_frame(c, prefork, NULL, 0);
	else if (what == 13 && (fuzz_u8(fi) & 7) == 7)
		client_close(c);
}

static void
step(struct fuzz_in *fi)
{
	uint8_t what = fuzz_u8(fi);

	if (what % 16 == 14)
		fuzz_run_for(world.w_ns, fuzz_delay_ns(fi));
	else if (what % 16 != 15)
		step_client(fi, what % 16, &world.w_clients[what / 16 % NCLIENTS]);
	if (what < 0xc0) /* else more comes in the same turn */
		turn();
	fuzz_check(world.w_ns);
}

/* Connected, greeted, with a TCP and a UDP socket. */
static void
client_ready(struct client *c)
{
	const uint64_t tcp[3] = {BSD_AF_INET, BSD_SOCK_STREAM, 0};
	const uint64_t udp[3] = {BSD_AF_INET, BSD_SOCK_DGRAM, 0};
	struct rumpsp_hdr call = {.rsp_type = RUMPSP_SYSCALL, .rsp_arg = BSD_SYS_socket};

	client_connect(c);
	client_frame(c, (struct rumpsp_hdr){.rsp_arg = RUMPSP_HS_GUEST}, "fuzz", 5);
	client_frame(c, call, tcp, sizeof(tcp));
	client_frame(c, call, udp, sizeof(udp));
	turn();
	client_read(c);
}

static void
world_end(void)
{
	for (unsigned i = 0; i < NCLIENTS; i++)
		client_close(&world.w_clients[i]);
	for (unsigned i = 0; i < 4 && world.w_sp->sp_nalive > 0; i++)
		turn();
	FUZZ_CHECK(world.w_sp->sp_nalive == 0 && world.w_sp->sp_nsessions == 0);
	FUZZ_CHECK(TAILQ_EMPTY(&world.w_sp->sp_sessions) && TAILQ_EMPTY(&world.w_loop.lp_tasks));
	FUZZ_CHECK(world.w_ns->ns_nlwps == 0);
	sp_server_close(world.w_sp);
	sp_server_free(world.w_sp);
	loop_del(&world.w_loop, &world.w_tick);
	(void)close(world.w_tick.ls_fd);
	loop_fini(&world.w_loop);
	fuzz_stack_end(world.w_ns);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in fi = {.fi_p = data, .fi_left = size};
	int before = dup(0), after;

	(void)close(before);
	world_start();
	client_ready(&world.w_clients[0]);
	for (unsigned i = 0; i < MAXSTEPS && fi.fi_left > 0; i++)
		step(&fi);
	world_end();
	after = dup(0);
	(void)close(after);
	FUZZ_CHECK(before == after); /* no descriptor of the host is left */
	return 0;
}
