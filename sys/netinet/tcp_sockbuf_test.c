/* SPDX-License-Identifier: BSD-2-Clause */
/* Send buffers grow with what the path carries, however their writer fills them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "kern/lwp.h"
#include "kern/netstack.h"
#include "kern/proc.h"
#include "netinet/tcp_wire_testutil.h"

#define START_NS 1000000000ull
#define MINUTE_NS (60 * 1000000000ull)
#define TOTAL (8u << 20)

struct transfer {
	struct socket *tr_so[2];
	size_t tr_got;
};

/* A program that writes all in one call, and sleeps in it. */
static void
writer(struct lwp *l, void *arg)
{
	struct transfer *tr = arg;
	uint8_t *bytes = calloc(1, TOTAL);
	struct bsd_iovec iov = {.iov_base = (uint64_t)(uintptr_t)bytes, .iov_len = TOTAL};
	struct uio uio;

	assert_non_null(bytes);
	assert_int_equal(uio_init(&uio, &iov, 1, UIO_WRITE, &l->l_proc->p_vm), 0);
	assert_int_equal(sosend(tr->tr_so[0], NULL, &uio, NULL, NULL, 0), 0);
	free(bytes);
}

static bool
all_read(void *arg)
{
	static uint8_t buf[65536];
	struct transfer *tr = arg;
	bool eof = false;
	size_t n;

	while ((n = wire_read(tr->tr_so[1], buf, sizeof(buf), &eof)) > 0)
		tr->tr_got += n;
	return tr->tr_got == TOTAL;
}

/*
 * One that fills 64 KiB at a time waits for half the buffer, and so never has it nearly full: it was
 * left with 80 KiB, one fill a round trip.
 */
static void
test_sleeping_writer(void **state)
{
	struct transfer tr = {0};
	struct wire w;
	struct proc *p;

	(void)state;
	wire_start(&w, START_NS);
	w.w_delay_ns = 1000000;
	wire_pair(&w, tr.tr_so);
	w.w_ns[0]->ns_mclbytes = 4096;
	w.w_ns[0]->ns_mclnum = 16;
	assert_int_equal(proc_create(w.w_ns[0], "writer", &copy_engine_direct, NULL, &p), 0);
	assert_non_null(lwp_start(p, writer, &tr));
	assert_true(wire_run_until(&w, MINUTE_NS, all_read, &tr));
	assert_true(tr.tr_so[0]->so_snd.sb_hiwat > 256 * 1024);
	proc_exit(p);
	wire_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sleeping_writer),
	};

	return cmocka_run_group_tests_name("tcp_sockbuf", tests, NULL, NULL);
}
