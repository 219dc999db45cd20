/* SPDX-License-Identifier: BSD-2-Clause */
/* What is listed: sockets (FDSOCK_OP_SOCKETS), interfaces. */
#ifndef SERVER_FDSOCK_SOCKETS_H
#define SERVER_FDSOCK_SOCKETS_H

struct fd_call;
struct fdsock;
struct socket;

int fd_op_ifaddrs(struct fd_call *ca);
int fd_op_sockets(struct fd_call *ca);
/* => NULL: no descriptor of this door */
struct fdsock *fd_sock_of(const struct socket *so);

#endif /* SERVER_FDSOCK_SOCKETS_H */
