/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TIME-WAIT: whole, while a program has the socket, and as a record: both answer alike. What a
 * record costs, how long it lasts, who sees it, and what happens when there is no memory for one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "netinet/tcp_inspect.h"
#include "netinet/tcp_testutil.h"
#include "wire/tcp_seq.h"

#define MS 1000000ull

/* A connection in TIME-WAIT, and its numbers, which outlive the tcpcb. */
struct over {
	struct tcp_test tt;
	tcp_seq snd_nxt;
	tcp_seq rcv_nxt;
	uint32_t ts_recent;
	uint16_t lport;
};

static struct tcp_timewait *
records(struct tcp_test *tt)
{
	return &tt->tt_ns->ns_tcp->tcps_timewait;
}

static void
close_it(struct over *o)
{
	assert_int_equal(soclose(o->tt.tt_so), 0);
	o->tt.tt_so = NULL;
	o->tt.tt_tp = NULL;
}

static void
one_more(struct over *o)
{
	struct tcpcb *tp = tcp_test_in_state(&o->tt, TCPS_TIME_WAIT);

	o->snd_nxt = tp->snd_max;
	o->rcv_nxt = tp->rcv_nxt;
	o->ts_recent = tp->ts_recent;
	o->lport = tp->t_inpcb->inp_lport;
}

static void
start(struct over *o, bool ts, bool compact)
{
	tcp_test_start(&o->tt);
	o->tt.tt_ts = ts;
	one_more(o);
	if (compact)
		close_it(o);
}

/* A segment of the peer: in sequence, acknowledging all. */
static struct tcp_test_seg
from_peer(const struct over *o, uint8_t flags)
{
	struct tcp_test_seg seg = tcp_test_seg(&o->tt, flags);

	seg.th.th_dport = o->lport;
	seg.th.th_seq = o->rcv_nxt;
	seg.th.th_ack = (flags & TH_ACK) != 0 ? o->snd_nxt : 0;
	return seg;
}

/* Is the connection, or its record, the only thing left? */
static bool
lasts(struct over *o)
{
	struct tcp_inspect ti;

	if (!tcp_inspect_nth(o->tt.tt_ns, 0, &ti))
		return false;
	assert_int_equal(ti.ti_state, TCPS_TIME_WAIT);
	assert_int_equal(ti.ti_lport, o->lport);
	assert_int_equal(ti.ti_fport, TT_PEER);
	assert_int_equal(ti.ti_faddr[0], TT_THEM);
	assert_int_equal(ti.ti_rcv_nxt, o->rcv_nxt);
	assert_int_equal(ti.ti_snd_nxt, o->snd_nxt);
	assert_null(tcp_inspect_check_all(o->tt.tt_ns));
	return true;
}

static void
nothing(struct over *o)
{
	assert_int_equal(tcp_test_nsent(&o->tt), 0);
}

static void
acked(struct over *o)
{
	const struct tcp_test_out *out = tcp_test_sent(&o->tt);

	assert_non_null(out);
	assert_int_equal(out->th.th_flags, TH_ACK);
	assert_int_equal(out->th.th_seq, o->snd_nxt);
	assert_int_equal(out->th.th_ack, o->rcv_nxt);
	assert_int_equal(out->th.th_sport, o->lport);
	assert_int_equal(out->th.th_dport, TT_PEER);
	assert_true(out->th.th_win > 0);
	assert_int_equal((out->opts.to_flags & TOF_TS) != 0, o->tt.tt_ts);
	if (o->tt.tt_ts)
		assert_int_equal(out->opts.to_tsecr, o->ts_recent);
	nothing(o);
	tcp_test_forget(&o->tt);
}

/* -- segments -------------------------------------------------------------------------------- */

static void
test_segments(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		struct over o;
		struct tcp_test_seg seg;

		start(&o, (how & 1) != 0, (how & 2) != 0);
		seg = from_peer(&o, TH_RST); /* 59 */
		tcp_test_input(&o.tt, &seg);
		seg = from_peer(&o, TH_ACK);
		tcp_test_input(&o.tt, &seg);
		nothing(&o);
		tcp_test_advance(&o.tt, 50000 * MS);
		seg = from_peer(&o, TH_ACK | TH_FIN); /* the FIN again: the wait begins anew */
		seg.th.th_seq--;
		tcp_test_input(&o.tt, &seg);
		acked(&o);
		tcp_test_advance(&o.tt, 50000 * MS);
		assert_true(lasts(&o));
		seg.th.th_seq -= 10; /* another FIN: answered, no more */
		tcp_test_input(&o.tt, &seg);
		acked(&o);
		seg = from_peer(&o, TH_SYN); /* an old SYN */
		seg.th.th_seq--;
		seg.opts.to_tsval = o.ts_recent;
		tcp_test_input(&o.tt, &seg);
		acked(&o);
		tcp_test_input(&o.tt, &seg); /* 60: and once in a while at most */
		nothing(&o);
		assert_true(lasts(&o));
		tcp_test_advance(&o.tt, 10001 * MS);
		assert_false(lasts(&o));
		tcp_test_end(&o.tt);
	}
}

