/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ifnet half of the tap driver: frames between mbufs and tap_host.h.
 *
 * Receiving: a chain long enough for the longest frame waits in sc_rx: clusters, or a cluster and a
 * jumbo buffer when the host merges segments to 64 KiB.
 *
 *      sc_rx -> [cluster: headers, payload] -> [jumbo: payload]
 *
 * A short frame is copied to a plain mbuf and the chain stays, a longer one takes the mbufs it fills
 * with it and the rest waits on. What would leave a jumbo buffer mostly empty is copied to clusters.
 * Datagrams that the host hands over as one frame are taken apart at once (if_uso.c).
 * Sending: a frame goes to the host at once, or at the end of the loop's turn, when datagrams of a
 * flow that came one after the other go as one; while the host takes none, frames queue up.
 */
#include "dev/tap/if_tap.h"

#include <string.h>

#include "dev/tap/tap_host.h"
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/if_uso.h"
#include "wire/ether.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define TAP_TXQ 512u    /* frames */
#define TAP_TXBATCH 32u /* as many are written before the turn ends */
#define TAP_MTU_MIN 68u /* RFC 791 §3.2 */
#define TAP_MTU_MAX 65535u
#define TAP_VLAN_LEN 4u    /* a tag may come with a frame */
#define TAP_ALIGN 2u       /* so that the network header is aligned */
#define TAP_COPYBREAK 200u /* frames up to this are copied, and the clusters kept */
#define TAP_LOOSE 4u       /* a jumbo buffer goes with a frame that fills one part in so many */
#define TAP_RX_BYTES (256u * 1024) /* a turn: what stays in the processor's cache */

struct tap_softc {
	struct ifnet sc_if;
	struct tap_host *sc_host;
	struct mbuf *sc_rx;    /* the chain that the next frame is read to */
	struct mbuf *sc_spare; /* what is left of the last one */
	uint32_t sc_rxleft;    /* bytes that may still be read in this turn */
	struct mbufq sc_tx;
	void (*sc_txwait)(void *arg); /* tc_txwait */
	void *sc_arg;
};

static unsigned
tap_chain_bufs(struct mbuf *m, struct tap_buf *tb)
{
	unsigned n = 0;

	for (; m != NULL && n < TAP_MAXBUFS; m = m->m_next)
		tb[n++] = (struct tap_buf){.tb_base = m->m_data, .tb_len = m->m_len};
	return n;
}

/* Bytes of all headers of a frame to be cut; the length of TCP's is in its own 13th byte. */
static uint16_t
tap_hdrlen(const struct mbuf *m)
{
	struct tcp_hdr th = {0};
	uint8_t bytes[TCP_HDR_LEN];

	if ((m->m_pkthdr.csum_flags & M_CSUM_USO) != 0)
		return (uint16_t)(m->m_pkthdr.csum_start + UDP_HDR_LEN);
	m_copydata(m, m->m_pkthdr.csum_start, sizeof(bytes), bytes);
	(void)tcp_parse_partial(bytes, sizeof(bytes), SIZE_MAX, &th);
	return (uint16_t)(m->m_pkthdr.csum_start + th.th_off);
}

static void
tap_tx_meta(const struct tap_softc *sc, const struct mbuf *m, struct tap_meta *tm)
{
	const struct pkthdr *ph = &m->m_pkthdr;

	*tm = (struct tap_meta){0};
	if ((ph->csum_flags & M_CSUM_NEEDED) == 0)
		return;
	tm->tm_csum = true;
	tm->tm_csum_start = ph->csum_start;
	tm->tm_csum_offset = ph->csum_offset;
	if ((ph->csum_flags & (M_CSUM_TSO | M_CSUM_USO)) != 0) {
		tm->tm_segsz = ph->segsz;
		tm->tm_hdrlen = tap_hdrlen(m);
		tm->tm_udp = (ph->csum_flags & M_CSUM_USO) != 0;
		tm->tm_ip6 = if_frame_isip6(&sc->sc_if, m);
	}
}

