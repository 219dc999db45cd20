/* SPDX-License-Identifier: BSD-2-Clause */
/* The server in its thread, and a client. */
#include "server/fdsock/fd_testutil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rumpus/stack.h>

#include "host/linux/host_linux.h"
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "server/fdsock/fdsock.h"
#include "server/loop.h"

static uint64_t fdt_wait(const char *name, uint64_t value);

static struct fdt {
	struct netstack *ns;
	struct loop loop;
	struct fd_server *fd;
	struct loop_source calls;
	pthread_t thread;
	int ctl;
	char dir[64];
	char path[96];
	/* the call in progress */
	void (*fn)(struct fd_server *fd, struct netstack *ns, void *arg);
	void *arg;
	int done; /* eventfd */
} fdt;

const char *
fdt_path(void)
{
	return fdt.path;
}

static void
fdt_ready(struct loop_source *ls, uint32_t events)
{
	uint64_t one = 1;

	(void)events;
	assert_int_equal(read(ls->ls_fd, &one, sizeof(one)), sizeof(one));
	if (fdt.fn != NULL)
		fdt.fn(fdt.fd, fdt.ns, fdt.arg);
	else
		loop_stop(&fdt.loop);
	one = 1;
	assert_int_equal(write(fdt.done, &one, sizeof(one)), sizeof(one));
}

void
fdt_call(void (*fn)(struct fd_server *fd, struct netstack *ns, void *arg), void *arg)
{
	uint64_t one = 1;

	fdt.fn = fn;
	fdt.arg = arg;
	assert_int_equal(write(fdt.calls.ls_fd, &one, sizeof(one)), sizeof(one));
	(void)fdt_poll(fdt.done, POLLIN);
	assert_int_equal(read(fdt.done, &one, sizeof(one)), sizeof(one));
}

static void *
fdt_thread(void *arg)
{
	(void)arg;
	(void)loop_run(&fdt.loop);
	return NULL;
}

void
fdt_start(void)
{
	fdt_start_scarce(0, 0);
}

void
fdt_start_scarce(unsigned nclusters, unsigned njumbos)
{
	struct rumpus_config rc = {.rc_seed = {7},
	    .rc_now_ns = host_linux_now_ns(),
	    .rc_nclusters = nclusters,
	    .rc_njumbos = njumbos};
	char why[256] = "";

	memset(&fdt, 0, sizeof(fdt));
	(void)snprintf(fdt.dir, sizeof(fdt.dir), "/tmp/fdsock-test.XXXXXX");
	assert_non_null(mkdtemp(fdt.dir));
	(void)snprintf(fdt.path, sizeof(fdt.path), "%s/control", fdt.dir);
	fdt.ns = rumpus_create(&rc);
	assert_non_null(fdt.ns);
	assert_int_equal(loop_init(&fdt.loop, fdt.ns), 0);
	fdt.fd = fd_server_open(&fdt.loop, fdt.path, why, sizeof(why));
	if (fdt.fd == NULL)
		fail_msg("%s", why);
	fdt.calls = (struct loop_source){.ls_fd = eventfd(0, 0), .ls_ready = fdt_ready};
	fdt.done = eventfd(0, 0);
	assert_int_equal(loop_add(&fdt.loop, &fdt.calls, EPOLLIN), 0);
	assert_int_equal(pthread_create(&fdt.thread, NULL, fdt_thread, NULL), 0);
	fdt.ctl = fdt_control();
}

/* A test that failed has left sockets; the thread ends all the same, before anything fails here. */
void
fdt_end(void)
{
	uint64_t left = fdt_wait("fdsock.sockets", 0);

	fdt_call(NULL, NULL);
	assert_int_equal(pthread_join(fdt.thread, NULL), 0);
	(void)close(fdt.ctl);
	fd_server_close(fdt.fd);
	/* Connections that end in order need their time. */
	for (int i = 0; i < 100; i++) {
		rumpus_enter(fdt.ns, fdt.ns->ns_now + 10 * NSEC_PER_SEC);
		rumpus_run(fdt.ns);
	}
	assert_true(TAILQ_EMPTY(&fdt.ns->ns_sockets));
	loop_fini(&fdt.loop);
	rumpus_destroy(fdt.ns);
	(void)close(fdt.calls.ls_fd);
	(void)close(fdt.done);
	assert_int_equal(access(fdt.path, F_OK), -1);
	assert_int_equal(rmdir(fdt.dir), 0);
	assert_int_equal(left, 0);
}

int
fdt_setup(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	fdt_start();
	return 0;
}

int
fdt_teardown(void **state)
{
	(void)state;
	fdt_end();
	return 0;
}

struct fdt_var {
	const char *name;
	uint64_t value;
	int error;
};

