/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes and threads that share sockets: fork, exec, death, many calls at once. */
#include "calls.h"

#define THREADS 8
#define ROUNDS 300

static void
fork_both_write(void)
{
	int fd[2], up[2];
	char buf[8];
	pid_t pid;

	calls_pair(fd);
	host_pipe(up);
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		DO(write(fd[0], "child ", 6));
		DO(close(fd[1]));
		host_give(up[1]);
		_exit(7);
	}
	DO(host_take(up[0]));
	(void)printf("the child -> %s\n", host_ended(pid));
	DO(recv(fd[1], buf, 6, MSG_WAITALL));
	DO(write(fd[0], "parent", 6));
	DO(recv(fd[1], buf, 6, MSG_WAITALL));
	DO(write(fd[1], "back", 4));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(fcntl(fd[0], F_SETFL, O_NONBLOCK));
	DO(close(fd[1]));
	(void)printf("polls -> %s\n", calls_wait(fd[0], POLLIN));
	DO(read(fd[0], buf, sizeof(buf)));
}

/* Only when both have closed it does the peer see the end. */
static void
fork_last_close(void)
{
	int fd[2], down[2];
	char byte;
	pid_t pid;

	calls_pair(fd);
	host_pipe(down);
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		(void)close(fd[1]);
		_exit(host_take(down[0]) && write(fd[0], "x", 1) == 1 ? 0 : 1);
	}
	DO(close(fd[0]));
	DO(recv(fd[1], &byte, 1, MSG_DONTWAIT));
	host_give(down[1]);
	DO(read(fd[1], &byte, 1));
	DO(read(fd[1], &byte, 1));
	(void)printf("the child -> %s\n", host_ended(pid));
}

static void
fork_accepts(void)
{
	int listener = calls_listener(5), port = calls_port(listener), c;
	char buf[16];
	pid_t pid[4];

	for (int i = 0; i < 4; i++) {
		pid[i] = (pid_t)MUST(fork());
		if (pid[i] == 0) {
			int s = accept(listener, NULL, NULL);

			_exit(s >= 0 && write(s, "from a child", 12) == 12 ? 0 : 1);
		}
	}
	for (int i = 0; i < 4; i++) {
		c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
		DO(connect(c, calls_loopback(port), ADDRLEN));
		DO(recv(c, buf, sizeof(buf), MSG_WAITALL));
		DO(close(c));
	}
	for (int i = 0; i < 4; i++)
		(void)printf("a child -> %s\n", host_ended(pid[i]));
	c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	DO(connect(c, calls_loopback(port), ADDRLEN));
	DO_FD(accept(listener, NULL, NULL));
}

/* Flags of the file are shared, those of the descriptor are not; nor are new descriptors. */
static void
fork_shares(void)
{
	int fd[2], n;
	pid_t pid;

	calls_pair(fd);
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
		(void)fcntl(fd[0], F_SETFD, FD_CLOEXEC);
		n = socket(AF_INET, SOCK_STREAM, 0);
		(void)dup2(n, 40);
		_exit(n == fd[0] || n == fd[1] ? 1 : 0);
	}
	(void)printf("the child -> %s\n", host_ended(pid));
	DO(fcntl(fd[0], F_GETFL) & O_NONBLOCK);
	DO(fcntl(fd[0], F_GETFD));
	DO(fcntl(40, F_GETFD));
}

static void
killed(void)
{
	int listener = calls_listener(5), port = calls_port(listener), s;
	char buf[8];
	pid_t pid;

	for (int unread = 0; unread < 2; unread++) {
		pid = (pid_t)MUST(fork());
		if (pid == 0) {
			int c = socket(AF_INET, SOCK_STREAM, 0);

			(void)connect(c, calls_loopback(port), ADDRLEN);
			(void)write(c, "alive", 5);
			(void)calls_wait(c, unread ? POLLIN : 0);
			(void)write(c, "ready", 5);
			(void)read(unread ? listener : c, buf, 1);
			host_sleep_ms(20000);
			_exit(0);
		}
		s = (int)MUST(accept(listener, NULL, NULL));
		DO(recv(s, buf, 5, MSG_WAITALL));
		if (unread)
			DO(write(s, "never read", 10));
		else
			DO(kill(pid, SIGKILL));
		if (unread) {
			DO(recv(s, buf, 5, MSG_WAITALL));
			DO(kill(pid, SIGKILL));
		}
		(void)printf("the child -> %s\n", host_ended(pid));
		(void)printf("the peer polls -> %s\n", calls_wait(s, POLLIN));
		DO(read(s, buf, 5));
		DO(close(s));
	}
}

