/* SPDX-License-Identifier: BSD-2-Clause */
/* Every socket option: its first value, a value set and read back, and what is refused. */
#include "calls.h"

/* Levels and names are macros of Linux; the text says which. */
#define OPTION(level, name) #level " " #name, level, name

static void
say_set(int fd, const char *text, int level, int name, int value)
{
	int back = -1, r;
	socklen_t len = sizeof(back);

	r = setsockopt(fd, level, name, &value, sizeof(value));
	(void)printf("set %s %d -> %s\n", text, value, r == 0 ? "0" : calls_errname(errno));
	r = getsockopt(fd, level, name, &back, &len);
	if (r != 0)
		(void)printf("get %s -> %s\n", text, calls_errname(errno));
	else
		(void)printf("get %s -> %d, %u bytes\n", text, back, len);
}

static void
say_get(int fd, const char *text, int level, int name)
{
	uint8_t back[256] = {0};
	int value;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, level, name, back, &len) != 0) {
		(void)printf("first %s -> %s\n", text, calls_errname(errno));
		return;
	}
	memcpy(&value, back, sizeof(value));
	(void)printf("first %s -> %d, %u bytes\n", text, value, len);
}

static void
booleans_of(int fd)
{
	static const struct {
		const char *text;
		int level, name;
	} options[] = {
	    {OPTION(SOL_SOCKET, SO_REUSEADDR)},
	    {OPTION(SOL_SOCKET, SO_REUSEPORT)},
	    {OPTION(SOL_SOCKET, SO_KEEPALIVE)},
	    {OPTION(SOL_SOCKET, SO_DONTROUTE)},
	    {OPTION(SOL_SOCKET, SO_BROADCAST)},
	    {OPTION(SOL_SOCKET, SO_OOBINLINE)},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		say_get(fd, options[i].text, options[i].level, options[i].name);
		say_set(fd, options[i].text, options[i].level, options[i].name, 1);
		say_set(fd, options[i].text, options[i].level, options[i].name, 77);
		say_set(fd, options[i].text, options[i].level, options[i].name, 0);
	}
}

static void
booleans(void)
{
	booleans_of((int)MUST(socket(AF_INET, SOCK_STREAM, 0)));
	booleans_of((int)MUST(socket(AF_INET, SOCK_DGRAM, 0)));
}

static void
read_only(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), one = 1;
	int u = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));

	say_get(fd, OPTION(SOL_SOCKET, SO_TYPE));
	say_get(u, OPTION(SOL_SOCKET, SO_TYPE));
	say_get(fd, OPTION(SOL_SOCKET, SO_ERROR));
	say_get(fd, OPTION(SOL_SOCKET, SO_ACCEPTCONN));
	say_get(u, OPTION(SOL_SOCKET, SO_ACCEPTCONN));
	MUST(bind(fd, calls_loopback(0), ADDRLEN));
	MUST(listen(fd, 1));
	say_get(fd, OPTION(SOL_SOCKET, SO_ACCEPTCONN));
	DO(setsockopt(fd, SOL_SOCKET, SO_TYPE, &one, sizeof(one)));
	DO(setsockopt(fd, SOL_SOCKET, SO_ERROR, &one, sizeof(one)));
	DO(setsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &one, sizeof(one)));
}

static void
buffers(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), value = 0;
	socklen_t len = sizeof(value);

	DO(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len));
	DO(value >= 8192);
	DO(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len));
	DO(value >= 8192);
	value = 50000;
	DO(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)));
	DO(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len));
	DO(value >= 50000);
	value = 60000;
	DO(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)));
	DO(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len));
	DO(value >= 60000);
	value = 1;
	DO(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)));
	DO(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len));
	DO(value > 1 && value < 10000);
	value = 1 << 30;
	DO(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)));
	DO(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len));
	DO(value >= 100000 && value < 1 << 30);
	value = 0;
	DO(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)));
	value = -5;
	DO(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)));
}

