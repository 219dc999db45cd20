/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP's control block. Sequence variables keep RFC 9293's names (§3.3.1). Who may change what:
 * t_state only tcp_set_state (tcp_fsm.c), the congestion window only the algorithm (tcp_congctl.h)
 * and, for a moment, tcp_ack.c; rcv_adv only tcp_window_announce and the arrival of a SYN.
 */
#ifndef NETINET_TCP_PCB_H
#define NETINET_TCP_PCB_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/queue.h"
#include "netinet/tcp_fsm.h"

struct inpcb;
struct mbuf;
struct netstack;
struct tcp_congctl;
struct tcp_pacing;
struct tcp_reass;

typedef uint32_t tcp_seq;

#define TCP_MAXWIN 65535u
#define TCP_MAX_WINSHIFT 14
#define TCP_MSS_DEFAULT 536u  /* RFC 9293 §3.7.1: when the peer names none */
#define TCP_MSS_FLOOR 216u    /* smaller offers are raised to this (net.inet.tcp.minmss) */
#define TCP_PACKET_MAX 65535u /* bytes of a network packet with all its headers */
#define TCP_MAXRXTSHIFT 12u   /* retransmissions before giving up (RFC 9293 §3.8.3, R2) */
#define TCP_NOPUSH_NS (200 * NSEC_PER_MSEC) /* the longest that TCP_NOPUSH holds a segment */
#define TCP_MAXRXTSHIFT_SYN 6u              /* the same for a SYN */
#define TCP_MAXRXTSHIFT_SYNACK 5u

/* Bytes in flight that no SACK block has covered (tcp_sack.c), in order, not overlapping. */
struct tcp_sackhole {
	LIST_ENTRY(tcp_sackhole) sh_list;
	tcp_seq sh_start;
	tcp_seq sh_end;
	tcp_seq sh_rxmit;    /* sent again up to here */
	uint32_t sh_time_us; /* when, the last time */
	bool sh_lost;        /* IsLost() of RFC 6675 §4, or RACK */
};
LIST_HEAD(tcp_sackholeq, tcp_sackhole);

/* When data were sent for the first time (tcp_rack.c): those up to se_end, behind the one before. */
#define TCP_SENDLOG 12u
struct tcp_sendlog {
	tcp_seq se_end;
	uint32_t se_first_us;
	uint32_t se_last_us;
};

/* For undoing a reduction of the window that was not called for (RFC 4015). */
struct tcp_undo {
	uint32_t tu_cwnd;
	uint32_t tu_ssthresh;
	uint32_t tu_ts;    /* our timestamp when the first segment was sent again */
	uint32_t tu_rexmt; /* bytes sent again that no D-SACK has named */
	tcp_seq tu_end;
};

#define TCP_RTTSAMPLES 4u /* so many make an estimate that is worth keeping, as in FreeBSD */
#define TCP_CC_WORDS 10

enum tcp_timer {
	TCPT_REXMT,  /* RFC 6298 */
	TCPT_KEEP,   /* keepalive, and the limit on the handshake */
	TCPT_2MSL,   /* TIME-WAIT, and the limit on FIN-WAIT-2 */
	TCPT_DELACK, /* RFC 9293 §3.8.6.3 */
	TCPT_RACK,   /* RFC 8985: reordering settles, or a tail loss probe is due */
	TCPT_SLOTS, /* those below run instead of one of the above, in its place (tcp_timer_slots) */
	TCPT_PERSIST = TCPT_SLOTS, /* RFC 9293 §3.8.6.1; of TCPT_REXMT */
	TCPT_DEFER, /* a connection without data is accepted all the same; of TCPT_2MSL */
	TCPT_PACE,  /* what pacing holds back is due; of TCPT_2MSL */
	TCPT_COUNT
};

struct tcpcb {
	struct inpcb *t_inpcb;
	struct netstack *t_ns;
	uint32_t t_flags;
	uint8_t t_state;      /* enum tcp_fsm_state, by tcp_set_state only */
	bool t_rtttiming;     /* a segment is being timed (without timestamps) */
	uint16_t t_softerror; /* from ICMP; reported when the connection times out */
	/* The timers (tcp_timer.c): one callout, for the first of them that is due. */
	uint64_t t_deadline_ns[TCPT_SLOTS];
	struct callout t_callout;

