/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader of scripts, and the memory that they lie in. */
#include "lex.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/print.h"

#define CHUNK_BYTES 16384u

struct arena_chunk {
	struct arena_chunk *ac_next;
	size_t ac_used;
	size_t ac_size;
	_Alignas(16) char ac_bytes[];
};

void *
arena_get(struct arena *a, size_t len)
{
	struct arena_chunk *ac = a->a_chunks;
	size_t need = (len + 15) & ~(size_t)15;

	if (ac == NULL || ac->ac_size - ac->ac_used < need) {
		size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;

		ac = calloc(1, sizeof(*ac) + size);
		if (ac == NULL) {
			fputs("packetscript: no memory\n", stderr);
			exit(1);
		}
		ac->ac_size = size;
		ac->ac_next = a->a_chunks;
		a->a_chunks = ac;
	}
	ac->ac_used += need;
	return ac->ac_bytes + ac->ac_used - need;
}

char *
arena_text(struct arena *a, const char *text, size_t len)
{
	char *copy = arena_get(a, len + 1);

	memcpy(copy, text, len);
	return copy;
}

void
arena_free(struct arena *a)
{
	while (a->a_chunks != NULL) {
		struct arena_chunk *ac = a->a_chunks;

		a->a_chunks = ac->ac_next;
		free(ac);
	}
}

bool
lex_fail(struct lex *lx, const char *what)
{
	size_t left = (size_t)(lx->lx_end - lx->lx_p);
	const char *newline = memchr(lx->lx_p, '\n', left);
	int near = (int)(newline != NULL ? newline - lx->lx_p : (ptrdiff_t)left);

	if (!lx->lx_failed)
		snprintf(lx->lx_script->sc_error, sizeof(lx->lx_script->sc_error),
		    "%s:%d: %s, at \"%.*s\"", lx->lx_script->sc_path, lx->lx_line, what,
		    near > 40 ? 40 : near, lx->lx_p);
	lx->lx_failed = true;
	return false;
}

static bool
starts(const struct lex *lx, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(lx->lx_end - lx->lx_p) >= len && memcmp(lx->lx_p, text, len) == 0;
}

static void
advance(struct lex *lx, size_t len)
{
	for (; len > 0 && lx->lx_p < lx->lx_end; len--)
		if (*lx->lx_p++ == '\n')
			lx->lx_line++;
}

/* A comment to the end of the line, or one that is closed. => false: there is none */
static bool
skip_comment(struct lex *lx)
{
	if (starts(lx, "//") || starts(lx, "#")) {
		while (lx->lx_p < lx->lx_end && *lx->lx_p != '\n')
			lx->lx_p++;
		return true;
	}
	if (!starts(lx, "/*"))
		return false;
	while (lx->lx_p < lx->lx_end && !starts(lx, "*/"))
		advance(lx, 1);
	if (lx->lx_p == lx->lx_end)
		lex_fail(lx, "comment without end");
	advance(lx, 2);
	return true;
}

bool
lex_skip(struct lex *lx)
{
	while (!lx->lx_failed && lx->lx_p < lx->lx_end) {
		if (isspace((unsigned char)*lx->lx_p))
			advance(lx, 1);
		else if (!skip_comment(lx))
			return true;
	}
	return false;
}

bool
lex_peek(struct lex *lx, const char *text)
{
	return lex_skip(lx) && starts(lx, text);
}

bool
lex_take(struct lex *lx, const char *text)
{
	if (!lex_peek(lx, text))
		return false;
	advance(lx, strlen(text));
	return true;
}

