/* SPDX-License-Identifier: BSD-2-Clause */
/* Data over streams: every way in and out, its end, and its urgent byte. */
#include "calls.h"

#include <sys/mman.h>

#define BIG ((1u << 20) + 1)

static volatile sig_atomic_t pipes;

static void
on_pipe(int number)
{
	(void)number;
	pipes++;
}

static void
catch_sigpipe(void)
{
	struct sigaction sa = {.sa_handler = on_pipe};

	MUST(sigaction(SIGPIPE, &sa, NULL));
}

struct writer {
	int wr_fd;
	size_t wr_len;
	unsigned wr_seed;
	ssize_t wr_result;
	int wr_errno;
};

static void *
writer_main(void *arg)
{
	struct writer *wr = arg;
	uint8_t *buf = malloc(wr->wr_len + 1);

	calls_fill(buf, wr->wr_len, wr->wr_seed);
	wr->wr_result = write(wr->wr_fd, buf, wr->wr_len);
	wr->wr_errno = errno;
	free(buf);
	return NULL;
}

/* Writes of every size, by one call; read whatever way it comes. */
static void
lengths(void)
{
	static const size_t sizes[] = {0, 1, 2, 3, 100, 511, 512, 513, 1459, 1460, 1461, 2047, 2048,
	    2049, 4095, 4096, 4097, 8191, 16384, 32767, 32768, 65535, 65536, 65537, 131072, 262143,
	    BIG - 1, BIG};
	pthread_t thread;
	int fd[2];

	calls_pair(fd);
	for (unsigned way = 0; way < 2; way++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct writer wr = {fd[way], sizes[i], (unsigned)i + way, 0, 0};
			bool same;

			MUST(-pthread_create(&thread, NULL, writer_main, &wr));
			same = calls_expect(fd[1 - way], sizes[i], (unsigned)i + way);
			MUST(-pthread_join(thread, NULL));
			(void)printf("write of %zu -> %zd, %s\n", sizes[i], wr.wr_result,
			    same ? "the same" : "DIFFERENT");
		}
	}
}

/* Any mixture of sizes of write and read gives the same stream. */
static void
odd_sizes(void)
{
	uint8_t *out = malloc(BIG), *in = malloc(BIG);
	size_t at = 0, got = 0, step = 1;
	int fd[2];
	ssize_t r;

	calls_pair(fd);
	calls_fill(out, BIG, 7);
	MUST(fcntl(fd[0], F_SETFL, O_NONBLOCK));
	while (got < BIG) {
		size_t n = step % (BIG - at + 1);

		r = at < BIG ? write(fd[0], out + at, n) : 0;
		if (r < 0 && errno != EAGAIN)
			(void)MUST(r);
		at += r > 0 ? (size_t)r : 0;
		step = step * 7 % 65537 + 1;
		n = step % 50000 + 1;
		if (at > got) {
			r = MUST(read(fd[1], in + got, n < BIG - got ? n : BIG - got));
			got += (size_t)r;
		}
	}
	DO(memcmp(in, out, BIG));
	free(out);
	free(in);
}

static void
fill_up(void)
{
	static uint8_t buf[65536];
	size_t sent = 0;
	int fd[2], left = -1;
	ssize_t r;

	calls_pair(fd);
	MUST(fcntl(fd[0], F_SETFL, O_NONBLOCK));
	while ((r = write(fd[0], buf, sizeof(buf))) > 0)
		sent += (size_t)r;
	(void)printf("full -> %s\n", calls_errname(errno));
	DO(sent > 65536);
	DO(send(fd[0], "x", 1, MSG_DONTWAIT));
	DO(write(fd[0], "x", 0));
	DO(ioctl(fd[0], SIOCOUTQ, &left));
	DO(left > 0);
	DO(ioctl(fd[1], FIONREAD, &left));
	DO(left > 0);
	while (sent > 0 && (r = read(fd[1], buf, sizeof(buf))) > 0)
		sent -= (size_t)r;
	DO(sent);
	(void)printf("then polls -> %s\n", calls_wait(fd[0], POLLOUT));
	DO(write(fd[0], "x", 1));
	DO(read(fd[1], buf, 9));
	DO(ioctl(fd[1], FIONREAD, &left));
	DO(left);
	host_sleep_ms(300);
	DO(ioctl(fd[0], SIOCOUTQ, &left));
	DO(left);
}

/* Until n bytes are there to be read, at most some seconds. */
static void
await_bytes(int fd, ssize_t n)
{
	int left = 0;

	for (int tries = 0; tries < 2000 && left < n; tries++) {
		if (ioctl(fd, FIONREAD, &left) != 0)
			return;
		if (left < n)
			host_sleep_ms(1);
	}
}

