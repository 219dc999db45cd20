/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysctl: the registry of tables, and reading and writing variables by name. The system call is in
 * sys_misc.c.
 */
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

		KASSERT(str_len(sn->sn_name) < SYSCTL_TEXT_MAX);
		KASSERT(sn->sn_type != SYSCTL_U32 || sn->sn_size == sizeof(uint32_t));
		KASSERT(sn->sn_type != SYSCTL_U32 || sn->sn_max <= UINT32_MAX);
		KASSERT(sn->sn_type != SYSCTL_U64 || sn->sn_size == sizeof(uint64_t));
		KASSERT(sn->sn_size > 0 && sn->sn_size <= SYSCTL_TEXT_MAX);
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

static int
var_find(struct netstack *ns, const char *name, struct var *v)
{
	struct sysctl_table *st;
	size_t len = str_len(name);
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

	if (var_find(ns, name, &v) != 0)
		return NULL;
	*base = v.v_base;
	*index = v.v_index;
	return v.v_node;
}

size_t
sysctl_read(const struct sysctl_node *sn, const void *base, void *room)
{
	const uint8_t *value = (const uint8_t *)base + sn->sn_offset;
	char *text = room;

	if (sn->sn_secret)
		memset(room, 0, sn->sn_size);
	else
		memcpy(room, value, sn->sn_size);
	if (sn->sn_type != SYSCTL_STRING)
		return sn->sn_size;
	text[sn->sn_size - 1] = '\0';
	return str_len(text) + 1;
}

/* => the variable is a number. */
static uint64_t
var_number(const struct var *v)
{
	uint8_t value[SYSCTL_TEXT_MAX];
	uint64_t u64;
	uint32_t u32;

	(void)sysctl_read(v->v_node, v->v_base, value);
	if (v->v_node->sn_type == SYSCTL_U32) {
		memcpy(&u32, value, sizeof(u32));
		return u32;
	}
	memcpy(&u64, value, sizeof(u64));
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

static int
var_set_string(struct netstack *ns, const struct var *v, const char *text)
{
	const struct sysctl_node *sn = v->v_node;
	char value[SYSCTL_TEXT_MAX];
	size_t len = str_len(text);
	int error;

	if (!sn->sn_writable)
		return EPERM;
	if (len >= sn->sn_size)
		return ENAMETOOLONG;
	memcpy(value, text, len);
	memset(value + len, 0, sn->sn_size - len);
	error = sn->sn_check == NULL ? 0 : sn->sn_check(ns, sn, (uintptr_t)value);
	if (error == 0)
		memcpy(v->v_base + sn->sn_offset, value, sn->sn_size);
	return error;
}

int
sysctl_set_u64(struct netstack *ns, const char *name, uint64_t value)
{
	struct var v;
	int error = var_find(ns, name, &v);

	return error != 0 ? error : var_set_number(ns, &v, value);
}

int
sysctl_get_u64(struct netstack *ns, const char *name, uint64_t *value)
{
	struct var v;
	int error = var_find(ns, name, &v);

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
	int error = var_find(ns, name, &v);

	if (error != 0)
		return error;
	if (v.v_node->sn_type == SYSCTL_STRING)
		return var_set_string(ns, &v, value);
	if (!v.v_node->sn_writable)
		return EPERM;
	error = parse_number(value, &number);
	return error != 0 ? error : var_set_number(ns, &v, number);
}
