/* SPDX-License-Identifier: BSD-2-Clause */
/* `rumpus sim`: its options. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/campaign.h"
#include "sim/capture.h"
#include "sim/grid.h"
#include "sim/sim.h"
#include "sim/world.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_WRONGUSE };

static const char help[] =
    "usage: rumpus sim [--seed N] [--worlds N] [--jobs N] [--nomem] [-j]\n"
    "       rumpus sim --grid FILE [--update]\n"
    "       rumpus sim --worlds 1 --seed N [--pcap FILE] [--small] [--fail HOST:N] [-v]\n"
    "\n"
    "Runs worlds of many hosts, each with a stack, on virtual time: links that lose, delay,\n"
    "reorder, duplicate and corrupt, hosts that crash and run out of memory. All bytes must\n"
    "arrive or an error be told, every connection get on when the links work again, and\n"
    "nothing be left at the end. A world follows from its seed, bit for bit; but what a seed\n"
    "makes may be another world in another version.\n"
    "\n"
    "Hosts speak IPv4 and nearly all of them IPv6 too: addresses are given, or made of what a\n"
    "router on the link advertises, and probed before use or not. Streams and datagrams go by\n"
    "IPv4, IPv6, IPv4 on sockets of IPv6, or addresses of the link; servers have a socket for\n"
    "both families or one each. The router passes on what it is given where its prefix is not\n"
    "on the link. A link that carries less is told of by \"fragmentation needed\" and \"packet\n"
    "too big\", or by nobody; of IPv6 it carries 1,280 bytes in any case, unless the interface\n"
    "itself takes less. Groups of both families have senders and members, of IPv4 also with\n"
    "filters of sources: a member gets each copy that reaches its host once, and nothing that\n"
    "it has not asked for.\n"
    "\n"
    "  --seed N         the first world's seed (1); others follow\n"
    "  --worlds N       how many (1000)\n"
    "  --jobs N         processes (one a core)\n"
    "  --nomem          small worlds, again and again while the first, second ... allocation\n"
    "                   of one host fails, then of the other\n"
    "  --sample N       with --nomem: only every N-th allocation\n"
    "  --captures DIR   where captures of worlds that fail go (.)\n"
    "  -q               no progress line           -j  JSON\n"
    "One world (--worlds 1):\n"
    "  -v               say all that happens       --pcap FILE  all frames, for tcpdump -r\n"
    "  --small          as --nomem draws them      --fail HOST:N  its N-th allocation fails\n"
    "Throughput by window, loss, round trip and congestion control:\n"
    "  --grid FILE      compare with FILE and with theory; --update writes FILE\n"
    "\n"
    "Exit status: 0 all is well, 1 a world failed, 2 wrong usage, 130 interrupted.\n";

struct choices {
	struct campaign ch_campaign;
	struct world_options ch_world;
	const char *ch_pcap;
	const char *ch_grid;
	bool ch_update;
	bool ch_help;
};

enum {
	OPT_SEED = 256,
	OPT_WORLDS,
	OPT_JOBS,
	OPT_NOMEM,
	OPT_SAMPLE,
	OPT_CAPTURES,
	OPT_PCAP,
	OPT_SMALL,
	OPT_FAIL,
	OPT_GRID,
	OPT_UPDATE
};

static const struct option longopts[] = {
    {"seed", required_argument, NULL, OPT_SEED},
    {"worlds", required_argument, NULL, OPT_WORLDS},
    {"jobs", required_argument, NULL, OPT_JOBS},
    {"nomem", no_argument, NULL, OPT_NOMEM},
    {"sample", required_argument, NULL, OPT_SAMPLE},
    {"captures", required_argument, NULL, OPT_CAPTURES},
    {"pcap", required_argument, NULL, OPT_PCAP},
    {"small", no_argument, NULL, OPT_SMALL},
    {"fail", required_argument, NULL, OPT_FAIL},
    {"grid", required_argument, NULL, OPT_GRID},
    {"update", no_argument, NULL, OPT_UPDATE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* => false: no number from least to most */
static bool
number(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *value >= least &&
	    *value <= most;
}

static bool
parse_fail(struct world_options *wo, const char *text)
{
	const char *colon = strchr(text, ':');
	char digits[8] = "";
	uint64_t host;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(digits))
		return false;
	memcpy(digits, text, (size_t)(colon - text));
	if (!number(digits, 0, PLAN_HOSTS - 1, &host) ||
	    !number(colon + 1, 0, UINT64_MAX, &wo->wo_fail_at))
		return false;
	wo->wo_fail_host = (unsigned)host;
	return true;
}

