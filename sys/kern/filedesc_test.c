/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables: lowest numbers, limits, sharing, and files closed under their users. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/netstack.h"
#include "kern/syscall_testutil.h"
#include "kern/testutil.h"

struct world {
	struct netstack *w_ns;
	struct proc *w_p;
	struct fakefile w_ff;
	int w_fd;
};

static int
setup(void **state)
{
	static struct world w;

	w.w_ns = test_netstack();
	w.w_p = test_proc(w.w_ns);
	w.w_fd = fakefile_open(w.w_p, &w.w_ff);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	if (w->w_p != NULL)
		proc_exit(w->w_p);
	assert_int_equal(w->w_ff.ff_nclosed, 1);
	test_netstack_end(w->w_ns);
	return 0;
}

static int64_t
dup_fd(struct world *w, int fd)
{
	return testcall_value(w->w_p, TC_CALL(BSD_SYS_dup, TC_ARG(fd)));
}

static int
close_fd(struct world *w, int fd)
{
	return testcall_error(w->w_p, TC_CALL(BSD_SYS_close, TC_ARG(fd)));
}

static void
the_lowest_number_is_handed_out(void **state)
{
	struct world *w = *state;

	assert_int_equal(w->w_fd, 3);
	for (int fd = 4; fd < 200; fd++)
		assert_int_equal(dup_fd(w, w->w_fd), fd);
	assert_int_equal(close_fd(w, 150), 0);
	assert_int_equal(close_fd(w, 7), 0);
	assert_int_equal(close_fd(w, 70), 0);
	assert_int_equal(dup_fd(w, 3), 7);
	assert_int_equal(dup_fd(w, 3), 70);
	assert_int_equal(dup_fd(w, 3), 150);
	assert_int_equal(dup_fd(w, 3), 200);
	assert_int_equal(w->w_p->p_fd.fd_nopen, 198);
	assert_int_equal(w->w_ff.ff_nclosed, 0);
}

static void
bad_numbers_are_ebadf(void **state)
{
	static const int bad[] = {-1, 0, 1, 2, 4, 63, 64, 999, 1024, INT32_MAX, INT32_MIN};
	struct world *w = *state;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(close_fd(w, bad[i]), BSD_EBADF);
		assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_dup, TC_ARG(bad[i]))),
		    BSD_EBADF);
		assert_int_equal(testcall_error(w->w_p,
				     TC_CALL(BSD_SYS_read, TC_ARG(bad[i]), 1, 1)),
		    BSD_EBADF);
		assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_dup2, TC_ARG(bad[i]), 9)),
		    BSD_EBADF);
	}
}

static void
the_limit_is_emfile_and_breaks_nothing(void **state)
{
	struct world *w = *state;
	unsigned n = 1;

	w->w_p->p_fd.fd_limit = 100;
	while (testcall_error(w->w_p, TC_CALL(BSD_SYS_dup, 3)) == 0)
		n++;
	assert_int_equal(n, 97);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_dup, 3)), BSD_EMFILE);
	assert_false(fd_available(&w->w_p->p_fd, 0));
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_dup2, 3, 100)), BSD_EBADF);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_fcntl, 3, BSD_F_DUPFD, 100)),
	    BSD_EINVAL);
	assert_int_equal(close_fd(w, 50), 0);
	assert_true(fd_available(&w->w_p->p_fd, 0));
	assert_false(fd_available(&w->w_p->p_fd, 51));
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_fcntl, 3, BSD_F_DUPFD, 51)),
	    BSD_EMFILE);
	assert_int_equal(dup_fd(w, 3), 50);
	assert_int_equal(close_fd(w, 3), 0);
	assert_int_equal(w->w_ff.ff_nclosed, 0);
}

static void
dup2_replaces_and_onto_itself_does_nothing(void **state)
{
	struct world *w = *state;
	struct fakefile other;
	int fd = fakefile_open(w->w_p, &other);

	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_dup2, 3, 3)), 3);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_dup2, 77, 77)), BSD_EBADF);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_dup2, 3, TC_ARG(fd))), fd);
	assert_int_equal(other.ff_nclosed, 1);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_dup2, 3, 900)), 900);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_dup2, 3, 0)), 0);
	assert_int_equal(close_fd(w, 0), 0);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_dup2, 3, TC_ARG(-1))), BSD_EBADF);
	assert_int_equal(dup_fd(w, 3), 5);
	assert_int_equal(w->w_p->p_fd.fd_slots[3].fd_file->f_ndesc, 4);
	assert_int_equal(w->w_p->p_fd.fd_slots[3].fd_file->f_count, 4);
}

static int64_t
fd_flags(struct world *w, int fd)
{
	return testcall_value(w->w_p, TC_CALL(BSD_SYS_fcntl, TC_ARG(fd), BSD_F_GETFD));
}

