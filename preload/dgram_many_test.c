/* SPDX-License-Identifier: BSD-2-Clause */
/* recvmmsg and sendmmsg on datagram sockets, against a scripted server: batches, and what ends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <rumpus/fdsock.h>

#include "testutil.h"

#define MANY 80u /* more than two batches */
#define ROOM 24u

static const struct fdsock_dgram from_peer = {.dg_family = AF_INET,
    .dg_port = 0x5000,
    .dg_addr = {10, 0, 0, 1},
    .dg_flags = FDSOCK_DG_ADDR};
static const struct fdsock_dgram refused = {.dg_flags = FDSOCK_DG_ERROR, .dg_error = ECONNREFUSED};

/* Messages with all that one can have. */
struct vec {
	struct mmsghdr ve_msgs[MANY];
	struct iovec ve_iov[MANY][8];
	char ve_bytes[MANY][ROOM + 1];
	struct sockaddr_in ve_names[MANY];
	_Alignas(struct cmsghdr) char ve_control[MANY][CMSG_SPACE(sizeof(int))];
};

static int
udp(uint64_t flags)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	if (flags != 0)
		fake_tag(fd, AF_INET, SOCK_DGRAM, (uint64_t)IPPROTO_UDP << 16 | flags);
	return fd;
}

/* Message i of n vectors over its ROOM bytes: none, one, or several of which some are empty. */
static void
shape(struct vec *ve, unsigned i, unsigned n)
{
	struct msghdr *msg = &ve->ve_msgs[i].msg_hdr;
	size_t at = 0;

	*msg = (struct msghdr){.msg_iov = ve->ve_iov[i],
	    .msg_iovlen = n,
	    .msg_name = &ve->ve_names[i],
	    .msg_namelen = sizeof(ve->ve_names[i]),
	    .msg_control = ve->ve_control[i],
	    .msg_controllen = sizeof(ve->ve_control[i])};
	for (unsigned k = 0; k < n; k++) {
		size_t len = k + 1 == n ? ROOM - at : (i + k) % 3;

		ve->ve_iov[i][k] = (struct iovec){len > 0 ? &ve->ve_bytes[i][at] : NULL, len};
		at += len;
	}
}

/* Fresh messages, of 1 to most vectors. */
static struct vec *
vec(unsigned most)
{
	struct vec *ve = calloc(1, sizeof(*ve));

	assert_non_null(ve);
	for (unsigned i = 0; i < MANY; i++)
		shape(ve, i, 1 + i % most);
	return ve;
}

static void
give(struct fdsock_dgram hdr, const char *text)
{
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {(void *)(uintptr_t)text, strlen(text)}};

	assert_int_equal(writev(fake.fk_peer, iov, 2), sizeof(hdr) + strlen(text));
}

static void
give_number(unsigned i)
{
	struct fdsock_dgram hdr = from_peer;
	char text[ROOM];

	(void)snprintf(text, sizeof(text), "datagram %u", i);
	hdr.dg_port = htons((uint16_t)(1000 + i));
	hdr.dg_ttl = (uint8_t)i;
	hdr.dg_flags |= FDSOCK_DG_TTL;
	give(hdr, text);
}

/* Message at has datagram i, with what is told of it. */
static void
expect_number(const struct vec *ve, unsigned at, unsigned i)
{
	const struct msghdr *msg = &ve->ve_msgs[at].msg_hdr;
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	char text[ROOM];
	int ttl;

	(void)snprintf(text, sizeof(text), "datagram %u", i);
	assert_int_equal(ve->ve_msgs[at].msg_len, strlen(text));
	assert_string_equal(ve->ve_bytes[at], text);
	assert_int_equal(msg->msg_flags, 0);
	assert_int_equal(msg->msg_namelen, sizeof(struct sockaddr_in));
	assert_int_equal(ntohs(ve->ve_names[at].sin_port), 1000 + i);
	assert_non_null(c);
	assert_true(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL);
	memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
	assert_int_equal(ttl, i);
	assert_int_equal(msg->msg_controllen, sizeof(ve->ve_control[at]));
}

