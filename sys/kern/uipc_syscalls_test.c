/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket calls, over the protocols of local_testutil.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/local_testutil.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "kern/syscall_testutil.h"
#include "kern/testutil.h"

struct world {
	struct netstack *w_ns;
	struct proc *w_p;
	int w_signo; /* last raised */
};

static void
raise_noted(void *door, int signo)
{
	struct world *w = door;

	w->w_signo = signo;
}

static struct netstack *
local_netstack(void)
{
	static const struct domain *const domains[] = {&localdomain, NULL};
	struct netstack_config nc = test_config();
	struct netstack *ns;

	nc.nc_domains = domains;
	ns = netstack_create(&nc);
	assert_non_null(ns);
	return ns;
}

static int
setup(void **state)
{
	static struct world w;

	local_slow_connect = false;
	w.w_ns = local_netstack();
	w.w_p = test_proc(w.w_ns);
	w.w_p->p_door = &w;
	w.w_p->p_raise = raise_noted;
	w.w_signo = 0;
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	proc_exit(w->w_p);
	netstack_run(w->w_ns);
	assert_int_equal(local_npcbs(), 0);
	test_netstack_end(w->w_ns);
	return 0;
}

#define VALUE(w, name, ...) testcall_value((w)->w_p, TC_CALL(BSD_SYS_##name, __VA_ARGS__))
#define ERROR(w, name, ...) testcall_error((w)->w_p, TC_CALL(BSD_SYS_##name, __VA_ARGS__))

static int
open_socket(struct world *w, int type)
{
	return (int)VALUE(w, socket, BSD_AF_LOCAL, TC_ARG((unsigned)type), 0);
}

static struct socket *
sock_at(struct world *w, int fd)
{
	return w->w_p->p_fd.fd_slots[fd].fd_file->f_data;
}

static int
listen_at(struct world *w, uint8_t port, int flags)
{
	int fd = open_socket(w, BSD_SOCK_STREAM | flags);
	union bsd_sockaddr_any nam;

	local_addr(port, &nam);
	VALUE(w, bind, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN);
	VALUE(w, listen, TC_ARG(fd), 5);
	return fd;
}

/* A connected pair: fds[0] has connected to fds[1]. */
static void
connected(struct world *w, int fds[2])
{
	int head = listen_at(w, 9, 0);
	union bsd_sockaddr_any nam;

	local_addr(9, &nam);
	fds[0] = open_socket(w, BSD_SOCK_STREAM);
	VALUE(w, connect, TC_ARG(fds[0]), TC_ARG(&nam), LOCAL_ADDR_LEN);
	fds[1] = (int)VALUE(w, accept, TC_ARG(head), 0, 0);
	VALUE(w, close, TC_ARG(head));
}

static void
socket_checks_what_it_is_asked(void **state)
{
	struct world *w = *state;
	int fd;

	assert_int_equal(ERROR(w, socket, 77, 1, 0), BSD_EAFNOSUPPORT);
	assert_int_equal(ERROR(w, socket, BSD_AF_LOCAL, BSD_SOCK_SEQPACKET, 0),
	    BSD_ESOCKTNOSUPPORT);
	assert_int_equal(ERROR(w, socket, BSD_AF_LOCAL, BSD_SOCK_STREAM, 2), BSD_EPROTONOSUPPORT);
	assert_int_equal(ERROR(w, socket, BSD_AF_LOCAL, 0x80000001u, 0), BSD_EINVAL);
	fd = open_socket(w,
	    BSD_SOCK_STREAM | BSD_SOCK_CLOEXEC | BSD_SOCK_NONBLOCK | BSD_SOCK_NOSIGPIPE);
	assert_int_equal(fd, 3);
	assert_int_equal(VALUE(w, fcntl, 3, BSD_F_GETFD), BSD_FD_CLOEXEC);
	assert_int_equal(VALUE(w, fcntl, 3, BSD_F_GETFL), BSD_O_RDWR | BSD_O_NONBLOCK);
	assert_true(sock_at(w, 3)->so_state & SS_NBIO);
	assert_true(sock_at(w, 3)->so_options & BSD_SO_NOSIGPIPE);
	VALUE(w, fcntl, 3, BSD_F_SETFL, 0);
	assert_false(sock_at(w, 3)->so_state & SS_NBIO);
	w->w_p->p_fd.fd_limit = 4;
	assert_int_equal(ERROR(w, socket, BSD_AF_LOCAL, 1, 0), BSD_EMFILE);
	pool_setlimit(&w->w_ns->ns_filepool, 1);
	assert_int_equal(ERROR(w, socket, BSD_AF_LOCAL, 1, 0), BSD_ENFILE);
	assert_int_equal(w->w_ns->ns_socketpool.pl_nout, 1);
}

