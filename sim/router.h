/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands between hosts and speaks as a router would: errors about packets that are too long for
 * the other host's link, in every world; and, where the plan has one, a router of IPv6 beside the
 * switch. It advertises fd00::/64 (RFC 4861 §6.2), answers for itself, passes on what is sent by it,
 * and asks for members of groups. It is a model, not a stack: it knows all stations, and loses nothing.
 */
#ifndef SIM_ROUTER_H
#define SIM_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host;
struct world;

void router_make(struct world *w);
void router_unmake(struct world *w);
/* A frame of a host to all, or to the router. */
void router_input(struct host *from, const uint8_t *frame, size_t len);
/* Is it the router's own station? */
bool router_is_station(const struct world *w, const uint8_t lladdr[6]);
/* "Fragmentation needed" (RFC 1191 §4) or "packet too big" (RFC 4443 §3.2) about a frame, to its sender. */
void router_too_long(struct host *from, const uint8_t *frame, size_t len, uint32_t mtu);

#endif /* SIM_ROUTER_H */
