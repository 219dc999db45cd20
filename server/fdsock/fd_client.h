/* SPDX-License-Identifier: BSD-2-Clause */
/* Accounts of processes, and what is remembered of sockets that failed (tombs). */
#ifndef SERVER_FDSOCK_CLIENT_H
#define SERVER_FDSOCK_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kern/queue.h"
#include "server/fdsock/fd_translate.h"

struct fd_server;
struct fdsock;

/* Who sockets and control connections are charged to: a process. */
struct fd_client {
	LIST_ENTRY(fd_client) fc_hash;
	struct fd_server *fc_server;
	pid_t fc_pid;
	uint32_t fc_nsocks;
	uint32_t fc_nctls;
	uint64_t fc_bytes; /* in the buffers of its sockets */
};

/* What is left of a socket that failed. */
struct fd_tomb {
	LIST_ENTRY(fd_tomb) ft_hash;
	uint64_t ft_cookie; /* 0: free */
	int ft_error;       /* BSD errno, taken once */
	int ft_type;
	int ft_domain;
	int ft_protocol;
	bool ft_up;    /* it had been connected */
	bool ft_bound; /* by request, to ft_local */
	union fd_addr ft_local;
};
LIST_HEAD(fd_tomb_hash, fd_tomb);
LIST_HEAD(fd_client_hash, fd_client);

/* => NULL: no memory. The caller takes a reference by counting up; fd_client_put frees at zero. */
struct fd_client *fd_client_get(struct fd_server *fd, pid_t pid);
void fd_client_put(struct fd_client *fc);
/* Charges what is in the buffers of fs now. */
void fd_client_charge(struct fdsock *fs);
/* => true: nothing more is to be taken from the client, but what keeps fs going. */
bool fd_client_full(const struct fdsock *fs);
void fd_tomb_add(struct fdsock *fs, int error);
struct fd_tomb *fd_tomb_find(struct fd_server *fd, uint64_t cookie);

#endif /* SERVER_FDSOCK_CLIENT_H */
