/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of TCP: a stack whose only domain is TCP over an address family made here, which
 * keeps what TCP sends as parsed segments, and a constructor for each state of a connection.
 * Time is virtual; nothing here needs IP.
 */
#ifndef NETINET_TCP_TESTUTIL_H
#define NETINET_TCP_TESTUTIL_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/netstack.h"
#include "netinet/tcp_var.h"
#include "wire/tcp.h"

#define TT_MAXOUT 512
#define TT_MAXDATA 65536

#define TT_US 0x0a000001u   /* our address, as rx_dst.ia_w[0] holds it on the test's family */
#define TT_THEM 0x0a000002u /* the peer's */
#define TT_BCAST 0xffffffffu
#define TT_MCAST 0xe0000001u
#define TT_PORT 80    /* ours */
#define TT_PEER 40000 /* the peer's */
#define TT_PEERISS 5000u
#define TT_PEERWIN 60000u /* the peer's window, unscaled */
#define TT_TSVAL 100000u  /* the peer's clock in its SYN */

struct tcp_test_seg {
	struct tcp_hdr th; /* th_off and th_sum are filled in when sent */
	struct tcp_opts opts;
	uint32_t len; /* bytes of payload */
	const uint8_t *data;
	uint32_t src;
	uint32_t dst;
	bool bcast; /* rx_bcast */
	bool badsum;
};

struct tcp_test_out {
	struct tcp_hdr th;
	struct tcp_opts opts;
	uint32_t len;
	uint64_t time_ns;
	uint8_t data[2048]; /* the first of the payload */
};

/* How the connection is to be: set between tcp_test_start and tcp_test_in_state. */
struct tcp_test {
	struct netstack *tt_ns;
	bool tt_ts;               /* the peer has timestamps; default no */
	bool tt_sack;             /* the peer permits SACK; default no */
	uint32_t tt_peeriss;      /* default TT_PEERISS */
	int tt_wscale;            /* the peer's shift; -1 (default): no option */
	uint16_t tt_mss;          /* the peer's; default 1460 */
	uint32_t tt_mtu;          /* default 1500 */
	int tt_outerror;          /* what sending returns, if not 0 (and the segment is lost) */
	struct socket *tt_so;     /* the connection's socket; with SYN-RECEIVED: the child */
	struct socket *tt_listen; /* its listener, if any */
	bool tt_ownsso;           /* tt_so has a descriptor of ours */
	struct tcp_test *tt_next;
	struct tcpcb *tt_tp; /* stale once the connection is closed */
	uint32_t tt_peernxt; /* the peer's next sequence number */
	struct tcp_test_out *tt_out;
	unsigned tt_nout;
	unsigned tt_first; /* next for tcp_test_sent */
};

/* A fresh stack at one second on the clock. => fails the test without memory. */
void tcp_test_start(struct tcp_test *tt);
/* The same at any time. */
void tcp_test_start_at(struct tcp_test *tt, uint64_t now_ns);
/* Closes what is open, lets TIME-WAIT run out; checks that no mbuf, tcpcb or timer is left. */
void tcp_test_end(struct tcp_test *tt);

/*
 * A connection in that state, reached by real calls and segments; what was sent on the way is
 * forgotten. LISTEN: tt_so listens. CLOSED: a bound socket.
 */
struct tcpcb *tcp_test_in_state(struct tcp_test *tt, enum tcp_fsm_state state);

/* A segment of the peer: in sequence, acknowledging all that we sent, no data. Change and send. */
struct tcp_test_seg tcp_test_seg(const struct tcp_test *tt, uint8_t flags);
/* Hands it to tcp_input. Does not move tt_peernxt. */
void tcp_test_input(struct tcp_test *tt, const struct tcp_test_seg *seg);
/* The same as a struct tcp_segment for calling single steps. => ts_m is the caller's. */
void tcp_test_segment(struct tcp_test *tt, const struct tcp_test_seg *seg, struct in_rxinfo *rx,
    struct tcp_segment *ts);

/* The next segment that TCP sent, oldest first; NULL: none. */
const struct tcp_test_out *tcp_test_sent(struct tcp_test *tt);
unsigned tcp_test_nsent(const struct tcp_test *tt);
void tcp_test_forget(struct tcp_test *tt);
/* Moves the clock and runs what is due. */
void tcp_test_advance(struct tcp_test *tt, uint64_t delta_ns);
/* The bytes ready in so_rcv, up to len, taken out. => how many. */
uint32_t tcp_test_read(struct tcp_test *tt, void *buf, uint32_t len);
/* Sends bytes by sosend without waiting. => errno. */
int tcp_test_write(struct tcp_test *tt, const void *buf, uint32_t len);
/* Is the tcpcb still on its table (not closed)? */
bool tcp_test_alive(const struct tcp_test *tt);

/* A TCP socket over the test's family. */
struct socket *tcp_test_socket(struct tcp_test *tt);
extern const struct in_afops tcp_test_afops;

#endif /* NETINET_TCP_TESTUTIL_H */
