/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets of AF_INET6: mapped addresses, who may bind beside whom, ancillary data, errors, streams. */
#include "calls.h"

#include <linux/errqueue.h>

#define LEN6 ((socklen_t)sizeof(struct sockaddr_in6))

static struct sockaddr_in6
addr6(const char *text, int port)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	MUST(inet_pton(AF_INET6, text, &sin6.sin6_addr) == 1 ? 0 : -1);
	return sin6;
}

static int
socket_of(const char *text, int type)
{
	return (int)MUST(socket(strchr(text, ':') != NULL ? AF_INET6 : AF_INET, type, 0));
}

static int
bind_to(int fd, const char *text, int port)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;

	if (strchr(text, ':') == NULL) {
		sin = calls_addr(text, port);
		return bind(fd, (struct sockaddr *)&sin, sizeof(sin));
	}
	sin6 = addr6(text, port);
	return bind(fd, (struct sockaddr *)&sin6, LEN6);
}

static int
connect_to(int fd, const char *text, int port)
{
	struct sockaddr_in6 sin6 = addr6(text, port);

	return connect(fd, (struct sockaddr *)&sin6, LEN6);
}

/* The address, without its port, that a call tells. */
static void
say_name(const char *what, int error, const struct sockaddr_in6 *sin6)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (error != 0) {
		(void)printf("%s -> %s\n", what, calls_errname(errno));
		return;
	}
	if (sin6->sin6_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &sin6->sin6_addr, text, sizeof(text));
	(void)printf("%s -> %s\n", what, text);
}

static void
say_names(int fd)
{
	struct sockaddr_in6 sin6 = {0};
	socklen_t len = LEN6;
	int error = getsockname(fd, (struct sockaddr *)&sin6, &len);

	say_name("own name", error, &sin6);
	len = LEN6;
	error = getpeername(fd, (struct sockaddr *)&sin6, &len);
	say_name("the peer's", error, &sin6);
}

/* A port that nobody has, of either family, nor had lately (TIME-WAIT). */
static int
free_port(int type)
{
	const int off = 0;
	int fd = socket_of("::", type), port;

	MUST(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)));
	MUST(bind_to(fd, "::", 0));
	port = calls_port(fd);
	MUST(close(fd));
	return port;
}

static void
conflicts_of(int type, int only)
{
	static const char *const pairs[][2] = {{"::", "0.0.0.0"}, {"0.0.0.0", "::"},
	    {"::", "127.0.0.1"}, {"127.0.0.1", "::"}, {"::1", "127.0.0.1"}, {"::1", "0.0.0.0"},
	    {"::", "::1"}, {"::1", "::"}, {"::", "::"}, {"::ffff:127.0.0.1", "127.0.0.1"},
	    {"::ffff:127.0.0.1", "::"}, {"::ffff:0.0.0.0", "::1"}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const int port = free_port(type);
		int one = socket_of(pairs[i][0], type), two = socket_of(pairs[i][1], type), error;

		(void)setsockopt(one, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
		(void)setsockopt(two, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
		error = bind_to(one, pairs[i][0], port);
		(void)printf("%s, only %d -> %s\n", pairs[i][0], only,
		    error != 0 ? calls_errname(errno) : "0");
		if (error == 0) {
			error = bind_to(two, pairs[i][1], port);
			(void)printf("%s beside it -> %s\n", pairs[i][1],
			    error != 0 ? calls_errname(errno) : "0");
		}
		(void)close(one);
		(void)close(two);
	}
}

static void
conflicts(void)
{
	conflicts_of(SOCK_STREAM, 0);
	conflicts_of(SOCK_STREAM, 1);
	conflicts_of(SOCK_DGRAM, 0);
}

static int
listener6(void)
{
	int ls = (int)MUST(socket(AF_INET6, SOCK_STREAM, 0));

	MUST(bind_to(ls, "::", 0));
	MUST(listen(ls, 64));
	return ls;
}

/* What a socket bound to one address gets that connects to another. */
static void
connects_of(int type)
{
	static const char *const from[] = {NULL, "::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0"};
	static const char *const to[] = {"::1", "::ffff:127.0.0.1", "::", "::ffff:0.0.0.0"};
	int ls = listener6();

	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 4; j++) {
			int fd = (int)MUST(socket(AF_INET6, type, 0)), error;

			if (from[i] != NULL)
				MUST(bind_to(fd, from[i], 0));
			error = connect_to(fd, to[j], calls_port(ls));
			(void)printf("from %s to %s -> %s\n", from[i] != NULL ? from[i] : "none",
			    to[j], error != 0 ? calls_errname(errno) : "0");
			say_names(fd);
			(void)close(fd);
		}
	}
	(void)close(ls);
}