static void
fdt_get_var(struct fd_server *fd, struct netstack *ns, void *arg)
{
	struct fdt_var *var = arg;

	(void)fd;
	var->error = sysctl_get_u64(ns, var->name, &var->value);
}

static void
fdt_set_var(struct fd_server *fd, struct netstack *ns, void *arg)
{
	struct fdt_var *var = arg;

	(void)fd;
	var->error = sysctl_set_u64(ns, var->name, var->value);
}

uint64_t
fdt_sysctl(const char *name)
{
	struct fdt_var var = {.name = name};

	fdt_call(fdt_get_var, &var);
	assert_int_equal(var.error, 0);
	return var.value;
}

void
fdt_sysctl_set(const char *name, uint64_t value)
{
	struct fdt_var var = {.name = name, .value = value};

	fdt_call(fdt_set_var, &var);
	assert_int_equal(var.error, 0);
}

/* => its value in the end */
static uint64_t
fdt_wait(const char *name, uint64_t value)
{
	uint64_t now = fdt_sysctl(name);

	for (int ms = 0; ms < FDT_PATIENCE_MS && now != value; ms++) {
		(void)poll(NULL, 0, 1);
		now = fdt_sysctl(name);
	}
	return now;
}

void
fdt_await(const char *name, uint64_t value)
{
	uint64_t now = fdt_wait(name, value);

	if (now != value)
		fail_msg("%s is %llu, not %llu", name, (unsigned long long)now,
		    (unsigned long long)value);
}

