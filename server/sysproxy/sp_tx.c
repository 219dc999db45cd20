/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output of a session: a frame goes straight to the socket when nothing is queued, and what the
 * socket does not take is queued. Only lwps wait; the loop never does. A short COPYOUT is held back
 * for the response that mostly follows at once, so that both are one write and one wake-up of the
 * client; at the end of the turn it goes anyway.
 */
#include "server/sysproxy/sp_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"

static size_t
sp_tx_queued(const struct sp_session *ss)
{
	return ss->ss_txtail - ss->ss_txhead;
}

static bool
sp_tx_open(const struct sp_session *ss)
{
	return ss->ss_phase == SP_OPENING || ss->ss_phase == SP_READY;
}

/* A connection that fails while a call sends is closed later, by the loop: it sees EPOLLHUP. */
static void
sp_tx_failed(struct sp_session *ss)
{
	(void)shutdown(ss->ss_src.ls_fd, SHUT_RDWR);
}

/* All that was queued is out. */
static void
sp_tx_emptied(struct sp_session *ss)
{
	ss->ss_txhead = ss->ss_txtail = 0;
	loop_events(ss->ss_server->sp_loop, &ss->ss_src, SP_EVENTS);
	wakeup(&ss->ss_txwait);
}

bool
sp_tx_flush(struct sp_session *ss)
{
	ss->ss_txheld = false;
	while (sp_tx_queued(ss) > 0) {
		ssize_t n = send(ss->ss_src.ls_fd, ss->ss_txbuf + ss->ss_txhead, sp_tx_queued(ss),
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n < 0) {
			loop_events(ss->ss_server->sp_loop, &ss->ss_src, SP_EVENTS | EPOLLOUT);
			return true;
		}
		ss->ss_txhead += (size_t)n;
	}
	sp_tx_emptied(ss);
	return true;
}

/* What was held back in this turn goes now, unless a frame has taken it along. */
void
sp_tx_turn(struct loop_task *lt)
{
	struct sp_session *ss = container_of(lt, struct sp_session, ss_txtask);

	if (ss->ss_txheld && !sp_tx_flush(ss))
		sp_tx_failed(ss);
}

/* Room for len more bytes behind what is queued. */
static bool
sp_tx_room(struct sp_session *ss, size_t len)
{
	size_t need = sp_tx_queued(ss) + len;

	if (ss->ss_txhead > 0) {
		memmove(ss->ss_txbuf, ss->ss_txbuf + ss->ss_txhead, sp_tx_queued(ss));
		ss->ss_txtail -= ss->ss_txhead;
		ss->ss_txhead = 0;
	}
	if (need > ss->ss_txsize) {
		uint8_t *bigger = realloc(ss->ss_txbuf, need);

		if (bigger == NULL)
			return false;
		ss->ss_txbuf = bigger;
		ss->ss_txsize = need;
	}
	return true;
}

/* Queues what is left of a frame of which `sent` bytes went out. => BSD_EINTR: no memory. */
static int
sp_tx_enqueue(struct sp_session *ss, const struct iovec *iov, unsigned niov, size_t sent)
{
	size_t total = 0;

	for (unsigned i = 0; i < niov; i++)
		total += iov[i].iov_len;
	if (!sp_tx_room(ss, total - sent)) {
		sp_tx_failed(ss);
		return BSD_EINTR;
	}
	for (unsigned i = 0; i < niov; i++) {
		size_t skip = KERN_MIN(sent, iov[i].iov_len);

		memcpy(ss->ss_txbuf + ss->ss_txtail, (const uint8_t *)iov[i].iov_base + skip,
		    iov[i].iov_len - skip);
		ss->ss_txtail += iov[i].iov_len - skip;
		sent -= skip;
	}
	return 0;
}

/* Until the queue is short enough for one more frame. => BSD_EINTR: the connection is gone. */
static int
sp_tx_wait(struct sp_session *ss)
{
	bool in_lwp = lwp_current(ss->ss_ns) != NULL;

	while (sp_tx_open(ss) && in_lwp && sp_tx_queued(ss) > SP_TXBUF) {
		if (tsleep(ss->ss_ns, &ss->ss_txwait, "sptx", 0) != 0)
			return BSD_EINTR;
	}
	if (!sp_tx_open(ss))
		return BSD_EINTR;
	if (sp_tx_queued(ss) > SP_TXBUF_HARD) {
		sp_tx_failed(ss);
		return BSD_EINTR;
	}
	return 0;
}

