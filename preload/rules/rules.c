/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of which sockets go to the stack: see rules.h. */
#include "rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { KIND_TCP = 1, KIND_UDP = 2, KIND_ICMP = 4, KIND_RAW = 8, KIND_ALL = 15 };
enum { OPS_ALL = 1 << RULE_CONNECT | 1 << RULE_BIND };
#define TYPE_MASK 0xf /* SOCK_NONBLOCK and SOCK_CLOEXEC off */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* --- text ----------------------------------------------------------------------------------- */

struct word {
	char w_text[64];
	const char *w_rest;
	int w_line;
};

static bool
is_end(char c)
{
	return c == '\n' || c == ';' || c == '\0' || c == '#';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the rule. => false: the rule ends here, or the word is too long (w_text "?"). */
static bool
word_next(struct word *w)
{
	const char *p = w->w_rest;
	size_t n = 0;

	while (is_blank(*p))
		p++;
	while (!is_blank(*p) && !is_end(*p)) {
		if (n + 1 < sizeof(w->w_text))
			w->w_text[n++] = *p;
		p++;
	}
	w->w_text[n] = '\0';
	w->w_rest = p;
	return n > 0;
}

/* On to the next rule. => false at the end of the text */
static bool
rule_next(struct word *w)
{
	const char *p = w->w_rest;

	if (*p == '#')
		p += strcspn(p, "\n");
	if (*p == '\0')
		return false;
	if (*p == '\n')
		w->w_line++;
	w->w_rest = p + 1;
	return true;
}

static bool
number_parse(const char **pp, unsigned most, unsigned *vp)
{
	const char *p = *pp;
	unsigned v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (unsigned)(*p - '0');
		if (v > most)
			return false;
	}
	*pp = p;
	*vp = v;
	return true;
}

static const char *
port_parse(struct rule *ru, struct word *w)
{
	const char *p = w->w_text;
	unsigned low, high;

	if (!word_next(w) || !number_parse(&p, 65535, &low))
		return "port needs a number from 0 to 65535";
	high = low;
	if (*p == '-' && (p++, !number_parse(&p, 65535, &high)))
		return "port needs a number from 0 to 65535";
	if (*p != '\0' || high < low)
		return "port is N or N-M";
	ru->ru_port_low = (uint16_t)low;
	ru->ru_port_high = (uint16_t)high;
	return NULL;
}

static const char *
address_parse(struct rule *ru, char *text)
{
	char *slash = strchr(text, '/');
	const char *p = slash != NULL ? slash + 1 : NULL;
	unsigned width, length;

	if (slash != NULL)
		*slash = '\0';
	if (inet_pton(AF_INET, text, ru->ru_addr + 12) == 1) {
		memcpy(ru->ru_addr, mapped, sizeof(mapped));
		width = 32;
	} else if (inet_pton(AF_INET6, text, ru->ru_addr) == 1) {
		width = 128;
	} else {
		return "no such word or address";
	}
	length = width;
	if (p != NULL && (!number_parse(&p, width, &length) || *p != '\0'))
		return "bad length of an address's prefix";
	if (width == 32 || length > 0)
		ru->ru_length = (uint8_t)(128 - width + length);
	return NULL;
}

struct keyword {
	const char *k_text;
	uint16_t k_family;
	uint8_t k_types;
	uint8_t k_ops;
};

static const struct keyword keywords[] = {
    {"any", 0, 0, 0},
    {"inet", AF_INET, 0, 0},
    {"inet6", AF_INET6, 0, 0},
    {"tcp", 0, KIND_TCP, 0},
    {"udp", 0, KIND_UDP, 0},
    {"icmp", 0, KIND_ICMP, 0},
    {"raw", 0, KIND_RAW, 0},
    {"connect", 0, 0, 1 << RULE_CONNECT},
    {"bind", 0, 0, 1 << RULE_BIND},
};

/* => NULL, or what is wrong */
static const char *
word_parse(struct rule *ru, struct word *w)
{
	if (strcmp(w->w_text, "port") == 0)
		return port_parse(ru, w);
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		const struct keyword *k = &keywords[i];

		if (strcmp(w->w_text, k->k_text) != 0)
			continue;
		ru->ru_family = k->k_family != 0 ? k->k_family : ru->ru_family;
		ru->ru_types = k->k_types != 0 ? k->k_types : ru->ru_types;
		ru->ru_ops = k->k_ops != 0 ? k->k_ops : ru->ru_ops;
		return NULL;
	}
	return address_parse(ru, w->w_text);
}

