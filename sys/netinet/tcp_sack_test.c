/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SACK segment by segment: what is offered, the blocks that a receiver names (RFC 2018, RFC 2883),
 * the sender's scoreboard and what it makes of true, false and hostile blocks (RFC 6675, HOSTILE
 * 62, 68, 69), time-outs and reneging, and the undoing of needless reductions (RFC 3522, 3708).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "kern/sysctl.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_inspect.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_testutil.h"

#define MS 1000000ull
#define MSS 1460u
#define STAT_OF(tt, name) ((tt)->tt_ns->ns_tcp->tcps_stat[TCPSTAT_##name])

static uint8_t bytes[64 * 1024];

static struct tcpcb *
start(struct tcp_test *tt, bool ts)
{
	tcp_test_start(tt);
	tt->tt_ts = ts;
	tt->tt_sack = true;
	struct tcpcb *tp = tcp_test_in_state(tt, TCPS_ESTABLISHED);
	assert_true(tcp_has_sack(tp));
	return tp;
}

/* -- what is offered ------------------------------------------------------------------------- */

/* RFC 2018 §2: offered in a SYN, granted only to who offered. */
static void
test_permitted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		const bool ours = i & 1, theirs = i & 2;
		struct tcp_test tt;
		const struct tcp_test_out *out;

		tcp_test_start(&tt);
		tt.tt_sack = theirs;
		tt.tt_ns->ns_tcp->tcps_sysctl.sack_enable = ours;
		if (i & 4) {
			struct tcp_test_seg seg;

			(void)tcp_test_in_state(&tt, TCPS_LISTEN);
			seg = tcp_test_seg(&tt, TH_SYN);
			seg.th.th_seq = TT_PEERISS;
			tcp_test_input(&tt, &seg);
		} else {
			(void)tcp_test_in_state(&tt, TCPS_SYN_SENT);
			tcp_test_advance(&tt, 1100 * MS);
		}
		out = tcp_test_sent(&tt);
		assert_non_null(out);
		assert_int_equal((out->opts.to_flags & TOF_SACKPERM) != 0,
		    (i & 4) ? ours && theirs : ours);
		tcp_test_end(&tt);
	}
}

/* -- the receiver ---------------------------------------------------------------------------- */

/* Data of the peer at off from rcv_nxt at the start. => the ACK that it made, NULL: none */
static const struct tcp_test_out *
data(struct tcp_test *tt, uint32_t off, uint32_t len)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, TH_ACK);

	tcp_test_forget(tt);
	seg.th.th_seq += off;
	seg.len = len;
	seg.data = bytes;
	tcp_test_input(tt, &seg);
	return tcp_test_sent(tt);
}

/* The blocks of an ACK are these pairs of offsets, in that order. */
static void
blocks_are(struct tcp_test *tt, const struct tcp_test_out *out, unsigned n, const uint32_t *want)
{
	assert_non_null(out);
	assert_int_equal((out->opts.to_flags & TOF_SACK) != 0, n > 0);
	assert_int_equal(out->opts.to_nsacks, n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(out->opts.to_sacks[i].start - tt->tt_peernxt, want[2 * i]);
		assert_int_equal(out->opts.to_sacks[i].end - tt->tt_peernxt, want[2 * i + 1]);
	}
}
#define BLOCKS(out, ...) \
	blocks_are(&tt, out, sizeof((uint32_t[]){__VA_ARGS__}) / 8, (const uint32_t[]){__VA_ARGS__})

/* RFC 2018 §4: the block of the segment that caused the ACK first, then the most recent. */
static void
test_blocks(void **state)
{
	(void)state;
	for (int ts = 0; ts < 2; ts++) {
		struct tcp_test tt;

		(void)start(&tt, ts);
		BLOCKS(data(&tt, 100, 100), 100, 200);
		BLOCKS(data(&tt, 300, 100), 300, 400, 100, 200);
		BLOCKS(data(&tt, 500, 100), 500, 600, 300, 400, 100, 200);
		if (ts) /* RFC 2018 §3: three fit */
			BLOCKS(data(&tt, 700, 100), 700, 800, 500, 600, 300, 400);
		else
			BLOCKS(data(&tt, 700, 100), 700, 800, 500, 600, 300, 400, 100, 200);
		/* Two become one; the oldest comes back. */
		BLOCKS(data(&tt, 600, 100), 500, 800, 300, 400, 100, 200);
		BLOCKS(data(&tt, 400, 50), 300, 450, 500, 800, 100, 200);
		if (ts)
			BLOCKS(data(&tt, 250, 20), 250, 270, 300, 450, 500, 800);
		else
			BLOCKS(data(&tt, 250, 20), 250, 270, 300, 450, 500, 800, 100, 200);
		/* Delivered: it is acknowledged instead. */
		BLOCKS(data(&tt, 0, 100), 250, 270, 300, 450, 500, 800);
		tcp_test_end(&tt);
	}
}

