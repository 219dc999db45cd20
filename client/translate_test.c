/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of the translation between Linux and BSD: every errno, every option's row, both ways.
 */
#include "translate.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <linux/sockios.h>

static void
every_errno(void **state)
{
	static const struct {
		int bsd, host;
	} all[] = {
#define RUMPUS_ERRNO(name, value, text) {value, name},
#include <rumpus/errno.def>
#undef RUMPUS_ERRNO
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(bsd_errno_to_linux(all[i].bsd), all[i].host);
	assert_int_equal(bsd_errno_to_linux(0), 0);
	assert_int_equal(bsd_errno_to_linux(35), EAGAIN);
	assert_int_equal(bsd_errno_to_linux(61), ECONNREFUSED);
	assert_int_equal(bsd_errno_to_linux(78), ENOSYS);
	assert_int_equal(bsd_errno_to_linux(BSD_ERESTART), EIO);
	assert_int_equal(bsd_errno_to_linux(BSD_ELAST + 1), EIO);
	assert_int_equal(bsd_errno_to_linux(INT32_MIN), EIO);
	assert_int_equal(bsd_errno_to_linux(79), EIO);
}

static void
signals(void **state)
{
	(void)state;
	assert_int_equal(bsd_signal_to_linux(13), SIGPIPE);
	assert_int_equal(bsd_signal_to_linux(12), SIGSYS);
	assert_int_equal(bsd_signal_to_linux(16), SIGURG);
	assert_int_equal(bsd_signal_to_linux(9), 0);
	assert_int_equal(bsd_signal_to_linux(UINT32_MAX), 0);
}

static void
sockaddr_inet(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(7777)}, back;
	static const uint8_t wire[16] = {16, 2, 0x1e, 0x61, 10, 0, 0, 2};
	union bsd_sockaddr_any any;
	socklen_t len = sizeof(back);
	uint32_t blen;

	(void)state;
	sin.sin_addr.s_addr = htonl(0x0a000002);
	assert_int_equal(linux_to_bsd_sockaddr((void *)&sin, sizeof(sin), &any, &blen), 0);
	assert_int_equal(blen, 16);
	assert_memory_equal(&any, wire, 16);
	bsd_to_linux_sockaddr(&any, blen, (void *)&back, &len);
	assert_int_equal(len, sizeof(sin));
	assert_memory_equal(&back, &sin, sizeof(sin));
}

static void
sockaddr_inet6(void **state)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
	    .sin6_port = htons(1),
	    .sin6_addr = IN6ADDR_LOOPBACK_INIT,
	    .sin6_scope_id = 7};
	struct sockaddr_in6 back;
	union bsd_sockaddr_any any;
	socklen_t len = sizeof(back);
	uint32_t blen;

	(void)state;
	assert_int_equal(linux_to_bsd_sockaddr((void *)&sin6, sizeof(sin6), &any, &blen), 0);
	assert_int_equal(any.sin6.sin6_len, 28);
	assert_int_equal(any.sin6.sin6_family, 24);
	assert_int_equal(any.sin6.sin6_scope_id, 7);
	bsd_to_linux_sockaddr(&any, blen, (void *)&back, &len);
	assert_memory_equal(&back, &sin6, sizeof(sin6));
	assert_int_equal(linux_to_bsd_sockaddr((void *)&sin6, 24, &any, &blen), 0);
	assert_int_equal(any.sin6.sin6_scope_id, 0);
	assert_int_equal(blen, 28);
}

static void
sockaddr_refused(void **state)
{
	struct sockaddr_storage ss = {.ss_family = AF_INET};
	union bsd_sockaddr_any any;
	uint32_t blen;

	(void)state;
	assert_int_equal(linux_to_bsd_sockaddr((void *)&ss, 15, &any, &blen), EINVAL);
	assert_int_equal(linux_to_bsd_sockaddr((void *)&ss, 1, &any, &blen), EINVAL);
	assert_int_equal(linux_to_bsd_sockaddr((void *)&ss, 129, &any, &blen), EINVAL);
	assert_int_equal(linux_to_bsd_sockaddr(NULL, 16, &any, &blen), EFAULT);
	ss.ss_family = AF_INET6;
	assert_int_equal(linux_to_bsd_sockaddr((void *)&ss, 23, &any, &blen), EINVAL);
	ss.ss_family = AF_UNIX;
	assert_int_equal(linux_to_bsd_sockaddr((void *)&ss, 16, &any, &blen), EAFNOSUPPORT);
	ss.ss_family = 24; /* BSD's number is no family of Linux's programs */
	assert_int_equal(linux_to_bsd_sockaddr((void *)&ss, 28, &any, &blen), EAFNOSUPPORT);
}