static void
calls_on_what_is_no_socket(void **state)
{
	struct world *w = *state;
	struct fakefile ff;
	int fd = fakefile_open(w->w_p, &ff);
	static const int numbers[] = {BSD_SYS_bind, BSD_SYS_listen, BSD_SYS_accept, BSD_SYS_connect,
	    BSD_SYS_getsockname, BSD_SYS_getpeername, BSD_SYS_setsockopt, BSD_SYS_getsockopt,
	    BSD_SYS_shutdown, BSD_SYS_sendto, BSD_SYS_recvfrom, BSD_SYS_paccept};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_int_equal(testcall_error(w->w_p, TC_CALL(numbers[i], TC_ARG(fd))),
		    BSD_ENOTSOCK);
		assert_int_equal(testcall_error(w->w_p, TC_CALL(numbers[i], 99)), BSD_EBADF);
	}
	assert_int_equal(VALUE(w, close, TC_ARG(fd)), 0);
}

static void
addresses_are_bounded_and_truncated(void **state)
{
	struct world *w = *state;
	int fd = open_socket(w, BSD_SOCK_STREAM);
	union bsd_sockaddr_any nam;
	uint8_t out[16];
	uint32_t len = 129;

	local_addr(5, &nam);
	nam.sa.sa_len = 200; /* a lie that nobody believes */
	assert_int_equal(ERROR(w, bind, TC_ARG(fd), TC_ARG(&nam), 129), BSD_EINVAL);
	assert_int_equal(ERROR(w, bind, TC_ARG(fd), TC_ARG(&nam), 1), BSD_EINVAL);
	assert_int_equal(ERROR(w, bind, TC_ARG(fd), TC_ARG(&nam), 0xffffffff), BSD_EINVAL);
	assert_int_equal(ERROR(w, bind, TC_ARG(fd), 0, 16), BSD_EFAULT);
	VALUE(w, bind, TC_ARG(fd), TC_ARG(&nam), 128);
	local_addr(5, &nam);
	memset(out, 0xee, sizeof(out));
	len = sizeof(out);
	VALUE(w, getsockname, TC_ARG(fd), TC_ARG(out), TC_ARG(&len));
	assert_int_equal(len, LOCAL_ADDR_LEN);
	assert_memory_equal(out, &nam, LOCAL_ADDR_LEN);
	assert_int_equal(out[LOCAL_ADDR_LEN], 0xee);
	memset(out, 0xee, sizeof(out));
	len = 3;
	VALUE(w, getsockname, TC_ARG(fd), TC_ARG(out), TC_ARG(&len));
	assert_int_equal(len, 3);
	assert_int_equal(out[2], 5);
	assert_int_equal(out[3], 0xee);
	len = 0x80000000;
	assert_int_equal(ERROR(w, getsockname, TC_ARG(fd), TC_ARG(out), TC_ARG(&len)), BSD_EINVAL);
	assert_int_equal(ERROR(w, getpeername, TC_ARG(fd), TC_ARG(out), TC_ARG(&len)),
	    BSD_ENOTCONN);
}

