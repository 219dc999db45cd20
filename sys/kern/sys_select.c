/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll, pollts, select, pselect: waiting for one of many files. select is turned into the list
 * that poll has. See select.h for the records left on the files while a call sleeps.
 *
 * Deviation: a signal mask is refused with EOPNOTSUPP. The signals are those of the caller's own
 * host; blocking them there for just the length of this wait cannot be done from here, and a call
 * that looks atomic but is not would lose wake-ups. NULL is what all but a few callers pass.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/proc.h"
#include "kern/sys_calls.h"

#define FD_WORD_BITS 32u

/* How a call waits, and for how long. */
struct pollwait {
	bool pw_select; /* select: POLLERR and POLLHUP matter to readers and writers only */
	bool pw_forever;
	uint64_t pw_deadline_ns; /* on ns_now; not after it: does not wait */
};

static void
pollwait_set(struct pollwait *pw, struct netstack *ns, uint64_t ns_to_wait)
{
	pw->pw_select = false;
	pw->pw_forever = ns_to_wait > UINT64_MAX - ns->ns_now;
	pw->pw_deadline_ns = pw->pw_forever ? 0 : ns->ns_now + ns_to_wait;
}

/* Seconds and nanoseconds of a caller; more than fits is for ever. */
static int
pollwait_time(struct pollwait *pw, struct netstack *ns, int64_t sec, int64_t nsec)
{
	if (sec < 0 || nsec < 0 || nsec >= (int64_t)NSEC_PER_SEC)
		return EINVAL;
	if ((uint64_t)sec > UINT64_MAX / NSEC_PER_SEC - 1)
		pollwait_set(pw, ns, UINT64_MAX);
	else
		pollwait_set(pw, ns, (uint64_t)sec * NSEC_PER_SEC + (uint64_t)nsec);
	return 0;
}

/* A time-out given as the address of a timespec or timeval, 0 for none. */
static int
pollwait_copyin(struct pollwait *pw, struct lwp *l, uint64_t uaddr, bool timeval)
{
	struct bsd_timespec ts;
	struct bsd_timeval tv;
	int error;

	if (uaddr == 0) {
		pollwait_set(pw, l->l_ns, UINT64_MAX);
		return 0;
	}
	if (!timeval) {
		error = copyin(&l->l_proc->p_vm, uaddr, &ts, sizeof(ts));
		return error != 0 ? error : pollwait_time(pw, l->l_ns, ts.tv_sec, ts.tv_nsec);
	}
	error = copyin(&l->l_proc->p_vm, uaddr, &tv, sizeof(tv));
	if (error != 0)
		return error;
	return pollwait_time(pw, l->l_ns, tv.tv_sec, (int64_t)tv.tv_usec * 1000);
}

/* The events that end the wait for pfd: those asked for, and those that always do. */
static int
poll_mask(const struct bsd_pollfd *pfd, const struct pollwait *pw)
{
	int events = (uint16_t)pfd->events;

	if (pw->pw_select && (events & (POLLRDNORM | POLLWRNORM)) == 0)
		return events | POLLNVAL;
	return events | POLLERR | POLLHUP | POLLNVAL;
}

/* Asks one file. sr NULL: does not record. */
static int
poll_one(struct lwp *l, const struct bsd_pollfd *pfd, struct selrec *sr, struct waitq *wq)
{
	struct file *fp;
	int revents;

	if (pfd->fd < 0)
		return 0;
	if (fd_hold(&l->l_proc->p_fd, pfd->fd, &fp) != 0)
		return POLLNVAL;
	revents = fp->f_ops->fo_poll(fp, (uint16_t)pfd->events, sr, wq);
	fd_release(fp);
	return revents;
}

/* What is being waited for. */
struct pollset {
	struct bsd_pollfd *ps_fds;
	unsigned ps_n;
	const struct pollwait *ps_wait;
};

/* Asks all files, recording on each until one is ready. Returns how many are. */
static unsigned
poll_scan(struct lwp *l, const struct pollset *ps, struct selrec *srs, struct waitq *wq)
{
	unsigned ready = 0;

	for (unsigned i = 0; i < ps->ps_n; i++) {
		struct bsd_pollfd *pfd = &ps->ps_fds[i];
		bool record = srs != NULL && ready == 0;
		int revents = poll_one(l, pfd, record ? &srs[i] : NULL, wq);

		pfd->revents = (int16_t)(revents & poll_mask(pfd, ps->ps_wait));
		if (pfd->revents != 0)
			ready++;
	}
	return ready;
}

