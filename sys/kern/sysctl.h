/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysctl: named settings and counters of a stack, read and written at run time.
 *
 * A layer registers const tables of nodes; a node refers to its variable by offset from a base
 * object (the netstack or a layer's state), so that the tables are shared by all stacks.
 */
#ifndef KERN_SYSCTL_H
#define KERN_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/queue.h"

struct netstack;

enum sysctl_type { SYSCTL_U32, SYSCTL_U64, SYSCTL_STRING, SYSCTL_TYPE_COUNT };

struct sysctl_node {
	const char *sn_name; /* "kern.mbuf.mclbytes" */
	const char *sn_text; /* one line for people, with the unit */
	enum sysctl_type sn_type;
	bool sn_writable;
	size_t sn_offset; /* of the variable in the base object; strings are char arrays */
	size_t sn_size;
	/* Range of what may be written. */
	uint64_t sn_min;
	uint64_t sn_max;
	/*
	 * May refuse a value (EINVAL) or act on it; called before it is stored, a string as the
	 * address of its first byte (with NUL). NULL: range only.
	 */
	int (*sn_check)(struct netstack *ns, const struct sysctl_node *sn, uint64_t value);
};

/* A registered table. Its memory belongs to the layer, for the stack's life. */
struct sysctl_table {
	TAILQ_ENTRY(sysctl_table) st_list;
	const struct sysctl_node *st_nodes;
	size_t st_nnodes;
	void *st_base;
};

/*
 * => nodes lie within base's object: sn_size is 4 or 8 for numbers, and the room with the NUL for
 * strings (KASSERT). Their names are unique in the stack.
 */
void sysctl_register(struct netstack *ns, struct sysctl_table *st, const struct sysctl_node *nodes,
    size_t nnodes, void *base);
void sysctl_unregister(struct netstack *ns, struct sysctl_table *st);

/* => ENOENT unknown, EPERM read-only, EINVAL out of range or not a number. */
int sysctl_set_u64(struct netstack *ns, const char *name, uint64_t value);
int sysctl_get_u64(struct netstack *ns, const char *name, uint64_t *value);
/*
 * From text, as in `-o NAME=VALUE`: decimal with optional k, m, g (1024s), or the string itself.
 * => errors as above; ENAMETOOLONG: a string beyond its room.
 */
int sysctl_set_text(struct netstack *ns, const char *name, const char *value);
/* The index-th variable of all tables, in a stable order; NULL beyond the last. */
const struct sysctl_node *sysctl_nth(struct netstack *ns, uint32_t index, void **base);
/* By name, with its index. */
const struct sysctl_node *sysctl_find(struct netstack *ns, const char *name, void **base,
    uint32_t *index);

/*
 * The __sysctl system call, in the stack's memory. A name is an array of namelen int32_t. A variable
 * is {SYSCTL_VARIABLE, index}; {SYSCTL_QUERY, q, ...} asks about variables:
 *
 *   name                        new     old
 *   {1, index}                  value   value: 4 or 8 bytes, or a string with its NUL
 *   {0, 1, 1, index}            -       its name, with NUL
 *   {0, 2}, {0, 2, 1, index}    -       struct sysctl_next of the first, of the one after index
 *   {0, 3}                      name    int32_t[2]: {1, index}
 *   {0, 4, 1, index}            -       struct sysctl_info, then its text with NUL
 *
 * => old NULL: only *oldlen is set, to the bytes that a reply has. Else *oldlen bytes of room are at
 *    old, and are told how many were filled; oldlen NULL: no reply is wanted, old is NULL.
 * => new NULL: nothing is set. Numbers are taken as 4 or 8 bytes, whichever the variable has;
 *    strings with or without NUL.
 * => ENOENT unknown or beyond the last, EINVAL not a name or not a value, ENOMEM: old was filled as
 *    far as it went, nothing was set, *oldlen is what the reply has; EPERM read-only.
 */
int sysctl_call(struct netstack *ns, const int32_t *name, unsigned namelen, void *old,
    size_t *oldlen, const void *new, size_t newlen);

enum { SYSCTL_QUERY = 0, SYSCTL_VARIABLE = 1 };
enum sysctl_query {
	SYSCTL_QUERY_NAME = 1,
	SYSCTL_QUERY_NEXT = 2,
	SYSCTL_QUERY_OID = 3,
	SYSCTL_QUERY_INFO = 4
};

#define SYSCTL_BYTES_MAX 1024u /* most bytes of a value or reply */

struct sysctl_next {
	int32_t sx_oid[2];
	char sx_name[SYSCTL_BYTES_MAX - 8]; /* as long as it is, with its NUL */
};

struct sysctl_info {
	uint32_t si_type; /* enum sysctl_type */
	uint32_t si_writable;
	uint64_t si_min;
	uint64_t si_max;
	char si_text[SYSCTL_BYTES_MAX - 24]; /* as long as it is, with its NUL */
};

_Static_assert(sizeof(struct sysctl_next) == SYSCTL_BYTES_MAX, "a reply of known layout");
_Static_assert(sizeof(struct sysctl_info) == SYSCTL_BYTES_MAX, "a reply of known layout");

#endif /* KERN_SYSCTL_H */