static void
connect_refused_and_interrupted(void **state)
{
	struct world *w = *state;
	int fd = open_socket(w, BSD_SOCK_STREAM);
	union bsd_sockaddr_any nam;
	struct testcall tc;

	local_addr(44, &nam);
	assert_int_equal(ERROR(w, connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN),
	    BSD_ECONNREFUSED);
	VALUE(w, close, TC_ARG(fd));
	local_slow_connect = true;
	fd = open_socket(w, BSD_SOCK_STREAM);
	tc = TC_CALL(BSD_SYS_connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN);
	testcall_start(w->w_p, &tc);
	assert_false(tc.tc_done);
	lwp_interrupt(tc.tc_lwp, BSD_EINTR);
	lwp_run_all(w->w_ns);
	assert_int_equal(tc.tc_error, BSD_EINTR);
	assert_int_equal(ERROR(w, connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN), BSD_EALREADY);
	testcall_start(w->w_p, &tc);
	VALUE(w, close, TC_ARG(fd));

	fd = open_socket(w, BSD_SOCK_STREAM | BSD_SOCK_NONBLOCK);
	assert_int_equal(ERROR(w, connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN),
	    BSD_EINPROGRESS);
	soisconnected(sock_at(w, fd));
	assert_int_equal(ERROR(w, connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN), BSD_EISCONN);
}

static void
connect_sleeps_until_it_is_made(void **state)
{
	struct world *w = *state;
	int fd = open_socket(w, BSD_SOCK_STREAM);
	union bsd_sockaddr_any nam;
	struct testcall tc = TC_CALL(BSD_SYS_connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN);

	local_addr(44, &nam);
	local_slow_connect = true;
	testcall_start(w->w_p, &tc);
	assert_false(tc.tc_done);
	soisconnected(sock_at(w, fd));
	lwp_run_all(w->w_ns);
	assert_true(tc.tc_done);
	assert_int_equal(tc.tc_error, 0);
}

static void
accept_waits_names_and_inherits(void **state)
{
	struct world *w = *state;
	int head = listen_at(w, 7, 0);
	int fd = open_socket(w, BSD_SOCK_STREAM);
	union bsd_sockaddr_any nam;
	uint8_t from[32];
	uint32_t len = sizeof(from);
	struct testcall tc = TC_CALL(BSD_SYS_accept, TC_ARG(head), TC_ARG(from), TC_ARG(&len));

	testcall_start(w->w_p, &tc);
	assert_false(tc.tc_done);
	local_addr(33, &nam);
	VALUE(w, bind, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN);
	local_addr(7, &nam);
	VALUE(w, connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN);
	assert_true(tc.tc_done);
	assert_int_equal(tc.tc_retval[0], 5);
	assert_int_equal(len, LOCAL_ADDR_LEN);
	assert_int_equal(from[2], 33);
	assert_int_equal(VALUE(w, fcntl, 5, BSD_F_GETFL), BSD_O_RDWR);

	VALUE(w, fcntl, TC_ARG(head), BSD_F_SETFL, BSD_O_NONBLOCK);
	assert_int_equal(ERROR(w, accept, TC_ARG(head), 0, 0), BSD_EAGAIN);
	for (unsigned i = 0; i < 2; i++) {
		fd = open_socket(w, BSD_SOCK_STREAM);
		VALUE(w, connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN);
	}
	fd = (int)VALUE(w, accept, TC_ARG(head), 0, 0);
	assert_int_equal(VALUE(w, fcntl, TC_ARG(fd), BSD_F_GETFL), BSD_O_RDWR | BSD_O_NONBLOCK);
	assert_true(sock_at(w, fd)->so_state & SS_NBIO);
	assert_int_equal(ERROR(w, paccept, TC_ARG(head), 0, 0, 0, 1), BSD_EINVAL);
	assert_int_equal(ERROR(w, paccept, TC_ARG(head), 0, 0, TC_ARG(&nam), 0), BSD_EOPNOTSUPP);
	fd = (int)VALUE(w, paccept, TC_ARG(head), 0, 0, 0, BSD_SOCK_CLOEXEC);
	assert_int_equal(VALUE(w, fcntl, TC_ARG(fd), BSD_F_GETFL), BSD_O_RDWR);
	assert_int_equal(VALUE(w, fcntl, TC_ARG(fd), BSD_F_GETFD), BSD_FD_CLOEXEC);
	assert_false(sock_at(w, fd)->so_state & SS_NBIO);
}

