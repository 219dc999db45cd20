/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections that the program has done with and the peer will not let go: HOSTILE 70, windows that
 * stay closed; HOSTILE 72, FIN-WAIT-1, CLOSING, LAST-ACK and FIN-WAIT-2 abandoned, storms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "netinet/tcp_reass.h"
#include "netinet/tcp_testutil.h"
#include "netinet/tcp_wire_testutil.h"

#define START_NS 1000000000ull
#define SEC_NS 1000000000ull
#define MINUTE_NS (60 * SEC_NS)
#define MANY 40u
#define LIMIT 10u

static uint32_t
npcbs(const struct wire *w, unsigned side)
{
	return w->w_ns[side]->ns_tcp->tcps_tcpcbpool.pl_nout;
}

static uint64_t
stat(const struct wire *w, unsigned side, enum tcp_stat which)
{
	return w->w_ns[side]->ns_tcp->tcps_stat[which];
}

/* MANY connections from side 0, whose peers read nothing; each has written all that it can. */
static void
closed_windows(struct wire *w, struct socket *so[MANY], struct socket *peer[MANY])
{
	static const uint8_t buf[4096];
	struct socket *head = wire_listen(w, 1, WIRE_PORT);

	for (unsigned i = 0; i < MANY; i++) {
		so[i] = wire_socket(w, 0);
		so[i]->so_rcv.sb_flags &= ~(uint32_t)SB_AUTOSIZE;
		assert_int_equal(soreserve(so[i], 8192, 8192), 0);
		assert_int_equal(wire_connect(w, so[i], 0, WIRE_PORT), 0);
		wire_run(w, SEC_NS);
		peer[i] = wire_accept(head);
		assert_non_null(peer[i]);
		for (unsigned n = 0; n < 100; n++) {
			(void)wire_write(so[i], buf, sizeof(buf), 0);
			wire_run(w, 10 * SEC_NS / 1000);
		}
	}
	wire_run(w, SEC_NS);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(wire_tcpcb(so[i])->snd_wnd, 0);
		assert_true(tcp_timer_isarmed(wire_tcpcb(so[i]), TCPT_PERSIST));
	}
}

/* A connection more works, both ways. */
static void
another_works(struct wire *w)
{
	struct socket *head = wire_listen(w, 1, WIRE_PORT + 1), *so = wire_socket(w, 0), *peer;
	char buf[8];

	assert_int_equal(wire_connect(w, so, 0, WIRE_PORT + 1), 0);
	wire_run(w, SEC_NS);
	peer = wire_accept(head);
	assert_non_null(peer);
	assert_int_equal(wire_write(so, "there", 5, 0), 5);
	assert_int_equal(wire_write(peer, "back", 4, 0), 4);
	wire_run(w, SEC_NS);
	assert_int_equal(wire_read(peer, buf, sizeof(buf), NULL), 5);
	assert_int_equal(wire_read(so, buf, sizeof(buf), NULL), 4);
	so->so_options |= BSD_SO_LINGER;
	assert_int_equal(soclose(so), 0);
	wire_run(w, SEC_NS);
	assert_int_equal(soclose(peer), 0);
	assert_int_equal(soclose(head), 0);
}

/*
 * While the program holds them, peers that answer every probe keep their connections, at the cost
 * of their send buffers and ever fewer probes; closed, all go, though the probes are answered still.
 */
static void
test_70_many_closed_windows(void **state)
{
	struct wire w;
	struct socket *so[MANY], *peer[MANY];

	(void)state;
	wire_start(&w, START_NS);
	closed_windows(&w, so, peer);
	wire_run(&w, 10 * MINUTE_NS);
	const uint64_t probes = stat(&w, 0, TCPSTAT_sndprobe);
	wire_run(&w, 10 * MINUTE_NS);
	assert_int_equal(npcbs(&w, 0), MANY);
	/* At the longest interval, 60 s. */
	assert_in_range(stat(&w, 0, TCPSTAT_sndprobe) - probes, 8 * MANY, 11 * MANY);
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(so[i]->so_snd.sb_cc <= so[i]->so_snd.sb_hiwat);
		assert_int_equal(soclose(so[i]), 0);
	}
	assert_int_equal(npcbs(&w, 0), MANY);
	another_works(&w);
	wire_run(&w, 10 * MINUTE_NS);
	assert_int_equal(npcbs(&w, 0), 0);
	assert_int_equal(w.w_ns[0]->ns_socketpool.pl_nout, 0);
	assert_int_equal(stat(&w, 0, TCPSTAT_persistdrop), MANY);
	assert_int_equal(stat(&w, 0, TCPSTAT_orphandrops), 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(peer[i]->so_error, BSD_ECONNRESET);
	wire_end(&w);
}

