/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters of datagram, raw and ICMP sockets, as Linux has them (SO_ATTACH_FILTER): a program of classic
 * BPF sees each datagram from the header of its protocol on (a raw socket's from that of IP), and says how
 * much of it the socket gets.
 *
 * What Linux's machine has beyond the packet (SKF_AD_OFF, SKF_NET_OFF, SKF_LL_OFF: loads from the end of
 * the address space) is refused. A stream has no filter: its segments are not a program's.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/bpf_filter.h"
#include "netinet/in_dgram.h"

#define FILTER_MAX 512u           /* instructions: a socket holds them outside of the pools */
#define FILTER_BEYOND 0xffe00000u /* SKF_LL_OFF, the lowest of Linux's places beyond the packet */

/* Of bi_code: a load of either register, from a place in the packet. */
#define LOADS(code) (((code)&0x06u) == 0)
#define MODE(code) ((code)&0xe0u)
enum { MODE_ABS = 0x20, MODE_IND = 0x40, MODE_MSH = 0xa0 };

static bool
filter_looks_beyond(const struct rumpus_bpf_insn *bi)
{
	uint32_t mode = MODE(bi->bi_code);

	return LOADS(bi->bi_code) && bi->bi_k >= FILTER_BEYOND &&
	    (mode == MODE_ABS || mode == MODE_IND || mode == MODE_MSH);
}

static bool
filter_isgood(const struct rumpus_bpf_insn *insns, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (filter_looks_beyond(&insns[i]))
			return false;
	}
	return bpf_validate(insns, n);
}

void
in_filter_free(struct in_dgram *dg)
{
	if (dg->dg_filter != NULL)
		kmem_free(dg->dg_filter, dg->dg_filterlen * sizeof(*dg->dg_filter));
	dg->dg_filter = NULL;
	dg->dg_filterlen = 0;
}

/* In the place of the one before, if any. */
static int
filter_attach(struct inpcb *inp, const struct sockopt *sopt)
{
	const void *value = sopt->sopt_long != NULL ? sopt->sopt_long : sopt->sopt_data;
	size_t n = sopt->sopt_size / sizeof(struct rumpus_bpf_insn);
	struct rumpus_bpf_insn *insns;
	struct in_dgram *dg;

	if (n == 0 || sopt->sopt_size % sizeof(*insns) != 0)
		return EINVAL;
	if (n > FILTER_MAX || (dg = in_dgram_get(inp)) == NULL ||
	    (insns = kmem_alloc(&inp->inp_ns->ns_fault, n * sizeof(*insns))) == NULL)
		return ENOMEM;
	memcpy(insns, value, n * sizeof(*insns));
	if (!filter_isgood(insns, (uint32_t)n)) {
		kmem_free(insns, n * sizeof(*insns));
		return EINVAL;
	}
	in_filter_free(dg);
	dg->dg_filter = insns;
	dg->dg_filterlen = (uint32_t)n;
	return 0;
}

static int
filter_lock(struct inpcb *inp, const struct sockopt *sopt)
{
	int value, error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value == 0)
		return (inp->inp_flags & INP_FILTERLOCK) != 0 ? EPERM : 0;
	inp->inp_flags |= INP_FILTERLOCK;
	return 0;
}

static int
filter_set(struct inpcb *inp, const struct sockopt *sopt)
{
	bool stream = (inp->inp_socket->so_proto->pr_flags & PR_ATOMIC) == 0;
	struct in_dgram *dg = in_dgram_find(inp);

	if (sopt->sopt_name == SO_LOCK_FILTER)
		return filter_lock(inp, sopt);
	if ((inp->inp_flags & INP_FILTERLOCK) != 0)
		return EPERM;
	if (sopt->sopt_name == SO_ATTACH_FILTER)
		return stream ? ENOPROTOOPT : filter_attach(inp, sopt);
	if (dg == NULL || dg->dg_filter == NULL)
		return ENOENT;
	in_filter_free(dg);
	return 0;
}

/* => EACCES: there is one, but it is not given out */
static int
filter_get(const struct inpcb *inp, struct sockopt *sopt)
{
	const struct in_dgram *dg = in_dgram_find(inp);

	switch (sopt->sopt_name) {
	case SO_LOCK_FILTER:
		sockopt_putint(sopt, (inp->inp_flags & INP_FILTERLOCK) != 0);
		return 0;
	case SO_ATTACH_FILTER:
		if (dg != NULL && dg->dg_filter != NULL)
			return EACCES;
		sopt->sopt_size = 0;
		return 0;
	default:
		return ENOPROTOOPT;
	}
}

int
in_filter_ctloutput(struct inpcb *inp, struct sockopt *sopt)
{
	if (sopt->sopt_name < SO_ATTACH_FILTER || sopt->sopt_name > SO_LOCK_FILTER)
		return ENOPROTOOPT;
	return sopt->sopt_set ? filter_set(inp, sopt) : filter_get(inp, sopt);
}

struct mbuf *
in_filter_apply(const struct inpcb *inp, struct mbuf *m, uint32_t least)
{
	const struct in_dgram *dg = in_dgram_find(inp);
	struct bpf_view view = {.bv_m = m, .bv_len = m->m_pkthdr.len};
	uint32_t wanted;

	if (dg == NULL || dg->dg_filter == NULL)
		return m;
	wanted = bpf_filter(dg->dg_filter, &view);
	if (wanted == 0) {
		in_pcb_dropped(inp);
		m_drop(m, DROP_SOCK_FILTER);
		return NULL;
	}
	wanted = KERN_MAX(wanted, least);
	if (wanted < m->m_pkthdr.len)
		m_adj(m, -(int)(m->m_pkthdr.len - wanted));
	return m;
}
