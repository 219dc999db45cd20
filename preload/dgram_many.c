/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recvmmsg and sendmmsg: one call of the host for a batch of records.
 *
 * Receiving, the first message is received by itself: it may wait, and is the one that an error is
 * told by. What else is there comes in batches that do not wait. An error among them ends the call;
 * what came behind it moves up, which is why the messages of a batch have the same room, and the
 * server is told that the error is still to be told. Sending, messages are gathered as long as they
 * go by the pair; one that does not is sent by itself, in its place.
 */
#include "dgram.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/*
 * Messages of a batch, and their vectors with those for the headers: 5.3 KiB of stack, for a trap may
 * run in a signal handler, whose stack may be of 8 KiB (SIGSTKSZ).
 */
#define BATCH 32u
#define BATCH_VECTORS (2 * BATCH)

#define NSEC_PER_SEC 1000000000
#define TIME_MAX INT64_MAX

struct batch {
	unsigned ba_n;
	unsigned ba_nvectors;
	struct mmsghdr ba_vec[BATCH];
	struct fdsock_dgram ba_dg[BATCH];
	struct iovec ba_iov[BATCH_VECTORS];
};

static bool
batch_fits(const struct batch *ba, const struct msghdr *msg)
{
	return ba->ba_n < BATCH && msg->msg_iovlen < BATCH_VECTORS - ba->ba_nvectors;
}

/* Adds a message, its vectors behind one for the header. => it fits */
static void
batch_add(struct batch *ba, const struct msghdr *msg)
{
	struct iovec *iov = &ba->ba_iov[ba->ba_nvectors];

	iov[0] = (struct iovec){&ba->ba_dg[ba->ba_n], sizeof(ba->ba_dg[0])};
	for (size_t i = 0; i < msg->msg_iovlen; i++)
		iov[1 + i] = msg->msg_iov[i];
	ba->ba_vec[ba->ba_n++] =
	    (struct mmsghdr){.msg_hdr.msg_iov = iov, .msg_hdr.msg_iovlen = 1 + msg->msg_iovlen};
	ba->ba_nvectors += 1 + (unsigned)msg->msg_iovlen;
}

/* --- receiving ------------------------------------------------------------------------------ */

struct receiving {
	int rg_fd;
	uint64_t rg_tag;
	struct mmsghdr *rg_vec;
	unsigned rg_n, rg_done;
	int rg_flags;
	struct timespec *rg_timeout; /* what is left of it; NULL: none */
	struct timespec rg_end;
	bool rg_untold; /* an error came */
};

enum next { NEXT_ONE, NEXT_MANY, NEXT_NONE };

/* => false: that is no time */
static bool
timer_start(struct receiving *rg)
{
	const struct timespec *ts = rg->rg_timeout;
	struct timespec now;

	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= NSEC_PER_SEC)
		return false;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	rg->rg_end = (struct timespec){TIME_MAX, 0};
	if (ts->tv_sec < TIME_MAX - now.tv_sec) {
		rg->rg_end.tv_sec = ts->tv_sec + now.tv_sec;
		rg->rg_end.tv_nsec = ts->tv_nsec + now.tv_nsec;
	}
	if (rg->rg_end.tv_nsec >= NSEC_PER_SEC) {
		rg->rg_end.tv_sec++;
		rg->rg_end.tv_nsec -= NSEC_PER_SEC;
	}
	return true;
}

/* As Linux: looked at when something came, and what is left is the caller's to see. */
static bool
timer_runs(struct receiving *rg)
{
	struct timespec now, *left = rg->rg_timeout;

	if (left == NULL)
		return true;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	left->tv_sec = rg->rg_end.tv_sec - now.tv_sec;
	left->tv_nsec = rg->rg_end.tv_nsec - now.tv_nsec;
	if (left->tv_nsec < 0) {
		left->tv_sec--;
		left->tv_nsec += NSEC_PER_SEC;
	}
	if (left->tv_sec < 0)
		*left = (struct timespec){0};
	return left->tv_sec > 0 || left->tv_nsec > 0;
}

