/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface that a socket is bound to, as Linux has it (SO_BINDTODEVICE, SO_BINDTOIFINDEX): what
 * it sends leaves by that one only (ip_output.c: ip_route), and it gets only what came in there
 * (in_pcb_hasif). An index that no interface has is taken, too: nothing comes from there, and
 * sending is ENODEV, so that what was bound never leaves by another.
 *
 * Deviation: binding again needs no privilege; on Linux it needs CAP_NET_RAW, over a host that
 * belongs to others.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_pcb.h"

struct ifnet *
in_pcb_ifp(const struct inpcb *inp)
{
	return inp->inp_boundif == 0 ? NULL : if_byindex(inp->inp_ns, inp->inp_boundif);
}

/* A longer name is cut off, as Linux does; it need not end in a NUL. => ENODEV */
static int
ifopt_setname(struct inpcb *inp, const struct sockopt *sopt)
{
	char name[IFNAMSIZ] = {0};
	const struct ifnet *ifp;

	memcpy(name, sopt->sopt_data, KERN_MIN(sopt->sopt_size, sizeof(name) - 1));
	if (name[0] == '\0') {
		inp->inp_boundif = 0;
		return 0;
	}
	if ((ifp = if_byname(inp->inp_ns, name)) == NULL || ifp->if_index > UINT16_MAX)
		return ENODEV;
	inp->inp_boundif = (uint16_t)ifp->if_index;
	return 0;
}

/* => EINVAL; ENODEV: no interface can have it */
static int
ifopt_setindex(struct inpcb *inp, const struct sockopt *sopt)
{
	int index, error = sockopt_getint(sopt, &index);

	if (error != 0 || index < 0)
		return EINVAL;
	if (index > UINT16_MAX)
		return ENODEV;
	inp->inp_boundif = (uint16_t)index;
	return 0;
}

/* => EINVAL: room for less than any name; ENODEV: it is gone */
static int
ifopt_getname(const struct inpcb *inp, struct sockopt *sopt)
{
	const struct ifnet *ifp = in_pcb_ifp(inp);
	size_t len = 0;

	if (inp->inp_boundif == 0) {
		sopt->sopt_size = 0;
		return 0;
	}
	if (sopt->sopt_size < IFNAMSIZ)
		return EINVAL;
	if (ifp == NULL)
		return ENODEV;
	while (ifp->if_xname[len] != '\0')
		len++;
	sockopt_put(sopt, ifp->if_xname, len + 1);
	return 0;
}

int
in_pcb_ifopt(struct inpcb *inp, struct sockopt *sopt)
{
	switch (sopt->sopt_name) {
	case SO_BINDTODEVICE:
		return sopt->sopt_set ? ifopt_setname(inp, sopt) : ifopt_getname(inp, sopt);
	case SO_BINDTOIFINDEX:
		if (sopt->sopt_set)
			return ifopt_setindex(inp, sopt);
		sockopt_putint(sopt, inp->inp_boundif);
		return 0;
	default:
		return in_pcb_sockopt(inp, sopt);
	}
}