static void
accept_without_room_keeps_the_connection(void **state)
{
	struct world *w = *state;
	int head = listen_at(w, 7, 0);
	int fd = open_socket(w, BSD_SOCK_STREAM);
	union bsd_sockaddr_any nam;
	uint32_t len = 0x80000000;

	local_addr(7, &nam);
	VALUE(w, connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN);
	w->w_p->p_fd.fd_limit = 5;
	assert_int_equal(ERROR(w, accept, TC_ARG(head), 0, 0), BSD_EMFILE);
	w->w_p->p_fd.fd_limit = 6;
	assert_int_equal(VALUE(w, accept, TC_ARG(head), 0, 0), 5);
	VALUE(w, close, 5);
	fd = open_socket(w, BSD_SOCK_STREAM);
	w->w_p->p_fd.fd_limit = 10;
	VALUE(w, connect, TC_ARG(fd), TC_ARG(&nam), LOCAL_ADDR_LEN);
	assert_int_equal(ERROR(w, accept, TC_ARG(head), TC_ARG(&nam), TC_ARG(&len)), BSD_EINVAL);
	assert_int_equal(w->w_p->p_fd.fd_nopen, 3); /* the new descriptor is closed again */
}

static void
a_closed_listener_ends_accept(void **state)
{
	struct world *w = *state;
	int head = listen_at(w, 7, 0);
	struct testcall tc = TC_CALL(BSD_SYS_accept, TC_ARG(head), 0, 0);

	testcall_start(w->w_p, &tc);
	VALUE(w, close, TC_ARG(head));
	assert_true(tc.tc_done);
	assert_int_equal(tc.tc_error, BSD_EBADF);
	assert_int_equal(w->w_ns->ns_socketpool.pl_nout, 0);
}

static void
data_goes_both_ways(void **state)
{
	struct world *w = *state;
	static uint8_t out[30000];
	static uint8_t in[30000];
	struct testcall wr;
	size_t got = 0;
	int fds[2];
	int n;

	connected(w, fds);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = test_byte(i);
	wr = TC_CALL(BSD_SYS_write, TC_ARG(fds[0]), TC_ARG(out), sizeof(out));
	testcall_start(w->w_p, &wr);
	assert_false(wr.tc_done); /* more than fits both buffers */
	VALUE(w, ioctl, TC_ARG(fds[1]), BSD_FIONREAD, TC_ARG(&n));
	assert_int_equal(n, sock_at(w, fds[1])->so_rcv.sb_cc);
	assert_true(n > 4000);
	while (got < sizeof(in))
		got += (size_t)VALUE(w, read, TC_ARG(fds[1]), TC_ARG(in + got), sizeof(in) - got);
	assert_true(wr.tc_done);
	assert_int_equal(wr.tc_retval[0], sizeof(out));
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(VALUE(w, sendto, TC_ARG(fds[1]), TC_ARG(out), 10, 0, 0, 0), 10);
	assert_int_equal(VALUE(w, recvfrom, TC_ARG(fds[0]), TC_ARG(in), 20, BSD_MSG_PEEK, 0, 0),
	    10);
	assert_int_equal(VALUE(w, recvfrom, TC_ARG(fds[0]), TC_ARG(in), 20, 0, 0, 0), 10);
	assert_int_equal(ERROR(w, recvfrom, TC_ARG(fds[0]), TC_ARG(in), 20, BSD_MSG_DONTWAIT, 0, 0),
	    BSD_EAGAIN);
	assert_int_equal(ERROR(w, recvfrom, TC_ARG(fds[0]), TC_ARG(in), 20, 0x10000, 0, 0),
	    BSD_EOPNOTSUPP);
	assert_int_equal(ERROR(w, sendto, TC_ARG(fds[0]), TC_ARG(in), 20, BSD_MSG_PEEK, 0, 0),
	    BSD_EOPNOTSUPP);
}

