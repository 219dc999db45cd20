/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door against clients that are late, silent, deaf or many, in one process: the test is the
 * client at the other end of a socketpair, and lets the loop take one turn at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <rumpus/abi.h>
#include <rumpus/stack.h>
#include <rumpus/sysproxy.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/proc.h"
#include "server/sysproxy/sp_session.h"
#include "server/sysproxy/sysproxy.h"

#define BIG (1024u * 1024)

struct world {
	struct netstack *w_ns;
	struct loop w_loop;
	struct loop_source w_tick;
	struct sp_server *w_sp;
	int w_fd; /* the client's end */
	struct rumpsp_hdr w_hdr;
	uint8_t w_payload[SP_COPYOUT_MAX + 64];
};

static void
tick(struct loop_source *ls, uint32_t events)
{
	(void)events;
	loop_stop(ls->ls_arg);
}

/* One round: the tick is always ready, so the loop does not wait, and stops behind it. */
static void
turn(struct world *w)
{
	w->w_loop.lp_stop = false;
	assert_int_equal(loop_run(&w->w_loop), 0);
	netstack_run(w->w_ns);
}

static int
client_connect(struct world *w)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	sp_session_start(w->w_sp, pair[1], true);
	return pair[0];
}

static void
client_frame(struct world *w, struct rumpsp_hdr hdr, const void *payload, size_t len)
{
	hdr.rsp_len = sizeof(hdr) + len;
	assert_int_equal(send(w->w_fd, &hdr, sizeof(hdr), 0), sizeof(hdr));
	if (len > 0)
		assert_int_equal(send(w->w_fd, payload, len, 0), len);
}

static void
client_call(struct world *w, uint64_t reqno, uint32_t number, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t args[3] = {a, b, c};
	struct rumpsp_hdr hdr = {.rsp_reqno = reqno, .rsp_type = RUMPSP_SYSCALL, .rsp_arg = number};

	client_frame(w, hdr, args, sizeof(args));
	turn(w);
}

/* len bytes from the server, with a turn of the loop whenever there are none. => false: the end */
static bool
client_recv(struct world *w, void *buf, size_t len)
{
	for (unsigned i = 0; len > 0 && i < 100; i++) {
		ssize_t n = recv(w->w_fd, buf, len, 0);

		if (n == 0)
			return false;
		if (n < 0) {
			turn(w);
			continue;
		}
		buf = (uint8_t *)buf + n;
		len -= (size_t)n;
	}
	return len == 0;
}

static bool
client_next(struct world *w)
{
	if (!client_recv(w, &w->w_hdr, sizeof(w->w_hdr)))
		return false;
	assert_in_range(w->w_hdr.rsp_len, sizeof(w->w_hdr), sizeof(w->w_payload));
	return client_recv(w, w->w_payload, (size_t)w->w_hdr.rsp_len - sizeof(w->w_hdr));
}

/* The next frame must be the response to a call. => its errno */
static int32_t
client_result(struct world *w, uint64_t reqno)
{
	int32_t error;

	assert_true(client_next(w));
	assert_int_equal(w->w_hdr.rsp_class, RUMPSP_RESPONSE);
	assert_int_equal(w->w_hdr.rsp_type, RUMPSP_SYSCALL);
	assert_int_equal(w->w_hdr.rsp_reqno, reqno);
	memcpy(&error, w->w_payload, sizeof(error));
	return error;
}

