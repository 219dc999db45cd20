/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures for clients: see fd_capture.c. */
#ifndef SERVER_FDSOCK_CAPTURE_H
#define SERVER_FDSOCK_CAPTURE_H

#include <stdbool.h>

#include "kern/queue.h"
#include "server/capture.h"

struct fd_call;
struct fd_server;

TAILQ_HEAD(fd_capture_list, fd_capture);

struct fd_captures {
	struct fd_capture_list fas_asked; /* those asked for here */
	struct capture_list fas_parts;    /* those that this stack has a part in */
};

/* Are raw sockets and captures for who asks? (fd_ops.c) */
bool fd_call_privileged(const struct fd_call *ca);
int fd_op_capture(struct fd_call *ca);
/* Ends them all, and this stack's part in others'. */
void fd_capture_closeall(struct fd_server *fd);

#endif /* SERVER_FDSOCK_CAPTURE_H */
