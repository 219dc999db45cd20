/* SPDX-License-Identifier: BSD-2-Clause */
/* The traps on datagram sockets, against a scripted server: records out and in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rumpus/fdsock.h>

#include "testutil.h"

struct dgram {
	struct fdsock_dgram hdr;
	char text[16];
};

static const struct fdsock_dgram from_peer = {.dg_family = AF_INET,
    .dg_port = 0x5000,
    .dg_addr = {10, 0, 0, 1},
    .dg_flags = FDSOCK_DG_ADDR};

static int
udp(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	return fd;
}

static void
give(struct fdsock_dgram hdr, const char *text)
{
	struct dgram dg = {.hdr = hdr};

	strcpy(dg.text, text);
	assert_true(send(fake.fk_peer, &dg, sizeof(hdr) + strlen(text), 0) > 0);
}

/* What the server would get as a record. => length of the text */
static size_t
take(struct dgram *dg)
{
	ssize_t n = recv(fake.fk_peer, dg, sizeof(*dg), MSG_DONTWAIT);

	assert_true(n >= (ssize_t)sizeof(dg->hdr));
	return (size_t)n - sizeof(dg->hdr);
}

/* The same, of the first to an address: a request. */
static size_t
take_request(struct dgram *dg)
{
	assert_int_equal(fake.fk_request.fq_op, FDSOCK_OP_SENDTO);
	assert_true(fake.fk_request.fq_datalen <= sizeof(*dg));
	memcpy(dg, fake.fk_sent, fake.fk_request.fq_datalen);
	return fake.fk_request.fq_datalen - sizeof(dg->hdr);
}

static void
test_dgram_send(void **state)
{
	struct iovec iov[3] = {{(char[]){"ab"}, 2}, {NULL, 0}, {(char[]){"c"}, 1}};
	static char large[65536];
	struct dgram dg;
	int fd = udp();

	(void)state;
	FAILS(send(fd, "x", 1, 0), EDESTADDRREQ);
	FAILS(write(fd, "x", 1), EDESTADDRREQ);
	fake.fk_error[FDSOCK_OP_SENDTO] = ENETUNREACH;
	FAILS(sendto(fd, "abc", 3, 0, (const struct sockaddr *)&peer, sizeof(peer)), ENETUNREACH);
	fake.fk_error[FDSOCK_OP_SENDTO] = 0;
	assert_int_equal(sendto(fd, "ab", 2, 0, (const struct sockaddr *)&peer, sizeof(peer)), 2);
	assert_int_equal(take_request(&dg), 2);
	assert_int_equal(sendto(fd, "abc", 3, 0, (const struct sockaddr *)&peer, sizeof(peer)), 3);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SENDTO], 2);
	assert_int_equal(take(&dg), 3);
	assert_memory_equal(dg.text, "abc", 3);
	assert_int_equal(dg.hdr.dg_flags, FDSOCK_DG_ADDR);
	assert_int_equal(dg.hdr.dg_port, peer.sin_port);
	assert_memory_equal(dg.hdr.dg_addr, &peer.sin_addr, 4);
	FAILS(sendto(fd, "abc", 3, 0, (const struct sockaddr *)&peer, 8), EINVAL);
	fake_tag(fd, AF_INET, SOCK_DGRAM, FDSOCK_TAG_CONNECTED);
	assert_int_equal(writev(fd, iov, 3), 3);
	assert_int_equal(take(&dg), 3);
	assert_memory_equal(dg.text, "abc", 3);
	assert_int_equal(dg.hdr.dg_flags, 0);
	assert_int_equal(send(fd, "", 0, 0), 0);
	assert_int_equal(take(&dg), 0);
	FAILS(send(fd, large, 65508, 0), EMSGSIZE);
	FAILS(send(fd, "x", 1, MSG_OOB), EOPNOTSUPP);
	close_pair(fd);
}

