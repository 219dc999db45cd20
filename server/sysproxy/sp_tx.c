/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output of a session: a frame goes straight to the socket when nothing is queued, and what the
 * socket does not take is queued. Only lwps wait; the loop never does.
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

bool
sp_tx_flush(struct sp_session *ss)
{
	while (sp_tx_queued(ss) > 0) {
		ssize_t n = send(ss->ss_src.ls_fd, ss->ss_txbuf + ss->ss_txhead, sp_tx_queued(ss),
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		ss->ss_txhead += (size_t)n;
	}
	ss->ss_txhead = ss->ss_txtail = 0;
	loop_events(ss->ss_server->sp_loop, &ss->ss_src, EPOLLIN | EPOLLRDHUP);
	wakeup(&ss->ss_txwait);
	return true;
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

/* Queues what is left of a frame of which `sent` bytes went out. */
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
	if (sp_tx_queued(ss) > 0)
		loop_events(ss->ss_server->sp_loop, &ss->ss_src, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
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

int
sp_tx_frame(struct sp_session *ss, struct rumpsp_hdr *hdr, const struct kvec *kv, unsigned nkv)
{
	struct iovec iov[KVEC_MAX + 2];
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = nkv + 1};
	int error = sp_tx_wait(ss);
	ssize_t n = 0;

	if (error != 0)
		return error;
	hdr->rsp_len = sizeof(*hdr);
	iov[0] = (struct iovec){.iov_base = hdr, .iov_len = sizeof(*hdr)};
	for (unsigned i = 0; i < nkv; i++) {
		iov[i + 1] = (struct iovec){.iov_base = kv[i].kv_base, .iov_len = kv[i].kv_len};
		hdr->rsp_len += kv[i].kv_len;
	}
	ss->ss_server->sp_stat.sps_frames_out++;
	if (sp_tx_queued(ss) == 0) {
		n = sendmsg(ss->ss_src.ls_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			sp_tx_failed(ss);
			return BSD_EINTR;
		}
		n = KERN_MAX(n, 0);
		if ((uint64_t)n == hdr->rsp_len)
			return 0;
	}
	return sp_tx_enqueue(ss, iov, nkv + 1, (size_t)n);
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
