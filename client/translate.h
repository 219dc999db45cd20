/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux to BSD and back: numbers and layouts, nothing else.
 *
 * Functions return 0 or a Linux errno, the one that Linux gives for a thing without counterpart.
 * They touch no connection and keep no state.
 */
#ifndef CLIENT_TRANSLATE_H
#define CLIENT_TRANSLATE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <rumpus/abi.h>

/* EIO stands for a number that the stack should not have given. */
int bsd_errno_to_linux(int error);

/* 0 for a signal that the server has no business raising. */
int bsd_signal_to_linux(uint32_t sig);

/*
 * => On success *blen is the length of what lies in *out, sa_len included in it.
 * => EINVAL: too short or too long for its family; EAFNOSUPPORT; EFAULT: NULL.
 */
int linux_to_bsd_sockaddr(const struct sockaddr *sa, socklen_t len, union bsd_sockaddr_any *out,
    uint32_t *blen);

/*
 * Gives a BSD address of blen bytes to a caller's buffer of *len bytes, cut to fit.
 * => *len becomes the whole length, as Linux tells it.
 */
void bsd_to_linux_sockaddr(const union bsd_sockaddr_any *sa, uint32_t blen, struct sockaddr *out,
    socklen_t *len);

int linux_to_bsd_domain(int domain, int *out);
int linux_to_bsd_socktype(int type, int *out);   /* with SOCK_NONBLOCK and SOCK_CLOEXEC */
int linux_to_bsd_sockflags(int flags, int *out); /* those two alone */
int linux_to_bsd_protocol(int protocol, int *out);

/*
 * => *more is set if MSG_MORE was among the flags; the caller decides by the socket's type.
 */
int linux_to_bsd_msgflags(int flags, bool *more, int *out);
int bsd_to_linux_msgflags(int flags);

int linux_to_bsd_fcntl(int cmd, long arg, int *bcmd, int64_t *barg);
int bsd_to_linux_fcntl(int cmd, int64_t retval);
int linux_to_bsd_ioctl(unsigned long cmd, uint32_t *out);
int linux_to_bsd_shutdown(int how);
int linux_to_bsd_dup3flags(int flags, int *out);

int linux_to_bsd_pollfd(const struct pollfd *in, struct bsd_pollfd *out);
short bsd_to_linux_revents(int16_t revents, short events);

/* Layout and meaning of an option's value. */
enum option_kind {
	OPT_INT,    /* int both sides */
	OPT_BYTE,   /* int or char with Linux; int towards the stack, which may give a char back */
	OPT_ERRNO,  /* int that is an errno; read only */
	OPT_LINGER, /* struct linger, the same in both */
	OPT_TIMEVAL,
	OPT_STRING, /* characters, NUL or not */
	OPT_IFNAME, /* the same, any number; none when read: none is set */
	OPT_RATE,   /* 64 bits or, where the room is for no more, 32; the same in both */
	OPT_BYTES,  /* the same bytes in both */
	OPT_MCASTIF, /* in_addr, ip_mreq or ip_mreqn with Linux; in_addr or ip_mreqn towards the stack */
	OPT_MREQ,      /* ip_mreq or ip_mreqn, the same in both */
	OPT_MCAST,     /* translate_mcast.c */
	OPT_MSFILTER,  /* the same; read, too: what is asked for lies in the caller's buffer */
	OPT_MCAST6,    /* translate_mcast6.c */
	OPT_MSFILTER6, /* the same, as OPT_MSFILTER */
	OPT_MREQ6,     /* struct ipv6_mreq or in6_pktinfo, the same in both */
	OPT_TCPINFO,   /* Linux's struct tcp_info; read only */
	OPT_NKIND
};

struct sockopt_map {
	int so_linux_level;
	int so_linux_name;
	int so_bsd_level;
	int so_bsd_name;
	enum option_kind so_kind;
};

union bsd_option {
	int32_t bo_int;
	uint8_t bo_bytes[64];
	struct bsd_ip_msfilter bo_msfilter;
	struct bsd_ipv6_msfilter bo_msfilter6;
	struct bsd_linger bo_linger;
	struct bsd_timeval bo_timeval;
	struct bsd_tcp_info bo_tcpinfo;
};

/* The row of an option; NULL: ENOPROTOOPT. */
const struct sockopt_map *sockopt_lookup(int level, int name);
const struct sockopt_map *sockopt_table(size_t *count);

/*
 * => val is not NULL. *blen is the length of what lies in *out.
 */
int linux_to_bsd_option(const struct sockopt_map *map, const void *val, socklen_t len,
    union bsd_option *out, uint32_t *blen);

/*
 * Gives a value of blen bytes to a caller's buffer of *len bytes, cut to fit.
 * => *len becomes the number of bytes given.
 */
void bsd_to_linux_option(const struct sockopt_map *map, const union bsd_option *in, uint32_t blen,
    void *val, socklen_t *len);

/* translate_mcast6.c: the same of IPv6, as those below */
int linux_to_bsd_mcast6(int name, const void *val, socklen_t len, union bsd_option *out,
    uint32_t *blen);
int linux_to_bsd_msfilter6_ask(const void *val, socklen_t len, struct bsd_ipv6_msfilter *out);
void bsd_to_linux_msfilter6(const struct bsd_ipv6_msfilter *in, uint32_t blen, void *val,
    socklen_t *len);

/* translate_mcast.c: the value of an option about sources of groups. => *blen bytes in *out; errno */
int linux_to_bsd_mcast(int name, const void *val, socklen_t len, union bsd_option *out,
    uint32_t *blen);
/* The membership whose filter is asked for, and how many sources there is room for. => errno */
int linux_to_bsd_msfilter_ask(int name, const void *val, socklen_t len,
    struct bsd_ip_msfilter *out);
/* The filter of blen bytes into the caller's buffer, which still has what was asked. */
void bsd_to_linux_msfilter(int name, const struct bsd_ip_msfilter *in, uint32_t blen, void *val,
    socklen_t *len);
/* The errno of a filter that could not be read: by index Linux knows no interfaces, only members. */
int msfilter_errno(int name, int error);

/* The same for TCP_INFO, of which blen bytes were given. */
void bsd_to_linux_tcpinfo(const struct bsd_tcp_info *in, uint32_t blen, void *val, socklen_t *len);

#endif /* CLIENT_TRANSLATE_H */