static void
sockaddr_cut(void **state)
{
	union bsd_sockaddr_any any = {.sin = {.sin_len = 16, .sin_family = 2, .sin_port = 0x5555}};
	uint8_t out[16];
	socklen_t len = 3;

	(void)state;
	memset(out, 0xee, sizeof(out));
	bsd_to_linux_sockaddr(&any, 16, (void *)out, &len);
	assert_int_equal(len, 16);
	assert_int_equal(out[2], 0x55);
	assert_int_equal(out[3], 0xee);
	len = 16;
	bsd_to_linux_sockaddr(&any, 0, (void *)out, &len);
	assert_int_equal(len, 0);
}

static void
socket_args(void **state)
{
	int out;

	(void)state;
	assert_int_equal(linux_to_bsd_domain(AF_INET6, &out), 0);
	assert_int_equal(out, 24);
	assert_int_equal(linux_to_bsd_domain(AF_UNSPEC, &out), EAFNOSUPPORT);
	assert_int_equal(linux_to_bsd_domain(AF_UNIX, &out), EAFNOSUPPORT);
	assert_int_equal(linux_to_bsd_socktype(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, &out),
	    0);
	assert_int_equal(out, 0x30000001);
	assert_int_equal(linux_to_bsd_socktype(SOCK_DGRAM, &out), 0);
	assert_int_equal(out, 2);
	assert_int_equal(linux_to_bsd_socktype(SOCK_SEQPACKET, &out), ESOCKTNOSUPPORT);
	assert_int_equal(linux_to_bsd_socktype(0, &out), ESOCKTNOSUPPORT);
	assert_int_equal(linux_to_bsd_socktype(SOCK_PACKET, &out), ESOCKTNOSUPPORT);
	assert_int_equal(linux_to_bsd_socktype(SOCK_PACKET + 1, &out), EINVAL);
	assert_int_equal(linux_to_bsd_socktype(SOCK_STREAM | 0x20000000, &out), EINVAL);
	assert_int_equal(linux_to_bsd_protocol(IPPROTO_TCP, &out), 0);
	assert_int_equal(out, 6);
	assert_int_equal(linux_to_bsd_protocol(262, &out), EPROTONOSUPPORT);
	assert_int_equal(linux_to_bsd_protocol(-1, &out), EINVAL);
}

static void
message_flags(void **state)
{
	static const int both[] = {MSG_OOB, MSG_PEEK, MSG_DONTROUTE, MSG_CTRUNC, MSG_DONTWAIT,
	    MSG_EOR, MSG_WAITALL, MSG_NOSIGNAL};
	static const int bsd[] = {1, 2, 4, 0x20, 0x80, 8, 0x40, 0x400};
	bool more;
	int out;

	(void)state;
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		assert_int_equal(linux_to_bsd_msgflags(both[i], &more, &out), 0);
		assert_int_equal(out, bsd[i]);
		assert_int_equal(bsd_to_linux_msgflags(out), both[i]);
		assert_false(more);
	}
	assert_int_equal(bsd_to_linux_msgflags(BSD_MSG_TRUNC), MSG_TRUNC);
	assert_int_equal(linux_to_bsd_msgflags(MSG_MORE | MSG_CONFIRM, &more, &out), 0);
	assert_true(more);
	assert_int_equal(out, 0);
	assert_int_equal(linux_to_bsd_msgflags(MSG_ERRQUEUE, &more, &out), EAGAIN);
	assert_int_equal(linux_to_bsd_msgflags(MSG_TRUNC, &more, &out), EOPNOTSUPP);
	assert_int_equal(linux_to_bsd_msgflags(MSG_ZEROCOPY, &more, &out), EOPNOTSUPP);
	assert_int_equal(linux_to_bsd_msgflags(MSG_FASTOPEN, &more, &out), EOPNOTSUPP);
}