/* Each in its message, whatever its vectors, over several batches. */
static void
test_receive(void **state)
{
	int fd = udp(0);

	(void)state;
	for (unsigned most = 1; most <= 8; most++) {
		struct vec *ve = vec(most);

		for (unsigned i = 0; i < MANY - 3; i++)
			give_number(i);
		assert_int_equal(recvmmsg(fd, ve->ve_msgs, MANY, MSG_WAITFORONE, NULL), MANY - 3);
		for (unsigned i = 0; i < MANY - 3; i++)
			expect_number(ve, i, i);
		assert_int_equal(ve->ve_msgs[MANY - 3].msg_len, 0);
		FAILS(recvmmsg(fd, ve->ve_msgs, MANY, MSG_DONTWAIT, NULL), EAGAIN);
		assert_int_equal(recvmmsg(fd, ve->ve_msgs, 0, 0, NULL), 0);
		free(ve);
	}
	close_pair(fd);
}

/* Without flags all are waited for; a message of very many vectors is no hindrance. */
static void
test_receive_all(void **state)
{
	static struct iovec many[200];
	struct vec *ve = vec(2);
	int fd = udp(0);

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		many[i] = (struct iovec){&ve->ve_bytes[7][i < ROOM ? i : ROOM], i < ROOM};
	ve->ve_msgs[7].msg_hdr.msg_iov = many;
	ve->ve_msgs[7].msg_hdr.msg_iovlen = 200;
	for (unsigned i = 0; i < 40; i++)
		give_number(i);
	assert_int_equal(recvmmsg(fd, ve->ve_msgs, 40, 0, NULL), 40);
	for (unsigned i = 0; i < 40; i++)
		expect_number(ve, i, i);
	free(ve);
	close_pair(fd);
}

/* What is longer than its message is cut; MSG_TRUNC as a flag tells the length that it had. */
static void
test_receive_cut(void **state)
{
	char a[4], b[2], c[16];
	struct iovec iov[3] = {{a, 4}, {b, 2}, {c, 16}};
	struct mmsghdr msgs[3];
	int fd = udp(0);

	(void)state;
	for (int told = 0; told < 2; told++) {
		for (int i = 0; i < 3; i++)
			msgs[i] =
			    (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
		for (int i = 0; i < 3; i++)
			give(from_peer, "12345");
		assert_int_equal(recvmmsg(fd, msgs, 3, MSG_DONTWAIT | (told != 0 ? MSG_TRUNC : 0),
				     NULL),
		    3);
		for (int i = 0; i < 3; i++) {
			size_t room = iov[i].iov_len < 5 ? iov[i].iov_len : 5;

			assert_int_equal(msgs[i].msg_len, told != 0 ? 5 : room);
			assert_int_equal(msgs[i].msg_hdr.msg_flags, room < 5 ? MSG_TRUNC : 0);
			assert_memory_equal(iov[i].iov_base, "12345", room);
		}
	}
	close_pair(fd);
}

/* The first to come is told at once, and takes nothing with it. */
static void
test_error_first(void **state)
{
	struct vec *ve = vec(1);
	int fd = udp(0);

	(void)state;
	give(refused, "");
	give_number(3);
	FAILS(recvmmsg(fd, ve->ve_msgs, 4, MSG_DONTWAIT, NULL), ECONNREFUSED);
	assert_int_equal(recvmmsg(fd, ve->ve_msgs, 4, MSG_DONTWAIT, NULL), 1);
	expect_number(ve, 0, 3);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SENDTO], 0);
	free(ve);
	close_pair(fd);
}

