/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options of the TCP level, NetBSD's names, and SO_MAX_PACING_RATE. What is not here is refused
 * with ENOPROTOOPT; other levels go on to the network layer.
 */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_var.h"

#include <string.h>

#define TCP_KEEP_MAX_S 2000000 /* 23 days */
#define TCP_COUNT_MAX 127
#define TCP_DEFER_PERIOD_S 120
#define TCP_DEFER_MAX_S 30000
#define TCP_LINGER2_MAX_S 120
#define TCP_WINCLAMP_LEAST 1152u

/* A number of seconds, or a count, from 1 to most. */
static int
tcp_opt_positive(const struct sockopt *sopt, int most, uint32_t *var)
{
	int value, error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value <= 0 || value > most)
		return EINVAL;
	*var = (uint32_t)value;
	return 0;
}

static int
tcp_opt_set_usertimeout(struct tcpcb *tp, const struct sockopt *sopt)
{
	int value, error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value < 0)
		return EINVAL;
	tp->t_usertimeout_ms = (uint32_t)value;
	return 0;
}

/* As Linux has it: as long as so many SYN|ACKs, sent after 1 s, 2 s, 4 s, ..., would take. */
static int
tcp_opt_set_defer(struct tcpcb *tp, const struct sockopt *sopt)
{
	int value, error = sockopt_getint(sopt, &value);
	int all = value > 0, period = all;

	if (error != 0)
		return error;
	while (all < value && all < TCP_DEFER_MAX_S) {
		period = KERN_MIN(2 * period, TCP_DEFER_PERIOD_S);
		all += period;
	}
	tp->t_defer_s = (uint16_t)all;
	return 0;
}

/* As Linux has it: 0 for the stack's own time, below 0 for none, and no more than two minutes. */
static int
tcp_opt_set_linger2(struct tcpcb *tp, const struct sockopt *sopt)
{
	int value, error = sockopt_getint(sopt, &value);

	if (error == 0)
		tp->t_linger2_s = (int8_t)KERN_MAX(KERN_MIN(value, TCP_LINGER2_MAX_S), -1);
	return error;
}

/* As Linux has it: no clamp so small that next to nothing could come. */
static int
tcp_opt_set_winclamp(struct tcpcb *tp, const struct sockopt *sopt)
{
	int value, error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value <= 0)
		return EINVAL;
	tp->t_winclamp = KERN_MAX((uint32_t)value, TCP_WINCLAMP_LEAST);
	return 0;
}

/* TCP_SYNCNT, TCP_KEEPCNT */
static int
tcp_opt_set_count(const struct sockopt *sopt, uint8_t *var)
{
	uint32_t value;
	int error = tcp_opt_positive(sopt, TCP_COUNT_MAX, &value);

	if (error == 0)
		*var = (uint8_t)value;
	return error;
}

/* TCP_NODELAY and TCP_NOPUSH. What was held back leaves when nothing holds it any more. */
static int
tcp_opt_set_push(struct tcpcb *tp, const struct sockopt *sopt, uint32_t flag)
{
	int value, error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value == 0)
		tp->t_flags &= ~flag;
	else
		tp->t_flags |= flag;
	if ((value == 0) == (flag == TF_NODELAY))
		return 0;
	if (TCPS_HAVEESTABLISHED(tp->t_state) && tp->t_state != TCPS_TIME_WAIT)
		(void)tcp_output(tp);
	return 0;
}

/* An ACK that was held back leaves at once. */
static int
tcp_opt_set_quickack(struct tcpcb *tp, const struct sockopt *sopt)
{
	int value, error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value == 0) {
		tp->t_flags &= ~TF_QUICKACK;
		return 0;
	}
	tp->t_flags |= TF_QUICKACK;
	if ((tp->t_flags & TF_DELACK) != 0) {
		tp->t_flags |= TF_ACKNOW;
		(void)tcp_output(tp);
	}
	return 0;
}

/* Only ever makes segments smaller than interface, path and peer say. */
static int
tcp_opt_set_maxseg(struct tcpcb *tp, const struct sockopt *sopt)
{
	uint32_t mss;
	int error = tcp_opt_positive(sopt, UINT16_MAX, &mss);

	if (error != 0)
		return error;
	if (mss < tp->t_ns->ns_tcp->tcps_sysctl.minmss)
		return EINVAL;
	tp->t_usermss = mss;
	if (tp->t_state >= TCPS_SYN_SENT)
		tcp_mss_update(tp);
	else
		tp->t_maxseg = KERN_MIN(tp->t_maxseg, mss);
	return 0;
}

