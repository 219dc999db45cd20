/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames in and out: whole frames under a lock, reads into one buffer that holds several frames.
 * It knows no frame's meaning.
 */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Up to here one sendmsg() on a local stream sends all or nothing when memory is unreadable. */
#define ATOMIC_SEND_MAX 32768

int64_t
monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int
wire_poll(int fd, short events, const sigset_t *mask, int64_t deadline_ns)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	for (;;) {
		struct timespec ts;
		int64_t left = deadline_ns == 0 ? 0 : deadline_ns - monotonic_ns();
		int n;

		if (left < 0)
			return ETIMEDOUT;
		ts = (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
		n = ppoll(&pfd, 1, deadline_ns == 0 ? NULL : &ts, mask);
		if (n > 0)
			return 0;
		if (n < 0 && errno == EINTR && deadline_ns == 0)
			return EINTR;
		if (n < 0 && errno != EINTR)
			return errno;
	}
}

/* Takes n sent bytes off the front. => Vectors left. */
static int
iov_advance(struct iovec **iov, int iovcnt, size_t n)
{
	while (iovcnt > 0 && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		iovcnt--;
	}
	if (iovcnt > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
	return iovcnt;
}

/* Memory went away under a half-sent frame: its length must hold, so the rest is zeros. */
static int
send_zeros(struct client *cl, size_t pad, const sigset_t *mask)
{
	static const uint8_t zeros[4096];

	while (pad > 0) {
		ssize_t n = send(cl->cl_fd, zeros, pad < sizeof(zeros) ? pad : sizeof(zeros),
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			pad -= (size_t)n;
		else if (errno == EAGAIN)
			wire_poll(cl->cl_fd, POLLOUT, mask, 0);
		else if (errno != EINTR)
			return errno;
	}
	return WIRE_PADDED;
}

static int
send_frame(struct client *cl, struct iovec *iov, int iovcnt, const sigset_t *mask)
{
	bool begun = false;

	while (iovcnt > 0) {
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)iovcnt};
		ssize_t n = sendmsg(cl->cl_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			begun = begun || n > 0;
			iovcnt = iov_advance(&iov, iovcnt, (size_t)n);
		} else if (errno == EAGAIN) {
			wire_poll(cl->cl_fd, POLLOUT, mask, 0);
		} else if (errno == EFAULT && begun && iovcnt == 1) {
			return send_zeros(cl, iov->iov_len, mask);
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

int
wire_send(struct client *cl, struct iovec *iov, int iovcnt, const sigset_t *mask)
{
	size_t limit = cl->cl_tcp ? 0 : ATOMIC_SEND_MAX;
	int error;

	if (iovcnt > 1 && iov[1].iov_len > limit &&
	    !self_readable((uintptr_t)iov[1].iov_base, iov[1].iov_len))
		return EFAULT;
	if (pthread_mutex_lock(&cl->cl_sendlk) != 0)
		return ENETDOWN;
	error = send_frame(cl, iov, iovcnt, mask);
	pthread_mutex_unlock(&cl->cl_sendlk);
	return error;
}

const uint8_t *
rx_peek(const struct rxbuf *rx, size_t *avail)
{
	*avail = rx->rx_tail - rx->rx_head;
	return rx->rx_data + rx->rx_head;
}

void
rx_take(struct rxbuf *rx, size_t n)
{
	rx->rx_head += n;
	if (rx->rx_head == rx->rx_tail)
		rx->rx_head = rx->rx_tail = 0;
}

/* Reads what is there. => 0, EAGAIN, or an errno. */
static int
rx_read(struct client *cl, size_t most)
{
	struct rxbuf *rx = &cl->cl_rx;
	size_t room = CLIENT_RXBUF - rx->rx_tail;
	ssize_t n;

	if (room == 0) /* a handler read on and left the buffer full */
		return EAGAIN;
	n = recv(cl->cl_fd, rx->rx_data + rx->rx_tail, most < room ? most : room, MSG_DONTWAIT);
	if (n == 0)
		return ECONNRESET;
	if (n < 0)
		return errno == EINTR ? EAGAIN : errno;
	rx->rx_tail += (size_t)n;
	return 0;
}

/*
 * Tries for a little while before sleeping, as a wake-up costs more than a short spin. Spins in
 * vain double the pause until the next try, up to 64 waits.
 */
static int
rx_spin(struct client *cl, size_t most)
{
	struct spinner *sp = &cl->cl_spin;
	int64_t end_ns;
	int error;

	if (sp->sp_us == 0)
		return EAGAIN;
	if (sp->sp_skip > 0) {
		sp->sp_skip--;
		return EAGAIN;
	}
	end_ns = monotonic_ns() + (int64_t)sp->sp_us * 1000;
	do {
		error = rx_read(cl, most);
	} while (error == EAGAIN && monotonic_ns() < end_ns);
	if (error == EAGAIN) {
		sp->sp_vain = sp->sp_vain < 6 ? sp->sp_vain + 1 : 6;
		sp->sp_skip = 1u << sp->sp_vain;
	} else {
		sp->sp_vain = 0;
	}
	return error;
}

int
wire_fill(struct client *cl, size_t most, const sigset_t *mask)
{
	struct rxbuf *rx = &cl->cl_rx;
	int error;

	if (rx->rx_head > 0) { /* room for a whole frame after the part at hand */
		memmove(rx->rx_data, rx->rx_data + rx->rx_head, rx->rx_tail - rx->rx_head);
		rx->rx_tail -= rx->rx_head;
		rx->rx_head = 0;
	}
	if ((error = rx_spin(cl, most)) != EAGAIN)
		return error;
	error = wire_poll(cl->cl_fd, POLLIN, mask, 0);
	if (error == EINTR) /* a handler may have read what was awaited: look again */
		return 0;
	if (error == 0)
		error = rx_read(cl, most);
	return error == EAGAIN ? 0 : error;
}
