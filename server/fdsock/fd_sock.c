/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a socket of this door: its pair, its events, its end.
 *
 * Our end is edge-triggered, so that a full so_snd or a half-closed pair costs no system call and
 * no wake-up; fs_canread and fs_canwrite remember the edges. EPOLLOUT is asked for only while the
 * pair is full: else every read of the client would wake us.
 */
#include "server/fdsock/fd_dgram.h"
#include "server/fdsock/fd_impl.h"
#include "server/fdsock/fd_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FD_EVENTS (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET)

uint64_t
fd_cookie(int sock)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(sock, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

struct fdsock *
fd_sock_find(struct fd_server *fd, uint64_t cookie)
{
	struct fdsock *fs;

	LIST_FOREACH(fs, &fd->fd_hash[cookie % FD_HASH], fs_hash) {
		if (fs->fs_cookie == cookie)
			return fs;
	}
	return NULL;
}

static void
fd_sock_queue(struct fdsock *fs)
{
	struct fd_server *fd = fs->fs_server;

	if (fs->fs_queued)
		return;
	fs->fs_queued = true;
	TAILQ_INSERT_TAIL(&fd->fd_work, fs, fs_work);
	fd->fd_nwork++;
}

void
fd_sock_schedule(struct fdsock *fs)
{
	struct fd_server *fd = fs->fs_server;

	fd_sock_queue(fs);
	loop_defer(fd->fd_loop, &fd->fd_task);
}

/*
 * From the stack: only notes that there is something to do; and that a connection was made, should
 * it be reset before we get to look.
 */
static void
fd_sock_upcall(struct socket *so, void *arg)
{
	struct fdsock *fs = arg;

	if (fs->fs_gate && (so->so_state & SS_ISCONNECTED) != 0)
		fs->fs_up = true;
	fd_client_charge(fs);
	fd_sock_schedule(fs);
}

/* What the client sends to its own host finds no socket that it has closed before. */
static void
fd_sock_workdgram(struct fdsock *fs)
{
	struct fd_server *fd = fs->fs_server;
	const uint64_t sent = fd->fd_stat.fds_dgrams_in;

	fd_dgram_work(fs);
	if (fd->fd_stat.fds_dgrams_in != sent)
		loop_look(fd->fd_loop);
}

static void
fd_sock_work(struct fdsock *fs)
{
	switch (fs->fs_kind) {
	case FD_STREAM:
		fd_stream_work(fs);
		break;
	case FD_LISTENER:
		fd_listen_work(fs);
		break;
	case FD_DGRAM:
		fd_sock_workdgram(fs);
		break;
	case FD_KIND_COUNT:
		break;
	}
}

static void
fd_sock_ready(struct loop_source *ls, uint32_t events)
{
	struct fdsock *fs = ls->ls_arg;

	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0)
		fs->fs_canread = true;
	if ((events & EPOLLPRI) != 0)
		fs->fs_pri = true;
	if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0)
		fs->fs_ending = true;
	if ((events & EPOLLHUP) != 0)
		fs->fs_hup = true;
	if ((events & EPOLLERR) != 0)
		fs->fs_reset = true;
	if ((events & EPOLLOUT) != 0 && !fs->fs_canwrite) {
		fs->fs_canwrite = true;
		loop_events(fs->fs_server->fd_loop, ls, FD_EVENTS);
	}
	/* What the client sends goes on its way before the stack runs, the rest is done after. */
	if (fs->fs_kind == FD_STREAM && !fs->fs_reset)
		fd_stream_in(fs);
	if (fs->fs_kind == FD_DGRAM && fs->fs_hup)
		fd_sock_workdgram(fs);
	else
		fd_sock_schedule(fs);
}

void
fd_sock_reap1(struct fdsock *fs)
{
	struct pollfd pfd = {.fd = fs->fs_src.ls_fd};

	if (fs->fs_reaped || fs->fs_held || poll(&pfd, 1, 0) != 1 || (pfd.revents & POLLHUP) == 0)
		return;
	fs->fs_reaped = fs->fs_ending = fs->fs_hup = fs->fs_canread = true;
	if ((pfd.revents & POLLERR) != 0)
		fs->fs_reset = true;
	fd_sock_work(fs);
}

void
fd_sock_reap(struct fd_server *fd, uint16_t port)
{
	struct fdsock *fs, *next;

	for (fs = TAILQ_FIRST(&fd->fd_socks); fs != NULL; fs = next) {
		next = TAILQ_NEXT(fs, fs_list);
		while (next != NULL && next->fs_held) /* one that is goes with its listener */
			next = TAILQ_NEXT(next, fs_list);
		if (fd_addr_port(&fs->fs_local) == port)
			fd_sock_reap1(fs);
	}
}

