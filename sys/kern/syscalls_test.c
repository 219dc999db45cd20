/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of system calls, and the calls that touch no file: getpid, reboot, __sysctl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/netstack.h"
#include "kern/sysctl.h"
#include "kern/syscall_testutil.h"
#include "kern/testutil.h"

struct world {
	struct netstack *w_ns;
	struct proc *w_p;
	int w_signo;
	int w_how;
};

static void
raise_noted(void *door, int signo)
{
	((struct world *)door)->w_signo = signo;
}

static void
reboot_noted(void *arg, int how)
{
	((struct world *)arg)->w_how = how;
}

static int
setup(void **state)
{
	static struct world w;

	w = (struct world){.w_ns = test_netstack()};
	w.w_p = test_proc(w.w_ns);
	w.w_p->p_door = &w;
	w.w_p->p_raise = raise_noted;
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	proc_exit(w->w_p);
	test_netstack_end(w->w_ns);
	return 0;
}

static void
the_table_knows_its_numbers(void **state)
{
	unsigned present = 0;
	unsigned absent = 0;

	(void)state;
	for (int n = -5; n < 1000; n++) {
		const struct sysent *sy = sysent_find(n);

		if (sy == NULL)
			continue;
		assert_int_equal(sy->sy_number, n);
		assert_non_null(sy->sy_name);
		assert_int_equal(sy->sy_absent, sy->sy_call == NULL);
		assert_true(sy->sy_argc <= SYSCALL_MAXARGS);
		present += !sy->sy_absent;
		absent += sy->sy_absent;
	}
	assert_int_equal(present, 32);
	assert_int_equal(absent, 9);
	assert_null(sysent_find(900));
	assert_null(sysent_find(5));
	assert_null(sysent_find(INT32_MIN));
	assert_null(sysent_find(INT32_MAX));
	assert_string_equal(sysent_find(394)->sy_name, "socket");
	assert_int_equal(sysent_find(29)->sy_argc, 6);
}

static void
an_absent_call_raises_sigsys(void **state)
{
	struct world *w = *state;

	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_kqueue, 0)), BSD_ENOSYS);
	assert_int_equal(w->w_signo, BSD_SIGSYS);
	w->w_p->p_raise = NULL;
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_pipe, 0)), BSD_ENOSYS);
}

static void
results_start_at_zero(void **state)
{
	struct world *w = *state;
	struct testcall tc = TC_CALL(BSD_SYS_close, 999);

	tc.tc_retval[0] = tc.tc_retval[1] = -7;
	assert_int_equal(testcall_run(w->w_p, &tc), BSD_EBADF);
	assert_int_equal(tc.tc_retval[0], 0);
	assert_int_equal(tc.tc_retval[1], 0);
	tc = TC_CALL(BSD_SYS_getpid, 0);
	assert_int_equal(testcall_run(w->w_p, &tc), 0);
	assert_int_equal(tc.tc_retval[0], 2);
	assert_int_equal(tc.tc_retval[1], 1);
}

static void
only_the_low_half_of_an_int_counts(void **state)
{
	struct world *w = *state;
	struct fakefile ff;
	uint64_t fd = (uint64_t)fakefile_open(w->w_p, &ff);

	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_close, fd | 0xabcdull << 32)), 0);
	assert_int_equal(ff.ff_nclosed, 1);
}

static void
reboot_asks_the_owner(void **state)
{
	struct world *w = *state;

	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_reboot, 8)), BSD_EPERM);
	w->w_ns->ns_reboot = reboot_noted;
	w->w_ns->ns_rebootarg = w;
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_reboot, 8)), 0);
	assert_int_equal(w->w_how, 8);
}

#define SYSCTL(...) TC_CALL(BSD_SYS___sysctl, __VA_ARGS__)

/* The number of a variable, in oid. Returns the errno. */
static int
find(struct world *w, const char *name, int32_t oid[2])
{
	static const int32_t meta[] = {RUMPUS_CTL_META, RUMPUS_CTL_META_FIND};
	uint64_t oidlen = 2 * sizeof(oid[0]);

	return testcall_error(w->w_p,
	    SYSCTL(TC_ARG(meta), 2, TC_ARG(oid), TC_ARG(&oidlen), TC_ARG(name), strlen(name)));
}

