/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connecting without blocking: the gate.
 *
 * While the handshake is under way the client's end must not be writable. So its send buffer is
 * made small and stuffed with bytes of ours; they wait at our end. When the handshake has ended
 * they are read away: POLLOUT. The small buffer is given back by the next request about the
 * descriptor, which is the one that asks how the connect ended: only then do we hold it again.
 * (Keeping it meanwhile would hide that the client has closed it.)
 *
 * A caller who waits in connect() is answered when it has ended, and there is no gate: nobody else
 * is expected to look whether the descriptor is writable. It is shut when that changes: when the
 * caller gives up (a signal, SO_SNDTIMEO), or another one connects meanwhile.
 *
 * A connect that fails without anybody waiting in it ends the pair, with the filler unread: the
 * client's end shows IN, OUT, ERR and HUP, as Linux has it, whichever of them is waited for. One
 * that is waited for leaves the socket as it was, to connect again.
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FD_GATE_WRITES 64

static int
fd_sndbuf(int sock)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(sock, SOL_SOCKET, SO_SNDBUF, &value, &len) == 0 ? value : 0;
}

/* => bytes put into the client's end, which is full then */
static size_t
fd_gate_stuff(struct fdsock *fs, int clientfd)
{
	const int small = FD_GATE_SNDBUF;
	size_t filler = 0;

	(void)setsockopt(clientfd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < FD_GATE_WRITES; i++) {
		ssize_t n = send(clientfd, fs->fs_server->fd_scratch, FD_SCRATCH,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n <= 0)
			break;
		filler += (size_t)n;
	}
	return filler;
}

static void
fd_gate_shut(struct fdsock *fs, int clientfd)
{
	int waiting = 0;

	/* What was written while somebody waited lies before any filler, and must not be taken for it. */
	if (ioctl(fs->fs_src.ls_fd, FIONREAD, &waiting) != 0 || (size_t)waiting > fs->fs_filler)
		return;
	if (!fs->fs_narrow)
		fs->fs_sndbuf = fd_sndbuf(clientfd);
	fs->fs_narrow = true;
	fs->fs_filler += fd_gate_stuff(fs, clientfd);
}

int
fd_gate_unwait(struct fdsock *fs, int clientfd)
{
	if (fs->fs_waiter < 0)
		return 0;
	fd_reply_none(fs->fs_waiter);
	fs->fs_waiter = -1;
	fd_gate_shut(fs, clientfd);
	return EINPROGRESS;
}

/* Tells whoever waits how the connect ended. One who has given up will ask. */
static void
fd_gate_answer(struct fdsock *fs)
{
	struct fdsock_reply reply = {.fp_magic = FDSOCK_MAGIC, .fp_id = fs->fs_waiterid};

	if (!fs->fs_up)
		reply.fp_error = fd_errno(fs->fs_so->so_error);
	if (fd_reply_send(fs->fs_server, fs->fs_waiter, &reply, NULL, -1)) {
		fs->fs_untold = false;
		if (!fs->fs_up)
			fs->fs_so->so_error = 0;
	}
	(void)close(fs->fs_waiter);
	fs->fs_waiter = -1;
}

/* What is sent on it all the same is refused, not waited with. */
void
fd_gate_listener(struct fdsock *fs, int clientfd)
{
	(void)fd_gate_stuff(fs, clientfd);
	(void)shutdown(clientfd, SHUT_WR);
}

void
fd_gate_widen(struct fdsock *fs, int clientfd)
{
	int value = fs->fs_sndbuf / 2;

	if (!fs->fs_narrow || fs->fs_gate)
		return;
	fs->fs_narrow = false;
	(void)setsockopt(clientfd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value));
	fd_sock_tag(fs, clientfd);
}

