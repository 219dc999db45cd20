/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options of the host, carried out by the stack, by the pair, or by this door: one table.
 * An option that is not in it, nor told by fd_translate_told.c, is refused with ENOPROTOOPT, as the
 * host does with an unknown one.
 *
 * What concerns how the client's end waits and reads (time-outs, low-water mark, urgent data in
 * line, where to look from) is set on that end itself, where the host's kernel obeys it.
 */
#include "server/fdsock/fd_dgram.h"
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/time.h>

enum fd_optkind {
	FD_OPT_FLAG,   /* int, zero or not */
	FD_OPT_STAMP,  /* one or the other of two resolutions, or none */
	FD_OPT_INT,    /* the same number */
	FD_OPT_BYTE,   /* int or char */
	FD_OPT_BUF,    /* bytes: Linux doubles what is set, and tells that */
	FD_OPT_LINGER, /* struct linger, the same in both */
	FD_OPT_STRING,
	FD_OPT_IFNAME,
	FD_OPT_RATE,    /* 64 bits or, where the room is for no more, 32; the stack tells which */
	FD_OPT_BYTES,   /* the same bytes */
	FD_OPT_FILTER,  /* what struct sock_fprog points to */
	FD_OPT_TCPINFO, /* read only */
	FD_OPT_NOTSENT, /* bytes: fd_set_notsent parts them between stack and pair */
	FD_OPT_INQ,     /* the client carries it out */
	FD_OPT_SEGMENT, /* of what the client writes (fd_dgram.c) */
	FD_OPT_GRO,     /* and of what it reads */
	FD_OPT_MREQ,    /* ip_mreq or ip_mreqn, the same in both */
	FD_OPT_MREQ6,   /* ipv6_mreq or in6_pktinfo, the same in both */
	FD_OPT_MCASTIF,
	FD_OPT_MCAST,  /* fd_translate_mcast.c */
	FD_OPT_MCAST6, /* fd_translate_mcast6.c */
	FD_OPT_PAIR,   /* the client's end obeys it */
	FD_OPT_STATE,  /* told by fd_sockopt_state */
	FD_OPT_KIND_COUNT
};

struct fd_option {
	int op_level; /* the host's */
	int op_name;
	int op_bsdlevel;
	int op_bsdname;
	enum fd_optkind op_kind;
};

#define FD_SOCKET(name, kind)                                      \
	{                                                          \
		SOL_SOCKET, name, BSD_SOL_SOCKET, BSD_##name, kind \
	}
#define FD_HERE(name, kind)                  \
	{                                    \
		SOL_SOCKET, name, 0, 0, kind \
	}
#define FD_TCP(name, bsdname, kind)                               \
	{                                                         \
		IPPROTO_TCP, name, BSD_IPPROTO_TCP, bsdname, kind \
	}
#define FD_IP(name, kind)                                          \
	{                                                          \
		IPPROTO_IP, name, BSD_IPPROTO_IP, BSD_##name, kind \
	}

#define FD_IP6(name, kind)                                             \
	{                                                              \
		IPPROTO_IPV6, name, BSD_IPPROTO_IPV6, BSD_##name, kind \
	}

