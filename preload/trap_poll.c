/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll and ppoll, for programs with a queue of errors (IP_RECVERR): the kernel knows nothing of
 * errors on our descriptors, which become readable by a record that says so. Where that record is at
 * the front, POLLERR is shown, and POLLIN only if there is more; so a program goes to its queue.
 *
 * Not done: select shows such a descriptor readable, as Linux does, and needs nothing. epoll tells
 * EPOLLIN where Linux tells EPOLLERR, since its events do not name descriptors; nor does poll show
 * POLLERR of a descriptor that it is not asked POLLIN of.
 */
#include "preload.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
look_for_error(struct pollfd *pfd)
{
	uint64_t tag = descriptor_tag(pfd->fd);
	struct fdsock_dgram dg;
	int held = 0;

	if (!descriptor_is_dgram(tag) || (tag & FDSOCK_TAG_RECVERR) == 0)
		return;
	if (syscall(SYS_recvfrom, pfd->fd, &dg, sizeof(dg), MSG_PEEK | MSG_DONTWAIT, NULL, NULL) !=
		(long)sizeof(dg) ||
	    (dg.dg_flags & FDSOCK_DG_ERROR) == 0)
		return;
	pfd->revents |= POLLERR;
	if (syscall(SYS_ioctl, pfd->fd, FIONREAD, &held) == 0 && held <= (int)sizeof(dg))
		pfd->revents &= (short)~(POLLIN | POLLRDNORM);
}

static int
look_for_errors(struct pollfd *fds, nfds_t n, int ready)
{
	int saved = errno;

	if (ready <= 0 || !descriptor_errors_possible())
		return ready;
	for (nfds_t i = 0; i < n; i++) {
		if (fds[i].fd >= 0 && (fds[i].revents & (POLLIN | POLLRDNORM)) != 0)
			look_for_error(&fds[i]);
	}
	errno = saved;
	return ready;
}

TRAP int
poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	return look_for_errors(fds, n, real()->re_poll(fds, n, timeout_ms));
}

TRAP int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	return look_for_errors(fds, n, real()->re_ppoll(fds, n, timeout, mask));
}

/* --- the same under the C library's other names --------------------------------------------- */

TRAP int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t room);
TRAP int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
    const sigset_t *mask, size_t room);
_Noreturn void __chk_fail(void);

TRAP int
__poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t room)
{
	if (room / sizeof(*fds) < n)
		__chk_fail();
	return poll(fds, n, timeout_ms);
}

TRAP int
__ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
    size_t room)
{
	if (room / sizeof(*fds) < n)
		__chk_fail();
	return ppoll(fds, n, timeout, mask);
}
