/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A campaign: worlds of consecutive seeds, handed out to processes, so that one that crashes or
 * hangs is a world that failed and no more. Every REPEAT-th world is run twice: the hashes must be
 * the same. What fails is run once more at the end, with a capture.
 */
#include "sim/campaign.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/capture.h"
#include "sim/event.h"
#include "sim/world.h"

#define JOBS_MAX 64u
#define FAILURES_MAX 20u
#define REPEAT 64u
#define HANGS_S 120
#define TICK_NS 100000000

struct job {
	pid_t jo_pid;
	atomic_bool jo_busy;
	_Atomic uint64_t jo_seed;
	_Atomic uint64_t jo_fail_at; /* with nomem: the allocation that fails now */
	_Atomic uint32_t jo_fail_host;
	_Atomic int64_t jo_since_s;
};

struct failure {
	atomic_bool fa_ready;
	uint64_t fa_seed, fa_fail_at;
	uint32_t fa_fail_host;
	char fa_why[1000];
};

/* What the processes share. */
struct shared {
	atomic_bool sh_stop;
	_Atomic uint64_t sh_next, sh_done, sh_runs, sh_frames, sh_bytes, sh_bytes6, sh_datagrams,
	    sh_virtual_s, sh_hash;
	_Atomic uint32_t sh_nfailures;
	struct failure sh_failures[FAILURES_MAX];
	struct job sh_jobs[JOBS_MAX];
};

static struct shared *shared;

static int64_t
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void
failure_add(const struct job *jo, const char *why)
{
	uint32_t n = atomic_fetch_add(&shared->sh_nfailures, 1);
	struct failure *fa;

	if (n >= FAILURES_MAX)
		return;
	fa = &shared->sh_failures[n];
	fa->fa_seed = jo->jo_seed;
	fa->fa_fail_at = jo->jo_fail_at;
	fa->fa_fail_host = jo->jo_fail_host;
	(void)snprintf(fa->fa_why, sizeof(fa->fa_why), "%s", why);
	atomic_store(&fa->fa_ready, true);
}

/* -- a process of the campaign ---------------------------------------------------------------- */

static void
job_world(struct job *jo, const struct world_options *wo, struct world_result *wr)
{
	jo->jo_since_s = now_s();
	jo->jo_fail_at = wo->wo_fail_at;
	jo->jo_fail_host = wo->wo_fail_host;
	world_run(wo, jo->jo_seed, wr);
	atomic_fetch_add(&shared->sh_runs, 1);
	if (wr->wr_failed)
		failure_add(jo, wr->wr_why);
}

static void
job_once(struct job *jo, uint64_t index)
{
	const struct world_options wo = {0};
	struct world_result wr, again;

	job_world(jo, &wo, &wr);
	atomic_fetch_xor(&shared->sh_hash, wr.wr_hash);
	atomic_fetch_add(&shared->sh_frames, wr.wr_frames);
	atomic_fetch_add(&shared->sh_bytes, wr.wr_bytes);
	atomic_fetch_add(&shared->sh_bytes6, wr.wr_bytes6);
	atomic_fetch_add(&shared->sh_datagrams, wr.wr_datagrams);
	atomic_fetch_add(&shared->sh_virtual_s, wr.wr_virtual_ns / SIM_SECOND);
	if (wr.wr_failed || index % REPEAT != 0)
		return;
	job_world(jo, &wo, &again);
	if (again.wr_hash != wr.wr_hash)
		failure_add(jo,
		    "run again, it goes another way: something besides the seed is an input");
}

/* Each allocation of each of two hosts fails in its turn. */
static void
job_nomem(struct job *jo, uint32_t sample)
{
	struct world_options wo = {.wo_plan.po_small = true};
	struct world_result wr;

	for (wo.wo_fail_host = 0; wo.wo_fail_host < 2; wo.wo_fail_host++) {
		wo.wo_fail_at = 0;
		job_world(jo, &wo, &wr);
		wo.wo_fail_at = 1 + jo->jo_seed % sample;
		for (uint64_t n = wr.wr_allocations; wo.wo_fail_at <= n; wo.wo_fail_at += sample) {
			job_world(jo, &wo, &wr);
			if (wr.wr_failed || shared->sh_stop)
				return;
		}
	}
}

static _Noreturn void
job_main(const struct campaign *ca, struct job *jo)
{
	uint64_t index;

	(void)signal(SIGINT, SIG_IGN);
	while (
	    !shared->sh_stop && (index = atomic_fetch_add(&shared->sh_next, 1)) < ca->ca_worlds) {
		jo->jo_seed = ca->ca_seed + index;
		jo->jo_since_s = now_s();
		jo->jo_busy = true;
		if (ca->ca_nomem)
			job_nomem(jo, ca->ca_sample);
		else
			job_once(jo, index);
		jo->jo_busy = false;
		atomic_fetch_add(&shared->sh_done, 1);
	}
	_exit(0);
}

static void
job_start(const struct campaign *ca, struct job *jo)
{
	pid_t pid;

	jo->jo_busy = false;
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		job_main(ca, jo);
	jo->jo_pid = pid; /* shared with the child, who must not write it */
	if (pid < 0) {
		(void)fprintf(stderr, "rumpus: sim: fork: %s; try: fewer --jobs\n",
		    strerror(errno));
		exit(1);
	}
}

/* -- looking after them ----------------------------------------------------------------------- */

