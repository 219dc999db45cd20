/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filters of ss(8): states by name, and expressions of addresses and ports.
 *
 *   or-expression   and-expression { or and-expression }
 *   and-expression  term { [and] term }
 *   term            not term | ( or-expression ) | condition
 *   condition       sport|dport [OPERATOR] [:]PORT | src|dst [OPERATOR] [ADDRESS[/BITS]][:PORT]
 *
 * An address of IPv6 stands in brackets when a port follows. One of IPv4 means mapped ones, too.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "rumpus.h"
#include "ss.h"

#define NODES_MAX 64
#define DEPTH_MAX 16
#define WORD_MAX 128

enum ss_kind { SS_OR, SS_AND, SS_NOT, SS_COND };
enum ss_op { SS_EQ, SS_NE, SS_GE, SS_LE, SS_GT, SS_LT };

struct ss_node {
	enum ss_kind sn_kind;
	const struct ss_node *sn_left;
	const struct ss_node *sn_right;
	enum ss_op sn_op;
	bool sn_local;
	int sn_bits;         /* of the address; -1: any */
	uint8_t sn_addr[16]; /* IPv4: mapped */
	int sn_port;         /* -1: any */
};

struct ss_filter {
	struct ss_node sf_nodes[NODES_MAX];
	unsigned sf_n;
	const struct ss_node *sf_root; /* NULL: all */
	/* reading */
	char **sf_words;
	int sf_left;
	const char *sf_rest; /* of the first word */
	char sf_token[WORD_MAX];
	unsigned sf_depth;
	char *sf_why;
	size_t sf_whylen;
};

static const uint8_t v4mapped[12] = {[10] = 0xff, [11] = 0xff};

static const char *const state_names[SS_STATES] = {"", "ESTAB", "SYN-SENT", "SYN-RECV",
    "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN", "CLOSE-WAIT", "LAST-ACK", "LISTEN",
    "CLOSING"};

static const struct {
	const char *word;
	uint32_t states;
} state_words[] = {
    {"established", SS_STATE(SS_ESTAB)},
    {"syn-sent", SS_STATE(SS_SYN_SENT)},
    {"syn-recv", SS_STATE(SS_SYN_RECV)},
    {"fin-wait-1", SS_STATE(SS_FIN_WAIT_1)},
    {"fin-wait-2", SS_STATE(SS_FIN_WAIT_2)},
    {"time-wait", SS_STATE(SS_TIME_WAIT)},
    {"unconnected", SS_STATE(SS_UNCONN)},
    {"closed", SS_STATE(SS_UNCONN)},
    {"close-wait", SS_STATE(SS_CLOSE_WAIT)},
    {"last-ack", SS_STATE(SS_LAST_ACK)},
    {"listening", SS_STATE(SS_LISTEN)},
    {"listen", SS_STATE(SS_LISTEN)},
    {"closing", SS_STATE(SS_CLOSING)},
    {"all", SS_ALL},
    {"connected", SS_CONNECTED},
    {"synchronized", SS_CONNECTED & ~SS_STATE(SS_SYN_SENT)},
    {"bucket", SS_STATE(SS_SYN_RECV) | SS_STATE(SS_TIME_WAIT)},
    {"big", SS_CONNECTED & ~(SS_STATE(SS_SYN_RECV) | SS_STATE(SS_TIME_WAIT))},
};

static const struct {
	const char *word;
	enum ss_op op;
} operators[] = {{"=", SS_EQ}, {"==", SS_EQ}, {"eq", SS_EQ}, {"!=", SS_NE}, {"ne", SS_NE},
    {"neq", SS_NE}, {">=", SS_GE}, {"ge", SS_GE}, {"geq", SS_GE}, {"<=", SS_LE}, {"le", SS_LE},
    {"leq", SS_LE}, {">", SS_GT}, {"gt", SS_GT}, {"<", SS_LT}, {"lt", SS_LT}};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct ss_node *parse_or(struct ss_filter *sf);

const char *
ss_statename(unsigned state)
{
	return state < SS_STATES ? state_names[state] : "?";
}