static void
low_waters(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

	say_get(fd, OPTION(SOL_SOCKET, SO_RCVLOWAT));
	say_set(fd, OPTION(SOL_SOCKET, SO_RCVLOWAT), 10);
	say_set(fd, OPTION(SOL_SOCKET, SO_RCVLOWAT), 0);
	say_set(fd, OPTION(SOL_SOCKET, SO_RCVLOWAT), -1);
	say_get(fd, OPTION(SOL_SOCKET, SO_SNDLOWAT));
	say_set(fd, OPTION(SOL_SOCKET, SO_SNDLOWAT), 10);
}

/* A poll is true, and a read returns, from SO_RCVLOWAT bytes on. */
static void
receive_low_water(void)
{
	int fd[2], low = 5;
	char buf[16];

	calls_pair(fd);
	DO(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	DO(write(fd[0], "abc", 3));
	host_sleep_ms(50);
	DO(poll(&(struct pollfd){.fd = fd[1], .events = POLLIN}, 1, 0));
	DO(recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK));
	DO(write(fd[0], "de", 2));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(read(fd[1], buf, sizeof(buf)));
	DO(write(fd[0], "abc", 3));
	DO(shutdown(fd[0], SHUT_WR));
	(void)printf("polls -> %s\n", calls_wait(fd[1], POLLIN));
	DO(read(fd[1], buf, sizeof(buf)));
}

static void
lingers(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	struct linger linger = {-1, -1};
	socklen_t len = sizeof(linger);

	DO(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len));
	DO(len);
	DO(linger.l_onoff);
	DO(linger.l_linger);
	linger = (struct linger){1, 13};
	DO(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	DO(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len));
	DO(linger.l_onoff);
	DO(linger.l_linger);
	linger = (struct linger){0, 99};
	DO(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	DO(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len));
	DO(linger.l_onoff);
	DO(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
}

/* close() waits for its data to be taken, up to the time given. */
static void
linger_waits(void)
{
	struct linger linger = {1, 1};
	static uint8_t buf[65536];
	int64_t start;
	int fd[2];

	calls_pair(fd);
	DO(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	start = host_now_ms();
	DO(write(fd[0], "taken", 5));
	DO(close(fd[0]));
	DO(host_now_ms() - start < 500);
	DO(read(fd[1], buf, 9));
	DO(read(fd[1], buf, 9));
	calls_pair(fd);
	MUST(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	MUST(fcntl(fd[0], F_SETFL, O_NONBLOCK));
	while (write(fd[0], buf, sizeof(buf)) > 0)
		;
	MUST(fcntl(fd[0], F_SETFL, 0));
	start = host_now_ms();
	DO(close(fd[0]));
	DO(host_now_ms() - start >= 900);
	DO(host_now_ms() - start < 3000);
}

static void
times_of(int fd, int name)
{
	struct timeval tv = {-1, -1};
	socklen_t len = sizeof(tv);

	DO(getsockopt(fd, SOL_SOCKET, name, &tv, &len));
	DO(len);
	DO(tv.tv_sec);
	DO(tv.tv_usec);
	tv = (struct timeval){2, 500000};
	DO(setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv)));
	DO(getsockopt(fd, SOL_SOCKET, name, &tv, &len));
	DO(tv.tv_sec);
	DO(tv.tv_usec);
	tv = (struct timeval){0, 1000000};
	DO(setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv)));
	tv = (struct timeval){0, -1};
	DO(setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv)));
	tv = (struct timeval){-1, 0};
	DO(setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv)));
	DO(setsockopt(fd, SOL_SOCKET, name, &tv, 4));
}

static void
times(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

	times_of(fd, SO_RCVTIMEO);
	times_of(fd, SO_SNDTIMEO);
}

