/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of rumpus share. */
#ifndef CLI_RUMPUS_H
#define CLI_RUMPUS_H

#include <stdbool.h>

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NOSERVER = 3 };

/* A command's arguments. */
struct request {
	char **rq_names;
	int rq_nnames;
	bool rq_json;
};

/* Prints "rumpus: ...". => format: "what: why; try: what" */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* => an exit status; the server is connected. */
int cmd_sysctl(const struct request *rq);
int cmd_stats(const struct request *rq);

#endif /* CLI_RUMPUS_H */
