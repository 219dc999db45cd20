/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP_INFO as Linux lays it out. Congestion windows are segments there. What the stack does not
 * count stays 0: sacked, lost, reordering, tcpi_delivery_rate.
 */
#include <linux/tcp.h>
#include <string.h>

#include "translate.h"

#define HEADERS 40u /* of IPv4 and TCP, without options */
#define INFINITE 0x7fffffffu

_Static_assert((int)TCPI_OPT_TIMESTAMPS == (int)BSD_TCPI_OPT_TIMESTAMPS &&
	(int)TCPI_OPT_SACK == (int)BSD_TCPI_OPT_SACK &&
	(int)TCPI_OPT_WSCALE == (int)BSD_TCPI_OPT_WSCALE &&
	(int)TCPI_OPT_ECN == (int)BSD_TCPI_OPT_ECN && (int)TCP_CA_Loss == (int)BSD_TCP_CA_LOSS,
    "these have the same numbers in both");

/* Linux's numbers are in <netinet/tcp.h>, which does not go with <linux/tcp.h>. */
static const uint8_t linux_states[] = {
    [BSD_TCPS_CLOSED] = 7,
    [BSD_TCPS_LISTEN] = 10,
    [BSD_TCPS_SYN_SENT] = 2,
    [BSD_TCPS_SYN_RECEIVED] = 3,
    [BSD_TCPS_ESTABLISHED] = 1,
    [BSD_TCPS_CLOSE_WAIT] = 8,
    [BSD_TCPS_FIN_WAIT_1] = 4,
    [BSD_TCPS_CLOSING] = 11,
    [BSD_TCPS_LAST_ACK] = 9,
    [BSD_TCPS_FIN_WAIT_2] = 5,
    [BSD_TCPS_TIME_WAIT] = 6,
};

static uint32_t
segments(uint32_t bytes, uint32_t mss)
{
	return mss == 0 ? 0 : bytes / mss + (bytes % mss != 0);
}

static void
tcpinfo_sender(const struct bsd_tcp_info *in, struct tcp_info *out)
{
	const uint32_t mss = in->tcpi_snd_mss;

	out->tcpi_rto = in->tcpi_rto;
	out->tcpi_rtt = in->tcpi_rtt;
	out->tcpi_rttvar = in->tcpi_rttvar;
	out->tcpi_min_rtt = in->tcpi_min_rtt;
	out->tcpi_snd_mss = mss;
	out->tcpi_unacked = segments(in->tcpi_unacked, mss);
	out->tcpi_snd_cwnd = segments(in->tcpi_snd_cwnd, mss);
	out->tcpi_snd_ssthresh =
	    in->tcpi_snd_ssthresh >= INFINITE / 2 ? INFINITE : segments(in->tcpi_snd_ssthresh, mss);
	out->tcpi_snd_wnd = in->tcpi_snd_wnd;
	out->tcpi_notsent_bytes = in->tcpi_notsent;
	out->tcpi_last_data_sent = in->tcpi_last_data_sent_ms;
	out->tcpi_total_retrans = in->tcpi_total_retrans;
	out->tcpi_bytes_retrans = in->tcpi_bytes_retrans;
	out->tcpi_pacing_rate = in->tcpi_pacing_rate;
	out->tcpi_max_pacing_rate = in->tcpi_max_pacing_rate;
	out->tcpi_bytes_sent = in->tcpi_bytes_sent + in->tcpi_bytes_retrans;
	if (in->tcpi_bytes_sent > in->tcpi_unacked)
		out->tcpi_bytes_acked = in->tcpi_bytes_sent - in->tcpi_unacked;
}

void
bsd_to_linux_tcpinfo(const struct bsd_tcp_info *in, uint32_t blen, void *val, socklen_t *len)
{
	struct bsd_tcp_info bi = {0};
	struct tcp_info ti = {0};

	memcpy(&bi, in, blen < sizeof(bi) ? blen : sizeof(bi));
	if (bi.tcpi_state < sizeof(linux_states))
		ti.tcpi_state = linux_states[bi.tcpi_state];
	ti.tcpi_ca_state = bi.tcpi_ca_state;
	ti.tcpi_retransmits = bi.tcpi_retransmits;
	ti.tcpi_probes = bi.tcpi_probes;
	ti.tcpi_options = bi.tcpi_options;
	ti.tcpi_snd_wscale = bi.tcpi_snd_wscale & 0xf;
	ti.tcpi_rcv_wscale = bi.tcpi_rcv_wscale & 0xf;
	tcpinfo_sender(&bi, &ti);
	ti.tcpi_advmss = ti.tcpi_rcv_mss = bi.tcpi_advmss;
	ti.tcpi_pmtu = bi.tcpi_pmtu != 0 ? bi.tcpi_pmtu : bi.tcpi_advmss + HEADERS;
	ti.tcpi_rcv_space = bi.tcpi_rcv_space;
	ti.tcpi_rcv_ssthresh = bi.tcpi_rcv_wnd;
	ti.tcpi_rcv_ooopack = bi.tcpi_rcv_ooopack;
	ti.tcpi_last_data_recv = bi.tcpi_last_rcv_ms;
	ti.tcpi_bytes_received = bi.tcpi_bytes_received;
	if (*len > sizeof(ti))
		*len = sizeof(ti);
	memcpy(val, &ti, *len);
}
