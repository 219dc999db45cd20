/* SPDX-License-Identifier: BSD-2-Clause */
/* Connecting without blocking (fd_connect.c has the theory). */
#ifndef SERVER_FDSOCK_CONNECT_H
#define SERVER_FDSOCK_CONNECT_H

#include <stdbool.h>

struct bsd_sockaddr;
struct fdsock;

/* Results are host errnos. */
int fd_connect(struct fdsock *fs, int clientfd, const struct bsd_sockaddr *nam, bool wait);
/*
 * After a connect has failed whose caller waited: the stack's part of the socket is made anew, with the
 * options that it had. => EADDRINUSE: another has its port now; ENOBUFS and others of the stack's
 */
int fd_connect_refresh(struct fdsock *fs, int clientfd);
/* Has a connect ended that the client does not wait for, without a connection? Then fs is to die. */
bool fd_gate_failed(const struct fdsock *fs);
/* The handshake has ended if SS_ISCONNECTING is gone: opens the gate. => false: still shut */
bool fd_gate_check(struct fdsock *fs);
/* Makes a listener's end unwritable for good. */
void fd_gate_listener(struct fdsock *fs, int clientfd);
/* The caller of connect gives up waiting. => EINPROGRESS; 0: it has been answered */
int fd_gate_unwait(struct fdsock *fs, int clientfd);
/* Gives the client's end its buffer back. */
void fd_gate_widen(struct fdsock *fs, int clientfd);
/* The client's end is to hold bytes, as the host counts them: now, or when the gate opens. */
void fd_gate_setbuf(struct fdsock *fs, int clientfd, int bytes);

#endif /* SERVER_FDSOCK_CONNECT_H */
