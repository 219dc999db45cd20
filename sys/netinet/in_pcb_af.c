/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which address family a pcb speaks, and IPv4 by sockets of AF_INET6 (RFC 3493 §3.7, §5.3).
 *
 * Theory of operation: inp_af is the family of the pcb's addresses, as they are on the wire; the
 * socket's domain decides how they are shown. For a socket of AF_INET6 whose address or peer is
 * ::ffff:a.b.c.d inp_af is IPv4's and the pcb differs in nothing from that of a socket of AF_INET:
 * the same hashes, the same lookups. Only here is such an address made of, or into, four bytes.
 *
 *     socket of     bound to               peer              inp_af   INP_DUAL
 *     AF_INET                                                IPv4
 *     AF_INET6      ::                     none              IPv6     unless IPV6_V6ONLY
 *     AF_INET6      an address, or ::      an address        IPv6
 *     AF_INET6      ::ffff:a.b.c.d, or ::  ::ffff:a.b.c.d    IPv4
 *
 * With INP_DUAL a pcb is found by packets of either family.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/in_pcb_af.h"
#include "wire/be.h"

static bool
addr_ismapped(const struct in_addrany *a)
{
	return (a->ia_w[0] | a->ia_w[1]) == 0 && a->ia_w[2] == htobe32(0xffff);
}

static struct in_addrany
addr_map(const struct in_addrany *a)
{
	return (struct in_addrany){{0, 0, htobe32(0xffff), a->ia_w[0]}};
}

static struct in_addrany
addr_unmap(const struct in_addrany *a)
{
	return (struct in_addrany){{a->ia_w[3], 0, 0, 0}};
}

const struct in_afops *
in_pcb_domain_af(const struct inpcb *inp)
{
	return (inp->inp_flags & INP_V6) == 0 || inp->inp_socket == NULL
	    ? inp->inp_af
	    : inp->inp_socket->so_proto->pr_domain->dom_afops;
}

/* => *afp: the family of ep */
static int
pcb_parse(const struct inpcb *inp, const struct bsd_sockaddr *nam, struct in_endpoint *ep,
    const struct in_afops **afp)
{
	int error;

	if ((inp->inp_flags & INP_V6) == 0) {
		*afp = inp->inp_af;
		return inp->inp_af->af_parse(nam, ep);
	}
	*afp = in_pcb_domain_af(inp);
	if ((error = (*afp)->af_parse(nam, ep)) != 0 ||
	    (error = (*afp)->af_setscope(&ep->ie_addr, inp->inp_boundif)) != 0)
		return error;
	if (addr_ismapped(&ep->ie_addr)) {
		ep->ie_addr = addr_unmap(&ep->ie_addr);
		*afp = &in4_afops;
	}
	return 0;
}

int
in_pcb_parselocal(const struct inpcb *inp, const struct bsd_sockaddr *nam, struct in_endpoint *ep,
    const struct in_afops **afp)
{
	int error = pcb_parse(inp, nam, ep, afp);

	if (error != 0)
		return error;
	return *afp != inp->inp_af && (inp->inp_flags & IN6P_V6ONLY) != 0 ? EINVAL : 0;
}

int
in_pcb_parsedest(const struct inpcb *inp, const struct bsd_sockaddr *nam, struct in_endpoint *ep,
    const struct in_afops **afp)
{
	const bool datagrams = (inp->inp_socket->so_proto->pr_flags & PR_ATOMIC) != 0;
	int error;

	if ((inp->inp_flags & INP_V6) != 0 && datagrams && nam->sa_family == AF_INET) {
		*afp = &in4_afops;
		error = in4_afops.af_parse(nam, ep);
	} else {
		error = pcb_parse(inp, nam, ep, afp);
	}
	if (error != 0 || *afp == inp->inp_af)
		return error;
	if (in_pcb_speaks(inp, *afp))
		return 0;
	/* "any" is ourselves in whichever family it is */
	if (*afp != &in4_afops && in_addrany_isany(&ep->ie_addr)) {
		*afp = inp->inp_af;
		return 0;
	}
	return *afp == &in4_afops ? ENETUNREACH : EAFNOSUPPORT;
}

void
in_pcb_emit(const struct inpcb *inp, const struct in_afops *af, const struct in_endpoint *ep,
    union bsd_sockaddr_any *nam)
{
	struct in_endpoint mapped = {addr_map(&ep->ie_addr), ep->ie_port};

	if ((inp->inp_flags & INP_V6) == 0 || af->af_family != AF_INET || inp->inp_socket == NULL)
		af->af_emit(ep, nam);
	else
		in_pcb_domain_af(inp)->af_emit(&mapped, nam);
}

void
in_pcb_setaf(struct inpcb *inp, const struct in_afops *af)
{
	static const struct in_addrany any;

	if (inp->inp_af != af)
		memset(&inp->inp_route, 0, sizeof(inp->inp_route));
	inp->inp_af = af;
	if ((inp->inp_flags & (INP_V6 | IN6P_V6ONLY | INP_CONNECTED)) == INP_V6 &&
	    af->af_family != AF_INET && in_addrany_eq(&inp->inp_laddr, &any))
		inp->inp_flags |= INP_DUAL;
	else
		inp->inp_flags &= ~(uint32_t)INP_DUAL;
}

int
in_pcb_setv6only(struct inpcb *inp, bool on)
{
	if (inp->inp_lport != 0 || (inp->inp_flags & INP_BOUNDADDR) != 0)
		return EINVAL;
	if (on)
		inp->inp_flags |= IN6P_V6ONLY;
	else
		inp->inp_flags &= ~(uint32_t)IN6P_V6ONLY;
	in_pcb_setaf(inp, inp->inp_af);
	return 0;
}