/* A later one ends the call; no datagram behind it is lost, and the server is told to tell it again. */
static void
test_error_between(void **state)
{
	struct fdsock_dgram back;
	int fd = udp(0), backs = 0;

	(void)state;
	for (unsigned most = 1; most <= 8; most++) {
		for (unsigned at = 1; at < 9; at++) {
			struct vec *ve = vec(most);

			for (unsigned i = 0; i < 9; i++) {
				if (i == at)
					give(refused, "");
				give_number(i);
			}
			assert_int_equal(recvmmsg(fd, ve->ve_msgs, MANY, MSG_WAITFORONE, NULL), 9);
			for (unsigned i = 0; i < 9; i++)
				expect_number(ve, i, i);
			assert_int_equal(fake.fk_count[FDSOCK_OP_SENDTO], ++backs);
			assert_int_equal(fake.fk_request.fq_datalen, sizeof(back));
			memcpy(&back, fake.fk_sent, sizeof(back));
			assert_int_equal(back.dg_flags, FDSOCK_DG_ERROR);
			FAILS(recvmmsg(fd, ve->ve_msgs, 1, MSG_DONTWAIT, NULL), EAGAIN);
			free(ve);
		}
	}
	/* One that has to be asked for is not taken from the server meanwhile. */
	back = refused;
	back.dg_flags |= FDSOCK_DG_ASK;
	for (int i = 0; i < 2; i++) {
		struct vec *ve = vec(1);

		give_number(0);
		give(back, "");
		assert_int_equal(recvmmsg(fd, ve->ve_msgs, i == 0 ? MANY : 2,
				     i == 0 ? MSG_DONTWAIT : 0, NULL),
		    1);
		assert_int_equal(fake.fk_count[FDSOCK_OP_SENDTO], ++backs);
		assert_int_equal(fake.fk_count[FDSOCK_OP_QUERY], 0);
		free(ve);
	}
	close_pair(fd);
}

/* Behind an error nothing moves to a message that has less room. */
static void
test_error_rooms(void **state)
{
	char a[16], b[4], c[16];
	struct iovec iov[3] = {{a, 16}, {b, 4}, {c, 16}};
	struct mmsghdr msgs[3] = {0};
	int fd = udp(0);

	(void)state;
	for (int i = 0; i < 3; i++)
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	give(from_peer, "one");
	give(refused, "");
	give(from_peer, "longer");
	assert_int_equal(recvmmsg(fd, msgs, 3, MSG_DONTWAIT, NULL), 1);
	assert_int_equal(recvmmsg(fd, msgs, 3, MSG_DONTWAIT, NULL), 1);
	assert_int_equal(msgs[0].msg_len, 6);
	assert_memory_equal(a, "longer", 6);
	close_pair(fd);
}

static void
test_peek(void **state)
{
	struct vec *ve = vec(1);
	int fd = udp(0);

	(void)state;
	give_number(5);
	give_number(6);
	assert_int_equal(recvmmsg(fd, ve->ve_msgs, 3, MSG_DONTWAIT | MSG_PEEK, NULL), 3);
	for (unsigned i = 0; i < 3; i++)
		expect_number(ve, i, 5);
	FAILS(recvmmsg(fd, ve->ve_msgs, 3, MSG_ERRQUEUE, NULL), EAGAIN);
	assert_int_equal(recvmmsg(fd, ve->ve_msgs, 3, MSG_DONTWAIT, NULL), 2);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SENDTO], 0);
	free(ve);
	close_pair(fd);
}

/* The time is looked at behind each datagram, and what is left of it is told. */
static void
test_timeout(void **state)
{
	struct timespec ts = {0, 0};
	struct vec *ve = vec(1);
	int fd = udp(0);

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		give_number(i);
	assert_int_equal(recvmmsg(fd, ve->ve_msgs, 6, 0, &ts), 1);
	assert_true(ts.tv_sec == 0 && ts.tv_nsec == 0);
	ts = (struct timespec){0, 1};
	assert_int_equal(recvmmsg(fd, ve->ve_msgs, 6, 0, &ts), 1);
	ts = (struct timespec){1000, 999999999};
	assert_int_equal(recvmmsg(fd, ve->ve_msgs, 2, 0, &ts), 2);
	assert_true(ts.tv_sec > 900 && ts.tv_sec <= 1000 && ts.tv_nsec < 1000000000);
	ts = (struct timespec){LONG_MAX, 999999999};
	assert_int_equal(recvmmsg(fd, ve->ve_msgs, 6, MSG_WAITFORONE, &ts), 2);
	assert_true(ts.tv_sec > LONG_MAX / 2);
	ts = (struct timespec){0, 1000000000};
	FAILS(recvmmsg(fd, ve->ve_msgs, 6, 0, &ts), EINVAL);
	ts = (struct timespec){-1, 0};
	FAILS(recvmmsg(fd, ve->ve_msgs, 6, 0, &ts), EINVAL);
	ts = (struct timespec){0, -1};
	FAILS(recvmmsg(fd, ve->ve_msgs, 6, 0, &ts), EINVAL);
	ts = (struct timespec){5, 6};
	FAILS(recvmmsg(fd, ve->ve_msgs, 6, MSG_DONTWAIT, &ts), EAGAIN);
	assert_true(ts.tv_sec == 5 && ts.tv_nsec == 6);
	free(ve);
	close_pair(fd);
}

