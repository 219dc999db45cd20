/* SPDX-License-Identifier: BSD-2-Clause */
/* What a socket is as a descriptor: numbers, copies, passing, closing, and what it is not. */
#include "calls.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void
high_numbers(void)
{
	int fd[2], copy;
	char buf[8];

	calls_pair(fd);
	DO(copy = fcntl(fd[0], F_DUPFD, 100));
	DO(write(copy, "a", 1));
	DO(copy = fcntl(fd[0], F_DUPFD_CLOEXEC, 900));
	DO(fcntl(copy, F_GETFD));
	DO(write(copy, "b", 1));
	DO(dup2(fd[0], 500));
	DO(close(fd[0]));
	DO(write(500, "c", 1));
	DO(dup3(500, 0, O_CLOEXEC));
	DO(write(0, "d", 1));
	DO(recv(fd[1], buf, 4, MSG_WAITALL));
	DO(memcmp(buf, "abcd", 4));
	DO(dup3(500, 500, 0));
	DO(fcntl(500, F_DUPFD, -1));
	DO(fcntl(500, F_SETFL, O_NONBLOCK));
	DO((fcntl(copy, F_GETFL) & O_NONBLOCK) != 0);
}

static void
give(int through, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	MUST(sendmsg(through, &msg, 0));
}

static int
take(int through)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	int fd;

	MUST(recvmsg(through, &msg, MSG_CMSG_CLOEXEC));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* A process that has never had a socket of its own is given some. */
static void
stranger(int through)
{
	int c = take(through), listener = take(through), u = take(through), s;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	char buf[16];

	DO(write(c, "passed", 6));
	DO(read(c, buf, sizeof(buf)));
	DO(fcntl(c, F_GETFD));
	DO(getpeername(c, (struct sockaddr *)&sin, &len));
	DO(ntohs(sin.sin_port) == calls_port(listener));
	DO_FD(s = accept(listener, NULL, NULL));
	DO(read(s, buf, sizeof(buf)));
	DO(recv(u, buf, sizeof(buf), 0));
	DO(write(s, "bye", 3));
}

static void
passing(void)
{
	int through[2], fd[2], listener, u[2], c;
	char buf[16];
	pid_t pid;

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, through));
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		close(through[0]);
		stranger(through[1]);
		_exit(0);
	}
	close(through[1]);
	listener = calls_listener(4);
	fd[0] = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(fd[0], calls_loopback(calls_port(listener)), ADDRLEN));
	fd[1] = (int)MUST(accept(listener, NULL, NULL));
	calls_udp_pair(u);
	c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(c, calls_loopback(calls_port(listener)), ADDRLEN));
	MUST(write(c, "to the stranger", 15));
	MUST(sendto(u[0], "dgram", 5, 0, calls_loopback(calls_port(u[1])), ADDRLEN));
	give(through[0], fd[0]);
	give(through[0], listener);
	give(through[0], u[1]);
	close(fd[0]);
	close(listener);
	MUST(read(fd[1], buf, sizeof(buf)));
	MUST(write(fd[1], "answer", 6));
	(void)printf("the child -> %s\n", host_ended(pid));
	DO(read(c, buf, sizeof(buf)));
	DO(read(c, buf, sizeof(buf)));
	DO(read(fd[1], buf, sizeof(buf)));
}

/* All that is open goes; what comes after works. */
static void
close_all(void)
{
	int fd[2];
	char buf[4];

	calls_pair(fd);
	closefrom(3);
	DO(write(fd[0], "x", 1));
	calls_pair(fd);
	DO(write(fd[0], "x", 1));
	DO(read(fd[1], buf, 4));
	DO(close_range(3, ~0u, 0));
	DO(write(fd[0], "x", 1));
	calls_pair(fd);
	DO(write(fd[0], "x", 1));
	DO(read(fd[1], buf, 4));
	for (int i = 3; i < 1100; i++)
		(void)close(i);
	DO_FD(fd[0] = socket(AF_INET, SOCK_DGRAM, 0));
	DO(bind(fd[0], calls_loopback(0), ADDRLEN));
	DO(calls_port(fd[0]) != 0);
}

