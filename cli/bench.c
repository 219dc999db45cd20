/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rumpus bench: becomes the evaluation's driver, bench/run of the source tree that this program was
 * built in, or what RUMPUS_BENCH names.
 */
#include "rumpus.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRIVER "bench/run"

/* => false: no such file, and path is what was looked for */
static bool
driver_find(char path[PATH_MAX], char build[PATH_MAX])
{
	const char *named = getenv("RUMPUS_BENCH");
	ssize_t n;

	if (named != NULL && *named != '\0') {
		(void)snprintf(path, PATH_MAX, "%s", named);
		return access(path, X_OK) == 0;
	}
	n = readlink("/proc/self/exe", build, PATH_MAX - 1);
	if (n < 0)
		return false;
	build[n] = '\0';
	(void)dirname(build);
	if (snprintf(path, PATH_MAX, "%s/../%s", build, DRIVER) >= PATH_MAX)
		return false;
	return access(path, X_OK) == 0;
}

int
cmd_bench(const char *where, int argc, char **argv)
{
	char path[PATH_MAX] = DRIVER, build[PATH_MAX] = "";

	(void)where; /* it starts its own servers */
	(void)argc;
	if (!driver_find(path, build)) {
		complain("bench: %s: %s; try: from a source tree, or RUMPUS_BENCH=.../bench/run",
		    path, strerror(errno));
		return EXIT_REFUSED;
	}
	if (build[0] != '\0' && setenv("RUMPUS_BUILD", build, 0) != 0) {
		complain("bench: %s; try: again", strerror(errno));
		return EXIT_REFUSED;
	}
	argv[0] = path;
	(void)execv(path, argv);
	complain("bench: %s: %s; try: apt-get install python3", path, strerror(errno));
	return EXIT_REFUSED;
}