static void
exec_closes_what_it_should(void **state)
{
	struct world *w = *state;

	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_dup3, 3, 10, BSD_O_CLOEXEC)), 10);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_dup3, 3, 10, 1)), BSD_EINVAL);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_fcntl, 3, BSD_F_DUPFD_CLOEXEC, 20)),
	    20);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_fcntl, 3, BSD_F_DUPFD, 20)), 21);
	assert_int_equal(fd_flags(w, 3), 0);
	assert_int_equal(fd_flags(w, 10), BSD_FD_CLOEXEC);
	assert_int_equal(fd_flags(w, 20), BSD_FD_CLOEXEC);
	assert_int_equal(fd_flags(w, 21), 0);
	testcall_value(w->w_p, TC_CALL(BSD_SYS_fcntl, 20, BSD_F_SETFD, 0));
	testcall_value(w->w_p, TC_CALL(BSD_SYS_ioctl, 21, BSD_FIOCLEX));
	assert_int_equal(fd_flags(w, 21), BSD_FD_CLOEXEC);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_ioctl, 22, BSD_FIOCLEX)),
	    BSD_EBADF);
	proc_exec(w->w_p, "new");
	assert_int_equal(w->w_p->p_fd.fd_nopen, 2); /* 3 and 20 */
	assert_int_equal(close_fd(w, 10), BSD_EBADF);
	assert_int_equal(dup_fd(w, 20), 4);
}

static void
nonblocking_goes_through_to_the_object(void **state)
{
	struct world *w = *state;
	int on = 1;
	int off = 0;

	testcall_value(w->w_p, TC_CALL(BSD_SYS_fcntl, 3, BSD_F_SETFL, BSD_O_NONBLOCK));
	assert_true(w->w_ff.ff_nonblock);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_fcntl, 3, BSD_F_GETFL)),
	    BSD_O_RDWR | BSD_O_NONBLOCK);
	testcall_value(w->w_p, TC_CALL(BSD_SYS_ioctl, 3, BSD_FIONBIO, TC_ARG(&off)));
	assert_false(w->w_ff.ff_nonblock);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_fcntl, 3, BSD_F_GETFL)),
	    BSD_O_RDWR);
	testcall_value(w->w_p, TC_CALL(BSD_SYS_ioctl, 3, BSD_FIONBIO, TC_ARG(&on)));
	assert_true(w->w_ff.ff_nonblock);
	testcall_value(w->w_p, TC_CALL(BSD_SYS_ioctl, 3, BSD_FIOASYNC, TC_ARG(&off)));
	assert_int_equal(testcall_error(w->w_p,
			     TC_CALL(BSD_SYS_ioctl, 3, BSD_FIOASYNC, TC_ARG(&on))),
	    BSD_EOPNOTSUPP);
	assert_int_equal(testcall_error(w->w_p,
			     TC_CALL(BSD_SYS_fcntl, 3, BSD_F_SETFL, BSD_O_ASYNC)),
	    BSD_EOPNOTSUPP);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_fcntl, 3, 99)), BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_ioctl, 3, 0x40000000u, 0)),
	    BSD_ENOTTY);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_ioctl, 3, 0x9fff6601u, 0)),
	    BSD_ENOTTY);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_ioctl, 3, BSD_FIONBIO, 0)),
	    BSD_EFAULT);
}

static void
fork_shares_files(void **state)
{
	struct world *w = *state;
	struct proc *child;

	testcall_value(w->w_p, TC_CALL(BSD_SYS_dup3, 3, 9, BSD_O_CLOEXEC));
	assert_int_equal(proc_fork(w->w_p, &child), 0);
	testcall_value(child, TC_CALL(BSD_SYS_fcntl, 3, BSD_F_SETFL, BSD_O_NONBLOCK));
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_fcntl, 9, BSD_F_GETFL)),
	    BSD_O_RDWR | BSD_O_NONBLOCK);
	assert_int_equal(testcall_value(child, TC_CALL(BSD_SYS_fcntl, 9, BSD_F_GETFD)),
	    BSD_FD_CLOEXEC);
	assert_int_equal(close_fd(w, 3), 0);
	assert_int_equal(close_fd(w, 9), 0);
	assert_int_equal(w->w_ff.ff_nclosed, 0);
	proc_exec(child, "child");
	proc_exit(child);
	assert_int_equal(w->w_ff.ff_nclosed, 1);
}

static void
closing_wakes_those_who_sleep_in_it(void **state)
{
	struct world *w = *state;
	struct testcall reads[3];
	uint8_t byte;

	for (unsigned i = 0; i < 3; i++) {
		reads[i] = TC_CALL(BSD_SYS_read, 3, TC_ARG(&byte), 1);
		testcall_start(w->w_p, &reads[i]);
		assert_false(reads[i].tc_done);
	}
	assert_int_equal(dup_fd(w, 3), 4);
	assert_int_equal(close_fd(w, 3), 0); /* another descriptor is left: nothing happens */
	assert_false(reads[0].tc_done);
	assert_int_equal(close_fd(w, 4), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(reads[i].tc_done);
		assert_int_equal(reads[i].tc_error, BSD_EBADF);
	}
	assert_int_equal(w->w_ff.ff_nclosed, 1);
	assert_int_equal(w->w_ns->ns_filepool.pl_nout, 0);
}

