/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for pools and tables: zeroed, aligned to a cache line. Large blocks come straight from
 * the kernel, so that pages nobody touches cost nothing and freed ones go back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host_linux.h"
#include "sanitize.h"

#define ALIGN_BYTES 64u
#define LARGE_BYTES (256u * 1024)

/* The leak checker does not look for pointers in mapped memory, so it gets none. */
static int
is_large(size_t len_bytes)
{
	return !HOST_ASAN && len_bytes >= LARGE_BYTES;
}

void *
host_alloc(size_t len_bytes)
{
	void *p;

	if (len_bytes > SIZE_MAX - ALIGN_BYTES)
		return NULL;
	if (is_large(len_bytes)) {
		p = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
		return p == MAP_FAILED ? NULL : p;
	}
	if (len_bytes == 0)
		len_bytes = 1;
	len_bytes = (len_bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
	p = aligned_alloc(ALIGN_BYTES, len_bytes);
	if (p != NULL)
		memset(p, 0, len_bytes);
	return p;
}

void
host_free(void *p, size_t len_bytes)
{
	if (p == NULL)
		return;
	if (is_large(len_bytes))
		munmap(p, len_bytes);
	else
		free(p);
}