void
fd_sock_full(struct fdsock *fs)
{
	fs->fs_canwrite = false;
	loop_events(fs->fs_server->fd_loop, &fs->fs_src, FD_EVENTS | EPOLLOUT);
}

void
fd_sock_nomem(struct fdsock *fs)
{
	struct fd_server *fd = fs->fs_server;

	fd->fd_stat.fds_nomem++;
	fd_sock_queue(fs);
	if (!callout_pending(&fd->fd_retry))
		callout_reset(&fd->fd_retry, FD_RETRY_NS);
}

void
fd_sock_rest(struct fdsock *fs)
{
	struct fd_server *fd = fs->fs_server;

	fd_sock_queue(fs);
	loop_rest(fd->fd_loop);
	if (!callout_pending(&fd->fd_rest))
		callout_reset(&fd->fd_rest, FD_REST_NS);
}

void
fd_sock_getname(struct fdsock *fs)
{
	union bsd_sockaddr_any nam;

	if (sogetname(fs->fs_so, false, &nam) == 0)
		memcpy(&fs->fs_local, &nam, sizeof(fs->fs_local));
}

void
fd_sock_tag(const struct fdsock *fs, int clientfd)
{
	const struct socket *so = fs->fs_so;
	uint64_t tag = FDSOCK_TAG_MAGIC | (uint64_t)(fs->fs_protocol & 0xffff) << 16 |
	    (uint64_t)(so->so_proto->pr_type & 0xff) << 8 | (uint64_t)(fs->fs_domain & 0xff);

	if (fs->fs_kind == FD_LISTENER)
		tag |= FDSOCK_TAG_LISTENING;
	else if (fs->fs_gate)
		tag |= FDSOCK_TAG_CONNECTING;
	else if ((so->so_state & SS_ISCONNECTED) != 0)
		tag |= FDSOCK_TAG_CONNECTED;
	if (fs->fs_recverr != 0)
		tag |= FDSOCK_TAG_RECVERR;
	if (fs->fs_inq)
		tag |= FDSOCK_TAG_INQ;
	(void)setsockopt(clientfd, SOL_SOCKET, SO_MAX_PACING_RATE, &tag, sizeof(tag));
}

/*
 * Both ends hold more than the host's default, so that whoever is woken finds much to do. What the
 * host allows is enough.
 */
