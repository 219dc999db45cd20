/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options, Linux to BSD and back: one table of levels, names and layouts.
 *
 * An option that is not here is refused. Left out on purpose: those that ask for ancillary data
 * (SO_TIMESTAMP, IP_PKTINFO, IP_RECVTTL), which this library does not carry.
 */
#include "translate.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

static const struct sockopt_map options[] = {
    {SOL_SOCKET, SO_DEBUG, BSD_SOL_SOCKET, BSD_SO_DEBUG, OPT_INT},
    {SOL_SOCKET, SO_ACCEPTCONN, BSD_SOL_SOCKET, BSD_SO_ACCEPTCONN, OPT_INT},
    {SOL_SOCKET, SO_REUSEADDR, BSD_SOL_SOCKET, BSD_SO_REUSEADDR, OPT_INT},
    {SOL_SOCKET, SO_KEEPALIVE, BSD_SOL_SOCKET, BSD_SO_KEEPALIVE, OPT_INT},
    {SOL_SOCKET, SO_DONTROUTE, BSD_SOL_SOCKET, BSD_SO_DONTROUTE, OPT_INT},
    {SOL_SOCKET, SO_BROADCAST, BSD_SOL_SOCKET, BSD_SO_BROADCAST, OPT_INT},
    {SOL_SOCKET, SO_LINGER, BSD_SOL_SOCKET, BSD_SO_LINGER, OPT_LINGER},
    {SOL_SOCKET, SO_OOBINLINE, BSD_SOL_SOCKET, BSD_SO_OOBINLINE, OPT_INT},
    {SOL_SOCKET, SO_REUSEPORT, BSD_SOL_SOCKET, BSD_SO_REUSEPORT, OPT_INT},
    {SOL_SOCKET, SO_SNDBUF, BSD_SOL_SOCKET, BSD_SO_SNDBUF, OPT_INT},
    {SOL_SOCKET, SO_RCVBUF, BSD_SOL_SOCKET, BSD_SO_RCVBUF, OPT_INT},
    {SOL_SOCKET, SO_SNDLOWAT, BSD_SOL_SOCKET, BSD_SO_SNDLOWAT, OPT_INT},
    {SOL_SOCKET, SO_RCVLOWAT, BSD_SOL_SOCKET, BSD_SO_RCVLOWAT, OPT_INT},
    {SOL_SOCKET, SO_ERROR, BSD_SOL_SOCKET, BSD_SO_ERROR, OPT_ERRNO},
    {SOL_SOCKET, SO_TYPE, BSD_SOL_SOCKET, BSD_SO_TYPE, OPT_INT},
    {SOL_SOCKET, SO_SNDTIMEO, BSD_SOL_SOCKET, BSD_SO_SNDTIMEO, OPT_TIMEVAL},
    {SOL_SOCKET, SO_RCVTIMEO, BSD_SOL_SOCKET, BSD_SO_RCVTIMEO, OPT_TIMEVAL},
    {SOL_SOCKET, SO_PRIORITY, BSD_SOL_SOCKET, BSD_SO_PRIORITY, OPT_INT},
    {SOL_SOCKET, SO_MAX_PACING_RATE, BSD_SOL_SOCKET, BSD_SO_MAX_PACING_RATE, OPT_RATE},
    {SOL_SOCKET, SO_BINDTODEVICE, BSD_SOL_SOCKET, BSD_SO_BINDTODEVICE, OPT_IFNAME},
    {SOL_SOCKET, SO_BINDTOIFINDEX, BSD_SOL_SOCKET, BSD_SO_BINDTOIFINDEX, OPT_INT},
    {IPPROTO_TCP, TCP_NODELAY, BSD_IPPROTO_TCP, BSD_TCP_NODELAY, OPT_INT},
    {IPPROTO_TCP, TCP_MAXSEG, BSD_IPPROTO_TCP, BSD_TCP_MAXSEG, OPT_INT},
    {IPPROTO_TCP, TCP_KEEPIDLE, BSD_IPPROTO_TCP, BSD_TCP_KEEPIDLE, OPT_INT},
    {IPPROTO_TCP, TCP_KEEPINTVL, BSD_IPPROTO_TCP, BSD_TCP_KEEPINTVL, OPT_INT},
    {IPPROTO_TCP, TCP_KEEPCNT, BSD_IPPROTO_TCP, BSD_TCP_KEEPCNT, OPT_INT},
    {IPPROTO_TCP, TCP_CORK, BSD_IPPROTO_TCP, BSD_TCP_NOPUSH, OPT_INT},
    {IPPROTO_TCP, TCP_QUICKACK, BSD_IPPROTO_TCP, BSD_TCP_QUICKACK, OPT_INT},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, BSD_IPPROTO_TCP, BSD_TCP_USER_TIMEOUT, OPT_INT},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, BSD_IPPROTO_TCP, BSD_TCP_DEFER_ACCEPT, OPT_INT},
    {IPPROTO_TCP, TCP_SYNCNT, BSD_IPPROTO_TCP, BSD_TCP_SYNCNT, OPT_INT},
    {IPPROTO_TCP, TCP_LINGER2, BSD_IPPROTO_TCP, BSD_TCP_LINGER2, OPT_INT},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP, BSD_IPPROTO_TCP, BSD_TCP_WINDOW_CLAMP, OPT_INT},
    {IPPROTO_TCP, TCP_TIMESTAMP, BSD_IPPROTO_TCP, BSD_TCP_TIMESTAMP, OPT_INT},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, BSD_IPPROTO_TCP, BSD_TCP_NOTSENT_LOWAT, OPT_INT},
    {IPPROTO_TCP, TCP_CONGESTION, BSD_IPPROTO_TCP, BSD_TCP_CONGCTL, OPT_STRING},
    {IPPROTO_TCP, TCP_INFO, BSD_IPPROTO_TCP, BSD_TCP_INFO, OPT_TCPINFO},
    {IPPROTO_IP, IP_OPTIONS, BSD_IPPROTO_IP, BSD_IP_OPTIONS, OPT_BYTES},
    {IPPROTO_IP, IP_HDRINCL, BSD_IPPROTO_IP, BSD_IP_HDRINCL, OPT_INT},
    {IPPROTO_IP, IP_TOS, BSD_IPPROTO_IP, BSD_IP_TOS, OPT_BYTE},
    {IPPROTO_IP, IP_TTL, BSD_IPPROTO_IP, BSD_IP_TTL, OPT_BYTE},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, BSD_IPPROTO_IP, BSD_IP_BIND_ADDRESS_NO_PORT, OPT_INT},
    {IPPROTO_IP, IP_MINTTL, BSD_IPPROTO_IP, BSD_IP_MINTTL, OPT_INT},
    {IPPROTO_IP, IP_MULTICAST_IF, BSD_IPPROTO_IP, BSD_IP_MULTICAST_IF, OPT_MCASTIF},
    {IPPROTO_IP, IP_MULTICAST_TTL, BSD_IPPROTO_IP, BSD_IP_MULTICAST_TTL, OPT_BYTE},
    {IPPROTO_IP, IP_MULTICAST_LOOP, BSD_IPPROTO_IP, BSD_IP_MULTICAST_LOOP, OPT_BYTE},
    {IPPROTO_IP, IP_MULTICAST_ALL, BSD_IPPROTO_IP, BSD_IP_MULTICAST_ALL, OPT_INT},
    {IPPROTO_IP, IP_ADD_MEMBERSHIP, BSD_IPPROTO_IP, BSD_IP_ADD_MEMBERSHIP, OPT_MREQ},
    {IPPROTO_IP, IP_DROP_MEMBERSHIP, BSD_IPPROTO_IP, BSD_IP_DROP_MEMBERSHIP, OPT_MREQ},
    {IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, BSD_IPPROTO_IP, BSD_IP_ADD_SOURCE_MEMBERSHIP, OPT_MCAST},
    {IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, BSD_IPPROTO_IP, BSD_IP_DROP_SOURCE_MEMBERSHIP,
	OPT_MCAST},
    {IPPROTO_IP, IP_BLOCK_SOURCE, BSD_IPPROTO_IP, BSD_IP_BLOCK_SOURCE, OPT_MCAST},
    {IPPROTO_IP, IP_UNBLOCK_SOURCE, BSD_IPPROTO_IP, BSD_IP_UNBLOCK_SOURCE, OPT_MCAST},
    {IPPROTO_IP, IP_MSFILTER, BSD_IPPROTO_IP, BSD_IP_MSFILTER, OPT_MSFILTER},
    {IPPROTO_IP, MCAST_MSFILTER, BSD_IPPROTO_IP, BSD_IP_MSFILTER, OPT_MSFILTER},
    {IPPROTO_IP, MCAST_JOIN_GROUP, BSD_IPPROTO_IP, BSD_IP_ADD_MEMBERSHIP, OPT_MCAST},
    {IPPROTO_IP, MCAST_LEAVE_GROUP, BSD_IPPROTO_IP, BSD_IP_DROP_MEMBERSHIP, OPT_MCAST},
    {IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, BSD_IPPROTO_IP, BSD_IP_ADD_SOURCE_MEMBERSHIP, OPT_MCAST},
    {IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, BSD_IPPROTO_IP, BSD_IP_DROP_SOURCE_MEMBERSHIP,
	OPT_MCAST},
    {IPPROTO_IP, MCAST_BLOCK_SOURCE, BSD_IPPROTO_IP, BSD_IP_BLOCK_SOURCE, OPT_MCAST},
    {IPPROTO_IP, MCAST_UNBLOCK_SOURCE, BSD_IPPROTO_IP, BSD_IP_UNBLOCK_SOURCE, OPT_MCAST},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, BSD_IPPROTO_IPV6, BSD_IPV6_UNICAST_HOPS, OPT_INT},
    {IPPROTO_IPV6, IPV6_MULTICAST_IF, BSD_IPPROTO_IPV6, BSD_IPV6_MULTICAST_IF, OPT_INT},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, BSD_IPPROTO_IPV6, BSD_IPV6_MULTICAST_HOPS, OPT_INT},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, BSD_IPPROTO_IPV6, BSD_IPV6_MULTICAST_LOOP, OPT_INT},
    {IPPROTO_IPV6, IPV6_JOIN_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_JOIN_GROUP, OPT_MREQ6},
    {IPPROTO_IPV6, IPV6_LEAVE_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_LEAVE_GROUP, OPT_MREQ6},
    {IPPROTO_IPV6, MCAST_JOIN_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_JOIN_GROUP, OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_LEAVE_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_LEAVE_GROUP, OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_JOIN_SOURCE_GROUP,
	OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_LEAVE_SOURCE_GROUP,
	OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_BLOCK_SOURCE, BSD_IPPROTO_IPV6, BSD_IPV6_BLOCK_SOURCE, OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_UNBLOCK_SOURCE, BSD_IPPROTO_IPV6, BSD_IPV6_UNBLOCK_SOURCE, OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_MSFILTER, BSD_IPPROTO_IPV6, BSD_IPV6_MSFILTER, OPT_MSFILTER6},
    {IPPROTO_IPV6, IPV6_PKTINFO, BSD_IPPROTO_IPV6, BSD_IPV6_PKTINFO, OPT_MREQ6},
    {IPPROTO_IPV6, IPV6_V6ONLY, BSD_IPPROTO_IPV6, BSD_IPV6_V6ONLY, OPT_INT},
    {IPPROTO_IPV6, IPV6_TCLASS, BSD_IPPROTO_IPV6, BSD_IPV6_TCLASS, OPT_INT},
    {IPPROTO_IPV6, IPV6_DONTFRAG, BSD_IPPROTO_IPV6, BSD_IPV6_DONTFRAG, OPT_INT},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, BSD_IPPROTO_IPV6, BSD_IPV6_MTU_DISCOVER, OPT_INT},
    {IPPROTO_IPV6, IPV6_MTU, BSD_IPPROTO_IPV6, BSD_IPV6_MTU, OPT_INT},
    {IPPROTO_IPV6, IPV6_MINHOPCOUNT, BSD_IPPROTO_IPV6, BSD_IPV6_MINHOPCOUNT, OPT_INT},
};