static void
tcp(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	char name[32] = "";
	socklen_t len = sizeof(name);

	say_get(fd, OPTION(IPPROTO_TCP, TCP_NODELAY));
	say_set(fd, OPTION(IPPROTO_TCP, TCP_NODELAY), 1);
	say_set(fd, OPTION(IPPROTO_TCP, TCP_NODELAY), 0);
	say_get(fd, OPTION(IPPROTO_TCP, TCP_MAXSEG));
	say_set(fd, OPTION(IPPROTO_TCP, TCP_MAXSEG), 1000);
	say_set(fd, OPTION(IPPROTO_TCP, TCP_MAXSEG), 1);
	say_set(fd, OPTION(IPPROTO_TCP, TCP_MAXSEG), 100000);
	say_get(fd, OPTION(IPPROTO_TCP, TCP_KEEPIDLE));
	say_set(fd, OPTION(IPPROTO_TCP, TCP_KEEPIDLE), 33);
	say_set(fd, OPTION(IPPROTO_TCP, TCP_KEEPIDLE), 0);
	say_get(fd, OPTION(IPPROTO_TCP, TCP_KEEPINTVL));
	say_set(fd, OPTION(IPPROTO_TCP, TCP_KEEPINTVL), 34);
	say_set(fd, OPTION(IPPROTO_TCP, TCP_KEEPINTVL), -1);
	say_get(fd, OPTION(IPPROTO_TCP, TCP_KEEPCNT));
	say_set(fd, OPTION(IPPROTO_TCP, TCP_KEEPCNT), 5);
	say_set(fd, OPTION(IPPROTO_TCP, TCP_KEEPCNT), 0);
	say_set(fd, OPTION(IPPROTO_TCP, TCP_KEEPCNT), 127);
	say_set(fd, OPTION(IPPROTO_TCP, TCP_KEEPCNT), 128);
	DO(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8));
	DO(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	DO(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	(void)printf("the name is -> %s\n", name);
	DO(setsockopt(fd, IPPROTO_TCP, 9999, &len, sizeof(len)));
	DO(getsockopt(fd, IPPROTO_TCP, 9999, name, &len));
}

/* As a connection has it: the peer's offer and the interface tell the segment's size. */
static void
tcp_connected(void)
{
	int fd[2], mss = 0;
	socklen_t len = sizeof(mss);

	calls_pair(fd);
	DO(getsockopt(fd[0], IPPROTO_TCP, TCP_MAXSEG, &mss, &len));
	DO(mss > 1000);
	DO(getsockopt(fd[1], IPPROTO_TCP, TCP_MAXSEG, &mss, &len));
	DO(mss > 1000);
	say_set(fd[0], OPTION(IPPROTO_TCP, TCP_NODELAY), 1);
	say_set(fd[0], OPTION(SOL_SOCKET, SO_KEEPALIVE), 1);
}

/* Linux knows them; the stack refuses what it does not carry out. */
static void
not_offered(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), one = 1;
	int u = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));

	DO(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &one, sizeof(one)));
	DO(setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one)));
	DO(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &one, sizeof(one)));
	DO(setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof(one)));
	DO(setsockopt(fd, SOL_SOCKET, SO_DEBUG, &one, sizeof(one)));
	DO(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)));
	DO(setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &one, sizeof(one)));
	DO(setsockopt(u, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)));
	DO(setsockopt(u, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one)));
	DO(setsockopt(u, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)));
}

