/* SPDX-License-Identifier: BSD-2-Clause */
/* Pacing: data leave no faster than a rate (tcp_pacing.c has the theory). */
#ifndef NETINET_TCP_PACING_H
#define NETINET_TCP_PACING_H

#include <stdbool.h>
#include <stdint.h>

struct tcpcb;

#define TCP_PACING_NONE UINT64_MAX /* a rate: there is no limit */

/* What a paced connection has besides its tcpcb (t_pacing). */
struct tcp_pacing {
	uint64_t pa_max;     /* SO_MAX_PACING_RATE, bytes a second */
	uint64_t pa_from_ns; /* what left last takes its time from then on */
	uint32_t pa_len;     /* its bytes; 0: nothing has left */
	bool pa_cc;          /* paced whatever pa_max (net.inet.tcp.pacing) */
	bool pa_holds;       /* something is held back */
	bool pa_waited;      /* and was so before the present pass of tcp_output */
	bool pa_owed;        /* among it the first segment of a recovery, which no window holds */
};

/* The time of len bytes at rate (not 0) bytes a second, rounded up, ns. */
uint64_t tcp_pacing_ns(uint32_t len, uint64_t rate);
/* The most that leaves at once: about a millisecond's worth in whole segments, two at least. */
uint32_t tcp_pacing_burst(uint64_t rate, uint32_t segsz);

/* net.inet.tcp.pacing: the connection, just established, is paced if it can be. */
void tcp_pacing_start(struct tcpcb *tp);
/* A listener's limit. => false: no memory */
bool tcp_pacing_inherit(struct tcpcb *tp, const struct tcpcb *head);
/* SO_MAX_PACING_RATE; what this lets go is for tcp_output, then tcp_pacing_trim. => ENOBUFS */
int tcp_pacing_setmax(struct tcpcb *tp, uint64_t rate);
/* Frees the record of a connection that is not paced any more. */
void tcp_pacing_trim(struct tcpcb *tp);
void tcp_pacing_free(struct tcpcb *tp);

uint64_t tcp_pacing_max(const struct tcpcb *tp);
/* The present rate, bytes a second. */
uint64_t tcp_pacing_rate(const struct tcpcb *tp);
/* Until data may leave; 0: now. */
uint64_t tcp_pacing_wait_ns(const struct tcpcb *tp);

/* tcp_output.c, around a pass. => begin, end, hold, sent: the connection has its record */
void tcp_pacing_begin(struct tcpcb *tp);
void tcp_pacing_end(struct tcpcb *tp);
/* Data would leave but for the time: TCPT_PACE, after wait_ns. */
void tcp_pacing_hold(struct tcpcb *tp, uint64_t wait_ns);
/* len bytes have left. */
void tcp_pacing_sent(struct tcpcb *tp, uint32_t len);
/* What tcp_output_again was to send first of all may have been held back: it goes once it may. */
void tcp_pacing_owe(struct tcpcb *tp);
/* Does something wait for TCPT_PACE? */
bool tcp_pacing_holds(const struct tcpcb *tp);

#endif /* NETINET_TCP_PACING_H */
