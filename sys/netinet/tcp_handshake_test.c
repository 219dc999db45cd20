/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CLOSED, LISTEN, SYN-SENT and SYN-RECEIVED (RFC 9293 §3.10.7.1-4): what comes in, what goes out;
 * and segments that no connection should see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "netinet/tcp_testutil.h"
#include "wire/tcp_seq.h"

#define MS 1000000ull

static struct tcpcb *
start(struct tcp_test *tt, enum tcp_fsm_state state)
{
	tcp_test_start(tt);
	return tcp_test_in_state(tt, state);
}

static uint64_t
dropped(const struct tcp_test *tt, enum drop_reason why)
{
	return tt->tt_ns->ns_drops[why];
}

static void
nothing(struct tcp_test *tt)
{
	assert_int_equal(tcp_test_nsent(tt), 0);
}

static void
answered(struct tcp_test *tt, uint8_t flags, uint32_t seq, uint32_t ack)
{
	const struct tcp_test_out *out = tcp_test_sent(tt);

	assert_non_null(out);
	assert_int_equal(out->th.th_flags, flags);
	assert_int_equal(out->th.th_seq, seq);
	assert_int_equal(out->th.th_ack, ack);
	nothing(tt);
	tcp_test_forget(tt);
}

static struct tcp_test_seg
stray(const struct tcp_test *tt, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, flags);

	seg.th.th_seq = seq;
	seg.th.th_ack = ack;
	return seg;
}

/* -- nobody there ---------------------------------------------------------------------------- */

/* RFC 9293 §3.10.7.1, with no socket and with one that is only bound. */
static void
test_closed(void **state)
{
	(void)state;
	for (int bound = 0; bound < 2; bound++) {
		struct tcp_test tt;
		struct tcp_test_seg seg;

		tcp_test_start(&tt);
		if (bound)
			(void)tcp_test_in_state(&tt, TCPS_CLOSED);
		seg = stray(&tt, TH_ACK, 100, 7000);
		seg.th.th_dport = TT_PORT;
		tcp_test_input(&tt, &seg);
		answered(&tt, TH_RST, 7000, 0);
		seg.th.th_flags = TH_SYN;
		seg.len = 3;
		seg.data = (const uint8_t *)"abc";
		tcp_test_input(&tt, &seg);
		answered(&tt, TH_RST | TH_ACK, 0, 104);
		seg.th.th_flags = TH_FIN;
		tcp_test_input(&tt, &seg);
		answered(&tt, TH_RST | TH_ACK, 0, 104);
		seg.th.th_flags = TH_RST | TH_ACK;
		tcp_test_input(&tt, &seg);
		tt.tt_ns->ns_tcp->tcps_sysctl.blackhole = 1;
		seg.th.th_flags = TH_SYN;
		tcp_test_input(&tt, &seg);
		nothing(&tt);
		seg.th.th_flags = TH_ACK;
		tcp_test_input(&tt, &seg);
		answered(&tt, TH_RST, 7000, 0);
		tt.tt_ns->ns_tcp->tcps_sysctl.blackhole = 2;
		tcp_test_input(&tt, &seg);
		nothing(&tt);
		assert_int_equal(dropped(&tt, bound ? DROP_TCP_CLOSED : DROP_TCP_NOPORT), 7);
		tcp_test_end(&tt);
	}
}

