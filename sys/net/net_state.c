/* SPDX-License-Identifier: BSD-2-Clause */
/* Set-up and tear-down of sys/net in a stack, and the registry of network protocols. */
#include "net/net_state.h"

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/bpf.h"
#include "wire/ether.h"

#define NET_MAXROUTES 65536u

static const struct sysctl_node net_nodes[] = {
    {
	.sn_name = "net.route.count",
	.sn_text = "IPv4 routes in the table",
	.sn_type = SYSCTL_U32,
	.sn_offset = offsetof(struct net_state, nst_rtable4.rtb_count),
	.sn_size = sizeof(uint32_t),
    },
    {
	.sn_name = "net.route.count6",
	.sn_text = "IPv6 routes in the table",
	.sn_type = SYSCTL_U32,
	.sn_offset = offsetof(struct net_state, nst_rtable6.rtb_count),
	.sn_size = sizeof(uint32_t),
    },
    {
	.sn_name = "net.loop.qlen",
	.sn_text = "packets that wait on the loopback interface",
	.sn_type = SYSCTL_U32,
	.sn_offset = offsetof(struct net_state, nst_loopq.mq_len),
	.sn_size = sizeof(uint32_t),
    },
    {
	.sn_name = "net.loop.maxqlen",
	.sn_text = "most packets that may wait on the loopback interface",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct net_state, nst_loopq.mq_maxlen),
	.sn_size = sizeof(uint32_t),
	.sn_min = 1,
	.sn_max = 65536,
    },
};

int
net_init(struct netstack *ns)
{
	struct net_state *nst;
	int error;

	KASSERT(ns->ns_net == NULL);
	if ((nst = kmem_alloc(&ns->ns_fault, sizeof(*nst))) == NULL)
		return ENOMEM;
	if ((error = rt_pool_init(&nst->nst_rtpool, 2 * NET_MAXROUTES, &ns->ns_fault)) != 0) {
		kmem_free(nst, sizeof(*nst));
		return error;
	}
	TAILQ_INIT(&nst->nst_ifs);
	nst->nst_nextindex = 1;
	nst->nst_bpfgone = NULL;
	rtable_init(&nst->nst_rtable4, &nst->nst_rtpool, 32);
	rtable_init(&nst->nst_rtable6, &nst->nst_rtpool, 128);
	mbufq_init(&nst->nst_loopq, NET_LOOPQ_MAX);
	ns->ns_net = nst;
	ns->ns_netisr = loop_netisr;
	sysctl_register(ns, &nst->nst_sysctls, net_nodes, nitems(net_nodes), nst);
	if ((error = loop_attach(ns)) != 0)
		net_fini(ns);
	return error;
}

void
net_fini(struct netstack *ns)
{
	struct net_state *nst = ns->ns_net;

	if (nst == NULL)
		return;
	while (!TAILQ_EMPTY(&nst->nst_ifs))
		if_detach(TAILQ_FIRST(&nst->nst_ifs));
	bpf_fini(ns);
	mbufq_drain(&nst->nst_loopq);
	rtable_flush(&nst->nst_rtable4);
	rtable_flush(&nst->nst_rtable6);
	pool_destroy(&nst->nst_rtpool);
	sysctl_unregister(ns, &nst->nst_sysctls);
	ns->ns_netisr = NULL;
	ns->ns_net = NULL;
	kmem_free(nst, sizeof(*nst));
}

int
net_proto_register(struct netstack *ns, const struct netproto *np)
{
	struct net_state *nst = ns->ns_net;

	if (nst->nst_nprotos == NET_MAXPROTOS)
		return ENOBUFS;
	nst->nst_protos[nst->nst_nprotos++] = np;
	return 0;
}

void
net_proto_unregister(struct netstack *ns, const struct netproto *np)
{
	struct net_state *nst = ns->ns_net;
	uint32_t i;

	for (i = 0; i < nst->nst_nprotos; i++)
		if (nst->nst_protos[i] == np)
			nst->nst_protos[i--] = nst->nst_protos[--nst->nst_nprotos];
}

const struct netproto *
net_proto_byether(const struct netstack *ns, uint16_t ethertype)
{
	const struct net_state *nst = ns->ns_net;
	uint32_t i;

	for (i = 0; i < nst->nst_nprotos; i++)
		if (nst->nst_protos[i]->np_ethertype == ethertype)
			return nst->nst_protos[i];
	return NULL;
}

const struct netproto *
net_proto_byfamily(const struct netstack *ns, int family)
{
	const struct net_state *nst = ns->ns_net;
	uint32_t i;

	for (i = 0; i < nst->nst_nprotos; i++)
		if (nst->nst_protos[i]->np_family == family)
			return nst->nst_protos[i];
	return NULL;
}

void
net_input_ip(struct ifnet *ifp, struct mbuf *m)
{
	const struct netproto *np;
	uint8_t version;

	if (m->m_pkthdr.len == 0) {
		m_drop(m, DROP_IP_SHORT);
		return;
	}
	m_copydata(m, 0, 1, &version);
	version >>= 4;
	np = net_proto_byether(ifp->if_ns, version == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
	if (np == NULL || (version != 4 && version != 6)) {
		m_drop(m, DROP_IP_VERSION);
		return;
	}
	np->np_input(ifp, m);
}
