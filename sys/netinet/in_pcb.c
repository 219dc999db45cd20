/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protocol control blocks: making, connecting, finding and freeing them. Binding is in
 * in_pcb_bind.c.
 *
 * A bound pcb is on two chains: inp_lport_hash by its local port, for questions about the port, and
 * inp_hash, for packets: by its four-tuple when connected, else by its port alone in the same
 * table, so that a listener is found without a walk past its connections.
 */
#include "netinet/in_dgram.h"

#include <assert.h>
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_pcb_af.h"
#include "netinet/in_pcb_impl.h"
#include "wire/be.h"

#define IN_HASHSIZE_MIN 64u

static struct inpcb_list *
hash_alloc(struct netstack *ns, uint32_t size)
{
	return kmem_alloc(&ns->ns_fault, size * sizeof(struct inpcb_list));
}

static void
hash_free(struct inpcb_list *hash, uint32_t size)
{
	kmem_free(hash, size * sizeof(*hash));
}

int
in_pcbtable_init(struct inpcbtable *table, struct netstack *ns, const char *name, uint32_t limit)
{
	int error;

	memset(table, 0, sizeof(*table));
	table->it_ns = ns;
	table->it_portlo = 49152; /* RFC 6335 §6 */
	table->it_porthi = 65535;
	TAILQ_INIT(&table->it_queue);
	rng_bytes(&ns->ns_rng, table->it_key, sizeof(table->it_key));
	if ((error = pool_init(&table->it_pool, name, sizeof(struct inpcb), limit, 0,
		 &ns->ns_fault)) != 0)
		return error;
	table->it_connhash = hash_alloc(ns, IN_HASHSIZE_MIN);
	table->it_porthash = hash_alloc(ns, IN_HASHSIZE_MIN);
	table->it_connhash_size = table->it_porthash_size = IN_HASHSIZE_MIN;
	if (table->it_connhash == NULL || table->it_porthash == NULL) {
		in_pcbtable_fini(table);
		return ENOMEM;
	}
	return 0;
}

void
in_pcbtable_fini(struct inpcbtable *table)
{
	KASSERT(TAILQ_EMPTY(&table->it_queue));
	in_pairs_fini(table);
	hash_free(table->it_connhash, table->it_connhash_size);
	hash_free(table->it_porthash, table->it_porthash_size);
	pool_destroy(&table->it_pool);
}

uint64_t
in_pcbhash_pair(const struct inpcbtable *table, const struct in_lookup *il)
{
	struct {
		struct in_addrany laddr, faddr;
		uint16_t lport, fport;
	} key = {il->il_laddr, il->il_faddr, il->il_lport, il->il_fport};

	static_assert(sizeof(key) == 36, "no padding is hashed");
	return siphash24(table->it_key, &key, sizeof(key));
}

uint64_t
in_pcbhash_port(const struct inpcbtable *table, uint16_t lport)
{
	return siphash24(table->it_key, &lport, sizeof(lport));
}

static struct inpcb_list *
hash_conn(const struct inpcbtable *table, const struct in_lookup *il)
{
	return &table->it_connhash[in_pcbhash_pair(table, il) & (table->it_connhash_size - 1)];
}

static struct inpcb_list *
hash_bound(const struct inpcbtable *table, uint16_t lport)
{
	return &table->it_connhash[in_pcbhash_port(table, lport) & (table->it_connhash_size - 1)];
}

static struct inpcb_list *
hash_port(const struct inpcbtable *table, uint16_t lport)
{
	return &table->it_porthash[in_pcbhash_port(table, lport) & (table->it_porthash_size - 1)];
}

static void
pcb_hash(struct inpcb *inp)
{
	struct in_lookup il = {inp->inp_af, inp->inp_laddr, inp->inp_faddr, inp->inp_lport,
	    inp->inp_fport, 0};

	if ((inp->inp_flags & INP_CONNECTED) != 0)
		LIST_INSERT_HEAD(hash_conn(inp->inp_table, &il), inp, inp_hash);
	else
		LIST_INSERT_HEAD(hash_bound(inp->inp_table, inp->inp_lport), inp, inp_hash);
}

void
in_pcbhash_enter(struct inpcb *inp)
{
	KASSERT(inp->inp_lport != 0);
	pcb_hash(inp);
	LIST_INSERT_HEAD(hash_port(inp->inp_table, inp->inp_lport), inp, inp_lport_hash);
}

