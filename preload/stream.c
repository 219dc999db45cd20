/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the end of a stream means. The kernel knows only that the pair has ended; the error that
 * the connection ended with is asked of the server, and told once, as Linux does.
 */
#include "preload.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Nothing to read now: of a connection; else there is none, or one that failed says so. */
static ssize_t
stream_would_block(int fd)
{
	const uint64_t settled = FDSOCK_TAG_CONNECTED | FDSOCK_TAG_CONNECTING;
	uint64_t tag = descriptor_streams_possible() ? descriptor_tag(fd) : 0;
	int saved = errno, pending;
	bool lost;

	if (!descriptor_is_stream(tag) || (tag & FDSOCK_TAG_CONNECTED) != 0)
		return -1;
	if (control_take_error(fd, &pending, &lost) == 0) {
		if (pending != 0)
			return fail(pending);
		if ((descriptor_tag(fd) & settled) == 0)
			return fail(ENOTCONN);
	}
	errno = saved;
	return -1;
}

/* Has the peer said that it sends no more, no less? With an error the server closes its end. */
static bool
stream_goes_on(int fd)
{
	struct pollfd pfd = {.fd = fd};

	return poll(&pfd, 1, 0) == 0;
}

ssize_t
stream_after_read(int fd, ssize_t done)
{
	int pending, saved = errno;
	bool lost;

	if (done < 0 && errno == EAGAIN)
		return stream_would_block(fd);
	if (done > 0 || (done < 0 && errno != ECONNRESET))
		return done;
	if (!descriptor_streams_possible() || !descriptor_is_stream(descriptor_tag(fd)) ||
	    (done == 0 && stream_goes_on(fd))) {
		errno = saved;
		return done;
	}
	if (control_take_error(fd, &pending, &lost) == 0)
		return pending != 0 && pending != EPIPE ? fail(pending) : 0; /* EPIPE: of writes */
	if (lost)
		return fail(ECONNRESET);
	errno = saved; /* it could not be asked */
	return done;
}

/* => as Linux has it: at the end of the stream 1, so that it is read */
static int
left_to_read(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLRDHUP};
	int left = 0, saved = errno;

	if (syscall(SYS_ioctl, fd, FIONREAD, &left) != 0)
		left = 0;
	if (left == 0 && poll(&pfd, 1, 0) == 1)
		left = 1;
	errno = saved;
	return left;
}

void
stream_tell_inq(int fd, struct msghdr *msg, size_t room)
{
	struct cmsghdr hdr = {.cmsg_len = CMSG_LEN(sizeof(int)),
	    .cmsg_level = IPPROTO_TCP,
	    .cmsg_type = TCP_CM_INQ};
	int left = left_to_read(fd);
	char *at = msg->msg_control;

	if (at == NULL || room < hdr.cmsg_len) {
		msg->msg_flags |= MSG_CTRUNC;
		return;
	}
	memcpy(at, &hdr, sizeof(hdr));
	memcpy(at + CMSG_LEN(0), &left, sizeof(left));
	msg->msg_controllen = room < CMSG_SPACE(sizeof(left)) ? room : CMSG_SPACE(sizeof(left));
}

static void
raise_sigpipe(void)
{
	(void)syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGPIPE);
}

ssize_t
stream_after_write(int fd, int flags)
{
	int pending = 0;
	bool lost = false;

	if (errno != EPIPE)
		return -1;
	if (descriptor_is_stream(descriptor_tag(fd)))
		(void)control_take_error(fd, &pending, &lost);
	if (lost)
		return fail(ECONNRESET);
	if (pending != 0 && pending != EPIPE)
		return fail(pending);
	if ((flags & MSG_NOSIGNAL) == 0)
		raise_sigpipe();
	return fail(EPIPE);
}
