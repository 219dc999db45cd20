/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The binary interface of the stack: numbers and layouts that cross a door.
 *
 * They are BSD's (NetBSD, 64-bit), because the stack is one and the sysproxy door hands them
 * through untouched; the other doors translate at their edge. Every name carries BSD_ or bsd_ so
 * that this header can stand beside the host's own <sys/socket.h>. Files of sys/ get the bare
 * spellings from kern/names.h.
 */
#ifndef RUMPUS_ABI_H
#define RUMPUS_ABI_H

#include <stdint.h>

#include <rumpus/abi_ip.h>
#include <rumpus/abi_ip6.h>
#include <rumpus/tcp_info.h>

enum bsd_errno {
#define RUMPUS_ERRNO(name, value, text) BSD_##name = (value),
#include <rumpus/errno.def>
#undef RUMPUS_ERRNO
	BSD_ELAST = 96
};

/* Kernel-internal results; they never leave a system call. */
#define BSD_ERESTART (-3)
#define BSD_EWOULDBLOCK BSD_EAGAIN

enum {
	BSD_AF_UNSPEC = 0,
	BSD_AF_LOCAL = 1,
	BSD_AF_INET = 2,
	BSD_AF_LINK = 18,
	BSD_AF_INET6 = 24,
	BSD_AF_ROUTE = 34
};

enum { BSD_SOCK_STREAM = 1, BSD_SOCK_DGRAM = 2, BSD_SOCK_RAW = 3, BSD_SOCK_SEQPACKET = 5 };
#define BSD_SOCK_CLOEXEC 0x10000000
#define BSD_SOCK_NONBLOCK 0x20000000
#define BSD_SOCK_NOSIGPIPE 0x40000000
#define BSD_SOCK_FLAGS_MASK 0xf0000000u

enum {
	BSD_IPPROTO_IP = 0,
	BSD_IPPROTO_ICMP = 1,
	BSD_IPPROTO_IGMP = 2,
	BSD_IPPROTO_TCP = 6,
	BSD_IPPROTO_UDP = 17,
	BSD_IPPROTO_IPV6 = 41,
	BSD_IPPROTO_ICMPV6 = 58,
	BSD_IPPROTO_RAW = 255
};

/* setsockopt levels and names */
#define BSD_SOL_SOCKET 0xffff
enum {
	BSD_SO_DEBUG = 0x0001,
	BSD_SO_ACCEPTCONN = 0x0002,
	BSD_SO_REUSEADDR = 0x0004,
	BSD_SO_KEEPALIVE = 0x0008,
	BSD_SO_DONTROUTE = 0x0010,
	BSD_SO_BROADCAST = 0x0020,
	BSD_SO_USELOOPBACK = 0x0040,
	BSD_SO_LINGER = 0x0080,
	BSD_SO_OOBINLINE = 0x0100,
	BSD_SO_REUSEPORT = 0x0200,
	BSD_SO_NOSIGPIPE = 0x0800,
	BSD_SO_TIMESTAMP = 0x2000,
	BSD_SO_SNDBUF = 0x1001,
	BSD_SO_RCVBUF = 0x1002,
	BSD_SO_SNDLOWAT = 0x1003,
	BSD_SO_RCVLOWAT = 0x1004,
	BSD_SO_ERROR = 0x1007,
	BSD_SO_TYPE = 0x1008,
	BSD_SO_SNDTIMEO = 0x100b,
	BSD_SO_RCVTIMEO = 0x100c,
	BSD_SO_PRIORITY = 0x1020,      /* 0..6, as on Linux */
	BSD_SO_BINDTODEVICE = 0x1021,  /* the name of the only interface to use; "": any */
	BSD_SO_BINDTOIFINDEX = 0x1022, /* the same by its index; 0: any */
	BSD_SO_NO_CHECK = 0x1023,      /* UDP over IPv4: datagrams leave without checksum */
	BSD_SO_RXQ_OVFL = 0x1024, /* a datagram tells how many were dropped, by BSD_SO_RXQ_OVFL */
	BSD_SO_ATTACH_FILTER = 0x1025, /* datagrams: struct rumpus_bpf_insn[], what to receive */
	BSD_SO_DETACH_FILTER = 0x1026,
	BSD_SO_LOCK_FILTER = 0x1027,    /* the filter is to stay as it is */
	BSD_SO_MAX_PACING_RATE = 0x1028 /* bytes a second, of 64 or 32 bits; all ones: no limit */
};
enum {
	BSD_TCP_NODELAY = 1,
	BSD_TCP_MAXSEG = 2,
	BSD_TCP_KEEPIDLE = 3,
	BSD_TCP_NOPUSH = 4, /* only full segments, until it is taken back; 200 ms at most */
	BSD_TCP_KEEPINTVL = 5,
	BSD_TCP_KEEPCNT = 6,
	BSD_TCP_KEEPINIT = 7,
	BSD_TCP_INFO = 9,
	BSD_TCP_CONGCTL = 0x20,
	BSD_TCP_USER_TIMEOUT = 0x21, /* ms without an acknowledgment (RFC 9293 §3.9.1); 0: none */
	BSD_TCP_QUICKACK = 0x22,     /* no ACK is delayed */
	BSD_TCP_DEFER_ACCEPT = 0x23, /* s that a connection without data is kept from accept */
	BSD_TCP_SYNCNT = 0x24,       /* SYNs sent again before connect gives up */
	BSD_TCP_LINGER2 = 0x25,      /* s that FIN-WAIT-2 lasts after close; below 0: not at all */
	BSD_TCP_WINDOW_CLAMP = 0x26, /* bytes of window announced at most */
	BSD_TCP_TIMESTAMP = 0x27,    /* its clock of time stamps (RFC 7323), now */
	BSD_TCP_NOTSENT_LOWAT = 0x28 /* bytes not sent yet that keep it from taking more; 0: any */
};
enum { BSD_SHUT_RD = 0, BSD_SHUT_WR = 1, BSD_SHUT_RDWR = 2 };
enum { BSD_SOMAXCONN = 128 };

