/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that move data. On a stream they are the kernel's own; only an end or an error is
 * looked into. On a datagram socket they read and write records. Which of the two a descriptor is
 * need only be asked in a process that has had datagram sockets of the stack at all.
 *
 * Writes are made without SIGPIPE, since a connection that was reset says so first, by errno.
 */
#include "preload.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define DISCARD_MAX 16384 /* bytes that one call with MSG_TRUNC throws away at most */

/* => the tag of a datagram socket, else 0 */
static uint64_t
dgram_tag(int fd)
{
	uint64_t tag = descriptor_dgrams_possible() ? descriptor_tag(fd) : 0;

	return descriptor_is_dgram(tag) ? tag : 0;
}

/* Of which a descriptor's own calls make nothing, not even an empty datagram. */
static bool
holds_nothing(const struct iovec *iov, int iovcnt)
{
	for (int i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > 0)
			return false;
	}
	return true;
}

/* --- receiving ------------------------------------------------------------------------------ */

TRAP ssize_t
read(int fd, void *buf, size_t n)
{
	uint64_t tag = dgram_tag(fd);
	struct iovec iov = {buf, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t done;

	if (tag != 0)
		return n == 0 ? 0 : dgram_recv(fd, tag, &msg, 0);
	done = real()->re_read(fd, buf, n);
	return done > 0 || n == 0 ? done : stream_after_read(fd, done);
}

TRAP ssize_t
readv(int fd, const struct iovec *iov, int iovcnt)
{
	uint64_t tag = dgram_tag(fd);
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
	    .msg_iovlen = (size_t)iovcnt};
	ssize_t done;

	if (tag != 0 && iovcnt >= 0)
		return holds_nothing(iov, iovcnt) ? 0 : dgram_recv(fd, tag, &msg, 0);
	done = real()->re_readv(fd, iov, iovcnt);
	return done > 0 ? done : stream_after_read(fd, done);
}

/* A stream has no queue of errors and no ancillary data of a peer's. */
static bool
stream_refuses(int fd, int flags)
{
	return (flags & MSG_ERRQUEUE) != 0 && descriptor_is_stream(descriptor_tag(fd));
}

static ssize_t
dgram_recvfrom(int fd, uint64_t tag, struct iovec iov, int flags, struct msghdr *msg)
{
	msg->msg_iov = &iov;
	msg->msg_iovlen = 1;
	return dgram_recv(fd, tag, msg, flags);
}

/* Throws away what would have been read: an AF_UNIX pair has no such way. */
static ssize_t
stream_discard(int fd, size_t n, int flags)
{
	char scratch[DISCARD_MAX];

	if (n > sizeof(scratch))
		n = sizeof(scratch);
	return real()->re_recvfrom(fd, scratch, n, flags & ~MSG_TRUNC, NULL, NULL);
}

TRAP ssize_t
recvfrom(int fd, void *restrict buf, size_t n, int flags, __SOCKADDR_ARG from,
    socklen_t *restrict fromlen)
{
	uint64_t tag = dgram_tag(fd);
	struct msghdr msg = {0};
	ssize_t done;

	if (tag != 0) {
		if (from.__sockaddr__ != NULL && fromlen != NULL) {
			msg.msg_name = from.__sockaddr__;
			msg.msg_namelen = *fromlen;
		}
		done = dgram_recvfrom(fd, tag, (struct iovec){buf, n}, flags, &msg);
		if (done >= 0 && msg.msg_name != NULL)
			*fromlen = msg.msg_namelen;
		return done;
	}
	if (stream_refuses(fd, flags))
		return fail(EAGAIN);
	if ((flags & MSG_TRUNC) != 0 && descriptor_is_stream(descriptor_tag(fd)))
		done = stream_discard(fd, n, flags);
	else
		done = real()->re_recvfrom(fd, buf, n, flags, from.__sockaddr__, fromlen);
	return done > 0 || n == 0 ? done : stream_after_read(fd, done);
}

TRAP ssize_t
recv(int fd, void *buf, size_t n, int flags)
{
	return recvfrom(fd, buf, n, flags, (__SOCKADDR_ARG){.__sockaddr__ = NULL}, NULL);
}

/* Descriptors that came with a message may be sockets of the stack: see what they are. */
static void
note_received(struct msghdr *msg)
{
	if (msg->msg_control == NULL || msg->msg_controllen < CMSG_LEN(sizeof(int)))
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t n =
		    c->cmsg_len < CMSG_LEN(0) ? 0 : (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			(void)descriptor_tag(fd);
		}
	}
}

