/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the library reads once: the C library's own calls, and from the environment the server's
 * path (RUMPUS_SERVER), the rules (RUMPUS_RULES, text), a resolv.conf's path (RUMPUS_RESOLV) and
 * whether to speak (RUMPUS_VERBOSE). Programs clear and overwrite their environment, so all are
 * copied.
 *
 * The constructor does it. Another library's constructor may come before: then the settings are
 * read at its first call, and calls go to the kernel directly.
 */
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define EARLY_MAX 65536 /* bytes of an environment read early */

static struct real real_calls;
static _Atomic bool real_known;

static char server_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static char resolv_path[PATH_MAX];
static struct rules rules;
static bool verbose;
static _Atomic bool settings_known;

int
fail(int error)
{
	errno = error;
	return -1;
}

/* --- bare system calls ---------------------------------------------------------------------- */

static ssize_t
raw_read(int fd, void *buf, size_t n)
{
	return syscall(SYS_read, fd, buf, n);
}

static ssize_t
raw_readv(int fd, const struct iovec *iov, int iovcnt)
{
	return syscall(SYS_readv, fd, iov, iovcnt);
}

static ssize_t
raw_write(int fd, const void *buf, size_t n)
{
	return syscall(SYS_write, fd, buf, n);
}

static ssize_t
raw_writev(int fd, const struct iovec *iov, int iovcnt)
{
	return syscall(SYS_writev, fd, iov, iovcnt);
}

static ssize_t
raw_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from, socklen_t *fromlen)
{
	return syscall(SYS_recvfrom, fd, buf, n, flags, from, fromlen);
}

static ssize_t
raw_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return syscall(SYS_recvmsg, fd, msg, flags);
}

static int
raw_recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags, struct timespec *timeout)
{
	return (int)syscall(SYS_recvmmsg, fd, vec, n, flags, timeout);
}

static ssize_t
raw_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t tolen)
{
	return syscall(SYS_sendto, fd, buf, n, flags, to, tolen);
}

static ssize_t
raw_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return syscall(SYS_sendmsg, fd, msg, flags);
}

static int
raw_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
	return (int)syscall(SYS_sendmmsg, fd, vec, n, flags);
}

static int
raw_accept4(int fd, struct sockaddr *addr, socklen_t *addrlen, int flags)
{
	return (int)syscall(SYS_accept4, fd, addr, addrlen, flags);
}

static int
raw_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return (int)syscall(SYS_connect, fd, addr, len);
}

static int
raw_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	return (int)syscall(SYS_poll, fds, n, timeout_ms);
}

/* The kernel writes the time left, which the caller's must not show. */
static int
raw_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec left = timeout != NULL ? *timeout : (struct timespec){0};

	return (int)syscall(SYS_ppoll, fds, n, timeout != NULL ? &left : NULL, mask, _NSIG / 8);
}

static const struct real bare = {
    .re_read = raw_read,
    .re_readv = raw_readv,
    .re_write = raw_write,
    .re_writev = raw_writev,
    .re_recvfrom = raw_recvfrom,
    .re_recvmsg = raw_recvmsg,
    .re_recvmmsg = raw_recvmmsg,
    .re_sendto = raw_sendto,
    .re_sendmsg = raw_sendmsg,
    .re_sendmmsg = raw_sendmmsg,
    .re_accept4 = raw_accept4,
    .re_connect = raw_connect,
    .re_poll = raw_poll,
    .re_ppoll = raw_ppoll,
};

const struct real *
real(void)
{
	return atomic_load_explicit(&real_known, memory_order_acquire) ? &real_calls : &bare;
}

/* --- the C library's ------------------------------------------------------------------------ */

static void
real_find(const char *name, void *slot)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (symbol != NULL)
		memcpy(slot, &symbol, sizeof(symbol));
}

static void
real_find_all(void)
{
	struct real found = bare;

	real_find("read", &found.re_read);
	real_find("readv", &found.re_readv);
	real_find("write", &found.re_write);
	real_find("writev", &found.re_writev);
	real_find("recvfrom", &found.re_recvfrom);
	real_find("recvmsg", &found.re_recvmsg);
	real_find("recvmmsg", &found.re_recvmmsg);
	real_find("sendto", &found.re_sendto);
	real_find("sendmsg", &found.re_sendmsg);
	real_find("sendmmsg", &found.re_sendmmsg);
	real_find("accept4", &found.re_accept4);
	real_find("connect", &found.re_connect);
	real_find("poll", &found.re_poll);
	real_find("ppoll", &found.re_ppoll);
	real_calls = found;
	atomic_store_explicit(&real_known, true, memory_order_release);
}

/* --- the environment ------------------------------------------------------------------------ */

/*
 * Before the C library's own constructor there is no environ (a program's .preinit_array runs
 * then): it is read from where the kernel put it. => NUL-terminated strings, one after the other
 */
static size_t
environ_early(char *buf, size_t size)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	long n = 1;

	while (fd >= 0 && have < size && (n = syscall(SYS_read, fd, buf + have, size - have)) > 0)
		have += (size_t)n;
	if (fd >= 0)
		(void)syscall(SYS_close, fd);
	while (have > 0 && buf[have - 1] != '\0') /* one that was cut */
		have--;
	return have;
}

static const char *
settings_variable(const char *name)
{
	static char early[EARLY_MAX];
	size_t len = strlen(name), have, at;

	if (environ != NULL)
		return getenv(name);
	have = environ_early(early, sizeof(early));
	for (at = 0; at < have; at += strlen(early + at) + 1) {
		if (strncmp(early + at, name, len) == 0 && early[at + len] == '=')
			return early + at + len + 1;
	}
	return NULL;
}

/* Runs twice at worst, with the same outcome. A text that is wrong counts as none. */
static void
settings_read(void)
{
	const char *path = settings_variable("RUMPUS_SERVER");
	const char *text = settings_variable("RUMPUS_RULES");
	const char *resolv = settings_variable("RUMPUS_RESOLV");
	struct rules rs = {0};

	if (resolv != NULL && strlen(resolv) < sizeof(resolv_path))
		memcpy(resolv_path, resolv, strlen(resolv) + 1);
	verbose = settings_variable("RUMPUS_VERBOSE") != NULL;
	if (path != NULL && strlen(path) < sizeof(server_path))
		memcpy(server_path, path, strlen(path) + 1);
	if (text != NULL && rules_parse(&rs, text, NULL) != 0)
		rs.rs_n = 0;
	(void)rules_parse(&rs, RULES_DEFAULT, NULL);
	rules = rs;
	atomic_store_explicit(&settings_known, true, memory_order_release);
}

static void
settings_need(void)
{
	if (!atomic_load_explicit(&settings_known, memory_order_acquire))
		settings_read();
}

const char *
settings_server(void)
{
	settings_need();
	return server_path;
}

const struct rules *
settings_rules(void)
{
	settings_need();
	return &rules;
}

const char *
settings_resolv(void)
{
	settings_need();
	return resolv_path[0] != '\0' ? resolv_path : NULL;
}

bool
settings_verbose(void)
{
	/* Asked of by every bare call, those that read the settings among them. */
	return atomic_load_explicit(&settings_known, memory_order_acquire) && verbose;
}

__attribute__((constructor)) static void
settings_init(void)
{
	int saved = errno;

	real_find_all();
	settings_need();
	errno = saved;
}
