/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options at the level of IPv4. One that does not mean anything for a kind of socket is
 * refused there, as is one that is not known. Memberships of groups are in
 * in_mcast.c.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_pcb.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"

#define IPOPT_DGRAM 0x1 /* not for streams */

/* Options that are a bit of inp_flags. */
static const struct {
	int name;
	uint32_t flag;
	uint32_t what;
} ip_flagopts[] = {
    {IP_RECVDSTADDR, INP_RECVDSTADDR, IPOPT_DGRAM},
    {IP_RECVPKTINFO, INP_PKTINFO, IPOPT_DGRAM},
    {IP_RECVTTL, INP_RECVTTL, IPOPT_DGRAM},
    {IP_RECVTOS, INP_RECVTOS, IPOPT_DGRAM},
    {IP_ORIGDSTADDR, INP_ORIGDST, IPOPT_DGRAM},
    {IP_MULTICAST_LOOP, INP_MCASTLOOP, IPOPT_DGRAM},
    {IP_MULTICAST_ALL, INP_MCASTALL, IPOPT_DGRAM},
    {IP_BINDANY, INP_BINDANY, 0},
    {IP_BIND_ADDRESS_NO_PORT, INP_BINDNOPORT, 0},
};

static bool
ip_isstream(const struct inpcb *inp)
{
	return inp->inp_socket == NULL || inp->inp_socket->so_proto->pr_type == SOCK_STREAM;
}

/* => 0: not such an option, or not for this socket */
static uint32_t
ip_flagopt(const struct inpcb *inp, int name)
{
	size_t i;

	for (i = 0; i < nitems(ip_flagopts); i++) {
		if (ip_flagopts[i].name == name)
			return (ip_flagopts[i].what & IPOPT_DGRAM) != 0 && ip_isstream(inp)
			    ? 0
			    : ip_flagopts[i].flag;
	}
	return 0;
}

/*
 * A stream's segments have DF (RFC 1191), but for the least ones in a black hole, which DO forbids; nothing
 * else may be asked for.
 */
static int
ip_setpmtudisc(struct inpcb *inp, int value)
{
	if (value < IP_PMTUDISC_DONT || value > IP_PMTUDISC_OMIT)
		return EINVAL;
	if (ip_isstream(inp) && value != IP_PMTUDISC_WANT && value != IP_PMTUDISC_DO)
		return EOPNOTSUPP;
	if (ip_isstream(inp) && value == IP_PMTUDISC_WANT)
		value = 0; /* as TCP has it */
	inp->inp_pmtudisc = (uint8_t)value;
	return 0;
}

/* As Linux has it, the four classes of RFC 1349 are also those of SO_PRIORITY. */
static void
ip_settos(struct inpcb *inp, uint8_t tos)
{
	static const uint8_t priority[] = {0, 2, 6, 4};

	inp->inp_tos = tos;
	if (inp->inp_socket != NULL)
		inp->inp_socket->so_priority = priority[(tos >> 3) & 3];
}

static int
ip_setint(struct inpcb *inp, int name, int value)
{
	uint32_t flag = ip_flagopt(inp, name);

	if (flag != 0) {
		if (value != 0)
			inp->inp_flags |= flag;
		else
			inp->inp_flags &= ~flag;
		return 0;
	}
	if (name == IP_MTU_DISCOVER)
		return ip_setpmtudisc(inp, value);
	if (name == IP_RECVERR)
		return ip_isstream(inp) ? ENOPROTOOPT
					: in_errq_enable(inp, INP_RECVERR, value != 0);
	if (value < (name == IP_TTL) || value > 255)
		return EINVAL;
	switch (name) {
	case IP_TOS:
		ip_settos(inp, (uint8_t)value);
		return 0;
	case IP_TTL:
		inp->inp_ttl = (uint8_t)value;
		return 0;
	case IP_MULTICAST_TTL:
		inp->inp_mttl = (uint8_t)value;
		return 0;
	case IP_MINTTL:
		inp->inp_minttl = (uint8_t)value;
		return 0;
	default:
		return ENOPROTOOPT;
	}
}