/* TCP_INQ */
static bool
wants_inq(int fd)
{
	return descriptor_inq_possible() && (descriptor_tag(fd) & FDSOCK_TAG_INQ) != 0;
}

TRAP ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	uint64_t tag = dgram_tag(fd);
	size_t room;
	ssize_t done;

	if (tag != 0)
		return dgram_recv(fd, tag, msg, flags);
	if (stream_refuses(fd, flags))
		return fail(EAGAIN);
	if (!wants_inq(fd)) {
		done = real()->re_recvmsg(fd, msg, flags);
		if (done >= 0)
			note_received(msg);
		return done > 0 ? done : stream_after_read(fd, done);
	}
	room = msg->msg_controllen;
	done = real()->re_recvmsg(fd, msg, flags);
	if (done <= 0)
		done = stream_after_read(fd, done);
	if (done >= 0)
		stream_tell_inq(fd, msg, room);
	return done;
}

/* One message, which tells what was left behind it. */
static int
stream_recvmmsg1(int fd, struct mmsghdr *vec, int flags)
{
	ssize_t done = recvmsg(fd, &vec->msg_hdr, flags & ~MSG_WAITFORONE);

	if (done < 0)
		return -1;
	vec->msg_len = (unsigned)done;
	return 1;
}

TRAP int
recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags, struct timespec *timeout)
{
	uint64_t tag = dgram_tag(fd);
	int done;

	if (tag != 0)
		return dgram_recvmmsg(fd, tag, vec, n, flags, timeout);
	if (stream_refuses(fd, flags))
		return fail(EAGAIN);
	if (n > 0 && wants_inq(fd))
		return stream_recvmmsg1(fd, vec, flags);
	done = real()->re_recvmmsg(fd, vec, n, flags, timeout);
	for (int i = 0; i < done; i++)
		note_received(&vec[i].msg_hdr);
	return done > 0 ? done : (int)stream_after_read(fd, done);
}

/* --- sending -------------------------------------------------------------------------------- */

/* A write() made as a send without SIGPIPE: what became of it? => true: *done is the result */
static bool
wrote_quietly(int fd, ssize_t *done)
{
	if (*done < 0 && errno == ENOTSOCK)
		return false;
	share_sent(fd, *done);
	if (*done < 0)
		*done = stream_after_write(fd, 0);
	return true;
}

TRAP ssize_t
write(int fd, const void *buf, size_t n)
{
	struct iovec iov = {(void *)(uintptr_t)buf, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	uint64_t tag = dgram_tag(fd);
	ssize_t done;

	if (tag != 0)
		return dgram_send(fd, tag, &msg, 0);
	if (!descriptor_streams_possible())
		return real()->re_write(fd, buf, n);
	if ((done = share_send(fd, &iov, 1, 0)) > 0)
		return done;
	done = real()->re_sendto(fd, buf, n, MSG_NOSIGNAL, NULL, 0); /* cheaper than sendmsg */
	return wrote_quietly(fd, &done) ? done : real()->re_write(fd, buf, n);
}

TRAP ssize_t
writev(int fd, const struct iovec *iov, int iovcnt)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
	    .msg_iovlen = (size_t)iovcnt};
	uint64_t tag = dgram_tag(fd);
	ssize_t done;

	if (iovcnt < 0 || iovcnt > IOV_MAX)
		return real()->re_writev(fd, iov, iovcnt);
	if (tag != 0)
		return holds_nothing(iov, iovcnt) ? 0 : dgram_send(fd, tag, &msg, 0);
	if (!descriptor_streams_possible())
		return real()->re_writev(fd, iov, iovcnt);
	if ((done = share_send(fd, iov, iovcnt, 0)) > 0)
		return done;
	done = real()->re_sendmsg(fd, &msg, MSG_NOSIGNAL);
	return wrote_quietly(fd, &done) ? done : real()->re_writev(fd, iov, iovcnt);
}

