/* SPDX-License-Identifier: BSD-2-Clause */
/* The door of a server of several stacks (server/sister.h): what concerns another's sockets. */
#ifndef SERVER_FDSOCK_SISTER_H
#define SERVER_FDSOCK_SISTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/queue.h"

struct fd_record;
struct fd_server;
struct fdsock;

/* An option as it was set: for a listener's twins, and to connect again. */
struct fd_optlog {
	TAILQ_ENTRY(fd_optlog) ol_list;
	int ol_level; /* the host's numbers */
	int ol_name;
	size_t ol_len;
	uint8_t ol_value[];
};
TAILQ_HEAD(fd_optlog_list, fd_optlog);

/*
 * Passes a request on whose descriptor nobody of `hops` sisters knew since origin had it first.
 * => true: done, and what was attached is hers; false: all have been asked
 */
bool fd_sister_forward(struct fd_server *fd, struct fd_record *re, unsigned origin, unsigned hops);
/* Passes a request on that is for this sister. => false: no memory */
bool fd_sister_pass(struct fd_server *fd, struct fd_record *re, unsigned to);
/* Remembers an option that was set before there was a connection; a listener's twins are told. */
void fd_sister_option(struct fdsock *fs, int clientfd, int level, int name, const void *val,
    size_t len);
/* Makes a listener's twins, or tells them of its backlog. */
void fd_sister_listen(struct fdsock *fs, int clientfd);
void fd_sister_forget(struct fdsock *fs);
/* Sets again what has gone with the protocol's part of a socket. */
void fd_sister_recall(struct fdsock *fs, int clientfd);

#endif /* SERVER_FDSOCK_SISTER_H */
