/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls on descriptors: close, dup, dup2, dup3, fcntl. */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/proc.h"
#include "kern/sys_calls.h"

int
sys_close(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	(void)retval;
	return fd_close(&l->l_proc->p_fd, arg_int(args, 0));
}

/* A second descriptor for fd's file, at min or above. */
static int
dup_above(struct lwp *l, int fd, int min, bool cloexec, int64_t *retval)
{
	struct filedesc *fdp = &l->l_proc->p_fd;
	struct file *fp;
	int newfd;
	int error = fd_hold(fdp, fd, &fp);

	if (error != 0)
		return error;
	error = fd_install(fdp, fp, min, cloexec, &newfd);
	if (error != 0) {
		fd_release(fp);
		return error;
	}
	l->l_file = NULL; /* the reference is the table's now */
	*retval = newfd;
	return 0;
}

/* The same at exactly `to`. */
static int
dup_at(struct lwp *l, int fd, int to, bool cloexec, int64_t *retval)
{
	struct filedesc *fdp = &l->l_proc->p_fd;
	struct file *fp;
	int error = fd_hold(fdp, fd, &fp);

	if (error != 0)
		return error;
	*retval = to;
	if (fd == to) {
		fd_release(fp);
		return 0;
	}
	l->l_file = NULL; /* closing what was at `to` may sleep, but not in fp */
	error = fd_install_at(fdp, fp, to, cloexec);
	if (error != 0)
		fd_release(fp);
	return error;
}

int
sys_dup(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	return dup_above(l, arg_int(args, 0), 0, false, retval);
}

int
sys_dup2(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	return dup_at(l, arg_int(args, 0), arg_int(args, 1), false, retval);
}

int
sys_dup3(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	int flags = arg_int(args, 2);

	if ((flags & ~O_CLOEXEC) != 0)
		return EINVAL;
	return dup_at(l, arg_int(args, 0), arg_int(args, 1), (flags & O_CLOEXEC) != 0, retval);
}

/* F_SETFL: O_NONBLOCK goes to what is behind the file too; O_ASYNC is refused by FIOASYNC. */
static int
file_setfl(struct file *fp, int flags)
{
	int nonblock = (flags & O_NONBLOCK) != 0;
	int error;

	if ((flags & O_ASYNC) != 0)
		return EOPNOTSUPP;
	error = fp->f_ops->fo_ioctl(fp, FIONBIO, &nonblock);
	if (error != 0)
		return error;
	fp->f_flag &= ~(uint32_t)O_NONBLOCK;
	if (nonblock)
		fp->f_flag |= O_NONBLOCK;
	return 0;
}

static int
fcntl_file(struct lwp *l, int fd, int cmd, int arg, int64_t *retval)
{
	struct file *fp;
	int error = fd_hold(&l->l_proc->p_fd, fd, &fp);

	if (error != 0)
		return error;
	switch (cmd) {
	case F_GETFL:
		*retval = fp->f_flag;
		break;
	case F_SETFL:
		error = file_setfl(fp, arg);
		break;
	default:
		error = EINVAL;
		break;
	}
	fd_release(fp);
	return error;
}

int
sys_fcntl(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct filedesc *fdp = &l->l_proc->p_fd;
	int fd = arg_int(args, 0);
	int cmd = arg_int(args, 1);
	int arg = arg_int(args, 2);
	bool cloexec;
	int error;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		error = fd_getcloexec(fdp, fd, &cloexec);
		if (error != 0)
			return error;
		if (arg < 0 || (uint32_t)arg >= fdp->fd_limit)
			return EINVAL;
		return dup_above(l, fd, arg, cmd == F_DUPFD_CLOEXEC, retval);
	case F_GETFD:
		error = fd_getcloexec(fdp, fd, &cloexec);
		if (error == 0)
			*retval = cloexec ? FD_CLOEXEC : 0;
		return error;
	case F_SETFD:
		return fd_setcloexec(fdp, fd, (arg & FD_CLOEXEC) != 0);
	default:
		return fcntl_file(l, fd, cmd, arg, retval);
	}
}
