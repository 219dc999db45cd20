/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rumpus dump: the packets of a server's interfaces, as lines or as a pcapng file.
 *
 * The server sends pcapng blocks; a file gets them as they come, but for packets after the last that
 * is wanted. To end, the stream is shut down for writing: the server sends what it still has and its
 * counts, and ends it.
 */
#include "dump.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "rumpus.h"

#define ROOM (4u << 20) /* more than the longest block */
#define SNAPLEN 262144u
#define INSNS_MAX 4096u

static const char help[] =
    "usage: rumpus [-s PATH] dump [-i IF] [-Q in|out] [-c N] [-s BYTES] [-e] [-w FILE] [EXPRESSION]\n"
    "\n"
    "Shows the packets of a server's interfaces as they come and go; Ctrl-C ends it.\n"
    "\n"
    "  -i IF            those of one interface, as tap0 or lo0; without it, of all\n"
    "  -Q in|out        those of one direction\n"
    "  -c N             end after N packets\n"
    "  -s BYTES         take at most so many bytes of each (262144)\n"
    "  -e               with the addresses of ethernet\n"
    "  -w FILE          no lines, but a pcapng file for tcpdump -r and wireshark; -: to stdout\n"
    "  EXPRESSION       which packets, as pcap-filter(7) has it: tcp port 80 and not host 10.0.0.1\n"
    "\n"
    "Packets that the stack has the host cut or sum are shown as the stack has them. lo0 shows\n"
    "each packet once. A packet for which there was no room, as its reader was slow, is counted\n"
    "at the end. Captures are for root and who started the server.\n"
    "The server: -s before dump, $RUMPUS_SERVER, $XDG_RUNTIME_DIR/rumpus/default.sock,\n"
    "/run/rumpus/default.sock.\n"
    "Exit status: 0 ended as asked, 1 refused or failed, 2 wrong usage, 3 no server.\n";

struct dump {
	const char *d_ifname;
	const char *d_file; /* NULL: lines */
	uint64_t d_count;   /* 0: no end */
	uint32_t d_snaplen;
	uint32_t d_direction;
	bool d_ether;
	struct fdsock_capture *d_request; /* with the filter behind */
	int d_stream;
	FILE *d_out;
	struct dump_stream d_parsed;
	uint64_t d_shown;
	bool d_ending; /* the server was asked to end; what it has captured still comes */
	uint8_t d_buf[ROOM];
	size_t d_have;
};

static volatile sig_atomic_t interrupted;

static void
on_signal(int sig)
{
	(void)sig;
	interrupted = interrupted + 1;
}

/* --- asking --------------------------------------------------------------------------------- */

/* The words of the expression, joined. => NULL: no memory */
static char *
words_join(char **words, int n)
{
	size_t len = 1;
	char *text;

	for (int i = 0; i < n; i++)
		len += strlen(words[i]) + 1;
	text = calloc(1, len);
	for (int i = 0; text != NULL && i < n; i++) {
		strcat(text, words[i]);
		if (i + 1 < n)
			strcat(text, " ");
	}
	return text;
}

/* Makes the request, its filter compiled for ethernet. => an exit status */
static int
request_make(struct dump *d, const char *expression)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, (int)d->d_snaplen);
	struct bpf_program program = {0};
	int status = EXIT_REFUSED;

	_Static_assert(sizeof(struct bpf_insn) == 8, "the server's layout");
	d->d_request = calloc(1, sizeof(*d->d_request) + INSNS_MAX * sizeof(struct bpf_insn));
	if (p == NULL || d->d_request == NULL)
		complain("dump: out of memory; try: again");
	else if (*expression != '\0' &&
	    pcap_compile(p, &program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0)
		complain("dump: %s: %s; try: man pcap-filter", expression, pcap_geterr(p));
	else if (program.bf_len > INSNS_MAX)
		complain("dump: %s: too long; try: a shorter one", expression);
	else {
		(void)snprintf(d->d_request->cp_name, sizeof(d->d_request->cp_name), "%s",
		    d->d_ifname);
		d->d_request->cp_snaplen = d->d_snaplen;
		d->d_request->cp_direction = d->d_direction;
		d->d_request->cp_ninsns = program.bf_len;
		if (program.bf_len > 0)
			memcpy(d->d_request + 1, program.bf_insns,
			    program.bf_len * sizeof(struct bpf_insn));
		status = 0;
	}
	pcap_freecode(&program);
	if (p != NULL)
		pcap_close(p);
	return status;
}

