/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls on any kind of file: read, write, readv, writev, ioctl. */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/proc.h"
#include "kern/sys_calls.h"

#define IOCTL_DATA_MAX 512u /* longest argument that any of our ioctls has, and some */

void *
scratch_get(struct scratch *sc, size_t len)
{
	sc->sc_len = len;
	if (len > sizeof(sc->sc_small)) {
		sc->sc_p = host_alloc(len);
	} else {
		sc->sc_p = sc->sc_small;
		memset(sc->sc_p, 0, len);
	}
	return sc->sc_p;
}

void
scratch_put(struct scratch *sc)
{
	if (sc->sc_p != sc->sc_small)
		host_free(sc->sc_p, sc->sc_len);
	sc->sc_p = NULL;
}

int
iov_copyin(struct lwp *l, uint64_t uiov, unsigned cnt, struct scratch *sc)
{
	size_t len = cnt * sizeof(struct bsd_iovec);

	if (scratch_get(sc, len) == NULL)
		return ENOMEM;
	return copyin(&l->l_proc->p_vm, uiov, sc->sc_p, len);
}

int
uio_result(int error, uint64_t asked, const struct uio *uio, int64_t *retval)
{
	bool stopped = error == ERESTART || error == EINTR || error == EWOULDBLOCK;

	if (stopped && uio->uio_resid != asked)
		error = 0;
	if (error == 0)
		*retval = (int64_t)(asked - uio->uio_resid);
	return error;
}

/* Reads or writes ranges that have been fetched. */
static int
file_rw(struct lwp *l, int fd, struct uio *uio, int64_t *retval)
{
	uint64_t asked = uio->uio_resid;
	struct file *fp;
	int error = fd_hold(&l->l_proc->p_fd, fd, &fp);

	if (error != 0)
		return error;
	if (uio->uio_rw == UIO_READ)
		error = fp->f_ops->fo_read(fp, uio);
	else
		error = fp->f_ops->fo_write(fp, uio);
	fd_release(fp);
	return uio_result(error, asked, uio, retval);
}

static int
rw_one(struct lwp *l, const uint64_t *args, enum uio_rw rw, int64_t *retval)
{
	const struct bsd_iovec iov = {.iov_base = args[1], .iov_len = args[2]};
	struct uio uio;
	int error = uio_init(&uio, &iov, 1, rw, &l->l_proc->p_vm);

	if (error != 0)
		return error;
	return file_rw(l, arg_int(args, 0), &uio, retval);
}

static int
rw_many(struct lwp *l, const uint64_t *args, enum uio_rw rw, int64_t *retval)
{
	uint32_t cnt = arg_u32(args, 2);
	struct scratch sc;
	struct uio uio;
	int error;

	if (cnt > IOV_MAX)
		return EINVAL;
	error = iov_copyin(l, args[1], cnt, &sc);
	if (error == 0)
		error = uio_init(&uio, sc.sc_p, cnt, rw, &l->l_proc->p_vm);
	if (error == 0)
		error = file_rw(l, arg_int(args, 0), &uio, retval);
	scratch_put(&sc);
	return error;
}

int
sys_read(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	return rw_one(l, args, UIO_READ, retval);
}

int
sys_write(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	return rw_one(l, args, UIO_WRITE, retval);
}

int
sys_readv(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	return rw_many(l, args, UIO_READ, retval);
}

int
sys_writev(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	return rw_many(l, args, UIO_WRITE, retval);
}

/* The commands that every file has; the flag of the file and of what is behind it go in step. */
static int
file_ioctl(struct file *fp, uint32_t cmd, void *data)
{
	int on;
	int error;

	if (cmd != FIONBIO && cmd != FIOASYNC)
		return fp->f_ops->fo_ioctl(fp, cmd, data);
	memcpy(&on, data, sizeof(on));
	if (cmd == FIOASYNC) /* nobody would send SIGIO */
		return on != 0 ? EOPNOTSUPP : 0;
	error = fp->f_ops->fo_ioctl(fp, cmd, data);
	if (error != 0)
		return error;
	fp->f_flag = on != 0 ? fp->f_flag | O_NONBLOCK : fp->f_flag & ~(uint32_t)O_NONBLOCK;
	return 0;
}

static int
ioctl_data(struct lwp *l, struct file *fp, uint32_t cmd, uint64_t udata)
{
	struct vmspace *vm = &l->l_proc->p_vm;
	uint32_t len = BSD_IOCPARM_LEN(cmd);
	_Alignas(8) uint8_t data[IOCTL_DATA_MAX];
	int error;

	if (len > sizeof(data))
		return ENOTTY;
	memset(data, 0, sizeof(data));
	if ((cmd & BSD_IOC_IN) != 0) {
		error = copyin(vm, udata, data, len);
		if (error != 0)
			return error;
	}
	error = file_ioctl(fp, cmd, data);
	if (error == 0 && (cmd & BSD_IOC_OUT) != 0)
		error = copyout(vm, data, udata, len);
	return error;
}

int
sys_ioctl(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct filedesc *fdp = &l->l_proc->p_fd;
	int fd = arg_int(args, 0);
	uint32_t cmd = arg_u32(args, 1);
	struct file *fp;
	int error;

	(void)retval;
	if (cmd == FIOCLEX || cmd == FIONCLEX)
		return fd_setcloexec(fdp, fd, cmd == FIOCLEX);
	error = fd_hold(fdp, fd, &fp);
	if (error != 0)
		return error;
	error = ioctl_data(l, fp, cmd, args[2]);
	fd_release(fp);
	return error;
}
