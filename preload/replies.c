/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where answers come: a pair of which the server gets one end with each request.
 *
 * A pair of one request ends with it: our copy of the server's end is closed at once, so that a
 * server that dies shows as an end. A process that makes many requests keeps a pair, with both
 * ends, at high numbers, and a copy of the control connection by which it is used: while it waits it
 * looks at that, too, and should it end, gives up its copy of the server's end. By another connection
 * a pair serves one request more.
 *
 * There is one kept pair of a kind. Whoever needs it takes it out of its slot, for himself alone, and
 * puts it back; who does not find it there makes one for a request of his own. They are their
 * process's: a vfork child, or a child of a bare clone(), leaves them alone, one of fork() closes them.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEEP_AFTER 4 /* requests: a short program has no use for it */

static const struct replies none = {.rp_fd = {-1, -1, -1}};

static struct {
	atomic_flag busy;    /* tried, never waited for */
	_Atomic bool exists; /* its pair is here, or with a request */
	struct replies pair;
} slots[REPLIES_SLOTS] = {{ATOMIC_FLAG_INIT, false, {.rp_fd = {-1, -1, -1}}},
    {ATOMIC_FLAG_INIT, false, {.rp_fd = {-1, -1, -1}}}};
static pid_t owner;
static _Atomic uint32_t requests; /* that found no pair */

static void
close_fd(int fd)
{
	int saved = errno;

	(void)syscall(SYS_close, fd);
	errno = saved;
}

void
replies_close(const struct replies *rp)
{
	for (int i = 0; i < REPLIES_FDS; i++) {
		if (rp->rp_fd[i] >= 0)
			close_fd(rp->rp_fd[i]);
	}
	if (rp->rp_kept)
		slots[rp->rp_slot].exists = false;
}

/* The program may have closed the numbers, and used them again. => all are still there */
static bool
replies_check(struct replies *rp)
{
	bool all = true;

	for (int i = 0; i < REPLIES_FDS; i++) {
		if (rp->rp_fd[i] >= 0 && descriptor_cookie(rp->rp_fd[i]) != rp->rp_cookie[i])
			rp->rp_fd[i] = -1;
		all = all && rp->rp_fd[i] >= 0;
	}
	return all;
}

bool
replies_ours(void)
{
	return !descriptor_confined() && getpid() == owner;
}

bool
replies_take(enum replies_slot slot, struct replies *rp)
{
	*rp = none;
	if (!replies_ours() || atomic_flag_test_and_set(&slots[slot].busy))
		return false;
	*rp = slots[slot].pair;
	slots[slot].pair = none;
	atomic_flag_clear(&slots[slot].busy);
	if (replies_check(rp))
		return true;
	replies_close(rp);
	return false;
}

void
replies_put(const struct replies *rp)
{
	if (!rp->rp_kept || !replies_ours() || atomic_flag_test_and_set(&slots[rp->rp_slot].busy)) {
		replies_close(rp);
		return;
	}
	slots[rp->rp_slot].pair = *rp;
	atomic_flag_clear(&slots[rp->rp_slot].busy);
}

int
replies_make(struct replies *rp)
{
	*rp = none;
	return syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, rp->rp_fd) == 0
	    ? 0
	    : errno;
}

bool
replies_keep(enum replies_slot slot, struct replies *rp)
{
	struct replies high = {.rp_fd = {-1, -1, -1}, .rp_kept = true, .rp_slot = slot};
	int from[REPLIES_FDS] = {rp->rp_fd[REPLIES_OURS], rp->rp_fd[REPLIES_THEIRS], -1};

	if (!replies_ours() || atomic_exchange(&slots[slot].exists, true))
		return false;
	from[REPLIES_WATCH] = control_open(&high.rp_connection);
	for (int i = 0; i < REPLIES_FDS; i++) {
		high.rp_fd[i] = control_beside(from[i]);
		high.rp_cookie[i] = descriptor_cookie(high.rp_fd[i]);
		if (high.rp_cookie[i] == 0) {
			replies_close(&high);
			return false;
		}
	}
	replies_close(rp);
	*rp = high;
	return true;
}

int
replies_open(struct replies *rp)
{
	int error;

	if (replies_take(REPLIES_ANSWER, rp))
		return 0;
	error = replies_make(rp);
	if (error == 0 && atomic_fetch_add(&requests, 1) >= KEEP_AFTER)
		(void)replies_keep(REPLIES_ANSWER, rp);
	return error;
}

void
replies_only(struct replies *rp)
{
	for (int i = REPLIES_THEIRS; i < REPLIES_FDS; i++) {
		if (rp->rp_fd[i] >= 0)
			close_fd(rp->rp_fd[i]);
		rp->rp_fd[i] = -1;
	}
	if (rp->rp_kept)
		slots[rp->rp_slot].exists = false;
	rp->rp_kept = false;
}

/* The parent's pairs are the parent's. */
static void
replies_forked(void)
{
	if (descriptor_confined())
		return;
	owner = getpid();
	for (int i = 0; i < REPLIES_SLOTS; i++) {
		atomic_flag_clear(&slots[i].busy);
		(void)replies_check(&slots[i].pair);
		replies_close(&slots[i].pair);
		slots[i].pair = none;
		slots[i].exists = false;
	}
}

__attribute__((constructor)) static void
replies_init(void)
{
	if (pthread_atfork(NULL, NULL, replies_forked) == 0)
		owner = getpid();
}
