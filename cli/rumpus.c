/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rumpus: the command that people look at a running stack with, over its sysproxy door.
 *
 * This file: options, the table of commands, the connection. Exit: 0 ok, 1 refused or failed,
 * 2 wrong usage, 3 no server.
 */
#include "rumpus.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rumpus/client.h>

#include "sim/sim.h"

static const char help[] =
    "usage: rumpus [-s URL|PATH] sysctl [-j] [NAME[=VALUE]]...\n"
    "       rumpus [-s URL|PATH] stats [-j] [NAME]...\n"
    "       rumpus [-s PATH] run [-v] [--all] [--rules FILE] [--resolv FILE] [--] PROGRAM...\n"
    "       rumpus [-s PATH] dump [OPTION]... [EXPRESSION]\n"
    "       rumpus [-s PATH] ss [OPTION]... [FILTER]\n"
    "       rumpus sim [OPTION]...\n"
    "       rumpus bench [OPTION]... | bench compare A.json B.json\n"
    "\n"
    "  sysctl           show the settings and counters named, or all; NAME=VALUE sets one\n"
    "  stats            show the counters that are not zero; NAME: those that begin so\n"
    "  run              run a program whose sockets are the stack's; rumpus run --help\n"
    "  dump             the packets of its interfaces, as tcpdump does; rumpus dump --help\n"
    "  ss               its sockets, as ss(8) shows the host's; rumpus ss --help\n"
    "  sim              worlds of many stacks on virtual time; rumpus sim --help\n"
    "  bench            the evaluation beside native Linux; rumpus bench --help\n"
    "\n"
    "  -s URL|PATH      the server: unix://PATH, tcp://A.B.C.D:PORT or the path of its socket;\n"
    "                   without it, $RUMP_SERVER\n"
    "  -j               JSON\n"
    "  -h, --help       this text          -V, --version    the version\n"
    "\n"
    "VALUE is decimal with optional k, m or g (1024s), or a string.\n"
    "Exit status: 0 ok, 1 refused or failed, 2 wrong usage, 3 no server.\n";

void
complain(const char *format, ...)
{
	va_list ap;

	(void)fflush(stdout);
	(void)fputs("rumpus: ", stderr);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

bool
number_parse(const char *text, uint64_t most, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *value <= most;
}

static int
usage_error(const char *what)
{
	complain("%s; try: rumpus --help", what);
	return EXIT_USAGE;
}

/* Where the client library looks for its server. */
static bool
choose_server(const char *where)
{
	char url[512];
	int n;

	if (where == NULL) {
		where = getenv("RUMP_SERVER");
		return where != NULL && *where != '\0';
	}
	n = snprintf(url, sizeof(url), "%s%s", strstr(where, "://") == NULL ? "unix://" : "",
	    where);
	return n < (int)sizeof(url) && setenv("RUMP_SERVER", url, 1) == 0;
}

static int
connect_server(const char *where)
{
	if (!choose_server(where)) {
		complain("server: none named; try: -s unix:///path/of/its/socket, or RUMP_SERVER");
		return EXIT_NOSERVER;
	}
	if (rumpus_client_init() != 0) {
		(void)fprintf(stderr, "%s\n", rumpus_client_error_text());
		return EXIT_NOSERVER;
	}
	return 0;
}

/* No server: the stacks are here. */
static int
cmd_sim(const char *where, int argc, char **argv)
{
	(void)where;
	return sim_main(argc, argv);
}

struct command {
	const char *cm_name;
	int (*cm_run)(const struct request *rq);
	int (
	    *cm_runself)(const char *where, int argc, char **argv); /* its own options and server */
};

static const struct command commands[] = {
    {"sysctl", cmd_sysctl, NULL},
    {"stats", cmd_stats, NULL},
    {"run", NULL, cmd_run},
    {"dump", NULL, cmd_dump},
    {"ss", NULL, cmd_ss},
    {"sim", NULL, cmd_sim},
    {"bench", NULL, cmd_bench},
};

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].cm_name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

struct choices {
	const char *ch_server;
	bool ch_json;
	bool ch_help;
	bool ch_version;
};

/* => false: wrong usage, and getopt has said so. */
static bool
options_parse(struct choices *ch, int argc, char **argv)
{
	static const struct option longopts[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "+s:jhV", longopts, NULL)) != -1) {
		switch (c) {
		case 's':
			ch->ch_server = optarg;
			break;
		case 'j':
			ch->ch_json = true;
			break;
		case 'h':
			ch->ch_help = true;
			break;
		case 'V':
			ch->ch_version = true;
			break;
		default:
			return false;
		}
	}
	return true;
}

/* What follows the command: options, then names. */
static int
run_command(const struct command *cm, struct choices *ch, int argc, char **argv)
{
	struct request rq;
	int status;

	optind = 1;
	if (cm->cm_runself != NULL)
		return cm->cm_runself(ch->ch_server, argc, argv);
	if (!options_parse(ch, argc, argv))
		return usage_error(cm->cm_name);
	if (ch->ch_help) {
		(void)fputs(help, stdout);
		return 0;
	}
	rq = (struct request){
	    .rq_names = argv + optind,
	    .rq_nnames = argc - optind,
	    .rq_json = ch->ch_json,
	};
	status = connect_server(ch->ch_server);
	if (status == 0)
		status = cm->cm_run(&rq);
	if (fflush(stdout) != 0 && status == 0) {
		complain("output: %s; try: another place for it", strerror(errno));
		status = EXIT_REFUSED;
	}
	return status;
}

int
main(int argc, char **argv)
{
	struct choices ch = {0};
	const struct command *cm;

	if (!options_parse(&ch, argc, argv))
		return usage_error("wrong usage");
	if (ch.ch_help || ch.ch_version) {
		(void)fputs(ch.ch_help ? help : "rumpus " RUMPUS_VERSION "\n", stdout);
		return 0;
	}
	if (optind == argc)
		return usage_error("no command");
	cm = command_find(argv[optind]);
	if (cm == NULL) {
		complain("%s: no such command; try: rumpus --help", argv[optind]);
		return EXIT_USAGE;
	}
	return run_command(cm, &ch, argc - optind, argv + optind);
}
