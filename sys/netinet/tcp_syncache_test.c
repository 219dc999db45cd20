/* SPDX-License-Identifier: BSD-2-Clause */
/* The SYN cache: floods, limits, what a connection has from its handshake, failing memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/testutil.h"
#include "netinet/tcp_testutil.h"

#define MS 1000000ull
#define FLOOD 100000u

static uint64_t
stat_of(const struct tcp_test *tt, unsigned which)
{
	return tt->tt_ns->ns_tcp->tcps_stat[which];
}

static uint32_t
count(const struct tcp_test *tt)
{
	return tt->tt_ns->ns_tcp->tcps_syncache.sch_count;
}

static struct tcp_test_seg
from(const struct tcp_test *tt, uint16_t sport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, flags);

	seg.th.th_sport = sport;
	seg.th.th_seq = seq;
	seg.th.th_ack = ack;
	return seg;
}

/* A SYN of the peer's port sport with number 100. => our number in the SYN,ACK */
static uint32_t
syn(struct tcp_test *tt, uint16_t sport)
{
	struct tcp_test_seg seg = from(tt, sport, TH_SYN, 100, 0);
	struct tcp_test_out out;

	tcp_test_input(tt, &seg);
	assert_int_equal(tcp_test_nsent(tt), 1);
	out = *tcp_test_sent(tt);
	tcp_test_forget(tt);
	assert_int_equal(out.th.th_flags, TH_SYN | TH_ACK);
	assert_int_equal(out.th.th_dport, sport);
	return out.th.th_seq;
}

static void
ack(struct tcp_test *tt, uint16_t sport, uint32_t iss)
{
	struct tcp_test_seg seg = from(tt, sport, TH_ACK, 101, iss + 1);

	tcp_test_input(tt, &seg);
}

/* -- floods ---------------------------------------------------------------------------------- */

/* A SYN that somebody made up: his address or anyone's, any options, any number. */
static struct tcp_test_seg
forged(const struct tcp_test *tt, struct rng *rng, bool spoofed)
{
	struct tcp_test_seg seg = from(tt, (uint16_t)(1 + rng_below(rng, 65535)), TH_SYN, 0, 0);
	const uint32_t dice = rng_u32(rng);

	seg.th.th_seq = rng_u32(rng);
	seg.th.th_flags |= (dice & 0x10) != 0 ? TH_ECE | TH_CWR : 0;
	seg.src = 0x0b000000u | (spoofed ? rng_below(rng, 1u << 24) : 1);
	seg.opts = (struct tcp_opts){
	    .to_flags = ((dice & 1) != 0 ? TOF_MSS : 0) | ((dice & 2) != 0 ? TOF_TS : 0) |
		((dice & 4) != 0 ? TOF_WSCALE : 0) | ((dice & 8) != 0 ? TOF_SACKPERM : 0),
	    .to_mss = (uint16_t)(dice >> 16),
	    .to_wscale = (uint8_t)(dice >> 8 & 15),
	    .to_tsval = rng_u32(rng),
	};
	return seg;
}

static void
flood(struct tcp_test *tt, bool spoofed)
{
	const struct tcp_state *ts = tt->tt_ns->ns_tcp;
	const uint32_t tcpcbs = ts->tcps_tcpcbpool.pl_nout;
	struct rng rng;
	uint8_t seed[32] = {1};

	rng_init(&rng, seed);
	for (uint32_t i = 0; i < FLOOD; i++) {
		struct tcp_test_seg seg = forged(tt, &rng, spoofed);

		tcp_test_input(tt, &seg);
		tcp_test_forget(tt);
	}
	assert_int_equal(ts->tcps_tcpcbpool.pl_nout, tcpcbs);
	assert_in_range(count(tt), 1, TCP_SYNCACHE_CACHELIMIT);
	assert_in_range(ts->tcps_syncache.sch_pool.pl_hiwat, 1, TCP_SYNCACHE_CACHELIMIT);
	assert_int_equal(tt->tt_listen->so_q0len, count(tt));
	assert_true(stat_of(tt, TCPSTAT_sc_bucketoverflow) > 0);
	assert_int_equal(stat_of(tt, TCPSTAT_sc_sendcookie) > 0, ts->tcps_sysctl.syncookies != 0);
}

