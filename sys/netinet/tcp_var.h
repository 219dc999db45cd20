/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments, verdicts, what TCP keeps for a stack, and the functions by which its files reach each
 * other. The control block is in tcp_pcb.h.
 *
 * The state machine is in tcp_fsm.[ch], input in tcp_input.c (which hands out to tcp_handshake.c,
 * tcp_steps.c, tcp_ack.c, tcp_reass.c, tcp_timewait.c), output in tcp_output.c, timers in tcp_timer.c,
 * round-trip times in tcp_rtt.c, losses and SACK behind tcp_sack.h, congestion control behind
 * tcp_congctl.h, requests in tcp_usrreq.c, options in tcp_sockopt.c, set-up in tcp_init.c.
 */
#ifndef NETINET_TCP_VAR_H
#define NETINET_TCP_VAR_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/drop.h"
#include "kern/pool.h"
#include "kern/queue.h"
#include "kern/sysctl.h"
#include "netinet/in_pcb.h"
#include "netinet/tcp_fsm.h"
#include "netinet/tcp_pcb.h"
#include "netinet/tcp_reass.h"
#include "netinet/tcp_stat.h"
#include "netinet/tcp_syncache.h"
#include "netinet/tcp_timewait.h"
#include "wire/tcp.h"

struct mbuf;
struct netstack;
struct pr_usrreqs;
struct socket;
struct sockopt;
struct tcp_congctl;

/* One received segment, parsed once. Sequence fields are host order; trimmed as steps go on. */
struct tcp_segment {
	const struct in_rxinfo *ts_rx;
	struct mbuf *ts_m; /* payload only, once headers are stripped; NULL when consumed */
	tcp_seq ts_seq;
	tcp_seq ts_ack;
	uint32_t ts_len;    /* payload bytes, without SYN and FIN */
	tcp_seq ts_wireseq; /* ts_seq and ts_len before anything was trimmed */
	uint32_t ts_wirelen;
	uint32_t ts_win; /* as on the wire, not scaled */
	uint16_t ts_urp;
	uint16_t ts_sport;
	uint16_t ts_dport;
	uint8_t ts_flags;  /* TH_* */
	bool ts_reopens;   /* a SYN to which a connection in TIME-WAIT gave way */
	tcp_seq ts_oldnxt; /* whose SND.NXT was this */
	struct tcp_opts ts_opts;
};

/* What becomes of a segment: filled in by the steps, carried out by tcp_verdict_apply alone. */
enum tcp_disposition {
	TCP_CONTINUE,       /* go on with the next step (never reaches tcp_verdict_apply) */
	TCP_DONE,           /* taken; output if TV_OUTPUT */
	TCP_DROP,           /* dropped for tv_drop */
	TCP_DROP_ACK,       /* dropped, answered with an ACK */
	TCP_DROP_CHALLENGE, /* dropped, answered with a rate-limited challenge ACK (RFC 5961) */
	TCP_DROP_RST,       /* dropped, answered with a RST (RFC 9293 §3.5.2) */
	TCP_RETRY, /* TIME-WAIT gave way, or a handshake is done: look the segment up again */
	TCP_DISPOSITION_COUNT
};

#define TV_OUTPUT 0x01 /* call tcp_output afterwards */
#define TV_ACKNOW 0x02 /* with an ACK at once */
#define TV_CLOSED 0x04 /* the tcpcb was freed in the step: do not touch it */

struct tcp_verdict {
	enum tcp_disposition tv_what;
	enum drop_reason tv_drop;
	uint8_t tv_flags;
	struct syncache *tv_sc; /* the handshake that answers in its listener's stead; else NULL */
	struct tcptw *tv_tw;    /* the record that does; else NULL */
};