static void
in_pcbhash_leave(struct inpcb *inp)
{
	if (inp->inp_lport == 0)
		return;
	LIST_REMOVE(inp, inp_hash);
	LIST_REMOVE(inp, inp_lport_hash);
}

/* Twice as many buckets; without memory the chains just grow longer. */
static void
in_pcbtable_grow(struct inpcbtable *table)
{
	uint32_t size = 2 * table->it_connhash_size;
	struct inpcb_list *conn, *port;
	struct inpcb *inp;

	conn = hash_alloc(table->it_ns, size);
	port = hash_alloc(table->it_ns, size);
	if (conn == NULL || port == NULL) {
		hash_free(conn, size);
		hash_free(port, size);
		return;
	}
	TAILQ_FOREACH(inp, &table->it_queue, inp_queue)
		in_pcbhash_leave(inp);
	hash_free(table->it_connhash, table->it_connhash_size);
	hash_free(table->it_porthash, table->it_porthash_size);
	table->it_connhash = conn;
	table->it_porthash = port;
	table->it_connhash_size = table->it_porthash_size = size;
	TAILQ_FOREACH(inp, &table->it_queue, inp_queue) {
		if (inp->inp_lport != 0)
			in_pcbhash_enter(inp);
	}
}

int
in_pcballoc(struct inpcbtable *table, struct socket *so, const struct in_afops *af,
    struct inpcb **inpp)
{
	struct inpcb *inp = pool_get_zeroed(&table->it_pool);

	if (inp == NULL)
		return ENOBUFS;
	inp->inp_ns = table->it_ns;
	inp->inp_table = table;
	inp->inp_socket = so;
	inp->inp_mttl = 1;
	inp->in6p_mhops = 1;
	inp->in6p_pmtudisc = IP_PMTUDISC_WANT;
	inp->inp_flags = INP_MCASTLOOP | INP_MCASTALL | IN6P_MCASTLOOP | IN6P_MCASTALL;
	if (af->af_family == AF_INET6)
		inp->inp_flags |= INP_V6;
	in_pcb_setaf(inp, af);
	TAILQ_INSERT_TAIL(&table->it_queue, inp, inp_queue);
	if (++table->it_count > 2 * table->it_connhash_size)
		in_pcbtable_grow(table);
	so->so_pcb = inp;
	*inpp = inp;
	return 0;
}

/* Moves a bound pcb to where its new endpoints belong. */
static void
in_pcbrehash(struct inpcb *inp)
{
	LIST_REMOVE(inp, inp_hash);
	pcb_hash(inp);
}

/* What a pcb connects to when told to connect to nam, and the family it is of. */
static int
in_pcbconnect_dest(const struct inpcb *inp, const struct bsd_sockaddr *nam, struct in_endpoint *ep,
    const struct in_afops **afp)
{
	const struct in_afops *af;
	int error;

	if ((error = in_pcb_parsedest(inp, nam, ep, afp)) != 0)
		return error;
	af = *afp;
	if (ep->ie_port == 0)
		return EADDRNOTAVAIL;
	if (in_addrany_isany(&ep->ie_addr))
		ep->ie_addr =
		    in_addrany_isany(&inp->inp_laddr) ? af->af_loopback() : inp->inp_laddr;
	if ((inp->inp_socket->so_options & SO_BROADCAST) == 0 &&
	    af->af_isbroadcast(inp->inp_ns, &ep->ie_addr))
		return EACCES;
	return 0;
}

static bool
in_pcbpair_istaken(struct inpcbtable *table, const struct in_lookup *il)
{
	return in_pcblookup_connect(table, il) != NULL || in_pairlookup(table, il) != NULL;
}

/* Where packets for a group are sent by, when the socket has said; else NULL. */
static struct ifnet *
in_pcb_mcastifp(const struct inpcb *inp, const struct in_afops *af, const struct in_addrany *dst)
{
	const struct in_dgram *dg;

	if (!af->af_ismulticast(dst) || (dg = in_dgram_find(inp)) == NULL)
		return NULL;
	return if_byindex(inp->inp_ns,
	    af->af_family == AF_INET6 ? dg->dg_mcastif6 : dg->dg_mcastif);
}

