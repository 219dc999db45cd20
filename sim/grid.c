/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The throughput grid: two hosts, one bulk transfer, random loss of data packets, no queue that
 * fills. Time is virtual, so a cell's goodput is a number of the code and of nothing else; it is
 * kept in a file. A change of the code that moves a cell by more than DRIFT fails, and so does a
 * cell that is further than FACTOR_LOW, FACTOR_HIGH from theory:
 *
 *   NewReno  W = sqrt(3/2 / p) segments (Mathis, Semke, Mahdavi, Ott 1997)
 *   CUBIC    W = max(that, 1.054 (RTT / p)^(3/4))     RFC 9438 §5.1, §5.2
 *   either   W <= window, and RATE
 *
 * Theory counts no time-outs, which matter when a window is a few segments, and takes a round trip
 * for the time between a loss and its repair.
 */
#include "sim/grid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world.h"

#define SEED 1
#define MSS 1448.0
#define RATE_BPS 100e6
#define LOSSES 150    /* that a cell's measure should see */
#define PACKETS 30000 /* but no more than this */
#define DRIFT 0.25
#define FACTOR_LOW 0.65
#define FACTOR_HIGH 1.3

#define nitems(array) (sizeof(array) / sizeof((array)[0]))

static const uint32_t windows_kib[] = {32, 256, 2048};
static const uint32_t losses_ppm[] = {300, 1000, 10000, 30000};
static const uint32_t rtts_ms[] = {2, 20, 100};
static const char *const controls[] = {"newreno", "cubic"};

struct cell {
	unsigned ce_control;
	uint32_t ce_window_kib;
	uint32_t ce_loss_ppm;
	uint32_t ce_rtt_ms;
	double ce_theory; /* bytes a second */
	double ce_measured;
};

static double
cell_theory(const struct cell *ce)
{
	double p = ce->ce_loss_ppm / 1e6, rtt = ce->ce_rtt_ms / 1e3, w = sqrt(1.5 / p);
	double cubic = 1.054 * pow(rtt / p, 0.75), rate;

	if (strcmp(controls[ce->ce_control], "cubic") == 0)
		w = fmax(w, cubic);
	rate = fmin(w * MSS, ce->ce_window_kib * 1024.0) / rtt;
	return fmin(rate, RATE_BPS / 8 * MSS / 1514);
}

static void
cell_plan(const struct cell *ce, struct plan *pl)
{
	const struct fault_config way = {.fc_rate_bps = (uint64_t)RATE_BPS,
	    .fc_queue_bytes = 64u << 20,
	    .fc_delay_ns = ce->ce_rtt_ms * SIM_MS / 4};

	*pl = (struct plan){.pl_seed = SEED,
	    .pl_nhosts = 2,
	    .pl_nconns = 1,
	    .pl_heal_ns = SIM_NEVER - 1};
	for (unsigned i = 0; i < 2; i++)
		pl->pl_hosts[i] = (struct host_plan){.hp_up = way,
		    .hp_down = way,
		    .hp_well = way,
		    .hp_nmbufs = 65536,
		    .hp_nclusters = 16384,
		    .hp_sysctls = ce->ce_control == 0 ? HP_NEWRENO : 0};
	pl->pl_hosts[0].hp_up.fc_loss_ppm = ce->ce_loss_ppm;
	pl->pl_conns[0] = (struct conn_plan){.cp_kind = CONN_BULK,
	    .cp_hosts = {0, 1},
	    .cp_start_ns = SIM_START_NS,
	    .cp_total = {UINT64_MAX / 2, 0},
	    .cp_chunk = {4096, 65536},
	    .cp_sockbuf = {2 * ce->ce_window_kib * 1024, ce->ce_window_kib * 1024}};
}