static void
file_commands(void **state)
{
	int64_t barg;
	int bcmd;

	(void)state;
	assert_int_equal(linux_to_bsd_fcntl(F_SETFL, O_RDWR | O_NONBLOCK, &bcmd, &barg), 0);
	assert_int_equal(bcmd, 4);
	assert_int_equal(barg, 4);
	assert_int_equal(linux_to_bsd_fcntl(F_SETFL, O_APPEND, &bcmd, &barg), EINVAL);
	assert_int_equal(linux_to_bsd_fcntl(F_DUPFD_CLOEXEC, 10, &bcmd, &barg), 0);
	assert_int_equal(bcmd, 12);
	assert_int_equal(barg, 10);
	assert_int_equal(linux_to_bsd_fcntl(F_DUPFD, -1, &bcmd, &barg), EINVAL);
	assert_int_equal(linux_to_bsd_fcntl(F_SETLK, 0, &bcmd, &barg), EINVAL);
	assert_int_equal(bsd_to_linux_fcntl(F_GETFL, 2 | 4 | 0x40), O_RDWR | O_NONBLOCK | O_ASYNC);
	assert_int_equal(bsd_to_linux_fcntl(F_DUPFD, 7), 7);
	assert_int_equal(linux_to_bsd_dup3flags(O_CLOEXEC, &bcmd), 0);
	assert_int_equal(bcmd, BSD_O_CLOEXEC);
	assert_int_equal(linux_to_bsd_dup3flags(O_NONBLOCK, &bcmd), EINVAL);
	assert_int_equal(linux_to_bsd_shutdown(SHUT_RDWR), 0);
	assert_int_equal(linux_to_bsd_shutdown(3), EINVAL);
}

static void
ioctl_commands(void **state)
{
	uint32_t cmd;

	(void)state;
	assert_int_equal(linux_to_bsd_ioctl(FIONBIO, &cmd), 0);
	assert_int_equal(cmd, 0x8004667e);
	assert_int_equal(linux_to_bsd_ioctl(FIONREAD, &cmd), 0);
	assert_int_equal(cmd, 0x4004667f);
	assert_int_equal(linux_to_bsd_ioctl(SIOCOUTQ, &cmd), 0);
	assert_int_equal(cmd, 0x40046679);
	assert_int_equal(linux_to_bsd_ioctl(BSD_FIONBIO, &cmd), ENOTTY);
	assert_int_equal(linux_to_bsd_ioctl(0x8915 /* SIOCGIFADDR */, &cmd), ENOTTY);
}

static void
poll_events(void **state)
{
	struct pollfd in = {.fd = 3, .events = POLLIN | POLLWRNORM | POLLWRBAND};
	struct bsd_pollfd out;

	(void)state;
	assert_int_equal(linux_to_bsd_pollfd(&in, &out), 0);
	assert_int_equal(out.events, 1 | 4 | 0x100);
	assert_int_equal(bsd_to_linux_revents(4, POLLOUT), POLLOUT);
	assert_int_equal(bsd_to_linux_revents(4, POLLWRNORM), POLLWRNORM);
	assert_int_equal(bsd_to_linux_revents(0x18, 0), POLLERR | POLLHUP);
	in.events = POLLRDHUP;
	assert_int_equal(linux_to_bsd_pollfd(&in, &out), EINVAL);
	in.events = POLLRDHUP | POLLIN;
	assert_int_equal(linux_to_bsd_pollfd(&in, &out), 0);
	in = (struct pollfd){.fd = -1, .events = POLLRDHUP};
	assert_int_equal(linux_to_bsd_pollfd(&in, &out), 0);
}

