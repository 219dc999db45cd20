/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack's error numbers in plain words, from the one list of them. */
#include "server/errtext.h"

const char *
bsd_errtext(int error)
{
	switch (error) {
	case 0:
		return "no error";
#define RUMPUS_ERRNO(name, value, text) \
	case value:                     \
		return text;
#include <rumpus/errno.def>
#undef RUMPUS_ERRNO
	default:
		return "unknown error";
	}
}
