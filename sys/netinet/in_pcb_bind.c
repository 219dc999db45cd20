/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binding: who may have a local address and port beside whom, and which port is given to those who
 * do not ask for one (RFC 6056 §3.3.1: a random start, then upwards).
 *
 * BSD's rules. Two pcbs of one port conflict when their local addresses are equal or one is any.
 * With SO_REUSEADDR (or REUSEPORT) on the new one only an unconnected pcb of exactly the same
 * address does; and not even that when both have SO_REUSEPORT. For a multicast address
 * SO_REUSEADDR counts as SO_REUSEPORT. Pcbs that are bound to different interfaces do not conflict.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "netinet/in_pcb.h"
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

/* May inp have ep beside other, which has the same port? */
static bool
bind_conflicts(const struct inpcb *inp, const struct in_endpoint *ep, const struct inpcb *other)
{
	uint32_t share = SO_REUSEPORT, mine = pcb_options(inp);

	if (other == inp || other->inp_af != inp->inp_af ||
	    (inp->inp_boundif != 0 && !in_pcb_hasif(other, inp->inp_boundif)))
		return false;
	if (inp->inp_af->af_ismulticast(&ep->ie_addr))
		share |= SO_REUSEADDR;
	if ((mine & (SO_REUSEADDR | SO_REUSEPORT)) == 0)
		return laddr_overlaps(&ep->ie_addr, &other->inp_laddr);
	if ((other->inp_flags & INP_CONNECTED) != 0 ||
	    !in_addrany_eq(&ep->ie_addr, &other->inp_laddr))
		return false;
	return (mine & share) == 0 || (pcb_options(other) & share) == 0;
}

/* Does a pair without a pcb, in TIME-WAIT, claim what comes to ep? */
static bool
pair_overlaps(const struct inpcb *inp, const struct in_endpoint *ep)
{
	const struct in_pair *ipr = NULL;

	while ((ipr = in_pairnext_port(inp->inp_table, ep->ie_port, ipr)) != NULL)
		if (ipr->ipr_af == inp->inp_af && laddr_overlaps(&ep->ie_addr, &ipr->ipr_laddr))
			return true;
	return false;
}

static bool
bind_isfree(const struct inpcb *inp, const struct in_endpoint *ep)
{
	const struct inpcb *other = NULL;

	while ((other = in_pcbnext_port(inp->inp_table, ep->ie_port, other)) != NULL)
		if (bind_conflicts(inp, ep, other))
			return false;
	return (pcb_options(inp) & (SO_REUSEADDR | SO_REUSEPORT)) != 0 || !pair_overlaps(inp, ep);
}

/* A port that nobody overlaps with, whatever the options. */
static bool
bind_isunused(const struct inpcb *inp, const struct in_endpoint *ep)
{
	const struct inpcb *other = NULL;

	while ((other = in_pcbnext_port(inp->inp_table, ep->ie_port, other)) != NULL)
		if (other->inp_af == inp->inp_af && laddr_overlaps(&ep->ie_addr, &other->inp_laddr))
			return false;
	return !pair_overlaps(inp, ep);
}

static int
bind_anyport(const struct inpcb *inp, struct in_endpoint *ep)
{
	const struct inpcbtable *table = inp->inp_table;
	uint32_t range = (uint32_t)table->it_porthi - table->it_portlo + 1, i, start;

	start = rng_below(&table->it_ns->ns_rng, range);
	for (i = 0; i < range; i++) {
		ep->ie_port = (uint16_t)(table->it_portlo + (start + i) % range);
		if (bind_isunused(inp, ep))
			return 0;
	}
	return EADDRNOTAVAIL;
}

bool
in_pcbaddr_ok(const struct inpcb *inp, const struct in_addrany *a)
{
	const struct in_afops *af = inp->inp_af;

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

int
in_pcbbind(struct inpcb *inp, const struct bsd_sockaddr *nam)
{
	struct in_endpoint ep = {.ie_addr = inp->inp_laddr};
	int error;

	if (inp->inp_lport != 0 || (nam != NULL && (inp->inp_flags & INP_BOUNDADDR) != 0))
		return EINVAL;
	if (nam != NULL && (error = inp->inp_af->af_parse(nam, &ep)) != 0)
		return error;
	if (!in_pcbaddr_ok(inp, &ep.ie_addr))
		return EADDRNOTAVAIL;
	if (nam != NULL && bind_keepsport(inp, &ep)) {
		inp->inp_laddr = ep.ie_addr;
		inp->inp_flags |= INP_BOUNDADDR;
		return 0;
	}
	if (ep.ie_port == 0) {
		if ((error = bind_anyport(inp, &ep)) != 0)
			return error;
		inp->inp_flags |= INP_ANONPORT;
	} else if (!bind_isfree(inp, &ep)) {
		return EADDRINUSE;
	}
	inp->inp_laddr = ep.ie_addr;
	inp->inp_lport = ep.ie_port;
	if (!in_addrany_isany(&ep.ie_addr))
		inp->inp_flags |= INP_BOUNDADDR;
	in_pcbhash_enter(inp);
	return 0;
}

/* May a connection use this port: nobody receives on it, and the pair is new? */
static bool
connectport_isfree(struct inpcbtable *table, const struct in_lookup *il)
{
	const struct inpcb *other = NULL;

	while ((other = in_pcbnext_port(table, il->il_lport, other)) != NULL) {
		if (other->inp_af != il->il_af)
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
