/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of scripts that stand for numbers. Scripts use Linux's names; the values are those of
 * the stack, so that nothing needs translating afterwards. A name that the stack does not know is
 * not here: a script that uses it cannot be read.
 */
#include <string.h>

#include <rumpus/abi.h>

#include "script.h"

struct name {
	const char *n_name;
	int64_t n_value;
};

#define SAME(name)                \
	{                         \
#name, BSD_##name \
	}

static const struct name names[] = {
    SAME(AF_UNSPEC),
    SAME(AF_INET),
    SAME(AF_INET6),
    {"PF_INET", BSD_AF_INET},
    SAME(SOCK_STREAM),
    SAME(SOCK_DGRAM),
    SAME(SOCK_RAW),
    SAME(SOCK_NONBLOCK),
    SAME(SOCK_CLOEXEC),
    SAME(IPPROTO_IP),
    SAME(IPPROTO_ICMP),
    SAME(IPPROTO_TCP),
    SAME(IPPROTO_UDP),
    SAME(IPPROTO_IPV6),
    SAME(IPPROTO_ICMPV6),
    {"SOL_IPV6", BSD_IPPROTO_IPV6},
    {"SOL_IP", BSD_IPPROTO_IP},
    {"SOL_TCP", BSD_IPPROTO_TCP},
    {"SOL_UDP", BSD_IPPROTO_UDP},
    SAME(SOL_SOCKET),
    SAME(SO_ACCEPTCONN),
    SAME(SO_REUSEADDR),
    SAME(SO_REUSEPORT),
    SAME(SO_KEEPALIVE),
    SAME(SO_DONTROUTE),
    SAME(SO_BROADCAST),
    SAME(SO_LINGER),
    SAME(SO_OOBINLINE),
    SAME(SO_SNDBUF),
    SAME(SO_RCVBUF),
    SAME(SO_SNDLOWAT),
    SAME(SO_RCVLOWAT),
    SAME(SO_ERROR),
    SAME(SO_TYPE),
    SAME(SO_SNDTIMEO),
    SAME(SO_RCVTIMEO),
    SAME(SO_MAX_PACING_RATE),
    SAME(TCP_NODELAY),
    SAME(TCP_MAXSEG),
    SAME(TCP_KEEPIDLE),
    SAME(TCP_KEEPINTVL),
    SAME(TCP_KEEPCNT),
    SAME(TCP_KEEPINIT),
    SAME(TCP_INFO),
    SAME(TCP_USER_TIMEOUT),
    SAME(TCP_QUICKACK),
    SAME(TCP_DEFER_ACCEPT),
    SAME(TCP_SYNCNT),
    SAME(TCP_LINGER2),
    SAME(TCP_WINDOW_CLAMP),
    {"TCP_CORK", BSD_TCP_NOPUSH},
    {"TCP_CONGESTION", BSD_TCP_CONGCTL},
    SAME(IP_OPTIONS),
    SAME(IP_HDRINCL),
    SAME(IP_TOS),
    SAME(IP_TTL),
    SAME(IP_MINTTL),
    SAME(IP_RECVERR),
    SAME(IP_MULTICAST_IF),
    SAME(IP_MULTICAST_TTL),
    SAME(IP_MULTICAST_LOOP),
    SAME(IP_MULTICAST_ALL),
    SAME(IP_ADD_MEMBERSHIP),
    SAME(IP_DROP_MEMBERSHIP),
    SAME(IP_ADD_SOURCE_MEMBERSHIP),
    SAME(IP_DROP_SOURCE_MEMBERSHIP),
    SAME(IP_BLOCK_SOURCE),
    SAME(IP_UNBLOCK_SOURCE),
    SAME(IP_MSFILTER),
    SAME(MCAST_INCLUDE),
    SAME(MCAST_EXCLUDE),
    /* As at the stack's doors: the protocol-independent names are options of the protocol. */
    {"MCAST_JOIN_GROUP", BSD_IP_ADD_MEMBERSHIP},
    {"MCAST_LEAVE_GROUP", BSD_IP_DROP_MEMBERSHIP},
    {"MCAST_JOIN_SOURCE_GROUP", BSD_IP_ADD_SOURCE_MEMBERSHIP},
    {"MCAST_LEAVE_SOURCE_GROUP", BSD_IP_DROP_SOURCE_MEMBERSHIP},
    {"MCAST_BLOCK_SOURCE", BSD_IP_BLOCK_SOURCE},
    {"MCAST_UNBLOCK_SOURCE", BSD_IP_UNBLOCK_SOURCE},
    SAME(IPV6_JOIN_SOURCE_GROUP),
    SAME(IPV6_LEAVE_SOURCE_GROUP),
    SAME(IPV6_BLOCK_SOURCE),
    SAME(IPV6_UNBLOCK_SOURCE),
    SAME(IPV6_MSFILTER),
    SAME(IPV6_JOIN_GROUP),
    SAME(IPV6_LEAVE_GROUP),
    {"IPV6_ADD_MEMBERSHIP", BSD_IPV6_JOIN_GROUP},
    {"IPV6_DROP_MEMBERSHIP", BSD_IPV6_LEAVE_GROUP},
    SAME(IPV6_MULTICAST_LOOP),
    SAME(IPV6_RECVERR),
    {"SHUT_RD", BSD_SHUT_RD},
    {"SHUT_WR", BSD_SHUT_WR},
    {"SHUT_RDWR", BSD_SHUT_RDWR},
    SAME(MSG_OOB),
    SAME(MSG_PEEK),
    SAME(MSG_DONTROUTE),
    SAME(MSG_WAITALL),
    SAME(MSG_DONTWAIT),
    SAME(MSG_NOSIGNAL),
    SAME(MSG_TRUNC),
    SAME(POLLIN),
    SAME(POLLPRI),
    SAME(POLLOUT),
    SAME(POLLERR),
    SAME(POLLHUP),
    SAME(POLLNVAL),
    SAME(POLLRDNORM),
    SAME(POLLWRNORM),
    SAME(POLLRDBAND),
    SAME(F_GETFL),
    SAME(F_SETFL),
    SAME(F_GETFD),
    SAME(F_SETFD),
    SAME(F_DUPFD),
    SAME(FD_CLOEXEC),
    SAME(O_RDONLY),
    SAME(O_WRONLY),
    SAME(O_RDWR),
    SAME(O_NONBLOCK),
    SAME(FIONREAD),
    SAME(FIONBIO),
    {"SIOCINQ", BSD_FIONREAD},
    {"SIOCOUTQ", BSD_FIONWRITE},
    SAME(SIOCATMARK),
    {"INADDR_ANY", 0},
    {"SOMAXCONN", BSD_SOMAXCONN},
    {"CLOSED", BSD_TCPS_CLOSED},
    {"LISTEN", BSD_TCPS_LISTEN},
    {"SYN_SENT", BSD_TCPS_SYN_SENT},
    {"SYN_RECEIVED", BSD_TCPS_SYN_RECEIVED},
    {"ESTABLISHED", BSD_TCPS_ESTABLISHED},
    {"CLOSE_WAIT", BSD_TCPS_CLOSE_WAIT},
    {"FIN_WAIT_1", BSD_TCPS_FIN_WAIT_1},
    {"CLOSING", BSD_TCPS_CLOSING},
    {"LAST_ACK", BSD_TCPS_LAST_ACK},
    {"FIN_WAIT_2", BSD_TCPS_FIN_WAIT_2},
    {"TIME_WAIT", BSD_TCPS_TIME_WAIT},
    {"TCP_ESTABLISHED", BSD_TCPS_ESTABLISHED},
    {"TCP_SYN_SENT", BSD_TCPS_SYN_SENT},
    {"TCP_SYN_RECV", BSD_TCPS_SYN_RECEIVED},
    {"TCP_CLOSE", BSD_TCPS_CLOSED},
    {"TCP_FIN_WAIT1", BSD_TCPS_FIN_WAIT_1},
    {"TCP_FIN_WAIT2", BSD_TCPS_FIN_WAIT_2},
    {"TCP_TIME_WAIT", BSD_TCPS_TIME_WAIT},
    {"TCP_CLOSE_WAIT", BSD_TCPS_CLOSE_WAIT},
    {"TCP_LAST_ACK", BSD_TCPS_LAST_ACK},
    {"TCP_LISTEN", BSD_TCPS_LISTEN},
    {"TCP_CLOSING", BSD_TCPS_CLOSING},
    {"TCP_CA_Open", BSD_TCP_CA_OPEN},
    {"TCP_CA_Disorder", BSD_TCP_CA_DISORDER},
    {"TCP_CA_Recovery", BSD_TCP_CA_RECOVERY},
    {"TCP_CA_Loss", BSD_TCP_CA_LOSS},
    {"TCPI_OPT_TIMESTAMPS", BSD_TCPI_OPT_TIMESTAMPS},
    {"TCPI_OPT_SACK", BSD_TCPI_OPT_SACK},
    {"TCPI_OPT_WSCALE", BSD_TCPI_OPT_WSCALE},
};

static const struct name errnos[] = {
#define RUMPUS_ERRNO(name, value, text) {#name, (value)},
#include <rumpus/errno.def>
#undef RUMPUS_ERRNO
    {"EWOULDBLOCK", BSD_EWOULDBLOCK},
};

static bool
find(const struct name *table, size_t n, const char *name, size_t len, int64_t *value)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(table[i].n_name) == len && memcmp(table[i].n_name, name, len) == 0) {
			*value = table[i].n_value;
			return true;
		}
	}
	return false;
}

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

bool
name_value(const char *name, size_t len, int64_t *value)
{
	return find(names, nitems(names), name, len, value) ||
	    find(errnos, nitems(errnos), name, len, value);
}

int
name_errno(const char *name, size_t len)
{
	int64_t value;

	return find(errnos, nitems(errnos), name, len, &value) ? (int)value : 0;
}

const char *
errno_name(int error)
{
	for (size_t i = 0; i < nitems(errnos); i++) {
		if (errnos[i].n_value == error)
			return errnos[i].n_name;
	}
	return "an unknown errno";
}
