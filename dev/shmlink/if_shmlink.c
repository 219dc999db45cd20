/* SPDX-License-Identifier: BSD-2-Clause */
/* The ifnet half of a wire in shared memory. See if_shmlink.h. */
#include "dev/shmlink/if_shmlink.h"

#include "dev/shmlink/ring.h"
#include "dev/shmlink/shmlink_host.h"
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"

#define SHMLINK_TXQ 512u    /* frames that wait for room */
#define SHMLINK_MTU_MIN 68u /* RFC 791 §3.2 */
#define SHMLINK_MTU_MAX 65535u

struct shmlink_softc {
	struct ifnet sc_if;
	struct shmlink_config sc_config;
	bool sc_carrier;
	bool sc_ring; /* the other end is to be woken at the end of the burst */
	struct ring sc_tx;
	struct ring sc_rx;
	struct mbufq sc_queue;
};

_Static_assert(sizeof(struct ring_shared) <= SHMLINK_RING_HDR, "a ring's header fits its room");

/* => false: no room now */
static bool
shmlink_put(struct shmlink_softc *sc, const struct mbuf *m)
{
	const struct pkthdr *ph = &m->m_pkthdr;
	struct ring_record rr = {.rr_len = ph->len};

	if ((ph->csum_flags & (M_CSUM_NEEDED | M_CSUM_OK)) != 0)
		rr.rr_flags = RING_CSUM;
	if ((ph->csum_flags & M_CSUM_TSO) != 0)
		rr.rr_segsz = ph->segsz;
	if (!ring_reserve(&sc->sc_tx, &rr))
		return false;
	for (; m != NULL; m = m->m_next)
		ring_write(&sc->sc_tx, m->m_data, m->m_len);
	if (ring_commit(&sc->sc_tx))
		sc->sc_ring = true;
	return true;
}

static int
shmlink_start(struct ifnet *ifp, struct mbuf *m)
{
	struct shmlink_softc *sc = ifp->if_softc;

	if (!sc->sc_carrier) {
		m_drop(m, DROP_LINK_CUT);
		return 0;
	}
	if (sc->sc_queue.mq_len > 0 || !shmlink_put(sc, m)) {
		if (mbufq_enqueue(&sc->sc_queue, m))
			return 0;
		m_freem(m);
		return ENOBUFS;
	}
	m_freem(m);
	return 0;
}

static void
shmlink_flush(struct ifnet *ifp)
{
	struct shmlink_softc *sc = ifp->if_softc;

	if (sc->sc_ring)
		sc->sc_config.sc_bell(sc->sc_config.sc_arg);
	sc->sc_ring = false;
}