/* RFC 6191: by timestamps where both have them, else by the sequence number. */
static void
test_reopen(void **state)
{
	static const struct {
		bool ts;
		int32_t seq, tsval;
		bool reopens;
	} cases[] = {
	    {false, 1, 0, true},
	    {false, 0, 0, false},
	    {false, -5, 0, false},
	    {true, -5, 1, true},
	    {true, 5, -1, false},
	    {true, 5, 0, true},
	    {true, -5, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < 2 * nitems(cases); i++) {
		const size_t c = i / 2;
		struct over o;
		struct tcp_test_seg seg;

		start(&o, cases[c].ts, i % 2 != 0);
		seg = from_peer(&o, TH_SYN);
		seg.th.th_seq += (uint32_t)cases[c].seq;
		seg.opts.to_tsval = o.ts_recent + (uint32_t)cases[c].tsval;
		tcp_test_input(&o.tt, &seg);
		assert_int_equal(lasts(&o), !cases[c].reopens);
		/* there is no listener: the new connection is refused */
		assert_int_equal(tcp_test_sent(&o.tt)->th.th_flags,
		    cases[c].reopens ? TH_RST | TH_ACK : TH_ACK);
		tcp_test_end(&o.tt);
	}
}

/*
 * RFC 9293 §3.6.1: the new connection's numbers begin beyond those of the old, however fast that
 * was: here it was faster than the clock of initial sequence numbers.
 */
static void
test_reopen_iss(void **state)
{
	struct tcp_test *tt;
	struct socket *head;
	union bsd_sockaddr_any sa;
	struct over o;
	struct tcp_test_seg seg;
	const struct tcp_test_out *out;
	const struct in_endpoint ep = {{{TT_US, 0, 0, 0}}, 0};

	(void)state;
	start(&o, true, true);
	tt = &o.tt;
	head = tcp_test_socket(tt);
	head->so_options |= BSD_SO_REUSEADDR;
	tcp_test_afops.af_emit(&(struct in_endpoint){ep.ie_addr, o.lport}, &sa);
	assert_int_equal(sobind(head, &sa.sa), 0);
	assert_int_equal(solisten(head, 8), 0);
	TAILQ_FIRST(&records(tt)->tws_queue)->tw_snd_nxt += 1u << 30;
	tcp_test_advance(tt, 10 * MS);
	seg = from_peer(&o, TH_SYN);
	seg.th.th_seq += 1000;
	tcp_test_input(tt, &seg);
	assert_false(records(tt)->tws_count > 0);
	out = tcp_test_sent(tt);
	assert_non_null(out);
	assert_int_equal(out->th.th_flags, TH_SYN | TH_ACK);
	assert_true(SEQ_GT(out->th.th_seq, o.snd_nxt + (1u << 30)));
	/* with the same offset of timestamps, so that they go on, too */
	assert_true((out->opts.to_flags & TOF_TS) != 0);
	assert_int_equal(soclose(head), 0);
	tcp_test_end(tt);
}

/* -- what it costs, and how long ------------------------------------------------------------- */

/* A record and its place in two hashes is all that is left; the socket's connection waits for its end. */
static void
test_cost(void **state)
{
	struct over o;
	const struct tcp_state *ts;
	size_t cost;

	(void)state;
	start(&o, true, false);
	ts = o.tt.tt_ns->ns_tcp;
	assert_int_equal(records(&o.tt)->tws_count, 0);
	assert_int_equal(ts->tcps_tcpcbpool.pl_nout, 1);
	close_it(&o);
	assert_int_equal(records(&o.tt)->tws_count, 1);
	assert_int_equal(ts->tcps_tcpcbpool.pl_nout, 0);
	assert_int_equal(ts->tcps_table.it_pool.pl_nout, 0);
	assert_int_equal(o.tt.tt_ns->ns_socketpool.pl_nout, 0);
	assert_int_equal(o.tt.tt_ns->ns_callouts.cw_npending, 1);
	cost = records(&o.tt)->tws_pool.pl_item_bytes + 2 * sizeof(struct in_pair_list);
	print_message("a connection in TIME-WAIT: %zu bytes\n", cost);
	assert_true(cost <= 144);
	assert_true(lasts(&o));
	tcp_test_end(&o.tt);
}

/* One callout for all: each ends at its time, one whose FIN came again later than those behind it. */
static void
test_order(void **state)
{
	struct over o[3];
	struct tcp_test_seg seg;
	struct tcp_test *tt = &o[0].tt;

	(void)state;
	start(&o[0], false, true);
	for (unsigned i = 1; i < 3; i++) {
		tcp_test_advance(tt, 10000 * MS);
		one_more(&o[0]);
		o[i] = o[0];
		close_it(&o[0]);
	}
	assert_int_equal(records(tt)->tws_count, 3);
	assert_int_equal(tt->tt_ns->ns_callouts.cw_npending, 1);
	o[1].tt.tt_tp = NULL;
	tcp_test_advance(tt, 5000 * MS);
	seg = from_peer(&o[1], TH_ACK | TH_FIN);
	seg.th.th_seq--;
	tcp_test_input(tt, &seg);
	assert_null(tcp_inspect_check_all(tt->tt_ns));
	tcp_test_advance(tt, 35001 * MS); /* 60 s: the first */
	assert_int_equal(records(tt)->tws_count, 2);
	tcp_test_advance(tt, 19998 * MS); /* 80 s: the third */
	assert_int_equal(records(tt)->tws_count, 2);
	tcp_test_advance(tt, 2 * MS);
	assert_int_equal(records(tt)->tws_count, 1);
	tcp_test_advance(tt, 4998 * MS); /* 85 s: the second */
	assert_int_equal(records(tt)->tws_count, 1);
	tcp_test_advance(tt, 2 * MS);
	assert_int_equal(records(tt)->tws_count, 0);
	assert_int_equal(tt->tt_ns->ns_callouts.cw_npending, 0);
	tcp_test_end(tt);
}

/* With a shorter MSL the order stays, and nothing lasts longer than what was there before it. */
static void
test_msl_change(void **state)
{
	struct over o;
	struct tcp_test *tt = &o.tt;

	(void)state;
	start(&o, false, true);
	tt->tt_ns->ns_tcp->tcps_sysctl.msl_ms = 1000;
	one_more(&o);
	close_it(&o);
	assert_null(tcp_inspect_check_all(tt->tt_ns));
	tcp_test_advance(tt, 59999 * MS);
	assert_int_equal(records(tt)->tws_count, 2);
	tcp_test_advance(tt, 2 * MS);
	assert_int_equal(records(tt)->tws_count, 0);
	one_more(&o);
	close_it(&o);
	tcp_test_advance(tt, 2001 * MS);
	assert_int_equal(records(tt)->tws_count, 0);
	tcp_test_end(tt);
}

/* The rest of 2 MSL, not 2 MSL more, is left when the socket goes in the middle of it. */
static void
test_late_close(void **state)
{
	struct over o;

	(void)state;
	start(&o, false, false);
	tcp_test_advance(&o.tt, 40000 * MS);
	close_it(&o);
	tcp_test_advance(&o.tt, 19999 * MS);
	assert_true(lasts(&o));
	tcp_test_advance(&o.tt, 2 * MS);
	assert_false(lasts(&o));
	tcp_test_end(&o.tt);
}

/* 73: no more than net.inet.tcp.maxtcptw; the oldest goes. */
static void
test_limit(void **state)
{
	struct over o;

	(void)state;
	start(&o, false, true);
	o.tt.tt_ns->ns_tcp->tcps_sysctl.maxtcptw = 3;
	for (unsigned i = 0; i < 5; i++) {
		one_more(&o);
		close_it(&o);
		assert_true(records(&o.tt)->tws_count <= 3);
		assert_null(tcp_inspect_check_all(o.tt.tt_ns));
	}
	assert_int_equal(records(&o.tt)->tws_count, 3);
	assert_int_equal(o.tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_tw_recycled], 3);
	tcp_test_end(&o.tt);
}

