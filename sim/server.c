/* SPDX-License-Identifier: BSD-2-Clause */
/* A host's servers, of streams and of datagrams: a socket for both families, or one each. */
#include <rumpus/abi.h>
#include <rumpus/socket.h>

#include "sim/address.h"
#include "sim/host.h"
#include "sim/side.h"

#define RETRY_NS (20 * SIM_MS)

enum { SERVER_STREAM = 1, SERVER_IP6 = 2 }; /* bits of an event's tag; above: the host's life */

static void server_open(struct host *h, uint64_t what);

static void
server_again(struct world *w, void *arg, uint64_t tag)
{
	struct host *h = arg;

	(void)w;
	if (h->h_ns != NULL && h->h_life == tag >> 2)
		server_open(h, tag & 3);
}

/* => a descriptor, or an errno, negated */
static int
server_socket(struct host *h, int type, int domain)
{
	const int v6only = !h->h_world->w_plan.pl_hosts[h->h_index].hp_dual;
	union bsd_sockaddr_any any;
	int fd = rumpus_socket(h->h_proc, domain, type | BSD_SOCK_NONBLOCK, 0), error = 0;

	if (fd < 0)
		return fd;
	if (domain == BSD_AF_INET6)
		error = rumpus_setsockopt(h->h_proc, fd, BSD_IPPROTO_IPV6, BSD_IPV6_V6ONLY, &v6only,
		    sizeof(v6only));
	address_any(domain, SIM_PORT, &any);
	if (error == 0)
		error = rumpus_bind(h->h_proc, fd, &any.sa, any.sa.sa_len);
	if (error == 0 && type == BSD_SOCK_STREAM)
		error = rumpus_listen(h->h_proc, fd, 16);
	if (error == 0)
		return fd;
	(void)rumpus_close(h->h_proc, fd);
	return error;
}

static void
server_open(struct host *h, uint64_t what)
{
	const bool stream = (what & SERVER_STREAM) != 0;
	int fd = server_socket(h, stream ? BSD_SOCK_STREAM : BSD_SOCK_DGRAM,
	    (what & SERVER_IP6) != 0 ? BSD_AF_INET6 : BSD_AF_INET);
	const struct event again = {.ev_time_ns = h->h_world->w_now_ns + RETRY_NS,
	    .ev_do = server_again,
	    .ev_arg = h,
	    .ev_tag = h->h_life << 2 | what};

	if (fd >= 0)
		side_new(h, fd, stream ? listener_step : datagram_serve)->s_stays = true;
	else if (side_nomem(fd))
		event_add(&h->h_world->w_events, &again);
	else
		world_fail(h->h_world, "host %u: no server's socket: errno %d", h->h_index, -fd);
}

void
server_start(struct host *h)
{
	const struct host_plan *hp = &h->h_world->w_plan.pl_hosts[h->h_index];

	for (uint64_t stream = 0; stream < 2; stream++) {
		if (!hp->hp_dual)
			server_open(h, stream);
		if (hp->hp_dual || hp->hp_ip6 != HOST_IP6_NONE)
			server_open(h, stream | SERVER_IP6);
	}
}
