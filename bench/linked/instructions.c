/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work for an instruction counter: two stacks in this process, joined by their point-to-point
 * interfaces, on virtual time. No kernel, no clock and no chance has part in it, so that the same
 * build counts the same. bench/instructions counts what runs below end_a and end_b.
 *
 *     instructions KIND MTU SIZE COUNT     KIND: stream, datagrams, requests
 *
 * Side a sends COUNT pieces of SIZE bytes in writes of 64 KiB, or COUNT datagrams or requests of SIZE
 * bytes, to side b. Prints the packets that left either side.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rumpus/socket.h>
#include <rumpus/stack.h>

#define WRITE_SIZE (64u * 1024)
#define QUEUE_BYTES (8u << 20)
#define TURN_NS 50000ull
#define PORT 7

struct queue {
	uint8_t *q_bytes;
	size_t q_len;
};

struct end {
	struct netstack *e_ns;
	struct rumpus_proc *e_proc;
	int e_fd;
	struct queue e_in;
	struct end *e_peer;
	uint64_t e_sent;  /* packets */
	uint64_t e_moved; /* bytes that the program wrote, or read */
};

static struct end a, b;
static uint64_t now_ns = 1000000000;
static uint64_t size, count;
static uint8_t buf[WRITE_SIZE];

static void
need(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "instructions: %s\n", what);
	exit(1);
}

/* Packets wait at the other end, each behind its length. */
static void
output(void *arg, const uint8_t *packet, size_t len)
{
	struct end *e = arg;
	struct queue *q = &e->e_peer->e_in;

	need(q->q_len + sizeof(len) + len <= QUEUE_BYTES, "the queue is full");
	memcpy(q->q_bytes + q->q_len, &len, sizeof(len));
	memcpy(q->q_bytes + q->q_len + sizeof(len), packet, len);
	q->q_len += sizeof(len) + len;
	e->e_sent++;
}

static void
input(struct end *e)
{
	struct queue *q = &e->e_in;
	size_t len;

	rumpus_enter(e->e_ns, now_ns);
	for (size_t at = 0; at < q->q_len; at += sizeof(len) + len) {
		memcpy(&len, q->q_bytes + at, sizeof(len));
		need(rumpus_ptp_input(e->e_ns, "p2p0", q->q_bytes + at + sizeof(len), len) == 0,
		    "a packet was refused");
	}
	q->q_len = 0;
	rumpus_run(e->e_ns);
}

static void
open_end(struct end *e, struct end *peer, uint8_t seed, uint32_t mtu, const char *cidr)
{
	struct rumpus_config rc = {.rc_now_ns = now_ns};

	memset(rc.rc_seed, seed, sizeof(rc.rc_seed));
	e->e_peer = peer;
	e->e_in.q_bytes = malloc(QUEUE_BYTES);
	e->e_ns = rumpus_create(&rc);
	need(e->e_in.q_bytes != NULL && e->e_ns != NULL, "no memory");
	e->e_proc = rumpus_proc_create(e->e_ns, "instructions");
	need(e->e_proc != NULL && rumpus_ptp_attach(e->e_ns, "p2p0", mtu, output, e) == 0 &&
		rumpus_addr_add(e->e_ns, "p2p0", cidr) == 0 &&
		rumpus_sysctl_set(e->e_ns, "net.inet.tcp.recvbuf_max", "1048576") == 0 &&
		rumpus_sysctl_set(e->e_ns, "net.inet.tcp.sendbuf_max", "1048576") == 0,
	    "no interface");
}

/* -- what is counted -------------------------------------------------------------------------- */

/* A turn of side a: takes in what came, and writes all that can be written. */
__attribute__((noinline)) static void
end_a(bool stream)
{
	input(&a);
	while (a.e_moved < size * count) {
		uint64_t left = size * count - a.e_moved;
		size_t len = stream ? (size_t)(left < WRITE_SIZE ? left : WRITE_SIZE) : size;
		int64_t n = rumpus_write(a.e_proc, a.e_fd, buf, len);

		if (n < 0)
			break;
		a.e_moved += (uint64_t)n;
		if (!stream && a.e_moved % (size * 16) == 0)
			break; /* as many as the receiver's buffer takes */
	}
	rumpus_run(a.e_ns);
}