	/* send sequence space */
	tcp_seq iss;
	tcp_seq snd_una;
	tcp_seq snd_nxt;
	tcp_seq snd_max; /* highest ever sent + 1 */
	tcp_seq snd_up;  /* urgent pointer */
	tcp_seq snd_wl1;
	tcp_seq snd_wl2;
	uint32_t snd_wnd; /* bytes, scaled */
	uint32_t max_sndwnd;
	uint8_t snd_scale; /* the peer's shift */
	uint8_t rcv_scale; /* ours */
	uint8_t request_r_scale;
	uint8_t t_armed; /* timers, 1 << TCPT_* */

	/* receive sequence space */
	tcp_seq irs;
	tcp_seq rcv_nxt;
	tcp_seq rcv_adv; /* right edge advertised */
	tcp_seq rcv_up;
	tcp_seq last_ack_sent;

	/* segment sizes, bytes of payload */
	uint16_t t_maxseg;   /* what we send at most, options taken off */
	uint16_t t_ourmss;   /* what we announced */
	uint16_t t_peermss;  /* what the peer announced, or the default */
	uint16_t t_usermss;  /* TCP_MAXSEG; 0: none */
	uint16_t t_tsomax;   /* bytes of the largest packet for the interface to cut up */
	uint16_t t_pmtu;     /* from ICMP; 0: the interface's */
	uint16_t t_bhmss;    /* most while a black hole is suspected (tcp_pmtud.c); 0: none is */
	bool t_bhleast;      /* and it is the least: routers may cut up */
	uint32_t t_winclamp; /* TCP_WINDOW_CLAMP; 0: none */

	/* timestamps (RFC 7323) */
	uint32_t ts_recent;
	uint32_t ts_offset;     /* added to our clock, random for each connection */
	uint32_t ts_recent_age; /* when it was set, in units of 2^30 ns */

	/* round-trip time (RFC 6298), microseconds */
	uint32_t t_srtt_us; /* 0: no sample yet */
	uint32_t t_rttvar_us;
	uint32_t t_rto_us;
	uint32_t t_rttmin_us;
	tcp_seq t_rtseq;
	uint8_t t_rttsamples; /* no more than TCP_RTTSAMPLES are counted */
	uint8_t t_rxtshift;   /* log2 backoff of REXMT or PERSIST */
	uint8_t t_keepprobes; /* keepalives without answer */
	uint32_t t_rtstart_us;
	uint64_t t_rxtstart_ns; /* when the present run of retransmissions began */

	/* congestion control (RFC 5681, 6582), bytes */
	const struct tcp_congctl *t_congctl;
	uint32_t snd_cwnd;
	uint32_t snd_ssthresh;
	uint32_t t_bytes_acked;
	tcp_seq snd_recover;
	uint16_t t_dupacks;
	uint8_t t_partialacks;       /* no more than UINT8_MAX are counted */
	uint8_t t_quickacks;         /* as receiver: so many ACKs yet are not delayed */
	uint32_t t_cc[TCP_CC_WORDS]; /* see tcp_congctl.h */
	/* no second reduction for congestion notified before this is acknowledged, with TE_REDUCED */
	tcp_seq t_ecn_recover;
	uint64_t t_lastsend_ns;

	/* SACK, as sender (RFC 6675): of [snd_una, t_sack_end) what lies in no hole is SACKed */
	struct tcp_sackholeq t_holes;
	tcp_seq t_sack_end; /* snd_una: the scoreboard is empty */
	uint32_t t_nholes;
	uint32_t t_rexmtlen;      /* while a piece is sent again: its bytes */
	uint32_t t_prr_delivered; /* RFC 6937 */
	uint32_t t_prr_out;
	uint32_t t_prr_flight; /* RecoverFS */

	/* SACK, as receiver: a duplicate to be told of */
	tcp_seq t_dsack_start; /* equal: none */
	tcp_seq t_dsack_end;

	struct tcp_undo *t_undo; /* with TF_UNDO; else NULL */

	/* RACK-TLP (RFC 8985) */
	struct tcp_sendlog *t_sendlog; /* TCP_SENDLOG of them while data are in flight; else NULL */
	uint8_t t_nsendlog;
	uint8_t t_sendlog_last;
	uint8_t t_rack_mult;     /* RACK.reo_wnd_mult */
	uint8_t t_rack_persist;  /* RACK.reo_wnd_persist */
	uint32_t t_rack_time_us; /* RACK.xmit_ts */
	tcp_seq t_rack_end;      /* RACK.end_seq */
	uint32_t t_rack_rtt_us;  /* RACK.rtt; 0: none yet */
	tcp_seq t_rack_fack;     /* RACK.fack */
	tcp_seq t_rack_round;    /* RACK.dsack_round */
	tcp_seq t_tlp_end;       /* TLP.end_seq, with TF_TLP */
	tcp_seq t_rfbuf_seq;     /* autotuning of the receive buffer: where it was then */