/* n vectors, some of them of no length. */
static void
vectors_of(int fd[2], int n, size_t each)
{
	struct iovec *iov = calloc((size_t)n + 1, sizeof(*iov));
	uint8_t *out = malloc((size_t)n * each + 1), *in = malloc((size_t)n * each + 1);
	size_t total = 0;
	ssize_t r;

	for (int i = 0; i < n; i++) {
		iov[i].iov_base = out + total;
		iov[i].iov_len = i % 3 == 1 ? 0 : each;
		total += iov[i].iov_len;
	}
	calls_fill(out, total, (unsigned)n);
	r = writev(fd[0], iov, n);
	(void)printf("writev of %d -> %zd of %zu\n", n, r, total);
	for (int i = 0; i < n; i++)
		iov[i].iov_base = in + ((uint8_t *)iov[i].iov_base - out);
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	await_bytes(fd[1], r);
	r = readv(fd[1], iov, n);
	(void)printf("readv of %d -> %zd, %s\n", n, r,
	    memcmp(in, out, total) == 0 ? "the same" : "DIFFERENT");
	free(iov);
	free(out);
	free(in);
}

static void
vectors(void)
{
	static struct iovec none[1025];
	volatile int minus = -1;
	struct iovec huge[2] = {{NULL, SIZE_MAX / 2}, {NULL, 9}};
	int fd[2];

	calls_pair(fd);
	vectors_of(fd, 1, 10);
	vectors_of(fd, 2, 1000);
	vectors_of(fd, 7, 100);
	vectors_of(fd, 16, 1000);
	vectors_of(fd, 1023, 3);
	vectors_of(fd, 1024, 17);
	DO(writev(fd[0], none, 0));
	DO(readv(fd[0], none, 0));
	DO(writev(fd[0], none, 2));
	DO(writev(fd[0], none, 1025));
	DO(readv(fd[0], none, 1025));
	DO(writev(fd[0], none, minus));
	DO(writev(fd[0], calls_null, 1));
	DO(writev(fd[0], huge, 2));
	DO(writev(99, none, 1));
	DO(readv(99, none, 1));
}

static void
messages(void)
{
	char text[] = "hello, world", a[4], b[20];
	struct iovec out[2] = {{text, 5}, {text + 5, 7}}, in[2] = {{a, sizeof(a)}, {b, sizeof(b)}};
	struct sockaddr_in name = {0};
	struct msghdr msg = {.msg_iov = out, .msg_iovlen = 2};
	int fd[2];

	calls_pair(fd);
	DO(sendmsg(fd[0], &msg, 0));
	msg = (struct msghdr){.msg_iov = in,
	    .msg_iovlen = 2,
	    .msg_name = &name,
	    .msg_namelen = sizeof(name)};
	DO(recvmsg(fd[1], &msg, 0));
	DO(memcmp(a, "hell", 4) + memcmp(b, "o, world", 8));
	DO(msg.msg_flags);
	DO(msg.msg_namelen);
	DO(msg.msg_controllen);
	msg = (struct msghdr){.msg_iov = in, .msg_iovlen = 1025};
	DO(sendmsg(fd[0], &msg, 0));
	DO(recvmsg(fd[0], &msg, 0));
	msg = (struct msghdr){.msg_iov = NULL, .msg_iovlen = 0};
	DO(sendmsg(fd[0], &msg, 0));
	msg = (struct msghdr){.msg_iov = out,
	    .msg_iovlen = 1,
	    .msg_name = calls_loopback(1),
	    .msg_namelen = ADDRLEN};
	DO(sendmsg(fd[0], &msg, 0));
	DO(sendto(fd[0], "abc", 3, 0, calls_loopback(1), ADDRLEN));
	DO(recvfrom(fd[1], b, 8, MSG_WAITALL, NULL, NULL));
	DO(sendmsg(99, &msg, 0));
	DO(recvmsg(99, &msg, 0));
	DO(send(fd[0], "x", 1, MSG_MORE));
	DO(send(fd[0], "y", 1, 0));
	DO(recv(fd[1], b, 2, MSG_WAITALL));
}

