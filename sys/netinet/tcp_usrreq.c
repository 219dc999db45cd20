/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a socket asks of TCP (RFC 9293 §3.9.1, §3.10): struct pr_usrreqs, and the table by which the
 * network layer reaches TCP. Options are in tcp_sockopt.c.
 *
 * A socket whose connection is gone has no pcb; requests then fail as in BSD.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/in_pcb_af.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_var.h"

static struct inpcb *
sotoinpcb(struct socket *so)
{
	return so->so_pcb;
}

static struct tcpcb *
sototcpcb(struct socket *so)
{
	return so->so_pcb != NULL ? intotcpcb(sotoinpcb(so)) : NULL;
}

/* -- attach and detach ----------------------------------------------------------------------- */

static int
tcp_attach(struct socket *so, int protocol)
{
	struct tcp_state *ts = so->so_ns->ns_tcp;
	struct inpcb *inp;
	int error;

	(void)protocol;
	if (so->so_pcb != NULL)
		return EISCONN;
	if (so->so_snd.sb_hiwat == 0 || so->so_rcv.sb_hiwat == 0) {
		uint32_t most = so->so_ns->ns_sb_max;

		error = soreserve(so, KERN_MIN(ts->tcps_sysctl.sendspace, most),
		    KERN_MIN(ts->tcps_sysctl.recvspace, most));
		if (error != 0)
			return error;
	}
	error = in_pcballoc(&ts->tcps_table, so, so->so_proto->pr_domain->dom_afops, &inp);
	if (error != 0)
		return error;
	if (tcp_newtcpcb(inp) == NULL) {
		in_pcbfree(inp);
		return ENOBUFS;
	}
	return 0;
}

/*
 * The user is done with both directions. Data that nobody read mean that the stream did not arrive
 * whole: the peer is told by a RST (RFC 1122 §4.2.2.13, RFC 2525 §2.17).
 */
static struct tcpcb *
tcp_disconnect_pcb(struct tcpcb *tp)
{
	struct socket *so = tp->t_inpcb->inp_socket;

	if (tp->t_state == TCPS_SYN_RECEIVED)
		return tcp_drop(tp, ECONNABORTED);
	if (tp->t_state < TCPS_SYN_RECEIVED)
		return tcp_close(tp);
	if (((so->so_options & SO_LINGER) != 0 && so->so_linger_s == 0) || so->so_rcv.sb_cc > 0)
		return tcp_drop(tp, 0);
	soisdisconnecting(so);
	tp = tcp_usrclosed(tp);
	if (tp != NULL && tp->t_state < TCPS_TIME_WAIT)
		(void)tcp_output(tp);
	return tp;
}

/*
 * Closed already: CLOSED, or TIME-WAIT, which goes on without the socket. Else as above. What must go
 * on for the peer's sake alone is limited in number; beyond, the peer is told by a RST.
 */
static void
tcp_detach(struct socket *so)
{
	struct tcpcb *tp = sototcpcb(so);
	const uint32_t most = so->so_ns->ns_tcp->tcps_sysctl.maxorphans;

	if (tp == NULL)
		return;
	if (tp->t_state == TCPS_TIME_WAIT) {
		in_pcbdetach_socket(sotoinpcb(so));
		tcp_timewait_compact(tp);
	} else if ((so->so_state & SS_ISDISCONNECTING) == 0) {
		(void)tcp_disconnect_pcb(tp);
	}
	if (so->so_pcb != NULL && !in_pcborphan(sotoinpcb(so), most)) {
		TCPSTAT_INC(so->so_ns, orphandrops);
		(void)tcp_drop(sototcpcb(so), 0);
	}
}

static int
tcp_disconnect(struct socket *so)
{
	struct tcpcb *tp = sototcpcb(so);

	if (tp == NULL)
		return ENOTCONN;
	if (tp->t_state != TCPS_TIME_WAIT)
		(void)tcp_disconnect_pcb(tp);
	return 0;
}

static void
tcp_abort(struct socket *so)
{
	struct tcpcb *tp = sototcpcb(so);

	if (tp != NULL)
		(void)tcp_drop(tp, ECONNABORTED);
}

/* -- bind, listen, connect, accept ----------------------------------------------------------- */

