/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rumpus run: a program whose sockets are the stack's, by the preload library.
 *
 * It finds the server, the library and the program, refuses what the library would not reach, and
 * becomes the program. What it says to the library goes by the environment: LD_PRELOAD,
 * RUMPUS_SERVER and RUMPUS_RESOLV (absolute paths) and RUMPUS_RULES (text).
 */
#include "control.h"
#include "elf.h"
#include "rumpus.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rumpus/fdsock.h>

#include "../preload/rules/rules.h"

#define LIBRARY "librumpus-preload.so"
enum { EXIT_OURS = 125, EXIT_NOEXEC = 126, EXIT_NOTFOUND = 127 };

static const char help[] =
    "usage: rumpus [-s PATH] run [-v] [--all] [--rules FILE] [--resolv FILE] [--] PROGRAM\n"
    "           [ARGUMENT]...\n"
    "\n"
    "Runs PROGRAM with its IPv4 and IPv6 sockets on the stack; loopback stays on the host.\n"
    "\n"
    "  --all            loopback goes to the stack, too\n"
    "  --rules FILE     which sockets go where; the first rule that matches wins:\n"
    "                     stack|host [inet|inet6] [tcp|udp|icmp|raw] [connect|bind]\n"
    "                       [any|ADDRESS[/LENGTH]] [port N[-M]]\n"
    "                   without it, $RUMPUS_RULES: such rules with ; between, or a file's path\n"
    "  --resolv FILE    a resolv.conf for names, in the place of /etc/resolv.conf\n"
    "  -v               say what is done, and once what PROGRAM does past the library: bare\n"
    "                   system calls, io_uring\n"
    "\n"
    "The server: -s, $RUMPUS_SERVER, $XDG_RUNTIME_DIR/rumpus/default.sock,\n"
    "/run/rumpus/default.sock.\n"
    "Exit status: PROGRAM's; 2 wrong usage, 3 no server, 125 refused or failed,\n"
    "126 not executable, 127 not found.\n";

struct run {
	bool r_verbose;
	bool r_all;
	const char *r_rulesfile;
	const char *r_resolvfile;
	char r_server[PATH_MAX];
	char r_library[PATH_MAX];
	char r_program[PATH_MAX];
	char r_resolv[PATH_MAX];
	char r_rules[RULES_TEXT_MAX];
};

/* --- rules ---------------------------------------------------------------------------------- */

static int
rules_read(struct run *r, const char *path)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL) {
		complain("%s: %s; try: a file of rules", path, strerror(errno));
		return EXIT_OURS;
	}
	n = fread(r->r_rules, 1, sizeof(r->r_rules) - sizeof(RULES_ALL) - 2, f);
	r->r_rules[n] = '\0';
	if (ferror(f) || fgetc(f) != EOF || strlen(r->r_rules) != n) {
		(void)fclose(f);
		complain("%s: too long, or no text; try: at most %d bytes of rules", path,
		    RULES_TEXT_MAX - 16);
		return EXIT_OURS;
	}
	(void)fclose(f);
	return 0;
}

/* => 0 with the text in r_rules, or an exit status */
static int
rules_choose(struct run *r)
{
	const char *given = getenv("RUMPUS_RULES"), *from = "RUMPUS_RULES";
	struct rules rs = {0};
	struct rules_error re = {0};
	int status = 0;

	if (r->r_rulesfile == NULL && given != NULL && strchr("/.", given[0]) != NULL)
		r->r_rulesfile = given[0] != '\0' ? given : NULL;
	if (r->r_rulesfile != NULL) {
		from = r->r_rulesfile;
		status = rules_read(r, from);
	} else if (given != NULL && strlen(given) < sizeof(r->r_rules) - sizeof(RULES_ALL) - 2) {
		strcpy(r->r_rules, given);
	} else if (given != NULL) {
		complain("RUMPUS_RULES: too long; try: at most %d bytes", RULES_TEXT_MAX - 16);
		status = EXIT_OURS;
	}
	if (status != 0)
		return status;
	if (r->r_all)
		strcat(r->r_rules, "\n" RULES_ALL);
	if (rules_parse(&rs, r->r_rules, &re) != 0 || rules_parse(&rs, RULES_DEFAULT, &re) != 0) {
		complain("%s:%d: %s; try: stack|host [inet|inet6] [tcp|udp|icmp|raw] "
			 "[connect|bind] [any|ADDRESS[/LENGTH]] [port N[-M]]",
		    from, re.re_line, re.re_why);
		return EXIT_OURS;
	}
	return 0;
}