/* => false: the world failed */
static bool
cell_measure(struct cell *ce)
{
	struct world_options wo = {0};
	struct world_result wr;
	struct plan pl;
	double seconds;

	ce->ce_theory = cell_theory(ce);
	seconds = fmin(LOSSES * 1e6 / ce->ce_loss_ppm, PACKETS) * MSS / ce->ce_theory;
	seconds = fmax(seconds, 50 * ce->ce_rtt_ms / 1e3);
	cell_plan(ce, &pl);
	wo.wo_planned = &pl;
	/* The beginning, slow start and its losses, is not measured. */
	wo.wo_mark_ns = SIM_START_NS + (uint64_t)(seconds / 4 * 1e9);
	wo.wo_stop_ns = wo.wo_mark_ns + (uint64_t)(seconds * 1e9);
	world_run(&wo, SEED, &wr);
	ce->ce_measured = (double)(wr.wr_bytes - wr.wr_marked_bytes) / seconds;
	if (wr.wr_failed)
		(void)printf("# %s\n", wr.wr_why);
	return !wr.wr_failed;
}

static void
cell_name(const struct cell *ce, char *buf, size_t space)
{
	(void)snprintf(buf, space, "%-7s %4u KiB %5.2f %% %3u ms", controls[ce->ce_control],
	    ce->ce_window_kib, ce->ce_loss_ppm / 1e4, ce->ce_rtt_ms);
}

/* What the file says of a cell, in bytes a second. => 0: nothing */
static double
file_find(FILE *f, const char *name)
{
	char line[200];
	double value;

	rewind(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0 &&
		    sscanf(line + strlen(name), " %lf", &value) == 1)
			return value;
	return 0;
}

/* => false: it is not as it was, or not as theory has it */
static bool
cell_judge(const struct cell *ce, unsigned number, const char *name, double before)
{
	double factor = ce->ce_measured / ce->ce_theory;
	bool near = factor >= FACTOR_LOW && factor <= FACTOR_HIGH;
	bool same = before > 0 && fabs(ce->ce_measured - before) <= DRIFT * before;

	(void)printf("%s %u - %s: %.0f kB/s, %.2f of theory, %+.1f %% from the file%s%s\n",
	    near && same ? "ok" : "not ok", number, name, ce->ce_measured / 1e3, factor,
	    before > 0 ? (ce->ce_measured / before - 1) * 100 : 0.0, same ? "" : ": moved",
	    near ? "" : ": theory is far");
	return near && same;
}

static const char file_head[] =
    "# Goodput of one connection on virtual time, bytes a second. Written by rumpus sim --grid FILE --update;\n"
    "# sim/grid.c says what it is compared with.\n";

static void
cell_of(unsigned index, struct cell *ce)
{
	*ce = (struct cell){.ce_rtt_ms = rtts_ms[index % nitems(rtts_ms)]};
	index /= nitems(rtts_ms);
	ce->ce_loss_ppm = losses_ppm[index % nitems(losses_ppm)];
	index /= nitems(losses_ppm);
	ce->ce_window_kib = windows_kib[index % nitems(windows_kib)];
	ce->ce_control = index / nitems(windows_kib);
}

int
grid_run(const char *path, bool update)
{
	const unsigned n =
	    nitems(controls) * nitems(windows_kib) * nitems(losses_ppm) * nitems(rtts_ms);
	FILE *f = fopen(path, update ? "w" : "r");
	unsigned bad = 0;
	char name[100];

	if (f == NULL) {
		(void)fprintf(stderr, "rumpus: sim: %s: cannot be %s; try: another file\n", path,
		    update ? "written" : "read");
		return 1;
	}
	(void)printf("1..%u\n", n);
	if (update)
		(void)fputs(file_head, f);
	for (unsigned i = 0; i < n; i++) {
		struct cell ce;
		bool ok;

		cell_of(i, &ce);
		ok = cell_measure(&ce);
		cell_name(&ce, name, sizeof(name));
		if (update)
			(void)fprintf(f, "%s %10.0f\n", name, ce.ce_measured);
		ok &= cell_judge(&ce, i + 1, name, update ? ce.ce_measured : file_find(f, name));
		bad += !ok;
	}
	(void)printf("# %u cells, %u not as they should be\n", n, bad);
	return fclose(f) != 0 || bad > 0 ? 1 : 0;
}
