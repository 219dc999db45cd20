/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Help for the unit tests of sys/ and of what lies above: a small stack of fixed seed without
 * domains, the check that nothing is left of it, and loops in which each allocation fails in turn.
 */
#ifndef KERN_TESTUTIL_H
#define KERN_TESTUTIL_H

#include <stddef.h>
#include <stdint.h>

#include "kern/netstack.h"

struct mbuf;

#define TEST_NMBUFS 256u
#define TEST_NCLUSTERS 64u
#define TEST_NJUMBOS 4u
#define TEST_NOW_NS 1000000000ull

/* Fixed seed, pools of the sizes above, no domains: change what the test needs changed. */
struct netstack_config test_config(void);
/* A stack of test_config(). Ends the test when there is none. */
struct netstack *test_netstack(void);
/* Fails the test, naming the pool, when a pool of ns is not empty. */
void test_pools_empty(const struct netstack *ns);
/* test_pools_empty, then netstack_destroy. */
void test_netstack_end(struct netstack *ns);
/* Lets ns_now go on by delay_ns and runs the stack at each deadline on the way. */
void test_run_for(struct netstack *ns, uint64_t delay_ns);

/*
 * Runs scenario(factory()) again and again, the n-th time with the n-th allocation after the factory
 * failing, until it is not reached; after each run the stack ends with empty pools.
 * => factory NULL: test_netstack. scenario returns 0 when all went well, else any error; it must
 *    return 0 when nothing failed. Returns how many allocations were made to fail.
 */
unsigned for_each_alloc_failure(struct netstack *(*factory)(void),
    int (*scenario)(struct netstack *ns, void *arg), void *arg);

/*
 * A chain whose i-th mbuf holds lens[i] bytes of the pattern (byte at offset o is test_byte(o)),
 * with kind[i] 'i' inside, 'c' in a cluster, 's' in a cluster that somebody else shares; pkthdr.
 */
struct mbuf *test_chain(struct netstack *ns, const char *kinds, const size_t *lens,
    struct mbuf **sharers);
uint8_t test_byte(size_t off);
/* Fails the test when m is not sane, or is not exactly the len bytes at `bytes`. */
void test_chain_is(const struct mbuf *m, const void *bytes, size_t len);

#endif /* KERN_TESTUTIL_H */
