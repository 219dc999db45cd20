/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables and the life of open files: see filedesc.h. */
#include "kern/filedesc.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/proc.h"

int
filedesc_init(struct filedesc *fdp, uint32_t limit)
{
	memset(fdp, 0, sizeof(*fdp));
	fdp->fd_limit = limit;
	fdp->fd_hint = FD_FIRST;
	return 0;
}

/* Makes slot `fd` exist. => fd < fd_limit. */
static int
fd_grow(struct filedesc *fdp, uint32_t fd)
{
	struct fdslot *slots;
	uint32_t n;

	if (fd < fdp->fd_nslots)
		return 0;
	n = KERN_MAX(FD_INITIAL, fdp->fd_nslots);
	while (n <= fd)
		n *= 2;
	n = KERN_MIN(n, fdp->fd_limit);
	slots = host_alloc(n * sizeof(*slots));
	if (slots == NULL)
		return EMFILE;
	if (fdp->fd_nslots > 0)
		memcpy(slots, fdp->fd_slots, fdp->fd_nslots * sizeof(*slots));
	host_free(fdp->fd_slots, fdp->fd_nslots * sizeof(*slots));
	fdp->fd_slots = slots;
	fdp->fd_nslots = n;
	return 0;
}

int
filedesc_copy(struct netstack *ns, const struct filedesc *from, struct filedesc *to)
{
	(void)ns;
	filedesc_init(to, from->fd_limit);
	if (from->fd_nslots == 0)
		return 0;
	to->fd_slots = host_alloc(from->fd_nslots * sizeof(*to->fd_slots));
	if (to->fd_slots == NULL)
		return ENOMEM;
	memcpy(to->fd_slots, from->fd_slots, from->fd_nslots * sizeof(*to->fd_slots));
	to->fd_nslots = from->fd_nslots;
	to->fd_nopen = from->fd_nopen;
	to->fd_hint = from->fd_hint;
	for (uint32_t i = 0; i < to->fd_nslots; i++) {
		struct file *fp = to->fd_slots[i].fd_file;

		if (fp != NULL) {
			fp->f_count++;
			fp->f_ndesc++;
		}
	}
	return 0;
}

void
filedesc_fini(struct filedesc *fdp)
{
	for (uint32_t i = 0; i < fdp->fd_nslots && fdp->fd_nopen > 0; i++) {
		if (fdp->fd_slots[i].fd_file != NULL)
			fd_close(fdp, (int)i);
	}
	host_free(fdp->fd_slots, fdp->fd_nslots * sizeof(*fdp->fd_slots));
	memset(fdp, 0, sizeof(*fdp));
}

void
filedesc_closeexec(struct filedesc *fdp)
{
	for (uint32_t i = 0; i < fdp->fd_nslots; i++) {
		if (fdp->fd_slots[i].fd_file != NULL && fdp->fd_slots[i].fd_cloexec)
			fd_close(fdp, (int)i);
	}
}

int
file_alloc(struct netstack *ns, enum file_type type, const struct fileops *ops, void *data,
    struct file **fpp)
{
	struct file *fp = pool_get_zeroed(&ns->ns_filepool);

	if (fp == NULL)
		return ENFILE;
	fp->f_type = type;
	fp->f_flag = O_RDWR;
	fp->f_count = 1;
	fp->f_ops = ops;
	fp->f_data = data;
	fp->f_ns = ns;
	*fpp = fp;
	return 0;
}

/* Gives one reference up. */
static int
file_unref(struct file *fp)
{
	int error;

	KASSERT(fp->f_count > 0);
	if (--fp->f_count > 0)
		return 0;
	error = fp->f_ops->fo_close(fp);
	pool_put(&fp->f_ns->ns_filepool, fp);
	return error;
}

/* The last descriptor is gone: calls that still sleep in fp must end. */
static void
file_interrupt(struct file *fp)
{
	struct lwp *me = lwp_current(fp->f_ns);
	struct proc *p;
	struct lwp *l;

	TAILQ_FOREACH(p, &fp->f_ns->ns_procs, p_list) {
		LIST_FOREACH(l, &p->p_lwps, l_siblings) {
			if (l->l_file == fp && l != me && l->l_interrupted == 0)
				lwp_interrupt(l, EBADF);
		}
	}
}

/* One descriptor of fp is gone. */
static int
file_undesc(struct file *fp)
{
	KASSERT(fp->f_ndesc > 0);
	if (--fp->f_ndesc == 0 && fp->f_count > 1)
		file_interrupt(fp);
	return file_unref(fp);
}

