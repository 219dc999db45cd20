/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program does past this library, each kind said once on standard error, when `rumpus run -v`
 * asks for it (RUMPUS_VERBOSE): bare system calls by syscall(), and io_uring by syscall() or
 * liburing. Instructions of the program's own that enter the kernel are not seen.
 */
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The linker's: where this library begins and ends in memory. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

enum notice { NOTICE_SOCKET, NOTICE_CALL, NOTICE_URING, NOTICE_COUNT };

static const char *const notices[] = {
    [NOTICE_SOCKET] = "makes sockets by bare system calls: they are the host's",
    [NOTICE_CALL] = "makes bare system calls on sockets of the stack: only read and write of "
		    "streams, and polling, do what they should",
    [NOTICE_URING] = "sets up io_uring: read, write and poll work; sockets that it makes, "
		     "connects or accepts by it are the host's",
};
_Static_assert(sizeof(notices) / sizeof(notices[0]) == NOTICE_COUNT, "a text each");

static const int calls_on_sockets[] = {SYS_connect, SYS_bind, SYS_listen, SYS_accept4,
    SYS_getsockname, SYS_getpeername, SYS_setsockopt, SYS_getsockopt, SYS_shutdown};
static const int calls_on_datagrams[] = {SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_sendto,
    SYS_recvfrom, SYS_sendmsg, SYS_recvmsg};

static void
notice_say(enum notice what)
{
	static _Atomic bool said[NOTICE_COUNT];
	char line[256];
	int n;

	if (atomic_exchange(&said[what], true))
		return;
	n = snprintf(line, sizeof(line), "rumpus: %s: %s\n", program_invocation_short_name,
	    notices[what]);
	(void)syscall(SYS_write, STDERR_FILENO, line, (size_t)n < sizeof(line) ? n : 0);
}

static bool
is_among(long number, const int *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == number)
			return true;
	}
	return false;
}

static bool
is_past_us(long number, int fd)
{
	uint64_t tag;

	if (is_among(number, calls_on_sockets, sizeof(calls_on_sockets) / sizeof(int)))
		return descriptor_tag(fd) != 0;
	if (!is_among(number, calls_on_datagrams, sizeof(calls_on_datagrams) / sizeof(int)))
		return false;
	tag = descriptor_tag(fd);
	return tag != 0 && descriptor_is_dgram(tag);
}

/* Whether code lies in this library, which makes its own calls in the same way. */
static bool
is_ours(const void *code)
{
	return (const char *)code >= __ehdr_start && (const char *)code < _end;
}

void
notice_syscall(long number, long arg, const void *caller)
{
	if (is_ours(caller))
		return;
	if (number == SYS_io_uring_setup)
		notice_say(NOTICE_URING);
	else if (number == SYS_socket && (arg == AF_INET || arg == AF_INET6))
		notice_say(NOTICE_SOCKET);
	else if (is_past_us(number, (int)arg))
		notice_say(NOTICE_CALL);
}

/* --- liburing ------------------------------------------------------------------------------- */

struct io_uring;
struct io_uring_params;

TRAP int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
TRAP int io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
    struct io_uring_params *params);

TRAP int
io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	int (*next)(unsigned, struct io_uring *, unsigned);

	*(void **)&next = dlsym(RTLD_NEXT, "io_uring_queue_init");
	if (settings_verbose())
		notice_say(NOTICE_URING);
	return next != NULL ? next(entries, ring, flags) : -ENOSYS;
}

TRAP int
io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *params)
{
	int (*next)(unsigned, struct io_uring *, struct io_uring_params *);

	*(void **)&next = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	if (settings_verbose())
		notice_say(NOTICE_URING);
	return next != NULL ? next(entries, ring, params) : -ENOSYS;
}
