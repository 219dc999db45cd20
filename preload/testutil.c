/* SPDX-License-Identifier: BSD-2-Clause */
/* The scripted server: see testutil.h. */
#include "testutil.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS 16
#define KEPT 128

struct fake fake;

/*
 * The traps come out of an archive, and a sanitizer's library has calls of the same names before
 * it. These names it has not, and with them come all the others of their files.
 */
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags);
static __attribute__((used))
ssize_t (*const want_data)(int, void *, size_t, size_t, int) = __recv_chk;
static __attribute__((used)) struct if_nameindex *(*const want_interfaces)(void) = if_nameindex;

static struct {
	pthread_t thread;
	int listener, quit[2];
	int conn[CONNECTIONS];
	int nconn;
	int held; /* where the answer goes; -1 */
	int kept[KEPT];
	int nkept;
} server;

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

static void
need(bool ok, const char *what)
{
	if (!ok) {
		(void)fprintf(stderr, "fake server: %s: %s\n", what, strerror(errno));
		abort();
	}
}

void
fake_tag(int fd, int family, int type, uint64_t flags)
{
	uint64_t tag = FDSOCK_TAG_MAGIC | (uint64_t)type << 8 | (uint64_t)family | flags;

	/* not setsockopt(): that is trapped */
	need(syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &tag, sizeof(tag)) == 0,
	    "tag");
}

static void
attach(struct msghdr *msg, union control *control, int fd)
{
	struct cmsghdr *cmsg;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(sizeof(int));
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
}

