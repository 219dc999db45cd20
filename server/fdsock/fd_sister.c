/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What concerns the door of another sister (server/sister.h): requests about a descriptor of hers,
 * and the twins of listeners.
 *
 * A twin is a listening socket of her stack with a copy of our end of the listener's pair. What her
 * stack accepts she puts there, as we do; when the client is gone the pair tells each of us.
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/fdsock/fdsock.h"
#include "server/sister.h"

/* --- requests ------------------------------------------------------------------------------- */

struct fd_forward {
	struct inbox_msg fw_msg; /* first */
	unsigned fw_origin;
	unsigned fw_hops;
	struct fd_record fw_record;
};

static void
fd_forward_drop(struct inbox_msg *im)
{
	struct fd_forward *fw = (struct fd_forward *)im;

	fd_reply_none(fw->fw_record.re_fds[0]);
	for (unsigned i = 1; i < fw->fw_record.re_nfds; i++)
		(void)close(fw->fw_record.re_fds[i]);
	free(fw);
}

static void
fd_forward_run(struct inbox_msg *im, void *owner)
{
	struct fd_forward *fw = (struct fd_forward *)im;
	struct sister *si = owner;

	if (si->si_control == NULL) {
		fd_forward_drop(im);
		return;
	}
	(void)fd_record_run(si->si_control, &fw->fw_record, fw->fw_origin, fw->fw_hops);
	free(fw);
}

static bool
fd_forward_post(struct fd_server *fd, struct fd_record *re, unsigned origin, unsigned hops,
    unsigned to)
{
	struct fd_forward *fw = malloc(sizeof(*fw));

	if (fw == NULL)
		return false;
	fw->fw_msg = (struct inbox_msg){.im_run = fd_forward_run, .im_drop = fd_forward_drop};
	fw->fw_origin = origin;
	fw->fw_hops = hops;
	fw->fw_record = *re;
	sister_post(fd->fd_sister, to, &fw->fw_msg);
	return true;
}

bool
fd_sister_forward(struct fd_server *fd, struct fd_record *re, unsigned origin, unsigned hops)
{
	int next;

	if (fd->fd_sister == NULL)
		return false;
	if (hops == 0)
		origin = fd->fd_sister->si_index;
	next = sister_next(fd->fd_sister, origin, hops);
	return next >= 0 && fd_forward_post(fd, re, origin, hops + 1, (unsigned)next);
}

bool
fd_sister_pass(struct fd_server *fd, struct fd_record *re, unsigned to)
{
	return fd_forward_post(fd, re, fd->fd_sister->si_index, 1, to);
}

/* --- options -------------------------------------------------------------------------------- */

/* An option, or a listener, on its way to a sister. */
struct fd_twin_msg {
	struct inbox_msg tw_msg; /* first */
	uint64_t tw_cookie;      /* of the listener */
	int tw_clientfd;         /* a copy of the client's end */
	int tw_src; /* a copy of ours; -1: the twin is there, it is about tw_opts only */
	pid_t tw_pid;
	int tw_domain;
	int tw_protocol;
	uint32_t tw_backlog; /* 0: leave it */
	union fd_addr tw_local;
	struct fd_optlog_list tw_opts;
};

static void
fd_optlog_free(struct fd_optlog_list *list)
{
	struct fd_optlog *ol;

	while ((ol = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, ol, ol_list);
		free(ol);
	}
}

/* What was set last is what counts. => false: no memory */
static bool
fd_optlog_add(struct fd_optlog_list *list, int level, int name, const void *val, size_t len)
{
	struct fd_optlog *ol, *old;

	ol = malloc(sizeof(*ol) + len);
	if (ol == NULL)
		return false;
	TAILQ_FOREACH(old, list, ol_list) {
		if (old->ol_level == level && old->ol_name == name)
			break;
	}
	if (old != NULL) {
		TAILQ_REMOVE(list, old, ol_list);
		free(old);
	}
	ol->ol_level = level;
	ol->ol_name = name;
	ol->ol_len = len;
	memcpy(ol->ol_value, val, len);
	TAILQ_INSERT_TAIL(list, ol, ol_list);
	return true;
}