/* Each row is found by its Linux names, is the only one for them, and its values go both ways. */
static void
every_option(void **state)
{
	size_t n;
	const struct sockopt_map *table = sockopt_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct sockopt_map *map = &table[i];
		struct timeval tv = {.tv_sec = 5, .tv_usec = 250000};
		uint8_t value[64] = {1}, back[64] = {0};
		socklen_t len = sizeof(back);
		union bsd_option opt;
		uint32_t blen;

		assert_ptr_equal(sockopt_lookup(map->so_linux_level, map->so_linux_name), map);
		memcpy(value, &tv, map->so_kind == OPT_TIMEVAL ? sizeof(tv) : 0);
		if (map->so_kind == OPT_ERRNO || map->so_kind == OPT_TCPINFO) {
			assert_int_equal(linux_to_bsd_option(map, value, 4, &opt, &blen),
			    ENOPROTOOPT);
			continue;
		}
		if (map->so_kind == OPT_MCAST || map->so_kind == OPT_MSFILTER ||
		    map->so_kind == OPT_MCAST6 || map->so_kind == OPT_MSFILTER6)
			continue; /* group_sources, whole_filters, those of IPv6 */
		if (map->so_kind == OPT_MREQ || map->so_kind == OPT_MCASTIF)
			value[0] = 0, value[4] = 9;
		assert_int_equal(linux_to_bsd_option(map, value, 20, &opt, &blen), 0);
		assert_true(blen > 0 && blen <= sizeof(opt));
		bsd_to_linux_option(map, &opt, blen, back, &len);
		if (map->so_kind == OPT_MCASTIF)
			assert_memory_equal(back, value + 4, len);
		else
			assert_memory_equal(back, value, len);
	}
	assert_null(sockopt_lookup(SOL_SOCKET, SO_TIMESTAMP));
	assert_null(sockopt_lookup(BSD_SOL_SOCKET, BSD_SO_REUSEADDR));
	assert_null(sockopt_lookup(IPPROTO_TCP, TCP_FASTOPEN));
}

static void
tcp_info_values(void **state)
{
	const struct sockopt_map *map = sockopt_lookup(IPPROTO_TCP, TCP_INFO);
	union bsd_option opt = {.bo_tcpinfo = {.tcpi_state = BSD_TCPS_CLOSE_WAIT,
				    .tcpi_snd_mss = 1000,
				    .tcpi_snd_cwnd = 10000,
				    .tcpi_snd_ssthresh = UINT32_MAX,
				    .tcpi_unacked = 2001,
				    .tcpi_bytes_sent = 5000,
				    .tcpi_pacing_rate = 6000000000u,
				    .tcpi_max_pacing_rate = UINT64_MAX,
				    .tcpi_rto = 200000}};
	uint8_t kernels[256];
	uint64_t rates[2];
	struct tcp_info ti = {0};
	socklen_t len = sizeof(ti);

	(void)state;
	bsd_to_linux_option(map, &opt, sizeof(opt.bo_tcpinfo), &ti, &len);
	assert_int_equal(len, sizeof(ti)); /* glibc's, which is shorter than the kernel's */
	assert_int_equal(ti.tcpi_state, TCP_CLOSE_WAIT);
	assert_int_equal(ti.tcpi_snd_cwnd, 10);
	assert_int_equal(ti.tcpi_snd_ssthresh, 0x7fffffff);
	assert_int_equal(ti.tcpi_unacked, 3);
	assert_int_equal(ti.tcpi_rto, 200000);
	len = sizeof(kernels); /* as long as the kernel's, tcpi_pacing_rate in its place */
	bsd_to_linux_option(map, &opt, sizeof(opt.bo_tcpinfo), kernels, &len);
	memcpy(rates, kernels + 104, sizeof(rates));
	assert_int_equal(rates[0], 6000000000u);
	assert_int_equal(rates[1], UINT64_MAX);
	/* A stack that knows less, and one whose state is none. */
	opt.bo_tcpinfo.tcpi_state = 200;
	len = 8;
	memset(&ti, 0xff, sizeof(ti));
	bsd_to_linux_option(map, &opt, 1, &ti, &len);
	assert_int_equal(len, 8);
	assert_int_equal(ti.tcpi_state, 0);
	assert_int_equal(ti.tcpi_rto, UINT32_MAX);
}