enum {
	BSD_MSG_OOB = 0x0001,
	BSD_MSG_PEEK = 0x0002,
	BSD_MSG_DONTROUTE = 0x0004,
	BSD_MSG_EOR = 0x0008,
	BSD_MSG_TRUNC = 0x0010,
	BSD_MSG_CTRUNC = 0x0020,
	BSD_MSG_WAITALL = 0x0040,
	BSD_MSG_DONTWAIT = 0x0080,
	BSD_MSG_NOSIGNAL = 0x0400,
	/* no BSD's: */
	BSD_MSG_MORE = 0x20000000,    /* UDP: the rest of the datagram is to come */
	BSD_MSG_ERRQUEUE = 0x40000000 /* the next of the queue of errors */
};

enum {
	BSD_POLLIN = 0x0001,
	BSD_POLLPRI = 0x0002,
	BSD_POLLOUT = 0x0004,
	BSD_POLLERR = 0x0008,
	BSD_POLLHUP = 0x0010,
	BSD_POLLNVAL = 0x0020,
	BSD_POLLRDNORM = 0x0040,
	BSD_POLLWRNORM = 0x0004,
	BSD_POLLRDBAND = 0x0080,
	BSD_POLLWRBAND = 0x0100
};

enum {
	BSD_F_DUPFD = 0,
	BSD_F_GETFD = 1,
	BSD_F_SETFD = 2,
	BSD_F_GETFL = 3,
	BSD_F_SETFL = 4,
	BSD_F_DUPFD_CLOEXEC = 12
};
enum { BSD_FD_CLOEXEC = 1 };
enum {
	BSD_O_RDONLY = 0,
	BSD_O_WRONLY = 1,
	BSD_O_RDWR = 2,
	BSD_O_ACCMODE = 3,
	BSD_O_NONBLOCK = 0x0004,
	BSD_O_ASYNC = 0x0040,
	BSD_O_CLOEXEC = 0x00400000
};