/* The rule whose first word is at hand. */
static const char *
rule_parse(struct rules *rs, struct word *w)
{
	struct rule ru = {.ru_ops = OPS_ALL, .ru_types = KIND_ALL, .ru_port_high = 65535};
	const char *why;

	if (strcmp(w->w_text, "stack") != 0 && strcmp(w->w_text, "host") != 0)
		return "a rule begins with stack or host";
	if (rs->rs_n == RULES_MAX)
		return "too many rules";
	ru.ru_stack = w->w_text[0] == 's';
	while (word_next(w)) {
		if ((why = word_parse(&ru, w)) != NULL)
			return why;
	}
	rs->rs_rule[rs->rs_n++] = ru;
	return NULL;
}

int
rules_parse(struct rules *rs, const char *text, struct rules_error *re)
{
	struct word w = {.w_rest = text, .w_line = 1};
	const char *why;

	do {
		if (!word_next(&w) || (why = rule_parse(rs, &w)) == NULL)
			continue;
		if (re != NULL)
			*re = (struct rules_error){.re_line = w.w_line, .re_why = why};
		return EINVAL;
	} while (rule_next(&w));
	return 0;
}

/* --- questions ------------------------------------------------------------------------------ */

static unsigned
kind_of(int type, int protocol)
{
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		return KIND_ICMP;
	switch (type & TYPE_MASK) {
	case SOCK_STREAM:
		return KIND_TCP;
	case SOCK_DGRAM:
		return KIND_UDP;
	default:
		return KIND_RAW;
	}
}

/* The address as 128 bits. => its port in host order */
static uint16_t
address_flatten(enum rule_op op, const struct sockaddr *sa, uint8_t out[16])
{
	static const uint8_t zeros[16];
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;

	if (sa->sa_family == AF_INET6) {
		memcpy(&sin6, sa, sizeof(sin6));
		memcpy(out, &sin6.sin6_addr, 16);
		if (op == RULE_CONNECT && memcmp(out, zeros, 16) == 0)
			out[15] = 1;
		return ntohs(sin6.sin6_port);
	}
	memcpy(&sin, sa, sizeof(sin));
	memcpy(out, mapped, sizeof(mapped));
	if (op == RULE_CONNECT && sin.sin_addr.s_addr == htonl(INADDR_ANY))
		sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(out + 12, &sin.sin_addr, 4);
	return ntohs(sin.sin_port);
}

static bool
prefix_matches(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool
rule_is_of_kind(const struct rule *ru, int family, unsigned kind)
{
	return (ru->ru_types & kind) != 0 && (ru->ru_family == 0 || ru->ru_family == family);
}

bool
rules_stack(const struct rules *rs, enum rule_op op, int type, int protocol,
    const struct sockaddr *sa)
{
	uint8_t addr[16];
	uint16_t port = address_flatten(op, sa, addr);
	unsigned kind = kind_of(type, protocol);

	for (int i = 0; i < rs->rs_n; i++) {
		const struct rule *ru = &rs->rs_rule[i];

		if (rule_is_of_kind(ru, sa->sa_family, kind) && (ru->ru_ops & 1u << op) != 0 &&
		    port >= ru->ru_port_low && port <= ru->ru_port_high &&
		    prefix_matches(addr, ru->ru_addr, ru->ru_length))
			return ru->ru_stack;
	}
	return false;
}

bool
rules_possible(const struct rules *rs, int family, int type, int protocol)
{
	unsigned kind = kind_of(type, protocol);

	for (int i = 0; i < rs->rs_n; i++) {
		const struct rule *ru = &rs->rs_rule[i];
		bool always = ru->ru_length == 0 && ru->ru_ops == OPS_ALL && ru->ru_port_low == 0 &&
		    ru->ru_port_high == 65535;

		if (!rule_is_of_kind(ru, family, kind))
			continue;
		if (ru->ru_stack)
			return true;
		if (always)
			return false;
	}
	return false;
}