/* RFC 2883 §4.1, §4.2 */
static void
test_dsack(void **state)
{
	struct tcp_test tt;
	const struct tcp_test_out *out;

	(void)state;
	(void)start(&tt, true);
	(void)data(&tt, 0, 100);
	(void)data(&tt, 100, 100);
	out = data(&tt, 0, 100); /* a whole segment again */
	assert_int_equal(out->th.th_ack - tt.tt_peernxt, 200);
	BLOCKS(out, 0, 100);
	out = data(&tt, 150, 100); /* half of one: told with the next ACK */
	if (out == NULL) {
		tcp_test_advance(&tt, 50 * MS);
		out = tcp_test_sent(&tt);
	}
	BLOCKS(out, 150, 200);
	BLOCKS(data(&tt, 300, 200), 300, 500);          /* it is told of once */
	BLOCKS(data(&tt, 400, 50), 400, 450, 300, 500); /* within a block, that one follows */
	BLOCKS(data(&tt, 600, 50), 600, 650, 300, 500); /* and not again */
	BLOCKS(data(&tt, 450, 100), 450, 500, 300, 550, 600,
	    650); /* the part of it that came twice */
	BLOCKS(data(&tt, 600, 50), 600, 650, 600, 650, 300, 550); /* all of a block */
	tcp_test_end(&tt);
}

/* Blocks ride on data too, which leaves room for them. */
static void
test_blocks_on_data(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, true);
	const struct tcp_test_out *out;

	(void)state;
	(void)data(&tt, 100, 100);
	tcp_test_forget(&tt);
	assert_int_equal(tcp_test_write(&tt, bytes, 5000), 0);
	out = tcp_test_sent(&tt);
	BLOCKS(out, 100, 200);
	assert_int_equal(out->len, tp->t_maxseg - 12);
	assert_true(out->th.th_off + out->len + 20 <= 1500);
	tcp_test_end(&tt);
}

/* -- the scoreboard -------------------------------------------------------------------------- */

/* An ACK of base + n segments with blocks in segments from base; the end is exclusive. */
static void
sack(struct tcp_test *tt, tcp_seq base, uint32_t n, unsigned nblocks, const uint32_t *blk)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, TH_ACK);
	const uint32_t mss = tt->tt_tp->t_maxseg;

	seg.th.th_ack = base + n * mss;
	if (nblocks > 0)
		seg.opts.to_flags |= TOF_SACK;
	seg.opts.to_nsacks = (uint8_t)nblocks;
	for (unsigned i = 0; i < nblocks; i++) {
		seg.opts.to_sacks[i].start = base + blk[2 * i] * mss;
		seg.opts.to_sacks[i].end = base + blk[2 * i + 1] * mss;
	}
	if (tt->tt_ts)
		seg.opts.to_tsecr = tcp_ts_now(tt->tt_tp);
	tcp_test_input(tt, &seg);
	assert_null(tcp_inspect_check_all(tt->tt_ns));
}
#define SACK(n, ...) \
	sack(&tt, base, n, sizeof((uint32_t[]){__VA_ARGS__}) / 8, (const uint32_t[]){__VA_ARGS__})

/* The next segment sent starts at segment n. */
static void
sent_is(struct tcp_test *tt, tcp_seq base, uint32_t n)
{
	const struct tcp_test_out *out = tcp_test_sent(tt);

	assert_non_null(out);
	assert_int_equal(out->th.th_seq - base, n * tt->tt_tp->t_maxseg);
	assert_int_equal(out->len, tt->tt_tp->t_maxseg);
}

