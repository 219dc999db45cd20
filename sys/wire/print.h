/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets and addresses as text, and addresses back from it.
 *
 * Every function that writes text is like snprintf: it writes at most space bytes, ends them with
 * NUL if space > 0, and returns the length the whole text has without the NUL. So a result >= space
 * says that the text was cut, and (NULL, 0) measures.
 */
#ifndef WIRE_PRINT_H
#define WIRE_PRINT_H

#include <stddef.h>
#include <stdint.h>

#define IPV4_ADDRSTRLEN 16  /* "255.255.255.255" and NUL */
#define IP6_ADDRSTRLEN 46   /* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255" and NUL */
#define ETHER_ADDRSTRLEN 18 /* "ff:ff:ff:ff:ff:ff" and NUL */

/*
 * One line, without newline, about an Ethernet frame: addresses, then ARP or what wire_print_ipv4
 * says, or the same of IPv6. => reads only frame[0..len), whatever the frame claims; what is missing
 * shows as [|name]
 */
size_t wire_print_frame(char *buf, size_t space, const uint8_t *frame, size_t len);

/* The same without the addresses of the stations. */
size_t wire_print_inner(char *buf, size_t space, const uint8_t *frame, size_t len);

/* One line, without newline, about an IPv4 packet: ICMP, UDP, TCP with its options, or the protocol. */
size_t wire_print_ipv4(char *buf, size_t space, const uint8_t *packet, size_t len);

/* "192.0.2.1" from an address as it lies in memory. */
size_t ipv4_ntop(char *buf, size_t space, uint32_t addr_be);

/*
 * Reads exactly four decimal octets, without leading zeros and with nothing behind them.
 * => 0, or -1 with *addr_be unchanged
 */
int ipv4_pton(const char *text, uint32_t *addr_be);

/* "2001:db8::1" (RFC 5952) from an address of four words as they lie in memory. */
size_t ip6_ntop(char *buf, size_t space, const uint32_t a[4]);

/* Reads an address as RFC 4291 §2.2 writes them, with nothing behind it. => 0, or -1, a unchanged */
int ip6_pton(const char *text, uint32_t a[4]);

/* "02:00:5e:10:00:01" */
size_t ether_ntop(char *buf, size_t space, const uint8_t addr[6]);

/* Reads six groups of one or two hexadecimal digits between colons. => 0, or -1, addr unchanged */
int ether_pton(const char *text, uint8_t addr[6]);

#endif /* WIRE_PRINT_H */
