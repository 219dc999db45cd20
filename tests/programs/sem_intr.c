/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting that something cuts short: handlers, time-outs, SIGIO; and io_uring, which waits itself. */
#include "calls.h"

#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static volatile sig_atomic_t caught, caught_fd;

static void
on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	caught++;
	caught_fd = info->si_fd;
}

/* A signal every 100 ms; twice. */
static void
signals_come(int flags)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};
	struct itimerval twice = {{0, 100000}, {0, 100000}};

	caught = 0;
	MUST(sigaction(SIGALRM, &sa, NULL));
	MUST(setitimer(ITIMER_REAL, &twice, NULL));
}

static void
signals_end(void)
{
	MUST(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL));
	(void)printf("handled -> %s\n", caught > 0 ? "some" : "none");
}

static void
interrupted(void)
{
	int fd[2], u[2], listener = calls_listener(1), ep = (int)MUST(epoll_create1(0));
	struct epoll_event ev;
	struct pollfd p;
	char buf[8];

	calls_pair(fd);
	calls_udp_pair(u);
	p = (struct pollfd){.fd = fd[0], .events = POLLIN};
	signals_come(0);
	DO(read(fd[0], buf, sizeof(buf)));
	DO(recv(fd[0], buf, sizeof(buf), MSG_WAITALL));
	DO(recv(u[0], buf, sizeof(buf), 0));
	DO(accept(listener, NULL, NULL));
	DO(poll(&p, 1, -1));
	DO(epoll_wait(ep, &ev, 1, -1));
	signals_end();
	signals_come(SA_RESTART);
	DO(poll(&p, 1, -1));
	DO(epoll_wait(ep, &ev, 1, -1));
	DO(select(0, NULL, NULL, NULL, &(struct timeval){3, 0}));
	signals_end();
}

static void *
late(void *arg)
{
	int *fd = arg;

	host_sleep_ms(350);
	MUST(write(fd[0], "late", 4));
	MUST(sendto(fd[1], "late", 4, 0, calls_loopback(calls_port(fd[2])), ADDRLEN));
	return NULL;
}

static void
restarted(void)
{
	int fd[2], u[2], arg[3];
	sigset_t set;
	pthread_t thread;
	char buf[8];

	calls_pair(fd);
	calls_udp_pair(u);
	memcpy(arg, (int[]){fd[1], u[0], u[1]}, sizeof(arg));
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	MUST(-pthread_create(&thread, NULL, late, arg));
	MUST(sigprocmask(SIG_UNBLOCK, &set, NULL));
	signals_come(SA_RESTART);
	DO(read(fd[0], buf, sizeof(buf)));
	DO(recv(u[1], buf, sizeof(buf), 0));
	signals_end();
	MUST(-pthread_join(thread, NULL));
}

/* A writer that is blocked: part of it went, or none. */
static void
interrupted_writer(void)
{
	static char buf[65536];
	int fd[2];
	ssize_t n;

	calls_pair(fd);
	signals_come(0);
	while ((n = write(fd[0], buf, sizeof(buf))) == (ssize_t)sizeof(buf))
		continue;
	(void)printf("a write -> %s\n",
	    n < 0 && errno != EINTR ? calls_errname(errno) : "cut short");
	while ((n = write(fd[0], buf, sizeof(buf))) > 0)
		continue;
	DO(n);
	signals_end();
}

static void
pwait_masks(void)
{
	int fd[2], ep = (int)MUST(epoll_create1(0));
	struct epoll_event ev = {.events = EPOLLIN};
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	struct timespec ts = {1, 0};
	struct pollfd p;
	sigset_t none, usr;

	calls_pair(fd);
	p = (struct pollfd){.fd = fd[0], .events = POLLIN};
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev));
	MUST(sigaction(SIGUSR1, &sa, NULL));
	sigemptyset(&none);
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	MUST(sigprocmask(SIG_BLOCK, &usr, NULL));
	MUST(raise(SIGUSR1));
	DO(epoll_pwait(ep, &ev, 1, 50, &usr));
	DO(caught);
	DO(epoll_pwait(ep, &ev, 1, 1000, &none));
	DO(caught);
	MUST(raise(SIGUSR1));
	DO(ppoll(&p, 1, &ts, &none));
	DO(caught);
	MUST(raise(SIGUSR1));
	DO(pselect(0, NULL, NULL, NULL, &ts, &none));
	DO(caught);
}

static void
by_sigio(void)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	int fd[2], on = 1;
	char buf[8];

	calls_pair(fd);
	MUST(sigaction(SIGIO, &sa, NULL));
	MUST(sigaction(SIGRTMIN, &sa, NULL));
	DO(fcntl(fd[1], F_SETOWN, getpid()));
	DO(fcntl(fd[1], F_GETOWN) == getpid());
	DO(fcntl(fd[1], F_SETFL, O_ASYNC));
	caught = 0;
	MUST(write(fd[0], "x", 1));
	for (int i = 0; i < 100 && caught == 0; i++)
		host_sleep_ms(10);
	DO(caught > 0);
	DO(read(fd[1], buf, sizeof(buf)));
	DO(fcntl(fd[1], F_SETSIG, SIGRTMIN));
	DO(ioctl(fd[1], FIOASYNC, &on));
	caught = 0;
	MUST(write(fd[0], "x", 1));
	for (int i = 0; i < 100 && caught == 0; i++)
		host_sleep_ms(10);
	DO(caught > 0);
	DO(caught_fd == fd[1]);
}