/* A socket that was closed before is not kept for the wait. */
static void
test_orphan(void **state)
{
	struct over o;
	struct tcpcb *tp;
	struct tcp_test_seg seg;

	(void)state;
	tcp_test_start(&o.tt);
	tp = tcp_test_in_state(&o.tt, TCPS_FIN_WAIT_2);
	o.snd_nxt = tp->snd_max;
	o.rcv_nxt = tp->rcv_nxt + 1;
	o.lport = tp->t_inpcb->inp_lport;
	seg = tcp_test_seg(&o.tt, TH_ACK | TH_FIN);
	close_it(&o);
	tcp_test_forget(&o.tt);
	tcp_test_input(&o.tt, &seg);
	assert_true(lasts(&o));
	assert_int_equal(records(&o.tt)->tws_count, 1);
	assert_int_equal(o.tt.tt_ns->ns_socketpool.pl_nout, 0);
	acked(&o);
	tcp_test_input(&o.tt, &seg);
	acked(&o);
	tcp_test_advance(&o.tt, 60001 * MS);
	assert_false(lasts(&o));
	tcp_test_end(&o.tt);
}

/* -- no memory ------------------------------------------------------------------------------- */

/* Without memory for a record, or for the first hash, the connection stays whole until its end. */
static void
test_no_memory(void **state)
{
	(void)state;
	for (unsigned fail = 1; fail <= 3; fail++) {
		struct over o;
		struct tcp_test_seg seg;

		start(&o, true, false);
		o.tt.tt_ns->ns_fault.af_fail_at = fail;
		close_it(&o);
		assert_int_equal(o.tt.tt_ns->ns_fault.af_fail_at, 0);
		assert_int_equal(records(&o.tt)->tws_count, 0);
		assert_int_equal(o.tt.tt_ns->ns_socketpool.pl_nout, 0);
		assert_int_equal(o.tt.tt_ns->ns_tcp->tcps_tcpcbpool.pl_nout, 1);
		assert_true(lasts(&o));
		if (fail == 1) { /* a segment that comes is another chance */
			seg = from_peer(&o, TH_ACK | TH_FIN);
			seg.th.th_seq--;
			tcp_test_input(&o.tt, &seg);
			acked(&o);
			assert_int_equal(records(&o.tt)->tws_count, 1);
		}
		assert_true(lasts(&o));
		tcp_test_advance(&o.tt, 60001 * MS);
		assert_false(lasts(&o));
		tcp_test_end(&o.tt);
	}
}

