/* SPDX-License-Identifier: BSD-2-Clause */
/* What the little programs of the end-to-end tests share; each runs on the stack of RUMP_SERVER. */
#ifndef TESTS_PROGRAMS_PROGRAM_H
#define TESTS_PROGRAMS_PROGRAM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* Connects to the server, or ends the program. */
void program_init(void);
/* Says what failed and why (errno), and ends the program. */
void die(const char *what) __attribute__((noreturn));
/* ADDRESS and PORT as text. => ends the program if they are none. */
struct sockaddr_in parse_address(const char *address, const char *port);
/* A listening TCP socket on any port; prints "listening ADDRESS PORT". */
int listen_any(const char *address);
bool send_whole(int fd, const void *buf, size_t len);

#endif /* TESTS_PROGRAMS_PROGRAM_H */
