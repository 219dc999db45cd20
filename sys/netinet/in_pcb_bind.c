/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binding: who may have a local address and port beside whom, and which port is given to those who
 * do not ask for one (RFC 6056 §3.3.1: a random start, then upwards).
 *
 * BSD's rules. Two pcbs of one port conflict when their local addresses are equal or one is any.
 * With SO_REUSEADDR (or REUSEPORT) on the new one only an unconnected pcb of exactly the same
 * address does; and not even that when both have SO_REUSEPORT. Pcbs that are bound to different
 * interfaces do not conflict, nor do those of different families, unless one is of both (INP_DUAL).
 *
 * Deviation: of datagrams Linux's rule holds, whose programs count on it (test_bind_matrix, the row
 * sem_conn/bind-datagrams): such pcbs conflict unless both have SO_REUSEADDR, or both SO_REUSEPORT.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "netinet/in_pcb_af.h"
#include "netinet/in_pcb_impl.h"

static uint32_t
pcb_options(const struct inpcb *inp)
{
	return inp->inp_socket != NULL ? inp->inp_socket->so_options : 0;
}

/* Do two local addresses claim the same packets? */
static bool
laddr_overlaps(const struct in_addrany *a, const struct in_addrany *b)
{
	return in_addrany_isany(a) || in_addrany_isany(b) || in_addrany_eq(a, b);
}

/* What a pcb is to be bound to. */
struct bind_claim {
	const struct in_afops *bc_af;
	struct in_endpoint bc_ep;
	bool bc_dual; /* and to any address of IPv4, too */
};

static void
claim_set(struct bind_claim *bc, const struct inpcb *inp)
{
	bc->bc_dual = (inp->inp_flags & INP_DUAL) != 0 && bc->bc_af == inp->inp_af &&
	    in_addrany_isany(&bc->bc_ep.ie_addr);
}

/* Can a packet be for both? One that is of both families has no address. */
static bool
claim_meets(const struct bind_claim *bc, const struct in_afops *af, bool dual)
{
	return bc->bc_af == af || bc->bc_dual || dual;
}

static bool
claim_overlaps(const struct bind_claim *bc, const struct inpcb *other)
{
	return claim_meets(bc, other->inp_af, (other->inp_flags & INP_DUAL) != 0) &&
	    laddr_overlaps(&bc->bc_ep.ie_addr, &other->inp_laddr);
}

/* Do two datagram sockets that overlap keep each other from the port? */
static bool
dgram_conflicts(const struct inpcb *inp, const struct inpcb *other)
{
	return (pcb_options(inp) & pcb_options(other) & (SO_REUSEADDR | SO_REUSEPORT)) == 0;
}

/* May inp have that beside other, which has the same port? */
static bool
bind_conflicts(const struct inpcb *inp, const struct bind_claim *bc, const struct inpcb *other)
{
	uint32_t mine = pcb_options(inp);

	if (other == inp || !claim_overlaps(bc, other) ||
	    (inp->inp_boundif != 0 && !in_pcb_hasif(other, inp->inp_boundif)))
		return false;
	if (inp->inp_socket->so_proto->pr_type == SOCK_DGRAM)
		return dgram_conflicts(inp, other);
	if ((mine & (SO_REUSEADDR | SO_REUSEPORT)) == 0)
		return true;
	if ((other->inp_flags & INP_CONNECTED) != 0 ||
	    !in_addrany_eq(&bc->bc_ep.ie_addr, &other->inp_laddr))
		return false;
	return (mine & pcb_options(other) & SO_REUSEPORT) == 0;
}

/* Does a pair without a pcb, in TIME-WAIT, claim some of the same packets? */
static bool
pair_overlaps(const struct inpcb *inp, const struct bind_claim *bc)
{
	const struct in_pair *ipr = NULL;

	while ((ipr = in_pairnext_port(inp->inp_table, bc->bc_ep.ie_port, ipr)) != NULL)
		if (claim_meets(bc, ipr->ipr_af, false) &&
		    in_boundif_has(ipr->ipr_boundif, inp->inp_boundif) &&
		    laddr_overlaps(&bc->bc_ep.ie_addr, &ipr->ipr_laddr))
			return true;
	return false;
}

static bool
bind_isfree(const struct inpcb *inp, const struct bind_claim *bc)
{
	const struct inpcb *other = NULL;

	while ((other = in_pcbnext_port(inp->inp_table, bc->bc_ep.ie_port, other)) != NULL)
		if (bind_conflicts(inp, bc, other))
			return false;
	return (pcb_options(inp) & (SO_REUSEADDR | SO_REUSEPORT)) != 0 || !pair_overlaps(inp, bc);
}