struct tcp_state {
	struct netstack *tcps_ns;
	struct inpcbtable tcps_table;
	struct pool tcps_tcpcbpool;
	struct pool tcps_reassqpool;
	struct pool tcps_reasspool;
	struct pool tcps_holepool;
	struct pool tcps_undopool;
	struct pool tcps_sendlogpool;
	struct pool tcps_pacingpool;
	uint8_t tcps_isskey[16]; /* RFC 6528 */
	uint8_t tcps_tskey[16];
	struct tcp_timewait tcps_timewait;
	struct tcp_syncache tcps_syncache;
	bool tcps_nopredict; /* for tests: no header prediction, every segment takes all steps */
	uint64_t tcps_stat[TCPSTAT_COUNT];
	struct sysctl_table tcps_stat_sysctls;
	struct sysctl_table tcps_sysctls;
	/* net.inet.tcp.*: FreeBSD's names and meanings */
	struct {
		uint32_t sendspace;
		uint32_t recvspace;
		uint32_t sendbuf_auto;
		uint32_t sendbuf_max;
		uint32_t sendbuf_inc;
		uint32_t recvbuf_auto;
		uint32_t recvbuf_max;
		uint32_t mssdflt;
		uint32_t minmss;
		uint32_t rfc1323; /* window scaling and timestamps offered */
		uint32_t delayed_ack;
		uint32_t delacktime_ms;
		uint32_t msl_ms;
		uint32_t rexmit_min_ms;
		uint32_t rexmit_initial_ms;
		uint32_t keepinit_ms;
		uint32_t keepidle_ms, keepintvl_ms;
		uint32_t keepcnt;
		uint32_t always_keepalive;
		uint32_t finwait2_timeout_ms;
		uint32_t persmin_ms, persmax_ms;
		uint32_t maxorphans;        /* most connections without a descriptor */
		uint32_t maxtcptw;          /* most connections in TIME-WAIT */
		uint32_t reass_maxqueuelen; /* segments a connection */
		uint32_t blackhole;
		uint32_t initcwnd_segments;
		uint32_t insecure_rst;
		uint32_t ack_war_timewindow_ms; /* challenge ACKs are counted over this */
		uint32_t ack_war_cnt;
		uint32_t synlimit; /* most half-open connections of a listener */
		uint32_t syncache_bucketlimit;
		uint32_t syncache_cachelimit;
		uint32_t syncache_rexmtlimit; /* a SYN,ACK is sent again as often */
		uint32_t syncache_rst_on_sock_fail;
		uint32_t syncookies; /* when the cache is full */
		uint32_t syncookies_only;
		uint32_t tso;
		uint32_t sack_enable;
		uint32_t sack_maxholes;       /* of a connection's scoreboard */
		uint32_t sack_globalmaxholes; /* of all */
		uint32_t tlp;
		uint32_t pacing; /* of connections to come */
		uint32_t pmtud_blackhole_detection;
		uint32_t pmtud_blackhole_mss;
		uint32_t ecn_enable;     /* 0: no; 1: asked for and granted; 2: granted */
		uint32_t ecn_maxretries; /* SYNs that ask */
		char cc_algorithm[16];   /* of new sockets; TCP_CC_NAMELEN */
	} tcps_sysctl;
};

static inline struct tcpcb *
intotcpcb(struct inpcb *inp)
{
	return inp->inp_ppcb;
}

/* tcp_usrreq.c, tcp_subr.c */
extern const struct pr_usrreqs tcp_usrreqs;
int tcp_ctloutput(struct socket *so, struct sockopt *sopt);
/* tcp_info.c: fills a get of TCP_INFO. */
void tcp_info(const struct tcpcb *tp, struct sockopt *sopt);
int tcp_init(struct netstack *ns);
void tcp_fini(struct netstack *ns);
/* => NULL: no memory. The tcpcb is CLOSED. */
struct tcpcb *tcp_newtcpcb(struct inpcb *inp);
/* Ends the connection: error to the socket, RST to the peer if synchronised. Frees; => NULL. */
struct tcpcb *tcp_drop(struct tcpcb *tp, int error);
/* To CLOSED: stops timers, frees queues and the pcb, tells the socket. Frees; => NULL. */
struct tcpcb *tcp_close(struct tcpcb *tp);
/* Frees tp, its queues and its pcb, and no more. => the state and the socket have been seen to */
void tcp_discardcb(struct tcpcb *tp);
/* The user closes: next state on the way down. => NULL: freed (LISTEN, SYN-SENT, CLOSED). */
struct tcpcb *tcp_usrclosed(struct tcpcb *tp);
/* A keyed hash of a connection's endpoints. */
uint64_t tcp_hash_endpoints(const uint8_t key[16], const struct in_endpoint *local,
    const struct in_endpoint *foreign);
