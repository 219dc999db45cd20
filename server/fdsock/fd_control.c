/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control connections: records in, one reply each, by the descriptor that came along.
 *
 * The peer is hostile. A record that makes no sense is answered with EINVAL when there is where
 * to answer, and ends the connection otherwise. What is attached may be anything: it is looked at
 * only as a socket, and closed so that closing cannot wait.
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fd_ctl {
	TAILQ_ENTRY(fd_ctl) ct_list;
	struct fd_server *ct_server;
	struct fd_client *ct_client;
	struct loop_source ct_src;
	uid_t ct_uid; /* who connected */
};

static void
fd_ctl_close(struct fd_ctl *ct)
{
	struct fd_server *fd = ct->ct_server;

	loop_del(fd->fd_loop, &ct->ct_src);
	(void)close(ct->ct_src.ls_fd);
	TAILQ_REMOVE(&fd->fd_ctls, ct, ct_list);
	fd->fd_nctls--;
	ct->ct_client->fc_nctls--;
	fd_client_put(ct->ct_client);
	free(ct);
}

/* The last close of a socket of the host could wait for its SO_LINGER. */
static void
fd_close_attached(int sock)
{
	const struct linger none = {0};

	(void)setsockopt(sock, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	(void)close(sock);
}

static void
fd_record_control(struct fd_record *re, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);
		struct ucred cred;

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && len >= sizeof(cred)) {
			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			re->re_pid = cred.pid;
			re->re_uid = cred.uid;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			unsigned n = (unsigned)KERN_MIN(len / sizeof(int),
			    (size_t)(FD_ATTACHED_MAX - re->re_nfds));

			memcpy(&re->re_fds[re->re_nfds], CMSG_DATA(c), n * sizeof(int));
			re->re_nfds += n;
		}
	}
}

