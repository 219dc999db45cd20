/* SPDX-License-Identifier: BSD-2-Clause */
/* A wire between two stacks in one process. See if_link.h. */
#include "dev/link/if_link.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "wire/ether.h"

#define LINK_MTU_MIN 68u
#define LINK_MTU_MAX 65535u
#define LINK_QUEUE_MAX 65536u

/* A frame on its way, followed by its bytes. */
struct link_frame {
	STAILQ_ENTRY(link_frame) lf_list;
	uint64_t lf_arrival_ns;
	uint32_t lf_len;
	uint8_t lf_bytes[];
};

struct link_end {
	struct ifnet le_if; /* first: if_softc leads here */
	struct link *le_link;
	bool le_attached;
	/* frames on their way to this end, in order of arrival */
	STAILQ_HEAD(, link_frame) le_in;
	struct pool le_frames;
	uint64_t le_wirefree_ns; /* when the wire to this end is free for the next frame */
};

struct link {
	struct link_config ln_config;
	bool ln_cut;
	struct link_end ln_ends[LINK_ENDS];
};

static struct link_end *
link_peer(const struct link_end *le)
{
	struct link *ln = le->le_link;

	return le == &ln->ln_ends[0] ? &ln->ln_ends[1] : &ln->ln_ends[0];
}

/* When a frame sent now is wholly at the other end; occupies the wire until it has left. */
static uint64_t
link_schedule(struct link_end *to, uint64_t now_ns, uint32_t len)
{
	const struct link_config *lc = &to->le_link->ln_config;

	to->le_wirefree_ns = KERN_MAX(to->le_wirefree_ns, now_ns);
	if (lc->lc_rate_bps != 0)
		to->le_wirefree_ns += (uint64_t)len * 8 * NSEC_PER_SEC / lc->lc_rate_bps;
	return to->le_wirefree_ns + lc->lc_delay_ns;
}

static int
link_start(struct ifnet *ifp, struct mbuf *m)
{
	struct link_end *from = ifp->if_softc;
	struct link_end *to = link_peer(from);
	uint32_t len = m->m_pkthdr.len;
	struct link_frame *lf;

	if (from->le_link->ln_cut || !to->le_attached) {
		m_drop(m, DROP_LINK_CUT);
		return 0;
	}
	lf = pool_get(&to->le_frames);
	if (lf == NULL) {
		m_freem(m);
		return ENOBUFS; /* if_transmit counts it */
	}
	m_copydata(m, 0, len, lf->lf_bytes);
	m_freem(m);
	lf->lf_len = len;
	lf->lf_arrival_ns = link_schedule(to, ifp->if_ns->ns_now, len);
	STAILQ_INSERT_TAIL(&to->le_in, lf, lf_list);
	return 0;
}

/* Hands a frame that has arrived to the stack of this end. */
static void
link_input(struct link_end *le, const struct link_frame *lf)
{
	struct ifnet *ifp = &le->le_if;
	struct mbuf *m = m_getm(ifp->if_ns, lf->lf_len);

	if (m != NULL && m_append(m, lf->lf_len, lf->lf_bytes) != 0) {
		m_freem(m);
		m = NULL;
	}
	if (m == NULL) {
		ifp->if_data.ifi_iqdrops++;
		ifp->if_ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return;
	}
	m->m_pkthdr.rcvif = ifp;
	ifp->if_input(ifp, m);
}

static void
link_deliver(struct link_end *le, uint64_t now_ns)
{
	struct link_frame *lf;

	while ((lf = STAILQ_FIRST(&le->le_in)) != NULL && lf->lf_arrival_ns <= now_ns) {
		STAILQ_REMOVE_HEAD(&le->le_in, lf_list);
		link_input(le, lf);
		pool_put(&le->le_frames, lf);
	}
}

