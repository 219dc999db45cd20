/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting by epoll, in its ways, and together with descriptors that are the host's. */
#include "calls.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static int
add(int ep, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = fd};

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

/* One wait; the event, as text. */
static const char *
event(int ep, int timeout_ms)
{
	static char text[64];
	struct epoll_event ev;
	int n = epoll_wait(ep, &ev, 1, timeout_ms);

	if (n <= 0)
		return n == 0 ? "none" : calls_errname(errno);
	(void)snprintf(text, sizeof(text), "%s%s%s%s%s%s", (ev.events & EPOLLIN) ? "in " : "",
	    (ev.events & EPOLLOUT) ? "out " : "", (ev.events & EPOLLPRI) ? "pri " : "",
	    (ev.events & EPOLLRDHUP) ? "rdhup " : "", (ev.events & EPOLLERR) ? "err " : "",
	    (ev.events & EPOLLHUP) ? "hup " : "");
	return text;
}

#define EVENT(ep, ms) (void)printf("event -> %s\n", event(ep, ms))

static void
level(void)
{
	int fd[2], ep = (int)MUST(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT};
	char buf[8];

	calls_pair(fd);
	DO(add(ep, fd[1], EPOLLIN));
	DO(add(ep, fd[1], EPOLLIN));
	EVENT(ep, 0);
	MUST(write(fd[0], "ab", 2));
	EVENT(ep, 3000);
	EVENT(ep, 0);
	DO(read(fd[1], buf, 1));
	EVENT(ep, 0);
	DO(read(fd[1], buf, 1));
	EVENT(ep, 0);
	DO(epoll_ctl(ep, EPOLL_CTL_MOD, fd[1], &ev));
	EVENT(ep, 0);
	DO(epoll_ctl(ep, EPOLL_CTL_DEL, fd[1], NULL));
	DO(epoll_ctl(ep, EPOLL_CTL_DEL, fd[1], NULL));
	EVENT(ep, 0);
	DO(add(ep, fd[1], EPOLLIN));
	MUST(close(fd[1]));
	EVENT(ep, 0);
}

static void
edge(void)
{
	int fd[2], ep = (int)MUST(epoll_create1(0));
	static char buf[65536];

	calls_pair(fd);
	MUST(fcntl(fd[0], F_SETFL, O_NONBLOCK));
	DO(add(ep, fd[1], EPOLLIN | EPOLLET));
	EVENT(ep, 0);
	MUST(write(fd[0], "a", 1));
	EVENT(ep, 3000);
	EVENT(ep, 50);
	MUST(write(fd[0], "b", 1));
	EVENT(ep, 3000);
	EVENT(ep, 50);
	DO(read(fd[1], buf, 8));
	EVENT(ep, 50);
	MUST(close(ep));
	ep = (int)MUST(epoll_create1(0));
	DO(add(ep, fd[0], EPOLLOUT | EPOLLET));
	EVENT(ep, 0);
	EVENT(ep, 0);
	while (write(fd[0], buf, sizeof(buf)) > 0)
		continue;
	MUST(fcntl(fd[1], F_SETFL, O_NONBLOCK));
	for (int quiet = 0; quiet < 20; quiet++) {
		while (read(fd[1], buf, sizeof(buf)) > 0)
			quiet = 0;
		host_sleep_ms(5);
	}
	EVENT(ep, 3000);
}

static void
oneshot(void)
{
	int fd[2], ep = (int)MUST(epoll_create1(0));
	struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT};

	calls_pair(fd);
	DO(add(ep, fd[1], EPOLLIN | EPOLLONESHOT));
	MUST(write(fd[0], "a", 1));
	EVENT(ep, 3000);
	EVENT(ep, 50);
	MUST(write(fd[0], "b", 1));
	EVENT(ep, 50);
	DO(epoll_ctl(ep, EPOLL_CTL_MOD, fd[1], &ev));
	EVENT(ep, 3000);
	EVENT(ep, 0);
}

static void
peer_ends(void)
{
	int fd[2], ep = (int)MUST(epoll_create1(0));
	char buf[8];

	calls_pair(fd);
	DO(add(ep, fd[1], EPOLLIN | EPOLLRDHUP));
	MUST(write(fd[0], "last", 4));
	EVENT(ep, 3000);
	DO(shutdown(fd[0], SHUT_WR));
	host_sleep_ms(50);
	EVENT(ep, 3000);
	DO(read(fd[1], buf, sizeof(buf)));
	EVENT(ep, 0);
	DO(read(fd[1], buf, sizeof(buf)));
	DO(write(fd[1], "answer", 6));
	DO(read(fd[0], buf, sizeof(buf)));
	DO(shutdown(fd[1], SHUT_WR));
	host_sleep_ms(50);
	EVENT(ep, 0);
}

static void
peer_closes(void)
{
	int fd[2], ep = (int)MUST(epoll_create1(0));
	char buf[8];

	calls_pair(fd);
	DO(add(ep, fd[1], EPOLLIN | EPOLLRDHUP));
	MUST(close(fd[0]));
	host_sleep_ms(50);
	EVENT(ep, 3000);
	DO(read(fd[1], buf, sizeof(buf)));
	DO(read(fd[1], buf, sizeof(buf)));
	EVENT(ep, 0);
}

struct waiter {
	int wa_ep;
	int wa_woken;
};

static void *
waiter_main(void *arg)
{
	struct waiter *wa = arg;
	struct epoll_event ev;

	wa->wa_woken = epoll_wait(wa->wa_ep, &ev, 1, 400);
	return NULL;
}

