/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mbufs: packet memory.
 *
 * Theory of operation: an mbuf is 512 bytes: a header and either data, or a reference to external
 * storage (a cluster, a jumbo buffer or foreign memory). m_next links the mbufs of a packet,
 * m_nextpkt links packets or records. The first mbuf of a packet has M_PKTHDR and a pkthdr.
 *
 *   0              40              40+sizeof(pkthdr)                                  512
 *   | m_hdr        | m_dat: MLEN bytes of data ....................................... |
 *   | m_hdr        | m_pkthdr      | m_pktdat: MHLEN bytes of data .................... |
 *   | m_hdr        | m_pkthdr      | m_ext | unused                                   |  M_EXT
 *
 * Ownership is in the signature: `const struct mbuf *` borrows, `struct mbuf *` consumes on every
 * path, `struct mbuf **` may replace and sets NULL when it consumed. External storage is counted:
 * several mbufs may share it, and shared storage is read-only (m_writable). Nothing here sleeps.
 */
#ifndef KERN_MBUF_H
#define KERN_MBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/drop.h"

struct netstack;
struct ifnet;

#define MSIZE 512
#define MCLBYTES_MIN 2048
#define MCLBYTES_MAX 4096
#define MINCLSIZE 456              /* payload of this many bytes or more goes to a cluster */
#define MJUMBO_BYTES (65536 + 256) /* a 64 KiB frame and headroom */
#define M_LINKHDR 64               /* room to leave in front of a packet for link headers */

enum mbuf_type { MT_FREE, MT_DATA, MT_HEADER, MT_SONAME, MT_CONTROL, MT_OOBDATA, MT_COUNT };

#define M_EXT 0x0001
#define M_PKTHDR 0x0002
#define M_EOR 0x0004   /* end of record */
#define M_BCAST 0x0010 /* came in, or goes out, as link-level broadcast */
#define M_MCAST 0x0020
#define M_LOOP 0x0040 /* has gone through the loopback interface */
#define M_COPYFLAGS (M_PKTHDR | M_EOR | M_BCAST | M_MCAST | M_LOOP)

/*
 * Checksums and segmentation, out: csum_start is the offset of the transport header from the start
 * of the packet, csum_offset the offset of the 16-bit checksum from there; the field holds the
 * folded pseudo-header sum. M_CSUM_NEEDED asks for it to be filled in; M_CSUM_TSO asks for
 * segmentation into segsz bytes of TCP payload each. In: M_CSUM_OK means somebody checked.
 * m_prepend and m_adj keep csum_start right while a request is set, and trimming into what is to be
 * summed takes the request off.
 */
#define M_CSUM_NEEDED 0x0001
#define M_CSUM_TSO 0x0002
#define M_CSUM_USO 0x0004
#define M_CSUM_OK 0x0010

struct pkthdr {
	struct ifnet *rcvif;
	uint32_t len; /* bytes of the whole packet */
	uint16_t csum_flags;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t segsz;
	uint16_t ether_vtag;
	uint16_t nsegs; /* wire segments this packet stands for (GRO); 0 counts as 1 */
	uint32_t flowid;
	uint8_t stray;        /* M_STRAY_*: has it come by a sister stack (net/stray.h)? */
	uint8_t strayhops;    /* sisters that have passed it on */
	uint16_t strayorigin; /* the one that had it from the wire */
};

enum { M_STRAY_NONE, M_STRAY_MORE, M_STRAY_LAST }; /* LAST: it is not passed on any more */

/* Reference count and destructor of external storage, shared by all mbufs that refer to it. */
struct mext_ref {
	uint32_t er_refs;
	void (*er_free)(struct mext_ref *ref); /* called when the last reference goes */
	void *er_arg;
};

struct m_ext {
	uint8_t *ext_buf;
	uint32_t ext_size;
	struct mext_ref *ext_ref;
};

struct m_hdr {
	struct mbuf *mh_next;
	struct mbuf *mh_nextpkt;
	uint8_t *mh_data;
	struct netstack *mh_ns;
	uint32_t mh_len;
	uint16_t mh_flags;
	uint16_t mh_type;
};

#define MLEN (MSIZE - sizeof(struct m_hdr))
#define MHLEN (MLEN - sizeof(struct pkthdr))

struct mbuf {
	struct m_hdr m_hdr;
	union {
		struct {
			struct pkthdr mh_pkthdr;
			union {
				struct m_ext mh_ext;
				uint8_t mh_databuf[MHLEN];
			} mh_dat;
		} mh;
		uint8_t m_databuf[MLEN];
	} m_u;
};

#define m_next m_hdr.mh_next
#define m_nextpkt m_hdr.mh_nextpkt
#define m_data m_hdr.mh_data
#define m_ns m_hdr.mh_ns
#define m_len m_hdr.mh_len
#define m_flags m_hdr.mh_flags
#define m_type m_hdr.mh_type
#define m_pkthdr m_u.mh.mh_pkthdr
#define m_ext m_u.mh.mh_dat.mh_ext
#define m_pktdat m_u.mh.mh_dat.mh_databuf
#define m_dat m_u.m_databuf

_Static_assert(sizeof(struct m_hdr) == 40, "mbuf header");
_Static_assert(sizeof(struct mbuf) == MSIZE, "an mbuf is MSIZE bytes");

/* The pools, with limits: nclusters of 2048 bytes, half as many of 4096. => ENOMEM: nothing left. */
int mbuf_init(struct netstack *ns, uint32_t nmbufs, uint32_t nclusters, uint32_t njumbos);
void mbuf_fini(struct netstack *ns);