static void
peek_and_waitall(void)
{
	char buf[16] = "";
	int fd[2];

	calls_pair(fd);
	DO(recv(fd[1], buf, 4, MSG_DONTWAIT));
	DO(recv(fd[1], buf, 4, MSG_DONTWAIT | MSG_PEEK));
	DO(send(fd[0], "abcdef", 6, 0));
	DO(recv(fd[1], buf, 3, MSG_PEEK));
	DO(recv(fd[1], buf, 16, MSG_PEEK));
	DO(recv(fd[1], buf, 2, 0));
	DO(recv(fd[1], buf, 16, MSG_PEEK));
	DO(memcmp(buf, "cdef", 4));
	DO(send(fd[0], "ghi", 3, 0));
	DO(recv(fd[1], buf, 7, MSG_WAITALL));
	DO(memcmp(buf, "cdefghi", 7));
	DO(send(fd[0], "jk", 2, 0));
	DO(recv(fd[1], buf, 0, 0));
	DO(shutdown(fd[0], SHUT_WR));
	DO(recv(fd[1], buf, 16, MSG_WAITALL));
	DO(recv(fd[1], buf, 16, MSG_WAITALL));
	DO(recv(fd[1], buf, 16, MSG_PEEK));
	DO(recv(fd[1], buf, 16, MSG_DONTWAIT));
	DO(read(fd[1], buf, 0));
}

static void *
late_writer(void *arg)
{
	host_sleep_ms(100);
	MUST(write(*(int *)arg, "second half", 11));
	return NULL;
}

static void
waitall_waits(void)
{
	pthread_t thread;
	char buf[32];
	int fd[2];

	calls_pair(fd);
	DO(write(fd[0], "first ", 6));
	MUST(-pthread_create(&thread, NULL, late_writer, &fd[0]));
	DO(recv(fd[1], buf, 17, MSG_WAITALL));
	MUST(-pthread_join(thread, NULL));
	MUST(-pthread_create(&thread, NULL, late_writer, &fd[0]));
	DO(read(fd[1], buf, sizeof(buf)));
	MUST(-pthread_join(thread, NULL));
}

static void
urgent(void)
{
	int fd[2], mark = -1, left;
	char buf[16];

	calls_pair(fd);
	DO(recv(fd[1], buf, 1, MSG_OOB));
	DO(ioctl(fd[1], SIOCATMARK, &mark));
	DO(mark);
	DO(send(fd[0], "abcX", 4, MSG_OOB));
	DO(send(fd[0], "def", 3, 0));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLPRI));
	host_sleep_ms(50);
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLPRI | POLLIN));
	DO(ioctl(fd[1], FIONREAD, &left));
	DO(left);
	DO(ioctl(fd[1], SIOCATMARK, &mark));
	DO(mark);
	DO(recv(fd[1], buf, 1, MSG_OOB | MSG_PEEK));
	DO(recv(fd[1], buf, 1, MSG_OOB));
	DO(buf[0]);
	DO(recv(fd[1], buf, 1, MSG_OOB));
	DO(read(fd[1], buf, sizeof(buf)));
	DO(ioctl(fd[1], SIOCATMARK, &mark));
	DO(mark);
	DO(read(fd[1], buf, sizeof(buf)));
	DO(memcmp(buf, "def", 3));
	DO(ioctl(fd[1], SIOCATMARK, &mark));
	DO(mark);
}

