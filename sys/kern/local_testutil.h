/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A domain for tests of socket calls: AF_LOCAL streams and datagrams between one-byte ports, which
 * deliver at once and hold back while the receiver's buffer is full. One stack at a time.
 */
#ifndef KERN_LOCAL_TESTUTIL_H
#define KERN_LOCAL_TESTUTIL_H

#include <stdbool.h>
#include <stdint.h>

#include <rumpus/abi.h>

#include "kern/protosw.h"

#define LOCAL_ADDR_LEN 10u

extern const struct domain localdomain;

/* Connections stay half made until the test calls soisconnected. */
extern bool local_slow_connect;

/* The address of a port, LOCAL_ADDR_LEN bytes long. */
void local_addr(uint8_t port, union bsd_sockaddr_any *nam);
/* Sockets that the protocols still know. */
unsigned local_npcbs(void);

#endif /* KERN_LOCAL_TESTUTIL_H */
