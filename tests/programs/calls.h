/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs that compare system calls share. One source is built twice, for the host's
 * sockets and for the stack's; a case prints one line a call, "call -> result or errno's name",
 * and both builds are to print the same.
 *
 * A case starts in a process of its own, so its descriptors start at 3 and nothing is left over.
 */
#ifndef TESTS_PROGRAMS_CALLS_H
#define TESTS_PROGRAMS_CALLS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/sockios.h>

/* calls_host.c: the host's own calls, never the stack's. */
void host_pipe(int fd[2]);
void host_give(int fd); /* one byte */
bool host_take(int fd); /* waits for one; false: the other end is gone */
bool host_wait_line(void);
void host_sleep_ms(long ms);
int64_t host_now_ms(void);
const char *host_ended(pid_t pid); /* waits; "exit 0", "signal 9" */

#ifdef RUMPUS_CLIENT_RENAME
#include <rumpus/client.h>
#else
static inline int
rumpus_client_init(void)
{
	return 0;
}
#endif

struct calls_case {
	const char *cc_name;
	void (*cc_run)(void);
};

/* The program's own; ends with a name that is NULL. A name that starts with '-' is not listed. */
extern const struct calls_case calls_cases[];
extern int calls_argc;
extern char **calls_argv; /* what follows the case's name */

/* Addresses that nothing lies at; the compiler may not know. */
extern void *volatile calls_null, *volatile calls_wild;

/* Runs a call and prints it with its result. */
#define DO(call) calls_say(#call, (long)(call))
/* As DO(), where only success and errno are the same in both. Returns the result. */
#define DO_FD(call) calls_say_fd(#call, (long)(call))
/* What has to work for the case to make sense; else the program ends. */
#define MUST(call) calls_must(__FILE__, __LINE__, #call, (long)(call))

long calls_say(const char *what, long result);
int calls_say_fd(const char *what, long result);
long calls_must(const char *file, int line, const char *what, long result);
const char *calls_errname(int error);
/* errno of SO_ERROR, by name. */
const char *calls_soerror(int fd);

struct sockaddr_in calls_addr(const char *text, int port);
struct sockaddr *calls_loopback(int port); /* valid until the next call of this thread */
#define ADDRLEN ((socklen_t)sizeof(struct sockaddr_in))
int calls_port(int fd); /* that fd is bound to */
/* 127.0.0.1:port and the like, with the ports that stand for a, b and c replaced by these letters. */
void calls_say_name(const char *what, int error, const struct sockaddr_in *sin, int a, int b);

int calls_listener(int backlog); /* on a free port of the loopback */
/* fd[0] has connected, fd[1] was accepted. */
void calls_pair(int fd[2]);
/* Both bound to the loopback, not connected. */
void calls_udp_pair(int fd[2]);
/* Waits for events, at most some seconds; the revents as text. */
const char *calls_wait(int fd, short events);
const char *calls_revents(short revents);
void calls_fill(uint8_t *buf, size_t n, unsigned seed);
/* Reads n bytes and compares them with calls_fill()'s. Prints nothing. */
bool calls_expect(int fd, size_t n, unsigned seed);

#endif /* TESTS_PROGRAMS_CALLS_H */