/* A read, and then a sleep without the file, as for room in the queue of answers. */
struct readthensleep {
	struct testcall rs_call;
	struct waitq rs_wait;
	int rs_error;
};

static void
read_then_sleep(struct lwp *l, void *arg)
{
	struct readthensleep *rs = arg;

	rs->rs_call.tc_error = syscall_invoke(l, sysent_find(BSD_SYS_read), rs->rs_call.tc_args,
	    rs->rs_call.tc_retval);
	rs->rs_error = tsleep(l->l_ns, &rs->rs_wait, "after", 0);
}

static void
the_answer_of_an_interrupted_read_may_wait(void **state)
{
	struct world *w = *state;
	struct readthensleep rs = {.rs_call = TC_CALL(BSD_SYS_read, 3, 1, 1), .rs_error = -1};

	waitq_init(&rs.rs_wait);
	lwp_run(lwp_start(w->w_p, read_then_sleep, &rs));
	assert_int_equal(close_fd(w, 3), 0);
	assert_int_equal(rs.rs_call.tc_error, BSD_EBADF);
	assert_int_equal(rs.rs_error, -1);
	wakeup(&rs.rs_wait);
	lwp_run_all(w->w_ns);
	assert_int_equal(rs.rs_error, 0);
}

static void
a_killed_client_never_sleeps_again(void **state)
{
	struct world *w = *state;
	struct readthensleep rs = {.rs_call = TC_CALL(BSD_SYS_read, 3, 1, 1), .rs_error = -1};

	waitq_init(&rs.rs_wait);
	lwp_run(lwp_start(w->w_p, read_then_sleep, &rs));
	proc_exit(w->w_p);
	w->w_p = NULL;
	netstack_run(w->w_ns);
	assert_int_equal(rs.rs_call.tc_error, BSD_EINTR);
	assert_int_equal(rs.rs_error, BSD_EINTR); /* gone for good: nothing may wait */
}

static void
a_killed_client_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct testcall rd = TC_CALL(BSD_SYS_read, 3, 1, 1);

	testcall_start(w->w_p, &rd);
	proc_exit(w->w_p);
	w->w_p = NULL;
	assert_int_equal(w->w_ff.ff_nclosed, 0); /* its call has not ended yet */
	netstack_run(w->w_ns);
	assert_int_equal(rd.tc_error, BSD_EINTR);
	assert_int_equal(w->w_ff.ff_nclosed, 1);
	assert_int_equal(w->w_ns->ns_procpool.pl_nout, 0);
}

static void
no_file_left_is_enfile(void **state)
{
	struct world *w = *state;
	struct file *fp;

	pool_setlimit(&w->w_ns->ns_filepool, 1);
	assert_int_equal(file_alloc(w->w_ns, DTYPE_SOCKET, &socketops, NULL, &fp), BSD_ENFILE);
}

static void
reads_and_writes_reach_the_file(void **state)
{
	struct world *w = *state;
	uint8_t bytes[8] = {0};
	struct bsd_iovec iov[1025] = {{TC_ARG(bytes), 2}, {0, 0}, {TC_ARG(bytes + 4), 2}};

	w->w_ff.ff_events = BSD_POLLRDNORM;
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_read, 3, TC_ARG(bytes), 3)), 3);
	assert_int_equal(bytes[2], 'r');
	assert_int_equal(bytes[3], 0);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_readv, 3, TC_ARG(iov), 3)), 4);
	assert_int_equal(bytes[5], 'r');
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_readv, 3, TC_ARG(iov), 1024)), 4);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_writev, 3, TC_ARG(iov), 3)), 3);
	assert_int_equal(testcall_value(w->w_p, TC_CALL(BSD_SYS_write, 3, TC_ARG(bytes), 8)), 3);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_readv, 3, TC_ARG(iov), 1025)),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_readv, 3, TC_ARG(iov), TC_ARG(-1))),
	    BSD_EINVAL);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_readv, 3, 0, 1)), BSD_EFAULT);
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_read, 3, 0, 1)), BSD_EFAULT);
	assert_int_equal(testcall_error(w->w_p,
			     TC_CALL(BSD_SYS_write, 3, TC_ARG(bytes), 1ull << 63)),
	    BSD_EINVAL);
	iov[1].iov_len = INT64_MAX;
	assert_int_equal(testcall_error(w->w_p, TC_CALL(BSD_SYS_writev, 3, TC_ARG(iov), 3)),
	    BSD_EINVAL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(the_lowest_number_is_handed_out),
	    T(bad_numbers_are_ebadf),
	    T(the_limit_is_emfile_and_breaks_nothing),
	    T(dup2_replaces_and_onto_itself_does_nothing),
	    T(exec_closes_what_it_should),
	    T(nonblocking_goes_through_to_the_object),
	    T(fork_shares_files),
	    T(closing_wakes_those_who_sleep_in_it),
	    T(the_answer_of_an_interrupted_read_may_wait),
	    T(a_killed_client_never_sleeps_again),
	    T(a_killed_client_leaves_nothing),
	    T(no_file_left_is_enfile),
	    T(reads_and_writes_reach_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
