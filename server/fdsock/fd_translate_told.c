/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options of the host that are answered here, without the stack's.
 *
 * Some are about what this door knows: the cookie, the peer's name, what the buffers hold. The others
 * nothing carries out; they are answered as a Linux answers them that has the thing switched off, or
 * does not grant it to the caller: reading tells that it is off, setting is refused with the errno
 * that programs meet there and know how to go on after. What Linux itself takes and ignores is taken.
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* => host errno; *len in: room, out: bytes of val */
typedef int fd_told_fn(struct fdsock *fs, void *val, size_t *len);

struct fd_told {
	int to_level;
	int to_name;
	fd_told_fn *to_get; /* NULL: see to_getlen */
	uint8_t to_getlen;  /* so many bytes of zeroes */
	bool to_zero;       /* 0 may be set: it is that already */
	uint8_t to_setlen;  /* a shorter value is EINVAL */
	int to_geterror;
	int to_seterror; /* host errno; 0: it is taken, and means nothing there either */
};

static void
fd_told_put(const void *value, size_t size, void *val, size_t *len)
{
	*len = KERN_MIN(*len, size);
	memcpy(val, value, *len);
}

static int
fd_told_cookie(struct fdsock *fs, void *val, size_t *len)
{
	if (*len < sizeof(fs->fs_cookie))
		return EINVAL;
	fd_told_put(&fs->fs_cookie, sizeof(fs->fs_cookie), val, len);
	return 0;
}

/* As getpeername, but as long as asked for, and no longer. */
static int
fd_told_peername(struct fdsock *fs, void *val, size_t *len)
{
	uint8_t sa[FDSOCK_OPTION_MAX];
	union bsd_sockaddr_any nam;
	size_t size;

	if (sogetname(fs->fs_so, true, &nam) != 0)
		return ENOTCONN;
	size = fd_addr_out(&nam.sa, sa);
	if (size < *len)
		return EINVAL;
	fd_told_put(sa, size, val, len);
	return 0;
}

/* A network socket has no process at its other end: pid 0, nobody. */
static int
fd_told_peercred(struct fdsock *fs, void *val, size_t *len)
{
	const struct ucred none = {.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};

	(void)fs;
	fd_told_put(&none, sizeof(none), val, len);
	return 0;
}

static int
fd_told_meminfo(struct fdsock *fs, void *val, size_t *len)
{
	const struct socket *so = fs->fs_so;
	const uint32_t info[SK_MEMINFO_VARS] = {
	    [SK_MEMINFO_RMEM_ALLOC] = so->so_rcv.sb_mbcnt,
	    [SK_MEMINFO_RCVBUF] = so->so_rcv.sb_hiwat,
	    [SK_MEMINFO_WMEM_ALLOC] = so->so_snd.sb_mbcnt,
	    [SK_MEMINFO_SNDBUF] = so->so_snd.sb_hiwat,
	    [SK_MEMINFO_WMEM_QUEUED] = so->so_snd.sb_mbcnt,
	};

	fd_told_put(info, sizeof(info), val, len);
	return 0;
}

/* -1: not known. */
static int
fd_told_cpu(struct fdsock *fs, void *val, size_t *len)
{
	const int none = -1;

	(void)fs;
	fd_told_put(&none, sizeof(none), val, len);
	return 0;
}