static const struct fd_option fd_options[] = {
    FD_SOCKET(SO_REUSEADDR, FD_OPT_FLAG),
    FD_SOCKET(SO_REUSEPORT, FD_OPT_FLAG),
    FD_SOCKET(SO_KEEPALIVE, FD_OPT_FLAG),
    FD_SOCKET(SO_DONTROUTE, FD_OPT_FLAG),
    FD_SOCKET(SO_BROADCAST, FD_OPT_FLAG),
    FD_SOCKET(SO_LINGER, FD_OPT_LINGER),
    FD_SOCKET(SO_TIMESTAMP, FD_OPT_STAMP),
    {SOL_SOCKET, SO_TIMESTAMPNS, BSD_SOL_SOCKET, BSD_SO_TIMESTAMP, FD_OPT_STAMP},
    FD_SOCKET(SO_SNDBUF, FD_OPT_BUF),
    FD_SOCKET(SO_RCVBUF, FD_OPT_BUF),
    FD_SOCKET(SO_PRIORITY, FD_OPT_INT),
    FD_SOCKET(SO_MAX_PACING_RATE, FD_OPT_RATE),
    FD_SOCKET(SO_BINDTODEVICE, FD_OPT_IFNAME),
    FD_SOCKET(SO_BINDTOIFINDEX, FD_OPT_INT),
    FD_SOCKET(SO_NO_CHECK, FD_OPT_FLAG),
    FD_SOCKET(SO_RXQ_OVFL, FD_OPT_FLAG),
    FD_SOCKET(SO_ATTACH_FILTER, FD_OPT_FILTER),
    FD_SOCKET(SO_DETACH_FILTER, FD_OPT_FLAG),
    FD_SOCKET(SO_LOCK_FILTER, FD_OPT_FLAG),
    FD_HERE(SO_OOBINLINE, FD_OPT_PAIR),
    FD_HERE(SO_RCVTIMEO, FD_OPT_PAIR),
    FD_HERE(SO_SNDTIMEO, FD_OPT_PAIR),
    FD_HERE(SO_RCVLOWAT, FD_OPT_PAIR),
    FD_HERE(SO_PEEK_OFF, FD_OPT_PAIR),
    FD_HERE(SO_ERROR, FD_OPT_STATE),
    FD_HERE(SO_TYPE, FD_OPT_STATE),
    FD_HERE(SO_DOMAIN, FD_OPT_STATE),
    FD_HERE(SO_PROTOCOL, FD_OPT_STATE),
    FD_HERE(SO_ACCEPTCONN, FD_OPT_STATE),
    FD_HERE(SO_SNDLOWAT, FD_OPT_STATE),
    FD_TCP(TCP_NODELAY, BSD_TCP_NODELAY, FD_OPT_FLAG),
    FD_TCP(TCP_CORK, BSD_TCP_NOPUSH, FD_OPT_FLAG),
    FD_TCP(TCP_QUICKACK, BSD_TCP_QUICKACK, FD_OPT_FLAG),
    FD_TCP(TCP_MAXSEG, BSD_TCP_MAXSEG, FD_OPT_INT),
    FD_TCP(TCP_KEEPIDLE, BSD_TCP_KEEPIDLE, FD_OPT_INT),
    FD_TCP(TCP_KEEPINTVL, BSD_TCP_KEEPINTVL, FD_OPT_INT),
    FD_TCP(TCP_KEEPCNT, BSD_TCP_KEEPCNT, FD_OPT_INT),
    FD_TCP(TCP_USER_TIMEOUT, BSD_TCP_USER_TIMEOUT, FD_OPT_INT),
    FD_TCP(TCP_DEFER_ACCEPT, BSD_TCP_DEFER_ACCEPT, FD_OPT_INT),
    FD_TCP(TCP_SYNCNT, BSD_TCP_SYNCNT, FD_OPT_INT),
    FD_TCP(TCP_LINGER2, BSD_TCP_LINGER2, FD_OPT_INT),
    FD_TCP(TCP_WINDOW_CLAMP, BSD_TCP_WINDOW_CLAMP, FD_OPT_INT),
    FD_TCP(TCP_TIMESTAMP, BSD_TCP_TIMESTAMP, FD_OPT_INT),
    FD_TCP(TCP_NOTSENT_LOWAT, BSD_TCP_NOTSENT_LOWAT, FD_OPT_NOTSENT),
    {IPPROTO_TCP, TCP_INQ, 0, 0, FD_OPT_INQ},
    FD_TCP(TCP_CONGESTION, BSD_TCP_CONGCTL, FD_OPT_STRING),
    FD_TCP(TCP_INFO, BSD_TCP_INFO, FD_OPT_TCPINFO),
    {IPPROTO_UDP, UDP_CORK, BSD_IPPROTO_UDP, BSD_UDP_CORK, FD_OPT_FLAG},
    {IPPROTO_UDP, UDP_SEGMENT, 0, 0, FD_OPT_SEGMENT},
    {IPPROTO_UDP, UDP_GRO, 0, 0, FD_OPT_GRO},
    FD_IP(IP_OPTIONS, FD_OPT_BYTES),
    FD_IP(IP_HDRINCL, FD_OPT_FLAG),
    FD_IP(IP_TOS, FD_OPT_BYTE),
    FD_IP(IP_TTL, FD_OPT_BYTE),
    {IPPROTO_IP, IP_PKTINFO, BSD_IPPROTO_IP, BSD_IP_RECVPKTINFO, FD_OPT_FLAG},
    FD_IP(IP_RECVTTL, FD_OPT_FLAG),
    FD_IP(IP_RECVTOS, FD_OPT_FLAG),
    FD_IP(IP_ORIGDSTADDR, FD_OPT_FLAG),
    FD_IP(IP_MTU_DISCOVER, FD_OPT_INT),
    FD_IP(IP_RECVERR, FD_OPT_BYTE),
    FD_IP(IP_MTU, FD_OPT_INT),
    FD_IP(IP_MINTTL, FD_OPT_INT),
    FD_IP(IP_BIND_ADDRESS_NO_PORT, FD_OPT_FLAG),
    {IPPROTO_IP, IP_FREEBIND, BSD_IPPROTO_IP, BSD_IP_BINDANY, FD_OPT_FLAG},
    {SOL_RAW, ICMP_FILTER, BSD_IPPROTO_RAW, BSD_ICMP_FILTER, FD_OPT_BYTES},
    FD_IP(IP_MULTICAST_IF, FD_OPT_MCASTIF),
    FD_IP(IP_MULTICAST_TTL, FD_OPT_BYTE),
    FD_IP(IP_MULTICAST_LOOP, FD_OPT_BYTE),
    FD_IP(IP_MULTICAST_ALL, FD_OPT_FLAG),
    FD_IP(IP_ADD_MEMBERSHIP, FD_OPT_MREQ),
    FD_IP(IP_DROP_MEMBERSHIP, FD_OPT_MREQ),
    FD_IP(IP_ADD_SOURCE_MEMBERSHIP, FD_OPT_MCAST),
    FD_IP(IP_DROP_SOURCE_MEMBERSHIP, FD_OPT_MCAST),
    FD_IP(IP_BLOCK_SOURCE, FD_OPT_MCAST),
    FD_IP(IP_UNBLOCK_SOURCE, FD_OPT_MCAST),
    FD_IP(IP_MSFILTER, FD_OPT_MCAST),
    {IPPROTO_IP, MCAST_MSFILTER, BSD_IPPROTO_IP, BSD_IP_MSFILTER, FD_OPT_MCAST},
    {IPPROTO_IP, MCAST_JOIN_GROUP, BSD_IPPROTO_IP, BSD_IP_ADD_MEMBERSHIP, FD_OPT_MCAST},
    {IPPROTO_IP, MCAST_LEAVE_GROUP, BSD_IPPROTO_IP, BSD_IP_DROP_MEMBERSHIP, FD_OPT_MCAST},
    {IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, BSD_IPPROTO_IP, BSD_IP_ADD_SOURCE_MEMBERSHIP,
	FD_OPT_MCAST},
    {IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, BSD_IPPROTO_IP, BSD_IP_DROP_SOURCE_MEMBERSHIP,
	FD_OPT_MCAST},
    {IPPROTO_IP, MCAST_BLOCK_SOURCE, BSD_IPPROTO_IP, BSD_IP_BLOCK_SOURCE, FD_OPT_MCAST},
    {IPPROTO_IP, MCAST_UNBLOCK_SOURCE, BSD_IPPROTO_IP, BSD_IP_UNBLOCK_SOURCE, FD_OPT_MCAST},
    {IPPROTO_ICMPV6, 1, BSD_IPPROTO_ICMPV6, BSD_ICMP6_FILTER, FD_OPT_BYTES}, /* ICMPV6_FILTER */
    FD_IP6(IPV6_V6ONLY, FD_OPT_FLAG),
    FD_IP6(IPV6_UNICAST_HOPS, FD_OPT_INT),
    FD_IP6(IPV6_MULTICAST_IF, FD_OPT_INT),
    FD_IP6(IPV6_MULTICAST_HOPS, FD_OPT_INT),
    FD_IP6(IPV6_MULTICAST_LOOP, FD_OPT_INT),
    FD_IP6(IPV6_RECVPKTINFO, FD_OPT_FLAG),
    FD_IP6(IPV6_PKTINFO, FD_OPT_MREQ6),
    FD_IP6(IPV6_RECVHOPLIMIT, FD_OPT_FLAG),
    FD_IP6(IPV6_RECVTCLASS, FD_OPT_FLAG),
    FD_IP6(IPV6_TCLASS, FD_OPT_INT),
    FD_IP6(IPV6_DONTFRAG, FD_OPT_FLAG),
    FD_IP6(IPV6_MTU_DISCOVER, FD_OPT_INT),
    FD_IP6(IPV6_MTU, FD_OPT_INT),
    FD_IP6(IPV6_RECVERR, FD_OPT_FLAG),
    {IPPROTO_IPV6, IPV6_FREEBIND, BSD_IPPROTO_IP, BSD_IP_BINDANY, FD_OPT_FLAG},
    FD_IP6(IPV6_MULTICAST_ALL, FD_OPT_INT),
    FD_IP6(IPV6_JOIN_GROUP, FD_OPT_MREQ6),
    FD_IP6(IPV6_LEAVE_GROUP, FD_OPT_MREQ6),
    {IPPROTO_IPV6, MCAST_JOIN_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_JOIN_GROUP, FD_OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_LEAVE_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_LEAVE_GROUP, FD_OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_JOIN_SOURCE_GROUP,
	FD_OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, BSD_IPPROTO_IPV6, BSD_IPV6_LEAVE_SOURCE_GROUP,
	FD_OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_BLOCK_SOURCE, BSD_IPPROTO_IPV6, BSD_IPV6_BLOCK_SOURCE, FD_OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_UNBLOCK_SOURCE, BSD_IPPROTO_IPV6, BSD_IPV6_UNBLOCK_SOURCE, FD_OPT_MCAST6},
    {IPPROTO_IPV6, MCAST_MSFILTER, BSD_IPPROTO_IPV6, BSD_IPV6_MSFILTER, FD_OPT_MCAST6},
    FD_IP6(IPV6_MINHOPCOUNT, FD_OPT_INT),
};

