/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures: what taps on the interfaces of all sisters see, as one stream of pcapng blocks, to a
 * file (rumpusd --pcap) or to a client (rumpus dump).
 *
 * Theory of operation: a capture is a buffer under a lock. Each sister joins it in her own thread, by
 * a tap on each of her interfaces; frames become blocks in the buffer, and at the end of the turn
 * she writes out what is there. A file takes it; a client may be slow, then the buffer fills, and
 * frames for which there is no room are dropped and counted. Nobody waits for a client. When the
 * last member has left the counts follow, and the stream ends.
 */
#ifndef SERVER_CAPTURE_H
#define SERVER_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/bpf.h>

#include "kern/queue.h"

struct capture;
struct capture_member;
struct loop;

LIST_HEAD(capture_list, capture_member);

#define CAPTURE_BUFFER (4u * 1024 * 1024)
#define CAPTURE_SNAPLEN 262144u

struct capture_config {
	const char *cc_ifname; /* NULL: all interfaces */
	const struct rumpus_bpf_insn *cc_filter;
	uint32_t cc_ninsns; /* 0: every frame */
	uint32_t cc_snaplen;
	enum rumpus_bpf_direction cc_direction;
	unsigned cc_members; /* how many will join, or be absent */
};

/* To a file. => NULL: why holds "what: why; try: ..." */
struct capture *capture_file(const char *path, unsigned members, char *why, size_t whylen);
/* To a stream socket, non-blocking, which is the capture's. => NULL: no memory, and sock is closed */
struct capture *capture_stream(int sock, const struct capture_config *cc);
/* One more, and one less, who refers to it: the first is its owner. The last one's going frees it. */
void capture_hold(struct capture *cp);
void capture_release(struct capture *cp);

/* Writes out what is there, as much as can be. => false: nobody reads any more */
bool capture_flush(struct capture *cp);

/*
 * Joins the sister of this loop, in her thread; she is in list until she leaves. => BSD errno:
 * ENXIO: no such interface; EINVAL: the filter; ENOMEM. Then she is absent.
 */
int capture_join(struct capture *cp, struct loop *lp, struct capture_list *list);
/* She leaves: this capture, or with NULL each of list. => in her thread, with her interfaces there */
void capture_part(struct capture_list *list, const struct capture *cp);
/* One of those who were to join does not. */
void capture_absent(struct capture *cp);

#endif /* SERVER_CAPTURE_H */
