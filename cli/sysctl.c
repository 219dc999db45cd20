/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rumpus sysctl and rumpus stats: a stack's variables by name.
 *
 * A value's kind follows from its length, as abi.h has it: 4 and 8 bytes are numbers, all else is
 * a string. A write of no bytes tells settings from counters: EINVAL or EPERM, and nothing is set.
 */
#include "rumpus.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rumpus/abi.h>
#include <rumpus/client.h>

#define NAME_MAX_BYTES 256
#define VALUE_MAX_BYTES 1024

struct value {
	char va_bytes[VALUE_MAX_BYTES + 1];
	size_t va_len;
};

static bool
value_is_number(const struct value *va)
{
	return va->va_len == sizeof(uint32_t) || va->va_len == sizeof(uint64_t);
}

static uint64_t
value_number(const struct value *va)
{
	uint32_t u32;
	uint64_t u64;

	if (va->va_len == sizeof(u32)) {
		memcpy(&u32, va->va_bytes, sizeof(u32));
		return u32;
	}
	memcpy(&u64, va->va_bytes, sizeof(u64));
	return u64;
}

/* => 0 or errno */
static int
value_get(const char *name, struct value *va)
{
	va->va_len = VALUE_MAX_BYTES;
	if (rumpus_sysctlbyname(name, va->va_bytes, &va->va_len, NULL, 0) != 0)
		return errno;
	if (va->va_len > VALUE_MAX_BYTES)
		return EPROTO;
	va->va_bytes[va->va_len] = '\0';
	return 0;
}

/* Decimal with optional k, m, g. */
static bool
size_parse(const char *text, uint64_t *number)
{
	static const char units[] = "kmg";
	const char *unit;
	uint64_t value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	if (*end != '\0') {
		unit = strchr(units, *end | 0x20);
		if (unit == NULL || end[1] != '\0')
			return false;
		for (const char *u = units; u <= unit; u++) {
			if (__builtin_mul_overflow(value, (uint64_t)1024, &value))
				return false;
		}
	}
	*number = value;
	return true;
}

/* => 0 or errno */
static int
value_set(const char *name, const char *text)
{
	struct value va;
	uint64_t u64;
	uint32_t u32;
	int error = value_get(name, &va);

	if (error != 0)
		return error;
	if (!value_is_number(&va))
		error = rumpus_sysctlbyname(name, NULL, NULL, text, strlen(text) + 1);
	else if (!size_parse(text, &u64))
		return EINVAL;
	else if (va.va_len == sizeof(u64))
		error = rumpus_sysctlbyname(name, NULL, NULL, &u64, sizeof(u64));
	else if (u64 > UINT32_MAX)
		return EINVAL;
	else {
		u32 = (uint32_t)u64;
		error = rumpus_sysctlbyname(name, NULL, NULL, &u32, sizeof(u32));
	}
	return error == 0 ? 0 : errno;
}

static void
refused(const char *name, int error)
{
	const char *why = strerror(error);
	const char *hint = "rumpus sysctl, for what there is";

	switch (error) {
	case ENOENT:
		why = "no such variable";
		break;
	case EPERM:
		why = "read-only";
		break;
	case EINVAL:
		why = "not a value that it takes";
		hint = "another value; rumpus sysctl shows the present one";
		break;
	case ENETDOWN:
		why = "the server went away";
		hint = "starting it again";
		break;
	default:
		break;
	}
	complain("%s: %s; try: %s", name, why, hint);
}

/* Where values go: lines at once, or an object that is printed at the end. */
static void
show(json_t *object, const char *name, const struct value *va)
{
	if (object != NULL && value_is_number(va) && value_number(va) <= INT64_MAX)
		(void)json_object_set_new(object, name, json_integer((json_int_t)value_number(va)));
	else if (object != NULL && value_is_number(va)) /* JSON's readers know no such numbers */
		(void)json_object_set_new(object, name, json_sprintf("%" PRIu64, value_number(va)));
	else if (object != NULL)
		(void)json_object_set_new(object, name, json_string(va->va_bytes));
	else if (value_is_number(va))
		(void)printf("%s = %" PRIu64 "\n", name, value_number(va));
	else
		(void)printf("%s = %s\n", name, va->va_bytes);
}

static void
show_end(json_t *object)
{
	if (object == NULL)
		return;
	(void)json_dumpf(object, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
	(void)putchar('\n');
	json_decref(object);
}

/* The name of variable number. => 0 or errno, ENOENT: that was the last */
static int
name_nth(int number, char name[NAME_MAX_BYTES])
{
	const int oid[] = {RUMPUS_CTL_META, RUMPUS_CTL_META_NAME, number};
	size_t len = NAME_MAX_BYTES;

	if (rumpus_sys___sysctl(oid, 3, name, &len, NULL, 0) != 0)
		return errno;
	if (len == 0 || len > NAME_MAX_BYTES || name[len - 1] != '\0')
		return EPROTO;
	return 0;
}

static bool
is_setting(const char *name)
{
	return rumpus_sysctlbyname(name, NULL, NULL, "", 0) != 0 && errno != EPERM;
}

typedef bool wanted(const struct request *rq, const char *name, const struct value *va);

/* Shows what is wanted of all variables. => exit status */
static int
show_all(const struct request *rq, wanted *want, json_t *object)
{
	char name[NAME_MAX_BYTES];
	struct value va;
	int error;

	for (int i = 0; (error = name_nth(i, name)) == 0; i++) {
		error = value_get(name, &va);
		if (error != 0)
			break;
		if (want(rq, name, &va))
			show(object, name, &va);
	}
	if (error == ENOENT)
		return 0;
	refused("all variables", error);
	return EXIT_REFUSED;
}

static bool
want_all(const struct request *rq, const char *name, const struct value *va)
{
	(void)rq;
	(void)name;
	(void)va;
	return true;
}

static int
one_name(char *name, json_t *object)
{
	char *text = strchr(name, '=');
	struct value va;
	int error;

	if (text != NULL) {
		*text = '\0';
		error = value_set(name, text + 1);
	} else {
		error = value_get(name, &va);
		if (error == 0)
			show(object, name, &va);
	}
	if (error != 0)
		refused(name, error);
	return error == 0 ? 0 : EXIT_REFUSED;
}

int
cmd_sysctl(const struct request *rq)
{
	json_t *object = rq->rq_json ? json_object() : NULL;
	int status = 0;

	if (rq->rq_nnames == 0)
		status = show_all(rq, want_all, object);
	for (int i = 0; i < rq->rq_nnames; i++) {
		if (one_name(rq->rq_names[i], object) != 0)
			status = EXIT_REFUSED;
	}
	show_end(object);
	return status;
}

static bool
want_stat(const struct request *rq, const char *name, const struct value *va)
{
	bool named = rq->rq_nnames == 0;

	for (int i = 0; i < rq->rq_nnames && !named; i++)
		named = strncmp(name, rq->rq_names[i], strlen(rq->rq_names[i])) == 0;
	return named && value_is_number(va) && value_number(va) != 0 && !is_setting(name);
}

int
cmd_stats(const struct request *rq)
{
	json_t *object = rq->rq_json ? json_object() : NULL;
	int status = show_all(rq, want_stat, object);

	show_end(object);
	return status;
}
