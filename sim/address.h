/* SPDX-License-Identifier: BSD-2-Clause */
/* The addresses of a world: by host and family, and back. */
#ifndef SIM_ADDRESS_H
#define SIM_ADDRESS_H

#include <rumpus/abi.h>

#include "sim/world.h"

/* Of sockets that speak it. */
int address_domain(enum family family);
/*
 * A host's address and a port. ifindex: the interface of who uses it, which the address of a link is
 * told with.
 */
void address_of(const struct host *h, enum family family, uint32_t ifindex, uint16_t port,
    union bsd_sockaddr_any *sa);
/* No address and a port. domain is BSD_AF_INET or BSD_AF_INET6. */
void address_any(int domain, uint16_t port, union bsd_sockaddr_any *sa);
/* Are the two the same, ports aside? */
bool address_same(const union bsd_sockaddr_any *a, const union bsd_sockaddr_any *b);

/* Gives a host its addresses, by its plan and its station. */
void address_init(struct host *h);
/* Is it one of the host's, as it is on the wire? */
bool address_is_ip6_of(const struct host *h, const uint32_t addr[4]);

#endif /* SIM_ADDRESS_H */
