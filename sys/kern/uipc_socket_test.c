/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of sockets over fake protocols: queues, states, options, upcalls, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/so_testutil.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"

#define SECOND NSEC_PER_SEC

/* A call in an lwp. */
struct call {
	int (*ca_func)(struct socket *so);
	struct socket *ca_so;
	int ca_error;
	bool ca_done;
	struct lwp *ca_lwp;
};

static void
call_main(struct lwp *l, void *arg)
{
	struct call *ca = arg;

	(void)l;
	ca->ca_error = ca->ca_func(ca->ca_so);
	ca->ca_done = true;
}

static void
call_start(struct netstack *ns, struct call *ca, int (*func)(struct socket *), struct socket *so)
{
	*ca = (struct call){.ca_func = func, .ca_so = so};
	ca->ca_lwp = lwp_start(fake_proc(ns), call_main, ca);
	assert_non_null(ca->ca_lwp);
	netstack_run(ns);
}

static struct socket *accepted;

static int
call_accept(struct socket *so)
{
	union bsd_sockaddr_any nam;
	int error = soaccept(so, false, &accepted, &nam);

	if (error == 0)
		assert_int_equal(nam.sa.sa_data[0], 77);
	return error;
}

static struct socket *
listener(struct netstack *ns, int backlog)
{
	struct socket *head = fake_socket(ns, BSD_SOCK_STREAM);
	struct bsd_sockaddr nam = fake_addr(1);

	assert_int_equal(sobind(head, &nam), 0);
	assert_int_equal(solisten(head, backlog), 0);
	return head;
}

static struct socket *
connector(struct netstack *ns)
{
	struct socket *so = fake_socket(ns, BSD_SOCK_STREAM);
	struct bsd_sockaddr nam = fake_addr(1);

	assert_int_equal(soconnect(so, &nam), 0);
	return so;
}

static void
protocols_are_found(void **state)
{
	struct netstack *ns = fake_start();
	int error;

	(void)state;
	assert_int_equal(pffind(ns, BSD_AF_LOCAL, BSD_SOCK_STREAM, 0, &error)->pr_protocol, 6);
	assert_int_equal(pffind(ns, BSD_AF_LOCAL, BSD_SOCK_STREAM, 6, &error)->pr_protocol, 6);
	assert_int_equal(pffind(ns, BSD_AF_LOCAL, BSD_SOCK_RAW, 99, &error)->pr_type, BSD_SOCK_RAW);
	assert_int_equal(error, 0);
	assert_null(pffind(ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &error));
	assert_int_equal(error, BSD_EAFNOSUPPORT);
	assert_null(pffind(ns, BSD_AF_LOCAL, BSD_SOCK_SEQPACKET, 0, &error));
	assert_int_equal(error, BSD_ESOCKTNOSUPPORT);
	assert_null(pffind(ns, BSD_AF_LOCAL, BSD_SOCK_STREAM, 17, &error));
	assert_int_equal(error, BSD_EPROTONOSUPPORT);
	assert_null(pffind(ns, BSD_AF_LOCAL, BSD_SOCK_RAW, 256, &error));
	assert_int_equal(error, BSD_EPROTONOSUPPORT);
	fake_end(ns);
}

static void
creation_fails_cleanly(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *so;

	(void)state;
	for (unsigned n = 1; n <= 2; n++) { /* the socket; the protocol's memory */
		ns->ns_fault.af_fail_at = n;
		assert_int_equal(socreate(ns, BSD_AF_LOCAL, BSD_SOCK_STREAM, 0, &so), BSD_ENOBUFS);
		assert_null(so);
		assert_int_equal(ns->ns_socketpool.pl_nout, 0);
	}
	fake_end(ns);
}