/* RFC 6675 §5: limited transmit, what is lost, new data, PRR's bound on all. */
static void
test_recovery(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 22 * MSS), 0);
	assert_int_equal(tcp_test_nsent(&tt), 10);
	tcp_test_forget(&tt);
	/* Segments 0 and 2 are lost. */
	SACK(0, 1, 2);
	sent_is(&tt, base, 10); /* limited transmit */
	assert_null(tcp_test_sent(&tt));
	SACK(0, 3, 4, 1, 2);
	sent_is(&tt, base, 11);
	assert_false((tp->t_flags & TF_FASTRECOVERY) != 0);
	assert_int_equal(tp->t_nholes, 2);
	SACK(0, 3, 5, 1, 2); /* three segments above the first hole, two above the second */
	assert_true((tp->t_flags & TF_FASTRECOVERY) != 0);
	sent_is(&tt, base, 0);
	assert_null(tcp_test_sent(&tt));
	assert_int_equal(tp->snd_recover, base + 12 * MSS);
	SACK(0, 3, 6, 1, 2);
	assert_null(tcp_test_sent(&tt)); /* less leaves than arrives */
	SACK(0, 3, 7, 1, 2);
	sent_is(&tt, base, 2);
	for (uint32_t i = 8; i <= 12; i++)
		SACK(0, 3, i, 1, 2);
	assert_in_range(tcp_test_nsent(&tt), 1, 12);
	assert_true(tcp_pipe(tp) <= tp->snd_ssthresh + MSS);
	SACK(2, 3, 12);
	assert_true((tp->t_flags & TF_FASTRECOVERY) != 0);
	sack(&tt, base, 12, 0, NULL);
	assert_false((tp->t_flags & TF_FASTRECOVERY) != 0);
	assert_int_equal(tp->snd_cwnd, tp->snd_ssthresh);
	assert_int_equal(tp->t_nholes, 0);
	assert_int_equal(STAT_OF(&tt, rexmttimeo), 0);
	assert_int_equal(STAT_OF(&tt, sndrexmitpack), 2);
	tcp_test_end(&tt);
}

/* Twenty segments in flight and more to send. */
static struct tcpcb *
start_wide(struct tcp_test *tt)
{
	tcp_test_start(tt);
	tt->tt_sack = true;
	tt->tt_ns->ns_tcp->tcps_sysctl.sendspace = sizeof(bytes);
	assert_int_equal(sysctl_set_text(tt->tt_ns, "net.inet.tcp.cc.algorithm", "newreno"), 0);
	struct tcpcb *tp = tcp_test_in_state(tt, TCPS_ESTABLISHED);
	tp->snd_cwnd = 20 * MSS;
	assert_int_equal(tcp_test_write(tt, bytes, 40 * MSS), 0);
	assert_int_equal(tcp_test_nsent(tt), 20);
	tcp_test_forget(tt);
	return tp;
}

/* RFC 6937 §3.1: while more is in flight than ssthresh, one leaves for two that arrived. */
static void
test_prr(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start_wide(&tt);
	const tcp_seq base = tp->snd_una;

	(void)state;
	SACK(0, 1, 2);
	SACK(0, 1, 3);
	assert_int_equal(tcp_test_nsent(&tt), 2); /* limited transmit */
	assert_false((tp->t_flags & TF_FASTRECOVERY) != 0);
	for (uint32_t k = 1; k <= 13; k++) {
		SACK(0, 1, 3 + k);
		assert_true((tp->t_flags & TF_FASTRECOVERY) != 0);
		assert_int_equal(tp->snd_ssthresh, 10 * MSS); /* without those two */
		assert_int_equal(tp->t_prr_delivered, k * MSS);
		assert_int_equal(tp->t_prr_out, KERN_MAX(k * 10 / 22, 1u) * MSS);
		assert_int_equal(tcp_test_nsent(&tt), 2 + KERN_MAX(k * 10 / 22, 1u));
	}
	/* There it stays: one for one. */
	for (uint32_t k = 14; k <= 18; k++) {
		SACK(0, 1, 3 + k);
		assert_int_equal(tcp_pipe(tp), 10 * MSS);
	}
	tcp_test_end(&tt);
}

