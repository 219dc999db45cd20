/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands (`sysctl NAME=VALUE`, a line each; ipcmd.c has more) and assertions, a small subset of
 * what other runners leave to Python: `assert A == B [and C < D] [, remark]`, a line each.
 *
 * Names: tcpi_* of the latest connection, counted as Linux does (windows in segments, times in us),
 * tcpi_*_bytes for the same in bytes; state: of the latest flow, CLOSED if there is none; tcps_*:
 * the stack's counters, so igmps_*, ip6s_*, icmp6s_*; drop_*: its drops by reason; now: us since the script
 * began; and the words that calls know too.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netinet/tcp_inspect.h"
#include "run.h"

/* -- commands --------------------------------------------------------------------------------- */

static char *
blanks(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\r')
		p++;
	return (char *)(uintptr_t)p;
}

/* Linux's names of settings that mean the same here, and by what a value is multiplied. */
static const struct {
	const char *lx_name;
	const char *lx_ours;
	unsigned lx_factor; /* 0: not a number */
} linux_settings[] = {
    {"net.ipv4.ip_default_ttl", "net.inet.ip.ttl", 1},
    {"net.ipv4.tcp_congestion_control", "net.inet.tcp.cc.algorithm", 0},
    {"net.ipv4.tcp_fin_timeout", "net.inet.tcp.finwait2_timeout", 1000},
    {"net.ipv4.tcp_keepalive_intvl", "net.inet.tcp.keepintvl", 1000},
    {"net.ipv4.tcp_keepalive_probes", "net.inet.tcp.keepcnt", 1},
    {"net.ipv4.tcp_keepalive_time", "net.inet.tcp.keepidle", 1000},
    {"net.ipv4.tcp_max_tw_buckets", "net.inet.tcp.maxtcptw", 1},
    {"net.ipv4.tcp_max_orphans", "net.inet.tcp.maxorphans", 1},
    {"net.ipv4.tcp_min_snd_mss", "net.inet.tcp.minmss", 1},
    {"net.ipv4.tcp_sack", "net.inet.tcp.sack.enable", 1},
};

/* `net.x=1`, `/proc/sys/net/ipv4/x=1`; what has no counterpart is an error, never passed over. */
static bool
setting_set(struct run *r, const char *name, const char *value)
{
	static const char proc[] = "/proc/sys/";
	char dotted[100], scaled[24];
	size_t n = 0;
	int error;

	if (strncmp(name, proc, sizeof(proc) - 1) == 0)
		name += sizeof(proc) - 1;
	for (; name[n] != '\0' && n + 1 < sizeof(dotted); n++)
		dotted[n] = name[n] == '/' ? '.' : name[n];
	dotted[n] = '\0';
	name = dotted;
	for (size_t i = 0; i < sizeof(linux_settings) / sizeof(linux_settings[0]); i++) {
		if (strcmp(name, linux_settings[i].lx_name) != 0)
			continue;
		name = linux_settings[i].lx_ours;
		if (linux_settings[i].lx_factor > 1) {
			snprintf(scaled, sizeof(scaled), "%lu",
			    strtoul(value, NULL, 10) * linux_settings[i].lx_factor);
			value = scaled;
		}
		if (linux_settings[i].lx_factor == 0 && strcmp(value, "reno") == 0)
			value = "newreno";
	}
	error = rumpus_sysctl_set(r->r_ns, name, value);
	return error == 0 ? true : run_fail(r, "sysctl %s=%s: %s", name, value, errno_name(error));
}

/* Passes over the command's word and its options. => false: not a command for settings */
static bool
command_skip(char **pp, char *line)
{
	char *p = line;
	size_t len = strcspn(p, " ");

	if (strncmp(p, "sysctl ", 7) != 0 &&
	    (len < 14 || strncmp(p + len - 14, "set_sysctls.py", 14) != 0))
		return false;
	for (p += len; *p == ' ' || *p == '\t';) {
		p += strspn(p, " \t");
		if (*p == '-')
			p += strcspn(p, " ");
	}
	*pp = p;
	return true;
}

static bool
command_line(struct run *r, const char *text, size_t len)
{
	char *p = NULL;
	static const char defaults[] = "/defaults.sh";
	char line[200], *value, *end, *next;
	bool more;

	if (len >= sizeof(line))
		return run_fail(r, "the command is too long");
	memcpy(line, text, len);
	line[len] = '\0';
	for (end = line + len; end > line && isspace((unsigned char)end[-1]);)
		*--end = '\0';
	len = (size_t)(end - line);
	if (len == 0)
		return true;
	if (len >= sizeof(defaults) && strcmp(end - (sizeof(defaults) - 1), defaults) == 0)
		return true; /* each script begins with the defaults here */
	if (strncmp(line, "ip ", 3) == 0)
		return ip_command_do(r, line + 3);
	if (!command_skip(&p, line) || (value = strchr(p, '=')) == NULL)
		return run_fail(r, "not a command: %s", line);
	*value++ = '\0';
	for (; *p != '\0'; p = blanks(next)) {
		next = value + strcspn(value, " ");
		more = *next != '\0';
		*next = '\0';
		next += more;
		if (!setting_set(r, p, value))
			return false;
		if ((value = strchr(next, '=')) == NULL)
			return *blanks(next) == '\0' ? true
						     : run_fail(r, "not a setting: %s", next);
		*value++ = '\0';
	}
	return true;
}

