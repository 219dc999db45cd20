/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: see proc.h. */
#include "kern/proc.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"

#define PID_FIRST 2 /* 1 is everybody's parent */

static void
proc_setname(struct proc *p, const char *comm)
{
	size_t i;

	for (i = 0; i < MAXCOMLEN - 1 && comm[i] != '\0'; i++)
		p->p_comm[i] = comm[i];
	memset(p->p_comm + i, 0, MAXCOMLEN - i);
}

static bool
pid_used(struct netstack *ns, int32_t pid)
{
	struct proc *p;

	TAILQ_FOREACH(p, &ns->ns_procs, p_list) {
		if (p->p_pid == pid)
			return true;
	}
	return false;
}

static int32_t
pid_next(struct netstack *ns)
{
	int32_t pid = KERN_MAX(ns->ns_nextpid, PID_FIRST);

	/* Numbers come round after 2^31 processes; only then can one be in use. */
	while (pid_used(ns, pid))
		pid = pid == INT32_MAX ? PID_FIRST : pid + 1;
	ns->ns_nextpid = pid == INT32_MAX ? PID_FIRST : pid + 1;
	return pid;
}

static int
proc_alloc(struct netstack *ns, const char *comm, struct proc **pp)
{
	bool full = ns->ns_procpool.pl_nout >= ns->ns_procpool.pl_limit;
	struct proc *p = pool_get_zeroed(&ns->ns_procpool);

	if (p == NULL)
		return full ? EAGAIN : ENOMEM;
	p->p_ns = ns;
	p->p_lwplimit = PROC_LWPLIMIT_DEFAULT;
	LIST_INIT(&p->p_lwps);
	proc_setname(p, comm);
	*pp = p;
	return 0;
}

static void
proc_enter(struct proc *p, int32_t ppid)
{
	p->p_pid = pid_next(p->p_ns);
	p->p_ppid = ppid;
	TAILQ_INSERT_TAIL(&p->p_ns->ns_procs, p, p_list);
}

int
proc_create(struct netstack *ns, const char *comm, const struct copy_engine *engine, void *vm_ctx,
    struct proc **pp)
{
	int error = proc_alloc(ns, comm, pp);

	if (error != 0)
		return error;
	error = filedesc_init(&(*pp)->p_fd, ns->ns_maxfilesperproc);
	if (error != 0) {
		pool_put(&ns->ns_procpool, *pp);
		return error;
	}
	(*pp)->p_vm = (struct vmspace){.vm_engine = engine, .vm_ns = ns, .vm_ctx = vm_ctx};
	proc_enter(*pp, PID_FIRST - 1);
	return 0;
}

int
proc_fork(struct proc *parent, struct proc **pp)
{
	struct netstack *ns = parent->p_ns;
	int error = proc_alloc(ns, parent->p_comm, pp);

	if (error != 0)
		return error;
	error = filedesc_copy(ns, &parent->p_fd, &(*pp)->p_fd);
	if (error != 0) {
		pool_put(&ns->ns_procpool, *pp);
		return error;
	}
	(*pp)->p_lwplimit = parent->p_lwplimit;
	(*pp)->p_vm = (struct vmspace){.vm_engine = parent->p_vm.vm_engine, .vm_ns = ns};
	proc_enter(*pp, parent->p_pid);
	return 0;
}

void
proc_exec(struct proc *p, const char *comm)
{
	proc_setname(p, comm);
	filedesc_closeexec(&p->p_fd);
}

void
proc_reap(struct proc *p)
{
	struct netstack *ns = p->p_ns;
	void (*exited)(void *) = p->p_exited;
	void *door = p->p_door;

	KASSERT(p->p_exiting && p->p_nlwps == 0 && lwp_current(ns) == NULL);
	filedesc_fini(&p->p_fd);
	TAILQ_REMOVE(&ns->ns_procs, p, p_list);
	pool_put(&ns->ns_procpool, p);
	if (exited != NULL)
		exited(door);
}

void
proc_exit(struct proc *p)
{
	struct lwp *l;

	KASSERT(!p->p_exiting);
	p->p_exiting = true;
	LIST_FOREACH(l, &p->p_lwps, l_siblings)
		lwp_interrupt(l, EINTR);
	if (p->p_nlwps == 0)
		proc_reap(p);
}

void
proc_raise(struct proc *p, int signo)
{
	if (p->p_raise != NULL && !p->p_exiting)
		p->p_raise(p->p_door, signo);
}
