/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small writes by memory shared with the client (rumpus/fdsock_area.h). fs has an area, but for _open
 * and _close.
 */
#ifndef SERVER_FDSOCK_SHARE_H
#define SERVER_FDSOCK_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fd_area;
struct fdsock;
struct kvec;

/* The area of fs, made when first asked for. => host errno; *outfd is the caller's */
int fd_share_open(struct fdsock *fs, int clientfd, int *outfd);
/* With fs: what was not taken out of it is lost. */
void fd_share_close(struct fdsock *fs);
/* Nothing more is to come by it, for good. */
void fd_share_stop(struct fdsock *fs);
/* A small write was the last that came, others follow, and the wire is busy: is it too early to read? */
bool fd_share_early(const struct fdsock *fs);
/*
 * Around a read from the pair: nothing is appended any more to what has its marker there. => false:
 * not now, as a writer is at it
 */
bool fd_share_begin(struct fdsock *fs);
/* last: the byte that came last, if with a descriptor, else -1. => it is a marker, and no data */
bool fd_share_end(const struct fdsock *fs, int last);
/* Is there a slot to be read? */
bool fd_share_ready(const struct fdsock *fs);
/* Takes out of it what the room holds. => bytes */
size_t fd_share_read(const struct fdsock *fs, const struct kvec *kv, unsigned nkv);
/* Bytes in slots, less those of their markers that wait in the pair. */
uint32_t fd_share_waiting(const struct fdsock *fs);

#endif /* SERVER_FDSOCK_SHARE_H */