/* 3, 10, 11, 49: dropped for their reason, in silence. */
static void
test_insane(void **state)
{
	static const struct {
		uint8_t flags;
		uint16_t sport;
		uint32_t src;
		bool bcast, badsum;
		enum drop_reason why;
	} cases[] = {
	    {TH_SYN, TT_PEER, TT_THEM, true, false, DROP_TCP_ADDR},
	    {TH_SYN, TT_PEER, TT_BCAST, false, false, DROP_TCP_ADDR},
	    {TH_SYN, TT_PEER, TT_MCAST, false, false, DROP_TCP_ADDR},
	    {TH_SYN, TT_PEER, 0, false, false, DROP_TCP_ADDR},
	    {TH_SYN, TT_PORT, TT_US, false, false, DROP_TCP_LAND},
	    {TH_SYN, 0, TT_THEM, false, false, DROP_TCP_PORT},
	    {TH_SYN, TT_PEER, TT_THEM, false, true, DROP_TCP_CKSUM},
	    {0, TT_PEER, TT_THEM, false, false, DROP_TCP_FLAGS},
	    {TH_SYN | TH_FIN, TT_PEER, TT_THEM, false, false, DROP_TCP_FLAGS},
	    {TH_SYN | TH_RST, TT_PEER, TT_THEM, false, false, DROP_TCP_FLAGS},
	    {0xff, TT_PEER, TT_THEM, false, false, DROP_TCP_FLAGS},
	    {TH_FIN, TT_PEER, TT_THEM, false, false, DROP_TCP_LISTEN},
	    {TH_RST, TT_PEER, TT_THEM, false, false, DROP_TCP_LISTEN},
	};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct tcp_test tt;
		struct tcp_test_seg seg;

		(void)start(&tt, TCPS_LISTEN);
		seg = stray(&tt, cases[i].flags, 100, 0);
		seg.th.th_sport = cases[i].sport;
		seg.src = cases[i].src;
		seg.bcast = cases[i].bcast;
		seg.badsum = cases[i].badsum;
		tcp_test_input(&tt, &seg);
		nothing(&tt);
		if (dropped(&tt, cases[i].why) != 1)
			fail_msg("case %zu", i);
		assert_int_equal(tt.tt_listen->so_q0len, 0);
		tcp_test_end(&tt);
	}
}

/* 49, 51: what is shorter than it says, or not even a header. */
static void
test_truncated(void **state)
{
	static const struct {
		uint32_t rx_len;
		uint8_t off;
		enum drop_reason why;
	} cases[] = {
	    {0, 20, DROP_TCP_SHORT},
	    {19, 20, DROP_TCP_SHORT},
	    {41, 20, DROP_TCP_SHORT},
	    {40, 16, DROP_TCP_OFF},
	    {40, 0, DROP_TCP_OFF},
	    {40, 44, DROP_TCP_OFF},
	    {40, 40, DROP_TCP_CKSUM},
	};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct in_rxinfo rx = {.rx_af = &tcp_test_afops,
		    .rx_src = {{TT_THEM, 0, 0, 0}},
		    .rx_dst = {{TT_US, 0, 0, 0}},
		    .rx_len = cases[i].rx_len,
		    .rx_proto = BSD_IPPROTO_TCP};
		uint8_t bytes[40] = {0, 1, 0, 1};
		struct tcp_test tt;
		struct mbuf *m;

		tcp_test_start(&tt);
		m = m_getm(tt.tt_ns, sizeof(bytes));
		bytes[12] = (uint8_t)(cases[i].off << 2);
		assert_int_equal(m_append(m, sizeof(bytes), bytes), 0);
		tcp_input(m, &rx);
		if (dropped(&tt, cases[i].why) != 1)
			fail_msg("case %zu", i);
		tcp_test_end(&tt);
	}
}

/* -- LISTEN ---------------------------------------------------------------------------------- */

