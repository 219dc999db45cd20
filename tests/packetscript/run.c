/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries a script out: the stack's clock is moved from event to event, stopping wherever the stack
 * asked to be called. A packet that leaves must be the next one that the script expects; at the
 * end none may be left over.
 */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kern/netstack.h"
#include "netinet/tcp_inspect.h"
#include "wire/print.h"

#define ZERO_NS 1000000000ull         /* the stack's clock when a script begins */
#define LONGEST_NS 100000000000000ull /* `*` waits no longer than a day */
#define RPORT_FIRST 40000
/* Small pools are quickly made: scripts move little. */
#define NMBUFS 1024
#define NCLUSTERS 128
#define NSOCKETS 64
#define IP6_PREFIX "fd3d:a0b:17d6::" /* ip6.c: of addresses of IPv4 */
#define SETTLE_NS 10000000000ull     /* an ethernet is up for so long when a script begins */

bool
run_fail(struct run *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->r_failed)
		return false;
	r->r_failed = true;
	n = snprintf(r->r_why, r->r_whyspace, "%s:%d: at %.6f s: ", r->r_script->sc_path, r->r_line,
	    (double)r->r_now_ns / 1e9);
	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < r->r_whyspace)
		vsnprintf(r->r_why + n, r->r_whyspace - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

/* -- packets out ------------------------------------------------------------------------------ */

static struct captured *
captured_take(struct run *r)
{
	struct captured *cp = r->r_captured;

	r->r_captured = cp->cp_next;
	if (r->r_captured == NULL)
		r->r_lastcaptured = &r->r_captured;
	return cp;
}

/* -- time ------------------------------------------------------------------------------------- */

/* Lets the stack do what is due now, and looks whether it is in order. */
static void
step(struct run *r)
{
	const char *wrong;

	do
		rumpus_run(r->r_ns);
	while (link_answer(r));
	wrong = tcp_inspect_check_all(r->r_ns);
	if (wrong == NULL)
		return;
	r->r_broken = true;
	run_fail(r, "the stack is not in order: %s", wrong);
}

static void
enter(struct run *r, uint64_t t_ns)
{
	if (t_ns > r->r_now_ns)
		r->r_now_ns = t_ns;
	rumpus_enter(r->r_ns, r->r_zero_ns + r->r_now_ns);
}

/* Goes to the stack's next deadline, if that is not after `until`. => false: it is */
static bool
next_deadline(struct run *r, uint64_t until_ns)
{
	uint64_t deadline = rumpus_deadline(r->r_ns);

	if (deadline == NEVER || deadline > r->r_zero_ns + until_ns)
		return false;
	enter(r, deadline > r->r_zero_ns ? deadline - r->r_zero_ns : 0);
	step(r);
	return true;
}

static void
run_until(struct run *r, uint64_t t_ns)
{
	while (!r->r_failed && next_deadline(r, t_ns))
		continue;
	enter(r, t_ns);
}

/* -- calls ------------------------------------------------------------------------------------ */

static void
call_task(struct rumpus_task *rt)
{
	struct run *r = rt->rt_arg;

	r->r_result = call_do(r, r->r_call);
	r->r_returned_ns = r->r_now_ns;
}

static void
result_text(char *buf, size_t space, int64_t result)
{
	if (result < 0)
		snprintf(buf, space, "-1 %s", errno_name((int)-result));
	else
		snprintf(buf, space, "%lld", (long long)result);
}

/* The call has returned: was that as the script says? */
static bool
call_verify(struct run *r)
{
	const struct call *ca = r->r_call;
	const uint64_t tolerance = r->r_script->sc_tolerance_ns;
	int64_t want = ca->ca_result == -1 ? -ca->ca_errno : ca->ca_result;
	char wanted[40], got[40];

	r->r_call = NULL;
	r->r_line = r->r_callline;
	if (r->r_callwhy[0] != '\0')
		return run_fail(r, "%s: %s", call_name(ca->ca_kind), r->r_callwhy);
	if (!ca->ca_anyresult && r->r_result != want) {
		result_text(wanted, sizeof(wanted), want);
		result_text(got, sizeof(got), r->r_result);
		return run_fail(r, "%s returned %s instead of %s", call_name(ca->ca_kind), got,
		    wanted);
	}
	if (r->r_returned_ns + tolerance < r->r_callend_ns ||
	    r->r_returned_ns > r->r_callend_ns + tolerance)
		return run_fail(r, "%s returned at %.6f s instead of %.6f s",
		    call_name(ca->ca_kind), (double)r->r_returned_ns / 1e9,
		    (double)r->r_callend_ns / 1e9);
	return true;
}

/* Before the next event: a call that blocked must have returned if its time is over. */
static bool
call_settle(struct run *r, uint64_t t_ns)
{
	if (r->r_call == NULL)
		return true;
	if (r->r_task.rt_done)
		return call_verify(r);
	if (t_ns > r->r_callend_ns + r->r_script->sc_tolerance_ns) {
		r->r_line = r->r_callline;
		return run_fail(r, "%s still blocks", call_name(r->r_call->ca_kind));
	}
	return true;
}

static bool
do_call(struct run *r, const struct event *ev, uint64_t end_ns)
{
	if (r->r_call != NULL)
		return run_fail(r, "a call while another one blocks");
	r->r_call = ev->ev_call;
	r->r_callline = ev->ev_line;
	r->r_callend_ns = ev->ev_blocks ? end_ns : r->r_now_ns;
	r->r_callwhy[0] = '\0';
	r->r_task = (struct rumpus_task){.rt_func = call_task, .rt_arg = r};
	if (rumpus_task_start(r->r_proc, &r->r_task) != 0)
		return run_fail(r, "no task for a call");
	step(r);
	if (r->r_failed || (ev->ev_blocks && !r->r_task.rt_done))
		return !r->r_failed;
	if (!r->r_task.rt_done)
		return run_fail(r, "%s blocks", call_name(ev->ev_call->ca_kind));
	return call_verify(r);
}

/* -- events ----------------------------------------------------------------------------------- */

static bool
do_out(struct run *r, const struct event *ev, uint64_t start_ns, uint64_t end_ns)
{
	const uint64_t tolerance = r->r_script->sc_tolerance_ns;
	uint64_t last = end_ns + tolerance;
	struct captured *cp;

	while (r->r_captured == NULL && !r->r_failed && next_deadline(r, last))
		continue;
	if (r->r_failed)
		return false;
	if (r->r_captured == NULL) {
		enter(r, ev->ev_when == WHEN_ANY ? r->r_now_ns : last);
		return run_fail(r, "a packet was expected, none came");
	}
	cp = captured_take(r);
	if (!packet_check(r, ev->ev_packet, cp))
		return false;
	if (cp->cp_time_ns > last || cp->cp_time_ns + tolerance < start_ns)
		return run_fail(r, "the packet left at %.6f s instead of %.6f s",
		    (double)cp->cp_time_ns / 1e9, (double)start_ns / 1e9);
	return true;
}

static bool
do_event(struct run *r, const struct event *ev, uint64_t start_ns, uint64_t end_ns)
{
	bool ok = false;

	switch (ev->ev_kind) {
	case EV_IN:
		ok = packet_inject(r, ev->ev_packet);
		step(r);
		break;
	case EV_OUT:
		ok = do_out(r, ev, start_ns, end_ns);
		break;
	case EV_CALL:
		ok = do_call(r, ev, end_ns);
		break;
	case EV_COMMAND:
		ok = command_do(r, ev->ev_text);
		break;
	case EV_ASSERT:
		ok = assert_do(r, ev->ev_text);
		break;
	case EV_KIND_COUNT:
		break;
	}
	return ok && !r->r_failed;
}

/* Goes to an event and does it. base: the time that relative ones count from; moves on. */
static bool
play(struct run *r, const struct event *ev, uint64_t *base_ns)
{
	uint64_t from = ev->ev_when == WHEN_RELATIVE ? *base_ns : 0;
	uint64_t start = from + ev->ev_start_ns, end = from + ev->ev_end_ns;

	r->r_line = ev->ev_line;
	if (ev->ev_when == WHEN_ANY) {
		start = 0;
		end = LONGEST_NS;
	} else if (start < *base_ns) {
		return run_fail(r, "the time is before that of the event above");
	} else {
		/* What is to leave may do so any time up to then. */
		if (ev->ev_kind != EV_OUT)
			run_until(r, start);
		*base_ns = start;
	}
	if (r->r_failed || !call_settle(r, start))
		return false;
	r->r_line = ev->ev_line;
	if (!do_event(r, ev, start, end))
		return false;
	if (ev->ev_when == WHEN_ANY)
		*base_ns = r->r_now_ns;
	return true;
}

/* Nothing may be left: no call that blocks, no packet that the script does not know of. */
static bool
finish(struct run *r)
{
	char line[400];

	if (r->r_call != NULL)
		run_until(r, r->r_callend_ns);
	if (r->r_failed || !call_settle(r, NEVER))
		return false;
	if (r->r_captured == NULL)
		return true;
	packet_print(r, line, sizeof(line), r->r_captured);
	return run_fail(r, "the script ends, but this packet had left at %.6f s\n    %s",
	    (double)r->r_captured->cp_time_ns / 1e9, line);
}

/* The ends as words: of IPv6 the last of each, behind what both have in front. */
static bool
setup_ends(struct run *r)
{
	const struct script *sc = r->r_script;
	bool ip6 = strchr(sc->sc_local, ':') != NULL;
	uint32_t local[4], remote[4];

	(void)ip6_pton(IP6_PREFIX, remote);
	memcpy(r->r_prefix, remote, sizeof(r->r_prefix));
	if (!ip6)
		return ipv4_pton(sc->sc_local, &r->r_localaddr_be) == 0 &&
		    ipv4_pton(sc->sc_remote, &r->r_remoteaddr_be) == 0;
	if (ip6_pton(sc->sc_local, local) != 0 || ip6_pton(sc->sc_remote, remote) != 0)
		return false;
	memcpy(r->r_prefix, local, sizeof(r->r_prefix));
	r->r_localaddr_be = local[3];
	r->r_remoteaddr_be = remote[3];
	return true;
}

/* The address, and a default route: on a point-to-point interface to any gateway, which it has no use for. */
static bool
setup_addr(struct run *r)
{
	const struct script *sc = r->r_script;
	bool ip6 = strchr(sc->sc_local, ':') != NULL, mapped = r->r_ip6 && !ip6;
	const char *front = mapped ? IP6_PREFIX : "";
	char text[80];

	snprintf(text, sizeof(text), "%s%s/%d", front, sc->sc_local,
	    ip6          ? 64
		: mapped ? 96 + 24
			 : 24);
	if (rumpus_addr_add(r->r_ns, r->r_ifname, text) != 0)
		return false;
	if (sc->sc_gateway != NULL)
		return rumpus_route_add(r->r_ns, "default", sc->sc_gateway) == 0;
	if (sc->sc_ether)
		return true;
	if (ip6)
		snprintf(text, sizeof(text), "%s", sc->sc_remote);
	else
		snprintf(text, sizeof(text), "%s%.*s.254", front,
		    (int)(strrchr(sc->sc_local, '.') - sc->sc_local), sc->sc_local);
	(void)rumpus_route_add(r->r_ns, "default", text);
	return true;
}

/* Before a script begins, addresses have been probed and told to the link. */
static void
settle(struct run *r)
{
	if (r->r_port == NULL || r->r_script->sc_bare)
		return;
	r->r_settling = true;
	step(r);
	run_until(r, SETTLE_NS);
	r->r_settling = false;
	r->r_zero_ns += SETTLE_NS;
	r->r_now_ns = 0;
}

static bool
setup(struct run *r, const struct script_config *sf)
{
	struct rumpus_config rc = {.rc_now_ns = ZERO_NS,
	    .rc_nmbufs = NMBUFS,
	    .rc_nclusters = NCLUSTERS,
	    .rc_maxsockets = NSOCKETS};

	memset(rc.rc_seed, sf->sf_seed, sizeof(rc.rc_seed));
	r->r_ns = rumpus_create(&rc);
	if (r->r_ns == NULL)
		return run_fail(r, "no stack");
	r->r_zero_ns = ZERO_NS;
	r->r_lastcaptured = &r->r_captured;
	r->r_lastfd = -1;
	r->r_nextrport = RPORT_FIRST;
	r->r_ip6 = sf->sf_ip6;
	if (!setup_ends(r) || !link_attach(r) || (!r->r_script->sc_bare && !setup_addr(r)))
		return run_fail(r, "the interface could not be set up");
	settle(r);
	r->r_proc = rumpus_proc_create(r->r_ns, "script");
	r->r_ns->ns_fault.af_fail_at = sf->sf_fail_at;
	return r->r_proc != NULL ? !r->r_failed : run_fail(r, "no process");
}

/* Everything goes; the stack itself sees to it that no memory of its pools is left behind. */
static void
teardown(struct run *r, struct script_config *sf)
{
	if (r->r_ns != NULL) {
		sf->sf_reached = r->r_ns->ns_fault.af_fail_at == 0;
		r->r_ns->ns_fault.af_fail_at = 0;
	}
	if (r->r_proc != NULL)
		rumpus_proc_exit(r->r_proc);
	if (r->r_ns != NULL) {
		rumpus_run(r->r_ns); /* calls that still block end with EINTR */
		rumpus_destroy(r->r_ns);
	}
	arena_free(&r->r_arena);
}

enum script_result
script_run(const struct script *sc, struct script_config *sf, char *why, size_t space)
{
	struct run *r = calloc(1, sizeof(*r));
	const struct event *ev;
	enum script_result result;
	uint64_t base = 0;
	bool ok;

	if (r == NULL) {
		snprintf(why, space, "no memory");
		return SCRIPT_BROKEN;
	}
	r->r_script = sc;
	r->r_why = why;
	r->r_whyspace = space;
	ok = setup(r, sf);
	for (ev = sc->sc_events; ok && ev != NULL; ev = ev->ev_next)
		ok = play(r, ev, &base);
	ok = ok && finish(r);
	result = ok ? SCRIPT_OK : r->r_broken ? SCRIPT_BROKEN : SCRIPT_DIFFERS;
	teardown(r, sf);
	free(r);
	return result;
}
