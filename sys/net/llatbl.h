/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours of an interface: network addresses and the stations that have them, for any family.
 *
 * The table stores, finds and limits; the protocol (netinet/arp.c) drives the states of RFC 4861
 * §7.3.2, which ARP shares. Entries without a station are kept apart from the others: there may be
 * half as many as the table holds, and only among themselves do they push each other out, so that
 * a scan of a network never costs a neighbour that works.
 */
#ifndef NET_LLATBL_H
#define NET_LLATBL_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/mbuf.h"
#include "kern/pool.h"
#include "kern/queue.h"
#include "net/route.h"

struct ifnet;

enum lle_state {
	LLE_INCOMPLETE, /* asked for, nothing known yet */
	LLE_REACHABLE,  /* known to have answered lately */
	LLE_STALE,      /* known, perhaps no longer true; used until it is */
	LLE_DELAY,      /* stale and used: wait for a sign of life, then */
	LLE_PROBE,      /* ask the station itself */
	LLE_FAILED,     /* did not answer; not asked again for a while */
	LLE_STATIC,     /* set by hand; never changes */
	LLE_STATE_COUNT
};

#define LLE_HOLD_MAX 48u  /* packets that wait for one neighbour: a 64 KiB datagram's fragments */
#define LLT_HOLD_MAX 256u /* and for all of a table */
#define LLT_LIMIT_DEFAULT 1024u /* entries of a table */
#define LLT_HASHSIZE 256u

TAILQ_HEAD(llentry_list, llentry);

struct llentry {
	LIST_ENTRY(llentry) lle_hash;
	TAILQ_ENTRY(llentry) lle_queue; /* on llt_unresolved or llt_resolved */
	struct lltable *lle_tbl;
	struct rt_addr lle_addr;
	enum lle_state lle_state;
	uint8_t lle_lladdr[6];
	uint32_t lle_asked;      /* requests since the state was entered */
	uint64_t lle_asked_ns;   /* when the last was sent */
	uint64_t lle_updated_ns; /* when lle_lladdr was last heard */
	struct mbufq lle_hold;
	struct callout lle_timer;
};

struct lltable {
	struct ifnet *llt_ifp;
	struct pool llt_pool;
	LIST_HEAD(, llentry) llt_hash[LLT_HASHSIZE];
	struct llentry_list llt_unresolved; /* INCOMPLETE, FAILED; oldest first */
	struct llentry_list llt_resolved;   /* the rest, longest unconfirmed first */
	uint32_t llt_nunresolved;
	uint32_t llt_nheld; /* packets on all lle_hold */
	uint32_t llt_hashkey;
	/* The protocol's timer for an entry; set before the first lle_create. */
	void (*llt_timer)(struct llentry *lle);
};

/* => NULL: no memory. The protocol sets llt_timer. */
struct lltable *lltable_create(struct ifnet *ifp);
/* Frees all entries, dropping what they hold. */
void lltable_destroy(struct lltable *llt);

struct llentry *lle_lookup(struct lltable *llt, const struct rt_addr *addr);
/*
 * A new INCOMPLETE entry. At the limit the oldest unresolved one that was last asked min_age_ns ago
 * gives way (for an entry that will be resolved at once, then the longest unconfirmed STALE one).
 * => addr is not in the table; NULL: full, or no memory
 */
struct llentry *lle_create(struct lltable *llt, const struct rt_addr *addr, uint64_t min_age_ns,
    bool resolved);
/* Drops what it holds (for why), stops its timer and frees it. */
void lle_free(struct llentry *lle, enum drop_reason why);
/* The one door for changes of state: traces, and moves the entry to the end of its queue. */
void lle_set_state(struct llentry *lle, enum lle_state state);
/* Queues m until the neighbour is known. => false: full, m stays the caller's */
bool lle_hold(struct llentry *lle, struct mbuf *m);
/* The next held packet, or NULL. */
struct mbuf *lle_unhold(struct llentry *lle);
const char *lle_state_name(enum lle_state state);

static inline bool
lle_hasaddr(const struct llentry *lle)
{
	return lle->lle_state != LLE_INCOMPLETE && lle->lle_state != LLE_FAILED;
}

#endif /* NET_LLATBL_H */
