/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ifnet half of the tap driver: frames between mbufs and tap_host.h.
 *
 * Receiving: a chain of clusters long enough for the longest frame waits in sc_rx; a short frame is
 * copied to a plain mbuf and the chain stays, a longer one takes the clusters it fills with it.
 * Sending: a frame goes to the host at once; while the host takes none, frames queue up.
 */
#include "dev/tap/if_tap.h"

#include <string.h>

#include "dev/tap/tap_host.h"
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "wire/ether.h"

#define TAP_TXQ 512u    /* frames */
#define TAP_MTU_MIN 68u /* RFC 791 §3.2 */
#define TAP_MTU_MAX 65535u
#define TAP_VLAN_LEN 4u    /* a tag may come with a frame */
#define TAP_ALIGN 2u       /* so that the network header is aligned */
#define TAP_COPYBREAK 200u /* frames up to this are copied, and the clusters kept */

struct tap_softc {
	struct ifnet sc_if;
	struct tap_host *sc_host;
	struct mbuf *sc_rx; /* the chain that the next frame is read to; NULL: get one */
	struct mbufq sc_tx;
};

static unsigned
tap_chain_bufs(struct mbuf *m, struct tap_buf *tb)
{
	unsigned n = 0;

	for (; m != NULL && n < TAP_MAXBUFS; m = m->m_next)
		tb[n++] = (struct tap_buf){.tb_base = m->m_data, .tb_len = m->m_len};
	return n;
}

static enum tap_sent
tap_tx_write(struct tap_softc *sc, struct mbuf *m)
{
	struct tap_buf tb[TAP_MAXBUFS];

	return tap_host_write(sc->sc_host, tb, tap_chain_bufs(m, tb));
}

/* The host took the frame or refused it: m is done with. */
static void
tap_tx_done(struct tap_softc *sc, struct mbuf *m, enum tap_sent sent)
{
	if (sent == TAP_SENT) {
		m_freem(m);
		return;
	}
	sc->sc_if.if_data.ifi_oerrors++;
	m_drop(m, DROP_IF_OERROR);
}

/* More pieces than the host takes: one contiguous copy instead. Consumes m. */
static struct mbuf *
tap_defrag(struct mbuf *m)
{
	unsigned n = 0;
	struct mbuf *copy;

	for (const struct mbuf *p = m; p != NULL; p = p->m_next)
		n++;
	if (n <= TAP_MAXBUFS)
		return m;
	copy = m_dup(m);
	m_freem(m);
	return copy;
}

static int
tap_start(struct ifnet *ifp, struct mbuf *m)
{
	struct tap_softc *sc = ifp->if_softc;

	m = tap_defrag(m);
	if (m == NULL)
		return ENOBUFS;
	if (sc->sc_tx.mq_len == 0) {
		enum tap_sent sent = tap_tx_write(sc, m);

		if (sent != TAP_FULL) {
			tap_tx_done(sc, m, sent);
			return 0;
		}
	}
	if (mbufq_enqueue(&sc->sc_tx, m))
		return 0;
	ifp->if_data.ifi_oqdrops++;
	m_drop(m, DROP_IF_QUEUEFULL);
	return ENOBUFS;
}

bool
tap_tx_resume(struct ifnet *ifp)
{
	struct tap_softc *sc = ifp->if_softc;

	while (sc->sc_tx.mq_head != NULL) {
		enum tap_sent sent = tap_tx_write(sc, sc->sc_tx.mq_head);

		if (sent == TAP_FULL)
			return false;
		tap_tx_done(sc, mbufq_dequeue(&sc->sc_tx), sent);
	}
	return true;
}

bool
tap_tx_pending(const struct ifnet *ifp)
{
	const struct tap_softc *sc = ifp->if_softc;

	return sc->sc_tx.mq_len > 0;
}

/* A chain with room for the longest frame; m_len is the room. NULL: no memory. */
static struct mbuf *
tap_rx_alloc(struct tap_softc *sc)
{
	size_t room = sc->sc_if.if_mtu + ETHER_HDR_LEN + TAP_VLAN_LEN;
	struct mbuf *m = m_getcl(sc->sc_if.if_ns, MT_DATA, true);
	struct mbuf *tail = m;

	if (m == NULL)
		return NULL;
	m->m_data += TAP_ALIGN;
	for (;;) {
		tail->m_len = (uint32_t)KERN_MIN(room, m_trailingspace(tail));
		room -= tail->m_len;
		if (room == 0)
			return m;
		tail->m_next = m_getcl(sc->sc_if.if_ns, MT_DATA, false);
		if (tail->m_next == NULL) {
			m_freem(m);
			return NULL;
		}
		tail = tail->m_next;
	}
}

