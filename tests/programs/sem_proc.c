/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets across programs: spawn, vfork, system, daemons, and workers that share a listener. */
#include "calls.h"

#include <spawn.h>

#define WORKERS 4
#define CONNECTIONS 40

extern char **environ;

/* What the next program does with the number it is told. */
static void
use(void)
{
	int fd = atoi(calls_argv[0]);
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	char buf[8];

	DO(getpeername(fd, (struct sockaddr *)&sin, &len));
	DO(write(fd, "child", 5));
	DO(recv(fd, buf, 5, MSG_WAITALL));
	DO_FD(socket(AF_INET, SOCK_STREAM, 0));
}

static char **
use_arguments(int fd)
{
	static char number[16], self[] = "/proc/self/exe", name[] = "-use";
	static char *argv[] = {self, name, number, NULL};

	(void)snprintf(number, sizeof(number), "%d", fd);
	return argv;
}

static void
spawned(void)
{
	int fd[2];
	char buf[8];
	pid_t pid;

	calls_pair(fd);
	MUST(write(fd[1], "hello", 5));
	DO(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, use_arguments(fd[0]), environ));
	DO(recv(fd[1], buf, 5, MSG_WAITALL));
	(void)printf("it -> %s\n", host_ended(pid));
	DO(write(fd[0], "parent", 6));
	MUST(fcntl(fd[0], F_SETFD, FD_CLOEXEC));
	DO(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, use_arguments(fd[0]), environ));
	(void)printf("it -> %s\n", host_ended(pid));
	DO(recv(fd[1], buf, 6, MSG_WAITALL));
}

static void
vforked(void)
{
	char **argv = use_arguments(4), buf[8];
	int fd[2];
	pid_t pid;

	calls_pair(fd);
	MUST(dup2(fd[0], 90));
	(void)snprintf(argv[2], 16, "90");
	MUST(write(fd[1], "hello", 5));
	pid = vfork();
	if (pid == 0) {
		close(fd[0]);
		execv(argv[0], argv);
		_exit(9);
	}
	DO(recv(fd[1], buf, 5, MSG_WAITALL));
	(void)printf("it -> %s\n", host_ended(pid));
	DO(write(fd[0], "still", 5));
	DO(recv(fd[1], buf, 5, MSG_WAITALL));
}

/* A shell writes to the socket by its redirections; a socket is its standard input. */
static void
by_shell(void)
{
	char command[64], buf[32];
	int fd[2], saved;
	FILE *pipe;

	calls_pair(fd);
	(void)snprintf(command, sizeof(command), "echo from a shell >&%d", fd[0]);
	DO(system(command));
	DO(read(fd[1], buf, sizeof(buf)));
	saved = (int)MUST(dup(0));
	MUST(dup2(fd[0], 0));
	MUST(write(fd[1], "a line\n", 7));
	MUST(shutdown(fd[1], SHUT_WR));
	DO(system("cat"));
	pipe = popen("cat >&2 2>/dev/null; echo done", "r");
	DO(strcmp(fgets(buf, sizeof(buf), pipe), "done\n"));
	DO(pclose(pipe));
	MUST(dup2(saved, 0));
	DO(write(fd[0], "x", 1));
	DO(read(fd[1], buf, sizeof(buf)));
}

/* Double fork, no terminal, no descriptors 0 to 2; then what a server does. */
static void
daemon_serves(int report)
{
	int listener, fd[2];
	struct sockaddr_in sin = calls_addr("127.0.0.1", 0);
	char text[32], buf[4];

	close(0);
	close(1);
	close(2);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	(void)snprintf(text, sizeof(text), "number %d;", listener);
	(void)!write(report, text, strlen(text));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(listener, 2) != 0)
		_exit(1);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd[0], calls_loopback(calls_port(listener)), ADDRLEN) != 0)
		_exit(2);
	fd[1] = accept(listener, NULL, NULL);
	(void)snprintf(text, sizeof(text), "numbers %d %d;", fd[0], fd[1]);
	(void)!write(report, text, strlen(text));
	if (write(fd[0], "x", 1) != 1 || read(fd[1], buf, 4) != 1)
		_exit(3);
	(void)!write(report, "served", 6);
	_exit(0);
}