/* => the client's end */
static int
make_pair(int family, int type)
{
	bool stream = (type & 0xf) == SOCK_STREAM;
	int sv[2];

	need(socketpair(AF_UNIX,
		 (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC | (type & SOCK_NONBLOCK), 0,
		 sv) == 0,
	    "pair");
	fake_tag(sv[1], family, type & 0xf, 0);
	fake.fk_peer = sv[0];
	if (fake.fk_keep) {
		need(server.nkept < KEPT, "too many pairs");
		server.kept[server.nkept++] = sv[0];
	}
	return sv[1];
}

int
fake_accepted(int listener_peer, const struct fdsock_accepted *fa)
{
	struct iovec iov = {(void *)(uintptr_t)fa, sizeof(*fa)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;
	int client = make_pair(AF_INET, SOCK_STREAM);

	attach(&msg, &control, client);
	need(sendmsg(listener_peer, &msg, 0) == sizeof(*fa), "accepted");
	(void)close(client);
	return fake.fk_peer;
}

static void
answer(const struct fdsock_request *req, int to)
{
	struct fdsock_reply reply = {.fp_magic = FDSOCK_MAGIC,
	    .fp_error = fake.fk_error[req->fq_op],
	    .fp_value = {fake.fk_value[req->fq_op]},
	    .fp_datalen = fake.fk_datalen};
	struct iovec iov[2] = {{&reply, sizeof(reply)}, {fake.fk_data, fake.fk_datalen}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	union control control;
	int client = -1;

	if (req->fq_op == FDSOCK_OP_SOCKET && reply.fp_error == 0)
		client = make_pair(req->fq_arg[0], req->fq_arg[1]);
	else if (req->fq_op == FDSOCK_OP_CONNECT && fake.fk_replace)
		client = make_pair(AF_INET, SOCK_STREAM);
	if (client >= 0)
		attach(&msg, &control, client);
	need(sendmsg(to, &msg, MSG_NOSIGNAL) > 0 || errno == EPIPE, "reply");
	if (client >= 0)
		(void)close(client);
}

void
fake_release(void)
{
	const struct fdsock_reply reply = {.fp_magic = FDSOCK_MAGIC,
	    .fp_error = fake.fk_error[FDSOCK_OP_CONNECT]};

	(void)send(server.held, &reply, sizeof(reply), MSG_NOSIGNAL);
}

static void
hold(int to)
{
	(void)close(server.held);
	server.held = dup(to);
}

/* => false: the connection has ended */
static bool
serve_one(int conn)
{
	struct fdsock_request req;
	uint8_t data[sizeof(fake.fk_sent)];
	struct iovec iov[2] = {{&req, sizeof(req)}, {data, sizeof(data)}};
	union control control;
	struct msghdr msg = {.msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(conn, &msg, MSG_CMSG_CLOEXEC);
	int fds[2] = {-1, -1};
	struct cmsghdr *cmsg;

	if (n <= 0)
		return false;
	cmsg = CMSG_FIRSTHDR(&msg);
	need(n >= (ssize_t)sizeof(req) && req.fq_magic == FDSOCK_MAGIC && cmsg != NULL &&
		req.fq_datalen == (size_t)n - sizeof(req) && req.fq_op < FDSOCK_OP_COUNT,
	    "a record that makes no sense");
	memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
	if (req.fq_op != FDSOCK_OP_QUERY) {
		fake.fk_request = req;
		memcpy(fake.fk_sent, data, req.fq_datalen);
	}
	fake.fk_begun++;
	fake.fk_count[req.fq_op]++;
	if (fds[1] >= 0)
		(void)close(fds[1]);
	if (req.fq_op == FDSOCK_OP_CONNECT && fake.fk_hold)
		hold(fds[0]);
	else if (!fake.fk_mute[req.fq_op])
		answer(&req, fds[0]);
	else
		(void)shutdown(fds[0], SHUT_RDWR);
	(void)close(fds[0]);
	fake.fk_done++;
	return true;
}

static void
serve_ready(const struct pollfd *pfd)
{
	for (int i = server.nconn - 1; i >= 0; i--) {
		if (pfd[2 + i].revents != 0 && !serve_one(server.conn[i])) {
			(void)close(server.conn[i]);
			server.conn[i] = server.conn[--server.nconn];
		}
	}
	if (pfd[1].revents != 0) {
		need(server.nconn < CONNECTIONS, "too many connections");
		server.conn[server.nconn] = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);
		need(server.conn[server.nconn] >= 0, "accept");
		server.nconn++;
		fake.fk_connections++;
	}
}

static void *
serve(void *arg)
{
	for (;;) {
		struct pollfd pfd[2 + CONNECTIONS] = {{server.quit[0], POLLIN, 0},
		    {server.listener, POLLIN, 0}};

		for (int i = 0; i < server.nconn; i++)
			pfd[2 + i] = (struct pollfd){server.conn[i], POLLIN, 0};
		if (poll(pfd, 2 + (nfds_t)server.nconn, -1) < 0)
			continue;
		if (pfd[0].revents != 0)
			return arg;
		serve_ready(pfd);
	}
}

void
fake_start(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	sigset_t all, before;

	memset(&fake, 0, sizeof(fake));
	server.nconn = 0;
	server.held = -1;
	need(snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", getenv("RUMPUS_SERVER")) > 0, "");
	server.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	need(bind(server.listener, (struct sockaddr *)&sun, sizeof(sun)) == 0, sun.sun_path);
	need(listen(server.listener, 8) == 0 && pipe(server.quit) == 0, "start");
	/* Signals are for the test: one that is taken by the server's thread would break its calls. */
	need(sigfillset(&all) == 0 && pthread_sigmask(SIG_BLOCK, &all, &before) == 0, "signals");
	need(pthread_create(&server.thread, NULL, serve, NULL) == 0, "thread");
	need(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0, "signals");
}

void
fake_stop(void)
{
	(void)close(server.quit[1]);
	(void)pthread_join(server.thread, NULL);
	(void)close(server.quit[0]);
	(void)close(server.listener);
	(void)close(server.held);
	for (int i = 0; i < server.nconn; i++)
		(void)close(server.conn[i]);
	while (server.nkept > 0)
		(void)close(server.kept[--server.nkept]);
	(void)unlink(getenv("RUMPUS_SERVER"));
}

void
fake_environment(char **argv)
{
	char dir[] = "/tmp/rumpus-preload-XXXXXX", path[64];

	if (getenv("RUMPUS_SERVER") != NULL)
		return;
	need(mkdtemp(dir) != NULL, "folder");
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	need(setenv("RUMPUS_SERVER", path, 1) == 0 && unsetenv("RUMPUS_RULES") == 0, "setenv");
	(void)execv("/proc/self/exe", argv);
	need(false, "exec");
}

void
fake_environment_end(void)
{
	char *path = getenv("RUMPUS_SERVER"), *slash = strrchr(path, '/');

	*slash = '\0';
	(void)rmdir(path);
}

const struct sockaddr_in peer = {.sin_family = AF_INET,
    .sin_port = 0x5000,
    .sin_addr = {0x0100000a}};

int
fake_setup(void **state)
{
	static unsigned n;

	(void)state;
	fake_start();
	fake.fk_keep = true;
	/* Of another kind than those before: none is to be made ahead for this test. */
	(void)close(socket(AF_INET6, SOCK_STREAM, n++ % 2 == 0 ? 0 : IPPROTO_TCP));
	fake_stop();
	fake_start();
	return 0;
}

int
fake_teardown(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

int
lowest_free(void)
{
	int fd;

	while (fake.fk_done != fake.fk_begun)
		(void)sched_yield();
	fd = dup(0);

	(void)close(fd);
	return fd;
}

int
connect_peer(int fd)
{
	return connect(fd, (const struct sockaddr *)&peer, sizeof(peer));
}

int
tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	need(fd >= 0, "socket");
	return fd;
}

void
close_pair(int fd)
{
	(void)close(fd);
	(void)close(fake.fk_peer);
}
