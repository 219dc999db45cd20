/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl: the registry of tables, reading and writing variables, and the system call's form. */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/sysctl.h"

#include <string.h>

/* A variable of a stack. */
struct var {
	const struct sysctl_node *v_node;
	uint8_t *v_base;
	uint32_t v_index;
};

static size_t
str_len(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

void
sysctl_register(struct netstack *ns, struct sysctl_table *st, const struct sysctl_node *nodes,
    size_t nnodes, void *base)
{
	for (size_t i = 0; i < nnodes; i++) {
		const struct sysctl_node *sn = &nodes[i];

		KASSERT(str_len(sn->sn_name) < sizeof(((struct sysctl_next *)0)->sx_name));
		KASSERT(str_len(sn->sn_text) < sizeof(((struct sysctl_info *)0)->si_text));
		KASSERT(sn->sn_type != SYSCTL_U32 || sn->sn_size == sizeof(uint32_t));
		KASSERT(sn->sn_type != SYSCTL_U32 || sn->sn_max <= UINT32_MAX);
		KASSERT(sn->sn_type != SYSCTL_U64 || sn->sn_size == sizeof(uint64_t));
		KASSERT(sn->sn_size > 0 && sn->sn_size <= SYSCTL_BYTES_MAX);
	}
	st->st_nodes = nodes;
	st->st_nnodes = nnodes;
	st->st_base = base;
	TAILQ_INSERT_TAIL(&ns->ns_sysctls, st, st_list);
}

void
sysctl_unregister(struct netstack *ns, struct sysctl_table *st)
{
	TAILQ_REMOVE(&ns->ns_sysctls, st, st_list);
}

static int
var_nth(struct netstack *ns, uint32_t index, struct var *v)
{
	struct sysctl_table *st;
	size_t left = index;

	TAILQ_FOREACH(st, &ns->ns_sysctls, st_list) {
		if (left < st->st_nnodes) {
			*v = (struct var){&st->st_nodes[left], st->st_base, index};
			return 0;
		}
		left -= st->st_nnodes;
	}
	return ENOENT;
}

/* By a name of len bytes, without NUL. */
static int
var_find(struct netstack *ns, const char *name, size_t len, struct var *v)
{
	struct sysctl_table *st;
	uint32_t index = 0;

	TAILQ_FOREACH(st, &ns->ns_sysctls, st_list) {
		for (size_t i = 0; i < st->st_nnodes; i++, index++) {
			const struct sysctl_node *sn = &st->st_nodes[i];

			if (str_len(sn->sn_name) == len && memcmp(sn->sn_name, name, len) == 0) {
				*v = (struct var){sn, st->st_base, index};
				return 0;
			}
		}
	}
	return ENOENT;
}

const struct sysctl_node *
sysctl_nth(struct netstack *ns, uint32_t index, void **base)
{
	struct var v;

	if (var_nth(ns, index, &v) != 0)
		return NULL;
	*base = v.v_base;
	return v.v_node;
}

const struct sysctl_node *
sysctl_find(struct netstack *ns, const char *name, void **base, uint32_t *index)
{
	struct var v;

	if (var_find(ns, name, str_len(name), &v) != 0)
		return NULL;
	*base = v.v_base;
	*index = v.v_index;
	return v.v_node;
}

/* => the variable is a number. */
static uint64_t
var_number(const struct var *v)
{
	uint64_t u64;
	uint32_t u32;

	if (v->v_node->sn_type == SYSCTL_U32) {
		memcpy(&u32, v->v_base + v->v_node->sn_offset, sizeof(u32));
		return u32;
	}
	memcpy(&u64, v->v_base + v->v_node->sn_offset, sizeof(u64));
	return u64;
}

static int
var_set_number(struct netstack *ns, const struct var *v, uint64_t value)
{
	const struct sysctl_node *sn = v->v_node;
	uint32_t u32 = (uint32_t)value;
	int error;

	if (!sn->sn_writable)
		return EPERM;
	if (sn->sn_type == SYSCTL_STRING || value < sn->sn_min || value > sn->sn_max)
		return EINVAL;
	error = sn->sn_check == NULL ? 0 : sn->sn_check(ns, sn, value);
	if (error != 0)
		return error;
	if (sn->sn_type == SYSCTL_U32)
		memcpy(v->v_base + sn->sn_offset, &u32, sizeof(u32));
	else
		memcpy(v->v_base + sn->sn_offset, &value, sizeof(value));
	return 0;
}

/* From len bytes of text, without NUL. */
static int
var_set_string(struct netstack *ns, const struct var *v, const char *text, size_t len)
{
	const struct sysctl_node *sn = v->v_node;
	char value[SYSCTL_BYTES_MAX];
	int error;

	if (!sn->sn_writable)
		return EPERM;
	if (len >= sn->sn_size)
		return ENAMETOOLONG;
	memcpy(value, text, len);
	memset(value + len, 0, sn->sn_size - len);
	if (str_len(value) != len)
		return EINVAL;
	error = sn->sn_check == NULL ? 0 : sn->sn_check(ns, sn, (uintptr_t)value);
	if (error == 0)
		memcpy(v->v_base + sn->sn_offset, value, sn->sn_size);
	return error;
}

int
sysctl_set_u64(struct netstack *ns, const char *name, uint64_t value)
{
	struct var v;
	int error = var_find(ns, name, str_len(name), &v);

	return error != 0 ? error : var_set_number(ns, &v, value);
}

int
sysctl_get_u64(struct netstack *ns, const char *name, uint64_t *value)
{
	struct var v;
	int error = var_find(ns, name, str_len(name), &v);

	if (error != 0)
		return error;
	if (v.v_node->sn_type == SYSCTL_STRING)
		return EINVAL;
	*value = var_number(&v);
	return 0;
}

/* 1024s by letter; 0: no such unit. */
static uint64_t
unit_of(char c)
{
	switch (c) {
	case 'k':
	case 'K':
		return 1024ull;
	case 'm':
	case 'M':
		return 1024ull * 1024;
	case 'g':
	case 'G':
		return 1024ull * 1024 * 1024;
	default:
		return 0;
	}
}

static int
parse_number(const char *s, uint64_t *value)
{
	uint64_t x = 0, unit = 1;
	const char *start = s;

	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(x, 10u, &x) ||
		    __builtin_add_overflow(x, (uint64_t)(*s - '0'), &x))
			return EINVAL;
	if (s == start)
		return EINVAL;
	if (*s != '\0')
		unit = unit_of(*s++);
	if (unit == 0 || *s != '\0' || __builtin_mul_overflow(x, unit, value))
		return EINVAL;
	return 0;
}

