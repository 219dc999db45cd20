/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pacing: its arithmetic, memory that is not there, timers that come late, and streams over a bad
 * wire that arrive whole and never faster than the rate. Single rules are in tests/scripts/pacing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_inspect.h"
#include "netinet/tcp_pacing.h"
#include "netinet/tcp_testutil.h"
#include "netinet/tcp_wire_testutil.h"
#include "wire/tcp_seq.h"

#define MS 1000000ull
#define MSS 1460u
#define SEC_NS 1000000000ull
#define STREAM (256u * 1024)

static uint8_t bytes[STREAM];

static uint8_t
pattern(size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8));
}

/* => errno */
static int
set_rate(struct socket *so, uint64_t rate)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_MAX_PACING_RATE,
	    .sopt_size = sizeof(rate)};

	memcpy(sopt.sopt_data, &rate, sizeof(rate));
	return sosetopt(so, &sopt);
}

static uint64_t
get_rate(struct socket *so, size_t room)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_MAX_PACING_RATE,
	    .sopt_size = room};
	uint64_t rate = 0;

	assert_int_equal(sogetopt(so, &sopt), 0);
	assert_int_equal(sopt.sopt_size, KERN_MIN(room, room < 8 ? 4u : 8u));
	memcpy(&rate, sopt.sopt_data, sopt.sopt_size);
	return rate;
}

/* -- arithmetic ------------------------------------------------------------------------------ */

/* The least time in which len bytes are not faster than rate, for all of either. */
static void
test_time_is_exact(void **state)
{
	static const struct {
		uint32_t len;
		uint64_t rate, ns;
	} rows[] = {
	    {0, 1, 0},
	    {1, 1, SEC_NS},
	    {1, 3, 333333334},
	    {1448, 1448000, MS},
	    {1448, 1447999, MS + 1},
	    {1, SEC_NS, 1},
	    {1, SEC_NS + 1, 1},
	    {UINT32_MAX, 1, UINT32_MAX * SEC_NS},
	    {UINT32_MAX, UINT64_MAX, 1},
	    {65535, UINT64_MAX - 1, 1},
	    {0, UINT64_MAX, 0},
	};
	uint64_t rate = 0x9e3779b97f4a7c15u;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		assert_int_equal(tcp_pacing_ns(rows[i].len, rows[i].rate), rows[i].ns);
	for (unsigned i = 0; i < 200000; i++) {
		const uint64_t r =
		    (rate = rate * 6364136223846793005u + 1442695040888963407u) >> (i % 63);
		const uint32_t len = (uint32_t)(rate >> 32) >> (i % 31);
		const uint64_t ns = tcp_pacing_ns(len, KERN_MAX(r, 1u));
		const unsigned __int128 need = (unsigned __int128)len * SEC_NS;

		assert_true((unsigned __int128)ns * KERN_MAX(r, 1u) >= need);
		assert_true(ns == 0 || (unsigned __int128)(ns - 1) * KERN_MAX(r, 1u) < need);
	}
}

static void
test_burst(void **state)
{
	(void)state;
	assert_int_equal(tcp_pacing_burst(0, 1448), 2 * 1448);
	assert_int_equal(tcp_pacing_burst(1, 1448), 2 * 1448);
	assert_int_equal(tcp_pacing_burst(3 * 1448 * 1024ull - 1, 1448), 2 * 1448);
	assert_int_equal(tcp_pacing_burst(3 * 1448 * 1024ull, 1448), 3 * 1448);
	assert_int_equal(tcp_pacing_burst(10000000, 1448), 6 * 1448);
	assert_int_equal(tcp_pacing_burst(UINT64_MAX, 1448), UINT32_MAX / 1448 * 1448);
	assert_int_equal(tcp_pacing_burst(UINT64_MAX, 1), UINT32_MAX);
	assert_int_equal(tcp_pacing_burst(UINT64_MAX, UINT16_MAX), UINT32_MAX / 65535 * 65535);
}

