/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A read-only view of connections, for tests, simulations and tools: numbers, no pointers into the
 * stack. Nothing here changes anything.
 */
#ifndef NETINET_TCP_INSPECT_H
#define NETINET_TCP_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

struct netstack;
struct tcpcb;

struct tcp_inspect {
	uint32_t ti_state; /* enum tcp_fsm_state */
	uint16_t ti_lport;
	uint16_t ti_fport;
	uint32_t ti_laddr[4]; /* as on the wire */
	uint32_t ti_faddr[4];
	uint32_t ti_iss;
	uint32_t ti_snd_una;
	uint32_t ti_snd_nxt;
	uint32_t ti_snd_max;
	uint32_t ti_snd_wnd;
	uint32_t ti_irs;
	uint32_t ti_rcv_nxt;
	uint32_t ti_rcv_adv;
	uint32_t ti_cwnd;
	uint32_t ti_ssthresh;
	uint32_t ti_maxseg;
	uint32_t ti_srtt_us;
	uint32_t ti_rto_us;
	uint32_t ti_dupacks;
	uint32_t ti_sndq; /* bytes in the socket's buffers; 0 without a socket */
	uint32_t ti_rcvq;
	uint32_t ti_reass_segs;
	uint32_t ti_reass_bytes;
	bool ti_recovering; /* NewReno's fast recovery */
	bool ti_orphan;     /* no descriptor refers to it */
};

/*
 * The index-th connection or listener, in the order of making; then what is left of those in
 * TIME-WAIT; handshakes with listeners come last.
 * => false: there are fewer.
 */
bool tcp_inspect_nth(const struct netstack *ns, uint32_t index, struct tcp_inspect *ti);
void tcp_inspect(const struct tcpcb *tp, struct tcp_inspect *ti);
/* What must hold of every connection between two segments. => NULL, or what does not. */
const char *tcp_inspect_check(const struct tcpcb *tp);
/* The same of all of a stack. */
const char *tcp_inspect_check_all(const struct netstack *ns);

#endif /* NETINET_TCP_INSPECT_H */