	struct tcp_reass *t_reass;   /* NULL: nothing is out of order */
	struct tcp_pacing *t_pacing; /* NULL: not paced */

	/* keepalive and limits */
	uint32_t t_keepinit_s;
	uint32_t t_keepidle_s;
	uint32_t t_keepintvl_s;
	uint32_t t_usertimeout_ms; /* 0: none of its own */
	uint16_t t_defer_s;        /* TCP_DEFER_ACCEPT; 0: accepted as soon as established */
	int8_t t_linger2_s;        /* TCP_LINGER2; 0: net.inet.tcp.finwait2_timeout */
	uint8_t t_keepcnt;
	uint32_t t_rfbuf_start_us; /* when t_rfbuf_seq was noted; 0: not yet */
	uint64_t t_rcvtime_ns;     /* last segment from the peer */

	/* urgent data */
	uint8_t t_oobflags;
	uint8_t t_iobc;
	uint8_t t_syncnt; /* TCP_SYNCNT; 0: as keepinit has it */
	uint8_t t_ecn;    /* TE_*; explicit congestion notification (tcp_ecn.c) */

	/* challenge ACKs (RFC 5961 §7), per connection */
	uint32_t t_challenge_start_ms;
	uint16_t t_challenge_count;
	uint16_t t_challenge_limit;
	uint32_t t_oowack_ms; /* last ACK for an out-of-window segment, with TF_OOWACKED */

	/* counts for TCP_INFO */
	uint64_t t_sndbytes;
	uint64_t t_rcvbytes;
	uint64_t t_rexmtbytes;
	uint32_t t_sndrexmitpack;
	uint32_t t_rcvoopack;
};

/* t_flags */
#define TF_ACKNOW 0x0001  /* ACK at once */
#define TF_DELACK 0x0002  /* ACK owed */
#define TF_NODELAY 0x0004 /* no Nagle */
#define TF_SENTFIN 0x0008
#define TF_REQ_SCALE 0x0010
#define TF_RCVD_SCALE 0x0020
#define TF_REQ_TSTMP 0x0040
#define TF_RCVD_TSTMP 0x0080
#define TF_SACK_PERMIT 0x0100
#define TF_MORETOCOME 0x0200 /* the socket layer has more in hand */
#define TF_FASTRECOVERY 0x0400
#define TF_FORCE 0x0800 /* persist: send one byte into a closed window */
#define TF_NEEDOUTPUT 0x1000
#define TF_SYN_REXMT 0x2000
#define TF_LASTIDLE 0x4000
#define TF_OOWACKED 0x8000
#define TF_RCVDFIN 0x10000 /* the peer's FIN is in sequence */
#define TF_NEEDFIN 0x20000 /* closed in SYN-RECEIVED: FIN-WAIT-1 once established */
#define TF_RWAKEUP 0x40000 /* input: sorwakeup is owed at the end of the segment */
#define TF_WWAKEUP 0x80000 /* input: sowwakeup likewise */

#define TF_RESCUED 0x100000   /* RFC 6675: the rescue retransmission of this recovery is spent */
#define TF_UNDO 0x200000      /* t_undo holds */
#define TF_EIFEL 0x400000     /* and the next ACK's timestamp tells (RFC 3522) */
#define TF_UNDO_LAST 0x800000 /* recovery is over; D-SACKs are still awaited up to tu_end */
#define TF_REORDERED 0x1000000
#define TF_DSACK_ROUND 0x2000000 /* t_rack_round holds */
#define TF_TLP 0x4000000         /* a tail loss probe is under way */
#define TF_TLP_REXMT 0x8000000   /* and it was sent before */
#define TF_TLP_ARMED 0x10000000  /* TCPT_RACK is a probe's */
#define TF_REQ_SACK 0x20000000   /* offered, or to be */
#define TF_NOPUSH 0x40000000     /* only full segments, for at most TCP_NOPUSH_NS */
#define TF_QUICKACK 0x80000000   /* no ACK is delayed */

/* t_ecn */
#define TE_ASKED 0x01 /* by our SYN */
#define TE_PERMIT 0x02
#define TE_SND_ECE 0x04 /* say so in every ACK */
#define TE_SND_CWR 0x08 /* with the next new data */
#define TE_REDUCED 0x10

#define TCPOOB_HAVEDATA 0x01
#define TCPOOB_HADDATA 0x02
#define TCPOOB_PENDING 0x04 /* the byte before rcv_up has not arrived yet */

#endif /* NETINET_TCP_PCB_H */