/* A window a round trip, twice that in slow start, a fifth more later. */
static void
test_algorithm_rate(void **state)
{
	struct tcpcb tp = {.t_maxseg = MSS, .snd_ssthresh = TCP_CC_CWND_MAX};

	(void)state;
	tp.snd_cwnd = 10 * MSS;
	assert_int_equal(tcp_cc_pacing(&tp), UINT64_MAX);
	tp.t_srtt_us = 100000;
	assert_int_equal(tcp_cc_pacing(&tp), 2 * 10 * MSS * 10);
	tp.snd_ssthresh = 20 * MSS + 1;
	assert_int_equal(tcp_cc_pacing(&tp), 12 * MSS * 10); /* half of it is as good as there */
	tp.snd_ssthresh = 20 * MSS + 2;
	assert_int_equal(tcp_cc_pacing(&tp), 20 * MSS * 10);
	tp.snd_ssthresh = 10 * MSS;
	assert_int_equal(tcp_cc_pacing(&tp), 12 * MSS * 10);
	tp.snd_una = UINT32_MAX - 5; /* more in flight than the window: after a loss */
	tp.snd_max = tp.snd_una + 50 * MSS;
	assert_int_equal(tcp_cc_pacing(&tp), 60 * MSS * 10);
	tp.snd_max = tp.snd_una;
	tp.snd_cwnd = TCP_CC_CWND_MAX;
	tp.t_srtt_us = 1;
	assert_int_equal(tcp_cc_pacing(&tp), TCP_CC_CWND_MAX * 1200000ull);
	tp.snd_cwnd = 1;
	tp.t_srtt_us = UINT32_MAX;
	assert_int_equal(tcp_cc_pacing(&tp), 1);
	assert_ptr_equal(tcp_cc_cubic.cc_pacing, tcp_cc_pacing);
	assert_ptr_equal(tcp_cc_newreno.cc_pacing, tcp_cc_pacing);
}

/* -- the option ------------------------------------------------------------------------------ */

/* In 32 bits or in 64, as the caller has room; all ones of either is no limit. */
static void
test_option_forms(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp;
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET, .sopt_name = BSD_SO_MAX_PACING_RATE};
	uint32_t narrow = 123456;

	(void)state;
	tcp_test_start(&tt);
	tp = tcp_test_in_state(&tt, TCPS_CLOSED);
	assert_int_equal(get_rate(tt.tt_so, 8), UINT64_MAX);
	assert_int_equal(get_rate(tt.tt_so, 4), UINT32_MAX);
	assert_int_equal(get_rate(tt.tt_so, 3), 0xffffff);
	assert_null(tp->t_pacing);
	for (sopt.sopt_size = 0; sopt.sopt_size < sizeof(narrow); sopt.sopt_size++)
		assert_int_equal(sosetopt(tt.tt_so, &sopt), BSD_EINVAL);
	memcpy(sopt.sopt_data, &narrow, sizeof(narrow));
	sopt.sopt_size = sizeof(narrow) + 3;
	assert_int_equal(sosetopt(tt.tt_so, &sopt), 0);
	assert_int_equal(get_rate(tt.tt_so, 8), 123456);
	assert_int_equal(get_rate(tt.tt_so, 7), 123456);
	assert_non_null(tp->t_pacing);
	assert_int_equal(set_rate(tt.tt_so, 5000000000u), 0);
	assert_int_equal(get_rate(tt.tt_so, 16), 5000000000u);
	assert_int_equal(get_rate(tt.tt_so, 4), UINT32_MAX);
	assert_int_equal(set_rate(tt.tt_so, UINT32_MAX), 0); /* 64 bits that are a number */
	assert_int_equal(tp->t_pacing->pa_max, UINT32_MAX);
	narrow = UINT32_MAX;
	memcpy(sopt.sopt_data, &narrow, sizeof(narrow));
	sopt.sopt_size = sizeof(narrow);
	assert_int_equal(sosetopt(tt.tt_so, &sopt), 0);
	assert_int_equal(get_rate(tt.tt_so, 8), UINT64_MAX);
	assert_null(tp->t_pacing);
	/* 0 paces nothing, and is told. */
	assert_int_equal(set_rate(tt.tt_so, 0), 0);
	assert_int_equal(get_rate(tt.tt_so, 8), 0);
	assert_int_equal(tcp_pacing_rate(tp), UINT64_MAX);
	tcp_test_end(&tt);
}

