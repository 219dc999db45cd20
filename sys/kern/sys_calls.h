/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of system calls share: the prototypes of sys_NAME for all of
 * <rumpus/syscalls.def>, and how arguments are taken from their slots and from the caller.
 */
#ifndef KERN_SYS_CALLS_H
#define KERN_SYS_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>

struct file;
struct lwp;
struct socket;
struct uio;

#define RUMPUS_SYSCALL(number, name, argc, decl) \
	int sys_##name(struct lwp *l, const uint64_t *args, int64_t retval[2]);
#define RUMPUS_SYSCALL_ABSENT(number, name)
#include <rumpus/syscalls.def>
#undef RUMPUS_SYSCALL
#undef RUMPUS_SYSCALL_ABSENT

/* An int, or an unsigned of 32 bits, in a 64-bit slot; the upper half may be anything. */
static inline int
arg_int(const uint64_t *args, unsigned i)
{
	return (int)(uint32_t)args[i];
}

static inline uint32_t
arg_u32(const uint64_t *args, unsigned i)
{
	return (uint32_t)args[i];
}

/* Memory for the length of a call: small ones on the stack. */
struct scratch {
	void *sc_p;
	size_t sc_len;
	_Alignas(16) uint8_t sc_small[512];
};

/* => zeroed; NULL: no memory. */
void *scratch_get(struct scratch *sc, size_t len);
void scratch_put(struct scratch *sc);

/* Fetches cnt iovecs from the caller. => EFAULT, ENOMEM. scratch_put also after an error. */
int iov_copyin(struct lwp *l, uint64_t uiov, unsigned cnt, struct scratch *sc);

/*
 * The end of a call that moved data: what was moved counts for more than why it stopped.
 * => 0 with *retval set, or the error.
 */
int uio_result(int error, uint64_t asked, const struct uio *uio, int64_t *retval);

/* The socket behind fd; fd_release(*fpp) afterwards. => EBADF, ENOTSOCK. */
int fd_holdsock(struct lwp *l, int fd, struct file **fpp, struct socket **sop);

/* A file for so, with one reference. => ENFILE: so stays the caller's. */
int so_file_alloc(struct socket *so, struct file **fpp);

/* Fetches an address. => EINVAL: longer than any, or shorter than its head. EFAULT. */
int sockaddr_copyin(struct lwp *l, uint64_t uaddr, uint32_t len, union bsd_sockaddr_any *nam);
/*
 * Stores an address in as much room as the caller has, and its length, as getsockname does: a
 * copy-in of *ulenp, a copy-out of the address, a copy-out of its length. => ulenp 0: nothing.
 */
int sockaddr_copyout(struct lwp *l, const union bsd_sockaddr_any *nam, uint64_t uaddr,
    uint64_t ulenp);

/* SIGPIPE for a send that failed with EPIPE, unless the socket or the flags say no. */
void so_sigpipe(struct lwp *l, const struct socket *so, int flags);

#endif /* KERN_SYS_CALLS_H */