/* What came before the end is told first. */
static void
test_end(void **state)
{
	struct vec *ve = vec(1);
	int fd = udp(0);

	(void)state;
	give_number(0);
	give_number(1);
	(void)close(fake.fk_peer);
	fake.fk_error[FDSOCK_OP_QUERY] = ENOTSOCK;
	assert_int_equal(recvmmsg(fd, ve->ve_msgs, 6, 0, NULL), 2);
	expect_number(ve, 1, 1);
	FAILS(recvmmsg(fd, ve->ve_msgs, 6, 0, NULL), ECONNRESET);
	free(ve);
	(void)close(fd);
}

/* Text of the next record. */
static const char *
taken(void)
{
	static struct {
		struct fdsock_dgram hdr;
		char text[ROOM + 1];
	} dg;
	ssize_t n = recv(fake.fk_peer, &dg, sizeof(dg), MSG_DONTWAIT);

	assert_true(n >= (ssize_t)sizeof(dg.hdr) && n < (ssize_t)sizeof(dg));
	assert_int_equal(dg.hdr.dg_flags & ~(uint32_t)(FDSOCK_DG_ADDR | FDSOCK_DG_MORE), 0);
	dg.text[(size_t)n - sizeof(dg.hdr)] = '\0';
	return dg.text;
}

/* n messages to a peer, or to none, of 1 to most vectors. */
static struct vec *
outgoing(unsigned n, const struct sockaddr_in *to, unsigned most)
{
	struct vec *ve = vec(most);

	for (unsigned i = 0; i < n; i++) {
		struct msghdr *msg = &ve->ve_msgs[i].msg_hdr;

		(void)snprintf(ve->ve_bytes[i], ROOM + 1, "%024u", i);
		msg->msg_control = NULL;
		msg->msg_controllen = 0;
		msg->msg_namelen = to != NULL ? sizeof(*to) : 0;
		if (to != NULL)
			ve->ve_names[i] = *to;
	}
	return ve;
}

static void
expect_sent(const struct vec *ve, unsigned from, unsigned to)
{
	for (; from < to; from++) {
		assert_string_equal(taken(), ve->ve_bytes[from]);
		assert_int_equal(ve->ve_msgs[from].msg_len, ROOM);
	}
}

static void
test_send(void **state)
{
	int fd = udp(FDSOCK_TAG_CONNECTED);

	(void)state;
	for (unsigned most = 1; most <= 8; most++) {
		struct vec *ve = outgoing(MANY, NULL, most);

		assert_int_equal(sendmmsg(fd, ve->ve_msgs, MANY, 0), MANY);
		expect_sent(ve, 0, MANY);
		assert_int_equal(sendmmsg(fd, ve->ve_msgs, 0, 0), 0);
		free(ve);
	}
	close_pair(fd);
}

/* The first to an address is a request, in its place; so are all of whom who wants every error. */
static void
test_send_requests(void **state)
{
	struct vec *ve = outgoing(6, &peer, 2);
	int fd = udp(FDSOCK_TAG_CONNECTED);

	(void)state;
	ve->ve_names[4].sin_addr.s_addr ^= htonl(4);
	assert_int_equal(sendmmsg(fd, ve->ve_msgs, 6, 0), 6);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SENDTO], 2);
	assert_memory_equal(fake.fk_sent + sizeof(struct fdsock_dgram), ve->ve_bytes[4], ROOM);
	assert_int_equal(ve->ve_msgs[0].msg_len, ROOM);
	assert_int_equal(ve->ve_msgs[4].msg_len, ROOM);
	expect_sent(ve, 1, 4);
	expect_sent(ve, 5, 6);
	fake_tag(fd, AF_INET, SOCK_DGRAM, FDSOCK_TAG_CONNECTED | FDSOCK_TAG_RECVERR);
	assert_int_equal(sendmmsg(fd, ve->ve_msgs, 6, 0), 6);
	assert_int_equal(fake.fk_count[FDSOCK_OP_SENDTO], 8);
	fake.fk_error[FDSOCK_OP_SENDTO] = ENETUNREACH;
	FAILS(sendmmsg(fd, ve->ve_msgs, 6, 0), ENETUNREACH);
	free(ve);
	close_pair(fd);
}