/* --- names ---------------------------------------------------------------------------------- */

/* => 0 with the path in r_resolv, or an exit status */
static int
resolv_find(struct run *r)
{
	if (r->r_resolvfile == NULL)
		return 0;
	if (realpath(r->r_resolvfile, r->r_resolv) == NULL || access(r->r_resolv, R_OK) != 0) {
		complain("%s: %s; try: a file like /etc/resolv.conf", r->r_resolvfile,
		    strerror(errno));
		return EXIT_OURS;
	}
	if (r->r_verbose)
		complain("names: %s", r->r_resolv);
	return 0;
}

/* --- the server ----------------------------------------------------------------------------- */

static bool
is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static int
server_ask(const char *path, struct fdsock_info *info)
{
	struct control_answer ca;
	int sock, error = control_connect(path, &sock);

	if (error != 0)
		return error;
	error = control_ask(sock, FDSOCK_OP_HELLO, 1, NULL, 0, &ca);
	if (error == 0 && ca.ca_reply.fp_datalen != sizeof(*info))
		error = EPROTO;
	memcpy(info, ca.ca_data, sizeof(*info));
	(void)close(sock);
	return error;
}

static int
server_find(struct run *r, const char *where)
{
	char place[PATH_MAX];
	struct fdsock_info info;
	int error;

	control_place(where, place, sizeof(place));
	if (realpath(place, r->r_server) == NULL) {
		complain("server: %s: %s; try: rumpusd --control PATH, then rumpus -s PATH run",
		    place, strerror(errno));
		return EXIT_NOSERVER;
	}
	error = server_ask(r->r_server, &info);
	if (error != 0) {
		complain("server: %s: %s; try: rumpusd --control PATH, then rumpus -s PATH run",
		    r->r_server, strerror(error));
		return EXIT_NOSERVER;
	}
	if (r->r_verbose)
		complain("server: %s, %.*s", r->r_server, (int)sizeof(info.fi_text), info.fi_text);
	return 0;
}

/* --- the library ---------------------------------------------------------------------------- */

/* Beside our own file, where a build puts it; then where an installation does. */
static int
library_find(struct run *r)
{
	char self[PATH_MAX] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash = n > 0 ? strrchr(self, '/') : NULL;
	int len = -1;

	if (slash != NULL) {
		*slash = '\0';
		len = snprintf(r->r_library, sizeof(r->r_library), "%s/" LIBRARY, self);
	}
	if (len < 0 || len >= (int)sizeof(r->r_library) || !is_there(r->r_library))
		(void)snprintf(r->r_library, sizeof(r->r_library), RUMPUS_LIBDIR "/" LIBRARY);
	if (!is_there(r->r_library)) {
		complain("%s: %s; try: to install it, or to build all", r->r_library,
		    strerror(errno));
		return EXIT_OURS;
	}
	if (strpbrk(r->r_library, ": ") != NULL) {
		complain("%s: its path has a colon or a blank, which LD_PRELOAD cannot hold; "
			 "try: another place",
		    r->r_library);
		return EXIT_OURS;
	}
	if (r->r_verbose)
		complain("library: %s", r->r_library);
	return 0;
}

/* --- the program ---------------------------------------------------------------------------- */

static bool
is_program(const char *path, int *error)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			*error = errno;
		return false;
	}
	if (S_ISREG(st.st_mode) && access(path, X_OK) == 0)
		return true;
	*error = EACCES;
	return false;
}