/* The new program's half of exec_keeps: descriptor numbers come as arguments. */
static void
exec_child(void)
{
	int kept, gone, c;
	char buf[8];

	MUST(calls_argc == 2 ? 0 : -1);
	kept = atoi(calls_argv[0]);
	gone = atoi(calls_argv[1]);
	DO(write(kept, "new program", 11));
	DO(read(kept, buf, 5));
	DO(write(gone, "x", 1));
	DO(fcntl(kept, F_GETFD));
	c = DO_FD(socket(AF_INET, SOCK_STREAM, 0));
	DO(close(c));
}

static void
exec_keeps(void)
{
	int fd[2], gone[2];
	char keep[16], lose[16], buf[16];
	pid_t pid;

	calls_pair(fd);
	calls_pair(gone);
	(void)snprintf(keep, sizeof(keep), "%d", fd[0]);
	(void)snprintf(lose, sizeof(lose), "%d", gone[0]);
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		char *argv[] = {(char *)(uintptr_t) "calls_proc", (char *)(uintptr_t) "-exec-child",
		    keep, lose, NULL};

		MUST(close(fd[1]));
		MUST(close(gone[1]));
		MUST(fcntl(gone[0], F_SETFD, FD_CLOEXEC));
		(void)execve("/proc/self/exe", argv, environ);
		_exit(9);
	}
	MUST(close(gone[0]));
	MUST(recv(fd[1], buf, 11, MSG_WAITALL));
	MUST(write(fd[1], "reply", 5));
	(void)printf("the child -> %s\n", host_ended(pid));
	DO(memcmp(buf, "new program", 11));
	DO(read(gone[1], buf, 1));
	DO(write(fd[0], "ours", 4));
	DO(recv(fd[1], buf, 4, MSG_WAITALL));
}

static void
exec_fails(void)
{
	char *argv[] = {(char *)(uintptr_t) "none", NULL};
	int fd[2];
	char byte;

	calls_pair(fd);
	DO(execve("/nonexistent/program", argv, environ));
	DO(execve("/dev/null", argv, environ));
	DO(write(fd[0], "x", 1));
	DO(read(fd[1], &byte, 1));
}

struct shared {
	int sh_fd;
	unsigned sh_id;
	unsigned long sh_sum;
	int sh_bad;
};

static void *
share_writer(void *arg)
{
	struct shared *sh = arg;
	uint8_t record[64];

	memset(record, (int)sh->sh_id + 1, sizeof(record));
	for (int i = 0; i < ROUNDS; i++) {
		if (send(sh->sh_fd, record, sizeof(record), 0) != (ssize_t)sizeof(record))
			sh->sh_bad++;
	}
	return NULL;
}

