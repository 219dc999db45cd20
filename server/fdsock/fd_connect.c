/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connecting without blocking: the gate.
 *
 * While the handshake is under way the client's end must not be writable. So its send buffer is
 * made small and stuffed with bytes of ours; they wait at our end. When the handshake has ended
 * they are read away: POLLOUT. The small buffer is given back by the next request about the
 * descriptor, which is the one that asks how the connect ended: only then do we hold it again.
 * (Keeping it meanwhile would hide that the client has closed it.)
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>

#define FD_GATE_WRITES 64

static int
fd_sndbuf(int sock)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(sock, SOL_SOCKET, SO_SNDBUF, &value, &len) == 0 ? value : 0;
}

static void
fd_gate_shut(struct fdsock *fs, int clientfd)
{
	const int small = FD_GATE_SNDBUF;

	if (!fs->fs_narrow)
		fs->fs_sndbuf = fd_sndbuf(clientfd);
	fs->fs_narrow = true;
	(void)setsockopt(clientfd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < FD_GATE_WRITES; i++) {
		ssize_t n = send(clientfd, fs->fs_server->fd_scratch, FD_SCRATCH,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n <= 0)
			break;
		fs->fs_filler += (size_t)n;
	}
	fs->fs_gate = true;
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

static void
fd_gate_open(struct fdsock *fs)
{
	while (fs->fs_filler > 0) {
		ssize_t n = recv(fs->fs_src.ls_fd, fs->fs_server->fd_scratch,
		    KERN_MIN(fs->fs_filler, (size_t)FD_SCRATCH), MSG_DONTWAIT);

		if (n <= 0)
			break;
		fs->fs_filler -= (size_t)n;
	}
	fs->fs_filler = 0;
	fs->fs_gate = false;
	fs->fs_eof = false; /* if the client has shut it down, it is read again, and acted upon */
	fs->fs_canread = true;
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
	return true;
}

/*
 * Linux lets a socket connect again after a failure; the stack's protocol has let go of ours.
 * Deviation: options of the TCP and IP levels are back to their defaults.
 */
static int
fd_connect_refresh(struct fdsock *fs)
{
	int error;

	if (fs->fs_so->so_pcb != NULL || fs->fs_so->so_error != 0)
		return 0;
	error = soreattach(fs->fs_so);
	if (error == 0 && fs->fs_bound)
		error = sobind(fs->fs_so, &fs->fs_local.sa);
	return error;
}

static int
fd_connect_stream(struct fdsock *fs, int clientfd, const struct bsd_sockaddr *nam)
{
	struct socket *so = fs->fs_so;
	int error;

	if (fs->fs_gate)
		return EALREADY;
	if (fs->fs_untold) {
		fs->fs_untold = false;
		return 0;
	}
	if (fs->fs_up)
		return EISCONN;
	error = fd_connect_refresh(fs);
	if (error == 0)
		error = soconnect(so, nam);
	if (error != 0)
		return fd_errno(error);
	if ((so->so_state & SS_ISCONNECTED) != 0) {
		fs->fs_up = true;
		return 0;
	}
	fd_gate_shut(fs, clientfd);
	fd_sock_schedule(fs); /* it may have failed already */
	return EINPROGRESS;
}

int
fd_connect(struct fdsock *fs, int clientfd, const struct bsd_sockaddr *nam)
{
	int error;

	if (fs->fs_kind == FD_LISTENER)
		return EISCONN; /* as Linux has it */
	if (fs->fs_kind == FD_STREAM)
		error = fd_connect_stream(fs, clientfd, nam);
	else
		error = fd_errno(soconnect(fs->fs_so, nam));
	fd_sock_tag(fs, clientfd);
	return error;
}