static void
connects(void)
{
	connects_of(SOCK_STREAM);
	connects_of(SOCK_DGRAM);
}

static void
errors(void)
{
	struct sockaddr_in sin = calls_addr("127.0.0.1", 9);
	struct sockaddr_in6 sin6 = addr6("::1", 9);
	int s = (int)MUST(socket(AF_INET6, SOCK_STREAM, 0)), one = 1;
	int u = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	int four = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t len = sizeof(one);

	DO(connect(s, (struct sockaddr *)&sin, sizeof(sin)));
	DO(bind(s, (struct sockaddr *)&sin, sizeof(sin)));
	DO(bind(s, (struct sockaddr *)&sin6, 20));
	DO(connect(s, (struct sockaddr *)&sin6, 20));
	DO(connect_to(s, "fe80::1", 9));
	DO(bind_to(s, "fe80::1", 9));
	DO(connect(four, (struct sockaddr *)&sin6, LEN6));
	DO(bind(four, (struct sockaddr *)&sin6, LEN6));
	DO(sendto(four, "x", 1, 0, (struct sockaddr *)&sin6, LEN6));
	DO(sendto(u, "x", 1, 0, (struct sockaddr *)&sin6, 20));
	DO(sendto(u, "x", 1, 0, (struct sockaddr *)&sin, sizeof(sin)));
	DO(setsockopt(u, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)));
	close(u);
	u = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	DO(setsockopt(u, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)));
	DO(sendto(u, "x", 1, 0, (struct sockaddr *)&sin, sizeof(sin)));
	DO(connect_to(u, "::ffff:127.0.0.1", 9));
	DO(bind_to(u, "::ffff:127.0.0.1", 0));
	DO(setsockopt(four, IPPROTO_IPV6, IPV6_TCLASS, &one, sizeof(one)));
	DO(setsockopt(four, IPPROTO_IPV6, IPV6_TCLASS, &one, 1));
	DO(getsockopt(four, IPPROTO_IPV6, IPV6_TCLASS, &one, &len));
	DO(getsockopt(four, IPPROTO_IPV6, 12345, &one, &len));
}

/* Both families by one listener: what accept and the connection tell, and that bytes go. */
static void
listens(void)
{
	static const char *const to[] = {"::1", "::ffff:127.0.0.1"};
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;
	int ls = listener6(), fd, four;
	socklen_t len = LEN6;
	uint8_t buf[5000];

	for (size_t i = 0; i < 2; i++) {
		fd = (int)MUST(socket(AF_INET6, SOCK_STREAM, 0));
		DO(connect_to(fd, to[i], calls_port(ls)));
		four = accept(ls, (struct sockaddr *)&sin6, &len);
		say_name("accepted", four < 0, &sin6);
		say_names(four);
		calls_fill(buf, sizeof(buf), 7);
		MUST(write(fd, buf, sizeof(buf)));
		DO(calls_expect(four, sizeof(buf), 7));
		(void)close(fd);
		(void)close(four);
	}
	four = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	sin = calls_addr("127.0.0.1", calls_port(ls));
	DO(connect(four, (struct sockaddr *)&sin, sizeof(sin)));
	fd = accept(ls, (struct sockaddr *)&sin6, &len);
	say_name("accepted", fd < 0, &sin6);
}

static void
wants(int fd, int level, int name, const char *text)
{
	int one = 1;

	(void)printf("%s -> %s\n", text,
	    setsockopt(fd, level, name, &one, sizeof(one)) != 0 ? calls_errname(errno) : "0");
}

static void
say_control(struct cmsghdr *c)
{
	struct sock_extended_err ee;
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
	struct in6_pktinfo info;
	int value = 0;

	if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		sin6.sin6_addr = info.ipi6_addr;
		say_name("came to", 0, &sin6);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR) {
		memcpy(&ee, CMSG_DATA(c), sizeof(ee));
		memcpy(&sin6, CMSG_DATA(c) + sizeof(ee), sizeof(sin6));
		(void)printf("an error -> %s, origin %d, type %d, code %d, %zu bytes\n",
		    calls_errname((int)ee.ee_errno), ee.ee_origin, ee.ee_type, ee.ee_code,
		    (size_t)c->cmsg_len);
		say_name("of whom", 0, &sin6);
	} else {
		memcpy(&value, CMSG_DATA(c), c->cmsg_len == CMSG_LEN(1) ? 1 : sizeof(value));
		(void)printf("level %d type %d -> %d\n", c->cmsg_level, c->cmsg_type, value);
	}
}