int
sysctl_set_text(struct netstack *ns, const char *name, const char *value)
{
	struct var v;
	uint64_t number;
	int error = var_find(ns, name, str_len(name), &v);

	if (error != 0)
		return error;
	if (v.v_node->sn_type == SYSCTL_STRING)
		return var_set_string(ns, &v, value, str_len(value));
	if (!v.v_node->sn_writable)
		return EPERM;
	error = parse_number(value, &number);
	return error != 0 ? error : var_set_number(ns, &v, number);
}

/* The room that the caller of sysctl_call has for the reply. */
struct room {
	void *r_old;
	size_t *r_oldlen;
};

static int
reply(const struct room *room, const void *data, size_t len)
{
	size_t have;

	if (room->r_oldlen == NULL)
		return 0;
	have = *room->r_oldlen;
	*room->r_oldlen = len;
	if (room->r_old == NULL)
		return 0;
	memcpy(room->r_old, data, KERN_MIN(have, len));
	return have < len ? ENOMEM : 0;
}

static int
call_get(const struct var *v, const struct room *room)
{
	const struct sysctl_node *sn = v->v_node;
	const uint8_t *value = v->v_base + sn->sn_offset;
	size_t len = sn->sn_size;

	if (sn->sn_type == SYSCTL_STRING)
		for (len = 1; len < sn->sn_size && value[len - 1] != '\0';)
			len++;
	return reply(room, value, len);
}