bool
lex_need(struct lex *lx, const char *text)
{
	char what[40];

	if (lex_take(lx, text))
		return true;
	snprintf(what, sizeof(what), "'%s' expected", text);
	return lex_fail(lx, what);
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

size_t
lex_word(struct lex *lx, const char **word)
{
	if (!lex_skip(lx))
		return 0;
	*word = lx->lx_p;
	while (lx->lx_p < lx->lx_end && is_word(*lx->lx_p))
		lx->lx_p++;
	return (size_t)(lx->lx_p - *word);
}

bool
lex_take_word(struct lex *lx, const char *word)
{
	const struct lex before = *lx;
	const char *found;
	size_t len = lex_word(lx, &found);

	if (len == strlen(word) && memcmp(found, word, len) == 0)
		return true;
	*lx = before;
	return false;
}

bool
lex_int(struct lex *lx, int64_t *value)
{
	char text[32], *end;
	size_t len;

	*value = 0;
	if (!lex_skip(lx))
		return lex_fail(lx, "number expected");
	len = (size_t)(lx->lx_end - lx->lx_p);
	len = len < sizeof(text) - 1 ? len : sizeof(text) - 1;
	memcpy(text, lx->lx_p, len);
	text[len] = '\0';
	*value = strtoll(text, &end, 0);
	if (end == text)
		return lex_fail(lx, "number expected");
	advance(lx, (size_t)(end - text));
	return true;
}

bool
lex_u32(struct lex *lx, uint32_t *value)
{
	int64_t v;
	bool ok = lex_int(lx, &v);

	*value = (uint32_t)v;
	return ok && v >= 0 && v <= UINT32_MAX ? true : lex_fail(lx, "number out of range");
}

static bool
at_digit(const struct lex *lx)
{
	return lx->lx_p < lx->lx_end && isdigit((unsigned char)*lx->lx_p);
}

bool
lex_seconds(struct lex *lx, uint64_t *ns)
{
	uint64_t unit = 1000000000;
	bool any = false;

	*ns = 0;
	if (!lex_skip(lx))
		return lex_fail(lx, "time expected");
	for (; at_digit(lx); lx->lx_p++, any = true)
		*ns = *ns * 10 + (uint64_t)(*lx->lx_p - '0') * 1000000000;
	if (starts(lx, ".") && !starts(lx, "..")) {
		for (lx->lx_p++; at_digit(lx); lx->lx_p++, any = true)
			*ns += (uint64_t)(*lx->lx_p - '0') * (unit /= 10);
	}
	return any ? true : lex_fail(lx, "time expected");
}

const char *
lex_until(struct lex *lx, const char *terminator)
{
	const char *from = lx->lx_p;

	while (!lx->lx_failed && lx->lx_p < lx->lx_end) {
		if (starts(lx, terminator)) {
			size_t len = (size_t)(lx->lx_p - from);

			advance(lx, strlen(terminator));
			return arena_text(&lx->lx_script->sc_arena, from, len);
		}
		advance(lx, 1);
	}
	lex_fail(lx, "text without end");
	return NULL;
}

size_t
lex_token(struct lex *lx, char *text, size_t space)
{
	size_t n = 0;

	if (!lex_skip(lx))
		return 0;
	while (lx->lx_p + n < lx->lx_end && strchr(" \t\r\n,<>(){}[]", lx->lx_p[n]) == NULL)
		n++;
	if (n >= space)
		return 0;
	memcpy(text, lx->lx_p, n);
	text[n] = '\0';
	lx->lx_p += n;
	return n;
}

size_t
lex_bytes(struct lex *lx, uint8_t *bytes, size_t space)
{
	static const char all[] = "0123456789abcdef";
	size_t digits = 0;

	if (!lex_need(lx, "0x"))
		return 0;
	for (; lx->lx_p < lx->lx_end; lx->lx_p++, digits++) {
		const char *found = memchr(all, *lx->lx_p, sizeof(all) - 1);

		if (found == NULL)
			break;
		if (digits / 2 < space)
			bytes[digits / 2] = (uint8_t)(bytes[digits / 2] << 4 | (found - all));
	}
	if (digits == 0 || digits % 2 != 0)
		lex_fail(lx, "an even number of hexadecimal digits expected");
	else if (digits / 2 > space)
		lex_fail(lx, "more bytes than fit");
	return lx->lx_failed ? 0 : digits / 2;
}

bool
lex_addr(struct lex *lx, bool ip6, uint32_t addr[4])
{
	const struct lex before = *lx;
	char text[IP6_ADDRSTRLEN] = "";

	memset(addr, 0, 16);
	(void)lex_token(lx, text, sizeof(text));
	if (!lx->lx_failed && (ip6 ? ip6_pton(text, addr) : ipv4_pton(text, addr)) == 0)
		return true;
	*lx = before;
	return lex_fail(lx, ip6 ? "address of IPv6 expected" : "address of IPv4 expected");
}

bool
lex_station(struct lex *lx, uint8_t station[6])
{
	const struct lex before = *lx;
	char text[ETHER_ADDRSTRLEN] = "";

	(void)lex_token(lx, text, sizeof(text));
	if (!lx->lx_failed && ether_pton(text, station) == 0)
		return true;
	*lx = before;
	return lex_fail(lx, "address of a station expected");
}

uint32_t
lex_worth(struct lex *lx, const char *word, uint32_t otherwise)
{
	uint32_t value;

	if (!lex_take_word(lx, word))
		return otherwise;
	lex_u32(lx, &value);
	return value;
}

static char
unescape(char c)
{
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c == '0' ? '\0' : c;
}

const char *
lex_string(struct lex *lx, size_t *len)
{
	char *text;
	const char *p;

	if (!lex_need(lx, "\""))
		return NULL;
	for (p = lx->lx_p; p < lx->lx_end && *p != '"' && *p != '\n'; p++)
		if (*p == '\\')
			p++;
	if (p >= lx->lx_end || *p != '"') {
		lex_fail(lx, "string without end");
		return NULL;
	}
	text = arena_get(&lx->lx_script->sc_arena, (size_t)(p - lx->lx_p) + 1);
	for (*len = 0; *lx->lx_p != '"'; lx->lx_p++)
		text[(*len)++] = *lx->lx_p == '\\' ? unescape(*++lx->lx_p) : *lx->lx_p;
	lx->lx_p++;
	return text;
}
