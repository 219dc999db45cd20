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
	bool sn_secret; /* may be set, never told */
};

/* A registered table. Its memory belongs to the layer, for the stack's life. */
struct sysctl_table {
	TAILQ_ENTRY(sysctl_table) st_list;
	const struct sysctl_node *st_nodes;
	size_t st_nnodes;
	void *st_base;
};

#define SYSCTL_TEXT_MAX 256u /* bytes of a name, and of a string variable, with the NUL */

/*
 * => nodes lie within base's object: sn_size is 4 or 8 for numbers, and the room with the NUL for
 * strings (KASSERT). Their names are unique in the stack.
 */
void sysctl_register(struct netstack *ns, struct sysctl_table *st, const struct sysctl_node *nodes,
    size_t nnodes, void *base);
/* => when the stack ends: it changes the index of every variable behind. */
void sysctl_unregister(struct netstack *ns, struct sysctl_table *st);

/* => ENOENT unknown, EPERM read-only, EINVAL out of range or not a number. */
int sysctl_set_u64(struct netstack *ns, const char *name, uint64_t value);
int sysctl_get_u64(struct netstack *ns, const char *name, uint64_t *value);
/*
 * A copy of a node's variable as it is told: of a secret, zeroes. room: SYSCTL_TEXT_MAX bytes.
 * => its length; of a string, with the NUL
 */
size_t sysctl_read(const struct sysctl_node *sn, const void *base, void *room);
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

#endif /* KERN_SYSCTL_H */
