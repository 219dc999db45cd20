/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a tcpcb, and what several files of TCP need: segments without a connection, initial
 * sequence numbers (RFC 6528), segment sizes (RFC 9293 §3.7.1, RFC 6691), ICMP errors (RFC 5927,
 * RFC 1191). Set-up of the layer is in tcp_init.c.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "net/if.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_syncache.h"
#include "netinet/tcp_var.h"
#include "wire/be.h"
#include "wire/tcp_seq.h"

#include <string.h>

#define TCP_MSS_LEAST 16u /* whatever interface and options say */

/* -- beginning and end ----------------------------------------------------------------------- */

struct tcpcb *
tcp_newtcpcb(struct inpcb *inp)
{
	struct netstack *ns = inp->inp_ns;
	struct tcp_state *ts = ns->ns_tcp;
	struct tcpcb *tp = pool_get_zeroed(&ts->tcps_tcpcbpool);

	if (tp == NULL)
		return NULL;
	tp->t_inpcb = inp;
	tp->t_ns = ns;
	inp->inp_ppcb = tp;
	LIST_INIT(&tp->t_holes);
	tcp_timers_init(tp);
	if (ts->tcps_sysctl.rfc1323 != 0)
		tp->t_flags = TF_REQ_SCALE | TF_REQ_TSTMP;
	if (ts->tcps_sysctl.sack_enable != 0)
		tp->t_flags |= TF_REQ_SACK;
	tp->t_peermss = (uint16_t)ts->tcps_sysctl.mssdflt;
	tp->t_maxseg = (uint16_t)ts->tcps_sysctl.mssdflt;
	tp->t_congctl = tcp_congctl_default(ns);
	tp->t_congctl->cc_init(tp);
	tp->t_keepinit_s = ts->tcps_sysctl.keepinit_ms / 1000;
	tp->t_keepidle_s = ts->tcps_sysctl.keepidle_ms / 1000;
	tp->t_keepintvl_s = ts->tcps_sysctl.keepintvl_ms / 1000;
	tp->t_keepcnt = (uint8_t)ts->tcps_sysctl.keepcnt;
	tcp_rtt_init(tp);
	return tp;
}

void
tcp_discardcb(struct tcpcb *tp)
{
	struct inpcb *inp = tp->t_inpcb;

	tcp_timers_stop(tp);
	tcp_reass_flush(tp);
	tcp_sack_clear(tp);
	tcp_rack_idle(tp);
	tcp_undo_forget(tp);
	tcp_pacing_free(tp);
	inp->inp_ppcb = NULL;
	pool_put(&tp->t_ns->ns_tcp->tcps_tcpcbpool, tp);
	in_pcbfree(inp);
}

struct tcpcb *
tcp_close(struct tcpcb *tp)
{
	struct socket *so = tp->t_inpcb->inp_socket;

	if (tp->t_state != TCPS_TIME_WAIT)
		tcp_metrics_keep(tp);
	tcp_set_state(tp, TCPS_CLOSED);
	if (so != NULL) {
		sohold(so);
		soisdisconnected(so);
	}
	tcp_discardcb(tp);
	if (so != NULL) {
		sofree(so);
		sorele(so);
	}
	return NULL;
}

/* <SEQ=SND.NXT><CTL=RST> of RFC 9293 §3.10.5: a number that the peer cannot but find in its window. */
static void
tcp_send_reset(struct tcpcb *tp)
{
	tcp_seq edge = tp->snd_una + tp->snd_wnd;
	struct tcp_response resp = {
	    .seq = seq_min(tp->snd_max, edge),
	    .ack = tp->rcv_nxt,
	    .flags = TH_RST | TH_ACK,
	};

	if (tp->t_state == TCPS_SYN_RECEIVED)
		resp.seq = tp->snd_max;
	TCPSTAT_INC(tp->t_ns, sndrst);
	tcp_respond(tp->t_ns, tp, NULL, &resp);
}

struct tcpcb *
tcp_drop(struct tcpcb *tp, int error)
{
	struct socket *so = tp->t_inpcb->inp_socket;

	if (TCPS_HAVEESTABLISHED(tp->t_state))
		TCPSTAT_INC(tp->t_ns, drops);
	else
		TCPSTAT_INC(tp->t_ns, conndrops);
	if (TCPS_HAVERCVDSYN(tp->t_state) && tp->t_state != TCPS_TIME_WAIT)
		tcp_send_reset(tp);
	if (so != NULL)
		so->so_error = error;
	return tcp_close(tp);
}