bool
command_do(struct run *r, const char *text)
{
	while (*text != '\0') {
		size_t len;

		text = blanks(text);
		len = strcspn(text, "\n;");
		if (!command_line(r, text, len))
			return false;
		text += len + (text[len] != '\0');
	}
	return true;
}

/* -- values ----------------------------------------------------------------------------------- */

struct value {
	struct run *v_run;
	const char *v_p;
};

static int64_t value_sum(struct value *v);

static int64_t
segments(uint32_t bytes, uint32_t mss)
{
	return mss == 0 ? 0 : bytes / mss;
}

#define FIELD(name)                                \
	if (strcmp(word, "tcpi_" #name) == 0) {    \
		*value = (int64_t)ti->tcpi_##name; \
		return true;                       \
	}

/* What Linux counts otherwise than in bytes. */
static bool
tcpi_counted(const struct bsd_tcp_info *ti, const char *word, int64_t *value)
{
	if (strcmp(word, "tcpi_snd_cwnd") == 0)
		*value = segments(ti->tcpi_snd_cwnd, ti->tcpi_snd_mss);
	else if (strcmp(word, "tcpi_snd_ssthresh") == 0)
		*value = ti->tcpi_snd_ssthresh > INT32_MAX / 2
		    ? INT32_MAX
		    : segments(ti->tcpi_snd_ssthresh, ti->tcpi_snd_mss);
	else if (strcmp(word, "tcpi_unacked") == 0)
		*value = segments(ti->tcpi_unacked + ti->tcpi_snd_mss - 1, ti->tcpi_snd_mss);
	else if (strcmp(word, "tcpi_snd_cwnd_bytes") == 0)
		*value = ti->tcpi_snd_cwnd;
	else if (strcmp(word, "tcpi_snd_ssthresh_bytes") == 0)
		*value = ti->tcpi_snd_ssthresh;
	else if (strcmp(word, "tcpi_unacked_bytes") == 0)
		*value = ti->tcpi_unacked;
	else if (strcmp(word, "tcpi_notsent_bytes") == 0)
		*value = ti->tcpi_notsent;
	else
		return false;
	return true;
}

static bool
tcpi_field(const struct bsd_tcp_info *ti, const char *word, int64_t *value)
{
	FIELD(state)
	FIELD(ca_state)
	FIELD(retransmits)
	FIELD(probes)
	FIELD(options)
	FIELD(snd_wscale)
	FIELD(rcv_wscale)
	FIELD(rto)
	FIELD(rtt)
	FIELD(rttvar)
	FIELD(min_rtt)
	FIELD(snd_mss)
	FIELD(advmss)
	FIELD(pmtu)
	FIELD(snd_wnd)
	FIELD(rcv_wnd)
	FIELD(rcv_space)
	FIELD(rcv_ooo)
	FIELD(last_data_sent_ms)
	FIELD(last_rcv_ms)
	FIELD(total_retrans)
	FIELD(rcv_ooopack)
	FIELD(bytes_sent)
	FIELD(bytes_retrans)
	FIELD(bytes_received)
	FIELD(pacing_rate)
	FIELD(max_pacing_rate)
	return tcpi_counted(ti, word, value);
}

static bool
tcpi_value(struct run *r, const char *word, int64_t *value)
{
	struct bsd_tcp_info ti = {0};
	uint32_t len = sizeof(ti);

	if (rumpus_getsockopt(r->r_proc, r->r_lastfd, BSD_IPPROTO_TCP, BSD_TCP_INFO, &ti, &len) !=
	    0)
		return run_fail(r, "there is no connection to ask for %s", word);
	return tcpi_field(&ti, word, value);
}

/* The state of the latest flow's connection, whether a socket refers to it or not. */
static int64_t
flow_state(const struct run *r)
{
	struct tcp_inspect ti;

	for (uint32_t i = 0; r->r_flow != NULL && tcp_inspect_nth(r->r_ns, i, &ti); i++) {
		if (ti.ti_lport == r->r_flow->fl_lport && ti.ti_fport == r->r_flow->fl_rport)
			return ti.ti_state;
	}
	return BSD_TCPS_CLOSED;
}

static bool
word_value(struct run *r, const char *word, int64_t *value)
{
	static const struct {
		const char *front;
		const char *sysctl;
	} counters[] = {
	    {"tcps_", "net.inet.tcp.stats."},
	    {"igmps_", "net.inet.igmp.stats."},
	    {"ip6s_", "net.inet6.ip6.stats."},
	    {"icmp6s_", "net.inet6.icmp6.stats."},
	    {"drop_", "net.drop."},
	};
	char name[120] = "";
	uint64_t counter;

	if (strcmp(word, "state") == 0) {
		*value = flow_state(r);
		return true;
	}
	if (strcmp(word, "now") == 0) {
		*value = (int64_t)(r->r_now_ns / 1000);
		return true;
	}
	if (strncmp(word, "tcpi_", 5) == 0)
		return tcpi_value(r, word, value);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		size_t len = strlen(counters[i].front);

		if (strncmp(word, counters[i].front, len) == 0)
			snprintf(name, sizeof(name), "%s%s", counters[i].sysctl, word + len);
	}
	if (name[0] == '\0')
		return name_value(word, strlen(word), value);
	if (rumpus_sysctl_get(r->r_ns, name, &counter) != 0)
		return false;
	*value = (int64_t)counter;
	return true;
}

