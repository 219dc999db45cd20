/* SPDX-License-Identifier: BSD-2-Clause */
/* Data by the calls that know files: sendfile, splice, copy_file_range; and flags of streams. */
#include "calls.h"

#include <sys/mman.h>
#include <sys/sendfile.h>

#define BIG ((1u << 20) + 1)

static int
file_of(size_t n, unsigned seed)
{
	int fd = (int)MUST(memfd_create("data", 0));
	uint8_t *buf = malloc(n);

	calls_fill(buf, n, seed);
	MUST(write(fd, buf, n));
	MUST(lseek(fd, 0, SEEK_SET));
	free(buf);
	return fd;
}

static void
small_sendfile(void)
{
	int fd[2], file = file_of(1000, 1), u[2];
	off_t at = 10;
	char buf[16];

	calls_pair(fd);
	calls_udp_pair(u);
	DO(sendfile(fd[0], file, NULL, 100));
	DO(lseek(file, 0, SEEK_CUR));
	DO(calls_expect(fd[1], 100, 1));
	DO(sendfile(fd[0], file, &at, 5000));
	DO(at);
	DO(sendfile(fd[0], file, &at, 5000));
	DO(sendfile(fd[0], file, NULL, 0));
	DO(sendfile(file, fd[0], NULL, 10));
	DO(sendfile(fd[0], fd[1], NULL, 10));
	DO(sendfile(99, file, NULL, 10));
	DO(sendfile(u[0], file, NULL, 10));
	DO(recv(fd[1], buf, 16, MSG_WAITALL));
	MUST(shutdown(fd[0], SHUT_WR));
	(void)signal(SIGPIPE, SIG_IGN);
	at = 0;
	DO(sendfile(fd[0], file, &at, 10));
}

struct sender {
	int se_out;
	int se_in;
	size_t se_done;
};

static void *
sender_main(void *arg)
{
	struct sender *se = arg;
	ssize_t n;

	while (se->se_done < BIG && (n = sendfile(se->se_out, se->se_in, NULL, BIG)) > 0)
		se->se_done += (size_t)n;
	return NULL;
}

static void
big_sendfile(void)
{
	int fd[2];
	struct sender se = {0, file_of(BIG, 9), 0};
	pthread_t thread;

	calls_pair(fd);
	se.se_out = fd[0];
	MUST(-pthread_create(&thread, NULL, sender_main, &se));
	DO(calls_expect(fd[1], BIG, 9));
	MUST(-pthread_join(thread, NULL));
	DO(se.se_done);
}

static void
splices(void)
{
	int fd[2], pipes[2], other[2], file = file_of(5000, 4);
	off_t at = 0;
	char buf[8];

	calls_pair(fd);
	host_pipe(pipes);
	host_pipe(other);
	DO(splice(file, &at, pipes[1], NULL, 5000, 0));
	DO(splice(pipes[0], NULL, fd[0], NULL, 5000, SPLICE_F_MORE));
	DO(calls_expect(fd[1], 5000, 4));
	MUST(write(fd[0], "spliced", 7));
	DO(splice(fd[1], NULL, other[1], NULL, 100, 0));
	DO(read(other[0], buf, 8));
	DO(memcmp(buf, "spliced", 7));
	MUST(fcntl(fd[1], F_SETFL, O_NONBLOCK));
	DO(splice(fd[1], NULL, other[1], NULL, 100, 0));
	DO(splice(fd[1], &at, other[1], NULL, 100, 0));
	DO(splice(fd[1], NULL, fd[0], NULL, 100, 0));
	DO(tee(pipes[0], fd[0], 10, 0));
	DO(copy_file_range(file, NULL, fd[0], NULL, 10, 0));
	DO(copy_file_range(fd[0], NULL, file, NULL, 10, 0));
	MUST(shutdown(fd[0], SHUT_WR));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(splice(fd[1], NULL, other[1], NULL, 100, 0));
}

static void
flags(void)
{
	int fd[2];
	char buf[32] = "", control[64];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};

	calls_pair(fd);
	MUST(send(fd[0], "0123456789", 10, MSG_DONTWAIT | MSG_NOSIGNAL));
	(void)calls_wait(fd[1], POLLIN);
	DO(recv(fd[1], NULL, 3, MSG_TRUNC));
	DO(recv(fd[1], buf, 2, MSG_TRUNC));
	DO(recv(fd[1], buf, 2, MSG_PEEK | MSG_TRUNC));
	DO(recv(fd[1], buf, 4, MSG_PEEK));
	DO(buf[0] == '5');
	DO(recv(fd[1], buf, 1, MSG_ERRQUEUE));
	DO(recvmsg(fd[1], &msg, MSG_CMSG_CLOEXEC));
	DO(msg.msg_controllen);
	DO(msg.msg_flags & ~MSG_CMSG_CLOEXEC);
	DO(send(fd[0], "e", 1, MSG_EOR));
	DO(send(fd[0], "c", 1, MSG_CONFIRM));
	DO(send(fd[0], "d", 1, MSG_DONTROUTE));
	DO(recv(fd[1], buf, 3, MSG_WAITALL));
	DO(send(fd[0], "z", 1, MSG_ZEROCOPY));
	DO(send(fd[0], "f", 1, MSG_FASTOPEN));
}