/* The MTU of the path to the peer. */
static int
ip_getmtu(const struct inpcb *inp, int *value)
{
	uint32_t mtu;
	bool direct;

	if (in_addrany_isany(&inp->inp_faddr))
		return ENOTCONN;
	if (inp->inp_af->af_route(inp->inp_ns, &inp->inp_faddr, in_pcb_ifp(inp), &mtu, &direct) ==
	    NULL)
		return ENOTCONN;
	*value = (int)mtu;
	return 0;
}

static int
ip_getint(const struct inpcb *inp, int name, int *value)
{
	uint32_t flag = ip_flagopt(inp, name);

	if (flag != 0) {
		*value = (inp->inp_flags & flag) != 0;
		return 0;
	}
	switch (name) {
	case IP_TOS:
		*value = inp->inp_tos;
		return 0;
	case IP_TTL:
		*value = inp->inp_ttl != 0 ? inp->inp_ttl : (int)inp->inp_ns->ns_inet->is_ttl;
		return 0;
	case IP_MULTICAST_TTL:
		*value = inp->inp_mttl;
		return 0;
	case IP_MINTTL:
		*value = inp->inp_minttl;
		return 0;
	case IP_RECVERR:
		*value = (inp->inp_flags & INP_RECVERR) != 0;
		return ip_isstream(inp) ? ENOPROTOOPT : 0;
	case IP_MTU_DISCOVER:
		*value = ip_isstream(inp) && inp->inp_pmtudisc == 0 ? IP_PMTUDISC_WANT
								    : inp->inp_pmtudisc;
		return 0;
	case IP_MTU:
		return ip_getmtu(inp, value);
	case IP_HDRINCL: /* raw sockets alone may set it */
		*value = (inp->inp_flags & INP_HDRINCL) != 0;
		return 0;
	default:
		return ENOPROTOOPT;
	}
}

static bool
ip_isknown(const struct inpcb *inp, int name)
{
	return ip_flagopt(inp, name) != 0 || name == IP_TOS || name == IP_TTL ||
	    name == IP_MULTICAST_TTL || name == IP_MINTTL || name == IP_MTU_DISCOVER ||
	    name == IP_RECVERR;
}

/* No packet has any: who asks is told so, and who wants none gets that. */
static int
ip_noopts(struct sockopt *sopt)
{
	if (sopt->sopt_set)
		return sopt->sopt_size == 0 ? 0 : ENOPROTOOPT;
	sopt->sopt_size = 0;
	return 0;
}

int
in4_ctloutput(struct inpcb *inp, void *arg)
{
	struct sockopt *sopt = arg;
	int value, error;

	if (sopt->sopt_level == SOL_SOCKET)
		return in_pcb_ifopt(inp, sopt);
	if (sopt->sopt_level != IPPROTO_IP)
		return ENOPROTOOPT;
	if (sopt->sopt_name == IP_OPTIONS)
		return ip_noopts(sopt);
	if (in_mcast_isopt(sopt->sopt_name))
		return sopt->sopt_set ? in_mcast_setopt(inp, sopt) : in_mcast_getopt(inp, sopt);
	if (!sopt->sopt_set) {
		if ((error = ip_getint(inp, sopt->sopt_name, &value)) == 0)
			sockopt_putint(sopt, value);
		return error;
	}
	if (!ip_isknown(inp, sopt->sopt_name))
		return ENOPROTOOPT;
	/* BSD takes a multicast TTL as one byte, too. */
	if (sopt->sopt_size == 1)
		value = sopt->sopt_data[0];
	else if ((error = sockopt_getint(sopt, &value)) != 0)
		return error;
	return ip_setint(inp, sopt->sopt_name, value);
}