/* The timer goes by the new times at once. */
static int
tcp_opt_set_keep(struct tcpcb *tp, const struct sockopt *sopt, uint32_t *var)
{
	int error = tcp_opt_positive(sopt, TCP_KEEP_MAX_S, var);

	if (error != 0 || var == &tp->t_keepinit_s || !TCPS_HAVEESTABLISHED(tp->t_state) ||
	    tp->t_state == TCPS_TIME_WAIT)
		return error;
	tcp_timer_arm(tp, TCPT_KEEP,
	    (tp->t_keepprobes > 0 ? tp->t_keepintvl_s : tp->t_keepidle_s) * NSEC_PER_SEC);
	return 0;
}

/* Any number of bytes, as Linux has it; one below 0 is a large one. */
static int
tcp_opt_set_notsent(struct tcpcb *tp, const struct sockopt *sopt)
{
	int value, error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	tp->t_inpcb->inp_notsent_lowat = (uint32_t)value;
	tcp_sndbuf_hold(tp);
	return 0;
}

static int
tcp_opt_set_congctl(struct tcpcb *tp, const struct sockopt *sopt)
{
	char name[TCP_CC_NAMELEN];
	const struct tcp_congctl *cc;

	if (sopt->sopt_size == 0 || sopt->sopt_size >= sizeof(name))
		return EINVAL;
	memcpy(name, sopt->sopt_data, sopt->sopt_size);
	name[sopt->sopt_size] = '\0';
	cc = tcp_congctl_find(name);
	if (cc == NULL)
		return ENOENT;
	if (cc != tp->t_congctl) {
		tp->t_congctl = cc;
		cc->cc_init(tp);
	}
	return 0;
}

/* SO_MAX_PACING_RATE. What was held back goes by the new rate at once. */
static int
tcp_opt_pacing(struct tcpcb *tp, struct sockopt *sopt)
{
	uint64_t rate;
	int error;

	if (!sopt->sopt_set) {
		sockopt_putrate(sopt, tcp_pacing_max(tp));
		return 0;
	}
	error = sockopt_getrate(sopt, &rate);
	if (error == 0)
		error = tcp_pacing_setmax(tp, rate);
	if (error != 0)
		return error;
	if (TCPS_HAVEESTABLISHED(tp->t_state) && tp->t_state != TCPS_TIME_WAIT)
		(void)tcp_output(tp);
	tcp_pacing_trim(tp);
	return 0;
}

static int
tcp_opt_set(struct tcpcb *tp, const struct sockopt *sopt)
{
	switch (sopt->sopt_name) {
	case TCP_NODELAY:
		return tcp_opt_set_push(tp, sopt, TF_NODELAY);
	case TCP_NOPUSH:
		return tcp_opt_set_push(tp, sopt, TF_NOPUSH);
	case TCP_QUICKACK:
		return tcp_opt_set_quickack(tp, sopt);
	case TCP_MAXSEG:
		return tcp_opt_set_maxseg(tp, sopt);
	case TCP_KEEPIDLE:
		return tcp_opt_set_keep(tp, sopt, &tp->t_keepidle_s);
	case TCP_KEEPINTVL:
		return tcp_opt_set_keep(tp, sopt, &tp->t_keepintvl_s);
	case TCP_KEEPINIT:
		return tcp_opt_set_keep(tp, sopt, &tp->t_keepinit_s);
	case TCP_KEEPCNT:
		return tcp_opt_set_count(sopt, &tp->t_keepcnt);
	case TCP_CONGCTL:
		return tcp_opt_set_congctl(tp, sopt);
	case TCP_USER_TIMEOUT:
		return tcp_opt_set_usertimeout(tp, sopt);
	case TCP_DEFER_ACCEPT:
		return tcp_opt_set_defer(tp, sopt);
	case TCP_SYNCNT:
		return tcp_opt_set_count(sopt, &tp->t_syncnt);
	case TCP_LINGER2:
		return tcp_opt_set_linger2(tp, sopt);
	case TCP_WINDOW_CLAMP:
		return tcp_opt_set_winclamp(tp, sopt);
	case TCP_NOTSENT_LOWAT:
		return tcp_opt_set_notsent(tp, sopt);
	case TCP_TIMESTAMP: /* the clock is the stack's */
		return EPERM;
	default:
		return ENOPROTOOPT;
	}
}