static int
call_set(struct netstack *ns, const struct var *v, const void *new, size_t newlen)
{
	const char *text = new;
	uint32_t u32;
	uint64_t u64;

	if (v->v_node->sn_type == SYSCTL_STRING) {
		if (newlen > 0 && text[newlen - 1] == '\0')
			newlen--;
		return var_set_string(ns, v, text, newlen);
	}
	switch (newlen) {
	case sizeof(u32):
		memcpy(&u32, new, sizeof(u32));
		return var_set_number(ns, v, u32);
	case sizeof(u64):
		memcpy(&u64, new, sizeof(u64));
		return var_set_number(ns, v, u64);
	default:
		return v->v_node->sn_writable ? EINVAL : EPERM;
	}
}

static int
query_oid(struct netstack *ns, const char *name, size_t len, const struct room *room)
{
	int32_t oid[2] = {SYSCTL_VARIABLE, 0};
	struct var v;
	int error;

	if (name == NULL || len == 0)
		return EINVAL;
	if (name[len - 1] == '\0')
		len--;
	error = var_find(ns, name, len, &v);
	oid[1] = error == 0 ? (int32_t)v.v_index : 0;
	return error != 0 ? error : reply(room, oid, sizeof(oid));
}

static int
query_next(const struct var *v, const struct room *room)
{
	struct sysctl_next sx = {.sx_oid = {SYSCTL_VARIABLE, (int32_t)v->v_index}};
	size_t len = str_len(v->v_node->sn_name) + 1;

	memcpy(sx.sx_name, v->v_node->sn_name, len);
	return reply(room, &sx, offsetof(struct sysctl_next, sx_name) + len);
}

static int
query_info(const struct var *v, const struct room *room)
{
	const struct sysctl_node *sn = v->v_node;
	struct sysctl_info si = {.si_type = sn->sn_type,
	    .si_writable = sn->sn_writable,
	    .si_min = sn->sn_min,
	    .si_max = sn->sn_max};
	size_t len = str_len(sn->sn_text) + 1;

	memcpy(si.si_text, sn->sn_text, len);
	return reply(room, &si, offsetof(struct sysctl_info, si_text) + len);
}

/* The variable that {..., 1, index} names. */
static int
oid_var(struct netstack *ns, const int32_t *oid, unsigned len, struct var *v)
{
	if (len != 2 || oid[0] != SYSCTL_VARIABLE || oid[1] < 0)
		return EINVAL;
	return var_nth(ns, (uint32_t)oid[1], v);
}

/* {SYSCTL_QUERY, q, oid...} but for SYSCTL_QUERY_OID. */
static int
call_query(struct netstack *ns, const int32_t *name, unsigned namelen, const struct room *room)
{
	struct var v;
	int error;

	if (name[1] == SYSCTL_QUERY_NEXT && namelen == 2)
		error = var_nth(ns, 0, &v);
	else
		error = oid_var(ns, name + 2, namelen - 2, &v);
	if (error == 0 && name[1] == SYSCTL_QUERY_NEXT && namelen > 2)
		error = var_nth(ns, v.v_index + 1, &v);
	if (error != 0)
		return error;
	switch (name[1]) {
	case SYSCTL_QUERY_NAME:
		return reply(room, v.v_node->sn_name, str_len(v.v_node->sn_name) + 1);
	case SYSCTL_QUERY_NEXT:
		return query_next(&v, room);
	case SYSCTL_QUERY_INFO:
		return query_info(&v, room);
	default:
		return EINVAL;
	}
}

int
sysctl_call(struct netstack *ns, const int32_t *name, unsigned namelen, void *old, size_t *oldlen,
    const void *new, size_t newlen)
{
	const struct room room = {old, oldlen};
	struct var v;
	int error;

	KASSERT(oldlen != NULL || old == NULL);
	if (namelen < 2 || newlen > SYSCTL_BYTES_MAX)
		return EINVAL;
	if (name[0] == SYSCTL_QUERY && name[1] == SYSCTL_QUERY_OID)
		return namelen == 2 ? query_oid(ns, new, newlen, &room) : EINVAL;
	if (name[0] == SYSCTL_QUERY)
		return new == NULL ? call_query(ns, name, namelen, &room) : EPERM;
	error = oid_var(ns, name, namelen, &v);
	if (error == 0 && new != NULL && !v.v_node->sn_writable)
		error = EPERM;
	if (error == 0)
		error = call_get(&v, &room);
	if (error == 0 && new != NULL)
		error = call_set(ns, &v, new, newlen);
	return error;
}