/* SO_SNDTIMEO bounds a connect: calls_argv[0] is an address that nobody answers for. */
static void
connect_timeout(void)
{
	struct sockaddr_in sin = calls_addr(calls_argv[0], 9);
	struct timeval tv = {0, 300000};
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	int64_t start = host_now_ms();

	MUST(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	DO(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
	DO(host_now_ms() - start >= 290);
	DO(host_now_ms() - start < 2000);
	DO(connect(fd, (struct sockaddr *)&sin, ADDRLEN));
}

/* --- io_uring by bare system calls: one entry at a time ------------------------------------- */

struct ring {
	int ri_fd;
	char *ri_sq;
	char *ri_cq;
	struct io_uring_sqe *ri_sqes;
	struct io_uring_params ri_params;
};

static int
ring_make(struct ring *ri)
{
	const struct io_uring_params *p = &ri->ri_params;

	*ri = (struct ring){0};
	ri->ri_fd = (int)syscall(SYS_io_uring_setup, 4, &ri->ri_params);
	if (ri->ri_fd < 0)
		return -1;
	ri->ri_sq = mmap(NULL, p->sq_off.array + p->sq_entries * sizeof(uint32_t),
	    PROT_READ | PROT_WRITE, MAP_SHARED, ri->ri_fd, IORING_OFF_SQ_RING);
	ri->ri_cq = mmap(NULL, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
	    PROT_READ | PROT_WRITE, MAP_SHARED, ri->ri_fd, IORING_OFF_CQ_RING);
	ri->ri_sqes = mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe),
	    PROT_READ | PROT_WRITE, MAP_SHARED, ri->ri_fd, IORING_OFF_SQES);
	return 0;
}

static uint32_t *
ring_word(char *base, uint32_t offset)
{
	return (uint32_t *)(void *)(base + offset);
}

/* => the entry's result */
static int
ring_do(struct ring *ri, const struct io_uring_sqe *sqe)
{
	const struct io_uring_params *p = &ri->ri_params;
	uint32_t *tail = ring_word(ri->ri_sq, p->sq_off.tail);
	uint32_t mask = *ring_word(ri->ri_sq, p->sq_off.ring_mask), at = *tail & mask;
	uint32_t *head = ring_word(ri->ri_cq, p->cq_off.head);
	struct io_uring_cqe *cqe;
	int result;

	ri->ri_sqes[at] = *sqe;
	ring_word(ri->ri_sq, p->sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_io_uring_enter, ri->ri_fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	cqe = (struct io_uring_cqe *)(void *)(ri->ri_cq + p->cq_off.cqes);
	result = cqe[*head & *ring_word(ri->ri_cq, p->cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

static void
ring_say(struct ring *ri, const char *what, int op, int fd, const void *buf, uint32_t len)
{
	struct io_uring_sqe sqe = {.opcode = (uint8_t)op,
	    .fd = fd,
	    .addr = (uintptr_t)buf,
	    .len = len,
	    .off = (uint64_t)-1};
	int result;

	if (op == IORING_OP_POLL_ADD) {
		sqe = (struct io_uring_sqe){.opcode = (uint8_t)op, .fd = fd};
		sqe.poll32_events = POLLIN;
	}
	result = ring_do(ri, &sqe);
	(void)printf("%s -> ", what);
	if (result < 0)
		(void)printf("%s\n", calls_errname(-result));
	else
		(void)printf("%d\n", result);
}

static void
by_ring(void)
{
	struct ring ring;
	char buf[16];
	int fd[2];

	DO(ring_make(&ring));
	if (ring.ri_fd < 0)
		return;
	calls_pair(fd);
	ring_say(&ring, "write", IORING_OP_WRITE, fd[0], "by ring", 7);
	ring_say(&ring, "poll", IORING_OP_POLL_ADD, fd[1], NULL, 0);
	ring_say(&ring, "read", IORING_OP_READ, fd[1], buf, sizeof(buf));
	DO(memcmp(buf, "by ring", 7));
	MUST(shutdown(fd[0], SHUT_WR));
	ring_say(&ring, "poll", IORING_OP_POLL_ADD, fd[1], NULL, 0);
	ring_say(&ring, "read", IORING_OP_READ, fd[1], buf, sizeof(buf));
	DO(syscall(SYS_write, fd[1], "bare", 4));
	DO(syscall(SYS_read, fd[0], buf, sizeof(buf)));
}

const struct calls_case calls_cases[] = {
    {"interrupted", interrupted},
    {"restarted", restarted},
    {"interrupted-writer", interrupted_writer},
    {"masks", pwait_masks},
    {"sigio", by_sigio},
    {"connect-timeout", connect_timeout},
    {"io-uring", by_ring},
    {NULL, NULL},
};
