/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port: an ethernet interface whose wire is the caller's. Frames to send come out by a callback,
 * received ones go in by a call; nothing is kept in between.
 */
#ifndef DEV_LINK_IF_PORT_H
#define DEV_LINK_IF_PORT_H

#include <stddef.h>
#include <stdint.h>

struct netstack;
struct port;

/* A frame to send, whole and contiguous, borrowed for the call, which must not call the stack. */
typedef void port_output_fn(void *arg, const uint8_t *frame, size_t len);

struct port_config {
	const char *pc_name;      /* of the interface, fewer than 16 letters */
	const uint8_t *pc_lladdr; /* station address */
	uint32_t pc_mtu;          /* bytes of network packet, 68 ... 65535 */
	port_output_fn *pc_output;
	void *pc_arg;
};

/*
 * Makes the interface, up and running; it goes with its stack.
 * => EINVAL: name or MTU; EEXIST: the name is taken; ENOMEM
 */
int port_attach(struct netstack *ns, const struct port_config *pc, struct port **portp);
/* A frame has come; it is copied. => ENOBUFS: dropped and counted */
int port_input(struct port *port, const uint8_t *frame, size_t len);
/* => EINVAL: more than at port_attach, or less than 68 */
int port_setmtu(struct port *port, uint32_t mtu);

#endif /* DEV_LINK_IF_PORT_H */
