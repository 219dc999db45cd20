/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a frame on a bad link. See fault.h. */
#include "dev/fault/fault.h"

#include "kern/cdefs.h"

#define REORDER_NS NSEC_PER_MSEC

static const char *const fault_names[] = {
    [FAULT_NONE] = "frames",
    [FAULT_LOST] = "lost",
    [FAULT_BURST] = "lost in bursts",
    [FAULT_QUEUE] = "lost in a full queue",
    [FAULT_OVERSIZE] = "too long",
    [FAULT_CUT] = "lost on a cut wire",
    [FAULT_DUPLICATED] = "duplicated",
    [FAULT_CORRUPTED] = "corrupted",
    [FAULT_REORDERED] = "reordered",
};
_Static_assert(nitems(fault_names) == FAULT_COUNT, "a name for each kind");

const char *
fault_name(enum fault_kind kind)
{
	KASSERT(kind < FAULT_COUNT);
	return fault_names[kind];
}

void
fault_init(struct fault *f, const struct fault_config *fc, const uint8_t seed[32])
{
	*f = (struct fault){.f_config = *fc};
	rng_init(&f->f_rng, seed);
}

/* => no dice are rolled for what cannot be, so that a setting of 0 leaves the others' alone */
static bool
fault_happens(struct fault *f, uint32_t chance_ppm)
{
	return chance_ppm != 0 && rng_below(&f->f_rng, FAULT_PPM) < chance_ppm;
}

static bool
fault_burst(struct fault *f)
{
	const struct fault_config *fc = &f->f_config;

	if (f->f_inburst && fault_happens(f, fc->fc_burst_end_ppm))
		f->f_inburst = false;
	else if (!f->f_inburst && fault_happens(f, fc->fc_burst_ppm))
		f->f_inburst = true;
	if (fc->fc_burst_ppm == 0)
		f->f_inburst = false;
	return f->f_inburst;
}

/* Would a frame have to wait behind more than the queue holds? */
static bool
fault_queuefull(const struct fault *f, uint64_t now_ns)
{
	const struct fault_config *fc = &f->f_config;
	uint64_t limit = fc->fc_queue_bytes != 0 ? fc->fc_queue_bytes : FAULT_QUEUE_BYTES;
	uint64_t wait_ns = f->f_wirefree_ns > now_ns ? f->f_wirefree_ns - now_ns : 0;

	return fc->fc_rate_bps != 0 && wait_ns > limit * 8 * NSEC_PER_SEC / fc->fc_rate_bps;
}

static enum fault_kind
fault_loses(struct fault *f, uint64_t now_ns, uint32_t len)
{
	const struct fault_config *fc = &f->f_config;

	if (fc->fc_cut)
		return FAULT_CUT;
	if (fc->fc_oversize != 0 && len > fc->fc_oversize)
		return FAULT_OVERSIZE;
	if (fault_burst(f))
		return FAULT_BURST;
	if (fault_happens(f, fc->fc_loss_ppm))
		return FAULT_LOST;
	return fault_queuefull(f, now_ns) ? FAULT_QUEUE : FAULT_NONE;
}

/* When the frame is wholly at the other end; occupies the wire until it has left. */
static uint64_t
fault_due(struct fault *f, uint64_t now_ns, uint32_t len)
{
	const struct fault_config *fc = &f->f_config;
	uint64_t due_ns;

	f->f_wirefree_ns = KERN_MAX(f->f_wirefree_ns, now_ns);
	if (fc->fc_rate_bps != 0)
		f->f_wirefree_ns += (uint64_t)len * 8 * NSEC_PER_SEC / fc->fc_rate_bps;
	due_ns = f->f_wirefree_ns + fc->fc_delay_ns;
	if (fc->fc_jitter_ns != 0)
		due_ns += rng_u64(&f->f_rng) % (fc->fc_jitter_ns + 1);
	if (fault_happens(f, fc->fc_reorder_ppm)) {
		f->f_counts[FAULT_REORDERED]++;
		return due_ns + (fc->fc_reorder_ns != 0 ? fc->fc_reorder_ns : REORDER_NS);
	}
	f->f_lastdue_ns = KERN_MAX(f->f_lastdue_ns, due_ns);
	return f->f_lastdue_ns;
}

void
fault_frame(struct fault *f, uint64_t now_ns, uint32_t len, struct fault_fate *ff)
{
	KASSERT(len > 0);
	*ff = (struct fault_fate){.ff_why = fault_loses(f, now_ns, len)};
	f->f_counts[FAULT_NONE]++;
	if (ff->ff_why != FAULT_NONE) {
		f->f_counts[ff->ff_why]++;
		return;
	}
	ff->ff_due_ns[ff->ff_ncopies++] = fault_due(f, now_ns, len);
	if (fault_happens(f, f->f_config.fc_corrupt_ppm)) {
		ff->ff_corrupt = true;
		ff->ff_badbit = rng_below(&f->f_rng, len * 8);
		f->f_counts[FAULT_CORRUPTED]++;
	}
	if (fault_happens(f, f->f_config.fc_duplicate_ppm)) {
		ff->ff_due_ns[ff->ff_ncopies++] = fault_due(f, now_ns, len);
		f->f_counts[FAULT_DUPLICATED]++;
	}
}
