/* SPDX-License-Identifier: BSD-2-Clause */
/* Between this host's numbers, layouts and options and the stack's. */
#ifndef SERVER_FDSOCK_TRANSLATE_H
#define SERVER_FDSOCK_TRANSLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>
#include <rumpus/fdsock.h>

struct fdsock;
struct sockopt;

union fd_addr {
	struct bsd_sockaddr sa;
	struct bsd_sockaddr_in sin;
	struct bsd_sockaddr_in6 sin6;
};

/* fd_translate_addr.c, fd_translate_errno.c: this host's numbers and the stack's */
int fd_errno(int bsd_error);
/* => host errno EINVAL, EAFNOSUPPORT */
int fd_addr_in(const void *sa, size_t len, union fd_addr *out);
/* => bytes */
size_t fd_addr_out(const struct bsd_sockaddr *sa, void *out);
int fd_domain_in(int domain, int *out);
int fd_domain_out(int bsd_family);
/* => network order; 0: none */
uint16_t fd_addr_port(const union fd_addr *addr);
/* Records' form of an address. */
void fd_addr_split(const struct bsd_sockaddr *sa, uint16_t *family, uint16_t *port, uint8_t *addr,
    uint32_t *scope);
int fd_dgram_addr(const struct fdsock_dgram *dg, union fd_addr *out);

/* fd_translate_mcast.c: the value of an option about sources of groups. => host errno */
int fd_set_mcast(struct sockopt *sopt, int name, const void *val, size_t len);
/* In place: val has what is asked for, a head; *len in: room, out: bytes. => host errno */
int fd_get_mcast(struct fdsock *fs, int name, void *val, size_t *len);
/* fd_translate_mcast6.c: the same of IPv6. */
int fd_set_mcast6(struct sockopt *sopt, int name, const void *val, size_t len);
int fd_get_mcast6(struct fdsock *fs, int name, void *val, size_t *len);

/*
 * fd_tcpinfo.c: the value of TCP_INFO, from the stack's form to the host's, in place. inpair: bytes that
 * the stack has not seen yet.
 */
void fd_tcpinfo(struct sockopt *sopt, uint32_t inpair);
/* What the client has written and we have not read. */
uint32_t fd_pair_waiting(const struct fdsock *fs);
/* Of a stream: the same, and what the stack has not sent. */
uint32_t fd_notsent(struct fdsock *fs);
/* A state's number here. */
uint8_t fd_tcpstate(unsigned bsd_state);

#define FD_PAIROPTS 5 /* as many as there are */
struct fd_pairopt {   /* an option that the client's end itself has */
	int po_name;
	uint8_t po_len; /* 0: not set */
	uint8_t po_value[16];
};

/* fd_translate_sockopt.c: results are host errnos */
int fd_sockopt_set(struct fdsock *fs, int clientfd, int level, int name, const void *val,
    size_t len);
/* => *len in: room, all of it defined; out: bytes */
int fd_sockopt_get(struct fdsock *fs, int clientfd, int level, int name, void *val, size_t *len);
/* What the client has set on its end by itself is noted, as if it had come by request. */
void fd_sockopt_note(struct fdsock *fs, int clientfd);
/* What was set on a listener's end is set on that of a connection it made. */
void fd_sockopt_inherit(const struct fdsock *fs, struct fdsock *child, int clientfd);
/* Is the option known at all? */
bool fd_sockopt_known(int level, int name);

/* fd_translate_told.c: options that are answered without the stack's; the same contracts */
bool fd_told_known(int level, int name);
int fd_told_set(int level, int name, const void *val, size_t len);
int fd_told_get(struct fdsock *fs, int level, int name, void *val, size_t *len);

#endif /* SERVER_FDSOCK_TRANSLATE_H */
