/* SPDX-License-Identifier: BSD-2-Clause */
/* How the files of the printer call each other; private to sys/wire. */
#ifndef WIRE_PRINT_IMPL_H
#define WIRE_PRINT_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/fmt.h"
#include "wire/ipv4.h"

/* A transport packet: have bytes of it can be read, the IP header promises len; and its two ends. */
struct print_payload {
	bool pp_ip6;
	const uint32_t *pp_src; /* one word, or four */
	const uint32_t *pp_dst;
	const uint8_t *pp_p;
	size_t pp_have;
	size_t pp_len;
};

/* Any packet that IP carries, from p[0..len). */
void print_ipv4(struct fmt *f, const uint8_t *p, size_t len);
void print_ip6(struct fmt *f, const uint8_t *p, size_t len);

/* The two ends of a packet, "a > b" or "a.sport > b.dport". */
void print_ends(struct fmt *f, const struct print_payload *pp);
void print_ends_ports(struct fmt *f, const struct print_payload *pp, uint16_t sport,
    uint16_t dport);

/* What is behind the IP header, after the two ends. */
void print_tcp(struct fmt *f, const struct print_payload *pp);
void print_udp(struct fmt *f, const struct print_payload *pp);
void print_icmp4(struct fmt *f, const struct print_payload *pp);
void print_icmp6(struct fmt *f, const struct print_payload *pp);
void print_igmp(struct fmt *f, const struct print_payload *pp);

#endif /* WIRE_PRINT_IMPL_H */
