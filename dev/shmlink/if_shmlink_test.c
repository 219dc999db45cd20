/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire in shared memory between two whole stacks: a stream, a full ring, ends that go, lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/socket.h>
#include <rumpus/stack.h>

#include "dev/shmlink/if_shmlink.h"
#include "dev/shmlink/ring.h"
#include "dev/shmlink/shmlink_host.h"
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "net/if.h"

#define STREAM_BYTES (3u << 20)
#define PORT 4242

static uint8_t headers[2][SHMLINK_RING_HDR] __attribute__((aligned(SHMLINK_RING_HDR)));
static uint8_t rings[2][SHMLINK_RING_DATA];

struct end {
	struct netstack *ns;
	struct ifnet *ifp;
	struct rumpus_proc *p;
	unsigned rung; /* by this end */
	struct shmlink_map map;
};

struct wire {
	struct end ends[2];
	uint64_t now_ns;
};

static void
ring_counted(void *arg)
{
	((struct end *)arg)->rung++;
}

static void
end_open(struct end *e, unsigned i)
{
	const struct rumpus_config rc = {.rc_seed = {(uint8_t)i}, .rc_now_ns = NSEC_PER_SEC};
	const struct shmlink_config sc = {.sc_name = "wire0",
	    .sc_mtu = 1500,
	    .sc_bell = ring_counted,
	    .sc_arg = e};

	*e = (struct end){.ns = rumpus_create(&rc)};
	assert_non_null(e->ns);
	assert_int_equal(shmlink_attach(e->ns, &sc, &e->ifp), 0);
	assert_int_equal(rumpus_addr_add(e->ns, "wire0", i == 0 ? "10.0.0.1/24" : "10.0.0.2/24"),
	    0);
	e->p = rumpus_proc_create(e->ns, "test");
	assert_non_null(e->p);
	e->map = (struct shmlink_map){.sm_txhdr = headers[i],
	    .sm_rxhdr = headers[1 - i],
	    .sm_txdata = rings[i],
	    .sm_rxdata = rings[1 - i]};
}

static void
wire_open(struct wire *w)
{
	memset(headers, 0, sizeof(headers));
	w->now_ns = NSEC_PER_SEC;
	for (unsigned i = 0; i < 2; i++)
		end_open(&w->ends[i], i);
	for (unsigned i = 0; i < 2; i++)
		shmlink_up(w->ends[i].ifp, &w->ends[i].map);
}

static void
wire_close(struct wire *w)
{
	for (unsigned i = 0; i < 2; i++) {
		struct end *e = &w->ends[i];

		rumpus_proc_exit(e->p);
		rumpus_run(e->ns);
		shmlink_detach(e->ifp);
		rumpus_destroy(e->ns); /* asserts that the pools are empty */
	}
}

/* A turn of both servers, a millisecond later. */
static void
wire_turn(struct wire *w)
{
	w->now_ns += NSEC_PER_MSEC;
	for (unsigned i = 0; i < 2; i++) {
		rumpus_enter(w->ends[i].ns, w->now_ns);
		assert_true(shmlink_turn(w->ends[i].ifp, 64) >= 0);
		rumpus_run(w->ends[i].ns);
	}
}

static struct bsd_sockaddr_in
address(unsigned i)
{
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin), .sin_family = BSD_AF_INET};
	const uint8_t port[2] = {PORT >> 8, PORT & 0xff}, addr[4] = {10, 0, 0, (uint8_t)(i + 1)};

	memcpy(&sin.sin_port, port, sizeof(port));
	memcpy(&sin.sin_addr, addr, sizeof(addr));
	return sin;
}

/* A connection from end 0 to end 1. => fd[i] is end i's */
static void
wire_connect(struct wire *w, int fd[2])
{
	struct bsd_sockaddr_in sin = address(1);
	int listener = rumpus_socket(w->ends[1].p, BSD_AF_INET, BSD_SOCK_STREAM, 0);

	assert_int_equal(rumpus_bind(w->ends[1].p, listener, (void *)&sin, sizeof(sin)), 0);
	assert_int_equal(rumpus_listen(w->ends[1].p, listener, 1), 0);
	fd[0] = rumpus_socket(w->ends[0].p, BSD_AF_INET, BSD_SOCK_STREAM, 0);
	assert_int_equal(rumpus_connect(w->ends[0].p, fd[0], (void *)&sin, sizeof(sin)),
	    -BSD_EINPROGRESS);
	for (int i = 0; i < 10; i++)
		wire_turn(w);
	fd[1] = rumpus_accept(w->ends[1].p, listener, NULL, NULL, 0);
	assert_true(fd[1] >= 0);
	assert_int_equal(rumpus_close(w->ends[1].p, listener), 0);
}

static void
send_some(struct wire *w, int fd, uint32_t *sent)
{
	static uint8_t bytes[50000];
	uint32_t len = KERN_MIN((uint32_t)sizeof(bytes), STREAM_BYTES - *sent);
	int64_t n;

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)((*sent + i) * 2654435761u >> 24);
	n = len > 0 ? rumpus_write(w->ends[0].p, fd, bytes, len) : -BSD_EAGAIN;
	if (n > 0)
		*sent += (uint32_t)n;
}