static int
refused(const struct dump *d, int error)
{
	const char *why = strerror(error), *hint = "rumpus dump --help";

	if (error == ENXIO) {
		why = "no such interface";
		hint = "without -i";
	} else if (error == EPERM) {
		hint = "as root, or as who started the server";
	} else if (error == EINVAL) {
		why = "the server does not take this filter";
		hint = "one without protochain";
	} else if (error == ENOBUFS) {
		why = "too many captures";
		hint = "ending another, or a larger fdsock.maxcaptures";
	}
	complain("dump: %s%s%s; try: %s", d->d_ifname, d->d_ifname[0] != '\0' ? ": " : "", why,
	    hint);
	return EXIT_REFUSED;
}

/* => an exit status; 0: d_stream is open */
static int
stream_open(struct dump *d, const char *where)
{
	size_t len = sizeof(*d->d_request) + d->d_request->cp_ninsns * sizeof(struct bpf_insn);
	struct control_answer ca;
	char path[512];
	int sock, error;

	control_place(where, path, sizeof(path));
	error = control_connect(path, &sock);
	if (error != 0) {
		complain("server: %s: %s; try: rumpusd --control PATH, then rumpus -s PATH dump",
		    path, strerror(error));
		return EXIT_NOSERVER;
	}
	error = control_ask(sock, FDSOCK_OP_CAPTURE, 0, d->d_request, len, &ca);
	(void)close(sock);
	d->d_stream = ca.ca_fd;
	if (error == 0 && ca.ca_fd < 0)
		error = EPROTO;
	if (error != 0)
		return refused(d, error);
	(void)fprintf(stderr, "rumpus: dump: listening on %s\n",
	    d->d_ifname[0] != '\0' ? d->d_ifname : "all interfaces");
	return 0;
}

/* --- reading -------------------------------------------------------------------------------- */

static void
stream_enough(struct dump *d)
{
	if (!d->d_ending)
		(void)shutdown(d->d_stream, SHUT_WR);
	d->d_ending = true;
}

static void
block_take(struct dump *d, const uint8_t *block, size_t len)
{
	struct dump_packet dp;
	bool packet = dump_block(&d->d_parsed, block, len, &dp);

	if (packet && d->d_count > 0 && d->d_shown == d->d_count)
		return;
	if (d->d_file != NULL)
		(void)fwrite(block, len, 1, d->d_out);
	else if (packet)
		dump_line(&dp, d->d_ether);
	d->d_shown += packet;
	if (packet && d->d_count > 0 && d->d_shown == d->d_count)
		stream_enough(d);
}

/* => false: what comes is no pcapng */
static bool
blocks_take(struct dump *d)
{
	size_t at = 0;
	long len;

	while ((len = dump_block_length(d->d_buf + at, d->d_have - at)) > 0) {
		block_take(d, d->d_buf + at, (size_t)len);
		at += (size_t)len;
	}
	d->d_have -= at;
	memmove(d->d_buf, d->d_buf + at, d->d_have);
	return len == 0;
}

