/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * small_writes MODE ADDRESS PORT BYTES: writes a stream in which each eight bytes are their place, in
 * small writes as fast as it can, in one of these ways:
 *
 *   plain     64 bytes each                     killed    and ends by SIGKILL
 *   mixed     of all sizes, by all calls        shut      and shuts down; a write after that fails
 *   raw       some past any library             nonblock  without waiting
 *   fork      two processes take turns          signals   while signals come, whose handler writes too
 *   exec      so does what is started           number    on a descriptor whose number another gets
 *   threads   four threads take turns
 *
 * "signals" and "number" make two connections. With "tail" it goes on where another has stopped, on
 * its standard input. Exit status 0: all was written.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONGEST 70000
#define BURST 400

/* A stream, and how much of it has been written. */
struct out {
	int fd;
	uint64_t at;
};

static uint32_t seed = 1;
static struct out second;

static _Noreturn void
die(const char *what)
{
	(void)fprintf(stderr, "small_writes: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t
any(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

/* The n bytes of the stream from at on. */
static const uint8_t *
bytes_at(uint8_t *room, uint64_t at, size_t n)
{
	for (uint64_t place = at / 8; place <= (at + n) / 8; place++)
		memcpy(room + (place - at / 8) * 8, &place, sizeof(place));
	return room + at % 8;
}

/* --- ways to write -------------------------------------------------------------------------- */

/* What no library sees. => -1 with errno */
static ssize_t
raw_write(int fd, const void *buf, size_t n)
{
#ifdef __x86_64__
	long done;

	__asm__ volatile("syscall"
			 : "=a"(done)
			 : "0"(SYS_write), "D"(fd), "S"(buf), "d"(n)
			 : "rcx", "r11", "memory");
	if (done < 0) {
		errno = (int)-done;
		return -1;
	}
	return done;
#else
	return syscall(SYS_write, fd, buf, n);
#endif
}

static ssize_t
by_vector(int fd, const uint8_t *p, size_t n, bool message)
{
	struct iovec iov[3] = {{(void *)(uintptr_t)p, n / 3}, {(void *)(uintptr_t)(p + n / 3), 0},
	    {(void *)(uintptr_t)(p + n / 3), n - n / 3}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3};

	return message ? sendmsg(fd, &msg, 0) : writev(fd, iov, 3);
}

static ssize_t
by_file(int fd, const uint8_t *p, size_t n)
{
	int file = memfd_create("small_writes", 0);
	off_t from = 0;
	ssize_t done;

	if (file < 0 || write(file, p, n) != (ssize_t)n)
		die("memfd");
	done = sendfile(fd, file, &from, n);
	(void)close(file);
	return done;
}

enum { WRITE, RAW, SEND, MORE, NOWAIT, VECTOR, MESSAGE, FROM_FILE, WAYS };

static ssize_t
by(int way, int fd, const uint8_t *p, size_t n)
{
	switch (way) {
	case RAW:
		return raw_write(fd, p, n);
	case SEND:
		return send(fd, p, n, 0);
	case MORE:
		return send(fd, p, n, MSG_MORE);
	case NOWAIT:
		return send(fd, p, n, MSG_DONTWAIT);
	case VECTOR:
	case MESSAGE:
		return by_vector(fd, p, n, way == MESSAGE);
	case FROM_FILE:
		return by_file(fd, p, n);
	default:
		return write(fd, p, n);
	}
}

/* The next n bytes. */
static void
put(struct out *o, size_t n, int way)
{
	uint8_t room[LONGEST + 16]; /* a handler has its own */
	uint64_t end = o->at + n;

	while (o->at < end) {
		size_t left = (size_t)(end - o->at);
		ssize_t done = by(way, o->fd, bytes_at(room, o->at, left), left);
		struct pollfd pfd = {.fd = o->fd, .events = POLLOUT};

		if (done > 0)
			o->at += (uint64_t)done;
		else if (errno == EAGAIN)
			(void)poll(&pfd, 1, -1);
		else if (errno != EINTR)
			die("write");
	}
}

static size_t
some(void)
{
	return 1 + any(any(20) == 0 ? LONGEST : any(4) == 0 ? 3000 : 200);
}

static void
put_plain(struct out *o, uint64_t end)
{
	while (o->at < end)
		put(o, 64, WRITE);
}

/* At first small ones only, so that memory is shared. */
static void
put_mixed(struct out *o, uint64_t end, bool raw)
{
	put_plain(o, end / 4);
	while (o->at < end) {
		int way = (int)any(WAYS);

		if (way == RAW && !raw)
			way = WRITE;
		if (way == FROM_FILE && any(8) != 0)
			way = WRITE;
		put(o, some(), way);
	}
}

static void
burst(struct out *o, int way)
{
	for (int i = 0; i < BURST; i++)
		put(o, 1 + any(300), way);
}

/* --- modes ---------------------------------------------------------------------------------- */

/* Two processes: who has the token, the place, writes. */
static void
take_turns(struct out *o, uint64_t end, int in, int to, bool child)
{
	while (read(in, &o->at, sizeof(o->at)) == sizeof(o->at) && o->at < end) {
		burst(o, child && any(2) == 0 ? RAW : WRITE);
		if (write(to, &o->at, sizeof(o->at)) != sizeof(o->at))
			die("token");
	}
	(void)close(to);
}

static void
mode_fork(struct out *o, uint64_t end)
{
	int forth[2], back[2], status;
	pid_t pid;

	put_plain(o, end / 2);
	if (pipe(forth) != 0 || pipe(back) != 0 || (pid = fork()) < 0)
		die("fork");
	if (pid == 0) {
		(void)close(forth[1]);
		(void)close(back[0]);
		take_turns(o, end, forth[0], back[1], true);
		_exit(0);
	}
	(void)close(forth[0]);
	(void)close(back[1]);
	if (write(forth[1], &o->at, sizeof(o->at)) != sizeof(o->at))
		die("token");
	take_turns(o, end, back[0], forth[1], false);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("child");
}

/* Programs that are started go on with the stream, with the library and without it. */
static void
mode_exec(struct out *o, uint64_t end, char **argv)
{
	for (int round = 0; o->at < end; round++) {
		char at[32], bytes[] = "30000";
		int status;
		pid_t pid;

		put_plain(o, o->at + end / 20);
		(void)snprintf(at, sizeof(at), "%llu", (unsigned long long)o->at);
		if ((pid = fork()) == 0) {
			if (round % 2 != 0)
				(void)unsetenv("LD_PRELOAD");
			(void)dup2(o->fd, 0);
			(void)execl("/proc/self/exe", argv[0], "tail", at, bytes, bytes, NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			die("exec");
		o->at += 30000;
	}
}

static struct out *shared;
static uint64_t shared_end;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *
thread(void *arg)
{
	bool more = true;

	while (more) {
		(void)pthread_mutex_lock(&lock);
		more = shared->at < shared_end;
		for (int i = 0; more && i < 7; i++)
			put(shared, 1 + any(500), WRITE);
		(void)pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void
mode_threads(struct out *o, uint64_t end)
{
	pthread_t threads[4];

	shared = o;
	shared_end = end;
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, thread, NULL) != 0)
			die("thread");
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
}

/* The old number is closed behind every library's back, and the second stream gets it. */
static void
mode_number(struct out *o, uint64_t end)
{
	for (int round = 0; o->at < end; round++) {
		int old = o->fd, other = fcntl(old, F_DUPFD_CLOEXEC, 0);

		put_plain(o, o->at + end / 50);
		o->fd = other;
#ifdef __x86_64__
		long done;
		__asm__ volatile("syscall"
				 : "=a"(done)
				 : "0"(SYS_dup2), "D"(second.fd), "S"(old)
				 : "rcx", "r11", "memory");
#else
		(void)dup3(second.fd, old, 0);
#endif
		(void)close(second.fd);
		second.fd = old;
		for (int i = 0; i < 50; i++) {
			put(&second, 1 + any(64), any(3) == 0 ? RAW : WRITE);
			put(o, 1 + any(64), WRITE);
		}
	}
}

static void
on_alarm(int number)
{
	int saved = errno;

	(void)number;
	put(&second, 64, WRITE);
	errno = saved;
}

static void
mode_signals(struct out *o, uint64_t end)
{
	const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	struct sigaction sa = {.sa_handler = on_alarm};

	(void)sigaction(SIGALRM, &sa, NULL);
	(void)setitimer(ITIMER_REAL, &often, NULL);
	put_plain(o, end);
	(void)setitimer(ITIMER_REAL, &never, NULL);
}

static void
mode_shut(struct out *o, uint64_t end)
{
	put_plain(o, end);
	if (shutdown(o->fd, SHUT_WR) != 0)
		die("shutdown");
	if (write(o->fd, "x", 1) != -1 || errno != EPIPE)
		die("a write after shutdown");
}

static int
connected(const char *address, const char *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1 || fd < 0 ||
	    connect(fd, (const struct sockaddr *)&sin, sizeof(sin)) != 0)
		die("connect");
	return fd;
}

static void
run(const char *mode, struct out *o, uint64_t end, char **argv)
{
	if (strcmp(mode, "mixed") == 0 || strcmp(mode, "raw") == 0)
		put_mixed(o, end, *mode == 'r');
	else if (strcmp(mode, "fork") == 0)
		mode_fork(o, end);
	else if (strcmp(mode, "exec") == 0)
		mode_exec(o, end, argv);
	else if (strcmp(mode, "threads") == 0)
		mode_threads(o, end);
	else if (strcmp(mode, "number") == 0)
		mode_number(o, end);
	else if (strcmp(mode, "signals") == 0)
		mode_signals(o, end);
	else if (strcmp(mode, "shut") == 0)
		mode_shut(o, end);
	else
		put_plain(o, end);
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 4 ? argv[1] : "";
	struct out o = {0};

	if (argc != 5)
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	if (strcmp(mode, "tail") == 0) {
		o.at = strtoull(argv[2], NULL, 10);
		uint64_t end = o.at + strtoull(argv[3], NULL, 10);
		while (o.at < end)
			put(&o, end - o.at < 50 ? (size_t)(end - o.at) : 50, WRITE);
		return 0;
	}
	o.fd = connected(argv[2], argv[3]);
	if (strcmp(mode, "signals") == 0 || strcmp(mode, "number") == 0)
		second.fd = connected(argv[2], argv[3]);
	if (strcmp(mode, "nonblock") == 0)
		(void)fcntl(o.fd, F_SETFL, O_NONBLOCK);
	run(mode, &o, strtoull(argv[4], NULL, 10), argv);
	(void)printf("%llu %llu\n", (unsigned long long)o.at, (unsigned long long)second.at);
	(void)fflush(stdout);
	if (strcmp(mode, "killed") == 0)
		(void)kill(getpid(), SIGKILL);
	return 0;
}
