/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines for people, on standard error; each is one write, so that lines do not mix. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host_linux.h"

#define LINE_BYTES 1024

static enum host_log_level log_most = HOST_LOG_INFO;
static const char *log_prefix = "rumpus";

void
host_log_set_level(enum host_log_level most)
{
	log_most = most;
}

void
host_log_set_prefix(const char *prefix)
{
	log_prefix = prefix;
}

/* => len is what snprintf returned for a buffer of LINE_BYTES. A lost line is not worth more. */
static void
put_line(char *line, int len)
{
	size_t n = len < LINE_BYTES - 1 ? (size_t)len : LINE_BYTES - 2;

	if (len < 0)
		return;
	line[n] = '\n';
	if (write(STDERR_FILENO, line, n + 1) < 0)
		return;
}

void
host_log(enum host_log_level level, const char *text)
{
	char line[LINE_BYTES];

	if (level <= log_most)
		put_line(line, snprintf(line, sizeof(line), "%s: %s", log_prefix, text));
}

_Noreturn void
host_panic(const char *file, int at, const char *what)
{
	char line[LINE_BYTES];

	put_line(line,
	    snprintf(line, sizeof(line), "%s: panic: %s:%d: %s", log_prefix, file, at, what));
	abort();
}