/* One connection wakes at least one of the waiters, and one of them gets it. */
static void
exclusive(void)
{
	int listener = calls_listener(4), c, woken = 0;
	struct waiter waiters[3];
	pthread_t thread[3];

	MUST(fcntl(listener, F_SETFL, O_NONBLOCK));
	for (int i = 0; i < 3; i++) {
		waiters[i] = (struct waiter){(int)MUST(epoll_create1(0)), 0};
		DO(add(waiters[i].wa_ep, listener, EPOLLIN | EPOLLEXCLUSIVE));
		MUST(-pthread_create(&thread[i], NULL, waiter_main, &waiters[i]));
	}
	host_sleep_ms(50);
	c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	DO(connect(c, calls_loopback(calls_port(listener)), ADDRLEN));
	for (int i = 0; i < 3; i++) {
		MUST(-pthread_join(thread[i], NULL));
		woken += waiters[i].wa_woken;
	}
	DO(woken >= 1);
	DO_FD(accept(listener, NULL, NULL));
	DO(accept(listener, NULL, NULL));
}

static void
nested(void)
{
	int fd[2], inner = (int)MUST(epoll_create1(0)), outer = (int)MUST(epoll_create1(0));
	char buf[8];

	calls_pair(fd);
	DO(add(inner, fd[1], EPOLLIN));
	DO(add(outer, inner, EPOLLIN));
	EVENT(outer, 0);
	MUST(write(fd[0], "a", 1));
	EVENT(outer, 3000);
	EVENT(inner, 0);
	(void)printf("poll of the outer -> %s\n", calls_wait(outer, POLLIN));
	DO(read(fd[1], buf, sizeof(buf)));
	EVENT(outer, 0);
}

/* Sockets, a pipe, an eventfd, a timerfd and a unix socket in one set. */
static void
mixed(void)
{
	int fd[2], u[2], unixes[2], pipes[2], ep = (int)MUST(epoll_create1(0));
	int ev = (int)MUST(eventfd(0, 0)), timer = (int)MUST(timerfd_create(CLOCK_MONOTONIC, 0));
	struct itimerspec soon = {.it_value = {0, 20000000}};
	struct epoll_event got[8];
	struct pollfd p[6];
	int all[6];

	calls_pair(fd);
	calls_udp_pair(u);
	host_pipe(pipes);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, unixes));
	memcpy(all, (int[]){fd[1], u[1], pipes[0], unixes[1], ev, timer}, sizeof(all));
	for (int i = 0; i < 6; i++) {
		DO(add(ep, all[i], EPOLLIN));
		p[i] = (struct pollfd){.fd = all[i], .events = POLLIN};
	}
	DO(epoll_wait(ep, got, 8, 0));
	DO(poll(p, 6, 0));
	MUST(write(fd[0], "x", 1));
	MUST(sendto(u[0], "x", 1, 0, calls_loopback(calls_port(u[1])), ADDRLEN));
	MUST(write(pipes[1], "x", 1));
	MUST(write(unixes[0], "x", 1));
	MUST(eventfd_write(ev, 1));
	MUST(timerfd_settime(timer, 0, &soon, NULL));
	host_sleep_ms(100);
	DO(epoll_wait(ep, got, 8, 1000));
	DO(poll(p, 6, 1000));
}

static void
through_fork(void)
{
	int fd[2], ep = (int)MUST(epoll_create1(0));
	pid_t pid;
	char byte;

	calls_pair(fd);
	DO(add(ep, fd[1], EPOLLIN));
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		EVENT(ep, 3000);
		(void)read(fd[1], &byte, 1);
		EVENT(ep, 0);
		_exit(0);
	}
	MUST(write(fd[0], "x", 1));
	(void)printf("the child -> %s\n", host_ended(pid));
	EVENT(ep, 0);
}

/* Readiness of a connect and of a listener, by edges. */
static void
connect_by_edge(void)
{
	int listener = calls_listener(4), ep = (int)MUST(epoll_create1(0)), s;
	int c = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	char byte;

	MUST(fcntl(listener, F_SETFL, O_NONBLOCK));
	DO(add(ep, listener, EPOLLIN | EPOLLET));
	EVENT(ep, 0);
	DO(connect(c, calls_loopback(calls_port(listener)), ADDRLEN));
	EVENT(ep, 3000);
	DO_FD(s = accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	DO(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	EVENT(ep, 50);
	MUST(close(ep));
	ep = (int)MUST(epoll_create1(0));
	DO(add(ep, c, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET));
	EVENT(ep, 3000);
	(void)printf("SO_ERROR -> %s\n", calls_soerror(c));
	DO(write(s, "x", 1));
	host_sleep_ms(50);
	EVENT(ep, 3000);
	DO(read(c, &byte, 1));
	EVENT(ep, 50);
}

static void
connect_refused(void)
{
	int listener = calls_listener(1), port = calls_port(listener);
	int ep = (int)MUST(epoll_create1(0));
	int c = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));

	MUST(close(listener));
	DO(connect(c, calls_loopback(port), ADDRLEN));
	DO(add(ep, c, EPOLLOUT));
	EVENT(ep, 3000);
	(void)printf("SO_ERROR -> %s\n", calls_soerror(c));
	(void)printf("SO_ERROR -> %s\n", calls_soerror(c));
}

const struct calls_case calls_cases[] = {
    {"level", level},
    {"edge", edge},
    {"oneshot", oneshot},
    {"peer-ends", peer_ends},
    {"peer-closes", peer_closes},
    {"exclusive", exclusive},
    {"nested", nested},
    {"mixed", mixed},
    {"through-fork", through_fork},
    {"connect-by-edge", connect_by_edge},
    {"connect-refused", connect_refused},
    {NULL, NULL},
};
