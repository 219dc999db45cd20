/* SPDX-License-Identifier: BSD-2-Clause */
/* See control.h. */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "rumpus/default.sock"
#define SERVER_PATIENCE_S 5

void
control_place(const char *where, char *path, size_t len)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (where == NULL || where[0] == '\0')
		where = getenv("RUMPUS_SERVER");
	if (where != NULL && where[0] != '\0') {
		(void)snprintf(path, len, "%s", where);
		return;
	}
	if (dir != NULL && dir[0] != '\0') {
		(void)snprintf(path, len, "%s/" SOCKET_NAME, dir);
		if (access(path, F_OK) == 0)
			return;
	}
	(void)snprintf(path, len, "/run/" SOCKET_NAME);
}

int
control_connect(const char *path, int *sock)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int error = 0;

	if (strlen(path) >= sizeof(sun.sun_path))
		return ENAMETOOLONG;
	strcpy(sun.sun_path, path);
	*sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (*sock < 0)
		return errno;
	if (connect(*sock, (const struct sockaddr *)&sun, sizeof(sun)) != 0) {
		error = errno;
		(void)close(*sock);
	}
	return error;
}

/* => 0 or errno */
static int
request_send(int sock, int reply_end, struct fdsock_request *req, const void *data)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov[] = {{req, sizeof(*req)}, {(void *)(uintptr_t)data, req->fq_datalen}};
	struct msghdr msg = {.msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &reply_end, sizeof(int));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* => 0 or errno */
static int
answer_read(int end, struct control_answer *ca)
{
	const struct timeval patience = {.tv_sec = SERVER_PATIENCE_S};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov[] = {{&ca->ca_reply, sizeof(ca->ca_reply)},
	    {ca->ca_data, sizeof(ca->ca_data)}};
	struct msghdr msg = {.msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	const struct cmsghdr *cmsg;
	ssize_t n;

	(void)setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recvmsg(end, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN ? ETIMEDOUT : errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg != NULL && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&ca->ca_fd, CMSG_DATA(cmsg), sizeof(int));
	if (n < (ssize_t)sizeof(ca->ca_reply) || ca->ca_reply.fp_magic != FDSOCK_MAGIC ||
	    (size_t)n != sizeof(ca->ca_reply) + ca->ca_reply.fp_datalen)
		return EPROTO;
	return ca->ca_reply.fp_error;
}

int
control_ask(int sock, uint32_t op, int32_t arg, const void *data, size_t len,
    struct control_answer *ca)
{
	struct fdsock_request req = {.fq_magic = FDSOCK_MAGIC,
	    .fq_op = op,
	    .fq_datalen = (uint32_t)len,
	    .fq_arg = {arg}};
	int end[2], error;

	ca->ca_reply = (struct fdsock_reply){0};
	ca->ca_fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, end) != 0)
		return errno;
	error = request_send(sock, end[1], &req, data);
	(void)close(end[1]);
	if (error == 0)
		error = answer_read(end[0], ca);
	(void)close(end[0]);
	return error;
}
