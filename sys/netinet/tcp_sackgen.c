/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiver's SACK blocks (RFC 2018 §4) and D-SACK (RFC 2883 §4). The blocks are read off the
 * reassembly queue when a segment is built; all that is kept besides is in which order they were
 * last added to, so that the newest is named first.
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

#include <string.h>

/* Only the first duplicate of what came since the last ACK is told of. */
void
tcp_sackgen_dup(struct tcpcb *tp, tcp_seq start, tcp_seq end)
{
	if (!tcp_has_sack(tp) || tp->t_dsack_start != tp->t_dsack_end || start == end)
		return;
	tp->t_dsack_start = start;
	tp->t_dsack_end = end;
}

/* The run of queued data that seq lies in. => false: none, it was delivered meanwhile */
static bool
sackgen_run(const struct tcpcb *tp, tcp_seq seq, struct tcp_sackblk *sb)
{
	const struct tcp_reass_seg *tq;

	*sb = (struct tcp_sackblk){.start = seq, .end = seq};
	for (tq = tcp_reass_first(tp); tq != NULL; tq = TAILQ_NEXT(tq, tq_list)) {
		if (tq->tq_seq != sb->end || sb->start == sb->end) {
			if (SEQ_GT(tq->tq_seq, seq))
				break;
			sb->start = tq->tq_seq;
		}
		sb->end = tq->tq_seq + tq->tq_len;
	}
	return seq_within(seq, sb->start, sb->end - sb->start);
}

/* Those that lie in the same block, or were delivered, are forgotten for the new one. */
void
tcp_sackgen_note(struct tcpcb *tp, tcp_seq seq)
{
	tcp_seq kept[TCP_RCVSACKS] = {seq};
	struct tcp_reass *tr = tp->t_reass;
	struct tcp_sackblk sb;
	uint8_t n = 1;

	if (!tcp_has_sack(tp) || !sackgen_run(tp, seq, &sb))
		return;
	for (uint32_t i = 0; i < tr->tr_nsacks && n < TCP_RCVSACKS; i++) {
		const tcp_seq old = tr->tr_sacks[i];

		if (SEQ_GEQ(old, tp->rcv_nxt) && !seq_within(old, sb.start, sb.end - sb.start))
			kept[n++] = old;
	}
	memcpy(tr->tr_sacks, kept, sizeof(kept));
	tr->tr_nsacks = n;
}

/* Adds a block unless it is there. */
static void
sackgen_add(struct tcp_opts *to, const struct tcp_sackblk *sb, unsigned first)
{
	for (unsigned i = first; i < to->to_nsacks; i++) {
		if (to->to_sacks[i].start == sb->start)
			return;
	}
	if (to->to_nsacks < TCP_NSACKS_MAX)
		to->to_sacks[to->to_nsacks++] = *sb;
}

/* The blocks in the order of RFC 2018 §4, at most most; D-SACK before all. */
static void
sackgen_blocks(const struct tcpcb *tp, struct tcp_opts *to, unsigned most)
{
	const struct tcp_reass *tr = tp->t_reass;
	struct tcp_sackblk sb;
	unsigned first = 0;

	to->to_nsacks = 0;
	if (tp->t_dsack_start != tp->t_dsack_end) {
		sb = (struct tcp_sackblk){.start = tp->t_dsack_start, .end = tp->t_dsack_end};
		sackgen_add(to, &sb, 0);
		first = 1;
		/* Within a block: that one must follow (RFC 2883 §4). */
		if (sackgen_run(tp, tp->t_dsack_start, &sb))
			sackgen_add(to, &sb, first);
	}
	for (uint32_t i = 0; tr != NULL && i < tr->tr_nsacks; i++) {
		if (sackgen_run(tp, tr->tr_sacks[i], &sb))
			sackgen_add(to, &sb, first);
	}
	to->to_nsacks = (uint8_t)KERN_MIN(to->to_nsacks, most);
}

/* RFC 2018 §3: three blocks beside timestamps, else four. */
static unsigned
sackgen_most(const struct tcpcb *tp)
{
	return (tp->t_flags & TF_RCVD_TSTMP) != 0 ? TCP_NSACKS_MAX - 1 : TCP_NSACKS_MAX;
}

static bool
sackgen_due(const struct tcpcb *tp)
{
	return tcp_has_sack(tp) && (tp->t_reass != NULL || tp->t_dsack_start != tp->t_dsack_end);
}

uint32_t
tcp_sackgen_optlen(const struct tcpcb *tp)
{
	struct tcp_opts to;

	if (!sackgen_due(tp))
		return 0;
	sackgen_blocks(tp, &to, sackgen_most(tp));
	if (to.to_nsacks == 0)
		return 0;
	return 2 + TCPOLEN_SACK_HDR + to.to_nsacks * (uint32_t)TCPOLEN_SACK_BLOCK;
}

void
tcp_sackgen_emit(struct tcpcb *tp, struct tcp_opts *to)
{
	if (!sackgen_due(tp))
		return;
	sackgen_blocks(tp, to, sackgen_most(tp));
	if (to->to_nsacks == 0)
		return;
	to->to_flags |= TOF_SACK;
	tp->t_dsack_start = tp->t_dsack_end;
	TCPSTAT_INC(tp->t_ns, sack_send_blocks);
}
