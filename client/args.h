/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arguments of a system call in their 8-byte slots, and how a call fails.
 */
#ifndef CLIENT_ARGS_H
#define CLIENT_ARGS_H

#include <errno.h>
#include <stdint.h>

static inline int
fail(int error)
{
	errno = error;
	return -1;
}

static inline uint64_t
addr(const void *p)
{
	return (uintptr_t)p;
}

static inline uint64_t
num(int64_t n)
{
	return (uint64_t)n;
}

#endif /* CLIENT_ARGS_H */