_Static_assert(sizeof(struct linger) == sizeof(struct bsd_linger), "linger is the same in both");
_Static_assert(sizeof(struct bsd_in6_pktinfo) == sizeof(struct ipv6_mreq), "an address, an index");

/* What the host calls one of the stack's congestion controls otherwise. */
static const char host_reno[] = "reno", bsd_reno[] = "newreno";

static const struct fd_option *
fd_sockopt_lookup(int level, int name)
{
	for (size_t i = 0; i < nitems(fd_options); i++) {
		if (fd_options[i].op_level == level && fd_options[i].op_name == name)
			return &fd_options[i];
	}
	return NULL;
}

bool
fd_sockopt_known(int level, int name)
{
	return fd_sockopt_lookup(level, name) != NULL || fd_told_known(level, name);
}

static void
fd_sopt_bytes(struct sockopt *sopt, const void *val, size_t len)
{
	memcpy(sopt->sopt_data, val, len);
	sopt->sopt_size = len;
}

static int
fd_set_int(struct sockopt *sopt, const struct fd_option *op, const void *val, size_t len)
{
	uint8_t byte;
	int value;

	if (len >= sizeof(value)) {
		memcpy(&value, val, sizeof(value));
	} else if (op->op_kind == FD_OPT_BYTE && len > 0) {
		memcpy(&byte, val, 1);
		value = byte;
	} else {
		return EINVAL;
	}
	/* As Linux: the default. */
	if (op->op_level == IPPROTO_IP && op->op_name == IP_TTL && value == -1)
		value = IPDEFTTL;
	if (op->op_level == IPPROTO_IP && op->op_name == IP_MULTICAST_TTL && value == -1)
		value = 1;
	if (op->op_kind == FD_OPT_FLAG || op->op_kind == FD_OPT_STAMP)
		value = value != 0;
	if (op->op_kind == FD_OPT_BUF)
		value = value < 0 || value > INT32_MAX / 2 ? INT32_MAX : KERN_MAX(2 * value, 4608);
	fd_sopt_bytes(sopt, &value, sizeof(value));
	return 0;
}

