/* SPDX-License-Identifier: BSD-2-Clause */
/* The variables that belong to the stack itself: memory, sockets' limits, copies, trace. */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/sysctl.h"

/* Beyond the name: a setting of 32 bits with its range, a counter, counters of a pool. */
#define NS_SETTING(name, member, min, max, check, text)                                           \
	{                                                                                         \
		.sn_name = (name), .sn_text = (text), .sn_type = SYSCTL_U32, .sn_writable = true, \
		.sn_offset = offsetof(struct netstack, member), .sn_size = sizeof(uint32_t),      \
		.sn_min = (min), .sn_max = (max), .sn_check = (check)                             \
	}
#define NS_COUNTER(name, member, type, text)                             \
	{                                                                \
		.sn_name = (name), .sn_text = (text), .sn_type = (type), \
		.sn_offset = offsetof(struct netstack, member),          \
		.sn_size = sizeof(((struct netstack *)0)->member)        \
	}
#define NS_POOL(name, pool, what)                                                               \
	NS_COUNTER(name ".nout", pool.pl_nout, SYSCTL_U32, what " in use"),                     \
	    NS_COUNTER(name ".hiwat", pool.pl_hiwat, SYSCTL_U32, "most " what " ever in use"),  \
	    NS_COUNTER(name ".limit", pool.pl_limit, SYSCTL_U32, "most " what " there may be"), \
	    NS_COUNTER(name ".gets", pool.pl_ngets, SYSCTL_U64, what " handed out"),            \
	    NS_COUNTER(name ".puts", pool.pl_nputs, SYSCTL_U64, what " given back"),            \
	    NS_COUNTER(name ".fails", pool.pl_nfails, SYSCTL_U64, what " that were refused")
#define NS_COPY(name, text) NS_COUNTER("kern.copy." #name, ns_copystat.cs_##name, SYSCTL_U64, text)

#define SB_MAX_MIN (64u * 1024)
#define SB_MAX_MAX (64u * 1024 * 1024)
#define MCLNUM_MAX 64u

static int
mclbytes_check(struct netstack *ns, const struct sysctl_node *sn, uint64_t value)
{
	(void)ns;
	(void)sn;
	return value == MCLBYTES_MIN || value == MCLBYTES_MAX ? 0 : EINVAL;
}

static const struct sysctl_node kern_nodes[] = {
    NS_SETTING("kern.mbuf.mclbytes", ns_mclbytes, MCLBYTES_MIN, MCLBYTES_MAX, mclbytes_check,
	"bytes of a new cluster, 2048 or 4096"),
    NS_SETTING("kern.mbuf.mclnum", ns_mclnum, 1, MCLNUM_MAX, NULL,
	"clusters that a send fills with one copy-in"),
    NS_SETTING("kern.maxfilesperproc", ns_maxfilesperproc, 16, 1u << 20, NULL,
	"descriptors that a new process may have"),
    NS_SETTING("kern.ipc.maxsockbuf", ns_sb_max, SB_MAX_MIN, SB_MAX_MAX, NULL,
	"most bytes of a socket buffer"),
    NS_SETTING("kern.soreceive.batch", ns_soreceive_batch, 0, 1, NULL,
	"1: a peer hears of space once less than half a buffer is left to read"),
    NS_SETTING("kern.soreceive.mclnum", ns_soreceive_mclnum, 1, KVEC_MAX, NULL,
	"mbufs that a receive gathers in one copy-out"),
    NS_POOL("kern.mbuf.mbufs", ns_mbpool, "mbufs"),
    NS_POOL("kern.mbuf.mcl2k", ns_mcl2pool, "clusters of 2048 bytes"),
    NS_POOL("kern.mbuf.mcl4k", ns_mcl4pool, "clusters of 4096 bytes"),
    NS_POOL("kern.mbuf.jumbo", ns_mjpool, "jumbo buffers"),
    NS_POOL("kern.pool.sockets", ns_socketpool, "sockets"),
    NS_POOL("kern.pool.files", ns_filepool, "open files"),
    NS_POOL("kern.pool.procs", ns_procpool, "processes"),
    NS_POOL("kern.pool.lwps", ns_lwppool, "lwps"),
    NS_COUNTER("kern.lwps", ns_nlwps, SYSCTL_U32, "lwps with a call in progress"),
    NS_COPY(copyins, "copies from callers"),
    NS_COPY(copyin_bytes, "bytes copied from callers"),
    NS_COPY(copyouts, "copies to callers"),
    NS_COPY(copyout_bytes, "bytes copied to callers"),
    NS_COPY(sosend_copyins, "copies from callers for payload sent"),
    NS_COPY(sosend_copyin_bytes, "bytes of payload copied from callers"),
    NS_COPY(soreceive_copyouts, "copies to callers for payload received"),
    NS_COPY(soreceive_copyout_bytes, "bytes of payload copied to callers"),
    NS_COUNTER("kern.callout.pending", ns_callouts.cw_npending, SYSCTL_U32, "timers armed"),
    NS_COUNTER("kern.trace.events", ns_trace.t_count, SYSCTL_U64, "events traced"),
    NS_COUNTER("kern.trace.hash", ns_trace.t_hash, SYSCTL_U64, "hash over all events traced"),
};

void
kern_sysctl_init(struct netstack *ns)
{
	sysctl_register(ns, &ns->ns_kern_sysctls, kern_nodes, nitems(kern_nodes), ns);
}
