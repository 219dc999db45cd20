/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taps. Those of an interface are a list that begins at if_bpf; those whose interface is gone are on
 * nst_bpfgone until their owner lets go of them.
 */
#include "net/bpf.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/bpf_filter.h"
#include "net/net_state.h"
#include "wire/ether.h"

struct rumpus_bpf {
	struct rumpus_bpf *bd_next;
	struct rumpus_bpf **bd_list; /* the head of the list that it is on */
	enum rumpus_bpf_direction bd_direction;
	uint32_t bd_snaplen;
	rumpus_bpf_fn *bd_fn;
	void *bd_arg;
	struct rumpus_bpf_stat bd_stat;
	uint32_t bd_ninsns;
	struct rumpus_bpf_insn bd_filter[];
};

static size_t
bpf_size(uint32_t ninsns)
{
	return sizeof(struct rumpus_bpf) + ninsns * sizeof(struct rumpus_bpf_insn);
}

/* --- frames --------------------------------------------------------------------------------- */

static void
bpf_deliver(struct rumpus_bpf *bd, struct rumpus_bpf_packet *bp)
{
	const struct bpf_view bv = {.bv_hdr = bp->bp_hdr,
	    .bv_hdrlen = bp->bp_hdrlen,
	    .bv_m = bp->bp_m,
	    .bv_len = bp->bp_len};
	uint32_t want = bd->bd_snaplen;

	if ((bd->bd_direction & bp->bp_direction) == 0)
		return;
	if (bd->bd_ninsns > 0)
		want = KERN_MIN(want, bpf_filter(bd->bd_filter, &bv));
	if (want == 0)
		return;
	bp->bp_caplen = KERN_MIN(want, bp->bp_len);
	bd->bd_stat.bs_recv++;
	bd->bd_stat.bs_drop += !bd->bd_fn(bd->bd_arg, bp);
}

static void
bpf_show(struct ifnet *ifp, struct rumpus_bpf_packet *bp)
{
	bp->bp_when_ns = ifp->if_ns->ns_now;
	bp->bp_len = bp->bp_hdrlen + bp->bp_m->m_pkthdr.len;
	for (struct rumpus_bpf *bd = ifp->if_bpf; bd != NULL; bd = bd->bd_next)
		bpf_deliver(bd, bp);
}

void
bpf_tap(struct ifnet *ifp, const struct mbuf *m, enum rumpus_bpf_direction direction)
{
	struct rumpus_bpf_packet bp = {.bp_direction = direction, .bp_m = m};

	bpf_show(ifp, &bp);
}

void
bpf_tap_ether(struct ifnet *ifp, const struct mbuf *m, uint16_t type)
{
	const struct ether_hdr eh = {.ether_type = type};
	uint8_t hdr[ETHER_HDR_LEN];
	struct rumpus_bpf_packet bp = {.bp_direction = RUMPUS_BPF_OUT,
	    .bp_hdr = hdr,
	    .bp_hdrlen = sizeof(hdr),
	    .bp_m = m};

	ether_emit(hdr, &eh);
	bpf_show(ifp, &bp);
}

void
rumpus_bpf_copy(const struct rumpus_bpf_packet *bp, void *bytes)
{
	uint32_t n = KERN_MIN(bp->bp_hdrlen, bp->bp_caplen);

	if (n > 0)
		memcpy(bytes, bp->bp_hdr, n);
	if (bp->bp_caplen > n)
		m_copydata(bp->bp_m, 0, bp->bp_caplen - n, (uint8_t *)bytes + n);
}

/* --- attaching ------------------------------------------------------------------------------ */

static void
bpf_insert(struct rumpus_bpf **list, struct rumpus_bpf *bd)
{
	bd->bd_list = list;
	bd->bd_next = *list;
	*list = bd;
}

static void
bpf_remove(struct rumpus_bpf *bd)
{
	struct rumpus_bpf **bdp = bd->bd_list;

	while (*bdp != bd)
		bdp = &(*bdp)->bd_next;
	*bdp = bd->bd_next;
}

int
rumpus_bpf_attach(struct netstack *ns, const struct rumpus_bpf_config *bc, struct rumpus_bpf **tapp)
{
	struct ifnet *ifp = if_byname(ns, bc->bc_ifname);
	struct rumpus_bpf *bd;

	if (ifp == NULL)
		return ENXIO;
	if (bc->bc_direction < RUMPUS_BPF_IN || bc->bc_direction > RUMPUS_BPF_INOUT ||
	    (bc->bc_ninsns > 0 && !bpf_validate(bc->bc_filter, bc->bc_ninsns)))
		return EINVAL;
	if ((bd = kmem_alloc(&ns->ns_fault, bpf_size(bc->bc_ninsns))) == NULL)
		return ENOMEM;
	bd->bd_direction = bc->bc_direction;
	bd->bd_snaplen = bc->bc_snaplen != 0 ? bc->bc_snaplen : UINT32_MAX;
	bd->bd_fn = bc->bc_fn;
	bd->bd_arg = bc->bc_arg;
	bd->bd_stat = (struct rumpus_bpf_stat){0};
	bd->bd_ninsns = bc->bc_ninsns;
	if (bc->bc_ninsns > 0)
		memcpy(bd->bd_filter, bc->bc_filter, bc->bc_ninsns * sizeof(*bc->bc_filter));
	bpf_insert(&ifp->if_bpf, bd);
	*tapp = bd;
	return 0;
}

void
rumpus_bpf_detach(struct rumpus_bpf *tap)
{
	bpf_remove(tap);
	kmem_free(tap, bpf_size(tap->bd_ninsns));
}

void
rumpus_bpf_stat(const struct rumpus_bpf *tap, struct rumpus_bpf_stat *bs)
{
	*bs = tap->bd_stat;
}

int
rumpus_bpf_linktype(struct netstack *ns, const char *ifname)
{
	const struct ifnet *ifp = if_byname(ns, ifname);

	if (ifp == NULL)
		return -1;
	return ifp->if_type == IFT_PPP ? RUMPUS_LINKTYPE_RAW : RUMPUS_LINKTYPE_ETHERNET;
}

void
bpf_ifdetach(struct ifnet *ifp)
{
	struct rumpus_bpf *bd;

	while ((bd = ifp->if_bpf) != NULL) {
		bpf_remove(bd);
		bpf_insert(&ifp->if_ns->ns_net->nst_bpfgone, bd);
	}
}

void
bpf_fini(struct netstack *ns)
{
	struct rumpus_bpf *bd;

	while ((bd = ns->ns_net->nst_bpfgone) != NULL)
		rumpus_bpf_detach(bd);
}