/* 63: what is established goes on, a newcomer gets in, nothing is left. */
static void
test_flood(void **state)
{
	(void)state;
	for (uint32_t way = 0; way < 4; way++) {
		const bool spoofed = (way & 1) != 0;
		struct tcp_test tt;
		struct tcp_test_seg seg;
		uint32_t iss;

		tcp_test_start(&tt);
		tt.tt_ns->ns_tcp->tcps_sysctl.syncookies = way >> 1;
		(void)tcp_test_in_state(&tt, TCPS_LISTEN);
		iss = syn(&tt, TT_PEER);
		ack(&tt, TT_PEER, iss);
		assert_int_equal(tt.tt_listen->so_qlen, 1);
		tcp_test_forget(&tt);
		flood(&tt, spoofed);
		seg = from(&tt, TT_PEER, TH_ACK | TH_PUSH, 101, iss + 1);
		seg.len = 5;
		seg.data = (const uint8_t *)"hello";
		tcp_test_input(&tt, &seg);
		assert_int_equal(TAILQ_FIRST(&tt.tt_listen->so_q)->so_rcv.sb_cc, 5);
		tcp_test_forget(&tt);
		iss = syn(&tt, 999);
		ack(&tt, 999, iss);
		assert_int_equal(tt.tt_listen->so_qlen, 2);
		tt.tt_outerror = BSD_ENETDOWN;
		tcp_test_advance(&tt, 16 * 1000 * MS);
		assert_int_equal(count(&tt), 0);
		assert_int_equal(tt.tt_listen->so_q0len, 0);
		tcp_test_end(&tt);
	}
}

/* 63: the limits of a bucket and of all, and the oldest goes first. */
static void
test_limits(void **state)
{
	struct tcp_test tt;
	uint32_t first;

	(void)state;
	tcp_test_start(&tt);
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	tt.tt_ns->ns_tcp->tcps_sysctl.syncookies = 0;
	tt.tt_ns->ns_tcp->tcps_sysctl.syncache_bucketlimit = 1;
	for (uint16_t i = 0; i < 2 * TCP_SYNCACHE_HASHSIZE; i++)
		(void)syn(&tt, (uint16_t)(1000 + i));
	assert_in_range(count(&tt), TCP_SYNCACHE_HASHSIZE / 2, TCP_SYNCACHE_HASHSIZE);
	assert_int_equal(stat_of(&tt, TCPSTAT_sc_bucketoverflow),
	    2 * TCP_SYNCACHE_HASHSIZE - count(&tt));
	tt.tt_ns->ns_tcp->tcps_sysctl.syncache_bucketlimit = 1000;
	tt.tt_ns->ns_tcp->tcps_sysctl.syncache_cachelimit = 10;
	first = syn(&tt, 5000);
	assert_int_equal(count(&tt), 10);
	for (uint16_t i = 1; i < 10; i++)
		(void)syn(&tt, (uint16_t)(5000 + i));
	ack(&tt, 5000, first); /* it was the oldest, and is still there */
	assert_int_equal(tt.tt_listen->so_qlen, 1);
	assert_int_equal(count(&tt), 9);
	tcp_test_end(&tt);
}

/* -- handshakes ------------------------------------------------------------------------------ */

/* What both ends named in their SYNs holds for the connection. */
static void
test_options_kept(void **state)
{
	struct tcp_test tt;
	struct tcp_test_seg seg;
	const struct tcp_test_out *out;
	struct tcpcb *tp;

	(void)state;
	tcp_test_start(&tt);
	tt.tt_ts = tt.tt_sack = true;
	tt.tt_wscale = 7;
	tt.tt_mss = 1000;
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	seg = from(&tt, TT_PEER, TH_SYN | TH_ECE | TH_CWR, 100, 0);
	tcp_test_input(&tt, &seg);
	out = tcp_test_sent(&tt);
	assert_int_equal(out->th.th_flags, TH_SYN | TH_ACK | TH_ECE);
	assert_int_equal(out->opts.to_flags, TOF_MSS | TOF_WSCALE | TOF_SACKPERM | TOF_TS);
	assert_int_equal(out->opts.to_tsecr, seg.opts.to_tsval);
	tcp_test_advance(&tt, 50 * MS);
	ack(&tt, TT_PEER, out->th.th_seq);
	tp = intotcpcb(TAILQ_FIRST(&tt.tt_listen->so_q)->so_pcb);
	assert_int_equal(tp->t_state, TCPS_ESTABLISHED);
	assert_int_equal(tp->t_flags & (TF_RCVD_SCALE | TF_RCVD_TSTMP | TF_SACK_PERMIT),
	    TF_RCVD_SCALE | TF_RCVD_TSTMP | TF_SACK_PERMIT);
	assert_int_equal(tp->t_ecn & TE_PERMIT, TE_PERMIT);
	assert_int_equal(tp->snd_scale, 7);
	assert_int_equal(tp->rcv_scale, out->opts.to_wscale);
	assert_int_equal(tp->t_maxseg, 1000 - TCPOLEN_TS_ALIGNED);
	assert_int_equal(tcp_ts_now(tp), out->opts.to_tsval + 50);
	assert_int_equal(tp->t_srtt_us, 50000);
	assert_int_equal(tp->rcv_adv, 101 + out->th.th_win);
	tcp_test_end(&tt);
}

