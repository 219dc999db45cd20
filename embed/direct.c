/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of <rumpus/client.h> without a wire. They reach their stack through one function,
 * client_syscall(); this is another one of that name, over the linked-in door.
 */
#include <rumpus/embed.h>

#include <errno.h>
#include <string.h>

#include <rumpus/socket.h>

#include "../client/session.h"
#include "../client/translate.h"

#define ARGS_MAX 8

static _Thread_local struct rumpus_proc *embed_proc;

struct rumpus_proc *
rumpus_embed_use(struct rumpus_proc *p)
{
	struct rumpus_proc *was = embed_proc;

	embed_proc = p;
	return was;
}

/* What is left of a select's time-out is told by the stack's clock too. */
int64_t
monotonic_ns(void)
{
	return embed_proc != NULL ? (int64_t)rumpus_clock(embed_proc) : 0;
}

int64_t
client_syscall(uint32_t number, const uint64_t *args, int nargs, const struct iovec *user,
    int nuser)
{
	struct rumpus_proc *p = embed_proc;
	uint64_t slots[ARGS_MAX] = {0};
	int64_t result;

	(void)user; /* the stack reads and writes them by itself */
	(void)nuser;
	if (p == NULL || nargs > ARGS_MAX) {
		errno = p == NULL ? ENETDOWN : EINVAL;
		return -1;
	}
	if (nargs > 0)
		memcpy(slots, args, (size_t)nargs * sizeof(slots[0]));
	result = rumpus_syscall(p, (int)number, slots);
	embed_proc = p; /* another task may have used another one meanwhile */
	if (result >= 0)
		return result;
	errno = bsd_errno_to_linux((int)-result);
	return -1;
}