/* Nobody reads any more: the peer's FIN is not awaited for ever. */
static void
tcp_finwait2_limit(struct tcpcb *tp)
{
	struct socket *so = tp->t_inpcb->inp_socket;

	if (so == NULL || (so->so_state & SS_CANTRCVMORE) == 0)
		return;
	soisdisconnected(so);
	tcp_timer_arm(tp, TCPT_2MSL, tcp_finwait2_ns(tp));
}

/* RFC 9293 §3.10.4 (CLOSE). In SYN-RECEIVED it waits for the handshake to end. */
struct tcpcb *
tcp_usrclosed(struct tcpcb *tp)
{
	switch (tp->t_state) {
	case TCPS_CLOSED:
	case TCPS_LISTEN:
	case TCPS_SYN_SENT:
		return tcp_close(tp);
	case TCPS_SYN_RECEIVED:
		tp->t_flags |= TF_NEEDFIN;
		break;
	case TCPS_ESTABLISHED:
		tcp_set_state(tp, TCPS_FIN_WAIT_1);
		break;
	case TCPS_CLOSE_WAIT:
		tcp_set_state(tp, TCPS_LAST_ACK);
		break;
	case TCPS_FIN_WAIT_2:
		tcp_finwait2_limit(tp);
		break;
	default:
		break;
	}
	return tp;
}

/* -- numbers --------------------------------------------------------------------------------- */

uint64_t
tcp_hash_endpoints(const uint8_t key[16], const struct in_endpoint *local,
    const struct in_endpoint *foreign)
{
	struct {
		struct in_addrany laddr;
		struct in_addrany faddr;
		uint16_t lport;
		uint16_t fport;
	} pair = {local->ie_addr, foreign->ie_addr, local->ie_port, foreign->ie_port};

	_Static_assert(sizeof(pair) == 36, "no padding in what is hashed");
	return siphash24(key, &pair, sizeof(pair));
}

tcp_seq
tcp_iss(struct netstack *ns, const struct in_endpoint *local, const struct in_endpoint *foreign)
{
	uint64_t clock = ns->ns_now / (4 * NSEC_PER_USEC);

	return (tcp_seq)(clock + tcp_hash_endpoints(ns->ns_tcp->tcps_isskey, local, foreign));
}

uint32_t
tcp_ts_offset(struct netstack *ns, const struct in_endpoint *local,
    const struct in_endpoint *foreign)
{
	return (uint32_t)tcp_hash_endpoints(ns->ns_tcp->tcps_tskey, local, foreign);
}

tcp_seq
tcp_new_iss(struct tcpcb *tp)
{
	const struct inpcb *inp = tp->t_inpcb;
	const struct in_endpoint local = {inp->inp_laddr, inp->inp_lport};
	const struct in_endpoint foreign = {inp->inp_faddr, inp->inp_fport};

	return tcp_iss(tp->t_ns, &local, &foreign);
}

uint32_t
tcp_ts_now(const struct tcpcb *tp)
{
	return (uint32_t)(tp->t_ns->ns_now / NSEC_PER_MSEC) + tp->ts_offset;
}

/* -- segment sizes and windows --------------------------------------------------------------- */

static uint32_t
tcp_headers_len(const struct in_afops *af)
{
	return af->af_hdrlen + (uint32_t)TCP_HDR_LEN;
}

static uint32_t
tcp_mtu_to_mss(const struct in_afops *af, uint32_t mtu)
{
	uint32_t hdrs = tcp_headers_len(af);

	return mtu > hdrs + TCP_MSS_LEAST ? KERN_MIN(mtu - hdrs, UINT16_MAX) : TCP_MSS_LEAST;
}

/* RFC 9293 §3.7.1: by the interface, not by the path, which may differ in the other direction. */
uint32_t
tcp_mss_local(const struct inpcb *inp, const struct in_afops *af, const struct in_addrany *faddr,
    uint32_t usermss)
{
	struct netstack *ns = inp->inp_ns;
	uint32_t mtu, mss = ns->ns_tcp->tcps_sysctl.mssdflt;
	bool direct;
	const struct ifnet *ifp = af->af_route(ns, faddr, in_pcb_ifp(inp), &mtu, &direct);

	if (ifp != NULL)
		mss = tcp_mtu_to_mss(af, ifp->if_mtu);
	return usermss != 0 ? KERN_MIN(mss, usermss) : mss;
}

uint32_t
tcp_mss_offer(struct tcpcb *tp)
{
	const struct inpcb *inp = tp->t_inpcb;

	tp->t_ourmss = (uint16_t)tcp_mss_local(inp, inp->inp_af, &inp->inp_faddr, tp->t_usermss);
	return tp->t_ourmss;
}

