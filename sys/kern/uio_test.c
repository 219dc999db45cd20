/* SPDX-License-Identifier: BSD-2-Clause */
/* uiomove over random pieces and vectors, with the direct engine and one that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/netstack.h"
#include "kern/rng.h"
#include "kern/testutil.h"
#include "kern/uio.h"

#define BYTES_MAX 9000u
#define VECS_MAX 600u

/* Cuts [0, len) of base into n pieces in order, some of them empty. */
static void
cut_kvec(struct rng *rng, uint8_t *base, size_t len, struct kvec *kv, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		size_t piece = i + 1 == n ? len : rng_below(rng, (uint32_t)(2 * len / (n - i) + 1));

		if (piece > len)
			piece = len;
		kv[i] = (struct kvec){.kv_base = base, .kv_len = piece};
		base += piece;
		len -= piece;
	}
}

static void
cut_iovec(struct rng *rng, uint8_t *base, size_t len, struct bsd_iovec *iov, unsigned n)
{
	struct kvec kv[VECS_MAX];

	cut_kvec(rng, base, len, kv, n);
	for (unsigned i = 0; i < n; i++)
		iov[i] = (struct bsd_iovec){(uint64_t)(uintptr_t)kv[i].kv_base, kv[i].kv_len};
}

static void
random_vectors_keep_every_byte(void **state)
{
	struct netstack *ns = test_netstack();
	struct vmspace vm = {.vm_engine = &copy_engine_direct, .vm_ns = ns};
	static uint8_t user[BYTES_MAX];
	static uint8_t kernel[BYTES_MAX];
	static struct kvec kv[VECS_MAX];
	static struct bsd_iovec iov[VECS_MAX];

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		enum uio_rw rw = rng_below(&ns->ns_rng, 2) ? UIO_READ : UIO_WRITE;
		size_t len = rng_below(&ns->ns_rng, BYTES_MAX);
		size_t first = rng_below(&ns->ns_rng, (uint32_t)len + 1);
		unsigned niov = 1 + rng_below(&ns->ns_rng, VECS_MAX - 1);
		unsigned nkv = 1 + rng_below(&ns->ns_rng, VECS_MAX - 1);
		struct uio uio;

		rng_bytes(&ns->ns_rng, user, sizeof(user));
		rng_bytes(&ns->ns_rng, kernel, sizeof(kernel));
		cut_iovec(&ns->ns_rng, user, len, iov, niov);
		assert_int_equal(uio_init(&uio, iov, niov, rw, &vm), 0);
		assert_int_equal(uio.uio_resid, len);
		cut_kvec(&ns->ns_rng, kernel, first, kv, nkv);
		assert_int_equal(uiomovev(kv, nkv, &uio), 0);
		assert_int_equal(uio.uio_resid, len - first);
		assert_int_equal(uiomove(kernel + first, len - first, &uio), 0);
		assert_int_equal(uio.uio_resid, 0);
		assert_memory_equal(user, kernel, len);
		if (len < BYTES_MAX - 16)
			assert_memory_not_equal(user + len, kernel + len, 16);
	}
	test_netstack_end(ns);
}

static void
lengths_that_overflow_are_refused(void **state)
{
	const struct bsd_iovec big[] = {{1, INT64_MAX}, {1, 1}};
	const struct bsd_iovec wrap[] = {{1, UINT64_MAX}};
	const struct bsd_iovec most[] = {{1, INT64_MAX}};
	struct netstack *ns = test_netstack();
	struct vmspace vm = {.vm_engine = &copy_engine_direct, .vm_ns = ns};
	uint8_t byte;
	struct uio uio;

	(void)state;
	assert_int_equal(uio_init(&uio, big, 2, UIO_READ, &vm), BSD_EINVAL);
	assert_int_equal(uio_init(&uio, wrap, 1, UIO_READ, &vm), BSD_EINVAL);
	assert_int_equal(uio_init(&uio, most, 1, UIO_READ, &vm), 0);
	assert_int_equal(uio_init(&uio, NULL, 0, UIO_READ, &vm), 0);
	assert_int_equal(uiomove(&byte, 0, &uio), 0);
	assert_int_equal(copyin(&vm, 0, &byte, 1), BSD_EFAULT);
	assert_int_equal(copyout(&vm, &byte, 0, 1), BSD_EFAULT);
	assert_int_equal(copyin(&vm, UINT64_MAX, &byte, 1), BSD_EFAULT);
	assert_int_equal(copyin(&vm, 0, &byte, 0), 0);
	test_netstack_end(ns);
}

