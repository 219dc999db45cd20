/* SPDX-License-Identifier: BSD-2-Clause */
/* Two stacks of one process talk, driven with the host's own types and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <rumpus/client.h>
#include <rumpus/embed.h>
#include <rumpus/socket.h>
#include <rumpus/stack.h>

#define MTU 1500
#define WIRE_MAX 128

struct wire {
	unsigned n;
	size_t len[WIRE_MAX];
	uint8_t bytes[WIRE_MAX][MTU];
};

struct side {
	struct netstack *ns;
	struct rumpus_proc *p;
	struct wire out;
};

static struct side sides[2];
static uint64_t now_ns;

static void
output(void *arg, const uint8_t *packet, size_t len)
{
	struct wire *w = arg;

	assert_true(w->n < WIRE_MAX && len <= MTU);
	memcpy(w->bytes[w->n], packet, len);
	w->len[w->n++] = len;
}

static int
setup(void **state)
{
	(void)state;
	now_ns = 1000000000;
	for (int i = 0; i < 2; i++) {
		struct rumpus_config rc = {.rc_now_ns = now_ns};
		struct side *s = &sides[i];

		memset(rc.rc_seed, i + 5, sizeof(rc.rc_seed));
		s->ns = rumpus_create(&rc);
		assert_non_null(s->ns);
		assert_int_equal(rumpus_ptp_attach(s->ns, "ppp0", MTU, output, &s->out), 0);
		assert_int_equal(rumpus_addr_add(s->ns, "ppp0",
				     i == 0 ? "10.0.0.1/24" : "10.0.0.2/24"),
		    0);
		s->p = rumpus_proc_create(s->ns, "test");
		assert_non_null(s->p);
	}
	return 0;
}

/* Carries packets until none is under way, for at most so many milliseconds of the stacks' time. */
static void
run(unsigned ms)
{
	for (unsigned i = 0; i < ms; i++, now_ns += 1000000) {
		for (int from = 0; from < 2; from++) {
			struct wire *w = &sides[from].out;

			rumpus_enter(sides[from].ns, now_ns);
			rumpus_run(sides[from].ns);
			for (unsigned n = 0; n < w->n; n++)
				assert_int_equal(rumpus_ptp_input(sides[!from].ns, "ppp0",
						     w->bytes[n], w->len[n]),
				    0);
			w->n = 0;
		}
	}
}

static int
teardown(void **state)
{
	(void)state;
	rumpus_embed_use(NULL);
	for (int i = 0; i < 2; i++)
		rumpus_proc_exit(sides[i].p);
	run(100);
	for (int i = 0; i < 2; i++)
		rumpus_destroy(sides[i].ns);
	return 0;
}

static struct sockaddr_in
name(const char *addr, uint16_t port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, addr, &sin.sin_addr), 1);
	return sin;
}