/* The SYN comes again: the same number, the newest timestamp, but not as often as it likes. */
static void
test_syn_again(void **state)
{
	struct tcp_test tt;
	struct tcp_test_seg seg;
	const struct tcp_test_out *out;
	uint32_t iss;

	(void)state;
	tcp_test_start(&tt);
	tt.tt_ts = true;
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	iss = syn(&tt, TT_PEER);
	tcp_test_advance(&tt, 600 * MS);
	seg = from(&tt, TT_PEER, TH_SYN, 100, 0);
	tcp_test_input(&tt, &seg);
	out = tcp_test_sent(&tt);
	assert_non_null(out);
	assert_int_equal(out->th.th_seq, iss);
	assert_int_equal(out->opts.to_tsecr, seg.opts.to_tsval);
	tcp_test_input(&tt, &seg);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	assert_int_equal(count(&tt), 1);
	assert_int_equal(stat_of(&tt, TCPSTAT_sc_dupsyn), 2);
	seg.th.th_flags = TH_RST;
	seg.th.th_seq = 101;
	tcp_test_input(&tt, &seg);
	assert_int_equal(count(&tt), 0);
	assert_int_equal(stat_of(&tt, TCPSTAT_sc_reset), 1);
	tcp_test_end(&tt);
}

/* 64: without an entry a guess is worth nothing, with one it changes nothing. */
static void
test_guesses(void **state)
{
	struct tcp_test tt;
	uint32_t iss;

	(void)state;
	tcp_test_start(&tt);
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	iss = syn(&tt, TT_PEER);
	for (uint32_t i = 1; i <= 500; i++) {
		ack(&tt, i % 2 != 0 ? TT_PEER : 999, iss + i * 8191);
		assert_int_equal(tcp_test_sent(&tt)->th.th_flags, TH_RST);
		tcp_test_forget(&tt);
	}
	assert_int_equal(tt.tt_listen->so_qlen, 0);
	ack(&tt, TT_PEER, iss);
	assert_int_equal(tt.tt_listen->so_qlen, 1);
	tcp_test_end(&tt);
}

/* 76: the last ACK at each allocation failing: it is dropped, and when it comes again, taken. */
static void
test_ack_no_memory(void **state)
{
	uint64_t left = 0;
	unsigned failed = 0;

	(void)state;
	for (uint64_t n = 1; left == 0; n++) {
		struct tcp_test tt;
		struct tcp_test_seg seg;
		struct tcp_segment ts;
		struct in_rxinfo rx;
		uint32_t iss;

		tcp_test_start(&tt);
		(void)tcp_test_in_state(&tt, TCPS_LISTEN);
		iss = syn(&tt, TT_PEER);
		tcp_test_forget(&tt);
		seg = from(&tt, TT_PEER, TH_ACK, 101, iss + 1);
		tcp_test_segment(&tt, &seg, &rx, &ts);
		tt.tt_ns->ns_fault.af_fail_at = n;
		tcp_verdict_apply(tt.tt_ns, tt.tt_tp, &ts, tcp_segment_arrives(tt.tt_tp, &ts));
		left = tt.tt_ns->ns_fault.af_fail_at;
		tt.tt_ns->ns_fault.af_fail_at = 0;
		failed += left == 0 && count(&tt) == 1;
		assert_int_equal(tcp_test_nsent(&tt), 0);
		ack(&tt, TT_PEER, iss);
		assert_int_equal(tt.tt_listen->so_qlen, 1);
		assert_int_equal(count(&tt), 0);
		tcp_test_end(&tt);
	}
	assert_true(failed >= 3); /* socket, pcb, tcpcb */
}