static void
accept_waits_and_hands_out(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *head = listener(ns, 5), *a, *so;
	struct call ca;

	(void)state;
	assert_int_equal(soaccept(head, true, &so, NULL), BSD_EWOULDBLOCK);
	assert_int_equal(sopoll(head, BSD_POLLIN), 0);
	call_start(ns, &ca, call_accept, head);
	assert_false(ca.ca_done);
	fake.fk_slowconnect = true;
	a = connector(ns);
	assert_int_equal(head->so_q0len, 1);
	netstack_run(ns);
	assert_false(ca.ca_done);
	fake_finish(a, 0);
	assert_int_equal(head->so_q0len, 0);
	netstack_run(ns);
	assert_true(ca.ca_done);
	assert_int_equal(ca.ca_error, 0);
	assert_int_equal(head->so_qlen, 0);
	soclose(accepted);
	soclose(a);
	/* time-out, interrupt, shutdown, not a listener */
	head->so_rcv.sb_timeo_ns = SECOND;
	call_start(ns, &ca, call_accept, head);
	test_run_for(ns, 2 * SECOND);
	assert_int_equal(ca.ca_error, BSD_EWOULDBLOCK);
	head->so_rcv.sb_timeo_ns = 0;
	call_start(ns, &ca, call_accept, head);
	lwp_interrupt(ca.ca_lwp, BSD_EINTR);
	netstack_run(ns);
	assert_int_equal(ca.ca_error, BSD_EINTR);
	call_start(ns, &ca, call_accept, head);
	assert_int_equal(soshutdown(head, BSD_SHUT_WR), BSD_ENOTCONN);
	netstack_run(ns);
	assert_false(ca.ca_done);
	assert_int_equal(soshutdown(head, BSD_SHUT_RDWR), 0);
	assert_int_equal(head->so_state & SS_CANTSENDMORE, 0); /* the protocol was not asked */
	netstack_run(ns);
	assert_int_equal(ca.ca_error, BSD_ECONNABORTED);
	assert_int_equal(soshutdown(head, BSD_SHUT_RD), 0);
	soclose(head);
	so = fake_socket(ns, BSD_SOCK_STREAM);
	assert_int_equal(soaccept(so, true, &a, NULL), BSD_EINVAL);
	soclose(so);
	so = fake_socket(ns, BSD_SOCK_DGRAM);
	assert_int_equal(soaccept(so, true, &a, NULL), BSD_EOPNOTSUPP);
	soclose(so);
	fake_end(ns);
}

static void
peer_gone_before_accept(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *head = listener(ns, 5), *a = connector(ns), *so;

	(void)state;
	fake_reset(TAILQ_FIRST(&head->so_q), BSD_ECONNRESET);
	assert_int_equal(soaccept(head, true, &so, NULL), BSD_ECONNABORTED);
	assert_null(so);
	assert_int_equal(soaccept(head, true, &so, NULL), BSD_EWOULDBLOCK);
	soclose(a);
	/* gone with its pcb: the queue keeps the socket until accept has told */
	a = connector(ns);
	fake_letgo(TAILQ_FIRST(&head->so_q));
	assert_int_equal(head->so_qlen, 1);
	assert_int_equal(soaccept(head, true, &so, NULL), BSD_ECONNABORTED);
	assert_int_equal(head->so_qlen, 0);
	soclose(a);
	/* half made, nobody is told */
	fake.fk_slowconnect = true;
	a = connector(ns);
	fake_letgo(TAILQ_FIRST(&head->so_q0));
	assert_int_equal(head->so_q0len, 0);
	assert_int_equal(ns->ns_socketpool.pl_nout, 2);
	soclose(a);
	soclose(head);
	fake_end(ns);
}

static void
queue_is_limited_and_inherits(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *head = listener(ns, 4), *a[8], *so;
	unsigned n;

	(void)state;
	fake_setint(head, BSD_SO_KEEPALIVE, 1);
	fake_setint(head, BSD_SO_RCVBUF, 12345);
	fake_setint(head, BSD_SO_RCVLOWAT, 7);
	head->so_linger_s = 9;
	for (n = 0; n < 8; n++) {
		a[n] = connector(ns);
		if (a[n]->so_error != 0)
			break;
	}
	assert_int_equal(n, 3 * 4 / 2 + 1); /* as BSD: more than 3/2 of the backlog is too much */
	assert_int_equal(a[n]->so_error, BSD_ECONNREFUSED);
	assert_int_equal(soaccept(head, true, &so, NULL), 0);
	assert_int_equal(so->so_options, BSD_SO_KEEPALIVE);
	assert_int_equal(so->so_rcv.sb_hiwat, 12345);
	assert_int_equal(so->so_rcv.sb_flags & SB_AUTOSIZE, 0);
	assert_int_equal(so->so_snd.sb_flags & SB_AUTOSIZE, SB_AUTOSIZE);
	assert_int_equal(so->so_rcv.sb_lowat, 7);
	assert_int_equal(so->so_linger_s, 9);
	soclose(so);
	/* no memory: the same as full */
	soclose(a[n]);
	ns->ns_fault.af_fail_at = 3; /* a's socket and pcb, then the new socket */
	a[n] = connector(ns);
	assert_int_equal(a[n]->so_error, BSD_ECONNREFUSED);
	soclose(a[n]);
	ns->ns_fault.af_fail_at = 4; /* its pcb */
	a[n] = connector(ns);
	assert_int_equal(a[n]->so_error, BSD_ECONNREFUSED);
	/* closing aborts what is queued, made or half made */
	fake.fk_slowconnect = true;
	so = connector(ns);
	assert_int_equal(head->so_q0len, 1);
	assert_int_equal(head->so_qlen, 6);
	soclose(head);
	assert_int_equal(fake.fk_naborts, 7);
	assert_int_equal(a[1]->so_error, BSD_ECONNRESET);
	soclose(so);
	for (unsigned i = 0; i <= n; i++)
		soclose(a[i]);
	fake_end(ns);
}