static void
option_values(void **state)
{
	const struct sockopt_map *timeo = sockopt_lookup(SOL_SOCKET, SO_RCVTIMEO);
	const struct sockopt_map *err = sockopt_lookup(SOL_SOCKET, SO_ERROR);
	const struct sockopt_map *ttl = sockopt_lookup(IPPROTO_IP, IP_TTL);
	const struct sockopt_map *cc = sockopt_lookup(IPPROTO_TCP, TCP_CONGESTION);
	struct timeval tv = {.tv_sec = 1, .tv_usec = 1000000};
	char name[16] = "";
	socklen_t namelen = sizeof(name);
	struct ip_mreqn mreqn = {.imr_ifindex = 1};
	union bsd_option opt;
	uint32_t blen;
	socklen_t len = 4;
	int value = 0;

	(void)state;
	assert_int_equal(linux_to_bsd_option(timeo, &tv, sizeof(tv), &opt, &blen), EDOM);
	assert_int_equal(linux_to_bsd_option(timeo, &tv, 8, &opt, &blen), EINVAL);
	assert_int_equal(linux_to_bsd_option(cc, "reno", 4, &opt, &blen), 0);
	assert_int_equal(blen, sizeof("newreno"));
	assert_string_equal(opt.bo_bytes, "newreno");
	bsd_to_linux_option(cc, &opt, blen, name, &namelen);
	assert_string_equal(name, "reno");
	assert_int_equal(linux_to_bsd_option(cc, "renoir", 7, &opt, &blen), 0);
	assert_string_equal(opt.bo_bytes, "renoir");
	opt.bo_int = BSD_ECONNREFUSED;
	bsd_to_linux_option(err, &opt, 4, &value, &len);
	assert_int_equal(value, ECONNREFUSED);
	opt.bo_int = 0;
	opt.bo_bytes[0] = 64; /* a char from the stack is an int for Linux */
	value = -1;
	bsd_to_linux_option(ttl, &opt, 1, &value, &len);
	assert_int_equal(value, 64);
	assert_int_equal(len, 4);
	assert_int_equal(linux_to_bsd_option(ttl, "\x05", 1, &opt, &blen), 0);
	assert_int_equal(opt.bo_int, 5);
	assert_int_equal(blen, 4);
	assert_int_equal(linux_to_bsd_option(ttl, "", 0, &opt, &blen), EINVAL);
	assert_int_equal(linux_to_bsd_option(sockopt_lookup(SOL_SOCKET, SO_KEEPALIVE), "\1\0\0", 3,
			     &opt, &blen),
	    EINVAL);
	assert_int_equal(linux_to_bsd_option(sockopt_lookup(IPPROTO_IP, IP_ADD_MEMBERSHIP), &mreqn,
			     sizeof(mreqn), &opt, &blen),
	    0);
	assert_int_equal(blen, sizeof(struct bsd_ip_mreqn));
	assert_memory_equal(&opt, &mreqn, sizeof(mreqn));
	assert_int_equal(linux_to_bsd_option(sockopt_lookup(IPPROTO_IP, IP_MULTICAST_IF), &mreqn,
			     sizeof(mreqn), &opt, &blen),
	    0);
	assert_int_equal(blen, sizeof(struct bsd_ip_mreqn));
	assert_int_equal(linux_to_bsd_option(sockopt_lookup(IPPROTO_IP, IP_ADD_MEMBERSHIP), &mreqn,
			     4, &opt, &blen),
	    EINVAL);
}

