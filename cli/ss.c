/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rumpus ss: the sockets of a server, as ss(8) shows those of the host.
 *
 * The list comes some at a time over the control socket, and is shown as it comes: its order is that
 * of the server's hash, and what comes or goes meanwhile may be missing or be there twice.
 */
#include "ss.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "rumpus.h"

static const char help[] =
    "usage: rumpus [-s PATH] ss [-tuwlaniepsHj46] [state STATE] [exclude STATE] [FILTER]\n"
    "\n"
    "Shows the sockets of a server; without options, the connections there are.\n"
    "\n"
    "  -t  -u  -w       of TCP, of UDP, raw ones and those of ping; without, all\n"
    "  -l               those that listen or wait for datagrams    -a   all\n"
    "  -n               ports as numbers\n"
    "  -i               with TCP_INFO: congestion control, round trip, window, losses\n"
    "  -e               with the cookie: SO_COOKIE of the descriptor\n"
    "  -p               with the process that made it; for root and who started the server\n"
    "  -s               only how many there are in each state\n"
    "  -H               without the line of headings\n"
    "  -j               JSON, one object a line\n"
    "  -4  -6           sockets of IPv4, of IPv6; without, both\n"
    "  STATE            established, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait, closed,\n"
    "                   close-wait, last-ack, listening, closing; all, connected, synchronized,\n"
    "                   bucket, big\n"
    "  FILTER           sport = :22, dport > 1023, src 10.0.0.0/8, dst 10.0.0.1:80, src fd00::/8,\n"
    "                   dst [fd00::1]:80, joined by and, or, not and parentheses\n"
    "\n"
    "Recv-Q and Send-Q: of a listener, the connections that wait for accept, and its backlog; of\n"
    "others, bytes. Those that the stack has handed to the descriptor, and its reader has not taken,\n"
    "count as the host counts them, with its overhead.\n"
    "The server: -s before ss, $RUMPUS_SERVER, $XDG_RUNTIME_DIR/rumpus/default.sock,\n"
    "/run/rumpus/default.sock.\n"
    "Exit status: 0 ok, 1 refused or failed, 2 wrong usage, 3 no server.\n";

enum { KIND_TCP = 1, KIND_UDP = 2, KIND_RAW = 4, KIND_ALL = 7 };

struct ss {
	unsigned s_kinds;
	uint32_t s_states;
	int s_family; /* AF_UNSPEC: both */
	bool s_listening;
	bool s_all;
	bool s_numeric;
	bool s_info;
	bool s_extended;
	bool s_process;
	bool s_summary;
	bool s_noheader;
	bool s_json;
	struct ss_filter *s_filter;
	uint64_t s_counts[2][SS_STATES]; /* by TCP or not */
};

static const struct {
	unsigned kind;
	const char *name;
} kinds[] = {{KIND_TCP, "tcp"}, {KIND_UDP, "udp"}, {KIND_RAW, "raw"}};

static bool
is_ping(const struct fdsock_sockinfo *si)
{
	return si->si_protocol == IPPROTO_ICMP || si->si_protocol == IPPROTO_ICMPV6;
}

static unsigned
kind_of(const struct fdsock_sockinfo *si)
{
	if (si->si_type == SOCK_STREAM)
		return KIND_TCP;
	return si->si_type == SOCK_DGRAM && !is_ping(si) ? KIND_UDP : KIND_RAW;
}

static const char *
kind_name(const struct fdsock_sockinfo *si)
{
	if (si->si_type == SOCK_DGRAM && is_ping(si))
		return si->si_protocol == IPPROTO_ICMP ? "icmp" : "icmp6";
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].kind == kind_of(si))
			return kinds[i].name;
	}
	return "?";
}

/* --- lines ---------------------------------------------------------------------------------- */

#define ADDR_TEXT (INET6_ADDRSTRLEN + 16) /* with a scope */

static void
addr_text(const struct fdsock_sockinfo *si, bool local, char text[ADDR_TEXT])
{
	const uint8_t *addr = local ? si->si_laddr : si->si_paddr;
	const uint32_t scope = local ? si->si_lscope_id : si->si_pscope_id;

	if (inet_ntop(si->si_family == AF_INET6 ? AF_INET6 : AF_INET, addr, text, ADDR_TEXT) ==
	    NULL)
		(void)snprintf(text, ADDR_TEXT, "?");
	if (scope != 0)
		(void)snprintf(text + strlen(text), ADDR_TEXT - strlen(text), "%%%" PRIu32, scope);
}

