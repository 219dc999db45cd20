/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A wire between two stacks in one process.
 *
 * Theory of operation: each end is an ethernet interface of one stack. A frame sent at one end is
 * copied, because mbufs belong to their stack, waits for its turn on the wire (rate) and its
 * travelling time (delay), and comes in at the other end when link_turn is called at that time or
 * later. Time is whatever the caller says: virtual (step from one deadline to the next) or real
 * (sleep until the deadline). Faults are another driver's business.
 */
#ifndef DEV_LINK_IF_LINK_H
#define DEV_LINK_IF_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct ifnet;
struct link;
struct netstack;

#define LINK_ENDS 2

struct link_config {
	uint64_t lc_delay_ns; /* travelling time */
	uint64_t lc_rate_bps; /* bits a second in each direction; 0: no limit */
	uint32_t lc_queue;    /* frames on the way and waiting, each direction; more are dropped */
	uint32_t lc_mtu;      /* bytes of network packet, 68 ... 65535 */
};

struct link_end_config {
	struct netstack *le_ns;
	const char *le_name;      /* of the interface, fewer than 16 letters */
	const uint8_t *le_lladdr; /* station address */
};

/*
 * Makes the wire and its two interfaces, up and running.
 * => the two stacks differ. EINVAL: MTU, queue or a name; EEXIST: a name is taken; ENOMEM.
 */
int link_create(const struct link_config *lc, const struct link_end_config ends[LINK_ENDS],
    struct link **lnp);
/* Takes the interfaces out of their stacks; frames on the way are lost. */
void link_destroy(struct link *ln);
struct ifnet *link_ifp(struct link *ln, unsigned end);

/*
 * One turn at now_ns: both stacks take the time, get the frames that have arrived and run.
 * => when the next turn is due: a frame's arrival or a stack's deadline, or CALLOUT_NEVER. Not
 *    before now_ns; equal to it when there is more to do at once.
 */
uint64_t link_turn(struct link *ln, uint64_t now_ns);

/* Cuts the wire: what is sent is dropped, what is on the way still arrives. */
void link_cut(struct link *ln, bool cut);

#endif /* DEV_LINK_IF_LINK_H */