/* One message, with what comes beside it. */
static void
take(int fd, int flags)
{
	_Alignas(struct cmsghdr) char control[512];
	struct sockaddr_in6 sin6 = {0};
	char buf[16];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_name = &sin6,
	    .msg_namelen = sizeof(sin6),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};

	DO(recvmsg(fd, &msg, flags));
	say_name("of", 0, &sin6);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
		say_control(c);
}

/* Sends with control messages: the source, hops and class of this one datagram. */
static void
send_with(int fd, const char *to, int port, const char *source)
{
	_Alignas(struct cmsghdr) char
	    control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int))] = {0};
	struct sockaddr_in6 sin6 = addr6(to, port);
	struct iovec iov = {(void *)(uintptr_t) "x", 1};
	struct msghdr msg = {.msg_name = &sin6,
	    .msg_namelen = sizeof(sin6),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct in6_pktinfo info = {.ipi6_addr = addr6(source, 0).sin6_addr};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	const int hops = 7, tclass = 0x28;

	*c = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO};
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	c = CMSG_NXTHDR(&msg, c);
	*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), IPPROTO_IPV6, IPV6_HOPLIMIT};
	memcpy(CMSG_DATA(c), &hops, sizeof(hops));
	c = CMSG_NXTHDR(&msg, c);
	*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), IPPROTO_IPV6, IPV6_TCLASS};
	memcpy(CMSG_DATA(c), &tclass, sizeof(tclass));
	DO(sendmsg(fd, &msg, 0));
}

static void
ancillary(void)
{
	const int hops = 33, tclass = 0x10;
	int u = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	int fd = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0)), port;
	struct sockaddr_in6 sin6;

	MUST(bind_to(u, "::", 0));
	port = calls_port(u);
	wants(u, IPPROTO_IPV6, IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO");
	wants(u, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, "IPV6_RECVHOPLIMIT");
	wants(u, IPPROTO_IPV6, IPV6_RECVTCLASS, "IPV6_RECVTCLASS");
	wants(u, IPPROTO_IP, IP_RECVTTL, "IP_RECVTTL");
	MUST(setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)));
	MUST(setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass)));
	sin6 = addr6("::1", port);
	DO(sendto(fd, "x", 1, 0, (struct sockaddr *)&sin6, LEN6));
	take(u, 0);
	sin6 = addr6("::ffff:127.0.0.1", port);
	DO(sendto(fd, "x", 1, 0, (struct sockaddr *)&sin6, LEN6));
	take(u, 0);
	send_with(fd, "::1", port, "::1");
	take(u, 0);
	send_with(fd, "::ffff:127.0.0.1", port, "::ffff:127.0.0.1");
	take(u, 0);
	fd = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	send_with(fd, "::1", port, "2001:db8::1");
}

static void
set_pktinfo(int fd, const char *addr, int ifindex, const char *what)
{
	const struct in6_pktinfo info = {addr6(addr, 0).sin6_addr, (unsigned)ifindex};

	(void)printf("%s -> %s\n", what,
	    setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info)) != 0
		? calls_errname(errno)
		: "0");
}

/* IPV6_PKTINFO as an option: source and interface of every datagram of IPv6. */
static void
sticky(void)
{
	int u = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0)), port;
	int fd = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	struct in6_pktinfo info = {0};
	socklen_t len = sizeof(info);
	struct sockaddr_in6 sin6;
	const int lo = 1;

	MUST(bind_to(u, "::", 0));
	port = calls_port(u);
	DO(getsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, &len));
	DO(setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, 0));
	DO(setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info) - 1));
	set_pktinfo(fd, "::1", lo, "ours");
	sin6 = addr6("::1", port);
	DO(sendto(fd, "x", 1, 0, (struct sockaddr *)&sin6, LEN6));
	take(u, 0);
	sin6 = addr6("::ffff:127.0.0.1", port);
	DO(sendto(fd, "x", 1, 0, (struct sockaddr *)&sin6, LEN6));
	take(u, 0);
	send_with(fd, "::1", port, "::1");
	take(u, 0);
	set_pktinfo(fd, "2001:db8::1", 0, "another's address");
	set_pktinfo(fd, "::", 9999, "no interface");
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &lo, sizeof(lo)));
	set_pktinfo(fd, "::", 0, "any interface, bound to one");
	set_pktinfo(fd, "::", lo, "that one");
	fd = (int)MUST(socket(AF_INET6, SOCK_STREAM, 0));
	set_pktinfo(fd, "::", 0, "of a stream");
}