uint64_t
link_turn(struct link *ln, uint64_t now_ns)
{
	uint64_t next_ns = CALLOUT_NEVER;

	for (unsigned i = 0; i < LINK_ENDS; i++) {
		struct link_end *le = &ln->ln_ends[i];

		netstack_enter(le->le_if.if_ns, now_ns);
		link_deliver(le, now_ns);
		netstack_run(le->le_if.if_ns);
	}
	for (unsigned i = 0; i < LINK_ENDS; i++) {
		const struct link_end *le = &ln->ln_ends[i];
		const struct link_frame *lf = STAILQ_FIRST(&le->le_in);

		next_ns = KERN_MIN(next_ns, netstack_deadline(le->le_if.if_ns));
		if (lf != NULL)
			next_ns = KERN_MIN(next_ns, lf->lf_arrival_ns);
	}
	return KERN_MAX(next_ns, now_ns);
}

void
link_cut(struct link *ln, bool cut)
{
	ln->ln_cut = cut;
}

struct ifnet *
link_ifp(struct link *ln, unsigned end)
{
	KASSERT(end < LINK_ENDS);
	return &ln->ln_ends[end].le_if;
}

/* The stack lets go of an end. */
static void
link_detached(struct ifnet *ifp)
{
	struct link_end *le = ifp->if_softc;
	struct link_frame *lf;

	while ((lf = STAILQ_FIRST(&le->le_in)) != NULL) {
		STAILQ_REMOVE_HEAD(&le->le_in, lf_list);
		pool_put(&le->le_frames, lf);
	}
	pool_destroy(&le->le_frames);
	le->le_attached = false;
}

static int
link_attach(struct link *ln, struct link_end *le, const struct link_end_config *lec)
{
	struct ifnet *ifp = &le->le_if;
	size_t frame = sizeof(struct link_frame) + ln->ln_config.lc_mtu + ETHER_HDR_LEN;
	int error = if_setname(ifp, lec->le_name);

	if (error != 0)
		return error;
	le->le_link = ln;
	STAILQ_INIT(&le->le_in);
	ifp->if_type = IFT_ETHER;
	ifp->if_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
	ifp->if_mtu = ln->ln_config.lc_mtu;
	ifp->if_softc = le;
	ifp->if_start = link_start;
	error = pool_init(&le->le_frames, "link", frame, ln->ln_config.lc_queue, 0,
	    &lec->le_ns->ns_fault);
	if (error != 0)
		return error;
	error = if_attach(lec->le_ns, ifp);
	if (error == 0) {
		error = ether_ifattach(ifp, lec->le_lladdr);
		if (error != 0)
			if_detach(ifp);
	}
	if (error != 0) {
		pool_destroy(&le->le_frames);
		return error;
	}
	ifp->if_detached = link_detached;
	le->le_attached = true;
	return 0;
}

int
link_create(const struct link_config *lc, const struct link_end_config ends[LINK_ENDS],
    struct link **lnp)
{
	struct link *ln;

	if (lc->lc_mtu < LINK_MTU_MIN || lc->lc_mtu > LINK_MTU_MAX || lc->lc_queue == 0 ||
	    lc->lc_queue > LINK_QUEUE_MAX || ends[0].le_ns == ends[1].le_ns)
		return EINVAL;
	ln = host_alloc(sizeof(*ln));
	if (ln == NULL)
		return ENOMEM;
	ln->ln_config = *lc;
	for (unsigned i = 0; i < LINK_ENDS; i++) {
		int error = link_attach(ln, &ln->ln_ends[i], &ends[i]);

		if (error != 0) {
			link_destroy(ln);
			return error;
		}
	}
	*lnp = ln;
	return 0;
}

void
link_destroy(struct link *ln)
{
	for (unsigned i = 0; i < LINK_ENDS; i++) {
		if (ln->ln_ends[i].le_attached)
			if_detach(&ln->ln_ends[i].le_if);
	}
	host_free(ln, sizeof(*ln));
}