/* The frame that rr tells of, out of the ring. => NULL: no memory, and it is counted */
static struct mbuf *
shmlink_packet(struct shmlink_softc *sc, const struct ring_record *rr)
{
	struct ifnet *ifp = &sc->sc_if;
	struct mbuf *m = m_getm(ifp->if_ns, rr->rr_len);
	uint32_t left = rr->rr_len;

	if (m == NULL) {
		ifp->if_data.ifi_iqdrops++;
		ifp->if_ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	for (struct mbuf *p = m; left > 0; p = p->m_next) {
		p->m_len = (uint32_t)KERN_MIN(left, m_trailingspace(p));
		ring_read(&sc->sc_rx, p->m_data, p->m_len);
		left -= p->m_len;
	}
	m->m_pkthdr.len = rr->rr_len;
	m->m_pkthdr.rcvif = ifp;
	if ((rr->rr_flags & RING_CSUM) != 0)
		m->m_pkthdr.csum_flags = M_CSUM_OK;
	if (rr->rr_segsz != 0)
		m->m_pkthdr.nsegs = (uint16_t)howmany(rr->rr_len, rr->rr_segsz);
	return m;
}

static void
shmlink_resume(struct shmlink_softc *sc)
{
	while (sc->sc_queue.mq_head != NULL && shmlink_put(sc, sc->sc_queue.mq_head))
		m_freem(mbufq_dequeue(&sc->sc_queue));
}

int
shmlink_turn(struct ifnet *ifp, unsigned budget)
{
	struct shmlink_softc *sc = ifp->if_softc;
	enum ring_next next = RING_FRAME;
	struct ring_record rr;
	unsigned done;

	if (!sc->sc_carrier)
		return 0;
	shmlink_resume(sc);
	for (done = 0; done < budget; done++) {
		struct mbuf *m;

		next = ring_next(&sc->sc_rx, &rr);
		if (next != RING_FRAME)
			break;
		m = shmlink_packet(sc, &rr);
		if (ring_release(&sc->sc_rx, &rr))
			sc->sc_ring = true;
		if (m != NULL)
			ifp->if_input(ifp, m);
	}
	shmlink_flush(ifp);
	return next == RING_BROKEN ? -1 : (int)done;
}

void
shmlink_up(struct ifnet *ifp, const struct shmlink_map *sm)
{
	struct shmlink_softc *sc = ifp->if_softc;

	ring_init(&sc->sc_tx, sm->sm_txhdr, sm->sm_txdata, SHMLINK_RING_DATA);
	ring_init(&sc->sc_rx, sm->sm_rxhdr, sm->sm_rxdata, SHMLINK_RING_DATA);
	sc->sc_carrier = true;
}

void
shmlink_down(struct ifnet *ifp)
{
	struct shmlink_softc *sc = ifp->if_softc;
	struct mbuf *m;

	sc->sc_carrier = false;
	while ((m = mbufq_dequeue(&sc->sc_queue)) != NULL)
		m_drop(m, DROP_LINK_CUT);
}

static void
shmlink_free(struct shmlink_softc *sc)
{
	mbufq_drain(&sc->sc_queue);
	host_free(sc, sizeof(*sc));
}

/* The stack lets go of the interface. */
static void
shmlink_detached(struct ifnet *ifp)
{
	shmlink_free(ifp->if_softc);
}

static int
shmlink_setup(struct netstack *ns, struct shmlink_softc *sc)
{
	struct ifnet *ifp = &sc->sc_if;
	int error = if_setname(ifp, sc->sc_config.sc_name);

	if (error != 0)
		return error;
	ifp->if_type = IFT_ETHER;
	ifp->if_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
	ifp->if_mtu = sc->sc_config.sc_mtu;
	ifp->if_capenable = IFCAP_CSUM_TX | IFCAP_CSUM_RX | IFCAP_TSO4 | IFCAP_TSO6;
	ifp->if_softc = sc;
	ifp->if_start = shmlink_start;
	ifp->if_flush = shmlink_flush;
	error = if_attach(ns, ifp);
	if (error != 0)
		return error;
	error = ether_ifattach(ifp, sc->sc_config.sc_lladdr);
	if (error != 0)
		if_detach(ifp);
	else
		ifp->if_detached = shmlink_detached;
	return error;
}

int
shmlink_attach(struct netstack *ns, const struct shmlink_config *config, struct ifnet **ifpp)
{
	struct shmlink_softc *sc;
	int error;

	if (config->sc_mtu < SHMLINK_MTU_MIN || config->sc_mtu > SHMLINK_MTU_MAX)
		return EINVAL;
	if (config->sc_lladdr != NULL && (config->sc_lladdr[0] & 1) != 0)
		return EINVAL;
	sc = host_alloc(sizeof(*sc));
	if (sc == NULL)
		return ENOMEM;
	sc->sc_config = *config;
	mbufq_init(&sc->sc_queue, SHMLINK_TXQ);
	error = shmlink_setup(ns, sc);
	if (error != 0) {
		shmlink_free(sc);
		return error;
	}
	*ifpp = &sc->sc_if;
	return 0;
}

void
shmlink_detach(struct ifnet *ifp)
{
	if_detach(ifp);
}
