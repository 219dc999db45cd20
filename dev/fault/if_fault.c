/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bad link in front of an interface. See if_fault.h.
 *
 * It takes the place of the driver's if_start and of the link layer's if_input, and keeps frames in
 * two queues in order of arrival until one callout finds them due. Frames of one time keep the
 * order of sending.
 */
#include "dev/fault/if_fault.h"

#include "kern/callout.h"
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"

struct fault_held {
	TAILQ_ENTRY(fault_held) fh_list;
	uint64_t fh_due_ns;
	struct mbuf *fh_m;
};

TAILQ_HEAD(fault_queue, fault_held);

struct fault_path {
	struct fault fp_fault;
	struct fault_queue fp_held; /* by fh_due_ns */
};

struct if_fault {
	struct ifnet *iff_ifp;
	int (*iff_start)(struct ifnet *ifp, struct mbuf *m);
	void (*iff_input)(struct ifnet *ifp, struct mbuf *m);
	struct fault_path iff_paths[FAULT_DIRECTIONS];
	struct pool iff_pool; /* of struct fault_held */
	struct callout iff_timer;
};

#define FAULT_HELD_MAX 65536u

const struct fault *
fault_direction(const struct if_fault *iff, unsigned direction)
{
	KASSERT(direction < FAULT_DIRECTIONS);
	return &iff->iff_paths[direction].fp_fault;
}

/* -- what is due ------------------------------------------------------------------------------ */

static void
fault_deliver(struct if_fault *iff, unsigned direction, struct mbuf *m)
{
	struct ifnet *ifp = iff->iff_ifp;
	int error;

	if (direction == FAULT_IN) {
		iff->iff_input(ifp, m);
		return;
	}
	error = iff->iff_start(ifp, m);
	if (error == ENOBUFS)
		ifp->if_data.ifi_oqdrops++;
	else if (error != 0)
		ifp->if_data.ifi_oerrors++;
}

/* The earliest of all that is held. => CALLOUT_NEVER: nothing is */
static uint64_t
fault_next(const struct if_fault *iff)
{
	uint64_t next_ns = CALLOUT_NEVER;

	for (unsigned i = 0; i < FAULT_DIRECTIONS; i++) {
		const struct fault_held *fh = TAILQ_FIRST(&iff->iff_paths[i].fp_held);

		if (fh != NULL)
			next_ns = KERN_MIN(next_ns, fh->fh_due_ns);
	}
	return next_ns;
}

static void
fault_rearm(struct if_fault *iff)
{
	uint64_t next_ns = fault_next(iff);

	if (next_ns != CALLOUT_NEVER)
		callout_schedule(&iff->iff_timer, next_ns);
}

static void
fault_timer(void *arg)
{
	struct if_fault *iff = arg;
	uint64_t now_ns = iff->iff_ifp->if_ns->ns_now;

	for (unsigned i = 0; i < FAULT_DIRECTIONS; i++) {
		struct fault_queue *held = &iff->iff_paths[i].fp_held;
		struct fault_held *fh;

		while ((fh = TAILQ_FIRST(held)) != NULL && fh->fh_due_ns <= now_ns) {
			struct mbuf *m = fh->fh_m;

			TAILQ_REMOVE(held, fh, fh_list);
			pool_put(&iff->iff_pool, fh);
			fault_deliver(iff, i, m);
		}
	}
	if (iff->iff_ifp->if_flush != NULL)
		iff->iff_ifp->if_flush(iff->iff_ifp);
	fault_rearm(iff);
}

/* -- what comes ------------------------------------------------------------------------------- */

static void
fault_hold(struct if_fault *iff, struct fault_path *fp, struct mbuf *m, uint64_t due_ns)
{
	struct fault_held *fh = pool_get(&iff->iff_pool), *before;

	if (fh == NULL) {
		m_drop(m, DROP_FAULT_QUEUE);
		return;
	}
	fh->fh_m = m;
	fh->fh_due_ns = due_ns;
	before = TAILQ_LAST(&fp->fp_held, fault_queue);
	while (before != NULL && before->fh_due_ns > due_ns)
		before = TAILQ_PREV(before, fault_queue, fh_list);
	if (before != NULL)
		TAILQ_INSERT_AFTER(&fp->fp_held, before, fh, fh_list);
	else
		TAILQ_INSERT_HEAD(&fp->fp_held, fh, fh_list);
}