static void
receive_some(struct wire *w, int fd, uint32_t *received)
{
	static uint8_t bytes[50000];
	int64_t n = rumpus_read(w->ends[1].p, fd, bytes, sizeof(bytes));

	for (int64_t i = 0; i < n; i++)
		assert_int_equal(bytes[i],
		    (uint8_t)((*received + (uint32_t)i) * 2654435761u >> 24));
	if (n > 0)
		*received += (uint32_t)n;
}

static void
test_stream(void **state)
{
	uint32_t sent = 0, received = 0;
	struct wire w;
	int fd[2];

	(void)state;
	wire_open(&w);
	wire_connect(&w, fd);
	for (unsigned turn = 0; received < STREAM_BYTES; turn++) {
		assert_true(turn < 10000);
		send_some(&w, fd[0], &sent);
		wire_turn(&w);
		receive_some(&w, fd[1], &received);
	}
	/* whole segments crossed: far fewer frames than of 1448 bytes each */
	assert_true(w.ends[0].ifp->if_data.ifi_opackets < STREAM_BYTES / 1448 / 4);
	assert_true(w.ends[0].rung > 0);
	wire_close(&w);
}

/* A frame to nobody's protocol: it only fills rings. */
static int
send_frame(struct end *e, uint32_t len)
{
	static const uint8_t zero[RING_FRAME_MAX];
	struct mbuf *m = m_getm(e->ns, len);

	assert_non_null(m);
	assert_int_equal(m_append(m, len, zero), 0);
	return if_transmit(e->ifp, m);
}

static void
test_full(void **state)
{
	const uint32_t len = 1514, fit = SHMLINK_RING_DATA / (8 + 1520);
	uint64_t *cut;
	struct wire w;

	(void)state;
	wire_open(&w);
	for (unsigned i = 0; i < 2; i++)
		wire_turn(&w); /* both have said what they say at first, and sleep */
	w.ends[0].rung = 0;
	w.ends[1].ifp->if_data.ifi_ipackets = 0;
	for (uint32_t i = 0; i < fit + 100; i++)
		assert_int_equal(send_frame(&w.ends[0], len), 0);
	rumpus_run(w.ends[0].ns); /* the end of the burst */
	assert_int_equal(w.ends[0].rung, 1);
	w.ends[1].rung = 0;
	for (uint32_t got = 0; got < fit; got += 64)
		(void)shmlink_turn(w.ends[1].ifp, 64);
	assert_int_equal(w.ends[1].ifp->if_data.ifi_ipackets, fit);
	assert_int_equal(w.ends[1].rung, 1); /* there is room again */
	wire_turn(&w);
	(void)shmlink_turn(w.ends[1].ifp, 64);
	assert_int_equal(w.ends[1].ifp->if_data.ifi_ipackets, fit + 100);
	for (uint32_t i = 0; i < fit + 5; i++)
		assert_int_equal(send_frame(&w.ends[0], len), 0);
	cut = &w.ends[0].ns->ns_drops[DROP_LINK_CUT];
	*cut = 0;
	shmlink_down(w.ends[0].ifp); /* what waits for room goes, and so does what is sent now */
	assert_int_equal(*cut, 5);
	assert_int_equal(send_frame(&w.ends[0], len), 0);
	assert_int_equal(*cut, 6);
	wire_close(&w);
}

static void
test_lies(void **state)
{
	struct ring_shared *rs = (void *)headers[0];
	const struct ring_record lie = {.rr_len = RING_FRAME_MAX, .rr_segsz = 1};
	struct wire w;

	(void)state;
	wire_open(&w);
	rs->rs_head = SHMLINK_RING_DATA + 8;
	assert_int_equal(shmlink_turn(w.ends[1].ifp, 64), -1);
	shmlink_down(w.ends[1].ifp);
	assert_int_equal(shmlink_turn(w.ends[1].ifp, 64), 0);
	/* the longest frame, of a segment a byte, of rubbish: dropped like any other */
	memset(headers, 0, sizeof(headers));
	memcpy(rings[0], &lie, sizeof(lie));
	shmlink_up(w.ends[1].ifp, &w.ends[1].map);
	rs->rs_head = SHMLINK_RING_DATA;
	assert_int_equal(shmlink_turn(w.ends[1].ifp, 1), 1);
	assert_int_equal(w.ends[1].ifp->if_data.ifi_ipackets, 1);
	wire_close(&w);
}

static void
test_refuses(void **state)
{
	static const uint8_t group[6] = {1};
	const struct rumpus_config rc = {.rc_now_ns = NSEC_PER_SEC};
	struct shmlink_config sc = {.sc_name = "wire0", .sc_mtu = 67, .sc_bell = ring_counted};
	struct netstack *ns = rumpus_create(&rc);
	struct ifnet *ifp;

	(void)state;
	assert_int_equal(shmlink_attach(ns, &sc, &ifp), BSD_EINVAL);
	sc.sc_mtu = 65535;
	sc.sc_lladdr = group;
	assert_int_equal(shmlink_attach(ns, &sc, &ifp), BSD_EINVAL);
	sc.sc_lladdr = NULL;
	sc.sc_name = "";
	assert_int_equal(shmlink_attach(ns, &sc, &ifp), BSD_EINVAL);
	sc.sc_name = "lo0";
	assert_int_equal(shmlink_attach(ns, &sc, &ifp), BSD_EEXIST);
	rumpus_destroy(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stream),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_lies),
	    cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