/* => 1: a record; 0: none now; -1: the connection has ended */
static int
fd_record_read(struct fd_ctl *ct, struct fd_record *re)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(FD_ATTACHED_MAX * sizeof(int)) +
		    CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = {re->re.bytes, sizeof(re->re.bytes)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(ct->ct_src.ls_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	re->re_nfds = 0;
	re->re_pid = 0;
	re->re_uid = ct->ct_uid;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	fd_record_control(re, &msg);
	re->re_len = (msg.msg_flags & MSG_TRUNC) != 0 ? 0 : (size_t)n;
	return n > 0 || re->re_nfds > 0 ? 1 : -1;
}

static bool
fd_record_sane(const struct fd_record *re)
{
	return re->re_len >= sizeof(re->re.hdr) && re->re.hdr.fq_magic == FDSOCK_MAGIC &&
	    re->re.hdr.fq_datalen == re->re_len - sizeof(re->re.hdr) && re->re_nfds <= 2;
}

bool
fd_reply_send(struct fd_server *fd, int to, struct fdsock_reply *rep, const uint8_t *out, int outfd)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov[2] = {{rep, sizeof(*rep)}, {(void *)(uintptr_t)out, rep->fp_datalen}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	struct cmsghdr *cmsg;

	if (outfd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &outfd, sizeof(int));
	}
	if (sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	fd->fd_stat.fds_replieslost++;
	(void)shutdown(to, SHUT_RDWR);
	return false;
}

void
fd_reply_none(int to)
{
	(void)shutdown(to, SHUT_RDWR);
	(void)close(to);
}

/* A reply goes to unix sockets only: nothing else is sure to take it without waiting. */
static bool
fd_reply_possible(const struct fd_record *re)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return re->re_nfds > 0 &&
	    getsockopt(re->re_fds[0], SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	    domain == AF_UNIX;
}

/* => false: another sister has it now */
static bool
fd_record_answer(struct fd_server *fd, struct fd_record *re, unsigned origin, unsigned hops)
{
	static const struct fdsock_reply fresh = {.fp_magic = FDSOCK_MAGIC};
	uint8_t out[FDSOCK_REPLY_MAX - sizeof(struct fdsock_reply)];
	struct fdsock_reply reply = fresh;
	struct fd_client *client = fd_client_get(fd, re->re_pid);
	struct fd_call ca = {.ca_server = fd,
	    .ca_client = client,
	    .ca_req = &re->re.hdr,
	    .ca_data = re->re.bytes + sizeof(re->re.hdr),
	    .ca_uid = re->re_uid,
	    .ca_fd = re->re_nfds > 1 ? re->re_fds[1] : -1,
	    .ca_reply = &reply,
	    .ca_out = out,
	    .ca_outfd = -1,
	    .ca_sister = -1};
	bool passed = false;

	if (!fd_record_sane(re)) {
		fd->fd_stat.fds_malformed++;
		reply.fp_error = EINVAL;
	} else if (client == NULL) {
		reply.fp_error = ENOMEM;
	} else {
		reply.fp_id = re->re.hdr.fq_id;
		fd_call_run(&ca);
		passed = (ca.ca_unknown && fd_sister_forward(fd, re, origin, hops)) ||
		    (ca.ca_sister >= 0 && fd_sister_pass(fd, re, (unsigned)ca.ca_sister));
	}
	if (ca.ca_waits != NULL) {
		ca.ca_waits->fs_waiter = re->re_fds[0];
		ca.ca_waits->fs_waiterid = re->re.hdr.fq_id;
		re->re_fds[0] = -1;
	} else if (!passed) {
		(void)fd_reply_send(fd, re->re_fds[0], &reply, out, ca.ca_outfd);
	}
	if (ca.ca_outfd >= 0)
		(void)close(ca.ca_outfd);
	if (client != NULL)
		fd_client_put(client);
	return !passed;
}

bool
fd_record_run(struct fd_server *fd, struct fd_record *re, unsigned origin, unsigned hops)
{
	bool possible = fd_reply_possible(re);

	if (!possible)
		fd->fd_stat.fds_malformed++;
	else if (!fd_record_answer(fd, re, origin, hops))
		return true;
	for (unsigned i = 0; i < re->re_nfds; i++) {
		if (i == 0 && possible && re->re_fds[0] >= 0)
			(void)close(re->re_fds[0]);
		else if (re->re_fds[i] >= 0)
			fd_close_attached(re->re_fds[i]);
	}
	return possible;
}

/* => false: the connection is to be closed */
static bool
fd_ctl_record(struct fd_ctl *ct, struct fd_record *re)
{
	ct->ct_server->fd_stat.fds_requests++;
	/* A connection may be shared by processes: each is charged for its own. */
	if (re->re_pid == 0)
		re->re_pid = ct->ct_client->fc_pid;
	return fd_record_run(ct->ct_server, re, 0, 0);
}

static void
fd_ctl_ready(struct loop_source *ls, uint32_t events)
{
	struct fd_ctl *ct = ls->ls_arg;
	struct fd_record re;
	int got = fd_record_read(ct, &re);

	(void)events;
	if (got < 0 || (got > 0 && !fd_ctl_record(ct, &re)))
		fd_ctl_close(ct);
}

void
fd_ctl_accept(struct fd_server *fd, int sock)
{
	struct fd_client *client = NULL;
	struct fd_ctl *ct = NULL;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
		client = fd_client_get(fd, cred.pid);
	if (client != NULL && fd->fd_nctls < fd->fd_maxctls &&
	    client->fc_nctls < fd->fd_maxctlsperclient)
		ct = calloc(1, sizeof(*ct));
	if (ct == NULL) {
		fd->fd_stat.fds_refused++;
		if (client != NULL)
			fd_client_put(client);
		(void)close(sock);
		return;
	}
	ct->ct_server = fd;
	ct->ct_client = client;
	ct->ct_uid = cred.uid;
	ct->ct_src = (struct loop_source){.ls_fd = sock, .ls_ready = fd_ctl_ready, .ls_arg = ct};
	client->fc_nctls++;
	fd->fd_nctls++;
	TAILQ_INSERT_TAIL(&fd->fd_ctls, ct, ct_list);
	if (loop_add(fd->fd_loop, &ct->ct_src, EPOLLIN) != 0)
		fd_ctl_close(ct);
}

void
fd_ctl_closeall(struct fd_server *fd)
{
	struct fd_ctl *ct;

	while ((ct = TAILQ_FIRST(&fd->fd_ctls)) != NULL)
		fd_ctl_close(ct);
}