/* A turn of side b: takes in what came, and reads all of it. */
__attribute__((noinline)) static void
end_b(void)
{
	int64_t n;

	input(&b);
	while ((n = rumpus_read(b.e_proc, b.e_fd, buf, sizeof(buf))) > 0)
		b.e_moved += (uint64_t)n;
	rumpus_run(b.e_ns);
}

/* One byte there and back. */
__attribute__((noinline)) static void
ask(struct end *e)
{
	input(e);
	if (rumpus_read(e->e_proc, e->e_fd, buf, size) == (int64_t)size || e->e_moved == 0) {
		need(rumpus_write(e->e_proc, e->e_fd, buf, size) == (int64_t)size, "no write");
		e->e_moved += size;
	}
	rumpus_run(e->e_ns);
}

/* -- scenarios -------------------------------------------------------------------------------- */

static struct bsd_sockaddr_in
address(uint32_t host)
{
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin), .sin_family = BSD_AF_INET};
	uint8_t bytes[6] = {0, PORT, 10, 0, 0, (uint8_t)host};

	memcpy(&sin.sin_port, bytes, 2);
	memcpy(&sin.sin_addr, bytes + 2, 4);
	return sin;
}

static void
connect_ends(bool stream)
{
	const int type = (stream ? BSD_SOCK_STREAM : BSD_SOCK_DGRAM) | BSD_SOCK_NONBLOCK;
	struct bsd_sockaddr_in sin = address(2);
	int listener = rumpus_socket(b.e_proc, BSD_AF_INET, type, 0), error;

	a.e_fd = rumpus_socket(a.e_proc, BSD_AF_INET, type, 0);
	need(rumpus_bind(b.e_proc, listener, (struct bsd_sockaddr *)&sin, sizeof(sin)) == 0,
	    "no address");
	b.e_fd = listener;
	if (stream)
		need(rumpus_listen(b.e_proc, listener, 1) == 0, "no listener");
	error = rumpus_connect(a.e_proc, a.e_fd, (struct bsd_sockaddr *)&sin, sizeof(sin));
	need(error == (stream ? -BSD_EINPROGRESS : 0), "no connection");
	for (int i = 0; stream && i < 4; i++) {
		input(&a);
		input(&b);
	}
	if (stream)
		b.e_fd = rumpus_accept(b.e_proc, listener, NULL, NULL, BSD_SOCK_NONBLOCK);
	need(b.e_fd >= 0, "nothing to accept");
}

static void
transfer(bool stream)
{
	for (uint64_t turns = 0; b.e_moved < size * count; turns++, now_ns += TURN_NS) {
		need(turns < 64 * (count + 1000), "bytes were lost");
		end_a(stream);
		end_b();
	}
}

static void
converse(void)
{
	b.e_moved = 1; /* it is a who begins */
	while (a.e_moved < size * count) {
		ask(&a);
		ask(&b);
		now_ns += TURN_NS;
	}
}

static uint64_t
number(const char *text, uint64_t most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	need(*text >= '0' && *text <= '9' && *end == '\0' && n > 0 && n <= most,
	    "MTU, SIZE or COUNT is out of range");
	return n;
}

int
main(int argc, char **argv)
{
	bool stream;
	uint32_t mtu;

	need(argc == 5, "usage: instructions stream|datagrams|requests MTU SIZE COUNT");
	stream = strcmp(argv[1], "datagrams") != 0;
	mtu = (uint32_t)number(argv[2], UINT16_MAX);
	size = number(argv[3], sizeof(buf));
	count = number(argv[4], UINT32_MAX);
	open_end(&a, &b, 1, mtu, "10.0.0.1/24");
	open_end(&b, &a, 2, mtu, "10.0.0.2/24");
	connect_ends(stream);
	if (strcmp(argv[1], "requests") == 0)
		converse();
	else
		transfer(stream);
	printf("%llu %llu\n", (unsigned long long)a.e_sent, (unsigned long long)b.e_sent);
	return 0;
}
