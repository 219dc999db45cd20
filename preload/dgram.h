/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of datagrams share. */
#ifndef PRELOAD_DGRAM_H
#define PRELOAD_DGRAM_H

#include "preload.h"

/*
 * dgram_recv, of a call that has received already, so that it cannot tell an error: EAGAIN, and
 * *untold if its record was taken. NULL: it is told.
 */
ssize_t dgram_recv_next(int fd, uint64_t tag, struct msghdr *msg, int flags, bool *untold);
/* Takes a record's header apart into msg; flags are those that it was received with (MSG_TRUNC). */
void dgram_store(uint64_t tag, const struct fdsock_dgram *dg, int flags, struct msghdr *msg);

/* Does msg go by the pair, with this header? => false: dgram_send knows how it goes, or why not */
bool dgram_is_record(int fd, uint64_t tag, const struct msghdr *msg, int flags,
    struct fdsock_dgram *dg);
/* => The errno for a record that could not be written with that of the pair. */
int dgram_send_failed(int fd, int error);

#endif /* PRELOAD_DGRAM_H */