/* With others to give up, the newest is kept. */
static void
test_no_memory_recycles(void **state)
{
	struct over o;

	(void)state;
	start(&o, false, true);
	pool_setlimit(&records(&o.tt)->tws_pool, 1);
	one_more(&o);
	close_it(&o);
	assert_int_equal(records(&o.tt)->tws_count, 1);
	assert_int_equal(o.tt.tt_ns->ns_tcp->tcps_stat[TCPSTAT_tw_recycled], 1);
	assert_true(lasts(&o));
	tcp_test_end(&o.tt);
}

/* -- who sees it ----------------------------------------------------------------------------- */

static int
bind_to(struct tcp_test *tt, uint32_t addr, uint16_t port, uint32_t options, struct socket **sop)
{
	const struct in_endpoint ep = {{{addr, 0, 0, 0}}, port};
	union bsd_sockaddr_any sa;

	tcp_test_afops.af_emit(&ep, &sa);
	*sop = tcp_test_socket(tt);
	(*sop)->so_options |= options;
	return sobind(*sop, &sa.sa);
}

/* bind and connect find the port taken, as by a connection; BSD_SO_REUSEADDR lets a listener return. */
static void
test_taken(void **state)
{
	const struct in_endpoint peer = {{{TT_THEM, 0, 0, 0}}, TT_PEER};
	union bsd_sockaddr_any sa;

	(void)state;
	for (int compact = 0; compact < 2; compact++) {
		struct over o;
		struct socket *so;

		start(&o, false, compact != 0);
		assert_int_equal(bind_to(&o.tt, 0, o.lport, 0, &so), BSD_EADDRINUSE);
		assert_int_equal(soclose(so), 0);
		assert_int_equal(bind_to(&o.tt, TT_US, o.lport, 0, &so), BSD_EADDRINUSE);
		assert_int_equal(soclose(so), 0);
		assert_int_equal(bind_to(&o.tt, 0, (uint16_t)(o.lport - 1), 0, &so), 0);
		assert_int_equal(soclose(so), 0);
		assert_int_equal(bind_to(&o.tt, TT_US, o.lport, BSD_SO_REUSEADDR, &so), 0);
		tcp_test_afops.af_emit(&peer, &sa);
		assert_int_equal(soconnect(so, &sa.sa), BSD_EADDRINUSE);
		assert_int_equal(soclose(so), 0);
		/* nor is the port given for the same peer, if it is the only one */
		o.tt.tt_ns->ns_tcp->tcps_table.it_portlo = o.lport;
		o.tt.tt_ns->ns_tcp->tcps_table.it_porthi = o.lport;
		so = tcp_test_socket(&o.tt);
		assert_int_equal(soconnect(so, &sa.sa), BSD_EADDRNOTAVAIL);
		assert_int_equal(soclose(so), 0);
		assert_int_equal(bind_to(&o.tt, 0, 0, 0, &so), BSD_EADDRNOTAVAIL);
		assert_int_equal(soclose(so), 0);
		tcp_test_advance(&o.tt, 60001 * MS);
		assert_int_equal(bind_to(&o.tt, 0, 0, 0, &so), 0);
		assert_int_equal(soclose(so), 0);
		tcp_test_end(&o.tt);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_segments),
	    cmocka_unit_test(test_reopen),
	    cmocka_unit_test(test_reopen_iss),
	    cmocka_unit_test(test_cost),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_msl_change),
	    cmocka_unit_test(test_late_close),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_orphan),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_no_memory_recycles),
	    cmocka_unit_test(test_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