static int
tcp_opt_get(const struct tcpcb *tp, struct sockopt *sopt)
{
	switch (sopt->sopt_name) {
	case TCP_NODELAY:
		sockopt_putint(sopt, (tp->t_flags & TF_NODELAY) != 0);
		return 0;
	case TCP_NOPUSH:
		sockopt_putint(sopt, (tp->t_flags & TF_NOPUSH) != 0);
		return 0;
	case TCP_QUICKACK:
		sockopt_putint(sopt, (tp->t_flags & TF_QUICKACK) != 0);
		return 0;
	case TCP_MAXSEG: /* before there is one in use, the one that was asked for */
		sockopt_putint(sopt,
		    (int)(tp->t_state <= TCPS_LISTEN && tp->t_usermss != 0 ? tp->t_usermss
									   : tp->t_maxseg));
		return 0;
	case TCP_KEEPIDLE:
		sockopt_putint(sopt, (int)tp->t_keepidle_s);
		return 0;
	case TCP_KEEPINTVL:
		sockopt_putint(sopt, (int)tp->t_keepintvl_s);
		return 0;
	case TCP_KEEPINIT:
		sockopt_putint(sopt, (int)tp->t_keepinit_s);
		return 0;
	case TCP_KEEPCNT:
		sockopt_putint(sopt, tp->t_keepcnt);
		return 0;
	case TCP_CONGCTL:
		sockopt_put(sopt, tp->t_congctl->cc_name, sizeof(tp->t_congctl->cc_name));
		return 0;
	case TCP_USER_TIMEOUT:
		sockopt_putint(sopt, (int)tp->t_usertimeout_ms);
		return 0;
	case TCP_DEFER_ACCEPT:
		sockopt_putint(sopt, tp->t_defer_s);
		return 0;
	case TCP_SYNCNT:
		sockopt_putint(sopt, tp->t_syncnt != 0 ? tp->t_syncnt : (int)TCP_MAXRXTSHIFT_SYN);
		return 0;
	case TCP_LINGER2:
		sockopt_putint(sopt,
		    tp->t_linger2_s < 0 ? -1 : (int)(tcp_finwait2_ns(tp) / NSEC_PER_SEC));
		return 0;
	case TCP_WINDOW_CLAMP:
		sockopt_putint(sopt,
		    (int)(tp->t_winclamp != 0 ? tp->t_winclamp : TCP_MAXWIN << TCP_MAX_WINSHIFT));
		return 0;
	case TCP_TIMESTAMP:
		sockopt_putint(sopt, (int)tcp_ts_now(tp));
		return 0;
	case TCP_NOTSENT_LOWAT:
		sockopt_putint(sopt, (int)tp->t_inpcb->inp_notsent_lowat);
		return 0;
	case TCP_INFO:
		tcp_info(tp, sopt);
		return 0;
	default:
		return ENOPROTOOPT;
	}
}

/* The network layer's. Another interface (SO_BINDTODEVICE) may take other segments. */
static int
tcp_opt_below(struct inpcb *inp, struct sockopt *sopt)
{
	int error = in_pcb_ctloutput(inp, sopt);

	if (error == 0 && sopt->sopt_set && sopt->sopt_level == SOL_SOCKET &&
	    (inp->inp_flags & INP_CONNECTED) != 0)
		tcp_mss_update(intotcpcb(inp));
	return error;
}

int
tcp_ctloutput(struct socket *so, struct sockopt *sopt)
{
	struct inpcb *inp = so->so_pcb;

	if (inp == NULL)
		return ECONNRESET;
	if (sopt->sopt_level == SOL_SOCKET && sopt->sopt_name == SO_MAX_PACING_RATE)
		return tcp_opt_pacing(intotcpcb(inp), sopt);
	if (sopt->sopt_level != IPPROTO_TCP)
		return tcp_opt_below(inp, sopt);
	return sopt->sopt_set ? tcp_opt_set(intotcpcb(inp), sopt)
			      : tcp_opt_get(intotcpcb(inp), sopt);
}
