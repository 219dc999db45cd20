/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The linked-in door with the host's own types, constants and errno: the calls of
 * <rumpus/client.h> (rumpus_sys_socket, rumpus_sys_connect, ...), answered by a stack in this
 * process instead of a server. Link libembed before libclient, and do not call
 * rumpus_client_init(): there is no server.
 *
 * Everything said in <rumpus/socket.h> of the loop and of tasks holds. Structures and buffers that
 * are not there fault; here nobody stands between the caller and the stack.
 */
#ifndef RUMPUS_EMBED_H
#define RUMPUS_EMBED_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct rumpus_proc;

/*
 * From now on this thread's rumpus_sys_ calls are those of p, which may be of any stack of this
 * thread. A task (rumpus_task_start) that is not of p must say so again after every call that may
 * have slept. NULL: of nobody; calls fail with ENETDOWN.
 * => whose they were
 */
struct rumpus_proc *rumpus_embed_use(struct rumpus_proc *p);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* RUMPUS_EMBED_H */