void
fd_gate_setbuf(struct fdsock *fs, int clientfd, int bytes)
{
	if (fs->fs_narrow)
		fs->fs_sndbuf = 2 * bytes;
	else
		(void)setsockopt(clientfd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static void
fd_gate_open(struct fdsock *fs)
{
	/* If the client has shut it down, it is read again, and acted upon. */
	fs->fs_canread = fs->fs_canread || fs->fs_filler > 0 || fs->fs_eof;
	while (fs->fs_filler > 0) {
		ssize_t n = recv(fs->fs_src.ls_fd, fs->fs_server->fd_scratch,
		    KERN_MIN(fs->fs_filler, (size_t)FD_SCRATCH), MSG_DONTWAIT);

		if (n <= 0)
			break;
		fs->fs_filler -= (size_t)n;
	}
	fs->fs_filler = 0;
	fs->fs_gate = false;
	fs->fs_eof = false;
}

bool
fd_gate_failed(const struct fdsock *fs)
{
	const uint32_t made = SS_ISCONNECTING | SS_ISCONNECTED;

	return fs->fs_gate && !fs->fs_up && !fs->fs_patient && (fs->fs_so->so_state & made) == 0;
}

bool
fd_gate_check(struct fdsock *fs)
{
	if (!fs->fs_gate)
		return true;
	if ((fs->fs_so->so_state & SS_ISCONNECTING) != 0)
		return false;
	fs->fs_up = fs->fs_up || (fs->fs_so->so_state & SS_ISCONNECTED) != 0;
	fs->fs_untold = fs->fs_up;
	fd_sock_getname(fs);
	fd_gate_open(fs);
	if (fs->fs_waiter >= 0)
		fd_gate_answer(fs);
	return true;
}

/* Linux lets a socket connect again after a failure; the stack's protocol has let go of ours. */
int
fd_connect_refresh(struct fdsock *fs, int clientfd)
{
	int error = 0;

	if (fs->fs_so->so_error != 0)
		return 0;
	if (fs->fs_so->so_pcb == NULL) {
		if ((error = soreattach(fs->fs_so)) != 0)
			return error;
		fs->fs_rebind = fs->fs_bound;
		fd_sister_recall(fs, clientfd);
	}
	if (fs->fs_rebind && (error = sobind(fs->fs_so, &fs->fs_local.sa)) == 0)
		fs->fs_rebind = false;
	return error;
}

/* Of an address that a stream is refused for its family: the other family's are of AF_INET6. */
static bool
fd_addr_isgroup(const struct bsd_sockaddr *nam)
{
	const struct bsd_sockaddr_in6 *sin6 = &((const union fd_addr *)nam)->sin6;

	return nam->sa_family == BSD_AF_INET || sin6->sin6_addr.s6_bytes[0] == 0xff;
}

/* What Linux finds out on the way there, the stack knows at once. */
static int
fd_connect_errno(int error, const struct bsd_sockaddr *nam)
{
	if (error == BSD_EADDRNOTAVAIL && fd_addr_port((const union fd_addr *)nam) == 0)
		return ECONNREFUSED;
	if (error == BSD_EACCES || (error == BSD_EAFNOSUPPORT && fd_addr_isgroup(nam)))
		return ENETUNREACH; /* of everybody, or of a group */
	return fd_errno(error);
}

static int
fd_connect_stream(struct fdsock *fs, int clientfd, const struct bsd_sockaddr *nam, bool wait)
{
	struct socket *so = fs->fs_so;
	int error;

	if (fs->fs_gate) {
		if (fs->fs_filler == 0)
			fd_gate_shut(fs, clientfd);
		return EALREADY;
	}
	if (fs->fs_untold) {
		fs->fs_untold = false;
		return 0;
	}
	if (fs->fs_up)
		return EISCONN;
	error = fd_connect_refresh(fs, clientfd);
	if (error == 0)
		error = soconnect(so, nam);
	if (error != 0)
		return fd_connect_errno(error, nam);
	fd_sock_getname(fs); /* it may end before anybody asks */
	if ((so->so_state & SS_ISCONNECTED) != 0) {
		fs->fs_up = true;
		return 0;
	}
	fs->fs_gate = true;
	fs->fs_patient = wait || (fcntl(clientfd, F_GETFL) & O_NONBLOCK) == 0;
	if (!wait)
		fd_gate_shut(fs, clientfd);
	fd_sock_schedule(fs); /* it may have failed already */
	return EINPROGRESS;
}

int
fd_connect(struct fdsock *fs, int clientfd, const struct bsd_sockaddr *nam, bool wait)
{
	int error;

	if (fs->fs_kind == FD_LISTENER)
		return EISCONN; /* as Linux has it */
	if (fs->fs_kind == FD_STREAM)
		error = fd_connect_stream(fs, clientfd, nam, wait);
	else
		error = fd_errno(soconnect(fs->fs_so, nam));
	fd_sock_tag(fs, clientfd);
	return error;
}
