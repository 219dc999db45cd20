/* SPDX-License-Identifier: BSD-2-Clause */
/* The inputs of a stack that only the host knows: time and randomness. */
#include <errno.h>
#include <stdint.h>
#include <sys/random.h>
#include <time.h>

#include "host_linux.h"

uint64_t
host_linux_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int
host_linux_seed(uint8_t seed[32])
{
	size_t done = 0;

	while (done < 32) {
		ssize_t n = getrandom(seed + done, 32 - done, 0);

		if (n < 0 && errno != EINTR)
			return errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}