/* RFC 6528: 4 microsecond clock + keyed hash of the endpoints. */
tcp_seq tcp_iss(struct netstack *ns, const struct in_endpoint *local,
    const struct in_endpoint *foreign);
tcp_seq tcp_new_iss(struct tcpcb *tp);
/* What is added to our timestamp clock. */
uint32_t tcp_ts_offset(struct netstack *ns, const struct in_endpoint *local,
    const struct in_endpoint *foreign);
/* Our timestamp clock (1 ms) with the connection's offset. */
uint32_t tcp_ts_now(const struct tcpcb *tp);
/* MSS: what we announce, by the interface; what we use, after options and the path's MTU. */
uint32_t tcp_mss_local(const struct inpcb *inp, const struct in_afops *af,
    const struct in_addrany *faddr, uint32_t usermss);
uint32_t tcp_mss_offer(struct tcpcb *tp);
void tcp_mss_update(struct tcpcb *tp);
/* Our shift, from the largest buffer that the socket (or NULL) may get. */
uint8_t tcp_window_scale(const struct netstack *ns, const struct socket *so);
/* Buffers and window scale for a connection about to start. */
void tcp_window_setup(struct tcpcb *tp);
/*
 * A segment without data from no connection or for one: RST or ACK. m (borrowed, or NULL) gave the
 * addresses in rx; tp may be NULL.
 */
struct tcp_response {
	tcp_seq seq;
	tcp_seq ack;
	uint8_t flags;
};
void tcp_respond(struct netstack *ns, struct tcpcb *tp, const struct tcp_segment *seg,
    const struct tcp_response *resp);
void tcp_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci);

/* tcp_input.c */
void tcp_input(struct mbuf *m, const struct in_rxinfo *rx);
/* Is there a connection, a handshake or, for a SYN, a listener that m (borrowed) is for? */
bool tcp_owns(const struct mbuf *m, const struct in_rxinfo *rx);
struct tcp_verdict tcp_segment_arrives(struct tcpcb *tp, struct tcp_segment *seg);
void tcp_verdict_apply(struct netstack *ns, struct tcpcb *tp, struct tcp_segment *seg,
    struct tcp_verdict tv);

/* tcp_handshake.c: RFC 9293 §3.10.7.1-4 for the states before ESTABLISHED */
struct tcp_verdict tcp_in_closed(struct tcpcb *tp, struct tcp_segment *seg);
struct tcp_verdict tcp_in_listen(struct tcpcb *tp, struct tcp_segment *seg);
/*
 * A connection of the listener head with the endpoints of the segment, seen from us, still CLOSED, its
 * socket on so_q0. => NULL: no room among the accepted, or no memory
 */
struct tcpcb *tcp_spawn(struct tcpcb *head, const struct tcp_segment *seg);
struct tcp_verdict tcp_in_syn_sent(struct tcpcb *tp, struct tcp_segment *seg);

/* tcp_steps.c: RFC 9293 §3.10.7.4, in its order */
struct tcp_verdict tcp_step_seq(struct tcpcb *tp, struct tcp_segment *seg);
struct tcp_verdict tcp_step_rst(struct tcpcb *tp, struct tcp_segment *seg);
struct tcp_verdict tcp_step_syn(struct tcpcb *tp, struct tcp_segment *seg);
struct tcp_verdict tcp_step_ack(struct tcpcb *tp, struct tcp_segment *seg); /* tcp_ack.c */
struct tcp_verdict tcp_step_urg(struct tcpcb *tp, struct tcp_segment *seg);
struct tcp_verdict tcp_step_text(struct tcpcb *tp, struct tcp_segment *seg);
struct tcp_verdict tcp_step_fin(struct tcpcb *tp, struct tcp_segment *seg);

