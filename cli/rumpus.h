/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of rumpus share. */
#ifndef CLI_RUMPUS_H
#define CLI_RUMPUS_H

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NOSERVER = 3 };

/* A command's arguments. */
struct request {
	char **rq_names;
	int rq_nnames;
	bool rq_json;
};

/* Prints "rumpus: ...". => format: "what: why; try: what" */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Decimal digits and nothing else. => false: they are not, or more than most */
bool number_parse(const char *text, uint64_t most, uint64_t *value);

/* => an exit status; the server is connected. */
int cmd_sysctl(const struct request *rq);
int cmd_stats(const struct request *rq);

/*
 * Runs a program on the stack. where: the server's control socket, or NULL for the usual places.
 * => an exit status: 125 our own error, 126 not executable, 127 not found, 2 and 3 as ever;
 *    else it does not return.
 */
int cmd_run(const char *where, int argc, char **argv);

/* Shows packets of the server's interfaces. => an exit status */
int cmd_dump(const char *where, int argc, char **argv);

/* Shows the server's sockets. => an exit status */
int cmd_ss(const char *where, int argc, char **argv);

/* Becomes bench/run. => an exit status: it was not there */
int cmd_bench(const char *where, int argc, char **argv);

#endif /* CLI_RUMPUS_H */
