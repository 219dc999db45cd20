/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single rules of TCP's input that larger tests do not feel: Karn's, the impatient timer, what an
 * answer acknowledges, urgent data with SYN and after FIN, the queue at the end of a stream.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_inspect.h"
#include "netinet/tcp_testutil.h"

#define MS 1000000ull
#define MSS 1460u
#define TCP_IDLE_BYTES 1024u /* may only become less */
#define STAT_OF(tt, name) ((tt)->tt_ns->ns_tcp->tcps_stat[TCPSTAT_##name])

static uint8_t bytes[32 * 1024];

static struct tcpcb *
start(struct tcp_test *tt, bool ts)
{
	tcp_test_start(tt);
	tt->tt_ts = ts;
	return tcp_test_in_state(tt, TCPS_ESTABLISHED);
}

static void
ack(struct tcp_test *tt, tcp_seq number)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, TH_ACK);

	seg.th.th_ack = number;
	tcp_test_input(tt, &seg);
}

/* RFC 6298 §3: what was sent twice is not timed. */
static void
test_karn(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 10 * MSS), 0);
	assert_true(tp->t_rtttiming);
	assert_int_equal(tp->t_rtseq, base);
	tcp_test_advance(&tt, 20 * MS);
	const uint64_t samples = STAT_OF(&tt, rttupdated);
	for (unsigned i = 0; i < 3; i++)
		ack(&tt, base);
	assert_int_equal(STAT_OF(&tt, fastrexmit), 1);
	tcp_test_advance(&tt, 20 * MS);
	ack(&tt, base + MSS);
	assert_int_equal(STAT_OF(&tt, rttupdated), samples);
	tcp_test_end(&tt);
}

/* RFC 6582 §4: the timer starts anew for the first partial ACK only. */
static void
test_impatient(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 10 * MSS), 0);
	for (unsigned i = 0; i < 3; i++)
		ack(&tt, base);
	const uint64_t began = tp->t_deadline_ns[TCPT_REXMT];
	tcp_test_advance(&tt, 20 * MS);
	ack(&tt, base + MSS);
	const uint64_t first = tp->t_deadline_ns[TCPT_REXMT];
	assert_true(first > began);
	tcp_test_advance(&tt, 20 * MS);
	ack(&tt, base + 2 * MSS);
	assert_int_equal(tp->t_partialacks, 2);
	assert_int_equal(tp->t_deadline_ns[TCPT_REXMT], first);
	tcp_test_end(&tt);
}

/* RFC 7323 §4.3 (2), (3): an ACK that answers a segment moves Last.ACK.sent as well. */
static void
test_answer_is_an_ack(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, true);
	struct tcp_test_seg seg = tcp_test_seg(&tt, TH_ACK);
	const tcp_seq first = tt.tt_peernxt;

	(void)state;
	seg.len = 100;
	seg.data = bytes;
	tcp_test_input(&tt, &seg); /* its ACK is delayed */
	assert_int_equal(tp->last_ack_sent, first);
	tcp_test_forget(&tt);
	tcp_test_input(&tt, &seg); /* again: answered at once */
	assert_int_equal(tcp_test_nsent(&tt), 1);
	assert_int_equal(tp->last_ack_sent, first + 100);
	seg.th.th_seq += 100;
	seg.opts.to_tsval += 10;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->ts_recent, seg.opts.to_tsval);
	tcp_test_end(&tt);
}

/* The pointer of a segment with SYN counts the SYN (RFC 9293 §3.10.7.4 (6), HOSTILE 52). */
static void
test_urgent_with_syn(void **state)
{
	(void)state;
	for (uint16_t urp = 1; urp <= 3; urp++) {
		struct tcp_test tt;
		struct tcp_test_seg seg;

		tcp_test_start(&tt);
		struct tcpcb *tp = tcp_test_in_state(&tt, TCPS_SYN_SENT);
		seg = tcp_test_seg(&tt, TH_SYN | TH_ACK | TH_URG);
		seg.th.th_seq = TT_PEERISS;
		seg.th.th_urp = urp;
		seg.len = 2;
		seg.data = (const uint8_t *)"ab";
		tcp_test_input(&tt, &seg);
		assert_int_equal(tp->t_state, TCPS_ESTABLISHED);
		assert_int_equal(STAT_OF(&tt, rcvurg), urp > 1);
		if (urp > 1) {
			assert_int_equal(tp->rcv_up, TT_PEERISS + urp);
			assert_true((tp->t_oobflags & TCPOOB_HAVEDATA) != 0);
			assert_int_equal(tp->t_iobc, urp == 2 ? 'a' : 'b');
		} else {
			assert_int_equal(tp->t_oobflags, 0);
		}
		tcp_test_end(&tt);
	}
}

