/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ifnet half of a wire between the stacks of two processes on one machine: an ethernet station
 * whose frames, of up to 64 KiB, cross in shared memory. Checksums are left out and segments stay
 * whole on the way; the other end takes them so.
 */
#ifndef DEV_SHMLINK_IF_SHMLINK_H
#define DEV_SHMLINK_IF_SHMLINK_H

#include <stdbool.h>
#include <stdint.h>

struct ifnet;
struct netstack;
struct shmlink_map;

struct shmlink_config {
	const char *sc_name;        /* of the interface in the stack, fewer than 16 letters */
	const uint8_t *sc_lladdr;   /* station address; NULL: a random, locally administered one */
	uint32_t sc_mtu;            /* bytes of network packet, 68 ... 65535 */
	void (*sc_bell)(void *arg); /* wakes the other end */
	void *sc_arg;
};

/*
 * Makes the interface, without a carrier. Frames sent until there is one are dropped.
 * => EINVAL: MTU, address or name; EEXIST: the name is taken; ENOMEM.
 */
int shmlink_attach(struct netstack *ns, const struct shmlink_config *sc, struct ifnet **ifpp);
void shmlink_detach(struct ifnet *ifp);

/* The other end is there, over sm's rings. */
void shmlink_up(struct ifnet *ifp, const struct shmlink_map *sm);
/* It is gone: the rings are used no more, what waited is dropped. */
void shmlink_down(struct ifnet *ifp);

/*
 * Takes in at most `budget` frames and sends what waited for room.
 * => how many came (fewer than the budget: the other end will ring), or -1: what the other end
 *    put into the ring cannot be
 */
int shmlink_turn(struct ifnet *ifp, unsigned budget);

#endif /* DEV_SHMLINK_IF_SHMLINK_H */
