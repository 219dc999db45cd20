/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of <rumpus/abi.h>: what the option TCP_INFO gives. */
#ifndef RUMPUS_TCP_INFO_H
#define RUMPUS_TCP_INFO_H

#include <stdint.h>

/*
 * What is known of a connection. Bytes and microseconds unless the name says otherwise.
 * What later versions know besides comes at the end; getsockopt gives as much as there is room for.
 */
struct bsd_tcp_info {
	uint8_t tcpi_state;       /* BSD_TCPS_* */
	uint8_t tcpi_ca_state;    /* BSD_TCP_CA_* */
	uint8_t tcpi_retransmits; /* time-outs in a row, or probes of a closed window */
	uint8_t tcpi_probes;      /* keepalives without answer */
	uint8_t tcpi_options;     /* BSD_TCPI_OPT_* */
	uint8_t tcpi_snd_wscale;
	uint8_t tcpi_rcv_wscale;
	uint8_t tcpi_pad0;
	uint32_t tcpi_rto; /* backed off */
	uint32_t tcpi_rtt; /* smoothed; 0: no sample yet */
	uint32_t tcpi_rttvar;
	uint32_t tcpi_min_rtt;
	uint32_t tcpi_snd_mss;
	uint32_t tcpi_advmss; /* what we announced */
	uint32_t tcpi_pmtu;   /* learnt from ICMP; 0: the interface's */
	uint32_t tcpi_unacked;
	uint32_t tcpi_notsent;
	uint32_t tcpi_snd_cwnd;
	uint32_t tcpi_snd_ssthresh;
	uint32_t tcpi_snd_wnd;
	uint32_t tcpi_rcv_wnd;
	uint32_t tcpi_rcv_space; /* of the receive buffer */
	uint32_t tcpi_rcv_ooo;   /* held out of order */
	uint32_t tcpi_last_data_sent_ms;
	uint32_t tcpi_last_rcv_ms;
	uint32_t tcpi_total_retrans; /* segments */
	uint32_t tcpi_rcv_ooopack;   /* segments */
	uint32_t tcpi_pad1;
	uint64_t tcpi_bytes_sent; /* without retransmissions */
	uint64_t tcpi_bytes_retrans;
	uint64_t tcpi_bytes_received;
	uint64_t tcpi_pacing_rate;     /* bytes a second; all ones: it is not paced */
	uint64_t tcpi_max_pacing_rate; /* BSD_SO_MAX_PACING_RATE */
};

enum {
	BSD_TCPS_CLOSED = 0,
	BSD_TCPS_LISTEN = 1,
	BSD_TCPS_SYN_SENT = 2,
	BSD_TCPS_SYN_RECEIVED = 3,
	BSD_TCPS_ESTABLISHED = 4,
	BSD_TCPS_CLOSE_WAIT = 5,
	BSD_TCPS_FIN_WAIT_1 = 6,
	BSD_TCPS_CLOSING = 7,
	BSD_TCPS_LAST_ACK = 8,
	BSD_TCPS_FIN_WAIT_2 = 9,
	BSD_TCPS_TIME_WAIT = 10
};
enum { BSD_TCP_CA_OPEN = 0, BSD_TCP_CA_DISORDER = 1, BSD_TCP_CA_RECOVERY = 3, BSD_TCP_CA_LOSS = 4 };
enum {
	BSD_TCPI_OPT_TIMESTAMPS = 1,
	BSD_TCPI_OPT_SACK = 2,
	BSD_TCPI_OPT_WSCALE = 4,
	BSD_TCPI_OPT_ECN = 8
};

_Static_assert(sizeof(struct bsd_tcp_info) == 128, "tcp_info has no hidden padding");

#endif /* RUMPUS_TCP_INFO_H */