/* The address of ours that packets to the peer leave with, where bind named none. */
static int
in_pcbconnect_src(struct inpcb *inp, struct in_lookup *il)
{
	struct in_txinfo tx;
	int error;

	in_pcb_txinfo(inp, il->il_af, 0, &tx);
	if (in_dgram_find(inp) != NULL) { /* what datagrams leave by may have been said */
		if ((error = in_pcb_txcontrol(inp, NULL, &tx)) != 0)
			return error;
		in_pcb_txdest(inp, &il->il_faddr, &tx);
	}
	il->il_laddr = tx.tx_src;
	if (!in_addrany_isany(&il->il_laddr))
		return 0;
	return il->il_af->af_selectsrc(inp->inp_ns, &il->il_faddr, tx.tx_ifp, &il->il_laddr);
}

int
in_pcbconnect(struct inpcb *inp, const struct bsd_sockaddr *nam)
{
	struct in_lookup il = {.il_lport = inp->inp_lport};
	struct in_endpoint ep;
	int error;

	if (inp->inp_boundif != 0 && in_pcb_ifp(inp) == NULL)
		return ENODEV;
	if ((error = in_pcbconnect_dest(inp, nam, &ep, &il.il_af)) != 0)
		return error;
	il.il_faddr = ep.ie_addr;
	il.il_fport = ep.ie_port;
	il.il_laddr = inp->inp_laddr;
	if (in_addrany_isany(&il.il_laddr) && (error = in_pcbconnect_src(inp, &il)) != 0)
		return error;
	if (il.il_lport == 0) {
		if ((error = in_pcb_connectport(inp->inp_table, &il)) != 0)
			return error;
		inp->inp_flags |= INP_ANONPORT;
	} else if (in_pcbpair_istaken(inp->inp_table, &il)) {
		return EADDRINUSE;
	}
	in_pcbhash_leave(inp);
	inp->inp_laddr = il.il_laddr;
	inp->inp_lport = il.il_lport;
	inp->inp_faddr = il.il_faddr;
	inp->inp_fport = il.il_fport;
	inp->inp_flags |= INP_CONNECTED;
	in_pcb_setaf(inp, il.il_af);
	in_pcbhash_enter(inp);
	return 0;
}

int
in_pcbconnect_pair(struct inpcb *inp, const struct in_endpoint *local,
    const struct in_endpoint *foreign)
{
	struct in_lookup il = {inp->inp_af, local->ie_addr, foreign->ie_addr, local->ie_port,
	    foreign->ie_port, 0};

	if (in_pcbpair_istaken(inp->inp_table, &il))
		return EADDRINUSE;
	in_pcbhash_leave(inp);
	inp->inp_laddr = local->ie_addr;
	inp->inp_lport = local->ie_port;
	inp->inp_faddr = foreign->ie_addr;
	inp->inp_fport = foreign->ie_port;
	inp->inp_flags |= INP_CONNECTED;
	in_pcb_setaf(inp, inp->inp_af);
	in_pcbhash_enter(inp);
	return 0;
}

void
in_pcbdisconnect(struct inpcb *inp)
{
	static const struct in_addrany any;

	if ((inp->inp_flags & INP_CONNECTED) == 0)
		return;
	inp->inp_flags &= ~(uint32_t)INP_CONNECTED;
	inp->inp_faddr = any;
	inp->inp_fport = 0;
	if ((inp->inp_flags & INP_BOUNDADDR) == 0)
		inp->inp_laddr = any;
	in_pcb_setaf(inp,
	    (inp->inp_flags & INP_V4BOUND) != 0 ? inp->inp_af : in_pcb_domain_af(inp));
	in_pcbrehash(inp);
}

void
in_pcbfree(struct inpcb *inp)
{
	struct inpcbtable *table = inp->inp_table;

	in_pcbdetach_socket(inp);
	in_pcbhash_leave(inp);
	TAILQ_REMOVE(&table->it_queue, inp, inp_queue);
	table->it_count--;
	pool_put(&table->it_pool, inp);
}

bool
in_pcborphan(struct inpcb *inp, uint32_t most)
{
	if (inp->inp_table->it_norphans >= most)
		return false;
	inp->inp_flags |= INP_ORPHAN;
	inp->inp_table->it_norphans++;
	return true;
}

void
in_pcbdetach_socket(struct inpcb *inp)
{
	if ((inp->inp_flags & INP_ORPHAN) != 0)
		inp->inp_table->it_norphans--;
	inp->inp_flags &= ~(uint32_t)INP_ORPHAN;
	if (inp->inp_socket != NULL)
		inp->inp_socket->so_pcb = NULL;
	inp->inp_socket = NULL;
}

