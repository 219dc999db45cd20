/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams: ancillary data, errors, several at once, groups, both families, and ping. */
#include "calls.h"

#include <linux/filter.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

static void
wants(int fd, int name, const char *text)
{
	int one = 1;

	(void)printf("%s -> ", text);
	if (setsockopt(fd, IPPROTO_IP, name, &one, sizeof(one)) != 0)
		(void)printf("%s\n", calls_errname(errno));
	else
		(void)printf("0\n");
}

static int sent_to_port;

static void
say_control(const struct cmsghdr *c)
{
	struct in_pktinfo info;
	struct sockaddr_in sin;
	int value = 0;

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		(void)printf("came to -> %s\n", inet_ntoa(info.ipi_addr));
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) {
		memcpy(&sin, CMSG_DATA(c), sizeof(sin));
		(void)printf("sent to -> %s, %s\n", inet_ntoa(sin.sin_addr),
		    ntohs(sin.sin_port) == sent_to_port ? "our port" : "another port");
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
		(void)printf("service -> %d\n", *CMSG_DATA(c));
	} else {
		memcpy(&value, CMSG_DATA(c), sizeof(value));
		(void)printf("level %d type %d -> %d\n", c->cmsg_level, c->cmsg_type, value);
	}
}

static void
ancillary(void)
{
	_Alignas(struct cmsghdr) char control[256];
	char buf[16];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	int u[2], ttl = 33, tos = 0x10;

	calls_udp_pair(u);
	wants(u[1], IP_PKTINFO, "IP_PKTINFO");
	wants(u[1], IP_RECVTTL, "IP_RECVTTL");
	wants(u[1], IP_RECVTOS, "IP_RECVTOS");
	DO(setsockopt(u[0], IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)));
	DO(setsockopt(u[0], IPPROTO_IP, IP_TOS, &tos, sizeof(tos)));
	MUST(sendto(u[0], "x", 1, 0, calls_loopback(calls_port(u[1])), ADDRLEN));
	DO(recvmsg(u[1], &msg, 0));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
		say_control(c);
}

/* One datagram, and what is told of it. => bytes */
static ssize_t
take_told(int fd, void *buf, size_t n, bool say)
{
	_Alignas(struct cmsghdr) char control[256];
	struct iovec iov = {buf, n};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(fd, &msg, 0);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); say && c != NULL; c = CMSG_NXTHDR(&msg, c))
		say_control(c);
	return len;
}

static void
sent_to(void)
{
	char byte;
	int u[2];

	calls_udp_pair(u);
	wants(u[1], IP_RECVORIGDSTADDR, "IP_RECVORIGDSTADDR");
	sent_to_port = calls_port(u[1]);
	MUST(sendto(u[0], "x", 1, 0, calls_loopback(sent_to_port), ADDRLEN));
	DO(take_told(u[1], &byte, 1, true));
}

/* UDP_SEGMENT: what is sent at once comes as several, all of the same length but the last. */
static void
segments(void)
{
	static const int values[] = {-1, 65536, 0, 100};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
	static char buf[1000];
	struct iovec iov = {buf, 250};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int u[2], value = -1;
	socklen_t len = sizeof(value);
	uint16_t ninety = 90;

	calls_udp_pair(u);
	MUST(connect(u[0], calls_loopback(calls_port(u[1])), ADDRLEN));
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		DO(setsockopt(u[0], IPPROTO_UDP, UDP_SEGMENT, &values[i], sizeof(int)));
	DO(getsockopt(u[0], IPPROTO_UDP, UDP_SEGMENT, &value, &len));
	DO(value);
	DO(send(u[0], buf, 250, 0));
	for (int i = 0; i < 3; i++)
		DO(recv(u[1], buf, sizeof(buf), 0));
	DO(send(u[0], buf, 100, 0));
	DO(recv(u[1], buf, sizeof(buf), 0));
	*c = (struct cmsghdr){CMSG_LEN(sizeof(ninety)), IPPROTO_UDP, UDP_SEGMENT};
	memcpy(CMSG_DATA(c), &ninety, sizeof(ninety));
	DO(sendmsg(u[0], &msg, 0));
	for (int i = 0; i < 3; i++)
		DO(recv(u[1], buf, sizeof(buf), 0));
	DO(recv(u[1], buf, sizeof(buf), MSG_DONTWAIT));
	c->cmsg_len = CMSG_LEN(1);
	DO(sendmsg(u[0], &msg, 0));
}