/* Sources of groups become the stack's form, with Linux's errno where they cannot. */
static void
group_sources(void **state)
{
	const struct in_addr group = {htonl(0xef010203)}, src = {htonl(0x0a000001)}, us = {9};
	const struct sockaddr_in gsin = {.sin_family = AF_INET, .sin_addr = group};
	const struct sockaddr_in ssin = {.sin_family = AF_INET, .sin_addr = src};
	struct ip_mreq_source imr = {group, us, src};
	struct group_source_req gsr = {.gsr_interface = 3};
	struct group_req gr = {.gr_interface = 4};
	struct bsd_ip_mreq_source mrs;
	struct bsd_ip_mreqn mreq;
	union bsd_option opt;
	uint32_t blen;

	(void)state;
#define PUT(name, val, len) \
	linux_to_bsd_option(sockopt_lookup(IPPROTO_IP, name), val, len, &opt, &blen)
	assert_int_equal(PUT(IP_BLOCK_SOURCE, &imr, sizeof(imr)), 0);
	assert_int_equal(blen, sizeof(mrs));
	memcpy(&mrs, &opt, sizeof(mrs));
	assert_int_equal(mrs.imr_multiaddr_be, group.s_addr);
	assert_int_equal(mrs.imr_sourceaddr_be, src.s_addr);
	assert_int_equal(mrs.imr_address_be, us.s_addr);
	assert_int_equal(PUT(IP_BLOCK_SOURCE, &imr, sizeof(imr) + 1), EINVAL);
	memcpy(&gsr.gsr_group, &gsin, sizeof(gsin));
	memcpy(&gsr.gsr_source, &ssin, sizeof(ssin));
	assert_int_equal(PUT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr)), 0);
	memcpy(&mrs, &opt, sizeof(mrs));
	assert_int_equal(mrs.imr_sourceaddr_be, src.s_addr);
	assert_int_equal(mrs.imr_ifindex, 3);
	gsr.gsr_source.ss_family = AF_INET6;
	assert_int_equal(PUT(MCAST_JOIN_SOURCE_GROUP, &gsr, sizeof(gsr)), EADDRNOTAVAIL);
	assert_int_equal(PUT(MCAST_JOIN_GROUP, &gr, sizeof(gr)), EINVAL);
	memcpy(&gr.gr_group, &gsin, sizeof(gsin));
	assert_int_equal(PUT(MCAST_JOIN_GROUP, &gr, sizeof(gr) - 1), EINVAL);
	assert_int_equal(PUT(MCAST_JOIN_GROUP, &gr, sizeof(gr)), 0);
	memcpy(&mreq, &opt, sizeof(mreq));
	assert_int_equal(mreq.imr_multiaddr_be, group.s_addr);
	assert_int_equal(mreq.imr_ifindex, 4);
#undef PUT
}

/* A group of IPv6 becomes an ipv6_mreq. */
static void
group6(void **state)
{
	const struct sockopt_map *map = sockopt_lookup(IPPROTO_IPV6, MCAST_JOIN_GROUP);
	const struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_addr = {{{0xff, 0x15}}}};
	struct group_req gr = {.gr_interface = 4};
	struct bsd_ipv6_mreq mreq;
	union bsd_option opt;
	uint32_t blen;

	(void)state;
	assert_int_equal(linux_to_bsd_option(map, &gr, sizeof(gr), &opt, &blen), EADDRNOTAVAIL);
	memcpy(&gr.gr_group, &sin6, sizeof(sin6));
	assert_int_equal(linux_to_bsd_option(map, &gr, sizeof(gr) - 1, &opt, &blen), EINVAL);
	assert_int_equal(linux_to_bsd_option(map, &gr, sizeof(gr), &opt, &blen), 0);
	assert_int_equal(blen, sizeof(mreq));
	memcpy(&mreq, &opt, sizeof(mreq));
	assert_int_equal(mreq.ipv6mr_interface, 4);
	assert_memory_equal(&mreq.ipv6mr_multiaddr, &sin6.sin6_addr, 16);
}

/* What a server tells of a filter fits the caller's buffer, however much it tells. */
static void
filter_told(int name, const void *head, size_t headlen, size_t each)
{
	const struct sockopt_map *map = sockopt_lookup(IPPROTO_IP, name);
	struct bsd_ip_msfilter msf = {.imsf_fmode = BSD_MCAST_EXCLUDE, .imsf_numsrc = UINT32_MAX};
	uint8_t val[GROUP_FILTER_SIZE(BSD_IP_MSFILTER_MAX) + 1];
	union bsd_option opt = {0};
	socklen_t len;

	assert_int_equal(linux_to_bsd_msfilter_ask(name, head, (socklen_t)headlen - 1, &msf),
	    EINVAL);
	assert_int_equal(linux_to_bsd_msfilter_ask(name, head, (socklen_t)(headlen + 2 * each),
			     &msf),
	    0);
	assert_int_equal(msf.imsf_numsrc, 2);
	assert_int_equal(msf.imsf_multiaddr_be, htonl(0xef010203));
	for (size_t room = 0; room < headlen + 3 * each; room++) {
		for (uint32_t blen = 0; blen <= 40; blen += 4) {
			opt.bo_msfilter = (struct bsd_ip_msfilter){.imsf_numsrc = UINT32_MAX};
			memset(val, 0xee, sizeof(val));
			memcpy(val, head, headlen);
			len = (socklen_t)room;
			bsd_to_linux_option(map, &opt, blen, val, &len);
			assert_true(len <= room);
			assert_int_equal(val[room > headlen ? room : headlen], 0xee);
			if (room < headlen || blen < BSD_IP_MSFILTER_LEN(0))
				assert_int_equal(len, 0);
		}
	}
	len = sizeof(val);
	bsd_to_linux_option(map, &opt, UINT32_MAX, val, &len);
	assert_int_equal(len, headlen + BSD_IP_MSFILTER_MAX * each);
}

