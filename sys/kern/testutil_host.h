/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands between the stack and the host in the tests of sys/kern, by the linker's --wrap: memory is
 * counted and can be refused, and a KASSERT that fires is a failed test, or one that
 * expect_assert_failure waits for.
 */
#ifndef KERN_TESTUTIL_HOST_H
#define KERN_TESTUTIL_HOST_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that host_alloc gave out and host_free has not had back. */
size_t test_host_bytes(void);
/* Lets the n-th host_alloc from now fail; 0: none. */
void test_host_fail_at(uint64_t n);
/* => true: the failure asked for has happened. */
int test_host_failed(void);

#endif /* KERN_TESTUTIL_HOST_H */
