/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams: bytes between a pair and a connection, both ways, and how either way ends.
 *
 * The urgent byte travels as the pair's own (MSG_OOB of AF_UNIX), at its place in the stream, so
 * that recv(MSG_OOB), SIOCATMARK and SO_OOBINLINE are the host's at the client's end. Our end has
 * it in line: a read that comes upon it must not lose it.
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define FD_IOV 64u
#define FD_READ_MIN 2048u /* with TCP_NOTSENT_LOWAT */

_Static_assert(sizeof(struct kvec) == sizeof(struct iovec) &&
	offsetof(struct kvec, kv_base) == offsetof(struct iovec, iov_base) &&
	offsetof(struct kvec, kv_len) == offsetof(struct iovec, iov_len),
    "a kvec is the host's iovec");

/* Has the protocol ended? */
static bool
fd_stream_over(const struct fdsock *fs)
{
	return (fs->fs_so->so_state & SS_ISDISCONNECTED) != 0 || fs->fs_so->so_pcb == NULL;
}

/* The client sends no more: neither do we, once what it sent has been taken. */
static void
fd_stream_eof(struct fdsock *fs)
{
	fs->fs_canread = false;
	if (fs->fs_eof)
		return;
	fs->fs_eof = true;
	if (fs->fs_up && !fs->fs_hup) /* else soclose sees to it */
		(void)soshutdown(fs->fs_so, BSD_SHUT_WR);
}

/* Has a read taken all that there was? It stops early at the urgent byte, and behind descriptors. */
static bool
fd_stream_drained(const struct fdsock *fs, const struct msghdr *msg, size_t n)
{
	size_t room = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++)
		room += msg->msg_iov[i].iov_len;
	return n < room && !fs->fs_pri && !fs->fs_ending && (msg->msg_flags & MSG_CTRUNC) == 0;
}

/* The last of n bytes. */
static uint8_t
fd_stream_last(const struct iovec *iov, size_t n)
{
	for (; n > iov->iov_len; iov++)
		n -= iov->iov_len;
	return ((const uint8_t *)iov->iov_base)[n - 1];
}

/* One read from the pair. => as recvmsg; *markedp: the last byte is a slot's marker */
static ssize_t
fd_stream_recv(struct fdsock *fs, struct msghdr *msg, bool *markedp)
{
	ssize_t n = recvmsg(fs->fs_src.ls_fd, msg, MSG_DONTWAIT);
	int last = -1;

	*markedp = false;
	if (fs->fs_area == NULL)
		return n;
	if (n > 0 && (msg->msg_flags & MSG_CTRUNC) != 0)
		last = fd_stream_last(msg->msg_iov, (size_t)n);
	*markedp = fd_share_end(fs, last);
	return n;
}

/*
 * => bytes; 0: nothing now, or the end. Descriptors sent along are dropped.
 * Nothing is read without tidings that it is there: what comes meanwhile may be urgent.
 */
static size_t
fd_stream_read(struct fdsock *fs, struct kvec *kv, unsigned nkv)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)kv, .msg_iovlen = nkv};
	bool marked;
	ssize_t n;

	if (fs->fs_area != NULL && fd_share_ready(fs))
		return fd_share_read(fs, kv, nkv);
	if (fs->fs_area != NULL && !fd_share_begin(fs)) {
		fd_sock_rest(fs);
		return 0;
	}
	n = fd_stream_recv(fs, &msg, &marked);
	if (n > 0) {
		fs->fs_listener = 0;
		if (marked)
			return n > 1 ? (size_t)n - 1 : fd_share_read(fs, kv, nkv);
		if (fd_stream_drained(fs, &msg, (size_t)n))
			fs->fs_canread = false;
		return (size_t)n;
	}
	if (n == 0)
		fd_stream_eof(fs);
	else if (errno == ECONNRESET)
		fs->fs_reset = true;
	fs->fs_canread = false;
	return 0;
}

