/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the server asks of its client: copies from and to its memory, anonymous memory, signals.
 *
 * Addresses and lengths are the server's word; they are used through the kernel, so that a wild
 * one is an error and no crash. An unreadable copyin is answered with an error frame (malformed),
 * and the server ends the call as it likes. An unwritable copyout has no answer: it is read and
 * dropped, and the call whose buffer it was fails with EFAULT here.
 */
#include "session.h"
#include "translate.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define COPY_MAX ((uint64_t)1 << 30)
#define COPYINSTR_MAX 4096
#define ANONMMAP_MAX ((uint64_t)256 << 20)
#define COPYHEAD (RUMPSP_HDRLEN + sizeof(struct rumpsp_copydata))

/* Which calls gave this address to the server? They fail with EFAULT. */
static void
mark_fault(struct client *cl, uint64_t addr)
{
	pthread_mutex_lock(&cl->cl_lock);
	for (struct call *call = cl->cl_calls; call != NULL; call = call->c_next) {
		for (int i = 0; i < call->c_nuser; i++) {
			uint64_t base = (uintptr_t)call->c_user[i].iov_base;

			if (addr - base < call->c_user[i].iov_len)
				call->c_fault = true;
		}
	}
	pthread_mutex_unlock(&cl->cl_lock);
}

static int
reply(struct client *cl, const struct rumpsp_hdr *req, enum rumpsp_type type, struct iovec data,
    const sigset_t *mask)
{
	struct rumpsp_hdr hdr = {.rsp_len = RUMPSP_HDRLEN + data.iov_len,
	    .rsp_reqno = req->rsp_reqno,
	    .rsp_class = RUMPSP_RESPONSE,
	    .rsp_type = (uint16_t)type};
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, data};

	return wire_send(cl, iov, data.iov_len > 0 ? 2 : 1, mask);
}

static int
reply_fault(struct client *cl, const struct rumpsp_hdr *req, const sigset_t *mask)
{
	struct rumpsp_hdr hdr = {.rsp_len = RUMPSP_HDRLEN,
	    .rsp_reqno = req->rsp_reqno,
	    .rsp_class = RUMPSP_ERROR,
	    .rsp_type = req->rsp_type,
	    .rsp_arg = RUMPSP_E_MALFORMED};
	struct iovec iov = {&hdr, sizeof(hdr)};

	return wire_send(cl, &iov, 1, mask);
}

static int
serve_copyin(struct client *cl, const struct rumpsp_hdr *req, const struct rumpsp_copydata *cd,
    const sigset_t *mask)
{
	struct iovec data = {(void *)(uintptr_t)cd->rcp_addr, cd->rcp_len};
	int error = EFAULT;

	if (cd->rcp_len <= COPY_MAX)
		error = reply(cl, req, RUMPSP_COPYIN, data, mask);
	if (error == WIRE_PADDED) {
		mark_fault(cl, cd->rcp_addr);
		return 0;
	}
	return error == EFAULT ? reply_fault(cl, req, mask) : error;
}

/* The string with its NUL; without it, if it is longer than the server's most or ours. */
static int
serve_copyinstr(struct client *cl, const struct rumpsp_hdr *req, const struct rumpsp_copydata *cd,
    const sigset_t *mask)
{
	char str[COPYINSTR_MAX];
	size_t most = cd->rcp_len < sizeof(str) ? cd->rcp_len : sizeof(str), n = 0;

	while (n < most) {
		uint64_t addr = cd->rcp_addr + n;
		size_t part = 4096 - addr % 4096, want = part < most - n ? part : most - n;
		const char *nul;

		if (self_read(str + n, addr, want) != want)
			return reply_fault(cl, req, mask);
		nul = memchr(str + n, '\0', want);
		n += want;
		if (nul != NULL) {
			n = (size_t)(nul - str) + 1;
			break;
		}
	}
	return reply(cl, req, RUMPSP_COPYIN, (struct iovec){str, n}, mask);
}

static int
serve_anonmmap(struct client *cl, const struct rumpsp_hdr *req, uint64_t len, const sigset_t *mask)
{
	uint64_t addr = 0;
	void *p = MAP_FAILED;

	if (len <= ANONMMAP_MAX)
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p != MAP_FAILED)
		addr = (uintptr_t)p;
	return reply(cl, req, RUMPSP_ANONMMAP, (struct iovec){&addr, sizeof(addr)}, mask);
}

/*
 * Reads the rest of a copyout straight to its place, and what follows it into cl_rx.
 * => cl_rx is empty. *n is what came for the place; EFAULT: nothing was read.
 */