static void
test_dgram_recv(void **state)
{
	struct fdsock_dgram error = {.dg_flags = FDSOCK_DG_ERROR, .dg_error = ECONNREFUSED};
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	char buf[16];
	int fd = udp(), n;

	(void)state;
	FAILS(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	give(from_peer, "hello");
	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(recvfrom(fd, buf, sizeof(buf), MSG_PEEK, (struct sockaddr *)&sin, &len),
	    5);
	assert_memory_equal(&sin, &peer, sizeof(peer));
	assert_int_equal(recv(fd, buf, 2, MSG_TRUNC), 5);
	give(from_peer, "");
	give(from_peer, "read");
	assert_int_equal(read(fd, buf, sizeof(buf)), 0);
	assert_int_equal(read(fd, buf, 2), 2);
	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	assert_int_equal(n, 0);
	give(error, "");
	FAILS(recv(fd, buf, sizeof(buf), MSG_PEEK), ECONNREFUSED);
	FAILS(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	FAILS(recv(fd, buf, sizeof(buf), MSG_ERRQUEUE), EAGAIN);
	(void)close(fake.fk_peer);
	assert_int_equal(read(fd, buf, sizeof(buf)), 0);
	fake.fk_error[FDSOCK_OP_QUERY] = ENOTSOCK;
	FAILS(read(fd, buf, sizeof(buf)), ECONNRESET);
	(void)close(fd);
}

/* SO_RXQ_OVFL, UDP_GRO and IP_ORIGDSTADDR, as the record has them. */
static void
test_dgram_counts(void **state)
{
	struct fdsock_dgram hdr = from_peer;
	_Alignas(struct cmsghdr) char control[128];
	char buf[16];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct sockaddr_in sin;
	struct cmsghdr *c;
	uint32_t drops;
	int fd = udp(), segment;

	(void)state;
	hdr.dg_flags |= FDSOCK_DG_DROPS | FDSOCK_DG_ORIGDST | FDSOCK_DG_SEGMENT;
	hdr.dg_segment = 3;
	hdr.dg_drops = 70000;
	hdr.dg_lport = 0x1234;
	hdr.dg_local[3] = 9;
	give(hdr, "counted");
	assert_int_equal(recvmsg(fd, &msg, 0), 7);
	c = CMSG_FIRSTHDR(&msg);
	assert_true(c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL);
	assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(drops)));
	memcpy(&drops, CMSG_DATA(c), sizeof(drops));
	assert_int_equal(drops, 70000);
	c = CMSG_NXTHDR(&msg, c);
	assert_true(c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO);
	assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(segment)));
	memcpy(&segment, CMSG_DATA(c), sizeof(segment));
	assert_int_equal(segment, 3);
	c = CMSG_NXTHDR(&msg, c);
	assert_true(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR);
	assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(sin)));
	memcpy(&sin, CMSG_DATA(c), sizeof(sin));
	assert_int_equal(sin.sin_family, AF_INET);
	assert_int_equal(sin.sin_port, 0x1234);
	assert_int_equal(sin.sin_addr.s_addr, htonl(9));
	assert_null(CMSG_NXTHDR(&msg, c));
	close_pair(fd);
}

/* UDP_SEGMENT as a control message goes into the record. */
static void
test_dgram_segment(void **state)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(char[]){"abcde"}, 5};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = CMSG_SPACE(sizeof(uint16_t))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	uint16_t segment = 2;
	struct dgram dg;
	int fd = udp();

	(void)state;
	fake_tag(fd, AF_INET, SOCK_DGRAM, FDSOCK_TAG_CONNECTED);
	*c = (struct cmsghdr){CMSG_LEN(sizeof(segment)), IPPROTO_UDP, UDP_SEGMENT};
	memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	assert_int_equal(sendmsg(fd, &msg, 0), 5);
	assert_int_equal(take(&dg), 5);
	assert_int_equal(dg.hdr.dg_flags, FDSOCK_DG_SEGMENT);
	assert_int_equal(dg.hdr.dg_segment, 2);
	c->cmsg_len = CMSG_LEN(sizeof(int));
	msg.msg_controllen = sizeof(control);
	FAILS(sendmsg(fd, &msg, 0), EINVAL);
	c->cmsg_len = CMSG_LEN(sizeof(segment));
	c->cmsg_type = UDP_CORK;
	FAILS(sendmsg(fd, &msg, 0), EINVAL);
	close_pair(fd);
}

/* The time of arrival, in the resolution that the record asks for; nobody else is asked. */
static void
test_dgram_time(void **state)
{
	struct fdsock_dgram hdr = from_peer;
	_Alignas(struct cmsghdr) char control[128];
	char buf[16];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	struct timespec ts;
	struct timeval tv;
	struct cmsghdr *c;
	int fd = udp();

	(void)state;
	hdr.dg_time_ns = UINT64_C(1700000000123456789);
	hdr.dg_flags |= FDSOCK_DG_TIME;
	give(hdr, "us");
	hdr.dg_flags |= FDSOCK_DG_NANOS;
	give(hdr, "ns");
	msg.msg_controllen = sizeof(control);
	assert_int_equal(recvmsg(fd, &msg, 0), 2);
	c = CMSG_FIRSTHDR(&msg);
	assert_true(c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMP);
	memcpy(&tv, CMSG_DATA(c), sizeof(tv));
	assert_true(tv.tv_sec == 1700000000 && tv.tv_usec == 123456);
	msg.msg_controllen = sizeof(control);
	assert_int_equal(recvmsg(fd, &msg, 0), 2);
	c = CMSG_FIRSTHDR(&msg);
	assert_true(c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS);
	memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	assert_true(ts.tv_sec == 1700000000 && ts.tv_nsec == 123456789);
	assert_int_equal(fake.fk_count[FDSOCK_OP_GETSOCKOPT], 0);
	close_pair(fd);
}

