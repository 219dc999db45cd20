/* SPDX-License-Identifier: BSD-2-Clause */
/* The few macros that every file of the stack may use. */
#ifndef KERN_CDEFS_H
#define KERN_CDEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/host.h>

/* A programmer's error ends the process; no packet and no client may ever trigger one. */
#define KASSERT(cond) ((cond) ? (void)0 : host_panic(__FILE__, __LINE__, "KASSERT(" #cond ")"))

#define container_of(ptr, type, member) \
	((type *)(void *)&((char *)(ptr))[-(ptrdiff_t)offsetof(type, member)])
#define nitems(array) (sizeof(array) / sizeof((array)[0]))
#define howmany(n, unit) (((n) + ((unit)-1)) / (unit))

#define KERN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define KERN_MAX(a, b) ((a) > (b) ? (a) : (b))

#define NSEC_PER_USEC 1000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_SEC 1000000000ull

#endif /* KERN_CDEFS_H */
