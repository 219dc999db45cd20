/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sender's scoreboard (RFC 2018, RFC 6675 §3, §4), and D-SACK as heard (RFC 2883).
 *
 * Theory of operation: t_holes lists what of [snd_una, t_sack_end) no block has covered; the rest
 * of that range is SACKed. Beyond t_sack_end nothing is known. A hole is lost or not as a whole,
 * and has been sent again up to sh_rxmit. Holes are limited for a connection and for the stack:
 * a block that would need one too many is passed over, as if it had not come. SACKed bytes stay in
 * the send buffer until they are acknowledged, for a peer may go back on them.
 */
#include "netinet/tcp_sack.h"
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

static struct tcp_sackhole *
sack_last(const struct tcpcb *tp)
{
	struct tcp_sackhole *sh, *last = NULL;

	LIST_FOREACH(sh, &tp->t_holes, sh_list)
		last = sh;
	return last;
}

/* before NULL: behind all. => NULL: the limits, or memory */
static struct tcp_sackhole *
sack_hole_new(struct tcpcb *tp, struct tcp_sackhole *before, tcp_seq start, tcp_seq end)
{
	struct tcp_state *ts = tp->t_ns->ns_tcp;
	struct tcp_sackhole *sh = NULL, *last;

	if (tp->t_nholes < ts->tcps_sysctl.sack_maxholes &&
	    ts->tcps_holepool.pl_nout < ts->tcps_sysctl.sack_globalmaxholes)
		sh = pool_get_zeroed(&ts->tcps_holepool);
	if (sh == NULL) {
		TCPSTAT_INC(tp->t_ns, sack_sboverflow);
		return NULL;
	}
	sh->sh_start = sh->sh_rxmit = start;
	sh->sh_end = end;
	if (before != NULL)
		LIST_INSERT_BEFORE(before, sh, sh_list);
	else if ((last = sack_last(tp)) != NULL)
		LIST_INSERT_AFTER(last, sh, sh_list);
	else
		LIST_INSERT_HEAD(&tp->t_holes, sh, sh_list);
	tp->t_nholes++;
	return sh;
}

static void
sack_hole_free(struct tcpcb *tp, struct tcp_sackhole *sh)
{
	LIST_REMOVE(sh, sh_list);
	tp->t_nholes--;
	pool_put(&tp->t_ns->ns_tcp->tcps_holepool, sh);
}

void
tcp_sack_clear(struct tcpcb *tp)
{
	struct tcp_sackhole *sh;

	while ((sh = LIST_FIRST(&tp->t_holes)) != NULL)
		sack_hole_free(tp, sh);
	tp->t_sack_end = tp->snd_una;
}

/* The bytes SACKed from base on, at or before which no hole begins. */
static uint32_t
sack_bytes_from(const struct tcpcb *tp, tcp_seq base)
{
	uint32_t bytes = tp->t_sack_end - base;
	const struct tcp_sackhole *sh;

	LIST_FOREACH(sh, &tp->t_holes, sh_list)
		bytes -= sh->sh_end - sh->sh_start;
	return bytes;
}

uint32_t
tcp_sack_bytes(const struct tcpcb *tp)
{
	return sack_bytes_from(tp, tp->snd_una);
}

uint32_t
tcp_pipe(const struct tcpcb *tp)
{
	const struct tcp_sackhole *sh;
	uint32_t pipe;

	if (!tcp_sack_any(tp))
		return tp->snd_nxt - tp->snd_una;
	pipe = SEQ_GT(tp->snd_nxt, tp->t_sack_end) ? tp->snd_nxt - tp->t_sack_end : 0;
	LIST_FOREACH(sh, &tp->t_holes, sh_list) {
		if (!sh->sh_lost)
			pipe += sh->sh_end - sh->sh_start;
		pipe += sh->sh_rxmit - sh->sh_start;
	}
	return pipe;
}

bool
tcp_sack_reneged(const struct tcpcb *tp)
{
	const struct tcp_sackhole *first = LIST_FIRST(&tp->t_holes);

	return tcp_sack_any(tp) && (first == NULL || first->sh_start != tp->snd_una);
}

/* -- what comes in --------------------------------------------------------------------------- */

