/* SPDX-License-Identifier: BSD-2-Clause */
/* Many worlds, in several processes. */
#ifndef SIM_CAMPAIGN_H
#define SIM_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>

struct campaign {
	uint64_t ca_seed; /* of the first world */
	uint64_t ca_worlds;
	unsigned ca_jobs;
	bool ca_json;
	bool ca_quiet;         /* no progress line */
	bool ca_nomem;         /* small worlds, each with every allocation failing in turn */
	uint32_t ca_sample;    /* of nomem's allocations: every so many-th */
	const char *ca_folder; /* for captures of worlds that failed */
};

/* => an exit status: 0: no world failed; 1; 130: interrupted */
int campaign_run(const struct campaign *ca);

#endif /* SIM_CAMPAIGN_H */