/* IPV6_MTU_DISCOVER, each value. */
static void
mtu_discover(void)
{
	int fd = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0)), back;
	socklen_t len = sizeof(back);

	for (int how = -1; how <= IPV6_PMTUDISC_OMIT + 1; how++) {
		DO(setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &how, sizeof(how)));
		MUST(getsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &back, &len));
		DO(back);
	}
}

static void
error_queue(void)
{
	int u = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0)), port;
	int fd = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	struct sockaddr_in6 sin6;

	MUST(bind_to(u, "::", 0));
	port = calls_port(u);
	MUST(close(u));
	host_sleep_ms(50);
	wants(fd, IPPROTO_IPV6, IPV6_RECVERR, "IPV6_RECVERR");
	wants(fd, IPPROTO_IP, IP_RECVERR, "IP_RECVERR");
	sin6 = addr6("::1", port);
	DO(sendto(fd, "x", 1, 0, (struct sockaddr *)&sin6, LEN6));
	host_sleep_ms(50);
	take(fd, MSG_ERRQUEUE);
	sin6 = addr6("::ffff:127.0.0.1", port);
	DO(sendto(fd, "x", 1, 0, (struct sockaddr *)&sin6, LEN6));
	host_sleep_ms(50);
	take(fd, MSG_ERRQUEUE);
}

#define FILTER_GROUP "ff15::9"

static struct sockaddr_storage
storage6(const char *text, int family)
{
	struct sockaddr_in6 sin6 = addr6(text, 0);
	struct sockaddr_storage ss = {0};

	sin6.sin6_family = (sa_family_t)family;
	memcpy(&ss, &sin6, sizeof(sin6));
	return ss;
}

static void
source(int fd, int name, const char *group, const char *from)
{
	struct group_source_req gsr = {1, storage6(group, AF_INET6), storage6(from, AF_INET6)};
	char text[64];

	(void)snprintf(text, sizeof(text), "option %d of %s from %s", name, group, from);
	calls_say(text, setsockopt(fd, IPPROTO_IPV6, name, &gsr, sizeof(gsr)));
}

union group_filters {
	struct group_filter gf;
	char room[GROUP_FILTER_SIZE(8)];
};

static void
set_filter(int fd, uint32_t ifindex, uint32_t fmode, uint32_t numsrc, socklen_t len)
{
	static union group_filters f;
	struct sockaddr_storage ss;
	char text[64];

	f.gf =
	    (struct group_filter){ifindex, storage6(FILTER_GROUP, AF_INET6), fmode, numsrc, {{0}}};
	for (unsigned i = 0; i < 8; i++) {
		(void)snprintf(text, sizeof(text), "fd00::%u", i + 1);
		ss = storage6(text, AF_INET6);
		memcpy(f.room + GROUP_FILTER_SIZE(i), &ss, sizeof(ss));
	}
	(void)snprintf(text, sizeof(text), "MCAST_MSFILTER %u: %u of %u in %u", ifindex, fmode,
	    numsrc, len);
	calls_say(text, setsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, &f, len));
}

static void
get_filter(int fd, uint32_t ifindex, int family, uint32_t numsrc, socklen_t len)
{
	static union group_filters f;
	struct sockaddr_in6 sin6;

	memset(&f, 0, sizeof(f));
	f.gf = (struct group_filter){ifindex, storage6(FILTER_GROUP, family), 7, numsrc, {{0}}};
	DO(getsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, &f, &len));
	(void)printf("mode, sources, length -> %u %u %u\n", f.gf.gf_fmode, f.gf.gf_numsrc, len);
	for (unsigned i = 0; i < 4; i++) {
		memcpy(&sin6, f.room + GROUP_FILTER_SIZE(i), sizeof(sin6));
		say_name("source", 0, &sin6);
	}
}