/* The part of a hole that [start, end) covers is delivered. => false: no memory to split it */
static bool
sack_cover(struct tcpcb *tp, const struct tcp_segment *seg, struct tcp_sackhole *sh, tcp_seq start,
    tcp_seq end)
{
	struct tcp_sackhole *head;

	if (SEQ_GT(start, sh->sh_start) && SEQ_LT(end, sh->sh_end)) {
		head = sack_hole_new(tp, sh, sh->sh_start, start);
		if (head == NULL)
			return false;
		head->sh_lost = sh->sh_lost;
		head->sh_time_us = sh->sh_time_us;
		head->sh_rxmit = seq_min(sh->sh_rxmit, start);
		sh->sh_start = start;
		sh->sh_rxmit = seq_max(sh->sh_rxmit, start);
	}
	tcp_rack_delivered(tp, seg, sh, seq_min(end, sh->sh_end));
	if (SEQ_LEQ(start, sh->sh_start) && SEQ_GEQ(end, sh->sh_end)) {
		sack_hole_free(tp, sh);
		return true;
	}
	if (SEQ_LEQ(start, sh->sh_start))
		sh->sh_start = end;
	else
		sh->sh_end = start;
	sh->sh_rxmit = seq_min(seq_max(sh->sh_rxmit, sh->sh_start), sh->sh_end);
	return true;
}

/* What lies beyond the scoreboard becomes part of it. => false: no memory for the hole before */
static bool
sack_extend(struct tcpcb *tp, const struct tcp_segment *seg, tcp_seq start, tcp_seq end)
{
	if (SEQ_LEQ(end, tp->t_sack_end))
		return true;
	if (SEQ_GT(start, tp->t_sack_end) && sack_hole_new(tp, NULL, tp->t_sack_end, start) == NULL)
		return false;
	tp->t_sack_end = end;
	tp->snd_nxt = seq_max(tp->snd_nxt, end);
	tcp_rack_delivered(tp, seg, NULL, end);
	return true;
}

static void
sack_block(struct tcpcb *tp, const struct tcp_segment *seg, tcp_seq start, tcp_seq end)
{
	struct tcp_sackhole *sh, *next;

	if (!sack_extend(tp, seg, start, end))
		return;
	LIST_FOREACH_SAFE(sh, &tp->t_holes, sh_list, next) {
		if (SEQ_LEQ(sh->sh_end, start) || SEQ_GEQ(sh->sh_start, end))
			continue;
		if (!sack_cover(tp, seg, sh, start, end))
			return;
	}
}

/* RFC 2018 §8, HOSTILE 69: within what is in flight, above the ACK, the right way round. */
static bool
sack_block_sane(const struct tcpcb *tp, const struct tcp_segment *seg, const struct tcp_sackblk *sb)
{
	return SEQ_GT(sb->start, tp->snd_una) && SEQ_GT(sb->start, seg->ts_ack) &&
	    SEQ_LT(sb->start, sb->end) && SEQ_LEQ(sb->end, tp->snd_max);
}

/* RFC 2883 §4: the first block, if it is acknowledged or lies within the second. */
static bool
sack_is_dsack(const struct tcpcb *tp, const struct tcp_segment *seg)
{
	const struct tcp_sackblk *sb = seg->ts_opts.to_sacks;

	if (!SEQ_LT(sb[0].start, sb[0].end) || sb[0].end - sb[0].start > tp->max_sndwnd ||
	    SEQ_LT(sb[0].start, tp->snd_una - tp->max_sndwnd) || SEQ_GT(sb[0].end, tp->snd_max))
		return false;
	if (SEQ_LEQ(sb[0].end, seg->ts_ack))
		return true;
	return seg->ts_opts.to_nsacks > 1 && SEQ_GEQ(sb[0].start, sb[1].start) &&
	    SEQ_LEQ(sb[0].end, sb[1].end);
}

static void
sack_blocks(struct tcpcb *tp, const struct tcp_segment *seg, struct tcp_ackinfo *ai)
{
	const struct tcp_opts *to = &seg->ts_opts;
	unsigned i = 0;

	if ((to->to_flags & TOF_SACK) == 0 || to->to_nsacks == 0)
		return;
	TCPSTAT_INC(tp->t_ns, sack_rcv_blocks);
	if (sack_is_dsack(tp, seg)) {
		TCPSTAT_INC(tp->t_ns, dsack_rcv);
		ai->ai_dsack = true;
		ai->ai_dsack_start = to->to_sacks[0].start;
		ai->ai_dsack_end = to->to_sacks[0].end;
		i = 1;
	}
	for (; i < to->to_nsacks; i++) {
		if (sack_block_sane(tp, seg, &to->to_sacks[i]))
			sack_block(tp, seg, to->to_sacks[i].start, to->to_sacks[i].end);
		else
			TCPSTAT_INC(tp->t_ns, sack_rcv_bad);
	}
}