/* RFC 6691: options are taken off what is sent, not off what is announced. */
void
tcp_mss_update(struct tcpcb *tp)
{
	struct inpcb *inp = tp->t_inpcb;
	uint32_t mtu = 0, mss = KERN_MAX(tp->t_peermss, tp->t_ns->ns_tcp->tcps_sysctl.minmss);
	bool direct;
	const struct ifnet *ifp =
	    inp->inp_af->af_route(tp->t_ns, &inp->inp_faddr, in_pcb_ifp(inp), &mtu, &direct);

	tp->t_tsomax = TCP_PACKET_MAX;
	if (ifp != NULL) {
		mss = KERN_MIN(mss, tcp_mtu_to_mss(tp->t_inpcb->inp_af, mtu));
		if (ifp->if_tsomax != 0)
			tp->t_tsomax = (uint16_t)KERN_MIN(ifp->if_tsomax, TCP_PACKET_MAX);
	}
	if (tp->t_pmtu != 0)
		mss = KERN_MIN(mss, tcp_mtu_to_mss(tp->t_inpcb->inp_af, tp->t_pmtu));
	if (tp->t_bhmss != 0)
		mss = KERN_MIN(mss, tp->t_bhmss);
	if (tp->t_usermss != 0)
		mss = KERN_MIN(mss, tp->t_usermss);
	if ((tp->t_flags & (TF_REQ_TSTMP | TF_RCVD_TSTMP)) == (TF_REQ_TSTMP | TF_RCVD_TSTMP))
		mss -= KERN_MIN(mss, TCPOLEN_TS_ALIGNED);
	tp->t_maxseg = (uint16_t)KERN_MAX(mss, TCP_MSS_LEAST);
}

uint8_t
tcp_window_scale(const struct netstack *ns, const struct socket *so)
{
	uint32_t largest = KERN_MAX(ns->ns_sb_max, so != NULL ? so->so_rcv.sb_hiwat : 0);
	uint8_t scale = 0;

	while (scale < TCP_MAX_WINSHIFT && TCP_MAXWIN << scale < largest)
		scale++;
	return scale;
}

void
tcp_window_setup(struct tcpcb *tp)
{
	const struct inpcb *inp = tp->t_inpcb;
	const struct in_endpoint local = {inp->inp_laddr, inp->inp_lport};
	const struct in_endpoint foreign = {inp->inp_faddr, inp->inp_fport};

	tp->request_r_scale = tcp_window_scale(tp->t_ns, inp->inp_socket);
	tp->ts_offset = tcp_ts_offset(tp->t_ns, &local, &foreign);
	tcp_mss_update(tp);
}

/* -- segments -------------------------------------------------------------------------------- */

int
tcp_transmit(struct mbuf *m, const struct in_afops *af, const struct in_txinfo *tx,
    struct tcp_hdr *th, const struct tcp_opts *to, uint16_t segsz)
{
	uint8_t opts[TCP_OPTS_LEN_MAX];
	size_t optlen = tcp_opts_emit(opts, sizeof(opts), to, (th->th_flags & TH_SYN) != 0);
	uint32_t len = m->m_pkthdr.len;

	th->th_off = (uint8_t)(TCP_HDR_LEN + optlen);
	m = m_prepend(m, th->th_off);
	if (m == NULL)
		return ENOBUFS;
	th->th_sum =
	    (uint16_t)af->af_pseudo(&tx->tx_src, &tx->tx_dst, len + th->th_off, IPPROTO_TCP);
	tcp_emit(m->m_data, th);
	memcpy(m->m_data + TCP_HDR_LEN, opts, optlen);
	m->m_pkthdr.csum_flags = M_CSUM_NEEDED;
	m->m_pkthdr.csum_offset = TCP_OFF_SUM;
	if (len > segsz) {
		m->m_pkthdr.csum_flags |= M_CSUM_TSO;
		m->m_pkthdr.segsz = segsz;
	}
	return af->af_output(m, tx);
}

/* Ports and addresses of an answer: the connection's, or those of the segment turned round. */
static void
tcp_respond_endpoints(struct netstack *ns, struct tcpcb *tp, const struct tcp_segment *seg,
    struct in_txinfo *tx, struct tcp_hdr *th)
{
	if (tp != NULL) {
		in_pcb_txinfo(tp->t_inpcb, tp->t_inpcb->inp_af, IPPROTO_TCP, tx);
		tx->tx_df = true;
		th->th_sport = tp->t_inpcb->inp_lport;
		th->th_dport = tp->t_inpcb->inp_fport;
		return;
	}
	*tx = (struct in_txinfo){.tx_ns = ns,
	    .tx_src = seg->ts_rx->rx_dst,
	    .tx_dst = seg->ts_rx->rx_src,
	    .tx_proto = IPPROTO_TCP,
	    .tx_df = true};
	th->th_sport = seg->ts_dport;
	th->th_dport = seg->ts_sport;
}