/* The calls for files, on sockets. */
static void
no_file(void)
{
	int fd[2], flags;
	struct stat st;
	char buf[64] = "";
	char name[32];

	calls_pair(fd);
	DO(fstat(fd[0], &st));
	DO(S_ISSOCK(st.st_mode));
	DO(lseek(fd[0], 0, SEEK_CUR));
	DO(pread(fd[0], buf, 1, 0));
	DO(pwrite(fd[0], buf, 1, 0));
	DO(ftruncate(fd[0], 0));
	DO(fsync(fd[0]));
	DO(isatty(fd[0]));
	DO(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd[0], 0) == MAP_FAILED ? -1 : 0);
	DO(fchdir(fd[0]));
	DO(flags = fcntl(fd[0], F_GETFL));
	DO((flags & O_ACCMODE) == O_RDWR);
	DO(readahead(fd[0], 0, 10));
	DO(posix_fadvise(fd[0], 0, 10, POSIX_FADV_NORMAL));
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd[0]);
	DO(readlink(name, buf, sizeof(buf) - 1) > 0);
	DO(strncmp(buf, "socket:[", 8));
	DO(open(name, O_RDWR));
}

/* stdio on a stream. */
static void
streams_of_stdio(void)
{
	int fd[2];
	FILE *in, *out;
	char line[32];

	calls_pair(fd);
	out = fdopen(fd[0], "w");
	in = fdopen(fd[1], "r");
	DO(fprintf(out, "one line\nand %d\n", 2));
	DO(fflush(out));
	DO(strcmp(fgets(line, sizeof(line), in), "one line\n"));
	DO(strcmp(fgets(line, sizeof(line), in), "and 2\n"));
	DO(dprintf(fd[0], "3\n"));
	DO(fclose(out));
	DO(strcmp(fgets(line, sizeof(line), in), "3\n"));
	DO(fgets(line, sizeof(line), in) == NULL);
	DO(feof(in) != 0);
	DO(fclose(in));
}

/* Every number is taken: calls say so, and all goes on when one is free. */
static void
numbers_run_out(void)
{
	struct rlimit rl = {64, 64};
	int listener = calls_listener(4), fd[2], filler[64], n = 0;
	int c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	char buf[4];

	calls_pair(fd);
	MUST(connect(c, calls_loopback(calls_port(listener)), ADDRLEN));
	MUST(setrlimit(RLIMIT_NOFILE, &rl));
	while (n < 64 && (filler[n] = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	(void)printf("the last -> %s\n", calls_errname(errno));
	DO(socket(AF_INET, SOCK_STREAM, 0));
	DO(accept(listener, NULL, NULL));
	DO(write(fd[0], "x", 1));
	DO(read(fd[1], buf, 4));
	DO(shutdown(fd[0], SHUT_WR));
	DO(read(fd[1], buf, 4));
	while (n > 0)
		(void)close(filler[--n]);
	DO_FD(fd[0] = accept(listener, NULL, NULL));
	DO(write(c, "y", 1));
	DO(read(fd[0], buf, 4));
	DO_FD(socket(AF_INET, SOCK_STREAM, 0));
}

/* The soft limit is reached but for one number. */
static void
one_number_left(void)
{
	struct rlimit rl;
	int fd[2], last = -1, n;

	calls_pair(fd);
	MUST(getrlimit(RLIMIT_NOFILE, &rl));
	rl.rlim_cur = 64;
	MUST(setrlimit(RLIMIT_NOFILE, &rl));
	while ((n = open("/dev/null", O_RDONLY)) >= 0)
		last = n;
	MUST(close(last));
	DO_FD(n = socket(AF_INET, SOCK_STREAM, 0));
	DO(n == last);
	DO(socket(AF_INET, SOCK_STREAM, 0));
	DO(close(n));
	DO(dup(fd[0]) == last);
	DO(write(fd[0], "x", 1));
	MUST(getrlimit(RLIMIT_NOFILE, &rl));
	DO((long)rl.rlim_cur);
}

const struct calls_case calls_cases[] = {
    {"high-numbers", high_numbers},
    {"passing", passing},
    {"close-all", close_all},
    {"no-file", no_file},
    {"stdio", streams_of_stdio},
    {"numbers-run-out", numbers_run_out},
    {"one-number-left", one_number_left},
    {NULL, NULL},
};