/* From whom a group's packets are wanted, source by source. */
static void
sources(void)
{
	struct group_source_req gsr = {1, storage6(FILTER_GROUP, AF_INET6),
	    storage6("fd00::1", AF_INET)};
	int fd = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0)),
	    four = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	static const int names[] = {MCAST_BLOCK_SOURCE, MCAST_UNBLOCK_SOURCE,
	    MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP};
	struct group_req gr = {1, storage6(FILTER_GROUP, AF_INET6)};

	for (size_t i = 0; i < 4; i++) {
		DO(setsockopt(fd, IPPROTO_IPV6, names[i], &gsr, sizeof(gsr)));
		DO(setsockopt(fd, IPPROTO_IPV6, names[i], &gsr, sizeof(gsr) - 1));
		DO(setsockopt(four, IPPROTO_IPV6, names[i], &gsr, sizeof(gsr)));
		source(fd, names[i], "fd00::9", "fd00::1");
	}
	for (size_t i = 0; i < 4; i++) { /* not joined, joined by the third, left by the fourth */
		source(fd, names[i], FILTER_GROUP, "fd00::1");
		source(fd, names[i], FILTER_GROUP, "fd00::1");
	}
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &gr, sizeof(gr)));
	for (size_t i = 0; i < 4; i++) {
		source(fd, names[i], FILTER_GROUP, "fd00::1");
		source(fd, names[i], FILTER_GROUP, "fd00::1");
		source(fd, names[i], FILTER_GROUP, "fd00::2");
	}
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &gr, sizeof(gr)));
}

/* Whole filters, set and read back. */
static void
filters(void)
{
	int fd = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0)),
	    stream = (int)MUST(socket(AF_INET6, SOCK_STREAM, 0));
	struct group_req gr = {1, storage6(FILTER_GROUP, AF_INET6)};

	get_filter(fd, 1, AF_INET6, 4, GROUP_FILTER_SIZE(4)); /* not joined */
	set_filter(fd, 1, MCAST_EXCLUDE, 1, GROUP_FILTER_SIZE(1));
	set_filter(fd, 1, MCAST_INCLUDE, 0, GROUP_FILTER_SIZE(0));
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &gr, sizeof(gr)));
	get_filter(fd, 1, AF_INET6, 4, GROUP_FILTER_SIZE(4));
	set_filter(fd, 1, MCAST_INCLUDE, 3, GROUP_FILTER_SIZE(3));
	for (uint32_t n = 0; n < 5; n++)
		get_filter(fd, 1, AF_INET6, n, GROUP_FILTER_SIZE(n));
	get_filter(fd, 1, AF_INET6, 4, GROUP_FILTER_SIZE(0) - 1);
	get_filter(fd, 0, AF_INET6, 4, GROUP_FILTER_SIZE(4));
	get_filter(fd, 77, AF_INET6, 4, GROUP_FILTER_SIZE(4));
	get_filter(fd, 1, AF_INET, 4, GROUP_FILTER_SIZE(4));
	source(fd, MCAST_LEAVE_SOURCE_GROUP, FILTER_GROUP, "fd00::2");
	get_filter(fd, 1, AF_INET6, 4, GROUP_FILTER_SIZE(4));
	set_filter(fd, 1, MCAST_EXCLUDE, 2, GROUP_FILTER_SIZE(2));
	source(fd, MCAST_BLOCK_SOURCE, FILTER_GROUP, "fd00::7");
	get_filter(fd, 1, AF_INET6, 4, GROUP_FILTER_SIZE(4));
	set_filter(fd, 1, MCAST_EXCLUDE, 2, GROUP_FILTER_SIZE(2) - 1);
	set_filter(fd, 1, MCAST_EXCLUDE, 1000, GROUP_FILTER_SIZE(2));
	set_filter(fd, 1, 2, 1, GROUP_FILTER_SIZE(1));
	set_filter(fd, 77, MCAST_EXCLUDE, 1, GROUP_FILTER_SIZE(1));
	set_filter(fd, 1, MCAST_EXCLUDE, 1, GROUP_FILTER_SIZE(0) - 1);
	set_filter(fd, 1, MCAST_INCLUDE, 0, GROUP_FILTER_SIZE(0)); /* is to leave */
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &gr, sizeof(gr)));
	set_filter(stream, 1, MCAST_EXCLUDE, 1, GROUP_FILTER_SIZE(1));
	get_filter(stream, 1, AF_INET6, 1, GROUP_FILTER_SIZE(1));
}

const struct calls_case calls_cases[] = {
    {"conflicts", conflicts},
    {"connects", connects},
    {"errors", errors},
    {"listens", listens},
    {"ancillary", ancillary},
    {"sticky", sticky},
    {"mtu-discover", mtu_discover},
    {"error-queue", error_queue},
    {"sources", sources},
    {"filters", filters},
    {NULL, NULL},
};