/* UDP_GRO: they come together again. */
static void
joined(void)
{
	static char buf[1000];
	int u[2], hundred = 100, one = 1, value = 0;
	socklen_t len = sizeof(value);

	calls_udp_pair(u);
	MUST(connect(u[0], calls_loopback(calls_port(u[1])), ADDRLEN));
	DO(setsockopt(u[1], IPPROTO_UDP, UDP_GRO, &one, sizeof(one)));
	DO(getsockopt(u[1], IPPROTO_UDP, UDP_GRO, &value, &len));
	DO(value);
	MUST(setsockopt(u[0], IPPROTO_UDP, UDP_SEGMENT, &hundred, sizeof(hundred)));
	DO(send(u[0], buf, 450, 0));
	DO(take_told(u[1], buf, sizeof(buf), true));
	DO(send(u[0], buf, 70, 0));
	DO(take_told(u[1], buf, sizeof(buf), true));
}

static void
say_time(int fd)
{
	_Alignas(struct cmsghdr) char control[64];
	struct timespec now, then = {0};
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};

	DO(recvmsg(fd, &msg, 0));
	(void)clock_gettime(CLOCK_REALTIME, &now);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		memcpy(&then, CMSG_DATA(c), sizeof(then));
		(void)printf("type -> %d\n", c->cmsg_type);
		(void)printf("just now -> %d\n", now.tv_sec - then.tv_sec <= 2);
	}
}

/* When a datagram came: one resolution or the other. */
static void
stamps(void)
{
	int u[2], one = 1, zero = 0, value;
	socklen_t len = sizeof(value);

	calls_udp_pair(u);
	MUST(connect(u[0], calls_loopback(calls_port(u[1])), ADDRLEN));
	DO(setsockopt(u[1], SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)));
	MUST(send(u[0], "a", 1, 0));
	say_time(u[1]);
	DO(setsockopt(u[1], SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)));
	MUST(send(u[0], "b", 1, 0));
	say_time(u[1]);
	DO(getsockopt(u[1], SOL_SOCKET, SO_TIMESTAMP, &value, &len));
	DO(value);
	DO(getsockopt(u[1], SOL_SOCKET, SO_TIMESTAMPNS, &value, &len));
	DO(value);
	DO(setsockopt(u[1], SOL_SOCKET, SO_TIMESTAMPNS, &zero, sizeof(zero)));
	MUST(send(u[0], "c", 1, 0));
	say_time(u[1]);
}

static int
attach(int fd, struct sock_filter *code, unsigned short n)
{
	struct sock_fprog prog = {.len = n, .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* A program that takes 3 bytes of a datagram whose first is an 'a'. */
static void
filters(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1), BPF_STMT(BPF_RET | BPF_K, 8 + 3),
	    BPF_STMT(BPF_RET | BPF_K, 0)};
	int u[2], one = 1, zero = 0;
	socklen_t len = 0;
	char buf[8];

	calls_udp_pair(u);
	MUST(connect(u[0], calls_loopback(calls_port(u[1])), ADDRLEN));
	DO(getsockopt(u[1], SOL_SOCKET, SO_GET_FILTER, buf, &len));
	DO(len);
	DO(attach(u[1], code, 0));
	DO(attach(u[1], code, 2));
	DO(attach(u[1], code, 4));
	MUST(send(u[0], "beta", 4, 0));
	MUST(send(u[0], "alpha", 5, 0));
	DO(recv(u[1], buf, sizeof(buf), 0));
	DO(buf[0]);
	DO(setsockopt(u[1], SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof(zero)));
	DO(setsockopt(u[1], SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof(zero)));
	MUST(send(u[0], "beta", 4, 0));
	DO(recv(u[1], buf, sizeof(buf), 0));
	DO(attach(u[1], code, 4));
	DO(setsockopt(u[1], SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one)));
	DO(setsockopt(u[1], SOL_SOCKET, SO_LOCK_FILTER, &zero, sizeof(zero)));
	DO(attach(u[1], code, 4));
	DO(setsockopt(u[1], SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof(zero)));
	MUST(send(u[0], "alone", 5, 0));
	DO(recv(u[1], buf, sizeof(buf), 0));
}

