/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor tables: struct file is an open object, shared by dup and fork; struct filedesc is a
 * process' table of them.
 */
#ifndef KERN_FILEDESC_H
#define KERN_FILEDESC_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/queue.h"
#include "kern/select.h"

struct file;
struct lwp;
struct netstack;
struct proc;
struct uio;

/* Each may sleep where the object does, but not when f_flag has BSD_O_NONBLOCK. */
struct fileops {
	int (*fo_read)(struct file *fp, struct uio *uio);
	int (*fo_write)(struct file *fp, struct uio *uio);
	int (*fo_ioctl)(struct file *fp, uint32_t cmd, void *data);
	/* Events that hold now; when none does and sr is not NULL, records sr for a wake-up. */
	int (*fo_poll)(struct file *fp, int events, struct selrec *sr, struct waitq *wq);
	int (*fo_close)(struct file *fp);
};

enum file_type { DTYPE_SOCKET, DTYPE_COUNT };

/*
 * fo_close is called once, when neither descriptors nor calls hold the file. When the last
 * descriptor goes while calls sleep in it, they are interrupted with EBADF, so it follows soon.
 */
struct file {
	enum file_type f_type;
	uint32_t f_flag;  /* BSD_O_* */
	uint32_t f_count; /* descriptors and calls in progress that hold it */
	uint32_t f_ndesc; /* descriptors only */
	const struct fileops *f_ops;
	void *f_data;
	struct netstack *f_ns;
};

#define FD_INITIAL 64u
#define FD_FIRST 3 /* lowest descriptor handed out, as the original does */

struct fdslot {
	struct file *fd_file;
	bool fd_cloexec;
};

struct filedesc {
	struct fdslot *fd_slots;
	uint32_t fd_nslots;
	uint32_t fd_nopen;
	uint32_t fd_hint;  /* no slot below is free, except below FD_FIRST */
	uint32_t fd_limit; /* EMFILE beyond */
};

int filedesc_init(struct filedesc *fdp, uint32_t limit);
/* Shares every open file with the copy, as after fork. => ENOMEM. */
int filedesc_copy(struct netstack *ns, const struct filedesc *from, struct filedesc *to);
/* Closes what is open. May sleep (linger) only in an lwp. */
void filedesc_fini(struct filedesc *fdp);
void filedesc_closeexec(struct filedesc *fdp);

/* A new file with one reference, not yet in a table. => ENFILE. */
int file_alloc(struct netstack *ns, enum file_type type, const struct fileops *ops, void *data,
    struct file **fpp);
/* Enters fp at the lowest free number >= min; the table takes over the reference. => EMFILE */
int fd_install(struct filedesc *fdp, struct file *fp, int min, bool cloexec, int *fdp_out);
/* => false: fd_install with this min would give EMFILE now. */
bool fd_available(struct filedesc *fdp, int min);
/* Enters fp at exactly fd, closing what was there (may sleep). => EBADF, EMFILE */
int fd_install_at(struct filedesc *fdp, struct file *fp, int fd, bool cloexec);
/*
 * The file, with a reference for the caller (fd_release), or EBADF. => a call may sleep only in
 * the file that it held last.
 */
int fd_hold(struct filedesc *fdp, int fd, struct file **fpp);
void fd_release(struct file *fp);
/* => EBADF, or what fo_close says when this was the last reference. */
int fd_close(struct filedesc *fdp, int fd);
/* The close-on-exec flag. => EBADF. */
int fd_getcloexec(const struct filedesc *fdp, int fd, bool *cloexecp);
int fd_setcloexec(struct filedesc *fdp, int fd, bool cloexec);

/* socket files (sys_socket.c) */
extern const struct fileops socketops;

#endif /* KERN_FILEDESC_H */