/* The same when less is in flight: as in slow start, one more than arrived, and up to ssthresh. */
static void
test_prr_slow_start(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start_wide(&tt);
	const tcp_seq base = tp->snd_una;

	(void)state;
	SACK(0, 15, 16);
	SACK(0, 15, 17);
	tcp_test_forget(&tt);
	SACK(0, 15, 18); /* fifteen are lost, one of them leaves in any case */
	assert_int_equal(tcp_test_nsent(&tt), 1 + 2);
	for (uint32_t k = 19; k <= 21; k++) {
		const unsigned before = tcp_test_nsent(&tt);

		SACK(0, 15, k);
		assert_int_equal(tcp_test_nsent(&tt) - before, 2);
		assert_true(tcp_pipe(tp) <= tp->snd_ssthresh);
	}
	tcp_test_end(&tt);
}

/* RFC 6675 §4, IsLost(): three blocks above, be they ever so small, and in one ACK. */
static void
test_three_small_blocks(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;
	struct tcp_test_seg seg;

	(void)state;
	tp->t_flags |= TF_NODELAY;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(tcp_test_write(&tt, bytes, 10), 0);
	assert_int_equal(tcp_test_nsent(&tt), 8);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_ack = base;
	seg.opts.to_flags |= TOF_SACK;
	for (unsigned n = 2; n <= 3; n++) {
		seg.opts.to_nsacks = (uint8_t)n;
		for (unsigned i = 0; i < n; i++) {
			seg.opts.to_sacks[i].start = base + 10 + 20 * i;
			seg.opts.to_sacks[i].end = base + 20 + 20 * i;
		}
		tcp_test_input(&tt, &seg);
		assert_int_equal((tp->t_flags & TF_FASTRECOVERY) != 0, n == 3);
	}
	tcp_test_end(&tt);
}

/* HOSTILE 62: duplicate ACKs that SACK nothing new begin nothing and open nothing. */
static void
test_dupacks_need_news(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 22 * MSS), 0);
	tcp_test_forget(&tt);
	for (unsigned i = 0; i < 50; i++)
		sack(&tt, base, 0, 0, NULL);
	SACK(0, 4, 5);
	tcp_test_forget(&tt);
	for (unsigned i = 0; i < 50; i++)
		SACK(0, 4, 5);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	assert_false((tp->t_flags & TF_FASTRECOVERY) != 0);
	assert_int_equal(tp->snd_cwnd, 10 * MSS);
	tcp_test_end(&tt);
}

/* HOSTILE 69: what cannot be true is passed over, whatever stands beside it. */
static void
test_false_blocks(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 10 * MSS), 0);
	SACK(1, 0, 0);
	SACK(1, 0, 1);
	SACK(1, 1, 3);  /* what the ACK would have to cover */
	SACK(1, 5, 4);  /* reversed */
	SACK(1, 4, 4);  /* empty */
	SACK(1, 9, 11); /* beyond what was sent */
	SACK(1, 11, 12);
	SACK(1, 0x40000000 / MSS, 0x40000001 / MSS);
	SACK(1, (uint32_t)-3, 4); /* from below */
	assert_false(tcp_sack_any(tp));
	assert_int_equal(tp->t_nholes, 0);
	SACK(1, 11, 12, 5, 4, 3, 4); /* the third is true */
	assert_int_equal(tp->t_nholes, 1);
	assert_int_equal(tcp_sack_bytes(tp), MSS);
	SACK(1, 3, 5, 4, 6, 2, 7); /* overlapping */
	assert_int_equal(tp->t_nholes, 1);
	assert_int_equal(tcp_sack_bytes(tp), 5 * MSS);
	assert_true(STAT_OF(&tt, sack_rcv_bad) >= 9);
	tcp_test_end(&tt);
}