static int
fd_set_mreq(struct sockopt *sopt, const struct fd_option *op, const void *val, size_t len)
{
	if (op->op_kind == FD_OPT_MCASTIF && len >= 4 && len < sizeof(struct ip_mreq)) {
		fd_sopt_bytes(sopt, val, 4);
		return 0;
	}
	if (len < sizeof(struct ip_mreq))
		return EINVAL;
	fd_sopt_bytes(sopt, val,
	    len < sizeof(struct ip_mreqn) ? sizeof(struct ip_mreq) : sizeof(struct ip_mreqn));
	return 0;
}

static int
fd_set_value(struct sockopt *sopt, const struct fd_option *op, const void *val, size_t len)
{
	switch (op->op_kind) {
	case FD_OPT_FLAG:
	case FD_OPT_STAMP:
	case FD_OPT_INT:
	case FD_OPT_BYTE:
	case FD_OPT_BUF:
		return fd_set_int(sopt, op, val, len);
	case FD_OPT_LINGER:
		if (len < sizeof(struct linger))
			return EINVAL;
		fd_sopt_bytes(sopt, val, sizeof(struct linger));
		return 0;
	case FD_OPT_STRING:
		if (strnlen(val, len) == sizeof(host_reno) - 1 &&
		    memcmp(val, host_reno, sizeof(host_reno) - 1) == 0)
			fd_sopt_bytes(sopt, bsd_reno, sizeof(bsd_reno) - 1);
		else
			fd_sopt_bytes(sopt, val, strnlen(val, len));
		return len == 0 ? EINVAL : 0;
	case FD_OPT_IFNAME:
		fd_sopt_bytes(sopt, val, strnlen(val, len));
		return 0;
	case FD_OPT_BYTES:
	case FD_OPT_RATE:
		fd_sopt_bytes(sopt, val, len);
		return 0;
	case FD_OPT_MREQ6:
		if (len < sizeof(struct ipv6_mreq))
			return EINVAL;
		fd_sopt_bytes(sopt, val, sizeof(struct ipv6_mreq));
		return 0;
	case FD_OPT_FILTER:
		sopt->sopt_long = val;
		sopt->sopt_size = len;
		return 0;
	case FD_OPT_MREQ:
	case FD_OPT_MCASTIF:
		return fd_set_mreq(sopt, op, val, len);
	case FD_OPT_MCAST:
		return fd_set_mcast(sopt, op->op_name, val, len);
	case FD_OPT_MCAST6:
		return fd_set_mcast6(sopt, op->op_name, val, len);
	default:
		return ENOPROTOOPT;
	}
}