static void
fd_sock_widen(const int sv[2])
{
	const int bytes = FD_PAIR_SNDBUF;

	for (int i = 0; i < 2; i++)
		(void)setsockopt(sv[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* The client's limit is like its own of descriptors, the server's like the system's. */
static int
fd_sock_limit(struct fd_server *fd, const struct fd_client *owner)
{
	int error = 0;

	if (fd->fd_nsocks >= fd->fd_maxsockets)
		error = ENFILE;
	else if (owner->fc_nsocks >= fd->fd_maxperclient)
		error = EMFILE;
	else if (owner->fc_bytes / 1024 >= fd->fd_maxkbytesperclient)
		error = ENOBUFS;
	fd->fd_stat.fds_refused += error != 0;
	return error;
}

int
fd_sock_adopt(struct fd_client *owner, struct socket *so, int domain, int src, uint64_t cookie,
    struct fdsock **fsp)
{
	struct fd_server *fd = owner->fc_server;
	struct fdsock *fs;
	int error = fd_sock_limit(fd, owner);

	if (error != 0)
		return error;
	if ((fs = calloc(1, sizeof(*fs))) == NULL)
		return ENOMEM;
	fs->fs_server = fd;
	fs->fs_kind = (so->so_proto->pr_flags & PR_ATOMIC) == 0 ? FD_STREAM : FD_DGRAM;
	fs->fs_canwrite = true;
	fs->fs_pendingfd = -1;
	fs->fs_oobout = -1;
	fs->fs_waiter = -1;
	fs->fs_domain = domain;
	fs->fs_protocol = so->so_proto->pr_protocol;
	fs->fs_src = (struct loop_source){.ls_fd = src, .ls_ready = fd_sock_ready, .ls_arg = fs};
	fs->fs_cookie = cookie;
	TAILQ_INIT(&fs->fs_optlog);
	if (cookie == 0 || loop_add(fd->fd_loop, &fs->fs_src, FD_EVENTS) != 0) {
		free(fs);
		return ENOBUFS;
	}
	fs->fs_so = so;
	fs->fs_owner = owner;
	owner->fc_nsocks++;
	fd->fd_nsocks++;
	so->so_upcallarg = fs;
	so->so_upcall = fd_sock_upcall;
	LIST_INSERT_HEAD(&fd->fd_hash[fs->fs_cookie % FD_HASH], fs, fs_hash);
	TAILQ_INSERT_TAIL(&fd->fd_socks, fs, fs_list);
	*fsp = fs;
	return 0;
}

struct fdsock *
fd_sock_of(const struct socket *so)
{
	return so != NULL && so->so_upcall == fd_sock_upcall ? so->so_upcallarg : NULL;
}

int
fd_sock_make(struct fd_client *owner, struct socket *so, int domain, int flags, struct fdsock **fsp,
    int *clientfd)
{
	int type = (so->so_proto->pr_flags & PR_ATOMIC) == 0 ? SOCK_STREAM : SOCK_SEQPACKET;
	const int one = 1;
	int sv[2], error;

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | (flags & SOCK_NONBLOCK), 0, sv) != 0)
		return errno;
	if (type == SOCK_STREAM)
		fd_sock_widen(sv);
	(void)setsockopt(sv[0], SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	error = fd_sock_adopt(owner, so, domain, sv[0], fd_cookie(sv[1]), fsp);
	if (error != 0) {
		(void)close(sv[0]);
		(void)close(sv[1]);
		return error;
	}
	fd_sock_tag(*fsp, sv[1]);
	*clientfd = sv[1];
	return 0;
}

static void
fd_sock_free(struct fdsock *fs)
{
	struct fd_server *fd = fs->fs_server;

	if (fs->fs_queued) {
		TAILQ_REMOVE(&fd->fd_work, fs, fs_work);
		fd->fd_nwork--;
	}
	loop_del(fd->fd_loop, &fs->fs_src); /* a twin of a sister's has a copy of the descriptor */
	(void)close(fs->fs_src.ls_fd);
	if (fs->fs_waiter >= 0)
		fd_reply_none(fs->fs_waiter);
	(void)soclose(fs->fs_so);
	fd_share_close(fs);
	KASSERT(LIST_EMPTY(&fs->fs_children));
	fd_listen_forget(fs);
	LIST_REMOVE(fs, fs_hash);
	TAILQ_REMOVE(&fd->fd_socks, fs, fs_list);
	fd->fd_nsocks--;
	fs->fs_owner->fc_nsocks--;
	fs->fs_owner->fc_bytes -= fs->fs_charged;
	fd_client_put(fs->fs_owner);
	fd_sister_forget(fs);
	free(fs);
}

void
fd_sock_release(struct fdsock *fs)
{
	if (fs->fs_pending != NULL) {
		(void)close(fs->fs_pendingfd);
		soabortive(fs->fs_pending->fs_so);
		fd_sock_release(fs->fs_pending);
	}
	if (fs->fs_kind == FD_LISTENER) {
		LIST_REMOVE(fs, fs_listening);
		fd_listen_gone(fs);
	}
	if (fs->fs_keep)
		fd_tomb_add(fs, 0);
	if (fs->fs_reset)
		soabortive(fs->fs_so);
	else if (fd_listen_untaken(fs)) {
		fs->fs_server->fd_stat.fds_unaccepted++;
		soabortive(fs->fs_so);
	}
	fd_sock_free(fs);
}

void
fd_sock_die(struct fdsock *fs, int error)
{
	if (error == BSD_ECONNRESET && fs->fs_finsent)
		error = BSD_EPIPE; /* as Linux: what came is whole, but nobody takes more */
	fd_tomb_add(fs, error);
	fd_sock_free(fs);
}

/* Once a turn: whoever was scheduled before it. */
static void
fd_server_work(struct fd_server *fd)
{
	struct fdsock *fs;

	for (uint32_t n = fd->fd_nwork; n > 0 && (fs = TAILQ_FIRST(&fd->fd_work)) != NULL; n--) {
		TAILQ_REMOVE(&fd->fd_work, fs, fs_work);
		fd->fd_nwork--;
		fs->fs_queued = false;
		fd_sock_work(fs);
	}
}

void
fd_server_task(struct loop_task *lt)
{
	fd_server_work(container_of(lt, struct fd_server, fd_task));
}

void
fd_server_retry(void *arg)
{
	struct fd_server *fd = arg;

	loop_defer(fd->fd_loop, &fd->fd_task);
}
