/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Help for tests of the fdsock door: a stack with its loop and door in a thread of its own, and a
 * client that speaks the control protocol in the test's thread. Time is real; whoever waits waits
 * for an event, at most FDT_PATIENCE_MS.
 */
#ifndef SERVER_FDSOCK_TESTUTIL_H
#define SERVER_FDSOCK_TESTUTIL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/fdsock.h>

struct fd_server;
struct netstack;

#define FDT_PATIENCE_MS 20000

/* The server; its control socket. */
void fdt_start(void);
/* The same with fewer clusters and jumbo buffers. */
void fdt_start_scarce(unsigned nclusters, unsigned njumbos);
/* Waits until the door has no socket left, ends the server and checks that nothing is left. */
void fdt_end(void);
/* The same for a test of cmocka's; a write to nobody is no signal. */
int fdt_setup(void **state);
int fdt_teardown(void **state);
const char *fdt_path(void);
/* Runs fn in the server's thread and waits for it. */
void fdt_call(void (*fn)(struct fd_server *fd, struct netstack *ns, void *arg), void *arg);
/* A variable by sysctl name, read or set in the server's thread. */
uint64_t fdt_sysctl(const char *name);
void fdt_sysctl_set(const char *name, uint64_t value);
/* Waits until a variable has this value. */
void fdt_await(const char *name, uint64_t value);

/* A connection of its own to the control socket. */
int fdt_control(void);

struct fdt_reply {
	struct fdsock_reply hdr;
	uint8_t data[FDSOCK_REPLY_MAX];
	int fd; /* attached; -1 */
};
/* One request. => the reply's error; -1: no reply came */
int fdt_request(uint32_t op, int about, const int32_t arg[4], const void *data, size_t len,
    struct fdt_reply *rep);
/* The same in two. => where the reply comes; fdt_answer takes it and closes that. */
int fdt_ask(uint32_t op, int about, const int32_t arg[4], const void *data, size_t len);
int fdt_answer(int end, struct fdt_reply *rep);

int fdt_socket(int type);
int fdt_socketflags(int type, int *error);
struct sockaddr_in fdt_sin(uint32_t addr, uint16_t port);
int fdt_bind(int sock, uint16_t port);
int fdt_listen(int sock, int backlog);
uint16_t fdt_port(int sock);
/* Only starts it. => errno */
int fdt_connect_start(int sock, uint32_t addr, uint16_t port);
/* Waits for it. => errno */
int fdt_connect(int sock, uint32_t addr, uint16_t port);
int fdt_soerror(int sock);
int fdt_getopt(int sock, int level, int name, int *value);
int fdt_setopt(int sock, int level, int name, const void *val, size_t len);
int fdt_shutdown(int sock, int how);
/* A listening stream socket on 127.0.0.1. */
int fdt_listener(int backlog, uint16_t *port);
/* The next connection. */
int fdt_accept(int listener);
/* Two ends of a connection over the stack. */
void fdt_pair(int sv[2]);
/* poll for events. => revents; fails the test when nothing happens. */
int fdt_poll(int fd, int events);
/* Reads until 0 or an error. => bytes; *error gets the errno. */
size_t fdt_drain(int fd, int *error);

#endif /* SERVER_FDSOCK_TESTUTIL_H */