/* One mbuf, empty (m_len 0, data at the start). => NULL at the limit. */
struct mbuf *m_get(struct netstack *ns, enum mbuf_type type);
/* The same with a zeroed pkthdr. */
struct mbuf *m_gethdr(struct netstack *ns, enum mbuf_type type);
/* An mbuf with a cluster of the current kern.mbuf.mclbytes; with a pkthdr when pkthdr is true. */
struct mbuf *m_getcl(struct netstack *ns, enum mbuf_type type, bool pkthdr);
/* An mbuf with a jumbo buffer of MJUMBO_BYTES. */
struct mbuf *m_getjumbo(struct netstack *ns, enum mbuf_type type, bool pkthdr);
/*
 * A chain of at most n mbufs with clusters (the extended cluster); as many as could be had, at
 * least one. => NULL when not even one was free. No pkthdr; m_len 0 in each.
 */
struct mbuf *m_getcl_chain(struct netstack *ns, enum mbuf_type type, unsigned n);
/* Space for len bytes: small ones in one mbuf, larger in clusters or a jumbo; pkthdr; m_len 0. */
struct mbuf *m_getm(struct netstack *ns, size_t len);
/*
 * Attaches foreign memory: pkthdr; m_len 0. => ref has a reference, which the mbuf takes over; an
 * owner who wants the memory left unchanged keeps one of its own. NULL: not taken.
 */
struct mbuf *m_extget(struct netstack *ns, uint8_t *buf, uint32_t len, struct mext_ref *ref);

/* Frees one mbuf and returns its m_next. */
struct mbuf *m_free(struct mbuf *m);
/* Frees a chain; NULL is allowed. m_freepkts also follows m_nextpkt. */
void m_freem(struct mbuf *m);
void m_freepkts(struct mbuf *m);
/* Frees a packet and counts why, in ns_drops[why] and in the trace. */
void m_drop(struct mbuf *m, enum drop_reason why);

/* Bytes in a chain (walks it). */
size_t m_length(const struct mbuf *m);
/* Storage that a chain holds, payload or not, for buffer accounting. */
size_t m_storage(const struct mbuf *m);
/* The last mbuf of a chain. */
struct mbuf *m_last(struct mbuf *m);
/* Room before the data / behind it that may be written. 0 when the storage is shared. */
size_t m_leadingspace(const struct mbuf *m);
size_t m_trailingspace(const struct mbuf *m);
/* May the bytes be changed (not shared)? */
bool m_writable(const struct mbuf *m);

/*
 * Makes room for len <= MHLEN bytes in front; the new bytes are counted in m_len and pkthdr.len.
 * => NULL: out of memory, and m is freed.
 */
struct mbuf *m_prepend(struct mbuf *m, size_t len);
/*
 * Makes the first len bytes contiguous and writable in the first mbuf. => len <= MHLEN.
 * => NULL: the chain is shorter or memory is short, and m is freed.
 */
struct mbuf *m_pullup(struct mbuf *m, size_t len);
/*
 * A new chain of the bytes [off, off+len) of m. External storage is shared, small data copied.
 * A pkthdr is made when m has one and off is 0. => off + len <= m_length(m). => NULL: no memory.
 */
struct mbuf *m_copym(const struct mbuf *m, size_t off, size_t len);
/* A deep copy of the packet into fresh storage, with its pkthdr. => NULL: no memory. */
struct mbuf *m_dup(const struct mbuf *m);
/* Copies bytes out / in. => the range lies within the chain; for m_copyback also writable. */
void m_copydata(const struct mbuf *m, size_t off, size_t len, void *out);
void m_copyback(struct mbuf *m, size_t off, size_t len, const void *in);
/* Appends bytes, growing the chain. => ENOBUFS: m is unchanged. */
int m_append(struct mbuf *m, size_t len, const void *in);
/*
 * Trims req bytes from the head (req > 0) or -req from the tail; pkthdr.len follows. mbufs that
 * become empty are freed, but for the first.
 */
void m_adj(struct mbuf *m, int req);
/* Splits off the bytes from off on, as a chain of its own. => NULL: no memory, m unchanged. */
struct mbuf *m_split(struct mbuf *m, size_t off);
/* Joins n behind m (m keeps its pkthdr, n loses its own). */
void m_cat(struct mbuf *m, struct mbuf *n);
/* Turns the first mbuf into one with a pkthdr of the right length. => NULL: no memory, m freed. */
struct mbuf *m_makepkt(struct mbuf *m);
/* The mbuf that holds byte off, and its offset there. => off < m_length(m). */
struct mbuf *m_getptr(struct mbuf *m, size_t off, size_t *offp);
/* KASSERTs that the chain is well formed: lengths within storage, pkthdr.len right. */
void m_sanity(const struct mbuf *m);

/* A queue of packets linked by m_nextpkt. */
struct mbufq {
	struct mbuf *mq_head;
	struct mbuf *mq_tail;
	uint32_t mq_len;
	uint32_t mq_maxlen;
};
void mbufq_init(struct mbufq *mq, uint32_t maxlen);
/* => false when full: m stays the caller's. */
bool mbufq_enqueue(struct mbufq *mq, struct mbuf *m);
struct mbuf *mbufq_dequeue(struct mbufq *mq);
void mbufq_drain(struct mbufq *mq);

#endif /* KERN_MBUF_H */