static void
connecting(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *head = listener(ns, 5), *a, *b;
	struct bsd_sockaddr nam = fake_addr(1), none = fake_addr(30);
	struct call ca;

	(void)state;
	assert_int_equal(soconnect(head, &nam), BSD_EOPNOTSUPP);
	fake.fk_slowconnect = true;
	a = connector(ns);
	assert_int_equal(soconnect(a, &nam), BSD_EALREADY);
	assert_int_equal(sopoll(a, BSD_POLLOUT), 0);
	call_start(ns, &ca, soconnect_wait, a);
	assert_false(ca.ca_done);
	fake_finish(a, 0);
	netstack_run(ns);
	assert_true(ca.ca_done && ca.ca_error == 0);
	assert_int_equal(sopoll(a, BSD_POLLOUT | BSD_POLLIN), BSD_POLLOUT);
	assert_int_equal(soconnect(a, &nam), BSD_EISCONN);
	assert_int_equal(solisten(a, 1), BSD_EINVAL);
	/* refused at once; refused later, told once; another attempt; interrupt; time-out */
	b = fake_socket(ns, BSD_SOCK_STREAM);
	assert_int_equal(soconnect(b, &none), BSD_ECONNREFUSED);
	assert_int_equal(soconnect(b, &nam), 0);
	fake_finish(b, BSD_ETIMEDOUT);
	assert_int_equal(sopoll(b, BSD_POLLOUT), BSD_POLLOUT | BSD_POLLERR | BSD_POLLHUP);
	assert_int_equal(soconnect(b, &nam), BSD_ETIMEDOUT);
	assert_int_equal(soconnect(b, &nam), 0);
	call_start(ns, &ca, soconnect_wait, b);
	lwp_interrupt(ca.ca_lwp, BSD_EINTR);
	netstack_run(ns);
	assert_int_equal(ca.ca_error, BSD_EINTR);
	b->so_snd.sb_timeo_ns = SECOND;
	call_start(ns, &ca, soconnect_wait, b);
	test_run_for(ns, 2 * SECOND);
	assert_int_equal(ca.ca_error, BSD_EINPROGRESS);
	fake_finish(b, 0);
	assert_int_equal(io_do(b, true, &nam, 10, 0), 10); /* it can be used after all that */
	soclose(a);
	soclose(b);
	soclose(head);
	/* datagram sockets may change their minds */
	a = fake_socket(ns, BSD_SOCK_DGRAM);
	assert_int_equal(solisten(a, 1), BSD_EOPNOTSUPP);
	assert_int_equal(soconnect(a, &nam), 0);
	assert_int_equal(soconnect(a, &none), 0);
	assert_int_equal(io_do(a, true, &nam, 10, 0), 10);
	none.sa_family = BSD_AF_UNSPEC;
	assert_int_equal(soconnect(a, &none), 0);
	assert_int_equal(io_do(a, true, &nam, 10, 0), -BSD_EDESTADDRREQ);
	soclose(a);
	fake_end(ns);
}