/* RFC 9293 §3.10.7.4 (6): after the peer's FIN there is nothing urgent to come. */
static void
test_urgent_after_fin(void **state)
{
	static const enum tcp_fsm_state after[] = {TCPS_CLOSE_WAIT, TCPS_CLOSING, TCPS_LAST_ACK};

	(void)state;
	for (size_t i = 0; i < nitems(after); i++) {
		struct tcp_test tt;
		struct tcp_test_seg seg;

		tcp_test_start(&tt);
		struct tcpcb *tp = tcp_test_in_state(&tt, after[i]);
		seg = tcp_test_seg(&tt, TH_ACK | TH_URG);
		seg.th.th_ack = tp->snd_una;
		seg.th.th_urp = 5;
		const tcp_seq up = seq_max(tp->rcv_up, tp->rcv_nxt);
		tcp_test_input(&tt, &seg);
		assert_int_equal(tp->t_state, after[i]);
		assert_int_equal(STAT_OF(&tt, rcvurg), 0);
		assert_int_equal(tp->rcv_up, up);
		assert_int_equal(tp->t_oobflags, 0);
		tcp_test_end(&tt);
	}
}

/* What is held beyond a FIN is not joined to what ends with it (HOSTILE 74). */
static void
test_nothing_behind_fin(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	struct tcp_test_seg seg = tcp_test_seg(&tt, TH_ACK | TH_FIN);
	uint8_t got[64];

	(void)state;
	seg.th.th_seq += 10;
	seg.len = 10;
	seg.data = bytes;
	tcp_test_input(&tt, &seg); /* 10 to 20, and the end */
	seg.th.th_seq += 10;
	seg.th.th_flags = TH_ACK;
	tcp_test_input(&tt, &seg); /* 20 to 30 */
	seg.th.th_seq += 1;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tcp_reass_bytes(tp), 10);
	assert_null(tcp_inspect_check(tp));
	seg.th.th_seq = tt.tt_peernxt;
	tcp_test_input(&tt, &seg); /* 0 to 10 */
	assert_int_equal(tp->t_state, TCPS_CLOSE_WAIT);
	assert_int_equal(tp->rcv_nxt, tt.tt_peernxt + 21);
	assert_int_equal(tcp_test_read(&tt, got, sizeof(got)), 20);
	tcp_test_end(&tt);
}

/* TIME-WAIT holds no data, however it is entered. */
static void
test_timewait_holds_nothing(void **state)
{
	struct tcp_test tt;
	struct tcp_test_seg seg;

	(void)state;
	tcp_test_start(&tt);
	struct tcpcb *tp = tcp_test_in_state(&tt, TCPS_FIN_WAIT_2);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_seq += 100;
	seg.len = 50;
	seg.data = bytes;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tcp_reass_segs(tp), 1);
	tcp_timewait_enter(tp);
	assert_int_equal(tcp_reass_segs(tp), 0);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_reasspool.pl_nout, 0);
	tcp_test_end(&tt);
}

/*
 * What a connection costs that waits for something to do: nothing but its socket, its pcb and its
 * tcpcb, and a place in each of two hashes; what is known of data in flight comes and goes with them.
 */
static void
test_idle_cost(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp;
	const struct tcp_state *ts;
	size_t cost;

	(void)state;
	tcp_test_start(&tt);
	tt.tt_sack = true;
	tp = tcp_test_in_state(&tt, TCPS_ESTABLISHED);
	ts = tt.tt_ns->ns_tcp;
	assert_int_equal(ts->tcps_sendlogpool.pl_nout, 0);
	assert_int_equal(tcp_test_write(&tt, bytes, 100), 0);
	assert_int_equal(ts->tcps_sendlogpool.pl_nout, 1);
	ack(&tt, tp->snd_max);
	assert_int_equal(ts->tcps_sendlogpool.pl_nout, 0);
	assert_int_equal(ts->tcps_holepool.pl_nout + ts->tcps_reasspool.pl_nout +
		ts->tcps_reassqpool.pl_nout + ts->tcps_undopool.pl_nout,
	    0);
	cost = tt.tt_ns->ns_socketpool.pl_item_bytes + ts->tcps_table.it_pool.pl_item_bytes +
	    ts->tcps_tcpcbpool.pl_item_bytes + 2 * sizeof(struct inpcb_list);
	print_message("an idle connection: socket %zu, pcb %zu, tcpcb %zu: %zu bytes\n",
	    sizeof(struct socket), sizeof(struct inpcb), sizeof(struct tcpcb), cost);
	assert_true(cost <= TCP_IDLE_BYTES);
	tcp_test_end(&tt);
}

