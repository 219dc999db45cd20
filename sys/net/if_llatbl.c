/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of neighbours: hash, limits, held packets. The protocol is above (netinet/arp.c). */
#include <assert.h>
#include <string.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/llatbl.h"

static const char *const lle_state_names[] = {"INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE",
    "FAILED", "STATIC"};
static_assert(nitems(lle_state_names) == LLE_STATE_COUNT, "a name for each state");

const char *
lle_state_name(enum lle_state state)
{
	return lle_state_names[state];
}

struct lltable *
lltable_create(struct ifnet *ifp)
{
	struct netstack *ns = ifp->if_ns;
	struct lltable *llt = kmem_alloc(&ns->ns_fault, sizeof(*llt));

	if (llt == NULL)
		return NULL;
	if (pool_init(&llt->llt_pool, "llentry", sizeof(struct llentry), LLT_LIMIT_DEFAULT, 0,
		&ns->ns_fault) != 0) {
		kmem_free(llt, sizeof(*llt));
		return NULL;
	}
	llt->llt_ifp = ifp;
	llt->llt_hashkey = rng_u32(&ns->ns_rng) | 1;
	TAILQ_INIT(&llt->llt_unresolved);
	TAILQ_INIT(&llt->llt_resolved);
	return llt;
}

void
lltable_destroy(struct lltable *llt)
{
	while (!TAILQ_EMPTY(&llt->llt_unresolved))
		lle_free(TAILQ_FIRST(&llt->llt_unresolved), DROP_IF_DOWN);
	while (!TAILQ_EMPTY(&llt->llt_resolved))
		lle_free(TAILQ_FIRST(&llt->llt_resolved), DROP_IF_DOWN);
	pool_destroy(&llt->llt_pool);
	kmem_free(llt, sizeof(*llt));
}

static uint32_t
lle_bucket(const struct lltable *llt, const struct rt_addr *a)
{
	uint32_t h = a->ra_w[0] ^ a->ra_w[1] * 31 ^ a->ra_w[2] * 961 ^ a->ra_w[3] * 29791;

	h *= llt->llt_hashkey;
	return (h ^ h >> 16) * llt->llt_hashkey >> 24;
}
static_assert(LLT_HASHSIZE == 256, "the hash takes 8 bits");

struct llentry *
lle_lookup(struct lltable *llt, const struct rt_addr *addr)
{
	struct llentry *lle;

	LIST_FOREACH(lle, &llt->llt_hash[lle_bucket(llt, addr)], lle_hash) {
		if (memcmp(&lle->lle_addr, addr, sizeof(*addr)) == 0)
			return lle;
	}
	return NULL;
}

static void
lle_timeout(void *arg)
{
	struct llentry *lle = arg;

	lle->lle_tbl->llt_timer(lle);
}

/* Makes room. => false: nobody may go */
static bool
lle_evict(struct lltable *llt, uint64_t min_age_ns, bool resolved)
{
	uint64_t now = llt->llt_ifp->if_ns->ns_now;
	struct llentry *lle = TAILQ_FIRST(&llt->llt_unresolved);

	if (lle != NULL && now - lle->lle_asked_ns >= min_age_ns) {
		lle_free(lle, DROP_ARP_LIMIT);
		return true;
	}
	if (!resolved)
		return false;
	TAILQ_FOREACH(lle, &llt->llt_resolved, lle_queue) {
		if (lle->lle_state == LLE_STALE) {
			lle_free(lle, DROP_ARP_LIMIT);
			return true;
		}
	}
	return false;
}

struct llentry *
lle_create(struct lltable *llt, const struct rt_addr *addr, uint64_t min_age_ns, bool resolved)
{
	struct netstack *ns = llt->llt_ifp->if_ns;
	struct llentry *lle;
	bool full = llt->llt_pool.pl_nout >= llt->llt_pool.pl_limit ||
	    (!resolved && llt->llt_nunresolved >= llt->llt_pool.pl_limit / 2);

	if (full && !lle_evict(llt, min_age_ns, resolved))
		return NULL;
	if ((lle = pool_get_zeroed(&llt->llt_pool)) == NULL)
		return NULL;
	lle->lle_tbl = llt;
	lle->lle_addr = *addr;
	lle->lle_state = LLE_INCOMPLETE;
	lle->lle_asked_ns = ns->ns_now;
	mbufq_init(&lle->lle_hold, LLE_HOLD_MAX);
	callout_init(&lle->lle_timer, ns, lle_timeout, lle);
	LIST_INSERT_HEAD(&llt->llt_hash[lle_bucket(llt, addr)], lle, lle_hash);
	TAILQ_INSERT_TAIL(&llt->llt_unresolved, lle, lle_queue);
	llt->llt_nunresolved++;
	return lle;
}

static void
lle_unqueue(struct llentry *lle)
{
	struct lltable *llt = lle->lle_tbl;

	if (lle_hasaddr(lle)) {
		TAILQ_REMOVE(&llt->llt_resolved, lle, lle_queue);
		return;
	}
	TAILQ_REMOVE(&llt->llt_unresolved, lle, lle_queue);
	llt->llt_nunresolved--;
}

void
lle_set_state(struct llentry *lle, enum lle_state state)
{
	struct lltable *llt = lle->lle_tbl;

	trace_add(llt->llt_ifp->if_ns, TRACE_LLE_STATE,
	    (uint32_t)lle->lle_state << 16 | (uint32_t)state, lle->lle_addr.ra_w[0]);
	lle_unqueue(lle);
	lle->lle_state = state;
	lle->lle_asked = 0;
	if (lle_hasaddr(lle)) {
		TAILQ_INSERT_TAIL(&llt->llt_resolved, lle, lle_queue);
		return;
	}
	TAILQ_INSERT_TAIL(&llt->llt_unresolved, lle, lle_queue);
	llt->llt_nunresolved++;
}

void
lle_free(struct llentry *lle, enum drop_reason why)
{
	struct mbuf *m;

	(void)callout_stop(&lle->lle_timer);
	while ((m = lle_unhold(lle)) != NULL)
		m_drop(m, why);
	LIST_REMOVE(lle, lle_hash);
	lle_unqueue(lle);
	pool_put(&lle->lle_tbl->llt_pool, lle);
}

bool
lle_hold(struct llentry *lle, struct mbuf *m)
{
	if (lle->lle_tbl->llt_nheld >= LLT_HOLD_MAX || !mbufq_enqueue(&lle->lle_hold, m))
		return false;
	lle->lle_tbl->llt_nheld++;
	return true;
}

struct mbuf *
lle_unhold(struct llentry *lle)
{
	struct mbuf *m = mbufq_dequeue(&lle->lle_hold);

	if (m != NULL)
		lle->lle_tbl->llt_nheld--;
	return m;
}