static void
an_interrupted_write_tells_how_much(void **state)
{
	struct world *w = *state;
	static uint8_t out[60000];
	struct testcall wr;
	int fds[2];
	int n;

	connected(w, fds);
	wr = TC_CALL(BSD_SYS_write, TC_ARG(fds[0]), TC_ARG(out), sizeof(out));
	testcall_start(w->w_p, &wr);
	lwp_interrupt(wr.tc_lwp, BSD_EINTR);
	lwp_run_all(w->w_ns);
	assert_int_equal(wr.tc_error, 0);
	VALUE(w, ioctl, TC_ARG(fds[0]), BSD_FIONWRITE, TC_ARG(&n));
	assert_int_equal(wr.tc_retval[0], (int64_t)n + sock_at(w, fds[1])->so_rcv.sb_cc);
	VALUE(w, ioctl, TC_ARG(fds[0]), BSD_FIONSPACE, TC_ARG(&n));
	assert_int_equal(n, sbspace(&sock_at(w, fds[0])->so_snd));
	VALUE(w, ioctl, TC_ARG(fds[0]), BSD_SIOCATMARK, TC_ARG(&n));
	assert_int_equal(n, 0);
}

static void
closing_ends_a_sleeping_read(void **state)
{
	struct world *w = *state;
	struct testcall rd;
	uint8_t byte;
	int fds[2];

	connected(w, fds);
	rd = TC_CALL(BSD_SYS_read, TC_ARG(fds[0]), TC_ARG(&byte), 1);
	testcall_start(w->w_p, &rd);
	assert_false(rd.tc_done);
	VALUE(w, close, TC_ARG(fds[0]));
	assert_true(rd.tc_done);
	assert_int_equal(rd.tc_error, BSD_EBADF);
	assert_int_equal(VALUE(w, read, TC_ARG(fds[1]), TC_ARG(&byte), 1), 0); /* its peer saw it */
	rd = TC_CALL(BSD_SYS_recvfrom, TC_ARG(open_socket(w, BSD_SOCK_DGRAM)), TC_ARG(&byte), 1);
	testcall_start(w->w_p, &rd);
	assert_false(rd.tc_done);
	VALUE(w, close, rd.tc_args[0]);
	assert_int_equal(rd.tc_error, BSD_EBADF);
}

static void
epipe_raises_unless_told_not_to(void **state)
{
	struct world *w = *state;
	const struct bsd_iovec iov = {TC_ARG("x"), 1};
	const struct bsd_msghdr msg = {.msg_iov = TC_ARG(&iov), .msg_iovlen = 1};
	int on = 1;
	int fds[2];

	connected(w, fds);
	VALUE(w, shutdown, TC_ARG(fds[0]), BSD_SHUT_WR);
	assert_int_equal(ERROR(w, sendto, TC_ARG(fds[0]), TC_ARG("x"), 1, BSD_MSG_NOSIGNAL),
	    BSD_EPIPE);
	assert_int_equal(w->w_signo, 0);
	assert_int_equal(ERROR(w, write, TC_ARG(fds[0]), TC_ARG("x"), 1), BSD_EPIPE);
	assert_int_equal(w->w_signo, BSD_SIGPIPE);
	w->w_signo = 0;
	assert_int_equal(ERROR(w, sendmsg, TC_ARG(fds[0]), TC_ARG(&msg), 0), BSD_EPIPE);
	assert_int_equal(w->w_signo, BSD_SIGPIPE);
	w->w_signo = 0;
	VALUE(w, setsockopt, TC_ARG(fds[0]), BSD_SOL_SOCKET, BSD_SO_NOSIGPIPE, TC_ARG(&on), 4);
	assert_int_equal(ERROR(w, write, TC_ARG(fds[0]), TC_ARG("x"), 1), BSD_EPIPE);
	assert_int_equal(w->w_signo, 0);
	assert_int_equal(VALUE(w, read, TC_ARG(fds[1]), TC_ARG(fds), 1), 0);
	assert_int_equal(ERROR(w, shutdown, TC_ARG(fds[0]), 3), BSD_EINVAL);
}