void
fd_sister_forget(struct fdsock *fs)
{
	fd_optlog_free(&fs->fs_optlog);
}

static void
fd_twin_drop(struct inbox_msg *im)
{
	struct fd_twin_msg *tw = (struct fd_twin_msg *)im;

	if (tw->tw_src >= 0)
		(void)close(tw->tw_src);
	if (tw->tw_clientfd >= 0)
		(void)close(tw->tw_clientfd);
	fd_optlog_free(&tw->tw_opts);
	free(tw);
}

/* --- twins ---------------------------------------------------------------------------------- */

static void
fd_twin_options(struct fdsock *fs, const struct fd_twin_msg *tw)
{
	const struct fd_optlog *ol;

	TAILQ_FOREACH(ol, &tw->tw_opts, ol_list)
		(void)fd_sockopt_set(fs, tw->tw_clientfd, ol->ol_level, ol->ol_name, ol->ol_value,
		    ol->ol_len);
}

/* Binds and listens where the first sister does. => BSD errno */
static int
fd_twin_listen(struct fdsock *fs, const struct fd_twin_msg *tw)
{
	uint16_t port = fd_addr_port(&tw->tw_local);
	int error = sobind(fs->fs_so, &tw->tw_local.sa);

	if (error == BSD_EADDRINUSE) { /* a twin whose client has just gone */
		fd_listen_reap(fs->fs_server, port);
		error = sobind(fs->fs_so, &tw->tw_local.sa);
	}
	if (error == 0)
		error = solisten(fs->fs_so, (int)tw->tw_backlog);
	if (error != 0)
		return error;
	fd_sock_getname(fs);
	fs->fs_kind = FD_LISTENER;
	if (fs->fs_inq) /* the option told the client's end when this was no listener yet */
		fd_sock_tag(fs, tw->tw_clientfd);
	fs->fs_backlog = tw->tw_backlog;
	LIST_INSERT_HEAD(&fs->fs_server->fd_listeners, fs, fs_listening);
	fd_sock_schedule(fs);
	return 0;
}

/* => false: nothing is left of it */
static bool
fd_twin_make(struct fd_server *fd, struct fd_twin_msg *tw)
{
	struct fd_client *owner = fd_client_get(fd, tw->tw_pid);
	struct fdsock *fs;
	struct socket *so;
	int family;

	if (owner == NULL)
		return false;
	if (fd_domain_in(tw->tw_domain, &family) != 0 ||
	    socreate(fd->fd_ns, family, BSD_SOCK_STREAM, tw->tw_protocol, &so) != 0) {
		fd_client_put(owner);
		return false;
	}
	if (fd_sock_adopt(owner, so, tw->tw_domain, tw->tw_src, tw->tw_cookie, &fs) != 0) {
		(void)soclose(so);
		fd_client_put(owner);
		return false;
	}
	tw->tw_src = -1; /* it is the socket's now */
	fd_twin_options(fs, tw);
	if (fd_twin_listen(fs, tw) == 0)
		return true;
	fd_sock_release(fs);
	return false;
}

static void
fd_twin_run(struct inbox_msg *im, void *owner)
{
	struct fd_twin_msg *tw = (struct fd_twin_msg *)im;
	struct fd_server *fd = ((struct sister *)owner)->si_control;
	struct fdsock *fs = fd != NULL ? fd_sock_find(fd, tw->tw_cookie) : NULL;

	if (fs != NULL) {
		fd_twin_options(fs, tw);
		if (tw->tw_backlog != 0 && solisten(fs->fs_so, (int)tw->tw_backlog) == 0)
			fs->fs_backlog = tw->tw_backlog;
	} else if (fd != NULL && tw->tw_src >= 0 && !fd_twin_make(fd, tw)) {
		fd->fd_stat.fds_refused++; /* the others go on without her */
	}
	fd_twin_drop(im);
}