/* The first len bytes of the waiting chain as a packet; what is left of it stays. */
static struct mbuf *
tap_rx_packet(struct tap_softc *sc, uint32_t len)
{
	struct mbuf *m = sc->sc_rx;
	struct mbuf *small;

	if (len <= TAP_COPYBREAK && (small = m_gethdr(sc->sc_if.if_ns, MT_DATA)) != NULL) {
		small->m_data += TAP_ALIGN;
		memcpy(small->m_data, m->m_data, len);
		m = small;
		m->m_len = len;
	} else {
		uint32_t left = len;

		sc->sc_rx = NULL;
		for (struct mbuf *p = m; p != NULL; p = p->m_next) {
			p->m_len = KERN_MIN(p->m_len, left);
			left -= p->m_len;
			if (left == 0) {
				m_freem(p->m_next);
				p->m_next = NULL;
			}
		}
	}
	m->m_pkthdr.len = len;
	m->m_pkthdr.rcvif = &sc->sc_if;
	return m;
}

int
tap_rx(struct ifnet *ifp, unsigned budget)
{
	struct tap_softc *sc = ifp->if_softc;
	struct tap_buf tb[TAP_MAXBUFS];

	for (unsigned i = 0; i < budget; i++) {
		uint8_t scrap[ETHER_HDR_LEN];
		long len;

		if (sc->sc_rx == NULL)
			sc->sc_rx = tap_rx_alloc(sc);
		if (sc->sc_rx == NULL) {
			/* No memory: the frame is read and lost, or the loop would spin on it. */
			struct tap_buf cut = {.tb_base = scrap, .tb_len = sizeof(scrap)};

			len = tap_host_read(sc->sc_host, &cut, 1);
			ifp->if_data.ifi_iqdrops += len > 0;
			ifp->if_ns->ns_drops[DROP_MBUF_NOBUFS] += len > 0;
		} else
			len = tap_host_read(sc->sc_host, tb, tap_chain_bufs(sc->sc_rx, tb));
		if (len <= 0)
			return len < 0 ? -1 : (int)i;
		if (sc->sc_rx != NULL)
			ifp->if_input(ifp, tap_rx_packet(sc, (uint32_t)len));
	}
	return (int)budget;
}

static void
tap_lladdr(struct netstack *ns, const struct tap_config *tc, uint8_t lladdr[6])
{
	if (tc->tc_lladdr != NULL) {
		memcpy(lladdr, tc->tc_lladdr, 6);
		return;
	}
	rng_bytes(&ns->ns_rng, lladdr, 6);
	lladdr[0] = (uint8_t)((lladdr[0] & 0xfcu) | 0x02u); /* unicast, locally administered */
}

static void
tap_free(struct tap_softc *sc)
{
	m_freem(sc->sc_rx);
	mbufq_drain(&sc->sc_tx);
	host_free(sc, sizeof(*sc));
}

/* The stack lets go of the interface. */
static void
tap_detached(struct ifnet *ifp)
{
	tap_free(ifp->if_softc);
}

/* => false: empty or too long. */
static bool
tap_name(char xname[IFNAMSIZ], const char *name)
{
	for (size_t i = 0; i < IFNAMSIZ; i++) {
		xname[i] = name[i];
		if (name[i] == '\0')
			return i > 0;
	}
	return false;
}

static int
tap_setup(struct netstack *ns, struct tap_softc *sc, const struct tap_config *tc)
{
	struct ifnet *ifp = &sc->sc_if;
	uint8_t lladdr[6];
	int error;

	if (!tap_name(ifp->if_xname, tc->tc_name))
		return EINVAL;
	ifp->if_type = IFT_ETHER;
	ifp->if_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
	ifp->if_mtu = tc->tc_mtu;
	ifp->if_softc = sc;
	ifp->if_start = tap_start;
	ifp->if_detached = tap_detached;
	error = if_attach(ns, ifp);
	if (error != 0)
		return error;
	tap_lladdr(ns, tc, lladdr);
	error = ether_ifattach(ifp, lladdr);
	if (error != 0) {
		ifp->if_detached = NULL;
		if_detach(ifp);
	}
	return error;
}

int
tap_attach(struct netstack *ns, const struct tap_config *tc, struct tap_host *th,
    struct ifnet **ifpp)
{
	struct tap_softc *sc;
	int error;

	if (tc->tc_mtu < TAP_MTU_MIN || tc->tc_mtu > TAP_MTU_MAX)
		return EINVAL;
	if (tc->tc_lladdr != NULL && (tc->tc_lladdr[0] & 1) != 0)
		return EINVAL;
	sc = host_alloc(sizeof(*sc));
	if (sc == NULL)
		return ENOMEM;
	sc->sc_host = th;
	mbufq_init(&sc->sc_tx, TAP_TXQ);
	error = tap_setup(ns, sc, tc);
	if (error != 0) {
		tap_free(sc);
		return error;
	}
	*ifpp = &sc->sc_if;
	return 0;
}

void
tap_detach(struct ifnet *ifp)
{
	if_detach(ifp);
}
