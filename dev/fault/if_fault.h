/* SPDX-License-Identifier: BSD-2-Clause */
/* A bad link in front of an interface: what it sends and receives meets the fate that fault.h gives it. */
#ifndef DEV_FAULT_IF_FAULT_H
#define DEV_FAULT_IF_FAULT_H

#include "dev/fault/fault.h"

struct if_fault;
struct ifnet;

enum { FAULT_OUT, FAULT_IN, FAULT_DIRECTIONS };

/*
 * Puts itself between an attached interface and its stack, in both directions alike; frames wait as
 * mbufs. Times are those of the stack, so they are as exact as its owner keeps them.
 * => EINVAL: the driver segments or sums (if_capenable), so its frames are not those of the wire
 * => ENOMEM
 */
int fault_attach(struct ifnet *ifp, const struct fault_config *fc, struct if_fault **iffp);
/* Takes itself out again; frames on the way are lost. => before the interface goes */
void fault_detach(struct if_fault *iff);
const struct fault *fault_direction(const struct if_fault *iff, unsigned direction);

#endif /* DEV_FAULT_IF_FAULT_H */
