/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP_INFO in the host's form. Windows of congestion are segments there. What the stack does not
 * count stays 0: tcpi_sacked, tcpi_lost, tcpi_reordering, tcpi_delivery_rate, times of a limit, segments.
 */
#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include <rumpus/tcp_info.h>

#include "server/fdsock/fd_impl.h"

#define FD_SSTHRESH_INFINITE 0x7fffffffu
#define FD_HEADERS 40u /* of IPv4 and TCP, without options */

_Static_assert((int)TCPI_OPT_TIMESTAMPS == (int)BSD_TCPI_OPT_TIMESTAMPS &&
	(int)TCPI_OPT_SACK == (int)BSD_TCPI_OPT_SACK &&
	(int)TCPI_OPT_WSCALE == (int)BSD_TCPI_OPT_WSCALE &&
	(int)TCPI_OPT_ECN == (int)BSD_TCPI_OPT_ECN &&
	(int)TCP_CA_Disorder == (int)BSD_TCP_CA_DISORDER &&
	(int)TCP_CA_Recovery == (int)BSD_TCP_CA_RECOVERY &&
	(int)TCP_CA_Loss == (int)BSD_TCP_CA_LOSS,
    "these are the same in both");

/* The host's numbers, which its headers spell in netinet/tcp.h only: that excludes linux/tcp.h. */
static const uint8_t fd_tcp_states[] = {
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

uint8_t
fd_tcpstate(unsigned bsd_state)
{
	return bsd_state < nitems(fd_tcp_states) ? fd_tcp_states[bsd_state] : 0;
}

static uint32_t
fd_segments(uint32_t bytes, uint32_t mss)
{
	return mss == 0 ? 0 : (bytes + mss - 1) / mss;
}

static void
fd_tcpinfo_sending(struct tcp_info *ti, const struct bsd_tcp_info *bi)
{
	ti->tcpi_rto = bi->tcpi_rto;
	ti->tcpi_rtt = bi->tcpi_rtt;
	ti->tcpi_rttvar = bi->tcpi_rttvar;
	ti->tcpi_min_rtt = bi->tcpi_min_rtt;
	ti->tcpi_snd_mss = bi->tcpi_snd_mss;
	ti->tcpi_advmss = bi->tcpi_advmss;
	ti->tcpi_pmtu = bi->tcpi_pmtu != 0 ? bi->tcpi_pmtu : bi->tcpi_advmss + FD_HEADERS;
	ti->tcpi_unacked = fd_segments(bi->tcpi_unacked, bi->tcpi_snd_mss);
	ti->tcpi_snd_cwnd = fd_segments(bi->tcpi_snd_cwnd, bi->tcpi_snd_mss);
	ti->tcpi_snd_ssthresh = bi->tcpi_snd_ssthresh >= FD_SSTHRESH_INFINITE / 2
	    ? FD_SSTHRESH_INFINITE
	    : fd_segments(bi->tcpi_snd_ssthresh, bi->tcpi_snd_mss);
	ti->tcpi_snd_wnd = bi->tcpi_snd_wnd;
	ti->tcpi_notsent_bytes = bi->tcpi_notsent;
	ti->tcpi_last_data_sent = bi->tcpi_last_data_sent_ms;
	ti->tcpi_total_retrans = bi->tcpi_total_retrans;
	ti->tcpi_bytes_sent = bi->tcpi_bytes_sent + bi->tcpi_bytes_retrans;
	ti->tcpi_bytes_retrans = bi->tcpi_bytes_retrans;
	ti->tcpi_pacing_rate = bi->tcpi_pacing_rate;
	ti->tcpi_max_pacing_rate = bi->tcpi_max_pacing_rate;
	ti->tcpi_bytes_acked = bi->tcpi_bytes_sent -
	    (bi->tcpi_unacked < bi->tcpi_bytes_sent ? bi->tcpi_unacked : bi->tcpi_bytes_sent);
}

uint32_t
fd_pair_waiting(const struct fdsock *fs)
{
	int bytes = 0;

	if (fs->fs_gate || ioctl(fs->fs_src.ls_fd, FIONREAD, &bytes) != 0)
		return 0;
	return (uint32_t)bytes + (fs->fs_area != NULL ? fd_share_waiting(fs) : 0);
}

uint32_t
fd_notsent(struct fdsock *fs)
{
	struct sockopt sopt = {.sopt_level = BSD_IPPROTO_TCP,
	    .sopt_name = BSD_TCP_INFO,
	    .sopt_size = sizeof(sopt.sopt_data)};
	struct bsd_tcp_info bi = {0};

	if (sogetopt(fs->fs_so, &sopt) == 0)
		memcpy(&bi, sopt.sopt_data, KERN_MIN(sopt.sopt_size, sizeof(bi)));
	return bi.tcpi_notsent + fd_pair_waiting(fs);
}

void
fd_tcpinfo(struct sockopt *sopt, uint32_t inpair)
{
	struct tcp_info ti = {0};
	struct bsd_tcp_info bi = {0};

	_Static_assert(sizeof(ti) <= sizeof(sopt->sopt_data), "the host's form has room");
	memcpy(&bi, sopt->sopt_data, KERN_MIN(sopt->sopt_size, sizeof(bi)));
	ti.tcpi_state = fd_tcpstate(bi.tcpi_state);
	ti.tcpi_ca_state = bi.tcpi_ca_state;
	ti.tcpi_retransmits = bi.tcpi_retransmits;
	ti.tcpi_probes = bi.tcpi_probes;
	ti.tcpi_options = bi.tcpi_options;
	ti.tcpi_snd_wscale = bi.tcpi_snd_wscale & 0xf;
	ti.tcpi_rcv_wscale = bi.tcpi_rcv_wscale & 0xf;
	fd_tcpinfo_sending(&ti, &bi);
	ti.tcpi_notsent_bytes += inpair;
	ti.tcpi_rcv_mss = bi.tcpi_advmss;
	ti.tcpi_rcv_space = bi.tcpi_rcv_space;
	ti.tcpi_rcv_ssthresh = bi.tcpi_rcv_wnd;
	ti.tcpi_rcv_ooopack = bi.tcpi_rcv_ooopack;
	ti.tcpi_last_data_recv = bi.tcpi_last_rcv_ms;
	ti.tcpi_bytes_received = bi.tcpi_bytes_received;
	memcpy(sopt->sopt_data, &ti, sizeof(ti));
	sopt->sopt_size = sizeof(ti);
}
