/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the Linux host offers to programs besides <rumpus/host.h>: the clock and the seed that they
 * hand to a stack, and where its log lines go.
 */
#ifndef HOST_LINUX_H
#define HOST_LINUX_H

#include <stdint.h>

#include <rumpus/host.h>

/* CLOCK_MONOTONIC in ns. */
uint64_t host_linux_now_ns(void);

/* 32 random bytes. => the host's errno: the kernel gives none. */
int host_linux_seed(uint8_t seed[32]);

/*
 * Log lines above this level are left out. The default is HOST_LOG_INFO.
 * => set before the first stack is made; not changed from another thread afterwards.
 */
void host_log_set_level(enum host_log_level most);

/* What stands before the colon of every line; "rumpus" by default. => borrowed for ever. */
void host_log_set_prefix(const char *prefix);

#endif /* HOST_LINUX_H */
