/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fdsock door in one process, with the input as what its client does: control records good and
 * bad, with descriptors attached that are right, of another kind, or none; bytes and datagram
 * records into the sockets; ends shut and closed anywhere. When all is closed nothing may be left.
 * Time is virtual: the stack's clock is ahead of the host's, so the loop never moves it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include <rumpus/bpf.h>
#include <rumpus/fdsock.h>

#include "fuzz/fuzz.h"
#include "kern/cdefs.h"
#include "server/fdsock/fd_impl.h"
#include "server/fdsock/fdsock.h"
#include "server/loop.h"

#define MAXSTEPS 150
#define NSOCKS 8
#define CLOCK_NS (1ull << 62)

static struct world {
	struct netstack *w_ns;
	struct loop w_loop;
	struct loop_source w_tick;
	struct fd_server *w_fd;
	int w_ctl;
	int w_socks[NSOCKS]; /* -1: none */
	unsigned w_next;     /* of these, the next to be replaced */
} world;

static void
tick(struct loop_source *ls, uint32_t events)
{
	(void)ls;
	(void)events;
	loop_stop(&world.w_loop);
}

static void
turn(void)
{
	world.w_loop.lp_stop = false;
	FUZZ_CHECK(loop_run(&world.w_loop) == 0);
	netstack_run(world.w_ns);
}

