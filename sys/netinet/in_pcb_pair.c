/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pairs of endpoints that are taken though no pcb has them: connections in TIME-WAIT of which only
 * a record is left. They are on two hashes like those of pcbs, which grow with their number and are made for
 * the first of them.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "netinet/in_pcb.h"
#include "netinet/in_pcb_impl.h"

#define IN_PAIRHASHSIZE_MIN 64u

static struct in_lookup
pair_lookup(const struct in_pair *ipr)
{
	return (struct in_lookup){ipr->ipr_af, ipr->ipr_laddr, ipr->ipr_faddr, ipr->ipr_lport,
	    ipr->ipr_fport, 0};
}

static void
pair_hash(struct inpcbtable *table, struct in_pair *ipr)
{
	const struct in_lookup il = pair_lookup(ipr);
	const uint32_t mask = table->it_pairhash_size - 1;

	LIST_INSERT_HEAD(&table->it_pairhash[in_pcbhash_pair(table, &il) & mask], ipr, ipr_hash);
	LIST_INSERT_HEAD(&table->it_pairporthash[in_pcbhash_port(table, il.il_lport) & mask], ipr,
	    ipr_lport_hash);
}

/* => ENOMEM: the hashes are as they were */
static int
pair_resize(struct inpcbtable *table, uint32_t size)
{
	struct alloc_fault *fault = &table->it_ns->ns_fault;
	struct in_pair_list *old = table->it_pairhash, *oldport = table->it_pairporthash;
	struct in_pair_list *new = kmem_alloc(fault, size * sizeof(*new));
	struct in_pair_list *newport = kmem_alloc(fault, size * sizeof(*newport));
	const uint32_t oldsize = table->it_pairhash_size;
	struct in_pair *ipr;

	if (new == NULL || newport == NULL) {
		kmem_free(new, size * sizeof(*new));
		kmem_free(newport, size * sizeof(*newport));
		return ENOMEM;
	}
	table->it_pairhash = new;
	table->it_pairporthash = newport;
	table->it_pairhash_size = size;
	for (uint32_t i = 0; i < oldsize; i++) {
		while ((ipr = LIST_FIRST(&old[i])) != NULL) {
			LIST_REMOVE(ipr, ipr_hash);
			LIST_REMOVE(ipr, ipr_lport_hash);
			pair_hash(table, ipr);
		}
	}
	kmem_free(old, oldsize * sizeof(*old));
	kmem_free(oldport, oldsize * sizeof(*oldport));
	return 0;
}

void
in_pairs_fini(struct inpcbtable *table)
{
	KASSERT(table->it_npairs == 0);
	kmem_free(table->it_pairhash, table->it_pairhash_size * sizeof(*table->it_pairhash));
	kmem_free(table->it_pairporthash,
	    table->it_pairhash_size * sizeof(*table->it_pairporthash));
}

int
in_pair_enter(struct inpcbtable *table, struct in_pair *ipr)
{
	if (table->it_pairhash_size == 0 && pair_resize(table, IN_PAIRHASHSIZE_MIN) != 0)
		return ENOMEM;
	/* Without memory the chains just grow longer. */
	if (table->it_npairs >= 2 * table->it_pairhash_size)
		(void)pair_resize(table, 2 * table->it_pairhash_size);
	pair_hash(table, ipr);
	table->it_npairs++;
	return 0;
}

void
in_pair_leave(struct inpcbtable *table, struct in_pair *ipr)
{
	LIST_REMOVE(ipr, ipr_hash);
	LIST_REMOVE(ipr, ipr_lport_hash);
	table->it_npairs--;
}

struct in_pair *
in_pairlookup(const struct inpcbtable *table, const struct in_lookup *il)
{
	struct in_pair *ipr;

	if (table->it_npairs == 0)
		return NULL;
	LIST_FOREACH(ipr,
	    &table->it_pairhash[in_pcbhash_pair(table, il) & (table->it_pairhash_size - 1)],
	    ipr_hash) {
		if (ipr->ipr_lport == il->il_lport && ipr->ipr_fport == il->il_fport &&
		    ipr->ipr_af == il->il_af && in_boundif_has(ipr->ipr_boundif, il->il_ifindex) &&
		    in_addrany_eq(&ipr->ipr_faddr, &il->il_faddr) &&
		    in_addrany_eq(&ipr->ipr_laddr, &il->il_laddr))
			return ipr;
	}
	return NULL;
}

const struct in_pair *
in_pairnext_port(const struct inpcbtable *table, uint16_t lport, const struct in_pair *prev)
{
	const struct in_pair *ipr;

	if (table->it_npairs == 0)
		return NULL;
	if (prev != NULL)
		ipr = LIST_NEXT(prev, ipr_lport_hash);
	else
		ipr = LIST_FIRST(&table->it_pairporthash[in_pcbhash_port(table, lport) &
		    (table->it_pairhash_size - 1)]);
	while (ipr != NULL && ipr->ipr_lport != lport)
		ipr = LIST_NEXT(ipr, ipr_lport_hash);
	return ipr;
}
