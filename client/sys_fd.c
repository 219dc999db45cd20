/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls on descriptors as such, on waiting for them, and on the server itself.
 */
#include "args.h"
#include "session.h"
#include "translate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <rumpus/client.h>

/* Bit n of an fd_set lies at the same place in words of 32 and of 64 bits, on this machine. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "sets and frames are little-endian");
_Static_assert(sizeof(struct timespec) == sizeof(struct bsd_timespec), "timespec is the same");
_Static_assert(sizeof(struct pollfd) == sizeof(struct bsd_pollfd), "pollfd has the same layout");

#define POLL_ON_STACK 32
#define POLL_MAX 65536

int
rumpus_sys_close(int fd)
{
	const uint64_t args[] = {num(fd)};

	return (int)client_syscall(BSD_SYS_close, args, 1, NULL, 0);
}

pid_t
rumpus_sys_getpid(void)
{
	return (pid_t)client_syscall(BSD_SYS_getpid, NULL, 0, NULL, 0);
}

int
rumpus_sys_dup(int fd)
{
	const uint64_t args[] = {num(fd)};

	return (int)client_syscall(BSD_SYS_dup, args, 1, NULL, 0);
}

int
rumpus_sys_dup2(int from, int to)
{
	const uint64_t args[] = {num(from), num(to)};

	return (int)client_syscall(BSD_SYS_dup2, args, 2, NULL, 0);
}

int
rumpus_sys_dup3(int from, int to, int flags)
{
	int bflags, error = linux_to_bsd_dup3flags(flags, &bflags);

	if (error != 0 || from == to)
		return fail(EINVAL);
	const uint64_t args[] = {num(from), num(to), num(bflags)};
	return (int)client_syscall(BSD_SYS_dup3, args, 3, NULL, 0);
}

int
rumpus_sys_fcntl(int fd, int cmd, long arg)
{
	int64_t barg, retval;
	int bcmd, error;

	if ((error = linux_to_bsd_fcntl(cmd, arg, &bcmd, &barg)) != 0)
		return fail(error);
	const uint64_t args[] = {num(fd), num(bcmd), num(barg)};
	retval = client_syscall(BSD_SYS_fcntl, args, 3, NULL, 0);
	return retval < 0 ? -1 : bsd_to_linux_fcntl(cmd, retval);
}

/* Each ioctl in the table takes an int, or nothing. */
int
rumpus_sys_ioctl(int fd, unsigned long cmd, void *data)
{
	struct iovec user = {data, sizeof(int)};
	uint32_t bcmd;
	int error = linux_to_bsd_ioctl(cmd, &bcmd);

	if (error != 0)
		return fail(error);
	const uint64_t args[] = {num(fd), bcmd, addr(data)};
	return (int)client_syscall(BSD_SYS_ioctl, args, 3, &user, 1);
}

int
rumpus_sys_reboot(int how, char *str)
{
	const uint64_t args[] = {num(how), addr(str)};

	return (int)client_syscall(BSD_SYS_reboot, args, 2, NULL, 0);
}

int
rumpus_sys___sysctl(const int *name, unsigned namelen, void *old, size_t *oldlen,
    const void *new_value, size_t newlen)
{
	const uint64_t args[] = {addr(name), namelen, addr(old), addr(oldlen), addr(new_value),
	    newlen};
	struct iovec user[] = {{old, oldlen != NULL && old != NULL ? *oldlen : 0},
	    {oldlen, sizeof(*oldlen)}};

	return (int)client_syscall(BSD_SYS___sysctl, args, 6, user, 2);
}

int
rumpus_sysctlbyname(const char *name, void *old, size_t *oldlenp, const void *new_value,
    size_t newlen)
{
	static const int name2oid[] = {0, 3};
	int oid[24];
	size_t oidlen = sizeof(oid);

	if (name == NULL)
		return fail(EFAULT);
	if (rumpus_sys___sysctl(name2oid, 2, oid, &oidlen, name, strlen(name)) != 0)
		return -1;
	if (oidlen > sizeof(oid) || oidlen % sizeof(oid[0]) != 0)
		return fail(EPROTO);
	return rumpus_sys___sysctl(oid, (unsigned)(oidlen / sizeof(oid[0])), old, oldlenp,
	    new_value, newlen);
}