/* Without memory for the log of what is sent data go all the same, and are sent again when lost. */
static void
test_no_sendlog(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp;

	(void)state;
	tcp_test_start(&tt);
	tt.tt_sack = true;
	tp = tcp_test_in_state(&tt, TCPS_ESTABLISHED);
	pool_setlimit(&tt.tt_ns->ns_tcp->tcps_sendlogpool, 1);
	struct tcp_sendlog *only = pool_get(&tt.tt_ns->ns_tcp->tcps_sendlogpool);
	assert_non_null(only);
	assert_int_equal(tcp_test_write(&tt, bytes, 3 * MSS), 0);
	assert_null(tp->t_sendlog);
	tcp_test_forget(&tt);
	tcp_test_advance(&tt, 3000 * MS);
	const struct tcp_test_out *out = tcp_test_sent(&tt);
	while (out != NULL && out->th.th_seq != tp->snd_una) /* a tail loss probe */
		out = tcp_test_sent(&tt);
	assert_non_null(out);
	pool_put(&tt.tt_ns->ns_tcp->tcps_sendlogpool, only);
	ack(&tt, tp->snd_max);
	assert_int_equal(tcp_test_write(&tt, bytes, 100), 0);
	assert_non_null(tp->t_sendlog);
	ack(&tt, tp->snd_max);
	tcp_test_end(&tt);
}

/* Without memory for what an undoing needs a reduction of the window stays, and all else goes on. */
static void
test_no_undo(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp;

	(void)state;
	tcp_test_start(&tt);
	tt.tt_sack = tt.tt_ts = true;
	tp = tcp_test_in_state(&tt, TCPS_ESTABLISHED);
	pool_setlimit(&tt.tt_ns->ns_tcp->tcps_undopool, 1);
	struct tcp_undo *only = pool_get(&tt.tt_ns->ns_tcp->tcps_undopool);
	assert_non_null(only);
	assert_int_equal(tcp_test_write(&tt, bytes, 3 * MSS), 0);
	tcp_test_advance(&tt, 3000 * MS);
	assert_true(STAT_OF(&tt, rexmttimeo) > 0);
	assert_null(tp->t_undo);
	assert_int_equal(tp->t_flags & TF_UNDO, 0);
	pool_put(&tt.tt_ns->ns_tcp->tcps_undopool, only);
	ack(&tt, tp->snd_max);
	assert_int_equal(tcp_test_write(&tt, bytes, 3 * MSS), 0);
	tcp_test_advance(&tt, 60000 * MS);
	assert_non_null(tp->t_undo);
	assert_int_equal(tp->t_undo->tu_end, tp->snd_max);
	ack(&tt, tp->snd_max);
	assert_int_equal(tp->snd_una, tp->snd_max);
	tcp_test_end(&tt);
}

/* Nor is anything kept that came too early; it is taken when it comes again. */
static void
test_no_reass(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, false);
	struct tcp_test_seg seg = tcp_test_seg(&tt, TH_ACK);

	(void)state;
	pool_setlimit(&tt.tt_ns->ns_tcp->tcps_reassqpool, 1);
	struct tcp_reass *only = pool_get(&tt.tt_ns->ns_tcp->tcps_reassqpool);
	assert_non_null(only);
	seg.th.th_seq += 10;
	seg.len = 10;
	seg.data = bytes;
	tcp_test_input(&tt, &seg);
	assert_null(tp->t_reass);
	assert_int_equal(tt.tt_ns->ns_drops[DROP_TCP_REASSFULL], 1);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_reasspool.pl_nout, 0);
	pool_put(&tt.tt_ns->ns_tcp->tcps_reassqpool, only);
	tcp_test_input(&tt, &seg);
	assert_int_equal(tcp_reass_bytes(tp), 10);
	seg.th.th_seq -= 10;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tt.tt_so->so_rcv.sb_cc, 20);
	assert_null(tp->t_reass);
	tcp_test_end(&tt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_karn),
	    cmocka_unit_test(test_impatient),
	    cmocka_unit_test(test_answer_is_an_ack),
	    cmocka_unit_test(test_urgent_with_syn),
	    cmocka_unit_test(test_urgent_after_fin),
	    cmocka_unit_test(test_nothing_behind_fin),
	    cmocka_unit_test(test_timewait_holds_nothing),
	    cmocka_unit_test(test_idle_cost),
	    cmocka_unit_test(test_no_sendlog),
	    cmocka_unit_test(test_no_undo),
	    cmocka_unit_test(test_no_reass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
