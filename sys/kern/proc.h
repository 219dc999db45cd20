/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes: one for each client of a door. A proc owns descriptors, an address space (uio.h) and
 * the lwps of its calls in progress.
 */
#ifndef KERN_PROC_H
#define KERN_PROC_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/filedesc.h"
#include "kern/lwp.h"
#include "kern/queue.h"
#include "kern/uio.h"

struct netstack;

#define MAXCOMLEN 32
#define PROC_FDLIMIT_DEFAULT 16384u
#define PROC_LWPLIMIT_DEFAULT 256u

struct proc {
	TAILQ_ENTRY(proc) p_list;
	struct netstack *p_ns;
	int32_t p_pid;
	int32_t p_ppid;
	char p_comm[MAXCOMLEN];
	struct vmspace p_vm;
	struct filedesc p_fd;
	LIST_HEAD(, lwp) p_lwps;
	uint32_t p_nlwps;
	uint32_t p_lwplimit;
	bool p_exiting;
	void *p_door; /* the door's session */
	/* Called once, from the loop, when an exiting proc's last lwp is gone and it is freed. */
	void (*p_exited)(void *door);
	/* Asks the door to raise a signal (BSD_SIG*) in its client; must not sleep. NULL: nobody. */
	void (*p_raise)(void *door, int signo);
};

/* => ENOMEM, EAGAIN (pool limit). vm_ctx is the door's; so are p_door, p_exited and p_raise. */
int proc_create(struct netstack *ns, const char *comm, const struct copy_engine *engine,
    void *vm_ctx, struct proc **pp);
/* A copy with shared open files and the same engine. The door sets p_vm.vm_ctx and its own. */
int proc_fork(struct proc *parent, struct proc **pp);
/* exec: new name, close-on-exec descriptors closed. */
void proc_exec(struct proc *p, const char *comm);
/*
 * The client is gone: interrupts every lwp (EINTR), closes all descriptors once they have ended,
 * then frees p. => from the loop. p may be freed on return.
 */
void proc_exit(struct proc *p);
/* Asks p's door to raise a signal. */
void proc_raise(struct proc *p, int signo);
/* For lwp.c, from the loop: the last lwp of an exiting process ended. Frees p. */
void proc_reap(struct proc *p);

#endif /* KERN_PROC_H */
