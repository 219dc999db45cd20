/* SPDX-License-Identifier: BSD-2-Clause */
/* Help for tests of system calls: see syscall_testutil.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/netstack.h"
#include "kern/syscall_testutil.h"
#include "kern/uio.h"

static void
testcall_main(struct lwp *l, void *arg)
{
	struct testcall *tc = arg;

	tc->tc_error = syscall_invoke(l, sysent_find(tc->tc_number), tc->tc_args, tc->tc_retval);
	tc->tc_done = true;
}

void
testcall_start(struct proc *p, struct testcall *tc)
{
	assert_non_null(sysent_find(tc->tc_number));
	tc->tc_done = false;
	tc->tc_lwp = lwp_start(p, testcall_main, tc);
	assert_non_null(tc->tc_lwp);
	netstack_run(p->p_ns);
}

int
testcall_run(struct proc *p, struct testcall *tc)
{
	testcall_start(p, tc);
	assert_true(tc->tc_done);
	return tc->tc_error;
}

int64_t
testcall_value(struct proc *p, struct testcall tc)
{
	assert_int_equal(testcall_run(p, &tc), 0);
	return tc.tc_retval[0];
}

int
testcall_error(struct proc *p, struct testcall tc)
{
	return testcall_run(p, &tc);
}

struct proc *
test_proc(struct netstack *ns)
{
	struct proc *p;

	assert_int_equal(proc_create(ns, "test", &copy_engine_direct, NULL, &p), 0);
	return p;
}

static int
fake_read(struct file *fp, struct uio *uio)
{
	struct fakefile *ff = fp->f_data;
	uint8_t byte = 'r';
	int error;

	while ((ff->ff_events & BSD_POLLRDNORM) == 0) {
		if ((fp->f_flag & BSD_O_NONBLOCK) != 0)
			return BSD_EWOULDBLOCK;
		error = tsleep(fp->f_ns, &ff->ff_wait, "fake", 0);
		if (error != 0)
			return error;
	}
	while (uio->uio_resid > 0) {
		error = uiomove(&byte, 1, uio);
		if (error != 0)
			return error;
	}
	return 0;
}

/* Takes 3 bytes at most. */
static int
fake_write(struct file *fp, struct uio *uio)
{
	uint8_t bytes[3];
	size_t len = uio->uio_resid < sizeof(bytes) ? (size_t)uio->uio_resid : sizeof(bytes);

	(void)fp;
	return uiomove(bytes, len, uio);
}

static int
fake_ioctl(struct file *fp, uint32_t cmd, void *data)
{
	struct fakefile *ff = fp->f_data;
	int on;

	if (cmd != BSD_FIONBIO)
		return BSD_ENOTTY;
	memcpy(&on, data, sizeof(on));
	ff->ff_nonblock = on != 0;
	return 0;
}

static int
fake_poll(struct file *fp, int events, struct selrec *sr, struct waitq *wq)
{
	struct fakefile *ff = fp->f_data;
	int revents = ff->ff_events & (events | BSD_POLLERR | BSD_POLLHUP);

	if (revents == 0 && sr != NULL)
		selrecord(&ff->ff_sel, sr, wq);
	return revents;
}

static int
fake_close(struct file *fp)
{
	struct fakefile *ff = fp->f_data;

	assert_true(waitq_empty(&ff->ff_wait));
	seldestroy(&ff->ff_sel);
	ff->ff_nclosed++;
	return 0;
}

static const struct fileops fakeops = {
    .fo_read = fake_read,
    .fo_write = fake_write,
    .fo_ioctl = fake_ioctl,
    .fo_poll = fake_poll,
    .fo_close = fake_close,
};

int
fakefile_open(struct proc *p, struct fakefile *ff)
{
	struct file *fp;
	int fd;

	memset(ff, 0, sizeof(*ff));
	selinfo_init(&ff->ff_sel);
	waitq_init(&ff->ff_wait);
	/* no socket: the calls on sockets must see that */
	assert_int_equal(file_alloc(p->p_ns, DTYPE_COUNT, &fakeops, ff, &fp), 0);
	assert_int_equal(fd_install(&p->p_fd, fp, 0, false, &fd), 0);
	return fd;
}

void
fakefile_set(struct fakefile *ff, int events)
{
	ff->ff_events = events;
	wakeup(&ff->ff_wait);
	selnotify(&ff->ff_sel);
}
