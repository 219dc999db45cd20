/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket calls: name(argument, ...) = result [ERRNO (text)]. */
#include <string.h>

#include "lex.h"

static struct expr *parse_expr(struct lex *lx, int depth);

static struct expr *
expr_new(struct lex *lx, enum expr_kind kind)
{
	struct expr *ex = arena_get(&lx->lx_script->sc_arena, sizeof(*ex));

	ex->ex_kind = kind;
	return ex;
}

const struct expr *
expr_field(const struct expr *ex, const char *field)
{
	const struct expr *f;

	for (f = ex->ex_first; f != NULL; f = f->ex_next) {
		if (f->ex_field != NULL && strcmp(f->ex_field, field) == 0)
			return f;
	}
	return NULL;
}

/* Is "name =", or "name(...) =", next? Takes it. => NULL: not */
static const char *
parse_fieldname(struct lex *lx)
{
	const struct lex before = *lx;
	const char *word;
	size_t len = lex_word(lx, &word);

	if (len > 0 && lex_take(lx, "("))
		(void)lex_until(lx, ")");
	if (len > 0 && !lx->lx_failed && lex_take(lx, "="))
		return arena_text(&lx->lx_script->sc_arena, word, len);
	*lx = before;
	return NULL;
}

static struct expr *
parse_members(struct lex *lx, enum expr_kind kind, const char *closing, int depth)
{
	struct expr *ex = expr_new(lx, kind), **next = &ex->ex_first;

	if (depth > 8)
		lex_fail(lx, "nested too deep");
	if (lex_take(lx, closing))
		return ex;
	do {
		const char *field = parse_fieldname(lx);

		*next = parse_expr(lx, depth + 1);
		(*next)->ex_field = field;
		next = &(*next)->ex_next;
	} while (lex_take(lx, ","));
	lex_need(lx, closing);
	return ex;
}

/* A number, or a word that stands for one. */
static int64_t
parse_value(struct lex *lx)
{
	const struct lex before = *lx;
	const char *word;
	size_t len = lex_word(lx, &word);
	int64_t value = 0;

	if (len > 0 && (*word < '0' || *word > '9')) {
		if (!name_value(word, len, &value)) {
			*lx = before;
			lex_fail(lx, "unknown name");
		}
		return value;
	}
	*lx = before;
	lex_int(lx, &value);
	return value;
}

/* htons(80), inet_addr("192.0.2.1"): the value is what is between, addresses stay text. */
static struct expr *
parse_function(struct lex *lx, int depth)
{
	static const char *const functions[] = {"htons", "htonl", "inet_addr"};
	struct expr *ex = NULL;

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && ex == NULL; i++) {
		if (lex_take_word(lx, functions[i])) {
			lex_need(lx, "(");
			ex = parse_expr(lx, depth + 1);
			lex_need(lx, ")");
		}
	}
	return ex;
}

static struct expr *
parse_expr(struct lex *lx, int depth)
{
	struct expr *ex;

	if (lex_take(lx, "..."))
		return expr_new(lx, EX_ELLIPSIS);
	if (lex_take(lx, "["))
		return parse_members(lx, EX_LIST, "]", depth);
	if (lex_take(lx, "{"))
		return parse_members(lx, EX_STRUCT, "}", depth);
	if ((ex = parse_function(lx, depth)) != NULL)
		return ex;
	if (lex_peek(lx, "\"")) {
		ex = expr_new(lx, EX_STRING);
		ex->ex_text = lex_string(lx, &ex->ex_len);
		return ex;
	}
	ex = expr_new(lx, EX_INT);
	do
		ex->ex_int |= parse_value(lx);
	while (lex_take(lx, "|"));
	return ex;
}

static void
parse_result(struct lex *lx, struct call *ca)
{
	const struct lex before = *lx;
	const char *word;
	size_t len;

	if (lex_take(lx, "...")) {
		ca->ca_anyresult = true;
		return;
	}
	do
		ca->ca_result |= parse_value(lx);
	while (lex_take(lx, "|"));
	if (ca->ca_result == -1) {
		len = lex_word(lx, &word);
		ca->ca_errno = name_errno(word, len);
		if (ca->ca_errno == 0) {
			*lx = before;
			lex_fail(lx, "-1 without the name of an errno");
		}
	}
	if (lex_take(lx, "("))
		(void)lex_until(lx, ")");
}

struct call *
parse_call(struct lex *lx)
{
	struct call *ca = arena_get(&lx->lx_script->sc_arena, sizeof(*ca));
	const struct lex before = *lx;
	struct expr *ex, *list;
	const char *word = "";
	size_t len = lex_word(lx, &word);

	ca->ca_kind = call_find(word, len);
	if (ca->ca_kind == NULL) {
		*lx = before;
		lex_fail(lx, "unknown call");
		return ca;
	}
	lex_need(lx, "(");
	list = parse_members(lx, EX_LIST, ")", 0);
	ca->ca_args = list->ex_first;
	for (ex = ca->ca_args; ex != NULL; ex = ex->ex_next)
		ca->ca_nargs++;
	lex_need(lx, "=");
	parse_result(lx, ca);
	return ca;
}
