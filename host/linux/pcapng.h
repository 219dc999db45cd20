/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captured packets as a pcapng file has them (draft-ietf-opsawg-pcapng): a section header, a block
 * for each interface, then packets with nanosecond stamps and their direction. libpcap reads such
 * files but does not write them.
 *
 * Each function writes one whole block to out, in the host's byte order, and returns its length,
 * a multiple of 4. Names longer than PCAPNG_NAME_MAX are cut.
 */
#ifndef HOST_LINUX_PCAPNG_H
#define HOST_LINUX_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#define PCAPNG_NAME_MAX 64u
#define PCAPNG_HEAD_MAX 160u /* bytes of the longest block that is no packet */
#define PCAPNG_SHB 0x0a0d0d0au
#define PCAPNG_IDB 0x00000001u
#define PCAPNG_ISB 0x00000005u
#define PCAPNG_EPB 0x00000006u
#define PCAPNG_EPB_DATA 28u /* bytes of a packet's block in front of the packet */

struct pcapng_packet {
	uint32_t pp_interface; /* which of the interface blocks, from 0 */
	uint32_t pp_direction; /* 1: in, 2: out, 0: not known */
	uint64_t pp_when_ns;   /* since 1970 */
	uint32_t pp_len;       /* of the packet */
	uint32_t pp_caplen;    /* what is there of it */
};

struct pcapng_stat {
	uint32_t ps_interface;
	uint64_t ps_when_ns;
	uint64_t ps_recv; /* packets that the filter took */
	uint64_t ps_drop; /* of these, lost for want of room */
};

/* application: "rumpusd 0.1.0" */
size_t pcapng_section(uint8_t *out, const char *application);
/* linktype: as capture files number them */
size_t pcapng_interface(uint8_t *out, const char *name, uint16_t linktype, uint32_t snaplen);
size_t pcapng_statistics(uint8_t *out, const struct pcapng_stat *ps);

/* Bytes of a packet's block. */
size_t pcapng_packet_size(uint32_t caplen);
/*
 * A packet's block but for the packet itself, which is to be put at the address returned, caplen
 * bytes. => out: pcapng_packet_size(pp_caplen) bytes
 */
uint8_t *pcapng_packet(uint8_t *out, const struct pcapng_packet *pp);

#endif /* HOST_LINUX_PCAPNG_H */