static void
unknown(void)
{
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), value = 1;
	int u = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t len = sizeof(value);

	DO(setsockopt(fd, SOL_SOCKET, 9999, &value, sizeof(value)));
	DO(getsockopt(fd, SOL_SOCKET, 9999, &value, &len));
	DO(setsockopt(fd, IPPROTO_IP, 9999, &value, sizeof(value)));
	DO(getsockopt(fd, IPPROTO_IP, 9999, &value, &len));
	DO(setsockopt(fd, 12345, 1, &value, sizeof(value)));
	DO(getsockopt(fd, 12345, 1, &value, &len));
	DO(setsockopt(u, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)));
	DO(getsockopt(u, IPPROTO_TCP, TCP_NODELAY, &value, &len));
	DO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 2));
	DO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
	DO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, (socklen_t)-1));
	DO(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, &len));
	DO(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, NULL));
	len = 2;
	DO(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
	DO(len);
	len = (socklen_t)-1;
	DO(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
	len = sizeof(value);
	DO(setsockopt(99, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)));
	DO(getsockopt(99, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
	DO(setsockopt(99, SOL_SOCKET, 9999, &value, sizeof(value)));
}

static void
ip_of(int fd)
{
	uint8_t byte = 0;
	socklen_t len = 1;

	say_get(fd, OPTION(IPPROTO_IP, IP_TOS));
	say_set(fd, OPTION(IPPROTO_IP, IP_TOS), 0x10);
	say_get(fd, OPTION(IPPROTO_IP, IP_TTL));
	say_set(fd, OPTION(IPPROTO_IP, IP_TTL), 9);
	say_set(fd, OPTION(IPPROTO_IP, IP_TTL), 0);
	say_set(fd, OPTION(IPPROTO_IP, IP_TTL), 255);
	say_set(fd, OPTION(IPPROTO_IP, IP_TTL), 256);
	say_set(fd, OPTION(IPPROTO_IP, IP_TTL), -1);
	byte = 44;
	DO(setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 1));
	DO(getsockopt(fd, IPPROTO_IP, IP_TTL, &byte, &len));
	DO(byte);
	DO(len);
}

static void
ip(void)
{
	ip_of((int)MUST(socket(AF_INET, SOCK_STREAM, 0)));
	ip_of((int)MUST(socket(AF_INET, SOCK_DGRAM, 0)));
}

static void
multicast(void)
{
	struct ip_mreq mreq = {.imr_multiaddr.s_addr = htonl(0xe0000141),
	    .imr_interface.s_addr = htonl(0x7f000001)};
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t len = sizeof(mreq.imr_interface);

	say_get(fd, OPTION(IPPROTO_IP, IP_MULTICAST_TTL));
	say_set(fd, OPTION(IPPROTO_IP, IP_MULTICAST_TTL), 7);
	say_set(fd, OPTION(IPPROTO_IP, IP_MULTICAST_TTL), 256);
	say_get(fd, OPTION(IPPROTO_IP, IP_MULTICAST_LOOP));
	say_set(fd, OPTION(IPPROTO_IP, IP_MULTICAST_LOOP), 0);
	DO(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &mreq.imr_interface, len));
	DO(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &mreq.imr_interface, &len));
	DO(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)));
	DO(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)));
	DO(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &mreq, sizeof(mreq)));
	DO(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &mreq, sizeof(mreq)));
}

#define FILTER_GROUP htonl(0xe0000141)
#define FILTER_SOURCE(n) htonl(0x0a000000 + (n))

/* By address of the interface. */
static void
set_filter(int fd, uint32_t fmode, uint32_t numsrc, socklen_t len)
{
	struct {
		struct ip_msfilter msf;
		struct in_addr more[20];
	} f = {.msf = {{FILTER_GROUP}, {htonl(INADDR_LOOPBACK)}, fmode, numsrc, {{0}}}};
	char text[64];

	for (uint32_t i = 0; i < 20; i++)
		memcpy((char *)&f + IP_MSFILTER_SIZE(i), &(uint32_t){FILTER_SOURCE(i)}, 4);
	(void)snprintf(text, sizeof(text), "IP_MSFILTER %u of %u in %u", fmode, numsrc, len);
	calls_say(text, setsockopt(fd, IPPROTO_IP, IP_MSFILTER, &f, len));
}

