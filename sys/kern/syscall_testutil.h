/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Help for tests of system calls: a call carried out in an lwp, and a file whose readiness the
 * test sets.
 */
#ifndef KERN_SYSCALL_TESTUTIL_H
#define KERN_SYSCALL_TESTUTIL_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/filedesc.h"
#include "kern/proc.h"
#include "kern/select.h"
#include "kern/syscall.h"

/* A call, its arguments and what became of it. */
struct testcall {
	int tc_number;
	uint64_t tc_args[SYSCALL_MAXARGS];
	int64_t tc_retval[2];
	int tc_error;
	bool tc_done;
	struct lwp *tc_lwp;
};

/* A pointer or integer as an argument. */
#define TC_ARG(x) ((uint64_t)(uintptr_t)(x))
#define TC_CALL(number, ...) ((struct testcall){.tc_number = (number), .tc_args = {__VA_ARGS__}})

/* Starts a call and runs it until it ends or sleeps. Fails the test without an lwp. */
void testcall_start(struct proc *p, struct testcall *tc);
/* The same for one that must not sleep. Returns its errno. */
int testcall_run(struct proc *p, struct testcall *tc);
/* testcall_run of a call that must succeed: its first value. */
int64_t testcall_value(struct proc *p, struct testcall tc);
/* testcall_run of a call: its errno. */
int testcall_error(struct proc *p, struct testcall tc);

/* A process with the direct engine and nobody behind it. */
struct proc *test_proc(struct netstack *ns);

/* A file that a test opens; it sleeps in read while ff_events has no BSD_POLLRDNORM. */
struct fakefile {
	int ff_events; /* that hold now */
	struct selinfo ff_sel;
	struct waitq ff_wait;
	unsigned ff_nclosed;
	bool ff_nonblock;
};

/* Opens ff in p. Returns the descriptor. */
int fakefile_open(struct proc *p, struct fakefile *ff);
/* Sets the events that hold and wakes whoever waits. */
void fakefile_set(struct fakefile *ff, int events);

#endif /* KERN_SYSCALL_TESTUTIL_H */