/* Only so many may be closed and wait; the others' peers get a RST at once. Each that ends makes room. */
static void
test_70_limit(void **state)
{
	struct wire w;
	struct socket *so[MANY], *peer[MANY];
	unsigned nreset = 0;

	(void)state;
	wire_start(&w, START_NS);
	w.w_ns[0]->ns_tcp->tcps_sysctl.maxorphans = LIMIT;
	closed_windows(&w, so, peer);
	for (unsigned i = 0; i < MANY - 1; i++)
		assert_int_equal(soclose(so[i]), 0);
	assert_int_equal(npcbs(&w, 0), LIMIT + 1);
	assert_int_equal(stat(&w, 0, TCPSTAT_orphandrops), MANY - 1 - LIMIT);
	wire_run(&w, SEC_NS);
	for (unsigned i = 0; i < MANY; i++)
		nreset += peer[i]->so_error == BSD_ECONNRESET;
	assert_int_equal(nreset, MANY - 1 - LIMIT);
	another_works(&w);
	wire_run(&w, 10 * MINUTE_NS);
	assert_int_equal(npcbs(&w, 0), 1);
	assert_int_equal(soclose(so[MANY - 1]), 0);
	assert_int_equal(npcbs(&w, 0), 1);
	wire_run(&w, 10 * MINUTE_NS);
	assert_int_equal(npcbs(&w, 0), 0);
	wire_end(&w);
}

static const enum tcp_fsm_state abandoned[] = {
    TCPS_FIN_WAIT_1,
    TCPS_CLOSING,
    TCPS_LAST_ACK,
    TCPS_FIN_WAIT_2,
};

/* The peer falls silent: after so many retransmissions, or FIN-WAIT-2's time, nothing is left. */
static void
test_72_abandoned(void **state)
{
	struct tcp_test tt;

	(void)state;
	for (size_t i = 0; i < nitems(abandoned); i++) {
		tcp_test_start(&tt);
		(void)tcp_test_in_state(&tt, abandoned[i]);
		tt.tt_ownsso = false;
		assert_int_equal(soclose(tt.tt_so), 0);
		assert_true(tcp_test_alive(&tt));
		assert_int_equal(tt.tt_ns->ns_tcp->tcps_table.it_norphans, 1);
		tcp_test_advance(&tt, 20 * MINUTE_NS);
		assert_false(tcp_test_alive(&tt));
		assert_int_equal(tt.tt_ns->ns_tcp->tcps_table.it_norphans, 0);
		assert_int_equal(tt.tt_ns->ns_socketpool.pl_nout, 0);
		tcp_test_end(&tt);
	}
}

/*
 * Thousands of RSTs and FINs that miss: nothing moves, nothing is kept of them, and the answers are
 * few. The FIN that does not miss ends the connection as ever.
 */
static void
test_72_storm(void **state)
{
	struct tcp_test tt;
	struct tcp_test_seg seg;

	(void)state;
	for (size_t i = 0; i < nitems(abandoned); i++) {
		tcp_test_start(&tt);
		struct tcpcb *tp = tcp_test_in_state(&tt, abandoned[i]);
		const uint32_t mbufs = tt.tt_ns->ns_mbpool.pl_nout;
		unsigned answers = 0;

		for (unsigned n = 0; n < 10000; n++) {
			seg = tcp_test_seg(&tt, n % 2 == 0 ? TH_RST : TH_FIN | TH_ACK);
			/* Before the window or behind it; a RST within as well, but for its edge. */
			seg.th.th_seq += n % 4 == 0 ? 1 + n : (n % 3 == 0 ? -2 - n : 1000000 + n);
			if (n % 2 != 0)
				seg.th.th_ack = tp->snd_una;
			tcp_test_input(&tt, &seg);
			answers += tcp_test_nsent(&tt);
			tcp_test_forget(&tt);
		}
		assert_true(tcp_test_alive(&tt));
		assert_int_equal(tp->t_state, abandoned[i]);
		assert_int_equal(tt.tt_ns->ns_mbpool.pl_nout, mbufs);
		assert_int_equal(tcp_reass_segs(tp), 0);
		/* Old FINs are each answered: their sender may have missed our ACK (§3.10.7.4). */
		assert_true(answers < 10000 / 3);
		tcp_test_end(&tt);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_70_many_closed_windows),
	    cmocka_unit_test(test_70_limit),
	    cmocka_unit_test(test_72_abandoned),
	    cmocka_unit_test(test_72_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