_Static_assert(sizeof(struct linger) == sizeof(struct bsd_linger), "linger is the same in both");
_Static_assert(sizeof(struct ip_mreq) == 8, "ip_mreq is two addresses");
_Static_assert(sizeof(struct ipv6_mreq) == 20, "ipv6_mreq is an address and an index");
_Static_assert(sizeof(struct in6_pktinfo) == 20, "and so is in6_pktinfo");

const struct sockopt_map *
sockopt_table(size_t *count)
{
	*count = sizeof(options) / sizeof(options[0]);
	return options;
}

const struct sockopt_map *
sockopt_lookup(int level, int name)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].so_linux_level == level && options[i].so_linux_name == name)
			return &options[i];
	}
	return NULL;
}

static int
put_bytes(const void *val, size_t len, union bsd_option *out, uint32_t *blen)
{
	memcpy(out->bo_bytes, val, len);
	*blen = (uint32_t)len;
	return 0;
}

static int
put_timeval(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	struct timeval tv;

	if (len < sizeof(tv))
		return EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return EDOM;
	out->bo_timeval = (struct bsd_timeval){.tv_sec = tv.tv_sec, .tv_usec = (int32_t)tv.tv_usec};
	*blen = sizeof(out->bo_timeval);
	return 0;
}

static int
put_mreq(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	if (len < sizeof(struct ip_mreq))
		return EINVAL;
	return put_bytes(val,
	    len < sizeof(struct ip_mreqn) ? sizeof(struct ip_mreq) : sizeof(struct ip_mreqn), out,
	    blen);
}

