/* SPDX-License-Identifier: BSD-2-Clause */
/* What fd_dgram.c offers the other files of the fdsock door. */
#ifndef SERVER_FDSOCK_DGRAM_H
#define SERVER_FDSOCK_DGRAM_H

#include <stddef.h>
#include <stdint.h>

#include <rumpus/fdsock.h>

struct fdsock;

/* Carries out what is to be done, and may free fs. */
void fd_dgram_work(struct fdsock *fs);
/* Sends the records that were written before a request, within bounds: they do not know what it changes. */
void fd_dgram_settle(struct fdsock *fs);
/* Sends one record. => BSD errno */
int fd_dgram_send(struct fdsock *fs, const struct fdsock_dgram *dg, const void *payload,
    size_t len);
/* Takes the pending error, and its record out of the client's end. => BSD errno */
int fd_dgram_takeerror(struct fdsock *fs, int clientfd);
/* The client has taken the record of an error, and could not tell it: it is put again. */
void fd_dgram_untold(struct fdsock *fs);
/* The client's end is to show that errors are queued, if any are. */
void fd_dgram_show(struct fdsock *fs);
/*
 * The next of the queue of errors, as FDSOCK_OP_ERRQUEUE has it, and the error that is pending then.
 * => 0: *lenp bytes in out, which has *lenp bytes room; BSD_EAGAIN: none
 */
int fd_dgram_errqueue(struct fdsock *fs, int clientfd, uint8_t *out, size_t *lenp);

#endif /* SERVER_FDSOCK_DGRAM_H */