static enum next
receive_one(struct receiving *rg)
{
	struct mmsghdr *mm = &rg->rg_vec[rg->rg_done];
	ssize_t n = dgram_recv_next(rg->rg_fd, rg->rg_tag, &mm->msg_hdr,
	    rg->rg_flags & ~MSG_WAITFORONE, rg->rg_done > 0 ? &rg->rg_untold : NULL);

	if (n < 0)
		return NEXT_NONE;
	mm->msg_len = (unsigned)n;
	rg->rg_done++;
	if ((rg->rg_flags & MSG_WAITFORONE) != 0)
		rg->rg_flags |= MSG_DONTWAIT;
	if (!timer_runs(rg))
		return NEXT_NONE;
	/* Each peek is at the same one; errors are asked for. */
	return (rg->rg_flags & (MSG_PEEK | MSG_ERRQUEUE)) != 0 ? NEXT_ONE : NEXT_MANY;
}

static size_t
room_of(const struct msghdr *msg)
{
	size_t room = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++)
		room += msg->msg_iov[i].iov_len;
	return room;
}

/* Moves the first len bytes of one message's vectors to another's, which have as much room. */
static void
move_payload(const struct msghdr *to, const struct msghdr *from, size_t len)
{
	const struct iovec *in = from->msg_iov, *out = to->msg_iov;
	size_t inoff = 0, outoff = 0;

	while (len > 0) {
		size_t piece = in->iov_len - inoff < out->iov_len - outoff ? in->iov_len - inoff
									   : out->iov_len - outoff;

		piece = piece < len ? piece : len;
		if (piece > 0) /* an empty one may be nowhere */
			memmove((char *)out->iov_base + outoff, (char *)in->iov_base + inoff,
			    piece);
		len -= piece;
		inoff += piece;
		outoff += piece;
		if (inoff == in->iov_len) {
			in++;
			inoff = 0;
		}
		if (outoff == out->iov_len) {
			out++;
			outoff = 0;
		}
	}
}

/* The messages that were received to the vectors from first on. => false: the pair has ended */
static bool
receive_batch(struct receiving *rg, const struct batch *ba, unsigned got, size_t room)
{
	const unsigned first = rg->rg_done;

	for (unsigned i = 0; i < got; i++) {
		const struct mmsghdr *record = &ba->ba_vec[i];
		struct mmsghdr *mm = &rg->rg_vec[rg->rg_done];
		size_t len = record->msg_len - sizeof(ba->ba_dg[i]);

		if (record->msg_len < sizeof(ba->ba_dg[i]))
			return false;
		if ((ba->ba_dg[i].dg_flags & FDSOCK_DG_ERROR) != 0) {
			rg->rg_untold = true;
			continue;
		}
		if (rg->rg_untold)
			move_payload(&mm->msg_hdr, &rg->rg_vec[first + i].msg_hdr,
			    len < room ? len : room);
		dgram_store(rg->rg_tag, &ba->ba_dg[i], record->msg_hdr.msg_flags, &mm->msg_hdr);
		mm->msg_len = (unsigned)len;
		rg->rg_done++;
	}
	return true;
}

/* What there is. */
static __attribute__((noinline)) enum next
receive_many(struct receiving *rg)
{
	const enum next wait = (rg->rg_flags & MSG_DONTWAIT) == 0 ? NEXT_ONE : NEXT_NONE;
	const size_t room = room_of(&rg->rg_vec[rg->rg_done].msg_hdr);
	struct timespec left = rg->rg_timeout != NULL ? *rg->rg_timeout : (struct timespec){0};
	struct batch ba;
	int got;

	ba.ba_n = ba.ba_nvectors = 0;
	for (unsigned i = rg->rg_done; i < rg->rg_n; i++) {
		const struct msghdr *msg = &rg->rg_vec[i].msg_hdr;

		if (!batch_fits(&ba, msg) || room_of(msg) != room)
			break;
		batch_add(&ba, msg);
	}
	if (ba.ba_n == 0)
		return NEXT_ONE;
	got = real()->re_recvmmsg(rg->rg_fd, ba.ba_vec, ba.ba_n,
	    (rg->rg_flags & ~(MSG_WAITFORONE | MSG_OOB)) | MSG_DONTWAIT,
	    rg->rg_timeout != NULL ? &left : NULL);
	if (got < 0)
		return errno == EAGAIN ? wait : NEXT_NONE;
	if (!receive_batch(rg, &ba, (unsigned)got, room))
		return NEXT_ONE; /* which says how it has ended */
	if (rg->rg_untold || !timer_runs(rg))
		return NEXT_NONE;
	return (unsigned)got == ba.ba_n ? NEXT_MANY : wait;
}

