/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening: each connection that the stack has made goes into the listener's pair as one record,
 * with the new descriptor attached. At most the backlog waits there; the rest stays in so_q, where
 * the stack's own limit holds.
 *
 * A record that nobody takes goes with the listener's pair: the kernel tells us so by an error on
 * our end of it (data were unread) and closes the descriptor in the record. We see HUP on a
 * connection that its client never touched, and reset it.
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* After its listener has gone, a connection that hangs up this soon went in a record. */
#define FD_UNTAKEN_NS (500 * NSEC_PER_MSEC)

int
fd_listen(struct fdsock *fs, int clientfd, int backlog)
{
	int error;

	if (fs->fs_kind == FD_DGRAM)
		return EOPNOTSUPP;
	if (fs->fs_up || fs->fs_gate)
		return EINVAL;
	if (backlog < 0 || backlog > BSD_SOMAXCONN)
		backlog = BSD_SOMAXCONN;
	error = solisten(fs->fs_so, backlog);
	if (error != 0)
		return fd_errno(error);
	if (fs->fs_kind != FD_LISTENER) {
		LIST_INSERT_HEAD(&fs->fs_server->fd_listeners, fs, fs_listening);
		fd_gate_listener(fs, clientfd);
	}
	fs->fs_kind = FD_LISTENER;
	fs->fs_backlog = KERN_MAX((uint32_t)backlog, 1u);
	fd_sock_tag(fs, clientfd);
	fd_sock_schedule(fs);
	fd_sockopt_note(fs, clientfd);
	fd_sister_listen(fs, clientfd);
	return 0;
}

/* Storage of the records that wait in the pair. */
static uint32_t
fd_listen_outq(const struct fdsock *fs)
{
	int value = 0;

	return ioctl(fs->fs_src.ls_fd, SIOCOUTQ, &value) == 0 && value > 0 ? (uint32_t)value : 0;
}

/* => true: as many wait in the pair as the client asked for. */
static bool
fd_listen_enough(struct fdsock *fs)
{
	return fs->fs_unit > 0 && fd_listen_outq(fs) >= fs->fs_backlog * fs->fs_unit;
}

/* Takes one connection off so_q. => false: none, or none that could be served */
static bool
fd_listen_take(struct fdsock *fs)
{
	union bsd_sockaddr_any nam;
	struct fdsock *child;
	struct socket *so;
	int error;

	error = soaccept(fs->fs_so, true, &so, &nam);
	if (error != 0)
		return error == BSD_ECONNABORTED;
	error = fd_sock_make(fs->fs_owner, so, fs->fs_domain, 0, &child, &fs->fs_pendingfd);
	if (error != 0) {
		fs->fs_server->fd_stat.fds_unaccepted++;
		soabortive(so);
		(void)soclose(so);
		return true;
	}
	fd_sockopt_inherit(fs, child, fs->fs_pendingfd);
	child->fs_up = true;
	fd_sock_getname(child);
	child->fs_held = true;
	child->fs_listener = fs->fs_cookie;
	child->fs_head = fs;
	LIST_INSERT_HEAD(&fs->fs_children, child, fs_sibling);
	fs->fs_pending = child;
	fs->fs_pendingrec = (struct fdsock_accepted){.fa_magic = FDSOCK_MAGIC};
	fd_addr_split(&nam.sa, &fs->fs_pendingrec.fa_family, &fs->fs_pendingrec.fa_port,
	    fs->fs_pendingrec.fa_addr, &fs->fs_pendingrec.fa_scope_id);
	return true;
}

/* => 0 or the host's errno */
static int
fd_listen_send(struct fdsock *fs)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {&fs->fs_pendingrec, sizeof(fs->fs_pendingrec)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fs->fs_pendingfd, sizeof(int));
	if (sendmsg(fs->fs_src.ls_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno;
	return 0;
}

/* => true: handed over */
static bool
fd_listen_give(struct fdsock *fs)
{
	struct fdsock *child = fs->fs_pending;
	bool alone = fs->fs_unit == 0 && fd_listen_outq(fs) == 0; /* a twin may send, too */
	int error = fd_listen_send(fs);

	if (error == EAGAIN) {
		fd_sock_full(fs);
		return false;
	}
	if (error == ETOOMANYREFS || error == ENOMEM || error == ENOBUFS) {
		fd_sock_nomem(fs);
		return false;
	}
	if (error == 0 && alone)
		fs->fs_unit = fd_listen_outq(fs);
	fs->fs_pending = NULL;
	(void)close(fs->fs_pendingfd);
	fs->fs_pendingfd = -1;
	child->fs_held = false;
	if (error == ECONNRESET)
		fs->fs_reset = true; /* that was the event's error, taken */
	if (error != 0)
		child->fs_reset = true;
	else
		fs->fs_server->fd_stat.fds_accepted++;
	fd_sock_schedule(child);
	return true;
}

void
fd_listen_work(struct fdsock *fs)
{
	if (fs->fs_hup) {
		fd_sock_release(fs);
		return;
	}
	for (unsigned i = 0; i < FD_ACCEPTS_A_TURN; i++) {
		if (!fs->fs_canwrite)
			return;
		if (fs->fs_pending == NULL) {
			if (fs->fs_so->so_qlen == 0)
				return;
			if (fd_listen_enough(fs)) {
				fd_sock_full(fs);
				return;
			}
			if (!fd_listen_take(fs))
				return;
		}
		if (fs->fs_pending != NULL && !fd_listen_give(fs))
			return;
	}
	fd_sock_schedule(fs);
}

void
fd_listen_gone(struct fdsock *head)
{
	struct fd_server *fd = head->fs_server;
	struct fdsock *fs;

	while ((fs = LIST_FIRST(&head->fs_children)) != NULL) {
		fd_listen_forget(fs);
		if (head->fs_reset)
			fs->fs_untakenuntil_ns = fd->fd_ns->ns_now + FD_UNTAKEN_NS;
		else
			fs->fs_listener = 0;
	}
}

void
fd_listen_forget(struct fdsock *fs)
{
	if (fs->fs_head != NULL)
		LIST_REMOVE(fs, fs_sibling);
	fs->fs_head = NULL;
}

void
fd_listen_reap(struct fd_server *fd, uint16_t port)
{
	struct fdsock *fs, *next;

	for (fs = LIST_FIRST(&fd->fd_listeners); fs != NULL; fs = next) {
		next = LIST_NEXT(fs, fs_listening);
		if (fd_addr_port(&fs->fs_local) == port)
			fd_sock_reap1(fs);
	}
}

bool
fd_listen_untaken(const struct fdsock *fs)
{
	const struct fdsock *head = fs->fs_head;
	struct pollfd pfd = {0};

	if (fs->fs_listener == 0)
		return false;
	if (head == NULL)
		return fs->fs_server->fd_ns->ns_now < fs->fs_untakenuntil_ns;
	pfd.fd = head->fs_src.ls_fd;
	if (poll(&pfd, 1, 0) != 1 || (pfd.revents & POLLHUP) == 0)
		return false;
	return head->fs_reset || (pfd.revents & POLLERR) != 0;
}