static void
test_listen(void **state)
{
	struct tcp_test tt;
	struct tcp_test_seg seg;
	const struct tcp_test_out *out;
	uint32_t iss;

	(void)state;
	(void)start(&tt, TCPS_LISTEN);
	seg = stray(&tt, TH_ACK, 100, 7000);
	tcp_test_input(&tt, &seg);
	answered(&tt, TH_RST, 7000, 0);
	seg.th.th_flags = TH_SYN | TH_ACK;
	tcp_test_input(&tt, &seg);
	answered(&tt, TH_RST, 7000, 0);

	tt.tt_ts = true;
	tt.tt_wscale = 7;
	seg = stray(&tt, TH_SYN, 100, 0);
	seg.len = 5; /* 53: data are not taken before the handshake is done */
	seg.data = (const uint8_t *)"early";
	tcp_test_input(&tt, &seg);
	out = tcp_test_sent(&tt);
	assert_int_equal(out->th.th_flags, TH_SYN | TH_ACK);
	assert_int_equal(out->th.th_ack, 101);
	assert_int_equal(out->opts.to_flags, TOF_MSS | TOF_WSCALE | TOF_TS);
	assert_int_equal(out->opts.to_tsecr, seg.opts.to_tsval);
	iss = out->th.th_seq;
	nothing(&tt);
	tcp_test_forget(&tt);
	assert_int_equal(tt.tt_listen->so_q0len, 1);
	assert_int_equal(tt.tt_listen->so_qlen, 0);

	seg = stray(&tt, TH_ACK, 101, iss + 1);
	seg.th.th_win = 100;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tt.tt_listen->so_q0len, 0);
	assert_int_equal(tt.tt_listen->so_qlen, 1);
	tt.tt_so = TAILQ_FIRST(&tt.tt_listen->so_q);
	tt.tt_tp = intotcpcb(tt.tt_so->so_pcb);
	assert_int_equal(tt.tt_tp->t_state, TCPS_ESTABLISHED);
	assert_int_equal(tt.tt_tp->snd_wnd, 100 << 7);
	assert_int_equal(dropped(&tt, DROP_TCP_SYNDATA), 1);
	assert_int_equal(tt.tt_so->so_rcv.sb_cc, 0);
	assert_int_equal(tt.tt_tp->rcv_nxt, 101);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_accepts], 1);
	tcp_test_end(&tt);
}

/* Answers the SYN,ACK with number iss. => the connection, waiting for accept */
static struct tcpcb *
complete(struct tcp_test *tt, uint32_t iss)
{
	struct tcp_test_seg seg = stray(tt, TH_ACK, 101, iss + 1);

	seg.opts.to_flags = 0;
	tcp_test_input(tt, &seg);
	tcp_test_forget(tt);
	assert_int_equal(tt->tt_listen->so_qlen, 1);
	return intotcpcb(TAILQ_FIRST(&tt->tt_listen->so_q)->so_pcb);
}

/* An option is used only if both ends name it; a tiny MSS is raised (50, 68). */
static void
test_syn_options(void **state)
{
	struct tcp_test tt;
	const struct tcp_test_out *out;
	struct tcp_test_seg seg;
	struct tcpcb *tp;

	(void)state;
	tcp_test_start(&tt);
	tt.tt_mss = 1;
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	seg = stray(&tt, TH_SYN, 100, 0);
	tcp_test_input(&tt, &seg);
	out = tcp_test_sent(&tt);
	assert_int_equal(out->opts.to_flags, TOF_MSS);
	assert_int_equal(out->opts.to_mss, 1460);
	tp = complete(&tt, out->th.th_seq);
	assert_int_equal(tp->t_flags & (TF_RCVD_SCALE | TF_RCVD_TSTMP), 0);
	assert_int_equal(tp->t_maxseg, tt.tt_ns->ns_tcp->tcps_sysctl.minmss);
	assert_int_equal(tp->snd_scale | tp->rcv_scale, 0);
	tcp_test_end(&tt);

	tcp_test_start(&tt);
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	seg = stray(&tt, TH_SYN, 100, 0);
	seg.opts.to_flags = 0;
	tcp_test_input(&tt, &seg);
	tp = complete(&tt, tcp_test_sent(&tt)->th.th_seq);
	assert_int_equal(tp->t_maxseg, TCP_MSS_DEFAULT);
	tcp_test_end(&tt);
}