/* Without memory for the record: the option fails, the setting paces nothing. */
static void
test_no_memory(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp;
	struct tcp_pacing *only;

	(void)state;
	tcp_test_start(&tt);
	tp = tcp_test_in_state(&tt, TCPS_ESTABLISHED);
	pool_setlimit(&tt.tt_ns->ns_tcp->tcps_pacingpool, 1);
	only = pool_get(&tt.tt_ns->ns_tcp->tcps_pacingpool);
	assert_int_equal(set_rate(tt.tt_so, 100000), BSD_ENOBUFS);
	assert_int_equal(set_rate(tt.tt_so, UINT64_MAX), 0);
	assert_int_equal(get_rate(tt.tt_so, 8), UINT64_MAX);
	tt.tt_ns->ns_tcp->tcps_sysctl.pacing = 1;
	tcp_pacing_start(tp);
	assert_null(tp->t_pacing);
	assert_int_equal(tcp_test_write(&tt, bytes, 5 * MSS), 0);
	assert_int_equal(tp->snd_max - tp->snd_una, 5 * MSS);
	pool_put(&tt.tt_ns->ns_tcp->tcps_pacingpool, only);
	tcp_pacing_start(tp);
	assert_non_null(tp->t_pacing);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_pacingpool.pl_nout, 1);
	tcp_test_end(&tt);
}

/* A connection of a paced listener that cannot be paced does not come to be. */
static void
test_no_memory_to_inherit(void **state)
{
	struct wire w;
	struct socket *head, *so, *conn;
	struct tcp_pacing *only;

	(void)state;
	wire_start(&w, SEC_NS);
	head = wire_listen(&w, 1, WIRE_PORT);
	assert_int_equal(set_rate(head, 250000), 0);
	pool_setlimit(&w.w_ns[1]->ns_tcp->tcps_pacingpool, 2);
	only = pool_get(&w.w_ns[1]->ns_tcp->tcps_pacingpool);
	so = wire_socket(&w, 0);
	assert_int_equal(wire_connect(&w, so, 0, WIRE_PORT), 0);
	wire_run(&w, SEC_NS);
	assert_null(wire_accept(head));
	pool_put(&w.w_ns[1]->ns_tcp->tcps_pacingpool, only);
	so = wire_socket(&w, 0);
	assert_int_equal(wire_connect(&w, so, 0, WIRE_PORT), 0);
	wire_run(&w, SEC_NS);
	conn = wire_accept(head);
	assert_non_null(conn);
	assert_int_equal(get_rate(conn, 8), 250000);
	wire_end(&w);
}

/* -- timers ---------------------------------------------------------------------------------- */

static struct tcpcb *
paced(struct tcp_test *tt, uint64_t rate)
{
	struct tcpcb *tp;

	tcp_test_start(tt);
	tp = tcp_test_in_state(tt, TCPS_ESTABLISHED);
	tt->tt_ns->ns_tcp->tcps_sysctl.tso = 1;
	tp->snd_cwnd = TT_PEERWIN;
	tp->t_srtt_us = 1; /* the algorithm's rate is no limit */
	assert_int_equal(set_rate(tt->tt_so, rate), 0);
	return tp;
}

/* So much later the timers run for the first time. */
static void
late(struct tcp_test *tt, uint64_t delta_ns)
{
	netstack_enter(tt->tt_ns, tt->tt_ns->ns_now + delta_ns);
	netstack_run(tt->tt_ns);
}