static void
whole_filters(void **state)
{
	const struct in_addr group = {htonl(0xef010203)};
	const struct sockaddr_in gsin = {.sin_family = AF_INET, .sin_addr = group};
	struct ip_msfilter imsf = {group, {9}, MCAST_EXCLUDE, 1, {{8}}};
	struct group_filter gf = {.gf_interface = 3, .gf_fmode = MCAST_INCLUDE, .gf_numsrc = 1};
	union bsd_option opt;
	uint32_t blen;

	(void)state;
#define PUT(name, val, len) \
	linux_to_bsd_option(sockopt_lookup(IPPROTO_IP, name), val, len, &opt, &blen)
	assert_int_equal(PUT(IP_MSFILTER, &imsf, IP_MSFILTER_SIZE(0) - 1), EINVAL);
	assert_int_equal(PUT(IP_MSFILTER, &imsf, IP_MSFILTER_SIZE(1)), 0);
	assert_int_equal(blen, BSD_IP_MSFILTER_LEN(1));
	assert_int_equal(opt.bo_msfilter.imsf_address_be, 9);
	assert_int_equal(opt.bo_msfilter.imsf_fmode, BSD_MCAST_EXCLUDE);
	assert_int_equal(opt.bo_msfilter.imsf_slist_be[0], 8);
	imsf.imsf_numsrc = 77; /* the stack refuses what is not there, and too many */
	assert_int_equal(PUT(IP_MSFILTER, &imsf, IP_MSFILTER_SIZE(1)), 0);
	assert_int_equal(blen, BSD_IP_MSFILTER_LEN(1));
	assert_int_equal(opt.bo_msfilter.imsf_numsrc, 77);
	assert_int_equal(PUT(MCAST_MSFILTER, &gf, GROUP_FILTER_SIZE(1)), EADDRNOTAVAIL);
	memcpy(&gf.gf_group, &gsin, sizeof(gsin));
	assert_int_equal(PUT(MCAST_MSFILTER, &gf, GROUP_FILTER_SIZE(1)), EADDRNOTAVAIL);
	memcpy(&gf.gf_slist[0], &gsin, sizeof(gsin));
	assert_int_equal(PUT(MCAST_MSFILTER, &gf, GROUP_FILTER_SIZE(1)), 0);
	assert_int_equal(opt.bo_msfilter.imsf_ifindex, 3);
	assert_int_equal(opt.bo_msfilter.imsf_fmode, BSD_MCAST_INCLUDE);
	assert_int_equal(opt.bo_msfilter.imsf_slist_be[0], group.s_addr);
#undef PUT
	gf.gf_numsrc = UINT32_MAX;
	filter_told(IP_MSFILTER, &imsf, IP_MSFILTER_SIZE(0), sizeof(struct in_addr));
	filter_told(MCAST_MSFILTER, &gf, GROUP_FILTER_SIZE(0), sizeof(struct sockaddr_storage));
	assert_int_equal(msfilter_errno(IP_MSFILTER, ENODEV), ENODEV);
	assert_int_equal(msfilter_errno(MCAST_MSFILTER, ENODEV), EADDRNOTAVAIL);
}