uint32_t
ss_stateword(const char *word)
{
	for (size_t i = 0; i < COUNT(state_words); i++) {
		if (strcmp(state_words[i].word, word) == 0)
			return state_words[i].states;
	}
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* The next token stays where it is. => "": none is left */
static const char *
token_peek(struct ss_filter *sf)
{
	static const char single[] = "()";
	size_t len;

	while (sf->sf_left > 0) {
		sf->sf_rest += strspn(sf->sf_rest, " \t");
		if (*sf->sf_rest != '\0')
			break;
		if (--sf->sf_left > 0)
			sf->sf_rest = *++sf->sf_words;
	}
	len = sf->sf_left <= 0                     ? 0
	    : strchr(single, *sf->sf_rest) != NULL ? 1
						   : strcspn(sf->sf_rest, " \t()");
	if (len > 1 && sf->sf_rest[0] == '!' && sf->sf_rest[1] != '=')
		len = 1;
	(void)snprintf(sf->sf_token, sizeof(sf->sf_token), "%.*s", (int)len,
	    sf->sf_left > 0 ? sf->sf_rest : "");
	return sf->sf_token;
}

static void
token_skip(struct ss_filter *sf)
{
	sf->sf_rest += strlen(token_peek(sf));
}

static bool
token_take(struct ss_filter *sf, const char *word)
{
	if (strcmp(token_peek(sf), word) != 0)
		return false;
	token_skip(sf);
	return true;
}

static const struct ss_node *
misread(struct ss_filter *sf, const char *what)
{
	const char *token = token_peek(sf);

	if (*sf->sf_why == '\0')
		(void)snprintf(sf->sf_why, sf->sf_whylen, "%s: %s",
		    *token != '\0' ? token : "end of the filter", what);
	return NULL;
}

static struct ss_node *
node_make(struct ss_filter *sf, enum ss_kind kind, const struct ss_node *left,
    const struct ss_node *right)
{
	struct ss_node *sn;

	if (sf->sf_n == NODES_MAX) {
		(void)misread(sf, "too long");
		return NULL;
	}
	sn = &sf->sf_nodes[sf->sf_n++];
	*sn = (struct ss_node){.sn_kind = kind,
	    .sn_left = left,
	    .sn_right = right,
	    .sn_bits = -1,
	    .sn_port = -1};
	return sn;
}

/* A number or a service's name; "*" and nothing are any. => false: neither */
static bool
port_parse(const char *text, int *port)
{
	const struct servent *se;
	uint64_t n;

	if (*text == '\0' || strcmp(text, "*") == 0)
		return true;
	if (number_parse(text, UINT16_MAX, &n)) {
		*port = (int)n;
		return true;
	}
	se = getservbyname(text, NULL);
	if (se != NULL)
		*port = ntohs((uint16_t)se->s_port);
	return se != NULL;
}

/* => NULL, or why it is no address */
static const char *
addr_parse(char *text, struct ss_node *sn)
{
	const bool v6 = strchr(text, ':') != NULL;
	const uint64_t most = v6 ? 128 : 32;
	char *slash = strchr(text, '/');
	uint64_t bits = most;

	if (*text == '\0' || strcmp(text, "*") == 0)
		return NULL;
	if (slash != NULL)
		*slash = '\0';
	if (inet_pton(v6 ? AF_INET6 : AF_INET, text, sn->sn_addr + (v6 ? 0 : 12)) != 1)
		return "no address";
	if (slash != NULL && !number_parse(slash + 1, most, &bits))
		return v6 ? "a length is 0 to 128" : "a length is 0 to 32";
	sn->sn_bits = (int)bits;
	if (!v6) {
		memcpy(sn->sn_addr, v4mapped, sizeof(v4mapped));
		sn->sn_bits += 96;
	}
	return NULL;
}

/* Parts an address from what follows it. => the port, ""; NULL: neither */
static char *
addr_split(char **text)
{
	char *colon = strchr(*text, ':'), *end = strchr(*text, ']');

	if (**text == '[') {
		if (end == NULL || (end[1] != '\0' && end[1] != ':' && end[1] != '/'))
			return NULL;
		memmove(end, end + 1, strlen(end)); /* a length may stand behind it */
		(*text)++;
		colon = strchr(end, ':');
	} else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
		colon = NULL; /* all of it is the address */
	}
	if (colon == NULL)
		return *text + strlen(*text);
	*colon = '\0';
	return colon + 1;
}

static enum ss_op
op_take(struct ss_filter *sf)
{
	for (size_t i = 0; i < COUNT(operators); i++) {
		if (token_take(sf, operators[i].word))
			return operators[i].op;
	}
	return SS_EQ;
}

static const struct ss_node *
parse_condition(struct ss_filter *sf)
{
	const bool sport = token_take(sf, "sport"), dport = !sport && token_take(sf, "dport");
	const bool src = !sport && !dport && token_take(sf, "src");
	struct ss_node *sn;
	char room[WORD_MAX], *text = room, *port;
	const char *why = NULL;

	if (!sport && !dport && !src && !token_take(sf, "dst"))
		return misread(sf, "not understood");
	if ((sn = node_make(sf, SS_COND, NULL, NULL)) == NULL)
		return NULL;
	sn->sn_local = sport || src;
	sn->sn_op = op_take(sf);
	(void)snprintf(room, sizeof(room), "%s", token_peek(sf));
	if (sport || dport) {
		if (*text == '\0' || !port_parse(*text == ':' ? text + 1 : text, &sn->sn_port))
			why = "no port";
	} else if (*text == '\0' || (port = addr_split(&text)) == NULL ||
	    !port_parse(port, &sn->sn_port)) {
		why = "no address";
	} else {
		why = addr_parse(text, sn);
	}
	if (why != NULL)
		return misread(sf, why);
	if (!sport && !dport && sn->sn_op > SS_NE)
		return misread(sf, "addresses are the same or not");
	token_skip(sf);
	return sn;
}

