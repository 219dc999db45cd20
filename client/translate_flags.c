/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flags and commands, Linux to BSD and back: socket types, message flags, fcntl, ioctl, poll.
 */
#include "translate.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>

struct flag_map {
	int fl_linux;
	int fl_bsd;
};

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))

static int
flags_to_bsd(const struct flag_map *map, size_t n, int flags, int *left)
{
	int out = 0;

	for (size_t i = 0; i < n; i++) {
		if ((flags & map[i].fl_linux) != 0)
			out |= map[i].fl_bsd;
		flags &= ~map[i].fl_linux;
	}
	*left = flags;
	return out;
}

static int
flags_to_linux(const struct flag_map *map, size_t n, int flags)
{
	int out = 0;

	for (size_t i = 0; i < n; i++) {
		if ((flags & map[i].fl_bsd) != 0)
			out |= map[i].fl_linux;
	}
	return out;
}

static const struct flag_map sock_flags[] = {
    {SOCK_NONBLOCK, BSD_SOCK_NONBLOCK},
    {SOCK_CLOEXEC, BSD_SOCK_CLOEXEC},
};

int
linux_to_bsd_sockflags(int flags, int *out)
{
	int left;

	*out = flags_to_bsd(sock_flags, NELEM(sock_flags), flags, &left);
	return left == 0 ? 0 : EINVAL;
}

int
linux_to_bsd_socktype(int type, int *out)
{
	int bare = type & 0xf, error;

	if ((error = linux_to_bsd_sockflags(type & ~0xf, out)) != 0)
		return error;
	switch (bare) {
	case SOCK_STREAM:
		*out |= BSD_SOCK_STREAM;
		return 0;
	case SOCK_DGRAM:
		*out |= BSD_SOCK_DGRAM;
		return 0;
	case SOCK_RAW:
		*out |= BSD_SOCK_RAW;
		return 0;
	default: /* Linux takes all up to SOCK_PACKET for a type, yet has none for these families */
		return bare <= SOCK_PACKET ? ESOCKTNOSUPPORT : EINVAL;
	}
}

int
linux_to_bsd_protocol(int protocol, int *out)
{
	if (protocol < 0 || protocol >= IPPROTO_MAX)
		return EINVAL;
	if (protocol > IPPROTO_RAW) /* those above are Linux's own */
		return EPROTONOSUPPORT;
	*out = protocol; /* IANA's numbers in both */
	return 0;
}

static const struct flag_map msg_flags[] = {
    {MSG_OOB, BSD_MSG_OOB},
    {MSG_PEEK, BSD_MSG_PEEK},
    {MSG_DONTROUTE, BSD_MSG_DONTROUTE},
    {MSG_CTRUNC, BSD_MSG_CTRUNC},
    {MSG_TRUNC, BSD_MSG_TRUNC},
    {MSG_DONTWAIT, BSD_MSG_DONTWAIT},
    {MSG_EOR, BSD_MSG_EOR},
    {MSG_WAITALL, BSD_MSG_WAITALL},
    {MSG_NOSIGNAL, BSD_MSG_NOSIGNAL},
};

/* Hints that change no result, or speak of descriptors that cannot come here. */
#define MSG_HINTS (MSG_CONFIRM | MSG_CMSG_CLOEXEC)

int
linux_to_bsd_msgflags(int flags, bool *more, int *out)
{
	int left;

	*more = (flags & MSG_MORE) != 0;
	if ((flags & MSG_ERRQUEUE) != 0)
		return EAGAIN;
	/* As input MSG_TRUNC asks for the datagram's length, which BSD does not offer. */
	if ((flags & MSG_TRUNC) != 0)
		return EOPNOTSUPP;
	*out = flags_to_bsd(msg_flags, NELEM(msg_flags), flags & ~(MSG_HINTS | MSG_MORE), &left);
	return left == 0 ? 0 : EOPNOTSUPP;
}

int
bsd_to_linux_msgflags(int flags)
{
	return flags_to_linux(msg_flags, NELEM(msg_flags), flags);
}

static const struct flag_map open_flags[] = {
    {O_NONBLOCK, BSD_O_NONBLOCK},
    {O_ASYNC, BSD_O_ASYNC},
};

/* Linux ignores these in F_SETFL, as they are fixed when a file is opened. */
#define O_FIXED (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_LARGEFILE | O_CLOEXEC)

