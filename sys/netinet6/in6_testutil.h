/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of IPv6: a stack with it and UDP of both versions, packets made by hand, and what the
 * stack sent taken apart. Interfaces and wires are those of netinet/in_testutil.h.
 */
#ifndef NETINET6_IN6_TESTUTIL_H
#define NETINET6_IN6_TESTUTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netinet/in_testutil.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"

struct addr6 {
	uint32_t a[4];
};

/* An address from text, which must be one. */
struct addr6 test_addr6(const char *text);

/* A stack with IPv4, IPv6 and UDP. dad: new addresses are probed. */
struct netstack *in6_teststack(bool dad);
/* An ethernet interface, station 02:00:00:00:00:<station>, with 10.0.0.<station> and an address. => errno */
int testif6_attach(struct netstack *ns, struct testif *ti, uint8_t station, const char *addr);

/*
 * A packet from station 9, to ours or, if dst is a group, to its; the payload as it is given.
 */
void testif6_input(struct testif *ti, const struct ip6_hdr *ip6, const void *payload, size_t len);
struct ip6_hdr test_ip6hdr(uint8_t nxt, const char *src, const char *dst, size_t len);
/* An ICMPv6 message with its sum made here, hop limit hlim. */
void testif6_icmp6(struct testif *ti, const char *src, const char *dst, uint8_t hlim, void *msg,
    size_t len);
/* Makes the sum of an ICMPv6 message, or of a UDP datagram. */
void test_cksum6(const char *src, const char *dst, uint8_t nxt, void *msg, size_t len, size_t off);

/* Frame i, which must be IPv6. => the payload, *ip6 its header */
const uint8_t *testif6_packet(const struct testif *ti, unsigned i, struct ip6_hdr *ip6);
/* The last frame that has an ICMPv6 message of that type behind its header. => NULL: none */
const uint8_t *testif6_find(const struct testif *ti, uint8_t type, struct ip6_hdr *ip6);

/* A solicitation or advertisement with a station's option (0: none). => its length */
size_t test_ns(uint8_t *msg, const char *target, uint8_t station);
size_t test_na(uint8_t *msg, const char *target, uint32_t flags, uint8_t station);

/* Sends len bytes of UDP payload from the stack by ip6_output. => errno */
int test_ip6send(struct netstack *ns, const char *dst, size_t len);

#endif /* NETINET6_IN6_TESTUTIL_H */