/* A number, a name, or a sum in parentheses. */
static int64_t
value_atom(struct value *v)
{
	char word[80];
	int64_t value = 0;
	size_t len = 0;
	char *end;

	v->v_p = blanks(v->v_p);
	if (*v->v_p == '(') {
		v->v_p++;
		value = value_sum(v);
		v->v_p = blanks(v->v_p);
		if (*v->v_p++ != ')')
			run_fail(v->v_run, "')' is missing in the assertion");
		return value;
	}
	if (isdigit((unsigned char)*v->v_p) || *v->v_p == '-') {
		value = strtoll(v->v_p, &end, 0);
		v->v_p = end;
		return value;
	}
	while ((isalnum((unsigned char)v->v_p[len]) || v->v_p[len] == '_' || v->v_p[len] == '.') &&
	    len + 1 < sizeof(word)) {
		word[len] = v->v_p[len];
		len++;
	}
	word[len] = '\0';
	v->v_p += len;
	if (!word_value(v->v_run, word, &value))
		run_fail(v->v_run, "\"%s\" is unknown to assertions", word);
	return value;
}

static int64_t
value_product(struct value *v)
{
	int64_t value = value_atom(v), by;
	char op;

	for (;;) {
		v->v_p = blanks(v->v_p);
		op = *v->v_p;
		if (op != '*' && op != '/' && op != '&')
			return value;
		v->v_p++;
		by = value_atom(v);
		if (op == '/' && by == 0)
			run_fail(v->v_run, "division by zero");
		else
			value = op == '*' ? value * by : op == '&' ? value & by : value / by;
	}
}

static int64_t
value_sum(struct value *v)
{
	int64_t value = value_product(v);

	for (;;) {
		v->v_p = blanks(v->v_p);
		if (*v->v_p == '+') {
			v->v_p++;
			value += value_product(v);
		} else if (*v->v_p == '-') {
			v->v_p++;
			value -= value_product(v);
		} else {
			return value;
		}
	}
}

/* -- assertions ------------------------------------------------------------------------------- */

static bool
compare(int64_t a, const char *op, int64_t b)
{
	if (op[1] == '=')
		return op[0] == '=' ? a == b
		    : op[0] == '!'  ? a != b
		    : op[0] == '<'  ? a <= b
				    : a >= b;
	return op[0] == '<' ? a < b : a > b;
}

static bool
assert_one(struct value *v)
{
	const char *from = blanks(v->v_p), *op;
	int64_t a = value_sum(v), b;

	v->v_p = op = blanks(v->v_p);
	if (strchr("=!<>", *op) == NULL || *op == '\0' ||
	    ((*op == '=' || *op == '!') && op[1] != '='))
		return run_fail(v->v_run, "a comparison is missing: %s", op);
	v->v_p += op[1] == '=' ? 2 : 1;
	b = value_sum(v);
	if (v->v_run->r_failed || compare(a, op, b))
		return !v->v_run->r_failed;
	return run_fail(v->v_run, "%.*s does not hold: %lld and %lld", (int)(v->v_p - from), from,
	    (long long)a, (long long)b);
}

static bool
assert_line(struct run *r, const char *line)
{
	struct value v = {.v_run = r, .v_p = blanks(line)};

	if (*v.v_p == '\0' || *v.v_p == '#')
		return true;
	if (strncmp(v.v_p, "assert ", 7) == 0)
		v.v_p += 7;
	for (;;) {
		if (!assert_one(&v))
			return false;
		v.v_p = blanks(v.v_p);
		if (strncmp(v.v_p, "and ", 4) != 0)
			break;
		v.v_p += 4;
	}
	if (*v.v_p == '\0' || *v.v_p == ',')
		return true;
	return run_fail(r, "not understood: %s", v.v_p);
}

bool
assert_do(struct run *r, const char *text)
{
	char line[300];

	while (*text != '\0') {
		size_t len = strcspn(text, "\n;");

		if (len >= sizeof(line))
			return run_fail(r, "the assertion is too long");
		memcpy(line, text, len);
		line[len] = '\0';
		if (!assert_line(r, line))
			return false;
		text += len + (text[len] != '\0');
	}
	return true;
}
