/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls: the table that doors dispatch through, generated from <rumpus/syscalls.def>.
 * Arguments come in 64-bit slots in the order of the C call, pointers are addresses in the
 * process' vmspace, results are BSD errnos and up to two values.
 */
#ifndef KERN_SYSCALL_H
#define KERN_SYSCALL_H

#include <stdbool.h>
#include <stdint.h>

#include <rumpus/abi.h>

struct lwp;

#define SYSCALL_MAXARGS 8

struct sysent {
	int32_t sy_number;
	uint8_t sy_argc;
	bool sy_absent; /* in the original's table, not offered here */
	const char *sy_name;
	int (*sy_call)(struct lwp *l, const uint64_t *args, int64_t retval[2]);
};

/* => NULL: beyond the table. */
const struct sysent *sysent_find(int number);

/*
 * Carries out a call in lwp l (whose l_proc is the caller). May sleep.
 * => args: SYSCALL_MAXARGS slots, missing ones zero. retval is zeroed first. => errno, 0 is ok;
 * ERESTART is turned to EINTR.
 */
int syscall_invoke(struct lwp *l, const struct sysent *sy, const uint64_t *args, int64_t retval[2]);

#endif /* KERN_SYSCALL_H */