static int
put_mcastif(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	struct ip_mreqn mreqn = {0};

	if (len < sizeof(struct in_addr))
		return EINVAL;
	if (len < sizeof(struct ip_mreq))
		memcpy(&mreqn.imr_address, val, sizeof(mreqn.imr_address));
	else
		memcpy(&mreqn, val, len < sizeof(mreqn) ? sizeof(struct ip_mreq) : sizeof(mreqn));
	if (mreqn.imr_ifindex != 0)
		return put_bytes(&mreqn, sizeof(mreqn), out, blen);
	return put_bytes(&mreqn.imr_address, sizeof(mreqn.imr_address), out, blen);
}

/* TCP_CONGESTION, the only one: the algorithms' names are the same in both but for one. */
static const char reno_bsd[] = "newreno", reno_linux[sizeof(reno_bsd)] = "reno";

static int
put_string(const void *val, socklen_t len, union bsd_option *out, uint32_t *blen)
{
	if (len == 0 || len >= sizeof(out->bo_bytes))
		return EINVAL;
	put_bytes(val, len, out, blen);
	if (strcmp((const char *)out->bo_bytes, reno_linux) == 0)
		put_bytes(reno_bsd, sizeof(reno_bsd), out, blen);
	*blen = (uint32_t)strlen((const char *)out->bo_bytes) + 1;
	return 0;
}