static void
test_dgram_control(void **state)
{
	struct fdsock_dgram hdr = from_peer;
	struct in_pktinfo pi;
	_Alignas(struct cmsghdr) char control[128];
	char buf[16];
	struct iovec iov = {buf, 3};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	struct dgram dg;
	int fd = udp();

	(void)state;
	hdr.dg_flags |= FDSOCK_DG_PKTINFO | FDSOCK_DG_TTL;
	hdr.dg_ttl = 17;
	hdr.dg_ifindex = 3;
	hdr.dg_local[0] = 9;
	give(hdr, "long");
	assert_int_equal(recvmsg(fd, &msg, 0), 3);
	assert_int_equal(msg.msg_flags, MSG_TRUNC);
	c = CMSG_FIRSTHDR(&msg);
	assert_int_equal(c->cmsg_type, IP_PKTINFO);
	memcpy(&pi, CMSG_DATA(c), sizeof(pi));
	assert_int_equal(pi.ipi_ifindex, 3);
	assert_int_equal(pi.ipi_addr.s_addr, 9);
	c = CMSG_NXTHDR(&msg, c);
	assert_int_equal(c->cmsg_type, IP_TTL);
	assert_int_equal(*(int *)CMSG_DATA(c), 17);
	/* and back */
	msg.msg_name = (void *)(uintptr_t)&peer;
	msg.msg_namelen = sizeof(peer);
	assert_int_equal(sendmsg(fd, &msg, 0), 3);
	assert_int_equal(take_request(&dg), 3);
	assert_int_equal(dg.hdr.dg_flags, hdr.dg_flags);
	assert_int_equal(dg.hdr.dg_ttl, 17);
	assert_int_equal(dg.hdr.dg_ifindex, 3);
	/* room for one only */
	msg.msg_name = NULL;
	msg.msg_controllen = CMSG_SPACE(sizeof(pi));
	give(hdr, "x");
	assert_int_equal(recvmsg(fd, &msg, 0), 1);
	assert_int_equal(msg.msg_flags, MSG_CTRUNC);
	assert_int_equal(msg.msg_controllen, CMSG_SPACE(sizeof(pi)));
	close_pair(fd);
}

static void
test_dgram_many(void **state)
{
	char buf[3][4];
	struct iovec iov[3] = {{buf[0], 4}, {buf[1], 4}, {buf[2], 4}};
	struct mmsghdr vec[3] = {{.msg_hdr = {.msg_iov = &iov[0], .msg_iovlen = 1}},
	    {.msg_hdr = {.msg_iov = &iov[1], .msg_iovlen = 1}},
	    {.msg_hdr = {.msg_iov = &iov[2], .msg_iovlen = 1}}};
	struct dgram dg;
	int fd = udp();

	(void)state;
	give(from_peer, "one");
	give(from_peer, "2");
	assert_int_equal(recvmmsg(fd, vec, 3, MSG_WAITFORONE, NULL), 2);
	assert_int_equal(vec[0].msg_len, 3);
	assert_int_equal(vec[1].msg_len, 1);
	FAILS(recvmmsg(fd, vec, 3, MSG_DONTWAIT, NULL), EAGAIN);
	fake_tag(fd, AF_INET, SOCK_DGRAM, FDSOCK_TAG_CONNECTED);
	assert_int_equal(sendmmsg(fd, vec, 3, 0), 3);
	assert_int_equal(vec[2].msg_len, 4);
	for (int i = 0; i < 3; i++)
		(void)take(&dg);
	assert_int_equal(syscall(SYS_sendmmsg, fd, vec, 1, 0), 1);
	assert_int_equal(take(&dg), 4);
	assert_int_equal(dg.hdr.dg_flags, 0);
	give(from_peer, "raw");
	assert_int_equal(syscall(SYS_recvmmsg, fd, vec, 1, MSG_DONTWAIT, NULL), 1);
	assert_int_equal(vec[0].msg_len, 3);
	assert_memory_equal(buf[0], "raw", 3);
	FAILS(syscall(SYS_recvmmsg, fd, vec, 1, MSG_DONTWAIT, NULL), EAGAIN);
	close_pair(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    T(test_dgram_send),
	    T(test_dgram_recv),
	    T(test_dgram_control),
	    T(test_dgram_counts),
	    T(test_dgram_time),
	    T(test_dgram_segment),
	    T(test_dgram_many),
	};
	int failed;

	(void)argc;
	fake_environment(argv);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_environment_end();
	return failed;
}