/* Full, though what takes it off our hands moves by itself for a while. */
static void
fill_up(void)
{
	static char buf[65536];
	size_t sent = 0, got = 0, before;
	int fd[2], left;
	ssize_t n;

	calls_pair(fd);
	MUST(fcntl(fd[0], F_SETFL, O_NONBLOCK));
	do {
		before = sent;
		while ((n = write(fd[0], buf, sizeof(buf))) > 0)
			sent += (size_t)n;
		host_sleep_ms(100);
	} while (sent != before && sent < 1u << 28);
	DO(ioctl(fd[0], SIOCOUTQ, &left));
	DO(left > 0);
	DO(ioctl(fd[0], SIOCOUTQNSD, &left));
	DO(left > 0);
	DO(ioctl(fd[1], FIONREAD, &left));
	DO(left > 0);
	MUST(fcntl(fd[1], F_SETFL, O_NONBLOCK));
	while (got < sent && calls_wait(fd[1], POLLIN) != NULL &&
	    (n = read(fd[1], buf, sizeof(buf))) > 0)
		got += (size_t)n;
	DO(got == sent);
	(void)printf("polls -> %s\n", calls_wait(fd[0], POLLOUT));
	host_sleep_ms(300);
	DO(ioctl(fd[0], SIOCOUTQ, &left));
	DO(left);
	DO(ioctl(fd[0], SIOCOUTQNSD, &left));
	DO(left);
	DO(ioctl(fd[1], FIONREAD, &left));
	DO(left);
}

static void
many_messages(void)
{
	char a[8] = "", b[8] = "";
	char one[] = "one", three[] = "three";
	struct iovec out[2] = {{one, 3}, {three, 5}}, in[2] = {{a, 3}, {b, 8}};
	struct mmsghdr send[2] = {{.msg_hdr = {.msg_iov = &out[0], .msg_iovlen = 1}},
	    {.msg_hdr = {.msg_iov = &out[1], .msg_iovlen = 1}}};
	struct mmsghdr receive[2] = {{.msg_hdr = {.msg_iov = &in[0], .msg_iovlen = 1}},
	    {.msg_hdr = {.msg_iov = &in[1], .msg_iovlen = 1}}};
	int fd[2];

	calls_pair(fd);
	DO(sendmmsg(fd[0], send, 2, 0));
	DO(send[0].msg_len + send[1].msg_len);
	host_sleep_ms(50);
	DO(recvmmsg(fd[1], receive, 2, 0, NULL));
	DO(receive[1].msg_len);
	DO(memcmp(a, "one", 3) + memcmp(b, "three", 5));
	DO(preadv2(fd[1], in, 1, -1, RWF_NOWAIT));
	DO(pwritev2(fd[0], out, 2, -1, 0));
	DO(preadv2(fd[1], in, 2, -1, 0) > 0);
}

/* MSG_PEEK from SO_PEEK_OFF on, which it moves, as reading does. */
static void
peek_offset(void)
{
	int fd[2], at = 2, back = 0;
	socklen_t len = sizeof(back);
	char buf[8];

	calls_pair(fd);
	DO(getsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &back, &len));
	DO(back == -1);
	DO(setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &at, sizeof(at)));
	MUST(send(fd[0], "abcdefgh", 8, 0));
	MUST(poll(&(struct pollfd){.fd = fd[1], .events = POLLIN}, 1, 2000));
	host_sleep_ms(20);
	DO(recv(fd[1], buf, 2, MSG_PEEK));
	DO(buf[0]);
	DO(recv(fd[1], buf, 2, MSG_PEEK));
	DO(buf[0]);
	DO(getsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &back, &len));
	DO(back);
	DO(recv(fd[1], buf, 3, 0));
	DO(buf[0]);
	DO(getsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &back, &len));
	DO(back);
	DO(recv(fd[1], buf, 8, MSG_PEEK));
	DO(buf[0]);
	DO(recv(fd[1], buf, 8, MSG_PEEK | MSG_DONTWAIT));
	at = -1;
	DO(setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &at, sizeof(at)));
	DO(recv(fd[1], buf, 8, MSG_PEEK | MSG_DONTWAIT));
}

const struct calls_case calls_cases[] = {
    {"sendfile", small_sendfile},
    {"sendfile-big", big_sendfile},
    {"splice", splices},
    {"fill-up", fill_up},
    {"flags", flags},
    {"many-messages", many_messages},
    {"peek-offset", peek_offset},
    {NULL, NULL},
};