static void
datagrams_carry_their_sender(void **state)
{
	struct world *w = *state;
	int a = open_socket(w, BSD_SOCK_DGRAM);
	int b = open_socket(w, BSD_SOCK_DGRAM);
	union bsd_sockaddr_any nam;
	uint8_t from[128];
	uint8_t data[8];
	struct bsd_iovec iov[2] = {{TC_ARG(data), 2}, {TC_ARG(data + 2), 1}};
	struct bsd_msghdr msg = {.msg_name = TC_ARG(from),
	    .msg_namelen = sizeof(from),
	    .msg_iov = TC_ARG(iov),
	    .msg_iovlen = 2,
	    .msg_control = TC_ARG(data),
	    .msg_controllen = 8,
	    .msg_flags = -1};
	uint32_t len = sizeof(from);

	local_addr(1, &nam);
	VALUE(w, bind, TC_ARG(a), TC_ARG(&nam), LOCAL_ADDR_LEN);
	local_addr(2, &nam);
	VALUE(w, bind, TC_ARG(b), TC_ARG(&nam), LOCAL_ADDR_LEN);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(VALUE(w, sendto, TC_ARG(a), TC_ARG("hello"), 5, 0, TC_ARG(&nam),
				     LOCAL_ADDR_LEN),
		    5);
	assert_int_equal(VALUE(w, recvfrom, TC_ARG(b), TC_ARG(data), 8, 0, TC_ARG(from),
			     TC_ARG(&len)),
	    5);
	assert_int_equal(len, LOCAL_ADDR_LEN);
	assert_int_equal(from[2], 1);
	memset(from, 0, sizeof(from));
	assert_int_equal(VALUE(w, recvmsg, TC_ARG(b), TC_ARG(&msg), 0), 3);
	assert_memory_equal(data, "hel", 3);
	assert_int_equal(msg.msg_flags, BSD_MSG_TRUNC);
	assert_int_equal(msg.msg_namelen, LOCAL_ADDR_LEN);
	assert_int_equal(msg.msg_controllen, 0);
	assert_int_equal(from[2], 1);
	assert_int_equal(ERROR(w, recvmsg, TC_ARG(b), TC_ARG(&msg), BSD_MSG_DONTWAIT), BSD_EAGAIN);
	assert_int_equal(ERROR(w, sendto, TC_ARG(a), TC_ARG("x"), 1, 0, TC_ARG(&nam), 129),
	    BSD_EINVAL);
	assert_int_equal(ERROR(w, sendto, TC_ARG(a), TC_ARG("x"), 1, 0, 1, 0), BSD_EINVAL);
}

static void
control_data_passes_and_is_cut(void **state)
{
	struct world *w = *state;
	int a = open_socket(w, BSD_SOCK_DGRAM);
	union bsd_sockaddr_any nam;
	uint8_t control[600] = "ancillary data..";
	uint8_t got[32] = {0};
	uint8_t byte = 'd';
	struct bsd_iovec iov = {TC_ARG(&byte), 1};
	struct bsd_msghdr msg = {.msg_name = TC_ARG(&nam),
	    .msg_namelen = LOCAL_ADDR_LEN,
	    .msg_iov = TC_ARG(&iov),
	    .msg_iovlen = 1,
	    .msg_control = TC_ARG(control),
	    .msg_controllen = 16};
	struct bsd_msghdr in = {.msg_iov = TC_ARG(&iov),
	    .msg_iovlen = 1,
	    .msg_control = TC_ARG(got),
	    .msg_controllen = sizeof(got)};

	local_addr(1, &nam);
	VALUE(w, bind, TC_ARG(a), TC_ARG(&nam), LOCAL_ADDR_LEN);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(VALUE(w, sendmsg, TC_ARG(a), TC_ARG(&msg), 0), 1);
	assert_int_equal(VALUE(w, recvmsg, TC_ARG(a), TC_ARG(&in), 0), 1);
	assert_int_equal(in.msg_controllen, 16);
	assert_int_equal(in.msg_flags, 0);
	assert_memory_equal(got, control, 16);
	in.msg_controllen = 5;
	memset(got, 0, sizeof(got));
	assert_int_equal(VALUE(w, recvmsg, TC_ARG(a), TC_ARG(&in), 0), 1);
	assert_int_equal(in.msg_controllen, 5);
	assert_int_equal(in.msg_flags, BSD_MSG_CTRUNC);
	assert_int_equal(got[5], 0);
	in.msg_control = 0;
	assert_int_equal(VALUE(w, recvmsg, TC_ARG(a), TC_ARG(&in), 0), 1);
	msg.msg_controllen = 473;
	assert_int_equal(ERROR(w, sendmsg, TC_ARG(a), TC_ARG(&msg), 0), BSD_EINVAL);
	msg.msg_controllen = 16;
	msg.msg_control = UINT64_MAX - 2;
	assert_int_equal(ERROR(w, sendmsg, TC_ARG(a), TC_ARG(&msg), 0), BSD_EFAULT);
}