/* -- cookies --------------------------------------------------------------------------------- */

/* What a cookie brings back of each scale and segment size: never more than the peer said. */
static void
test_cookie_values(void **state)
{
	static const uint16_t sizes[] = {64, 300, 536, 1459, 1460, 9000};

	(void)state;
	for (int scale = -1; scale < 15; scale++) {
		for (size_t i = 0; i < nitems(sizes); i++) {
			struct tcp_test tt;
			struct tcpcb *tp;

			tcp_test_start(&tt);
			tt.tt_wscale = scale;
			tt.tt_mss = sizes[i];
			tt.tt_sack = i % 2 != 0;
			tt.tt_ts = scale % 2 != 0;
			tt.tt_ns->ns_tcp->tcps_sysctl.minmss = 64;
			tt.tt_ns->ns_tcp->tcps_sysctl.syncookies_only = 1;
			(void)tcp_test_in_state(&tt, TCPS_LISTEN);
			ack(&tt, TT_PEER, syn(&tt, TT_PEER));
			assert_int_equal(tt.tt_listen->so_qlen, 1);
			assert_int_equal(count(&tt), 0);
			tp = intotcpcb(TAILQ_FIRST(&tt.tt_listen->so_q)->so_pcb);
			assert_in_range(tp->t_peermss, KERN_MIN(sizes[i], 1460) / 2,
			    sizes[i] < 1460 ? sizes[i] : 1460);
			assert_in_range(tp->snd_scale, 0, scale > 0 ? (uint32_t)scale : 0);
			assert_int_equal((tp->t_flags & TF_RCVD_SCALE) != 0, scale >= 0);
			assert_int_equal((tp->t_flags & TF_SACK_PERMIT) != 0, tt.tt_sack);
			assert_int_equal((tp->t_flags & TF_RCVD_TSTMP) != 0, tt.tt_ts);
			tcp_test_end(&tt);
		}
	}
}

/* 64: a cookie is its peer's, for its SYN; guesses while some are out are counted and reset. */
static void
test_cookie_guessed(void **state)
{
	struct tcp_test tt;
	struct tcp_test_seg seg;
	uint32_t iss;

	(void)state;
	tcp_test_start(&tt);
	tt.tt_ns->ns_tcp->tcps_sysctl.syncookies_only = 1;
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	iss = syn(&tt, TT_PEER);
	for (uint32_t i = 0; i < 1000; i++) {
		seg = from(&tt, (uint16_t)(i % 2 != 0 ? TT_PEER : 999), TH_ACK, 101, iss + 1);
		if (i % 4 == 1)
			seg.th.th_ack += 1 + 8191 * i;
		else if (i % 4 == 3)
			seg.th.th_seq += 1 + i;
		tcp_test_input(&tt, &seg);
		assert_int_equal(tcp_test_sent(&tt)->th.th_flags, TH_RST);
		tcp_test_forget(&tt);
	}
	assert_int_equal(stat_of(&tt, TCPSTAT_sc_badcookie), 1000);
	assert_int_equal(tt.tt_ns->ns_tcp->tcps_tcpcbpool.pl_nout, 1);
	ack(&tt, TT_PEER, iss);
	assert_int_equal(tt.tt_listen->so_qlen, 1);
	tcp_test_end(&tt);
}

/* At the very beginning of the clock, too, a cookie is out once it was sent, and not before. */
static void
test_cookie_at_zero(void **state)
{
	struct tcp_test tt;
	uint32_t iss;

	(void)state;
	tcp_test_start_at(&tt, 0);
	tt.tt_ns->ns_tcp->tcps_sysctl.syncookies_only = 1;
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	ack(&tt, TT_PEER, 1000);
	assert_int_equal(stat_of(&tt, TCPSTAT_sc_badcookie), 0); /* not looked at */
	tcp_test_forget(&tt);
	iss = syn(&tt, TT_PEER);
	assert_int_equal(tt.tt_ns->ns_now, 0);
	ack(&tt, TT_PEER, iss);
	assert_int_equal(tt.tt_listen->so_qlen, 1);
	tcp_test_end(&tt);
}