static int
setup(void **state)
{
	const struct rumpus_config rc = {.rc_now_ns = 1};
	struct world *w = calloc(1, sizeof(*w));
	char banner[sizeof(RUMPSP_BANNER) - 1];

	assert_non_null(w);
	w->w_ns = rumpus_create(&rc);
	assert_non_null(w->w_ns);
	assert_int_equal(loop_init(&w->w_loop, w->w_ns), 0);
	w->w_loop.lp_spin_ns = 0;
	w->w_tick =
	    (struct loop_source){.ls_fd = eventfd(1, 0), .ls_ready = tick, .ls_arg = &w->w_loop};
	assert_int_equal(loop_add(&w->w_loop, &w->w_tick, EPOLLIN), 0);
	w->w_sp = sp_server_create(&w->w_loop);
	assert_non_null(w->w_sp);
	w->w_fd = client_connect(w);
	assert_true(client_recv(w, banner, sizeof(banner)));
	client_frame(w, (struct rumpsp_hdr){.rsp_arg = RUMPSP_HS_GUEST}, "test", 5);
	assert_true(client_next(w));
	assert_int_equal(w->w_hdr.rsp_class, RUMPSP_RESPONSE);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	(void)close(w->w_fd);
	for (unsigned i = 0; i < 4; i++)
		turn(w);
	assert_int_equal(w->w_sp->sp_nalive, 0);
	assert_int_equal(w->w_ns->ns_nlwps, 0);
	assert_int_equal(w->w_ns->ns_mbpool.pl_nout, 0);
	sp_server_close(w->w_sp);
	sp_server_free(w->w_sp);
	loop_del(&w->w_loop, &w->w_tick);
	(void)close(w->w_tick.ls_fd);
	loop_fini(&w->w_loop);
	rumpus_destroy(w->w_ns);
	free(w);
	return 0;
}

/*
 * 78. A call whose file another thread closes ends at once; the answer to its copy-in comes later.
 * It must not be taken for nonsense: an error frame would carry a number of the client's own calls.
 */
static void
test_late_answer(void **state)
{
	struct world *w = *state;
	static uint8_t bytes[100 * 1024];
	struct rumpsp_hdr answer = {.rsp_class = RUMPSP_RESPONSE, .rsp_type = RUMPSP_COPYIN};

	client_call(w, 1, BSD_SYS_socket, BSD_AF_INET, BSD_SOCK_DGRAM, 0);
	assert_int_equal(client_result(w, 1), 0);
	client_call(w, 2, BSD_SYS_bind, 3, 0x1000, 16);
	assert_true(client_next(w));
	assert_int_equal(w->w_hdr.rsp_type, RUMPSP_COPYIN);
	answer.rsp_reqno = w->w_hdr.rsp_reqno;
	client_call(w, 3, BSD_SYS_close, 3, 0, 0);
	assert_int_equal(client_result(w, 3), 0);
	assert_int_equal(client_result(w, 2), BSD_EBADF);
	client_frame(w, answer, bytes, 16);
	turn(w);
	client_frame(w, answer, bytes, sizeof(bytes)); /* as long as that of a large write */
	turn(w);
	client_call(w, 4, BSD_SYS_getpid, 0, 0, 0);
	assert_int_equal(client_result(w, 4), 0);
	/* one that was never asked for is told */
	answer.rsp_reqno = 1000;
	client_frame(w, answer, bytes, 16);
	assert_true(client_next(w));
	assert_int_equal(w->w_hdr.rsp_class, RUMPSP_ERROR);
	assert_int_equal(w->w_hdr.rsp_reqno, 1000);
}

static int big_error;

static void
copy_big(struct lwp *l, void *arg)
{
	big_error = copyout(&l->l_proc->p_vm, arg, 0x10000, BIG);
}

/* 79. Who does not read holds a bounded queue, and may still make requests that the loop answers. */
static void
test_large_copyout(void **state)
{
	struct world *w = *state;
	struct sp_session *ss = TAILQ_FIRST(&w->w_sp->sp_sessions);
	uint8_t *bytes = malloc(BIG);
	uint64_t got = 0;
	bool forked = false;

	assert_non_null(bytes);
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 12));
	big_error = -1;
	assert_non_null(lwp_start(ss->ss_proc, copy_big, bytes));
	turn(w);
	client_frame(w, (struct rumpsp_hdr){.rsp_type = RUMPSP_PREFORK}, NULL, 0);
	turn(w);
	assert_in_range(ss->ss_txsize, 0, SP_TXBUF + SP_COPYOUT_MAX + 4096);
	while (got < BIG || !forked) {
		struct rumpsp_copydata cp;

		assert_true(client_next(w));
		if (w->w_hdr.rsp_type == RUMPSP_PREFORK) {
			assert_int_equal(w->w_hdr.rsp_class, RUMPSP_RESPONSE);
			forked = true;
			continue;
		}
		assert_int_equal(w->w_hdr.rsp_type, RUMPSP_COPYOUT);
		memcpy(&cp, w->w_payload, sizeof(cp));
		assert_int_equal(cp.rcp_addr, 0x10000 + got);
		assert_memory_equal(w->w_payload + sizeof(cp), bytes + got, cp.rcp_len);
		got += cp.rcp_len;
	}
	turn(w);
	assert_int_equal(got, BIG);
	assert_int_equal(big_error, 0);
	free(bytes);
}