/* HOSTILE 68: holes are limited, for a connection and for the stack; so is memory. */
static void
test_limits(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		struct tcp_test tt;
		struct tcpcb *tp = start(&tt, false);
		const tcp_seq base = tp->snd_una;

		tp->snd_cwnd = 100 * MSS;
		assert_int_equal(tcp_test_write(&tt, bytes, 20 * MSS), 0);
		if (how == 0)
			tt.tt_ns->ns_tcp->tcps_sysctl.sack_maxholes = 3;
		else if (how == 1)
			tt.tt_ns->ns_tcp->tcps_sysctl.sack_globalmaxholes = 3;
		else
			pool_setlimit(&tt.tt_ns->ns_tcp->tcps_holepool, 3);
		for (uint32_t i = 1; i < 20; i += 2) {
			SACK(0, i, i + 1);
		}
		assert_true(tp->t_nholes <= 3);
		assert_true(STAT_OF(&tt, sack_sboverflow) > 0);
		/* A split that cannot be made changes nothing. */
		const uint32_t had = tcp_sack_bytes(tp);
		assert_int_equal(had, 3 * MSS);
		sack(&tt, base, 20, 0, NULL);
		assert_int_equal(tt.tt_so->so_snd.sb_cc, 0);
		assert_int_equal(tt.tt_ns->ns_tcp->tcps_holepool.pl_nout, 0);
		tcp_test_end(&tt);
	}
}

/* RFC 2018 §8: after a time-out what is SACKed is not sent again, unless the peer went back on it. */
static void
test_timeout(void **state)
{
	(void)state;
	for (int reneged = 0; reneged < 2; reneged++) {
		struct tcp_test tt;
		struct tcpcb *tp = start(&tt, false);
		const tcp_seq base = tp->snd_una;

		assert_int_equal(tcp_test_write(&tt, bytes, 6 * MSS), 0);
		SACK(0, 2, 4);
		assert_int_equal(tp->t_nholes, 1);
		if (reneged) {
			sack(&tt, base, 2, 0, NULL); /* and 2 to 4, which it had? */
			assert_true(tcp_sack_reneged(tp));
		}
		while (STAT_OF(&tt, rexmttimeo) == 0) {
			tcp_test_forget(&tt);
			tcp_test_advance(&tt, MS);
		}
		assert_int_equal(tp->snd_cwnd, MSS);
		assert_false(tcp_sack_reneged(tp));
		if (reneged) {
			sent_is(&tt, base, 2);
			sack(&tt, base, 3, 0, NULL);
			sent_is(&tt, base, 3);
		} else {
			sent_is(&tt, base, 0);
			SACK(1, 2, 4);
			sent_is(&tt, base, 1);
			assert_true(tcp_test_nsent(&tt) <= 1);
			sack(&tt, base, 4, 0, NULL);
			sent_is(&tt, base, 4);
		}
		/* Again: now all that was SACKed is forgotten (the peer may have restarted). */
		tcp_test_forget(&tt);
		sack(&tt, base, 6, 0, NULL);
		assert_false(tcp_sack_any(tp));
		assert_int_equal(tt.tt_so->so_snd.sb_cc, 0);
		tcp_test_end(&tt);
	}
}

/* A second time-out without progress: no SACK is believed any more. */
static void
test_second_timeout(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 6 * MSS), 0);
	SACK(0, 1, 6);
	tcp_test_advance(&tt, 300 * MS);
	assert_int_equal(tcp_sack_bytes(tp), 5 * MSS);
	tcp_test_advance(&tt, 500 * MS);
	assert_true(STAT_OF(&tt, rexmttimeo) >= 2);
	assert_int_equal(tcp_sack_bytes(tp), 0);
	tcp_test_end(&tt);
}

/* -- undo ------------------------------------------------------------------------------------ */

/* RFC 3522, RFC 4015: the ACK echoes the original's time. */
static void
test_eifel(void **state)
{
	(void)state;
	for (int spurious = 0; spurious < 2; spurious++) {
		struct tcp_test tt;
		struct tcpcb *tp = start(&tt, true);
		const tcp_seq base = tp->snd_una;
		struct tcp_test_seg seg;

		assert_int_equal(tcp_test_write(&tt, bytes, 10 * tp->t_maxseg), 0);
		const uint32_t cwnd = tp->snd_cwnd, sent = tcp_ts_now(tp);
		tcp_test_advance(&tt, 20 * MS);
		SACK(0, 1, 4);
		SACK(0, 1, 5);
		SACK(0, 1, 6);
		assert_true((tp->t_flags & TF_FASTRECOVERY) != 0);
		assert_true(tp->snd_ssthresh < cwnd);
		const uint32_t again = tcp_ts_now(tp);
		tcp_test_advance(&tt, 5 * MS);
		seg = tcp_test_seg(&tt, TH_ACK);
		seg.th.th_ack = base + 6 * tp->t_maxseg;
		seg.opts.to_tsecr = spurious ? sent : again;
		tcp_test_input(&tt, &seg);
		assert_int_equal(STAT_OF(&tt, undone), spurious);
		if (spurious) {
			assert_false((tp->t_flags & TF_FASTRECOVERY) != 0);
			assert_true(tp->snd_cwnd >= cwnd);
			assert_true(tp->snd_ssthresh > 1000 * cwnd);
			assert_true((tp->t_flags & TF_REORDERED) != 0);
		} else {
			assert_true((tp->t_flags & TF_FASTRECOVERY) != 0);
		}
		tcp_test_end(&tt);
	}
}

