/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Impairments of one direction of a link: for each frame, when it arrives, how often, and whole or not.
 *
 * Theory of operation: this decides and keeps no frames. The owner asks once for each frame, in the
 * order of sending, and delivers the copies at the times it is told: a simulator on virtual time,
 * if_fault.c on the clock of a stack, a program between two taps on the host's. Chance comes from a
 * seed, so that the same frames at the same times meet the same fate.
 *
 *   frame -> lost? -> queue full? -> waits for the wire (rate) -> travels (delay, jitter) -> arrives
 *                                                                 held back (reorder),
 *                                                                 twice (duplicate), a bit wrong (corrupt)
 */
#ifndef DEV_FAULT_FAULT_H
#define DEV_FAULT_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/rng.h"

#define FAULT_PPM 1000000u /* certainty */

/* Zero is a perfect wire. Chances are in millionths. */
struct fault_config {
	uint32_t fc_loss_ppm;
	/* Gilbert's model of bursts: of entering, and of leaving, a state in which all is lost. */
	uint32_t fc_burst_ppm;
	uint32_t fc_burst_end_ppm;
	uint32_t fc_duplicate_ppm;
	uint32_t fc_corrupt_ppm; /* one bit of the frame changes */
	uint32_t fc_reorder_ppm; /* held back so that later ones overtake it */
	uint64_t fc_reorder_ns;  /* for how long; 0: a millisecond */
	uint64_t fc_delay_ns;
	uint64_t fc_jitter_ns;   /* at most so much more; order is kept */
	uint64_t fc_rate_bps;    /* 0: no limit */
	uint64_t fc_queue_bytes; /* that wait for the wire, with a rate; 0: FAULT_QUEUE_BYTES */
	uint32_t fc_oversize;    /* longer frames are lost; 0: none is too long */
	bool fc_cut;             /* nothing arrives */
};

#define FAULT_QUEUE_BYTES (1024u * 1024)

enum fault_kind {
	FAULT_NONE,
	FAULT_LOST,
	FAULT_BURST,
	FAULT_QUEUE,
	FAULT_OVERSIZE,
	FAULT_CUT,
	FAULT_DUPLICATED,
	FAULT_CORRUPTED,
	FAULT_REORDERED,
	FAULT_COUNT
};

struct fault {
	struct fault_config f_config; /* may be changed at any time */
	struct rng f_rng;
	bool f_inburst;
	uint64_t f_wirefree_ns;
	uint64_t f_lastdue_ns;          /* of the last frame that kept its place */
	uint64_t f_counts[FAULT_COUNT]; /* FAULT_NONE: all frames */
};

#define FAULT_COPIES 2u

struct fault_fate {
	unsigned ff_ncopies;              /* 0: lost */
	uint64_t ff_due_ns[FAULT_COPIES]; /* when they arrive */
	uint32_t
	    ff_badbit; /* with ff_corrupt: the bit that is wrong in the first copy, from the frame's start */
	bool ff_corrupt;
	enum fault_kind ff_why; /* with 0 copies */
};

void fault_init(struct fault *f, const struct fault_config *fc, const uint8_t seed[32]);
/* What becomes of a frame of len bytes sent now. => now_ns does not go back; len > 0 */
void fault_frame(struct fault *f, uint64_t now_ns, uint32_t len, struct fault_fate *ff);
const char *fault_name(enum fault_kind kind);

/*
 * One setting as text: loss=1%, burst=0.1%/20% (entering, leaving), dup=, corrupt=, reorder=1% or
 * 1%/5ms, delay=10ms, jitter=500us, rate=100M (bits a second), queue=256k (bytes).
 * => FAULT_TEXT_UNKNOWN: not a name of ours; FAULT_TEXT_BAD: the value makes no sense
 */
enum fault_text { FAULT_TEXT_OK, FAULT_TEXT_UNKNOWN, FAULT_TEXT_BAD };
enum fault_text fault_parse(struct fault_config *fc, const char *key, const char *value);
#define FAULT_TEXT_HELP \
	"loss=1%, burst=0.1%/20%, dup=1%, corrupt=1%, reorder=1%/5ms, delay=10ms, jitter=1ms, rate=100M, queue=256k"

#endif /* DEV_FAULT_FAULT_H */