static void
shutdown_each_way(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *a, *b, *so = fake_socket(ns, BSD_SOCK_STREAM);
	uint8_t buf[100] = "hello";

	(void)state;
	assert_int_equal(soshutdown(so, BSD_SHUT_RD), BSD_ENOTCONN);
	soclose(so);
	fake_pair(ns, &a, &b);
	assert_int_equal(soshutdown(a, 3), BSD_EINVAL);
	assert_int_equal(soshutdown(a, BSD_SHUT_WR), 0);
	assert_int_equal(io_do(b, false, buf, 100, 0), 0);
	assert_int_equal(io_do(b, true, buf, 5, 0), 5); /* half-closed: the other way goes on */
	assert_int_equal(io_do(a, false, buf, 100, 0), 5);
	assert_int_equal(sopoll(a, BSD_POLLIN | BSD_POLLOUT), BSD_POLLOUT);
	assert_int_equal(io_do(b, true, buf, 5, 0), 5);
	assert_int_equal(soshutdown(a, BSD_SHUT_RD), 0);
	assert_int_equal(io_do(a, false, buf, 100, 0), 0);
	assert_true((sopoll(a, 0) & BSD_POLLHUP) != 0);
	soclose(a);
	soclose(b);
	fake_end(ns);
}

static void
lingering(void **state)
{
	static const uint16_t lingers[] = {5, 5, 5, 0};
	uint8_t buf[100] = "x";

	(void)state;
	for (unsigned i = 0; i < nitems(lingers); i++) {
		struct netstack *ns = fake_start();
		struct socket *a, *b;
		struct call ca;

		fake_pair(ns, &a, &b);
		fake.fk_hold = true;
		assert_int_equal(io_do(a, true, buf, 100, 0), 100);
		a->so_options |= BSD_SO_LINGER;
		a->so_linger_s = lingers[i];
		if (i == 2)
			a->so_state |= SS_NBIO;
		call_start(ns, &ca, soclose, a);
		assert_int_equal(ca.ca_done, i >= 2);
		if (i == 0) { /* done in time */
			fake_release(a);
			netstack_run(ns);
		} else if (i == 1) { /* not */
			test_run_for(ns, 4 * SECOND);
			assert_false(ca.ca_done);
			test_run_for(ns, 2 * SECOND);
		}
		assert_true(ca.ca_done);
		assert_int_equal(ca.ca_error, 0);
		if (i == 3) {
			assert_int_equal(b->so_error, BSD_ECONNRESET);
		} else if (i > 0) { /* the protocol goes on with what is left */
			assert_int_equal(ns->ns_socketpool.pl_nout, 2);
			fake_release(TAILQ_FIRST(&ns->ns_sockets) == b
				? TAILQ_NEXT(b, so_list)
				: TAILQ_FIRST(&ns->ns_sockets));
			assert_int_equal(ns->ns_socketpool.pl_nout, 1);
		}
		if (i < 3)
			assert_int_equal(b->so_rcv.sb_cc, 100);
		soclose(b);
		fake_end(ns);
	}
}

static unsigned nupcalls, depth;

static void
echo_upcall(struct socket *so, void *arg)
{
	struct uio uio = {.uio_resid = 100, .uio_rw = UIO_READ};
	struct mbuf *m;
	int flags = BSD_MSG_DONTWAIT;

	assert_ptr_equal(arg, &nupcalls);
	assert_int_equal(depth, 0);
	depth++;
	nupcalls++;
	if (soreceive(so, NULL, &uio, &m, NULL, &flags) == 0 && m != NULL)
		assert_int_equal(sosend(so, NULL, NULL, m, NULL, BSD_MSG_DONTWAIT), 0);
	depth--;
}

/* Reading and sending in an upcall cause more of them; it is not entered again, and none is lost. */
static void
upcalls_are_not_reentered(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *a, *b;
	uint8_t buf[1000] = "x", back[1000];

	(void)state;
	fake_pair(ns, &a, &b);
	nupcalls = depth = 0;
	b->so_upcall = echo_upcall;
	b->so_upcallarg = &nupcalls;
	assert_int_equal(io_do(a, true, buf, 1000, 0), 1000);
	assert_true(nupcalls > 10);
	assert_int_equal(b->so_rcv.sb_cc, 0);
	assert_int_equal(io_do(a, false, back, 1000, BSD_MSG_WAITALL), 1000);
	assert_memory_equal(buf, back, 1000);
	soclose(a);
	assert_true((b->so_state & SS_CANTRCVMORE) != 0);
	soclose(b);
	fake_end(ns);
}

static void
poll_is_woken(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *a, *b;
	struct selrec sr = {0};
	struct waitq wq;

	(void)state;
	waitq_init(&wq);
	fake_pair(ns, &a, &b);
	selrecord(&b->so_sel, &sr, &wq);
	soclose(b);
	assert_null(sr.sr_info); /* closing takes records off */
	soclose(a);
	fake_end(ns);
}