static void
message_headers_are_bounded(void **state)
{
	struct world *w = *state;
	int fd = open_socket(w, BSD_SOCK_DGRAM);
	struct bsd_iovec iov[2] = {{1, INT64_MAX}, {1, 1}};
	struct bsd_msghdr msg = {.msg_iov = TC_ARG(iov), .msg_iovlen = 1025};

	assert_int_equal(ERROR(w, sendmsg, TC_ARG(fd), TC_ARG(&msg), 0), BSD_EMSGSIZE);
	assert_int_equal(ERROR(w, recvmsg, TC_ARG(fd), TC_ARG(&msg), 0), BSD_EMSGSIZE);
	msg.msg_iovlen = -1;
	assert_int_equal(ERROR(w, recvmsg, TC_ARG(fd), TC_ARG(&msg), 0), BSD_EMSGSIZE);
	msg.msg_iovlen = 2;
	assert_int_equal(ERROR(w, sendmsg, TC_ARG(fd), TC_ARG(&msg), 0), BSD_EINVAL);
	assert_int_equal(ERROR(w, sendmsg, TC_ARG(fd), 0, 0), BSD_EFAULT);
	msg.msg_iov = 0;
	assert_int_equal(ERROR(w, recvmsg, TC_ARG(fd), TC_ARG(&msg), 0), BSD_EFAULT);
}

static void
options_are_bounded(void **state)
{
	struct world *w = *state;
	int fd = open_socket(w, BSD_SOCK_STREAM);
	uint8_t val[SOCKOPT_MAX + 1] = {0};
	uint32_t len = sizeof(val);
	int n = 0;

	val[255] = 9;
	assert_int_equal(ERROR(w, setsockopt, TC_ARG(fd), 6, 7, TC_ARG(val), sizeof(val)),
	    BSD_EINVAL);
	assert_int_equal(ERROR(w, setsockopt, TC_ARG(fd), 6, 7, TC_ARG(val), 0xffffffff),
	    BSD_EINVAL);
	VALUE(w, setsockopt, TC_ARG(fd), 6, 7, TC_ARG(val), 256);
	assert_int_equal(ERROR(w, setsockopt, TC_ARG(fd), 6, 8, TC_ARG(val), 4), BSD_ENOPROTOOPT);
	assert_int_equal(ERROR(w, setsockopt, TC_ARG(fd), 6, 7, 0, 4), BSD_EFAULT);
	VALUE(w, getsockopt, TC_ARG(fd), 6, 7, TC_ARG(val), TC_ARG(&len));
	assert_int_equal(len, 256);
	assert_int_equal(val[4], 5);
	memset(val, 0xee, sizeof(val));
	len = 3;
	VALUE(w, getsockopt, TC_ARG(fd), 6, 7, TC_ARG(val), TC_ARG(&len));
	assert_int_equal(len, 3);
	assert_int_equal(val[2], 3);
	assert_int_equal(val[3], 0xee);
	len = sizeof(n);
	VALUE(w, getsockopt, TC_ARG(fd), BSD_SOL_SOCKET, BSD_SO_TYPE, TC_ARG(&n), TC_ARG(&len));
	assert_int_equal(n, BSD_SOCK_STREAM);
	len = 0x80000000;
	assert_int_equal(ERROR(w, getsockopt, TC_ARG(fd), 6, 7, TC_ARG(val), TC_ARG(&len)),
	    BSD_EINVAL);
}

static void
poll_sees_a_socket_change(void **state)
{
	struct world *w = *state;
	struct bsd_pollfd fd;
	struct testcall tc = TC_CALL(BSD_SYS_poll, TC_ARG(&fd), 1, TC_ARG(-1));
	int fds[2];

	connected(w, fds);
	fd = (struct bsd_pollfd){fds[0], BSD_POLLIN, 0};
	testcall_start(w->w_p, &tc);
	assert_false(tc.tc_done);
	VALUE(w, write, TC_ARG(fds[1]), TC_ARG("x"), 1);
	assert_true(tc.tc_done);
	assert_int_equal(fd.revents, BSD_POLLIN);
	VALUE(w, read, TC_ARG(fds[0]), TC_ARG(&fd), 1);
	fd = (struct bsd_pollfd){fds[0], BSD_POLLIN, 0};
	testcall_start(w->w_p, &tc);
	assert_false(tc.tc_done);
	VALUE(w, close, TC_ARG(fds[0]));
	assert_true(tc.tc_done);
	assert_int_equal(fd.revents, BSD_POLLNVAL);
}

