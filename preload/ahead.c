/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets made ahead. A process that makes one stream socket after the other, as a client of many
 * connections does, need not wait for each: having got one it asks for the next of the same kind,
 * whose descriptor then waits in a reply pair. One in a process may never be used; it ends with it.
 */
#include "preload.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AHEAD_AFTER 8 /* sockets of a kind */

static _Atomic bool due;      /* the next one is to be asked for */
static _Atomic uint64_t last; /* the kind of the last one, and how many there were of it */

/* => How many of this kind have been made one after the other, at most AHEAD_AFTER. */
static unsigned
alike(const struct exchange *ex)
{
	uint64_t kind = (uint64_t)(uint32_t)ex->ex_arg[0] << 56 |
	    (uint64_t)(uint32_t)ex->ex_arg[1] << 24 | (uint64_t)(uint32_t)ex->ex_arg[2] << 8;
	uint64_t before = atomic_load(&last), n = before & 0xff;

	n = (before & ~UINT64_C(0xff)) != kind ? 1 : n < AHEAD_AFTER ? n + 1 : n;
	atomic_store(&last, kind | n);
	return (unsigned)n;
}

/* Asks for the next; its descriptor will be in the pair. Takes the pair. */
static void
ahead_send(struct replies *rp)
{
	struct exchange next = {.ex_op = FDSOCK_OP_SOCKET, .ex_about = -1};

	memcpy(next.ex_arg, rp->rp_arg, sizeof(next.ex_arg));
	rp->rp_due = false;
	if (control_send(&next, rp) == 0)
		replies_put(rp);
	else
		replies_close(rp);
}

void
ahead_go(void)
{
	struct replies rp;

	if (!atomic_load_explicit(&due, memory_order_relaxed) || !atomic_exchange(&due, false) ||
	    !replies_take(REPLIES_AHEAD, &rp))
		return;
	if (rp.rp_due)
		ahead_send(&rp);
	else
		replies_put(&rp);
}

/* The next is to be asked for when this process gets its next answer: it has no wait before it. */
static void
ahead_later(const struct exchange *ex, struct replies *rp)
{
	memcpy(rp->rp_arg, ex->ex_arg, sizeof(rp->rp_arg));
	rp->rp_uid = geteuid();
	rp->rp_due = true;
	replies_put(rp);
	atomic_store(&due, true);
}

/* The server that made it is gone. */
static bool
is_dead(int fd)
{
	struct pollfd pfd = {.fd = fd};

	return syscall(SYS_ppoll, &pfd, 1, &(struct timespec){0}, NULL, 0) != 0;
}

bool
ahead_take(struct exchange *ex)
{
	struct replies rp;
	int error;

	if (!replies_take(REPLIES_AHEAD, &rp))
		return false;
	if (rp.rp_due || memcmp(rp.rp_arg, ex->ex_arg, sizeof(rp.rp_arg)) != 0 ||
	    rp.rp_uid != geteuid()) {
		replies_put(&rp);
		return false;
	}
	error = control_receive(ex, &rp);
	if (error == 0 && ex->ex_fd >= 0 && !is_dead(ex->ex_fd)) {
		ahead_later(ex, &rp);
		return true;
	}
	if (ex->ex_fd >= 0)
		(void)syscall(SYS_close, ex->ex_fd);
	replies_close(&rp);
	return false;
}

void
ahead_ask(const struct exchange *ex)
{
	struct replies rp;

	if (alike(ex) < AHEAD_AFTER || !replies_ours())
		return;
	if (replies_take(REPLIES_AHEAD, &rp)) {
		if (rp.rp_due && memcmp(rp.rp_arg, ex->ex_arg, sizeof(rp.rp_arg)) == 0) {
			ahead_later(ex, &rp);
			return;
		}
		replies_close(&rp); /* one of another kind, or for another user */
	}
	if (replies_make(&rp) != 0)
		return;
	if (replies_keep(REPLIES_AHEAD, &rp))
		ahead_later(ex, &rp);
	else
		replies_close(&rp);
}