/* tcp_output.c */
/* Sends what the state, windows and RFC 9293 §3.8 allow. => errno of the network layer. */
int tcp_output(struct tcpcb *tp);
/* The window to announce, in bytes, before scaling (silly window avoidance on the receiver's side). */
uint32_t tcp_receive_window(const struct tcpcb *tp);
/* Bytes that may still come, by the buffer and TCP_WINDOW_CLAMP. => there is a socket */
uint32_t tcp_receive_space(const struct tcpcb *tp);
void tcp_setpersist(struct tcpcb *tp);
/* The window field for a segment with these flags that announces win bytes. Moves rcv_adv. */
uint16_t tcp_window_announce(struct tcpcb *tp, uint8_t flags, uint32_t win);
/*
 * Puts header and options before the payload m (a packet; may be empty) and hands it down; more
 * than segsz bytes are left to be segmented. Fills in th_off and th_sum. Consumes m.
 * => ENOBUFS and what af_output says.
 */
int tcp_transmit(struct mbuf *m, const struct in_afops *af, const struct in_txinfo *tx,
    struct tcp_hdr *th, const struct tcp_opts *to, uint16_t segsz);

/* tcp_timer.c */
void tcp_timers_init(struct tcpcb *tp);
void tcp_timers_stop(struct tcpcb *tp);
/* => what shares its place with `which` runs no more */
void tcp_timer_arm(struct tcpcb *tp, enum tcp_timer which, uint64_t delay_ns);
void tcp_timer_disarm(struct tcpcb *tp, enum tcp_timer which);
bool tcp_timer_isarmed(const struct tcpcb *tp, enum tcp_timer which);
/* A segment came: the keepalive starts over. */
void tcp_keepalive_restart(struct tcpcb *tp);

/* tcp_ecn.c: RFC 3168 */
/* What is added to the flags of a SYN, or SYN,ACK. */
uint8_t tcp_ecn_syn_flags(struct tcpcb *tp, uint8_t flags);
/* A SYN, or SYN,ACK, of the peer: is it agreed upon? */
void tcp_ecn_syn_received(struct tcpcb *tp, const struct tcp_segment *seg);
/* Has the segment nothing to say of congestion? */
bool tcp_ecn_isquiet(const struct tcpcb *tp, const struct tcp_segment *seg);
/* Marks and echoes of an acceptable segment; may reduce the window. => before snd_una moves */
void tcp_ecn_input(struct tcpcb *tp, const struct tcp_segment *seg);
/* What is added to the flags of any segment but a SYN or RST. */
uint8_t tcp_ecn_ack_flags(const struct tcpcb *tp);
/* The same for new data, whose *tos becomes capable. => a CWR is for one segment only */
uint8_t tcp_ecn_data_flags(struct tcpcb *tp, uint8_t *tos);

/* tcp_pmtud.c: the retransmission timer has run out: lowers the segment size, or undoes that. */
void tcp_pmtud_timeout(struct tcpcb *tp);

/* tcp_hostcache.c: RFC 9040 */
/* The connection begins with what is known of its path. => the handshake's round trip is in */
void tcp_metrics_use(struct tcpcb *tp);
/* It is over: others may begin with what it has found out. */
void tcp_metrics_keep(const struct tcpcb *tp);

/* tcp_rtt.c: RFC 6298 */
void tcp_rtt_init(struct tcpcb *tp);
void tcp_rtt_sample(struct tcpcb *tp, uint32_t rtt_us);
/* The retransmission time-out with backoff applied, in ns. */
uint64_t tcp_rto_ns(const struct tcpcb *tp);
/* Until the retransmission timer is to run out: the RTO, or the end of the user's patience. */
uint64_t tcp_rexmt_delay_ns(const struct tcpcb *tp);
uint64_t tcp_patience_ns(const struct tcpcb *tp); /* UINT64_MAX: it has no end */

/* tcp_sockbuf.c: autotuning of both buffers */
void tcp_sndbuf_autotune(struct tcpcb *tp);
void tcp_sndbuf_hold(struct tcpcb *tp); /* TCP_NOTSENT_LOWAT */
void tcp_rcvbuf_autotune(struct tcpcb *tp, uint32_t newbytes);

#endif /* NETINET_TCP_VAR_H */