static int
setopt(struct socket *so, int name, const void *value, size_t len)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET, .sopt_name = name, .sopt_size = len};

	memcpy(sopt.sopt_data, value, len);
	return sosetopt(so, &sopt);
}

static int
setint(struct socket *so, int name, int value)
{
	return setopt(so, name, &value, sizeof(value));
}

static int
getint(struct socket *so, int name)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET, .sopt_name = name, .sopt_size = 256};
	int value, error = sogetopt(so, &sopt);

	if (error != 0)
		return -error;
	assert_int_equal(sopt.sopt_size, sizeof(value));
	memcpy(&value, sopt.sopt_data, sizeof(value));
	return value;
}

static void
int_options(void **state)
{
	static const int bits[] = {BSD_SO_REUSEADDR, BSD_SO_REUSEPORT, BSD_SO_KEEPALIVE,
	    BSD_SO_DONTROUTE, BSD_SO_BROADCAST, BSD_SO_OOBINLINE, BSD_SO_NOSIGPIPE};
	static const int refused[] = {BSD_SO_DEBUG, BSD_SO_USELOOPBACK, BSD_SO_TIMESTAMP, 0x7777, 0,
	    -1, BSD_SO_REUSEADDR | BSD_SO_KEEPALIVE};
	struct netstack *ns = fake_start();
	struct socket *so = fake_socket(ns, BSD_SOCK_STREAM);

	(void)state;
	for (size_t i = 0; i < nitems(bits); i++) {
		assert_int_equal(getint(so, bits[i]), 0);
		assert_int_equal(setint(so, bits[i], 17), 0);
		assert_int_equal(so->so_options, bits[i]);
		assert_int_equal(getint(so, bits[i]), 1);
		assert_int_equal(setint(so, bits[i], 0), 0);
		assert_int_equal(setopt(so, bits[i], "abc", 3), BSD_EINVAL);
	}
	for (size_t i = 0; i < nitems(refused); i++) {
		assert_int_equal(setint(so, refused[i], 1), BSD_ENOPROTOOPT);
		assert_int_equal(getint(so, refused[i]), -BSD_ENOPROTOOPT);
	}
	assert_int_equal(setint(so, BSD_SO_TYPE, 1), BSD_ENOPROTOOPT);
	assert_int_equal(setint(so, BSD_SO_ERROR, 1), BSD_ENOPROTOOPT);
	assert_int_equal(setint(so, BSD_SO_ACCEPTCONN, 1), BSD_ENOPROTOOPT);
	assert_int_equal(getint(so, BSD_SO_TYPE), BSD_SOCK_STREAM);
	assert_int_equal(getint(so, BSD_SO_ACCEPTCONN), 0);
	assert_int_equal(setint(so, BSD_SO_PRIORITY, 6), 0);
	assert_int_equal(setint(so, BSD_SO_PRIORITY, 7), BSD_EPERM);
	assert_int_equal(setint(so, BSD_SO_PRIORITY, -1), BSD_EPERM);
	assert_int_equal(getint(so, BSD_SO_PRIORITY), 6);
	so->so_error = BSD_ECONNRESET;
	assert_int_equal(getint(so, BSD_SO_ERROR), BSD_ECONNRESET);
	assert_int_equal(getint(so, BSD_SO_ERROR), 0);
	soclose(so);
	so = listener(ns, 1);
	assert_int_equal(getint(so, BSD_SO_ACCEPTCONN), 1);
	soclose(so);
	fake_end(ns);
}

