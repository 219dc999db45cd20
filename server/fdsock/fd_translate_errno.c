/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack's errors in the host's numbers: by name, from the one list. */
#include "server/fdsock/fd_impl.h"

#include <errno.h>

static const int16_t fd_errnos[BSD_ELAST + 1] = {
#define RUMPUS_ERRNO(name, value, text) [value] = (name),
#include <rumpus/errno.def>
#undef RUMPUS_ERRNO
};

int
fd_errno(int bsd_error)
{
	if (bsd_error == 0)
		return 0;
	if (bsd_error < 0 || bsd_error > BSD_ELAST || fd_errnos[bsd_error] == 0)
		return EIO;
	return fd_errnos[bsd_error];
}
