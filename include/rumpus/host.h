/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls: all that the stack asks of the world it runs in.
 *
 * Exactly one implementation is linked (host/linux, host/sim). Time and randomness are not here:
 * they are inputs of the stack (stack.h), so that a run can be repeated bit for bit. Nothing here
 * may block.
 */
#ifndef RUMPUS_HOST_H
#define RUMPUS_HOST_H

#include <stddef.h>
#include <stdint.h>

/*
 * Memory for pools and long-lived tables, zeroed, aligned to 64 bytes.
 * => NULL when there is none: every caller handles that.
 * => host_free takes the same size; NULL is allowed.
 */
void *host_alloc(size_t len_bytes);
void host_free(void *p, size_t len_bytes);

/*
 * A stackful context for an lwp. `entry(arg)` starts at the first switch to it and never returns:
 * it switches away for the last time instead, after which the context may be destroyed.
 * => host_context_create: NULL when memory is short; the stack has a guard page below it.
 * => host_context_main: the handle for the caller's own stack, one a stack instance.
 * => host_context_switch saves the running context in `from` and continues `to`. Both belong to
 *    one thread. Sanitizers are told of the switch.
 */
struct host_context;
struct host_context *host_context_main(void);
struct host_context *host_context_create(size_t stack_bytes, void (*entry)(void *), void *arg);
void host_context_switch(struct host_context *from, struct host_context *to);
void host_context_destroy(struct host_context *ctx);

enum host_log_level { HOST_LOG_ERR, HOST_LOG_WARN, HOST_LOG_INFO, HOST_LOG_DEBUG, HOST_LOG_COUNT };

/* One line for people, without a newline. `text` is borrowed. */
void host_log(enum host_log_level level, const char *text);

/* A broken invariant: says what and where, then ends the process. */
_Noreturn void host_panic(const char *file, int line, const char *what);

#endif /* RUMPUS_HOST_H */