static void
get_filter(int fd, uint32_t group, uint32_t numsrc, socklen_t len)
{
	struct {
		struct ip_msfilter msf;
		struct in_addr more[20];
	} f = {.msf = {{group}, {htonl(INADDR_LOOPBACK)}, 7, numsrc, {{0}}}};
	struct in_addr one;

	DO(getsockopt(fd, IPPROTO_IP, IP_MSFILTER, &f, &len));
	(void)printf("mode, sources, length -> %u %u %u\n", f.msf.imsf_fmode, f.msf.imsf_numsrc,
	    len);
	for (uint32_t i = 0; i < 4; i++) {
		memcpy(&one, (char *)&f + IP_MSFILTER_SIZE(i), sizeof(one));
		(void)printf("source -> %s\n", inet_ntoa(one));
	}
}

/* A membership's whole filter, set and read back by the interface's address. */
static void
whole_filter(void)
{
	struct ip_mreq mreq = {{FILTER_GROUP}, {htonl(INADDR_LOOPBACK)}};
	struct ip_mreq_source imr = {{FILTER_GROUP}, {htonl(INADDR_LOOPBACK)}, {FILTER_SOURCE(1)}};
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	int stream = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

	get_filter(fd, FILTER_GROUP, 4, IP_MSFILTER_SIZE(4)); /* not joined */
	set_filter(fd, MCAST_EXCLUDE, 1, IP_MSFILTER_SIZE(1));
	set_filter(fd, MCAST_INCLUDE, 0, IP_MSFILTER_SIZE(0));
	DO(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)));
	get_filter(fd, FILTER_GROUP, 4, IP_MSFILTER_SIZE(4));
	set_filter(fd, MCAST_INCLUDE, 3, IP_MSFILTER_SIZE(3));
	for (uint32_t n = 0; n < 5; n++)
		get_filter(fd, FILTER_GROUP, n, IP_MSFILTER_SIZE(n));
	get_filter(fd, FILTER_GROUP, 4, IP_MSFILTER_SIZE(0) - 1);
	get_filter(fd, htonl(0x0a000001), 4, IP_MSFILTER_SIZE(4));
	get_filter(fd, htonl(0xe0000142), 4, IP_MSFILTER_SIZE(4));
	DO(setsockopt(fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &imr, sizeof(imr)));
	get_filter(fd, FILTER_GROUP, 4, IP_MSFILTER_SIZE(4));
	DO(setsockopt(fd, IPPROTO_IP, IP_BLOCK_SOURCE, &imr, sizeof(imr)));
	set_filter(fd, MCAST_EXCLUDE, 2, IP_MSFILTER_SIZE(2));
	get_filter(fd, FILTER_GROUP, 4, IP_MSFILTER_SIZE(4));
	DO(setsockopt(fd, IPPROTO_IP, IP_UNBLOCK_SOURCE, &imr, sizeof(imr)));
	get_filter(fd, FILTER_GROUP, 4, IP_MSFILTER_SIZE(4));
	set_filter(fd, MCAST_EXCLUDE, 2, IP_MSFILTER_SIZE(2) - 1);
	set_filter(fd, MCAST_EXCLUDE, 10, IP_MSFILTER_SIZE(10));
	set_filter(fd, MCAST_EXCLUDE, 11, IP_MSFILTER_SIZE(11));
	set_filter(fd, MCAST_EXCLUDE, 11, IP_MSFILTER_SIZE(0));
	set_filter(fd, 2, 1, IP_MSFILTER_SIZE(1));
	set_filter(fd, MCAST_EXCLUDE, 1, IP_MSFILTER_SIZE(0) - 1);
	set_filter(fd, MCAST_INCLUDE, 0, IP_MSFILTER_SIZE(0)); /* is to leave */
	DO(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &mreq, sizeof(mreq)));
	set_filter(stream, MCAST_EXCLUDE, 1, IP_MSFILTER_SIZE(1));
	get_filter(stream, FILTER_GROUP, 1, IP_MSFILTER_SIZE(1));
}