static void
sysctl_by_name(void **state)
{
	struct world *w = *state;
	int32_t oid[2];
	uint32_t value = 0;
	uint64_t len = sizeof(value);
	uint32_t set = 4096;
	uint32_t bad = 3000;

	assert_int_equal(find(w, "kern.mbuf.mclbytes", oid), 0);
	assert_int_equal(oid[0], RUMPUS_CTL_VALUE);
	assert_int_equal(testcall_error(w->w_p,
			     SYSCTL(TC_ARG(oid), 2, TC_ARG(&value), TC_ARG(&len), TC_ARG(&set),
				 sizeof(set))),
	    0);
	assert_int_equal(value, 2048); /* the old one */
	assert_int_equal(len, 4);
	assert_int_equal(w->w_ns->ns_mclbytes, 4096);
	assert_int_equal(testcall_error(w->w_p,
			     SYSCTL(TC_ARG(oid), 2, 0, 0, TC_ARG(&bad), sizeof(bad))),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, SYSCTL(TC_ARG(oid), 2, 0, 0, TC_ARG(&set), 8)),
	    BSD_EINVAL);
	assert_int_equal(w->w_ns->ns_mclbytes, 4096);
	assert_int_equal(find(w, "kern.nothing", oid), BSD_ENOENT);
	assert_int_equal(find(w, "", oid), BSD_EINVAL);
}

static void
sysctl_sizes(void **state)
{
	struct world *w = *state;
	int32_t oid[2];
	uint8_t value[8] = {0};
	uint64_t len = 0;

	assert_int_equal(find(w, "kern.mbuf.mclnum", oid), 0);
	assert_int_equal(testcall_error(w->w_p, SYSCTL(TC_ARG(oid), 2, 0, TC_ARG(&len))), 0);
	assert_int_equal(len, 4);
	len = 1;
	assert_int_equal(testcall_error(w->w_p,
			     SYSCTL(TC_ARG(oid), 2, TC_ARG(value), TC_ARG(&len))),
	    BSD_ENOMEM);
	assert_int_equal(len, 4);
	assert_int_equal(value[0], w->w_ns->ns_mclnum);
	assert_int_equal(value[1], 0);
	len = UINT64_MAX;
	assert_int_equal(testcall_error(w->w_p,
			     SYSCTL(TC_ARG(oid), 2, TC_ARG(value), TC_ARG(&len))),
	    0);
	assert_int_equal(len, 4);
	assert_int_equal(testcall_error(w->w_p, SYSCTL(TC_ARG(oid), 1)), BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, SYSCTL(TC_ARG(oid), 13)), BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, SYSCTL(0, 2)), BSD_EFAULT);
	oid[1] = -1;
	assert_int_equal(testcall_error(w->w_p, SYSCTL(TC_ARG(oid), 2)), BSD_ENOENT);
	oid[1] = 1000000;
	assert_int_equal(testcall_error(w->w_p, SYSCTL(TC_ARG(oid), 2)), BSD_ENOENT);
	oid[0] = 9;
	assert_int_equal(testcall_error(w->w_p, SYSCTL(TC_ARG(oid), 2)), BSD_ENOENT);
}

/* A text that nobody is told. */
static void
sysctl_secret(void **state)
{
	static const struct sysctl_node node = {"t.secret", "a secret", SYSCTL_STRING, true, 0, 8,
	    0, 0, NULL, true};
	struct world *w = *state;
	struct sysctl_table st;
	int32_t oid[2];
	char secret[8] = "sesame", value[8] = "seven c";
	uint64_t len = sizeof(value);

	sysctl_register(w->w_ns, &st, &node, 1, secret);
	assert_int_equal(find(w, "t.secret", oid), 0);
	assert_int_equal(testcall_error(w->w_p,
			     SYSCTL(TC_ARG(oid), 2, TC_ARG(value), TC_ARG(&len))),
	    0);
	assert_int_equal(len, 1);
	assert_string_equal(value, "");
	assert_int_equal(testcall_error(w->w_p, SYSCTL(TC_ARG(oid), 2, 0, 0, TC_ARG("open"), 4)),
	    0);
	assert_string_equal(secret, "open");
	sysctl_unregister(w->w_ns, &st);
}

static void
every_name_is_found_by_its_number(void **state)
{
	struct world *w = *state;
	int32_t meta[3] = {RUMPUS_CTL_META, RUMPUS_CTL_META_NAME, 0};
	int32_t oid[2];
	char name[128];
	uint64_t len = sizeof(name);

	while (testcall_error(w->w_p, SYSCTL(TC_ARG(meta), 3, TC_ARG(name), TC_ARG(&len))) == 0) {
		assert_int_equal(strlen(name) + 1, len);
		assert_int_equal(find(w, name, oid), 0);
		assert_int_equal(oid[1], meta[2]);
		len = sizeof(name);
		meta[2]++;
	}
	assert_true(meta[2] > 5);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(the_table_knows_its_numbers),
	    T(an_absent_call_raises_sigsys),
	    T(results_start_at_zero),
	    T(only_the_low_half_of_an_int_counts),
	    T(reboot_asks_the_owner),
	    T(sysctl_by_name),
	    T(sysctl_sizes),
	    T(sysctl_secret),
	    T(every_name_is_found_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