static void
buffer_options(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *so = fake_socket(ns, BSD_SOCK_STREAM);

	(void)state;
	assert_int_equal(so->so_snd.sb_flags & so->so_rcv.sb_flags, SB_AUTOSIZE);
	assert_int_equal(getint(so, BSD_SO_SNDLOWAT), 2048);
	assert_int_equal(getint(so, BSD_SO_RCVLOWAT), 1);
	assert_int_equal(setint(so, BSD_SO_SNDBUF, 0), BSD_EINVAL);
	assert_int_equal(setint(so, BSD_SO_SNDBUF, -5), BSD_EINVAL);
	assert_int_equal(so->so_snd.sb_flags, SB_AUTOSIZE);
	assert_int_equal(setint(so, BSD_SO_SNDBUF, 1), 0);
	assert_int_equal(getint(so, BSD_SO_SNDBUF), SB_MIN);
	assert_int_equal(so->so_snd.sb_flags, 0);
	assert_int_equal(so->so_rcv.sb_flags, SB_AUTOSIZE);
	assert_int_equal(setint(so, BSD_SO_RCVBUF, INT32_MAX), 0);
	assert_int_equal(getint(so, BSD_SO_RCVBUF), ns->ns_sb_max);
	assert_int_equal(setint(so, BSD_SO_RCVLOWAT, 0), BSD_EINVAL);
	assert_int_equal(setint(so, BSD_SO_RCVLOWAT, 77), 0);
	assert_int_equal(getint(so, BSD_SO_RCVLOWAT), 77);
	assert_int_equal(setint(so, BSD_SO_SNDLOWAT, 100000), 0);
	assert_int_equal(getint(so, BSD_SO_SNDLOWAT), SB_MIN); /* the buffer's size */
	soclose(so);
	fake_end(ns);
}

static void
time_options(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *so = fake_socket(ns, BSD_SOCK_STREAM);
	struct bsd_linger li = {.l_onoff = 1, .l_linger = 65535};
	struct bsd_timeval tv = {.tv_sec = 3, .tv_usec = 999999}, back;
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_RCVTIMEO,
	    .sopt_size = sizeof(back)};

	(void)state;
	assert_int_equal(setopt(so, BSD_SO_LINGER, &li, sizeof(li)), 0);
	assert_int_equal(so->so_linger_s, 65535);
	li.l_linger++;
	assert_int_equal(setopt(so, BSD_SO_LINGER, &li, sizeof(li)), BSD_EDOM);
	li = (struct bsd_linger){.l_onoff = 0, .l_linger = 2};
	assert_int_equal(setopt(so, BSD_SO_LINGER, &li, sizeof(li)), 0);
	assert_int_equal(so->so_options, 0);
	assert_int_equal(setopt(so, BSD_SO_LINGER, &li, 4), BSD_EINVAL);
	assert_int_equal(setopt(so, BSD_SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(so->so_rcv.sb_timeo_ns, 3999999000);
	assert_int_equal(sogetopt(so, &sopt), 0);
	memcpy(&back, sopt.sopt_data, sizeof(back));
	assert_int_equal(back.tv_sec, 3);
	assert_int_equal(back.tv_usec, 999999);
	tv.tv_usec = 1000000;
	assert_int_equal(setopt(so, BSD_SO_SNDTIMEO, &tv, sizeof(tv)), BSD_EDOM);
	tv = (struct bsd_timeval){.tv_sec = -1};
	assert_int_equal(setopt(so, BSD_SO_SNDTIMEO, &tv, sizeof(tv)), BSD_EDOM);
	tv.tv_sec = INT64_MAX;
	assert_int_equal(setopt(so, BSD_SO_SNDTIMEO, &tv, sizeof(tv)), BSD_EDOM);
	assert_int_equal(setopt(so, BSD_SO_SNDTIMEO, &tv, 8), BSD_EINVAL);
	/* another level, of a protocol that knows none; too much room asked for */
	sopt.sopt_level = 6;
	assert_int_equal(sogetopt(so, &sopt), BSD_ENOPROTOOPT);
	assert_int_equal(sosetopt(so, &sopt), BSD_ENOPROTOOPT);
	sopt = (struct sockopt){.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_LINGER,
	    .sopt_size = 3};
	assert_int_equal(sogetopt(so, &sopt), 0);
	assert_int_equal(sopt.sopt_size, 3);
	soclose(so);
	fake_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(protocols_are_found),
	    cmocka_unit_test(creation_fails_cleanly),
	    cmocka_unit_test(accept_waits_and_hands_out),
	    cmocka_unit_test(peer_gone_before_accept),
	    cmocka_unit_test(queue_is_limited_and_inherits),
	    cmocka_unit_test(connecting),
	    cmocka_unit_test(shutdown_each_way),
	    cmocka_unit_test(lingering),
	    cmocka_unit_test(upcalls_are_not_reentered),
	    cmocka_unit_test(poll_is_woken),
	    cmocka_unit_test(int_options),
	    cmocka_unit_test(buffer_options),
	    cmocka_unit_test(time_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