/* A time-out that was too early: the window, and where sending goes on, are as before. */
static void
test_eifel_timeout(void **state)
{
	(void)state;
	for (int sacked = 0; sacked < 2; sacked++) {
		struct tcp_test tt;
		struct tcpcb *tp;
		struct tcp_test_seg seg;

		tcp_test_start(&tt);
		tt.tt_ts = true;
		tt.tt_sack = sacked;
		tp = tcp_test_in_state(&tt, TCPS_ESTABLISHED);
		const tcp_seq base = tp->snd_una;
		tt.tt_ns->ns_tcp->tcps_sysctl.tlp = 0;
		assert_int_equal(tcp_test_write(&tt, bytes, 8 * tp->t_maxseg), 0);
		const uint32_t cwnd = tp->snd_cwnd, sent = tcp_ts_now(tp);
		tcp_test_advance(&tt, 250 * MS);
		assert_int_equal(STAT_OF(&tt, rexmttimeo), 1);
		assert_int_equal(tp->snd_cwnd, tp->t_maxseg);
		tcp_test_forget(&tt);
		seg = tcp_test_seg(&tt, TH_ACK);
		seg.th.th_ack = base + 2 * tp->t_maxseg;
		seg.opts.to_tsecr = sent;
		tcp_test_input(&tt, &seg);
		assert_int_equal(STAT_OF(&tt, undone), 1);
		assert_true(tp->snd_cwnd >= cwnd);
		assert_int_equal(tp->snd_nxt, tp->snd_max);
		assert_int_equal(tcp_test_nsent(&tt), 0); /* nothing is sent a third time */
		assert_null(tcp_inspect_check_all(tt.tt_ns));
		tcp_test_end(&tt);
	}
}

/* RFC 3708: every byte that was sent again is reported twice. */
static void
test_dsack_undo(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 10 * MSS), 0);
	const uint32_t cwnd = tp->snd_cwnd;
	SACK(0, 4, 10);
	SACK(0, 3, 10);
	SACK(0, 2, 10);
	sack(&tt, base, 10, 0, NULL);
	assert_int_equal(STAT_OF(&tt, sndrexmitbyte), 4 * MSS);
	assert_true(tp->snd_cwnd < cwnd);
	for (uint32_t i = 0; i < 3; i++)
		SACK(10, i, i + 1);
	assert_int_equal(STAT_OF(&tt, undone), 0);
	SACK(10, 3, 4);
	assert_int_equal(STAT_OF(&tt, undone), 1);
	assert_true(tp->snd_cwnd >= cwnd);
	/* RFC 8985 §6.2 (4): the wider window outlasts sixteen recoveries. */
	assert_true(tp->t_rack_mult > 1);
	for (unsigned i = 0; i < 15; i++)
		tcp_rack_recovered(tp);
	assert_true(tp->t_rack_mult > 1);
	tcp_rack_recovered(tp);
	assert_int_equal(tp->t_rack_mult, 1);
	tcp_test_end(&tt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_permitted),
	    cmocka_unit_test(test_blocks),
	    cmocka_unit_test(test_dsack),
	    cmocka_unit_test(test_blocks_on_data),
	    cmocka_unit_test(test_recovery),
	    cmocka_unit_test(test_prr),
	    cmocka_unit_test(test_prr_slow_start),
	    cmocka_unit_test(test_three_small_blocks),
	    cmocka_unit_test(test_dupacks_need_news),
	    cmocka_unit_test(test_false_blocks),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_timeout),
	    cmocka_unit_test(test_second_timeout),
	    cmocka_unit_test(test_eifel),
	    cmocka_unit_test(test_eifel_timeout),
	    cmocka_unit_test(test_dsack_undo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
