/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of system calls, from <rumpus/syscalls.def>: see syscall.h. */
#include "kern/syscall.h"

#include <stddef.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/proc.h"
#include "kern/sys_calls.h"

static const struct sysent sysents[] = {
#define RUMPUS_SYSCALL(number, name, argc, decl) \
	[number] = {.sy_number = (number),       \
	    .sy_argc = (argc),                   \
	    .sy_name = #name,                    \
	    .sy_call = sys_##name},
#define RUMPUS_SYSCALL_ABSENT(number, name) \
	[number] = {.sy_number = (number), .sy_absent = true, .sy_name = #name},
#include <rumpus/syscalls.def>
#undef RUMPUS_SYSCALL
#undef RUMPUS_SYSCALL_ABSENT
};

const struct sysent *
sysent_find(int number)
{
	if (number < 0 || (unsigned)number >= nitems(sysents) || sysents[number].sy_name == NULL)
		return NULL;
	return &sysents[number];
}

int
syscall_invoke(struct lwp *l, const struct sysent *sy, const uint64_t *args, int64_t retval[2])
{
	int error;

	retval[0] = 0;
	retval[1] = 0;
	if (sy->sy_absent) {
		proc_raise(l->l_proc, SIGSYS);
		return ENOSYS;
	}
	error = sy->sy_call(l, args, retval);
	return error == ERESTART ? EINTR : error;
}
