/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of the level SOL_SOCKET about the packets of a socket, Linux's: SO_NO_CHECK, SO_RXQ_OVFL;
 * filters are in in_filter.c.
 *
 * Streams keep both, and nothing comes of it, as on Linux: a segment always has its checksum, and
 * what TCP drops comes again.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/in_dgram.h"

static bool
in_pcb_isdgram(const struct inpcb *inp)
{
	return (inp->inp_socket->so_proto->pr_flags & PR_ATOMIC) != 0;
}

void
in_pcb_dropped(const struct inpcb *inp)
{
	struct in_dgram *dg = in_dgram_find(inp);

	if (dg != NULL)
		dg->dg_ndrops++;
}

static int
sockopt_bit(struct inpcb *inp, struct sockopt *sopt, uint32_t flag)
{
	int value, error;

	if (!sopt->sopt_set) {
		sockopt_putint(sopt, (inp->inp_flags & flag) != 0);
		return 0;
	}
	if ((error = sockopt_getint(sopt, &value)) != 0)
		return error;
	if (value != 0 && flag == INP_RXQOVFL && in_pcb_isdgram(inp) && in_dgram_get(inp) == NULL)
		return ENOBUFS; /* where the count is */
	if (value != 0)
		inp->inp_flags |= flag;
	else
		inp->inp_flags &= ~flag;
	return 0;
}

int
in_pcb_sockopt(struct inpcb *inp, struct sockopt *sopt)
{
	if (inp->inp_socket == NULL)
		return EINVAL;
	switch (sopt->sopt_name) {
	case SO_NO_CHECK:
		return sockopt_bit(inp, sopt, INP_NOCKSUM);
	case SO_RXQ_OVFL:
		return sockopt_bit(inp, sopt, INP_RXQOVFL);
	default:
		return in_filter_ctloutput(inp, sopt);
	}
}