/* As ss(8): of IPv6 in brackets; without an address and of both families, a star. */
static void
addr_shown(const struct fdsock_sockinfo *si, bool local, char *text, size_t len)
{
	const uint8_t *addr = local ? si->si_laddr : si->si_paddr;
	char plain[ADDR_TEXT];

	addr_text(si, local, plain);
	if (si->si_family != AF_INET6)
		(void)snprintf(text, len, "%s", plain);
	else if (memcmp(addr, &in6addr_any, 16) == 0 && (si->si_flags & FDSOCK_SI_V6ONLY) == 0)
		(void)snprintf(text, len, "*");
	else
		(void)snprintf(text, len, "[%s]", plain);
}

static void
name_print(const struct ss *s, const struct fdsock_sockinfo *si, bool local)
{
	const uint16_t port = local ? si->si_lport : si->si_pport;
	const struct servent *se = NULL;
	char addr[ADDR_TEXT + 2], text[16];

	addr_shown(si, local, addr, sizeof(addr));
	if (kind_of(si) == KIND_RAW && !(local && si->si_type == SOCK_DGRAM))
		(void)snprintf(text, sizeof(text), local ? "%u" : "*", si->si_protocol);
	else if (port == 0)
		(void)snprintf(text, sizeof(text), "*");
	else if (!s->s_numeric && kind_of(si) != KIND_RAW &&
	    (se = getservbyport(port, kind_name(si))) != NULL)
		(void)snprintf(text, sizeof(text), "%s", se->s_name);
	else
		(void)snprintf(text, sizeof(text), "%u", ntohs(port));
	(void)printf(" %15s:%-8s", addr, text);
}

/* The name that a process has now. */
static void
process_name(uint32_t pid, char *name, size_t len)
{
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/comm", pid);
	f = fopen(path, "re");
	if (f == NULL || fgets(name, (int)len, f) == NULL)
		(void)snprintf(name, len, "?");
	name[strcspn(name, "\n")] = '\0';
	if (f != NULL)
		(void)fclose(f);
}

static void
info_print(const struct fdsock_sockinfo *si, const struct tcp_info *ti)
{
	(void)printf("\n\t %s", si->si_congctl);
	if ((ti->tcpi_options & TCPI_OPT_TIMESTAMPS) != 0)
		(void)printf(" ts");
	if ((ti->tcpi_options & TCPI_OPT_SACK) != 0)
		(void)printf(" sack");
	if ((ti->tcpi_options & TCPI_OPT_ECN) != 0)
		(void)printf(" ecn");
	if ((ti->tcpi_options & TCPI_OPT_WSCALE) != 0)
		(void)printf(" wscale:%u,%u", ti->tcpi_snd_wscale, ti->tcpi_rcv_wscale);
	(void)printf(" rto:%g rtt:%g/%g minrtt:%g mss:%u pmtu:%u advmss:%u cwnd:%u",
	    ti->tcpi_rto / 1e3, ti->tcpi_rtt / 1e3, ti->tcpi_rttvar / 1e3, ti->tcpi_min_rtt / 1e3,
	    ti->tcpi_snd_mss, ti->tcpi_pmtu, ti->tcpi_advmss, ti->tcpi_snd_cwnd);
	if (ti->tcpi_snd_ssthresh < INT32_MAX)
		(void)printf(" ssthresh:%u", ti->tcpi_snd_ssthresh);
	(void)printf(" bytes_sent:%llu bytes_retrans:%llu bytes_acked:%llu bytes_received:%llu",
	    (unsigned long long)ti->tcpi_bytes_sent, (unsigned long long)ti->tcpi_bytes_retrans,
	    (unsigned long long)ti->tcpi_bytes_acked, (unsigned long long)ti->tcpi_bytes_received);
	(void)printf(" lastsnd:%u lastrcv:%u unacked:%u retrans:%u/%u rcv_ooopack:%u notsent:%u",
	    ti->tcpi_last_data_sent, ti->tcpi_last_data_recv, ti->tcpi_unacked,
	    ti->tcpi_retransmits, ti->tcpi_total_retrans, ti->tcpi_rcv_ooopack,
	    ti->tcpi_notsent_bytes);
	(void)printf(" rcv_space:%u snd_wnd:%u", ti->tcpi_rcv_space, ti->tcpi_snd_wnd);
}