static int
setfl_to_bsd(long arg, int64_t *barg)
{
	int left;

	*barg = flags_to_bsd(open_flags, NELEM(open_flags), (int)arg & ~O_FIXED, &left);
	return left == 0 ? 0 : EINVAL;
}

int
linux_to_bsd_fcntl(int cmd, long arg, int *bcmd, int64_t *barg)
{
	*barg = 0;
	switch (cmd) {
	case F_DUPFD:
		*bcmd = BSD_F_DUPFD;
		*barg = arg;
		return arg < 0 || arg > INT32_MAX ? EINVAL : 0;
	case F_DUPFD_CLOEXEC:
		*bcmd = BSD_F_DUPFD_CLOEXEC;
		*barg = arg;
		return arg < 0 || arg > INT32_MAX ? EINVAL : 0;
	case F_GETFD:
		*bcmd = BSD_F_GETFD;
		return 0;
	case F_SETFD:
		*bcmd = BSD_F_SETFD;
		*barg = (arg & FD_CLOEXEC) != 0 ? BSD_FD_CLOEXEC : 0;
		return 0;
	case F_GETFL:
		*bcmd = BSD_F_GETFL;
		return 0;
	case F_SETFL:
		*bcmd = BSD_F_SETFL;
		return setfl_to_bsd(arg, barg);
	default:
		return EINVAL;
	}
}

int
bsd_to_linux_fcntl(int cmd, int64_t retval)
{
	if (cmd == F_GETFL) /* the access modes are the same */
		return (int)(retval & BSD_O_ACCMODE) |
		    flags_to_linux(open_flags, NELEM(open_flags), (int)retval);
	if (cmd == F_GETFD)
		return (retval & BSD_FD_CLOEXEC) != 0 ? FD_CLOEXEC : 0;
	return (int)retval;
}

static const struct {
	unsigned long linux_cmd;
	uint32_t bsd_cmd;
} ioctls[] = {
    {FIONBIO, BSD_FIONBIO},
    {FIOASYNC, BSD_FIOASYNC},
    {FIONREAD, BSD_FIONREAD},
    {SIOCOUTQ, BSD_FIONWRITE},
    {SIOCATMARK, BSD_SIOCATMARK},
    {FIOCLEX, BSD_FIOCLEX},
    {FIONCLEX, BSD_FIONCLEX},
};

int
linux_to_bsd_ioctl(unsigned long cmd, uint32_t *out)
{
	for (size_t i = 0; i < NELEM(ioctls); i++) {
		if (ioctls[i].linux_cmd == cmd) {
			*out = ioctls[i].bsd_cmd;
			return 0;
		}
	}
	return ENOTTY;
}

int
linux_to_bsd_shutdown(int how)
{
	return how >= SHUT_RD && how <= SHUT_RDWR ? 0 : EINVAL; /* the same numbers */
}

int
linux_to_bsd_dup3flags(int flags, int *out)
{
	*out = (flags & O_CLOEXEC) != 0 ? BSD_O_CLOEXEC : 0;
	return (flags & ~O_CLOEXEC) != 0 ? EINVAL : 0;
}

/* POLLWRNORM is POLLOUT in BSD. */
static const struct flag_map poll_flags[] = {
    {POLLIN, BSD_POLLIN},
    {POLLPRI, BSD_POLLPRI},
    {POLLOUT, BSD_POLLOUT},
    {POLLERR, BSD_POLLERR},
    {POLLHUP, BSD_POLLHUP},
    {POLLNVAL, BSD_POLLNVAL},
    {POLLRDNORM, BSD_POLLRDNORM},
    {POLLRDBAND, BSD_POLLRDBAND},
    {POLLWRNORM, BSD_POLLOUT},
    {POLLWRBAND, BSD_POLLWRBAND},
};

int
linux_to_bsd_pollfd(const struct pollfd *in, struct bsd_pollfd *out)
{
	int left;

	out->fd = in->fd;
	out->revents = 0;
	out->events = (int16_t)flags_to_bsd(poll_flags, NELEM(poll_flags), in->events, &left);
	if (in->fd >= 0 && (left & POLLRDHUP) != 0 && (in->events & (POLLIN | POLLRDNORM)) == 0)
		return EINVAL;
	return 0; /* other unknown bits are ignored by Linux too */
}

short
bsd_to_linux_revents(int16_t revents, short events)
{
	int out = flags_to_linux(poll_flags, NELEM(poll_flags), revents);

	/* One BSD bit stands for two of Linux: tell only what was asked. */
	return (short)(out & (events | POLLERR | POLLHUP | POLLNVAL));
}