/* Written without a connection: it goes nowhere, and the socket is done for. */
static void
fd_stream_stray(struct fdsock *fs)
{
	struct kvec kv = {.kv_base = fs->fs_server->fd_scratch, .kv_len = FD_READ_MAX};
	size_t n;

	while (fs->fs_canread && (n = fd_stream_read(fs, &kv, 1)) > 0) {
		fs->fs_server->fd_stat.fds_stray += n;
		fs->fs_stray = true;
		if (n < FD_READ_MAX)
			break;
	}
}

/* Passes the urgent byte on, if the pair's stream has come to it. => false: go on reading */
static bool
fd_stream_urgent(struct fdsock *fs)
{
	unsigned nkv = 1;
	struct kvec kv;
	struct mbuf *m;
	int mark = 0;

	if (fs->fs_area != NULL && fd_share_ready(fs))
		return false;
	if (ioctl(fs->fs_src.ls_fd, SIOCATMARK, &mark) != 0 || mark == 0)
		return false;
	m = sodirect_room(fs->fs_so, 1, &kv, &nkv);
	if (m == NULL) {
		fd_sock_nomem(fs);
		return true;
	}
	fs->fs_pri = false;
	if (recv(fs->fs_src.ls_fd, kv.kv_base, 1, MSG_DONTWAIT) == 1)
		(void)sodirect_send(fs->fs_so, m, 1, NULL, NULL, BSD_MSG_OOB);
	else
		sodirect_free(m);
	return false;
}

/*
 * With TCP_NOTSENT_LOWAT the stack and a read have a quarter of it each, the pair has the rest; a read is
 * of a segment at least.
 */
static size_t
fd_stream_limit(const struct fdsock *fs)
{
	size_t most = fs->fs_bulk ? FD_READ_MAX : FD_READ_MAX / 8;

	if (fs->fs_area != NULL && fd_share_waiting(fs) >= most)
		most = FD_READ_MAX;
	if (most == FD_READ_MAX)
		most = sodirect_piece(fs->fs_so, most);
	return fs->fs_notsent == 0 ? most
				   : KERN_MIN(most, KERN_MAX(fs->fs_notsent / 4, FD_READ_MIN));
}

/* One read and one send. => bytes; 0: stop */
static size_t
fd_stream_in1(struct fdsock *fs)
{
	struct socket *so = fs->fs_so;
	size_t len = KERN_MIN(sbspace(&so->so_snd), fd_stream_limit(fs));
	struct kvec kv[FD_IOV];
	unsigned nkv = FD_IOV;
	struct mbuf *m = sodirect_room(so, len, kv, &nkv);
	size_t n;

	if (m == NULL) {
		fd_sock_nomem(fs);
		return 0;
	}
	n = fd_stream_read(fs, kv, nkv);
	if (n == 0) {
		sodirect_free(m);
		return 0;
	}
	fs->fs_bulk = n >= FD_READ_MAX / 8;
	fs->fs_server->fd_stat.fds_bytes_in += n;
	return sodirect_send(so, m, n, NULL, NULL, 0) == 0 ? n : 0;
}

/* Is more of a stream of small writes to come together first? */
static bool
fd_stream_rests(struct fdsock *fs)
{
	if (fs->fs_area == NULL || !fs->fs_canread || !fd_share_early(fs))
		return false;
	fd_sock_rest(fs);
	return true;
}

void
fd_stream_in(struct fdsock *fs)
{
	size_t done = 0, n;

	if (fs->fs_gate || fs->fs_dying || fs->fs_held)
		return;
	if (!fs->fs_up) {
		fd_stream_stray(fs);
		return;
	}
	while (fs->fs_canread && !fd_stream_over(fs) && sowritable(fs->fs_so) &&
	    !fd_client_full(fs) && !fd_stream_rests(fs)) {
		if (fs->fs_pri && fd_stream_urgent(fs))
			break;
		if (done >= FD_IN_BUDGET) {
			fd_sock_schedule(fs);
			break;
		}
		n = fd_stream_in1(fs);
		if (n == 0)
			break;
		done += n;
		fd_client_charge(fs);
	}
}