static const struct fd_told fd_told[] = {
    {SOL_SOCKET, SO_COOKIE, fd_told_cookie, 0, false, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_PEERNAME, fd_told_peername, 0, false, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_MEMINFO, fd_told_meminfo, 0, false, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_PEERCRED, fd_told_peercred, 0, false, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_INCOMING_CPU, fd_told_cpu, 0, false, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_INCOMING_NAPI_ID, NULL, 4, false, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_BPF_EXTENSIONS, NULL, 4, false, 0, 0, ENOPROTOOPT}, /* a filter has none */
    /* of raw sockets only, and of a policy that there is not */
    {IPPROTO_IP, IP_NODEFRAG, NULL, 4, false, 0, 0, ENOPROTOOPT},
    {IPPROTO_IP, IP_IPSEC_POLICY, NULL, 0, false, 0, ENOPROTOOPT, EOPNOTSUPP},
    /* of unix sockets only */
    {SOL_SOCKET, SO_PEERGROUPS, NULL, 0, false, 0, ENODATA, ENOPROTOOPT},
    {SOL_SOCKET, SO_PASSCRED, NULL, 0, false, 0, EOPNOTSUPP, EOPNOTSUPP},
    {SOL_SOCKET, SO_PASSSEC, NULL, 0, false, 0, EOPNOTSUPP, EOPNOTSUPP},
    /* for a privilege over the host, which the stack is not */
    {SOL_SOCKET, SO_DEBUG, NULL, 4, true, 0, 0, EACCES},
    {SOL_SOCKET, SO_MARK, NULL, 4, false, 0, 0, EPERM},
    {SOL_SOCKET, SO_BUSY_POLL, NULL, 4, true, 0, 0, EPERM},
    {SOL_SOCKET, SO_SNDBUFFORCE, NULL, 0, false, 0, ENOPROTOOPT, EPERM},
    {SOL_SOCKET, SO_RCVBUFFORCE, NULL, 0, false, 0, ENOPROTOOPT, EPERM},
    {IPPROTO_TCP, TCP_REPAIR, NULL, 4, false, 0, 0, EPERM},
    {IPPROTO_TCP, TCP_REPAIR_QUEUE, NULL, 0, false, 0, EINVAL, EPERM},
    {IPPROTO_TCP, TCP_REPAIR_WINDOW, NULL, 0, false, 0, EINVAL, EPERM},
    {IPPROTO_TCP, TCP_REPAIR_OPTIONS, NULL, 0, false, 0, ENOPROTOOPT, EINVAL},
    {IPPROTO_TCP, TCP_QUEUE_SEQ, NULL, 0, false, 0, EINVAL, EINVAL},
    /* taken by Linux, without any effect there either */
    {SOL_SOCKET, SO_BSDCOMPAT, NULL, 4, true, 0, 0, 0},
    {IPPROTO_TCP, TCP_THIN_DUPACK, NULL, 4, true, 0, 0, 0},
    /* switched off, or without any such thing to choose from */
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, NULL, 4, true, 0, 0, EOPNOTSUPP},
    {IPPROTO_TCP, TCP_FASTOPEN_KEY, NULL, 0, false, 16, 0, ENOPROTOOPT},
    {IPPROTO_TCP, TCP_MD5SIG, NULL, 0, false, sizeof(struct tcp_md5sig), ENOPROTOOPT, ENOPROTOOPT},
    {IPPROTO_TCP, TCP_MD5SIG_EXT, NULL, 0, false, sizeof(struct tcp_md5sig), ENOPROTOOPT,
	ENOPROTOOPT},
    {IPPROTO_TCP, TCP_ULP, NULL, 0, false, 0, 0, ENOENT},
    {IPPROTO_IP, IP_TRANSPARENT, NULL, 4, true, 0, 0, EPERM},
    {IPPROTO_IPV6, IPV6_TRANSPARENT, NULL, 4, true, 0, 0, EPERM},
    {IPPROTO_IP, IP_CHECKSUM, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_TCP, TCP_CC_INFO, NULL, 0, false, 0, 0, ENOPROTOOPT},
    {IPPROTO_TCP, TCP_FASTOPEN, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_TCP, TCP_SAVE_SYN, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_TCP, TCP_SAVED_SYN, NULL, 0, false, 0, 0, ENOPROTOOPT},
    {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_TCP, TCP_TX_DELAY, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_ZEROCOPY, NULL, 4, true, 0, 0, EOPNOTSUPP},
    {SOL_SOCKET, SO_TIMESTAMPING, NULL, 8, true, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_TXTIME, NULL, 8, false, 8, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_SELECT_ERR_QUEUE, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_WIFI_STATUS, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {SOL_SOCKET, SO_NOFCS, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_IP, IP_ROUTER_ALERT, NULL, 4, false, 0, 0, EINVAL},
    {IPPROTO_IP, IP_RECVOPTS, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_IP, IP_RETOPTS, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_IP, IP_PASSSEC, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_IP, IP_RECVFRAGSIZE, NULL, 4, true, 0, 0, ENOPROTOOPT},
    {IPPROTO_IP, IP_UNICAST_IF, NULL, 4, true, 0, 0, EADDRNOTAVAIL},
};

static const struct fd_told *
fd_told_lookup(int level, int name)
{
	for (size_t i = 0; i < nitems(fd_told); i++) {
		if (fd_told[i].to_level == level && fd_told[i].to_name == name)
			return &fd_told[i];
	}
	return NULL;
}

bool
fd_told_known(int level, int name)
{
	return fd_told_lookup(level, name) != NULL;
}

int
fd_told_set(int level, int name, const void *val, size_t len)
{
	const struct fd_told *to = fd_told_lookup(level, name);
	int value;

	if (to == NULL)
		return ENOPROTOOPT;
	if (len < to->to_setlen)
		return EINVAL;
	if (!to->to_zero)
		return to->to_seterror;
	if (len < sizeof(value))
		return EINVAL;
	memcpy(&value, val, sizeof(value));
	return value == 0 ? 0 : to->to_seterror;
}

int
fd_told_get(struct fdsock *fs, int level, int name, void *val, size_t *len)
{
	static const uint8_t zeroes[8];
	const struct fd_told *to = fd_told_lookup(level, name);

	if (to == NULL)
		return ENOPROTOOPT;
	if (to->to_get != NULL)
		return to->to_get(fs, val, len);
	if (to->to_geterror == 0)
		fd_told_put(zeroes, to->to_getlen, val, len);
	return to->to_geterror;
}