/* 79. One who sends calls without end gets a share of each turn. */
static void
test_calls_a_turn(void **state)
{
	struct world *w = *state;
	static struct rumpsp_hdr calls[8192];
	int size = 4 << 20;

	assert_int_equal(setsockopt(w->w_fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)), 0);
	for (size_t i = 0; i < nitems(calls); i++)
		calls[i] = (struct rumpsp_hdr){.rsp_len = sizeof(calls[i]),
		    .rsp_type = RUMPSP_SYSCALL,
		    .rsp_arg = BSD_SYS_getpid};
	assert_int_equal(send(w->w_fd, calls, sizeof(calls), 0), sizeof(calls));
	turn(w);
	assert_in_range(w->w_sp->sp_stat.sps_calls, 1, SP_RXBUF / sizeof(calls[0]) + 1);
}

static void
listen_at(struct world *w, struct sockaddr_un *sun)
{
	char url[128], why[256];

	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(sun->sun_path, sizeof(sun->sun_path), "/tmp/rumpus-sp-%d.sock",
	    (int)getpid());
	(void)snprintf(url, sizeof(url), "unix://%s", sun->sun_path);
	assert_true(sp_server_listen(w->w_sp, url, why, sizeof(why)));
}

static int
connect_at(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)sun, sizeof(*sun)), 0);
	return fd;
}

/* 79. The host's descriptors are used up: who connects is turned away, and the loop can sleep. */
static void
test_no_descriptor(void **state)
{
	struct world *w = *state;
	struct sockaddr_un sun;
	struct rlimit was, none;
	int fd;
	char byte;

	listen_at(w, &sun);
	fd = connect_at(&sun);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = (rlim_t)fd + 1; /* all below are in use */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn(w);
	turn(w);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(w->w_sp->sp_stat.sps_refused, 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	(void)close(fd);
	fd = connect_at(&sun);
	turn(w);
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	(void)close(fd);
}

/* 79. Connections that never say who they are do not keep others out; those that did stay. */
static void
test_silent_connections(void **state)
{
	struct world *w = *state;
	struct sockaddr_un sun;
	int fds[3];
	char bytes[64];

	listen_at(w, &sun);
	w->w_sp->sp_maxclients = 3;
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = connect_at(&sun);
		turn(w);
		assert_int_equal(recv(fds[i], bytes, sizeof(bytes), 0), sizeof(RUMPSP_BANNER) - 1);
	}
	assert_int_equal(w->w_sp->sp_nalive, 3);
	assert_int_equal(recv(fds[0], bytes, sizeof(bytes), 0), 0); /* the oldest made room */
	assert_int_equal(recv(fds[1], bytes, sizeof(bytes), 0), -1);
	client_call(w, 9, BSD_SYS_getpid, 0, 0, 0);
	assert_int_equal(client_result(w, 9), 0);
	for (unsigned i = 0; i < 3; i++)
		(void)close(fds[i]);
}

/* Another user's memory is never reached directly: its process may be gone, and its number reused. */
static void
test_other_user(void **state)
{
	struct world *w = *state;
	const struct sp_session *ss = TAILQ_FIRST(&w->w_sp->sp_sessions);
	int pair[2];

	assert_true(ss->ss_vm);
	if (geteuid() != 0)
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(seteuid(65534), 0);
	sp_session_start(w->w_sp, pair[1], true);
	assert_int_equal(seteuid(0), 0);
	assert_false(TAILQ_NEXT(ss, ss_list)->ss_vm);
	(void)close(pair[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_late_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_large_copyout, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_calls_a_turn, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_descriptor, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_silent_connections, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_other_user, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