static void
daemonised(void)
{
	int report[2], before = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	char text[128] = "";
	size_t n = 0;
	ssize_t r;
	pid_t pid;

	host_pipe(report);
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		setsid();
		if (fork() == 0)
			daemon_serves(report[1]);
		_exit(0);
	}
	(void)printf("the first child -> %s\n", host_ended(pid));
	close(report[1]);
	while ((r = read(report[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	(void)printf("the daemon -> %s\n", text);
	DO(close(before));
}

static void
worker(int listener)
{
	char byte;

	for (;;) {
		int s = accept(listener, NULL, NULL);

		if (s < 0 || read(s, &byte, 1) != 1)
			_exit(1);
		if (byte == 'q')
			_exit(0);
		if (write(s, "w", 1) != 1)
			_exit(1);
		close(s);
	}
}

static int
talk_to(int port, char byte)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	ssize_t n;

	MUST(connect(fd, calls_loopback(port), ADDRLEN));
	MUST(write(fd, &byte, 1));
	n = read(fd, &byte, 1);
	close(fd);
	return n == 1 && byte == 'w';
}

static void
workers(void)
{
	int listener = calls_listener(32), port = calls_port(listener), served = 0;
	pid_t pid[WORKERS];

	for (int i = 0; i < WORKERS; i++) {
		pid[i] = (pid_t)MUST(fork());
		if (pid[i] == 0)
			worker(listener);
	}
	for (int i = 0; i < CONNECTIONS; i++)
		served += talk_to(port, 'x');
	DO(served);
	for (int i = 0; i < WORKERS; i++)
		(void)talk_to(port, 'q');
	for (int i = 0; i < WORKERS; i++)
		(void)printf("a worker -> %s\n", host_ended(pid[i]));
}

static void *
acceptor(void *arg)
{
	int s = accept(*(int *)arg, NULL, NULL);

	return s >= 0 && write(s, "t", 1) == 1 && close(s) == 0 ? arg : NULL;
}

static void
threads_accept(void)
{
	int listener = calls_listener(8), got = 0, done = 0;
	pthread_t thread[WORKERS];
	char byte;

	for (int i = 0; i < WORKERS; i++)
		MUST(-pthread_create(&thread[i], NULL, acceptor, &listener));
	for (int i = 0; i < WORKERS; i++) {
		int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

		MUST(connect(fd, calls_loopback(calls_port(listener)), ADDRLEN));
		got += read(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 0;
		close(fd);
	}
	for (int i = 0; i < WORKERS; i++) {
		void *result;

		MUST(-pthread_join(thread[i], &result));
		done += result != NULL;
	}
	DO(got);
	DO(done);
}

static int early_pair[2];

/* Before any library's constructor, the C library's among them. */
static void
before_constructors(int argc, char **argv, char **envp)
{
	(void)envp;
	if (argc > 1 && strcmp(argv[1], "early") == 0)
		calls_pair(early_pair);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **,
    char **) = before_constructors;

static void
early(void)
{
	char buf[8];
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	DO(write(early_pair[0], "early", 5));
	DO(read(early_pair[1], buf, sizeof(buf)));
	DO(getpeername(early_pair[0], (struct sockaddr *)&sin, &len));
	DO(shutdown(early_pair[0], SHUT_WR));
	DO(read(early_pair[1], buf, sizeof(buf)));
	calls_pair(early_pair);
	DO(write(early_pair[1], "later", 5));
	DO(read(early_pair[0], buf, sizeof(buf)));
}

const struct calls_case calls_cases[] = {
    {"spawned", spawned},
    {"vforked", vforked},
    {"by-shell", by_shell},
    {"daemonised", daemonised},
    {"workers", workers},
    {"threads-accept", threads_accept},
    {"-use", use},
    {"early", early},
    {NULL, NULL},
};