static void
ctl_connect(void)
{
	int pair[2];

	FUZZ_CHECK(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	world.w_ctl = pair[0];
	fd_ctl_accept(world.w_fd, pair[1]);
}

static void
world_start(void)
{
	char path[64] = "/tmp/rumpus-fuzz-XXXXXX", why[256];

	memset(&world, 0, sizeof(world));
	FUZZ_CHECK(mkdtemp(path) != NULL);
	world.w_ns = fuzz_stack();
	netstack_enter(world.w_ns, CLOCK_NS);
	FUZZ_CHECK(loop_init(&world.w_loop, world.w_ns) == 0);
	world.w_loop.lp_spin_ns = 0;
	world.w_tick = (struct loop_source){.ls_fd = eventfd(1, EFD_CLOEXEC), .ls_ready = tick};
	FUZZ_CHECK(loop_add(&world.w_loop, &world.w_tick, EPOLLIN) == 0);
	(void)strcat(path, "/s");
	world.w_fd = fd_server_open(&world.w_loop, path, why, sizeof(why));
	FUZZ_CHECK(world.w_fd != NULL);
	(void)unlink(path);
	path[strlen(path) - 2] = '\0';
	(void)rmdir(path);
	for (unsigned i = 0; i < NSOCKS; i++)
		world.w_socks[i] = -1;
	ctl_connect();
}

/* -- requests -------------------------------------------------------------------------------- */

static void
keep(int sock)
{
	int *at = &world.w_socks[world.w_next++ % NSOCKS];

	if (*at >= 0)
		(void)close(*at);
	*at = sock;
}

/* Sends a record with some descriptors. */
static void
send_record(const void *bytes, size_t len, const int *fds, unsigned nfds)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (nfds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	(void)!sendmsg(world.w_ctl, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Takes one record off a descriptor, and keeps what came with it. */
static void
take_record(int from)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	static uint8_t bytes[FDSOCK_REPLY_MAX];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	int sock;

	if (recvmsg(from, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			memcpy(&sock, CMSG_DATA(c), sizeof(sock));
			keep(sock);
		}
	}
}

static int
some_sock(struct fuzz_in *fi)
{
	uint8_t n = fuzz_u8(fi);
	int sock = world.w_socks[n % NSOCKS];

	return n >= 0xf0 || sock < 0 ? world.w_tick.ls_fd : sock;
}

/* A capture of lo0, or of all, with a filter of up to three instructions. => bytes */
static size_t
capture_data(struct fuzz_in *fi, uint8_t kind, uint8_t *data)
{
	struct fdsock_capture fc = {.cp_direction = FDSOCK_CAPTURE_INOUT, .cp_ninsns = kind % 4u};
	struct rumpus_bpf_insn insns[3] = {{.bi_code = 0x06, .bi_k = fuzz_u16(fi)}};

	if ((kind & 0x10) != 0)
		memcpy(fc.cp_name, "lo0", 4);
	if ((kind & 0x20) != 0)
		fc.cp_snaplen = fuzz_u8(fi);
	for (unsigned i = 0; i + 1 < fc.cp_ninsns; i++) {
		insns[i + 1] = insns[i];
		fuzz_fill(fi, &insns[i], sizeof(insns[i]));
	}
	memcpy(data, &fc, sizeof(fc));
	memcpy(data + sizeof(fc), insns, fc.cp_ninsns * sizeof(insns[0]));
	return sizeof(fc) + fc.cp_ninsns * sizeof(insns[0]);
}

/* What the operation is likely to want as its data. => bytes */
static size_t
request_data(struct fuzz_in *fi, uint32_t op, uint8_t *data)
{
	const struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(100 + fuzz_u8(fi) % 4)};
	uint8_t kind = fuzz_u8(fi);
	struct fdsock_dgram dg = {.dg_family = AF_INET, .dg_flags = FDSOCK_DG_ADDR};
	size_t len = fuzz_u8(fi) % 64;

	if (kind < 0xc0 && (op == FDSOCK_OP_BIND || op == FDSOCK_OP_CONNECT)) {
		memcpy(data, &sin, sizeof(sin));
		return sizeof(sin);
	}
	if (kind < 0xc0 && op == FDSOCK_OP_SENDTO) {
		dg.dg_port = sin.sin_port;
		memcpy(dg.dg_addr, &sin.sin_addr, sizeof(sin.sin_addr));
		memcpy(data, &dg, sizeof(dg));
		return sizeof(dg) + len;
	}
	if (kind < 0xc0 && op == FDSOCK_OP_CAPTURE)
		return capture_data(fi, kind, data);
	fuzz_fill(fi, data, len);
	return len;
}

static void
step_request(struct fuzz_in *fi)
{
	uint8_t bytes[512] = {0}, lie;
	struct fdsock_request fq = {.fq_magic = FDSOCK_MAGIC};
	int fds[4], pair[2];
	size_t len;

	fq.fq_op = fuzz_u8(fi) % (FDSOCK_OP_COUNT + 2);
	for (unsigned i = 0; i < 3; i++)
		fq.fq_arg[i] = (int16_t)fuzz_u16(fi);
	lie = fuzz_u8(fi);
	if (fq.fq_op == FDSOCK_OP_SOCKET && lie < 0xc0) {
		fq.fq_arg[0] = AF_INET;
		fq.fq_arg[1] = (lie & 1) != 0 ? SOCK_STREAM : SOCK_DGRAM;
		fq.fq_arg[2] = 0;
	}
	len = request_data(fi, fq.fq_op, bytes + sizeof(fq));
	fq.fq_datalen = (uint32_t)len + (lie >= 0xf8 ? lie : 0);
	fq.fq_magic += lie == 0xf7;
	memcpy(bytes, &fq, sizeof(fq));
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	fds[0] = lie == 0xf6 ? world.w_tick.ls_fd : pair[1];
	fds[1] = some_sock(fi);
	fds[2] = fds[3] = pair[1];
	len = lie == 0xf5 ? len / 2 : sizeof(fq) + len;
	send_record(bytes, len, fds,
	    lie >= 0xf0 && lie < 0xf4          ? (unsigned)lie % 4
		: fq.fq_op <= FDSOCK_OP_SOCKET ? 1
					       : 2);
	(void)close(pair[1]);
	turn();
	take_record(pair[0]);
	(void)close(pair[0]);
}

static void
step_raw(struct fuzz_in *fi)
{
	size_t len;
	const uint8_t *p = fuzz_bytes(fi, fuzz_u8(fi), &len);
	int sock = world.w_ctl;

	send_record(p, len, &sock, fuzz_u8(fi) & 1);
}

/* Bytes, or a record, into a socket. */
static void
step_write(struct fuzz_in *fi, int sock)
{
	static uint8_t bytes[8192];
	struct fdsock_dgram dg;

	if ((fuzz_u8(fi) & 1) != 0) {
		fuzz_fill(fi, &dg, sizeof(dg));
		memcpy(bytes, &dg, sizeof(dg));
	}
	(void)!send(sock, bytes, fuzz_u16(fi) % sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
step_sock(struct fuzz_in *fi, uint8_t what)
{
	int *sock = &world.w_socks[fuzz_u8(fi) % NSOCKS];

	if (*sock < 0)
		return;
	if (what < 4)
		step_write(fi, *sock);
	else if (what < 7)
		take_record(*sock); /* of a listener: perhaps a connection */
	else if (what == 7)
		(void)shutdown(*sock, fuzz_u8(fi) % 3);
	else {
		(void)close(*sock);
		*sock = -1;
	}
}

static void
step(struct fuzz_in *fi)
{
	uint8_t what = fuzz_u8(fi) % 16;

	if (what < 6)
		step_request(fi);
	else if (what < 14)
		step_sock(fi, fuzz_u8(fi) % 9);
	else if (what == 14)
		fuzz_run_for(world.w_ns, fuzz_delay_ns(fi));
	else
		step_raw(fi);
	turn();
	fuzz_check(world.w_ns);
}

/* A listener, a stream connected to it, a datagram socket, and the listener's end of the stream. */
static void
make_sockets(void)
{
	static const uint8_t requests[] = {
	    FDSOCK_OP_SOCKET, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,  /* stream */
	    FDSOCK_OP_SOCKET, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,  /* stream */
	    FDSOCK_OP_SOCKET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  /* datagram */
	    FDSOCK_OP_BIND, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    /* [0] to port 100 */
	    FDSOCK_OP_LISTEN, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  /* [0] */
	    FDSOCK_OP_CONNECT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, /* [1] to port 100 */
	    FDSOCK_OP_BIND, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2,    /* [2] to port 101 */
	};
	struct fuzz_in fi = {.fi_p = requests, .fi_left = sizeof(requests)};

	while (fi.fi_left > 0)
		step_request(&fi);
	turn();
	take_record(world.w_socks[0]);
	FUZZ_CHECK(world.w_next == 4);
}

static void
world_end(void)
{
	for (unsigned i = 0; i < NSOCKS; i++) {
		if (world.w_socks[i] >= 0)
			(void)close(world.w_socks[i]);
	}
	(void)close(world.w_ctl);
	for (unsigned i = 0; i < 20 && world.w_fd->fd_nsocks + world.w_fd->fd_nctls > 0; i++) {
		turn();
		fuzz_run_for(world.w_ns, NSEC_PER_SEC);
	}
	FUZZ_CHECK(world.w_fd->fd_nctls == 0 && world.w_fd->fd_nsocks == 0);
	turn();
	FUZZ_CHECK(world.w_fd->fd_ncaptures == 0);
	fd_server_close(world.w_fd);
	FUZZ_CHECK(TAILQ_EMPTY(&world.w_loop.lp_tasks));
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
	make_sockets();
	for (unsigned i = 0; i < MAXSTEPS && fi.fi_left > 0; i++)
		step(&fi);
	world_end();
	after = dup(0);
	(void)close(after);
	FUZZ_CHECK(before == after); /* no descriptor of the host is left */
	return 0;
}
