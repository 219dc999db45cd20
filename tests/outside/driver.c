/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program from outside: it knows the installed headers and librumpus, nothing of the tree. It
 * drives a stack as a conformance tool would: packets by callback, time by hand, calls with the
 * host's own types. Prints what it checks; the exit status says whether all of it held.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <linux/sockios.h>

#include <rumpus/client.h>
#include <rumpus/embed.h>
#include <rumpus/socket.h>
#include <rumpus/stack.h>

#define MTU 1500
#define QUEUE 256
#define MS 1000000ull

/* A name that the library has inside as well: the two must not meet. */
int m_freem(int x);
int
m_freem(int x)
{
	return x + 1;
}

struct host {
	struct netstack *ns;
	struct rumpus_proc *proc;
	unsigned n;
	size_t len[QUEUE];
	unsigned char packets[QUEUE][MTU];
	unsigned sent;
};

static struct host hosts[2];
static uint64_t now_ns = 1000 * MS;
static int failures;

static void
check(int holds, const char *what, int line)
{
	printf("%s %s\n", holds ? "ok" : "not ok", what);
	if (!holds)
		printf("# line %d, errno %s\n", line, strerror(errno));
	failures += !holds;
}
#define CHECK(cond) check((cond), #cond, __LINE__)

static void
output(void *arg, const uint8_t *packet, size_t len)
{
	struct host *h = arg;

	if (h->n == QUEUE || len > MTU)
		exit(99);
	memcpy(h->packets[h->n], packet, len);
	h->len[h->n++] = len;
	h->sent++;
}

static void
make(struct host *h, const char *cidr, int seed)
{
	struct rumpus_config rc = {.rc_now_ns = now_ns};

	memset(rc.rc_seed, seed, sizeof(rc.rc_seed));
	h->ns = rumpus_create(&rc);
	h->proc = rumpus_proc_create(h->ns, "driver");
	CHECK(rumpus_ptp_attach(h->ns, "tun0", MTU, output, h) == 0);
	CHECK(rumpus_addr_add(h->ns, "tun0", cidr) == 0);
}

static void
run_for(uint64_t ns)
{
	const uint64_t end = now_ns + ns;

	for (;;) {
		uint64_t next = end;
		unsigned moved = 0;

		for (int i = 0; i < 2; i++) {
			struct host *h = &hosts[i], *to = &hosts[!i];

			rumpus_enter(h->ns, now_ns);
			rumpus_run(h->ns);
			rumpus_enter(to->ns, now_ns);
			for (unsigned k = 0; k < h->n; k++, moved++)
				rumpus_ptp_input(to->ns, "tun0", h->packets[k], h->len[k]);
			h->n = 0;
		}
		for (int i = 0; i < 2 && moved == 0; i++)
			if (rumpus_deadline(hosts[i].ns) < next)
				next = rumpus_deadline(hosts[i].ns);
		if (moved == 0 && now_ns == end)
			return;
		if (moved == 0)
			now_ns = next > now_ns ? next : now_ns;
	}
}

static struct sockaddr_in
name(const char *addr, int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	inet_pton(AF_INET, addr, &sin.sin_addr);
	return sin;
}

/* -- blocking calls, in tasks ----------------------------------------------------------------- */

struct peer {
	struct rumpus_task task;
	struct rumpus_proc *proc;
	int listener;
	ssize_t got;
	int more; /* what a read after the end gave */
};

/* A server that blocks in accept and read, echoes, and blocks until the client has closed. */
static void
serve(struct rumpus_task *task)
{
	struct peer *peer = task->rt_arg;
	char buf[64];
	int fd;

	rumpus_embed_use(peer->proc);
	fd = rumpus_sys_accept(peer->listener, NULL, NULL);
	peer->got = rumpus_sys_recv(fd, buf, 10, MSG_WAITALL);
	if (peer->got > 0)
		rumpus_sys_write(fd, buf, (size_t)peer->got);
	peer->more = (int)rumpus_sys_read(fd, buf, sizeof(buf));
	rumpus_sys_close(fd);
}