static int
put_int(enum option_kind kind, const void *val, socklen_t len, union bsd_option *out)
{
	uint8_t byte;

	if (len >= sizeof(int32_t)) {
		memcpy(&out->bo_int, val, sizeof(int32_t));
		return 0;
	}
	if (kind != OPT_BYTE || len == 0)
		return EINVAL;
	memcpy(&byte, val, 1);
	out->bo_int = byte;
	return 0;
}

int
linux_to_bsd_option(const struct sockopt_map *map, const void *val, socklen_t len,
    union bsd_option *out, uint32_t *blen)
{
	memset(out, 0, sizeof(*out));
	switch (map->so_kind) {
	case OPT_INT:
	case OPT_BYTE:
		*blen = sizeof(int32_t);
		return put_int(map->so_kind, val, len, out);
	case OPT_LINGER:
		if (len < sizeof(struct linger))
			return EINVAL;
		return put_bytes(val, sizeof(struct linger), out, blen);
	case OPT_TIMEVAL:
		return put_timeval(val, len, out, blen);
	case OPT_STRING:
		return put_string(val, len, out, blen);
	case OPT_IFNAME:
		return put_bytes(val, strnlen(val, len < IFNAMSIZ ? len : IFNAMSIZ - 1), out, blen);
	case OPT_RATE:
		return put_bytes(val, len < sizeof(uint64_t) ? len : sizeof(uint64_t), out, blen);
	case OPT_BYTES:
		return len > sizeof(out->bo_bytes) ? EINVAL : put_bytes(val, len, out, blen);
	case OPT_MCASTIF:
		return put_mcastif(val, len, out, blen);
	case OPT_MREQ:
		return put_mreq(val, len, out, blen);
	case OPT_MCAST:
	case OPT_MSFILTER:
		return linux_to_bsd_mcast(map->so_linux_name, val, len, out, blen);
	case OPT_MCAST6:
	case OPT_MSFILTER6:
		return linux_to_bsd_mcast6(map->so_linux_name, val, len, out, blen);
	case OPT_MREQ6:
		if (len < sizeof(struct ipv6_mreq))
			return EINVAL;
		return put_bytes(val, sizeof(struct ipv6_mreq), out, blen);
	case OPT_ERRNO: /* cannot be set */
	case OPT_TCPINFO:
	case OPT_NKIND:
		break;
	}
	return ENOPROTOOPT;
}