static struct sockaddr_storage
storage_of(uint32_t addr, sa_family_t family)
{
	struct sockaddr_in sin = {.sin_family = family, .sin_addr.s_addr = addr};
	struct sockaddr_storage ss = {0};

	memcpy(&ss, &sin, sizeof(sin));
	return ss;
}

/* A group_filter with room for so many sources: those of calls are a byte's number. */
union group_filters {
	struct group_filter gf;
	char room[GROUP_FILTER_SIZE(20)];
};

static void
set_group_filter(int fd, int ifindex, sa_family_t family, uint32_t numsrc, socklen_t len)
{
	static union group_filters f;
	struct sockaddr_storage ss;
	char text[64];

	f.gf.gf_interface = (uint32_t)ifindex;
	f.gf.gf_group = storage_of(FILTER_GROUP, AF_INET);
	f.gf.gf_fmode = MCAST_INCLUDE;
	f.gf.gf_numsrc = numsrc;
	for (uint32_t i = 0; i < 20; i++) {
		ss = storage_of(FILTER_SOURCE(i), i == 1 ? family : AF_INET);
		memcpy(f.room + GROUP_FILTER_SIZE(i), &ss, sizeof(ss));
	}
	(void)snprintf(text, sizeof(text), "MCAST_MSFILTER %d of %u in %u", ifindex, numsrc, len);
	calls_say(text, setsockopt(fd, IPPROTO_IP, MCAST_MSFILTER, &f, len));
}

static void
get_group_filter(int fd, int ifindex, sa_family_t family, uint32_t numsrc, socklen_t len)
{
	static union group_filters f;
	struct sockaddr_in sin;

	memset(&f, 0, sizeof(f));
	f.gf.gf_interface = (uint32_t)ifindex;
	f.gf.gf_group = storage_of(FILTER_GROUP, family);
	f.gf.gf_numsrc = numsrc;
	DO(getsockopt(fd, IPPROTO_IP, MCAST_MSFILTER, &f, &len));
	(void)printf("mode, sources, length -> %u %u %u\n", f.gf.gf_fmode, f.gf.gf_numsrc, len);
	for (uint32_t i = 0; i < 4; i++) {
		memcpy(&sin, f.room + GROUP_FILTER_SIZE(i), sizeof(sin));
		(void)printf("source -> %d %s %d\n", sin.sin_family, inet_ntoa(sin.sin_addr),
		    sin.sin_port);
	}
}

/* The same by the interface's index. */
static void
whole_group_filter(void)
{
	struct group_req gr = {1, storage_of(FILTER_GROUP, AF_INET)};
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));

	get_group_filter(fd, 1, AF_INET, 4, GROUP_FILTER_SIZE(4)); /* not joined */
	set_group_filter(fd, 1, AF_INET, 1, GROUP_FILTER_SIZE(1));
	set_group_filter(fd, 1, AF_INET, 0, GROUP_FILTER_SIZE(0));
	set_group_filter(fd, 77, AF_INET, 1, GROUP_FILTER_SIZE(1));
	DO(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &gr, sizeof(gr)));
	get_group_filter(fd, 1, AF_INET, 4, GROUP_FILTER_SIZE(4));
	set_group_filter(fd, 1, AF_INET, 3, GROUP_FILTER_SIZE(3));
	for (uint32_t n = 0; n < 5; n++)
		get_group_filter(fd, 1, AF_INET, n, GROUP_FILTER_SIZE(n));
	get_group_filter(fd, 0, AF_INET, 4, GROUP_FILTER_SIZE(4));
	get_group_filter(fd, 77, AF_INET, 4, GROUP_FILTER_SIZE(4));
	get_group_filter(fd, 1, AF_INET6, 4, GROUP_FILTER_SIZE(4));
	get_group_filter(fd, 1, AF_INET, 4, GROUP_FILTER_SIZE(0) - 1);
	set_group_filter(fd, 1, AF_INET6, 3, GROUP_FILTER_SIZE(3));
	set_group_filter(fd, 1, AF_INET, 10, GROUP_FILTER_SIZE(10));
	get_group_filter(fd, 1, AF_INET, 20, GROUP_FILTER_SIZE(20));
	set_group_filter(fd, 1, AF_INET, 11, GROUP_FILTER_SIZE(11));
	set_group_filter(fd, 1, AF_INET, 11, GROUP_FILTER_SIZE(0));
	set_group_filter(fd, 1, AF_INET, 2, GROUP_FILTER_SIZE(2) - 1);
	set_group_filter(fd, 1, AF_INET, 2, GROUP_FILTER_SIZE(0) - 1);
	set_group_filter(fd, 1, AF_INET, 0, GROUP_FILTER_SIZE(0)); /* is to leave */
	DO(setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_GROUP, &gr, sizeof(gr)));
}

