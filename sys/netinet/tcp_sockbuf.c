/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Autotuning of socket buffers: they grow with what the path carries, up to net.inet.tcp.*buf_max
 * and kern.ipc.maxsockbuf, unless the program has set a size itself.
 */
#include "kern/cdefs.h"
#include "kern/lwp.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/tcp_var.h"

/* Not more than both limits; what is there already is never taken back. */
static void
tcp_sockbuf_grow(struct socket *so, struct sockbuf *sb, uint64_t want, uint32_t most)
{
	uint64_t size = KERN_MIN(want, KERN_MIN(most, so->so_ns->ns_sb_max));

	if (size > sb->sb_hiwat)
		(void)sbreserve(so, sb, (uint32_t)size);
}

/* Nearly full, or with less space left than its writer, who sleeps, wants at least (sosend). */
static bool
tcp_sndbuf_isfull(const struct sockbuf *sb)
{
	return sb->sb_cc >= sb->sb_hiwat / 8 * 7 || !waitq_empty(&sb->sb_wait);
}

/*
 * The buffer is what holds the sender back: full, while the peer's window and the congestion window
 * have room for more.
 */
void
tcp_sndbuf_autotune(struct tcpcb *tp)
{
	struct socket *so = tp->t_inpcb->inp_socket;
	struct tcp_state *ts = tp->t_ns->ns_tcp;

	if (ts->tcps_sysctl.sendbuf_auto == 0 || so == NULL ||
	    (so->so_snd.sb_flags & SB_AUTOSIZE) == 0 || !TCPS_HAVEESTABLISHED(tp->t_state))
		return;
	struct sockbuf *sb = &so->so_snd;
	uint32_t flight = tp->snd_nxt - tp->snd_una;
	uint32_t unsent = sb->sb_cc > flight ? sb->sb_cc - flight : 0;
	uint32_t before = sb->sb_hiwat;

	if (tp->snd_wnd / 4 * 5 < sb->sb_hiwat || !tcp_sndbuf_isfull(sb) ||
	    sb->sb_cc >= ts->tcps_sysctl.sendbuf_max ||
	    KERN_MIN(tp->snd_wnd, tp->snd_cwnd) < unsent)
		return;
	tcp_sockbuf_grow(so, sb, (uint64_t)sb->sb_hiwat + ts->tcps_sysctl.sendbuf_inc,
	    ts->tcps_sysctl.sendbuf_max);
	if (sb->sb_hiwat > before)
		TCPSTAT_INC(tp->t_ns, sndbufauto);
}

/*
 * TCP_NOTSENT_LOWAT: with so many bytes not sent yet the socket takes no more, until less than half
 * of them are left. What was sent once counts as sent, though it may have to be sent again.
 */
void
tcp_sndbuf_hold(struct tcpcb *tp)
{
	struct socket *so = tp->t_inpcb->inp_socket;
	uint32_t lowat = tp->t_inpcb->inp_notsent_lowat;
	uint32_t flight = tp->snd_max - tp->snd_una, unsent;

	if (so == NULL || (lowat == 0 && (so->so_snd.sb_flags & SB_HELD) == 0))
		return;
	unsent = so->so_snd.sb_cc > flight ? so->so_snd.sb_cc - flight : 0;
	if (lowat != 0 && unsent >= lowat) {
		so->so_snd.sb_flags |= SB_HELD;
	} else if ((so->so_snd.sb_flags & SB_HELD) != 0 &&
	    (lowat == 0 || unsent < (lowat + 1) / 2)) {
		so->so_snd.sb_flags &= ~(uint32_t)SB_HELD;
		sowwakeup(so);
	}
}

/* Doubles when more than 7/8 of the buffer came in within a round trip. */
void
tcp_rcvbuf_autotune(struct tcpcb *tp, uint32_t newbytes)
{
	struct socket *so = tp->t_inpcb->inp_socket;
	struct tcp_state *ts = tp->t_ns->ns_tcp;
	uint32_t now_us = (uint32_t)(tp->t_ns->ns_now / NSEC_PER_USEC);

	if (ts->tcps_sysctl.recvbuf_auto == 0 || so == NULL || newbytes == 0 ||
	    (so->so_rcv.sb_flags & SB_AUTOSIZE) == 0)
		return;
	if (tp->t_rfbuf_start_us == 0) {
		tp->t_rfbuf_start_us = now_us;
		tp->t_rfbuf_seq = tp->rcv_nxt;
		return;
	}
	if (tp->t_srtt_us == 0 || now_us - tp->t_rfbuf_start_us <= tp->t_srtt_us)
		return;
	uint32_t hiwat = so->so_rcv.sb_hiwat;
	if (tp->rcv_nxt - tp->t_rfbuf_seq > hiwat / 8 * 7) {
		tcp_sockbuf_grow(so, &so->so_rcv, 2 * (uint64_t)hiwat, ts->tcps_sysctl.recvbuf_max);
		if (so->so_rcv.sb_hiwat > hiwat)
			TCPSTAT_INC(tp->t_ns, rcvbufauto);
	}
	tp->t_rfbuf_start_us = now_us;
	tp->t_rfbuf_seq = tp->rcv_nxt;
}