/* The cumulative ACK moves to ack. */
static void
sack_cumulative(struct tcpcb *tp, const struct tcp_segment *seg)
{
	struct tcp_sackhole *sh;

	while ((sh = LIST_FIRST(&tp->t_holes)) != NULL && SEQ_LT(sh->sh_start, seg->ts_ack))
		(void)sack_cover(tp, seg, sh, sh->sh_start, seg->ts_ack);
	if (SEQ_GT(seg->ts_ack, tp->t_sack_end)) {
		if (tcp_sack_any(tp))
			tcp_rack_delivered(tp, seg, NULL, seg->ts_ack);
		tp->t_sack_end = seg->ts_ack;
	}
}

void
tcp_sack_input(struct tcpcb *tp, const struct tcp_segment *seg, struct tcp_ackinfo *ai)
{
	uint32_t acked, before, after;

	*ai = (struct tcp_ackinfo){0};
	if (SEQ_LT(seg->ts_ack, tp->snd_una))
		return;
	acked = seg->ts_ack - tp->snd_una;
	ai->ai_delivered = acked;
	if (!tcp_has_sack(tp))
		return;
	before = tcp_sack_bytes(tp);
	sack_cumulative(tp, seg);
	after = sack_bytes_from(tp, seg->ts_ack);
	ai->ai_delivered -= before - after; /* those counted when they were SACKed */
	before = after;
	sack_blocks(tp, seg, ai);
	after = sack_bytes_from(tp, seg->ts_ack);
	ai->ai_delivered += after - before;
	ai->ai_sacknews = after > before;
}

/* -- what is lost ---------------------------------------------------------------------------- */

/*
 * IsLost(): three blocks, or more than two segments' bytes, are SACKed above. Once the network is
 * known to reorder, time alone tells (RFC 8985 §6.2).
 */
bool
tcp_sack_mark(struct tcpcb *tp)
{
	const uint32_t sacked = tcp_sack_bytes(tp);
	uint32_t below = 0, blocks = 0;
	tcp_seq end = tp->snd_una;
	struct tcp_sackhole *sh;

	if ((tp->t_flags & TF_REORDERED) == 0) {
		LIST_FOREACH(sh, &tp->t_holes, sh_list) {
			blocks += sh->sh_start != end;
			end = sh->sh_end;
		}
		blocks += end != tp->t_sack_end;
		end = tp->snd_una;
		LIST_FOREACH(sh, &tp->t_holes, sh_list) {
			below += sh->sh_start - end;
			blocks -= sh->sh_start != end;
			end = sh->sh_end;
			if (blocks >= TCP_DUPTHRESH ||
			    sacked - below > (TCP_DUPTHRESH - 1) * tp->t_maxseg)
				sh->sh_lost = true;
		}
	}
	return tcp_sack_next_lost(tp) != NULL;
}

struct tcp_sackhole *
tcp_sack_next_lost(const struct tcpcb *tp)
{
	struct tcp_sackhole *sh;

	LIST_FOREACH(sh, &tp->t_holes, sh_list) {
		if (sh->sh_lost && sh->sh_rxmit != sh->sh_end)
			return sh;
	}
	return NULL;
}

bool
tcp_sack_all_lost(struct tcpcb *tp)
{
	struct tcp_sackhole *sh = sack_last(tp);

	if (sh != NULL && sh->sh_end == tp->t_sack_end) {
		sh->sh_end = tp->snd_max;
	} else if (tp->t_sack_end != tp->snd_max &&
	    sack_hole_new(tp, NULL, tp->t_sack_end, tp->snd_max) == NULL) {
		tcp_sack_clear(tp);
		return false;
	}
	tp->t_sack_end = tp->snd_max;
	LIST_FOREACH(sh, &tp->t_holes, sh_list) {
		sh->sh_lost = true;
		sh->sh_rxmit = sh->sh_start;
	}
	return true;
}

void
tcp_sack_none_lost(struct tcpcb *tp)
{
	struct tcp_sackhole *sh;

	LIST_FOREACH(sh, &tp->t_holes, sh_list) {
		sh->sh_lost = false;
		sh->sh_rxmit = sh->sh_start;
	}
	/* A last hole with nothing SACKed above is no hole. */
	sh = sack_last(tp);
	if (sh != NULL && sh->sh_end == tp->t_sack_end) {
		tp->t_sack_end = sh->sh_start;
		sack_hole_free(tp, sh);
	}
}