void
bsd_to_linux_option(const struct sockopt_map *map, const union bsd_option *in, uint32_t blen,
    void *val, socklen_t *len)
{
	union {
		int32_t i;
		struct timeval tv;
		uint8_t bytes[sizeof(union bsd_option)];
	} out = {0};
	socklen_t whole = blen < sizeof(*in) ? blen : (socklen_t)sizeof(*in);

	if (map->so_kind == OPT_TCPINFO) {
		bsd_to_linux_tcpinfo(&in->bo_tcpinfo, blen, val, len);
		return;
	}
	if (map->so_kind == OPT_MSFILTER) {
		bsd_to_linux_msfilter(map->so_linux_name, &in->bo_msfilter, blen, val, len);
		return;
	}
	if (map->so_kind == OPT_MSFILTER6) {
		bsd_to_linux_msfilter6(&in->bo_msfilter6, blen, val, len);
		return;
	}
	memcpy(out.bytes, in, whole);
	switch (map->so_kind) {
	case OPT_ERRNO:
		out.i = bsd_errno_to_linux(in->bo_int);
		break;
	case OPT_BYTE:
		out.i = blen < sizeof(int32_t) ? in->bo_bytes[0] : in->bo_int;
		whole = sizeof(int32_t);
		if (*len > 0 && *len < sizeof(int32_t))
			*len = 1; /* as Linux: a short buffer takes a char */
		break;
	case OPT_STRING:
		if (memcmp(out.bytes, reno_bsd, sizeof(reno_bsd)) == 0)
			memcpy(out.bytes, reno_linux, sizeof(reno_linux));
		break;
	case OPT_TIMEVAL:
		out.tv.tv_sec = in->bo_timeval.tv_sec;
		out.tv.tv_usec = in->bo_timeval.tv_usec;
		whole = sizeof(out.tv);
		break;
	default:
		break;
	}
	if (*len > whole)
		*len = whole;
	memcpy(val, out.bytes, *len);
}