static void *
share_reader(void *arg)
{
	struct shared *sh = arg;
	uint8_t buf[1000];
	ssize_t n;

	while ((n = read(sh->sh_fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sh->sh_sum += buf[i];
	}
	if (n < 0)
		sh->sh_bad++;
	return NULL;
}

/* Eight threads write to one socket, eight read from its peer: no byte is lost or doubled. */
static void
threads_share(void)
{
	struct shared out[THREADS], in[THREADS];
	pthread_t writers[THREADS], readers[THREADS];
	unsigned long sum = 0;
	int fd[2], bad = 0;

	calls_pair(fd);
	for (unsigned i = 0; i < THREADS; i++) {
		out[i] = (struct shared){.sh_fd = fd[0], .sh_id = i};
		in[i] = (struct shared){.sh_fd = fd[1], .sh_id = i};
		MUST(-pthread_create(&readers[i], NULL, share_reader, &in[i]));
		MUST(-pthread_create(&writers[i], NULL, share_writer, &out[i]));
	}
	for (unsigned i = 0; i < THREADS; i++)
		MUST(-pthread_join(writers[i], NULL));
	DO(shutdown(fd[0], SHUT_WR));
	for (unsigned i = 0; i < THREADS; i++) {
		MUST(-pthread_join(readers[i], NULL));
		sum += in[i].sh_sum;
		bad += in[i].sh_bad + out[i].sh_bad;
	}
	DO(sum);
	DO(bad);
}

struct waiter {
	int wa_fd;
	long wa_result;
	int wa_errno;
	char wa_call;
};

static void *
waiter_main(void *arg)
{
	struct waiter *wa = arg;
	struct pollfd p = {.fd = wa->wa_fd, .events = POLLIN};
	char byte;

	if (wa->wa_call == 'r')
		wa->wa_result = read(wa->wa_fd, &byte, 1);
	else if (wa->wa_call == 'a')
		wa->wa_result = accept(wa->wa_fd, NULL, NULL);
	else
		wa->wa_result = poll(&p, 1, 10000);
	wa->wa_errno = errno;
	return NULL;
}

static void
waiter_say(const char *what, const struct waiter *wa)
{
	(void)printf("%s -> ", what);
	if (wa->wa_result < 0)
		(void)printf("%s\n", calls_errname(wa->wa_errno));
	else
		(void)printf("%ld\n", wa->wa_result);
}

/*
 * Threads blocked in calls on descriptors that another one closes. The host lets them wait on, so
 * the peer's end ends them too; the stack ends them at once. Either way none hangs.
 */
static void
close_under(void)
{
	struct waiter wa = {.wa_call = 'r'};
	pthread_t thread;
	int fd[2];

	calls_pair(fd);
	wa.wa_fd = fd[0];
	MUST(-pthread_create(&thread, NULL, waiter_main, &wa));
	host_sleep_ms(100);
	DO(close(fd[0]));
	host_sleep_ms(50);
	DO(close(fd[1]));
	MUST(-pthread_join(thread, NULL));
	waiter_say("a blocked read", &wa);
	DO(socket(AF_INET, SOCK_STREAM, 0) == fd[0]);
}

static void
shutdown_under(void)
{
	struct waiter wa = {.wa_call = 'r'};
	int fd[2], listener = calls_listener(1);
	pthread_t thread;

	calls_pair(fd);
	wa.wa_fd = fd[0];
	MUST(-pthread_create(&thread, NULL, waiter_main, &wa));
	host_sleep_ms(100);
	DO(shutdown(fd[0], SHUT_RD));
	MUST(-pthread_join(thread, NULL));
	waiter_say("a blocked read", &wa);
	wa = (struct waiter){.wa_call = 'p', .wa_fd = fd[1]};
	MUST(-pthread_create(&thread, NULL, waiter_main, &wa));
	host_sleep_ms(100);
	DO(shutdown(fd[0], SHUT_WR));
	MUST(-pthread_join(thread, NULL));
	waiter_say("a blocked poll", &wa);
	wa = (struct waiter){.wa_call = 'a', .wa_fd = listener};
	MUST(-pthread_create(&thread, NULL, waiter_main, &wa));
	host_sleep_ms(100);
	DO(shutdown(listener, SHUT_RDWR));
	MUST(-pthread_join(thread, NULL));
	waiter_say("a blocked accept", &wa);
}

/* Sixty-four threads wait, each for a byte of its own; all are woken, each by its own. */
static void
many_in_flight(void)
{
	enum { MANY = 64 };
	static struct waiter wa[MANY];
	static pthread_t thread[MANY];
	static int fd[MANY][2];
	long sum = 0;

	for (int i = 0; i < MANY; i++) {
		calls_pair(fd[i]);
		wa[i] = (struct waiter){.wa_call = i % 2 ? 'r' : 'p', .wa_fd = fd[i][1]};
		MUST(-pthread_create(&thread[i], NULL, waiter_main, &wa[i]));
	}
	for (int i = MANY - 1; i >= 0; i--)
		MUST(write(fd[i][0], "x", 1));
	for (int i = 0; i < MANY; i++) {
		MUST(-pthread_join(thread[i], NULL));
		sum += wa[i].wa_result;
	}
	DO(sum);
}

/* Two threads, one descriptor, both ways at once, with data both must get whole. */
static void *
duplex_writer(void *arg)
{
	static uint8_t buf[2][300000];
	struct shared *sh = arg;
	size_t done = 0;

	calls_fill(buf[sh->sh_id], sizeof(buf[0]), sh->sh_id);
	while (done < sizeof(buf[0])) {
		ssize_t n = write(sh->sh_fd, buf[sh->sh_id] + done, sizeof(buf[0]) - done);

		if (n < 0) {
			sh->sh_bad++;
			break;
		}
		done += (size_t)n;
	}
	return NULL;
}

static void *
duplex_reader(void *arg)
{
	struct shared *sh = arg;

	sh->sh_bad = !calls_expect(sh->sh_fd, 300000, sh->sh_id);
	return NULL;
}

static void
duplex(void)
{
	struct shared sh[4];
	pthread_t thread[4];
	int fd[2];

	calls_pair(fd);
	for (unsigned i = 0; i < 4; i++) {
		sh[i] = (struct shared){.sh_fd = fd[i < 2 ? i : 3 - i], .sh_id = i % 2};
		MUST(-pthread_create(&thread[i], NULL, i < 2 ? duplex_writer : duplex_reader,
		    &sh[i]));
	}
	for (unsigned i = 0; i < 4; i++) {
		MUST(-pthread_join(thread[i], NULL));
		DO(sh[i].sh_bad);
	}
}

const struct calls_case calls_cases[] = {
    {"fork-both-write", fork_both_write},
    {"fork-last-close", fork_last_close},
    {"fork-accepts", fork_accepts},
    {"fork-shares", fork_shares},
    {"killed", killed},
    {"-exec-child", exec_child},
    {"exec-keeps", exec_keeps},
    {"exec-fails", exec_fails},
    {"threads-share", threads_share},
    {"close-under", close_under},
    {"shutdown-under", shutdown_under},
    {"many-in-flight", many_in_flight},
    {"duplex", duplex},
    {NULL, NULL},
};
