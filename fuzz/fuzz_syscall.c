/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls with hostile arguments: numbers, descriptors, lengths and flags are the input's, and
 * so is every byte that the kernel fetches from the caller. The copy engine may fail, or sleep
 * until it is woken, as that of a remote client does; calls are interrupted by close and by the end
 * of the process wherever they sleep.
 */
#include <string.h>

#include <rumpus/abi.h>

#include "fuzz/fuzz.h"
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/proc.h"
#include "kern/syscall.h"
#include "wire/be.h"

#define MAXSTEPS 200
#define NPROCS 2

static struct world {
	struct netstack *w_ns;
	struct fuzz_in w_in;
	struct proc *w_procs[NPROCS];
	struct waitq w_wait; /* of copies that sleep */
	unsigned w_ncalls;   /* in progress */
	unsigned w_nexited;
	uint8_t w_sum; /* of what was copied out */
} world;

/* -- the copy engine ------------------------------------------------------------------------- */

static int
copy_fate(void)
{
	uint8_t fate = fuzz_u8(&world.w_in);

	if (fate == 0xff)
		return BSD_EFAULT;
	if (fate >= 0xf0)
		return tsleep(world.w_ns, &world.w_wait, "fuzz", 0);
	return 0;
}

static int
fuzz_copyin(struct vmspace *vm, uint64_t uaddr, const struct kvec *kv, unsigned nkv)
{
	int error = copy_fate();

	(void)vm;
	(void)uaddr;
	for (unsigned i = 0; i < nkv && error == 0; i++)
		fuzz_fill(&world.w_in, kv[i].kv_base, kv[i].kv_len);
	return error;
}

/* Reads what it is given, as a sanitizer would notice. */
static int
fuzz_copyout(struct vmspace *vm, const struct kvec *kv, unsigned nkv, uint64_t uaddr)
{
	uint8_t sum = 0;
	int error = copy_fate();

	(void)vm;
	(void)uaddr;
	for (unsigned i = 0; i < nkv && error == 0; i++) {
		const uint8_t *p = kv[i].kv_base;

		for (size_t j = 0; j < kv[i].kv_len; j++)
			sum ^= p[j];
	}
	world.w_sum ^= sum;
	return error;
}

static int
fuzz_copyinstr(struct vmspace *vm, uint64_t uaddr, char *buf, size_t size)
{
	(void)vm;
	(void)uaddr;
	fuzz_fill(&world.w_in, buf, size);
	return copy_fate();
}

static const struct copy_engine fuzz_engine = {
    .ce_name = "fuzz",
    .ce_copyin = fuzz_copyin,
    .ce_copyout = fuzz_copyout,
    .ce_copyinstr = fuzz_copyinstr,
};

/* -- calls ----------------------------------------------------------------------------------- */

struct call {
	const struct sysent *c_sy;
	uint64_t c_args[SYSCALL_MAXARGS];
};

static void
call_main(struct lwp *l, void *arg)
{
	struct call c = *(const struct call *)arg;
	int64_t retval[2];

	(void)syscall_invoke(l, c.c_sy, c.c_args, retval);
	world.w_ncalls--;
}

/* An argument: mostly small, sometimes anything. */
static uint64_t
argument(struct fuzz_in *fi)
{
	uint8_t kind = fuzz_u8(fi);

	if (kind < 0x60)
		return kind % 16;
	if (kind < 0xa0)
		return fuzz_u16(fi);
	if (kind < 0xd0)
		return fuzz_u32(fi);
	return kind < 0xf0 ? (uint64_t) - (int64_t)(kind & 3) : fuzz_u64(fi);
}

static void
step_call(struct fuzz_in *fi)
{
	static const int numbers[] = {
#define RUMPUS_SYSCALL(number, name, argc, decl) number,
#define RUMPUS_SYSCALL_ABSENT(number, name) number,
#include <rumpus/syscalls.def>
#undef RUMPUS_SYSCALL
#undef RUMPUS_SYSCALL_ABSENT
	};
	struct proc *p = world.w_procs[fuzz_u8(fi) % NPROCS];
	struct call c = {.c_sy = sysent_find(numbers[fuzz_u8(fi) % nitems(numbers)])};
	struct lwp *l;

	for (unsigned i = 0; i < c.c_sy->sy_argc; i++)
		c.c_args[i] = argument(fi);
	if (p == NULL || (l = lwp_start(p, call_main, &c)) == NULL)
		return;
	world.w_ncalls++;
	lwp_run(l);
}

