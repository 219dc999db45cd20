/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input of a session: bytes to frames.
 *
 * Frames are parsed in the session's buffer. Only the answer to a copyin may be longer than the
 * buffer: what is in the buffer goes to the pieces that wait for it, the rest is read straight
 * there (ss_sink, ss_sinkleft), together with what follows.
 */
#include "server/sysproxy/sp_session.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"

static size_t
sp_rx_have(const struct sp_session *ss)
{
	return ss->ss_rxtail - ss->ss_rxhead;
}

/* An answer is complete. Strings may be shorter than asked for, bytes may not. */
static void
sp_rx_answered(struct sp_pull *pu)
{
	bool ok = pu->pu_string ? pu->pu_got > 0 : pu->pu_got == pu->pu_want;

	sp_pull_finish(pu, ok ? 0 : BSD_EFAULT);
}

/* Moves buffered bytes of the answer to where they belong. => true: the answer is complete. */
static bool
sp_rx_drain(struct sp_session *ss)
{
	size_t n = KERN_MIN(ss->ss_sinkleft, sp_rx_have(ss));

	if (ss->ss_sink != NULL)
		sp_pull_take(ss->ss_sink, ss->ss_rxbuf + ss->ss_rxhead, n);
	ss->ss_rxhead += n;
	ss->ss_sinkleft -= n;
	if (ss->ss_sinkleft > 0)
		return false;
	if (ss->ss_sink != NULL)
		sp_rx_answered(ss->ss_sink);
	ss->ss_sink = NULL;
	return true;
}

/*
 * A response or error frame from the client: the header is in hdr, its payload follows.
 * => false: nonsense that cannot be skipped.
 */
static bool
sp_rx_response(struct sp_session *ss, const struct rumpsp_hdr *hdr)
{
	uint64_t len = hdr->rsp_len - sizeof(*hdr);
	struct sp_pull *pu = sp_pull_find(ss, hdr->rsp_reqno);

	ss->ss_rxhead += sizeof(*hdr);
	ss->ss_sink = NULL;
	ss->ss_sinkleft = len;
	if (pu == NULL || hdr->rsp_class == RUMPSP_ERROR || hdr->rsp_type != RUMPSP_COPYIN) {
		/* Nobody waits any more, nobody asked, or the address cannot be read: skip it. */
		if (len > SP_SKIP_MAX)
			return false;
		if (pu != NULL)
			sp_pull_finish(pu, BSD_EFAULT);
		else if (hdr->rsp_reqno >= ss->ss_reqno)
			(void)sp_tx_error(ss, hdr->rsp_reqno, RUMPSP_E_MALFORMED);
		return true;
	}
	if (len > pu->pu_want)
		return false;
	ss->ss_sink = pu;
	return true;
}

/* A whole request frame. => false: close the connection. */
static bool
sp_rx_request(struct sp_session *ss, const struct rumpsp_hdr *hdr, const uint8_t *payload)
{
	size_t len = (size_t)(hdr->rsp_len - sizeof(*hdr));

	if (hdr->rsp_type == RUMPSP_HANDSHAKE)
		return sp_handshake(ss, hdr, payload, len);
	if (ss->ss_phase != SP_READY) {
		(void)sp_tx_error(ss, hdr->rsp_reqno, RUMPSP_E_AUTH);
		return false;
	}
	switch (hdr->rsp_type) {
	case RUMPSP_SYSCALL:
		sp_call_request(ss, hdr, payload, len);
		return true;
	case RUMPSP_PREFORK:
		sp_prefork_request(ss, hdr);
		return true;
	default:
		(void)sp_tx_error(ss, hdr->rsp_reqno, RUMPSP_E_MALFORMED);
		return true;
	}
}

/* What a frame has to fit: nothing that a client says makes us hold more than this. */
static bool
sp_rx_length_ok(const struct rumpsp_hdr *hdr)
{
	if (hdr->rsp_len < sizeof(*hdr))
		return false;
	return hdr->rsp_class == RUMPSP_RESPONSE || hdr->rsp_class == RUMPSP_ERROR ||
	    hdr->rsp_len <= sizeof(*hdr) + SP_COMM_MAX;
}