/* ioctl numbers: direction (0x8 in, 0x4 out, 0x2 void), size, group, number */
#define BSD_IOC_VOID 0x20000000u
#define BSD_IOC_OUT 0x40000000u
#define BSD_IOC_IN 0x80000000u
#define BSD_IOCPARM_LEN(cmd) (((cmd) >> 16) & 0x1fffu)
#define BSD_FIOCLEX 0x20006601u
#define BSD_FIONCLEX 0x20006602u
#define BSD_FIONBIO 0x8004667eu
#define BSD_FIOASYNC 0x8004667du
#define BSD_FIONREAD 0x4004667fu
#define BSD_FIONWRITE 0x40046679u
#define BSD_FIONSPACE 0x40046678u
#define BSD_SIOCATMARK 0x40047307u

struct bsd_sockaddr {
	uint8_t sa_len;
	uint8_t sa_family;
	uint8_t sa_data[14];
};

struct bsd_in_addr {
	uint32_t s_addr; /* network byte order */
};

struct bsd_sockaddr_in {
	uint8_t sin_len;
	uint8_t sin_family;
	uint16_t sin_port; /* network byte order */
	struct bsd_in_addr sin_addr;
	uint8_t sin_zero[8];
};

struct bsd_sockaddr_in6 {
	uint8_t sin6_len;
	uint8_t sin6_family;
	uint16_t sin6_port; /* network byte order */
	uint32_t sin6_flowinfo;
	struct bsd_in6_addr sin6_addr;
	uint32_t sin6_scope_id;
};

/* Any address the stack knows, with room for the longest. */
union bsd_sockaddr_any {
	struct bsd_sockaddr sa;
	struct bsd_sockaddr_in sin;
	struct bsd_sockaddr_in6 sin6;
	uint8_t sa_bytes[128];
};

struct bsd_iovec {
	uint64_t iov_base;
	uint64_t iov_len;
};

struct bsd_msghdr {
	uint64_t msg_name;
	uint32_t msg_namelen;
	uint32_t msg_pad0;
	uint64_t msg_iov;
	int32_t msg_iovlen;
	uint32_t msg_pad1;
	uint64_t msg_control;
	uint32_t msg_controllen;
	int32_t msg_flags;
};

struct bsd_pollfd {
	int32_t fd;
	int16_t events;
	int16_t revents;
};

struct bsd_timeval {
	int64_t tv_sec;
	int32_t tv_usec;
	int32_t tv_pad;
};

struct bsd_timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};

struct bsd_linger {
	int32_t l_onoff;
	int32_t l_linger; /* seconds */
};

/* System call numbers: BSD_SYS_read = 3, ... */
enum bsd_syscall {
#define RUMPUS_SYSCALL(number, name, argc, decl) BSD_SYS_##name = (number),
#define RUMPUS_SYSCALL_ABSENT(number, name) BSD_SYS_##name = (number),
#include <rumpus/syscalls.def>
#undef RUMPUS_SYSCALL
#undef RUMPUS_SYSCALL_ABSENT
};

#define BSD_IOV_MAX 1024

/* Signals that a door is asked to raise in its client. */
enum { BSD_SIGSYS = 12, BSD_SIGPIPE = 13 };

/*
 * Names of __sysctl. Variables have numbers that hold for the life of a stack:
 * {RUMPUS_CTL_META, RUMPUS_CTL_META_FIND}: new is a name, old gets {RUMPUS_CTL_VALUE, number};
 * {RUMPUS_CTL_META, RUMPUS_CTL_META_NAME, number}: old gets the name, ENOENT beyond the last;
 * {RUMPUS_CTL_VALUE, number}: the value itself: u32, u64 or a string with its NUL.
 */
enum { RUMPUS_CTL_META = 0, RUMPUS_CTL_VALUE = 1 };
enum { RUMPUS_CTL_META_NAME = 1, RUMPUS_CTL_META_FIND = 3 };
#define BSD_CTL_MAXNAME 12

_Static_assert(sizeof(struct bsd_sockaddr_in) == 16, "sockaddr_in is 16 bytes");
_Static_assert(sizeof(struct bsd_sockaddr_in6) == 28, "sockaddr_in6 is 28 bytes");
_Static_assert(sizeof(struct bsd_msghdr) == 48, "msghdr is 48 bytes");
_Static_assert(sizeof(struct bsd_timeval) == 16, "timeval is 16 bytes");
_Static_assert(sizeof(struct bsd_pollfd) == 8, "pollfd is 8 bytes");

#endif /* RUMPUS_ABI_H */
