/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack's interfaces, for getifaddrs and its kin. */
#include <net/if.h>
#include <string.h>

#include <rumpus/stack.h>

#include "server/fdsock/fd_impl.h"
#include "server/fdsock/fd_sockets.h"

/* BSD's interface flags that the host has too. */
static const struct {
	uint32_t bsd;
	uint32_t host;
} fd_ifflags[] = {
    {0x0001, IFF_UP},
    {0x0002, IFF_BROADCAST},
    {0x0008, IFF_LOOPBACK},
    {0x0010, IFF_POINTOPOINT},
    {0x0040, IFF_RUNNING},
    {0x0080, IFF_NOARP},
    {0x0100, IFF_PROMISC},
    {0x8000, IFF_MULTICAST},
};

static void
fd_ifaddr_fill(const struct rumpus_ifinfo *ri, struct fdsock_ifaddr *ia)
{
	uint32_t scope;
	uint16_t family, port;

	*ia = (struct fdsock_ifaddr){.ia_ifindex = ri->ri_index,
	    .ia_mtu = ri->ri_mtu,
	    .ia_lladdrlen = ri->ri_lladdrlen,
	    .ia_prefixlen = ri->ri_prefixlen};
	memcpy(ia->ia_name, ri->ri_name, sizeof(ia->ia_name));
	memcpy(ia->ia_lladdr, ri->ri_lladdr, sizeof(ia->ia_lladdr));
	for (size_t i = 0; i < nitems(fd_ifflags); i++) {
		if ((ri->ri_flags & fd_ifflags[i].bsd) != 0)
			ia->ia_flags |= fd_ifflags[i].host;
	}
	fd_addr_split(&ri->ri_addr.sa, &ia->ia_family, &port, ia->ia_addr, &ia->ia_scope_id);
	fd_addr_split(&ri->ri_dstaddr.sa, &family, &port, ia->ia_broadaddr, &scope);
}

int
fd_op_ifaddrs(struct fd_call *ca)
{
	int32_t first = ca->ca_req->fq_arg[0];
	struct rumpus_ifinfo ri;
	struct fdsock_ifaddr ia;
	uint32_t n;

	for (n = 0; rumpus_ifinfo(ca->ca_server->fd_ns, n, &ri) == 0; n++) {
		if (first < 0 || n < (uint32_t)first || n - (uint32_t)first >= FDSOCK_IFADDRS_MAX)
			continue;
		fd_ifaddr_fill(&ri, &ia);
		memcpy(ca->ca_out + ca->ca_reply->fp_datalen, &ia, sizeof(ia));
		ca->ca_reply->fp_datalen += sizeof(ia);
	}
	ca->ca_reply->fp_value[0] = (int32_t)n;
	return 0;
}