/* A place to look from within a record would be one in its header. */
static bool
fd_pair_has(const struct fdsock *fs, int name)
{
	return name != SO_PEEK_OFF || fs->fs_kind != FD_DGRAM;
}

/* The client's end obeys it; a listener's are remembered for those that it will make. */
static int
fd_set_pair(struct fdsock *fs, int clientfd, int name, const void *val, size_t len)
{
	if (setsockopt(clientfd, SOL_SOCKET, name, val, (socklen_t)len) != 0)
		return errno;
	for (size_t i = 0; i < FD_PAIROPTS; i++) {
		struct fd_pairopt *po = &fs->fs_pairopts[i];

		if (po->po_len != 0 && po->po_name != name)
			continue;
		po->po_name = name;
		po->po_len = (uint8_t)KERN_MIN(len, sizeof(po->po_value));
		memcpy(po->po_value, val, po->po_len);
		break;
	}
	return 0;
}

/*
 * What the client has written and is not sent lies in the pair or in the stack. The host shows an end
 * writable while it holds no more than a quarter of its buffer, which is then as large as the limit.
 */
static void
fd_notsent_narrow(struct fdsock *fs, int clientfd)
{
	fd_gate_setbuf(fs, clientfd,
	    fs->fs_notsent == 0 ? FD_PAIR_SNDBUF
				: (int)KERN_MIN(fs->fs_notsent / 2, (uint32_t)FD_PAIR_SNDBUF));
}