/* A port that nobody overlaps with, whatever the options. */
static bool
bind_isunused(const struct inpcb *inp, const struct bind_claim *bc)
{
	const struct inpcb *other = NULL;

	while ((other = in_pcbnext_port(inp->inp_table, bc->bc_ep.ie_port, other)) != NULL)
		if (claim_overlaps(bc, other))
			return false;
	return !pair_overlaps(inp, bc);
}

static int
bind_anyport(const struct inpcb *inp, struct bind_claim *bc)
{
	const struct inpcbtable *table = inp->inp_table;
	uint32_t range = (uint32_t)table->it_porthi - table->it_portlo + 1, i, start;

	start = rng_below(&table->it_ns->ns_rng, range);
	for (i = 0; i < range; i++) {
		bc->bc_ep.ie_port = (uint16_t)(table->it_portlo + (start + i) % range);
		if (bind_isunused(inp, bc))
			return 0;
	}
	return EADDRNOTAVAIL;
}

bool
in_pcbaddr_ok(const struct inpcb *inp, const struct in_afops *af, const struct in_addrany *a)
{
	if (in_addrany_isany(a) || af->af_islocal(inp->inp_ns, a) ||
	    (inp->inp_flags & INP_BINDANY) != 0)
		return true;
	return inp->inp_socket->so_proto->pr_type != SOCK_STREAM &&
	    (af->af_ismulticast(a) || af->af_isbroadcast(inp->inp_ns, a));
}

/* Is the port to be chosen later, when it is known who the peer is (IP_BIND_ADDRESS_NO_PORT)? */
static bool
bind_keepsport(const struct inpcb *inp, const struct in_endpoint *ep)
{
	return ep->ie_port == 0 && !in_addrany_isany(&ep->ie_addr) &&
	    (inp->inp_flags & INP_BINDNOPORT) != 0;
}

static void
bind_take(struct inpcb *inp, const struct bind_claim *bc)
{
	inp->inp_laddr = bc->bc_ep.ie_addr;
	inp->inp_lport = bc->bc_ep.ie_port;
	if (!in_addrany_isany(&inp->inp_laddr))
		inp->inp_flags |= INP_BOUNDADDR;
	if (bc->bc_af != in_pcb_domain_af(inp))
		inp->inp_flags |= INP_V4BOUND;
	in_pcb_setaf(inp, bc->bc_af);
	if (inp->inp_lport != 0)
		in_pcbhash_enter(inp);
}

int
in_pcbbind(struct inpcb *inp, const struct bsd_sockaddr *nam)
{
	struct bind_claim bc = {.bc_af = inp->inp_af, .bc_ep.ie_addr = inp->inp_laddr};
	struct in_endpoint *ep = &bc.bc_ep;
	int error;

	if (inp->inp_lport != 0 || (nam != NULL && (inp->inp_flags & INP_BOUNDADDR) != 0))
		return EINVAL;
	if (nam != NULL && (error = in_pcb_parselocal(inp, nam, ep, &bc.bc_af)) != 0)
		return error;
	if (!in_pcbaddr_ok(inp, bc.bc_af, &ep->ie_addr))
		return EADDRNOTAVAIL;
	claim_set(&bc, inp);
	if (nam == NULL || !bind_keepsport(inp, ep)) {
		if (ep->ie_port == 0) {
			if ((error = bind_anyport(inp, &bc)) != 0)
				return error;
			inp->inp_flags |= INP_ANONPORT;
		} else if (!bind_isfree(inp, &bc)) {
			return EADDRINUSE;
		}
	}
	bind_take(inp, &bc);
	return 0;
}

/* May a connection use this port: nobody receives on it, and the pair is new? */
static bool
connectport_isfree(struct inpcbtable *table, const struct in_lookup *il)
{
	const struct inpcb *other = NULL;

	while ((other = in_pcbnext_port(table, il->il_lport, other)) != NULL) {
		if (!in_pcb_speaks(other, il->il_af))
			continue;
		if ((other->inp_flags & INP_CONNECTED) == 0) {
			if (laddr_overlaps(&other->inp_laddr, &il->il_laddr))
				return false;
		} else if (other->inp_fport == il->il_fport &&
		    in_addrany_eq(&other->inp_faddr, &il->il_faddr) &&
		    in_addrany_eq(&other->inp_laddr, &il->il_laddr)) {
			return false;
		}
	}
	return in_pairlookup(table, il) == NULL;
}

int
in_pcb_connectport(struct inpcbtable *table, struct in_lookup *il)
{
	uint32_t range = (uint32_t)table->it_porthi - table->it_portlo + 1, i, start;

	start = rng_below(&table->it_ns->ns_rng, range);
	for (i = 0; i < range; i++) {
		il->il_lport = (uint16_t)(table->it_portlo + (start + i) % range);
		if (connectport_isfree(table, il))
			return 0;
	}
	return EADDRNOTAVAIL;
}