/* Two segments a time, then what is due if the timer comes late, but no more than 10 ms of it. */
static void
test_late_timer(void **state)
{
	const uint64_t gap_ns = 2 * MS;
	struct tcp_test tt;
	struct tcpcb *tp = paced(&tt, 2 * MSS * 500);
	const tcp_seq base = tp->snd_una;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 40 * MSS), 0);
	assert_int_equal(tp->snd_max - base, 2 * MSS);
	assert_true(tcp_timer_isarmed(tp, TCPT_PACE));
	tcp_test_advance(&tt, gap_ns - 1);
	assert_int_equal(tp->snd_max - base, 2 * MSS);
	tcp_test_advance(&tt, 1);
	assert_int_equal(tp->snd_max - base, 4 * MSS);
	late(&tt, 3 * gap_ns + gap_ns / 2); /* two gaps and a half */
	assert_int_equal(tp->snd_max - base, 10 * MSS);
	late(&tt, gap_ns / 2);
	assert_int_equal(tp->snd_max - base, 12 * MSS);
	late(&tt, 20 * gap_ns);
	assert_int_equal(tp->snd_max - base, 12 * MSS + (5 + 1) * 2 * MSS);
	assert_null(tcp_inspect_check(tp));
	tcp_test_end(&tt);
}

/* With nothing held back no timer runs; the time that passes is not saved up. */
static void
test_idle(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = paced(&tt, 2 * MSS * 500);
	struct tcp_test_seg seg;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 2 * MSS), 0);
	assert_int_equal(tp->snd_max - tp->snd_una, 2 * MSS);
	assert_false(tcp_timer_isarmed(tp, TCPT_PACE));
	seg = tcp_test_seg(&tt, TH_ACK);
	tcp_test_input(&tt, &seg);
	assert_false(tcp_timer_isarmed(tp, TCPT_PACE));
	tcp_test_advance(&tt, 100 * MS);
	assert_int_equal(tcp_test_write(&tt, bytes, 10 * MSS), 0);
	assert_int_equal(tp->snd_max - tp->snd_una, 2 * MSS);
	assert_true(tcp_timer_isarmed(tp, TCPT_PACE));
	tcp_test_advance(&tt, 8 * MS);
	assert_int_equal(tp->snd_max - tp->snd_una, 10 * MSS);
	assert_false(tcp_timer_isarmed(tp, TCPT_PACE));
	/* It is not pacing that a short segment waits for. */
	assert_int_equal(tcp_test_write(&tt, bytes, 10), 0);
	assert_int_equal(tp->snd_max - tp->snd_una, 10 * MSS);
	assert_false(tcp_timer_isarmed(tp, TCPT_PACE));
	tcp_test_end(&tt);
}

/* What is held back with nothing in flight does not wait for the peer's window. */
static void
test_no_probe(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = paced(&tt, 2 * MSS);
	struct tcp_test_seg seg;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 4 * MSS), 0);
	seg = tcp_test_seg(&tt, TH_ACK);
	tcp_test_input(&tt, &seg);
	assert_int_equal(tp->snd_max, tp->snd_una);
	assert_int_equal(tp->t_armed & (1u << TCPT_PACE | 1u << TCPT_PERSIST | 1u << TCPT_REXMT),
	    1u << TCPT_PACE);
	assert_null(tcp_inspect_check(tp));
	tcp_test_advance(&tt, SEC_NS);
	assert_int_equal(tp->snd_max - tp->snd_una, 2 * MSS);
	assert_int_equal(tp->t_rxtshift, 0);
	tcp_test_end(&tt);
}

