/* SPDX-License-Identifier: BSD-2-Clause */
/* What a descriptor is: asked of the kernel, never remembered. */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SEEN_LOOKED = 1, SEEN_STREAM = 2, SEEN_DGRAM = 4, SEEN_ERRORS = 8, SEEN_INQ = 16 };
#define PROBE_MAX 1024 /* descriptors looked at where /proc is not */

static _Atomic unsigned seen;

/*
 * The program has put itself under a filter of system calls, and expects that its calls are the
 * ones it makes: from now on the traps are the plain calls. Streams go on working, without the
 * errors that their connections ended with.
 */
static _Atomic bool confined;

bool
descriptor_confined(void)
{
	return atomic_load_explicit(&confined, memory_order_relaxed);
}

TRAP int
prctl(int option, ...)
{
	unsigned long arg[4];
	va_list ap;
	long done;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (option == PR_SET_SECCOMP)
		(void)settings_server(); /* whatever is read at the first use */
	done = syscall(SYS_prctl, option, arg[0], arg[1], arg[2], arg[3]);
	if (option == PR_SET_SECCOMP && done == 0)
		atomic_store_explicit(&confined, true, memory_order_relaxed);
	return (int)done;
}

uint64_t
descriptor_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	int saved = errno;

	if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) != 0)
		cookie = 0;
	errno = saved;
	return cookie;
}

bool
descriptor_is_stream(uint64_t tag)
{
	return tag != 0 && FDSOCK_TAG_TYPE(tag) == SOCK_STREAM;
}

bool
descriptor_is_dgram(uint64_t tag)
{
	return tag != 0 && FDSOCK_TAG_TYPE(tag) != SOCK_STREAM;
}

uint64_t
descriptor_tag(int fd)
{
	uint64_t tag = 0;
	socklen_t len = sizeof(tag);
	int saved = errno;
	unsigned bit;

	if (descriptor_confined())
		return 0;
	if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &tag, &len) != 0)
		errno = saved;
	if (len != sizeof(tag) || (tag & FDSOCK_TAG_MASK) != FDSOCK_TAG_MAGIC)
		return 0;
	bit = descriptor_is_stream(tag) ? SEEN_STREAM : SEEN_DGRAM;
	if ((tag & FDSOCK_TAG_RECVERR) != 0)
		bit |= SEEN_ERRORS;
	if ((tag & FDSOCK_TAG_INQ) != 0)
		bit |= SEEN_INQ;
	if ((atomic_load_explicit(&seen, memory_order_relaxed) & bit) != bit)
		atomic_fetch_or_explicit(&seen, bit, memory_order_relaxed);
	return tag;
}

void
descriptor_mark(int fd, uint64_t bits)
{
	uint64_t tag = descriptor_tag(fd);

	if (tag != 0 && (tag & bits) != bits) {
		tag |= bits;
		(void)syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &tag,
		    sizeof(tag));
	}
}

/* --- those that this program was started with ----------------------------------------------- */

static int
number_of(const char *name)
{
	int n = 0;

	if (*name == '\0')
		return -1;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9' || n > 1 << 24)
			return -1;
		n = n * 10 + (*name - '0');
	}
	return n;
}

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

static bool
look_in_proc(void)
{
	_Alignas(struct linux_dirent64) char buf[1024];
	long n;
	int dir =
	    (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return false;
	while ((n = syscall(SYS_getdents64, dir, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < n;) {
			const struct linux_dirent64 *d = (const void *)(buf + at);
			int fd = number_of(d->d_name);

			if (fd >= 0)
				(void)descriptor_tag(fd);
			at += d->d_reclen;
		}
	}
	(void)syscall(SYS_close, dir);
	return n == 0;
}

static unsigned
look(void)
{
	int saved = errno;

	if (!look_in_proc()) {
		for (int fd = 0; fd < PROBE_MAX; fd++)
			(void)descriptor_tag(fd);
	}
	errno = saved;
	return atomic_fetch_or_explicit(&seen, SEEN_LOOKED, memory_order_relaxed);
}

static unsigned
seen_now(void)
{
	unsigned bits = atomic_load_explicit(&seen, memory_order_relaxed);

	if (descriptor_confined())
		return SEEN_LOOKED;
	return (bits & SEEN_LOOKED) != 0 ? bits : look();
}

bool
descriptor_streams_possible(void)
{
	return (seen_now() & SEEN_STREAM) != 0;
}

bool
descriptor_dgrams_possible(void)
{
	return (seen_now() & SEEN_DGRAM) != 0;
}

bool
descriptor_errors_possible(void)
{
	return (seen_now() & SEEN_ERRORS) != 0;
}

bool
descriptor_inq_possible(void)
{
	return (seen_now() & SEEN_INQ) != 0;
}

/* --- one in the place of another ------------------------------------------------------------ */

int
descriptor_replace(int from, int fd)
{
	long cloexec = syscall(SYS_fcntl, fd, F_GETFD);
	long flags = syscall(SYS_fcntl, fd, F_GETFL);
	int error = 0;

	if (cloexec < 0 || flags < 0 || syscall(SYS_fcntl, from, F_SETFL, flags) < 0 ||
	    syscall(SYS_dup3, from, fd, (cloexec & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0) < 0)
		error = errno;
	(void)syscall(SYS_close, from);
	return error;
}
