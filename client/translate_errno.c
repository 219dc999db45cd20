/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * errno and signal numbers, BSD to Linux: by name, from the one list of errors.
 */
#include "translate.h"

#include <errno.h>
#include <signal.h>

static const int16_t linux_errno[BSD_ELAST + 1] = {
#define RUMPUS_ERRNO(name, value, text) [value] = (name),
#include <rumpus/errno.def>
#undef RUMPUS_ERRNO
};

int
bsd_errno_to_linux(int error)
{
	if (error == 0)
		return 0;
	if (error < 0 || error > BSD_ELAST || linux_errno[error] == 0)
		return EIO;
	return linux_errno[error];
}

/* What a socket or an absent call may cause; all else would be the server meddling. */
static const struct {
	uint32_t bsd;
	int host;
} signals[] = {
    {12, SIGSYS},
    {13, SIGPIPE},
    {16, SIGURG},
    {23, SIGIO},
};

int
bsd_signal_to_linux(uint32_t sig)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (signals[i].bsd == sig)
			return signals[i].host;
	}
	return 0;
}