static void
converse(struct rumpus_task *task)
{
	struct peer *peer = task->rt_arg;
	struct sockaddr_in sin = name("10.0.0.1", 80);
	struct timeval wait = {.tv_usec = 300000};
	char buf[64];
	fd_set in;
	int fd;

	rumpus_embed_use(peer->proc);
	fd = rumpus_sys_socket(AF_INET, SOCK_STREAM, 0);
	CHECK(rumpus_sys_connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	FD_ZERO(&in);
	FD_SET(fd, &in);
	CHECK(rumpus_sys_select(fd + 1, &in, NULL, NULL, &wait) == 0);
	CHECK(wait.tv_sec == 0 && wait.tv_usec < 1000);
	CHECK(rumpus_sys_write(fd, "01234", 5) == 5);
	rumpus_sleep(peer->proc, 50 * MS);
	CHECK(rumpus_sys_write(fd, "56789", 5) == 5);
	peer->got = rumpus_sys_recv(fd, buf, 10, MSG_WAITALL);
	CHECK(peer->got == 10 && memcmp(buf, "0123456789", 10) == 0);
	CHECK(rumpus_sys_shutdown(fd, SHUT_WR) == 0);
	CHECK(rumpus_sys_read(fd, buf, sizeof(buf)) == 0);
	CHECK(rumpus_sys_close(fd) == 0);
}

static int
listener(struct host *h, int port)
{
	struct sockaddr_in sin = name("0.0.0.0", port);
	int fd;

	rumpus_embed_use(h->proc);
	fd = rumpus_sys_socket(AF_INET, SOCK_STREAM, 0);
	CHECK(rumpus_sys_bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	CHECK(rumpus_sys_listen(fd, 8) == 0);
	return fd;
}

static void
blocking(void)
{
	struct peer server = {.proc = hosts[0].proc, .listener = listener(&hosts[0], 80)};
	struct peer client = {.proc = hosts[1].proc};

	server.task = (struct rumpus_task){.rt_func = serve, .rt_arg = &server};
	client.task = (struct rumpus_task){.rt_func = converse, .rt_arg = &client};
	CHECK(rumpus_task_start(server.proc, &server.task) == 0);
	run_for(10 * MS);
	CHECK(!server.task.rt_done);
	CHECK(rumpus_task_start(client.proc, &client.task) == 0);
	run_for(1000 * MS);
	CHECK(server.task.rt_done && client.task.rt_done);
	CHECK(server.got == 10 && server.more == 0);
	rumpus_embed_use(hosts[0].proc);
	CHECK(rumpus_sys_close(server.listener) == 0);
}

/* -- calls that do not wait, from the loop ---------------------------------------------------- */

static void
wake(struct socket *so, void *arg)
{
	(void)so;
	(*(unsigned *)arg)++;
}

static int
wait_connected(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};

	return rumpus_sys_poll(&pfd, 1, 0) == 1 ? pfd.revents : 0;
}

static void
queues(int fd)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	char block[500] = {0};
	int value = -1;

	CHECK(rumpus_sys_write(fd, block, sizeof(block)) == 500);
	CHECK(rumpus_sys_ioctl(fd, SIOCOUTQ, &value) == 0 && value == 500);
	run_for(100 * MS);
	rumpus_embed_use(hosts[1].proc);
	CHECK(rumpus_sys_ioctl(fd, SIOCOUTQ, &value) == 0 && value == 0);
	CHECK(rumpus_sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len) == 0);
	CHECK(ti.tcpi_state == TCP_ESTABLISHED && ti.tcpi_unacked == 0);
	CHECK(ti.tcpi_snd_mss >= 1400 && ti.tcpi_snd_cwnd >= 10);
	CHECK((ti.tcpi_options & TCPI_OPT_SACK) != 0 && (ti.tcpi_options & TCPI_OPT_WSCALE) != 0);
}