/* A message about fs. => NULL: no memory or descriptor; then she goes on as she is */
static struct fd_twin_msg *
fd_twin_msg(const struct fdsock *fs, int clientfd, bool make)
{
	struct fd_twin_msg *tw = calloc(1, sizeof(*tw));

	if (tw == NULL)
		return NULL;
	tw->tw_msg = (struct inbox_msg){.im_run = fd_twin_run, .im_drop = fd_twin_drop};
	TAILQ_INIT(&tw->tw_opts);
	tw->tw_cookie = fs->fs_cookie;
	tw->tw_pid = fs->fs_owner->fc_pid;
	tw->tw_domain = fs->fs_domain;
	tw->tw_protocol = fs->fs_protocol;
	tw->tw_local = fs->fs_local;
	tw->tw_clientfd = fcntl(clientfd, F_DUPFD_CLOEXEC, 0);
	tw->tw_src = make ? fcntl(fs->fs_src.ls_fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (tw->tw_clientfd >= 0 && (!make || tw->tw_src >= 0))
		return tw;
	fd_twin_drop(&tw->tw_msg);
	return NULL;
}

static void
fd_twins_post(struct fdsock *fs, int clientfd, const struct fd_optlog_list *opts, uint32_t backlog)
{
	struct sister *si = fs->fs_server->fd_sister;
	const struct fd_optlog *ol;

	for (unsigned i = 0; i < si->si_all->ss_n; i++) {
		struct fd_twin_msg *tw =
		    i != si->si_index ? fd_twin_msg(fs, clientfd, backlog != 0) : NULL;

		if (tw == NULL)
			continue;
		tw->tw_backlog = backlog;
		TAILQ_FOREACH(ol, opts, ol_list)
			(void)fd_optlog_add(&tw->tw_opts, ol->ol_level, ol->ol_name, ol->ol_value,
			    ol->ol_len);
		sister_post(si, i, &tw->tw_msg);
	}
}

void
fd_sister_option(struct fdsock *fs, int clientfd, int level, int name, const void *val, size_t len)
{
	struct fd_optlog_list one;

	if (fs->fs_up || fs->fs_kind == FD_DGRAM ||
	    (fs->fs_server->fd_sister == NULL && fs->fs_kind == FD_LISTENER))
		return;
	TAILQ_INIT(&one);
	if (fs->fs_kind == FD_LISTENER && fd_optlog_add(&one, level, name, val, len)) {
		fd_twins_post(fs, clientfd, &one, 0);
		fd_optlog_free(&one);
	}
	(void)fd_optlog_add(&fs->fs_optlog, level, name, val, len);
}

/* Is it kept by the protocol? Of the socket's own level, what concerns interfaces and segments is. */
static bool
fd_optlog_isprotocol(const struct fd_optlog *ol)
{
	return ol->ol_level != SOL_SOCKET || ol->ol_name == SO_BINDTODEVICE ||
	    ol->ol_name == SO_BINDTOIFINDEX || ol->ol_name == SO_MAX_PACING_RATE;
}

void
fd_sister_recall(struct fdsock *fs, int clientfd)
{
	const struct fd_optlog *ol;

	TAILQ_FOREACH(ol, &fs->fs_optlog, ol_list) {
		if (fd_optlog_isprotocol(ol))
			(void)fd_sockopt_set(fs, clientfd, ol->ol_level, ol->ol_name, ol->ol_value,
			    ol->ol_len);
	}
}

void
fd_sister_listen(struct fdsock *fs, int clientfd)
{
	if (fs->fs_server->fd_sister == NULL)
		return;
	fd_sock_getname(fs);
	fd_twins_post(fs, clientfd, &fs->fs_optlog, fs->fs_backlog);
}
