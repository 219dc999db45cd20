/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options at the level of IPv6 (RFC 3493 §5, RFC 3542). One that does not mean anything for a kind of
 * socket is refused there, as is one that is not known. What concerns IPv4's packets of the same
 * socket are options at the level of IPv4 (ip_sockopt.c).
 */
#include <stddef.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/in_dgram.h"
#include "netinet/in_pcb_af.h"
#include "netinet6/in6_pcb.h"
#include "netinet6/ip6_var.h"

/* Options that are a bit of inp_flags. */
static const struct {
	int name;
	uint32_t flag;
	bool dgram; /* not for streams */
} in6_flagopts[] = {
    {IPV6_RECVPKTINFO, IN6P_PKTINFO, true},
    {IPV6_RECVHOPLIMIT, IN6P_HOPLIMIT, true},
    {IPV6_RECVTCLASS, IN6P_TCLASS, true},
    {IPV6_DONTFRAG, IN6P_DONTFRAG, true},
    {IPV6_MULTICAST_LOOP, IN6P_MCASTLOOP, true},
    {IPV6_MULTICAST_ALL, IN6P_MCASTALL, true},
};

static bool
isstream(const struct inpcb *inp)
{
	return inp->inp_socket == NULL || inp->inp_socket->so_proto->pr_type == SOCK_STREAM;
}

/* => 0: not such an option, or not for this socket */
static uint32_t
in6_flagopt(const struct inpcb *inp, int name)
{
	for (size_t i = 0; i < nitems(in6_flagopts); i++) {
		if (in6_flagopts[i].name == name)
			return in6_flagopts[i].dgram && isstream(inp) ? 0 : in6_flagopts[i].flag;
	}
	return 0;
}

/* A number of 0..255 in a byte of the pcb; -1 makes it what it is at first. */
struct in6_byteopt {
	int name;
	uint8_t ordinary;
	int min;
	bool dgram;
	size_t off;
};
static const struct in6_byteopt in6_byteopts[] = {
    /* 0 is the stack's default; a packet with no hop left goes nowhere, so it cannot be asked for */
    {IPV6_UNICAST_HOPS, 0, 1, false, offsetof(struct inpcb, in6p_hops)},
    {IPV6_MULTICAST_HOPS, 1, 0, true, offsetof(struct inpcb, in6p_mhops)},
    {IPV6_TCLASS, 0, 0, false, offsetof(struct inpcb, in6p_tclass)},
    {IPV6_MINHOPCOUNT, 0, 0, false, offsetof(struct inpcb, in6p_minhops)},
};

static const struct in6_byteopt *
in6_byteopt(const struct inpcb *inp, int name)
{
	for (size_t i = 0; i < nitems(in6_byteopts); i++) {
		if (in6_byteopts[i].name == name)
			return in6_byteopts[i].dgram && isstream(inp) ? NULL : &in6_byteopts[i];
	}
	return NULL;
}

static int
in6_setbyte(struct inpcb *inp, const struct in6_byteopt *bo, int value)
{
	if (value == -1 && bo->name != IPV6_MINHOPCOUNT)
		value = bo->ordinary;
	else if (value < bo->min || value > 255)
		return EINVAL;
	/* The two bits of ECN are TCP's own (RFC 3168 §6.1). */
	if (bo->name == IPV6_TCLASS && isstream(inp))
		value &= ~3;
	*((uint8_t *)inp + bo->off) = (uint8_t)value;
	return 0;
}

/* The interface of groups' packets; 0: by route. => ENODEV; EINVAL: not the one it is bound to */
static int
in6_setmcastif(struct inpcb *inp, int index)
{
	struct in_dgram *dg;

	if (index != 0) {
		if (inp->inp_boundif != 0 && index != inp->inp_boundif)
			return EINVAL;
		if (index < 0 || if_byindex(inp->inp_ns, (uint32_t)index) == NULL)
			return ENODEV;
	}
	if ((dg = in_dgram_get(inp)) == NULL)
		return ENOBUFS;
	dg->dg_mcastif6 = (uint32_t)index;
	return 0;
}

/* A stream's segments fit the path (RFC 8201): that alone may be asked for. */
static int
in6_setpmtudisc(struct inpcb *inp, int value)
{
	if (value < IP_PMTUDISC_DONT || value > IP_PMTUDISC_OMIT)
		return EINVAL;
	if (isstream(inp))
		return value == IP_PMTUDISC_WANT ? 0 : EOPNOTSUPP;
	inp->in6p_pmtudisc = (uint8_t)value;
	return 0;
}

