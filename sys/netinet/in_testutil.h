/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of IPv4, ARP, ICMP and UDP: a stack with these (without TCP), an ethernet interface
 * that keeps what is sent, packets made by hand, and two such stacks joined by a wire.
 */
#ifndef NETINET_IN_TESTUTIL_H
#define NETINET_IN_TESTUTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/in_afops.h"
#include "wire/arp.h"
#include "wire/ipv4.h"

#define TI_FRAMES 128u
#define TI_FRAME_MAX 1600u

struct testframe {
	uint32_t len;
	uint8_t bytes[TI_FRAME_MAX];
};

struct testif {
	struct ifnet ti_if;
	unsigned ti_n;    /* frames kept */
	bool ti_keepnone; /* count frames, but keep none */
	uint64_t ti_total;
	struct testframe ti_frames[TI_FRAMES];
};

extern const struct domain test_inetdomain;

/* A stack with test_inetdomain and pools that hold two 64 KiB datagrams in pieces. */
struct netstack *in_teststack(void);
/* An ethernet interface, station 02:00:00:00:00:<station>, with an address. => errno */
int testif_attach(struct netstack *ns, struct testif *ti, uint8_t station, uint32_t addr_be);
/* Hands a frame in as the driver would. */
void testif_input(struct testif *ti, const void *frame, size_t len);
/* Forgets the frames kept. */
void testif_clear(struct testif *ti);
/* The ARP packet in frame i. */
struct arp_pkt testif_arp(const struct testif *ti, unsigned i);
void test_station(uint8_t mac[6], uint8_t station);

/* An ARP packet from a station to another (0xff: broadcast). */
void testif_arp_input(struct testif *ti, uint8_t from, uint8_t to, uint16_t op, uint32_t spa_be,
    uint32_t tpa_be);
/*
 * An IP packet from station 9 to ours, its header emitted (checksum right) unless raw.
 */
void testif_ip_input(struct testif *ti, const struct ipv4_hdr *ip, const void *payload, size_t len);
/* A header for len bytes of payload from src to dst. */
struct ipv4_hdr test_iphdr(uint8_t proto, uint32_t src_be, uint32_t dst_be, size_t len);
/* Writes a UDP datagram with a right checksum into buf. => its length */
size_t test_udp(uint8_t *buf, uint32_t src_be, uint32_t dst_be, uint16_t sport, uint16_t dport,
    size_t len);

/* What a transport under test received last, and its it_input, apart from looking at the header. */
#define TEST_PROTO 200
struct testgot {
	unsigned tg_n;
	uint32_t tg_len;
	uint32_t tg_hlen;
	uint8_t tg_bytes[65536];
};
extern struct testgot test_got;
void test_got_input(struct mbuf *m, const struct in_rxinfo *rx);
/* Fragments. */
struct testpiece {
	uint32_t tp_off, tp_len;
	bool tp_mf;
};
/* Cuts total bytes at random places, 32 bytes or more first, and mixes the pieces. => how many */
unsigned test_cut(struct netstack *ns, uint32_t total, struct testpiece *pieces);

/* Sends len bytes of UDP payload from the stack, by ip_output. => errno */
int test_ipsend(struct netstack *ns, uint32_t dst_be, size_t len);

/*
 * A wire, 10.0.0.1 at the one end and 10.0.0.2 at the other, each with a stack of its own; and the end of
 * both, when nothing waits any more.
 */
void testwire_begin(struct testif *a, struct testif *b);
void testwire_end(struct testif *a, struct testif *b);
/* Moves frames between two interfaces and runs both stacks until neither has anything to do. */
void testwire_pump(struct testif *a, struct testif *b);
/* The same over time, deadline by deadline. */
void testwire_run_for(struct testif *a, struct testif *b, uint64_t delay_ns);

/* UDP sockets. */
struct socket *test_udpsocket(struct netstack *ns);
union bsd_sockaddr_any test_sin(uint32_t addr_be, uint16_t port);
int test_udpsend(struct socket *so, const union bsd_sockaddr_any *to, size_t len);
/* Receives into buf without waiting. => errno */
int test_udprecv(struct socket *so, union bsd_sockaddr_any *from, uint8_t *buf, size_t *len);

#endif /* NETINET_IN_TESTUTIL_H */
