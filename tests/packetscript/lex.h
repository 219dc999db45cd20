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

/* parse_packet.c, parse_call.c */
struct packet *parse_packet(struct lex *lx, bool incoming);
struct call *parse_call(struct lex *lx);

#endif /* PACKETSCRIPT_LEX_H */
