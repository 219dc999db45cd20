/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A socket that the rules send to the host, once its address is known.
 *
 * It was made on the stack, because only bind, connect or a send says where it belongs. A fresh
 * socket of the host takes its number; options that have been set are asked of the stack and set
 * again, but for a filter (SO_ATTACH_FILTER), which the stack does not give out, and IPV6_PKTINFO,
 * which names what is the stack's. Copies of the descriptor made before stay on the stack.
 */
#include "preload.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct option {
	int o_level;
	int o_name;
};

/* V6ONLY and the like come before anything that depends on them. */
static const struct option options[] = {
    {SOL_SOCKET, SO_REUSEADDR},
    {SOL_SOCKET, SO_REUSEPORT},
    {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_BROADCAST},
    {SOL_SOCKET, SO_LINGER},
    {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_SNDTIMEO},
    {SOL_SOCKET, SO_RCVLOWAT},
    {SOL_SOCKET, SO_TIMESTAMP},
    {SOL_SOCKET, SO_TIMESTAMPNS},
    {SOL_SOCKET, SO_NO_CHECK},
    {SOL_SOCKET, SO_RXQ_OVFL},
    {SOL_SOCKET, SO_PEEK_OFF},
    {IPPROTO_IPV6, IPV6_V6ONLY},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
    {IPPROTO_IPV6, IPV6_RECVTCLASS},
    {IPPROTO_IPV6, IPV6_TCLASS},
    {IPPROTO_IPV6, IPV6_DONTFRAG},
    {IPPROTO_IPV6, IPV6_RECVERR},
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_IP, IP_PKTINFO},
    {IPPROTO_IP, IP_RECVTTL},
    {IPPROTO_IP, IP_RECVTOS},
    {IPPROTO_IP, IP_RECVORIGDSTADDR},
    {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IP, IP_MULTICAST_TTL},
    {IPPROTO_IP, IP_MULTICAST_LOOP},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    {IPPROTO_TCP, TCP_INQ},
    {IPPROTO_UDP, UDP_SEGMENT},
    {IPPROTO_UDP, UDP_GRO},
};

/* Sets one option of the host's socket, if the stack's value is another. */
static void
option_copy(int from, int to, const struct option *o)
{
	char want[FDSOCK_OPTION_MAX], have[FDSOCK_OPTION_MAX];
	socklen_t len = sizeof(have);
	struct exchange ex = {.ex_op = FDSOCK_OP_GETSOCKOPT,
	    .ex_about = from,
	    .ex_arg = {o->o_level, o->o_name, sizeof(want)},
	    .ex_room = want,
	    .ex_roomlen = sizeof(want)};

	if (syscall(SYS_getsockopt, to, o->o_level, o->o_name, have, &len) != 0 ||
	    control_exchange(&ex) != 0)
		return;
	if (ex.ex_reply.fp_datalen == len && memcmp(have, want, len) == 0)
		return;
	(void)syscall(SYS_setsockopt, to, o->o_level, o->o_name, want, ex.ex_reply.fp_datalen);
}

/* => 0 or errno; whether it has an address of the stack already */
static int
is_bound(int fd, bool *boundp)
{
	struct sockaddr_storage ss = {0};
	struct exchange ex = {.ex_op = FDSOCK_OP_GETSOCKNAME,
	    .ex_about = fd,
	    .ex_room = &ss,
	    .ex_roomlen = sizeof(ss)};
	int error = control_exchange(&ex);
	in_port_t port;

	memcpy(&port, (const char *)&ss + offsetof(struct sockaddr_in, sin_port), sizeof(port));
	*boundp = error == 0 && port != 0;
	return error;
}

int
migrate(int fd, uint64_t tag)
{
	bool bound;
	int to;

	if (is_bound(fd, &bound) == 0 && bound)
		return EALREADY;
	to = (int)syscall(SYS_socket, FDSOCK_TAG_FAMILY(tag), FDSOCK_TAG_TYPE(tag) | SOCK_CLOEXEC,
	    FDSOCK_TAG_PROTOCOL(tag));
	if (to < 0)
		return errno;
	if ((tag & TAG_OPTIONS) != 0) {
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			option_copy(fd, to, &options[i]);
	}
	return descriptor_replace(to, fd);
}