/* Writes to the client. => bytes taken, 0: the pair is full, or the client does not read */
static size_t
fd_stream_write(struct fdsock *fs, struct kvec *kv, unsigned nkv, size_t len, int flags)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)kv, .msg_iovlen = nkv};
	ssize_t n = sendmsg(fs->fs_src.ls_fd, &msg, flags | MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
		fs->fs_discard = true;
		return 0;
	}
	if (n < 0 && errno == ENOMEM)
		fd_sock_nomem(fs);
	else if (n < 0 || (size_t)n < len)
		fd_sock_full(fs);
	return n > 0 ? (size_t)n : 0;
}

static void
fd_stream_out_urgent(struct fdsock *fs)
{
	uint8_t byte;
	struct kvec kv = {.kv_base = &byte, .kv_len = 1};

	if (fs->fs_oobout < 0 && (fs->fs_so->so_state & SS_RCVATMARK) != 0 &&
	    sodirect_oob(fs->fs_so, &byte) == 0)
		fs->fs_oobout = byte;
	if (fs->fs_oobout < 0)
		return;
	byte = (uint8_t)fs->fs_oobout;
	if (fd_stream_write(fs, &kv, 1, 1, MSG_OOB) == 1)
		fs->fs_oobout = -1;
}

/* Writes what has been received. */
static void
fd_stream_out(struct fdsock *fs)
{
	struct kvec kv[FD_IOV];
	size_t done = 0, len, n;
	unsigned nkv;

	while (fs->fs_canwrite && !fs->fs_discard) {
		fd_stream_out_urgent(fs);
		nkv = sodirect_peek(fs->fs_so, kv, FD_IOV, &len);
		if (nkv == 0 || !fs->fs_canwrite)
			break;
		if (done >= FD_OUT_BUDGET) {
			fd_sock_schedule(fs);
			break;
		}
		n = fd_stream_write(fs, kv, nkv, len, 0);
		fs->fs_server->fd_stat.fds_bytes_out += n;
		if (n == 0)
			break;
		sodirect_consume(fs->fs_so, n);
		done += n;
	}
	if (fs->fs_discard)
		sodirect_consume(fs->fs_so, fs->fs_so->so_rcv.sb_cc);
	fd_client_charge(fs);
}

/* The connection has failed. What it brought is the client's still; then the pair ends. */
static void
fd_stream_fail(struct fdsock *fs)
{
	struct socket *so = fs->fs_so;

	if (so->so_rcv.sb_cc == 0) {
		fd_sock_die(fs, so->so_error);
		return;
	}
	if (!fs->fs_dying)
		(void)shutdown(fs->fs_src.ls_fd, SHUT_RD);
	fs->fs_dying = true;
}

/* What has ended, once both ways have been served? May free fs. */
static void
fd_stream_settle(struct fdsock *fs)
{
	struct socket *so = fs->fs_so;

	if (fs->fs_reset || (fs->fs_hup && fs->fs_eof)) {
		fd_sock_release(fs);
		return;
	}
	if (fs->fs_stray) {
		fd_sock_die(fs, BSD_EPIPE);
		return;
	}
	if (!fs->fs_up)
		return;
	if (fd_stream_over(fs) && (!fs->fs_eof || so->so_error != 0)) {
		fd_stream_fail(fs);
		return;
	}
	if ((so->so_state & SS_CANTRCVMORE) != 0 && so->so_rcv.sb_cc == 0 && !fs->fs_finsent) {
		fs->fs_finsent = true;
		(void)shutdown(fs->fs_src.ls_fd, SHUT_WR);
	}
}

void
fd_stream_work(struct fdsock *fs)
{
	if (fs->fs_held)
		return;
	if (fs->fs_gate && (fs->fs_hup || fs->fs_reset)) {
		fd_sock_release(fs);
		return;
	}
	if (fd_gate_failed(fs)) {
		fd_sock_die(fs, fs->fs_so->so_error);
		return;
	}
	if (!fd_gate_check(fs))
		return;
	if (!fs->fs_reset) {
		fd_stream_in(fs);
		fd_stream_out(fs);
	}
	fd_stream_settle(fs);
}
