/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames to a pcapng file. */
#include "sim/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/linux/pcapng.h"
#include "sim/event.h"

#define SNAPLEN 65549 /* of the longest frame */
#define ETHERNET 1    /* the link type */

struct capture {
	FILE *cp_file;
	uint8_t cp_block[SNAPLEN + PCAPNG_HEAD_MAX];
};

struct capture *
capture_open(const char *path)
{
	struct capture *cp = sim_alloc(sizeof(*cp));

	cp->cp_file = fopen(path, "wbe");
	if (cp->cp_file == NULL) {
		free(cp);
		return NULL;
	}
	(void)fwrite(cp->cp_block, 1, pcapng_section(cp->cp_block, "rumpus sim"), cp->cp_file);
	(void)fwrite(cp->cp_block, 1, pcapng_interface(cp->cp_block, "wires", ETHERNET, SNAPLEN),
	    cp->cp_file);
	return cp;
}

void
capture_frame(struct capture *cp, uint64_t now_ns, const uint8_t *frame, size_t len)
{
	const struct pcapng_packet pp = {.pp_when_ns = now_ns,
	    .pp_len = (uint32_t)len,
	    .pp_caplen = (uint32_t)(len < SNAPLEN ? len : SNAPLEN)};

	memcpy(pcapng_packet(cp->cp_block, &pp), frame, pp.pp_caplen);
	(void)fwrite(cp->cp_block, 1, pcapng_packet_size(pp.pp_caplen), cp->cp_file);
}

void
capture_flush(struct capture *cp)
{
	(void)fflush(cp->cp_file);
}

void
capture_close(struct capture *cp)
{
	(void)fclose(cp->cp_file);
	free(cp);
}