/* A process has ended: in the middle of a world, that world failed, and another one goes on. */
static bool
job_ended(const struct campaign *ca, struct job *jo, int status)
{
	char why[100];

	jo->jo_pid = 0;
	if (!jo->jo_busy)
		return false;
	if (WIFSIGNALED(status))
		(void)snprintf(why, sizeof(why), "the process was killed by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(why, sizeof(why), "the process ended with status %d",
		    WEXITSTATUS(status));
	failure_add(jo, why);
	atomic_fetch_add(&shared->sh_done, 1);
	if (!shared->sh_stop)
		job_start(ca, jo);
	return jo->jo_pid != 0;
}

/* => how many still run */
static unsigned
jobs_look(const struct campaign *ca)
{
	unsigned running = 0;

	for (unsigned i = 0; i < ca->ca_jobs; i++) {
		struct job *jo = &shared->sh_jobs[i];
		int status;

		if (jo->jo_pid == 0)
			continue;
		if (waitpid(jo->jo_pid, &status, WNOHANG) == jo->jo_pid) {
			running += job_ended(ca, jo, status);
			continue;
		}
		running++;
		if (jo->jo_busy && now_s() - jo->jo_since_s > HANGS_S)
			(void)kill(jo->jo_pid, SIGKILL);
	}
	return running;
}

static void
on_interrupt(int sig)
{
	(void)sig;
	shared->sh_stop = true;
}

static void
progress(const struct campaign *ca, bool end)
{
	if (ca->ca_quiet)
		return;
	(void)fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " worlds, %u failed%s", shared->sh_done,
	    ca->ca_worlds, shared->sh_nfailures, end ? "\n" : " ");
}

/* -- what failed ------------------------------------------------------------------------------ */

/* Runs it again for its capture, in a process of its own. */
static void
failure_capture(const struct campaign *ca, const struct failure *fa, const char *path)
{
	struct world_options wo = {.wo_plan.po_small = ca->ca_nomem,
	    .wo_fail_at = fa->fa_fail_at,
	    .wo_fail_host = fa->fa_fail_host};
	struct world_result wr;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid != 0) {
		(void)waitpid(pid, NULL, 0);
		return;
	}
	(void)freopen("/dev/null", "w", stderr); /* a panic has been told */
	(void)alarm(HANGS_S);
	wo.wo_capture = capture_open(path);
	if (wo.wo_capture == NULL)
		_exit(1);
	world_run(&wo, fa->fa_seed, &wr);
	capture_close(wo.wo_capture);
	_exit(0);
}

static void
failure_tell(const struct campaign *ca, const struct failure *fa)
{
	char path[400], options[100] = "";

	(void)snprintf(path, sizeof(path), "%s/rumpus-sim-%" PRIu64 ".pcapng", ca->ca_folder,
	    fa->fa_seed);
	if (ca->ca_nomem)
		(void)snprintf(options, sizeof(options), " --small --fail %" PRIu32 ":%" PRIu64,
		    fa->fa_fail_host, fa->fa_fail_at);
	failure_capture(ca, fa, path);
	(void)printf("FAIL world %" PRIu64 ": %s\n", fa->fa_seed, fa->fa_why);
	(void)printf("     replay: rumpus sim --seed %" PRIu64 " --worlds 1%s -v\n", fa->fa_seed,
	    options);
	(void)printf("     frames: %s\n", path);
}

static void
summary(const struct campaign *ca, double seconds)
{
	const char *format = ca->ca_json
	    ? "{\"worlds\": %" PRIu64 ", \"failed\": %u, \"runs\": %" PRIu64
	      ", \"frames\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"bytes_ipv6\": %" PRIu64
	      ", \"group_datagrams\": %" PRIu64 ", \"virtual_s\": %" PRIu64
	      ", \"seconds\": %.3f, \"hash\": \"%016" PRIx64 "\"}\n"
	    : "%" PRIu64 " worlds, %u failed; %" PRIu64 " runs, %" PRIu64 " frames, %" PRIu64
	      " bytes, %" PRIu64 " of them by IPv6, %" PRIu64 " datagrams of groups, %" PRIu64
	      " s of virtual time in %.1f s; trace hash %016" PRIx64 "\n";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)printf(format, shared->sh_done, shared->sh_nfailures, shared->sh_runs,
	    shared->sh_frames, shared->sh_bytes, shared->sh_bytes6, shared->sh_datagrams,
	    shared->sh_virtual_s, seconds, shared->sh_hash);
#pragma GCC diagnostic pop
}

static double
clock_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
campaign_run(const struct campaign *ca)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};
	double start = clock_seconds();

	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		(void)fprintf(stderr, "rumpus: sim: %s; try: freeing memory\n", strerror(errno));
		return 1;
	}
	(void)signal(SIGINT, on_interrupt);
	for (unsigned i = 0; i < ca->ca_jobs; i++)
		job_start(ca, &shared->sh_jobs[i]);
	while (jobs_look(ca) > 0) {
		progress(ca, false);
		(void)nanosleep(&tick, NULL);
	}
	progress(ca, true);
	(void)signal(SIGINT, SIG_DFL);
	for (unsigned i = 0; i < shared->sh_nfailures && i < FAILURES_MAX; i++)
		failure_tell(ca, &shared->sh_failures[i]);
	summary(ca, clock_seconds() - start);
	return shared->sh_nfailures > 0 ? 1 : shared->sh_stop ? 130 : 0;
}