static int
tcp_bind(struct socket *so, const struct bsd_sockaddr *nam)
{
	struct inpcb *inp = sotoinpcb(so);
	const struct in_afops *af;
	struct in_endpoint ep;
	int error;

	if (inp == NULL)
		return EINVAL;
	error = in_pcb_parselocal(inp, nam, &ep, &af);
	if (error != 0)
		return error;
	if (af->af_ismulticast(&ep.ie_addr))
		return EAFNOSUPPORT;
	return in_pcbbind(inp, nam);
}

/* A listener that was not bound gets a port of the stack's choice (RFC 9293 §3.10.1). */
static int
tcp_listen(struct socket *so, int backlog)
{
	struct tcpcb *tp = sototcpcb(so);
	int error = 0;

	(void)backlog;
	if (tp == NULL)
		return EINVAL;
	if (tp->t_state == TCPS_LISTEN)
		return 0;
	if (tp->t_state != TCPS_CLOSED)
		return EINVAL;
	if (tp->t_inpcb->inp_lport == 0)
		error = in_pcbbind(tp->t_inpcb, NULL);
	if (error == 0)
		tcp_set_state(tp, TCPS_LISTEN);
	return error;
}

/* RFC 9293 §3.10.1 (OPEN, active). => the pcb has its endpoints */
static int
tcp_connect_start(struct tcpcb *tp)
{
	tcp_window_setup(tp);
	tcp_rtt_init(tp);
	tp->t_congctl->cc_init(tp);
	tp->iss = tcp_new_iss(tp);
	tp->snd_una = tp->snd_nxt = tp->snd_max = tp->snd_up = tp->snd_recover = tp->iss;
	tp->t_sack_end = tp->iss;
	tp->t_rcvtime_ns = tp->t_ns->ns_now;
	tp->t_softerror = 0;
	tcp_set_state(tp, TCPS_SYN_SENT);
	return tcp_output(tp);
}

static int
tcp_connect_check(const struct inpcb *inp, const struct bsd_sockaddr *nam)
{
	const struct in_afops *af;
	struct in_endpoint ep;
	int error = in_pcb_parsedest(inp, nam, &ep, &af);

	if (error != 0)
		return error;
	if (af->af_ismulticast(&ep.ie_addr))
		return EAFNOSUPPORT;
	if (af->af_isbroadcast(inp->inp_ns, &ep.ie_addr))
		return EACCES;
	return 0;
}

static int
tcp_connect(struct socket *so, const struct bsd_sockaddr *nam)
{
	struct tcpcb *tp = sototcpcb(so);
	int error;

	if (tp == NULL)
		return EINVAL;
	if (tp->t_state != TCPS_CLOSED)
		return tp->t_state == TCPS_LISTEN ? EOPNOTSUPP : EISCONN;
	error = tcp_connect_check(tp->t_inpcb, nam);
	if (error == 0)
		error = in_pcbconnect(tp->t_inpcb, nam);
	if (error != 0)
		return error;
	error = tcp_connect_start(tp);
	if (error != 0) {
		tcp_set_state(tp, TCPS_CLOSED);
		in_pcbdisconnect(tp->t_inpcb);
		so->so_state &= ~(uint32_t)SS_ISCONNECTING;
	}
	return error;
}

static int
tcp_accept(struct socket *so, union bsd_sockaddr_any *nam)
{
	if (so->so_pcb == NULL || (so->so_state & SS_ISDISCONNECTED) != 0)
		return ECONNABORTED;
	in_pcb_peeraddr(sotoinpcb(so), nam);
	return 0;
}

/* -- data ------------------------------------------------------------------------------------ */

static int
tcp_shutdown(struct socket *so)
{
	struct tcpcb *tp = sototcpcb(so);

	if (tp == NULL || tp->t_state <= TCPS_LISTEN)
		return ENOTCONN;
	socantsendmore(so);
	if (tp->t_state == TCPS_SYN_SENT) {
		(void)tcp_drop(tp, ECONNABORTED);
		return 0;
	}
	tp = tcp_usrclosed(tp);
	if (tp != NULL && tp->t_state < TCPS_TIME_WAIT)
		(void)tcp_output(tp);
	return 0;
}

/* The reader made room: tcp_output decides whether the peer is to know. */
static void
tcp_rcvd(struct socket *so, int flags)
{
	struct tcpcb *tp = sototcpcb(so);

	(void)flags;
	if (tp != NULL && TCPS_HAVEESTABLISHED(tp->t_state) && tp->t_state != TCPS_TIME_WAIT)
		(void)tcp_output(tp);
}

