/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies within this process by addresses that came over the wire, hence may be wild. The kernel
 * does them, as it gives an error where memcpy() would fault. Where it may not (a seccomp filter
 * without process_vm_readv), they are plain copies.
 */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#define PAGE 4096u

static void *
pointer(uint64_t addr)
{
	return (void *)(uintptr_t)addr;
}

static bool
is_forbidden(ssize_t n)
{
	return n < 0 && (errno == ENOSYS || errno == EPERM);
}

size_t
self_read(void *dst, uint64_t addr, size_t n)
{
	struct iovec local = {dst, n}, remote = {pointer(addr), n};
	ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	if (is_forbidden(got)) {
		memcpy(dst, pointer(addr), n);
		return n;
	}
	return got < 0 ? 0 : (size_t)got;
}

size_t
self_write(uint64_t addr, const void *src, size_t n)
{
	struct iovec local = {pointer((uintptr_t)src), n}, remote = {pointer(addr), n};
	ssize_t put = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);

	if (is_forbidden(put)) {
		memcpy(pointer(addr), src, n);
		return n;
	}
	return put < 0 ? 0 : (size_t)put;
}

/* For kernels before 5.14: touches each page by way of the kernel. */
static bool
pages_readable(uint64_t addr, uint64_t n)
{
	uint8_t byte;

	for (uint64_t off = 0; off < n; off = (((addr + off) | (PAGE - 1)) + 1) - addr) {
		if (self_read(&byte, addr + off, 1) != 1)
			return false;
	}
	return true;
}

bool
self_readable(uint64_t addr, uint64_t n)
{
	uint64_t start = addr & ~(uint64_t)(PAGE - 1), end;

	if (__builtin_add_overflow(addr, n, &end))
		return false;
	if (madvise(pointer(start), end - start, MADV_POPULATE_READ) == 0)
		return true;
	return errno == EINVAL && pages_readable(addr, n);
}