static void
poll_forget(struct selrec *srs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		selremove(&srs[i]);
}

static bool
pollwait_over(const struct pollwait *pw, const struct netstack *ns)
{
	return !pw->pw_forever && pw->pw_deadline_ns <= ns->ns_now;
}

/* => *readyp: 0 when the time was over. EINTR, ENOMEM. revents are set. */
static int
poll_wait(struct lwp *l, const struct pollset *ps, unsigned *readyp)
{
	const struct pollwait *pw = ps->ps_wait;
	struct netstack *ns = l->l_ns;
	struct scratch sc;
	struct selrec *srs;
	struct waitq wq;
	int error = 0;

	*readyp = poll_scan(l, ps, NULL, NULL);
	if (*readyp > 0 || pollwait_over(pw, ns) || lwp_current(ns) == NULL)
		return 0; /* the loop never waits */
	srs = scratch_get(&sc, ps->ps_n * sizeof(*srs));
	if (srs == NULL)
		return ENOMEM;
	waitq_init(&wq);
	for (;;) {
		*readyp = poll_scan(l, ps, srs, &wq);
		if (*readyp > 0 || pollwait_over(pw, ns))
			break;
		error =
		    tsleep(ns, &wq, "select", pw->pw_forever ? 0 : pw->pw_deadline_ns - ns->ns_now);
		poll_forget(srs, ps->ps_n);
		if (error == EWOULDBLOCK)
			error = 0; /* a last look, and the time is over */
		if (error != 0)
			break;
	}
	poll_forget(srs, ps->ps_n);
	scratch_put(&sc);
	return error;
}

static int
poll_common(struct lwp *l, const uint64_t *args, const struct pollwait *pw, int64_t *retval)
{
	uint32_t n = arg_u32(args, 1);
	size_t len = n * sizeof(struct bsd_pollfd);
	struct pollset ps;
	struct scratch sc;
	unsigned ready;
	int error;

	if (n > l->l_proc->p_fd.fd_limit)
		return EINVAL;
	if (scratch_get(&sc, len) == NULL)
		return ENOMEM;
	ps = (struct pollset){.ps_fds = sc.sc_p, .ps_n = n, .ps_wait = pw};
	error = copyin(&l->l_proc->p_vm, args[0], sc.sc_p, len);
	if (error == 0)
		error = poll_wait(l, &ps, &ready);
	if (error == 0)
		error = copyout(&l->l_proc->p_vm, sc.sc_p, args[0], len);
	if (error == 0)
		*retval = ready;
	scratch_put(&sc);
	return error;
}

int
sys_poll(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	int ms = arg_int(args, 2);
	struct pollwait pw;

	pollwait_set(&pw, l->l_ns, ms < 0 ? UINT64_MAX : (uint64_t)ms * NSEC_PER_MSEC);
	return poll_common(l, args, &pw, retval);
}

int
sys_pollts(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct pollwait pw;
	int error;

	if (args[3] != 0)
		return EOPNOTSUPP;
	error = pollwait_copyin(&pw, l, args[2], false);
	return error != 0 ? error : poll_common(l, args, &pw, retval);
}

/* What select's three sets mean in poll's terms: asked for, and taken as a yes. */
static const struct {
	int16_t ask;
	int16_t yes;
} select_events[3] = {
    {POLLRDNORM, POLLRDNORM | POLLHUP | POLLERR},
    {POLLWRNORM, POLLWRNORM | POLLHUP | POLLERR},
    {POLLRDBAND, POLLRDBAND},
};

/* The sets of one select: bits[which * words + n / 32], bit n % 32. */
struct selsets {
	uint32_t *ss_bits;
	unsigned ss_words;
	unsigned ss_nfds;
};

static uint32_t *
selsets_word(const struct selsets *ss, unsigned which, unsigned fd)
{
	return &ss->ss_bits[which * ss->ss_words + fd / FD_WORD_BITS];
}