static int
fd_set_notsent(struct fdsock *fs, int clientfd, const void *val, size_t len)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_TCP, .sopt_name = BSD_TCP_NOTSENT_LOWAT};
	uint32_t limit, part;
	int error;

	if (len < sizeof(limit))
		return EINVAL;
	memcpy(&limit, val, sizeof(limit));
	part = limit == 0 ? 0 : limit / 4 + 1;
	fd_sopt_bytes(&sopt, &part, sizeof(part));
	error = fd_errno(sosetopt(fs->fs_so, &sopt));
	if (error == 0) {
		fs->fs_notsent = limit;
		if (fs->fs_area != NULL)
			fd_share_stop(fs);
		fd_notsent_narrow(fs, clientfd);
	}
	return error;
}

/* What is left to read lies in the pair, where the client sees it. */
static int
fd_set_inq(struct fdsock *fs, int clientfd, const void *val, size_t len)
{
	int value;

	if (fs->fs_kind == FD_DGRAM)
		return ENOPROTOOPT;
	if (len < sizeof(value))
		return EINVAL;
	memcpy(&value, val, sizeof(value));
	if (value != 0 && value != 1)
		return EINVAL;
	fs->fs_inq = value != 0;
	fd_sock_tag(fs, clientfd);
	return 0;
}

static int
fd_set_segment(struct fdsock *fs, enum fd_optkind kind, const void *val, size_t len)
{
	int value;

	if (fs->fs_protocol != IPPROTO_UDP)
		return ENOPROTOOPT;
	if (len < sizeof(value))
		return EINVAL;
	memcpy(&value, val, sizeof(value));
	if (kind == FD_OPT_GRO) {
		fs->fs_gro = value != 0;
		return 0;
	}
	if (value < 0 || value > UINT16_MAX)
		return EINVAL;
	fs->fs_segment = (uint16_t)value;
	return 0;
}

/* => the value of an option that is kept here; -1: it is another */
static int64_t
fd_get_kept(const struct fdsock *fs, enum fd_optkind kind)
{
	switch (kind) {
	case FD_OPT_NOTSENT:
		return fs->fs_notsent;
	case FD_OPT_INQ:
		return fs->fs_inq;
	case FD_OPT_SEGMENT:
		return fs->fs_segment;
	case FD_OPT_GRO:
		return fs->fs_gro;
	default:
		return -1;
	}
}

void
fd_sockopt_note(struct fdsock *fs, int clientfd)
{
	static const int names[] = {SO_RCVTIMEO, SO_SNDTIMEO};

	for (size_t i = 0; i < nitems(names); i++) {
		struct timeval tv = {0};
		socklen_t len = sizeof(tv);

		if (getsockopt(clientfd, SOL_SOCKET, names[i], &tv, &len) == 0 &&
		    (tv.tv_sec != 0 || tv.tv_usec != 0) &&
		    fd_set_pair(fs, clientfd, names[i], &tv, len) == 0)
			fd_sister_option(fs, clientfd, SOL_SOCKET, names[i], &tv, len);
	}
}

void
fd_sockopt_inherit(const struct fdsock *fs, struct fdsock *child, int clientfd)
{
	memcpy(child->fs_pairopts, fs->fs_pairopts, sizeof(child->fs_pairopts));
	child->fs_inq = fs->fs_inq;
	if (child->fs_inq)
		fd_sock_tag(child, clientfd);
	child->fs_notsent = fs->fs_notsent;
	if (child->fs_notsent != 0)
		fd_notsent_narrow(child, clientfd);
	for (size_t i = 0; i < FD_PAIROPTS && fs->fs_pairopts[i].po_len != 0; i++) {
		const struct fd_pairopt *po = &fs->fs_pairopts[i];

		(void)setsockopt(clientfd, SOL_SOCKET, po->po_name, po->po_value, po->po_len);
	}
}

