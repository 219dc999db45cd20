/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fragments of one datagram, of either version: in order of offset, linked by m_nextpkt, payload
 * only; their offsets stand in csum_start, which is free between input and the transport.
 *
 *   fq_frags -> [payload 0..1479] -m_nextpkt-> [1480..2959] -m_nextpkt-> ...     offset / 8 in csum_start
 *
 * Policy: fragments never overlap. An exact repetition is dropped, anything else that overlaps
 * condemns the datagram (RFC 5722 §4, RFC 8200 §4.5).
 */
#ifndef NETINET_IP_FRAGQ_H
#define NETINET_IP_FRAGQ_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/mbuf.h"

struct fragq {
	struct mbuf *fq_frags;
	struct mbuf *fq_tail;
	uint32_t fq_n;
	uint32_t fq_got;   /* payload bytes held */
	uint32_t fq_total; /* payload bytes of the datagram; 0: last fragment not seen */
	uint32_t fq_bytes; /* storage held */
	bool fq_dead;      /* condemned: nothing is kept */
};

enum frag_fit { FRAG_FITS, FRAG_REPEATS, FRAG_OVERLAPS };

static inline uint32_t
frag_off(const struct mbuf *m)
{
	return (uint32_t)m->m_pkthdr.csum_start * 8;
}

static inline uint32_t
frag_end(const struct mbuf *m)
{
	return frag_off(m) + m->m_pkthdr.len;
}

/* Where a fragment belongs. => *prevp: the one it follows, NULL at the front */
enum frag_fit frag_place(const struct fragq *q, const struct mbuf *m, struct mbuf **prevp);
/*
 * Does the fragment agree with where the datagram ends, at most bytes at the latest? Learns it from the
 * last one.
 */
bool frag_end_ok(struct fragq *q, const struct mbuf *m, bool mf, uint32_t most);
/* Keeps it. => the storage that it holds */
uint32_t frag_insert(struct fragq *q, struct mbuf *m, struct mbuf *prev);
/* All of it has come: one packet of the payload. */
struct mbuf *fragq_join(struct fragq *q);
/* Drops all that is held, for why. => how many */
uint32_t fragq_purge(struct fragq *q, enum drop_reason why);

#endif /* NETINET_IP_FRAGQ_H */