static int
in6_setint(struct inpcb *inp, int name, int value)
{
	const struct in6_byteopt *bo = in6_byteopt(inp, name);
	uint32_t flag = in6_flagopt(inp, name);

	if (bo != NULL)
		return in6_setbyte(inp, bo, value);
	if ((flag & (IN6P_MCASTLOOP | IN6P_MCASTALL)) != 0 && value != 0 && value != 1)
		return EINVAL;
	if (flag != 0) {
		inp->inp_flags = value != 0 ? inp->inp_flags | flag : inp->inp_flags & ~flag;
		return 0;
	}
	switch (name) {
	case IPV6_V6ONLY:
		return in_pcb_setv6only(inp, value != 0);
	case IPV6_MTU_DISCOVER:
		return in6_setpmtudisc(inp, value);
	case IPV6_RECVERR:
		return isstream(inp) ? ENOPROTOOPT : in_errq_enable(inp, IN6P_RECVERR, value != 0);
	case IPV6_MTU:
		return value != 0 && value < IP6_MTU_MIN ? EINVAL : ENOPROTOOPT;
	case IPV6_MULTICAST_IF:
		return isstream(inp) ? ENOPROTOOPT : in6_setmcastif(inp, value);
	default:
		return ENOPROTOOPT;
	}
}

/* The MTU of the path to the peer. */
static int
in6_getmtu(const struct inpcb *inp, int *value)
{
	uint32_t mtu;
	bool direct;

	if (in_addrany_isany(&inp->inp_faddr) ||
	    inp->inp_af->af_route(inp->inp_ns, &inp->inp_faddr, in_pcb_ifp(inp), &mtu, &direct) ==
		NULL)
		return ENOTCONN;
	*value = (int)mtu;
	return 0;
}

static int
in6_getint(const struct inpcb *inp, int name, int *value)
{
	const struct in6_byteopt *bo = in6_byteopt(inp, name);
	const struct in_dgram *dg = in_dgram_find(inp);
	uint32_t flag = in6_flagopt(inp, name);

	if (bo != NULL) {
		*value = *((const uint8_t *)inp + bo->off);
		if (name == IPV6_UNICAST_HOPS && *value == 0)
			*value = (int)inp->inp_ns->ns_inet6->i6_hlim;
		return 0;
	}
	if (flag != 0) {
		*value = (inp->inp_flags & flag) != 0;
		return 0;
	}
	switch (name) {
	case IPV6_V6ONLY:
		*value = (inp->inp_flags & IN6P_V6ONLY) != 0;
		return 0;
	case IPV6_MTU_DISCOVER:
		*value = isstream(inp) ? IP_PMTUDISC_WANT : inp->in6p_pmtudisc;
		return 0;
	case IPV6_RECVERR:
		*value = (inp->inp_flags & IN6P_RECVERR) != 0;
		return isstream(inp) ? ENOPROTOOPT : 0;
	case IPV6_MTU:
		return in6_getmtu(inp, value);
	case IPV6_MULTICAST_IF:
		*value = dg != NULL ? (int)dg->dg_mcastif6 : 0;
		return isstream(inp) ? ENOPROTOOPT : 0;
	default:
		return ENOPROTOOPT;
	}
}

static bool
in6_isknown(const struct inpcb *inp, int name)
{
	return in6_byteopt(inp, name) != NULL || in6_flagopt(inp, name) != 0 ||
	    name == IPV6_V6ONLY || name == IPV6_MTU_DISCOVER || name == IPV6_MTU ||
	    name == IPV6_MULTICAST_IF || name == IPV6_RECVERR;
}

int
in6_ctloutput(struct inpcb *inp, void *arg)
{
	struct sockopt *sopt = arg;
	int value, error;

	if (sopt->sopt_level == SOL_SOCKET || sopt->sopt_level == IPPROTO_IP)
		return in4_ctloutput(inp, sopt);
	if (sopt->sopt_level != IPPROTO_IPV6)
		return ENOPROTOOPT;
	if (in6_mcast_isopt(sopt->sopt_name))
		return sopt->sopt_set ? in6_mcast_setopt(inp, sopt) : in6_mcast_getopt(inp, sopt);
	if (sopt->sopt_set && sopt->sopt_name == IPV6_PKTINFO && !isstream(inp))
		return in6_setpktinfo(inp, sopt);
	if (!in6_isknown(inp, sopt->sopt_name))
		return ENOPROTOOPT;
	if (sopt->sopt_set) {
		error = sockopt_getint(sopt, &value);
		return error != 0 ? error : in6_setint(inp, sopt->sopt_name, value);
	}
	if ((error = in6_getint(inp, sopt->sopt_name, &value)) == 0)
		sockopt_putint(sopt, value);
	return error;
}
