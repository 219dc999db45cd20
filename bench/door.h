/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of the programs here go to the host's stack, to one behind RUMP_SERVER
 * (-DRUMPUS_CLIENT_RENAME), or to one in the same process (-DBENCH_LINKED besides). Include it last.
 */
#ifndef BENCH_DOOR_H
#define BENCH_DOOR_H

#include <stdbool.h>

#ifdef RUMPUS_CLIENT_RENAME
#include <stdio.h>

#include <rumpus/client.h>
#endif

/* Lets others do what a full queue waits for. */
#ifdef BENCH_LINKED
void door_yield(void);
#else
#include <sched.h>

static inline void
door_yield(void)
{
	(void)sched_yield();
}
#endif

/* => false after saying why: no stack to call */
static inline bool
door_open(void)
{
#if defined(RUMPUS_CLIENT_RENAME) && !defined(BENCH_LINKED)
	if (rumpus_client_init() != 0) {
		(void)fprintf(stderr, "%s\n", rumpus_client_error_text());
		return false;
	}
#endif
	return true;
}

#endif /* BENCH_DOOR_H */