/* The lowest free number >= min, which may be fd_limit: none. */
static uint32_t
fd_lowest(struct filedesc *fdp, int min)
{
	uint32_t fd = KERN_MAX((uint32_t)KERN_MAX(min, FD_FIRST), fdp->fd_hint);

	while (fd < fdp->fd_nslots && fdp->fd_slots[fd].fd_file != NULL)
		fd++;
	if ((uint32_t)KERN_MAX(min, 0) <= fdp->fd_hint)
		fdp->fd_hint = fd;
	return KERN_MIN(fd, fdp->fd_limit);
}

bool
fd_available(struct filedesc *fdp, int min)
{
	return fd_lowest(fdp, min) < fdp->fd_limit;
}

static void
fd_enter(struct filedesc *fdp, struct file *fp, uint32_t fd, bool cloexec)
{
	fdp->fd_slots[fd].fd_file = fp;
	fdp->fd_slots[fd].fd_cloexec = cloexec;
	fdp->fd_nopen++;
	fp->f_ndesc++;
}

int
fd_install(struct filedesc *fdp, struct file *fp, int min, bool cloexec, int *fdp_out)
{
	uint32_t fd = fd_lowest(fdp, min);

	if (fd >= fdp->fd_limit || fd_grow(fdp, fd) != 0)
		return EMFILE;
	fd_enter(fdp, fp, fd, cloexec);
	*fdp_out = (int)fd;
	return 0;
}

/* Empties a slot. */
static struct file *
fd_leave(struct filedesc *fdp, uint32_t fd)
{
	struct file *fp = fdp->fd_slots[fd].fd_file;

	if (fp == NULL)
		return NULL;
	fdp->fd_slots[fd].fd_file = NULL;
	fdp->fd_slots[fd].fd_cloexec = false;
	fdp->fd_nopen--;
	if (fd >= FD_FIRST && fd < fdp->fd_hint)
		fdp->fd_hint = fd;
	return fp;
}

int
fd_install_at(struct filedesc *fdp, struct file *fp, int fd, bool cloexec)
{
	struct file *old;
	int error;

	if (fd < 0 || (uint32_t)fd >= fdp->fd_limit)
		return EBADF;
	error = fd_grow(fdp, (uint32_t)fd);
	if (error != 0)
		return error;
	old = fd_leave(fdp, (uint32_t)fd);
	fd_enter(fdp, fp, (uint32_t)fd, cloexec);
	if (old != NULL)
		(void)file_undesc(old); /* its error has nobody to go to, as with dup2 anywhere */
	return 0;
}

static struct fdslot *
fd_slot(const struct filedesc *fdp, int fd)
{
	if (fd < 0 || (uint32_t)fd >= fdp->fd_nslots || fdp->fd_slots[fd].fd_file == NULL)
		return NULL;
	return &fdp->fd_slots[fd];
}

int
fd_hold(struct filedesc *fdp, int fd, struct file **fpp)
{
	struct fdslot *slot = fd_slot(fdp, fd);
	struct lwp *l;

	if (slot == NULL)
		return EBADF;
	*fpp = slot->fd_file;
	(*fpp)->f_count++;
	l = lwp_current((*fpp)->f_ns);
	if (l != NULL)
		l->l_file = *fpp;
	return 0;
}

void
fd_release(struct file *fp)
{
	struct lwp *l = lwp_current(fp->f_ns);

	if (l != NULL && l->l_file == fp) {
		l->l_file = NULL;
		/* The end of the file is not the end of the call: its answer may have to wait. */
		if (l->l_interrupted == EBADF)
			l->l_interrupted = 0;
	}
	(void)file_unref(fp);
}

int
fd_close(struct filedesc *fdp, int fd)
{
	if (fd_slot(fdp, fd) == NULL)
		return EBADF;
	return file_undesc(fd_leave(fdp, (uint32_t)fd));
}

int
fd_getcloexec(const struct filedesc *fdp, int fd, bool *cloexecp)
{
	struct fdslot *slot = fd_slot(fdp, fd);

	if (slot == NULL)
		return EBADF;
	*cloexecp = slot->fd_cloexec;
	return 0;
}

int
fd_setcloexec(struct filedesc *fdp, int fd, bool cloexec)
{
	struct fdslot *slot = fd_slot(fdp, fd);

	if (slot == NULL)
		return EBADF;
	slot->fd_cloexec = cloexec;
	return 0;
}
