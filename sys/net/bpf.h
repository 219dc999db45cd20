/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taps on interfaces (rumpus/bpf.h): the link layers call bpf_mtap for each frame, which costs one
 * test of a pointer where there is no tap.
 */
#ifndef NET_BPF_H
#define NET_BPF_H

#include <stdint.h>

#include <rumpus/bpf.h>

#include "net/if.h"

/* Shows m, a whole frame, to the taps of ifp. */
void bpf_tap(struct ifnet *ifp, const struct mbuf *m, enum rumpus_bpf_direction direction);
/* Shows m, a packet of a protocol without link header, as the ethernet frame that it is not. */
void bpf_tap_ether(struct ifnet *ifp, const struct mbuf *m, uint16_t type);

static inline void
bpf_mtap(struct ifnet *ifp, const struct mbuf *m, enum rumpus_bpf_direction direction)
{
	if (__builtin_expect(ifp->if_bpf != NULL, 0))
		bpf_tap(ifp, m, direction);
}

/* The interface goes: its taps see nothing more. */
void bpf_ifdetach(struct ifnet *ifp);
/* The stack goes: taps that nobody has detached are freed. */
void bpf_fini(struct netstack *ns);

#endif /* NET_BPF_H */
