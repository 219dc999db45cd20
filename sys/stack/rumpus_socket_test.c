/* SPDX-License-Identifier: BSD-2-Clause */
/* The linked-in door: two stacks in one process that talk over point-to-point interfaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>
#include <rumpus/socket.h>
#include <rumpus/stack.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/testutil.h"
#include "wire/ipv4.h"

#define WIRE_MAX 256
#define MTU 1500

/* What one stack has sent and the other not yet received. */
struct wire {
	unsigned w_n;
	struct {
		size_t len;
		uint8_t bytes[MTU];
	} w_packets[WIRE_MAX];
};

struct side {
	struct netstack *s_ns;
	struct rumpus_proc *s_p;
	struct wire s_out;
};

struct world {
	struct side w_side[2];
	uint64_t w_now;
};

static void
side_output(void *arg, const uint8_t *packet, size_t len)
{
	struct wire *w = arg;

	assert_true(w->w_n < WIRE_MAX && len <= MTU);
	w->w_packets[w->w_n].len = len;
	memcpy(w->w_packets[w->w_n++].bytes, packet, len);
}

static struct world *
world_make(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->w_now = NSEC_PER_SEC;
	for (int i = 0; i < 2; i++) {
		struct side *s = &w->w_side[i];
		struct rumpus_config rc = {.rc_now_ns = w->w_now};

		memset(rc.rc_seed, i + 1, sizeof(rc.rc_seed));
		s->s_ns = rumpus_create(&rc);
		assert_non_null(s->s_ns);
		assert_int_equal(rumpus_ptp_attach(s->s_ns, "ppp0", MTU, side_output, &s->s_out),
		    0);
		assert_int_equal(rumpus_addr_add(s->s_ns, "ppp0",
				     i == 0 ? "10.0.0.1/24" : "10.0.0.2/24"),
		    0);
		s->s_p = rumpus_proc_create(s->s_ns, "test");
		assert_non_null(s->s_p);
	}
	return w;
}

/* Carries packets both ways and lets time pass until nothing moves, or for so long. */
static void
world_run(struct world *w, uint64_t ns)
{
	static struct wire moving;
	const uint64_t end = w->w_now + ns;

	for (;;) {
		bool moved = false;

		for (int i = 0; i < 2; i++) {
			rumpus_enter(w->w_side[i].s_ns, w->w_now);
			rumpus_run(w->w_side[i].s_ns);
		}
		for (int i = 0; i < 2; i++) {
			moving = w->w_side[i].s_out;
			w->w_side[i].s_out.w_n = 0;
			moved = moved || moving.w_n > 0;
			for (unsigned n = 0; n < moving.w_n; n++)
				assert_int_equal(rumpus_ptp_input(w->w_side[!i].s_ns, "ppp0",
						     moving.w_packets[n].bytes,
						     moving.w_packets[n].len),
				    0);
		}
		if (moved)
			continue;
		uint64_t next = KERN_MIN(rumpus_deadline(w->w_side[0].s_ns),
		    rumpus_deadline(w->w_side[1].s_ns));
		if (next > end)
			break;
		w->w_now = KERN_MAX(next, w->w_now);
	}
	w->w_now = end;
}

static void
world_end(struct world *w)
{
	for (int i = 0; i < 2; i++)
		rumpus_proc_exit(w->w_side[i].s_p);
	world_run(w, 120 * NSEC_PER_SEC);
	for (int i = 0; i < 2; i++) {
		test_pools_empty(w->w_side[i].s_ns);
		rumpus_destroy(w->w_side[i].s_ns);
	}
	free(w);
}

static struct bsd_sockaddr_in
name(uint8_t host, uint16_t port)
{
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin),
	    .sin_family = BSD_AF_INET,
	    .sin_port = htobe16(port),
	    .sin_addr.s_addr = host == 0 ? 0 : ipv4_addr_be(10, 0, 0, host)};

	return sin;
}

static int
tcp_socket(struct side *s)
{
	int fd = rumpus_socket(s->s_p, BSD_AF_INET, BSD_SOCK_STREAM, 0);

	assert_true(fd >= 0);
	return fd;
}

