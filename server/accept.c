/* SPDX-License-Identifier: BSD-2-Clause */
/* See accept.h. */
#include "server/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void
accept_spare_init(struct accept_spare *as, int listener)
{
	as->as_fd = fcntl(listener, F_DUPFD_CLOEXEC, 0);
}

void
accept_spare_fini(struct accept_spare *as)
{
	if (as->as_fd >= 0)
		(void)close(as->as_fd);
	as->as_fd = -1;
}

int
accept_next(int listener, struct accept_spare *as, bool *refused)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	*refused = false;
	if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || as->as_fd < 0)
		return fd;
	accept_spare_fini(as);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		*refused = true;
		(void)close(fd);
	}
	accept_spare_init(as, listener);
	return -1;
}
