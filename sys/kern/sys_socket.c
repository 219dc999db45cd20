/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets as files: what read, write, ioctl, poll and close do on one. */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/proc.h"
#include "kern/socketvar.h"
#include "kern/sys_calls.h"

static int
soo_read(struct file *fp, struct uio *uio)
{
	int flags = 0;

	return soreceive(fp->f_data, NULL, uio, NULL, NULL, &flags);
}

void
so_sigpipe(struct lwp *l, const struct socket *so, int flags)
{
	if ((flags & MSG_NOSIGNAL) == 0 && (so->so_options & SO_NOSIGPIPE) == 0)
		proc_raise(l->l_proc, SIGPIPE);
}

static int
soo_write(struct file *fp, struct uio *uio)
{
	struct socket *so = fp->f_data;
	struct lwp *l = lwp_current(fp->f_ns);
	int error = sosend(so, NULL, uio, NULL, NULL, 0);

	if (error == EPIPE && l != NULL)
		so_sigpipe(l, so, 0);
	return error;
}

static void
so_setnbio(struct socket *so, const void *data)
{
	int on;

	memcpy(&on, data, sizeof(on));
	if (on != 0)
		so->so_state |= SS_NBIO;
	else
		so->so_state &= ~(uint32_t)SS_NBIO;
}

static int
soo_ioctl(struct file *fp, uint32_t cmd, void *data)
{
	struct socket *so = fp->f_data;
	int value;

	switch (cmd) {
	case FIONBIO:
		so_setnbio(so, data);
		return 0;
	case FIONREAD:
		value = (int)so->so_rcv.sb_cc;
		break;
	case FIONWRITE:
		value = (int)so->so_snd.sb_cc;
		break;
	case FIONSPACE:
		value = (int)sbspace(&so->so_snd);
		break;
	case SIOCATMARK:
		value = (so->so_state & SS_RCVATMARK) != 0;
		break;
	default:
		return ENOTTY;
	}
	memcpy(data, &value, sizeof(value));
	return 0;
}

static int
soo_poll(struct file *fp, int events, struct selrec *sr, struct waitq *wq)
{
	struct socket *so = fp->f_data;
	int revents = sopoll(so, events);

	if (revents == 0 && sr != NULL)
		selrecord(&so->so_sel, sr, wq);
	return revents;
}

/* A socket may outlive its file, so polls that still watch it are sent to look again first. */
static int
soo_close(struct file *fp)
{
	struct socket *so = fp->f_data;

	seldestroy(&so->so_sel);
	return soclose(so);
}

const struct fileops socketops = {
    .fo_read = soo_read,
    .fo_write = soo_write,
    .fo_ioctl = soo_ioctl,
    .fo_poll = soo_poll,
    .fo_close = soo_close,
};

int
so_file_alloc(struct socket *so, struct file **fpp)
{
	return file_alloc(so->so_ns, DTYPE_SOCKET, &socketops, so, fpp);
}
