/* SPDX-License-Identifier: BSD-2-Clause */
/* The ifnet half of the tap driver: an ethernet station on a tap interface of the host. */
#ifndef DEV_TAP_IF_TAP_H
#define DEV_TAP_IF_TAP_H

#include <stdbool.h>
#include <stdint.h>

struct ifnet;
struct netstack;
struct tap_host;

struct tap_config {
	const char *tc_name;      /* of the interface in the stack, fewer than 16 letters */
	const uint8_t *tc_lladdr; /* station address; NULL: a random, locally administered one */
	bool tc_offload;          /* the host does checksums and segmentation */
	bool tc_uso;              /* and cuts what datagrams were joined to; with tc_txwait */
	uint32_t tc_mtu;          /* bytes of network packet, 68 ... 65535 */
	/*
	 * Told when frames begin to wait for tap_tx_resume, which the owner of the loop calls when the
	 * turn's other work is done: what clients wait for goes out before what the wire does. NULL:
	 * each frame is written at once.
	 */
	void (*tc_txwait)(void *arg);
	void *tc_arg;
};

/*
 * Makes the interface, up and running, on an opened tap, which it borrows.
 * => EINVAL: MTU or address out of range; EEXIST: the name is taken; ENOMEM.
 */
int tap_attach(struct netstack *ns, const struct tap_config *tc, struct tap_host *th,
    struct ifnet **ifpp);
void tap_detach(struct ifnet *ifp);

/*
 * Takes in at most `budget` frames; one of several datagrams counts as so many, and may be over it.
 * => how many there were (fewer than the budget: no more for now), or -1: the tap is gone.
 */
int tap_rx(struct ifnet *ifp, unsigned budget);

/* Sends what is queued. => true: all of it; false: the tap takes no more for now. */
bool tap_tx_resume(struct ifnet *ifp);
/* Are frames waiting for the tap to take them? */
bool tap_tx_pending(const struct ifnet *ifp);

#endif /* DEV_TAP_IF_TAP_H */
