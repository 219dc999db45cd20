/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP_INFO: what a connection tells about itself. Reads only. */
#include <assert.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_var.h"

static_assert((int)TCPS_CLOSED == BSD_TCPS_CLOSED && (int)TCPS_LISTEN == BSD_TCPS_LISTEN &&
	(int)TCPS_SYN_SENT == BSD_TCPS_SYN_SENT &&
	(int)TCPS_SYN_RECEIVED == BSD_TCPS_SYN_RECEIVED &&
	(int)TCPS_ESTABLISHED == BSD_TCPS_ESTABLISHED &&
	(int)TCPS_CLOSE_WAIT == BSD_TCPS_CLOSE_WAIT &&
	(int)TCPS_FIN_WAIT_1 == BSD_TCPS_FIN_WAIT_1 && (int)TCPS_CLOSING == BSD_TCPS_CLOSING &&
	(int)TCPS_LAST_ACK == BSD_TCPS_LAST_ACK && (int)TCPS_FIN_WAIT_2 == BSD_TCPS_FIN_WAIT_2 &&
	(int)TCPS_TIME_WAIT == BSD_TCPS_TIME_WAIT,
    "states have the numbers of the ABI");

static uint8_t
tcp_info_ca_state(const struct tcpcb *tp)
{
	if ((tp->t_flags & TF_FASTRECOVERY) != 0)
		return BSD_TCP_CA_RECOVERY;
	if (tp->t_rxtshift > 0 && tcp_timer_isarmed(tp, TCPT_REXMT))
		return BSD_TCP_CA_LOSS;
	return tp->t_dupacks > 0 ? BSD_TCP_CA_DISORDER : BSD_TCP_CA_OPEN;
}

static uint8_t
tcp_info_options(const struct tcpcb *tp)
{
	const uint32_t flags = tp->t_flags;
	uint8_t options = 0;

	if ((flags & TF_REQ_TSTMP) != 0 && (flags & TF_RCVD_TSTMP) != 0)
		options |= BSD_TCPI_OPT_TIMESTAMPS;
	if ((flags & TF_SACK_PERMIT) != 0)
		options |= BSD_TCPI_OPT_SACK;
	if ((flags & TF_REQ_SCALE) != 0 && (flags & TF_RCVD_SCALE) != 0)
		options |= BSD_TCPI_OPT_WSCALE;
	if ((tp->t_ecn & TE_PERMIT) != 0)
		options |= BSD_TCPI_OPT_ECN;
	return options;
}

static uint32_t
tcp_info_since_ms(const struct tcpcb *tp, uint64_t then_ns)
{
	return then_ns == 0 ? 0 : (uint32_t)((tp->t_ns->ns_now - then_ns) / NSEC_PER_MSEC);
}

static void
tcp_info_buffers(const struct tcpcb *tp, struct bsd_tcp_info *ti)
{
	const struct socket *so = tp->t_inpcb->inp_socket;
	const uint32_t flight = tp->snd_max - tp->snd_una;

	ti->tcpi_unacked = flight;
	if (so == NULL)
		return;
	ti->tcpi_notsent = so->so_snd.sb_cc > flight ? so->so_snd.sb_cc - flight : 0;
	ti->tcpi_rcv_space = so->so_rcv.sb_hiwat;
}

void
tcp_info(const struct tcpcb *tp, struct sockopt *sopt)
{
	struct bsd_tcp_info ti = {
	    .tcpi_state = (uint8_t)tp->t_state,
	    .tcpi_ca_state = tcp_info_ca_state(tp),
	    .tcpi_retransmits = tp->t_rxtshift,
	    .tcpi_probes = tp->t_keepprobes,
	    .tcpi_options = tcp_info_options(tp),
	    .tcpi_snd_wscale = tp->snd_scale,
	    .tcpi_rcv_wscale = tp->rcv_scale,
	    .tcpi_rto = (uint32_t)(tcp_rto_ns(tp) / NSEC_PER_USEC),
	    .tcpi_rtt = tp->t_srtt_us,
	    .tcpi_rttvar = tp->t_rttvar_us,
	    .tcpi_min_rtt = tp->t_rttmin_us,
	    .tcpi_snd_mss = tp->t_maxseg,
	    .tcpi_advmss = tp->t_ourmss,
	    .tcpi_pmtu = tp->t_pmtu,
	    .tcpi_snd_cwnd = tp->snd_cwnd,
	    .tcpi_snd_ssthresh = tp->snd_ssthresh,
	    .tcpi_snd_wnd = tp->snd_wnd,
	    .tcpi_rcv_wnd = tcp_rcvwnd(tp),
	    .tcpi_rcv_ooo = tcp_reass_bytes(tp),
	    .tcpi_last_data_sent_ms = tcp_info_since_ms(tp, tp->t_lastsend_ns),
	    .tcpi_last_rcv_ms = tcp_info_since_ms(tp, tp->t_rcvtime_ns),
	    .tcpi_total_retrans = tp->t_sndrexmitpack,
	    .tcpi_rcv_ooopack = tp->t_rcvoopack,
	    .tcpi_bytes_sent = tp->t_sndbytes,
	    .tcpi_bytes_retrans = tp->t_rexmtbytes,
	    .tcpi_bytes_received = tp->t_rcvbytes,
	    .tcpi_pacing_rate = tcp_pacing_rate(tp),
	    .tcpi_max_pacing_rate = tcp_pacing_max(tp),
	};

	tcp_info_buffers(tp, &ti);
	sockopt_put(sopt, &ti, sizeof(ti));
}