/* poll() or pollts() on a translated copy. wait is milliseconds, or a timespec's address. */
static int
poll_call(uint32_t number, struct pollfd *fds, nfds_t n, uint64_t wait)
{
	struct bsd_pollfd few[POLL_ON_STACK], *copy = few;
	const int nargs = number == BSD_SYS_poll ? 3 : 4;
	int ready = -1, error = 0;

	if (n > POLL_MAX)
		return fail(EINVAL);
	if (n > 0 && fds == NULL)
		return fail(EFAULT);
	if (n > POLL_ON_STACK && (copy = calloc(n, sizeof(*copy))) == NULL)
		return fail(ENOMEM);
	for (nfds_t i = 0; i < n && error == 0; i++)
		error = linux_to_bsd_pollfd(&fds[i], &copy[i]);
	if (error == 0) {
		const uint64_t args[] = {addr(copy), n, wait, 0};

		ready = (int)client_syscall(number, args, nargs, NULL, 0);
		error = errno;
	}
	for (nfds_t i = 0; i < n && ready >= 0; i++)
		fds[i].revents = bsd_to_linux_revents(copy[i].revents, fds[i].events);
	if (copy != few)
		free(copy);
	return ready < 0 ? fail(error) : ready;
}

int
rumpus_sys_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	return poll_call(BSD_SYS_poll, fds, n, num(timeout_ms < 0 ? -1 : timeout_ms));
}

int
rumpus_sys_pollts(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
    const sigset_t *mask)
{
	if (mask != NULL)
		return fail(EOPNOTSUPP);
	return poll_call(BSD_SYS_pollts, fds, n, addr(timeout));
}

int
rumpus_sys_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	return rumpus_sys_pollts(fds, n, timeout, mask);
}

/* Sets are the program's own: beyond FD_SETSIZE the server would read what is no set. */
static int
select_call(uint32_t number, int n, fd_set *const sets[3], const void *timeout)
{
	const uint64_t args[] = {num(n), addr(sets[0]), addr(sets[1]), addr(sets[2]), addr(timeout),
	    0};
	struct iovec user[3];

	if (n < 0 || n > FD_SETSIZE)
		return fail(EINVAL);
	for (int i = 0; i < 3; i++)
		user[i] = (struct iovec){sets[i], sets[i] != NULL ? sizeof(fd_set) : 0};
	return (int)client_syscall(number, args, number == BSD_SYS_select ? 5 : 6, user, 3);
}

/* Linux tells in timeout what was left of it. */
static void
time_left(struct timeval *timeout, int64_t end_ns)
{
	int64_t left_ns = end_ns - monotonic_ns();

	if (left_ns < 0)
		left_ns = 0;
	timeout->tv_sec = left_ns / 1000000000;
	timeout->tv_usec = left_ns % 1000000000 / 1000;
}

int
rumpus_sys_select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
	fd_set *const sets[3] = {r, w, e};
	struct bsd_timeval btv;
	int64_t end_ns;
	int ready;

	if (timeout == NULL)
		return select_call(BSD_SYS_select, n, sets, NULL);
	if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
		return fail(EINVAL);
	/* Linux carries microseconds of more than a second over. */
	btv = (struct bsd_timeval){.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000,
	    .tv_usec = (int32_t)(timeout->tv_usec % 1000000)};
	if (btv.tv_sec > INT32_MAX)
		btv.tv_sec = INT32_MAX;
	end_ns = monotonic_ns() + btv.tv_sec * 1000000000 + btv.tv_usec * (int64_t)1000;
	ready = select_call(BSD_SYS_select, n, sets, &btv);
	if (ready >= 0)
		time_left(timeout, end_ns);
	return ready;
}

int
rumpus_sys_pselect(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout,
    const sigset_t *mask)
{
	fd_set *const sets[3] = {r, w, e};

	if (mask != NULL)
		return fail(EOPNOTSUPP);
	return select_call(BSD_SYS_pselect, n, sets, timeout);
}