/* The record of an error was taken by a call that could not tell it: the next one is to. */
static void
put_back(int fd)
{
	struct fdsock_dgram dg = {.dg_flags = FDSOCK_DG_ERROR};
	struct iovec iov = {&dg, sizeof(dg)};
	struct exchange ex = {.ex_op = FDSOCK_OP_SENDTO,
	    .ex_about = fd,
	    .ex_data = &iov,
	    .ex_ndata = 1};

	(void)control_exchange(&ex);
}

int
dgram_recvmmsg(int fd, uint64_t tag, struct mmsghdr *vec, unsigned n, int flags,
    struct timespec *timeout)
{
	struct receiving rg = {.rg_fd = fd,
	    .rg_tag = tag,
	    .rg_vec = vec,
	    .rg_n = n,
	    .rg_flags = flags,
	    .rg_timeout = timeout};
	enum next next = NEXT_ONE;

	if (timeout != NULL && !timer_start(&rg))
		return fail(EINVAL);
	while (rg.rg_done < n && next != NEXT_NONE)
		next = next == NEXT_ONE ? receive_one(&rg) : receive_many(&rg);
	if (rg.rg_untold)
		put_back(fd);
	return rg.rg_done > 0 || n == 0 ? (int)rg.rg_done : -1;
}

/* --- sending -------------------------------------------------------------------------------- */

/* As many as go by the pair, from the first on. => how many were sent of *np; -1: none, errno says why */
static __attribute__((noinline)) int
send_many(int fd, uint64_t tag, struct mmsghdr *vec, unsigned *np, int flags)
{
	struct batch ba;
	int sent;

	ba.ba_n = ba.ba_nvectors = 0;
	for (unsigned i = 0; i < *np; i++) {
		const struct msghdr *msg = &vec[i].msg_hdr;

		if (!batch_fits(&ba, msg) ||
		    !dgram_is_record(fd, tag, msg, flags, &ba.ba_dg[ba.ba_n]))
			break;
		batch_add(&ba, msg);
	}
	*np = ba.ba_n;
	if (ba.ba_n == 0)
		return 0;
	sent = real()->re_sendmmsg(fd, ba.ba_vec, ba.ba_n, (flags & MSG_DONTWAIT) | MSG_NOSIGNAL);
	if (sent < 0)
		return fail(dgram_send_failed(fd, errno));
	for (int i = 0; i < sent; i++)
		vec[i].msg_len = ba.ba_vec[i].msg_len - (unsigned)sizeof(ba.ba_dg[i]);
	return sent;
}

/* As many as go by the pair, or the one that does not. => as send_many; *tagp: what the descriptor is now */
static int
send_some(int fd, uint64_t *tagp, struct mmsghdr *vec, unsigned *np, int flags)
{
	int sent = send_many(fd, *tagp, vec, np, flags);
	ssize_t n;

	if (*np > 0)
		return sent;
	*np = 1;
	n = dgram_send(fd, *tagp, &vec->msg_hdr, flags);
	if (n < 0)
		return -1;
	vec->msg_len = (unsigned)n;
	*tagp = descriptor_tag(fd);
	return 1;
}

int
dgram_sendmmsg(int fd, uint64_t tag, struct mmsghdr *vec, unsigned n, int flags)
{
	unsigned done = 0;

	if (n > IOV_MAX) /* as Linux */
		n = IOV_MAX;
	while (done < n) {
		unsigned asked = n - done;
		int sent;

		if (descriptor_is_dgram(tag))
			sent = send_some(fd, &tag, vec + done, &asked, flags);
		else /* it has moved to the host */
			sent = real()->re_sendmmsg(fd, vec + done, asked, flags);
		if (sent > 0)
			done += (unsigned)sent;
		if (sent < (int)asked)
			break;
	}
	return done > 0 || n == 0 ? (int)done : -1;
}