static void
attempt_main(struct lwp *l, void *arg)
{
	struct testcall *tc = arg;

	tc->tc_error = syscall_invoke(l, sysent_find(tc->tc_number), tc->tc_args, tc->tc_retval);
	tc->tc_done = true;
}

/* One call; the errno of the first that failed is kept. */
static void
attempt(struct proc *p, struct testcall *tc, int *errorp)
{
	if (*errorp != 0)
		return;
	tc->tc_done = false;
	if (lwp_start(p, attempt_main, tc) == NULL) {
		*errorp = BSD_ENOMEM;
		return;
	}
	lwp_run_all(p->p_ns);
	if (tc->tc_done)
		*errorp = tc->tc_error;
	else
		*errorp = BSD_EBUSY; /* what it waits for failed before */
}

/* socket, bind, listen, connect, accept, sendto, recvfrom on fresh descriptors 3, 4 and 5. */
static int
whole_life(struct netstack *ns, void *arg)
{
	static uint8_t data[3000];
	union bsd_sockaddr_any nam;
	struct proc *p;
	struct proc *child;
	struct testcall calls[] = {
	    TC_CALL(BSD_SYS_socket, BSD_AF_LOCAL, BSD_SOCK_STREAM, 0),
	    TC_CALL(BSD_SYS_bind, 3, TC_ARG(&nam), LOCAL_ADDR_LEN),
	    TC_CALL(BSD_SYS_listen, 3, 5),
	    TC_CALL(BSD_SYS_socket, BSD_AF_LOCAL, BSD_SOCK_STREAM, 0),
	    TC_CALL(BSD_SYS_connect, 4, TC_ARG(&nam), LOCAL_ADDR_LEN),
	    TC_CALL(BSD_SYS_accept, 3, 0, 0),
	    TC_CALL(BSD_SYS_sendto, 4, TC_ARG(data), sizeof(data), BSD_MSG_DONTWAIT),
	    TC_CALL(BSD_SYS_recvfrom, 5, TC_ARG(data), sizeof(data), BSD_MSG_DONTWAIT),
	    TC_CALL(BSD_SYS_fcntl, 5, BSD_F_DUPFD, 500),
	};
	int error;

	(void)arg;
	local_addr(9, &nam);
	error = proc_create(ns, "test", &copy_engine_direct, NULL, &p);
	if (error != 0)
		return error;
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		attempt(p, &calls[i], &error);
	if (error == 0)
		error = proc_fork(p, &child);
	if (error == 0)
		proc_exit(child);
	proc_exit(p);
	netstack_run(ns);
	assert_int_equal(local_npcbs(), 0);
	return error;
}

static void
every_allocation_may_fail(void **state)
{
	(void)state;
	local_slow_connect = false;
	assert_true(for_each_alloc_failure(local_netstack, whole_life, NULL) > 8);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(socket_checks_what_it_is_asked),
	    T(calls_on_what_is_no_socket),
	    T(addresses_are_bounded_and_truncated),
	    T(connect_refused_and_interrupted),
	    T(connect_sleeps_until_it_is_made),
	    T(accept_waits_names_and_inherits),
	    T(accept_without_room_keeps_the_connection),
	    T(a_closed_listener_ends_accept),
	    T(data_goes_both_ways),
	    T(an_interrupted_write_tells_how_much),
	    T(closing_ends_a_sleeping_read),
	    T(epipe_raises_unless_told_not_to),
	    T(datagrams_carry_their_sender),
	    T(control_data_passes_and_is_cut),
	    T(message_headers_are_bounded),
	    T(options_are_bounded),
	    T(poll_sees_a_socket_change),
	    cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