/* Lists the descriptors in any set; pfds may be NULL to count them. */
static unsigned
selsets_list(const struct selsets *ss, struct bsd_pollfd *pfds)
{
	unsigned n = 0;

	for (unsigned fd = 0; fd < ss->ss_nfds; fd++) {
		int16_t ask = 0;

		for (unsigned which = 0; which < 3; which++) {
			if (*selsets_word(ss, which, fd) >> fd % FD_WORD_BITS & 1)
				ask |= select_events[which].ask;
		}
		if (ask != 0 && pfds != NULL)
			pfds[n] = (struct bsd_pollfd){.fd = (int)fd, .events = ask};
		if (ask != 0)
			n++;
	}
	return n;
}

/* Replaces the sets by the answer. => EBADF: one was no descriptor. */
static int
selsets_answer(struct selsets *ss, const struct bsd_pollfd *pfds, unsigned n, int64_t *countp)
{
	int64_t count = 0;

	memset(ss->ss_bits, 0, sizeof(uint32_t) * 3 * ss->ss_words);
	for (unsigned i = 0; i < n; i++) {
		unsigned fd = (unsigned)pfds[i].fd;

		if ((pfds[i].revents & POLLNVAL) != 0)
			return EBADF;
		for (unsigned which = 0; which < 3; which++) {
			if ((pfds[i].events & select_events[which].ask) == 0 ||
			    (pfds[i].revents & select_events[which].yes) == 0)
				continue;
			*selsets_word(ss, which, fd) |= 1u << fd % FD_WORD_BITS;
			count++;
		}
	}
	*countp = count;
	return 0;
}

/* Waits on fetched sets. */
static int
select_sets(struct lwp *l, struct selsets *ss, const struct pollwait *pw, int64_t *countp)
{
	struct pollset ps = {.ps_n = selsets_list(ss, NULL), .ps_wait = pw};
	struct scratch sc;
	unsigned ready;
	int error;

	ps.ps_fds = scratch_get(&sc, ps.ps_n * sizeof(*ps.ps_fds));
	if (ps.ps_fds == NULL)
		return ENOMEM;
	selsets_list(ss, ps.ps_fds);
	error = poll_wait(l, &ps, &ready);
	if (error == 0)
		error = selsets_answer(ss, ps.ps_fds, ps.ps_n, countp);
	scratch_put(&sc);
	return error;
}

/* Fetches or stores the sets that the caller named. */
static int
selsets_copy(struct lwp *l, const struct selsets *ss, const uint64_t *uaddrs, bool in)
{
	struct vmspace *vm = &l->l_proc->p_vm;
	size_t len = ss->ss_words * sizeof(uint32_t);
	int error = 0;

	for (unsigned which = 0; which < 3 && error == 0; which++) {
		uint32_t *bits = ss->ss_bits + which * ss->ss_words;

		if (uaddrs[which] == 0)
			continue;
		error = in ? copyin(vm, uaddrs[which], bits, len)
			   : copyout(vm, bits, uaddrs[which], len);
	}
	return error;
}

static int
select_common(struct lwp *l, const uint64_t *args, struct pollwait *pw, int64_t *retval)
{
	struct selsets ss = {.ss_nfds = arg_u32(args, 0)};
	struct scratch sc;
	int error;

	pw->pw_select = true;
	if (ss.ss_nfds > l->l_proc->p_fd.fd_limit)
		return EINVAL;
	ss.ss_words = howmany(ss.ss_nfds, FD_WORD_BITS);
	ss.ss_bits = scratch_get(&sc, sizeof(uint32_t) * 3 * ss.ss_words);
	if (ss.ss_bits == NULL)
		return ENOMEM;
	error = selsets_copy(l, &ss, args + 1, true);
	if (error == 0)
		error = select_sets(l, &ss, pw, retval);
	if (error == 0)
		error = selsets_copy(l, &ss, args + 1, false);
	scratch_put(&sc);
	return error;
}

int
sys_select(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct pollwait pw;
	int error = pollwait_copyin(&pw, l, args[4], true);

	return error != 0 ? error : select_common(l, args, &pw, retval);
}

int
sys_pselect(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct pollwait pw;
	int error;

	if (args[5] != 0)
		return EOPNOTSUPP;
	error = pollwait_copyin(&pw, l, args[4], false);
	return error != 0 ? error : select_common(l, args, &pw, retval);
}
