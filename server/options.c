/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rumpusd's command line and configuration file. The file says the same things by name:
 *
 *   [server]
 *   interface = tap:tap0,addr=10.0.0.2/24
 *   control = /run/rumpus/default.sock
 *   sysproxy = unix:///run/rumpus/default.rump
 *   threads = 2
 *   pcap = /tmp/all.pcapng
 *   [sysctl]
 *   kern.mbuf.mclbytes = 4096
 */
#include "server/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "usage: rumpusd [-f] [-c FILE] [-i DRIVER:ARGS]... [-o NAME=VALUE]... [--control PATH]\n"
    "               [--sysproxy URL]... [--threads N] [--pcap FILE] [--ready-fd N] [--check]\n"
    "\n"
    "A TCP/IP stack as a process: it takes the interfaces given and serves programs.\n"
    "\n"
    "  -i tap:NAME[,addr=ADDRESS/LEN]...[,gw=ADDRESS]...[,mtu=BYTES][,mac=XX:XX:XX:XX:XX:XX]\n"
    "     [,offload=on|off][,loss=1%][,delay=10ms][,rate=100M][,...]\n"
    "                   an ethernet interface on the host's tap NAME, made if it is not there;\n"
    "                   addr=auto: IPv6 by the routers of the link\n"
    "  -i link:NAME,path=PATH[,addr=A.B.C.D/LEN]...[,...]\n"
    "                   one end of a wire in shared memory; the server with the same PATH has\n"
    "                   the other\n"
    "  -o NAME=VALUE    a sysctl at start, as kern.mbuf.mclbytes=4096\n"
    "  --control PATH   offer sockets to programs at PATH; else $RUMPUS_SERVER, else\n"
    "                   $XDG_RUNTIME_DIR/rumpus/default.sock, /run/rumpus/default.sock\n"
    "  --sysproxy URL   offer rump system calls at unix://PATH or tcp://ADDRESS:PORT\n"
    "  -c FILE          read interface=, control=, ... ([server]) and [sysctl] from FILE\n"
    "  -f               stay in the foreground\n"
    "  --pcap FILE      all frames of all interfaces to FILE, as pcapng\n"
    "  --threads N      run N stacks as one host, a thread and a queue of each tap each\n"
    "  --ready-fd N     write a newline to descriptor N when ready, then close it\n"
    "  --check          check options and configuration, then exit\n"
    "  -h, --help       this text          -V, --version    the version\n"
    "\n"
    "Exit status: 0 ended as asked, 1 could not start, 2 wrong usage.\n"
    "Programs find it by rumpus run; rump clients by RUMP_SERVER=URL.\n";

static bool
options_why(char *why, size_t whylen, const char *what, const char *value, const char *advice)
{
	(void)snprintf(why, whylen, "%s %s: not understood; try: %s", what, value, advice);
	return false;
}

static bool
options_add(char **list, unsigned *n, unsigned max, const char *value, char *why, size_t whylen)
{
	if (*n == max || (list[*n] = strdup(value)) == NULL) {
		(void)snprintf(why, whylen, "%s: one too many (at most %u); try: fewer", value,
		    max);
		return false;
	}
	(*n)++;
	return true;
}

static bool
options_interface(struct options *op, const char *value, char *why, size_t whylen)
{
	if (op->op_nifaces == OPTIONS_MAXIFACES) {
		(void)snprintf(why, whylen, "-i %s: more than %d interfaces; try: fewer", value,
		    OPTIONS_MAXIFACES);
		return false;
	}
	if (!iface_parse(&op->op_ifaces[op->op_nifaces], value, why, whylen))
		return false;
	op->op_nifaces++;
	return true;
}

static bool
options_sysctl(struct options *op, const char *value, char *why, size_t whylen)
{
	if (strchr(value, '=') == NULL || value[0] == '=')
		return options_why(why, whylen, "-o", value, "-o NAME=VALUE");
	return options_add(op->op_sysctls, &op->op_nsysctls, OPTIONS_MAXSYSCTLS, value, why,
	    whylen);
}

static bool
options_url(struct options *op, const char *value, char *why, size_t whylen)
{
	return options_add(op->op_urls, &op->op_nurls, OPTIONS_MAXURLS, value, why, whylen);
}

static bool
options_control(struct options *op, const char *value, char *why, size_t whylen)
{
	if (op->op_control != NULL || *value == '\0') {
		(void)snprintf(why, whylen, "--control %s: %s; try: one path", value,
		    *value == '\0' ? "empty" : "given twice");
		return false;
	}
	op->op_control = strdup(value);
	return op->op_control != NULL || options_why(why, whylen, "--control", value, "again");
}

static bool
options_pcap(struct options *op, const char *value, char *why, size_t whylen)
{
	if (op->op_pcap != NULL || *value == '\0') {
		(void)snprintf(why, whylen, "--pcap %s: %s; try: one file", value,
		    *value == '\0' ? "empty" : "given twice");
		return false;
	}
	op->op_pcap = strdup(value);
	return op->op_pcap != NULL || options_why(why, whylen, "--pcap", value, "again");
}

static bool
options_threads(struct options *op, const char *value, char *why, size_t whylen)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)*value) || *end != '\0' || n < 1 || n > OPTIONS_MAXTHREADS)
		return options_why(why, whylen, "--threads", value, "1 to 64");
	op->op_threads = (unsigned)n;
	return true;
}