static int
copyout_read(struct client *cl, uint64_t addr, uint64_t left, const sigset_t *mask, uint64_t *n)
{
	struct rxbuf *rx = &cl->cl_rx;
	struct iovec iov[2] = {{(void *)(uintptr_t)addr, left}, {rx->rx_data, CLIENT_RXBUF}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t got = recvmsg(cl->cl_fd, &msg, MSG_DONTWAIT);
	int error;

	*n = 0;
	if (got == 0)
		return ECONNRESET;
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		error = wire_poll(cl->cl_fd, POLLIN, mask, 0);
		return error == EINTR ? 0 : error;
	}
	if (got < 0)
		return errno;
	*n = (uint64_t)got < left ? (uint64_t)got : left;
	rx->rx_head = 0;
	rx->rx_tail = (size_t)((uint64_t)got - *n);
	return 0;
}

/* The payload of a copyout lies partly in cl_rx, partly yet to come. */
static int
serve_copyout(struct client *cl, struct rumpsp_copydata cd, const sigset_t *mask)
{
	bool fault = false;
	int error = 0;

	cl->cl_midframe = true;
	while (cd.rcp_len > 0 && error == 0) {
		size_t avail;
		const uint8_t *p = rx_peek(&cl->cl_rx, &avail);
		uint64_t n = avail < cd.rcp_len ? avail : cd.rcp_len;

		if (n > 0) {
			if (!fault && self_write(cd.rcp_addr, p, n) != n)
				fault = true;
			rx_take(&cl->cl_rx, n);
		} else if (!fault) {
			error = copyout_read(cl, cd.rcp_addr, cd.rcp_len, mask, &n);
			if (error == EFAULT) {
				fault = true;
				error = 0;
			}
		} else {
			error = wire_fill(cl, CLIENT_RXBUF, mask);
		}
		if (fault)
			mark_fault(cl, cd.rcp_addr);
		cd.rcp_addr += n;
		cd.rcp_len -= n;
	}
	cl->cl_midframe = false;
	return error;
}

/* Has bytes [0, n) of the frame in cl_rx. */
static int
need(struct client *cl, size_t n, const sigset_t *mask)
{
	size_t avail;
	int error = 0;

	cl->cl_midframe = true;
	while (error == 0 && (rx_peek(&cl->cl_rx, &avail), avail) < n)
		error = wire_fill(cl, CLIENT_RXBUF, mask);
	cl->cl_midframe = false;
	return error;
}

static int
serve_copy(struct client *cl, const struct rumpsp_hdr *req, const sigset_t *mask)
{
	struct rumpsp_copydata cd;
	bool out = req->rsp_type == RUMPSP_COPYOUT || req->rsp_type == RUMPSP_COPYOUTSTR;
	size_t avail;
	int error;

	if (req->rsp_len < COPYHEAD || (error = need(cl, COPYHEAD, mask)) != 0)
		return req->rsp_len < COPYHEAD ? EPROTO : error;
	memcpy(&cd, rx_peek(&cl->cl_rx, &avail) + RUMPSP_HDRLEN, sizeof(cd));
	if (req->rsp_len - COPYHEAD != (out ? cd.rcp_len : 0))
		return EPROTO;
	rx_take(&cl->cl_rx, COPYHEAD);
	if (out)
		return serve_copyout(cl, cd, mask);
	if (req->rsp_type == RUMPSP_COPYIN)
		return serve_copyin(cl, req, &cd, mask);
	return serve_copyinstr(cl, req, &cd, mask);
}

int
serve_request(struct client *cl, const struct rumpsp_hdr *hdr, const sigset_t *mask)
{
	uint64_t len;
	size_t avail;
	int error, sig;

	switch (hdr->rsp_type) {
	case RUMPSP_COPYIN:
	case RUMPSP_COPYINSTR:
	case RUMPSP_COPYOUT:
	case RUMPSP_COPYOUTSTR:
		return serve_copy(cl, hdr, mask);
	case RUMPSP_ANONMMAP:
		if (hdr->rsp_len != RUMPSP_HDRLEN + sizeof(len))
			return EPROTO;
		if ((error = need(cl, hdr->rsp_len, mask)) != 0)
			return error;
		memcpy(&len, rx_peek(&cl->cl_rx, &avail) + RUMPSP_HDRLEN, sizeof(len));
		rx_take(&cl->cl_rx, hdr->rsp_len);
		return serve_anonmmap(cl, hdr, len, mask);
	case RUMPSP_RAISE:
		if (hdr->rsp_len != RUMPSP_HDRLEN)
			return EPROTO;
		rx_take(&cl->cl_rx, RUMPSP_HDRLEN);
		if ((sig = bsd_signal_to_linux(hdr->rsp_arg)) != 0)
			raise(sig); /* it comes when the thread next waits or returns */
		return 0;
	default:
		return EPROTO;
	}
}