/* 63: limits, without a word to the sender; room is used again. */
static void
test_listen_limits(void **state)
{
	struct tcp_test tt;
	struct tcp_test_seg seg;

	(void)state;
	(void)start(&tt, TCPS_LISTEN);
	tt.tt_ns->ns_tcp->tcps_sysctl.syncookies = 0;
	tt.tt_ns->ns_tcp->tcps_sysctl.synlimit = 5;
	for (uint16_t i = 0; i < 20; i++) {
		seg = stray(&tt, TH_SYN, 100, 0);
		seg.th.th_sport = (uint16_t)(1000 + i);
		tcp_test_input(&tt, &seg);
	}
	assert_int_equal(tcp_test_nsent(&tt), 5);
	assert_int_equal(tt.tt_listen->so_q0len, 5);
	assert_int_equal(dropped(&tt, DROP_TCP_SYNLIMIT), 15);
	seg = stray(&tt, TH_RST, 101, 0);
	seg.th.th_sport = 1000;
	tcp_test_input(&tt, &seg);
	assert_int_equal(tt.tt_listen->so_q0len, 4);
	tcp_test_forget(&tt);
	/* they do not stay for ever */
	tt.tt_outerror = BSD_ENETDOWN;
	tcp_test_advance(&tt, 80 * 1000 * MS);
	tt.tt_outerror = 0;
	assert_int_equal(tt.tt_listen->so_q0len, 0);
	tcp_test_end(&tt);
}

/* 76: a SYN at each allocation failing: dropped or answered, and the next one is taken. */
static void
test_listen_no_memory(void **state)
{
	uint64_t left = 0;

	(void)state;
	for (uint64_t n = 1; left == 0; n++) {
		struct tcp_test tt;
		struct tcp_test_seg seg;
		struct tcp_segment ts;
		struct in_rxinfo rx;

		(void)start(&tt, TCPS_LISTEN);
		seg = stray(&tt, TH_SYN, 100, 0);
		tcp_test_segment(&tt, &seg, &rx, &ts);
		tt.tt_ns->ns_fault.af_fail_at = n;
		tcp_verdict_apply(tt.tt_ns, tt.tt_tp, &ts, tcp_segment_arrives(tt.tt_tp, &ts));
		left = tt.tt_ns->ns_fault.af_fail_at;
		tt.tt_ns->ns_fault.af_fail_at = 0;
		tcp_test_advance(&tt, 1100 * MS);
		seg.th.th_sport++;
		tcp_test_input(&tt, &seg);
		assert_true(tcp_test_nsent(&tt) > 0);
		assert_in_range(tt.tt_listen->so_q0len, 1, 2);
		tcp_test_end(&tt);
	}
}

/* -- SYN-RECEIVED ---------------------------------------------------------------------------- */

static void
test_syn_received(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_SYN_RECEIVED);
	struct tcp_test_seg seg;
	const uint32_t iss = tp->iss;

	(void)state;
	seg = stray(&tt, TH_ACK, TT_PEERISS + 1, iss); /* not of our SYN */
	tcp_test_input(&tt, &seg);
	answered(&tt, TH_RST, iss, 0);
	seg = stray(&tt, TH_ACK, TT_PEERISS + 1, iss + 2);
	tcp_test_input(&tt, &seg);
	answered(&tt, TH_RST, iss + 2, 0);
	assert_int_equal(tp->t_state, TCPS_SYN_RECEIVED);
	seg = stray(&tt, TH_SYN, TT_PEERISS, 0); /* our SYN,ACK was lost */
	tcp_test_input(&tt, &seg);
	answered(&tt, TH_SYN | TH_ACK, iss, TT_PEERISS + 1);
	tcp_test_input(&tt, &seg); /* but not as often as it likes */
	nothing(&tt);
	seg = stray(&tt, TH_ACK | TH_FIN, TT_PEERISS + 1, iss + 1);
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->t_state, TCPS_CLOSE_WAIT);
	answered(&tt, TH_ACK, iss + 1, TT_PEERISS + 2);
	tcp_test_end(&tt);
}