/* => 1: go on; 0: the stream has ended; -1: it makes no sense, or the output has failed */
static int
stream_read(struct dump *d)
{
	ssize_t n = recv(d->d_stream, d->d_buf + d->d_have, ROOM - d->d_have, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : 0;
	d->d_have += (size_t)n;
	if (!blocks_take(d)) {
		complain("dump: the server sends what is no pcapng; try: one of the same version");
		return -1;
	}
	if (fflush(d->d_out) != 0) {
		complain("dump: output: %s; try: another place for it", strerror(errno));
		return -1;
	}
	return n > 0 ? 1 : 0;
}

/* Until the stream ends. The first signal asks for that, the second does not wait. => exit status */
static int
stream_run(struct dump *d, const sigset_t *open)
{
	struct pollfd pfd = {.fd = d->d_stream, .events = POLLIN};
	int more = 1;

	while (more > 0 && interrupted < 2) {
		if (interrupted > 0)
			stream_enough(d);
		if (ppoll(&pfd, 1, NULL, open) > 0)
			more = stream_read(d);
	}
	if (more == 0 && !d->d_ending) {
		complain("dump: the server has ended; try: starting it again");
		return EXIT_REFUSED;
	}
	return more < 0 ? EXIT_REFUSED : 0;
}

static void
counts_tell(const struct dump *d)
{
	(void)fprintf(stderr, "%" PRIu64 " packets captured\n", d->d_shown);
	if (!d->d_parsed.ds_counted)
		return;
	(void)fprintf(stderr,
	    "%" PRIu64 " packets received by filter\n%" PRIu64
	    " packets dropped for want of room\n",
	    d->d_parsed.ds_recv, d->d_parsed.ds_drop);
}

/* --- options -------------------------------------------------------------------------------- */

/* => false: wrong usage */
static bool
option_take(struct dump *d, int c)
{
	uint64_t value;

	switch (c) {
	case 'i':
		d->d_ifname = strcmp(optarg, "any") == 0 ? "" : optarg;
		return strlen(optarg) < sizeof(d->d_request->cp_name);
	case 'w':
		d->d_file = optarg;
		return true;
	case 'e':
		return d->d_ether = true;
	case 'c':
		return number_parse(optarg, UINT64_MAX, &d->d_count) && d->d_count > 0;
	case 's':
		if (!number_parse(optarg, SNAPLEN, &value))
			return false;
		d->d_snaplen = value != 0 ? (uint32_t)value : SNAPLEN;
		return true;
	case 'Q':
		d->d_direction = strcmp(optarg, "in") == 0 ? FDSOCK_CAPTURE_IN
		    : strcmp(optarg, "out") == 0           ? FDSOCK_CAPTURE_OUT
							   : FDSOCK_CAPTURE_INOUT;
		return d->d_direction != FDSOCK_CAPTURE_INOUT || strcmp(optarg, "inout") == 0;
	default:
		return false;
	}
}

/* => -1: go on, or an exit status */
static int
options_read(struct dump *d, int argc, char **argv)
{
	static const struct option longopts[] = {{"help", no_argument, NULL, 'h'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "+i:w:c:s:Q:eh", longopts, NULL)) != -1) {
		if (c == 'h') {
			(void)fputs(help, stdout);
			return fflush(stdout) == 0 ? 0 : EXIT_REFUSED;
		}
		if (!option_take(d, c)) {
			complain("dump: -%c%s%s: not understood; try: rumpus dump --help",
			    c == '?' ? optopt : c, optarg != NULL ? " " : "",
			    optarg != NULL ? optarg : "");
			return EXIT_USAGE;
		}
	}
	return -1;
}

/* => an exit status; 0: d_out is open */
static int
output_open(struct dump *d)
{
	d->d_out = stdout;
	if (d->d_file != NULL && strcmp(d->d_file, "-") != 0)
		d->d_out = fopen(d->d_file, "wbe");
	if (d->d_out == NULL) {
		complain("dump: %s: %s; try: a file that you may write", d->d_file,
		    strerror(errno));
		return EXIT_REFUSED;
	}
	if (d->d_file != NULL && isatty(fileno(d->d_out))) {
		complain(
		    "dump: a capture file is not for a terminal; try: -w FILE, or | tcpdump -r -");
		return EXIT_REFUSED;
	}
	return 0;
}

/* Signals are seen only while it waits, whatever was blocked before; nohup stays what it is. */
static void
signals_set(sigset_t *open)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction sa = {.sa_handler = on_signal};
	struct sigaction old;
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		(void)sigaddset(&set, signals[i]);
		if (sigaction(signals[i], NULL, &old) != 0 || signals[i] != SIGHUP ||
		    old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &sa, NULL);
	}
	(void)sigprocmask(SIG_BLOCK, &set, open);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigdelset(open, signals[i]);
}

int
cmd_dump(const char *where, int argc, char **argv)
{
	static struct dump d = {.d_ifname = "",
	    .d_snaplen = SNAPLEN,
	    .d_direction = FDSOCK_CAPTURE_INOUT,
	    .d_stream = -1};
	int status = options_read(&d, argc, argv);
	sigset_t open;
	char *expression;

	if (status >= 0)
		return status;
	expression = words_join(argv + optind, argc - optind);
	status = expression != NULL ? request_make(&d, expression) : EXIT_REFUSED;
	free(expression);
	signals_set(&open);
	if (status == 0 && (status = output_open(&d)) == 0 &&
	    (status = stream_open(&d, where)) == 0) {
		status = stream_run(&d, &open);
		counts_tell(&d);
	}
	if (d.d_stream >= 0)
		(void)close(d.d_stream);
	free(d.d_request);
	return status;
}
