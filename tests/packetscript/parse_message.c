/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of packets, field by field: each is appended to the bytes, and its name remembered, so that
 * a script that expects another value is told which field differs.
 */
#include <string.h>

#include "lex.h"
#include "wire/be.h"
#include "wire/ip6.h"

#define MESSAGE_MAX 2048u

struct message *
message_new(struct lex *lx, struct packet *pk, bool ip6, uint8_t proto)
{
	struct arena *a = &lx->lx_script->sc_arena;
	struct message *ms = arena_get(a, sizeof(*ms));

	ms->ms_proto = proto;
	ms->ms_ip6 = ip6;
	ms->ms_tos = -1;
	ms->ms_bytes = arena_get(a, MESSAGE_MAX);
	pk->pk_kind = PK_MESSAGE;
	pk->pk_msg = ms;
	return ms;
}

void
message_put(struct lex *lx, struct message *ms, const char *name, const void *bytes, size_t len)
{
	struct message_field **next = &ms->ms_fields, *mf;

	if (ms->ms_len + len > MESSAGE_MAX) {
		lex_fail(lx, "the message is too long");
		return;
	}
	if (len > 0)
		memcpy(ms->ms_bytes + ms->ms_len, bytes, len);
	if (name != NULL) {
		mf = arena_get(&lx->lx_script->sc_arena, sizeof(*mf));
		*mf = (struct message_field){.mf_name = name, .mf_off = ms->ms_len, .mf_len = len};
		while (*next != NULL)
			next = &(*next)->mf_next;
		*next = mf;
	}
	ms->ms_len += len;
}

void
message_put8(struct lex *lx, struct message *ms, const char *name, uint32_t value)
{
	const uint8_t byte = (uint8_t)value;

	if (value > UINT8_MAX)
		lex_fail(lx, "a value beyond its 8 bits");
	message_put(lx, ms, name, &byte, 1);
}

void
message_put16(struct lex *lx, struct message *ms, const char *name, uint32_t value)
{
	uint8_t bytes[2];

	if (value > UINT16_MAX)
		lex_fail(lx, "a value beyond its 16 bits");
	be16_put(bytes, (uint16_t)value);
	message_put(lx, ms, name, bytes, sizeof(bytes));
}

void
message_put32(struct lex *lx, struct message *ms, const char *name, uint32_t value)
{
	uint8_t bytes[4];

	be32_put(bytes, value);
	message_put(lx, ms, name, bytes, sizeof(bytes));
}

void
message_putaddr(struct lex *lx, struct message *ms, const char *name, const uint32_t addr[4])
{
	uint8_t bytes[16];

	ip6_addr_put(bytes, addr);
	message_put(lx, ms, name, bytes, ms->ms_ip6 ? 16 : 4);
}

void
parse_proto(struct lex *lx, struct packet *pk)
{
	struct message *ms;
	uint32_t proto, len;

	lex_u32(lx, &proto);
	lex_need(lx, "(");
	lex_u32(lx, &len);
	lex_need(lx, ")");
	ms = message_new(lx, pk, lx->lx_script->sc_only6, (uint8_t)proto);
	if (!lx->lx_script->sc_only6 && !lx->lx_script->sc_only4)
		lex_fail(lx, "a protocol by its number needs --ip_version= at the top");
	for (uint32_t i = 0; i < len && !lx->lx_failed; i++)
		message_put8(lx, ms, i == 0 ? "data" : NULL, 0);
}