/* The client's end shows that errors are queued. */
static void
fd_sockopt_recverr(struct fdsock *fs, int clientfd, int level, const uint8_t *bytes)
{
	const uint8_t bit = level == IPPROTO_IP ? 1 : 2;
	int value;

	memcpy(&value, bytes, sizeof(value));
	fs->fs_recverr &= (uint8_t)~bit;
	fs->fs_recverr |= value != 0 ? bit : 0;
	fd_sock_tag(fs, clientfd);
}

int
fd_sockopt_set(struct fdsock *fs, int clientfd, int level, int name, const void *val, size_t len)
{
	const struct fd_option *op = fd_sockopt_lookup(level, name);
	struct sockopt sopt = {.sopt_set = true};
	int error;

	if (level == IPPROTO_IPV6 && fs->fs_domain != AF_INET6)
		return ENOPROTOOPT;
	if (op == NULL)
		return level == IPPROTO_TCP && fs->fs_kind == FD_DGRAM
		    ? ENOPROTOOPT
		    : fd_told_set(level, name, val, len);
	if (op->op_kind == FD_OPT_PAIR)
		return fd_pair_has(fs, name) ? fd_set_pair(fs, clientfd, name, val, len)
					     : EOPNOTSUPP;
	if (op->op_kind == FD_OPT_NOTSENT)
		return fd_set_notsent(fs, clientfd, val, len);
	if (op->op_kind == FD_OPT_INQ)
		return fd_set_inq(fs, clientfd, val, len);
	if (op->op_kind == FD_OPT_SEGMENT || op->op_kind == FD_OPT_GRO)
		return fd_set_segment(fs, op->op_kind, val, len);
	if (len > sizeof(sopt.sopt_data) && op->op_kind != FD_OPT_FILTER &&
	    op->op_kind != FD_OPT_MCAST && op->op_kind != FD_OPT_MCAST6)
		return EINVAL;
	error = fd_set_value(&sopt, op, val, len);
	if (error != 0)
		return error;
	sopt.sopt_level = op->op_bsdlevel;
	sopt.sopt_name = op->op_bsdname;
	error = fd_errno(sosetopt(fs->fs_so, &sopt));
	if (error == 0 && op->op_kind == FD_OPT_STAMP)
		fs->fs_stampns = name == SO_TIMESTAMPNS;
	if (error == 0 &&
	    ((level == IPPROTO_IP && name == IP_RECVERR) ||
		(level == IPPROTO_IPV6 && name == IPV6_RECVERR)))
		fd_sockopt_recverr(fs, clientfd, level, sopt.sopt_data);
	return error;
}

/* SO_ERROR takes the error. */
static int
fd_sockopt_error(struct fdsock *fs, int clientfd)
{
	int error = fs->fs_so->so_error;

	if (fs->fs_kind == FD_DGRAM)
		return fd_errno(fd_dgram_takeerror(fs, clientfd));
	fs->fs_so->so_error = 0;
	return fd_errno(error);
}

static int
fd_sockopt_state(struct fdsock *fs, int clientfd, int name)
{
	switch (name) {
	case SO_ERROR:
		return fd_sockopt_error(fs, clientfd);
	case SO_TYPE:
		return fs->fs_so->so_proto->pr_type;
	case SO_DOMAIN:
		return fs->fs_domain;
	case SO_PROTOCOL:
		return fs->fs_protocol;
	case SO_ACCEPTCONN:
		return fs->fs_kind == FD_LISTENER;
	default: /* SO_SNDLOWAT: Linux has no other */
		return 1;
	}
}