static enum tap_sent
tap_tx_write(struct tap_softc *sc, struct mbuf *m)
{
	struct tap_buf tb[TAP_MAXBUFS];
	struct tap_meta tm;

	tap_tx_meta(sc, m, &tm);
	return tap_host_write(sc->sc_host, &tm, tb, tap_chain_bufs(m, tb));
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

bool
tap_tx_resume(struct ifnet *ifp)
{
	struct tap_softc *sc = ifp->if_softc;

	while (sc->sc_tx.mq_head != NULL) {
		enum tap_sent sent = tap_tx_write(sc, sc->sc_tx.mq_head);
		struct mbuf *m;

		if (sent == TAP_FULL)
			return false;
		m = mbufq_dequeue(&sc->sc_tx);
		if (sent == TAP_SENT) {
			m_freem(m);
			continue;
		}
		ifp->if_data.ifi_oerrors++;
		m_drop(m, DROP_IF_OERROR);
	}
	return true;
}

/* Queues a frame for the end of the turn, a datagram with those before it. => false: no room */
static bool
tap_tx_later(struct tap_softc *sc, struct mbuf *m)
{
	struct mbuf *last = sc->sc_tx.mq_tail;

	if ((sc->sc_if.if_capenable & IFCAP_USO) != 0 && last != NULL &&
	    if_uso_join(last, m, sc->sc_if.if_hdrlen, TAP_MAXBUFS))
		return true;
	if (sc->sc_tx.mq_len >= TAP_TXBATCH)
		(void)tap_tx_resume(&sc->sc_if);
	if (!mbufq_enqueue(&sc->sc_tx, m))
		return false;
	if (sc->sc_tx.mq_len == 1)
		sc->sc_txwait(sc->sc_arg);
	return true;
}

static int
tap_start(struct ifnet *ifp, struct mbuf *m)
{
	struct tap_softc *sc = ifp->if_softc;
	enum tap_sent sent = TAP_FULL;

	m = tap_defrag(m);
	if (m == NULL)
		return ENOBUFS;
	if (sc->sc_txwait != NULL && tap_tx_later(sc, m))
		return 0;
	if (sc->sc_tx.mq_len == 0)
		sent = tap_tx_write(sc, m);
	if (sent == TAP_FULL && mbufq_enqueue(&sc->sc_tx, m))
		return 0;
	m_freem(m);
	return sent == TAP_SENT ? 0 : sent == TAP_FULL ? ENOBUFS : EIO;
}

bool
tap_tx_pending(const struct ifnet *ifp)
{
	const struct tap_softc *sc = ifp->if_softc;

	return sc->sc_tx.mq_len > 0;
}

/* Bytes that the longest frame may take. */
static size_t
tap_rx_room(const struct tap_softc *sc)
{
	const struct ifnet *ifp = &sc->sc_if;
	size_t packet = ifp->if_mtu;

	if ((ifp->if_capenable & (IFCAP_TSO4 | IFCAP_TSO6)) != 0)
		packet = KERN_MAX(packet, (size_t)TAP_MTU_MAX);
	return packet + ETHER_HDR_LEN + TAP_VLAN_LEN;
}

/* Another piece of the waiting chain; m_len is its room. NULL: no memory. */
static struct mbuf *
tap_rx_piece(struct tap_softc *sc, bool first, size_t room)
{
	struct netstack *ns = sc->sc_if.if_ns;
	struct mbuf *m = NULL;

	if (!first && room > MJUMBO_BYTES / TAP_LOOSE)
		m = m_getjumbo(ns, MT_DATA, false);
	if (m == NULL)
		m = m_getcl(ns, MT_DATA, first);
	if (m == NULL)
		return NULL;
	if (first)
		m->m_data += TAP_ALIGN;
	m->m_len = (uint32_t)KERN_MIN(room, m_trailingspace(m));
	return m;
}

/*
 * Fills the waiting chain up to the longest frame: a first mbuf with a pkthdr, which a frame always
 * takes along, and the pieces that the last frame left. => false: no memory
 */
static bool
tap_rx_fill(struct tap_softc *sc)
{
	size_t room = tap_rx_room(sc);
	struct mbuf **mp = &sc->sc_rx;

	if (sc->sc_rx == NULL) {
		sc->sc_rx = tap_rx_piece(sc, true, room);
		if (sc->sc_rx == NULL)
			return false;
		sc->sc_rx->m_next = sc->sc_spare;
		sc->sc_spare = NULL;
	}
	for (; room > 0; mp = &(*mp)->m_next) {
		if (*mp == NULL && (*mp = tap_rx_piece(sc, false, room)) == NULL)
			return false;
		room -= KERN_MIN(room, (*mp)->m_len);
	}
	return true;
}

/* A short frame in a plain mbuf, so that the chain need not go. NULL: no memory. */
static struct mbuf *
tap_rx_small(struct tap_softc *sc, uint32_t len)
{
	struct mbuf *m = m_gethdr(sc->sc_if.if_ns, MT_DATA);

	if (m == NULL)
		return NULL;
	m->m_data += TAP_ALIGN;
	memcpy(m->m_data, sc->sc_rx->m_data, len);
	m->m_len = len;
	return m;
}

/* len bytes in clusters of their own. NULL: no memory for all of them. */
static struct mbuf *
tap_rx_copy(struct tap_softc *sc, const uint8_t *from, uint32_t len)
{
	struct netstack *ns = sc->sc_if.if_ns;
	struct mbuf *copy = m_getcl_chain(ns, MT_DATA, howmany(len, ns->ns_mclbytes));

	for (struct mbuf *m = copy; m != NULL; m = m->m_next) {
		m->m_len = KERN_MIN(len, ns->ns_mclbytes);
		memcpy(m->m_data, from, m->m_len);
		from += m->m_len;
		len -= m->m_len;
	}
	if (len == 0)
		return copy;
	m_freem(copy);
	return NULL;
}

/* The first len bytes of the waiting chain; the pieces behind them become spare. */
static struct mbuf *
tap_rx_take(struct tap_softc *sc, uint32_t len)
{
	struct mbuf *m = sc->sc_rx, **mp = &m, *copy = NULL;
	uint32_t left = len;

	sc->sc_rx = NULL;
	while (left > (*mp)->m_len) {
		left -= (*mp)->m_len;
		mp = &(*mp)->m_next;
	}
	if ((*mp)->m_len > TAP_LOOSE * left && (*mp)->m_len > MCLBYTES_MAX)
		copy = tap_rx_copy(sc, (*mp)->m_data, left);
	if (copy != NULL) {
		sc->sc_spare = *mp;
		*mp = copy;
		return m;
	}
	sc->sc_spare = (*mp)->m_next;
	(*mp)->m_len = left;
	(*mp)->m_next = NULL;
	return m;
}

/* The len bytes that were read, as a packet. */
static struct mbuf *
tap_rx_packet(struct tap_softc *sc, uint32_t len, const struct tap_meta *tm)
{
	struct mbuf *m = len <= TAP_COPYBREAK ? tap_rx_small(sc, len) : NULL;

	if (m == NULL)
		m = tap_rx_take(sc, len);
	m->m_pkthdr.len = len;
	m->m_pkthdr.rcvif = &sc->sc_if;
	if (tm->tm_csum)
		m->m_pkthdr.csum_flags = M_CSUM_OK;
	if (tm->tm_segsz != 0 && !tm->tm_udp)
		m->m_pkthdr.nsegs = (uint16_t)howmany(len, tm->tm_segsz);
	return m;
}

/* No memory: the next frame is read and lost, or the loop would spin on it. => as tap_rx */
static int
tap_rx_lose(struct tap_softc *sc)
{
	uint8_t scrap[ETHER_HDR_LEN];
	struct tap_buf cut = {.tb_base = scrap, .tb_len = sizeof(scrap)};
	struct tap_meta tm;
	long len = tap_host_read(sc->sc_host, &tm, &cut, 1);

	if (len <= 0)
		return (int)len;
	sc->sc_if.if_data.ifi_iqdrops++;
	sc->sc_if.if_ns->ns_drops[DROP_MBUF_NOBUFS]++;
	return 1;
}

/* A packet, or the datagrams that it stands for, up. => how many */
static int
tap_rx_up(struct tap_softc *sc, struct mbuf *m, const struct tap_meta *tm)
{
	struct ifnet *ifp = &sc->sc_if;
	struct mbuf *next;
	int n = 0;

	if (tm->tm_udp && (m = if_uso_split(m, ifp->if_hdrlen, tm->tm_segsz)) == NULL) {
		ifp->if_data.ifi_ierrors++;
		return 1;
	}
	for (; m != NULL; m = next, n++) {
		next = m->m_nextpkt;
		m->m_nextpkt = NULL;
		ifp->if_input(ifp, m);
	}
	return n;
}

/* One frame. => as tap_rx_up, 0: none there, -1: the tap is gone */
static int
tap_rx_one(struct tap_softc *sc)
{
	struct tap_buf tb[TAP_MAXBUFS];
	struct tap_meta tm;
	long len;

	if (!tap_rx_fill(sc))
		return tap_rx_lose(sc);
	len = tap_host_read(sc->sc_host, &tm, tb, tap_chain_bufs(sc->sc_rx, tb));
	if (len <= 0)
		return (int)len;
	sc->sc_rxleft -= KERN_MIN((uint32_t)len, sc->sc_rxleft);
	return tap_rx_up(sc, tap_rx_packet(sc, (uint32_t)len, &tm), &tm);
}

int
tap_rx(struct ifnet *ifp, unsigned budget)
{
	struct tap_softc *sc = ifp->if_softc;
	unsigned done = 0;
	int got = 1;

	sc->sc_rxleft = TAP_RX_BYTES;
	while (done < budget && sc->sc_rxleft > 0 && (got = tap_rx_one(sc)) > 0)
		done += (unsigned)got;
	return got < 0 ? -1 : (int)done;
}

static void
tap_free(struct tap_softc *sc)
{
	m_freem(sc->sc_rx);
	m_freem(sc->sc_spare);
	mbufq_drain(&sc->sc_tx);
	host_free(sc, sizeof(*sc));
}

/* The stack lets go of the interface. */
static void
tap_detached(struct ifnet *ifp)
{
	tap_free(ifp->if_softc);
}

static int
tap_setup(struct netstack *ns, struct tap_softc *sc, const struct tap_config *tc)
{
	struct ifnet *ifp = &sc->sc_if;
	int error = if_setname(ifp, tc->tc_name);

	if (error != 0)
		return error;
	ifp->if_type = IFT_ETHER;
	ifp->if_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
	ifp->if_mtu = tc->tc_mtu;
	if (tc->tc_offload)
		ifp->if_capenable = IFCAP_CSUM_TX | IFCAP_CSUM_RX | IFCAP_TSO4 | IFCAP_TSO6;
	if (tc->tc_offload && tc->tc_uso)
		ifp->if_capenable |= IFCAP_USO;
	ifp->if_softc = sc;
	ifp->if_start = tap_start;
	ifp->if_detached = tap_detached;
	error = if_attach(ns, ifp);
	if (error != 0)
		return error;
	error = ether_ifattach(ifp, tc->tc_lladdr);
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
	sc->sc_txwait = tc->tc_txwait;
	sc->sc_arg = tc->tc_arg;
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