/* The window closes while data are held back: its probe takes over, and the other way round. */
static void
test_window_closes(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = paced(&tt, 2 * MSS * 10);
	struct tcp_test_seg seg;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 10 * MSS), 0);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_win = 0;
	tcp_test_input(&tt, &seg);
	assert_false(tcp_timer_isarmed(tp, TCPT_PACE));
	assert_true(tcp_timer_isarmed(tp, TCPT_PERSIST));
	assert_null(tcp_inspect_check(tp));
	seg.th.th_win = 60000;
	tcp_test_input(&tt, &seg);
	assert_true(tcp_timer_isarmed(tp, TCPT_PACE));
	assert_null(tcp_inspect_check(tp));
	tcp_test_advance(&tt, 100 * MS);
	assert_int_equal(tp->snd_max - tp->snd_una, 2 * MSS);
	assert_false(tcp_timer_isarmed(tp, TCPT_PERSIST));
	assert_null(tcp_inspect_check(tp));
	tcp_test_end(&tt);
}

/* What of a hole waits for its time does not make what was sent of it younger (RFC 8985 §6.2). */
static void
test_hole_keeps_time(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp;
	struct tcp_test_seg seg;
	const struct tcp_sackhole *sh;
	uint32_t time_us;

	(void)state;
	tcp_test_start(&tt);
	tt.tt_sack = true;
	tt.tt_ns->ns_tcp->tcps_sysctl.tlp = 0;
	tp = tcp_test_in_state(&tt, TCPS_ESTABLISHED);
	tp->t_srtt_us = 1;
	assert_int_equal(set_rate(tt.tt_so, 100 * MSS), 0);
	assert_int_equal(tcp_test_write(&tt, bytes, 10 * MSS), 0);
	tcp_test_advance(&tt, 100 * MS);
	assert_int_equal(tp->snd_max - tp->snd_una, 10 * MSS);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_ack = tp->snd_una;
	seg.opts.to_flags = TOF_SACK;
	seg.opts.to_nsacks = 1;
	seg.opts.to_sacks[0].start = tp->snd_una + 5 * MSS;
	seg.opts.to_sacks[0].end = tp->snd_max;
	tcp_test_input(&tt, &seg);
	sh = LIST_FIRST(&tp->t_holes);
	assert_non_null(sh);
	assert_int_equal(sh->sh_rxmit - sh->sh_start, MSS);
	time_us = sh->sh_time_us;
	tcp_test_advance(&tt, 5 * MS);
	assert_int_equal(tcp_output(tp), 0);
	assert_int_equal(sh->sh_rxmit - sh->sh_start, MSS);
	assert_int_equal(sh->sh_time_us, time_us);
	tcp_test_advance(&tt, 5 * MS);
	assert_int_equal(sh->sh_rxmit - sh->sh_start, 2 * MSS);
	assert_int_not_equal(sh->sh_time_us, time_us);
	tcp_test_end(&tt);
}

/* A probe of a closed window waits for its time, too. */
static void
test_probe_waits(void **state)
{
	struct tcp_test tt;
	struct tcpcb *tp = paced(&tt, MSS);
	struct tcp_test_seg seg;

	(void)state;
	assert_int_equal(tcp_test_write(&tt, bytes, 4 * MSS), 0);
	seg = tcp_test_seg(&tt, TH_ACK);
	seg.th.th_win = 0;
	tcp_test_input(&tt, &seg);
	tcp_test_forget(&tt);
	tcp_test_advance(&tt, 2 * SEC_NS - 1);
	assert_null(tcp_test_sent(&tt));
	assert_true(tcp_timer_isarmed(tp, TCPT_PERSIST));
	assert_null(tcp_inspect_check(tp));
	tcp_test_advance(&tt, 1);
	assert_int_equal(tcp_test_nsent(&tt), 1);
	assert_int_equal(tcp_test_sent(&tt)->len, 1);
	tcp_test_end(&tt);
}

/* -- streams --------------------------------------------------------------------------------- */

struct flow {
	struct wire w;
	struct socket *so[2];
	uint64_t rate;
	uint64_t first_ns;
	uint64_t sent; /* bytes of data, all times they were sent */
	uint64_t burst;
	bool exceeded;
	size_t wrote, got;
};