static void
urgent_inline(void)
{
	int fd[2], mark = -1, on = 1;
	char buf[16];

	calls_pair(fd);
	DO(setsockopt(fd[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	DO(send(fd[0], "abcX", 4, MSG_OOB));
	DO(send(fd[0], "def", 3, 0));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLPRI));
	host_sleep_ms(50);
	DO(recv(fd[1], buf, 1, MSG_OOB));
	DO(read(fd[1], buf, sizeof(buf)));
	DO(ioctl(fd[1], SIOCATMARK, &mark));
	DO(mark);
	DO(read(fd[1], buf, sizeof(buf)));
	DO(memcmp(buf, "Xdef", 4));
	DO(ioctl(fd[1], SIOCATMARK, &mark));
	DO(mark);
}

static void
half_close(void)
{
	int fd[2];
	char buf[16];

	catch_sigpipe();
	calls_pair(fd);
	DO(write(fd[0], "to the end", 10));
	DO(shutdown(fd[0], SHUT_WR));
	DO(write(fd[0], "x", 1));
	DO(pipes);
	DO(send(fd[0], "x", 1, MSG_NOSIGNAL));
	DO(pipes);
	DO(recv(fd[1], buf, sizeof(buf), MSG_WAITALL));
	DO(read(fd[1], buf, sizeof(buf)));
	DO(read(fd[1], buf, sizeof(buf)));
	DO(write(fd[1], "still open", 10));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(shutdown(fd[1], SHUT_WR));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(shutdown(fd[0], SHUT_WR));
	DO(shutdown(fd[1], SHUT_RDWR));
	DO(close(fd[0]));
	DO(read(fd[1], buf, sizeof(buf)));
}

static void
shutdown_read(void)
{
	int fd[2], u = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	char buf[16];

	calls_pair(fd);
	DO(write(fd[0], "before", 6));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(shutdown(fd[1], SHUT_RD));
	DO(read(fd[1], buf, sizeof(buf)));
	DO(read(fd[1], buf, sizeof(buf)));
	DO(write(fd[1], "other way", 9));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(shutdown(fd[1], 3));
	DO(shutdown(fd[1], -1));
	DO(shutdown(u, SHUT_RD));
	DO(shutdown(u, SHUT_WR));
	DO(shutdown(99, SHUT_WR));
}

static void
shutdown_both(void)
{
	int fd[2];
	char buf[16];

	catch_sigpipe();
	calls_pair(fd);
	DO(shutdown(fd[0], SHUT_RDWR));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(write(fd[0], "x", 1));
	DO(pipes);
	DO(read(fd[1], buf, sizeof(buf)));
	(void)printf("polls -> %s\n", calls_wait(fd[0], POLLIN | POLLOUT));
	DO(shutdown(fd[1], SHUT_RDWR));
	host_sleep_ms(50);
	(void)printf("polls -> %s\n", calls_wait(fd[0], POLLIN | POLLOUT));
	DO(shutdown(fd[0], SHUT_WR));
}

/* The peer closes; one write is taken, its answer is a RST, the next one fails. */
static void
write_to_closed(void)
{
	int fd[2];
	char buf[4];

	catch_sigpipe();
	calls_pair(fd);
	DO(close(fd[1]));
	(void)printf("polls -> %s\n", calls_wait(fd[0], POLLIN));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(write(fd[0], "x", 1));
	(void)printf("polls -> %s\n", calls_wait(fd[0], POLLERR));
	DO(write(fd[0], "x", 1));
	DO(pipes);
	DO(write(fd[0], "x", 1));
	DO(pipes);
	DO(send(fd[0], "x", 1, MSG_NOSIGNAL));
	DO(pipes);
	DO(read(fd[0], buf, sizeof(buf)));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd[0]));
}

static void
reset_pair(int fd[2])
{
	struct linger linger = {1, 0};

	MUST(setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	DO(close(fd[1]));
	(void)calls_wait(fd[0], 0); /* until it has come */
	(void)printf("polls -> %s\n", calls_wait(fd[0], POLLIN | POLLOUT));
}

static void
reset_by_linger(void)
{
	int fd[2];
	char buf[4];

	catch_sigpipe();
	calls_pair(fd);
	reset_pair(fd);
	DO(read(fd[0], buf, sizeof(buf)));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(write(fd[0], "x", 1));
	DO(pipes);
	calls_pair(fd);
	reset_pair(fd);
	DO(write(fd[0], "x", 1));
	DO(write(fd[0], "x", 1));
	DO(pipes);
	DO(read(fd[0], buf, sizeof(buf)));
	calls_pair(fd);
	reset_pair(fd);
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd[0]));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd[0]));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(shutdown(fd[0], SHUT_WR));
	DO(getpeername(fd[0], calls_loopback(0), &(socklen_t){sizeof(struct sockaddr_in)}));
}

/* Data that came before the RST, and data unread by who closes. */
static void
reset_with_data(void)
{
	int fd[2];
	char buf[16];

	calls_pair(fd);
	DO(write(fd[1], "before", 6));
	(void)printf("polls -> %s\n", calls_wait(fd[0], POLLIN));
	reset_pair(fd);
	DO(read(fd[0], buf, 3));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(read(fd[0], buf, sizeof(buf)));
	calls_pair(fd);
	DO(write(fd[0], "unread", 6));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(close(fd[1]));
	(void)printf("polls -> %s\n", calls_wait(fd[0], POLLIN));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(read(fd[0], buf, sizeof(buf)));
}

static void
sigpipe_kills(void)
{
	int fd[2];

	calls_pair(fd);
	DO(shutdown(fd[0], SHUT_WR));
	DO(send(fd[0], "x", 1, MSG_NOSIGNAL));
	DO(write(fd[0], "x", 1));
	(void)printf("not reached\n");
}