/* Calls as a program makes them, so that sockets of every state come to be. */
static void
call_as(struct proc *p, int number, uint64_t a, uint64_t b, uint64_t c)
{
	struct call call = {.c_sy = sysent_find(number), .c_args = {a, b, c}};
	struct lwp *l = lwp_start(p, call_main, &call);

	FUZZ_CHECK(l != NULL);
	world.w_ncalls++;
	lwp_run(l);
	netstack_run(world.w_ns);
}

static void
bind_to(struct proc *p, int number, int fd, uint16_t port)
{
	union bsd_sockaddr_any nam = fuzz_sin(htobe32(0x7f000001), port);
	struct fuzz_in was = world.w_in;
	uint8_t bytes[1 + sizeof(nam.sin)] = {0};

	memcpy(bytes + 1, &nam.sin, sizeof(nam.sin));
	world.w_in = (struct fuzz_in){.fi_p = bytes, .fi_left = sizeof(bytes)};
	call_as(p, number, (uint64_t)fd, 0x1000, sizeof(nam.sin));
	world.w_in = was;
}

/* Both have: 3 a listener, 4 a connection to it, 5 its other end, 6 UDP to oneself, 7 fresh. */
static void
make_sockets(struct proc *p, uint16_t port)
{
	const struct fuzz_in was = world.w_in;

	world.w_in = (struct fuzz_in){0};
	call_as(p, BSD_SYS_socket, BSD_AF_INET, BSD_SOCK_STREAM, 0);
	bind_to(p, BSD_SYS_bind, 3, port);
	call_as(p, BSD_SYS_listen, 3, 8, 0);
	call_as(p, BSD_SYS_socket, BSD_AF_INET, BSD_SOCK_STREAM, 0);
	bind_to(p, BSD_SYS_connect, 4, port);
	call_as(p, BSD_SYS_accept, 3, 0, 0);
	call_as(p, BSD_SYS_socket, BSD_AF_INET, BSD_SOCK_DGRAM, 0);
	bind_to(p, BSD_SYS_bind, 6, port);
	bind_to(p, BSD_SYS_connect, 6, port);
	call_as(p, BSD_SYS_socket, BSD_AF_INET, BSD_SOCK_STREAM, 0);
	FUZZ_CHECK(world.w_ncalls == 0 && p->p_fd.fd_nopen == 5);
	world.w_in = was;
}

static void
proc_gone(void *door)
{
	(void)door;
	world.w_nexited++;
}

static void
step_exit(struct fuzz_in *fi)
{
	unsigned n = fuzz_u8(fi) % NPROCS;

	if (world.w_procs[n] != NULL && (fuzz_u8(fi) & 0xf) == 0xf) {
		proc_exit(world.w_procs[n]);
		world.w_procs[n] = NULL;
	}
}

static void
step(struct fuzz_in *fi)
{
	uint8_t what = fuzz_u8(fi) % 16;

	if (what < 11)
		step_call(fi);
	else if (what < 13)
		wakeup(&world.w_wait);
	else if (what == 13)
		fuzz_run_for(world.w_ns, fuzz_delay_ns(fi));
	else if (what == 14)
		step_exit(fi);
	if (what != 15) /* several calls in one turn */
		netstack_run(world.w_ns);
	fuzz_check(world.w_ns);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&world, 0, sizeof(world));
	world.w_ns = fuzz_stack();
	waitq_init(&world.w_wait);
	for (unsigned i = 0; i < NPROCS; i++) {
		FUZZ_CHECK(
		    proc_create(world.w_ns, "fuzz", &fuzz_engine, NULL, &world.w_procs[i]) == 0);
		world.w_procs[i]->p_exited = proc_gone;
		make_sockets(world.w_procs[i], (uint16_t)(100 + i));
	}
	world.w_in = (struct fuzz_in){.fi_p = data, .fi_left = size};
	for (unsigned i = 0; i < MAXSTEPS && world.w_in.fi_left > 0; i++)
		step(&world.w_in);
	for (unsigned i = 0; i < NPROCS; i++) {
		if (world.w_procs[i] != NULL)
			proc_exit(world.w_procs[i]);
	}
	netstack_run(world.w_ns);
	FUZZ_CHECK(world.w_nexited == NPROCS && world.w_ncalls == 0);
	fuzz_stack_end(world.w_ns);
	return 0;
}