static void
read_back(int fd)
{
	char a[100], b[500];
	struct iovec iov[2] = {{a, sizeof(a)}, {b, sizeof(b)}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	int value = -1;

	CHECK(rumpus_sys_ioctl(fd, SIOCINQ, &value) == 0 && value == 500);
	CHECK(rumpus_sys_recv(fd, a, 10, MSG_PEEK) == 10);
	CHECK(rumpus_sys_recvmsg(fd, &msg, MSG_DONTWAIT) == 500);
	CHECK(rumpus_sys_recvmsg(fd, &msg, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

/* Abandons a connection by SO_LINGER 0; the other end learns of it. */
static void
abandon(int c, int a)
{
	struct linger now = {.l_onoff = 1};
	struct pollfd pfd = {.fd = a, .events = POLLIN};
	socklen_t len = sizeof(int);
	int value = 0;

	rumpus_embed_use(hosts[1].proc);
	CHECK(rumpus_sys_setsockopt(c, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
	CHECK(rumpus_sys_close(c) == 0);
	run_for(10 * MS);
	rumpus_embed_use(hosts[0].proc);
	CHECK(rumpus_sys_poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLIN) != 0);
	CHECK(rumpus_sys_getsockopt(a, SOL_SOCKET, SO_ERROR, &value, &len) == 0);
	CHECK(value == ECONNRESET);
	CHECK(rumpus_sys_close(a) == 0);
}

static void
nonblocking(void)
{
	struct sockaddr_in sin = name("10.0.0.1", 81), peer;
	socklen_t len = sizeof(peer);
	int ls = listener(&hosts[0], 81), a, c;
	unsigned upcalls = 0;

	rumpus_embed_use(hosts[0].proc);
	CHECK(rumpus_sys_accept(ls, NULL, NULL) == -1 && errno == EAGAIN);
	CHECK(rumpus_upcall(hosts[0].proc, ls, wake, &upcalls) == 0);
	rumpus_embed_use(hosts[1].proc);
	c = rumpus_sys_socket(AF_INET, SOCK_STREAM, 0);
	CHECK(rumpus_sys_fcntl(c, F_SETFL, O_NONBLOCK) == 0);
	CHECK(rumpus_sys_connect(c, (struct sockaddr *)&sin, sizeof(sin)) == -1);
	CHECK(errno == EINPROGRESS);
	run_for(10 * MS);
	rumpus_embed_use(hosts[1].proc);
	CHECK(wait_connected(c) == POLLOUT);
	CHECK(upcalls > 0);
	rumpus_embed_use(hosts[0].proc);
	a = rumpus_sys_accept4(ls, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(a >= 0 && peer.sin_addr.s_addr == inet_addr("10.0.0.2"));
	rumpus_embed_use(hosts[1].proc);
	queues(c);
	rumpus_embed_use(hosts[0].proc);
	read_back(a);
	abandon(c, a);
	CHECK(rumpus_sys_close(ls) == 0);
}

/* -- the interface and the network ------------------------------------------------------------ */

/* An ICMP error by hand: what the stack sent comes back as "port unreachable". */
static void
icmp_error(void)
{
	struct sockaddr_in sin = name("10.0.0.9", 9);
	unsigned char error[56] = {0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1};
	struct host *h = &hosts[1];
	uint32_t sum = 0;
	char buf[1];
	int fd;

	rumpus_embed_use(h->proc);
	fd = rumpus_sys_socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CHECK(rumpus_sys_connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	CHECK(rumpus_sys_send(fd, "x", 1, 0) == 1);
	CHECK(h->n == 1 && h->len[0] == 29);
	memcpy(error + 12, h->packets[0] + 16, 4);
	memcpy(error + 16, h->packets[0] + 12, 4);
	error[20] = 3;
	error[21] = 3;
	memcpy(error + 28, h->packets[0], 28);
	h->n = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)error[i] << 8 | error[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	error[10] = (unsigned char)(sum >> 8);
	error[11] = (unsigned char)sum;
	sum = 0;
	for (int i = 20; i < 56; i += 2)
		sum += (uint32_t)error[i] << 8 | error[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	error[22] = (unsigned char)(sum >> 8);
	error[23] = (unsigned char)sum;
	CHECK(rumpus_ptp_input(h->ns, "tun0", error, sizeof(error)) == 0);
	CHECK(rumpus_sys_recv(fd, buf, 1, 0) == -1 && errno == ECONNREFUSED);
	CHECK(rumpus_sys_close(fd) == 0);
}

/* An MTU of 576 cuts a datagram of 1200 bytes to three; a downed interface sends none. */
static void
interface(void)
{
	struct sockaddr_in sin = name("10.0.0.1", 9);
	struct host *h = &hosts[1];
	char block[1200] = {0}, text[32];
	unsigned before = h->sent;
	int fd;

	rumpus_embed_use(h->proc);
	fd = rumpus_sys_socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CHECK(rumpus_ptp_mtu(h->ns, "tun0", 576) == 0);
	CHECK(rumpus_sys_sendto(fd, block, 1200, 0, (struct sockaddr *)&sin, sizeof(sin)) == 1200);
	CHECK(h->sent == before + 3);
	CHECK(rumpus_if_up(h->ns, "tun0", false) == 0);
	CHECK(rumpus_sys_sendto(fd, block, 1, 0, (struct sockaddr *)&sin, sizeof(sin)) == -1);
	CHECK(errno == ENETUNREACH || errno == ENETDOWN);
	CHECK(h->sent == before + 3);
	CHECK(rumpus_if_up(h->ns, "tun0", true) == 0);
	CHECK(rumpus_ptp_mtu(h->ns, "tun0", MTU) == 0);
	CHECK(rumpus_route_add(h->ns, "default", "10.0.0.1") == 0);
	sin = name("192.0.2.1", 9);
	CHECK(rumpus_sys_sendto(fd, block, 1, 0, (struct sockaddr *)&sin, sizeof(sin)) == 1);
	CHECK(h->sent == before + 4);
	CHECK(rumpus_sysctl_text(h->ns, "net.inet.tcp.cc.algorithm", text, sizeof(text)) == 0);
	CHECK(strcmp(text, "cubic") == 0);
	rumpus_fail_alloc(h->ns, 1);
	CHECK(rumpus_sys_sendto(fd, block, 1, 0, (struct sockaddr *)&sin, sizeof(sin)) == -1);
	CHECK(errno == ENOBUFS || errno == ENOMEM);
	CHECK(rumpus_fail_alloc(h->ns, 0) == 0);
	CHECK(rumpus_sys_close(fd) == 0);
}

int
main(void)
{
	make(&hosts[0], "10.0.0.1/24", 1);
	make(&hosts[1], "10.0.0.2/24", 2);
	blocking();
	nonblocking();
	icmp_error();
	interface();
	CHECK(m_freem(1) == 2);
	for (int i = 0; i < 2; i++)
		rumpus_proc_exit(hosts[i].proc);
	run_for(3600 * 1000 * MS); /* what was known of paths is forgotten, too */
	for (int i = 0; i < 2; i++) {
		CHECK(rumpus_deadline(hosts[i].ns) == UINT64_MAX);
		rumpus_destroy(hosts[i].ns);
	}
	return failures != 0;
}
