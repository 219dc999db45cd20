/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interface identifiers of addresses that the stack makes itself: the station's (RFC 4291 app. A) or,
 * with net.inet6.ip6.use_stableaddr, opaque ones (RFC 7217), by which nobody follows a host from network
 * to network: a keyed hash of the prefix, the interface's name and the conflicts so far. They are the
 * same again after a start with the same net.inet6.ip6.stableaddr_secret, which is random unless set.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/rng.h"
#include "net/if.h"
#include "netinet6/ip6_var.h"
#include "wire/ether.h"

/* The secret, of any length, as a key. */
static void
ifid_key(struct netstack *ns, uint8_t key[16])
{
	static const uint8_t halves[2][16] = {{0}, {1}};
	char *secret = ns->ns_inet6->i6_secret;
	uint64_t half;

	if (*secret == '\0') {
		rng_bytes(&ns->ns_rng, key, 16);
		for (unsigned i = 0; i < 32; i++)
			secret[i] = "0123456789abcdef"[key[i / 2] >> i % 2 * 4 & 15];
	}
	for (unsigned i = 0; i < 2; i++) {
		half = siphash24(halves[i], secret, IN6_SECRET_MAX);
		memcpy(key + i * sizeof(half), &half, sizeof(half));
	}
}

/* Anycast, or of a block that has another use (RFC 5453). */
static bool
ifid_isreserved(const uint32_t id[2])
{
	const uint32_t high = betoh32(id[0]), low = betoh32(id[1]);

	return (high | low) == 0 || (high == 0x02005eff && low >> 24 == 0xfe) ||
	    (high == 0xfdffffff && low >= 0xffffff80);
}

static void
ifid_stable(const struct ifnet *ifp, uint32_t a[4], uint32_t conflicts)
{
	struct {
		uint32_t prefix[2];
		char name[IFNAMSIZ];
		uint32_t conflicts, round;
	} in = {{a[0], a[1]}, "", conflicts, 0};
	uint8_t key[16];
	uint64_t id;

	_Static_assert(sizeof(in) == 16 + IFNAMSIZ, "no padding is hashed");
	ifid_key(ifp->if_ns, key);
	memcpy(in.name, ifp->if_xname, sizeof(in.name));
	do {
		id = siphash24(key, &in, sizeof(in));
		memcpy(&a[2], &id, sizeof(id));
		in.round++;
	} while (ifid_isreserved(&a[2]));
}

bool
in6_ifid_make(const struct ifnet *ifp, uint32_t a[4], uint32_t conflicts)
{
	uint32_t station[4];
	uint8_t random[ETHER_ADDR_LEN];

	if (ifp->if_ns->ns_inet6->i6_use_stableaddr != 0) {
		ifid_stable(ifp, a, conflicts);
		return true;
	}
	if (ifp->if_addrlen == ETHER_ADDR_LEN) {
		ip6_linklocal_eui64(station, ifp->if_lladdr);
	} else {
		rng_bytes(&ifp->if_ns->ns_rng, random, sizeof(random));
		random[0] |= 2; /* its identifier is nobody's */
		ip6_linklocal_eui64(station, random);
	}
	memcpy(&a[2], &station[2], 2 * sizeof(a[0]));
	return false;
}