/* What found no place is counted, and told with the first that came after it. */
static void
drops(void)
{
	enum { SENT = 2000 };
	static char text[1000];
	uint32_t dropped = 0;
	int u[2], one = 1, small = 4096, n = 0;
	_Alignas(struct cmsghdr) char control[64];
	struct iovec iov = {text, sizeof(text)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};

	calls_udp_pair(u);
	DO(setsockopt(u[1], SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one)));
	MUST(setsockopt(u[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	MUST(connect(u[0], calls_loopback(calls_port(u[1])), ADDRLEN));
	for (int i = 0; i < SENT; i++)
		MUST(send(u[0], text, sizeof(text), 0));
	host_sleep_ms(50);
	while (recv(u[1], text, sizeof(text), MSG_DONTWAIT) == sizeof(text))
		n++;
	MUST(send(u[0], "last", 4, 0));
	do {
		msg.msg_controllen = sizeof(control);
	} while (MUST(recvmsg(u[1], &msg, 0)) == sizeof(text) && ++n <= SENT);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			memcpy(&dropped, CMSG_DATA(c), sizeof(dropped));
	}
	DO(dropped > 0);
	DO(n + (int)dropped == SENT);
}

static void
error_queue(void)
{
	_Alignas(struct cmsghdr) char control[256];
	char buf[16];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	int u[2], port;

	calls_udp_pair(u);
	port = calls_port(u[1]);
	MUST(close(u[1]));
	host_sleep_ms(50); /* the server hears of it beside the requests, when these pause */
	DO(recvmsg(u[0], &msg, MSG_ERRQUEUE));
	wants(u[0], IP_RECVERR, "IP_RECVERR");
	MUST(sendto(u[0], "x", 1, 0, calls_loopback(port), ADDRLEN));
	host_sleep_ms(50);
	DO(recv(u[0], buf, 16, MSG_DONTWAIT));
	DO(recvmsg(u[0], &msg, MSG_ERRQUEUE));
	DO((msg.msg_flags & MSG_ERRQUEUE) != 0);
}

static void
at_once(void)
{
	char text[] = "abc";
	struct iovec out[3] = {{text, 1}, {text + 1, 2}, {text, 0}}, in[4];
	struct mmsghdr send[3] = {0}, receive[4] = {0};
	struct sockaddr_in to;
	struct timespec ts = {0, 50000000};
	char buf[4][8];
	int u[2];

	calls_udp_pair(u);
	to = calls_addr("127.0.0.1", calls_port(u[1]));
	for (int i = 0; i < 3; i++)
		send[i].msg_hdr = (struct msghdr){.msg_iov = &out[i],
		    .msg_iovlen = 1,
		    .msg_name = &to,
		    .msg_namelen = sizeof(to)};
	for (int i = 0; i < 4; i++) {
		in[i] = (struct iovec){buf[i], 8};
		receive[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
	}
	DO(sendmmsg(u[0], send, 3, 0));
	DO(send[1].msg_len);
	host_sleep_ms(50);
	DO(recvmmsg(u[1], receive, 4, MSG_DONTWAIT, NULL));
	for (int i = 0; i < 3; i++)
		DO(receive[i].msg_len);
	DO(recvmmsg(u[1], receive, 4, MSG_DONTWAIT, NULL));
	DO(sendmmsg(u[0], send, 1, 0));
	DO(recvmmsg(u[1], receive, 4, MSG_WAITFORONE, &ts));
}

#define BATCH 70

static struct batch {
	struct mmsghdr vec[BATCH];
	struct iovec iov[BATCH][3];
	struct sockaddr_in names[BATCH];
	char bytes[BATCH][12];
} batch;

/* Messages of one to three vectors over 12 bytes. */
static void
batch_fresh(void)
{
	memset(&batch, 0, sizeof(batch));
	for (size_t i = 0; i < BATCH; i++) {
		size_t n = 1 + i % 3;

		for (size_t k = 0; k < n; k++)
			batch.iov[i][k] = (struct iovec){&batch.bytes[i][k * 12 / n], 12 / n};
		batch.vec[i].msg_hdr = (struct msghdr){.msg_iov = batch.iov[i],
		    .msg_iovlen = n,
		    .msg_name = &batch.names[i],
		    .msg_namelen = sizeof(batch.names[i])};
	}
}

/* n messages to a port, of 8 to 12 bytes each. */
static long
batch_send(int fd, int port, unsigned n)
{
	batch_fresh();
	for (unsigned i = 0; i < n; i++) {
		batch.names[i] = calls_addr("127.0.0.1", port);
		(void)snprintf(batch.bytes[i], sizeof(batch.bytes[i]), "message %u", i % BATCH);
		if (i % 3 == 0)
			batch.iov[i][0].iov_len = 8 + i % 5;
	}
	return sendmmsg(fd, batch.vec, n, 0);
}

static void
batch_say(unsigned from, unsigned to)
{
	for (; from < to; from++)
		(void)printf("message %u -> %u bytes, %.12s, flags %x, name of %u\n", from,
		    batch.vec[from].msg_len, batch.bytes[from],
		    (unsigned)batch.vec[from].msg_hdr.msg_flags,
		    (unsigned)batch.vec[from].msg_hdr.msg_namelen);
}

/* More than go in one batch; what the arguments say, and what ends a call. */
static void
batches(void)
{
	struct timespec ts = {0, 0};
	int u[2], to;

	calls_udp_pair(u);
	to = calls_port(u[1]);
	DO(batch_send(u[0], to, BATCH));
	host_sleep_ms(100);
	batch_fresh();
	DO(recvmmsg(u[1], batch.vec, BATCH, MSG_WAITFORONE, NULL));
	batch_say(0, BATCH);
	DO(batch_send(u[0], to, 9));
	host_sleep_ms(50);
	batch_fresh();
	DO(recvmmsg(u[1], batch.vec, 3, MSG_PEEK, NULL));
	batch_say(0, 4);
	DO(recvmmsg(u[1], batch.vec, 9, 0, &ts));
	(void)printf("left -> %ld, %ld\n", (long)ts.tv_sec, ts.tv_nsec);
	ts = (struct timespec){1000, 999999999};
	DO(recvmmsg(u[1], batch.vec, 2, 0, &ts));
	(void)printf("left, seconds -> %ld\n", (long)ts.tv_sec);
	DO(recvmmsg(u[1], batch.vec, 0, 0, NULL));
	ts = (struct timespec){0, 1000000000};
	DO(recvmmsg(u[1], batch.vec, 1, MSG_DONTWAIT, &ts));
	ts = (struct timespec){-1, 0};
	DO(recvmmsg(u[1], batch.vec, 1, MSG_DONTWAIT, &ts));
	batch_fresh();
	for (size_t i = 0; i < BATCH; i++)
		batch.iov[i][0].iov_len = 2;
	DO(recvmmsg(u[1], batch.vec, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL));
	batch_say(0, 7);
	DO(recvmmsg(u[1], batch.vec, BATCH, MSG_DONTWAIT, NULL));
	(void)batch_send(u[0], to, 0);
	for (size_t i = 0; i < 4; i++)
		batch.names[i] = calls_addr("127.0.0.1", to);
	batch.vec[2].msg_hdr.msg_namelen = 3;
	DO(sendmmsg(u[0], batch.vec, 4, 0));
	DO(sendmmsg(u[0], batch.vec + 2, 2, 0));
	DO(sendmmsg(u[0], batch.vec, 0, 0));
	host_sleep_ms(50);
	batch_fresh();
	DO(recvmmsg(u[1], batch.vec, BATCH, MSG_DONTWAIT, NULL));
	DO(sendmmsg(u[0], batch.vec, 2, MSG_OOB));
	DO(sendmmsg(99, batch.vec, 2, 0));
	DO(recvmmsg(99, batch.vec, 2, 0, NULL));
}

static void
flags(void)
{
	int u[2], left;
	char buf[8];

	calls_udp_pair(u);
	DO(connect(u[0], calls_loopback(calls_port(u[1])), ADDRLEN));
	DO(send(u[0], "first", 5, 0));
	DO(send(u[0], "second!", 7, 0));
	(void)printf("polls -> %s\n", calls_wait(u[1], POLLIN));
	host_sleep_ms(20);
	DO(recv(u[1], buf, 2, MSG_PEEK));
	DO(recv(u[1], buf, 2, MSG_PEEK | MSG_TRUNC));
	DO(ioctl(u[1], FIONREAD, &left));
	DO(left);
	DO(recv(u[1], buf, 2, MSG_TRUNC));
	DO(recv(u[1], buf, 8, MSG_WAITALL));
	DO(recv(u[1], buf, 8, MSG_DONTWAIT));
	DO(write(u[0], "", 0));
	DO(recv(u[1], buf, 8, 0));
	DO(send(u[0], "a", 1, MSG_MORE));
	DO(send(u[0], "b", 1, 0));
	DO(recv(u[1], buf, 8, 0));
	DO(connect(u[0], &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)));
	DO(send(u[0], "x", 1, 0));
}

/* MSG_MORE and UDP_CORK: one datagram in pieces. */
static void
pieces(void)
{
	static char much[40000];
	int u[2], one = 1, zero = 0, left, fd;
	socklen_t len = sizeof(left);
	struct sockaddr_in to;
	char buf[16];

	calls_udp_pair(u);
	to = calls_addr("127.0.0.1", calls_port(u[1]));
	DO(send(u[0], "a", 1, MSG_MORE));
	DO(sendto(u[0], "ab", 2, MSG_MORE, (struct sockaddr *)&to, sizeof(to)));
	DO(send(u[0], "cd", 2, MSG_MORE));
	DO(write(u[0], "e", 1));
	DO(recv(u[1], buf, sizeof(buf), 0));
	DO(write(u[0], "f", 1));
	DO(setsockopt(u[0], IPPROTO_UDP, UDP_CORK, &one, sizeof(one)));
	DO(getsockopt(u[0], IPPROTO_UDP, UDP_CORK, &left, &len));
	DO(left);
	DO(sendto(u[0], "gh", 2, 0, (struct sockaddr *)&to, sizeof(to)));
	DO(send(u[0], "i", 1, 0));
	host_sleep_ms(20);
	DO(recv(u[1], buf, sizeof(buf), MSG_DONTWAIT));
	DO(setsockopt(u[0], IPPROTO_UDP, UDP_CORK, &zero, sizeof(zero)));
	DO(recv(u[1], buf, sizeof(buf), 0));
	DO(sendto(u[0], "", 0, MSG_MORE, (struct sockaddr *)&to, sizeof(to)));
	DO(send(u[0], "", 0, 0));
	DO(recv(u[1], buf, sizeof(buf), 0));
	DO(sendto(u[0], much, sizeof(much), MSG_MORE, (struct sockaddr *)&to, sizeof(to)));
	DO(send(u[0], much, sizeof(much), 0));
	DO(sendto(u[0], "j", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	DO(recv(u[1], buf, sizeof(buf), 0));
	DO(setsockopt(u[0], IPPROTO_UDP, 99, &one, sizeof(one)));
	DO(getsockopt(u[0], IPPROTO_UDP, 99, &left, &len));
	fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	DO(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &one, sizeof(one)));
	DO(getsockopt(fd, IPPROTO_UDP, UDP_CORK, &left, &len));
}

/* A member of a group on the loopback hears what the host sends there. */
static void
groups(void)
{
	struct ip_mreq mreq = {0};
	struct sockaddr_in to;
	int u[2], zero = 0;
	char buf[8];

	calls_udp_pair(u);
	MUST(close(u[1]));
	u[1] = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	to = calls_addr("0.0.0.0", 0);
	MUST(bind(u[1], (struct sockaddr *)&to, sizeof(to)));
	to = calls_addr("239.1.2.3", calls_port(u[1]));
	mreq.imr_multiaddr = to.sin_addr;
	mreq.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
	DO(setsockopt(u[1], IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)));
	DO(setsockopt(u[0], IPPROTO_IP, IP_MULTICAST_IF, &mreq.imr_interface, 4));
	DO(sendto(u[0], "group", 5, 0, (struct sockaddr *)&to, sizeof(to)));
	host_sleep_ms(50);
	DO(recv(u[1], buf, 8, MSG_DONTWAIT));
	DO(setsockopt(u[0], IPPROTO_IP, IP_MULTICAST_LOOP, &zero, sizeof(zero)));
	DO(setsockopt(u[1], IPPROTO_IP, IP_DROP_MEMBERSHIP, &mreq, sizeof(mreq)));
}

static void
both_families(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	int six = socket(AF_INET6, SOCK_DGRAM, 0), four = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t len = sizeof(any);
	char buf[8];

	(void)printf("socket -> %s\n", six < 0 ? calls_errname(errno) : "ok");
	if (six < 0)
		return;
	DO(bind(six, (struct sockaddr *)&any, sizeof(any)));
	MUST(getsockname(six, (struct sockaddr *)&any, &len));
	DO(sendto(four, "x", 1, 0, calls_loopback(ntohs(any.sin6_port)), ADDRLEN));
	DO(recvfrom(six, buf, 8, 0, (struct sockaddr *)&any, &len));
	DO(IN6_IS_ADDR_V4MAPPED(&any.sin6_addr));
	DO(setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int)));
}