/* -- SYN-SENT -------------------------------------------------------------------------------- */

static void
test_syn_sent(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = start(&tt, TCPS_SYN_SENT);
	const uint32_t iss = tp->iss;
	struct tcp_test_seg seg;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) { /* an ACK of what was not sent */
		seg = stray(&tt, TH_SYN | TH_ACK, 100, iss + 2 * i);
		tcp_test_input(&tt, &seg);
		answered(&tt, TH_RST, iss + 2 * i, 0);
		seg.th.th_flags = TH_RST | TH_ACK;
		tcp_test_input(&tt, &seg);
		nothing(&tt);
	}
	seg = stray(&tt, TH_RST, 0, 0); /* blind */
	tcp_test_input(&tt, &seg);
	seg = stray(&tt, TH_ACK, 100, iss + 1); /* no SYN */
	tcp_test_input(&tt, &seg);
	seg = stray(&tt, TH_FIN, 100, 0);
	tcp_test_input(&tt, &seg);
	nothing(&tt);
	assert_int_equal(tp->t_state, TCPS_SYN_SENT);
	seg = stray(&tt, TH_RST | TH_ACK, 0, iss + 1);
	tcp_test_input(&tt, &seg);
	assert_false(tcp_test_alive(&tt));
	assert_int_equal(tt.tt_so->so_error, BSD_ECONNREFUSED);
	tcp_test_end(&tt);
}

static void
test_syn_sent_data(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp;
	struct tcp_test_seg seg;

	(void)state;
	tcp_test_start(&tt);
	tt.tt_wscale = 14;
	tp = tcp_test_in_state(&tt, TCPS_SYN_SENT);
	seg = tcp_test_seg(&tt, TH_SYN | TH_ACK | TH_URG | TH_PUSH);
	seg.th.th_urp = 1; /* 52: the SYN itself */
	seg.len = 4;
	seg.data = (const uint8_t *)"data";
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->t_state, TCPS_ESTABLISHED);
	assert_int_equal(tt.tt_so->so_rcv.sb_cc, 4);
	assert_int_equal(tt.tt_so->so_oobmark, 0);
	assert_int_equal(tp->snd_wnd, TT_PEERWIN); /* not scaled in a SYN */
	assert_int_equal(tp->snd_scale, 14);
	answered(&tt, TH_ACK, tp->iss + 1, seg.th.th_seq + 5);
	tcp_test_end(&tt);
}

/* RFC 9293 figure 7: both call at once. */
static void
test_simultaneous(void **state)
{
	(void)state;
	for (int synack = 0; synack < 2; synack++) {
		struct tcp_test tt;
		struct tcpcb *tp = start(&tt, TCPS_SYN_SENT);
		struct tcp_test_seg seg = stray(&tt, TH_SYN, 300, 0);

		tcp_test_input(&tt, &seg);
		assert_int_equal(tp->t_state, TCPS_SYN_RECEIVED);
		answered(&tt, TH_SYN | TH_ACK, tp->iss, 301);
		seg = synack ? stray(&tt, TH_SYN | TH_ACK, 300, tp->iss + 1)
			     : stray(&tt, TH_ACK, 301, tp->iss + 1);
		tcp_test_input(&tt, &seg);
		assert_int_equal(tp->t_state, TCPS_ESTABLISHED);
		assert_true((tt.tt_so->so_state & SS_ISCONNECTED) != 0);
		assert_int_equal(tp->rcv_nxt, 301);
		tcp_test_end(&tt);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_closed),
	    cmocka_unit_test(test_insane),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_listen),
	    cmocka_unit_test(test_syn_options),
	    cmocka_unit_test(test_listen_limits),
	    cmocka_unit_test(test_listen_no_memory),
	    cmocka_unit_test(test_syn_received),
	    cmocka_unit_test(test_syn_sent),
	    cmocka_unit_test(test_syn_sent_data),
	    cmocka_unit_test(test_simultaneous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
