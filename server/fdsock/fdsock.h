/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fdsock door: sockets of the stack that are real Linux descriptors (rumpus/fdsock.h).
 *
 * Theory of operation: a client's socket is one end of a socketpair; the other is ours, in the
 * event loop, edge-triggered. What a client writes is read straight into mbufs and sent; what the
 * stack has received is written straight from its mbufs. Everything is driven by two kinds of
 * tidings, the pair's events and the socket's upcalls, and nothing ever waits for a client: a full
 * pair leaves data in so_rcv, where it closes the peer's window; a full so_snd leaves it in the
 * pair, where it stops the writer. A socket lives as long as somebody holds the client's end.
 *
 * What a client sees of TCP's ends, checked on Linux 6.18 (data unread comes first in each row):
 *
 *   the peer sent       our end                 read            write    poll
 *   FIN                 shutdown(SHUT_WR)       0               goes on  IN|OUT|RDHUP
 *   RST, time-out       close, error kept       0, then QUERY   EPIPE    IN|OUT|HUP|RDHUP
 *   the same, our end   close                   ECONNRESET      EPIPE    IN|OUT|HUP|RDHUP|ERR
 *     having unread bytes                        once, then 0
 *
 *   the client did      our end sees            what we do
 *   SHUT_WR             IN|RDHUP, 0             soshutdown once all is read
 *   close               HUP, 0                  soclose: the rest goes out, then FIN
 *   close, data unread  HUP|ERR                 soclose with a reset
 *
 * An error outlives its socket in a table of bounded size, by SO_COOKIE, for SO_ERROR and QUERY.
 */
#ifndef SERVER_FDSOCK_H
#define SERVER_FDSOCK_H

#include <stdbool.h>
#include <stddef.h>

#define FD_PATH_MAX 256u

struct loop;
struct fd_server;
struct sister;

/*
 * $RUMPUS_SERVER, else $XDG_RUNTIME_DIR/rumpus/default.sock, else /run/rumpus/default.sock; makes
 * the folder of the latter two. => true: the environment named it
 */
bool fd_default_path(char *path, size_t size);
/*
 * Opens the door: the control socket at path. => NULL: why holds "what: why; try: ...".
 */
struct fd_server *fd_server_open(struct loop *lp, const char *path, char *why, size_t whylen);
/* The same without a control socket, for a sister who is not the first. => NULL: no memory */
struct fd_server *fd_server_twin(struct loop *lp);
/* There are others: listeners have twins with them, and requests may be theirs. */
void fd_server_join(struct fd_server *fd, struct sister *si);
/* Closes all control connections and sockets, takes the file away, frees. */
void fd_server_close(struct fd_server *fd);

#endif /* SERVER_FDSOCK_H */