static void
ping(int type)
{
	struct icmphdr echo = {.type = ICMP_ECHO, .un.echo = {htons(77), htons(1)}};
	int fd = socket(AF_INET, type, IPPROTO_ICMP);
	char buf[128];

	(void)printf("socket -> %s\n", fd < 0 ? calls_errname(errno) : "ok");
	if (fd < 0)
		return;
	echo.checksum = (uint16_t) ~(htons(ICMP_ECHO << 8) + htons(77) + htons(1));
	DO(sendto(fd, &echo, sizeof(echo), 0, calls_loopback(0), ADDRLEN));
	DO(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000));
	DO(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
}

static void
ping_raw(void)
{
	ping(SOCK_RAW);
}

static void
ping_datagram(void)
{
	ping(SOCK_DGRAM);
}

const struct calls_case calls_cases[] = {
    {"ancillary", ancillary},
    {"sent-to", sent_to},
    {"filters", filters},
    {"stamps", stamps},
    {"segments", segments},
    {"joined", joined},
    {"drops", drops},
    {"error-queue", error_queue},
    {"at-once", at_once},
    {"batches", batches},
    {"flags", flags},
    {"pieces", pieces},
    {"groups", groups},
    {"both-families", both_families},
    {"ping-raw", ping_raw},
    {"ping-datagram", ping_datagram},
    {NULL, NULL},
};