/* From the first segment on: never more than the rate and one burst, retransmissions and all. */
static bool
watch_rate(struct wire *w, unsigned from, struct tcp_hdr *th, uint8_t *seg, size_t len)
{
	struct flow *f = w->w_filterarg;
	unsigned __int128 most;

	(void)seg;
	if (from != 0 || len <= th->th_off)
		return true;
	if (f->sent == 0)
		f->first_ns = w->w_now_ns;
	f->sent += len - th->th_off;
	most = (unsigned __int128)f->rate * (w->w_now_ns - f->first_ns) / SEC_NS;
	f->exceeded = f->exceeded || f->sent > most + f->burst;
	return true;
}

static void
move(struct flow *f)
{
	static uint8_t buf[8192];
	size_t n;

	if (f->wrote < STREAM)
		f->wrote += wire_write(f->so[0], bytes + f->wrote, STREAM - f->wrote, 0);
	while ((n = wire_read(f->so[1], buf, sizeof(buf), NULL)) > 0) {
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern(f->got + i));
		f->got += n;
	}
	for (unsigned i = 0; i < 2; i++)
		assert_null(tcp_inspect_check_all(f->w.w_ns[i]));
}

static void
run_flow(struct flow *f, uint64_t rate, unsigned seed, bool sack)
{
	struct wire *w = &f->w;

	*f = (struct flow){.rate = rate};
	for (size_t i = 0; i < STREAM; i++)
		bytes[i] = pattern(i);
	wire_start(w, SEC_NS);
	for (unsigned i = 0; i < 2; i++) {
		w->w_ns[i]->ns_tcp->tcps_sysctl.pacing = rate == 0;
		w->w_ns[i]->ns_tcp->tcps_sysctl.sack_enable = sack;
	}
	wire_pair(w, f->so);
	w->w_delay_ns = 10 * MS;
	w->w_seed = seed;
	w->w_loss_permille = w->w_dup_permille = w->w_reorder_permille = 20;
	if (rate != 0) {
		assert_int_equal(set_rate(f->so[0], rate), 0);
		f->burst = tcp_pacing_burst(rate, wire_tcpcb(f->so[0])->t_maxseg);
		w->w_filter = watch_rate;
		w->w_filterarg = f;
	}
	for (unsigned i = 0; i < 100000 && f->got < STREAM; i++) {
		move(f);
		wire_run(w, MS);
	}
	assert_int_equal(f->got, STREAM);
	assert_false(f->exceeded);
}

static void
test_streams_at_a_rate(void **state)
{
	static const uint64_t rates[] = {20000, 300000, 5000000};
	static struct flow f;

	(void)state;
	for (unsigned seed = 1; seed <= 12; seed++) {
		const uint64_t rate = rates[seed % nitems(rates)];

		run_flow(&f, rate, seed, seed % 2 == 0);
		/* No less, either: a quarter is what losses and their time-outs may cost. */
		if (rate <= 300000)
			assert_true(
			    (f.w.w_now_ns - f.first_ns) * (rate / 1000) / 1000000 < 5 * f.sent / 2);
		wire_end(&f.w);
	}
}

static void
test_streams_by_setting(void **state)
{
	static struct flow f;

	(void)state;
	for (unsigned seed = 1; seed <= 12; seed++) {
		run_flow(&f, 0, seed, seed % 2 == 0);
		assert_non_null(wire_tcpcb(f.so[0])->t_pacing);
		assert_true(f.w.w_ns[0]->ns_tcp->tcps_stat[TCPSTAT_sndpaced] > 0);
		wire_end(&f.w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_time_is_exact),
	    cmocka_unit_test(test_burst),
	    cmocka_unit_test(test_algorithm_rate),
	    cmocka_unit_test(test_option_forms),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_no_memory_to_inherit),
	    cmocka_unit_test(test_late_timer),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_no_probe),
	    cmocka_unit_test(test_window_closes),
	    cmocka_unit_test(test_probe_waits),
	    cmocka_unit_test(test_hole_keeps_time),
	    cmocka_unit_test(test_streams_at_a_rate),
	    cmocka_unit_test(test_streams_by_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
