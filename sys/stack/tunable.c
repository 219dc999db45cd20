/* SPDX-License-Identifier: BSD-2-Clause */
/* What <rumpus/stack.h> lets be set and asked by name, and allocations that are made to fail. */
#include <rumpus/stack.h>

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/sysctl.h"

#define U64_DIGITS 20

int
rumpus_sysctl_set(struct netstack *ns, const char *name, const char *value)
{
	return sysctl_set_text(ns, name, value);
}

int
rumpus_sysctl_get(struct netstack *ns, const char *name, uint64_t *value)
{
	return sysctl_get_u64(ns, name, value);
}

/* Text with its NUL, whole or not at all. */
static int
text_copy(const char *text, char *to, size_t space)
{
	size_t len = 0;

	while (text[len] != '\0')
		len++;
	if (len >= space)
		return ENAMETOOLONG;
	memcpy(to, text, len + 1);
	return 0;
}

int
rumpus_sysctl_text(struct netstack *ns, const char *name, char *value, size_t space)
{
	char digits[U64_DIGITS + 1], *p = digits + U64_DIGITS, text[SYSCTL_TEXT_MAX];
	const struct sysctl_node *sn;
	uint64_t number;
	uint32_t index;
	void *base;
	int error;

	if ((sn = sysctl_find(ns, name, &base, &index)) == NULL)
		return ENOENT;
	if (sn->sn_type == SYSCTL_STRING) {
		(void)sysctl_read(sn, base, text);
		return text_copy(text, value, space);
	}
	if ((error = sysctl_get_u64(ns, name, &number)) != 0)
		return error;
	*p = '\0';
	do
		*--p = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	return text_copy(p, value, space);
}

int
rumpus_sysctl_nth(struct netstack *ns, uint32_t n, char *name, size_t space)
{
	const struct sysctl_node *sn;
	void *base;

	sn = sysctl_nth(ns, n, &base);
	return sn == NULL ? ENOENT : text_copy(sn->sn_name, name, space);
}

uint64_t
rumpus_fail_alloc(struct netstack *ns, uint64_t nth)
{
	uint64_t left = ns->ns_fault.af_fail_at;

	ns->ns_fault.af_fail_at = nth;
	return left;
}
