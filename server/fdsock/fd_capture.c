/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures for clients (server/capture.h). Whoever asks gets one end of a stream pair; the other is
 * in this loop, edge-triggered. The other sisters join and leave by message.
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/sister.h"

_Static_assert((int)FDSOCK_CAPTURE_IN == RUMPUS_BPF_IN, "directions");
_Static_assert((int)FDSOCK_CAPTURE_OUT == RUMPUS_BPF_OUT, "directions");

struct fd_capture {
	TAILQ_ENTRY(fd_capture) fa_list;
	struct fd_server *fa_server;
	struct capture *fa_capture;
	struct loop_source fa_src; /* its stream */
	bool fa_left;
};

/* --- the sisters' part ---------------------------------------------------------------------- */

struct fd_capture_msg {
	struct inbox_msg cm_msg; /* first */
	struct capture *cm_capture;
	bool cm_join;
};

static void
fd_capture_drop(struct inbox_msg *im)
{
	struct fd_capture_msg *cm = (struct fd_capture_msg *)im;

	if (cm->cm_join)
		capture_absent(cm->cm_capture);
	capture_release(cm->cm_capture);
	free(cm);
}

static void
fd_capture_run(struct inbox_msg *im, void *owner)
{
	struct fd_capture_msg *cm = (struct fd_capture_msg *)im;
	struct fd_server *fd = ((struct sister *)owner)->si_control;

	if (fd == NULL) {
		fd_capture_drop(im);
		return;
	}
	if (cm->cm_join) /* one that cannot is counted as absent */
		(void)capture_join(cm->cm_capture, fd->fd_loop, &fd->fd_captures.fas_parts);
	else
		capture_part(&fd->fd_captures.fas_parts, cm->cm_capture);
	capture_release(cm->cm_capture);
	free(cm);
}

static void
fd_capture_post(struct fd_server *fd, struct capture *cp, bool join)
{
	struct sister *si = fd->fd_sister;

	for (unsigned i = 0; si != NULL && i < si->si_all->ss_n; i++) {
		struct fd_capture_msg *cm = i != si->si_index ? malloc(sizeof(*cm)) : NULL;

		if (cm == NULL) {
			if (join && i != si->si_index)
				capture_absent(cp);
			continue;
		}
		cm->cm_msg =
		    (struct inbox_msg){.im_run = fd_capture_run, .im_drop = fd_capture_drop};
		cm->cm_capture = cp;
		cm->cm_join = join;
		capture_hold(cp);
		sister_post(si, i, &cm->cm_msg);
	}
}

/* --- its end -------------------------------------------------------------------------------- */

/* Nothing more is captured; what has been, and the counts, still go out. */
static void
fd_capture_leave(struct fd_capture *fa)
{
	if (fa->fa_left)
		return;
	fa->fa_left = true;
	capture_part(&fa->fa_server->fd_captures.fas_parts, fa->fa_capture);
	fd_capture_post(fa->fa_server, fa->fa_capture, false);
}

static void
fd_capture_close(struct fd_capture *fa)
{
	struct fd_server *fd = fa->fa_server;

	fd_capture_leave(fa);
	loop_del(fd->fd_loop, &fa->fa_src);
	capture_release(fa->fa_capture);
	TAILQ_REMOVE(&fd->fd_captures.fas_asked, fa, fa_list);
	fd->fd_ncaptures--;
	free(fa);
}

void
fd_capture_closeall(struct fd_server *fd)
{
	struct fd_capture *fa;

	while ((fa = TAILQ_FIRST(&fd->fd_captures.fas_asked)) != NULL)
		fd_capture_close(fa);
	capture_part(&fd->fd_captures.fas_parts, NULL);
}

static void
fd_capture_ready(struct loop_source *ls, uint32_t events)
{
	struct fd_capture *fa = ls->ls_arg;

	if ((events & EPOLLRDHUP) != 0)
		fd_capture_leave(fa);
	if ((events & (EPOLLHUP | EPOLLERR)) != 0 || !capture_flush(fa->fa_capture))
		fd_capture_close(fa);
}

/* --- its beginning -------------------------------------------------------------------------- */

/* Takes cp, whose stream is sock. => host errno */
static int
fd_capture_open(struct fd_server *fd, struct capture *cp, int sock)
{
	struct fd_capture *fa = calloc(1, sizeof(*fa));
	int error = fd_errno(capture_join(cp, fd->fd_loop, &fd->fd_captures.fas_parts));

	if (error == 0 && fa == NULL)
		error = ENOMEM;
	if (error == 0) {
		fa->fa_server = fd;
		fa->fa_capture = cp;
		fa->fa_src =
		    (struct loop_source){.ls_fd = sock, .ls_ready = fd_capture_ready, .ls_arg = fa};
		if (loop_add(fd->fd_loop, &fa->fa_src, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) !=
		    0)
			error = errno;
	}
	if (error != 0) {
		capture_part(&fd->fd_captures.fas_parts, cp);
		capture_release(cp);
		free(fa);
		return error;
	}
	TAILQ_INSERT_TAIL(&fd->fd_captures.fas_asked, fa, fa_list);
	fd->fd_ncaptures++;
	fd_capture_post(fd, cp, true);
	return 0;
}

/* What is asked for, as it came. => false: it makes no sense */
static bool
fd_capture_config(const struct fd_call *ca, struct fdsock_capture *fc)
{
	size_t len = ca->ca_req->fq_datalen;

	if (len < sizeof(*fc))
		return false;
	memcpy(fc, ca->ca_data, sizeof(*fc));
	return memchr(fc->cp_name, '\0', sizeof(fc->cp_name)) != NULL &&
	    fc->cp_ninsns <= RUMPUS_BPF_MAXINSNS &&
	    len == sizeof(*fc) + fc->cp_ninsns * sizeof(struct rumpus_bpf_insn);
}

int
fd_op_capture(struct fd_call *ca)
{
	struct fd_server *fd = ca->ca_server;
	struct rumpus_bpf_insn filter[RUMPUS_BPF_MAXINSNS];
	struct fdsock_capture fc;
	struct capture_config cc = {.cc_filter = filter};
	struct capture *cp;
	int pair[2], error;

	if (!fd_call_privileged(ca))
		return EPERM;
	if (!fd_capture_config(ca, &fc))
		return EINVAL;
	if (fd->fd_ncaptures >= fd->fd_maxcaptures)
		return ENOBUFS;
	memcpy(filter, ca->ca_data + sizeof(fc), fc.cp_ninsns * sizeof(filter[0]));
	cc.cc_ninsns = fc.cp_ninsns;
	cc.cc_ifname = fc.cp_name[0] != '\0' ? fc.cp_name : NULL;
	cc.cc_snaplen = fc.cp_snaplen != 0 ? fc.cp_snaplen : CAPTURE_SNAPLEN;
	cc.cc_direction = (enum rumpus_bpf_direction)fc.cp_direction;
	cc.cc_members = fd->fd_sister != NULL ? fd->fd_sister->si_all->ss_n : 1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return errno;
	cp = capture_stream(pair[0], &cc);
	error = cp != NULL ? fd_capture_open(fd, cp, pair[0]) : ENOMEM;
	if (error != 0) {
		(void)close(pair[1]);
		return error;
	}
	ca->ca_outfd = pair[1];
	ca->ca_reply->fp_flags |= FDSOCK_R_FD;
	return 0;
}