static const struct ss_node *
parse_term(struct ss_filter *sf)
{
	const struct ss_node *inner = NULL;

	if (++sf->sf_depth > DEPTH_MAX)
		return misread(sf, "too deep");
	if (token_take(sf, "not") || token_take(sf, "!")) {
		inner = parse_term(sf);
		inner = inner != NULL ? node_make(sf, SS_NOT, inner, NULL) : NULL;
	} else if (token_take(sf, "(")) {
		inner = parse_or(sf);
		if (inner != NULL && !token_take(sf, ")"))
			inner = misread(sf, "a ) is missing");
	} else {
		inner = parse_condition(sf);
	}
	sf->sf_depth--;
	return inner;
}

static const struct ss_node *
parse_and(struct ss_filter *sf)
{
	const struct ss_node *left = parse_term(sf), *right;

	while (left != NULL) {
		const char *next = token_peek(sf);

		if (*next == '\0' || strcmp(next, ")") == 0 || strcmp(next, "or") == 0 ||
		    strcmp(next, "|") == 0 || strcmp(next, "||") == 0)
			break;
		if (!token_take(sf, "and") && !token_take(sf, "&&"))
			(void)token_take(sf, "&");
		right = parse_term(sf);
		left = right != NULL ? node_make(sf, SS_AND, left, right) : NULL;
	}
	return left;
}

static const struct ss_node *
parse_or(struct ss_filter *sf)
{
	const struct ss_node *left = parse_and(sf), *right;

	while (
	    left != NULL && (token_take(sf, "or") || token_take(sf, "||") || token_take(sf, "|"))) {
		right = parse_and(sf);
		left = right != NULL ? node_make(sf, SS_OR, left, right) : NULL;
	}
	return left;
}

struct ss_filter *
ss_filter_parse(char **words, int n, char *why, size_t whylen)
{
	struct ss_filter *sf = calloc(1, sizeof(*sf));

	*why = '\0';
	if (sf == NULL) {
		(void)snprintf(why, whylen, "out of memory");
		return NULL;
	}
	sf->sf_words = words;
	sf->sf_left = n;
	sf->sf_rest = n > 0 ? words[0] : "";
	sf->sf_why = why;
	sf->sf_whylen = whylen;
	if (*token_peek(sf) != '\0') {
		sf->sf_root = parse_or(sf);
		if (sf->sf_root != NULL && *token_peek(sf) != '\0')
			sf->sf_root = misread(sf, "not understood");
	}
	if (*why == '\0')
		return sf;
	free(sf);
	return NULL;
}

/* --- matching ----------------------------------------------------------------------------------- */

static bool
port_match(enum ss_op op, int port, int wanted)
{
	switch (op) {
	case SS_GE:
		return port >= wanted;
	case SS_LE:
		return port <= wanted;
	case SS_GT:
		return port > wanted;
	case SS_LT:
		return port < wanted;
	default:
		return port == wanted;
	}
}

/* Are the first bits of the address those wanted? What is not mapped is for IPv6's sockets only. */
static bool
addr_match(const struct ss_node *sn, const struct fdsock_sockinfo *si)
{
	const uint8_t *is = sn->sn_local ? si->si_laddr : si->si_paddr;
	const size_t bytes = (size_t)sn->sn_bits / 8;
	uint8_t addr[17] = {0};

	if (sn->sn_bits < 0)
		return true;
	if (si->si_family == AF_INET6) {
		memcpy(addr, is, 16);
	} else {
		if (memcmp(sn->sn_addr, v4mapped, sizeof(v4mapped)) != 0)
			return false;
		memcpy(addr, v4mapped, sizeof(v4mapped));
		memcpy(addr + sizeof(v4mapped), is, 4);
	}
	return memcmp(addr, sn->sn_addr, bytes) == 0 &&
	    (bytes == 16 ||
		((addr[bytes] ^ sn->sn_addr[bytes]) & (0xff00 >> sn->sn_bits % 8) & 0xff) == 0);
}

static bool
condition_match(const struct ss_node *sn, const struct fdsock_sockinfo *si)
{
	const int port = ntohs(sn->sn_local ? si->si_lport : si->si_pport);
	bool match =
	    (sn->sn_port < 0 || port_match(sn->sn_op, port, sn->sn_port)) && addr_match(sn, si);

	return sn->sn_op == SS_NE ? !match : match;
}

static bool
node_match(const struct ss_node *sn, const struct fdsock_sockinfo *si)
{
	switch (sn->sn_kind) {
	case SS_OR:
		return node_match(sn->sn_left, si) || node_match(sn->sn_right, si);
	case SS_AND:
		return node_match(sn->sn_left, si) && node_match(sn->sn_right, si);
	case SS_NOT:
		return !node_match(sn->sn_left, si);
	default:
		return condition_match(sn, si);
	}
}

bool
ss_filter_match(const struct ss_filter *sf, const struct fdsock_sockinfo *si)
{
	return sf->sf_root == NULL || node_match(sf->sf_root, si);
}
