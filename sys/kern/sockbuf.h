/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket buffers: records of mbuf chains, with limits on bytes and on storage.
 *
 *   sb_mb -> [mbuf]-m_next->[mbuf]...      first record
 *              |m_nextpkt
 *            [mbuf]-m_next->...            second record        <- sb_lastrecord
 *
 * A stream is one record; sb_mbtail is its last mbuf. A datagram record is an optional MT_SONAME
 * mbuf (the sender's sockaddr), optional MT_CONTROL, then data.
 */
#ifndef KERN_SOCKBUF_H
#define KERN_SOCKBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/lwp.h"

struct mbuf;
struct socket;

#define SB_MIN 2048u       /* least that SO_SNDBUF, SO_RCVBUF may set */
#define SB_MBMAX_FACTOR 4u /* sb_mbmax = hiwat * factor: bound on storage held */

#define SB_LOCKED 0x0001
#define SB_AUTOSIZE 0x0002   /* may grow by itself; cleared by SO_SNDBUF, SO_RCVBUF */
#define SB_COPYING 0x0004    /* a reader is copying from it and may sleep: the front must stay */
#define SB_FLUSHLATER 0x0008 /* sbflush came meanwhile; sbcopy_end does it */
#define SB_HELD 0x0010       /* so_snd: the protocol takes no more for now, whatever the space */

struct sockbuf {
	uint32_t sb_cc;       /* bytes of data */
	uint32_t sb_mbcnt;    /* bytes of storage */
	uint32_t sb_hiwat;    /* most data */
	uint32_t sb_mbmax;    /* most storage */
	uint32_t sb_lowat;    /* least that makes it readable or writable */
	uint32_t sb_sndmboff; /* of sb_sndmb, below */
	uint64_t sb_timeo_ns; /* SO_RCVTIMEO, SO_SNDTIMEO; 0: none */
	struct mbuf *sb_mb;
	struct mbuf *sb_mbtail;
	struct mbuf *sb_lastrecord;
	/* Where the byte at sb_sndoff lies, so that tcp_output need not walk (sb_sndptr). */
	struct mbuf *sb_sndmb; /* its first byte is sb_sndmboff from the start of the buffer */
	struct waitq sb_wait;  /* sbwait sleeps here */
	struct waitq sb_lockwait;
	uint32_t sb_flags;
};

void sb_init(struct sockbuf *sb);
/* Sets the limits. => ENOBUFS: cc is 0 or beyond kern.ipc.maxsockbuf. */
int sbreserve(struct socket *so, struct sockbuf *sb, uint32_t cc);
/* Frees all data and counts it as dropped when nobody read it. */
void sbflush(struct sockbuf *sb);
/*
 * Bracket a copy that reads mbufs of the buffer in place and may sleep. Appending goes on meanwhile,
 * sbflush is put off until the end, nobody else takes anything off. => sb is locked (sblock).
 */
void sbcopy_begin(struct sockbuf *sb);
void sbcopy_end(struct sockbuf *sb);

/* Bytes that may be added, by data and by storage. Never negative. */
uint32_t sbspace(const struct sockbuf *sb);

/* Each consumes m, which may be NULL. sbappendstream merges small mbufs (sbcompress). */
void sbappendstream(struct sockbuf *sb, struct mbuf *m);
void sbappendrecord(struct sockbuf *sb, struct mbuf *m);
/*
 * A datagram record with the sender's address. => false: no space or no memory, and nothing was
 * taken: m and control stay the caller's.
 */
bool sbappendaddr(struct sockbuf *sb, const void *sa, uint8_t salen, struct mbuf *m,
    struct mbuf *control);
/* Drops len bytes from the front (of a stream), or the first record. */
void sbdrop(struct sockbuf *sb, uint32_t len);
void sbdroprecord(struct sockbuf *sb);
/* Takes the first record off whole; it is the caller's. => NULL: empty. */
struct mbuf *sbtakerecord(struct sockbuf *sb);
/*
 * Takes at most len bytes off the front of a stream without copying, fewer if memory for the last,
 * partial mbuf is short. => len <= sb_cc. NULL: len is 0 or no memory at all.
 */
struct mbuf *sbtakestream(struct sockbuf *sb, uint32_t len);
/* The mbuf that holds byte off of a stream, with its offset in there. Remembers the place. */
struct mbuf *sb_sndptr(struct sockbuf *sb, uint32_t off, uint32_t *moff);

/* Sleeps until something happens to sb. => 0, EWOULDBLOCK (its timeout), EINTR. */
int sbwait(struct socket *so, struct sockbuf *sb);
/*
 * The same with the deadline of the whole call, so that waking up in between does not prolong it;
 * sbdeadline is that of a call which starts now, CALLOUT_NEVER without SO_RCVTIMEO, SO_SNDTIMEO.
 */
uint64_t sbdeadline(const struct socket *so, const struct sockbuf *sb);
int sbwait_until(struct socket *so, struct sockbuf *sb, uint64_t deadline_ns);
/* Only one lwp sends, and one receives, at a time. => EWOULDBLOCK when wait is false, EINTR. */
int sblock(struct socket *so, struct sockbuf *sb, bool wait);
void sbunlock(struct sockbuf *sb);

/* KASSERTs counters against contents. */
void sb_sanity(const struct sockbuf *sb);

#endif /* KERN_SOCKBUF_H */