/* => false: not understood */
static bool
option_take(struct choices *ch, int option, const char *text)
{
	struct campaign *ca = &ch->ch_campaign;
	uint64_t n = 0;

	switch (option) {
	case OPT_SEED:
		return number(text, 0, UINT64_MAX, &ca->ca_seed);
	case OPT_WORLDS:
		return number(text, 1, UINT32_MAX, &ca->ca_worlds);
	case OPT_JOBS:
		if (!number(text, 1, 64, &n))
			return false;
		ca->ca_jobs = (unsigned)n;
		return true;
	case OPT_SAMPLE:
		if (!number(text, 1, 1000000, &n))
			return false;
		ca->ca_sample = (uint32_t)n;
		return true;
	case OPT_NOMEM:
		ca->ca_nomem = true;
		return true;
	case OPT_CAPTURES:
		ca->ca_folder = text;
		return true;
	case OPT_PCAP:
		ch->ch_pcap = text;
		return true;
	case OPT_SMALL:
		ch->ch_world.wo_plan.po_small = true;
		return true;
	case OPT_FAIL:
		return parse_fail(&ch->ch_world, text);
	case OPT_GRID:
		ch->ch_grid = text;
		return true;
	case OPT_UPDATE:
		ch->ch_update = true;
		return true;
	case 'v':
		ch->ch_world.wo_verbose = true;
		return true;
	case 'q':
		ca->ca_quiet = true;
		return true;
	case 'j':
		ca->ca_json = true;
		return true;
	case 'h':
		ch->ch_help = true;
		return true;
	default:
		return false;
	}
}

/* One world, here, so that a debugger sees it. */
static int
run_one(struct choices *ch)
{
	struct world_result wr;

	if (ch->ch_pcap != NULL) {
		ch->ch_world.wo_capture = capture_open(ch->ch_pcap);
		if (ch->ch_world.wo_capture == NULL) {
			(void)fprintf(stderr, "rumpus: sim: %s: %s; try: another file\n",
			    ch->ch_pcap, strerror(errno));
			return EXIT_FAILED;
		}
	}
	world_run(&ch->ch_world, ch->ch_campaign.ca_seed, &wr);
	if (ch->ch_world.wo_capture != NULL)
		capture_close(ch->ch_world.wo_capture);
	if (wr.wr_failed)
		(void)printf("FAIL world %" PRIu64 ": %s\n", ch->ch_campaign.ca_seed, wr.wr_why);
	(void)printf("world %" PRIu64 ": %" PRIu64 " frames, %" PRIu64
		     " bytes, %.3f s of virtual time; trace hash %016" PRIx64 "\n",
	    ch->ch_campaign.ca_seed, wr.wr_frames, wr.wr_bytes, (double)wr.wr_virtual_ns / 1e9,
	    wr.wr_hash);
	return wr.wr_failed ? EXIT_FAILED : EXIT_OK;
}

static bool
is_for_one(const struct choices *ch)
{
	return ch->ch_pcap != NULL || ch->ch_world.wo_verbose || ch->ch_world.wo_plan.po_small ||
	    ch->ch_world.wo_fail_at != 0;
}

int
sim_main(int argc, char **argv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct choices ch = {.ch_campaign = {.ca_seed = 1,
				 .ca_worlds = 1000,
				 .ca_jobs = cores < 1 ? 1
				     : cores > 64     ? 64
						      : (unsigned)cores,
				 .ca_sample = 1,
				 .ca_folder = ".",
				 .ca_quiet = isatty(STDERR_FILENO) == 0}};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "vqjh", longopts, NULL)) != -1) {
		if (option_take(&ch, c, optarg))
			continue;
		(void)fprintf(stderr, "rumpus: sim: wrong usage; try: rumpus sim --help\n");
		return EXIT_WRONGUSE;
	}
	if (ch.ch_help) {
		(void)fputs(help, stdout);
		return EXIT_OK;
	}
	if (ch.ch_grid != NULL && optind == argc)
		return grid_run(ch.ch_grid, ch.ch_update);
	if (optind < argc || (is_for_one(&ch) && ch.ch_campaign.ca_worlds != 1)) {
		(void)fprintf(stderr,
		    optind < argc ? "rumpus: sim: too many arguments; try: rumpus sim --help\n"
				  : "rumpus: sim: that option is for one world; try: --worlds 1\n");
		return EXIT_WRONGUSE;
	}
	return is_for_one(&ch) ? run_one(&ch) : campaign_run(&ch.ch_campaign);
}
