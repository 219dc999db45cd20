/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of scripts, character by character. The first error sticks: from then on everything
 * fails and moves nothing, so that callers need to look only at the end.
 */
#ifndef PACKETSCRIPT_LEX_H
#define PACKETSCRIPT_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "script.h"

struct lex {
	struct script *lx_script;
	const char *lx_p;
	const char *lx_end;
	int lx_line;
	bool lx_failed;
};

/* Records "path:line: what near ...". Returns false. */
bool lex_fail(struct lex *lx, const char *what);
/* Passes over blanks and comments. => false: the end */
bool lex_skip(struct lex *lx);
/* Is the text next (after blanks)? Takes it. */
bool lex_take(struct lex *lx, const char *text);
/* The same, for a whole word. */
bool lex_take_word(struct lex *lx, const char *word);
/* The text must be next. */
bool lex_need(struct lex *lx, const char *text);
bool lex_peek(struct lex *lx, const char *text);
/* Letters, digits and underscores. => length, 0: none; *word is where it starts */
size_t lex_word(struct lex *lx, const char **word);
/* A decimal, hexadecimal or octal number, with a sign. */
bool lex_int(struct lex *lx, int64_t *value);
bool lex_u32(struct lex *lx, uint32_t *value);
/* Seconds with at most nine decimals. */
bool lex_seconds(struct lex *lx, uint64_t *ns);
/* Up to a terminator, which is taken. => the text in the arena, NULL: not found */
const char *lex_until(struct lex *lx, const char *terminator);
/* A string in double quotes with C's simple escapes. */
const char *lex_string(struct lex *lx, size_t *len);

/* Up to a blank, or any of ,<>(){}[] or the end. => its length, 0: none, or more than fits */
size_t lex_token(struct lex *lx, char *text, size_t space);
/* Hexadecimal digits behind 0x, which is taken, two a byte. => how many bytes; fails when more than space */
size_t lex_bytes(struct lex *lx, uint8_t *bytes, size_t space);
/* "192.0.2.1" or "fd00::1" into the words of an address. */
bool lex_addr(struct lex *lx, bool ip6, uint32_t addr[4]);
bool lex_station(struct lex *lx, uint8_t station[6]);

/* parse_ip.c: [word ...] before a packet, up to its bracket */
void parse_ip(struct lex *lx, struct packet *pk, bool incoming);

/* parse_group.c: igmp and mld; parse_icmp6.c; parse_proto: protocol N (bytes) */
void parse_igmp(struct lex *lx, struct packet *pk);
void parse_mld(struct lex *lx, struct packet *pk);
void parse_icmp6(struct lex *lx, struct packet *pk, bool incoming);
void parse_proto(struct lex *lx, struct packet *pk);

/* parse_message.c: a message, field by field; name NULL: the field is not compared */
struct message *message_new(struct lex *lx, struct packet *pk, bool ip6, uint8_t proto);
void message_put(struct lex *lx, struct message *ms, const char *name, const void *bytes,
    size_t len);
void message_put8(struct lex *lx, struct message *ms, const char *name, uint32_t value);
void message_put16(struct lex *lx, struct message *ms, const char *name, uint32_t value);
void message_put32(struct lex *lx, struct message *ms, const char *name, uint32_t value);
/* An address of the message's family. */
void message_putaddr(struct lex *lx, struct message *ms, const char *name, const uint32_t addr[4]);
/* A number behind a word, if that is next. */
uint32_t lex_worth(struct lex *lx, const char *word, uint32_t otherwise);

/* parse_packet.c, parse_call.c */
struct packet *parse_packet(struct lex *lx, bool incoming);
struct call *parse_call(struct lex *lx);

#endif /* PACKETSCRIPT_LEX_H */