struct inpcb *
in_pcblookup_connect(struct inpcbtable *table, const struct in_lookup *il)
{
	struct inpcb *inp;

	LIST_FOREACH(inp, hash_conn(table, il), inp_hash) {
		if ((inp->inp_flags & INP_CONNECTED) != 0 && inp->inp_lport == il->il_lport &&
		    inp->inp_fport == il->il_fport && inp->inp_af == il->il_af &&
		    in_pcb_hasif(inp, il->il_ifindex) &&
		    in_addrany_eq(&inp->inp_faddr, &il->il_faddr) &&
		    in_addrany_eq(&inp->inp_laddr, &il->il_laddr))
			return inp;
	}
	return NULL;
}

/* Is it one of those that share `of`'s port by SO_REUSEPORT? Of streams those that listen do. */
static bool
in_pcb_shares(const struct inpcb *inp, const struct inpcb *of)
{
	const uint32_t listens =
	    (of->inp_socket->so_proto->pr_flags & PR_LISTEN) != 0 ? SO_ACCEPTCONN : 0;
	const uint32_t options = inp->inp_socket != NULL ? inp->inp_socket->so_options : 0;

	return (inp->inp_flags & INP_CONNECTED) == 0 && inp->inp_lport == of->inp_lport &&
	    inp->inp_af == of->inp_af && ((inp->inp_flags ^ of->inp_flags) & INP_DUAL) == 0 &&
	    inp->inp_boundif == of->inp_boundif && in_addrany_eq(&inp->inp_laddr, &of->inp_laddr) &&
	    (~options & (SO_REUSEPORT | listens)) == 0;
}

/*
 * Sockets that share a port by SO_REUSEPORT share what comes to it, as on Linux: each sender has one
 * of them, always the same while none comes or goes.
 */
static struct inpcb *
in_pcbshare(const struct inpcbtable *table, const struct in_lookup *il, struct inpcb *first)
{
	struct {
		struct in_addrany faddr;
		uint32_t fport;
	} key = {il->il_faddr, il->il_fport};
	struct inpcb *inp;
	uint64_t n = 0;

	static_assert(sizeof(key) == 20, "no padding is hashed");
	if (first == NULL || first->inp_socket == NULL ||
	    (first->inp_socket->so_options & SO_REUSEPORT) == 0)
		return first;
	for (inp = first; inp != NULL; inp = LIST_NEXT(inp, inp_hash))
		n += in_pcb_shares(inp, first);
	if (n == 0)
		return first;
	n = siphash24(table->it_key, &key, sizeof(key)) % n;
	for (inp = first; inp != NULL; inp = LIST_NEXT(inp, inp_hash)) {
		if (in_pcb_shares(inp, first) && n-- == 0)
			return inp;
	}
	return first;
}

struct inpcb *
in_pcblookup_bind(struct inpcbtable *table, const struct in_lookup *il)
{
	struct inpcb *inp, *best = NULL;
	int rank, bestrank = 0;

	LIST_FOREACH(inp, hash_bound(table, il->il_lport), inp_hash) {
		if ((inp->inp_flags & INP_CONNECTED) != 0 || inp->inp_lport != il->il_lport ||
		    !in_pcb_speaks(inp, il->il_af) || !in_pcb_hasif(inp, il->il_ifindex))
			continue;
		if (in_addrany_eq(&inp->inp_laddr, &il->il_laddr))
			rank = 6;
		else if (in_addrany_isany(&inp->inp_laddr))
			rank = 2;
		else
			continue;
		rank += 2 * (inp->inp_boundif != 0) + (inp->inp_af == il->il_af);
		if (rank > bestrank) {
			best = inp;
			bestrank = rank;
		}
	}
	return in_pcbshare(table, il, best);
}

struct inpcb *
in_pcbnext_port(const struct inpcbtable *table, uint16_t lport, const struct inpcb *prev)
{
	struct inpcb *inp =
	    prev != NULL ? LIST_NEXT(prev, inp_lport_hash) : LIST_FIRST(hash_port(table, lport));

	while (inp != NULL && inp->inp_lport != lport)
		inp = LIST_NEXT(inp, inp_lport_hash);
	return inp;
}

void
in_pcbnotify(struct inpcbtable *table, const struct in_ctlinfo *ci, uint16_t lport, uint16_t fport,
    void (*fn)(struct inpcb *inp, const struct in_ctlinfo *ci))
{
	struct in_lookup il = {ci->ci_af, ci->ci_src, ci->ci_dst, lport, fport, 0};
	struct inpcb *inp = in_pcblookup_connect(table, &il);

	if (inp == NULL && (inp = in_pcblookup_bind(table, &il)) != NULL &&
	    !in_errq_wanted(inp, ci->ci_af))
		return;
	if (inp != NULL)
		fn(inp, ci);
}