static void
strings_end_in_time(void **state)
{
	struct netstack *ns = test_netstack();
	struct vmspace vm = {.vm_engine = &copy_engine_direct, .vm_ns = ns};
	const char *text = "abc";
	char buf[4];

	(void)state;
	assert_int_equal(copyinstr(&vm, (uint64_t)(uintptr_t)text, buf, 4), 0);
	assert_string_equal(buf, "abc");
	assert_int_equal(ns->ns_copystat.cs_copyin_bytes, 4);
	assert_int_equal(copyinstr(&vm, (uint64_t)(uintptr_t)text, buf, 3), BSD_ENAMETOOLONG);
	assert_int_equal(copyinstr(&vm, 0, buf, 4), BSD_EFAULT);
	test_netstack_end(ns);
}

/* An engine that counts calls and fails the one that calls_left says. */
struct picky {
	unsigned calls;
	unsigned fail_at;
	unsigned pieces_most;
};

static int
picky_copyin(struct vmspace *vm, uint64_t uaddr, const struct kvec *kv, unsigned nkv)
{
	struct picky *pk = vm->vm_ctx;

	if (++pk->calls == pk->fail_at)
		return BSD_EFAULT;
	if (nkv > pk->pieces_most)
		pk->pieces_most = nkv;
	return copy_engine_direct.ce_copyin(vm, uaddr, kv, nkv);
}

static const struct copy_engine picky_engine = {.ce_name = "picky", .ce_copyin = picky_copyin};

static void
one_engine_call_for_each_range(void **state)
{
	struct netstack *ns = test_netstack();
	struct picky pk = {.calls = 0};
	struct vmspace vm = {.vm_engine = &picky_engine, .vm_ns = ns, .vm_ctx = &pk};
	uint8_t user[1000] = {0};
	uint8_t kernel[1000];
	struct kvec kv[600];
	const struct bsd_iovec iov[] = {{(uint64_t)(uintptr_t)user, 300}, {1, 0},
	    {(uint64_t)(uintptr_t)(user + 300), 700}};
	struct uio uio;

	(void)state;
	assert_int_equal(uio_init(&uio, iov, 3, UIO_WRITE, &vm), 0);
	kv[0] = (struct kvec){kernel, 100};
	kv[1] = (struct kvec){kernel + 100, 100};
	assert_int_equal(uiomovev(kv, 2, &uio), 0);
	assert_int_equal(pk.calls, 1);
	kv[0] = (struct kvec){kernel + 200, 200}; /* crosses into the next range */
	assert_int_equal(uiomovev(kv, 1, &uio), 0);
	assert_int_equal(pk.calls, 3);
	for (unsigned i = 0; i < 600; i++)
		kv[i] = (struct kvec){kernel + 400 + i, 1};
	assert_int_equal(uiomovev(kv, 600, &uio), 0); /* more pieces than one call takes */
	assert_int_equal(pk.calls, 6);
	assert_int_equal(pk.pieces_most, KVEC_MAX);
	assert_int_equal(uio.uio_resid, 0);
	assert_int_equal(ns->ns_copystat.cs_copyins, 6);
	assert_int_equal(ns->ns_copystat.cs_copyin_bytes, 1000);
	test_netstack_end(ns);
}

static void
an_error_tells_how_far_it_came(void **state)
{
	struct netstack *ns = test_netstack();
	struct picky pk = {.fail_at = 2};
	struct vmspace vm = {.vm_engine = &picky_engine, .vm_ns = ns, .vm_ctx = &pk};
	uint8_t user[64] = {0};
	uint8_t kernel[64];
	const struct bsd_iovec iov[] = {{(uint64_t)(uintptr_t)user, 24},
	    {(uint64_t)(uintptr_t)(user + 24), 40}};
	struct uio uio;

	(void)state;
	assert_int_equal(uio_init(&uio, iov, 2, UIO_WRITE, &vm), 0);
	assert_int_equal(uiomove(kernel, 64, &uio), BSD_EFAULT);
	assert_int_equal(uio.uio_resid, 40);
	assert_int_equal(ns->ns_copystat.cs_copyin_bytes, 24);
	test_netstack_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_vectors_keep_every_byte),
	    cmocka_unit_test(lengths_that_overflow_are_refused),
	    cmocka_unit_test(strings_end_in_time),
	    cmocka_unit_test(one_engine_call_for_each_range),
	    cmocka_unit_test(an_error_tells_how_far_it_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