static void
line_print(const struct ss *s, const struct fdsock_sockinfo *si, const struct tcp_info *ti)
{
	char name[32];

	(void)printf("%-5s %-10s %6" PRIu32 " %6" PRIu32, kind_name(si), ss_statename(si->si_state),
	    si->si_recvq, si->si_sendq);
	name_print(s, si, true);
	name_print(s, si, false);
	if (s->s_process && si->si_owner != 0) {
		process_name(si->si_owner, name, sizeof(name));
		(void)printf(" users:((\"%s\",pid=%" PRIu32 "))", name, si->si_owner);
	}
	if (s->s_extended && si->si_cookie != 0)
		(void)printf(" sk:%" PRIx64, si->si_cookie);
	if (s->s_info && kind_of(si) == KIND_TCP && si->si_state != SS_LISTEN)
		info_print(si, ti);
	(void)putchar('\n');
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void
json_number(json_t *object, const char *name, uint64_t value)
{
	(void)json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void
json_info(json_t *object, const struct fdsock_sockinfo *si, const struct tcp_info *ti)
{
	(void)json_object_set_new(object, "congestion", json_string(si->si_congctl));
	json_number(object, "rto_us", ti->tcpi_rto);
	json_number(object, "rtt_us", ti->tcpi_rtt);
	json_number(object, "rttvar_us", ti->tcpi_rttvar);
	json_number(object, "minrtt_us", ti->tcpi_min_rtt);
	json_number(object, "mss", ti->tcpi_snd_mss);
	json_number(object, "cwnd", ti->tcpi_snd_cwnd);
	json_number(object, "ssthresh", ti->tcpi_snd_ssthresh);
	json_number(object, "unacked", ti->tcpi_unacked);
	json_number(object, "retrans", ti->tcpi_total_retrans);
	json_number(object, "bytes_sent", ti->tcpi_bytes_sent);
	json_number(object, "bytes_retrans", ti->tcpi_bytes_retrans);
	json_number(object, "bytes_acked", ti->tcpi_bytes_acked);
	json_number(object, "bytes_received", ti->tcpi_bytes_received);
	json_number(object, "notsent", ti->tcpi_notsent_bytes);
	json_number(object, "snd_wnd", ti->tcpi_snd_wnd);
}

static void
json_print(const struct ss *s, const struct fdsock_sockinfo *si, const struct tcp_info *ti)
{
	json_t *object = json_object();
	char addr[ADDR_TEXT];

	(void)json_object_set_new(object, "netid", json_string(kind_name(si)));
	(void)json_object_set_new(object, "state", json_string(ss_statename(si->si_state)));
	json_number(object, "recv_q", si->si_recvq);
	json_number(object, "send_q", si->si_sendq);
	addr_text(si, true, addr);
	(void)json_object_set_new(object, "local", json_string(addr));
	json_number(object, "lport", ntohs(si->si_lport));
	addr_text(si, false, addr);
	(void)json_object_set_new(object, "peer", json_string(addr));
	json_number(object, "pport", ntohs(si->si_pport));
	json_number(object, "protocol", si->si_protocol);
	if (si->si_cookie != 0)
		json_number(object, "cookie", si->si_cookie);
	if (si->si_owner != 0)
		json_number(object, "pid", si->si_owner);
	if (s->s_info && kind_of(si) == KIND_TCP && si->si_state != SS_LISTEN)
		json_info(object, si, ti);
	(void)json_dumpf(object, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(object);
}

/* --- the list ------------------------------------------------------------------------------- */

static void
entry_take(struct ss *s, const struct fdsock_sockinfo *si, const struct tcp_info *ti)
{
	if (si->si_state >= SS_STATES || (s->s_kinds & kind_of(si)) == 0 ||
	    (s->s_family != AF_UNSPEC && s->s_family != si->si_family) ||
	    (s->s_states & SS_STATE(si->si_state)) == 0 || !ss_filter_match(s->s_filter, si))
		return;
	s->s_counts[kind_of(si) != KIND_TCP][si->si_state]++;
	if (s->s_summary)
		return;
	if (s->s_json)
		json_print(s, si, ti);
	else
		line_print(s, si, ti);
}

/* A listener has a twin in each further stack, with the same descriptor. */
static void
entries_take(struct ss *s, const struct control_answer *ca, uint32_t stack)
{
	const size_t stride = (size_t)ca->ca_reply.fp_value[0];
	struct fdsock_sockinfo si;
	struct tcp_info ti = {0};

	for (size_t at = sizeof(struct fdsock_sockets); at + stride <= ca->ca_reply.fp_datalen;
	     at += stride) {
		memcpy(&si, ca->ca_data + at, sizeof(si));
		if (stride >= sizeof(si) + sizeof(ti))
			memcpy(&ti, ca->ca_data + at + sizeof(si), sizeof(ti));
		if (stack == 0 || si.si_state != SS_LISTEN)
			entry_take(s, &si, &ti);
	}
}

/* => 0 or errno */
static int
list_run(struct ss *s, int sock)
{
	struct fdsock_sockets sk = {.sk_flags = s->s_info ? FDSOCK_SOCKETS_TCPINFO : 0};
	static struct control_answer ca;
	uint32_t stack;
	int error;

	do {
		stack = sk.sk_stack;
		error = control_ask(sock, FDSOCK_OP_SOCKETS, 0, &sk, sizeof(sk), &ca);
		if (error != 0)
			return error;
		if (ca.ca_reply.fp_datalen < sizeof(sk) ||
		    ca.ca_reply.fp_value[0] < (int32_t)sizeof(struct fdsock_sockinfo))
			return EPROTO;
		memcpy(&sk, ca.ca_data, sizeof(sk));
		entries_take(s, &ca, stack);
	} while ((sk.sk_flags & FDSOCK_SOCKETS_END) == 0 && !ferror(stdout));
	return 0;
}

static void
summary_print(const struct ss *s)
{
	for (unsigned other = 0; other < 2; other++) {
		json_t *object = s->s_json ? json_object() : NULL;
		uint64_t all = 0;

		for (unsigned i = 1; i < SS_STATES; i++)
			all += s->s_counts[other][i];
		if (object == NULL)
			(void)printf("%s %" PRIu64, other != 0 ? "other:" : "TCP:", all);
		for (unsigned i = 1; i < SS_STATES; i++) {
			if (object != NULL)
				json_number(object, ss_statename(i), s->s_counts[other][i]);
			else if (s->s_counts[other][i] != 0)
				(void)printf("  %s %" PRIu64, ss_statename(i),
				    s->s_counts[other][i]);
		}
		if (object != NULL) {
			(void)json_object_set_new(object, "netid",
			    json_string(other != 0 ? "other" : "tcp"));
			(void)json_dumpf(object, stdout, JSON_COMPACT);
			json_decref(object);
		}
		(void)putchar('\n');
	}
}

/* --- the command ---------------------------------------------------------------------------- */

/* => false: no such option */
static bool
option_take(struct ss *s, int c)
{
	switch (c) {
	case 't':
		s->s_kinds |= KIND_TCP;
		return true;
	case 'u':
		s->s_kinds |= KIND_UDP;
		return true;
	case 'w':
		s->s_kinds |= KIND_RAW;
		return true;
	case 'l':
		return s->s_listening = true;
	case 'a':
		return s->s_all = true;
	case 'n':
		return s->s_numeric = true;
	case 'i':
		return s->s_info = true;
	case 'e':
		return s->s_extended = true;
	case 'p':
		return s->s_process = true;
	case 's':
		return s->s_summary = true;
	case 'H':
		return s->s_noheader = true;
	case 'j':
		return s->s_json = true;
	case '4':
		s->s_family = AF_INET;
		return true;
	case '6':
		s->s_family = AF_INET6;
		return true;
	default:
		return false;
	}
}

/* => -1: go on, or an exit status */
static int
options_read(struct ss *s, int argc, char **argv)
{
	static const struct option longopts[] = {{"tcp", no_argument, NULL, 't'},
	    {"udp", no_argument, NULL, 'u'}, {"raw", no_argument, NULL, 'w'},
	    {"listening", no_argument, NULL, 'l'}, {"all", no_argument, NULL, 'a'},
	    {"numeric", no_argument, NULL, 'n'}, {"info", no_argument, NULL, 'i'},
	    {"extended", no_argument, NULL, 'e'}, {"processes", no_argument, NULL, 'p'},
	    {"summary", no_argument, NULL, 's'}, {"no-header", no_argument, NULL, 'H'},
	    {"json", no_argument, NULL, 'j'}, {"ipv4", no_argument, NULL, '4'},
	    {"ipv6", no_argument, NULL, '6'}, {"help", no_argument, NULL, 'h'}, {0}};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+tuwlaniepsHj46h", longopts, NULL)) != -1) {
		if (c == 'h') {
			(void)fputs(help, stdout);
			return fflush(stdout) == 0 ? 0 : EXIT_REFUSED;
		}
		if (!option_take(s, c)) {
			complain("ss: %s: not understood; try: rumpus ss --help", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (s->s_kinds == 0)
		s->s_kinds = KIND_ALL;
	if (s->s_all || s->s_summary)
		s->s_states = SS_ALL;
	else if (s->s_listening)
		s->s_states = SS_STATE(SS_LISTEN) | SS_STATE(SS_UNCONN);
	else
		s->s_states = SS_CONNECTED & ~(SS_STATE(SS_TIME_WAIT) | SS_STATE(SS_SYN_RECV));
	return -1;
}

/* "state STATE" and "exclude STATE", each as often as wanted, then a filter. => as above */
static int
words_read(struct ss *s, int n, char **words)
{
	uint32_t only = 0, but = 0;
	char why[256];

	for (; n > 0 && (strcmp(*words, "state") == 0 || strcmp(*words, "exclude") == 0);
	     n -= 2, words += 2) {
		uint32_t states = n > 1 ? ss_stateword(words[1]) : 0;

		if (states == 0) {
			complain("ss: %s: no such state; try: rumpus ss --help",
			    n > 1 ? words[1] : words[0]);
			return EXIT_USAGE;
		}
		if (words[0][0] == 's')
			only |= states;
		else
			but |= states;
	}
	if (only != 0)
		s->s_states = only;
	else if (but != 0)
		s->s_states = SS_ALL;
	s->s_states &= ~but;
	s->s_filter = ss_filter_parse(words, n, why, sizeof(why));
	if (s->s_filter == NULL)
		complain("ss: %s; try: rumpus ss --help", why);
	return s->s_filter == NULL ? EXIT_USAGE : -1;
}

static int
list_show(struct ss *s, int sock, const char *path)
{
	int error;

	if (!s->s_noheader && !s->s_json && !s->s_summary)
		(void)printf("%-5s %-10s %6s %6s %15s:%-8s %15s:%-8s\n", "Netid", "State", "Recv-Q",
		    "Send-Q", "Local Address", "Port", "Peer Address", "Port");
	error = list_run(s, sock);
	if (error != 0) {
		complain("ss: %s: %s; try: again", path, strerror(error));
		return EXIT_REFUSED;
	}
	if (s->s_summary)
		summary_print(s);
	if (fflush(stdout) != 0) {
		complain("output: %s; try: another place for it", strerror(errno));
		return EXIT_REFUSED;
	}
	return 0;
}

int
cmd_ss(const char *where, int argc, char **argv)
{
	static struct ss s;
	char path[256];
	int status = options_read(&s, argc, argv), sock, error;

	if (status < 0)
		status = words_read(&s, argc - optind, argv + optind);
	if (status >= 0)
		return status;
	control_place(where, path, sizeof(path));
	error = control_connect(path, &sock);
	if (error == 0) {
		status = list_show(&s, sock, path);
		(void)close(sock);
	} else {
		complain("server: %s: %s; try: rumpus -s PATH, or start rumpusd", path,
		    strerror(error));
		status = EXIT_NOSERVER;
	}
	free(s.s_filter);
	return status;
}