struct options_file {
	struct options *of_op;
	char *of_why;
	size_t of_whylen;
	bool of_ok;
};

/* One line of the file. => 0 makes the parser report this line. */
static int
options_file_line(void *arg, const char *section, const char *name, const char *value)
{
	struct options_file *of = arg;
	char text[1024];

	if (!of->of_ok)
		return 1;
	of->of_ok = false;
	if (strcmp(section, "sysctl") == 0) {
		(void)snprintf(text, sizeof(text), "%s=%s", name, value);
		of->of_ok = options_sysctl(of->of_op, text, of->of_why, of->of_whylen);
	} else if (strcmp(section, "server") == 0 && strcmp(name, "interface") == 0)
		of->of_ok = options_interface(of->of_op, value, of->of_why, of->of_whylen);
	else if (strcmp(section, "server") == 0 && strcmp(name, "sysproxy") == 0)
		of->of_ok = options_url(of->of_op, value, of->of_why, of->of_whylen);
	else if (strcmp(section, "server") == 0 && strcmp(name, "control") == 0)
		of->of_ok = options_control(of->of_op, value, of->of_why, of->of_whylen);
	else if (strcmp(section, "server") == 0 && strcmp(name, "threads") == 0)
		of->of_ok = options_threads(of->of_op, value, of->of_why, of->of_whylen);
	else if (strcmp(section, "server") == 0 && strcmp(name, "pcap") == 0)
		of->of_ok = options_pcap(of->of_op, value, of->of_why, of->of_whylen);
	else
		(void)options_why(of->of_why, of->of_whylen, section, name,
		    "interface, control, sysproxy, threads or pcap in [server], or [sysctl]");
	return of->of_ok ? 1 : 0;
}

static bool
options_file(struct options *op, const char *path, char *why, size_t whylen)
{
	struct options_file of = {.of_op = op, .of_why = why, .of_whylen = whylen, .of_ok = true};
	int line = ini_parse(path, options_file_line, &of);

	if (line < 0) {
		(void)snprintf(why, whylen, "-c %s: %s; try: a file that you may read", path,
		    strerror(errno));
		return false;
	}
	if (line > 0 && of.of_ok) {
		(void)snprintf(why, whylen, "-c %s: line %d: not NAME = VALUE; try: rumpusd --help",
		    path, line);
		return false;
	}
	return of.of_ok;
}

static bool
options_readyfd(struct options *op, const char *value, char *why, size_t whylen)
{
	char *end;
	long fd = strtol(value, &end, 10);

	if (!isdigit((unsigned char)*value) || *end != '\0' || fd > INT_MAX)
		return options_why(why, whylen, "--ready-fd", value,
		    "the number of an open descriptor");
	op->op_readyfd = (int)fd;
	return true;
}

enum { OPT_CONTROL = 256, OPT_SYSPROXY, OPT_READYFD, OPT_THREADS, OPT_PCAP, OPT_CHECK };

static bool
options_one(struct options *op, int c, char *why, size_t whylen)
{
	switch (c) {
	case 'f':
		return op->op_foreground = true;
	case 'c':
		return options_file(op, optarg, why, whylen);
	case 'i':
		return options_interface(op, optarg, why, whylen);
	case 'o':
		return options_sysctl(op, optarg, why, whylen);
	case 'h':
		return op->op_help = true;
	case 'V':
		return op->op_version = true;
	case OPT_CONTROL:
		return options_control(op, optarg, why, whylen);
	case OPT_SYSPROXY:
		return options_url(op, optarg, why, whylen);
	case OPT_READYFD:
		return options_readyfd(op, optarg, why, whylen);
	case OPT_THREADS:
		return options_threads(op, optarg, why, whylen);
	case OPT_PCAP:
		return options_pcap(op, optarg, why, whylen);
	case OPT_CHECK:
		return op->op_check = true;
	default:
		(void)snprintf(why, whylen, "wrong usage; try: rumpusd --help");
		return false;
	}
}

bool
options_parse(struct options *op, int argc, char **argv, char *why, size_t whylen)
{
	static const struct option longopts[] = {
	    {"control", required_argument, NULL, OPT_CONTROL},
	    {"sysproxy", required_argument, NULL, OPT_SYSPROXY},
	    {"ready-fd", required_argument, NULL, OPT_READYFD},
	    {"threads", required_argument, NULL, OPT_THREADS},
	    {"pcap", required_argument, NULL, OPT_PCAP},
	    {"check", no_argument, NULL, OPT_CHECK},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	*op = (struct options){.op_readyfd = -1, .op_threads = 1};
	while ((c = getopt_long(argc, argv, "fc:i:o:hV", longopts, NULL)) != -1) {
		if (!options_one(op, c, why, whylen))
			return false;
	}
	if (optind < argc)
		return options_why(why, whylen, "argument", argv[optind], "rumpusd --help");
	return true;
}

void
options_free(struct options *op)
{
	for (unsigned i = 0; i < op->op_nifaces; i++)
		iface_spec_free(&op->op_ifaces[i]);
	for (unsigned i = 0; i < op->op_nsysctls; i++)
		free(op->op_sysctls[i]);
	for (unsigned i = 0; i < op->op_nurls; i++)
		free(op->op_urls[i]);
	free(op->op_control);
	free(op->op_pcap);
}