static int
listener(struct side *s, uint16_t port)
{
	struct bsd_sockaddr_in sin = name(0, port);
	int fd = tcp_socket(s);

	assert_int_equal(rumpus_bind(s->s_p, fd, (struct bsd_sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(rumpus_listen(s->s_p, fd, 5), 0);
	return fd;
}

static void
count_upcall(struct socket *so, void *arg)
{
	(void)so;
	(*(unsigned *)arg)++;
}

/* From the loop: nothing waits, readiness is told by upcalls and poll. */
static void
test_nonblocking(void **state)
{
	struct world *w = world_make();
	struct side *srv = &w->w_side[0], *cli = &w->w_side[1];
	struct bsd_sockaddr_in sin = name(1, 80);
	struct bsd_pollfd pfd = {.events = BSD_POLLIN | BSD_POLLOUT};
	struct bsd_tcp_info ti;
	unsigned upcalls = 0;
	uint32_t len = sizeof(ti);
	char buf[16];
	int ls, a, c;

	(void)state;
	ls = listener(srv, 80);
	assert_int_equal(rumpus_accept(srv->s_p, ls, NULL, NULL, 0), -BSD_EAGAIN);
	c = tcp_socket(cli);
	assert_int_equal(rumpus_upcall(cli->s_p, c, count_upcall, &upcalls), 0);
	assert_int_equal(rumpus_upcall(cli->s_p, 77, count_upcall, &upcalls), -BSD_EBADF);
	assert_int_equal(rumpus_connect(cli->s_p, c, (struct bsd_sockaddr *)&sin, sizeof(sin)),
	    -BSD_EINPROGRESS);
	pfd.fd = c;
	assert_int_equal(rumpus_poll(cli->s_p, &pfd, 1, -1), 0);
	world_run(w, NSEC_PER_SEC);
	assert_true(upcalls > 0);
	assert_int_equal(rumpus_poll(cli->s_p, &pfd, 1, -1), 1);
	assert_int_equal(pfd.revents, BSD_POLLOUT);
	a = rumpus_accept(srv->s_p, ls, NULL, NULL, 0);
	assert_true(a >= 0);
	assert_int_equal(rumpus_read(srv->s_p, a, buf, sizeof(buf)), -BSD_EAGAIN);
	assert_int_equal(rumpus_write(cli->s_p, c, "hello", 5), 5);
	world_run(w, NSEC_PER_SEC);
	assert_int_equal(rumpus_read(srv->s_p, a, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(rumpus_getsockopt(cli->s_p, c, BSD_IPPROTO_TCP, BSD_TCP_INFO, &ti, &len),
	    0);
	assert_int_equal(len, sizeof(ti));
	assert_int_equal(ti.tcpi_state, BSD_TCPS_ESTABLISHED);
	assert_int_equal(ti.tcpi_bytes_sent, 5);
	assert_int_equal(ti.tcpi_unacked, 0);
	assert_int_equal(ti.tcpi_options & (BSD_TCPI_OPT_WSCALE | BSD_TCPI_OPT_TIMESTAMPS),
	    BSD_TCPI_OPT_WSCALE | BSD_TCPI_OPT_TIMESTAMPS);
	upcalls = 0;
	assert_int_equal(rumpus_close(srv->s_p, a), 0);
	world_run(w, NSEC_PER_SEC);
	assert_true(upcalls > 0);
	assert_int_equal(rumpus_read(cli->s_p, c, buf, sizeof(buf)), 0);
	world_end(w);
}

/* What a task does, and what came of it. */
struct job {
	struct rumpus_task j_task;
	struct side *j_side;
	int64_t j_result;
	size_t j_bytes;
};

#define BULK 300000u

static void
serve(struct rumpus_task *rt)
{
	struct job *j = rt->rt_arg;
	struct rumpus_proc *p = j->j_side->s_p;
	int ls = listener(j->j_side, 80);
	int fd = rumpus_accept(p, ls, NULL, NULL, 0);
	static uint8_t buf[4096];

	assert_true(fd >= 0);
	while ((j->j_result = rumpus_read(p, fd, buf, sizeof(buf))) > 0)
		for (int64_t i = 0; i < j->j_result; i++)
			assert_int_equal(buf[i], (uint8_t)(j->j_bytes++ * 7 >> 4));
	assert_int_equal(rumpus_close(p, fd), 0);
}

static void
send_all(struct rumpus_task *rt)
{
	struct job *j = rt->rt_arg;
	struct rumpus_proc *p = j->j_side->s_p;
	struct bsd_sockaddr_in sin = name(1, 80);
	int fd = tcp_socket(j->j_side);
	static uint8_t buf[10000];

	assert_int_equal(rumpus_sleep(p, NSEC_PER_SEC), 0);
	assert_int_equal(rumpus_connect(p, fd, (struct bsd_sockaddr *)&sin, sizeof(sin)), 0);
	while (j->j_bytes < BULK) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)((j->j_bytes + i) * 7 >> 4);
		j->j_result = rumpus_write(p, fd, buf, sizeof(buf));
		assert_int_equal(j->j_result, sizeof(buf));
		j->j_bytes += sizeof(buf);
	}
	assert_int_equal(rumpus_close(p, fd), 0);
}

/* In tasks the same calls wait; the two stacks of one process do not meet but on the wire. */
static void
test_tasks(void **state)
{
	struct world *w = world_make();
	struct job srv = {.j_side = &w->w_side[0]}, cli = {.j_side = &w->w_side[1]};

	(void)state;
	srv.j_task = (struct rumpus_task){.rt_func = serve, .rt_arg = &srv};
	cli.j_task = (struct rumpus_task){.rt_func = send_all, .rt_arg = &cli};
	assert_int_equal(rumpus_task_start(w->w_side[0].s_p, &srv.j_task), 0);
	assert_int_equal(rumpus_task_start(w->w_side[1].s_p, &cli.j_task), 0);
	world_run(w, 10 * NSEC_PER_SEC);
	assert_true(srv.j_task.rt_done && cli.j_task.rt_done);
	assert_int_equal(srv.j_bytes, BULK);
	assert_int_equal(srv.j_result, 0);
	world_end(w);
}

static void
wait_for_ever(struct rumpus_task *rt)
{
	struct job *j = rt->rt_arg;
	int ls = listener(j->j_side, 80);

	j->j_result = rumpus_accept(j->j_side->s_p, ls, NULL, NULL, 0);
}

/* A process that ends takes its sleepers with it. */
static void
test_exit_interrupts(void **state)
{
	struct world *w = world_make();
	struct job job = {.j_side = &w->w_side[0]};

	(void)state;
	job.j_task = (struct rumpus_task){.rt_func = wait_for_ever, .rt_arg = &job};
	assert_int_equal(rumpus_task_start(w->w_side[0].s_p, &job.j_task), 0);
	world_run(w, NSEC_PER_SEC);
	assert_false(job.j_task.rt_done);
	world_end(w);
	assert_true(job.j_task.rt_done);
	assert_int_equal(job.j_result, -BSD_EINTR);
}

static void
test_errors(void **state)
{
	struct world *w = world_make();
	struct side *s = &w->w_side[0];
	const uint64_t none[8] = {0};
	int fd = tcp_socket(s);
	int value = 1;
	uint32_t len = sizeof(value);

	(void)state;
	assert_int_equal(rumpus_close(s->s_p, 99), -BSD_EBADF);
	assert_int_equal(rumpus_socket(s->s_p, 99, 1, 0), -BSD_EAFNOSUPPORT);
	assert_int_equal(rumpus_syscall(s->s_p, 100000, none), -BSD_ENOSYS);
	assert_int_equal(rumpus_setsockopt(s->s_p, fd, BSD_IPPROTO_TCP, 999, &value, len),
	    -BSD_ENOPROTOOPT);
	assert_int_equal(rumpus_setsockopt(s->s_p, fd, BSD_IPPROTO_TCP, BSD_TCP_INFO, &value, len),
	    -BSD_ENOPROTOOPT);
	assert_int_equal(rumpus_getsockopt(s->s_p, fd, BSD_SOL_SOCKET, BSD_SO_TYPE, &value, &len),
	    0);
	assert_int_equal(value, BSD_SOCK_STREAM);
	assert_int_equal(rumpus_fcntl(s->s_p, fd, BSD_F_SETFL, BSD_O_NONBLOCK), 0);
	assert_int_equal(rumpus_fcntl(s->s_p, fd, BSD_F_GETFL, 0), BSD_O_RDWR | BSD_O_NONBLOCK);
	s->s_ns->ns_fault.af_fail_at = 1;
	assert_null(rumpus_proc_create(s->s_ns, "x"));
	world_end(w);
}

/* accept finds no memory for what it makes: the peer is reset, and reads no end. */
static void
test_accept_without_memory(void **state)
{
	struct world *w = world_make();
	struct side *srv = &w->w_side[0], *cli = &w->w_side[1];
	struct bsd_sockaddr_in sin = name(1, 80);
	int ls = listener(srv, 80), c, accepted = -BSD_ENFILE;
	uint64_t fail_at;
	char buf[1];

	(void)state;
	for (fail_at = 1; accepted < 0; fail_at++) {
		c = tcp_socket(cli);
		assert_int_equal(rumpus_connect(cli->s_p, c, (struct bsd_sockaddr *)&sin,
				     sizeof(sin)),
		    -BSD_EINPROGRESS);
		world_run(w, NSEC_PER_SEC);
		srv->s_ns->ns_fault.af_fail_at = fail_at;
		accepted = rumpus_accept(srv->s_p, ls, NULL, NULL, 0);
		srv->s_ns->ns_fault.af_fail_at = 0;
		world_run(w, NSEC_PER_SEC);
		assert_int_equal(rumpus_read(cli->s_p, c, buf, 1),
		    accepted < 0 ? -BSD_ECONNRESET : -BSD_EAGAIN);
	}
	assert_true(fail_at > 2);
	world_end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nonblocking),
	    cmocka_unit_test(test_tasks),
	    cmocka_unit_test(test_exit_interrupts),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_accept_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