/* Carries out the next frame of the buffer. => false: not complete yet, or *close is set. */
static bool
sp_rx_frame(struct sp_session *ss, bool *close)
{
	struct rumpsp_hdr hdr;

	if (ss->ss_sinkleft > 0 || ss->ss_sink != NULL)
		return sp_rx_drain(ss);
	if (sp_rx_have(ss) < sizeof(hdr))
		return false;
	memcpy(&hdr, ss->ss_rxbuf + ss->ss_rxhead, sizeof(hdr));
	if (!sp_rx_length_ok(&hdr)) {
		ss->ss_server->sp_stat.sps_malformed++;
		*close = true;
		return false;
	}
	if (hdr.rsp_class == RUMPSP_RESPONSE || hdr.rsp_class == RUMPSP_ERROR) {
		*close = ss->ss_phase != SP_READY || !sp_rx_response(ss, &hdr);
		ss->ss_server->sp_stat.sps_malformed += *close;
		ss->ss_server->sp_stat.sps_frames_in++;
		return !*close;
	}
	if (sp_rx_have(ss) < hdr.rsp_len)
		return false;
	ss->ss_server->sp_stat.sps_frames_in++;
	if (hdr.rsp_class != RUMPSP_REQUEST)
		(void)sp_tx_error(ss, hdr.rsp_reqno, RUMPSP_E_MALFORMED);
	else
		*close = !sp_rx_request(ss, &hdr, ss->ss_rxbuf + ss->ss_rxhead + sizeof(hdr));
	ss->ss_rxhead += (size_t)hdr.rsp_len;
	return !*close;
}

/* Reads once: the rest of an answer to its pieces, what follows to the buffer. => as readv */
static ssize_t
sp_rx_read(struct sp_session *ss)
{
	struct iovec iov[KVEC_MAX + 1];
	struct kvec kv[KVEC_MAX];
	size_t direct = 0;
	unsigned n = 0;
	ssize_t got;

	if (ss->ss_rxhead > 0 && ss->ss_rxhead == ss->ss_rxtail)
		ss->ss_rxhead = ss->ss_rxtail = 0;
	if (ss->ss_sink != NULL && sp_rx_have(ss) == 0) {
		unsigned pieces = sp_pull_space(ss->ss_sink, kv, KVEC_MAX);

		for (; n < pieces && direct < ss->ss_sinkleft; n++) {
			size_t len = KERN_MIN(kv[n].kv_len, ss->ss_sinkleft - direct);

			iov[n] = (struct iovec){.iov_base = kv[n].kv_base, .iov_len = len};
			direct += len;
		}
	}
	if (ss->ss_rxtail == SP_RXBUF) {
		memmove(ss->ss_rxbuf, ss->ss_rxbuf + ss->ss_rxhead, sp_rx_have(ss));
		ss->ss_rxtail -= ss->ss_rxhead;
		ss->ss_rxhead = 0;
	}
	iov[n++] = (struct iovec){
	    .iov_base = ss->ss_rxbuf + ss->ss_rxtail,
	    .iov_len = SP_RXBUF - ss->ss_rxtail,
	};
	got = readv(ss->ss_src.ls_fd, iov, (int)n);
	if (got <= 0)
		return got;
	direct = KERN_MIN(direct, (size_t)got);
	if (direct > 0) {
		sp_pull_advance(ss->ss_sink, direct);
		ss->ss_sinkleft -= direct;
	}
	ss->ss_rxtail += (size_t)got - direct;
	return got;
}

/* => false: the connection ended, or is to be closed. */
static bool
sp_rx_turn(struct sp_session *ss)
{
	bool close = false;

	for (int i = 0; i < SP_READS_A_TURN; i++) {
		ssize_t got = sp_rx_read(ss);

		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (got < 0)
			return true;
		while (sp_rx_frame(ss, &close))
			;
		if (close)
			return false;
		if ((size_t)got < SP_RXBUF / 2 || ss->ss_sink == NULL)
			return true; /* all there was; or as many calls as one may make in a turn */
	}
	return true;
}

void
sp_rx_ready(struct sp_session *ss)
{
	if (!sp_rx_turn(ss))
		sp_session_close(ss);
}