int
fdt_control(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int ctl = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", fdt.path);
	assert_true(ctl >= 0);
	assert_int_equal(connect(ctl, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return ctl;
}

static void
fdt_attach(struct msghdr *msg, void *control, size_t size, const int *fds, unsigned nfds)
{
	struct cmsghdr *cmsg;

	memset(control, 0, size);
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
}

static ssize_t
fdt_recv(int sock, struct iovec *iov, unsigned niov, int *fd)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {.msg_iov = iov,
	    .msg_iovlen = niov,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	*fd = -1;
	if (cmsg != NULL && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return n;
}

int
fdt_ask(uint32_t op, int about, const int32_t arg[4], const void *data, size_t len)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct fdsock_request req = {.fq_magic = FDSOCK_MAGIC,
	    .fq_op = op,
	    .fq_id = 0x1234,
	    .fq_datalen = (uint32_t)len};
	struct iovec iov[2] = {{&req, sizeof(req)}, {(void *)(uintptr_t)data, len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	int fds[2] = {-1, about};
	ssize_t n;
	int sv[2];

	if (arg != NULL)
		memcpy(req.fq_arg, arg, sizeof(req.fq_arg));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	fds[0] = sv[1];
	fdt_attach(&msg, &control, sizeof(control), fds, about >= 0 ? 2 : 1);
	n = sendmsg(fdt.ctl, &msg, MSG_NOSIGNAL);
	(void)close(sv[1]);
	if (n >= 0)
		return sv[0];
	(void)close(sv[0]);
	return -1;
}

int
fdt_answer(int end, struct fdt_reply *rep)
{
	struct iovec riov[2] = {{&rep->hdr, sizeof(rep->hdr)}, {rep->data, sizeof(rep->data)}};
	ssize_t n = end < 0 ? -1 : fdt_recv(end, riov, 2, &rep->fd);

	(void)close(end);
	if (n <= 0)
		return -1;
	assert_int_equal(n, sizeof(rep->hdr) + rep->hdr.fp_datalen);
	assert_int_equal(rep->hdr.fp_magic, FDSOCK_MAGIC);
	assert_int_equal((rep->hdr.fp_flags & FDSOCK_R_FD) != 0, rep->fd >= 0);
	return rep->hdr.fp_error;
}

int
fdt_request(uint32_t op, int about, const int32_t arg[4], const void *data, size_t len,
    struct fdt_reply *rep)
{
	return fdt_answer(fdt_ask(op, about, arg, data, len), rep);
}

int
fdt_socketflags(int type, int *error)
{
	static struct fdt_reply rep;
	const int32_t arg[4] = {AF_INET, type, 0, 0};

	*error = fdt_request(FDSOCK_OP_SOCKET, -1, arg, NULL, 0, &rep);
	return rep.fd;
}

int
fdt_socket(int type)
{
	int error;
	int sock = fdt_socketflags(type, &error);

	assert_int_equal(error, 0);
	assert_true(sock >= 0);
	return sock;
}

struct sockaddr_in
fdt_sin(uint32_t addr, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(addr)};
}

static int
fdt_addrop(uint32_t op, int sock, uint32_t addr, uint16_t port)
{
	static struct fdt_reply rep;
	struct sockaddr_in sin = fdt_sin(addr, port);

	return fdt_request(op, sock, NULL, &sin, sizeof(sin), &rep);
}

int
fdt_bind(int sock, uint16_t port)
{
	return fdt_addrop(FDSOCK_OP_BIND, sock, INADDR_LOOPBACK, port);
}

int
fdt_listen(int sock, int backlog)
{
	static struct fdt_reply rep;
	const int32_t arg[4] = {backlog};

	return fdt_request(FDSOCK_OP_LISTEN, sock, arg, NULL, 0, &rep);
}

uint16_t
fdt_port(int sock)
{
	static struct fdt_reply rep;
	struct sockaddr_in sin;

	assert_int_equal(fdt_request(FDSOCK_OP_GETSOCKNAME, sock, NULL, NULL, 0, &rep), 0);
	assert_int_equal(rep.hdr.fp_datalen, sizeof(sin));
	memcpy(&sin, rep.data, sizeof(sin));
	return ntohs(sin.sin_port);
}

int
fdt_connect_start(int sock, uint32_t addr, uint16_t port)
{
	return fdt_addrop(FDSOCK_OP_CONNECT, sock, addr, port);
}

int
fdt_connect(int sock, uint32_t addr, uint16_t port)
{
	int error = fdt_connect_start(sock, addr, port);

	if (error != EINPROGRESS)
		return error;
	(void)fdt_poll(sock, POLLOUT);
	return fdt_soerror(sock);
}

int
fdt_soerror(int sock)
{
	int value = -1;

	assert_int_equal(fdt_getopt(sock, SOL_SOCKET, SO_ERROR, &value), 0);
	return value;
}

int
fdt_getopt(int sock, int level, int name, int *value)
{
	static struct fdt_reply rep;
	const int32_t arg[4] = {level, name, sizeof(*value)};
	int error = fdt_request(FDSOCK_OP_GETSOCKOPT, sock, arg, NULL, 0, &rep);

	if (error == 0) {
		assert_int_equal(rep.hdr.fp_datalen, sizeof(*value));
		memcpy(value, rep.data, sizeof(*value));
	}
	return error;
}

int
fdt_setopt(int sock, int level, int name, const void *val, size_t len)
{
	static struct fdt_reply rep;
	const int32_t arg[4] = {level, name};

	return fdt_request(FDSOCK_OP_SETSOCKOPT, sock, arg, val, len, &rep);
}

int
fdt_shutdown(int sock, int how)
{
	static struct fdt_reply rep;
	const int32_t arg[4] = {how};

	return fdt_request(FDSOCK_OP_SHUTDOWN, sock, arg, NULL, 0, &rep);
}

int
fdt_listener(int backlog, uint16_t *port)
{
	int sock = fdt_socket(SOCK_STREAM);

	assert_int_equal(fdt_bind(sock, 0), 0);
	assert_int_equal(fdt_listen(sock, backlog), 0);
	*port = fdt_port(sock);
	assert_true(*port != 0);
	return sock;
}

int
fdt_accept(int listener)
{
	struct fdsock_accepted acc;
	struct iovec iov = {&acc, sizeof(acc)};
	int fd;

	(void)fdt_poll(listener, POLLIN);
	assert_int_equal(fdt_recv(listener, &iov, 1, &fd), sizeof(acc));
	assert_int_equal(acc.fa_magic, FDSOCK_MAGIC);
	assert_int_equal(acc.fa_family, AF_INET);
	assert_true(acc.fa_port != 0);
	assert_memory_equal(acc.fa_addr, ((uint8_t[4]){127, 0, 0, 1}), 4);
	assert_true(fd >= 0);
	return fd;
}

void
fdt_pair(int sv[2])
{
	uint16_t port;
	int listener = fdt_listener(4, &port);

	sv[0] = fdt_socket(SOCK_STREAM);
	assert_int_equal(fdt_connect(sv[0], INADDR_LOOPBACK, port), 0);
	sv[1] = fdt_accept(listener);
	(void)close(listener);
}

int
fdt_poll(int fd, int events)
{
	struct pollfd pfd = {.fd = fd, .events = (short)events};

	if (poll(&pfd, 1, FDT_PATIENCE_MS) != 1)
		fail_msg("nothing happened on descriptor %d", fd);
	return pfd.revents;
}

size_t
fdt_drain(int fd, int *error)
{
	static uint8_t buf[65536];
	size_t total = 0;
	ssize_t n;

	for (;;) {
		(void)fdt_poll(fd, POLLIN);
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			break;
		total += (size_t)n;
	}
	*error = n < 0 ? errno : 0;
	return total;
}