/* The pieces of a frame behind its header, whose length is filled in. => how many */
static unsigned
sp_tx_iov(struct rumpsp_hdr *hdr, const struct kvec *kv, unsigned nkv, struct iovec *iov)
{
	hdr->rsp_len = sizeof(*hdr);
	iov[0] = (struct iovec){.iov_base = hdr, .iov_len = sizeof(*hdr)};
	for (unsigned i = 0; i < nkv; i++) {
		iov[i + 1] = (struct iovec){.iov_base = kv[i].kv_base, .iov_len = kv[i].kv_len};
		hdr->rsp_len += kv[i].kv_len;
	}
	return nkv + 1;
}

/* Sends what is held back and the frame, iov[1] on; iov[0] is ours. => queues what is left. */
static int
sp_tx_send(struct sp_session *ss, struct iovec *iov, unsigned niov, size_t frame)
{
	size_t held = sp_tx_queued(ss);
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = niov};
	ssize_t n;

	if (held > 0) {
		iov[0] = (struct iovec){.iov_base = ss->ss_txbuf + ss->ss_txhead, .iov_len = held};
	} else {
		msg.msg_iov++;
		msg.msg_iovlen--;
	}
	n = sendmsg(ss->ss_src.ls_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		sp_tx_failed(ss);
		return BSD_EINTR;
	}
	n = KERN_MAX(n, 0);
	ss->ss_txheld = false;
	ss->ss_txhead += KERN_MIN((size_t)n, held);
	if ((size_t)n == held + frame) {
		if (held > 0)
			sp_tx_emptied(ss);
		return 0;
	}
	loop_events(ss->ss_server->sp_loop, &ss->ss_src, SP_EVENTS | EPOLLOUT);
	return sp_tx_enqueue(ss, iov + 1, niov - 1, (size_t)n > held ? (size_t)n - held : 0);
}

int
sp_tx_frame(struct sp_session *ss, struct rumpsp_hdr *hdr, const struct kvec *kv, unsigned nkv)
{
	struct iovec iov[KVEC_MAX + 3];
	int error = sp_tx_wait(ss);
	unsigned niov;

	if (error != 0)
		return error;
	niov = sp_tx_iov(hdr, kv, nkv, iov + 1) + 1;
	ss->ss_server->sp_stat.sps_frames_out++;
	if (sp_tx_queued(ss) == 0 || ss->ss_txheld)
		return sp_tx_send(ss, iov, niov, hdr->rsp_len);
	return sp_tx_enqueue(ss, iov + 1, niov - 1, 0);
}

int
sp_tx_frame_held(struct sp_session *ss, struct rumpsp_hdr *hdr, const struct kvec *kv, unsigned nkv)
{
	struct iovec iov[KVEC_MAX + 2];
	uint64_t len = sizeof(*hdr);
	unsigned niov;
	int error;

	for (unsigned i = 0; i < nkv; i++)
		len += kv[i].kv_len;
	if (len > SP_TXHOLD || (sp_tx_queued(ss) > 0 && !ss->ss_txheld) ||
	    sp_tx_queued(ss) + len > SP_TXBUF)
		return sp_tx_frame(ss, hdr, kv, nkv);
	error = sp_tx_wait(ss);
	if (error != 0)
		return error;
	niov = sp_tx_iov(hdr, kv, nkv, iov);
	ss->ss_server->sp_stat.sps_frames_out++;
	ss->ss_txheld = true;
	loop_defer(ss->ss_server->sp_loop, &ss->ss_txtask);
	return sp_tx_enqueue(ss, iov, niov, 0);
}

int
sp_tx_error(struct sp_session *ss, uint64_t reqno, enum rumpsp_error error)
{
	struct rumpsp_hdr hdr = {
	    .rsp_reqno = reqno,
	    .rsp_class = RUMPSP_ERROR,
	    .rsp_arg = error,
	};

	ss->ss_server->sp_stat.sps_malformed++;
	return sp_tx_frame(ss, &hdr, NULL, 0);
}

int
sp_tx_raise(struct sp_session *ss, int signo)
{
	struct rumpsp_hdr hdr = {
	    .rsp_reqno = ss->ss_reqno++,
	    .rsp_class = RUMPSP_REQUEST,
	    .rsp_type = RUMPSP_RAISE,
	    .rsp_arg = (uint32_t)signo,
	};

	return sp_tx_frame(ss, &hdr, NULL, 0);
}
