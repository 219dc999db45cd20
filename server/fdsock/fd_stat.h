/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fdsock door counts: the sysctls fdsock.stats.*. */
#ifndef SERVER_FDSOCK_STAT_H
#define SERVER_FDSOCK_STAT_H

#include <stdint.h>

struct fd_stat {
	uint64_t fds_requests;
	uint64_t fds_malformed;    /* records that made no sense */
	uint64_t fds_refused;      /* connections and sockets beyond a limit */
	uint64_t fds_replieslost;  /* replies that nobody took */
	uint64_t fds_bytes_in;     /* from clients */
	uint64_t fds_bytes_shared; /* of these, by shared memory */
	uint64_t fds_bytes_out;    /* to clients */
	uint64_t fds_dgrams_in;
	uint64_t fds_dgrams_out;
	uint64_t fds_dgrams_bad; /* records of clients without a whole header */
	uint64_t fds_accepted;   /* connections handed to listeners */
	uint64_t fds_unaccepted; /* reset because nobody took them */
	uint64_t fds_nomem;      /* times that memory for a read was short */
	uint64_t fds_stray;      /* bytes written to a socket that was not connected */
};

#endif /* SERVER_FDSOCK_STAT_H */
