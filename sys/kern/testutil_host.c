/* SPDX-License-Identifier: BSD-2-Clause */
/* The host between the stack and the host; see testutil_host.h. */
#include "kern/testutil_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rumpus/host.h>

void *__real_host_alloc(size_t len_bytes);
void __real_host_free(void *p, size_t len_bytes);
void *__wrap_host_alloc(size_t len_bytes);
void __wrap_host_free(void *p, size_t len_bytes);
_Noreturn void __wrap_host_panic(const char *file, int line, const char *what);

static struct {
	size_t bytes;
	uint64_t fail_at;
} host;

size_t
test_host_bytes(void)
{
	return host.bytes;
}

void
test_host_fail_at(uint64_t n)
{
	host.fail_at = n;
}

int
test_host_failed(void)
{
	return host.fail_at == 0;
}

void *
__wrap_host_alloc(size_t len_bytes)
{
	void *p;

	if (host.fail_at != 0 && --host.fail_at == 0)
		return NULL;
	p = __real_host_alloc(len_bytes);
	host.bytes += p != NULL ? len_bytes : 0;
	return p;
}

void
__wrap_host_free(void *p, size_t len_bytes)
{
	host.bytes -= p != NULL ? len_bytes : 0;
	__real_host_free(p, len_bytes);
}

_Noreturn void
__wrap_host_panic(const char *file, int line, const char *what)
{
	mock_assert(0, what, file, line);
	abort();
}