/* Sources of groups of IPv6, and whole filters, there and back. */
static void
sources6(void **state)
{
	const struct sockaddr_in6 group = {.sin6_family = AF_INET6, .sin6_addr = {{{0xff, 0x15}}}};
	const struct sockaddr_in6 src = {.sin6_family = AF_INET6,
	    .sin6_addr = {{{0xfd, [15] = 7}}}};
	const struct sockopt_map *map = sockopt_lookup(IPPROTO_IPV6, MCAST_MSFILTER);
	struct group_source_req gsr = {.gsr_interface = 4};
	struct group_filter gf = {.gf_interface = 3, .gf_fmode = MCAST_EXCLUDE, .gf_numsrc = 1};
	struct bsd_ipv6_mreq_source mrs;
	struct bsd_ipv6_msfilter asked;
	union bsd_option opt;
	struct sockaddr_in6 told;
	socklen_t len = GROUP_FILTER_SIZE(1);
	uint32_t blen;

	(void)state;
#define PUT(name, val, len) \
	linux_to_bsd_option(sockopt_lookup(IPPROTO_IPV6, name), val, len, &opt, &blen)
	memcpy(&gsr.gsr_group, &group, sizeof(group));
	assert_int_equal(PUT(MCAST_BLOCK_SOURCE, &gsr, sizeof(gsr)), EADDRNOTAVAIL);
	memcpy(&gsr.gsr_source, &src, sizeof(src));
	assert_int_equal(PUT(MCAST_BLOCK_SOURCE, &gsr, sizeof(gsr) - 1), EINVAL);
	assert_int_equal(PUT(MCAST_BLOCK_SOURCE, &gsr, sizeof(gsr)), 0);
	assert_int_equal(blen, sizeof(mrs));
	memcpy(&mrs, &opt, sizeof(mrs));
	assert_int_equal(mrs.i6ms_interface, 4);
	assert_memory_equal(&mrs.i6ms_multiaddr, &group.sin6_addr, 16);
	assert_memory_equal(&mrs.i6ms_sourceaddr, &src.sin6_addr, 16);
	assert_int_equal(linux_to_bsd_msfilter6_ask(&gf, sizeof(gf), &asked), EADDRNOTAVAIL);
	memcpy(&gf.gf_group, &group, sizeof(group));
	memcpy(&gf.gf_slist[0], &src, sizeof(src));
	assert_int_equal(PUT(MCAST_MSFILTER, &gf, GROUP_FILTER_SIZE(0) - 1), EINVAL);
	assert_int_equal(PUT(MCAST_MSFILTER, &gf, GROUP_FILTER_SIZE(1)), 0);
	assert_int_equal(blen, BSD_IPV6_MSFILTER_LEN(1));
	assert_int_equal(opt.bo_msfilter6.i6mf_interface, 3);
	assert_int_equal(opt.bo_msfilter6.i6mf_fmode, BSD_MCAST_EXCLUDE);
	assert_memory_equal(&opt.bo_msfilter6.i6mf_slist[0], &src.sin6_addr, 16);
#undef PUT
	opt.bo_msfilter6.i6mf_numsrc = 5;
	memset(&gf.gf_slist[0], 0, sizeof(gf.gf_slist[0]));
	bsd_to_linux_option(map, &opt, blen, &gf, &len);
	assert_int_equal(len, GROUP_FILTER_SIZE(1));
	assert_int_equal(gf.gf_numsrc, 5);
	assert_int_equal(gf.gf_fmode, MCAST_EXCLUDE);
	memcpy(&told, &gf.gf_slist[0], sizeof(told));
	assert_memory_equal(&told, &src, sizeof(src));
	len = GROUP_FILTER_SIZE(1) - 1;
	bsd_to_linux_option(map, &opt, blen, &gf, &len);
	assert_int_equal(len, GROUP_FILTER_SIZE(0));
	gf.gf_interface = 0;
	assert_int_equal(linux_to_bsd_msfilter6_ask(&gf, GROUP_FILTER_SIZE(1), &asked), 0);
	assert_int_equal(asked.i6mf_interface, UINT32_MAX);
	assert_int_equal(asked.i6mf_numsrc, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_errno),
	    cmocka_unit_test(group_sources),
	    cmocka_unit_test(whole_filters),
	    cmocka_unit_test(sources6),
	    cmocka_unit_test(group6),
	    cmocka_unit_test(signals),
	    cmocka_unit_test(sockaddr_inet),
	    cmocka_unit_test(sockaddr_inet6),
	    cmocka_unit_test(sockaddr_refused),
	    cmocka_unit_test(sockaddr_cut),
	    cmocka_unit_test(socket_args),
	    cmocka_unit_test(message_flags),
	    cmocka_unit_test(file_commands),
	    cmocka_unit_test(ioctl_commands),
	    cmocka_unit_test(poll_events),
	    cmocka_unit_test(every_option),
	    cmocka_unit_test(option_values),
	    cmocka_unit_test(tcp_info_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