/* At zero, and where milliseconds in 32 bits begin anew, a SYN that comes again is answered once. */
static void
test_syn_again_at_zero(void **state)
{
	static const uint64_t times[] = {0, (1ull << 32) * MS - 100 * MS, (1ull << 32) * MS};

	(void)state;
	for (size_t i = 0; i < nitems(times); i++) {
		struct tcp_test tt;
		struct tcp_test_seg seg;

		tcp_test_start_at(&tt, times[i]);
		(void)tcp_test_in_state(&tt, TCPS_LISTEN);
		(void)syn(&tt, TT_PEER);
		seg = from(&tt, TT_PEER, TH_SYN, 100, 0);
		for (unsigned n = 0; n < 10; n++) {
			tcp_test_input(&tt, &seg);
			tcp_test_advance(&tt, 20 * MS);
		}
		assert_int_equal(tcp_test_nsent(&tt), 1);
		tcp_test_advance(&tt, 301 * MS);
		tcp_test_input(&tt, &seg);
		assert_int_equal(tcp_test_nsent(&tt), 2);
		tcp_test_end(&tt);
	}
}

/* 63, 76: without memory for an entry the SYN is answered by a cookie. */
static void
test_cookie_no_memory(void **state)
{
	struct tcp_test tt;
	uint32_t iss;

	(void)state;
	tcp_test_start(&tt);
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	pool_setlimit(&tt.tt_ns->ns_tcp->tcps_syncache.sch_pool, 1);
	(void)syn(&tt, TT_PEER);
	iss = syn(&tt, 999);
	assert_int_equal(stat_of(&tt, TCPSTAT_sc_zonefail), 1);
	assert_int_equal(stat_of(&tt, TCPSTAT_sc_sendcookie), 1);
	ack(&tt, 999, iss);
	assert_int_equal(tt.tt_listen->so_qlen, 1);
	tcp_test_end(&tt);
}

/* TCP_KEEPINIT of the listener: later no handshake ends, nor is its SYN,ACK sent again. */
static void
test_keepinit(void **state)
{
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_TCP,
	    .sopt_name = BSD_TCP_KEEPINIT,
	    .sopt_size = sizeof(int)};
	const int limit_s = 2;
	struct tcp_test tt;
	uint32_t iss[3];

	(void)state;
	tcp_test_start(&tt);
	(void)tcp_test_in_state(&tt, TCPS_LISTEN);
	memcpy(sopt.sopt_data, &limit_s, sizeof(limit_s));
	assert_int_equal(sosetopt(tt.tt_listen, &sopt), 0);
	for (uint16_t i = 0; i < 3; i++)
		iss[i] = syn(&tt, 1000 + i);
	tcp_test_advance(&tt, 1999 * MS);
	assert_int_equal(tcp_test_nsent(&tt), 3); /* all once more after a second */
	tcp_test_forget(&tt);
	ack(&tt, 1000, iss[0]);
	assert_int_equal(tt.tt_listen->so_qlen, 1);
	tcp_test_advance(&tt, 1 * MS);
	ack(&tt, 1001, iss[1]);
	assert_int_equal(tt.tt_listen->so_qlen, 1);
	assert_int_equal(tcp_test_sent(&tt)->th.th_flags, TH_RST);
	assert_int_equal(count(&tt), 1);
	tcp_test_advance(&tt, 60000 * MS);
	assert_int_equal(tcp_test_nsent(&tt), 0);
	assert_int_equal(count(&tt), 0);
	assert_int_equal(stat_of(&tt, TCPSTAT_sc_stale), 2);
	tcp_test_end(&tt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_flood),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_options_kept),
	    cmocka_unit_test(test_syn_again),
	    cmocka_unit_test(test_guesses),
	    cmocka_unit_test(test_ack_no_memory),
	    cmocka_unit_test(test_cookie_values),
	    cmocka_unit_test(test_cookie_guessed),
	    cmocka_unit_test(test_cookie_at_zero),
	    cmocka_unit_test(test_syn_again_at_zero),
	    cmocka_unit_test(test_cookie_no_memory),
	    cmocka_unit_test(test_keepinit),
	};

	return cmocka_run_group_tests_name("tcp_syncache", tests, NULL, NULL);
}
