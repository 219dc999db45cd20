/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypercalls on Linux: memory, contexts, clock, seed, log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "host_linux.h"

static void
alloc_is_zeroed_and_aligned(void **state)
{
	static const size_t lens[] = {0, 1, 63, 64, 65, 4096, 256 * 1024 - 1, 256 * 1024, 3 << 20};

	(void)state;
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint8_t *p = host_alloc(lens[i]);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 64, 0);
		for (size_t j = 0; j < lens[i]; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xa5, lens[i]);
		host_free(p, lens[i]);
	}
	host_free(NULL, 17);
	assert_null(host_alloc(SIZE_MAX - 1));
}

struct pair {
	struct host_context *main;
	struct host_context *ctx[2];
	unsigned hops;
	unsigned rounds;
};

/* Passes the turn to the other context, with live data on its own stack. */
static void
hop(void *arg)
{
	struct pair *p = arg;
	unsigned me = p->hops % 2;

	for (unsigned i = 0;; i++) {
		volatile uint8_t mine[512];

		memset((void *)(uintptr_t)mine, (int)(me + i), sizeof(mine));
		if (p->hops++ >= p->rounds)
			host_context_switch(p->ctx[me], p->main);
		else
			host_context_switch(p->ctx[me], p->ctx[!me]);
		for (unsigned j = 0; j < sizeof(mine); j++)
			assert_int_equal(mine[j], (uint8_t)(me + i));
	}
}

static void
contexts_keep_their_stacks(void **state)
{
	struct pair p = {.rounds = 1001, .main = host_context_main()};

	(void)state;
	assert_non_null(p.main);
	p.ctx[0] = host_context_create(64 * 1024, hop, &p);
	p.ctx[1] = host_context_create(64 * 1024, hop, &p);
	assert_non_null(p.ctx[0]);
	assert_non_null(p.ctx[1]);
	host_context_switch(p.main, p.ctx[0]);
	assert_int_equal(p.hops, 1002);
	host_context_destroy(p.ctx[0]);
	host_context_destroy(p.ctx[1]);
	host_context_destroy(p.main);
	host_context_destroy(NULL);
}

static void
once(void *arg)
{
	struct pair *p = arg;

	p->hops++;
	host_context_switch(p->ctx[0], p->main);
}

static void
contexts_are_reused_after_destroy(void **state)
{
	struct pair p = {.main = host_context_main()};

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		p.ctx[0] = host_context_create(64 * 1024, once, &p);
		assert_non_null(p.ctx[0]);
		host_context_switch(p.main, p.ctx[0]);
		host_context_destroy(p.ctx[0]);
	}
	assert_int_equal(p.hops, 200);
	p.ctx[0] = host_context_create(64 * 1024, once, &p);
	host_context_destroy(p.ctx[0]); /* never entered */
	assert_int_equal(p.hops, 200);
	host_context_destroy(p.main);
}

static void
clock_goes_on_and_seeds_differ(void **state)
{
	uint8_t a[32] = {0};
	uint8_t b[32] = {0};
	uint64_t before = host_linux_now_ns();

	(void)state;
	assert_int_equal(host_linux_seed(a), 0);
	assert_int_equal(host_linux_seed(b), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(host_linux_now_ns() >= before);
	assert_true(before > 0);
}

/* What host_log(level, text) writes. */
static size_t
logged(enum host_log_level level, const char *text, char *out, size_t size)
{
	int fds[2];
	int saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	host_log(level, text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	n = read(fds[0], out, size);
	close(fds[0]);
	assert_true(n >= 0);
	return (size_t)n;
}

static void
log_writes_one_line(void **state)
{
	char out[4096];
	char big[3000];
	size_t n;

	(void)state;
	host_log_set_prefix("it");
	n = logged(HOST_LOG_WARN, "rains", out, sizeof(out));
	assert_int_equal(n, 10);
	assert_memory_equal(out, "it: rains\n", 10);
	assert_int_equal(logged(HOST_LOG_DEBUG, "drop", out, sizeof(out)), 0);
	host_log_set_level(HOST_LOG_DEBUG);
	assert_int_equal(logged(HOST_LOG_DEBUG, "drop", out, sizeof(out)), 9);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	n = logged(HOST_LOG_ERR, big, out, sizeof(out));
	assert_true(n > 512 && n < sizeof(big));
	assert_int_equal(out[n - 1], '\n');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(alloc_is_zeroed_and_aligned),
	    cmocka_unit_test(contexts_keep_their_stacks),
	    cmocka_unit_test(contexts_are_reused_after_destroy),
	    cmocka_unit_test(clock_goes_on_and_seeds_differ),
	    cmocka_unit_test(log_writes_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