/* A copy of its own of m, as sent buffers are shared, with one bit wrong. => NULL: no memory */
static struct mbuf *
fault_corrupt(struct mbuf *m, uint32_t bit)
{
	struct mbuf *copy = m_dup(m);
	uint8_t byte;

	m_freem(m);
	if (copy == NULL)
		return NULL;
	m_copydata(copy, bit / 8, 1, &byte);
	byte ^= (uint8_t)(1u << bit % 8);
	m_copyback(copy, bit / 8, 1, &byte);
	copy->m_pkthdr.csum_flags &= (uint16_t)~M_CSUM_OK;
	return copy;
}

static void
fault_pass(struct if_fault *iff, unsigned direction, struct mbuf *m)
{
	struct fault_path *fp = &iff->iff_paths[direction];
	struct netstack *ns = iff->iff_ifp->if_ns;
	struct fault_fate ff;

	fault_frame(&fp->fp_fault, ns->ns_now, m->m_pkthdr.len, &ff);
	if (ff.ff_ncopies == 0) {
		m_drop(m, ff.ff_why == FAULT_QUEUE ? DROP_FAULT_QUEUE : DROP_FAULT_LOST);
		return;
	}
	for (unsigned i = 1; i < ff.ff_ncopies; i++) {
		struct mbuf *copy = m_dup(m);

		if (copy != NULL)
			fault_hold(iff, fp, copy, ff.ff_due_ns[i]);
	}
	if (ff.ff_corrupt)
		m = fault_corrupt(m, ff.ff_badbit);
	if (m != NULL)
		fault_hold(iff, fp, m, ff.ff_due_ns[0]);
	fault_rearm(iff);
}

static int
fault_start(struct ifnet *ifp, struct mbuf *m)
{
	fault_pass(ifp->if_fault, FAULT_OUT, m);
	return 0;
}

static void
fault_input(struct ifnet *ifp, struct mbuf *m)
{
	if (m->m_pkthdr.len == 0) {
		struct if_fault *iff = ifp->if_fault;

		iff->iff_input(ifp, m); /* judged there */
		return;
	}
	fault_pass(ifp->if_fault, FAULT_IN, m);
}

/* -- putting it in and taking it out ---------------------------------------------------------- */

int
fault_attach(struct ifnet *ifp, const struct fault_config *fc, struct if_fault **iffp)
{
	struct netstack *ns = ifp->if_ns;
	struct if_fault *iff;
	uint8_t seed[32];

	KASSERT(ifp->if_fault == NULL);
	if (ifp->if_capenable != 0)
		return EINVAL;
	iff = kmem_alloc(&ns->ns_fault, sizeof(*iff));
	if (iff == NULL)
		return ENOMEM;
	if (pool_init(&iff->iff_pool, "fault", sizeof(struct fault_held), FAULT_HELD_MAX, 0,
		&ns->ns_fault) != 0) {
		kmem_free(iff, sizeof(*iff));
		return ENOMEM;
	}
	for (unsigned i = 0; i < FAULT_DIRECTIONS; i++) {
		rng_bytes(&ns->ns_rng, seed, sizeof(seed));
		fault_init(&iff->iff_paths[i].fp_fault, fc, seed);
		TAILQ_INIT(&iff->iff_paths[i].fp_held);
	}
	callout_init(&iff->iff_timer, ns, fault_timer, iff);
	iff->iff_ifp = ifp;
	iff->iff_start = ifp->if_start;
	iff->iff_input = ifp->if_input;
	ifp->if_fault = iff;
	ifp->if_start = fault_start;
	ifp->if_input = fault_input;
	*iffp = iff;
	return 0;
}

void
fault_detach(struct if_fault *iff)
{
	struct ifnet *ifp = iff->iff_ifp;
	struct fault_held *fh;

	(void)callout_stop(&iff->iff_timer);
	for (unsigned i = 0; i < FAULT_DIRECTIONS; i++) {
		while ((fh = TAILQ_FIRST(&iff->iff_paths[i].fp_held)) != NULL) {
			TAILQ_REMOVE(&iff->iff_paths[i].fp_held, fh, fh_list);
			m_freem(fh->fh_m);
			pool_put(&iff->iff_pool, fh);
		}
	}
	ifp->if_start = iff->iff_start;
	ifp->if_input = iff->iff_input;
	ifp->if_fault = NULL;
	pool_destroy(&iff->iff_pool);
	kmem_free(iff, sizeof(*iff));
}