void
in_pcb_sockaddr(const struct inpcb *inp, union bsd_sockaddr_any *nam)
{
	struct in_endpoint ep = {inp->inp_laddr, inp->inp_lport};

	in_pcb_emit(inp, inp->inp_af, &ep, nam);
}

void
in_pcb_peeraddr(const struct inpcb *inp, union bsd_sockaddr_any *nam)
{
	struct in_endpoint ep = {inp->inp_faddr, inp->inp_fport};

	in_pcb_emit(inp, inp->inp_af, &ep, nam);
}

void
in_pcb_txinfo(struct inpcb *inp, const struct in_afops *af, uint8_t proto, struct in_txinfo *tx)
{
	uint32_t options = inp->inp_socket != NULL ? inp->inp_socket->so_options : 0;

	*tx = (struct in_txinfo){.tx_ns = inp->inp_ns,
	    .tx_af = af,
	    .tx_src = inp->inp_af == af ? inp->inp_laddr : (struct in_addrany){{0}},
	    .tx_dst = inp->inp_faddr,
	    .tx_ifp = in_pcb_ifp(inp),
	    .tx_boundif = inp->inp_boundif,
	    .tx_inp = inp,
	    .tx_proto = proto,
	    .tx_ttl = inp->inp_ttl,
	    .tx_tos = inp->inp_tos,
	    .tx_bcast = (options & SO_BROADCAST) != 0,
	    .tx_pmtudisc = inp->inp_pmtudisc,
	    .tx_dontroute = (options & SO_DONTROUTE) != 0,
	    .tx_mcastloop = (inp->inp_flags & INP_MCASTLOOP) != 0};
	if (af->af_family != AF_INET6)
		return;
	tx->tx_ttl = inp->in6p_hops;
	tx->tx_tos = inp->in6p_tclass;
	tx->tx_pmtudisc = inp->in6p_pmtudisc;
	tx->tx_df = (inp->inp_flags & IN6P_DONTFRAG) != 0;
	tx->tx_mcastloop = (inp->inp_flags & IN6P_MCASTLOOP) != 0;
}

void
in_pcb_txdest(const struct inpcb *inp, const struct in_addrany *dst, struct in_txinfo *tx)
{
	const bool v6 = tx->tx_af->af_family == AF_INET6;
	const uint8_t mttl = v6 ? inp->in6p_mhops : inp->inp_mttl;

	tx->tx_dst = *dst;
	if (!tx->tx_af->af_ismulticast(dst))
		return;
	if (tx->tx_ifp == NULL)
		tx->tx_ifp = in_pcb_mcastifp(inp, tx->tx_af, dst);
	if (!tx->tx_ttlsaid) {
		tx->tx_ttl = mttl;
		tx->tx_hostonly = mttl == 0;
	}
}

int
in_pcb_savecontrol(const struct inpcb *inp, const struct in_rxinfo *rx, struct mbuf **controlp)
{
	return in_pcb_domain_af(inp)->af_savecontrol(inp, rx, controlp);
}

int
in_pcb_txcontrol(const struct inpcb *inp, const struct mbuf *control, struct in_txinfo *tx)
{
	return in_pcb_domain_af(inp)->af_txcontrol(inp, control, tx);
}

int
in_pcb_ctloutput(struct inpcb *inp, struct sockopt *sopt)
{
	return in_pcb_domain_af(inp)->af_ctloutput(inp, sopt);
}

uint32_t
in_pmtu_next(uint32_t told, uint32_t was)
{
	/* RFC 1191 §7.1: the common MTUs */
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006};

	for (size_t i = 0; told == 0 && i < nitems(plateaus); i++) {
		if (plateaus[i] < was)
			told = plateaus[i];
	}
	return KERN_MAX(told, IN_PMTU_FLOOR);
}

int
in_ctl_errno(enum in_ctl ctl)
{
	switch (ctl) {
	case IN_CTL_PORTUNREACH:
	case IN_CTL_PROTOUNREACH:
		return ECONNREFUSED;
	case IN_CTL_HOSTUNREACH:
	case IN_CTL_PROHIB:
		return EHOSTUNREACH;
	case IN_CTL_NETUNREACH:
		return ENETUNREACH;
	case IN_CTL_MSGSIZE:
		return EMSGSIZE;
	case IN_CTL_PARAMPROB:
		return ENOPROTOOPT;
	default:
		return 0;
	}
}
