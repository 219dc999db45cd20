/* SPDX-License-Identifier: BSD-2-Clause */
/* A view of a stack from outside. */
#include "kern/kern_inspect.h"
#include "kern/netstack.h"

void
kern_inspect(const struct netstack *ns, struct kern_inspect *ki)
{
	*ki = (struct kern_inspect){
	    .ki_trace_hash = ns->ns_trace.t_hash,
	    .ki_trace_count = ns->ns_trace.t_count,
	    .ki_allocations = ns->ns_fault.af_count,
	    .ki_fail_in = ns->ns_fault.af_fail_at,
	    .ki_callouts = ns->ns_callouts.cw_npending,
	    .ki_mbufs = ns->ns_mbpool.pl_nout,
	    .ki_clusters = ns->ns_mcl2pool.pl_nout + ns->ns_mcl4pool.pl_nout,
	    .ki_jumbos = ns->ns_mjpool.pl_nout,
	    .ki_sockets = ns->ns_socketpool.pl_nout,
	    .ki_files = ns->ns_filepool.pl_nout,
	    .ki_lwps = ns->ns_nlwps,
	};
	for (unsigned i = 0; i < DROP_COUNT; i++)
		ki->ki_drops += ns->ns_drops[i];
}

bool
kern_inspect_event(const struct netstack *ns, uint64_t index, struct trace_record *tr)
{
	const struct trace *t = &ns->ns_trace;

	if (index >= t->t_count || t->t_count - index > TRACE_RING)
		return false;
	*tr = t->t_ring[index & (TRACE_RING - 1)];
	return true;
}

void
kern_inspect_fail_at(struct netstack *ns, uint64_t n)
{
	ns->ns_fault.af_fail_at = n;
}
