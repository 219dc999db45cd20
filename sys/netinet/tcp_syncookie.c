/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies (RFC 4987 §3.6): what a handshake needs, in the number of our SYN,ACK. When they are
 * used is tcp_syncache.c's.
 *
 *    31                              9 8   6 5       3  2    1     0
 *   +---------------------------------+-----+---------+----+-----+---+
 *   | keyed hash of endpoints, IRS    | MSS | scale   |SACK| ECN |gen|
 *   | and the bits to the right       |     | of peer |    |     |   |
 *   +---------------------------------+-----+---------+----+-----+---+
 *
 * Segment size and scale are rounded down to one of eight, which costs speed and harms nothing. The
 * timestamp option needs no bit: a peer sends it after its SYN only if it is agreed upon. Secrets
 * last 15 seconds each and come from one key by their number, gen its lowest bit; a cookie is
 * good until the end of the next one.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_syncache.h"
#include "netinet/tcp_var.h"

#define COOKIE_BITS 9u
#define COOKIE_MASK ((1u << COOKIE_BITS) - 1)
#define COOKIE_GEN 0x01u
#define COOKIE_ECN 0x02u
#define COOKIE_SACK 0x04u
#define COOKIE_SCALE_SHIFT 3
#define COOKIE_MSS_SHIFT 6

/* The first of the scales stands for no option. */
static const uint8_t cookie_scales[8] = {0, 0, 2, 4, 6, 7, 8, 10};
static const uint16_t cookie_mss[8] = {64, 216, 536, 1200, 1360, 1400, 1440, 1460};

static uint32_t
cookie_encode(const struct syncache *sc)
{
	uint32_t bits = 0, mss = 7, scale = 7;

	while (mss > 0 && cookie_mss[mss] > sc->sc_peermss)
		mss--;
	while (scale > 1 && cookie_scales[scale] > sc->sc_snd_scale)
		scale--;
	if ((sc->sc_flags & SCF_WINSCALE) == 0)
		scale = 0;
	if ((sc->sc_flags & SCF_SACK) != 0)
		bits |= COOKIE_SACK;
	if ((sc->sc_flags & SCF_ECN) != 0)
		bits |= COOKIE_ECN;
	return bits | scale << COOKIE_SCALE_SHIFT | mss << COOKIE_MSS_SHIFT;
}

static void
cookie_decode(struct syncache *sc, uint32_t bits)
{
	const uint32_t scale = bits >> COOKIE_SCALE_SHIFT & 7;

	sc->sc_peermss = cookie_mss[bits >> COOKIE_MSS_SHIFT & 7];
	sc->sc_snd_scale = cookie_scales[scale];
	if (scale != 0)
		sc->sc_flags |= SCF_WINSCALE;
	if ((bits & COOKIE_SACK) != 0)
		sc->sc_flags |= SCF_SACK;
	if ((bits & COOKIE_ECN) != 0)
		sc->sc_flags |= SCF_ECN;
}

/* The whole number: the hash, under the secret of that generation, with the bits. */
static tcp_seq
cookie_seal(const struct netstack *ns, const struct syncache *sc, uint64_t gen, uint32_t bits)
{
	const uint8_t *key = ns->ns_tcp->tcps_syncache.sch_cookiekey;
	const uint64_t order[2][2] = {{gen, 0}, {gen, 1}};
	uint64_t mac[2], secret[2];

	for (int i = 0; i < 2; i++)
		secret[i] = siphash24(key, order[i], sizeof(order[i]));
	mac[0] = tcp_hash_endpoints((const uint8_t *)secret, &sc->sc_local, &sc->sc_foreign);
	mac[1] = (uint64_t)sc->sc_irs << 32 | bits;
	return (tcp_seq)(siphash24((const uint8_t *)secret, mac, sizeof(mac)) & ~COOKIE_MASK) |
	    bits;
}

tcp_seq
tcp_syncookie_make(struct netstack *ns, const struct syncache *sc)
{
	const uint64_t gen = ns->ns_now / TCP_SYNCOOKIE_NS;

	ns->ns_tcp->tcps_syncache.sch_cookie_ns = ns->ns_now;
	ns->ns_tcp->tcps_syncache.sch_cookies = true;
	TCPSTAT_INC(ns, sc_sendcookie);
	return cookie_seal(ns, sc, gen, cookie_encode(sc) | (gen & COOKIE_GEN));
}

bool
tcp_syncookie_isout(const struct netstack *ns)
{
	const struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;

	return sch->sch_cookies && ns->ns_now - sch->sch_cookie_ns < 2 * TCP_SYNCOOKIE_NS;
}

bool
tcp_syncookie_take(const struct netstack *ns, struct syncache *sc)
{
	const uint32_t bits = sc->sc_iss & COOKIE_MASK;
	uint64_t gen = ns->ns_now / TCP_SYNCOOKIE_NS;

	if (!tcp_syncookie_isout(ns))
		return false;
	if ((gen & COOKIE_GEN) != (bits & COOKIE_GEN))
		gen--;
	if (cookie_seal(ns, sc, gen, bits) != sc->sc_iss)
		return false;
	cookie_decode(sc, bits);
	return true;
}