/* As execvp() does it. => 0 or an exit status */
static int
program_find(struct run *r, const char *name)
{
	const char *dirs = getenv("PATH");
	int error = ENOENT;

	if (strchr(name, '/') != NULL) {
		(void)snprintf(r->r_program, sizeof(r->r_program), "%s", name);
		if (is_program(name, &error))
			return 0;
		dirs = NULL;
	} else if (dirs == NULL) {
		dirs = "/bin:/usr/bin";
	}
	while (dirs != NULL) {
		size_t n = strcspn(dirs, ":");

		(void)snprintf(r->r_program, sizeof(r->r_program), "%.*s%s%s", (int)n, dirs,
		    n > 0 ? "/" : "", name);
		if (is_program(r->r_program, &error))
			return 0;
		dirs = dirs[n] == ':' ? dirs + n + 1 : NULL;
	}
	complain("%s: %s; try: a program's path", name, strerror(error));
	return error == ENOENT ? EXIT_NOTFOUND : EXIT_NOEXEC;
}

static int
program_check(const struct run *r)
{
	char room[320];
	const char *why = elf_obstacle(r->r_program, room, sizeof(room));

	if (why == NULL)
		return 0;
	complain("%s: %s, so its sockets would be the host's; try: a dynamically linked build of "
		 "it for this C library, without privileges of its file",
	    r->r_program, why);
	return EXIT_OURS;
}

/* --- running -------------------------------------------------------------------------------- */

static int
environment_set(const struct run *r)
{
	const char *others = getenv("LD_PRELOAD");
	char *preload = NULL;
	int error = 0;

	if (others != NULL && others[0] != '\0' && strstr(others, r->r_library) == NULL) {
		if (asprintf(&preload, "%s:%s", r->r_library, others) < 0)
			preload = NULL;
	} else {
		preload = strdup(others != NULL && others[0] != '\0' ? others : r->r_library);
	}
	if (preload == NULL || setenv("LD_PRELOAD", preload, 1) != 0 ||
	    setenv("RUMPUS_SERVER", r->r_server, 1) != 0 ||
	    setenv("RUMPUS_RULES", r->r_rules, 1) != 0 ||
	    (r->r_resolv[0] != '\0' && setenv("RUMPUS_RESOLV", r->r_resolv, 1) != 0) ||
	    (r->r_verbose && setenv("RUMPUS_VERBOSE", "1", 1) != 0))
		error = ENOMEM;
	free(preload);
	return error;
}

static int
program_run(const struct run *r, char **argv)
{
	int error = environment_set(r);

	if (error == 0) {
		if (r->r_verbose)
			complain("program: %s", r->r_program);
		(void)execv(r->r_program, argv);
		error = errno;
	}
	complain("%s: %s; try: a program that this machine can run", r->r_program, strerror(error));
	if (error == ENOMEM || error == E2BIG)
		return EXIT_OURS;
	return error == ENOENT ? EXIT_NOTFOUND : EXIT_NOEXEC;
}

/* => false: wrong usage, or help was wanted; *status */
static bool
options_read(struct run *r, int argc, char **argv, int *status)
{
	static const struct option longopts[] = {
	    {"all", no_argument, NULL, 'a'},
	    {"rules", required_argument, NULL, 'r'},
	    {"resolv", required_argument, NULL, 'R'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "+vh", longopts, NULL)) != -1) {
		switch (c) {
		case 'a':
			r->r_all = true;
			break;
		case 'r':
			r->r_rulesfile = optarg;
			break;
		case 'R':
			r->r_resolvfile = optarg;
			break;
		case 'v':
			r->r_verbose = true;
			break;
		case 'h':
			(void)fputs(help, stdout);
			*status = fflush(stdout) == 0 ? 0 : EXIT_OURS;
			return false;
		default:
			*status = EXIT_USAGE;
			return false;
		}
	}
	if (optind < argc)
		return true;
	complain("run: no program; try: rumpus run --help");
	*status = EXIT_USAGE;
	return false;
}

int
cmd_run(const char *where, int argc, char **argv)
{
	static struct run r;
	int status = 0;

	if (!options_read(&r, argc, argv, &status))
		return status;
	argv += optind;
	if ((status = rules_choose(&r)) != 0 || (status = resolv_find(&r)) != 0 ||
	    (status = server_find(&r, where)) != 0 || (status = library_find(&r)) != 0 ||
	    (status = program_find(&r, argv[0])) != 0 || (status = program_check(&r)) != 0)
		return status;
	return program_run(&r, argv);
}
