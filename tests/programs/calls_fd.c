/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors: copies, numbers, flags, limits; and what is no socket at all. */
#include "calls.h"

#include <sys/resource.h>

static void
nonblocking_by_either_name(void)
{
	int fd[2], on = 1, off = 0, copy;
	char byte;

	calls_pair(fd);
	DO(fcntl(fd[0], F_SETFL, O_NONBLOCK));
	DO(fcntl(fd[0], F_GETFL) & O_NONBLOCK);
	DO(read(fd[0], &byte, 1));
	DO(ioctl(fd[0], FIONBIO, &off));
	DO(fcntl(fd[0], F_GETFL) & O_NONBLOCK);
	DO(ioctl(fd[0], FIONBIO, &on));
	DO(fcntl(fd[0], F_GETFL) & O_NONBLOCK);
	DO(read(fd[0], &byte, 1));
	copy = (int)MUST(dup(fd[0]));
	DO(fcntl(copy, F_GETFL) & O_NONBLOCK);
	DO(fcntl(copy, F_SETFL, 0));
	DO(fcntl(fd[0], F_GETFL) & O_NONBLOCK);
	DO(fcntl(fd[0], F_GETFL));
	DO(fcntl(fd[0], F_SETFL, O_RDWR | O_NONBLOCK));
	DO(fcntl(fd[0], F_GETFL) == (O_RDWR | O_NONBLOCK));
	DO(fcntl(99, F_GETFL));
	DO(fcntl(99, F_SETFL, 0));
	DO(ioctl(99, FIONBIO, &on));
	DO(ioctl(fd[0], 0x12345678, &on));
}

static void
copies(void)
{
	int fd[2], copy;
	char buf[8];

	calls_pair(fd);
	DO(dup(fd[0]));
	DO(dup2(fd[0], 50));
	DO(dup2(fd[0], fd[0]));
	DO(dup3(fd[0], 51, O_CLOEXEC));
	DO(dup3(fd[0], fd[0], 0));
	DO(dup3(fd[0], 52, 0x40));
	DO(fcntl(fd[0], F_DUPFD, 60));
	DO(fcntl(fd[0], F_DUPFD, 60));
	DO(fcntl(fd[0], F_DUPFD_CLOEXEC, 70));
	DO(fcntl(50, F_GETFD));
	DO(fcntl(51, F_GETFD));
	DO(fcntl(60, F_GETFD));
	DO(fcntl(70, F_GETFD));
	DO(dup(99));
	DO(dup2(99, 50));
	DO(dup2(99, 99));
	DO(dup2(fd[0], -1));
	DO(dup3(99, 50, 0));
	DO(fcntl(99, F_DUPFD, 0));
	DO(fcntl(fd[0], F_DUPFD, -1));
	DO(write(50, "a", 1));
	DO(close(50));
	DO(write(50, "a", 1));
	DO(write(fd[0], "b", 1));
	DO(close(fd[0]));
	DO(write(51, "c", 1));
	DO(recv(fd[1], buf, 3, MSG_WAITALL));
	for (copy = 3; copy < 80; copy++)
		(void)(copy != fd[1] && close(copy) == 0);
	DO(read(fd[1], buf, 1));
}

/* dup2 onto an open connection closes it: its peer sees the end. */
static void
copy_over(void)
{
	int a[2], b[2];
	char buf[4];

	calls_pair(a);
	calls_pair(b);
	DO(dup2(a[0], b[0]) == b[0]);
	DO(read(b[1], buf, 1));
	DO(write(b[0], "x", 1));
	DO(read(a[1], buf, 1));
	DO(dup3(a[0], b[0], O_CLOEXEC) == b[0]);
	DO(fcntl(b[0], F_GETFD));
	DO(dup2(a[0], b[0]) == b[0]);
	DO(fcntl(b[0], F_GETFD));
}

static void
numbers(void)
{
	int pair[2];

	DO(socket(AF_INET, SOCK_STREAM, 0));
	DO(socket(AF_INET, SOCK_STREAM, 0));
	DO(socket(AF_INET, SOCK_DGRAM, 0));
	DO(close(4));
	DO(close(4));
	DO(socket(AF_INET, SOCK_DGRAM, 0));
	DO(close(3));
	DO(close(4));
	calls_pair(pair);
	DO(pair[0]);
	DO(pair[1]);
	DO(dup(5));
	DO(close(pair[1]));
	DO(socket(AF_INET, SOCK_STREAM, 0));
	(void)printf("a fresh one, SO_ERROR -> %s\n", calls_soerror(pair[1]));
	DO(fcntl(pair[1], F_GETFL) & O_NONBLOCK);
	DO(close(-1));
	DO(close(100000));
	DO(close(0x7fffffff));
}

static void
no_descriptor(void)
{
	struct sockaddr_in sin;
	struct iovec iov = {&sin, 1};
	socklen_t len = sizeof(sin);

	DO(read(99, &sin, 1));
	DO(write(99, &sin, 1));
	DO(readv(99, &iov, 1));
	DO(writev(99, &iov, 1));
	DO(send(99, &sin, 1, 0));
	DO(recv(99, &sin, 1, 0));
	DO(sendto(-1, &sin, 1, 0, calls_loopback(1), ADDRLEN));
	DO(recvfrom(-1, &sin, 1, 0, (struct sockaddr *)&sin, &len));
	DO(read(-1, &sin, 0));
	DO(connect(-1, calls_loopback(1), ADDRLEN));
	DO(listen(-1, 1));
	DO(accept4(-1, NULL, NULL, 0));
	DO(shutdown(-1, SHUT_RD));
	DO(ioctl(-1, FIONREAD, &len));
	DO(fcntl(-1, F_GETFD));
	DO(dup(-1));
}

/* The limit is the host's RLIMIT_NOFILE here, the server's number there: only the errno is told. */
static void
too_many(void)
{
	struct rlimit limit = {100, 100};
	int listener = calls_listener(5), port = calls_port(listener), c, n = 0, fd, last = -1;

	MUST(setrlimit(RLIMIT_NOFILE, &limit));
	c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(c, calls_loopback(port), ADDRLEN));
	while ((fd = socket(AF_INET, SOCK_DGRAM, 0)) >= 0) {
		last = fd;
		n++;
	}
	(void)printf("one too many -> %s\n", calls_errname(errno));
	DO(n >= 50);
	DO(dup(c));
	DO(accept(listener, NULL, NULL));
	DO(fcntl(c, F_DUPFD, 0));
	DO(fcntl(c, F_DUPFD, 1 << 30));
	DO(dup2(c, 1 << 30));
	DO(write(c, "x", 1));
	DO(close(last));
	DO_FD(accept(listener, NULL, NULL));
	DO(dup(c));
	DO(close(c));
	DO_FD(socket(AF_INET, SOCK_STREAM, 0));
}

const struct calls_case calls_cases[] = {
    {"nonblocking-by-either-name", nonblocking_by_either_name},
    {"copies", copies},
    {"copy-over", copy_over},
    {"numbers", numbers},
    {"no-descriptor", no_descriptor},
    {"too-many", too_many},
    {NULL, NULL},
};