static size_t
fd_get_int(const struct fd_option *op, const struct sockopt *sopt, void *val, size_t room)
{
	int value = 0;

	memcpy(&value, sopt->sopt_data, KERN_MIN(sopt->sopt_size, sizeof(value)));
	if (op->op_kind == FD_OPT_FLAG || op->op_kind == FD_OPT_STAMP)
		value = value != 0;
	if (op->op_kind == FD_OPT_BYTE && room > 0 && room < sizeof(value))
		room = 1; /* as Linux: a short buffer takes a char */
	room = KERN_MIN(room, sizeof(value));
	memcpy(val, &value, room);
	return room;
}

/* Linux has no word for a level that it does not know but this one. => host errno */
static int
fd_sockopt_unknown(const struct fdsock *fs, int level)
{
	if (level == SOL_SOCKET || level == IPPROTO_IP || level == IPPROTO_IPV6)
		return ENOPROTOOPT;
	return level == fs->fs_so->so_proto->pr_protocol ? ENOPROTOOPT : EOPNOTSUPP;
}

int
fd_sockopt_get(struct fdsock *fs, int clientfd, int level, int name, void *val, size_t *len)
{
	const struct fd_option *op = fd_sockopt_lookup(level, name);
	struct sockopt sopt = {.sopt_size = sizeof(sopt.sopt_data)};
	socklen_t pairlen = (socklen_t)*len;
	int64_t kept;
	int error;

	if (level == IPPROTO_IPV6 && fs->fs_domain != AF_INET6)
		return EOPNOTSUPP;
	if ((op == NULL && !fd_told_known(level, name)) ||
	    ((level == IPPROTO_TCP || level == IPPROTO_UDP) &&
		level != fs->fs_so->so_proto->pr_protocol))
		return fd_sockopt_unknown(fs, level);
	if (op == NULL)
		return fd_told_get(fs, level, name, val, len);
	if (op->op_kind == FD_OPT_PAIR && !fd_pair_has(fs, name))
		return EOPNOTSUPP;
	if (op->op_kind == FD_OPT_PAIR) {
		error = getsockopt(clientfd, level, name, val, &pairlen) == 0 ? 0 : errno;
		*len = pairlen;
		return error;
	}
	if ((kept = fd_get_kept(fs, op->op_kind)) >= 0) {
		sockopt_putint(&sopt, (int)kept);
		*len = fd_get_int(op, &sopt, val, *len);
		return 0;
	}
	if (op->op_kind == FD_OPT_STATE) {
		sockopt_putint(&sopt, fd_sockopt_state(fs, clientfd, name));
		*len = fd_get_int(op, &sopt, val, *len);
		return 0;
	}
	if (op->op_kind == FD_OPT_MCAST)
		return fd_get_mcast(fs, name, val, len);
	if (op->op_kind == FD_OPT_MCAST6)
		return fd_get_mcast6(fs, name, val, len);
	/* too short is EINVAL, or has another form */
	if (op->op_kind == FD_OPT_IFNAME || op->op_kind == FD_OPT_RATE)
		sopt.sopt_size = KERN_MIN(*len, sizeof(sopt.sopt_data));
	sopt.sopt_level = op->op_bsdlevel;
	sopt.sopt_name = op->op_bsdname;
	error = sogetopt(fs->fs_so, &sopt);
	if (error != 0)
		return fd_errno(error);
	if (op->op_kind == FD_OPT_TCPINFO)
		fd_tcpinfo(&sopt, fs->fs_kind == FD_STREAM ? fd_pair_waiting(fs) : 0);
	if (op->op_kind == FD_OPT_STRING &&
	    strncmp((const char *)sopt.sopt_data, bsd_reno, sizeof(bsd_reno)) == 0)
		memcpy(sopt.sopt_data, host_reno, sizeof(host_reno));
	if (op->op_kind == FD_OPT_STAMP && fs->fs_stampns != (name == SO_TIMESTAMPNS))
		sockopt_putint(&sopt, 0);
	if (op->op_kind <= FD_OPT_BUF) {
		*len = fd_get_int(op, &sopt, val, *len);
	} else {
		*len = KERN_MIN(*len, sopt.sopt_size);
		memcpy(val, sopt.sopt_data, *len);
	}
	return 0;
}