static int
tcp_rcvoob(struct socket *so, uint8_t *byte, int flags)
{
	struct tcpcb *tp = sototcpcb(so);

	if (tp == NULL || (so->so_oobmark == 0 && (so->so_state & SS_RCVATMARK) == 0) ||
	    (so->so_options & SO_OOBINLINE) != 0 || (tp->t_oobflags & TCPOOB_HADDATA) != 0)
		return EINVAL;
	if ((tp->t_oobflags & TCPOOB_HAVEDATA) == 0)
		return EWOULDBLOCK;
	*byte = tp->t_iobc;
	if ((flags & MSG_PEEK) == 0)
		tp->t_oobflags ^= TCPOOB_HAVEDATA | TCPOOB_HADDATA;
	return 0;
}

/* The urgent pointer goes behind all that is queued now; a SYN still unacknowledged counts. */
static void
tcp_mark_urgent(struct tcpcb *tp, const struct socket *so)
{
	bool syn = !TCPS_HAVEESTABLISHED(tp->t_state);

	tp->snd_up = tp->snd_una + so->so_snd.sb_cc + (syn ? 1 : 0);
}

static int
tcp_send(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	struct tcpcb *tp = sototcpcb(so);
	size_t controllen = control != NULL ? m_length(control) : 0;
	uint32_t how = 0;

	m_freem(control);
	if (tp == NULL || tp->t_state < TCPS_SYN_SENT || controllen != 0) {
		m_freem(m);
		if (tp == NULL)
			return ECONNRESET;
		return controllen != 0 ? EINVAL : ENOTCONN;
	}
	(void)nam; /* a connection has one peer, whatever is named */
	sbappendstream(&so->so_snd, m);
	if ((flags & MSG_OOB) != 0) {
		tcp_mark_urgent(tp, so);
		how |= TF_FORCE;
	}
	if ((flags & PRUS_MORETOCOME) != 0)
		how |= TF_MORETOCOME;
	tp->t_flags |= how;
	/* The data are taken: whatever is wrong now, the timers try again and report it. */
	(void)tcp_output(tp);
	tp->t_flags &= ~how;
	return 0;
}

/* -- names ----------------------------------------------------------------------------------- */

static int
tcp_sockaddr(struct socket *so, union bsd_sockaddr_any *nam)
{
	if (so->so_pcb == NULL)
		return EINVAL;
	in_pcb_sockaddr(sotoinpcb(so), nam);
	return 0;
}

/* As tcp_output cuts what is long: whole segments. What is left over would be a packet of a few bytes. */
static uint32_t
tcp_piece(struct socket *so)
{
	const struct tcpcb *tp = sototcpcb(so);

	if (tp == NULL || tp->t_state == TCPS_TIME_WAIT)
		return 0;
	const uint32_t hdrs = TCP_HDR_LEN_MAX + tp->t_inpcb->inp_af->af_hdrlen;
	const uint32_t most = KERN_MAX(tp->t_tsomax, hdrs + tp->t_maxseg) - hdrs;

	return most - most % tp->t_maxseg;
}

static int
tcp_peeraddr(struct socket *so, union bsd_sockaddr_any *nam)
{
	const struct tcpcb *tp = sototcpcb(so);

	if (tp == NULL || tp->t_state <= TCPS_LISTEN || tp->t_state == TCPS_TIME_WAIT)
		return ENOTCONN;
	in_pcb_peeraddr(sotoinpcb(so), nam);
	return 0;
}

const struct pr_usrreqs tcp_usrreqs = {
    .pr_attach = tcp_attach,
    .pr_detach = tcp_detach,
    .pr_bind = tcp_bind,
    .pr_listen = tcp_listen,
    .pr_connect = tcp_connect,
    .pr_accept = tcp_accept,
    .pr_disconnect = tcp_disconnect,
    .pr_abort = tcp_abort,
    .pr_shutdown = tcp_shutdown,
    .pr_rcvd = tcp_rcvd,
    .pr_rcvoob = tcp_rcvoob,
    .pr_send = tcp_send,
    .pr_piece = tcp_piece,
    .pr_sockaddr = tcp_sockaddr,
    .pr_peeraddr = tcp_peeraddr,
};

const struct in_transport tcp_transport = {
    .it_proto = IPPROTO_TCP,
    .it_input = tcp_input,
    .it_ctlinput = tcp_ctlinput,
    .it_owns = tcp_owns,
};
