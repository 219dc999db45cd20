/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules: which sockets go to the stack and which stay on the host. Text to table, and the question.
 *
 * A rule is a line, or ends with `;`. `#` begins a comment. The first rule that matches wins.
 *
 *   stack|host [inet|inet6] [tcp|udp|icmp|raw] [connect|bind] [any|ADDR[/LENGTH]] [port N[-M]]
 *
 * An IPv4 address also stands for its IPv4-mapped IPv6 address. `connect` includes each send that
 * names an address. A connection to the unspecified address is one to loopback, as on Linux.
 */
#ifndef PRELOAD_RULES_RULES_H
#define PRELOAD_RULES_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

#define RULES_MAX 64
#define RULES_TEXT_MAX 8192

/* After the user's rules; RULES_ALL goes between with `rumpus run --all`. */
#define RULES_DEFAULT "host 127.0.0.0/8; host ::1; stack"
#define RULES_ALL "stack"

enum rule_op { RULE_CONNECT, RULE_BIND };

struct rule {
	bool ru_stack;
	uint8_t ru_ops;       /* 1 << enum rule_op */
	uint8_t ru_types;     /* bits of the socket's kind; see rules.c */
	uint8_t ru_length;    /* bits of the address that count; 0: any */
	uint16_t ru_family;   /* AF_INET, AF_INET6, or 0 for both */
	uint16_t ru_port_low; /* host order */
	uint16_t ru_port_high;
	uint8_t ru_addr[16]; /* IPv4 as IPv4-mapped */
};

struct rules {
	int rs_n;
	struct rule rs_rule[RULES_MAX];
};

/* Where and why text is no list of rules. */
struct rules_error {
	int re_line;
	const char *re_why;
};

/*
 * Appends the rules of a text.
 * => 0, or EINVAL with *re filled in; re may be NULL.
 * => No allocation, no stdio.
 */
int rules_parse(struct rules *rs, const char *text, struct rules_error *re);

/* Whether a call with this address belongs to the stack. => sa is of AF_INET or AF_INET6, whole. */
bool rules_stack(const struct rules *rs, enum rule_op op, int type, int protocol,
    const struct sockaddr *sa);

/* Whether any call on a socket of this kind could belong to the stack. */
bool rules_possible(const struct rules *rs, int family, int type, int protocol);

#endif /* PRELOAD_RULES_RULES_H */
