/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a stream: a function of seed, connection, direction and offset, and nothing else. */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct stream_id {
	uint64_t si_seed;
	uint32_t si_conn;
	uint32_t si_from; /* 0: client, 1: server; a datagram's number and direction */
};

void stream_fill(const struct stream_id *si, uint64_t offset, void *buf, size_t len);
/* => how many bytes are right, from the first: len when all are */
size_t stream_verify(const struct stream_id *si, uint64_t offset, const void *buf, size_t len);

#endif /* SIM_STREAM_H */
