/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sysproxy door: the rump kernel's remote system calls over unix:// and tcp://.
 *
 * Theory of operation: each client process has one connection, a session, which owns a proc of the
 * stack. A system call request runs in an lwp of that proc; when it needs bytes of the client, its
 * copy engine sends a request of its own and the lwp sleeps until the answer is in. The loop only
 * ever moves whole frames without waiting: what cannot be sent at once is queued, up to a limit
 * beyond which the client's own calls wait. Clients are hostile: every length is bounded before it
 * is believed.
 */
#ifndef SERVER_SYSPROXY_H
#define SERVER_SYSPROXY_H

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct sp_server;

/* The door of lp's stack, with its sysctls, not yet open anywhere. => NULL: no memory. */
struct sp_server *sp_server_create(struct loop *lp);
/*
 * Opens it at url (unix://PATH, tcp://ADDRESS:PORT), one of several perhaps.
 * => false: why holds "what: why; try: ..." for people.
 */
bool sp_server_listen(struct sp_server *sp, const char *url, char *why, size_t whylen);
/*
 * Closes all sessions and the door, and takes the socket files away.
 * => afterwards netstack_run lets the calls in progress end; then sp_server_free.
 */
void sp_server_close(struct sp_server *sp);
void sp_server_free(struct sp_server *sp);

#endif /* SERVER_SYSPROXY_H */
