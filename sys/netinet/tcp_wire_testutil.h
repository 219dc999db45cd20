/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of TCP between two stacks: a wire on virtual time that delays, loses, duplicates
 * and reorders segments as told, with an address family of its own, so that no IP is needed.
 * What is sent is checked: lengths, checksums, large segments cut up as an interface would.
 */
#ifndef NETINET_TCP_WIRE_TESTUTIL_H
#define NETINET_TCP_WIRE_TESTUTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/netstack.h"
#include "kern/queue.h"
#include "netinet/tcp_var.h"
#include "wire/tcp.h"

#define WIRE_ADDR(side) (0x0a000001u + (uint32_t)(side))
#define WIRE_PORT 7

struct wire_frame {
	TAILQ_ENTRY(wire_frame) wf_list;
	uint64_t wf_time_ns;
	unsigned wf_to;
	uint16_t wf_len;
	uint8_t wf_bytes[]; /* from the TCP header on */
};
TAILQ_HEAD(wire_frame_list, wire_frame);

struct wire {
	struct netstack *w_ns[2];
	uint64_t w_now_ns;
	uint64_t w_delay_ns;
	uint64_t w_byte_ns; /* time that a byte takes on the wire; 0: none */
	uint64_t w_free_ns[2];
	uint32_t w_mtu;
	unsigned w_loss_permille;
	unsigned w_dup_permille;
	unsigned w_reorder_permille; /* held back for some delays */
	uint64_t w_seed;
	int w_outerror[2]; /* what sending returns on a side, if not 0; the segment is lost */
	struct wire_frame_list w_frames;
	unsigned w_nsent; /* segments, as the wire saw them */
	unsigned w_nlost;
	/* Called for each segment sent; false: lose it. NULL: none. It may change the segment. */
	bool (
	    *w_filter)(struct wire *w, unsigned from, struct tcp_hdr *th, uint8_t *seg, size_t len);
	void *w_filterarg;
};

/* Two fresh stacks; the clocks of both begin at start_ns. */
void wire_start(struct wire *w, uint64_t start_ns);
/*
 * Closes every socket that is left by abort, lets time pass until no timer runs, checks that all
 * pools are empty, and ends the stacks.
 */
void wire_end(struct wire *w);
/* Lets time pass: delivers, fires timers. */
void wire_run(struct wire *w, uint64_t delta_ns);
/* Runs on until done(arg), at most for limit_ns. => done's last word */
bool wire_run_until(struct wire *w, uint64_t limit_ns, bool (*done)(void *arg), void *arg);
/* The number of events that are still to come. */
unsigned wire_pending(const struct wire *w);
/* Pseudo-random, from w_seed. */
uint32_t wire_rand(struct wire *w);

/* A segment made by hand, from the host on side `from` to the other; checksum is filled in. */
void wire_inject(struct wire *w, unsigned from, struct tcp_hdr th, const struct tcp_opts *to,
    const void *data, size_t len);

/* Sockets, failing the test on error. */
struct socket *wire_socket(struct wire *w, unsigned side);
struct socket *wire_listen(struct wire *w, unsigned side, uint16_t port);
/* Starts connecting to the other side's port. => errno */
int wire_connect(struct wire *w, struct socket *so, unsigned side, uint16_t port);
/* The next connection, or NULL. */
struct socket *wire_accept(struct socket *head);
/* A listener on side 1 and a connection from side 0 to it, both ESTABLISHED. */
void wire_pair(struct wire *w, struct socket *so[2]);
struct tcpcb *wire_tcpcb(const struct socket *so); /* NULL: gone */
/* => bytes taken */
size_t wire_write(struct socket *so, const void *buf, size_t len, int flags);
/* => bytes got; *eof when the stream has ended */
size_t wire_read(struct socket *so, void *buf, size_t len, bool *eof);

extern const struct in_afops wire_afops;

#endif /* NETINET_TCP_WIRE_TESTUTIL_H */
