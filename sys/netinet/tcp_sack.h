/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Selective acknowledgments, loss recovery with them, and RACK-TLP: what these files share among
 * themselves and with tcp_ack.c, tcp_output.c and tcp_timer.c. RFC 2018, 2883, 6675, 6937, 8985.
 */
#ifndef NETINET_TCP_SACK_H
#define NETINET_TCP_SACK_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_var.h"

#define TCP_DUPTHRESH 3u /* RFC 5681 §3.2 */

/* What one ACK said. */
struct tcp_ackinfo {
	uint32_t ai_delivered; /* bytes that it is the first to name (RFC 6937 §3, DeliveredData) */
	bool ai_sacknews;      /* a block covered bytes for the first time */
	bool ai_dsack;
	tcp_seq ai_dsack_start;
	tcp_seq ai_dsack_end;
};

static inline bool
tcp_has_sack(const struct tcpcb *tp)
{
	return (tp->t_flags & TF_SACK_PERMIT) != 0;
}

/* Has the scoreboard anything in it? */
static inline bool
tcp_sack_any(const struct tcpcb *tp)
{
	return tp->t_sack_end != tp->snd_una;
}

static inline uint32_t
tcp_now_us(const struct tcpcb *tp)
{
	return (uint32_t)(tp->t_ns->ns_now / NSEC_PER_USEC);
}

/* tcp_sack.c: the scoreboard */
/*
 * Takes the ACK and the blocks of a segment, before snd_una moves.
 * => blocks that cannot be true are passed over (RFC 2018 §8, HOSTILE: sanity of blocks)
 */
void tcp_sack_input(struct tcpcb *tp, const struct tcp_segment *seg, struct tcp_ackinfo *ai);
void tcp_sack_clear(struct tcpcb *tp);
uint32_t tcp_sack_bytes(const struct tcpcb *tp);
/* Bytes in flight (RFC 6675 §4, SetPipe). Without a scoreboard: SND.NXT - SND.UNA. */
uint32_t tcp_pipe(const struct tcpcb *tp);
/* Marks what RFC 6675 §4 calls lost. => there is something to be sent again */
bool tcp_sack_mark(struct tcpcb *tp);
/* The first hole that is lost and not sent again to its end; NULL: none. */
struct tcp_sackhole *tcp_sack_next_lost(const struct tcpcb *tp);
/* Everything that is not SACKed is lost. => false: no memory; the scoreboard is empty */
bool tcp_sack_all_lost(struct tcpcb *tp);
/* Nothing is lost after all. */
void tcp_sack_none_lost(struct tcpcb *tp);
/* Has the peer acknowledged up to something it had SACKed, and not that (RFC 2018 §8)? */
bool tcp_sack_reneged(const struct tcpcb *tp);

/* tcp_sackgen.c: the receiver's blocks */
/* Data from seq on were queued out of order. */
void tcp_sackgen_note(struct tcpcb *tp, tcp_seq seq);
/* RFC 2883: these came twice. */
void tcp_sackgen_dup(struct tcpcb *tp, tcp_seq start, tcp_seq end);
/* Bytes that the SACK option will take in the next segment, with padding. */
uint32_t tcp_sackgen_optlen(const struct tcpcb *tp);
/* Adds the blocks to the options of a segment; a duplicate is told of once. */
void tcp_sackgen_emit(struct tcpcb *tp, struct tcp_opts *to);

/* tcp_recovery.c */
/* After an ACK was taken, SACK connections: losses, recovery, the window by PRR. */
void tcp_recovery_ack(struct tcpcb *tp, const struct tcp_segment *seg,
    const struct tcp_ackinfo *ai);
/* RACK or RFC 6675 has marked something: begins recovery unless one is on. */
void tcp_recovery_check(struct tcpcb *tp);
/* Keeps what tcp_undo_check may restore, if there is memory; call before the window is reduced. */
void tcp_undo_save(struct tcpcb *tp);
void tcp_undo_forget(struct tcpcb *tp);
/* So much was sent again. */
void tcp_undo_resent(struct tcpcb *tp, uint32_t len);
/* RFC 3522 and RFC 3708: was it all in vain? Then the window is as before (RFC 4015). */
void tcp_undo_check(struct tcpcb *tp, const struct tcp_segment *seg, const struct tcp_ackinfo *ai);
/* RFC 6675 §4 NextSeg (1): sends what is lost again, as far as the window lets it. */
void tcp_recovery_send_lost(struct tcpcb *tp);
/* The first segment that is lost, whatever the window; pacing may hold it back, but then it is owed. */
void tcp_recovery_send_first(struct tcpcb *tp);
/* NextSeg (3) and (4), when there is no new data. */
void tcp_recovery_send_rest(struct tcpcb *tp);

/* tcp_rack.c */
/* New data up to end are handed down. */
void tcp_rack_sent(struct tcpcb *tp, tcp_seq end);
/* Nothing is in flight any more, or it is of no concern: what was kept of it goes. */
void tcp_rack_idle(struct tcpcb *tp);
/* Bytes up to end are delivered. hole: where they were, NULL beyond the scoreboard. */
void tcp_rack_delivered(struct tcpcb *tp, const struct tcp_segment *seg,
    const struct tcp_sackhole *hole, tcp_seq end);
/* RFC 8985 §6.2 (5): marks by time; arms the timer for what may yet be reordering. */
void tcp_rack_detect(struct tcpcb *tp);
void tcp_rack_dsack(struct tcpcb *tp);
void tcp_rack_recovered(struct tcpcb *tp);
void tcp_rack_timer(struct tcpcb *tp);
/* RFC 8985 §7.2: a probe when nothing is heard of the last segments. */
void tcp_tlp_schedule(struct tcpcb *tp);
/* RFC 8985 §7.4 */
void tcp_tlp_ack(struct tcpcb *tp, const struct tcp_segment *seg, const struct tcp_ackinfo *ai);

/* tcp_ack.c: the first segment that is not acknowledged, as tcp_recovery_send_first, without SACK. */
void tcp_retransmit_head(struct tcpcb *tp);

/* tcp_output.c */
/*
 * Sends [seq, seq+len) again, at most one packet, not beyond the peer's window and not before its time.
 * => bytes of sequence space that left
 */
uint32_t tcp_output_again(struct tcpcb *tp, tcp_seq seq, uint32_t len);
/* One segment of new data whatever the congestion window. => false: there is none */
bool tcp_output_one(struct tcpcb *tp);

#endif /* NETINET_TCP_SACK_H */