/* A group of IPv6 by either form. */
static void
group_six(void)
{
	struct ipv6_mreq mreq = {{{{0xff, 0x15, [15] = 9}}}, 1};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_addr = mreq.ipv6mr_multiaddr};
	struct group_req gr = {.gr_interface = 1};
	int fd = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0));

	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &gr, sizeof(gr)));
	memcpy(&gr.gr_group, &sin6, sizeof(sin6));
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &gr, sizeof(gr) - 1));
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &gr, sizeof(gr)));
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &gr, sizeof(gr)));
	DO(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq)));
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &gr, sizeof(gr)));
	DO(setsockopt(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &mreq, sizeof(mreq)));
	DO(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq)));
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &gr, sizeof(gr)));
	gr.gr_interface = 77;
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &gr, sizeof(gr)));
	gr.gr_interface = 1;
	sin6.sin6_addr.s6_addr[0] = 0xfd;
	memcpy(&gr.gr_group, &sin6, sizeof(sin6));
	DO(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &gr, sizeof(gr)));
}

/* What an accepted socket has from its listener. */
static void
inherited(void)
{
	int listener = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), on = 1, low = 3, s, c;
	struct timeval tv = {7, 0};
	socklen_t len = sizeof(tv);

	MUST(setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
	MUST(setsockopt(listener, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	MUST(setsockopt(listener, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	MUST(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	MUST(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	MUST(setsockopt(listener, IPPROTO_TCP, TCP_KEEPIDLE, &low, sizeof(low)));
	MUST(bind(listener, calls_loopback(0), ADDRLEN));
	MUST(listen(listener, 1));
	c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(c, calls_loopback(calls_port(listener)), ADDRLEN));
	s = (int)MUST(accept(listener, NULL, NULL));
	say_get(s, OPTION(SOL_SOCKET, SO_KEEPALIVE));
	say_get(s, OPTION(SOL_SOCKET, SO_OOBINLINE));
	say_get(s, OPTION(SOL_SOCKET, SO_RCVLOWAT));
	say_get(s, OPTION(SOL_SOCKET, SO_ACCEPTCONN));
	say_get(s, OPTION(IPPROTO_TCP, TCP_NODELAY));
	say_get(s, OPTION(IPPROTO_TCP, TCP_KEEPIDLE));
	DO(getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	DO(tv.tv_sec);
}

const struct calls_case calls_cases[] = {
    {"booleans", booleans},
    {"read-only", read_only},
    {"buffers", buffers},
    {"low-waters", low_waters},
    {"receive-low-water", receive_low_water},
    {"lingers", lingers},
    {"linger-waits", linger_waits},
    {"times", times},
    {"tcp", tcp},
    {"tcp-connected", tcp_connected},
    {"not-offered", not_offered},
    {"unknown", unknown},
    {"ip", ip},
    {"multicast", multicast},
    {"group-six", group_six},
    {"whole-filter", whole_filter},
    {"whole-group-filter", whole_group_filter},
    {"inherited", inherited},
    {NULL, NULL},
};