static void
bad_buffers(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[2];
	int fd[2];

	MUST(mprotect(page + 4096, 4096, PROT_NONE));
	calls_pair(fd);
	DO(write(fd[0], calls_null, 10));
	DO(write(fd[0], calls_wild, 10));
	DO(write(fd[0], calls_null, 0));
	DO(send(fd[0], calls_wild, 10, 0));
	iov[0] = (struct iovec){page + 4096, 10};
	DO(writev(fd[0], iov, 1));
	DO(write(fd[0], "good", 4));
	DO(read(fd[1], calls_wild, 4));
	(void)printf("what was there -> %s\n",
	    recv(fd[1], page, 9, MSG_DONTWAIT) == 4 ? "still is" : "is lost");
	DO(write(fd[0], "good", 4));
	DO(ioctl(fd[1], FIONREAD, calls_wild));
	DO(ioctl(fd[1], FIONBIO, NULL));
	DO(read(fd[1], page, 4));
	DO(memcmp(page, "good", 4));
	DO(write(fd[0], "last", 4));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(readv(fd[1], iov, 1));
}

/* What lies between the first good byte and the first bad one. */
static void
half_bad_buffers(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buf[64];
	ssize_t r;
	int fd[2];

	MUST(mprotect(page + 4096, 4096, PROT_NONE));
	memset(page, 'p', 4096);
	calls_pair(fd);
	r = write(fd[0], page + 4090, 12);
	(void)printf("half-bad write -> %s\n", r < 0 ? calls_errname(errno) : "some");
	DO(write(fd[0], "z", 1));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT));
	DO(buf[0]);
}

static void
timeouts(void)
{
	struct timeval tv = {0, 120000}, none = {0, 0};
	static uint8_t buf[65536];
	int fd[2], listener = calls_listener(1);
	int64_t start = host_now_ms();
	ssize_t r;

	calls_pair(fd);
	DO(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	DO(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	start = host_now_ms();
	DO(read(fd[0], buf, 10));
	DO(host_now_ms() - start >= 115);
	DO(host_now_ms() - start < 2000);
	DO(write(fd[1], "ab", 2));
	DO(recv(fd[0], buf, 10, MSG_WAITALL));
	start = host_now_ms();
	while ((r = write(fd[0], buf, sizeof(buf))) == (ssize_t)sizeof(buf))
		start = host_now_ms();
	(void)printf("the last write -> %s\n",
	    r < 0 && errno != EAGAIN ? calls_errname(errno) : "cut short");
	DO(host_now_ms() - start >= 115);
	DO(host_now_ms() - start < 2000);
	DO(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	start = host_now_ms();
	DO(accept(listener, NULL, NULL));
	DO(host_now_ms() - start >= 115);
	DO(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)));
	DO(recv(fd[0], buf, 10, MSG_DONTWAIT));
}

/* A blocked writer is woken by its reader, and by a close of the peer. */
static void
blocked_writer(void)
{
	struct writer wr = {0, 8u << 20, 3, 0, 0};
	pthread_t thread;
	int fd[2];

	catch_sigpipe();
	calls_pair(fd);
	wr.wr_fd = fd[0];
	MUST(-pthread_create(&thread, NULL, writer_main, &wr));
	host_sleep_ms(50);
	DO(calls_expect(fd[1], wr.wr_len, 3));
	MUST(-pthread_join(thread, NULL));
	DO(wr.wr_result);
	MUST(-pthread_create(&thread, NULL, writer_main, &wr));
	host_sleep_ms(50);
	MUST(
	    poll(&(struct pollfd){.fd = fd[1], .events = POLLIN}, 1, 5000) - 1); /* a reset, then */
	DO(close(fd[1]));
	MUST(-pthread_join(thread, NULL));
	(void)printf("the writer got -> %s\n",
	    wr.wr_result < 0 ? calls_errname(wr.wr_errno) : "a part");
	(void)printf("SO_ERROR -> %s\n", calls_soerror(fd[0]));
}

const struct calls_case calls_cases[] = {
    {"lengths", lengths},
    {"odd-sizes", odd_sizes},
    {"fill-up", fill_up},
    {"vectors", vectors},
    {"messages", messages},
    {"peek-and-waitall", peek_and_waitall},
    {"waitall-waits", waitall_waits},
    {"urgent", urgent},
    {"urgent-inline", urgent_inline},
    {"half-close", half_close},
    {"shutdown-read", shutdown_read},
    {"shutdown-both", shutdown_both},
    {"write-to-closed", write_to_closed},
    {"reset-by-linger", reset_by_linger},
    {"reset-with-data", reset_with_data},
    {"sigpipe-kills", sigpipe_kills},
    {"bad-buffers", bad_buffers},
    {"half-bad-buffers", half_bad_buffers},
    {"timeouts", timeouts},
    {"blocked-writer", blocked_writer},
    {NULL, NULL},
};
