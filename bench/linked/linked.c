/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program of bench/ with its stack linked in: a stack on a tap of the host, and the program's main
 * as a task of it. The same sources as for the other doors, built with -DBENCH_LINKED and
 * -Dmain=program_main.
 *
 * Environment: BENCH_TAP, the tap; BENCH_ADDR, its address as 10.0.0.2/24.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <rumpus/embed.h>
#include <rumpus/socket.h>
#include <rumpus/stack.h>

#include "dev/tap/if_tap.h"
#include "dev/tap/tap_host.h"

#undef main

#define RX_BUDGET 64
#define LINGER_NS 100000000u /* for what is still to be sent when the program has ended */

int program_main(int argc, char **argv);
void door_yield(void);

struct linked {
	struct netstack *li_ns;
	struct rumpus_proc *li_proc;
	struct tap_host *li_host;
	struct ifnet *li_ifp;
	int li_argc;
	char **li_argv;
	int li_status;
};

static struct rumpus_proc *task_proc; /* of the one task */
static const uint8_t lladdr[6] = {0x02, 0x72, 0x75, 0x6d, 0x70, 0x05};

static uint64_t
clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int
refuse(const char *what, const char *why)
{
	(void)fprintf(stderr,
	    "linked: %s: %s; try: BENCH_TAP and BENCH_ADDR as bench/run sets them\n", what, why);
	return 1;
}

static void
task_main(struct rumpus_task *rt)
{
	struct linked *li = rt->rt_arg;

	task_proc = li->li_proc;
	(void)rumpus_embed_use(task_proc);
	li->li_status = program_main(li->li_argc, li->li_argv);
}

/* A task that never waits would keep the stack from its work. */
void
door_yield(void)
{
	(void)rumpus_sleep(task_proc, 1000);
}

static bool
stack_open(struct linked *li, const char *tap, const char *addr)
{
	struct rumpus_config rc = {.rc_now_ns = clock_ns()};
	struct tap_config tc = {.tc_name = tap, .tc_lladdr = lladdr, .tc_offload = true};
	char why[256] = "";

	if (getrandom(rc.rc_seed, sizeof(rc.rc_seed), 0) != (ssize_t)sizeof(rc.rc_seed))
		return refuse("random seed", "none") == 0;
	li->li_host = tap_host_open(tap, false, &tc.tc_offload, &tc.tc_mtu, why, sizeof(why));
	if (li->li_host == NULL)
		return refuse(tap, why) == 0;
	li->li_ns = rumpus_create(&rc);
	if (li->li_ns == NULL || tap_attach(li->li_ns, &tc, li->li_host, &li->li_ifp) != 0)
		return refuse(tap, "not attached") == 0;
	if (rumpus_addr_add(li->li_ns, tap, addr) != 0)
		return refuse(addr, "refused") == 0;
	li->li_proc = rumpus_proc_create(li->li_ns, "bench");
	return li->li_proc != NULL || refuse("process", "none") == 0;
}

/* One turn: frames in, all that is due, and sleep. most: no longer than until then. */
static void
turn(struct linked *li, uint64_t most)
{
	struct pollfd pfd = {.fd = tap_host_fd(li->li_host), .events = POLLIN};
	uint64_t now = clock_ns(), deadline;
	struct timespec ts = {0};
	int n;

	rumpus_enter(li->li_ns, now);
	n = tap_rx(li->li_ifp, RX_BUDGET);
	if (tap_tx_pending(li->li_ifp))
		(void)tap_tx_resume(li->li_ifp);
	rumpus_run(li->li_ns);
	if (n != 0)
		return;
	if (tap_tx_pending(li->li_ifp))
		pfd.events |= POLLOUT;
	deadline = rumpus_deadline(li->li_ns);
	deadline = deadline < most ? deadline : most;
	now = clock_ns();
	if (deadline > now) {
		ts.tv_sec = (time_t)((deadline - now) / 1000000000u);
		ts.tv_nsec = (long)((deadline - now) % 1000000000u);
	}
	(void)ppoll(&pfd, 1, &ts, NULL);
}

int
main(int argc, char **argv)
{
	const char *tap = getenv("BENCH_TAP"), *addr = getenv("BENCH_ADDR");
	struct linked li = {.li_argc = argc, .li_argv = argv};
	struct rumpus_task rt = {.rt_func = task_main, .rt_arg = &li};
	uint64_t end;

	if (tap == NULL || addr == NULL)
		return refuse("environment", "not set");
	if (!stack_open(&li, tap, addr))
		return 1;
	if (rumpus_task_start(li.li_proc, &rt) != 0)
		return refuse("task", "not started");
	while (!rt.rt_done)
		turn(&li, clock_ns() + 1000000000u);
	end = clock_ns() + LINGER_NS;
	while (clock_ns() < end)
		turn(&li, end);
	rumpus_proc_exit(li.li_proc);
	turn(&li, 0);
	tap_detach(li.li_ifp);
	tap_host_close(li.li_host);
	rumpus_destroy(li.li_ns);
	return li.li_status;
}