/* One that cannot go ends the call: those before it have gone, and it says why when it is the first. */
static void
test_send_errors(void **state)
{
	struct vec *ve = outgoing(6, NULL, 1);
	int fd = udp(FDSOCK_TAG_CONNECTED);

	(void)state;
	ve->ve_iov[3][0].iov_len = 65508;
	assert_int_equal(sendmmsg(fd, ve->ve_msgs, 6, 0), 3);
	expect_sent(ve, 0, 3);
	FAILS(sendmmsg(fd, ve->ve_msgs + 3, 3, 0), EMSGSIZE);
	ve->ve_iov[3][0].iov_len = ROOM;
	FAILS(sendmmsg(fd, ve->ve_msgs, 6, MSG_OOB), EOPNOTSUPP);
	ve->ve_msgs[2].msg_hdr.msg_namelen = 3;
	assert_int_equal(sendmmsg(fd, ve->ve_msgs, 6, MSG_MORE), 2);
	expect_sent(ve, 0, 2);
	FAILS(sendmmsg(fd, ve->ve_msgs + 2, 1, 0), EINVAL);
	ve->ve_msgs[2].msg_hdr.msg_namelen = 0;
	(void)close(fake.fk_peer);
	FAILS(sendmmsg(fd, ve->ve_msgs, 6, 0), EPIPE);
	fake.fk_error[FDSOCK_OP_QUERY] = ENOTSOCK;
	FAILS(sendmmsg(fd, ve->ve_msgs, 6, 0), ECONNRESET);
	free(ve);
	(void)close(fd);
}

/* A full pair takes what it takes. */
static void
test_send_full(void **state)
{
	struct vec *ve = outgoing(MANY, NULL, 1);
	int fd = udp(FDSOCK_TAG_CONNECTED), sent = MANY;
	unsigned all = 0, got = 0;

	(void)state;
	while (sent == MANY) {
		sent = sendmmsg(fd, ve->ve_msgs, MANY, MSG_DONTWAIT);
		all += sent > 0 ? (unsigned)sent : 0;
	}
	FAILS(sendmmsg(fd, ve->ve_msgs, MANY, MSG_DONTWAIT), EAGAIN);
	for (; got < all; got++)
		assert_string_equal(taken(), ve->ve_bytes[got % MANY]);
	assert_int_equal(recv(fake.fk_peer, ve->ve_bytes[0], 1, MSG_DONTWAIT), -1);
	free(ve);
	close_pair(fd);
}

/* A socket that the first message moves to the host sends the rest there. */
static void
test_send_to_host(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);
	struct vec *ve;
	char text[ROOM];
	int fd = udp(0), there = udp(0);

	(void)state;
	assert_int_equal(bind(there, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(there, (struct sockaddr *)&sin, &len), 0);
	ve = outgoing(3, &sin, 1);
	assert_int_equal(sendmmsg(fd, ve->ve_msgs, 3, 0), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(recv(there, text, sizeof(text), 0), ROOM);
		assert_memory_equal(text, ve->ve_bytes[i], ROOM);
	}
	free(ve);
	(void)close(fd);
	(void)close(there);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    T(test_receive),
	    T(test_receive_all),
	    T(test_receive_cut),
	    T(test_error_first),
	    T(test_error_between),
	    T(test_error_rooms),
	    T(test_peek),
	    T(test_timeout),
	    T(test_end),
	    T(test_send),
	    T(test_send_requests),
	    T(test_send_errors),
	    T(test_send_full),
	    T(test_send_to_host),
	};
	int failed;

	(void)argc;
	fake_environment(argv);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_environment_end();
	return failed;
}