TRAP ssize_t
sendto(int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t tolen)
{
	const struct sockaddr *sa = to.__sockaddr__;
	struct iovec iov = {(void *)(uintptr_t)buf, n};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_name = (void *)(uintptr_t)sa,
	    .msg_namelen = sa != NULL ? tolen : 0};
	uint64_t tag = dgram_tag(fd);
	ssize_t done;

	if (tag != 0)
		return dgram_send(fd, tag, &msg, flags);
	if (!descriptor_streams_possible())
		return real()->re_sendto(fd, buf, n, flags, sa, tolen);
	if (sa != NULL && descriptor_is_stream(descriptor_tag(fd))) {
		if ((flags & MSG_FASTOPEN) != 0)
			return fail(EOPNOTSUPP);
		sa = NULL; /* TCP does not look at it */
		tolen = 0;
	}
	if ((flags & MSG_FASTOPEN) != 0 && descriptor_is_stream(descriptor_tag(fd)))
		return fail(
		    (descriptor_tag(fd) & FDSOCK_TAG_CONNECTED) != 0 ? EISCONN : EOPNOTSUPP);
	if (sa == NULL && (done = share_send(fd, &iov, 1, flags)) > 0)
		return done;
	done = real()->re_sendto(fd, buf, n, flags | MSG_NOSIGNAL, sa, tolen);
	share_sent(fd, done);
	return done >= 0 ? done : stream_after_write(fd, flags);
}

TRAP ssize_t
send(int fd, const void *buf, size_t n, int flags)
{
	return sendto(fd, buf, n, flags, (__CONST_SOCKADDR_ARG){.__sockaddr__ = NULL}, 0);
}

/* Linux looks at levels that TCP does not know, and at descriptors, only to pass over them. */
static int
stream_strip(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type != SCM_RIGHTS &&
		    c->cmsg_type != SCM_CREDENTIALS)
			return EINVAL;
	}
	msg->msg_name = NULL;
	msg->msg_namelen = 0;
	msg->msg_control = NULL;
	msg->msg_controllen = 0;
	return 0;
}

TRAP ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	uint64_t tag = dgram_tag(fd);
	struct msghdr bare;
	ssize_t done;

	if (tag != 0)
		return dgram_send(fd, tag, msg, flags);
	if (!descriptor_streams_possible())
		return real()->re_sendmsg(fd, msg, flags);
	bare = *msg;
	if ((msg->msg_name != NULL || msg->msg_control != NULL) &&
	    descriptor_is_stream(descriptor_tag(fd))) {
		if ((flags & MSG_FASTOPEN) != 0)
			return fail(EOPNOTSUPP);
		if (stream_strip(&bare) != 0)
			return fail(EINVAL);
	}
	if (bare.msg_name == NULL && bare.msg_control == NULL && bare.msg_iovlen <= IOV_MAX &&
	    (done = share_send(fd, bare.msg_iov, (int)bare.msg_iovlen, flags)) > 0)
		return done;
	done = real()->re_sendmsg(fd, &bare, flags | MSG_NOSIGNAL);
	share_sent(fd, done);
	return done >= 0 ? done : stream_after_write(fd, flags);
}

TRAP int
sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
	uint64_t tag = descriptor_tag(fd);
	unsigned i;

	if (tag == 0)
		return real()->re_sendmmsg(fd, vec, n, flags);
	if (descriptor_is_dgram(tag))
		return dgram_sendmmsg(fd, tag, vec, n, flags);
	for (i = 0; i < n && i < IOV_MAX; i++) {
		ssize_t done = sendmsg(fd, &vec[i].msg_hdr, flags);

		if (done < 0)
			break;
		vec[i].msg_len = (unsigned)done;
	}
	return i > 0 || n == 0 ? (int)i : -1;
}

/* --- the same under the C library's other names --------------------------------------------- */

TRAP ssize_t __read_chk(int fd, void *buf, size_t n, size_t room);
TRAP ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags);
TRAP ssize_t __recvfrom_chk(int fd, void *restrict buf, size_t n, size_t room, int flags, ...);
_Noreturn void __chk_fail(void);

TRAP ssize_t
__read_chk(int fd, void *buf, size_t n, size_t room)
{
	if (n > room)
		__chk_fail();
	return read(fd, buf, n);
}

TRAP ssize_t
__recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
	if (n > room)
		__chk_fail();
	return recv(fd, buf, n, flags);
}

/* Two more arguments, the address and its length; they are passed alike either way. */
TRAP ssize_t
__recvfrom_chk(int fd, void *restrict buf, size_t n, size_t room, int flags, ...)
{
	struct sockaddr *from;
	socklen_t *fromlen;
	va_list ap;

	if (n > room)
		__chk_fail();
	va_start(ap, flags);
	from = va_arg(ap, struct sockaddr *);
	fromlen = va_arg(ap, socklen_t *);
	va_end(ap);
	return recvfrom(fd, buf, n, flags, (__SOCKADDR_ARG){.__sockaddr__ = from}, fromlen);
}