void
tcp_respond(struct netstack *ns, struct tcpcb *tp, const struct tcp_segment *seg,
    const struct tcp_response *resp)
{
	struct tcp_hdr th = {.th_seq = resp->seq, .th_ack = resp->ack, .th_flags = resp->flags};
	struct tcp_opts to = {0};
	struct in_txinfo tx;
	struct mbuf *m = m_gethdr(ns, MT_HEADER);
	const struct in_afops *af = tp != NULL ? tp->t_inpcb->inp_af : seg->ts_rx->rx_af;

	if (m == NULL) {
		TCPSTAT_INC(ns, sndnobufs);
		return;
	}
	m->m_data += M_LINKHDR + af->af_hdrlen + TCP_HDR_LEN_MAX;
	tcp_respond_endpoints(ns, tp, seg, &tx, &th);
	if (tp != NULL && (resp->flags & TH_RST) == 0) {
		th.th_win = tcp_window_announce(tp, resp->flags, tcp_receive_window(tp));
		if ((tp->t_flags & TF_RCVD_TSTMP) != 0) {
			to.to_flags = TOF_TS;
			to.to_tsval = tcp_ts_now(tp);
			to.to_tsecr = tp->ts_recent;
		}
		th.th_flags |= tcp_ecn_ack_flags(tp);
		if (TCPS_HAVEESTABLISHED(tp->t_state))
			tcp_sackgen_emit(tp, &to);
		TCPSTAT_INC(ns, sndacks);
	}
	TCPSTAT_INC(ns, sndtotal);
	(void)tcp_transmit(m, af, &tx, &th, &to, UINT16_MAX);
}

/* -- ICMP errors ----------------------------------------------------------------------------- */

/* RFC 1191: sends again in smaller segments. Only ever lowers. */
static void
tcp_ctl_msgsize(struct tcpcb *tp, uint32_t mtu)
{
	uint32_t mss = tp->t_maxseg;
	uint32_t now = tp->t_maxseg + tcp_headers_len(tp->t_inpcb->inp_af);

	if ((tp->t_flags & TF_RCVD_TSTMP) != 0)
		now += TCPOLEN_TS_ALIGNED;
	mtu = in_pmtu_next(mtu, now);
	if (mtu >= now || (tp->t_pmtu != 0 && mtu >= tp->t_pmtu))
		return;
	tp->t_pmtu = (uint16_t)KERN_MIN(mtu, TCP_PACKET_MAX);
	tcp_mss_update(tp);
	if (tp->t_maxseg >= mss || !TCPS_HAVEESTABLISHED(tp->t_state) ||
	    tp->t_state == TCPS_TIME_WAIT)
		return;
	TCPSTAT_INC(tp->t_ns, mturesent);
	tcp_sack_clear(tp);
	tp->snd_nxt = tp->snd_una;
	tp->t_rtttiming = false;
	(void)tcp_output(tp);
}

/* RFC 5927 §4.1: only who saw our segments knows a number that is in flight. */
static void
tcp_notify(struct inpcb *inp, const struct in_ctlinfo *ci)
{
	struct tcpcb *tp = intotcpcb(inp);
	tcp_seq seq = be32_get(ci->ci_head + 4);
	int error = in_ctl_errno(ci->ci_ctl);

	if (tp == NULL || tp->t_state < TCPS_SYN_SENT || SEQ_LT(seq, tp->snd_una) ||
	    SEQ_GEQ(seq, tp->snd_max))
		return;
	if (ci->ci_ctl == IN_CTL_MSGSIZE) {
		tcp_ctl_msgsize(tp, ci->ci_arg);
		return;
	}
	if (error == 0)
		return;
	if (tp->t_state == TCPS_SYN_SENT)
		(void)tcp_drop(tp, error);
	else
		tp->t_softerror =
		    (uint16_t)error; /* RFC 5927 §5.2: reported if the connection dies */
}

void
tcp_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci)
{
	if (ci->ci_headlen < 8)
		return;
	const uint16_t lport = be16_get(ci->ci_head), fport = be16_get(ci->ci_head + 2);

	in_pcbnotify(&ns->ns_tcp->tcps_table, ci, lport, fport, tcp_notify);
	tcp_syncache_ctlinput(ns, ci, lport, fport);
}