static int
listener(void)
{
	struct sockaddr_in sin = name("0.0.0.0", 80);
	int on = 1, fd = rumpus_sys_socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(rumpus_sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(rumpus_sys_bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(rumpus_sys_listen(fd, 5), 0);
	return fd;
}

static void
test_stream(void **state)
{
	struct sockaddr_in sin = name("10.0.0.1", 80), peer;
	struct pollfd pfd = {.events = POLLIN | POLLOUT};
	socklen_t len = sizeof(peer), tilen;
	struct tcp_info ti;
	char buf[16];
	int ls, a, c, value = 0;

	(void)state;
	rumpus_embed_use(sides[0].p);
	ls = listener();
	assert_ptr_equal(rumpus_embed_use(sides[1].p), sides[0].p);
	c = rumpus_sys_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	assert_int_equal(rumpus_sys_fcntl(c, F_GETFL, 0), O_RDWR | O_NONBLOCK);
	assert_int_equal(rumpus_sys_connect(c, (struct sockaddr *)&sin, sizeof(sin)), -1);
	assert_int_equal(errno, EINPROGRESS);
	run(10);
	pfd.fd = c;
	tilen = sizeof(ti);
	assert_int_equal(rumpus_sys_poll(&pfd, 1, 0), 1);
	assert_int_equal(pfd.revents, POLLOUT);
	assert_int_equal(rumpus_sys_getsockopt(c, IPPROTO_TCP, TCP_INFO, &ti, &tilen), 0);
	assert_int_equal(ti.tcpi_state, TCP_ESTABLISHED);
	assert_int_equal(ti.tcpi_snd_cwnd, 10);
	assert_int_equal(rumpus_sys_send(c, "hello", 5, MSG_NOSIGNAL), 5);
	run(10);
	rumpus_embed_use(sides[0].p);
	a = rumpus_sys_accept4(ls, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK);
	assert_true(a >= 0);
	assert_int_equal(peer.sin_family, AF_INET);
	assert_int_equal(peer.sin_addr.s_addr, inet_addr("10.0.0.2"));
	assert_int_equal(rumpus_sys_ioctl(a, FIONREAD, &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(rumpus_sys_recv(a, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(rumpus_sys_recv(a, buf, sizeof(buf), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(rumpus_sys_close(a), 0);
	assert_int_equal(rumpus_sys_close(a), -1);
	assert_int_equal(errno, EBADF);
	run(10);
	rumpus_embed_use(sides[1].p);
	assert_int_equal(rumpus_sys_read(c, buf, sizeof(buf)), 0);
}

static void
test_errors(void **state)
{
	struct sockaddr_in sin = name("10.0.0.1", 9);
	socklen_t len = sizeof(int);
	int c, value = 0;

	(void)state;
	assert_int_equal(rumpus_sys_socket(AF_INET, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, ENETDOWN); /* of nobody */
	rumpus_embed_use(sides[1].p);
	c = rumpus_sys_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(rumpus_sys_connect(c, (struct sockaddr *)&sin, sizeof(sin)), -1);
	run(10);
	assert_int_equal(rumpus_sys_getsockopt(c, SOL_SOCKET, SO_ERROR, &value, &len), 0);
	assert_int_equal(value, ECONNREFUSED);
	assert_int_equal(rumpus_sys_setsockopt(c, IPPROTO_TCP, 9999, &value, sizeof(value)), -1);
	assert_int_equal(errno, ENOPROTOOPT);
	/* The same number on the other stack is another descriptor: none. */
	rumpus_embed_use(sides[0].p);
	assert_int_equal(rumpus_sys_close(c), -1);
	assert_int_equal(errno, EBADF);
}

static ssize_t task_result;

static void
serve(struct rumpus_task *rt)
{
	int fd, ls;

	rumpus_embed_use(rt->rt_arg);
	ls = listener();
	fd = rumpus_sys_accept(ls, NULL, NULL);
	task_result = rumpus_sys_write(fd, "served", 6);
	rumpus_sys_close(fd);
}

/* A blocking accept in a task, while the loop works for the other side. */
static void
test_task(void **state)
{
	struct rumpus_task task = {.rt_func = serve, .rt_arg = sides[0].p};
	struct sockaddr_in sin = name("10.0.0.1", 80);
	char buf[16];
	int c;

	(void)state;
	assert_int_equal(rumpus_task_start(sides[0].p, &task), 0);
	run(2);
	assert_false(task.rt_done);
	rumpus_embed_use(sides[1].p);
	c = rumpus_sys_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(rumpus_sys_connect(c, (struct sockaddr *)&sin, sizeof(sin)), -1);
	run(10);
	assert_true(task.rt_done);
	assert_int_equal(task_result, 6);
	rumpus_embed_use(sides[1].p);
	assert_int_equal(rumpus_sys_read(c, buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "served", 6);
}

/* A name has any length, and none at all when there is none. */
static void
test_bound_interface(void **state)
{
	char name[IF_NAMESIZE] = "";
	socklen_t len = sizeof(name);
	int fd, index = -1;

	(void)state;
	rumpus_embed_use(sides[0].p);
	fd = rumpus_sys_socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(rumpus_sys_getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(rumpus_sys_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo0", 3), 0);
	len = sizeof(name);
	assert_int_equal(rumpus_sys_getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	assert_int_equal(len, 4);
	assert_string_equal(name, "lo0");
	len = IF_NAMESIZE - 1;
	assert_int_equal(rumpus_sys_getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(rumpus_sys_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "none0", 5), -1);
	assert_int_equal(errno, ENODEV);
	assert_int_equal(rumpus_sys_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	len = sizeof(index);
	assert_int_equal(rumpus_sys_getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &len), 0);
	assert_int_equal(index, 0);
	rumpus_sys_close(fd);
}

/* 64 bits or 32, as there is room. */
static void
test_pacing_rate(void **state)
{
	const uint64_t wide = 6000000000u;
	uint64_t rate = 0;
	uint32_t narrow = 0;
	socklen_t len = sizeof(rate);
	int fd;

	(void)state;
	rumpus_embed_use(sides[0].p);
	fd = rumpus_sys_socket(AF_INET, SOCK_STREAM, 0);
#define RATE(fn, val, len) rumpus_sys_##fn(fd, SOL_SOCKET, SO_MAX_PACING_RATE, val, len)
	assert_int_equal(RATE(getsockopt, &rate, &len), 0);
	assert_int_equal(rate, UINT64_MAX);
	assert_int_equal(RATE(setsockopt, &wide, sizeof(wide)), 0);
	assert_int_equal(RATE(getsockopt, &rate, &len), 0);
	assert_int_equal(len, sizeof(rate));
	assert_int_equal(rate, wide);
	len = sizeof(narrow);
	assert_int_equal(RATE(getsockopt, &narrow, &len), 0);
	assert_int_equal(len, sizeof(narrow));
	assert_int_equal(narrow, UINT32_MAX);
	narrow = 1000;
	assert_int_equal(RATE(setsockopt, &narrow, sizeof(narrow)), 0);
	narrow = 0;
	assert_int_equal(RATE(getsockopt, &narrow, &len), 0);
	assert_int_equal(narrow, 1000);
	assert_int_equal(RATE(setsockopt, &narrow, 3), -1);
	assert_int_equal(errno, EINVAL);
	rumpus_sys_close(fd);
	fd = rumpus_sys_socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(RATE(setsockopt, &narrow, sizeof(narrow)), -1);
	assert_int_equal(errno, ENOPROTOOPT);
#undef RATE
	rumpus_sys_close(fd);
}

/* A filter of sources, set and read back; what is asked for lies in the buffer. */
static void
test_source_filter(void **state)
{
	const struct in_addr group = {htonl(0xef010203)}, lo = {htonl(INADDR_LOOPBACK)};
	struct ip_mreq mreq = {group, lo};
	struct ip_msfilter msf = {group, lo, MCAST_EXCLUDE, 1, {{htonl(0x0a000001)}}};
	socklen_t len = IP_MSFILTER_SIZE(1);
	int fd;

	(void)state;
	rumpus_embed_use(sides[0].p);
	fd = rumpus_sys_socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(rumpus_sys_getsockopt(fd, IPPROTO_IP, IP_MSFILTER, &msf, &len), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_int_equal(rumpus_sys_setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq,
			     sizeof(mreq)),
	    0);
	assert_int_equal(rumpus_sys_setsockopt(fd, IPPROTO_IP, IP_MSFILTER, &msf, len), 0);
	msf = (struct ip_msfilter){group, lo, 7, 1, {{0}}};
	assert_int_equal(rumpus_sys_getsockopt(fd, IPPROTO_IP, IP_MSFILTER, &msf, &len), 0);
	assert_int_equal(len, IP_MSFILTER_SIZE(1));
	assert_int_equal(msf.imsf_fmode, MCAST_EXCLUDE);
	assert_int_equal(msf.imsf_numsrc, 1);
	assert_int_equal(msf.imsf_slist[0].s_addr, htonl(0x0a000001));
	len = IP_MSFILTER_SIZE(0) - 1;
	assert_int_equal(rumpus_sys_getsockopt(fd, IPPROTO_IP, IP_MSFILTER, &msf, &len), -1);
	assert_int_equal(errno, EINVAL);
	rumpus_sys_close(fd);
}

static struct sockaddr_in6
name6(const char *addr, uint16_t port)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET6, addr, &sin6.sin6_addr), 1);
	return sin6;
}

/* A connection to addr, of which the listener sees peer. */
static void
connect6(int ls, const char *addr, const char *peer)
{
	struct sockaddr_in6 to = name6(addr, 80), from, seen = name6(peer, 0);
	socklen_t len = sizeof(from);
	int c, a;

	(void)rumpus_embed_use(sides[1].p);
	c = rumpus_sys_socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(c >= 0);
	assert_int_equal(rumpus_sys_connect(c, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EINPROGRESS);
	run(100);
	assert_int_equal(rumpus_sys_send(c, "six", 3, 0), 3);
	run(100);
	(void)rumpus_embed_use(sides[0].p);
	a = rumpus_sys_accept(ls, (struct sockaddr *)&from, &len);
	assert_true(a >= 0);
	assert_int_equal(len, sizeof(from));
	assert_int_equal(from.sin6_family, AF_INET6);
	assert_memory_equal(&from.sin6_addr, &seen.sin6_addr, sizeof(seen.sin6_addr));
	assert_int_equal(rumpus_sys_close(a), 0);
	(void)rumpus_embed_use(sides[1].p);
	assert_int_equal(rumpus_sys_close(c), 0);
	(void)rumpus_embed_use(sides[0].p);
}

/* One listener takes both families; with IPV6_V6ONLY, which comes before bind, it takes one. */
static void
test_inet6(void **state)
{
	struct sockaddr_in6 any = name6("::", 80);
	int on = 1, ls;

	(void)state;
	assert_int_equal(rumpus_addr_add(sides[0].ns, "ppp0", "fd00::1/64"), 0);
	assert_int_equal(rumpus_addr_add(sides[1].ns, "ppp0", "fd00::2/64"), 0);
	run(3000);
	(void)rumpus_embed_use(sides[0].p);
	ls = rumpus_sys_socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(rumpus_sys_bind(ls, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(rumpus_sys_listen(ls, 5), 0);
	assert_int_equal(rumpus_sys_setsockopt(ls, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), -1);
	assert_int_equal(errno, EINVAL);
	connect6(ls, "fd00::1", "fd00::2");
	connect6(ls, "::ffff:10.0.0.1", "::ffff:10.0.0.2");
	assert_int_equal(rumpus_sys_close(ls), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_task, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_bound_interface, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pacing_rate, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_source_filter, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_inet6, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
