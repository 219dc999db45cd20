/* SPDX-License-Identifier: BSD-2-Clause */
/* Accounts of processes, and what is remembered of sockets that failed. */
#include "server/fdsock/fd_impl.h"

#include <stdlib.h>

struct fd_client *
fd_client_get(struct fd_server *fd, pid_t pid)
{
	struct fd_client_hash *bucket = &fd->fd_clients[(uint32_t)pid % FD_CLIENTHASH];
	struct fd_client *fc;

	LIST_FOREACH(fc, bucket, fc_hash) {
		if (fc->fc_pid == pid)
			return fc;
	}
	fc = calloc(1, sizeof(*fc));
	if (fc == NULL)
		return NULL;
	fc->fc_server = fd;
	fc->fc_pid = pid;
	LIST_INSERT_HEAD(bucket, fc, fc_hash);
	return fc;
}

void
fd_client_put(struct fd_client *fc)
{
	if (fc->fc_nsocks > 0 || fc->fc_nctls > 0)
		return;
	LIST_REMOVE(fc, fc_hash);
	free(fc);
}

void
fd_client_charge(struct fdsock *fs)
{
	uint64_t now = (uint64_t)fs->fs_so->so_snd.sb_cc + fs->fs_so->so_rcv.sb_cc;

	fs->fs_owner->fc_bytes += now - fs->fs_charged;
	fs->fs_charged = now;
}

bool
fd_client_full(const struct fdsock *fs)
{
	return fs->fs_owner->fc_bytes / 1024 >= fs->fs_server->fd_maxkbytesperclient &&
	    fs->fs_so->so_snd.sb_cc > 0;
}

/* The oldest gives way. */
void
fd_tomb_add(struct fdsock *fs, int error)
{
	struct fd_server *fd = fs->fs_server;
	struct fd_tomb *ft = &fd->fd_tombs[fd->fd_nexttomb++ % FD_TOMBS];

	if (ft->ft_cookie != 0)
		LIST_REMOVE(ft, ft_hash);
	*ft = (struct fd_tomb){
	    .ft_cookie = fs->fs_cookie,
	    .ft_error = error,
	    .ft_type = fs->fs_so->so_proto->pr_type,
	    .ft_domain = fs->fs_domain,
	    .ft_protocol = fs->fs_protocol,
	    .ft_up = fs->fs_up,
	    .ft_bound = fs->fs_bound,
	};
	fd_sock_getname(fs);
	ft->ft_local = fs->fs_local;
	LIST_INSERT_HEAD(&fd->fd_tombhash[ft->ft_cookie % FD_TOMBHASH], ft, ft_hash);
}

struct fd_tomb *
fd_tomb_find(struct fd_server *fd, uint64_t cookie)
{
	struct fd_tomb *ft;

	LIST_FOREACH(ft, &fd->fd_tombhash[cookie % FD_TOMBHASH], ft_hash) {
		if (ft->ft_cookie == cookie)
			return ft;
	}
	return NULL;
}
