/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uio: where the bytes of a system call come from or go to.
 *
 * Theory of operation: a uio lists ranges of the caller's memory; uiomove moves bytes between them
 * and the stack's memory through the caller's vmspace, whose copy engine is replaceable: direct
 * (a program linked in: memcpy), socket (the sysproxy door: a COPYIN request and its reply), vm
 * (process_vm_readv from the client's memory). An engine may sleep, so uiomove may only be called
 * from an lwp, unless the engine is direct.
 */
#ifndef KERN_UIO_H
#define KERN_UIO_H

#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>

struct netstack;
struct vmspace;

/* A piece of the stack's own memory. */
struct kvec {
	void *kv_base;
	size_t kv_len;
};

#define KVEC_MAX 256 /* most pieces of one engine call */

struct copy_engine {
	const char *ce_name; /* "direct", "socket", "vm" */
	/*
	 * Fetch sum(kv_len) bytes at uaddr of the caller into the pieces, or store them.
	 * => 0, EFAULT, EINTR (caller gone), ENOMEM. nkv <= KVEC_MAX. May sleep.
	 */
	int (*ce_copyin)(struct vmspace *vm, uint64_t uaddr, const struct kvec *kv, unsigned nkv);
	int (*ce_copyout)(struct vmspace *vm, const struct kvec *kv, unsigned nkv, uint64_t uaddr);
	/* A string with its NUL, at most size bytes. => ENAMETOOLONG without a NUL in size. */
	int (*ce_copyinstr)(struct vmspace *vm, uint64_t uaddr, char *buf, size_t size);
};

struct vmspace {
	const struct copy_engine *vm_engine;
	struct netstack *vm_ns;
	void *vm_ctx; /* the engine's */
};

/* memcpy: for programs linked in. uaddr is a pointer. */
extern const struct copy_engine copy_engine_direct;

enum uio_rw { UIO_READ, UIO_WRITE }; /* READ: stack to caller */

struct uio {
	const struct bsd_iovec *uio_iov;
	unsigned uio_iovcnt;
	uint64_t uio_iovoff; /* bytes of uio_iov[0] already done */
	uint64_t uio_resid;  /* bytes still to move */
	enum uio_rw uio_rw;
	struct vmspace *uio_vm;
};

/* => resid is the sum of the vectors (EINVAL by uio_init if it exceeds SSIZE_MAX). */
int uio_init(struct uio *uio, const struct bsd_iovec *iov, unsigned iovcnt, enum uio_rw rw,
    struct vmspace *vm);

/*
 * Moves sum(kv_len) <= uio_resid bytes between the pieces and the next bytes of the uio: one
 * engine call for each range of the caller touched. Counts calls and bytes (ns_copystat).
 * => on error uio_resid tells how much was moved for certain. May sleep.
 */
int uiomovev(const struct kvec *kv, unsigned nkv, struct uio *uio);
int uiomove(void *buf, size_t len, struct uio *uio);

/* Plain copies by address, counted likewise. May sleep. => EFAULT, EINTR. */
int copyin(struct vmspace *vm, uint64_t uaddr, void *buf, size_t len);
int copyout(struct vmspace *vm, const void *buf, uint64_t uaddr, size_t len);
int copyinstr(struct vmspace *vm, uint64_t uaddr, char *buf, size_t size);

/* How often and how much was copied; the study's measure. */
struct copy_stat {
	uint64_t cs_copyins; /* engine calls */
	uint64_t cs_copyin_bytes;
	uint64_t cs_copyouts;
	uint64_t cs_copyout_bytes;
	uint64_t cs_sosend_copyins; /* of these, payload in sosend */
	uint64_t cs_sosend_copyin_bytes;
	uint64_t cs_soreceive_copyouts; /* payload in soreceive */
	uint64_t cs_soreceive_copyout_bytes;
};

#endif /* KERN_UIO_H */
