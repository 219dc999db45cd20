/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream of pcapng blocks, as a server sends it, block by block. */
#ifndef CLI_DUMP_H
#define CLI_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DUMP_IFS 64u

struct dump_packet {
	const char *dp_ifname;
	uint32_t dp_direction; /* 1: in, 2: out */
	uint64_t dp_when_ns;
	uint32_t dp_len;
	uint32_t dp_caplen;
	const uint8_t *dp_bytes;
};

struct dump_stream {
	char ds_ifnames[DUMP_IFS][17];
	unsigned ds_nifs;
	bool ds_counted; /* the server has told its counts, at the end */
	uint64_t ds_recv;
	uint64_t ds_drop;
};

/* => the length of the block that begins here; 0: it is not yet all there; -1: it is none */
long dump_block_length(const uint8_t *block, size_t have);
/* Takes note of a whole block. => true: it is a packet, *dp */
bool dump_block(struct dump_stream *ds, const uint8_t *block, size_t len, struct dump_packet *dp);
/* A line about a packet, with its newline; ether: with the stations' addresses. */
void dump_line(const struct dump_packet *dp, bool ether);

#endif /* CLI_DUMP_H */
